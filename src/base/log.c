/* The state of the log is the process's: every floor may write a line. It is set by one thread and
 * read by any thread without a lock; a replaced path is not freed, since a reader (or a signal
 * handler) may be using it. */
#include "base/log.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES_MAX 4096

struct path {
    struct path *older;
    char text[];
};

static struct path *paths; /* all there ever were; only log_set_path looks here */
static _Atomic(int) threshold = LOG_LEVEL_NOTICE;
static _Atomic(char) role_letter = 'M';
static _Atomic(struct path *) log_path; /* NULL: standard output */
static _Atomic(bool) to_syslog;

bool log_wants(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
    atomic_store(&threshold, (int)level);
}

void log_set_role(char role)
{
    atomic_store(&role_letter, role);
}

static int open_log(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

bool log_set_path(const char *path)
{
    if (path == NULL || *path == 0) {
        atomic_store(&log_path, NULL);
        return true;
    }
    int fd = open_log(path);
    if (fd < 0) return false;
    close(fd);
    size_t size = strlen(path) + 1;
    struct path *added = mem_alloc(sizeof *added + size);
    added->older = paths;
    memcpy(added->text, path, size);
    paths = added;
    atomic_store(&log_path, added);
    return true;
}

void log_set_syslog(bool enabled, const char *ident, int facility)
{
    static char kept_ident[64]; /* syslog keeps the pointer */
    if (enabled) {
        snprintf(kept_ident, sizeof kept_ident, "%s", ident);
        openlog(kept_ident, LOG_PID | LOG_NDELAY | LOG_NOWAIT, facility);
    } else if (atomic_load(&to_syslog)) {
        closelog();
    }
    atomic_store(&to_syslog, enabled);
}

/* A log that cannot be written must not stop what it tells about: failures are ignored. */
void log_raw(const char *ptr, unsigned long len)
{
    int saved_errno = errno;
    const struct path *path = atomic_load(&log_path);
    int fd = path == NULL ? STDOUT_FILENO : open_log(path->text);
    if (fd >= 0) {
        while (len > 0) {
            ssize_t put = write(fd, ptr, len);
            if (put < 0 && errno == EINTR) continue;
            if (put <= 0) break;
            ptr += put;
            len -= (unsigned long)put;
        }
        if (path != NULL) close(fd);
    }
    errno = saved_errno;
}

static int write_prefix(char *out, size_t room, enum log_level level)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct timeval now;
    struct tm tm;
    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &tm);
    return snprintf(out, room, "%d:%c %02d %.3s %04d %02d:%02d:%02d.%03d %c ", (int)getpid(),
                    atomic_load(&role_letter), tm.tm_mday, months + 3 * tm.tm_mon,
                    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now.tv_usec / 1000),
                    ".-*#"[level]);
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    if (!log_wants(level)) return;
    size_t prefix = (size_t)write_prefix(line, sizeof line, level);
    size_t room = sizeof line - prefix - 1; /* one byte for the line feed */
    va_list args;
    va_start(args, format);
    int text = vsnprintf(line + prefix, room, format, args);
    va_end(args);
    if (text < 0) return;
    size_t len = prefix + ((size_t)text < room ? (size_t)text : room - 1);
    if (atomic_load_explicit(&to_syslog, memory_order_relaxed)) {
        static const int priorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING};
        syslog(priorities[level], "%.*s", (int)(len - prefix), line + prefix);
    }
    line[len] = '\n';
    log_raw(line, len + 1);
}
