#include "journal/segment.h"

#include "base/num.h"

#include <ctype.h>
#include <inttypes.h>

static const char head_word[] = "#PANDO:", mark_word[] = "#P:", time_word[] = "#TS:";

void segment_write_head(struct buf *out, const struct segment_head *head, bool select)
{
    char db[NUM_INT64_CHARS];
    int len = (int)num_format_int64(db, head->db);

    buf_printf(out, "%s%s %" PRIu64 " %d\r\n", head_word, head->id, head->offset, head->db);
    if (select) buf_printf(out, "*2\r\n$6\r\nSELECT\r\n$%d\r\n%.*s\r\n", len, len, db);
}

void segment_write_mark(struct buf *out, const struct segment_mark *mark)
{
    buf_printf(out, "%s%" PRIu64 " %" PRIu64 " %08" PRIx32 "\r\n", mark_word, mark->offset,
               mark->bytes, mark->crc);
}

void segment_write_time(struct buf *out, int64_t unix_s)
{
    buf_printf(out, "%s%" PRId64 "\r\n", time_word, unix_s);
}

/* ---- parsing ----------------------------------------------------------------------------------- */

/* A line being taken apart, its end not included. */
struct line {
    const char *at, *end;
};

static bool take_word(struct line *line, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(line->end - line->at) < len || memcmp(line->at, word, len) != 0) return false;
    line->at += len;
    return true;
}

/* The bytes up to the next blank or the end of the line. */
static struct span take_field(struct line *line)
{
    const char *from = line->at;

    while (line->at < line->end && *line->at != ' ') line->at++;
    struct span field = span_of(from, (size_t)(line->at - from));
    if (line->at < line->end) line->at++;
    return field;
}

static bool take_uint64(struct line *line, uint64_t *out)
{
    return num_parse_uint64(take_field(line), out);
}

static bool take_hex(struct line *line, size_t digits, uint32_t *out)
{
    struct span field = take_field(line);
    uint32_t value = 0;

    if (field.len != digits) return false;
    for (size_t i = 0; i < digits; i++) {
        char c = field.ptr[i];
        if (!isxdigit((unsigned char)c) || isupper((unsigned char)c)) return false;
        value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *out = value;
    return true;
}

static bool parse_head(struct line line, struct segment_head *out)
{
    struct span id = take_field(&line);
    uint64_t db;

    if (id.len != REPLICATION_ID_LEN) return false;
    for (size_t i = 0; i < id.len; i++)
        if (!isxdigit((unsigned char)id.ptr[i])) return false;
    if (!take_uint64(&line, &out->offset) || !take_uint64(&line, &db) || db > INT32_MAX ||
        line.at != line.end)
        return false;
    memcpy(out->id, id.ptr, id.len);
    out->id[id.len] = '\0';
    out->db = (int)db;
    return true;
}

static bool parse_mark(struct line line, struct segment_mark *out)
{
    uint64_t end;

    return take_uint64(&line, &out->offset) && take_uint64(&line, &out->bytes) &&
           take_hex(&line, 8, &out->crc) && line.at == line.end && out->bytes > 0 &&
           !__builtin_add_overflow(out->offset, out->bytes, &end);
}

static bool parse_time(struct line line, int64_t *out)
{
    return num_parse_int64(take_field(&line), out) && line.at == line.end && *out >= 0;
}

/* The SELECT that segment_write_head writes, of any database. */
static enum segment_line parse_select(struct span bytes, size_t *len)
{
    static const char front[] = "*2\r\n$6\r\nSELECT\r\n$";
    size_t front_len = sizeof front - 1, have = bytes.len < front_len ? bytes.len : front_len;

    if (memcmp(bytes.ptr, front, have) != 0) return SEGMENT_LINE_OTHER;
    if (have < front_len) return SEGMENT_LINE_SHORT;
    /* "<digits>\r\n<db>\r\n", with one or two digits of length. */
    size_t at = front_len, digits = 0;
    while (at < bytes.len && isdigit((unsigned char)bytes.ptr[at]) && at < front_len + 2)
        digits = digits * 10 + (size_t)(bytes.ptr[at++] - '0');
    size_t whole = at + 2 + digits + 2;
    if (bytes.len < whole) return SEGMENT_LINE_SHORT;
    if (digits == 0 || memcmp(bytes.ptr + at, "\r\n", 2) != 0 ||
        memcmp(bytes.ptr + whole - 2, "\r\n", 2) != 0)
        return SEGMENT_LINE_OTHER;
    *len = whole;
    return SEGMENT_LINE_SELECT;
}

enum segment_line segment_parse(struct span bytes, struct segment_parsed *out)
{
    size_t have = bytes.len < SEGMENT_LINE_MAX ? bytes.len : SEGMENT_LINE_MAX;
    const char *newline;

    if (bytes.len == 0 || bytes.ptr[0] == '\0') return SEGMENT_LINE_SHORT;
    if (bytes.ptr[0] == '*') return parse_select(bytes, &out->len);
    if (bytes.ptr[0] != '#') return SEGMENT_LINE_OTHER;
    newline = memchr(bytes.ptr, '\n', have);
    if (newline == NULL) {
        /* Zeros where the rest should be: the file had grown before the bytes were there. */
        bool torn = have < SEGMENT_LINE_MAX || memchr(bytes.ptr, '\0', have) != NULL;
        return torn ? SEGMENT_LINE_SHORT : SEGMENT_LINE_OTHER;
    }
    if (newline[-1] != '\r') return SEGMENT_LINE_OTHER;

    struct line line = {bytes.ptr, newline - 1};
    out->len = (size_t)(newline + 1 - bytes.ptr);
    if (take_word(&line, head_word))
        return parse_head(line, &out->head) ? SEGMENT_LINE_HEAD : SEGMENT_LINE_OTHER;
    if (take_word(&line, mark_word))
        return parse_mark(line, &out->mark) ? SEGMENT_LINE_MARK : SEGMENT_LINE_OTHER;
    if (take_word(&line, time_word))
        return parse_time(line, &out->unix_s) ? SEGMENT_LINE_TIME : SEGMENT_LINE_OTHER;
    return SEGMENT_LINE_OTHER;
}
