/* Calls on files: those below the plan's folder are numbered, by name or by what a descriptor was opened as. */
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static enum action meet(const char *kind, const char *path)
{
    return plan_has_file(path) ? plan_meet(kind, path) : PASS;
}

/* Names are mostly relative to the data folder. */
static enum action meet_name(const char *kind, int folder, const char *name)
{
    char path[2 * PATH_MAX], where[64];
    ssize_t len;

    if (!plan_has_files()) return PASS;
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

    if (!plan_has_files()) return PASS;
    snprintf(where, sizeof where, "/proc/self/fd/%d", fd);
    len = readlink(where, path, sizeof path - 1);
    if (len < 0) return PASS;
    path[len] = '\0';
    return meet(kind, path);
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

    if (plan_fails(action)) return -1;
    fd = NEXT(openat)(folder, path, flags, mode);
    plan_end(action);
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

    if (plan_fails(action)) return -1;
    result = NEXT(rename)(from, to);
    plan_end(action);
    return result;
}

EXPORTED int unlink(const char *path)
{
    enum action action = meet_name("unlink", AT_FDCWD, path);
    int result;

    if (plan_fails(action)) return -1;
    result = NEXT(unlink)(path);
    plan_end(action);
    return result;
}

EXPORTED int unlinkat(int folder, const char *path, int flags)
{
    enum action action = meet_name("unlink", folder, path);
    int result;

    if (plan_fails(action)) return -1;
    result = NEXT(unlinkat)(folder, path, flags);
    plan_end(action);
    return result;
}

/* ---- bytes ------------------------------------------------------------------------------------- */

EXPORTED ssize_t write(int fd, const void *bytes, size_t len)
{
    enum action action = meet_fd("write", fd);
    ssize_t result;

    if (plan_fails(action)) return -1;
    result = NEXT(write)(fd, bytes, plan_length(action, len));
    plan_end(action);
    return result;
}

EXPORTED ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    enum action action = meet_fd("write", fd);
    ssize_t result;

    if (plan_fails(action)) return -1;
    result = NEXT(pwrite)(fd, bytes, plan_length(action, len), offset);
    plan_end(action);
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

    if (plan_fails(action)) return -1;
    result = action == SHORT || action == TORN ? write_half(fd, iov, count, offset)
                                               : NEXT(pwritev)(fd, iov, count, offset);
    plan_end(action);
    return result;
}

EXPORTED int ftruncate(int fd, off_t len)
{
    enum action action = meet_fd("truncate", fd);
    int result;

    if (plan_fails(action)) return -1;
    result = NEXT(ftruncate)(fd, len);
    plan_end(action);
    return result;
}

/* ---- durability -------------------------------------------------------------------------------- */

EXPORTED int fsync(int fd)
{
    enum action action = meet_fd("sync", fd);
    int result;

    if (plan_fails(action)) return -1;
    result = NEXT(fsync)(fd);
    plan_end(action);
    return result;
}

EXPORTED int fdatasync(int fd)
{
    enum action action = meet_fd("sync", fd);
    int result;

    if (plan_fails(action)) return -1;
    result = NEXT(fdatasync)(fd);
    plan_end(action);
    return result;
}
