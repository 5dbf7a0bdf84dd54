/* Streams in RDB bodies.
 *
 *   nodes      count, then for each: its id (a string of 16 bytes), its listpack (a string)
 *   stream     length, last id;  v2: first id, greatest deleted id, entries added
 *   groups     count, then for each:
 *                name, last id;  v2: entries read
 *                pending: count, then for each: id, u64 when delivered, how often
 *                consumers: count, then for each:
 *                  name, u64 when seen, pending: count and that many ids
 *
 * Numbers are lengths, an id is two of them; those of nodes and of pending entries are 16 bytes,
 * big-endian. Type 15 lacks what v2 (type 19) has. (Read off DUMP payloads of Redis 7.0.15.) */
#include "base/check.h"
#include "base/mem.h"
#include "store/stream.h"

enum { ID_BYTES = 16 };

static struct stream_id id_from_bytes(const void *bytes)
{
    struct stream_id id;
    memcpy(&id, bytes, ID_BYTES);
    return (struct stream_id){__builtin_bswap64(id.ms), __builtin_bswap64(id.seq)};
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ids in files are big-endian");

static struct stream_id id_to_bytes(struct stream_id id)
{
    return (struct stream_id){__builtin_bswap64(id.ms), __builtin_bswap64(id.seq)};
}

/* ---- writing ------------------------------------------------------------------------------------ */

uint8_t stream_rdb_type(const struct entry *e)
{
    (void)e;
    return RDB_TYPE_STREAM_LISTPACKS_2;
}

static void write_id(struct rdb_writer *writer, struct stream_id id)
{
    rdb_write_length(writer, id.ms);
    rdb_write_length(writer, id.seq);
}

static void write_raw_id(struct rdb_writer *writer, struct stream_id id)
{
    struct stream_id bytes = id_to_bytes(id);
    rdb_write_bytes(writer, &bytes, ID_BYTES);
}

static void write_nodes(struct rdb_writer *writer, const struct id_map *nodes)
{
    struct id_cursor at = id_map_first(nodes);

    rdb_write_length(writer, nodes->count);
    for (; at.item != NULL; id_cursor_next(&at)) {
        struct stream_id bytes = id_to_bytes(at.item->id);
        const uint8_t *lp = at.item->value;
        rdb_write_string(writer, span_of(&bytes, ID_BYTES));
        rdb_write_string(writer, span_of(lp, listpack_bytes(lp)));
    }
}

static void write_consumer(struct rdb_writer *writer, const struct stream_consumer *consumer)
{
    struct id_cursor at = id_map_first(&consumer->pending);

    rdb_write_string(writer, consumer->name);
    rdb_write_u64(writer, (uint64_t)consumer->seen_ms);
    rdb_write_length(writer, consumer->pending.count);
    for (; at.item != NULL; id_cursor_next(&at)) write_raw_id(writer, at.item->id);
}

static void write_group(struct rdb_writer *writer, const struct stream_group *group)
{
    struct id_cursor at = id_map_first(&group->pending);

    rdb_write_string(writer, group->name);
    write_id(writer, group->last_id);
    rdb_write_length(writer, (uint64_t)group->entries_read);
    rdb_write_length(writer, group->pending.count);
    for (; at.item != NULL; id_cursor_next(&at)) {
        const struct stream_nack *nack = at.item->value;
        write_raw_id(writer, at.item->id);
        rdb_write_u64(writer, (uint64_t)nack->delivered_ms);
        rdb_write_length(writer, nack->delivery_count);
    }
    rdb_write_length(writer, group->consumers.count);
    for (size_t i = 0; i < group->consumers.count; i++)
        write_consumer(writer, group->consumers.items[i]);
}

void stream_rdb_write(struct rdb_writer *writer, const struct entry *e)
{
    const struct stream *stream = stream_of(e);

    write_nodes(writer, &stream->nodes);
    rdb_write_length(writer, stream->length);
    write_id(writer, stream->last_id);
    write_id(writer, stream->first_id);
    write_id(writer, stream->max_deleted_id);
    rdb_write_length(writer, stream->entries_added);
    rdb_write_length(writer, stream->groups.count);
    for (size_t i = 0; i < stream->groups.count; i++) write_group(writer, stream->groups.items[i]);
}

/* ---- reading ------------------------------------------------------------------------------------
 * Each part is checked as it comes; what stands in the stream then is whole enough to be freed.
 * The texts begin with Redis' words, which tools look for. */

static enum err read_id(struct rdb_reader *reader, struct stream_id *out)
{
    struct stream_id id = {0};
    TRY(rdb_read_length(reader, &id.ms));
    TRY(rdb_read_length(reader, &id.seq));
    *out = id;
    return OK;
}

static enum err read_raw_id(struct rdb_reader *reader, struct stream_id *out)
{
    uint8_t bytes[ID_BYTES];
    TRY(rdb_read_bytes(reader, bytes, sizeof bytes));
    *out = id_from_bytes(bytes);
    return OK;
}

static enum err read_time(struct rdb_reader *reader, int64_t *out)
{
    uint64_t time = 0;
    TRY(rdb_read_u64(reader, &time));
    *out = (int64_t)time;
    return OK;
}

/* A count of entries. XSETID and XGROUP SETID may put one so high that Redis' runs over: what it then
 * writes is no lie, but tells nothing. */
static enum err read_count(struct rdb_reader *reader, int64_t beyond, int64_t *out)
{
    uint64_t count = 0;
    TRY(rdb_read_length(reader, &count));
    *out = count <= INT64_MAX ? (int64_t)count : beyond;
    return OK;
}

static enum err read_node(struct rdb_reader *reader, struct stream *stream, struct stream_id *last)
{
    struct span bytes = {0};

    TRY(rdb_read_string(reader, &bytes));
    if (bytes.len != ID_BYTES)
        return rdb_fail(reader, ERR_CORRUPT,
                        "Stream node key entry is not the size of a stream ID");
    struct stream_id id = id_from_bytes(bytes.ptr);
    TRY(rdb_read_string(reader, &bytes));
    if (!stream_node_validate(bytes, id, last))
        return rdb_fail(reader, ERR_CORRUPT, "Stream listpack integrity check failed");
    struct id_cursor before = id_map_last(&stream->nodes);
    if (before.item != NULL && !stream_id_less(before.item->id, id))
        return rdb_fail(reader, ERR_CORRUPT, "Stream nodes are not in order");

    uint8_t *lp = mem_alloc(mem_good_size(bytes.len));
    memcpy(lp, bytes.ptr, bytes.len);
    check(id_map_insert(&stream->nodes, id, lp));
    stream->node_bytes += bytes.len;
    stream->length += stream_node_view(id, lp).live;
    return OK;
}

static enum err read_nodes(struct rdb_reader *reader, struct stream *stream, struct stream_id *last)
{
    uint64_t count = 0;

    TRY(rdb_read_length(reader, &count));
    for (uint64_t i = 0; i < count; i++) TRY(read_node(reader, stream, last));
    return OK;
}

static enum err read_figures(struct rdb_reader *reader, uint8_t type, struct stream *stream,
                             struct stream_id last)
{
    struct stream_id first;
    uint64_t length = 0;
    int64_t added = 0;

    TRY(rdb_read_length(reader, &length));
    TRY(read_id(reader, &stream->last_id));
    if (length != stream->length)
        return rdb_fail(reader, ERR_CORRUPT, "Stream length inconsistent with its entries");
    if (stream_id_less(stream->last_id, last))
        return rdb_fail(reader, ERR_CORRUPT, "Stream has entries above its last ID");
    stream->first_id = stream_first_live_id(stream);
    stream->entries_added = length;
    if (type == RDB_TYPE_STREAM_LISTPACKS) return OK;
    TRY(read_id(reader, &first)); /* told by the entries */
    TRY(read_id(reader, &stream->max_deleted_id));
    TRY(read_count(reader, INT64_MAX, &added));
    stream->entries_added = (uint64_t)added;
    if (stream->entries_added < length)
        return rdb_fail(reader, ERR_CORRUPT, "Stream holds more entries than were added");
    return OK;
}

static enum err read_nack(struct rdb_reader *reader, struct stream *stream,
                          struct stream_group *group)
{
    struct stream_nack read = {0}, *nack;
    struct stream_id id = {0};

    TRY(read_raw_id(reader, &id));
    TRY(read_time(reader, &read.delivered_ms));
    TRY(rdb_read_length(reader, &read.delivery_count));
    nack = mem_alloc(sizeof *nack);
    *nack = read;
    if (!id_map_insert(&group->pending, id, nack)) {
        mem_free(nack);
        return rdb_fail(reader, ERR_CORRUPT, "Duplicated global PEL entry loading stream group");
    }
    stream->pending_count++;
    return OK;
}

static enum err read_consumer(struct rdb_reader *reader, struct stream *stream,
                              struct stream_group *group)
{
    struct stream_consumer *consumer;
    struct span name = {0};
    uint64_t count = 0;

    TRY(rdb_read_string(reader, &name));
    if (stream_consumer(group, name) != NULL)
        return rdb_fail(reader, ERR_CORRUPT, "Duplicate stream consumer detected");
    consumer = stream_consumer_new(stream, group, name, 0);
    TRY(read_time(reader, &consumer->seen_ms));
    TRY(rdb_read_length(reader, &count));
    for (uint64_t i = 0; i < count; i++) {
        struct stream_id id = {0};
        TRY(read_raw_id(reader, &id));
        struct stream_nack *nack = stream_nack(group, id);
        if (nack == NULL)
            return rdb_fail(reader, ERR_CORRUPT, "Consumer entry not found in group global PEL");
        if (nack->consumer != NULL)
            return rdb_fail(reader, ERR_CORRUPT, "Duplicated consumer PEL entry loading a stream");
        nack->consumer = consumer;
        check(id_map_insert(&consumer->pending, id, nack));
    }
    return OK;
}

static bool each_nack_has_a_consumer(const struct stream_group *group)
{
    size_t count = 0;

    for (size_t i = 0; i < group->consumers.count; i++)
        count += ((const struct stream_consumer *)group->consumers.items[i])->pending.count;
    return count == group->pending.count;
}

static enum err read_group(struct rdb_reader *reader, uint8_t type, struct stream *stream)
{
    struct stream_group *group;
    struct span name = {0};
    uint64_t count = 0;

    TRY(rdb_read_string(reader, &name));
    if (stream_group(stream, name) != NULL)
        return rdb_fail(reader, ERR_CORRUPT, "Duplicated consumer group name loading a stream");
    group = stream_group_new(stream, name, STREAM_ID_MIN, STREAM_ENTRIES_UNKNOWN);
    TRY(read_id(reader, &group->last_id));
    if (type == RDB_TYPE_STREAM_LISTPACKS)
        group->entries_read = stream_entries_up_to(stream, group->last_id);
    else TRY(read_count(reader, STREAM_ENTRIES_UNKNOWN, &group->entries_read));
    TRY(rdb_read_length(reader, &count));
    for (uint64_t i = 0; i < count; i++) TRY(read_nack(reader, stream, group));
    TRY(rdb_read_length(reader, &count));
    for (uint64_t i = 0; i < count; i++) TRY(read_consumer(reader, stream, group));
    if (!each_nack_has_a_consumer(group))
        return rdb_fail(reader, ERR_CORRUPT, "NACK entry without consumer loading a stream group");
    return OK;
}

static enum err read_stream(struct rdb_reader *reader, uint8_t type, struct stream *stream)
{
    struct stream_id last = STREAM_ID_MIN;
    uint64_t groups = 0;

    TRY(read_nodes(reader, stream, &last));
    TRY(read_figures(reader, type, stream, last));
    TRY(rdb_read_length(reader, &groups));
    for (uint64_t i = 0; i < groups; i++) TRY(read_group(reader, type, stream));
    return OK;
}

enum err stream_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                         struct entry **out)
{
    struct stream *stream = stream_new();
    enum err err = read_stream(reader, type, stream);

    if (err != OK) {
        stream_free(stream);
        return err;
    }
    *out = entry_new_pointer(target->key, target->deadline, TYPE_STREAM, ENC_STREAM, stream);
    return OK;
}
