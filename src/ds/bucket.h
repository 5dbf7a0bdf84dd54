/* Buckets of the hash table (table.h) and their overflow chains.
 *
 *   bytes 0..8            9          10..63
 *   +--------------------+------+---------+---------+- - -+---------+
 *   | fingerprint 0 .. 8 | meta | slot 0  | slot 1  |     | slot 8  |   64 bytes, one cache line
 *   +--------------------+------+---------+---------+- - -+---------+
 *     meta: low 4 bits  items in this bucket, standing in slots 0 .. n-1
 *           bit 7       slot 8 is no item but points to an overflow bucket of the same shape
 *
 * With an overflow bucket behind it, fingerprint 8 has no item to describe. In a home bucket it is
 * a filter then: bit (fingerprint & 7) is set for every item behind the home bucket, so that a
 * search for something absent seldom reads a second line. Bits may be set too many after removals.
 *
 * Invariants of a chain
 * 1. Every bucket but the last holds exactly 8 items and the pointer; the last one at most 9.
 * 2. There is no overflow bucket where the home bucket alone would do: the items' number decides
 *    the number of buckets. */
#ifndef PANDO_DS_BUCKET_H
#define PANDO_DS_BUCKET_H

#include "base/check.h"
#include "base/prefetch.h"
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BUCKET_BYTES 64
#define BUCKET_SLOTS 9
#define BUCKET_LINK  8 /* the slot that links to the overflow bucket */

struct bucket {
    uint8_t fingerprints[BUCKET_SLOTS];
    uint8_t meta;
    uint8_t slots[BUCKET_SLOTS][6];
} __attribute__((aligned(BUCKET_BYTES)));
_Static_assert(sizeof(struct bucket) == BUCKET_BYTES, "a bucket is one cache line");
_Static_assert(offsetof(struct bucket, slots) == 10, "slots behind fingerprints and meta");

enum { BUCKET_COUNT_MASK = 15, BUCKET_OVERFLOWS = 128 };

static inline unsigned bucket_count(const struct bucket *b)
{
    return b->meta & BUCKET_COUNT_MASK;
}

/* The pointer in a slot. The load begins two bytes before the slot, so that it never leaves the
 * bucket. */
static inline void *bucket_slot(const struct bucket *b, unsigned slot)
{
    uint64_t bits;
    memcpy(&bits, (const char *)b + offsetof(struct bucket, slots) - 2 + 6 * slot, sizeof bits);
    return (void *)(uintptr_t)(le64toh(bits) >> 16);
}

static inline void bucket_set_slot(struct bucket *b, unsigned slot, const void *ptr)
{
    uint64_t bits = (uintptr_t)ptr;
    check(bits >> 48 == 0);
    bits = htole64(bits);
    memcpy(b->slots[slot], &bits, 6);
}

/* The overflow bucket behind this one, or NULL. */
static inline struct bucket *bucket_next(const struct bucket *b)
{
    return b->meta & BUCKET_OVERFLOWS ? bucket_slot(b, BUCKET_LINK) : NULL;
}

/* Bit i is set where the item in slot i has this fingerprint. */
static inline unsigned bucket_candidates(const struct bucket *b, uint8_t fingerprint)
{
    unsigned used = (1u << bucket_count(b)) - 1, equal = 0;
#ifdef __SSE2__
    __m128i line = _mm_load_si128((const __m128i *)b);
    equal = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(line, _mm_set1_epi8((char)fingerprint)));
#else
    for (unsigned i = 0; i < BUCKET_SLOTS; i++)
        equal |= (unsigned)(b->fingerprints[i] == fingerprint) << i;
#endif
    return equal & used;
}

/* Whether something with this fingerprint may stand behind a home bucket that overflows. */
static inline bool bucket_filter_passes(const struct bucket *home, uint8_t fingerprint)
{
    return home->fingerprints[BUCKET_LINK] >> (fingerprint & 7) & 1;
}

/* Loads what the slots point to into the cache, the overflow bucket too. */
static inline void bucket_prefetch_slots(const struct bucket *b)
{
    for (unsigned i = 0; i < bucket_count(b); i++) prefetch(bucket_slot(b, i));
    if (b->meta & BUCKET_OVERFLOWS) prefetch(bucket_slot(b, BUCKET_LINK));
}

static inline void bucket_clear(struct bucket *b)
{
    memset(b, 0, sizeof *b);
}

/* Appends to chains in constant time: remembers the chain's last bucket. */
struct chain {
    struct bucket *home, *last;
    size_t length; /* items */
};
struct chain chain_open(struct bucket *home);
/* Adds an item at the end. Returns the number of overflow buckets allocated: 0 or 1. */
unsigned chain_append(struct chain *chain, uint8_t fingerprint, void *item);

/* Takes the item out of `slot` of `at`, a bucket in the chain of `home`; the chain's last item
 * takes its place. Returns the number of overflow buckets freed: 0 or 1. */
unsigned chain_remove(struct bucket *home, struct bucket *at, unsigned slot);

/* Frees an overflow bucket and returns the next one. */
struct bucket *chain_free_bucket(struct bucket *overflow);

size_t chain_length(const struct bucket *home);
/* Checks the invariants. Returns the number of overflow buckets. */
size_t chain_check(const struct bucket *home);

#endif
