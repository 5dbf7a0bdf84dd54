/* The bytes were taken from Redis 7.0.15 (DEBUG PROTOCOL and commands that reply so). */
#include "proto/reply.h"

#include <criterion/criterion.h>
#include <math.h>

static struct buf out;
static struct reply reply;

static void begin(int version)
{
    buf_clear(&out);
    reply = (struct reply){.out = &out, .version = version};
}

static void forget(void)
{
    buf_release(&out);
}

TestSuite(reply, .fini = forget);

static void write_everything(void)
{
    reply_double(&reply, 3.141);
    reply_null(&reply);
    reply_null_array(&reply);
    reply_array(&reply, 3);
    reply_set(&reply, 3);
    reply_map(&reply, 3);
    reply_push(&reply, 2);
    reply_verbatim(&reply, "txt", SPAN("This is a verbatim\nstring"));
    reply_bool(&reply, true);
    reply_bool(&reply, false);
    reply_big_number(&reply, SPAN("1234567999999999999999999999999999999"));
    reply_double(&reply, INFINITY);
    reply_double(&reply, 3.1);
}

#define expect_bytes(text)                                                                         \
    cr_expect(span_equal(buf_span(&out), SPAN(text)), "%.*s", (int)out.len, out.ptr)

Test(reply, resp2_forms)
{
    begin(2);
    write_everything();
    expect_bytes("$5\r\n3.141\r\n$-1\r\n*-1\r\n*3\r\n*3\r\n*6\r\n*2\r\n$25\r\nThis is a "
                 "verbatim\nstring\r\n:1\r\n:0\r\n"
                 "$37\r\n1234567999999999999999999999999999999\r\n$3\r\ninf\r\n$18\r\n3."
                 "1000000000000001\r\n");
}

Test(reply, resp3_forms)
{
    begin(3);
    write_everything();
    reply_attribute(&reply, 1);
    expect_bytes(",3.141\r\n_\r\n_\r\n*3\r\n~3\r\n%3\r\n>2\r\n=29\r\ntxt:This is a "
                 "verbatim\nstring\r\n#t\r\n#f\r\n"
                 "(1234567999999999999999999999999999999\r\n,inf\r\n,3.1000000000000001\r\n|1\r\n");
}

Test(reply, forms_of_both)
{
    for (int version = 2; version <= 3; version++) {
        begin(version);
        reply_ok(&reply);
        reply_status(&reply, "PONG");
        reply_int64(&reply, 0);
        reply_int64(&reply, -12345);
        reply_int64(&reply, INT64_MIN);
        reply_bulk(&reply, SPAN("Hello World"));
        reply_bulk(&reply, span_of(NULL, 0));
        reply_bulk_cstr(&reply, "x");
        reply_bulk_int64(&reply, -7);
        reply_bulkf(&reply, "%d-%s", 17, "a");
        reply_raw(&reply, SPAN("*0\r\n"));
        expect_bytes("+OK\r\n+PONG\r\n:0\r\n:-12345\r\n:-9223372036854775808\r\n$11\r\nHello "
                     "World\r\n$0\r\n\r\n"
                     "$1\r\nx\r\n$2\r\n-7\r\n$4\r\n17-a\r\n*0\r\n");
    }
}

Test(reply, nothing_is_written_over_the_bound)
{
    char big[1000] = {0};

    begin(2);
    reply.out_max = 10000;
    for (int i = 0; i < 1000; i++) reply_bulk(&reply, span_of(big, sizeof big));
    cr_assert(reply.muted && reply.overflowed);
    cr_assert(out.cap <= 20000); /* it grows by half */
    begin(2);
    reply.out_max = 10000;
    reply_bulk(&reply, span_of(big, sizeof big));
    cr_assert(!reply.muted && !reply.overflowed);
}

Test(reply, errors_are_one_line_and_counted)
{
    begin(2);
    reply_error(&reply, "WRONGTYPE Operation against");
    cr_expect_str_eq(reply.last_error, "WRONGTYPE");
    reply_errorf(&reply, "ERR unknown command '%s'\r\n", "a\r\nb");
    cr_expect_str_eq(reply.last_error, "ERR");
    reply_error(&reply, "ALONE");
    cr_expect_str_eq(reply.last_error, "ALONE");
    cr_expect_eq(reply.errors, 3);
    expect_bytes("-WRONGTYPE Operation against\r\n-ERR unknown command 'a  b'\r\n-ALONE\r\n");
}

Test(reply, long_formatted_texts)
{
    char many[3000];
    memset(many, 'm', sizeof many - 1);
    many[sizeof many - 1] = 0;
    begin(2);
    reply_bulkf(&reply, "%s", many);
    cr_expect_eq(out.len, 7 + 2999 + 2);
    cr_expect_eq(memcmp(out.ptr, "$2999\r\nmmm", 10), 0);
    cr_expect_eq(memcmp(out.ptr + out.len - 4, "mm\r\n", 4), 0);
    buf_clear(&out);
    reply_errorf(&reply, "%s", many);
    cr_expect_eq(out.len, 1 + 2999 + 2);
    cr_expect_eq(strlen(reply.last_error), sizeof reply.last_error - 1);
}

Test(reply, muted_writes_nothing_but_counts_errors)
{
    begin(3);
    reply.muted = true;
    write_everything();
    reply_ok(&reply);
    reply_bulkf(&reply, "%01000d", 1);
    reply_settle(&reply, reply_defer(&reply), REPLY_MAP, 3);
    reply_error(&reply, "ERR x");
    cr_expect_eq(out.len, 0);
    cr_expect_eq(reply.errors, 1);
}

Test(reply, deferred_counts_nest)
{
    for (int version = 2; version <= 3; version++) {
        begin(version);
        reply_ok(&reply);
        size_t outer = reply_defer(&reply);
        for (int i = 0; i < 12; i++) {
            size_t inner = reply_defer(&reply);
            reply_int64(&reply, i);
            reply_settle(&reply, inner, REPLY_SET, 1);
        }
        reply_settle(&reply, outer, REPLY_MAP, 6);
        struct span head = version == 2 ? SPAN("+OK\r\n*12\r\n*1\r\n:0\r\n*1\r\n:1\r\n")
                                        : SPAN("+OK\r\n%6\r\n~1\r\n:0\r\n~1\r\n:1\r\n");
        cr_expect(span_equal(span_of(out.ptr, head.len), head), "%.*s", (int)out.len, out.ptr);
        cr_expect_eq(memcmp(out.ptr + out.len - 5, ":11\r\n", 5), 0);
    }
}

Test(reply, help)
{
    static const char *const lines[] = {"X <subcommand>", "HELP", "    Prints this help.", NULL};
    begin(3);
    reply_help(&reply, lines);
    expect_bytes("*3\r\n+X <subcommand>\r\n+HELP\r\n+    Prints this help.\r\n");
}
