/* The payload of a full sync: its header, its bytes, its end, and what follows loading. */
#include "repl/replica_state.h"

#include "base/check.h"
#include "base/num.h"
#include "base/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#define SHOWN(line) (int)((line).len < 120 ? (line).len : 120), (line).ptr

static void begin_image(struct replica *replica, int64_t total, int64_t now_ms,
                        struct repl_actions *out)
{
    replica->state = REPLICA_RECEIVING;
    replica->image_total = total;
    replica->image_read = replica->image_loaded = 0;
    replica->image_ms = now_ms;
    replica->held_len = 0;
    replica->image_open = true;
    repl_act(out, REPL_IMAGE_BEGIN, REPL_LINK_ID)->value = total;
}

static void end_image(struct replica *replica, int64_t now_ms, struct repl_actions *out)
{
    replica->state = REPLICA_LOADING;
    replica->loading_ms = replica->newline_ms = now_ms;
    repl_act(out, REPL_IMAGE_END, REPL_LINK_ID);
}

void replica_header(struct replica *replica, struct span line, int64_t now_ms,
                    struct repl_actions *out)
{
    int64_t total;
    if (line.ptr[0] == '-') {
        replica_lose(replica, now_ms, out, "MASTER aborted replication with an error: %.*s",
                     SHOWN(line));
    } else if (line.len == 5 + MARK_LEN && memcmp(line.ptr, "$EOF:", 5) == 0) {
        memcpy(replica->mark, line.ptr + 5, MARK_LEN);
        replica->mark[MARK_LEN] = '\0';
        begin_image(replica, -1, now_ms, out);
    } else if (line.ptr[0] == '$' && num_parse_int64(span_of(line.ptr + 1, line.len - 1), &total) &&
               total >= 0) {
        begin_image(replica, total, now_ms, out);
        if (total == 0) end_image(replica, now_ms, out);
    } else {
        replica_lose(replica, now_ms, out,
                     "Bad protocol from MASTER, no snapshot begins with '%.*s'", SHOWN(line));
    }
}

/* ---- the end mark -------------------------------------------------------------------------------
 * Nothing follows the mark before our ACK, so it is there exactly when everything received so far ends with it. What
 * may be its beginning is held back: at most 39 bytes, in random digits almost always none. */

/* The length of the longest end of held + bytes that is a beginning of the mark. */
static size_t mark_suffix(const struct replica *replica, struct span bytes)
{
    char tail[2 * MARK_LEN];
    const size_t taken = bytes.len < MARK_LEN ? bytes.len : MARK_LEN;
    size_t len = 0;
    if (taken < MARK_LEN) {
        memcpy(tail, replica->held, replica->held_len);
        len = replica->held_len;
    }
    memcpy(tail + len, bytes.ptr + bytes.len - taken, taken);
    len += taken;
    for (size_t n = len < MARK_LEN ? len : MARK_LEN; n > 0; n--)
        if (memcmp(tail + len - n, replica->mark, n) == 0) return n;
    return 0;
}

static void emit_held(struct replica *replica, size_t len, struct repl_actions *out)
{
    if (len == 0) return;
    struct repl_action *action = repl_act(out, REPL_IMAGE_BYTES, REPL_LINK_ID);
    action->at = out->text.len;
    action->len = len;
    buf_append(&out->text, replica->held, len);
    replica->image_read += len;
    memmove(replica->held, replica->held + len, replica->held_len - len);
    replica->held_len -= len;
}

static void emit_input(struct replica *replica, size_t at, size_t len, struct repl_actions *out)
{
    if (len == 0) return;
    struct repl_action *action = repl_act(out, REPL_IMAGE_BYTES, REPL_LINK_ID);
    action->from_input = true;
    action->at = at;
    action->len = len;
    replica->image_read += len;
}

static void receive_marked(struct replica *replica, struct span bytes, size_t at, int64_t now_ms,
                           struct repl_actions *out)
{
    const size_t suffix = mark_suffix(replica, bytes);
    const size_t all = replica->held_len + bytes.len;
    const size_t image = all - suffix; /* bytes that belong to the image for certain */
    if (image >= replica->held_len) {
        const size_t from_bytes = image - replica->held_len;
        emit_held(replica, replica->held_len, out);
        emit_input(replica, at, from_bytes, out);
        memcpy(replica->held, bytes.ptr + from_bytes, suffix);
        replica->held_len = suffix;
    } else {
        emit_held(replica, image, out);
        memcpy(replica->held + replica->held_len, bytes.ptr, bytes.len);
        replica->held_len += bytes.len;
    }
    if (suffix == MARK_LEN) {
        replica->held_len = 0;
        end_image(replica, now_ms, out);
    }
}

size_t replica_image(struct replica *replica, struct span bytes, size_t at, int64_t now_ms,
                     struct repl_actions *out)
{
    if (replica->image_total < 0) {
        receive_marked(replica, bytes, at, now_ms, out);
        return bytes.len;
    }
    const uint64_t left = (uint64_t)replica->image_total - replica->image_read;
    const size_t taken = bytes.len < left ? bytes.len : (size_t)left;
    emit_input(replica, at, taken, out);
    if (replica->image_read == (uint64_t)replica->image_total) end_image(replica, now_ms, out);
    return taken;
}

/* ---- loading ------------------------------------------------------------------------------------ */

void replica_load_progress(struct replica *replica, uint64_t bytes)
{
    replica->image_loaded = bytes;
}

void replica_load_failed(struct replica *replica, const char *reason, int64_t now_ms,
                         struct repl_actions *out)
{
    if (!replica->image_open) return;
    replica_lose(replica, now_ms, out, "the snapshot could not be loaded: %s", reason);
}

void replica_loaded_nothing(struct replica *replica, int64_t now_ms, struct repl_actions *out)
{
    const uint64_t end = journal_end(replica->journal);

    if (replica->state != REPLICA_LOADING) return;
    if (replica->by_sync || replica->sync_offset >= end ||
        strcasecmp(replica->sync_id, journal_id(replica->journal)) == 0 ||
        strcasecmp(replica->sync_id, journal_second_id(replica->journal)) == 0) {
        replica_loaded(replica, now_ms, out);
        return;
    }
    replica->refused = true;
    replica_lose(
        replica, now_ms, out,
        "refused: the primary is empty and knows nothing of our history (it is at offset %" PRIu64
        ", we are at %" PRIu64 "); the data is kept until REPLICAOF is given again",
        replica->sync_offset, end);
    replica->next_attempt_ms = INT64_MAX;
}

void replica_loaded(struct replica *replica, int64_t now_ms, struct repl_actions *out)
{
    if (replica->state != REPLICA_LOADING) return;
    const bool link_gone = replica->link_gone;
    if (replica->by_sync) {
        /* SYNC tells no id and no offset: a history of our own, which no primary will continue. */
        if (replica->config->hex != NULL)
            replica->config->hex(replica->config->hex_context, replica->sync_id,
                                 REPLICATION_ID_LEN);
        else random_hex(replica->sync_id, REPLICATION_ID_LEN);
        replica->sync_id[REPLICATION_ID_LEN] = '\0';
        replica->sync_offset = 0;
    }
    if (!replica->config->mutations.keep_replicas_on_adopt)
        primary_drop_all(replica->primary, "a full sync replaced the data", now_ms, out);
    repl_act_text(out, REPL_ADOPT, REPL_LINK_ID, "%s", replica->sync_id)->offset =
        replica->sync_offset;
    replica->image_open = false;
    replica->full_sync = false;
    replica->adopted = true;
    replica->stats.full_syncs++;
    replica_note(replica, REPL_EVENT_FULL_SYNC_DONE, replica->image_read,
                 now_ms - replica->attempt_ms, now_ms, "snapshot of offset %" PRIu64,
                 replica->sync_offset);
    if (link_gone) {
        replica->failures_alike = 0;
        replica_lose(replica, now_ms, out, "the primary closed the link during loading");
        replica->next_attempt_ms = now_ms;
        return;
    }
    replica->resumed = false;
    replica_link_up(replica, replica->sync_offset, now_ms, out);
}
