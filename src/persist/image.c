#include "persist/image.h"
#include "base/check.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/slice.h"
#include "persist/encoder.h"
#include "store/snapshot.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define PIECE_BYTES       (256 * 1024) /* records are read from their spool in pieces of this */
#define PRESSURE_HIGH     150          /* spool_pressure: the encoder pauses */
#define PRESSURE_HOPELESS 400 /* of the records, where the disk takes no more: the image ends */
#define PRESSURE_WAIT_US  5000

struct lease {
    struct entry *entry; /* a copy */
    size_t value_bytes;
};

struct image {
    /* ---- engine's ---- */
    enum image_state state;
    char error[256];
    struct snapshot *snapshot; /* NULL once every key is taken or the image was given up */
    struct snapshot_figures figures;
    struct spool *records, *rdb;
    int readers;
    bool released;  /* the owner let go */
    bool keep_head; /* for late readers */
    bool begun;     /* inline: the header was written */
    struct worker *thread;
    void (*ready)(void *context);
    void *context;

    /* ---- encoder's, on its thread or inline ---- */
    struct encoder encoder;
    struct spool_cursor *input;
    struct image_options options; /* deep copies, read by encoder_begin */
    enum err encoder_result;      /* read by the engine once `encoder_done` is delivered */

    /* ---- shared ---- */
    atomic_bool stop;
    atomic_bool told; /* a call of `ready` is under way */
    atomic_bool running;
    _Atomic uint64_t keys_encoded, bytes_read;
    _Atomic uint64_t leased_bytes; /* of values that are leased and not encoded yet */
    struct store *store;           /* for its leases */
    pthread_mutex_t lock;          /* guards what follows */
    pthread_cond_t stopping;
    struct lease *leases; /* oldest first: a ring, cap a power of two */
    size_t first_lease, lease_count, lease_cap;
};

/* ---- leases -----------------------------------------------------------------------------------
 * The records of leased values may lie on disk when the image is given up; so that their values
 * are let go without reading them back, a copy of each such entry (not of its value) is kept. */

static void push_lease(struct image *image, const struct entry *entry)
{
    size_t bytes = entry_bytes(entry);
    struct lease lease = {mem_alloc(bytes), entry_memory(entry)};

    memcpy(lease.entry, entry, bytes);
    image->leased_bytes += lease.value_bytes;
    pthread_mutex_lock(&image->lock);
    if (image->lease_count == image->lease_cap) {
        size_t cap = image->lease_cap == 0 ? 16 : image->lease_cap * 2;
        struct lease *leases = mem_alloc(cap * sizeof *leases);
        for (size_t i = 0; i < image->lease_count; i++)
            leases[i] = image->leases[(image->first_lease + i) & (image->lease_cap - 1)];
        mem_free(image->leases);
        image->leases = leases;
        image->lease_cap = cap;
        image->first_lease = 0;
    }
    image->leases[(image->first_lease + image->lease_count++) & (image->lease_cap - 1)] = lease;
    pthread_mutex_unlock(&image->lock);
}

/* Records are encoded in the order in which they were taken, so the oldest lease is the one. */
static void drop_oldest_lease(struct image *image)
{
    struct lease lease;

    pthread_mutex_lock(&image->lock);
    check(image->lease_count > 0);
    lease = image->leases[image->first_lease];
    image->first_lease = (image->first_lease + 1) & (image->lease_cap - 1);
    image->lease_count--;
    pthread_mutex_unlock(&image->lock);
    image->leased_bytes -= lease.value_bytes;
    snapshot_release_lease(lease.entry, image->store);
    mem_free(lease.entry);
}

static void on_leased_encoded(void *context, const struct entry *entry)
{
    (void)entry; /* its copy is at hand */
    drop_oldest_lease(context);
}

/* The snapshot's sink: the walker and the door, on the engine's thread. */
static void take_records(void *context, const void *ptr, size_t len)
{
    struct image *image = context;

    for (size_t at = 0; at < len;) {
        const struct snapshot_record *record =
            (const struct snapshot_record *)((const char *)ptr + at);
        if (record->leased) push_lease(image, snapshot_record_entry(record));
        at += record->bytes;
    }
    spool_append(image->records, ptr, len);
}

/* ---- the encoder ---------------------------------------------------------------------------- */

static void call_ready(void *context)
{
    struct image *image = context;

    image->told = false;
    if (!image->released && image->ready != NULL) image->ready(image->context);
}

static void tell(struct image *image)
{
    if (image->ready != NULL && !atomic_exchange(&image->told, true))
        worker_tell(image->thread, call_ready, image);
}

/* Memory stays bounded because the encoder stands still while the disk is behind, and where it takes
 * no more until readers have made room. Nobody tells when the pressure is gone, so it looks every
 * few milliseconds; abort wakes it. */
static void wait_for_room(struct image *image)
{
    while (!image->stop && spool_pressure(image->rdb) >= PRESSURE_HIGH) {
        pthread_mutex_lock(&image->lock);
        if (!image->stop) clock_wait_us(&image->stopping, &image->lock, PRESSURE_WAIT_US);
        pthread_mutex_unlock(&image->lock);
    }
}

static void take_rdb(void *context, const void *ptr, size_t len)
{
    struct image *image = context;

    if (image->stop) return;
    spool_append(image->rdb, ptr, len);
    image->keys_encoded = image->encoder.keys;
    if (image->thread == NULL) return;
    tell(image);
    wait_for_room(image);
}

static enum err finish(struct image *image)
{
    TRY(encoder_end(&image->encoder));
    image->keys_encoded = image->encoder.keys;
    spool_finish(image->rdb);
    return OK;
}

static enum err encode_all(struct image *image, char *piece)
{
    encoder_begin(&image->encoder, &image->options);
    for (;;) {
        ssize_t len = spool_read_wait(image->input, piece, PIECE_BYTES);
        if (image->stop || len < 0) return ERR_IO;
        if (len == 0) return finish(image);
        image->bytes_read += (uint64_t)len;
        encoder_feed(&image->encoder, piece, (size_t)len);
        slice_yield();
        /* What is made goes out at once when there is nothing more to encode: a slow walk
         * (rdb-key-save-delay) still shows its progress. */
        if (spool_end(image->records) == image->bytes_read)
            rdb_writer_flush(&image->encoder.writer);
    }
}

static void run_encoder(void *context)
{
    struct image *image = context;
    char *piece = mem_alloc(PIECE_BYTES);

    image->encoder_result = encode_all(image, piece);
    mem_free(piece);
}

/* Inline: everything that was walked becomes RDB bytes now. */
static void encode_inline(struct image *image)
{
    struct iovec iov[8];
    int count;

    if (!image->begun) encoder_begin(&image->encoder, &image->options);
    image->begun = true;
    for (;;) {
        enum spool_read state = spool_peek(image->input, iov, &count, 8, PIECE_BYTES, NULL, NULL);
        if (state == SPOOL_NOTHING) return;
        if (state == SPOOL_END) {
            enum err err = finish(image);
            if (err == OK) image->state = IMAGE_COMPLETE;
            else image_abort(image, "the record spool ended inside a record");
            return;
        }
        if (state != SPOOL_BYTES) {
            image_abort(image, "the record spool cannot be read");
            return;
        }
        size_t len = 0;
        for (int i = 0; i < count; i++) {
            encoder_feed(&image->encoder, iov[i].iov_base, iov[i].iov_len);
            len += iov[i].iov_len;
        }
        image->bytes_read += len;
        spool_advance(image->input, len);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

static void let_options_go(struct image_options *options)
{
    for (size_t i = 0; i < options->function_count; i++)
        mem_free((void *)options->functions[i].ptr);
    mem_free((void *)options->functions);
    mem_free((void *)options->repl_id);
    options->functions = NULL;
    options->function_count = 0;
    options->repl_id = NULL;
}

static void free_if_idle(struct image *image)
{
    struct worker *thread = image->thread;

    if (!image->released || image->readers > 0 || image->running) return;
    image->thread = NULL;
    worker_free(thread);
    let_options_go(&image->options);
    while (image->lease_count > 0) drop_oldest_lease(image);
    mem_free(image->leases);
    encoder_release(&image->encoder);
    spool_close(image->input);
    spool_free(image->records);
    spool_free(image->rdb);
    pthread_mutex_destroy(&image->lock);
    pthread_cond_destroy(&image->stopping);
    mem_free(image);
}

static char *copy_bytes(const char *ptr, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (len > 0) memcpy(copy, ptr, len);
    copy[len] = '\0';
    return copy;
}

static void keep_options(struct image *image, const struct image_options *options)
{
    struct image_options *kept = &image->options;
    struct span *functions = NULL;

    *kept = *options;
    kept->dir = NULL; /* the spools have their copies */
    if (options->repl_id != NULL)
        kept->repl_id = copy_bytes(options->repl_id, strlen(options->repl_id));
    if (options->function_count > 0) {
        functions = mem_alloc(options->function_count * sizeof *functions);
        for (size_t i = 0; i < options->function_count; i++) {
            struct span code = options->functions[i];
            functions[i] = span_of(copy_bytes(code.ptr, code.len), code.len);
        }
    }
    kept->functions = functions;
}

/* The encoder's thread has ended its job; nothing of it comes after this. `running` keeps the image
 * until the owner has been told, who may let go of it right then. */
static void on_encoder_done(void *context)
{
    struct image *image = context;

    let_options_go(&image->options);
    if (image->state == IMAGE_MAKING) {
        if (image->encoder_result == OK) image->state = IMAGE_COMPLETE;
        else image_abort(image, "the record spool cannot be read");
    }
    if (!image->released && image->ready != NULL) image->ready(image->context);
    image->running = false;
    free_if_idle(image);
}

struct image *image_start(struct store *store, const struct image_options *options)
{
    struct image *image = mem_zalloc(sizeof *image);
    struct snapshot_sink sink = {take_records, image};
    struct spool_options records = {
        .dir = options->dir,
        .memory_bytes_max = options->dir != NULL ? IMAGE_RECORDS_MEMORY : 0,
        .worker = options->worker,
        .room = options->room,
    };
    struct spool_options rdb = {
        .dir = options->dir,
        .memory_bytes_max = options->dir != NULL ? IMAGE_RDB_MEMORY : 0,
        .worker = options->worker,
        .room = options->room,
        .keep_head = true, /* until the first reader is there, at least */
    };

    image->snapshot = snapshot_start(store, &sink);
    if (image->snapshot == NULL) {
        mem_free(image);
        return NULL;
    }
    image->store = store;
    image->figures = *snapshot_figures(image->snapshot);
    pthread_mutex_init(&image->lock, NULL);
    pthread_cond_init(&image->stopping, NULL);
    image->records = spool_new(&records);
    image->rdb = spool_new(&rdb);
    image->input = spool_open(image->records, 0);
    spool_release_head(image->records); /* what the encoder has read is not needed any more */
    image->keep_head = options->keep_head;
    image->ready = options->ready;
    image->context = options->context;
    keep_options(image, options);
    encoder_init(&image->encoder, options, snapshot_figures(image->snapshot),
                 store_databases(store), take_rdb, on_leased_encoded, image);
    image->encoder.stop = &image->stop;
    if (!options->inline_encoder) {
        image->thread = worker_new_background("rdb-encoder", options->loop);
        image->running = true;
        worker_submit(image->thread, run_encoder, on_encoder_done, image);
    }
    return image;
}

static void end_snapshot(struct image *image)
{
    if (image->snapshot == NULL) return;
    image->figures = *snapshot_figures(image->snapshot);
    snapshot_end(image->snapshot);
    image->snapshot = NULL;
}

void image_abort(struct image *image, const char *why)
{
    if (image->state != IMAGE_MAKING) return;
    image->state = IMAGE_FAILED;
    snprintf(image->error, sizeof image->error, "%s", why);
    end_snapshot(image);
    pthread_mutex_lock(&image->lock);
    image->stop = true;
    pthread_cond_signal(&image->stopping);
    pthread_mutex_unlock(&image->lock);
    spool_cancel(image->records);
    spool_cancel(image->rdb);
}

void image_release(struct image *image)
{
    if (image == NULL) return;
    check(!image->released);
    image->released = true;
    image_abort(image, "given up");
    spool_release_head(image->rdb);
    free_if_idle(image);
}

/* ---- walking -------------------------------------------------------------------------------- */

/* Leased values count too: the walker leases few at a time, so that writers seldom meet a leased
 * one and little memory is held back when values are replaced. */
static bool behind(const struct image *image)
{
    return spool_end(image->records) - image->bytes_read > IMAGE_RECORDS_AHEAD ||
           image->leased_bytes > IMAGE_LEASED_AHEAD;
}

/* True when every key is taken. One bucket at a time, because one may lease much. */
static bool walk(struct image *image, struct image_budget budget)
{
    const struct snapshot_figures *figures = snapshot_figures(image->snapshot);
    size_t keys_before = figures->keys_taken;
    uint64_t end_before = spool_end(image->records);

    for (size_t i = 0; i < budget.buckets && !behind(image); i++) {
        if (snapshot_walk(image->snapshot, SIZE_MAX, 1)) return true;
        if (figures->keys_taken - keys_before >= budget.keys) return false;
        if (spool_end(image->records) - end_before >= budget.bytes) return false;
    }
    return false;
}

enum image_walk image_walk(struct image *image, struct image_budget budget)
{
    if (image->state == IMAGE_FAILED) return IMAGE_STOPPED;
    if (spool_failed(image->records) != OK && spool_pressure(image->records) > PRESSURE_HOPELESS) {
        image_abort(image, "no room for the snapshot's spool file, and too many keys changed "
                           "while it was made");
        return IMAGE_STOPPED;
    }
    if (image->snapshot == NULL) return IMAGE_WALKED;
    /* What the door added: without a thread there is nobody else who could get on with it. */
    if (image->thread == NULL) encode_inline(image);
    if (image->state == IMAGE_FAILED) return IMAGE_STOPPED;
    if (behind(image)) return IMAGE_BEHIND;
    if (budget.keys == 0 || budget.buckets == 0) return IMAGE_MORE;

    if (walk(image, budget)) {
        end_snapshot(image);
        spool_finish(image->records);
    }
    if (image->thread == NULL) encode_inline(image);
    if (image->state == IMAGE_FAILED) return IMAGE_STOPPED;
    return image->snapshot == NULL ? IMAGE_WALKED : IMAGE_MORE;
}

enum image_state image_state(const struct image *image)
{
    return image->state;
}

const char *image_error(const struct image *image)
{
    return image->error;
}

struct loop *image_loop(const struct image *image)
{
    return image->thread != NULL ? image->options.loop : NULL;
}

void image_progress(const struct image *image, struct image_progress *out)
{
    const struct snapshot_figures *figures =
        image->snapshot != NULL ? snapshot_figures(image->snapshot) : &image->figures;

    *out = (struct image_progress){
        .keys_total = figures->keys_total,
        .keys_walked = figures->keys_taken,
        .keys_encoded = image->keys_encoded,
        .rdb_bytes = spool_end(image->rdb),
        .records_behind = spool_end(image->records) - image->bytes_read,
        .door_bytes = figures->door_bytes,
        .memory = spool_memory(image->records) + spool_memory(image->rdb),
        .disk = spool_disk(image->records) + spool_disk(image->rdb),
    };
    out->expected_bytes = out->rdb_bytes;
    if (image->state != IMAGE_COMPLETE && out->keys_encoded > 0)
        out->expected_bytes = (uint64_t)((double)out->rdb_bytes * (double)out->keys_total /
                                         (double)out->keys_encoded);
}

struct spool_cursor *image_open(struct image *image, uint64_t offset)
{
    struct spool_cursor *cursor;

    check(!image->released || image->readers > 0);
    cursor = spool_open(image->rdb, offset);
    if (cursor == NULL) return NULL;
    image->readers++;
    if (!image->keep_head) spool_release_head(image->rdb);
    return cursor;
}

void image_close(struct image *image, struct spool_cursor *cursor)
{
    check(image->readers > 0);
    spool_close(cursor);
    image->readers--;
    free_if_idle(image);
}

void image_release_head(struct image *image)
{
    spool_release_head(image->rdb);
}

/* ---- room ----------------------------------------------------------------------------------- */

bool image_short_of_room(const struct image *image)
{
    return image->state == IMAGE_MAKING && spool_failed(image->rdb) != OK &&
           spool_pressure(image->rdb) >= PRESSURE_HIGH;
}

void image_try_again(struct image *image)
{
    spool_try_again(image->records);
    spool_try_again(image->rdb);
}

bool image_door_is_full(const struct image *image)
{
    return image->snapshot != NULL && spool_failed(image->records) != OK &&
           spool_pressure(image->records) >= PRESSURE_HIGH;
}
