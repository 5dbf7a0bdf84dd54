/* An image holds the keys as they stood at its start, whatever happens while it is made; and it can
 * be given up at any time without anything staying behind. */
#include "base/mem.h"
#include "io/file.h"
#include "persist/image.h"
#include "persist/loader.h"
#include "persist/pace.h"
#include "persist/rdb_file.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_MS 1700000000000
static const struct hash_secret secret = {3, 4};
static const struct image_budget generous = {256 * 1024, 1000, SIZE_MAX};

struct world {
    struct loop *loop;
    struct worker *worker;
    struct store *store;
    char dir[64];
    int done;
    char error[256];
    uint64_t bytes;
};

static void world_init(struct world *world)
{
    *world = (struct world){.loop = loop_new()};
    world->worker = worker_new("files", world->loop);
    world->store = store_new(16, &secret, NOW_MS);
    store_set_now(world->store, NOW_MS);
    snprintf(world->dir, sizeof world->dir, "/tmp/pando-image-XXXXXX");
    cr_assert_not_null(mkdtemp(world->dir));
}

static int threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    while (readdir(tasks) != NULL) count++;
    closedir(tasks);
    return count;
}

static void put(struct world *world, int db, const char *name, struct span value, int64_t ttl)
{
    struct key key = store_key(world->store, span_of_cstr(name));

    store_put_string(world->store, db, &key, value, ttl, NO_EVENT);
}

static void drop(struct world *world, int db, const char *name)
{
    struct key key = store_key(world->store, span_of_cstr(name));

    cr_assert(store_remove(world->store, db, &key, REMOVE_NOW, NO_EVENT));
}

static int files_in(const char *dir)
{
    DIR *folder = opendir(dir);
    struct dirent *found;
    int count = 0;

    while ((found = readdir(folder)) != NULL) count += found->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void world_release(struct world *world)
{
    char path[100];

    snprintf(path, sizeof path, "%s/dump.rdb", world->dir);
    unlink(path);
    store_free(world->store);
    worker_free(world->worker);
    loop_run_posted(world->loop);
    loop_free(world->loop);
    cr_assert_eq(files_in(world->dir), 0, "nothing stays behind");
    rmdir(world->dir);
}

static struct image_options options_of(struct world *world, bool inline_encoder)
{
    return (struct image_options){
        .dir = world->dir,
        .loop = inline_encoder ? NULL : world->loop,
        .worker = inline_encoder ? NULL : world->worker,
        .inline_encoder = inline_encoder,
        .compress = true,
        .checksum = true,
        .keep_head = true,
        .now_ms = NOW_MS,
        .repl_id = "0123456789abcdef0123456789abcdef01234567",
        .repl_offset = 42,
        .repl_stream_db = 1,
    };
}

/* 2000 small keys in two databases, every third with a deadline, and ten values of 100 KB. */
static void fill(struct world *world)
{
    char *big = mem_alloc(100000);

    for (int i = 0; i < 2000; i++) {
        char name[20];
        snprintf(name, sizeof name, "key:%d", i);
        put(world, i & 1, name, span_of_cstr(name), i % 3 == 0 ? NOW_MS + 1000000 + i : TTL_CLEAR);
    }
    for (int i = 0; i < 10; i++) {
        char name[20];
        snprintf(name, sizeof name, "big:%d", i);
        memset(big, 'a' + i, 100000);
        put(world, 0, name, span_of(big, 100000), TTL_CLEAR);
    }
    mem_free(big);
}

/* Changes of all sorts between two slices of the walk. */
static void disturb(struct world *world, int round)
{
    char name[20];

    snprintf(name, sizeof name, "key:%d", round * 7 % 2000);
    put(world, round * 7 & 1, name, SPAN("changed"), TTL_CLEAR);
    snprintf(name, sizeof name, "new:%d", round);
    put(world, 5, name, SPAN("new"), TTL_CLEAR);
    if (round < 10) {
        snprintf(name, sizeof name, "big:%d", round);
        drop(world, 0, name);
    }
    if (round == 12) store_swap(world->store, 0, 1);
    if (round == 15) store_flush(world->store, 1, false);
}

static void expect_filled(const struct loader_outcome *outcome)
{
    char scratch[NUM_INT64_CHARS];

    cr_assert_eq(outcome->err, OK, "%s", outcome->error);
    cr_assert_eq(outcome->keys_loaded, 2010);
    for (int i = 0; i < 2000; i++) {
        char name[20];
        snprintf(name, sizeof name, "key:%d", i);
        struct key key = keyspace_key(outcome->keyspaces[i & 1], span_of_cstr(name));
        const struct entry *entry = keyspace_find(outcome->keyspaces[i & 1], &key);
        cr_assert_not_null(entry, "%s", name);
        cr_assert(span_equal(entry_string(entry, scratch), span_of_cstr(name)), "%s", name);
        cr_assert_eq(entry_deadline(entry), i % 3 == 0 ? NOW_MS + 1000000 + i : NO_DEADLINE);
    }
    for (int i = 0; i < 10; i++) {
        char name[20];
        snprintf(name, sizeof name, "big:%d", i);
        struct key key = keyspace_key(outcome->keyspaces[0], span_of_cstr(name));
        const struct entry *entry = keyspace_find(outcome->keyspaces[0], &key);
        cr_assert_not_null(entry);
        cr_assert_eq(entry_string_len(entry), 100000);
        cr_assert_eq(entry_string(entry, scratch).ptr[99999], 'a' + i);
    }
    cr_assert_eq(outcome->repl_offset, 42);
    cr_assert_eq(outcome->repl_stream_db, 1);
}

static struct loader_options loading(void)
{
    return (struct loader_options){
        .databases = 16,
        .settings = value_settings_default(secret),
        .now_ms = NOW_MS,
        .checksum = true,
        .silent = true,
        .inline_loading = true,
    };
}

/* Everything that a reader gets from offset 0 on, inline images only. */
static struct buf read_all(struct image *image)
{
    struct spool_cursor *cursor = image_open(image, 0);
    struct iovec iov[8];
    struct buf all = {0};
    int count;

    cr_assert_not_null(cursor);
    while (spool_peek(cursor, iov, &count, 8, 1 << 20, NULL, NULL) == SPOOL_BYTES) {
        size_t len = 0;
        for (int i = 0; i < count; i++) {
            buf_append(&all, iov[i].iov_base, iov[i].iov_len);
            len += iov[i].iov_len;
        }
        spool_advance(cursor, len);
    }
    image_close(image, cursor);
    return all;
}

static struct loader_outcome load(struct span bytes)
{
    struct loader_options options = loading();
    struct loader *loader = loader_open_feed(bytes.len, &options);
    struct loader_outcome outcome;

    loader_feed(loader, bytes.ptr, bytes.len);
    loader_feed_end(loader);
    loader_take(&loader, &outcome);
    return outcome;
}

Test(image, inline_holds_the_start_whatever_changes)
{
    struct world world;
    struct image *image;
    int round = 0;

    world_init(&world);
    fill(&world);
    struct image_options options = options_of(&world, true);
    image = image_start(world.store, &options);
    while (image_walk(image, (struct image_budget){1000, 10, SIZE_MAX}) != IMAGE_WALKED)
        disturb(&world, round++);
    cr_assert_gt(round, 16, "the walk must be disturbed to prove anything");
    cr_assert_eq(image_state(image), IMAGE_COMPLETE);
    struct buf all = read_all(image);
    struct buf again = read_all(image); /* a late reader */
    cr_assert(span_equal(buf_span(&all), buf_span(&again)));
    struct image_progress progress;
    image_progress(image, &progress);
    cr_assert_eq(progress.keys_encoded, 2010);
    cr_assert_eq(progress.rdb_bytes, all.len);
    cr_assert_eq(progress.expected_bytes, all.len);
    cr_assert_eq(progress.records_behind, 0);
    image_release(image);

    struct loader_outcome outcome = load(buf_span(&all));
    expect_filled(&outcome);
    loader_outcome_release(&outcome);
    buf_release(&all);
    buf_release(&again);
    world_release(&world);
}

Test(image, a_budget_of_keys_is_kept_to_within_a_bucket)
{
    struct world world;

    world_init(&world);
    fill(&world);
    struct image_options options = options_of(&world, true);
    struct image *image = image_start(world.store, &options);
    struct image_progress before, after;
    image_progress(image, &before);
    cr_assert_eq(image_walk(image, (struct image_budget){1 << 20, 1000, 0}), IMAGE_MORE);
    image_progress(image, &after);
    cr_assert_eq(after.keys_walked, 0);
    for (int i = 0; i < 20; i++) {
        image_progress(image, &before);
        image_walk(image, (struct image_budget){1 << 20, 1000, 1});
        image_progress(image, &after);
        cr_assert_gt(after.keys_walked, before.keys_walked);
        cr_assert_leq(after.keys_walked - before.keys_walked, 64);
    }
    image_release(image);
    world_release(&world);
}

Test(image, a_pace_allows_so_many_keys_in_so_much_time)
{
    struct pace pace = {0};

    cr_assert(pace_may(&pace, 1000));
    pace_spend(&pace, 1000, 5, 200); /* five keys of 200 us */
    cr_assert_not(pace_may(&pace, 1999));
    cr_assert(pace_may(&pace, 2000));
    pace_spend(&pace, 2000, 25, -10); /* a microsecond per ten keys: two, and five keys of credit */
    cr_assert_not(pace_may(&pace, 2001));
    cr_assert(pace_may(&pace, 2002));
    pace_spend(&pace, 2002, 5, -10);
    cr_assert_not(pace_may(&pace, 2002));
    pace_spend(&pace, 2003, 1000, 0);
    cr_assert(pace_may(&pace, 2003));
}

static void on_saved(void *context, const char *error, uint64_t bytes)
{
    struct world *world = context;

    world->done++;
    snprintf(world->error, sizeof world->error, "%s", error);
    world->bytes = bytes;
    loop_stop(world->loop);
}

static struct rdb_file_options saving(struct world *world)
{
    return (struct rdb_file_options){
        .dir = world->dir,
        .name = "dump.rdb",
        .incremental_fsync = true,
        .done = on_saved,
        .context = world,
    };
}

static struct loader_outcome load_dump(struct world *world)
{
    struct loader_options options = loading();
    struct loader_outcome outcome;
    char path[100];

    snprintf(path, sizeof path, "%s/dump.rdb", world->dir);
    struct loader *loader = loader_open_file(path, &options);
    loader_take(&loader, &outcome);
    return outcome;
}

Test(image, threads_make_the_same_file)
{
    struct world world;
    char error[256];
    int round = 0, before;

    world_init(&world);
    before = threads();
    fill(&world);
    struct image_options options = options_of(&world, false);
    struct rdb_file_options file_options = saving(&world);
    struct image *image = image_start(world.store, &options);
    cr_assert_not_null(rdb_file_start(image, &file_options, error));
    for (;;) {
        enum image_walk walk = image_walk(image, (struct image_budget){1000, 10, SIZE_MAX});
        if (walk == IMAGE_WALKED) break;
        if (walk == IMAGE_BEHIND) loop_turn(world.loop, 1000);
        else disturb(&world, round++);
    }
    while (!world.done || image_state(image) == IMAGE_MAKING) loop_turn(world.loop, 100000);
    cr_assert_str_eq(world.error, "");
    cr_assert_eq(image_state(image), IMAGE_COMPLETE);
    image_release(image);
    while (threads() > before) loop_turn(world.loop, 1000);

    struct loader_outcome outcome = load_dump(&world);
    expect_filled(&outcome);
    cr_assert_eq(outcome.bytes, world.bytes);
    loader_outcome_release(&outcome);
    world_release(&world);
}

Test(image, save_needs_no_image)
{
    struct world world;
    char error[256];
    uint64_t bytes;

    world_init(&world);
    fill(&world);
    struct image_options options = options_of(&world, true);
    struct rdb_file_options file_options = saving(&world);
    cr_assert_eq(rdb_file_save(world.store, &options, &file_options, NULL, error, &bytes), OK);
    cr_assert_eq(files_in(world.dir), 1);
    struct loader_outcome outcome = load_dump(&world);
    expect_filled(&outcome);
    cr_assert_eq(outcome.bytes, bytes);
    loader_outcome_release(&outcome);
    for (int i = 0; i < 10; i++) { /* no lease is left behind */
        char name[20];
        snprintf(name, sizeof name, "big:%d", i);
        struct key key = store_key(world.store, span_of_cstr(name));
        cr_assert_not(store_would_wait(world.store, 0, &key));
    }
    world_release(&world);
}

static bool refuse(void *context)
{
    (void)context;
    return false;
}

Test(image, a_save_that_fails_leaves_the_old_file)
{
    struct world world;
    char error[256];
    struct stat before, after;
    char path[100];

    world_init(&world);
    fill(&world);
    struct image_options options = options_of(&world, true);
    struct rdb_file_options file_options = saving(&world);
    cr_assert_eq(rdb_file_save(world.store, &options, &file_options, NULL, error, NULL), OK);
    snprintf(path, sizeof path, "%s/dump.rdb", world.dir);
    stat(path, &before);
    cr_assert_eq(rdb_file_save(world.store, &options, &file_options, refuse, error, NULL),
                 ERR_LIMIT);
    stat(path, &after);
    cr_assert_eq(before.st_ino, after.st_ino);
    cr_assert_eq(files_in(world.dir), 1);

    file_options.dir = "/nowhere";
    cr_assert_eq(rdb_file_save(world.store, &options, &file_options, NULL, error, NULL), ERR_IO);
    cr_assert_not_null(strstr(error, "No such file"), "%s", error);
    world_release(&world);
}

Test(image, an_aborted_saver_leaves_no_file_and_the_image_goes_on)
{
    struct world world;
    char error[256];
    int before;

    world_init(&world);
    before = threads();
    fill(&world);
    struct image_options options = options_of(&world, false);
    struct rdb_file_options file_options = saving(&world);
    struct image *image = image_start(world.store, &options);
    struct rdb_file *file = rdb_file_start(image, &file_options, error);
    image_walk(image, (struct image_budget){1000, 10, SIZE_MAX});
    cr_assert(rdb_file_abort(file));
    cr_assert_eq(files_in(world.dir), 0);
    while (image_walk(image, generous) != IMAGE_WALKED) loop_turn(world.loop, 1000);
    while (image_state(image) == IMAGE_MAKING) loop_turn(world.loop, 100000);
    cr_assert_eq(image_state(image), IMAGE_COMPLETE);
    image_release(image);
    while (threads() > before) loop_turn(world.loop, 1000);
    cr_assert_eq(world.done, 0);
    world_release(&world);
}

Test(image, an_aborted_image_fails_its_saver_and_lets_values_go)
{
    struct world world;
    char error[256];
    int before;

    world_init(&world);
    before = threads();
    fill(&world);
    struct image_options options = options_of(&world, false);
    struct rdb_file_options file_options = saving(&world);
    struct image *image = image_start(world.store, &options);
    cr_assert_not_null(rdb_file_start(image, &file_options, error));
    image_walk(image, (struct image_budget){1000, 10, SIZE_MAX});
    for (int i = 0; i < 10; i++) disturb(&world, i);
    image_abort(image, "the folder is gone");
    cr_assert_eq(image_walk(image, generous), IMAGE_STOPPED);
    cr_assert_eq(image_state(image), IMAGE_FAILED);
    cr_assert_str_eq(image_error(image), "the folder is gone");
    while (!world.done) loop_turn(world.loop, 100000);
    cr_assert_not_null(strstr(world.error, "the folder is gone"), "%s", world.error);
    image_release(image);
    while (threads() > before) loop_turn(world.loop, 1000);
    cr_assert_eq(files_in(world.dir), 0);
    world_release(&world);
}

/* What a driver does that hears of a failed image: it lets go in the middle of `ready`. */
struct owner {
    struct image *image;
    int told;
};

static void let_go_when_failed(void *context)
{
    struct owner *owner = context;

    owner->told++;
    if (owner->image == NULL || image_state(owner->image) != IMAGE_FAILED) return;
    image_release(owner->image);
    owner->image = NULL;
}

Test(image, an_owner_may_let_go_while_it_is_told)
{
    struct world world;
    struct owner owner = {0};
    int before;

    world_init(&world);
    before = threads();
    fill(&world);
    struct image_options options = options_of(&world, false);
    options.ready = let_go_when_failed;
    options.context = &owner;
    owner.image = image_start(world.store, &options);
    image_abort(owner.image, "no room");
    while (owner.image != NULL) loop_turn(world.loop, 100000);
    cr_assert_gt(owner.told, 0);
    while (threads() > before) loop_turn(world.loop, 1000);
    world_release(&world);
}

/* Values that LZF cannot pack. */
static void fill_with_noise(struct world *world, int count, size_t len)
{
    char *value = mem_alloc(len), name[20];
    uint64_t state = 1;

    for (int i = 0; i < count; i++) {
        for (size_t at = 0; at < len; at++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            value[at] = (char)(state >> 56);
        }
        snprintf(name, sizeof name, "key:%d", i);
        put(world, 0, name, span_of(value, len), TTL_CLEAR);
    }
    mem_free(value);
}

Test(image, without_room_it_stands_still_until_its_reader_makes_some)
{
    struct world world;
    struct spool_room *room = spool_room_new(1); /* nothing fits */
    struct image_progress progress;
    int before;

    world_init(&world);
    before = threads();
    fill_with_noise(&world, 800, 50000); /* 40 MB */
    struct image_options options = options_of(&world, false);
    options.room = room;
    struct image *image = image_start(world.store, &options);
    while (!image_short_of_room(image))
        if (image_walk(image, generous) != IMAGE_MORE) loop_turn(world.loop, 1000);
    struct spool_cursor *cursor = image_open(image, 0);
    image_release_head(image);
    uint64_t read = 0;
    for (enum spool_read state = SPOOL_BYTES; state != SPOOL_END;) {
        struct iovec iov;
        int count;

        if (image_walk(image, generous) != IMAGE_MORE) loop_turn(world.loop, 1000);
        image_progress(image, &progress);
        cr_assert_leq(progress.memory, 32u * 1024 * 1024, "%" PRIu64, progress.memory);
        cr_assert_eq(progress.disk, 0);
        cr_assert_neq(image_state(image), IMAGE_FAILED, "%s", image_error(image));
        state = spool_peek(cursor, &iov, &count, 1, 1 << 20, NULL, NULL);
        if (state != SPOOL_BYTES) continue;
        spool_advance(cursor, iov.iov_len);
        read += iov.iov_len;
    }
    image_progress(image, &progress);
    cr_assert_eq(read, progress.rdb_bytes);
    cr_assert_not(image_short_of_room(image));
    image_close(image, cursor);
    image_release(image);
    while (threads() > before) loop_turn(world.loop, 1000);
    spool_room_drop(room);
    world_release(&world);
}

/* Nothing takes the records until the engine walks: an encoder that does not get on. */
Test(image, the_door_waits_for_nobody_and_its_copies_go_to_disk)
{
    struct world world;
    struct image_progress progress;
    char name[20];

    world_init(&world);
    fill_with_noise(&world, 300, 50000); /* 15 MB */
    struct image_options options = options_of(&world, true);
    struct image *image = image_start(world.store, &options);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "key:%d", i);
        put(&world, 0, name, SPAN("changed"), TTL_CLEAR);
    }
    image_progress(image, &progress);
    cr_assert_eq(progress.keys_encoded, 0);
    cr_assert_gt(progress.door_bytes, 15000000);
    cr_assert_gt(progress.disk, 10000000);
    cr_assert_leq(progress.memory, IMAGE_RECORDS_MEMORY + 256 * 1024, "%" PRIu64, progress.memory);
    cr_assert_eq(files_in(world.dir), 0, "the file has no name");
    while (image_walk(image, generous) != IMAGE_WALKED) {}
    cr_assert_eq(image_state(image), IMAGE_COMPLETE);
    struct buf all = read_all(image);
    image_release(image);
    struct loader_outcome outcome = load(buf_span(&all));
    cr_assert_eq(outcome.err, OK, "%s", outcome.error);
    struct key key = keyspace_key(outcome.keyspaces[0], SPAN("key:299"));
    cr_assert_eq(entry_string_len(keyspace_find(outcome.keyspaces[0], &key)), 50000);
    loader_outcome_release(&outcome);
    buf_release(&all);
    world_release(&world);
}

Test(image, the_walker_leases_few_values_ahead)
{
    struct world world;
    struct image_progress progress;

    world_init(&world);
    fill_with_noise(&world, 300, 100000); /* 30 MB */
    struct image_options options = options_of(&world, true);
    struct image *image = image_start(world.store, &options);
    cr_assert_eq(image_walk(image, generous), IMAGE_MORE);
    image_progress(image, &progress);
    /* What was leased before the bound was passed, and one bucket's values at the most. */
    cr_assert_leq(progress.keys_walked, IMAGE_LEASED_AHEAD / 100000 + 64);
    image_release(image);
    world_release(&world);
}

Test(image, memory_stays_bounded_when_nobody_reads)
{
    struct world world;
    int before;

    world_init(&world);
    before = threads();
    fill_with_noise(&world, 1000, 50000); /* 50 MB */
    struct image_options options = options_of(&world, false);
    struct image *image = image_start(world.store, &options);
    struct image_progress progress;
    size_t most = 0;
    do {
        if (image_walk(image, generous) != IMAGE_MORE) loop_turn(world.loop, 1000);
        image_progress(image, &progress);
        if (progress.memory > most) most = progress.memory;
    } while (image_state(image) == IMAGE_MAKING);
    cr_assert_eq(image_state(image), IMAGE_COMPLETE);
    cr_assert_gt(progress.rdb_bytes, 50000000);
    cr_assert_gt(progress.disk, 20000000);
    cr_assert_leq(most, 24u * 1024 * 1024, "%zu", most);

    struct rdb_file_options file_options = saving(&world);
    char error[256];
    cr_assert_not_null(rdb_file_start(image, &file_options, error), "a late reader");
    image_release(image); /* the reader keeps it alive */
    while (!world.done) loop_turn(world.loop, 100000);
    while (threads() > before) loop_turn(world.loop, 1000);
    struct loader_outcome outcome = load_dump(&world);
    cr_assert_eq(outcome.err, OK, "%s", outcome.error);
    cr_assert_eq(outcome.keys_loaded, 1000);
    loader_outcome_release(&outcome);
    world_release(&world);
}
