#include "io/path.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int path_working_folder(struct buf *out)
{
    char path[PATH_MAX];

    if (getcwd(path, sizeof path) == NULL) return -errno;
    buf_append_span(out, span_of_cstr(path));
    return 0;
}

int path_enter(const char *folder)
{
    return chdir(folder) == 0 ? 0 : -errno;
}

int path_real(const char *path, struct buf *out)
{
    char real[PATH_MAX];

    if (realpath(path, real) == NULL) return -errno;
    buf_append_span(out, span_of_cstr(real));
    return 0;
}

int path_is_folder(const char *path)
{
    struct stat about;

    if (stat(path, &about) != 0) return -errno;
    return S_ISDIR(about.st_mode) ? 0 : -ENOTDIR;
}

int path_mode(const char *path, mode_t *out)
{
    struct stat about;

    if (stat(path, &about) != 0) return -errno;
    *out = about.st_mode & 07777;
    return 0;
}
