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
static struct buf lines;
static uint64_t line_end;
static const char *unwanted; /* the name of the first command that is not wanted; NULL: all are */

static void begin(void)
{
    snprintf(path, sizeof path, "/tmp/pando-replay-XXXXXX");
    file_close(mkstemp(path));
}

static void end(void)
{
    buf_release(&ran);
    buf_release(&lines);
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

static void see_line(void *context, struct span line, uint64_t end)
{
    (void)context;
    buf_append_span(&lines, line);
    line_end = end;
}

static uint64_t unwanted_end;

static bool wants(void *context, struct span name, uint64_t end)
{
    (void)context;
    if (unwanted == NULL || !span_is(name, unwanted)) return true;
    unwanted_end = end;
    return false;
}

static struct aof_replay_figures figures;

static enum aof_replay_state replay_bytes(const char *bytes, size_t len, size_t budget)
{
    enum aof_replay_state state;
    int error;

    cr_assert_eq(file_replace(path, bytes, len, 0600), 0);
    buf_clear(&ran);
    buf_clear(&lines);
    struct aof_replay *replay =
        aof_replay_open(path,
                        &(struct aof_replay_options){
                            .run = run, .line = see_line, .wants = wants, .upto = UINT64_MAX},
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
        cr_assert(span_is(buf_span(&lines), "#TS:17\r\n#TS:18\r\n"));
        cr_assert_eq(line_end, sizeof text - sizeof SET_A);
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

Test(aof_replay, it_ends_before_what_is_not_wanted)
{
    static const char text[] = SET_A "#TS:19\r\n" MULTI SET_A SET_A EXEC SELECT_0 SET_A;
    const size_t select_at = sizeof text - sizeof SET_A - sizeof SELECT_0 + 1;

    unwanted = "SELECT";
    cr_assert_eq(REPLAY(text, 1), AOF_REPLAY_DONE);
    cr_assert_str_eq(ran.ptr, "SET a 1; MULTI; SET a 1; SET a 1; EXEC; ");
    cr_assert_eq(figures.valid, select_at);
    cr_assert_eq(unwanted_end, select_at + sizeof SELECT_0 - 1);
    unwanted = "EXEC"; /* of a transaction nothing is run then */
    cr_assert_eq(REPLAY(text, 1), AOF_REPLAY_DONE);
    cr_assert_str_eq(ran.ptr, "SET a 1; ");
    cr_assert_eq(unwanted_end, select_at);
    unwanted = NULL;
}

Test(aof_replay, a_file_that_is_not_there)
{
    int error = 0;
    file_remove(path);
    cr_assert_null(aof_replay_open(path, &(struct aof_replay_options){.run = run}, &error));
    cr_assert_eq(error, -ENOENT);
}
