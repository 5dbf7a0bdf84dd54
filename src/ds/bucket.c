#include "ds/bucket.h"
#include "base/mem.h"

static void put(struct bucket *b, unsigned slot, uint8_t fingerprint, const void *item)
{
    b->fingerprints[slot] = fingerprint;
    bucket_set_slot(b, slot, item);
}

/* The home bucket learns of an item that stands behind it. */
static void filter_add(struct bucket *home, uint8_t fingerprint)
{
    home->fingerprints[BUCKET_LINK] |= (uint8_t)(1u << (fingerprint & 7));
}

struct chain chain_open(struct bucket *home)
{
    struct chain chain = {home, home, 0};
    for (struct bucket *next; (next = bucket_next(chain.last)) != NULL; chain.last = next)
        chain.length += BUCKET_LINK;
    chain.length += bucket_count(chain.last);
    return chain;
}

/* Hangs an overflow bucket behind the last one, which is full; its ninth item moves over. */
static void extend(struct chain *chain)
{
    struct bucket *full = chain->last;
    struct bucket *fresh = mem_alloc_aligned(BUCKET_BYTES, sizeof *fresh);
    uint8_t moved = full->fingerprints[BUCKET_LINK];

    bucket_clear(fresh);
    put(fresh, 0, moved, bucket_slot(full, BUCKET_LINK));
    fresh->meta = 1;
    put(full, BUCKET_LINK, 0, fresh);
    full->meta = BUCKET_LINK | BUCKET_OVERFLOWS;
    filter_add(chain->home, moved);
    chain->last = fresh;
}

unsigned chain_append(struct chain *chain, uint8_t fingerprint, void *item)
{
    unsigned allocated = 0;
    if (bucket_count(chain->last) == BUCKET_SLOTS) {
        extend(chain);
        allocated = 1;
    }
    put(chain->last, bucket_count(chain->last), fingerprint, item);
    chain->last->meta++;
    chain->length++;
    if (chain->last != chain->home) filter_add(chain->home, fingerprint);
    return allocated;
}

/* Makes the filter exact again, where that takes one look: chains of two buckets. */
static void refilter(struct bucket *home, const struct bucket *second)
{
    if (bucket_next(second) != NULL) return;
    home->fingerprints[BUCKET_LINK] = 0;
    for (unsigned i = 0; i < bucket_count(second); i++) filter_add(home, second->fingerprints[i]);
}

unsigned chain_remove(struct bucket *home, struct bucket *at, unsigned slot)
{
    struct bucket *last = home, *before = NULL;
    for (struct bucket *next; (next = bucket_next(last)) != NULL; last = next) before = last;

    unsigned tail = bucket_count(last) - 1;
    if (at != last || slot != tail)
        put(at, slot, last->fingerprints[tail], bucket_slot(last, tail));
    last->meta--;
    last->fingerprints[tail] = 0;
    if (before == NULL) return 0;

    if (tail > 1) { /* two items or more are left in the overflow bucket */
        if (before == home) refilter(home, last);
        return 0;
    }
    put(before, BUCKET_LINK, last->fingerprints[0], bucket_slot(last, 0));
    before->meta = BUCKET_SLOTS;
    mem_free(last);
    return 1;
}

struct bucket *chain_free_bucket(struct bucket *overflow)
{
    struct bucket *next = bucket_next(overflow);
    mem_free(overflow);
    return next;
}

size_t chain_length(const struct bucket *home)
{
    size_t length = 0;
    for (const struct bucket *b = home; b != NULL; b = bucket_next(b)) length += bucket_count(b);
    return length;
}

size_t chain_check(const struct bucket *home)
{
    size_t depth = 0;
    for (const struct bucket *b = home, *next; b != NULL; b = next, depth++) {
        next = bucket_next(b);
        check((uintptr_t)b % BUCKET_BYTES == 0);
        check((b->meta & ~(BUCKET_COUNT_MASK | BUCKET_OVERFLOWS)) == 0);
        if (next != NULL) {
            check(bucket_count(b) == BUCKET_LINK);
        } else {
            check(bucket_count(b) <= BUCKET_SLOTS);
            check(b == home || bucket_count(b) >= 2);
        }
        for (unsigned i = 0; b != home && i < bucket_count(b); i++)
            check(bucket_filter_passes(home, b->fingerprints[i]));
    }
    return depth - 1;
}
