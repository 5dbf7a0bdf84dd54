/* SPOP and SRANDMEMBER where chance decides: what is promised of every outcome, and that all members
 * are equally likely through the commands too. */
#include "cmd/test_bed.h"
#include "store/set.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct test_bed bed;

static void begin(void)
{
    test_bed_init(&bed);
    random_seed(store_random(bed.store), 9);
}

static void end(void)
{
    test_bed_release(&bed);
}

TestSuite(set_random, .init = begin, .fini = end);

/* SADD k with a prefix and the numbers [from, to). */
static void add(const char *prefix, int from, int to)
{
    struct buf line = {0};
    buf_printf(&line, "SADD k");
    for (int i = from; i < to; i++) buf_printf(&line, " %s%d", prefix, i);
    buf_append_char(&line, 0);
    test_bed_run(&bed, line.ptr);
    buf_release(&line);
}

static const struct entry *stored(void)
{
    struct key key = store_key(bed.store, SPAN("k"));
    return store_find(bed.store, 0, &key, FIND_NO_EVENT);
}

static void expect(const char *encoding, size_t count)
{
    set_check(stored());
    cr_expect_str_eq(entry_encoding_name(stored()), encoding);
    cr_expect_eq(set_count(stored()), count);
}

/* Counts the words of `text` that stand behind a '$' and its length, by the number they end with.
 * Returns how many there were. */
static size_t count_members(const char *text, unsigned *counts, int kinds)
{
    size_t members = 0;
    while ((text = strchr(text, '$')) != NULL && *text != 0) {
        text = strchr(text, ' ') + 1;
        int number = (int)strtol(text + strcspn(text, "0123456789"), NULL, 10);
        cr_assert(number >= 0 && number < kinds, "%s", text);
        counts[number]++;
        members++;
    }
    return members;
}

Test(set_random, spop_states_what_it_removed_in_every_way_of_doing_it)
{
    static const struct {
        int members, popped;
        const char *encoding;
    } cases[] = {{20, 1, "intset"},       {20, 7, "intset"},       {20, 19, "intset"},
                 {600, 499, "hashtable"}, {600, 500, "intset"},    {600, 20, "hashtable"},
                 {1007, 840, "intset"},   {1007, 839, "hashtable"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned counts[1007] = {0}, effects[1007] = {0};
        char line[32], tail[64];
        add("", 0, cases[i].members);
        snprintf(line, sizeof line, "SPOP k %d", cases[i].popped);
        snprintf(tail, sizeof tail, " | spop k");
        const char *result = test_bed_run(&bed, line), *dirty = strstr(result, " | ");
        cr_assert_eq(strtol(dirty + 3, NULL, 10), cases[i].popped, "%s: %s", line, dirty);
        cr_assert_eq(count_members(bed.out.ptr, counts, cases[i].members), (size_t)cases[i].popped);
        for (const char *at = strstr(dirty, "SREM"); at != NULL; at = strstr(at, "SREM")) {
            effects[strtol(at + strlen("SREM k "), NULL, 10)]++;
            at += strlen("SREM k ");
        }
        for (int n = 0; n < cases[i].members; n++) cr_assert_eq(counts[n], effects[n]);
        cr_assert_str_eq(result + strlen(result) - strlen(tail), tail);
        expect(cases[i].encoding, (size_t)(cases[i].members - cases[i].popped));
        test_bed_run(&bed, "DEL k");
    }
}

Test(set_random, spop_keeps_the_deadline)
{
    for (int popped = 1; popped < 20; popped += 17) {
        char line[32];
        add("m", 0, 20);
        test_bed_run(&bed, "PEXPIREAT k 4102444800000");
        snprintf(line, sizeof line, "SPOP k %d", popped);
        test_bed_run(&bed, line);
        cr_expect_eq(entry_deadline(stored()), 4102444800000);
        test_bed_run(&bed, "DEL k");
    }
}

Test(set_random, a_set_of_mixed_members_stays_a_hash_table_when_it_is_built_anew)
{
    add("m", 0, 200);
    test_bed_run(&bed, "SPOP k 190");
    expect("hashtable", 10);
}

Test(set_random, srandmember_gives_different_ones_or_any)
{
    unsigned counts[200];
    add("m", 0, 200);
    for (int wanted = 1; wanted <= 256; wanted *= 2) {
        char line[32];
        size_t all = wanted < 200 ? (size_t)wanted : 200;
        memset(counts, 0, sizeof counts);
        snprintf(line, sizeof line, "SRANDMEMBER k %d", wanted);
        cr_assert_eq(count_members(test_bed_reply(&bed, line), counts, 200), all);
        for (int i = 0; i < 200; i++) cr_assert_leq(counts[i], 1);
        snprintf(line, sizeof line, "SRANDMEMBER k -%d", wanted);
        cr_assert_eq(count_members(test_bed_reply(&bed, line), counts, 200), (size_t)wanted);
    }
    expect("hashtable", 200);
}

/* ---- chance ------------------------------------------------------------------------------------- */

#define MEMBERS 10

/* As in set_test.c: exceeded once in a thousand million times. */
static void expect_fair(const unsigned *counts, const char *what)
{
    double total = 0, sum = 0, part = 2.0 / (9 * (MEMBERS - 1));
    double root = 1 - part + 6 * sqrt(part), limit = (MEMBERS - 1) * root * root * root;
    for (int i = 0; i < MEMBERS; i++) total += counts[i];
    for (int i = 0; i < MEMBERS; i++) {
        double off = counts[i] - total / MEMBERS;
        sum += off * off / (total / MEMBERS);
    }
    cr_expect_lt(sum, limit, "%s: %f", what, sum);
}

/* The ten members again, in the form that the set has. */
static void refill(int form)
{
    test_bed_run(&bed, "DEL k");
    if (form == 2) add("gone", 0, 100);
    add(form == 0 ? "" : "m", 0, MEMBERS);
    if (form != 2) return;
    for (int i = 0; i < 100; i++) {
        char line[32];
        snprintf(line, sizeof line, "SREM k gone%d", i);
        test_bed_run(&bed, line);
    }
}

Test(set_random, srandmember_is_fair_in_every_form)
{
    static const char *const lines[] = {"SRANDMEMBER k", "SRANDMEMBER k 3", "SRANDMEMBER k 8",
                                        "SRANDMEMBER k -5"};
    for (int form = 0; form < 3; form++) {
        refill(form);
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            unsigned counts[MEMBERS] = {0};
            for (int round = 0; round < 5000; round++)
                count_members(test_bed_reply(&bed, lines[i]), counts, MEMBERS);
            expect_fair(counts, lines[i]);
        }
    }
}

Test(set_random, spop_is_fair_in_every_form)
{
    static const char *const lines[] = {"SPOP k", "SPOP k 3", "SPOP k 9"};
    for (int form = 0; form < 3; form++)
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            unsigned counts[MEMBERS] = {0};
            for (int round = 0; round < (form == 2 ? 300 : 3000); round++) {
                refill(form);
                count_members(test_bed_reply(&bed, lines[i]), counts, MEMBERS);
            }
            expect_fair(counts, lines[i]);
        }
}
