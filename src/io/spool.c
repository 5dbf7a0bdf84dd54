#include "io/spool_inside.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

#define BLOCK_BYTES     (65536 - sizeof(struct block))
#define BLOCKS_PER_CALL 16        /* freed by one append, advance or trim */
#define APPEND_STEP     (1 << 20) /* the lock is held for at most that many bytes */
#define FILE_WRAP       (UINT64_C(1) << 43)

/* Telling a cursor's owner of an append. Freed on the loop's thread. */
struct notice {
    struct spool_cursor *cursor; /* NULL: closed meanwhile */
    void (*call)(void *);
    void *context;
    bool sent;
    struct notice *next;
};

static void lock(const struct spool *spool)
{
    pthread_mutex_lock((pthread_mutex_t *)&spool->lock);
}

static void unlock(const struct spool *spool)
{
    pthread_mutex_unlock((pthread_mutex_t *)&spool->lock);
}

/* ---- blocks -- */

bool block_let_go(struct spool *spool, struct block *block)
{
    if (--block->refs > 0) return false;
    spool->memory -= sizeof *block + spool->block_bytes;
    return true;
}

void block_unref(struct spool *spool, struct block *block)
{
    if (block_let_go(spool, block)) mem_free(block);
}

static struct block *ring_add(struct spool *spool)
{
    struct block *block = mem_alloc(sizeof *block + spool->block_bytes);

    if (spool->ring_count == spool->ring_cap) {
        size_t cap = spool->ring_cap == 0 ? 16 : spool->ring_cap * 2;
        struct block **ring = mem_alloc(cap * sizeof *ring);
        for (size_t i = 0; i < spool->ring_count; i++) ring[i] = ring_at(spool, i);
        mem_free(spool->ring);
        spool->ring = ring;
        spool->ring_cap = cap;
        spool->ring_first = 0;
    }
    block->start = spool->end;
    block->refs = 1;
    spool->memory += sizeof *block + spool->block_bytes;
    spool->ring[(spool->ring_first + spool->ring_count++) & (spool->ring_cap - 1)] = block;
    return block;
}

void ring_drop_first(struct spool *spool)
{
    struct block *block = ring_at(spool, 0);

    spool->ring_first = (spool->ring_first + 1) & (spool->ring_cap - 1);
    spool->ring_count--;
    block_unref(spool, block);
}

/* ---- retention -- */

/* Moves the head to what retention and cursors still need, and frees up to blocks_max blocks. */
void spool_collect(struct spool *spool, int blocks_max)
{
    uint64_t floor = spool->keep_head ? spool->head : spool->keep_from;

    if (floor > spool->cursors_min) floor = spool->cursors_min;
    if (floor > spool->end) floor = spool->end;
    if (floor > spool->head) spool->head = floor;
    for (; blocks_max > 0 && spool->ring_count > 0; blocks_max--) {
        if (ring_at(spool, 0)->start + spool->block_bytes > spool->head) break;
        ring_drop_first(spool);
    }
    disk_released(spool);
}

static void find_cursors_min(struct spool *spool)
{
    uint64_t min = UINT64_MAX;

    for (struct spool_cursor *c = spool->cursors; c != NULL; c = c->next)
        if (c->position < min) min = c->position;
    spool->cursors_min = min;
}

void spool_trim(struct spool *spool, uint64_t offset)
{
    lock(spool);
    if (offset > spool->keep_from) spool->keep_from = offset;
    spool_collect(spool, BLOCKS_PER_CALL);
    unlock(spool);
}

void spool_release_head(struct spool *spool)
{
    lock(spool);
    spool->keep_head = false;
    spool->keep_from = UINT64_MAX;
    spool_collect(spool, BLOCKS_PER_CALL);
    unlock(spool);
}

/* ---- life -- */

static void set_limits(struct spool *spool, size_t memory_bytes_max, uint64_t disk_bytes_max)
{
    size_t least = 4 * (spool->block_bytes + sizeof(struct block));

    if (memory_bytes_max != 0 && memory_bytes_max < least) memory_bytes_max = least;
    spool->memory_bytes_max = memory_bytes_max;
    spool->disk_bytes_max = disk_bytes_max;
}

struct spool *spool_new(const struct spool_options *options)
{
    struct spool *spool = mem_zalloc(sizeof *spool);

    if (options->dir != NULL) {
        size_t size = strlen(options->dir) + 1;
        spool->dir = mem_alloc(size);
        memcpy(spool->dir, options->dir, size);
    }
    check(spool->dir != NULL || options->memory_bytes_max == 0);
    spool->worker = options->worker;
    spool->block_bytes = options->block_bytes != 0 ? options->block_bytes : BLOCK_BYTES;
    spool->file_wrap = options->file_wrap != 0 ? options->file_wrap : FILE_WRAP;
    set_limits(spool, options->memory_bytes_max, options->disk_bytes_max);
    spool->refs = 1;
    spool->head = spool->end = spool->keep_from = options->start;
    spool->keep_head = options->keep_head;
    spool->cursors_min = UINT64_MAX;
    spool->disk.fd = -1;
    pthread_mutex_init(&spool->lock, NULL);
    pthread_cond_init(&spool->grew, NULL);
    return spool;
}

void spool_unref_unlock(struct spool *spool)
{
    bool last = --spool->refs == 0;

    if (!last) {
        unlock(spool);
        return;
    }
    while (spool->ring_count > 0) ring_drop_first(spool);
    disk_close(spool);
    unlock(spool);
    check(spool->memory == 0);
    pthread_mutex_destroy(&spool->lock);
    pthread_cond_destroy(&spool->grew);
    mem_free(spool->ring);
    mem_free(spool->dir);
    mem_free(spool);
}

void spool_free(struct spool *spool)
{
    if (spool == NULL) return;
    lock(spool);
    check(spool->cursor_count == 0);
    spool_unref_unlock(spool);
}

void spool_set_limits(struct spool *spool, size_t memory_bytes_max, uint64_t disk_bytes_max)
{
    lock(spool);
    check(spool->dir != NULL || memory_bytes_max == 0);
    set_limits(spool, memory_bytes_max, disk_bytes_max);
    spool->disk.retry_memory = 0;
    disk_spill(spool);
    unlock(spool);
}

/* ---- figures -- */

#define LOCKED(spool, type, expression)                                                            \
    do {                                                                                           \
        type value_;                                                                               \
        lock(spool);                                                                               \
        value_ = (expression);                                                                     \
        unlock(spool);                                                                             \
        return value_;                                                                             \
    } while (0)

bool spool_finished(const struct spool *spool)
{
    LOCKED(spool, bool, spool->finished);
}

enum err spool_failed(const struct spool *spool)
{
    LOCKED(spool, enum err, spool->disk.failed);
}

unsigned spool_pressure(const struct spool *spool)
{
    LOCKED(spool, unsigned,
           spool->memory_bytes_max == 0
               ? 0
               : (unsigned)((double)spool->memory * 100 / (double)spool->memory_bytes_max));
}

uint64_t spool_head(const struct spool *spool)
{
    LOCKED(spool, uint64_t, spool->head);
}

uint64_t spool_memory_head(const struct spool *spool)
{
    LOCKED(spool, uint64_t, spool->head > memory_start(spool) ? spool->head : memory_start(spool));
}

uint64_t spool_end(const struct spool *spool)
{
    LOCKED(spool, uint64_t, spool->end);
}

size_t spool_memory(const struct spool *spool)
{
    LOCKED(spool, size_t, spool->memory);
}

uint64_t spool_disk(const struct spool *spool)
{
    LOCKED(spool, uint64_t, spool->disk.end - spool->disk.punched);
}

int spool_cursors(const struct spool *spool)
{
    LOCKED(spool, int, spool->cursor_count);
}

/* ---- writing -- */

/* Takes the notices that an append has to send; they are sent without the lock. */
static struct notice *take_notices(struct spool *spool)
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
        lock(cursor->spool);
        cursor->notice = NULL;
        unlock(cursor->spool);
        notice->call(notice->context);
    }
    mem_free(notice);
}

static void send_notices(struct spool *spool, struct notice *list)
{
    while (list != NULL) {
        struct notice *next = list->next;
        if (spool->worker != NULL) worker_tell(spool->worker, run_notice, list);
        else run_notice(list);
        list = next;
    }
}

static void append_step(struct spool *spool, const char *at, size_t len)
{
    struct block *block = NULL;

    if (spool->ring_count > 0) block = ring_at(spool, spool->ring_count - 1);
    while (len > 0) {
        size_t used = block != NULL ? (size_t)(spool->end - block->start) : spool->block_bytes;
        size_t step = spool->block_bytes - used;

        if (step == 0) {
            block = ring_add(spool);
            continue;
        }
        if (step > len) step = len;
        memcpy(block->data + used, at, step);
        spool->end += step;
        at += step;
        len -= step;
    }
}

void spool_append(struct spool *spool, const void *ptr, size_t len)
{
    const char *at = ptr;

    while (len > 0) {
        size_t step = len < APPEND_STEP ? len : APPEND_STEP;
        struct notice *notices;

        lock(spool);
        check(!spool->finished);
        append_step(spool, at, step);
        spool_collect(spool, BLOCKS_PER_CALL);
        disk_spill(spool);
        if (spool->waiting > 0) pthread_cond_broadcast(&spool->grew);
        notices = take_notices(spool);
        unlock(spool);
        send_notices(spool, notices);
        at += step;
        len -= step;
    }
}

static void end_with(struct spool *spool, bool *flag)
{
    struct notice *notices;

    lock(spool);
    *flag = true;
    pthread_cond_broadcast(&spool->grew);
    notices = take_notices(spool);
    unlock(spool);
    send_notices(spool, notices);
}

void spool_finish(struct spool *spool)
{
    end_with(spool, &spool->finished);
}

void spool_cancel(struct spool *spool)
{
    end_with(spool, &spool->cancelled);
}

/* ---- cursors -- */

struct spool_cursor *spool_open(struct spool *spool, uint64_t offset)
{
    struct spool_cursor *cursor = NULL;

    lock(spool);
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
    unlock(spool);
    return cursor;
}

static void return_borrowed(struct spool_cursor *cursor)
{
    for (int i = 0; i < cursor->borrowed_count; i++)
        block_unref(cursor->spool, cursor->borrowed[i]);
    cursor->borrowed_count = 0;
}

/* A cursor left `from`. Only the lowest ones can hold the head back, and only by whole blocks. */
static void moved(struct spool *spool, uint64_t from, bool closed, uint64_t to)
{
    uint64_t block = from - from % spool->block_bytes;

    if (block > spool->cursors_min) return;
    if (!closed && to - block < spool->block_bytes) return;
    find_cursors_min(spool);
    spool_collect(spool, BLOCKS_PER_CALL);
}

void spool_close(struct spool_cursor *cursor)
{
    struct spool *spool;
    struct notice *unsent = NULL;

    if (cursor == NULL) return;
    spool = cursor->spool;
    lock(spool);
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
    unlock(spool);
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
    lock(spool);
    return_borrowed(cursor);
    if (cursor->position == spool->end) result = spool->finished ? SPOOL_END : SPOOL_NOTHING;
    else if (cursor->position < memory_start(spool))
        result = disk_peek(cursor, iov, iov_count, iov_max, bytes_max, arrived, context);
    else *iov_count = peek_memory(cursor, iov, iov_max, bytes_max);
    unlock(spool);
    return result;
}

void spool_advance(struct spool_cursor *cursor, size_t bytes)
{
    struct spool *spool = cursor->spool;
    uint64_t from = cursor->position;

    lock(spool);
    check(bytes <= spool->end - from);
    return_borrowed(cursor);
    cursor->position = from + bytes;
    disk_forget(cursor, cursor->position >= memory_start(spool));
    moved(spool, from, false, cursor->position);
    unlock(spool);
}

void spool_notify(struct spool_cursor *cursor, void (*call)(void *), void *context)
{
    struct spool *spool = cursor->spool;
    struct notice *notice = NULL;

    lock(spool);
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
    unlock(spool);
    send_notices(spool, notice);
}

/* Copies out of one block, without the lock. */
static size_t copy_block(struct spool_cursor *cursor, char *out, size_t len)
{
    struct spool *spool = cursor->spool;
    struct iovec run;

    peek_memory(cursor, &run, 1, len);
    unlock(spool);
    memcpy(out, run.iov_base, run.iov_len);
    lock(spool);
    return_borrowed(cursor);
    return run.iov_len;
}

ssize_t spool_read_wait(struct spool_cursor *cursor, void *out, size_t len)
{
    struct spool *spool = cursor->spool;
    size_t done = 0;
    bool failed = false;

    lock(spool);
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
    unlock(spool);
    return done > 0 ? (ssize_t)done : failed ? -1 : 0;
}

void spool_check(const struct spool *spool)
{
    uint64_t next, min = UINT64_MAX;
    int cursors = 0;

    lock(spool);
    check(spool->head <= spool->end);
    next = memory_start(spool);
    for (size_t i = 0; i < spool->ring_count; i++) {
        const struct block *block = ring_at(spool, i);
        check(block->start == next && block->refs > 0);
        next += spool->block_bytes;
    }
    /* All but the last are full. */
    check(spool->ring_count == 0 ? next == spool->end
                                 : spool->end <= next && next - spool->end < spool->block_bytes);
    check(spool->disk.end == spool->disk.punched
              ? spool->head >= memory_start(spool)
              : spool->disk.end >= memory_start(spool) && spool->disk.punched <= spool->head);
    for (const struct spool_cursor *c = spool->cursors; c != NULL; c = c->next, cursors++) {
        check(c->position >= spool->head && c->position <= spool->end);
        if (c->position < min) min = c->position;
    }
    check(cursors == spool->cursor_count && spool->cursors_min <= min);
    unlock(spool);
}
