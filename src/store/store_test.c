/* The store's promises: what the door tells, who sees an expired key, whole tables, clocks.
 * Snapshots have a file of their own. */
#include "store/access_clock.h"
#include "store/store_model.h"
#include <criterion/criterion.h>

#define NOW MODEL_NOW

/* A store whose observer writes down what it was told. */
struct fixture {
    struct store *store;
    struct buf told;
    void (*rubbish_free[8])(void *); /* what the reclaimer got and has not freed */
    void *rubbish[8];
    int rubbish_count;
};

static void tell(struct fixture *fixture, int db, const char *what, struct span name)
{
    buf_printf(&fixture->told, "%s%d:%s:%.*s", fixture->told.len > 0 ? " " : "", db, what,
               (int)name.len, name.ptr);
}

static void on_changed(void *context, int db, struct span name)
{
    tell(context, db, "~", name);
}
static void on_event(void *context, int db, struct event event, struct span name)
{
    tell(context, db, event.name, name);
}
static void on_ready(void *context, int db, struct span name, enum value_type type)
{
    tell(context, db, value_type_name(type), name);
}
static void on_effect(void *context, int db, int argc, const struct span *argv)
{
    cr_assert_eq(argc, 2);
    tell(context, db, argv[0].len == 3 ? "DEL" : "UNLINK", argv[1]);
}
static void on_replacing(void *context, int db, struct keyspace *from, struct keyspace *to)
{
    char counts[32];
    int len = snprintf(counts, sizeof(counts), "%zu>%zu", keyspace_count(from), keyspace_count(to));
    tell(context, db, "replacing", span_of(counts, (size_t)len));
}

static struct fixture start(void)
{
    const struct hash_secret secret = {1, 2};
    return (struct fixture){.store = store_new(4, &secret, NOW)};
}

static void listen(struct fixture *fixture)
{
    struct store_observer observer = {on_changed, on_replacing, on_event,
                                      on_ready,   on_effect,    fixture};
    store_observe(fixture->store, &observer);
}

static void finish(struct fixture *fixture)
{
    buf_release(&fixture->told);
    store_free(fixture->store);
}

/* What was told since the last call. */
static void expect_told(struct fixture *fixture, const char *wanted)
{
    cr_assert(span_equal(buf_span(&fixture->told), span_of_cstr(wanted)),
              "told \"%.*s\", not \"%s\"", (int)fixture->told.len, fixture->told.ptr, wanted);
    buf_clear(&fixture->told);
}

static struct key key_of(const struct fixture *fixture, const char *name)
{
    return store_key(fixture->store, span_of_cstr(name));
}

static void set(struct fixture *fixture, int db, const char *name, const char *value, int64_t ttl)
{
    struct key key = key_of(fixture, name);
    store_put_string(fixture->store, db, &key, span_of_cstr(value), ttl,
                     EVENT(EVENT_STRING, "set"));
}

static const struct entry *find(struct fixture *fixture, int db, const char *name, unsigned flags)
{
    struct key key = key_of(fixture, name);
    return store_find(fixture->store, db, &key, flags);
}

static void expect_value(struct fixture *fixture, int db, const char *name, const char *wanted)
{
    char scratch[NUM_INT64_CHARS];
    const struct entry *e = find(fixture, db, name, FIND_NO_EVENT | FIND_EXPIRED);
    cr_assert_eq(e == NULL, wanted == NULL, "%s", name);
    if (e != NULL)
        cr_assert(span_equal(entry_string(e, scratch), span_of_cstr(wanted)), "%s", name);
}

static bool removed(struct fixture *fixture, int db, const char *name)
{
    struct key key = key_of(fixture, name);
    return store_remove(fixture->store, db, &key, REMOVE_NOW, EVENT(EVENT_GENERIC, "del"));
}

static void fill_x(void *context, char *bytes, size_t len)
{
    (void)context;
    memset(bytes, 'x', len);
}

/* ---- the door -------------------------------------------------------------------------------- */

Test(store, counts_and_tells_each_write_once_in_order)
{
    struct fixture f = start();
    listen(&f);
    set(&f, 1, "k", "v", TTL_CLEAR);
    expect_told(&f, "1:~:k 1:new:k 1:set:k");
    set(&f, 1, "k", "w", TTL_CLEAR);
    expect_told(&f, "1:~:k 1:set:k");
    struct key k = key_of(&f, "k"), l = key_of(&f, "l");
    store_put_int64(f.store, 1, &k, 7, TTL_KEEP, EVENT(EVENT_STRING, "incrby"));
    expect_told(&f, "1:~:k 1:incrby:k");
    store_set_deadline(f.store, 1, &k, NOW + 5000, EVENT(EVENT_GENERIC, "expire"));
    expect_told(&f, "1:~:k 1:expire:k");
    store_edit_string(f.store, 1, &k, 3, fill_x, NULL, EVENT(EVENT_STRING, "append"));
    expect_told(&f, "1:~:k 1:append:k");
    store_move(f.store, 1, &k, 2, &l, EVENT(EVENT_GENERIC, "from"), EVENT(EVENT_GENERIC, "to"));
    expect_told(&f, "1:~:k 2:~:l 2:new:l 1:from:k 2:to:l");
    cr_assert_eq(store_dirty(f.store), 6);
    cr_assert_not(removed(&f, 1, "k"));
    expect_told(&f, "");
    cr_assert_eq(store_dirty(f.store), 6);
    cr_assert(removed(&f, 2, "l"));
    expect_told(&f, "2:~:l 2:del:l");
    cr_assert_eq(store_dirty(f.store), 7);
    finish(&f);
}

Test(store, works_without_an_observer_and_with_no_event)
{
    struct fixture f = start();
    struct key k = key_of(&f, "k");
    store_put_string(f.store, 0, &k, SPAN("v"), TTL_CLEAR, NO_EVENT);
    listen(&f);
    store_put_string(f.store, 0, &k, SPAN("w"), TTL_CLEAR, NO_EVENT);
    expect_told(&f, "0:~:k");
    finish(&f);
}

Test(store, keeps_clears_and_sets_deadlines)
{
    struct fixture f = start();
    set(&f, 0, "k", "v", NOW + 1000);
    set(&f, 0, "k", "a longer value that takes another size class for certain", TTL_KEEP);
    cr_assert_eq(entry_deadline(find(&f, 0, "k", 0)), NOW + 1000);
    cr_assert_eq(store_keyspace(f.store, 0)->expires, 1);
    set(&f, 0, "k", "w", TTL_CLEAR);
    cr_assert_eq(entry_deadline(find(&f, 0, "k", 0)), NO_DEADLINE);
    cr_assert_eq(store_keyspace(f.store, 0)->expires, 0);
    set(&f, 0, "k", "w", 9223372036854770000);
    cr_assert_eq(entry_deadline(find(&f, 0, "k", 0)), 9223372036854770000);
    set(&f, 0, "new", "w", TTL_KEEP);
    cr_assert_eq(entry_deadline(find(&f, 0, "new", 0)), NO_DEADLINE);
    keyspace_check(store_keyspace(f.store, 0));
    finish(&f);
}

Test(store, changes_counters_and_short_values_in_place)
{
    struct fixture f = start();
    struct key k = key_of(&f, "counter");
    store_put_int64(f.store, 0, &k, 1, TTL_KEEP, NO_EVENT);
    const struct entry *e = find(&f, 0, "counter", 0);
    for (int64_t i = 2; i < 100; i++) {
        store_put_int64(f.store, 0, &k, i * 1000003, TTL_KEEP, NO_EVENT);
        cr_assert_eq(find(&f, 0, "counter", 0), e);
    }
    set(&f, 0, "counter", "short", NOW + 5);
    cr_assert_eq(find(&f, 0, "counter", 0), e);
    finish(&f);
}

Test(store, edits_strings_and_missing_keys)
{
    struct fixture f = start();
    struct key k = key_of(&f, "k");
    store_edit_string(f.store, 0, &k, 3, fill_x, NULL, NO_EVENT);
    expect_value(&f, 0, "k", "xxx");
    cr_assert_str_eq(entry_encoding_name(find(&f, 0, "k", 0)), "raw");
    set(&f, 0, "k", "12", NOW + 50);
    store_edit_string(f.store, 0, &k, 5, fill_x, NULL, NO_EVENT);
    expect_value(&f, 0, "k", "xxxxx");
    cr_assert_eq(entry_deadline(find(&f, 0, "k", 0)), NOW + 50);
    finish(&f);
}

Test(store, counts_hits_and_misses_of_reads_only)
{
    struct fixture f = start();
    set(&f, 0, "k", "v", TTL_CLEAR);
    listen(&f);
    const struct store_stats *stats = store_stats(f.store);
    find(&f, 0, "k", 0);
    find(&f, 0, "k", FIND_WRITE);
    find(&f, 0, "k", FIND_NO_STATS);
    cr_assert(stats->keyspace_hits == 1 && stats->keyspace_misses == 0);
    find(&f, 0, "absent", FIND_WRITE);
    expect_told(&f, "");
    find(&f, 0, "absent", FIND_NO_EVENT);
    expect_told(&f, "");
    find(&f, 0, "absent", 0);
    expect_told(&f, "0:keymiss:absent");
    find(&f, 0, "absent", FIND_NO_STATS);
    cr_assert(stats->keyspace_hits == 1 && stats->keyspace_misses == 2);
    finish(&f);
}

/* ---- expiry ---------------------------------------------------------------------------------- */

static void start_with_expired(struct fixture *f)
{
    *f = start();
    set(f, 0, "k", "v", NOW + 10);
    store_set_now(f->store, NOW + 11);
    store_set_dirty(f->store, 0);
    listen(f);
}

Test(expiry, begins_when_the_deadline_lies_behind)
{
    struct fixture f = start();
    set(&f, 0, "k", "v", NOW + 10);
    store_set_now(f.store, NOW + 10);
    cr_assert_eq(store_expire_due(f.store, NOW + 10, 100), 0);
    cr_assert_not_null(find(&f, 0, "k", 0));
    store_set_now(f.store, NOW + 11);
    cr_assert_null(find(&f, 0, "k", 0));
    finish(&f);
}

Test(expiry, deletes_on_a_primary_and_states_the_effect)
{
    struct fixture f;
    start_with_expired(&f);
    cr_assert_null(find(&f, 0, "k", 0));
    expect_told(&f, "0:DEL:k 0:expired:k 0:~:k 0:keymiss:k");
    cr_assert_eq(keyspace_count(store_keyspace(f.store, 0)), 0);
    cr_assert_eq(store_stats(f.store)->expired_keys, 1);
    cr_assert_eq(store_dirty(f.store), 0);
    finish(&f);
}

Test(expiry, unlinks_when_it_is_lazy)
{
    struct fixture f;
    start_with_expired(&f);
    store_policy(f.store)->lazy_expire = true;
    cr_assert_null(find(&f, 0, "k", FIND_WRITE));
    expect_told(&f, "0:UNLINK:k 0:expired:k 0:~:k");
    finish(&f);
}

Test(expiry, happens_in_the_door_before_a_write)
{
    struct fixture f;
    start_with_expired(&f);
    set(&f, 0, "k", "w", TTL_KEEP);
    expect_told(&f, "0:DEL:k 0:expired:k 0:~:k 0:~:k 0:new:k 0:set:k");
    cr_assert_eq(entry_deadline(find(&f, 0, "k", 0)), NO_DEADLINE);
    finish(&f);

    start_with_expired(&f);
    cr_assert_not(removed(&f, 0, "k"));
    expect_told(&f, "0:DEL:k 0:expired:k 0:~:k");
    finish(&f);
}

Test(expiry, is_hidden_by_a_replica)
{
    struct fixture f;
    start_with_expired(&f);
    store_policy(f.store)->is_replica = true;
    cr_assert_null(find(&f, 0, "k", 0));
    cr_assert_eq(store_expire_due(f.store, NOW + 111, 100), 0);
    cr_assert_gt(store_next_deadline(f.store), NOW + 111); /* no busy waiting */
    expect_told(&f, "0:keymiss:k");
    cr_assert_eq(keyspace_count(store_keyspace(f.store, 0)), 1);
    cr_assert(store_is_expired(f.store, find(&f, 0, "k", FIND_EXPIRED)));
    finish(&f);
}

Test(expiry, of_a_writable_replica_stays_its_own)
{
    struct fixture f;
    start_with_expired(&f);
    store_policy(f.store)->is_replica = true;
    set(&f, 0, "k", "w", TTL_KEEP);
    expect_told(&f, "0:expired:k 0:~:k 0:~:k 0:new:k 0:set:k");
    finish(&f);
}

Test(expiry, is_not_seen_by_the_primarys_stream)
{
    struct fixture f;
    start_with_expired(&f);
    store_policy(f.store)->is_replica = store_policy(f.store)->keep_expired = true;
    struct key k = key_of(&f, "k");
    store_edit_string(f.store, 0, &k, 2, fill_x, NULL, NO_EVENT);
    cr_assert_eq(entry_deadline(find(&f, 0, "k", 0)), NOW + 10);
    store_set_deadline(f.store, 0, &k, NOW - 5, NO_EVENT); /* PEXPIREAT in the past keeps the key */
    expect_value(&f, 0, "k", "xx");
    cr_assert(removed(&f, 0, "k"));
    finish(&f);
}

Test(expiry, stands_still_while_writes_are_paused)
{
    struct fixture f;
    start_with_expired(&f);
    store_policy(f.store)->expire_paused = true;
    cr_assert_null(find(&f, 0, "k", FIND_WRITE | FIND_NO_EVENT));
    cr_assert_not(removed(&f, 0, "k"));
    cr_assert_eq(store_expire_due(f.store, NOW + 11, 100), 0);
    expect_told(&f, "");
    set(&f, 0, "k", "w", TTL_KEEP); /* a write that is let through meets no old value */
    expect_told(&f, "0:~:k 0:new:k 0:set:k");
    cr_assert_eq(entry_deadline(find(&f, 0, "k", 0)), NO_DEADLINE);
    store_policy(f.store)->expire_paused = false;
    cr_assert_eq(store_expire_due(f.store, NOW + 11, 100), 0);
    finish(&f);
}

Test(expiry, is_bounded_and_fair_among_databases)
{
    struct fixture f = start();
    char name[16];
    for (int db = 0; db < 4; db++)
        for (int i = 0; i < 1000; i++) {
            snprintf(name, sizeof(name), "k%d", i);
            set(&f, db, name, "v", NOW + i);
        }
    store_set_now(f.store, NOW + 100000);
    size_t removed_keys = store_expire_due(f.store, NOW + 100000, 400);
    cr_assert(removed_keys > 0 && removed_keys <= 400);
    cr_assert_leq(store_next_deadline(f.store), NOW + 100000);
    size_t rounds = 0;
    for (; store_next_deadline(f.store) <= NOW + 100000; rounds++) {
        size_t least = SIZE_MAX, most = 0;
        for (int db = 0; db < 4; db++) {
            size_t left = keyspace_count(store_keyspace(f.store, db));
            if (left < least) least = left;
            if (left > most) most = left;
        }
        cr_assert_leq(most - least, 100);
        store_expire_due(f.store, NOW + 100000, 400);
        cr_assert_lt(rounds, 1000);
    }
    cr_assert_eq(store_stats(f.store)->expired_keys, 4000);
    cr_assert_eq(store_next_deadline(f.store), INT64_MAX);
    finish(&f);
}

Test(expiry, goes_in_order_of_deadline)
{
    struct fixture f = start();
    set(&f, 0, "c", "v", NOW + 3000000);
    set(&f, 0, "a", "v", NOW + 1000);
    set(&f, 0, "b", "v", NOW + 20000);
    set(&f, 0, "later", "v", NOW + 90000000);
    listen(&f);
    store_set_now(f.store, NOW + 4000000);
    cr_assert_eq(store_expire_due(f.store, NOW + 4000000, 1000), 3);
    expect_told(&f,
                "0:DEL:a 0:expired:a 0:~:a 0:DEL:b 0:expired:b 0:~:b 0:DEL:c 0:expired:c 0:~:c");
    cr_assert_gt(store_next_deadline(f.store), NOW + 4000000);
    cr_assert_leq(store_next_deadline(f.store), NOW + 90000001);
    finish(&f);
}

Test(expiry, follows_a_deadline_that_was_moved)
{
    struct fixture f = start();
    struct key k = key_of(&f, "k");
    set(&f, 0, "k", "v", NOW + 1000000);
    store_set_deadline(f.store, 0, &k, NOW + 100, NO_EVENT);
    cr_assert_leq(store_next_deadline(f.store), NOW + 101);
    store_set_deadline(f.store, 0, &k, NOW + 500000, NO_EVENT);
    cr_assert_eq(store_expire_due(f.store, NOW + 400000, 1000), 0);
    cr_assert_eq(store_expire_due(f.store, NOW + 500033, 1000), 1);
    finish(&f);
}

/* ---- whole tables ---------------------------------------------------------------------------- */

Test(store, flushes_swaps_and_replaces_whole_tables)
{
    const struct hash_secret secret = {1, 2};
    struct fixture f = start();
    set(&f, 0, "a", "0", TTL_CLEAR);
    set(&f, 0, "b", "0", TTL_CLEAR);
    set(&f, 1, "a", "1", NOW + 50);
    store_set_dirty(f.store, 0);
    listen(&f);

    store_swap(f.store, 0, 1);
    expect_told(&f, "0:replacing:2>1 1:replacing:1>2");
    cr_assert_eq(store_dirty(f.store), 1);
    expect_value(&f, 0, "a", "1");
    expect_value(&f, 1, "b", "0");

    store_flush(f.store, 2, false);
    expect_told(&f, "");
    store_flush(f.store, -1, true);
    expect_told(&f, "0:replacing:1>0 1:replacing:2>0");
    cr_assert_eq(store_dirty(f.store), 4);

    struct keyspace *fresh[4];
    for (int db = 0; db < 4; db++) fresh[db] = keyspace_new(&secret, NOW);
    struct key k = key_of(&f, "loaded");
    keyspace_insert(fresh[3], k.hash, entry_new_string(k.name, NOW + 7, SPAN("v"), false));
    store_replace_all(f.store, fresh);
    expect_told(&f, "0:replacing:0>0 1:replacing:0>0 2:replacing:0>0 3:replacing:0>1");
    expect_value(&f, 3, "loaded", "v");
    cr_assert_eq(store_dirty(f.store), 4);
    store_set_now(f.store, NOW + 40);
    cr_assert_leq(store_next_deadline(f.store), NOW + 40);
    cr_assert_eq(store_expire_due(f.store, NOW + 40, 100), 1);
    finish(&f);
}

static void reclaim_later(void *context, void (*free_it)(void *), void *it)
{
    struct fixture *fixture = context;
    cr_assert_lt(fixture->rubbish_count, 8);
    fixture->rubbish_free[fixture->rubbish_count] = free_it;
    fixture->rubbish[fixture->rubbish_count++] = it;
}

static void reclaim_now(struct fixture *fixture)
{
    for (int i = 0; i < fixture->rubbish_count; i++) fixture->rubbish_free[i](fixture->rubbish[i]);
    fixture->rubbish_count = 0;
}

Test(store, leaves_the_work_of_freeing_to_the_reclaimer)
{
    struct fixture f = start();
    struct key big = key_of(&f, "big");
    store_set_reclaimer(f.store, reclaim_later, &f);
    for (int round = 0; round < 2; round++) {
        store_edit_string(f.store, 0, &big, 8 << 20, fill_x, NULL, NO_EVENT);
        cr_assert(store_remove(f.store, 0, &big, round == 0 ? REMOVE_NOW : REMOVE_LAZY, NO_EVENT));
        cr_assert_eq(f.rubbish_count, round + 1);
    }
    cr_assert_eq(store_lazyfree_pending(f.store), 2);
    cr_assert_eq(store_stats(f.store)->lazyfreed_objects, 1);
    reclaim_now(&f);
    cr_assert_eq(store_lazyfree_pending(f.store), 0);

    for (int i = 0; i < 5000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "k%d", i);
        set(&f, i % 2, name, "v", TTL_CLEAR);
    }
    set(&f, 2, "small", "v", TTL_CLEAR);
    store_flush(f.store, -1, false);
    cr_assert_eq(f.rubbish_count, 2); /* the small one was freed at once */
    cr_assert_eq(store_lazyfree_pending(f.store), 5000);
    reclaim_now(&f);
    finish(&f);
}

/* ---- access clocks --------------------------------------------------------------------------- */

Test(access_clock, shows_idle_seconds)
{
    struct fixture f = start();
    set(&f, 0, "k", "v", TTL_CLEAR);
    store_set_now(f.store, NOW + 100999);
    cr_assert_eq(store_idle_seconds(f.store, find(&f, 0, "k", FIND_NO_TOUCH)), 100);
    find(&f, 0, "k", FIND_WRITE);
    cr_assert_eq(store_idle_seconds(f.store, find(&f, 0, "k", FIND_NO_TOUCH)), 100);
    cr_assert_eq(store_idle_seconds(f.store, find(&f, 0, "k", 0)), 0);
    store_set_now(f.store, NOW + 200000);
    set(&f, 0, "k", "w", TTL_CLEAR);
    cr_assert_eq(store_idle_seconds(f.store, find(&f, 0, "k", FIND_NO_TOUCH)), 0);
    finish(&f);
}

Test(access_clock, counts_accesses_logarithmically)
{
    struct fixture f = start();
    struct store_policy *policy = store_policy(f.store);
    policy->lfu = true;
    set(&f, 0, "k", "v", TTL_CLEAR);
    const struct entry *e = find(&f, 0, "k", FIND_NO_TOUCH);
    cr_assert_eq(store_frequency(f.store, e), 5);
    find(&f, 0, "k", 0); /* the first access always counts */
    cr_assert_eq(store_frequency(f.store, e), 6);
    set(&f, 0, "k", "w", TTL_CLEAR);
    cr_assert_leq(store_frequency(f.store, find(&f, 0, "k", FIND_NO_TOUCH)), 7);

    policy->lfu_log_factor = 0; /* every access counts, up to 255 */
    for (int i = 0; i < 300; i++) find(&f, 0, "k", 0);
    cr_assert_eq(store_frequency(f.store, find(&f, 0, "k", FIND_NO_TOUCH)), 255);

    store_set_now(f.store, NOW + 10 * 60000);
    e = find(&f, 0, "k", FIND_NO_TOUCH);
    cr_assert_eq(store_frequency(f.store, e), 245);
    policy->lfu_decay_time = 5;
    cr_assert_eq(store_frequency(f.store, e), 253);
    policy->lfu_decay_time = 0;
    cr_assert_eq(store_frequency(f.store, e), 255);
    finish(&f);
}

Test(access_clock, grows_at_the_rate_of_the_log_factor)
{
    /* redis.conf tells what 100 and 1000 hits make of a key at several factors. */
    const struct {
        int factor, hits;
        unsigned least, most;
    } cases[] = {{0, 100, 105, 105}, {1, 100, 14, 22},   {10, 100, 7, 13},
                 {1, 1000, 42, 58},  {10, 1000, 14, 22}, {100, 1000, 6, 12}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture f = start();
        store_policy(f.store)->lfu = true;
        store_policy(f.store)->lfu_log_factor = cases[i].factor;
        set(&f, 0, "k", "v", TTL_CLEAR);
        for (int hit = 0; hit < cases[i].hits; hit++) find(&f, 0, "k", 0);
        unsigned got = store_frequency(f.store, find(&f, 0, "k", FIND_NO_TOUCH));
        cr_assert(got >= cases[i].least && got <= cases[i].most, "case %zu: %u", i, got);
        finish(&f);
    }
}

Test(access_clock, goes_along_with_a_moved_key_and_not_with_a_copied_one)
{
    struct fixture f = start();
    store_policy(f.store)->lfu = true;
    struct key a = key_of(&f, "a"), b = key_of(&f, "b"), c = key_of(&f, "c");
    set(&f, 0, "a", "v", TTL_CLEAR);
    store_set_clock(f.store, 0, &a, access_clock_of_frequency(NOW, 255));
    store_move(f.store, 0, &a, 0, &b, NO_EVENT, NO_EVENT);
    const struct entry *e = find(&f, 0, "b", FIND_NO_TOUCH);
    cr_assert_eq(store_frequency(f.store, e), 255);
    store_put_entry(f.store, 0, &c, entry_copy(e, c.name, NO_DEADLINE), NO_EVENT);
    cr_assert_eq(store_frequency(f.store, find(&f, 0, "c", FIND_NO_TOUCH)), 5);
    finish(&f);
}

/* ---- against the model ----------------------------------------------------------------------- */

static struct world world; /* too large for a stack */

static void expect_agreement(uint64_t seed, int steps)
{
    struct choices choices = {.from_bytes = false};
    random_seed(&choices.random, seed);
    world_start(&world, choices);
    for (int step = 0; step < steps; step++) {
        world_step(&world);
        cr_assert_null(world.broken, "seed %zu step %d: %s", (size_t)seed, step, world.broken);
        if (step % 100 == 0) cr_assert(model_agrees(&world.model, world.store), "step %d", step);
    }
    cr_assert(model_agrees(&world.model, world.store));
}

Test(store_model, agrees_with_the_store_whatever_happens)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        expect_agreement(seed, 5000);
        world_end(&world);
    }
}

Test(store_model, notices_a_store_that_differs)
{
    expect_agreement(6, 2000);
    struct spot spot;
    world_spot(&world, 0, 3, &spot);
    step_put_int64(&world, &spot);
    cr_assert(model_agrees(&world.model, world.store));

    spot.slot->value->bytes[0] ^= 1; /* a byte */
    cr_assert_not(model_agrees(&world.model, world.store));
    spot.slot->value->bytes[0] ^= 1;
    spot.slot->deadline++; /* a millisecond */
    cr_assert_not(model_agrees(&world.model, world.store));
    spot.slot->deadline--;
    struct key ghost = store_key(world.store, SPAN("ghost")); /* a key too many */
    store_put_int64(world.store, 1, &ghost, 1, TTL_CLEAR, NO_EVENT);
    cr_assert_not(model_agrees(&world.model, world.store));
    store_remove(world.store, 1, &ghost, REMOVE_NOW, NO_EVENT);
    cr_assert(model_agrees(&world.model, world.store));
    store_remove(world.store, 0, &spot.key, REMOVE_NOW, NO_EVENT); /* one too few */
    cr_assert_not(model_agrees(&world.model, world.store));
    world_end(&world);
}
