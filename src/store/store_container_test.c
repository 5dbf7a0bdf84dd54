/* Containers behind the door, with hashes as the example: edits, snapshots beside them, and what happens
 * to keys of any type. */
#include "store/digest.h"
#include "store/hash.h"
#include "store/snapshot.h"
#include "store/store_fixture.h"

static struct fixture f;
static struct buf records;

static void begin(void)
{
    f = start();
    write_down(&f);
}

static void end(void)
{
    buf_release(&records);
    finish(&f);
}

TestSuite(containers, .init = begin, .fini = end);

/* ---- short words -------------------------------------------------------------------------------- */

static struct store_edit open_hash(const char *name)
{
    static struct key key; /* borrowed by the edit */
    struct store_edit edit;
    key = key_of(&f, name);
    store_edit_open(f.store, 0, &key, TYPE_HASH, &edit);
    return edit;
}

static void edit_put(struct store_edit *edit, const char *field, struct span value)
{
    bool added;
    edit->entry =
        hash_put(edit->entry, span_of_cstr(field), value, store_settings(f.store), &added);
}

static bool close_as_set(struct store_edit *edit, uint64_t changes)
{
    return store_edit_close(edit, changes, EVENT(EVENT_HASH, "hset"));
}

static void hset(const char *name, const char *field, const char *value)
{
    struct store_edit edit = open_hash(name);
    edit_put(&edit, field, span_of_cstr(value));
    cr_assert(close_as_set(&edit, 1));
}

/* A hash of `fields` fields f0, f1, ..., each with `bytes` bytes of value. */
static void fill(const char *name, unsigned fields, size_t bytes)
{
    struct store_edit edit = open_hash(name);
    char field[16], *value = mem_zalloc(bytes);
    for (unsigned i = 0; i < fields; i++) {
        snprintf(field, sizeof field, "f%u", i);
        edit_put(&edit, field, span_of(value, bytes));
    }
    cr_assert(close_as_set(&edit, fields));
    mem_free(value);
    buf_clear(&f.told);
}

static const struct entry *hash_at(const char *name)
{
    return find(&f, 0, name, FIND_NO_STATS | FIND_NO_EVENT | FIND_NO_TOUCH);
}

static void expect_field(const char *name, const char *field, const char *expected)
{
    char digits[NUM_INT64_CHARS];
    struct span value = SPAN("");
    const struct entry *e = hash_at(name);
    cr_assert_not_null(e);
    cr_assert_eq(hash_get(e, span_of_cstr(field), digits, &value), expected != NULL);
    if (expected != NULL) cr_assert(span_equal(value, span_of_cstr(expected)));
}

/* ---- edits -------------------------------------------------------------------------------------- */

Test(containers, an_edit_counts_and_tells_once)
{
    struct store_edit edit = open_hash("h");
    cr_assert(edit.is_new);
    edit_put(&edit, "a", SPAN("1"));
    edit_put(&edit, "b", SPAN("2"));
    cr_assert(close_as_set(&edit, 2));
    cr_assert_eq(store_dirty(f.store), 2);
    expect_told(&f, "0:~:h 0:new:h 0:hash:h 0:hset:h");
    hset("h", "a", "3");
    cr_assert_eq(store_dirty(f.store), 3);
    expect_told(&f, "0:~:h 0:hset:h");
    expect_field("h", "a", "3");
    expect_field("h", "b", "2");
}

Test(containers, an_edit_without_change_leaves_nothing_behind)
{
    struct store_edit edit = open_hash("h");
    cr_assert_not(close_as_set(&edit, 0));
    cr_assert_null(hash_at("h"));
    hset("h", "a", "1");
    buf_clear(&f.told);
    edit = open_hash("h");
    cr_assert(close_as_set(&edit, 0));
    expect_told(&f, "");
    cr_assert_eq(store_dirty(f.store), 1);
}

Test(containers, the_last_element_takes_the_key_along)
{
    static const struct {
        size_t value_bytes;
        enum encoding encoding;
    } forms[] = {{1, ENC_LISTPACK}, {100, ENC_HASH_PACK}, {10000, ENC_HASH_TABLE}};
    static const char value[10000];
    bool removed;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct store_edit edit = open_hash("h");
        edit_put(&edit, "a", span_of(value, forms[i].value_bytes));
        cr_assert(close_as_set(&edit, 1));
        cr_assert_eq(entry_encoding(hash_at("h")), forms[i].encoding);
        buf_clear(&f.told);
        edit = open_hash("h");
        edit.entry = hash_remove(edit.entry, SPAN("a"), &removed);
        cr_assert(removed);
        cr_assert_not(store_edit_close(&edit, 1, EVENT(EVENT_HASH, "hdel")));
        expect_told(&f, "0:~:h 0:hdel:h 0:del:h");
        cr_assert_null(hash_at("h"));
    }
}

Test(containers, a_deadline_survives_every_change_of_form)
{
    const int64_t deadline = NOW + 100000;
    hset("h", "a", "1");
    struct key key = key_of(&f, "h");
    store_set_deadline(f.store, 0, &key, deadline, NO_EVENT);
    cr_assert_eq(entry_deadline(hash_at("h")), deadline);
    fill("h", 30, 20); /* its entry moves */
    cr_assert_eq(entry_encoding(hash_at("h")), ENC_LISTPACK);
    cr_assert_eq(entry_deadline(hash_at("h")), deadline);
    fill("h", 700, 20);
    cr_assert_eq(entry_encoding(hash_at("h")), ENC_HASH_TABLE);
    cr_assert_eq(entry_deadline(hash_at("h")), deadline);
    store_set_now(f.store, deadline + 1);
    cr_assert_null(hash_at("h"));
    cr_assert_eq(store_stats(f.store)->expired_keys, 1);
}

Test(containers, an_edit_of_an_expired_key_begins_anew)
{
    fill("h", 700, 20);
    struct key key = key_of(&f, "h");
    store_set_deadline(f.store, 0, &key, NOW + 1, NO_EVENT);
    store_set_now(f.store, NOW + 2);
    buf_clear(&f.told);
    hset("h", "a", "1");
    expect_told(&f, "0:DEL:h 0:expired:h 0:~:h 0:~:h 0:new:h 0:hash:h 0:hset:h");
    cr_assert_eq(hash_count(hash_at("h")), 1);
    cr_assert_eq(entry_deadline(hash_at("h")), NO_DEADLINE);
}

/* ---- keys that hold them ------------------------------------------------------------------------ */

Test(containers, are_copied_in_depth_and_moved_as_they_are)
{
    struct key copy = key_of(&f, "copy"), moved = key_of(&f, "moved"), h = key_of(&f, "h");
    fill("h", 700, 20);
    const void *value = entry_pointer(hash_at("h"));
    store_put_entry(f.store, 0, &copy, entry_copy(hash_at("h"), copy.name, NO_DEADLINE), NO_EVENT);
    store_move(f.store, 0, &h, 1, &moved, NO_EVENT, NO_EVENT);
    const struct entry *e = find(&f, 1, "moved", FIND_NO_STATS);
    cr_assert_eq(entry_pointer(e), value, "moving changes nothing but the key");
    cr_assert_neq(entry_pointer(hash_at("copy")), value);
    hset("copy", "f0", "changed");
    expect_field("copy", "f0", "changed");
    cr_assert_eq(hash_count(e), 700);
    cr_assert_null(hash_at("h"));
}

Test(containers, take_what_memory_usage_says)
{
    fill("h", 700, 20);
    size_t before = entry_memory(hash_at("h"));
    char value[1000] = "";
    struct store_edit edit = open_hash("h");
    edit_put(&edit, "f0", span_of(value, sizeof value));
    cr_assert(close_as_set(&edit, 1));
    cr_assert_eq(entry_memory(hash_at("h")), before - 32 + 1024);
}

static void reclaim_later(void *context, void (*free_it)(void *), void *it)
{
    struct fixture *fixture = context;
    cr_assert_lt(fixture->rubbish_count, 8);
    fixture->rubbish_free[fixture->rubbish_count] = free_it;
    fixture->rubbish[fixture->rubbish_count++] = it;
}

Test(containers, of_many_elements_are_freed_elsewhere)
{
    struct key key = key_of(&f, "h");
    store_set_reclaimer(f.store, reclaim_later, &f);
    fill("h", 60, 500); /* a table of little effort */
    cr_assert_eq(entry_encoding(hash_at("h")), ENC_HASH_TABLE);
    store_remove(f.store, 0, &key, REMOVE_LAZY, NO_EVENT);
    cr_assert_eq(f.rubbish_count, 0);
    fill("h", 65, 500);
    store_remove(f.store, 0, &key, REMOVE_LAZY, NO_EVENT);
    cr_assert_eq(f.rubbish_count, 1);
    fill("h", 65, 500);
    store_put_string(f.store, 0, &key, SPAN("overwritten"), TTL_CLEAR, NO_EVENT);
    cr_assert_eq(f.rubbish_count, 2);
    cr_assert_eq(store_lazyfree_pending(f.store), 2);
    for (int i = 0; i < f.rubbish_count; i++) f.rubbish_free[i](f.rubbish[i]);
    cr_assert_eq(store_lazyfree_pending(f.store), 0);
    f.rubbish_count = 0;
}

/* ---- snapshots ---------------------------------------------------------------------------------- */

static void append(void *context, const void *ptr, size_t len)
{
    (void)context;
    buf_append(&records, ptr, len);
}

static struct snapshot *snapshot(void)
{
    struct snapshot_sink sink = {append, NULL};
    struct snapshot *made = snapshot_start(f.store, &sink);
    cr_assert_not_null(made);
    return made;
}

static void walk_to_end(struct snapshot *snapshot)
{
    while (!snapshot_walk(snapshot, 1000, 1)) {}
}

/* The one record that a snapshot of one key has appended. */
static const struct snapshot_record *only_record(void)
{
    const struct snapshot_record *record = (const void *)records.ptr;
    cr_assert_eq(record->bytes, records.len);
    return record;
}

struct figure {
    unsigned char bytes[DIGEST_BYTES];
};

static struct figure figure_of(const struct entry *e)
{
    struct figure figure = {{0}};
    hash_container.digest(e, figure.bytes);
    return figure;
}

/* The record holds a hash with this digest; a lease of it ends. */
static void expect_recorded(const struct snapshot_record *record, struct figure expected)
{
    const struct entry *copied = snapshot_record_entry(record);
    struct rdb_writer writer;
    struct rdb_reader reader;
    struct entry *read = NULL;
    const struct value_target target = {SPAN("read"), NO_DEADLINE, store_settings(f.store)};

    rdb_writer_init(&writer, true, false);
    if (record->body_bytes > 0) value_rdb_write_flat(&writer, copied, snapshot_record_body(record));
    else value_rdb_write(&writer, copied);
    if (record->leased) snapshot_release_lease(copied, f.store);
    rdb_reader_init_span(&reader, buf_span(&writer.out));
    cr_assert_eq(value_rdb_read(&reader, value_rdb_type(copied), &target, &read), OK);
    struct figure found = figure_of(read);
    cr_assert_arr_eq(found.bytes, expected.bytes, DIGEST_BYTES);
    entry_free(read);
    rdb_reader_release(&reader);
    rdb_writer_release(&writer);
}

/* A snapshot of one hash, which is changed as soon as the snapshot has begun. */
static const struct snapshot_record *record_of_changed(unsigned fields, size_t bytes,
                                                       struct figure *figure)
{
    fill("h", fields, bytes);
    *figure = figure_of(hash_at("h"));
    struct snapshot *running = snapshot();
    hset("h", "f0", "changed");
    hset("h", "new", "1");
    walk_to_end(running);
    snapshot_end(running);
    expect_field("h", "f0", "changed");
    return only_record();
}

Test(containers, small_ones_stand_in_a_snapshots_record)
{
    struct figure figure;
    const struct snapshot_record *record = record_of_changed(20, 30, &figure);
    cr_assert(!record->leased && record->body_bytes == 0);
    expect_recorded(record, figure);
}

Test(containers, tables_up_to_64_kb_are_copied_as_bodies)
{
    struct figure figure;
    const struct snapshot_record *record = record_of_changed(700, 80, &figure);
    cr_assert(!record->leased);
    cr_assert_gt(record->body_bytes, 700 * 80);
    cr_assert_eq(store_stats(f.store)->leases_encoded_at_once, 0);
    expect_recorded(record, figure);
}

Test(containers, larger_ones_are_leased_and_a_change_that_cannot_wait_gets_a_copy)
{
    struct figure figure;
    const struct snapshot_record *record = record_of_changed(2000, 80, &figure);
    cr_assert(record->leased && record->body_bytes == 0);
    cr_assert_lt(records.len, 100);
    cr_assert_eq(store_stats(f.store)->leases_encoded_at_once, 1);
    expect_recorded(record, figure);
}

Test(containers, a_change_may_wait_for_the_lease_to_end)
{
    fill("h", 2000, 80);
    struct figure figure = figure_of(hash_at("h"));
    struct key key = key_of(&f, "h");
    cr_assert_not(store_may_lease(f.store));
    struct snapshot *running = snapshot();
    const void *value = entry_pointer(hash_at("h"));
    cr_assert(store_may_lease(f.store));
    cr_assert(store_would_wait(f.store, 0, &key));
    cr_assert(store_would_wait(f.store, 0, &key));
    expect_recorded(only_record(), figure);
    cr_assert_not(store_would_wait(f.store, 0, &key));
    hset("h", "f0", "changed");
    cr_assert_eq(entry_pointer(hash_at("h")), value);
    cr_assert_eq(store_stats(f.store)->leases_encoded_at_once, 0);
    snapshot_end(running);
}

Test(containers, leased_ones_may_go_at_any_time)
{
    fill("h", 2000, 80);
    struct figure figure = figure_of(hash_at("h"));
    struct key key = key_of(&f, "h");
    struct snapshot *running = snapshot();
    walk_to_end(running);
    store_remove(f.store, 0, &key, REMOVE_NOW, NO_EVENT);
    snapshot_end(running);
    cr_assert(store_may_lease(f.store)); /* what it leased outlives it */
    expect_recorded(only_record(), figure);
    cr_assert_not(store_may_lease(f.store));
}

Test(containers, a_snapshot_keeps_what_an_edit_removes)
{
    bool removed;
    fill("h", 1, 5);
    struct figure figure = figure_of(hash_at("h"));
    struct snapshot *running = snapshot();
    struct store_edit edit = open_hash("h");
    edit.entry = hash_remove(edit.entry, SPAN("f0"), &removed);
    cr_assert_not(store_edit_close(&edit, 1, NO_EVENT));
    walk_to_end(running);
    snapshot_end(running);
    expect_recorded(only_record(), figure);
}

Test(containers, elements_are_loaded_ahead_where_they_are_many)
{
    fill("big", 9000, 1);
    fill("small", 5, 1);
    fill("middle", 1000, 1);
    set(&f, 0, "text", "x", TTL_CLEAR);
    const struct table *elements = store_guess_elements(f.store, 0, key_of(&f, "big").hash);
    cr_assert_not_null(elements);
    cr_expect_eq(table_count(elements), 9000);
    /* Its hashes are those of keys. */
    cr_expect_not_null(table_guess(elements, key_of(&f, "f17").hash));
    cr_expect_null(store_guess_elements(f.store, 0, key_of(&f, "small").hash));
    cr_expect_null(store_guess_elements(f.store, 0, key_of(&f, "middle").hash));
    cr_expect_null(store_guess_elements(f.store, 0, key_of(&f, "text").hash));
    cr_expect_null(store_guess_elements(f.store, 0, key_of(&f, "nothing").hash));
    cr_expect_null(store_guess_elements(f.store, 1, key_of(&f, "big").hash));
}
