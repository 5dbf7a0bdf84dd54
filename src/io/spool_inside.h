/* What spool.c (blocks, retention), spool_cursor.c and spool_disk.c (the file) share. Everything in struct
 * spool below `lock` is guarded by it, and so are the members of blocks, cursors and fetches that
 * are not said to be otherwise.
 *
 * All work on the file is submitted to the worker under the lock, hence runs in the order in which
 * it was decided; positions in the file are computed at that moment. */
#ifndef PANDO_IO_SPOOL_INSIDE_H
#define PANDO_IO_SPOOL_INSIDE_H

#include "io/spool.h"

#include <pthread.h>

#define SPOOL_BLOCKS_PER_CALL 16 /* freed by one append, advance or trim */

struct block {
    uint64_t start; /* offset of data[0] */
    uint64_t refs;  /* the ring, each borrowing cursor, the write under way */
    char data[];    /* block_bytes of them */
};

/* A stretch of the file in memory, or on its way there; belongs to a cursor, or to nobody when its
 * cursor did not want to wait. */
struct fetch {
    struct spool *spool;
    struct spool_cursor *cursor; /* NULL: nobody wants it any more */
    uint64_t start, base;
    size_t len;
    bool from_store;         /* not from the file */
    int error;               /* 0 or -errno */
    bool ready;              /* ptr and error are valid */
    bool delivered;          /* no job refers to it */
    void (*arrived)(void *); /* touched on the loop's thread only */
    void *context;
    char ptr[];
};

struct spool_cursor {
    struct spool *spool;
    uint64_t position;
    struct spool_cursor *previous, *next;
    struct block *borrowed[SPOOL_RUNS_MAX];
    int borrowed_count;
    struct fetch *current, *ahead; /* the stretch being read, and the one after it */
    struct notice *notice;
};

struct disk {
    int fd;              /* -1 until first needed */
    uint64_t base;       /* offset that stands at file position 0 */
    uint64_t end;        /* [punched, end) is in the file; empty when equal */
    uint64_t punched;    /* space below was given back */
    bool writing;        /* a write is under way; one at a time */
    bool cannot_punch;   /* the file system has no holes */
    enum err failed;     /* of the last write; OK again when another try is due */
    bool told;           /* the log was told of the failure */
    size_t retry_memory; /* after a failure: try again beyond this much memory, or when released */
};

struct spool {
    char *dir;
    struct worker *worker;
    size_t block_bytes;
    uint64_t file_wrap;
    struct spool_room *room; /* or NULL */

    pthread_mutex_t lock;
    pthread_cond_t grew; /* more bytes, the end, or cancelled */
    int waiting;         /* threads in spool_read_wait */
    int refs;            /* the owner, and each job */
    size_t memory_bytes_max;
    uint64_t disk_bytes_max;
    uint64_t head, end;
    uint64_t keep_from; /* retention */
    bool keep_head, finished, cancelled;
    struct spool_store store; /* read is NULL: none */

    struct block **ring; /* cap is a power of two */
    size_t ring_first, ring_count, ring_cap;
    size_t memory; /* bytes of all blocks and fetches */

    struct spool_cursor *cursors;
    int cursor_count;
    uint64_t cursors_min; /* not above the lowest position, and less than a block below it */
    int notices;          /* cursors that want to hear of an append */

    struct disk disk;
};

static inline struct block *ring_at(const struct spool *spool, size_t index)
{
    return spool->ring[(spool->ring_first + index) & (spool->ring_cap - 1)];
}

/* Offset of the first byte in blocks. */
static inline uint64_t memory_start(const struct spool *spool)
{
    return spool->ring_count > 0 ? ring_at(spool, 0)->start : spool->end;
}

/* Memory that something still needs: all but the blocks below the head that are not freed yet. */
static inline size_t memory_needed(const struct spool *spool)
{
    uint64_t start = memory_start(spool);
    size_t done = spool->head > start ? (size_t)((spool->head - start) / spool->block_bytes) : 0;

    return spool->memory - done * (sizeof(struct block) + spool->block_bytes);
}

/* Const: figures lock too. */
static inline void spool_lock(const struct spool *spool)
{
    pthread_mutex_lock((pthread_mutex_t *)&spool->lock);
}

static inline void spool_unlock(const struct spool *spool)
{
    pthread_mutex_unlock((pthread_mutex_t *)&spool->lock);
}

/* spool.c; with the lock held. */
bool block_let_go(struct spool *spool, struct block *block); /* true: the caller frees it */
/* Allocates and frees what the shared room counts as memory; the lock is not needed. */
void *spool_alloc(struct spool_room *room, size_t bytes);
void spool_dispose(struct spool_room *room, void *ptr, size_t bytes);
void block_unref(struct spool *spool, struct block *block);
void ring_drop_first(struct spool *spool);
void spool_collect(struct spool *spool, int blocks_max);
void spool_unref_unlock(struct spool *spool); /* may free it; unlocks */

/* spool_cursor.c. What an append has to tell is taken with the lock held and sent without. */
struct notice *notices_take(struct spool *spool);
void notices_send(struct spool *spool, struct notice *list);

/* spool_disk.c; with the lock held. */
void disk_spill(struct spool *spool);    /* starts a write where memory is over its bound */
void disk_released(struct spool *spool); /* the head moved: gives space back */
void disk_close(struct spool *spool);
/* Whether what stands below memory is in the file, all of it; false where some is in the store. */
bool disk_reaches_memory(const struct spool *spool);
/* Fills iov from the file. The position is below memory_start. */
enum spool_read disk_peek(struct spool_cursor *cursor, struct iovec *iov, int *iov_count,
                          int iov_max, size_t bytes_max, void (*arrived)(void *), void *context);
/* Lets go of stretches that end at or below the position, or of all. */
void disk_forget(struct spool_cursor *cursor, bool all);
/* Reads in the caller's thread; the lock is released meanwhile. Bytes, or -errno. */
ssize_t disk_read_unlocked(struct spool_cursor *cursor, void *out, size_t len);

#endif
