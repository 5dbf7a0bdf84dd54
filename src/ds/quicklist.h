/* Quicklist: a long list as a chain of listpacks, and a directory of them.
 *
 *   blocks   [ node node node ]  <->  [ node node ... ]  <->  [ node node ]
 *               |    |                                            |
 *   bytes    listpack listpack  ...  packed, packed, plain  ...  listpack
 *
 * A node holds elements in one allocation, so that an element costs a few bytes and a change moves at
 * most a node's worth of them. The nodes stand in blocks of up to 128, each block knowing how many
 * elements are below it: an index is found by passing over whole blocks, then over the nodes of one
 * (they lie side by side), then within a listpack.
 *
 * How many elements share a node is told by `fill`: -1 to -5 allow it 4, 8, 16, 32, 64 KB, a positive
 * number allows that many elements and 8 KB. What does not fit besides others gets a node of its own.
 * Elements of plain_bytes_min and more are no listpack but the plain bytes. Which nodes a history of
 * pushes, insertions and removals leads to is that of Redis 7.0.15 exactly (found by experiment, and
 * kept by comparing DUMP payloads), since RDB files and DUMP show it:
 *   - an element joins the node at the end, or the one it is inserted into, if that admits it;
 *   - else, inserted at a node's edge, it joins the neighbour on that side, or becomes a node between;
 *   - else the node is split there; the new element joins the part that it stands before or behind, and
 *     then neighbours around that place are merged where two fit into one. Beside a plain element
 *     nothing is merged;
 *   - replacing stays within the node, whatever its size becomes, unless one of the two is plain; removing
 *     merges nothing.
 *
 * With depth > 0 the nodes further than `depth` from both ends are kept LZF-packed, where that makes
 * them smaller. Whoever reads one unpacks it into memory of its own (struct quicklist_walk): reading
 * changes no byte of the list, so that a snapshot's thread may read it meanwhile.
 *
 * Nothing here is proportional to the list, but what must look at its elements: no command pays for
 * growth, and quicklist_trim passes whole blocks to another list, for whoever frees it.
 *
 * A node's bytes lie somewhere in its allocation: what a size class leaves free is in front of them or
 * behind, so that at both ends of a list an element comes and goes without moving the others.
 *
 *   allocation  [ free: front | bytes: size | free ]
 *
 * A change within a node moves what stands on the nearer side of it. Where that side has no room the
 * bytes move to the next class, with all that is free there on the side that grows.
 *
 * Invariants (quicklist_check)
 * 1. No node is empty, no block is empty. Counts of elements are right in nodes, blocks and list.
 * 2. A node's allocation is mem_class(size) bytes, in which front + size find room (packed: mem_class of
 *    what the packed bytes take, from the front on), a block's is that of `cap` nodes; `memory` is the sum
 *    of them all.
 * 3. depth > 0: the first and the last `depth` nodes are not packed. depth 0: none is. */
#ifndef PANDO_DS_QUICKLIST_H
#define PANDO_DS_QUICKLIST_H

#include "base/mem_mover.h"
#include "ds/listpack.h"

enum quicklist_form {
    QUICKLIST_LISTPACK,
    QUICKLIST_PLAIN,  /* one element, its bytes as they are */
    QUICKLIST_PACKED, /* a listpack, packed: struct quicklist_packed */
};

struct quicklist_node {
    uint8_t *bytes;
    uint64_t size : 36;  /* of the listpack (unpacked) or the plain element */
    uint64_t count : 16; /* elements */
    uint64_t front : 10; /* free bytes in front of `bytes`, where the allocation begins */
    uint64_t form : 2;
};
_Static_assert(sizeof(struct quicklist_node) == 16, "a directory of many small nodes is dear else");

#define QUICKLIST_SIZE_MAX       ((1ull << 36) - 1)
#define QUICKLIST_NODE_ITEMS_MAX ((1u << 16) - 1)
/* All that size classes leave free in nodes of up to 8 KB. Larger ones move their bytes a bit more often. */
#define QUICKLIST_NODE_FRONT_MAX ((1u << 10) - 1)
#define QUICKLIST_NODE_BYTES_MAX (2ull << 30) /* a listpack's; no replacing makes a larger one */

struct quicklist_packed {
    uint32_t len; /* of the LZF bytes */
    uint8_t bytes[];
};

#define QUICKLIST_BLOCK_NODES 128

struct quicklist_block {
    struct quicklist_block *previous, *next;
    uint64_t items;
    uint16_t count, cap; /* nodes */
    struct quicklist_node nodes[];
};

/* What decides about nodes. A list keeps `fill` and `depth` of its beginning. */
struct quicklist_rules {
    int32_t fill;           /* as list-max-listpack-size, -5 to 32767; 0 means 1 */
    uint32_t depth;         /* as list-compress-depth, at most 65535 */
    size_t plain_bytes_min; /* may be changed at any time */
};
/* The settings as a configuration says them, brought into range; plain_bytes_min 0 means 1 GB. */
struct quicklist_rules quicklist_rules(int64_t fill, int64_t depth, size_t plain_bytes_min);
/* Whether a listpack of so many bytes and elements admits another one of this text. */
bool quicklist_admits(const struct quicklist_rules *rules, size_t size, size_t count,
                      struct span text);

/* Zeros and rules are an empty list. Owned by whoever embeds it; not to be copied. */
struct quicklist {
    struct quicklist_block *first, *last;
    uint64_t items;
    size_t nodes;
    size_t memory; /* bytes of all allocations */
    struct quicklist_rules rules;
};

enum quicklist_end { QUICKLIST_HEAD, QUICKLIST_TAIL };

/* Frees everything and leaves an empty list. Any thread. */
void quicklist_release(struct quicklist *list);
/* Into *out, which is uninitialised. */
void quicklist_copy(const struct quicklist *list, struct quicklist *out);

/* An element. `block` is NULL for none. Good until the list changes. */
struct quicklist_place {
    struct quicklist_block *block;
    unsigned node; /* in the block */
    size_t item;   /* offset in the node's listpack as unpacked; 0 in a plain node */
};

/* ---- changing: texts may not lie in the list ---------------------------------------------------- */

void quicklist_push(struct quicklist *list, enum quicklist_end end, struct span text);
void quicklist_insert(struct quicklist *list, struct quicklist_place at, bool after,
                      struct span text);
void quicklist_replace(struct quicklist *list, struct quicklist_place at, struct span text);
/* Removes the elements that are this text: at most `limit` (UINT64_MAX: all), looking from the head or
 * from the tail. Returns how many. */
uint64_t quicklist_remove(struct quicklist *list, enum quicklist_end from, struct span text,
                          uint64_t limit);
/* The same in a single listpack, whose memory stays as it is. */
uint64_t quicklist_remove_equal(uint8_t *lp, enum quicklist_end from, struct span text,
                                uint64_t limit);
/* Removes so many elements from the ends, together at most all. Whole blocks of them go to `cut`, an
 * empty list, in no order and only to be released, by another thread maybe; NULL: they are freed. */
void quicklist_trim(struct quicklist *list, uint64_t head, uint64_t tail, struct quicklist *cut);

/* For loaders: a node more at the tail, whatever its size. `bytes` are a sound listpack, not empty,
 * within the two maxima above, or a plain element; taken over: allocated with mem_class(size) bytes. */
void quicklist_append_node(struct quicklist *list, enum quicklist_form form, uint8_t *bytes,
                           size_t size);

/* Moves what the mover wants moved of the block of the element with this index, and of its nodes. Returns the
 * index behind that block; begin with 0, the count ends it. */
uint64_t quicklist_relocate(struct quicklist *list, uint64_t index, struct mem_mover *mover);

/* ---- reading ------------------------------------------------------------------------------------ */

/* A walk over the elements of a list, or of a single listpack. The list must not change meanwhile; the
 * values are borrowed from it or from the walk, until the next step into another node. */
struct quicklist_walk {
    struct quicklist_place at; /* `block` NULL: a listpack of its own, or the end */
    const uint8_t *lp;         /* NULL: a plain node, or the end */
    uint8_t *unpacked;         /* scratch for packed nodes */
    size_t unpacked_cap;
};
/* Each returns false where there is no such element; then nothing has to be closed. Negative indexes
 * count from the tail. */
bool quicklist_walk_open(struct quicklist_walk *walk, const struct quicklist *list, int64_t index);
bool quicklist_walk_listpack(struct quicklist_walk *walk, const uint8_t *lp, int64_t index);
void quicklist_walk_close(struct quicklist_walk *walk); /* may be called twice */

/* False at the end. For _next and _previous. */
bool quicklist_walk_node(struct quicklist_walk *walk, bool forward);
static inline bool quicklist_walk_next(struct quicklist_walk *walk)
{
    size_t item = walk->lp != NULL ? listpack_next(walk->lp, walk->at.item) : 0;
    if (__builtin_expect(item == 0, 0)) return quicklist_walk_node(walk, true);
    walk->at.item = item;
    return true;
}
static inline bool quicklist_walk_previous(struct quicklist_walk *walk)
{
    size_t item = walk->lp != NULL ? listpack_previous(walk->lp, walk->at.item) : 0;
    if (__builtin_expect(item == 0, 0)) return quicklist_walk_node(walk, false);
    walk->at.item = item;
    return true;
}
static inline struct listpack_value quicklist_walk_value(const struct quicklist_walk *walk)
{
    if (__builtin_expect(walk->lp != NULL, 1)) return listpack_value(walk->lp, walk->at.item);
    const struct quicklist_node *node = &walk->at.block->nodes[walk->at.node];
    return (struct listpack_value){(const char *)node->bytes, node->size, 0};
}
/* From here on to the first element that is this text; false, and the walk at its end, where there is
 * none. */
bool quicklist_walk_find(struct quicklist_walk *walk, struct span text);
struct span quicklist_walk_text(const struct quicklist_walk *walk,
                                char scratch[static NUM_INT64_CHARS]);

/* Whether all invariants hold: for tests. */
bool quicklist_check(const struct quicklist *list);

#endif
