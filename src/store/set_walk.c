/* Sets: walking over the members and choosing from them. */
#include "base/check.h"
#include "ds/intset.h"
#include "ds/listpack.h"
#include "store/set_inside.h"

void set_walk_begin(struct set_walk *walk, const struct entry *e)
{
    *walk = (struct set_walk){.e = e};
    if (entry_encoding(e) == ENC_LISTPACK) walk->at = listpack_first(set_bytes(e));
}

static struct set_member member_of_number(int64_t number, char *scratch)
{
    return (struct set_member){.text = span_of(scratch, num_format_int64(scratch, number)),
                               .number = number,
                               .is_number = true};
}

/* Texts that are integers are never stored as texts in a listpack. */
static struct set_member member_of_item(const uint8_t *pack, size_t item, char *scratch)
{
    struct listpack_value value = listpack_value(pack, item);
    if (value.ptr == NULL) return member_of_number(value.number, scratch);
    return (struct set_member){.text = span_of(value.ptr, value.len)};
}

bool set_walk_next(struct set_walk *walk, struct set_member *member)
{
    const struct string_item *item;

    switch (entry_encoding(walk->e)) {
    case ENC_INTSET:
        if (walk->at == intset_count(set_bytes(walk->e))) return false;
        *member = member_of_number(intset_at(set_bytes(walk->e), walk->at++), walk->scratch);
        return true;
    case ENC_LISTPACK:
        if (walk->at == 0) return false;
        *member = member_of_item(set_bytes(walk->e), walk->at, walk->scratch);
        walk->at = listpack_next(set_bytes(walk->e), walk->at);
        return true;
    default:
        item = string_table_next(set_members(walk->e), &walk->place);
        if (item != NULL) *member = set_member_of(string_item_text(item));
        return item != NULL;
    }
}

/* ---- SSCAN -------------------------------------------------------------------------------------- */

struct visitor {
    set_visit *visit;
    void *context;
};

static void visit_item(void *context, const struct string_item *item)
{
    const struct visitor *visitor = context;
    visitor->visit(visitor->context, string_item_text(item));
}

uint64_t set_scan(const struct entry *e, uint64_t cursor, set_visit *visit, void *context)
{
    struct visitor visitor = {visit, context};
    struct set_walk walk;
    struct set_member member;

    if (entry_encoding(e) == ENC_SET_TABLE)
        return string_table_scan(set_members(e), cursor, visit_item, &visitor);
    set_walk_begin(&walk, e);
    while (set_walk_next(&walk, &member)) visit(context, member.text);
    return 0;
}

/* ---- choosing ----------------------------------------------------------------------------------- */

struct span set_random(const struct entry *e, struct random *random,
                       char scratch[static NUM_INT64_CHARS])
{
    const size_t count = set_count(e);

    check(count > 0);
    if (entry_encoding(e) == ENC_SET_TABLE)
        return string_item_text(string_table_random(set_members(e), random));
    size_t index = random_below(random, count);
    if (entry_encoding(e) == ENC_INTSET)
        return member_of_number(intset_at(set_bytes(e), index), scratch).text;
    const uint8_t *pack = set_bytes(e);
    return listpack_text(pack, listpack_at(pack, (int64_t)index), scratch);
}

void set_sample(const struct entry *e, size_t count, struct random *random, set_visit *visit,
                void *context)
{
    struct visitor visitor = {visit, context};
    size_t left = set_count(e);
    struct set_walk walk;
    struct set_member member;

    if (count > left) count = left;
    if (entry_encoding(e) == ENC_SET_TABLE) {
        string_table_sample(set_members(e), count, random, visit_item, &visitor);
        return;
    }
    /* Each is taken with the probability that those still wanted have among those still to come. */
    set_walk_begin(&walk, e);
    for (; count > 0 && set_walk_next(&walk, &member); left--) {
        if (random_below(random, left) >= count) continue;
        visit(context, member.text);
        count--;
    }
}

void set_check(const struct entry *e)
{
    const struct hash_secret any = {0};

    check(entry_type(e) == TYPE_SET);
    switch (entry_encoding(e)) {
    case ENC_INTSET: check(intset_validate(entry_inline(e))); break;
    case ENC_LISTPACK:
        check(listpack_validate(entry_inline(e)));
        check(listpack_is_distinct(set_bytes(e), 0, &any));
        check(listpack_count(set_bytes(e)) <= SET_PACK_MEMBERS_MAX);
        break;
    default: check(entry_encoding(e) == ENC_SET_TABLE); string_table_check(set_members(e));
    }
}
