#include "check/rdb_check.h"

#include "base/mem.h"
#include "io/clock.h"
#include "io/file.h"
#include "persist/rdb_load.h"
#include "store/value_rdb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct check {
    int fd;
    uint64_t at; /* position in the file */
    struct rdb_reader reader;
    uint64_t keys, expires, expired;
    int64_t now_ms;
};

static ssize_t read_file(void *context, void *out, size_t len)
{
    struct check *check = context;
    ssize_t got = file_pread_some(check->fd, out, len, check->at);

    if (got > 0) check->at += (uint64_t)got;
    return got;
}

static void begin_line(const struct check *check)
{
    printf("[offset %" PRIu64 "] ", rdb_reader_offset(&check->reader));
}

static void see_aux(void *context, struct span name, struct span value)
{
    begin_line(context);
    printf("AUX FIELD %.*s = '%.*s'\n", (int)name.len, name.ptr, (int)value.len, value.ptr);
}

static void see_db(void *context, uint64_t db)
{
    begin_line(context);
    printf("Selecting DB ID %" PRIu64 "\n", db);
}

static void see_key(void *context)
{
    ((struct check *)context)->keys++;
}

static void see_value(void *context, int64_t deadline)
{
    struct check *check = context;

    if (deadline == NO_DEADLINE) return;
    check->expires++;
    if (deadline < check->now_ms) check->expired++;
}

static void say_error(const struct check *check, const struct rdb_load *load, const char *key,
                      size_t key_len)
{
    printf("--- RDB ERROR DETECTED ---\n");
    begin_line(check);
    printf("%s\n", check->reader.error);
    printf("[additional info] While doing: %s\n", load->doing);
    if (key_len > 0) printf("[additional info] Reading key '%.*s'\n", (int)key_len, key);
    if (load->type >= 0 && value_rdb_type_name((uint8_t)load->type) != NULL)
        printf("[additional info] Reading type %d (%s)\n", load->type,
               value_rdb_type_name((uint8_t)load->type));
}

static void say_counts(const struct check *check)
{
    printf("[info] %" PRIu64 " keys read\n[info] %" PRIu64 " expires\n[info] %" PRIu64
           " already expired\n",
           check->keys, check->expires, check->expired);
}

static bool run(struct check *check, uint64_t size, bool tail_follows, uint64_t *bytes)
{
    const struct loader_options options = {
        .databases = 1,
        .settings = value_settings_default((struct hash_secret){(uint64_t)check->now_ms, size}),
        .now_ms = check->now_ms,
        .checksum = true,
        .tail_follows = tail_follows,
        .silent = true};
    const struct rdb_watch watch = {see_aux, see_db, see_key, see_value, check};
    const struct rdb_source source = {read_file, check};
    _Atomic uint64_t keys = 0, keys_expired = 0, keys_expected = 0, used_memory = 0;
    struct loader_outcome outcome = {0};
    struct rdb_load load = {.options = &options,
                            .watch = &watch,
                            .reader = &check->reader,
                            .outcome = &outcome,
                            .keys = &keys,
                            .keys_expired = &keys_expired,
                            .keys_expected = &keys_expected,
                            .used_memory = &used_memory,
                            .ahead_max = 1};

    rdb_reader_init(&check->reader, &source, size, true);
    check->reader.size_certain = true;
    bool fine = rdb_load_run(&load) == OK;
    *bytes = outcome.bytes;
    if (!fine) {
        say_error(check, &load, check->reader.key.ptr, check->reader.key.len);
    } else {
        begin_line(check);
        printf("Checksum OK\n");
        begin_line(check);
        printf("\\o/ RDB looks OK! \\o/\n");
    }
    say_counts(check);
    rdb_reader_release(&check->reader);
    loader_outcome_release(&outcome);
    return fine;
}

bool rdb_check(const char *path, const char *name, bool tail_follows, uint64_t *bytes)
{
    struct check check = {.now_ms = clock_wall_ms()};
    uint64_t size;

    printf("[offset 0] Checking RDB file %s\n", name);
    check.fd = file_open_read(path, &size);
    if (check.fd < 0) return false;
    bool fine = run(&check, size, tail_follows, bytes);
    file_close(check.fd);
    return fine;
}
