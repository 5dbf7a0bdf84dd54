/* A fault under the file calls of one process: preloaded by tests/harness/faults.py, never installed.
 *
 * Calls on files below one folder are numbered in the order in which they come, all kinds in one row. Each leaves a line
 * in the trace, "<kind> <path>"; the chosen one meets the fault, and its line says so: "! <action> <kind> <path>". So a
 * trace without a '!' tells that the run ended before the chosen call.
 *
 *   PANDO_FAULT_UNDER   the folder, by its full name
 *   PANDO_FAULT_TRACE   the file that the trace is appended to; it must not be below the folder
 *   PANDO_FAULT_AT      the number of the call, from 1; 0: none, the trace alone is wanted
 *   PANDO_FAULT_KIND    counts calls of this kind only: open write sync rename truncate unlink; not set: all
 *   PANDO_FAULT_DO      enospc, eio, eintr   the call fails and does nothing
 *                       short                a write takes half of the bytes and says so
 *                       kill                 the process is killed before the call
 *                       torn                 a write takes half of the bytes, then the process is killed
 *                       after                the call is made, then the process is killed before it hears of it
 *
 * Of other calls than writes `short` lets them pass unharmed and `torn` kills after them. A fault happens once. Any thread may
 * make a call: the number is an atomic counter, everything else is read once, before main. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORTED   __attribute__((visibility("default")))
#define NEXT(name) ((__typeof__(&name))next(#name))

enum action { PASS, ENOSPC_, EIO_, EINTR_, SHORT, KILL, TORN, AFTER };

static const char *const action_names[] = {"pass",  "enospc", "eio",  "eintr",
                                           "short", "kill",   "torn", "after"};

static struct {
    char under[PATH_MAX];
    char kind[16]; /* empty: all */
    long at;
    enum action action;
    int trace;
} plan = {.trace = -1};

static _Atomic long calls;

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL) abort();
    return found;
}

__attribute__((constructor)) static void read_plan(void)
{
    const char *under = getenv("PANDO_FAULT_UNDER"), *trace = getenv("PANDO_FAULT_TRACE");
    const char *at = getenv("PANDO_FAULT_AT"), *action = getenv("PANDO_FAULT_DO");
    const char *kind = getenv("PANDO_FAULT_KIND");

    if (under == NULL || trace == NULL || strlen(under) >= sizeof plan.under - 1) return;
    snprintf(plan.under, sizeof plan.under, "%s/", under);
    /* Copied: the server writes its title over its environment. */
    snprintf(plan.kind, sizeof plan.kind, "%s", kind != NULL ? kind : "");
    plan.at = at != NULL ? strtol(at, NULL, 10) : 0;
    for (enum action i = PASS; action != NULL && i <= AFTER; i++)
        if (strcmp(action, action_names[i]) == 0) plan.action = i;
    /* System calls of our own: they must not come by here. */
    plan.trace =
        (int)syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void tell(enum action action, const char *kind, const char *path)
{
    char line[PATH_MAX + 64];
    int len = action == PASS
                  ? snprintf(line, sizeof line, "%s %s\n", kind, path)
                  : snprintf(line, sizeof line, "! %s %s %s\n", action_names[action], kind, path);

    if (len > 0 && (size_t)len < sizeof line) syscall(SYS_write, plan.trace, line, (size_t)len);
}

/* The folder itself counts, too: it is opened and synced to make names durable. */
static bool is_below(const char *path)
{
    size_t len = strlen(plan.under) - 1;

    return strncmp(path, plan.under, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* What this call meets. */
static enum action meet(const char *kind, const char *path)
{
    enum action action = PASS;

    if (plan.trace < 0 || !is_below(path)) return PASS;
    if (plan.kind[0] != '\0' && strcmp(plan.kind, kind) != 0) return PASS;
    if (atomic_fetch_add(&calls, 1) + 1 == plan.at) action = plan.action;
    tell(action, kind, path);
    if (action == KILL) die();
    return action;
}

/* Names are mostly relative to the data folder. */
static enum action meet_name(const char *kind, int folder, const char *name)
{
    char path[2 * PATH_MAX], where[64];
    ssize_t len;

    if (plan.trace < 0) return PASS;
    if (name[0] == '/') return meet(kind, name);
    snprintf(where, sizeof where, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d",
             folder);
    len = readlink(where, path, PATH_MAX - 1);
    if (len < 0) return PASS;
    snprintf(path + len, sizeof path - (size_t)len, "/%s", name);
    return meet(kind, path);
}

static enum action meet_fd(const char *kind, int fd)
{
    char path[PATH_MAX], where[64];
    ssize_t len;

    if (plan.trace < 0) return PASS;
    snprintf(where, sizeof where, "/proc/self/fd/%d", fd);
    len = readlink(where, path, sizeof path - 1);
    if (len < 0) return PASS;
    path[len] = '\0';
    return meet(kind, path);
}

/* Whether the call fails; errno is set then. */
static bool fails(enum action action)
{
    switch (action) {
    case ENOSPC_: errno = ENOSPC; return true;
    case EIO_: errno = EIO; return true;
    case EINTR_: errno = EINTR; return true;
    default: return false;
    }
}

static void end(enum action action)
{
    if (action == TORN || action == AFTER) die();
}

/* ---- names ------------------------------------------------------------------------------------- */

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t)
                                                                      : 0;
}

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    enum action action = meet_name("open", folder, path);
    int fd;

    if (fails(action)) return -1;
    fd = NEXT(openat)(folder, path, flags, mode);
    end(action);
    return fd;
}

EXPORTED int open(const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_at(AT_FDCWD, path, flags, mode);
}

EXPORTED int openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_at(folder, path, flags, mode);
}

EXPORTED int rename(const char *from, const char *to)
{
    enum action action = meet_name("rename", AT_FDCWD, to);
    int result;

    if (fails(action)) return -1;
    result = NEXT(rename)(from, to);
    end(action);
    return result;
}

EXPORTED int unlink(const char *path)
{
    enum action action = meet_name("unlink", AT_FDCWD, path);
    int result;

    if (fails(action)) return -1;
    result = NEXT(unlink)(path);
    end(action);
    return result;
}

EXPORTED int unlinkat(int folder, const char *path, int flags)
{
    enum action action = meet_name("unlink", folder, path);
    int result;

    if (fails(action)) return -1;
    result = NEXT(unlinkat)(folder, path, flags);
    end(action);
    return result;
}

/* ---- bytes ------------------------------------------------------------------------------------- */

static size_t length_met(enum action action, size_t len)
{
    return (action == SHORT || action == TORN) && len > 1 ? len / 2 : len;
}

EXPORTED ssize_t write(int fd, const void *bytes, size_t len)
{
    enum action action = meet_fd("write", fd);
    ssize_t result;

    if (fails(action)) return -1;
    result = NEXT(write)(fd, bytes, length_met(action, len));
    end(action);
    return result;
}

EXPORTED ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    enum action action = meet_fd("write", fd);
    ssize_t result;

    if (fails(action)) return -1;
    result = NEXT(pwrite)(fd, bytes, length_met(action, len), offset);
    end(action);
    return result;
}

/* Half of the bytes of several runs, run by run. */
static ssize_t write_half(int fd, const struct iovec *iov, int count, off_t offset)
{
    size_t left = 0, done = 0;

    for (int i = 0; i < count; i++) left += iov[i].iov_len;
    left = left > 1 ? left / 2 : left;
    for (int i = 0; i < count && left > 0; i++) {
        size_t len = iov[i].iov_len < left ? iov[i].iov_len : left;
        ssize_t put = len > 0 ? NEXT(pwrite)(fd, iov[i].iov_base, len, offset + (off_t)done) : 0;
        if (put < 0) return done > 0 ? (ssize_t)done : -1;
        done += (size_t)put;
        left -= len;
        if ((size_t)put < len) break;
    }
    return (ssize_t)done;
}

EXPORTED ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
    enum action action = meet_fd("write", fd);
    ssize_t result;

    if (fails(action)) return -1;
    result = action == SHORT || action == TORN ? write_half(fd, iov, count, offset)
                                               : NEXT(pwritev)(fd, iov, count, offset);
    end(action);
    return result;
}

EXPORTED int ftruncate(int fd, off_t len)
{
    enum action action = meet_fd("truncate", fd);
    int result;

    if (fails(action)) return -1;
    result = NEXT(ftruncate)(fd, len);
    end(action);
    return result;
}

/* ---- durability -------------------------------------------------------------------------------- */

EXPORTED int fsync(int fd)
{
    enum action action = meet_fd("sync", fd);
    int result;

    if (fails(action)) return -1;
    result = NEXT(fsync)(fd);
    end(action);
    return result;
}

EXPORTED int fdatasync(int fd)
{
    enum action action = meet_fd("sync", fd);
    int result;

    if (fails(action)) return -1;
    result = NEXT(fdatasync)(fd);
    end(action);
    return result;
}
