#include "server/shutdown.h"

#include "base/log.h"
#include "io/file.h"
#include "server/aof.h"
#include "server/blocking.h"
#include "server/config.h"
#include "server/network.h"
#include "server/persistence.h"
#include "server/replication.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static bool replicas_lag(const struct server *server)
{
    const struct primary *primary = server->replication->primary;

    if (server->config->shutdown_timeout == 0 || server_is_replica(server)) return false;
    return primary_replicas_caught_up(primary) < primary_replicas_online(primary);
}

/* An AOF without its base is not what a restart may find: data that came by a full sync, or was there before the AOF was
 * switched on, would be gone. */
static bool lacks_base(const struct server *server)
{
    const struct shutdown *wish = &server->shutdown;

    return aof_lacks_base(server) && !wish->nosave && !wish->force;
}

static bool must_wait(const struct server *server)
{
    const struct shutdown *wish = &server->shutdown;

    if (wish->hurry || wish->inside) return false;
    if (lacks_base(server) && aof_base_is_coming(server)) return true;
    return !wish->now && replicas_lag(server) && server->now_ms < wish->until_ms;
}

static void answer_waiting(struct server *server, const char *error)
{
    for (struct session *session; (session = server->blocked[BLOCK_SHUTDOWN].first) != NULL;) {
        session->reply.muted = session->block_muted;
        reply_error(&session->reply, error);
        session_has_output(session);
        session_unblock(session);
    }
}

static void stop_pausing(struct server *server)
{
    server->shutdown = (struct shutdown){0};
    server->pause.shutdown = false;
    server_update_policy(server);
    blocking_pause_ended(server);
}

static void report_lagging(struct server *server)
{
    struct primary *primary = server->replication->primary;

    for (int n = 0; n < primary_peers(primary); n++) {
        struct peer_figures peer;
        primary_peer(primary, n, replication_mono_ms(server), &peer);
        if (peer.state != PEER_ONLINE || peer.lag_bytes == 0) continue;
        log_warning("Lagging replica %s:%d reported offset %llu behind master, lag=%lld, state=%s.",
                    peer.ip, peer.port, (unsigned long long)peer.lag_bytes, (long long)peer.lag_s,
                    peer.state_name);
    }
    int online = primary_replicas_online(primary);
    if (online > 0)
        log_notice("%d of %d replicas are in sync when shutting down.",
                   primary_replicas_caught_up(primary), online);
}

/* True when the process may go. */
static bool save_if_wanted(struct server *server, const struct shutdown *wish)
{
    char error[256];

    persistence_abort_background_save(server);
    if (server->loading || wish->nosave || !(wish->save || persistence_has_save_points(server)))
        return true;
    log_notice("Saving the final RDB snapshot before exiting.");
    if (persistence_save_now(server, error)) return true;
    log_warning("Error trying to save the DB, can't exit.");
    return wish->force;
}

static bool flush_log(struct server *server)
{
    if (!aof_is_on(server) || server->loading) return true;
    log_notice("Calling fsync() on the AOF file.");
    return aof_flush(server);
}

static void refuse(struct server *server)
{
    log_warning("Errors trying to shut down the server. Check the logs for more information.");
    stop_pausing(server);
    answer_waiting(server, "ERR Errors trying to SHUTDOWN. Check logs.");
}

static bool finish(struct server *server)
{
    struct shutdown wish = server->shutdown;

    report_lagging(server);
    if (lacks_base(server) && !wish.hurry) {
        log_warning("Writing initial AOF, can't exit.");
        refuse(server);
        return false;
    }
    if (!flush_log(server) && !wish.force) {
        refuse(server);
        return false;
    }
    if (!save_if_wanted(server, &wish)) {
        refuse(server);
        return false;
    }
    if (server->pidfile != NULL) {
        log_notice("Removing the pid file.");
        file_remove(server->pidfile);
    }
    network_stop_listening(server);
    log_warning("Redis is now ready to exit, bye bye...");
    server->exit_code = 0;
    loop_stop(server->loop);
    return true;
}

enum shutdown_result shutdown_begin(struct server *server, const struct shutdown *wish)
{
    if (server->shutdown.pending) return SHUTDOWN_WAITS;
    log_warning("User requested shutdown...");
    server->shutdown = *wish;
    server->shutdown.until_ms = server->now_ms + (int64_t)server->config->shutdown_timeout * 1000;
    if (must_wait(server)) {
        server->shutdown.pending = true;
        server->pause.shutdown = true;
        server_update_policy(server);
        replication_request_acks(server);
        if (lacks_base(server)) log_notice("Writing initial AOF before shutting down.");
        else log_notice("Waiting for replicas before shutting down.");
        return SHUTDOWN_WAITS;
    }
    return finish(server) ? SHUTDOWN_UNDER_WAY : SHUTDOWN_REFUSED;
}

bool shutdown_abort(struct server *server)
{
    if (!server->shutdown.pending) return false;
    log_notice("Shutdown manually aborted.");
    stop_pausing(server);
    answer_waiting(server, "ERR Errors trying to SHUTDOWN. Check logs.");
    return true;
}

void shutdown_cron(struct server *server)
{
    if (!server->shutdown.pending) return;
    if (must_wait(server)) return;
    finish(server);
}

int64_t shutdown_ms_left(const struct server *server)
{
    if (!server->shutdown.pending) return -1;
    int64_t left = server->shutdown.until_ms - server->now_ms;
    return left < 0 ? 0 : left;
}

void shutdown_signal(struct server *server, int signal_number)
{
    int mask = signal_number == SIGINT ? (int)server->config->shutdown_on_sigint
                                       : (int)server->config->shutdown_on_sigterm;
    struct shutdown wish = {
        .signal = true,
        .save = mask & SHUTDOWN_SAVE,
        .nosave = mask & SHUTDOWN_NOSAVE,
        .now = mask & SHUTDOWN_NOW,
        .force = mask & SHUTDOWN_FORCE,
    };

    log_warning("Received %s scheduling shutdown...",
                signal_number == SIGINT ? "SIGINT" : "SIGTERM");
    if (server->shutdown.pending && server->shutdown.signal) {
        log_warning("A second signal came while waiting: exiting now");
        server->shutdown.hurry = true;
        return;
    }
    if (server->loading) {
        log_warning("Received shutdown signal during loading, exiting now.");
        network_stop_listening(server);
        exit(0);
    }
    if (server->shutdown.pending) return;
    shutdown_begin(server, &wish);
}
