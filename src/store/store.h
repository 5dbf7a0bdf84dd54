/* The store: all databases, and the one door through which data changes.
 *
 * A handler looks up, checks, and passes the door once. Inside the door, in this order and in one
 * place:
 *   1. the pre-image for running snapshots (the bucket is taken before it changes);
 *   2. the change itself, in the keyspace;
 *   3. the change count (dirty), the key's watchers, keyspace event, wake-up of blocked clients and
 *      whoever else registered as an observer.
 * What the change looks like in the journal is the call's business (commands.def says how: the
 * arguments verbatim, or the effect that the handler states); changes that no command asked for,
 * expiry and eviction, are stated by the store itself through `effect`.
 *
 * Engine thread only. Time comes in as a value: store_set_now() once per batch. */
#ifndef PANDO_STORE_STORE_H
#define PANDO_STORE_STORE_H

#include "base/err.h"
#include "base/random.h"
#include "store/keyspace.h"

struct store;
struct snapshot;

/* Classes of keyspace events: the letters of notify-keyspace-events. */
enum event_class {
    EVENT_KEYSPACE = 1 << 0,  /* K */
    EVENT_KEYEVENT = 1 << 1,  /* E */
    EVENT_GENERIC = 1 << 2,   /* g */
    EVENT_STRING = 1 << 3,    /* $ */
    EVENT_LIST = 1 << 4,      /* l */
    EVENT_SET = 1 << 5,       /* s */
    EVENT_HASH = 1 << 6,      /* h */
    EVENT_ZSET = 1 << 7,      /* z */
    EVENT_EXPIRED = 1 << 8,   /* x */
    EVENT_EVICTED = 1 << 9,   /* e */
    EVENT_STREAM = 1 << 10,   /* t */
    EVENT_KEY_MISS = 1 << 11, /* m */
    EVENT_MODULE = 1 << 12,   /* d */
    EVENT_NEW = 1 << 13,      /* n */
};
struct event {
    enum event_class class; /* 0: none */
    const char *name;       /* static: "set", "incrby" */
};
#define EVENT(class_, name_) ((struct event){(class_), (name_)})
#define NO_EVENT             ((struct event){0, NULL})

/* What the floors above want to be told. All optional, called inside the door, must not pass it. */
struct store_observer {
    /* A key changed, appeared or went (also by expiry and by a whole database going). WATCH, client
     * tracking. `key` is borrowed. */
    void (*changed)(void *context, int db, struct span key);
    /* A whole database, or all (db -1), was replaced: FLUSHDB, SWAPDB (both), swap after a load.
     * Called before, with both keyspaces in place: WATCH asks which of its keys existed. */
    void (*replacing)(void *context, int db, struct keyspace *from, struct keyspace *to);
    /* A keyspace event that passed nothing but the class: the observer knows the configured mask.
     */
    void (*event)(void *context, int db, struct event event, struct span key);
    /* A value of this type appeared under a key: blocked clients. */
    void (*ready)(void *context, int db, struct span key, enum value_type type);
    /* A change that no command stated: expiry and eviction (DEL or UNLINK key). */
    void (*effect)(void *context, int db, int argc, const struct span *argv);
    void *context;
};

struct store_policy {   /* set by the server from its configuration and role; read at each use */
    bool is_replica;    /* logically expired keys are hidden, never deleted */
    bool expire_paused; /* CLIENT PAUSE, FAILOVER: hidden, not deleted, until it ends */
    bool keep_expired; /* applying the primary's stream, or replaying: expired keys are seen as they
                          are */
    bool lazy_expire,
        lazy_server_del; /* lazyfree-*: UNLINK instead of DEL, freeing in the background */
    bool lfu;            /* the clock is LFU, not LRU */
    int lfu_log_factor, lfu_decay_time;
};

struct store_stats { /* since start or CONFIG RESETSTAT */
    uint64_t keyspace_hits, keyspace_misses, expired_keys, evicted_keys;
    uint64_t expire_cycle_us;
    uint64_t lazyfreed_objects;
};

struct store *store_new(int databases, const struct hash_secret *secret, int64_t now_ms);
void store_free(struct store *store);
void store_observe(struct store *store,
                   const struct store_observer *observer); /* copied; one observer */
/* Who frees big values and whole keyspaces off the engine; NULL frees in place. */
void store_set_reclaimer(struct store *store,
                         void (*reclaim)(void *context, void (*free_it)(void *), void *it),
                         void *context);
struct store_policy *store_policy(struct store *store);
struct store_stats *store_stats(struct store *store);
void store_set_now(struct store *store, int64_t now_ms);
int64_t store_now(const struct store *store);
int store_databases(const struct store *store);
struct keyspace *store_keyspace(const struct store *store, int db); /* borrowed */
struct random *store_random(struct store *store);

/* Changes since the last complete save: rdb_changes_since_last_save. The dispatcher compares it
 * before and after a call to know whether there is anything for the journal. */
uint64_t store_dirty(const struct store *store);
void store_set_dirty(struct store *store, uint64_t dirty);
void store_add_dirty(struct store *store,
                     uint64_t changes); /* changes that are not keys: FLUSHALL of nothing */

struct key store_key(const struct store *store, struct span name);
void store_prefetch(const struct store *store, int db, uint64_t hash,
                    int step); /* step 0 bucket, 1 items */

/* ---- looking up ------------------------------------------------------------------------------ */
enum {
    FIND_NO_TOUCH = 1 << 0, /* leave the access clock alone */
    FIND_NO_STATS = 1 << 1, /* count neither hit nor miss */
    FIND_EXPIRED = 1 << 2,  /* see logically expired keys too */
    FIND_WRITE =
        1
        << 3, /* for a write: a key past its deadline is deleted first (and no hit/miss counted) */
    FIND_NO_EVENT = 1 << 4, /* no keymiss event */
};
/* The entry, or NULL where there is none or it is expired. A primary deletes an expired key here
 * (and states the effect); a replica hides it. */
const struct entry *store_find(struct store *store, int db, const struct key *key, unsigned flags);

/* ---- the door -------------------------------------------------------------------------------- */
#define TTL_KEEP  (INT64_MIN + 1)
#define TTL_CLEAR NO_DEADLINE
/* `ttl` below: TTL_KEEP, TTL_CLEAR or a deadline in Unix ms. Every function counts one change and
 * emits `event`. EVENT_NEW "new" is emitted by the door itself where the key was not there. */

void store_put_string(struct store *store, int db, const struct key *key, struct span value,
                      int64_t ttl, struct event event);
void store_put_int64(struct store *store, int db, const struct key *key, int64_t value, int64_t ttl,
                     struct event event);
/* In-place change of a string: makes it `len` bytes long and non-integer ("raw"), zero-filled where
 * it grows (a missing key starts empty), and calls `edit` with its bytes. TTL is kept. The caller
 * has checked len against proto-max-bulk-len. A leased value is copied first; see store_would_wait.
 */
void store_edit_string(struct store *store, int db, const struct key *key, size_t len,
                       void (*edit)(void *context, char *bytes, size_t len), void *context,
                       struct event event);
/* Puts a value built elsewhere (RESTORE, COPY, *STORE commands). Takes ownership of `entry`, whose
 * key must be `key`. */
void store_put_entry(struct store *store, int db, const struct key *key, struct entry *entry,
                     struct event event);

enum removal {
    REMOVE_NOW,
    REMOVE_LAZY
}; /* DEL, UNLINK; big values go to the reclaimer either way where that helps */
/* False, doing nothing, where there is no such key. Deleting an expired key on a primary counts as
 * absent. */
bool store_remove(struct store *store, int db, const struct key *key, enum removal how,
                  struct event event);
/* deadline may be NO_DEADLINE. The key must be there (store_find FIND_WRITE). */
void store_set_deadline(struct store *store, int db, const struct key *key, int64_t deadline_ms,
                        struct event event);
/* Moves a value to another name (and db), overwriting; its deadline goes along. The source must be
 * there. */
void store_move(struct store *store, int from_db, const struct key *from, int to_db,
                const struct key *to, struct event from_event, struct event to_event);
/* Sets the access clock of an existing key: RESTORE IDLETIME/FREQ. */
void store_set_clock(struct store *store, int db, const struct key *key, uint32_t clock);

void store_flush(struct store *store, int db, bool lazy); /* db -1: all */
void store_swap(struct store *store, int a, int b);       /* SWAPDB */
/* Puts complete keyspaces (one per database, built by a loader) in place of all; the old ones are
 * reclaimed. Running snapshots keep what they walk. */
void store_replace_all(struct store *store, struct keyspace **keyspaces);

/* Whether an in-place change of this key must wait because a running snapshot leases its value. */
bool store_would_wait(const struct store *store, int db, const struct key *key);

/* ---- time -------------------------------------------------------------------------------------
 */
/* Removes keys whose deadline passed, in order of deadline over all databases, until the time
 * budget or everything due is used up. Returns the number removed. Does nothing on a replica or
 * while paused. */
size_t store_expire_due(struct store *store, int64_t now_ms, size_t budget_items);
int64_t store_next_deadline(const struct store *store); /* Unix ms, INT64_MAX for none */

/* ---- access clocks ----------------------------------------------------------------------------
 */
uint32_t store_clock_now(const struct store *store); /* a fresh key's clock */
int64_t store_idle_seconds(const struct store *store, const struct entry *entry); /* LRU */
unsigned store_frequency(const struct store *store, const struct entry *entry);   /* LFU, decayed */

#endif
