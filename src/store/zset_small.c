/* The small form of the sorted set: a listpack of members and scores. */
#include "base/check.h"
#include "store/zset_inside.h"

struct entry *zset_small_new(struct span key, int64_t deadline)
{
    uint8_t *bytes;
    struct entry *e =
        entry_new_inline(key, deadline, TYPE_ZSET, ENC_LISTPACK, LISTPACK_EMPTY_BYTES, &bytes);
    listpack_init(bytes);
    return e;
}

/* ---- scores ------------------------------------------------------------------------------------- */

/* A score as it stands in a listpack. */
struct score_item {
    bool whole;
    int64_t number;
    size_t len;
    char text[NUM_DOUBLE_CHARS];
};

/* Whole numbers up to this stand there as integers (tried: Redis 7.0.15 writes larger ones as text). */
static const double whole_max = 4611686018427387904.0;

static void make_score_item(struct score_item *item, double score)
{
    item->whole = score >= -whole_max && score <= whole_max && score == (double)(int64_t)score;
    if (item->whole) item->number = (int64_t)score;
    else item->len = num_format_double(item->text, score);
}

static size_t score_item_bytes(const struct score_item *item)
{
    if (item->whole) return listpack_item_bytes_int64(item->number);
    return listpack_item_bytes(span_of(item->text, item->len));
}

double zset_small_score(const uint8_t *lp, size_t item)
{
    struct listpack_value value = listpack_value(lp, listpack_next(lp, item));
    double score;

    if (value.ptr == NULL) return (double)value.number;
    check(num_parse_double(span_of(value.ptr, value.len), &score));
    return score;
}

/* ---- walking and finding ------------------------------------------------------------------------- */

struct sorted_key zset_small_key(const uint8_t *lp, size_t item,
                                 char scratch[static NUM_INT64_CHARS])
{
    return (struct sorted_key){zset_small_score(lp, item), listpack_text(lp, item, scratch)};
}

size_t zset_small_next(const uint8_t *lp, size_t item)
{
    if (item == 0) return listpack_first(lp);
    return listpack_next(lp, listpack_next(lp, item));
}

size_t zset_small_previous(const uint8_t *lp, size_t item)
{
    size_t score = item == 0 ? listpack_last(lp) : listpack_previous(lp, item);
    return score == 0 ? 0 : listpack_previous(lp, score);
}

size_t zset_small_find(const uint8_t *lp, struct span member)
{
    return listpack_find(lp, listpack_first(lp), member, 1);
}

size_t zset_small_rank(const uint8_t *lp, size_t item)
{
    size_t rank = 0;
    for (size_t at = listpack_first(lp); at != item; at = zset_small_next(lp, at)) rank++;
    return rank;
}

/* The first member that does not stand before the bound; listpack_end where all do. */
static size_t seek(const uint8_t *lp, const struct sorted_bound *bound, size_t *rank)
{
    char scratch[NUM_INT64_CHARS];
    size_t item = listpack_first(lp);

    for (*rank = 0; item != 0; item = zset_small_next(lp, item), ++*rank) {
        struct sorted_key key = zset_small_key(lp, item, scratch);
        if (!sorted_key_is_before(&key, bound)) return item;
    }
    return listpack_end(lp);
}

/* ---- changing ------------------------------------------------------------------------------------ */

size_t zset_small_bytes(struct span member, double score)
{
    struct score_item item;
    make_score_item(&item, score);
    return listpack_item_bytes(member) + score_item_bytes(&item);
}

static void put(uint8_t *lp, size_t at, struct span member, const struct score_item *score)
{
    at = listpack_insert(lp, at, member);
    if (score->whole) listpack_insert_int64(lp, at, score->number);
    else listpack_insert(lp, at, span_of(score->text, score->len));
}

void zset_small_append(uint8_t *lp, struct span member, double score)
{
    struct score_item item;
    make_score_item(&item, score);
    put(lp, listpack_end(lp), member, &item);
}

struct entry *zset_small_put(struct entry *e, size_t instead, struct span member, double score)
{
    struct sorted_bound bound = {SORTED_BY_BOTH, false, score, member};
    struct score_item item;
    uint8_t *lp = (uint8_t *)zset_small_listpack(e);
    size_t rank;

    make_score_item(&item, score);
    if (instead != 0) listpack_remove(lp, instead, 2);
    size_t bytes = listpack_bytes(lp) + listpack_item_bytes(member) + score_item_bytes(&item);
    size_t at = seek(lp, &bound, &rank);
    e = entry_resize_inline(e, bytes, &lp);
    put(lp, at, member, &item);
    return e;
}

struct entry *zset_small_remove(struct entry *e, size_t first, size_t count)
{
    uint8_t *lp = (uint8_t *)zset_small_listpack(e);

    if (count == 0) return e;
    check(listpack_remove(lp, listpack_at(lp, (int64_t)(2 * first)), 2 * count) == 2 * count);
    return entry_resize_inline(e, listpack_bytes(lp), &lp);
}
