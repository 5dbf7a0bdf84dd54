/* Names and files of the append only file: folder, manifest, history. */
#include "base/log.h"
#include "base/mem.h"
#include "io/file.h"
#include "server/aof_inside.h"
#include "server/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void aof_path(const struct server *server, const char *name, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s", server->aof->folder, name);
}

void aof_manifest_path(const struct server *server, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s.manifest", server->aof->folder, server->config->appendfilename);
}

/* What appenddirname means now. False where that is too long a name. */
static bool full_name(const struct server *server, char out[AOF_FOLDER_CHARS])
{
    char dir[PATH_MAX];

    if (getcwd(dir, sizeof dir) == NULL) return false;
    return snprintf(out, AOF_FOLDER_CHARS, "%s/%s", dir, server->config->appenddirname) <
           AOF_FOLDER_CHARS;
}

bool aof_take_folder(struct aof *aof)
{
    const char *folder = aof->server->config->appenddirname;
    int error;

    if (aof->folder_lock >= 0) return true;
    error = full_name(aof->server, aof->folder) ? file_make_folder(folder) : -ENAMETOOLONG;
    if (error != 0) {
        log_warning("Can't open or create append-only dir %s: %s", folder, strerror(-error));
        return false;
    }
    aof->folder_lock = file_lock_itself(folder);
    if (aof->folder_lock >= 0) {
        rdb_file_sweep(folder);
        return true;
    }
    log_warning("The append only files in %s %s: give each node a dir of its own (directive dir)",
                folder,
                aof->folder_lock == -EWOULDBLOCK ? "belong to another process that runs"
                                                 : strerror(-aof->folder_lock));
    return false;
}

bool aof_change_folder(struct server *server, const char **why)
{
    struct aof *aof = server->aof;
    struct manifest manifest = aof->manifest;
    int lock = aof->folder_lock;
    char folder[AOF_FOLDER_CHARS], now[AOF_FOLDER_CHARS];
    bool found;

    if (lock < 0 || aof->load != NULL) return true;
    if (full_name(server, now) && strcmp(now, aof->folder) == 0) return true;
    memcpy(folder, aof->folder, sizeof folder);
    aof->folder_lock = -1;
    aof->manifest = (struct manifest){0};
    if (aof->state != AOF_OFF && !(aof_take_folder(aof) && aof_read_manifest(aof, &found))) {
        if (aof->folder_lock >= 0) file_close(aof->folder_lock);
        manifest_release(&aof->manifest);
        aof->manifest = manifest;
        aof->folder_lock = lock;
        memcpy(aof->folder, folder, sizeof folder);
        *why = "Unable to keep the append only files in this dir. Check server logs.";
        return false;
    }
    manifest_release(&manifest);
    if (aof->state != AOF_OFF) aof_begin_elsewhere(aof);
    file_close(lock);
    return true;
}

bool aof_prepare_alone(struct aof *aof)
{
    bool found;

    return aof_take_folder(aof) && (aof->manifest.count > 0 || aof_read_manifest(aof, &found));
}

static void say_fault(const struct manifest_fault *fault)
{
    log_warning("The manifest of the append only files cannot be used:");
    if (fault->line > 0) {
        log_warning("Reading the manifest file, at line %d", fault->line);
        log_warning(">>> '%s'", fault->text);
    }
    log_warning("%s", fault->why);
}

bool aof_read_manifest(struct aof *aof, bool *found)
{
    struct manifest_fault fault;
    struct buf text = {0};
    char path[PATH_MAX];
    int error;

    aof_manifest_path(aof->server, path);
    *found = file_exists(path);
    if (!*found) return true;
    error = file_read_whole(path, MANIFEST_BYTES_MAX, &text);
    if (error != 0) {
        log_warning("Fatal error: can't open the AOF manifest file %s for reading: %s", path,
                    strerror(-error));
        return false;
    }
    manifest_release(&aof->manifest);
    enum err err = manifest_parse(buf_span(&text), &aof->manifest, &fault);
    buf_release(&text);
    if (err == OK) return true;
    say_fault(&fault);
    return false;
}

/* The new manifest may stand although it was not made durable, and its files will not: the one from before comes back. */
static void bring_back(const char *path, bool was_there, struct span before)
{
    int error = was_there ? file_replace(path, before.ptr, before.len, 0644) : file_remove(path);

    if (error != 0 && error != -ENOENT)
        log_warning("Could not bring %s back as it was: %s", path, strerror(-error));
}

int aof_write_manifest(const char *path, const struct manifest *manifest)
{
    struct buf text = {0}, before = {0};
    bool was_there = file_exists(path);
    int error = was_there ? file_read_whole(path, MANIFEST_BYTES_MAX, &before) : 0;

    if (error == 0) {
        manifest_format(manifest, &text);
        error = file_replace(path, text.ptr, text.len, 0644);
        if (error != 0) bring_back(path, was_there, buf_span(&before));
    }
    buf_release(&text);
    buf_release(&before);
    return error;
}

uint64_t aof_size_of(const struct server *server, const char *name)
{
    char path[PATH_MAX];
    uint64_t size = 0;

    aof_path(server, name, path);
    int fd = file_open_read(path, &size);
    if (fd < 0) return 0;
    file_close(fd);
    return size;
}

uint64_t aof_size_of_all(const struct aof *aof)
{
    uint64_t size = 0;

    for (size_t i = 0; i < aof->manifest.count; i++)
        if (aof->manifest.files[i].type != MANIFEST_HISTORY)
            size += aof_size_of(aof->server, aof->manifest.files[i].name);
    return size;
}

/* ---- history ----------------------------------------------------------------------------------- */

/* What is removed in the background: first the manifest that does not name it any more is put in place, by
 * the writer's thread like every manifest, so that none overtakes a newer one; then the files go. */
struct clean_up {
    struct worker *remover;
    char manifest_path[PATH_MAX];
    struct manifest manifest;
    char (*paths)[PATH_MAX];
    size_t count;
    int error;
};

static void write_manifest(void *context)
{
    struct clean_up *clean_up = context;

    clean_up->error = aof_write_manifest(clean_up->manifest_path, &clean_up->manifest);
    if (clean_up->error != 0)
        log_warning("Could not write %s: %s", clean_up->manifest_path, strerror(-clean_up->error));
}

static void remove_files(void *context)
{
    struct clean_up *clean_up = context;

    for (size_t i = 0; i < clean_up->count && clean_up->error == 0; i++) {
        int error = file_remove(clean_up->paths[i]);
        if (error != 0 && error != -ENOENT)
            log_warning("Could not remove %s: %s", clean_up->paths[i], strerror(-error));
    }
    manifest_release(&clean_up->manifest);
    mem_free(clean_up->paths);
    mem_free(clean_up);
}

static void manifest_is_written(void *context)
{
    struct clean_up *clean_up = context;
    worker_submit(clean_up->remover, remove_files, NULL, clean_up);
}

void aof_collect_history(struct aof *aof)
{
    struct server *server = aof->server;
    size_t history = manifest_history_count(&aof->manifest);
    struct clean_up *clean_up;

    if (history == 0 || server->config->aof_disable_auto_gc) return;
    clean_up = mem_zalloc(sizeof *clean_up);
    clean_up->remover = server->file_worker;
    clean_up->paths = mem_alloc(history * sizeof *clean_up->paths);
    for (size_t i = 0; i < aof->manifest.count; i++) {
        const struct manifest_file *file = &aof->manifest.files[i];
        char path[PATH_MAX];
        if (file->type != MANIFEST_HISTORY) continue;
        aof_path(server, file->name, path);
        log_notice("Removing the history file %s in the background", file->name);
        /* An incr file may still serve the backlog: then it moves into the node's own folder. */
        if (aof->segments == NULL ||
            !segments_retire(aof->segments, path, journal_first(server->journal)))
            snprintf(clean_up->paths[clean_up->count++], PATH_MAX, "%s", path);
    }
    manifest_drop_history(&aof->manifest);
    aof_manifest_path(server, clean_up->manifest_path);
    manifest_copy(&clean_up->manifest, &aof->manifest);
    worker_submit(aof_worker(aof), write_manifest, manifest_is_written, clean_up);
}
