/* Point-in-time traversal: every entry as it stood when the snapshot began, without fork or stop.
 *
 * The engine walks buckets in short slices between batches. Each bucket is copied once: by the
 * walker, or by the door right before the bucket changes for the first time. One bit per bucket and
 * snapshot says "taken". The copies are plain records appended to a sink; another thread makes RDB
 * bytes of them. A bucket's records come in one append; their order says nothing, and databases may
 * alternate.
 *
 *   record  +----------------+----------------------------------+- - - - - - - - - - - - - - -+
 *           | header (24)    | the entry's bytes, padded to 8   | a small container, flattened |
 *           +----------------+----------------------------------+- - - - - - - - - - - - - - -+
 *
 * Values up to the lease threshold stand in the record. A longer one is leased: the copied entry's
 * pointer is good until the reader calls snapshot_release_lease; meanwhile nobody changes it.
 *
 * Whole tables: FLUSHALL, SWAPDB and load-swaps detach keyspaces; the snapshot holds (db number at
 * its start, keyspace) pairs and walks a detached one to its end.
 *
 * Invariants
 * 1. A bucket whose bit is clear holds exactly the entries that it held at the start. A split
 * copies the bit; before a merge both buckets are taken.
 * 2. Each entry that was there at the start is appended exactly once; nothing else is.
 *
 * Engine thread only, except where said. At most SNAPSHOTS_MAX at a time. */
#ifndef PANDO_STORE_SNAPSHOT_H
#define PANDO_STORE_SNAPSHOT_H

#include "store/store.h"

#define SNAPSHOTS_MAX 4

struct snapshot_record {
    uint64_t bytes;  /* of the whole record, this header included; a multiple of 8 */
    uint32_t db;     /* number at the snapshot's start */
    uint32_t leased; /* 1: the entry's pointer payload is leased to the reader of this record */
    uint32_t
        body_bytes; /* else, of a value behind a pointer: its copied body (value_rdb_flatten) */
    uint32_t entry_bytes;
    /* then the entry's bytes, padded with zeros to a multiple of 8; then the body, likewise */
};
_Static_assert(sizeof(struct snapshot_record) == 24, "record header");

static inline const struct entry *snapshot_record_entry(const struct snapshot_record *record)
{
    return (const struct entry *)(record + 1);
}

static inline struct span snapshot_record_body(const struct snapshot_record *record)
{
    const char *entry = (const char *)(record + 1);
    return span_of(entry + ((record->entry_bytes + 7) & ~(size_t)7), record->body_bytes);
}

struct snapshot_sink {
    /* Takes `len` bytes, whole records. Never blocks, never fails here: a sink that is out of room
     * notes it and the snapshot's owner ends it. May not touch the store. */
    void (*append)(void *context, const void *ptr, size_t len);
    void *context;
};

/* NULL when SNAPSHOTS_MAX are running. Cost: a bit per bucket is cleared. */
struct snapshot *snapshot_start(struct store *store, const struct snapshot_sink *sink);
/* Copies at least one bucket unless done, then goes on while fewer than `budget_bytes` were copied
 * and fewer than `budget_buckets` visited. Returns true when every bucket is taken: the last record
 * has been appended. From then on the snapshot costs the door nothing. */
bool snapshot_walk(struct snapshot *snapshot, size_t budget_bytes, size_t budget_buckets);
/* Ends it at any point and frees it. Leases already handed out stay with their holders. */
void snapshot_end(struct snapshot *snapshot);

struct snapshot_figures {
    size_t keys_total;         /* at the start */
    size_t keys_taken;         /* so far */
    const size_t *keys_per_db; /* at the start, for RESIZEDB; as many as the store has databases */
    const size_t *expires_per_db;    /* likewise, those with a deadline */
    uint64_t bytes;                  /* appended so far */
    uint64_t door_bytes;             /* of these, by the door, not the walker */
    uint64_t leases;                 /* handed out */
    uint64_t leases_encoded_at_once; /* leased values copied because a change could not wait */
};
/* Lives as long as the snapshot. */
const struct snapshot_figures *snapshot_figures(const struct snapshot *snapshot);

/* Any thread: the reader of a leased record is done with the value. `store` is the snapshot's. */
void snapshot_release_lease(const struct entry *copied_entry, struct store *store);

#endif
