#include "server/setup.h"

#include "base/log.h"
#include "base/mem.h"
#include "server/aof.h"
#include "server/client_eviction.h"
#include "server/config.h"
#include "server/life.h"
#include "server/network.h"
#include "server/replication.h"
#include "server/server.h"

static bool update_policy(void *context, const char **why)
{
    (void)why;
    server_update_policy(context);
    return true;
}

static bool update_replication(void *context, const char **why)
{
    (void)why;
    replication_configure(context);
    return true;
}

/* Two hooks, since they refuse in different words; where both directives change the second finds the
 * work done. */
static bool listen_on_port(void *context, const char **why)
{
    if (network_listen(context)) return true;
    *why = "Unable to listen on this port. Check server logs.";
    return false;
}

static bool listen_on_addresses(void *context, const char **why)
{
    if (network_listen(context)) return true;
    *why = "Failed to bind to specified addresses.";
    return false;
}

static bool change_log_level(void *context, const char **why)
{
    (void)why;
    log_set_level((enum log_level)((struct server *)context)->config->loglevel);
    return true;
}

static bool change_maxclients(void *context, const char **why)
{
    struct server *server = context;
    int64_t wanted = server->config->maxclients;

    network_adjust_open_files(server);
    if (server->config->maxclients >= wanted) return true;
    *why = "The operating system is not able to handle the specified number of clients, try with a "
           "lower number";
    return false;
}

static bool change_title(void *context, const char **why)
{
    (void)why;
    life_set_title(context);
    return true;
}

static bool change_background_thread(void *context, const char **why)
{
    (void)why;
    mem_set_background_thread(((struct server *)context)->config->jemalloc_bg_thread);
    return true;
}

static bool change_oom_score(void *context, const char **why)
{
    (void)why;
    life_set_oom_score(context);
    return true;
}

/* A new password closes nobody, but a removed one lets everybody in. */
static bool change_password(void *context, const char **why)
{
    struct server *server = context;

    (void)why;
    if (server->config->requirepass[0] != '\0') return true;
    for (struct session *session = server->sessions; session != NULL; session = session->next)
        session->flags |= SESSION_AUTHENTICATED;
    return true;
}

static bool change_aof(void *context, const char **why)
{
    return aof_configure(context, why);
}

static bool change_folder(void *context, const char **why)
{
    return aof_change_folder(context, why);
}

static bool count_clients(void *context, const char **why)
{
    (void)why;
    clients_count_all(context);
    return true;
}

void setup_hooks(struct server *server)
{
    static const struct {
        const char *name;
        config_hook *hook;
    } rows[] = {
        {"proto-max-bulk-len", update_policy},
        {"lazyfree-lazy-expire", update_policy},
        {"lazyfree-lazy-server-del", update_policy},
        {"lazyfree-lazy-user-del", update_policy},
        {"lazyfree-lazy-user-flush", update_policy},
        {"rdbcompression", update_policy},
        {"maxmemory", update_policy},
        {"maxmemory-policy", update_policy},
        {"maxmemory-clients", count_clients},
        {"lfu-log-factor", update_policy},
        {"lfu-decay-time", update_policy},
        {"hash-max-listpack-entries", update_policy},
        {"hash-max-listpack-value", update_policy},
        {"set-max-intset-entries", update_policy},
        {"zset-max-listpack-entries", update_policy},
        {"zset-max-listpack-value", update_policy},
        {"list-max-listpack-size", update_policy},
        {"list-compress-depth", update_policy},
        {"hll-sparse-max-bytes", update_policy},
        {"stream-node-max-bytes", update_policy},
        {"stream-node-max-entries", update_policy},
        {"repl-timeout", update_replication},
        {"repl-ping-replica-period", update_replication},
        {"repl-diskless-sync", update_replication},
        {"repl-diskless-sync-delay", update_replication},
        {"repl-diskless-sync-max-replicas", update_replication},
        {"repl-backlog-ttl", update_replication},
        {"repl-backlog-size", update_replication},
        {"repl-log-memory-max", update_replication},
        {"repl-backlog-seconds", update_replication},
        {"repl-log-disk-max", update_replication},
        {"client-output-buffer-limit", update_replication},
        {"min-replicas-max-lag", update_replication},
        {"masteruser", update_replication},
        {"masterauth", update_replication},
        {"replica-announce-ip", update_replication},
        {"replica-announce-port", update_replication},
        {"port", listen_on_port},
        {"bind", listen_on_addresses},
        {"loglevel", change_log_level},
        {"maxclients", change_maxclients},
        {"proc-title-template", change_title},
        {"oom-score-adj", change_oom_score},
        {"oom-score-adj-values", change_oom_score},
        {"requirepass", change_password},
        {"jemalloc-bg-thread", change_background_thread},
        {"dir", change_folder},
        {"appendonly", change_aof},
        {"appendfsync", change_aof},
        {"no-appendfsync-on-rewrite", change_aof},
        {"aof-timestamp-enabled", change_aof},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        config_on_change(server->config, rows[i].name, rows[i].hook, server);
}
