/* The big form of the sorted set: a string table and a sorted index over its items. */
#include "base/check.h"
#include "base/mem.h"
#include "base/prefetch.h"
#include "store/zset_inside.h"

static struct sorted_key key_of_item(const void *item)
{
    return (struct sorted_key){zset_item_score(item), string_item_text(item)};
}

struct zset_big *zset_big_new(const struct hash_secret *secret)
{
    struct zset_big *big = mem_alloc(sizeof *big);

    big->holders = 1;
    string_table_init(&big->members, secret, sizeof(double));
    sorted_index_init(&big->order, key_of_item);
    return big;
}

/* ---- changing ------------------------------------------------------------------------------------ */

void zset_big_add(struct zset_big *big, uint64_t hash, struct span member, double score)
{
    struct span tail = span_of(&score, sizeof score);
    sorted_index_insert(&big->order, string_table_add_new(&big->members, hash, member, tail));
}

void zset_big_set_score(struct zset_big *big, struct string_item *item, double score)
{
    sorted_index_remove(&big->order, item);
    memcpy(string_item_behind(item), &score, sizeof score);
    sorted_index_insert(&big->order, item);
}

bool zset_big_remove(struct zset_big *big, struct span member)
{
    struct string_item *item = string_table_take(&big->members, member);

    if (item == NULL) return false;
    sorted_index_remove(&big->order, item);
    string_table_free_item(&big->members, item);
    return true;
}

/* Where members go at one end, those that stand next to it go soon: loads one of them, and what finds one that was
 * loaded before. */
static void load_ahead(const struct zset_big *big, const struct sorted_position *position,
                       int direction)
{
    const struct string_table *members = &big->members;
    const struct string_item *soon = sorted_position_beside(position, 4 * direction);
    const struct string_item *later = sorted_position_beside(position, 8 * direction);

    if (later != NULL) prefetch(later);
    if (soon != NULL)
        table_prefetch_bucket(members->table, string_table_hash(members, string_item_text(soon)));
}

void zset_big_remove_ranks(struct zset_big *big, size_t first, size_t count)
{
    int direction = first + count == big->order.count && first > 0 ? -1 : 1;
    bool is_big = big->order.count >= TABLE_AHEAD_MIN;

    for (; count > 0; count--) {
        struct sorted_position position;
        sorted_index_at(&big->order, direction > 0 ? first : first + count - 1, &position);
        struct span member = string_item_text(sorted_position_item(&position));
        if (is_big) load_ahead(big, &position, direction);
        sorted_index_remove_at(&big->order, &position);
        check(string_table_remove(&big->members, member));
    }
}

/* ---- the row of value.h ---------------------------------------------------------------------------- */

static void free_big(void *value)
{
    struct zset_big *big = value;

    sorted_index_release(&big->order);
    string_table_release(&big->members);
    mem_free(big);
}

static size_t memory(const void *value)
{
    const struct zset_big *big = value;
    return mem_usable(big) + string_table_memory(&big->members) + sorted_index_memory(&big->order);
}

/* In order, so that the copy's leaves are full. */
static void *copy(const void *value)
{
    const struct zset_big *big = value;
    struct zset_big *made = zset_big_new(&big->members.secret);
    struct sorted_position position;
    const struct string_item *item;

    sorted_index_at(&big->order, 0, &position);
    for (; (item = sorted_position_item(&position)) != NULL; sorted_position_next(&position)) {
        struct span member = string_item_text(item);
        zset_big_add(made, string_table_hash(&made->members, member), member,
                     zset_item_score(item));
    }
    return made;
}

static size_t effort(const void *value)
{
    const struct zset_big *big = value;
    return string_table_count(&big->members) + table_buckets(big->members.table) / 4096 +
           big->order.leaves + big->order.inner_nodes;
}

/* Each member has a length before it. */
static size_t weight(const void *value)
{
    const struct zset_big *big = value;
    return string_table_data_bytes(&big->members) + string_table_count(&big->members);
}

static void member_moved(void *context, const struct string_item *from, struct string_item *to)
{
    sorted_index_relocate(context, from, to);
}

#define PART_LEAVES 64

/* First the members, then the nodes of their order. */
static bool relocate(void *value, struct value_cursor *cursor, struct mem_mover *mover)
{
    struct zset_big *big = value;
    const struct string_relocation how = {mover, member_moved, &big->order};

    if (cursor->phase == 0) {
        if (string_table_relocate_part(&big->members, &cursor->at, &how)) return true;
        *cursor = (struct value_cursor){.phase = 1};
    }
    for (int i = 0; i < PART_LEAVES && cursor->at < big->order.count; i++)
        cursor->at = sorted_index_relocate_leaf(&big->order, cursor->at, mover);
    return cursor->at < big->order.count;
}

static const struct table *member_table(const void *value)
{
    return ((const struct zset_big *)value)->members.table;
}

const struct value_ops zset_ops = {
    .free = free_big,
    .memory = memory,
    .copy = copy,
    .effort = effort,
    .weight = weight,
    .relocate = relocate,
    .table = member_table,
};

/* ---- drafts ---------------------------------------------------------------------------------------- */

/* A big one that has no order yet. */
void zset_draft_init(struct zset_draft *draft, const struct hash_secret *secret)
{
    *draft = (struct zset_draft){.big = zset_big_new(secret)};
}

void zset_draft_release(struct zset_draft *draft)
{
    if (draft->big != NULL) free_big(draft->big);
    draft->big = NULL;
}

size_t zset_draft_count(const struct zset_draft *draft)
{
    return string_table_count(&draft->big->members);
}

void *zset_draft_put(struct zset_draft *draft, struct span member, bool *added)
{
    static const double zero = 0;
    struct string_table *members = &draft->big->members;
    uint64_t hash = string_table_hash(members, member);
    struct string_item *item = string_table_find_hashed(members, hash, member);

    *added = item == NULL;
    if (*added) item = string_table_add_new(members, hash, member, span_of(&zero, sizeof zero));
    if (member.len > draft->longest) draft->longest = member.len;
    return string_item_behind(item);
}

struct entry *zset_draft_finish(struct zset_draft *draft, struct span key, int64_t deadline,
                                const struct value_settings *settings)
{
    struct zset_big *big = draft->big;
    struct table_place place = {0};
    struct string_item *item;

    while ((item = string_table_next(&big->members, &place)) != NULL)
        sorted_index_insert(&big->order, item);
    draft->big = NULL;
    return zset_entry_of(big, draft->longest, key, deadline, draft->stays_big ? NULL : settings);
}
