/* Files: whole reads and writes, atomic replacement, durability. EINTR and short writes are dealt
 * with here. Errors come back as -errno. */
#ifndef PANDO_IO_FILE_H
#define PANDO_IO_FILE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Appends the whole file to `out`. 0; -EFBIG when it is longer than bytes_max (out as before). */
int file_read_whole(const char *path, size_t bytes_max, struct buf *out);
/* The same for what is left of a descriptor, a pipe or a terminal too; it blocks. */
int file_read_to_end(int fd, size_t bytes_max, struct buf *out);
/* All or an error: 0 or -errno, the bytes before the failing one may be written. */
int file_write_all(int fd, const void *ptr, size_t len);
int file_pwrite_all(int fd, const void *ptr, size_t len, uint64_t offset);
/* Any number of runs; `iov` is used up. */
int file_pwritev_all(int fd, struct iovec *iov, int count, uint64_t offset);
/* Bytes read, short only at the end of the file. */
ssize_t file_pread_some(int fd, void *out, size_t len, uint64_t offset);

/* Writes bytes to a temporary file in the same folder, fsyncs, renames over `path`, fsyncs the
 * folder. On an error `path` is as it was and the temporary file is gone. */
int file_replace(const char *path, const void *ptr, size_t len, mode_t mode);
int file_rename_durable(const char *from, const char *to); /* fsyncs the folder of `to` */
int file_sync_folder(const char *path);                    /* the folder that `path` stands in */
/* Makes a folder (0700) and those above it. 0 also where it exists. */
int file_make_folder(const char *path);
/* A new file without a name in `dir` (0600), open for reading and writing: it vanishes with its
 * descriptor, also on a crash. The fd or -errno. */
int file_open_unnamed(const char *dir);
/* Gives a range's disk space back; the file keeps its length and reads as zeros there. Whole blocks
 * of the file system (mostly 4 KB) only. -EOPNOTSUPP where the file system cannot. */
int file_punch(int fd, uint64_t offset, uint64_t len);
/* Opens a file for reading from its start to its end; *size is its length. The fd or -errno. */
int file_open_read(const char *path, uint64_t *size);
/* Opens a file for reading and writing at any position; with `create` it is made, or emptied. The fd or
 * -errno. */
int file_open_write(const char *path, bool create, uint64_t *size);
int file_truncate(int fd, uint64_t size); /* 0 or -errno */
int file_sync_data(int fd);               /* fdatasync: 0 or -errno */
void file_close(int fd);                  /* -1 is fine */
/* Bytes that may still be written on the file system of `dir` by this user; UINT64_MAX where
 * unknown. */
uint64_t file_system_free(const char *dir);
/* What is left alone of a file system of so many bytes: the larger of 10% of it and 1 GB. */
uint64_t file_system_reserve(uint64_t bytes);
/* What a spool or a log may take of the file system of `dir`: free space less the reserve. UINT64_MAX
 * where unknown. */
uint64_t file_system_allowance(const char *dir);
/* Makes dir (0700) and takes an exclusive lock on dir/lock for the life of the descriptor. The fd,
 * or -EWOULDBLOCK where another process holds it. */
int file_lock_folder(const char *dir);
/* The same on the folder itself, which must be there: no file appears in it. */
int file_lock_itself(const char *dir);

bool file_exists(const char *path);
int file_remove(const char *path);                 /* 0 or -errno */
int file_rename(const char *from, const char *to); /* 0 or -errno; not durable by itself */
int file_read_text(const char *path, char *out,
                   size_t room); /* zero-terminated; length or -errno. For /proc */
int file_write_text(const char *path,
                    const char *text); /* 0 or -errno; creates or truncates, 0644 */

/* Bytes of memory that this process may still take: MemAvailable, or what its control group leaves where that is less.
 * UINT64_MAX where neither is known. */
uint64_t file_memory_available(void);

#endif
