#include "store/value_rdb.h"
#include "base/check.h"
#include "base/hash.h"
#include "store/hash.h"
#include "store/list.h"
#include "store/set.h"
#include "store/stream.h"
#include "store/zset.h"

typedef enum err read_body(struct rdb_reader *reader, uint8_t type,
                           const struct value_target *target, struct entry **out);

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

static enum err read_string(struct rdb_reader *reader, uint8_t type,
                            const struct value_target *target, struct entry **out)
{
    struct span key = target->key;
    int64_t deadline = target->deadline;
    struct rdb_string string = {0};
    struct span bytes;
    struct blob *blob = NULL;

    (void)type;
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

static uint8_t string_type(const struct entry *entry)
{
    (void)entry;
    return RDB_TYPE_STRING;
}

static void write_string(struct rdb_writer *writer, const struct entry *entry)
{
    char scratch[NUM_INT64_CHARS];
    int64_t value = 0;

    if (entry_encoding(entry) != ENC_INT) {
        rdb_write_string(writer, entry_string(entry, scratch));
    } else {
        check(entry_string_int64(entry, &value));
        rdb_write_int64_string(writer, value);
    }
}

/* ---- dispatch ------------------------------------------------------------------------------- */

/* What a type id is called, and how its body is read: NULL for what cannot be loaded. */
static const struct reading {
    const char *name;
    read_body *read;
} readings[RDB_TYPE_COUNT] = {
    [RDB_TYPE_STRING] = {"string", read_string},
    [RDB_TYPE_LIST] = {"list", list_rdb_read},
    [RDB_TYPE_SET] = {"set", set_rdb_read},
    [RDB_TYPE_ZSET] = {"zset", zset_rdb_read},
    [RDB_TYPE_HASH] = {"hash", hash_rdb_read},
    [RDB_TYPE_ZSET_2] = {"zset-v2", zset_rdb_read},
    [RDB_TYPE_MODULE] = {"module-value", NULL},
    [RDB_TYPE_MODULE_2] = {"module-value-v2", NULL},
    [RDB_TYPE_HASH_ZIPMAP] = {"hash-zipmap", hash_rdb_read},
    [RDB_TYPE_LIST_ZIPLIST] = {"list-ziplist", list_rdb_read},
    [RDB_TYPE_SET_INTSET] = {"set-intset", set_rdb_read},
    [RDB_TYPE_ZSET_ZIPLIST] = {"zset-ziplist", zset_rdb_read},
    [RDB_TYPE_HASH_ZIPLIST] = {"hash-ziplist", hash_rdb_read},
    [RDB_TYPE_LIST_QUICKLIST] = {"quicklist", list_rdb_read},
    [RDB_TYPE_STREAM_LISTPACKS] = {"stream", stream_rdb_read},
    [RDB_TYPE_HASH_LISTPACK] = {"hash-listpack", hash_rdb_read},
    [RDB_TYPE_ZSET_LISTPACK] = {"zset-listpack", zset_rdb_read},
    [RDB_TYPE_LIST_QUICKLIST_2] = {"quicklist-v2", list_rdb_read},
    [RDB_TYPE_STREAM_LISTPACKS_2] = {"stream-v2", stream_rdb_read},
};

/* What each type is written as, and how. */
static const struct writing {
    uint8_t (*type)(const struct entry *entry);
    void (*write)(struct rdb_writer *writer, const struct entry *entry);
} writings[TYPE_COUNT] = {
    [TYPE_STRING] = {string_type, write_string},
    [TYPE_LIST] = {list_rdb_type, list_rdb_write},
    [TYPE_SET] = {set_rdb_type, set_rdb_write},
    [TYPE_ZSET] = {zset_rdb_type, zset_rdb_write},
    [TYPE_HASH] = {hash_rdb_type, hash_rdb_write},
    [TYPE_STREAM] = {stream_rdb_type, stream_rdb_write},
};

uint8_t value_rdb_type(const struct entry *entry)
{
    return writings[entry_type(entry)].type(entry);
}

void value_rdb_write(struct rdb_writer *writer, const struct entry *entry)
{
    writings[entry_type(entry)].write(writer, entry);
}

void value_rdb_flatten(const struct entry *entry, struct buf *out)
{
    struct rdb_writer writer;

    /* No sink: the body grows in `out` itself, which the writer borrows. */
    rdb_writer_init(&writer, false, false);
    buf_release(&writer.out);
    writer.out = *out;
    value_rdb_write(&writer, entry);
    *out = writer.out;
    writer.out = (struct buf){0};
    rdb_writer_release(&writer);
}

/* The shape of a body of `type`: what stands in front of the elements, and each element's parts: 's' a
 * string, 'd' eight bytes, 'l' a length. What comes behind the elements holds nothing worth
 * compressing. */
static const char *flat_shape(uint8_t type)
{
    switch (type) {
    case RDB_TYPE_SET: return "s";
    case RDB_TYPE_ZSET_2: return "sd";
    case RDB_TYPE_HASH: return "ss";
    case RDB_TYPE_LIST_QUICKLIST_2: return "ls";
    case RDB_TYPE_STREAM_LISTPACKS_2: return "ss";
    default: return NULL; /* one string */
    }
}

static enum err copy_part(struct rdb_writer *writer, struct rdb_reader *reader, char part)
{
    struct span bytes;
    uint64_t number = 0;

    switch (part) {
    case 's':
        TRY(rdb_read_string(reader, &bytes));
        rdb_write_string(writer, bytes);
        return OK;
    case 'd':
        TRY(rdb_read_u64(reader, &number));
        rdb_write_u64(writer, number);
        return OK;
    default:
        TRY(rdb_read_length(reader, &number));
        rdb_write_length(writer, number);
        return OK;
    }
}

static enum err copy_flat(struct rdb_writer *writer, struct rdb_reader *reader, const char *shape)
{
    uint64_t count = 0;

    if (shape == NULL) return copy_part(writer, reader, 's');
    TRY(rdb_read_length(reader, &count));
    rdb_write_length(writer, count);
    for (uint64_t i = 0; i < count; i++)
        for (const char *part = shape; *part != '\0'; part++) TRY(copy_part(writer, reader, *part));
    rdb_write_bytes(writer, reader->at, (size_t)(reader->end - reader->at));
    return OK;
}

void value_rdb_write_flat(struct rdb_writer *writer, const struct entry *entry, struct span body)
{
    struct rdb_reader reader;

    rdb_reader_init_span(&reader, body);
    check(copy_flat(writer, &reader, flat_shape(value_rdb_type(entry))) == OK);
    rdb_reader_release(&reader);
}

const char *value_rdb_type_name(uint8_t type)
{
    return type < RDB_TYPE_COUNT ? readings[type].name : NULL;
}

bool value_rdb_readable(uint8_t type)
{
    return type < RDB_TYPE_COUNT && readings[type].read != NULL;
}

enum err value_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                        struct entry **out)
{
    if (value_rdb_type_name(type) == NULL)
        return rdb_fail(reader, ERR_CORRUPT, "Unknown RDB type %u", type);
    if (!value_rdb_readable(type))
        return rdb_fail(reader, ERR_CORRUPT, "RDB type %u (%s) is not supported", type,
                        value_rdb_type_name(type));
    return readings[type].read(reader, type, target, out);
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

enum err value_restore(struct span payload, bool skip_checksum, const struct value_target *target,
                       struct entry **out, char why[256])
{
    struct rdb_reader reader;
    struct entry *entry = NULL;
    uint8_t type = 0;
    enum err err;

    if (!value_payload_is_intact(payload, skip_checksum)) return ERR_BAD_PAYLOAD;
    rdb_reader_init_span(&reader, span_of(payload.ptr, payload.len - RDB_DUMP_FOOTER_BYTES));
    err = rdb_read_byte(&reader, &type);
    if (err == OK) err = value_rdb_read(&reader, type, target, &entry);
    if (err == OK && rdb_reader_offset(&reader) != reader.size) {
        err = rdb_fail(&reader, ERR_CORRUPT, "Bytes stand behind the value");
        entry_free(entry);
    }
    if (err == OK) *out = entry;
    if (err == ERR_EMPTY_VALUE) rdb_fail(&reader, ERR_CORRUPT, "The value has no elements");
    if (err != OK && why != NULL) memcpy(why, reader.error, sizeof reader.error);
    rdb_reader_release(&reader);
    return err == OK ? OK : ERR_BAD_DATA;
}
