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
 * on. */
void rdb_file_abort(struct rdb_file *file);
uint64_t rdb_file_written(const struct rdb_file *file);

/* SAVE: makes the whole image and its file before it returns, all in the caller's thread.
 * `image_options` need not have loop or worker. OK, or ERR_IO / ERR_LIMIT with `error` set; bytes
 * may be NULL. `tick` (may be NULL) is called now and then: false gives up (a second SIGTERM). */
enum err rdb_file_save(struct store *store, const struct image_options *image_options,
                       const struct rdb_file_options *options, bool (*tick)(void *),
                       char error[256], uint64_t *bytes);

/* Removes temp-*.rdb files in dir that were left by process `pid` (this one's predecessor under the
 * same pid), and by processes that no longer run. Never anyone else's. */
void rdb_file_sweep(const char *dir);

#endif
