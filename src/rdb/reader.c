#include "rdb/reader.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include <errno.h>
#include <liblzf/lzf.h>
#include <stdarg.h>
#include <stdio.h>

#define STEP_BYTES         (1024 * 1024) /* first allocation for a string whose length is only claimed */
#define SCRATCH_KEPT_BYTES (4 * 1024 * 1024)
#define LZF_RATIO_MAX      88 /* a back reference of 3 bytes makes at most 264 */

void rdb_reader_init(struct rdb_reader *reader, const struct rdb_source *source, uint64_t size,
                     bool checksum)
{
    *reader = (struct rdb_reader){.source = *source, .size = size, .checksum = checksum};
    reader->buffer = mem_alloc(RDB_READER_BYTES);
    reader->at = reader->end = reader->summed = reader->buffer;
}

void rdb_reader_init_span(struct rdb_reader *reader, struct span bytes)
{
    const char *ptr = bytes.len > 0 ? bytes.ptr : "";

    *reader = (struct rdb_reader){.at = ptr,
                                  .end = ptr + bytes.len,
                                  .summed = ptr,
                                  .fetched = bytes.len,
                                  .size = bytes.len,
                                  .size_certain = true};
}

void rdb_reader_release(struct rdb_reader *reader)
{
    mem_free(reader->buffer);
    buf_release(&reader->scratch);
    buf_release(&reader->packed);
    reader->buffer = NULL;
    reader->at = reader->end = reader->summed = NULL;
    reader->failed = ERR_IO;
}

static void sum_up(struct rdb_reader *reader)
{
    if (reader->checksum && reader->at > reader->summed)
        reader->crc = crc64(reader->crc, reader->summed, (size_t)(reader->at - reader->summed));
    reader->summed = reader->at;
}

uint64_t rdb_reader_crc(struct rdb_reader *reader)
{
    sum_up(reader);
    return reader->crc;
}

/* Appends ", key 'abc'": printable, cut after 64 bytes. */
static void name_key(struct rdb_reader *reader, size_t len)
{
    size_t shown = reader->key.len < 64 ? reader->key.len : 64;
    char *at = reader->error + len, *end = reader->error + sizeof reader->error;

    at += snprintf(at, (size_t)(end - at), ", key '");
    for (size_t i = 0; i < shown && end - at > 8; i++) {
        unsigned char c = (unsigned char)reader->key.ptr[i];
        bool plain = ascii_is_print((char)c) && c != '\'' && c != '\\';
        at += snprintf(at, (size_t)(end - at), plain ? "%c" : "\\x%02x", c);
    }
    snprintf(at, (size_t)(end - at), shown < reader->key.len ? "'..." : "'");
}

enum err rdb_fail(struct rdb_reader *reader, enum err err, const char *format, ...)
{
    va_list args;

    if (reader->failed != OK) return reader->failed;
    reader->failed = err;
    va_start(args, format);
    int len = vsnprintf(reader->error, sizeof reader->error - 100, format, args);
    va_end(args);
    if (len > (int)sizeof reader->error - 101) len = (int)sizeof reader->error - 101;
    len += snprintf(reader->error + len, 40, " at byte %llu",
                    (unsigned long long)rdb_reader_offset(reader));
    if (reader->key.ptr != NULL) name_key(reader, (size_t)len);
    /* From now on every read finds an empty buffer and comes to `fetch`, which answers `failed`. */
    sum_up(reader);
    reader->fetched = rdb_reader_offset(reader);
    reader->end = reader->at;
    return err;
}

/* Reads at least one byte into out. */
static enum err fetch(struct rdb_reader *reader, void *out, size_t len, size_t *got)
{
    ssize_t n;

    if (reader->failed != OK) return reader->failed;
    n = reader->source.read == NULL ? 0 : reader->source.read(reader->source.context, out, len);
    if (n == 0) return rdb_fail(reader, ERR_IO, "Unexpected end of the RDB data");
    if (n == -ECANCELED) return rdb_fail(reader, ERR_IO, "Reading RDB data was stopped");
    if (n < 0) return rdb_fail(reader, ERR_IO, "Reading RDB data failed: %s", strerror((int)-n));
    reader->fetched += (uint64_t)n;
    *got = (size_t)n;
    return OK;
}

/* Makes `len` bytes (at most the buffer) stand in memory behind `at`. */
static enum err refill(struct rdb_reader *reader, size_t len)
{
    size_t have = (size_t)(reader->end - reader->at), got;

    if (reader->buffer == NULL) return fetch(reader, NULL, 0, &got);
    check(len <= RDB_READER_BYTES);
    sum_up(reader);
    memmove(reader->buffer, reader->at, have);
    reader->at = reader->summed = reader->buffer;
    reader->end = reader->buffer + have;
    while (have < len) {
        TRY(fetch(reader, reader->buffer + have, RDB_READER_BYTES - have, &got));
        have += got;
        reader->end = reader->buffer + have;
    }
    return OK;
}

static inline enum err need(struct rdb_reader *reader, size_t len)
{
    if (__builtin_expect((size_t)(reader->end - reader->at) >= len, 1)) return OK;
    return refill(reader, len);
}

enum err rdb_read_byte(struct rdb_reader *reader, uint8_t *out)
{
    TRY(need(reader, 1));
    *out = (uint8_t)*reader->at++;
    return OK;
}

enum err rdb_read_span(struct rdb_reader *reader, size_t len, struct span *out)
{
    TRY(need(reader, len));
    *out = span_of(reader->at, len);
    reader->at += len;
    return OK;
}

enum err rdb_read_bytes(struct rdb_reader *reader, void *out, size_t len)
{
    size_t have = (size_t)(reader->end - reader->at);
    char *to = out;

    if (have > len) have = len;
    if (have > 0) memcpy(to, reader->at, have);
    reader->at += have;
    to += have;
    len -= have;
    if (len > 0 && len >= RDB_READER_BYTES) sum_up(reader);
    while (len >= RDB_READER_BYTES) { /* long runs pass by the buffer */
        size_t got;
        TRY(fetch(reader, to, len, &got));
        if (reader->checksum) reader->crc = crc64(reader->crc, to, got);
        to += got;
        len -= got;
    }
    if (len == 0) return OK;
    TRY(need(reader, len));
    memcpy(to, reader->at, len);
    reader->at += len;
    return OK;
}

static uint64_t little(const char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return value;
}

static uint64_t big(const char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | (unsigned char)at[i];
    return value;
}

enum err rdb_read_u32(struct rdb_reader *reader, uint32_t *out)
{
    TRY(need(reader, 4));
    *out = (uint32_t)little(reader->at, 4);
    reader->at += 4;
    return OK;
}

enum err rdb_read_u64(struct rdb_reader *reader, uint64_t *out)
{
    TRY(need(reader, 8));
    *out = little(reader->at, 8);
    reader->at += 8;
    return OK;
}

enum err rdb_read_double(struct rdb_reader *reader, double *out)
{
    uint64_t bits;
    TRY(rdb_read_u64(reader, &bits));
    memcpy(out, &bits, sizeof bits);
    return OK;
}

/* The byte that starts a length or a string form; with *special false, *out is the length. */
static enum err read_length_or_form(struct rdb_reader *reader, bool *special, uint64_t *out)
{
    TRY(need(reader, 1));
    unsigned first = (unsigned char)*reader->at;
    unsigned bytes = 0;

    *special = false;
    if (first < 0x40) {
        *out = first;
    } else if (first < 0x80) {
        TRY(need(reader, 2));
        *out = big(reader->at, 2) & 0x3fff;
        bytes = 1;
    } else if (first == 0x80 || first == 0x81) {
        bytes = first == 0x80 ? 4 : 8;
        TRY(need(reader, 1 + bytes));
        *out = big(reader->at + 1, bytes);
    } else if (first >= 0xc0) {
        *special = true;
        *out = first & 0x3f;
    } else {
        return rdb_fail(reader, ERR_CORRUPT, "Unknown length encoding 0x%02x", first);
    }
    reader->at += 1 + bytes;
    return OK;
}

enum err rdb_read_length(struct rdb_reader *reader, uint64_t *out)
{
    bool special;
    uint64_t length;

    TRY(read_length_or_form(reader, &special, &length));
    if (special) return rdb_fail(reader, ERR_CORRUPT, "A string form stands in place of a length");
    *out = length;
    return OK;
}

/* A length that cannot be: more than any string has, or than the source still holds. */
static enum err check_claim(struct rdb_reader *reader, uint64_t len)
{
    uint64_t left = reader->size - rdb_reader_offset(reader);

    if (len > RDB_STRING_MAX)
        return rdb_fail(reader, ERR_CORRUPT, "A string claims to have %llu bytes",
                        (unsigned long long)len);
    if (reader->size != RDB_SIZE_UNKNOWN && len > left)
        return rdb_fail(reader, ERR_CORRUPT,
                        "A string claims to have %llu bytes where only %llu are left",
                        (unsigned long long)len, (unsigned long long)left);
    return OK;
}

static enum err read_lzf_head(struct rdb_reader *reader, struct rdb_string *out)
{
    uint64_t packed = 0, len = 0;

    TRY(rdb_read_length(reader, &packed));
    TRY(rdb_read_length(reader, &len));
    TRY(check_claim(reader, packed));
    if (packed == 0 || packed > UINT32_MAX || len == 0 || len > UINT32_MAX ||
        len > packed * LZF_RATIO_MAX)
        return rdb_fail(reader, ERR_CORRUPT, "A packed string claims %llu bytes in %llu",
                        (unsigned long long)len, (unsigned long long)packed);
    *out = (struct rdb_string){.form = RDB_STRING_LZF, .len = len, .packed = packed};
    return OK;
}

enum err rdb_read_string_head(struct rdb_reader *reader, struct rdb_string *out)
{
    bool special;
    uint64_t len;
    int64_t value;

    TRY(read_length_or_form(reader, &special, &len));
    if (!special) {
        TRY(check_claim(reader, len));
        *out = (struct rdb_string){.form = RDB_STRING_PLAIN, .len = len};
        return OK;
    }
    if (len == RDB_FORM_LZF) return read_lzf_head(reader, out);
    if (len > RDB_FORM_LZF)
        return rdb_fail(reader, ERR_CORRUPT, "Unknown string encoding %llu",
                        (unsigned long long)len);

    unsigned bytes = 1u << len;
    TRY(need(reader, bytes));
    uint64_t bits = little(reader->at, bytes);
    reader->at += bytes;
    value = len == RDB_FORM_INT8    ? (int8_t)bits
            : len == RDB_FORM_INT16 ? (int16_t)bits
                                    : (int32_t)bits;
    *out = (struct rdb_string){.form = RDB_STRING_INT, .value = value};
    return OK;
}

size_t rdb_reader_room(const struct rdb_reader *reader, uint64_t arrived, uint64_t len)
{
    uint64_t step = arrived < STEP_BYTES ? STEP_BYTES : arrived;

    if (reader->size_certain && len - arrived <= reader->size - rdb_reader_offset(reader))
        return (size_t)len;
    return (size_t)(len - arrived <= step ? len : arrived + step);
}

/* Fills `out` with the next `len` bytes, growing it no faster than they come. */
static enum err read_growing(struct rdb_reader *reader, uint64_t len, struct buf *out)
{
    buf_clear(out);
    while (out->len < len) {
        size_t until = rdb_reader_room(reader, out->len, len), more = until - out->len;
        buf_reserve(out, more);
        TRY(rdb_read_bytes(reader, out->ptr + out->len, more));
        out->len = until;
    }
    return OK;
}

enum err rdb_read_packed(struct rdb_reader *reader, const struct rdb_string *string,
                         struct span *packed)
{
    check(string->form == RDB_STRING_LZF);
    if (reader->packed.cap > SCRATCH_KEPT_BYTES) buf_release(&reader->packed);
    if (string->packed <= RDB_READER_BYTES)
        return rdb_read_span(reader, (size_t)string->packed, packed);
    TRY(read_growing(reader, string->packed, &reader->packed));
    *packed = buf_span(&reader->packed);
    return OK;
}

enum err rdb_unpack(struct rdb_reader *reader, const struct rdb_string *string, struct span packed,
                    char *out)
{
    unsigned made = lzf_decompress(packed.ptr, (unsigned)packed.len, out, (unsigned)string->len);

    if (made == string->len) return OK;
    return rdb_fail(reader, ERR_CORRUPT, "Invalid LZF compressed string");
}

enum err rdb_read_string_body(struct rdb_reader *reader, const struct rdb_string *string,
                              struct span *out)
{
    struct span packed = {0};

    if (reader->scratch.cap > SCRATCH_KEPT_BYTES) buf_release(&reader->scratch);
    buf_clear(&reader->scratch);
    switch (string->form) {
    case RDB_STRING_PLAIN:
        if (string->len <= RDB_READER_BYTES) return rdb_read_span(reader, (size_t)string->len, out);
        TRY(read_growing(reader, string->len, &reader->scratch));
        break;
    case RDB_STRING_INT: buf_append_int64(&reader->scratch, string->value); break;
    case RDB_STRING_LZF:
        TRY(rdb_read_packed(reader, string, &packed));
        buf_reserve(&reader->scratch, (size_t)string->len);
        TRY(rdb_unpack(reader, string, packed, reader->scratch.ptr));
        reader->scratch.len = (size_t)string->len;
        break;
    }
    *out = buf_span(&reader->scratch);
    return OK;
}

enum err rdb_read_string(struct rdb_reader *reader, struct span *out)
{
    struct rdb_string string = {0};

    TRY(rdb_read_string_head(reader, &string));
    return rdb_read_string_body(reader, &string, out);
}

enum err rdb_skip_string(struct rdb_reader *reader)
{
    struct rdb_string string;
    struct span passed;
    uint64_t left;

    TRY(rdb_read_string_head(reader, &string));
    left = string.form == RDB_STRING_LZF ? string.packed : string.len;
    while (left > 0) {
        size_t len = left < RDB_READER_BYTES ? (size_t)left : RDB_READER_BYTES;
        TRY(rdb_read_span(reader, len, &passed));
        left -= len;
    }
    return OK;
}

enum err rdb_read_header(struct rdb_reader *reader, int *version)
{
    char magic[RDB_MAGIC_BYTES];
    int number = 0;

    TRY(rdb_read_bytes(reader, magic, sizeof magic));
    if (memcmp(magic, RDB_MAGIC, strlen(RDB_MAGIC)) != 0)
        return rdb_fail(reader, ERR_CORRUPT, "Wrong signature trying to load DB from file");
    for (size_t i = strlen(RDB_MAGIC); i < sizeof magic; i++) {
        if (magic[i] < '0' || magic[i] > '9') number = -10000;
        number = number * 10 + (magic[i] - '0');
    }
    if (number < 1 || number > RDB_VERSION)
        return rdb_fail(reader, ERR_CORRUPT, "Can't handle RDB format version %.4s",
                        magic + strlen(RDB_MAGIC));
    *version = number;
    return OK;
}

enum err rdb_read_end(struct rdb_reader *reader, int version, bool *summed)
{
    uint64_t expected, stored;

    *summed = false;
    if (version < 5) return OK;
    expected = rdb_reader_crc(reader);
    TRY(rdb_read_u64(reader, &stored));
    *summed = stored != 0;
    if (!reader->checksum || stored == 0 || stored == expected) return OK;
    return rdb_fail(reader, ERR_CORRUPT,
                    "Wrong RDB checksum expected: (%llx) but got (%llx). RDB CRC error",
                    (unsigned long long)stored, (unsigned long long)expected);
}
