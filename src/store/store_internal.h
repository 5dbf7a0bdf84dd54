/* Private to store/: the store itself, and the pieces that its files share. */
#ifndef PANDO_STORE_STORE_INTERNAL_H
#define PANDO_STORE_STORE_INTERNAL_H

#include "store/defrag.h"
#include "store/eviction.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "store/value.h"

struct store {
    struct keyspace **keyspaces; /* one per database, never NULL */
    int databases;
    struct hash_secret secret;
    struct value_settings settings;
    int64_t now_ms;
    uint64_t dirty;
    struct store_policy policy;
    struct store_stats stats;
    struct store_observer observer;
    struct random random;

    void (*reclaim)(void *context, void (*free_it)(void *), void *it);
    void *reclaim_context;
    uint64_t lazyfree_pending; /* atomic: the reclaimer's thread counts down */
    uint64_t leaving_bytes;    /* likewise */
    uint64_t leases_out;       /* atomic: handed out by snapshots; any thread returns them */
    struct eviction eviction;
    struct defrag defrag;

    int64_t next_due_ms; /* no deadline wheel has anything to do earlier */
    bool expiry_waits;   /* but for what was due and might not be deleted */
    int expire_turn;     /* the database that is served first next time */

    struct snapshot *snapshots[SNAPSHOTS_MAX]; /* the running ones, in no order */
};

static inline struct keyspace *keyspace_of(const struct store *store, int db)
{
    return store->keyspaces[db];
}

/* ---- store_find.c ---------------------------------------------------------------------------- */

/* What is to be done with an entry whose deadline passed. */
enum fate {
    FATE_SEEN,   /* nothing passed, or expired keys are seen as they are */
    FATE_HIDDEN, /* there, but nobody may see it */
    FATE_DELETE, /* to be deleted, with an effect on a primary */
};
enum fate store_fate_expired(const struct store *store, unsigned find_flags);
static inline enum fate store_fate(const struct store *store, const struct entry *e,
                                   unsigned find_flags)
{
    if (__builtin_expect(!(e->flags & ENTRY_HAS_DEADLINE), 1)) return FATE_SEEN;
    if (store->now_ms <= entry_deadline(e)) return FATE_SEEN;
    return store_fate_expired(store, find_flags);
}
/* The access clock of an entry that is being read or written now. */
uint32_t store_touched_clock(struct store *store, uint32_t clock);

/* ---- store_expire.c -------------------------------------------------------------------------- */

/* Deletes the entry at `place`, whose deadline passed: through the door, with event and effect.
 * `from_wheel`: the deadline wheel brought it up and counts it off itself. */
void store_expire(struct store *store, int db, struct table_place place, bool from_wheel);
/* A key's deadline changed (NO_DEADLINE: had or has none). Besides the new deadline itself it is the
 * wheel's stale items that may want work, hence soon. */
#define WHEEL_LOOK_MS 1000
static inline void store_note_due(struct store *store, int64_t before, int64_t after)
{
    if (before == NO_DEADLINE && after == NO_DEADLINE) return;
    int64_t soon = store->now_ms + WHEEL_LOOK_MS;
    if (after != NO_DEADLINE && after < soon) soon = after;
    if (soon < store->next_due_ms) store->next_due_ms = soon;
}

/* ---- snapshot.c ------------------------------------------------------------------------------ */

/* Copies the bucket into every snapshot that walks the keyspace and has not taken it. */
void snapshot_take_bucket(struct keyspace *keyspace, size_t index);
/* Counts a leased value that was copied because it had to change in place. */
void snapshot_count_lease_copied(struct store *store);

/* ---- store_door.c ---------------------------------------------------------------------------- */

/* Takes the bucket for every running snapshot that has not; before any change of it. */
static inline void take_bucket(struct keyspace *keyspace, size_t index)
{
    if (__builtin_expect(keyspace->observer != NULL, 0)) snapshot_take_bucket(keyspace, index);
}
/* ---- store_reclaim.c ------------------------------------------------------------------------- */

/* Frees an entry, its value through the reclaimer where freeing it is work; `lazy`: counted as
 * lazily freed if so. */
void store_free_entry(struct store *store, struct entry *entry, bool lazy);
/* Gives up one holder of a keyspace; the last one's is freed by the reclaimer if it is large or
 * lazy. */
void store_drop_keyspace(struct store *store, struct keyspace *keyspace, bool lazy);

#endif
