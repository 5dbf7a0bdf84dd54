#include "io/spool.h"

#include "base/mem.h"
#include "io/file.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BLOCK 4096
#define MB    (1 << 20)

static char dir[64];

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/pando-spool-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
}

/* The spool's file has no name, so the folder is empty at any time. */
static void remove_dir(void)
{
    cr_assert_eq(rmdir(dir), 0);
}

TestSuite(spool, .init = make_dir, .fini = remove_dir);

static char byte_at(uint64_t offset)
{
    return (char)(offset * UINT64_C(0x9E3779B97F4A7C15) >> 56);
}

static void append(struct spool *spool, size_t len)
{
    char bytes[BLOCK];

    while (len > 0) {
        uint64_t end = spool_end(spool);
        size_t step = len < sizeof bytes ? len : sizeof bytes;
        for (size_t i = 0; i < step; i++) bytes[i] = byte_at(end + i);
        spool_append(spool, bytes, step);
        len -= step;
    }
}

static bool as_appended(const char *ptr, size_t len, uint64_t offset)
{
    for (size_t i = 0; i < len; i++)
        if (ptr[i] != byte_at(offset + i)) return false;
    return true;
}

/* Reads up to bytes_max bytes without waiting; the last answer in *last. */
static uint64_t read_some(struct spool_cursor *cursor, uint64_t bytes_max, enum spool_read *last)
{
    struct iovec iov[4];
    uint64_t done = 0;
    int count;

    *last = SPOOL_BYTES;
    while (done < bytes_max) {
        size_t seen = 0;

        *last = spool_peek(cursor, iov, &count, 4, (size_t)(bytes_max - done), NULL, NULL);
        if (*last != SPOOL_BYTES) break;
        for (int i = 0; i < count; i++) {
            uint64_t at = spool_position(cursor) + seen;
            cr_assert(as_appended(iov[i].iov_base, iov[i].iov_len, at));
            seen += iov[i].iov_len;
        }
        spool_advance(cursor, seen);
        done += seen;
    }
    return done;
}

Test(spool, cursors_read_what_was_appended_each_at_its_own_speed)
{
    struct spool *spool = spool_new(&(struct spool_options){.start = 77, .block_bytes = BLOCK});
    struct spool_cursor *a = spool_open(spool, 77), *b;
    enum spool_read last;

    cr_assert_eq(read_some(a, 10, &last), 0);
    cr_assert_eq(last, SPOOL_NOTHING);
    append(spool, 10 * BLOCK + 5);
    b = spool_open(spool, 77 + BLOCK);
    cr_assert_eq(read_some(a, MB, &last), 10 * BLOCK + 5);
    cr_assert_eq(last, SPOOL_NOTHING);
    cr_assert_eq(read_some(b, 3, &last), 3);
    spool_finish(spool);
    cr_assert_eq(read_some(b, MB, &last), 9 * BLOCK + 2);
    cr_assert_eq(last, SPOOL_END);
    cr_assert_null(spool_open(spool, 76));
    cr_assert_null(spool_open(spool, spool_end(spool) + 1));
    spool_check(spool);
    spool_close(a);
    spool_close(b);
    spool_free(spool);
}

Test(spool, what_nobody_needs_is_freed)
{
    struct spool *spool = spool_new(&(struct spool_options){.block_bytes = BLOCK});
    struct spool_cursor *cursor = spool_open(spool, 0);
    size_t all;

    append(spool, 20 * BLOCK);
    all = spool_memory(spool);
    spool_trim(spool, 12 * BLOCK + 1);
    cr_assert_eq(spool_head(spool), 0); /* the cursor */
    cr_assert_eq(spool_memory(spool), all);
    spool_advance(cursor, 8 * BLOCK);
    cr_assert_eq(spool_head(spool), 8 * BLOCK);
    cr_assert_eq(spool_memory(spool), all / 20 * 12);
    spool_close(cursor);
    cr_assert_eq(spool_head(spool), 12 * BLOCK + 1); /* the retention */
    cr_assert_eq(spool_memory(spool), all / 20 * 8);
    cr_assert_null(spool_open(spool, 12 * BLOCK));
    spool_trim(spool, UINT64_MAX);
    cr_assert_eq(spool_head(spool), 20 * BLOCK);
    cr_assert_eq(spool_memory(spool), 0);
    spool_free(spool);
}

Test(spool, keeps_its_head_for_late_cursors_until_told)
{
    struct spool *spool =
        spool_new(&(struct spool_options){.block_bytes = BLOCK, .keep_head = true});
    struct spool_cursor *late, *later;
    enum spool_read last;

    append(spool, 5 * BLOCK);
    spool_trim(spool, 5 * BLOCK);
    late = spool_open(spool, 0);
    cr_assert_not_null(late);
    cr_assert_eq(read_some(late, 2 * BLOCK, &last), 2 * BLOCK);
    spool_release_head(spool);
    later = spool_open(spool, 0);
    cr_assert_null(later);
    cr_assert_eq(spool_head(spool), 2 * BLOCK);
    spool_close(late);
    cr_assert_eq(spool_memory(spool), 0);
    spool_free(spool);
}

/* ---- disk ------------------------------------------------------------------------------------ */

Test(spool, memory_is_bounded_and_a_slow_cursor_reads_across_the_seam)
{
    struct spool *spool = spool_new(&(struct spool_options){
        .dir = dir, .memory_bytes_max = 16 * BLOCK, .block_bytes = BLOCK - 16});
    struct spool_cursor *cursor = spool_open(spool, 0);
    enum spool_read last;

    for (int i = 0; i < 100; i++) {
        append(spool, 10 * BLOCK);
        spool_check(spool);
        cr_assert_leq(spool_memory(spool), 16 * BLOCK);
        cr_assert_leq(spool_pressure(spool), 100);
    }
    cr_assert_geq(spool_disk(spool) + 16 * BLOCK, 1000 * BLOCK);
    cr_assert_eq(spool_memory_head(spool), spool_disk(spool)); /* began at 0 */
    cr_assert_eq(read_some(cursor, UINT64_MAX, &last), 1000 * BLOCK);
    cr_assert_eq(last, SPOOL_NOTHING);
    append(spool, 5);
    cr_assert_eq(read_some(cursor, UINT64_MAX, &last), 5);
    spool_trim(spool, UINT64_MAX);
    cr_assert_eq(spool_disk(spool), 0);
    cr_assert_leq(spool_memory(spool), BLOCK);
    spool_close(cursor);
    spool_free(spool);
}

Test(spool, disk_space_returns_while_the_cursor_goes_on)
{
    struct spool *spool = spool_new(
        &(struct spool_options){.dir = dir, .memory_bytes_max = MB, .block_bytes = BLOCK});
    struct spool_cursor *cursor = spool_open(spool, 0);
    enum spool_read last;
    uint64_t before;

    spool_trim(spool, UINT64_MAX);
    append(spool, 16 * MB);
    before = spool_disk(spool);
    cr_assert_geq(before, 15 * MB);
    cr_assert_eq(read_some(cursor, 8 * MB, &last), 8 * MB);
    cr_assert_leq(spool_disk(spool), 9 * MB);
    cr_assert_eq(read_some(cursor, UINT64_MAX, &last), 8 * MB);
    cr_assert_eq(spool_disk(spool), 0);
    spool_close(cursor);
    spool_free(spool);
}

Test(spool, a_full_disk_is_told_and_nothing_is_lost)
{
    struct spool *spool = spool_new(&(struct spool_options){.dir = dir,
                                                            .memory_bytes_max = 200 * BLOCK,
                                                            .disk_bytes_max = 300 * BLOCK,
                                                            .block_bytes = BLOCK});
    struct spool_cursor *cursor = spool_open(spool, 0);
    enum spool_read last;

    spool_trim(spool, UINT64_MAX);
    append(spool, 400 * BLOCK);
    cr_assert_eq(spool_failed(spool), OK);
    append(spool, 600 * BLOCK);
    cr_assert_eq(spool_failed(spool), ERR_LIMIT);
    cr_assert_gt(spool_pressure(spool), 200);
    cr_assert_leq(spool_disk(spool), 300 * BLOCK);
    cr_assert_eq(spool_head(spool), 0);
    cr_assert_eq(read_some(cursor, 700 * BLOCK, &last), 700 * BLOCK); /* there is room again */
    cr_assert_eq(spool_failed(spool), OK);
    cr_assert_leq(spool_pressure(spool), 100);
    append(spool, 50 * BLOCK);
    cr_assert_eq(spool_failed(spool), OK);
    cr_assert_eq(read_some(cursor, UINT64_MAX, &last), 350 * BLOCK);
    spool_close(cursor);
    spool_free(spool);
}

/* A disk that is full of this spool's own bytes: what its reader is done with goes at once, not in
 * the large steps that are right while there is room. */
Test(spool, on_a_full_disk_the_reader_makes_room_block_by_block)
{
    struct spool *spool = spool_new(&(struct spool_options){.dir = dir,
                                                            .memory_bytes_max = 200 * BLOCK,
                                                            .disk_bytes_max = 300 * BLOCK,
                                                            .block_bytes = BLOCK});
    struct spool_cursor *cursor = spool_open(spool, 0);
    enum spool_read last;

    spool_trim(spool, UINT64_MAX);
    append(spool, 520 * BLOCK);
    cr_assert_eq(spool_failed(spool), ERR_LIMIT);
    size_t before = spool_memory(spool);
    read_some(cursor, 16 * BLOCK, &last);
    cr_assert_leq(spool_memory(spool) - 2 * 64 * BLOCK,
                  before - 8 * BLOCK); /* reading ahead counts */
    cr_assert_leq(spool_disk(spool), 300 * BLOCK);
    spool_close(cursor);
    spool_free(spool);
}

Test(spool, a_shared_bound_counts_what_all_have_written)
{
    struct spool_room *room = spool_room_new(100 * BLOCK);
    struct spool_options options = {
        .dir = dir, .memory_bytes_max = 8 * BLOCK, .block_bytes = BLOCK, .room = room};
    struct spool *a = spool_new(&options), *b = spool_new(&options);
    struct spool_cursor *of_a = spool_open(a, 0), *of_b = spool_open(b, 0);
    enum spool_read last;

    append(a, 80 * BLOCK);
    cr_assert_eq(spool_failed(a), OK);
    cr_assert_eq(spool_room_used(room), spool_disk(a));
    append(b, 80 * BLOCK);
    cr_assert_eq(spool_failed(b), ERR_LIMIT);
    cr_assert_leq(spool_room_used(room), 100 * BLOCK);
    cr_assert_eq(spool_room_used(room), spool_disk(a) + spool_disk(b));
    /* Another's room is not noticed by itself. */
    spool_close(of_a);
    spool_free(a);
    cr_assert_eq(spool_failed(b), ERR_LIMIT);
    spool_try_again(b);
    cr_assert_eq(spool_failed(b), OK);
    cr_assert_eq(read_some(of_b, UINT64_MAX, &last), 80 * BLOCK);
    spool_trim(b, UINT64_MAX);
    cr_assert_eq(spool_room_used(room), 0);
    spool_room_set_max(room, 1);
    append(b, 20 * BLOCK);
    cr_assert_eq(spool_failed(b), ERR_LIMIT);
    spool_close(of_b);
    spool_free(b);
    spool_room_drop(room);
}

Test(spool, a_disk_that_cannot_be_written_is_told_and_nothing_is_lost)
{
    struct spool *spool = spool_new(&(struct spool_options){
        .dir = "/dev/null/spool", .memory_bytes_max = 8 * BLOCK, .block_bytes = BLOCK});
    struct spool_cursor *cursor = spool_open(spool, 0);
    enum spool_read last;

    append(spool, 100 * BLOCK);
    cr_assert_eq(spool_failed(spool), ERR_IO);
    cr_assert_eq(read_some(cursor, UINT64_MAX, &last), 100 * BLOCK);
    spool_trim(spool, UINT64_MAX);
    append(spool, 1);
    cr_assert_eq(spool_failed(spool), OK); /* within its bound again */
    spool_close(cursor);
    spool_free(spool);
}

Test(spool, borrowed_bytes_stay_when_their_block_goes_to_disk)
{
    struct spool *spool = spool_new(
        &(struct spool_options){.dir = dir, .memory_bytes_max = 8 * BLOCK, .block_bytes = BLOCK});
    struct spool_cursor *cursor = spool_open(spool, 0), *other = spool_open(spool, 0);
    struct iovec iov[2];
    int count;

    append(spool, 3 * BLOCK);
    cr_assert_eq(spool_peek(cursor, iov, &count, 2, MB, NULL, NULL), SPOOL_BYTES);
    cr_assert_eq(count, 2);
    append(spool, 100 * BLOCK);
    cr_assert_gt(spool_memory_head(spool), 2 * BLOCK);
    spool_trim(spool, UINT64_MAX);
    spool_close(other);
    for (int i = 0; i < count; i++) cr_assert(as_appended(iov[i].iov_base, BLOCK, i * BLOCK));
    spool_close(cursor);
    spool_check(spool);
    spool_free(spool);
}

Test(spool, a_log_that_is_never_empty_wraps_within_its_file)
{
    struct spool *spool = spool_new(&(struct spool_options){.dir = dir,
                                                            .memory_bytes_max = 8 * BLOCK,
                                                            .block_bytes = BLOCK - 16,
                                                            .file_wrap = 64 * BLOCK});
    struct spool_cursor *cursor = spool_open(spool, 0);
    enum spool_read last;

    spool_trim(spool, UINT64_MAX);
    append(spool, 40 * BLOCK);
    for (int i = 0; i < 100; i++) {
        append(spool, 7 * BLOCK);
        cr_assert_gt(spool_disk(spool), 0);
        cr_assert_leq(spool_disk(spool), 64 * BLOCK);
        cr_assert_eq(read_some(cursor, 7 * BLOCK, &last), 7 * BLOCK);
    }
    cr_assert_eq(spool_failed(spool), OK);
    cr_assert_eq(read_some(cursor, UINT64_MAX, &last), 40 * BLOCK);
    spool_close(cursor);
    spool_free(spool);
}

/* ---- with a worker --------------------------------------------------------------------------- */

static void count_call(void *context)
{
    ++*(int *)context;
}

struct station {
    struct loop *loop;
    struct worker *worker;
    struct spool *spool;
};

static struct station open_station(void)
{
    struct station station = {.loop = loop_new()};

    station.worker = worker_new("spool", station.loop);
    station.spool = spool_new(
        &(struct spool_options){.dir = dir, .memory_bytes_max = MB, .worker = station.worker});
    return station;
}

static void close_station(struct station *station)
{
    spool_free(station->spool);
    worker_free(station->worker);
    loop_free(station->loop);
}

static void wait_until_within_bound(struct spool *spool)
{
    while (spool_pressure(spool) > 100) sched_yield(); /* the worker's thread */
}

Test(spool, bytes_on_disk_arrive_by_way_of_the_loop)
{
    struct station station = open_station();
    struct spool_cursor *cursor = spool_open(station.spool, 0);
    uint64_t done = 0;
    int arrived = 0, waits = 0, count;
    struct iovec iov[SPOOL_RUNS_MAX];

    append(station.spool, 5 * MB);
    wait_until_within_bound(station.spool);
    while (done < 5 * MB) {
        size_t seen = 0;
        enum spool_read read =
            spool_peek(cursor, iov, &count, SPOOL_RUNS_MAX, MB, count_call, &arrived);

        cr_assert(read == SPOOL_BYTES || read == SPOOL_WAIT);
        if (read == SPOOL_WAIT) {
            waits++;
            while (arrived < waits) loop_turn(station.loop, -1);
            cr_assert_eq(arrived, waits);
            continue;
        }
        for (int i = 0; i < count; i++) {
            cr_assert(as_appended(iov[i].iov_base, iov[i].iov_len, done + seen));
            seen += iov[i].iov_len;
        }
        spool_advance(cursor, seen);
        done += seen;
    }
    cr_assert_gt(waits, 0);
    spool_check(station.spool);
    spool_close(cursor);
    close_station(&station);
}

Test(spool, a_cursor_may_close_while_its_bytes_are_on_their_way)
{
    struct station station = open_station();
    struct spool_cursor *cursor = spool_open(station.spool, 0);
    struct iovec iov;
    int arrived = 0, count;

    append(station.spool, 5 * MB);
    wait_until_within_bound(station.spool);
    cr_assert_eq(spool_peek(cursor, &iov, &count, 1, MB, count_call, &arrived), SPOOL_WAIT);
    spool_close(cursor);
    spool_free(station.spool); /* and the spool with it */
    station.spool = NULL;
    close_station(&station);
    cr_assert_eq(arrived, 0);
}

static void *append_later(void *context)
{
    append(context, 10);
    return NULL;
}

Test(spool, an_append_of_another_thread_is_notified_once)
{
    struct station station = open_station();
    struct spool_cursor *cursor = spool_open(station.spool, 0),
                        *closed = spool_open(station.spool, 0);
    int called = 0, never = 0;
    pthread_t thread;

    spool_notify(cursor, count_call, &called);
    spool_notify(closed, count_call, &never);
    spool_close(closed);
    loop_turn(station.loop, 0);
    cr_assert_eq(called, 0);
    pthread_create(&thread, NULL, append_later, station.spool);
    while (called == 0) loop_turn(station.loop, -1);
    pthread_join(thread, NULL);
    append(station.spool, 10);
    loop_turn(station.loop, 0);
    cr_assert_eq(called, 1);
    spool_notify(cursor, count_call, &called); /* there are bytes already */
    while (called == 1) loop_turn(station.loop, -1);
    cr_assert_eq(never, 0);
    spool_close(cursor);
    close_station(&station);
}

struct reader {
    struct spool *spool;
    struct spool_cursor *cursor;
    size_t chunk;
    uint64_t done;
    ssize_t last;
    bool differs;
    pthread_t thread;
};

static void *read_all(void *context)
{
    struct reader *reader = context;
    char *bytes = mem_alloc(reader->chunk);

    while ((reader->last = spool_read_wait(reader->cursor, bytes, reader->chunk)) > 0) {
        if (!as_appended(bytes, (size_t)reader->last, reader->done)) reader->differs = true;
        reader->done += (uint64_t)reader->last;
    }
    mem_free(bytes);
    spool_close(reader->cursor);
    return NULL;
}

static void start_reader(struct reader *reader, struct spool *spool, size_t chunk)
{
    *reader = (struct reader){.spool = spool, .cursor = spool_open(spool, 0), .chunk = chunk};
    cr_assert_eq(pthread_create(&reader->thread, NULL, read_all, reader), 0);
}

/* spool_race.c does more of this, under ThreadSanitizer. */
Test(spool, threads_read_what_another_appends_through_memory_and_disk)
{
    enum { READERS = 4, BYTES = 24 * MB };
    static const size_t chunks[READERS] = {100, 4096, 70000, 3 * MB};
    struct station station = open_station();
    struct reader readers[READERS];
    struct spool_cursor *own = spool_open(station.spool, 0);
    struct iovec iov[SPOOL_RUNS_MAX];
    uint64_t disk_seen = 0;
    int arrived = 0, count;

    for (int i = 0; i < READERS; i++) start_reader(&readers[i], station.spool, chunks[i]);
    while (spool_end(station.spool) < BYTES) {
        append(station.spool, 50000);
        spool_trim(station.spool, spool_end(station.spool) - 40000);
        if (spool_disk(station.spool) > disk_seen) disk_seen = spool_disk(station.spool);
        if (spool_pressure(station.spool) > 150) wait_until_within_bound(station.spool);
        /* A cursor of this thread's loop, slower than all. */
        if (spool_peek(own, iov, &count, SPOOL_RUNS_MAX, 20000, count_call, &arrived) ==
            SPOOL_BYTES) {
            size_t seen = 0;
            for (int i = 0; i < count; i++) {
                uint64_t at = spool_position(own) + seen;
                cr_assert(as_appended(iov[i].iov_base, iov[i].iov_len, at));
                seen += iov[i].iov_len;
            }
            spool_advance(own, seen);
        }
        loop_turn(station.loop, 0);
        spool_check(station.spool);
    }
    spool_finish(station.spool);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        cr_assert_not(readers[i].differs);
        cr_assert_eq(readers[i].last, 0);
        cr_assert_eq(readers[i].done, spool_end(station.spool));
    }
    cr_assert_gt(disk_seen, 0);
    spool_close(own);
    close_station(&station);
}

Test(spool, waiting_readers_fail_when_cancelled)
{
    struct station station = open_station();
    struct reader reader;

    append(station.spool, 10);
    start_reader(&reader, station.spool, 100);
    spool_cancel(station.spool);
    pthread_join(reader.thread, NULL);
    cr_assert_eq(reader.last, -1);
    close_station(&station);
}

/* ---- a store ------------------------------------------------------------------------------------ */

struct toy_store {
    uint64_t first, held;
    int reads;
};

static uint64_t toy_held(void *context, uint64_t *first)
{
    struct toy_store *toy = context;
    *first = toy->first;
    return toy->held;
}

static ssize_t toy_read(void *context, uint64_t offset, void *out, size_t len)
{
    struct toy_store *toy = context;
    cr_assert(offset >= toy->first && offset < toy->held);
    if (len > toy->held - offset) len = (size_t)(toy->held - offset);
    if (len > 1000) len = 1000; /* a store may give less than was asked for */
    for (size_t i = 0; i < len; i++) ((char *)out)[i] = byte_at(offset + i);
    toy->reads++;
    return (ssize_t)len;
}

Test(spool, what_a_store_holds_leaves_memory_and_is_read_back)
{
    struct toy_store toy = {.first = 1000, .held = 5000};
    struct spool_store store = {toy_held, toy_read, &toy};
    struct spool *spool = spool_new(&(struct spool_options){.dir = dir,
                                                            .memory_bytes_max = 8 * BLOCK,
                                                            .block_bytes = BLOCK,
                                                            .start = 5000,
                                                            .head = 1000,
                                                            .store = &store});
    enum spool_read last;

    struct spool_cursor *cursor = spool_open(spool, 1000);
    cr_assert_not_null(cursor, "the store's bytes can be read from the start");
    append(spool, 40 * BLOCK);
    cr_assert_gt(spool_memory(spool), 40 * BLOCK, "what the store does not hold stays");
    toy.held = 5000 + 30 * BLOCK;
    append(spool, 1);
    cr_assert_lt(spool_memory(spool), 13 * BLOCK);
    cr_assert_eq(spool_disk(spool), 0);
    spool_check(spool);
    cr_assert_eq(read_some(cursor, UINT64_MAX, &last), 4000 + 40 * BLOCK + 1);
    cr_assert_eq(last, SPOOL_NOTHING);
    cr_assert_gt(toy.reads, 0);
    spool_close(cursor);
    spool_free(spool);
}

Test(spool, a_store_goes_on_where_the_file_ends)
{
    struct toy_store toy = {0};
    struct spool_store store = {toy_held, toy_read, &toy};
    struct spool *spool = spool_new(
        &(struct spool_options){.dir = dir, .memory_bytes_max = 8 * BLOCK, .block_bytes = BLOCK});
    enum spool_read last;

    struct spool_cursor *cursor = spool_open(spool, 0);
    append(spool, 40 * BLOCK + 17);
    toy.first = toy.held = spool_end(spool);
    spool_set_store(spool, &store);
    append(spool, 40 * BLOCK);
    toy.held = spool_end(spool);
    append(spool, 4 * BLOCK);
    spool_check(spool);
    cr_assert_gt(spool_disk(spool), 30 * BLOCK);
    cr_assert_lt(spool_disk(spool), 42 * BLOCK);
    cr_assert_lt(spool_memory(spool), 13 * BLOCK);
    cr_assert_eq(read_some(cursor, UINT64_MAX, &last), 84 * BLOCK + 17);
    cr_assert_eq(last, SPOOL_NOTHING);
    spool_set_store(spool, NULL);
    append(spool, 40 * BLOCK);
    spool_check(spool);
    cr_assert_eq(read_some(cursor, UINT64_MAX, &last), 40 * BLOCK);
    spool_close(cursor);
    spool_free(spool);
}
