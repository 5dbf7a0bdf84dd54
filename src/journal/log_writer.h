/* Writes the journal to its files: the AOF's hand.
 *
 *   engine:  append ... publish --run--> job ------------------> done: written, synced move on
 *                                         | worker:
 *                                         | read from the spool, checksum, mark, write(2) [, fdatasync]
 *
 * One job is under way at a time; what is published meanwhile goes with the next one: under `always`
 * that is the group commit. A job writes one stretch (segment.h), however long, so stretches begin and
 * end between units. New files and changes of the id stand in the same order: they are done when
 * everything before them is written, and nothing behind them before they are durable.
 *
 * What is not written is pinned in the journal. A write that fails is tried again after a second,
 * nothing is dropped; figures.error says so meanwhile. A failed fdatasync is never tried again:
 * figures.broken stays set until a new file is begun.
 *
 * Without workers (tests, simulation) everything happens inside log_writer_run. Engine thread only. */
#ifndef PANDO_JOURNAL_LOG_WRITER_H
#define PANDO_JOURNAL_LOG_WRITER_H

#include "journal/segments.h"

#include <limits.h>

struct log_writer;

enum log_sync { LOG_SYNC_NO, LOG_SYNC_EVERY_SECOND, LOG_SYNC_ALWAYS };

struct log_writer_options {
    struct journal *journal;
    struct segments *segments; /* outlives the writer */
    struct worker *writer;     /* writes; its loop is the engine's */
    struct worker *syncer; /* fdatasync of LOG_SYNC_EVERY_SECOND: a sync must hold up no write */
    int64_t (*clock_us)(void);    /* of jobs' durations; called on the workers */
    void (*moved)(void *context); /* a job ended: watermarks, errors */
    void *context;
};
/* Its files begin at the journal's end: nothing is written until log_writer_begin. */
struct log_writer *log_writer_new(const struct log_writer_options *options);
/* Waits for the job under way; what was published is written first unless `discard`. */
void log_writer_free(struct log_writer *writer, bool discard);
void log_writer_set_sync(struct log_writer *writer, enum log_sync sync, bool timestamps);

/* From the journal's end on the log goes into a new file. `done` comes when it stands, or could not be
 * made (-errno: the old file goes on; where there is none, nothing is written until the next one
 * stands). The head's id and db are the caller's to say, its offset is the journal's end. */
struct log_writer_change {
    char path[PATH_MAX]; /* of the new file */
    char id[REPLICATION_ID_LEN + 1];
    int db;
    /* A new file: on the writer's thread, when it stands; makes it known to a restart. May be NULL. */
    int (*commit)(void *context);
    void (*done)(void *context, int error);
    void *context;
};
void log_writer_begin(struct log_writer *writer, const struct log_writer_change *change);
/* The id changes at the journal's end. Durable when done(0) comes, and before anything behind it is written: tried again
 * like a write, unless the sync failed. Before the first log_writer_begin nothing needs saying: its head will. */
void log_writer_change_id(struct log_writer *writer, const struct log_writer_change *change);
/* The files go on where segments_continue left them: at the journal's end. */
void log_writer_continue(struct log_writer *writer);

/* Once per turn, behind journal_publish: starts a job where there is something to do. Returns the
 * milliseconds until it wants to be called without any event, -1 for never. */
int64_t log_writer_run(struct log_writer *writer, int64_t now_ms);
/* What stands in the log from `from` to `upto` is messages (PUBLISH), no data: nothing is synced for them alone. What
 * nobody notes is data. */
void log_writer_note_message(struct log_writer *writer, uint64_t from, uint64_t upto);
/* A write that failed may work now: it is tried again with the next run. */
void log_writer_try_again(struct log_writer *writer);
/* Writes and, unless LOG_SYNC_NO, syncs everything that is published, waiting for it: at shutdown. 0 or
 * -errno. */
int log_writer_flush(struct log_writer *writer);

struct log_writer_figures {
    uint64_t written, synced; /* watermarks, offsets */
    /* Synced, but for messages behind it (log_writer_note_message): those are written. */
    uint64_t safe;
    int error;                 /* of the last write: 0 or -errno */
    bool broken;               /* a sync failed */
    bool writing, syncing;     /* jobs under way */
    int64_t writing_since_ms;  /* 0: none */
    int64_t write_us, sync_us; /* of the job that ended last; -1: it did no such thing */
    uint64_t writes, syncs;
    uint64_t syncs_delayed; /* a second had passed, and the sync before still ran */
};
const struct log_writer_figures *log_writer_figures(const struct log_writer *writer);
/* Whether everything published is written. */
bool log_writer_idle(const struct log_writer *writer);

#endif
