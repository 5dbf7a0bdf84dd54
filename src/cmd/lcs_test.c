#include "base/random.h"
#include "cmd/test_bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct test_bed bed;

static void begin(void)
{
    test_bed_init(&bed);
}

static void end(void)
{
    test_bed_release(&bed);
}

TestSuite(lcs, .init = begin, .fini = end);

/* Replies of Redis 7.0.15. */
Test(lcs, as_the_oracle)
{
    static const struct {
        const char *line, *reply;
    } cases[] = {
        {"MSET a ohmytext b mynewtext", "+OK"},
        {"LCS a b", "$6 mytext"},
        {"LCS a b LEN", ":6"},
        {"LCS a b IDX", "*4 $7 matches *2 *2 *2 :4 :7 *2 :5 :8 *2 *2 :2 :3 *2 :0 :1 $3 len :6"},
        {"LCS a b IDX MINMATCHLEN 4", "*4 $7 matches *1 *2 *2 :4 :7 *2 :5 :8 $3 len :6"},
        {"LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
         "*4 $7 matches *1 *3 *2 :4 :7 *2 :5 :8 :4 $3 len :6"},
        {"LCS a b IDX MINMATCHLEN -3",
         "*4 $7 matches *2 *2 *2 :4 :7 *2 :5 :8 *2 *2 :2 :3 *2 :0 :1 $3 len :6"},
        {"LCS a b IDX LEN", "-ERR If you want both the length and indexes, please just use IDX."},
        {"LCS a b LEN MINMATCHLEN 3", ":6"},
        {"LCS a b WITHMATCHLEN", "$6 mytext"},
        {"LCS a b MINMATCHLEN", "-ERR syntax error"},
        {"LCS a b MINMATCHLEN x IDX", "-ERR value is not an integer or out of range"},
        {"LCS a b LEN foo IDX", "-ERR syntax error"},
        {"LCS a nokey IDX", "*4 $7 matches *0 $3 len :0"},
        {"LCS nokey nokey2", "$0 "},
        {"LCS nokey a LEN", ":0"},
        {"LCS a", "-ERR wrong number of arguments for 'lcs' command"},
        {"MSET x abcb y bcab", "+OK"},
        {"LCS x x IDX WITHMATCHLEN", "*4 $7 matches *1 *3 *2 :0 :3 *2 :0 :3 :4 $3 len :4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_str_eq(test_bed_reply(&bed, cases[i].line), cases[i].reply, "%s: %s",
                         cases[i].line, bed.out.ptr);
}

Test(lcs, keeps_the_bound_of_the_oracle)
{
    static const char *const refused =
        "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len";
    char line[2000], filler[600];
    bed.limits.bulk_bytes_max = 1 << 20;
    memset(filler, 'x', sizeof filler);
    snprintf(line, sizeof line, "MSET a %.*s b %.*s c %.*s", 511, filler, 511, filler, 512, filler);
    test_bed_reply(&bed, line);
    cr_expect_str_eq(test_bed_reply(&bed, "LCS a b LEN"), ":511");
    cr_expect_str_eq(test_bed_reply(&bed, "LCS a c LEN"), refused);
}

/* The definition, with a table of lengths. */
static size_t model_length(const char *a, const char *b)
{
    static size_t table[201][201];
    for (size_t i = 0; a[i] != 0; i++)
        for (size_t j = 0; b[j] != 0; j++) {
            size_t up = table[i][j + 1], left = table[i + 1][j];
            table[i + 1][j + 1] = a[i] == b[j] ? table[i][j] + 1 : up > left ? up : left;
        }
    return table[strlen(a)][strlen(b)];
}

static bool is_subsequence(const char *part, const char *of)
{
    for (; *part != 0; part++, of++) {
        of = strchr(of, *part);
        if (of == NULL) return false;
    }
    return true;
}

Test(lcs, is_longest_and_common)
{
    struct random random;
    random_seed(&random, 11);
    for (int round = 0; round < 2000; round++) {
        char text[2][201], line[500];
        uint64_t letters = 1 + random_below(&random, 6);
        for (int i = 0; i < 2; i++) {
            size_t len = 1 + random_below(&random, round % 2 ? 200 : 20);
            for (size_t at = 0; at < len; at++)
                text[i][at] = (char)('a' + random_below(&random, letters));
            text[i][len] = 0;
        }
        size_t expected = model_length(text[0], text[1]);
        snprintf(line, sizeof line, "MSET a %s b %s", text[0], text[1]);
        test_bed_reply(&bed, line);
        cr_assert_eq(strtoul(test_bed_reply(&bed, "LCS a b LEN") + 1, NULL, 10), expected, "%s",
                     line);
        const char *reply = strchr(test_bed_reply(&bed, "LCS a b"), ' ') + 1;
        cr_assert_eq(strlen(reply), expected, "%s", line);
        cr_assert(is_subsequence(reply, text[0]) && is_subsequence(reply, text[1]), "%s", line);
    }
}
