/* Between sorted_index.c (looking) and sorted_index_change.c (changing): the nodes.
 *
 * Level 0 are the leaves. The two kinds of node differ in the size of their slots alone, so that
 * whatever moves slots between nodes is written once, for both. */
#ifndef PANDO_DS_SORTED_INDEX_INSIDE_H
#define PANDO_DS_SORTED_INDEX_INSIDE_H

#include "base/check.h"
#include "ds/sorted_index.h"

struct sorted_node {
    uint16_t count; /* slots in use */
};

#define LEAF_SLOTS  21
#define INNER_SLOTS 15

struct sorted_leaf {
    struct sorted_node node;
    uint8_t items[LEAF_SLOTS][6]; /* little-endian */
};
_Static_assert(sizeof(struct sorted_leaf) == 128, "a leaf fills its size class, two cache lines");

struct sorted_branch {
    double score;      /* of the first item */
    const void *first; /* the first item below */
    struct sorted_node *child;
    uint64_t count; /* items below */
};

struct sorted_inner {
    struct sorted_node node;
    struct sorted_branch branches[INNER_SLOTS];
};
_Static_assert(sizeof(struct sorted_inner) <= 512, "the size class of an inner node");

/* The measures of the nodes of a level. */
struct sorted_shape {
    size_t head_bytes, slot_bytes, node_bytes;
    unsigned slots, least; /* at most; at least, but for the edges */
};

static inline const struct sorted_shape *shape_of(unsigned level)
{
    static const struct sorted_shape leaf = {.head_bytes = offsetof(struct sorted_leaf, items),
                                             .slot_bytes = 6,
                                             .node_bytes = sizeof(struct sorted_leaf),
                                             .slots = LEAF_SLOTS,
                                             .least = LEAF_SLOTS / 2};
    static const struct sorted_shape inner = {.head_bytes = offsetof(struct sorted_inner, branches),
                                              .slot_bytes = sizeof(struct sorted_branch),
                                              .node_bytes = sizeof(struct sorted_inner),
                                              .slots = INNER_SLOTS,
                                              .least = INNER_SLOTS / 2};
    return level == 0 ? &leaf : &inner;
}

static inline void *leaf_item(const void *node, unsigned at)
{
    uint64_t bits = 0;
    memcpy(&bits, ((const struct sorted_leaf *)node)->items[at], 6);
    return (void *)(uintptr_t)bits;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "leaves store pointers so");

static inline struct sorted_branch *inner_branch(void *node, unsigned at)
{
    return &((struct sorted_inner *)node)->branches[at];
}

/* The slots of the node of `level` on the path. */
static inline unsigned step_count(const struct sorted_position *position, unsigned level)
{
    return ((const struct sorted_node *)position->path[level].node)->count;
}

/* Finds the leaf where the bound stands, and the place in it, which may be behind its last item:
 * where something that belongs at the bound is to be put. The index is not empty. */
void sorted_index_descend(const struct sorted_index *index, const struct sorted_bound *bound,
                          struct sorted_position *position);
/* The path to an item, which must be there and has the key of `twin`. */
void sorted_index_find(const struct sorted_index *index, const void *item, const void *twin,
                       struct sorted_position *position);
/* The line before the key of an item. */
struct sorted_bound sorted_bound_of(const struct sorted_index *index, const void *item);

#endif
