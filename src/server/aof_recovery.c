#include "server/aof_recovery.h"

#include "base/num.h"
#include "journal/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- the moment -------------------------------------------------------------------------------- */

static bool parse_date(const char *text, int64_t *unix_s)
{
    struct tm date = {.tm_isdst = -1};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &date);

    if (rest == NULL) rest = strptime(text, "%Y-%m-%d %H:%M:%S", &date);
    if (rest == NULL) return false;
    bool is_utc = strcmp(rest, "Z") == 0;
    if (!is_utc && *rest != '\0') return false;
    *unix_s = is_utc ? timegm(&date) : mktime(&date);
    return *unix_s > 0;
}

bool recovery_parse(const char *text, struct recovery *out)
{
    static const char offset_word[] = "offset:";
    const size_t word_len = sizeof offset_word - 1;
    bool is_offset = strncmp(text, offset_word, word_len) == 0;

    *out = (struct recovery){.kind = is_offset ? RECOVER_OFFSET : RECOVER_TIME};
    if (is_offset) text += word_len;
    if (num_parse_int64(span_of_cstr(text), &out->until)) return out->until >= 0;
    return !is_offset && parse_date(text, &out->until);
}

/* ---- while reading ----------------------------------------------------------------------------- */

void recovery_begin_file(struct recovery *recovery)
{
    recovery->at_mark = false;
}

static void meet_offset(struct recovery *recovery, uint64_t offset)
{
    if (!recovery->tells_offsets) recovery->first_offset = offset;
    recovery->tells_offsets = true;
}

void recovery_see_line(struct recovery *recovery, struct span line, uint64_t end)
{
    struct segment_parsed parsed;

    switch (segment_parse(line, &parsed)) {
    case SEGMENT_LINE_HEAD: meet_offset(recovery, parsed.head.offset); break;
    case SEGMENT_LINE_MARK:
        meet_offset(recovery, parsed.mark.offset);
        recovery->at_mark = true;
        recovery->mark_offset = parsed.mark.offset;
        recovery->mark_at = end;
        break;
    case SEGMENT_LINE_TIME:
        if (recovery->first_s == 0) recovery->first_s = parsed.unix_s;
        recovery->time_s = parsed.unix_s;
        if (recovery->mark_at == end - line.len)
            recovery->mark_at = end; /* is no part of the log */
        break;
    default: break;
    }
}

static bool lies_before(const struct recovery *recovery, uint64_t end)
{
    if (recovery->kind == RECOVER_TIME) return recovery->time_s <= recovery->until;
    return !recovery->at_mark ||
           recovery->mark_offset + (end - recovery->mark_at) <= (uint64_t)recovery->until;
}

bool recovery_wants(struct recovery *recovery, struct span name, uint64_t end)
{
    if (span_is(name, "SELECT")) return true; /* changes nothing, and stands before what does */
    if (lies_before(recovery, end)) {
        recovery->taken++;
        return true;
    }
    recovery->reached = true;
    snprintf(recovery->left_out, sizeof recovery->left_out, "%.*s",
             name.len < 31 ? (int)name.len : 31, name.ptr);
    return false;
}

bool recovery_is_sound(const struct recovery *recovery, char why[static 256])
{
    int64_t begins_s = recovery->base_s > 0 ? recovery->base_s : recovery->first_s;

    why[0] = '\0';
    if (recovery->kind == RECOVER_OFFSET) {
        if (!recovery->tells_offsets) snprintf(why, 256, "the files tell no offsets");
        else if (recovery->first_offset > (uint64_t)recovery->until)
            snprintf(why, 256, "the base file is from offset %" PRIu64 ", which is later",
                     recovery->first_offset);
    } else if (recovery->until < begins_s) {
        snprintf(why, 256, "the base file is from Unix second %" PRId64 ", which is later",
                 begins_s);
    } else if (recovery->time_s == 0 && recovery->taken > 0) {
        snprintf(why, 256,
                 "the files tell no times (aof-timestamp-enabled was off when they were written)");
    }
    return why[0] == '\0';
}
