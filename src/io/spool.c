#include "io/spool_inside.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

#define BLOCK_BYTES (65536 - sizeof(struct block))
#define APPEND_STEP (1 << 20) /* the lock is held for at most that many bytes */
#define FILE_WRAP   (UINT64_C(1) << 43)

/* ---- blocks ---------------------------------------------------------------------------------- */

void *spool_alloc(struct spool_room *room, size_t bytes)
{
    if (room != NULL) spool_room_add_memory(room, bytes);
    return mem_alloc(bytes);
}

void spool_dispose(struct spool_room *room, void *ptr, size_t bytes)
{
    mem_free(ptr);
    if (room != NULL) spool_room_sub_memory(room, bytes);
}

bool block_let_go(struct spool *spool, struct block *block)
{
    if (--block->refs > 0) return false;
    spool->memory -= sizeof *block + spool->block_bytes;
    return true;
}

void block_unref(struct spool *spool, struct block *block)
{
    if (block_let_go(spool, block))
        spool_dispose(spool->room, block, sizeof *block + spool->block_bytes);
}

static struct block *ring_add(struct spool *spool)
{
    struct block *block = spool_alloc(spool->room, sizeof *block + spool->block_bytes);

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

/* ---- retention ------------------------------------------------------------------------------- */

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

void spool_trim(struct spool *spool, uint64_t offset)
{
    spool_lock(spool);
    if (offset > spool->keep_from) spool->keep_from = offset;
    spool_collect(spool, SPOOL_BLOCKS_PER_CALL);
    disk_spill(spool);
    spool_unlock(spool);
}

void spool_release_head(struct spool *spool)
{
    spool_lock(spool);
    spool->keep_head = false;
    spool->keep_from = UINT64_MAX;
    spool_collect(spool, SPOOL_BLOCKS_PER_CALL);
    disk_spill(spool);
    spool_unlock(spool);
}

/* ---- life ------------------------------------------------------------------------------------ */

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
    spool->room = options->room;
    if (spool->room != NULL) spool_room_hold(spool->room);
    set_limits(spool, options->memory_bytes_max, options->disk_bytes_max);
    spool->refs = 1;
    spool->end = options->start;
    if (options->store != NULL) spool->store = *options->store;
    spool->head = options->store != NULL ? options->head : options->start;
    check(spool->head <= options->start);
    spool->keep_from = spool->head;
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
        spool_unlock(spool);
        return;
    }
    while (spool->ring_count > 0) ring_drop_first(spool);
    disk_close(spool);
    spool_unlock(spool);
    check(spool->memory == 0);
    pthread_mutex_destroy(&spool->lock);
    pthread_cond_destroy(&spool->grew);
    spool_room_drop(spool->room);
    mem_free(spool->ring);
    mem_free(spool->dir);
    mem_free(spool);
}

void spool_free(struct spool *spool)
{
    if (spool == NULL) return;
    spool_lock(spool);
    check(spool->cursor_count == 0);
    spool_unref_unlock(spool);
}

void spool_set_limits(struct spool *spool, size_t memory_bytes_max, uint64_t disk_bytes_max)
{
    spool_lock(spool);
    check(spool->dir != NULL || memory_bytes_max == 0);
    set_limits(spool, memory_bytes_max, disk_bytes_max);
    spool->disk.retry_memory = 0;
    disk_spill(spool);
    spool_unlock(spool);
}

void spool_try_again(struct spool *spool)
{
    spool_lock(spool);
    spool->disk.retry_memory = 0;
    disk_spill(spool);
    spool_unlock(spool);
}

void spool_set_store(struct spool *spool, const struct spool_store *store)
{
    spool_lock(spool);
    if (store != NULL) {
        spool->store = *store;
    } else if (spool->store.read != NULL) {
        spool->store = (struct spool_store){0};
        if (!disk_reaches_memory(spool)) {
            check(spool->cursors_min >= memory_start(spool));
            spool->keep_from = spool->head = memory_start(spool);
            disk_released(spool);
        }
    }
    disk_spill(spool);
    spool_unlock(spool);
}

/* ---- figures --------------------------------------------------------------------------------- */

#define LOCKED(spool, type, expression)                                                            \
    do {                                                                                           \
        type value_;                                                                               \
        spool_lock(spool);                                                                         \
        value_ = (expression);                                                                     \
        spool_unlock(spool);                                                                       \
        return value_;                                                                             \
    } while (0)

enum err spool_failed(const struct spool *spool)
{
    LOCKED(spool, enum err,
           memory_needed(spool) > spool->memory_bytes_max ? spool->disk.failed : OK);
}

unsigned spool_pressure(const struct spool *spool)
{
    LOCKED(spool, unsigned,
           spool->memory_bytes_max == 0
               ? 0
               : (unsigned)((double)memory_needed(spool) * 100 / (double)spool->memory_bytes_max));
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

/* ---- writing --------------------------------------------------------------------------------- */

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

        spool_lock(spool);
        check(!spool->finished);
        append_step(spool, at, step);
        spool_collect(spool, SPOOL_BLOCKS_PER_CALL);
        disk_spill(spool);
        if (spool->waiting > 0) pthread_cond_broadcast(&spool->grew);
        notices = notices_take(spool);
        spool_unlock(spool);
        notices_send(spool, notices);
        at += step;
        len -= step;
    }
}

static void end_with(struct spool *spool, bool *flag)
{
    struct notice *notices;

    spool_lock(spool);
    *flag = true;
    pthread_cond_broadcast(&spool->grew);
    notices = notices_take(spool);
    spool_unlock(spool);
    notices_send(spool, notices);
}

void spool_finish(struct spool *spool)
{
    end_with(spool, &spool->finished);
}

void spool_cancel(struct spool *spool)
{
    end_with(spool, &spool->cancelled);
}

void spool_check(const struct spool *spool)
{
    uint64_t next, min = UINT64_MAX;
    int cursors = 0;

    spool_lock(spool);
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
    if (spool->store.read == NULL && spool->disk.end == spool->disk.punched)
        check(spool->head >= memory_start(spool));
    /* While a write is under way the head may pass what it writes; the file is emptied afterwards. */
    else if (spool->store.read == NULL && !(spool->disk.writing && spool->head >= spool->disk.end))
        check(spool->disk.end >= memory_start(spool) && spool->disk.punched <= spool->head);
    for (const struct spool_cursor *c = spool->cursors; c != NULL; c = c->next, cursors++) {
        check(c->position >= spool->head && c->position <= spool->end);
        if (c->position < min) min = c->position;
    }
    check(cursors == spool->cursor_count && spool->cursors_min <= min);
    spool_unlock(spool);
}
