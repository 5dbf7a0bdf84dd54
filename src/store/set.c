/* The forms of a set, and how they change. Walking and choosing stand in set_walk.c, RDB bodies in
 * set_rdb.c. */
#include "store/set.h"

#include "base/check.h"
#include "base/mem.h"
#include "ds/intset.h"
#include "ds/listpack.h"
#include "store/digest.h"
#include "store/set_inside.h"

struct set_member set_member_of(struct span text)
{
    struct set_member member = {.text = text};
    member.is_number = num_parse_int64(text, &member.number);
    return member;
}

/* ---- tables ------------------------------------------------------------------------------------- */

static struct set_table *table_of_none(const struct hash_secret *secret)
{
    struct set_table *set = mem_alloc(sizeof *set);
    set->holders = 1;
    string_table_init(&set->members, secret, 0);
    return set;
}

static void table_value_free(void *value)
{
    string_table_release(&((struct set_table *)value)->members);
    mem_free(value);
}

static size_t table_value_memory(const void *value)
{
    return mem_usable(value) + string_table_memory(&((const struct set_table *)value)->members);
}

static void *table_value_copy(const void *value)
{
    struct set_table *copy = mem_alloc(sizeof *copy);
    copy->holders = 1;
    string_table_copy(&((const struct set_table *)value)->members, &copy->members);
    return copy;
}

static size_t table_value_effort(const void *value)
{
    return string_table_count(&((const struct set_table *)value)->members);
}

static size_t table_value_weight(const void *value)
{
    const struct string_table *members = &((const struct set_table *)value)->members;
    return string_table_data_bytes(members) + string_table_count(members);
}

static bool table_value_relocate(void *value, struct value_cursor *cursor, struct mem_mover *mover)
{
    const struct string_relocation how = {.mover = mover};
    return string_table_relocate_part(&((struct set_table *)value)->members, &cursor->at, &how);
}

static const struct table *table_value_table(const void *value)
{
    return ((const struct set_table *)value)->members.table;
}

const struct value_ops set_ops = {
    .free = table_value_free,
    .memory = table_value_memory,
    .copy = table_value_copy,
    .effort = table_value_effort,
    .weight = table_value_weight,
    .relocate = table_value_relocate,
    .table = table_value_table,
};

struct entry *set_new_table(struct span key, const struct value_settings *settings)
{
    return entry_new_pointer(key, NO_DEADLINE, TYPE_SET, ENC_SET_TABLE,
                             table_of_none(&settings->secret));
}

/* ---- changes of form ---------------------------------------------------------------------------- */

static bool fits_pack(size_t members, size_t bytes, struct span text)
{
    return members <= SET_PACK_MEMBERS_MAX && text.len <= SET_PACK_TEXT_MAX &&
           bytes <= ENTRY_INLINE_BYTES_MAX;
}

static struct entry *become_table(struct entry *e, const struct value_settings *settings)
{
    struct set_table *set = table_of_none(&settings->secret);
    struct set_walk walk;
    struct set_member member;

    set_walk_begin(&walk, e);
    while (set_walk_next(&walk, &member)) string_table_add(&set->members, member.text, SPAN(""));
    return entry_become_pointer(e, ENC_SET_TABLE, set);
}

/* An intset of few members becomes a listpack. */
static struct entry *become_pack(struct entry *e)
{
    int64_t numbers[SET_PACK_MEMBERS_MAX];
    size_t count = set_count(e), bytes = LISTPACK_EMPTY_BYTES;
    uint8_t *pack;

    check(count <= SET_PACK_MEMBERS_MAX);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = intset_at(set_bytes(e), i);
        bytes += listpack_item_bytes_int64(numbers[i]);
    }
    e = entry_become_inline(e, ENC_LISTPACK, bytes, &pack);
    listpack_init(pack);
    for (size_t i = 0; i < count; i++) listpack_insert_int64(pack, listpack_end(pack), numbers[i]);
    return e;
}

/* The form that an intset takes when `text` is to be added, which it cannot hold. */
static struct entry *make_room_for(struct entry *e, struct span text,
                                   const struct value_settings *settings)
{
    return fits_pack(set_count(e) + 1, 0, text) ? become_pack(e) : become_table(e, settings);
}

struct entry *set_leave_intset(struct entry *e, const struct value_settings *settings)
{
    if (entry_encoding(e) != ENC_INTSET) return e;
    return set_count(e) <= SET_PACK_MEMBERS_MAX ? become_pack(e) : become_table(e, settings);
}

/* ---- adding ------------------------------------------------------------------------------------- */

static struct entry *add_to_table(struct entry *e, struct span text, bool *added)
{
    *added = string_table_add(set_members(e), text, SPAN("")) != NULL;
    return e;
}

static struct entry *add_to_pack(struct entry *e, struct span text,
                                 const struct value_settings *settings, bool *added)
{
    const uint8_t *old = set_bytes(e);
    uint8_t *pack;

    *added = false;
    if (listpack_find(old, listpack_first(old), text, 0) != 0) return e;
    size_t bytes = listpack_bytes(old) + listpack_item_bytes(text);
    if (!fits_pack(listpack_count(old) + 1, bytes, text))
        return add_to_table(become_table(e, settings), text, added);
    e = entry_resize_inline(e, bytes, &pack);
    listpack_append(pack, text);
    *added = true;
    return e;
}

static struct entry *add_to_intset(struct entry *e, struct span text,
                                   const struct value_settings *settings, bool *added)
{
    const struct set_member member = set_member_of(text);
    const uint8_t *old = set_bytes(e);
    uint8_t *set;
    size_t index;

    *added = false;
    if (member.is_number && intset_find(old, member.number, &index)) return e;
    size_t bytes = member.is_number ? intset_bytes_with(old, member.number) : 0;
    if (!member.is_number || intset_count(old) >= settings->set_max_intset_entries ||
        bytes > ENTRY_INLINE_BYTES_MAX) {
        e = make_room_for(e, text, settings);
        return set_add(e, text, settings, added);
    }
    e = entry_resize_inline(e, bytes, &set);
    intset_insert(set, index, member.number);
    *added = true;
    return e;
}

struct entry *set_add(struct entry *e, struct span text, const struct value_settings *settings,
                      bool *added)
{
    switch (entry_encoding(e)) {
    case ENC_INTSET: return add_to_intset(e, text, settings, added);
    case ENC_LISTPACK: return add_to_pack(e, text, settings, added);
    default: return add_to_table(e, text, added);
    }
}

/* ---- removing ----------------------------------------------------------------------------------- */

static struct entry *remove_from_pack(struct entry *e, struct span text, bool *removed)
{
    uint8_t *pack = (uint8_t *)set_bytes(e);
    size_t item = listpack_find(pack, listpack_first(pack), text, 0);

    *removed = item != 0;
    if (item == 0) return e;
    listpack_remove(pack, item, 1);
    return entry_resize_inline(e, listpack_bytes(pack), &pack);
}

static struct entry *remove_from_intset(struct entry *e, struct span text, bool *removed)
{
    const struct set_member member = set_member_of(text);
    uint8_t *set = (uint8_t *)set_bytes(e);
    size_t index;

    *removed = member.is_number && intset_find(set, member.number, &index);
    if (!*removed) return e;
    intset_remove(set, index);
    return entry_resize_inline(e, intset_bytes(set), &set);
}

struct entry *set_remove(struct entry *e, struct span text, bool *removed)
{
    switch (entry_encoding(e)) {
    case ENC_INTSET: return remove_from_intset(e, text, removed);
    case ENC_LISTPACK: return remove_from_pack(e, text, removed);
    default: *removed = string_table_remove(set_members(e), text); return e;
    }
}

/* ---- looking up --------------------------------------------------------------------------------- */

size_t set_count(const struct entry *e)
{
    switch (entry_encoding(e)) {
    case ENC_INTSET: return intset_count(set_bytes(e));
    case ENC_LISTPACK: return listpack_count(set_bytes(e));
    default: return string_table_count(set_members(e));
    }
}

static bool pack_has(const uint8_t *pack, const struct set_member *member)
{
    size_t item = listpack_first(pack);
    for (; item != 0; item = listpack_next(pack, item))
        if (listpack_equals(pack, item, member->text, member->is_number, member->number))
            return true;
    return false;
}

static bool table_has(const struct string_table *members, struct set_member *member)
{
    if (!member->is_hashed) {
        member->hash = string_table_hash(members, member->text);
        member->is_hashed = true;
    }
    return string_table_find_hashed(members, member->hash, member->text) != NULL;
}

bool set_has(const struct entry *e, struct set_member *member)
{
    size_t index;

    switch (entry_encoding(e)) {
    case ENC_INTSET: return member->is_number && intset_find(set_bytes(e), member->number, &index);
    case ENC_LISTPACK: return pack_has(set_bytes(e), member);
    default: return table_has(set_members(e), member);
    }
}

/* ---- the container's row ------------------------------------------------------------------------ */

struct entry *set_new(struct span key, int64_t deadline)
{
    uint8_t *set;
    struct entry *e =
        entry_new_inline(key, deadline, TYPE_SET, ENC_INTSET, INTSET_HEAD_BYTES, &set);
    intset_init(set);
    return e;
}

static struct entry *empty_set(struct span key, const struct value_settings *settings)
{
    (void)settings;
    return set_new(key, NO_DEADLINE);
}

static void digest_set(const struct entry *e, unsigned char *figure)
{
    struct set_walk walk;
    struct set_member member;

    set_walk_begin(&walk, e);
    while (set_walk_next(&walk, &member)) digest_add(figure, member.text.ptr, member.text.len);
}

const struct container_ops set_container = {empty_set, set_count, digest_set, false};
