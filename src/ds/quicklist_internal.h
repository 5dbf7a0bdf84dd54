/* Private to the quicklist: its directory (quicklist_block.c) and the bytes of its nodes
 * (quicklist_node.c). */
#ifndef PANDO_DS_QUICKLIST_INTERNAL_H
#define PANDO_DS_QUICKLIST_INTERNAL_H

#include "ds/quicklist.h"

static inline struct quicklist_node *node_at(struct quicklist_place place)
{
    return &place.block->nodes[place.node];
}

/* ---- the directory: places of nodes, `item` means nothing --------------------------------------- */

/* The first or the last node; block NULL in an empty list. */
struct quicklist_place quicklist_end_place(const struct quicklist *list, enum quicklist_end end);
/* The next node or the one before; false, the place unchanged, where there is none. */
bool quicklist_step(struct quicklist_place *place, bool forward);
/* Puts a node in before or behind one (block NULL: the list is empty) and counts it. Returns its place;
 * other places are not good any more. */
struct quicklist_place quicklist_add_node(struct quicklist *list, struct quicklist_place beside,
                                          bool after, struct quicklist_node node);
/* Takes a node out, whose bytes stay the caller's. Places of nodes before it stay good. */
void quicklist_take_node(struct quicklist *list, struct quicklist_place place);
/* A node's elements became more or fewer. */
void quicklist_count_items(struct quicklist *list, struct quicklist_place place, int64_t change);
/* Joins a block with a neighbour where both are sparse; does so everywhere. No place is good any more. */
void quicklist_join_blocks(struct quicklist *list, struct quicklist_block *block);
void quicklist_join_all_blocks(struct quicklist *list);
/* Takes a block out with all its nodes and puts it at the tail of another list. */
void quicklist_move_block(struct quicklist *list, struct quicklist_block *block,
                          struct quicklist *to);

/* ---- bytes of nodes ----------------------------------------------------------------------------- */

/* A node of one element: a listpack, or plain if the text is that long. Its memory is counted. */
struct quicklist_node quicklist_new_node(struct quicklist *list, struct span text);
/* Bytes that its allocation takes. */
size_t quicklist_node_memory(const struct quicklist_node *node);
void quicklist_free_node(struct quicklist *list, struct quicklist_node *node);
/* Where its allocation begins. */
static inline uint8_t *quicklist_node_allocation(const struct quicklist_node *node)
{
    return node->bytes - node->front;
}
/* Makes the allocation of a node that is not packed fit `size` bytes. What the node has more or less of
 * them is at that end: so growing at the head, `bytes` is that much in front of what was the first byte. */
void quicklist_resize_node(struct quicklist *list, struct quicklist_node *node,
                           enum quicklist_end end, size_t size);
/* The listpack or plain bytes of a packed node, in `out` (node->size bytes). */
void quicklist_unpack_to(const struct quicklist_node *node, uint8_t *out);
/* Unpacks in place; nothing for other forms. */
void quicklist_unpack_node(struct quicklist *list, struct quicklist_node *node);
/* Packs in place, if it is a listpack and becomes smaller. */
void quicklist_pack_node(struct quicklist *list, struct quicklist_node *node);

#endif
