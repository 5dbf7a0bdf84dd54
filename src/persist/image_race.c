/* Threads around an image, for ThreadSanitizer: `make race`. Each round, from a seed: a store is
 * filled, an image made of it by its thread while the engine changes keys, reads and changes lists and hashes, savers write
 * files and some are aborted, now and then the image itself; a loader thread then reads the file back. A
 * complete file holds exactly what the store held. Prints the rounds done in argv[1] seconds. */
#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/random.h"
#include "io/clock.h"
#include "persist/image.h"
#include "persist/loader.h"
#include "persist/rdb_file.h"
#include "store/hash.h"
#include "store/list.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW_MS 1700000000000
#define SAVERS 2
#define LISTS  8
#define HASHES 8
static const struct hash_secret secret = {9, 10};

struct party {
    struct loop *loop;
    struct worker *worker;
    struct store *store;
    struct random *random;
    char dir[64];
    int under_way, ended, complete, loaded;
    uint64_t file_bytes;
};

static int threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    while (readdir(tasks) != NULL) count++;
    closedir(tasks);
    return count;
}

static void on_ready(void *context)
{
    (void)context;
}

static void on_saved(void *context, const char *error, uint64_t bytes)
{
    struct party *party = context;

    party->under_way--;
    party->ended++;
    if (error[0] != '\0') return;
    party->complete++;
    party->file_bytes = bytes;
}

static void on_loaded(void *context)
{
    ((struct party *)context)->loaded = 1;
}

static void put(struct party *party, uint64_t number, size_t len)
{
    char name[32], *value = mem_zalloc(len + 1);
    size_t name_len = (size_t)snprintf(name, sizeof name, "key:%llu", (unsigned long long)number);
    struct key key = store_key(party->store, span_of(name, name_len));

    memcpy(value, name, len < name_len ? len : name_len);
    store_put_string(party->store, (int)(number % 3), &key, span_of(value, len), TTL_CLEAR,
                     NO_EVENT);
    mem_free(value);
}

/* Long enough to be leased, most of them, and packed between their ends. */
static void push(struct party *party, uint64_t number, unsigned count)
{
    const struct value_settings *settings = store_settings(party->store);
    char name[32], text[64];
    size_t name_len = (size_t)snprintf(name, sizeof name, "list:%llu", (unsigned long long)number);
    struct key key = store_key(party->store, span_of(name, name_len));
    struct store_edit edit;

    store_edit_open(party->store, 0, &key, TYPE_LIST, &edit);
    for (unsigned i = 0; i < count; i++) {
        size_t len = (size_t)snprintf(text, sizeof text, "element %u of list %s", i, name);
        edit.entry = list_push(edit.entry, settings, QUICKLIST_TAIL, span_of(text, len));
    }
    store_edit_close(&edit, count, NO_EVENT);
}

static void read_list(struct party *party, uint64_t number)
{
    char name[32], scratch[NUM_INT64_CHARS];
    size_t name_len = (size_t)snprintf(name, sizeof name, "list:%llu", (unsigned long long)number);
    struct key key = store_key(party->store, span_of(name, name_len));
    const struct entry *e = store_find(party->store, 0, &key, 0);
    struct quicklist_walk walk;
    size_t elements = 0;

    for (bool more = list_walk_open(&walk, e, 0); more; more = quicklist_walk_next(&walk))
        elements += quicklist_walk_text(&walk, scratch).len > 8;
    quicklist_walk_close(&walk);
    check(elements == list_count(e));
}

static struct key hash_key(const struct party *party, uint64_t number, char name[static 32])
{
    int len = snprintf(name, 32, "hash:%llu", (unsigned long long)number);
    return store_key(party->store, span_of(name, (size_t)len));
}

/* Copied as a body by the snapshot, or leased, as it comes. */
static void fill_hash(struct party *party, uint64_t number, unsigned fields)
{
    const struct value_settings *settings = store_settings(party->store);
    char name[32], text[64];
    struct key key = hash_key(party, number, name);
    struct store_edit edit;
    bool added;

    store_edit_open(party->store, 0, &key, TYPE_HASH, &edit);
    for (unsigned i = 0; i < fields; i++) {
        struct span field =
            span_of(text, (size_t)snprintf(text, sizeof text, "field %u of %s", i, name));
        edit.entry = hash_put(edit.entry, field, field, settings, &added);
    }
    store_edit_close(&edit, fields, NO_EVENT);
}

/* Every way of reading, beside a thread that may read the same hash. */
static void read_hash(struct party *party, uint64_t number)
{
    char name[32], digits[NUM_INT64_CHARS];
    struct key key = hash_key(party, number, name);
    const struct entry *e = store_find(party->store, 0, &key, 0);
    struct hash_walk walk = hash_walk(e);
    struct hash_pair pair;
    struct span value;
    size_t fields = 0;

    for (; hash_next(&walk, &pair); fields++) {
        if (fields % 16 != 0) continue;
        check(hash_get(e, pair.field, digits, &value) && span_equal(value, pair.field));
    }
    check(fields == hash_count(e));
}

static size_t some_length(struct party *party)
{
    return random_below(party->random, 20) == 0 ? 65000 + random_below(party->random, 200000)
                                                : random_below(party->random, 300);
}

static void load_back(struct party *party, uint64_t keys)
{
    struct loader_options options = {.databases = 16,
                                     .settings = value_settings_default(secret),
                                     .now_ms = NOW_MS,
                                     .checksum = true,
                                     .silent = true,
                                     .loop = party->loop,
                                     .done = on_loaded,
                                     .context = party};
    struct loader_outcome outcome;
    struct loader_progress progress;
    char path[128];

    snprintf(path, sizeof path, "%s/race.rdb", party->dir);
    party->loaded = 0;
    struct loader *loader = loader_open_file(path, &options);
    while (!party->loaded) {
        loader_progress(loader, &progress);
        loop_turn(party->loop, 1000);
    }
    loader_take(&loader, &outcome);
    check(outcome.err == OK && outcome.keys_loaded == keys && outcome.bytes == party->file_bytes);
    loader_outcome_release(&outcome);
    unlink(path);
}

/* One image from start to its end, good or bad. */
static void make_image(struct party *party, uint64_t keys)
{
    struct image_options options = {.dir = party->dir,
                                    .loop = party->loop,
                                    .worker = party->worker,
                                    .compress = true,
                                    .checksum = true,
                                    .keep_head = true,
                                    .now_ms = NOW_MS,
                                    .ready = on_ready};
    struct rdb_file_options file_options = {.dir = party->dir,
                                            .name = "race.rdb",
                                            .incremental_fsync = true,
                                            .done = on_saved,
                                            .context = party};
    struct rdb_file *savers[SAVERS];
    struct image_progress progress;
    char error[256];
    bool doomed = random_below(party->random, 4) == 0;

    struct image *image = image_start(party->store, &options);
    check(image != NULL);
    for (int i = 0; i < SAVERS; i++) {
        savers[i] = rdb_file_start(image, &file_options, error);
        check(savers[i] != NULL);
    }
    party->under_way = SAVERS;
    for (;;) {
        struct image_budget budget = {20000, 1 + random_below(party->random, 50), SIZE_MAX};
        enum image_walk walk = image_walk(image, budget);
        image_progress(image, &progress);
        put(party, random_below(party->random, keys * 2), some_length(party));
        read_list(party, random_below(party->random, LISTS));
        if (random_below(party->random, 8) == 0) push(party, random_below(party->random, LISTS), 3);
        read_hash(party, random_below(party->random, HASHES));
        if (random_below(party->random, 8) == 0)
            fill_hash(party, random_below(party->random, HASHES), 3);
        if (walk == IMAGE_WALKED && image_state(image) != IMAGE_MAKING) break;
        if (walk == IMAGE_STOPPED) break;
        if (savers[1] != NULL && random_below(party->random, 20) == 0) {
            rdb_file_abort(savers[1]);
            savers[1] = NULL;
            party->under_way--;
        }
        if (doomed && random_below(party->random, 20) == 0) image_abort(image, "the dice");
        loop_turn(party->loop, walk == IMAGE_MORE ? 0 : 1000);
        if (party->ended > 0) savers[1] = NULL; /* it may be this one: it is gone */
    }
    image_release(image);
    while (party->under_way > 0) loop_turn(party->loop, 1000);
}

static void round_of(uint64_t seed, const char *dir)
{
    struct random random;
    struct party party = {.loop = loop_new(), .random = &random};
    uint64_t keys;

    random_seed(&random, seed);
    keys = 1 + random_below(&random, 3000);
    snprintf(party.dir, sizeof party.dir, "%s", dir);
    party.worker = worker_new("files", party.loop);
    party.store = store_new(16, &secret, NOW_MS);
    store_set_now(party.store, NOW_MS);
    for (uint64_t i = 0; i < keys; i++) put(&party, i, some_length(&party));
    store_settings(party.store)->list_compress_depth = 1;
    for (uint64_t i = 0; i < LISTS; i++) push(&party, i, 1 + (unsigned)random_below(&random, 9000));
    for (uint64_t i = 0; i < HASHES; i++)
        fill_hash(&party, i, 1 + (unsigned)random_below(&random, 5000));
    int before = threads();
    make_image(&party, keys);
    while (threads() > before) loop_turn(party.loop, 1000); /* what was aborted ends in its time */
    if (party.complete > 0) load_back(&party, keys + LISTS + HASHES);
    store_free(party.store);
    worker_free(party.worker);
    loop_free(party.loop);
}

int main(int argc, char **argv)
{
    int64_t seconds = 20, end_us;
    char dir[] = "/tmp/pando-race-XXXXXX";
    uint64_t seed = 0;

    if (argc > 1) check(num_parse_int64(span_of_cstr(argv[1]), &seconds));
    end_us = clock_monotonic_us() + seconds * 1000000;
    check(mkdtemp(dir) != NULL);
    while (clock_monotonic_us() < end_us) round_of(++seed, dir);
    rmdir(dir);
    printf("image_race: %llu rounds\n", (unsigned long long)seed);
    return 0;
}
