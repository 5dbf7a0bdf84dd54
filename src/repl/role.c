#include "repl/role.h"

#include "base/mem.h"
#include "base/num.h"

#include <stdio.h>
#include <strings.h>

#define GETACK_PERIOD_MS 100

struct role {
    const struct repl_config *config;
    const struct journal *journal;
    struct repl_events *events;
    struct primary *primary;
    struct replica *replica;
    bool is_replica;
    char host[REPLICA_HOST_CHARS]; /* followed */
    int port;

    enum failover_state failover;
    char target_host[REPLICA_HOST_CHARS]; /* empty: whoever is first */
    int target_port;
    bool force;
    int64_t deadline_ms, getack_ms, begun_ms; /* deadline 0: none */
};

struct role *role_new(const struct repl_config *config, const struct journal *journal,
                      struct repl_events *events, struct primary *primary, struct replica *replica)
{
    struct role *role = mem_zalloc(sizeof(*role));
    role->config = config;
    role->journal = journal;
    role->events = events;
    role->primary = primary;
    role->replica = replica;
    return role;
}

void role_free(struct role *role)
{
    mem_free(role);
}

bool role_is_replica(const struct role *role)
{
    return role->is_replica;
}

static void note(struct role *role, enum repl_event_kind kind, const char *host, int port,
                 const char *reason, int64_t now_ms)
{
    struct repl_event event = {.kind = kind, .as_primary = !role->is_replica};
    event.offset = journal_end(role->journal);
    if (host != NULL) snprintf(event.peer, sizeof(event.peer), "%.60s:%d", host, port);
    snprintf(event.reason, sizeof(event.reason), "%s", reason);
    repl_events_add(role->events, now_ms, &event);
}

/* ---- the switch itself -------------------------------------------------------------------------- */

/* A primary that made up an id at its start or promotion, wrote nothing under it and told it to nobody, still has the
 * history of before: it asks with that name. Else the same bytes would carry two names. */
static const char *unused_fresh_id(const struct role *role)
{
    const struct journal *journal = role->journal;
    const int64_t second = journal_second_offset(journal);
    if (second < 0 || primary_id_was_told(role->primary)) return NULL;
    return (int64_t)journal_end(journal) == second - 1 ? journal_second_id(journal) : NULL;
}

static void follow(struct role *role, const char *host, int port, int64_t now_ms,
                   struct repl_actions *out)
{
    const char *stand_in = role->is_replica ? NULL : unused_fresh_id(role);
    primary_drop_all(role->primary, "this node follows another primary now", now_ms, out);
    snprintf(role->host, sizeof(role->host), "%s", host);
    role->port = port;
    if (!role->is_replica) repl_act(out, REPL_ROLE, 0)->value = 1;
    role->is_replica = true;
    note(role, REPL_EVENT_ROLE_REPLICA, host, port, "", now_ms);
    replica_follow(role->replica, host, port, stand_in, now_ms, out);
}

bool role_follow(struct role *role, const char *host, int port, int64_t now_ms,
                 struct repl_actions *out)
{
    if (role->is_replica && strcasecmp(role->host, host) == 0 && role->port == port) return false;
    follow(role, host, port, now_ms, out);
    return true;
}

static void end_failover(struct role *role, struct repl_actions *out);

bool role_promote(struct role *role, int64_t now_ms, struct repl_actions *out)
{
    if (!role->is_replica) return false;
    replica_unfollow(role->replica, "this node is a primary now", now_ms, out);
    primary_drop_all(role->primary, "this node is a primary now", now_ms, out);
    if (!role->config->mutations.promote_without_new_id) repl_act(out, REPL_SHIFT_ID, 0);
    role->is_replica = false;
    repl_act(out, REPL_ROLE, 0)->value = 0;
    note(role, REPL_EVENT_ROLE_PRIMARY, NULL, 0, "", now_ms);
    if (role->failover != FAILOVER_NONE) end_failover(role, out); /* whoever promoted us ended it */
    return true;
}

const char *role_refuses_replicaof(const struct role *role)
{
    return role->failover == FAILOVER_NONE ? NULL : "ERR REPLICAOF not allowed while failing over.";
}

/* ---- FAILOVER ----------------------------------------------------------------------------------- */

enum failover_state role_failover_state(const struct role *role)
{
    return role->failover;
}

const char *role_failover_name(const struct role *role)
{
    switch (role->failover) {
    case FAILOVER_NONE: return "no-failover";
    case FAILOVER_WAIT_SYNC: return "waiting-for-sync";
    case FAILOVER_IN_PROGRESS: return "failover-in-progress";
    }
    return "unknown";
}

static void end_failover(struct role *role, struct repl_actions *out)
{
    role->failover = FAILOVER_NONE;
    role->target_host[0] = '\0';
    replica_ask_failover(role->replica, false, NULL, NULL);
    primary_set_failing_over(role->primary, false, false);
    repl_act(out, REPL_RESUME_WRITES, 0);
}

static void abort_failover(struct role *role, const char *reason, int64_t now_ms,
                           struct repl_actions *out)
{
    note(role, REPL_EVENT_FAILOVER_ABORTED, NULL, 0, reason, now_ms);
    /* The old primary takes writes again, under a new id: the target may have become one too. */
    if (role->failover == FAILOVER_IN_PROGRESS) role_promote(role, now_ms, out);
    else end_failover(role, out);
}

static void on_verdict(void *context, enum replica_verdict verdict, int64_t now_ms,
                       struct repl_actions *out)
{
    struct role *role = context;
    if (role->failover != FAILOVER_IN_PROGRESS) return;
    switch (verdict) {
    case VERDICT_ACCEPTED:
        note(role, REPL_EVENT_FAILOVER_DONE, role->host, role->port, "", now_ms);
        end_failover(role, out);
        break;
    case VERDICT_REJECTED:
        abort_failover(role, "Failover target rejected psync request", now_ms, out);
        break;
    case VERDICT_LINK_LOST: break; /* the replica's machine tries again */
    }
}

static void switch_roles(struct role *role, const char *host, int port, int64_t now_ms,
                         struct repl_actions *out)
{
    char copy[REPLICA_HOST_CHARS]; /* `host` may belong to a peer that is about to be dropped */
    snprintf(copy, sizeof(copy), "%s", host);
    role->failover = FAILOVER_IN_PROGRESS;
    primary_set_failing_over(role->primary, true, true);
    follow(role, copy, port, now_ms, out);
    replica_ask_failover(role->replica, true, on_verdict, role);
}

/* The replica that has everything: the target, or without one the first; -1 none. */
static int caught_up_peer(const struct role *role, int64_t now_ms, struct peer_figures *out)
{
    const uint64_t end = journal_end(role->journal);
    for (int i = 0; i < primary_peers(role->primary); i++) {
        primary_peer(role->primary, i, now_ms, out);
        if (out->state != PEER_ONLINE || out->ack_offset != end) continue;
        if (role->target_host[0] == '\0' && out->port > 0) return i;
        if (strcasecmp(role->target_host, out->ip) == 0 && role->target_port == out->port) return i;
    }
    return -1;
}

void role_timer(struct role *role, int64_t now_ms, struct repl_actions *out)
{
    struct peer_figures peer;
    if (role->failover != FAILOVER_WAIT_SYNC) return;
    if (caught_up_peer(role, now_ms, &peer) >= 0 ||
        (role->config->mutations.resume_without_pause && role->target_host[0] != '\0')) {
        if (role->target_host[0] != '\0')
            switch_roles(role, role->target_host, role->target_port, now_ms, out);
        else switch_roles(role, peer.ip, peer.port, now_ms, out);
        return;
    }
    if (role->deadline_ms != 0 && now_ms >= role->deadline_ms) {
        if (!role->force) {
            abort_failover(role, "Replica never caught up before timeout", now_ms, out);
            return;
        }
        note(role, REPL_EVENT_FAILOVER_START, role->target_host, role->target_port,
             "time out exceeded, failing over.", now_ms);
        switch_roles(role, role->target_host, role->target_port, now_ms, out);
        return;
    }
    if (now_ms - role->getack_ms < GETACK_PERIOD_MS) return;
    role->getack_ms = now_ms;
    primary_want_acks(role->primary);
}

/* ---- its arguments ------------------------------------------------------------------------------ */

struct failover_args {
    bool abort, force, has_target, has_timeout;
    struct span host;
    int64_t port, timeout_ms;
};

/* NULL, or the error. */
static const char *parse_args(int argc, const struct span *argv, struct failover_args *args)
{
    static const char not_integer[] = "ERR value is not an integer or out of range";
    *args = (struct failover_args){0};
    for (int i = 1; i < argc; i++) {
        const int left = argc - i - 1;
        if (span_is(argv[i], "timeout") && left >= 1 && !args->has_timeout) {
            if (!num_parse_int64(argv[++i], &args->timeout_ms)) return not_integer;
            if (args->timeout_ms <= 0) return "ERR FAILOVER timeout must be greater than 0";
            args->has_timeout = true;
        } else if (span_is(argv[i], "abort") && argc == 2) {
            args->abort = true;
        } else if (span_is(argv[i], "to") && left >= 2 && !args->has_target) {
            args->host = argv[++i];
            if (!num_parse_int64(argv[++i], &args->port)) return not_integer;
            args->has_target = true;
        } else if (span_is(argv[i], "force") && !args->force) {
            args->force = true;
        } else {
            return "ERR syntax error";
        }
    }
    return NULL;
}

static const char *check_target(const struct role *role, const struct failover_args *args,
                                int64_t now_ms)
{
    struct peer_figures peer;
    for (int i = 0; i < primary_peers(role->primary); i++) {
        primary_peer(role->primary, i, now_ms, &peer);
        if (!span_equal_nocase(args->host, span_of_cstr(peer.ip)) || args->port != peer.port)
            continue;
        return peer.state == PEER_ONLINE || peer.state == PEER_WAIT_ACK
                   ? NULL
                   : "ERR FAILOVER target replica is not online.";
    }
    return "ERR FAILOVER target HOST and PORT is not a replica.";
}

const char *role_failover(struct role *role, int argc, const struct span *argv, int64_t now_ms,
                          struct repl_actions *out)
{
    struct failover_args args;
    const char *error = parse_args(argc, argv, &args);
    if (error != NULL) return error;
    if (args.abort) {
        if (role->failover == FAILOVER_NONE) return "ERR No failover in progress.";
        abort_failover(role, "Failover manually aborted", now_ms, out);
        return NULL;
    }
    if (role->failover != FAILOVER_NONE) return "ERR FAILOVER already in progress.";
    if (role->is_replica) return "ERR FAILOVER is not valid when server is a replica.";
    if (primary_peers(role->primary) == 0) return "ERR FAILOVER requires connected replicas.";
    if (args.force && (!args.has_timeout || !args.has_target))
        return "ERR FAILOVER with force option requires both a timeout and target HOST and IP.";
    if (args.has_target && (error = check_target(role, &args, now_ms)) != NULL) return error;

    role->target_host[0] = '\0';
    if (args.has_target)
        snprintf(role->target_host, sizeof(role->target_host), "%.*s", (int)args.host.len,
                 args.host.ptr);
    role->target_port = (int)args.port;
    role->force = args.force;
    role->deadline_ms = args.has_timeout ? now_ms + args.timeout_ms : 0;
    role->begun_ms = now_ms;
    role->getack_ms = now_ms - GETACK_PERIOD_MS;
    role->failover = FAILOVER_WAIT_SYNC;
    note(role, REPL_EVENT_FAILOVER_START, args.has_target ? role->target_host : NULL,
         role->target_port, args.has_target ? "" : "the first replica that has caught up", now_ms);
    if (!role->config->mutations.resume_without_pause) repl_act(out, REPL_PAUSE_WRITES, 0);
    primary_set_failing_over(role->primary, true, true);
    role_timer(role, now_ms, out);
    return NULL;
}
