/* DBSIZE, FLUSHDB, FLUSHALL, SWAPDB, TIME, SHUTDOWN. */
#include "handlers.h"

#include "io/clock.h"
#include "server/config.h"
#include "server/persistence.h"
#include "server/replication.h"
#include "server/server.h"
#include "server/shutdown.h"

enum err cmd_dbsize(struct call *call)
{
    reply_int64(call->reply, (int64_t)keyspace_count(store_keyspace(call->store, call->db)));
    return OK;
}

static enum err flush(struct call *call, int db)
{
    bool lazy = call->limits->lazy_user_flush;

    if (call->argc > 2) return ERR_SYNTAX;
    if (call->argc == 2) {
        if (call_arg_is(call, 1, "async")) lazy = true;
        else if (call_arg_is(call, 1, "sync")) lazy = false;
        else return ERR_SYNTAX;
    }
    if (db == -1) persistence_abort_background_save(call_server(call)); /* what it saves is gone */
    store_flush(call->store, db, lazy);
    call_effect_verbatim(call); /* also when there was nothing to flush */
    reply_ok(call->reply);
    return OK;
}

enum err cmd_flushdb(struct call *call)
{
    return flush(call, call->db);
}
enum err cmd_flushall(struct call *call)
{
    return flush(call, -1);
}

enum err cmd_swapdb(struct call *call)
{
    int64_t a, b;

    if (!num_parse_int64(call->argv[1], &a)) return call_fail(call, "ERR invalid first DB index");
    if (!num_parse_int64(call->argv[2], &b)) return call_fail(call, "ERR invalid second DB index");
    if (a < 0 || b < 0 || a >= call->limits->databases || b >= call->limits->databases)
        return ERR_DB_RANGE;
    store_swap(call->store, (int)a, (int)b);
    reply_ok(call->reply);
    return OK;
}

enum err cmd_time(struct call *call)
{
    int64_t us = clock_wall_us();

    reply_array(call->reply, 2);
    reply_bulk_int64(call->reply, us / 1000000);
    reply_bulk_int64(call->reply, us % 1000000);
    return OK;
}

enum err cmd_shutdown(struct call *call)
{
    struct server *server = call_server(call);
    struct shutdown wish = {0};
    bool abort_it = false;

    for (int i = 1; i < call->argc; i++) {
        if (call_arg_is(call, i, "nosave")) wish.nosave = true;
        else if (call_arg_is(call, i, "save")) wish.save = true;
        else if (call_arg_is(call, i, "now")) wish.now = true;
        else if (call_arg_is(call, i, "force")) wish.force = true;
        else if (call_arg_is(call, i, "abort")) abort_it = true;
        else return ERR_SYNTAX;
    }
    if ((abort_it && call->argc > 2) || (wish.nosave && wish.save)) return ERR_SYNTAX;
    if (abort_it) {
        if (!shutdown_abort(server)) return call_fail(call, "ERR No shutdown in progress.");
        reply_ok(call->reply);
        return OK;
    }
    wish.inside = call->flags & (CALL_IN_EXEC | CALL_IN_SCRIPT) && server->in_exec > 0;
    switch (shutdown_begin(server, &wish)) {
    case SHUTDOWN_REFUSED: return call_fail(call, "ERR Errors trying to SHUTDOWN. Check logs.");
    case SHUTDOWN_WAITS: session_block(call->session, BLOCK_SHUTDOWN, 0); return OK;
    case SHUTDOWN_UNDER_WAY: return OK;
    }
    return OK;
}
