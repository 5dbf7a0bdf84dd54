/* Snapshots' promises: exactly what was there at the start, whatever is written meanwhile. */
#include "store/store_model.h"
#include <criterion/criterion.h>

static struct world world; /* too large for a stack */

static void start(uint64_t seed)
{
    struct choices choices = {.from_bytes = false};
    random_seed(&choices.random, seed);
    world_start(&world, choices);
}

static void put(int db, int id, size_t len)
{
    struct spot spot;
    struct model_value *value = model_value_new(len);
    world_spot(&world, db, id, &spot);
    memset(value->bytes, 'a' + id % 26, len);
    store_put_string(world.store, db, &spot.key, span_of(value->bytes, len), TTL_KEEP, NO_EVENT);
    model_put(&world.model, db, id, value, NO_DEADLINE);
}

static void fill(int db, int from, int to)
{
    for (int id = from; id < to; id++) put(db, id, 16);
}

static void take_out(int db, int id)
{
    struct spot spot;
    world_spot(&world, db, id, &spot);
    step_remove(&world, &spot);
}

static struct witness *witness(int i)
{
    cr_assert(witness_start(&world, &world.witnesses[i]));
    return &world.witnesses[i];
}

static void walk_to_end(struct witness *witness)
{
    while (!snapshot_walk(witness->snapshot, 100, 3)) {}
}

static void expect_promised(struct witness *witness)
{
    walk_to_end(witness);
    cr_assert(witness_agrees(witness));
    witness_end(witness);
}

Test(snapshot, of_nothing_is_done_at_once)
{
    start(1);
    struct witness *w = witness(0);
    cr_assert(snapshot_walk(w->snapshot, 1, 1));
    fill(0, 0, 100);
    cr_assert_eq(w->records.len, 0);
    expect_promised(w);
    world_end(&world);
}

Test(snapshot, holds_every_entry_once_when_nothing_happens)
{
    start(1);
    fill(0, 0, 500);
    fill(2, 100, 300);
    struct witness *w = witness(0);
    const struct snapshot_figures *figures = snapshot_figures(w->snapshot);
    cr_assert_eq(figures->keys_total, 700);
    cr_assert_eq(figures->keys_per_db[0], 500);
    cr_assert_eq(figures->keys_per_db[1], 0);
    cr_assert_eq(figures->keys_per_db[2], 200);
    walk_to_end(w);
    cr_assert_eq(figures->keys_taken, 700);
    cr_assert_eq(figures->door_bytes, 0);
    cr_assert_eq(figures->bytes, w->records.len);
    expect_promised(w);
    world_end(&world);
}

Test(snapshot, does_not_see_what_comes_goes_or_changes_later)
{
    start(1);
    fill(0, 0, 300);
    struct witness *w = witness(0);
    fill(0, 300, 500);                               /* new */
    for (int id = 0; id < 100; id++) put(0, id, 40); /* changed */
    for (int id = 100; id < 200; id++) take_out(0, id);
    cr_assert_gt(snapshot_figures(w->snapshot)->door_bytes, 0);
    snapshot_walk(w->snapshot, SIZE_MAX, 5);
    for (int id = 200; id < 250; id++) put(0, id, 60);
    fill(1, 0, 50); /* a database that was empty */
    expect_promised(w);
    world_end(&world);
}

Test(snapshot, survives_growth_and_shrinking)
{
    start(1);
    fill(0, 0, 60);
    struct witness *w = witness(0);
    fill(0, 60, 700);
    snapshot_walk(w->snapshot, SIZE_MAX, 2);
    for (int id = 0; id < 700; id++) take_out(0, id);
    snapshot_walk(w->snapshot, SIZE_MAX, 1);
    fill(0, 0, 700);
    expect_promised(w);
    world_end(&world);
}

/* Buckets that nobody has taken yet are merged. */
Test(snapshot, survives_shrinking_before_it_was_walked)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        start(seed);
        fill(0, 0, 700);
        struct witness *w = witness(0);
        size_t buckets = table_buckets(store_keyspace(world.store, 0)->table);
        for (int id = 0; id < 600; id++) take_out(0, id);
        cr_assert_lt(table_buckets(store_keyspace(world.store, 0)->table), buckets / 2);
        expect_promised(w);
        world_end(&world);
    }
}

Test(snapshot, sees_no_change_in_reads)
{
    start(1);
    fill(0, 0, 200);
    struct witness *w = witness(0);
    world.now_ms += 5000;
    store_set_now(world.store, world.now_ms);
    for (int id = 0; id < 200; id++) {
        struct spot spot;
        world_spot(&world, 0, id, &spot);
        cr_assert_not_null(store_find(world.store, 0, &spot.key, 0));
        store_set_clock(world.store, 0, &spot.key, 7);
    }
    cr_assert_eq(snapshot_figures(w->snapshot)->keys_taken, 0);
    cr_assert_eq(w->records.len, 0);
    expect_promised(w);
    world_end(&world);
}

Test(snapshot, walks_flushed_swapped_and_replaced_tables_to_their_end)
{
    start(1);
    fill(0, 0, 200);
    fill(1, 50, 90);
    struct witness *w = witness(0), *later = witness(1);
    snapshot_walk(w->snapshot, SIZE_MAX, 3);
    store_swap(world.store, 0, 1);
    for (int id = 0; id < MODEL_KEYS; id++) {
        struct model_slot kept = world.model.slots[0][id];
        world.model.slots[0][id] = world.model.slots[1][id];
        world.model.slots[1][id] = kept;
    }
    fill(1, 0, 250);
    snapshot_walk(later->snapshot, SIZE_MAX, 3);
    step_flush(&world, -1);
    fill(0, 0, 20);
    step_replace_all(&world);
    expect_promised(w);
    fill(0, 100, 120);
    expect_promised(later);
    cr_assert(model_agrees(&world.model, world.store));
    world_end(&world);
}

Test(snapshot, comes_four_at_a_time_each_with_its_own_moment)
{
    start(1);
    for (int i = 0; i < SNAPSHOTS_MAX; i++) {
        fill(0, i * 100, i * 100 + 100);
        for (int id = 0; id < i * 100; id++) put(0, id, (size_t)(20 + i));
        witness(i);
        snapshot_walk(world.witnesses[i].snapshot, SIZE_MAX, 2);
    }
    struct snapshot_sink sink = {witness_append, NULL};
    cr_assert_null(snapshot_start(world.store, &sink));
    for (int id = 0; id < 400; id += 2) put(0, id, 30);
    expect_promised(&world.witnesses[2]);
    for (int id = 0; id < 400; id += 3) take_out(0, id);
    expect_promised(&world.witnesses[0]);
    witness(0); /* a place is free again */
    fill(0, 400, 500);
    expect_promised(&world.witnesses[3]);
    expect_promised(&world.witnesses[1]);
    expect_promised(&world.witnesses[0]);
    world_end(&world);
}

Test(snapshot, may_end_at_any_point)
{
    start(1);
    fill(0, 0, 300);
    struct witness *first = witness(0), *second = witness(1);
    snapshot_walk(first->snapshot, SIZE_MAX, 3);
    put(0, 5, 20);
    witness_end(first);
    put(0, 6, 20);
    fill(0, 300, 600);
    expect_promised(second);
    cr_assert_null(store_keyspace(world.store, 0)->observer);
    cr_assert_eq(store_keyspace(world.store, 0)->holders, 1);
    world_end(&world);
}

Test(snapshot, keeps_to_its_budget)
{
    start(1);
    for (int id = 0; id < 700; id++) put(0, id, 500);
    struct witness *w = witness(0);
    size_t before = 0;
    for (bool done = false; !done;) {
        done = snapshot_walk(w->snapshot, 1000, SIZE_MAX);
        /* One bucket may go beyond; a chain holds a few dozen entries at the very most. */
        cr_assert_leq(w->records.len - before, 1000 + 40 * 600);
        cr_assert(done || w->records.len > before || w->records.len == 0);
        before = w->records.len;
    }
    expect_promised(w);
    world_end(&world);
}

/* ---- big values ------------------------------------------------------------------------------ */

#define BIG (200 * 1024)

static struct snapshot_record *only_record(const struct witness *witness)
{
    struct snapshot_record *record = (void *)witness->records.ptr;
    cr_assert_eq(witness->records.len, record->bytes);
    return record;
}

Test(snapshot, leases_big_values_instead_of_copying_them)
{
    start(1);
    put(0, 1, BIG);
    struct witness *w = witness(0);
    walk_to_end(w);
    cr_assert_eq(only_record(w)->leased, 1);
    cr_assert_lt(w->records.len, 100);
    cr_assert_eq(snapshot_figures(w->snapshot)->leases, 1);
    expect_promised(w);
    world_end(&world);
}

Test(snapshot, lets_go_of_a_leased_value_without_waiting)
{
    start(1);
    for (int id = 0; id < 4; id++) put(0, id, BIG);
    struct witness *w = witness(0);
    walk_to_end(w);
    take_out(0, 0); /* DEL */
    put(0, 1, 10);  /* overwrite */
    step_flush(&world, 0);
    walk_to_end(w);
    cr_assert(witness_agrees(w)); /* reads the values, then frees them */
    world_end(&world);
}

Test(snapshot, outlives_its_end_with_its_leases)
{
    start(1);
    put(0, 1, BIG);
    struct witness *w = witness(0);
    walk_to_end(w);
    snapshot_end(w->snapshot);
    take_out(0, 1);
    cr_assert(witness_agrees(w));
    w->snapshot = NULL;
    buf_release(&w->records);
    world_end(&world);
}

static uint64_t change_first_byte(void *context, char *bytes, size_t len)
{
    (void)context, (void)len;
    bytes[0] = '!';
    return 1;
}

Test(snapshot, makes_changes_in_place_wait_until_the_lease_ends)
{
    start(1);
    struct spot big, small;
    put(0, 1, BIG);
    put(0, 2, 100);
    world_spot(&world, 0, 1, &big);
    world_spot(&world, 0, 2, &small);
    cr_assert_not(store_would_wait(world.store, 0, &big.key));
    struct witness *w = witness(0);
    cr_assert_not(store_would_wait(world.store, 0, &small.key));
    cr_assert(store_would_wait(world.store, 0, &big.key)); /* takes the bucket, so the lease runs */
    cr_assert_eq(snapshot_figures(w->snapshot)->leases, 1);
    cr_assert(witness_read(w));
    cr_assert_not(store_would_wait(world.store, 0, &big.key));
    store_edit_string(world.store, 0, &big.key, BIG, change_first_byte, NULL, NO_EVENT);
    cr_assert_eq(store_stats(world.store)->leases_encoded_at_once, 0);
    expect_promised(w);
    world_end(&world);
}

Test(snapshot, gets_its_own_copy_where_a_change_cannot_wait)
{
    start(1);
    struct spot big;
    put(0, 1, BIG);
    world_spot(&world, 0, 1, &big);
    struct witness *w = witness(0);
    store_edit_string(world.store, 0, &big.key, BIG, change_first_byte, NULL, NO_EVENT);
    cr_assert_eq(snapshot_figures(w->snapshot)->leases_encoded_at_once, 1);
    cr_assert_eq(store_stats(world.store)->leases_encoded_at_once, 1);
    expect_promised(w); /* the value before the change */
    char scratch[NUM_INT64_CHARS];
    const struct entry *e = store_find(world.store, 0, &big.key, 0);
    cr_assert_eq(entry_string(e, scratch).ptr[0], '!');
    world_end(&world);
}

/* ---- the checker ----------------------------------------------------------------------------- */

Test(snapshot_witness, notices_records_that_differ_are_missing_or_too_many)
{
    start(1);
    fill(0, 0, 50);
    for (int fault = 0; fault < 5; fault++) {
        struct witness *w = witness(0);
        walk_to_end(w);
        struct snapshot_record *first = (void *)w->records.ptr;
        size_t bytes = first->bytes;
        if (fault == 1) buf_append(&w->records, w->records.ptr, bytes); /* twice */
        if (fault == 2) buf_drop_front(&w->records, bytes);             /* missing */
        if (fault == 3) ((char *)first)[entry_bytes(snapshot_record_entry(first)) + 15] ^= 1;
        if (fault == 4) first->db = 1;
        cr_assert_eq(witness_agrees(w), fault == 0, "fault %d", fault);
        witness_end(w);
    }
    world_end(&world);
}
