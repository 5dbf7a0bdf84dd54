/* Strings: reading, numbers, and changes in place. SET and its relatives stand in string_set.c, LCS
 * in lcs.c. Error texts, events and effects are those of Redis 7.0.15. */
#include "cmd/call.h"
#include "handlers.h"

#include <math.h>

static void reply_string(struct call *call, const struct entry *entry)
{
    char scratch[NUM_INT64_CHARS];
    if (entry == NULL) reply_null(call->reply);
    else reply_bulk(call->reply, entry_string(entry, scratch));
}

/* GET key */
enum err cmd_get(struct call *call)
{
    const struct entry *entry;

    TRY(call_find(call, 1, TYPE_STRING, &entry));
    reply_string(call, entry);
    return OK;
}

/* STRLEN key */
enum err cmd_strlen(struct call *call)
{
    const struct entry *entry;

    TRY(call_find(call, 1, TYPE_STRING, &entry));
    reply_int64(call->reply, entry == NULL ? 0 : (int64_t)entry_string_len(entry));
    return OK;
}

/* MGET key [key ...]: what is no string counts as absent. Keys are looked up in groups, so that the
 * cache misses of a group overlap. */
enum err cmd_mget(struct call *call)
{
    enum { GROUP = 16 };
    struct key keys[GROUP];

    reply_array(call->reply, call->argc - 1);
    for (int from = 1; from < call->argc; from += GROUP) {
        int count = call->argc - from < GROUP ? call->argc - from : GROUP;
        for (int i = 0; i < count; i++) {
            keys[i] = call_key(call, from + i);
            store_prefetch(call->store, call->db, keys[i].hash, 0);
        }
        for (int i = 0; i < count; i++) store_prefetch(call->store, call->db, keys[i].hash, 1);
        for (int i = 0; i < count; i++) {
            const struct entry *entry = store_find(call->store, call->db, &keys[i], 0);
            bool is_string = entry != NULL && entry_type(entry) == TYPE_STRING;
            reply_string(call, is_string ? entry : NULL);
        }
    }
    return OK;
}

/* The part of `text` from `start` to `end`, both inclusive, negative ones counted from behind. */
static struct span part_of(struct span text, int64_t start, int64_t end)
{
    const int64_t len = (int64_t)text.len;

    if (start < 0 && end < 0 && start > end) return span_of(NULL, 0);
    if (start < 0) start += len;
    if (end < 0) end += len;
    if (start < 0) start = 0;
    if (end < 0) end = 0; /* so GETRANGE k 0 -100 of "abc" is "a" */
    if (end >= len) end = len - 1;
    if (start > end) return span_of(NULL, 0);
    return span_of(text.ptr + start, (size_t)(end - start + 1));
}

/* GETRANGE key start end, SUBSTR */
enum err cmd_getrange(struct call *call)
{
    const struct entry *entry;
    int64_t start, end;
    char scratch[NUM_INT64_CHARS];

    TRY(call_arg_int64(call, 2, &start));
    TRY(call_arg_int64(call, 3, &end));
    TRY(call_find(call, 1, TYPE_STRING, &entry));
    struct span text = entry == NULL ? span_of(NULL, 0) : entry_string(entry, scratch);
    reply_bulk(call->reply, part_of(text, start, end));
    return OK;
}

/* GETDEL key: enters the journal as the deletion alone. */
enum err cmd_getdel(struct call *call)
{
    const bool lazy = call->limits->lazy_user_del;
    const struct entry *entry;

    TRY(call_find(call, 1, TYPE_STRING, &entry));
    reply_string(call, entry);
    if (entry == NULL) return OK;
    call_remove(call, 1, lazy ? REMOVE_LAZY : REMOVE_NOW, EVENT(EVENT_GENERIC, "del"));
    call_effect(call, 2, (struct span[]){lazy ? SPAN("UNLINK") : SPAN("DEL"), call->argv[1]});
    return OK;
}

/* GETSET key value: a SET that answers the old value. */
enum err cmd_getset(struct call *call)
{
    const struct entry *entry;

    TRY(call_find(call, 1, TYPE_STRING, &entry));
    reply_string(call, entry);
    call_put_string(call, 1, call->argv[2], TTL_CLEAR, EVENT(EVENT_STRING, "set"));
    call_effect(call, 3, (struct span[]){SPAN("SET"), call->argv[1], call->argv[2]});
    return OK;
}

/* ---- numbers ---- */

/* Adds to the integer at argv[1]; a missing key counts as 0. */
static enum err increment(struct call *call, int64_t delta)
{
    const struct entry *entry;
    int64_t value = 0;

    TRY(call_find_write(call, 1, TYPE_STRING, &entry));
    if (entry != NULL && !entry_string_int64(entry, &value)) return ERR_NOT_INTEGER;
    if (!num_add_int64(value, delta, &value)) return ERR_INT_OVERFLOW;
    call_put_int64(call, 1, value, TTL_KEEP, EVENT(EVENT_STRING, "incrby"));
    reply_int64(call->reply, value);
    return OK;
}

/* INCR key */
enum err cmd_incr(struct call *call)
{
    return increment(call, 1);
}

/* DECR key */
enum err cmd_decr(struct call *call)
{
    return increment(call, -1);
}

/* INCRBY key increment */
enum err cmd_incrby(struct call *call)
{
    int64_t delta;

    TRY(call_arg_int64(call, 2, &delta));
    return increment(call, delta);
}

/* DECRBY key decrement */
enum err cmd_decrby(struct call *call)
{
    int64_t delta;

    TRY(call_arg_int64(call, 2, &delta));
    if (delta == INT64_MIN) return call_fail(call, "ERR decrement would overflow");
    return increment(call, -delta);
}

/* INCRBYFLOAT key increment. Enters the journal as a SET of the sum: another machine's long double
 * may round otherwise. */
enum err cmd_incrbyfloat(struct call *call)
{
    const struct entry *entry;
    long double value = 0, delta;
    char scratch[NUM_INT64_CHARS], digits[NUM_LONG_DOUBLE_CHARS];

    TRY(call_find_write(call, 1, TYPE_STRING, &entry));
    if (entry != NULL && !num_parse_long_double(entry_string(entry, scratch), &value))
        return ERR_NOT_FLOAT;
    if (!num_parse_long_double(call->argv[2], &delta)) return ERR_NOT_FLOAT;
    value += delta;
    if (isnan(value) || isinf(value)) return ERR_NAN_OR_INF;

    struct span sum = span_of(digits, num_format_long_double(digits, value));
    struct key key = call_key(call, 1);
    int64_t deadline = entry == NULL ? NO_DEADLINE : entry_deadline(entry);
    store_put_result(call->store, call->db, &key, entry_new_text(key.name, deadline, sum),
                     EVENT(EVENT_STRING, "incrbyfloat"));
    call_effect(call, 4, (struct span[]){SPAN("SET"), call->argv[1], sum, SPAN("KEEPTTL")});
    reply_bulk(call->reply, sum);
    return OK;
}

/* ---- changes in place ---- */

/* Bytes to be written into a string, and where. */
struct patch {
    size_t offset;
    struct span bytes;
};

static uint64_t apply_patch(void *context, char *bytes, size_t len)
{
    const struct patch *patch = context;
    (void)len;
    if (patch->bytes.len > 0) memcpy(bytes + patch->offset, patch->bytes.ptr, patch->bytes.len);
    return 1;
}

/* Whether a string of offset + more bytes may be made. */
static enum err check_length(const struct call *call, uint64_t offset, size_t more)
{
    uint64_t len;

    if (__builtin_add_overflow(offset, more, &len) || len > call_string_bytes_max(call))
        return ERR_STRING_TOO_LONG;
    return OK;
}

/* APPEND key value */
enum err cmd_append(struct call *call)
{
    const struct span tail = call->argv[2];
    const struct event event = EVENT(EVENT_STRING, "append");
    const struct entry *entry;

    TRY(call_find_write(call, 1, TYPE_STRING, &entry));
    if (entry == NULL) {
        call_put_string(call, 1, tail, TTL_CLEAR, event);
        reply_int64(call->reply, (int64_t)tail.len);
        return OK;
    }
    struct patch patch = {entry_string_len(entry), tail};
    TRY(check_length(call, patch.offset, tail.len));
    call_edit_string(call, 1, patch.offset + tail.len, apply_patch, &patch, event);
    reply_int64(call->reply, (int64_t)(patch.offset + tail.len));
    return OK;
}

/* SETRANGE key offset value: nothing happens, also to a missing key, when the value is empty. */
enum err cmd_setrange(struct call *call)
{
    const struct entry *entry;
    int64_t offset;

    TRY(call_arg_int64(call, 2, &offset));
    if (offset < 0) return call_fail(call, "ERR offset is out of range");
    TRY(call_find_write(call, 1, TYPE_STRING, &entry));
    size_t len = entry == NULL ? 0 : entry_string_len(entry);
    struct patch patch = {(size_t)offset, call->argv[3]};
    if (patch.bytes.len > 0) {
        TRY(check_length(call, (uint64_t)offset, patch.bytes.len));
        if (len < patch.offset + patch.bytes.len) len = patch.offset + patch.bytes.len;
        call_edit_string(call, 1, len, apply_patch, &patch, EVENT(EVENT_STRING, "setrange"));
    }
    reply_int64(call->reply, (int64_t)len);
    return OK;
}
