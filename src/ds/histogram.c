#include "ds/histogram.h"

#include "base/mem.h"

enum {
    SUB_BITS = 7, /* a power of two has 1 << SUB_BITS slots */
    TOP_BITS = 40,
    SLOTS = (TOP_BITS - SUB_BITS + 1) << SUB_BITS,
};

struct histogram {
    uint64_t total;
    uint32_t counts[SLOTS];
};

static unsigned slot_of(uint64_t value)
{
    if (value < 2u << SUB_BITS) return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - SUB_BITS;
    unsigned slot =
        ((shift + 1) << SUB_BITS) + (unsigned)((value >> shift) & ((1u << SUB_BITS) - 1));
    return slot < SLOTS ? slot : SLOTS - 1;
}

static uint64_t highest_of(unsigned slot)
{
    if (slot < 2u << SUB_BITS) return slot;
    unsigned shift = (slot >> SUB_BITS) - 1;
    uint64_t from = ((1ull << SUB_BITS) + (slot & ((1u << SUB_BITS) - 1))) << shift;
    return from + (1ull << shift) - 1;
}

struct histogram *histogram_new(void)
{
    return mem_zalloc(sizeof(struct histogram));
}

void histogram_free(struct histogram *histogram)
{
    mem_free(histogram);
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->counts[slot_of(value)]++;
    histogram->total++;
}

uint64_t histogram_total(const struct histogram *histogram)
{
    return histogram->total;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percentile)
{
    uint64_t wanted = (uint64_t)(percentile / 100 * (double)histogram->total + 0.5), seen = 0;

    if (histogram->total == 0) return 0;
    if (wanted == 0) wanted = 1;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        seen += histogram->counts[slot];
        if (seen >= wanted) return highest_of(slot);
    }
    return highest_of(SLOTS - 1);
}

bool histogram_next_level(struct histogram_levels *levels)
{
    const struct histogram *histogram = levels->histogram;
    uint64_t before = levels->count;

    while (levels->count < histogram->total) {
        unsigned last = slot_of(levels->level);
        while (levels->slot <= last) levels->count += histogram->counts[levels->slot++];
        levels->upto = highest_of(last);
        levels->level *= 2;
        if (levels->count > before) return true;
    }
    return false;
}
