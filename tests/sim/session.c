#include "node_state.h"

#include "base/num.h"

/* ---- sessions: the server's end of connections --------------------------------------------------- */

struct session *session_of(struct node *node, uint64_t id)
{
    for (int i = 0; i < SESSIONS_MAX; i++)
        if (node->sessions[i].conn != NULL && node->sessions[i].conn->id == id)
            return &node->sessions[i];
    return NULL;
}

void session_end(struct node *node, struct session *session)
{
    if (session->cursor != NULL) journal_close(node->journal, session->cursor);
    if (session->image_cursor != NULL) image_close(session->image->image, session->image_cursor);
    request_release(&session->request);
    buf_release(&session->in);
    buf_release(&session->out);
    *session = (struct session){0};
}

struct session *session_open(struct node *node, struct conn *conn)
{
    for (int i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &node->sessions[i];
        if (session->conn != NULL) continue;
        *session = (struct session){.conn = conn};
        request_init(&session->request);
        return session;
    }
    return NULL;
}

/* Moves what may be sent into the connection: texts, then the image, then the log. */
void session_pump(struct node *node, struct session *session)
{
    struct sim *sim = node->sim;
    struct iovec iov;
    int count;
    for (;;) {
        const size_t room = net_room(session->conn, SERVER);
        if (room == 0) return;
        if (session->out.len > 0) {
            const size_t len = session->out.len < room ? session->out.len : room;
            net_send(sim, session->conn, SERVER, session->out.ptr, len);
            buf_drop_front(&session->out, len);
        } else if (session->close_when_sent) {
            net_close(session->conn, SERVER);
            session_end(node, session);
            return;
        } else if (session->image_cursor != NULL) {
            const enum spool_read read =
                spool_peek(session->image_cursor, &iov, &count, 1, room, NULL, NULL);
            if (read == SPOOL_BYTES) {
                net_send(sim, session->conn, SERVER, iov.iov_base, iov.iov_len);
                spool_advance(session->image_cursor, iov.iov_len);
                session->image_bytes += iov.iov_len;
                primary_image_progress(node->primary, session->conn->id, session->image_bytes,
                                       node_now(node));
            } else if (read == SPOOL_END && session->image->done_told) {
                image_close(session->image->image, session->image_cursor);
                session->image_cursor = NULL;
                if (session->cursor != NULL) /* what is in the image was sent as well */
                    disk_sent(node, spool_position(session->cursor));
                const uint64_t id = session->conn->id;
                primary_image_sent(node->primary, id, node_now(node), &node->actions);
                node_perform(node, span_of("", 0));
                if (session_of(node, id) != session) return;
            } else {
                return;
            }
        } else if (session->cursor != NULL && spool_position(session->cursor) < session->fed_to) {
            if (session->mark_sent) {
                sim_violation(sim, "node %d sends the stream behind the mark before the first ACK",
                              node->index);
                return;
            }
            const uint64_t left = session->fed_to - spool_position(session->cursor);
            if (spool_peek(session->cursor, &iov, &count, 1, left < room ? (size_t)left : room,
                           NULL, NULL) != SPOOL_BYTES)
                return;
            net_send(sim, session->conn, SERVER, iov.iov_base, iov.iov_len);
            spool_advance(session->cursor, iov.iov_len);
            disk_sent(node, spool_position(session->cursor));
            primary_fed(node->primary, session->conn->id, spool_position(session->cursor));
        } else {
            return;
        }
    }
}

static void answer(struct session *session, enum primary_answer kind, const char *text)
{
    switch (kind) {
    case PRIMARY_OK: buf_append(&session->out, "+OK\r\n", 5); break;
    case PRIMARY_TEXT: buf_printf(&session->out, "+%s\r\n", text); break;
    case PRIMARY_REFUSED: buf_printf(&session->out, "-%s\r\n", text); break;
    case PRIMARY_SILENT:
    case PRIMARY_TAKEN:
    case PRIMARY_PROMOTE: break;
    }
}

static void run_command(struct node *node, struct session *session, int argc,
                        const struct span *argv)
{
    char text[REPL_ERROR_CHARS], ip[32];
    snprintf(ip, sizeof(ip), "10.0.0.%d", session->conn->node[CLIENT]);
    const struct primary_origin origin = {.id = session->conn->id, .ip = ip};
    enum primary_answer kind = PRIMARY_SILENT;
    if (argc == 0) return;
    if (span_is(argv[0], "ping")) {
        buf_append(&session->out, "+PONG\r\n", 7);
    } else if (span_is(argv[0], "replconf")) {
        if (argc > 1 && span_is(argv[1], "ack")) session->mark_sent = false;
        kind = primary_replconf(node->primary, &origin, argc, argv, node_now(node), text,
                                &node->actions);
    } else if (span_is(argv[0], "psync")) {
        const uint64_t full = primary_stats(node->primary)->sync_full;
        kind =
            primary_psync(node->primary, &origin, argc, argv, node_now(node), text, &node->actions);
        if (kind == PRIMARY_PROMOTE) {
            node->followed = -1;
            role_promote(node->role, node_now(node), &node->actions);
            node_perform(node, span_of("", 0));
            kind = primary_psync(node->primary, &origin, argc, argv, node_now(node), text,
                                 &node->actions);
        }
        if (kind == PRIMARY_TAKEN && role_is_replica(node->role) &&
            replica_state(node->replica) != REPLICA_CONNECTED)
            sim_violation(node->sim, "node %d serves a replica while its own link is down",
                          node->index);
        int64_t next;
        if (primary_stats(node->primary)->sync_full > full && argc >= 3 &&
            num_parse_int64(argv[2], &next) && next > 0)
            disk_judge_full_sync(node, argv[1], (uint64_t)next - 1);
        sim_trace(node->sim, (uint64_t)kind, (uint64_t)node->index, 7);
    } else if (span_is(argv[0], "sync")) {
        kind = primary_sync(node->primary, &origin, node_now(node), text, &node->actions);
    } else {
        snprintf(text, sizeof(text), "ERR unknown command");
        kind = PRIMARY_REFUSED;
    }
    answer(session, kind, text);
}

void session_serve(struct node *node, struct session *session, struct span bytes)
{
    const struct request_limits limits = {.bulk_bytes_max = 1 << 20, .authenticated = true};
    const uint64_t id = session->conn->id;
    primary_peer_alive(node->primary, id, node_now(node));
    buf_append_span(&session->in, bytes);
    for (;;) {
        size_t consumed = 0, want;
        const char *error;
        if (session->in.len == 0) return;
        const enum request_status status = request_parse(&session->request, buf_span(&session->in),
                                                         &limits, &consumed, &want, &error);
        if (status == REQUEST_BROKEN)
            sim_violation(node->sim, "node %d sent a broken request: %s", session->conn->node[0],
                          error);
        if (status != REQUEST_READY) return;
        run_command(node, session, session->request.argc, session->request.argv);
        node_perform(node, span_of("", 0));
        if (session_of(node, id) != session) return;
        buf_drop_front(&session->in, consumed);
    }
}
