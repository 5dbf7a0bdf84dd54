#include "repl/test_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct rig rig;

static void start(void)
{
    rig_init(&rig, 100);
}
static void start_empty(void)
{
    rig_init(&rig, 0);
}
static void stop(void)
{
    rig_release(&rig);
}

#define TOLD(...)                                                                                  \
    do {                                                                                           \
        char wanted_[1024];                                                                        \
        snprintf(wanted_, sizeof(wanted_), __VA_ARGS__);                                           \
        cr_assert(eq(str, (char *)rig_do(&rig), wanted_));                                         \
    } while (0)
#define REFUSED(line, error)                                                                       \
    do {                                                                                           \
        cr_assert_eq(rig_ask(&rig, 3, line), PRIMARY_REFUSED);                                     \
        cr_assert(eq(str, rig.text, error));                                                       \
    } while (0)

static const char *id(void)
{
    return journal_id(rig.journal);
}

static struct peer_figures figures(int n)
{
    struct peer_figures out;
    primary_peer(rig.primary, n, rig.now_ms, &out);
    return out;
}

/* Brings peer `peer` through a full sync with the EOF mark up to its first ACK. */
static void bring_online(uint64_t peer, const char *conf)
{
    char ack[64];
    rig_ask(&rig, peer, conf);
    rig_ask(&rig, peer, "psync ? -1");
    const struct repl_action *last = &rig.out.items[rig.out.count - 1];
    const uint32_t snapshot = last->kind == REPL_START_SNAPSHOT ? last->snapshot : 0;
    rig_do(&rig);
    if (snapshot != 0)
        primary_snapshot_begun(rig.primary, snapshot, journal_end(rig.journal), rig.now_ms,
                               &rig.out);
    rig_do(&rig);
    primary_snapshot_done(rig.primary, snapshot, 500, rig.now_ms, &rig.out);
    primary_image_sent(rig.primary, peer, rig.now_ms, &rig.out);
    snprintf(ack, sizeof(ack), "replconf ack %" PRIu64, journal_end(rig.journal));
    rig_ask(&rig, peer, ack);
    rig_do(&rig);
}
#define FULL_CAPA "replconf listening-port 7001 capa eof capa psync2"

/* ---- REPLCONF ----------------------------------------------------------------------------------- */

TestSuite(replconf, .init = start, .fini = stop);

Test(replconf, answers_as_redis_does)
{
    cr_assert_eq(rig_ask(&rig, 3, "replconf"), PRIMARY_OK);
    cr_assert_eq(
        rig_ask(&rig, 3, "replconf listening-port 7001 ip-address 1.2.3.4 capa eof capa zzz"),
        PRIMARY_OK);
    cr_assert_eq(rig_ask(&rig, 3, "replconf rdb-only 1 rdb-filter-only functions"), PRIMARY_OK);
    REFUSED("replconf listening-port", "ERR syntax error");
    REFUSED("replconf listening-port x", "ERR value is not an integer or out of range");
    REFUSED("replconf foo bar", "ERR Unrecognized REPLCONF option: foo");
    REFUSED("replconf rdb-only 2", "ERR value is out of range, value must between 0 and 1");
    REFUSED("replconf rdb-filter-only data", "ERR Unsupported rdb-filter-only option: data");
    REFUSED("replconf rdb-filter-only \"", "ERR Missing rdb-filter-only values");
}

Test(replconf, ack_and_getack_are_never_answered)
{
    cr_assert_eq(rig_ask(&rig, 3, "replconf ack 10"), PRIMARY_SILENT);
    cr_assert_eq(rig_ask(&rig, 3, "replconf ack x"), PRIMARY_SILENT);
    cr_assert_eq(rig_ask(&rig, 3, "replconf getack *"), PRIMARY_SILENT);
}

Test(replconf, a_pando_replica_learns_that_this_is_pando)
{
    cr_assert_eq(rig_ask(&rig, 3, "replconf capa eof capa pando"), PRIMARY_TEXT);
    cr_assert(eq(str, rig.text, "OK pando"));
}

Test(replconf, an_announced_address_cannot_forge_a_line_of_info)
{
    const struct span argv[] = {SPAN("replconf"), SPAN("ip-address"), SPAN("1.1.1.1\r\nrole:x,")};
    const struct primary_origin origin = {.id = 3, .ip = "10.0.0.9"};
    primary_replconf(rig.primary, &origin, 3, argv, 0, rig.text, &rig.out);
    rig_ask(&rig, 3, "psync ? -1");
    cr_assert(eq(str, (char *)figures(0).ip, "1.1.1.1??role:x?"));
}

/* ---- PSYNC refused ------------------------------------------------------------------------------ */

TestSuite(psync, .init = start, .fini = stop);

Test(psync, is_refused_while_our_own_link_is_down)
{
    primary_set_upstream(rig.primary, UPSTREAM_DOWN, 0);
    REFUSED("psync ? -1", "NOMASTERLINK Can't SYNC while not connected with my master");
    REFUSED("sync", "NOMASTERLINK Can't SYNC while not connected with my master");
    primary_set_upstream(rig.primary, UPSTREAM_UP, 0);
    cr_assert_eq(rig_ask(&rig, 3, "psync ? -1"), PRIMARY_TAKEN);
}

Test(psync, is_refused_while_failing_over)
{
    primary_set_failing_over(rig.primary, true, true);
    REFUSED("psync ? -1", "NOMASTERLINK Can't SYNC while failing over");
}

Test(psync, failover_needs_a_replica_that_has_the_same_id)
{
    REFUSED("psync ? -1 failover", "ERR PSYNC FAILOVER can't be sent to a master.");
    primary_set_upstream(rig.primary, UPSTREAM_DOWN, 0);
    REFUSED("psync ? -1 FAILOVER", "ERR PSYNC FAILOVER replid must match my replid.");
}

Test(psync, failover_from_our_primary_promotes_first)
{
    char line[128];
    primary_set_upstream(rig.primary, UPSTREAM_UP, 0);
    snprintf(line, sizeof(line), "psync %s 101 FAILOVER", id());
    cr_assert_eq(rig_ask(&rig, 3, line), PRIMARY_PROMOTE);
    journal_shift_id(rig.journal);
    primary_set_upstream(rig.primary, UPSTREAM_NONE, 0);
    cr_assert_eq(rig_ask(&rig, 3, line), PRIMARY_TAKEN);
    cr_assert_eq(figures(0).state, PEER_ONLINE);
}

Test(psync, an_offset_that_is_no_number_is_refused)
{
    REFUSED("psync ? x", "ERR value is not an integer or out of range");
}

Test(psync, a_filtered_snapshot_needs_the_mark)
{
    rig_ask(&rig, 3, "replconf rdb-filter-only functions");
    REFUSED("sync", "ERR Filtered replica requires EOF capability");
}

/* ---- partial ------------------------------------------------------------------------------------ */

Test(psync, continues_from_any_held_offset_and_tells_the_id_only_to_psync2)
{
    char line[128];
    snprintf(line, sizeof(line), "psync %s 41", id());
    rig_ask(&rig, 3, line);
    TOLD("SEND 3 \"+CONTINUE\\r\\n\" | PIN 3 40 | FEED 3 100");
    rig_ask(&rig, 4, "replconf capa psync2");
    for (char *c = line; *c != '\0'; c++)
        if (*c >= 'a' && *c <= 'f') *c = (char)(*c - 32); /* ids compare without case */
    memcpy(line, "psync", 5);
    rig_ask(&rig, 4, line);
    TOLD("SEND 4 \"+CONTINUE %s\\r\\n\" | PIN 4 40 | FEED 4 100", id());
    cr_assert_eq(primary_stats(rig.primary)->sync_partial_ok, 2);
    cr_assert_eq(primary_stats(rig.primary)->sync_full, 0);
}

Test(psync, at_the_very_end_nothing_is_fed)
{
    char line[128];
    snprintf(line, sizeof(line), "psync %s 101", id());
    rig_ask(&rig, 3, line);
    TOLD("SEND 3 \"+CONTINUE\\r\\n\" | PIN 3 100");
}

static void expect_full(const char *asked, int64_t next, const char *reason)
{
    char line[128];
    snprintf(line, sizeof(line), "psync %s %" PRId64, asked, next);
    rig_ask(&rig, 3, line);
    cr_assert_eq(figures(0).state, PEER_WAIT_START, "%s", line);
    cr_assert_eq(primary_stats(rig.primary)->sync_partial_err, 1);
    const struct repl_event *event = repl_events_at(&rig.events, 1);
    cr_assert_eq(event->kind, REPL_EVENT_PARTIAL_SYNC_REFUSED);
    cr_assert(strstr(event->reason, reason) != NULL, "%s", event->reason);
}

Test(psync, an_unknown_id_gets_a_full_sync)
{
    expect_full("0123456789012345678901234567890123456789", 50, "unknown replication id");
}
Test(psync, an_offset_ahead_gets_a_full_sync_and_the_loss_is_named)
{
    expect_full(id(), 111, "10 bytes beyond our end 100");
}
Test(psync, offset_zero_gets_a_full_sync)
{
    expect_full(id(), 0, "which no log has");
}
Test(psync, the_least_number_gets_a_full_sync)
{
    expect_full(id(), INT64_MIN, "which no log has");
}
Test(psync, the_greatest_number_gets_a_full_sync)
{
    expect_full(id(), INT64_MAX, "beyond our end");
}

Test(psync, the_second_id_is_good_up_to_the_fork_only)
{
    char old[41], line[128];
    snprintf(old, sizeof(old), "%s", id());
    journal_shift_id(rig.journal);
    rig_append(&rig, 50);
    rig_do(&rig);
    snprintf(line, sizeof(line), "psync %s 101", old);
    rig_ask(&rig, 4, line);
    cr_assert_eq(figures(0).state, PEER_ONLINE);
    primary_peer_gone(rig.primary, 4, "", 0, &rig.out);
    expect_full(old, 111, "it has 10 bytes beyond offset 100");
}

Test(psync, what_is_not_held_any_more_gets_a_full_sync)
{
    journal_set_backlog(rig.journal, 16384);
    rig_append(&rig, 400000);
    rig_do(&rig);
    expect_full(id(), 2, "not held any more");
}

/* ---- full sync ---------------------------------------------------------------------------------- */

TestSuite(full_sync, .init = start, .fini = stop);

Test(full_sync, an_image_waits_until_our_own_file_reaches_its_offset)
{
    rig_ask(&rig, 3, FULL_CAPA);
    cr_assert_eq(rig_ask(&rig, 3, "psync ? -1"), PRIMARY_TAKEN);
    TOLD("START_SNAPSHOT 1 3");
    primary_log_advanced(rig.primary, 99, &rig.out);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    TOLD("PIN 3 100 | SEND 3 \"+FULLRESYNC %s 100\\r\\n\"", id());
    primary_snapshot_done(rig.primary, 1, 500, rig.now_ms, &rig.out);
    TOLD("%s", "");
    cr_assert(eq(str, (char *)figures(0).state_name, "wait_bgsave"));
    primary_log_advanced(rig.primary, 100, &rig.out);
    TOLD("ATTACH 3 1 \"$EOF:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\\r\\n\"");
    cr_assert(eq(str, (char *)figures(0).state_name, "send_bulk"));
}

Test(full_sync, with_mark_from_psync_to_the_stream)
{
    rig_ask(&rig, 3, FULL_CAPA);
    cr_assert_eq(rig_ask(&rig, 3, "psync ? -1"), PRIMARY_TAKEN);
    TOLD("START_SNAPSHOT 1 3");
    cr_assert(eq(str, (char *)figures(0).state_name, "wait_bgsave"));
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    TOLD("PIN 3 100 | SEND 3 \"+FULLRESYNC %s 100\\r\\n\" | "
         "ATTACH 3 1 \"$EOF:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\\r\\n\"",
         id());
    cr_assert(eq(str, (char *)figures(0).state_name, "send_bulk"));
    rig_append(&rig, 20);
    TOLD("%s", "");
    primary_snapshot_done(rig.primary, 1, 500, rig.now_ms, &rig.out);
    TOLD("%s", "");
    primary_image_sent(rig.primary, 3, rig.now_ms, &rig.out);
    TOLD("SEND 3 \"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\" | END_SNAPSHOT 1");
    cr_assert_eq(figures(0).state, PEER_WAIT_ACK);
    cr_assert(eq(str, (char *)figures(0).stage, "loading"));
    rig_append(&rig, 20);
    TOLD("%s", "");
    cr_assert(eq(str, (char *)rig_wait(&rig, 3000), ""), "not even a newline behind the mark");
    rig_ask(&rig, 3, "replconf ack 100");
    TOLD("FEED 3 140 | ACKED 3 100");
    cr_assert_eq(figures(0).state, PEER_ONLINE);
    rig_append(&rig, 1);
    TOLD("FEED 3 141");
}

Test(full_sync, by_length_waits_for_the_whole_image_and_streams_at_once)
{
    rig_ask(&rig, 3, "replconf capa psync2");
    rig_ask(&rig, 3, "psync ? -1");
    TOLD("START_SNAPSHOT 1 3");
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    TOLD("PIN 3 100 | SEND 3 \"+FULLRESYNC %s 100\\r\\n\"", id());
    cr_assert_eq(figures(0).state, PEER_WAIT_IMAGE);
    cr_assert(eq(str, (char *)rig_wait(&rig, 1000), "SEND 3 \"\\n\""), "kept alive while it waits");
    primary_snapshot_done(rig.primary, 1, 500, rig.now_ms, &rig.out);
    TOLD("ATTACH 3 1 \"$500\\r\\n\"");
    rig_append(&rig, 20);
    primary_image_sent(rig.primary, 3, rig.now_ms, &rig.out);
    TOLD("END_SNAPSHOT 1 | FEED 3 120");
}

Test(full_sync, disk_mode_uses_lengths_for_all)
{
    rig.config.diskless = false;
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    primary_snapshot_done(rig.primary, 1, 500, rig.now_ms, &rig.out);
    TOLD("PIN 3 100 | SEND 3 \"+FULLRESYNC %s 100\\r\\n\" | ATTACH 3 1 \"$500\\r\\n\"", id());
}

Test(full_sync, sync_is_silent_until_the_payload)
{
    cr_assert_eq(rig_ask(&rig, 3, "sync"), PRIMARY_TAKEN);
    TOLD("START_SNAPSHOT 1 3");
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    TOLD("PIN 3 100");
    primary_snapshot_done(rig.primary, 1, 500, rig.now_ms, &rig.out);
    TOLD("ATTACH 3 1 \"$500\\r\\n\"");
}

Test(full_sync, who_never_acknowledges_after_sync_is_not_timed_out)
{
    rig_ask(&rig, 3, "sync");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    primary_snapshot_done(rig.primary, 1, 500, rig.now_ms, &rig.out);
    primary_image_sent(rig.primary, 3, rig.now_ms, &rig.out);
    rig_do(&rig);
    rig.config.ping_period_ms = 1000000;
    cr_assert(eq(str, (char *)rig_wait(&rig, 70000), ""));
}

Test(full_sync, an_rdb_only_peer_is_closed_after_the_image_and_pins_nothing)
{
    rig_ask(&rig, 3, "replconf capa eof rdb-only 1");
    rig_ask(&rig, 3, "sync");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    TOLD("ATTACH 3 1 \"$EOF:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\\r\\n\"");
    primary_snapshot_done(rig.primary, 1, 500, rig.now_ms, &rig.out);
    primary_image_sent(rig.primary, 3, rig.now_ms, &rig.out);
    TOLD("SEND 3 \"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\" | END_SNAPSHOT 1 | "
         "CLOSE 3 \"the snapshot was all it asked for\"");
    cr_assert_eq(primary_peers(rig.primary), 0);
}

Test(full_sync, the_delay_gathers_replicas_for_one_snapshot)
{
    rig.config.diskless_delay_ms = 5000;
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    cr_assert(eq(str, (char *)rig_wait(&rig, 2000), "SEND 3 \"\\n\" | SEND 3 \"\\n\""));
    rig_ask(&rig, 4, FULL_CAPA);
    rig_ask(&rig, 4, "psync ? -1");
    TOLD("%s", "");
    cr_assert(strstr(rig_wait(&rig, 3000), "START_SNAPSHOT 1 3") != NULL);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    rig_do(&rig);
    cr_assert_eq(figures(0).state, PEER_SENDING);
    cr_assert_eq(figures(1).state, PEER_SENDING);
    cr_assert_eq(primary_stats(rig.primary)->snapshots_started, 1);
}

Test(full_sync, enough_replicas_end_the_delay)
{
    rig.config.diskless_delay_ms = 5000;
    rig.config.diskless_max_replicas = 2;
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    TOLD("%s", "");
    rig_ask(&rig, 4, FULL_CAPA);
    rig_ask(&rig, 4, "psync ? -1");
    TOLD("START_SNAPSHOT 1 3");
}

Test(full_sync, a_late_replica_joins_at_the_head_with_the_same_offset)
{
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    rig_do(&rig);
    rig_append(&rig, 50);
    rig.config.diskless_delay_ms = 5000;
    rig_ask(&rig, 4, FULL_CAPA);
    rig_ask(&rig, 4, "psync ? -1");
    TOLD("PIN 4 100 | SEND 4 \"+FULLRESYNC %s 100\\r\\n\" | "
         "ATTACH 4 1 \"$EOF:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\\r\\n\"",
         id());
    primary_peer_gone(rig.primary, 3, "gone", rig.now_ms, &rig.out);
    TOLD("%s", "");
    primary_peer_gone(rig.primary, 4, "gone", rig.now_ms, &rig.out);
    TOLD("END_SNAPSHOT 1");
}

Test(full_sync, a_snapshot_is_shared_only_while_the_log_holds_what_came_after_it)
{
    rig_ask(&rig, 3, FULL_CAPA " rdb-only 1"); /* wants no log, and pins none */
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    rig_do(&rig);
    rig_append(&rig, 100);
    rig_do(&rig);
    journal_set_backlog(rig.journal, 50);
    cr_assert_gt(journal_first(rig.journal), 100);
    rig_ask(&rig, 4, FULL_CAPA);
    rig_ask(&rig, 4, "psync ? -1");
    TOLD("START_SNAPSHOT 2 3");
}

Test(full_sync, a_snapshot_of_another_history_is_not_shared)
{
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    rig_do(&rig);
    journal_shift_id(rig.journal);
    rig_ask(&rig, 4, FULL_CAPA);
    rig_ask(&rig, 4, "psync ? -1");
    TOLD("START_SNAPSHOT 2 3");
}

Test(full_sync, another_filter_needs_another_snapshot)
{
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    rig_do(&rig);
    rig_ask(&rig, 4, "replconf capa eof rdb-filter-only functions rdb-only 1");
    rig_ask(&rig, 4, "sync");
    TOLD("START_SNAPSHOT 2 2");
}

Test(full_sync, at_most_so_many_snapshots_at_a_time)
{
    rig.config.snapshots_max = 1;
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    rig_ask(&rig, 4, "replconf capa eof rdb-filter-only functions");
    rig_ask(&rig, 4, "sync");
    rig_do(&rig);
    cr_assert_eq(figures(1).state, PEER_WAIT_START);
    primary_peer_gone(rig.primary, 3, "gone", rig.now_ms, &rig.out);
    cr_assert(strstr(rig_wait(&rig, 100), "START_SNAPSHOT 2 2") != NULL);
}

Test(full_sync, nobody_left_ends_a_snapshot_that_only_now_begins)
{
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_peer_gone(rig.primary, 3, "gone", rig.now_ms, &rig.out);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    TOLD("END_SNAPSHOT 1");
}

Test(full_sync, a_snapshot_that_breaks_drops_its_replicas_with_the_reason)
{
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    rig_do(&rig);
    primary_snapshot_failed(rig.primary, 1, "no room", rig.now_ms, &rig.out);
    TOLD("CLOSE 3 \"no room\" | END_SNAPSHOT 1");
    cr_assert(eq(str, rig.events.last_sync_error, "no room"));
}

Test(full_sync, one_that_cannot_begin_drops_who_waited)
{
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_snapshot_failed(rig.primary, 1, "no room", rig.now_ms, &rig.out);
    TOLD("CLOSE 3 \"no room\" | END_SNAPSHOT 1");
}

Test(full_sync, a_change_of_history_drops_everyone)
{
    bring_online(3, FULL_CAPA);
    rig_ask(&rig, 4, FULL_CAPA);
    rig_ask(&rig, 4, "psync ? -1");
    rig_do(&rig);
    primary_drop_all(rig.primary, "why", rig.now_ms, &rig.out);
    TOLD("CLOSE 4 \"why\" | CLOSE 3 \"why\" | END_SNAPSHOT 2");
    cr_assert_eq(primary_peers(rig.primary), 0);
}

Test(full_sync, percent_rate_and_eta_come_from_what_is_known)
{
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    rig_do(&rig);
    cr_assert_eq(figures(0).percent, -1);
    primary_snapshot_progress(rig.primary, 1, 1000, 500);
    rig.now_ms += 1000;
    primary_image_progress(rig.primary, 3, 500, rig.now_ms);
    const struct peer_figures seen = figures(0);
    cr_assert_eq(seen.image_total, 2000);
    cr_assert_eq(seen.percent, 25);
    cr_assert_eq(seen.bytes_per_s, 500);
    cr_assert_eq(seen.eta_ms, 3000);
}

TestSuite(first_replica, .init = start_empty, .fini = stop);

Test(first_replica, makes_the_log_begin)
{
    rig_ask(&rig, 3, "psync ? -1");
    TOLD("ACTIVATE | START_SNAPSHOT 1 3");
    cr_assert(journal_active(rig.journal));
}

/* ---- the stream --------------------------------------------------------------------------------- */

TestSuite(stream, .init = start, .fini = stop);

Test(stream, pings_go_into_the_log_every_period_while_there_are_replicas)
{
    cr_assert(eq(str, (char *)rig_wait(&rig, 20000), ""));
    bring_online(3, FULL_CAPA);
    cr_assert(eq(str, (char *)rig_wait(&rig, 10000), "APPEND \"*1\\r\\n$4\\r\\nPING\\r\\n\""));
    primary_set_failing_over(rig.primary, true, true);
    primary_peer_alive(rig.primary, 3, rig.now_ms);
    cr_assert(eq(str, (char *)rig_wait(&rig, 20000), ""), "offsets must meet");
}

Test(stream, a_replica_adds_no_ping_of_its_own)
{
    bring_online(3, FULL_CAPA);
    primary_set_upstream(rig.primary, UPSTREAM_UP, rig.now_ms);
    cr_assert(eq(str, (char *)rig_wait(&rig, 20000), ""));
}

Test(stream, acknowledged_offsets_only_grow_and_never_beyond_what_was_sent)
{
    bring_online(3, FULL_CAPA);
    rig_append(&rig, 20);
    rig_do(&rig);
    rig_ask(&rig, 3, "replconf ack 110");
    TOLD("ACKED 3 110");
    rig_ask(&rig, 3, "replconf ack 105");
    TOLD("%s", "");
    rig_ask(&rig, 3, "replconf ack 9999");
    TOLD("%s", "");
    cr_assert_eq(figures(0).ack_offset, 110);
    cr_assert_eq(figures(0).lag_bytes, 10);
    cr_assert_eq(primary_acked(rig.primary, 110), 1);
    cr_assert_eq(primary_acked(rig.primary, 111), 0);
    cr_assert_eq(primary_replicas_caught_up(rig.primary), 0);
}

Test(stream, lag_in_milliseconds_is_from_the_append_to_the_acknowledgement)
{
    bring_online(3, FULL_CAPA);
    journal_set_now(rig.journal, rig.now_ms);
    rig_append(&rig, 20);
    rig.now_ms += 70;
    cr_assert_eq(figures(0).lag_ms, 70);
    rig_ask(&rig, 3, "replconf ack 120");
    cr_assert_eq(figures(0).lag_ms, 70); /* what it took, until another write tells otherwise */
    cr_assert_eq(figures(0).ack_ms, 70);
}

Test(stream, wait_asks_all_at_once)
{
    primary_want_acks(rig.primary);
    primary_flush(rig.primary, &rig.out);
    TOLD("%s", "");
    bring_online(3, FULL_CAPA);
    primary_want_acks(rig.primary);
    primary_want_acks(rig.primary);
    primary_flush(rig.primary, &rig.out);
    primary_flush(rig.primary, &rig.out);
    TOLD("APPEND \"*3\\r\\n$8\\r\\nREPLCONF\\r\\n$6\\r\\nGETACK\\r\\n$1\\r\\n*\\r\\n\"");
}

Test(stream, good_replicas_are_those_heard_of_lately)
{
    rig.config.min_replicas_max_lag_ms = 10000;
    bring_online(3, FULL_CAPA);
    cr_assert_eq(primary_good_replicas(rig.primary, rig.now_ms), 1);
    cr_assert_eq(primary_good_replicas(rig.primary, rig.now_ms + 10001), 0);
    cr_assert_eq(figures(0).lag_s, 0);
}

Test(stream, a_silent_replica_is_given_up_after_repl_timeout)
{
    bring_online(3, FULL_CAPA);
    rig.config.ping_period_ms = 1000000;
    cr_assert(eq(str, (char *)rig_wait(&rig, 60000), ""));
    cr_assert(strstr(rig_wait(&rig, 200),
                     "CLOSE 3 \"Disconnecting timedout replica (streaming sync)") != NULL);
    cr_assert_eq(primary_stats(rig.primary)->timeout_drops, 1);
}

Test(stream, newlines_of_a_loading_replica_count_as_life)
{
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    primary_snapshot_done(rig.primary, 1, 500, rig.now_ms, &rig.out);
    primary_image_sent(rig.primary, 3, rig.now_ms, &rig.out);
    rig_do(&rig);
    rig.config.ping_period_ms = 1000000;
    rig_wait(&rig, 50000);
    primary_peer_alive(rig.primary, 3, rig.now_ms);
    cr_assert(eq(str, (char *)rig_wait(&rig, 50000), ""));
    cr_assert(strstr(rig_wait(&rig, 20000), "CLOSE 3") != NULL);
}

Test(stream, who_takes_nothing_of_the_image_is_given_up_but_not_who_waits_for_us)
{
    rig_ask(&rig, 3, FULL_CAPA);
    rig_ask(&rig, 3, "psync ? -1");
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    rig_do(&rig);
    rig.config.ping_period_ms = 1000000;
    cr_assert(eq(str, (char *)rig_wait(&rig, 70000), ""), "nothing was made yet");
    primary_snapshot_progress(rig.primary, 1, 1000, 500);
    cr_assert(strstr(rig_wait(&rig, 100), "CLOSE 3 \"Disconnecting timedout replica (full sync)") !=
              NULL);
}

Test(stream, the_backlog_is_freed_after_its_time_without_replicas)
{
    rig.config.backlog_ttl_ms = 5000;
    bring_online(3, FULL_CAPA);
    primary_peer_alive(rig.primary, 3, rig.now_ms);
    rig_wait(&rig, 9000);
    cr_assert(journal_active(rig.journal));
    primary_peer_gone(rig.primary, 3, "gone", rig.now_ms, &rig.out);
    cr_assert(eq(str, (char *)rig_wait(&rig, 5000), ""));
    cr_assert(eq(str, (char *)rig_wait(&rig, 200), "DEACTIVATE"));
    cr_assert(not(journal_active(rig.journal)));
}

Test(stream, a_log_that_others_read_is_never_freed)
{
    rig.config.backlog_ttl_ms = 5000;
    rig.config.log_needed = true;
    cr_assert(eq(str, (char *)rig_wait(&rig, 20000), ""));
}

Test(stream, a_pando_replica_is_told_where_the_log_ends)
{
    rig_ask(&rig, 3, "replconf capa eof capa psync2 capa pando");
    char line[128];
    snprintf(line, sizeof(line), "psync %s 91", id());
    rig_ask(&rig, 3, line);
    TOLD("SEND 3 \"+CONTINUE %s\\r\\n\" | PIN 3 90 | SEND 3 \"+ONLINE 100\\r\\n\" | FEED 3 100",
         id());
}

/* ---- the byte ceiling --------------------------------------------------------------------------- */

TestSuite(ceiling, .init = start, .fini = stop);

Test(ceiling, drops_whoever_pins_the_oldest_offset)
{
    bring_online(3, FULL_CAPA);
    rig_append(&rig, 1000);
    rig_do(&rig);
    bring_online(4, FULL_CAPA);
    primary_fed(rig.primary, 3, 600);
    primary_fed(rig.primary, 4, 1100);
    cr_assert(primary_byte_ceiling(rig.primary, rig.now_ms + 1000, &rig.out));
    cr_assert(strstr(rig_do(&rig), "CLOSE 3 \"the log reached its byte ceiling: 1000 bytes/s were "
                                   "written and 1000 bytes/s sent") != NULL,
              "%s", rig.told.ptr);
    cr_assert_eq(primary_peers(rig.primary), 1);
}

Test(ceiling, nobody_to_drop)
{
    cr_assert(not(primary_byte_ceiling(rig.primary, 0, &rig.out)));
}

static int64_t wait_for_snapshot(uint64_t peer)
{
    const int64_t from_ms = rig.now_ms;
    rig_ask(&rig, peer, "replconf capa eof listening-port 7001");
    rig_ask(&rig, peer, "psync ? -1");
    while (strstr(rig_wait(&rig, 100), "START_SNAPSHOT") == NULL)
        cr_assert_lt(rig.now_ms - from_ms, 100000);
    return rig.now_ms - from_ms;
}

Test(ceiling, the_next_attempt_of_that_peer_waits_longer_each_time)
{
    uint32_t snapshot = 0;
    static const int64_t waits_ms[] = {100, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (uint64_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
        cr_assert_eq(wait_for_snapshot(10 + i), waits_ms[i]);
        primary_snapshot_begun(rig.primary, ++snapshot, journal_end(rig.journal), rig.now_ms,
                               &rig.out);
        cr_assert(primary_byte_ceiling(rig.primary, rig.now_ms, &rig.out));
        rig_do(&rig);
    }
    /* A sync that succeeds clears the account. */
    rig_wait(&rig, 60000);
    primary_log_advanced(rig.primary, journal_end(rig.journal), &rig.out); /* PINGs, in our file */
    bring_online(90, FULL_CAPA);
    cr_assert_eq(figures(0).state, PEER_ONLINE);
    primary_peer_gone(rig.primary, 90, "gone", rig.now_ms, &rig.out);
    cr_assert_eq(wait_for_snapshot(91), 100);
    primary_snapshot_begun(rig.primary, (uint32_t)primary_stats(rig.primary)->snapshots_started,
                           journal_end(rig.journal), rig.now_ms, &rig.out);
    cr_assert(primary_byte_ceiling(rig.primary, rig.now_ms, &rig.out));
    rig_do(&rig);
    cr_assert_eq(wait_for_snapshot(92), 1000);
}

/* ---- no room ------------------------------------------------------------------------------------ */

TestSuite(room, .init = start, .fini = stop);

/* Peers from 3 on begin a full sync with one snapshot that is being made. */
static void attach(uint64_t count)
{
    for (uint64_t peer = 3; peer < 3 + count; peer++) {
        char conf[64];
        snprintf(conf, sizeof(conf), "replconf capa eof listening-port %" PRIu64, 7000 + peer);
        rig_ask(&rig, peer, conf);
        rig_ask(&rig, peer, "psync ? -1");
    }
    rig_do(&rig);
    primary_snapshot_begun(rig.primary, 1, 100, rig.now_ms, &rig.out);
    rig_do(&rig);
    primary_snapshot_progress(rig.primary, 1, 1000, 100);
}

Test(room, a_lone_reader_of_a_snapshot_goes_on)
{
    attach(1);
    primary_image_progress(rig.primary, 3, 10, rig.now_ms);
    primary_snapshot_short_of_room(rig.primary, 1, rig.now_ms, &rig.out);
    TOLD("%s", "");
}

Test(room, of_several_readers_the_slowest_gives_way)
{
    attach(3);
    primary_image_progress(rig.primary, 3, 30, rig.now_ms);
    primary_image_progress(rig.primary, 4, 10, rig.now_ms);
    primary_image_progress(rig.primary, 5, 30, rig.now_ms);
    primary_snapshot_short_of_room(rig.primary, 1, rig.now_ms, &rig.out);
    cr_assert(strstr(rig_do(&rig), "CLOSE 4 \"no room for the snapshot") != NULL, "%s",
              rig.told.ptr);
    cr_assert(strstr(rig.events.last_sync_error, "the slowest: 0 bytes/s were written") != NULL);
    /* The others are equally far: neither holds back the other. */
    primary_snapshot_short_of_room(rig.primary, 1, rig.now_ms, &rig.out);
    TOLD("%s", "");
    cr_assert_eq(primary_peers(rig.primary), 2);
}

Test(room, whoever_needs_the_whole_image_first_gives_way)
{
    rig.config.diskless = false;
    attach(2);
    primary_snapshot_short_of_room(rig.primary, 1, rig.now_ms, &rig.out);
    cr_assert(strstr(rig_do(&rig), "CLOSE 3 \"no room for a snapshot that has to be whole") != NULL,
              "%s", rig.told.ptr);
    cr_assert_eq(primary_peers(rig.primary), 0);
}

Test(room, nobody_joins_a_snapshot_whose_beginning_is_gone)
{
    attach(1);
    primary_snapshot_short_of_room(rig.primary, 1, rig.now_ms, &rig.out);
    rig_ask(&rig, 9, "replconf capa eof listening-port 7009");
    rig_ask(&rig, 9, "psync ? -1");
    TOLD("START_SNAPSHOT 2 3");
}

Test(room, a_snapshot_that_breaks_makes_its_replicas_wait)
{
    attach(1);
    primary_snapshot_failed(rig.primary, 1, "no room", rig.now_ms, &rig.out);
    rig_do(&rig);
    rig_ask(&rig, 9, "replconf capa eof listening-port 7003");
    rig_ask(&rig, 9, "psync ? -1");
    TOLD("%s", "");
    cr_assert(strstr(rig_wait(&rig, 1100), "START_SNAPSHOT 2") != NULL, "%s", rig.told.ptr);
}

Test(room, an_online_replica_that_is_dropped_leaves_its_reason)
{
    bring_online(3, FULL_CAPA);
    rig_append(&rig, 1000);
    cr_assert(primary_byte_ceiling(rig.primary, rig.now_ms, &rig.out));
    cr_assert(strstr(rig.events.last_sync_error, "the log reached its byte ceiling") != NULL);
    cr_assert_eq(repl_events_at(&rig.events, 0)->kind, REPL_EVENT_REPLICA_DROPPED);
}

Test(room, who_acknowledges_and_reads_nothing_is_given_up)
{
    bring_online(3, FULL_CAPA);
    rig.config.ping_period_ms = 1000000;
    rig_wait(&rig, 100);
    rig_append(&rig, 1000);
    rig_do(&rig);
    for (int i = 0; i < 59; i++) {
        cr_assert(strstr(rig_wait(&rig, 1000), "CLOSE") == NULL);
        rig_ask(&rig, 3, "replconf ack 100");
    }
    cr_assert(strstr(rig_wait(&rig, 2000), "it took nothing of the stream") != NULL, "%s",
              rig.told.ptr);
}

Test(room, who_reads_slowly_is_not_given_up)
{
    bring_online(3, FULL_CAPA);
    rig.config.ping_period_ms = 1000000;
    rig_append(&rig, 1000);
    rig_do(&rig);
    for (uint64_t i = 1; i < 20; i++) {
        cr_assert(strstr(rig_wait(&rig, 30000), "CLOSE") == NULL);
        rig_ask(&rig, 3, "replconf ack 100");
        primary_fed(rig.primary, 3, 100 + i);
    }
}
