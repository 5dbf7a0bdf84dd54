/* The directory of a quicklist: blocks of nodes. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/quicklist_internal.h"

enum { BLOCK_NODES_MIN = 4 };

static size_t block_bytes(unsigned cap)
{
    return mem_class(sizeof(struct quicklist_block) + cap * sizeof(struct quicklist_node));
}

/* ---- walking ------------------------------------------------------------------------------------ */

struct quicklist_place quicklist_end_place(const struct quicklist *list, enum quicklist_end end)
{
    struct quicklist_block *block = end == QUICKLIST_HEAD ? list->first : list->last;
    unsigned node = block == NULL || end == QUICKLIST_HEAD ? 0 : block->count - 1u;
    return (struct quicklist_place){.block = block, .node = node};
}

bool quicklist_step(struct quicklist_place *place, bool forward)
{
    struct quicklist_block *block = place->block;
    if (forward && place->node + 1 < block->count) {
        place->node++;
    } else if (!forward && place->node > 0) {
        place->node--;
    } else {
        block = forward ? block->next : block->previous;
        if (block == NULL) return false;
        place->block = block;
        place->node = forward ? 0 : block->count - 1u;
    }
    return true;
}

void quicklist_count_items(struct quicklist *list, struct quicklist_place place, int64_t change)
{
    struct quicklist_node *node = node_at(place);
    node->count = (uint64_t)((int64_t)node->count + change) & QUICKLIST_NODE_ITEMS_MAX;
    place.block->items += (uint64_t)change;
    list->items += (uint64_t)change;
}

/* ---- blocks ------------------------------------------------------------------------------------- */

static void link_block(struct quicklist *list, struct quicklist_block *block,
                       struct quicklist_block *previous)
{
    struct quicklist_block *next = previous != NULL ? previous->next : list->first;
    block->previous = previous;
    block->next = next;
    *(previous != NULL ? &previous->next : &list->first) = block;
    *(next != NULL ? &next->previous : &list->last) = block;
}

static void unlink_block(struct quicklist *list, struct quicklist_block *block)
{
    *(block->previous != NULL ? &block->previous->next : &list->first) = block->next;
    *(block->next != NULL ? &block->next->previous : &list->last) = block->previous;
}

static struct quicklist_block *new_block(struct quicklist *list, struct quicklist_block *previous,
                                         unsigned cap)
{
    struct quicklist_block *block = mem_alloc(block_bytes(cap));
    block->items = 0;
    block->count = 0;
    block->cap = (uint16_t)cap;
    list->memory += block_bytes(cap);
    link_block(list, block, previous);
    return block;
}

static void drop_block(struct quicklist *list, struct quicklist_block *block)
{
    unlink_block(list, block);
    list->memory -= block_bytes(block->cap);
    mem_free(block);
}

static struct quicklist_block *grow_block(struct quicklist *list, struct quicklist_block *block)
{
    unsigned cap = block->cap * 2u;
    list->memory += block_bytes(cap) - block_bytes(block->cap);
    block = mem_realloc(block, block_bytes(cap));
    block->cap = (uint16_t)cap;
    *(block->previous != NULL ? &block->previous->next : &list->first) = block;
    *(block->next != NULL ? &block->next->previous : &list->last) = block;
    return block;
}

/* Moves the last `count` nodes of a block to the front of the one behind it, which has room. */
static void move_nodes(struct quicklist_block *from, unsigned count, struct quicklist_block *to)
{
    struct quicklist_node *moved = from->nodes + from->count - count;
    uint64_t items = 0;

    for (unsigned i = 0; i < count; i++) items += moved[i].count;
    memmove(to->nodes + count, to->nodes, to->count * sizeof *to->nodes);
    memcpy(to->nodes, moved, count * sizeof *moved);
    to->count = (uint16_t)(to->count + count);
    from->count = (uint16_t)(from->count - count);
    to->items += items;
    from->items -= items;
}

/* Room for a node at `place` (whose index may be the block's count). A full block is split in halves,
 * but at the list's ends, where a new one begins: so filling a list from one end leaves full blocks. */
static struct quicklist_place make_room(struct quicklist *list, struct quicklist_place place)
{
    struct quicklist_block *block = place.block;

    if (block->count < block->cap) return place;
    if (block->cap < QUICKLIST_BLOCK_NODES) {
        place.block = grow_block(list, block);
    } else if (place.node == block->count && block->next == NULL) {
        place = (struct quicklist_place){.block = new_block(list, block, BLOCK_NODES_MIN)};
    } else if (place.node == 0 && block->previous == NULL) {
        place = (struct quicklist_place){.block = new_block(list, NULL, BLOCK_NODES_MIN)};
    } else {
        unsigned kept = block->count / 2u;
        struct quicklist_block *half = new_block(list, block, QUICKLIST_BLOCK_NODES);
        move_nodes(block, block->count - kept, half);
        if (place.node > kept)
            place = (struct quicklist_place){.block = half, .node = place.node - kept};
    }
    return place;
}

struct quicklist_place quicklist_add_node(struct quicklist *list, struct quicklist_place beside,
                                          bool after, struct quicklist_node node)
{
    struct quicklist_place place = beside;

    if (place.block == NULL) place.block = new_block(list, NULL, BLOCK_NODES_MIN);
    else place.node += after;
    place = make_room(list, place);
    place.item = 0;

    struct quicklist_block *block = place.block;
    struct quicklist_node *at = block->nodes + place.node;
    memmove(at + 1, at, (block->count - place.node) * sizeof *at);
    *at = node;
    block->count++;
    block->items += node.count;
    list->items += node.count;
    list->nodes++;
    return place;
}

void quicklist_take_node(struct quicklist *list, struct quicklist_place place)
{
    struct quicklist_block *block = place.block;
    struct quicklist_node *at = node_at(place);

    block->items -= at->count;
    list->items -= at->count;
    list->nodes--;
    block->count--;
    memmove(at, at + 1, (block->count - place.node) * sizeof *at);
    if (block->count == 0) drop_block(list, block);
}

/* Makes one block of two neighbours that leave half of it free; returns it, NULL where they do not. */
static struct quicklist_block *join(struct quicklist *list, struct quicklist_block *first)
{
    struct quicklist_block *second = first != NULL ? first->next : NULL;

    if (second == NULL || first->count + second->count > QUICKLIST_BLOCK_NODES / 2) return NULL;
    while (second->cap < first->count + second->count) second = grow_block(list, second);
    move_nodes(first, first->count, second);
    drop_block(list, first);
    return second;
}

void quicklist_join_blocks(struct quicklist *list, struct quicklist_block *block)
{
    if (join(list, block->previous) == NULL) join(list, block);
}

void quicklist_join_all_blocks(struct quicklist *list)
{
    for (struct quicklist_block *block = list->first, *joined; block != NULL;) {
        joined = join(list, block);
        block = joined != NULL ? joined : block->next;
    }
}

void quicklist_move_block(struct quicklist *list, struct quicklist_block *block,
                          struct quicklist *to)
{
    size_t memory = block_bytes(block->cap);

    for (unsigned i = 0; i < block->count; i++) memory += quicklist_node_memory(&block->nodes[i]);
    unlink_block(list, block);
    list->items -= block->items;
    list->nodes -= block->count;
    list->memory -= memory;
    link_block(to, block, to->last);
    to->items += block->items;
    to->nodes += block->count;
    to->memory += memory;
}

static void free_block(struct quicklist_block *block)
{
    for (unsigned i = 0; i < block->count; i++)
        mem_free(quicklist_node_allocation(&block->nodes[i]));
    mem_free(block);
}

void quicklist_release(struct quicklist *list)
{
    for (struct quicklist_block *block = list->first, *next; block != NULL; block = next) {
        next = block->next;
        free_block(block);
    }
    *list = (struct quicklist){.rules = list->rules};
}

/* ---- copies ------------------------------------------------------------------------------------- */

static void copy_node(struct quicklist *out, struct quicklist_block *block,
                      const struct quicklist_node *node)
{
    size_t bytes = quicklist_node_memory(node);
    uint8_t *allocation = mem_alloc(bytes);
    struct quicklist_node *copy = &block->nodes[block->count++];

    memcpy(allocation, quicklist_node_allocation(node), bytes);
    *copy = *node;
    copy->bytes = allocation + node->front;
    out->memory += bytes;
}

void quicklist_copy(const struct quicklist *list, struct quicklist *out)
{
    *out = (struct quicklist){.rules = list->rules, .items = list->items, .nodes = list->nodes};
    for (const struct quicklist_block *from = list->first; from != NULL; from = from->next) {
        struct quicklist_block *to = new_block(out, out->last, from->cap);
        for (unsigned i = 0; i < from->count; i++) copy_node(out, to, &from->nodes[i]);
        to->items = from->items;
    }
    check(out->memory == list->memory);
}

/* ---- defragmentation ----------------------------------------------------------------------------- */

uint64_t quicklist_relocate(struct quicklist *list, uint64_t index, struct mem_mover *mover)
{
    struct quicklist_block *block = list->first;
    uint64_t before = 0;

    for (; block != NULL && before + block->items <= index; block = block->next)
        before += block->items;
    if (block == NULL) return list->items;
    block = mem_mover_move(mover, block, block_bytes(block->cap));
    *(block->previous != NULL ? &block->previous->next : &list->first) = block;
    *(block->next != NULL ? &block->next->previous : &list->last) = block;
    for (unsigned i = 0; i < block->count; i++) {
        struct quicklist_node *node = &block->nodes[i];
        uint8_t *allocation = quicklist_node_allocation(node);
        node->bytes =
            (uint8_t *)mem_mover_move(mover, allocation, quicklist_node_memory(node)) + node->front;
    }
    return before + block->items;
}
