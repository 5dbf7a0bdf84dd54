/* RDB bodies of sorted sets.
 *
 *   5, zset-v2        length, then member and score (8 bytes) each, the highest first: what is big
 *   17, zset-listpack the listpack of the small form, as one string
 *   3, zset           as 5, but the score is a text of up to 252 bytes behind its length (1 byte);
 *                     lengths 253, 254 and 255 are NaN, inf and -inf
 *   12, zset-ziplist  as 17, a ziplist
 *
 * Types 3 and 12 are read only. A listpack that is not in order is refused: nobody writes one.
 *
 * A small one has no negative zero. So a sorted set with one stays big when it is loaded: a replica and
 * a file have the data that they were given. (Redis makes it small, and a zero of it.) */
#include "base/check.h"
#include "ds/ziplist.h"
#include "store/zset.h"
#include "store/zset_inside.h"
#include <math.h>

/* ---- writing --------------------------------------------------------------------------------------- */

uint8_t zset_rdb_type(const struct entry *e)
{
    return zset_is_small(e) ? RDB_TYPE_ZSET_LISTPACK : RDB_TYPE_ZSET_2;
}

void zset_rdb_write(struct rdb_writer *writer, const struct entry *e)
{
    struct zset_slice all = zset_whole(e);
    struct zset_walk walk;
    struct sorted_key key;

    if (zset_is_small(e)) {
        rdb_write_string(writer, entry_inline(e));
        return;
    }
    all.reverse = true;
    rdb_write_length(writer, all.count);
    zset_walk_begin(&walk, e, all);
    while (zset_walk_next(&walk, &key)) {
        rdb_write_string(writer, key.member);
        rdb_write_double(writer, key.score);
    }
}

static void put_score(struct zset_draft *draft, void *at, double score)
{
    memcpy(at, &score, sizeof score);
    if (score == 0 && signbit(score)) draft->stays_big = true;
}

/* ---- pairs: types 3 and 5 ---------------------------------------------------------------------------- */

/* Where the score of a new member goes. */
static enum err add_member(struct rdb_reader *reader, struct zset_draft *draft, struct span member,
                           void **score)
{
    bool added;
    *score = zset_draft_put(draft, member, &added);
    if (added) return OK;
    return rdb_fail(reader, ERR_CORRUPT, "A member stands twice in a sorted set");
}

static enum err read_text_score(struct rdb_reader *reader, double *score)
{
    char text[256];
    uint8_t len = 0;

    TRY(rdb_read_byte(reader, &len));
    if (len == 253) return rdb_fail(reader, ERR_CORRUPT, "A score of a sorted set is NaN");
    if (len >= 254) {
        *score = len == 254 ? INFINITY : -INFINITY;
        return OK;
    }
    TRY(rdb_read_bytes(reader, text, len));
    if (!num_parse_double(span_of(text, len), score))
        return rdb_fail(reader, ERR_CORRUPT, "A score of a sorted set is no number");
    return OK;
}

/* A member is put in before its score is read: reading ends the loan of its bytes. */
static enum err read_pairs(struct rdb_reader *reader, uint8_t type, struct zset_draft *draft)
{
    uint64_t count = 0;

    TRY(rdb_read_length(reader, &count));
    for (uint64_t i = 0; i < count; i++) {
        struct span member;
        double score = 0;
        void *at;
        TRY(rdb_read_string(reader, &member));
        TRY(add_member(reader, draft, member, &at));
        if (type == RDB_TYPE_ZSET) TRY(read_text_score(reader, &score));
        else TRY(rdb_read_double(reader, &score));
        if (isnan(score)) return rdb_fail(reader, ERR_CORRUPT, "A score of a sorted set is NaN");
        put_score(draft, at, score);
    }
    return OK;
}

/* ---- packs: types 12 and 17 --------------------------------------------------------------------------
 * The number of members alone decides whether it stays small, not their length (tried). */

static bool score_of(struct listpack_value value, double *score)
{
    if (value.ptr != NULL) return num_parse_double(span_of(value.ptr, value.len), score);
    *score = (double)value.number;
    return true;
}

/* A ziplist or a listpack: their items are walked alike. */
struct pack {
    const char *name;
    const uint8_t *bytes;
    size_t first; /* item; 0: none */
    size_t (*next)(const uint8_t *pack, size_t item);
    struct listpack_value (*value)(const uint8_t *pack, size_t item);
};

/* Checks that members and scores alternate, in order; collects them unless draft is NULL. */
static enum err read_pack(struct rdb_reader *reader, const struct pack *pack,
                          struct zset_draft *draft)
{
    struct sorted_key before = {0, {NULL, 0}};
    char scratch[2][NUM_INT64_CHARS];

    for (size_t item = pack->first, i = 0; item != 0; i++) {
        struct sorted_key key = {
            0, listpack_value_text(pack->value(pack->bytes, item), scratch[i % 2])};
        item = pack->next(pack->bytes, item);
        if (item == 0 || !score_of(pack->value(pack->bytes, item), &key.score))
            return rdb_fail(reader, ERR_CORRUPT, "A member in a sorted set's %s has no score",
                            pack->name);
        struct sorted_bound bound = {SORTED_BY_BOTH, false, key.score, key.member};
        if (i > 0 && !sorted_key_is_before(&before, &bound))
            return rdb_fail(reader, ERR_CORRUPT, "The %s of a sorted set is not in order",
                            pack->name);
        if (draft != NULL) {
            void *at;
            TRY(add_member(reader, draft, key.member, &at));
            put_score(draft, at, key.score);
        }
        before = key;
        item = pack->next(pack->bytes, item);
    }
    return OK;
}

static enum err read_ziplist(struct rdb_reader *reader, struct zset_draft *draft)
{
    struct pack pack = {.name = "ziplist", .next = ziplist_next, .value = ziplist_value};
    struct span bytes;
    size_t count;

    TRY(rdb_read_string(reader, &bytes));
    if (!ziplist_validate(bytes, &count))
        return rdb_fail(reader, ERR_CORRUPT, "The ziplist of a sorted set is not sound");
    pack.bytes = (const uint8_t *)bytes.ptr;
    pack.first = ziplist_first(pack.bytes);
    TRY(read_pack(reader, &pack, draft));
    draft->longest = 0;
    return OK;
}

/* What is few enough stays as it is. */
static enum err read_listpack(struct rdb_reader *reader, const struct value_target *target,
                              struct zset_draft *draft, struct entry **out)
{
    struct pack pack = {.name = "listpack", .next = listpack_next, .value = listpack_value};
    struct span bytes;

    TRY(rdb_read_string(reader, &bytes));
    if (!listpack_validate(bytes))
        return rdb_fail(reader, ERR_CORRUPT, "The listpack of a sorted set is not sound");
    const uint8_t *lp = pack.bytes = (const uint8_t *)bytes.ptr;
    pack.first = listpack_first(lp);
    if (listpack_count(lp) / 2 > target->settings->zset_max_listpack_entries ||
        bytes.len > ENTRY_INLINE_BYTES_MAX) {
        zset_draft_init(draft, &target->settings->secret);
        return read_pack(reader, &pack, draft);
    }
    TRY(read_pack(reader, &pack, NULL));
    if (!listpack_is_distinct(lp, 1, &target->settings->secret))
        return rdb_fail(reader, ERR_CORRUPT, "A member stands twice in a sorted set");
    if (pack.first == 0) return ERR_EMPTY_VALUE;
    uint8_t *own;
    *out =
        entry_new_inline(target->key, target->deadline, TYPE_ZSET, ENC_LISTPACK, bytes.len, &own);
    memcpy(own, lp, bytes.len);
    return OK;
}

/* Types 3, 5 and 12. */
static enum err read_draft(struct rdb_reader *reader, uint8_t type,
                           const struct value_target *target, struct zset_draft *draft)
{
    zset_draft_init(draft, &target->settings->secret);
    if (type == RDB_TYPE_ZSET_ZIPLIST) return read_ziplist(reader, draft);
    return read_pairs(reader, type, draft);
}

enum err zset_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                       struct entry **out)
{
    struct zset_draft draft = {0};
    struct entry *made = NULL;
    enum err err = type == RDB_TYPE_ZSET_LISTPACK ? read_listpack(reader, target, &draft, &made)
                                                  : read_draft(reader, type, target, &draft);

    if (err == OK && made == NULL) {
        if (zset_draft_count(&draft) == 0) err = ERR_EMPTY_VALUE;
        else made = zset_draft_finish(&draft, target->key, target->deadline, target->settings);
    }
    zset_draft_release(&draft);
    if (err == OK) *out = made;
    return err;
}
