#include "io/temp_file.h"
#include "io/file.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_TRIED_MAX 1000

/* Creates the file of this name and locks it. -EEXIST: try another name. */
static int create(struct temp_file *file)
{
    struct stat now;
    int fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd < 0) return -errno;
    /* A sweep may have come between open and lock: then the file has no name any more. Where the
     * file system has no locks, there is no sweep either. */
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(fd);
        return -EEXIST;
    }
    if (fstat(fd, &now) != 0 || now.st_nlink == 0) {
        close(fd);
        return -EEXIST;
    }
    file->fd = fd;
    return 0;
}

int temp_file_open(struct temp_file *file, const char *dir, const char *prefix, const char *suffix,
                   uint64_t sync_every)
{
    int result = -EEXIST;

    *file = (struct temp_file){.fd = -1, .sync_every = sync_every};
    for (int n = 0; n < NAMES_TRIED_MAX && result == -EEXIST; n++) {
        int len = snprintf(file->path, sizeof file->path, "%s/%s%d-%d%s", dir, prefix,
                           (int)getpid(), n, suffix);
        if (len >= (int)sizeof file->path) return -ENAMETOOLONG;
        result = create(file);
    }
    return result;
}

/* Asks for the newest stretch to be written out and waits for the one before it: at most two
 * stretches are dirty at any time, and neither the page cache nor the last fsync holds more. */
static int push(struct temp_file *file)
{
    uint64_t len = file->written - file->pushed;
    uint64_t before = file->pushed < len ? file->pushed : len;

    if (sync_file_range(file->fd, (off_t)file->pushed, (off_t)len, SYNC_FILE_RANGE_WRITE) != 0 ||
        (before > 0 && sync_file_range(file->fd, (off_t)(file->pushed - before), (off_t)before,
                                       SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                           SYNC_FILE_RANGE_WAIT_AFTER) != 0)) {
        /* File systems without it get the plain call. */
        if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) return -errno;
        if (fdatasync(file->fd) != 0) return -errno;
    }
    file->pushed = file->written;
    return 0;
}

int temp_file_write(struct temp_file *file, const void *ptr, size_t len)
{
    int result = file_write_all(file->fd, ptr, len);

    if (result != 0) return result;
    file->written += len;
    if (file->sync_every > 0 && file->written - file->pushed >= file->sync_every) return push(file);
    return 0;
}

int temp_file_sync(struct temp_file *file)
{
    return fsync(file->fd) == 0 ? 0 : -errno;
}

int temp_file_rename(struct temp_file *file, const char *path)
{
    int result = 0;

    if (rename(file->path, path) != 0) {
        result = -errno;
        temp_file_unlink(file);
    }
    file->path[0] = '\0';
    close(file->fd);
    file->fd = -1;
    return result;
}

void temp_file_discard(struct temp_file *file)
{
    if (file->fd < 0) return;
    temp_file_unlink(file);
    close(file->fd);
    file->fd = -1;
}

void temp_file_unlink(struct temp_file *file)
{
    if (file->path[0] != '\0') unlink(file->path);
    file->path[0] = '\0'; /* from now on the name may be another file's */
}

/* `<prefix><digits>-<digits><suffix>` */
static bool is_temporary(const char *name, const char *prefix, const char *suffix)
{
    size_t prefix_len = strlen(prefix);

    if (strncmp(name, prefix, prefix_len) != 0) return false;
    name += prefix_len;
    if (!isdigit((unsigned char)*name)) return false;
    while (isdigit((unsigned char)*name)) name++;
    if (*name++ != '-' || !isdigit((unsigned char)*name)) return false;
    while (isdigit((unsigned char)*name)) name++;
    return strcmp(name, suffix) == 0;
}

int temp_file_sweep(const char *dir, const char *prefix, const char *suffix)
{
    DIR *folder = opendir(dir);
    struct dirent *found;
    int removed = 0;

    if (folder == NULL) return -errno;
    while ((found = readdir(folder)) != NULL) {
        if (!is_temporary(found->d_name, prefix, suffix)) continue;
        int fd = openat(dirfd(folder), found->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(dirfd(folder), found->d_name, 0) == 0)
            removed++;
        close(fd);
    }
    closedir(folder);
    return removed;
}
