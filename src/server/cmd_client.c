/* CLIENT and its subcommands. */
#include "handlers.h"

#include "base/mem.h"
#include "server/blocked_keys.h"
#include "server/blocking.h"
#include "server/client_name.h"
#include "server/config.h"
#include "server/dispatch.h"
#include "server/pubsub.h"
#include "server/replication.h"
#include "server/server.h"
#include "server/transactions.h"

#include <stdio.h>

bool client_name_is_valid(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < '!' || name.ptr[i] > '~') return false;
    return true;
}

void client_set_name(struct session *session, struct span name)
{
    mem_free(session->name);
    session->name = NULL;
    if (name.len == 0) return;
    session->name = mem_alloc(name.len + 1);
    memcpy(session->name, name.ptr, name.len);
    session->name[name.len] = '\0';
}

enum {
    QUERY_BUFFER_BYTES = 20474
}; /* what qbuf and qbuf-free of a client that just asked add up to in Redis */

/* ---- describing ------------------------------------------------------------------------------- */

static void flag_letters(const struct session *session, char out[16])
{
    char *at = out;
    unsigned flags = session->flags;

    if (flags & SESSION_REPLICA) *at++ = flags & SESSION_MONITOR ? 'O' : 'S';
    else if (flags & SESSION_MONITOR) *at++ = 'O';
    if (flags & SESSION_PRIMARY_LINK) *at++ = 'M';
    if (pubsub_subscribed(session)) *at++ = 'P';
    if (flags & SESSION_MULTI) *at++ = 'x';
    if (session->block != BLOCK_NONE) *at++ = 'b';
    if (flags & SESSION_WATCH_DIRTY) *at++ = 'd';
    if (flags & SESSION_CLOSE_AFTER_REPLY) *at++ = 'c';
    if (flags & SESSION_CLOSED) *at++ = 'A';
    if (flags & SESSION_UNIX) *at++ = 'U';
    if (flags & SESSION_NO_EVICT) *at++ = 'e';
    if (at == out) *at++ = 'N';
    *at = '\0';
}

void session_describe(const struct session *session, struct buf *out)
{
    const struct server *server = session->server;
    char letters[16], events[3] = "", *at = events;
    size_t qbuf = session->in.len, out_bytes = session->out.len - session->out_sent;
    size_t argument_bytes = blocked_keys_argument_bytes(session),
           qbuf_free = session->in.cap - session->in.len;

    flag_letters(session, letters);
    if (session->watch.wants & LOOP_READ) *at++ = 'r';
    if (session->watch.wants & LOOP_WRITE) *at++ = 'w';
    *at = '\0';
    if (server->current == session) {
        const struct parsed *request = server->current_request;
        for (int i = 0; i < request->argc; i++) argument_bytes += request->argv[i].len;
        if (qbuf == 0) { /* it stands in the shared read buffer: shown as the session's own */
            qbuf = request->encoded.len;
            qbuf_free = QUERY_BUFFER_BYTES > qbuf ? QUERY_BUFFER_BYTES - qbuf : 0;
        }
    }
    buf_printf(out,
               "id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=%s db=%d sub=%d "
               "psub=%d ssub=%d multi=%d "
               "qbuf=%zu qbuf-free=%zu argv-mem=%zu multi-mem=%zu rbs=%zu rbp=%zu obl=%zu oll=%d "
               "omem=%zu tot-mem=%zu "
               "events=%s cmd=%s user=%s redir=-1 resp=%d",
               (unsigned long long)session->id, session->peer_name, session->local_name,
               session->watch.fd, session->name != NULL ? session->name : "",
               (long long)((server->now_ms - session->created_ms) / 1000),
               (long long)((server->now_ms - session->active_ms) / 1000), letters, session->db,
               pubsub_channels_of(session), pubsub_patterns_of(session), pubsub_shards_of(session),
               transactions_queued(session), qbuf, qbuf_free, argument_bytes,
               transactions_memory(session), session->out.cap > 0 ? session->out.cap : (size_t)1024,
               (size_t)0, out_bytes > 16384 ? (size_t)16384 : out_bytes, out_bytes > 16384 ? 1 : 0,
               out_bytes > 16384 ? out_bytes - 16384 : (size_t)0, session_memory(session), events,
               session->last_command != NULL ? session->last_command->name : "NULL",
               session->flags & SESSION_PRIMARY_LINK ? "(superuser)" : "default",
               session->reply.version);
}

enum client_type { TYPE_NORMAL, TYPE_MASTER, TYPE_REPLICA, TYPE_PUBSUB };

static bool parse_type(struct span word, enum client_type *out)
{
    if (span_is(word, "normal")) *out = TYPE_NORMAL;
    else if (span_is(word, "master")) *out = TYPE_MASTER;
    else if (span_is(word, "slave") || span_is(word, "replica")) *out = TYPE_REPLICA;
    else if (span_is(word, "pubsub")) *out = TYPE_PUBSUB;
    else return false;
    return true;
}

static bool has_type(const struct session *session, enum client_type type)
{
    if (session->flags & SESSION_PRIMARY_LINK) return type == TYPE_MASTER;
    switch (session_class(session)) {
    case CLASS_REPLICA: return type == TYPE_REPLICA;
    case CLASS_PUBSUB: return type == TYPE_PUBSUB;
    default: return type == TYPE_NORMAL;
    }
}

static struct session *find_by_id(struct server *server, int64_t id)
{
    struct session *link = link_session(server);

    if (link != NULL && (int64_t)link->id == id) return link;
    for (struct session *session = server->sessions; session != NULL; session = session->next)
        if ((int64_t)session->id == id) return session;
    return NULL;
}

static void describe_line(const struct session *session, struct buf *out)
{
    session_describe(session, out);
    buf_append_char(out, '\n');
}

/* sessions are linked newest first; listings go the other way, as clients came. */
static const struct session *oldest(const struct server *server)
{
    const struct session *session = server->sessions;
    while (session != NULL && session->next != NULL) session = session->next;
    return session;
}

enum err cmd_client_list(struct call *call)
{
    struct server *server = call_server(call);
    struct buf out = {0};
    enum client_type type = TYPE_NORMAL;
    bool by_type = false;

    if (call->argc == 4 && call_arg_is(call, 2, "type")) {
        if (!parse_type(call->argv[3], &type))
            return call_fail(call, "ERR Unknown client type '%.*s'",
                             (int)(call->argv[3].len < 128 ? call->argv[3].len : 128),
                             call->argv[3].ptr);
        by_type = true;
    } else if (call->argc > 3 && call_arg_is(call, 2, "id")) {
        for (int i = 3; i < call->argc; i++) {
            int64_t id;
            if (!num_parse_int64(call->argv[i], &id)) {
                buf_release(&out);
                return call_fail(call, "ERR Invalid client ID");
            }
            struct session *session = find_by_id(server, id);
            if (session != NULL) describe_line(session, &out);
        }
        reply_verbatim(call->reply, "txt", buf_span(&out));
        buf_release(&out);
        return OK;
    } else if (call->argc != 2) {
        return ERR_SYNTAX;
    }
    const struct session *link = link_session(server);
    for (const struct session *session = oldest(server); session != NULL; session = session->prev) {
        if (link != NULL && link->id < session->id) {
            if (!by_type || has_type(link, type)) describe_line(link, &out);
            link = NULL;
        }
        if (!by_type || has_type(session, type)) describe_line(session, &out);
    }
    if (link != NULL && (!by_type || has_type(link, type))) describe_line(link, &out);
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}

enum err cmd_client_info(struct call *call)
{
    struct buf out = {0};

    describe_line(call->session, &out);
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}

enum err cmd_client_id(struct call *call)
{
    reply_int64(call->reply, (int64_t)call->session->id);
    return OK;
}

enum err cmd_client_getname(struct call *call)
{
    if (call->session->name != NULL) reply_bulk_cstr(call->reply, call->session->name);
    else reply_null(call->reply);
    return OK;
}

enum err cmd_client_setname(struct call *call)
{
    if (!client_name_is_valid(call->argv[2])) return call_fail(call, CLIENT_NAME_ERROR);
    client_set_name(call->session, call->argv[2]);
    reply_ok(call->reply);
    return OK;
}

enum err cmd_client_no_evict(struct call *call)
{
    if (call_arg_is(call, 2, "on")) call->session->flags |= SESSION_NO_EVICT;
    else if (call_arg_is(call, 2, "off")) call->session->flags &= ~(unsigned)SESSION_NO_EVICT;
    else return ERR_SYNTAX;
    reply_ok(call->reply);
    return OK;
}

enum err cmd_client_reply(struct call *call)
{
    struct session *session = call->session;

    if (call_arg_is(call, 2, "on")) {
        session->flags &=
            ~(unsigned)(SESSION_REPLY_OFF | SESSION_REPLY_SKIP | SESSION_REPLY_SKIP_NEXT);
        call->reply->muted = false;
        reply_ok(call->reply);
    } else if (call_arg_is(call, 2, "off")) {
        session->flags |= SESSION_REPLY_OFF;
    } else if (call_arg_is(call, 2, "skip")) {
        if (!(session->flags & SESSION_REPLY_OFF)) session->flags |= SESSION_REPLY_SKIP_NEXT;
    } else {
        return ERR_SYNTAX;
    }
    return OK;
}

/* ---- KILL ------------------------------------------------------------------------------------- */

struct kill_filter {
    int64_t id; /* 0: any */
    bool by_type;
    enum client_type type;
    const struct span *addr, *laddr, *user;
    bool skip_me;
};

static bool filter_matches(const struct kill_filter *filter, const struct session *session)
{
    if (filter->id != 0 && (int64_t)session->id != filter->id) return false;
    if (filter->by_type && !has_type(session, filter->type)) return false;
    if (filter->addr != NULL && !span_equal(*filter->addr, span_of_cstr(session->peer_name)))
        return false;
    if (filter->laddr != NULL && !span_equal(*filter->laddr, span_of_cstr(session->local_name)))
        return false;
    if (filter->user != NULL && session->flags & SESSION_PRIMARY_LINK) return false;
    return true;
}

static void kill_session(struct call *call, struct session *session)
{
    if (session->flags & SESSION_PRIMARY_LINK) link_kill(call_server(call));
    else if (session == call->session) session_close_after_reply(session);
    else session_close(session);
}

static enum err parse_kill_option(struct call *call, int i, struct kill_filter *filter)
{
    struct span value = call->argv[i + 1];

    if (call_arg_is(call, i, "id")) {
        if (!num_parse_int64(value, &filter->id))
            return call_fail(call, "ERR client-id should be greater than 0");
        if (filter->id < 1) return call_fail(call, "ERR client-id should be greater than 0");
    } else if (call_arg_is(call, i, "type")) {
        filter->by_type = true;
        if (!parse_type(value, &filter->type))
            return call_fail(call, "ERR Unknown client type '%.*s'",
                             (int)(value.len < 128 ? value.len : 128), value.ptr);
    } else if (call_arg_is(call, i, "addr")) {
        filter->addr = &call->argv[i + 1];
    } else if (call_arg_is(call, i, "laddr")) {
        filter->laddr = &call->argv[i + 1];
    } else if (call_arg_is(call, i, "user")) {
        if (!span_equal(value, SPAN("default")))
            return call_fail(call, "ERR No such user '%.*s'",
                             (int)(value.len < 128 ? value.len : 128), value.ptr);
        filter->user = &call->argv[i + 1];
    } else if (call_arg_is(call, i, "skipme")) {
        if (span_is(value, "yes")) filter->skip_me = true;
        else if (span_is(value, "no")) filter->skip_me = false;
        else return ERR_SYNTAX;
    } else {
        return ERR_SYNTAX;
    }
    return OK;
}

enum err cmd_client_kill(struct call *call)
{
    struct server *server = call_server(call);
    struct kill_filter filter = {.skip_me = true};
    bool old_form = call->argc == 3;
    int64_t killed = 0;

    if (old_form) {
        filter.addr = &call->argv[2];
        filter.skip_me = false;
    } else {
        for (int i = 2; i < call->argc; i += 2) {
            if (i + 1 >= call->argc) return ERR_SYNTAX;
            TRY(parse_kill_option(call, i, &filter));
        }
    }
    for (struct session *session = server->sessions, *next; session != NULL; session = next) {
        next = session->next;
        if (!filter_matches(&filter, session) || (filter.skip_me && session == call->session))
            continue;
        kill_session(call, session);
        killed++;
    }
    struct session *link = link_session(server);
    if (link != NULL && filter_matches(&filter, link)) {
        kill_session(call, link);
        killed++;
    }
    if (!old_form) reply_int64(call->reply, killed);
    else if (killed == 0) return call_fail(call, "ERR No such client");
    else reply_ok(call->reply);
    return OK;
}

/* ---- PAUSE, UNBLOCK --------------------------------------------------------------------------- */

enum err cmd_client_pause(struct call *call)
{
    struct server *server = call_server(call);
    bool all = true;
    int64_t ms, until_ms;

    if (call->argc > 4) return call_bad_subcommand(call);
    if (call->argc == 4) {
        if (call_arg_is(call, 3, "write")) all = false;
        else if (!call_arg_is(call, 3, "all"))
            return call_fail(call, "ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
    if (!num_parse_int64(call->argv[2], &ms))
        return call_fail(call, "ERR timeout is not an integer or out of range");
    if (ms < 0) return call_fail(call, "ERR timeout is negative");
    if (!num_add_int64(server->now_ms, ms, &until_ms))
        return call_fail(call, "ERR timeout is out of range");
    bool running = server->pause.client_until_ms > server->now_ms;
    if (!running || until_ms > server->pause.client_until_ms)
        server->pause.client_until_ms = until_ms;
    server->pause.client_all = all || (running && server->pause.client_all);
    server_update_policy(server);
    reply_ok(call->reply);
    return OK;
}

enum err cmd_client_unpause(struct call *call)
{
    struct server *server = call_server(call);

    server->pause.client_until_ms = 0;
    server_update_policy(server);
    blocking_pause_ended(server);
    reply_ok(call->reply);
    return OK;
}

enum err cmd_client_unblock(struct call *call)
{
    bool with_error = false;
    int64_t id;

    if (call->argc > 4) return call_bad_subcommand(call);
    if (call->argc == 4) {
        if (call_arg_is(call, 3, "error")) with_error = true;
        else if (!call_arg_is(call, 3, "timeout"))
            return call_fail(call, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    }
    TRY(call_arg_int64(call, 2, &id));
    struct session *session = find_by_id(call_server(call), id);
    reply_int64(call->reply, session != NULL && blocking_unblock_client(session, with_error));
    return OK;
}

enum err cmd_client_help(struct call *call)
{
    static const char *const lines[] = {
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GETNAME",
        "    Return the name of the current connection.",
        "ID",
        "    Return the ID of the current connection.",
        "INFO",
        "    Return information about the current client connection.",
        "KILL <ip:port>",
        "    Kill connection made from <ip:port>.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Kill connections. Options are:",
        "    * ADDR (<ip:port>|<unixsocket>:0)",
        "      Kill connections made from the specified address",
        "    * LADDR (<ip:port>|<unixsocket>:0)",
        "      Kill connections made to specified local address",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Kill connections by type.",
        "    * USER <username>",
        "      Kill connections authenticated by <username>.",
        "    * SKIPME (YES|NO)",
        "      Skip killing current connection (default: yes).",
        "LIST [options ...]",
        "    Return information about client connections. Options:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Return clients of specified type.",
        "UNPAUSE",
        "    Stop the current client pause, resuming traffic.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Suspend all, or just write, clients for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Control the replies sent to the current connection.",
        "SETNAME <name>",
        "    Assign the name <name> to the current connection.",
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "    Unblock the specified blocked client.",
        "NO-EVICT (ON|OFF)",
        "    Protect current client connection from eviction.",
        "HELP",
        "    Prints this help.",
        NULL,
    };

    reply_help(call->reply, lines);
    return OK;
}
