/* The store as an object: making it, its settings and figures. */
#include "base/check.h"
#include "base/mem.h"
#include "store/store_internal.h"

struct store *store_new(int databases, const struct hash_secret *secret, int64_t now_ms)
{
    check(databases > 0);
    struct store *store = mem_zalloc(sizeof(*store));
    store->databases = databases;
    store->secret = *secret;
    store->settings = value_settings_default(*secret);
    store->now_ms = now_ms;
    store->next_due_ms = INT64_MAX;
    store->policy.lfu_log_factor = 10;
    store->policy.lfu_decay_time = 1;
    random_seed(&store->random, secret->k0 ^ secret->k1);
    store->keyspaces = mem_alloc(sizeof(*store->keyspaces) * (size_t)databases);
    for (int db = 0; db < databases; db++) store->keyspaces[db] = keyspace_new(secret, now_ms);
    return store;
}

void store_free(struct store *store)
{
    for (int i = 0; i < SNAPSHOTS_MAX; i++) check(store->snapshots[i] == NULL);
    check(store_lazyfree_pending(store) == 0);
    for (int db = 0; db < store->databases; db++) keyspace_drop(store->keyspaces[db]);
    mem_free(store->keyspaces);
    mem_free(store);
}

void store_observe(struct store *store, const struct store_observer *observer)
{
    store->observer = *observer;
}

struct value_settings *store_settings(struct store *store)
{
    return &store->settings;
}

struct store_policy *store_policy(struct store *store)
{
    return &store->policy;
}
struct store_stats *store_stats(struct store *store)
{
    return &store->stats;
}
void store_set_now(struct store *store, int64_t now_ms)
{
    store->now_ms = now_ms;
}
int64_t store_now(const struct store *store)
{
    return store->now_ms;
}
int store_databases(const struct store *store)
{
    return store->databases;
}
struct random *store_random(struct store *store)
{
    return &store->random;
}

struct keyspace *store_keyspace(const struct store *store, int db)
{
    check(db >= 0 && db < store->databases);
    return keyspace_of(store, db);
}

bool store_is_empty(const struct store *store)
{
    for (int db = 0; db < store->databases; db++)
        if (keyspace_count(keyspace_of(store, db)) > 0) return false;
    return true;
}

uint64_t store_dirty(const struct store *store)
{
    return store->dirty;
}
void store_set_dirty(struct store *store, uint64_t dirty)
{
    store->dirty = dirty;
}
void store_add_dirty(struct store *store, uint64_t changes)
{
    store->dirty += changes;
}

struct key store_key(const struct store *store, struct span name)
{
    return (struct key){name, hash_keyed(&store->secret, name.ptr, name.len)};
}

void store_prefetch(const struct store *store, int db, uint64_t hash, int step)
{
    const struct table *table = keyspace_of(store, db)->table;
    if (step == 0) table_prefetch_bucket(table, hash);
    else table_prefetch_items(table, hash);
}

const struct table *store_guess_elements(const struct store *store, int db, uint64_t hash)
{
    const struct entry *entry = table_guess(keyspace_of(store, db)->table, hash);

    if (entry == NULL || !entry_has_pointer(entry)) return NULL;
    const struct value_ops *ops = value_ops(entry_encoding(entry));
    const struct table *elements = ops->table != NULL ? ops->table(entry_pointer(entry)) : NULL;
    return elements != NULL && table_count(elements) >= TABLE_AHEAD_MIN ? elements : NULL;
}
