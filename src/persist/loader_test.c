/* The loader's promises: sound data comes in whole, and whatever else the bytes are, an error names
 * it and nothing stays behind. Streams are made by the writer, inline; the last tests use threads.
 */
#include "base/mem.h"
#include "persist/loader.h"
#include "rdb/writer.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#define NOW_MS 1700000000000

static struct loader_options options_inline(void)
{
    return (struct loader_options){
        .databases = 16,
        .settings = value_settings_default((struct hash_secret){1, 2}),
        .now_ms = NOW_MS,
        .checksum = true,
        .silent = true,
        .inline_loading = true,
    };
}

static void write_key(struct rdb_writer *writer, const char *name, const char *value)
{
    rdb_write_byte(writer, RDB_TYPE_STRING);
    rdb_write_string(writer, span_of_cstr(name));
    rdb_write_string(writer, span_of_cstr(value));
}

/* Two databases, deadlines, access clocks, integers, a packed string, a function, all aux fields.
 */
static struct buf sample(bool checksum)
{
    struct rdb_writer writer;
    char zeros[200];

    memset(zeros, '0', sizeof zeros - 1);
    zeros[sizeof zeros - 1] = '\0';
    rdb_writer_init(&writer, true, checksum);
    rdb_write_header(&writer);
    rdb_write_aux(&writer, "redis-ver", SPAN("7.0.15"));
    rdb_write_aux_int64(&writer, "ctime", NOW_MS / 1000 - 60);
    rdb_write_aux_int64(&writer, "used-mem", 1000000);
    rdb_write_aux_int64(&writer, "repl-stream-db", 2);
    rdb_write_aux(&writer, "repl-id", SPAN("0123456789abcdef0123456789abcdef01234567"));
    rdb_write_aux_int64(&writer, "repl-offset", 123456789012);
    rdb_write_aux(&writer, "somebody-elses", SPAN("fact"));
    rdb_write_function(&writer, SPAN("#!lua name=m\n..."));
    rdb_write_select(&writer, 0);
    rdb_write_resize(&writer, 4, 2);
    write_key(&writer, "plain", "value");
    write_key(&writer, "number", "-77");
    rdb_write_deadline(&writer, NOW_MS + 1000);
    write_key(&writer, "lives", zeros);
    rdb_write_deadline(&writer, NOW_MS - 1);
    write_key(&writer, "dead", "x");
    rdb_write_select(&writer, 3);
    rdb_write_resize(&writer, 2, 0);
    rdb_write_idle(&writer, 100);
    write_key(&writer, "idle", "y");
    rdb_write_frequency(&writer, 200);
    write_key(&writer, "often", "z");
    rdb_write_end(&writer);
    return writer.out;
}

static struct loader_outcome load(struct span bytes, const struct loader_options *options)
{
    struct loader_outcome outcome;
    struct loader *loader = loader_open_feed(UINT64_MAX, options);

    cr_assert_eq(loader_feed(loader, bytes.ptr, bytes.len), bytes.len);
    loader_feed_end(loader);
    cr_assert(loader_finished(loader));
    loader_take(&loader, &outcome);
    cr_assert_null(loader);
    return outcome;
}

static const struct entry *find(const struct loader_outcome *outcome, int db, const char *name)
{
    struct key key = keyspace_key(outcome->keyspaces[db], span_of_cstr(name));

    return keyspace_find(outcome->keyspaces[db], &key);
}

static void expect_value(const struct loader_outcome *outcome, int db, const char *name,
                         const char *value)
{
    char scratch[NUM_INT64_CHARS];
    const struct entry *entry = find(outcome, db, name);

    cr_assert_not_null(entry, "%s", name);
    cr_assert(span_equal(entry_string(entry, scratch), span_of_cstr(value)), "%s", name);
}

Test(loader, everything_that_a_file_says_arrives)
{
    struct buf file = sample(true);
    struct loader_options options = options_inline();
    struct loader_outcome outcome = load(buf_span(&file), &options);

    cr_assert_eq(outcome.err, OK, "%s", outcome.error);
    expect_value(&outcome, 0, "plain", "value");
    expect_value(&outcome, 0, "number", "-77");
    cr_assert_eq(entry_encoding(find(&outcome, 0, "number")), ENC_INT);
    cr_assert_eq(entry_deadline(find(&outcome, 0, "lives")), NOW_MS + 1000);
    cr_assert_eq(entry_deadline(find(&outcome, 0, "plain")), NO_DEADLINE);
    cr_assert_eq(entry_deadline(find(&outcome, 0, "dead")), NOW_MS - 1, "kept on a replica");
    cr_assert_null(find(&outcome, 3, "plain"));
    cr_assert_eq(access_clock_idle_seconds(NOW_MS, entry_clock(find(&outcome, 3, "idle"))), 100);
    cr_assert_eq(access_clock_idle_seconds(NOW_MS, entry_clock(find(&outcome, 3, "often"))), 0);
    cr_assert_eq(outcome.keys_loaded, 6);
    cr_assert_eq(outcome.bytes, file.len);
    cr_assert_eq(outcome.version, 10);
    cr_assert(outcome.has_repl);
    cr_assert_str_eq(outcome.repl_id, "0123456789abcdef0123456789abcdef01234567");
    cr_assert_eq(outcome.repl_offset, 123456789012);
    cr_assert_eq(outcome.repl_stream_db, 2);
    cr_assert_eq(outcome.used_memory, 1000000);
    cr_assert_eq(outcome.function_count, 1);
    cr_assert(span_equal(buf_span(&outcome.functions[0]), SPAN("#!lua name=m\n...")));
    for (int db = 0; db < 16; db++) keyspace_check(outcome.keyspaces[db]);
    loader_outcome_release(&outcome);
    buf_release(&file);
}

Test(loader, a_primary_drops_expired_keys_and_reports_them)
{
    struct buf file = sample(true);
    struct loader_options options = options_inline();
    size_t at = 0;
    int db;
    struct span key;

    options.drop_expired = true;
    struct loader_outcome outcome = load(buf_span(&file), &options);
    cr_assert_eq(outcome.err, OK);
    cr_assert_null(find(&outcome, 0, "dead"));
    cr_assert_eq(outcome.keys_loaded, 5);
    cr_assert_eq(outcome.keys_expired, 1);
    cr_assert(loader_next_expired(&outcome, &at, &db, &key));
    cr_assert_eq(db, 0);
    cr_assert(span_equal(key, SPAN("dead")));
    cr_assert_not(loader_next_expired(&outcome, &at, &db, &key));
    loader_outcome_release(&outcome);
    buf_release(&file);
}

Test(loader, under_lfu_the_frequency_counts_and_idle_times_do_not)
{
    struct buf file = sample(true);
    struct loader_options options = options_inline();

    options.lfu = true;
    struct loader_outcome outcome = load(buf_span(&file), &options);
    cr_assert_eq(access_clock_frequency(NOW_MS, entry_clock(find(&outcome, 3, "often")), 1), 200);
    cr_assert_eq(access_clock_frequency(NOW_MS, entry_clock(find(&outcome, 3, "idle")), 1),
                 ACCESS_FREQUENCY_NEW);
    loader_outcome_release(&outcome);
    buf_release(&file);
}

Test(loader, a_torn_file_is_an_error_wherever_it_is_torn)
{
    struct buf file = sample(true);
    struct loader_options options = options_inline();

    for (size_t len = 0; len < file.len; len++) {
        struct loader_outcome outcome = load(span_of(file.ptr, len), &options);
        cr_assert_neq(outcome.err, OK, "cut at %zu", len);
        cr_assert_null(outcome.keyspaces);
        cr_assert_neq(outcome.error[0], '\0');
    }
    buf_release(&file);
}

Test(loader, no_flipped_bit_goes_unnoticed)
{
    struct buf file = sample(true);
    struct loader_options options = options_inline();

    for (size_t bit = 0; bit < file.len * 8; bit++) {
        file.ptr[bit / 8] ^= (char)(1 << bit % 8);
        struct loader_outcome outcome = load(buf_span(&file), &options);
        /* The version digit may fall to another that is read, whose CRC does not match either. */
        cr_assert_neq(outcome.err, OK, "bit %zu", bit);
        file.ptr[bit / 8] ^= (char)(1 << bit % 8);
    }
    buf_release(&file);
}

Test(loader, a_checksum_of_0_or_rdbchecksum_no_is_not_compared)
{
    struct buf without = sample(false), wrong = sample(true);
    struct loader_options options = options_inline();

    struct loader_outcome outcome = load(buf_span(&without), &options);
    cr_assert_eq(outcome.err, OK, "%s", outcome.error);
    loader_outcome_release(&outcome);

    wrong.ptr[wrong.len - 1] ^= 1;
    outcome = load(buf_span(&wrong), &options);
    cr_assert_eq(outcome.err, ERR_CORRUPT);
    cr_assert_not_null(strstr(outcome.error, "RDB CRC error"), "%s", outcome.error);
    options.checksum = false;
    outcome = load(buf_span(&wrong), &options);
    cr_assert_eq(outcome.err, OK, "%s", outcome.error);
    loader_outcome_release(&outcome);
    buf_release(&without);
    buf_release(&wrong);
}

/* A file with one part in its body, checksum off. */
static void expect_error(struct span part, const char *text)
{
    struct loader_options options = options_inline();
    struct rdb_writer writer;

    rdb_writer_init(&writer, true, false);
    rdb_write_header(&writer);
    rdb_write_select(&writer, 0);
    write_key(&writer, "a", "1");
    rdb_write_bytes(&writer, part.ptr, part.len);
    rdb_write_end(&writer);
    struct loader_outcome outcome = load(buf_span(&writer.out), &options);
    cr_assert_neq(outcome.err, OK, "%s", text);
    cr_assert_not_null(strstr(outcome.error, text), "%s", outcome.error);
    rdb_writer_release(&writer);
}

Test(loader, what_cannot_be_is_named)
{
    expect_error(SPAN("\x00\x01"
                      "a\x01x"),
                 "duplicated key 'a' in DB 0");
    expect_error(SPAN("\x04\x01h\x02\x01"
                      "a\x01x\x01"
                      "a\x01y"),
                 "A hash has one field twice");
    expect_error(SPAN("\x04\x01h\x02\x01"
                      "a\x01x\x01"
                      "a\x01y"),
                 "key 'h'");
    expect_error(SPAN("\xf0"), "Unknown RDB opcode or type 240");
    expect_error(SPAN("\x14\x01h\x00"), "Unknown RDB opcode or type 20");
    expect_error(SPAN("\xf6\x01x"), "Pre-release function format not supported");
    expect_error(SPAN("\xf7\x81\x25\x44\xa5\x10\xa8\x44\x40\x01"), "no matching module 'JUSlE");
    expect_error(SPAN("\x07\x01k\x81\x25\x44\xa5\x10\xa8\x44\x40\x01"),
                 "no matching module 'JUSlE");
    expect_error(SPAN("\xfe\x10"), "more than 16 databases");
    expect_error(SPAN("\x00\x01z\x81\x40\0\0\0\0\0\0\0"), "key 'z'");
}

Test(loader, bytes_behind_the_end_are_an_error_unless_they_are_someones)
{
    struct buf file = sample(true);
    struct loader_options options = options_inline();
    size_t end = file.len;

    buf_append_char(&file, '*');
    struct loader_outcome outcome = load(buf_span(&file), &options);
    cr_assert_eq(outcome.err, ERR_CORRUPT);
    options.tail_follows = true;
    outcome = load(buf_span(&file), &options);
    cr_assert_eq(outcome.err, OK);
    cr_assert_eq(outcome.bytes, end);
    loader_outcome_release(&outcome);
    buf_release(&file);
}

Test(loader, old_versions_without_a_checksum_are_read)
{
    struct loader_options options = options_inline();
    /* Seconds were the only deadlines: 2000000000. */
    struct loader_outcome outcome = load(SPAN("REDIS0003\xfe\x01\xfd\x00\x94\x35\x77\x00\x01k\x01v"
                                              "\xff"),
                                         &options);

    cr_assert_eq(outcome.err, OK, "%s", outcome.error);
    expect_value(&outcome, 1, "k", "v");
    cr_assert_eq(entry_deadline(find(&outcome, 1, "k")), 2000000000000);
    loader_outcome_release(&outcome);
}

Test(loader, a_file_that_is_not_there_is_an_outcome)
{
    struct loader_options options = options_inline();
    struct loader *loader = loader_open_file("/nowhere/dump.rdb", &options);
    struct loader_outcome outcome;

    cr_assert(loader_finished(loader));
    loader_take(&loader, &outcome);
    cr_assert_eq(outcome.err, ERR_IO);
    cr_assert_eq(outcome.error_number, ENOENT);
}

/* ---- with a thread -------------------------------------------------------------------------- */

struct waiting {
    struct loop *loop;
    struct loader *loader;
    int done, room;
};

static void on_done(void *context)
{
    struct waiting *waiting = context;

    waiting->done++;
    loop_stop(waiting->loop);
}

static void on_room(void *context)
{
    struct waiting *waiting = context;

    waiting->room++;
    loop_stop(waiting->loop);
}

static struct loader_options options_threaded(struct waiting *waiting)
{
    struct loader_options options = options_inline();

    options.inline_loading = false;
    options.loop = waiting->loop;
    options.done = on_done;
    options.room = on_room;
    options.context = waiting;
    return options;
}

Test(loader, a_fed_thread_takes_what_fits_and_asks_for_more)
{
    struct waiting waiting = {.loop = loop_new()};
    struct loader_options options = options_threaded(&waiting);
    struct rdb_writer writer;
    struct loader_outcome outcome;
    char *value = mem_zalloc(10 * 1024 * 1024 + 1);

    rdb_writer_init(&writer, false, true);
    rdb_write_header(&writer);
    rdb_write_select(&writer, 0);
    memset(value, 'v', 10 * 1024 * 1024);
    write_key(&writer, "big", value);
    for (int i = 0; i < 1000; i++) {
        char name[20];
        snprintf(name, sizeof name, "key:%d", i);
        write_key(&writer, name, name);
    }
    rdb_write_end(&writer);

    struct loader *loader = loader_open_feed(UINT64_MAX, &options);
    for (size_t at = 0; at < writer.out.len;) {
        size_t len = writer.out.len - at < 100001 ? writer.out.len - at : 100001;
        size_t taken = loader_feed(loader, writer.out.ptr + at, len);
        at += taken;
        if (taken < len) loop_run(waiting.loop); /* until there is room */
    }
    loader_feed_end(loader);
    while (!waiting.done) loop_run(waiting.loop);
    struct loader_progress progress;
    loader_progress(loader, &progress);
    cr_assert_eq(progress.keys, 1001);
    cr_assert_eq(progress.bytes, writer.out.len);
    loader_take(&loader, &outcome);
    cr_assert_eq(outcome.err, OK, "%s", outcome.error);
    expect_value(&outcome, 0, "big", value);
    expect_value(&outcome, 0, "key:999", "key:999");
    loader_outcome_release(&outcome);
    rdb_writer_release(&writer);
    mem_free(value);
    loop_free(waiting.loop);
}

Test(loader, an_abort_ends_a_loader_that_waits)
{
    struct waiting waiting = {.loop = loop_new()};
    struct loader_options options = options_threaded(&waiting);
    struct loader_outcome outcome;
    struct buf file = sample(true);

    /* Waiting for bytes. */
    struct loader *loader = loader_open_feed(UINT64_MAX, &options);
    loader_feed(loader, file.ptr, 20);
    loader_abort(loader, "the link broke");
    while (!waiting.done) loop_run(waiting.loop);
    loader_take(&loader, &outcome);
    cr_assert_eq(outcome.err, ERR_IO);
    cr_assert_str_eq(outcome.error, "aborted: the link broke");

    /* Waiting between keys: an hour each. */
    options.key_load_delay_us = 3600000000;
    waiting.done = 0;
    loader = loader_open_feed(UINT64_MAX, &options);
    loader_feed(loader, file.ptr, file.len);
    loader_feed_end(loader);
    loader_abort(loader, "no more");
    while (!waiting.done) loop_run(waiting.loop);
    loader_take(&loader, &outcome);
    cr_assert_eq(outcome.err, ERR_IO);

    /* Another delay wakes it. */
    waiting.done = 0;
    loader = loader_open_feed(UINT64_MAX, &options);
    loader_feed(loader, file.ptr, file.len);
    loader_feed_end(loader);
    loader_set_key_delay(loader, 0);
    while (!waiting.done) loop_run(waiting.loop);
    loader_take(&loader, &outcome);
    cr_assert_eq(outcome.err, OK, "%s", outcome.error);
    loader_outcome_release(&outcome);

    buf_release(&file);
    loop_free(waiting.loop);
}

static int threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    while (readdir(tasks) != NULL) count++;
    closedir(tasks);
    return count;
}

Test(loader, one_that_is_let_go_frees_itself)
{
    int before = threads();
    struct waiting waiting = {.loop = loop_new()};
    struct loader_options options = options_threaded(&waiting);
    struct buf file = sample(true);

    struct loader *loader = loader_open_feed(UINT64_MAX, &options);
    loader_feed(loader, file.ptr, file.len);
    loader_free(&loader);
    cr_assert_null(loader);

    loader = loader_open_feed(UINT64_MAX, &options);
    loader_feed(loader, file.ptr, file.len);
    loader_feed_end(loader);
    while (!waiting.done) loop_run(waiting.loop);
    loader_free(&loader); /* with a complete outcome: freed on its thread */
    while (threads() > before) loop_turn(waiting.loop, 1000);
    cr_assert_eq(waiting.done, 1, "done is not called for a loader that was let go");
    buf_release(&file);
    loop_free(waiting.loop);
}
