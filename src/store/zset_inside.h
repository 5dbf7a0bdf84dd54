/* Between the files of the sorted set: its two forms.
 *
 * zset_small_* work on entries of ENC_LISTPACK, zset_big_* on the value behind ENC_SORTED_SET;
 * zset.c chooses. */
#ifndef PANDO_STORE_ZSET_INSIDE_H
#define PANDO_STORE_ZSET_INSIDE_H

#include "ds/listpack.h"
#include "store/zset.h"

static inline bool zset_is_small(const struct entry *e)
{
    return entry_encoding(e) == ENC_LISTPACK;
}

/* ---- small: members and their scores are named by the member's offset in the listpack ------------- */

static inline const uint8_t *zset_small_listpack(const struct entry *e)
{
    return (const uint8_t *)entry_inline(e).ptr;
}
/* An entry with an empty listpack. */
struct entry *zset_small_new(struct span key, int64_t deadline);
static inline size_t zset_small_count(const struct entry *e)
{
    return listpack_count(zset_small_listpack(e)) / 2;
}
double zset_small_score(const uint8_t *lp, size_t item);
/* The member and its score. */
struct sorted_key zset_small_key(const uint8_t *lp, size_t item,
                                 char scratch[static NUM_INT64_CHARS]);
/* The next member (from 0: the first one), 0 at the end; and the one before (from 0: the last). */
size_t zset_small_next(const uint8_t *lp, size_t item);
size_t zset_small_previous(const uint8_t *lp, size_t item);
/* 0 where there is no such member. */
size_t zset_small_find(const uint8_t *lp, struct span member);
/* Bytes that a member takes with its score. */
size_t zset_small_bytes(struct span member, double score);
/* Appends a member that belongs behind the others, to a listpack that has room for it. */
void zset_small_append(uint8_t *lp, struct span member, double score);
/* Puts a member into its place, where `instead` is not 0 instead of that one. It fits. */
struct entry *zset_small_put(struct entry *e, size_t instead, struct span member, double score);
/* Removes so many members from rank `first` on. */
struct entry *zset_small_remove(struct entry *e, size_t first, size_t count);
/* Rank of the member at `item`. */
size_t zset_small_rank(const uint8_t *lp, size_t item);

/* ---- big ----------------------------------------------------------------------------------------- */

struct zset_big {
    uint32_t holders; /* see value.h */
    struct string_table members;
    struct sorted_index order;
};

struct zset_big *zset_big_new(const struct hash_secret *secret);
static inline struct zset_big *zset_big_of(const struct entry *e)
{
    return entry_pointer(e);
}
static inline double zset_item_score(const struct string_item *item)
{
    double score;
    memcpy(&score, string_item_behind(item), sizeof score);
    return score;
}
/* Adds a member that is not there; `hash` is string_table_hash of it. */
void zset_big_add(struct zset_big *big, uint64_t hash, struct span member, double score);
void zset_big_set_score(struct zset_big *big, struct string_item *item, double score);
bool zset_big_remove(struct zset_big *big, struct span member);
void zset_big_remove_ranks(struct zset_big *big, size_t first, size_t count);

/* ---- from one to the other ----------------------------------------------------------------------- */

struct entry *zset_grow(struct entry *e, const struct hash_secret *secret);
/* Whether so many members, the longest of so many bytes, are to be small by the thresholds. */
bool zset_fits(size_t count, size_t longest, const struct value_settings *settings);
/* Makes an entry of a big value, which it takes: a small one where that fits, without settings never. */
struct entry *zset_entry_of(struct zset_big *big, size_t longest, struct span key, int64_t deadline,
                            const struct value_settings *settings);

#endif
