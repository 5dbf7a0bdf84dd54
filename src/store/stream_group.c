/* Consumer groups: who was given which entries, and has not acknowledged them. */
#include "base/check.h"
#include "base/mem.h"
#include "store/stream.h"

/* ---- groups ------------------------------------------------------------------------------------- */

struct stream_group *stream_group(const struct stream *stream, struct span name)
{
    return name_list_find(&stream->groups, name);
}

struct stream_group *stream_group_new(struct stream *stream, struct span name,
                                      struct stream_id last_id, int64_t entries_read)
{
    struct stream_group *group = mem_alloc(sizeof *group + name.len);

    *group = (struct stream_group){
        .name = span_of(group->bytes, name.len), .last_id = last_id, .entries_read = entries_read};
    if (name.len > 0) memcpy(group->bytes, name.ptr, name.len);
    name_list_insert(&stream->groups, group);
    return group;
}

static void consumer_free(struct stream_consumer *consumer)
{
    id_map_release(&consumer->pending);
    mem_free(consumer);
}

static void group_free(struct stream *stream, struct stream_group *group)
{
    struct id_cursor at = id_map_first(&group->pending);

    for (; at.item != NULL; id_cursor_next(&at)) mem_free(at.item->value);
    stream->pending_count -= group->pending.count;
    id_map_release(&group->pending);
    for (size_t i = 0; i < group->consumers.count; i++) consumer_free(group->consumers.items[i]);
    stream->consumer_count -= group->consumers.count;
    name_list_release(&group->consumers);
    mem_free(group);
}

void stream_group_remove(struct stream *stream, struct stream_group *group)
{
    name_list_remove(&stream->groups, group);
    group_free(stream, group);
}

void stream_group_advance(const struct stream *stream, struct stream_group *group,
                          struct stream_id id)
{
    if (group->entries_read != STREAM_ENTRIES_UNKNOWN && !stream_may_miss_behind(stream, id))
        group->entries_read += group->entries_read < INT64_MAX;
    else if (stream->entries_added > 0) group->entries_read = stream_entries_up_to(stream, id);
    group->last_id = id;
}

/* ---- consumers ---------------------------------------------------------------------------------- */

struct stream_consumer *stream_consumer(const struct stream_group *group, struct span name)
{
    return name_list_find(&group->consumers, name);
}

struct stream_consumer *stream_consumer_new(struct stream *stream, struct stream_group *group,
                                            struct span name, int64_t seen_ms)
{
    struct stream_consumer *consumer = mem_alloc(sizeof *consumer + name.len);

    *consumer =
        (struct stream_consumer){.name = span_of(consumer->bytes, name.len), .seen_ms = seen_ms};
    if (name.len > 0) memcpy(consumer->bytes, name.ptr, name.len);
    name_list_insert(&group->consumers, consumer);
    stream->consumer_count++;
    return consumer;
}

void stream_consumer_remove(struct stream *stream, struct stream_group *group,
                            struct stream_consumer *consumer)
{
    struct id_cursor at = id_map_first(&consumer->pending);

    for (; at.item != NULL; id_cursor_next(&at)) {
        check(id_map_remove(&group->pending, at.item->id) == at.item->value);
        mem_free(at.item->value);
    }
    stream->pending_count -= consumer->pending.count;
    stream->consumer_count--;
    name_list_remove(&group->consumers, consumer);
    consumer_free(consumer);
}

/* ---- pending entries ---------------------------------------------------------------------------- */

struct stream_nack *stream_nack(const struct stream_group *group, struct stream_id id)
{
    return id_map_find(&group->pending, id);
}

void stream_nack_move(struct stream_nack *nack, struct stream_id id,
                      struct stream_consumer *consumer)
{
    if (nack->consumer == consumer) return;
    check(id_map_remove(&nack->consumer->pending, id) == nack);
    check(id_map_insert(&consumer->pending, id, nack));
    nack->consumer = consumer;
}

struct stream_nack *stream_deliver(struct stream *stream, struct stream_group *group,
                                   struct stream_consumer *consumer, struct stream_id id,
                                   int64_t now_ms)
{
    struct stream_nack *nack = stream_nack(group, id);

    if (nack != NULL) {
        stream_nack_move(nack, id, consumer);
    } else {
        nack = mem_alloc(sizeof *nack);
        check(id_map_insert(&group->pending, id, nack));
        check(id_map_insert(&consumer->pending, id, nack));
        stream->pending_count++;
    }
    *nack = (struct stream_nack){now_ms, 1, consumer};
    return nack;
}

bool stream_acknowledge(struct stream *stream, struct stream_group *group, struct stream_id id)
{
    struct stream_nack *nack = id_map_remove(&group->pending, id);

    if (nack == NULL) return false;
    check(id_map_remove(&nack->consumer->pending, id) == nack);
    mem_free(nack);
    stream->pending_count--;
    return true;
}

/* ---- all groups --------------------------------------------------------------------------------- */

static void copy_group(const struct stream_group *from, struct stream *stream)
{
    struct stream_group *to =
        stream_group_new(stream, from->name, from->last_id, from->entries_read);
    struct id_cursor at = id_map_first(&from->pending);
    const struct stream_consumer *theirs = NULL;
    struct stream_consumer *ours = NULL;

    for (size_t i = 0; i < from->consumers.count; i++) {
        const struct stream_consumer *consumer = from->consumers.items[i];
        stream_consumer_new(stream, to, consumer->name, consumer->seen_ms);
    }
    for (; at.item != NULL; id_cursor_next(&at)) {
        const struct stream_nack *nack = at.item->value;
        if (nack->consumer != theirs) {
            theirs = nack->consumer;
            ours = stream_consumer(to, theirs->name);
        }
        stream_deliver(stream, to, ours, at.item->id, nack->delivered_ms)->delivery_count =
            nack->delivery_count;
    }
}

void stream_groups_copy(const struct stream *from, struct stream *to)
{
    for (size_t i = 0; i < from->groups.count; i++) copy_group(from->groups.items[i], to);
}

void stream_groups_release(struct stream *stream)
{
    for (size_t i = 0; i < stream->groups.count; i++) group_free(stream, stream->groups.items[i]);
    name_list_release(&stream->groups);
}

static size_t group_memory(const struct stream_group *group)
{
    struct id_cursor at = id_map_first(&group->pending);
    size_t bytes = mem_usable(group) + id_map_memory(&group->pending);

    for (; at.item != NULL; id_cursor_next(&at)) bytes += mem_usable(at.item->value);
    if (group->consumers.items != NULL) bytes += mem_usable(group->consumers.items);
    for (size_t i = 0; i < group->consumers.count; i++) {
        const struct stream_consumer *consumer = group->consumers.items[i];
        bytes += mem_usable(consumer) + id_map_memory(&consumer->pending);
    }
    return bytes;
}

size_t stream_groups_memory(const struct stream *stream)
{
    size_t bytes = stream->groups.items != NULL ? mem_usable(stream->groups.items) : 0;
    for (size_t i = 0; i < stream->groups.count; i++)
        bytes += group_memory(stream->groups.items[i]);
    return bytes;
}
