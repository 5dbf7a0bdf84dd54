#include "ds/string_table.h"

#include "base/mem.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const struct hash_secret secret = {1, 2};
static struct string_table strings;

static void init(size_t tail_bytes)
{
    string_table_init(&strings, &secret, tail_bytes);
}

static void end(void)
{
    string_table_check(&strings);
    string_table_release(&strings);
}

TestSuite(string_table, .fini = end);

static struct span name(char out[static 32], unsigned number)
{
    return span_of(out, (size_t)snprintf(out, 32, "member:%u", number));
}

static void fill(unsigned count)
{
    char text[32], tail[32];
    for (unsigned i = 0; i < count; i++) {
        struct span value = span_of(tail, (size_t)snprintf(tail, 32, "%08u", i));
        if (strings.tail_bytes == 0) value.len = 0;
        cr_assert_not_null(string_table_add(&strings, name(text, i), value));
    }
    cr_assert_eq(string_table_count(&strings), count);
}

static void expect_tail(const char *text, const char *tail)
{
    const struct string_item *item = string_table_find(&strings, span_of_cstr(text));
    cr_assert_not_null(item);
    cr_assert(span_equal(string_item_text(item), span_of_cstr(text)));
    cr_assert(span_equal(string_table_tail(&strings, item), span_of_cstr(tail)));
}

Test(string_table, members_have_no_tail)
{
    char text[32];
    init(0);
    fill(1000);
    for (unsigned i = 0; i < 1000; i++) {
        struct string_item *item = string_table_find(&strings, name(text, i));
        cr_assert(span_equal(string_item_text(item), name(text, i)));
        cr_assert_eq(string_table_tail(&strings, item).len, 0);
    }
    cr_assert_null(string_table_find(&strings, SPAN("member:1000")));
    cr_assert_null(string_table_add(&strings, SPAN("member:7"), SPAN("")), "it is there already");
    cr_assert_eq(string_table_count(&strings), 1000);
}

Test(string_table, an_item_takes_what_its_header_says)
{
    init(0);
    cr_assert_eq(string_table_item_memory(
                     &strings, string_table_add(&strings, SPAN("nineteen characters"), SPAN(""))),
                 32);
    string_table_release(&strings);
    init(STRING_TAIL_VARIES);
    cr_assert_eq(
        string_table_item_memory(&strings, string_table_add(&strings, SPAN("eighteen character"),
                                                            SPAN("sixteen of them."))),
        48);
}

Test(string_table, put_adds_or_changes_the_tail)
{
    bool added = false;
    init(STRING_TAIL_VARIES);
    string_table_put(&strings, SPAN("field"), SPAN("value"), &added);
    cr_assert(added);
    expect_tail("field", "value");
    string_table_put(&strings, SPAN("field"), SPAN(""), &added);
    cr_assert_not(added);
    expect_tail("field", "");
    string_table_put(&strings, SPAN("field"), SPAN("a value of another size class altogether"),
                     &added);
    cr_assert_not(added);
    expect_tail("field", "a value of another size class altogether");
    cr_assert_eq(string_table_count(&strings), 1);
    cr_assert_eq(string_table_data_bytes(&strings), 45);
}

Test(string_table, a_tail_that_stays_in_its_class_is_changed_in_place)
{
    bool added = false;
    init(STRING_TAIL_VARIES);
    struct string_item *item = string_table_add(&strings, SPAN("f"), SPAN("thirteen more"));
    for (size_t len = 6; len <= 13; len++)
        cr_assert_eq(
            string_table_put(&strings, SPAN("f"), (struct span){"thirteen more", len}, &added),
            item);
}

Test(string_table, a_fixed_tail_never_moves)
{
    bool added = true;
    init(8);
    struct string_item *item = string_table_add(&strings, SPAN("member"), SPAN("score--1"));
    cr_assert_eq(string_table_put(&strings, SPAN("member"), SPAN("score--2"), &added), item);
    cr_assert_not(added);
    cr_assert_arr_eq(string_item_behind(item), "score--2", 8);
    cr_assert_eq(string_table_item_memory(&strings, item), 16);
}

Test(string_table, texts_and_tails_of_every_width_of_length)
{
    static const size_t lengths[] = {0, 1, 253, 254, 255, 256, 65535, 70000};
    const size_t count = sizeof lengths / sizeof *lengths;
    char *bytes = mem_zalloc(70000);
    bool added;

    init(STRING_TAIL_VARIES);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            struct string_item *item = string_table_put(&strings, span_of(bytes, lengths[i]),
                                                        span_of(bytes, lengths[j]), &added);
            cr_assert_eq(added, j == 0);
            cr_assert_eq(string_item_text(item).len, lengths[i]);
            cr_assert_eq(string_table_tail(&strings, item).len, lengths[j]);
        }
    string_table_check(&strings);
    mem_free(bytes);
}

Test(string_table, memory_returns_to_what_an_empty_one_takes)
{
    char text[32];
    init(STRING_TAIL_VARIES);
    size_t empty = string_table_memory(&strings);
    fill(5000);
    cr_assert_gt(string_table_memory(&strings), empty + 5000 * 32);
    for (unsigned i = 0; i < 5000; i++) cr_assert(string_table_remove(&strings, name(text, i)));
    cr_assert_not(string_table_remove(&strings, SPAN("member:1")));
    cr_assert_eq(string_table_memory(&strings), empty);
    cr_assert_eq(string_table_data_bytes(&strings), 0);
}

Test(string_table, an_item_can_be_taken_out_and_removed_by_its_own_text)
{
    init(STRING_TAIL_VARIES);
    fill(100);
    cr_assert_null(string_table_take(&strings, SPAN("none")));
    struct string_item *item = string_table_take(&strings, SPAN("member:42"));
    string_table_check(&strings);
    cr_assert(span_equal(string_table_tail(&strings, item), SPAN("00000042")));
    string_table_free_item(&strings, item);
    item = string_table_find(&strings, SPAN("member:43"));
    cr_assert(string_table_remove(&strings, string_item_text(item)));
    cr_assert_eq(string_table_count(&strings), 98);
}

Test(string_table, a_copy_holds_the_same_and_lives_alone)
{
    struct string_table copy;
    init(STRING_TAIL_VARIES);
    fill(3000);
    string_table_copy(&strings, &copy);
    string_table_check(&copy);
    cr_assert_eq(string_table_count(&copy), 3000);
    cr_assert_eq(string_table_data_bytes(&copy), string_table_data_bytes(&strings));
    string_table_release(&strings);
    strings = (struct string_table){0};
    cr_assert_not_null(string_table_find(&copy, SPAN("member:2999")));
    string_table_release(&copy);
    init(0);
}

Test(string_table, tables_of_one_secret_agree_about_hashes)
{
    struct string_table other;
    string_table_init(&other, &secret, 8);
    init(0);
    fill(10);
    uint64_t hash = string_table_hash(&other, SPAN("member:3"));
    cr_assert_not_null(string_table_find_hashed(&strings, hash, SPAN("member:3")));
    string_table_release(&other);
}

Test(string_table, a_walk_sees_each_item_once)
{
    for (unsigned count = 0; count < 200; count += count < 20 ? 1 : 37) {
        init(0);
        fill(count);
        struct table_place place = {0};
        const struct string_item *item;
        unsigned long numbers = 0, seen = 0;
        while ((item = string_table_next(&strings, &place)) != NULL) {
            numbers += strtoul(string_item_text(item).ptr + strlen("member:"), NULL, 10);
            seen++;
        }
        cr_assert_null(string_table_next(&strings, &place), "the end stays the end");
        cr_assert_eq(seen, count);
        cr_assert_eq(numbers, count == 0 ? 0 : (unsigned long)count * (count - 1) / 2);
        string_table_release(&strings);
    }
    init(0);
}

static void count_item(void *context, const struct string_item *item)
{
    cr_assert_eq(string_item_text(item).ptr[0], 'm');
    ++*(size_t *)context;
}

Test(string_table, a_scan_sees_each_item_of_a_still_table_once)
{
    size_t seen = 0;
    uint64_t cursor = 0;
    init(8);
    fill(2000);
    do cursor = string_table_scan(&strings, cursor, count_item, &seen);
    while (cursor != 0);
    cr_assert_eq(seen, 2000);
}

Test(string_table, random_gives_members_of_the_table)
{
    struct random random;
    random_seed(&random, 3);
    init(0);
    cr_assert_null(string_table_random(&strings, &random));
    fill(50);
    for (int i = 0; i < 500; i++) {
        struct string_item *item = string_table_random(&strings, &random);
        cr_assert_eq(string_table_find(&strings, string_item_text(item)), item);
    }
}

static unsigned drawn[100]; /* by number */

static void note_draw(void *context, const struct string_item *item)
{
    drawn[strtoul(string_item_text(item).ptr + strlen("member:"), NULL, 10)]++;
    ++*(size_t *)context;
}

/* Draws `count` of 100 members `times` times: each comes once in a draw, and as often as any other in
 * all: within six standard deviations. */
static void expect_fair_samples(size_t count, unsigned times)
{
    struct random random;
    double p = (double)count / 100, mean = times * p;
    double bound = 6 * __builtin_sqrt(times * p * (1 - p));

    random_seed(&random, count);
    memset(drawn, 0, sizeof drawn);
    for (unsigned round = 1; round <= times; round++) {
        size_t seen = 0;
        string_table_sample(&strings, count, &random, note_draw, &seen);
        cr_assert_eq(seen, count);
        for (size_t i = 0; i < 100; i++) cr_assert_leq(drawn[i], round, "a member came twice");
    }
    for (size_t i = 0; i < 100; i++)
        cr_assert(drawn[i] >= mean - bound && drawn[i] <= mean + bound, "%zu: %u", i, drawn[i]);
}

Test(string_table, samples_are_fair)
{
    init(0);
    fill(100);
    expect_fair_samples(0, 1);
    expect_fair_samples(1, 20000);
    expect_fair_samples(20, 2000);
    expect_fair_samples(33, 2000);
    expect_fair_samples(34, 2000);
    expect_fair_samples(90, 2000);
    expect_fair_samples(100, 10);
}

/* ---- relocation --------------------------------------------------------------------------------- */

static void told(void *context, const struct string_item *from, struct string_item *to)
{
    cr_assert_neq(from, to);
    cr_assert(span_equal(string_item_text(from), string_item_text(to)));
    ++*(size_t *)context;
}

static void relocate_all(const struct string_relocation *how)
{
    uint64_t bucket = 0;
    while (string_table_relocate_part(&strings, &bucket, how)) {}
}

Test(string_table, relocation_moves_what_is_wanted_and_tells_where)
{
    size_t told_of = 0;
    struct mem_mover mover = {0};
    const struct string_relocation how = {&mover, told, &told_of};
    init(STRING_TAIL_VARIES);
    fill(2000);
    size_t memory = string_table_memory(&strings);
    relocate_all(&how);
    cr_assert_eq(told_of, 0);
    cr_assert_eq(mover.moved, 0);
    mem_mover_want_all(&mover);
    relocate_all(&how);
    cr_assert_eq(told_of, 2000);
    cr_assert_gt(mover.moved, 2000); /* the table's own memory, too */
    cr_assert_eq(string_table_memory(&strings), memory);
    string_table_check(&strings);
    expect_tail("member:1234", "00001234");
}
