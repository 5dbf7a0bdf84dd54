/* The lines that the two ends exchange before any data: PING, AUTH, REPLCONF, PSYNC. */
#include "repl/replica_state.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>

static bool starts_with(struct span line, const char *prefix)
{
    const size_t len = strlen(prefix);
    return line.len >= len && memcmp(line.ptr, prefix, len) == 0;
}

/* For messages: as much of the line as is worth showing. */
#define SHOWN(line) (int)((line).len < 120 ? (line).len : 120), (line).ptr

static bool is_id(struct span text)
{
    if (text.len != REPLICATION_ID_LEN) return false;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return true;
}

/* ---- asking ------------------------------------------------------------------------------------- */

/* Appends a command to the pipelined part of the handshake. */
static void ask(struct repl_actions *out, int argc, const char *const *argv)
{
    struct buf text = {0};
    buf_printf(&text, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++) buf_printf(&text, "$%zu\r\n%s\r\n", strlen(argv[i]), argv[i]);
    repl_act_text(out, REPL_SEND, REPL_LINK_ID, "%.*s", (int)text.len, text.ptr);
    buf_release(&text);
}

static void expect(struct replica *replica, enum expected_reply reply)
{
    replica->expected[replica->expected_count++] = reply;
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void introduce(struct replica *replica, struct repl_actions *out)
{
    const struct repl_config *config = replica->config;
    char port[16];
    replica->state = REPLICA_HANDSHAKE;
    replica->expected_count = replica->expected_next = 0;
    if (is_set(config->password)) {
        if (is_set(config->user))
            ask(out, 3, (const char *[]){"AUTH", config->user, config->password});
        else ask(out, 2, (const char *[]){"AUTH", config->password});
        expect(replica, EXPECT_AUTH);
    }
    snprintf(port, sizeof(port), "%d", config->listening_port);
    ask(out, 3, (const char *[]){"REPLCONF", "listening-port", port});
    expect(replica, EXPECT_PORT);
    if (is_set(config->announce_ip)) {
        ask(out, 3, (const char *[]){"REPLCONF", "ip-address", config->announce_ip});
        expect(replica, EXPECT_IP);
    }
    ask(out, 7, (const char *[]){"REPLCONF", "capa", "eof", "capa", "psync2", "capa", "pando"});
    expect(replica, EXPECT_CAPA);
}

static void ask_for_sync(struct replica *replica, struct repl_actions *out)
{
    const struct journal *journal = replica->journal;
    const char *id = journal_id(journal);
    char next[24] = "-1";
    replica->state = REPLICA_PSYNC_SENT;
    replica->asked_offset = journal_end(journal);
    if (replica->stand_in[0] != '\0' && strcmp(replica->stand_in_for, id) == 0)
        id = replica->stand_in;
    /* A log that never had a byte, came from no primary and was told to no replica is no history. */
    const bool has_history =
        journal_active(journal) &&
        (journal_end(journal) > 0 || replica->adopted || primary_id_was_told(replica->primary));
    snprintf(replica->asked_id, sizeof(replica->asked_id), "%s", has_history ? id : "?");
    if (has_history) snprintf(next, sizeof(next), "%" PRIu64, journal_end(journal) + 1);
    replica->asked_failover = replica->ask_failover && !replica->plain_next;
    if (replica->asked_failover)
        ask(out, 4, (const char *[]){"PSYNC", replica->asked_id, next, "FAILOVER"});
    else ask(out, 3, (const char *[]){"PSYNC", replica->asked_id, next});
}

/* ---- answers ------------------------------------------------------------------------------------ */

static void on_pong(struct replica *replica, struct span line, int64_t now_ms,
                    struct repl_actions *out)
{
    /* A primary that wants a password, or whose user may not PING, is told who we are next. */
    const bool may_go_on = line.ptr[0] == '+' || starts_with(line, "-NOAUTH") ||
                           starts_with(line, "-NOPERM") ||
                           starts_with(line, "-ERR operation not permitted");
    if (may_go_on) {
        introduce(replica, out);
    } else if (line.ptr[0] == '-') {
        replica->retry_later = starts_with(line, "-LOADING");
        replica_lose(replica, now_ms, out, "Error reply to PING from master: '%.*s'", SHOWN(line));
    } else {
        replica_lose(replica, now_ms, out,
                     "the other end is no Redis: it answered PING with '%.*s'", SHOWN(line));
    }
}

static void on_introduced(struct replica *replica, struct span line, int64_t now_ms,
                          struct repl_actions *out)
{
    const enum expected_reply which = replica->expected[replica->expected_next++];
    if (line.ptr[0] != '+' && line.ptr[0] != '-') {
        replica_lose(replica, now_ms, out,
                     "the other end is no Redis: it answered the handshake with '%.*s'",
                     SHOWN(line));
        return;
    }
    if (which == EXPECT_AUTH && line.ptr[0] == '-') {
        replica_lose(replica, now_ms, out, "Unable to AUTH to MASTER: %.*s", SHOWN(line));
        return;
    }
    /* A primary that does not know a REPLCONF option can still be followed. */
    if (which == EXPECT_CAPA) replica->primary_is_pando = span_equal(line, SPAN("+OK pando"));
    if (replica->expected_next == replica->expected_count) ask_for_sync(replica, out);
}

static void begin_full_sync(struct replica *replica, const char *why, int64_t now_ms)
{
    replica->state = REPLICA_WAIT_HEADER;
    replica->full_sync = true;
    replica->image_read = 0;
    replica_note(replica, REPL_EVENT_FULL_SYNC_START, 0, 0, now_ms, "%s", why);
}

static void on_fork(struct replica *replica, struct span line, int64_t now_ms,
                    struct repl_actions *out)
{
    const size_t word = strlen("+FORK ");

    if (!num_parse_uint64(span_of(line.ptr + word, line.len - word), &replica->fork))
        replica_lose(replica, now_ms, out, "the primary told a fork at '%.*s'", SHOWN(line));
}

static void on_full_resync(struct replica *replica, struct span line, int64_t now_ms,
                           struct repl_actions *out)
{
    const struct span rest =
        span_of(line.ptr + strlen("+FULLRESYNC "), line.len - strlen("+FULLRESYNC "));
    int64_t offset;
    const bool good = rest.len > REPLICATION_ID_LEN + 1 && rest.ptr[REPLICATION_ID_LEN] == ' ' &&
                      is_id(span_of(rest.ptr, REPLICATION_ID_LEN)) &&
                      num_parse_int64(span_of(rest.ptr + REPLICATION_ID_LEN + 1,
                                              rest.len - REPLICATION_ID_LEN - 1),
                                      &offset) &&
                      offset >= 0;
    if (!good) {
        replica_lose(replica, now_ms, out, "Master replied with wrong +FULLRESYNC syntax: '%.*s'",
                     SHOWN(line));
        return;
    }
    memcpy(replica->sync_id, rest.ptr, REPLICATION_ID_LEN);
    replica->sync_id[REPLICATION_ID_LEN] = '\0';
    replica->sync_offset = (uint64_t)offset;
    if (replica->config->mutations.adopt_at_begin) {
        repl_act_text(out, REPL_ADOPT, REPL_LINK_ID, "%s", replica->sync_id)->offset =
            replica->sync_offset;
    }
    begin_full_sync(
        replica, strcmp(replica->asked_id, "?") == 0 ? "we have no history" : "the primary said so",
        now_ms);
}

static void on_continue(struct replica *replica, struct span line, int64_t now_ms,
                        struct repl_actions *out)
{
    const size_t word = strlen("+CONTINUE");
    const bool has_id = line.len > word;
    const struct span id = span_of(line.ptr + word + has_id, line.len - word - has_id);
    if (strcmp(replica->asked_id, "?") == 0 || (has_id && (line.ptr[word] != ' ' || !is_id(id)))) {
        replica_lose(replica, now_ms, out, "wrong +CONTINUE from the primary: '%.*s'", SHOWN(line));
        return;
    }
    char now_id[REPLICATION_ID_LEN + 1];
    snprintf(now_id, sizeof(now_id), "%s", replica->asked_id);
    if (has_id) snprintf(now_id, sizeof(now_id), "%.*s", REPLICATION_ID_LEN, id.ptr);
    if (strcmp(now_id, journal_id(replica->journal)) != 0) {
        /* Our replicas know the history by its old name: they have to learn the new one. */
        if (!replica->config->mutations.keep_replicas_on_adopt)
            primary_drop_all(replica->primary, "the history has a new replication id", now_ms, out);
        if (strcmp(replica->asked_id, journal_id(replica->journal)) != 0)
            repl_act_text(out, REPL_RENAME_ID, REPL_LINK_ID, "%s", replica->asked_id);
        if (strcmp(now_id, replica->asked_id) != 0)
            repl_act_text(out, REPL_RENAME_ID, REPL_LINK_ID, "%s", now_id);
    }
    replica->stats.partial_syncs++;
    replica_note(replica, REPL_EVENT_PARTIAL_SYNC_DONE, 0, now_ms - replica->attempt_ms, now_ms,
                 "the primary accepted offset %" PRIu64, replica->asked_offset);
    replica->resumed = true;
    replica_link_up(replica, replica->asked_offset, now_ms, out);
}

/* A target that rejects ends the failover. But when the answer to an earlier request was lost, "can't be sent to a
 * master" may mean that it had worked: then the next attempt asks plainly, and learns it. */
static void on_failover_refused(struct replica *replica, struct span line, int64_t now_ms,
                                struct repl_actions *out)
{
    void (*answered)(void *, enum replica_verdict, int64_t, struct repl_actions *) =
        replica->answered;
    void *context = replica->answered_context;
    replica->asked_failover = false;
    replica_lose(replica, now_ms, out, "Failover target rejected psync request: %.*s", SHOWN(line));
    if (answered == NULL) return;
    replica_ask_failover(replica, false, NULL, NULL);
    answered(context, VERDICT_REJECTED, now_ms, out);
}

static void on_psync_error(struct replica *replica, struct span line, int64_t now_ms,
                           struct repl_actions *out)
{
    replica->retry_later = starts_with(line, "-NOMASTERLINK") || starts_with(line, "-LOADING");
    if (replica->asked_failover) {
        on_failover_refused(replica, line, now_ms, out);
    } else if (replica->retry_later) {
        replica->plain_next = false; /* not promoted yet: FAILOVER is asked for again */
        replica_lose(replica, now_ms, out, "the primary is not ready: '%.*s'", SHOWN(line));
    } else if (line.ptr[0] == '-') {
        char why[REPL_REASON_CHARS];
        snprintf(why, sizeof(why), "Master does not support PSYNC or is in error state: '%.*s'",
                 SHOWN(line));
        replica->by_sync = true;
        ask(out, 1, (const char *[]){"SYNC"});
        begin_full_sync(replica, why, now_ms);
    } else {
        replica_lose(replica, now_ms, out, "Unexpected reply to PSYNC from master: '%.*s'",
                     SHOWN(line));
    }
}

/* The first line of the stream phase, between two pando nodes. */
static void on_online(struct replica *replica, struct span line, int64_t now_ms,
                      struct repl_actions *out)
{
    int64_t end;
    const size_t word = strlen("+ONLINE ");
    if (!starts_with(line, "+ONLINE ") ||
        !num_parse_int64(span_of(line.ptr + word, line.len - word), &end) || end < 0) {
        replica_lose(replica, now_ms, out, "the primary began the stream with '%.*s'", SHOWN(line));
        return;
    }
    replica->stream_line = false;
    replica->catch_up_to = (uint64_t)end;
    if (replica->applied >= replica->catch_up_to) replica->caught_up = true;
}

void replica_line(struct replica *replica, struct span line, int64_t now_ms,
                  struct repl_actions *out)
{
    switch (replica->state) {
    case REPLICA_PING_SENT: on_pong(replica, line, now_ms, out); break;
    case REPLICA_HANDSHAKE: on_introduced(replica, line, now_ms, out); break;
    case REPLICA_PSYNC_SENT:
        if (replica->primary_is_pando && starts_with(line, "+FORK "))
            on_fork(replica, line, now_ms, out);
        else if (starts_with(line, "+FULLRESYNC ")) on_full_resync(replica, line, now_ms, out);
        else if (starts_with(line, "+CONTINUE")) on_continue(replica, line, now_ms, out);
        else on_psync_error(replica, line, now_ms, out);
        break;
    case REPLICA_WAIT_HEADER: replica_header(replica, line, now_ms, out); break;
    case REPLICA_CONNECTED: on_online(replica, line, now_ms, out); break;
    default: break;
    }
}
