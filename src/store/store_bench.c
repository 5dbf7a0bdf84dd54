/* What the store costs without a server: time per operation at N keys (default 1,000,000), and resident
 * bytes per key for the rows of strings that the memory bar names.   store_bench [keys] */
#include "base/mem.h"
#include "store/snapshot.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOW   1700000000000
#define BATCH 16

/* CPU time: the machine has other work as well. */
static double now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static size_t resident(void)
{
    size_t pages = 0, all = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%zu %zu", &all, &pages) != 2) pages = 0;
    if (file != NULL) fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static const struct hash_secret secret = {0x0123456789abcdef, 0xfedcba9876543210};
static char filler[128];

/* Sixteen bytes, as bench/memory.py makes them. */
static struct span name_of(size_t i, char buffer[static 20])
{
    memcpy(buffer, "key:", 4);
    for (int at = 15; at >= 4; at--, i /= 10) buffer[at] = (char)('0' + i % 10);
    return span_of(buffer, 16);
}

/* ---- memory ---------------------------------------------------------------------------------- */

struct row {
    const char *label;
    size_t value_len; /* 0: an integer */
    int64_t ttl;
};

static void fill_row(struct store *store, const struct row *row, size_t from, size_t to)
{
    char buffer[20], digits[NUM_INT64_CHARS];
    for (size_t i = from; i < to; i++) {
        struct key key = store_key(store, name_of(i, buffer));
        struct span value = span_of(filler, row->value_len);
        if (row->value_len == 0)
            value = span_of(digits, num_format_int64(digits, (int64_t)i * 1000003));
        store_put_string(store, 0, &key, value, row->ttl, NO_EVENT);
    }
}

/* The slope between N and 2N keys, each row in a process of its own. */
static void measure_memory(size_t keys)
{
    const struct row rows[] = {{"string 16/16", 16, TTL_CLEAR},
                               {"string 16/16 ttl", 16, NOW + 100000000},
                               {"string 16/32", 32, TTL_CLEAR},
                               {"string 16/int", 0, TTL_CLEAR},
                               {"string 16/100", 100, TTL_CLEAR}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        fflush(stdout);
        if (fork() == 0) {
            struct store *store = store_new(16, &secret, NOW);
            fill_row(store, &rows[i], 0, keys);
            size_t before = resident();
            fill_row(store, &rows[i], keys, 2 * keys);
            double bytes = (double)(resident() - before) / (double)keys;
            printf("%-18s %6.1f bytes per key\n", rows[i].label, bytes);
            fflush(stdout);
            _exit(0);
        }
        int status;
        if (wait(&status) < 0 || status != 0) exit(1);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

struct bench {
    struct store *store;
    struct random random;
    size_t keys;
    bool prefetch;
};

typedef void bench_op(struct bench *bench, const struct key *key, size_t i);

static void op_set(struct bench *bench, const struct key *key, size_t i)
{
    filler[0] = (char)('a' + i % 26);
    store_put_string(bench->store, 0, key, span_of(filler, 16), TTL_CLEAR, NO_EVENT);
}
static void op_set_other_class(struct bench *bench, const struct key *key, size_t i)
{
    store_put_string(bench->store, 0, key, span_of(filler, 16 + i % 2 * 16), TTL_CLEAR, NO_EVENT);
}
static void op_get(struct bench *bench, const struct key *key, size_t i)
{
    static volatile size_t sink;
    char scratch[NUM_INT64_CHARS];
    const struct entry *e = store_find(bench->store, 0, key, 0);
    (void)i;
    sink = sink + (e == NULL ? 0 : (size_t)entry_string(e, scratch).ptr[0]);
}
static void op_incr(struct bench *bench, const struct key *key, size_t i)
{
    const struct entry *e = store_find(bench->store, 0, key, FIND_WRITE);
    int64_t value = 0;
    (void)i;
    if (e != NULL && !entry_string_int64(e, &value)) value = 0;
    store_put_int64(bench->store, 0, key, value + 1, TTL_KEEP, NO_EVENT);
}
static void op_expire(struct bench *bench, const struct key *key, size_t i)
{
    const struct entry *e = store_find(bench->store, 0, key, FIND_WRITE);
    int64_t deadline = NOW + 1000000 + (int64_t)(i % 1000) * 1000;
    if (e != NULL) store_set_deadline(bench->store, 0, key, deadline, NO_EVENT);
}
static void op_remove(struct bench *bench, const struct key *key, size_t i)
{
    (void)i;
    store_remove(bench->store, 0, key, REMOVE_NOW, NO_EVENT);
}

/* Batches of keys, as the engine gets them: hashed, then prefetched, then run. */
static void run(struct bench *bench, const char *label, bool in_order, bench_op *op)
{
    size_t rounds = bench->keys / BATCH;
    double begin = now_ns();
    for (size_t round = 0; round < rounds; round++) {
        char names[BATCH][20];
        struct key keys[BATCH];
        for (size_t i = 0; i < BATCH; i++) {
            size_t n = in_order ? round * BATCH + i : random_below(&bench->random, bench->keys);
            keys[i] = store_key(bench->store, name_of(n, names[i]));
            if (bench->prefetch) store_prefetch(bench->store, 0, keys[i].hash, 0);
        }
        for (size_t i = 0; i < BATCH && bench->prefetch; i++)
            store_prefetch(bench->store, 0, keys[i].hash, 1);
        for (size_t i = 0; i < BATCH; i++) op(bench, &keys[i], round * BATCH + i);
    }
    printf("%-34s %6.0f ns\n", label, (now_ns() - begin) / (double)(rounds * BATCH));
    fflush(stdout);
}

static void sink_nothing(void *context, const void *ptr, size_t len)
{
    (void)ptr;
    *(size_t *)context += len;
}

static void run_snapshot(struct bench *bench, const char *label, bool write)
{
    size_t bytes = 0;
    struct snapshot_sink sink = {sink_nothing, &bytes};
    struct snapshot *snapshot = snapshot_start(bench->store, &sink);
    if (write) {
        run(bench, label, false, op_set);
    } else {
        double begin = now_ns(), worst = 0;
        for (bool done = false; !done;) {
            double slice = now_ns();
            done = snapshot_walk(snapshot, 64 * 1024, SIZE_MAX);
            if (now_ns() - slice > worst) worst = now_ns() - slice;
        }
        printf("%-34s %6.0f ns a key, longest slice of 64 KB %.0f us\n", label,
               (now_ns() - begin) / (double)bench->keys, worst / 1000);
    }
    snapshot_end(snapshot);
}

static void measure_time(size_t keys, bool prefetch)
{
    struct bench bench = {store_new(16, &secret, NOW), {{1, 2, 3, 4}}, keys, prefetch};
    printf("-- %s\n", prefetch ? "batches of 16, prefetched" : "without prefetch");
    run(&bench, "SET new, 16/16", true, op_set);
    run(&bench, "SET overwrite, random", false, op_set);
    run(&bench, "SET overwrite, another class", false, op_set_other_class);
    run(&bench, "GET, random", false, op_get);
    run_snapshot(&bench, "SET overwrite under a snapshot", true);
    run_snapshot(&bench, "snapshot alone", false);
    run(&bench, "EXPIRE, random", false, op_expire);
    run(&bench, "EXPIRE again, random", false, op_expire);
    run(&bench, "INCR, random", false, op_incr);
    run(&bench, "INCR again, random", false, op_incr);
    run(&bench, "DEL, in order", true, op_remove);

    run(&bench, "SET new again", true, op_set);
    run(&bench, "EXPIRE all", true, op_expire);
    double begin = now_ns();
    store_set_now(bench.store, NOW + 10000000);
    size_t expired = store_expire_due(bench.store, NOW + 10000000, SIZE_MAX);
    printf("%-34s %6.0f ns (%zu keys)\n", "expiring all",
           (now_ns() - begin) / (double)(expired > 0 ? expired : 1), expired);
    store_free(bench.store);
}

int main(int argc, char **argv)
{
    size_t keys = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    memset(filler, 'v', sizeof(filler));
    mem_thread_register();
    measure_memory(keys / 2);
    measure_time(keys, true);
    measure_time(keys, false);
    return 0;
}
