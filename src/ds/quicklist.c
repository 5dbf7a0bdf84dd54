/* Changing a quicklist. The directory is kept by quicklist_block.c, the nodes' bytes by
 * quicklist_node.c; here is what decides in which node an element stands. */
#include "ds/quicklist.h"

#include "base/check.h"
#include "base/mem.h"
#include "ds/quicklist_internal.h"

/* ---- rules -------------------------------------------------------------------------------------- */

enum {
    FILL_MAX = INT16_MAX,
    DEPTH_MAX = UINT16_MAX,
    COUNTED_NODE_BYTES_MAX = 8192, /* of a node that `fill` limits by elements */
    ADMISSION_BYTES = 8,           /* what an element is taken to need besides its text */
    MERGE_BYTES = 11,              /* what two nodes are taken to need less as one */
};

struct quicklist_rules quicklist_rules(int64_t fill, int64_t depth, size_t plain_bytes_min)
{
    if (fill < -5) fill = -5;
    if (fill > FILL_MAX) fill = FILL_MAX;
    if (depth > DEPTH_MAX) depth = DEPTH_MAX;
    if (plain_bytes_min == 0) plain_bytes_min = (size_t)1 << 30;
    return (struct quicklist_rules){(int32_t)fill, (uint32_t)depth, plain_bytes_min};
}

static bool is_within(const struct quicklist_rules *rules, size_t size, size_t count)
{
    size_t count_max = rules->fill > 0 ? (size_t)rules->fill : 1;

    if (rules->fill >= 0) return count <= count_max && size <= COUNTED_NODE_BYTES_MAX;
    return size <= (size_t)2048 << -rules->fill;
}

bool quicklist_admits(const struct quicklist_rules *rules, size_t size, size_t count,
                      struct span text)
{
    return text.len < rules->plain_bytes_min &&
           is_within(rules, size + text.len + ADMISSION_BYTES, count + 1);
}

static bool node_admits(const struct quicklist *list, const struct quicklist_node *node,
                        struct span text)
{
    return node->form != QUICKLIST_PLAIN &&
           quicklist_admits(&list->rules, node->size, node->count, text);
}

/* ---- packing ------------------------------------------------------------------------------------ */

/* Whether more than `depth` nodes stand on that side, the node itself counted. */
static bool is_far_from_end(const struct quicklist *list, struct quicklist_place place,
                            bool forward)
{
    for (uint32_t steps = 0; steps < list->rules.depth; steps++)
        if (!quicklist_step(&place, forward)) return false;
    return true;
}

static void pack_inner(struct quicklist *list, struct quicklist_place place)
{
    if (is_far_from_end(list, place, true) && is_far_from_end(list, place, false))
        quicklist_pack_node(list, node_at(place));
}

/* The nodes near this end are plain, and the first that is not near any end is packed. */
static void tend_end(struct quicklist *list, enum quicklist_end end)
{
    struct quicklist_place place = quicklist_end_place(list, end);
    if (place.block == NULL) return;
    for (uint32_t i = 0; i < list->rules.depth; i++) {
        quicklist_unpack_node(list, node_at(place));
        if (!quicklist_step(&place, end == QUICKLIST_HEAD)) return;
    }
    pack_inner(list, place);
}

/* Nodes came or went. */
static void tend_packing(struct quicklist *list)
{
    if (list->rules.depth == 0) return;
    tend_end(list, QUICKLIST_HEAD);
    tend_end(list, QUICKLIST_TAIL);
}

/* So did nodes up to three steps from this one, which may have been unpacked. */
static void tend_packing_around(struct quicklist *list, struct quicklist_place place)
{
    if (list->rules.depth == 0) return;
    tend_packing(list);
    for (int i = 0; i < 3 && quicklist_step(&place, false); i++) {}
    for (int i = 0; i < 7; i++) {
        pack_inner(list, place);
        if (!quicklist_step(&place, true)) break;
    }
}

/* ---- pieces ------------------------------------------------------------------------------------- */

/* The end of the node that is nearer to an item: what stands on that side moves as the item comes or goes. */
static enum quicklist_end nearer_end(const struct quicklist_node *node, size_t item)
{
    return item <= node->size / 2 ? QUICKLIST_HEAD : QUICKLIST_TAIL;
}

/* Puts an element into a node that admits it. */
static void put_in(struct quicklist *list, struct quicklist_place place, size_t at,
                   struct span text)
{
    struct quicklist_node *node = node_at(place);
    enum quicklist_end end = nearer_end(node, at);
    size_t more = listpack_item_bytes(text);

    quicklist_resize_node(list, node, end, node->size + more);
    if (end == QUICKLIST_HEAD) listpack_insert_front(node->bytes + more, at, text);
    else listpack_insert(node->bytes, at, text);
    quicklist_count_items(list, place, 1);
}

static void take_and_free(struct quicklist *list, struct quicklist_place place)
{
    struct quicklist_node node = *node_at(place);
    quicklist_take_node(list, place);
    quicklist_free_node(list, &node);
}

/* Appends the next node's elements to this one's, if one node may hold them all. */
static bool merge_next(struct quicklist *list, struct quicklist_place place)
{
    struct quicklist_place next = place;
    if (!quicklist_step(&next, true)) return false;
    struct quicklist_node *left = node_at(place), *right = node_at(next);
    size_t size = left->size + right->size, count = right->count;

    if (left->form == QUICKLIST_PLAIN || right->form == QUICKLIST_PLAIN) return false;
    if (!is_within(&list->rules, size - MERGE_BYTES, left->count + count)) return false;
    quicklist_unpack_node(list, left);
    quicklist_unpack_node(list, right);
    quicklist_resize_node(list, left, QUICKLIST_TAIL, size - LISTPACK_EMPTY_BYTES);
    listpack_insert_items(left->bytes, listpack_end(left->bytes),
                          right->bytes + LISTPACK_HEAD_BYTES, right->size - LISTPACK_EMPTY_BYTES,
                          count);
    take_and_free(list, next);
    quicklist_count_items(list, place, (int64_t)count);
    return true;
}

/* A node was split and its parts stand beside `center`: merges what fits, first the two nodes on its
 * left, then the two on its right, then its left neighbour with it, then it with its right one. Returns
 * where the center's elements are now. */
static struct quicklist_place settle(struct quicklist *list, struct quicklist_place center)
{
    struct quicklist_place left = center, right = center, outer;
    bool has_left = quicklist_step(&left, false);

    outer = left;
    if (has_left && quicklist_step(&outer, false) && merge_next(list, outer)) {
        left = center = outer;
        check(quicklist_step(&center, true));
        right = center;
    }
    if (quicklist_step(&right, true)) merge_next(list, right);
    if (has_left && merge_next(list, left)) center = left;
    merge_next(list, center);
    return center;
}

/* Moves the elements from `at` on, neither none nor all of them, into a node of their own behind it.
 * Returns that node's place; *left is the old one's. */
static struct quicklist_place split(struct quicklist *list, struct quicklist_place place, size_t at,
                                    struct quicklist_place *left)
{
    struct quicklist_node *node = node_at(place), part = {.form = QUICKLIST_LISTPACK};
    size_t end = listpack_end(node->bytes), kept = 0, bytes = end - at;

    for (size_t item = listpack_first(node->bytes); item != at; kept++)
        item += listpack_item_size(node->bytes, item);
    size_t count = node->count - kept;
    part.size = LISTPACK_EMPTY_BYTES + bytes;
    part.count = count & QUICKLIST_NODE_ITEMS_MAX;
    part.bytes = mem_alloc(mem_class(part.size));
    list->memory += mem_class(part.size);
    listpack_init(part.bytes);
    listpack_insert_items(part.bytes, LISTPACK_HEAD_BYTES, node->bytes + at, bytes, count);

    listpack_remove(node->bytes, at, count);
    quicklist_resize_node(list, node, QUICKLIST_TAIL, node->size - bytes);
    quicklist_count_items(list, place, -(int64_t)count);
    struct quicklist_place made = quicklist_add_node(list, place, true, part);
    *left = made;
    check(quicklist_step(left, false));
    return made;
}

/* ---- pushing and inserting ---------------------------------------------------------------------- */

void quicklist_push(struct quicklist *list, enum quicklist_end end, struct span text)
{
    struct quicklist_place place = quicklist_end_place(list, end);

    if (place.block != NULL && node_admits(list, node_at(place), text)) {
        const uint8_t *lp = node_at(place)->bytes;
        put_in(list, place, end == QUICKLIST_HEAD ? LISTPACK_HEAD_BYTES : listpack_end(lp), text);
        return;
    }
    quicklist_add_node(list, place, end == QUICKLIST_TAIL, quicklist_new_node(list, text));
    tend_packing(list);
}

/* At the edge of a node that does not admit the element. */
static struct quicklist_place insert_beside(struct quicklist *list, struct quicklist_place place,
                                            bool after, struct span text)
{
    struct quicklist_place neighbour = place;

    if (!quicklist_step(&neighbour, after) || !node_admits(list, node_at(neighbour), text))
        return quicklist_add_node(list, place, after, quicklist_new_node(list, text));
    struct quicklist_node *node = node_at(neighbour);
    quicklist_unpack_node(list, node);
    put_in(list, neighbour, after ? LISTPACK_HEAD_BYTES : listpack_end(node->bytes), text);
    return neighbour;
}

/* In the midst of a node that does not admit the element, in front of the item `at`. */
static struct quicklist_place insert_between(struct quicklist *list, struct quicklist_place place,
                                             size_t at, bool after, struct span text)
{
    struct quicklist_place left, right = split(list, place, at, &left);

    if (text.len >= list->rules.plain_bytes_min)
        return quicklist_add_node(list, left, true, quicklist_new_node(list, text));
    if (after) put_in(list, right, LISTPACK_HEAD_BYTES, text);
    else put_in(list, left, listpack_end(node_at(left)->bytes), text);
    return settle(list, after ? left : right);
}

static struct quicklist_place insert(struct quicklist *list, struct quicklist_place at, bool after,
                                     struct span text)
{
    struct quicklist_node *node = node_at(at);

    if (node->form == QUICKLIST_PLAIN) return insert_beside(list, at, after, text);
    quicklist_unpack_node(list, node);
    size_t behind = at.item + listpack_item_size(node->bytes, at.item);
    if (node_admits(list, node, text)) {
        put_in(list, at, after ? behind : at.item, text);
        return at;
    }
    if (after ? behind == listpack_end(node->bytes) : at.item == LISTPACK_HEAD_BYTES)
        return insert_beside(list, at, after, text);
    return insert_between(list, at, after ? behind : at.item, after, text);
}

void quicklist_insert(struct quicklist *list, struct quicklist_place at, bool after,
                      struct span text)
{
    struct quicklist_place place = insert(list, at, after, text);
    tend_packing_around(list, place);
    quicklist_join_blocks(list, place.block);
}

void quicklist_append_node(struct quicklist *list, enum quicklist_form form, uint8_t *bytes,
                           size_t size)
{
    size_t count = form == QUICKLIST_PLAIN ? 1 : listpack_count(bytes);
    struct quicklist_node node = {.bytes = bytes, .size = size & QUICKLIST_SIZE_MAX};

    check(count > 0 && count <= QUICKLIST_NODE_ITEMS_MAX && form != QUICKLIST_PACKED);
    node.count = count & QUICKLIST_NODE_ITEMS_MAX;
    node.form = form;
    list->memory += mem_class(size);
    quicklist_add_node(list, quicklist_end_place(list, QUICKLIST_TAIL), true, node);
    tend_packing(list);
}

/* ---- replacing and removing --------------------------------------------------------------------- */

/* Removes elements of a node that is unpacked; one that has no more goes. */
static void remove_items(struct quicklist *list, struct quicklist_place place, size_t at,
                         size_t count)
{
    struct quicklist_node *node = node_at(place);
    enum quicklist_end end = nearer_end(node, at);
    uint8_t *lp = node->bytes;

    if (count == node->count) {
        take_and_free(list, place);
        return;
    }
    if (end == QUICKLIST_HEAD) lp = listpack_remove_front(lp, at, count);
    else check(listpack_remove(lp, at, count) == count);
    quicklist_resize_node(list, node, end, listpack_bytes(lp));
    quicklist_count_items(list, place, -(int64_t)count);
}

static void replace_item(struct quicklist *list, struct quicklist_node *node, size_t item,
                         struct span text)
{
    size_t old = listpack_item_size(node->bytes, item), new = listpack_item_bytes(text);
    size_t size = node->size - old + new;

    if (new > old) quicklist_resize_node(list, node, QUICKLIST_TAIL, size);
    listpack_replace(node->bytes, item, text);
    if (new < old) quicklist_resize_node(list, node, QUICKLIST_TAIL, size);
}

/* The place of an element again that another one was just inserted behind. */
static struct quicklist_place element_at(const struct quicklist *list, uint64_t index)
{
    struct quicklist_walk walk;
    check(quicklist_walk_open(&walk, list, (int64_t)index));
    quicklist_walk_close(&walk);
    return walk.at;
}

static uint64_t index_of(struct quicklist_place at)
{
    const struct quicklist_block *block = at.block;
    const struct quicklist_node *node = node_at(at);
    uint64_t index = 0;

    if (node->form != QUICKLIST_PLAIN)
        for (size_t item = LISTPACK_HEAD_BYTES; item != at.item; index++)
            item += listpack_item_size(node->bytes, item);
    for (unsigned i = 0; i < at.node; i++) index += block->nodes[i].count;
    while ((block = block->previous) != NULL) index += block->items;
    return index;
}

void quicklist_replace(struct quicklist *list, struct quicklist_place at, struct span text)
{
    struct quicklist_node *node = node_at(at);
    bool was_plain = node->form == QUICKLIST_PLAIN;
    bool plain = text.len >= list->rules.plain_bytes_min;

    quicklist_unpack_node(list, node);
    if (was_plain && plain) {
        struct quicklist_node other = quicklist_new_node(list, text);
        quicklist_free_node(list, node);
        *node = other;
    } else if (!was_plain && !plain && node->size + text.len < QUICKLIST_NODE_BYTES_MAX) {
        replace_item(list, node, at.item, text);
        if (list->rules.depth > 0) pack_inner(list, at);
    } else {
        uint64_t index = index_of(at);
        quicklist_insert(list, at, true, text);
        at = element_at(list, index);
        quicklist_unpack_node(list, node_at(at));
        remove_items(list, at, at.item, 1);
        tend_packing(list);
        at = element_at(list, index);
        tend_packing_around(list, at);
    }
}

static size_t step_item(const uint8_t *lp, size_t item, bool forward)
{
    return forward ? listpack_next(lp, item) : listpack_previous(lp, item);
}

/* A run of neighbours at a time. */
uint64_t quicklist_remove_equal(uint8_t *lp, enum quicklist_end from, struct span text,
                                uint64_t limit)
{
    bool forward = from == QUICKLIST_HEAD;
    int64_t number = 0;
    bool is_number = num_parse_int64(text, &number);
    size_t item = forward ? listpack_first(lp) : listpack_last(lp);
    uint64_t removed = 0;

    while (item != 0 && removed < limit) {
        if (!listpack_equals(lp, item, text, is_number, number)) {
            item = step_item(lp, item, forward);
            continue;
        }
        size_t edge = item, run = 1, other;
        while (run < limit - removed && (other = step_item(lp, edge, forward)) != 0 &&
               listpack_equals(lp, other, text, is_number, number)) {
            edge = other;
            run++;
        }
        size_t at = forward ? item : edge;
        removed += listpack_remove(lp, at, run);
        if (!forward) item = listpack_previous(lp, at);
        else item = at == listpack_end(lp) ? 0 : at;
    }
    return removed;
}

static bool node_holds(const struct quicklist_node *node, struct span text)
{
    uint8_t *unpacked = NULL;
    const uint8_t *lp = node->bytes;

    if (node->form == QUICKLIST_PLAIN) return span_equal(span_of(node->bytes, node->size), text);
    if (node->form == QUICKLIST_PACKED) {
        unpacked = mem_alloc(node->size);
        quicklist_unpack_to(node, unpacked);
        lp = unpacked;
    }
    bool found = listpack_find(lp, listpack_first(lp), text, 0) != 0;
    mem_free(unpacked);
    return found;
}

/* Returns whether the node is still there; *removed says how many elements are not. */
static bool remove_in_node(struct quicklist *list, struct quicklist_place place,
                           enum quicklist_end from, struct span text, uint64_t limit,
                           uint64_t *removed)
{
    struct quicklist_node *node = node_at(place);

    *removed = 0;
    if (!node_holds(node, text)) return true;
    quicklist_unpack_node(list, node);
    *removed =
        node->form == QUICKLIST_PLAIN ? 1 : quicklist_remove_equal(node->bytes, from, text, limit);
    if (*removed == node->count) {
        take_and_free(list, place);
        return false;
    }
    quicklist_resize_node(list, node, QUICKLIST_TAIL, listpack_bytes(node->bytes));
    quicklist_count_items(list, place, -(int64_t)*removed);
    if (list->rules.depth > 0) pack_inner(list, place);
    return true;
}

uint64_t quicklist_remove(struct quicklist *list, enum quicklist_end from, struct span text,
                          uint64_t limit)
{
    bool forward = from == QUICKLIST_HEAD, more = list->items > 0;
    struct quicklist_place place = quicklist_end_place(list, from);
    uint64_t removed = 0, here = 0;

    while (more && removed < limit) {
        struct quicklist_place next = place;
        more = quicklist_step(&next, forward);
        if (!remove_in_node(list, place, from, text, limit - removed, &here) && forward &&
            next.block == place.block)
            next.node--;
        removed += here;
        place = next;
    }
    quicklist_join_all_blocks(list);
    tend_packing(list);
    return removed;
}

/* ---- trimming ----------------------------------------------------------------------------------- */

static void drop_block(struct quicklist *list, struct quicklist_block *block, struct quicklist *cut)
{
    struct quicklist here = {0};
    quicklist_move_block(list, block, cut != NULL ? cut : &here);
    quicklist_release(&here);
}

/* Removes `count` elements at one end, which has at least so many. */
static void trim_end(struct quicklist *list, enum quicklist_end end, uint64_t count,
                     struct quicklist *cut)
{
    while (count > 0) {
        struct quicklist_place place = quicklist_end_place(list, end);
        struct quicklist_node *node = node_at(place);

        if (place.block->items <= count) {
            count -= place.block->items;
            drop_block(list, place.block, cut);
        } else if (node->count <= count) {
            count -= node->count;
            take_and_free(list, place);
        } else {
            quicklist_unpack_node(list, node);
            int64_t first = end == QUICKLIST_HEAD ? 0 : -(int64_t)count;
            remove_items(list, place, listpack_at(node->bytes, first), count);
            count = 0;
        }
    }
}

void quicklist_trim(struct quicklist *list, uint64_t head, uint64_t tail, struct quicklist *cut)
{
    size_t nodes = list->nodes;

    check(head <= list->items && tail <= list->items - head);
    trim_end(list, QUICKLIST_HEAD, head, cut);
    trim_end(list, QUICKLIST_TAIL, tail, cut);
    if (list->nodes != nodes) tend_packing(list);
}
