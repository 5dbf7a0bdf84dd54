/* The hash table of the house: linear hashing over 64-byte buckets, grown one bucket at a time.
 *
 *   bucket (one cache line; bucket.h)
 *   +-------------------+------+----------------------------------------------------+
 *   | 9 fingerprints    | meta | 9 slots of 6 bytes: pointers to items (48 bits)    |
 *   +-------------------+------+----------------------------------------------------+
 *     meta: count of used slots, and whether slot 8 points to an overflow bucket
 *
 * The number of buckets is 2^level + split. A bucket's index is the low `level` bits of the hash,
 * or `level + 1` bits for buckets that were split already (index below the split point) and their
 * upper halves:
 *
 *      0            split           2^level          2^level + split
 *      +--------------+----------------+----------------+
 *      | level+1 bits |   level bits   |  level+1 bits  |
 *      +--------------+----------------+----------------+
 *        ^ these were split             ^ into these
 *
 * Buckets stand in chunks, 256 KB each once the table is big, and growth moves none of them but the
 * first while that holds under 32 buckets: it never moves or allocates a whole table. An insert
 * splits at most two buckets, a removal merges at most two, and both bounds are met in passing, one
 * in six inserts splitting one bucket. The split's bucket and items are prefetched by the inserts
 * before it. Memory is 11.5 to 12 bytes per item (docs/decisions/0001-table.md).
 *
 * Items are opaque pointers below 2^48; their hash comes from a callback and must be keyed: all of
 * it is used (low bits for the bucket, top 8 for the fingerprint). The same table serves the
 * keyspace and big hashes, sets and member indexes; an empty one takes under 300 bytes.
 *
 * Invariants
 * 1. An item lives in its home bucket or in that bucket's own overflow chain.
 * 2. What stays in the table during a whole scan is seen by it, whatever grows or shrinks between.
 * 3. Items change their bucket only in a split, after which `after_split` is called, and in a
 *    merge, before which `before_merge` is called. Hooks must not change the table.
 *
 * One thread at a time; a table without concurrent writers may be read by several. Time is bounded
 * for every call except table_free, table_longest_chain and table_check, as long as hashes are
 * spread. */
#ifndef PANDO_DS_TABLE_H
#define PANDO_DS_TABLE_H

#include "base/mem_mover.h"
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
size_t table_memory(const struct table *table);  /* bytes, without the items; constant time */

/* Loads the bucket of `hash` into the cache; the second form, called when the bucket has arrived,
 * loads the items that could match. For batches: neither waits for what it loads. */
void table_prefetch_bucket(const struct table *table, uint64_t hash);
void table_prefetch_items(const struct table *table, uint64_t hash);

/* Items from which on loading ahead is worth it: at 50 bytes each, half of a core's cache. */
#define TABLE_AHEAD_MIN 8192

/* An item that by its bucket and fingerprint may be the one of `hash`, NULL where there is none: mostly the right one, for
 * whoever wants to look ahead and not to pay for certainty. Reads no item. */
void *table_guess(const struct table *table, uint64_t hash);

/* The item, or NULL. */
void *table_find(const struct table *table, uint64_t hash, const void *key);

/* Where an item stands; valid until the next insert, removal or relocation. */
struct table_place { /* two words: it travels in registers */
    void *bucket;    /* NULL: absent */
    uint64_t slot : 8;
    uint64_t index : 56; /* of the home bucket; set also when absent */
};
struct table_place table_locate(const struct table *table, uint64_t hash, const void *key);
void *table_at(struct table_place place);
/* Puts another item with the same hash in its place (an entry that was re-allocated). */
void table_replace(struct table_place place, void *item);
/* The item must not be there yet. Splits at most two buckets, after the item found its place. */
void table_insert(struct table *table, uint64_t hash, void *item);
/* Takes the item out without freeing it; the item's memory is not read. Then merges at most two
 * buckets. */
void table_remove(struct table *table, struct table_place place);

/* Calls `visit` for every item of home bucket `index` and its chain. visit must not change the
 * table. */
void table_visit(const struct table *table, size_t index, void (*visit)(void *context, void *item),
                 void *context);

/* The next item of a walk over all: begin with (struct table_place){0}; NULL ends it. The table must not
 * change meanwhile, but items that were returned may be freed. Loads what comes next into the cache. */
void *table_next(const struct table *table, struct table_place *place);

/* One step of SCAN: visits every item of one bucket and returns the next cursor, 0 at the end.
 * Start with 0. A cursor is a hash prefix: the low bits of the hashes that come next, counted
 * upwards in bit-reversed order, always below 2^48 and, in a small table, small. Any number is
 * accepted: bits beyond 48 are ignored. visit must not change the table; between two steps anything
 * may change. */
uint64_t table_scan(const struct table *table, uint64_t cursor,
                    void (*visit)(void *context, void *item), void *context);

/* A random item, each with exactly the same probability; NULL when empty. About six buckets are
 * looked at, four at a time. */
void *table_random(const struct table *table, struct random *random);

/* Defragmentation: for every item of bucket `index` and its chain, move(context, item) returns the
 * address where the item is from now on: another one, or the same. */
void table_relocate(struct table *table, size_t index, void *(*move)(void *context, void *item),
                    void *context);

/* Moves what the table itself has at bucket `index`, the overflow buckets of its chain and, where the
 * bucket is a chunk's first, the chunk. */
void table_relocate_buckets(struct table *table, size_t index, struct mem_mover *mover);
/* Moves the struct and its directory; the table is what is returned. */
struct table *table_relocate_self(struct table *table, struct mem_mover *mover);

/* Items in the fullest bucket with its chain: for DEBUG HTSTATS. Walks everything. */
size_t table_longest_chain(const struct table *table);

/* Checks every invariant; aborts where one is broken. For tests and fuzzers. */
void table_check(const struct table *table);

#endif
