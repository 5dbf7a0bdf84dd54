/* Names of files and folders, and the working directory. Errors come back as -errno. */
#ifndef PANDO_IO_PATH_H
#define PANDO_IO_PATH_H

#include "base/buf.h"

#include <sys/types.h>

/* Appends the working directory, absolute. */
int path_working_folder(struct buf *out);
/* Makes a folder the working directory of the process. */
int path_enter(const char *folder);
/* Appends the absolute path behind all links, "." and "..". It must exist. */
int path_real(const char *path, struct buf *out);
/* 0 for a folder, -ENOTDIR for something else, -ENOENT and the like. */
int path_is_folder(const char *path);
/* Its permission bits. */
int path_mode(const char *path, mode_t *out);

#endif
