#include "journal/segment_reader.h"

#include "base/hash.h"
#include "io/file.h"

#include <errno.h>

#define WINDOW_BYTES (128 * 1024)
#define CHECK_BYTES  (64 * 1024)

void segment_reader_init(struct segment_reader *reader, int fd, uint64_t size)
{
    *reader = (struct segment_reader){.fd = fd, .size = size};
}

void segment_reader_release(struct segment_reader *reader)
{
    buf_release(&reader->window);
}

void segment_reader_seek(struct segment_reader *reader, uint64_t at, uint64_t next)
{
    reader->at = at;
    reader->next = next;
    reader->has_head = true;
}

/* Borrows up to `len` bytes at a position; fewer only at the end of the file. 0 or -errno. */
static int borrow(struct segment_reader *reader, uint64_t at, size_t len, struct span *out)
{
    struct buf *window = &reader->window;
    uint64_t left = at < reader->size ? reader->size - at : 0;

    if (len > left) len = (size_t)left;
    if (at < reader->window_at || at + len > reader->window_at + window->len) {
        buf_clear(window);
        buf_reserve(window, WINDOW_BYTES);
        size_t want = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        ssize_t got = file_pread_some(reader->fd, window->ptr, want, at);
        if (got < 0) return (int)got;
        window->len = (size_t)got;
        reader->window_at = at;
        if ((size_t)got < len) return -EIO; /* the file shrank */
    }
    *out = span_of(window->ptr + (at - reader->window_at), len);
    return 0;
}

int segment_read_bytes(struct segment_reader *reader, uint64_t at, void *out, size_t len)
{
    char *to = out;

    while (len > 0) {
        struct span span;
        size_t step = len < CHECK_BYTES ? len : CHECK_BYTES;
        int error = borrow(reader, at, step, &span);
        if (error != 0) return error;
        if (span.len == 0) return -EIO;
        memcpy(to, span.ptr, span.len);
        to += span.len;
        at += span.len;
        len -= span.len;
    }
    return 0;
}

int segment_check(struct segment_reader *reader, const struct segment_stretch *stretch)
{
    uint64_t at = stretch->data_at, end = at + stretch->mark.bytes;
    uint32_t crc = 0;

    while (at < end) {
        struct span span;
        size_t step = end - at < CHECK_BYTES ? (size_t)(end - at) : CHECK_BYTES;
        int error = borrow(reader, at, step, &span);
        if (error != 0) return error;
        if (span.len == 0) return -EIO;
        crc = crc32c(crc, span.ptr, span.len);
        at += span.len;
    }
    return crc == stretch->mark.crc;
}

/* A head stands at reader->at: takes it and the SELECT behind it. */
static enum segment_part take_head(struct segment_reader *reader,
                                   const struct segment_parsed *parsed, struct segment_stretch *out)
{
    struct segment_parsed select;
    uint64_t at = reader->at + parsed->len;
    struct span bytes;

    /* One in the middle of a file goes on where the log stands. */
    if (reader->has_head && parsed->head.offset != reader->next) return SEGMENT_DAMAGED;
    if (!reader->has_head) {
        out->error = borrow(reader, at, SEGMENT_LINE_MAX, &bytes);
        if (out->error != 0) return SEGMENT_IO;
        switch (segment_parse(bytes, &select)) {
        case SEGMENT_LINE_SELECT: at += select.len; break;
        case SEGMENT_LINE_SHORT: return SEGMENT_SHORT;
        default: return SEGMENT_FOREIGN;
        }
    }
    reader->has_head = true;
    reader->head = parsed->head;
    reader->next = parsed->head.offset;
    reader->at = at;
    return SEGMENT_HEAD;
}

/* A mark stands at reader->at. */
static enum segment_part take_mark(struct segment_reader *reader,
                                   const struct segment_parsed *parsed, struct segment_stretch *out)
{
    struct segment_parsed time;
    uint64_t at = reader->at + parsed->len;
    struct span bytes;

    out->mark = parsed->mark;
    out->mark_at = reader->at;
    if (!reader->has_head) return SEGMENT_FOREIGN;
    if (parsed->mark.offset != reader->next) return SEGMENT_DAMAGED;
    out->error = borrow(reader, at, SEGMENT_LINE_MAX, &bytes);
    if (out->error != 0) return SEGMENT_IO;
    int64_t unix_s = reader->unix_s;
    if (bytes.len > 0 && segment_parse(bytes, &time) == SEGMENT_LINE_TIME) {
        at += time.len;
        unix_s = time.unix_s;
    }
    out->unix_s = unix_s;
    out->data_at = at;
    out->data_bytes = reader->size - at;
    if (out->data_bytes < out->mark.bytes) return SEGMENT_SHORT;
    out->data_bytes = out->mark.bytes;
    reader->unix_s = unix_s;
    reader->next += out->mark.bytes;
    reader->at = at + out->mark.bytes;
    return SEGMENT_STRETCH;
}

enum segment_part segment_read(struct segment_reader *reader, struct segment_stretch *out)
{
    struct segment_parsed parsed;
    struct span bytes;

    *out = (struct segment_stretch){.mark_at = reader->at, .data_at = reader->at};
    if (reader->at >= reader->size) return SEGMENT_END;
    out->error = borrow(reader, reader->at, SEGMENT_LINE_MAX, &bytes);
    if (out->error != 0) return SEGMENT_IO;
    switch (segment_parse(bytes, &parsed)) {
    case SEGMENT_LINE_HEAD: return take_head(reader, &parsed, out);
    case SEGMENT_LINE_MARK: return take_mark(reader, &parsed, out);
    case SEGMENT_LINE_SHORT:
        /* The beginning of a command of Redis' looks like that of a SELECT. */
        return bytes.ptr[0] == '*' ? SEGMENT_FOREIGN : SEGMENT_SHORT;
    default: return SEGMENT_FOREIGN;
    }
}
