/* The store's promises: what the door tells, whole tables, freeing; and all of it against the model. */
#include "store/store_fixture.h"

/* ---- the door -------------------------------------------------------------------------------- */

Test(store, counts_and_tells_each_write_once_in_order)
{
    struct fixture f = start();
    write_down(&f);
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
    write_down(&f);
    store_put_string(f.store, 0, &k, SPAN("w"), TTL_CLEAR, NO_EVENT);
    expect_told(&f, "0:~:k");
    finish(&f);
}

Test(store, tells_of_a_result_that_it_is_new_only_where_nothing_was)
{
    struct fixture f = start();
    struct key k = key_of(&f, "k");
    const struct event stored = EVENT(EVENT_SET, "sunionstore"), copied = EVENT(EVENT_GENERIC, "c");
    write_down(&f);
    for (int i = 0; i < 2; i++) {
        store_put_result(f.store, 0, &k, entry_new_int64(k.name, NO_DEADLINE, i), stored);
        expect_told(&f, i == 0 ? "0:~:k 0:new:k 0:sunionstore:k" : "0:~:k 0:sunionstore:k");
    }
    store_put_entry(f.store, 0, &k, entry_new_int64(k.name, NO_DEADLINE, 2), copied);
    expect_told(&f, "0:~:k 0:new:k 0:c:k");
    expect_value(&f, 0, "k", "2");
    cr_assert_eq(store_dirty(f.store), 3);
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
    write_down(&f);
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

/* ---- whole tables ---------------------------------------------------------------------------- */

Test(store, flushes_swaps_and_replaces_whole_tables)
{
    const struct hash_secret secret = {1, 2};
    struct fixture f = start();
    set(&f, 0, "a", "0", TTL_CLEAR);
    set(&f, 0, "b", "0", TTL_CLEAR);
    set(&f, 1, "a", "1", NOW + 50);
    store_set_dirty(f.store, 0);
    write_down(&f);

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

    store_edit_string(f.store, 0, &big, 8 << 20, fill_x, NULL, NO_EVENT);
    store_flush(f.store, -1, false);
    cr_assert_eq(f.rubbish_count, 1); /* a small one with a big value */
    reclaim_now(&f);
    cr_assert_eq(store_stats(f.store)->reclaimed_objects, 5003);
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
