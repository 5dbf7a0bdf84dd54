#include "io/folder_list.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct names {
    char **list;
    size_t count, cap;
};

static bool is_like(const char *name, const char *prefix, const char *suffix)
{
    size_t len = strlen(name), front = strlen(prefix), back = strlen(suffix);

    return len >= front + back && memcmp(name, prefix, front) == 0 &&
           memcmp(name + len - back, suffix, back) == 0;
}

static void add(struct names *names, const char *name)
{
    size_t size = strlen(name) + 1;

    if (names->count == names->cap) {
        names->cap = names->cap == 0 ? 16 : names->cap * 2;
        names->list = mem_realloc(names->list, names->cap * sizeof *names->list);
    }
    names->list[names->count] = mem_alloc(size);
    memcpy(names->list[names->count++], name, size);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int folder_each(const char *folder, const char *prefix, const char *suffix,
                void (*visit)(void *context, const char *path), void *context)
{
    struct names names = {0};
    char path[PATH_MAX];
    const struct dirent *found;
    DIR *open = opendir(folder);

    if (open == NULL) return -errno;
    while ((found = readdir(open)) != NULL)
        if (is_like(found->d_name, prefix, suffix)) add(&names, found->d_name);
    closedir(open);
    if (names.count > 0) qsort(names.list, names.count, sizeof *names.list, by_name);
    for (size_t i = 0; i < names.count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names.list[i]);
        visit(context, path);
        mem_free(names.list[i]);
    }
    mem_free(names.list);
    return 0;
}
