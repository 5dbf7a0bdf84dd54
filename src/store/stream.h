/* Streams: entries in the order of their ids, and consumer groups that read them.
 *
 *   struct stream --- nodes:  id -> listpack of up to some hundred entries (stream_node.h)
 *      |              id -> listpack
 *      |
 *      +-- groups, by name
 *            struct stream_group  -- pending: id -> nack   (delivered, not acknowledged)
 *               |                                 ^
 *               +-- consumers, by name            | the same one
 *                     struct stream_consumer -- pending: id -> nack
 *
 * An id is told once: by XADD, in rising order. Entries that go leave a gap; a node goes with its last
 * entry. A stream stays when its last entry went: its ids and its groups are data too.
 *
 * Counters say how far a group is behind (its lag) although entries may have gone: the stream counts
 * the entries ever added, a group those that it read. Where deletions make the count a guess, it is
 * unknown until the group reaches the end.
 *
 * Invariants
 * 1. Nodes stand under an id that is not above any live entry's in them. Live entries rise from one
 *    node to the next. A node without live entries is rare (XTRIM MINID leaves one where the node's
 *    last entry was deleted and is beyond the bound), as in Redis, so that DUMP gives the same bytes;
 *    one without any entries is never there.
 * 2. `length` counts the live entries, first_id is the first one's id (0-0: none), no live entry is
 *    above last_id.
 * 3. Counts of entries stay within INT64_MAX.
 * 4. A nack is in the pending entries of its group and of its consumer, under the same id, and nowhere
 *    else. `pending_count` counts them all.
 *
 * Others read the structures below and change them by the functions only; what a function does not
 * set, a group's last id, when a consumer was seen, when and how often an entry was delivered, is
 * free to be set. */
#ifndef PANDO_STORE_STREAM_H
#define PANDO_STORE_STREAM_H

#include "ds/id_map.h"
#include "ds/name_list.h"
#include "store/stream_node.h"
#include "store/value.h"
#include "store/value_rdb.h"

extern const struct value_ops stream_ops;
extern const struct container_ops stream_container;

struct stream {
    uint32_t holders;
    struct stream_id last_id, first_id, max_deleted_id;
    uint64_t length, entries_added;
    struct id_map nodes; /* to listpacks */
    struct name_list groups;
    size_t node_bytes;                    /* of the listpacks */
    size_t pending_count, consumer_count; /* of all groups */
};

#define STREAM_ENTRIES_UNKNOWN (-1) /* of counts that deletions made a guess */

struct stream_group {
    struct span name; /* first: name_list.h */
    struct stream_id last_id;
    int64_t entries_read; /* or STREAM_ENTRIES_UNKNOWN */
    struct id_map pending;
    struct name_list consumers;
    char bytes[]; /* of the name */
};

struct stream_consumer {
    struct span name;
    int64_t seen_ms; /* when it last read or claimed something */
    struct id_map pending;
    char bytes[];
};

struct stream_nack {
    int64_t delivered_ms;
    uint64_t delivery_count;
    struct stream_consumer *consumer;
};

static inline const struct stream *stream_of(const struct entry *e)
{
    return entry_pointer(e);
}
/* Of an entry that may be changed: the edit's, or a loader's. */
static inline struct stream *stream_edit(struct entry *e)
{
    return entry_pointer(e);
}

/* ---- entries (stream_entries.c) ----------------------------------------------------------------- */

/* The id that follows one; false where it is the last of all. And the one before. */
bool stream_id_next(struct stream_id id, struct stream_id *out);
bool stream_id_previous(struct stream_id id, struct stream_id *out);

/* Appends an entry: `pairs` is name, value, name, value. The id is above last_id, and the names and
 * values together are not longer than STREAM_ENTRY_BYTES_MAX. */
#define STREAM_ENTRY_BYTES_MAX ((size_t)1 << 30)
void stream_append(struct stream *stream, const struct value_settings *settings,
                   struct stream_id id, const struct span *pairs, size_t pair_count);
/* False where there is no such entry. */
bool stream_delete(struct stream *stream, struct stream_id id);

struct stream_trim {
    enum { TRIM_NOTHING, TRIM_TO_LENGTH, TRIM_TO_ID } how;
    bool whole_nodes; /* "~": only nodes that go as a whole */
    uint64_t length;
    struct stream_id id; /* what lies below it goes */
    uint64_t limit;      /* entries at most; 0: no limit */
};
/* Removes entries from the front; returns how many. */
uint64_t stream_trim(struct stream *stream, const struct stream_trim *trim);

/* XSETID: what the entries alone do not tell. last_id is not below any live entry, and there are not
 * more of these than entries_added. */
void stream_set_ids(struct stream *stream, struct stream_id last_id, uint64_t entries_added,
                    struct stream_id max_deleted_id);

/* The live entries from one id to another, both inclusive, forwards or backwards. */
struct stream_range {
    const struct stream *stream;
    struct stream_id from, to;
    bool backwards;
    bool in_node; /* `entry` is one of `node`, which stands at `at` */
    struct id_cursor at;
    struct stream_node node;
    struct stream_entry entry;
};
struct stream_range stream_range_of(const struct stream *stream, struct stream_id from,
                                    struct stream_id to, bool backwards);
/* The next entry, NULL at the end; good until the next call or change. */
const struct stream_entry *stream_range_next(struct stream_range *range);
bool stream_holds(const struct stream *stream, struct stream_id id);
/* The first and the last live entry's id, 0-0 where there is none. */
struct stream_id stream_first_live_id(const struct stream *stream);
struct stream_id stream_last_live_id(const struct stream *stream);

/* Whether an entry that was deleted by its id may be missing at or behind this one: the last such one
 * lies there, and not before everything that is left. */
bool stream_may_miss_behind(const struct stream *stream, struct stream_id id);
/* How many entries were added up to this id, which need not be there: a guess that is right or
 * STREAM_ENTRIES_UNKNOWN. */
int64_t stream_entries_up_to(const struct stream *stream, struct stream_id id);
/* How many entries a group has not read; false where that is unknown. Below 0 where XGROUP SETID told
 * lies. */
bool stream_group_lag(const struct stream *stream, const struct stream_group *group, int64_t *out);

/* ---- groups (stream_group.c) -------------------------------------------------------------------- */

struct stream_group *stream_group(const struct stream *stream, struct span name); /* or NULL */
/* There is none of this name. */
struct stream_group *stream_group_new(struct stream *stream, struct span name,
                                      struct stream_id last_id, int64_t entries_read);
/* Removes it with its consumers and pending entries. */
void stream_group_remove(struct stream *stream, struct stream_group *group);
/* The group has been given the entry of this id: it moves on and counts it. */
void stream_group_advance(const struct stream *stream, struct stream_group *group,
                          struct stream_id id);

struct stream_consumer *stream_consumer(const struct stream_group *group, struct span name);
struct stream_consumer *stream_consumer_new(struct stream *stream, struct stream_group *group,
                                            struct span name, int64_t seen_ms);
void stream_consumer_remove(struct stream *stream, struct stream_group *group,
                            struct stream_consumer *consumer);

struct stream_nack *stream_nack(const struct stream_group *group,
                                struct stream_id id); /* or NULL */
/* The entry is pending at the consumer from now on: taken from whoever had it, delivered once. */
struct stream_nack *stream_deliver(struct stream *stream, struct stream_group *group,
                                   struct stream_consumer *consumer, struct stream_id id,
                                   int64_t now_ms);
/* The nack goes over to this consumer; nothing else about it changes. */
void stream_nack_move(struct stream_nack *nack, struct stream_id id,
                      struct stream_consumer *consumer);
/* False where it was not pending. */
bool stream_acknowledge(struct stream *stream, struct stream_group *group, struct stream_id id);

void stream_groups_copy(const struct stream *from, struct stream *to);
void stream_groups_release(struct stream *stream);
size_t stream_groups_memory(const struct stream *stream);

/* ---- the whole ---------------------------------------------------------------------------------- */

struct stream *stream_new(void);
void stream_free(void *stream);
/* Walks everything: for tests and fuzzers. */
void stream_check(const struct stream *stream);

/* ---- RDB: value_rdb.c calls these (stream_rdb.c) ------------------------------------------------- */

/* Reads a body of any of the type ids that hold a stream. */
enum err stream_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                         struct entry **out);
/* The type id under which it is written, told by the encoding alone (a snapshot's copy may have lost
 * its value), and its body. */
uint8_t stream_rdb_type(const struct entry *e);
void stream_rdb_write(struct rdb_writer *writer, const struct entry *e);

#endif
