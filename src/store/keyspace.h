/* One numbered database's keys: the table of entries, their deadlines, sums for INFO.
 *
 * A keyspace is self-contained: a loader thread can fill one that nobody else sees, and FLUSHDB,
 * SWAPDB and the swap after a load exchange keyspaces as wholes. It knows nothing of journals,
 * events or snapshots: that is the door's work (store.h), the only caller once a keyspace is in a
 * store.
 *
 * Invariants
 * 1. `expires` and `deadline_sum_ms` agree with the entries; every entry with a deadline has an
 * item in `deadlines`, due one millisecond after it (a key expires when its deadline lies behind).
 * 2. While `observer` is set, both hooks are. They are called in the middle of a change of the
 * table: after_split may not look at it, before_merge may visit buckets but change nothing.
 * 3. A keyspace is in one thread's hands at a time; `holders` is counted by that thread. */
#ifndef PANDO_STORE_KEYSPACE_H
#define PANDO_STORE_KEYSPACE_H

#include "base/hash.h"
#include "ds/deadlines.h"
#include "ds/table.h"
#include "store/entry.h"

/* A key's name with its hash, so that it is hashed once per command. The name must not borrow from
 * an entry of the store that takes it: the door may free that entry before it is done with the key.
 */
struct key {
    struct span name;
    uint64_t hash;
};

struct keyspace {
    struct table *table; /* of struct entry */
    struct deadlines *deadlines;
    struct hash_secret secret;
    size_t expires;           /* entries with a deadline */
    __int128 deadline_sum_ms; /* over those: avg_ttl */
    uint32_t holders;         /* the store and each snapshot that walks it; the last one frees */
    uint64_t *leaving;        /* what counts the bytes below, where it is not data any more */
    uint64_t leaving_bytes;   /* about what is freed with it */
    void *observer;           /* a snapshot's, while one walks this keyspace; else NULL */
    void (*after_split)(void *observer, size_t from, size_t to);
    void (*before_merge)(void *observer, size_t from, size_t to);
};

/* `now_ms` is where the deadlines begin to tick. All keyspaces of a store share one secret. */
struct keyspace *keyspace_new(const struct hash_secret *secret, int64_t now_ms);
/* Drops one holder; the last frees everything, in the calling thread. */
void keyspace_drop(struct keyspace *keyspace);
void keyspace_hold(struct keyspace *keyspace);

static inline size_t keyspace_count(const struct keyspace *ks)
{
    return table_count(ks->table);
}
struct key keyspace_key(const struct keyspace *keyspace, struct span name);

/* Raw access, without expiry, clocks or statistics. */
struct entry *keyspace_find(const struct keyspace *keyspace, const struct key *key);
/* Inserts an entry whose key is not there. Takes ownership. False (entry untouched) where the key
 * is there: how a loader finds duplicates. */
bool keyspace_insert(struct keyspace *keyspace, uint64_t hash, struct entry *entry);

/* ---- for the door: one look-up serves the whole change --------------------------------------- */

struct table_place keyspace_locate(const struct keyspace *keyspace, const struct key *key);
/* The key is known to be absent. */
void keyspace_add(struct keyspace *keyspace, uint64_t hash, struct entry *entry);
struct entry *keyspace_replace_at(struct keyspace *keyspace, struct table_place place,
                                  uint64_t hash, struct entry *entry);
struct entry *keyspace_take_at(struct keyspace *keyspace, struct table_place place);
/* As keyspace_take_at for an entry that the deadline wheel brought up: it counts the item off. */
struct entry *keyspace_take_due_at(struct keyspace *keyspace, struct table_place place);
/* An entry's deadline changed in place (NO_DEADLINE: had or has none). */
void keyspace_note_deadline(struct keyspace *keyspace, uint64_t hash, int64_t before,
                            int64_t after);
/* An entry with this hash, for those who kept no name. */
struct table_place keyspace_locate_hash(const struct keyspace *keyspace, uint64_t hash);
/* An entry with this hash and a deadline, for the deadline wheel, which knows no names. Of several (64
 * bits agree by chance only) one is found; the others expire when somebody meets them. */
struct table_place keyspace_locate_deadline(const struct keyspace *keyspace, uint64_t hash);

/* Walks everything and aborts where an invariant is broken. */
void keyspace_check(const struct keyspace *keyspace);

#endif
