/* Sorted sets: members with scores, in order of (score, member bytes).
 *
 *   ENC_LISTPACK     inline: member, score, member, score, ... in order. Scores stand there as Redis
 *                    writes them: whole numbers as integers, others as their shortest text of
 *                    17 digits; so a negative zero is a zero
 *   ENC_SORTED_SET   struct zset_big: a string table of the members with their scores as tails, and a
 *                    sorted index over its items
 *
 * A small one becomes big when a member is added beyond zset-max-listpack-entries or longer than
 * zset-max-listpack-value, never back; what a command computes afresh begins in the form that fits.
 *
 * All ways to name a part of it (by rank, score or member) become a run of ranks first: see
 * zset_select. Every function takes time in the logarithm of the members, and in what it delivers,
 * takes out or puts in; the small form is walked.
 *
 * Invariants
 * 1. No member stands twice, no score is NaN.
 * 2. In the small form: order as in the big one, and at most ENTRY_INLINE_BYTES_MAX bytes.
 *
 * Members that readers return borrow from the value until the next change. */
#ifndef PANDO_STORE_ZSET_H
#define PANDO_STORE_ZSET_H

#include "base/random.h"
#include "ds/sorted_index.h"
#include "ds/string_table.h"
#include "store/value.h"
#include "store/value_rdb.h"

extern const struct value_ops zset_ops;
extern const struct container_ops zset_container;

/* ---- reading ------------------------------------------------------------------------------------ */

size_t zset_count(const struct entry *e);
/* False where there is no such member. */
bool zset_score(const struct entry *e, struct span member, double *score);
bool zset_rank(const struct entry *e, struct span member, size_t *rank);

/* A part of a sorted set. */
struct zset_range {
    enum zset_range_kind { ZSET_BY_RANK, ZSET_BY_SCORE, ZSET_BY_LEX } kind;
    int64_t start, stop;           /* ranks, both inclusive, negative ones counted from the end */
    struct sorted_bound low, high; /* all between the two */
};
/* A run of ranks, and from which end it is read. */
struct zset_slice {
    size_t first, count;
    bool reverse;
};

/* The ranks of a part. With `reverse` ranks count from the last member on. By lex, where scores differ,
 * a small one gives what Redis finds walking it in that direction. */
struct zset_slice zset_select(const struct entry *e, const struct zset_range *range, bool reverse);
/* Cuts `offset` members off the end that is read first, and all but `limit`; negative: no limit. A
 * negative offset leaves nothing. */
void zset_slice_limit(struct zset_slice *slice, int64_t offset, int64_t limit);

/* Walks a slice. */
struct zset_walk {
    const uint8_t *listpack; /* NULL: the big form */
    size_t item;             /* in the listpack: the next member */
    struct sorted_position position;
    size_t left;
    bool reverse;
    char scratch[NUM_INT64_CHARS];
};
void zset_walk_begin(struct zset_walk *walk, const struct entry *e, struct zset_slice slice);
/* The next member with its score; false at the end. The member is good until the next call, of a big
 * one until the next change. */
bool zset_walk_next(struct zset_walk *walk, struct sorted_key *out);
static inline struct zset_slice zset_whole(const struct entry *e)
{
    return (struct zset_slice){0, zset_count(e), false};
}

/* A member and its score as ZSCAN shows it, which of a small one is the listpack's text: 2^62 has all
 * its digits there, 4.6116860184273879e+18 elsewhere (tried). */
typedef void zset_visit(void *context, struct span member, struct span score);
/* One step of ZSCAN: a small one as a whole, of a big one what stands in a bucket of its table. */
uint64_t zset_scan(const struct entry *e, uint64_t cursor, zset_visit *visit, void *context);

/* ---- changing: each takes the entry and returns the one to go on with ------------------------------ */

enum zset_condition { /* of an addition, any of them together */
                      ZSET_IF_ABSENT = 1 << 0,
                      ZSET_IF_PRESENT = 1 << 1,
                      ZSET_IF_GREATER = 1 << 2, /* what is there is only raised */
                      ZSET_IF_LESS = 1 << 3,
                      ZSET_INCREMENT = 1 << 4, /* the score is added to what is there */
};
struct zset_outcome {
    enum { ZSET_ADDED, ZSET_UPDATED, ZSET_UNCHANGED, ZSET_REFUSED, ZSET_NOT_A_NUMBER } what;
    double score; /* that the member has now, but where refused or not a number */
};
/* Adds a member, or changes its score. ZSET_REFUSED: a condition is not met. ZSET_NOT_A_NUMBER: the sum
 * would not be one; nothing is changed. The score is not NaN, and the member not within the entry. */
struct entry *zset_add(struct entry *e, struct span member, double score, unsigned conditions,
                       const struct value_settings *settings, struct zset_outcome *outcome);
struct entry *zset_remove(struct entry *e, struct span member, bool *removed);
/* Removes so many members from rank `first` on; they are there. */
struct entry *zset_remove_ranks(struct entry *e, size_t first, size_t count);

/* ---- what is computed afresh ------------------------------------------------------------------------ */

/* Members and scores that are being collected, in no order. */
struct zset_draft {
    struct zset_big *big;
    size_t longest; /* bytes of the longest member */
    bool stays_big; /* whatever the thresholds say */
};
void zset_draft_init(struct zset_draft *draft, const struct hash_secret *secret);
void zset_draft_release(struct zset_draft *draft);
size_t zset_draft_count(const struct zset_draft *draft);
/* Where the score of a member stands, unaligned: added as 0 where it is not there, and *added says so. */
void *zset_draft_put(struct zset_draft *draft, struct span member, bool *added);
/* The sorted set of what was collected, in the form that the thresholds give it. Nothing is left in the
 * draft. */
struct entry *zset_draft_finish(struct zset_draft *draft, struct span key, int64_t deadline,
                                const struct value_settings *settings);

/* Checks every invariant; aborts where one is broken. For tests and fuzzers. */
void zset_check(const struct entry *e);

/* ---- RDB: value_rdb.c calls these ----------------------------------------------------------- */

/* Reads a body of any of the type ids that hold a zset. */
enum err zset_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                       struct entry **out);
/* The type id under which it is written, told by the encoding alone (a snapshot's copy may have lost
 * its value), and its body. */
uint8_t zset_rdb_type(const struct entry *e);
void zset_rdb_write(struct rdb_writer *writer, const struct entry *e);

#endif
