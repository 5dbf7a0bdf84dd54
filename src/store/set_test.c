#include "store/set.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

static struct value_settings settings;
static struct entry *set;

static void begin(void)
{
    settings = value_settings_default((struct hash_secret){1, 2});
    set = set_container.empty(SPAN("key"), &settings);
}

static void end(void)
{
    set_check(set);
    entry_free(set);
}

TestSuite(set_forms, .init = begin, .fini = end);

static bool add(const char *text)
{
    bool added;
    set = set_add(set, span_of_cstr(text), &settings, &added);
    return added;
}

static bool take_out(const char *text)
{
    bool removed;
    set = set_remove(set, span_of_cstr(text), &removed);
    return removed;
}

static bool has(const char *text)
{
    struct set_member member = set_member_of(span_of_cstr(text));
    return set_has(set, &member);
}

static void add_numbers(int from, int to)
{
    char text[NUM_INT64_CHARS + 1];
    for (int i = from; i < to; i++) {
        snprintf(text, sizeof text, "%d", i);
        add(text);
    }
}

static void take_out_numbers(int from, int to)
{
    char text[NUM_INT64_CHARS + 1];
    for (int i = from; i < to; i++) {
        snprintf(text, sizeof text, "%d", i);
        cr_assert(take_out(text));
    }
}

static void expect(enum encoding encoding, const char *name, size_t count)
{
    set_check(set);
    cr_expect_eq(entry_encoding(set), encoding);
    cr_expect_str_eq(entry_encoding_name(set), name);
    cr_expect_eq(set_count(set), count);
}

Test(set_forms, integers_are_an_intset_up_to_the_threshold)
{
    expect(ENC_INTSET, "intset", 0);
    add_numbers(0, 512);
    expect(ENC_INTSET, "intset", 512);
    cr_assert_not(add("511"));
    expect(ENC_INTSET, "intset", 512);
    cr_assert(add("-9223372036854775808"));
    expect(ENC_SET_TABLE, "hashtable", 513);
    cr_assert(take_out("1"));
    take_out_numbers(2, 512);
    expect(ENC_SET_TABLE, "hashtable", 2);
    cr_assert(has("0"));
    cr_assert(has("-9223372036854775808"));
    cr_assert_not(has("-1"));
}

Test(set_forms, what_is_no_integer_in_strict_form_is_a_text)
{
    static const char *const texts[] = {"", "01", "-0", "+1", " 1", "1 ", "9223372036854775808"};
    add("1");
    add("0");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_assert_not(has(texts[i]));
        cr_assert(add(texts[i]));
        cr_assert(has(texts[i]));
        cr_assert_not(add(texts[i]));
    }
    expect(ENC_LISTPACK, "hashtable", 9);
}

Test(set_forms, few_and_short_texts_are_packed)
{
    char longest[SET_PACK_TEXT_MAX + 1], too_long[SET_PACK_TEXT_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    memset(too_long, 'x', sizeof too_long);
    too_long[sizeof too_long - 1] = 0;
    add(longest);
    add_numbers(1, SET_PACK_MEMBERS_MAX);
    expect(ENC_LISTPACK, "hashtable", SET_PACK_MEMBERS_MAX);
    add_numbers(1, SET_PACK_MEMBERS_MAX + 1);
    expect(ENC_SET_TABLE, "hashtable", SET_PACK_MEMBERS_MAX + 1);

    entry_free(set);
    begin();
    add("a");
    cr_assert(add(too_long));
    expect(ENC_SET_TABLE, "hashtable", 2);
    cr_assert(has("a"));
}

Test(set_forms, thresholds_of_today_decide)
{
    settings.set_max_intset_entries = 0;
    add("1");
    expect(ENC_LISTPACK, "hashtable", 1);
    entry_free(set);
    begin();
    settings.set_max_intset_entries = 100000;
    add_numbers(0, 32764);
    expect(ENC_INTSET, "intset", 32764); /* 65,536 bytes */
    add_numbers(32764, 32765);
    expect(ENC_SET_TABLE, "hashtable", 32765); /* an entry holds no more */
}

Test(set_forms, an_intset_can_be_given_up)
{
    add_numbers(0, 3);
    set = set_leave_intset(set, &settings);
    expect(ENC_LISTPACK, "hashtable", 3);
    set = set_leave_intset(set, &settings);
    expect(ENC_LISTPACK, "hashtable", 3);
    entry_free(set);
    begin();
    add_numbers(0, 65);
    set = set_leave_intset(set, &settings);
    expect(ENC_SET_TABLE, "hashtable", 65);
}

Test(set_forms, memory_and_weight_follow_the_members)
{
    size_t small = entry_memory(set);
    add_numbers(0, 100000);
    expect(ENC_SET_TABLE, "hashtable", 100000);
    size_t per_member = (entry_memory(set) - small) / 100000;
    cr_assert(per_member >= 16 && per_member <= 29, "%zu bytes", per_member);
    const size_t weight = set_ops.weight(entry_pointer(set));
    cr_assert_eq(weight, 100000 + 10 + 90 * 2 + 900 * 3 + 9000 * 4 + 90000 * 5);
    struct entry *copy = entry_copy(set, SPAN("copy"), NO_DEADLINE);
    cr_assert_eq(set_count(copy), 100000);
    entry_free(copy);
}

/* ---- RDB ---------------------------------------------------------------------------------------- */

static struct span dump(struct buf *bytes)
{
    buf_clear(bytes);
    value_dump(set, true, bytes);
    return buf_span(bytes);
}

static enum err restore(struct span payload, char why[static 256])
{
    const struct value_target target = {SPAN("key"), 4102444800000, &settings};
    struct entry *read = NULL;
    enum err err = value_restore(payload, true, &target, &read, why);
    if (err != OK) return err;
    entry_free(set);
    set = read;
    return OK;
}

Test(set_forms, are_written_under_two_ids_and_read_back)
{
    struct buf bytes = {0};
    char why[256];
    add_numbers(0, 600);
    cr_assert_eq(dump(&bytes).ptr[0], RDB_TYPE_SET);
    cr_assert_eq(restore(buf_span(&bytes), why), OK);
    expect(ENC_SET_TABLE, "hashtable", 600);
    cr_assert_eq(entry_deadline(set), 4102444800000);
    take_out_numbers(0, 500);
    cr_assert_eq(dump(&bytes).ptr[0], RDB_TYPE_SET);
    cr_assert_eq(restore(buf_span(&bytes), why), OK);
    expect(ENC_INTSET, "intset", 100); /* as in Redis */
    cr_assert_eq(dump(&bytes).ptr[0], RDB_TYPE_SET_INTSET);
    settings.set_max_intset_entries = 99;
    cr_assert_eq(restore(buf_span(&bytes), why), OK);
    expect(ENC_SET_TABLE, "hashtable", 100);
    buf_release(&bytes);
}

Test(set_forms, a_small_one_has_the_bytes_of_redis)
{
    /* DUMP after SADD k a 5 bc and SADD k 5 -70000 1 at Redis 7.0.15. */
    static const char packed[] = "\x02\x03\x01"
                                 "a\xc0\x05\x02"
                                 "bc\x0a\x00\xaf\x42\x37\xb4\x4a\x8b\xcf\xe6",
                      numbers[] =
                          "\x0b\x14\x04\x00\x00\x00\x03\x00\x00\x00\x90\xee\xfe\xff\x01\x00"
                          "\x00\x00\x05\x00\x00\x00\x0a\x00\x27\x43\x9a\x92\x35\x75\xb1\x97";
    struct buf bytes = {0};
    add("a");
    add("5");
    add("bc");
    cr_assert(span_equal(dump(&bytes), SPAN(packed)));
    entry_free(set);
    begin();
    add("5");
    add("-70000");
    add("1");
    cr_assert(span_equal(dump(&bytes), SPAN(numbers)));
    buf_release(&bytes);
}

Test(set_forms, bodies_that_lie_are_refused)
{
#define FOOTER "\x0a\x00\0\0\0\0\0\0\0\0"
    static const struct {
        struct span payload;
        const char *why;
    } cases[] = {
        {SPAN("\x02\x02\x01"
              "a\x01"
              "a" FOOTER),
         "A member stands twice in a set"},
        {SPAN("\x02\x02\xc0\x05\x01"
              "5" FOOTER),
         "A member stands twice in a set"},
        {SPAN("\x02\x00" FOOTER), "The value has no elements"},
        {SPAN("\x02\x03\x01"
              "a" FOOTER),
         "Unexpected end"},
        {SPAN("\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01"
              "a" FOOTER),
         "Unexpected end"},
        {SPAN("\x0b\x08\x02\0\0\0\0\0\0\0" FOOTER), "The value has no elements"},
        {SPAN("\x0b\x0c\x02\0\0\0\x02\0\0\0\x02\0\x01\0" FOOTER), "The intset is not sound"},
        {SPAN("\x0b\x0c\x02\0\0\0\x02\0\0\0\x01\0\x01\0" FOOTER), "The intset is not sound"},
        {SPAN("\x0b\x0c\x03\0\0\0\x02\0\0\0\x01\0\x02\0" FOOTER), "The intset is not sound"},
        {SPAN("\x0b\x0c\x02\0\0\0\x03\0\0\0\x01\0\x02\0" FOOTER), "The intset is not sound"},
        {SPAN("\x0b\xc0\x05" FOOTER), "The intset is not sound"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[256] = "";
        cr_expect_eq(restore(cases[i].payload, why), ERR_BAD_DATA, "case %zu", i);
        cr_expect_not_null(strstr(why, cases[i].why), "case %zu: %s", i, why);
    }
}

/* ---- chance ------------------------------------------------------------------------------------- */

/* What chi-square with so many degrees of freedom exceeds once in a thousand million times (Wilson and
 * Hilferty's approximation, z = 6). Seeds are fixed all the same. */
static double limit_of(double freedom)
{
    double part = 2 / (9 * freedom), root = 1 - part + 6 * sqrt(part);
    return freedom * root * root * root;
}

static double chi_square(const unsigned *counts, size_t kinds, double expected)
{
    double sum = 0;
    for (size_t i = 0; i < kinds; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

#define MEMBERS 12

/* A set of the members 0 to 11 (or, as texts, "m0" to "m11") in this form. */
static void make(enum encoding encoding)
{
    char text[32];
    entry_free(set);
    begin();
    if (encoding == ENC_SET_TABLE) { /* stays one, having been one */
        memset(text, 'x', sizeof text);
        for (int i = 0; i < 100; i++) {
            snprintf(text, sizeof text, "gone %d", i);
            add(text);
        }
    }
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(text, sizeof text, "%s%d", encoding == ENC_INTSET ? "" : "m", i);
        add(text);
    }
    for (int i = 0; i < 100 && encoding == ENC_SET_TABLE; i++) {
        snprintf(text, sizeof text, "gone %d", i);
        take_out(text);
    }
    expect(encoding, encoding == ENC_INTSET ? "intset" : "hashtable", MEMBERS);
}

static void note_member(void *context, struct span text)
{
    int64_t number = 0;
    if (text.ptr[0] == 'm') text = span_of(text.ptr + 1, text.len - 1);
    cr_assert(num_parse_int64(text, &number));
    *(unsigned *)context |= 1u << number;
}

static const enum encoding forms[] = {ENC_INTSET, ENC_LISTPACK, ENC_SET_TABLE};

Test(set_forms, every_member_is_as_likely_as_another)
{
    enum { DRAWS = 120000 };
    struct random random;
    random_seed(&random, 7);
    for (int form = 0; form < 3; form++) {
        unsigned counts[MEMBERS] = {0};
        make(forms[form]);
        for (int i = 0; i < DRAWS; i++) {
            char scratch[NUM_INT64_CHARS];
            unsigned bits = 0;
            note_member(&bits, set_random(set, &random, scratch));
            counts[__builtin_ctz(bits)]++;
        }
        double got = chi_square(counts, MEMBERS, (double)DRAWS / MEMBERS);
        cr_expect_lt(got, limit_of(MEMBERS - 1), "form %d: %f", form, got);
    }
}

Test(set_forms, every_sample_of_a_size_is_as_likely_as_another)
{
    struct random random;
    random_seed(&random, 8);
    for (int form = 0; form < 3; form++) {
        for (size_t size = 1; size < MEMBERS; size += 2) {
            unsigned counts[1 << MEMBERS] = {0}, packed[1 << MEMBERS], kinds = 0, draws = 0;
            for (unsigned bits = 0; bits < 1 << MEMBERS; bits++)
                kinds += (size_t)__builtin_popcount(bits) == size;
            make(forms[form]);
            for (; draws < 50 * kinds; draws++) {
                unsigned bits = 0;
                set_sample(set, size, &random, note_member, &bits);
                cr_assert_eq((size_t)__builtin_popcount(bits), size);
                counts[bits]++;
            }
            kinds = 0;
            for (unsigned bits = 0; bits < 1 << MEMBERS; bits++)
                if ((size_t)__builtin_popcount(bits) == size) packed[kinds++] = counts[bits];
            double got = chi_square(packed, kinds, 50);
            cr_expect_lt(got, limit_of(kinds - 1), "form %d, size %zu: %f", form, size, got);
        }
    }
}

Test(set_forms, a_test_of_chance_notices_what_is_not_fair)
{
    unsigned counts[MEMBERS];
    for (int i = 0; i < MEMBERS; i++) counts[i] = 10000;
    counts[0] += 500; /* five in a hundred */
    cr_assert_lt(chi_square(counts, MEMBERS, 10000), limit_of(MEMBERS - 1));
    counts[0] += 500;
    cr_assert_gt(chi_square(counts, MEMBERS, 10000), limit_of(MEMBERS - 1));
}
