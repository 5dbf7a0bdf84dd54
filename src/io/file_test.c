#include "io/file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/pando-file-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
}

static void remove_dir(void)
{
    DIR *open = opendir(dir);
    struct dirent *entry;

    while ((entry = readdir(open)) != NULL) unlinkat(dirfd(open), entry->d_name, 0);
    closedir(open);
    rmdir(dir);
}

TestSuite(file, .init = make_dir, .fini = remove_dir);

static const char *in_dir(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static int entries(void)
{
    DIR *open = opendir(dir);
    int count = -2; /* . and .. */

    while (readdir(open) != NULL) count++;
    closedir(open);
    return count;
}

Test(file, replaces_as_a_whole_and_reads_back)
{
    struct buf buf = {0};
    struct stat st;

    cr_assert_eq(file_replace(in_dir("f"), "old text", 8, 0640), 0);
    cr_assert_eq(file_replace(in_dir("f"), "new", 3, 0600), 0);
    cr_assert_eq(entries(), 1); /* no temporary file is left */
    cr_assert_eq(stat(in_dir("f"), &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    buf_append(&buf, "<", 1);
    cr_assert_eq(file_read_whole(in_dir("f"), 3, &buf), 0);
    cr_assert(span_equal(buf_span(&buf), SPAN("<new")));
    buf_release(&buf);
}

Test(file, a_failed_replacement_leaves_nothing_behind)
{
    cr_assert_eq(mkdir(in_dir("f"), 0700), 0);
    cr_assert_eq(file_replace(in_dir("f"), "new", 3, 0600), -EISDIR);
    cr_assert_eq(entries(), 1);
    cr_assert_eq(rmdir(in_dir("f")), 0);
    cr_assert_eq(file_replace("/nowhere/f", "x", 1, 0600), -ENOENT);
}

Test(file, refuses_to_read_more_than_the_bound)
{
    struct buf buf = {0};

    cr_assert_eq(file_replace(in_dir("f"), "12345678", 8, 0600), 0);
    cr_assert_eq(file_read_whole(in_dir("f"), 7, &buf), -EFBIG);
    cr_assert_eq(buf.len, 0);
    cr_assert_eq(file_read_whole(in_dir("g"), 7, &buf), -ENOENT);
    cr_assert_eq(file_read_whole(dir, 7, &buf), -EISDIR);
    cr_assert_eq(file_read_whole("/proc/self/status", 1 << 20, &buf), 0); /* says size 0 */
    cr_assert_gt(buf.len, 100);
    buf_release(&buf);
}

Test(file, writes_any_number_of_runs)
{
    enum { RUNS = 3000 };
    static struct iovec iov[RUNS];
    static char out[RUNS * 2 + 10];
    int fd = file_open_unnamed(dir);

    cr_assert_geq(fd, 0);
    cr_assert_eq(entries(), 0); /* it has no name */
    for (int i = 0; i < RUNS; i++)
        iov[i] = (struct iovec){i % 3 == 0 ? "" : "ab", i % 3 == 0 ? 0 : 2};
    cr_assert_eq(file_pwritev_all(fd, iov, RUNS, 5), 0);
    cr_assert_eq(file_pread_some(fd, out, sizeof out, 0), 5 + RUNS / 3 * 4);
    cr_assert_eq(out[4], 0);
    for (int i = 0; i < RUNS / 3 * 4; i++) cr_assert_eq(out[5 + i], "ab"[i % 2]);
    close(fd);
}

Test(file, one_without_a_name_is_private)
{
    int fd = file_open_unnamed(dir);
    struct stat st;

    cr_assert_geq(fd, 0);
    cr_assert_eq(entries(), 0);
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq(st.st_nlink, 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    close(fd);
}

Test(file, a_hole_gives_its_space_back)
{
    static char bytes[1 << 20];
    int fd = file_open_unnamed(dir);
    struct stat before, after;

    memset(bytes, 'x', sizeof bytes);
    cr_assert_eq(file_pwrite_all(fd, bytes, sizeof bytes, 0), 0);
    cr_assert_eq(fsync(fd), 0);
    cr_assert_eq(fstat(fd, &before), 0);
    cr_assert_eq(file_punch(fd, 0, sizeof bytes / 2), 0);
    cr_assert_eq(fstat(fd, &after), 0);
    cr_assert_eq(after.st_size, before.st_size);
    cr_assert_lt(after.st_blocks, before.st_blocks * 3 / 4);
    cr_assert_eq(file_pread_some(fd, bytes, 10, sizeof bytes / 2 - 5), 10);
    cr_assert_eq(memcmp(bytes, "\0\0\0\0\0xxxxx", 10), 0);
    close(fd);
}

Test(file, one_process_at_a_time_holds_a_folder)
{
    char path[128];
    int fd, status;

    snprintf(path, sizeof path, "%s/a/b", dir);
    fd = file_lock_folder(path);
    cr_assert_geq(fd, 0);
    if (fork() == 0) _exit(file_lock_folder(path) == -EWOULDBLOCK ? 0 : 1);
    cr_assert_gt(wait(&status), 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(fd);
    fd = file_lock_folder(path);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(unlink(in_dir("a/b/lock")), 0);
    cr_assert_eq(rmdir(in_dir("a/b")), 0);
    cr_assert_eq(rmdir(in_dir("a")), 0);
}

Test(file, a_tenth_or_a_gigabyte_of_the_disk_is_not_taken)
{
    const uint64_t gigabyte = UINT64_C(1) << 30;

    cr_assert_eq(file_system_reserve(0), gigabyte);
    cr_assert_eq(file_system_reserve(10 * gigabyte), gigabyte);
    cr_assert_eq(file_system_reserve(50 * gigabyte), 5 * gigabyte);
}

Test(file, tells_the_room_on_a_file_system)
{
    cr_assert_gt(file_system_free(dir), 0);
    cr_assert_lt(file_system_allowance(dir), file_system_free(dir));
    cr_assert_eq(file_system_free("/nowhere"), UINT64_MAX);
}
