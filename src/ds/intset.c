#include "ds/intset.h"

#include "base/check.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "intsets store numbers so");

static uint32_t load_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

static void store_u32(uint8_t *at, size_t value)
{
    check(value <= UINT32_MAX);
    uint32_t stored = (uint32_t)value;
    memcpy(at, &stored, 4);
}

void intset_init(uint8_t *set)
{
    store_u32(set, 2);
    store_u32(set + 4, 0);
}

unsigned intset_width(const uint8_t *set)
{
    return load_u32(set);
}

size_t intset_count(const uint8_t *set)
{
    return load_u32(set + 4);
}

size_t intset_bytes(const uint8_t *set)
{
    return INTSET_HEAD_BYTES + intset_count(set) * intset_width(set);
}

static unsigned width_of(int64_t number)
{
    if (number >= INT16_MIN && number <= INT16_MAX) return 2;
    return number >= INT32_MIN && number <= INT32_MAX ? 4 : 8;
}

static int64_t load(const uint8_t *set, unsigned width, size_t index)
{
    const uint8_t *at = set + INTSET_HEAD_BYTES + index * width;
    int16_t narrow;
    int32_t middle;
    int64_t wide;

    switch (width) {
    case 2: memcpy(&narrow, at, 2); return narrow;
    case 4: memcpy(&middle, at, 4); return middle;
    default: memcpy(&wide, at, 8); return wide;
    }
}

static void store(uint8_t *set, unsigned width, size_t index, int64_t number)
{
    memcpy(set + INTSET_HEAD_BYTES + index * width, &number, width);
}

int64_t intset_at(const uint8_t *set, size_t index)
{
    return load(set, intset_width(set), index);
}

bool intset_find(const uint8_t *set, int64_t number, size_t *index)
{
    const unsigned width = intset_width(set);
    size_t low = 0, high = intset_count(set);

    /* Numbers often come in ascending order. */
    if (high > 0 && load(set, width, high - 1) < number) low = high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t there = load(set, width, middle);
        if (there == number) {
            *index = middle;
            return true;
        }
        if (there < number) low = middle + 1;
        else high = middle;
    }
    *index = low;
    return false;
}

size_t intset_bytes_with(const uint8_t *set, int64_t number)
{
    unsigned width = intset_width(set), needed = width_of(number);
    return INTSET_HEAD_BYTES + (intset_count(set) + 1) * (needed > width ? needed : width);
}

/* Makes room at the front or at the end while the numbers become wider: what needs more bytes than
 * all the others lies outside of them. Backwards, so that none is overwritten before it is read. */
static void widen(uint8_t *set, unsigned width, bool front)
{
    const unsigned old = intset_width(set);

    for (size_t i = intset_count(set); i-- > 0;) store(set, width, i + front, load(set, old, i));
    store_u32(set, width);
}

void intset_insert(uint8_t *set, size_t index, int64_t number)
{
    unsigned width = intset_width(set), needed = width_of(number);
    const size_t count = intset_count(set);

    if (needed > width) {
        check(index == (number < 0 ? 0 : count));
        widen(set, needed, number < 0);
        width = needed;
    } else {
        uint8_t *at = set + INTSET_HEAD_BYTES + index * width;
        memmove(at + width, at, (count - index) * width);
    }
    store(set, width, index, number);
    store_u32(set + 4, count + 1);
}

void intset_remove(uint8_t *set, size_t index)
{
    const unsigned width = intset_width(set);
    const size_t count = intset_count(set);
    uint8_t *at = set + INTSET_HEAD_BYTES + index * width;

    check(index < count);
    memmove(at, at + width, (count - index - 1) * width);
    store_u32(set + 4, count - 1);
}

bool intset_validate(struct span bytes)
{
    const uint8_t *set = (const uint8_t *)bytes.ptr;

    if (bytes.len < INTSET_HEAD_BYTES) return false;
    const unsigned width = intset_width(set);
    if (width != 2 && width != 4 && width != 8) return false;
    if (intset_bytes(set) != bytes.len) return false;
    for (size_t i = 1; i < intset_count(set); i++)
        if (load(set, width, i - 1) >= load(set, width, i)) return false;
    return true;
}
