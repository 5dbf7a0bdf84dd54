/* Expiry: deleting keys whose deadline lies behind, when they are met and in order of deadline. */
#include "base/check.h"
#include "store/store_internal.h"

/* How many items of one database come up before the next database's turn. */
#define TURN_ITEMS 16

void store_expire(struct store *store, int db, struct table_place place, bool from_wheel)
{
    struct keyspace *keyspace = keyspace_of(store, db);
    take_bucket(keyspace, place.index);
    struct entry *e =
        from_wheel ? keyspace_take_due_at(keyspace, place) : keyspace_take_at(keyspace, place);
    struct span name = entry_key(e);

    store->stats.expired_keys++;
    /* What a writable replica deletes for a write of its own stays its own. */
    if (!store->policy.is_replica && store->observer.effect != NULL) {
        struct span argv[2] = {store->policy.lazy_expire ? SPAN("UNLINK") : SPAN("DEL"), name};
        store->observer.effect(store->observer.context, db, 2, argv);
    }
    store_tell_event(store, db, EVENT(EVENT_EXPIRED, "expired"), name);
    store_tell_changed(store, db, name);
    store_free_entry(store, e, store->policy.lazy_expire);
}

static bool may_expire(const struct store *store)
{
    const struct store_policy *policy = &store->policy;
    return !policy->is_replica && !policy->expire_paused && !policy->keep_expired;
}

/* One call of store_expire_due, as the deadline wheel's owner sees it. */
struct turn {
    struct store *store;
    int db;
    size_t removed;
};

static enum deadline_verdict on_due(void *context, uint64_t hash, int64_t now_ms,
                                    int64_t *deadline_ms)
{
    struct turn *turn = context;
    struct store *store = turn->store;
    struct table_place place = keyspace_locate_deadline(keyspace_of(store, turn->db), hash);
    if (place.bucket == NULL) return DEADLINE_STALE;

    int64_t deadline = entry_deadline(table_at(place));
    if (deadline >= now_ms) {
        *deadline_ms = deadline < INT64_MAX ? deadline + 1 : deadline;
        return DEADLINE_LATER;
    }
    if (!may_expire(store)) {
        store->expiry_waits = true;
        return DEADLINE_WAIT;
    }
    store_expire(store, turn->db, place, true);
    turn->removed++;
    return DEADLINE_EXPIRED;
}

static void on_prefetch(void *context, uint64_t hash, bool far)
{
    const struct turn *turn = context;
    const struct table *table = keyspace_of(turn->store, turn->db)->table;
    if (far) table_prefetch_bucket(table, hash);
    else table_prefetch_items(table, hash);
}

size_t store_expire_due(struct store *store, int64_t now_ms, size_t budget_items)
{
    int64_t since = store_next_deadline(store);
    if (now_ms < since) return 0;
    store->next_due_ms = since; /* until all is done */
    store->expiry_waits = false;

    struct turn turn = {.store = store};
    struct deadlines_owner owner = {on_due, on_prefetch, &turn};
    int64_t next = INT64_MAX; /* over the databases that have nothing due any more */
    int idle = 0;             /* how many of them in a row */
    while (budget_items > 0 && idle < store->databases) {
        struct keyspace *keyspace = keyspace_of(store, store->expire_turn);
        turn.db = store->expire_turn;
        store->expire_turn = (store->expire_turn + 1) % store->databases;
        if (idle == 0) next = INT64_MAX;

        size_t slice = budget_items < TURN_ITEMS ? budget_items : TURN_ITEMS;
        size_t used = deadlines_advance(keyspace->deadlines, now_ms, slice, &owner);
        budget_items -= used;
        idle = used < slice ? idle + 1 : 0;
        int64_t own = deadlines_next(keyspace->deadlines);
        if (own < next) next = own;
    }
    if (idle == store->databases) store->next_due_ms = next;
    return turn.removed;
}

int64_t store_next_deadline(const struct store *store)
{
    if (store->expiry_waits && may_expire(store)) return INT64_MIN; /* the wait is over */
    return store->next_due_ms;
}
