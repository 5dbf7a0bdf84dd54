/* Values behind a pointer, and containers in general: one row of functions per encoding and per type.
 *
 * A value that does not fit its entry is an allocation (or a structure of many) of its own. Each of
 * them begins with the count of its holders: the entry, and every snapshot that leases it. The last
 * holder frees it, in whatever thread that happens; only the engine, only while it is the sole
 * holder, changes one. Everything that treats all values alike (freeing, MEMORY USAGE, COPY,
 * snapshots, lazy freeing) goes through the row of the encoding, so a new encoding is one row.
 *
 * The functions of a type (hash.h, set.h, zset.h, list.h, stream.h) work on entries, not on the
 * store: those that change one take it and return it, since its allocation may move and its encoding
 * may change. So a handler behind the door (store_edit_open) and a loader, which owns the entry that
 * it builds, use the same ones.
 *
 * Invariants
 * 1. The first member of every such value is a uint32_t, its holders, changed atomically.
 * 2. Whoever sees value_shared() false on the engine thread may change the value in place: only the
 *    engine adds holders.
 * 3. Reading a value changes no byte of it: a snapshot's encoder reads leased values in its thread
 *    at the same time. */
#ifndef PANDO_STORE_VALUE_H
#define PANDO_STORE_VALUE_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem_mover.h"
#include "store/entry.h"

/* What decides about encodings: the thresholds of the configuration, by its names. */
struct value_settings {
    size_t hash_max_listpack_entries, hash_max_listpack_value;
    size_t set_max_intset_entries;
    size_t zset_max_listpack_entries, zset_max_listpack_value;
    int64_t list_max_listpack_size; /* items of a node; -1 to -5: 4, 8, 16, 32, 64 KB */
    int64_t list_compress_depth;    /* nodes at each end that stay plain; 0: all do */
    size_t list_plain_bytes_min;    /* longer elements are plain nodes; 0: from 1 GB on */
    size_t hll_sparse_max_bytes;
    size_t stream_node_max_bytes, stream_node_max_entries; /* 0: no bound */
    struct hash_secret secret; /* for the tables inside big values: the store's own */
};
/* Redis' defaults. */
static inline struct value_settings value_settings_default(struct hash_secret secret)
{
    return (struct value_settings){.hash_max_listpack_entries = 512,
                                   .hash_max_listpack_value = 64,
                                   .set_max_intset_entries = 512,
                                   .zset_max_listpack_entries = 128,
                                   .zset_max_listpack_value = 64,
                                   .list_max_listpack_size = -2,
                                   .hll_sparse_max_bytes = 3000,
                                   .stream_node_max_bytes = 4096,
                                   .stream_node_max_entries = 100,
                                   .secret = secret};
}

/* ---- by encoding: values behind a pointer ------------------------------------------------------- */

/* Where the defragmentation of a value goes on; zero at the beginning. What the numbers mean is the
 * encoding's own affair; the value may change in between. */
struct value_cursor {
    unsigned phase;
    uint64_t at, seq;
};

struct value_ops {
    /* Frees the value, without looking at its holders. Any thread. */
    void (*free)(void *value);
    /* True bytes of all its allocations. */
    size_t (*memory)(const void *value);
    /* A copy in depth, with one holder. */
    void *(*copy)(const void *value);
    /* What freeing costs, about one per allocation or 64 KB: above VALUE_EFFORT_LAZY it is worth
     * another thread. Constant time. */
    size_t (*effort)(const void *value);
    /* Bytes of its data, about: what an RDB body of it takes. Constant time. A snapshot copies a value
     * of up to VALUE_COPIED_BYTES_MAX into its record and leases a longer one. */
    size_t (*weight)(const void *value);
    /* Moves what the mover wants moved of a value that nobody else holds: a part of it, some hundred
     * allocations, from the cursor on. False behind the last part. `value` itself stays where it is. NULL
     * where there is nothing to be moved. */
    bool (*relocate)(void *value, struct value_cursor *cursor, struct mem_mover *mover);
    /* The table that it consists of, or has besides; NULL where it has none. For DEBUG HTSTATS-KEY. */
    const struct table *(*table)(const void *value);
};

#define VALUE_EFFORT_LAZY      64
#define VALUE_COPIED_BYTES_MAX (64 * 1024)

/* The row of an encoding with a pointer payload. Aborts for one that has none. */
const struct value_ops *value_ops(enum encoding encoding);

/* True where somebody besides the entry holds the value: a change in place must wait or copy. */
static inline bool value_shared(const void *value)
{
    return __atomic_load_n((const uint32_t *)value, __ATOMIC_ACQUIRE) != 1;
}
void value_hold(void *value); /* engine thread only: invariant 2 */
/* What freeing a value gives back, about, in constant time. */
uint64_t value_bytes(enum encoding encoding, const void *value);
/* Any thread. The last holder frees. */
void value_drop(enum encoding encoding, void *value);
/* A value that its entry gives up is no data any more, but in memory for as long as somebody else holds it:
 * then its bytes are added to *leaving, and whoever frees it in the end takes them off again. For that
 * the count of holders has a mark, its high bit, which no value in an entry has.
 *
 * value_give_up drops the entry's hold, engine thread only; value_drop_leased the hold of a snapshot, any
 * thread, with the same `leaving` (NULL: nothing can have been given up meanwhile). */
#define VALUE_GIVEN_UP (1u << 31)
void value_give_up(enum encoding encoding, void *value, uint64_t *leaving);
void value_drop_leased(enum encoding encoding, void *value, uint64_t *leaving);

/* ---- by type: containers ------------------------------------------------------------------------ */

struct container_ops {
    /* An empty one, in the encoding that the type begins with, no deadline. */
    struct entry *(*empty)(struct span key, const struct value_settings *settings);
    /* Elements (of a hash: fields). A container without any vanishes; a stream does not. */
    size_t (*count)(const struct entry *e);
    /* Mixes the elements into a DEBUG DIGEST (digest.h). */
    void (*digest)(const struct entry *e, unsigned char *figure);
    bool stays_when_empty;
};
/* The row of a type; aborts for TYPE_STRING. */
const struct container_ops *container_ops(enum value_type type);

#endif
