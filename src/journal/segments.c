#include "journal/segments_inside.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/file.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

/* ---- files ------------------------------------------------------------------------------------- */

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_alloc(size);
    memcpy(copy, text, size);
    return copy;
}

struct segment_file *segment_file_new(const char *path, int fd, uint64_t first)
{
    struct segment_file *file = mem_zalloc(sizeof *file);

    file->path = copy_text(path);
    file->fd = fd;
    file->refs = 1;
    file->first = file->end = first;
    return file;
}

void segment_file_unref(struct segment_file *file)
{
    if (--file->refs > 0) return;
    file_close(file->fd);
    mem_free(file->waypoints);
    mem_free(file->path);
    mem_free(file);
}

void segment_file_note(struct segment_file *file, uint64_t offset, uint64_t at)
{
    size_t count = file->waypoint_count;

    if (count > 0 && offset - file->waypoints[count - 1].offset < WAYPOINT_EVERY) return;
    if (count == file->waypoint_cap) {
        file->waypoint_cap = count == 0 ? 8 : count * 2;
        file->waypoints =
            mem_realloc(file->waypoints, file->waypoint_cap * sizeof *file->waypoints);
    }
    file->waypoints[file->waypoint_count++] = (struct waypoint){offset, at};
}

static void delete_file(struct segment_file *file)
{
    int error = file_remove(file->path);

    if (error != 0 && error != -ENOENT)
        log_warning("Could not remove %s: %s", file->path, strerror(-error));
    file->unlinked = true;
}

static void drop_oldest(struct segments *segments)
{
    struct segment_file *file = segments->oldest;

    segments->oldest = file->next;
    if (segments->oldest == NULL) segments->newest = NULL;
    if (file->retired) delete_file(file);
    segment_file_unref(file);
}

void segments_drop_all(struct segments *segments)
{
    while (segments->oldest != NULL) drop_oldest(segments);
    segments->can_write = false;
    segments->synced = 0;
}

void segments_attach(struct segments *segments, struct segment_file *file)
{
    if (segments->newest != NULL && segments->newest->end != file->first)
        segments_drop_all(segments);
    if (segments->newest != NULL) segments->newest->next = file;
    else segments->oldest = file;
    segments->newest = file;
    segments->can_write = false;
}

struct segments *segments_new(const char *folder)
{
    struct segments *segments = mem_zalloc(sizeof *segments);

    segments->folder = copy_text(folder);
    pthread_mutex_init(&segments->lock, NULL);
    return segments;
}

void segments_free(struct segments *segments)
{
    struct segment_file *file;

    if (segments == NULL) return;
    while ((file = segments->oldest) != NULL) {
        segments->oldest = file->next;
        check(file->refs == 1);
        segment_file_unref(file);
    }
    pthread_mutex_destroy(&segments->lock);
    mem_free(segments->folder);
    mem_free(segments);
}

void segments_forget(struct segments *segments)
{
    segments_lock(segments);
    segments_drop_all(segments);
    segments_unlock(segments);
}

/* ---- writing ----------------------------------------------------------------------------------- */

int segments_continue(struct segments *segments, uint64_t at)
{
    struct segment_file *file = segments->newest;
    int error;

    check(file != NULL && !file->retired);
    error = file_truncate(file->fd, at);
    if (error != 0) return error;
    segments_lock(segments);
    file->end_at = at;
    segments->can_write = true;
    segments->synced = file->end; /* it was read back: what a crash left is what there is */
    segments_unlock(segments);
    return 0;
}

static int write_head(int fd, const struct segment_head *head, bool select, uint64_t *at)
{
    struct buf text = {0};

    segment_write_head(&text, head, select);
    int error = file_pwrite_all(fd, text.ptr, text.len, *at);
    if (error == 0) *at += text.len;
    buf_release(&text);
    return error;
}

int segments_begin(struct segments *segments, const char *path, const struct segment_head *head,
                   int (*commit)(void *context), void *context)
{
    uint64_t size, at = 0;
    int error, fd = file_open_write(path, true, &size);

    if (fd < 0) return fd;
    error = write_head(fd, head, true, &at);
    if (error == 0) error = file_sync_data(fd);
    if (error == 0) error = file_sync_folder(path);
    /* What the old file holds is durable before the first byte goes into the new one. Of a broken file nobody can say so:
     * the owner makes a base that does without it. */
    if (error == 0 && segments->newest != NULL && segments->can_write &&
        segments->newest->end == head->offset && !segments_broken(segments))
        error = segments_sync(segments);
    if (error == 0 && commit != NULL) error = commit(context);
    if (error != 0) {
        file_close(fd);
        file_remove(path);
        return error;
    }
    struct segment_file *file = segment_file_new(path, fd, head->offset);
    file->end_at = at;
    segments_lock(segments);
    segments_attach(segments, file);
    segments->can_write = true;
    segments->synced = head->offset;
    segments_unlock(segments);
    return 0;
}

int segments_mark_head(struct segments *segments, const struct segment_head *head)
{
    struct segment_file *file = segments->newest;
    uint64_t at = file->end_at;

    check(segments->can_write && head->offset == file->end && segments->mark.bytes == 0);
    int error = write_head(file->fd, head, false, &at);
    if (error != 0) {
        file_truncate(file->fd, file->end_at);
        return error;
    }
    segments_lock(segments);
    file->end_at = at;
    segments_unlock(segments);
    return segments_sync(segments);
}

/* Puts the file back to where the stretch began. */
static int give_up(struct segments *segments, int error)
{
    struct segment_file *file = segments->newest;

    segments->mark = (struct segment_mark){0};
    int cut = file_truncate(file->fd, file->end_at);
    if (cut != 0)
        log_warning("Could not cut %s after a failed write: %s", file->path, strerror(-cut));
    return error;
}

static void stretch_is_whole(struct segments *segments)
{
    struct segment_file *file = segments->newest;

    segments_lock(segments);
    segment_file_note(file, file->end, segments->mark_at);
    file->end += segments->mark.bytes;
    file->end_at = segments->stretch_at;
    segments_unlock(segments);
    segments->mark = (struct segment_mark){0};
}

int segments_write(struct segments *segments, const struct segment_mark *mark, int64_t unix_s,
                   const void *ptr, size_t len)
{
    struct segment_file *file = segments->newest;
    struct buf line = {0};

    check(segments->can_write && mark->offset == file->end && len <= mark->bytes);
    segment_write_mark(&line, mark);
    if (unix_s > 0) segment_write_time(&line, unix_s);
    struct iovec iov[2] = {{line.ptr, line.len}, {(void *)ptr, len}};
    segments->mark = *mark;
    segments->mark_at = file->end_at;
    segments->stretch_at = file->end_at + line.len + len;
    segments->stretch_done = len;
    int error = file_pwritev_all(file->fd, iov, 2, file->end_at);
    buf_release(&line);
    if (error != 0) return give_up(segments, error);
    if (len == mark->bytes) stretch_is_whole(segments);
    return 0;
}

int segments_write_more(struct segments *segments, const void *ptr, size_t len)
{
    check(len <= segments->mark.bytes - segments->stretch_done);
    int error = file_pwrite_all(segments->newest->fd, ptr, len, segments->stretch_at);
    if (error != 0) return give_up(segments, error);
    segments->stretch_at += len;
    segments->stretch_done += len;
    if (segments->stretch_done == segments->mark.bytes) stretch_is_whole(segments);
    return 0;
}

int segments_sync(struct segments *segments)
{
    segments_lock(segments);
    struct segment_file *file = segments->newest;
    check(file != NULL);
    uint64_t end = file->end;
    if (file->broken) {
        segments_unlock(segments);
        return -EIO;
    }
    file->refs++;
    segments_unlock(segments);

    int error = file_sync_data(file->fd);

    segments_lock(segments);
    if (error != 0) file->broken = true;
    else if (end > segments->synced) segments->synced = end;
    segment_file_unref(file);
    segments_unlock(segments);
    return error;
}

/* ---- figures ----------------------------------------------------------------------------------- */

#define LOCKED(segments, type, expression)                                                         \
    do {                                                                                           \
        segments_lock(segments);                                                                   \
        type value_ = (expression);                                                                \
        segments_unlock(segments);                                                                 \
        return value_;                                                                             \
    } while (0)

uint64_t segments_first(const struct segments *segments)
{
    LOCKED(segments, uint64_t, segments->oldest != NULL ? segments->oldest->first : 0);
}

uint64_t segments_written(const struct segments *segments)
{
    LOCKED(segments, uint64_t, segments->newest != NULL ? segments->newest->end : 0);
}

uint64_t segments_synced(const struct segments *segments)
{
    LOCKED(segments, uint64_t, segments->synced);
}

bool segments_broken(const struct segments *segments)
{
    LOCKED(segments, bool, segments->newest != NULL && segments->newest->broken);
}

uint64_t segments_current_bytes(const struct segments *segments)
{
    LOCKED(segments, uint64_t, segments->newest != NULL ? segments->newest->end_at : 0);
}

/* ---- keeping ----------------------------------------------------------------------------------- */

/* Into the node's own folder, under a name that tells its place; the descriptor stays. */
static void move_file(struct segments *segments, struct segment_file *file)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/log-%020" PRIu64 ".aof", segments->folder, file->first);
    int error = file_make_folder(segments->folder);
    if (error == 0) error = file_rename(file->path, path);
    if (error != 0) {
        /* Another file system, say. The backlog is shorter then; the data is not concerned. */
        log_warning("Could not keep %s for the backlog: %s", file->path, strerror(-error));
        delete_file(file);
        return;
    }
    mem_free(file->path);
    file->path = copy_text(path);
    file->retired = true;
}

/* Files at the front that are gone, or that nobody wants. */
static void drop_front(struct segments *segments, uint64_t keep_from)
{
    while (segments->oldest != NULL && segments->oldest != segments->newest &&
           (segments->oldest->unlinked ||
            (segments->oldest->retired && segments->oldest->end <= keep_from)))
        drop_oldest(segments);
}

bool segments_retire(struct segments *segments, const char *path, uint64_t keep_from)
{
    struct segment_file *file;

    segments_lock(segments);
    for (file = segments->oldest; file != NULL; file = file->next)
        if (!file->retired && strcmp(file->path, path) == 0) break;
    if (file != NULL) {
        if (file->end <= keep_from) delete_file(file);
        else move_file(segments, file);
        /* A file that could not be kept leaves a gap: what is older cannot be reached any more. */
        while (file->unlinked && segments->oldest != file) drop_oldest(segments);
        drop_front(segments, keep_from);
    }
    segments_unlock(segments);
    return file != NULL;
}

void segments_release(struct segments *segments, uint64_t offset)
{
    segments_lock(segments);
    drop_front(segments, offset);
    segments_unlock(segments);
}
