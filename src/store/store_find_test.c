/* Access clocks: what OBJECT IDLETIME and FREQ show. */
#include "store/access_clock.h"
#include "store/store_fixture.h"

Test(access_clock, shows_idle_seconds)
{
    struct fixture f = start();
    set(&f, 0, "k", "v", TTL_CLEAR);
    store_set_now(f.store, NOW + 100999);
    cr_assert_eq(store_idle_seconds(f.store, find(&f, 0, "k", FIND_NO_TOUCH)), 100);
    find(&f, 0, "k", FIND_WRITE);
    cr_assert_eq(store_idle_seconds(f.store, find(&f, 0, "k", FIND_NO_TOUCH)), 100);
    cr_assert_eq(store_idle_seconds(f.store, find(&f, 0, "k", 0)), 0);
    store_set_now(f.store, NOW + 200000);
    set(&f, 0, "k", "w", TTL_CLEAR);
    cr_assert_eq(store_idle_seconds(f.store, find(&f, 0, "k", FIND_NO_TOUCH)), 0);
    finish(&f);
}

Test(access_clock, counts_accesses_logarithmically)
{
    struct fixture f = start();
    struct store_policy *policy = store_policy(f.store);
    policy->lfu = true;
    set(&f, 0, "k", "v", TTL_CLEAR);
    const struct entry *e = find(&f, 0, "k", FIND_NO_TOUCH);
    cr_assert_eq(store_frequency(f.store, e), 5);
    find(&f, 0, "k", 0); /* the first access always counts */
    cr_assert_eq(store_frequency(f.store, e), 6);
    set(&f, 0, "k", "w", TTL_CLEAR);
    cr_assert_leq(store_frequency(f.store, find(&f, 0, "k", FIND_NO_TOUCH)), 7);

    policy->lfu_log_factor = 0; /* every access counts, up to 255 */
    for (int i = 0; i < 300; i++) find(&f, 0, "k", 0);
    cr_assert_eq(store_frequency(f.store, find(&f, 0, "k", FIND_NO_TOUCH)), 255);

    store_set_now(f.store, NOW + 10 * 60000);
    e = find(&f, 0, "k", FIND_NO_TOUCH);
    cr_assert_eq(store_frequency(f.store, e), 245);
    policy->lfu_decay_time = 5;
    cr_assert_eq(store_frequency(f.store, e), 253);
    policy->lfu_decay_time = 0;
    cr_assert_eq(store_frequency(f.store, e), 255);
    finish(&f);
}

Test(access_clock, grows_at_the_rate_of_the_log_factor)
{
    /* redis.conf tells what 100 and 1000 hits make of a key at several factors. */
    const struct {
        int factor, hits;
        unsigned least, most;
    } cases[] = {{0, 100, 105, 105}, {1, 100, 14, 22},   {10, 100, 7, 13},
                 {1, 1000, 42, 58},  {10, 1000, 14, 22}, {100, 1000, 6, 12}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture f = start();
        store_policy(f.store)->lfu = true;
        store_policy(f.store)->lfu_log_factor = cases[i].factor;
        set(&f, 0, "k", "v", TTL_CLEAR);
        for (int hit = 0; hit < cases[i].hits; hit++) find(&f, 0, "k", 0);
        unsigned got = store_frequency(f.store, find(&f, 0, "k", FIND_NO_TOUCH));
        cr_assert(got >= cases[i].least && got <= cases[i].most, "case %zu: %u", i, got);
        finish(&f);
    }
}

Test(access_clock, goes_along_with_a_moved_key_and_not_with_a_copied_one)
{
    struct fixture f = start();
    store_policy(f.store)->lfu = true;
    struct key a = key_of(&f, "a"), b = key_of(&f, "b"), c = key_of(&f, "c");
    set(&f, 0, "a", "v", TTL_CLEAR);
    store_set_clock(f.store, 0, &a, access_clock_of_frequency(NOW, 255));
    store_move(f.store, 0, &a, 0, &b, NO_EVENT, NO_EVENT);
    const struct entry *e = find(&f, 0, "b", FIND_NO_TOUCH);
    cr_assert_eq(store_frequency(f.store, e), 255);
    store_put_entry(f.store, 0, &c, entry_copy(e, c.name, NO_DEADLINE), NO_EVENT);
    cr_assert_eq(store_frequency(f.store, find(&f, 0, "c", FIND_NO_TOUCH)), 5);
    finish(&f);
}
