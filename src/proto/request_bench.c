/* Nanoseconds per command of the request parser, on a pipeline as a client sends it, and of the
 * replies to it. */
#include "proto/reply.h"
#include "proto/request.h"
#include <stdio.h>
#include <time.h>

#define COMMANDS 1000
#define ROUNDS   2000

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void measure(const char *name, const char *command)
{
    struct buf stream = {0};
    struct request request;
    const struct request_limits limits = {536870912, true};
    size_t words = 0;
    for (int i = 0; i < COMMANDS; i++) buf_append_span(&stream, span_of_cstr(command));
    request_init(&request);
    double start = now_ns();
    for (int round = 0; round < ROUNDS; round++) {
        struct span rest = buf_span(&stream);
        size_t consumed, want;
        const char *error;
        while (request_parse(&request, rest, &limits, &consumed, &want, &error) == REQUEST_READY) {
            rest = span_of(rest.ptr + consumed, rest.len - consumed);
            words += (size_t)request.argc;
        }
    }
    double spent = (now_ns() - start) / COMMANDS / ROUNDS;
    printf("parse %-12s %6.1f ns (%zu words)\n", name, spent, words / COMMANDS / ROUNDS);
    request_release(&request);
    buf_release(&stream);
}

static void measure_replies(void)
{
    struct buf out = {0};
    struct reply reply = {.out = &out, .version = 2};
    double start = now_ns();
    for (int round = 0; round < ROUNDS; round++) {
        buf_clear(&out);
        for (int i = 0; i < COMMANDS; i++) reply_bulk(&reply, SPAN("sixteen bytes!!!"));
    }
    printf("reply bulk 16      %6.1f ns\n", (now_ns() - start) / COMMANDS / ROUNDS);
    start = now_ns();
    for (int round = 0; round < ROUNDS; round++) {
        buf_clear(&out);
        for (int i = 0; i < COMMANDS; i++) reply_int64(&reply, round * 1000 + i);
    }
    printf("reply integer      %6.1f ns\n", (now_ns() - start) / COMMANDS / ROUNDS);
    buf_release(&out);
}

int main(void)
{
    measure("PING", "*1\r\n$4\r\nPING\r\n");
    measure("SET k v", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n");
    measure("SET 16 64", "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000001\r\n$64\r\n"
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
    measure("inline", "SET k v\r\n");
    measure_replies();
    return 0;
}
