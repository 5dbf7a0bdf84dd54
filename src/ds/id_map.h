/* Ordered map from stream ids to pointers: a B+tree.
 *
 *                      +----+----+----+
 *                      |0-0 | k  | m  |              inner pages: for each child a lower bound of
 *                      +-|--+-|--+-|--+              its ids
 *              +---------+    |    +---------+
 *          +---v--+       +---v--+       +---v--+
 *          | leaf |<----->| leaf |<----->| leaf |    leaves: ids with their pointers, in order
 *          +------+       +------+       +------+
 *
 * It finds the nodes of a stream, the pending entries of a group and those of a consumer. All three
 * grow at their end and shrink at their beginning, so both are cheap: a full page that is last
 * stays full when the next one begins, and pages take what they hold: room doubles from 1 to 63
 * items, which with their head fill 48 to 1536 bytes, size classes of the allocator. So one id
 * costs 48 bytes and a million in order 25 each.
 *
 * A page that lost items is joined with a neighbour under the same parent as soon as both fit
 * three quarters of a page; nothing is ever moved from one page to another just for balance.
 *
 * Invariants
 * 1. Ids in a leaf and bounds in an inner page rise strictly. The first bound is always 0-0: what lies
 *    below the second belongs under the first child.
 * 2. All leaves are equally deep. The pages of one depth are linked in order.
 * 3. No page is empty; two neighbours under one parent hold more than half a page together.
 * 4. An empty map owns no memory.
 *
 * One thread at a time; several may read a map that nobody changes. Finding, inserting and removing
 * take logarithmic time. */
#ifndef PANDO_DS_ID_MAP_H
#define PANDO_DS_ID_MAP_H

#include "base/mem_mover.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What orders the entries of a stream: milliseconds, and a number among those of the same one. */
struct stream_id {
    uint64_t ms, seq;
};
#define STREAM_ID_MIN ((struct stream_id){0, 0})
#define STREAM_ID_MAX ((struct stream_id){UINT64_MAX, UINT64_MAX})

static inline bool stream_id_less(struct stream_id a, struct stream_id b)
{
    return a.ms != b.ms ? a.ms < b.ms : a.seq < b.seq;
}
static inline bool stream_id_equal(struct stream_id a, struct stream_id b)
{
    return a.ms == b.ms && a.seq == b.seq;
}

struct id_page;
struct id_map { /* zero is an empty map */
    struct id_page *root;
    size_t count;
};

/* Frees the pages, not what the pointers point to; the map is empty then. */
void id_map_release(struct id_map *map);

/* False, changing nothing, where the id is there already. `value` is not NULL. */
bool id_map_insert(struct id_map *map, struct stream_id id, void *value);
/* The pointer of an id, NULL where it is not there. */
void *id_map_find(const struct id_map *map, struct stream_id id);
/* Puts another pointer in the place of an id's; the id must be there. */
void id_map_replace(struct id_map *map, struct stream_id id, void *value);
/* Takes an id out and returns its pointer, NULL where it was not there. */
void *id_map_remove(struct id_map *map, struct stream_id id);

/* Moves what the mover wants moved: the leaf where *id belongs, the inner pages that begin with it, and by
 * way of move(), which returns where it is from now on, each value of that leaf. Sets *id to the first
 * one behind and returns true, or returns false where there is none. */
bool id_map_relocate(struct id_map *map, struct stream_id *id, struct mem_mover *mover,
                     void *(*move)(void *context, struct stream_id id, void *value), void *context);

/* True bytes of its pages. Walks them. */
size_t id_map_memory(const struct id_map *map);
void id_map_check(const struct id_map *map);

/* ---- walking ------------------------------------------------------------------------------------ */

struct id_item { /* what a page is made of; in inner pages the pointer is the child */
    struct stream_id id;
    void *value;
};

/* A place in a map, good until the map changes. item NULL: there is none. */
struct id_cursor {
    const struct id_item *item;
    const struct id_page *page;
};

struct id_cursor id_map_first(const struct id_map *map);
struct id_cursor id_map_last(const struct id_map *map);
/* The first id that is not below `id`; the last that is not above it. */
struct id_cursor id_map_at_or_after(const struct id_map *map, struct stream_id id);
struct id_cursor id_map_at_or_before(const struct id_map *map, struct stream_id id);
/* From a place to the next and to the one before. */
void id_cursor_next(struct id_cursor *cursor);
void id_cursor_previous(struct id_cursor *cursor);

#endif
