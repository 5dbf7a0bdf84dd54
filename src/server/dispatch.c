#include "server/dispatch.h"

#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/registry.h"
#include "handlers.h"
#include "io/clock.h"
#include "server/aof.h"
#include "server/blocked_keys.h"
#include "server/config.h"
#include "server/eviction.h"
#include "server/latency.h"
#include "server/monitor.h"
#include "server/network.h"
#include "server/persistence.h"
#include "server/pubsub.h"
#include "server/replication.h"
#include "server/slowlog.h"
#include "server/transactions.h"

#include <stdarg.h>
#include <stdio.h>

const struct command *dispatch_find(struct server *server, const struct span *argv, int argc)
{
    if (argc == 0) return NULL;
    const struct command *command = command_lookup(server->registry, argv[0]);

    if (command == NULL || command->subcommand_count == 0 || argc < 2) return command;
    const struct command *sub = command_find_sub(command, argv[1]);
    return sub != NULL ? sub : command;
}

/* ---- refusals --------------------------------------------------------------------------------- */

/* The first arguments as an unknown command's error shows them: at most 128 bytes, each cut there too. */
static void reject_unknown(struct session *session, const struct parsed *request)
{
    char preview[160];
    size_t len = 0;

    for (int i = 1; i < request->argc && len < 128; i++) {
        int room = (int)(128 - len);
        int take = request->argv[i].len < (size_t)room ? (int)request->argv[i].len : room;
        len += (size_t)snprintf(preview + len, sizeof preview - len, "'%.*s' ", take,
                                request->argv[i].ptr);
        if (len >= sizeof preview) len = sizeof preview - 1;
    }
    preview[len] = '\0';
    int name_len = request->argv[0].len < 128 ? (int)request->argv[0].len : 128;
    reply_errorf(&session->reply, "ERR unknown command '%.*s', with args beginning with: %s",
                 name_len, request->argv[0].ptr, preview);
}

/* The container is named as it was called: it may have been renamed. */
static void reject_subcommand(struct session *session, const struct parsed *request)
{
    struct span container = request->argv[0], word = request->argv[1];
    char upper[128];
    int len = (int)(container.len < sizeof upper ? container.len : sizeof upper);

    for (int i = 0; i < len; i++) upper[i] = (char)ascii_upper(container.ptr[i]);
    reply_errorf(&session->reply, "ERR unknown subcommand '%.*s'. Try %.*s HELP.",
                 word.len < 128 ? (int)word.len : 128, word.ptr, len, upper);
}

/* An error before execution. An EXEC that is refused discards its transaction. */
__attribute__((format(printf, 3, 4))) static void
refuse(struct session *session, const struct command *command, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (command->run != cmd_exec) {
        reply_error(&session->reply, text);
        return;
    }
    transactions_discard(session);
    reply_errorf(&session->reply, "EXECABORT Transaction discarded because of: %s",
                 strncmp(text, "ERR ", 4) == 0 ? text + 4 : text);
}

static bool is_unknown(struct session *session, const struct parsed *request)
{
    const struct command *command = request->command;

    if (command == NULL) {
        reject_unknown(session, request);
        return true;
    }
    if (command->subcommand_count > 0 && request->argc >= 2) {
        reject_subcommand(session, request);
        return true;
    }
    int arity = command->arity;
    if ((arity > 0 && arity != request->argc) || request->argc < -arity) {
        refuse(session, command, "ERR wrong number of arguments for '%s' command", command->name);
        return true;
    }
    return false;
}

/* Whether the row, or for EXEC anything queued before it, has one of these flags. */
static bool has_flag(const struct session *session, const struct command *command, uint32_t flags)
{
    /* EXEC does what it holds, no more: its own row says that it may replicate. */
    if (command->run == cmd_exec) return transactions_queued_flags(session) & flags;
    return command->flags & flags;
}

/* Queueing takes memory too: a transaction can only be ended when there is none. */
static bool adds_to_queue(const struct session *session, const struct command *command)
{
    return session->flags & SESSION_MULTI &&
           !(command->run == cmd_exec || command->run == cmd_discard || command->run == cmd_quit ||
             command->run == cmd_reset);
}

static enum err refusal(struct session *session, const struct parsed *request)
{
    struct server *server = session->server;
    const struct command *command = request->command;
    bool from_primary = session->flags & SESSION_PRIMARY_LINK;
    bool writes_data = has_flag(session, command, CMD_WRITE);

    if (command->flags & CMD_PROTECTED && !network_may_use_protected(session, command))
        return ERR_TEXT;
    if (!(session->flags & SESSION_AUTHENTICATED) && !(command->flags & CMD_NO_AUTH))
        return ERR_NO_AUTH;
    if (server->config->maxmemory != 0 && !from_primary &&
        (has_flag(session, command, CMD_DENYOOM) || adds_to_queue(session, command))) {
        if (!eviction_make_room(server)) return ERR_OOM;
        dispatch_begin_lap(server);
    }
    if (!from_primary && (writes_data || command->run == cmd_ping)) {
        if (persistence_refuses_writes(server) && !server_is_replica(server))
            return ERR_MISCONF_RDB; /* PING too: whoever watches the server shall see it */
        char why[256];
        if (!server_is_replica(server) && aof_refusal(server, why) != OK) {
            refuse(session, command, "%s", why);
            return ERR_TEXT;
        }
        if (writes_data && !replication_enough_good_replicas(server)) return ERR_NO_REPLICAS;
        if (writes_data && server_is_replica(server) && server->config->replica_read_only)
            return ERR_READ_ONLY;
    }
    if (session->reply.version == 2 && session->subscriptions != NULL &&
        pubsub_subscribed(session) && !(command->flags & CMD_SUBSCRIBED)) {
        refuse(
            session, command,
            "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
            "are allowed in this context",
            command->name);
        return ERR_TEXT;
    }
    enum err stale = from_primary ? OK : replication_stale(server, command);
    if (stale != OK) return stale;
    if (server->loading && !(command->flags & CMD_LOADING)) return ERR_LOADING;
    return OK;
}

static void count_error(struct session *session, const struct command *command, bool rejected)
{
    struct server *server = session->server;

    latency_count_error(server, &session->reply);
    if (command == NULL) return;
    if (rejected) server->command_stats[command->id].rejected++;
    else server->command_stats[command->id].failed++;
}

void dispatch_count_error(struct session *session, const struct command *command)
{
    count_error(session, command, false);
}

/* In a transaction a refused command spoils EXEC. */
static void rejected(struct session *session, const struct command *command)
{
    if (session->flags & SESSION_MULTI) session->flags |= SESSION_MULTI_DIRTY;
    count_error(session, command, true);
    session_has_output(session);
}

/* ---- execution -------------------------------------------------------------------------------- */

static bool may_wait(const struct session *session, unsigned call_flags)
{
    const unsigned never =
        CALL_IN_EXEC | CALL_IN_SCRIPT | CALL_DENY_BLOCKING | CALL_FROM_PRIMARY | CALL_REPLAY;

    return !(call_flags & never) && !(session->flags & SESSION_NO_SOCKET);
}

/* Written in place, field by field: the text of an error is only made when there is one. */
static void make_call(struct call *call, struct session *session, const struct parsed *request,
                      unsigned call_flags)
{
    struct server *server = session->server;

    call->command = request->command;
    call->argv = request->argv;
    call->argc = request->argc;
    call->db = session->db;
    call->flags = call_flags;
    call->now_ms = server->now_ms;
    call->reply = &session->reply;
    call->store = server->store;
    call->session = session;
    call->unit = &server->unit;
    call->first = request->first;
    call->limits = &server->limits;
    call->encoded = request->encoded;
    call->wait = may_wait(session, call_flags) ? blocked_keys_wait : NULL;
    call->error[0] = '\0';
}

void dispatch_record(struct session *session, const struct parsed *request, int64_t took_us)
{
    struct server *server = session->server;

    latency_record(server, request->command, took_us);
    if (!(request->command->flags & CMD_SKIP_SLOWLOG))
        slowlog_maybe_add(server, session, request, took_us);
}

void dispatch_begin_lap(struct server *server)
{
    if (server->lap_us != 0) server->lap_us = stopwatch_us(&server->stopwatch);
}

void dispatch_call(struct session *session, const struct parsed *request, unsigned call_flags)
{
    struct server *server = session->server;
    const struct command *command = request->command;
    struct session *outer = server->current;
    const struct parsed *outer_request = server->current_request;
    struct call call;
    uint64_t dirty = store_dirty(server->store), errors = session->reply.errors;
    int64_t from_us = server->lap_us != 0 ? server->lap_us : stopwatch_us(&server->stopwatch);
    int db = session->db;

    make_call(&call, session, request, call_flags);
    server->current = session;
    server->current_request = request;
    enum err err = command->run(&call);
    server->current = outer;
    server->current_request = outer_request;

    int64_t now_us = stopwatch_us(&server->stopwatch), took_us = now_us - from_us;
    if (server->lap_us != 0) server->lap_us = now_us;
    bool changed = store_dirty(server->store) > dirty; /* SAVE sets it back: no change */
    check(!changed || command->replicates != REPLICATES_NONE);
    if (err != OK) reply_error(&session->reply, err == ERR_TEXT ? call.error : err_text(err));
    if (changed && command->replicates == REPLICATES_VERBATIM && session->db == db)
        call_effect_verbatim(&call);
    struct command_stats *stats = &server->command_stats[command->id];
    stats->calls++;
    stats->usec += (uint64_t)took_us;
    server->stats.commands_processed++;
    if (session->reply.errors != errors) count_error(session, command, false);
    if (server->monitors > 0 && !(command->flags & (CMD_SKIP_MONITOR | CMD_ADMIN)))
        monitor_feed(session, request); /* after what it ran: EXEC behind its commands */
    if (!(session->flags & SESSION_PRIMARY_LINK)) session->last_command = command;
    if (session->block == BLOCK_KEYS) blocked_keys_took(session, took_us);
    else dispatch_record(session, request, took_us);
}

bool dispatch_serve(struct session *session, const struct parsed *request, call_serve *serve,
                    int index)
{
    struct server *server = session->server;
    struct session *outer = server->current;
    const struct parsed *outer_request = server->current_request;
    struct call call;
    int64_t from_us = clock_monotonic_us();
    bool served = false;

    make_call(&call, session, request, 0);
    session->reply.muted = session->block_muted;
    server->current = session;
    server->current_request = request;
    enum err err = serve(&call, index, &served);
    server->current = outer;
    server->current_request = outer_request;
    if (err == OK && !served) return false;

    int64_t took_us = clock_monotonic_us() - from_us;
    if (err != OK) {
        reply_error(&session->reply, err == ERR_TEXT ? call.error : err_text(err));
        count_error(session, request->command, false);
    }
    uint64_t end = journal_end(server->journal);
    unit_commit(&server->unit);
    if (journal_end(server->journal) != end) session->write_offset = journal_end(server->journal);
    server->command_stats[request->command->id].usec += (uint64_t)took_us;
    blocked_keys_took(session, took_us);
    return true;
}

void dispatch_commit(struct server *server)
{
    unit_commit(&server->unit);
}

static bool must_queue(const struct session *session, const struct command *command)
{
    return session->flags & SESSION_MULTI &&
           !(command->run == cmd_exec || command->run == cmd_discard || command->run == cmd_multi ||
             command->run == cmd_watch || command->run == cmd_quit || command->run == cmd_reset);
}

/* Reasons to come back to the request later. A pause holds back what would only be queued, too. */
static bool must_wait_for_pause(struct session *session, const struct command *command)
{
    int64_t until_ms;

    if (session->flags & (SESSION_PRIMARY_LINK | SESSION_REPLICA)) return false;
    if (!network_paused(session->server, has_flag(session, command, CMD_WRITE | CMD_MAY_REPLICATE),
                        &until_ms))
        return false;
    if (session->server->pause.log_full) session->server->replication->slowdown.commands++;
    session_block(session, BLOCK_PAUSE, 0);
    return true;
}

static bool keys_would_wait(struct server *server, int db, const struct parsed *request)
{
    enum { KEYS_AT_HAND = 16 };
    struct command_key some[KEYS_AT_HAND], *keys = some;
    /* The rows of old call XREADGROUP's keys read only: what it changes are the groups in them. */
    unsigned changed = request->command->run == cmd_xreadgroup ? KEY_RW | KEY_RO : KEY_RW;
    bool waits = false;

    int count = command_keys(request->command, request->argv, request->argc, keys, KEYS_AT_HAND);
    if (count > KEYS_AT_HAND) {
        keys = mem_alloc((size_t)count * sizeof *keys);
        command_keys(request->command, request->argv, request->argc, keys, count);
    }
    for (int i = 0; i < count && !waits; i++) {
        struct span name = request->argv[keys[i].index];
        if (!(keys[i].flags & changed)) continue;
        struct key key =
            name.ptr == request->first.name.ptr ? request->first : store_key(server->store, name);
        waits = store_would_wait(server->store, db, &key);
    }
    if (keys != some) mem_free(keys);
    return waits;
}

bool dispatch_would_wait(struct server *server, int db, const struct parsed *request)
{
    return request->command->flags & CMD_IN_PLACE && store_may_lease(server->store) &&
           keys_would_wait(server, db, request);
}

static bool must_wait_for_value(struct session *session, const struct parsed *request)
{
    bool waits = false;

    if (session->flags & (SESSION_PRIMARY_LINK | SESSION_REPLICA)) return false;
    if (request->command->run == cmd_exec)
        waits = session->flags & SESSION_MULTI && transactions_would_wait(session);
    else waits = dispatch_would_wait(session->server, session->db, request);
    if (waits) session_block(session, BLOCK_LEASE, 0);
    return waits;
}

/* It leaves nothing that a crash could take back. */
static bool is_message(const struct command *command)
{
    return command->run == cmd_publish || command->run == cmd_spublish;
}

static enum dispatch_result handle(struct session *session, const struct parsed *request)
{
    struct server *server = session->server;
    const struct command *command = request->command;
    unsigned reply_flags = session->flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP);

    session->reply.muted = reply_flags != 0;
    if (command != NULL) session->last_command = command;
    if (command == NULL && network_refuses_http(session, request)) return DISPATCH_DONE;
    if (is_unknown(session, request)) {
        rejected(session, command);
        goto replied;
    }
    enum err err = refusal(session, request);
    if (err != OK) {
        if (err != ERR_TEXT) refuse(session, command, "%s", err_text(err));
        rejected(session, command);
        goto replied;
    }
    if (must_wait_for_pause(session, command)) return DISPATCH_POSTPONED;
    if (must_queue(session, command)) {
        if (command->flags & CMD_NO_MULTI) {
            reply_errorf(&session->reply, "ERR Command not allowed inside a transaction");
            rejected(session, command);
            goto replied;
        }
        transactions_queue(session, request);
        reply_status(&session->reply, "QUEUED");
        session_has_output(session);
        goto replied;
    }
    if (must_wait_for_value(session, request)) return DISPATCH_POSTPONED;
    uint64_t end = journal_end(server->journal);
    dispatch_call(session, request, 0);
    dispatch_commit(server);
    if (journal_end(server->journal) != end) {
        session->write_offset = journal_end(server->journal);
        if (is_message(request->command)) aof_note_message(server, end);
    }
    blocked_keys_serve(server);
    if (session->out.len > session->out_sent) session_has_output(session);
replied:
    if (session->reply.overflowed ||
        session->out.len > (session->flags & SESSION_AUTHENTICATED ? SESSION_OUT_CHECKED_FROM : 0))
        session_check_output_limit(session);
    if (session->flags & SESSION_REPLY_SKIP && reply_flags & SESSION_REPLY_SKIP)
        session->flags &= ~(unsigned)SESSION_REPLY_SKIP;
    if (session->flags & SESSION_REPLY_SKIP_NEXT) {
        session->flags &= ~(unsigned)SESSION_REPLY_SKIP_NEXT;
        session->flags |= SESSION_REPLY_SKIP;
    }
    return DISPATCH_DONE;
}

/* ---- secrets ---------------------------------------------------------------------------------- */

static bool is_hello_secret(const struct parsed *request, int index)
{
    for (int i = 2; i < index;) {
        if (span_is(request->argv[i], "AUTH")) {
            if (index <= i + 2) return true;
            i += 3;
        } else {
            i += 2; /* SETNAME name */
        }
    }
    return false;
}

static bool is_migrate_secret(const struct parsed *request, int index)
{
    for (int i = 6; i < index; i++) {
        int count = span_is(request->argv[i], "AUTH")    ? 1
                    : span_is(request->argv[i], "AUTH2") ? 2
                                                         : 0;
        if (index <= i + count) return true;
        i += count;
    }
    return false;
}

bool dispatch_is_secret(const struct parsed *request, int index)
{
    const struct command *command = request->command;

    if (command == NULL || index == 0) return false;
    if (command->run == cmd_auth) return true;
    if (command->run == cmd_hello) return is_hello_secret(request, index);
    if (command->run == cmd_migrate) return is_migrate_secret(request, index);
    return command->run == cmd_config_set && index >= 3 && index % 2 == 1 &&
           config_is_sensitive(request->argv[index - 1]);
}

/* What a replica sends is REPLCONF, which has no reply. Anything that would put a reply between the bytes of the stream, or
 * touch data, ends the connection: a peer that does so has lost its place. */
static enum dispatch_result handle_replica(struct session *session, const struct parsed *request)
{
    const struct command *command = request->command;
    const char *name = command != NULL ? command->name : "?";
    size_t before = session->out.len;

    if (command != NULL && command->flags & (CMD_READONLY | CMD_WRITE | CMD_MAY_REPLICATE)) {
        log_warning("== CRITICAL == This master is sending an error to its replica: 'Replica can't "
                    "interact with the "
                    "keyspace' after processing the command '%s'",
                    name);
        session_close(session);
        return DISPATCH_DONE;
    }
    enum dispatch_result result = handle(session, request);
    /* An ACK may bring the peer online, and with that what the stream begins with. */
    bool own = command != NULL && command->run == cmd_replconf;
    if (own || session->flags & SESSION_CLOSED || session->out.len <= before) return result;
    log_warning("Replica generated a reply to command '%s', disconnecting it: %.*s", name,
                (int)(session->out.len - before < 100 ? session->out.len - before : 100),
                session->out.ptr + before);
    session->out.len = before;
    session_close(session);
    return DISPATCH_DONE;
}

enum dispatch_result dispatch_request(struct session *session, const struct parsed *request)
{
    if (session->flags & SESSION_REPLICA && !(session->flags & SESSION_MONITOR))
        return handle_replica(session, request);
    return handle(session, request);
}
