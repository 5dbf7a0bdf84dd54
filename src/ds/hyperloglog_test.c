/* Bytes and estimates are those of Redis 7.0.15 after the same PFADDs. */
#include "ds/hyperloglog.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define NO_BOUND SIZE_MAX

static struct buf hll;

static void begin(void)
{
    hll_empty(&hll);
}

static void end(void)
{
    buf_release(&hll);
}

TestSuite(hyperloglog, .init = begin, .fini = end);

static void add(struct span element)
{
    if (hll_raise(&hll, hll_mark(element), 3000) == HLL_RAISED) hll_spoil_cached(hll.ptr);
}

static const char *runs(void)
{
    static char line[200];
    struct buf text = {0};
    hll_describe(buf_span(&hll), &text);
    snprintf(line, sizeof line, "%.*s", (int)text.len, text.ptr);
    buf_release(&text);
    return line;
}

static uint64_t count(void)
{
    uint64_t estimate = 12345;
    cr_expect(hll_count(buf_span(&hll), &estimate));
    return estimate;
}

Test(hyperloglog, empty)
{
    uint64_t cached = 1;
    cr_expect(span_equal(buf_span(&hll), SPAN("HYLL\1\0\0\0\0\0\0\0\0\0\0\0\x7f\xff")));
    cr_expect(hll_form(buf_span(&hll)) == HLL_SPARSE);
    cr_expect(hll_cached(buf_span(&hll), &cached));
    cr_expect_eq(cached, 0);
    cr_expect_eq(count(), 0);
}

Test(hyperloglog, the_same_bytes_as_redis)
{
    add(SPAN("a"));
    add(SPAN("b"));
    add(SPAN("c"));
    cr_expect(span_equal(buf_span(&hll),
                         SPAN("HYLL\1\0\0\0\0\0\0\0\0\0\0\200`\363\200P\261\204K\373\200BZ")));
    hll_set_cached(hll.ptr, count());
    add(SPAN("d"));
    cr_expect(span_equal(buf_span(&hll),
                         SPAN("HYLL\1\0\0\0\3\0\0\0\0\0\0\200\\{\200Dv\200P\261\204K\373\200BZ")));
    cr_expect_eq(count(), 4);
}

Test(hyperloglog, the_cached_count_holds_until_a_change)
{
    uint64_t cached;
    hll_set_cached(hll.ptr, 77);
    cr_expect(hll_cached(buf_span(&hll), &cached));
    cr_expect_eq(cached, 77);
    hll_spoil_cached(hll.ptr);
    cr_expect_not(hll_cached(buf_span(&hll), &cached));
}

/* Eight bytes whose hash is known, found by turning the hash round. */
Test(hyperloglog, ranks_of_elements)
{
    static const struct {
        const char *element;
        unsigned rank;
    } cases[] = {
        {"\x92\xaa\xb4\x22\xa9\xa1\xdf\x0e", 1},  {"\x7a\x8b\xc7\x71\xed\x9a\xc3\xfe", 32},
        {"\x63\xb4\x11\xe3\x7c\x5f\x73\x63", 33}, {"\xd0\x18\x97\x70\x3b\x36\x9b\xee", 50},
        {"\xec\x70\x23\xe4\xb0\x22\x4e\xa5", 51},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hll_mark mark = hll_mark(span_of(cases[i].element, 8));
        cr_expect_eq(mark.rank, cases[i].rank);
        cr_expect_eq(mark.index, 5 + cases[i].rank);
    }
}

Test(hyperloglog, a_rank_that_no_run_holds_makes_it_dense)
{
    cr_expect(hll_raise(&hll, (struct hll_mark){9, 32}, NO_BOUND) == HLL_RAISED);
    cr_expect_str_eq(runs(), "z:9 v:32,1 Z:16374 ");
    cr_expect(hll_raise(&hll, (struct hll_mark){10, 33}, NO_BOUND) == HLL_RAISED);
    cr_expect(hll_form(buf_span(&hll)) == HLL_DENSE);
    cr_expect_eq(hll_dense_get(hll.ptr, 9), 32);
    cr_expect_eq(hll_dense_get(hll.ptr, 10), 33);
    cr_expect_eq(hll_dense_get(hll.ptr, 11), 0);
}

Test(hyperloglog, runs_split_and_join)
{
    static const struct {
        unsigned index, rank;
        const char *runs;
    } cases[] = {
        {0, 3, "v:3,1 Z:16383 "},
        {16383, 3, "v:3,1 Z:16382 v:3,1 "},
        {64, 1, "v:3,1 z:63 v:1,1 Z:16318 v:3,1 "},
        {1, 3, "v:3,2 z:62 v:1,1 Z:16318 v:3,1 "},
        {3, 3, "v:3,2 z:1 v:3,1 z:60 v:1,1 Z:16318 v:3,1 "},
        {2, 3, "v:3,4 z:60 v:1,1 Z:16318 v:3,1 "},
        {4, 3, "v:3,4 v:3,1 z:59 v:1,1 Z:16318 v:3,1 "}, /* five do not fit */
        {1, 4, "v:3,1 v:4,1 v:3,3 z:59 v:1,1 Z:16318 v:3,1 "},
        {1, 4, "v:3,1 v:4,1 v:3,3 z:59 v:1,1 Z:16318 v:3,1 "},
        {65, 1, "v:3,1 v:4,1 v:3,3 z:59 v:1,2 Z:16317 v:3,1 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hll_raise(&hll, (struct hll_mark){(uint16_t)cases[i].index, (uint8_t)cases[i].rank},
                  NO_BOUND);
        cr_expect_str_eq(runs(), cases[i].runs, "case %zu: %s", i, runs());
    }
}

Test(hyperloglog, grows_to_the_bound_and_then_becomes_dense)
{
    cr_expect(hll_raise(&hll, (struct hll_mark){100, 1}, 21) == HLL_RAISED);
    cr_expect_eq(hll.len, 21);
    cr_expect(hll_raise(&hll, (struct hll_mark){100, 2}, 1) == HLL_RAISED); /* does not grow */
    cr_expect_eq(hll.len, 21);
    cr_expect(hll_raise(&hll, (struct hll_mark){300, 1}, 23) == HLL_RAISED);
    cr_expect_eq(hll.len, HLL_DENSE_BYTES);
}

Test(hyperloglog, dense_registers_stand_apart)
{
    cr_assert(hll_to_dense(&hll));
    for (unsigned i = 0; i < HLL_REGISTERS; i++) {
        struct hll_mark mark = {(uint16_t)i, (uint8_t)(1 + i % 51)};
        cr_expect(hll_dense_raise(hll.ptr, mark));
        cr_expect_not(hll_dense_raise(hll.ptr, mark));
    }
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        cr_assert_eq(hll_dense_get(hll.ptr, i), 1 + i % 51);
}

Test(hyperloglog, estimates)
{
    char element[16];
    uint64_t estimates[3] = {0};
    for (int i = 0; i < 100000; i++) {
        add(span_of(element, (size_t)snprintf(element, sizeof element, "e%d", i)));
        if (i == 99) estimates[0] = count();
        if (i == 9999) estimates[1] = count();
    }
    estimates[2] = count();
    cr_expect_eq(estimates[0], 100);
    cr_expect_eq(estimates[1], 9973);
    cr_expect_eq(estimates[2], 100853);
}

Test(hyperloglog, dishonest_registers_have_an_estimate_too)
{
    uint8_t registers[HLL_REGISTERS];
    for (int rank = 50; rank <= 63; rank++) {
        memset(registers, rank, sizeof registers);
        cr_expect_eq(hll_estimate(registers), (uint64_t)1 << 63);
    }
    memset(registers, 0, sizeof registers);
    registers[3] = 63;
    cr_expect_eq(hll_estimate(registers), 1);
}

Test(hyperloglog, what_is_no_hyperloglog)
{
    cr_expect(hll_form(SPAN("")) == HLL_NONE);
    cr_expect(hll_form(SPAN("HYLL\1\0\0\0\0\0\0\0\0\0\0")) == HLL_NONE);
    cr_expect(hll_form(SPAN("HYLX\1\0\0\0\0\0\0\0\0\0\0\0\x7f\xff")) == HLL_NONE);
    cr_expect(hll_form(SPAN("HYLL\2\0\0\0\0\0\0\0\0\0\0\0\x7f\xff")) == HLL_NONE);
    cr_expect(hll_form(SPAN("HYLL\0\0\0\0\0\0\0\0\0\0\0\0\x7f\xff")) == HLL_NONE);
    cr_expect(hll_form(SPAN("HYLL\1\0\0\0\0\0\0\0\0\0\0\0")) == HLL_SPARSE);
}

Test(hyperloglog, corrupt_runs)
{
    static const struct span tails[] = {
        SPAN(""),     SPAN("\x7f\xfe"),        SPAN("\x7f\xff\x00"), SPAN("\x7f\xff\x80"),
        SPAN("\x7f"), SPAN("\x7f\xfb\xff\xff")};
    uint8_t registers[HLL_REGISTERS] = {0};
    uint64_t estimate;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        hll.len = HLL_HEADER_BYTES;
        buf_append_span(&hll, tails[i]);
        cr_expect_not(hll_count(buf_span(&hll), &estimate));
        cr_expect_not(hll_merge_into(registers, buf_span(&hll)));
        cr_expect_not(hll_to_dense(&hll));
        cr_expect(hll_raise(&hll, (struct hll_mark){1, 40}, NO_BOUND) == HLL_CORRUPT);
        cr_expect(
            span_equal(span_of(hll.ptr + HLL_HEADER_BYTES, hll.len - HLL_HEADER_BYTES), tails[i]));
    }
    hll.len = HLL_HEADER_BYTES; /* a register that no run reaches */
    buf_append_span(&hll, SPAN("\x40\x63"));
    cr_expect(hll_raise(&hll, (struct hll_mark){100, 1}, NO_BOUND) == HLL_CORRUPT);
    cr_expect(hll_raise(&hll, (struct hll_mark){99, 1}, NO_BOUND) == HLL_RAISED);
}
