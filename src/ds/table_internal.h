/* The inside of struct table, for table.c (look-up and change) and table_walk.c (traversal).
 *
 * Chunks: the first holds up to 32 buckets and grows with them; from there on each doubling of the
 * table adds 8 chunks (fewer below 256 buckets, where a chunk is 32 buckets), until a chunk is 4096
 * buckets.
 *
 *   buckets    0..31   32..511   512..1023   1024..2047  ...  16384..32767   32768..
 *   per chunk  <= 32   32        64          128              2048           4096
 *   bytes      <= 2K   2K        4K          8K               128K           256K
 *
 * So at most an eighth of a table's buckets is reserved ahead, and 256 KB in a big one. */
#ifndef PANDO_DS_TABLE_INTERNAL_H
#define PANDO_DS_TABLE_INTERNAL_H

#include "ds/bucket.h"
#include "ds/table.h"

enum {
    CHUNK_SHIFT_MIN = 5,
    CHUNK_SHIFT_MAX = 12,
    FIRST_CHUNK_BUCKETS = 1 << CHUNK_SHIFT_MIN,
};

struct table {
    struct bucket **directory; /* chunks; &first while there is one only */
    uint64_t mask;             /* 2^(level + 1) - 1 */
    size_t buckets;            /* home buckets: 2^level + split, at least 1 */
    size_t count;              /* items */
    size_t overflow_buckets;   /* allocated */
    size_t longest;            /* no chain holds more items than this */
    size_t chunk_bytes;        /* allocated for chunks */
    uint32_t chunks;           /* allocated */
    uint32_t directory_size;   /* pointers that fit; 1 means `first` below */
    uint32_t first_size;       /* buckets that fit into the first chunk */
    struct bucket *first;
    struct table_hooks hooks;
};

/* log2 of the buckets per chunk where bucket `index` stands. */
static inline unsigned chunk_shift(size_t index)
{
    unsigned shift = (unsigned)(63 - __builtin_clzll(index | 256)) - 3;
    return shift < CHUNK_SHIFT_MAX ? shift : CHUNK_SHIFT_MAX;
}

static inline size_t chunk_number(size_t index, unsigned shift)
{
    return (index >> shift) + 8 * (shift - CHUNK_SHIFT_MIN);
}

/* Page alignment keeps jemalloc from spreading big chunks over cache colours, at a page each. */
static inline size_t chunk_alignment(size_t bytes)
{
    return bytes >= 4096 ? 4096 : BUCKET_BYTES;
}

static inline struct bucket *bucket_at(const struct table *table, size_t index)
{
    unsigned shift = chunk_shift(index);
    return table->directory[chunk_number(index, shift)] + (index & (((size_t)1 << shift) - 1));
}

static inline size_t index_of(const struct table *table, uint64_t hash)
{
    size_t index = hash & table->mask;
    return index < table->buckets ? index : index & (table->mask >> 1);
}

static inline uint8_t fingerprint_of(uint64_t hash)
{
    return (uint8_t)(hash >> 56);
}

#endif
