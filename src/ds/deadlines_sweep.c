/* The sweep: drops stale and double items of the deadline wheel, in bounded steps.
 *
 * It takes the slots one by one, from the earliest to the latest. A slot's items are moved to a
 * pile of lists of its own and brought together by hash, because only then double ones can be told:
 * a list too long is dealt out into 64 lists by the next 6 bits of the hash, a short one is sorted.
 * For each hash that is left the owner is asked, and the item goes back, goes on to a later slot,
 * or is dropped.
 *
 *                    start                      take a slot               no slot is left
 *     (not wanted) ---------> between slots ------------------> in a slot
 *           ^                   |   ^                              |
 *           +-------------------+   +------------------------------+
 *             no slot is left          the pile is empty, or time comes to the slot
 *
 * Items that move on meet others of their key in the later slot before that is swept in its turn,
 * so after one pass no key has two. New ones may come in behind the sweep; the next one sees them. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/deadlines_internal.h"
#include <stdlib.h>

#define STALE_SLACK   1024 /* so many stale items are no reason for a sweep */
#define BATCH_MAX     256  /* longest list that is sorted at once */
#define DEAL_BITS     6
#define DEAL_LISTS    (1 << DEAL_BITS)
#define DEAL_DEPTH    11 /* times that 64 bits can be dealt out by 6 */
#define MOVES_PER_ASK 16 /* moves from list to list that count as much as a look-up */

struct pile_list {
    struct hash_list list;
    uint64_t last;  /* pushed last: an equal one is not pushed again */
    unsigned shift; /* the next bits of the hash to deal out by */
};

struct sweep {
    uint64_t from; /* slots that start before were swept */
    bool in_slot;
    struct spot spot; /* where in_slot */
    uint64_t batch[BATCH_MAX];
    size_t batch_count; /* sorted, no two alike, still to be asked for */
    /* A stack. While the list at `dealing` is dealt out, its 64 heirs are the topmost. */
    bool dealing;
    size_t pile_count, dealing_at;
    struct pile_list pile[DEAL_DEPTH * DEAL_LISTS + 1];
};

/* ---- start and end --------------------------------------------------------------------------- */

bool deadlines_sweep_wanted(const struct deadlines *d)
{
    return d->sweep != NULL || d->items > 2 * d->live + STALE_SLACK;
}

size_t deadlines_sweep_memory(const struct deadlines *d)
{
    return d->sweep == NULL ? 0 : mem_good_size(sizeof *d->sweep);
}

size_t deadlines_sweep_held(const struct deadlines *d)
{
    if (d->sweep == NULL || !d->sweep->in_slot) return 0;
    size_t items = d->sweep->batch_count;
    for (size_t i = 0; i < d->sweep->pile_count; i++) items += d->sweep->pile[i].list.count;
    return items;
}

bool deadlines_sweep_holds(const struct deadlines *d, struct spot spot)
{
    return d->sweep != NULL && d->sweep->in_slot && deadlines_same_spot(d->sweep->spot, spot);
}

/* Takes the next slot. False where none is left. */
static bool enter_slot(struct deadlines *d)
{
    struct sweep *sweep = d->sweep;
    if (sweep->from < d->tick) sweep->from = d->tick;
    if (!deadlines_first_spot(d, sweep->from, &sweep->spot)) return false;

    sweep->from = sweep->spot.start + 1;
    sweep->in_slot = true;
    sweep->pile[0] = (struct pile_list){.shift = 64};
    hash_list_splice(&sweep->pile[0].list, deadlines_list(d, sweep->spot));
    sweep->pile_count = 1;
    return true;
}

static void leave_slot(struct deadlines *d)
{
    d->sweep->in_slot = false;
    deadlines_settle(d, d->sweep->spot);
}

void deadlines_sweep_return(struct deadlines *d)
{
    struct sweep *sweep = d->sweep;
    struct hash_list *list = deadlines_list(d, sweep->spot);
    check(sweep->in_slot);
    while (sweep->pile_count > 0) hash_list_splice(list, &sweep->pile[--sweep->pile_count].list);
    while (sweep->batch_count > 0)
        hash_list_push(list, sweep->batch[--sweep->batch_count], &d->block_bytes);
    sweep->dealing = false;
    leave_slot(d);
}

void deadlines_sweep_end(struct deadlines *d)
{
    if (d->sweep == NULL) return;
    if (d->sweep->in_slot) deadlines_sweep_return(d);
    mem_free(d->sweep);
    d->sweep = NULL;
}

/* ---- steps: each returns the number of moves, MOVES_PER_ASK of which count as one look-up ------ */

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Takes the topmost list, a short one, as the batch to be asked for. */
static size_t sort_top(struct deadlines *d)
{
    struct sweep *sweep = d->sweep;
    struct hash_list *list = &sweep->pile[--sweep->pile_count].list;
    size_t count = 0, unique = 0;

    while (list->count > 0) sweep->batch[count++] = hash_list_pop(list, &d->block_bytes);
    qsort(sweep->batch, count, sizeof *sweep->batch, compare_hashes);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || sweep->batch[i] != sweep->batch[unique - 1])
            sweep->batch[unique++] = sweep->batch[i];
    sweep->batch_count = unique;
    d->items -= count - unique;
    return count;
}

/* Begins to deal the topmost list out. */
static size_t deal_begin(struct sweep *sweep)
{
    unsigned shift = sweep->pile[sweep->pile_count - 1].shift;
    check(shift > 0); /* hashes that differ in no bit are one */
    shift = shift > DEAL_BITS ? shift - DEAL_BITS : 0;
    sweep->dealing = true;
    sweep->dealing_at = sweep->pile_count - 1;
    for (int i = 0; i < DEAL_LISTS; i++)
        sweep->pile[sweep->pile_count++] = (struct pile_list){.shift = shift};
    return DEAL_LISTS;
}

/* Deals some items out to the 64 lists above. */
static size_t deal_some(struct deadlines *d)
{
    struct sweep *sweep = d->sweep;
    struct pile_list *source = &sweep->pile[sweep->dealing_at];
    size_t moves = 0;

    for (; moves < MOVES_PER_ASK && source->list.count > 0; moves++) {
        uint64_t hash = hash_list_pop(&source->list, &d->block_bytes);
        struct pile_list *heirs = source + 1;
        struct pile_list *heir = &heirs[hash >> heirs->shift & (DEAL_LISTS - 1)];
        if (heir->list.count > 0 && heir->last == hash) {
            d->items--;
            continue;
        }
        hash_list_push(&heir->list, hash, &d->block_bytes);
        heir->last = hash;
    }
    return moves;
}

/* The source is empty: closes the gaps that it and heirs without items leave on the pile. */
static size_t deal_end(struct sweep *sweep)
{
    size_t kept = sweep->dealing_at;
    for (size_t i = kept + 1; i < sweep->pile_count; i++)
        if (sweep->pile[i].list.count > 0) sweep->pile[kept++] = sweep->pile[i];
    sweep->pile_count = kept;
    sweep->dealing = false;
    return DEAL_LISTS;
}

/* Asks for one item of the batch. */
static size_t ask_one(struct deadlines *d, const struct deadlines_owner *owner)
{
    const uint64_t *batch = d->sweep->batch;
    size_t left = --d->sweep->batch_count;
    struct spot from = d->sweep->spot;
    uint64_t hash = batch[left];
    int64_t deadline_ms;

    if (owner->prefetch != NULL) {
        if (left >= PREFETCH_FAR) owner->prefetch(owner->context, batch[left - PREFETCH_FAR], true);
        if (left >= PREFETCH_NEAR)
            owner->prefetch(owner->context, batch[left - PREFETCH_NEAR], false);
    }
    d->items--;
    if (deadlines_ask(owner, hash, &deadline_ms)) {
        struct spot spot = deadlines_spot(d, deadlines_tick_of(d, deadline_ms));
        /* A deadline before this slot has its own item there: invariant 1. */
        if (spot.start >= from.start) deadlines_push(d, spot, hash);
    }
    return MOVES_PER_ASK;
}

static size_t step(struct deadlines *d, const struct deadlines_owner *owner)
{
    struct sweep *sweep = d->sweep;
    if (sweep->batch_count > 0) return ask_one(d, owner);
    if (sweep->dealing)
        return sweep->pile[sweep->dealing_at].list.count > 0 ? deal_some(d) : deal_end(sweep);
    if (sweep->pile_count == 0) {
        leave_slot(d);
        return 1;
    }
    if (sweep->pile[sweep->pile_count - 1].list.count > BATCH_MAX) return deal_begin(sweep);
    return sort_top(d);
}

static void sweep_start(struct deadlines *d)
{
    d->sweep = mem_alloc(sizeof *d->sweep);
    d->sweep->from = d->tick;
    d->sweep->in_slot = d->sweep->dealing = false;
    d->sweep->batch_count = d->sweep->pile_count = 0;
}

size_t deadlines_sweep(struct deadlines *d, size_t budget, const struct deadlines_owner *owner)
{
    size_t used = 0, moves = 0;
    /* Stale items may have come in behind a sweep that was under way: then another follows. */
    for (int pass = 0; pass < 2 && used < budget && deadlines_sweep_wanted(d);) {
        if (d->sweep == NULL) sweep_start(d);
        if (!d->sweep->in_slot && !enter_slot(d)) {
            deadlines_sweep_end(d);
            pass++;
            continue;
        }
        moves += step(d, owner);
        used += moves / MOVES_PER_ASK;
        moves %= MOVES_PER_ASK;
    }
    return used;
}
