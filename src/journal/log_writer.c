#include "journal/log_writer.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>

/* Longer stretches are read twice: for the checksum, then for the file. */
#define ROOM_BYTES    (1 << 20)
#define RETRY_MS      1000
#define SYNC_EVERY_MS 1000

enum step_kind { STEP_FILE, STEP_ID };

/* A change of file or id, due when everything below `offset` is written. */
struct step {
    struct step *next;
    enum step_kind kind;
    uint64_t offset;
    struct log_writer_change change;
};

enum job_kind { JOB_WRITE, JOB_STEP, JOB_SYNC };

struct job {
    struct log_writer *writer;
    enum job_kind kind;
    /* JOB_WRITE */
    struct spool_cursor *sum_cursor, *data_cursor; /* sum_cursor NULL: the stretch fits the room */
    uint64_t from, upto;
    int64_t unix_s;
    bool sync;
    bool messages;     /* only that, and all before them is safe */
    struct step *step; /* JOB_STEP */
    int error, sync_error;
    int64_t write_us, sync_us; /* -1: none */
    bool worked;               /* the worker's part is done: guarded by the writer's lock */
    bool ended; /* and so is the engine's, for somebody who waited: the writer may be gone */
};

struct log_writer {
    struct log_writer_options options;
    enum log_sync sync;
    bool timestamps;
    struct spool_cursor *pin; /* at `written`; NULL until a file is wanted */
    bool has_file;            /* false: the first one does not stand yet, or could not be made */
    struct step *steps, **steps_end;
    struct log_writer_figures figures;
    int64_t now_ms, retry_at_ms, synced_at_ms;
    int64_t last_unix_s;                   /* of the last time line */
    uint64_t messages_from, messages_upto; /* the last stretch of the log without data */
    char *room;
    pthread_mutex_t lock;
    pthread_cond_t worked;
    struct job *write_job, *sync_job; /* under way; JOB_STEP is in write_job too */
};

struct log_writer *log_writer_new(const struct log_writer_options *options)
{
    struct log_writer *writer = mem_zalloc(sizeof *writer);

    writer->options = *options;
    writer->steps_end = &writer->steps;
    writer->room = mem_alloc(ROOM_BYTES);
    writer->figures.write_us = writer->figures.sync_us = -1;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->worked, NULL);
    return writer;
}

void log_writer_set_sync(struct log_writer *writer, enum log_sync sync, bool timestamps)
{
    writer->sync = sync;
    writer->timestamps = timestamps;
}

const struct log_writer_figures *log_writer_figures(const struct log_writer *writer)
{
    return &writer->figures;
}

/* ---- the worker's part ------------------------------------------------------------------------- */

static size_t room_for(uint64_t bytes)
{
    return bytes < ROOM_BYTES ? (size_t)bytes : ROOM_BYTES;
}

/* The checksum of a stretch that is longer than the room. */
static bool sum_up(struct job *job, uint32_t *crc)
{
    for (uint64_t left = job->upto - job->from; left > 0;) {
        size_t step = room_for(left);
        if (!spool_read_exactly(job->sum_cursor, job->writer->room, step)) return false;
        *crc = crc32c(*crc, job->writer->room, step);
        left -= step;
    }
    return true;
}

static int write_stretch(struct job *job)
{
    struct log_writer *writer = job->writer;
    struct segments *segments = writer->options.segments;
    struct segment_mark mark = {job->from, job->upto - job->from, 0};
    size_t step = room_for(mark.bytes);
    uint64_t left = mark.bytes;
    int error;

    if (job->sum_cursor != NULL && !sum_up(job, &mark.crc)) return -EIO;
    if (!spool_read_exactly(job->data_cursor, writer->room, step)) return -EIO;
    if (job->sum_cursor == NULL) mark.crc = crc32c(0, writer->room, step);
    error = segments_write(segments, &mark, job->unix_s, writer->room, step);
    for (left -= step; left > 0 && error == 0; left -= step) {
        step = room_for(left);
        if (!spool_read_exactly(job->data_cursor, writer->room, step)) return -EIO;
        error = segments_write_more(segments, writer->room, step);
    }
    return error;
}

static int take_step(struct job *job)
{
    struct segments *segments = job->writer->options.segments;
    const struct step *step = job->step;
    struct segment_head head = {.offset = step->offset, .db = step->change.db};

    memcpy(head.id, step->change.id, sizeof head.id);
    if (step->kind == STEP_FILE)
        return segments_begin(segments, step->change.path, &head, step->change.commit,
                              step->change.context);
    return segments_mark_head(segments, &head);
}

static void work(struct job *job)
{
    int64_t (*clock_us)(void) = job->writer->options.clock_us;
    int64_t from = clock_us != NULL ? clock_us() : 0, middle;

    if (job->kind == JOB_WRITE) job->error = write_stretch(job);
    else if (job->kind == JOB_STEP) job->error = take_step(job);
    middle = clock_us != NULL ? clock_us() : 0;
    if (job->kind == JOB_WRITE) job->write_us = middle - from;
    if (job->error != 0 || !job->sync) return;
    job->sync_error = segments_sync(job->writer->options.segments);
    job->sync_us = clock_us != NULL ? clock_us() - middle : 0;
}

static void work_and_tell(void *context)
{
    struct job *job = context;
    struct log_writer *writer = job->writer;

    work(job);
    pthread_mutex_lock(&writer->lock);
    job->worked = true;
    pthread_cond_broadcast(&writer->worked);
    pthread_mutex_unlock(&writer->lock);
}

/* ---- back on the engine ------------------------------------------------------------------------ */

static void now_broken(struct log_writer *writer, int error)
{
    if (!writer->figures.broken)
        log_warning("Syncing the append only file failed: %s", strerror(-error));
    writer->figures.broken = true;
}

static void note_sync(struct log_writer *writer, const struct job *job)
{
    struct log_writer_figures *figures = &writer->figures;

    if (job->sync_us < 0) return;
    figures->syncs++;
    if (job->sync_error != 0) now_broken(writer, job->sync_error);
    figures->synced = segments_synced(writer->options.segments);
    if (figures->safe < figures->synced) figures->safe = figures->synced;
}

static void end_write(struct log_writer *writer, struct job *job)
{
    struct journal *journal = writer->options.journal;
    struct log_writer_figures *figures = &writer->figures;

    if (job->sum_cursor != NULL) journal_close(journal, job->sum_cursor);
    journal_close(journal, job->data_cursor);
    if (job->error != 0) {
        if (figures->error == 0)
            log_warning("Writing the append only file failed: %s", strerror(-job->error));
        figures->error = job->error;
        writer->retry_at_ms = writer->now_ms + RETRY_MS;
        return;
    }
    if (figures->error != 0) log_notice("The append only file can be written again");
    figures->error = 0;
    figures->writes++;
    figures->written = job->upto;
    if (job->messages) figures->safe = job->upto;
    if (job->unix_s > 0) writer->last_unix_s = job->unix_s;
    spool_advance(writer->pin, (size_t)(job->upto - job->from));
    journal_trim(journal);
}

static struct step *take_first_step(struct log_writer *writer)
{
    struct step *step = writer->steps;

    writer->steps = step->next;
    if (writer->steps == NULL) writer->steps_end = &writer->steps;
    return step;
}

static void end_change(struct step *step, int error)
{
    if (step->change.done != NULL) step->change.done(step->change.context, error);
    mem_free(step);
}

/* Nothing behind a change of the id is written before it: it comes again like a write that failed. */
static void try_step_again(struct log_writer *writer, struct step *step, int error)
{
    if (writer->figures.error == 0)
        log_warning("Writing the append only file failed: %s", strerror(-error));
    writer->figures.error = error;
    writer->retry_at_ms = writer->now_ms + RETRY_MS;
    step->next = writer->steps;
    writer->steps = step;
    if (step->next == NULL) writer->steps_end = &step->next;
}

static void end_step(struct log_writer *writer, struct job *job)
{
    struct log_writer_figures *figures = &writer->figures;
    struct step *step = job->step;

    if (job->error == 0) {
        if (figures->error != 0) log_notice("The append only file can be written again");
        figures->error = 0;
        figures->written = figures->synced = figures->safe = step->offset;
        figures->broken = false;
        if (step->kind == STEP_FILE) {
            writer->last_unix_s = 0;
            writer->has_file = true;
        }
    } else if (writer->has_file && segments_broken(writer->options.segments)) {
        now_broken(writer, job->error);
    } else if (step->kind == STEP_ID) {
        try_step_again(writer, step, job->error);
        return;
    }
    end_change(step, job->error);
}

/* The engine's part of a job whose worker's part is done. */
static void end_job(struct job *job)
{
    struct log_writer *writer = job->writer;

    if (job->kind == JOB_SYNC) {
        writer->sync_job = NULL;
        writer->figures.syncing = false;
    } else {
        writer->write_job = NULL;
        writer->figures.writing = false;
        writer->figures.writing_since_ms = 0;
    }
    writer->figures.write_us = job->write_us;
    writer->figures.sync_us = job->sync_us;
    if (job->kind == JOB_WRITE) end_write(writer, job);
    if (job->kind == JOB_STEP) end_step(writer, job);
    else note_sync(writer, job);
    job->ended = true;
}

static void done(void *context)
{
    struct job *job = context;

    if (!job->ended) {
        struct log_writer_options options = job->writer->options;
        end_job(job);
        if (options.moved != NULL) options.moved(options.context);
    }
    mem_free(job);
}

/* Waits for the worker, then does what `done` would: that one, still to come, finds it done. */
static void wait_for(struct job *job)
{
    struct log_writer *writer;

    if (job == NULL) return;
    writer = job->writer;
    pthread_mutex_lock(&writer->lock);
    while (!job->worked) pthread_cond_wait(&writer->worked, &writer->lock);
    pthread_mutex_unlock(&writer->lock);
    end_job(job);
}

/* ---- starting jobs ----------------------------------------------------------------------------- */

static struct job *new_job(struct log_writer *writer, enum job_kind kind)
{
    struct job *job = mem_zalloc(sizeof *job);

    job->writer = writer;
    job->kind = kind;
    job->write_us = job->sync_us = -1;
    return job;
}

static void submit(struct worker *worker, struct job *job)
{
    if (worker != NULL) {
        worker_submit(worker, work_and_tell, done, job);
        return;
    }
    work_and_tell(job);
    done(job);
}

static void start_write(struct log_writer *writer, uint64_t upto)
{
    struct journal *journal = writer->options.journal;
    struct job *job = new_job(writer, JOB_WRITE);
    int64_t unix_s = writer->now_ms / 1000;

    job->from = spool_position(writer->pin);
    job->upto = upto;
    job->data_cursor = journal_open(journal, job->from);
    if (upto - job->from > ROOM_BYTES) job->sum_cursor = journal_open(journal, job->from);
    check(job->data_cursor != NULL);
    if (writer->timestamps && unix_s != writer->last_unix_s) job->unix_s = unix_s;
    job->messages = writer->messages_from <= job->from && upto <= writer->messages_upto &&
                    writer->figures.safe >= job->from;
    job->sync = writer->sync == LOG_SYNC_ALWAYS && !job->messages;
    writer->write_job = job;
    writer->figures.writing = true;
    writer->figures.writing_since_ms = writer->now_ms;
    submit(writer->options.writer, job);
}

static void start_step(struct log_writer *writer)
{
    struct job *job = new_job(writer, JOB_STEP);

    job->step = take_first_step(writer);
    writer->write_job = job;
    writer->figures.writing = true;
    writer->figures.writing_since_ms = writer->now_ms;
    submit(writer->options.writer, job);
}

static void start_sync(struct log_writer *writer)
{
    struct job *job = new_job(writer, JOB_SYNC);

    job->sync = true;
    writer->sync_job = job;
    writer->synced_at_ms = writer->now_ms;
    writer->figures.syncing = true;
    submit(writer->options.syncer, job);
}

/* Without a file nothing is written: the base that comes with the first one holds what was before it. */
static void skip(struct log_writer *writer, uint64_t upto)
{
    spool_advance(writer->pin, (size_t)(upto - spool_position(writer->pin)));
    writer->figures.written = writer->figures.synced = writer->figures.safe = upto;
    journal_trim(writer->options.journal);
}

/* Nor does a change of the id need a line: the file's head will state it. */
static void skip_ids(struct log_writer *writer)
{
    while (writer->steps != NULL && writer->steps->kind == STEP_ID)
        end_change(take_first_step(writer), 0);
}

/* Starts the next job, if there is one. Returns whether one was started. */
static bool start_next(struct log_writer *writer)
{
    struct journal *journal = writer->options.journal;
    uint64_t upto;

    if (writer->write_job != NULL || writer->pin == NULL) return false;
    journal_publish(journal);
    if (!writer->has_file) skip_ids(writer);
    upto = writer->steps != NULL ? writer->steps->offset : journal_end(journal);
    if (writer->figures.error != 0 && writer->now_ms < writer->retry_at_ms) return false;
    if (!writer->has_file && upto > spool_position(writer->pin)) skip(writer, upto);
    if (upto > spool_position(writer->pin)) {
        start_write(writer, upto);
        return true;
    }
    if (writer->steps == NULL) return false;
    start_step(writer);
    return true;
}

/* Under `always` nothing else would sync what was written before that was asked for. */
static void sync_the_rest(struct log_writer *writer)
{
    const struct log_writer_figures *figures = &writer->figures;

    if (writer->sync == LOG_SYNC_ALWAYS && figures->safe < figures->written && !figures->broken &&
        writer->pin != NULL && writer->write_job == NULL && writer->sync_job == NULL)
        start_sync(writer);
}

int64_t log_writer_run(struct log_writer *writer, int64_t now_ms)
{
    const struct log_writer_figures *figures = &writer->figures;
    int64_t next_ms = -1;

    writer->now_ms = now_ms;
    while (start_next(writer))
        if (writer->options.writer != NULL) break;
    sync_the_rest(writer);
    if (figures->error != 0 && writer->write_job == NULL)
        next_ms = writer->retry_at_ms > now_ms ? writer->retry_at_ms - now_ms : 1;
    if (writer->sync != LOG_SYNC_EVERY_SECOND || figures->synced >= figures->written ||
        figures->broken || writer->pin == NULL)
        return next_ms;
    int64_t due_ms = writer->synced_at_ms + SYNC_EVERY_MS - now_ms;
    if (due_ms > 0) return next_ms >= 0 && next_ms < due_ms ? next_ms : due_ms;
    if (writer->sync_job == NULL) {
        start_sync(writer);
    } else {
        writer->figures.syncs_delayed++;
        writer->synced_at_ms = now_ms;
    }
    return next_ms >= 0 ? next_ms : SYNC_EVERY_MS;
}

/* ---- changes ----------------------------------------------------------------------------------- */

static void pin_end(struct log_writer *writer)
{
    uint64_t end = journal_end(writer->options.journal);

    check(writer->pin == NULL);
    writer->pin = journal_open(writer->options.journal, end);
    check(writer->pin != NULL); /* the journal is active */
    writer->figures.written = writer->figures.synced = writer->figures.safe = end;
}

static void add_step(struct log_writer *writer, enum step_kind kind,
                     const struct log_writer_change *change)
{
    struct step *step = mem_zalloc(sizeof *step);

    journal_publish(writer->options.journal);
    step->kind = kind;
    step->offset = journal_end(writer->options.journal);
    step->change = *change;
    *writer->steps_end = step;
    writer->steps_end = &step->next;
    if (writer->pin == NULL) pin_end(writer);
}

void log_writer_begin(struct log_writer *writer, const struct log_writer_change *change)
{
    add_step(writer, STEP_FILE, change);
}

void log_writer_change_id(struct log_writer *writer, const struct log_writer_change *change)
{
    if (writer->pin != NULL) add_step(writer, STEP_ID, change);
    else if (change->done != NULL) change->done(change->context, 0);
}

void log_writer_continue(struct log_writer *writer)
{
    pin_end(writer);
    writer->has_file = true;
}

/* ---- the end ----------------------------------------------------------------------------------- */

bool log_writer_idle(const struct log_writer *writer)
{
    return writer->write_job == NULL && writer->steps == NULL &&
           (writer->pin == NULL ||
            spool_position(writer->pin) == journal_end(writer->options.journal));
}

void log_writer_note_message(struct log_writer *writer, uint64_t from, uint64_t upto)
{
    if (writer->messages_upto != from) writer->messages_from = from;
    writer->messages_upto = upto;
}

void log_writer_try_again(struct log_writer *writer)
{
    writer->retry_at_ms = 0;
}

int log_writer_flush(struct log_writer *writer)
{
    if (writer->pin == NULL) return 0;
    writer->retry_at_ms = 0; /* once more, now */
    do {
        wait_for(writer->write_job);
        if (writer->figures.error != 0 && writer->retry_at_ms > 0) return writer->figures.error;
    } while (start_next(writer) || writer->write_job != NULL);
    wait_for(writer->sync_job);
    if (writer->sync == LOG_SYNC_NO || writer->figures.synced >= writer->figures.written) return 0;
    if (writer->figures.broken) return -EIO;
    start_sync(writer);
    wait_for(writer->sync_job);
    return writer->figures.broken ? -EIO : 0;
}

void log_writer_free(struct log_writer *writer, bool discard)
{
    if (writer == NULL) return;
    if (!discard) log_writer_flush(writer);
    wait_for(writer->write_job);
    wait_for(writer->sync_job);
    while (writer->steps != NULL) end_change(take_first_step(writer), -ECANCELED);
    if (writer->pin != NULL) journal_close(writer->options.journal, writer->pin);
    pthread_mutex_destroy(&writer->lock);
    pthread_cond_destroy(&writer->worked);
    mem_free(writer->room);
    mem_free(writer);
}
