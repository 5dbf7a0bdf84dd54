#include "server/session_io.h"

#include "base/log.h"
#include "io/socket.h"
#include "server/client_eviction.h"
#include "server/dispatch.h"
#include "server/io_threads.h"
#include "server/network.h"
#include "server/replication.h"
#include "server/server.h"

#include <errno.h>

enum {
    READ_BYTES = 64 * 1024, /* the shared read buffer; also the step in which a kept one grows */
    BIG_INPUT_BYTES = 1 << 20,
    OUT_BYTES = 16 * 1024,     /* a fresh output buffer */
    OUT_KEPT_MAX = 256 * 1024, /* a drained output buffer beyond this is freed, not pooled */
    OUT_MUCH_BYTES = 32 * 1024,
};

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

/* Nothing more will come. A peer that has closed one direction only (`printf ... | nc -N`) still reads: the replies that
 * were made, and wait for the end of the turn or for the log's files, leave first. */
static void went_away(struct session *session, int error)
{
    if (error == 0 && session->flags & (SESSION_OUT_QUEUED | SESSION_GATED)) {
        session->flags |= SESSION_ENDED;
        if (session->block != BLOCK_NONE) session_unblock(session);
        session_close_after_reply(session);
        return;
    }
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
    if (!(session->flags & SESSION_AUTHENTICATED) && held >= SESSION_UNAUTHENTICATED_BYTES_MAX) {
        log_verbose("Closing client id=%llu addr=%s: more than %d bytes before authentication",
                    (unsigned long long)session->id, session->peer_name,
                    SESSION_UNAUTHENTICATED_BYTES_MAX);
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

/* Where the next bytes go, and how many: `shared`, which has room for shared_room, where the session keeps none. */
static char *place_for_input(struct session *session, char *shared, size_t shared_room,
                             size_t *room)
{
    struct buf *in = &session->in;

    *room = shared_room;
    if (in->len == 0) return shared;
    *room = READ_BYTES;
    if (in->len > BIG_INPUT_BYTES) *room = BIG_INPUT_BYTES; /* a long bulk: fewer, larger reads */
    if (!(session->flags & SESSION_AUTHENTICATED)) /* below the limit: within_input_limits */
        *room = SESSION_UNAUTHENTICATED_BYTES_MAX - in->len;
    buf_reserve(in, *room);
    return in->ptr + in->len;
}

static bool flush(struct session *session);

/* Long replies leave before the end of the turn: else those of all clients lie there side by side, out of the cache, in
 * more buffers than are worth keeping. Not where a replica would hear of the same writes later. */
static bool leaves_now(const struct session *session)
{
    const struct server *server = session->server;

    return session->out.len - session->out_sent >= OUT_MUCH_BYTES && !io_threads_write(server) &&
           journal_all_published(server->journal);
}

/* What a read into place_for_input gave: bytes, 0 at the end of the stream, -errno. Small whole requests never leave the
 * shared buffer; the rest is kept by the session. A read that filled its room may have left something. */
static void take_input(struct session *session, const char *to, size_t room, ssize_t got)
{
    struct server *server = session->server;
    struct buf *in = &session->in;
    bool shared = in->len == 0;

    if (got == (ssize_t)room) loop_again(server->loop, &session->watch);
    if (got == -EAGAIN) {
        clients_note(session); /* the room that was made for it counts */
        return;
    }
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
    if (!within_input_limits(session)) return;
    if (leaves_now(session) && !flush(session)) return;
    clients_note(session);
}

/* Nothing more is executed; reading on only finds out that the peer is gone. */
static void drop_input(struct session *session)
{
    ssize_t got =
        socket_read(session->watch.fd, network_read_buffer(session->server->network), READ_BYTES);
    if (got == READ_BYTES) loop_again(session->server->loop, &session->watch);
    else if (got <= 0 && got != -EAGAIN) went_away(session, (int)-got);
}

static void read_alone(struct session *session)
{
    size_t room;
    char *to =
        place_for_input(session, network_read_buffer(session->server->network), READ_BYTES, &room);

    take_input(session, to, room, socket_read(session->watch.fd, to, room));
}

static void read_later(struct session *session)
{
    struct server *server = session->server;

    if (session->flags & SESSION_READ_QUEUED) return;
    session->flags |= SESSION_READ_QUEUED;
    session->read_next = NULL;
    if (server->to_read == NULL) server->to_read = session;
    else server->last_to_read->read_next = session;
    server->last_to_read = session;
}

/* The next of those to read from that can still be read from. NULL at the end. */
static struct session *next_to_read(struct server *server)
{
    while (server->to_read != NULL) {
        struct session *session = server->to_read;
        server->to_read = session->read_next;
        session->flags &= ~(unsigned)SESSION_READ_QUEUED;
        if (!(session->flags & SESSION_CLOSED)) return session;
    }
    return NULL;
}

void session_read_all(struct server *server)
{
    struct session *of[IO_ROUND], *session;

    while (server->to_read != NULL) {
        struct crew_call *calls = io_threads_calls(server);
        int count = 0;
        while (count < IO_ROUND && (session = next_to_read(server)) != NULL) {
            struct crew_call *call = &calls[count];
            *call = (struct crew_call){.fd = session->watch.fd};
            call->bytes = place_for_input(session, io_threads_buffer(server, count), IO_READ_BYTES,
                                          &call->len);
            of[count++] = session;
        }
        io_threads_run(server, count);
        for (int i = 0; i < count; i++) /* one may have closed another meanwhile */
            if (!(of[i]->flags & (SESSION_CLOSED | SESSION_CLOSE_AFTER_REPLY)))
                take_input(of[i], calls[i].bytes, calls[i].len, calls[i].result);
    }
}

void session_ready(void *context, unsigned events)
{
    struct session *session = context;

    if (events & LOOP_WRITE) {
        if (!flush(session)) return;
        clients_note(session);
    }
    if (!(events & LOOP_READ) || session->flags & (SESSION_CLOSED | SESSION_ENDED)) return;
    if (session->flags & SESSION_CLOSE_AFTER_REPLY) drop_input(session);
    else if (io_threads_read(session->server)) read_later(session);
    else read_alone(session);
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

/* What a write gave. False when the session was closed for it. */
static bool wrote(struct session *session, ssize_t sent)
{
    struct server *server = session->server;

    if (sent == -EAGAIN) return true;
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
    return true;
}

/* Behind the writes of a turn: bytes up to `open` were free to leave. False when the session was closed. */
static bool end_flush(struct session *session, size_t open)
{
    struct server *server = session->server;
    struct buf *out = &session->out;
    bool waiting = session->out_sent < open;

    if (waiting && session->flags & SESSION_ENDED) { /* nobody waits for a peer that has ended */
        session_close(session);
        return false;
    }
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
    unsigned wants = (session->flags & SESSION_ENDED ? 0 : LOOP_READ) | (waiting ? LOOP_WRITE : 0);
    if (session->watch.wants != wants) loop_want(server->loop, &session->watch, wants);
    return !session_check_output_limit(session);
}

/* How many bytes may leave now. */
static size_t begin_flush(struct session *session)
{
    recent_note(&session->server->recent_output, session->out.len - session->out_sent);
    return gate_open(session);
}

/* Writes what the socket takes. False when the session was closed. */
static bool flush(struct session *session)
{
    size_t open = begin_flush(session);

    while (session->out_sent < open) {
        ssize_t sent = socket_write(session->watch.fd, session->out.ptr + session->out_sent,
                                    open - session->out_sent);
        if (!wrote(session, sent)) return false;
        if (sent == -EAGAIN) break;
        if (sent > 0 && sent < OUT_BYTES && session->out_sent < open) break; /* it is full */
    }
    return end_flush(session, open);
}

/* The next of those with output that is not closed. NULL at the end. */
static struct session *next_to_flush(struct server *server)
{
    while (server->with_output != NULL) {
        struct session *session = server->with_output;
        server->with_output = session->queue_next;
        if (dequeued_alive(session, SESSION_OUT_QUEUED)) return session;
    }
    return NULL;
}

/* One call for each session of a round; what a socket does not take at once waits for it to be ready. Those with nothing
 * to send, a replica with its feed or whoever waits at a gate, are listed from the back and have their turn behind the
 * calls: what a replica brings about may append to the output of others, or close them. */
static void flush_together(struct server *server)
{
    struct session *of[IO_ROUND], *session;
    size_t open[IO_ROUND];

    while (server->with_output != NULL) {
        struct crew_call *calls = io_threads_calls(server);
        int count = 0, idle = IO_ROUND;
        while (count < idle && (session = next_to_flush(server)) != NULL) {
            size_t end = begin_flush(session);
            int place = session->out_sent == end ? --idle : count++;
            of[place] = session;
            open[place] = end;
            if (place < idle)
                calls[place] = (struct crew_call){.fd = session->watch.fd,
                                                  .writes = true,
                                                  .bytes = session->out.ptr + session->out_sent,
                                                  .len = end - session->out_sent};
        }
        io_threads_run(server, count);
        for (int i = 0; i < count; i++)
            if (!(of[i]->flags & SESSION_CLOSED) && wrote(of[i], calls[i].result) &&
                end_flush(of[i], open[i]))
                clients_note(of[i]);
        for (int i = idle; i < IO_ROUND; i++)
            if (!(of[i]->flags & SESSION_CLOSED) && end_flush(of[i], open[i])) clients_note(of[i]);
    }
}

void session_flush_all(struct server *server)
{
    struct session *session;

    if (io_threads_write(server)) flush_together(server);
    while ((session = next_to_flush(server)) != NULL)
        if (flush(session)) clients_note(session);
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
