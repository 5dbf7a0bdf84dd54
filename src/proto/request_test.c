/* The expected results were taken from Redis 7.0.15 on the wire, with and without requirepass. */
#include "proto/request.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct request request;
static struct request_limits limits = {.bulk_bytes_max = 536870912, .authenticated = true};

static void begin(void)
{
    request_init(&request);
}

static void end(void)
{
    request_release(&request);
}

TestSuite(request, .init = begin, .fini = end);

/* What came of `bytes`: words joined by '|', "more", or the error's text. */
static const char *outcome_of(struct span bytes, size_t *consumed, size_t *want)
{
    static char text[400000];
    const char *error = NULL;
    switch (request_parse(&request, bytes, &limits, consumed, want, &error)) {
    case REQUEST_MORE: return "more";
    case REQUEST_BROKEN: return error;
    case REQUEST_READY: break;
    }
    size_t len = 0;
    for (int i = 0; i < request.argc; i++) {
        if (i > 0) text[len++] = '|';
        memcpy(text + len, request.argv[i].ptr, request.argv[i].len);
        len += request.argv[i].len;
    }
    text[len] = 0;
    return text;
}

static const char *outcome(const char *bytes)
{
    size_t consumed, want;
    request_reset(&request);
    return outcome_of(span_of_cstr(bytes), &consumed, &want);
}

/* A line of `len` bytes behind `head`, without an end. */
static const char *outcome_endless(const char *head, char fill, size_t len)
{
    static char text[400000];
    size_t at = strlen(head);
    memcpy(text, head, at);
    memset(text + at, fill, len);
    text[at + len] = 0;
    return outcome(text);
}

Test(request, arrays)
{
    cr_expect_str_eq(outcome("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva\nue\r\n"), "SET|k|va\nue");
    cr_expect_str_eq(outcome("*1\r\n$0\r\n\r\n"), "");
    cr_expect_eq(request.argc, 1);
    cr_expect_str_eq(outcome("*2\r\n$4\r\nPING\r\n$0\r\n\r\n"), "PING|");
    cr_expect_not(request.is_inline);
    cr_expect_str_eq(outcome("*1\r\n$4\r\nPINGxx"), "PING",
                     "the end of an argument is not looked at");
    cr_expect_str_eq(outcome("*1\rX$4\rXPING\r\n"), "PING", "nor the line feed of a header");
}

/* What is passed on to replicas as it came must be what they all read the same way. */
Test(request, only_exact_bytes_are_canonical)
{
    static const struct {
        const char *bytes;
        bool canonical;
    } cases[] = {
        {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", true},
        {"*2\rX$3\r\nGET\r\n$1\r\nk\r\n", false},
        {"*2\r\n$3\r\nGET\r\n$1\rXk\r\n", false},
        {"*2\r\n$3\r\nGETX\n$1\r\nk\r\n", false},
        {"*2\r\n$3\r\nGET\r\n$1\r\nk\rX", false},
        {"GET k\r\n", false},
        {"*0\r\n", false},
        {"*-1\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        outcome(cases[i].bytes);
        cr_expect_eq(request.is_canonical, cases[i].canonical, "%s", cases[i].bytes);
    }
}

Test(request, counts_that_are_no_command)
{
    static const char *const empty[] = {"*0\r\n", "*-1\r\n", "*-5\r\n", "*-99999999999\r\n",
                                        "\r\n",   "\n",      "  \t\r\n"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        size_t consumed = 0, want;
        request_reset(&request);
        cr_expect_str_eq(outcome_of(span_of_cstr(empty[i]), &consumed, &want), "");
        cr_expect_eq(request.argc, 0);
        cr_expect_eq(consumed, strlen(empty[i]), "%s", empty[i]);
    }
}

Test(request, broken_arrays)
{
    static const struct {
        const char *bytes, *error;
    } cases[] = {
        {"*x\r\n", "invalid multibulk length"},
        {"*\r\n", "invalid multibulk length"},
        {"*01\r\n", "invalid multibulk length"},
        {"*+1\r\n", "invalid multibulk length"},
        {"*1 \r\n", "invalid multibulk length"},
        {"*-0\r\n", "invalid multibulk length"},
        {"*1\nX$4\r\n", "invalid multibulk length"},
        {"*2147483648\r\n", "invalid multibulk length"},
        {"*99999999999999999999\r\n", "invalid multibulk length"},
        {"*1\r\nx\r\n", "expected '$', got 'x'"},
        {"*1\r\n:5\r\n", "expected '$', got ':'"},
        {"*1\r\n\xff\r\n", "expected '$', got '\xff'"},
        {"*1\r\n\r\n", "expected '$', got '\r'"},
        {"*1\r$4\r\n", "expected '$', got '4'"},
        {"*1\r\n$-1\r\n", "invalid bulk length"},
        {"*1\r\n$\r\n", "invalid bulk length"},
        {"*1\r\n$x\r\n", "invalid bulk length"},
        {"*1\r\n$04\r\n", "invalid bulk length"},
        {"*1\r\n$536870913\r\n", "invalid bulk length"},
        {"*1\r\n$99999999999999999999\r\n", "invalid bulk length"},
        {"*2\r\n$4\r\nPING\r\n$-1\r\n", "invalid bulk length"},
        {"*1\r\n$536870912\r\n", "more"},
        {"*2147483647\r\n", "more"},
        {"*1\r\nx", "more"},
        {"*1\r\nx\r", "more"},
        {"*", "more"},
        {"*1\r", "more"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_str_eq(outcome(cases[i].bytes), cases[i].error, "%s", cases[i].bytes);
    cr_expect_leq(request.capacity, 1024, "a claim costs no memory");
}

Test(request, strangers_get_little)
{
    limits.authenticated = false;
    cr_expect_str_eq(outcome("*10\r\n"), "more");
    cr_expect_str_eq(outcome("*11\r\n"), "unauthenticated multibulk length");
    cr_expect_str_eq(outcome("*2147483648\r\n"), "invalid multibulk length");
    cr_expect_str_eq(outcome("*1\r\n$16384\r\n"), "more");
    cr_expect_str_eq(outcome("*1\r\n$16385\r\n"), "unauthenticated bulk length");
    cr_expect_str_eq(outcome("*2\r\n$4\r\nAUTH\r\n$16385\r\n"), "unauthenticated bulk length");
    cr_expect_str_eq(outcome("*1\r\n$536870913\r\n"), "invalid bulk length");
}

Test(request, endless_lines)
{
    cr_expect_str_eq(outcome_endless("", 'P', 65536), "more");
    cr_expect_str_eq(outcome_endless("", 'P', 65537), "too big inline request");
    cr_expect_str_eq(outcome_endless("*", '1', 65536), "more");
    cr_expect_str_eq(outcome_endless("*", '1', 70000), "too big mbulk count string");
    cr_expect_str_eq(outcome_endless("*1\r\n$", '1', 70000), "too big bulk count string");
    cr_expect_str_eq(outcome_endless("*1\r\n", 'x', 70000), "too big bulk count string");
}

Test(request, inline_words)
{
    cr_expect_str_eq(outcome("PING\r\n"), "PING");
    cr_expect(request.is_inline);
    cr_expect_str_eq(outcome("PING\n"), "PING");
    cr_expect_str_eq(outcome(" SET  k\tv \r\n"), "SET|k|v");
    cr_expect_str_eq(outcome("PING a\r\r\n"), "PING|a");
    cr_expect_str_eq(outcome("PING a\rb\r\n"), "PING|a|b");
    cr_expect_str_eq(outcome("PING \x0bx\x0c\r\n"), "PING|x\x0c");
    cr_expect_str_eq(outcome("PING"), "more");
}

Test(request, inline_quotes)
{
    cr_expect_str_eq(outcome("\"P\\x49NG\" \"a\\n\\r\\t\\b\\a\\q\\x4\"\r\n"),
                     "PING|a\n\r\t\b\aqx4");
    cr_expect_str_eq(outcome("PING 'a\\'b\\n'\r\n"), "PING|a'b\\n");
    cr_expect_str_eq(outcome("ECHO '' x\r\n"), "ECHO||x");
    cr_expect_str_eq(outcome("ECHO a\"b c\" d\r\n"), "ECHO|ab c|d");
    static const char *const unbalanced[] = {
        "\"PING\r\n",       "'PING\r\n",      "\"PING\"x\r\n", "ECHO a\"b c\"d\r\n",
        "PING \"a\\\"\r\n", "PING \"a\\\r\n", "ECHO ''''\r\n"};
    for (size_t i = 0; i < sizeof unbalanced / sizeof *unbalanced; i++)
        cr_expect_str_eq(outcome(unbalanced[i]), "unbalanced quotes in request", "%s",
                         unbalanced[i]);
}

Test(request, zero_bytes_are_bytes)
{
    size_t consumed, want;
    struct span line = SPAN("PING a\0b\r\n");
    outcome_of(line, &consumed, &want);
    cr_assert_eq(request.argc, 2);
    cr_expect(span_equal(request.argv[1], SPAN("a\0b")));
    request_reset(&request);
    cr_expect_str_eq(outcome_of(SPAN("*1\r\n\0\r\n"), &consumed, &want), "expected '$', got ' '");
}

/* Every cut of a stream of commands, each stretch in memory of its own. */
Test(request, resumes_where_it_stopped_in_a_buffer_that_moves)
{
    static const char stream[] =
        "*3\r\n$3\r\nSET\r\n$2\r\nke\r\n$12\r\nsome\r\nvalue!\r\n"
        "*1\r\n$4\r\nPING\r\n*0\r\nECHO 'x y'\r\n\r\n*2\r\n$1\r\na\r\n$0\r\n\r\n";
    static const char *const expected[] = {
        "SET|ke|some\r\nvalue!", "PING", "", "ECHO|x y", "", "a|"};
    size_t whole = sizeof stream - 1;
    for (size_t step = 1; step <= whole; step++) {
        size_t start = 0, seen = 0;
        request_reset(&request);
        for (size_t have = step; start < whole; have += step) {
            if (have > whole) have = whole;
            for (;;) {
                size_t consumed = 0, want = 0, len = have - start;
                char *moved = malloc(len + 1);
                memcpy(moved, stream + start, len);
                const char *result = outcome_of(span_of(moved, len), &consumed, &want);
                free(moved);
                if (strcmp(result, "more") == 0) {
                    cr_assert_leq(have + want, whole, "never asks for more than there will be");
                    break;
                }
                cr_assert_lt(seen, 6);
                cr_assert_str_eq(result, expected[seen]);
                seen++;
                start += consumed;
                if (start == whole) break;
            }
        }
        cr_assert_eq(seen, 6, "step %zu", step);
    }
}

Test(request, says_how_much_of_an_argument_is_missing)
{
    size_t consumed, want = 0;
    cr_expect_str_eq(outcome_of(SPAN("*2\r\n$3\r\nGET\r\n$100000\r\nabc"), &consumed, &want),
                     "more");
    cr_expect_eq(want, 100000 + 2 - 3);
}

Test(request, many_arguments_and_their_memory)
{
    struct buf bytes = {0};
    size_t consumed = 0, want = 0;
    const char *error;
    buf_printf(&bytes, "*%d\r\n", 100000);
    for (int i = 0; i < 100000; i++) buf_printf(&bytes, "$5\r\n%05d\r\n", i);
    cr_assert_eq(request_parse(&request, buf_span(&bytes), &limits, &consumed, &want, &error),
                 REQUEST_READY);
    cr_expect_eq(consumed, bytes.len);
    cr_assert_eq(request.argc, 100000);
    cr_expect(span_equal(request.argv[99999], SPAN("99999")));
    cr_expect_str_eq(outcome("*1\r\n$4\r\nPING\r\n"), "PING");
    cr_expect_leq(request.capacity, 1024, "a small command gives the memory back");
    buf_release(&bytes);
}

Test(request, splits_lines)
{
    struct buf arena = {0};
    struct span words[3];
    cr_expect_eq(request_split_line(SPAN("save 900 \"\\x31\""), &arena, words, 3), 3);
    cr_expect(span_equal(words[0], SPAN("save")));
    cr_expect(span_equal(words[1], SPAN("900")));
    cr_expect(span_equal(words[2], SPAN("1")));
    cr_expect_eq(request_split_line(SPAN("a b c d"), &arena, words, 3), -2);
    cr_expect_eq(request_split_line(SPAN("a 'b"), &arena, words, 3), -1);
    cr_expect_eq(request_split_line(SPAN("  "), &arena, words, 3), 0);
    cr_expect_eq(request_split_line(span_of(NULL, 0), &arena, words, 3), 0);
    buf_release(&arena);
}
