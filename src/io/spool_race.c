/* Threads on one spool, for ThreadSanitizer: `make race`. Each round, from a seed, is the life of a
 * snapshot: one thread appends, the engine's loop feeds several cursors of different speeds as to
 * replicas, threads read as a file writer does, and the worker carries blocks to disk and back.
 * Every byte is compared. Prints the rounds done in argv[1] seconds (default 20). */
#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/random.h"
#include "io/clock.h"
#include "io/spool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define FEEDS   4
#define READERS 2

static char byte_at(uint64_t offset)
{
    return (char)(offset * UINT64_C(0x9E3779B97F4A7C15) >> 56);
}

static void expect(const char *ptr, size_t len, uint64_t offset)
{
    for (size_t i = 0; i < len; i++) check(ptr[i] == byte_at(offset + i));
}

struct party {
    struct spool *spool;
    struct spool_cursor *cursor;
    struct loop *loop;
    struct random random;
    struct timer pause;
    uint64_t total;
    int *left; /* feeds that go on */
    uint64_t leave_at;
    pthread_t thread;
};

/* ---- threads --------------------------------------------------------------------------------- */

static void *produce(void *context)
{
    struct party *party = context;
    char bytes[4096];

    for (uint64_t done = 0; done < party->total;) {
        size_t step = 1 + random_below(&party->random, sizeof bytes);

        for (size_t i = 0; i < step; i++) bytes[i] = byte_at(done + i);
        spool_append(party->spool, bytes, step);
        done += step;
        if (random_below(&party->random, 50) == 0) spool_try_again(party->spool);
        if (random_below(&party->random, 50) == 0) spool_trim(party->spool, done / 2);
        (void)spool_pressure(party->spool);
    }
    spool_release_head(party->spool);
    spool_finish(party->spool);
    return NULL;
}

static void *consume(void *context)
{
    struct party *party = context;
    size_t len = 1 + random_below(&party->random, 20000);
    char *bytes = mem_alloc(len);
    uint64_t done = spool_position(party->cursor);
    ssize_t n;

    while ((n = spool_read_wait(party->cursor, bytes, len)) > 0) {
        expect(bytes, (size_t)n, done);
        done += (uint64_t)n;
    }
    check(n == 0 && done == spool_end(party->spool));
    spool_close(party->cursor);
    mem_free(bytes);
    return NULL;
}

/* ---- feeds on the loop ----------------------------------------------------------------------- */

static void leave(struct party *party)
{
    spool_close(party->cursor);
    party->cursor = NULL;
    loop_disarm(party->loop, &party->pause);
    if (--*party->left == 0) loop_stop(party->loop);
}

static void feed(void *context)
{
    struct party *party = context;
    struct iovec iov[SPOOL_RUNS_MAX];
    int count;

    for (int turns = 0; turns < 5; turns++) {
        size_t most = 1 + random_below(&party->random, 30000), seen = 0;
        enum spool_read read =
            spool_peek(party->cursor, iov, &count, SPOOL_RUNS_MAX, most, feed, party);

        if (read == SPOOL_WAIT) {
            if (spool_position(party->cursor) >= party->leave_at) leave(party);
            return;
        }
        if (read == SPOOL_NOTHING) {
            spool_notify(party->cursor, feed, party);
            if (spool_position(party->cursor) >= party->leave_at) leave(party);
            return;
        }
        if (read == SPOOL_END) {
            check(spool_position(party->cursor) == spool_end(party->spool));
            leave(party);
            return;
        }
        check(read == SPOOL_BYTES);
        for (int i = 0; i < count; i++) {
            expect(iov[i].iov_base, iov[i].iov_len, spool_position(party->cursor) + seen);
            seen += iov[i].iov_len;
        }
        spool_advance(party->cursor, random_below(&party->random, seen + 1));
    }
    loop_arm(party->loop, &party->pause, (int64_t)random_below(&party->random, 300));
}

static void round_of(uint64_t seed)
{
    struct loop *loop = loop_new();
    struct worker *worker = worker_new("race", loop);
    struct party producer = {0}, feeds[FEEDS] = {0}, readers[READERS] = {0};
    struct spool_options options = {.dir = "/tmp", .worker = worker, .keep_head = true};
    struct random random;
    int left = FEEDS;

    random_seed(&random, seed);
    options.block_bytes = 500 + random_below(&random, 4000);
    options.memory_bytes_max = 1 + random_below(&random, 100000);
    options.file_wrap = 1 << 20;
    /* In some rounds it is full now and then. */
    struct spool_room *room =
        spool_room_new(random_below(&random, 2) == 0 ? 0 : 1 + random_below(&random, 200000));
    options.room = room;
    producer.spool = spool_new(&options);
    producer.total = 100000 + random_below(&random, 900000);
    random_seed(&producer.random, random_next(&random));
    for (int i = 0; i < READERS; i++) {
        readers[i].spool = producer.spool;
        readers[i].cursor = spool_open(producer.spool, 0);
        random_seed(&readers[i].random, random_next(&random));
        check(pthread_create(&readers[i].thread, NULL, consume, &readers[i]) == 0);
    }
    for (int i = 0; i < FEEDS; i++) {
        feeds[i] = (struct party){.spool = producer.spool, .loop = loop, .left = &left};
        feeds[i].cursor = spool_open(producer.spool, 0);
        /* Some go away in the middle of something. */
        feeds[i].leave_at = i % 2 == 0 ? UINT64_MAX : random_below(&random, producer.total);
        random_seed(&feeds[i].random, random_next(&random));
        timer_init(&feeds[i].pause, feed, &feeds[i]);
        loop_arm(loop, &feeds[i].pause, 0);
    }
    check(pthread_create(&producer.thread, NULL, produce, &producer) == 0);
    loop_run(loop);
    pthread_join(producer.thread, NULL);
    for (int i = 0; i < READERS; i++) pthread_join(readers[i].thread, NULL);
    spool_check(producer.spool);
    spool_free(producer.spool);
    worker_free(worker);
    loop_free(loop);
    check(spool_room_used(room) == 0 && spool_room_memory(room) == 0);
    spool_room_drop(room);
}

int main(int argc, char **argv)
{
    int64_t seconds = 20, until;
    uint64_t seed = 1;

    if (argc > 1) check(num_parse_int64(span_of_cstr(argv[1]), &seconds));
    until = clock_monotonic_ms() + 1000 * seconds;
    for (; clock_monotonic_ms() < until; seed++) round_of(seed);
    printf("spool_race: %d rounds\n", (int)seed - 1);
    return 0;
}
