#include "ds/intset.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static uint8_t set[64 * 1024];

static void add(int64_t number)
{
    size_t index, bytes = intset_bytes_with(set, number);
    if (intset_find(set, number, &index)) return;
    intset_insert(set, index, number);
    cr_assert_eq(intset_bytes(set), bytes);
}

static void expect(size_t count, const int64_t *numbers, unsigned width)
{
    cr_assert(intset_validate(span_of(set, intset_bytes(set))));
    cr_assert_eq(intset_count(set), count);
    cr_assert_eq(intset_width(set), width);
    for (size_t i = 0; i < count; i++) cr_assert_eq(intset_at(set, i), numbers[i]);
}

Test(intset, bytes_are_those_of_redis)
{
    /* DUMP after SADD k 5 -70000 1 at Redis 7.0.15. */
    static const uint8_t expected[] = "\x04\x00\x00\x00\x03\x00\x00\x00"
                                      "\x90\xee\xfe\xff\x01\x00\x00\x00\x05\x00\x00\x00";
    intset_init(set);
    add(5);
    add(-70000);
    add(1);
    cr_assert_eq(intset_bytes(set), sizeof expected - 1);
    cr_assert_arr_eq(set, expected, sizeof expected - 1);
}

Test(intset, widens_at_either_end_and_never_narrows)
{
    intset_init(set);
    expect(0, NULL, 2);
    add(INT16_MAX);
    add(INT16_MIN);
    add(0);
    add(0);
    expect(3, (int64_t[]){INT16_MIN, 0, INT16_MAX}, 2);
    add(INT16_MIN - 1);
    add(INT32_MAX);
    expect(5, (int64_t[]){INT16_MIN - 1, INT16_MIN, 0, INT16_MAX, INT32_MAX}, 4);
    add(INT64_MAX);
    add(INT64_MIN);
    expect(7, (int64_t[]){INT64_MIN, INT16_MIN - 1, INT16_MIN, 0, INT16_MAX, INT32_MAX, INT64_MAX},
           8);
    intset_remove(set, 6);
    intset_remove(set, 0);
    intset_remove(set, 1);
    expect(4, (int64_t[]){INT16_MIN - 1, 0, INT16_MAX, INT32_MAX}, 8);
}

Test(intset, finds_what_is_there_and_where_the_rest_would_stand)
{
    size_t index;
    intset_init(set);
    for (int64_t number = 0; number < 1000; number++) add(number * 3);
    for (int64_t number = -1; number < 3002; number++) {
        bool there = number >= 0 && number < 3000 && number % 3 == 0;
        cr_assert_eq(intset_find(set, number, &index), there);
        cr_assert_eq(index, (size_t)(number + 2) / 3 > 1000 ? 1000 : (size_t)(number + 2) / 3);
    }
}

Test(intset, unsound_bytes_are_refused)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool sound;
    } cases[] = {
        {"\2\0\0\0\0\0\0\0", 8, true},
        {"\2\0\0\0\2\0\0\0\1\0\2\0", 12, true},
        {"\2\0\0\0\0\0\0", 7, false},
        {"", 0, false},
        {"\2\0\0\0\2\0\0\0\2\0\1\0", 12, false},         /* not sorted */
        {"\2\0\0\0\2\0\0\0\1\0\1\0", 12, false},         /* twice the same */
        {"\2\0\0\0\3\0\0\0\1\0\2\0", 12, false},         /* shorter than it says */
        {"\2\0\0\0\1\0\0\0\1\0\2\0", 12, false},         /* longer */
        {"\3\0\0\0\0\0\0\0", 8, false},                  /* no such width */
        {"\0\0\0\0\xff\xff\xff\xff", 8, false},          /* numbers of no bytes */
        {"\2\0\0\0\xff\xff\xff\xff\1\0\2\0", 12, false}, /* a count that would overflow */
        {"\2\0\0\0\2\0\0\0\1\0\xff\xff", 12, false},     /* 1, -1 */
        {"\2\0\0\0\2\0\0\0\xff\xff\1\0", 12, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *exact = malloc(cases[i].len + 1); /* no byte beyond is read */
        memcpy(exact + 1, cases[i].bytes, cases[i].len);
        cr_expect_eq(intset_validate(span_of(exact + 1, cases[i].len)), cases[i].sound, "case %zu",
                     i);
        free(exact);
    }
}
