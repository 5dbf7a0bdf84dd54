#include "io/sync_file.h"

#include "base/buf.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/temp_file.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[64];
static struct loop *loop;
static struct worker *worker;
static int done_count;
static bool fine;

static void start(void)
{
    snprintf(dir, sizeof dir, "/tmp/pando-sync-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(chdir(dir), 0);
    loop = loop_new();
    worker = worker_new("test-file", loop);
}

static void stop(void)
{
    worker_free(worker);
    loop_free(loop);
    cr_assert_eq(chdir("/"), 0);
    cr_assert_eq(rmdir(dir), 0, "nothing is left");
}

TestSuite(sync_file, .init = start, .fini = stop);

static void on_room(void *context)
{
    (void)context;
}

static void on_done(void *context, const char *error)
{
    (void)context;
    fine = error[0] == '\0';
    done_count++;
}

static void wait_done(void)
{
    while (done_count == 0) loop_run_posted(loop);
    cr_assert(fine);
}

Test(sync_file, one_that_was_given_up_leaves_the_next_alone)
{
    static char zeros[100000];
    struct buf read = {0};
    char path[PATH_MAX];

    struct sync_file *first = sync_file_open(worker, on_room, on_done, NULL);
    for (int i = 0; i < 20; i++) sync_file_write(first, span_of(zeros, sizeof zeros));
    sync_file_close(first, false); /* its jobs go on, and then it is removed */
    struct sync_file *second = sync_file_open(worker, on_room, on_done, NULL);
    snprintf(path, sizeof path, "%s", sync_file_path(second));
    sync_file_write(second, SPAN("whole"));
    sync_file_finish(second);
    wait_done();
    cr_assert_eq(file_read_whole(path, 100, &read), 0);
    cr_assert(span_equal(buf_span(&read), SPAN("whole")));
    buf_release(&read);
    sync_file_close(second, false);
    cr_assert_not(file_exists(path));
}

Test(sync_file, a_kept_one_stays_and_only_a_dead_processs_is_swept)
{
    char path[PATH_MAX];
    struct sync_file *file = sync_file_open(worker, on_room, on_done, NULL);

    sync_file_write(file, SPAN("bytes"));
    sync_file_finish(file);
    wait_done();
    snprintf(path, sizeof path, "%s", sync_file_path(file));
    cr_assert_eq(temp_file_sweep(dir, "temp-", ".rdb"), 0);
    sync_file_close(file, true);
    cr_assert(file_exists(path));
    cr_assert_eq(temp_file_sweep(dir, "temp-", ".rdb"), 1);
    cr_assert_not(file_exists(path));
}
