/* Deadlines in order: a hierarchical timing wheel of 8-byte items.
 *
 * An item is the 64-bit hash of a key that has a deadline; which slot holds it says when to look.
 * The exact deadline stands in the owner's entry alone, so whoever takes an item that came up asks
 * the owner.
 *
 * There are eleven levels of 64 slots; a slot of level k is 64^k ms wide:
 *
 *      level 0: 1 ms   1: 64 ms   2: 4.1 s   3: 4.4 min   4: 4.7 h   5: 12.4 days   6: 2.2 years ...
 *
 * Seen from the present ms, an item stands at the level of the highest group of 6 bits in which its
 * deadline differs from the present, in the slot that this group names. So all of level k is due
 * before anything of level k + 1, and the earliest slot is found by looking at one bitmap per level.
 * When time enters a coarse slot, its items are distributed into finer ones, each by its exact
 * deadline. Eleven levels cover every int64; each is allocated when it is first needed.
 *
 * Invariants
 * 1. Every key with a deadline has an item in the slot of its deadline or in an earlier one.
 *    Hence a deadline that moves away costs nothing: its item comes up early, the owner says
 *    "later", and the item moves on. One that comes nearer adds an item.
 * 2. Items that no longer stand for anything (the key is gone, or has another item) are stale. They
 *    are dropped when they come up. When they outnumber the keys, a sweep goes through the slots from
 *    the earliest to the latest, asks for each item, drops what is stale and all but one of equal
 *    items, so that memory stays below 17 bytes a key and 64 KB whatever is done to deadlines.
 *    Without stale items it is 8.2.
 * 3. No call does more than its budget says; the rest is constant (at most some hundred steps when
 *    the clock was set back).
 *
 * Two keys with the same 64-bit hash share items: the second may lose its item with the first, and
 * is then removed when somebody meets it.
 *
 * One thread. Memory: lists of blocks of up to 1 KB; docs/decisions/0002-deadlines.md has the
 * figures. */
#ifndef PANDO_DS_DEADLINES_H
#define PANDO_DS_DEADLINES_H

#include "base/random.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadlines;

struct deadlines *deadlines_new(int64_t now_ms);
void deadlines_free(struct deadlines *deadlines); /* NULL is fine */

/* Notes that the key with this hash has this deadline now. `previous` is the deadline that it had
 * (INT64_MIN for none). Any value is taken; deadlines in the past are due at once. */
void deadlines_add(struct deadlines *deadlines, uint64_t hash, int64_t deadline_ms,
                   int64_t previous_ms);
/* Notes that the key with this hash lost its deadline, which was deadline_ms, or is gone. Where its
 * item is among the slot's newest it is dropped too, so that keys that come and go (locks) leave
 * nothing. */
void deadlines_forget(struct deadlines *deadlines, uint64_t hash, int64_t deadline_ms);

/* What the owner says of an item that came up. */
enum deadline_verdict {
    DEADLINE_STALE, /* no such key, or no deadline: drop the item */
    DEADLINE_LATER, /* *deadline_ms holds the exact deadline (the earliest, where several keys have
                     * this hash), still ahead: keep the item */
    DEADLINE_EXPIRED, /* the owner removed the key (and did not call deadlines_forget) */
    DEADLINE_WAIT, /* due, but it may not be removed now (replica, pause): keep the item; this call
                    * of deadlines_advance expires nothing more */
};
struct deadlines_owner {
    /* Looks up by hash; every entry with this hash whose deadline is at or before now_ms is dealt
     * with. Where now_ms is INT64_MIN it is a mere question: the answer is STALE or LATER, nothing
     * is removed. Otherwise it may call deadlines_add and deadlines_forget. */
    enum deadline_verdict (*due)(void *context, uint64_t hash, int64_t now_ms,
                                 int64_t *deadline_ms);
    /* Optional: the owner will be asked for this hash soon; what it reads first (far: true, a bucket)
     * and what that leads to (false, an entry) can be loaded now. Called once with each. */
    void (*prefetch)(void *context, uint64_t hash, bool far);
    void *context;
};

/* Moves time to now_ms, calling the owner for what is due, in order of deadline to the millisecond, and
 * for the items of coarse slots that time enters. At most `budget` items come up; eight that move from a
 * coarse slot to finer ones count as one, since until all of a slot have moved nothing of it can expire. What
 * is left of the budget goes to a sweep, where one is wanted. Returns the part of the budget that was used: less than
 * all of it means that nothing is left to do now. A clock set back by more than a second is
 * followed; one set forward by years costs only what really is due.
 *
 * A replica calls it too, its owner answering WAIT: so items whose keys the primary deleted go away. */
size_t deadlines_advance(struct deadlines *deadlines, int64_t now_ms, size_t budget,
                         const struct deadlines_owner *owner);
/* The sweep alone, for those who may not remove anything. Returns the part of the budget that was
 * used; constant time where no sweep is wanted. */
size_t deadlines_sweep(struct deadlines *deadlines, size_t budget,
                       const struct deadlines_owner *owner);

/* When deadlines_advance has work next, Unix ms; INT64_MAX for never. After a DEADLINE_WAIT it is
 * at least 100 ms ahead of that call. While a sweep is under way it is a moment in the past. */
int64_t deadlines_next(const struct deadlines *deadlines);

/* For those who look for some key with a deadline: up to `max` items of the earliest slots, or of one slot,
 * drawn by how much it holds. keep(context, hash) says whether the item stands for a key; else it is
 * dropped. Called again and again it comes to all items of a slot. */
struct deadlines_sampler {
    bool (*keep)(void *context, uint64_t hash); /* may not change the wheel */
    void *context;
    struct random *random;
};
void deadlines_earliest(struct deadlines *deadlines, size_t max,
                        const struct deadlines_sampler *sampler);
void deadlines_sample(struct deadlines *deadlines, size_t max,
                      const struct deadlines_sampler *sampler);

size_t deadlines_live(const struct deadlines *deadlines);   /* keys with a deadline */
size_t deadlines_items(const struct deadlines *deadlines);  /* items, stale ones included */
size_t deadlines_memory(const struct deadlines *deadlines); /* bytes, constant time */

/* Checks every invariant that can be checked without the owner; aborts where one is broken. */
void deadlines_check(const struct deadlines *deadlines);

#endif
