#include "io/file.h"

#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- bytes ----------------------------------------------------------------------------------- */

static int read_to_end(int fd, size_t bytes_max, struct buf *out)
{
    size_t before = out->len;
    struct stat st;

    if (fstat(fd, &st) != 0) return -errno;
    if (S_ISDIR(st.st_mode)) return -EISDIR;
    if (st.st_size > 0 && (uint64_t)st.st_size > bytes_max) return -EFBIG;
    /* The size is a hint: it is 0 in /proc, and others may write meanwhile. */
    buf_reserve(out, (size_t)st.st_size + 1);
    for (;;) {
        ssize_t n;

        buf_reserve(out, 1);
        n = read(fd, out->ptr + out->len, out->cap - out->len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (n == 0) return 0;
        out->len += (size_t)n;
        if (out->len - before > bytes_max) return -EFBIG;
    }
}

int file_read_to_end(int fd, size_t bytes_max, struct buf *out)
{
    size_t before = out->len;
    int result = read_to_end(fd, bytes_max, out);

    if (result != 0) out->len = before;
    return result;
}

int file_read_whole(const char *path, size_t bytes_max, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int result;

    if (fd < 0) return -errno;
    result = file_read_to_end(fd, bytes_max, out);
    close(fd);
    return result;
}

/* A call moves no more than this: within one, kernels without preemption let no other thread on the core, the engine's
 * neither. 4 MB in one call were seen to hold it up for 6 ms. */
#define CALL_BYTES (128 << 10)
#define CALL_RUNS  16

static size_t at_most(size_t len, size_t max)
{
    return len < max ? len : max;
}

int file_write_all(int fd, const void *ptr, size_t len)
{
    const char *at = ptr;

    while (len > 0) {
        ssize_t n = write(fd, at, at_most(len, CALL_BYTES));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int file_pwrite_all(int fd, const void *ptr, size_t len, uint64_t offset)
{
    struct iovec iov = {(void *)ptr, len};

    return file_pwritev_all(fd, &iov, 1, offset);
}

/* The first runs of `iov`, up to what one call may move; returns how many. */
static int first_runs(struct iovec out[static CALL_RUNS], const struct iovec *iov, int count)
{
    size_t room = CALL_BYTES;
    int taken = 0;

    for (int i = 0; i < count && taken < CALL_RUNS && room > 0; i++, taken++) {
        out[taken] = (struct iovec){iov[i].iov_base, at_most(iov[i].iov_len, room)};
        room -= out[taken].iov_len;
    }
    return taken;
}

int file_pwritev_all(int fd, struct iovec *iov, int count, uint64_t offset)
{
    while (count > 0) {
        struct iovec runs[CALL_RUNS];

        if (iov->iov_len == 0) {
            iov++;
            count--;
            continue;
        }
        ssize_t n = pwritev(fd, runs, first_runs(runs, iov, count), (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        offset += (uint64_t)n;
        for (size_t left = (size_t)n; left > 0;) {
            size_t step = at_most(left, iov->iov_len);
            iov->iov_base = (char *)iov->iov_base + step;
            iov->iov_len -= step;
            left -= step;
            if (iov->iov_len == 0) {
                iov++;
                count--;
            }
        }
    }
    return 0;
}

ssize_t file_pread_some(int fd, void *out, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n =
            pread(fd, (char *)out + done, at_most(len - done, CALL_BYTES), (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (n == 0) break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* ---- names ----------------------------------------------------------------------------------- */

int file_sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct buf folder = {0};
    int fd, result = 0;

    if (slash == NULL) buf_append(&folder, ".", 2);
    else if (slash == path) buf_append(&folder, "/", 2);
    else buf_printf(&folder, "%.*s%c", (int)(slash - path), path, '\0');
    fd = open(folder.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    buf_release(&folder);
    if (fd < 0) return -errno;
    /* Some file systems have nothing to sync for a folder and say EINVAL. */
    if (fsync(fd) != 0 && errno != EINVAL) result = -errno;
    close(fd);
    return result;
}

int file_rename_durable(const char *from, const char *to)
{
    if (rename(from, to) != 0) return -errno;
    return file_sync_folder(to);
}

static int write_new(const char *path, const void *ptr, size_t len, mode_t mode)
{
    int fd, result;

    unlink(path); /* what a crashed process with our pid left */
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) return -errno;
    result = file_write_all(fd, ptr, len);
    if (result == 0 && fsync(fd) != 0) result = -errno;
    if (close(fd) != 0 && result == 0) result = -errno;
    return result;
}

int file_replace(const char *path, const void *ptr, size_t len, mode_t mode)
{
    struct buf name = {0};
    int result;

    /* The thread's id: unique among processes too, and two threads never meet in one file. */
    buf_printf(&name, "%s.%ld.tmp%c", path, (long)gettid(), '\0');
    const char *temporary = name.ptr;
    result = write_new(temporary, ptr, len, mode);
    if (result == 0 && rename(temporary, path) != 0) result = -errno;
    if (result != 0) unlink(temporary);
    else result = file_sync_folder(path);
    buf_release(&name);
    return result;
}

int file_make_folder(const char *path)
{
    char *name;
    int result = 0;

    if (*path == '\0') return -ENOENT;
    name = mem_alloc(strlen(path) + 1);
    memcpy(name, path, strlen(path) + 1);
    for (char *at = name + 1; result == 0; at++) {
        char c = *at;
        if (c != '/' && c != '\0') continue;
        *at = '\0';
        if (mkdir(name, 0700) != 0 && errno != EEXIST) result = -errno;
        *at = c;
        if (c == '\0') break;
    }
    mem_free(name);
    return result;
}

int file_open_unnamed(const char *dir)
{
    struct buf name = {0};
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0) return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return -errno;
    /* A file system without unnamed files. */
    buf_printf(&name, "%s/%ld-XXXXXX%c", dir, (long)getpid(), '\0');
    fd = mkostemp(name.ptr, O_CLOEXEC);
    if (fd < 0) fd = -errno;
    else unlink(name.ptr);
    buf_release(&name);
    return fd;
}

int file_punch(int fd, uint64_t offset, uint64_t len)
{
    int result;

    do {
        result =
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
}

uint64_t file_system_free(const char *dir)
{
    struct statvfs st;

    if (statvfs(dir, &st) != 0) return UINT64_MAX;
    return (uint64_t)st.f_bavail * st.f_frsize;
}

uint64_t file_system_reserve(uint64_t bytes)
{
    const uint64_t gigabyte = UINT64_C(1) << 30;

    return bytes / 10 > gigabyte ? bytes / 10 : gigabyte;
}

uint64_t file_system_allowance(const char *dir)
{
    struct statvfs st;
    uint64_t available, reserve;

    if (statvfs(dir, &st) != 0) return UINT64_MAX;
    available = (uint64_t)st.f_bavail * st.f_frsize;
    reserve = file_system_reserve((uint64_t)st.f_blocks * st.f_frsize);
    return available > reserve ? available - reserve : 0;
}

int file_lock_folder(const char *dir)
{
    struct buf name = {0};
    char pid[NUM_INT64_CHARS + 1];
    size_t len;
    int fd, result = file_make_folder(dir);

    if (result != 0) return result;
    buf_printf(&name, "%s/lock%c", dir, '\0');
    fd = open(name.ptr, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) fd = -errno;
    buf_release(&name);
    if (fd < 0) return fd;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        result = -errno;
        close(fd);
        return result;
    }
    /* Who holds it, for people. */
    len = num_format_int64(pid, getpid());
    pid[len++] = '\n';
    if (ftruncate(fd, 0) == 0) (void)file_pwrite_all(fd, pid, len, 0);
    return fd;
}

int file_lock_itself(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    int error = -errno;
    close(fd);
    return error;
}

int file_open_read(const char *path, uint64_t *size)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) return -errno;
    if (fstat(fd, &found) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    *size = (uint64_t)found.st_size;
    return fd;
}

int file_open_write(const char *path, bool create, uint64_t *size)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_TRUNC : 0), 0644);

    if (fd < 0) return -errno;
    if (fstat(fd, &status) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    *size = (uint64_t)status.st_size;
    return fd;
}

int file_truncate(int fd, uint64_t size)
{
    int result;

    do result = ftruncate(fd, (off_t)size);
    while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : -errno;
}

int file_sync_data(int fd)
{
    return fdatasync(fd) == 0 ? 0 : -errno;
}

void file_close(int fd)
{
    if (fd >= 0) close(fd);
}

/* ---- small things ------------------------------------------------------------------------------ */

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int file_remove(const char *path)
{
    return unlink(path) == 0 ? 0 : -errno;
}

int file_rename(const char *from, const char *to)
{
    return rename(from, to) == 0 ? 0 : -errno;
}

int file_read_text(const char *path, char *out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) return -errno;
    ssize_t len = file_pread_some(fd, out, room - 1, 0);
    close(fd);
    if (len < 0) return (int)len;
    out[len] = '\0';
    return (int)len;
}

int file_write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0) return -errno;
    int error = file_write_all(fd, text, strlen(text));
    close(fd);
    return error;
}

/* ---- memory of the system ---------------------------------------------------------------------- */

static uint64_t read_number(const char *path)
{
    char text[64];
    uint64_t number;
    int len = file_read_text(path, text, sizeof text);

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' ')) len--;
    return len > 0 && num_parse_uint64(span_of(text, (size_t)len), &number) ? number : UINT64_MAX;
}

static uint64_t available_of_system(void)
{
    char text[4096];
    uint64_t kilobytes;

    if (file_read_text("/proc/meminfo", text, sizeof text) <= 0) return UINT64_MAX;
    const char *at = strstr(text, "MemAvailable:");
    if (at == NULL) return UINT64_MAX;
    at += strlen("MemAvailable:");
    at += strspn(at, " ");
    if (!num_parse_uint64(span_of(at, strspn(at, "0123456789")), &kilobytes)) return UINT64_MAX;
    return kilobytes * 1024;
}

/* The group of this process, version 2: "0::/path". A limit of a parent counts too. */
static uint64_t available_of_group(void)
{
    char text[4096], path[4400];
    uint64_t least = UINT64_MAX;

    if (file_read_text("/proc/self/cgroup", text, sizeof text) <= 0) return UINT64_MAX;
    char *group = strstr(text, "0::");
    if (group == NULL) return UINT64_MAX;
    group += 3;
    group[strcspn(group, "\n")] = '\0';
    for (;;) {
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
        uint64_t most = read_number(path);
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.current", group);
        uint64_t used = read_number(path);
        if (most != UINT64_MAX && used != UINT64_MAX) {
            uint64_t left = most > used ? most - used : 0;
            if (left < least) least = left;
        }
        char *slash = strrchr(group, '/');
        if (slash == NULL || group[0] == '\0') break;
        *slash = '\0';
    }
    return least;
}

uint64_t file_memory_available(void)
{
    uint64_t system = available_of_system(), group = available_of_group();

    return system < group ? system : group;
}
