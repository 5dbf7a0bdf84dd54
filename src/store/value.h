/* Values behind a pointer: one row of functions per encoding.
 *
 * A value that does not fit its entry is an allocation (or a structure of many) of its own. Each of
 * them begins with the count of its holders: the entry, and every snapshot that leases it. The last
 * holder frees it, in whatever thread that happens; only the engine, only while it is the sole
 * holder, changes one. Everything that treats all values alike (freeing, MEMORY USAGE, COPY,
 * snapshots, lazy freeing) goes through the row of the encoding, so a new encoding is one row.
 *
 * Invariants
 * 1. The first member of every such value is a uint32_t, its holders, changed atomically.
 * 2. Whoever sees value_shared() false on the engine thread may change the value in place: only the
 *    engine adds holders. */
#ifndef PANDO_STORE_VALUE_H
#define PANDO_STORE_VALUE_H

#include "base/buf.h"
#include "store/entry.h"

struct value_ops {
    /* Frees the value, without looking at its holders. Any thread. */
    void (*free)(void *value);
    /* True bytes of all its allocations. */
    size_t (*memory)(const void *value);
    /* A copy in depth, with one holder. */
    void *(*copy)(const void *value);
    /* What freeing costs, about one per allocation or 64 KB: above VALUE_EFFORT_LAZY it is worth
     * another thread. */
    size_t (*effort)(const void *value);
    /* How a snapshot takes it: appends a plain copy and returns true, or returns false where the
     * value is so big that it is leased instead. NULL: always leased. */
    bool (*flatten)(const void *value, struct buf *out);
};

#define VALUE_EFFORT_LAZY 64

/* The row of an encoding with a pointer payload. Aborts for one that has none. */
const struct value_ops *value_ops(enum encoding encoding);

/* True where somebody besides the entry holds the value: a change in place must wait or copy. */
static inline bool value_shared(const void *value)
{
    return __atomic_load_n((const uint32_t *)value, __ATOMIC_ACQUIRE) != 1;
}
void value_hold(void *value); /* engine thread only: invariant 2 */
/* Any thread. The last holder frees. */
void value_drop(enum encoding encoding, void *value);

#endif
