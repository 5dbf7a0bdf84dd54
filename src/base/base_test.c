/* Spans, buffers, error texts, randomness, memory figures. */
#include "base/ascii.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"
#include <criterion/criterion.h>
#include <ctype.h>
#include <pthread.h>

Test(ascii, agrees_with_the_c_locale)
{
    for (int c = 0; c < 256; c++) {
        cr_expect_eq(ascii_lower((char)c), tolower(c));
        cr_expect_eq(ascii_upper((char)c), toupper(c));
        cr_expect_eq(ascii_is_digit((char)c), isdigit(c) != 0);
        cr_expect_eq(ascii_is_space((char)c), isspace(c) != 0);
        cr_expect_eq(ascii_is_print((char)c), isprint(c) != 0);
        cr_expect_eq(ascii_hex_value((char)c) >= 0, isxdigit(c) != 0);
    }
    cr_expect_eq(ascii_hex_value('f'), 15);
    cr_expect_eq(ascii_hex_value('A'), 10);
    cr_expect_eq(ascii_hex_value('7'), 7);
}

Test(span, orders_as_memcmp_and_shorter_first)
{
    cr_expect_eq(span_compare(SPAN("abc"), SPAN("abc")), 0);
    cr_expect_lt(span_compare(SPAN("ab"), SPAN("abc")), 0);
    cr_expect_gt(span_compare(SPAN("abc"), SPAN("ab")), 0);
    cr_expect_lt(span_compare(SPAN("a\x7f"), SPAN("a\x80")), 0, "bytes are unsigned");
    cr_expect_eq(span_compare(span_of(NULL, 0), SPAN("")), 0);
    cr_expect_lt(span_compare(span_of(NULL, 0), SPAN("a")), 0);
}

Test(span, compares_without_case)
{
    cr_expect(span_equal_nocase(SPAN("KeepTTL"), SPAN("kEEPttl")));
    cr_expect_not(span_equal_nocase(SPAN("a"), SPAN("ab")));
    cr_expect_not(span_equal_nocase(SPAN("["), SPAN("{")), "only letters have a case");
    cr_expect(span_is(SPAN("NX"), "nx"));
    cr_expect_not(span_is(SPAN("NX"), "n"));
    cr_expect_not(span_is(SPAN("N"), "nx"));
    cr_expect_not(span_is(SPAN("n\0"), "n"), "a zero byte is a byte");
    cr_expect(span_is(span_of(NULL, 0), ""));
}

Test(buf, grows_and_keeps_its_bytes)
{
    struct buf buf = {0};
    for (int i = 0; i < 1000; i++) {
        buf_append_int64(&buf, i);
        buf_append_char(&buf, ',');
    }
    cr_assert_eq(buf.len, 10 * 2 + 90 * 3 + 900 * 4);
    cr_expect_eq(memcmp(buf.ptr, "0,1,2,3,", 8), 0);
    cr_expect_eq(memcmp(buf.ptr + buf.len - 8, "998,999,", 8), 0);
    buf_drop_front(&buf, buf.len - 4);
    cr_expect(span_equal(buf_span(&buf), SPAN("999,")));
    buf_clear(&buf);
    cr_expect_eq(buf.len, 0);
    cr_expect_gt(buf.cap, 0);
    buf_append(&buf, NULL, 0);
    buf_append_span(&buf, SPAN("end"));
    cr_expect(span_equal(buf_span(&buf), SPAN("end")));
    buf_release(&buf);
    cr_expect_null(buf.ptr);
}

Test(buf, prints_longer_than_its_room)
{
    struct buf buf = {0};
    char long_text[5000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    buf_printf(&buf, "%d:%s!", 17, long_text);
    cr_assert_eq(buf.len, 3 + 4999 + 1);
    cr_expect_eq(buf.ptr[buf.len - 1], '!');
    buf_printf(&buf, "%s", "");
    cr_expect_eq(buf.len, 5003);
    buf_release(&buf);
}

Test(err, every_failure_has_a_text)
{
    for (int i = 1; i < ERR_COUNT; i++) cr_expect_gt(strlen(err_text((enum err)i)), 2, "%d", i);
    cr_expect_str_eq(err_text(ERR_SYNTAX), "ERR syntax error");
}

Test(random, replays_from_a_seed)
{
    struct random a, b;
    random_seed(&a, 42);
    random_seed(&b, 42);
    for (int i = 0; i < 100; i++) cr_assert_eq(random_next(&a), random_next(&b));
    /* The reference generator of Blackman and Vigna, started from splitmix64(42). */
    random_seed(&a, 42);
    cr_expect_eq(random_next(&a), 0x15780b2e0c2ec716u);
    cr_expect_eq(random_next(&a), 0x6104d9866d113a7eu);
}

Test(random, stays_below_and_reaches_every_number)
{
    struct random random;
    int seen[7] = {0};
    random_seed(&random, 1);
    for (int i = 0; i < 7000; i++) seen[random_below(&random, 7)]++;
    for (int i = 0; i < 7; i++) cr_expect(seen[i] > 800 && seen[i] < 1200, "%d: %d", i, seen[i]);
    for (int i = 0; i < 1000; i++) {
        cr_expect_eq(random_below(&random, 1), 0);
        cr_expect_lt(random_below(&random, UINT64_MAX / 2 + 2), UINT64_MAX / 2 + 2);
    }
}

Test(random, hex_is_lower_case_hex_and_differs)
{
    char a[41] = {0}, b[41] = {0};
    random_hex(a, 40);
    random_hex(b, 40);
    cr_expect_eq(strspn(a, "0123456789abcdef"), 40);
    cr_expect_str_neq(a, b);
    random_hex(b, 3); /* an odd count writes no byte more */
    cr_expect_neq(b[3], 0);
}

static void *allocate_and_end(void *out)
{
    mem_thread_register();
    *(void **)out = mem_alloc(1 << 20);
    mem_free(mem_alloc(1 << 20));
    return NULL;
}

Test(mem, counts_what_is_held_also_by_threads_that_ended)
{
    mem_thread_register();
    size_t before = mem_used();
    void *held = mem_zalloc(3 << 20);
    cr_expect_geq(mem_used(), before + (3 << 20));
    cr_expect_lt(mem_used(), before + (4 << 20));

    pthread_t thread;
    void *left;
    cr_assert_eq(pthread_create(&thread, NULL, allocate_and_end, &left), 0);
    pthread_join(thread, NULL);
    cr_expect_geq(mem_used(), before + (4 << 20), "a thread's balance outlives it");
    cr_expect_lt(mem_used(), before + (5 << 20));
    mem_free(left);
    held = mem_realloc(held, 6 << 20);
    cr_expect_geq(mem_used(), before + (6 << 20));
    mem_free(held);
    cr_expect_lt(mem_used(), before + (1 << 20));
}

Test(mem, sizes)
{
    for (size_t size = 0; size < 5000; size += 7) {
        void *ptr = mem_alloc(size);
        cr_expect_eq(mem_usable(ptr), mem_good_size(size), "%zu", size);
        cr_expect_geq(mem_usable(ptr), size);
        mem_free_sized(ptr, mem_usable(ptr));
    }
    void *aligned = mem_alloc_aligned(64, 640);
    cr_expect_eq((uintptr_t)aligned % 64, 0);
    mem_free(aligned);
    cr_expect_null(mem_try_alloc((size_t)1 << 62));
    mem_free(NULL);
}

#ifndef PANDO_NO_JEMALLOC
Test(mem, figures_of_the_allocator)
{
    struct mem_figures figures;
    void *ptr = mem_alloc(8 << 20);
    memset(ptr, 1, 8 << 20);
    mem_figures(&figures);
    cr_expect_geq(figures.allocated, 8 << 20);
    cr_expect_geq(figures.resident, figures.allocated);
    cr_expect_geq(figures.active, figures.allocated);
    mem_free(ptr);
    mem_purge();
    mem_figures(&figures);
    cr_expect_lt(figures.allocated, 8 << 20);
    cr_expect_eq(strncmp(mem_allocator_name(), "jemalloc-5.", 11), 0);
}
#endif
