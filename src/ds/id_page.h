/* Private to the ordered map of ids: its pages, and what happens inside one. */
#ifndef PANDO_DS_ID_PAGE_H
#define PANDO_DS_ID_PAGE_H

#include "ds/id_map.h"

enum {
    ROOM_MAX = 63, /* items of a page; always 2^n - 1 */
    JOIN_MAX = 47, /* two neighbours that hold no more become one */
};

struct id_page {
    struct id_page *left, *right; /* at the same depth */
    uint16_t count, room;
    bool is_leaf;
    struct id_item items[];
};
_Static_assert(sizeof(struct id_page) == 24 && sizeof(struct id_item) == 24,
               "a page of n items takes 24 (n + 1) bytes");

static inline struct id_page *page_child(const struct id_page *page, unsigned index)
{
    return page->items[index].value;
}

struct id_page *page_new(bool is_leaf, struct id_page *left, struct id_page *right);
/* The least room that holds so many. */
unsigned page_room_for(unsigned count);
/* Gives the page that room, at least its count. It may move: its neighbours know, its parent does
 * not. */
struct id_page *page_with_room(struct id_page *page, unsigned room);
/* Moves the page where the mover wants it; likewise. */
struct id_page *page_relocate(struct id_page *page, struct mem_mover *mover);
/* Takes the page out of its row and frees it. */
void page_free(struct id_page *page);

/* The first item not below `id`, count where there is none. */
unsigned page_lower_bound(const struct id_page *page, struct stream_id id);
/* Of an inner page: the child under which `id` belongs. */
unsigned page_child_of(const struct id_page *page, struct stream_id id);

/* There is room. */
void page_insert(struct id_page *page, unsigned index, struct id_item item);
/* Of an inner page, whose first bound is 0-0 again then, also. */
void page_remove(struct id_page *page, unsigned index);
/* Moves the items from `index` on to the end of another page, which has room. */
void page_move(struct id_page *from, unsigned index, struct id_page *to);

#endif
