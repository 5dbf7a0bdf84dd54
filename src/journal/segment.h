/* The format of an incr file: a stretch of the log on disk, which Redis 7.0 also replays.
 *
 *   #PANDO:<id> <offset> <db>\r\n            the history: bytes from `offset` on belong to `id`
 *   *2\r\n$6\r\nSELECT\r\n$1\r\n<db>\r\n     so that Redis, which begins each file in database 0, replays it
 *   #P:<offset> <bytes> <crc32c>\r\n         a mark: the next `bytes` bytes are log bytes from `offset` on
 *   [#TS:<unix seconds>\r\n]
 *   <bytes>
 *   #P: ...
 *
 * Only announced bytes are log bytes; lines that begin with '#' and that first SELECT are not
 * counted in offsets and never sent to anyone. Each mark is written together with its stretch, at a
 * unit's start, so a reader goes from mark to mark without parsing commands. A further #PANDO line
 * may stand in place of a mark where the id changed (promotion, +CONTINUE with another id), without a
 * SELECT. Every line is under SEGMENT_LINE_MAX characters: Redis reads comment lines into 128 (tried).
 *
 * What may stand at the end, besides nothing:
 *   short     a stretch of which not all was written, or zeros in its place: our own torn write
 *   bad crc   the same, where the file system had grown the file before the bytes were there
 *   foreign   bytes behind a complete stretch that no mark announces: Redis appended to the file
 * A bad CRC, or anything that is no mark, with announced stretches behind it is damage.
 *
 * Nothing here does I/O. */
#ifndef PANDO_JOURNAL_SEGMENT_H
#define PANDO_JOURNAL_SEGMENT_H

#include "base/buf.h"
#include "journal/journal.h"

#include <stdint.h>

#define SEGMENT_LINE_MAX 100 /* a line with its end, and a zero */

struct segment_head {
    char id[REPLICATION_ID_LEN + 1];
    uint64_t offset; /* of the first log byte behind it */
    int db;          /* that the log's bytes stand in there, at least 0 */
};
struct segment_mark {
    uint64_t offset, bytes;
    uint32_t crc; /* crc32c of the bytes */
};

/* Appends the head line; with `select` the SELECT behind it, as at a file's start. */
void segment_write_head(struct buf *out, const struct segment_head *head, bool select);
void segment_write_mark(struct buf *out, const struct segment_mark *mark);
void segment_write_time(struct buf *out, int64_t unix_s);

/* What the bytes of a file are at `bytes.ptr`, which is where a line of ours or a foreign byte stands.
 * *len is how many bytes it takes. */
enum segment_line {
    SEGMENT_LINE_HEAD,
    SEGMENT_LINE_SELECT, /* the SELECT behind a head */
    SEGMENT_LINE_MARK,
    SEGMENT_LINE_TIME,
    SEGMENT_LINE_OTHER, /* none of ours */
    SEGMENT_LINE_SHORT, /* could become one of ours with more bytes */
};
struct segment_parsed {
    size_t len;
    struct segment_head head;
    struct segment_mark mark;
    int64_t unix_s;
};
enum segment_line segment_parse(struct span bytes, struct segment_parsed *out);

#endif
