#include "store/stream.h"

#include "base/check.h"
#include "base/mem.h"
#include "store/digest.h"

/* ---- life --------------------------------------------------------------------------------------- */

struct stream *stream_new(void)
{
    struct stream *stream = mem_zalloc(sizeof *stream);
    stream->holders = 1;
    return stream;
}

void stream_free(void *value)
{
    struct stream *stream = value;
    struct id_cursor at = id_map_first(&stream->nodes);

    for (; at.item != NULL; id_cursor_next(&at)) mem_free(at.item->value);
    id_map_release(&stream->nodes);
    stream_groups_release(stream);
    mem_free(stream);
}

static size_t stream_memory(const void *value)
{
    const struct stream *stream = value;
    struct id_cursor at = id_map_first(&stream->nodes);
    size_t bytes = mem_usable(stream) + id_map_memory(&stream->nodes);

    for (; at.item != NULL; id_cursor_next(&at)) bytes += mem_usable(at.item->value);
    return bytes + stream_groups_memory(stream);
}

static void *stream_copy(const void *value)
{
    const struct stream *from = value;
    struct stream *to = mem_alloc(sizeof *to);
    struct id_cursor at = id_map_first(&from->nodes);

    *to = (struct stream){.holders = 1,
                          .last_id = from->last_id,
                          .first_id = from->first_id,
                          .max_deleted_id = from->max_deleted_id,
                          .length = from->length,
                          .entries_added = from->entries_added,
                          .node_bytes = from->node_bytes};
    for (; at.item != NULL; id_cursor_next(&at)) {
        const uint8_t *lp = at.item->value;
        size_t bytes = listpack_bytes(lp);
        uint8_t *copy = mem_alloc(mem_good_size(bytes));
        memcpy(copy, lp, bytes);
        id_map_insert(&to->nodes, at.item->id, copy);
    }
    stream_groups_copy(from, to);
    return to;
}

static size_t stream_effort(const void *value)
{
    const struct stream *stream = value;
    return stream->nodes.count + stream->pending_count + stream->consumer_count +
           stream->groups.count + stream->node_bytes / ENTRY_INLINE_BYTES_MAX;
}

/* In an RDB body a pending entry takes some 26 bytes in its group and 16 in its consumer. */
static size_t stream_weight(const void *value)
{
    const struct stream *stream = value;
    return stream->node_bytes + 20 * stream->nodes.count + 42 * stream->pending_count +
           32 * stream->consumer_count + 32 * stream->groups.count;
}

static void *relocate_node(void *context, struct stream_id id, void *lp)
{
    (void)id;
    return mem_mover_move(context, lp, mem_usable(lp));
}

/* Its consumer points to a pending entry, too. */
static void *relocate_nack(void *context, struct stream_id id, void *value)
{
    struct stream_nack *nack = mem_mover_move(context, value, sizeof *nack);
    if (nack != value) id_map_replace(&nack->consumer->pending, id, nack);
    return nack;
}

/* The nodes, then the pending entries of one group after the other, a leaf at a time. The consumers'
 * own maps of them stay where they are. */
static bool stream_relocate(void *value, struct value_cursor *cursor, struct mem_mover *mover)
{
    struct stream *stream = value;
    struct stream_id id = {cursor->at, cursor->seq};
    bool more;

    if (cursor->phase > stream->groups.count) return false; /* one went meanwhile */
    if (cursor->phase == 0) {
        more = id_map_relocate(&stream->nodes, &id, mover, relocate_node, mover);
    } else {
        struct stream_group *group = stream->groups.items[cursor->phase - 1];
        more = id_map_relocate(&group->pending, &id, mover, relocate_nack, mover);
    }
    cursor->at = id.ms;
    cursor->seq = id.seq;
    if (more) return true;
    *cursor = (struct value_cursor){.phase = cursor->phase + 1};
    return cursor->phase <= stream->groups.count;
}

const struct value_ops stream_ops = {
    .free = stream_free,
    .memory = stream_memory,
    .copy = stream_copy,
    .effort = stream_effort,
    .weight = stream_weight,
    .relocate = stream_relocate,
};

/* ---- as a container ----------------------------------------------------------------------------- */

static struct entry *stream_empty(struct span key, const struct value_settings *settings)
{
    (void)settings;
    return entry_new_pointer(key, NO_DEADLINE, TYPE_STREAM, ENC_STREAM, stream_new());
}

static size_t stream_count(const struct entry *e)
{
    return stream_of(e)->length;
}

/* Each entry mixes its id as "ms.seq", then its names and values. Groups are not in it, as in Redis. */
static void stream_digest(const struct entry *e, unsigned char *figure)
{
    struct stream_range range = stream_range_of(stream_of(e), STREAM_ID_MIN, STREAM_ID_MAX, false);
    const struct stream_entry *entry;

    while ((entry = stream_range_next(&range)) != NULL) {
        char id[2 * NUM_INT64_CHARS + 1];
        struct stream_pairs pairs = stream_entry_pairs(entry);
        struct span name, value;
        size_t len = num_format_uint64(id, entry->id.ms);
        id[len++] = '.';
        len += num_format_uint64(id + len, entry->id.seq);
        digest_mix(figure, id, len);
        while (stream_pairs_next(&pairs, &name, &value)) {
            digest_mix(figure, name.ptr, name.len);
            digest_mix(figure, value.ptr, value.len);
        }
    }
}

const struct container_ops stream_container = {
    .empty = stream_empty,
    .count = stream_count,
    .digest = stream_digest,
    .stays_when_empty = true,
};

/* ---- checking ----------------------------------------------------------------------------------- */

static void check_nodes(const struct stream *stream)
{
    struct id_cursor at = id_map_first(&stream->nodes);
    struct stream_id last = STREAM_ID_MIN;
    uint64_t length = 0;
    size_t bytes = 0;

    id_map_check(&stream->nodes);
    for (; at.item != NULL; id_cursor_next(&at)) {
        const uint8_t *lp = at.item->value;
        size_t lp_bytes = listpack_bytes(lp);
        check(stream_node_validate(span_of(lp, lp_bytes), at.item->id, &last));
        check(lp_bytes <= mem_usable(lp));
        bytes += lp_bytes;
        length += stream_node_view(at.item->id, lp).live;
    }
    check(bytes == stream->node_bytes && length == stream->length);
    check(length <= stream->entries_added && stream->entries_added <= INT64_MAX);
    check(!stream_id_less(stream->last_id, last));
    check(stream_id_equal(last, stream_last_live_id(stream)));
    check(stream_id_equal(stream->first_id, stream_first_live_id(stream)));
}

static void check_group(const struct stream_group *group)
{
    size_t count = 0;

    id_map_check(&group->pending);
    for (size_t i = 0; i < group->consumers.count; i++) {
        const struct stream_consumer *consumer = group->consumers.items[i];
        struct id_cursor at = id_map_first(&consumer->pending);
        if (i > 0) check(span_compare(name_of(group->consumers.items[i - 1]), consumer->name) < 0);
        id_map_check(&consumer->pending);
        for (; at.item != NULL; id_cursor_next(&at)) {
            check(id_map_find(&group->pending, at.item->id) == at.item->value);
            check(((const struct stream_nack *)at.item->value)->consumer == consumer);
            count++;
        }
    }
    check(count == group->pending.count);
}

void stream_check(const struct stream *stream)
{
    size_t pending = 0, consumers = 0;

    check_nodes(stream);
    for (size_t i = 0; i < stream->groups.count; i++) {
        const struct stream_group *group = stream->groups.items[i];
        if (i > 0) check(span_compare(name_of(stream->groups.items[i - 1]), group->name) < 0);
        check_group(group);
        pending += group->pending.count;
        consumers += group->consumers.count;
    }
    check(pending == stream->pending_count && consumers == stream->consumer_count);
}
