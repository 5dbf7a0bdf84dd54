#include "repl/test_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct rig rig;

static void start(void)
{
    rig_init(&rig, 100);
}
static void stop(void)
{
    rig_release(&rig);
}

#define SAYS(told, wanted)                                                                         \
    do {                                                                                           \
        const char *told_ = (told);                                                                \
        cr_assert(eq(str, (char *)told_, wanted));                                                 \
    } while (0)
#define HAS(told, wanted)                                                                          \
    do {                                                                                           \
        const char *told_ = (told);                                                                \
        cr_assert(strstr(told_, wanted) != NULL, "%s", told_);                                     \
    } while (0)

static const char *failover(const char *line)
{
    struct span argv[10];
    return role_failover(rig.role, rig_split(line, argv, 10), argv, rig.now_ms, &rig.out);
}
#define FAILS(line, error)                                                                         \
    do {                                                                                           \
        const char *error_ = failover(line);                                                       \
        cr_assert(ne(ptr, (void *)error_, NULL), "%s", line);                                      \
        cr_assert(eq(str, (char *)error_, error));                                                 \
    } while (0)

/* An online replica at 10.0.0.9:`port` that has acknowledged everything but `behind` bytes. */
static void add_replica(uint64_t peer, int port, uint64_t behind)
{
    char line[128];
    snprintf(line, sizeof(line), "replconf listening-port %d capa eof capa psync2", port);
    rig_ask(&rig, peer, line);
    snprintf(line, sizeof(line), "psync %s %" PRIu64, journal_id(rig.journal),
             journal_end(rig.journal) + 1 - behind);
    rig_ask(&rig, peer, line);
    snprintf(line, sizeof(line), "replconf ack %" PRIu64, journal_end(rig.journal) - behind);
    rig_ask(&rig, peer, line);
    rig_do(&rig);
}

static void ack(uint64_t peer, uint64_t offset)
{
    char line[64];
    snprintf(line, sizeof(line), "replconf ack %" PRIu64, offset);
    rig_ask(&rig, peer, line);
}

TestSuite(role, .init = start, .fini = stop);

/* ---- REPLICAOF ---------------------------------------------------------------------------------- */

Test(role, following_drops_replicas_and_connects)
{
    add_replica(3, 7001, 0);
    cr_assert(role_follow(rig.role, "h", 1, rig.now_ms, &rig.out));
    SAYS(rig_do(&rig), "CLOSE 3 \"this node follows another primary now\" | ROLE 1");
    SAYS(rig_wait(&rig, 100), "CONNECT h:1");
    cr_assert(role_is_replica(rig.role));
}

Test(role, following_the_same_again_changes_nothing)
{
    role_follow(rig.role, "h", 1, rig.now_ms, &rig.out);
    rig_do(&rig);
    cr_assert(not(role_follow(rig.role, "H", 1, rig.now_ms, &rig.out)));
    SAYS(rig_do(&rig), "");
    cr_assert(role_follow(rig.role, "h", 2, rig.now_ms, &rig.out));
}

Test(role, promotion_takes_a_new_id_and_keeps_the_old_one_as_second)
{
    char old[41];
    snprintf(old, sizeof(old), "%s", journal_id(rig.journal));
    cr_assert(not(role_promote(rig.role, rig.now_ms, &rig.out)));
    role_follow(rig.role, "h", 1, rig.now_ms, &rig.out);
    rig_do(&rig);
    cr_assert(role_promote(rig.role, rig.now_ms, &rig.out));
    SAYS(rig_do(&rig), "SHIFT_ID | ROLE 0");
    cr_assert(eq(str, (char *)journal_second_id(rig.journal), old));
    cr_assert_eq(journal_second_offset(rig.journal), 101);
}

static const char *what_it_asks_with(void)
{
    rig_do(&rig);
    rig_wait(&rig, 100);
    replica_connected(rig.replica, rig.now_ms, &rig.out);
    rig_do(&rig);
    return rig_receive(&rig, "+PONG\r\n+OK\r\n+OK\r\n");
}

Test(role, an_id_that_was_told_to_nobody_is_given_up)
{
    journal_adopt(rig.journal, ID_A, 100);
    journal_shift_id(rig.journal); /* as a start or a promotion does */
    role_follow(rig.role, "h", 1, rig.now_ms, &rig.out);
    HAS(what_it_asks_with(), ID_A "\\r\\n$3\\r\\n101");
    /* Accepted: the log bears that name again, before anything is told to anyone. */
    HAS(rig_receive(&rig, "+CONTINUE " ID_A "\r\n"), "RENAME_ID aaaaaaaa | SEND 0");
    cr_assert(eq(str, (char *)journal_id(rig.journal), ID_A));
}

Test(role, an_id_that_has_bytes_or_was_told_is_kept)
{
    char fresh[41];
    journal_adopt(rig.journal, ID_A, 100);
    journal_shift_id(rig.journal);
    snprintf(fresh, sizeof(fresh), "%s", journal_id(rig.journal));
    add_replica(3, 7001, 0);
    role_follow(rig.role, "h", 1, rig.now_ms, &rig.out);
    HAS(what_it_asks_with(), fresh);
    role_promote(rig.role, rig.now_ms, &rig.out);
    rig_do(&rig);
    snprintf(fresh, sizeof(fresh), "%s", journal_id(rig.journal));
    rig_append(&rig, 1);
    role_follow(rig.role, "h", 1, rig.now_ms, &rig.out);
    HAS(what_it_asks_with(), fresh);
}

Test(role, a_log_without_a_byte_is_a_history_once_somebody_has_it)
{
    struct rig fresh;
    char told[41];
    rig_init(&fresh, 0);
    rig_ask(&fresh, 3, "replconf capa eof capa psync2");
    rig_ask(&fresh, 3, "psync ? -1");
    rig_do(&fresh);
    primary_snapshot_begun(fresh.primary, 1, 0, fresh.now_ms, &fresh.out);
    snprintf(told, sizeof(told), "%s", journal_id(fresh.journal));
    role_follow(fresh.role, "h", 1, fresh.now_ms, &fresh.out);
    rig_do(&fresh);
    rig_wait(&fresh, 100);
    replica_connected(fresh.replica, fresh.now_ms, &fresh.out);
    rig_do(&fresh);
    HAS(rig_receive(&fresh, "+PONG\r\n+OK\r\n+OK\r\n"), told);
    rig_release(&fresh);
}

/* ---- FAILOVER's arguments ----------------------------------------------------------------------- */

Test(role, failover_refuses_as_redis_does)
{
    FAILS("FAILOVER x", "ERR syntax error");
    FAILS("FAILOVER TO 1.1.1.1", "ERR syntax error");
    FAILS("FAILOVER TO 1.1.1.1 x", "ERR value is not an integer or out of range");
    FAILS("FAILOVER TIMEOUT 0", "ERR FAILOVER timeout must be greater than 0");
    FAILS("FAILOVER TIMEOUT 1 TIMEOUT 1", "ERR syntax error");
    FAILS("FAILOVER ABORT TIMEOUT 1", "ERR syntax error");
    FAILS("FAILOVER ABORT", "ERR No failover in progress.");
    FAILS("FAILOVER", "ERR FAILOVER requires connected replicas.");
    FAILS("FAILOVER FORCE", "ERR FAILOVER requires connected replicas.");
    add_replica(3, 7001, 10);
    FAILS("FAILOVER FORCE",
          "ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
    FAILS("FAILOVER TO 10.0.0.9 7001 FORCE",
          "ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
    FAILS("FAILOVER TO 10.0.0.9 7002", "ERR FAILOVER target HOST and PORT is not a replica.");
    rig_ask(&rig, 4, "replconf listening-port 7002 capa eof");
    rig.config.diskless_delay_ms = 5000;
    rig_ask(&rig, 4, "psync ? -1");
    FAILS("FAILOVER TO 10.0.0.9 7002", "ERR FAILOVER target replica is not online.");
    cr_assert(eq(ptr, (void *)failover("FAILOVER"), NULL));
    FAILS("FAILOVER", "ERR FAILOVER already in progress.");
    cr_assert(eq(str, (char *)role_refuses_replicaof(rig.role),
                 "ERR REPLICAOF not allowed while failing over."));
    cr_assert(eq(ptr, (void *)failover("FAILOVER ABORT"), NULL));
    role_follow(rig.role, "h", 1, rig.now_ms, &rig.out);
    FAILS("FAILOVER", "ERR FAILOVER is not valid when server is a replica.");
}

/* ---- FAILOVER's way ------------------------------------------------------------------------------ */

static void begin(const char *line)
{
    add_replica(3, 7001, 10);
    add_replica(4, 7002, 10);
    cr_assert(eq(ptr, (void *)failover(line), NULL));
}

/* The node asks the target at `port`. */
static void reach_target(int port)
{
    char connect[64];
    snprintf(connect, sizeof(connect), "CONNECT 10.0.0.9:%d", port);
    cr_assert_eq(role_failover_state(rig.role), FAILOVER_IN_PROGRESS);
    SAYS(rig_wait(&rig, 100), connect);
    replica_connected(rig.replica, rig.now_ms, &rig.out);
    rig_do(&rig);
    HAS(rig_receive(&rig, "+PONG\r\n+OK\r\n+OK\r\n"), "FAILOVER");
}

Test(role, failover_pauses_waits_for_the_target_and_switches)
{
    begin("FAILOVER TO 10.0.0.9 7002");
    SAYS(rig_do(&rig), "PAUSE_WRITES");
    cr_assert(eq(str, (char *)role_failover_name(rig.role), "waiting-for-sync"));
    HAS(rig_wait(&rig, 100), "GETACK");
    rig_append(&rig, 0);
    ack(3, journal_end(rig.journal)); /* another one is not enough */
    ack(4, journal_end(rig.journal) - 5);
    rig_do(&rig);
    role_timer(rig.role, rig.now_ms, &rig.out);
    cr_assert_eq(role_failover_state(rig.role), FAILOVER_WAIT_SYNC);
    ack(4, journal_end(rig.journal));
    rig_do(&rig);
    role_timer(rig.role, rig.now_ms, &rig.out);
    HAS(rig_do(&rig), "ROLE 1");
    cr_assert(eq(str, (char *)role_failover_name(rig.role), "failover-in-progress"));
    cr_assert_eq(rig_ask(&rig, 9, "psync ? -1"), PRIMARY_REFUSED);
    reach_target(7002);
    HAS(rig_receive(&rig, "+CONTINUE bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n"),
        "RESUME_WRITES");
    cr_assert(eq(str, (char *)role_failover_name(rig.role), "no-failover"));
    cr_assert(role_is_replica(rig.role));
}

Test(role, failover_without_target_takes_who_is_first)
{
    begin("FAILOVER");
    rig_do(&rig);
    ack(3, journal_end(rig.journal));
    rig_do(&rig);
    role_timer(rig.role, rig.now_ms, &rig.out);
    rig_do(&rig);
    reach_target(7001);
}

Test(role, failover_at_equal_offsets_is_immediate)
{
    add_replica(3, 7001, 0);
    cr_assert(eq(ptr, (void *)failover("FAILOVER"), NULL));
    rig_do(&rig);
    reach_target(7001);
}

Test(role, failover_gives_up_after_its_timeout)
{
    begin("FAILOVER TO 10.0.0.9 7002 TIMEOUT 500");
    rig_do(&rig);
    HAS(rig_wait(&rig, 600), "RESUME_WRITES");
    cr_assert_eq(role_failover_state(rig.role), FAILOVER_NONE);
    cr_assert(not(role_is_replica(rig.role)));
    cr_assert_eq(primary_peers(rig.primary), 2);
    cr_assert(eq(str, (char *)repl_events_at(&rig.events, 0)->reason,
                 "Replica never caught up before timeout"));
}

Test(role, force_switches_after_the_timeout)
{
    begin("FAILOVER TO 10.0.0.9 7002 FORCE TIMEOUT 500");
    rig_do(&rig);
    HAS(rig_wait(&rig, 600), "ROLE 1");
    cr_assert_eq(role_failover_state(rig.role), FAILOVER_IN_PROGRESS);
}

Test(role, a_target_that_rejects_makes_us_primary_again)
{
    add_replica(3, 7001, 0);
    failover("FAILOVER");
    rig_do(&rig);
    reach_target(7001);
    HAS(rig_receive(&rig, "-ERR PSYNC FAILOVER replid must match my replid.\r\n"),
        "SHIFT_ID | ROLE 0 | RESUME_WRITES");
    cr_assert(not(role_is_replica(rig.role)));
    HAS(repl_events_at(&rig.events, 1)->reason, "Failover target rejected psync request");
}

Test(role, abort_in_the_middle_makes_us_primary_again)
{
    add_replica(3, 7001, 0);
    failover("FAILOVER");
    rig_do(&rig);
    reach_target(7001);
    cr_assert(eq(ptr, (void *)failover("FAILOVER ABORT"), NULL));
    HAS(rig_do(&rig), "SHIFT_ID | ROLE 0 | RESUME_WRITES");
}

/* When the answer got lost, the target may be the primary already: asking for a failover again would be rejected,
 * and two primaries would stand. */
Test(role, a_lost_answer_is_looked_for_before_it_is_asked_again)
{
    add_replica(3, 7001, 0);
    failover("FAILOVER");
    rig_do(&rig);
    reach_target(7001);
    replica_gone(rig.replica, "reset", rig.now_ms, &rig.out);
    rig_do(&rig);
    cr_assert_eq(role_failover_state(rig.role), FAILOVER_IN_PROGRESS);
    HAS(rig_wait(&rig, 1000), "CONNECT");
    replica_connected(rig.replica, rig.now_ms, &rig.out);
    rig_do(&rig);
    cr_assert(strstr(rig_receive(&rig, "+PONG\r\n+OK\r\n+OK\r\n"), "FAILOVER") == NULL);
    /* It is not: it waits for its primary still. */
    rig_receive(&rig, "-NOMASTERLINK x\r\n");
    cr_assert_eq(role_failover_state(rig.role), FAILOVER_IN_PROGRESS);
    HAS(rig_wait(&rig, 1000), "CONNECT");
    replica_connected(rig.replica, rig.now_ms, &rig.out);
    rig_do(&rig);
    HAS(rig_receive(&rig, "+PONG\r\n+OK\r\n+OK\r\n"), "FAILOVER");
}
