#include "base/num.h"

#include "base/random.h"
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool int_of(const char *text, int64_t *out)
{
    return num_parse_int64(span_of_cstr(text), out);
}

Test(num, integers_are_strict)
{
    static const char *const refused[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "01",
        "-0",
        "-01",
        "1.0",
        "1e3",
        "0x1",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999",
        "184467440737095516150",
        "1a",
        "--1",
        "1-",
        "00",
    };
    int64_t value = 77;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        cr_expect_not(int_of(refused[i], &value), "%s", refused[i]);
    cr_expect_not(num_parse_int64(span_of("1\0", 2), &value));
    cr_expect_eq(value, 77, "a failure writes nothing");
    cr_expect(int_of("0", &value) && value == 0);
    cr_expect(int_of("9223372036854775807", &value) && value == INT64_MAX);
    cr_expect(int_of("-9223372036854775808", &value) && value == INT64_MIN);
    uint64_t whole;
    cr_expect(num_parse_uint64(SPAN("18446744073709551615"), &whole) && whole == UINT64_MAX);
    cr_expect_not(num_parse_uint64(SPAN("18446744073709551616"), &whole));
    cr_expect_not(num_parse_uint64(SPAN("-1"), &whole));
}

Test(num, integers_round_trip)
{
    struct random random;
    random_seed(&random, 3);
    for (int i = 0; i < 200000; i++) {
        int64_t value = (int64_t)random_next(&random) >> random_below(&random, 64), back;
        char ours[NUM_INT64_CHARS], theirs[32];
        size_t len = num_format_int64(ours, value);
        cr_assert_eq(len, (size_t)snprintf(theirs, sizeof theirs, "%lld", (long long)value));
        cr_assert_eq(memcmp(ours, theirs, len), 0, "%s", theirs);
        cr_assert(num_parse_int64(span_of(ours, len), &back));
        cr_assert_eq(back, value);
    }
    uint64_t power = 1;
    for (int digits = 1; digits <= 20; digits++, power *= 10) {
        char ours[NUM_INT64_CHARS], theirs[32];
        for (uint64_t value = power - 1; value <= power + 1; value++) {
            size_t len = num_format_uint64(ours, value);
            cr_expect_eq(
                len, (size_t)snprintf(theirs, sizeof theirs, "%llu", (unsigned long long)value));
            cr_expect_eq(memcmp(ours, theirs, len), 0, "%s", theirs);
        }
    }
}

Test(num, doubles_parse_as_strtod)
{
    static const char *const taken[] = {"1",
                                        "+5",
                                        ".5",
                                        "5.",
                                        "-1.25",
                                        "1e5",
                                        "0x10",
                                        "inf",
                                        "-inf",
                                        "+infinity",
                                        "3.14159265358979312",
                                        "4.9e-324",
                                        "123456789012345",
                                        "0.1",
                                        "-0",
                                        "000001",
                                        "1E-3",
                                        "999999999999999.",
                                        "0.000000000000001",
                                        "1e-310"};
    static const char *const refused[] = {"",    " 1",    "1 ",     "-",     "+",      ".",
                                          "nan", "-nan",  "1_0",    "1e400", "1e-400", "1e",
                                          "abc", "1.2.3", "-1e999", "0x"};
    double value = 7;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        cr_expect(num_parse_double(span_of_cstr(taken[i]), &value), "%s", taken[i]);
        cr_expect_eq(value, strtod(taken[i], NULL), "%s", taken[i]);
        cr_expect_eq(signbit(value) != 0, taken[i][0] == '-', "%s", taken[i]);
    }
    value = 7;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        cr_expect_not(num_parse_double(span_of_cstr(refused[i]), &value), "%s", refused[i]);
    cr_expect_not(num_parse_double(span_of("1\0", 2), &value));
    cr_expect_eq(value, 7);
    char many[6000];
    memset(many, '0', sizeof many);
    memcpy(many, "1.", 2);
    cr_expect(num_parse_double(span_of(many, sizeof many), &value));
    cr_expect_eq(value, 1);
}

Test(num, short_decimals_equal_strtod)
{
    struct random random;
    random_seed(&random, 5);
    for (int i = 0; i < 200000; i++) {
        char text[40];
        uint64_t mantissa = random_below(&random, 1000000000000000u) >> random_below(&random, 50);
        int len =
            snprintf(text, sizeof text, "%s%llu", i & 1 ? "-" : "", (unsigned long long)mantissa);
        int point = (int)random_below(&random, (uint64_t)len + 1);
        if (point > (i & 1)) {
            memmove(text + point + 1, text + point, (size_t)(len - point) + 1);
            text[point] = '.';
        }
        double value;
        cr_assert(num_parse_double(span_of_cstr(text), &value), "%s", text);
        cr_assert_eq(value, strtod(text, NULL), "%s", text);
    }
}

static const char *double_text(double value)
{
    static char text[NUM_DOUBLE_CHARS];
    cr_expect_eq(num_format_double(text, value), strlen(text));
    return text;
}

/* What ZSCORE of Redis 7.0.15 answers in RESP2. */
Test(num, doubles_print_as_replies)
{
    cr_expect_str_eq(double_text(3.1), "3.1000000000000001");
    cr_expect_str_eq(double_text(1e15), "1000000000000000");
    cr_expect_str_eq(double_text(1e16), "10000000000000000");
    cr_expect_str_eq(double_text(1e17), "1e+17");
    cr_expect_str_eq(double_text(123456789012345680.0), "1.2345678901234568e+17");
    cr_expect_str_eq(double_text(0), "0");
    cr_expect_str_eq(double_text(-0.0), "-0");
    cr_expect_str_eq(double_text(INFINITY), "inf");
    cr_expect_str_eq(double_text(-INFINITY), "-inf");
    cr_expect_str_eq(double_text(-17), "-17");
    cr_expect_str_eq(double_text(4.9e-324), "4.9406564584124654e-324");
}

Test(num, doubles_round_trip_and_equal_printf)
{
    struct random random;
    random_seed(&random, 7);
    for (int i = 0; i < 50000; i++) {
        union {
            uint64_t bits;
            double value;
        } u = {random_next(&random)};
        if (i & 1) u.value = (double)((int64_t)u.bits >> random_below(&random, 63));
        if (!isfinite(u.value)) continue;
        char theirs[64];
        snprintf(theirs, sizeof theirs, "%.17g", u.value);
        cr_assert_str_eq(double_text(u.value), theirs);
        double back;
        cr_assert(num_parse_double(span_of_cstr(theirs), &back));
        cr_assert_eq(back, u.value, "%s", theirs);
    }
}

static const char *long_double_text(const char *number)
{
    static char text[NUM_LONG_DOUBLE_CHARS];
    long double value;
    if (!num_parse_long_double(span_of_cstr(number), &value)) return "refused";
    cr_expect_eq(num_format_long_double(text, value), strlen(text));
    return text;
}

/* What INCRBYFLOAT of Redis 7.0.15 answers for an absent key and this increment. */
Test(num, long_doubles_in_human_form)
{
    cr_expect_str_eq(long_double_text("3.0"), "3");
    cr_expect_str_eq(long_double_text("3.1"), "3.1");
    cr_expect_str_eq(long_double_text("-0"), "0");
    cr_expect_str_eq(long_double_text("-0.0000000000000000001"), "0");
    cr_expect_str_eq(long_double_text("100"), "100");
    cr_expect_str_eq(long_double_text("0x10"), "16");
    cr_expect_str_eq(long_double_text("1e-400"), "0");
    cr_expect_str_eq(long_double_text("5.0e3"), "5000");
    cr_expect_str_eq(long_double_text("10.5000"), "10.5");
    cr_expect_str_eq(long_double_text(" 1"), "refused");
    cr_expect_str_eq(long_double_text("1 "), "refused");
    cr_expect_str_eq(long_double_text("nan"), "refused");
    cr_expect_str_eq(long_double_text("1e5000"), "refused");
    cr_expect_str_eq(long_double_text(""), "refused");
    cr_expect_eq(strlen(long_double_text("1e4932")), 4933);
    cr_expect_str_eq(long_double_text("inf"), "inf");

    char many[NUM_LONG_DOUBLE_CHARS + 1];
    memset(many, '0', sizeof many);
    memcpy(many, "1.", 2);
    many[NUM_LONG_DOUBLE_CHARS - 1] = 0;
    cr_expect_str_eq(long_double_text(many), "1");
    many[NUM_LONG_DOUBLE_CHARS - 1] = '0';
    many[NUM_LONG_DOUBLE_CHARS] = 0;
    cr_expect_str_eq(long_double_text(many), "refused", "Redis has a limit of 5 kB here");
}

Test(num, amounts_of_memory)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"17", 17},
        {"1b", 1},
        {"1K", 1000},
        {"1Kb", 1024},
        {"1m", 1000000},
        {"2MB", 2 << 20},
        {"1g", 1000000000},
        {"3gb", 3ull << 30},
        {"007", 7},
        {"18446744073709551615", UINT64_MAX},
    };
    static const char *const bad[] = {"",   "b",  "-1", "+1",   "1.5mb",
                                      " 1", "1 ", "5x", "1kbb", "17179869184gb"};
    uint64_t bytes;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_expect(num_parse_memory(span_of_cstr(good[i].text), &bytes), "%s", good[i].text);
        cr_expect_eq(bytes, good[i].bytes, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(num_parse_memory(span_of_cstr(bad[i]), &bytes), "%s", bad[i]);
}

Test(num, human_amounts)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0B"},
        {1023, "1023B"},
        {1024, "1.00K"},
        {1536, "1.50K"},
        {1048576, "1.00M"},
        {3ull << 30, "3.00G"},
        {5ull << 40, "5.00T"},
        {1ull << 50, "1.00P"},
        {UINT64_MAX, "16384.00P"},
    };
    char text[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        num_format_human(text, cases[i].bytes);
        cr_expect_str_eq(text, cases[i].text);
    }
}

Test(num, checked_arithmetic)
{
    int64_t r = 5;
    size_t s = 5;
    cr_expect_not(num_add_int64(INT64_MAX, 1, &r));
    cr_expect_not(num_mul_int64(INT64_MIN, -1, &r));
    cr_expect_eq(r, 5);
    cr_expect(num_add_int64(INT64_MAX, INT64_MIN, &r) && r == -1);
    cr_expect_not(num_add_size(SIZE_MAX, 1, &s));
    cr_expect_eq(s, 5);
}
