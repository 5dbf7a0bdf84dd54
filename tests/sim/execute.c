#include "sim.h"

#include "base/num.h"
#include "ds/table.h"

#include <stdio.h>

/* SET key value [PXAT ms] | DEL key | INCRBY key n | PEXPIREAT key ms | FLUSHALL. Deterministic: the
 * arguments are what goes into the log. */
bool execute(struct store *store, int db, int argc, const struct span *argv,
             char reason[static 192])
{
    const struct span name = argv[0];
    int64_t number;
    if (db >= DATABASES) {
        snprintf(reason, 192, "database %d is out of range", db);
        return false;
    }
    if (span_is(name, "multi") || span_is(name, "exec")) return true;
    if (span_is(name, "flushall")) {
        store_flush(store, -1, false);
        store_add_dirty(store, 1);
        return true;
    }
    if (argc < 2) {
        snprintf(reason, 192, "unknown or without a key");
        return false;
    }
    const struct key key = store_key(store, argv[1]);
    const struct entry *found = store_find(store, db, &key, FIND_WRITE);
    if (span_is(name, "set") && argc >= 3) {
        int64_t ttl = TTL_CLEAR;
        if (argc == 5 && !num_parse_int64(argv[4], &ttl)) return false;
        store_put_string(store, db, &key, argv[2], ttl, NO_EVENT);
    } else if (span_is(name, "del")) {
        if (found != NULL) store_remove(store, db, &key, REMOVE_NOW, NO_EVENT);
    } else if (span_is(name, "incrby") && argc == 3 && num_parse_int64(argv[2], &number)) {
        int64_t old = 0;
        if (found != NULL && !entry_string_int64(found, &old))
            return true; /* no number: nothing changes */
        store_put_int64(store, db, &key, (int64_t)((uint64_t)old + (uint64_t)number), TTL_KEEP,
                        NO_EVENT);
    } else if (span_is(name, "pexpireat") && argc == 3 && num_parse_int64(argv[2], &number)) {
        if (found != NULL) store_set_deadline(store, db, &key, number, NO_EVENT);
    } else {
        snprintf(reason, 192, "unknown command");
        return false;
    }
    return true;
}

static void add_entry(void *context, void *item)
{
    const struct entry *entry = item;
    const struct hash_secret secret = {1, 2};
    char scratch[NUM_INT64_CHARS];
    const struct span key = entry_key(entry), value = entry_string(entry, scratch);
    uint64_t *sum = context;
    const int64_t deadline = entry_deadline(entry);
    uint64_t h = hash_keyed(&secret, key.ptr, key.len) * 31;
    h ^= hash_keyed(&secret, value.ptr, value.len);
    h = (h ^ (uint64_t)deadline) * 0x9e3779b97f4a7c15u;
    *sum += h ^ h >> 29;
}

uint64_t store_fingerprint(const struct store *store)
{
    uint64_t all = 0;
    for (int db = 0; db < store_databases(store); db++) {
        const struct table *table = store_keyspace(store, db)->table;
        uint64_t sum = 0;
        for (size_t i = 0; i < table_buckets(table); i++) table_visit(table, i, add_entry, &sum);
        all = all * 0x100000001b3u + sum;
    }
    return all;
}
