#include "server/blocking.h"

#include "handlers.h"
#include "server/blocked_keys.h"
#include "server/dispatch.h"
#include "server/replication.h"

/* Calls act(session) for every session that is blocked for this reason now; act may unblock it. */
static void for_each(struct server *server, enum session_block why, void (*act)(struct session *))
{
    for (struct session *session = server->blocked[why].first, *next; session != NULL;
         session = next) {
        next = session->block_next;
        act(session);
    }
}

void blocking_pause_ended(struct server *server)
{
    for_each(server, BLOCK_PAUSE, session_unblock);
}

bool blocking_before_wait(struct server *server)
{
    bool any = server->blocked[BLOCK_LEASE].first != NULL;

    /* Whoever finds its value still leased blocks again. */
    for_each(server, BLOCK_LEASE, session_unblock);
    return any;
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void end_with_error(struct session *session, const char *text)
{
    session->reply.muted = session->block_muted;
    reply_error(&session->reply, text);
    dispatch_count_error(session, session->last_command);
    session_unblock(session);
    session_has_output(session);
}

/* What a blocked command answers when its time is over. */
static void end_with_timeout(struct session *session)
{
    session->reply.muted = session->block_muted;
    if (session->block == BLOCK_WAIT)
        reply_int64(&session->reply,
                    replication_count_acked(session->server, session->wait_offset));
    if (session->block == BLOCK_KEYS) reply_null_array(&session->reply);
    session_unblock(session);
    session_has_output(session);
}

void blocking_timed_out(void *context)
{
    end_with_timeout(context);
}

static void answer_if_acked(struct session *session)
{
    if (replication_count_acked(session->server, session->wait_offset) >= session->wait_replicas)
        end_with_timeout(session); /* the same answer, with more in it */
}

void blocking_acks_arrived(struct server *server)
{
    for_each(server, BLOCK_WAIT, answer_if_acked);
}

static void end_for_role(struct session *session)
{
    end_with_error(session,
                   "UNBLOCKED force unblock from blocking operation, instance state changed "
                   "(master -> replica?)");
    session_close_after_reply(session);
}

void blocking_role_changed(struct server *server)
{
    for_each(server, BLOCK_WAIT, end_for_role);
    for_each(server, BLOCK_KEYS, end_for_role);
}

bool blocking_unblock_client(struct session *session, bool with_error)
{
    if (session->block != BLOCK_WAIT && session->block != BLOCK_KEYS) return false;
    if (with_error) end_with_error(session, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    else end_with_timeout(session);
    return true;
}

/* ---- WAIT ------------------------------------------------------------------------------------- */

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
    TRY(call_arg_timeout_ms(call, 2, &timeout_ms));
    int acked = replication_count_acked(server, session->write_offset);
    if (acked >= replicas || call->flags & (CALL_IN_EXEC | CALL_IN_SCRIPT | CALL_DENY_BLOCKING)) {
        reply_int64(call->reply, acked);
        return OK;
    }
    session->wait_offset = session->write_offset;
    session->wait_replicas = replicas > INT32_MAX ? INT32_MAX : (int)replicas;
    session_block(session, BLOCK_WAIT, timeout_ms);
    replication_request_acks(server);
    return OK;
}
