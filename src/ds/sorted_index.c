/* Looking into the index: by bound, by rank, from one position to the next. */
#include "ds/sorted_index.h"

#include "base/prefetch.h"
#include "ds/sorted_index_inside.h"
#include <math.h>

void sorted_index_init(struct sorted_index *index, struct sorted_key (*key)(const void *item))
{
    *index = (struct sorted_index){.key = key};
}

size_t sorted_index_memory(const struct sorted_index *index)
{
    return index->leaves * 128 + index->inner_nodes * 512;
}

/* ---- by bound ----------------------------------------------------------------------------------- */

enum side { BEFORE, BEHIND, UNDECIDED };

/* On which side of the bound something of that score stands, as far as the score tells. */
static inline enum side side_of_score(const struct sorted_bound *bound, double score)
{
    switch (bound->by) {
    case SORTED_BY_NOTHING: return BEFORE;
    case SORTED_BY_MEMBER: return UNDECIDED;
    case SORTED_BY_SCORE:
    case SORTED_BY_BOTH: break;
    }
    if (score != bound->score) return score < bound->score ? BEFORE : BEHIND;
    if (bound->by == SORTED_BY_BOTH) return UNDECIDED;
    return bound->behind_equal ? BEFORE : BEHIND;
}

static bool member_is_before(const struct sorted_bound *bound, struct span member)
{
    int order = span_compare(member, bound->member);
    return order < 0 || (order == 0 && bound->behind_equal);
}

bool sorted_key_is_before(const struct sorted_key *key, const struct sorted_bound *bound)
{
    enum side side = side_of_score(bound, key->score);
    return side == UNDECIDED ? member_is_before(bound, key->member) : side == BEFORE;
}

static bool item_is_before(const struct sorted_index *index, const struct sorted_bound *bound,
                           const void *item)
{
    struct sorted_key key = index->key(item);
    return sorted_key_is_before(&key, bound);
}

/* The same for the first item below a branch, which is read only where its score does not tell. */
static bool branch_is_before(const struct sorted_index *index, const struct sorted_bound *bound,
                             const struct sorted_branch *branch)
{
    enum side side = side_of_score(bound, branch->score);
    if (side != UNDECIDED) return side == BEFORE;
    return member_is_before(bound, index->key(branch->first).member);
}

/* The branch to follow: the last one that begins before the bound, or the first one. */
static unsigned choose_branch(const struct sorted_index *index, const struct sorted_bound *bound,
                              void *node)
{
    unsigned low = 1, high = ((struct sorted_node *)node)->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (branch_is_before(index, bound, inner_branch(node, middle))) low = middle + 1;
        else high = middle;
    }
    return low - 1;
}

static unsigned choose_item(const struct sorted_index *index, const struct sorted_bound *bound,
                            const void *leaf)
{
    unsigned low = 0, high = ((const struct sorted_node *)leaf)->count;

    /* What the second and third question may be about is on its way during the first. */
    for (unsigned eighths = 1; eighths < 8 && high >= 8; eighths++)
        prefetch(leaf_item(leaf, high * eighths / 8));
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (item_is_before(index, bound, leaf_item(leaf, middle))) low = middle + 1;
        else high = middle;
    }
    return low;
}

void sorted_index_descend(const struct sorted_index *index, const struct sorted_bound *bound,
                          struct sorted_position *position)
{
    void *node = index->root;

    position->height = index->height;
    for (unsigned level = index->height; level > 0; level--) {
        unsigned at = choose_branch(index, bound, node);
        position->path[level] = (struct sorted_step){node, at};
        node = inner_branch(node, at)->child;
        if (level <= 2) /* those above are few, and stay in the cache */
            for (size_t i = 0; i < shape_of(level - 1)->node_bytes; i += 64)
                prefetch((const char *)node + i);
    }
    position->path[0] = (struct sorted_step){node, choose_item(index, bound, node)};
}

struct sorted_bound sorted_bound_of(const struct sorted_index *index, const void *item)
{
    struct sorted_key key = index->key(item);
    return (struct sorted_bound){SORTED_BY_BOTH, false, key.score, key.member};
}

/* ---- positions ---------------------------------------------------------------------------------- */

static void set_empty(struct sorted_position *position)
{
    position->height = 0;
    position->path[0] = (struct sorted_step){NULL, 0};
}

/* The first (or last) leaf below the step at `level`, and its first (or last) item. */
static void go_down(struct sorted_position *position, unsigned level, bool to_last)
{
    for (; level > 0; level--) {
        struct sorted_step *step = &position->path[level];
        position->path[level - 1] =
            (struct sorted_step){inner_branch(step->node, step->at)->child, 0};
        if (to_last) position->path[level - 1].at = step_count(position, level - 1) - 1;
    }
}

/* From behind the last item of a leaf to the first one of the next leaf, where there is one. */
static void settle(struct sorted_position *position)
{
    unsigned level = 0;

    if (position->path[0].at < step_count(position, 0)) return;
    while (level < position->height &&
           position->path[level + 1].at + 1 == step_count(position, level + 1))
        level++;
    if (level == position->height) return;
    position->path[level + 1].at++;
    go_down(position, level + 1, false);
}

static size_t rank_of(const struct sorted_position *position)
{
    size_t rank = position->path[0].at;

    for (unsigned level = 1; level <= position->height; level++)
        for (unsigned at = 0; at < position->path[level].at; at++)
            rank += inner_branch(position->path[level].node, at)->count;
    return rank;
}

size_t sorted_index_seek(const struct sorted_index *index, const struct sorted_bound *bound,
                         struct sorted_position *position)
{
    if (index->root == NULL) {
        set_empty(position);
        return 0;
    }
    sorted_index_descend(index, bound, position);
    size_t rank = rank_of(position);
    settle(position);
    return rank;
}

void sorted_index_find(const struct sorted_index *index, const void *item, const void *twin,
                       struct sorted_position *position)
{
    struct sorted_bound bound = sorted_bound_of(index, twin);

    check(index->root != NULL);
    bound.behind_equal = true; /* so the item is the one before, in the same leaf */
    sorted_index_descend(index, &bound, position);
    check(position->path[0].at-- > 0 && sorted_position_item(position) == item);
}

size_t sorted_index_rank(const struct sorted_index *index, const void *item)
{
    struct sorted_position position;

    sorted_index_find(index, item, item, &position);
    return rank_of(&position);
}

void sorted_index_at(const struct sorted_index *index, size_t rank,
                     struct sorted_position *position)
{
    void *node = index->root;
    size_t left = rank < index->count ? rank : index->count;

    if (node == NULL) {
        set_empty(position);
        return;
    }
    position->height = index->height;
    for (unsigned level = index->height; level > 0; level--) {
        unsigned at = 0, last = ((struct sorted_node *)node)->count - 1u;
        while (at < last && left >= inner_branch(node, at)->count)
            left -= inner_branch(node, at++)->count;
        position->path[level] = (struct sorted_step){node, at};
        node = inner_branch(node, at)->child;
    }
    position->path[0] = (struct sorted_step){node, (unsigned)left};
}

void *sorted_position_beside(const struct sorted_position *position, int places)
{
    const struct sorted_step *step = &position->path[0];
    int64_t at = (int64_t)step->at + places;

    if (step->node == NULL || at < 0 || at >= step_count(position, 0)) return NULL;
    return leaf_item(step->node, (unsigned)at);
}

void *sorted_position_item(const struct sorted_position *position)
{
    const struct sorted_step *leaf = &position->path[0];

    if (leaf->node == NULL || leaf->at == step_count(position, 0)) return NULL;
    return leaf_item(leaf->node, leaf->at);
}

void sorted_position_next(struct sorted_position *position)
{
    check(position->path[0].at < step_count(position, 0));
    position->path[0].at++;
    settle(position);
}

bool sorted_position_previous(struct sorted_position *position)
{
    unsigned level = 0;

    if (position->path[0].node == NULL) return false;
    if (position->path[0].at > 0) {
        position->path[0].at--;
        return true;
    }
    while (level < position->height && position->path[level + 1].at == 0) level++;
    if (level == position->height) return false;
    position->path[level + 1].at--;
    go_down(position, level + 1, true);
    return true;
}

/* ---- the whole structure ------------------------------------------------------------------------ */

struct census {
    const struct sorted_index *index;
    const void *before; /* the last item seen */
    size_t leaves, inner_nodes;
};

static void check_leaf(struct census *census, const void *leaf)
{
    const struct sorted_index *index = census->index;

    census->leaves++;
    for (unsigned at = 0; at < ((const struct sorted_node *)leaf)->count; at++) {
        const void *item = leaf_item(leaf, at);
        check(!isnan(index->key(item).score));
        if (census->before != NULL) {
            struct sorted_bound bound = sorted_bound_of(index, item);
            check(item_is_before(index, &bound, census->before));
            bound = sorted_bound_of(index, census->before);
            check(!item_is_before(index, &bound, item));
        }
        census->before = item;
    }
}

static const void *first_below(void *node, unsigned level)
{
    for (; level > 0; level--) node = inner_branch(node, 0)->child;
    return leaf_item(node, 0);
}

/* Returns the number of items below. `left` and `right`: the node is on that edge of the tree. */
static size_t check_node(struct census *census, void *node, unsigned level, bool left, bool right)
{
    unsigned count = ((struct sorted_node *)node)->count;
    size_t items = 0;

    check(count >= (left || right ? 1 : shape_of(level)->least));
    check(count <= shape_of(level)->slots);
    if (level == 0) {
        check_leaf(census, node);
        return count;
    }
    census->inner_nodes++;
    for (unsigned at = 0; at < count; at++) {
        struct sorted_branch *branch = inner_branch(node, at);
        check(branch->first == first_below(branch->child, level - 1));
        check(branch->score == census->index->key(branch->first).score);
        check(branch->count == check_node(census, branch->child, level - 1, left && at == 0,
                                          right && at + 1 == count));
        items += branch->count;
    }
    return items;
}

void sorted_index_check(const struct sorted_index *index)
{
    struct census census = {.index = index};

    check((index->root == NULL) == (index->count == 0));
    if (index->root != NULL) {
        check(index->height == 0 || ((struct sorted_node *)index->root)->count > 1);
        check(check_node(&census, index->root, index->height, true, true) == index->count);
    }
    check(census.leaves == index->leaves && census.inner_nodes == index->inner_nodes);
}
