#include "store/zset.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

static struct value_settings settings;
static struct entry *zset;

static void begin(void)
{
    settings = value_settings_default((struct hash_secret){1, 2});
    zset = zset_container.empty(SPAN("key"), &settings);
}

static void end(void)
{
    zset_check(zset);
    entry_free(zset);
}

TestSuite(zset_forms, .init = begin, .fini = end);

static void add(const char *member, double score)
{
    struct zset_outcome outcome;
    zset = zset_add(zset, span_of_cstr(member), score, 0, &settings, &outcome);
}

static void add_many(int count)
{
    char member[NUM_INT64_CHARS + 8];
    for (int i = 0; i < count; i++) {
        snprintf(member, sizeof member, "member:%d", i);
        add(member, i * 7919 % 1000);
    }
}

static double score_of(const char *member)
{
    double score = NAN;
    zset_score(zset, span_of_cstr(member), &score);
    return score;
}

Test(zset_forms, one_member_too_many_makes_it_big_for_ever)
{
    bool removed;

    add_many(128);
    cr_expect_eq(entry_encoding(zset), ENC_LISTPACK);
    add("member:5", 12.5); /* no new one */
    cr_expect_eq(entry_encoding(zset), ENC_LISTPACK);
    add("one more", 1);
    cr_expect_eq(entry_encoding(zset), ENC_SORTED_SET);
    cr_expect_eq(zset_count(zset), 129);
    zset = zset_remove_ranks(zset, 0, 128);
    cr_expect_eq(entry_encoding(zset), ENC_SORTED_SET);
    zset = zset_remove(zset, SPAN("no such"), &removed);
    cr_expect_not(removed);
    zset = zset_remove_ranks(zset, 0, 1);
    cr_expect_eq(zset_count(zset), 0);
}

Test(zset_forms, a_long_member_makes_it_big)
{
    char member[66] = "";

    memset(member, 'x', 65);
    add("a", 1);
    add(member + 1, 1);
    cr_expect_eq(entry_encoding(zset), ENC_LISTPACK);
    add(member, 1);
    cr_expect_eq(entry_encoding(zset), ENC_SORTED_SET);
}

Test(zset_forms, what_does_not_fit_an_entry_is_big_whatever_the_thresholds_say)
{
    char member[600];

    settings.zset_max_listpack_entries = 100000;
    settings.zset_max_listpack_value = 1000000;
    for (int i = 0; i < 200; i++) {
        memset(member, 'x', 500);
        snprintf(member + 500, sizeof member - 500, "%d", i);
        add(member, i);
    }
    cr_expect_eq(entry_encoding(zset), ENC_SORTED_SET);
    cr_expect_eq(zset_count(zset), 200);
    cr_expect_eq(score_of(member), 199);
}

Test(zset_forms, a_score_that_outgrows_the_entry_makes_it_big)
{
    char member[40];

    settings.zset_max_listpack_entries = 100000;
    for (int i = 0; entry_encoding(zset) == ENC_LISTPACK; i++) {
        snprintf(member, sizeof member, "%d", i % 3000);
        add(member, i < 3000 ? i % 3000 : i + 0.123456789);
    }
    cr_expect_eq(zset_count(zset), 3000);
    cr_expect_gt(score_of(member), 3000);
}

Test(zset_forms, figures_of_a_big_one)
{
    add_many(1000);
    const struct value_ops *ops = value_ops(ENC_SORTED_SET);
    void *big = entry_pointer(zset);
    cr_expect_gt(ops->memory(big), 1000 * (32 + 11));
    cr_expect_lt(ops->memory(big), 1000 * (32 + 12 + 13) + 1000);
    cr_expect_gt(ops->effort(big), 1000);
    cr_expect_gt(ops->weight(big), 1000 * (9 + 8));
    struct entry *copy = entry_copy(zset, SPAN("copy"), NO_DEADLINE);
    zset_check(copy);
    cr_expect_eq(zset_count(copy), 1000);
    cr_expect_leq(ops->memory(entry_pointer(copy)), ops->memory(big));
    entry_free(copy);
}

Test(zset_forms, what_is_computed_takes_the_form_that_fits)
{
    struct zset_draft draft;
    bool added;

    for (int count = 128; count < 130; count++) {
        zset_draft_init(&draft, &settings.secret);
        for (int i = 0; i < count; i++) {
            char member[NUM_INT64_CHARS + 1];
            double score = -i;
            size_t len = num_format_int64(member, i);
            memcpy(zset_draft_put(&draft, span_of(member, len), &added), &score, sizeof score);
        }
        struct entry *made = zset_draft_finish(&draft, SPAN("made"), 99, &settings);
        zset_check(made);
        cr_expect_eq(zset_count(made), (size_t)count);
        cr_expect_eq(entry_deadline(made), 99);
        cr_expect_eq(entry_encoding(made), count == 128 ? ENC_LISTPACK : ENC_SORTED_SET);
        entry_free(made);
    }
}

Test(zset_forms, a_slice_is_cut_at_the_end_that_is_read_first)
{
    struct zset_slice slice = {10, 5, false};
    zset_slice_limit(&slice, 1, 2);
    cr_expect(slice.first == 11 && slice.count == 2);
    slice = (struct zset_slice){10, 5, true};
    zset_slice_limit(&slice, 1, 2);
    cr_expect(slice.first == 12 && slice.count == 2);
    zset_slice_limit(&slice, 0, -1);
    cr_expect(slice.first == 12 && slice.count == 2);
    zset_slice_limit(&slice, 2, -1);
    cr_expect_eq(slice.count, 0);
}
