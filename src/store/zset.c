/* The sorted set in either form: its row, single members, and growing from one form into the other. What
 * goes by ranges stands in zset_range.c. */
#include "store/zset.h"

#include "base/check.h"
#include "store/digest.h"
#include "store/zset_inside.h"
#include <math.h>

/* ---- reading ------------------------------------------------------------------------------------- */

size_t zset_count(const struct entry *e)
{
    if (zset_is_small(e)) return zset_small_count(e);
    return string_table_count(&zset_big_of(e)->members);
}

bool zset_score(const struct entry *e, struct span member, double *score)
{
    if (zset_is_small(e)) {
        const uint8_t *lp = zset_small_listpack(e);
        size_t item = zset_small_find(lp, member);
        if (item != 0) *score = zset_small_score(lp, item);
        return item != 0;
    }
    const struct string_item *item = string_table_find(&zset_big_of(e)->members, member);
    if (item != NULL) *score = zset_item_score(item);
    return item != NULL;
}

bool zset_rank(const struct entry *e, struct span member, size_t *rank)
{
    if (zset_is_small(e)) {
        const uint8_t *lp = zset_small_listpack(e);
        size_t item = zset_small_find(lp, member);
        if (item != 0) *rank = zset_small_rank(lp, item);
        return item != 0;
    }
    const struct zset_big *big = zset_big_of(e);
    const struct string_item *item = string_table_find(&big->members, member);
    if (item != NULL) *rank = sorted_index_rank(&big->order, item);
    return item != NULL;
}

/* ---- from one form to the other -------------------------------------------------------------------- */

bool zset_fits(size_t count, size_t longest, const struct value_settings *settings)
{
    return count <= settings->zset_max_listpack_entries &&
           longest <= settings->zset_max_listpack_value;
}

struct entry *zset_grow(struct entry *e, const struct hash_secret *secret)
{
    struct zset_big *big = zset_big_new(secret);
    struct zset_walk walk;
    struct sorted_key key;

    zset_walk_begin(&walk, e, zset_whole(e));
    while (zset_walk_next(&walk, &key))
        zset_big_add(big, string_table_hash(&big->members, key.member), key.member, key.score);
    return entry_become_pointer(e, ENC_SORTED_SET, big);
}

static size_t small_bytes_of(const struct entry *e)
{
    size_t bytes = LISTPACK_EMPTY_BYTES;
    struct zset_walk walk;
    struct sorted_key key;

    zset_walk_begin(&walk, e, zset_whole(e));
    while (zset_walk_next(&walk, &key)) bytes += zset_small_bytes(key.member, key.score);
    return bytes;
}

struct entry *zset_entry_of(struct zset_big *big, size_t longest, struct span key, int64_t deadline,
                            const struct value_settings *settings)
{
    struct entry *e = entry_new_pointer(key, deadline, TYPE_ZSET, ENC_SORTED_SET, big);

    if (settings == NULL || !zset_fits(zset_count(e), longest, settings)) return e;
    size_t bytes = small_bytes_of(e);
    if (bytes > ENTRY_INLINE_BYTES_MAX) return e;

    uint8_t *lp;
    struct entry *small = entry_new_inline(key, deadline, TYPE_ZSET, ENC_LISTPACK, bytes, &lp);
    struct zset_walk walk;
    struct sorted_key pair;
    listpack_init(lp);
    zset_walk_begin(&walk, e, zset_whole(e));
    while (zset_walk_next(&walk, &pair)) zset_small_append(lp, pair.member, pair.score);
    entry_free(e);
    return small;
}

/* ---- changing ------------------------------------------------------------------------------------ */

/* A member that is to be added. */
struct candidate {
    struct span member;
    uint64_t hash;            /* big form */
    struct string_item *item; /* the one that is there; NULL */
    size_t small_item;        /* the same in the small form; 0 */
    double old;               /* its score */
};

static void look_up(const struct entry *e, struct candidate *candidate)
{
    struct span member = candidate->member;

    if (zset_is_small(e)) {
        const uint8_t *lp = zset_small_listpack(e);
        candidate->small_item = zset_small_find(lp, member);
        if (candidate->small_item != 0)
            candidate->old = zset_small_score(lp, candidate->small_item);
        return;
    }
    const struct string_table *members = &zset_big_of(e)->members;
    candidate->hash = string_table_hash(members, member);
    candidate->item = string_table_find_hashed(members, candidate->hash, member);
    if (candidate->item != NULL) candidate->old = zset_item_score(candidate->item);
}

static struct zset_outcome decide(bool is_there, double old, double score, unsigned conditions)
{
    if (!is_there)
        return (struct zset_outcome){conditions & ZSET_IF_PRESENT ? ZSET_REFUSED : ZSET_ADDED,
                                     score};
    if (conditions & ZSET_INCREMENT) score += old;
    struct zset_outcome outcome = {score == old ? ZSET_UNCHANGED : ZSET_UPDATED, score};
    if (conditions & ZSET_IF_ABSENT) outcome.what = ZSET_REFUSED;
    else if (isnan(score)) outcome.what = ZSET_NOT_A_NUMBER;
    else if (((conditions & ZSET_IF_GREATER) && score <= old) ||
             ((conditions & ZSET_IF_LESS) && score >= old))
        outcome.what = ZSET_REFUSED;
    return outcome;
}

static struct entry *place(struct entry *e, struct candidate *candidate, double score,
                           const struct value_settings *settings)
{
    if (zset_is_small(e)) {
        bool fits = candidate->small_item != 0 ||
                    zset_fits(zset_small_count(e) + 1, candidate->member.len, settings);
        size_t bytes =
            listpack_bytes(zset_small_listpack(e)) + zset_small_bytes(candidate->member, score);
        if (fits && bytes <= ENTRY_INLINE_BYTES_MAX)
            return zset_small_put(e, candidate->small_item, candidate->member, score);
        e = zset_grow(e, &settings->secret);
        look_up(e, candidate);
    }
    struct zset_big *big = zset_big_of(e);
    if (candidate->item != NULL) zset_big_set_score(big, candidate->item, score);
    else zset_big_add(big, candidate->hash, candidate->member, score);
    return e;
}

struct entry *zset_add(struct entry *e, struct span member, double score, unsigned conditions,
                       const struct value_settings *settings, struct zset_outcome *outcome)
{
    struct candidate candidate = {.member = member};

    look_up(e, &candidate);
    *outcome = decide(candidate.item != NULL || candidate.small_item != 0, candidate.old, score,
                      conditions);
    if (outcome->what != ZSET_ADDED && outcome->what != ZSET_UPDATED) return e;
    return place(e, &candidate, outcome->score, settings);
}

struct entry *zset_remove(struct entry *e, struct span member, bool *removed)
{
    if (!zset_is_small(e)) {
        *removed = zset_big_remove(zset_big_of(e), member);
        return e;
    }
    const uint8_t *lp = zset_small_listpack(e);
    size_t item = zset_small_find(lp, member);
    *removed = item != 0;
    return item == 0 ? e : zset_small_remove(e, zset_small_rank(lp, item), 1);
}

struct entry *zset_remove_ranks(struct entry *e, size_t first, size_t count)
{
    if (zset_is_small(e)) return zset_small_remove(e, first, count);
    zset_big_remove_ranks(zset_big_of(e), first, count);
    return e;
}

/* ---- the row of value.h ---------------------------------------------------------------------------- */

static struct entry *empty(struct span key, const struct value_settings *settings)
{
    (void)settings;
    return zset_small_new(key, NO_DEADLINE);
}

/* Each member is mixed with its score, and the results are added (tried). */
static void digest(const struct entry *e, unsigned char *figure)
{
    struct zset_walk walk;
    struct sorted_key key;

    zset_walk_begin(&walk, e, zset_whole(e));
    while (zset_walk_next(&walk, &key)) {
        unsigned char one[DIGEST_BYTES] = {0};
        char text[NUM_DOUBLE_CHARS];
        size_t len = num_format_double(text, key.score);
        digest_mix(one, key.member.ptr, key.member.len);
        digest_mix(one, text, len);
        digest_add(figure, one, sizeof one);
    }
}

const struct container_ops zset_container = {empty, zset_count, digest, false};

/* ---- the whole ------------------------------------------------------------------------------------- */

static void check_small(const struct entry *e)
{
    static const struct hash_secret secret = {0};
    const uint8_t *lp = zset_small_listpack(e);
    struct sorted_key before = {0};
    char scratch[2][NUM_INT64_CHARS];

    check(listpack_validate(entry_inline(e)));
    check(listpack_count(lp) % 2 == 0 && listpack_is_distinct(lp, 1, &secret));
    for (size_t item = listpack_first(lp), i = 0; item != 0;
         item = zset_small_next(lp, item), i++) {
        struct sorted_key key = zset_small_key(lp, item, scratch[i % 2]);
        struct sorted_bound bound = {SORTED_BY_BOTH, false, key.score, key.member};
        check(!isnan(key.score) && (i == 0 || sorted_key_is_before(&before, &bound)));
        before = key;
    }
}

void zset_check(const struct entry *e)
{
    struct table_place place = {0};
    const struct string_item *item;

    check(entry_type(e) == TYPE_ZSET);
    if (zset_is_small(e)) {
        check_small(e);
        return;
    }
    const struct zset_big *big = zset_big_of(e);
    string_table_check(&big->members);
    sorted_index_check(&big->order);
    check(big->order.count == string_table_count(&big->members));
    while ((item = string_table_next(&big->members, &place)) != NULL)
        sorted_index_rank(&big->order, item); /* which checks that it is there */
}
