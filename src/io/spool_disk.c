/* The file part of a spool: writing blocks out, reading stretches back, giving space back. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/file.h"
#include "io/spool_inside.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define WRITE_BLOCKS_MAX 64 /* 4 MB with blocks of 64 KB */
#define FETCH_BYTES      (256 << 10)
#define PUNCH_STEP       (1 << 20) /* space is given back in steps of this */
#define PUNCH_ALIGN      4096

static bool in_use(const struct spool *spool)
{
    return spool->disk.end > spool->disk.punched;
}

/* Runs a job on the worker, or here without one. The lock is held, and is released meanwhile. */
static void submit(struct spool *spool, void (*work)(void *), void (*done)(void *), void *context)
{
    spool->refs++;
    if (spool->worker != NULL) {
        worker_submit(spool->worker, work, done, context);
        return;
    }
    spool_unlock(spool);
    work(context);
    if (done != NULL) done(context);
    spool_lock(spool);
}

/* The part of [offset, offset + len) that is contiguous in the file: its position and length. */
static size_t piece(uint64_t wrap, uint64_t base, uint64_t offset, uint64_t len, uint64_t *position)
{
    uint64_t left;

    *position = (offset - base) % wrap;
    left = wrap - *position;
    return len < left ? len : left;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct write_job {
    struct spool *spool;
    uint64_t base, start;
    size_t bytes;
    uint64_t bytes_max; /* what the file may grow by */
    bool own_bound;     /* it has one of its own */
    bool took;          /* `bytes` of the shared room */
    int count;
    struct block *blocks[WRITE_BLOCKS_MAX];
};

static int write_blocks(struct write_job *job, int fd)
{
    struct spool *spool = job->spool;
    struct iovec iov[WRITE_BLOCKS_MAX];
    uint64_t position;

    for (int i = 0; i < job->count; i++)
        iov[i] = (struct iovec){job->blocks[i]->data, spool->block_bytes};
    if (piece(spool->file_wrap, job->base, job->start, job->bytes, &position) == job->bytes)
        return file_pwritev_all(fd, iov, job->count, position);
    /* Once per file_wrap bytes. */
    for (int i = 0; i < job->count; i++) {
        for (size_t done = 0; done < spool->block_bytes;) {
            size_t step = piece(spool->file_wrap, job->base, job->blocks[i]->start + done,
                                spool->block_bytes - done, &position);
            int error = file_pwrite_all(fd, job->blocks[i]->data + done, step, position);
            if (error != 0) return error;
            done += step;
        }
    }
    return 0;
}

/* Whether the bounds allow it: the spool's own, the shared one, and without any what the file system
 * can spare. */
static bool within_bounds(struct write_job *job)
{
    struct spool *spool = job->spool;
    bool bounded = job->own_bound || (spool->room != NULL && spool_room_max(spool->room) != 0);

    if (job->bytes > job->bytes_max) return false;
    if (!bounded && job->bytes > file_system_allowance(spool->dir)) return false;
    job->took = spool->room != NULL && spool_room_take(spool->room, job->bytes);
    return spool->room == NULL || job->took;
}

/* Opens the file when first needed and looks whether there is room. 0 or -errno. */
static int prepare(struct write_job *job)
{
    struct spool *spool = job->spool;
    int fd, error;

    if (spool->disk.fd < 0) { /* this thread alone sets it */
        error = file_make_folder(spool->dir);
        if (error != 0) return error;
        fd = file_open_unnamed(spool->dir);
        if (fd < 0) return fd;
        spool_lock(spool);
        spool->disk.fd = fd;
        spool_unlock(spool);
    }
    return within_bounds(job) ? 0 : -ENOSPC;
}

static void note_failure(struct spool *spool, int error)
{
    struct disk *disk = &spool->disk;
    bool full = error == -ENOSPC || error == -EDQUOT || error == -EFBIG;

    if (!disk->told)
        log_warning("Writing a spool file in %s failed: %s; its bytes stay in memory", spool->dir,
                    strerror(-error));
    disk->told = true;
    disk->failed = full ? ERR_LIMIT : ERR_IO;
    disk->retry_memory = spool->memory + spool->memory_bytes_max / 8;
}

static void write_work(void *context)
{
    struct write_job *job = context;
    struct spool *spool = job->spool;
    struct spool_room *room = spool->room;
    size_t block_size = sizeof(struct block) + spool->block_bytes;
    int error, freed = 0;

    if (room != NULL) spool_room_hold(room); /* it is needed after the spool */
    error = prepare(job);
    if (error == 0) error = write_blocks(job, spool->disk.fd);
    if (error != 0 && job->took) spool_room_give(spool->room, job->bytes);
    spool_lock(spool);
    spool->disk.writing = false;
    if (error == 0) {
        spool->disk.end = job->start + job->bytes;
        spool->disk.failed = OK;
        spool->disk.told = false;
        while (spool->ring_count > 0 && memory_start(spool) < spool->disk.end)
            ring_drop_first(spool);
    } else {
        note_failure(spool, error);
    }
    /* Freed below, without the lock: the allocator may have to return pages to the system. */
    for (int i = 0; i < job->count; i++)
        if (block_let_go(spool, job->blocks[i])) job->blocks[freed++] = job->blocks[i];
    disk_released(spool);
    if (spool->worker != NULL) disk_spill(spool);
    spool_unref_unlock(spool);
    for (int i = 0; i < freed; i++) spool_dispose(room, job->blocks[i], block_size);
    spool_room_drop(room);
    mem_free(job);
}

/* Blocks in memory that begin before what the store holds. */
static size_t blocks_before_store(const struct spool *spool)
{
    uint64_t first;

    if (spool->store.read == NULL) return SIZE_MAX;
    spool->store.held(spool->store.context, &first);
    return (size_t)((first - memory_start(spool) + spool->block_bytes - 1) / spool->block_bytes);
}

static struct write_job *pick(struct spool *spool)
{
    struct disk *disk = &spool->disk;
    struct write_job *job = mem_alloc(sizeof *job);
    size_t block_size = sizeof(struct block) + spool->block_bytes;
    uint64_t used;
    size_t target = spool->memory_bytes_max - spool->memory_bytes_max / 4;
    size_t wanted = (spool->memory - target + block_size - 1) / block_size;

    /* The last block still grows. */
    if (wanted > spool->ring_count - 1) wanted = spool->ring_count - 1;
    if (wanted > WRITE_BLOCKS_MAX) wanted = WRITE_BLOCKS_MAX;
    if (wanted > blocks_before_store(spool)) wanted = blocks_before_store(spool);
    job->own_bound = spool->disk_bytes_max != 0;
    job->took = false;
    job->bytes_max = spool->file_wrap;
    if (job->own_bound && spool->disk_bytes_max < job->bytes_max)
        job->bytes_max = spool->disk_bytes_max;
    used = disk->end - disk->punched;
    job->bytes_max = job->bytes_max > used ? job->bytes_max - used : 0;
    if (spool->room != NULL && spool_room_left(spool->room) < job->bytes_max)
        job->bytes_max = spool_room_left(spool->room);
    /* What fits; at least one block, whose failure is the answer. */
    if (wanted > job->bytes_max / spool->block_bytes) wanted = job->bytes_max / spool->block_bytes;
    if (wanted == 0) wanted = 1;
    job->spool = spool;
    job->count = (int)wanted;
    job->start = memory_start(spool);
    job->bytes = wanted * spool->block_bytes;
    if (!in_use(spool)) disk->base = disk->punched = disk->end = job->start;
    check(disk->end == job->start); /* invariant 2: no gap between file and memory */
    job->base = disk->base;
    for (int i = 0; i < job->count; i++) {
        job->blocks[i] = ring_at(spool, (size_t)i);
        job->blocks[i]->refs++;
    }
    return job;
}

bool disk_reaches_memory(const struct spool *spool)
{
    return in_use(spool) ? spool->disk.end >= memory_start(spool)
                         : spool->head >= memory_start(spool);
}

/* Drops the oldest blocks that the store holds, down to a quarter below the bound. Returns whether the
 * blocks that are left are the store's business too: else they are written to the file. */
static bool drop_to_store(struct spool *spool)
{
    uint64_t first, held;
    size_t target = spool->memory_bytes_max - spool->memory_bytes_max / 4;

    if (spool->store.read == NULL) return false;
    held = spool->store.held(spool->store.context, &first);
    if (memory_start(spool) < first) return false;
    while (spool->memory > target && spool->ring_count > 1 &&
           memory_start(spool) + spool->block_bytes <= held)
        ring_drop_first(spool);
    return true;
}

void disk_spill(struct spool *spool)
{
    struct disk *disk = &spool->disk;

    for (;;) {
        /* Better than to write what nobody needs. */
        if (spool->memory_bytes_max != 0 && spool->memory > spool->memory_bytes_max)
            spool_collect(spool, WRITE_BLOCKS_MAX);
        if (spool->memory_bytes_max == 0 || spool->memory <= spool->memory_bytes_max) {
            disk->failed = OK;
            return;
        }
        if (disk->writing || spool->ring_count < 2) return;
        if (drop_to_store(spool)) return;
        if (disk->failed != OK && spool->memory <= disk->retry_memory) return;
        disk->writing = true;
        submit(spool, write_work, NULL, pick(spool));
        if (spool->worker != NULL) return;
    }
}

/* ---- giving space back ----------------------------------------------------------------------- */

struct hole_job {
    struct spool *spool;
    uint64_t base, from, to;
    bool all; /* nothing else is in the file: it is cut to nothing */
};

static void hole_work(void *context)
{
    struct hole_job *job = context;
    struct spool *spool = job->spool;
    uint64_t at = job->from, position;
    bool cannot = job->all && ftruncate(spool->disk.fd, 0) != 0;

    while (!job->all && at < job->to && !cannot) {
        size_t step = piece(spool->file_wrap, job->base, at, job->to - at, &position);
        cannot = file_punch(spool->disk.fd, position, step) == -EOPNOTSUPP;
        at += step;
    }
    if (spool->room != NULL) spool_room_give(spool->room, job->to - job->from);
    spool_lock(spool);
    if (cannot) spool->disk.cannot_punch = true;
    spool_unref_unlock(spool);
    mem_free(job);
}

/* Gives back the file's part below `to`. Submitted in order, the hole is there before the next
 * write, which is worth a try even where the last one failed. */
static void submit_hole(struct spool *spool, uint64_t to, bool all)
{
    struct disk *disk = &spool->disk;
    struct hole_job *job = mem_alloc(sizeof *job);

    *job = (struct hole_job){spool, disk->base, disk->punched, to, all};
    disk->punched = to;
    disk->failed = OK;
    submit(spool, hole_work, NULL, job);
}

void disk_released(struct spool *spool)
{
    struct disk *disk = &spool->disk;
    uint64_t step = PUNCH_STEP;

    if (!in_use(spool)) return;
    if (spool->head >= disk->end) {
        /* A write goes behind what stands there; then again. */
        if (!disk->writing) submit_hole(spool, disk->end, true);
        return;
    }
    if (step > spool->file_wrap / 8) step = spool->file_wrap / 8;
    if (disk->failed != OK && step > 4 * spool->block_bytes) step = 4 * spool->block_bytes;
    if (disk->cannot_punch || spool->head < disk->punched + step + PUNCH_ALIGN) return;
    submit_hole(spool, spool->head - (spool->head - disk->base) % PUNCH_ALIGN, false);
}

void disk_close(struct spool *spool)
{
    if (spool->room != NULL) spool_room_give(spool->room, spool->disk.end - spool->disk.punched);
    if (spool->disk.fd >= 0) close(spool->disk.fd);
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_stretch(const struct spool *spool, uint64_t base, uint64_t start, char *out,
                        size_t len)
{
    while (len > 0) {
        uint64_t position;
        size_t step = piece(spool->file_wrap, base, start, len, &position);
        ssize_t n = file_pread_some(spool->disk.fd, out, step, position);

        if (n < 0) return (int)n;
        if ((size_t)n < step) return -EIO; /* somebody cut our file */
        start += step;
        out += step;
        len -= step;
    }
    return 0;
}

static int read_store(const struct spool *spool, uint64_t start, char *out, size_t len)
{
    while (len > 0) {
        ssize_t n = spool->store.read(spool->store.context, start, out, len);

        if (n < 0) return (int)n;
        start += (uint64_t)n;
        out += n;
        len -= (size_t)n;
    }
    return 0;
}

/* How many bytes below memory stand from `start` on, all in the file or all in the store. */
static uint64_t cold_bytes(const struct spool *spool, uint64_t start, bool *from_store)
{
    *from_store = !in_use(spool) || start >= spool->disk.end;
    return (*from_store ? memory_start(spool) : spool->disk.end) - start;
}

static void free_fetch(struct fetch *fetch)
{
    size_t bytes = sizeof *fetch + fetch->len;

    fetch->spool->memory -= bytes;
    spool_dispose(fetch->spool->room, fetch, bytes);
}

static void fetch_work(void *context)
{
    struct fetch *fetch = context;
    struct spool *spool = fetch->spool;
    bool wanted;
    int error = 0;

    spool_lock(spool);
    wanted = fetch->cursor != NULL;
    spool_unlock(spool);
    /* Should the cursor go away just now, the bytes may be wrong, and nobody looks at them. */
    if (wanted && fetch->from_store)
        error = read_store(spool, fetch->start, fetch->ptr, fetch->len);
    else if (wanted) error = read_stretch(spool, fetch->base, fetch->start, fetch->ptr, fetch->len);
    spool_lock(spool);
    fetch->error = error;
    fetch->ready = true;
    spool_unlock(spool);
}

static void fetch_done(void *context)
{
    struct fetch *fetch = context;
    struct spool *spool = fetch->spool;
    void (*arrived)(void *) = fetch->arrived;
    void *arrived_context = fetch->context;

    spool_lock(spool);
    fetch->arrived = NULL;
    fetch->delivered = true;
    if (fetch->cursor == NULL) {
        arrived = NULL;
        free_fetch(fetch);
    }
    spool_unref_unlock(spool);
    if (arrived != NULL) arrived(arrived_context);
}

/* Starts to read the stretch at `start`, as far as the file or the store has it. */
static struct fetch *fetch_at(struct spool_cursor *cursor, uint64_t start)
{
    struct spool *spool = cursor->spool;
    bool from_store;
    uint64_t left = cold_bytes(spool, start, &from_store);
    size_t len = left < FETCH_BYTES ? (size_t)left : FETCH_BYTES;
    struct fetch *fetch = spool_alloc(spool->room, sizeof *fetch + len);

    *fetch = (struct fetch){
        .spool = spool, .cursor = cursor, .start = start, .len = len, .from_store = from_store};
    fetch->base = spool->disk.base;
    spool->memory += sizeof *fetch + len;
    submit(spool, fetch_work, fetch_done, fetch);
    return fetch;
}

static void forget_fetch(struct fetch **place)
{
    struct fetch *fetch = *place;

    *place = NULL;
    if (fetch == NULL) return;
    fetch->cursor = NULL;
    if (fetch->delivered) free_fetch(fetch);
}

static bool covers(const struct fetch *fetch, uint64_t position)
{
    return fetch != NULL && position - fetch->start < fetch->len;
}

void disk_forget(struct spool_cursor *cursor, bool all)
{
    if (all || (cursor->current != NULL && !covers(cursor->current, cursor->position))) {
        forget_fetch(&cursor->current);
        if (all || !covers(cursor->ahead, cursor->position)) forget_fetch(&cursor->ahead);
        cursor->current = cursor->ahead;
        cursor->ahead = NULL;
    }
}

enum spool_read disk_peek(struct spool_cursor *cursor, struct iovec *iov, int *iov_count,
                          int iov_max, size_t bytes_max, void (*arrived)(void *), void *context)
{
    struct spool *spool = cursor->spool;
    struct fetch *fetch;
    uint64_t from = cursor->position;

    if (cursor->current == NULL) cursor->current = fetch_at(cursor, from);
    fetch = cursor->current;
    check(covers(fetch, from));
    if (!fetch->ready) {
        fetch->arrived = arrived;
        fetch->context = context;
        return SPOOL_WAIT;
    }
    if (fetch->error != 0) {
        log_warning("Reading a spool file in %s failed: %s", spool->dir, strerror(-fetch->error));
        disk_forget(cursor, true);
        return SPOOL_ERROR;
    }
    if (cursor->ahead == NULL && fetch->start + fetch->len < memory_start(spool))
        cursor->ahead = fetch_at(cursor, fetch->start + fetch->len);
    while (fetch != NULL && fetch->ready && fetch->error == 0 && *iov_count < iov_max &&
           bytes_max > 0) {
        size_t into = (size_t)(from - fetch->start);
        size_t run = fetch->len - into < bytes_max ? fetch->len - into : bytes_max;

        iov[(*iov_count)++] = (struct iovec){fetch->ptr + into, run};
        bytes_max -= run;
        from += run;
        fetch = fetch == cursor->current && covers(cursor->ahead, from) ? cursor->ahead : NULL;
    }
    return SPOOL_BYTES;
}

ssize_t disk_read_unlocked(struct spool_cursor *cursor, void *out, size_t len)
{
    struct spool *spool = cursor->spool;
    bool from_store;
    uint64_t base = spool->disk.base, left = cold_bytes(spool, cursor->position, &from_store);
    int error;

    if (len > left) len = (size_t)left;
    spool_unlock(spool);
    if (from_store) error = read_store(spool, cursor->position, out, len);
    else error = read_stretch(spool, base, cursor->position, out, len);
    spool_lock(spool);
    return error != 0 ? error : (ssize_t)len;
}
