#include "ds/deadlines.h"
#include "base/check.h"
#include "base/mem.h"
#include "ds/deadlines_internal.h"

#define WAIT_MS 100
#define DISTRIBUTED_FOR_ONE                                                                        \
    8 /* items that move to a finer slot, in the time in which one expires */
/* How far the clock may be set back before the wheel is turned back too: small corrections only
 * make what follows late by as much. */
#define LAG_MS_MAX 1000

/* ---- life ------------------------------------------------------------------------------------ */

struct deadlines *deadlines_new(int64_t now_ms)
{
    struct deadlines *d = mem_zalloc(sizeof *d);
    d->tick = deadlines_tick_of(d, now_ms);
    d->wait_until_ms = INT64_MIN;
    return d;
}

void deadlines_free(struct deadlines *d)
{
    if (d == NULL) return;
    deadlines_sweep_end(d);
    for (int level = 0; level < LEVELS; level++) {
        for (int slot = 0; d->levels[level] != NULL && slot < SLOTS; slot++)
            hash_list_clear(&d->levels[level]->slots[slot], &d->block_bytes);
        mem_free(d->levels[level]);
    }
    check(d->block_bytes == 0);
    mem_free(d);
}

size_t deadlines_live(const struct deadlines *d)
{
    return d->live;
}

size_t deadlines_items(const struct deadlines *d)
{
    return d->items;
}

size_t deadlines_memory(const struct deadlines *d)
{
    size_t bytes = mem_good_size(sizeof *d) + d->block_bytes + deadlines_sweep_memory(d);
    for (int level = 0; level < LEVELS; level++)
        if (d->levels[level] != NULL) bytes += mem_good_size(sizeof *d->levels[level]);
    return bytes;
}

/* ---- slots ----------------------------------------------------------------------------------- */

struct hash_list *deadlines_list(struct deadlines *d, struct spot spot)
{
    return &d->levels[spot.level]->slots[spot.slot];
}

static void push_any(struct deadlines *d, struct spot spot, uint64_t hash)
{
    if (d->levels[spot.level] == NULL)
        d->levels[spot.level] = mem_zalloc(sizeof *d->levels[spot.level]);
    hash_list_push(deadlines_list(d, spot), hash, &d->block_bytes);
    d->levels[spot.level]->occupied |= (uint64_t)1 << spot.slot;
    d->items++;
}

void deadlines_push(struct deadlines *d, struct spot spot, uint64_t hash)
{
    if (d->levels[spot.level] != NULL && hash_list_is_recent(deadlines_list(d, spot), hash)) return;
    push_any(d, spot, hash);
}

void deadlines_settle(struct deadlines *d, struct spot spot)
{
    if (deadlines_list(d, spot)->count == 0 && !deadlines_sweep_holds(d, spot))
        d->levels[spot.level]->occupied &= ~((uint64_t)1 << spot.slot);
}

static uint64_t pop(struct deadlines *d, struct spot spot)
{
    uint64_t hash = hash_list_pop(deadlines_list(d, spot), &d->block_bytes);
    d->items--;
    deadlines_settle(d, spot);
    return hash;
}

/* The slot of `level` that the present tick lies in. */
static unsigned present_slot(const struct deadlines *d, unsigned level)
{
    return d->tick >> level * SLOT_BITS & (SLOTS - 1);
}

static struct spot spot_of(const struct deadlines *d, unsigned level, unsigned slot)
{
    unsigned shift = level * SLOT_BITS;
    uint64_t round = d->tick >> shift >> SLOT_BITS << SLOT_BITS;
    return (struct spot){level, slot, (round | slot) << shift};
}

bool deadlines_first_spot(const struct deadlines *d, uint64_t from, struct spot *out)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        if (d->levels[level] == NULL) continue;
        uint64_t occupied = d->levels[level]->occupied;
        for (; occupied != 0; occupied &= occupied - 1) {
            struct spot spot = spot_of(d, level, (unsigned)__builtin_ctzll(occupied));
            if (spot.start < from) continue;
            *out = spot;
            return true;
        }
    }
    return false;
}

/* A coarse slot that time has entered and that is not distributed to its end (the budget ended): it
 * comes before all else. */
static bool entered_spot(const struct deadlines *d, struct spot *out)
{
    for (unsigned level = LEVELS - 1; level > 0; level--) {
        unsigned slot = present_slot(d, level);
        if (d->levels[level] == NULL || !(d->levels[level]->occupied >> slot & 1)) continue;
        *out = spot_of(d, level, slot);
        return true;
    }
    return false;
}

bool deadlines_ask(const struct deadlines_owner *owner, uint64_t hash, int64_t *deadline_ms)
{
    enum deadline_verdict verdict = owner->due(owner->context, hash, INT64_MIN, deadline_ms);
    check(verdict == DEADLINE_LATER || verdict == DEADLINE_STALE);
    return verdict == DEADLINE_LATER;
}

/* ---- deadlines of keys ----------------------------------------------------------------------- */

void deadlines_add(struct deadlines *d, uint64_t hash, int64_t deadline_ms, int64_t previous_ms)
{
    uint64_t tick = deadlines_tick_of(d, deadline_ms);
    struct spot spot = deadlines_spot(d, tick);

    if (previous_ms == INT64_MIN) {
        d->live++;
    } else { /* there is an item for the previous deadline: invariant 1 */
        uint64_t previous = deadlines_tick_of(d, previous_ms);
        if (tick >= previous || deadlines_same_spot(spot, deadlines_spot(d, previous))) return;
    }
    deadlines_push(d, spot, hash);
}

void deadlines_forget(struct deadlines *d, uint64_t hash, int64_t deadline_ms)
{
    check(d->live > 0);
    d->live--;
    struct spot spot = deadlines_spot(d, deadlines_tick_of(d, deadline_ms));
    if (d->levels[spot.level] == NULL) return;
    if (hash_list_drop_recent(deadlines_list(d, spot), hash, &d->block_bytes)) {
        d->items--;
        deadlines_settle(d, spot);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Announces the items that come up some turns from now; at first also those before them. */
static void announce(const struct hash_list *list, bool first, const struct deadlines_owner *owner)
{
    uint64_t hash;
    if (owner->prefetch == NULL) return;
    for (uint32_t ahead = first ? 1 : PREFETCH_FAR; ahead <= PREFETCH_FAR; ahead++)
        if (hash_list_peek(list, ahead, &hash)) owner->prefetch(owner->context, hash, true);
    for (uint32_t ahead = first ? 1 : PREFETCH_NEAR; ahead <= PREFETCH_NEAR; ahead++)
        if (hash_list_peek(list, ahead, &hash)) owner->prefetch(owner->context, hash, false);
}

/* Expires the items of a slot of level 0. The owner is told the slot's own time: a key that has moved away
 * comes up again in its own order, also when the wheel is late. False: the owner said WAIT. */
static bool fire(struct deadlines *d, struct spot spot, int64_t now_ms, size_t budget,
                 const struct deadlines_owner *owner, size_t *used)
{
    while (*used < budget && deadlines_list(d, spot)->count > 0) {
        announce(deadlines_list(d, spot), false, owner);
        uint64_t hash = pop(d, spot);
        int64_t deadline_ms;
        ++*used;
        switch (owner->due(owner->context, hash, (int64_t)spot.start, &deadline_ms)) {
        case DEADLINE_STALE: break;
        case DEADLINE_EXPIRED:
            check(d->live > 0);
            d->live--;
            break;
        case DEADLINE_LATER: {
            /* Never here again: an owner that contradicts itself must not hold time up. */
            uint64_t tick = deadlines_tick_of(d, deadline_ms);
            if (tick == d->tick) tick++;
            deadlines_push(d, deadlines_spot(d, tick), hash);
            break;
        }
        case DEADLINE_WAIT:
            push_any(d, spot, hash);
            if (__builtin_add_overflow(now_ms, WAIT_MS, &d->wait_until_ms))
                d->wait_until_ms = INT64_MAX;
            return false;
        }
    }
    return true;
}

/* Moves items of a coarse slot that time has entered to where they belong now. Returns how many. */
static size_t distribute(struct deadlines *d, struct spot spot, size_t max,
                         const struct deadlines_owner *owner)
{
    size_t moved = 0;
    for (; moved < max && deadlines_list(d, spot)->count > 0; moved++) {
        announce(deadlines_list(d, spot), false, owner);
        uint64_t hash = pop(d, spot);
        int64_t deadline_ms;
        if (deadlines_ask(owner, hash, &deadline_ms))
            deadlines_push(d, deadlines_spot(d, deadlines_tick_of(d, deadline_ms)), hash);
    }
    return moved;
}

/* The clock was set back: sees all slots from an earlier tick. What differed from the old tick in a
 * lower group of bits than the new one does, differs in that group from now on, all in the old
 * tick's slot; what was due is looked at again at once. */
static void turn_back(struct deadlines *d, uint64_t tick)
{
    deadlines_sweep_end(d);
    struct hash_list due = {0}, lower = {0};
    unsigned present = present_slot(d, 0);
    struct spot target = {0};

    uint64_t old = d->tick;
    d->tick = tick;
    target = deadlines_spot(d, old);
    for (unsigned level = 0; level < target.level; level++) {
        struct level *l = d->levels[level];
        if (l == NULL) continue;
        for (unsigned slot = 0; slot < SLOTS; slot++)
            hash_list_splice(level == 0 && slot == present ? &due : &lower, &l->slots[slot]);
        l->occupied = 0;
    }
    if (target.level == 0 && d->levels[0] != NULL) {
        hash_list_splice(&due, &d->levels[0]->slots[present]);
        deadlines_settle(d, target);
    }
    struct spot now = deadlines_spot(d, tick);
    if (due.count > 0) {
        hash_list_splice(deadlines_list(d, now), &due);
        d->levels[0]->occupied |= (uint64_t)1 << now.slot;
    }
    if (lower.count > 0) {
        if (d->levels[target.level] == NULL)
            d->levels[target.level] = mem_zalloc(sizeof *d->levels[target.level]);
        hash_list_splice(deadlines_list(d, target), &lower);
        d->levels[target.level]->occupied |= (uint64_t)1 << target.slot;
    }
}

size_t deadlines_advance(struct deadlines *d, int64_t now_ms, size_t budget,
                         const struct deadlines_owner *owner)
{
    uint64_t now = now_ms < 0 ? 0 : (uint64_t)now_ms;
    size_t used = 0, moved = 0;

    if (now + LAG_MS_MAX < d->tick) turn_back(d, now);
    d->wait_until_ms = INT64_MIN;
    while (used < budget) {
        struct spot spot;
        bool entered = entered_spot(d, &spot);
        if (!entered) {
            if (!deadlines_first_spot(d, d->tick, &spot) || spot.start > now) {
                if (d->tick < now) d->tick = now;
                break;
            }
        }
        if (deadlines_sweep_holds(d, spot)) deadlines_sweep_return(d);
        if (!entered) {
            d->tick = spot.start;
            announce(deadlines_list(d, spot), true, owner);
        }
        if (spot.level > 0) {
            size_t most = budget - used;
            if (__builtin_mul_overflow(most, DISTRIBUTED_FOR_ONE, &most)) most = SIZE_MAX;
            moved += distribute(d, spot, most - moved, owner);
            used += moved / DISTRIBUTED_FOR_ONE;
            moved %= DISTRIBUTED_FOR_ONE;
        } else if (!fire(d, spot, now_ms, budget, owner, &used)) {
            break;
        }
    }
    if (used < budget) used += deadlines_sweep(d, budget - used, owner);
    return used;
}

int64_t deadlines_next(const struct deadlines *d)
{
    struct spot spot;
    int64_t next = INT64_MAX;
    if (deadlines_sweep_wanted(d) || entered_spot(d, &spot)) return (int64_t)d->tick;
    if (deadlines_first_spot(d, d->tick, &spot) && spot.start < INT64_MAX)
        next = (int64_t)spot.start;
    return next > d->wait_until_ms ? next : d->wait_until_ms;
}

/* ---- samples --------------------------------------------------------------------------------- */

static size_t sample_spot(struct deadlines *d, struct spot spot, size_t max,
                          const struct deadlines_sampler *sampler)
{
    struct hash_list *list = deadlines_list(d, spot);
    size_t before = list->count, shown = 0;
    for (; shown < max && shown < before && list->count > 0; shown++)
        hash_list_sample(list, sampler->random, sampler->keep, sampler->context, &d->block_bytes);
    d->items -= before - list->count;
    deadlines_settle(d, spot);
    return shown;
}

void deadlines_earliest(struct deadlines *d, size_t max, const struct deadlines_sampler *sampler)
{
    struct spot spot;
    uint64_t from = 0;

    for (size_t shown = 0; shown < max && deadlines_first_spot(d, from, &spot);) {
        shown += sample_spot(d, spot, max - shown, sampler);
        from = spot.start + 1;
    }
}

void deadlines_sample(struct deadlines *d, size_t max, const struct deadlines_sampler *sampler)
{
    if (d->items == 0) return;
    uint64_t at = random_below(sampler->random, d->items);
    for (unsigned level = 0; level < LEVELS; level++) {
        uint64_t occupied = d->levels[level] != NULL ? d->levels[level]->occupied : 0;
        for (; occupied != 0; occupied &= occupied - 1) {
            unsigned slot = (unsigned)__builtin_ctzll(occupied);
            size_t count = d->levels[level]->slots[slot].count;
            if (at < count) {
                sample_spot(d, spot_of(d, level, slot), max, sampler);
                return;
            }
            at -= count;
        }
    } /* the sweep holds it */
}

void deadlines_check(const struct deadlines *d)
{
    size_t items = 0;
    for (unsigned level = 0; level < LEVELS; level++) {
        const struct level *l = d->levels[level];
        for (unsigned slot = 0; l != NULL && slot < SLOTS; slot++) {
            struct spot spot = spot_of(d, level, slot);
            bool occupied = l->occupied >> slot & 1;
            hash_list_check(&l->slots[slot]);
            check(occupied == (l->slots[slot].count > 0 || deadlines_sweep_holds(d, spot)));
            /* Nothing lies behind. */
            check(!occupied || slot >= present_slot(d, level));
            items += l->slots[slot].count;
        }
    }
    check(items + deadlines_sweep_held(d) == d->items);
}
