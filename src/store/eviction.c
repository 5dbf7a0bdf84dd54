#include "store/eviction.h"

#include "base/check.h"
#include "base/prefetch.h"
#include "store/access_clock.h"
#include "store/store_internal.h"

enum {
    ROUNDS_MAX = 8,       /* draws for one key; the pool holds what they found */
    ENTRIES_MAX = 32,     /* of one draw: a bucket with its chain */
    RARE = 16,            /* one key in so many has a deadline: the wheel knows them better */
    WALK_BUCKETS = 128,   /* of the last resort, in one call */
    RANDOM_TRIES_MAX = 64 /* for a random key with a deadline where such are not rare */
};

static size_t may_go(const struct keyspace *keyspace, const struct eviction_rule *rule)
{
    return rule->volatile_only ? keyspace->expires : keyspace_count(keyspace);
}

static size_t may_go_anywhere(const struct store *store, const struct eviction_rule *rule)
{
    size_t count = 0;
    for (int db = 0; db < store->databases; db++) count += may_go(keyspace_of(store, db), rule);
    return count;
}

/* A database, drawn by how many keys of it may go: so that all keys are alike. */
static int draw_db(struct store *store, const struct eviction_rule *rule, size_t all)
{
    uint64_t at = random_below(&store->random, all);
    int db = 0;
    for (;; db++) {
        size_t own = may_go(keyspace_of(store, db), rule);
        if (at < own) return db;
        at -= own;
    }
}

/* ---- the pool ------------------------------------------------------------------------------------ */

static uint64_t score_of(const struct store *store, const struct eviction_rule *rule,
                         const struct entry *e)
{
    switch (rule->order) {
    case EVICT_LONGEST_IDLE: return (uint64_t)store_idle_seconds(store, e);
    case EVICT_LEAST_USED: return UINT8_MAX - store_frequency(store, e);
    case EVICT_NEAREST_DEADLINE: return (uint64_t)INT64_MAX - (uint64_t)entry_deadline(e);
    case EVICT_AT_RANDOM: break;
    }
    return 0;
}

static bool in_pool(const struct eviction *eviction, int db, uint64_t hash)
{
    for (int i = 0; i < eviction->count; i++)
        if (eviction->pool[i].hash == hash && eviction->pool[i].db == db) return true;
    return false;
}

/* Keeps the entry where it is better than the worst that is kept. */
static void consider(struct store *store, const struct eviction_rule *rule, int db,
                     const struct entry *e)
{
    struct eviction *eviction = &store->eviction;
    struct candidate *pool = eviction->pool;
    uint64_t score = score_of(store, rule, e);
    bool full = eviction->count == EVICTION_POOL;

    if (full && score <= pool[0].score) return;
    struct span name = entry_key(e);
    uint64_t hash = hash_keyed(&store->secret, name.ptr, name.len);
    if (in_pool(eviction, db, hash)) return;
    if (full) memmove(&pool[0], &pool[1], sizeof(pool[0]) * (size_t)--eviction->count);
    int at = eviction->count++;
    for (; at > 0 && pool[at - 1].score > score; at--) pool[at] = pool[at - 1];
    pool[at] = (struct candidate){hash, score, db};
}

/* The best candidate that is still as good as when it was seen; its place, or an absent one. */
static struct table_place take_best(struct store *store, const struct eviction_rule *rule, int *db)
{
    struct eviction *eviction = &store->eviction;
    while (eviction->count > 0) {
        struct candidate best = eviction->pool[--eviction->count];
        const struct keyspace *keyspace = keyspace_of(store, best.db);
        struct table_place place = rule->volatile_only
                                       ? keyspace_locate_deadline(keyspace, best.hash)
                                       : keyspace_locate_hash(keyspace, best.hash);
        if (place.bucket == NULL || score_of(store, rule, table_at(place)) < best.score) continue;
        *db = best.db;
        return place;
    }
    return (struct table_place){0};
}

/* ---- samples ------------------------------------------------------------------------------------- */

struct draw {
    const struct entry *entries[ENTRIES_MAX];
    unsigned count;
};

static void gather(void *context, void *item)
{
    struct draw *draw = context;
    if (draw->count == ENTRIES_MAX) return;
    prefetch(item);
    draw->entries[draw->count++] = item;
}

static unsigned consider_all(struct store *store, const struct eviction_rule *rule, int db,
                             const struct draw *draw)
{
    unsigned seen = 0;
    for (unsigned i = 0; i < draw->count; i++) {
        const struct entry *e = draw->entries[i];
        if (rule->volatile_only && !(e->flags & ENTRY_HAS_DEADLINE)) continue;
        consider(store, rule, db, e);
        seen++;
    }
    return seen;
}

/* Looks at the entries of a random bucket. Returns how many of them may go. */
static unsigned sample_table(struct store *store, const struct eviction_rule *rule, int db)
{
    const struct table *table = keyspace_of(store, db)->table;
    struct draw draw = {.count = 0};
    table_visit(table, (size_t)random_below(&store->random, table_buckets(table)), gather, &draw);
    return consider_all(store, rule, db, &draw);
}

struct wheel_draw {
    struct store *store;
    const struct eviction_rule *rule;
    int db;
    unsigned seen;
    struct table_place place; /* of the last one */
};

static bool consider_item(void *context, uint64_t hash)
{
    struct wheel_draw *draw = context;
    struct table_place place = keyspace_locate_deadline(keyspace_of(draw->store, draw->db), hash);
    if (place.bucket == NULL) return false;
    draw->seen++;
    draw->place = place;
    if (draw->rule->order != EVICT_AT_RANDOM)
        consider(draw->store, draw->rule, draw->db, table_at(place));
    return true;
}

/* The same by the deadline wheel. */
static struct wheel_draw sample_wheel(struct store *store, const struct eviction_rule *rule, int db,
                                      size_t count)
{
    struct deadlines *deadlines = keyspace_of(store, db)->deadlines;
    struct wheel_draw draw = {.store = store, .rule = rule, .db = db};
    struct deadlines_sampler sampler = {consider_item, &draw, &store->random};
    if (rule->order == EVICT_NEAREST_DEADLINE) deadlines_earliest(deadlines, count, &sampler);
    else deadlines_sample(deadlines, count, &sampler);
    return draw;
}

static bool wheel_is_better(const struct eviction_rule *rule, const struct keyspace *keyspace)
{
    if (!rule->volatile_only) return false;
    return rule->order == EVICT_NEAREST_DEADLINE ||
           keyspace->expires < keyspace_count(keyspace) / RARE;
}

static void fill_pool(struct store *store, const struct eviction_rule *rule, size_t all)
{
    unsigned seen = 0;
    for (int round = 0; round < ROUNDS_MAX && seen < rule->samples; round++) {
        int db = draw_db(store, rule, all);
        if (wheel_is_better(rule, keyspace_of(store, db)))
            seen += sample_wheel(store, rule, db, rule->samples).seen;
        else seen += sample_table(store, rule, db);
    }
}

/* The last resort: bucket after bucket, until something may go. */
static void walk(struct store *store, const struct eviction_rule *rule)
{
    struct eviction *eviction = &store->eviction;
    for (int i = 0; i < WALK_BUCKETS && eviction->count == 0; i++) {
        const struct keyspace *keyspace = keyspace_of(store, eviction->walk_db);
        struct draw draw = {.count = 0};
        if (may_go(keyspace, rule) > 0) {
            eviction->walk_cursor =
                table_scan(keyspace->table, eviction->walk_cursor, gather, &draw);
            consider_all(store, rule, eviction->walk_db, &draw);
        } else {
            eviction->walk_cursor = 0;
        }
        if (eviction->walk_cursor == 0)
            eviction->walk_db = (eviction->walk_db + 1) % store->databases;
    }
}

/* ---- at random ----------------------------------------------------------------------------------- */

static struct table_place place_of(const struct keyspace *keyspace, const struct entry *e)
{
    struct key key = keyspace_key(keyspace, entry_key(e));
    return keyspace_locate(keyspace, &key);
}

static struct table_place draw_key(struct store *store, const struct eviction_rule *rule,
                                   size_t all, int *db)
{
    *db = draw_db(store, rule, all);
    struct keyspace *keyspace = keyspace_of(store, *db);
    bool rare = wheel_is_better(rule, keyspace);
    for (int i = 0; i < RANDOM_TRIES_MAX; i++) {
        if (rare) {
            struct wheel_draw draw = sample_wheel(store, rule, *db, 1);
            if (draw.seen > 0) return draw.place;
            continue;
        }
        const struct entry *e = table_random(keyspace->table, &store->random);
        if (!rule->volatile_only || e->flags & ENTRY_HAS_DEADLINE) return place_of(keyspace, e);
    }
    return (struct table_place){0};
}

/* ---- removal ------------------------------------------------------------------------------------- */

static void evict(struct store *store, int db, struct table_place place, bool lazy)
{
    struct keyspace *keyspace = keyspace_of(store, db);
    take_bucket(keyspace, place.index);
    struct entry *e = keyspace_take_at(keyspace, place);
    struct span name = entry_key(e);

    store->stats.evicted_keys++;
    store_note_due(store, entry_deadline(e), NO_DEADLINE);
    /* What a replica evicts is its own affair. */
    if (!store->policy.is_replica && store->observer.effect != NULL) {
        struct span argv[2] = {lazy ? SPAN("UNLINK") : SPAN("DEL"), name};
        store->observer.effect(store->observer.context, db, 2, argv);
    }
    store_tell_changed(store, db, name);
    store_tell_event(store, db, EVENT(EVENT_EVICTED, "evicted"), name);
    store_free_entry(store, e, lazy);
}

static bool same_scores(const struct eviction_rule *a, const struct eviction_rule *b)
{
    return a->order == b->order && a->volatile_only == b->volatile_only;
}

enum evicted store_evict(struct store *store, const struct eviction_rule *rule)
{
    struct eviction *eviction = &store->eviction;
    size_t all = may_go_anywhere(store, rule);
    struct table_place place;
    int db = 0;

    if (all == 0) return EVICTED_NOTHING;
    if (!same_scores(&eviction->rule, rule)) eviction->count = 0;
    eviction->rule = *rule;
    if (rule->order == EVICT_AT_RANDOM) {
        place = draw_key(store, rule, all, &db);
    } else {
        fill_pool(store, rule, all);
        place = take_best(store, rule, &db);
    }
    if (place.bucket == NULL) {
        walk(store, rule);
        place = take_best(store, rule, &db);
    }
    if (place.bucket == NULL) return EVICTED_NONE_YET;
    evict(store, db, place, rule->lazy);
    return EVICTED_ONE;
}
