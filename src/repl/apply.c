#include "repl/apply.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/request.h"

#include <stdio.h>

struct apply {
    struct journal *journal;
    struct apply_executor executor;
    struct request_limits limits;
    struct request request;
    size_t bytes_max;
    struct buf pending; /* from the unit's first byte on */
    size_t parsed;      /* of pending: whole commands of a MULTI that has no EXEC yet */
    bool in_multi;
};

struct apply *apply_new(struct journal *journal, const struct apply_executor *executor,
                        size_t bytes_max)
{
    struct apply *apply = mem_zalloc(sizeof(*apply));
    apply->journal = journal;
    apply->executor = *executor;
    apply->bytes_max = bytes_max;
    apply->limits = (struct request_limits){.bulk_bytes_max = bytes_max, .authenticated = true};
    request_init(&apply->request);
    return apply;
}

void apply_free(struct apply *apply)
{
    if (apply == NULL) return;
    request_release(&apply->request);
    buf_release(&apply->pending);
    mem_free(apply);
}

void apply_reset(struct apply *apply)
{
    request_reset(&apply->request);
    buf_clear(&apply->pending);
    apply->parsed = 0;
    apply->in_multi = false;
}

size_t apply_pending(const struct apply *apply)
{
    return apply->pending.len;
}

static bool fail(struct apply_result *result, const char *reason)
{
    result->failed = true;
    snprintf(result->reason, sizeof(result->reason), "%s", reason);
    return false;
}

/* Runs one command. SELECT, PING and REPLCONF are the stream's own and never reach the executor. */
static bool run(struct apply *apply, int argc, const struct span *argv, struct apply_result *result)
{
    int64_t db;
    char reason[192] = "";
    if (argc == 0 || span_is(argv[0], "ping")) return true;
    if (span_is(argv[0], "select")) {
        if (argc != 2 || !num_parse_int64(argv[1], &db) || db < 0 || db > INT32_MAX ||
            (apply->executor.databases != 0 && db >= apply->executor.databases))
            return fail(result, "SELECT of a database that is not there");
        journal_set_db(apply->journal, (int)db);
        return true;
    }
    if (span_is(argv[0], "replconf")) {
        if (argc >= 2 && span_is(argv[1], "getack")) result->getack = true;
        return true;
    }
    const int in = journal_stream_db(apply->journal);
    if (apply->executor.run(apply->executor.context, in < 0 ? 0 : in, argc, argv, reason))
        return true;
    /* With its name, since the node stops following because of it. */
    result->failed = true;
    snprintf(result->reason, sizeof(result->reason), "command '%.*s': %.120s",
             (int)(argv[0].len < 40 ? argv[0].len : 40), argv[0].ptr, reason);
    return false;
}

/* Runs the commands of a unit that is whole. */
static bool run_unit(struct apply *apply, struct span unit, struct apply_result *result)
{
    struct request request;
    bool well = true;
    request_init(&request);
    for (size_t at = 0; at < unit.len && well;) {
        size_t consumed = 0, want;
        const char *error = NULL;
        if (request_parse(&request, span_of(unit.ptr + at, unit.len - at), &apply->limits,
                          &consumed, &want, &error) != REQUEST_READY) {
            well = fail(result, "a transaction changed while it was applied");
            break;
        }
        well = run(apply, request.argc, request.argv, result);
        at += consumed;
    }
    request_release(&request);
    return well;
}

/* One command of `consumed` bytes was parsed behind apply->parsed. Returns the length of the unit that it ends, 0 when the
 * unit goes on, SIZE_MAX on failure. */
static size_t take_command(struct apply *apply, struct span unit, size_t consumed,
                           struct apply_result *result)
{
    const struct request *request = &apply->request;
    const bool is_multi = request->argc > 0 && span_is(request->argv[0], "multi");
    const bool is_exec = request->argc > 0 && span_is(request->argv[0], "exec");
    if (request->is_inline) {
        fail(result, "inline bytes in the stream");
        return SIZE_MAX;
    }
    if ((is_multi && apply->in_multi) || (is_exec && !apply->in_multi)) {
        fail(result, is_multi ? "MULTI inside MULTI" : "EXEC without MULTI");
        return SIZE_MAX;
    }
    apply->parsed += consumed;
    if (is_multi) apply->in_multi = true;
    if (apply->in_multi && !is_exec) return 0;
    const size_t len = apply->parsed;
    const bool well = apply->in_multi ? run_unit(apply, span_of(unit.ptr, len), result)
                                      : run(apply, request->argc, request->argv, result);
    apply->in_multi = false;
    apply->parsed = 0;
    return well ? len : SIZE_MAX;
}

void apply_feed(struct apply *apply, struct span bytes, struct apply_result *result)
{
    *result = (struct apply_result){0};
    const bool kept = apply->pending.len > 0;
    if (kept) buf_append_span(&apply->pending, bytes);
    const struct span all = kept ? buf_span(&apply->pending) : bytes;
    size_t done = 0; /* bytes of whole units: applied, and in the journal */
    while (!result->failed) {
        const struct span rest =
            span_of(all.ptr + done + apply->parsed, all.len - done - apply->parsed);
        size_t consumed = 0, want = 0;
        const char *error = NULL;
        if (rest.len == 0) break;
        if (rest.ptr[0] != '*') { /* no inline commands here: the place in the stream is lost */
            fail(result, "inline bytes, which begin no command of the stream");
            break;
        }
        const enum request_status status =
            request_parse(&apply->request, rest, &apply->limits, &consumed, &want, &error);
        if (status == REQUEST_BROKEN) fail(result, error);
        if (status != REQUEST_READY) break;
        const size_t unit =
            take_command(apply, span_of(all.ptr + done, all.len - done), consumed, result);
        if (unit == SIZE_MAX || unit == 0) continue;
        journal_append(apply->journal, all.ptr + done, unit);
        done += unit;
        result->units++;
    }
    if (kept) buf_drop_front(&apply->pending, done);
    else buf_append(&apply->pending, all.ptr + done, all.len - done);
    if (!result->failed && apply->pending.len > apply->bytes_max)
        fail(result, "a unit of the stream is too long");
}
