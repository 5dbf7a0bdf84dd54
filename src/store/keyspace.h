/* One numbered database's keys: the table of entries, their deadlines, sums for INFO.
 *
 * A keyspace is self-contained: a loader thread can fill one that nobody else sees, and FLUSHDB,
 * SWAPDB and the swap after a load exchange keyspaces as wholes. It knows nothing of journals,
 * events or snapshots: that is the door's work (store.h), the only caller once a keyspace is in a
 * store. */
#ifndef PANDO_STORE_KEYSPACE_H
#define PANDO_STORE_KEYSPACE_H

#include "base/hash.h"
#include "ds/deadlines.h"
#include "ds/table.h"
#include "store/entry.h"

/* A key's name with its hash, so that it is hashed once per command. */
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
    void *observer;           /* for the store: the table's split and merge hooks */
    void (*after_split)(void *observer, struct keyspace *keyspace, size_t from, size_t to);
    void (*before_merge)(void *observer, struct keyspace *keyspace, size_t from, size_t to);
};

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
/* Puts `entry` in the place of the entry with the same key and returns that one, or NULL where
 * there was none. Takes ownership of `entry`, gives that of the result. */
struct entry *keyspace_put(struct keyspace *keyspace, uint64_t hash, struct entry *entry);
/* Takes the entry of `key` out; NULL where there is none. Gives ownership. */
struct entry *keyspace_take(struct keyspace *keyspace, const struct key *key);

void keyspace_check(const struct keyspace *keyspace);

#endif
