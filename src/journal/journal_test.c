#include "journal/journal.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

#define ID_A    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define NO_ID   "0000000000000000000000000000000000000000"
#define BACKLOG 16384

static struct journal *new_journal(void)
{
    return journal_new(&(struct journal_options){.backlog_bytes = BACKLOG});
}

static void write_units(struct journal *journal, int count)
{
    static const char unit[] = "*1\r\n$4\r\nPING\r\n";

    for (int i = 0; i < count; i++) journal_append(journal, unit, sizeof unit - 1);
    journal_publish(journal);
}

static void expect_id(const char *id)
{
    cr_assert_eq(strlen(id), REPLICATION_ID_LEN);
    cr_assert_eq(strspn(id, "0123456789abcdef"), REPLICATION_ID_LEN);
}

Test(journal, counts_nothing_until_something_reads_it)
{
    struct journal *journal = new_journal();

    cr_assert_not(journal_active(journal));
    cr_assert_eq(journal_end(journal), 0);
    cr_assert_eq(journal_backlog_first_byte(journal), 0);
    cr_assert_eq(journal_backlog_len(journal), 0);
    cr_assert_null(journal_open(journal, 0));
    cr_assert_eq(journal_db(journal), -1);
    expect_id(journal_id(journal));
    cr_assert_str_eq(journal_second_id(journal), NO_ID);
    cr_assert_eq(journal_second_offset(journal), -1);
    journal_free(journal);
}

Test(journal, shows_the_backlog_as_redis_does)
{
    struct journal *journal = new_journal();
    uint64_t end;

    journal_activate(journal, true);
    cr_assert_eq(journal_backlog_first_byte(journal), 1);
    cr_assert_eq(journal_backlog_len(journal), 0);
    write_units(journal, 1); /* 14 bytes: Redis 7.0.15 says first byte 1, histlen 14 */
    cr_assert_eq(journal_end(journal), 14);
    cr_assert_eq(journal_backlog_first_byte(journal), 1);
    cr_assert_eq(journal_backlog_len(journal), 14);
    write_units(journal, 5000);
    end = 14 * 5001;
    cr_assert_eq(journal_end(journal), end);
    cr_assert_eq(journal_backlog_first_byte(journal), end - BACKLOG + 1);
    cr_assert_eq(journal_backlog_len(journal), BACKLOG);
    journal_free(journal);
}

Test(journal, units_are_visible_when_published)
{
    struct journal *journal = new_journal();
    struct spool_cursor *cursor;
    struct iovec iov;
    int count;

    journal_activate(journal, false);
    cursor = journal_open(journal, 0);
    journal_append(journal, "one", 3);
    buf_append(journal_tail(journal), "two", 3);
    journal_appended(journal, 3);
    cr_assert_eq(journal_end(journal), 6); /* counted at once */
    cr_assert_eq(spool_peek(cursor, &iov, &count, 1, 100, NULL, NULL), SPOOL_NOTHING);
    journal_publish(journal);
    cr_assert_eq(spool_peek(cursor, &iov, &count, 1, 100, NULL, NULL), SPOOL_BYTES);
    cr_assert_eq(iov.iov_len, 6);
    cr_assert_eq(memcmp(iov.iov_base, "onetwo", 6), 0);
    journal_close(journal, cursor);
    journal_append(journal, "three", 5);
    cursor = journal_open(journal, 11); /* publishes first: the end is what was appended */
    cr_assert_not_null(cursor);
    journal_close(journal, cursor);
    journal_free(journal);
}

Test(journal, a_large_unit_stands_behind_what_came_before)
{
    static char large[100000];
    struct journal *journal = new_journal();
    struct spool_cursor *cursor;
    char out[3];

    memset(large, 'x', sizeof large);
    journal_activate(journal, false);
    cursor = journal_open(journal, 0);
    journal_append(journal, "ab", 2);
    journal_append(journal, large, sizeof large);
    journal_publish(journal);
    cr_assert_eq(journal_end(journal), 2 + sizeof large);
    cr_assert_eq(spool_read_wait(cursor, out, 3), 3);
    cr_assert_eq(memcmp(out, "abx", 3), 0);
    cr_assert_eq(journal_first(journal), 0); /* the cursor pins it */
    spool_advance(cursor, sizeof large - 1);
    journal_close(journal, cursor);
    cr_assert_eq(journal_first(journal), 2 + sizeof large - BACKLOG);
    journal_free(journal);
}

Test(journal, a_slow_reader_is_fed_from_disk_beyond_the_ceiling)
{
    struct journal *journal = journal_new(&(struct journal_options){
        .dir = "/tmp", .backlog_bytes = BACKLOG, .memory_bytes_max = 1 << 20});
    struct spool_cursor *cursor;
    char out[14];

    journal_activate(journal, false);
    cursor = journal_open(journal, 0);
    for (int i = 0; i < 1000; i++) write_units(journal, 500);
    cr_assert_leq(journal_memory(journal), (1 << 20) + (256 << 10));
    cr_assert_geq(journal_disk(journal), 5 << 20);
    cr_assert_eq(journal_first(journal), 0);
    cr_assert_gt(journal_backlog_first_byte(journal), 5 << 20); /* of memory */
    cr_assert_eq(journal_backlog_first_byte(journal) + journal_backlog_len(journal), 7000001);
    for (int i = 0; i < 500000; i++) {
        cr_assert_eq(spool_read_wait(cursor, out, 14), 14);
        cr_assert_eq(memcmp(out, "*1\r\n$4\r\nPING\r\n", 14), 0);
    }
    journal_close(journal, cursor);
    cr_assert_eq(journal_disk(journal), 0);
    cr_assert_eq(journal_backlog_len(journal), BACKLOG);
    journal_free(journal);
}

Test(journal, a_smaller_backlog_lets_go_at_once)
{
    struct journal *journal = journal_new(&(struct journal_options){.backlog_bytes = 1 << 20});

    journal_activate(journal, false);
    write_units(journal, 50000);
    cr_assert_eq(journal_backlog_len(journal), 700000);
    journal_set_backlog(journal, BACKLOG);
    cr_assert_eq(journal_backlog_len(journal), BACKLOG);
    cr_assert_leq(journal_memory(journal), 1 << 20);
    journal_free(journal);
}

/* ---- identity -------------------------------------------------------------------------------- */

Test(journal, each_answer_to_a_resume)
{
    struct journal *journal = new_journal();
    char upper[REPLICATION_ID_LEN + 1] = ID_A;

    journal_restore(journal, ID_A, 1000, false);
    cr_assert_eq(journal_can_resume(journal, ID_A, 1000), JOURNAL_RESUME_OK);
    for (int i = 0; upper[i] != '\0'; i++) upper[i] = (char)toupper(upper[i]);
    cr_assert_eq(journal_can_resume(journal, upper, 1000), JOURNAL_RESUME_OK);
    cr_assert_eq(journal_can_resume(journal, ID_A, 999), JOURNAL_TOO_OLD);
    cr_assert_eq(journal_can_resume(journal, ID_A, 1001), JOURNAL_AHEAD);
    cr_assert_eq(journal_can_resume(journal, ID_B, 1000), JOURNAL_UNKNOWN_ID);
    cr_assert_eq(journal_can_resume(journal, "?", 1000), JOURNAL_UNKNOWN_ID);
    cr_assert_eq(journal_can_resume(journal, NO_ID, 1000), JOURNAL_UNKNOWN_ID);
    cr_assert_eq(journal_can_resume(journal, "", 1000), JOURNAL_UNKNOWN_ID);

    write_units(journal, 1);
    journal_shift_id(journal);
    write_units(journal, 1);
    cr_assert_eq(journal_can_resume(journal, ID_A, 1000), JOURNAL_RESUME_OK);
    cr_assert_eq(journal_can_resume(journal, ID_A, 1014), JOURNAL_RESUME_OK);
    cr_assert_eq(journal_can_resume(journal, ID_A, 1015), JOURNAL_BEYOND_SECOND);
    cr_assert_eq(journal_can_resume(journal, journal_id(journal), 1028), JOURNAL_RESUME_OK);
    cr_assert_eq(journal_can_resume(journal, journal_id(journal), 1029), JOURNAL_AHEAD);

    write_units(journal, 5000);
    cr_assert_eq(journal_can_resume(journal, ID_A, 1014), JOURNAL_TOO_OLD);
    journal_deactivate(journal);
    cr_assert_eq(journal_can_resume(journal, ID_A, 1014), JOURNAL_UNKNOWN_ID);
    cr_assert_eq(journal_can_resume(journal, journal_id(journal), journal_end(journal)),
                 JOURNAL_INACTIVE);
    journal_free(journal);
}

Test(journal, a_promotion_keeps_the_old_id_up_to_its_end)
{
    struct journal *journal = new_journal();

    journal_adopt(journal, ID_A, 500);
    journal_set_db(journal, 3);
    cr_assert(journal_active(journal));
    cr_assert_str_eq(journal_id(journal), ID_A);
    cr_assert_eq(journal_backlog_first_byte(journal), 501); /* as Redis after a full sync */
    cr_assert_eq(journal_backlog_len(journal), 0);
    write_units(journal, 2);
    journal_append(journal, "tail", 4); /* counts for the switch too */
    journal_shift_id(journal);
    expect_id(journal_id(journal));
    cr_assert_str_neq(journal_id(journal), ID_A);
    cr_assert_str_eq(journal_second_id(journal), ID_A);
    cr_assert_eq(journal_second_offset(journal), 533);
    cr_assert_eq(journal_db(journal), -1);
    journal_free(journal);
}

Test(journal, a_continue_with_a_new_id_renames_the_same_bytes)
{
    struct journal *journal = new_journal();

    journal_adopt(journal, ID_A, 500);
    write_units(journal, 1);
    journal_set_db(journal, 3);
    journal_rename_id(journal, ID_A); /* no change */
    cr_assert_eq(journal_second_offset(journal), -1);
    journal_rename_id(journal, ID_B);
    cr_assert_str_eq(journal_id(journal), ID_B);
    cr_assert_str_eq(journal_second_id(journal), ID_A);
    cr_assert_eq(journal_second_offset(journal), 515);
    cr_assert_eq(journal_db(journal), 3); /* the stream goes on */
    cr_assert_eq(journal_backlog_len(journal), 14);
    journal_free(journal);
}

Test(journal, a_primary_restarts_under_a_fresh_id)
{
    struct journal *journal = new_journal();

    journal_restore(journal, ID_A, 500, true);
    expect_id(journal_id(journal));
    cr_assert_str_neq(journal_id(journal), ID_A);
    cr_assert_str_eq(journal_second_id(journal), ID_A);
    cr_assert_eq(journal_second_offset(journal), 501);
    cr_assert_eq(journal_end(journal), 500);
    cr_assert_eq(journal_can_resume(journal, ID_A, 500), JOURNAL_RESUME_OK);
    cr_assert_eq(journal_can_resume(journal, ID_A, 501), JOURNAL_BEYOND_SECOND);
    journal_free(journal);
}

Test(journal, a_backlog_made_anew_is_a_new_history_unless_told)
{
    struct journal *journal = new_journal();
    char id[REPLICATION_ID_LEN + 1];

    memcpy(id, journal_id(journal), sizeof id);
    journal_activate(journal, true);
    cr_assert_str_eq(journal_id(journal), id);
    write_units(journal, 1);
    journal_activate(journal, false); /* active: no effect */
    cr_assert_str_eq(journal_id(journal), id);
    journal_shift_id(journal);
    memcpy(id, journal_id(journal), sizeof id);
    journal_deactivate(journal);
    cr_assert_str_neq(journal_id(journal), id);
    cr_assert_str_eq(journal_second_id(journal), NO_ID);
    cr_assert_eq(journal_end(journal), 14);
    memcpy(id, journal_id(journal), sizeof id);
    journal_activate(journal, false);
    cr_assert_str_neq(journal_id(journal), id);
    cr_assert_eq(journal_backlog_first_byte(journal), 15);
    journal_free(journal);
}

/* ---- ages ------------------------------------------------------------------------------------ */

Test(journal, tells_how_long_bytes_have_been_waiting)
{
    struct journal *journal = new_journal();

    journal_activate(journal, false);
    cr_assert_eq(journal_age_ms(journal, 0, 1000), 0);
    journal_set_now(journal, 1000);
    write_units(journal, 1); /* 0 to 14 */
    journal_set_now(journal, 1500);
    write_units(journal, 1); /* 14 to 28 */
    write_units(journal, 1); /* 28 to 42, in the same turn */
    cr_assert_eq(journal_age_ms(journal, 0, 3000), 2000);
    cr_assert_eq(journal_age_ms(journal, 13, 3000), 2000);
    cr_assert_eq(journal_age_ms(journal, 14, 3000), 1500);
    cr_assert_eq(journal_age_ms(journal, 41, 3000), 1500);
    cr_assert_eq(journal_age_ms(journal, 42, 3000), 0);
    cr_assert_eq(journal_age_ms(journal, 99, 3000), 0);
    journal_set_now(journal, 2900);
    journal_append(journal, "x", 1); /* not published yet */
    cr_assert_eq(journal_age_ms(journal, 42, 3000), 100);
    journal_free(journal);
}

Test(journal, ages_get_coarser_with_time_but_never_too_young)
{
    enum { TURNS = 100000 };
    struct journal *journal = new_journal();

    journal_activate(journal, false);
    for (int turn = 1; turn <= TURNS; turn++) {
        journal_set_now(journal, turn);
        write_units(journal, 1);
    }
    for (int turn = 1; turn <= TURNS; turn += 7) {
        int64_t age = journal_age_ms(journal, (uint64_t)(turn - 1) * 14, TURNS);
        int64_t exact = TURNS - turn;

        cr_assert_geq(age, exact);
        cr_assert_leq(age, exact < 512 ? exact : TURNS);
    }
    journal_free(journal);
}
