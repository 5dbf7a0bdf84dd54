/* Entries of a stream: appending, deleting, trimming, ranges, counting. */
#include "base/check.h"
#include "base/mem.h"
#include "store/stream.h"

bool stream_id_next(struct stream_id id, struct stream_id *out)
{
    if (id.seq < UINT64_MAX) *out = (struct stream_id){id.ms, id.seq + 1};
    else if (id.ms < UINT64_MAX) *out = (struct stream_id){id.ms + 1, 0};
    else return false;
    return true;
}

bool stream_id_previous(struct stream_id id, struct stream_id *out)
{
    if (id.seq > 0) *out = (struct stream_id){id.ms, id.seq - 1};
    else if (id.ms > 0) *out = (struct stream_id){id.ms - 1, UINT64_MAX};
    else return false;
    return true;
}

/* ---- ranges ------------------------------------------------------------------------------------- */

struct stream_range stream_range_of(const struct stream *stream, struct stream_id from,
                                    struct stream_id to, bool backwards)
{
    struct stream_range range = {.stream = stream, .from = from, .to = to, .backwards = backwards};

    if (stream->length == 0 || stream_id_less(to, from)) return range;
    range.at = id_map_at_or_before(&stream->nodes, backwards ? to : from);
    if (range.at.item == NULL && !backwards) range.at = id_map_first(&stream->nodes);
    return range;
}

/* The next entry whatever it is, in this node or one further on. */
static bool step(struct stream_range *range)
{
    if (range->in_node) {
        range->in_node = range->backwards ? stream_node_previous(&range->node, &range->entry)
                                          : stream_node_next(&range->node, &range->entry);
        if (range->in_node) return true;
        if (range->backwards) id_cursor_previous(&range->at);
        else id_cursor_next(&range->at);
    }
    if (range->at.item == NULL) return false;
    range->node = stream_node_view(range->at.item->id, range->at.item->value);
    range->in_node = range->backwards ? stream_node_last(&range->node, &range->entry)
                                      : stream_node_first(&range->node, &range->entry);
    check(range->in_node);
    return true;
}

const struct stream_entry *stream_range_next(struct stream_range *range)
{
    const struct stream_entry *entry = &range->entry;

    while (step(range)) {
        if (entry->is_deleted) continue;
        bool below = stream_id_less(entry->id, range->from);
        bool above = stream_id_less(range->to, entry->id);
        if (!below && !above) return entry;
        if (range->backwards ? below : above) break;
    }
    range->in_node = false;
    range->at.item = NULL;
    return NULL;
}

bool stream_holds(const struct stream *stream, struct stream_id id)
{
    struct stream_range range = stream_range_of(stream, id, id, false);
    return stream_range_next(&range) != NULL;
}

static struct stream_id edge(const struct stream *stream, bool backwards)
{
    struct stream_range range = stream_range_of(stream, STREAM_ID_MIN, STREAM_ID_MAX, backwards);
    const struct stream_entry *entry = stream_range_next(&range);
    return entry == NULL ? STREAM_ID_MIN : entry->id;
}

struct stream_id stream_first_live_id(const struct stream *stream)
{
    return edge(stream, false);
}

struct stream_id stream_last_live_id(const struct stream *stream)
{
    return edge(stream, true);
}

/* ---- appending ---------------------------------------------------------------------------------- */

static void node_changed(struct stream *stream, struct stream_id node_id, const uint8_t *old,
                         size_t old_bytes, uint8_t *lp)
{
    stream->node_bytes += listpack_bytes(lp) - old_bytes;
    if (lp != old) id_map_replace(&stream->nodes, node_id, lp);
}

static void node_remove(struct stream *stream, struct stream_id node_id)
{
    uint8_t *lp = id_map_remove(&stream->nodes, node_id);
    stream->node_bytes -= listpack_bytes(lp);
    mem_free(lp);
}

/* Whether an entry of so many bytes still goes into the last node, by the bounds of the
 * configuration: bytes before it is in, names and values alone counted of the new one. */
static bool node_has_room(const struct value_settings *settings, const uint8_t *lp, size_t bytes)
{
    size_t bytes_max = settings->stream_node_max_bytes;
    struct stream_node node = stream_node_view(STREAM_ID_MIN, lp);

    if (bytes_max == 0 || bytes_max > STREAM_ENTRY_BYTES_MAX) bytes_max = STREAM_ENTRY_BYTES_MAX;
    if (listpack_bytes(lp) + bytes >= bytes_max) return false;
    return settings->stream_node_max_entries == 0 ||
           node.live + node.deleted < settings->stream_node_max_entries;
}

/* XSETID on an emptied stream may lead back before a node without live entries. */
static void remove_dead_nodes(struct stream *stream, struct stream_id id)
{
    if (stream->length > 0) return;
    for (;;) {
        struct id_cursor last = id_map_last(&stream->nodes);
        if (last.item == NULL || stream_id_less(last.item->id, id)) break;
        node_remove(stream, last.item->id);
    }
}

void stream_append(struct stream *stream, const struct value_settings *settings,
                   struct stream_id id, const struct span *pairs, size_t pair_count)
{
    size_t bytes = 0;

    check(stream_id_less(stream->last_id, id));
    for (size_t i = 0; i < 2 * pair_count; i++) bytes += pairs[i].len;
    check(bytes <= STREAM_ENTRY_BYTES_MAX);
    remove_dead_nodes(stream, id);
    struct id_cursor last = id_map_last(&stream->nodes);
    uint8_t *lp = last.item != NULL ? last.item->value : NULL;
    struct stream_id node_id = last.item != NULL ? last.item->id : id;

    if (lp == NULL || !node_has_room(settings, lp, bytes)) {
        node_id = id;
        lp = stream_node_append(stream_node_new(pairs, pair_count), id, id, pairs, pair_count);
        check(id_map_insert(&stream->nodes, id, lp));
        stream->node_bytes += listpack_bytes(lp);
    } else {
        size_t before = listpack_bytes(lp);
        uint8_t *old = lp;
        lp = stream_node_append(lp, node_id, id, pairs, pair_count);
        node_changed(stream, node_id, old, before, lp);
    }
    if (stream->length++ == 0) stream->first_id = id;
    stream->entries_added += stream->entries_added < INT64_MAX; /* XSETID may lead there */
    stream->last_id = id;
}

/* ---- removing ----------------------------------------------------------------------------------- */

/* Counts entries of a node that were flagged already. */
static void count_flagged(struct stream *stream, struct stream_id node_id, uint8_t *lp,
                          size_t bytes_before, uint64_t count)
{
    uint8_t *counted = stream_node_count_deleted(lp, count);
    node_changed(stream, node_id, lp, bytes_before, counted);
}

bool stream_delete(struct stream *stream, struct stream_id id)
{
    struct stream_range range = stream_range_of(stream, id, id, false);

    if (stream_range_next(&range) == NULL) return false;
    struct stream_id node_id = range.node.id;
    uint8_t *lp = range.at.item->value;
    size_t before = listpack_bytes(lp);
    if (range.node.live == 1) {
        node_remove(stream, node_id);
    } else {
        stream_node_flag_deleted(lp, &range.node, &range.entry);
        count_flagged(stream, node_id, lp, before, 1);
    }
    if (stream_id_less(stream->max_deleted_id, id)) stream->max_deleted_id = id;
    stream->length--;
    if (stream_id_equal(id, stream->first_id)) stream->first_id = stream_first_live_id(stream);
    return true;
}

/* Whether a node goes as a whole. */
static bool goes_whole(const struct stream *stream, const struct stream_trim *trim,
                       const struct stream_node *node)
{
    struct stream_entry last;

    if (trim->how == TRIM_TO_LENGTH) return stream->length - node->live >= trim->length;
    return stream_node_last(node, &last) && stream_id_less(last.id, trim->id);
}

/* Flags the entries at the front of a node that go, and counts them. */
static uint64_t trim_node(struct stream *stream, const struct stream_trim *trim,
                          struct stream_node node, uint8_t *lp)
{
    size_t before = listpack_bytes(lp);
    uint64_t count = 0, more = stream->length - (trim->how == TRIM_TO_LENGTH ? trim->length : 0);
    struct stream_entry entry;

    for (bool is = stream_node_first(&node, &entry); is && count < more;
         is = stream_node_next(&node, &entry)) {
        /* A deleted entry that is beyond the bound ends it too, as in Redis. */
        if (trim->how == TRIM_TO_ID && !stream_id_less(entry.id, trim->id)) break;
        if (entry.is_deleted) continue;
        stream_node_flag_deleted(lp, &node, &entry);
        count++;
    }
    if (count > 0) count_flagged(stream, node.id, lp, before, count);
    return count;
}

uint64_t stream_trim(struct stream *stream, const struct stream_trim *trim)
{
    uint64_t removed = 0;

    for (;;) {
        struct id_cursor first = id_map_first(&stream->nodes);
        if (first.item == NULL || trim->how == TRIM_NOTHING) break;
        if (trim->how == TRIM_TO_LENGTH && stream->length <= trim->length) break;
        struct stream_node node = stream_node_view(first.item->id, first.item->value);
        if (trim->limit > 0 && removed + node.live > trim->limit) break;
        if (goes_whole(stream, trim, &node)) {
            node_remove(stream, node.id);
            stream->length -= node.live;
            removed += node.live;
            continue;
        }
        if (!trim->whole_nodes) {
            uint64_t count = trim_node(stream, trim, node, first.item->value);
            stream->length -= count;
            removed += count;
        }
        break;
    }
    if (removed > 0) stream->first_id = stream_first_live_id(stream);
    return removed;
}

void stream_set_ids(struct stream *stream, struct stream_id last_id, uint64_t entries_added,
                    struct stream_id max_deleted_id)
{
    check(!stream_id_less(last_id, stream_last_live_id(stream)));
    check(entries_added >= stream->length);
    stream->last_id = last_id;
    stream->entries_added = entries_added;
    stream->max_deleted_id = max_deleted_id;
}

/* ---- counting ----------------------------------------------------------------------------------- */

bool stream_may_miss_behind(const struct stream *stream, struct stream_id id)
{
    const struct stream_id hole = stream->max_deleted_id;

    if (stream->length == 0 || stream_id_less(hole, stream->first_id)) return false;
    return !stream_id_less(hole, id);
}

int64_t stream_entries_up_to(const struct stream *stream, struct stream_id id)
{
    const int64_t added = (int64_t)stream->entries_added, length = (int64_t)stream->length;

    if (added == 0) return 0;
    if (length == 0 && stream_id_less(id, stream->last_id)) return added;
    if (stream_id_equal(id, stream->last_id)) return added;
    if (stream_id_less(stream->last_id, id)) return STREAM_ENTRIES_UNKNOWN;
    if (stream_may_miss_behind(stream, stream->first_id)) return STREAM_ENTRIES_UNKNOWN;
    if (stream_id_less(id, stream->first_id)) return added - length;
    if (stream_id_equal(id, stream->first_id)) return added - length + 1;
    return STREAM_ENTRIES_UNKNOWN;
}

bool stream_group_lag(const struct stream *stream, const struct stream_group *group, int64_t *out)
{
    int64_t read = group->entries_read;

    if (stream->entries_added == 0) {
        *out = 0;
        return true;
    }
    if (read == STREAM_ENTRIES_UNKNOWN || stream_may_miss_behind(stream, group->last_id))
        read = stream_entries_up_to(stream, group->last_id);
    if (read == STREAM_ENTRIES_UNKNOWN) return false;
    *out = (int64_t)stream->entries_added - read;
    return true;
}
