/* An image on its way into a file: SAVE, BGSAVE, and the base of an AOF.
 *
 * A saver is one reader of an image (persist/image.h) with a thread of its own. It writes
 * `dir/temp-<pid>-<n>.rdb`, syncs every RDB_FILE_SYNC_BYTES (rdb-save-incremental-fsync) so that no
 * second-long fsync stands at the end, then fsyncs, renames over the final name and fsyncs the
 * folder: whoever looks sees the old file or the new one, whole.
 *
 * Every outcome but success removes the temporary file. */
#ifndef PANDO_PERSIST_RDB_FILE_H
#define PANDO_PERSIST_RDB_FILE_H

#include "persist/image.h"

#define RDB_FILE_SYNC_BYTES (4 * 1024 * 1024)

struct rdb_file;

struct rdb_file_options { /* copied */
    const char *dir;      /* where the file goes */
    const char *name;     /* dbfilename */
    bool incremental_fsync;
    /* On the loop, once, unless aborted; the saver is gone when it returns. error is "" on success.
     */
    void (*done)(void *context, const char *error, uint64_t bytes);
    void *context;
};

/* Starts to write the image to its file. The caller goes on calling image_walk. Needs an image with
 * a loop. NULL with `error` set where the temporary file cannot be made. */
struct rdb_file *rdb_file_start(struct image *image, const struct rdb_file_options *options,
                                char error[256]);
/* Gives up: the temporary file is gone when this returns, `done` will not be called. The image goes
 * on. False: too late, the file stands under its final name (`done` is not called either). */
bool rdb_file_abort(struct rdb_file *file);

/* SAVE: makes the whole file before it returns, in the caller's thread, straight from the store: no
 * spool, no image. Of image_options it takes what concerns the bytes. OK, or with `error` set
 * ERR_IO (the disk), ERR_LIMIT (too many snapshots are running; or `tick` gave up). `tick` (may be
 * NULL) is called now and then and returns false to give up (a second SIGTERM); `bytes` (may be
 * NULL) gets the size. */
enum err rdb_file_save(struct store *store, const struct image_options *image_options,
                       const struct rdb_file_options *options, bool (*tick)(void *),
                       char error[256], uint64_t *bytes);

/* Removes temporary files in dir that a process left behind when it died. Never one that is being
 * written. */
void rdb_file_sweep(const char *dir);

#endif
