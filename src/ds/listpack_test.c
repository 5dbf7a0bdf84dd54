#include "ds/listpack.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t lp[256 * 1024];

static void expect(size_t item, const char *text)
{
    char scratch[NUM_INT64_CHARS];
    struct span got = listpack_text(lp, item, scratch);
    cr_assert(span_equal(got, span_of_cstr(text)), "%.*s instead of %s", (int)got.len, got.ptr,
              text);
}

static void expect_sound(size_t count)
{
    cr_assert(listpack_validate(span_of(lp, listpack_bytes(lp))));
    cr_assert_eq(listpack_count(lp), count);
}

Test(listpack, bytes_are_those_of_redis)
{
    /* DUMP of a hash {a: 1, number: -70000} at Redis 7.0.15. */
    static const uint8_t expected[] = "\x19\x00\x00\x00\x04\x00\x81"
                                      "a\x02\x01\x01\x86number\x07\xf2\x90\xee\xfe\x04\xff";
    listpack_init(lp);
    listpack_append(lp, SPAN("a"));
    listpack_append(lp, SPAN("1"));
    listpack_append(lp, SPAN("number"));
    listpack_append(lp, SPAN("-70000"));
    cr_assert_eq(listpack_bytes(lp), sizeof expected - 1);
    cr_assert_arr_eq(lp, expected, sizeof expected - 1);
    expect_sound(4);
}

Test(listpack, every_width_of_integer_and_of_length)
{
    static const char *const texts[] = {"0",
                                        "127",
                                        "128",
                                        "-1",
                                        "4095",
                                        "-4096",
                                        "4096",
                                        "-4097",
                                        "32767",
                                        "-32768",
                                        "32768",
                                        "8388607",
                                        "-8388608",
                                        "8388608",
                                        "2147483647",
                                        "-2147483648",
                                        "2147483648",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "9223372036854775808",
                                        "01",
                                        "-0",
                                        "",
                                        "-",
                                        "1.5"};
    const size_t count = sizeof texts / sizeof *texts;
    listpack_init(lp);
    for (size_t i = 0; i < count; i++) {
        size_t before = listpack_bytes(lp), takes = listpack_item_bytes(span_of_cstr(texts[i]));
        listpack_append(lp, span_of_cstr(texts[i]));
        cr_assert_eq(listpack_bytes(lp), before + takes);
    }
    expect_sound(count);
    size_t item = listpack_first(lp);
    for (size_t i = 0; i < count; i++, item = listpack_next(lp, item)) {
        expect(item, texts[i]);
        cr_assert_eq(listpack_at(lp, (int64_t)i), item);
        cr_assert_eq(listpack_at(lp, (int64_t)i - (int64_t)count), item);
        cr_assert_eq(listpack_find(lp, listpack_first(lp), span_of_cstr(texts[i]), 0), item);
    }
    cr_assert_eq(item, 0);
    for (size_t i = count; i-- > 0;) {
        item = listpack_previous(lp, item == 0 ? listpack_end(lp) : item);
        expect(item, texts[i]);
    }
    cr_assert_eq(listpack_previous(lp, item), 0);
}

Test(listpack, long_strings)
{
    static char text[70000];
    static const size_t lens[] = {63, 64, 126, 127, 128, 4095, 4096, 16382, 16384, 70000};
    memset(text, 'x', sizeof text);
    listpack_init(lp);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
        listpack_append(lp, span_of(text, lens[i]));
    expect_sound(sizeof lens / sizeof *lens);
    size_t item = listpack_end(lp);
    for (size_t i = sizeof lens / sizeof *lens; i-- > 0;) {
        item = listpack_previous(lp, item);
        cr_assert_eq(listpack_value(lp, item).len, lens[i]);
    }
}

Test(listpack, changes_in_the_middle)
{
    listpack_init(lp);
    for (int i = 0; i < 100; i++) listpack_insert_int64(lp, listpack_end(lp), i);
    size_t item = listpack_at(lp, 50);
    size_t behind = listpack_insert(lp, item, SPAN("between"));
    expect(item, "between");
    expect(behind, "50");
    listpack_replace(lp, item, SPAN("something longer than before"));
    expect(listpack_next(lp, item), "50");
    listpack_replace_int64(lp, item, 7);
    expect(item, "7");
    cr_assert_eq(listpack_remove(lp, item, 3), 3);
    expect(item, "52");
    expect_sound(98);
    cr_assert_eq(listpack_remove(lp, listpack_at(lp, 96), 10), 2);
    expect_sound(96);
    cr_assert_eq(listpack_at(lp, 96), 0);
}

Test(listpack, moves_what_stands_in_front_as_well)
{
    uint8_t *begin = lp + 100;

    listpack_init(begin);
    listpack_append(begin, SPAN("a"));
    listpack_append(begin, SPAN("c"));
    begin = listpack_insert_front(begin, listpack_last(begin), SPAN("-70000"));
    cr_assert_eq(begin, lp + 100 - 5);
    begin = listpack_insert_front(begin, LISTPACK_HEAD_BYTES, SPAN("first"));
    begin = listpack_insert_front(begin, listpack_end(begin), SPAN("last"));
    cr_assert_eq(begin, lp + 100 - 5 - 7 - 6);
    begin = listpack_remove_front(begin, listpack_next(begin, listpack_first(begin)), 2);
    cr_assert_eq(begin, lp + 100 - 7 - 6 + 3);
    memmove(lp, begin, listpack_bytes(begin));
    expect_sound(3);
    expect(listpack_at(lp, 0), "first");
    expect(listpack_at(lp, 1), "c");
    expect(listpack_at(lp, 2), "last");
}

Test(listpack, more_items_than_the_head_can_count)
{
    listpack_init(lp);
    for (int i = 0; i < 70000; i++) listpack_insert_int64(lp, listpack_end(lp), i % 100);
    expect_sound(70000);
    cr_assert_eq(listpack_value(lp, listpack_at(lp, 69999)).number, 99);
    cr_assert_eq(listpack_value(lp, listpack_at(lp, -70000)).number, 0);
    cr_assert_eq(listpack_at(lp, 70000), 0);
    cr_assert_eq(listpack_at(lp, -70001), 0);
}

Test(listpack, unsound_bytes_are_refused)
{
    listpack_init(lp);
    listpack_append(lp, SPAN("some text"));
    listpack_append(lp, SPAN("123456"));
    size_t bytes = listpack_bytes(lp);
    cr_assert(listpack_validate(span_of(lp, bytes)));
    cr_assert_not(listpack_validate(span_of(lp, bytes - 1)));
    cr_assert_not(listpack_validate(span_of(lp, 0)));
    for (size_t i = 0; i < bytes; i++) { /* never reads beyond, whatever it says */
        uint8_t old = lp[i];
        for (int value = 0; value < 256; value++) {
            lp[i] = (uint8_t)value;
            uint8_t *exact = malloc(bytes);
            memcpy(exact, lp, bytes);
            listpack_validate(span_of(exact, bytes));
            free(exact);
        }
        lp[i] = old;
    }
    lp[4] = 3;
    cr_assert_not(listpack_validate(span_of(lp, bytes)));
}

static void append(const char *text)
{
    listpack_append(lp, span_of_cstr(text));
}

Test(listpack, equal_items_are_found_out)
{
    const struct hash_secret secret = {3, 4};
    char text[16];

    listpack_init(lp);
    cr_assert(listpack_is_distinct(lp, 0, &secret));
    append("a");
    append("1");
    append("b");
    cr_assert(listpack_is_distinct(lp, 0, &secret));
    append("1");
    cr_assert_not(listpack_is_distinct(lp, 0, &secret));
    cr_assert(listpack_is_distinct(lp, 1, &secret), "values may be equal");

    listpack_init(lp);
    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, i % 2 ? "f%d" : "%d", i);
        append(text);
    }
    cr_assert(listpack_is_distinct(lp, 0, &secret));
    append("1500");
    cr_assert_not(listpack_is_distinct(lp, 0, &secret));
}

Test(listpack, an_integer_kept_as_a_string_is_equal_to_the_integer)
{
    static const uint8_t foreign[] = "\x0c\x00\x00\x00\x02\x00\x81"
                                     "7\x02\x07\x01\xff";
    const struct hash_secret secret = {3, 4};

    memcpy(lp, foreign, sizeof foreign - 1);
    cr_assert(listpack_validate(span_of(lp, 12)));
    cr_assert_not(listpack_is_distinct(lp, 0, &secret));
    cr_assert_eq(listpack_find(lp, listpack_first(lp), SPAN("7"), 0), listpack_first(lp));
}

Test(listpack, an_empty_text_may_have_no_address)
{
    listpack_init(lp);
    append("full");
    append("");
    cr_assert_eq(listpack_find(lp, listpack_first(lp), span_of(NULL, 0), 0), listpack_last(lp));
    listpack_append(lp, span_of(NULL, 0));
    expect_sound(3);
}
