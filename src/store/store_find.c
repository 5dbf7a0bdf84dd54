/* Looking up: who may see an entry, and what a look-up leaves behind (clock, hits, keymiss). */
#include "base/check.h"
#include "store/access_clock.h"
#include "store/store_internal.h"

#define LFU_FRESH 5 /* the counter of a key that nobody asked for yet (tried: OBJECT FREQ) */

enum fate store_fate_expired(const struct store *store, unsigned find_flags)
{
    const struct store_policy *policy = &store->policy;
    if (policy->keep_expired || find_flags & FIND_EXPIRED) return FATE_SEEN;
    if (policy->expire_paused) return FATE_HIDDEN;
    if (policy->is_replica && !(find_flags & FIND_WRITE)) return FATE_HIDDEN;
    return FATE_DELETE;
}

static const struct entry *absent(struct store *store, int db, const struct key *key,
                                  unsigned flags)
{
    if (flags & FIND_WRITE) return NULL;
    if (!(flags & FIND_NO_STATS)) store->stats.keyspace_misses++;
    if (!(flags & FIND_NO_EVENT))
        store_tell_event(store, db, EVENT(EVENT_KEY_MISS, "keymiss"), key->name);
    return NULL;
}

const struct entry *store_find(struct store *store, int db, const struct key *key, unsigned flags)
{
    struct table_place place = keyspace_locate(keyspace_of(store, db), key);
    if (place.bucket == NULL) return absent(store, db, key, flags);

    struct entry *e = table_at(place);
    enum fate fate = store_fate(store, e, flags);
    if (__builtin_expect(fate != FATE_SEEN, 0)) {
        if (fate == FATE_DELETE) store_expire(store, db, place, false);
        return absent(store, db, key, flags);
    }
    if (flags & FIND_WRITE) return e;
    if (!(flags & FIND_NO_STATS)) store->stats.keyspace_hits++;
    if (!(flags & FIND_NO_TOUCH)) {
        uint32_t clock = entry_clock(e), touched = store_touched_clock(store, clock);
        if (touched != clock) entry_set_clock(e, touched); /* spares the cache line a write */
    }
    return e;
}

/* ---- access clocks -------------------------------------------------------------------------- */

uint32_t store_clock_now(const struct store *store)
{
    if (store->policy.lfu) return access_clock_of_frequency(store->now_ms, LFU_FRESH);
    return access_clock_of_idle(store->now_ms, 0);
}

/* The chance that a counter grows falls with its height above a fresh key's: one in
 * (height * lfu-log-factor + 1), so that 8 bits count from a few accesses to millions. */
static uint32_t frequency_touched(struct store *store, uint32_t clock)
{
    const struct store_policy *policy = &store->policy;
    uint8_t counter = access_clock_frequency(store->now_ms, clock, policy->lfu_decay_time);
    if (counter < UINT8_MAX) {
        uint64_t height = counter > LFU_FRESH ? counter - LFU_FRESH : 0;
        uint64_t odds = height * (uint64_t)policy->lfu_log_factor + 1;
        if (odds == 1 || random_below(&store->random, odds) == 0) counter++;
    }
    return access_clock_of_frequency(store->now_ms, counter);
}

uint32_t store_touched_clock(struct store *store, uint32_t clock)
{
    if (__builtin_expect(store->policy.lfu, 0)) return frequency_touched(store, clock);
    return access_clock_of_idle(store->now_ms, 0);
}

int64_t store_idle_seconds(const struct store *store, const struct entry *entry)
{
    return access_clock_idle_seconds(store->now_ms, entry_clock(entry));
}

unsigned store_frequency(const struct store *store, const struct entry *entry)
{
    return access_clock_frequency(store->now_ms, entry_clock(entry), store->policy.lfu_decay_time);
}
