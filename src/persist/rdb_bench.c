/* How fast RDB files are made and loaded.
 *   rdb_bench save KEYS VALUE_BYTES FILE     fills a store, saves it through an image, and by SAVE
 *   rdb_bench load FILE                      loads it on a thread
 *   rdb_bench dump FILE                      loads it; per key prints db, deadline, length and CRC of
 *                                            its DUMP payload, and the key
 *   rdb_bench copy FILE NEW-FILE             loads it and saves what it holds */
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "persist/image.h"
#include "persist/loader.h"
#include "persist/rdb_file.h"
#include "store/value_rdb.h"
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct hash_secret secret = {5, 6};

struct wait {
    struct loop *loop;
    int done;
    char error[256];
    uint64_t bytes;
};

static void on_saved(void *context, const char *error, uint64_t bytes)
{
    struct wait *wait = context;

    wait->done = 1;
    wait->bytes = bytes;
    snprintf(wait->error, sizeof wait->error, "%s", error);
}

static void on_loaded(void *context)
{
    ((struct wait *)context)->done = 1;
}

static int64_t thread_cpu_us(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static void fill(struct store *store, size_t keys, size_t value_bytes)
{
    char *value = mem_alloc(value_bytes + 1), name[32];
    uint64_t state = 1;

    for (size_t i = 0; i < keys; i++) {
        for (size_t at = 0; at < value_bytes; at++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            value[at] = (char)(' ' + (state >> 58));
        }
        size_t len = (size_t)snprintf(name, sizeof name, "key:%012zu", i);
        struct key key = store_key(store, span_of(name, len));
        store_put_string(store, 0, &key, span_of(value, value_bytes), TTL_CLEAR, NO_EVENT);
    }
    mem_free(value);
}

static int save(size_t keys, size_t value_bytes, char *path)
{
    struct wait wait = {.loop = loop_new()};
    struct worker *worker = worker_new("files", wait.loop);
    int64_t now_ms = clock_wall_ms(), began, longest = 0, longest_cpu = 0, walking = 0, calls = 0;
    struct store *store = store_new(16, &secret, now_ms);
    char dir[4096], name[4096], error[256];

    snprintf(dir, sizeof dir, "%s", path);
    snprintf(name, sizeof name, "%s", path);
    struct rdb_file_options file_options = {.dir = dirname(dir),
                                            .name = basename(name),
                                            .incremental_fsync = true,
                                            .done = on_saved,
                                            .context = &wait};
    struct image_options options = {.dir = file_options.dir,
                                    .loop = wait.loop,
                                    .worker = worker,
                                    .compress = true,
                                    .checksum = true,
                                    .now_ms = now_ms};
    fill(store, keys, value_bytes);

    began = clock_monotonic_us();
    struct image *image = image_start(store, &options);
    if (rdb_file_start(image, &file_options, error) == NULL) return fputs(error, stderr), 1;
    while (!wait.done) {
        int64_t start = clock_monotonic_us(), start_cpu = thread_cpu_us();
        enum image_walk walk = image_walk(image, (struct image_budget){64 * 1024, 200, SIZE_MAX});
        int64_t took = clock_monotonic_us() - start, cpu = thread_cpu_us() - start_cpu;
        walking += took, calls++;
        if (took > longest) longest = took;
        if (cpu > longest_cpu) longest_cpu = cpu;
        loop_turn(wait.loop, walk == IMAGE_MORE ? 0 : 1000);
    }
    double seconds = (double)(clock_monotonic_us() - began) / 1e6;
    printf("image  %.2f s  %.0f keys/s  %.1f MB/s  %s engine %.2f s in %lld calls, longest %lld us "
           "(%lld us of CPU)\n",
           seconds, (double)keys / seconds, (double)wait.bytes / seconds / 1e6, wait.error,
           (double)walking / 1e6, (long long)calls, (long long)longest, (long long)longest_cpu);
    image_release(image);

    began = clock_monotonic_us();
    options.inline_encoder = true;
    if (rdb_file_save(store, &options, &file_options, NULL, error, NULL) != OK)
        return fputs(error, stderr), 1;
    seconds = (double)(clock_monotonic_us() - began) / 1e6;
    printf("SAVE   %.2f s  %.0f keys/s\n", seconds, (double)keys / seconds);
    store_free(store);
    worker_free(worker);
    loop_free(wait.loop);
    return 0;
}

static void print_entry(void *context, void *item)
{
    const struct entry *entry = item;
    struct span key = entry_key(entry);
    int64_t deadline = entry_deadline(entry);
    struct buf payload = {0};
    uint64_t crc;

    value_dump(entry, true, &payload);
    memcpy(&crc, payload.ptr + payload.len - sizeof crc, sizeof crc);
    printf("%d %lld %zu %016llx %.*s\n", *(int *)context,
           deadline == NO_DEADLINE ? -1LL : (long long)deadline, payload.len,
           (unsigned long long)crc, (int)key.len, key.ptr);
    buf_release(&payload);
}

static int save_loaded(struct loader_outcome *outcome, char *path)
{
    struct store *store = store_new(16, &secret, clock_wall_ms());
    char dir[4096], name[4096], error[256];
    struct span functions[16];
    size_t count = outcome->function_count < 16 ? outcome->function_count : 16;

    snprintf(dir, sizeof dir, "%s", path);
    snprintf(name, sizeof name, "%s", path);
    struct rdb_file_options file_options = {.dir = dirname(dir), .name = basename(name)};
    for (size_t i = 0; i < count; i++) functions[i] = buf_span(&outcome->functions[i]);
    struct image_options options = {.compress = true,
                                    .checksum = true,
                                    .now_ms = clock_wall_ms(),
                                    .functions = functions,
                                    .function_count = count};
    store_replace_all(store, outcome->keyspaces);
    mem_free(outcome->keyspaces);
    outcome->keyspaces = NULL;
    enum err err = rdb_file_save(store, &options, &file_options, NULL, error, NULL);
    if (err != OK) fprintf(stderr, "%s\n", error);
    store_free(store);
    return err == OK ? 0 : 1;
}

static int load(const char *path, bool print, char *copy)
{
    struct wait wait = {.loop = loop_new()};
    struct loader_options options = {.databases = 16,
                                     .settings = value_settings_default(secret),
                                     .now_ms = clock_wall_ms(),
                                     .checksum = true,
                                     .silent = print,
                                     .loop = wait.loop,
                                     .done = on_loaded,
                                     .context = &wait};
    int64_t began = clock_monotonic_us();
    struct loader *loader = loader_open_file(path, &options);
    struct loader_outcome outcome;

    while (!wait.done) loop_turn(wait.loop, -1);
    double seconds = (double)(clock_monotonic_us() - began) / 1e6;
    loader_take(&loader, &outcome);
    if (outcome.err != OK) return fprintf(stderr, "%s\n", outcome.error), 1;
    for (int db = 0; print && db < 16; db++)
        for (size_t i = 0; i < table_buckets(outcome.keyspaces[db]->table); i++)
            table_visit(outcome.keyspaces[db]->table, i, print_entry, &db);
    if (!print)
        printf("load   %.2f s  %.0f keys/s  %.1f MB/s\n", seconds,
               (double)outcome.keys_loaded / seconds, (double)outcome.bytes / seconds / 1e6);
    if (copy != NULL && save_loaded(&outcome, copy) != 0) return 1;
    loader_outcome_release(&outcome);
    loop_free(wait.loop);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "save") == 0)
        return save(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), argv[4]);
    if (argc == 3 && strcmp(argv[1], "load") == 0) return load(argv[2], false, NULL);
    if (argc == 3 && strcmp(argv[1], "dump") == 0) return load(argv[2], true, NULL);
    if (argc == 4 && strcmp(argv[1], "copy") == 0) return load(argv[2], false, argv[3]);
    fputs("rdb_bench save KEYS VALUE_BYTES FILE | load FILE | dump FILE | copy FILE NEW\n", stderr);
    return 2;
}
