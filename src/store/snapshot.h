/* Point-in-time traversal: every entry as it stood when the snapshot began, without fork or stop.
 *
 * The engine walks buckets in short slices between batches. Each bucket is copied once: by the
 * walker, or by the door right before the bucket changes for the first time. One bit per bucket and
 * snapshot says "taken". The copies are plain records appended to a sink; another thread makes RDB
 * bytes of them.
 *
 * A record is a header, then a copy of the entry's allocation, then for ENC_BLOB values up to the
 * lease threshold nothing more (they are inline); longer values are leased: the record carries the
 * pointer, and the consumer calls snapshot_release_lease (any thread) when it is done with the
 * bytes.
 *
 * Whole tables: FLUSHALL, SWAPDB and load-swaps detach keyspaces; the snapshot holds (db number at
 * its start, keyspace) pairs and walks a detached one to its end.
 *
 * Engine thread only, except where said. At most SNAPSHOTS_MAX at a time. */
#ifndef PANDO_STORE_SNAPSHOT_H
#define PANDO_STORE_SNAPSHOT_H

#include "store/store.h"

#define SNAPSHOTS_MAX 4

struct snapshot_record {
    uint32_t bytes;  /* of the whole record, this header included */
    uint16_t db;     /* number at the snapshot's start */
    uint16_t leased; /* 1: the entry's pointer payload is leased to the reader of this record */
    /* then the entry's bytes, padded with zeros to a multiple of 8 */
};

struct snapshot_sink {
    /* Takes `len` bytes, whole records. Never blocks, never fails here: a sink that is out of room
     * notes it and the snapshot's owner ends it. */
    void (*append)(void *context, const void *ptr, size_t len);
    void *context;
};

/* NULL when SNAPSHOTS_MAX are running. */
struct snapshot *snapshot_start(struct store *store, const struct snapshot_sink *sink);
/* Copies at least one bucket unless done, then goes on while fewer than `budget_bytes` were copied
 * and fewer than `budget_buckets` visited. Returns true when every bucket is taken: the last record
 * has been appended. */
bool snapshot_walk(struct snapshot *snapshot, size_t budget_bytes, size_t budget_buckets);
/* Ends it at any point. Leases already handed out stay with their holders. */
void snapshot_end(struct snapshot *snapshot);

struct snapshot_figures {
    size_t keys_total;      /* at the start */
    size_t keys_taken;      /* so far */
    size_t keys_per_db[64]; /* at the start, for RESIZEDB; databases beyond are not given */
    size_t expires_per_db[64];
    uint64_t door_bytes; /* copied by the door, not the walker */
    uint64_t
        leases_encoded_at_once; /* leased values changed in place where waiting was not possible */
};
const struct snapshot_figures *snapshot_figures(const struct snapshot *snapshot);

/* Any thread: the reader of a leased record is done with the value. */
void snapshot_release_lease(const struct entry *copied_entry);

#endif
