#include "ds/table.h"
#include "base/mem.h"
#include "ds/table_internal.h"

/* Items per home bucket: above the first figure a bucket is split, below the second one is merged.
 * In between nothing happens, so that inserts and removals in turn do not split and merge in turn.
 * For the figures see docs/decisions/0001-table.md. */
#define GROW_ABOVE(buckets)   ((buckets)*13 / 2)
#define SHRINK_BELOW(buckets) ((buckets)*19 / 4)

#define STEPS_MAX             2 /* splits per insert, merges per removal */

/* ---- chunks ---------------------------------------------------------------------------------- */

static struct bucket *chunk_new(struct table *table, size_t buckets)
{
    size_t bytes = buckets * sizeof(struct bucket);
    table->chunk_bytes += bytes;
    return mem_alloc_aligned(chunk_alignment(bytes), bytes);
}

static void chunk_free(struct table *table, struct bucket *chunk, size_t buckets)
{
    table->chunk_bytes -= buckets * sizeof(struct bucket);
    mem_free(chunk);
}

/* Gives the first chunk the size class that holds `buckets`. It is the only one then. */
static void first_resize(struct table *table, size_t buckets)
{
    size_t size = mem_good_size(buckets * sizeof(struct bucket)) / sizeof(struct bucket);
    if (size > FIRST_CHUNK_BUCKETS) size = FIRST_CHUNK_BUCKETS;

    struct bucket *old = table->directory[0], *fresh = chunk_new(table, size);
    memcpy(fresh, old, (table->buckets < buckets ? table->buckets : buckets) * sizeof *fresh);
    chunk_free(table, old, table->first_size);
    table->first_size = (uint32_t)size;
    table->directory[0] = fresh;
}

static void directory_resize(struct table *table, uint32_t size)
{
    struct bucket **old = table->directory == &table->first ? NULL : table->directory;
    if (size == 1) { /* back to the pointer inside the struct */
        table->first = old[0];
        table->directory = &table->first;
        mem_free(old);
    } else {
        table->directory = mem_realloc(old, size * sizeof *old);
        if (old == NULL) table->directory[0] = table->first;
    }
    table->directory_size = size;
}

/* Adds a home bucket at the end; its memory is not initialised. */
static void bucket_push(struct table *table)
{
    size_t index = table->buckets;
    unsigned shift = chunk_shift(index);

    if (index < FIRST_CHUNK_BUCKETS) {
        if (index == table->first_size) first_resize(table, index + 1);
    } else if (chunk_number(index, shift) == table->chunks) {
        if (table->chunks == table->directory_size)
            directory_resize(table, table->directory_size * 2);
        table->directory[table->chunks++] = chunk_new(table, (size_t)1 << shift);
    }
    table->buckets++;
    if (table->buckets > table->mask) table->mask = table->mask * 2 + 1;
}

/* Takes the last home bucket off. */
static void bucket_pop(struct table *table)
{
    size_t index = --table->buckets;
    unsigned shift = chunk_shift(index);

    if (table->buckets <= table->mask >> 1) table->mask >>= 1;
    if (index < FIRST_CHUNK_BUCKETS) {
        if (index <= table->first_size / 2) first_resize(table, index);
    } else if ((index & (((size_t)1 << shift) - 1)) == 0) {
        chunk_free(table, table->directory[--table->chunks], (size_t)1 << shift);
        if (table->chunks <= table->directory_size / 4 || table->chunks == 1)
            directory_resize(table, table->chunks == 1 ? 1 : table->directory_size / 2);
    }
}

/* ---- growing and shrinking ------------------------------------------------------------------- */

static void append(struct table *table, struct chain *chain, uint8_t fingerprint, void *item)
{
    table->overflow_buckets += chain_append(chain, fingerprint, item);
    if (chain->length > table->longest) table->longest = chain->length;
}

static struct bucket *free_overflow(struct table *table, struct bucket *overflow)
{
    table->overflow_buckets--;
    return chain_free_bucket(overflow);
}

/* The bucket to be split next. */
static size_t split_point(const struct table *table)
{
    return table->buckets & (table->mask >> 1);
}

/* The bucket that bucket `from` was once split from: its index without the top bit. */
static size_t merge_target(size_t from)
{
    return from ^ (size_t)1 << (63 - __builtin_clzll(from));
}

static void split(struct table *table)
{
    size_t from = split_point(table), to = table->buckets;
    size_t upper = to - from; /* the bit of the hash that decides */

    bucket_push(table);
    struct bucket *low = bucket_at(table, from), *high = bucket_at(table, to);
    struct bucket old = *low;
    struct chain stay = {low, low, 0}, move = {high, high, 0};
    bucket_clear(low);
    bucket_clear(high);
    for (struct bucket *b = &old; b != NULL;) {
        for (unsigned i = 0; i < bucket_count(b); i++) {
            void *item = bucket_slot(b, i);
            uint64_t hash = table->hooks.hash(table->hooks.context, item);
            append(table, hash & upper ? &move : &stay, b->fingerprints[i], item);
        }
        b = b == &old ? bucket_next(b) : free_overflow(table, b);
    }
    if (table->hooks.after_split) table->hooks.after_split(table->hooks.context, from, to);
}

static void merge(struct table *table)
{
    size_t from = table->buckets - 1;
    size_t to = merge_target(from);

    if (table->hooks.before_merge) table->hooks.before_merge(table->hooks.context, from, to);
    struct chain chain = chain_open(bucket_at(table, to));
    struct bucket *home = bucket_at(table, from);
    for (struct bucket *b = home; b != NULL;) {
        for (unsigned i = 0; i < bucket_count(b); i++)
            append(table, &chain, b->fingerprints[i], bucket_slot(b, i));
        b = b == home ? bucket_next(b) : free_overflow(table, b);
    }
    bucket_pop(table);
    if (table->buckets == 1) table->longest = chain_length(bucket_at(table, 0));
}

/* A split is known some inserts ahead: each of the last three loads what the next one reads. */
static void prepare_split(const struct table *table)
{
    size_t left = GROW_ABOVE(table->buckets) - table->count;
    if (left > 2) return;

    const struct bucket *b = bucket_at(table, split_point(table));
    if (left == 2) {
        prefetch(b);
    } else if (left == 1) {
        bucket_prefetch_slots(b);
    } else {
        while ((b = bucket_next(b)) != NULL) bucket_prefetch_slots(b);
    }
}

static void prepare_merge(const struct table *table)
{
    size_t left = table->count - SHRINK_BELOW(table->buckets);
    if (left > 1 || table->buckets == 1) return;

    const struct bucket *from = bucket_at(table, table->buckets - 1);
    const struct bucket *to = bucket_at(table, merge_target(table->buckets - 1));
    if (left == 1) {
        prefetch(from);
        prefetch(to);
    } else {
        if (from->meta & BUCKET_OVERFLOWS) prefetch(bucket_next(from));
        if (to->meta & BUCKET_OVERFLOWS) prefetch(bucket_next(to));
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

struct table *table_new(const struct table_hooks *hooks)
{
    struct table *table = mem_zalloc(sizeof *table);
    table->hooks = *hooks;
    table->directory = &table->first;
    table->directory_size = 1;
    table->chunks = 1;
    table->mask = 1;
    table->buckets = 1;
    table->first_size = 1;
    table->first = chunk_new(table, 1);
    bucket_clear(table->first);
    return table;
}

void table_free(struct table *table, void (*free_item)(void *item))
{
    if (table == NULL) return;
    for (size_t index = 0; index < table->buckets; index++) {
        struct bucket *home = bucket_at(table, index);
        if (free_item && index + 1 < table->buckets)
            bucket_prefetch_slots(bucket_at(table, index + 1));
        for (struct bucket *b = home; b != NULL;) {
            for (unsigned i = 0; free_item && i < bucket_count(b); i++)
                free_item(bucket_slot(b, i));
            b = b == home ? bucket_next(b) : free_overflow(table, b);
        }
    }
    check(table->overflow_buckets == 0);
    for (uint32_t i = 0; i < table->chunks; i++) mem_free(table->directory[i]);
    if (table->directory != &table->first) mem_free(table->directory);
    mem_free(table);
}

size_t table_count(const struct table *table)
{
    return table->count;
}

size_t table_buckets(const struct table *table)
{
    return table->buckets;
}

size_t table_memory(const struct table *table)
{
    size_t bytes = mem_good_size(sizeof *table) + table->chunk_bytes;
    if (table->directory_size > 1)
        bytes += mem_good_size(table->directory_size * sizeof *table->directory);
    return bytes + table->overflow_buckets * sizeof(struct bucket);
}

/* ---- look-up --------------------------------------------------------------------------------- */

void table_prefetch_bucket(const struct table *table, uint64_t hash)
{
    prefetch(bucket_at(table, index_of(table, hash)));
}

/* What a comparison mostly reads of an item: it may stand in two lines. */
#define ITEM_BYTES_COMPARED 32

void table_prefetch_items(const struct table *table, uint64_t hash)
{
    const struct bucket *home = bucket_at(table, index_of(table, hash));
    uint8_t fingerprint = fingerprint_of(hash);

    for (unsigned found = bucket_candidates(home, fingerprint); found != 0; found &= found - 1) {
        const char *item = bucket_slot(home, (unsigned)__builtin_ctz(found));
        prefetch(item);
        prefetch(item + ITEM_BYTES_COMPARED - 1);
    }
    if (home->meta & BUCKET_OVERFLOWS && bucket_filter_passes(home, fingerprint))
        prefetch(bucket_slot(home, BUCKET_LINK));
}

void *table_guess(const struct table *table, uint64_t hash)
{
    const struct bucket *home = bucket_at(table, index_of(table, hash));
    uint8_t fingerprint = fingerprint_of(hash);

    for (const struct bucket *b = home; b != NULL; b = bucket_next(b)) {
        unsigned found = bucket_candidates(b, fingerprint);
        if (found != 0) return bucket_slot(b, (unsigned)__builtin_ctz(found));
        if (b == home && !bucket_filter_passes(home, fingerprint)) break;
    }
    return NULL;
}

struct table_place table_locate(const struct table *table, uint64_t hash, const void *key)
{
    struct table_place place = {NULL, 0, index_of(table, hash)};
    struct bucket *home = bucket_at(table, place.index);
    uint8_t fingerprint = fingerprint_of(hash);

    for (struct bucket *b = home; b != NULL; b = bucket_next(b)) {
        unsigned found = bucket_candidates(b, fingerprint);
        for (; found != 0; found &= found - 1) {
            unsigned slot = (unsigned)__builtin_ctz(found);
            if (!table->hooks.matches(table->hooks.context, bucket_slot(b, slot), key)) continue;
            place.bucket = b;
            place.slot = slot;
            return place;
        }
        if (b == home && !bucket_filter_passes(home, fingerprint)) break;
    }
    return place;
}

void *table_find(const struct table *table, uint64_t hash, const void *key)
{
    struct table_place place = table_locate(table, hash, key);
    return place.bucket == NULL ? NULL : bucket_slot(place.bucket, place.slot);
}

void *table_at(struct table_place place)
{
    return bucket_slot(place.bucket, place.slot);
}

void table_replace(struct table_place place, void *item)
{
    bucket_set_slot(place.bucket, place.slot, item);
}

/* ---- change ---------------------------------------------------------------------------------- */

void table_insert(struct table *table, uint64_t hash, void *item)
{
    struct chain chain = chain_open(bucket_at(table, index_of(table, hash)));
    append(table, &chain, fingerprint_of(hash), item);
    table->count++;

    for (int i = 0; i < STEPS_MAX && table->count > GROW_ABOVE(table->buckets); i++) split(table);
    if (table->count <= GROW_ABOVE(table->buckets)) prepare_split(table);
}

void table_remove(struct table *table, struct table_place place)
{
    check(place.bucket != NULL);
    table->overflow_buckets -=
        chain_remove(bucket_at(table, place.index), place.bucket, place.slot);
    table->count--;

    for (int i = 0; i < STEPS_MAX && table->count < SHRINK_BELOW(table->buckets); i++)
        if (table->buckets > 1) merge(table);
    if (table->count >= SHRINK_BELOW(table->buckets)) prepare_merge(table);
}
