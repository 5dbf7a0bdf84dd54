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
#include "server/session_io.h"
#include "server/transactions.h"

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
    session->watch = (struct watch){
        .fd = fd, .wants = LOOP_READ, .ready = session_ready, .context = session, .edge = true};
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

enum session_class session_class(const struct session *session)
{
    if (session->flags & SESSION_REPLICA) return CLASS_REPLICA;
    return session->subscriptions != NULL && pubsub_subscribed(session) ? CLASS_PUBSUB
                                                                        : CLASS_NORMAL;
}

static const struct output_limit *output_limit_of(const struct session *session)
{
    return &session->server->config->client_output_buffer_limit.of[session_class(session)];
}

void session_bound_reply(struct session *session)
{
    const uint64_t hard_bytes = output_limit_of(session)->hard_bytes;
    size_t max = 0;

    if (hard_bytes != 0 && !(session->flags & (SESSION_NO_SOCKET | SESSION_REPLICA)) &&
        !num_add_size(session->out_sent,
                      hard_bytes > SESSION_OUT_CHECKED_FROM ? hard_bytes : SESSION_OUT_CHECKED_FROM,
                      &max))
        max = 0;
    session->reply.out_max = max;
}

bool session_check_output_limit(struct session *session)
{
    struct server *server = session->server;
    size_t bytes = session->out.len - session->out_sent;

    if (session->flags & (SESSION_CLOSED | SESSION_NO_SOCKET | SESSION_REPLICA))
        return false; /* replicas: what they pin is in the log */
    const struct output_limit *limit = output_limit_of(session);
    bool hard = session->reply.overflowed || (limit->hard_bytes != 0 && bytes >= limit->hard_bytes);
    bool soft = limit->soft_bytes != 0 && bytes >= limit->soft_bytes;

    if (!(session->flags & SESSION_AUTHENTICATED) &&
        session->in.len + bytes > SESSION_UNAUTHENTICATED_BYTES_MAX)
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
