#include "ds/bits.h"

#include "base/mem.h"

#include <criterion/criterion.h>

Test(bits, counts_within_and_across_bytes)
{
    const char bytes[] = "\xff\x0f\x80\x01";
    cr_expect_eq(bits_count(bytes, 0, 32), 14);
    cr_expect_eq(bits_count(bytes, 0, 0), 0);
    cr_expect_eq(bits_count(bytes, 5, 5), 0);
    cr_expect_eq(bits_count(bytes, 2, 5), 3);
    cr_expect_eq(bits_count(bytes, 7, 13), 2);
    cr_expect_eq(bits_count(bytes, 12, 17), 5);
    cr_expect_eq(bits_count(bytes, 31, 32), 1);
    cr_expect_eq(bits_count(bytes, 17, 31), 0);
}

Test(bits, counts_long_ranges)
{
    char *bytes = mem_zalloc(1 << 16);
    uint64_t expected = 0;
    for (uint64_t i = 0; i < 1 << 19; i += 1 + i % 7) {
        bits_write(bytes, i, 1, 1);
        expected++;
    }
    cr_expect_eq(bits_count(bytes, 0, 1 << 19), expected);
    cr_expect_eq(bits_count(bytes, 3, (1 << 19) - 5),
                 expected - bits_count(bytes, 0, 3) - bits_count(bytes, (1 << 19) - 5, 1 << 19));
    mem_free(bytes);
}

Test(bits, finds_the_first_of_either_kind)
{
    const char bytes[] = "\xff\xf0\x00";
    cr_expect_eq(bits_find(bytes, false, 0, 24), 12);
    cr_expect_eq(bits_find(bytes, true, 0, 24), 0);
    cr_expect_eq(bits_find(bytes, true, 3, 24), 3);
    cr_expect_eq(bits_find(bytes, true, 12, 24), BITS_NONE);
    cr_expect_eq(bits_find(bytes, false, 0, 12), BITS_NONE);
    cr_expect_eq(bits_find(bytes, false, 0, 13), 12);
    cr_expect_eq(bits_find(bytes, false, 13, 13), BITS_NONE);
}

Test(bits, finds_far_away)
{
    char *bytes = mem_zalloc(1000);
    for (int fill = 0; fill < 2; fill++) {
        memset(bytes, fill ? 0xff : 0, 1000);
        for (uint64_t at = 0; at < 8000; at += 13) {
            bits_write(bytes, at, 1, fill ? 0 : 1);
            cr_assert_eq(bits_find(bytes, !fill, 0, 8000), at);
            cr_assert_eq(bits_find(bytes, !fill, at, 8000), at);
            cr_assert_eq(bits_find(bytes, !fill, at + 1, 8000), BITS_NONE);
            cr_assert_eq(bits_find(bytes, !fill, 0, at), BITS_NONE);
            bits_write(bytes, at, 1, fill ? 1 : 0);
        }
    }
    mem_free(bytes);
}

Test(bits, combines_inputs_of_different_length)
{
    const struct span inputs[] = {SPAN("\xf0\x0f\xaa"), SPAN("\xff"), SPAN("\x81\x82")};
    char out[4];
    bits_combine(BITS_AND, out, 4, inputs, 3);
    cr_expect(span_equal(span_of(out, 4), SPAN("\x80\0\0\0")));
    bits_combine(BITS_OR, out, 4, inputs, 3);
    cr_expect(span_equal(span_of(out, 4), SPAN("\xff\x8f\xaa\0")));
    bits_combine(BITS_XOR, out, 4, inputs, 3);
    cr_expect(span_equal(span_of(out, 4), SPAN("\x8e\x8d\xaa\0")));
    bits_combine(BITS_NOT, out, 4, inputs, 1);
    cr_expect(span_equal(span_of(out, 4), SPAN("\x0f\xf0\x55\xff")));
}

Test(bits, reads_and_writes_integers_at_any_offset)
{
    char bytes[12];
    for (unsigned width = 1; width <= 64; width++) {
        for (uint64_t offset = 0; offset + width <= 8 * sizeof bytes; offset++) {
            uint64_t value = 0x9e3779b97f4a7c15 >> (64 - width);
            memset(bytes, 0x5a, sizeof bytes);
            bits_write(bytes, offset, width, value | (width < 64 ? UINT64_MAX << width : 0));
            cr_assert_eq(bits_read(span_of(bytes, sizeof bytes), offset, width), value);
            for (uint64_t bit = 0; bit < 8 * sizeof bytes; bit++) {
                if (bit >= offset && bit < offset + width) continue;
                cr_assert_eq(bits_read(span_of(bytes, sizeof bytes), bit, 1),
                             0x5a >> (7 - bit % 8) & 1);
            }
        }
    }
}

Test(bits, what_is_behind_the_bytes_reads_as_zero)
{
    cr_expect_eq(bits_read(SPAN("\xff"), 4, 8), 0xf0);
    cr_expect_eq(bits_read(SPAN("\xff"), 8, 64), 0);
    cr_expect_eq(bits_read(span_of(NULL, 0), 1ULL << 40, 63), 0);
}
