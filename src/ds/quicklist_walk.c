/* Reading a quicklist, and checking one. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/quicklist_internal.h"

/* The listpack of the node that the walk is at; NULL for a plain node. */
static const uint8_t *open_node(struct quicklist_walk *walk)
{
    const struct quicklist_node *node = node_at(walk->at);

    if (node->form == QUICKLIST_LISTPACK) return node->bytes;
    if (node->form == QUICKLIST_PLAIN) return NULL;
    if (node->size > walk->unpacked_cap) {
        mem_free(walk->unpacked);
        walk->unpacked_cap = node->size;
        walk->unpacked = mem_alloc(walk->unpacked_cap);
    }
    quicklist_unpack_to(node, walk->unpacked);
    return walk->unpacked;
}

/* Finds the node of the element `*steps` behind the head, or before the tail, which exists; the steps
 * left are within the node. */
static struct quicklist_place find_node(const struct quicklist *list, bool forward, uint64_t *steps)
{
    struct quicklist_block *block = forward ? list->first : list->last;

    while (*steps >= block->items) {
        *steps -= block->items;
        block = forward ? block->next : block->previous;
    }
    unsigned node = forward ? 0 : block->count - 1u;
    while (*steps >= block->nodes[node].count) {
        *steps -= block->nodes[node].count;
        node += forward ? 1u : -1u;
    }
    return (struct quicklist_place){.block = block, .node = node};
}

bool quicklist_walk_open(struct quicklist_walk *walk, const struct quicklist *list, int64_t index)
{
    uint64_t behind_head = index < 0 ? list->items + (uint64_t)index : (uint64_t)index;
    *walk = (struct quicklist_walk){0};
    if (behind_head >= list->items) return false; /* also a negative one that is too small */

    bool forward = behind_head < list->items / 2;
    uint64_t steps = forward ? behind_head : list->items - 1 - behind_head;
    walk->at = find_node(list, forward, &steps);
    walk->lp = open_node(walk);
    if (walk->lp != NULL)
        walk->at.item = listpack_at(walk->lp, forward ? (int64_t)steps : -(int64_t)steps - 1);
    return true;
}

bool quicklist_walk_listpack(struct quicklist_walk *walk, const uint8_t *lp, int64_t index)
{
    *walk = (struct quicklist_walk){.lp = lp};
    walk->at.item = listpack_at(lp, index);
    return walk->at.item != 0;
}

bool quicklist_walk_node(struct quicklist_walk *walk, bool forward)
{
    if (walk->at.block == NULL || !quicklist_step(&walk->at, forward)) {
        walk->at = (struct quicklist_place){0};
        walk->lp = NULL;
        return false;
    }
    walk->lp = open_node(walk);
    if (walk->lp == NULL) walk->at.item = 0;
    else walk->at.item = forward ? listpack_first(walk->lp) : listpack_last(walk->lp);
    return true;
}

bool quicklist_walk_find(struct quicklist_walk *walk, struct span text)
{
    do {
        if (walk->lp != NULL) {
            size_t found = listpack_find(walk->lp, walk->at.item, text, 0);
            walk->at.item = found;
            if (found != 0) return true;
        } else {
            struct listpack_value value = quicklist_walk_value(walk);
            if (span_equal(span_of(value.ptr, value.len), text)) return true;
        }
    } while (quicklist_walk_node(walk, true));
    return false;
}

void quicklist_walk_close(struct quicklist_walk *walk)
{
    if (walk->unpacked == NULL) return; /* nearly always; to free nothing costs as much as a step */
    mem_free(walk->unpacked);
    walk->unpacked = NULL;
    walk->unpacked_cap = 0;
}

struct span quicklist_walk_text(const struct quicklist_walk *walk,
                                char scratch[static NUM_INT64_CHARS])
{
    return listpack_value_text(quicklist_walk_value(walk), scratch);
}

/* ---- checking ----------------------------------------------------------------------------------- */

static bool node_is_sound(const struct quicklist_node *node)
{
    if (node->count == 0) return false;
    if (node->form == QUICKLIST_PACKED ? node->front > 0
                                       : node->front + node->size > quicklist_node_memory(node))
        return false;
    if (node->form == QUICKLIST_PLAIN) return node->count == 1;

    uint8_t *lp = mem_alloc(node->size);
    if (node->form == QUICKLIST_PACKED) quicklist_unpack_to(node, lp);
    else memcpy(lp, node->bytes, node->size);
    bool sound = listpack_validate(span_of(lp, node->size)) && listpack_count(lp) == node->count;
    mem_free(lp);
    return sound;
}

static bool block_is_sound(const struct quicklist_block *block, size_t *memory)
{
    uint64_t items = 0;

    if (block->count == 0 || block->count > block->cap) return false;
    for (unsigned i = 0; i < block->count; i++) {
        if (!node_is_sound(&block->nodes[i])) return false;
        items += block->nodes[i].count;
        *memory += quicklist_node_memory(&block->nodes[i]);
    }
    *memory += mem_class(sizeof *block + block->cap * sizeof *block->nodes);
    return items == block->items;
}

static bool ends_are_unpacked(const struct quicklist *list)
{
    for (int end = QUICKLIST_HEAD; end <= QUICKLIST_TAIL; end++) {
        struct quicklist_place place = quicklist_end_place(list, (enum quicklist_end)end);
        for (uint32_t i = 0; place.block != NULL && i < list->rules.depth; i++) {
            if (node_at(place)->form == QUICKLIST_PACKED) return false;
            if (!quicklist_step(&place, end == QUICKLIST_HEAD)) break;
        }
    }
    return true;
}

bool quicklist_check(const struct quicklist *list)
{
    const struct quicklist_block *before = NULL;
    size_t nodes = 0, memory = 0;
    uint64_t items = 0;

    for (const struct quicklist_block *block = list->first; block != NULL; block = block->next) {
        if (block->previous != before || !block_is_sound(block, &memory)) return false;
        nodes += block->count;
        items += block->items;
        before = block;
    }
    return list->last == before && nodes == list->nodes && items == list->items &&
           memory == list->memory && ends_are_unpacked(list);
}
