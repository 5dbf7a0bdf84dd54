#include "base/mem.h"
#include "ds/id_map.h"
#include <criterion/criterion.h>

/* What stands under an id, so that it can be told again. */
static void *value_of(struct stream_id id)
{
    return (void *)(uintptr_t)(id.ms * 1000 + id.seq + 1);
}

static struct stream_id nth(uint64_t n)
{
    return (struct stream_id){n / 7 + 1, n % 7};
}

static void fill(struct id_map *map, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++) cr_assert(id_map_insert(map, nth(n), value_of(nth(n))));
}

static void expect_run(const struct id_map *map, uint64_t from, uint64_t to)
{
    struct id_cursor cursor = id_map_first(map);
    for (uint64_t n = from; n < to; n++, id_cursor_next(&cursor)) {
        cr_assert_not_null(cursor.item);
        cr_assert(stream_id_equal(cursor.item->id, nth(n)));
        cr_assert_eq(cursor.item->value, value_of(nth(n)));
    }
    cr_assert_null(cursor.item);
    cursor = id_map_last(map);
    for (uint64_t n = to; n-- > from; id_cursor_previous(&cursor))
        cr_assert(stream_id_equal(cursor.item->id, nth(n)));
    cr_assert_null(cursor.item);
}

Test(id_map, an_empty_one_finds_nothing_and_owns_nothing)
{
    struct id_map map = {0};
    cr_assert_null(id_map_find(&map, STREAM_ID_MIN));
    cr_assert_null(id_map_remove(&map, STREAM_ID_MAX));
    cr_assert_null(id_map_first(&map).item);
    cr_assert_null(id_map_last(&map).item);
    cr_assert_null(id_map_at_or_after(&map, STREAM_ID_MIN).item);
    cr_assert_null(id_map_at_or_before(&map, STREAM_ID_MAX).item);
    cr_assert_eq(id_map_memory(&map), 0);
    id_map_check(&map);
    id_map_release(&map);
}

Test(id_map, keeps_ids_in_order_whatever_the_order_they_come_in)
{
    enum { COUNT = 20000 };
    static const uint64_t steps[] = {1, 7919, COUNT - 1, 3001};

    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        struct id_map map = {0};
        for (uint64_t i = 0; i < COUNT; i++) {
            uint64_t n = i * steps[s] % COUNT;
            cr_assert(id_map_insert(&map, nth(n), value_of(nth(n))));
            cr_assert_not(id_map_insert(&map, nth(n), &map));
        }
        id_map_check(&map);
        expect_run(&map, 0, COUNT);
        id_map_release(&map);
    }
}

Test(id_map, the_least_and_the_greatest_ids_are_ids)
{
    struct id_map map = {0};
    fill(&map, 0, 1000);
    cr_assert(id_map_insert(&map, STREAM_ID_MAX, &map));
    cr_assert(id_map_insert(&map, STREAM_ID_MIN, &map));
    id_map_check(&map);
    cr_assert_eq(id_map_first(&map).item->value, &map);
    cr_assert_eq(id_map_last(&map).item->value, &map);
    cr_assert_eq(id_map_remove(&map, STREAM_ID_MIN), &map);
    cr_assert_eq(id_map_remove(&map, STREAM_ID_MAX), &map);
    expect_run(&map, 0, 1000);
    id_map_release(&map);
}

Test(id_map, seeks_between_ids)
{
    struct id_map map = {0};
    for (uint64_t n = 1; n <= 5000; n++)
        id_map_insert(&map, (struct stream_id){2 * n, 5}, value_of((struct stream_id){n, 0}));
    for (uint64_t n = 1; n <= 5000; n++) {
        cr_assert_eq(id_map_at_or_after(&map, (struct stream_id){2 * n, 5}).item->id.ms, 2 * n);
        cr_assert_eq(id_map_at_or_after(&map, (struct stream_id){2 * n, 0}).item->id.ms, 2 * n);
        cr_assert_eq(id_map_at_or_before(&map, (struct stream_id){2 * n, 5}).item->id.ms, 2 * n);
        cr_assert_eq(id_map_at_or_before(&map, (struct stream_id){2 * n + 1, 0}).item->id.ms,
                     2 * n);
    }
    cr_assert_null(id_map_at_or_before(&map, (struct stream_id){2, 4}).item);
    cr_assert_null(id_map_at_or_after(&map, (struct stream_id){10000, 6}).item);
    id_map_release(&map);
}

Test(id_map, a_queue_takes_memory_for_what_it_holds)
{
    struct id_map map = {0};
    fill(&map, 0, 1000);
    for (uint64_t n = 0; n < 100000; n++) {
        cr_assert_eq(id_map_remove(&map, nth(n)), value_of(nth(n)));
        fill(&map, n + 1000, n + 1001);
        if (n % 10000 == 0) id_map_check(&map);
    }
    expect_run(&map, 100000, 101000);
    cr_assert_lt(id_map_memory(&map), 1000 * 24 + 8 * 1536);
    for (uint64_t n = 101000; n-- > 100000;) cr_assert_not_null(id_map_remove(&map, nth(n)));
    cr_assert_eq(id_map_memory(&map), 0);
    id_map_check(&map);
}

Test(id_map, ids_in_order_fill_their_pages)
{
    struct id_map map = {0};
    fill(&map, 0, 63 * 63);
    cr_assert_leq(id_map_memory(&map), 64 * 1536);
    id_map_release(&map);
    fill(&map, 0, 1);
    cr_assert_leq(id_map_memory(&map), 48);
    id_map_release(&map);
}

Test(id_map, replaces_a_pointer)
{
    struct id_map map = {0};
    fill(&map, 0, 500);
    id_map_replace(&map, nth(77), &map);
    cr_assert_eq(id_map_find(&map, nth(77)), &map);
    cr_assert_eq(id_map_find(&map, nth(78)), value_of(nth(78)));
    id_map_release(&map);
}
