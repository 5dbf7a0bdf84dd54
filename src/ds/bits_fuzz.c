/* Bits by words against bits one by one: the input is two strings and the ranges to look at. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/bits.h"

static bool bit_at(struct span bytes, uint64_t bit)
{
    return bit / 8 < bytes.len && ((unsigned char)bytes.ptr[bit / 8] >> (7 - bit % 8) & 1);
}

static void check_range(struct span bytes, uint64_t from, uint64_t to)
{
    uint64_t count = 0, first[2] = {BITS_NONE, BITS_NONE};
    for (uint64_t bit = from; bit < to; bit++) {
        bool set = bit_at(bytes, bit);
        count += set;
        if (first[set] == BITS_NONE) first[set] = bit;
    }
    check(bits_count(bytes.ptr, from, to) == count);
    check(bits_find(bytes.ptr, false, from, to) == first[0]);
    check(bits_find(bytes.ptr, true, from, to) == first[1]);
}

static void check_combination(const struct span *inputs, size_t count, size_t len)
{
    char *out = mem_alloc(len + 1);
    for (int operation = BITS_AND; operation <= BITS_NOT; operation++) {
        out[len] = 'x';
        bits_combine((enum bits_operation)operation, out, len, inputs, count);
        check(out[len] == 'x');
        for (uint64_t bit = 0; bit < 8 * len; bit++) {
            bool expected = bit_at(inputs[0], bit);
            if (operation == BITS_NOT) expected = !expected;
            else
                for (size_t i = 1; i < count; i++) {
                    bool other = bit_at(inputs[i], bit);
                    expected = operation == BITS_AND  ? expected && other
                               : operation == BITS_OR ? expected || other
                                                      : expected != other;
                }
            check(bit_at(span_of(out, len), bit) == expected);
        }
    }
    mem_free(out);
}

static void check_integer(struct span bytes, uint64_t offset, unsigned width, uint64_t value)
{
    uint64_t expected = 0;
    for (uint64_t bit = offset; bit < offset + width; bit++)
        expected = expected << 1 | bit_at(bytes, bit);
    check(bits_read(bytes, offset, width) == expected);
    if (offset + width > 8 * bytes.len) return;

    char *copy = mem_alloc(bytes.len);
    memcpy(copy, bytes.ptr, bytes.len);
    bits_write(copy, offset, width, value);
    for (uint64_t bit = 0; bit < 8 * bytes.len; bit++) {
        bool inside = bit >= offset && bit < offset + width;
        bool wanted = inside ? value >> (offset + width - 1 - bit) & 1 : bit_at(bytes, bit);
        check(bit_at(span_of(copy, bytes.len), bit) == wanted);
    }
    mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 16 || size > 600) return 0;
    uint64_t from = data[0] | (uint64_t)(data[1] & 15) << 8,
             more = data[2] | (uint64_t)(data[3] & 15) << 8;
    size_t cut = data[4], extra = data[5] % 40;
    unsigned width = data[6] % 64 + 1;
    uint64_t value;
    memcpy(&value, data + 7, 8);
    struct span bytes = span_of(data + 15, size - 15);
    uint64_t bits = 8 * (uint64_t)bytes.len;

    from = from < bits ? from : bits;
    check_range(bytes, from, from + more < bits ? from + more : bits);
    check_range(bytes, 0, bits);
    cut = cut < bytes.len ? cut : bytes.len;
    struct span inputs[] = {span_of(bytes.ptr, cut), span_of(bytes.ptr + cut, bytes.len - cut),
                            bytes};
    check_combination(inputs, 1 + value % 3, bytes.len + extra);
    check_integer(bytes, from, width, value);
    return 0;
}
