#include "rdb/writer.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include <liblzf/lzf.h>

/* Room kept in the buffer of a writer with a sink, so that small pieces never make it grow. */
#define SLACK_BYTES      64

#define PROBE_BYTES      4096
#define PROBE_FROM_BYTES (32 * 1024)

void rdb_writer_init(struct rdb_writer *writer, bool compress, bool checksum)
{
    *writer = (struct rdb_writer){.compress = compress, .checksum = checksum};
}

void rdb_writer_set_sink(struct rdb_writer *writer, void (*sink)(void *, const void *, size_t),
                         void *context)
{
    writer->sink = sink;
    writer->context = context;
    buf_reserve(&writer->out, RDB_WRITER_BYTES + SLACK_BYTES);
}

void rdb_writer_release(struct rdb_writer *writer)
{
    buf_release(&writer->out);
}

static void sum_up(struct rdb_writer *writer)
{
    if (writer->checksum)
        writer->crc = crc64(writer->crc, writer->out.ptr + writer->crc_len,
                            writer->out.len - writer->crc_len);
    writer->crc_len = writer->out.len;
}

void rdb_writer_flush(struct rdb_writer *writer)
{
    if (writer->sink == NULL || writer->out.len == 0) return;
    sum_up(writer);
    writer->sink(writer->context, writer->out.ptr, writer->out.len);
    writer->written += writer->out.len;
    writer->crc_len = 0;
    buf_clear(&writer->out);
}

/* The next `len` bytes of the buffer, to be filled at once. */
static unsigned char *room(struct rdb_writer *writer, size_t len)
{
    if (writer->out.cap - writer->out.len < len) buf_reserve(&writer->out, len);
    unsigned char *at = (unsigned char *)writer->out.ptr + writer->out.len;
    writer->out.len += len;
    return at;
}

static void flush_if_full(struct rdb_writer *writer)
{
    if (writer->out.len >= RDB_WRITER_BYTES) rdb_writer_flush(writer);
}

/* Long strings pass by the buffer, in slices: the sink may wait between two of them. */
static void hand_on(struct rdb_writer *writer, const char *ptr, size_t len)
{
    rdb_writer_flush(writer);
    while (len > 0) {
        size_t slice = len < RDB_WRITER_BYTES * 4 ? len : RDB_WRITER_BYTES * 4;
        if (writer->checksum) writer->crc = crc64(writer->crc, ptr, slice);
        writer->sink(writer->context, ptr, slice);
        writer->written += slice;
        ptr += slice;
        len -= slice;
    }
}

void rdb_write_bytes(struct rdb_writer *writer, const void *ptr, size_t len)
{
    if (len == 0) return;
    if (writer->sink != NULL && len >= RDB_WRITER_BYTES) {
        hand_on(writer, ptr, len);
        return;
    }
    memcpy(room(writer, len), ptr, len);
    flush_if_full(writer);
}

void rdb_write_byte(struct rdb_writer *writer, uint8_t byte)
{
    *room(writer, 1) = byte;
    flush_if_full(writer);
}

static void put_little(unsigned char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) at[i] = (unsigned char)(value >> (8 * i));
}

static void put_big(unsigned char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) at[i] = (unsigned char)(value >> (8 * (bytes - 1 - i)));
}

void rdb_write_u64(struct rdb_writer *writer, uint64_t value)
{
    put_little(room(writer, 8), value, 8);
}

void rdb_write_double(struct rdb_writer *writer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    rdb_write_u64(writer, bits);
}

void rdb_write_length(struct rdb_writer *writer, uint64_t length)
{
    if (length < 1 << 6) {
        *room(writer, 1) = (unsigned char)length;
    } else if (length < 1 << 14) {
        put_big(room(writer, 2), 0x4000 | length, 2);
    } else if (length <= UINT32_MAX) {
        unsigned char *at = room(writer, 5);
        at[0] = 0x80;
        put_big(at + 1, length, 4);
    } else {
        unsigned char *at = room(writer, 9);
        at[0] = 0x81;
        put_big(at + 1, length, 8);
    }
}

static void write_plain(struct rdb_writer *writer, struct span bytes)
{
    rdb_write_length(writer, bytes.len);
    rdb_write_bytes(writer, bytes.ptr, bytes.len);
}

/* False where 32 bits do not hold the value. */
static bool write_integer_form(struct rdb_writer *writer, int64_t value)
{
    unsigned form, bytes;

    if (value >= INT8_MIN && value <= INT8_MAX) {
        form = RDB_FORM_INT8, bytes = 1;
    } else if (value >= INT16_MIN && value <= INT16_MAX) {
        form = RDB_FORM_INT16, bytes = 2;
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        form = RDB_FORM_INT32, bytes = 4;
    } else {
        return false;
    }
    unsigned char *at = room(writer, 1 + bytes);
    at[0] = (unsigned char)(0xc0 | form);
    put_little(at + 1, (uint64_t)value, bytes);
    return true;
}

/* Packing what does not pack costs ten times what writing it does. In a file, where a reader cannot
 * tell, three pieces of a long string are tried first: none of them a sixty-fourth smaller, the
 * string stays plain. (A DUMP payload has Redis' very bytes: no such short cut.) */
static bool is_worth_packing(const struct rdb_writer *writer, struct span bytes)
{
    char packed[PROBE_BYTES];

    if (writer->sink == NULL || bytes.len < PROBE_FROM_BYTES) return true;
    for (size_t i = 0; i < 3; i++) {
        const char *piece = bytes.ptr + (bytes.len - PROBE_BYTES) / 2 * i;
        if (lzf_compress(piece, PROBE_BYTES, packed, PROBE_BYTES - PROBE_BYTES / 64) > 0)
            return true;
    }
    return false;
}

/* Packs into the writer's own buffer when everything stays there, so that the result is not copied.
 * False where packing does not save four bytes (or the result is too large to be held back from the
 * sink). */
static bool write_packed(struct rdb_writer *writer, struct span bytes)
{
    enum { HEAD_BYTES_MAX = 1 + 9 + 9 };
    size_t limit = bytes.len - 4;

    if (bytes.len > UINT32_MAX || !is_worth_packing(writer, bytes)) return false;
    if (writer->sink != NULL && limit > RDB_LZF_OUT_MAX) limit = RDB_LZF_OUT_MAX;
    buf_reserve(&writer->out, limit + HEAD_BYTES_MAX);

    char *packed = writer->out.ptr + writer->out.len + HEAD_BYTES_MAX;
    size_t len = lzf_compress(bytes.ptr, (unsigned)bytes.len, packed, (unsigned)limit);
    if (len == 0) return false;

    *room(writer, 1) = 0xc0 | RDB_FORM_LZF;
    rdb_write_length(writer, len);
    rdb_write_length(writer, bytes.len);
    memmove(room(writer, len), packed, len);
    return true;
}

/* A value that made the buffer large gives its memory back. */
static void shrink(struct rdb_writer *writer)
{
    if (writer->sink == NULL || writer->out.cap <= RDB_WRITER_BYTES * 4) return;
    rdb_writer_flush(writer);
    buf_release(&writer->out);
    buf_reserve(&writer->out, RDB_WRITER_BYTES + SLACK_BYTES);
}

void rdb_write_string(struct rdb_writer *writer, struct span bytes)
{
    int64_t value;

    if (bytes.len <= 11 && num_parse_int64(bytes, &value) && write_integer_form(writer, value)) {
        flush_if_full(writer);
        return;
    }
    if (writer->compress && bytes.len >= RDB_LZF_BYTES_MIN) {
        bool packed = write_packed(writer, bytes);
        flush_if_full(writer);
        shrink(writer);
        if (packed) return;
    }
    write_plain(writer, bytes);
}

void rdb_write_packed(struct rdb_writer *writer, struct span packed, size_t len)
{
    rdb_write_byte(writer, 0xc0 | RDB_FORM_LZF);
    rdb_write_length(writer, packed.len);
    rdb_write_length(writer, len);
    rdb_write_bytes(writer, packed.ptr, packed.len);
}

void rdb_write_int64_string(struct rdb_writer *writer, int64_t value)
{
    if (!write_integer_form(writer, value)) {
        char digits[NUM_INT64_CHARS];
        size_t len = num_format_int64(digits, value);
        write_plain(writer, span_of(digits, len));
    }
    flush_if_full(writer);
}

void rdb_write_header(struct rdb_writer *writer)
{
    char text[RDB_MAGIC_BYTES + 1] = RDB_MAGIC "0010";

    _Static_assert(RDB_VERSION == 10, "the digits above");
    rdb_write_bytes(writer, text, RDB_MAGIC_BYTES);
}

void rdb_write_aux(struct rdb_writer *writer, const char *name, struct span value)
{
    rdb_write_byte(writer, RDB_OP_AUX);
    rdb_write_string(writer, span_of_cstr(name));
    rdb_write_string(writer, value);
}

void rdb_write_aux_int64(struct rdb_writer *writer, const char *name, int64_t value)
{
    rdb_write_byte(writer, RDB_OP_AUX);
    rdb_write_string(writer, span_of_cstr(name));
    rdb_write_int64_string(writer, value);
}

void rdb_write_function(struct rdb_writer *writer, struct span code)
{
    rdb_write_byte(writer, RDB_OP_FUNCTION2);
    rdb_write_string(writer, code);
}

void rdb_write_select(struct rdb_writer *writer, uint64_t db)
{
    rdb_write_byte(writer, RDB_OP_SELECTDB);
    rdb_write_length(writer, db);
}

void rdb_write_resize(struct rdb_writer *writer, uint64_t keys, uint64_t expires)
{
    rdb_write_byte(writer, RDB_OP_RESIZEDB);
    rdb_write_length(writer, keys);
    rdb_write_length(writer, expires);
}

void rdb_write_deadline(struct rdb_writer *writer, int64_t deadline_ms)
{
    unsigned char *at = room(writer, 9);
    at[0] = RDB_OP_EXPIRETIME_MS;
    put_little(at + 1, (uint64_t)deadline_ms, 8);
}

void rdb_write_idle(struct rdb_writer *writer, uint64_t idle_seconds)
{
    rdb_write_byte(writer, RDB_OP_IDLE);
    rdb_write_length(writer, idle_seconds);
}

void rdb_write_frequency(struct rdb_writer *writer, uint8_t frequency)
{
    unsigned char *at = room(writer, 2);
    at[0] = RDB_OP_FREQ;
    at[1] = frequency;
}

void rdb_write_end(struct rdb_writer *writer)
{
    rdb_write_byte(writer, RDB_OP_EOF);
    sum_up(writer);
    rdb_write_u64(writer, writer->checksum ? writer->crc : 0);
    rdb_writer_flush(writer);
}

void rdb_write_dump_footer(struct rdb_writer *writer)
{
    check(writer->sink == NULL && writer->checksum);
    put_little(room(writer, 2), RDB_VERSION, 2);
    sum_up(writer);
    rdb_write_u64(writer, writer->crc);
}
