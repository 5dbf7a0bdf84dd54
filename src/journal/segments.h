/* The log on disk: the incr files of the AOF, and those that a rewrite retired but the backlog still
 * wants.
 *
 *      retired, ours alone            live, in the AOF's folder
 *   +--------------+-----------+   +-----------+----------------+
 *   | 0 .. 700     | 700 .. 950|   | 950 .. 1k | 1k .. written  | <- current: segments_write
 *   +--------------+-----------+   +-----------+----------------+
 *   first                                                    written
 *
 * One stretch of offsets without a gap, each file a part of it (segment.h). Whatever stands in it can
 * be read by offset (segments_read), which is how a replica is fed what memory no longer holds: the
 * spool of the journal drops from memory what is `written` here, and reads it back from here.
 *
 * What belongs to the AOF is the owner's to say: it begins files, and retires them when the manifest
 * no longer names them. A retired file that the backlog wants moves into the node's own folder as
 * log-<offset>.aof; segments_release deletes those that nobody needs.
 *
 * Invariants
 * 1. Files are contiguous: each begins where the one before ends.
 * 2. Bytes below `written` have been taken by write(2), those below `synced` are durable as far as
 *    fdatasync says. Both only grow.
 * 3. A failed write leaves the file as it was before (cut back), so it can be tried again. A failed
 *    sync is never tried again on that file: `broken` stays set until another file is begun.
 *
 * Threads: segments_write, _begin and _mark_head belong to one thread, the writer; everything else may
 * be called by any. */
#ifndef PANDO_JOURNAL_SEGMENTS_H
#define PANDO_JOURNAL_SEGMENTS_H

#include "journal/segment_reader.h"

#include <sys/types.h>
#include <sys/uio.h>

struct segments;

/* `folder` is the node's own, where retired files go. */
struct segments *segments_new(const char *folder);
void segments_free(struct segments *segments); /* closes; nothing is deleted */

/* ---- taking files that exist: at start, before anything else ---------------------------------- */

struct segments_found {
    enum segment_part tail;   /* why the walk ended: END, SHORT, FOREIGN, DAMAGED, IO */
    bool bad_crc;             /* the last stretch is whole, its CRC is wrong: nothing counts it */
    bool has_history;         /* the file begins with our head */
    struct segment_head head; /* the last one */
    uint64_t first, end;      /* offsets of its complete stretches; equal where there are none */
    uint64_t end_at;          /* position behind the last complete stretch */
    uint64_t tail_at;         /* where bytes behind it begin: of a short stretch, behind its mark */
    uint64_t size;
    uint64_t tail_end; /* the size; of a short one without zeros, by which the file had grown */
    int64_t unix_s;    /* of the last time line */
    int error;         /* -errno with SEGMENT_IO */
};
/* Walks a file. Every stretch's CRC is checked; a wrong one is DAMAGED unless it is the last. With `segments`
 * the file is taken into it as the newest, if it has history and continues what is there (else what is
 * there is forgotten first). */
void segments_examine(struct segments *segments, const char *path, bool retired,
                      struct segments_found *out);
/* Retired files in the folder, oldest first, that continue each other; the others are deleted. */
void segments_take_retired(struct segments *segments);
/* Forgets everything; retired files are deleted. */
void segments_forget(struct segments *segments);
/* The newest file is cut at `at` and written on from there: 0 or -errno. */
int segments_continue(struct segments *segments, uint64_t at);

/* ---- writing ------------------------------------------------------------------------------------ */

/* Makes a new file with its head and goes on there, once the old one is synced (unless it is broken) and commit(context) (may
 * be NULL), which makes the new one known to a restart, returned 0. `head` continues what is written,
 * or everything before is forgotten. On failure (-errno) the old file goes on. */
int segments_begin(struct segments *segments, const char *path, const struct segment_head *head,
                   int (*commit)(void *context), void *context);
/* The id changes here: a head line in the middle of the file, durable when this returns 0. A failed write leaves the
 * file as it was; after a failed sync the line stands, and the file is broken. */
int segments_mark_head(struct segments *segments, const struct segment_head *head);
/* Writes a mark and, in the same call to the system, the first `len` bytes of its stretch; unix_s: a
 * time line, 0 for none. Then segments_write_more with the others. `written` moves on when the
 * stretch is whole. 0 or -errno: then nothing of the stretch is left in the file, and it is begun
 * anew. */
int segments_write(struct segments *segments, const struct segment_mark *mark, int64_t unix_s,
                   const void *ptr, size_t len);
int segments_write_more(struct segments *segments, const void *ptr, size_t len);
/* Makes durable what is written now; advances `synced`. Any thread. */
int segments_sync(struct segments *segments);

/* ---- reading ------------------------------------------------------------------------------------ */

uint64_t segments_first(const struct segments *segments);
uint64_t segments_written(const struct segments *segments);
uint64_t segments_synced(const struct segments *segments);
bool segments_broken(const struct segments *segments); /* a sync failed: invariant 3 */
/* Bytes of the current file, comment lines and all: aof_current_size counts files. */
uint64_t segments_current_bytes(const struct segments *segments);
/* Log bytes from `offset` on: how many, at least one, or -errno (-ENOENT: not held). */
ssize_t segments_read(struct segments *segments, uint64_t offset, void *out, size_t len);

/* ---- keeping ------------------------------------------------------------------------------------ */

/* The AOF does not name this file any more. It is moved or, where it ends at or below `keep_from`,
 * deleted. False, nothing done, where it is none of these files. */
bool segments_retire(struct segments *segments, const char *path, uint64_t keep_from);
/* Deletes retired files that end at or below `offset`. */
void segments_release(struct segments *segments, uint64_t offset);

#endif
