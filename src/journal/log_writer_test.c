#include "journal/log_writer.h"

#include "base/mem.h"
#include "io/clock.h"
#include "io/file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static const char id[] = "0123456789abcdef0123456789abcdef01234567";
static char folder[64];
static struct loop *loop;
static struct worker *worker, *syncer;
static struct journal *journal;
static struct segments *segments;
static struct log_writer *writer;
static struct buf expected; /* every byte appended, from offset 0 */
static int last_error;
static int calls;

static void open_all(bool threads)
{
    snprintf(folder, sizeof folder, "/tmp/pando-log-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    if (threads) {
        loop = loop_new();
        worker = worker_new("test-aof", loop);
        syncer = worker_new("test-sync", loop);
    }
    journal = journal_new(&(struct journal_options){.dir = folder, .backlog_bytes = 1 << 20});
    journal_activate(journal, true);
    segments = segments_new(folder);
    writer = log_writer_new(&(struct log_writer_options){.journal = journal,
                                                         .segments = segments,
                                                         .writer = worker,
                                                         .syncer = syncer,
                                                         .clock_us = clock_monotonic_us});
}

static void close_all(bool discard)
{
    char command[128];

    log_writer_free(writer, discard);
    if (loop != NULL) {
        worker_free(worker);
        worker_free(syncer);
        loop_free(loop);
    }
    journal_free(journal);
    segments_free(segments);
    buf_release(&expected);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

static void append(size_t len, char fill)
{
    char *bytes = mem_alloc(len);
    memset(bytes, fill, len);
    journal_append(journal, bytes, len);
    buf_append(&expected, bytes, len);
    mem_free(bytes);
}

static void note(void *context, int error)
{
    (void)context;
    last_error = error;
    calls++;
}

static struct log_writer_change change(const char *name)
{
    struct log_writer_change change = {.db = 0, .done = note};
    snprintf(change.path, sizeof change.path, "%s/%s", folder, name);
    memcpy(change.id, id, sizeof id);
    return change;
}

static void begin(const char *name)
{
    struct log_writer_change to = change(name);
    log_writer_begin(writer, &to);
}

static void expect_on_disk(void)
{
    char *out = mem_alloc(expected.len + 1);
    size_t at = 0;

    cr_assert_eq(log_writer_figures(writer)->written, expected.len);
    cr_assert_eq(segments_written(segments), expected.len);
    while (at < expected.len) {
        ssize_t got = segments_read(segments, at, out + at, expected.len - at);
        cr_assert_gt(got, 0);
        at += (size_t)got;
    }
    cr_assert_arr_eq(out, expected.ptr, expected.len);
    mem_free(out);
}

Test(log_writer, what_is_published_is_written_in_order)
{
    open_all(false);
    begin("a.1");
    log_writer_run(writer, 1000);
    cr_assert_eq(calls, 1);
    for (int i = 0; i < 100; i++) {
        append((size_t)(1 + i * 37), (char)('a' + i % 26));
        if (i % 3 == 0) log_writer_run(writer, 1000 + i);
    }
    append(3 << 20, 'L'); /* longer than the room */
    log_writer_run(writer, 2000);
    expect_on_disk();
    begin("a.2");
    append(10, 'z');
    log_writer_run(writer, 2000);
    expect_on_disk();
    struct log_writer_change renamed = change("");
    renamed.id[0] = 'e';
    log_writer_change_id(writer, &renamed);
    append(20, 'y');
    log_writer_run(writer, 2000);
    expect_on_disk();
    cr_assert_eq(calls, 3);
    cr_assert_eq(last_error, 0);

    struct segments_found found;
    char path[128];
    snprintf(path, sizeof path, "%s/a.2", folder);
    segments_examine(segments, path, false, &found);
    cr_assert_eq(found.tail, SEGMENT_END);
    cr_assert_eq(found.head.id[0], 'e');
    cr_assert_eq(found.end, expected.len);
    close_all(false);
}

Test(log_writer, a_change_of_the_id_is_synced_whatever_the_policy)
{
    open_all(false);
    log_writer_set_sync(writer, LOG_SYNC_NO, false);
    begin("a.1");
    append(100, 'a');
    log_writer_run(writer, 0);
    cr_assert_eq(log_writer_figures(writer)->written, 100);
    cr_assert_eq(segments_synced(segments), 0);
    struct log_writer_change renamed = change("");
    log_writer_change_id(writer, &renamed);
    append(50, 'b');
    log_writer_run(writer, 0);
    cr_assert_eq(segments_synced(segments), 100, "the line and what stands before it");
    cr_assert_eq(log_writer_figures(writer)->written, 150);
    close_all(false);
}

Test(log_writer, nothing_is_written_behind_an_id_that_could_not_be)
{
    open_all(false);
    begin("a.1");
    append(100, 'a');
    log_writer_run(writer, 0);
    struct rlimit most = {segments_current_bytes(segments) + 10, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
    struct log_writer_change renamed = change("");
    log_writer_change_id(writer, &renamed);
    append(5, 'b');
    log_writer_run(writer, 0);
    cr_assert_eq(log_writer_figures(writer)->error, -EFBIG);
    most.rlim_cur = RLIM_INFINITY;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
    log_writer_run(writer, 500);
    cr_assert_eq(log_writer_figures(writer)->written, 100);
    cr_assert_eq(calls, 1, "the change is not done");
    log_writer_run(writer, 1000);
    cr_assert_eq(calls, 2);
    cr_assert_eq(last_error, 0);
    expect_on_disk();
    close_all(false);
}

Test(log_writer, nothing_leaves_the_journal_before_it_is_written)
{
    open_all(false);
    begin("a.1");
    log_writer_run(writer, 0);
    for (int i = 0; i < 64; i++) append(100000, 'x');
    journal_publish(journal);
    journal_trim(journal);
    cr_assert_eq(journal_first(journal), 0, "more than the backlog, all of it pinned");
    log_writer_run(writer, 0);
    journal_trim(journal);
    cr_assert_gt(journal_first(journal), 0);
    close_all(false);
}

Test(log_writer, a_new_file_that_cannot_be_made_leaves_the_old_one)
{
    open_all(false);
    begin("a.1");
    append(50, 'a');
    begin("no/such/folder");
    append(50, 'b');
    log_writer_run(writer, 0);
    cr_assert_eq(last_error, -ENOENT);
    expect_on_disk();
    close_all(false);
}

Test(log_writer, without_a_first_file_nothing_is_written_until_one_stands)
{
    open_all(false);
    log_writer_set_sync(writer, LOG_SYNC_EVERY_SECOND, false);
    begin("no/such/folder");
    append(50, 'a');
    log_writer_run(writer, 0);
    cr_assert_eq(last_error, -ENOENT);
    append(50, 'b');
    log_writer_run(writer, 5000);
    cr_assert(log_writer_idle(writer));
    cr_assert_eq(segments_written(segments), 0);
    struct log_writer_change to = change("");
    log_writer_change_id(writer, &to);
    begin("a.1");
    append(30, 'c');
    log_writer_run(writer, 6000);
    cr_assert_eq(last_error, 0);
    cr_assert_eq(segments_first(segments), 100);
    cr_assert_eq(segments_written(segments), 130);
    close_all(false);
}

Test(log_writer, before_any_file_an_id_needs_no_line)
{
    open_all(false);
    struct log_writer_change to = change("");
    to.id[0] = 'e';
    last_error = -1;
    log_writer_change_id(writer, &to);
    cr_assert_eq(last_error, 0);
    append(50, 'a');
    log_writer_run(writer, 0);
    begin("a.1");
    append(30, 'b');
    log_writer_run(writer, 0);
    cr_assert_eq(segments_first(segments), 50);
    cr_assert_eq(segments_written(segments), 80);
    close_all(false);
}

Test(log_writer, timestamps_stand_once_a_second)
{
    struct segments_found found;
    char path[128];

    open_all(false);
    log_writer_set_sync(writer, LOG_SYNC_NO, true);
    begin("a.1");
    for (int i = 0; i < 5; i++) {
        append(10, 'a');
        log_writer_run(writer, 1700000000000 + i * 500);
    }
    expect_on_disk();
    snprintf(path, sizeof path, "%s/a.1", folder);
    segments_examine(segments, path, false, &found);
    cr_assert_eq(found.unix_s, 1700000002);
    close_all(false);
}

Test(log_writer, workers_write_and_sync_in_groups)
{
    open_all(true);
    log_writer_set_sync(writer, LOG_SYNC_ALWAYS, false);
    begin("a.1");
    for (int i = 0; i < 200; i++) {
        append((size_t)(1 + i * 331), (char)('a' + i % 26));
        log_writer_run(writer, i);
        if (i % 10 == 0) loop_run_posted(loop);
    }
    cr_assert_eq(log_writer_flush(writer), 0);
    expect_on_disk();
    cr_assert_eq(log_writer_figures(writer)->synced, expected.len);
    cr_assert_leq(log_writer_figures(writer)->writes, 200);
    cr_assert(log_writer_idle(writer));
    close_all(false);
}

Test(log_writer, a_second_after_the_write_comes_the_sync)
{
    open_all(true);
    log_writer_set_sync(writer, LOG_SYNC_EVERY_SECOND, false);
    begin("a.1");
    append(100, 'a');
    log_writer_run(writer, 10000);
    cr_assert_eq(log_writer_flush(writer), 0);
    uint64_t syncs = log_writer_figures(writer)->syncs;
    append(100, 'b');
    for (int turn = 0; log_writer_figures(writer)->written < 200 && turn < 1000000; turn++) {
        log_writer_run(writer, 10100);
        loop_run_posted(loop);
    }
    cr_assert_eq(log_writer_figures(writer)->written, 200);
    cr_assert_gt(log_writer_run(writer, 10200), 0);
    cr_assert_not(log_writer_figures(writer)->syncing);
    log_writer_run(writer, 12000);
    cr_assert_eq(log_writer_flush(writer), 0);
    cr_assert_eq(log_writer_figures(writer)->syncs, syncs + 1);
    cr_assert_eq(log_writer_figures(writer)->synced, 200);
    close_all(true);
}
