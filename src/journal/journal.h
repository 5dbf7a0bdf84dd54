/* The journal: the one ordered log of changes. It knows bytes, offsets and ids, no keys.
 *
 * Offsets are Redis' replication offsets: the byte at stream position p (from 1) is "offset p";
 * journal_end() is the number of bytes ever appended, that is master_repl_offset. A reader that has
 * applied up to `o` continues at o. (PSYNC asks for o + 1; that one-off lives in repl/, nowhere
 * else. second_offset is told in Redis' convention, since INFO shows it.)
 *
 *      first                        memory             end - backlog            end
 *        |------------ disk ----------|---------------------|====================|
 *             ^ a slow reader's cursor                        the backlog: held without any reader
 *
 * Bytes enter in whole units only: a command, a MULTI...EXEC, one PING. They collect in the tail
 * and become visible to cursors once per batch, at journal_publish. Replicas read through cursors,
 * which pin what they have yet to read; the backlog is how far back bytes are held without any
 * cursor. Memory has a ceiling, beyond which the oldest held bytes go to disk (io/spool); the byte
 * ceiling of the disk is where a reader has to be dropped (journal_failed).
 *
 * While nothing reads the log (no backlog, no cursor) it is inactive: nothing is appended or
 * counted.
 *
 * History is a list of at most two (id, end): the current id, and the previous one that is valid up
 * to second_offset, as Redis tells them in INFO. Engine thread only.
 *
 *   inactive --activate--> active      new id, unless keep_id: what came before was not counted
 *   active --deactivate--> inactive    new id (repl-backlog-ttl ended)
 *   any --adopt, restore--> active     the end jumps to where the data stands */
#ifndef PANDO_JOURNAL_JOURNAL_H
#define PANDO_JOURNAL_JOURNAL_H

#include "base/buf.h"
#include "io/spool.h"

#define REPLICATION_ID_LEN 40

struct journal;
struct journal_options {
    const char *dir;         /* for what memory does not hold */
    struct worker *worker;   /* may be NULL (simulation); else outlives the journal */
    uint64_t backlog_bytes;  /* repl-backlog-size */
    size_t memory_bytes_max; /* ceiling for held bytes in memory, raised to hold the backlog; 0:
                                none */
    struct spool_room *room; /* the bound on disk, shared with snapshots; NULL: by free space */
    /* Digits for ids; NULL: random_hex. For simulations, which replay from a seed. */
    void (*hex)(void *context, char *out, size_t len);
    void *hex_context;
};
struct journal *journal_new(const struct journal_options *options); /* fresh id, inactive, end 0 */
void journal_free(struct journal *journal);                         /* all cursors are closed */
void journal_set_dir(struct journal *journal, const char *dir);     /* only while inactive */
void journal_set_backlog(struct journal *journal, uint64_t bytes);
void journal_set_memory_max(struct journal *journal, size_t bytes);
/* How far back bytes are held on disk without any reader, beyond the backlog: what was appended within
 * so many seconds, but no more than so many bytes (0: none). */
void journal_set_retention(struct journal *journal, int64_t seconds, uint64_t bytes_max);

/* The log's files (segments.h) hold what is appended from now on, or from their first byte on where they
 * end at the journal's end: what memory gives up is read back from there. They are not the journal's:
 * whoever writes them tells. A switch to another history (below) lets go of them. NULL: no more. */
struct segments;
void journal_set_segments(struct journal *journal, struct segments *segments);

/* ---- identity --------------------------------------------------------------------------------
 * A switch to another history (new_history, adopt, restore, deactivate) drops what is held, where
 * the contract says so; cursors must be closed before. */
const char *journal_id(const struct journal *journal);        /* 40 hex digits, zero-terminated */
const char *journal_second_id(const struct journal *journal); /* 40 zeros when none */
/* -1 when none; Redis' convention: the first offset that is NOT shared, end at the switch + 1. */
int64_t journal_second_offset(const struct journal *journal);
/* Promotion: the current id becomes the second one, valid to the current end; a new random id
 * begins. */
void journal_shift_id(struct journal *journal);
/* A new random id, second one forgotten: a new history with the same end and bytes. */
void journal_new_history(struct journal *journal);
/* +FULLRESYNC taken: history is the primary's from `offset` on, held bytes are dropped, second id
 * forgotten. Active afterwards. */
void journal_adopt(struct journal *journal, const char *id, uint64_t offset);
/* Gives what is held to somebody who still wants to read it: the spool, now the caller's to free; NULL while
 * inactive. All cursors are closed. Inactive afterwards, with the same end. */
struct spool *journal_detach(struct journal *journal);
/* +CONTINUE <new id>: the same bytes under a new id; the old one becomes the second. No change when
 * equal. */
void journal_rename_id(struct journal *journal, const char *id);
/* What files said at start: the log ends at `offset`. Where segments are set and end there, they are
 * the log's past. On a primary the file's id becomes the
 * second one, valid to `offset`, under a fresh id; else it becomes the id. Active afterwards: such
 * a history is a backlog, so counting goes on. */
void journal_restore(struct journal *journal, const char *id, uint64_t offset, bool as_primary);

/* ---- writing --------------------------------------------------------------------------------- */
bool journal_active(const struct journal *journal);
/* Begins to hold a backlog. From inactive: the id is new (what came before was not counted), unless
 * keep_id. No effect when active. */
void journal_activate(struct journal *journal, bool keep_id);
/* Frees the backlog; the id changes and the second is forgotten, as repl-backlog-ttl does. */
void journal_deactivate(struct journal *journal);
/* Appends one whole unit; only while active. Bytes become visible to cursors at journal_publish
 * (once per batch) at the latest. */
void journal_append(struct journal *journal, const void *ptr, size_t len);
/* Append in place instead of copying: add whole units to it, then say by how much it grew. */
struct buf *journal_tail(struct journal *journal);
void journal_appended(struct journal *journal, size_t len); /* `len` more bytes stand at the tail */
void journal_publish(struct journal *journal);

/* The database of the next command: the last SELECT in the log; -1 when the next command needs one
 * first (start, promotion, snapshot start). */
int journal_db(const struct journal *journal);
/* The database that the log's bytes stand in, also while a SELECT is due: what a stream that goes on
 * where the log ends means. A node that was promoted, wrote nothing and follows again needs it. -1 unknown. */
int journal_stream_db(const struct journal *journal);
/* -1: a SELECT is due. */
void journal_set_db(struct journal *journal, int db);

/* When bytes up to an offset were appended: for lag_ms. The time is set once per turn; a bounded
 * number of samples (end offset, ms) is kept, exact to the turn for the recent past, coarser (too
 * old by some) for older. */
void journal_set_now(struct journal *journal, int64_t now_ms);
/* Milliseconds since the oldest byte beyond `offset` was appended; 0 when there is none. */
int64_t journal_age_ms(const struct journal *journal, uint64_t offset, int64_t now_ms);

/* ---- reading --------------------------------------------------------------------------------- */
uint64_t journal_end(const struct journal *journal); /* the unpublished tail included */
bool journal_all_published(const struct journal *journal);
uint64_t
journal_first(const struct journal *journal); /* oldest offset a reader could continue at */
/* INFO, of memory: repl_backlog_first_byte_offset (from 1; 0 when inactive) and _histlen. */
uint64_t journal_backlog_first_byte(const struct journal *journal);
/* Where memory begins: bytes from journal_first on stand on disk, in the spool's file or in segments. */
uint64_t journal_memory_first(const struct journal *journal);
uint64_t journal_backlog_len(const struct journal *journal);
size_t journal_memory(const struct journal *journal);      /* tail and overhead included */
size_t journal_tail_memory(const struct journal *journal); /* what of it is in no spool */
uint64_t journal_disk(const struct journal *journal);
/* Seconds that the oldest held byte is old: how long a replica may be away. */
int64_t journal_held_seconds(const struct journal *journal);
/* OK, or since the disk takes no more: ERR_LIMIT or ERR_IO. Then memory is over its ceiling, and
 * the reader with the lowest position (spool_position) is the one to drop. */
enum err journal_failed(const struct journal *journal);
/* Whether what has to be held is more than memory may hold: a moment while the disk is written, and
 * for as long as it takes no more. */
bool journal_over_memory(const struct journal *journal);
/* The disk is full: gives up what is kept for replicas that are away and that nobody reads, the older half of
 * it, or all where that is little. False where there is nothing of that sort. */
bool journal_shed(struct journal *journal);
/* There may be room that the journal did not release itself: tries to write again. */
void journal_try_again(struct journal *journal);

enum journal_resume {
    JOURNAL_RESUME_OK,
    JOURNAL_UNKNOWN_ID,    /* neither the id nor the second one */
    JOURNAL_BEYOND_SECOND, /* the second id, but the reader went on where we did not */
    JOURNAL_TOO_OLD,       /* the bytes are no longer held */
    JOURNAL_AHEAD,         /* our history, but it applied more than we have */
    JOURNAL_INACTIVE,      /* our history, but nothing is held */
};
/* Whether a reader that applied up to `offset` under `id` (any case) can go on. */
enum journal_resume journal_can_resume(const struct journal *journal, const char *id,
                                       uint64_t offset);

/* A cursor at `offset`, which pins everything from there. NULL when inactive, or unless
 * journal_first <= offset <= journal_end. Publishes first. */
struct spool_cursor *journal_open(struct journal *journal, uint64_t offset);
/* Read with spool_peek / spool_advance, close with journal_close. */
void journal_close(struct journal *journal, struct spool_cursor *cursor);
/* Lets go of what neither backlog nor cursors need; bounded work. Called in cron and after cursors
 * move. */
void journal_trim(struct journal *journal);

#endif
