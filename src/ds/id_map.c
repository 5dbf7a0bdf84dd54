#include "ds/id_map.h"

#include "base/check.h"
#include "base/mem.h"
#include "ds/id_page.h"

/* Neighbours hold 16 items on average, and there is no memory for 16^16 of them. */
#define DEPTH_MAX 16

/* The pages from the root down to the leaf where an id belongs, with the index in each. */
struct path {
    struct id_page *pages[DEPTH_MAX];
    unsigned indexes[DEPTH_MAX];
    unsigned depth; /* of the leaf */
};

static void descend(const struct id_map *map, struct stream_id id, struct path *path)
{
    struct id_page *page = map->root;

    path->depth = 0;
    while (!page->is_leaf) {
        unsigned index = page_child_of(page, id);
        path->pages[path->depth] = page;
        path->indexes[path->depth++] = index;
        check(path->depth < DEPTH_MAX);
        page = page_child(page, index);
    }
    path->pages[path->depth] = page;
    path->indexes[path->depth] = page_lower_bound(page, id);
}

static bool holds(const struct id_page *page, unsigned index, struct stream_id id)
{
    return index < page->count && stream_id_equal(page->items[index].id, id);
}

/* The leaf where an id belongs, NULL in an empty map. */
static struct id_page *leaf_of(const struct id_map *map, struct stream_id id)
{
    struct id_page *page = map->root;
    while (page != NULL && !page->is_leaf) page = page_child(page, page_child_of(page, id));
    return page;
}

/* ---- finding ------------------------------------------------------------------------------------ */

void *id_map_find(const struct id_map *map, struct stream_id id)
{
    const struct id_page *leaf = leaf_of(map, id);
    unsigned index = leaf == NULL ? 0 : page_lower_bound(leaf, id);
    return leaf != NULL && holds(leaf, index, id) ? leaf->items[index].value : NULL;
}

void id_map_replace(struct id_map *map, struct stream_id id, void *value)
{
    struct id_page *leaf = leaf_of(map, id);
    check(leaf != NULL && value != NULL);
    unsigned index = page_lower_bound(leaf, id);
    check(holds(leaf, index, id));
    leaf->items[index].value = value;
}

static struct id_cursor cursor_at(const struct id_page *page, unsigned index)
{
    return (struct id_cursor){&page->items[index], page};
}

static const struct id_cursor nowhere = {NULL, NULL};

struct id_cursor id_map_first(const struct id_map *map)
{
    const struct id_page *page = map->root;
    if (page == NULL) return nowhere;
    while (!page->is_leaf) page = page_child(page, 0);
    return cursor_at(page, 0);
}

struct id_cursor id_map_last(const struct id_map *map)
{
    const struct id_page *page = map->root;
    if (page == NULL) return nowhere;
    while (!page->is_leaf) page = page_child(page, page->count - 1u);
    return cursor_at(page, page->count - 1u);
}

void id_cursor_next(struct id_cursor *cursor)
{
    const struct id_page *page = cursor->page;
    if (cursor->item + 1 < page->items + page->count) cursor->item++;
    else *cursor = page->right != NULL ? cursor_at(page->right, 0) : nowhere;
}

void id_cursor_previous(struct id_cursor *cursor)
{
    const struct id_page *page = cursor->page;
    if (cursor->item > page->items) cursor->item--;
    else *cursor = page->left != NULL ? cursor_at(page->left, page->left->count - 1u) : nowhere;
}

struct id_cursor id_map_at_or_after(const struct id_map *map, struct stream_id id)
{
    const struct id_page *leaf = leaf_of(map, id);
    if (leaf == NULL) return nowhere;
    unsigned index = page_lower_bound(leaf, id);
    if (index < leaf->count) return cursor_at(leaf, index);
    return leaf->right != NULL ? cursor_at(leaf->right, 0) : nowhere;
}

struct id_cursor id_map_at_or_before(const struct id_map *map, struct stream_id id)
{
    const struct id_page *leaf = leaf_of(map, id);
    if (leaf == NULL) return nowhere;
    unsigned index = page_lower_bound(leaf, id);
    if (holds(leaf, index, id)) return cursor_at(leaf, index);
    if (index > 0) return cursor_at(leaf, index - 1);
    return leaf->left != NULL ? cursor_at(leaf->left, leaf->left->count - 1u) : nowhere;
}

/* ---- inserting ---------------------------------------------------------------------------------- */

/* The page at `depth` of the path has moved. */
static void note_moved(struct id_map *map, struct path *path, unsigned depth, struct id_page *page)
{
    path->pages[depth] = page;
    if (depth == 0) map->root = page;
    else path->pages[depth - 1]->items[path->indexes[depth - 1]].value = page;
}

static void set_room(struct id_map *map, struct path *path, unsigned depth, unsigned room)
{
    note_moved(map, path, depth, page_with_room(path->pages[depth], room));
}

/* A full page gets a right neighbour: for the new item alone where it comes last of all, else for
 * the upper half. Returns the neighbour as an item of the parent. */
static struct id_item split(struct id_page *page, unsigned index, struct id_item item)
{
    struct id_page *right = page_new(page->is_leaf, page, page->right);
    unsigned half = page->count / 2u;

    if (index == page->count && right->right == NULL) {
        page_insert(right, 0, item);
    } else {
        right = page_with_room(right, ROOM_MAX);
        page_move(page, half, right);
        if (index <= half) page_insert(page, index, item);
        else page_insert(right, index - half, item);
    }
    struct stream_id bound = right->items[0].id;
    if (!right->is_leaf) right->items[0].id = STREAM_ID_MIN;
    return (struct id_item){bound, right};
}

static void grow_root(struct id_map *map, struct id_page *left, struct id_item right)
{
    struct id_page *root = page_with_room(page_new(false, NULL, NULL), 3);

    page_insert(root, 0, (struct id_item){STREAM_ID_MIN, left});
    page_insert(root, 1, right);
    map->root = root;
}

static void insert_at(struct id_map *map, struct path *path, struct id_item item)
{
    unsigned index = path->indexes[path->depth];

    for (unsigned depth = path->depth;; depth--) {
        struct id_page *page = path->pages[depth];
        if (page->count < ROOM_MAX) {
            if (page->count == page->room) set_room(map, path, depth, 2u * page->room + 1);
            page_insert(path->pages[depth], index, item);
            return;
        }
        item = split(page, index, item);
        if (depth == 0) {
            grow_root(map, page, item);
            return;
        }
        index = path->indexes[depth - 1] + 1;
    }
}

bool id_map_insert(struct id_map *map, struct stream_id id, void *value)
{
    struct path path;

    check(value != NULL);
    if (map->root == NULL) map->root = page_new(true, NULL, NULL);
    descend(map, id, &path);
    if (holds(path.pages[path.depth], path.indexes[path.depth], id)) return false;
    insert_at(map, &path, (struct id_item){id, value});
    map->count++;
    return true;
}

/* ---- removing ----------------------------------------------------------------------------------- */

/* Joins the page at `depth` with the one to its left or right under the same parent where both fit;
 * true where the parent has one child less then. */
static bool join(struct id_map *map, struct path *path, unsigned depth)
{
    struct id_page *parent = path->pages[depth - 1], *page = path->pages[depth];
    unsigned index = path->indexes[depth - 1];

    if (page->count == 0) {
        page_free(page);
        page_remove(parent, index);
        return true;
    }
    if (index + 1 < parent->count && page->count + page->right->count <= JOIN_MAX) {
        /* as it is: the neighbour to the right moves in */
    } else if (index > 0 && page->count + page->left->count <= JOIN_MAX) {
        page = page->left;
        path->indexes[depth - 1] = --index;
        path->pages[depth] = page;
    } else {
        return false;
    }
    struct id_page *right = page->right;
    unsigned room = page_room_for(page->count + right->count);
    if (room != page->room) set_room(map, path, depth, room);
    page = path->pages[depth];
    if (!right->is_leaf) right->items[0].id = parent->items[index + 1].id;
    page_move(right, 0, page);
    page_free(right);
    page_remove(parent, index + 1);
    return true;
}

/* A page that is a quarter full gives half of its room back. */
static void shrink(struct id_map *map, struct path *path, unsigned depth)
{
    const struct id_page *page = path->pages[depth];
    if (page->room > 1 && page->count <= (page->room + 1u) / 4)
        set_room(map, path, depth, page->room / 2u);
}

/* A root with one child gives way to it. */
static void lower_root(struct id_map *map)
{
    struct id_page *root = map->root;

    while (!root->is_leaf && root->count == 1) {
        map->root = page_child(root, 0);
        mem_free(root);
        root = map->root;
    }
    if (root->count > 0) return;
    mem_free(root);
    map->root = NULL;
}

void *id_map_remove(struct id_map *map, struct stream_id id)
{
    struct path path;

    if (map->root == NULL) return NULL;
    descend(map, id, &path);
    unsigned depth = path.depth, index = path.indexes[depth];
    if (!holds(path.pages[depth], index, id)) return NULL;
    void *value = path.pages[depth]->items[index].value;
    page_remove(path.pages[depth], index);
    map->count--;
    for (; depth > 0 && path.pages[depth]->count <= JOIN_MAX; depth--)
        if (!join(map, &path, depth)) break;
    if (path.pages[depth]->count > 0) shrink(map, &path, depth);
    lower_root(map);
    return value;
}

/* ---- defragmentation ---------------------------------------------------------------------------- */

bool id_map_relocate(struct id_map *map, struct stream_id *id, struct mem_mover *mover,
                     void *(*move)(void *context, struct stream_id id, void *value), void *context)
{
    struct path path;

    if (map->root == NULL) return false;
    descend(map, *id, &path);
    for (unsigned depth = path.depth;; depth--) {
        note_moved(map, &path, depth, page_relocate(path.pages[depth], mover));
        if (depth == 0 || path.indexes[depth - 1] > 0) break; /* it begins with another leaf */
    }
    struct id_page *leaf = path.pages[path.depth];
    for (unsigned i = 0; i < leaf->count; i++)
        leaf->items[i].value = move(context, leaf->items[i].id, leaf->items[i].value);
    if (leaf->right == NULL) return false;
    *id = leaf->right->items[0].id;
    return true;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

/* Calls act for every page, a parent after its children's left-most one was looked up. */
static void for_each_page(const struct id_map *map, void (*act)(void *context, struct id_page *),
                          void *context)
{
    struct id_page *row = map->root;

    while (row != NULL) {
        struct id_page *below = row->is_leaf ? NULL : page_child(row, 0);
        for (struct id_page *page = row, *next; page != NULL; page = next) {
            next = page->right;
            act(context, page);
        }
        row = below;
    }
}

static void free_page(void *context, struct id_page *page)
{
    (void)context;
    mem_free(page);
}

void id_map_release(struct id_map *map)
{
    for_each_page(map, free_page, NULL);
    *map = (struct id_map){0};
}

static void add_page(void *context, struct id_page *page)
{
    *(size_t *)context += mem_usable(page);
}

size_t id_map_memory(const struct id_map *map)
{
    size_t bytes = 0;
    for_each_page(map, add_page, &bytes);
    return bytes;
}

/* ---- checking ----------------------------------------------------------------------------------- */

static void check_page(const struct id_page *page)
{
    check(page->count > 0 && page->count <= page->room && page->room <= ROOM_MAX);
    check((page->room & (page->room + 1)) == 0);
    check(page->left == NULL ||
          (page->left->right == page && page->left->is_leaf == page->is_leaf));
    check(page->right == NULL || page->right->left == page);
    for (unsigned i = 1; i < page->count; i++)
        check(stream_id_less(page->items[i - 1].id, page->items[i].id));
    for (unsigned i = 0; i < page->count; i++) check(page->items[i].value != NULL);
    if (!page->is_leaf) check(stream_id_equal(page->items[0].id, STREAM_ID_MIN));
    else if (page->left != NULL)
        check(stream_id_less(page->left->items[page->left->count - 1].id, page->items[0].id));
}

/* What stands in a child is not below its bound, and below the next. */
static void check_bounds(const struct id_page *child, struct stream_id bound,
                         const struct stream_id *next)
{
    unsigned first = child->is_leaf ? 0 : 1;
    if (first < child->count) check(!stream_id_less(child->items[first].id, bound));
    if (next != NULL) check(stream_id_less(child->items[child->count - 1].id, *next));
}

/* The children of a page are the next ones of the row below, from *below on. */
static void check_children(const struct id_page *page, const struct id_page **below)
{
    for (unsigned i = 0; i < page->count; i++) {
        const struct id_page *child = page_child(page, i);
        check(child == *below);
        check_bounds(child, page->items[i].id,
                     i + 1u < page->count ? &page->items[i + 1].id : NULL);
        if (i > 0) check(child->left->count + child->count > ROOM_MAX / 2);
        *below = child->right;
    }
}

void id_map_check(const struct id_map *map)
{
    size_t count = 0;

    check((map->root == NULL) == (map->count == 0));
    if (map->root == NULL) return;
    check(map->root->left == NULL && map->root->right == NULL);
    check(map->root->is_leaf || map->root->count > 1);
    for (const struct id_page *row = map->root, *first; row != NULL; row = first) {
        first = row->is_leaf ? NULL : page_child(row, 0);
        const struct id_page *below = first;
        for (const struct id_page *page = row; page != NULL; page = page->right) {
            check_page(page);
            if (page->is_leaf) count += page->count;
            else check_children(page, &below);
        }
        check(below == NULL);
    }
    check(count == map->count);
}
