#include "store/value_rdb.h"
#include "base/check.h"
#include "base/hash.h"

typedef enum err read_body(struct rdb_reader *reader, struct span key, int64_t deadline,
                           struct entry **out);
typedef void write_body(struct rdb_writer *writer, const struct entry *entry);

/* ---- strings -------------------------------------------------------------------------------- */

/* A string too long for its entry goes straight into its blob: no second copy, and no more memory
 * than what arrived. */
static enum err read_packed_blob(struct rdb_reader *reader, const struct rdb_string *string,
                                 struct blob **out)
{
    struct span packed = {0};
    struct blob *blob;
    enum err err;

    TRY(rdb_read_packed(reader, string, &packed));
    blob = blob_new((size_t)string->len, (size_t)string->len);
    err = rdb_unpack(reader, string, packed, blob->bytes);
    if (err == OK) *out = blob;
    else blob_drop(blob);
    return err;
}

static enum err read_blob(struct rdb_reader *reader, const struct rdb_string *string,
                          struct blob **out)
{
    size_t arrived = 0, room;
    struct blob *blob;
    enum err err;

    if (string->form == RDB_STRING_LZF) return read_packed_blob(reader, string, out);
    room = rdb_reader_room(reader, 0, string->len);
    blob = blob_new(room, room);
    for (;;) {
        err = rdb_read_bytes(reader, blob->bytes + arrived, room - arrived);
        if (err != OK) break;
        arrived = room;
        if (arrived == string->len) {
            *out = blob;
            return OK;
        }
        room = rdb_reader_room(reader, arrived, string->len);
        struct blob *larger = blob_new(room, room);
        memcpy(larger->bytes, blob->bytes, arrived);
        blob_drop(blob);
        blob = larger;
    }
    blob_drop(blob);
    return err;
}

static enum err read_string(struct rdb_reader *reader, struct span key, int64_t deadline,
                            struct entry **out)
{
    struct rdb_string string = {0};
    struct span bytes;
    struct blob *blob = NULL;

    TRY(rdb_read_string_head(reader, &string));
    if (string.form == RDB_STRING_INT) {
        *out = entry_new_int64(key, deadline, string.value);
    } else if (string.len > ENTRY_INLINE_BYTES_MAX) {
        TRY(read_blob(reader, &string, &blob));
        *out = entry_new_pointer(key, deadline, TYPE_STRING, ENC_BLOB, blob);
    } else {
        TRY(rdb_read_string_body(reader, &string, &bytes));
        *out = entry_new_string(key, deadline, bytes, false);
    }
    return OK;
}

static void write_string(struct rdb_writer *writer, const struct entry *entry)
{
    char scratch[NUM_INT64_CHARS];

    rdb_write_string(writer, entry_string(entry, scratch));
}

static void write_int(struct rdb_writer *writer, const struct entry *entry)
{
    int64_t value = 0;

    check(entry_string_int64(entry, &value));
    rdb_write_int64_string(writer, value);
}

/* ---- dispatch ------------------------------------------------------------------------------- */

/* What a type id is called, and how its body is read: NULL for what cannot be loaded yet. */
static const struct reading {
    const char *name;
    read_body *read;
} readings[RDB_TYPE_COUNT] = {
    [RDB_TYPE_STRING] = {"string", read_string},
    [RDB_TYPE_LIST] = {"list", NULL},
    [RDB_TYPE_SET] = {"set", NULL},
    [RDB_TYPE_ZSET] = {"zset", NULL},
    [RDB_TYPE_HASH] = {"hash", NULL},
    [RDB_TYPE_ZSET_2] = {"zset-v2", NULL},
    [RDB_TYPE_MODULE] = {"module-value", NULL},
    [RDB_TYPE_MODULE_2] = {"module-value-v2", NULL},
    [RDB_TYPE_HASH_ZIPMAP] = {"hash-zipmap", NULL},
    [RDB_TYPE_LIST_ZIPLIST] = {"list-ziplist", NULL},
    [RDB_TYPE_SET_INTSET] = {"set-intset", NULL},
    [RDB_TYPE_ZSET_ZIPLIST] = {"zset-ziplist", NULL},
    [RDB_TYPE_HASH_ZIPLIST] = {"hash-ziplist", NULL},
    [RDB_TYPE_LIST_QUICKLIST] = {"quicklist", NULL},
    [RDB_TYPE_STREAM_LISTPACKS] = {"stream", NULL},
    [RDB_TYPE_HASH_LISTPACK] = {"hash-listpack", NULL},
    [RDB_TYPE_ZSET_LISTPACK] = {"zset-listpack", NULL},
    [RDB_TYPE_LIST_QUICKLIST_2] = {"quicklist-v2", NULL},
    [RDB_TYPE_STREAM_LISTPACKS_2] = {"stream-v2", NULL},
};

/* What each encoding is written as, and how. */
static const struct writing {
    uint8_t type;
    write_body *write;
} writings[ENC_COUNT] = {
    [ENC_INT] = {RDB_TYPE_STRING, write_int},
    [ENC_EMBSTR] = {RDB_TYPE_STRING, write_string},
    [ENC_RAW] = {RDB_TYPE_STRING, write_string},
    [ENC_BLOB] = {RDB_TYPE_STRING, write_string},
};

static const struct writing *writing_of(const struct entry *entry)
{
    const struct writing *writing = &writings[entry_encoding(entry)];

    check(writing->write != NULL);
    return writing;
}

uint8_t value_rdb_type(const struct entry *entry)
{
    return writing_of(entry)->type;
}

void value_rdb_write(struct rdb_writer *writer, const struct entry *entry)
{
    writing_of(entry)->write(writer, entry);
}

const char *value_rdb_type_name(uint8_t type)
{
    return type < RDB_TYPE_COUNT ? readings[type].name : NULL;
}

bool value_rdb_readable(uint8_t type)
{
    return type < RDB_TYPE_COUNT && readings[type].read != NULL;
}

enum err value_rdb_read(struct rdb_reader *reader, uint8_t type, struct span key, int64_t deadline,
                        struct entry **out)
{
    if (value_rdb_type_name(type) == NULL)
        return rdb_fail(reader, ERR_CORRUPT, "Unknown RDB type %u", type);
    if (!value_rdb_readable(type))
        return rdb_fail(reader, ERR_CORRUPT, "RDB type %u (%s) is not supported", type,
                        value_rdb_type_name(type));
    return readings[type].read(reader, key, deadline, out);
}

/* ---- DUMP and RESTORE ----------------------------------------------------------------------- */

void value_dump(const struct entry *entry, bool compress, struct buf *out)
{
    struct rdb_writer writer;

    rdb_writer_init(&writer, compress, true);
    rdb_write_byte(&writer, value_rdb_type(entry));
    value_rdb_write(&writer, entry);
    rdb_write_dump_footer(&writer);
    buf_append_span(out, buf_span(&writer.out));
    rdb_writer_release(&writer);
}

bool value_payload_is_intact(struct span payload, bool skip_checksum)
{
    if (payload.len < RDB_DUMP_FOOTER_BYTES) return false;

    const unsigned char *footer =
        (const unsigned char *)payload.ptr + payload.len - RDB_DUMP_FOOTER_BYTES;
    unsigned version = footer[0] | (unsigned)footer[1] << 8;
    uint64_t stored = 0;

    if (version > RDB_VERSION) return false;
    if (skip_checksum) return true;
    for (int i = 0; i < 8; i++) stored |= (uint64_t)footer[2 + i] << (8 * i);
    return stored == crc64(0, payload.ptr, payload.len - 8);
}

enum err value_restore(struct span payload, bool skip_checksum, struct span key, int64_t deadline,
                       struct entry **out, char why[256])
{
    struct rdb_reader reader;
    struct entry *entry = NULL;
    uint8_t type = 0;
    enum err err;

    if (!value_payload_is_intact(payload, skip_checksum)) return ERR_BAD_PAYLOAD;
    rdb_reader_init_span(&reader, span_of(payload.ptr, payload.len - RDB_DUMP_FOOTER_BYTES));
    err = rdb_read_byte(&reader, &type);
    if (err == OK) err = value_rdb_read(&reader, type, key, deadline, &entry);
    if (err == OK && rdb_reader_offset(&reader) != reader.size) {
        err = rdb_fail(&reader, ERR_CORRUPT, "Bytes stand behind the value");
        entry_free(entry);
    }
    if (err == OK) *out = entry;
    if (err != OK && why != NULL) memcpy(why, reader.error, sizeof reader.error);
    rdb_reader_release(&reader);
    return err == OK ? OK : ERR_BAD_DATA;
}
