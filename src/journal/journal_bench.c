/* What a unit costs in the journal, and what feeding it costs per reader. */
#include "base/check.h"
#include "io/clock.h"
#include "io/file.h"
#include "journal/journal.h"

#include <stdio.h>
#include <string.h>

#define UNIT_BYTES 60
#define READERS    100

static void report(const char *what, int64_t began_us, double things)
{
    double us = (double)(clock_monotonic_us() - began_us);

    printf("%-52s %8.1f ns  (%.0f MB/s)\n", what, us * 1000 / things, things * UNIT_BYTES / us);
}

/* Appends `count` units, `batch` of them per publish. Returns the longest publish in microseconds. */
static int64_t write_units(struct journal *journal, int64_t count, int batch)
{
    static const char unit[UNIT_BYTES] = "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000012345\r\n";

    int64_t longest = 0;

    for (int64_t done = 0; done < count; done += batch) {
        int64_t began;
        journal_set_now(journal, done / 1000);
        for (int i = 0; i < batch; i++) journal_append(journal, unit, sizeof unit);
        if (done / batch % 16 != 0) {
            journal_publish(journal);
            continue;
        }
        began = clock_monotonic_us();
        journal_publish(journal);
        began = clock_monotonic_us() - began;
        if (began > longest) longest = began;
    }
    return longest;
}

static void bench_append(int batch)
{
    struct journal *journal = journal_new(&(struct journal_options){.backlog_bytes = 1 << 20});
    const int64_t count = 10000000;
    char what[64];
    int64_t began, longest;

    journal_activate(journal, false);
    write_units(journal, count / 10, batch);
    began = clock_monotonic_us();
    longest = write_units(journal, count, batch);
    snprintf(what, sizeof what, "append, batch of %d, per unit", batch);
    report(what, began, (double)count);
    printf("  longest publish %lld us\n", (long long)longest);
    journal_free(journal);
}

/* Readers that keep up: a peek and an advance each per batch. */
static void bench_feed(void)
{
    struct journal *journal = journal_new(&(struct journal_options){.backlog_bytes = 1 << 20});
    struct spool_cursor *cursors[READERS];
    struct iovec iov[SPOOL_RUNS_MAX];
    const int batches = 50000;
    int64_t began;
    int count;

    journal_activate(journal, false);
    for (int i = 0; i < READERS; i++) cursors[i] = journal_open(journal, 0);
    began = clock_monotonic_us();
    for (int batch = 0; batch < batches; batch++) {
        write_units(journal, 16, 16);
        for (int i = 0; i < READERS; i++) {
            size_t len = 0;
            check(spool_peek(cursors[i], iov, &count, SPOOL_RUNS_MAX, 1 << 20, NULL, NULL) ==
                  SPOOL_BYTES);
            for (int run = 0; run < count; run++) len += iov[run].iov_len;
            spool_advance(cursors[i], len);
        }
    }
    report("peek and advance, 100 readers, per reader and batch", began, (double)batches * READERS);
    for (int i = 0; i < READERS; i++) journal_close(journal, cursors[i]);
    journal_free(journal);
}

/* A reader that stands still while 1 GB is written: what the engine's thread pays. */
static void bench_spill(void)
{
    struct loop *loop = loop_new();
    struct worker *worker = worker_new("spill", loop);
    struct journal *journal = journal_new(&(struct journal_options){
        .dir = "/tmp", .worker = worker, .backlog_bytes = 1 << 20, .memory_bytes_max = 64 << 20});
    struct spool_cursor *cursor;
    const int64_t count = (INT64_C(1) << 30) / UNIT_BYTES;
    size_t most = 0;
    int64_t began, longest = 0;

    journal_activate(journal, false);
    cursor = journal_open(journal, 0);
    began = clock_monotonic_us();
    for (int i = 0; i < 1000; i++) {
        int64_t us = write_units(journal, count / 1000, 16);
        if (us > longest) longest = us;
        if (journal_memory(journal) > most) most = journal_memory(journal);
    }
    report("append beyond a ceiling of 64 MB, per unit", began, (double)count);
    printf("  most in memory %zu MB, on disk %llu MB, failed %d; longest publish %lld us\n",
           most >> 20, (unsigned long long)journal_disk(journal) >> 20, journal_failed(journal),
           (long long)longest);
    journal_close(journal, cursor);
    journal_free(journal);
    worker_free(worker);
    loop_free(loop);
}

int main(void)
{
    bench_append(1);
    bench_append(16);
    bench_append(256);
    bench_feed();
    bench_spill();
    return 0;
}
