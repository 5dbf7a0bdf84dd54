/* The cursors of a spool: opening, borrowing, moving on, waiting, and being told of an append. */
#include "base/check.h"
#include "base/mem.h"
#include "io/spool_inside.h"

#include <string.h>

/* ---- notices --------------------------------------------------------------------------------- */

/* Telling a cursor's owner of an append. Freed on the loop's thread. */
struct notice {
    struct spool_cursor *cursor; /* NULL: closed meanwhile */
    void (*call)(void *);
    void *context;
    bool sent;
    struct notice *next;
};

struct notice *notices_take(struct spool *spool)
{
    struct notice *list = NULL;

    if (spool->notices == 0) return NULL;
    for (struct spool_cursor *c = spool->cursors; c != NULL; c = c->next) {
        if (c->notice == NULL || c->notice->sent) continue;
        c->notice->sent = true;
        c->notice->next = list;
        list = c->notice;
    }
    spool->notices = 0;
    return list;
}

static void run_notice(void *context)
{
    struct notice *notice = context;
    struct spool_cursor *cursor = notice->cursor;

    if (cursor != NULL) {
        spool_lock(cursor->spool);
        cursor->notice = NULL;
        spool_unlock(cursor->spool);
        notice->call(notice->context);
    }
    mem_free(notice);
}

void notices_send(struct spool *spool, struct notice *list)
{
    while (list != NULL) {
        struct notice *next = list->next;
        if (spool->worker != NULL) worker_tell(spool->worker, run_notice, list);
        else run_notice(list);
        list = next;
    }
}

/* ---- cursors --------------------------------------------------------------------------------- */

struct spool_cursor *spool_open(struct spool *spool, uint64_t offset)
{
    struct spool_cursor *cursor = NULL;

    spool_lock(spool);
    if (offset >= spool->head && offset <= spool->end) {
        cursor = mem_zalloc(sizeof *cursor);
        cursor->spool = spool;
        cursor->position = offset;
        cursor->next = spool->cursors;
        if (cursor->next != NULL) cursor->next->previous = cursor;
        spool->cursors = cursor;
        spool->cursor_count++;
        if (offset < spool->cursors_min) spool->cursors_min = offset;
    }
    spool_unlock(spool);
    return cursor;
}

static void find_cursors_min(struct spool *spool)
{
    uint64_t min = UINT64_MAX;

    for (struct spool_cursor *c = spool->cursors; c != NULL; c = c->next)
        if (c->position < min) min = c->position;
    spool->cursors_min = min;
}

static void return_borrowed(struct spool_cursor *cursor)
{
    for (int i = 0; i < cursor->borrowed_count; i++)
        block_unref(cursor->spool, cursor->borrowed[i]);
    cursor->borrowed_count = 0;
}

/* A cursor left `from`. Only the lowest ones can hold the head back, and only by whole blocks. What is
 * released may be room that a failed write waits for. */
static void moved(struct spool *spool, uint64_t from, bool closed, uint64_t to)
{
    uint64_t block = from - from % spool->block_bytes;

    if (block > spool->cursors_min) return;
    if (!closed && to - block < spool->block_bytes) return;
    find_cursors_min(spool);
    spool_collect(spool, SPOOL_BLOCKS_PER_CALL);
    disk_spill(spool);
}

void spool_close(struct spool_cursor *cursor)
{
    struct spool *spool;
    struct notice *unsent = NULL;

    if (cursor == NULL) return;
    spool = cursor->spool;
    spool_lock(spool);
    return_borrowed(cursor);
    disk_forget(cursor, true);
    if (cursor->notice != NULL && !cursor->notice->sent) {
        unsent = cursor->notice;
        spool->notices--;
    } else if (cursor->notice != NULL) {
        cursor->notice->cursor = NULL;
    }
    if (cursor->previous != NULL) cursor->previous->next = cursor->next;
    else spool->cursors = cursor->next;
    if (cursor->next != NULL) cursor->next->previous = cursor->previous;
    spool->cursor_count--;
    moved(spool, cursor->position, true, 0);
    spool_unlock(spool);
    mem_free(unsent);
    mem_free(cursor);
}

uint64_t spool_position(const struct spool_cursor *cursor)
{
    return cursor->position; /* its own thread writes it */
}

static int peek_memory(struct spool_cursor *cursor, struct iovec *iov, int iov_max,
                       size_t bytes_max)
{
    struct spool *spool = cursor->spool;
    size_t into = (size_t)(cursor->position - memory_start(spool));
    size_t left = (size_t)(spool->end - cursor->position);
    size_t index = into / spool->block_bytes;
    int count = 0;

    into %= spool->block_bytes;
    if (left > bytes_max) left = bytes_max;
    for (; left > 0 && count < iov_max; count++) {
        struct block *block = ring_at(spool, index++);
        size_t run = spool->block_bytes - into;

        if (run > left) run = left;
        iov[count] = (struct iovec){block->data + into, run};
        block->refs++;
        cursor->borrowed[cursor->borrowed_count++] = block;
        left -= run;
        into = 0;
    }
    return count;
}

enum spool_read spool_peek(struct spool_cursor *cursor, struct iovec *iov, int *iov_count,
                           int iov_max, size_t bytes_max, void (*arrived)(void *), void *context)
{
    struct spool *spool = cursor->spool;
    enum spool_read result = SPOOL_BYTES;

    check(iov_max > 0 && bytes_max > 0);
    if (iov_max > SPOOL_RUNS_MAX) iov_max = SPOOL_RUNS_MAX;
    *iov_count = 0;
    spool_lock(spool);
    return_borrowed(cursor);
    if (cursor->position == spool->end) result = spool->finished ? SPOOL_END : SPOOL_NOTHING;
    else if (cursor->position < memory_start(spool))
        result = disk_peek(cursor, iov, iov_count, iov_max, bytes_max, arrived, context);
    else *iov_count = peek_memory(cursor, iov, iov_max, bytes_max);
    spool_unlock(spool);
    return result;
}

void spool_advance(struct spool_cursor *cursor, size_t bytes)
{
    struct spool *spool = cursor->spool;
    uint64_t from = cursor->position;

    spool_lock(spool);
    check(bytes <= spool->end - from);
    return_borrowed(cursor);
    cursor->position = from + bytes;
    disk_forget(cursor, cursor->position >= memory_start(spool));
    moved(spool, from, false, cursor->position);
    spool_unlock(spool);
}

void spool_notify(struct spool_cursor *cursor, void (*call)(void *), void *context)
{
    struct spool *spool = cursor->spool;
    struct notice *notice = NULL;

    spool_lock(spool);
    if (cursor->notice == NULL) {
        notice = mem_alloc(sizeof *notice);
        *notice = (struct notice){.cursor = cursor, .call = call, .context = context};
        cursor->notice = notice;
        spool->notices++;
    }
    /* Appended since the caller looked. */
    if (notice != NULL && (cursor->position < spool->end || spool->finished || spool->cancelled)) {
        notice->sent = true;
        spool->notices--;
    } else {
        notice = NULL;
    }
    spool_unlock(spool);
    notices_send(spool, notice);
}

/* Copies out of one block, without the lock. */
static size_t copy_block(struct spool_cursor *cursor, char *out, size_t len)
{
    struct spool *spool = cursor->spool;
    struct iovec run;

    peek_memory(cursor, &run, 1, len);
    spool_unlock(spool);
    memcpy(out, run.iov_base, run.iov_len);
    spool_lock(spool);
    return_borrowed(cursor);
    return run.iov_len;
}

ssize_t spool_read_wait(struct spool_cursor *cursor, void *out, size_t len)
{
    struct spool *spool = cursor->spool;
    size_t done = 0;
    bool failed = false;

    spool_lock(spool);
    while (cursor->position == spool->end && !spool->finished && !spool->cancelled) {
        spool->waiting++;
        pthread_cond_wait(&spool->grew, &spool->lock);
        spool->waiting--;
    }
    while (done < len && cursor->position < spool->end && !spool->cancelled) {
        uint64_t from = cursor->position;
        ssize_t n;

        if (from < memory_start(spool))
            n = disk_read_unlocked(cursor, (char *)out + done, len - done);
        else n = (ssize_t)copy_block(cursor, (char *)out + done, len - done);
        failed = n < 0;
        if (failed) break;
        done += (size_t)n;
        cursor->position = from + (size_t)n;
        moved(spool, from, false, cursor->position);
    }
    failed = failed || spool->cancelled;
    spool_unlock(spool);
    return done > 0 ? (ssize_t)done : failed ? -1 : 0;
}

bool spool_read_exactly(struct spool_cursor *cursor, void *out, size_t len)
{
    for (char *to = out; len > 0;) {
        ssize_t got = spool_read_wait(cursor, to, len);
        if (got <= 0) return false;
        to += got;
        len -= (size_t)got;
    }
    return true;
}
