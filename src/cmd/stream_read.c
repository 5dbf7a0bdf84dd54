/* XREAD and XREADGROUP: several streams from an id on, for oneself or for a consumer of a group. */
#include "base/mem.h"
#include "cmd/stream.h"
#include "handlers.h"

/* ---- arguments ---------------------------------------------------------------------------------- */

/* Everything up to STREAMS. */
static enum err parse_options(struct call *call, bool in_group, struct stream_read *read)
{
    for (int i = 1; i < call->argc && read->keys == 0; i++) {
        const int more = call->argc - i - 1;
        if (more > 0 && call_arg_is(call, i, "BLOCK")) {
            if (call->flags & CALL_IN_SCRIPT)
                return call_fail(call,
                                 "ERR %.*s command is not allowed with BLOCK option from scripts",
                                 SPAN_SHOWN(call->argv[0]));
            TRY(call_arg_timeout_ms(call, ++i, &read->block_ms));
            read->blocks = true;
        } else if (more > 0 && call_arg_is(call, i, "COUNT")) {
            TRY(call_arg_int64(call, ++i, &read->count));
            if (read->count < 0) read->count = 0;
        } else if (more > 0 && call_arg_is(call, i, "STREAMS")) {
            if (more % 2 == 1)
                return call_fail(call,
                                 "ERR Unbalanced XREAD list of streams: for each stream key an "
                                 "ID or '$' must be specified.");
            read->first_key = i + 1;
            read->keys = more / 2;
        } else if (more > 1 && call_arg_is(call, i, "GROUP")) {
            if (!in_group)
                return call_fail(call, "ERR The GROUP option is only supported by XREADGROUP. You "
                                       "called XREAD instead.");
            read->group = i + 1;
            i += 2;
        } else if (call_arg_is(call, i, "NOACK")) {
            if (!in_group)
                return call_fail(call, "ERR The NOACK option is only supported by XREADGROUP. You "
                                       "called XREAD instead.");
            read->no_ack = true;
        } else {
            return ERR_SYNTAX;
        }
    }
    if (read->keys == 0) return ERR_SYNTAX;
    if (in_group && read->group == 0)
        return call_fail(call, "ERR Missing GROUP option for XREADGROUP");
    return OK;
}

/* The id that belongs to the stream `index`, which is looked up for "$" and its group. */
static enum err parse_id(struct call *call, const struct stream_read *read, int index,
                         struct stream_id *out)
{
    const int key = read->first_key + index, id = key + read->keys;
    const struct entry *e;

    TRY(call_find(call, key, TYPE_STREAM, &e));
    if (read->group != 0 &&
        (e == NULL || stream_group(stream_of(e), call->argv[read->group]) == NULL))
        return call_fail(call,
                         "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP "
                         "with GROUP option",
                         SPAN_SHOWN(call->argv[key]), SPAN_SHOWN(call->argv[read->group]));
    if (span_equal(call->argv[id], SPAN("$"))) {
        if (read->group != 0)
            return call_fail(call,
                             "ERR The $ ID is meaningless in the context of XREADGROUP: you want "
                             "to read the history of this consumer by specifying a proper ID, "
                             "or use the > ID to get new messages. The $ ID would just return "
                             "an empty result set.");
        *out = e != NULL ? stream_of(e)->last_id : STREAM_ID_MIN;
        return OK;
    }
    if (span_equal(call->argv[id], SPAN(">"))) {
        if (read->group == 0)
            return call_fail(call,
                             "ERR The > ID can be specified only when calling XREADGROUP using "
                             "the GROUP <group> <consumer> option.");
        *out = STREAM_ID_MAX;
        return OK;
    }
    return stream_arg_id(call, id, 0, out);
}

enum err stream_read_parse(struct call *call, struct stream_read *out)
{
    struct stream_read read = {0};
    enum err err = OK;

    TRY(parse_options(call, call->command->run == cmd_xreadgroup, &read));
    read.ids = mem_alloc((size_t)read.keys * sizeof *read.ids);
    for (int i = 0; i < read.keys && err == OK; i++) err = parse_id(call, &read, i, &read.ids[i]);
    if (err != OK) stream_read_release(&read);
    else *out = read;
    return err;
}

enum err stream_read_parse_again(struct call *call, struct stream_read *out)
{
    struct stream_read read = {0};
    enum err err = OK;

    TRY(parse_options(call, call->command->run == cmd_xreadgroup, &read));
    read.late = true;
    read.ids = mem_alloc((size_t)read.keys * sizeof *read.ids);
    for (int i = 0; i < read.keys && err == OK; i++) {
        const int id = read.first_key + read.keys + i;
        if (span_equal(call->argv[id], SPAN(">"))) read.ids[i] = STREAM_ID_MAX;
        else err = stream_arg_id(call, id, 0, &read.ids[i]);
    }
    if (err != OK) stream_read_release(&read);
    else *out = read;
    return err;
}

void stream_read_release(struct stream_read *read)
{
    mem_free(read->ids);
    read->ids = NULL;
}

/* ---- serving ------------------------------------------------------------------------------------ */

/* The reply as a whole: its head is written once there is something behind it. */
struct serving {
    struct call *call;
    const struct stream_read *read;
    size_t head;
    int64_t served;
};

/* Whether a stream has something behind this id. A call that has waited is served for what was added, also where that is
 * gone again, by XDEL in the same transaction or XADD MAXLEN 0: its reply then names no entries (tried). */
static bool has_news(const struct serving *serving, const struct stream *stream,
                     struct stream_id behind)
{
    return stream_id_less(behind,
                          serving->read->late ? stream->last_id : stream_last_live_id(stream));
}

/* In front of a stream's entries. */
static void begin_stream(struct serving *serving, int key)
{
    struct reply *reply = serving->call->reply;

    if (serving->served++ == 0) serving->head = reply_defer(reply);
    if (reply->version == 2) reply_array(reply, 2);
    reply_bulk(reply, serving->call->argv[key]);
}

static void end_reply(const struct serving *serving)
{
    struct reply *reply = serving->call->reply;
    reply_settle(reply, serving->head, reply->version == 2 ? REPLY_ARRAY : REPLY_MAP,
                 serving->served);
}

/* What a consumer was given before and has not acknowledged. Reading it again counts as a delivery, of
 * which, as in Redis, no replica hears. */
static void reply_history(struct serving *serving, const struct stream *stream,
                          const struct stream_consumer *consumer, struct stream_id from)
{
    struct call *call = serving->call;
    struct id_cursor at = id_map_at_or_after(&consumer->pending, from);
    const int64_t count = serving->read->count;
    size_t head = reply_defer(call->reply);
    int64_t found = 0;

    for (; at.item != NULL && (count == 0 || found < count); id_cursor_next(&at), found++) {
        struct stream_nack *nack = at.item->value;
        struct stream_range range = stream_range_of(stream, at.item->id, at.item->id, false);
        const struct stream_entry *entry = stream_range_next(&range);
        if (entry == NULL) { /* deleted meanwhile */
            reply_array(call->reply, 2);
            stream_reply_id(call->reply, at.item->id);
            reply_null_array(call->reply);
            continue;
        }
        stream_reply_entry(call->reply, entry);
        nack->delivered_ms = call->now_ms;
        nack->delivery_count++;
    }
    reply_settle(call->reply, head, REPLY_ARRAY, found);
}

/* Gives a consumer what the group has not seen yet. Returns how many entries. */
static int64_t reply_new(struct serving *serving, int key, struct stream_claimer *claimer)
{
    struct call *call = serving->call;
    struct stream_group *group = claimer->group;
    const int64_t count = serving->read->count;
    size_t head = reply_defer(call->reply);
    struct stream_id from;
    int64_t found = 0;

    if (stream_id_next(group->last_id, &from)) {
        struct stream_range range = stream_range_of(claimer->stream, from, STREAM_ID_MAX, false);
        const struct stream_entry *entry;
        for (; (count == 0 || found < count) && (entry = stream_range_next(&range)) != NULL;
             found++) {
            char id[STREAM_ID_CHARS];
            stream_reply_entry(call->reply, entry);
            stream_group_advance(claimer->stream, group, entry->id);
            if (serving->read->no_ack) continue;
            const struct stream_nack *nack =
                stream_deliver(claimer->stream, group, claimer->consumer, entry->id, call->now_ms);
            stream_state_claim(call, key, group, nack,
                               span_of(id, stream_format_id(id, entry->id)));
        }
    }
    reply_settle(call->reply, head, REPLY_ARRAY, found);
    return found;
}

static void state_consumer(struct call *call, int key, const struct stream_claimer *claimer)
{
    call_effect(call, 5,
                (struct span[]){SPAN("XGROUP"), SPAN("CREATECONSUMER"), call->argv[key],
                                claimer->group->name, claimer->name});
}

static void serve_group(struct serving *serving, int index, const struct entry *e)
{
    struct call *call = serving->call;
    const struct stream_read *read = serving->read;
    const int key = read->first_key + index;
    const struct stream_id id = read->ids[index];
    const bool is_new = stream_id_equal(id, STREAM_ID_MAX);
    const struct stream_group *group = stream_group(stream_of(e), call->argv[read->group]);
    struct stream_id from = STREAM_ID_MIN;
    struct store_edit edit;

    if (group == NULL) return;
    if (is_new && !has_news(serving, stream_of(e), group->last_id)) return;
    begin_stream(serving, key);
    stream_edit_beside(call, key, &edit);
    struct stream *stream = stream_edit(edit.entry);
    struct stream_claimer claimer = {.stream = stream,
                                     .group = stream_group(stream, call->argv[read->group]),
                                     .name = call->argv[read->group + 1]};
    stream_claimer_get(&claimer, call->now_ms);
    if (read->no_ack && claimer.is_new) state_consumer(call, key, &claimer);
    if (is_new) {
        int64_t found = reply_new(serving, key, &claimer);
        if (read->no_ack && found > 0) stream_state_group(call, key, claimer.group);
    } else {
        stream_id_next(id, &from); /* there is a next one: id is not STREAM_ID_MAX */
        reply_history(serving, stream, claimer.consumer, from);
    }
    store_edit_close(&edit, 1 + claimer.is_new, stream_claimer_event(&claimer));
}

static void serve_alone(struct serving *serving, int index, const struct entry *e)
{
    const struct stream *stream = stream_of(e);
    struct stream_id id = serving->read->ids[index];

    if (!has_news(serving, stream, id) || !stream_id_next(id, &id)) return;
    begin_stream(serving, serving->read->first_key + index);
    stream_reply_range(serving->call->reply, stream, id, STREAM_ID_MAX, false,
                       (uint64_t)serving->read->count);
}

/* The stream of argv[key], or NULL. For a call that has waited this is no access that counts as hit or miss. */
static const struct entry *find(struct call *call, const struct stream_read *read, int key)
{
    const unsigned flags = read->late ? FIND_NO_STATS | FIND_NO_EVENT : 0;
    const struct key name = call_key(call, key);
    const struct entry *e = store_find(call->store, call->db, &name, flags);

    return e != NULL && entry_type(e) == TYPE_STREAM ? e : NULL;
}

bool stream_read_serve(struct call *call, const struct stream_read *read, int first, int keys)
{
    struct serving serving = {.call = call, .read = read};

    for (int i = first; i < first + keys; i++) {
        const struct entry *e = find(call, read, read->first_key + i);
        if (e == NULL) continue;
        if (read->group != 0) serve_group(&serving, i, e);
        else serve_alone(&serving, i, e);
    }
    if (serving.served == 0) return false;
    end_reply(&serving);
    return true;
}

static enum err read_streams(struct call *call)
{
    struct stream_read read;

    TRY(stream_read_parse(call, &read));
    if (!stream_read_serve(call, &read, 0, read.keys)) {
        if (read.blocks && call->wait != NULL) stream_read_wait(call, &read);
        else reply_null_array(call->reply);
    }
    stream_read_release(&read);
    return OK;
}

/* XREAD [COUNT count] [BLOCK ms] STREAMS key [key ...] id [id ...] */
enum err cmd_xread(struct call *call)
{
    return read_streams(call);
}

/* XREADGROUP GROUP group consumer [COUNT count] [BLOCK ms] [NOACK] STREAMS key [key ...] id [id ...] */
enum err cmd_xreadgroup(struct call *call)
{
    return read_streams(call);
}
