#include "server/blocking.h"

#include "handlers.h"
#include "server/dispatch.h"
#include "server/replication.h"

/* Calls act(session) for every blocked session; act may unblock it. */
static void for_each(struct server *server, enum session_block why, void (*act)(struct session *))
{
    for (struct session *session = server->blocked, *next; session != NULL; session = next) {
        next = session->block_next;
        if (session->block == why) act(session);
    }
}

void blocking_pause_ended(struct server *server)
{
    for_each(server, BLOCK_PAUSE, session_unblock);
}

bool blocking_before_wait(struct server *server)
{
    bool any = false;

    for (struct session *session = server->blocked; session != NULL && !any;
         session = session->block_next)
        any = session->block == BLOCK_LEASE;
    if (any)
        for_each(server, BLOCK_LEASE,
                 session_unblock); /* whoever finds its value still leased blocks again */
    return any;
}

static void answer_wait(struct session *session)
{
    session->reply.muted = (session->flags & SESSION_REPLY_OFF) != 0;
    reply_int64(&session->reply, replication_count_acked(session->server, session->wait_offset));
    session_has_output(session);
    session_unblock(session);
}

static void answer_wait_if_done(struct session *session)
{
    if (replication_count_acked(session->server, session->wait_offset) >= session->wait_replicas)
        answer_wait(session);
}

void blocking_acks_arrived(struct server *server)
{
    for_each(server, BLOCK_WAIT, answer_wait_if_done);
}

static void end_wait_with_error(struct session *session)
{
    session->reply.muted = (session->flags & SESSION_REPLY_OFF) != 0;
    reply_error(&session->reply,
                "UNBLOCKED force unblock from blocking operation, instance state changed "
                "(master -> replica?)");
    session_unblock(session);
    session_close_after_reply(session);
}

void blocking_role_changed(struct server *server)
{
    for_each(server, BLOCK_WAIT, end_wait_with_error);
}

int64_t blocking_expire(struct server *server)
{
    int64_t next_ms = -1;

    for (struct session *session = server->blocked, *next; session != NULL; session = next) {
        next = session->block_next;
        if (session->block_until_ms == 0) continue;
        int64_t left_ms = session->block_until_ms - server->now_ms;
        if (left_ms <= 0) {
            if (session->block == BLOCK_WAIT) answer_wait(session);
            else session_unblock(session);
        } else if (next_ms < 0 || left_ms < next_ms) {
            next_ms = left_ms;
        }
    }
    return next_ms;
}

bool blocking_unblock_client(struct session *session, bool with_error)
{
    if (session->block != BLOCK_WAIT) return false;
    if (!with_error) {
        answer_wait(session);
        return true;
    }
    session->reply.muted = (session->flags & SESSION_REPLY_OFF) != 0;
    reply_error(&session->reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    session_has_output(session);
    session_unblock(session);
    return true;
}

enum err cmd_wait(struct call *call)
{
    struct session *session = call->session;
    struct server *server = call_server(call);
    int64_t replicas, timeout_ms;

    if (server_is_replica(server))
        return call_fail(call, "ERR WAIT cannot be used with replica instances. Please also note "
                               "that since Redis 4.0 if a "
                               "replica is configured to be writable (which is not the default) "
                               "writes to replicas are just "
                               "local and are not propagated.");
    TRY(call_arg_int64(call, 1, &replicas));
    if (!num_parse_int64(call->argv[2], &timeout_ms))
        return call_fail(call, "ERR timeout is not an integer or out of range");
    if (timeout_ms < 0) return call_fail(call, "ERR timeout is negative");
    int acked = replication_count_acked(server, session->write_offset);
    if (acked >= replicas || call->flags & (CALL_IN_EXEC | CALL_IN_SCRIPT | CALL_DENY_BLOCKING)) {
        reply_int64(call->reply, acked);
        return OK;
    }
    session->wait_offset = session->write_offset;
    session->wait_replicas = replicas > INT32_MAX ? INT32_MAX : (int)replicas;
    session_block(session, BLOCK_WAIT, timeout_ms == 0 ? 0 : server->now_ms + timeout_ms);
    replication_request_acks(server);
    return OK;
}
