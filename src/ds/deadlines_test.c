#include "base/mem.h"
#include "base/random.h"
#include "ds/deadlines.h"
#include <criterion/criterion.h>

/* The toy owner: keys are numbers, a key's hash is a mix of its number that can be undone. */
#define NONE     INT64_MIN
#define START_MS 1700000000000

struct owner {
    struct deadlines *deadlines;
    struct deadlines_owner calls;
    size_t keys, asked, expired;
    int64_t *deadline_ms; /* per key; NONE: not there */
    int64_t now_ms, last_ms;
    bool waits;
};

static uint64_t hash_of(uint64_t key)
{
    return (key + 1) * 0x9e3779b97f4a7c15;
}

static uint64_t key_of(uint64_t hash)
{
    return hash * 0xf1de83e19937733d - 1; /* the inverse modulo 2^64 */
}

static enum deadline_verdict due(void *context, uint64_t hash, int64_t now_ms, int64_t *deadline_ms)
{
    struct owner *owner = context;
    uint64_t key = key_of(hash);
    cr_assert_lt(key, owner->keys);
    owner->asked++;
    int64_t deadline = owner->deadline_ms[key];
    if (deadline == NONE) return DEADLINE_STALE;
    if (now_ms == INT64_MIN || deadline > now_ms) {
        *deadline_ms = deadline;
        return DEADLINE_LATER;
    }
    if (owner->waits) return DEADLINE_WAIT;
    cr_assert_leq(deadline, owner->now_ms, "expired too early");
    owner->deadline_ms[key] = NONE;
    owner->expired++;
    owner->last_ms = deadline;
    return DEADLINE_EXPIRED;
}

static struct owner *new_owner(size_t keys)
{
    struct owner *owner = mem_zalloc(sizeof *owner);
    owner->keys = keys;
    owner->deadline_ms = mem_alloc(keys * sizeof *owner->deadline_ms);
    for (size_t i = 0; i < keys; i++) owner->deadline_ms[i] = NONE;
    owner->now_ms = START_MS;
    owner->deadlines = deadlines_new(START_MS);
    owner->calls = (struct deadlines_owner){due, NULL, owner};
    return owner;
}

static void free_owner(struct owner *owner)
{
    deadlines_check(owner->deadlines);
    deadlines_free(owner->deadlines);
    mem_free(owner->deadline_ms);
    mem_free(owner);
}

static void set(struct owner *owner, size_t key, int64_t deadline_ms)
{
    deadlines_add(owner->deadlines, hash_of(key), deadline_ms, owner->deadline_ms[key]);
    owner->deadline_ms[key] = deadline_ms;
}

static void drop(struct owner *owner, size_t key)
{
    deadlines_forget(owner->deadlines, hash_of(key), owner->deadline_ms[key]);
    owner->deadline_ms[key] = NONE;
}

static size_t advance(struct owner *owner, int64_t now_ms)
{
    owner->now_ms = now_ms;
    owner->last_ms = INT64_MIN;
    return deadlines_advance(owner->deadlines, now_ms, SIZE_MAX, &owner->calls);
}

static bool has(const struct owner *owner, size_t key)
{
    return owner->deadline_ms[key] != NONE;
}

Test(deadlines, a_key_expires_at_its_deadline)
{
    int64_t ttls[] = {0,
                      1,
                      15,
                      16,
                      17,
                      1000,
                      1024,
                      5000,
                      65536,
                      100000,
                      4194304,
                      86400000,
                      30 * 86400000LL,
                      366 * 86400000LL,
                      40 * 365 * 86400000LL};
    size_t count = sizeof ttls / sizeof *ttls;
    for (size_t i = 0; i < count; i++) {
        struct owner *owner = new_owner(count);
        for (size_t k = i; k < count; k++) set(owner, k, START_MS + ttls[k]);
        advance(owner, START_MS + ttls[i] - 1);
        cr_assert(has(owner, i), "too early, ttl %ld", ttls[i]);
        advance(owner, START_MS + ttls[i]);
        cr_assert(!has(owner, i), "too late, ttl %ld", ttls[i]);
        deadlines_check(owner->deadlines);
        advance(owner, START_MS + ttls[count - 1]);
        cr_assert_eq(deadlines_live(owner->deadlines), 0);
        cr_assert_eq(deadlines_items(owner->deadlines), 0);
        free_owner(owner);
    }
}

Test(deadlines, next_tells_when_to_come_again)
{
    struct owner *owner = new_owner(1);
    cr_assert_eq(deadlines_next(owner->deadlines), INT64_MAX);
    set(owner, 0, START_MS + 123456);
    int looks = 0;
    while (has(owner, 0)) {
        int64_t next = deadlines_next(owner->deadlines);
        cr_assert_geq(next, owner->now_ms);
        cr_assert_leq(next, START_MS + 123456);
        advance(owner, next);
        cr_assert_lt(++looks, 6, "one look per level");
    }
    cr_assert_eq(deadlines_next(owner->deadlines), INT64_MAX);
    free_owner(owner);
}

Test(deadlines, keys_expire_in_order_also_when_the_wheel_is_late)
{
    enum { KEYS = 20000 };
    struct owner *owner = new_owner(KEYS);
    struct random random;
    random_seed(&random, 1);
    for (size_t i = 0; i < KEYS; i++)
        set(owner, i, START_MS + (int64_t)random_below(&random, 3600000));
    for (size_t i = 0; i < KEYS; i++) /* moved away: items stand too early */
        set(owner, i, owner->deadline_ms[i] + (int64_t)random_below(&random, 3600000));

    owner->now_ms = START_MS + 10 * 3600000;
    owner->last_ms = INT64_MIN;
    while (owner->expired < KEYS) {
        int64_t before = owner->last_ms;
        deadlines_advance(owner->deadlines, owner->now_ms, 1, &owner->calls);
        cr_assert_geq(owner->last_ms, before);
    }
    free_owner(owner);
}

Test(deadlines, the_budget_bounds_a_call)
{
    enum { KEYS = 1000 };
    struct owner *owner = new_owner(KEYS);
    for (size_t i = 0; i < KEYS; i++) set(owner, i, START_MS + 5000);
    owner->now_ms = START_MS + 10000;
    for (size_t expired = 0;;) {
        owner->asked = 0;
        size_t used = deadlines_advance(owner->deadlines, owner->now_ms, 10, &owner->calls);
        cr_assert_leq(used, 10);
        cr_assert_geq(owner->asked, used);
        cr_assert_leq(owner->asked, owner->expired == expired ? 8 * 10 : 8 * used + 7);
        cr_assert_leq(owner->expired - expired, used);
        expired = owner->expired;
        deadlines_check(owner->deadlines);
        if (used < 10 || owner->expired == KEYS) break;
        cr_assert_leq(deadlines_next(owner->deadlines), owner->now_ms);
    }
    cr_assert_eq(owner->expired, KEYS);
    free_owner(owner);
}

Test(deadlines, any_int64_is_a_deadline)
{
    int64_t far[] = {INT64_MAX, INT64_MAX - 1, 9223372036854770000, 4611686018427387904};
    struct owner *owner = new_owner(8);
    for (size_t i = 0; i < 4; i++) set(owner, i, far[i]);
    set(owner, 4, -1);
    set(owner, 5, INT64_MIN + 1);
    set(owner, 6, 0);
    advance(owner, START_MS);
    for (size_t i = 4; i < 7; i++) cr_assert(!has(owner, i));
    cr_assert_eq(deadlines_live(owner->deadlines), 4);
    deadlines_check(owner->deadlines);

    for (size_t i = 3; i < 4; i--) { /* to the end of time */
        advance(owner, far[i] - 1);
        cr_assert(has(owner, i));
        advance(owner, far[i]);
    }
    cr_assert_eq(deadlines_live(owner->deadlines), 0);
    free_owner(owner);
}

Test(deadlines, a_key_that_is_gone_or_moved_is_not_expired)
{
    struct owner *owner = new_owner(3);
    set(owner, 0, START_MS + 1000);
    set(owner, 1, START_MS + 1000);
    set(owner, 2, START_MS + 1000);
    drop(owner, 0);
    set(owner, 1, START_MS + 500000);
    set(owner, 2, START_MS + 100);
    advance(owner, START_MS + 200);
    cr_assert(!has(owner, 2), "a nearer deadline counts");
    advance(owner, START_MS + 499999);
    cr_assert(has(owner, 1), "a later deadline counts");
    advance(owner, START_MS + 500000);
    cr_assert(!has(owner, 1));
    cr_assert_eq(deadlines_items(owner->deadlines), 0);
    free_owner(owner);
}

Test(deadlines, waiting_stops_the_call_and_is_no_busy_loop)
{
    struct owner *owner = new_owner(100);
    for (size_t i = 0; i < 100; i++) set(owner, i, START_MS + 1000 + (int64_t)i);
    owner->waits = true;
    owner->asked = 0;
    advance(owner, START_MS + 5000);
    size_t first = owner->asked;
    cr_assert_leq(first, 101, "each was distributed once, one was asked for");
    cr_assert_geq(deadlines_next(owner->deadlines), START_MS + 5100);
    advance(owner, START_MS + 5100);
    cr_assert_eq(owner->asked, first + 1);
    deadlines_check(owner->deadlines);
    owner->waits = false;
    advance(owner, START_MS + 5101);
    cr_assert_eq(owner->expired, 100);
    free_owner(owner);
}

Test(deadlines, a_clock_set_back_is_followed)
{
    int64_t steps[] = {500, 2000, 70000, 5000000, 90000000, 40000000000};
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        struct owner *owner = new_owner(200);
        for (size_t i = 0; i < 100; i++) set(owner, i, START_MS + 100 * (int64_t)(i * i));
        owner->waits = true;
        advance(owner, START_MS + 50);
        owner->waits = false;
        int64_t now = START_MS - steps[s];
        advance(owner, now);
        cr_assert_leq(owner->expired, 1);
        deadlines_check(owner->deadlines);
        for (size_t i = 100; i < 200; i++) set(owner, i, now + 10 * (int64_t)(i * i));
        for (size_t i = 100; i < 200; i++) {
            advance(owner, owner->deadline_ms[i] - 1);
            cr_assert(has(owner, i));
            /* A step of up to a second back is not followed: late by as much. */
            advance(owner, owner->now_ms + 1 + (s == 0 ? 500 : 0));
            cr_assert(!has(owner, i));
        }
        advance(owner, START_MS + 100 * 100 * 100 + 50000000000);
        cr_assert_eq(owner->expired, 200);
        cr_assert_eq(deadlines_items(owner->deadlines), 0);
        free_owner(owner);
    }
}

Test(deadlines, a_clock_set_forward_by_years_costs_what_is_due)
{
    struct owner *owner = new_owner(1);
    set(owner, 0, START_MS + 1000);
    advance(owner, START_MS + 100 * 365 * 86400000LL);
    cr_assert(!has(owner, 0));
    cr_assert_leq(owner->asked, 2);
    free_owner(owner);
}

/* ---- memory ---------------------------------------------------------------------------------- */

Test(deadlines, a_million_keys_take_8_and_a_half_bytes_each)
{
    enum { KEYS = 1000000 };
    struct random random;
    random_seed(&random, 2);
    for (int spread = 0; spread < 2; spread++) {
        struct owner *owner = new_owner(KEYS);
        for (size_t i = 0; i < KEYS; i++)
            set(owner, i,
                START_MS + 3600000 + (spread ? (int64_t)random_below(&random, 3600000) : 0));
        cr_assert_lt(deadlines_memory(owner->deadlines), KEYS * 17 / 2);
        free_owner(owner);
    }
}

Test(deadlines, an_empty_wheel_is_small)
{
    struct deadlines *deadlines = deadlines_new(START_MS);
    cr_assert_leq(deadlines_memory(deadlines), 192);
    deadlines_free(deadlines);
}

Test(deadlines, a_lock_taken_and_released_leaves_nothing)
{
    struct owner *owner = new_owner(1);
    for (int i = 0; i < 1000000; i++) {
        set(owner, 0, START_MS + 30000);
        drop(owner, 0);
    }
    cr_assert_eq(deadlines_items(owner->deadlines), 0);
    free_owner(owner);
}

/* Every way to change deadlines all the time; memory must follow the keys. */
static void churn(size_t keys, int64_t range_ms, int drops_of_8)
{
    struct owner *owner = new_owner(keys);
    struct random random;
    random_seed(&random, 3);
    for (int i = 0; i < 1000000; i++) {
        size_t key = random_below(&random, keys);
        if (has(owner, key) && (int)random_below(&random, 8) < drops_of_8) drop(owner, key);
        else
            set(owner, key, owner->now_ms + 1 + (int64_t)random_below(&random, (uint64_t)range_ms));
        if (i % 8 == 0) {
            owner->now_ms += i % 64 == 0;
            deadlines_advance(owner->deadlines, owner->now_ms, 32, &owner->calls);
        }
        cr_assert_lt(deadlines_items(owner->deadlines),
                     3 * deadlines_live(owner->deadlines) + 2048 + keys);
    }
    cr_assert_lt(deadlines_memory(owner->deadlines), 34 * keys + 131072);
    deadlines_check(owner->deadlines);
    for (int64_t t = 0; t < range_ms + 100; t += 15) advance(owner, owner->now_ms + 15);
    cr_assert_eq(deadlines_live(owner->deadlines), 0);
    for (size_t i = 0; i < keys; i++) cr_assert(!has(owner, i), "no key was lost by a sweep");
    free_owner(owner);
}

Test(deadlines, a_million_updates_of_one_key_take_no_memory)
{
    churn(1, 3600000, 0);
}

Test(deadlines, a_million_updates_of_some_keys_take_no_memory)
{
    churn(1000, 3600000, 0);
    churn(1000, 1000, 0);
}

Test(deadlines, keys_that_come_and_go_take_no_memory)
{
    churn(1000, 3600000, 4);
    churn(30000, 60000, 4);
}

Test(deadlines, a_sweep_alone_drops_what_is_stale)
{
    enum { KEYS = 100000 };
    struct owner *owner = new_owner(KEYS);
    for (size_t i = 0; i < KEYS; i++) set(owner, i, START_MS + 3600000);
    for (size_t i = 0; i < KEYS; i++)
        if (i % 10 != 0) drop(owner, i);
    cr_assert_gt(deadlines_items(owner->deadlines), KEYS / 2);
    for (;;) {
        size_t used = deadlines_sweep(owner->deadlines, 100, &owner->calls);
        deadlines_check(owner->deadlines);
        if (used < 100) break;
    }
    cr_assert_eq(deadlines_items(owner->deadlines), KEYS / 10);
    cr_assert_eq(deadlines_sweep(owner->deadlines, 100, &owner->calls), 0);
    free_owner(owner);
}

/* ---- samples ------------------------------------------------------------------------------------ */

struct sampling {
    struct owner *owner;
    size_t seen[10000];
    size_t shown;
    int64_t latest_ms;
};

static bool keep(void *context, uint64_t hash)
{
    struct sampling *sampling = context;
    uint64_t key = key_of(hash);
    sampling->shown++;
    if (!has(sampling->owner, key)) return false;
    sampling->seen[key]++;
    if (sampling->owner->deadline_ms[key] > sampling->latest_ms)
        sampling->latest_ms = sampling->owner->deadline_ms[key];
    return true;
}

Test(deadlines, samples_come_to_every_item)
{
    struct owner *owner = new_owner(10000);
    struct random random;
    random_seed(&random, 1);
    for (size_t i = 0; i < 10000; i++) set(owner, i, START_MS + 1 + (int64_t)(i * i) * 100);
    struct sampling *sampling = mem_zalloc(sizeof *sampling);
    sampling->owner = owner;
    struct deadlines_sampler sampler = {keep, sampling, &random};
    for (int i = 0; i < 20000; i++) deadlines_sample(owner->deadlines, 5, &sampler);
    cr_assert_geq(sampling->shown, 80000);
    size_t missed = 0;
    for (size_t i = 0; i < 10000; i++) missed += sampling->seen[i] == 0;
    cr_assert_lt(missed, 200, "%zu", missed);
    deadlines_check(owner->deadlines);
    mem_free(sampling);
    free_owner(owner);
}

Test(deadlines, samples_drop_what_is_stale)
{
    struct owner *owner = new_owner(10000);
    struct random random;
    random_seed(&random, 1);
    for (size_t i = 0; i < 10000; i++) set(owner, i, START_MS + 100000);
    for (size_t i = 0; i < 9999; i++) { /* the wheel is not told which */
        deadlines_forget(owner->deadlines, 0, START_MS + 100000);
        owner->deadline_ms[i] = NONE;
    }
    struct sampling *sampling = mem_zalloc(sizeof *sampling);
    sampling->owner = owner;
    struct deadlines_sampler sampler = {keep, sampling, &random};
    for (int i = 0; i < 4000; i++) {
        deadlines_sample(owner->deadlines, 16, &sampler);
        deadlines_check(owner->deadlines);
    }
    cr_assert_lt(deadlines_items(owner->deadlines), 100);
    cr_assert_gt(sampling->seen[9999], 0);
    mem_free(sampling);
    free_owner(owner);
}

Test(deadlines, the_earliest_come_from_the_first_slots)
{
    struct owner *owner = new_owner(10000);
    struct random random;
    random_seed(&random, 1);
    for (size_t i = 0; i < 10000; i++) set(owner, i, START_MS + 1 + (int64_t)i * 60000);
    struct sampling *sampling = mem_zalloc(sizeof *sampling);
    sampling->owner = owner;
    struct deadlines_sampler sampler = {keep, sampling, &random};
    deadlines_earliest(owner->deadlines, 10, &sampler);
    cr_assert_eq(sampling->shown, 10);
    cr_assert_leq(sampling->latest_ms, START_MS + 30 * 60000);
    deadlines_earliest(owner->deadlines, 20000, &sampler);
    cr_assert_gt(sampling->shown, 100);
    mem_free(sampling);
    free_owner(owner);
}
