/* Eviction: what is told, which keys go, and that some key is always found. */
#include "store/access_clock.h"
#include "store/eviction.h"
#include "store/store_fixture.h"

static const struct eviction_rule lru = {.order = EVICT_LONGEST_IDLE, .samples = 5};
static const struct eviction_rule lfu = {.order = EVICT_LEAST_USED, .samples = 5};
static const struct eviction_rule any = {.order = EVICT_AT_RANDOM, .samples = 5};
static const struct eviction_rule nearest = {
    .order = EVICT_NEAREST_DEADLINE, .volatile_only = true, .samples = 5};

Test(eviction, is_told_like_an_expiry_and_counts_no_change)
{
    struct fixture f = start();
    set(&f, 2, "k", "v", TTL_CLEAR);
    store_set_dirty(f.store, 0);
    write_down(&f);
    cr_assert_eq(store_evict(f.store, &lru), EVICTED_ONE);
    expect_told(&f, "2:DEL:k 2:~:k 2:evicted:k");
    cr_assert_eq(store_dirty(f.store), 0);
    cr_assert_eq(store_stats(f.store)->evicted_keys, 1);
    cr_assert_eq(store_evict(f.store, &lru), EVICTED_NOTHING);
    expect_told(&f, "");
    finish(&f);
}

Test(eviction, unlinks_when_it_is_lazy)
{
    struct fixture f = start();
    struct eviction_rule rule = lru;
    rule.lazy = true;
    set(&f, 0, "k", "v", NOW + 1000);
    write_down(&f);
    cr_assert_eq(store_evict(f.store, &rule), EVICTED_ONE);
    expect_told(&f, "0:UNLINK:k 0:~:k 0:evicted:k");
    keyspace_check(store_keyspace(f.store, 0));
    finish(&f);
}

Test(eviction, of_a_replica_states_no_effect)
{
    struct fixture f = start();
    set(&f, 0, "k", "v", TTL_CLEAR);
    store_policy(f.store)->is_replica = true;
    write_down(&f);
    cr_assert_eq(store_evict(f.store, &lru), EVICTED_ONE);
    expect_told(&f, "0:~:k 0:evicted:k");
    finish(&f);
}

Test(eviction, without_a_deadline_nothing_may_go_where_one_is_asked_for)
{
    struct fixture f = start();
    struct eviction_rule rule = any;
    rule.volatile_only = true;
    set(&f, 0, "k", "v", TTL_CLEAR);
    cr_assert_eq(store_evict(f.store, &rule), EVICTED_NOTHING);
    cr_assert_eq(store_evict(f.store, &nearest), EVICTED_NOTHING);
    set(&f, 3, "t", "v", NOW + 1000);
    cr_assert_eq(store_evict(f.store, &rule), EVICTED_ONE);
    expect_value(&f, 0, "k", "v");
    expect_value(&f, 3, "t", NULL);
    finish(&f);
}

/* ---- who goes: keys are numbers, and the observer keeps the numbers of those that went -------------- */

#define KEYS 20000

struct gone {
    int order[KEYS]; /* in which they went */
    int count;
    bool gone[KEYS];
};

static void keep_number(void *context, int db, struct event event, struct span name)
{
    struct gone *gone = context;
    int64_t number;
    (void)db;
    if (event.class != EVENT_EVICTED) return;
    cr_assert(num_parse_int64(name, &number));
    gone->gone[number] = true;
    gone->order[gone->count++] = (int)number;
}

static void set_number(struct store *store, int db, int number, int64_t ttl)
{
    char name[NUM_INT64_CHARS];
    struct key key = store_key(store, span_of(name, num_format_int64(name, number)));
    store_put_string(store, db, &key, SPAN("v"), ttl, NO_EVENT);
}

static void touch_number(struct store *store, int db, int number)
{
    char name[NUM_INT64_CHARS];
    struct key key = store_key(store, span_of(name, num_format_int64(name, number)));
    cr_assert_not_null(store_find(store, db, &key, 0));
}

static struct gone *watch(struct store *store)
{
    struct gone *gone = mem_zalloc(sizeof(*gone));
    struct store_observer observer = {.event = keep_number, .context = gone};
    store_observe(store, &observer);
    return gone;
}

static void evict_many(struct store *store, const struct eviction_rule *rule, int count)
{
    for (int i = 0; i < count;) {
        enum evicted evicted = store_evict(store, rule);
        cr_assert_neq(evicted, EVICTED_NOTHING);
        i += evicted == EVICTED_ONE;
    }
}

/* How many of those that went have a number below `bound`. */
static int below(const struct gone *gone, int bound)
{
    int count = 0;
    for (int i = 0; i < gone->count; i++) count += gone->order[i] < bound;
    return count;
}

Test(eviction, lru_takes_the_old_half)
{
    struct fixture f = start();
    struct gone *gone = watch(f.store);
    for (int i = 0; i < KEYS; i++) {
        store_set_now(f.store, NOW + (int64_t)i * 100); /* ten keys a second */
        set_number(f.store, i % 4, i, TTL_CLEAR);
    }
    evict_many(f.store, &lru, KEYS / 2);
    cr_assert_geq(below(gone, KEYS / 2), KEYS / 2 * 90 / 100, "%d", below(gone, KEYS / 2));
    cr_assert_geq(below(gone, KEYS * 3 / 4), KEYS / 2 * 999 / 1000, "%d",
                  below(gone, KEYS * 3 / 4));
    mem_free(gone);
    finish(&f);
}

Test(eviction, more_samples_are_more_exact)
{
    int found[2];
    for (int round = 0; round < 2; round++) {
        struct fixture f = start();
        struct gone *gone = watch(f.store);
        struct eviction_rule rule = lru;
        rule.samples = round == 0 ? 1 : 20;
        for (int i = 0; i < KEYS; i++) {
            store_set_now(f.store, NOW + (int64_t)i * 100);
            set_number(f.store, 0, i, TTL_CLEAR);
        }
        evict_many(f.store, &rule, KEYS / 2);
        found[round] = below(gone, KEYS / 2);
        mem_free(gone);
        finish(&f);
    }
    cr_assert_gt(found[1], found[0]);
    cr_assert_geq(found[1], KEYS / 2 * 96 / 100, "%d", found[1]);
}

Test(eviction, lru_spares_what_was_read_since_it_was_seen)
{
    struct fixture f = start();
    struct gone *gone = watch(f.store);
    for (int i = 0; i < KEYS; i++) {
        store_set_now(f.store, NOW + (int64_t)i * 100);
        set_number(f.store, 0, i, TTL_CLEAR);
    }
    evict_many(f.store, &lru, 1000); /* the pool is full of old ones */
    store_set_now(f.store, NOW + (int64_t)KEYS * 100);
    for (int i = 0; i < KEYS / 2; i++)
        if (!gone->gone[i]) touch_number(f.store, 0, i);
    int before = below(gone, KEYS / 2);
    evict_many(f.store, &lru, 5000);
    cr_assert_leq(below(gone, KEYS / 2) - before, 20);
    mem_free(gone);
    finish(&f);
}

Test(eviction, lfu_takes_what_is_seldom_used)
{
    struct fixture f = start();
    store_policy(f.store)->lfu = true;
    struct gone *gone = watch(f.store);
    for (int i = 0; i < KEYS; i++) set_number(f.store, 0, i, TTL_CLEAR);
    for (int times = 0; times < 20; times++)
        for (int i = KEYS / 2; i < KEYS; i++) touch_number(f.store, 0, i);
    evict_many(f.store, &lfu, KEYS / 2 * 9 / 10);
    cr_assert_geq(below(gone, KEYS / 2), gone->count * 97 / 100, "%d of %d", below(gone, KEYS / 2),
                  gone->count);
    mem_free(gone);
    finish(&f);
}

Test(eviction, at_random_all_are_alike)
{
    struct fixture f = start();
    struct gone *gone = watch(f.store);
    for (int i = 0; i < KEYS; i++) set_number(f.store, i < KEYS / 10, i, TTL_CLEAR);
    evict_many(f.store, &any, KEYS / 2);
    int first = below(gone, KEYS / 10); /* a database of its own */
    cr_assert(first > 800 && first < 1200, "%d", first);
    cr_assert(below(gone, KEYS / 2) > 4700 && below(gone, KEYS / 2) < 5300);
    mem_free(gone);
    finish(&f);
}

Test(eviction, the_nearest_deadline_goes_first)
{
    struct fixture f = start();
    struct gone *gone = watch(f.store);
    for (int i = 0; i < KEYS; i++) /* from minutes to weeks; others have none */
        set_number(f.store, 0, i, i % 2 == 0 ? NOW + 60000 + (int64_t)i * 60000 : TTL_CLEAR);
    evict_many(f.store, &nearest, KEYS / 4);
    cr_assert_geq(below(gone, KEYS / 2), KEYS / 4 * 95 / 100, "%d", below(gone, KEYS / 2));
    cr_assert_eq(below(gone, KEYS * 3 / 4), KEYS / 4);
    for (int i = 1; i < KEYS; i += 2) cr_assert_not(gone->gone[i]);
    keyspace_check(store_keyspace(f.store, 0));
    mem_free(gone);
    finish(&f);
}

/* 200 keys of 20,000 have a deadline: draws from the table would meet few of them. */
Test(eviction, finds_the_few_with_a_deadline)
{
    static const enum eviction_order orders[] = {EVICT_LONGEST_IDLE, EVICT_LEAST_USED,
                                                 EVICT_AT_RANDOM, EVICT_NEAREST_DEADLINE};
    for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
        struct fixture f = start();
        struct eviction_rule rule = {.order = orders[i], .volatile_only = true, .samples = 5};
        struct gone *gone = watch(f.store);
        for (int n = 0; n < KEYS; n++) {
            store_set_now(f.store, NOW + (int64_t)n * 100);
            set_number(f.store, 0, n, n % 100 == 0 ? NOW + 100000000 + n : TTL_CLEAR);
        }
        evict_many(f.store, &rule, 100);
        if (rule.order == EVICT_LONGEST_IDLE)
            cr_assert_geq(below(gone, KEYS / 2), 85, "%d", below(gone, KEYS / 2));
        evict_many(f.store, &rule, 100);
        cr_assert_eq(store_evict(f.store, &rule), EVICTED_NOTHING);
        keyspace_check(store_keyspace(f.store, 0));
        mem_free(gone);
        finish(&f);
    }
}

/* The wheel is full of items of keys that are gone; what is left lies behind them. */
Test(eviction, stale_items_do_not_hide_the_last_key)
{
    struct fixture f = start();
    struct eviction_rule rule = {.order = EVICT_LEAST_USED, .volatile_only = true, .samples = 5};
    for (int i = 0; i < KEYS; i++) set_number(f.store, 0, i, NOW + 60000);
    set(&f, 0, "last", "v", NOW + 1000000000);
    for (int i = 0; i < KEYS; i++) {
        char name[NUM_INT64_CHARS + 1] = "";
        num_format_int64(name, i);
        cr_assert(removed(&f, 0, name));
        set(&f, 0, name, "v", TTL_CLEAR);
    }
    int calls = 1;
    for (; store_evict(f.store, &rule) != EVICTED_ONE; calls++) cr_assert_lt(calls, 1000);
    expect_value(&f, 0, "last", NULL);
    finish(&f);
}

Test(eviction, another_rule_begins_with_another_pool)
{
    struct fixture f = start();
    for (int i = 0; i < 1000; i++) set_number(f.store, 0, i, TTL_CLEAR);
    evict_many(f.store, &lru, 10);
    struct gone *gone = watch(f.store);
    for (int i = 1000; i < 1010; i++) set_number(f.store, 0, i, NOW + i);
    evict_many(f.store, &nearest, 10);
    cr_assert_eq(below(gone, 1000), 0);
    mem_free(gone);
    finish(&f);
}

static void append_to_buf(void *context, const void *ptr, size_t len)
{
    buf_append(context, ptr, len);
}

Test(eviction, what_leaves_is_not_data_any_more)
{
    struct fixture f = start();
    for (int i = 0; i < 5000; i++) set_number(f.store, 0, i, TTL_CLEAR);
    set(&f, 1, "other", "v", TTL_CLEAR);
    cr_assert_eq(store_leaving_bytes(f.store), 0);
    struct buf records = {0};
    struct snapshot_sink sink = {append_to_buf, &records};
    struct snapshot *snapshot = snapshot_start(f.store, &sink);
    store_flush(f.store, 0, false);
    cr_assert_gt(store_leaving_bytes(f.store), 5000 * 16);
    snapshot_end(snapshot);
    cr_assert_eq(store_leaving_bytes(f.store), 0);
    buf_release(&records);
    finish(&f);
}
