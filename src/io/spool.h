/* A byte log with cursors: the newest bytes in memory, the rest in a file, bounded.
 *
 *     head                      disk | memory                      end
 *      |--------- file ------------- | == blocks ==================|
 *           ^ cursor A                        ^ cursor B
 *
 * Used for the records and the RDB bytes of a snapshot and, by the journal, for the replication stream.
 * One producer appends, any number of cursors read at their own speed; positions are absolute byte offsets.
 * Memory is bounded: when more than memory_bytes_max stands in memory that some cursor (or the retention)
 * still needs, the oldest blocks are written to an unlinked 0600 file in `dir` by the file worker and
 * their memory is freed. The producer never waits for a cursor nor for the disk; only when the disk cannot
 * take more (ENOSPC, bytes_max) does the spool say so through spool_failed() and the owner decides
 * which reader has to go.
 *
 * Threads: append, trim and the cursor functions lock; a cursor belongs to one thread at a time. */
#ifndef PANDO_IO_SPOOL_H
#define PANDO_IO_SPOOL_H

#include "base/err.h"
#include "base/span.h"
#include "io/worker.h"
#include <stdint.h>
#include <sys/uio.h>

struct spool;
struct spool_cursor;

struct spool_options {
    const char *dir;            /* for the file; made when first needed, 0700 */
    size_t memory_bytes_max;    /* 0: everything stays in memory */
    uint64_t disk_bytes_max;    /* 0: the file system less the larger of 10% and 1 GB */
    struct worker *worker;      /* writes the file; NULL: written in the appender's thread (tests, simulation) */
    uint64_t start;             /* absolute offset of the first byte */
    bool keep_head;             /* keep everything from `start` for late cursors until spool_release_head */
};

struct spool *spool_new(const struct spool_options *options);
void spool_free(struct spool *spool); /* all cursors must be closed */

void spool_append(struct spool *spool, const void *ptr, size_t len);
void spool_finish(struct spool *spool); /* no more bytes will come: cursors reach an end */
bool spool_finished(const struct spool *spool);
enum err spool_failed(const struct spool *spool); /* OK, or ERR_IO / ERR_LIMIT since the disk part could not grow */

uint64_t spool_head(const struct spool *spool); /* oldest byte still held */
uint64_t spool_end(const struct spool *spool);  /* one past the newest */
size_t spool_memory(const struct spool *spool); /* bytes in memory, block overhead included */
uint64_t spool_disk(const struct spool *spool); /* bytes in the file */
/* Retention besides cursors: bytes before `offset` may go. Monotonic. What cursors hold stays. */
void spool_trim(struct spool *spool, uint64_t offset);
void spool_release_head(struct spool *spool); /* ends keep_head */

/* Opens a cursor at `offset`; NULL where that is not held (below head or beyond end). */
struct spool_cursor *spool_open(struct spool *spool, uint64_t offset);
void spool_close(struct spool_cursor *cursor);
uint64_t spool_position(const struct spool_cursor *cursor);

enum spool_read {
    SPOOL_BYTES,   /* there are bytes: iov is filled */
    SPOOL_NOTHING, /* caught up with the end; call again after an append */
    SPOOL_END,     /* caught up and the spool is finished */
    SPOOL_WAIT,    /* the bytes are on disk and on their way to memory: `arrived` will be called */
    SPOOL_ERROR,   /* the disk part cannot be read */
};
/* Borrows up to iov_max runs of bytes from the position on, at most `bytes_max`. They stay valid until the cursor
 * moves or closes. Reads from disk happen on the worker (256 KB at a time, read ahead); `arrived(context)` is then
 * called on the worker's loop; without a worker they happen here and SPOOL_WAIT never comes. */
enum spool_read spool_peek(struct spool_cursor *cursor, struct iovec *iov, int *iov_count, int iov_max, size_t bytes_max,
                           void (*arrived)(void *), void *context);
void spool_advance(struct spool_cursor *cursor, size_t bytes);
/* For consumer threads: copies up to `len` bytes, waiting for more until the spool is finished. 0 at the end,
 * -1 on error or after spool_cancel. */
ssize_t spool_read_wait(struct spool_cursor *cursor, void *out, size_t len);
void spool_cancel(struct spool *spool); /* wakes waiting readers: their reads fail from now on */

#endif
