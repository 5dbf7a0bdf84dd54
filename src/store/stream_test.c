#include "base/mem.h"
#include "store/digest.h"
#include "store/store_fixture.h"
#include "store/stream.h"

static struct value_settings settings = {.stream_node_max_bytes = 4096,
                                         .stream_node_max_entries = 100};

static struct stream_id id_of(uint64_t n)
{
    return (struct stream_id){n / 3 + 1, n % 3};
}

static void add(struct stream *stream, uint64_t n)
{
    char digits[NUM_INT64_CHARS];
    struct span value = span_of(digits, num_format_uint64(digits, n));
    struct span pairs[] = {SPAN("number"), value, SPAN("other"), SPAN("x")};
    stream_append(stream, &settings, id_of(n), pairs, n % 7 == 0 ? 1 : 2);
}

/* Entries 0 to count - 1. */
static struct stream *filled(uint64_t count)
{
    struct stream *stream = stream_new();
    for (uint64_t n = 0; n < count; n++) add(stream, n);
    return stream;
}

static void expect_entry(const struct stream_entry *entry, uint64_t n)
{
    char digits[NUM_INT64_CHARS];
    struct stream_pairs pairs = stream_entry_pairs(entry);
    struct span name, value;

    cr_assert_not_null(entry);
    cr_assert(stream_id_equal(entry->id, id_of(n)));
    cr_assert(stream_pairs_next(&pairs, &name, &value));
    cr_assert(span_equal(name, SPAN("number")));
    cr_assert(span_equal(value, span_of(digits, num_format_uint64(digits, n))));
    cr_assert_eq(stream_pairs_next(&pairs, &name, &value), n % 7 != 0);
    if (n % 7 != 0) cr_assert(span_equal(name, SPAN("other")) && span_equal(value, SPAN("x")));
}

Test(stream, gives_entries_back_in_both_directions)
{
    struct stream *stream = filled(1000);
    struct stream_range up = stream_range_of(stream, id_of(17), id_of(900), false);
    struct stream_range down = stream_range_of(stream, id_of(17), id_of(900), true);

    stream_check(stream);
    for (uint64_t n = 17; n <= 900; n++) expect_entry(stream_range_next(&up), n);
    cr_assert_null(stream_range_next(&up));
    cr_assert_null(stream_range_next(&up));
    for (uint64_t n = 901; n-- > 17;) expect_entry(stream_range_next(&down), n);
    cr_assert_null(stream_range_next(&down));
    stream_free(stream);
}

Test(stream, nodes_keep_to_the_bounds_of_the_configuration)
{
    struct stream *stream = filled(1000);
    cr_assert_eq(stream->nodes.count, 10);
    stream_free(stream);

    settings.stream_node_max_entries = 0;
    stream = filled(1000);
    struct id_cursor at = id_map_first(&stream->nodes);
    for (; at.item != NULL; id_cursor_next(&at)) cr_assert_lt(listpack_bytes(at.item->value), 4200);
    cr_assert_lt(stream->nodes.count, 10);
    stream_free(stream);

    settings.stream_node_max_bytes = 0;
    stream = filled(1000);
    cr_assert_eq(stream->nodes.count, 1, "no bound at all");
    stream_check(stream);
    stream_free(stream);

    settings.stream_node_max_entries = 1;
    stream = filled(100);
    cr_assert_eq(stream->nodes.count, 100);
    stream_free(stream);
    settings.stream_node_max_bytes = 4096;
    settings.stream_node_max_entries = 100;
}

Test(stream, an_entry_longer_than_a_node_stands_alone)
{
    struct stream *stream = filled(5);
    char *bytes = mem_zalloc(1 << 20);
    struct span pairs[] = {SPAN("long"), span_of(bytes, 1 << 20)};

    stream_append(stream, &settings, id_of(5), pairs, 1);
    add(stream, 6);
    cr_assert_eq(stream->nodes.count, 3);
    stream_check(stream);
    cr_assert(stream_delete(stream, id_of(5)));
    cr_assert_eq(stream->nodes.count, 2);
    stream_check(stream);
    mem_free(bytes);
    stream_free(stream);
}

Test(stream, deleting_and_trimming_keep_count)
{
    struct stream *stream = filled(1000);

    for (uint64_t n = 0; n < 1000; n += 2) cr_assert(stream_delete(stream, id_of(n)));
    cr_assert_not(stream_delete(stream, id_of(4)));
    stream_check(stream);
    cr_assert_eq(stream->length, 500);
    cr_assert(stream_id_equal(stream->first_id, id_of(1)));
    cr_assert(stream_id_equal(stream->max_deleted_id, id_of(998)));

    struct stream_trim trim = {.how = TRIM_TO_LENGTH, .length = 420, .whole_nodes = true};
    cr_assert_eq(stream_trim(stream, &trim), 50);
    trim.whole_nodes = false;
    cr_assert_eq(stream_trim(stream, &trim), 30);
    stream_check(stream);
    trim = (struct stream_trim){.how = TRIM_TO_ID, .id = id_of(500)};
    cr_assert_eq(stream_trim(stream, &trim), 420 - 250);
    cr_assert(stream_id_equal(stream->first_id, id_of(501)));
    trim.how = TRIM_NOTHING;
    cr_assert_eq(stream_trim(stream, &trim), 0);
    trim = (struct stream_trim){.how = TRIM_TO_LENGTH, .limit = 120, .whole_nodes = true};
    cr_assert_eq(stream_trim(stream, &trim), 100, "two nodes of 50, not three");
    stream_check(stream);
    for (uint64_t n = 0; n < 1000; n++) stream_delete(stream, id_of(n));
    cr_assert_eq(stream->length + stream->nodes.count + stream->node_bytes, 0);
    cr_assert_eq(stream->entries_added, 1000);
    stream_check(stream);
    stream_free(stream);
}

/* XSETID leads back before ids that were used and deleted. */
Test(stream, goes_back_to_ids_that_are_free_again)
{
    struct stream *stream = filled(9);

    for (uint64_t n = 4; n < 9; n++) stream_delete(stream, id_of(n));
    stream_set_ids(stream, id_of(3), 9, stream->max_deleted_id);
    add(stream, 5);
    stream_check(stream);
    cr_assert(stream_holds(stream, id_of(5)) && !stream_holds(stream, id_of(4)));
    cr_assert(stream_id_equal(stream_last_live_id(stream), id_of(5)));

    /* A node whose last entry was deleted, and lies beyond the bound, stays without a live one. */
    struct stream_trim trim = {.how = TRIM_TO_ID, .id = id_of(6)};
    stream_delete(stream, id_of(5));
    cr_assert_eq(stream_trim(stream, &trim), 4);
    add(stream, 10);
    stream_delete(stream, id_of(10));
    for (uint64_t n = 11; n < 13; n++) add(stream, n);
    stream_delete(stream, id_of(12));
    trim.id = id_of(12);
    cr_assert_eq(stream_trim(stream, &trim), 1);
    cr_assert_eq(stream->nodes.count, 1);
    stream_check(stream);
    stream_set_ids(stream, STREAM_ID_MIN, 13, stream->max_deleted_id);
    add(stream, 1);
    stream_check(stream);
    cr_assert(stream_holds(stream, id_of(1)));
    stream_free(stream);
}

Test(stream, ids_end_at_both_ends)
{
    struct stream_id id;
    cr_assert_not(stream_id_next(STREAM_ID_MAX, &id));
    cr_assert_not(stream_id_previous(STREAM_ID_MIN, &id));
    cr_assert(stream_id_next((struct stream_id){1, UINT64_MAX}, &id));
    cr_assert(stream_id_equal(id, (struct stream_id){2, 0}));
    cr_assert(stream_id_previous(id, &id));
    cr_assert(stream_id_equal(id, (struct stream_id){1, UINT64_MAX}));
}

Test(stream, a_pending_entry_is_in_its_group_and_at_one_consumer)
{
    struct stream *stream = filled(100);
    struct stream_group *group = stream_group_new(stream, SPAN("g"), STREAM_ID_MIN, 0);
    struct stream_consumer *a = stream_consumer_new(stream, group, SPAN("a"), 5);
    struct stream_consumer *b = stream_consumer_new(stream, group, SPAN("b"), 5);

    for (uint64_t n = 0; n < 100; n++) {
        stream_group_advance(stream, group, id_of(n));
        stream_deliver(stream, group, n % 2 == 0 ? a : b, id_of(n), 7);
    }
    stream_check(stream);
    cr_assert_eq(group->entries_read, 100);
    stream_nack_move(stream_nack(group, id_of(2)), id_of(2), b);
    cr_assert_eq(b->pending.count, 51);
    stream_deliver(stream, group, a, id_of(3), 9);
    cr_assert_eq(stream_nack(group, id_of(3))->delivered_ms, 9);
    stream_check(stream);
    cr_assert(stream_acknowledge(stream, group, id_of(3)));
    cr_assert_not(stream_acknowledge(stream, group, id_of(3)));
    stream_consumer_remove(stream, group, b);
    cr_assert_eq(group->pending.count, 49);
    cr_assert_null(stream_consumer(group, SPAN("b")));
    stream_check(stream);
    stream_group_remove(stream, group);
    cr_assert_eq(stream->pending_count + stream->consumer_count + stream->groups.count, 0);
    stream_check(stream);
    stream_free(stream);
}

Test(stream, a_copy_shares_nothing)
{
    struct stream *stream = filled(300);
    struct stream_group *group = stream_group_new(stream, SPAN("g"), id_of(20), 21);
    struct stream_consumer *consumer = stream_consumer_new(stream, group, SPAN("c"), 5);

    for (uint64_t n = 0; n <= 20; n++) stream_deliver(stream, group, consumer, id_of(n), 7);
    struct stream *copy = stream_ops.copy(stream);
    cr_assert_eq(stream_ops.weight(copy), stream_ops.weight(stream));
    cr_assert_eq(stream_ops.effort(copy), stream_ops.effort(stream));
    stream_group_remove(stream, group);
    for (uint64_t n = 0; n < 300; n++) stream_delete(stream, id_of(n));
    stream_check(stream);
    stream_check(copy);
    cr_assert_eq(copy->length, 300);
    group = stream_group(copy, SPAN("g"));
    cr_assert_eq(group->pending.count, 21);
    cr_assert_eq(stream_nack(group, id_of(4))->consumer, stream_consumer(group, SPAN("c")));
    stream_free(stream);
    stream_free(copy);
}

Test(stream, its_memory_is_what_its_parts_take)
{
    struct stream *stream = stream_new();
    size_t empty = stream_ops.memory(stream);
    stream_free(stream);
    cr_assert_leq(empty, 192);

    stream = filled(10000);
    size_t bytes = stream_ops.memory(stream);
    cr_assert_gt(bytes, stream->node_bytes);
    cr_assert_lt(bytes, stream->node_bytes * 5 / 4);
    struct stream_group *group = stream_group_new(stream, SPAN("g"), STREAM_ID_MIN, 0);
    struct stream_consumer *consumer = stream_consumer_new(stream, group, SPAN("c"), 5);
    for (uint64_t n = 0; n < 10000; n++) stream_deliver(stream, group, consumer, id_of(n), 7);
    size_t pending = stream_ops.memory(stream) - bytes;
    cr_assert_geq(pending, 10000 * (2 * 24 + 24));
    cr_assert_lt(pending, 10000 * 90);
    stream_free(stream);
}

static int64_t lag(const struct stream *stream, const struct stream_group *group)
{
    int64_t lag;
    return stream_group_lag(stream, group, &lag) ? lag : -1000;
}

Test(stream, knows_how_far_a_group_is_behind_unless_entries_went_on_its_way)
{
    struct stream *stream = filled(10);
    struct stream_group *start = stream_group_new(stream, SPAN("a"), STREAM_ID_MIN, -1);
    struct stream_group *middle = stream_group_new(stream, SPAN("b"), id_of(4), -1);
    struct stream_group *end = stream_group_new(stream, SPAN("c"), id_of(9), -1);

    cr_assert_eq(lag(stream, start), 10);
    cr_assert_eq(lag(stream, middle), -1000, "an id in the middle tells nothing");
    cr_assert_eq(lag(stream, end), 0);
    for (uint64_t n = 5; n < 10; n++) stream_group_advance(stream, middle, id_of(n));
    cr_assert_eq(middle->entries_read, 10, "at the end it is known again");
    stream_group_advance(stream, start, id_of(0));
    cr_assert_eq(lag(stream, start), 9);
    stream_delete(stream, id_of(5));
    cr_assert_eq(lag(stream, start), -1000);
    add(stream, 10);
    cr_assert_eq(lag(stream, middle), 1);
    cr_assert_eq(lag(stream, end), -1000, "it never counted, and is not at the end any more");
    stream_free(stream);
}

Test(stream, counts_end_at_their_highest)
{
    struct stream *stream = filled(2);
    struct stream_group *group = stream_group_new(stream, SPAN("g"), STREAM_ID_MIN, INT64_MAX - 1);
    struct entry *e = entry_new_pointer(SPAN("k"), NO_DEADLINE, TYPE_STREAM, ENC_STREAM, stream);
    struct buf payload = {0};

    stream_set_ids(stream, id_of(1), INT64_MAX - 1, STREAM_ID_MIN);
    for (uint64_t n = 2; n < 5; n++) {
        add(stream, n);
        stream_group_advance(stream, group, id_of(n));
    }
    cr_assert_eq(stream->entries_added, INT64_MAX);
    cr_assert_eq(group->entries_read, INT64_MAX);
    struct value_target target = {SPAN("k"), NO_DEADLINE, &settings};
    struct entry *back = NULL;
    value_dump(e, true, &payload);
    cr_assert_eq(value_restore(buf_span(&payload), false, &target, &back, NULL), OK);
    cr_assert_eq(stream_of(back)->entries_added, INT64_MAX);
    entry_free(back);
    entry_free(e);
    buf_release(&payload);
}

static void close_as(struct fixture *f, const char *name, bool beside)
{
    struct key key = key_of(f, name);
    struct store_edit edit;
    store_edit_open(f->store, 0, &key, TYPE_STREAM, &edit);
    edit.beside = beside;
    cr_assert(store_edit_close(&edit, 1, EVENT(EVENT_STREAM, "changed")));
}

/* XGROUP CREATE and the like: no WATCH fails, unless the key came with it. */
Test(stream, changes_beside_the_entries_are_told_to_nobody_who_watches)
{
    struct fixture f = start();
    write_down(&f);
    close_as(&f, "s", true);
    expect_told(&f, "0:~:s 0:new:s 0:stream:s 0:changed:s");
    close_as(&f, "s", true);
    expect_told(&f, "0:changed:s");
    close_as(&f, "s", false);
    expect_told(&f, "0:~:s 0:changed:s");
    finish(&f);
}
