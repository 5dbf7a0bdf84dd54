#include "base/mem.h"
#include "store/list.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct value_settings settings;
static struct entry *list;

static void begin(void)
{
    settings = value_settings_default((struct hash_secret){1, 2});
    list = list_container.empty(SPAN("key"), &settings);
}

static void end(void)
{
    entry_free(list);
}

TestSuite(list_value, .init = begin, .fini = end);

static void push(const char *text)
{
    list = list_push(list, &settings, QUICKLIST_TAIL, span_of_cstr(text));
}

static void push_many(unsigned count)
{
    char text[16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof text, "e%u", i);
        push(text);
    }
}

static struct quicklist_place at(int64_t index)
{
    struct quicklist_walk walk;
    cr_assert(list_walk_open(&walk, list, index));
    quicklist_walk_close(&walk);
    return walk.at;
}

static void trim(uint64_t head, uint64_t tail)
{
    struct list_value *cut;
    list = list_trim(list, head, tail, &cut);
    if (cut != NULL) value_drop(ENC_QUICKLIST, cut);
}

static void expect_form(enum encoding encoding)
{
    cr_expect_eq(entry_encoding(list), encoding);
    cr_expect_str_eq(entry_encoding_name(list), "quicklist");
    cr_expect(span_equal(entry_key(list), SPAN("key")));
    if (encoding == ENC_QUICKLIST) cr_expect(quicklist_check(list_quicklist(list)));
    else cr_expect_leq(entry_inline(list).len, LIST_INLINE_BYTES_MAX);
}

/* ---- which form it has --------------------------------------------------------------------------- */

Test(list_value, is_inline_while_it_is_one_short_node)
{
    expect_form(ENC_LISTPACK);
    push_many(300);
    expect_form(ENC_LISTPACK);
    push_many(100);
    expect_form(ENC_QUICKLIST);
    cr_expect_eq(list_count(list), 400);
    cr_expect_eq(list_quicklist(list)->nodes, 1);
}

Test(list_value, becomes_inline_again_at_half_the_bound)
{
    push_many(600);
    while (entry_encoding(list) == ENC_QUICKLIST) trim(1, 0);
    cr_expect_leq(entry_inline(list).len, LIST_INLINE_BYTES_MAX / 2);
    cr_expect_gt(entry_inline(list).len, LIST_INLINE_BYTES_MAX / 2 - 10);
    push_many(100);
    expect_form(ENC_LISTPACK);
    trim(list_count(list), 0);
    cr_expect_eq(list_count(list), 0);
    expect_form(ENC_LISTPACK);
}

Test(list_value, is_a_quicklist_as_soon_as_it_has_two_nodes)
{
    settings.list_max_listpack_size = 2;
    push_many(2);
    expect_form(ENC_LISTPACK);
    push_many(1);
    expect_form(ENC_QUICKLIST);
    trim(2, 0);
    expect_form(ENC_LISTPACK);
    list = list_insert(list, &settings, at(0), true, SPAN("x"));
    expect_form(ENC_LISTPACK);
    list = list_insert(list, &settings, at(0), true, SPAN("y"));
    expect_form(ENC_QUICKLIST);
    cr_expect_eq(list_quicklist(list)->nodes, 2);
}

Test(list_value, is_a_quicklist_with_a_plain_node)
{
    settings.list_plain_bytes_min = 5;
    push("abcd");
    expect_form(ENC_LISTPACK);
    list = list_replace(list, &settings, at(0), SPAN("abcde"));
    expect_form(ENC_QUICKLIST);
    list = list_replace(list, &settings, at(-1), SPAN("abcd"));
    expect_form(ENC_LISTPACK);
    push("abcde");
    expect_form(ENC_QUICKLIST);
}

Test(list_value, takes_elements_longer_than_any_entry)
{
    static char text[200 * 1024];

    memset(text, 'x', sizeof text);
    list = list_push(list, &settings, QUICKLIST_HEAD, span_of(text, sizeof text));
    expect_form(ENC_QUICKLIST);
    push("short");
    list = list_replace(list, &settings, at(0), SPAN("short too"));
    expect_form(ENC_QUICKLIST); /* Redis has two nodes now, too */
    list = list_replace(list, &settings, at(1), span_of(text, sizeof text));
    trim(1, 0);
    expect_form(ENC_QUICKLIST);
    list = list_replace(list, &settings, at(0), SPAN("12"));
    expect_form(ENC_LISTPACK);
}

Test(list_value, removes_in_either_form)
{
    uint64_t removed;

    for (int form = 0; form < 2; form++) {
        if (form == 1) settings.list_max_listpack_size = 3;
        for (int i = 0; i < 5; i++) push("a"), push("7");
        list = list_remove(list, QUICKLIST_TAIL, SPAN("7"), 2, &removed);
        cr_expect_eq(removed, 2);
        list = list_remove(list, QUICKLIST_HEAD, SPAN("a"), UINT64_MAX, &removed);
        cr_expect_eq(removed, 5);
        list = list_remove(list, QUICKLIST_HEAD, SPAN("none"), UINT64_MAX, &removed);
        cr_expect_eq(removed, 0);
        cr_expect_eq(list_count(list), 3);
        trim(1, 2);
    }
}

/* ---- the row of its encoding --------------------------------------------------------------------- */

Test(list_value, counts_its_memory)
{
    push_many(100000);
    const struct list_value *value = entry_pointer(list);
    size_t bytes = mem_class(sizeof *value);

    for (const struct quicklist_block *block = value->list.first; block != NULL;
         block = block->next) {
        bytes += mem_class(sizeof *block + block->cap * sizeof(struct quicklist_node));
        for (unsigned i = 0; i < block->count; i++) bytes += mem_class(block->nodes[i].size);
    }
    cr_expect_eq(quicklist_ops.memory(value), bytes);
    cr_expect_eq(entry_memory(list), bytes + mem_class(entry_bytes(list)));
    cr_expect_gt(quicklist_ops.weight(value), VALUE_COPIED_BYTES_MAX);
    cr_expect_gt(quicklist_ops.effort(value), VALUE_EFFORT_LAZY);
}

Test(list_value, is_cut_for_another_thread_to_free)
{
    struct list_value *cut;

    push_many(300000);
    list = list_trim(list, 299000, 500, &cut);
    cr_assert_not_null(cut);
    cr_expect_gt(quicklist_ops.effort(cut), VALUE_EFFORT_LAZY);
    cr_expect_eq(list_count(list), 500);
    value_drop(ENC_QUICKLIST, cut);
    list = list_trim(list, 100, 0, &cut);
    cr_expect_null(cut);
}

Test(list_value, is_copied_in_depth)
{
    settings.list_compress_depth = 1;
    push_many(20000);
    struct entry *copy = entry_copy(list, SPAN("other"), 17);
    unsigned char one[20] = {0}, other[20] = {0};

    trim(0, 0);
    list_container.digest(list, one);
    list_container.digest(copy, other);
    cr_expect_arr_eq(one, other, sizeof one);
    entry_free(copy);
}

/* ---- RDB: what both forms are written as --------------------------------------------------------- */

static void expect_back(const struct entry *e)
{
    const struct value_target target = {SPAN("key"), NO_DEADLINE, &settings};
    struct buf dumped = {0}, again = {0};
    struct entry *back = NULL;

    value_dump(e, true, &dumped);
    cr_assert_eq(value_restore(buf_span(&dumped), false, &target, &back, NULL), OK);
    cr_expect_eq(entry_encoding(back), entry_encoding(e));
    cr_expect_eq(list_count(back), list_count(e));
    value_dump(back, true, &again);
    cr_expect(span_equal(buf_span(&dumped), buf_span(&again)));
    buf_release(&dumped);
    buf_release(&again);
    entry_free(back);
}

Test(list_value, comes_back_from_its_dump_in_every_form)
{
    push_many(10);
    expect_back(list);
    push_many(10000);
    expect_back(list);
    trim(10010, 0);
    settings = (struct value_settings){
        .list_max_listpack_size = 4, .list_compress_depth = 1, .list_plain_bytes_min = 50};
    for (int i = 0; i < 50; i++) {
        push_many(7);
        push("an element of more than fifty bytes, which is a plain node");
    }
    expect_back(list);
}

Test(list_value, is_the_bytes_of_redis)
{
    /* RPUSH k a 12 b, with list-max-listpack-size 2, at Redis 7.0.15. */
    static const char body[] = "\x12\x02\x02\x0c\x0c\x00\x00\x00\x02\x00\x81"
                               "a\x02\x0c\x01\xff\x02\x0a\x0a\x00\x00\x00\x01\x00\x81"
                               "b\x02\xff";
    struct buf out = {0};

    settings.list_max_listpack_size = 2;
    push("a");
    push("12");
    push("b");
    value_dump(list, true, &out);
    cr_expect_eq(out.len, sizeof body - 1 + RDB_DUMP_FOOTER_BYTES);
    cr_expect_arr_eq(out.ptr, body, sizeof body - 1);
    buf_release(&out);
}
