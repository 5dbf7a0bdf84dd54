/* Expiry: who may see a key past its deadline, who deletes it, when, and how much at a time. */
#include "store/store_fixture.h"

static void start_with_expired(struct fixture *f)
{
    *f = start();
    set(f, 0, "k", "v", NOW + 10);
    store_set_now(f->store, NOW + 11);
    store_set_dirty(f->store, 0);
    write_down(f);
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
    cr_assert_not_null(find(&f, 0, "k", FIND_EXPIRED));
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
    write_down(&f);
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
