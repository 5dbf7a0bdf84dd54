/* Freeing what is work to free in another thread: big values and whole keyspaces. */
#include "base/mem.h"
#include "store/store_internal.h"

/* A keyspace is freed at once where it has no more keys than this, and no value that is work by itself: it takes well
 * under a millisecond. */
#define KEYSPACE_KEYS_AT_ONCE 1000

/* What is on its way to the reclaimer: a value, or a keyspace. */
struct rubbish {
    uint64_t *pending; /* the store's count; it outlives what is on its way */
    uint64_t objects;  /* counted in it */
    uint64_t *leaving; /* likewise, bytes of values; a keyspace counts its own */
    uint64_t bytes;
    struct keyspace *keyspace;
    enum encoding encoding;
    void *value;
};

static void free_rubbish(void *it)
{
    struct rubbish *rubbish = it;
    if (rubbish->keyspace != NULL) keyspace_drop(rubbish->keyspace);
    else value_drop(rubbish->encoding, rubbish->value);
    __atomic_fetch_sub(rubbish->leaving, rubbish->bytes, __ATOMIC_RELEASE);
    __atomic_fetch_sub(rubbish->pending, rubbish->objects, __ATOMIC_RELEASE);
    mem_free(rubbish);
}

static void hand_over(struct store *store, struct rubbish what)
{
    struct rubbish *rubbish = mem_alloc(sizeof(*rubbish));
    *rubbish = what;
    rubbish->pending = &store->lazyfree_pending;
    rubbish->leaving = &store->leaving_bytes;
    __atomic_fetch_add(&store->leaving_bytes, rubbish->bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&store->lazyfree_pending, rubbish->objects, __ATOMIC_RELAXED);
    store->stats.reclaimed_objects += rubbish->objects;
    store->reclaim(store->reclaim_context, free_rubbish, rubbish);
}

void store_set_reclaimer(struct store *store,
                         void (*reclaim)(void *context, void (*free_it)(void *), void *it),
                         void *context)
{
    store->reclaim = reclaim;
    store->reclaim_context = context;
}

uint64_t store_lazyfree_pending(const struct store *store)
{
    return __atomic_load_n(&store->lazyfree_pending, __ATOMIC_ACQUIRE);
}

/* Whether freeing a value is worth another thread. */
static bool is_work(enum encoding encoding, const void *value)
{
    return value_ops(encoding)->effort(value) > VALUE_EFFORT_LAZY;
}

/* Returns whether it went to the reclaimer. */
static bool free_value(struct store *store, enum encoding encoding, void *value)
{
    /* One that a snapshot holds is not freed here. */
    if (store->reclaim != NULL && !value_shared(value) && is_work(encoding, value)) {
        hand_over(store, (struct rubbish){.objects = 1,
                                          .bytes = value_bytes(encoding, value),
                                          .encoding = encoding,
                                          .value = value});
        return true;
    }
    value_give_up(encoding, value, &store->leaving_bytes);
    return false;
}

void store_free_value(struct store *store, enum encoding encoding, void *value)
{
    if (value != NULL) free_value(store, encoding, value);
}

uint64_t store_leaving_bytes(const struct store *store)
{
    return __atomic_load_n(&store->leaving_bytes, __ATOMIC_ACQUIRE);
}

/* From here on a keyspace that was replaced is no data any more, however long a snapshot or the
 * reclaimer still needs. Its share of what is in use goes by its keys. */
static void note_leaving(struct store *store, struct keyspace *keyspace)
{
    size_t keys = keyspace_count(keyspace), all = keys;
    if (keyspace->leaving != NULL) return;
    for (int db = 0; db < store->databases; db++) {
        if (keyspace_of(store, db) == keyspace) return; /* a snapshot of it has ended */
        all += keyspace_count(keyspace_of(store, db));
    }
    keyspace->leaving = &store->leaving_bytes;
    keyspace->leaving_bytes =
        all == 0 ? 0 : (uint64_t)((double)mem_used() * (double)keys / (double)all);
    __atomic_fetch_add(&store->leaving_bytes, keyspace->leaving_bytes, __ATOMIC_RELAXED);
}

void store_free_entry(struct store *store, struct entry *entry, bool lazy)
{
    if (__builtin_expect(entry_has_pointer(entry), 0) &&
        free_value(store, entry_encoding(entry), entry_pointer(entry)) && lazy)
        store->stats.lazyfreed_objects++;
    entry_free_shell(entry);
}

static void note_work(void *context, void *item)
{
    bool *work = context;
    const struct entry *e = item;
    if (entry_has_pointer(e) && is_work(entry_encoding(e), entry_pointer(e))) *work = true;
}

static bool keyspace_is_work(const struct keyspace *keyspace)
{
    bool work = keyspace_count(keyspace) > KEYSPACE_KEYS_AT_ONCE;
    for (size_t i = 0; i < table_buckets(keyspace->table) && !work; i++)
        table_visit(keyspace->table, i, note_work, &work);
    return work;
}

void store_drop_keyspace(struct store *store, struct keyspace *keyspace, bool lazy)
{
    size_t keys = keyspace_count(keyspace);
    bool last = keyspace->holders == 1, work = keyspace_is_work(keyspace);
    if (!last || work) note_leaving(store, keyspace);
    if (last && store->reclaim != NULL && keys > 0 && (lazy || work)) {
        if (lazy) store->stats.lazyfreed_objects += keys;
        hand_over(store, (struct rubbish){.objects = keys, .keyspace = keyspace});
    } else {
        keyspace_drop(keyspace);
    }
}
