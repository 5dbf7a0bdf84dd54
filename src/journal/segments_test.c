/* The log on disk: what is written is read back by offset, over files and after a restart; what a crash
 * or somebody else leaves at the end is told apart. */
#include "journal/segments.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char id[] = "0123456789abcdef0123456789abcdef01234567";
static char folder[64], first_path[128], second_path[128];
static struct segments *segments;
static char log_bytes[1 << 20]; /* what the log holds, by offset */

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/pando-segments-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(first_path, sizeof first_path, "%s/a.1.incr.aof", folder);
    snprintf(second_path, sizeof second_path, "%s/a.2.incr.aof", folder);
    for (size_t i = 0; i < sizeof log_bytes; i++) log_bytes[i] = (char)('a' + i * 7 % 26);
    segments = segments_new(folder);
}

static void end(void)
{
    char command[128];
    segments_free(segments);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(segments, .init = begin, .fini = end);

static struct segment_head head_at(uint64_t offset)
{
    struct segment_head head = {.offset = offset, .db = 3};
    memcpy(head.id, id, sizeof id);
    return head;
}

static void open_file(const char *path, uint64_t offset)
{
    struct segment_head head = head_at(offset);
    cr_assert_eq(segments_begin(segments, path, &head, NULL, NULL), 0);
}

static void write_some(uint64_t bytes, int64_t unix_s)
{
    uint64_t at = segments_written(segments);
    struct segment_mark mark = {at, bytes, crc32c(0, log_bytes + at, bytes)};
    size_t first = bytes / 3 + 1;
    cr_assert_eq(segments_write(segments, &mark, unix_s, log_bytes + at, first), 0);
    if (first < bytes) {
        cr_assert_eq(segments_written(segments), at, "half a stretch does not count");
        cr_assert_eq(segments_write_more(segments, log_bytes + at + first, bytes - first), 0);
    }
    cr_assert_eq(segments_written(segments), at + bytes);
}

static void expect_readable(uint64_t from, uint64_t to)
{
    char *out = mem_alloc(to - from + 1);
    uint64_t at = from;
    while (at < to) {
        ssize_t got = segments_read(segments, at, out + (at - from), to - at);
        cr_assert_gt(got, 0);
        at += (uint64_t)got;
    }
    cr_assert_arr_eq(out, log_bytes + from, to - from);
    mem_free(out);
}

static struct segments_found examine(const char *path)
{
    struct segments_found found;
    segments_examine(segments, path, false, &found);
    return found;
}

static void append_bytes(const char *path, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_APPEND);
    cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

Test(segments, what_is_written_is_read_by_offset_over_files)
{
    open_file(first_path, 100);
    for (int i = 1; i < 400; i++) write_some((uint64_t)i, i % 50 == 0 ? 1700000000 + i : 0);
    uint64_t middle = segments_written(segments);
    open_file(second_path, middle);
    write_some(300000, 0);
    write_some(5, 0);
    uint64_t last = segments_written(segments);

    cr_assert_eq(segments_first(segments), 100);
    expect_readable(100, last);
    for (uint64_t from = 100; from < last; from += 1237) expect_readable(from, from + 1);
    expect_readable(middle - 1, middle + 1);
    char byte;
    cr_assert_eq(segments_read(segments, 99, &byte, 1), -ENOENT);
    cr_assert_eq(segments_read(segments, last, &byte, 1), -ENOENT);
}

Test(segments, a_restart_finds_history_and_bytes)
{
    open_file(first_path, 100);
    write_some(5000, 1700000000);
    open_file(second_path, 5100);
    write_some(60, 0);
    segments_free(segments);
    segments = segments_new(folder);

    struct segments_found found = examine(first_path);
    cr_assert_eq(found.tail, SEGMENT_END);
    cr_assert_eq(found.end, 5100);
    cr_assert_eq(found.unix_s, 1700000000);
    found = examine(second_path);
    cr_assert(found.has_history);
    cr_assert_str_eq(found.head.id, id);
    cr_assert_eq(found.head.db, 3);
    cr_assert_eq(found.end, 5160);
    cr_assert_eq(segments_continue(segments, found.end_at), 0);
    struct segment_head head = head_at(5160);
    head.id[0] = 'f';
    cr_assert_eq(segments_mark_head(segments, &head), 0);
    write_some(40, 0);
    expect_readable(100, 5200);
    found = examine(second_path);
    cr_assert_eq(found.head.id[0], 'f');
    cr_assert_eq(found.end, 5200);
}

Test(segments, a_short_last_stretch_is_cut)
{
    open_file(first_path, 0);
    write_some(1000, 0);
    uint64_t good = segments_current_bytes(segments);
    write_some(2000, 0);
    uint64_t whole = segments_current_bytes(segments);
    for (uint64_t cut = whole - 1; cut >= good; cut -= cut < good + 60 ? 1 : 13) {
        cr_assert_eq(truncate(first_path, (off_t)cut), 0);
        segments_forget(segments);
        struct segments_found found = examine(first_path);
        cr_assert_eq(found.end, 1000);
        cr_assert_eq(found.end_at, good);
        cr_assert_eq(found.tail, cut == good ? SEGMENT_END : SEGMENT_SHORT, "cut at %d", (int)cut);
    }
    /* The file system had made it longer before the bytes were there. */
    cr_assert_eq(truncate(first_path, (off_t)good + 100), 0);
    segments_forget(segments);
    cr_assert_eq(examine(first_path).tail, SEGMENT_SHORT);
    cr_assert_eq(segments_continue(segments, good), 0);
    write_some(10, 0);
    expect_readable(0, 1010);
}

Test(segments, a_bad_crc_at_the_end_is_a_torn_write_and_damage_elsewhere)
{
    open_file(first_path, 0);
    write_some(1000, 0);
    uint64_t good = segments_current_bytes(segments);
    write_some(2000, 0);
    int fd = open(first_path, O_RDWR);
    cr_assert_eq(pwrite(fd, "?", 1, (off_t)good + 200), 1);
    struct segments_found found = examine(first_path);
    cr_assert(found.bad_crc);
    cr_assert_eq(found.tail, SEGMENT_SHORT);
    cr_assert_eq(found.end, 1000);
    cr_assert_eq(pwrite(fd, "?", 1, (off_t)good - 200), 1);
    found = examine(first_path);
    cr_assert_eq(found.tail, SEGMENT_DAMAGED);
    close(fd);
}

Test(segments, zeros_to_the_end_are_a_torn_write_wherever_they_begin)
{
    open_file(first_path, 0);
    write_some(1000, 0);
    uint64_t good = segments_current_bytes(segments);
    write_some(200, 0);
    write_some(300, 0);
    uint64_t whole = segments_current_bytes(segments);
    for (uint64_t cut = good; cut < whole; cut++) {
        cr_assert_eq(truncate(first_path, (off_t)cut), 0);
        cr_assert_eq(truncate(first_path, (off_t)whole + 500), 0);
        segments_forget(segments);
        struct segments_found found = examine(first_path);
        cr_assert_eq(found.tail, SEGMENT_SHORT, "cut at %d", (int)cut);
        cr_assert(found.end == 1000 || found.end == 1200);
        segments_forget(segments);
        file_remove(first_path);
        open_file(first_path, 0);
        write_some(1000, 0);
        write_some(200, 0);
        write_some(300, 0);
    }
}

Test(segments, what_redis_appended_is_foreign)
{
    open_file(first_path, 0);
    write_some(1000, 0);
    append_bytes(first_path, "*1\r\n$4\r\nPING\r\n", 14);
    struct segments_found found = examine(first_path);
    cr_assert_eq(found.tail, SEGMENT_FOREIGN);
    cr_assert_eq(found.end, 1000);
    cr_assert_eq(found.size - found.end_at, 14);
}

Test(segments, files_without_our_lines_have_no_history)
{
    int fd = open(first_path, O_CREAT | O_WRONLY, 0600);
    cr_assert_eq(write(fd, "*1\r\n$4\r\nPING\r\n", 14), 14);
    close(fd);
    struct segments_found found = examine(first_path);
    cr_assert_not(found.has_history);
    cr_assert_eq(found.tail, SEGMENT_FOREIGN);
    cr_assert_eq(segments_written(segments), 0);
}

Test(segments, retired_files_serve_the_backlog_until_nobody_wants_them)
{
    open_file(first_path, 0);
    write_some(1000, 0);
    open_file(second_path, 1000);
    write_some(500, 0);
    segments_retire(segments, first_path, 700);
    cr_assert_not(file_exists(first_path));
    expect_readable(0, 1500);
    segments_free(segments);

    segments = segments_new(folder);
    segments_take_retired(segments);
    cr_assert_eq(segments_first(segments), 0);
    examine(second_path);
    expect_readable(0, 1500);
    segments_release(segments, 999);
    cr_assert_eq(segments_first(segments), 0);
    segments_release(segments, 1000);
    cr_assert_eq(segments_first(segments), 1000);
    char path[128];
    snprintf(path, sizeof path, "%s/log-%020d.aof", folder, 0);
    cr_assert_not(file_exists(path));
    segments_release(segments, 2000);
    expect_readable(1000, 1500);
}

/* Redis reads a comment line into 128 bytes. */
Test(segments, lines_are_short_at_their_longest)
{
    struct segment_head head = {.offset = UINT64_MAX, .db = INT32_MAX};
    struct segment_mark mark = {UINT64_MAX, UINT64_MAX, UINT32_MAX};
    struct buf line = {0};

    memcpy(head.id, id, sizeof id);
    segment_write_head(&line, &head, false);
    cr_assert_lt(line.len, SEGMENT_LINE_MAX);
    buf_clear(&line);
    segment_write_mark(&line, &mark);
    cr_assert_lt(line.len, SEGMENT_LINE_MAX);
    buf_clear(&line);
    segment_write_time(&line, INT64_MAX);
    cr_assert_lt(line.len, SEGMENT_LINE_MAX);
    buf_release(&line);
}

Test(segments, a_gap_ends_the_backlog)
{
    open_file(first_path, 0);
    write_some(1000, 0);
    open_file(second_path, 2000);
    cr_assert_eq(segments_first(segments), 2000);
    char byte;
    cr_assert_eq(segments_read(segments, 10, &byte, 1), -ENOENT);
}
