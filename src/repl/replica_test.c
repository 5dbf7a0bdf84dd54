#include "repl/test_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define ID_A  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define MARK  "cccccccccccccccccccccccccccccccccccccccd"
#define HELLO "+PONG\r\n+OK\r\n+OK\r\n"
#define PING  "SEND 0 \"*1\\r\\n$4\\r\\nPING\\r\\n\""

static struct rig rig;

static void start(void)
{
    rig_init(&rig, 0);
}
static void start_with_history(void)
{
    rig_init(&rig, 100);
    journal_adopt(rig.journal, ID_A, 100);
}
static void stop(void)
{
    rig_release(&rig);
}

static struct replica_figures figures(void)
{
    struct replica_figures out;
    replica_figures(rig.replica, rig.now_ms, &out);
    return out;
}

#define STATE(wanted)                                                                              \
    cr_assert_eq(replica_state(rig.replica), wanted, "state %d", replica_state(rig.replica))
#define SAYS(told, wanted)                                                                         \
    do {                                                                                           \
        const char *told_ = (told);                                                                \
        cr_assert(eq(str, (char *)told_, wanted));                                                 \
    } while (0)
#define ENDS_WITH_REASON(told, reason)                                                             \
    do {                                                                                           \
        const char *told_ = (told);                                                                \
        cr_assert(strstr(told_, reason) != NULL, "%s", told_);                                     \
        STATE(REPLICA_CONNECT);                                                                    \
        cr_assert(strstr(rig.events.last_sync_error, reason) != NULL ||                            \
                  repl_events_at(&rig.events, 0)->kind == REPL_EVENT_LINK_DOWN);                   \
    } while (0)

/* Up to the point where the primary speaks. */
static void connect_link(void)
{
    if (replica_state(rig.replica) == REPLICA_NONE)
        role_follow(rig.role, "primary.example", 6379, rig.now_ms, &rig.out);
    rig_do(&rig);
    while (replica_state(rig.replica) != REPLICA_CONNECTING) rig_wait(&rig, 100);
    replica_connected(rig.replica, rig.now_ms, &rig.out);
    rig_do(&rig);
}

static char *ack(uint64_t offset)
{
    static char text[128];
    char digits[32];
    snprintf(digits, sizeof(digits), "%" PRIu64, offset);
    snprintf(text, sizeof(text),
             "SEND 0 \"*3\\r\\n$8\\r\\nREPLCONF\\r\\n$3\\r\\nACK\\r\\n$%zu\\r\\n%s\\r\\n\"",
             strlen(digits), digits);
    return text;
}

/* ---- handshake ---------------------------------------------------------------------------------- */

TestSuite(handshake, .init = start, .fini = stop);

Test(handshake, goes_step_by_step)
{
    role_follow(rig.role, "primary.example", 6379, rig.now_ms, &rig.out);
    SAYS(rig_do(&rig), "ROLE 1");
    STATE(REPLICA_CONNECT);
    SAYS(rig_wait(&rig, 100), "CONNECT primary.example:6379");
    STATE(REPLICA_CONNECTING);
    replica_connected(rig.replica, rig.now_ms, &rig.out);
    SAYS(rig_do(&rig), PING);
    SAYS(rig_receive(&rig, "+PO"), "");
    SAYS(rig_receive(&rig, "NG\r\n"),
         "SEND 0 \"*3\\r\\n$8\\r\\nREPLCONF\\r\\n$14\\r\\nlistening-port\\r\\n$4\\r\\n6379\\r\\n\" "
         "| "
         "SEND 0 "
         "\"*7\\r\\n$8\\r\\nREPLCONF\\r\\n$4\\r\\ncapa\\r\\n$3\\r\\neof\\r\\n$4\\r\\ncapa\\r\\n$"
         "6\\r\\npsync2\\r\\n"
         "$4\\r\\ncapa\\r\\n$5\\r\\npando\\r\\n\"");
    cr_assert(eq(str, (char *)figures().role_state, "handshake"));
    SAYS(rig_receive(&rig, "+OK\r\n"), "");
    SAYS(rig_receive(&rig, "+OK\r\n"),
         "SEND 0 \"*3\\r\\n$5\\r\\nPSYNC\\r\\n$1\\r\\n?\\r\\n$2\\r\\n-1\\r\\n\"");
    STATE(REPLICA_PSYNC_SENT);
    SAYS(rig_receive(&rig, "\n\n"), "");
    SAYS(rig_receive(&rig, "+FULLRESYNC " ID_A " 5\r\n"), "");
    STATE(REPLICA_WAIT_HEADER);
    cr_assert(figures().syncing);
}

Test(handshake, password_user_and_address_are_pipelined_in_order)
{
    rig.config.user = "u";
    rig.config.password = "p";
    rig.config.announce_ip = "1.2.3.4";
    rig.config.listening_port = 7;
    connect_link();
    const char *told = rig_receive(&rig, "-NOAUTH Authentication required.\r\n");
    const char *auth = strstr(told, "AUTH\\r\\n$1\\r\\nu\\r\\n$1\\r\\np"),
               *port = strstr(told, "listening-port");
    const char *ip = strstr(told, "ip-address\\r\\n$7\\r\\n1.2.3.4"), *capa = strstr(told, "capa");
    cr_assert(auth != NULL && auth < port && port < ip && ip < capa, "%s", told);
    cr_assert(strstr(rig_receive(&rig, "+OK\r\n+OK\r\n+OK\r\n+OK\r\n"), "PSYNC") != NULL);
}

Test(handshake, a_refused_password_ends_it)
{
    rig.config.password = "p";
    connect_link();
    rig_receive(&rig, "+PONG\r\n");
    ENDS_WITH_REASON(rig_receive(&rig, "-WRONGPASS nope\r\n"),
                     "Unable to AUTH to MASTER: -WRONGPASS nope");
}

Test(handshake, unknown_replconf_options_are_not_fatal)
{
    connect_link();
    cr_assert(strstr(rig_receive(&rig, "+PONG\r\n-ERR x\r\n-ERR y\r\n"), "PSYNC") != NULL);
}

Test(handshake, other_errors_to_ping_end_it)
{
    connect_link();
    ENDS_WITH_REASON(rig_receive(&rig, "-MISCONF x\r\n"),
                     "Error reply to PING from master: '-MISCONF x'");
}

Test(handshake, a_peer_that_is_no_redis_ends_it)
{
    connect_link();
    ENDS_WITH_REASON(rig_receive(&rig, "HTTP/1.1 400 Bad Request\r\n"), "is no Redis");
    connect_link();
    rig_receive(&rig, "+PONG\r\n");
    ENDS_WITH_REASON(rig_receive(&rig, ":7\r\n"), "is no Redis");
}

Test(handshake, an_endless_line_ends_it)
{
    char bytes[REPLICA_LINE_BYTES_MAX + 1];
    memset(bytes, 'a', sizeof(bytes) - 1);
    bytes[sizeof(bytes) - 1] = '\0';
    connect_link();
    SAYS(rig_receive(&rig, bytes), "");
    ENDS_WITH_REASON(rig_receive(&rig, "b"), "a line of over 1024 bytes");
}

Test(handshake, silence_ends_it_after_repl_timeout)
{
    connect_link();
    SAYS(rig_wait(&rig, 60000), "");
    ENDS_WITH_REASON(rig_wait(&rig, 100), "Timeout connecting to the MASTER");
}

Test(handshake, texts_of_the_other_end_cannot_forge_lines)
{
    connect_link();
    rig_receive(&rig, "-ERR a\tb\rc\r\n");
    cr_assert(strpbrk(rig.events.last_sync_error, "\r\n\t") == NULL);
}

Test(handshake, a_refused_connection_is_tried_each_second)
{
    role_follow(rig.role, "h", 1, rig.now_ms, &rig.out);
    rig_do(&rig);
    for (int i = 0; i < 8; i++) {
        SAYS(rig_wait(&rig, i == 0 ? 100 : 1000), "CONNECT h:1");
        replica_connect_failed(rig.replica, "Connection refused", rig.now_ms, &rig.out);
        rig_do(&rig);
    }
    cr_assert_eq(figures().failures_alike, 8);
}

Test(handshake, failures_alike_make_attempts_rare)
{
    static const int64_t waits_ms[] = {1000, 1000, 1000, 2000, 4000, 8000, 16000, 16000};
    role_follow(rig.role, "h", 1, rig.now_ms, &rig.out);
    rig_wait(&rig, 100);
    for (size_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
        replica_connected(rig.replica, rig.now_ms, &rig.out);
        rig_receive(&rig, "-MISCONF x\r\n");
        cr_assert_eq(figures().next_attempt_ms, waits_ms[i]);
        cr_assert(strstr(rig_wait(&rig, waits_ms[i]), "CONNECT") != NULL);
    }
}

Test(handshake, a_primary_that_is_not_ready_is_asked_each_second)
{
    connect_link();
    for (int i = 0; i < 6; i++) {
        rig_receive(&rig, HELLO "-NOMASTERLINK Can't SYNC\r\n");
        STATE(REPLICA_CONNECT);
        cr_assert_eq(figures().next_attempt_ms, 1000);
        connect_link();
    }
    rig_receive(&rig, "-LOADING x\r\n");
    cr_assert_eq(figures().next_attempt_ms, 1000);
}

/* A replica of ours, from the time when our link stood. */
static void have_a_replica(void)
{
    primary_set_upstream(rig.primary, UPSTREAM_UP, rig.now_ms);
    cr_assert_eq(rig_ask(&rig, 3, "psync " ID_A " 101"), PRIMARY_TAKEN);
    rig_do(&rig);
    primary_set_upstream(rig.primary, UPSTREAM_DOWN, rig.now_ms);
}

/* ---- asking ------------------------------------------------------------------------------------- */

TestSuite(asking, .init = start_with_history, .fini = stop);

Test(asking, with_what_the_log_has)
{
    connect_link();
    SAYS(strstr(rig_receive(&rig, HELLO), "SEND 0 \"*3\\r\\n$5\\r\\nPSYNC"),
         "SEND 0 \"*3\\r\\n$5\\r\\nPSYNC\\r\\n$40\\r\\n" ID_A "\\r\\n$3\\r\\n101\\r\\n\"");
}

Test(asking, continue_brings_the_link_up_with_an_ack)
{
    connect_link();
    rig_receive(&rig, HELLO);
    SAYS(rig_receive(&rig, "+CONTINUE\r\n"), ack(100));
    STATE(REPLICA_CONNECTED);
    cr_assert(figures().link_up);
    cr_assert_eq(figures().down_since_s, -1);
    cr_assert(eq(str, (char *)journal_id(rig.journal), ID_A));
}

Test(asking, continue_under_a_new_id_renames_before_anything_is_said)
{
    char rename[256];
    connect_link();
    rig_receive(&rig, HELLO);
    snprintf(rename, sizeof(rename), "RENAME_ID bbbbbbbb | %s", ack(100));
    SAYS(rig_receive(&rig, "+CONTINUE " ID_B "\r\n"), rename);
    cr_assert(eq(str, (char *)journal_id(rig.journal), ID_B));
    cr_assert(eq(str, (char *)journal_second_id(rig.journal), ID_A));
    cr_assert_eq(journal_second_offset(rig.journal), 101);
}

Test(asking, a_new_id_drops_our_own_replicas)
{
    connect_link();
    have_a_replica();
    rig_receive(&rig, HELLO);
    cr_assert(strstr(rig_receive(&rig, "+CONTINUE " ID_B "\r\n"),
                     "CLOSE 3 \"the history has a new replication id\" | RENAME_ID") != NULL);
}

Test(asking, wrong_answers_end_it_and_nothing_is_lost)
{
    static const char *const wrong[] = {
        "+CONTINUE x\r\n",
        "+CONTINUExx\r\n",
        "+FULLRESYNC\r\n",
        "+FULLRESYNC " ID_A "\r\n",
        "+FULLRESYNC " ID_A " -5\r\n",
        "+FULLRESYNC " ID_A " 99999999999999999999\r\n",
        "+FULLRESYNC zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz 5\r\n",
        "+OK\r\n",
        "$7\r\n",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        connect_link();
        rig_receive(&rig, HELLO);
        cr_assert(strstr(rig_receive(&rig, wrong[i]), "CLOSE 0") != NULL, "%s", wrong[i]);
        STATE(REPLICA_CONNECT);
        cr_assert(rig.events.last_sync_error[0] != '\0');
    }
    cr_assert(eq(str, (char *)journal_id(rig.journal), ID_A));
    cr_assert_eq(journal_end(rig.journal), 100);
}

Test(asking, who_does_not_know_psync_is_asked_for_sync)
{
    connect_link();
    rig_receive(&rig, HELLO);
    SAYS(rig_receive(&rig, "-ERR unknown command 'PSYNC'\r\n"),
         "SEND 0 \"*1\\r\\n$4\\r\\nSYNC\\r\\n\"");
    STATE(REPLICA_WAIT_HEADER);
    SAYS(rig_receive(&rig, "$4\r\nabcd"), "IMAGE_BEGIN 4 | IMAGE_BYTES \"abcd\" | IMAGE_END");
    replica_loaded(rig.replica, rig.now_ms, &rig.out);
    SAYS(rig_do(&rig),
         "ADOPT eeeeeeee 0"); /* a history of its own; such a primary understands no ACK */
    STATE(REPLICA_CONNECTED);
    SAYS(rig_wait(&rig, 3000), "");
}

/* ---- the image ---------------------------------------------------------------------------------- */

static void wait_for_header(void)
{
    connect_link();
    rig_receive(&rig, HELLO "+FULLRESYNC " ID_B " 500\r\n");
}
TestSuite(payload, .init = start_with_history, .fini = stop);

Test(payload, by_length_and_what_follows_is_left_for_later)
{
    wait_for_header();
    SAYS(rig_receive(&rig, "\n$10\r\nabc"), "IMAGE_BEGIN 10 | IMAGE_BYTES \"abc\"");
    cr_assert_eq(figures().percent, 30);
    cr_assert_eq(figures().sync_left, 7);
    const struct span bytes = SPAN("defghij*1\r\n$4\r\nPING\r\n");
    cr_assert_eq(replica_received(rig.replica, bytes, rig.now_ms, &rig.out), 7);
    SAYS(rig_do_with(&rig, bytes), "IMAGE_BYTES \"defghij\" | IMAGE_END");
    cr_assert(not(replica_wants_bytes(rig.replica)));
    cr_assert_eq(replica_received(rig.replica, bytes, rig.now_ms, &rig.out), 0);
}

Test(payload, by_mark_in_pieces_of_any_size)
{
    static const char payload[] = "abccccdefcccccccc" MARK;
    for (size_t piece = 1; piece < sizeof(payload); piece++) {
        char image[64] = "";
        wait_for_header();
        rig_receive(&rig, "$EOF:" MARK "\r\n");
        for (size_t at = 0; at < sizeof(payload) - 1; at += piece) {
            const size_t len = at + piece < sizeof(payload) - 1 ? piece : sizeof(payload) - 1 - at;
            const struct span input = span_of(payload + at, len);
            replica_received(rig.replica, input, rig.now_ms, &rig.out);
            for (size_t i = 0; i < rig.out.count; i++) {
                const struct repl_action *action = &rig.out.items[i];
                if (action->kind != REPL_IMAGE_BYTES) continue;
                const struct span bytes = repl_action_bytes(&rig.out, action, input);
                strncat(image, bytes.ptr, bytes.len);
            }
            rig_do_with(&rig, input);
        }
        STATE(REPLICA_LOADING);
        cr_assert(eq(str, image, "abccccdefcccccccc"), "pieces of %zu", piece);
        cr_assert_eq(figures().sync_read, 17);
        replica_load_failed(rig.replica, "again", rig.now_ms, &rig.out);
        rig_do(&rig);
    }
}

Test(payload, id_and_offset_stay_until_it_is_loaded)
{
    wait_for_header();
    rig_receive(&rig, "$4\r\nabcd");
    cr_assert(eq(str, (char *)journal_id(rig.journal), ID_A));
    cr_assert(eq(str, (char *)rig_wait(&rig, 2000), "SEND 0 \"\\n\" | SEND 0 \"\\n\""));
    replica_loaded(rig.replica, rig.now_ms, &rig.out);
    char told[256];
    snprintf(told, sizeof(told), "ADOPT bbbbbbbb 500 | %s", ack(500));
    SAYS(rig_do(&rig), told);
    cr_assert_eq(journal_end(rig.journal), 500);
    STATE(REPLICA_CONNECTED);
    cr_assert_eq(repl_events_at(&rig.events, 1)->kind, REPL_EVENT_FULL_SYNC_DONE);
    cr_assert_eq(repl_events_at(&rig.events, 1)->bytes, 4);
}

Test(payload, our_replicas_are_dropped_at_the_swap_not_before)
{
    wait_for_header();
    have_a_replica();
    rig_receive(&rig, "$4\r\nabcd");
    cr_assert_eq(primary_peers(rig.primary), 1);
    replica_loaded(rig.replica, rig.now_ms, &rig.out);
    cr_assert(strstr(rig_do(&rig), "CLOSE 3 \"a full sync replaced the data\" | ADOPT") != NULL);
}

static void expect_old_history(void)
{
    STATE(REPLICA_CONNECT);
    connect_link();
    cr_assert(strstr(rig_receive(&rig, HELLO), "PSYNC\\r\\n$40\\r\\n" ID_A "\\r\\n$3\\r\\n101") !=
                  NULL,
              "%s", rig.told.ptr);
}

Test(payload, a_cut_in_the_middle_costs_nothing)
{
    wait_for_header();
    rig_receive(&rig, "$10\r\nabc");
    replica_gone(rig.replica, "reset", rig.now_ms, &rig.out);
    SAYS(rig_do(&rig), "CLOSE 0 \"the primary closed the link: reset\" | IMAGE_ABORT");
    cr_assert_eq(repl_events_at(&rig.events, 0)->kind, REPL_EVENT_FULL_SYNC_FAILED);
    cr_assert_eq(repl_events_at(&rig.events, 0)->bytes, 3);
    expect_old_history();
}

Test(payload, one_that_cannot_be_loaded_costs_nothing)
{
    wait_for_header();
    rig_receive(&rig, "$4\r\nabcd");
    replica_load_failed(rig.replica, "bad CRC", rig.now_ms, &rig.out);
    SAYS(rig_do(&rig), "CLOSE 0 \"the snapshot could not be loaded: bad CRC\" | IMAGE_ABORT");
    cr_assert(eq(str, rig.events.last_sync_error, "the snapshot could not be loaded: bad CRC"));
    expect_old_history();
}

Test(payload, silence_ends_it)
{
    wait_for_header();
    rig_receive(&rig, "$10\r\nabc");
    ENDS_WITH_REASON(rig_wait(&rig, 60200), "Timeout receiving bulk data from MASTER");
}

Test(payload, a_link_that_goes_during_loading_does_not_end_loading)
{
    wait_for_header();
    rig_receive(&rig, "$4\r\nabcd");
    replica_gone(rig.replica, "reset", rig.now_ms, &rig.out);
    SAYS(rig_do(&rig), "");
    STATE(REPLICA_LOADING);
    replica_loaded(rig.replica, rig.now_ms, &rig.out);
    cr_assert(strstr(rig_do(&rig), "ADOPT bbbbbbbb 500") != NULL);
    connect_link();
    cr_assert(strstr(rig_receive(&rig, HELLO), "PSYNC\\r\\n$40\\r\\n" ID_B "\\r\\n$3\\r\\n501") !=
              NULL);
}

Test(payload, wrong_headers_end_it)
{
    static const char *const wrong[] = {"-ERR no\r\n", "$EOF:short\r\n",
                                        "$-1\r\n",     "$x\r\n",
                                        "*3\r\n",      "$99999999999999999999\r\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        wait_for_header();
        cr_assert(strstr(rig_receive(&rig, wrong[i]), "CLOSE 0") != NULL, "%s", wrong[i]);
        STATE(REPLICA_CONNECT);
    }
    cr_assert(strstr(repl_events_at(&rig.events, 0)->reason, "Bad protocol from MASTER") != NULL);
}

Test(payload, another_primary_may_be_chosen_at_any_time)
{
    wait_for_header();
    rig_receive(&rig, "$10\r\nabc");
    role_follow(rig.role, "other", 1, rig.now_ms, &rig.out);
    SAYS(rig_do(&rig), "CLOSE 0 \"another primary is to be followed\" | IMAGE_ABORT");
    SAYS(rig_wait(&rig, 100), "CONNECT other:1");
    replica_loaded(rig.replica, rig.now_ms, &rig.out); /* too late: harmless */
    SAYS(rig_do(&rig), "");
}

Test(payload, promotion_during_a_sync_keeps_the_old_data)
{
    wait_for_header();
    rig_receive(&rig, "$4\r\nabcd");
    role_promote(rig.role, rig.now_ms, &rig.out);
    SAYS(rig_do(&rig), "CLOSE 0 \"this node is a primary now\" | IMAGE_ABORT | SHIFT_ID | ROLE 0");
    cr_assert(eq(str, (char *)journal_second_id(rig.journal), ID_A));
    cr_assert_eq(journal_end(rig.journal), 100);
}

/* ---- the stream --------------------------------------------------------------------------------- */

static void bring_up(const char *capa_answer)
{
    connect_link();
    rig_receive(&rig, "+PONG\r\n+OK\r\n");
    rig_receive(&rig, capa_answer);
    rig_receive(&rig, "+CONTINUE\r\n");
}
TestSuite(following, .init = start_with_history, .fini = stop);

Test(following, bytes_are_to_be_applied_and_only_then_acknowledged)
{
    bring_up("+OK\r\n");
    SAYS(rig_receive(&rig, "0123456789"), "APPLY 0..10");
    cr_assert_eq(figures().read_offset, 110);
    cr_assert_eq(figures().applied_offset, 100);
    SAYS(rig_wait(&rig, 1000), ack(100));
    journal_append(rig.journal, "01234567", 8);
    replica_applied(rig.replica, 108, false, rig.now_ms, &rig.out);
    SAYS(rig_do(&rig), "");
    SAYS(rig_wait(&rig, 1000), ack(108));
}

Test(following, getack_is_answered_at_once)
{
    bring_up("+OK\r\n");
    rig_receive(&rig, "0123456789");
    replica_applied(rig.replica, 110, true, rig.now_ms, &rig.out);
    SAYS(rig_do(&rig), ack(110));
}

Test(following, a_pando_primary_gets_acks_every_ten_milliseconds)
{
    bring_up("+OK pando\r\n");
    rig_receive(&rig, "+ONLINE 100\r\n");
    rig_receive(&rig, "0123456789");
    replica_applied(rig.replica, 105, false, rig.now_ms + 3, &rig.out);
    SAYS(rig_do(&rig), "");
    cr_assert_eq(replica_next_timer(rig.replica), rig.now_ms + 10);
    replica_applied(rig.replica, 107, false, rig.now_ms + 10, &rig.out);
    SAYS(rig_do(&rig), ack(107));
    replica_applied(rig.replica, 110, false, rig.now_ms + 12, &rig.out);
    SAYS(rig_do(&rig), "");
    replica_timer(rig.replica, rig.now_ms + 20, &rig.out);
    SAYS(rig_do(&rig), ack(110));
    cr_assert_eq(replica_next_timer(rig.replica), INT64_MAX);
}

Test(following, the_line_before_a_pando_stream_is_no_part_of_it)
{
    bring_up("+OK pando\r\n");
    SAYS(rig_receive(&rig, "+ONL"), "");
    SAYS(rig_receive(&rig, "INE 120\r\nabc"), "APPLY 9..12");
    cr_assert_eq(figures().read_offset, 103);
    cr_assert(not(figures().ready));
    rig_receive(&rig, "01234567890123456");
    replica_applied(rig.replica, 119, false, rig.now_ms, &rig.out);
    cr_assert(not(figures().ready));
    replica_applied(rig.replica, 120, false, rig.now_ms, &rig.out);
    cr_assert(figures().ready);
}

Test(following, a_pando_stream_without_that_line_ends_the_link)
{
    bring_up("+OK pando\r\n");
    cr_assert(strstr(rig_receive(&rig, "*1\r\n$4\r\nPING\r\n"), "CLOSE 0") != NULL);
}

Test(following, with_a_stock_primary_ready_means_that_what_was_read_is_applied)
{
    bring_up("+OK\r\n");
    cr_assert(not(figures().ready));
    rig_receive(&rig, "0123456789");
    rig_wait(&rig, 100);
    cr_assert(not(figures().ready));
    replica_applied(rig.replica, 110, false, rig.now_ms, &rig.out);
    cr_assert(figures().ready);
}

Test(following, what_cannot_be_applied_ends_the_link_and_is_named)
{
    bring_up("+OK\r\n");
    rig_receive(&rig, "0123456789");
    replica_apply_failed(rig.replica, "command 'FOO': unknown", rig.now_ms, &rig.out);
    SAYS(rig_do(&rig), "CLOSE 0 \"the stream cannot be applied: command 'FOO': unknown\"");
    cr_assert_eq(repl_events_at(&rig.events, 0)->kind, REPL_EVENT_LINK_DOWN);
}

Test(following, silence_ends_the_link)
{
    bring_up("+OK\r\n");
    const char *told = rig_wait(&rig, 60100);
    cr_assert(strstr(told, "CLOSE 0 \"MASTER timeout: no data nor PING received") != NULL, "%s",
              told);
}

Test(following, after_a_cut_it_resumes_from_what_was_applied)
{
    bring_up("+OK\r\n");
    rig_receive(&rig, "0123456789");
    journal_append(rig.journal, "01234", 5);
    replica_applied(rig.replica, 105, false, rig.now_ms, &rig.out);
    replica_gone(rig.replica, "reset", rig.now_ms, &rig.out);
    rig_do(&rig);
    cr_assert_eq(figures().down_since_s, 0);
    cr_assert_eq(figures().read_offset, 105);
    connect_link();
    cr_assert(strstr(rig_receive(&rig, HELLO), "$3\\r\\n106") != NULL);
}
