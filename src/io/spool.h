/* A byte log with cursors: the newest bytes in memory, the rest in a file, bounded.
 *
 *     head                      disk | memory                      end
 *      |--------- file ------------- | == blocks ==================|
 *           ^ cursor A                        ^ cursor B
 *
 * Used for the records and the RDB bytes of a snapshot and, by the journal, for the replication
 * stream. One producer appends, any number of cursors read at their own speed; positions are
 * absolute byte offsets. Bytes are held as long as a cursor has yet to read them or the retention
 * (spool_trim, keep_head) wants them.
 *
 * Memory. When more than memory_bytes_max is held, the oldest full blocks are written to an
 * unlinked 0600 file in `dir` by the worker, a few MB at a time and in order, and their memory goes
 * back to the allocator when the write has returned. A cursor that reads there and then catches up
 * with memory goes on without a seam.
 *
 * The producer never waits, neither for a cursor nor for the disk. So memory can stand above the
 * bound by what was appended while the worker wrote; spool_pressure() tells, and a producer that
 * can pause (the snapshot's walker) does so while it is high. Where the disk takes no more (ENOSPC,
 * EIO, disk_bytes_max, the shared room), everything stays in memory, spool_failed() says why, and the
 * owner decides which reader has to go. Nothing held is ever lost or skipped. Writing is tried again
 * when something was released, and each time memory has grown by another eighth of its bound.
 *
 * A spool whose bytes somebody else keeps on disk (struct spool_store: the journal's segments) writes no
 * file of its own: memory over the bound is dropped once the store has it, and cursors read there.
 *
 * Disk. Space below the head is given back by punching holes; a drained file is truncated.
 *
 * Invariants:
 *   1. head <= every cursor's position <= end; head and end only grow.
 *   2. Every byte in [head, end) is in the file, in the store or in a block; in the file or the store
 *      and in a block only while it is on its way out of memory.
 *   3. Blocks are contiguous, and all but the last are full.
 *   4. Borrowed bytes stay where they are until their cursor moves, peeks again or closes.
 *
 * Threads: append, trim and the cursor functions lock; a cursor belongs to one thread at a time.
 * With a worker, spool_peek and spool_notify are for cursors of the worker's loop; spool_read_wait
 * is for cursors of other threads, and reads the file itself. */
#ifndef PANDO_IO_SPOOL_H
#define PANDO_IO_SPOOL_H

#include "base/err.h"
#include "base/span.h"
#include "io/spool_room.h"
#include "io/worker.h"

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct spool;
struct spool_cursor;

/* Somebody else who keeps the appended bytes on disk as well, and can read them back: then memory over
 * the bound is given up as soon as the store holds it, and the spool's own file is used for nothing
 * but what stands before the store's first byte. Called from any thread, with and without the spool's
 * lock: it may not call the spool. */
struct spool_store {
    /* The bytes in [*first, result) are held. Both only grow while the spool has the store; the first
     * byte that a cursor or the retention needs stays held. */
    uint64_t (*held)(void *context, uint64_t *first);
    /* Bytes from `offset` on: how many, at least one, or -errno. */
    ssize_t (*read)(void *context, uint64_t offset, void *out, size_t len);
    void *context;
};

struct spool_options {
    const char *dir;         /* for the file; made when first needed, 0700 */
    size_t memory_bytes_max; /* 0: everything stays in memory; less than 4 blocks means 4 blocks */
    uint64_t disk_bytes_max; /* 0: the file system less the larger of 10% and 1 GB */
    struct spool_room *room; /* shared with other spools: counts against its bound too, which, where
                              * it has one, stands in the place of the file system's; or NULL */
    struct worker *worker;   /* does the file's I/O and outlives the spool; NULL: it is done in the
                              * caller's thread (tests, simulation) */
    uint64_t start;          /* absolute offset of the first byte appended */
    uint64_t head;           /* with a store: where what it holds before `start` begins */
    bool keep_head;          /* keep everything from `start` for late cursors until
                              * spool_release_head; spool_trim has no effect until then */
    size_t block_bytes;      /* 0: 64 KB, an allocator class; tests choose less */
    const struct spool_store *store; /* from the beginning; copied; NULL: none */
    uint64_t file_wrap; /* 0: 8 TB; the file is used as a ring of that length, so that a spool that
                         * is never empty does not outgrow its file system's longest file */
};

struct spool *spool_new(const struct spool_options *options);
/* From now on. NULL takes it away: what only the store has is forgotten, so no cursor may stand there
 * (spool_memory_head). */
void spool_set_store(struct spool *spool, const struct spool_store *store);
/* All cursors must be closed. Jobs under way end first, in the background. NULL is fine. */
void spool_free(struct spool *spool);
void spool_set_limits(struct spool *spool, size_t memory_bytes_max, uint64_t disk_bytes_max);

void spool_append(struct spool *spool, const void *ptr, size_t len);
void spool_finish(struct spool *spool); /* no more bytes will come: cursors reach an end */
/* OK, or since the disk part could not grow: ERR_LIMIT (a bound, or ENOSPC) or ERR_IO. OK again when
 * a write succeeded, when something was released, so that another try is due, or when what has to
 * be kept fits into memory. */
enum err spool_failed(const struct spool *spool);
/* There may be room that this spool did not release itself: a write that failed is tried again now. */
void spool_try_again(struct spool *spool);
/* Memory that is needed as a percentage of its bound (0 without one). Over 100 while the worker is
 * behind; a producer that can pause does so from 150 on. */
unsigned spool_pressure(const struct spool *spool);

uint64_t spool_head(const struct spool *spool);        /* oldest byte still held */
uint64_t spool_memory_head(const struct spool *spool); /* oldest byte that memory holds, or end */
uint64_t spool_end(const struct spool *spool);         /* one past the newest */
size_t spool_memory(const struct spool *spool);        /* bytes in memory, overhead included */
uint64_t spool_disk(const struct spool *spool);        /* bytes of the file in use */
/* Retention besides cursors: bytes before `offset` may go. Monotonic. What cursors hold stays. A
 * call frees a bounded number of blocks; later calls and appends go on. */
void spool_trim(struct spool *spool, uint64_t offset);
/* Ends keep_head and every other retention: only cursors hold bytes from now on. */
void spool_release_head(struct spool *spool);

/* Opens a cursor at `offset`; NULL where that is not held (below head or beyond end). */
struct spool_cursor *spool_open(struct spool *spool, uint64_t offset);
void spool_close(struct spool_cursor *cursor); /* NULL is fine */
uint64_t spool_position(const struct spool_cursor *cursor);

enum spool_read {
    SPOOL_BYTES,   /* there are bytes: iov is filled */
    SPOOL_NOTHING, /* caught up with the end; call again after an append, or spool_notify */
    SPOOL_END,     /* caught up and the spool is finished */
    SPOOL_WAIT,    /* the bytes are on disk and on their way to memory: `arrived` will be called */
    SPOOL_ERROR,   /* the disk part cannot be read; another call tries again */
};
#define SPOOL_RUNS_MAX 16 /* a larger iov_max is no use */
/* Borrows up to iov_max runs of bytes from the position on, at most `bytes_max` (at least 1). They
 * stay valid until the cursor moves, peeks again or closes. Reads from disk happen on the worker
 * (256 KB at a time, read ahead); `arrived(context)` is then called once on the worker's loop,
 * unless the cursor was closed before; without a worker they happen here and SPOOL_WAIT never
 * comes. */
enum spool_read spool_peek(struct spool_cursor *cursor, struct iovec *iov, int *iov_count,
                           int iov_max, size_t bytes_max, void (*arrived)(void *), void *context);
/* Moves on; at most to the end. A cursor that skips unread bytes is fine. */
void spool_advance(struct spool_cursor *cursor, size_t bytes);
/* After SPOOL_NOTHING, where another thread appends: calls call(context) once on the worker's loop
 * when there are more bytes or the spool is finished, unless the cursor was closed before. */
void spool_notify(struct spool_cursor *cursor, void (*call)(void *), void *context);

/* For consumer threads: copies up to `len` bytes, waiting for the first until the spool is
 * finished. The count; 0 at the end; -1 on a read error or after spool_cancel. */
ssize_t spool_read_wait(struct spool_cursor *cursor, void *out, size_t len);
/* The same until `len` bytes are there. False where fewer come. */
bool spool_read_exactly(struct spool_cursor *cursor, void *out, size_t len);
void spool_cancel(struct spool *spool); /* wakes waiting readers: their reads fail from now on */

/* Checks the invariants of the whole structure; for tests and fuzzers. */
void spool_check(const struct spool *spool);

#endif
