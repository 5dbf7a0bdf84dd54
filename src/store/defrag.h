/* Defragmentation: a walk over all databases that gives entries and what their values are made of other
 * places, so that the allocator's sparse pages become free (base/mem_mover.h says which are worth it).
 *
 * Entries have one owner, their slot, so they may move at any time between two commands; what moved is no
 * change of the data: no event, no snapshot, no clock. A value that a snapshot leases stays where it is.
 *
 * One step does a bucket of the keyspace's table with the values in it, of up to `elements_max` elements
 * together, or a part of a value that was put off for having more. Between two steps anything may change: the walk keeps indexes and
 * hashes, no pointers. What it misses for that, the next walk finds. Engine thread only. */
#ifndef PANDO_STORE_DEFRAG_H
#define PANDO_STORE_DEFRAG_H

#include "store/store.h"

/* A part of the work, some ten microseconds. False at the end of a walk: the next step begins another one. */
bool store_defrag_step(struct store *store, struct mem_mover *mover, size_t elements_max);
/* Gives up a walk: the next step begins anew. */
void store_defrag_reset(struct store *store);

struct defrag_figures {             /* since start or CONFIG RESETSTAT */
    uint64_t keys_moved, keys_kept; /* keys of which something was moved, or nothing */
};
struct defrag_figures *store_defrag_figures(struct store *store);

/* ---- inside the store ------------------------------------------------------------------------- */

#define DEFRAG_LATER_MAX 64

struct defrag { /* zero is the beginning of a walk */
    int db;
    size_t bucket; /* the next one */
    /* Hashes of keys in the bucket before whose values are large. */
    uint64_t later[DEFRAG_LATER_MAX];
    unsigned later_count;
    struct value_cursor cursor; /* in the last of them */
    struct defrag_figures figures;
};

#endif
