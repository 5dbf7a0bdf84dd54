/* Changes of whole databases: they exchange keyspaces and touch no entry. Snapshots hold the
 * keyspaces that they walk, so nothing here needs to look at them. */
#include "base/check.h"
#include "store/store_internal.h"

static void tell_replacing(struct store *store, int db, struct keyspace *from, struct keyspace *to)
{
    if (store->observer.replacing != NULL)
        store->observer.replacing(store->observer.context, db, from, to);
}

static void flush_one(struct store *store, int db, bool lazy)
{
    struct keyspace *old = keyspace_of(store, db);
    if (keyspace_count(old) == 0) return;
    struct keyspace *fresh = keyspace_new(&store->secret, store->now_ms);
    tell_replacing(store, db, old, fresh);
    store->keyspaces[db] = fresh;
    store->dirty += keyspace_count(old);
    store_drop_keyspace(store, old, lazy);
}

void store_flush(struct store *store, int db, bool lazy)
{
    check(db >= -1 && db < store->databases);
    if (db >= 0) {
        flush_one(store, db, lazy);
        return;
    }
    for (int each = 0; each < store->databases; each++) flush_one(store, each, lazy);
}

void store_swap(struct store *store, int a, int b)
{
    check(a >= 0 && a < store->databases && b >= 0 && b < store->databases);
    store->dirty++;
    if (a == b) return;
    struct keyspace *was_a = keyspace_of(store, a), *was_b = keyspace_of(store, b);
    tell_replacing(store, a, was_a, was_b);
    tell_replacing(store, b, was_b, was_a);
    store->keyspaces[a] = was_b;
    store->keyspaces[b] = was_a;
}

void store_replace_all(struct store *store, struct keyspace **keyspaces)
{
    for (int db = 0; db < store->databases; db++) {
        check(keyspaces[db]->holders == 1);
        check(keyspaces[db]->secret.k0 == store->secret.k0);
        check(keyspaces[db]->secret.k1 == store->secret.k1);
        tell_replacing(store, db, keyspace_of(store, db), keyspaces[db]);
    }
    for (int db = 0; db < store->databases; db++) {
        struct keyspace *old = keyspace_of(store, db);
        store->keyspaces[db] = keyspaces[db];
        store_drop_keyspace(store, old, false);
    }
    store->next_due_ms = INT64_MIN; /* unknown: the next turn of expiry finds it */
}
