/* XACK, XPENDING, XCLAIM, XAUTOCLAIM: entries that were delivered and not acknowledged. */
#include "base/buf.h"
#include "cmd/stream.h"
#include "handlers.h"

/* Whether what was found at argv[1] is a stream with the group argv[2]. */
static enum err check_group(struct call *call, const struct entry *e)
{
    if (e != NULL && entry_type(e) != TYPE_STREAM) return ERR_WRONG_TYPE;
    if (e != NULL && stream_group(stream_of(e), call->argv[2]) != NULL) return OK;
    return call_fail(call, "NOGROUP No such key '%.*s' or consumer group '%.*s'",
                     SPAN_SHOWN(call->argv[1]), SPAN_SHOWN(call->argv[2]));
}

static enum err find_group(struct call *call, const struct entry **out)
{
    TRY(call_find(call, 1, TYPE_STREAM, out));
    return check_group(call, *out);
}

/* ---- XACK --------------------------------------------------------------------------------------- */

/* XACK key group id [id ...] */
enum err cmd_xack(struct call *call)
{
    struct store_edit edit;
    const struct entry *e;
    struct stream_id id;
    uint64_t acknowledged = 0;

    TRY(call_find(call, 1, TYPE_STREAM, &e));
    if (e == NULL || stream_group(stream_of(e), call->argv[2]) == NULL) {
        reply_int64(call->reply, 0);
        return OK;
    }
    for (int i = 3; i < call->argc; i++) TRY(stream_arg_id(call, i, 0, &id));
    stream_edit_beside(call, 1, &edit);
    struct stream *stream = stream_edit(edit.entry);
    struct stream_group *group = stream_group(stream, call->argv[2]);
    for (int i = 3; i < call->argc; i++)
        if (stream_parse_id(call->argv[i], 0, &id))
            acknowledged += stream_acknowledge(stream, group, id);
    store_edit_close(&edit, acknowledged, NO_EVENT);
    reply_int64(call->reply, (int64_t)acknowledged);
    return OK;
}

/* ---- XPENDING ----------------------------------------------------------------------------------- */

/* How many entries are pending, the first and the last, and how many at each consumer. */
static void reply_summary(struct reply *reply, const struct stream_group *group)
{
    size_t head, consumers = 0;

    reply_array(reply, 4);
    reply_int64(reply, (int64_t)group->pending.count);
    if (group->pending.count == 0) {
        reply_null(reply);
        reply_null(reply);
        reply_null_array(reply);
        return;
    }
    stream_reply_id(reply, id_map_first(&group->pending).item->id);
    stream_reply_id(reply, id_map_last(&group->pending).item->id);
    head = reply_defer(reply);
    for (size_t i = 0; i < group->consumers.count; i++) {
        const struct stream_consumer *consumer = group->consumers.items[i];
        if (consumer->pending.count == 0) continue;
        reply_array(reply, 2);
        reply_bulk(reply, consumer->name);
        reply_bulk_int64(reply, (int64_t)consumer->pending.count);
        consumers++;
    }
    reply_settle(reply, head, REPLY_ARRAY, (int64_t)consumers);
}

struct pending_options {
    struct stream_id from, to;
    int64_t count, idle_ms;
    int consumer; /* argument; 0: all consumers */
};

static enum err parse_pending(struct call *call, struct pending_options *out)
{
    struct pending_options options = {0};
    int start = 3;

    if (call->argc < 6 || call->argc > 9) return ERR_SYNTAX;
    if (call_arg_is(call, 3, "IDLE")) {
        TRY(call_arg_int64(call, 4, &options.idle_ms));
        if (call->argc < 8) return ERR_SYNTAX;
        start = 5;
    }
    TRY(call_arg_int64(call, start + 2, &options.count));
    TRY(stream_arg_from(call, start, &options.from));
    TRY(stream_arg_to(call, start + 1, &options.to));
    if (call->argc > start + 3) options.consumer = start + 3;
    *out = options;
    return OK;
}

static void reply_pending(struct call *call, const struct id_map *pending,
                          const struct pending_options *options)
{
    struct reply *reply = call->reply;
    struct id_cursor at = id_map_at_or_after(pending, options->from);
    size_t head = reply_defer(reply);
    int64_t found = 0;

    for (; found < options->count && at.item != NULL && !stream_id_less(options->to, at.item->id);
         id_cursor_next(&at)) {
        const struct stream_nack *nack = at.item->value;
        int64_t idle_ms = call->now_ms - nack->delivered_ms;
        if (options->idle_ms > 0 && idle_ms < options->idle_ms) continue;
        reply_array(reply, 4);
        stream_reply_id(reply, at.item->id);
        reply_bulk(reply, nack->consumer->name);
        reply_int64(reply, idle_ms > 0 ? idle_ms : 0);
        reply_int64(reply, (int64_t)nack->delivery_count);
        found++;
    }
    reply_settle(reply, head, REPLY_ARRAY, found);
}

/* XPENDING key group [[IDLE ms] start end count [consumer]] */
enum err cmd_xpending(struct call *call)
{
    const bool summary = call->argc == 3;
    struct pending_options options = {0};
    const struct entry *e;

    if (!summary) TRY(parse_pending(call, &options));
    TRY(find_group(call, &e));
    const struct stream_group *group = stream_group(stream_of(e), call->argv[2]);
    if (summary) {
        reply_summary(call->reply, group);
    } else if (options.consumer == 0) {
        reply_pending(call, &group->pending, &options);
    } else {
        const struct stream_consumer *consumer =
            stream_consumer(group, call->argv[options.consumer]);
        if (consumer != NULL) reply_pending(call, &consumer->pending, &options);
        else reply_array(call->reply, 0);
    }
    return OK;
}

/* ---- claiming ----------------------------------------------------------------------------------- */

/* One execution of XCLAIM or XAUTOCLAIM over an open edit. */
struct claiming {
    struct call *call;
    struct reply *reply; /* where claimed entries go */
    struct stream_claimer claimer;
    int64_t min_idle_ms;
    int64_t delivered_ms; /* what claimed entries get */
    int64_t retry_count;  /* the same; below 0: one more than they had, but with JUSTID */
    bool just_id;
    int64_t claimed;  /* and replied */
    uint64_t changes; /* consumers not counted */
};

/* An entry that is pending but gone from its stream is acknowledged for its consumer. Replicas are told
 * to claim it for whom it has, and find the same. */
static void drop_deleted(struct claiming *claiming, const struct stream_nack *nack,
                         struct stream_id id, struct span id_text)
{
    struct stream_claimer *claimer = &claiming->claimer;

    stream_state_claim(claiming->call, 1, claimer->group, nack, id_text);
    stream_acknowledge(claimer->stream, claimer->group, id);
    claiming->changes++;
}

static bool is_idle_enough(const struct claiming *claiming, const struct stream_nack *nack)
{
    return claiming->min_idle_ms == 0 ||
           claiming->call->now_ms - nack->delivered_ms >= claiming->min_idle_ms;
}

/* Gives a pending entry to the claimer, and replies it. */
static void claim(struct claiming *claiming, struct stream_nack *nack,
                  const struct stream_entry *entry, struct span id_text)
{
    struct call *call = claiming->call;
    struct stream_claimer *claimer = &claiming->claimer;

    stream_nack_move(nack, entry->id, stream_claimer_get(claimer, call->now_ms));
    nack->delivered_ms = claiming->delivered_ms;
    if (claiming->retry_count >= 0) nack->delivery_count = (uint64_t)claiming->retry_count;
    else if (!claiming->just_id) nack->delivery_count++;
    if (claiming->just_id) stream_reply_id(claiming->reply, entry->id);
    else stream_reply_entry(claiming->reply, entry);
    stream_state_claim(call, 1, claimer->group, nack, id_text);
    claiming->claimed++;
    claiming->changes++;
}

static void open_claiming(struct claiming *claiming, struct store_edit *edit)
{
    struct call *call = claiming->call;
    struct stream_claimer *claimer = &claiming->claimer;

    stream_edit_beside(call, 1, edit);
    claimer->stream = stream_edit(edit->entry);
    claimer->group = stream_group(claimer->stream, call->argv[2]);
    claimer->name = call->argv[3];
}

static void close_claiming(struct claiming *claiming, struct store_edit *edit)
{
    const struct stream_claimer *claimer = &claiming->claimer;
    store_edit_close(edit, claiming->changes + claimer->is_new, stream_claimer_event(claimer));
}

/* ---- XCLAIM ------------------------------------------------------------------------------------- */

struct claim_options {
    int ids_end; /* argument behind the last id */
    int64_t min_idle_ms, delivered_ms, retry_count;
    bool force, just_id;
    struct stream_id last_id;
};

/* A number with an error text of its own. */
static enum err take_number(struct call *call, int index, const char *what, int64_t *out)
{
    if (num_parse_int64(call->argv[index], out)) return OK;
    return call_fail(call, "ERR Invalid %s argument for XCLAIM", what);
}

/* A time that is not in the past counts as now. */
static int64_t past_time(const struct call *call, int64_t time_ms)
{
    return time_ms < 0 || time_ms > call->now_ms ? call->now_ms : time_ms;
}

static enum err take_option(struct call *call, int *i, struct claim_options *options)
{
    const bool more = *i + 1 < call->argc;
    int64_t number;

    if (call_arg_is(call, *i, "FORCE")) {
        options->force = true;
    } else if (call_arg_is(call, *i, "JUSTID")) {
        options->just_id = true;
    } else if (more && call_arg_is(call, *i, "IDLE")) {
        TRY(take_number(call, ++*i, "IDLE option", &number));
        options->delivered_ms = number < 0 ? call->now_ms : past_time(call, call->now_ms - number);
    } else if (more && call_arg_is(call, *i, "TIME")) {
        TRY(take_number(call, ++*i, "TIME option", &number));
        options->delivered_ms = past_time(call, number);
    } else if (more && call_arg_is(call, *i, "RETRYCOUNT")) {
        TRY(take_number(call, ++*i, "RETRYCOUNT option", &options->retry_count));
    } else if (more && call_arg_is(call, *i, "LASTID")) {
        TRY(stream_arg_id(call, ++*i, 0, &options->last_id));
    } else {
        return call_fail(call, "ERR Unrecognized XCLAIM option '%.*s'", SPAN_SHOWN(call->argv[*i]));
    }
    return OK;
}

static enum err parse_claim(struct call *call, struct claim_options *out)
{
    struct claim_options options = {.ids_end = 5, .delivered_ms = call->now_ms, .retry_count = -1};
    struct stream_id id;

    TRY(take_number(call, 4, "min-idle-time", &options.min_idle_ms));
    if (options.min_idle_ms < 0) options.min_idle_ms = 0;
    while (options.ids_end < call->argc && stream_parse_id(call->argv[options.ids_end], 0, &id))
        options.ids_end++;
    for (int i = options.ids_end; i < call->argc; i++) TRY(take_option(call, &i, &options));
    *out = options;
    return OK;
}

static void claim_one(struct claiming *claiming, struct stream_id id, struct span id_text,
                      bool force)
{
    struct stream_claimer *claimer = &claiming->claimer;
    struct stream_nack *nack = stream_nack(claimer->group, id);
    struct stream_range range = stream_range_of(claimer->stream, id, id, false);
    const struct stream_entry *entry = stream_range_next(&range);

    if (entry == NULL) {
        if (nack != NULL) drop_deleted(claiming, nack, id, id_text);
        return;
    }
    if (nack != NULL && !is_idle_enough(claiming, nack)) return;
    if (nack == NULL && !force) return;
    if (nack == NULL)
        nack = stream_deliver(claimer->stream, claimer->group,
                              stream_claimer_get(claimer, claiming->call->now_ms), id,
                              claiming->delivered_ms);
    claim(claiming, nack, entry, id_text);
}

/* XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms | TIME ms] [RETRYCOUNT count] [FORCE]
 * [JUSTID] [LASTID id] */
enum err cmd_xclaim(struct call *call)
{
    struct claim_options options = {0};
    struct store_edit edit;
    const struct entry *e;

    TRY(find_group(call, &e));
    TRY(parse_claim(call, &options));
    struct claiming claiming = {.call = call,
                                .reply = call->reply,
                                .min_idle_ms = options.min_idle_ms,
                                .delivered_ms = options.delivered_ms,
                                .retry_count = options.retry_count,
                                .just_id = options.just_id};
    open_claiming(&claiming, &edit);
    struct stream_group *group = claiming.claimer.group;
    const bool moves_on = stream_id_less(group->last_id, options.last_id);
    if (moves_on) group->last_id = options.last_id;
    size_t head = reply_defer(call->reply);
    for (int i = 5; i < options.ids_end; i++) {
        struct stream_id id;
        if (stream_parse_id(call->argv[i], 0, &id))
            claim_one(&claiming, id, call->argv[i], options.force);
    }
    reply_settle(call->reply, head, REPLY_ARRAY, claiming.claimed);
    if (moves_on && claiming.changes == 0) { /* no claim has stated it */
        stream_state_group(call, 1, group);
        claiming.changes++;
    }
    close_claiming(&claiming, &edit);
    return OK;
}

/* ---- XAUTOCLAIM --------------------------------------------------------------------------------- */

struct autoclaim_options {
    int64_t min_idle_ms, count;
    struct stream_id from;
    bool just_id;
};

/* At most ten times as many pending entries are looked at as may be claimed. */
enum { LOOKS_PER_CLAIM = 10 };
#define AUTOCLAIM_COUNT_MAX (INT64_MAX / 16)

static enum err parse_autoclaim(struct call *call, struct autoclaim_options *out)
{
    struct autoclaim_options options = {.count = 100};

    if (!num_parse_int64(call->argv[4], &options.min_idle_ms))
        return call_fail(call, "ERR Invalid min-idle-time argument for XAUTOCLAIM");
    if (options.min_idle_ms < 0) options.min_idle_ms = 0;
    TRY(stream_arg_from(call, 5, &options.from));
    for (int i = 6; i < call->argc; i++) {
        if (i + 1 < call->argc && call_arg_is(call, i, "COUNT")) {
            if (!num_parse_int64(call->argv[++i], &options.count) || options.count < 1 ||
                options.count > AUTOCLAIM_COUNT_MAX)
                return call_fail(call, "ERR COUNT must be > 0");
        } else if (call_arg_is(call, i, "JUSTID")) {
            options.just_id = true;
        } else {
            return ERR_SYNTAX;
        }
    }
    *out = options;
    return OK;
}

/* Claims what is idle enough, and drops what was deleted; the ids of these go to `deleted`. Returns
 * where to go on, 0-0 at the end. */
static struct stream_id claim_from(struct claiming *claiming,
                                   const struct autoclaim_options *options, struct buf *deleted)
{
    struct stream_claimer *claimer = &claiming->claimer;
    const struct id_map *pending = &claimer->group->pending;
    struct id_cursor at = id_map_at_or_after(pending, options->from);
    int64_t left = options->count, looks = LOOKS_PER_CLAIM * options->count;

    for (; at.item != NULL && left > 0 && looks > 0; looks--) {
        struct stream_nack *nack = at.item->value;
        struct stream_id id = at.item->id;
        struct stream_range range = stream_range_of(claimer->stream, id, id, false);
        const struct stream_entry *entry = stream_range_next(&range);
        char text[STREAM_ID_CHARS];
        struct span id_text = span_of(text, stream_format_id(text, id));

        if (entry == NULL) {
            drop_deleted(claiming, nack, id, id_text);
            buf_append(deleted, &id, sizeof id);
            at = id_map_at_or_after(pending, id);
            left--;
            continue;
        }
        id_cursor_next(&at);
        if (!is_idle_enough(claiming, nack)) continue;
        claim(claiming, nack, entry, id_text);
        left--;
    }
    return at.item != NULL ? at.item->id : STREAM_ID_MIN;
}

static void reply_ids(struct reply *reply, const struct buf *ids)
{
    const size_t count = ids->len / sizeof(struct stream_id);

    reply_array(reply, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        struct stream_id id;
        memcpy(&id, ids->ptr + i * sizeof id, sizeof id);
        stream_reply_id(reply, id);
    }
}

/* XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID] */
enum err cmd_xautoclaim(struct call *call)
{
    struct autoclaim_options options;
    struct store_edit edit;
    struct buf claimed = {0}, deleted = {0};
    struct reply claims = {
        .out = &claimed, .version = call->reply->version, .muted = call->reply->muted};
    const struct entry *e;

    TRY(call_find(call, 1, TYPE_ANY, &e)); /* its type is looked at last */
    TRY(parse_autoclaim(call, &options));
    TRY(check_group(call, e));
    struct claiming claiming = {.call = call,
                                .reply = &claims,
                                .min_idle_ms = options.min_idle_ms,
                                .delivered_ms = call->now_ms,
                                .retry_count = -1,
                                .just_id = options.just_id};
    open_claiming(&claiming, &edit);
    struct stream_id next = claim_from(&claiming, &options, &deleted);
    close_claiming(&claiming, &edit);
    reply_array(call->reply, 3);
    stream_reply_id(call->reply, next);
    reply_array(call->reply, claiming.claimed);
    reply_raw(call->reply, buf_span(&claimed));
    reply_ids(call->reply, &deleted);
    buf_release(&claimed);
    buf_release(&deleted);
    return OK;
}
