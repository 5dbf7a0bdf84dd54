/* Eviction: which key goes next where memory is short, and its removal.
 *
 * The best victim is sought among samples, not all keys: a random bucket of the table, whose six or
 * seven entries lie behind one cache line, gives as many samples for one draw. The best of what was
 * seen is kept in a small pool across calls, so that each round competes with the best of the rounds
 * before. The pool holds hashes and scores, no pointers: a candidate that is gone, or was used since,
 * is found out when its turn comes.
 *
 * Where only keys with a deadline may go and they are few, the samples come from the deadline wheel;
 * for the nearest deadline they come from its earliest slots. Should both give nothing (stale items),
 * a cursor walks over the tables: whatever may go is found in the end.
 *
 * A removal is told like an expiry: effect DEL (or UNLINK), then "evicted". How much has to go and
 * how long it may take is the caller's business (server/eviction.c). Engine thread only. */
#ifndef PANDO_STORE_EVICTION_H
#define PANDO_STORE_EVICTION_H

#include "store/store.h"

enum eviction_order {
    EVICT_LONGEST_IDLE, /* by the access clock, LRU */
    EVICT_LEAST_USED,   /* by the access clock, LFU */
    EVICT_AT_RANDOM,
    EVICT_NEAREST_DEADLINE, /* with `volatile_only` */
};

struct eviction_rule {
    enum eviction_order order;
    bool volatile_only; /* keys with a deadline */
    unsigned samples;   /* entries to look at for each key that goes, at least */
    bool lazy;          /* UNLINK; big values go to the reclaimer either way */
};

enum evicted {
    EVICTED_ONE,
    EVICTED_NONE_YET, /* none was found in this call; there are some */
    EVICTED_NOTHING,  /* no key may go */
};
/* Removes one key. Time is bounded, apart from freeing a value that is not worth the reclaimer. */
enum evicted store_evict(struct store *store, const struct eviction_rule *rule);

/* ---- inside the store ------------------------------------------------------------------------- */

#define EVICTION_POOL 16

struct eviction { /* zero is valid */
    struct candidate {
        uint64_t hash, score; /* the highest goes first */
        int db;
    } pool[EVICTION_POOL]; /* best last */
    int count;
    struct eviction_rule rule; /* that the scores are of */
    int walk_db;               /* the last resort's cursor */
    uint64_t walk_cursor;
};

#endif
