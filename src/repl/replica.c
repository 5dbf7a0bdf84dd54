#include "repl/replica_state.h"

#include "base/check.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct replica *replica_new(const struct repl_config *config, const struct journal *journal,
                            struct repl_events *events, struct primary *primary)
{
    struct replica *replica = mem_zalloc(sizeof(*replica));
    replica->config = config;
    replica->journal = journal;
    replica->events = events;
    replica->primary = primary;
    replica->down_since_ms = -1;
    return replica;
}

void replica_free(struct replica *replica)
{
    mem_free(replica);
}

enum replica_state replica_state(const struct replica *replica)
{
    return replica->state;
}

uint64_t replica_fork(const struct replica *replica)
{
    return replica->fork;
}

void replica_note(struct replica *replica, enum repl_event_kind kind, uint64_t bytes,
                  int64_t duration_ms, int64_t now_ms, const char *format, ...)
{
    struct repl_event event = {.kind = kind, .bytes = bytes, .duration_ms = duration_ms};
    event.offset = journal_end(replica->journal);
    snprintf(event.peer, sizeof(event.peer), "%.60s:%d", replica->host, replica->port);
    va_list args;
    va_start(args, format);
    vsnprintf(event.reason, sizeof(event.reason), format, args);
    va_end(args);
    repl_events_add(replica->events, now_ms, &event);
}

/* ---- losing the link ---------------------------------------------------------------------------- */

/* The event that ends whatever was going on. */
static void note_end(struct replica *replica, const char *reason, int64_t now_ms)
{
    if (replica->full_sync)
        replica_note(replica, REPL_EVENT_FULL_SYNC_FAILED, replica->image_read,
                     now_ms - replica->attempt_ms, now_ms, "%s", reason);
    else if (replica->state == REPLICA_CONNECTED)
        replica_note(replica, REPL_EVENT_LINK_DOWN, 0, now_ms - replica->up_since_ms, now_ms, "%s",
                     reason);
    else replica_note(replica, REPL_EVENT_CONNECT_FAILED, 0, 0, now_ms, "%s", reason);
    replica->full_sync = false;
}

static void drop_link(struct replica *replica, const char *reason, struct repl_actions *out)
{
    repl_act_text(out, REPL_CLOSE, REPL_LINK_ID, "%s", reason);
    if (replica->image_open) repl_act(out, REPL_IMAGE_ABORT, REPL_LINK_ID);
    replica->image_open = false;
    replica->link_gone = false;
    replica->line_len = 0;
    replica->held_len = 0;
    replica->stream_line = false;
    replica->ack_pending = false;
    replica->caught_up = false;
}

/* Waiting costs little against a primary that is only not ready; against one that sends the same wrong thing each
 * time, or costs it a snapshot each time, attempts become rare. */
static int64_t delay_ms(struct replica *replica, const char *format, bool soft, int64_t now_ms)
{
    const bool stood =
        replica->state == REPLICA_CONNECTED && now_ms - replica->up_since_ms >= STABLE_MS;
    if (stood || format != replica->last_failure) replica->failures_alike = 0;
    replica->last_failure = format;
    replica->failures_alike++;
    /* Most often the primary restarted, changed its role, or a proxy cut an idle link. */
    if (stood) return 0;
    if (soft || replica->failures_alike <= ALIKE_BEFORE_BACKOFF) return RECONNECT_MS;
    int64_t wait_ms = RECONNECT_MS;
    for (int i = ALIKE_BEFORE_BACKOFF; i < replica->failures_alike && wait_ms < BACKOFF_MAX_MS; i++)
        wait_ms *= 2;
    return wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS;
}

void replica_lose(struct replica *replica, int64_t now_ms, struct repl_actions *out,
                  const char *format, ...)
{
    char reason[REPL_REASON_CHARS];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    /* Texts of the other end go into the log and into INFO: nothing in them may end a line. */
    for (char *c = reason; *c != '\0'; c++)
        if ((unsigned char)*c < ' ') *c = ' ';

    const bool was_up = replica->state == REPLICA_CONNECTED;
    /* A primary that closes a link which was resumed is one that restarts: it will be back. */
    const bool soft = replica->state <= REPLICA_CONNECTING || replica->retry_later ||
                      (was_up && replica->link_gone && replica->resumed);
    const bool answer_lost = replica->asked_failover && replica->state == REPLICA_PSYNC_SENT;
    replica->retry_later = false;
    note_end(replica, reason, now_ms);
    const int64_t wait_ms = delay_ms(replica, format, soft, now_ms);
    drop_link(replica, reason, out);
    replica->state = REPLICA_CONNECT;
    replica->next_attempt_ms = now_ms + wait_ms;
    if (was_up || replica->down_since_ms < 0) replica->down_since_ms = now_ms;
    primary_set_upstream(replica->primary, UPSTREAM_DOWN, now_ms);
    replica->asked_failover = false;
    if (answer_lost && replica->answered != NULL) {
        replica->plain_next = true;
        replica->answered(replica->answered_context, VERDICT_LINK_LOST, now_ms, out);
    }
}

void replica_connect_failed(struct replica *replica, const char *reason, int64_t now_ms,
                            struct repl_actions *out)
{
    if (replica->state != REPLICA_CONNECTING) return;
    replica_lose(replica, now_ms, out, "Error condition on socket for SYNC: %s", reason);
}

void replica_gone(struct replica *replica, const char *reason, int64_t now_ms,
                  struct repl_actions *out)
{
    if (replica->state <= REPLICA_CONNECT) return;
    if (replica->state == REPLICA_LOADING) {
        replica->link_gone = true;
        return;
    }
    replica->link_gone = true;
    replica_lose(replica, now_ms, out, "the primary closed the link: %s", reason);
}

void replica_apply_failed(struct replica *replica, const char *reason, int64_t now_ms,
                          struct repl_actions *out)
{
    if (replica->state != REPLICA_CONNECTED) return;
    replica_lose(replica, now_ms, out, "the stream cannot be applied: %s", reason);
}

/* ---- whom to follow ----------------------------------------------------------------------------- */

void replica_follow(struct replica *replica, const char *host, int port, const char *stand_in,
                    int64_t now_ms, struct repl_actions *out)
{
    if (replica->state != REPLICA_NONE)
        replica_unfollow(replica, "another primary is to be followed", now_ms, out);
    snprintf(replica->host, sizeof(replica->host), "%s", host);
    replica->port = port;
    replica->state = REPLICA_CONNECT;
    replica->next_attempt_ms = now_ms;
    replica->down_since_ms = now_ms;
    replica->failures_alike = 0;
    replica->last_failure = NULL;
    replica->refused = false;
    if (stand_in != NULL) {
        snprintf(replica->stand_in, sizeof(replica->stand_in), "%s", stand_in);
        snprintf(replica->stand_in_for, sizeof(replica->stand_in_for), "%s",
                 journal_id(replica->journal));
    }
    primary_set_upstream(replica->primary, UPSTREAM_DOWN, now_ms);
}

void replica_unfollow(struct replica *replica, const char *reason, int64_t now_ms,
                      struct repl_actions *out)
{
    if (replica->state == REPLICA_NONE) return;
    if (replica->state > REPLICA_CONNECT) {
        note_end(replica, reason, now_ms);
        drop_link(replica, reason, out);
    }
    replica->state = REPLICA_NONE;
    replica_ask_failover(replica, false, NULL, NULL);
    primary_set_upstream(replica->primary, UPSTREAM_NONE, now_ms);
}

void replica_ask_failover(struct replica *replica, bool on,
                          void (*answered)(void *context, enum replica_verdict, int64_t now_ms,
                                           struct repl_actions *out),
                          void *context)
{
    replica->ask_failover = on;
    replica->plain_next = replica->asked_failover = false;
    replica->answered = answered;
    replica->answered_context = context;
}

/* ---- bytes -------------------------------------------------------------------------------------- */

void replica_connected(struct replica *replica, int64_t now_ms, struct repl_actions *out)
{
    if (replica->state != REPLICA_CONNECTING) return;
    replica->state = REPLICA_PING_SENT;
    replica->last_io_ms = now_ms;
    repl_act_text(out, REPL_SEND, REPL_LINK_ID, "*1\r\n$4\r\nPING\r\n");
}

bool replica_wants_bytes(const struct replica *replica)
{
    return replica->state > REPLICA_CONNECTING && replica->state != REPLICA_LOADING;
}

/* Takes one line's worth of bytes; acts when it is whole. */
static size_t receive_line(struct replica *replica, struct span bytes, int64_t now_ms,
                           struct repl_actions *out)
{
    const char *end = memchr(bytes.ptr, '\n', bytes.len);
    const size_t len = end != NULL ? (size_t)(end - bytes.ptr) : bytes.len;
    if (len > sizeof(replica->line) - replica->line_len) {
        replica_lose(replica, now_ms, out,
                     "the primary sent a line of over %d bytes: it is no Redis",
                     REPLICA_LINE_BYTES_MAX);
        return bytes.len;
    }
    memcpy(replica->line + replica->line_len, bytes.ptr, len);
    replica->line_len += len;
    if (end == NULL) return bytes.len;
    struct span line = span_of(replica->line, replica->line_len);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') line.len--;
    replica->line_len = 0;
    if (line.len > 0)
        replica_line(replica, line, now_ms,
                     out); /* an empty one only says that the primary lives */
    return len + 1;
}

size_t replica_received(struct replica *replica, struct span bytes, int64_t now_ms,
                        struct repl_actions *out)
{
    size_t at = 0;
    if (bytes.len > 0) replica->last_io_ms = now_ms;
    while (at < bytes.len) {
        const struct span rest = span_of(bytes.ptr + at, bytes.len - at);
        if (replica->state <= REPLICA_CONNECTING)
            return bytes.len; /* the link was given up meanwhile */
        if (replica->state == REPLICA_LOADING) return at;
        if (replica->state == REPLICA_RECEIVING) {
            at += replica_image(replica, rest, at, now_ms, out);
        } else if (replica->state == REPLICA_CONNECTED && !replica->stream_line) {
            struct repl_action *action = repl_act(out, REPL_APPLY, REPL_LINK_ID);
            action->from_input = true;
            action->at = at;
            action->len = rest.len;
            replica->read_offset += rest.len;
            at = bytes.len;
        } else {
            at += receive_line(replica, rest, now_ms, out);
        }
    }
    return at;
}

/* ---- the stream --------------------------------------------------------------------------------- */

void replica_restored(struct replica *replica)
{
    replica->adopted = true;
}

void replica_link_up(struct replica *replica, uint64_t offset, int64_t now_ms,
                     struct repl_actions *out)
{
    replica->state = REPLICA_CONNECTED;
    replica->read_offset = replica->applied = offset;
    replica->up_since_ms = replica->last_io_ms = now_ms;
    replica->down_since_ms = -1;
    replica->adopted = true;
    replica->stream_line = replica->primary_is_pando;
    replica->catch_up_to = UINT64_MAX;
    replica->caught_up = false;
    replica->no_acks = replica->by_sync && replica->image_total >= 0;
    replica->stand_in[0] = '\0';
    replica_send_ack(replica, now_ms, out);
    primary_set_upstream(replica->primary, UPSTREAM_UP, now_ms);
    replica_note(replica, REPL_EVENT_LINK_UP, 0, now_ms - replica->attempt_ms, now_ms, "%s", "");
    if (replica->answered != NULL) {
        void (*answered)(void *, enum replica_verdict, int64_t, struct repl_actions *) =
            replica->answered;
        void *context = replica->answered_context;
        replica_ask_failover(replica, false, NULL, NULL);
        answered(context, VERDICT_ACCEPTED, now_ms, out);
    }
}

void replica_send_ack(struct replica *replica, int64_t now_ms, struct repl_actions *out)
{
    char digits[24];
    const uint64_t offset =
        replica->config->mutations.ack_what_was_read ? replica->read_offset : replica->applied;
    replica->ack_ms = now_ms;
    replica->ack_pending = false;
    if (replica->no_acks) return;
    const int len = snprintf(digits, sizeof(digits), "%" PRIu64, offset);
    repl_act_text(out, REPL_SEND, REPL_LINK_ID,
                  "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$%d\r\n%s\r\n", len, digits);
}

void replica_applied(struct replica *replica, uint64_t offset, bool getack, int64_t now_ms,
                     struct repl_actions *out)
{
    if (replica->state != REPLICA_CONNECTED) return;
    check(offset >= replica->applied && offset <= replica->read_offset);
    const bool moved = offset > replica->applied;
    replica->applied = offset;
    if (replica->applied >= replica->catch_up_to) replica->caught_up = true;
    if (getack || (moved && replica->primary_is_pando && now_ms - replica->ack_ms >= FINE_ACK_MS))
        replica_send_ack(replica, now_ms, out);
    else if (moved && replica->primary_is_pando) replica->ack_pending = true;
}

/* ---- time --------------------------------------------------------------------------------------- */

static void connect_now(struct replica *replica, int64_t now_ms, struct repl_actions *out)
{
    replica->state = REPLICA_CONNECTING;
    replica->attempt_ms = replica->last_io_ms = now_ms;
    replica->primary_is_pando = false;
    replica->by_sync = false;
    replica->fork = UINT64_MAX;
    replica->link_gone = false;
    replica->line_len = 0;
    replica->image_read = replica->image_loaded = 0;
    replica->image_total = -1;
    replica->stats.attempts++;
    repl_act_text(out, REPL_CONNECT, REPL_LINK_ID, "%s", replica->host)->port = replica->port;
}

static bool give_up_when_silent(struct replica *replica, int64_t now_ms, struct repl_actions *out)
{
    if (now_ms - replica->last_io_ms <= replica->config->timeout_ms) return false;
    switch (replica->state) {
    case REPLICA_NONE:
    case REPLICA_CONNECT:
    case REPLICA_LOADING: return false;
    case REPLICA_RECEIVING:
        replica_lose(replica, now_ms, out,
                     "Timeout receiving bulk data from MASTER: nothing came for repl-timeout");
        return true;
    case REPLICA_CONNECTED:
        replica_lose(replica, now_ms, out,
                     "MASTER timeout: no data nor PING received for repl-timeout");
        return true;
    case REPLICA_CONNECTING:
    case REPLICA_PING_SENT:
    case REPLICA_HANDSHAKE:
    case REPLICA_PSYNC_SENT:
    case REPLICA_WAIT_HEADER:
        replica_lose(replica, now_ms, out, "Timeout connecting to the MASTER");
        return true;
    }
    return false;
}

void replica_timer(struct replica *replica, int64_t now_ms, struct repl_actions *out)
{
    if (give_up_when_silent(replica, now_ms, out)) return;
    switch (replica->state) {
    case REPLICA_CONNECT:
        if (now_ms >= replica->next_attempt_ms) connect_now(replica, now_ms, out);
        break;
    case REPLICA_LOADING:
        if (replica->link_gone || now_ms - replica->newline_ms < KEEP_ALIVE_MS) break;
        replica->newline_ms = now_ms;
        repl_act_text(out, REPL_SEND, REPL_LINK_ID, "\n");
        break;
    case REPLICA_CONNECTED:
        /* A primary that does not say where its log ends: what was read so far has to do. */
        if (replica->catch_up_to == UINT64_MAX && !replica->stream_line &&
            now_ms > replica->up_since_ms)
            replica->catch_up_to = replica->read_offset;
        if (replica->applied >= replica->catch_up_to) replica->caught_up = true;
        if (now_ms - replica->ack_ms >= (replica->ack_pending ? FINE_ACK_MS : ACK_PERIOD_MS))
            replica_send_ack(replica, now_ms, out);
        break;
    default: break;
    }
}

int64_t replica_next_timer(const struct replica *replica)
{
    if (replica->state == REPLICA_CONNECT) return replica->next_attempt_ms;
    if (replica->state == REPLICA_CONNECTED && replica->ack_pending)
        return replica->ack_ms + FINE_ACK_MS;
    return INT64_MAX;
}
