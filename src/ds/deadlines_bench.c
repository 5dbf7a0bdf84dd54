/* What deadlines cost: bytes per key, time per key to set, to move, to expire. The owner is a table of small
 * entries, as in the keyspace, so that looking an item up costs what it costs there.
 *   deadlines-bench [keys]   (default 1000000) */
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "ds/deadlines.h"
#include "ds/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define START_MS 1700000000000
#define NONE     INT64_MIN

struct item {
    char header[8];
    int64_t deadline_ms;
    uint64_t number;
    char rest[24]; /* 48 bytes, like an entry */
};

static const struct hash_secret secret = {0x0123456789abcdef, 0xfedcba9876543210};

static uint64_t hash_number(uint64_t number)
{
    uint64_t key[2] = {number, number};
    return hash_keyed(&secret, key, sizeof key);
}

static uint64_t hash_item(const void *context, const void *item)
{
    (void)context;
    return hash_number(((const struct item *)item)->number);
}

/* The key is the hash alone: what the wheel asks with. */
static bool match_item(const void *context, const void *item, const void *key)
{
    return hash_item(context, item) == *(const uint64_t *)key;
}

/* The thread's own time: what else runs on the machine does not count. */
static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct run {
    struct table *table;
    struct deadlines *deadlines;
    struct deadlines_owner owner;
    struct random random;
    uint64_t keys, asked, expired;
    double since_ns;
};

static enum deadline_verdict on_due(void *context, uint64_t hash, int64_t now_ms,
                                    int64_t *deadline_ms)
{
    struct run *run = context;
    struct table_place place = table_locate(run->table, hash, &hash);
    run->asked++;
    if (place.bucket == NULL) return DEADLINE_STALE;
    struct item *item = table_at(place);
    if (now_ms == INT64_MIN || item->deadline_ms > now_ms) {
        *deadline_ms = item->deadline_ms;
        return DEADLINE_LATER;
    }
    table_remove(run->table, place);
    mem_free(item);
    run->expired++;
    return DEADLINE_EXPIRED;
}

static void on_prefetch(void *context, uint64_t hash, bool far)
{
    struct run *run = context;
    if (far) table_prefetch_bucket(run->table, hash);
    else table_prefetch_items(run->table, hash);
}

static void start(struct run *run)
{
    run->since_ns = now_ns();
}

static void stop(const struct run *run, const char *what, uint64_t times)
{
    printf("%-44s %7.1f ns\n", what, (now_ns() - run->since_ns) / (double)times);
}

static void fill(struct run *run, int64_t far_ms, int64_t spread_ms)
{
    uint64_t *hashes = mem_alloc(run->keys * sizeof *hashes);
    int64_t *deadlines_ms = mem_alloc(run->keys * sizeof *deadlines_ms);
    run->deadlines = deadlines_new(START_MS);
    for (uint64_t n = 0; n < run->keys; n++) {
        struct item *item = mem_alloc(sizeof *item);
        item->number = n;
        item->deadline_ms = START_MS + far_ms;
        if (spread_ms > 0)
            item->deadline_ms += (int64_t)random_below(&run->random, (uint64_t)spread_ms);
        table_insert(run->table, hash_number(n), item);
        hashes[n] = hash_number(n);
        deadlines_ms[n] = item->deadline_ms;
    }
    start(run);
    for (uint64_t n = 0; n < run->keys; n++)
        deadlines_add(run->deadlines, hashes[n], deadlines_ms[n], NONE);
    stop(run, "set", run->keys);
    printf("%-44s %7.2f\n", "bytes per key",
           (double)deadlines_memory(run->deadlines) / (double)run->keys);
    mem_free(hashes);
    mem_free(deadlines_ms);
}

/* Finding the key before is timed apart. */
static double move_some(struct run *run, uint64_t moves, bool move)
{
    double since = now_ns();
    for (uint64_t i = 0; i < moves; i++) {
        uint64_t hash = hash_number(random_below(&run->random, run->keys));
        struct item *item = table_find(run->table, hash, &hash);
        int64_t before = item->deadline_ms;
        int64_t after = START_MS + 1 + (int64_t)random_below(&run->random, 3600000);
        if (!move) continue;
        item->deadline_ms = after;
        deadlines_add(run->deadlines, hash, after, before);
        if (i % 64 == 0) deadlines_advance(run->deadlines, START_MS, 256, &run->owner);
    }
    return (now_ns() - since) / (double)moves;
}

static void move_all(struct run *run)
{
    double alone = move_some(run, run->keys, false);
    double both = move_some(run, run->keys * 4, true);
    printf("%-44s %7.1f ns, sweeps included (finding the key: %.1f)\n",
           "move at random within an hour", both - alone, alone);
    printf("%-44s %7.2f\n", "bytes per key then",
           (double)deadlines_memory(run->deadlines) / (double)run->keys);
}

static void expire_all(struct run *run)
{
    run->asked = run->expired = 0;
    start(run);
    for (int64_t now = START_MS; run->expired < run->keys; now += 10)
        while (deadlines_advance(run->deadlines, now, 32, &run->owner) >= 32) continue;
    stop(run, "expire, look-ups and removals included", run->keys);
    printf("%-44s %7.2f\n\n", "look-ups per key", (double)run->asked / (double)run->keys);
    deadlines_free(run->deadlines);
}

int main(int argc, char **argv)
{
    struct table_hooks hooks = {.hash = hash_item, .matches = match_item};
    struct run run = {.keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000};
    run.table = table_new(&hooks);
    run.owner = (struct deadlines_owner){on_due, on_prefetch, &run};
    random_seed(&run.random, 1);

    printf("%lu keys, all in one hour\n", (unsigned long)run.keys);
    fill(&run, 3600000, 0);
    expire_all(&run);
    printf("%lu keys, at random within an hour\n", (unsigned long)run.keys);
    fill(&run, 0, 3600000);
    expire_all(&run);
    printf("%lu keys, at random within an hour, then moved\n", (unsigned long)run.keys);
    fill(&run, 0, 3600000);
    move_all(&run);
    expire_all(&run);
    table_free(run.table, mem_free);
    return 0;
}
