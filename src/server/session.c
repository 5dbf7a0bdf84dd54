#include "server/session.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/socket.h"
#include "server/blocked_keys.h"
#include "server/blocking.h"
#include "server/client_eviction.h"
#include "server/dispatch.h"
#include "server/network.h"
#include "server/pubsub.h"
#include "server/replication.h"
#include "server/server.h"
#include "server/transactions.h"

#include <errno.h>

enum {
    READ_BYTES = 64 * 1024, /* the shared read buffer; also the step in which a kept one grows */
    BIG_INPUT_BYTES = 1 << 20,
    OUT_BYTES = 16 * 1024,     /* a fresh output buffer */
    OUT_KEPT_MAX = 256 * 1024, /* a drained output buffer beyond this is freed, not pooled */
    UNAUTHENTICATED_BYTES_MAX = 64 * 1024,
};

static void on_ready(void *context, unsigned events);

struct session *session_new(struct server *server, int fd, unsigned flags)
{
    struct session *session = mem_zalloc(sizeof *session);

    session->id = ++server->next_session_id;
    session->server = server;
    session->flags = flags;
    session->created_ms = session->active_ms = server->now_ms;
    session->reply = (struct reply){.out = &session->out, .version = 2};
    request_init(&session->request);
    if (server->config->requirepass[0] == '\0') session->flags |= SESSION_AUTHENTICATED;
    timer_init(&session->block_timer, blocking_timed_out, session);
    session->watch =
        (struct watch){.fd = fd, .wants = LOOP_READ, .ready = on_ready, .context = session};
    if (flags & SESSION_NO_SOCKET) {
        session->reply.muted = true;
        return session;
    }
    session->next = server->sessions;
    if (server->sessions != NULL) server->sessions->prev = session;
    server->sessions = session;
    server->session_count++;
    loop_add(server->loop, &session->watch);
    return session;
}

void session_close(struct session *session)
{
    struct server *server = session->server;

    if (session->flags & SESSION_CLOSED) return;
    session->flags |= SESSION_CLOSED;
    gate_forget(session);
    if (session->block != BLOCK_NONE) session_unblock(session);
    if (session->flags & SESSION_MONITOR) server->monitors--;
    transactions_release(session);
    pubsub_release(session);
    replication_session_closed(session);
    clients_note(session);
    if (!(session->flags & SESSION_NO_SOCKET)) {
        loop_remove(server->loop, &session->watch);
        socket_close(session->watch.fd);
        if (session->prev != NULL) session->prev->next = session->next;
        else server->sessions = session->next;
        if (session->next != NULL) session->next->prev = session->prev;
        server->session_count--;
        network_session_gone(server);
    }
    if (!(session->flags & (SESSION_OUT_QUEUED | SESSION_READY_QUEUED))) {
        session->queue_next = server->closed;
        server->closed = session;
    } /* else the queue that holds it hands it over */
}

void session_close_after_reply(struct session *session)
{
    session->flags |= SESSION_CLOSE_AFTER_REPLY;
    session_has_output(session); /* also without bytes: the flush closes it */
}

static void free_session(struct session *session)
{
    buf_release(&session->in);
    buf_release(&session->out);
    request_release(&session->request);
    mem_free(session->name);
    mem_free(session);
}

void session_free_closed(struct server *server)
{
    while (server->closed != NULL) {
        struct session *session = server->closed;
        server->closed = session->queue_next;
        free_session(session);
    }
}

/* A session was taken off a queue. False where it was closed meanwhile: the last queue that held it hands it to the
 * list of the closed. */
static bool dequeued_alive(struct session *session, unsigned queue_flag)
{
    session->flags &= ~queue_flag;
    if (!(session->flags & SESSION_CLOSED)) return true;
    if (session->flags & (SESSION_OUT_QUEUED | SESSION_READY_QUEUED)) return false;
    session->queue_next = session->server->closed;
    session->server->closed = session;
    return false;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static void went_away(struct session *session, int error)
{
    if (error != 0 && error != ECONNRESET) log_verbose("Reading from client: %s", strerror(error));
    else
        log_verbose("Client closed connection id=%llu addr=%s", (unsigned long long)session->id,
                    session->peer_name);
    session_close(session);
}

/* Drops what was consumed from the kept buffer. */
static void keep_rest(struct session *session, size_t consumed)
{
    struct buf *in = &session->in;

    if (consumed == in->len) {
        if (in->cap > READ_BYTES || session->block == BLOCK_NONE) buf_release(in);
        else buf_clear(in);
    } else if (consumed > 0) {
        buf_drop_front(in, consumed);
    }
}

static bool within_input_limits(struct session *session)
{
    struct server *server = session->server;

    size_t held = session->in.len + session->out.len - session->out_sent;
    if (!(session->flags & SESSION_AUTHENTICATED) && held >= UNAUTHENTICATED_BYTES_MAX) {
        log_verbose("Closing client id=%llu addr=%s: more than %d bytes before authentication",
                    (unsigned long long)session->id, session->peer_name, UNAUTHENTICATED_BYTES_MAX);
        session_close(session);
        return false;
    }
    if (session->in.len > (size_t)server->config->client_query_buffer_limit) {
        struct buf line = {0};
        session_describe(session, &line);
        log_warning("Closing client that reached max query buffer length: %.*s", (int)line.len,
                    line.ptr);
        buf_release(&line);
        session_close(session);
        return false;
    }
    return true;
}

static void run_kept_input(struct session *session)
{
    if (session->in.len == 0 || session->block != BLOCK_NONE ||
        session->flags & SESSION_CLOSE_AFTER_REPLY)
        return;
    size_t consumed = batch_consume(session, buf_span(&session->in));
    if (session->flags & SESSION_CLOSED) return;
    keep_rest(session, consumed);
}

/* Reads once. Small whole requests never leave the shared buffer; the rest is kept by the session. */
static void read_input(struct session *session)
{
    struct server *server = session->server;
    struct buf *in = &session->in;
    bool shared = in->len == 0;
    char *to = network_read_buffer(server->network);
    size_t room = READ_BYTES;

    if (!shared) {
        if (in->len > BIG_INPUT_BYTES)
            room = BIG_INPUT_BYTES;                    /* a long bulk: fewer, larger reads */
        if (!(session->flags & SESSION_AUTHENTICATED)) /* below the limit: within_input_limits */
            room = UNAUTHENTICATED_BYTES_MAX - in->len;
        buf_reserve(in, room);
        to = in->ptr + in->len;
    }
    ssize_t got = socket_read(session->watch.fd, to, room);
    if (got == -EAGAIN || got == -EINTR) return;
    if (got <= 0) {
        went_away(session, (int)-got);
        return;
    }
    server->stats.reads_processed++;
    server->stats.net_input_bytes += (uint64_t)got;
    session->bytes_in += (uint64_t)got;
    session->active_ms = server->now_ms;
    if (session->peer != NULL) replication_peer_bytes(session);
    recent_note(&server->recent_input, in->len + (size_t)got);
    if (shared && session->block == BLOCK_NONE) {
        size_t consumed = batch_consume(session, span_of(to, (size_t)got));
        if (session->flags & SESSION_CLOSED) return;
        if (consumed < (size_t)got) buf_append(in, to + consumed, (size_t)got - consumed);
    } else {
        if (shared) buf_append(in, to, (size_t)got);
        else in->len += (size_t)got;
        run_kept_input(session);
        if (session->flags & SESSION_CLOSED) return;
    }
    if (within_input_limits(session)) clients_note(session);
}

static bool flush(struct session *session);

static void on_ready(void *context, unsigned events)
{
    struct session *session = context;

    if (events & LOOP_WRITE) {
        if (!flush(session)) return;
        clients_note(session);
    }
    if (events & LOOP_READ && !(session->flags & (SESSION_CLOSED | SESSION_CLOSE_AFTER_REPLY)))
        read_input(session);
    if (events & LOOP_READ && session->flags & SESSION_CLOSE_AFTER_REPLY) {
        /* Nothing more is executed; reading on only finds out that the peer is gone. */
        ssize_t got = socket_read(session->watch.fd, network_read_buffer(session->server->network),
                                  READ_BYTES);
        if (got == 0 || (got < 0 && got != -EAGAIN && got != -EINTR)) session_close(session);
    }
}

/* ---- writing ---------------------------------------------------------------------------------- */

void session_has_output(struct session *session)
{
    if (session->flags & (SESSION_OUT_QUEUED | SESSION_CLOSED | SESSION_NO_SOCKET)) return;
    session->flags |= SESSION_OUT_QUEUED;
    session->queue_next = session->server->with_output;
    session->server->with_output = session;
}

static void out_drained(struct session *session)
{
    session->out_sent = 0;
    session->out_soft_since_ms = 0;
    if (session->out.cap > OUT_KEPT_MAX) buf_release(&session->out);
    else network_give_buffer(session->server->network, &session->out);
}

/* Writes what the socket takes. False when the session was closed. */
static bool flush(struct session *session)
{
    struct server *server = session->server;
    struct buf *out = &session->out;

    size_t open = gate_open(session);

    recent_note(&server->recent_output, out->len - session->out_sent);
    while (session->out_sent < open) {
        ssize_t sent =
            socket_write(session->watch.fd, out->ptr + session->out_sent, open - session->out_sent);
        if (sent == -EINTR) continue;
        if (sent == -EAGAIN) break;
        if (sent <= 0) {
            log_verbose("Error writing to client: %s", strerror((int)-sent));
            session_close(session);
            return false;
        }
        server->stats.writes_processed++;
        server->stats.net_output_bytes += (uint64_t)sent;
        session->bytes_out += (uint64_t)sent;
        session->out_sent += (size_t)sent;
        session->active_ms = server->now_ms;
        if ((size_t)sent < OUT_BYTES && session->out_sent < open) break; /* the socket is full */
    }
    bool waiting = session->out_sent < open;
    if (open < out->len) gate_wait(session);
    if (!waiting && open == out->len) {
        if (out->ptr != NULL) out_drained(session);
        if (session->flags & SESSION_CLOSE_AFTER_REPLY) {
            session_close(session);
            return false;
        }
        if (session->flags & SESSION_REPLICA) waiting = replication_write(session);
        if (session->flags & SESSION_CLOSED) return false;
    } else if (session->out_sent > (1 << 20) && session->out_sent > out->len / 2) {
        buf_drop_front(out, session->out_sent);
        gate_dropped(&session->gates, session->out_sent);
        session->out_sent = 0;
    }
    unsigned wants = LOOP_READ | (waiting ? LOOP_WRITE : 0);
    if (session->watch.wants != wants) loop_want(server->loop, &session->watch, wants);
    return !session_check_output_limit(session);
}

void session_flush_all(struct server *server)
{
    while (server->with_output != NULL) {
        struct session *session = server->with_output;
        server->with_output = session->queue_next;
        if (dequeued_alive(session, SESSION_OUT_QUEUED) && flush(session)) clients_note(session);
    }
}

enum session_class session_class(const struct session *session)
{
    if (session->flags & SESSION_REPLICA) return CLASS_REPLICA;
    return session->subscriptions != NULL && pubsub_subscribed(session) ? CLASS_PUBSUB
                                                                        : CLASS_NORMAL;
}

bool session_check_output_limit(struct session *session)
{
    struct server *server = session->server;
    size_t bytes = session->out.len - session->out_sent;

    if (session->flags & (SESSION_CLOSED | SESSION_NO_SOCKET | SESSION_REPLICA))
        return false; /* replicas: RULES, "Limits" */
    const struct output_limit *limit =
        &server->config->client_output_buffer_limit.of[session_class(session)];
    bool hard = limit->hard_bytes != 0 && bytes >= limit->hard_bytes;
    bool soft = limit->soft_bytes != 0 && bytes >= limit->soft_bytes;

    if (!(session->flags & SESSION_AUTHENTICATED) &&
        session->in.len + bytes > UNAUTHENTICATED_BYTES_MAX)
        hard = true;
    if (!soft) session->out_soft_since_ms = 0;
    else if (session->out_soft_since_ms == 0) session->out_soft_since_ms = server->now_ms;
    else if (server->now_ms - session->out_soft_since_ms > limit->soft_seconds * 1000) hard = true;
    if (!hard) return false;
    struct buf line = {0};
    session_describe(session, &line);
    log_warning("Client %.*s scheduled to be closed ASAP for overcoming of output buffer limits.",
                (int)line.len, line.ptr);
    buf_release(&line);
    session_close(session);
    return true;
}

size_t session_memory(const struct session *session)
{
    return sizeof *session + session->in.cap + session->out.cap + transactions_memory(session) +
           pubsub_memory(session) + blocked_keys_memory(session);
}

/* ---- blocking --------------------------------------------------------------------------------- */

/* Longer than anyone waits, short enough to be added to a clock in microseconds. */
#define TIMEOUT_MS_MAX (INT64_MAX / 4000)

void session_block(struct session *session, enum session_block why, int64_t timeout_ms)
{
    struct server *server = session->server;
    struct blocked_list *list = &server->blocked[why];

    check(session->block == BLOCK_NONE && why != BLOCK_NONE);
    session->block = why;
    session->block_muted = session->reply.muted;
    session->block_next = NULL;
    session->block_prev = list->last;
    if (list->last != NULL) list->last->block_next = session;
    else list->first = session;
    list->last = session;
    server->blocked_count++;
    if (timeout_ms == 0) return;
    if (timeout_ms > TIMEOUT_MS_MAX) timeout_ms = TIMEOUT_MS_MAX;
    loop_arm(server->loop, &session->block_timer, timeout_ms * 1000);
    session->block_has_timeout = true;
    server->blocked_with_timeout++;
}

void session_unblock(struct session *session)
{
    struct server *server = session->server;
    struct blocked_list *list = &server->blocked[session->block];

    check(session->block != BLOCK_NONE);
    if (session->block == BLOCK_KEYS) blocked_keys_forget(session);
    if (session->block_prev != NULL) session->block_prev->block_next = session->block_next;
    else list->first = session->block_next;
    if (session->block_next != NULL) session->block_next->block_prev = session->block_prev;
    else list->last = session->block_prev;
    if (timer_armed(&session->block_timer)) loop_disarm(server->loop, &session->block_timer);
    if (session->block_has_timeout) server->blocked_with_timeout--;
    session->block_has_timeout = false;
    session->block = BLOCK_NONE;
    server->blocked_count--;
    if (session->flags & (SESSION_CLOSED | SESSION_READY_QUEUED | SESSION_NO_SOCKET)) return;
    session->flags |= SESSION_READY_QUEUED;
    session->ready_next = NULL;
    if (server->unblocked == NULL) server->unblocked = session;
    else server->last_unblocked->ready_next = session;
    server->last_unblocked = session;
}

void session_run_unblocked(struct server *server)
{
    while (server->unblocked != NULL) {
        struct session *session = server->unblocked;
        server->unblocked = session->ready_next;
        if (!dequeued_alive(session, SESSION_READY_QUEUED)) continue;
        run_kept_input(session);
        if (!(session->flags & SESSION_CLOSED)) session_has_output(session);
    }
}

void session_reset(struct session *session)
{
    struct server *server = session->server;

    if (session->flags & SESSION_MONITOR) {
        server->monitors--;
        session->flags &= ~SESSION_MONITOR;
    }
    transactions_release(session);
    pubsub_unsubscribe_everything(session);
    session->flags &= ~(unsigned)(SESSION_AUTHENTICATED | SESSION_REPLY_OFF | SESSION_REPLY_SKIP |
                                  SESSION_REPLY_SKIP_NEXT | SESSION_NO_EVICT);
    if (server->config->requirepass[0] == '\0') session->flags |= SESSION_AUTHENTICATED;
    session->db = 0;
    session->reply.version = 2;
    mem_free(session->name);
    session->name = NULL;
}
