#include "ds/id_page.h"

#include "base/check.h"
#include "base/mem.h"
#include <string.h>

static size_t page_bytes(unsigned room)
{
    return sizeof(struct id_page) + room * sizeof(struct id_item);
}

static void link_in(struct id_page *page)
{
    if (page->left != NULL) page->left->right = page;
    if (page->right != NULL) page->right->left = page;
}

struct id_page *page_new(bool is_leaf, struct id_page *left, struct id_page *right)
{
    struct id_page *page = mem_alloc(page_bytes(1));
    *page = (struct id_page){.left = left, .right = right, .room = 1, .is_leaf = is_leaf};
    link_in(page);
    return page;
}

unsigned page_room_for(unsigned count)
{
    unsigned room = 1;
    while (room < count) room = 2 * room + 1;
    return room;
}

struct id_page *page_with_room(struct id_page *page, unsigned room)
{
    check(page->count <= room && room <= ROOM_MAX);
    page = mem_realloc(page, page_bytes(room));
    page->room = (uint16_t)room;
    link_in(page);
    return page;
}

struct id_page *page_relocate(struct id_page *page, struct mem_mover *mover)
{
    page = mem_mover_move(mover, page, page_bytes(page->room));
    link_in(page);
    return page;
}

void page_free(struct id_page *page)
{
    if (page->left != NULL) page->left->right = page->right;
    if (page->right != NULL) page->right->left = page->left;
    mem_free(page);
}

unsigned page_lower_bound(const struct id_page *page, struct stream_id id)
{
    unsigned from = 0, to = page->count;

    /* Most ids come at the end. */
    if (to > 0 && stream_id_less(page->items[to - 1].id, id)) return to;
    while (from < to) {
        unsigned middle = (from + to) / 2;
        if (stream_id_less(page->items[middle].id, id)) from = middle + 1;
        else to = middle;
    }
    return from;
}

unsigned page_child_of(const struct id_page *page, struct stream_id id)
{
    unsigned index = page_lower_bound(page, id);
    if (index < page->count && stream_id_equal(page->items[index].id, id)) return index;
    return index - 1; /* the first bound is not above any id */
}

void page_insert(struct id_page *page, unsigned index, struct id_item item)
{
    check(page->count < page->room && index <= page->count);
    memmove(&page->items[index + 1], &page->items[index],
            (page->count - index) * sizeof(struct id_item));
    page->items[index] = item;
    page->count++;
}

void page_remove(struct id_page *page, unsigned index)
{
    check(index < page->count);
    page->count--;
    memmove(&page->items[index], &page->items[index + 1],
            (page->count - index) * sizeof(struct id_item));
    if (!page->is_leaf && page->count > 0) page->items[0].id = STREAM_ID_MIN;
}

void page_move(struct id_page *from, unsigned index, struct id_page *to)
{
    unsigned count = from->count - index;

    check(to->count + count <= to->room);
    memcpy(&to->items[to->count], &from->items[index], count * sizeof(struct id_item));
    to->count = (uint16_t)(to->count + count);
    from->count = (uint16_t)index;
}
