#include "persist/aof_replay.h"

#include "base/buf.h"
#include "io/file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char path[64];
static struct buf ran; /* "SET k v; ..." */
static int64_t time_seen, stop_at_time;

static void begin(void)
{
    snprintf(path, sizeof path, "/tmp/pando-replay-XXXXXX");
    file_close(mkstemp(path));
}

static void end(void)
{
    buf_release(&ran);
    file_remove(path);
}

TestSuite(aof_replay, .init = begin, .fini = end);

static bool run(void *context, int argc, const struct span *argv, char reason[static 256])
{
    (void)context;
    for (int i = 0; i < argc; i++)
        buf_printf(&ran, i > 0 ? " %.*s" : "%.*s", (int)argv[i].len, argv[i].ptr);
    buf_append_span(&ran, SPAN("; "));
    if (!span_is(argv[0], "bla")) return true;
    snprintf(reason, 256, "Unknown command 'bla'");
    return false;
}

static bool see_time(void *context, int64_t unix_s)
{
    (void)context;
    time_seen = unix_s;
    return stop_at_time == 0 || unix_s < stop_at_time;
}

static struct aof_replay_figures figures;

static enum aof_replay_state replay_bytes(const char *bytes, size_t len, size_t budget)
{
    enum aof_replay_state state;
    int error;

    cr_assert_eq(file_replace(path, bytes, len, 0600), 0);
    buf_clear(&ran);
    struct aof_replay *replay = aof_replay_open(
        path, &(struct aof_replay_options){.run = run, .time = see_time, .upto = UINT64_MAX},
        &error);
    cr_assert_not_null(replay);
    do state = aof_replay_run(replay, budget);
    while (state == AOF_REPLAY_MORE);
    figures = *aof_replay_figures(replay);
    aof_replay_free(replay);
    buf_append_char(&ran, '\0');
    return state;
}

#define REPLAY(text, budget) replay_bytes(text, sizeof(text) - 1, budget)

#define SELECT_0             "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define SET_A                "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
#define MULTI                "*1\r\n$5\r\nMULTI\r\n"
#define EXEC                 "*1\r\n$4\r\nEXEC\r\n"

Test(aof_replay, commands_and_transactions_in_any_budget)
{
    static const char text[] = "#TS:17\r\n" SELECT_0 MULTI SET_A SET_A EXEC "#TS:18\r\n" SET_A;
    for (size_t budget = 1; budget < sizeof text; budget += 7) {
        cr_assert_eq(REPLAY(text, budget), AOF_REPLAY_DONE);
        cr_assert_str_eq(ran.ptr, "SELECT 0; MULTI; SET a 1; SET a 1; EXEC; SET a 1; ");
        cr_assert_eq(figures.valid, sizeof text - 1);
        cr_assert_eq(time_seen, 18);
    }
}

Test(aof_replay, a_short_end_runs_no_half_transaction)
{
    static const char text[] = SET_A MULTI SET_A SET_A EXEC;
    const size_t first = sizeof(SET_A) - 1;
    for (size_t len = first; len < sizeof text - 1; len++) {
        enum aof_replay_state state = replay_bytes(text, len, SIZE_MAX / 2);
        cr_assert_eq(state, len == first ? AOF_REPLAY_DONE : AOF_REPLAY_SHORT, "%zu bytes", len);
        cr_assert_str_eq(ran.ptr, "SET a 1; ");
        cr_assert_eq(figures.valid, first);
    }
}

Test(aof_replay, what_is_no_command_is_told_with_its_place)
{
    cr_assert_eq(REPLAY(SET_A "SET a 1\r\n", 1), AOF_REPLAY_BAD);
    cr_assert_eq(figures.position, sizeof(SET_A) - 1);
    cr_assert_eq(REPLAY(SET_A "*x\r\n", 1), AOF_REPLAY_BAD);
    cr_assert_eq(REPLAY(SET_A "*1\r\n$3\r\nbla\r\n" SET_A, 1), AOF_REPLAY_STOPPED);
    cr_assert_str_eq(figures.reason, "Unknown command 'bla'");
    cr_assert_eq(REPLAY("", 1), AOF_REPLAY_DONE);
}

Test(aof_replay, a_time_can_end_it)
{
    stop_at_time = 20;
    cr_assert_eq(REPLAY(SET_A "#TS:19\r\n" SET_A "#TS:20\r\n" SET_A, 1), AOF_REPLAY_DONE);
    cr_assert_str_eq(ran.ptr, "SET a 1; SET a 1; ");
    stop_at_time = 0;
}

Test(aof_replay, a_file_that_is_not_there)
{
    int error = 0;
    file_remove(path);
    cr_assert_null(aof_replay_open(path, &(struct aof_replay_options){.run = run}, &error));
    cr_assert_eq(error, -ENOENT);
}
