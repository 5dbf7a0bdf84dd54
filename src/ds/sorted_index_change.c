/* Changing the index: putting items in, taking them out, telling it that one has moved.
 *
 * A change goes down by the item's key, and the path that it leaves behind is the way back up. Counts
 * and first items are set right on the whole path; only where a node overflows or falls below half
 * are its neighbours looked at, and the branches above the nodes that took part made anew. */
#include "base/mem.h"
#include "ds/sorted_index.h"
#include "ds/sorted_index_inside.h"

/* ---- nodes and slots ---------------------------------------------------------------------------- */

static struct sorted_node *node_new(struct sorted_index *index, unsigned level)
{
    struct sorted_node *node = mem_alloc(shape_of(level)->node_bytes);

    node->count = 0;
    if (level == 0) index->leaves++;
    else index->inner_nodes++;
    return node;
}

static void node_free(struct sorted_index *index, struct sorted_node *node, unsigned level)
{
    if (level == 0) index->leaves--;
    else index->inner_nodes--;
    mem_free_sized(node, shape_of(level)->node_bytes);
}

static uint8_t *slot_at(struct sorted_node *node, unsigned level, unsigned at)
{
    const struct sorted_shape *shape = shape_of(level);
    return (uint8_t *)node + shape->head_bytes + at * shape->slot_bytes;
}

static void put_slot(struct sorted_node *node, unsigned level, unsigned at, const void *slot)
{
    size_t bytes = shape_of(level)->slot_bytes;
    uint8_t *to = slot_at(node, level, at);

    memmove(to + bytes, to, (node->count - at) * bytes);
    memcpy(to, slot, bytes);
    node->count++;
}

static void drop_slot(struct sorted_node *node, unsigned level, unsigned at)
{
    size_t bytes = shape_of(level)->slot_bytes;
    uint8_t *to = slot_at(node, level, at);

    node->count--;
    memmove(to, to + bytes, (node->count - at) * bytes);
}

static const void *first_of(struct sorted_node *node, unsigned level)
{
    return level == 0 ? leaf_item(node, 0) : inner_branch(node, 0)->first;
}

/* What a branch to this node, which is not empty, says. */
static struct sorted_branch summary(const struct sorted_index *index, struct sorted_node *node,
                                    unsigned level)
{
    struct sorted_branch branch = {.first = first_of(node, level), .child = node};

    if (level == 0) {
        branch.count = node->count;
        branch.score = index->key(branch.first).score;
        return branch;
    }
    branch.score = inner_branch(node, 0)->score;
    for (unsigned at = 0; at < node->count; at++) branch.count += inner_branch(node, at)->count;
    return branch;
}

/* ---- several nodes as one run of slots ---------------------------------------------------------- */

/* The slots of two neighbours, and one more. */
struct run {
    unsigned count;
    union {
        uint8_t leaf[2 * LEAF_SLOTS + 1][6];
        struct sorted_branch inner[2 * INNER_SLOTS + 1];
    } slots;
};

static void run_append(struct run *run, unsigned level, const void *slots, unsigned count)
{
    size_t bytes = shape_of(level)->slot_bytes;
    memcpy((uint8_t *)&run->slots + run->count * bytes, slots, count * bytes);
    run->count += count;
}

/* The slots of `left` and of `right` (may be NULL) with, unless it is NULL, `slot` at `at`. */
static void run_gather(struct run *run, unsigned level, struct sorted_node *left,
                       struct sorted_node *right, unsigned at, const void *slot)
{
    struct sorted_node *nodes[] = {left, right};

    run->count = 0;
    for (unsigned i = 0; i < 2 && nodes[i] != NULL; i++) {
        unsigned before = nodes[i]->count;
        if (slot != NULL && at >= run->count && at - run->count <= before) before = at - run->count;
        run_append(run, level, slot_at(nodes[i], level, 0), before);
        if (slot != NULL && at == run->count) {
            run_append(run, level, slot, 1);
            slot = NULL;
        }
        run_append(run, level, slot_at(nodes[i], level, before), nodes[i]->count - before);
    }
}

/* Distributes the run evenly over so many nodes. */
static void run_spread(const struct run *run, unsigned level, struct sorted_node **nodes,
                       unsigned count)
{
    size_t bytes = shape_of(level)->slot_bytes;
    unsigned from = 0;

    for (unsigned i = 0; i < count; i++) {
        unsigned to = run->count * (i + 1) / count;
        nodes[i]->count = (uint16_t)(to - from);
        memcpy(slot_at(nodes[i], level, 0), (const uint8_t *)&run->slots + from * bytes,
               (to - from) * bytes);
        from = to;
    }
}

/* ---- putting in --------------------------------------------------------------------------------- */

static bool is_full(const struct sorted_node *node, unsigned level)
{
    return node->count == shape_of(level)->slots;
}

/* Whether a slot at `at` of the node of that level would be the first or last of the whole level. */
static bool is_outermost(const struct sorted_position *path, unsigned level, unsigned at)
{
    bool first = at == 0, last = at == step_count(path, level);

    for (unsigned up = level + 1; up <= path->height; up++) {
        if (path->path[up].at != 0) first = false;
        if (path->path[up].at + 1 != step_count(path, up)) last = false;
    }
    return first || last;
}

static void grow_root(struct sorted_index *index, struct sorted_position *path)
{
    unsigned level = index->height;
    struct sorted_branch branch = summary(index, index->root, level);

    index->height++;
    check(index->height < SORTED_LEVELS_MAX);
    index->root = node_new(index, index->height);
    put_slot(index->root, index->height, 0, &branch);
    path->height = index->height;
    path->path[index->height] = (struct sorted_step){index->root, 0};
}

static void put_in(struct sorted_index *index, struct sorted_position *path, unsigned level,
                   unsigned at, const void *slot);

/* A node of its own, beside a full one at the edge, for a slot that belongs outermost. */
static void put_beside(struct sorted_index *index, struct sorted_position *path, unsigned level,
                       unsigned at, const void *slot)
{
    struct sorted_step *up = &path->path[level + 1];
    struct sorted_node *made = node_new(index, level);

    put_slot(made, level, 0, slot);
    struct sorted_branch branch = summary(index, made, level);
    *inner_branch(up->node, up->at) = summary(index, path->path[level].node, level);
    put_in(index, path, level + 1, up->at + (at > 0), &branch);
}

/* Distributes the slots of a full node, of its neighbour `other` (NULL: it has none) and the new one
 * over as many nodes as they need. */
static void put_by_sharing(struct sorted_index *index, struct sorted_position *path, unsigned level,
                           unsigned at, const void *slot, unsigned other)
{
    struct sorted_node *parent = path->path[level + 1].node;
    unsigned self = path->path[level + 1].at, left = self < other ? self : other;
    struct sorted_node *nodes[3] = {inner_branch(parent, left)->child};
    unsigned count = 1;
    struct run run;

    if (other != self) nodes[count++] = inner_branch(parent, left + 1)->child;
    if (self > left) at += nodes[0]->count;
    run_gather(&run, level, nodes[0], nodes[1], at, slot);
    bool split = run.count > count * shape_of(level)->slots;
    if (split) nodes[count++] = node_new(index, level);
    run_spread(&run, level, nodes, count);
    for (unsigned i = 0; i < count - split; i++)
        *inner_branch(parent, left + i) = summary(index, nodes[i], level);
    if (!split) return;
    struct sorted_branch branch = summary(index, nodes[count - 1], level);
    put_in(index, path, level + 1, left + count - 1, &branch);
}

/* Puts a slot into the node of that level, or makes room around it. The branches above the node count
 * what is below it already. */
static void put_in(struct sorted_index *index, struct sorted_position *path, unsigned level,
                   unsigned at, const void *slot)
{
    struct sorted_node *node = path->path[level].node;

    if (!is_full(node, level)) {
        put_slot(node, level, at, slot);
        return;
    }
    if (level == index->height) grow_root(index, path);
    struct sorted_node *parent = path->path[level + 1].node;
    unsigned self = path->path[level + 1].at;
    bool has_left = self > 0, has_right = self + 1 < parent->count;
    unsigned other = has_left ? self - 1 : has_right ? self + 1 : self;
    if (has_left && !is_full(inner_branch(parent, self - 1)->child, level))
        put_by_sharing(index, path, level, at, slot, self - 1);
    else if (has_right && !is_full(inner_branch(parent, self + 1)->child, level))
        put_by_sharing(index, path, level, at, slot, self + 1);
    else if (is_outermost(path, level, at)) put_beside(index, path, level, at, slot);
    else put_by_sharing(index, path, level, at, slot, other);
}

void sorted_index_insert(struct sorted_index *index, void *item)
{
    struct sorted_bound bound = sorted_bound_of(index, item);
    struct sorted_position path;
    uint64_t slot = (uintptr_t)item;

    check(slot >> 48 == 0);
    if (index->root == NULL) index->root = node_new(index, 0);
    sorted_index_descend(index, &bound, &path);
    bool is_first = path.path[0].at == 0;
    for (unsigned level = 1; level <= path.height; level++) {
        struct sorted_branch *branch = inner_branch(path.path[level].node, path.path[level].at);
        branch->count++;
        if (is_first) {
            branch->first = item;
            branch->score = bound.score;
        }
        is_first = is_first && path.path[level].at == 0;
    }
    put_in(index, &path, 0, path.path[0].at, &slot);
    index->count++;
}

/* ---- taking out --------------------------------------------------------------------------------- */

/* Merges a node that is less than half full with a neighbour, or takes from it. */
static void refill(struct sorted_index *index, struct sorted_node *parent, unsigned self,
                   unsigned level)
{
    unsigned left = self > 0 ? self - 1 : 0;
    struct sorted_node *nodes[] = {inner_branch(parent, left)->child,
                                   inner_branch(parent, left + 1)->child};
    struct run run;

    run_gather(&run, level, nodes[0], nodes[1], 0, NULL);
    if (run.count <= shape_of(level)->slots) {
        run_spread(&run, level, nodes, 1);
        node_free(index, nodes[1], level);
        drop_slot(parent, level + 1, left + 1);
    } else {
        run_spread(&run, level, nodes, 2);
        *inner_branch(parent, left + 1) = summary(index, nodes[1], level);
    }
    *inner_branch(parent, left) = summary(index, nodes[0], level);
}

/* Sets right the branch to the node of `level`, below which one item is less. */
static void mend(struct sorted_index *index, struct sorted_position *path, unsigned level)
{
    struct sorted_node *node = path->path[level].node, *parent = path->path[level + 1].node;
    unsigned self = path->path[level + 1].at;

    if (node->count < shape_of(level)->least && parent->count > 1) {
        refill(index, parent, self, level);
    } else if (node->count == 0) { /* the only one below an inner node on the edge */
        node_free(index, node, level);
        drop_slot(parent, level + 1, self);
    } else {
        struct sorted_branch *branch = inner_branch(parent, self);
        branch->count--;
        if (branch->first == first_of(node, level)) return;
        branch->first = first_of(node, level);
        branch->score = index->key(branch->first).score;
    }
}

static void shrink_root(struct sorted_index *index)
{
    while (index->height > 0 && ((struct sorted_node *)index->root)->count == 1) {
        struct sorted_node *child = inner_branch(index->root, 0)->child;
        node_free(index, index->root, index->height);
        index->root = child;
        index->height--;
    }
    if (((struct sorted_node *)index->root)->count == 0) {
        node_free(index, index->root, index->height);
        index->root = NULL;
        index->height = 0;
    }
}

void sorted_index_remove_at(struct sorted_index *index, struct sorted_position *position)
{
    drop_slot(position->path[0].node, 0, position->path[0].at);
    for (unsigned level = 0; level < position->height; level++) mend(index, position, level);
    shrink_root(index);
    index->count--;
}

void sorted_index_remove(struct sorted_index *index, const void *item)
{
    struct sorted_position path;

    sorted_index_find(index, item, item, &path);
    sorted_index_remove_at(index, &path);
}

/* ---- the rest ----------------------------------------------------------------------------------- */

void sorted_index_relocate(struct sorted_index *index, const void *from, void *to)
{
    struct sorted_position path;
    uint64_t slot = (uintptr_t)to;

    check(slot >> 48 == 0);
    sorted_index_find(index, from, to, &path);
    memcpy(slot_at(path.path[0].node, 0, path.path[0].at), &slot, 6);
    for (unsigned level = 1; level <= path.height; level++) {
        struct sorted_branch *branch = inner_branch(path.path[level].node, path.path[level].at);
        if (branch->first == from) branch->first = to;
    }
}

size_t sorted_index_relocate_leaf(struct sorted_index *index, size_t rank, struct mem_mover *mover)
{
    struct sorted_position path;

    check(rank < index->count);
    sorted_index_at(index, rank, &path);
    size_t behind = rank - path.path[0].at + step_count(&path, 0);
    for (unsigned level = 0;; level++) {
        void *node = mem_mover_move(mover, path.path[level].node, shape_of(level)->node_bytes);
        if (level == path.height) {
            index->root = node;
            return behind;
        }
        struct sorted_step *up = &path.path[level + 1];
        inner_branch(up->node, up->at)->child = node;
        if (up->at > 0) return behind; /* it begins with another leaf */
    }
}

static void free_below(struct sorted_index *index, struct sorted_node *node, unsigned level)
{
    if (level > 0)
        for (unsigned at = 0; at < node->count; at++)
            free_below(index, inner_branch(node, at)->child, level - 1);
    node_free(index, node, level);
}

void sorted_index_release(struct sorted_index *index)
{
    if (index->root != NULL) free_below(index, index->root, index->height);
    sorted_index_init(index, index->key);
}
