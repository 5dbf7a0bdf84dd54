/* A stream cut at random points gives the same commands, and the same error at the same place, as
 * the whole of it. The first byte seeds the cuts; each stretch lies in memory of its exact size, so
 * that the sanitizer sees a byte read too far, and is freed before the next. */
#include "base/check.h"
#include "base/mem.h"
#include "base/random.h"
#include "proto/request.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that a stream turned into, as bytes that can be compared. */
static void record(struct buf *log, const struct request *request, size_t consumed)
{
    buf_printf(log, "%d %d %d %zu", request->argc, request->is_inline, request->is_canonical,
               consumed);
    for (int i = 0; i < request->argc; i++) {
        buf_printf(log, "[%zu:", request->argv[i].len);
        buf_append_span(log, request->argv[i]);
        buf_append_char(log, ']');
    }
    buf_append_char(log, '\n');
}

/* Runs the stream in stretches; `random` NULL means all at once. */
static void run(struct span stream, struct random *random, const struct request_limits *limits,
                struct buf *log)
{
    struct request request;
    request_init(&request);
    size_t start = 0, have = random == NULL ? stream.len : 0;
    for (;;) {
        size_t consumed = 0, want = 0;
        const char *error = NULL;
        char *part = malloc(have - start + 1); /* + 1: malloc(0) may be NULL */
        check(part != NULL);
        memcpy(part + 1, stream.ptr + start, have - start);
        enum request_status status = request_parse(&request, span_of(part + 1, have - start),
                                                   limits, &consumed, &want, &error);
        if (status == REQUEST_READY) {
            check(consumed > 0 && consumed <= have - start);
            record(log, &request, consumed);
            start += consumed;
        } else if (status == REQUEST_BROKEN) {
            buf_printf(log, "broken at %zu: %s", start, error);
        }
        free(part);
        if (status == REQUEST_BROKEN || (status == REQUEST_MORE && have == stream.len)) break;
        if (status != REQUEST_MORE) continue;
        check(random != NULL);
        have += 1 + random_below(random, 1u << random_below(random, 9));
        if (have > stream.len) have = stream.len;
    }
    request_release(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct request_limits limits = {.bulk_bytes_max = 1 << 20, .authenticated = data[0] & 1};
    struct random random;
    struct buf whole = {0}, cut = {0};
    /* memcpy of an empty span would need a pointer; size >= 2 gives one. */
    struct span stream = span_of(data + 1, size - 1);
    random_seed(&random, data[0]);
    run(stream, NULL, &limits, &whole);
    run(stream, &random, &limits, &cut);
    check(span_equal(buf_span(&whole), buf_span(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
