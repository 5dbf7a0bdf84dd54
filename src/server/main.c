/* pando-server: from the command line to the event loop. */
#include "base/log.h"
#include "base/mem.h"
#include "cmd/registry.h"
#include "persist/rdb_file.h"
#include "server/aof.h"
#include "server/config.h"
#include "server/crash.h"
#include "server/folder.h"
#include "server/life.h"
#include "server/network.h"
#include "server/persistence.h"
#include "server/replication.h"
#include "server/server.h"
#include "server/setup.h"

#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
/* The server ends without freeing its data, which the system takes at once; and a leak checker does not see through the
 * packed pointers of the table. Leaks are looked for by the unit tests and the fuzzers. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

static int print_version(void)
{
    printf("pando v=%s, Redis server v=%s sha=00000000:0 malloc=%s bits=%zu\n", PANDO_VERSION,
           REDIS_VERSION, mem_allocator_name(), sizeof(void *) * 8);
    return 0;
}

static int print_help(FILE *to, int status)
{
    fputs("Usage: pando-server [FILE | -] [--directive value ...]\n"
          "       pando-server [FILE | -] --recover-to MOMENT [--directive value ...]\n"
          "       pando-server --check-config FILE\n"
          "       pando-server --version | --help\n"
          "\n"
          "FILE is a redis.conf; - reads it from standard input. Directives of the command line "
          "stand over the file's.\n"
          "MOMENT is a date as 2026-11-28T06:52:51 (local time; with Z behind it, UTC), Unix "
          "seconds, or\n"
          "offset:N of the replication log. The append only file is loaded up to there and goes on "
          "from there.\n"
          "\n"
          "Examples:\n"
          "       pando-server                                  defaults, port 6379\n"
          "       pando-server /etc/pando.conf\n"
          "       pando-server --port 6380 --replicaof 127.0.0.1 6379\n"
          "       pando-server conf/redis.conf --loglevel verbose -\n",
          to);
    return status;
}

static int check_config(int argc, char **argv)
{
    struct config *config = config_new();
    struct buf error = {0};
    char *arguments[] = {argv[0], argc > 2 ? argv[2] : NULL, NULL};

    if (argc != 3) return print_help(stderr, 1);
    struct command_registry registry;
    command_registry_init(&registry);
    enum config_result result =
        config_load(config, 2, arguments, &registry, CONFIG_LOAD_DRY, &error);
    printf("%s: %s\n", argv[2], result == CONFIG_OK ? "fine" : "not usable");
    if (result == CONFIG_UNREADABLE) buf_append_char(&error, '\n'); /* no log line here */
    fprintf(stderr, "%.*s", (int)error.len, error.len == 0 ? "" : error.ptr);
    buf_release(&error);
    command_registry_release(&registry);
    config_free(config);
    return result == CONFIG_OK ? 0 : 1;
}

static struct config *load_config(int argc, char **argv, struct command_registry *registry)
{
    struct config *config = config_new();
    struct buf error = {0};

    switch (config_load(config, argc, argv, registry, 0, &error)) {
    case CONFIG_OK: return config;
    case CONFIG_BAD: fprintf(stderr, "%.*s", (int)error.len, error.ptr); break;
    case CONFIG_UNREADABLE: log_warning("%.*s", (int)error.len, error.ptr); break;
    }
    exit(1);
}

/* Takes --recover-to and its value out of the arguments: they are of one start, not of the configuration. */
static struct recovery take_recovery(int *argc, char **argv)
{
    struct recovery recovery = {0};

    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--recover-to") != 0) continue;
        if (i + 1 == *argc || !recovery_parse(argv[i + 1], &recovery)) {
            fprintf(
                stderr,
                "--recover-to takes a date as 2026-11-28T06:52:51Z, Unix seconds, or offset:N\n");
            exit(1);
        }
        memmove(argv + i, argv + i + 2, (size_t)(*argc - i - 1) * sizeof *argv);
        *argc -= 2;
        i--;
    }
    return recovery;
}

/* What is recovered becomes a data set of its own: a replica's would be its primary's again. */
static bool may_recover(const struct config *config)
{
    if (config->appendonly && config->replicaof.host[0] == '\0') return true;
    log_warning(
        "--recover-to needs appendonly yes, and a node that is no replica (--replicaof no one)");
    return false;
}

static void say_hello(struct server *server)
{
    const struct config *config = server->config;

    log_warning("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
    log_warning("Redis version=%s, bits=%zu, commit=00000000, modified=0, pid=%d, just started",
                REDIS_VERSION, sizeof(void *) * 8, (int)getpid());
    if (server->argc == 1)
        log_warning("Warning: no config file specified, using the default config. In order to "
                    "specify a config file use "
                    "%s /path/to/redis.conf",
                    server->executable);
    else log_warning("Configuration loaded");
    log_notice("pando %s: port %d, PID: %d", PANDO_VERSION, (int)config->port, (int)getpid());
    struct buf inert = {0};
    config_without_effect(config, &inert);
    if (inert.len > 0) log_warning("Accepted but without effect: %.*s", (int)inert.len, inert.ptr);
    buf_release(&inert);
}

/* The data set is there: from here on everything is open. */
static void loaded(struct server *server)
{
    replication_start(server);
    server_update_policy(server);
    if (server->config->port != 0 || server->config->unixsocket[0] != '\0')
        log_notice("Ready to accept connections");
    life_notify(server->config,
                server_is_replica(server)
                    ? "READY=1\nSTATUS=Ready to accept connections in read-only mode\n"
                    : "READY=1\nSTATUS=Ready to accept connections\n");
}

int main(int argc, char **argv)
{
    mem_thread_register();
    setlocale(LC_COLLATE, ""); /* SORT with ALPHA orders texts as the user's language does */
    if (argc >= 2 && (strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "--version") == 0))
        return print_version();
    if (argc >= 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0))
        return print_help(stdout, 0);
    if (argc >= 2 && strcmp(argv[1], "--check-config") == 0) return check_config(argc, argv);
    struct recovery recovery = take_recovery(&argc, argv);
    struct command_registry *registry = mem_alloc(sizeof *registry);

    command_registry_init(registry);
    struct config *config = load_config(argc, argv, registry);

    if (!life_open_log(config)) return 1;
    if (recovery.kind != RECOVER_NOTHING && !may_recover(config)) return 1;
    life_block_signals();
    bool supervised = life_is_supervised(config);
    if (config->daemonize && !supervised) life_daemonize();
    mem_set_background_thread(config->jemalloc_bg_thread);
    struct server *server = server_new(config, registry);
    server->executable = life_executable();
    server->argc = argc;
    server->argv = life_keep_title_room(argc, argv);
    server->oom_score_base = life_read_oom_score();
    setup_hooks(server);
    crash_install(server);
    life_disable_huge_pages(server);
    say_hello(server);
    life_set_title(server);
    network_adjust_open_files(server);
    if (!network_listen(server)) {
        log_warning("Failed listening on port %d (TCP), aborting.", (int)config->port);
        return 1;
    }
    life_write_pidfile(server);
    folder_take(server);
    rdb_file_sweep(".");
    life_watch_signals(server);
    life_set_oom_score(server);
    log_warning("Server initialized");
    if (config->appendonly) aof_load(server, &recovery, loaded);
    else persistence_load(server, loaded);
    server_run(server);
    if (server->restart) {
        network_stop_listening(server);
        folder_release(server);
        execv("/proc/self/exe", server->argv);
    }
    return server->exit_code;
}
