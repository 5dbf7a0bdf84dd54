/* Deadlines in order: a hierarchical timing wheel of 8-byte items.
 *
 * An item is the 64-bit hash of a key that has a deadline; which slot holds it says when to look.
 * The exact deadline stands in the entry alone. An item may be stale (its key is gone, or has another
 * deadline by now): whoever takes a due item looks the key up and decides. Hence changing or removing
 * a deadline costs nothing here but a count, and when stale items outnumber live ones, sweeping drops
 * them in bounded steps.
 *
 * Levels: 64 slots each, of 16 ms, 1.024 s, 65.536 s, 69.9 min, 3.1 days, 198.8 days; beyond that a
 * last list. Items of a coarse slot are distributed into finer ones when its time comes, each needing
 * its exact deadline through the callback. Slots are lists of small blocks, so memory per item is
 * about 8.5 bytes. */
#ifndef PANDO_DS_DEADLINES_H
#define PANDO_DS_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadlines;

struct deadlines *deadlines_new(int64_t now_ms);
void deadlines_free(struct deadlines *deadlines);

/* Notes that the key with this hash has this deadline now. `previous` is the deadline that it had
 * (INT64_MIN for none): where both fall into one slot nothing is added. Deadlines in the past are
 * due at once. */
void deadlines_add(struct deadlines *deadlines, uint64_t hash, int64_t deadline_ms,
                   int64_t previous);
/* Notes that a key with a deadline lost it or is gone: its item became stale. */
void deadlines_forget(struct deadlines *deadlines);

/* What the owner says of an item that came up. */
enum deadline_verdict {
    DEADLINE_STALE,   /* no such key, or no deadline: drop the item */
    DEADLINE_LATER,   /* *deadline_ms holds the exact deadline, still ahead: keep it */
    DEADLINE_EXPIRED, /* the owner removed the key (and did not call deadlines_forget) */
    DEADLINE_WAIT,    /* due, but it may not be removed now (replica, pause): keep it for later */
};
struct deadlines_owner {
    /* Looks up by hash; every entry with this hash that is due at now_ms is dealt with. */
    enum deadline_verdict (*due)(void *context, uint64_t hash, int64_t now_ms,
                                 int64_t *deadline_ms);
    void *context;
};

/* Moves time to now_ms in order of deadline, calling the owner for at most `budget` items (coarse
 * items that are distributed count too). Returns the number of items looked at; fewer than the budget
 * means that nothing due is left. Stale sweeping uses what is left of the budget. */
size_t deadlines_advance(struct deadlines *deadlines, int64_t now_ms, size_t budget,
                         const struct deadlines_owner *owner);
/* When deadlines_advance has work next: Unix ms of the earliest slot, INT64_MAX for none. */
int64_t deadlines_next(const struct deadlines *deadlines);

size_t deadlines_live(const struct deadlines *deadlines);
size_t deadlines_memory(const struct deadlines *deadlines);
void deadlines_check(const struct deadlines *deadlines);

#endif
