/* Defragmentation: whatever moves, the data is the same, and its structures are whole. */
#include "store/defrag.h"
#include "store/hash.h"
#include "store/list.h"
#include "store/set_inside.h"
#include "store/snapshot.h"
#include "store/store_fixture.h"
#include "store/stream.h"
#include "store/zset_inside.h"

#define ELEMENTS 3000

static struct fixture f;
static struct mem_mover mover;

static void begin(void)
{
    f = start();
    write_down(&f);
    memset(&mover, 0, sizeof mover);
    mem_mover_want_all(&mover);
}

static void end(void)
{
    finish(&f);
}

TestSuite(defrag, .init = begin, .fini = end);

/* ---- values of every kind ------------------------------------------------------------------------ */

static struct entry *add_element(struct entry *e, unsigned number)
{
    const struct value_settings *settings = store_settings(f.store);
    char text[40];
    bool added;
    struct span name = span_of(
        text, (size_t)snprintf(text, sizeof text, "element:%u:%x", number, number * 2654435761u));
    struct span pair[] = {SPAN("name"), name};

    switch (entry_type(e)) {
    case TYPE_HASH: return hash_put(e, name, name, settings, &added);
    case TYPE_SET: return set_add(e, name, settings, &added);
    case TYPE_LIST: return list_push(e, settings, QUICKLIST_TAIL, name);
    case TYPE_STREAM: {
        struct stream *stream = stream_edit(e);
        struct stream_id id = {number + 1, 0};
        stream_append(stream, settings, id, pair, 1);
        struct stream_group *group = stream_group(stream, SPAN("g"));
        if (group == NULL) group = stream_group_new(stream, SPAN("g"), STREAM_ID_MIN, 0);
        struct stream_consumer *consumer = stream_consumer(group, SPAN("c"));
        if (consumer == NULL) consumer = stream_consumer_new(stream, group, SPAN("c"), NOW);
        stream_deliver(stream, group, consumer, id, NOW);
        return e;
    }
    case TYPE_ZSET: {
        struct zset_outcome outcome;
        return zset_add(e, name, number * 7919 % ELEMENTS, 0, settings, &outcome);
    }
    default: cr_assert_fail(); return e;
    }
}

static void make(const char *name, enum value_type type, unsigned elements)
{
    struct key key = key_of(&f, name);
    struct store_edit edit;
    store_edit_open(f.store, 0, &key, type, &edit);
    for (unsigned i = 0; i < elements; i++) edit.entry = add_element(edit.entry, i);
    cr_assert(store_edit_close(&edit, elements, NO_EVENT));
}

/* The value as an RDB body. */
static struct buf body_of(const char *name)
{
    struct rdb_writer writer;
    rdb_writer_init(&writer, false, false);
    value_rdb_write(&writer, find(&f, 0, name, FIND_NO_EVENT));
    return writer.out;
}

static void check_value(const struct entry *e)
{
    if (!entry_has_pointer(e)) return;
    switch (entry_type(e)) {
    case TYPE_SET: string_table_check(set_members(e)); break;
    case TYPE_LIST: cr_assert(quicklist_check(list_quicklist(e))); break;
    case TYPE_STREAM: stream_check(stream_of(e)); break;
    case TYPE_ZSET:
        string_table_check(&zset_big_of(e)->members);
        sorted_index_check(&zset_big_of(e)->order);
        break;
    default: break;
    }
}

/* One walk; the number of steps. */
static unsigned walk(size_t elements_max)
{
    unsigned steps = 1;
    while (store_defrag_step(f.store, &mover, elements_max)) steps++;
    return steps;
}

static const struct {
    const char *name;
    enum value_type type;
} kinds[] = {{"hash", TYPE_HASH},
             {"set", TYPE_SET},
             {"list", TYPE_LIST},
             {"stream", TYPE_STREAM},
             {"zset", TYPE_ZSET}};
#define KINDS (sizeof kinds / sizeof *kinds)

/* ---- tests --------------------------------------------------------------------------------------- */

Test(defrag, moves_every_entry_and_changes_nothing)
{
    for (int i = 0; i < 3000; i++) {
        char name[20];
        snprintf(name, sizeof name, "key:%d", i);
        set(&f, i % 3, name, name, i % 2 == 0 ? NOW + 1000 + i : TTL_CLEAR);
    }
    buf_clear(&f.told);
    const struct entry *before = find(&f, 1, "key:1", 0);
    walk(1000);
    cr_assert_neq(find(&f, 1, "key:1", 0), before);
    cr_assert_geq(store_defrag_figures(f.store)->keys_moved, 3000);
    for (int i = 0; i < 3000; i++) {
        char name[20];
        snprintf(name, sizeof name, "key:%d", i);
        expect_value(&f, i % 3, name, name);
    }
    for (int db = 0; db < 4; db++) keyspace_check(store_keyspace(f.store, db));
    expect_told(&f, "");
}

static void walk_beside(size_t elements_max, unsigned elements)
{
    struct buf before[KINDS];
    for (size_t i = 0; i < KINDS; i++) {
        make(kinds[i].name, kinds[i].type, elements);
        before[i] = body_of(kinds[i].name);
    }
    walk(elements_max);
    cr_assert_gt(mover.moved, KINDS * elements / 10);
    for (size_t i = 0; i < KINDS; i++) {
        struct buf after = body_of(kinds[i].name);
        cr_assert(span_equal(buf_span(&before[i]), buf_span(&after)), "%s", kinds[i].name);
        check_value(find(&f, 0, kinds[i].name, FIND_NO_EVENT));
        buf_release(&before[i]);
        buf_release(&after);
    }
    keyspace_check(store_keyspace(f.store, 0));
}

Test(defrag, moves_what_values_are_made_of)
{
    walk_beside(SIZE_MAX, ELEMENTS);
}

Test(defrag, large_values_are_done_in_parts)
{
    walk_beside(10, ELEMENTS);
    store_defrag_reset(f.store);
    cr_assert_gt(walk(10), 5 * 5);
}

Test(defrag, small_values_move_with_their_entry)
{
    walk_beside(1000, 5);
}

Test(defrag, without_a_reason_nothing_moves)
{
    memset(&mover, 0, sizeof mover);
    make("hash", TYPE_HASH, ELEMENTS);
    const struct entry *before = find(&f, 0, "hash", 0);
    walk(1000);
    cr_assert_eq(find(&f, 0, "hash", 0), before);
    cr_assert_eq(mover.moved, 0);
    cr_assert_gt(mover.kept, ELEMENTS);
    cr_assert_eq(store_defrag_figures(f.store)->keys_moved, 0);
    cr_assert_gt(store_defrag_figures(f.store)->keys_kept, 0);
}

Test(defrag, values_may_change_and_go_between_parts)
{
    for (size_t i = 0; i < KINDS; i++) make(kinds[i].name, kinds[i].type, ELEMENTS);
    for (unsigned step = 0; store_defrag_step(f.store, &mover, 10); step++) {
        const char *name = kinds[step % KINDS].name;
        struct key key = key_of(&f, name);
        struct store_edit edit;
        if (step % 50 == 49) {
            removed(&f, 0, name);
            continue;
        }
        store_edit_open(f.store, 0, &key, kinds[step % KINDS].type, &edit);
        unsigned number = ELEMENTS + step;
        for (unsigned i = 0; i < 30; i++) edit.entry = add_element(edit.entry, number * 30 + i);
        store_edit_close(&edit, 30, NO_EVENT);
        check_value(find(&f, 0, name, FIND_NO_EVENT));
        cr_assert_lt(step, 100000);
    }
    keyspace_check(store_keyspace(f.store, 0));
}

static void append(void *context, const void *ptr, size_t len)
{
    buf_append(context, ptr, len);
}

Test(defrag, a_leased_value_stays_where_it_is)
{
    struct buf records = {0};
    struct snapshot_sink sink = {append, &records};
    make("hash", TYPE_HASH, ELEMENTS);
    struct snapshot *snapshot = snapshot_start(f.store, &sink);
    while (!snapshot_walk(snapshot, SIZE_MAX, SIZE_MAX)) continue;
    const struct snapshot_record *record = (const struct snapshot_record *)records.ptr;
    cr_assert(record->leased);
    const struct entry *copied = snapshot_record_entry(record);
    size_t held = value_ops(ENC_HASH_TABLE)->memory(entry_pointer(copied));
    walk(SIZE_MAX);
    cr_assert_lt(mover.moved, 100); /* entries and the keyspaces' tables */
    cr_assert_eq(entry_pointer(find(&f, 0, "hash", 0)), entry_pointer(copied));
    cr_assert_eq(value_ops(ENC_HASH_TABLE)->memory(entry_pointer(copied)), held);
    snapshot_release_lease(copied, f.store);
    snapshot_end(snapshot);
    walk(SIZE_MAX);
    cr_assert_gt(mover.moved, ELEMENTS);
    buf_release(&records);
}
