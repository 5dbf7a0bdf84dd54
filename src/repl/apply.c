#include "repl/apply.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/request.h"

#include <stdio.h>

enum kind { DATA, NOTHING, SELECT, REPLCONF, MULTI, EXEC };

struct apply {
    struct journal *journal;
    struct apply_executor executor;
    struct request_limits limits;
    size_t bytes_max;
    struct buf pending; /* from the unit's first byte on */
    size_t parsed;      /* of pending: whole commands of a MULTI that has no EXEC yet */
    bool in_multi;
    struct request lot[APPLY_LOT]; /* the first one goes on where the last bytes ended */
    enum kind kinds[APPLY_LOT];
    size_t ends[APPLY_LOT]; /* offset behind each */
};

struct apply *apply_new(struct journal *journal, const struct apply_executor *executor,
                        size_t bytes_max)
{
    struct apply *apply = mem_zalloc(sizeof(*apply));
    apply->journal = journal;
    apply->executor = *executor;
    apply->bytes_max = bytes_max;
    apply->limits = (struct request_limits){.bulk_bytes_max = bytes_max, .authenticated = true};
    for (int i = 0; i < APPLY_LOT; i++) request_init(&apply->lot[i]);
    return apply;
}

void apply_free(struct apply *apply)
{
    if (apply == NULL) return;
    for (int i = 0; i < APPLY_LOT; i++) request_release(&apply->lot[i]);
    buf_release(&apply->pending);
    mem_free(apply);
}

void apply_reset(struct apply *apply)
{
    request_reset(&apply->lot[0]);
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

static enum kind kind_of(int argc, const struct span *argv)
{
    if (argc == 0) return NOTHING;
    switch (argv[0].len) {
    case 4: return span_is(argv[0], "ping") ? NOTHING : span_is(argv[0], "exec") ? EXEC : DATA;
    case 5: return span_is(argv[0], "multi") ? MULTI : DATA;
    case 6: return span_is(argv[0], "select") ? SELECT : DATA;
    case 8: return span_is(argv[0], "replconf") ? REPLCONF : DATA;
    default: return DATA;
    }
}

/* The database that a SELECT names; -1 when there is no such. */
static int selected(const struct apply *apply, int argc, const struct span *argv)
{
    int64_t db;
    if (argc != 2 || !num_parse_int64(argv[1], &db) || db < 0 || db > INT32_MAX ||
        (apply->executor.databases != 0 && db >= apply->executor.databases))
        return -1;
    return (int)db;
}

static int stream_db(const struct apply *apply)
{
    const int db = journal_stream_db(apply->journal);
    return db < 0 ? 0 : db;
}

/* Runs one command. SELECT, PING and REPLCONF are the stream's own and never reach the executor. */
static bool run(struct apply *apply, enum kind kind, int place, int argc, const struct span *argv,
                struct apply_result *result)
{
    char reason[192] = "";
    if (kind == NOTHING) return true;
    if (kind == SELECT) {
        const int db = selected(apply, argc, argv);
        if (db < 0) return fail(result, "SELECT of a database that is not there");
        journal_set_db(apply->journal, db);
        return true;
    }
    if (kind == REPLCONF) {
        if (argc >= 2 && span_is(argv[1], "getack")) result->getack = true;
        return true;
    }
    if (apply->executor.run(apply->executor.context, place, stream_db(apply), argc, argv, reason))
        return true;
    /* With its name, since the node stops following because of it. */
    result->failed = true;
    snprintf(result->reason, sizeof(result->reason), "command '%.*s': %.120s",
             (int)(argv[0].len < 40 ? argv[0].len : 40), argv[0].ptr, reason);
    return false;
}

/* Runs the commands of a unit that is whole and began in an earlier lot. */
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
        well =
            run(apply, kind_of(request.argc, request.argv), -1, request.argc, request.argv, result);
        at += consumed;
    }
    request_release(&request);
    return well;
}

/* Parses what is whole behind `at`, a lot at most, and announces it. *error: why what follows is no
 * command. */
static int parse_lot(struct apply *apply, struct span all, size_t at, const char **error)
{
    const struct apply_executor *executor = &apply->executor;
    int count = 0, db = stream_db(apply);
    while (count < APPLY_LOT && at < all.len) {
        struct request *request = &apply->lot[count];
        size_t consumed = 0, want = 0;
        if (all.ptr[at] != '*') { /* no inline commands here: the place in the stream is lost */
            *error = "inline bytes, which begin no command of the stream";
            break;
        }
        if (request_parse(request, span_of(all.ptr + at, all.len - at), &apply->limits, &consumed,
                          &want, error) != REQUEST_READY)
            break;
        at += consumed;
        const enum kind kind = kind_of(request->argc, request->argv);
        if (kind == SELECT && selected(apply, request->argc, request->argv) >= 0)
            db = selected(apply, request->argc, request->argv);
        if (executor->announce != NULL)
            executor->announce(executor->context, count, db, request->argc, request->argv);
        apply->kinds[count] = kind;
        apply->ends[count++] = at;
    }
    return count;
}

/* Runs the whole units of a lot and puts their bytes into the log. Returns the offset behind them. */
static size_t run_lot(struct apply *apply, struct span all, size_t done, int count,
                      struct apply_result *result)
{
    int first = -1; /* place of the unit's first command; -1: in an earlier lot */
    bool well = true;
    for (int i = 0; i < count; i++) {
        const enum kind kind = apply->kinds[i];
        if (kind == MULTI && apply->in_multi) return fail(result, "MULTI inside MULTI"), done;
        if (kind == EXEC && !apply->in_multi) return fail(result, "EXEC without MULTI"), done;
        if (!apply->in_multi) first = i;
        if (kind == MULTI) apply->in_multi = true;
        apply->parsed = apply->ends[i] - done;
        if (apply->in_multi && kind != EXEC) continue;
        if (first < 0) well = run_unit(apply, span_of(all.ptr + done, apply->parsed), result);
        for (int j = first; well && first >= 0 && j <= i; j++)
            well = run(apply, apply->kinds[j], j, apply->lot[j].argc, apply->lot[j].argv, result);
        if (!well) return done;
        journal_append(apply->journal, all.ptr + done, apply->parsed);
        done += apply->parsed;
        apply->in_multi = false;
        apply->parsed = 0;
        result->units++;
    }
    return done;
}

/* A command that is not whole yet was parsed in the place behind the lot: it goes on in the first. */
static void carry_over(struct apply *apply, int count)
{
    if (count == 0 || count == APPLY_LOT) return;
    const struct request begun = apply->lot[count];
    apply->lot[count] = apply->lot[0];
    apply->lot[0] = begun;
}

void apply_feed(struct apply *apply, struct span bytes, struct apply_result *result)
{
    *result = (struct apply_result){0};
    const bool kept = apply->pending.len > 0;
    if (kept) buf_append_span(&apply->pending, bytes);
    const struct span all = kept ? buf_span(&apply->pending) : bytes;
    size_t done = 0; /* bytes of whole units: applied, and in the journal */
    for (int count = APPLY_LOT; count == APPLY_LOT && !result->failed;) {
        const char *error = NULL;
        count = parse_lot(apply, all, done + apply->parsed, &error);
        if (count > 0 && apply->executor.announced != NULL)
            apply->executor.announced(apply->executor.context, count);
        done = run_lot(apply, all, done, count, result);
        if (error != NULL && !result->failed) fail(result, error);
        carry_over(apply, count);
    }
    if (kept) buf_drop_front(&apply->pending, done);
    else buf_append(&apply->pending, all.ptr + done, all.len - done);
    if (!result->failed && apply->pending.len > apply->bytes_max)
        fail(result, "a unit of the stream is too long");
}
