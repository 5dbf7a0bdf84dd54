#include "repl/apply.h"

#include "base/buf.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

static struct journal *journal;
static struct apply *apply;
static struct buf ran;
static const struct span *places[APPLY_LOT]; /* announced, and not run yet */
static int not_announced;                    /* that had to run without */

static void announce(void *context, int place, int db, int argc, const struct span *argv)
{
    (void)context;
    cr_assert(ge(int, db, 0));
    cr_assert(ge(int, argc, 0));
    cr_assert_lt(place, APPLY_LOT);
    places[place] = argv;
}

static bool run(void *context, int place, int db, int argc, const struct span *argv,
                char reason[static 192])
{
    (void)context;
    if (place < 0) {
        not_announced++;
    } else {
        cr_assert_lt(place, APPLY_LOT);
        cr_assert(eq(ptr, (void *)places[place], (void *)argv), "as it was announced");
        places[place] = NULL;
    }
    buf_printf(&ran, "%d:", db);
    for (int i = 0; i < argc; i++) buf_printf(&ran, "%.*s ", (int)argv[i].len, argv[i].ptr);
    if (!span_is(argv[0], "bad")) return true;
    snprintf(reason, 192, "why");
    return false;
}

static void start(void)
{
    const struct apply_executor executor = {.announce = announce, .run = run};
    journal = journal_new(&(struct journal_options){.backlog_bytes = 1 << 20});
    journal_activate(journal, false);
    apply = apply_new(journal, &executor, 5000);
    ran = (struct buf){0};
    memset(places, 0, sizeof(places));
    not_announced = 0;
}
static void stop(void)
{
    apply_free(apply);
    journal_free(journal);
    buf_release(&ran);
}
TestSuite(apply, .init = start, .fini = stop);

#define SET    "*2\r\n$3\r\nSET\r\n$1\r\na\r\n"
#define SELECT "*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n"
#define MULTI  "*1\r\n$5\r\nMULTI\r\n"
#define EXEC   "*1\r\n$4\r\nEXEC\r\n"
#define PING   "*1\r\n$4\r\nPING\r\n"
#define GETACK "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"

static struct apply_result feed(const char *bytes)
{
    struct apply_result result;
    apply_feed(apply, span_of_cstr(bytes), &result);
    return result;
}
#define RAN(wanted)                                                                                \
    do {                                                                                           \
        buf_append_char(&ran, '\0');                                                               \
        cr_assert(eq(str, ran.ptr, wanted));                                                       \
        buf_clear(&ran);                                                                           \
    } while (0)

Test(apply, the_log_ends_where_whole_units_end)
{
    const char stream[] = SELECT SET PING MULTI SET SET EXEC GETACK SET;
    static const size_t units[] = {sizeof(SELECT) - 1, sizeof(SET) - 1,
                                   sizeof(PING) - 1,   sizeof(MULTI SET SET EXEC) - 1,
                                   sizeof(GETACK) - 1, sizeof(SET) - 1};
    size_t unit = 0, end = 0;
    for (size_t i = 0; i < sizeof(stream) - 1; i++) {
        struct apply_result result;
        apply_feed(apply, span_of(stream + i, 1), &result);
        cr_assert(not(result.failed));
        if (i + 1 == end + units[unit]) end += units[unit++];
        cr_assert_eq(journal_end(journal), end, "after byte %zu", i + 1);
        cr_assert_eq(apply_pending(apply), i + 1 - end);
    }
    RAN("2:SET a 2:MULTI 2:SET a 2:SET a 2:EXEC 2:SET a ");
}

Test(apply, all_at_once_is_the_same_as_byte_by_byte)
{
    const struct apply_result result = feed(SELECT SET PING MULTI SET EXEC GETACK);
    cr_assert_eq(result.units, 5);
    cr_assert(result.getack);
    cr_assert_eq(journal_end(journal), sizeof(SELECT SET PING MULTI SET EXEC GETACK) - 1);
    RAN("2:SET a 2:MULTI 2:SET a 2:EXEC ");
}

Test(apply, a_transaction_without_its_exec_does_nothing)
{
    feed(MULTI SET SET);
    RAN("");
    apply_reset(apply);
    cr_assert_eq(apply_pending(apply), 0);
    feed(SET);
    RAN("0:SET a ");
    cr_assert_eq(journal_end(journal), sizeof(SET) - 1);
}

Test(apply, after_a_promotion_the_stream_goes_on_in_its_database)
{
    feed(SELECT);
    journal_shift_id(journal);
    cr_assert_eq(journal_db(journal), -1);
    feed(SET);
    RAN("2:SET a ");
}

Test(apply, long_transactions_and_long_batches_run_in_lots)
{
    struct buf stream = {0};
    size_t commands = 0;
    for (int inside = 0; inside < 3 * APPLY_LOT; inside += 5) {
        buf_append_span(&stream, span_of_cstr(SET MULTI));
        for (int i = 0; i < inside; i++) buf_append_span(&stream, span_of_cstr(SET));
        buf_append_span(&stream, span_of_cstr(EXEC));
        commands += (size_t)inside + 3;
    }
    for (size_t piece = stream.len; piece > 0; piece = piece * 2 / 3) {
        struct apply_result result;
        const uint64_t end = journal_end(journal);
        not_announced = 0;
        for (size_t at = 0; at < stream.len; at += piece) {
            const size_t rest = stream.len - at;
            apply_feed(apply, span_of(stream.ptr + at, rest < piece ? rest : piece), &result);
            cr_assert(not(result.failed), "%s", result.reason);
        }
        cr_assert_eq(journal_end(journal), end + stream.len);
        cr_assert_eq(apply_pending(apply), 0);
        size_t spaces = 0;
        for (size_t i = 0; i < ran.len; i++) spaces += ran.ptr[i] == ':';
        cr_assert_eq(spaces, commands);
        cr_assert(gt(int, not_announced, 0));
        buf_clear(&ran);
    }
    buf_release(&stream);
}

Test(apply, what_cannot_be_run_stops_it_there_and_is_named)
{
    const struct apply_result result = feed(SET "*1\r\n$3\r\nBAD\r\n" SET);
    cr_assert(result.failed);
    cr_assert(eq(str, (char *)result.reason, "command 'BAD': why"));
    cr_assert_eq(journal_end(journal), sizeof(SET) - 1);
    RAN("0:SET a 0:BAD ");
}

static void expect_failure(const char *bytes, const char *reason)
{
    const struct apply_result result = feed(bytes);
    cr_assert(result.failed, "%s", bytes);
    cr_assert(strstr(result.reason, reason) != NULL, "%s", result.reason);
    apply_reset(apply);
}

Test(apply, wrong_bytes_fail)
{
    expect_failure("SET a b\r\n", "inline");
    expect_failure("*x\r\n", "");
    expect_failure("*1\r\n:5\r\n", "");
    expect_failure(MULTI MULTI, "MULTI inside MULTI");
    expect_failure(EXEC, "EXEC without MULTI");
    expect_failure("*2\r\n$6\r\nSELECT\r\n$1\r\nx\r\n", "SELECT");
    expect_failure("*2\r\n$3\r\nSET\r\n$999999\r\n", "");
    cr_assert_eq(journal_end(journal), 0);
}

Test(apply, a_unit_has_a_greatest_length)
{
    feed(MULTI);
    struct apply_result result = {0};
    for (int i = 0; i < 300 && !result.failed; i++) result = feed(SET);
    cr_assert(result.failed);
    cr_assert(eq(str, (char *)result.reason, "a unit of the stream is too long"));
}
