#include "store/list.h"

#include "base/check.h"
#include "base/mem.h"
#include "store/digest.h"

static struct quicklist_rules rules_of(const struct value_settings *settings)
{
    return quicklist_rules(settings->list_max_listpack_size, settings->list_compress_depth,
                           settings->list_plain_bytes_min);
}

static bool is_inline(const struct entry *e)
{
    return entry_encoding(e) == ENC_LISTPACK;
}

static uint8_t *inline_listpack(const struct entry *e)
{
    return (uint8_t *)entry_inline(e).ptr;
}

static struct quicklist *quicklist_of(const struct entry *e)
{
    return &((struct list_value *)entry_pointer(e))->list;
}

/* ---- rows of value.h ---------------------------------------------------------------------------- */

static struct list_value *value_new(struct quicklist_rules rules)
{
    struct list_value *value = mem_zalloc(sizeof *value);
    value->holders = 1;
    value->list.rules = rules;
    return value;
}

static void value_free(void *it)
{
    struct list_value *value = it;
    quicklist_release(&value->list);
    mem_free(value);
}

static size_t value_memory(const void *it)
{
    const struct list_value *value = it;
    return mem_class(sizeof *value) + value->list.memory;
}

static void *value_copy(const void *it)
{
    const struct list_value *value = it;
    struct list_value *copy = mem_alloc(sizeof *copy);
    copy->holders = 1;
    quicklist_copy(&value->list, &copy->list);
    return copy;
}

static size_t value_effort(const void *it)
{
    const struct quicklist *list = &((const struct list_value *)it)->list;
    return list->nodes + list->memory / ENTRY_INLINE_BYTES_MAX;
}

static size_t value_weight(const void *it)
{
    return ((const struct list_value *)it)->list.memory;
}

static bool value_relocate(void *it, struct value_cursor *cursor, struct mem_mover *mover)
{
    struct quicklist *list = &((struct list_value *)it)->list;

    if (cursor->at < list->items) cursor->at = quicklist_relocate(list, cursor->at, mover);
    return cursor->at < list->items;
}

const struct value_ops quicklist_ops = {
    .free = value_free,
    .memory = value_memory,
    .copy = value_copy,
    .effort = value_effort,
    .weight = value_weight,
    .relocate = value_relocate,
};

struct list_value *list_value_new(const struct value_settings *settings)
{
    return value_new(rules_of(settings));
}

static struct entry *list_empty(struct span key, const struct value_settings *settings)
{
    uint8_t *bytes;
    struct entry *e =
        entry_new_inline(key, NO_DEADLINE, TYPE_LIST, ENC_LISTPACK, LISTPACK_EMPTY_BYTES, &bytes);
    (void)settings;
    listpack_init(bytes);
    return e;
}

size_t list_count(const struct entry *e)
{
    return is_inline(e) ? listpack_count(inline_listpack(e)) : quicklist_of(e)->items;
}

static void list_digest(const struct entry *e, unsigned char *figure)
{
    struct quicklist_walk walk;
    char scratch[NUM_INT64_CHARS];

    for (bool more = list_walk_open(&walk, e, 0); more; more = quicklist_walk_next(&walk)) {
        struct span text = quicklist_walk_text(&walk, scratch);
        digest_mix(figure, text.ptr, text.len);
    }
    quicklist_walk_close(&walk);
}

const struct container_ops list_container = {list_empty, list_count, list_digest, false};

/* ---- reading ------------------------------------------------------------------------------------ */

const struct quicklist *list_quicklist(const struct entry *e)
{
    return is_inline(e) ? NULL : quicklist_of(e);
}

bool list_walk_open(struct quicklist_walk *walk, const struct entry *e, int64_t index)
{
    if (is_inline(e)) return quicklist_walk_listpack(walk, inline_listpack(e), index);
    return quicklist_walk_open(walk, quicklist_of(e), index);
}

/* ---- changing ----------------------------------------------------------------------------------- */

/* Makes an inline list a quicklist of one node, or none. */
static struct entry *make_quicklist(struct entry *e, const struct value_settings *settings)
{
    struct span old = entry_inline(e);
    struct list_value *value = value_new(rules_of(settings));

    if (list_count(e) > 0) {
        uint8_t *bytes = mem_alloc(mem_class(old.len));
        memcpy(bytes, old.ptr, old.len);
        quicklist_append_node(&value->list, QUICKLIST_LISTPACK, bytes, old.len);
    }
    return entry_become_pointer(e, ENC_QUICKLIST, value);
}

/* A quicklist that shrinks becomes inline at half the bound, so that a list around it does not change
 * its form at every other command. */
#define SHRINK_BYTES_MAX (LIST_INLINE_BYTES_MAX / 2)

/* A quicklist of one small node, or none, becomes inline. */
static struct entry *make_inline(struct entry *e, size_t bytes_max)
{
    struct quicklist *list = quicklist_of(e);
    if (list->nodes > 1) return e;

    const struct quicklist_node *node = list->nodes > 0 ? &list->first->nodes[0] : NULL;
    if (node != NULL && (node->form != QUICKLIST_LISTPACK || node->size > bytes_max)) return e;
    struct list_value *value = entry_pointer(e);
    uint8_t *bytes;
    e = entry_become_inline(e, ENC_LISTPACK, node != NULL ? node->size : LISTPACK_EMPTY_BYTES,
                            &bytes);
    if (node != NULL) memcpy(bytes, node->bytes, node->size);
    else listpack_init(bytes);
    value_free(value);
    return e;
}

struct entry *list_adopt(struct span key, int64_t deadline, struct list_value *value)
{
    return make_inline(entry_new_pointer(key, deadline, TYPE_LIST, ENC_QUICKLIST, value),
                       LIST_INLINE_BYTES_MAX);
}

/* The list as a quicklist, to be changed; *e is the entry to go on with. */
static struct quicklist *open_quicklist(struct entry **e, const struct value_settings *settings)
{
    if (is_inline(*e)) *e = make_quicklist(*e, settings);
    struct quicklist *list = quicklist_of(*e);
    list->rules.plain_bytes_min = rules_of(settings).plain_bytes_min;
    return list;
}

/* Whether the list is inline and stays so with this element more. */
static bool admits_inline(const struct entry *e, const struct value_settings *settings,
                          struct span text)
{
    if (!is_inline(e) || text.len > LIST_INLINE_BYTES_MAX) return false;
    const uint8_t *lp = inline_listpack(e);
    struct quicklist_rules rules = rules_of(settings);

    return listpack_bytes(lp) + listpack_item_bytes(text) <= LIST_INLINE_BYTES_MAX &&
           quicklist_admits(&rules, listpack_bytes(lp), listpack_count(lp), text);
}

static struct entry *insert_inline(struct entry *e, size_t at, struct span text)
{
    uint8_t *bytes;
    e = entry_resize_inline(e, entry_inline(e).len + listpack_item_bytes(text), &bytes);
    listpack_insert(bytes, at, text);
    return e;
}

struct entry *list_push(struct entry *e, const struct value_settings *settings,
                        enum quicklist_end end, struct span text)
{
    if (admits_inline(e, settings, text)) {
        size_t tail = listpack_end(inline_listpack(e));
        return insert_inline(e, end == QUICKLIST_HEAD ? LISTPACK_HEAD_BYTES : tail, text);
    }
    quicklist_push(open_quicklist(&e, settings), end, text);
    return e;
}

/* A place of the list when it was inline, or is still. */
static struct quicklist_place place_in(const struct quicklist *list, struct quicklist_place at)
{
    if (at.block == NULL) at.block = list->first;
    return at;
}

struct entry *list_insert(struct entry *e, const struct value_settings *settings,
                          struct quicklist_place at, bool after, struct span text)
{
    if (admits_inline(e, settings, text)) {
        const uint8_t *lp = inline_listpack(e);
        return insert_inline(e, at.item + (after ? listpack_item_size(lp, at.item) : 0), text);
    }
    struct quicklist *list = open_quicklist(&e, settings);
    quicklist_insert(list, place_in(list, at), after, text);
    return e;
}

static struct entry *replace_inline(struct entry *e, size_t item, struct span text)
{
    uint8_t *bytes = inline_listpack(e);
    size_t len = listpack_bytes(bytes);
    size_t old = listpack_item_size(bytes, item), new = listpack_item_bytes(text);

    if (new > old) e = entry_resize_inline(e, len - old + new, &bytes);
    listpack_replace(bytes, item, text);
    return new < old ? entry_resize_inline(e, len - old + new, &bytes) : e;
}

struct entry *list_replace(struct entry *e, const struct value_settings *settings,
                           struct quicklist_place at, struct span text)
{
    if (is_inline(e) && text.len < LIST_INLINE_BYTES_MAX &&
        text.len < rules_of(settings).plain_bytes_min) {
        const uint8_t *lp = inline_listpack(e);
        size_t old = listpack_item_size(lp, at.item);
        if (listpack_bytes(lp) - old + listpack_item_bytes(text) <= LIST_INLINE_BYTES_MAX)
            return replace_inline(e, at.item, text);
    }
    struct quicklist *list = open_quicklist(&e, settings);
    quicklist_replace(list, place_in(list, at), text);
    return make_inline(e, SHRINK_BYTES_MAX);
}

struct entry *list_remove(struct entry *e, enum quicklist_end from, struct span text,
                          uint64_t limit, uint64_t *removed)
{
    if (is_inline(e)) {
        uint8_t *bytes = inline_listpack(e);
        *removed = quicklist_remove_equal(bytes, from, text, limit);
        return *removed > 0 ? entry_resize_inline(e, listpack_bytes(bytes), &bytes) : e;
    }
    *removed = quicklist_remove(quicklist_of(e), from, text, limit);
    return make_inline(e, SHRINK_BYTES_MAX);
}

static struct entry *trim_inline(struct entry *e, uint64_t head, uint64_t tail)
{
    uint8_t *bytes = inline_listpack(e);

    if (head > 0) listpack_remove(bytes, LISTPACK_HEAD_BYTES, head);
    if (tail > 0) listpack_remove(bytes, listpack_at(bytes, -(int64_t)tail), tail);
    return entry_resize_inline(e, listpack_bytes(bytes), &bytes);
}

struct entry *list_trim(struct entry *e, uint64_t head, uint64_t tail, struct list_value **cut)
{
    *cut = NULL;
    if (head == 0 && tail == 0) return e;
    if (is_inline(e)) return trim_inline(e, head, tail);

    struct quicklist *list = quicklist_of(e);
    if (list->first->items <= head || list->last->items <= tail) *cut = value_new(list->rules);
    quicklist_trim(list, head, tail, *cut != NULL ? &(*cut)->list : NULL);
    return make_inline(e, SHRINK_BYTES_MAX);
}
