#include "ds/sorted_index.h"

#include "base/mem.h"
#include "base/random.h"
#include <criterion/criterion.h>
#include <stdio.h>

struct item {
    double score;
    char member[32];
};

static struct sorted_key item_key(const void *pointer)
{
    const struct item *item = pointer;
    return (struct sorted_key){item->score, span_of_cstr(item->member)};
}

static struct item *items;
static struct sorted_index sorted;

static void begin(void)
{
    sorted_index_init(&sorted, item_key);
}

static void end(void)
{
    sorted_index_release(&sorted);
    mem_free(items);
}

TestSuite(sorted_index, .init = begin, .fini = end);

static void make_items(size_t count, double (*score)(size_t i))
{
    items = mem_zalloc(count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        items[i].score = score(i);
        snprintf(items[i].member, sizeof items[i].member, "member:%06zu", i);
    }
}

static double same(size_t i)
{
    (void)i;
    return 1;
}

static double rising(size_t i)
{
    return (double)i;
}

static double falling(size_t i)
{
    return -(double)i;
}

static double scattered(size_t i)
{
    return (double)(i * 7919 % 100003);
}

static const void *at_rank(size_t rank)
{
    struct sorted_position position;
    sorted_index_at(&sorted, rank, &position);
    return sorted_position_item(&position);
}

Test(sorted_index, empty)
{
    struct sorted_position position;
    struct sorted_bound bound = {.by = SORTED_BY_SCORE, .score = 1};

    cr_assert_eq(sorted_index_seek(&sorted, &bound, &position), 0);
    cr_assert_null(sorted_position_item(&position));
    cr_assert_not(sorted_position_previous(&position));
    cr_assert_null(at_rank(0));
    sorted_index_check(&sorted);
    make_items(1, rising);
    sorted_index_insert(&sorted, &items[0]);
    cr_assert_eq(at_rank(0), &items[0]);
    sorted_index_remove(&sorted, &items[0]);
    sorted_index_check(&sorted);
    cr_assert_eq(sorted_index_memory(&sorted), 0);
}

static void expect_full_leaves(size_t count)
{
    for (size_t i = 0; i < count; i++) sorted_index_insert(&sorted, &items[i]);
    sorted_index_check(&sorted);
    cr_expect_eq(sorted.leaves, (count + 20) / 21);
    cr_expect_leq(sorted.inner_nodes, sorted.leaves / 14 + 4);
}

Test(sorted_index, rising_order_makes_full_leaves)
{
    make_items(10000, rising);
    expect_full_leaves(10000);
    for (size_t i = 0; i < 10000; i += 97) cr_assert_eq(at_rank(i), &items[i]);
}

Test(sorted_index, falling_order_makes_full_leaves)
{
    make_items(10000, falling);
    expect_full_leaves(10000);
    for (size_t i = 0; i < 10000; i += 97) cr_assert_eq(at_rank(9999 - i), &items[i]);
}

Test(sorted_index, random_order_takes_little_memory)
{
    make_items(100003, scattered);
    for (size_t i = 0; i < 100003; i++) sorted_index_insert(&sorted, &items[i]);
    sorted_index_check(&sorted);
    double per_item = (double)sorted_index_memory(&sorted) / 100003;
    cr_expect_lt(per_item, 11, "%.2f bytes per item", per_item);
    for (size_t i = 0; i < 100003; i += 101)
        cr_assert_eq(sorted_index_rank(&sorted, &items[i]), i * 7919 % 100003);
}

Test(sorted_index, equal_scores_are_in_order_of_bytes)
{
    make_items(1000, same);
    for (size_t i = 0; i < 1000; i++) sorted_index_insert(&sorted, &items[i * 7 % 1000]);
    sorted_index_check(&sorted);
    for (size_t i = 0; i < 1000; i++) cr_assert_eq(at_rank(i), &items[i]);

    struct sorted_position position;
    struct sorted_bound bound = {SORTED_BY_MEMBER, false, 0, SPAN("member:000500")};
    cr_expect_eq(sorted_index_seek(&sorted, &bound, &position), 500);
    bound.behind_equal = true;
    cr_expect_eq(sorted_index_seek(&sorted, &bound, &position), 501);
    bound.member = SPAN("");
    cr_expect_eq(sorted_index_seek(&sorted, &bound, &position), 0);
    bound.member = SPAN("n");
    cr_expect_eq(sorted_index_seek(&sorted, &bound, &position), 1000);
    cr_expect_null(sorted_position_item(&position));
}

Test(sorted_index, infinite_scores)
{
    make_items(3, rising);
    items[0].score = -__builtin_inf();
    items[2].score = __builtin_inf();
    for (size_t i = 0; i < 3; i++) sorted_index_insert(&sorted, &items[2 - i]);
    sorted_index_check(&sorted);
    struct sorted_position position;
    struct sorted_bound bound = {.by = SORTED_BY_SCORE, .score = -__builtin_inf()};
    cr_expect_eq(sorted_index_seek(&sorted, &bound, &position), 0);
    bound.behind_equal = true;
    cr_expect_eq(sorted_index_seek(&sorted, &bound, &position), 1);
    bound.score = __builtin_inf();
    cr_expect_eq(sorted_index_seek(&sorted, &bound, &position), 3);
    bound.behind_equal = false;
    cr_expect_eq(sorted_index_seek(&sorted, &bound, &position), 2);
}

Test(sorted_index, shrinks_to_nothing_in_any_order)
{
    make_items(5000, scattered);
    for (size_t i = 0; i < 5000; i++) sorted_index_insert(&sorted, &items[i]);
    for (size_t i = 0; i < 5000; i++) {
        sorted_index_remove(&sorted, &items[(i * 1237 + 11) % 5000]);
        if (i % 50 == 0) sorted_index_check(&sorted);
    }
    cr_assert_eq(sorted_index_memory(&sorted), 0);
    cr_assert_eq(sorted.height, 0);
}

Test(sorted_index, is_emptied_by_position_from_both_ends)
{
    make_items(3000, rising);
    for (size_t i = 0; i < 3000; i++) sorted_index_insert(&sorted, &items[i]);
    for (size_t low = 0, high = 3000; low < high;) {
        struct sorted_position position;
        bool first = (low + high) % 3 == 0;
        sorted_index_at(&sorted, first ? 0 : high - low - 1, &position);
        cr_assert_eq(sorted_position_item(&position), &items[first ? low++ : --high]);
        sorted_index_remove_at(&sorted, &position);
        if ((low + high) % 40 == 0) sorted_index_check(&sorted);
    }
    cr_assert_eq(sorted_index_memory(&sorted), 0);
}

Test(sorted_index, beside_a_position_are_the_items_of_its_leaf)
{
    struct sorted_position position;
    unsigned seen = 0;

    make_items(3000, scattered);
    for (size_t i = 0; i < 3000; i++) sorted_index_insert(&sorted, &items[i]);
    for (size_t rank = 0; rank < 3000; rank += 7) {
        sorted_index_at(&sorted, rank, &position);
        for (int places = -30; places <= 30; places++) {
            const void *item = sorted_position_beside(&position, places);
            if (item == NULL) continue;
            cr_assert_eq(item, at_rank((size_t)((int)rank + places)));
            seen++;
        }
        cr_assert_eq(sorted_position_beside(&position, 0), at_rank(rank));
    }
    cr_assert_geq(seen, 429u * 10);
    sorted_index_release(&sorted);
    sorted_index_at(&sorted, 0, &position);
    cr_assert_null(sorted_position_beside(&position, 0));
}

Test(sorted_index, items_may_move_in_memory)
{
    make_items(2000, scattered);
    for (size_t i = 0; i < 1000; i++) sorted_index_insert(&sorted, &items[i]);
    for (size_t i = 0; i < 1000; i++) {
        items[1000 + i] = items[i];
        sorted_index_relocate(&sorted, &items[i], &items[1000 + i]);
        items[i].score = __builtin_nan("");
    }
    sorted_index_check(&sorted);
}
