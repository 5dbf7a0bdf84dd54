#include "journal/journal.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/random.h"
#include "journal/segments.h"

#include <string.h>
#include <strings.h>

#define SAMPLES_MAX    1024
#define TAIL_BYTES_MAX (256 << 10) /* a tail that grew beyond gives its memory back */
#define UNIT_LARGE     (32 << 10)  /* from here on a unit goes past the tail, to be copied once */
#define MEMORY_SLACK   (256 << 10) /* above the backlog: the spool's four blocks */

/* The bytes up to `end` and above the sample before were appended at `ms` or later. */
struct sample {
    uint64_t end;
    int64_t ms;
};

struct journal {
    char *dir;
    struct worker *worker;
    uint64_t backlog_bytes;
    struct spool_room *room; /* the owner's, who outlives us; or NULL */
    size_t memory_bytes_max;
    void (*hex)(void *context, char *out, size_t len);
    void *hex_context;

    char id[REPLICATION_ID_LEN + 1];
    char second_id[REPLICATION_ID_LEN + 1];
    int64_t second_offset;

    int64_t keep_seconds; /* on disk, beyond the backlog */
    uint64_t keep_bytes_max;
    struct segments *segments; /* NULL: the spool keeps a file of its own */

    struct spool *spool; /* NULL while inactive */
    uint64_t published;  /* the spool's end; while inactive the end */
    struct buf tail;     /* behind `published`; not published yet */
    size_t tail_bytes;   /* of it that is appended: all, except while a caller writes in place */
    int db;              /* that the bytes stand in, -1 unknown */
    bool select_due;

    int64_t now_ms;
    int sample_count;
    struct sample samples[SAMPLES_MAX]; /* both members ascend */
};

/* ---- life ------------------------------------------------------------------------------------ */

static size_t memory_max(const struct journal *journal)
{
    uint64_t least = journal->backlog_bytes + MEMORY_SLACK;

    if (journal->dir == NULL || journal->memory_bytes_max == 0) return 0;
    return journal->memory_bytes_max > least ? journal->memory_bytes_max : (size_t)least;
}

static void forget_second(struct journal *journal)
{
    memset(journal->second_id, '0', REPLICATION_ID_LEN);
    journal->second_offset = -1;
}

static uint64_t held_by_segments(void *context, uint64_t *first)
{
    *first = segments_first(context);
    return segments_written(context);
}

static ssize_t read_from_segments(void *context, uint64_t offset, void *out, size_t len)
{
    return segments_read(context, offset, out, len);
}

static struct spool_store store_of(struct segments *segments)
{
    return (struct spool_store){held_by_segments, read_from_segments, segments};
}

void journal_set_segments(struct journal *journal, struct segments *segments)
{
    struct spool_store store = store_of(segments);

    journal->segments = segments;
    if (journal->spool != NULL) spool_set_store(journal->spool, segments != NULL ? &store : NULL);
}

/* Holds nothing afterwards but what the segments hold before `end`, and continues there. */
static void restart(struct journal *journal, uint64_t end, bool active)
{
    struct segments *segments = journal->segments;
    struct spool_store store = store_of(segments);
    bool past = segments != NULL && active && segments_written(segments) == end;

    if (!past) journal->segments = segments = NULL;
    spool_free(journal->spool); /* checks that no cursor is open */
    journal->spool = NULL;
    buf_clear(&journal->tail);
    journal->tail_bytes = 0;
    journal->published = end;
    journal->sample_count = 0;
    journal->db = -1;
    journal->select_due = true;
    if (!active) return;
    journal->spool = spool_new(&(struct spool_options){
        .dir = journal->dir,
        .memory_bytes_max = memory_max(journal),
        .room = journal->room,
        .worker = journal->worker,
        .start = end,
        .head = past ? segments_first(segments) : 0,
        .store = past ? &store : NULL,
    });
}

struct journal *journal_new(const struct journal_options *options)
{
    struct journal *journal = mem_zalloc(sizeof *journal);

    if (options->dir != NULL) journal_set_dir(journal, options->dir);
    journal->worker = options->worker;
    journal->backlog_bytes = options->backlog_bytes;
    journal->memory_bytes_max = options->memory_bytes_max;
    journal->room = options->room;
    journal->hex = options->hex;
    journal->hex_context = options->hex_context;
    journal_new_history(journal);
    return journal;
}

void journal_free(struct journal *journal)
{
    if (journal == NULL) return;
    spool_free(journal->spool);
    buf_release(&journal->tail);
    mem_free(journal->dir);
    mem_free(journal);
}

void journal_set_dir(struct journal *journal, const char *dir)
{
    size_t size = strlen(dir) + 1;

    check(journal->spool == NULL);
    mem_free(journal->dir);
    journal->dir = mem_alloc(size);
    memcpy(journal->dir, dir, size);
}

void journal_set_backlog(struct journal *journal, uint64_t bytes)
{
    journal->backlog_bytes = bytes;
    if (journal->spool == NULL) return;
    spool_set_limits(journal->spool, memory_max(journal), 0);
    journal_trim(journal);
}

void journal_set_retention(struct journal *journal, int64_t seconds, uint64_t bytes_max)
{
    journal->keep_seconds = seconds;
    journal->keep_bytes_max = bytes_max;
    journal_trim(journal);
}

void journal_set_memory_max(struct journal *journal, size_t bytes)
{
    journal->memory_bytes_max = bytes;
    if (journal->spool == NULL) return;
    spool_set_limits(journal->spool, memory_max(journal), 0);
}

/* ---- identity -------------------------------------------------------------------------------- */

const char *journal_id(const struct journal *journal)
{
    return journal->id;
}

const char *journal_second_id(const struct journal *journal)
{
    return journal->second_id;
}

int64_t journal_second_offset(const struct journal *journal)
{
    return journal->second_offset;
}

static void set_id(char id[static REPLICATION_ID_LEN + 1], const char *from)
{
    check(strlen(from) == REPLICATION_ID_LEN);
    memcpy(id, from, REPLICATION_ID_LEN + 1);
}

static void fresh_id(struct journal *journal)
{
    if (journal->hex != NULL) journal->hex(journal->hex_context, journal->id, REPLICATION_ID_LEN);
    else random_hex(journal->id, REPLICATION_ID_LEN);
}

/* The current id ends here: it becomes the second one. */
static void retire_id(struct journal *journal)
{
    set_id(journal->second_id, journal->id);
    journal->second_offset = (int64_t)journal_end(journal) + 1;
}

void journal_shift_id(struct journal *journal)
{
    retire_id(journal);
    fresh_id(journal);
    journal->select_due = true;
}

void journal_new_history(struct journal *journal)
{
    fresh_id(journal);
    forget_second(journal);
    journal->select_due = true;
}

void journal_adopt(struct journal *journal, const char *id, uint64_t offset)
{
    restart(journal, offset, true);
    set_id(journal->id, id);
    forget_second(journal);
}

struct spool *journal_detach(struct journal *journal)
{
    struct spool *spool = journal->spool;

    if (spool != NULL) journal_publish(journal);
    journal->spool = NULL;
    journal->segments = NULL;
    restart(journal, journal_end(journal), false);
    return spool;
}

void journal_rename_id(struct journal *journal, const char *id)
{
    if (strcasecmp(id, journal->id) == 0) return;
    retire_id(journal);
    set_id(journal->id, id);
}

void journal_restore(struct journal *journal, const char *id, uint64_t offset, bool as_primary)
{
    journal_adopt(journal, id, offset);
    if (as_primary) journal_shift_id(journal);
}

/* ---- samples --------------------------------------------------------------------------------- */

/* Halves the older half, so that the recent past stays exact and the older gets coarser the older
 * it is. A merged sample says the earlier time: an age is never told too young. */
static void thin_samples(struct journal *journal)
{
    struct sample *samples = journal->samples;
    int to = 0;

    for (int from = 0; from < SAMPLES_MAX / 2; from += 2)
        samples[to++] = (struct sample){samples[from + 1].end, samples[from].ms};
    memmove(samples + to, samples + SAMPLES_MAX / 2, SAMPLES_MAX / 2 * sizeof *samples);
    journal->sample_count = to + SAMPLES_MAX / 2;
}

static void take_sample(struct journal *journal, uint64_t end)
{
    int count = journal->sample_count;

    if (count > 0 && journal->samples[count - 1].ms >= journal->now_ms) {
        journal->samples[count - 1].end = end;
        return;
    }
    if (journal->sample_count == SAMPLES_MAX) thin_samples(journal);
    journal->samples[journal->sample_count++] = (struct sample){end, journal->now_ms};
}

void journal_set_now(struct journal *journal, int64_t now_ms)
{
    journal->now_ms = now_ms;
}

int64_t journal_age_ms(const struct journal *journal, uint64_t offset, int64_t now_ms)
{
    int low = 0, high = journal->sample_count;
    int64_t at_ms;

    if (offset >= journal_end(journal)) return 0;
    /* The first sample that ends beyond the offset. */
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (journal->samples[middle].end > offset) high = middle;
        else low = middle + 1;
    }
    /* Behind all samples stands the tail, which is of this turn. */
    at_ms = low < journal->sample_count ? journal->samples[low].ms : journal->now_ms;
    return now_ms > at_ms ? now_ms - at_ms : 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

bool journal_active(const struct journal *journal)
{
    return journal->spool != NULL;
}

void journal_activate(struct journal *journal, bool keep_id)
{
    if (journal->spool != NULL) return;
    restart(journal, journal->published, true);
    if (!keep_id) journal_new_history(journal);
}

void journal_deactivate(struct journal *journal)
{
    restart(journal, journal_end(journal), false);
    journal_new_history(journal);
}

/* Bytes go into the spool; the sample is taken per publish, not per unit. */
static void put(struct journal *journal, const void *ptr, size_t len)
{
    spool_append(journal->spool, ptr, len);
    journal->published += len;
    take_sample(journal, journal->published);
}

void journal_append(struct journal *journal, const void *ptr, size_t len)
{
    check(journal->spool != NULL && journal->tail.len == journal->tail_bytes);
    if (len < UNIT_LARGE) {
        buf_append(&journal->tail, ptr, len);
        journal->tail_bytes += len;
        return;
    }
    journal_publish(journal);
    put(journal, ptr, len);
    journal_trim(journal);
}

struct buf *journal_tail(struct journal *journal)
{
    check(journal->spool != NULL);
    return &journal->tail;
}

void journal_appended(struct journal *journal, size_t len)
{
    journal->tail_bytes += len;
    check(journal->tail.len == journal->tail_bytes);
}

void journal_publish(struct journal *journal)
{
    check(journal->tail.len == journal->tail_bytes);
    if (journal->tail_bytes == 0) return;
    put(journal, journal->tail.ptr, journal->tail_bytes);
    buf_clear(&journal->tail);
    journal->tail_bytes = 0;
    if (journal->tail.cap > TAIL_BYTES_MAX) buf_release(&journal->tail);
    journal_trim(journal);
}

int journal_db(const struct journal *journal)
{
    return journal->select_due ? -1 : journal->db;
}

int journal_stream_db(const struct journal *journal)
{
    return journal->db;
}

void journal_set_db(struct journal *journal, int db)
{
    journal->select_due = db < 0;
    if (db >= 0) journal->db = db;
}

/* ---- reading --------------------------------------------------------------------------------- */

uint64_t journal_end(const struct journal *journal)
{
    return journal->published + journal->tail_bytes;
}

bool journal_all_published(const struct journal *journal)
{
    return journal->published == journal_end(journal);
}

uint64_t journal_first(const struct journal *journal)
{
    return journal->spool != NULL ? spool_head(journal->spool) : journal->published;
}

uint64_t journal_backlog_first_byte(const struct journal *journal)
{
    return journal->spool != NULL ? spool_memory_head(journal->spool) + 1 : 0;
}

uint64_t journal_memory_first(const struct journal *journal)
{
    return journal->spool != NULL ? spool_memory_head(journal->spool) : journal->published;
}

uint64_t journal_backlog_len(const struct journal *journal)
{
    if (journal->spool == NULL) return 0;
    return journal_end(journal) - spool_memory_head(journal->spool);
}

size_t journal_memory(const struct journal *journal)
{
    size_t tail = journal_tail_memory(journal);

    return journal->spool != NULL ? spool_memory(journal->spool) + tail : tail;
}

size_t journal_tail_memory(const struct journal *journal)
{
    return journal->tail.cap;
}

uint64_t journal_disk(const struct journal *journal)
{
    return journal->spool != NULL ? spool_disk(journal->spool) : 0;
}

int64_t journal_held_seconds(const struct journal *journal)
{
    if (journal->spool == NULL) return 0;
    return journal_age_ms(journal, journal_first(journal), journal->now_ms) / 1000;
}

enum err journal_failed(const struct journal *journal)
{
    return journal->spool != NULL ? spool_failed(journal->spool) : OK;
}

bool journal_over_memory(const struct journal *journal)
{
    return journal->spool != NULL && spool_pressure(journal->spool) > 100;
}

void journal_try_again(struct journal *journal)
{
    if (journal->spool != NULL) spool_try_again(journal->spool);
}

enum journal_resume journal_can_resume(const struct journal *journal, const char *id,
                                       uint64_t offset)
{
    if (strcasecmp(id, journal->id) != 0) {
        if (journal->second_offset < 0 || strcasecmp(id, journal->second_id) != 0)
            return JOURNAL_UNKNOWN_ID;
        if (offset >= (uint64_t)journal->second_offset) return JOURNAL_BEYOND_SECOND;
    }
    if (journal->spool == NULL) return JOURNAL_INACTIVE;
    if (offset > journal_end(journal)) return JOURNAL_AHEAD;
    if (offset < journal_first(journal)) return JOURNAL_TOO_OLD;
    return JOURNAL_RESUME_OK;
}

struct spool_cursor *journal_open(struct journal *journal, uint64_t offset)
{
    if (journal->spool == NULL) return NULL;
    journal_publish(journal);
    return spool_open(journal->spool, offset);
}

void journal_close(struct journal *journal, struct spool_cursor *cursor)
{
    spool_close(cursor);
    journal_trim(journal);
}

/* Where the bytes begin that were appended within keep_seconds, as exactly as the samples say: rather
 * too many than too few. */
static uint64_t recent_from(const struct journal *journal)
{
    int64_t since_ms = journal->now_ms - journal->keep_seconds * 1000;
    int low = 0, high = journal->sample_count;

    while (low < high) {
        int middle = low + (high - low) / 2;
        if (journal->samples[middle].ms >= since_ms) high = middle;
        else low = middle + 1;
    }
    /* All samples are recent: nothing says how old the bytes before them are. */
    if (low == 0) return 0;
    return journal->samples[low - 1].end;
}

#define SHED_BYTES_MIN (1 << 20)

bool journal_shed(struct journal *journal)
{
    if (journal->spool == NULL) return false;
    uint64_t end = journal->published, head = spool_head(journal->spool);
    uint64_t least = end > journal->backlog_bytes ? end - journal->backlog_bytes : 0;

    if (head >= least) return false;
    uint64_t part = (least - head) / 2;
    spool_trim(journal->spool, part < SHED_BYTES_MIN ? least : head + part);
    if (journal->segments != NULL) segments_release(journal->segments, spool_head(journal->spool));
    return spool_head(journal->spool) > head;
}

void journal_trim(struct journal *journal)
{
    uint64_t end = journal->published, from, recent;

    if (journal->spool == NULL) return;
    from = end > journal->backlog_bytes ? end - journal->backlog_bytes : 0;
    if (journal->keep_seconds > 0) {
        recent = recent_from(journal);
        if (end - recent > journal->keep_bytes_max) recent = end - journal->keep_bytes_max;
        if (recent < from) from = recent;
    }
    spool_trim(journal->spool, from);
    if (journal->segments != NULL) segments_release(journal->segments, spool_head(journal->spool));
}
