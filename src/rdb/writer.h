/* Makes RDB bytes.
 *
 * A writer collects bytes in its own buffer and, where it has a sink, hands them on in large runs:
 * the buffer when it passes RDB_WRITER_BYTES, and long strings straight from where they lie, in
 * slices. So a 300 MB value costs the writer no memory of its own, unless it compresses well.
 * Without a sink everything stays in `out` (DUMP). The running CRC covers all bytes written,
 * whether handed on or not.
 *
 * Writing cannot fail: a sink that has no room notes it and drops what comes. One thread at a time.
 */
#ifndef PANDO_RDB_WRITER_H
#define PANDO_RDB_WRITER_H

#include "base/buf.h"
#include "rdb/rdb.h"
#include <stdint.h>

#define RDB_WRITER_BYTES (64 * 1024) /* handed to the sink at least this much at a time */
#define RDB_LZF_OUT_MAX                                                                            \
    (16 * 1024 * 1024) /* with a sink: what packs no smaller than this stays plain */

struct rdb_writer {
    struct buf out;                                           /* made and not yet handed on */
    void (*sink)(void *context, const void *ptr, size_t len); /* NULL: everything stays in `out` */
    void *context;
    bool compress; /* rdbcompression */
    bool checksum; /* rdbchecksum; off: the CRC written is 0 */
    uint64_t crc;  /* of everything handed on, and of the first crc_len bytes of `out` */
    size_t crc_len;
    uint64_t written; /* bytes handed on */
};

void rdb_writer_init(struct rdb_writer *writer, bool compress, bool checksum);
void rdb_writer_set_sink(struct rdb_writer *writer, void (*sink)(void *, const void *, size_t),
                         void *context);
void rdb_writer_release(struct rdb_writer *writer);
void rdb_writer_flush(
    struct rdb_writer *writer); /* hands on what stands in `out`; no sink, no effect */
/* Bytes made since init. */
static inline uint64_t rdb_writer_bytes(const struct rdb_writer *writer)
{
    return writer->written + writer->out.len;
}

void rdb_write_bytes(struct rdb_writer *writer, const void *ptr, size_t len);
void rdb_write_byte(struct rdb_writer *writer, uint8_t byte);
void rdb_write_u64(struct rdb_writer *writer, uint64_t value);  /* little-endian */
void rdb_write_double(struct rdb_writer *writer, double value); /* binary, little-endian */
void rdb_write_length(struct rdb_writer *writer, uint64_t length);
/* In the form Redis chooses: an integer form where the bytes are one in strict form (up to 11
 * characters, 32 bits), LZF where that saves at least four bytes and `compress` is on, else plain.
 * With a sink, long strings that do not seem to pack stay plain: see is_worth_packing. */
void rdb_write_string(struct rdb_writer *writer, struct span bytes);
/* A string of `len` bytes that is there as LZF bytes. */
void rdb_write_packed(struct rdb_writer *writer, struct span packed, size_t len);
/* What a string in integer encoding becomes: an integer form, or its digits where 32 bits do not
 * hold it. */
void rdb_write_int64_string(struct rdb_writer *writer, int64_t value);

void rdb_write_header(struct rdb_writer *writer); /* magic and version */
void rdb_write_aux(struct rdb_writer *writer, const char *name, struct span value);
void rdb_write_aux_int64(struct rdb_writer *writer, const char *name, int64_t value);
void rdb_write_function(struct rdb_writer *writer, struct span code);
void rdb_write_select(struct rdb_writer *writer, uint64_t db);
void rdb_write_resize(struct rdb_writer *writer, uint64_t keys, uint64_t expires);
void rdb_write_deadline(struct rdb_writer *writer, int64_t deadline_ms);
void rdb_write_idle(struct rdb_writer *writer, uint64_t idle_seconds);
void rdb_write_frequency(struct rdb_writer *writer, uint8_t frequency);
/* EOF opcode and CRC, then flushes. */
void rdb_write_end(struct rdb_writer *writer);
/* The last bytes of a DUMP payload: version and CRC (always computed). The writer has no sink. */
void rdb_write_dump_footer(struct rdb_writer *writer);

#endif
