#include "server/life.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "io/file.h"
#include "server/config.h"
#include "server/shutdown.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

bool life_open_log(const struct config *config)
{
    log_set_level((enum log_level)config->loglevel);
    log_set_syslog(config->syslog_enabled, config->syslog_ident, config->syslog_facility);
    if (log_set_path(config->logfile)) return true;
    fprintf(stderr, "Can't open the log file: %s\n", strerror(errno));
    return false;
}

void life_daemonize(void)
{
    if (fork() != 0) _exit(0); /* the parent, or nobody to detach for when fork failed */
    setsid();
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0) return;
    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    if (fd > STDERR_FILENO) close(fd);
}

/* ---- signals ---------------------------------------------------------------------------------- */

static void handled_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

void life_block_signals(void)
{
    sigset_t set;

    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    handled_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void on_signal(void *context, unsigned events)
{
    struct server *server = context;
    struct signalfd_siginfo info;

    (void)events;
    if (read(server->signals.fd, &info, sizeof info) == (ssize_t)sizeof info)
        shutdown_signal(server, (int)info.ssi_signo);
}

void life_watch_signals(struct server *server)
{
    sigset_t set;

    handled_signals(&set);
    server->signals = (struct watch){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC),
                                     .wants = LOOP_READ,
                                     .ready = on_signal,
                                     .context = server};
    loop_add(server->loop, &server->signals);
}

/* ---- what others see of the process ----------------------------------------------------------- */

void life_write_pidfile(struct server *server)
{
    const struct config *config = server->config;
    const char *path = config->pidfile;

    if (path[0] == '\0' && !config->daemonize) return;
    if (path[0] == '\0') path = "/var/run/redis.pid";
    char text[16];
    snprintf(text, sizeof text, "%d\n", (int)getpid());
    int error = file_write_text(path, text);
    if (error != 0) {
        log_warning("Failed to write PID file: %s", strerror(-error));
        return;
    }
    server->pidfile = path;
}

bool life_is_supervised(const struct config *config)
{
    if (config->supervised == SUPERVISED_NONE) return false;
    bool by_systemd = getenv("NOTIFY_SOCKET") != NULL, by_upstart = getenv("UPSTART_JOB") != NULL;
    if (config->supervised == SUPERVISED_SYSTEMD) return by_systemd;
    if (config->supervised == SUPERVISED_UPSTART) return by_upstart;
    return by_systemd || by_upstart;
}

void life_notify(const struct config *config, const char *state)
{
    if (!life_is_supervised(config)) return;
    if (getenv("NOTIFY_SOCKET") != NULL) sd_notify(0, state);
    else if (strncmp(state, "READY=1", 7) == 0)
        raise(SIGSTOP); /* upstart's way: stopped means ready */
}

static struct {
    char *start;
    size_t len;
    char **argv; /* the copy */
} title_room;

static char **copy_texts(char *const *texts)
{
    size_t count = 0;

    while (texts[count] != NULL) count++;
    char **copy = mem_zalloc((count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = strlen(texts[i]) + 1;
        copy[i] = memcpy(mem_alloc(bytes), texts[i], bytes);
    }
    return copy;
}

char **life_keep_title_room(int argc, char **argv)
{
    char *end = argv[0];

    for (int i = 0; i < argc && argv[i] == end; i++) end += strlen(argv[i]) + 1;
    for (char **at = environ; *at != NULL && *at == end; at++) end += strlen(*at) + 1;
    environ = copy_texts(environ);
    title_room.start = argv[0];
    title_room.len = (size_t)(end - argv[0]);
    title_room.argv = copy_texts(argv);
    return title_room.argv;
}

const char *life_executable(void)
{
    static char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);

    path[len > 0 ? len : 0] = '\0';
    return path;
}

/* The first address, and the port that is listened on; or the socket where there is no port. */
static void append_address(const struct config *config, struct buf *out)
{
    int port = (int)(config->port != 0 ? config->port : config->tls_port);

    if (port == 0) buf_printf(out, "unixsocket:%s", config->unixsocket);
    else buf_printf(out, "%s:%d", config->bind.count > 0 ? config->bind.names[0] : "*", port);
}

static void expand(struct server *server, const char *word, size_t len, struct buf *out)
{
    const struct config *config = server->config;
    struct span name = span_of(word, len);

    if (span_equal(name, SPAN("title"))) buf_printf(out, "%s", server->argv[0]);
    else if (span_equal(name, SPAN("listen-addr"))) append_address(config, out);
    else if (span_equal(name, SPAN("server-mode"))) buf_printf(out, "%s", "");
    else if (span_equal(name, SPAN("port"))) buf_printf(out, "%d", (int)config->port);
    else if (span_equal(name, SPAN("tls-port"))) buf_printf(out, "%d", (int)config->tls_port);
    else if (span_equal(name, SPAN("unixsocket"))) buf_printf(out, "%s", config->unixsocket);
    else if (span_equal(name, SPAN("config-file"))) buf_printf(out, "%s", config->file);
}

void life_set_title(struct server *server)
{
    const char *at = server->config->proc_title_template;
    struct buf title = {0};

    if (!server->config->set_proc_title || title_room.len == 0) return;
    while (*at != '\0') {
        const char *close = *at == '{' ? strchr(at, '}') : NULL;
        if (close != NULL) {
            expand(server, at + 1, (size_t)(close - at - 1), &title);
            at = close + 1;
        } else {
            buf_append_char(&title, *at++);
        }
    }
    while (title.len > 0 && title.ptr[title.len - 1] == ' ') title.len--;
    size_t len = title.len < title_room.len - 1 ? title.len : title_room.len - 1;
    memset(title_room.start, 0, title_room.len);
    if (len > 0) memcpy(title_room.start, title.ptr, len);
    buf_release(&title);
}

int life_read_oom_score(void)
{
    char text[32];
    int64_t score;
    ssize_t len = file_read_text("/proc/self/oom_score_adj", text, sizeof text);

    if (len > 0 && text[len - 1] == '\n') len--;
    return len > 0 && num_parse_int64(span_of(text, (size_t)len), &score) ? (int)score : 0;
}

void life_set_oom_score(struct server *server)
{
    const struct config *config = server->config;
    char text[16];

    if (config->oom_score_adj == OOM_SCORE_NO && !server->oom_score_changed) return;
    int value = config->oom_score_adj_values.of[server_is_replica(server) ? 1 : 0];
    if (config->oom_score_adj == OOM_SCORE_RELATIVE) value += server->oom_score_base;
    if (config->oom_score_adj == OOM_SCORE_NO) value = server->oom_score_base; /* as it was */
    server->oom_score_changed = config->oom_score_adj != OOM_SCORE_NO;
    if (value > 1000) value = 1000;
    if (value < -1000) value = -1000;
    snprintf(text, sizeof text, "%d\n", value);
    int error = file_write_text("/proc/self/oom_score_adj", text);
    if (error != 0) log_warning("Unable to write oom_score_adj: %s", strerror(-error));
}

void life_disable_huge_pages(struct server *server)
{
    if (server->config->disable_thp) prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

const char *life_supervised_name(const struct config *config)
{
    if (!life_is_supervised(config)) return "no";
    return getenv("NOTIFY_SOCKET") != NULL ? "systemd" : "upstart";
}
