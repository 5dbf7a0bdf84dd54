/* Files: whole reads and writes, atomic replacement, durability. EINTR and short writes are dealt with here.
 * Errors come back as -errno. */
#ifndef PANDO_IO_FILE_H
#define PANDO_IO_FILE_H

#include "base/buf.h"
#include <stdint.h>
#include <sys/types.h>

int file_read_whole(const char *path, size_t bytes_max, struct buf *out); /* -EFBIG beyond bytes_max */
int file_write_all(int fd, const void *ptr, size_t len);
int file_pwrite_all(int fd, const void *ptr, size_t len, uint64_t offset);
ssize_t file_pread_some(int fd, void *out, size_t len, uint64_t offset); /* short only at the end of the file */
/* Writes bytes to a temporary file in the same folder, fsyncs, renames over `path`, fsyncs the folder. */
int file_replace(const char *path, const void *ptr, size_t len, mode_t mode);
int file_rename_durable(const char *from, const char *to); /* fsyncs the folder */
/* Bytes that may still be written on the file system of `dir` by this user; UINT64_MAX where unknown. */
uint64_t file_system_free(const char *dir);
/* Makes dir (0700) and takes an exclusive lock on dir/lock for the life of the process. The fd, or -EWOULDBLOCK where
 * another process holds it. */
int file_lock_folder(const char *dir);

#endif
