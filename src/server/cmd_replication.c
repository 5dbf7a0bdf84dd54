/* REPLICAOF, PSYNC, SYNC, REPLCONF, ROLE, FAILOVER, REPLICATION LOG; INFO replication. */
#include "handlers.h"

#include "base/log.h"
#include "server/blocking.h"
#include "server/config.h"
#include "server/dispatch.h"
#include "server/replication.h"

#include <stdio.h>

static int64_t now_ms(struct call *call)
{
    return replication_mono_ms(call_server(call));
}

static struct primary_origin origin_of(struct session *session, char ip[static SOCKET_NAME_CHARS])
{
    struct socket_name name = {0};

    if (!(session->flags & SESSION_NO_SOCKET)) socket_peer_name(session->watch.fd, &name);
    snprintf(ip, SOCKET_NAME_CHARS, "%s", name.host);
    return (struct primary_origin){
        .id = session->id,
        .ip = ip,
        .loading = session->server->loading,
        .pending_output = session->out.len > session->out_sent,
    };
}

static enum err answer(struct call *call, enum primary_answer given, const char *text)
{
    switch (given) {
    case PRIMARY_OK: reply_ok(call->reply); return OK;
    case PRIMARY_TEXT: reply_status(call->reply, text); return OK;
    case PRIMARY_REFUSED: return call_fail(call, "%s", text);
    case PRIMARY_SILENT:
    case PRIMARY_TAKEN:
    case PRIMARY_PROMOTE: return OK;
    }
    return OK;
}

enum err cmd_replconf(struct call *call)
{
    struct replication *replication = call_server(call)->replication;
    char text[REPL_ERROR_CHARS], ip[SOCKET_NAME_CHARS];
    struct primary_origin origin = origin_of(call->session, ip);
    enum primary_answer given =
        primary_replconf(replication->primary, &origin, call->argc, call->argv, now_ms(call), text,
                         &replication->actions);

    enum err err = answer(call, given, text);
    replication_run(replication, SPAN(""));
    return err;
}

typedef enum primary_answer ask(struct primary *, const struct primary_origin *, struct call *,
                                char *, struct repl_actions *);

static enum primary_answer ask_psync(struct primary *primary, const struct primary_origin *origin,
                                     struct call *call, char *text, struct repl_actions *out)
{
    return primary_psync(primary, origin, call->argc, call->argv, now_ms(call), text, out);
}

static enum primary_answer ask_sync(struct primary *primary, const struct primary_origin *origin,
                                    struct call *call, char *text, struct repl_actions *out)
{
    return primary_sync(primary, origin, now_ms(call), text, out);
}

static enum err become_replica(struct call *call, ask *how)
{
    struct replication *replication = call_server(call)->replication;
    char text[REPL_ERROR_CHARS], ip[SOCKET_NAME_CHARS];
    struct primary_origin origin = origin_of(call->session, ip);

    if (call->session->flags & SESSION_REPLICA)
        return OK; /* it is one already: Redis says nothing either */
    enum primary_answer given =
        how(replication->primary, &origin, call, text, &replication->actions);
    if (given == PRIMARY_PROMOTE) { /* PSYNC ... FAILOVER: the primary hands its role over */
        replication_run(replication, SPAN(""));
        role_promote(replication->role, now_ms(call), &replication->actions);
        replication_run(replication, SPAN(""));
        given = how(replication->primary, &origin, call, text, &replication->actions);
    }
    if (given == PRIMARY_TAKEN) call->session->flags |= SESSION_REPLICA;
    enum err err = answer(call, given, text);
    replication_run(replication, SPAN(""));
    return err;
}

enum err cmd_psync(struct call *call)
{
    return become_replica(call, ask_psync);
}
enum err cmd_sync(struct call *call)
{
    return become_replica(call, ask_sync);
}

enum err cmd_replicaof(struct call *call)
{
    struct server *server = call_server(call);
    struct replication *replication = server->replication;
    const char *refused = role_refuses_replicaof(replication->role);
    int64_t port;

    if (refused != NULL) return call_fail(call, "%s", refused);
    if (call_arg_is(call, 1, "no") && call_arg_is(call, 2, "one")) {
        if (role_promote(replication->role, now_ms(call), &replication->actions))
            log_notice("MASTER MODE enabled (user request from '%s')", call->session->peer_name);
        replication_run(replication, SPAN(""));
        config_set_primary(server->config, SPAN(""), 0);
        reply_ok(call->reply);
        return OK;
    }
    if (call->session->flags & SESSION_REPLICA)
        return call_fail(call, "ERR Command is not valid when client is a replica.");
    if (!num_parse_int64(call->argv[2], &port) || port < 0 || port > 65535)
        return call_fail(call, "ERR Invalid master port");
    char host[REPLICA_HOST_CHARS];
    if (call->argv[1].len >= sizeof host) return call_fail(call, "ERR Invalid master host");
    memcpy(host, call->argv[1].ptr, call->argv[1].len);
    host[call->argv[1].len] = '\0';
    /* Inside EXEC: what it wrote so far is this node's own history, and the log's end has to tell. */
    dispatch_commit(server);
    if (!role_follow(replication->role, host, (int)port, now_ms(call), &replication->actions)) {
        reply_status(call->reply, "OK Already connected to specified master");
        return OK;
    }
    log_notice("REPLICAOF %s:%d enabled (user request from '%s')", host, (int)port,
               call->session->peer_name);
    /* Also where it was a replica: now it is one of another primary, with other data. */
    blocking_role_changed(server);
    replication_run(replication, SPAN(""));
    config_set_primary(server->config, call->argv[1], (int)port);
    reply_ok(call->reply);
    return OK;
}

enum err cmd_failover(struct call *call)
{
    struct replication *replication = call_server(call)->replication;
    const char *error = role_failover(replication->role, call->argc, call->argv, now_ms(call),
                                      &replication->actions);

    replication_run(replication, SPAN(""));
    if (error != NULL) return call_fail(call, "%s", error);
    reply_ok(call->reply);
    return OK;
}

enum err cmd_role(struct call *call)
{
    struct server *server = call_server(call);
    struct replication *replication = server->replication;

    if (replication_is_replica(server)) {
        struct replica_figures figures;
        replica_figures(replication->replica, now_ms(call), &figures);
        reply_array(call->reply, 5);
        reply_bulk_cstr(call->reply, "slave");
        reply_bulk_cstr(call->reply, server->config->replicaof.host);
        reply_int64(call->reply, server->config->replicaof.port);
        reply_bulk_cstr(call->reply, figures.role_state);
        reply_int64(call->reply,
                    figures.state == REPLICA_CONNECTED ? (int64_t)figures.applied_offset : -1);
        return OK;
    }
    reply_array(call->reply, 3);
    reply_bulk_cstr(call->reply, "master");
    reply_int64(call->reply, (int64_t)journal_end(server->journal));
    size_t position = reply_defer(call->reply);
    int64_t count = 0;
    for (int n = 0; n < primary_peers(replication->primary); n++) {
        struct peer_figures peer;
        primary_peer(replication->primary, n, now_ms(call), &peer);
        if (peer.state != PEER_ONLINE) continue;
        reply_array(call->reply, 3);
        reply_bulk_cstr(call->reply, peer.ip);
        reply_bulkf(call->reply, "%d", peer.port);
        reply_bulkf(call->reply, "%llu", (unsigned long long)peer.ack_offset);
        count++;
    }
    reply_settle(call->reply, position, REPLY_ARRAY, count);
    return OK;
}

/* ---- REPLICATION LOG --------------------------------------------------------------------------- */

static void reply_event(struct reply *reply, const struct repl_event *event)
{
    reply_map(reply, 8);
    reply_bulk_cstr(reply, "time");
    reply_int64(reply, event->unix_ms);
    reply_bulk_cstr(reply, "event");
    reply_bulk_cstr(reply, repl_event_name(event->kind));
    reply_bulk_cstr(reply, "side");
    reply_bulk_cstr(reply, event->as_primary ? "primary" : "replica");
    reply_bulk_cstr(reply, "peer");
    reply_bulk_cstr(reply, event->peer);
    reply_bulk_cstr(reply, "reason");
    reply_bulk_cstr(reply, event->reason);
    reply_bulk_cstr(reply, "bytes");
    reply_int64(reply, (int64_t)event->bytes);
    reply_bulk_cstr(reply, "offset");
    reply_int64(reply, (int64_t)event->offset);
    reply_bulk_cstr(reply, "duration-ms");
    reply_int64(reply, event->duration_ms);
}

enum err cmd_replication_log(struct call *call)
{
    const struct repl_events *events = &call_server(call)->replication->events;
    int64_t wanted = (int64_t)repl_events_count(events);

    if (call->argc > 3) return ERR_SYNTAX;
    if (call->argc == 3) {
        int64_t count;
        TRY(call_arg_int64(call, 2, &count));
        if (count < 0) return ERR_NOT_POSITIVE;
        if (count < wanted) wanted = count;
    }
    reply_array(call->reply, wanted);
    for (int64_t i = 0; i < wanted; i++)
        reply_event(call->reply, repl_events_at(events, (size_t)i));
    return OK;
}

enum err cmd_replication_help(struct call *call)
{
    static const char *const lines[] = {
        "REPLICATION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "LOG [<count>]",
        "    Return the last replication events, newest first: links, syncs with their reasons, "
        "role changes.",
        "HELP",
        "    Prints this help.",
        NULL,
    };

    reply_help(call->reply, lines);
    return OK;
}

/* ---- INFO replication -------------------------------------------------------------------------- */

static void info_as_replica(struct server *server, struct buf *out)
{
    struct replica_figures f;

    replica_figures(server->replication->replica, replication_mono_ms(server), &f);
    buf_printf(
        out,
        "master_host:%s\r\nmaster_port:%d\r\nmaster_link_status:%s\r\nmaster_last_io_seconds_ago:%"
        "lld\r\n"
        "master_sync_in_progress:%d\r\nslave_read_repl_offset:%llu\r\nslave_repl_offset:%llu\r\n",
        server->config->replicaof.host, (int)server->config->replicaof.port,
        f.link_up ? "up" : "down", (long long)f.last_io_s, f.syncing,
        (unsigned long long)f.read_offset, (unsigned long long)f.applied_offset);
    if (f.syncing) {
        double percent = f.sync_total > 0 ? (double)f.sync_read * 100 / (double)f.sync_total : 0;
        buf_printf(out,
                   "master_sync_total_bytes:%lld\r\nmaster_sync_read_bytes:%llu\r\nmaster_sync_"
                   "left_bytes:%lld\r\n"
                   "master_sync_perc:%.2f\r\nmaster_sync_last_io_seconds_ago:%lld\r\n",
                   (long long)f.sync_total, (unsigned long long)f.sync_read,
                   f.sync_total > 0 ? (long long)f.sync_left : -(long long)f.sync_read, percent,
                   (long long)f.sync_last_io_s);
        buf_printf(out,
                   "master_sync_stage:%s\r\nmaster_sync_stage_percent:%d\r\n"
                   "master_sync_bytes_per_second:%lld\r\nmaster_sync_eta_ms:%lld\r\n",
                   f.stage, f.percent, (long long)f.bytes_per_s, (long long)f.eta_ms);
    }
    if (!f.link_up)
        buf_printf(out, "master_link_down_since_seconds:%lld\r\n", (long long)f.down_since_s);
    buf_printf(
        out,
        "slave_priority:%d\r\nslave_read_only:%d\r\nreplica_announced:%d\r\nreplica_ready:%d\r\n"
        "master_sync_refused:%d\r\n",
        (int)server->config->replica_priority, server->config->replica_read_only,
        server->config->replica_announced, f.ready, f.refused);
}

static void info_peer(struct server *server, int n, struct buf *out)
{
    struct peer_figures f;

    primary_peer(server->replication->primary, n, replication_mono_ms(server), &f);
    buf_printf(out,
               "slave%d:ip=%s,port=%d,state=%s,offset=%llu,lag=%lld,lag_bytes=%llu,lag_ms=%lld,lag_"
               "fine=%d",
               n, f.ip, f.port, f.state_name, (unsigned long long)f.ack_offset, (long long)f.lag_s,
               (unsigned long long)f.lag_bytes, (long long)f.lag_ms, f.lag_fine);
    if (f.state != PEER_ONLINE)
        buf_printf(out, ",stage=%s,percent=%d,bytes_per_second=%lld,eta_ms=%lld", f.stage,
                   f.percent, (long long)f.bytes_per_s, (long long)f.eta_ms);
    buf_printf(out, "\r\n");
}

void replication_info(struct server *server, struct buf *out)
{
    struct replication *replication = server->replication;
    const struct journal *journal = server->journal;
    bool is_replica = replication_is_replica(server);

    buf_printf(out, "role:%s\r\n", is_replica ? "slave" : "master");
    if (is_replica) info_as_replica(server, out);
    buf_printf(out, "connected_slaves:%d\r\n", primary_peers(replication->primary));
    if (server->config->min_replicas_to_write > 0 && server->config->min_replicas_max_lag > 0)
        buf_printf(out, "min_slaves_good_slaves:%d\r\n",
                   primary_good_replicas(replication->primary, replication_mono_ms(server)));
    for (int n = 0; n < primary_peers(replication->primary); n++) info_peer(server, n, out);
    buf_printf(out,
               "master_failover_state:%s\r\nmaster_replid:%s\r\nmaster_replid2:%s\r\nmaster_repl_"
               "offset:%llu\r\n"
               "second_repl_offset:%lld\r\nrepl_backlog_active:%d\r\nrepl_backlog_size:%llu\r\n"
               "repl_backlog_first_byte_offset:%llu\r\nrepl_backlog_histlen:%llu\r\n",
               role_failover_name(replication->role), journal_id(journal),
               journal_second_id(journal), (unsigned long long)journal_end(journal),
               (long long)journal_second_offset(journal), journal_active(journal),
               (unsigned long long)server->config->repl_backlog_size,
               (unsigned long long)journal_backlog_first_byte(journal),
               (unsigned long long)journal_backlog_len(journal));
    const struct slowdown *slowdown = &replication->slowdown;
    uint64_t log_disk = journal_disk(journal), disk = spool_room_used(server->spool_room);
    buf_printf(out,
               "repl_log_memory:%zu\r\nrepl_log_disk:%llu\r\nrepl_spool_disk:%llu\r\n"
               "repl_diverged_tails:%llu\r\nrepl_diverged_bytes:%llu\r\n"
               "repl_backlog_seconds:%lld\r\nrepl_backlog_disk:%llu\r\n"
               "repl_writers_slowed:%d\r\nrepl_slowed_commands:%llu\r\nrepl_slowed_ms:%llu\r\n"
               "last_sync_error:%s\r\n",
               journal_memory(journal), (unsigned long long)log_disk,
               (unsigned long long)(disk > log_disk ? disk - log_disk : 0),
               (unsigned long long)server->stats.diverged_tails,
               (unsigned long long)server->stats.diverged_bytes,
               (long long)journal_held_seconds(journal),
               (unsigned long long)(journal_memory_first(journal) - journal_first(journal)),
               server->pause.log_full, (unsigned long long)slowdown->commands,
               (unsigned long long)room_slowed_ms(server), replication->events.last_sync_error);
}
