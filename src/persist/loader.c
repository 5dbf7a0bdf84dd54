#include "persist/loader.h"
#include "base/check.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/slice.h"
#include "io/worker.h"
#include "persist/byte_queue.h"
#include "persist/pace.h"
#include "persist/rdb_load.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define KEYS_IN_A_ROW 1024 /* some 200 us of small ones */

struct loader {
    struct loader_options options;
    struct worker *thread;    /* NULL inline */
    char *path;               /* a file, */
    struct byte_queue *queue; /* or what is fed by thread, */
    struct buf collected;     /* or inline */
    _Atomic uint64_t size;    /* UINT64_MAX where unknown */
    bool finished, freed;     /* the engine's */
    bool feed_ended;
    char stop_reason[128];
    struct loader_outcome outcome; /* the thread's until it is done */

    atomic_bool stop;
    _Atomic int64_t key_delay_us;
    _Atomic uint64_t bytes, keys, keys_expired, keys_expected, used_memory;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* stop or key_delay_us */

    /* ---- the thread's ---- */
    int fd;
    size_t collected_at;
    uint64_t keys_in_a_row; /* without slice_yield */
    struct pace pace;
    struct rdb_load load;
};

/* ---- sources -------------------------------------------------------------------------------- */

static ssize_t read_file(void *context, void *out, size_t len)
{
    struct loader *loader = context;

    if (loader->stop) return -ECANCELED;
    ssize_t got = file_pread_some(loader->fd, out, len, loader->bytes);
    if (got > 0) loader->bytes += (uint64_t)got;
    return got;
}

static ssize_t read_queue(void *context, void *out, size_t len)
{
    struct loader *loader = context;
    ssize_t got = byte_queue_take(loader->queue, out, len);

    if (got > 0) loader->bytes += (uint64_t)got;
    return got;
}

static ssize_t read_collected(void *context, void *out, size_t len)
{
    struct loader *loader = context;
    size_t left = loader->collected.len - loader->collected_at;

    if (len > left) len = left;
    if (len == 0) return 0;
    memcpy(out, loader->collected.ptr + loader->collected_at, len);
    loader->collected_at += len;
    loader->bytes += len;
    return (ssize_t)len;
}

/* ---- the thread's work ---------------------------------------------------------------------- */

/* key-load-delay: sleeps until the pace allows the next key; a stop or another delay wakes it. */
static bool pause_for_delay(void *context, uint64_t keys)
{
    struct loader *loader = context;
    int64_t delay_us = loader->key_delay_us;

    if (__builtin_expect(delay_us == 0, 1)) {
        loader->load.ahead_max = RDB_LOAD_AHEAD;
        loader->keys_in_a_row += keys;
        if (loader->keys_in_a_row >= KEYS_IN_A_ROW) {
            loader->keys_in_a_row = 0;
            slice_yield();
        }
        return !loader->stop;
    }
    loader->load.ahead_max = 1;
    pace_spend(&loader->pace, clock_monotonic_us(), keys, delay_us);
    pthread_mutex_lock(&loader->lock);
    while (!loader->stop && loader->key_delay_us == delay_us) {
        int64_t wait_us = loader->pace.due_us - clock_monotonic_us();

        if (wait_us <= 0) break;
        clock_wait_us(&loader->changed, &loader->lock, wait_us);
    }
    pthread_mutex_unlock(&loader->lock);
    return !loader->stop;
}

/* A stream that was fed must end where the RDB data ends. */
static enum err check_end(struct loader *loader, struct rdb_reader *reader)
{
    uint8_t byte;

    if (loader->path != NULL || loader->options.tail_follows) return OK;
    if (rdb_read_byte(reader, &byte) == OK)
        return rdb_fail(reader, ERR_CORRUPT, "Bytes stand behind the end of the RDB data");
    /* Only a plain end of the stream is what we want to see. */
    return loader->stop ? reader->failed : OK;
}

static void free_built(struct loader_outcome *outcome)
{
    if (outcome->keyspaces != NULL)
        for (int db = 0; db < outcome->databases; db++) keyspace_drop(outcome->keyspaces[db]);
    mem_free(outcome->keyspaces);
    outcome->keyspaces = NULL;
    for (size_t i = 0; i < outcome->function_count; i++) buf_release(&outcome->functions[i]);
    mem_free(outcome->functions);
    outcome->functions = NULL;
    outcome->function_count = 0;
    buf_release(&outcome->expired);
}

static void load_stream(struct loader *loader, ssize_t (*read)(void *, void *, size_t))
{
    struct loader_outcome *outcome = &loader->outcome;
    struct rdb_source source = {read, loader};
    struct rdb_reader reader;

    rdb_reader_init(&reader, &source, loader->size, loader->options.checksum);
    reader.size_certain = loader->path != NULL;
    loader->load = (struct rdb_load){
        .options = &loader->options,
        .reader = &reader,
        .outcome = outcome,
        .pause = pause_for_delay,
        .context = loader,
        .keys = &loader->keys,
        .keys_expired = &loader->keys_expired,
        .keys_expected = &loader->keys_expected,
        .used_memory = &loader->used_memory,
        .ahead_max = loader->key_delay_us == 0 ? RDB_LOAD_AHEAD : 1,
    };
    outcome->err = rdb_load_run(&loader->load);
    if (outcome->err == OK) outcome->err = check_end(loader, &reader);
    if (outcome->err != OK) {
        memcpy(outcome->error, reader.error, sizeof outcome->error);
        free_built(outcome); /* here, not on the engine's thread */
    }
    rdb_reader_release(&reader);
}

static void load_file(struct loader *loader)
{
    uint64_t size = UINT64_MAX;

    loader->fd = file_open_read(loader->path, &size);
    loader->size = size;
    if (loader->fd < 0) {
        loader->outcome.err = ERR_IO;
        loader->outcome.error_number = -loader->fd;
        snprintf(loader->outcome.error, sizeof loader->outcome.error, "Opening %.150s failed: %s",
                 loader->path, strerror(-loader->fd));
        return;
    }
    load_stream(loader, read_file);
    file_close(loader->fd);
}

static void run_loader(void *context)
{
    struct loader *loader = context;

    if (loader->path != NULL) load_file(loader);
    else load_stream(loader, loader->queue != NULL ? read_queue : read_collected);
}

/* ---- life ----------------------------------------------------------------------------------- */

/* With no thread and nothing under way. */
static void free_now(struct loader *loader)
{
    struct worker *thread = loader->thread;

    loader->thread = NULL;
    worker_free(thread);
    free_built(&loader->outcome);
    byte_queue_free(loader->queue);
    buf_release(&loader->collected);
    mem_free(loader->path);
    pthread_mutex_destroy(&loader->lock);
    pthread_cond_destroy(&loader->changed);
    mem_free(loader);
}

static void free_outcome_on_thread(void *context)
{
    struct loader *loader = context;

    free_built(&loader->outcome);
}

static void free_after_thread(void *context)
{
    free_now(context);
}

static void note_stop(struct loader *loader)
{
    struct loader_outcome *outcome = &loader->outcome;

    if (!loader->stop || outcome->err == OK) return;
    outcome->err = ERR_IO;
    snprintf(outcome->error, sizeof outcome->error, "aborted: %s", loader->stop_reason);
}

static void on_thread_done(void *context)
{
    struct loader *loader = context;

    if (loader->freed) {
        /* What was built may be large: it is freed on the thread, too. */
        worker_submit(loader->thread, free_outcome_on_thread, free_after_thread, loader);
        return;
    }
    note_stop(loader);
    loader->finished = true;
    if (loader->options.done != NULL) loader->options.done(loader->options.context);
}

static void call_room(void *context)
{
    struct loader *loader = context;

    if (!loader->freed && !loader->finished && loader->options.room != NULL)
        loader->options.room(loader->options.context);
}

static void tell_room(void *context)
{
    struct loader *loader = context;

    worker_tell(loader->thread, call_room, loader);
}

static struct loader *new_loader(const struct loader_options *options, uint64_t size)
{
    struct loader *loader = mem_zalloc(sizeof *loader);

    loader->options = *options;
    loader->size = size;
    loader->fd = -1;
    loader->key_delay_us = options->key_load_delay_us;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->changed, NULL);
    return loader;
}

static void start(struct loader *loader)
{
    loader->thread = worker_new("rdb-loader", loader->options.loop);
    worker_submit(loader->thread, run_loader, on_thread_done, loader);
}

static void run_inline(struct loader *loader)
{
    run_loader(loader);
    note_stop(loader);
    loader->finished = true;
}

struct loader *loader_open_file(const char *path, const struct loader_options *options)
{
    struct loader *loader = new_loader(options, UINT64_MAX);
    size_t len = strlen(path);

    loader->path = mem_alloc(len + 1);
    memcpy(loader->path, path, len + 1);
    if (options->inline_loading) run_inline(loader);
    else start(loader);
    return loader;
}

bool loader_is_rdb(const char *path)
{
    char magic[5];
    uint64_t size;
    int fd = file_open_read(path, &size);
    bool is = fd >= 0 && file_pread_some(fd, magic, sizeof magic, 0) == sizeof magic &&
              memcmp(magic, "REDIS", sizeof magic) == 0;

    file_close(fd);
    return is;
}

struct loader *loader_open_feed(uint64_t size, const struct loader_options *options)
{
    struct loader *loader = new_loader(options, size);

    if (options->inline_loading) return loader;
    loader->queue = byte_queue_new(LOADER_QUEUE_BYTES, tell_room, loader);
    start(loader);
    return loader;
}

size_t loader_feed(struct loader *loader, const void *ptr, size_t len)
{
    check(!loader->feed_ended && loader->path == NULL);
    if (loader->finished || loader->stop) return len;
    if (loader->queue != NULL) return byte_queue_put(loader->queue, ptr, len);
    buf_append(&loader->collected, ptr, len);
    return len;
}

void loader_feed_end(struct loader *loader)
{
    loader->feed_ended = true;
    if (loader->finished) return;
    if (loader->queue != NULL) byte_queue_end(loader->queue);
    else run_inline(loader);
}

void loader_abort(struct loader *loader, const char *why)
{
    if (loader->finished || loader->stop) return;
    snprintf(loader->stop_reason, sizeof loader->stop_reason, "%s", why);
    pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    pthread_cond_signal(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
    if (loader->queue != NULL) byte_queue_cancel(loader->queue);
    if (loader->thread == NULL) run_inline(loader);
}

void loader_set_key_delay(struct loader *loader, int64_t key_load_delay_us)
{
    pthread_mutex_lock(&loader->lock);
    loader->key_delay_us = key_load_delay_us;
    pthread_cond_signal(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
}

void loader_progress(const struct loader *loader, struct loader_progress *out)
{
    *out = (struct loader_progress){
        .bytes = loader->bytes,
        .bytes_total = loader->size,
        .keys = loader->keys,
        .keys_expired = loader->keys_expired,
        .keys_expected = loader->keys_expected,
        .used_memory = loader->used_memory,
    };
}

bool loader_finished(const struct loader *loader)
{
    return loader->finished;
}

void loader_take(struct loader **loader, struct loader_outcome *out)
{
    check((*loader)->finished);
    *out = (*loader)->outcome;
    (*loader)->outcome = (struct loader_outcome){0};
    free_now(*loader);
    *loader = NULL;
}

void loader_free(struct loader **loader)
{
    struct loader *it = *loader;

    if (it == NULL) return;
    *loader = NULL;
    it->freed = true;
    if (it->thread == NULL) {
        free_now(it);
    } else if (it->finished) {
        worker_submit(it->thread, free_outcome_on_thread, free_after_thread, it);
    } else {
        loader_abort(it, "not needed any more");
    }
}

void loader_outcome_release(struct loader_outcome *outcome)
{
    free_built(outcome);
}

bool loader_next_expired(const struct loader_outcome *outcome, size_t *at, int *db,
                         struct span *key)
{
    uint32_t head[2];

    if (*at >= outcome->expired.len) return false;
    memcpy(head, outcome->expired.ptr + *at, sizeof head);
    *db = (int)head[0];
    *key = span_of(outcome->expired.ptr + *at + sizeof head, head[1]);
    *at += sizeof head + head[1];
    return true;
}
