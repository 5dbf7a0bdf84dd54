/* Traversal of the table: visits, SCAN, random choice, relocation, checks. */
#include "base/mem.h"
#include "ds/table.h"
#include "ds/table_internal.h"

static void visit_chain(const struct bucket *home, void (*visit)(void *context, void *item),
                        void *context)
{
    for (const struct bucket *b = home; b != NULL; b = bucket_next(b))
        for (unsigned i = 0; i < bucket_count(b); i++) visit(context, bucket_slot(b, i));
}

void table_visit(const struct table *table, size_t index, void (*visit)(void *context, void *item),
                 void *context)
{
    check(index < table->buckets);
    visit_chain(bucket_at(table, index), visit, context);
}

/* The place is behind the item returned last: `slot` is the next one to look at. */
void *table_next(const struct table *table, struct table_place *place)
{
    const struct bucket *b = place->bucket;

    if (b == NULL) {
        if (place->index >= table->buckets) return NULL;
        b = bucket_at(table, place->index);
        bucket_prefetch_slots(b);
    }
    while (place->slot >= bucket_count(b)) {
        place->slot = 0;
        b = bucket_next(b);
        if (b != NULL) continue;
        if (++place->index == table->buckets) {
            place->bucket = NULL;
            return NULL;
        }
        b = bucket_at(table, place->index);
        if (place->index + 1 < table->buckets)
            bucket_prefetch_slots(bucket_at(table, place->index + 1));
    }
    place->bucket = (void *)b;
    return bucket_slot(b, place->slot++);
}

/* ---- SCAN -------------------------------------------------------------------------------------
 *
 * Think of the 48 low bits of every hash written backwards, as a position in [0, 2^48). A bucket
 * that is told by its low n bits holds the items of one interval of positions, 2^(48-n) long: a
 * split cuts the interval into halves and a merge joins two, but an item's position stays. A scan
 * sweeps over the positions from 0 up: it visits the bucket whose interval holds the position
 * reached, all of it, and goes on at that interval's end. So an item that is there all the time is
 * visited when the sweep passes its position; one can be seen twice, where a merge joined a part
 * that was swept already to one that was not. The cursor that goes out is the position written
 * backwards again: a hash prefix. */

#define SCAN_BITS 48

static uint64_t reverse48(uint64_t bits)
{
    bits = (bits >> 1 & 0x5555555555555555) | (bits & 0x5555555555555555) << 1;
    bits = (bits >> 2 & 0x3333333333333333) | (bits & 0x3333333333333333) << 2;
    bits = (bits >> 4 & 0x0f0f0f0f0f0f0f0f) | (bits & 0x0f0f0f0f0f0f0f0f) << 4;
    return __builtin_bswap64(bits) >> (64 - SCAN_BITS);
}

/* How many low bits of the hash decide that an item belongs to bucket `index`. */
static unsigned index_bits(const struct table *table, size_t index)
{
    unsigned level = (unsigned)(63 - __builtin_clzll(table->buckets));
    size_t split = table->buckets - ((size_t)1 << level);
    return index < split || index >> level != 0 ? level + 1 : level;
}

uint64_t table_scan(const struct table *table, uint64_t cursor,
                    void (*visit)(void *context, void *item), void *context)
{
    cursor &= ((uint64_t)1 << SCAN_BITS) - 1;
    size_t index = index_of(table, cursor);
    uint64_t length = (uint64_t)1 << (SCAN_BITS - index_bits(table, index));
    uint64_t end = (reverse48(cursor) & ~(length - 1)) + length;

    visit_chain(bucket_at(table, index), visit, context);
    return reverse48(end & (((uint64_t)1 << SCAN_BITS) - 1));
}

/* ---- random choice ---------------------------------------------------------------------------
 *
 * A bucket and a place in a chain of the longest possible length are drawn until an item stands
 * there: every item is drawn with the same probability. The table shrinks with its items, so its
 * density, and with it the number of draws, stays the same also after mass deletion. */

#define DRAWS_AT_ONCE 4
#define ROUNDS_MAX    256 /* beyond it only when the hash does not spread, to end at all */

static void *item_at(const struct bucket *b, size_t position)
{
    for (; b != NULL; b = bucket_next(b)) {
        if (position < bucket_count(b)) return bucket_slot(b, (unsigned)position);
        position -= bucket_count(b);
    }
    return NULL;
}

void *table_random(const struct table *table, struct random *random)
{
    if (table->count == 0) return NULL;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        const struct bucket *homes[DRAWS_AT_ONCE];
        for (int i = 0; i < DRAWS_AT_ONCE; i++) {
            homes[i] = bucket_at(table, random_below(random, table->buckets));
            prefetch(homes[i]);
        }
        for (int i = 0; i < DRAWS_AT_ONCE; i++) {
            void *item = item_at(homes[i], random_below(random, table->longest));
            if (item != NULL) return item;
        }
    }
    size_t index = random_below(random, table->buckets);
    while (bucket_count(bucket_at(table, index)) == 0) index = (index + 1) % table->buckets;
    const struct bucket *home = bucket_at(table, index);
    return item_at(home, random_below(random, chain_length(home)));
}

/* ---- upkeep ---------------------------------------------------------------------------------- */

void table_relocate(struct table *table, size_t index, void *(*move)(void *context, void *item),
                    void *context)
{
    check(index < table->buckets);
    for (struct bucket *b = bucket_at(table, index); b != NULL; b = bucket_next(b))
        for (unsigned i = 0; i < bucket_count(b); i++)
            bucket_set_slot(b, i, move(context, bucket_slot(b, i)));
}

/* Buckets of the chunk that bucket `index` begins; 0 where it begins none. */
static size_t chunk_begun_by(const struct table *table, size_t index)
{
    unsigned shift = chunk_shift(index);
    if (index == 0) return table->first_size;
    if (index < FIRST_CHUNK_BUCKETS) return 0;
    return (index & (((size_t)1 << shift) - 1)) == 0 ? (size_t)1 << shift : 0;
}

void table_relocate_buckets(struct table *table, size_t index, struct mem_mover *mover)
{
    check(index < table->buckets);
    size_t chunk = chunk_begun_by(table, index);
    if (chunk > 0) {
        struct bucket **place = &table->directory[chunk_number(index, chunk_shift(index))];
        size_t bytes = chunk * sizeof(struct bucket);
        *place = mem_mover_move_aligned(mover, chunk_alignment(bytes), *place, bytes);
    }
    struct bucket *b = bucket_at(table, index);
    for (struct bucket *next; (next = bucket_next(b)) != NULL; b = next) {
        next = mem_mover_move_aligned(mover, BUCKET_BYTES, next, sizeof *next);
        bucket_set_slot(b, BUCKET_LINK, next);
    }
}

struct table *table_relocate_self(struct table *table, struct mem_mover *mover)
{
    bool inside = table->directory == &table->first;
    if (!inside)
        table->directory = mem_mover_move(mover, table->directory,
                                          table->directory_size * sizeof *table->directory);
    table = mem_mover_move(mover, table, sizeof *table);
    if (inside) table->directory = &table->first;
    return table;
}

size_t table_longest_chain(const struct table *table)
{
    size_t longest = 0;
    for (size_t index = 0; index < table->buckets; index++) {
        size_t length = chain_length(bucket_at(table, index));
        if (length > longest) longest = length;
    }
    return longest;
}

void table_check(const struct table *table)
{
    size_t count = 0, overflow_buckets = 0, chunks = 1;
    size_t bytes = table->first_size * sizeof(struct bucket);

    check(table->buckets >= 1);
    check(table->buckets > table->mask >> 1 && table->buckets <= table->mask);
    check((table->mask & (table->mask + 1)) == 0);
    check((table->directory == &table->first) == (table->directory_size == 1));
    check(table->chunks <= table->directory_size);
    check(table->first_size <= FIRST_CHUNK_BUCKETS);
    check(table->first_size >= table->buckets || table->first_size == FIRST_CHUNK_BUCKETS);

    for (size_t index = 0; index < table->buckets; index++) {
        const struct bucket *home = bucket_at(table, index);
        unsigned shift = chunk_shift(index);
        if (index >= FIRST_CHUNK_BUCKETS && (index & (((size_t)1 << shift) - 1)) == 0) {
            check(chunk_number(index, shift) == chunks);
            chunks++;
            bytes += ((size_t)1 << shift) * sizeof(struct bucket);
        }
        overflow_buckets += chain_check(home);
        check(chain_length(home) <= table->longest || chain_length(home) == 0);
        for (const struct bucket *b = home; b != NULL; b = bucket_next(b)) {
            for (unsigned i = 0; i < bucket_count(b); i++) {
                uint64_t hash = table->hooks.hash(table->hooks.context, bucket_slot(b, i));
                check(index_of(table, hash) == index);
                check(fingerprint_of(hash) == b->fingerprints[i]);
                count++;
            }
        }
    }
    check(count == table->count);
    check(overflow_buckets == table->overflow_buckets);
    check(chunks == table->chunks);
    check(bytes == table->chunk_bytes);
}
