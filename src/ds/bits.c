#include "ds/bits.h"

#include "base/check.h"

static uint64_t load_word(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

/* ---- counting ------------------------------------------------------------------------------- */

static uint64_t count_portable(const char *bytes, size_t words)
{
    uint64_t count = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t w = load_word(bytes + 8 * i);
        w -= w >> 1 & 0x5555555555555555;
        w = (w & 0x3333333333333333) + (w >> 2 & 0x3333333333333333);
        w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0f;
        count += w * 0x0101010101010101 >> 56;
    }
    return count;
}

#ifdef __x86_64__
/* Four sums, since each instruction waits for the one before that writes the same register. */
__attribute__((target("popcnt"))) static uint64_t count_popcnt(const char *bytes, size_t words)
{
    uint64_t sums[4] = {0};
    size_t i = 0;
    for (; i + 4 <= words; i += 4) {
        sums[0] += (uint64_t)__builtin_popcountll(load_word(bytes + 8 * i));
        sums[1] += (uint64_t)__builtin_popcountll(load_word(bytes + 8 * i + 8));
        sums[2] += (uint64_t)__builtin_popcountll(load_word(bytes + 8 * i + 16));
        sums[3] += (uint64_t)__builtin_popcountll(load_word(bytes + 8 * i + 24));
    }
    for (; i < words; i++) sums[0] += (uint64_t)__builtin_popcountll(load_word(bytes + 8 * i));
    return sums[0] + sums[1] + sums[2] + sums[3];
}
#endif

static uint64_t count_words(const char *bytes, size_t words)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("popcnt")) return count_popcnt(bytes, words);
#endif
    return count_portable(bytes, words);
}

/* The bits [from, to) of one byte, 0 <= from < to <= 8, in their places; the others 0. */
static unsigned char bits_of_byte(char byte, unsigned from, unsigned to)
{
    return (unsigned char)((unsigned char)byte & (0xff >> from) & (0xff << (8 - to)));
}

uint64_t bits_count(const char *bytes, uint64_t from, uint64_t to)
{
    if (from >= to) return 0;
    size_t first = from / 8, last = (to - 1) / 8; /* bytes */
    unsigned skip = from % 8, keep = (unsigned)((to - 1) % 8) + 1;
    if (first == last) return (uint64_t)__builtin_popcount(bits_of_byte(bytes[first], skip, keep));

    uint64_t count = (uint64_t)__builtin_popcount(bits_of_byte(bytes[first], skip, 8)) +
                     (uint64_t)__builtin_popcount(bits_of_byte(bytes[last], 0, keep));
    size_t between = last - first - 1;
    count += count_words(bytes + first + 1, between / 8);
    for (size_t i = last - between % 8; i < last; i++)
        count += (uint64_t)__builtin_popcount((unsigned char)bytes[i]);
    return count;
}

/* ---- finding -------------------------------------------------------------------------------- */

/* Where the first byte that is not `filler` may be: passes over words of nothing else. */
static size_t skip_words(const char *bytes, size_t at, size_t end, unsigned char filler)
{
    const uint64_t full = filler * 0x0101010101010101u;
    while (at + 32 <= end &&
           ((load_word(bytes + at) ^ full) | (load_word(bytes + at + 8) ^ full) |
            (load_word(bytes + at + 16) ^ full) | (load_word(bytes + at + 24) ^ full)) == 0)
        at += 32;
    while (at + 8 <= end && load_word(bytes + at) == full) at += 8;
    return at;
}

uint64_t bits_find(const char *bytes, bool bit, uint64_t from, uint64_t to)
{
    if (from >= to) return BITS_NONE;
    /* Looks for a 1 in bytes whose bits are turned round when it is a 0 that is wanted. */
    const unsigned char filler = bit ? 0 : 0xff;
    const size_t end = (to - 1) / 8 + 1; /* bytes */
    size_t at = from / 8;
    unsigned char found = bits_of_byte((char)(bytes[at] ^ filler), from % 8, 8);

    if (found == 0) {
        at = skip_words(bytes, at + 1, end, filler);
        while (at < end && (unsigned char)bytes[at] == filler) at++;
        if (at == end) return BITS_NONE;
        found = (unsigned char)(bytes[at] ^ filler);
    }
    uint64_t position = at * 8 + (uint64_t)__builtin_clz(found) - 24;
    return position < to ? position : BITS_NONE;
}

/* ---- combining ------------------------------------------------------------------------------ */

#define BLOCK_BYTES (16 * 1024) /* of the output: stays in the first cache while the inputs pass */

typedef uint64_t wide __attribute__((vector_size(16)));

static inline wide load_wide(const char *bytes)
{
    wide w;
    memcpy(&w, bytes, sizeof w);
    return w;
}

/* One loop by vectors, and the rest by bytes. */
#define APPLY(expression_operator)                                                                 \
    do {                                                                                           \
        for (; i + sizeof(wide) <= len; i += sizeof(wide)) {                                       \
            wide w = load_wide(out + i) expression_operator load_wide(in + i);                     \
            memcpy(out + i, &w, sizeof w);                                                         \
        }                                                                                          \
        for (; i < len; i++) out[i] = (char)(out[i] expression_operator in[i]);                    \
    } while (0)

static void apply(enum bits_operation operation, char *out, const char *in, size_t len)
{
    size_t i = 0;
    switch (operation) {
    case BITS_AND: APPLY(&); break;
    case BITS_OR: APPLY(|); break;
    case BITS_XOR: APPLY(^); break;
    case BITS_NOT: check(false);
    }
}

static void invert(char *bytes, size_t len)
{
    size_t i = 0;
    for (; i + sizeof(wide) <= len; i += sizeof(wide)) {
        wide w = ~load_wide(bytes + i);
        memcpy(bytes + i, &w, sizeof w);
    }
    for (; i < len; i++) bytes[i] = (char)~bytes[i];
}

/* How much of input[from, from + len) there is. */
static size_t present(struct span input, size_t from, size_t len)
{
    if (input.len <= from) return 0;
    return input.len - from < len ? input.len - from : len;
}

static void combine_block(enum bits_operation operation, char *out, size_t from, size_t len,
                          const struct span *inputs, size_t count)
{
    size_t there = present(inputs[0], from, len);
    if (there > 0) memcpy(out, inputs[0].ptr + from, there);
    memset(out + there, 0, len - there);
    if (operation == BITS_NOT) {
        invert(out, len);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        there = present(inputs[i], from, len);
        if (there > 0) apply(operation, out, inputs[i].ptr + from, there);
        if (operation == BITS_AND) memset(out + there, 0, len - there);
    }
}

void bits_combine(enum bits_operation operation, char *out, size_t len, const struct span *inputs,
                  size_t count)
{
    check(count >= 1);
    for (size_t from = 0; from < len; from += BLOCK_BYTES) {
        size_t block = len - from < BLOCK_BYTES ? len - from : BLOCK_BYTES;
        combine_block(operation, out + from, from, block, inputs, count);
    }
}

/* ---- integers ------------------------------------------------------------------------------- */

/* 64 bits at any offset touch up to nine bytes: they are gathered in 128 bits. */
typedef unsigned __int128 window;

/* The bytes that hold [offset, offset + width), the bits of the integer lying `below` from the
 * end. */
struct place {
    size_t first, last; /* bytes */
    unsigned below;
    uint64_t mask; /* of the width */
};

static struct place place_of(uint64_t offset, unsigned width)
{
    check(width >= 1 && width <= 64);
    uint64_t end = offset + width;
    return (struct place){.first = offset / 8,
                          .last = (end - 1) / 8,
                          .below = (unsigned)(7 - (end - 1) % 8),
                          .mask = UINT64_MAX >> (64 - width)};
}

static window gather(struct span bytes, struct place place)
{
    window w = 0;
    for (size_t i = place.first; i <= place.last; i++)
        w = w << 8 | (i < bytes.len ? (unsigned char)bytes.ptr[i] : 0);
    return w;
}

uint64_t bits_read(struct span bytes, uint64_t offset, unsigned width)
{
    struct place place = place_of(offset, width);
    return (uint64_t)(gather(bytes, place) >> place.below) & place.mask;
}

void bits_write(char *bytes, uint64_t offset, unsigned width, uint64_t value)
{
    struct place place = place_of(offset, width);
    window w = gather(span_of(bytes, place.last + 1), place);
    w &= ~((window)place.mask << place.below);
    w |= (window)(value & place.mask) << place.below;
    for (size_t i = place.last + 1; i-- > place.first; w >>= 8) bytes[i] = (char)(w & 0xff);
}
