#include "base/mem.h"
#include "ds/quicklist.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct quicklist list;

static void begin_with(int64_t fill, int64_t depth, size_t plain_bytes_min)
{
    quicklist_release(&list);
    list = (struct quicklist){.rules = quicklist_rules(fill, depth, plain_bytes_min)};
}

static void end(void)
{
    quicklist_release(&list);
}

TestSuite(quicklist, .fini = end);

static void push(const char *text)
{
    quicklist_push(&list, QUICKLIST_TAIL, span_of_cstr(text));
}

/* Elements e0, e1, ... */
static void fill(unsigned count)
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
    cr_assert(quicklist_walk_open(&walk, &list, index));
    quicklist_walk_close(&walk);
    return walk.at;
}

/* The list as "a b | c | (d)": nodes apart, plain ones in brackets. */
static const char *shape(void)
{
    static char text[8192];
    char scratch[NUM_INT64_CHARS];
    struct quicklist_walk walk;
    struct quicklist_place before = {0};
    size_t len = 0;

    text[0] = '\0';
    cr_assert(quicklist_check(&list));
    for (bool more = quicklist_walk_open(&walk, &list, 0); more;
         more = quicklist_walk_next(&walk)) {
        struct span element = quicklist_walk_text(&walk, scratch);
        bool same = before.block == walk.at.block && before.node == walk.at.node;
        len +=
            (size_t)snprintf(text + len, sizeof text - len, walk.lp == NULL ? "%s(%.*s)" : "%s%.*s",
                             len == 0 ? ""
                             : same   ? " "
                                      : " | ",
                             (int)element.len, element.ptr);
        before = walk.at;
    }
    quicklist_walk_close(&walk);
    return text;
}

static void expect(const char *expected)
{
    const char *got = shape();
    cr_expect_str_eq(got, expected, "%s instead of %s", got, expected);
}

/* ---- shapes: every expectation was seen in a DUMP of Redis 7.0.15 -------------------------------- */

Test(quicklist, fills_nodes_from_both_ends)
{
    begin_with(2, 0, 0);
    for (int i = 0; i < 3; i++) push(i == 0 ? "a" : i == 1 ? "b" : "c");
    quicklist_push(&list, QUICKLIST_HEAD, SPAN("z"));
    expect("z | a b | c");
    begin_with(0, 0, 0);
    fill(2);
    expect("e0 | e1");
}

/* Builds a list of nodes of these sizes (letters a, b, ...; e.g. b1 is the second of the second node),
 * inserts Z and compares. */
static void insertion(const char *nodes, bool after, int64_t pivot, const char *expected)
{
    begin_with(4, 0, 0);
    for (int i = 0; nodes[i] != '\0'; i++) {
        uint8_t *lp = mem_alloc(64);
        listpack_init(lp);
        for (int k = 0; k < nodes[i] - '0'; k++) {
            char text[4] = {(char)('a' + i), (char)('0' + k), '\0'};
            listpack_append(lp, span_of_cstr(text));
        }
        size_t size = listpack_bytes(lp);
        lp = mem_realloc(lp, mem_class(size));
        quicklist_append_node(&list, QUICKLIST_LISTPACK, lp, size);
    }
    quicklist_insert(&list, at(pivot), after, SPAN("Z"));
    expect(expected);
}

Test(quicklist, inserts_where_redis_does)
{
    insertion("4", false, 0, "Z | a0 a1 a2 a3");
    insertion("4", true, 0, "a0 | Z a1 a2 a3");
    insertion("4", false, 2, "a0 a1 Z | a2 a3");
    insertion("4", true, 3, "a0 a1 a2 a3 | Z");
    insertion("44", false, 4, "a0 a1 a2 a3 | Z | b0 b1 b2 b3");
    insertion("424", true, 3, "a0 a1 a2 a3 | Z b0 b1 | c0 c1 c2 c3");
    insertion("424", false, 6, "a0 a1 a2 a3 | b0 b1 Z | c0 c1 c2 c3");
    insertion("424", false, 2, "a0 a1 Z | a2 a3 b0 b1 | c0 c1 c2 c3");
    insertion("242", true, 3, "a0 a1 b0 b1 | Z b2 b3 | c0 c1");
    insertion("141", false, 2, "a0 b0 Z | b1 b2 b3 c0");
    insertion("11411", true, 2, "a0 b0 c0 | Z c1 c2 c3 | d0 | e0");
    insertion("11411", false, 3, "a0 | b0 c0 Z | c1 c2 c3 | d0 e0");
    insertion("11411", true, 3, "a0 b0 c0 c1 | Z c2 c3 d0 | e0");
    insertion("11411", false, 4, "a0 | b0 c0 c1 Z | c2 c3 d0 e0");
    insertion("11411", true, 4, "a0 b0 | c0 c1 c2 | Z c3 d0 | e0");
    insertion("11411", false, 5, "a0 | b0 | c0 c1 c2 Z | c3 d0 e0");
}

Test(quicklist, keeps_long_elements_plain)
{
    begin_with(4, 0, 10);
    fill(6);
    quicklist_insert(&list, at(1), true, SPAN("0123456789"));
    expect("e0 e1 | (0123456789) | e2 e3 | e4 e5");
    quicklist_insert(&list, at(2), true, SPAN("x"));
    expect("e0 e1 | (0123456789) | x e2 e3 | e4 e5");
    quicklist_replace(&list, at(2), SPAN("y"));
    expect("e0 e1 | y x e2 e3 | e4 e5");
    quicklist_replace(&list, at(4), SPAN("a longer one"));
    expect("e0 e1 | y x | (a longer one) | e3 | e4 e5");
    quicklist_replace(&list, at(4), SPAN("another of them"));
    expect("e0 e1 | y x | (another of them) | e3 | e4 e5");
    quicklist_push(&list, QUICKLIST_TAIL, SPAN("0123456789"));
    push("z");
    expect("e0 e1 | y x | (another of them) | e3 | e4 e5 | (0123456789) | z");
    cr_expect_eq(quicklist_remove(&list, QUICKLIST_HEAD, SPAN("0123456789"), 5), 1);
    quicklist_trim(&list, 4, 1, NULL);
    expect("(another of them) | e3 | e4 e5");
}

Test(quicklist, limits_nodes_by_bytes)
{
    static const struct {
        int64_t fill;
        size_t bytes; /* of a node full of elements of 10 bytes: 12 each, 7 for the node */
    } cases[] = {{-1, 4087},  {-2, 8179},    {-3, 16375},    {-4, 32755},
                 {-5, 65527}, {-100, 65527}, {1000000, 8179}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_with(cases[i].fill, 0, 0);
        while (list.nodes < 2) push("xxxxxxxxxx");
        cr_expect_eq(list.first->nodes[0].size, cases[i].bytes, "%zu bytes with %d",
                     (size_t)list.first->nodes[0].size, (int)cases[i].fill);
        quicklist_trim(&list, 0, 1, NULL);
    }
}

/* ---- room in a node ------------------------------------------------------------------------------ */

/* Where the bytes of the first node end; its last element stands there, in whichever way others move. */
static const uint8_t *first_node_end(void)
{
    const struct quicklist_node *node = &list.first->nodes[0];
    return node->bytes + node->size;
}

Test(quicklist, moves_no_others_for_an_element_at_the_head)
{
    unsigned moved = 0;

    begin_with(-2, 0, 0);
    for (unsigned i = 0; i < 4000; i++) {
        const uint8_t *before = i > 0 ? first_node_end() : NULL;
        quicklist_push(&list, QUICKLIST_HEAD, SPAN("xxxxxxxxxx"));
        moved += before != first_node_end();
        if (i % 100 == 0) cr_assert(quicklist_check(&list));
    }
    while (list.items > 1) {
        const uint8_t *before = first_node_end();
        quicklist_trim(&list, 1, 0, NULL);
        moved += before != first_node_end();
        if (list.items % 100 == 0) cr_assert(quicklist_check(&list));
    }
    /* Size classes up to 8 KB are some 30; six nodes go through them up and down. */
    cr_expect_lt(moved, 6 * 2 * 32, "%u of 8000", moved);
}

Test(quicklist, finds_room_at_both_ends_of_a_node)
{
    begin_with(-5, 0, 0);
    for (unsigned i = 0; i < 4000; i++) {
        quicklist_push(&list, i % 3 == 0 ? QUICKLIST_TAIL : QUICKLIST_HEAD, SPAN("xxxxxxxxxx"));
        if (i % 100 == 0) cr_assert(quicklist_check(&list));
    }
    cr_assert_eq(list.nodes, 1);
    for (unsigned i = 0; list.items > 1; i++) {
        quicklist_trim(&list, i % 3 != 0, i % 3 == 0, NULL);
        if (i % 100 == 0) cr_assert(quicklist_check(&list));
    }
}

/* ---- the directory ------------------------------------------------------------------------------- */

static void expect_element(int64_t index, unsigned number)
{
    char scratch[NUM_INT64_CHARS], text[16];
    struct quicklist_walk walk;

    snprintf(text, sizeof text, "e%u", number);
    cr_assert(quicklist_walk_open(&walk, &list, index));
    cr_expect(span_is(quicklist_walk_text(&walk, scratch), text), "no %s at %d", text, (int)index);
    quicklist_walk_close(&walk);
}

Test(quicklist, finds_elements_by_index)
{
    enum { COUNT = 5000 };
    struct quicklist_walk walk;

    begin_with(3, 0, 0);
    fill(COUNT);
    cr_assert(quicklist_check(&list));
    cr_expect_gt(list.nodes, 10 * QUICKLIST_BLOCK_NODES);
    for (unsigned i = 0; i < COUNT; i += 7) {
        expect_element(i, i);
        expect_element((int64_t)i - COUNT, i);
    }
    cr_expect_not(quicklist_walk_open(&walk, &list, COUNT));
    cr_expect_not(quicklist_walk_open(&walk, &list, -COUNT - 1));
    cr_expect_not(quicklist_walk_open(&walk, &list, INT64_MIN));
    cr_expect_not(quicklist_walk_open(&walk, &list, INT64_MAX));
}

Test(quicklist, walks_both_ways)
{
    struct quicklist_walk walk;
    unsigned steps = 0;

    begin_with(1, 2, 0);
    fill(1000);
    for (bool more = quicklist_walk_open(&walk, &list, 0); more; more = quicklist_walk_next(&walk))
        steps++;
    quicklist_walk_close(&walk);
    for (bool more = quicklist_walk_open(&walk, &list, -1); more;
         more = quicklist_walk_previous(&walk))
        steps++;
    quicklist_walk_close(&walk);
    cr_expect_eq(steps, 2000);
    cr_assert(quicklist_walk_open(&walk, &list, 3));
    cr_expect(quicklist_walk_find(&walk, SPAN("e777")));
    cr_expect_not(quicklist_walk_find(&walk, SPAN("e2")));
    quicklist_walk_close(&walk);
}

Test(quicklist, joins_blocks_that_became_sparse)
{
    begin_with(1, 0, 0);
    for (unsigned i = 0; i < 2000; i++) push(i % 20 == 0 ? "kept" : "gone");
    cr_expect_eq(quicklist_remove(&list, QUICKLIST_TAIL, SPAN("gone"), UINT64_MAX), 1900);
    cr_assert(quicklist_check(&list));
    cr_expect_eq(list.items, 100);
    cr_expect_lt(list.memory, 100 * 16 + 4 * (32 + 128 * 16));
    while (list.items > 0) quicklist_trim(&list, 1, 0, NULL);
    cr_expect_eq(list.memory, 0);
    cr_expect_null(list.first);
}

/* The last block is small then, and moves as it takes in the one before it. */
Test(quicklist, joins_blocks_of_every_size)
{
    for (unsigned count = 120; count < 300; count += 3) {
        begin_with(1, 0, 0);
        for (unsigned i = 0; i < count; i++) push(i % 10 == 0 || i > 126 ? "kept" : "gone");
        quicklist_remove(&list, QUICKLIST_HEAD, SPAN("gone"), UINT64_MAX);
        cr_assert(quicklist_check(&list));
    }
}

Test(quicklist, passes_whole_blocks_to_who_frees_them)
{
    struct quicklist cut = {.rules = quicklist_rules(2, 0, 0)};

    begin_with(2, 0, 0);
    fill(10000);
    quicklist_trim(&list, 4001, 5000, &cut);
    cr_assert(quicklist_check(&list));
    cr_assert(quicklist_check(&cut));
    cr_expect_eq(list.items, 999);
    cr_expect_gt(cut.items, 8000);
    expect_element(0, 4001);
    expect_element(-1, 4999);
    quicklist_release(&cut);
}

/* ---- packing ------------------------------------------------------------------------------------- */

static void push_wide(char letter)
{
    char text[1000];
    memset(text, letter, sizeof text);
    quicklist_push(&list, QUICKLIST_TAIL, span_of(text, sizeof text));
}

/* A letter per node: p packed, l a listpack, P plain. */
static void expect_forms(const char *expected)
{
    char forms[256];
    size_t len = 0;
    cr_assert(quicklist_check(&list));
    for (const struct quicklist_block *block = list.first; block != NULL; block = block->next)
        for (unsigned i = 0; i < block->count; i++) forms[len++] = "lPp"[block->nodes[i].form];
    forms[len] = '\0';
    cr_expect_str_eq(forms, expected, "%s instead of %s", forms, expected);
}

Test(quicklist, packs_what_is_far_from_both_ends)
{
    begin_with(1, 2, 0);
    for (char letter = 'a'; letter < 'h'; letter++) push_wide(letter);
    expect_forms("llpppll");
    quicklist_trim(&list, 1, 0, NULL);
    expect_forms("llppll");
    quicklist_trim(&list, 0, 2, NULL);
    expect_forms("llll");
    begin_with(4, 1, 0);
    for (int i = 0; i < 40; i++) push_wide((char)('A' + i));
    expect_forms("lppppppppl");
    quicklist_insert(&list, at(21), false, SPAN("between"));
    expect_forms("lpppppppppl");
    cr_expect_eq(quicklist_remove(&list, QUICKLIST_HEAD, SPAN("between"), 1), 1);
    quicklist_replace(&list, at(8), SPAN("short"));
    expect_forms("lpppppppppl");
    cr_expect_eq(quicklist_remove(&list, QUICKLIST_HEAD, SPAN("nowhere"), 1), 0);
    expect_forms("lpppppppppl");
}

Test(quicklist, leaves_what_does_not_get_smaller)
{
    begin_with(1, 1, 0);
    for (int i = 0; i < 10; i++) push("short");
    expect_forms("llllllllll");
}

Test(quicklist, copies_in_depth)
{
    struct quicklist copy;

    begin_with(4, 1, 500);
    for (int i = 0; i < 300; i++) push_wide((char)('A' + i % 50));
    fill(300);
    quicklist_copy(&list, &copy);
    cr_assert(quicklist_check(&copy));
    cr_expect_eq(copy.items, list.items);
    quicklist_release(&list);
    list = copy;
    expect_element(-1, 299);
}
