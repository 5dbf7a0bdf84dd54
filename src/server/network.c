#include "server/network.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/file.h"
#include "io/socket.h"
#include "server/blocking.h"
#include "server/config.h"
#include "server/dispatch.h"
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

enum {
    LISTENERS_MAX = 20,
    READ_BYTES = 64 * 1024,
    POOL_MAX = 64, /* spare reply buffers */
    POOL_BYTES_MAX = 4 << 20,
    REPLY_BUFFER_BYTES = 16 * 1024,
    ACCEPTS_PER_EVENT = 1000,
    RESERVED_DESCRIPTORS = 32, /* files, listeners, links: beside maxclients */
    ACCEPT_PAUSE_US = 100 * 1000,
    ENDED_MS = 5 * 1000, /* that a peer which sends no more waits for the log's files */
};

struct listener {
    struct watch watch;
    struct server *server;
    bool is_unix;
};

struct network {
    struct server *server;
    struct listener *listeners[LISTENERS_MAX];
    int listener_count;
    char *unix_path;               /* of our socket file, to remove at the end */
    struct socket_reserve reserve; /* to refuse a connection when descriptors are out */
    struct timer resume_accepts;
    bool accepts_paused;
    char *read_buffer;
    struct buf pool[POOL_MAX];
    int pooled;
    size_t pooled_bytes;
};

static void resume_accepts(void *context);

struct network *network_new(struct server *server)
{
    struct network *network = mem_zalloc(sizeof *network);

    network->server = server;
    socket_reserve_open(&network->reserve);
    network->read_buffer = mem_alloc(READ_BYTES);
    timer_init(&network->resume_accepts, resume_accepts, network);
    return network;
}

/* ---- buffers ---------------------------------------------------------------------------------- */

char *network_read_buffer(struct network *network)
{
    return network->read_buffer;
}

void network_give_buffer(struct network *network, struct buf *buf)
{
    buf_clear(buf);
    if (network->pooled == POOL_MAX || buf->cap < REPLY_BUFFER_BYTES ||
        network->pooled_bytes + buf->cap > POOL_BYTES_MAX) {
        buf_release(buf);
        return;
    }
    network->pooled_bytes += buf->cap;
    network->pool[network->pooled++] = *buf;
    *buf = (struct buf){0};
}

void network_take_buffer(struct network *network, struct buf *buf)
{
    if (network->pooled == 0) {
        buf_reserve(buf, REPLY_BUFFER_BYTES);
        return;
    }
    *buf = network->pool[--network->pooled];
    network->pooled_bytes -= buf->cap;
}

/* ---- accepting -------------------------------------------------------------------------------- */

static const char PROTECTED_MODE_TEXT[] =
    "-DENIED Redis is running in protected mode because protected mode is enabled and no password "
    "is set for the default "
    "user. In this mode connections are only accepted from the loopback interface. If you want to "
    "connect from external "
    "computers to Redis you may adopt one of the following solutions: 1) Just disable protected "
    "mode sending the command "
    "'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the "
    "same host the server is "
    "running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use "
    "CONFIG REWRITE to make "
    "this change permanent. 2) Alternatively you can just disable the protected mode by editing "
    "the Redis configuration "
    "file, and setting the protected mode option to 'no', and then restarting the server. 3) If "
    "you started the server "
    "manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an "
    "authentication password "
    "for the default user. NOTE: You only need to do one of the above things in order for the "
    "server to start accepting "
    "connections from the outside.\r\n";

static void refuse(struct server *server, int fd, const char *text)
{
    server->stats.connections_rejected++;
    (void)socket_write(fd, text, strlen(text)); /* best effort: the peer may not listen */
    socket_close(fd);
}

static void set_accepting(struct network *network, bool accepting)
{
    for (int i = 0; i < network->listener_count; i++)
        loop_want(network->server->loop, &network->listeners[i]->watch, accepting ? LOOP_READ : 0);
    network->accepts_paused = !accepting;
}

static void resume_accepts(void *context)
{
    set_accepting(context, true);
}

void network_session_gone(struct server *server)
{
    if (server->network == NULL || !server->network->accepts_paused) return;
    loop_disarm(server->loop, &server->network->resume_accepts);
    set_accepting(server->network, true);
}

/* No descriptor, or no memory for one: one waiting peer is let in on the reserve and told so, then accepting rests until a
 * session ends or a moment has passed. Without that the level-triggered listener would spin. */
static void out_of_descriptors(struct network *network, int listen_fd, int error)
{
    static const char text[] = "-ERR max number of clients reached\r\n";

    if (socket_shed(listen_fd, &network->reserve, text, sizeof text - 1))
        network->server->stats.connections_rejected++;
    if (!network->accepts_paused)
        log_warning("Accepting client connection: %s. Accepting rests until a descriptor is free",
                    strerror(error));
    set_accepting(network, false);
    loop_arm(network->server->loop, &network->resume_accepts, ACCEPT_PAUSE_US);
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "::ffff:127.", 11) == 0;
}

static void accept_one(struct listener *listener, int fd)
{
    struct server *server = listener->server;
    const struct config *config = server->config;
    struct socket_name peer = {0}, local = {0};

    if (server->session_count >= (size_t)config->maxclients) {
        refuse(server, fd, "-ERR max number of clients reached\r\n");
        return;
    }
    socket_peer_name(fd, &peer);
    socket_local_name(fd, &local);
    bool is_local = listener->is_unix || is_loopback(peer.host);
    if (config->protected_mode && config->requirepass[0] == '\0' && !is_local) {
        refuse(server, fd, PROTECTED_MODE_TEXT);
        return;
    }
    if (!listener->is_unix) {
        socket_set_nodelay(fd, true);
        if (config->tcp_keepalive > 0) socket_set_keepalive(fd, (int)config->tcp_keepalive);
    }
    unsigned flags = (listener->is_unix ? SESSION_UNIX : 0) | (is_local ? SESSION_LOCAL_PEER : 0);
    struct session *session = session_new(server, fd, flags);
    socket_format_name(peer.host, peer.port, session->peer_name);
    socket_format_name(local.host, local.port, session->local_name);
    server->stats.connections_received++;
    log_verbose("Accepted %s", session->peer_name);
}

static void on_connection(void *context, unsigned events)
{
    struct listener *listener = context;
    struct network *network = listener->server->network;

    (void)events;
    for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
        int fd;
        switch (socket_accept(listener->watch.fd, &fd)) {
        case SOCKET_ACCEPTED: break;
        case SOCKET_ACCEPT_NONE: return;
        case SOCKET_ACCEPT_FULL: out_of_descriptors(network, listener->watch.fd, errno); return;
        case SOCKET_ACCEPT_FAILED:
            log_warning("Accepting client connection: %s", strerror(errno));
            return;
        }
        accept_one(listener, fd);
    }
}

/* ---- listening -------------------------------------------------------------------------------- */

struct opened {
    int fds[LISTENERS_MAX];
    bool is_unix[LISTENERS_MAX];
    int count;
};

static void close_opened(struct opened *opened)
{
    for (int i = 0; i < opened->count; i++) socket_close(opened->fds[i]);
}

/* One address of `bind`. A leading '-' makes it optional. */
static bool open_address(const struct config *config, const char *address, struct opened *opened)
{
    bool optional = address[0] == '-';

    if (optional) address++;
    if (opened->count == LISTENERS_MAX) return true;
    int fd = socket_listen_tcp(address, (int)config->port, (int)config->tcp_backlog,
                               (uint32_t)config->socket_mark_id);
    if (fd >= 0) {
        opened->fds[opened->count++] = fd;
        return true;
    }
    log_warning("Warning: Could not create server TCP listening socket %s:%d: bind: %s", address,
                (int)config->port, socket_error_text(fd));
    return optional && socket_family_missing(fd);
}

static bool open_all(struct server *server, struct opened *opened)
{
    const struct config *config = server->config;

    if (config->port != 0) {
        for (int i = 0; i < config->bind.count; i++)
            if (!open_address(config, config->bind.names[i], opened)) return false;
        if (opened->count == 0) return false;
    }
    if (config->unixsocket[0] != '\0') {
        int fd = socket_listen_unix(config->unixsocket, (mode_t)config->unixsocketperm,
                                    (int)config->tcp_backlog);
        if (fd < 0) {
            log_warning("Failed opening Unix socket: bind: %s", socket_error_text(fd));
            return false;
        }
        opened->is_unix[opened->count] = true;
        opened->fds[opened->count++] = fd;
    }
    return true;
}

static void drop_listeners(struct network *network)
{
    for (int i = 0; i < network->listener_count; i++) {
        loop_remove(network->server->loop, &network->listeners[i]->watch);
        socket_close(network->listeners[i]->watch.fd);
        mem_free(network->listeners[i]);
    }
    network->listener_count = 0;
}

bool network_listen(struct server *server)
{
    struct network *network = server->network;
    struct opened opened = {0};

    /* The old sockets share the port by SO_REUSEADDR only when closed: they go first, and come back on failure by
     * another network_listen of the caller with the former configuration. */
    drop_listeners(network);
    if (!open_all(server, &opened)) {
        close_opened(&opened);
        return false;
    }
    for (int i = 0; i < opened.count; i++) {
        struct listener *listener = mem_zalloc(sizeof *listener);
        *listener = (struct listener){.server = server, .is_unix = opened.is_unix[i]};
        listener->watch = (struct watch){
            .fd = opened.fds[i], .wants = LOOP_READ, .ready = on_connection, .context = listener};
        network->listeners[network->listener_count++] = listener;
        loop_add(server->loop, &listener->watch);
        if (listener->is_unix) {
            mem_free(network->unix_path);
            network->unix_path = mem_alloc(strlen(server->config->unixsocket) + 1);
            memcpy(network->unix_path, server->config->unixsocket,
                   strlen(server->config->unixsocket) + 1);
        }
    }
    return true;
}

void network_stop_listening(struct server *server)
{
    struct network *network = server->network;

    drop_listeners(network);
    if (network->unix_path != NULL) file_remove(network->unix_path);
    mem_free(network->unix_path);
    network->unix_path = NULL;
}

void network_adjust_open_files(struct server *server)
{
    rlim_t wanted = (rlim_t)server->config->maxclients + RESERVED_DESCRIPTORS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
    rlim_t had = limit.rlim_cur;
    struct rlimit raised = {.rlim_cur = wanted,
                            .rlim_max = limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
        log_notice(
            "Increased maximum number of open files to %llu (it was originally set to %llu).",
            (unsigned long long)wanted, (unsigned long long)had);
        return;
    }
    raised.rlim_cur = raised.rlim_max = limit.rlim_max;
    if (limit.rlim_max > had && setrlimit(RLIMIT_NOFILE, &raised) == 0) had = limit.rlim_max;
    if (had <= RESERVED_DESCRIPTORS) had = RESERVED_DESCRIPTORS + 1;
    server->config->maxclients = (int64_t)(had - RESERVED_DESCRIPTORS);
    log_warning("You requested maxclients of %llu requiring at least %llu max file descriptors.",
                (unsigned long long)(wanted - RESERVED_DESCRIPTORS), (unsigned long long)wanted);
    log_warning("Current maximum open files is %llu. maxclients has been reduced to %llu to "
                "compensate for low ulimit.",
                (unsigned long long)had, (unsigned long long)(had - RESERVED_DESCRIPTORS));
}

/* ---- who may do what -------------------------------------------------------------------------- */

bool network_may_use_protected(struct session *session, const struct command *command)
{
    const struct config *config = session->server->config;
    int setting = config->enable_debug_command; /* yes, no, local */
    bool allowed = setting == PROTECTED_YES ||
                   (setting == PROTECTED_LOCAL && session->flags & SESSION_LOCAL_PEER);

    if (allowed || session->flags & SESSION_NO_SOCKET) return true;
    reply_errorf(&session->reply,
                 "ERR %s command not allowed. If the enable-%s-command option is set to \"local\", "
                 "you can run it from a "
                 "local connection, otherwise you need to set this option in the configuration "
                 "file, and then restart the "
                 "server.",
                 "DEBUG", "debug");
    (void)command;
    return false;
}

bool network_refuses_http(struct session *session, const struct parsed *request)
{
    if (request->argc == 0 || session->flags & SESSION_NO_SOCKET) return false;
    if (!(span_is(request->argv[0], "host:") || span_is(request->argv[0], "post"))) return false;
    log_warning("Possible SECURITY ATTACK detected. It looks like somebody is sending POST or "
                "Host: commands to Redis. This "
                "is likely due to an attacker attempting to use Cross Protocol Scripting to "
                "compromise your Redis instance. "
                "Connection from %s aborted.",
                session->peer_name);
    session_close(session);
    return true;
}

bool network_paused(struct server *server, bool writes, int64_t *until_ms)
{
    const struct pause *pause = &server->pause;

    *until_ms = pause->client_until_ms;
    if (pause->client_until_ms > server->now_ms && (writes || pause->client_all)) return true;
    return writes && (pause->failover || pause->shutdown || pause->log_full || pause->behind);
}

static bool is_idle(const struct session *session, int64_t timeout_ms)
{
    int64_t silent_ms = session->server->now_ms - session->active_ms;

    if (session->flags & SESSION_ENDED) return silent_ms > ENDED_MS;
    if (timeout_ms == 0 || session->flags & (SESSION_REPLICA | SESSION_MONITOR) ||
        session->block != BLOCK_NONE || session_class(session) == CLASS_PUBSUB)
        return false;
    return silent_ms > timeout_ms;
}

void network_cron(struct server *server)
{
    int64_t timeout_ms = (int64_t)server->config->timeout * 1000;

    if (server->pause.client_until_ms != 0 && server->pause.client_until_ms <= server->now_ms) {
        server->pause.client_until_ms = 0;
        server_update_policy(server); /* expiry stood still too */
        blocking_pause_ended(server);
    }
    if (server->cron_turns % (uint64_t)(server->config->hz < 1 ? 1 : server->config->hz) != 0)
        return; /* once a second is fine enough for what follows */
    for (struct session *session = server->sessions, *next; session != NULL; session = next) {
        next = session->next;
        if (session->out_soft_since_ms != 0 && session_check_output_limit(session)) continue;
        if (!is_idle(session, timeout_ms)) continue;
        log_verbose("Closing idle client");
        session_close(session);
    }
}
