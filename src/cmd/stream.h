/* What the files of the stream commands share: ids as clients write them, entries as they are replied,
 * effects, and reading, which whoever blocks does in two steps. */
#ifndef PANDO_CMD_STREAM_H
#define PANDO_CMD_STREAM_H

#include "cmd/call.h"
#include "store/stream.h"

/* ---- arguments ---------------------------------------------------------------------------------- */

/* "ms-seq" or "ms", which means ms-missing_seq. Numbers as strtoull takes them. */
bool stream_parse_id(struct span text, uint64_t missing_seq, struct stream_id *out);
/* The same of an argument: ERR_STREAM_ID. */
enum err stream_arg_id(struct call *call, int index, uint64_t missing_seq, struct stream_id *out);
/* The ends of an interval: "-", "+", an id, or "(" and an id. */
enum err stream_arg_from(struct call *call, int index, struct stream_id *out);
enum err stream_arg_to(struct call *call, int index, struct stream_id *out);

/* For error texts: "%.*s" of a name, which may be long. */
#define SPAN_SHOWN(span) (int)((span).len < 128 ? (span).len : 128), (span).ptr

/* ---- replies ------------------------------------------------------------------------------------ */

#define STREAM_ID_CHARS (2 * NUM_INT64_CHARS + 1)
size_t stream_format_id(char out[static STREAM_ID_CHARS], struct stream_id id);
void stream_reply_id(struct reply *reply, struct stream_id id);
/* [id, [name, value, ...]] */
void stream_reply_entry(struct reply *reply, const struct stream_entry *entry);
/* The entries of an interval, `count` at most (0: all). */
void stream_reply_range(struct reply *reply, const struct stream *stream, struct stream_id from,
                        struct stream_id to, bool backwards, uint64_t count);

/* Opens the stream of argv[index] for a change beside its entries, of its groups or ids: as in Redis, that
 * fails no WATCH. */
void stream_edit_beside(struct call *call, int index, struct store_edit *edit);

/* ---- consumers ---------------------------------------------------------------------------------- */

/* A consumer that is made when it is first needed. */
struct stream_claimer {
    struct stream *stream;
    struct stream_group *group;
    struct span name;
    struct stream_consumer *consumer; /* NULL: not looked up yet */
    bool is_new;
};
struct stream_consumer *stream_claimer_get(struct stream_claimer *claimer, int64_t now_ms);
/* What closes the edit in which a consumer may have appeared: its event. */
struct event stream_claimer_event(const struct stream_claimer *claimer);

/* States XCLAIM key group consumer 0 id ... LASTID: the entry is pending as the nack says. */
void stream_state_claim(struct call *call, int key, const struct stream_group *group,
                        const struct stream_nack *nack, struct span id);
/* States XGROUP SETID key group last-id ENTRIESREAD n. */
void stream_state_group(struct call *call, int key, const struct stream_group *group);

/* ---- XREAD and XREADGROUP (stream_read.c) -------------------------------------------------------
 * A call parses, which resolves "$" to the id that the stream has now, and serves. Where nothing was
 * served and read.blocks, the caller may keep both and serve again later, all streams or the one that
 * has changed; the arguments must stay where they are. */

struct stream_read {
    bool blocks; /* BLOCK was given */
    int64_t block_ms;
    bool late; /* the call has waited */
    bool no_ack;
    int64_t count; /* 0: all */
    int group;     /* argument: its name, the consumer's behind it; 0: XREAD */
    int first_key,
        keys; /* argument of the first key, and how many there are; the ids stand behind */
    struct stream_id *ids; /* read from behind these; STREAM_ID_MAX in a group: what is new (">") */
};
/* Checks everything, in Redis' order. Nothing to release where it fails. */
enum err stream_read_parse(struct call *call, struct stream_read *out);
/* The same for a call that was checked before and has waited: its ids alone, nothing is looked up. */
enum err stream_read_parse_again(struct call *call, struct stream_read *out);
void stream_read_release(struct stream_read *read);
/* Serves `keys` streams from the one at `first` on (0, read->keys: all). True after the reply was
 * written; false, having done nothing, where none of them has anything. Keys that are gone or of
 * another type, and groups that are gone, have nothing. */
bool stream_read_serve(struct call *call, const struct stream_read *read, int first, int keys);
/* Lets the call wait for what it did not find (stream_blocking.c). */
void stream_read_wait(struct call *call, const struct stream_read *read);

#endif
