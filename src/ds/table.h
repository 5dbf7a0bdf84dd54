/* The hash table of the house: linear hashing over 64-byte buckets, grown one bucket at a time.
 *
 *   bucket (one cache line)
 *   +-------------------+------+----------------------------------------------------+
 *   | 9 fingerprints    | meta | 9 slots of 6 bytes: pointers to items (48 bits)    |
 *   +-------------------+------+----------------------------------------------------+
 *     meta: bitmap-free: count of used slots, and whether slot 9 points to an overflow bucket
 *
 * A bucket's index is the low `level` bits of the hash, or `level + 1` bits for buckets that were
 * split already (index below the split point). Buckets stand in fixed-size chunks, so growth never
 * moves or allocates a whole table: an insert splits at most one bucket, a removal merges at most
 * one. The first chunk grows by doubling up to the chunk size, so small tables stay small.
 *
 * Items are opaque pointers below 2^48; their hash comes from a callback. The same table serves the
 * keyspace and big hashes, sets and member indexes.
 *
 * Invariants
 * 1. An item lives in its home bucket or in that bucket's own overflow chain.
 * 2. What stays in the table during a whole scan is seen by it, whatever grows or shrinks between.
 * 3. Before an item changes its bucket (split: no; merge: yes) `before_merge` is called for both. */
#ifndef PANDO_DS_TABLE_H
#define PANDO_DS_TABLE_H

#include "base/random.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

struct table_hooks {
    /* The full hash of an item. */
    uint64_t (*hash)(const void *context, const void *item);
    /* Whether `item` is the one that `key` (what table_find was given) looks for. */
    bool (*matches)(const void *context, const void *item, const void *key);
    /* Optional. Bucket `from` was split, its upper half is now bucket `to`. */
    void (*after_split)(void *context, size_t from, size_t to);
    /* Optional. Bucket `from` is about to be merged into bucket `to` and to vanish. */
    void (*before_merge)(void *context, size_t from, size_t to);
    void *context;
};

struct table *table_new(const struct table_hooks *hooks); /* hooks are copied */
/* Frees the table; calls free_item for each item first unless NULL. */
void table_free(struct table *table, void (*free_item)(void *item));

size_t table_count(const struct table *table);
size_t table_buckets(const struct table *table); /* home buckets, >= 1 */
size_t table_memory(const struct table *table);  /* bytes */

/* Loads the bucket of `hash` into the cache; the second form loads the items that could match. Neither
 * waits: for batches. */
void table_prefetch_bucket(const struct table *table, uint64_t hash);
void table_prefetch_items(const struct table *table, uint64_t hash);

/* The item, or NULL. */
void *table_find(const struct table *table, uint64_t hash, const void *key);

/* Where an item stands; valid until the next insert or removal. */
struct table_place {
    void *bucket; /* NULL: absent */
    unsigned slot;
    size_t index; /* of the home bucket; set also when absent */
};
struct table_place table_locate(const struct table *table, uint64_t hash, const void *key);
void *table_at(struct table_place place);
/* Puts another item with the same hash in its place (an entry that was re-allocated). */
void table_replace(struct table_place place, void *item);
/* The item must not be there yet. */
void table_insert(struct table *table, uint64_t hash, void *item);
/* Takes the item out without freeing it. */
void table_remove(struct table *table, struct table_place place);

/* Index of the home bucket of a hash right now. */
size_t table_index(const struct table *table, uint64_t hash);

/* Calls `visit` for every item of home bucket `index` and its chain. visit must not change the
 * table. */
void table_visit(const struct table *table, size_t index,
                 void (*visit)(void *context, void *item), void *context);

/* One step of SCAN: visits one whole bucket (all buckets that the cursor's prefix covers) and returns
 * the next cursor, 0 at the end. Cursors are bit-reversed hash prefixes below 2^48: start with 0. */
uint64_t table_scan(const struct table *table, uint64_t cursor,
                    void (*visit)(void *context, void *item), void *context);

/* A uniformly random item, NULL when empty. */
void *table_random(const struct table *table, struct random *random);

/* Defragmentation: for every item of `index`, move(context, item) may return a new address. */
void table_relocate(struct table *table, size_t index, void *(*move)(void *context, void *item),
                    void *context);

/* Longest chain (in items) and a histogram line for DEBUG HTSTATS. Walks everything. */
size_t table_longest_chain(const struct table *table);

/* Checks every invariant; aborts where one is broken. For tests and fuzzers. */
void table_check(const struct table *table);

#endif
