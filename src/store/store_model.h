/* For tests and the fuzzer: a store beside a toy model of it (store_toy.h), driven by the same random
 * choices. What expiry and eviction remove the model learns from the store's events, and checks that the key
 * was due, or that it might go.
 * world_step() does one random thing to both. */
#ifndef PANDO_STORE_STORE_MODEL_H
#define PANDO_STORE_STORE_MODEL_H

#include "store/defrag.h"
#include "store/eviction.h"
#include "store/store_toy.h"

struct world {
    struct store *store;
    struct model model;
    struct witness witnesses[SNAPSHOTS_MAX];
    struct choices choices;
    int64_t now_ms;
    size_t expired, evicted, effects; /* events and effects seen */
    bool evicts_volatile;             /* only keys with a deadline may be evicted now */
    const char *broken;               /* what an observer found wrong; NULL while all is well */
};

static inline bool witness_start(struct world *world, struct witness *witness)
{
    struct snapshot_sink sink = {witness_append, witness};
    witness->store = world->store;
    witness->snapshot = snapshot_start(world->store, &sink);
    if (witness->snapshot == NULL) return false;
    model_copy(&witness->promised, &world->model);
    witness->read = 0;
    return true;
}

/* ---- the world ------------------------------------------------------------------------------- */

static inline void world_on_event(void *context, int db, struct event event, struct span name)
{
    struct world *world = context;
    if (event.class != EVENT_EXPIRED && event.class != EVENT_EVICTED) return;
    struct model_slot *slot = &world->model.slots[db][model_id(name)];
    if (slot->value == NULL) world->broken = "a key went that was not there";
    if (event.class == EVENT_EVICTED) {
        world->evicted++;
        if (world->evicts_volatile && slot->deadline == NO_DEADLINE)
            world->broken = "a key without a deadline was evicted";
        model_put(&world->model, db, model_id(name), NULL, NO_DEADLINE);
        return;
    }
    world->expired++;
    if (slot->deadline == NO_DEADLINE || slot->deadline >= world->now_ms)
        world->broken = "a key expired before its time";
    model_put(&world->model, db, model_id(name), NULL, NO_DEADLINE);
}

static inline void world_on_effect(void *context, int db, int argc, const struct span *argv)
{
    struct world *world = context;
    const struct model_slot *slot = &world->model.slots[db][model_id(argv[1])];
    world->effects++;
    if (argc != 2 || !span_equal(argv[0], SPAN("DEL"))) world->broken = "a wrong effect";
    if (slot->value == NULL) world->broken = "an effect after its event";
    if (store_policy(world->store)->is_replica) world->broken = "an effect of a replica";
}

static inline void world_start(struct world *world, struct choices choices)
{
    const struct hash_secret secret = {1, 2};
    memset(world, 0, sizeof(*world));
    world->choices = choices;
    world->now_ms = MODEL_NOW;
    world->store = store_new(MODEL_DATABASES, &secret, MODEL_NOW);
    struct store_observer observer = {
        .event = world_on_event, .effect = world_on_effect, .context = world};
    store_observe(world->store, &observer);
    for (int db = 0; db < MODEL_DATABASES; db++)
        for (int id = 0; id < MODEL_KEYS; id++) world->model.slots[db][id].deadline = NO_DEADLINE;
}

static inline void world_end(struct world *world)
{
    for (int i = 0; i < SNAPSHOTS_MAX; i++) witness_end(&world->witnesses[i]);
    check(store_leaving_bytes(world->store) == 0 && !store_may_lease(world->store));
    model_release(&world->model);
    store_free(world->store);
}

/* A place that a step is about. */
struct spot {
    int db, id;
    char buffer[48];
    struct key key;
    struct model_slot *slot;
};

static inline void world_spot(struct world *world, int db, int id, struct spot *spot)
{
    spot->db = db;
    spot->id = id;
    spot->key = store_key(world->store, model_name(id, spot->buffer));
    spot->slot = &world->model.slots[db][id];
}

static inline void world_choose_spot(struct world *world, struct spot *spot)
{
    int db = (int)choose(&world->choices, MODEL_DATABASES);
    world_spot(world, db, (int)choose(&world->choices, MODEL_KEYS), spot);
}

static inline bool spot_due(const struct world *world, const struct spot *spot)
{
    return spot->slot->value != NULL && spot->slot->deadline != NO_DEADLINE &&
           spot->slot->deadline < world->now_ms;
}

/* Whether a write sees what the slot holds. */
static inline bool spot_seen(const struct world *world, const struct spot *spot)
{
    if (spot->slot->value == NULL) return false;
    return store_policy(world->store)->keep_expired || !spot_due(world, spot);
}

static inline struct model_value *world_choose_value(struct world *world)
{
    static const size_t bounds[] = {3, 20, 60, 300, 2000, 80000};
    size_t len = choose(&world->choices, bounds[choose(&world->choices, 6)]);
    struct model_value *value = model_value_new(len);
    uint64_t seed = choose(&world->choices, 256);
    for (size_t i = 0; i < len; i++) value->bytes[i] = (char)('0' + (seed + i) % 60);
    return value;
}

static inline int64_t world_choose_deadline(struct world *world)
{
    static const int64_t spans[] = {10, 2000, 100000, 10000000, (int64_t)1 << 50};
    if (choose(&world->choices, 4) == 0) return NO_DEADLINE;
    int64_t span = spans[choose(&world->choices, 5)];
    return world->now_ms - span / 20 + (int64_t)choose(&world->choices, (uint64_t)span);
}

static inline void step_put(struct world *world, struct spot *spot)
{
    struct model_value *value = world_choose_value(world);
    int64_t ttl = choose(&world->choices, 3) == 0 ? TTL_KEEP : world_choose_deadline(world);
    int64_t deadline = ttl;
    if (ttl == TTL_KEEP) deadline = spot_seen(world, spot) ? spot->slot->deadline : NO_DEADLINE;
    store_put_string(world->store, spot->db, &spot->key, span_of(value->bytes, value->len), ttl,
                     EVENT(EVENT_STRING, "set"));
    model_put(&world->model, spot->db, spot->id, value, deadline);
}

static inline void step_put_int64(struct world *world, struct spot *spot)
{
    int64_t number = (int64_t)choose(&world->choices, 1 << 20) - 5000;
    int64_t deadline = spot_seen(world, spot) ? spot->slot->deadline : NO_DEADLINE;
    struct model_value *value = model_value_new(NUM_INT64_CHARS);
    value->len = num_format_int64(value->bytes, number);
    store_put_int64(world->store, spot->db, &spot->key, number, TTL_KEEP, NO_EVENT);
    model_put(&world->model, spot->db, spot->id, value, deadline);
}

static inline void step_put_entry(struct world *world, struct spot *spot)
{
    struct model_value *value = world_choose_value(world);
    int64_t deadline = world_choose_deadline(world);
    struct entry *e =
        entry_new_string(spot->key.name, deadline, span_of(value->bytes, value->len), false);
    store_put_entry(world->store, spot->db, &spot->key, e, NO_EVENT);
    model_put(&world->model, spot->db, spot->id, value, deadline);
}

static inline uint64_t fill_bytes(void *context, char *bytes, size_t len)
{
    if (len > 0) memset(bytes, *(char *)context, len < 100 ? len : 100);
    return 1;
}

static inline void step_edit(struct world *world, struct spot *spot)
{
    bool seen = spot_seen(world, spot);
    size_t old_len = seen ? spot->slot->value->len : 0;
    size_t len = old_len + choose(&world->choices, choose(&world->choices, 8) == 0 ? 70000 : 50);
    int64_t deadline = seen ? spot->slot->deadline : NO_DEADLINE;
    char fill = (char)('A' + choose(&world->choices, 26));
    if (len > 300000) return;
    struct model_value *value = model_value_new(len);
    if (seen) memcpy(value->bytes, spot->slot->value->bytes, old_len);
    fill_bytes(&fill, value->bytes, len);
    store_edit_string(world->store, spot->db, &spot->key, len, fill_bytes, &fill, NO_EVENT);
    model_put(&world->model, spot->db, spot->id, value, deadline);
}

static inline void step_remove(struct world *world, struct spot *spot)
{
    bool seen = spot_seen(world, spot);
    enum removal how = choose(&world->choices, 2) == 0 ? REMOVE_NOW : REMOVE_LAZY;
    if (store_remove(world->store, spot->db, &spot->key, how, NO_EVENT) != seen)
        world->broken = "removal of the wrong keys";
    if (seen) model_put(&world->model, spot->db, spot->id, NULL, NO_DEADLINE);
}

static inline void step_set_deadline(struct world *world, struct spot *spot)
{
    int64_t deadline = world_choose_deadline(world);
    if (!spot_seen(world, spot)) return;
    store_set_deadline(world->store, spot->db, &spot->key, deadline, NO_EVENT);
    spot->slot->deadline = deadline;
}

static inline void step_move(struct world *world, struct spot *from)
{
    struct spot to;
    world_choose_spot(world, &to);
    if (!spot_seen(world, from) || (to.db == from->db && to.id == from->id)) return;
    store_move(world->store, from->db, &from->key, to.db, &to.key, NO_EVENT, NO_EVENT);
    model_put(&world->model, to.db, to.id, from->slot->value, from->slot->deadline);
    *from->slot = (struct model_slot){NULL, NO_DEADLINE};
}

static inline void step_find(struct world *world, struct spot *spot)
{
    const struct store_policy *policy = store_policy(world->store);
    bool seen = spot_seen(world, spot), due = spot_due(world, spot);
    size_t expired = world->expired;
    const struct entry *e = store_find(world->store, spot->db, &spot->key, 0);
    if (seen ? !slot_is(spot->slot, e) : e != NULL) world->broken = "found something else";
    bool hides = policy->is_replica || policy->expire_paused;
    if ((world->expired > expired) != (due && !seen && !hides)) world->broken = "expired wrongly";
}

static inline void step_flush(struct world *world, int db)
{
    store_flush(world->store, db, choose(&world->choices, 2) == 0);
    for (int each = 0; each < MODEL_DATABASES; each++)
        for (int id = 0; id < MODEL_KEYS && (db < 0 || db == each); id++)
            model_put(&world->model, each, id, NULL, NO_DEADLINE);
}

static inline void step_swap(struct world *world)
{
    int a = (int)choose(&world->choices, MODEL_DATABASES);
    int b = (int)choose(&world->choices, MODEL_DATABASES);
    store_swap(world->store, a, b);
    for (int id = 0; id < MODEL_KEYS; id++) {
        struct model_slot kept = world->model.slots[a][id];
        world->model.slots[a][id] = world->model.slots[b][id];
        world->model.slots[b][id] = kept;
    }
}

static inline void step_replace_all(struct world *world)
{
    const struct hash_secret secret = {1, 2};
    struct keyspace *fresh[MODEL_DATABASES];
    model_release(&world->model);
    for (int db = 0; db < MODEL_DATABASES; db++) {
        fresh[db] = keyspace_new(&secret, world->now_ms);
        for (uint64_t n = choose(&world->choices, 40); n > 0; n--) {
            char buffer[48];
            int id = (int)choose(&world->choices, MODEL_KEYS);
            struct span name = model_name(id, buffer);
            struct model_value *value = world_choose_value(world);
            int64_t deadline = world_choose_deadline(world);
            struct entry *e =
                entry_new_string(name, deadline, span_of(value->bytes, value->len), false);
            bool fits = keyspace_insert(fresh[db], keyspace_key(fresh[db], name).hash, e);
            if (fits != (world->model.slots[db][id].value == NULL)) world->broken = "insert";
            if (!fits) entry_free(e), model_drop_value(value);
            if (fits) model_put(&world->model, db, id, value, deadline);
        }
    }
    store_replace_all(world->store, fresh);
}

static inline void step_evict(struct world *world)
{
    struct eviction_rule rule = {
        .order = (enum eviction_order)choose(&world->choices, 4),
        .volatile_only = choose(&world->choices, 2) == 0,
        .samples = 1 + (unsigned)choose(&world->choices, 10),
    };
    bool any = false;
    if (rule.order == EVICT_NEAREST_DEADLINE) rule.volatile_only = true;
    for (int db = 0; db < MODEL_DATABASES; db++)
        for (int id = 0; id < MODEL_KEYS; id++) {
            const struct model_slot *slot = &world->model.slots[db][id];
            any |= slot->value != NULL && (!rule.volatile_only || slot->deadline != NO_DEADLINE);
        }
    size_t evicted = world->evicted;
    world->evicts_volatile = rule.volatile_only;
    enum evicted what = store_evict(world->store, &rule);
    if ((what == EVICTED_NOTHING) == any) world->broken = "eviction saw other keys";
    if (world->evicted - evicted != (what == EVICTED_ONE)) world->broken = "evictions miscounted";
}

static inline void step_defrag(struct world *world)
{
    struct mem_mover mover = {0};
    mem_mover_want_all(&mover);
    for (uint64_t n = choose(&world->choices, 200); n > 0; n--)
        store_defrag_step(world->store, &mover, choose(&world->choices, 100));
}

/* Many keys come or go at once, so that the tables grow and shrink. */
static inline void step_burst(struct world *world)
{
    int db = (int)choose(&world->choices, MODEL_DATABASES);
    int begin = (int)choose(&world->choices, MODEL_KEYS);
    int count = (int)choose(&world->choices, 300);
    bool puts = choose(&world->choices, 2) == 0;
    for (int i = 0; i < count; i++) {
        struct spot spot;
        world_spot(world, db, (begin + i) % MODEL_KEYS, &spot);
        if (puts) step_put_int64(world, &spot);
        else step_remove(world, &spot);
    }
}

static inline void step_time(struct world *world)
{
    static const uint64_t spans[] = {3, 1000, 100000, 20000000};
    const struct store_policy *policy = store_policy(world->store);
    world->now_ms += (int64_t)choose(&world->choices, spans[choose(&world->choices, 4)]);
    bool all = choose(&world->choices, 3) == 0;
    if (all) world->now_ms += 2 * MODEL_TICK_MS; /* what was given a past deadline is due, too */
    store_set_now(world->store, world->now_ms);
    size_t expired = world->expired;
    size_t budget = all ? SIZE_MAX : choose(&world->choices, 50);
    size_t removed = store_expire_due(world->store, world->now_ms, budget);
    if (removed != world->expired - expired) world->broken = "expired keys miscounted";
    if (policy->is_replica || policy->expire_paused || policy->keep_expired) {
        if (removed > 0) world->broken = "expired while it may not";
        return;
    }
    for (int db = 0; all && db < MODEL_DATABASES; db++)
        for (int id = 0; id < MODEL_KEYS; id++) {
            const struct model_slot *slot = &world->model.slots[db][id];
            if (slot->value != NULL && slot->deadline != NO_DEADLINE &&
                slot->deadline < world->now_ms - 2 * MODEL_TICK_MS)
                world->broken = "a due key was left";
        }
}

static inline void step_snapshot(struct world *world)
{
    struct witness *witness = &world->witnesses[choose(&world->choices, SNAPSHOTS_MAX)];
    if (witness->snapshot == NULL) {
        if (!witness_start(world, witness)) world->broken = "a snapshot did not start";
        return;
    }
    uint64_t what = choose(&world->choices, 16);
    if (what == 0) {
        witness_end(witness);
    } else if (what == 1) {
        if (!witness_read(witness)) world->broken = "a record that was not promised";
    } else if (snapshot_walk(witness->snapshot, 1 + choose(&world->choices, 4000), what)) {
        if (!witness_agrees(witness)) world->broken = "a snapshot is not what it promised";
        witness_end(witness);
    }
}

static inline void step_policy(struct world *world)
{
    struct store_policy *policy = store_policy(world->store);
    uint64_t bits = choose(&world->choices, 16);
    policy->is_replica = bits == 1 || bits == 2;
    policy->keep_expired = bits == 2 || bits == 3;
    policy->expire_paused = bits == 4;
    policy->lfu = bits % 2 == 0;
}

static inline void step_would_wait(struct world *world, struct spot *spot)
{
    bool leased = false;
    for (int i = 0; i < SNAPSHOTS_MAX; i++) leased |= world->witnesses[i].snapshot != NULL;
    bool waits = store_would_wait(world->store, spot->db, &spot->key);
    if (waits && (!leased || spot->slot->value->len <= ENTRY_INLINE_BYTES_MAX))
        world->broken = "waits for nothing";
}

/* One random thing. */
static inline void world_step(struct world *world)
{
    struct spot spot;
    uint64_t what = choose(&world->choices, 64);
    world_choose_spot(world, &spot);
    if (what < 10) step_put(world, &spot);
    else if (what < 15) step_put_int64(world, &spot);
    else if (what < 19) step_edit(world, &spot);
    else if (what < 25) step_remove(world, &spot);
    else if (what < 29) step_set_deadline(world, &spot);
    else if (what < 33) step_move(world, &spot);
    else if (what < 37) step_find(world, &spot);
    else if (what < 39) step_put_entry(world, &spot);
    else if (what < 40) step_would_wait(world, &spot);
    else if (what < 41) choose(&world->choices, 2) ? step_evict(world) : step_defrag(world);
    else if (what < 43) step_burst(world);
    else if (what < 47) step_time(world);
    else if (what < 60) step_snapshot(world);
    else if (what < 61) step_swap(world);
    else if (what < 62) step_policy(world);
    else if (choose(&world->choices, 4) > 0) return;
    else if (what < 63) step_flush(world, (int)choose(&world->choices, MODEL_DATABASES + 1) - 1);
    else step_replace_all(world);
}

#endif
