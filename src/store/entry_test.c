/* Entries: their sizes, their forms, and what may change in place. */
#include "base/mem.h"
#include "store/entry.h"
#include "store/value.h"
#include <criterion/criterion.h>
#include <stdlib.h>

#define KEY16 SPAN("key:000000000042")
#define FAR   ((int64_t)1795363200123)

static char text[200 * 1024];

static struct span filled(size_t len)
{
    for (size_t i = 0; i < len; i++) text[i] = (char)('a' + i % 26);
    return span_of(text, len);
}

static void expect_string(const struct entry *e, struct span wanted)
{
    char scratch[NUM_INT64_CHARS];
    struct span found = entry_string(e, scratch);
    cr_assert(span_equal(found, wanted), "%zu bytes instead of %zu", found.len, wanted.len);
    cr_assert_eq(entry_string_len(e), wanted.len);
}

struct size_case {
    size_t value_len;
    int64_t deadline;
    size_t bytes, class;
};

Test(entry, takes_the_bytes_that_the_drawing_says)
{
    const struct size_case cases[] = {
        {16, NO_DEADLINE, 41, 48},    {16, FAR, 47, 48},
        {32, NO_DEADLINE, 57, 64},    {32, FAR, 63, 64},
        {100, NO_DEADLINE, 125, 128}, {254, NO_DEADLINE, 279, 320},
        {255, NO_DEADLINE, 284, 320},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct span value = filled(cases[i].value_len);
        struct entry *e = entry_new_string(KEY16, cases[i].deadline, value, false);
        cr_assert_eq(entry_bytes(e), cases[i].bytes);
        cr_assert_eq(mem_class(entry_bytes(e)), cases[i].class);
        cr_assert_eq(entry_memory(e), cases[i].class);
        cr_assert_geq(mem_usable(e), cases[i].class);
        entry_free(e);
    }
    struct entry *e = entry_new_string(KEY16, NO_DEADLINE, SPAN("123456789"), false);
    cr_assert_eq(entry_bytes(e), 32);
    entry_free(e);
}

Test(entry, knows_the_size_classes_of_the_allocator)
{
#ifndef PANDO_NO_JEMALLOC
    for (size_t size = 1; size < 40000; size++) cr_assert_eq(mem_class(size), mem_good_size(size));
    for (size_t size = 40000; size < 300 << 20; size += size / 37)
        cr_assert_eq(mem_class(size), mem_good_size(size), "%zu", size);
#endif
    for (size_t size = 1; size < 5000; size++) cr_assert_geq(mem_class(size), size);
}

Test(entry, chooses_the_form_that_the_string_asks_for)
{
    const struct {
        const char *value, *encoding;
    } cases[] = {
        {"", "embstr"},
        {"0", "int"},
        {"-1", "int"},
        {"9223372036854775807", "int"},
        {"-9223372036854775808", "int"},
        {"9223372036854775808", "embstr"},
        {"-0", "embstr"},
        {"007", "embstr"},
        {"+1", "embstr"},
        {" 1", "embstr"},
        {"1.0", "embstr"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "embstr"}, /* 44 */
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "raw"},   /* 45 */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct span value = span_of_cstr(cases[i].value);
        struct entry *e = entry_new_string(KEY16, FAR, value, false);
        cr_assert_str_eq(entry_encoding_name(e), cases[i].encoding, "\"%s\"", cases[i].value);
        expect_string(e, value);
        entry_free(e);

        e = entry_new_string(KEY16, NO_DEADLINE, value, true);
        cr_assert_str_eq(entry_encoding_name(e), "raw");
        expect_string(e, value);
        int64_t number;
        cr_assert_eq(entry_string_int64(e, &number), strcmp(cases[i].encoding, "int") == 0);
        entry_free(e);
    }
}

Test(entry, keeps_long_strings_outside)
{
    struct entry *inside = entry_new_string(KEY16, FAR, filled(ENTRY_INLINE_BYTES_MAX), false);
    cr_assert_eq(entry_encoding(inside), ENC_RAW);
    expect_string(inside, filled(ENTRY_INLINE_BYTES_MAX));
    entry_free(inside);

    struct entry *outside = entry_new_string(KEY16, FAR, filled(ENTRY_INLINE_BYTES_MAX + 1), false);
    cr_assert_eq(entry_encoding(outside), ENC_BLOB);
    cr_assert_str_eq(entry_encoding_name(outside), "raw");
    cr_assert_geq(entry_memory(outside), ENTRY_INLINE_BYTES_MAX + 48);
    expect_string(outside, filled(ENTRY_INLINE_BYTES_MAX + 1));
    entry_free(outside);
}

Test(entry, keeps_every_deadline_exactly)
{
    const int64_t deadlines[] = {NO_DEADLINE,
                                 0,
                                 1,
                                 -1,
                                 FAR,
                                 ((int64_t)1 << 47) - 1,
                                 (int64_t)1 << 47,
                                 -((int64_t)1 << 47),
                                 -((int64_t)1 << 47) - 1,
                                 9223372036854770000,
                                 INT64_MAX,
                                 INT64_MIN + 1};
    size_t count = sizeof(deadlines) / sizeof(*deadlines);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            for (size_t len = 0; len < 70; len++) {
                struct span value = filled(len);
                struct entry *e = entry_new_string(KEY16, deadlines[i], value, false);
                cr_assert_eq(entry_deadline(e), deadlines[i]);
                entry_set_clock(e, 0xabcdef);
                e = entry_with_deadline(e, deadlines[j]);
                cr_assert_eq(entry_deadline(e), deadlines[j]);
                cr_assert_eq(entry_clock(e), 0xabcdef);
                cr_assert(span_equal(entry_key(e), KEY16));
                expect_string(e, value);
                entry_free(e);
            }
}

Test(entry, gets_a_deadline_in_place_where_the_class_has_room)
{
    struct entry *e = entry_new_string(KEY16, NO_DEADLINE, filled(16), false);
    cr_assert_eq(entry_with_deadline(e, FAR), e);
    cr_assert_eq(entry_with_deadline(e, NO_DEADLINE), e);
    entry_free(e);
}

Test(entry, takes_keys_of_any_length)
{
    const size_t lens[] = {
        0, 1, 300, ENTRY_KEY_LEN_LONG - 1, ENTRY_KEY_LEN_LONG, ENTRY_KEY_LEN_LONG + 1};
    char *name = malloc(ENTRY_KEY_LEN_LONG + 1);
    memset(name, 'k', ENTRY_KEY_LEN_LONG + 1);
    for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
        struct entry *e =
            entry_new_string(span_of(name, lens[i]), NO_DEADLINE, SPAN("value"), false);
        cr_assert(span_equal(entry_key(e), span_of(name, lens[i])));
        e = entry_with_deadline(e, FAR);
        cr_assert(span_equal(entry_key(e), span_of(name, lens[i])));
        e = entry_remake(e, SPAN("short"), NO_DEADLINE);
        cr_assert(span_equal(entry_key(e), SPAN("short")));
        expect_string(e, SPAN("value"));
        entry_free(e);
    }
    free(name);
}

Test(entry, is_overwritten_in_place_within_its_class_only)
{
    struct entry *e = entry_new_string(KEY16, NO_DEADLINE, filled(16), false); /* 41 of 48 */
    entry_set_clock(e, 77);
    cr_assert(entry_overwrite_string(e, NO_DEADLINE, SPAN("ABCDEFGHIJKLMNOPQRSTUVW"))); /* 48 */
    expect_string(e, SPAN("ABCDEFGHIJKLMNOPQRSTUVW"));
    cr_assert_eq(entry_clock(e), 77);
    cr_assert_not(entry_overwrite_string(e, NO_DEADLINE, SPAN("ABCDEFGHIJKLMNOPQRSTUVWX")));
    cr_assert_not(entry_overwrite_string(e, FAR, SPAN("ABCDEFGHIJKLMNOPQRSTUVW")));
    expect_string(e, SPAN("ABCDEFGHIJKLMNOPQRSTUVW"));
    cr_assert(entry_overwrite_string(e, FAR, SPAN("12345678")));
    cr_assert_eq(entry_encoding(e), ENC_INT);
    cr_assert_eq(entry_deadline(e), FAR);
    cr_assert(entry_overwrite_int64(e, FAR, -5));
    expect_string(e, SPAN("-5"));
    cr_assert(entry_overwrite_int64(e, 1, 6));
    cr_assert_eq(entry_deadline(e), 1);
    cr_assert_not(entry_overwrite_string(e, NO_DEADLINE, filled(ENTRY_INLINE_BYTES_MAX + 1)));
    entry_free(e);
}

Test(entry, is_not_overwritten_with_its_own_bytes)
{
    char scratch[NUM_INT64_CHARS];
    struct entry *e = entry_new_string(KEY16, NO_DEADLINE, filled(16), false);
    cr_assert_not(entry_overwrite_string(e, FAR, entry_string(e, scratch)));
    entry_free(e);
}

Test(entry, grows_and_shrinks_as_a_raw_string)
{
    const size_t lens[] = {0,     1,     16,    23,    24,    254,   255,   256,  65535,
                           65536, 65537, 70000, 90000, 65537, 65536, 65537, 1000, 0};
    struct entry *e = entry_new_string(KEY16, FAR, SPAN("-42"), false);
    char wanted[100 * 1024];
    size_t len = 3;
    memcpy(wanted, "-42", 3);
    entry_set_clock(e, 99);
    for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
        char *bytes;
        bool copied;
        e = entry_resize_string(e, lens[i], &bytes, &copied);
        cr_assert_not(copied);
        if (lens[i] > len) memset(wanted + len, 0, lens[i] - len);
        len = lens[i];
        expect_string(e, span_of(wanted, len));
        cr_assert_str_eq(entry_encoding_name(e), "raw");
        cr_assert_eq(entry_encoding(e) == ENC_BLOB, len > ENTRY_INLINE_BYTES_MAX);
        memset(bytes, (int)('a' + i), len);
        memset(wanted, (int)('a' + i), len);
        expect_string(e, span_of(wanted, len));
        cr_assert_eq(entry_deadline(e), FAR);
        cr_assert_eq(entry_clock(e), 99);
    }
    entry_free(e);
}

Test(entry, never_changes_a_value_that_somebody_else_holds)
{
    struct span before = filled(100000);
    struct entry *e = entry_new_string(KEY16, NO_DEADLINE, before, false);
    struct blob *leased = entry_pointer(e);
    char *bytes;
    bool copied;
    blob_hold(leased);
    cr_assert(value_shared(leased));
    e = entry_resize_string(e, 100001, &bytes, &copied);
    cr_assert(copied);
    bytes[0] = '!';
    cr_assert(span_equal(span_of(leased->bytes, leased->len), before));
    cr_assert_neq(entry_pointer(e), leased);
    cr_assert_not(value_shared(leased)); /* ours alone now */
    blob_drop(leased);
    entry_free(e);
}

Test(entry, copies_in_depth)
{
    struct span values[] = {SPAN("17"), SPAN("text"), filled(100000)};
    for (int i = 0; i < 3; i++) {
        struct entry *e = entry_new_string(KEY16, FAR, values[i], false);
        struct entry *copy = entry_copy(e, SPAN("other"), NO_DEADLINE);
        entry_free(e);
        cr_assert(span_equal(entry_key(copy), SPAN("other")));
        cr_assert_eq(entry_deadline(copy), NO_DEADLINE);
        expect_string(copy, values[i]);
        entry_free(copy);
    }
}
