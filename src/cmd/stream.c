/* XLEN, XRANGE, XREVRANGE, and what the stream commands share. */
#include "cmd/stream.h"

#include "handlers.h"

/* ---- ids as clients write them ------------------------------------------------------------------ */

#define ID_TEXT_MAX 127

/* A strict number that is not negative; what is no strict number at all, as strtoull takes it: blanks
 * and a sign in front, zeros, and what is negative wrapped around. */
static bool parse_number(struct span text, uint64_t *out)
{
    uint64_t number = 0;
    int64_t strict;
    size_t i = 0;

    if (num_parse_int64(text, &strict)) {
        *out = (uint64_t)strict;
        return strict >= 0;
    }
    while (i < text.len && (text.ptr[i] == ' ' || (text.ptr[i] >= '\t' && text.ptr[i] <= '\r')))
        i++;
    const bool has_sign = i < text.len && (text.ptr[i] == '+' || text.ptr[i] == '-');
    const bool negative = has_sign && text.ptr[i] == '-';
    if (has_sign) i++;
    if (i == text.len) return false;
    for (; i < text.len; i++) {
        unsigned digit = (unsigned)(uint8_t)text.ptr[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return false;
    }
    *out = negative ? -number : number;
    return true;
}

/* Redis reads ids as texts of C: what stands behind a zero byte is not seen. */
static struct span before_zero(struct span text)
{
    const char *zero = text.len > 0 ? memchr(text.ptr, 0, text.len) : NULL;
    return zero != NULL ? span_of(text.ptr, (size_t)(zero - text.ptr)) : text;
}

bool stream_parse_id(struct span text, uint64_t missing_seq, struct stream_id *out)
{
    struct stream_id id = {0, missing_seq};

    if (text.len > ID_TEXT_MAX) return false;
    text = before_zero(text);
    const char *dash = text.len > 0 ? memchr(text.ptr, '-', text.len) : NULL;
    size_t ms_len = dash != NULL ? (size_t)(dash - text.ptr) : text.len;
    if (!parse_number(span_of(text.ptr, ms_len), &id.ms)) return false;
    if (dash != NULL && !parse_number(span_of(dash + 1, text.len - ms_len - 1), &id.seq))
        return false;
    *out = id;
    return true;
}

enum err stream_arg_id(struct call *call, int index, uint64_t missing_seq, struct stream_id *out)
{
    return stream_parse_id(call->argv[index], missing_seq, out) ? OK : ERR_STREAM_ID;
}

/* An end of an interval without its "(". */
static enum err arg_end(struct call *call, int index, uint64_t missing_seq, bool *is_open,
                        struct stream_id *out)
{
    struct span text = call->argv[index];

    *is_open = text.len > 1 && text.ptr[0] == '(';
    if (*is_open) text = span_of(text.ptr + 1, text.len - 1);
    else if (span_equal(text, SPAN("-"))) *out = STREAM_ID_MIN;
    else if (span_equal(text, SPAN("+"))) *out = STREAM_ID_MAX;
    else return stream_arg_id(call, index, missing_seq, out);
    if (!*is_open) return OK;
    return stream_parse_id(text, missing_seq, out) ? OK : ERR_STREAM_ID;
}

enum err stream_arg_from(struct call *call, int index, struct stream_id *out)
{
    bool is_open;

    TRY(arg_end(call, index, 0, &is_open, out));
    if (is_open && !stream_id_next(*out, out))
        return call_fail(call, "ERR invalid start ID for the interval");
    return OK;
}

enum err stream_arg_to(struct call *call, int index, struct stream_id *out)
{
    bool is_open;

    TRY(arg_end(call, index, UINT64_MAX, &is_open, out));
    if (is_open && !stream_id_previous(*out, out))
        return call_fail(call, "ERR invalid end ID for the interval");
    return OK;
}

/* ---- replies ------------------------------------------------------------------------------------ */

size_t stream_format_id(char out[static STREAM_ID_CHARS], struct stream_id id)
{
    size_t len = num_format_uint64(out, id.ms);
    out[len++] = '-';
    return len + num_format_uint64(out + len, id.seq);
}

void stream_reply_id(struct reply *reply, struct stream_id id)
{
    char text[STREAM_ID_CHARS];
    reply_bulk(reply, span_of(text, stream_format_id(text, id)));
}

void stream_reply_entry(struct reply *reply, const struct stream_entry *entry)
{
    struct stream_pairs pairs = stream_entry_pairs(entry);
    struct span name, value;

    reply_array(reply, 2);
    stream_reply_id(reply, entry->id);
    reply_array(reply, 2 * (int64_t)entry->pair_count);
    while (stream_pairs_next(&pairs, &name, &value)) {
        reply_bulk(reply, name);
        reply_bulk(reply, value);
    }
}

void stream_reply_range(struct reply *reply, const struct stream *stream, struct stream_id from,
                        struct stream_id to, bool backwards, uint64_t count)
{
    struct stream_range range = stream_range_of(stream, from, to, backwards);
    size_t head = reply_defer(reply);
    const struct stream_entry *entry;
    uint64_t found = 0;

    while ((count == 0 || found < count) && (entry = stream_range_next(&range)) != NULL) {
        stream_reply_entry(reply, entry);
        found++;
    }
    reply_settle(reply, head, REPLY_ARRAY, (int64_t)found);
}

/* ---- XLEN, XRANGE ------------------------------------------------------------------------------- */

/* XLEN key */
enum err cmd_xlen(struct call *call)
{
    const struct entry *e;

    TRY(call_find(call, 1, TYPE_STREAM, &e));
    reply_int64(call->reply, e == NULL ? 0 : (int64_t)stream_of(e)->length);
    return OK;
}

static enum err range(struct call *call, bool backwards)
{
    struct stream_id from, to;
    const struct entry *e;
    int64_t count = -1;

    TRY(stream_arg_from(call, backwards ? 3 : 2, &from));
    TRY(stream_arg_to(call, backwards ? 2 : 3, &to));
    for (int i = 4; i < call->argc; i++) {
        if (!call_arg_is(call, i, "COUNT") || i + 1 == call->argc) return ERR_SYNTAX;
        TRY(call_arg_int64(call, ++i, &count));
        if (count < 0) count = 0;
    }
    TRY(call_find(call, 1, TYPE_STREAM, &e));
    if (e == NULL) reply_array(call->reply, 0);
    else if (count == 0) reply_null_array(call->reply);
    else
        stream_reply_range(call->reply, stream_of(e), from, to, backwards,
                           count < 0 ? 0 : (uint64_t)count);
    return OK;
}

/* XRANGE key start end [COUNT count] */
enum err cmd_xrange(struct call *call)
{
    return range(call, false);
}

/* XREVRANGE key end start [COUNT count] */
enum err cmd_xrevrange(struct call *call)
{
    return range(call, true);
}

void stream_edit_beside(struct call *call, int index, struct store_edit *edit)
{
    call_edit_open(call, index, TYPE_STREAM, edit);
    edit->beside = true;
}

/* ---- consumers and effects ---------------------------------------------------------------------- */

struct stream_consumer *stream_claimer_get(struct stream_claimer *claimer, int64_t now_ms)
{
    if (claimer->consumer == NULL) {
        claimer->consumer = stream_consumer(claimer->group, claimer->name);
        claimer->is_new = claimer->consumer == NULL;
        if (claimer->is_new)
            claimer->consumer =
                stream_consumer_new(claimer->stream, claimer->group, claimer->name, now_ms);
    }
    claimer->consumer->seen_ms = now_ms;
    return claimer->consumer;
}

struct event stream_claimer_event(const struct stream_claimer *claimer)
{
    return claimer->is_new ? EVENT(EVENT_STREAM, "xgroup-createconsumer") : NO_EVENT;
}

void stream_state_claim(struct call *call, int key, const struct stream_group *group,
                        const struct stream_nack *nack, struct span id)
{
    char last[STREAM_ID_CHARS], time[NUM_INT64_CHARS], count[NUM_INT64_CHARS];

    call_effect(call, 14,
                (struct span[]){
                    SPAN("XCLAIM"), call->argv[key], group->name, nack->consumer->name, SPAN("0"),
                    id, SPAN("TIME"), span_of(time, num_format_int64(time, nack->delivered_ms)),
                    SPAN("RETRYCOUNT"),
                    span_of(count, num_format_int64(count, (int64_t)nack->delivery_count)),
                    SPAN("FORCE"), SPAN("JUSTID"), SPAN("LASTID"),
                    span_of(last, stream_format_id(last, group->last_id))});
}

void stream_state_group(struct call *call, int key, const struct stream_group *group)
{
    char last[STREAM_ID_CHARS], read[NUM_INT64_CHARS];

    call_effect(call, 7,
                (struct span[]){SPAN("XGROUP"), SPAN("SETID"), call->argv[key], group->name,
                                span_of(last, stream_format_id(last, group->last_id)),
                                SPAN("ENTRIESREAD"),
                                span_of(read, num_format_int64(read, group->entries_read))});
}
