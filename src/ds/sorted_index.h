/* An index of items in order of (score, member bytes): a counted B+tree that finds by key and by rank.
 *
 *                        +--------------------------------------+
 *   inner node, 488 B    | branch | branch | ...  up to 15      |   branch: lowest score, first item,
 *                        +----|--------|------------------------+           node, number of items below
 *                             v        v
 *                        +---------+---------+
 *   leaf, 128 B          | 6 6 6 6 | 6 6 6 6 |   up to 21 pointers to items, 48 bits each
 *                        +---------+---------+
 *
 * The items belong to somebody else (a table of the members, string_table.h): the index asks a hook
 * for an item's score and member. Inner nodes repeat the scores, so that a search touches items
 * only in its leaf, and where scores are equal.
 *
 * A full node first shares with a neighbour; two full neighbours become three. So nodes are about
 * five sixths full in random order, and the whole takes some 10 bytes per item. At both ends of
 * the tree a full node is left full and a new one begun beside it: items that arrive in order, up
 * or down, make full leaves.
 *
 * Invariants
 * 1. All leaves are equally deep. A node is at least half full, unless it is the root or stands on
 *    the left or right edge of the tree; there it holds at least one.
 * 2. A branch says exactly what is below: the number of items, the first of them and its score.
 * 3. Items stand in strictly rising order of (score, member): no two are equal, no score is NaN.
 * 4. Reading changes no byte: several threads may read while none changes.
 *
 * Every call takes time in proportion to the tree's height, but sorted_index_release (all nodes)
 * and sorted_index_check (everything). A position is good until the next change. */
#ifndef PANDO_DS_SORTED_INDEX_H
#define PANDO_DS_SORTED_INDEX_H

#include "base/mem_mover.h"
#include "base/span.h"
#include <stdint.h>

/* What an item is sorted by. The text is borrowed from the item. */
struct sorted_key {
    double score;
    struct span member;
};

struct sorted_index {
    struct sorted_key (*key)(const void *item);
    void *root;      /* NULL: empty */
    unsigned height; /* levels of inner nodes above the leaves */
    size_t count;    /* items */
    size_t leaves, inner_nodes;
};

void sorted_index_init(struct sorted_index *index, struct sorted_key (*key)(const void *item));
/* Frees the nodes, not the items. */
void sorted_index_release(struct sorted_index *index);
size_t sorted_index_memory(const struct sorted_index *index); /* bytes of all nodes */

/* Puts an item in whose key is not there yet. The pointer is below 2^48. */
void sorted_index_insert(struct sorted_index *index, void *item);
/* Takes an item out, which must be there, with the key under which it was put in. */
void sorted_index_remove(struct sorted_index *index, const void *item);
/* The item `from` stands at another address from now on. Both can be read, and have the same key. */
void sorted_index_relocate(struct sorted_index *index, const void *from, void *to);

/* Moves what the mover wants moved of the nodes: the leaf of the item of this rank, and the inner nodes that
 * begin with it. Returns the rank behind that leaf; begin with 0, the count ends it. */
size_t sorted_index_relocate_leaf(struct sorted_index *index, size_t rank, struct mem_mover *mover);

/* ---- positions ---------------------------------------------------------------------------------- */

/* Levels that a tree can have: 2^44 items are more than 48 bits of addresses can hold, and
 * 10 * 7^15 is more than that. Only nodes on the edges are less than half full. */
#define SORTED_LEVELS_MAX 18

/* Before an item, or behind the last one. */
struct sorted_position {
    unsigned height;
    struct sorted_step {
        void *node;
        unsigned at; /* in the leaf (step 0): the item; above: the branch taken */
    } path[SORTED_LEVELS_MAX];
};

/* A line through the order, before or behind the items that are equal to it by what `by` names;
 * SORTED_BY_NOTHING: behind all of them. By member alone is for an index of equal scores; in others
 * the order by members is not one, and the line stands somewhere. */
struct sorted_bound {
    enum sorted_by { SORTED_BY_SCORE, SORTED_BY_MEMBER, SORTED_BY_BOTH, SORTED_BY_NOTHING } by;
    bool behind_equal;
    double score;
    struct span member;
};

/* Whether a key stands before the bound. */
bool sorted_key_is_before(const struct sorted_key *key, const struct sorted_bound *bound);
/* The first item behind the bound; its rank is returned. */
size_t sorted_index_seek(const struct sorted_index *index, const struct sorted_bound *bound,
                         struct sorted_position *position);
/* The item of a rank, 0 the first; behind the last one where there are not so many. */
void sorted_index_at(const struct sorted_index *index, size_t rank,
                     struct sorted_position *position);
/* The rank of an item, which must be there. */
size_t sorted_index_rank(const struct sorted_index *index, const void *item);

/* The item at a position, NULL behind the last one. */
void *sorted_position_item(const struct sorted_position *position);
/* The item so many places on in the same leaf (negative: back), NULL where the leaf has none there: for
 * whoever wants to load ahead. */
void *sorted_position_beside(const struct sorted_position *position, int places);
/* To the next item; not from behind the last one. */
void sorted_position_next(struct sorted_position *position);
/* To the item before; false, staying, where there is none. */
bool sorted_position_previous(struct sorted_position *position);

/* Takes the item at a position out; the position is none afterwards. */
void sorted_index_remove_at(struct sorted_index *index, struct sorted_position *position);

/* Checks every invariant; aborts where one is broken. For tests and fuzzers. */
void sorted_index_check(const struct sorted_index *index);

#endif
