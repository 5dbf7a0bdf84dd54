/* A file in the making: written under a temporary name, then put in its place as a whole.
 *
 *   open --write*--> sync --rename--> the file stands under its name
 *      \-----------discard----------> nothing is left
 *
 * The temporary name is `<prefix><pid>-<n><suffix>` in the folder of the target. A lock (flock) is
 * held as long as the file is being made, so that a sweep can tell what a dead process left behind
 * from what another process is writing right now, pid namespaces or not.
 *
 * With sync_every the kernel is told to write each such stretch out while the next one is filled:
 * no fsync at the end that takes seconds and holds up everyone else's.
 *
 * Errors come back as -errno. One thread at a time. */
#ifndef PANDO_IO_TEMP_FILE_H
#define PANDO_IO_TEMP_FILE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct temp_file {
    int fd;                   /* -1: closed */
    uint64_t written, pushed; /* bytes; those that the kernel was told to write out */
    uint64_t sync_every;      /* 0: never before the end */
    char path[PATH_MAX];
};

int temp_file_open(struct temp_file *file, const char *dir, const char *prefix, const char *suffix,
                   uint64_t sync_every);
int temp_file_write(struct temp_file *file, const void *ptr, size_t len);
int temp_file_sync(struct temp_file *file);
/* Renames over `path`, closes. The name is durable after file_sync_folder(path). On failure the
 * temporary file is gone. */
int temp_file_rename(struct temp_file *file, const char *path);
void temp_file_discard(struct temp_file *file); /* no effect on a file that is closed */
/* Takes the name away at once, from any thread; the owner discards the rest in its time. Must not
 * race with temp_file_rename or temp_file_discard: a name that is gone may be another file's already. */
void temp_file_unlink(struct temp_file *file);

/* Removes the files of such names in `dir` that nobody is writing. Returns their number. */
int temp_file_sweep(const char *dir, const char *prefix, const char *suffix);

#endif
