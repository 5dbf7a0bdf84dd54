/* What ZRANDMEMBER leaves to chance: that each outcome is as likely as any other. */
#include "cmd/test_bed.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#define MEMBERS 5
#define CHOICES 10 /* of two or of three members of five */

static struct test_bed bed;

static void begin(void)
{
    test_bed_init(&bed);
}

static void end(void)
{
    test_bed_release(&bed);
}

TestSuite(zset_random, .init = begin, .fini = end);

static void run(const char *format, int number)
{
    char line[128];
    snprintf(line, sizeof line, format, number);
    test_bed_run(&bed, line);
}

/* Members m0 to m4; a big one had others, too. */
static void fill(bool big)
{
    test_bed_run(&bed, "DEL k");
    for (int i = 0; i < (big ? 200 : MEMBERS); i++) {
        char line[64];
        snprintf(line, sizeof line, "ZADD k %d m%d", i % 3, i);
        test_bed_run(&bed, line);
    }
    for (int i = MEMBERS; big && i < 200; i++) run("ZREM k m%d", i);
}

/* Counts the members in a reply, by number; returns them as a set of bits. */
static unsigned count_members(const char *reply, unsigned *counts)
{
    unsigned seen = 0;
    for (const char *at = reply; (at = strchr(at, 'm')) != NULL; at++) {
        int number = at[1] - '0';
        cr_assert(number >= 0 && number < MEMBERS, "%s", reply);
        counts[number]++;
        seen |= 1u << number;
    }
    return seen;
}

/* Chi-square; the bound (Wilson and Hilferty's) is exceeded once in a thousand million times. */
static void expect_fair(const unsigned *counts, int kinds, const char *what)
{
    double total = 0, sum = 0, part = 2.0 / (9 * (kinds - 1));
    double root = 1 - part + 6 * sqrt(part), limit = (kinds - 1) * root * root * root;
    for (int i = 0; i < kinds; i++) total += counts[i];
    for (int i = 0; i < kinds; i++) {
        double off = counts[i] - total / kinds;
        sum += off * off / (total / kinds);
    }
    cr_expect_lt(sum, limit, "%s: %f", what, sum);
}

Test(zset_random, each_member_is_as_likely)
{
    static const char *const lines[] = {"ZRANDMEMBER k", "ZRANDMEMBER k 1", "ZRANDMEMBER k 2",
                                        "ZRANDMEMBER k 4 WITHSCORES", "ZRANDMEMBER k -7"};
    for (int big = 0; big < 2; big++) {
        fill(big);
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            unsigned counts[MEMBERS] = {0};
            for (int round = 0; round < 4000; round++)
                count_members(test_bed_reply(&bed, lines[i]), counts);
            expect_fair(counts, MEMBERS, lines[i]);
        }
    }
}

/* Two of five are drawn, of three the two that are left out. */
Test(zset_random, each_choice_of_members_is_as_likely)
{
    for (int wanted = 2; wanted <= 3; wanted++) {
        unsigned by_set[1 << MEMBERS] = {0}, counts[MEMBERS] = {0}, choices[CHOICES];
        char line[32];
        int kinds = 0;
        fill(wanted == 2);
        snprintf(line, sizeof line, "ZRANDMEMBER k %d", wanted);
        for (int round = 0; round < 6000; round++)
            by_set[count_members(test_bed_reply(&bed, line), counts)]++;
        for (unsigned set = 0; set < 1 << MEMBERS; set++) {
            if (__builtin_popcount(set) == wanted) choices[kinds++] = by_set[set];
            else cr_assert_eq(by_set[set], 0, "members are different, and as many as asked for");
        }
        expect_fair(choices, CHOICES, line);
    }
}

Test(zset_random, as_many_different_ones_as_asked_for)
{
    for (int i = 0; i < 300; i++) run("ZADD k 1 m%d", i);
    for (int wanted = 1; wanted <= 512; wanted *= 2) {
        bool seen[300] = {false};
        char line[32];
        int count = 0;
        snprintf(line, sizeof line, "ZRANDMEMBER k %d", wanted);
        for (const char *at = test_bed_reply(&bed, line); (at = strchr(at, 'm')) != NULL; at++) {
            int number = 0;
            cr_assert_eq(sscanf(at, "m%d", &number), 1);
            cr_assert_not(seen[number]);
            seen[number] = true;
            count++;
        }
        cr_assert_eq(count, wanted < 300 ? wanted : 300);
    }
}
