#include "persist/rdb_file.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/file.h"
#include "io/temp_file.h"
#include "persist/encoder.h"
#include "store/snapshot.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define PIECE_BYTES (256 * 1024)
#define PREFIX      "temp-"
#define SUFFIX      ".rdb"

struct rdb_file {
    struct image *image;
    struct spool_cursor *cursor; /* the thread's until it is done */
    struct worker *thread;
    struct temp_file temp;
    char path[PATH_MAX]; /* the final name */
    void (*done)(void *context, const char *error, uint64_t bytes);
    void *context;
    char error[256]; /* the thread's until it is done */
    _Atomic uint64_t written;
    pthread_mutex_t lock; /* guards what follows, and the rename */
    bool aborted, renamed;
};

static int open_temp(struct temp_file *temp, const struct rdb_file_options *options, char *path,
                     char error[256])
{
    int result = -ENAMETOOLONG;

    temp->fd = -1;
    if (snprintf(path, PATH_MAX, "%s/%s", options->dir, options->name) < PATH_MAX)
        result = temp_file_open(temp, options->dir, PREFIX, SUFFIX,
                                options->incremental_fsync ? RDB_FILE_SYNC_BYTES : 0);
    if (result != 0)
        snprintf(error, 256, "Failed opening the temp RDB file in %.100s for saving: %s",
                 options->dir, strerror(-result));
    return result;
}

static void say_write_error(char error[256], int result)
{
    snprintf(error, 256, "Write error saving DB on disk: %s", strerror(-result));
}

/* ---- the saver's thread --------------------------------------------------------------------- */

static bool is_aborted(struct rdb_file *file)
{
    pthread_mutex_lock(&file->lock);
    bool aborted = file->aborted;
    pthread_mutex_unlock(&file->lock);
    return aborted;
}

/* True when the whole image is in the temporary file. */
static bool copy_image(struct rdb_file *file, char *piece)
{
    for (;;) {
        ssize_t len = spool_read_wait(file->cursor, piece, PIECE_BYTES);
        if (is_aborted(file)) return false;
        if (len == 0) return true;
        if (len < 0) {
            snprintf(file->error, sizeof file->error, "The snapshot was not completed");
            return false;
        }
        int result = temp_file_write(&file->temp, piece, (size_t)len);
        if (result != 0) {
            say_write_error(file->error, result);
            return false;
        }
        file->written = file->temp.written;
    }
}

static void put_in_place(struct rdb_file *file)
{
    int result = temp_file_sync(&file->temp);

    if (result != 0) {
        say_write_error(file->error, result);
        return;
    }
    pthread_mutex_lock(&file->lock);
    if (!file->aborted) {
        result = temp_file_rename(&file->temp, file->path);
        file->renamed = result == 0;
    }
    pthread_mutex_unlock(&file->lock);
    if (result == 0 && file->renamed) result = file_sync_folder(file->path);
    if (result != 0)
        snprintf(file->error, sizeof file->error,
                 "Error moving temp DB file on the final destination %.100s: %s", file->path,
                 strerror(-result));
}

static void run_saver(void *context)
{
    struct rdb_file *file = context;
    char *piece = mem_alloc(PIECE_BYTES);

    if (copy_image(file, piece)) put_in_place(file);
    pthread_mutex_lock(&file->lock);
    temp_file_discard(&file->temp);
    pthread_mutex_unlock(&file->lock);
    mem_free(piece);
}

/* ---- the engine's side ---------------------------------------------------------------------- */

static void on_saver_done(void *context)
{
    struct rdb_file *file = context;
    bool tell = !file->aborted;
    const char *why = image_error(file->image);

    if (file->error[0] != '\0' && why[0] != '\0')
        snprintf(file->error, sizeof file->error, "The snapshot was not completed: %.200s", why);
    image_close(file->image, file->cursor);
    if (tell) file->done(file->context, file->error, file->temp.written);
    worker_free(file->thread);
    pthread_mutex_destroy(&file->lock);
    mem_free(file);
}

struct rdb_file *rdb_file_start(struct image *image, const struct rdb_file_options *options,
                                char error[256])
{
    struct rdb_file *file = mem_zalloc(sizeof *file);

    check(image_loop(image) != NULL);
    if (open_temp(&file->temp, options, file->path, error) != 0) {
        mem_free(file);
        return NULL;
    }
    file->cursor = image_open(image, 0);
    if (file->cursor == NULL) {
        snprintf(error, 256, "The snapshot's first bytes are gone");
        temp_file_discard(&file->temp);
        mem_free(file);
        return NULL;
    }
    file->image = image;
    file->done = options->done;
    file->context = options->context;
    pthread_mutex_init(&file->lock, NULL);
    file->thread = worker_new_background("rdb-saver", image_loop(image));
    worker_submit(file->thread, run_saver, on_saver_done, file);
    return file;
}

bool rdb_file_abort(struct rdb_file *file)
{
    pthread_mutex_lock(&file->lock);
    bool renamed = file->renamed;
    file->aborted = true;
    if (!renamed) temp_file_unlink(&file->temp);
    pthread_mutex_unlock(&file->lock);
    return !renamed;
}

/* ---- SAVE ----------------------------------------------------------------------------------- */

struct saving {
    struct store *store;
    struct encoder encoder;
    struct temp_file temp;
    int result; /* the first failure of a write */
};

static void encode_records(void *context, const void *ptr, size_t len)
{
    struct saving *saving = context;

    encoder_feed(&saving->encoder, ptr, len);
}

static void write_rdb(void *context, const void *ptr, size_t len)
{
    struct saving *saving = context;

    if (saving->result == 0) saving->result = temp_file_write(&saving->temp, ptr, len);
}

static void release_lease(void *context, const struct entry *entry)
{
    const struct saving *saving = context;
    snapshot_release_lease(entry, saving->store);
}

/* False with `error` set where the file is not complete. */
static bool make_file(struct saving *saving, struct snapshot *snapshot,
                      const struct image_options *image_options, bool (*tick)(void *),
                      void *context, char error[256])
{
    encoder_begin(&saving->encoder, image_options);
    do {
        if (tick != NULL && !tick(context)) {
            snprintf(error, 256, "Saving was given up");
            return false;
        }
    } while (saving->result == 0 && !snapshot_walk(snapshot, 1024 * 1024, 4096));
    if (saving->result == 0 && encoder_end(&saving->encoder) != OK) saving->result = -EIO;
    if (saving->result == 0) saving->result = temp_file_sync(&saving->temp);
    if (saving->result != 0) say_write_error(error, saving->result);
    return saving->result == 0;
}

enum err rdb_file_save(struct store *store, const struct image_options *image_options,
                       const struct rdb_file_options *options, bool (*tick)(void *),
                       char error[256], uint64_t *bytes)
{
    struct saving *saving = mem_zalloc(sizeof *saving);
    struct snapshot_sink sink = {encode_records, saving};
    struct snapshot *snapshot;
    enum err err = ERR_IO;
    char path[PATH_MAX];

    saving->store = store;
    error[0] = '\0';
    if (open_temp(&saving->temp, options, path, error) != 0) goto out;
    snapshot = snapshot_start(store, &sink);
    if (snapshot == NULL) {
        snprintf(error, 256, "Too many snapshots are running");
        err = ERR_LIMIT;
        goto out;
    }
    encoder_init(&saving->encoder, image_options, snapshot_figures(snapshot),
                 store_databases(store), write_rdb, release_lease, saving);
    if (make_file(saving, snapshot, image_options, tick, options->context, error)) {
        int result = temp_file_rename(&saving->temp, path);
        if (result == 0) result = file_sync_folder(path);
        if (result != 0)
            snprintf(error, 256, "Error moving temp DB file on the final destination %.100s: %s",
                     path, strerror(-result));
        else err = OK;
    } else if (saving->result == 0) {
        err = ERR_LIMIT;
    }
    snapshot_end(snapshot);
    encoder_release(&saving->encoder);
    if (err == OK && bytes != NULL) *bytes = saving->temp.written;
out:
    temp_file_discard(&saving->temp);
    mem_free(saving);
    return err;
}

void rdb_file_sweep(const char *dir)
{
    int removed = temp_file_sweep(dir, PREFIX, SUFFIX);

    if (removed > 0) log_notice("Removed %d temporary RDB files left behind in %s", removed, dir);
}
