/* The journal: the one ordered log of changes. It knows bytes, offsets and ids, no keys.
 *
 * Offsets are Redis' replication offsets: the byte at stream position p (from 1) is "offset p"; journal_end() is the
 * number of bytes ever appended, that is master_repl_offset. A reader that has applied up to `o` continues at o.
 * (PSYNC asks for o + 1; that one-off lives in repl/, nowhere else.)
 *
 * Bytes enter in whole units only: a command, a MULTI...EXEC, one PING. Replicas read through cursors; the backlog
 * is how far back bytes are held without any cursor. Memory has a ceiling, beyond which the oldest held bytes go to
 * disk (io/spool); the byte ceiling of the disk is where a reader has to be dropped.
 *
 * While nothing reads the log (no backlog, no cursor) it is inactive: nothing is appended or counted.
 *
 * History is a list of at most two (id, end): the current id, and the previous one that is valid up to
 * second_offset, as Redis tells them in INFO. Engine thread only. */
#ifndef PANDO_JOURNAL_JOURNAL_H
#define PANDO_JOURNAL_JOURNAL_H

#include "io/spool.h"

#define REPLICATION_ID_LEN 40

struct journal;
struct journal_options {
    const char *dir;               /* for what memory does not hold */
    struct worker *worker;         /* may be NULL (simulation) */
    uint64_t backlog_bytes;        /* repl-backlog-size */
    size_t memory_bytes_max;       /* ceiling for held bytes in memory; at least the backlog */
    uint64_t disk_bytes_max;       /* 0: by free space, see spool */
};
struct journal *journal_new(const struct journal_options *options); /* fresh random id, inactive, end 0 */
void journal_free(struct journal *journal);
void journal_set_backlog(struct journal *journal, uint64_t bytes);
void journal_set_memory_max(struct journal *journal, size_t bytes);

/* ---- identity ---------------------------------------------------------------------------------- */
const char *journal_id(const struct journal *journal);        /* 40 hex digits, zero-terminated */
const char *journal_second_id(const struct journal *journal); /* 40 zeros when none */
int64_t journal_second_offset(const struct journal *journal); /* -1 when none; Redis' convention: first offset that is NOT
                                                               * shared, i.e. end at the switch + 1 */
/* Promotion: the current id becomes the second one, valid to the current end; a new random id begins. */
void journal_shift_id(struct journal *journal);
/* A new random id, second one forgotten: a new history with the same end. */
void journal_new_history(struct journal *journal);
/* +FULLRESYNC taken: history is the primary's from `offset` on, held bytes are dropped, second id forgotten. */
void journal_adopt(struct journal *journal, const char *id, uint64_t offset);
/* +CONTINUE <new id>: the same bytes under a new id; the old one becomes the second. No change when equal. */
void journal_rename_id(struct journal *journal, const char *id);
/* What a file said at start: the id becomes the second one (valid to `offset`) on a primary; end is set. */
void journal_restore(struct journal *journal, const char *id, uint64_t offset, bool as_primary);

/* ---- writing ------------------------------------------------------------------------------------ */
bool journal_active(const struct journal *journal);
/* Begins to hold a backlog. From inactive: the id is new (what came before was not counted), unless keep_id. */
void journal_activate(struct journal *journal, bool keep_id);
/* Frees the backlog; the id changes and second is forgotten, as repl-backlog-ttl does. */
void journal_deactivate(struct journal *journal);
/* Appends one whole unit. Bytes become visible to cursors at journal_publish (once per batch). */
void journal_append(struct journal *journal, const void *ptr, size_t len);
struct buf *journal_tail(struct journal *journal); /* append in place instead of copying: see journal_appended */
void journal_appended(struct journal *journal, size_t len); /* `len` more bytes stand at the tail */
void journal_publish(struct journal *journal);

/* The database that the log stands in: the last SELECT in it, -1 when the next command needs one first (start,
 * promotion, snapshot start). */
int journal_db(const struct journal *journal);
void journal_set_db(struct journal *journal, int db);

/* When bytes up to an offset were appended: for lag_ms. Samples of (offset, ms) are taken at publish when now differs. */
void journal_set_now(struct journal *journal, int64_t now_ms);
/* Milliseconds since the oldest byte beyond `offset` was appended; 0 when there is none. */
int64_t journal_age_ms(const struct journal *journal, uint64_t offset, int64_t now_ms);

/* ---- reading ------------------------------------------------------------------------------------ */
uint64_t journal_end(const struct journal *journal);
uint64_t journal_first(const struct journal *journal);   /* oldest offset a reader could continue at */
uint64_t journal_backlog_first_byte(const struct journal *journal); /* INFO: first held byte, 1-based; 0 when inactive */
uint64_t journal_backlog_len(const struct journal *journal);        /* INFO: repl_backlog_histlen */
size_t journal_memory(const struct journal *journal);
uint64_t journal_disk(const struct journal *journal);
enum err journal_failed(const struct journal *journal);

enum journal_resume { JOURNAL_RESUME_OK, JOURNAL_UNKNOWN_ID, JOURNAL_BEYOND_SECOND, JOURNAL_TOO_OLD, JOURNAL_AHEAD, JOURNAL_INACTIVE };
/* Whether a reader that applied up to `offset` under `id` (any case) can go on. */
enum journal_resume journal_can_resume(const struct journal *journal, const char *id, uint64_t offset);

/* A cursor at `offset` (journal_first <= offset <= journal_end), which pins everything from there. */
struct spool_cursor *journal_open(struct journal *journal, uint64_t offset);
/* Read with spool_peek / spool_advance, close with journal_close. */
void journal_close(struct journal *journal, struct spool_cursor *cursor);
/* Lets go of what neither backlog nor cursors need; bounded work. Called in cron and after cursors move. */
void journal_trim(struct journal *journal);

#endif
