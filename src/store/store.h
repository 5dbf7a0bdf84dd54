/* The store: all databases, and the one door through which data changes.
 *
 * A handler looks up, checks, and passes the door once. Inside the door, in this order and in one
 * place:
 *   1. the pre-image for running snapshots (the bucket is taken before it changes);
 *   2. the change itself, in the keyspace;
 *   3. the change count (dirty), the key's watchers, keyspace event, wake-up of blocked clients and
 *      whoever else registered as an observer.
 * What the change looks like in the journal is the call's business (its row of the command table says
 * how: the arguments verbatim, or the effect that the handler states); changes that no command asked
 * for, expiry and eviction, are stated by the store itself through `effect`.
 *
 * Engine thread only. Time comes in as a value: store_set_now() once per batch. */
#ifndef PANDO_STORE_STORE_H
#define PANDO_STORE_STORE_H

#include "base/err.h"
#include "base/random.h"
#include "store/keyspace.h"
#include "store/value.h"

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
    /* A key changed, appeared or went (also by expiry; a whole database going is `replacing`).
     * WATCH, client tracking. `key` is borrowed. */
    void (*changed)(void *context, int db, struct span key);
    /* A whole database is about to be replaced: FLUSHDB, FLUSHALL (each database in turn), SWAPDB
     * (both), swap after a load. Both keyspaces are complete: WATCH asks which keys existed. */
    void (*replacing)(void *context, int db, struct keyspace *from, struct keyspace *to);
    /* A keyspace event, configured or not: the observer knows the mask. */
    void (*event)(void *context, int db, struct event event, struct span key);
    /* A value of this type (no string) appeared under a key, be it in place of one of another type,
     * or has news (store_edit.ready): blocked clients. */
    void (*ready)(void *context, int db, struct span key, enum value_type type);
    /* A change that no command stated: expiry and eviction (DEL or UNLINK key). Called before the
     * effects of the command in whose course it happens. */
    void (*effect)(void *context, int db, int argc, const struct span *argv);
    void *context;
};

struct store_policy {   /* set by the server from its configuration and role; read at each use */
    bool is_replica;    /* logically expired keys are hidden, never deleted; but see store_find */
    bool expire_paused; /* CLIENT PAUSE, FAILOVER: hidden, not deleted, until it ends */
    bool keep_expired;  /* applying the primary's stream, or replaying: expired keys are seen */
    bool lfu;           /* the clock is LFU, not LRU */
    int lfu_log_factor, lfu_decay_time;
    /* lazyfree-*: UNLINK instead of DEL, freed in the background */
    bool lazy_expire, lazy_server_del;
};

struct store_stats { /* since start or CONFIG RESETSTAT */
    uint64_t keyspace_hits, keyspace_misses, expired_keys, evicted_keys;
    uint64_t expire_cycle_us;        /* kept by the caller of store_expire_due, who has a clock */
    uint64_t lazyfreed_objects;      /* where UNLINK, ASYNC or a setting lazyfree-* asked for it */
    uint64_t reclaimed_objects;      /* given to the reclaimer for whatever reason */
    uint64_t leases_encoded_at_once; /* leased values copied because a change could not wait */
};

struct store *store_new(int databases, const struct hash_secret *secret, int64_t now_ms);
void store_free(struct store *store); /* all snapshots must have ended */
void store_observe(struct store *store, const struct store_observer *observer); /* copied; one */
/* Who frees big values and whole keyspaces off the engine; NULL frees in place. reclaim() must call
 * free_it(it) exactly once, in any thread, before store_free. */
void store_set_reclaimer(struct store *store,
                         void (*reclaim)(void *context, void (*free_it)(void *), void *it),
                         void *context);
struct store_policy *store_policy(struct store *store);
struct store_stats *store_stats(struct store *store);
/* What decides about encodings; store_new sets Redis' defaults. The secret is not to be changed. */
struct value_settings *store_settings(struct store *store);
/* Keys handed to the reclaimer and not freed yet: lazyfree_pending_objects. */
uint64_t store_lazyfree_pending(const struct store *store);
/* Bytes, about, that are no data any more and not free yet: on their way to the reclaimer, leased by a
 * snapshot, or databases of before that one still walks. */
uint64_t store_leaving_bytes(const struct store *store);
/* Frees a value that stands in no entry, in the reclaimer's thread where it is work. NULL is fine. */
void store_free_value(struct store *store, enum encoding encoding, void *value);
void store_set_now(struct store *store, int64_t now_ms);
int64_t store_now(const struct store *store);
int store_databases(const struct store *store);
struct keyspace *store_keyspace(const struct store *store, int db); /* borrowed */
bool store_is_empty(const struct store *store); /* no key in any database, expired ones count */
struct random *store_random(struct store *store);

/* Changes since the last complete save: rdb_changes_since_last_save. The dispatcher compares it
 * before and after a call to know whether there is anything for the journal. Expiry does not count
 * (tried: neither does it in Redis). */
uint64_t store_dirty(const struct store *store);
void store_set_dirty(struct store *store, uint64_t dirty);
void store_add_dirty(struct store *store, uint64_t changes); /* changes that are not keys */

struct key store_key(const struct store *store, struct span name);
/* For batches, waits for nothing: step 0 loads the bucket, step 1 (once it arrived) the entries. */
void store_prefetch(const struct store *store, int db, uint64_t hash, int step);
/* Once the entries arrived: the hash table (of store_key's hashes) of the value under that hash, where it is too big for a
 * cache, so that loading its elements ahead is worth it; else NULL. A guess, since the key is not compared. */
const struct table *store_guess_elements(const struct store *store, int db, uint64_t hash);

/* ---- looking up ------------------------------------------------------------------------------ */
enum {
    FIND_NO_TOUCH = 1 << 0, /* leave the access clock alone */
    FIND_NO_STATS = 1 << 1, /* count neither hit nor miss */
    FIND_EXPIRED = 1 << 2,  /* see logically expired keys too */
    FIND_WRITE = 1 << 3, /* for a write: no hit, miss or keymiss; the clock is left to the door */
    FIND_NO_EVENT = 1 << 4, /* no keymiss event */
};
/* The entry, or NULL where there is none or it is expired. A primary deletes an expired key here
 * (and states the effect); a replica hides it. A writable replica's own write (FIND_WRITE, or the
 * door itself) deletes it in memory, without an effect. The entry is good until the next write; to find
 * another key, which may delete that one, is none. */
const struct entry *store_find(struct store *store, int db, const struct key *key, unsigned flags);

/* ---- the door -------------------------------------------------------------------------------- */
#define TTL_KEEP  (INT64_MIN + 1)
#define TTL_CLEAR NO_DEADLINE
/* `ttl` below: TTL_KEEP, TTL_CLEAR or a deadline in Unix ms, which may lie in the past. Every
 * function counts one change and emits `event`. EVENT_NEW "new" comes before it, where the key was
 * not there. A key that is past its deadline is dealt with as by store_find FIND_WRITE first: no
 * handler needs to look up before it overwrites. Key names and values must not borrow from entries
 * of the store. */

void store_put_string(struct store *store, int db, const struct key *key, struct span value,
                      int64_t ttl, struct event event);
void store_put_int64(struct store *store, int db, const struct key *key, int64_t value, int64_t ttl,
                     struct event event);
/* In-place change of a string: makes it `len` bytes long and non-integer ("raw"), zero-filled where
 * it grows (a missing key starts empty), and calls `edit` with its bytes. TTL is kept. The caller
 * has checked type, and len against proto-max-bulk-len. A leased value is copied first; see
 * store_would_wait. `edit` returns what its change counts, also in dirty; 0, and nobody is told
 * anything, only where the key was there and neither its length nor a byte has changed. */
typedef uint64_t string_edit(void *context, char *bytes, size_t len);
void store_edit_string(struct store *store, int db, const struct key *key, size_t len,
                       string_edit *edit, void *context, struct event event);
/* Puts a value built elsewhere (RESTORE, COPY). Takes ownership of `entry`, whose key must be
 * `key`. The access clock is that of a fresh key. "new" is emitted also where it replaces another
 * (tried: COPY and RESTORE with REPLACE, RENAME), of which nobody asks whether it had expired. */
void store_put_entry(struct store *store, int db, const struct key *key, struct entry *entry,
                     struct event event);
/* The same for what a command computed (SUNIONSTORE, SORT with STORE, BITOP): it overwrites as
 * store_put_string does, so "new" is emitted, and blocked clients are woken, only where there was no
 * such key (tried). */
void store_put_result(struct store *store, int db, const struct key *key, struct entry *entry,
                      struct event event);

/* In-place change of a container (any type but string): open, change edit.entry by the functions of its
 * type (each returns the entry to go on with), close. Between the two nothing else may be asked of the
 * store. Opening deals with an expired key as store_find FIND_WRITE does, takes the bucket for the
 * snapshots, and copies a leased value (see store_would_wait). The deadline stays. */
struct store_edit {
    struct entry *entry; /* owned by the edit until it is closed */
    struct store *store;
    struct keyspace *keyspace;
    int db;
    struct key key; /* its name is borrowed until the edit is closed */
    struct table_place place;
    bool is_new; /* the key was not there */
    bool beside; /* may be set before closing: what changes stands beside the elements (a stream's
                    groups); unless the key is new, WATCH and client tracking are not told */
    bool ready;  /* to be set where a value that was there has news: XADD, XGROUP DESTROY */
};
/* ERR_WRONG_TYPE where the key holds another type: nothing is open then. Nor is it where the key is not
 * there, which edit->entry tells: it is NULL. */
enum err store_edit_find(struct store *store, int db, const struct key *key, enum value_type type,
                         struct store_edit *edit);
/* The same, but makes an empty container where the key is not there. */
enum err store_edit_make(struct store *store, int db, const struct key *key, enum value_type type,
                         struct store_edit *edit);
/* The same for those who have checked the type. */
void store_edit_open(struct store *store, int db, const struct key *key, enum value_type type,
                     struct store_edit *edit);
/* `changes` is what the change counts, also in dirty. With 0 a container made by the edit is dropped
 * again, and nobody is told anything. A container without elements is removed ("del" behind `event`).
 * Returns false where the key is not there any more. */
bool store_edit_close(struct store_edit *edit, uint64_t changes, struct event event);

/* DEL, UNLINK; big values go to the reclaimer either way. */
enum removal { REMOVE_NOW, REMOVE_LAZY };
/* False, doing nothing, where there is no such key. Deleting an expired key on a primary counts as
 * absent. */
bool store_remove(struct store *store, int db, const struct key *key, enum removal how,
                  struct event event);
/* Makes room for a result that turned out empty, and for what RESTORE was to REPLACE: the same with the
 * event "del", whether or not the key is past its deadline (tried). */
bool store_vacate(struct store *store, int db, const struct key *key);
/* deadline may be NO_DEADLINE. The key must be there (store_find FIND_WRITE). */
void store_set_deadline(struct store *store, int db, const struct key *key, int64_t deadline_ms,
                        struct event event);
/* Moves a value to another name (and db), overwriting; its deadline goes along. The source must be
 * there and differ from the target. One change; "new" for the target, then both events. */
void store_move(struct store *store, int from_db, const struct key *from, int to_db,
                const struct key *to, struct event from_event, struct event to_event);
/* A further event of a change that has just passed the door: SET with EX says "set", then "expire". */
void store_tell_event(struct store *store, int db, struct event event, struct span name);
/* A key counts as changed, to watchers and tracking, though it is as it was: LTRIM that trims nothing. */
void store_tell_changed(struct store *store, int db, struct span name);
/* Sets the access clock of an existing key: RESTORE IDLETIME/FREQ. */
void store_set_clock(struct store *store, int db, const struct key *key, uint32_t clock);

/* Empties a database, all with db -1. The keys count as changes. Large keyspaces are freed by the
 * reclaimer in any case: `lazy` only says whether they show as lazily freed. Observers are told of
 * databases that held keys only. */
void store_flush(struct store *store, int db, bool lazy);
void store_swap(struct store *store, int a, int b); /* SWAPDB: one change */
/* Puts complete keyspaces (one per database, built by a loader with the store's secret) in place of
 * all, taking ownership of each, not of the array; the old ones are reclaimed. Running snapshots
 * keep what they walk. Counts no change. */
void store_replace_all(struct store *store, struct keyspace **keyspaces);

/* Whether an in-place change of this key must wait because a running snapshot leases its value.
 * Where a snapshot would lease it at the change it does so now, so that the wait begins at once.
 * Ask again each turn; whoever goes ahead all the same (the primary's stream, a key that was not
 * declared) pays with a copy of the value. */
bool store_would_wait(struct store *store, int db, const struct key *key);
/* Whether that may be true of any key: a snapshot runs, or what it leased is still being read. */
bool store_may_lease(const struct store *store);

/* ---- time ------------------------------------------------------------------------------------ */
/* Removes keys whose deadline lies before now_ms, at most some 16 ms later, in order of deadline within
 * a database and in turns of a few keys over the databases, until the budget (items of the deadline
 * wheels looked at) or everything due is used up. Returns the number of keys removed;
 * store_next_deadline says whether there is more. A replica, a paused and a replaying store call it too:
 * nothing is removed then, but the wheels are kept tidy. */
size_t store_expire_due(struct store *store, int64_t now_ms, size_t budget_items);
/* When store_expire_due has work next: Unix ms, INT64_MAX for never. May be early, never late. */
int64_t store_next_deadline(const struct store *store);

/* ---- access clocks (access_clock.h says what the bits mean) ---------------------------------- */
uint32_t store_clock_now(const struct store *store); /* a fresh key's */
int64_t store_idle_seconds(const struct store *store, const struct entry *entry); /* LRU */
unsigned store_frequency(const struct store *store, const struct entry *entry);   /* LFU, decayed */

#endif
