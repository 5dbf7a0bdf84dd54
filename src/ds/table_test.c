#include "base/mem.h"
#include "ds/table.h"
#include <criterion/criterion.h>
#include <signal.h>

/* Items are numbers with a hash beside them. */
struct item {
    uint64_t number, hash;
    uint32_t seen;
};

static uint64_t item_hash(const void *context, const void *item)
{
    (void)context;
    return ((const struct item *)item)->hash;
}

static bool item_matches(const void *context, const void *item, const void *key)
{
    (void)context;
    return ((const struct item *)item)->number == *(const uint64_t *)key;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * 0x7fb5d329728ea185;
    x = (x ^ x >> 27) * 0x81dadef4bc2dd44d;
    return x ^ x >> 33;
}

static struct table *new_table(void)
{
    struct table_hooks hooks = {.hash = item_hash, .matches = item_matches};
    return table_new(&hooks);
}

static struct item *new_item(uint64_t number, uint64_t hash)
{
    struct item *item = mem_zalloc(sizeof *item);
    item->number = number;
    item->hash = hash;
    return item;
}

static void fill(struct table *table, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++) table_insert(table, mix(n), new_item(n, mix(n)));
}

static void take(struct table *table, uint64_t number)
{
    struct table_place place = table_locate(table, mix(number), &number);
    cr_assert(place.bucket != NULL);
    struct item *item = table_at(place);
    table_remove(table, place);
    mem_free(item);
}

Test(table, finds_what_was_inserted_and_nothing_else)
{
    struct table *table = new_table();
    fill(table, 0, 20000);
    table_check(table);
    cr_assert_eq(table_count(table), 20000);
    for (uint64_t n = 0; n < 20000; n++) {
        struct item *item = table_find(table, mix(n), &n);
        cr_assert(item != NULL && item->number == n);
    }
    for (uint64_t n = 20000; n < 40000; n++) cr_assert_null(table_find(table, mix(n), &n));
    table_free(table, mem_free);
}

Test(table, a_guess_is_mostly_right)
{
    struct table *table = new_table();
    unsigned right = 0;

    cr_assert_null(table_guess(table, mix(1)));
    fill(table, 0, 20000);
    for (uint64_t n = 0; n < 20000; n++) {
        struct item *item = table_guess(table, mix(n));
        right += item != NULL && item->number == n;
    }
    cr_assert_geq(right, 19000, "%u", right); /* not all of equal fingerprint */
    table_free(table, mem_free);
}

Test(table, shrinks_to_one_bucket_when_emptied)
{
    struct table *table = new_table();
    size_t empty = table_memory(table);
    cr_assert_lt(empty, 300);
    fill(table, 0, 20000);
    for (uint64_t n = 0; n < 20000; n++) {
        take(table, n);
        if (n % 1000 == 0) table_check(table);
    }
    table_check(table);
    cr_assert_eq(table_buckets(table), 1);
    cr_assert_eq(table_memory(table), empty);
    table_free(table, NULL);
}

Test(table, memory_follows_the_items_at_every_size)
{
    struct table *table = new_table();
    for (uint64_t n = 0; n < 300000; n++) {
        fill(table, n, n + 1);
        double bytes = (double)table_memory(table) / (double)(n + 1);
        if (n >= 1000) cr_assert_lt(bytes, 15, "%g bytes per item at %zu", bytes, (size_t)n);
        if (n >= 150000) cr_assert_lt(bytes, 13, "%g bytes per item at %zu", bytes, (size_t)n);
    }
    table_free(table, mem_free);
}

Test(table, items_of_one_hash_share_a_chain)
{
    struct table *table = new_table();
    for (uint64_t n = 0; n < 500; n++) table_insert(table, 42, new_item(n, 42));
    table_check(table);
    cr_assert_eq(table_longest_chain(table), 500);
    for (uint64_t n = 0; n < 500; n++) {
        struct table_place place = table_locate(table, 42, &n);
        cr_assert(place.bucket != NULL);
        struct item *item = table_at(place);
        cr_assert_eq(item->number, n);
        table_remove(table, place);
        mem_free(item);
        table_check(table);
    }
    cr_assert_eq(table_count(table), 0);
    table_free(table, NULL);
}

Test(table, an_absent_key_has_an_index_and_no_bucket)
{
    struct table *table = new_table();
    fill(table, 0, 1000);
    uint64_t present = 77, absent = 5000;
    struct table_place there = table_locate(table, mix(present), &present);
    struct table_place place = table_locate(table, mix(present), &absent);
    cr_assert_not_null(there.bucket);
    cr_assert_null(place.bucket);
    cr_assert_eq(place.index, there.index);
    table_free(table, mem_free);
}

Test(table, replace_puts_another_item_in_the_place)
{
    struct table *table = new_table();
    fill(table, 0, 1000);
    uint64_t key = 77;
    struct table_place place = table_locate(table, mix(key), &key);
    mem_free(table_at(place));
    struct item *other = new_item(key, mix(key));
    table_replace(place, other);
    cr_assert_eq(table_find(table, mix(key), &key), other);
    table_check(table);
    table_free(table, mem_free);
}

static void *move_item(void *context, void *item)
{
    struct item *copy = mem_alloc(sizeof *copy);
    *copy = *(struct item *)item;
    mem_free(item);
    ++*(size_t *)context;
    return copy;
}

Test(table, relocation_keeps_every_item)
{
    struct table *table = new_table();
    size_t moved = 0;
    fill(table, 0, 5000);
    for (size_t i = 0; i < table_buckets(table); i++) table_relocate(table, i, move_item, &moved);
    cr_assert_eq(moved, 5000);
    table_check(table);
    for (uint64_t n = 0; n < 5000; n++) cr_assert_not_null(table_find(table, mix(n), &n));
    table_free(table, mem_free);
}

Test(table, relocation_of_its_own_memory_keeps_every_item)
{
    struct mem_mover mover = {0};
    mem_mover_want_all(&mover);
    for (size_t count = 0; count < 20000; count = count * 3 + 1) {
        struct table *table = new_table();
        fill(table, 0, count);
        size_t memory = table_memory(table);
        mover.moved = 0;
        for (size_t i = 0; i < table_buckets(table); i++) table_relocate_buckets(table, i, &mover);
        table = table_relocate_self(table, &mover);
        cr_assert_geq(mover.moved, 2);
        cr_assert_eq(table_memory(table), memory);
        table_check(table);
        for (uint64_t n = 0; n < count; n++) cr_assert_not_null(table_find(table, mix(n), &n));
        fill(table, count, count + 1000); /* it still grows */
        table_check(table);
        table_free(table, mem_free);
    }
}

/* ---- hooks ----------------------------------------------------------------------------------- */

/* Keeps, as a snapshot does, a number per bucket; every split and merge must be told, in order. */
struct watch {
    struct table *table;
    size_t buckets, splits, merges;
};

static void watch_split(void *context, size_t from, size_t to)
{
    struct watch *watch = context;
    cr_assert_eq(to, watch->buckets);
    cr_assert_lt(from, to);
    cr_assert_eq(table_buckets(watch->table), to + 1);
    watch->buckets++;
    watch->splits++;
}

static void watch_merge(void *context, size_t from, size_t to)
{
    struct watch *watch = context;
    cr_assert_eq(from, watch->buckets - 1);
    cr_assert_lt(to, from);
    cr_assert_eq(table_buckets(watch->table), from + 1, "the hook comes before the merge");
    watch->buckets--;
    watch->merges++;
}

Test(table, hooks_tell_every_split_and_merge)
{
    struct watch watch = {.buckets = 1};
    struct table_hooks hooks = {item_hash, item_matches, watch_split, watch_merge, &watch};
    watch.table = table_new(&hooks);
    fill(watch.table, 0, 10000);
    for (uint64_t n = 0; n < 10000; n++) take(watch.table, n);
    cr_assert_gt(watch.splits, 1000);
    cr_assert_eq(watch.splits, watch.merges);
    table_free(watch.table, NULL);
}

/* ---- visits, scans --------------------------------------------------------------------------- */

static void count_item(void *context, void *item)
{
    ++*(size_t *)context;
    ((struct item *)item)->seen++;
}

Test(table, a_visit_of_all_buckets_sees_each_item_once)
{
    struct table *table = new_table();
    size_t count = 0;
    fill(table, 0, 5000);
    for (size_t i = 0; i < table_buckets(table); i++) table_visit(table, i, count_item, &count);
    cr_assert_eq(count, 5000);
    for (uint64_t n = 0; n < 5000; n++) {
        struct item *item = table_find(table, mix(n), &n);
        cr_assert_eq(item->seen, 1);
    }
    table_free(table, mem_free);
}

Test(table, a_scan_of_a_still_table_sees_each_item_once)
{
    for (uint64_t size = 0; size < 300; size += 7) {
        struct table *table = new_table();
        size_t count = 0, steps = 0;
        uint64_t cursor = 0;
        fill(table, 0, size);
        do {
            cursor = table_scan(table, cursor, count_item, &count);
            cr_assert_lt(cursor, (uint64_t)1 << 48);
            cr_assert_leq(++steps, table_buckets(table));
        } while (cursor != 0);
        cr_assert_eq(count, size);
        cr_assert_eq(steps, table_buckets(table));
        table_free(table, mem_free);
    }
}

/* The first 500 items stay; others come and go so that the table grows or shrinks between steps. */
static void scan_while_size_changes(bool shrink, uint64_t per_step)
{
    struct table *table = new_table();
    uint64_t low = 500, high = shrink ? 60000 : 500, cursor = 0;
    size_t count = 0;
    fill(table, 0, high);
    do {
        cursor = table_scan(table, cursor, count_item, &count);
        for (uint64_t i = 0; i < per_step; i++) {
            if (shrink && high > low) take(table, --high);
            if (!shrink && high < 60000) fill(table, high, high + 1), high++;
        }
    } while (cursor != 0);
    for (uint64_t n = 0; n < 500; n++) {
        struct item *item = table_find(table, mix(n), &n);
        cr_assert_geq(item->seen, 1, "item %zu was missed", (size_t)n);
    }
    table_check(table);
    table_free(table, mem_free);
}

Test(table, a_scan_misses_nothing_while_the_table_grows)
{
    for (uint64_t per_step = 1; per_step < 2000; per_step = per_step * 3 + 1)
        scan_while_size_changes(false, per_step);
}

Test(table, a_scan_misses_nothing_while_the_table_shrinks)
{
    for (uint64_t per_step = 1; per_step < 2000; per_step = per_step * 3 + 1)
        scan_while_size_changes(true, per_step);
}

Test(table, a_scan_takes_any_cursor)
{
    struct table *table = new_table();
    size_t count = 0;
    fill(table, 0, 1000);
    uint64_t cursors[] = {UINT64_MAX, (uint64_t)1 << 48, ((uint64_t)1 << 48) - 1, 12345678901234};
    for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++)
        cr_assert_lt(table_scan(table, cursors[i], count_item, &count), (uint64_t)1 << 48);
    cr_assert_eq(table_scan(table, UINT64_MAX, count_item, &count), 0, "the last bucket of all");
    table_free(table, mem_free);
}

/* ---- random choice --------------------------------------------------------------------------- */

/* Chi-squared over `items` equally likely items; the bound is mean plus six deviations. */
static void assert_uniform(struct table *table, uint64_t items, struct random *random)
{
    const uint64_t draws = items * 200;
    double sum = 0, expected = (double)draws / (double)items, degrees = (double)items - 1;

    for (uint64_t i = 0; i < draws; i++) ((struct item *)table_random(table, random))->seen++;
    size_t count = 0;
    for (size_t i = 0; i < table_buckets(table); i++) table_visit(table, i, count_item, &count);
    for (uint64_t n = 0; n < items; n++) {
        struct item *item = table_find(table, mix(n), &n);
        double off = (double)(item->seen - 1) - expected;
        sum += off * off / expected;
    }
    cr_assert_lt(sum, degrees + 6 * __builtin_sqrt(2 * degrees), "chi-squared %g", sum);
}

Test(table, random_items_are_uniform)
{
    uint64_t sizes[] = {2, 9, 10, 60, 1000, 3333};
    struct random random;
    random_seed(&random, 7);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct table *table = new_table();
        fill(table, 0, sizes[i]);
        assert_uniform(table, sizes[i], &random);
        table_free(table, mem_free);
    }
}

Test(table, random_items_are_uniform_after_mass_deletion)
{
    struct random random;
    struct table *table = new_table();
    random_seed(&random, 8);
    fill(table, 0, 100000);
    for (uint64_t n = 100000; n-- > 300;) take(table, n);
    assert_uniform(table, 300, &random);
    table_free(table, mem_free);
}

Test(table, random_of_an_empty_table_is_null)
{
    struct random random;
    struct table *table = new_table();
    random_seed(&random, 9);
    cr_assert_null(table_random(table, &random));
    table_free(table, NULL);
}

/* ---- the checker itself ---------------------------------------------------------------------- */

Test(table, check_finds_an_item_under_a_wrong_hash, .signal = SIGABRT)
{
    struct table *table = new_table();
    fill(table, 0, 1000);
    uint64_t key = 10;
    struct item *item = table_find(table, mix(key), &key);
    item->hash ^= 1;
    table_check(table);
}
