/* What the table costs: bytes per item while it grows from 1M to 2M items, time per operation, the
 * slowest single insert. Items are heap entries of 48 bytes with a 16-byte key, hashed by
 * SipHash-1-3, as the keyspace has them.   table-bench [items ...]   (default 1000000 8000000) */
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "ds/table.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KEY_BYTES 16
#define BATCH     16

struct item {
    char header[8];
    char key[KEY_BYTES + 1]; /* snprintf's zero */
    char value[48 - 8 - KEY_BYTES - 1];
};

static const struct hash_secret secret = {0x0123456789abcdef, 0xfedcba9876543210};

static uint64_t hash_item(const void *context, const void *item)
{
    (void)context;
    return hash_keyed(&secret, ((const struct item *)item)->key, KEY_BYTES);
}

static bool match_item(const void *context, const void *item, const void *key)
{
    (void)context;
    return memcmp(((const struct item *)item)->key, key, KEY_BYTES) == 0;
}

static const struct table_hooks hooks = {.hash = hash_item, .matches = match_item};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The thread's own time: what else runs on the machine does not count. A system call, so not for single
 * operations. */
static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void write_key(char key[KEY_BYTES + 1], uint64_t number)
{
    snprintf(key, KEY_BYTES + 1, "key:%012" PRIu64, number % 1000000000000);
}

static struct item *new_item(uint64_t number)
{
    struct item *item = mem_alloc(sizeof *item);
    write_key(item->key, number);
    return item;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void print_memory(void)
{
    struct table *table = table_new(&hooks);
    double sum = 0, most = 0;
    int steps = 0;

    for (uint64_t n = 0; n < 2000000; n++) {
        struct item *item = new_item(n);
        table_insert(table, hash_item(NULL, item), item);
        if (n + 1 >= 1000000 && (n + 1) % 62500 == 0) {
            double bytes = (double)table_memory(table) / (double)(n + 1);
            if ((n + 1) % 125000 == 0)
                printf("%8" PRIu64 " items: %5.2f bytes per item, %zu buckets\n", n + 1, bytes,
                       table_buckets(table));
            sum += bytes;
            steps++;
            if (bytes > most) most = bytes;
        }
    }
    printf("from 1M to 2M items: mean %.2f, worst %.2f bytes per item\n\n", sum / steps, most);
    table_free(table, mem_free);
}

/* ---- time ------------------------------------------------------------------------------------ */

struct run {
    struct table *table;
    struct random random;
    uint64_t items;
    char (*keys)[KEY_BYTES + 1]; /* drawn beforehand: the clock sees table work and hashing only */
    size_t draws;
};

static void draw_keys(struct run *run, uint64_t from)
{
    for (size_t i = 0; i < run->draws; i++)
        write_key(run->keys[i], from + random_below(&run->random, run->items));
}

static void bench_insert(struct run *run)
{
    double took = 0;
    struct item **items = mem_alloc(run->items * sizeof *items);
    for (uint64_t n = 0; n < run->items; n++) items[n] = new_item(n);
    double start = cpu_ns();
    for (uint64_t n = 0; n < run->items; n++)
        table_insert(run->table, hash_item(NULL, items[n]), items[n]);
    took = cpu_ns() - start;
    mem_free(items);
    printf("insert %6.1f ns\n", took / (double)run->items);
}

static void bench_find(struct run *run, const char *name, bool expected)
{
    size_t found = 0;
    double start = cpu_ns();
    for (size_t i = 0; i < run->draws; i++) {
        uint64_t hash = hash_keyed(&secret, run->keys[i], KEY_BYTES);
        found += table_find(run->table, hash, run->keys[i]) != NULL;
    }
    double took = cpu_ns() - start;
    if (found != (expected ? run->draws : 0)) abort();
    printf("%-6s %6.1f ns", name, took / (double)run->draws);

    start = cpu_ns();
    for (size_t i = 0; i + BATCH <= run->draws; i += BATCH) {
        uint64_t hash[BATCH];
        for (int k = 0; k < BATCH; k++) {
            hash[k] = hash_keyed(&secret, run->keys[i + k], KEY_BYTES);
            table_prefetch_bucket(run->table, hash[k]);
        }
        for (int k = 0; k < BATCH; k++) table_prefetch_items(run->table, hash[k]);
        for (int k = 0; k < BATCH; k++)
            found += table_find(run->table, hash[k], run->keys[i + k]) != NULL;
    }
    took = cpu_ns() - start;
    printf(", in batches of %d %6.1f ns\n", BATCH, took / (double)run->draws);
}

static void bench_random(struct run *run)
{
    size_t sum = 0;
    double start = cpu_ns();
    for (size_t i = 0; i < run->draws; i++)
        sum += (uintptr_t)table_random(run->table, &run->random);
    double took = cpu_ns() - start;
    if (sum == 0) abort();
    printf("random %6.1f ns\n", took / (double)run->draws);
}

/* Numbers below `items` in an order that looks random, each once. */
static uint64_t shuffled(uint64_t i, uint64_t items)
{
    return (i * 2654435761) % items; /* a prime, larger than any number of items tried here */
}

static void bench_remove(struct run *run)
{
    uint64_t removals = run->items / 16 * 15;
    char key[KEY_BYTES + 1];
    double start = cpu_ns();
    for (uint64_t i = 0; i < removals; i++) write_key(key, shuffled(i, run->items));
    double write_ns = cpu_ns() - start;

    start = cpu_ns();
    for (uint64_t i = 0; i < removals; i++) {
        write_key(key, shuffled(i, run->items));
        struct table_place place =
            table_locate(run->table, hash_keyed(&secret, key, KEY_BYTES), key);
        struct item *item = table_at(place);
        table_remove(run->table, place);
        mem_free(item);
    }
    double took = cpu_ns() - start - write_ns;
    printf("remove %6.1f ns, finding and freeing included; then %.2f bytes per item\n\n",
           took / (double)removals,
           (double)table_memory(run->table) / (double)table_count(run->table));
}

static void bench(uint64_t items)
{
    struct run run = {.table = table_new(&hooks), .items = items, .draws = 1000000};
    run.keys = mem_alloc(run.draws * sizeof *run.keys);
    random_seed(&run.random, 1);

    printf("%" PRIu64 " items\n", items);
    bench_insert(&run);
    draw_keys(&run, 0);
    bench_find(&run, "find", true);
    draw_keys(&run, items);
    bench_find(&run, "miss", false);
    bench_random(&run);
    bench_remove(&run);
    table_free(run.table, mem_free);
    mem_free(run.keys);
}

/* ---- the slowest single insert ---------------------------------------------------------------
 *
 * One run shows what the machine does between two readings of the clock (interrupts, other
 * programs). The same inserts are therefore done several times, on fresh pages, and each counts
 * with its best time. */

#define WORST_ITEMS 1000000
#define WORST_RUNS  7

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void print_worst(void)
{
    float *best = mem_alloc(WORST_ITEMS * sizeof *best);
    for (int run = 0; run < WORST_RUNS; run++) {
        struct table *table = table_new(&hooks);
        mem_purge();
        for (uint64_t n = 0; n < WORST_ITEMS; n++) {
            struct item *item = new_item(n);
            double start = now_ns();
            table_insert(table, hash_item(NULL, item), item);
            float took = (float)(now_ns() - start);
            if (run == 0 || took < best[n]) best[n] = took;
        }
        table_free(table, mem_free);
    }
    qsort(best, WORST_ITEMS, sizeof *best, compare_floats);
    printf("single inserts up to 1M items (clock included): p50 %.0f, p99 %.0f, p99.9 %.0f, "
           "p99.99 %.0f, worst %.0f ns\n\n",
           best[WORST_ITEMS / 2], best[WORST_ITEMS / 100 * 99], best[WORST_ITEMS / 1000 * 999],
           best[WORST_ITEMS / 10000 * 9999], best[WORST_ITEMS - 1]);
    mem_free(best);
}

static void bench_hash(void)
{
    char key[KEY_BYTES + 1];
    uint64_t sum = 0;
    write_key(key, 1);
    double start = cpu_ns();
    for (int i = 0; i < 10000000; i++) {
        uint64_t hash = hash_keyed(&secret, key, KEY_BYTES);
        memcpy(key, &hash, sizeof hash); /* each waits for the one before: latency */
        sum += hash;
    }
    printf("SipHash-1-3 of 16 bytes: %.1f ns (%" PRIx64 ")\n\n", (cpu_ns() - start) / 1e7, sum);
}

int main(int argc, char **argv)
{
    bench_hash();
    if (argc == 1) {
        print_memory();
        print_worst();
        bench(1000000);
        bench(8000000);
    }
    for (int i = 1; i < argc; i++) bench(strtoull(argv[i], NULL, 10));
    return 0;
}
