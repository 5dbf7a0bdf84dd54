#include "store/hash.h"

#include "base/check.h"
#include "base/mem.h"
#include "ds/listpack.h"
#include "ds/string_table.h"
#include "store/digest.h"

struct hash {
    uint32_t holders; /* of the value: see value.h */
    struct string_table fields;
};

static const struct string_table *fields_of(const struct entry *e)
{
    return &((const struct hash *)entry_pointer(e))->fields;
}

static bool is_small(const struct entry *e)
{
    return entry_encoding(e) != ENC_HASH_TABLE;
}

static const uint8_t *listpack_of(const struct entry *e)
{
    return (const uint8_t *)entry_inline(e).ptr;
}

/* ---- reading ------------------------------------------------------------------------------------ */

size_t hash_count(const struct entry *e)
{
    return is_small(e) ? listpack_count(listpack_of(e)) / 2 : string_table_count(fields_of(e));
}

/* Offset of the field's value in the listpack; 0 where there is no such field. */
static size_t find_value(const uint8_t *lp, struct span field)
{
    size_t item = listpack_find(lp, listpack_first(lp), field, 1);
    return item == 0 ? 0 : listpack_next(lp, item);
}

bool hash_get(const struct entry *e, struct span field, char digits[static NUM_INT64_CHARS],
              struct span *value)
{
    if (is_small(e)) {
        const uint8_t *lp = listpack_of(e);
        size_t item = find_value(lp, field);
        if (item != 0) *value = listpack_text(lp, item, digits);
        return item != 0;
    }
    const struct string_item *item = string_table_find(fields_of(e), field);
    if (item != NULL) *value = string_table_tail(fields_of(e), item);
    return item != NULL;
}

/* Reads the pair whose field is at `item`; returns the next field's place, 0 at the end. */
static size_t read_listpack(const uint8_t *lp, size_t item, struct hash_pair *pair)
{
    size_t value = listpack_next(lp, item);
    pair->field = listpack_text(lp, item, pair->field_digits);
    pair->value = listpack_text(lp, value, pair->value_digits);
    return listpack_next(lp, value);
}

static void read_item(const struct string_table *fields, const struct string_item *item,
                      struct hash_pair *pair)
{
    pair->field = string_item_text(item);
    pair->value = string_table_tail(fields, item);
}

struct hash_walk hash_walk(const struct entry *e)
{
    return (struct hash_walk){.entry = e, .item = is_small(e) ? listpack_first(listpack_of(e)) : 0};
}

bool hash_next(struct hash_walk *walk, struct hash_pair *pair)
{
    if (is_small(walk->entry)) {
        if (walk->item == 0) return false;
        walk->item = read_listpack(listpack_of(walk->entry), walk->item, pair);
        return true;
    }
    const struct string_table *fields = fields_of(walk->entry);
    const struct string_item *item = string_table_next(fields, &walk->place);
    if (item != NULL) read_item(fields, item, pair);
    return item != NULL;
}

struct visiting {
    const struct string_table *fields;
    hash_visit *visit;
    void *context;
};

static void visit_item(void *context, const struct string_item *item)
{
    const struct visiting *visiting = context;
    struct hash_pair pair;

    read_item(visiting->fields, item, &pair);
    visiting->visit(visiting->context, &pair);
}

uint64_t hash_scan(const struct entry *e, uint64_t cursor, hash_visit *visit, void *context)
{
    if (is_small(e)) {
        struct hash_walk walk = hash_walk(e);
        struct hash_pair pair;
        while (hash_next(&walk, &pair)) visit(context, &pair);
        return 0;
    }
    struct visiting visiting = {fields_of(e), visit, context};
    return string_table_scan(visiting.fields, cursor, visit_item, &visiting);
}

/* ---- random pairs ------------------------------------------------------------------------------- */

static void visit_listpack(const uint8_t *lp, size_t item, hash_visit *visit, void *context)
{
    struct hash_pair pair;
    read_listpack(lp, item, &pair);
    visit(context, &pair);
}

/* Many draws look for the places of all fields once. */
static void draw_many(const uint8_t *lp, uint64_t times, struct random *random, hash_visit *visit,
                      void *context)
{
    uint32_t *places = mem_alloc(listpack_count(lp) / 2 * sizeof *places);
    size_t count = 0;

    for (size_t at = listpack_first(lp); at != 0; at = listpack_next(lp, listpack_next(lp, at)))
        places[count++] = (uint32_t)at;
    for (uint64_t i = 0; i < times; i++)
        visit_listpack(lp, places[random_below(random, count)], visit, context);
    mem_free(places);
}

void hash_draw(const struct entry *e, uint64_t times, struct random *random, hash_visit *visit,
               void *context)
{
    if (is_small(e)) {
        const uint8_t *lp = listpack_of(e);
        if (times > 4) {
            draw_many(lp, times, random, visit, context);
            return;
        }
        for (uint64_t i = 0; i < times; i++)
            visit_listpack(lp, listpack_at(lp, 2 * (int64_t)random_below(random, hash_count(e))),
                           visit, context);
        return;
    }
    struct visiting visiting = {fields_of(e), visit, context};
    for (uint64_t i = 0; i < times; i++)
        visit_item(&visiting, string_table_random(visiting.fields, random));
}

void hash_sample(const struct entry *e, size_t count, struct random *random, hash_visit *visit,
                 void *context)
{
    if (is_small(e)) {
        /* Passes over all, taking each with the probability (still wanted / still to come). */
        struct hash_walk walk = hash_walk(e);
        struct hash_pair pair;
        for (size_t left = hash_count(e); count > 0 && hash_next(&walk, &pair); left--) {
            if (random_below(random, left) >= count) continue;
            visit(context, &pair);
            count--;
        }
        return;
    }
    struct visiting visiting = {fields_of(e), visit, context};
    string_table_sample(visiting.fields, count, random, visit_item, &visiting);
}

/* ---- changing ----------------------------------------------------------------------------------- */

static struct hash *new_table(const struct hash_secret *secret)
{
    struct hash *hash = mem_alloc(sizeof *hash);
    hash->holders = 1;
    string_table_init(&hash->fields, secret, STRING_TAIL_VARIES);
    return hash;
}

static struct entry *become_table(struct entry *e, const struct hash_secret *secret)
{
    struct hash *hash = new_table(secret);
    struct hash_walk walk = hash_walk(e);
    struct hash_pair pair;

    while (hash_next(&walk, &pair))
        check(string_table_add(&hash->fields, pair.field, pair.value) != NULL);
    return entry_become_pointer(e, ENC_HASH_TABLE, hash);
}

static size_t bytes_max(const struct entry *e)
{
    return entry_encoding(e) == ENC_LISTPACK ? ENTRY_INLINE_BYTES_MAX : HASH_PACK_BYTES_MAX;
}

/* Puts another value at `item`. NULL, having changed nothing, where that would be too long. */
static struct entry *replace_small(struct entry *e, size_t item, struct span value)
{
    uint8_t *lp = (uint8_t *)listpack_of(e);
    size_t old = listpack_item_size(lp, item), new = listpack_item_bytes(value);
    size_t bytes = listpack_bytes(lp) - old + new;

    if (bytes > bytes_max(e)) return NULL;
    if (new > old) e = entry_resize_inline(e, bytes, &lp);
    listpack_replace(lp, item, value);
    if (new < old) e = entry_resize_inline(e, bytes, &lp);
    return e;
}

/* Adds a pair at the end. NULL, having changed nothing, where that would be too long. */
static struct entry *append_small(struct entry *e, struct span field, struct span value)
{
    uint8_t *lp = (uint8_t *)listpack_of(e);
    size_t bytes = listpack_bytes(lp) + listpack_item_bytes(field) + listpack_item_bytes(value);

    if (bytes > bytes_max(e)) return NULL;
    e = entry_resize_inline(e, bytes, &lp);
    listpack_append(lp, field);
    listpack_append(lp, value);
    return e;
}

static struct entry *put_small(struct entry *e, struct span field, struct span value, bool *added)
{
    size_t item = find_value(listpack_of(e), field);
    *added = item == 0;
    return item != 0 ? replace_small(e, item, value) : append_small(e, field, value);
}

static bool is_long(struct span field, struct span value, const struct value_settings *settings)
{
    return field.len > settings->hash_max_listpack_value ||
           value.len > settings->hash_max_listpack_value;
}

/* The form that so many fields of so many bytes ask for, of those behind the one that the hash has. */
static enum encoding form_for(enum encoding form, uint64_t count, size_t bytes,
                              const struct value_settings *settings)
{
    if (form == ENC_LISTPACK && count > settings->hash_max_listpack_entries) form = ENC_HASH_PACK;
    if (form == ENC_HASH_PACK && (count > HASH_PACK_FIELDS_MAX || bytes > HASH_PACK_BYTES_MAX))
        form = ENC_HASH_TABLE;
    return form;
}

struct entry *hash_put(struct entry *e, struct span field, struct span value,
                       const struct value_settings *settings, bool *added)
{
    if (entry_encoding(e) == ENC_LISTPACK && is_long(field, value, settings))
        entry_set_inline_encoding(e, ENC_HASH_PACK);
    if (is_small(e)) {
        struct entry *changed = put_small(e, field, value, added);
        if (changed != NULL) {
            enum encoding form = form_for(entry_encoding(changed), hash_count(changed),
                                          listpack_bytes(listpack_of(changed)), settings);
            if (form == ENC_HASH_TABLE) return become_table(changed, &settings->secret);
            entry_set_inline_encoding(changed, form);
            return changed;
        }
        e = become_table(e, &settings->secret);
    }
    struct hash *hash = entry_pointer(e);
    string_table_put(&hash->fields, field, value, added);
    return e;
}

struct entry *hash_remove(struct entry *e, struct span field, bool *removed)
{
    if (!is_small(e)) {
        struct hash *hash = entry_pointer(e);
        *removed = string_table_remove(&hash->fields, field);
        return e;
    }
    uint8_t *lp = (uint8_t *)listpack_of(e);
    size_t item = listpack_find(lp, listpack_first(lp), field, 1);
    *removed = item != 0;
    if (item == 0) return e;
    listpack_remove(lp, item, 2);
    return entry_resize_inline(e, listpack_bytes(lp), &lp);
}

struct entry *hash_new(struct span key, int64_t deadline, uint64_t count,
                       const struct value_settings *settings)
{
    enum encoding form = form_for(ENC_LISTPACK, count, LISTPACK_EMPTY_BYTES, settings);
    uint8_t *lp;

    if (form == ENC_HASH_TABLE)
        return entry_new_pointer(key, deadline, TYPE_HASH, form, new_table(&settings->secret));
    struct entry *e = entry_new_inline(key, deadline, TYPE_HASH, form, LISTPACK_EMPTY_BYTES, &lp);
    listpack_init(lp);
    return e;
}

/* ---- the rows ----------------------------------------------------------------------------------- */

static void hash_free(void *value)
{
    struct hash *hash = value;
    string_table_release(&hash->fields);
    mem_free(hash);
}

static size_t hash_memory(const void *value)
{
    const struct hash *hash = value;
    return mem_class(sizeof *hash) + string_table_memory(&hash->fields);
}

static void *hash_copy(const void *value)
{
    const struct hash *hash = value;
    struct hash *copy = mem_alloc(sizeof *copy);
    copy->holders = 1;
    string_table_copy(&hash->fields, &copy->fields);
    return copy;
}

static size_t hash_effort(const void *value)
{
    const struct hash *hash = value;
    return string_table_count(&hash->fields) +
           string_table_data_bytes(&hash->fields) / ENTRY_INLINE_BYTES_MAX;
}

/* A string of an RDB body takes a byte or two more than its length. */
static size_t hash_weight(const void *value)
{
    const struct hash *hash = value;
    return string_table_data_bytes(&hash->fields) + 3 * string_table_count(&hash->fields);
}

static bool hash_relocate(void *value, struct value_cursor *cursor, struct mem_mover *mover)
{
    const struct string_relocation how = {.mover = mover};
    return string_table_relocate_part(&((struct hash *)value)->fields, &cursor->at, &how);
}

static const struct table *hash_table_of(const void *value)
{
    return ((const struct hash *)value)->fields.table;
}

const struct value_ops hash_ops = {
    .free = hash_free,
    .memory = hash_memory,
    .copy = hash_copy,
    .effort = hash_effort,
    .weight = hash_weight,
    .relocate = hash_relocate,
    .table = hash_table_of,
};

static struct entry *hash_empty(struct span key, const struct value_settings *settings)
{
    return hash_new(key, NO_DEADLINE, 0, settings);
}

static void hash_digest(const struct entry *e, unsigned char *figure)
{
    struct hash_walk walk = hash_walk(e);
    struct hash_pair pair;

    while (hash_next(&walk, &pair)) {
        unsigned char own[DIGEST_BYTES] = {0};
        digest_mix(own, pair.field.ptr, pair.field.len);
        digest_mix(own, pair.value.ptr, pair.value.len);
        digest_add(figure, own, sizeof own);
    }
}

const struct container_ops hash_container = {hash_empty, hash_count, hash_digest, false};
