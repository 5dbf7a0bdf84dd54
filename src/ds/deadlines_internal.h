/* The inside of the deadline wheel, for deadlines.c (slots and time) and deadlines_sweep.c. */
#ifndef PANDO_DS_DEADLINES_INTERNAL_H
#define PANDO_DS_DEADLINES_INTERNAL_H

#include "ds/deadlines.h"
#include "ds/hash_list.h"

enum {
    SLOT_BITS = 6,
    SLOTS = 1 << SLOT_BITS,
    LEVELS = 11, /* 66 bits: every Unix time in ms */
};

/* How many look-ups ahead the owner is told what to load. */
enum { PREFETCH_FAR = 12, PREFETCH_NEAR = 6 };

struct level {
    uint64_t occupied; /* bit per slot: its list is not empty, or the sweep holds it */
    struct hash_list slots[SLOTS];
};

struct spot { /* a slot */
    unsigned level, slot;
    uint64_t start; /* its first tick */
};

struct sweep; /* deadlines_sweep.c */

struct deadlines {
    uint64_t tick;         /* all before it is done; slots are seen from here */
    int64_t wait_until_ms; /* after a WAIT: deadlines_next is not before this moment */
    size_t live, items;
    size_t block_bytes; /* of all lists */
    struct level *levels[LEVELS];
    struct sweep *sweep; /* NULL: none under way */
};

/* The tick of a deadline, never before the present one. */
static inline uint64_t deadlines_tick_of(const struct deadlines *d, int64_t deadline_ms)
{
    uint64_t tick = deadline_ms < 0 ? 0 : (uint64_t)deadline_ms;
    return tick < d->tick ? d->tick : tick;
}

/* Where a tick, not before the present one, belongs. */
static inline struct spot deadlines_spot(const struct deadlines *d, uint64_t tick)
{
    uint64_t differing = tick ^ d->tick;
    unsigned level = differing == 0 ? 0 : (unsigned)(63 - __builtin_clzll(differing)) / SLOT_BITS;
    unsigned shift = level * SLOT_BITS;
    return (struct spot){level, tick >> shift & (SLOTS - 1), tick >> shift << shift};
}

static inline bool deadlines_same_spot(struct spot a, struct spot b)
{
    return a.level == b.level && a.slot == b.slot;
}

/* Adds an item; no second one where an equal item is among the slot's newest. */
void deadlines_push(struct deadlines *deadlines, struct spot spot, uint64_t hash);
/* The spot's list; its level must exist. */
struct hash_list *deadlines_list(struct deadlines *deadlines, struct spot spot);
/* To be called where the list may have become empty. */
void deadlines_settle(struct deadlines *deadlines, struct spot spot);
/* The earliest occupied slot that starts at or after `from`. False where there is none. */
bool deadlines_first_spot(const struct deadlines *deadlines, uint64_t from, struct spot *out);

/* The deadline of a key, as a mere question. False: there is none. */
bool deadlines_ask(const struct deadlines_owner *owner, uint64_t hash, int64_t *deadline_ms);

/* Whether the sweep has taken this slot's items and not given them back. */
bool deadlines_sweep_holds(const struct deadlines *deadlines, struct spot spot);
/* Gives the slot's items back, for time has come to it. The sweep goes on behind it. */
void deadlines_sweep_return(struct deadlines *deadlines);
/* Ends the sweep at any point; no item is lost. */
void deadlines_sweep_end(struct deadlines *deadlines);
bool deadlines_sweep_wanted(const struct deadlines *deadlines);
size_t deadlines_sweep_memory(const struct deadlines *deadlines);
size_t deadlines_sweep_held(const struct deadlines *deadlines); /* items */

#endif
