/* Reads RDB bytes, trusting none of them.
 *
 * A reader pulls from a source (a file, a queue that a socket fills) through a buffer of its own,
 * or stands directly on bytes in memory (RESTORE). Short strings are borrowed from the buffer, not
 * copied.
 *
 * Promises
 * 1. No memory for what only was claimed: a string of n bytes is allocated at once only where the
 *    source certainly holds n more bytes (a file, bytes in memory); else it grows in steps with
 * what arrives. A packed string cannot claim more than LZF can make of its bytes.
 * 2. The CRC covers every byte consumed so far.
 * 3. The first failure is kept in `error`: what was wrong, the byte offset, the key being read.
 *    After it every call fails. ERR_IO: the source failed or ended early; ERR_CORRUPT: the bytes
 *    lie.
 *
 * One thread at a time. */
#ifndef PANDO_RDB_READER_H
#define PANDO_RDB_READER_H

#include "base/buf.h"
#include "base/err.h"
#include "rdb/rdb.h"
#include <stdint.h>
#include <sys/types.h>

#define RDB_READER_BYTES (256 * 1024) /* the buffer, and the longest span that is borrowed */
#define RDB_SIZE_UNKNOWN UINT64_MAX
#define RDB_STRING_MAX   (4ull * 1024 * 1024 * 1024) /* a string that claims more is a lie */

struct rdb_source {
    /* At least one byte into `out`, 0 at the end, -errno on failure (-ECANCELED: told to stop). May
     * wait. */
    ssize_t (*read)(void *context, void *out, size_t len);
    void *context;
};

struct rdb_reader {
    const char *at, *end; /* unread bytes in memory */
    const char *summed;   /* the CRC covers everything before it */
    char *buffer;         /* NULL: standing on the caller's bytes */
    struct rdb_source source;
    uint64_t fetched; /* bytes got from the source so far: the offset of `end` */
    uint64_t size;    /* of the whole stream, or RDB_SIZE_UNKNOWN */
    uint64_t crc;
    bool size_certain;          /* the size is a fact, not a peer's claim */
    bool checksum;              /* off: no CRC is computed */
    struct buf scratch, packed; /* long strings; long packed ones */
    struct span key;            /* for error texts; the caller sets and clears it */
    enum err failed;
    char error[256];
};

void rdb_reader_init(struct rdb_reader *reader, const struct rdb_source *source, uint64_t size,
                     bool checksum);
/* Over bytes that stay where they are as long as the reader lives. */
void rdb_reader_init_span(struct rdb_reader *reader, struct span bytes);
void rdb_reader_release(struct rdb_reader *reader);

/* Offset of the next byte. */
static inline uint64_t rdb_reader_offset(const struct rdb_reader *reader)
{
    return reader->fetched - (uint64_t)(reader->end - reader->at);
}
/* CRC of everything consumed. */
uint64_t rdb_reader_crc(struct rdb_reader *reader);
/* Notes the first failure (text without offset and key: they are added) and returns `err`. */
enum err rdb_fail(struct rdb_reader *reader, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum err rdb_read_byte(struct rdb_reader *reader, uint8_t *out);
enum err rdb_read_bytes(struct rdb_reader *reader, void *out, size_t len);
/* Borrows the next `len` bytes, at most RDB_READER_BYTES, until the next call. */
enum err rdb_read_span(struct rdb_reader *reader, size_t len, struct span *out);
enum err rdb_read_u32(struct rdb_reader *reader, uint32_t *out); /* little-endian */
enum err rdb_read_u64(struct rdb_reader *reader, uint64_t *out);
enum err rdb_read_double(struct rdb_reader *reader, double *out);
/* A length; a special string form in its place is ERR_CORRUPT. */
enum err rdb_read_length(struct rdb_reader *reader, uint64_t *out);

/* A string's head: what must be known before its bytes are read. */
struct rdb_string {
    enum { RDB_STRING_PLAIN, RDB_STRING_INT, RDB_STRING_LZF } form;
    uint64_t len;    /* bytes of the string; 0 for an integer */
    uint64_t packed; /* LZF: bytes in the stream */
    int64_t value;   /* integer */
};
enum err rdb_read_string_head(struct rdb_reader *reader, struct rdb_string *out);
/* LZF, in two steps, so that room for the result is made only once the packed bytes are there:
 * borrows the packed bytes until the next call; unpacks them into out[0, string->len), and fails
 * unless they make exactly that many. */
enum err rdb_read_packed(struct rdb_reader *reader, const struct rdb_string *string,
                         struct span *packed);
enum err rdb_unpack(struct rdb_reader *reader, const struct rdb_string *string, struct span packed,
                    char *out);
/* The string behind a head, of any form, borrowed until the next call. */
enum err rdb_read_string_body(struct rdb_reader *reader, const struct rdb_string *string,
                              struct span *out);
/* Head and body at once. */
enum err rdb_read_string(struct rdb_reader *reader, struct span *out);
/* Passes over a string. */
enum err rdb_skip_string(struct rdb_reader *reader);

/* How many of `len` claimed bytes may be allocated at once: all where the source is known to hold
 * them, else a step that doubles what has `arrived`. */
size_t rdb_reader_room(const struct rdb_reader *reader, uint64_t arrived, uint64_t len);

/* Magic and version. ERR_CORRUPT: no RDB, or a version not in 1..RDB_VERSION. */
enum err rdb_read_header(struct rdb_reader *reader, int *version);
/* What stands behind the EOF opcode: compares the CRC (from version 5 on). A stored 0 is not compared:
 * *summed is false then. */
enum err rdb_read_end(struct rdb_reader *reader, int version, bool *summed);

#endif
