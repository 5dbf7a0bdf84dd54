/* pando-check-aof [--fix | --truncate-to-timestamp T] FILE.manifest | FILE: whether an append only file is
 * sound; --fix cuts the last file behind its last whole command, --truncate-to-timestamp where a later
 * time begins (aof-timestamp-enabled). Exit code 0 where it is sound now, else 1. */
#include "base/mem.h"
#include "base/num.h"
#include "check/aof_check.h"
#include "io/file.h"
#include "persist/loader.h"
#include "persist/manifest.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct options {
    bool fix;
    int64_t until_s;
    const char *path;
};

static int usage(const char *program)
{
    printf("Usage: %s [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>\n",
           program);
    return 1;
}

static int check_single(const struct options *options)
{
    const struct aof_check check = {options->path, options->path, true, options->fix,
                                    options->until_s};
    uint64_t lines = 1;

    printf("Start checking Old-Style AOF\n");
    switch (aof_check(&check, &lines)) {
    case AOF_CHECK_OK: printf("AOF %s is valid\n", options->path); return 0;
    case AOF_CHECK_EMPTY: printf("AOF %s is empty\n", options->path); return 0;
    case AOF_CHECK_TRUNCATED: return 0;
    default: return 1;
    }
}

/* dir of the manifest / name */
static void place(char out[PATH_MAX], const char *manifest, const char *name)
{
    const char *slash = strrchr(manifest, '/');

    snprintf(out, PATH_MAX, "%.*s%s", slash != NULL ? (int)(slash + 1 - manifest) : 0, manifest,
             name);
}

static bool check_one(const struct options *options, const struct manifest_file *file, bool last,
                      const char *kind, uint64_t *lines)
{
    char path[PATH_MAX];

    place(path, options->path, file->name);
    const struct aof_check check = {path, file->name, last, options->fix, options->until_s};
    switch (aof_check(&check, lines)) {
    case AOF_CHECK_OK: printf("%s AOF %s is valid\n", kind, file->name); return true;
    case AOF_CHECK_EMPTY: printf("%s AOF %s is empty\n", kind, file->name); return true;
    case AOF_CHECK_TRUNCATED: return true;
    default: return false;
    }
}

static int check_manifest(const struct options *options, const struct manifest *manifest)
{
    const struct manifest_file *base = manifest_base(manifest);
    int count = (int)manifest_incr_count(manifest);
    uint64_t lines = 1;

    printf("Start checking Multi Part AOF\n");
    if (base != NULL) {
        char path[PATH_MAX];
        place(path, options->path, base->name);
        printf("Start to check BASE AOF (%s format).\n", loader_is_rdb(path) ? "RDB" : "RESP");
        if (!check_one(options, base, count == 0, "BASE", &lines)) return 1;
    }
    if (count > 0) printf("Start to check INCR files.\n");
    for (int i = 0; i < count; i++)
        if (!check_one(options, manifest_incr(manifest, i), i == count - 1, "INCR", &lines))
            return 1;
    printf("All AOF files and manifest are valid\n");
    return 0;
}

static bool is_manifest(const char *path)
{
    size_t len = strlen(path);
    return len > 9 && strcmp(path + len - 9, ".manifest") == 0;
}

static int run(const struct options *options)
{
    struct manifest manifest = {0};
    struct manifest_fault fault;
    struct buf text = {0};

    if (!is_manifest(options->path)) {
        if (file_exists(options->path)) return check_single(options);
        printf("Cannot open file %s: %s\n", options->path, strerror(ENOENT));
        return 1;
    }
    int error = file_read_whole(options->path, MANIFEST_BYTES_MAX, &text);
    if (error != 0) {
        printf("Cannot open file %s: %s\n", options->path, strerror(-error));
        return 1;
    }
    enum err err = manifest_parse(buf_span(&text), &manifest, &fault);
    buf_release(&text);
    if (err != OK) {
        if (fault.line > 0)
            printf("Reading the manifest file, at line %d\n>>> '%s'\n", fault.line, fault.text);
        printf("%s\n", fault.why);
        return 1;
    }
    int status = check_manifest(options, &manifest);
    manifest_release(&manifest);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {.until_s = AOF_CHECK_WHOLE};

    mem_thread_register();
    if (argc < 2 || argc > 4) return usage(argv[0]);
    options.path = argv[argc - 1];
    if (argc == 3 && strcmp(argv[1], "--fix") == 0) {
        options.fix = true;
    } else if (argc == 4 && strcmp(argv[1], "--truncate-to-timestamp") == 0) {
        if (!num_parse_int64(span_of_cstr(argv[2]), &options.until_s)) {
            printf("Invalid timestamp, aborting...\n");
            return 1;
        }
    } else if (argc == 2 && (strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "--version") == 0)) {
        printf("pando-check-aof %s\n", PANDO_VERSION);
        return 0;
    } else if (argc != 2) {
        return usage(argv[0]);
    }
    return run(&options);
}
