/* Whether a form is sound was asked of Redis 7.0.15, by RESTORE with sanitize-dump-payload. */
#include "ds/ziplist.h"

#include "base/mem.h"
#include <criterion/criterion.h>

static uint8_t zl[512];
static size_t used;

/* A ziplist of items that are given whole, back lengths included. */
static struct span ziplist_of(size_t count, const struct span *items)
{
    uint32_t size, tail = 10;

    used = 10;
    for (size_t i = 0; i < count; i++) {
        tail = (uint32_t)used;
        memcpy(zl + used, items[i].ptr, items[i].len);
        used += items[i].len;
    }
    zl[used++] = 0xff;
    size = (uint32_t)used;
    memcpy(zl, &size, 4);
    memcpy(zl + 4, &tail, 4);
    zl[8] = (uint8_t)count;
    zl[9] = 0;
    return span_of(zl, used);
}
#define ZIPLIST(...)                                                                               \
    ziplist_of(sizeof((struct span[]){__VA_ARGS__}) / sizeof(struct span),                         \
               (struct span[]){__VA_ARGS__})

static bool is_sound(struct span bytes)
{
    /* A copy of just that length: reading beyond it is found out by the sanitizer. */
    size_t count = 0;
    char *copy = mem_alloc(bytes.len);
    if (bytes.len > 0) memcpy(copy, bytes.ptr, bytes.len);
    bool sound = ziplist_validate(span_of(copy, bytes.len), &count);
    mem_free(copy);
    return sound;
}

static bool item_is_sound(struct span item)
{
    return is_sound(ZIPLIST(SPAN("\x00\x01"
                                 "a"),
                            item));
}

Test(ziplist, items_come_in_order)
{
    size_t count = 0;
    struct span bytes = ZIPLIST(SPAN("\x00\x01"
                                     "a"),
                                SPAN("\x03\xfe\x85"), SPAN("\x03\xf1"), SPAN("\x02\x02zz"));
    cr_assert(ziplist_validate(bytes, &count));
    cr_assert_eq(count, 4);

    size_t item = ziplist_first(zl);
    struct listpack_value value = ziplist_value(zl, item);
    cr_assert(span_equal(span_of(value.ptr, value.len), SPAN("a")));
    item = ziplist_next(zl, item);
    value = ziplist_value(zl, item);
    cr_assert(value.ptr == NULL && value.number == -123);
    item = ziplist_next(zl, item);
    value = ziplist_value(zl, item);
    cr_assert(value.ptr == NULL && value.number == 0);
    item = ziplist_next(zl, item);
    value = ziplist_value(zl, item);
    cr_assert(span_equal(span_of(value.ptr, value.len), SPAN("zz")));
    cr_assert_eq(ziplist_next(zl, item), 0);
}

static int64_t number_of(struct span item)
{
    size_t count = 0;
    cr_assert(ziplist_validate(ziplist_of(1, &item), &count));
    struct listpack_value value = ziplist_value(zl, ziplist_first(zl));
    cr_assert_null(value.ptr);
    return value.number;
}

Test(ziplist, integers_of_every_width)
{
    cr_assert_eq(number_of(SPAN("\x00\xc0\xff\x7f")), 32767);
    cr_assert_eq(number_of(SPAN("\x00\xd0\x00\x00\x00\x80")), -2147483648);
    cr_assert_eq(number_of(SPAN("\x00\xe0\x01\x01\x01\x01\x01\x01\x01\x81")), -9151031864016699135);
    cr_assert_eq(number_of(SPAN("\x00\xf0\xff\xff\xff")), -1);
    cr_assert_eq(number_of(SPAN("\x00\xf0\xff\xff\x7f")), 8388607);
    cr_assert_eq(number_of(SPAN("\x00\xfe\x80")), -128);
    cr_assert_eq(number_of(SPAN("\x00\xf1")), 0);
    cr_assert_eq(number_of(SPAN("\x00\xfd")), 12);
}

Test(ziplist, strings_of_every_width_of_length)
{
    cr_assert(item_is_sound(SPAN("\x03\x03"
                                 "abc")));
    cr_assert(item_is_sound(SPAN("\x03\x40\x03"
                                 "abc")));
    cr_assert(item_is_sound(SPAN("\x03\x80\x00\x00\x00\x03"
                                 "abc")));
    cr_assert(item_is_sound(SPAN("\x03\xbf\x00\x00\x00\x03"
                                 "abc")));
    struct listpack_value value = ziplist_value(zl, ziplist_next(zl, ziplist_first(zl)));
    cr_assert(span_equal(span_of(value.ptr, value.len), SPAN("abc")));
    cr_assert_not(item_is_sound(SPAN("\x03\x80\x00\x00\x00\x04"
                                     "abc")));
    cr_assert_not(item_is_sound(SPAN("\x03\x80\xff\xff\xff\xff"
                                     "abc")));
}

Test(ziplist, what_is_no_encoding_is_refused)
{
    cr_assert_not(item_is_sound(SPAN("\x03\xff")));
    cr_assert_not(item_is_sound(SPAN("\x03\xc1\x00\x00")));
    cr_assert_not(item_is_sound(SPAN("\x03\xd1\x00\x00\x00\x00")));
    cr_assert_not(item_is_sound(SPAN("\x03\xef\x00\x00\x00\x00\x00\x00\x00\x00")));
    cr_assert_not(item_is_sound(SPAN("\x03\xc0\x00")), "cut short");
    cr_assert_not(item_is_sound(SPAN("\x03")));
}

Test(ziplist, back_lengths_are_checked)
{
    cr_assert(item_is_sound(SPAN("\xfe\x03\x00\x00\x00\x01"
                                 "1")),
              "the long form is sound for a short length");
    cr_assert_not(item_is_sound(SPAN("\x02\x01"
                                     "1")));
    cr_assert_not(item_is_sound(SPAN("\xfe\x03\x00\x00")));
    cr_assert_not(is_sound(ZIPLIST(SPAN("\x07\x01"
                                        "a"))));
}

Test(ziplist, the_head_is_checked)
{
    struct span item = SPAN("\x00\x01"
                            "a");
    cr_assert(is_sound(ziplist_of(0, &item)));
    cr_assert_eq(ziplist_first(zl), 0);
    struct span bytes = ziplist_of(1, &item);
    for (size_t len = 0; len < bytes.len; len++) cr_assert_not(is_sound(span_of(zl, len)));
    zl[8] = 2;
    cr_assert_not(is_sound(bytes), "count");
    zl[8] = zl[9] = 0xff;
    cr_assert(is_sound(bytes), "count not known");
    zl[4]++;
    cr_assert_not(is_sound(bytes), "tail");
    zl[4]--;
    zl[0]++;
    cr_assert_not(is_sound(bytes), "size");
    zl[0]--;
    zl[used - 1] = 0;
    cr_assert_not(is_sound(bytes), "end");
}

/* ---- zipmaps ------------------------------------------------------------------------------------ */

static bool map_is_sound(struct span bytes)
{
    size_t pairs;
    return zipmap_validate(bytes, &pairs);
}

Test(zipmap, pairs_come_in_order)
{
    struct span bytes = SPAN("\x02\x01"
                             "a\x01\x00x\x01"
                             "b\x02\x03yyfff\xff");
    struct span field, value;
    size_t pairs = 0;

    cr_assert(zipmap_validate(bytes, &pairs));
    cr_assert_eq(pairs, 2);
    struct span rest = zipmap_pairs(bytes);
    cr_assert(zipmap_next(&rest, &field, &value));
    cr_assert(span_equal(field, SPAN("a")) && span_equal(value, SPAN("x")));
    cr_assert(zipmap_next(&rest, &field, &value));
    cr_assert(span_equal(field, SPAN("b")) && span_equal(value, SPAN("yy")));
    cr_assert_not(zipmap_next(&rest, &field, &value));
}

Test(zipmap, what_is_wrong_is_refused)
{
    cr_assert(map_is_sound(SPAN("\x00\xff")));
    cr_assert(map_is_sound(SPAN("\xfe\x01"
                                "a\x01\x00x\xff")),
              "count not known");
    cr_assert_not(map_is_sound(SPAN("\xff\x01"
                                    "a\x01\x00x\xff")));
    cr_assert_not(map_is_sound(SPAN("\x02\x01"
                                    "a\x01\x00x\xff")),
                  "count");
    cr_assert_not(map_is_sound(SPAN("\x01\x01"
                                    "a\x05\x00x\xff")),
                  "a value beyond the end");
    cr_assert_not(map_is_sound(SPAN("\x01\x01"
                                    "a\x01\x05x\xff")),
                  "room beyond the end");
    cr_assert_not(map_is_sound(SPAN("\x01\x01"
                                    "a\xff")),
                  "a field without value");
    cr_assert_not(map_is_sound(SPAN("\x01\x01"
                                    "a\x01\x00x\xff\xff")),
                  "bytes behind the end");
    cr_assert_not(map_is_sound(SPAN("\x01\xfe\x01\x00\x00\x00"
                                    "a\x01\x00x\xff")),
                  "a length in a longer form than needed");
    cr_assert_not(map_is_sound(SPAN("\x01\x01"
                                    "a\x01\x00x")),
                  "no end");
    cr_assert_not(map_is_sound(SPAN("\xff")));
    cr_assert_not(map_is_sound(SPAN("")));
}
