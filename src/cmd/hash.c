/* Commands of hashes. */
#include "store/hash.h"
#include "cmd/call.h"
#include "cmd/scan.h"
#include "handlers.h"

#include <math.h>

static const struct event hset_event = {EVENT_HASH, "hset"};

/* ---- writing fields ---- */

/* Puts the pairs from argv[2] on; *created is how many fields were not there before. */
static enum err put_pairs(struct call *call, int64_t *created)
{
    const struct value_settings *settings = store_settings(call->store);
    struct store_edit edit;
    bool added = false;

    if (call->argc % 2 == 1)
        return call_fail(call, "ERR wrong number of arguments for '%s' command",
                         call->command->name);
    TRY(call_edit_make(call, 1, TYPE_HASH, &edit));
    *created = 0;
    for (int i = 2; i < call->argc; i += 2) {
        edit.entry = hash_put(edit.entry, call->argv[i], call->argv[i + 1], settings, &added);
        *created += added;
    }
    store_edit_close(&edit, (uint64_t)(call->argc - 2) / 2, hset_event);
    return OK;
}

/* HSET key field value [field value ...] */
enum err cmd_hset(struct call *call)
{
    int64_t created;

    TRY(put_pairs(call, &created));
    reply_int64(call->reply, created);
    return OK;
}

/* HMSET key field value [field value ...] */
enum err cmd_hmset(struct call *call)
{
    int64_t created;

    TRY(put_pairs(call, &created));
    reply_ok(call->reply);
    return OK;
}

/* HSETNX key field value */
enum err cmd_hsetnx(struct call *call)
{
    char digits[NUM_INT64_CHARS];
    const struct entry *entry;
    struct span old;
    int64_t created;

    TRY(call_find_write(call, 1, TYPE_HASH, &entry));
    if (entry != NULL && hash_get(entry, call->argv[2], digits, &old)) {
        reply_int64(call->reply, 0);
        return OK;
    }
    TRY(put_pairs(call, &created));
    reply_int64(call->reply, created);
    return OK;
}

/* HDEL key field [field ...] */
enum err cmd_hdel(struct call *call)
{
    const struct entry *entry;
    struct store_edit edit;
    uint64_t changes = 0;
    bool removed = false;

    TRY(call_find_write(call, 1, TYPE_HASH, &entry));
    if (entry != NULL) {
        call_edit_open(call, 1, TYPE_HASH, &edit);
        for (int i = 2; i < call->argc; i++) {
            edit.entry = hash_remove(edit.entry, call->argv[i], &removed);
            changes += removed;
        }
        store_edit_close(&edit, changes, EVENT(EVENT_HASH, "hdel"));
    }
    reply_int64(call->reply, (int64_t)changes);
    return OK;
}

/* ---- numbers ---- */

/* Puts argv[2]'s new value. */
static void put_sum(struct call *call, struct span sum, const char *event)
{
    struct store_edit edit;
    bool added;

    call_edit_open(call, 1, TYPE_HASH, &edit);
    edit.entry = hash_put(edit.entry, call->argv[2], sum, store_settings(call->store), &added);
    store_edit_close(&edit, 1, EVENT(EVENT_HASH, event));
}

/* HINCRBY key field increment. A missing field counts as 0. */
enum err cmd_hincrby(struct call *call)
{
    char digits[NUM_INT64_CHARS];
    const struct entry *entry;
    int64_t value = 0, increment;
    struct span old;

    TRY(call_arg_int64(call, 3, &increment));
    TRY(call_find_write(call, 1, TYPE_HASH, &entry));
    if (entry != NULL && hash_get(entry, call->argv[2], digits, &old) &&
        !num_parse_int64(old, &value))
        return call_fail(call, "ERR hash value is not an integer");
    if (!num_add_int64(value, increment, &value)) return ERR_INT_OVERFLOW;

    put_sum(call, span_of(digits, num_format_int64(digits, value)), "hincrby");
    reply_int64(call->reply, value);
    return OK;
}

/* HINCRBYFLOAT key field increment. Replicas get the sum: they need not add as this machine does. */
enum err cmd_hincrbyfloat(struct call *call)
{
    char digits[NUM_LONG_DOUBLE_CHARS];
    const struct entry *entry;
    long double value = 0, increment;
    struct span old;

    if (!num_parse_long_double(call->argv[3], &increment)) return ERR_NOT_FLOAT;
    if (isinf(increment)) return call_fail(call, "ERR value is NaN or Infinity");
    TRY(call_find_write(call, 1, TYPE_HASH, &entry));
    if (entry != NULL && hash_get(entry, call->argv[2], digits, &old) &&
        !num_parse_long_double(old, &value))
        return call_fail(call, "ERR hash value is not a float");
    value += increment;
    if (isnan(value) || isinf(value)) return ERR_NAN_OR_INF;

    struct span sum = span_of(digits, num_format_long_double(digits, value));
    put_sum(call, sum, "hincrbyfloat");
    call_effect(call, 4, (struct span[]){SPAN("HSET"), call->argv[1], call->argv[2], sum});
    reply_bulk(call->reply, sum);
    return OK;
}

/* ---- reading fields ---- */

static void reply_field(struct call *call, const struct entry *entry, struct span field)
{
    char digits[NUM_INT64_CHARS];
    struct span value;

    if (entry != NULL && hash_get(entry, field, digits, &value)) reply_bulk(call->reply, value);
    else reply_null(call->reply);
}

/* HGET key field */
enum err cmd_hget(struct call *call)
{
    const struct entry *entry;

    TRY(call_find(call, 1, TYPE_HASH, &entry));
    reply_field(call, entry, call->argv[2]);
    return OK;
}

/* HMGET key field [field ...] */
enum err cmd_hmget(struct call *call)
{
    const struct entry *entry;

    TRY(call_find(call, 1, TYPE_HASH, &entry));
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) reply_field(call, entry, call->argv[i]);
    return OK;
}

/* HEXISTS key field */
enum err cmd_hexists(struct call *call)
{
    char digits[NUM_INT64_CHARS];
    const struct entry *entry;
    struct span value;

    TRY(call_find(call, 1, TYPE_HASH, &entry));
    reply_int64(call->reply, entry != NULL && hash_get(entry, call->argv[2], digits, &value));
    return OK;
}

/* HSTRLEN key field */
enum err cmd_hstrlen(struct call *call)
{
    char digits[NUM_INT64_CHARS];
    const struct entry *entry;
    struct span value = SPAN("");

    TRY(call_find(call, 1, TYPE_HASH, &entry));
    if (entry != NULL) hash_get(entry, call->argv[2], digits, &value);
    reply_int64(call->reply, (int64_t)value.len);
    return OK;
}

/* HLEN key */
enum err cmd_hlen(struct call *call)
{
    const struct entry *entry;

    TRY(call_find(call, 1, TYPE_HASH, &entry));
    reply_int64(call->reply, entry == NULL ? 0 : (int64_t)hash_count(entry));
    return OK;
}

/* ---- reading all ---- */

enum { FIELDS = 1, VALUES = 2 };

static void reply_pair(struct reply *reply, const struct hash_pair *pair, unsigned parts)
{
    if (parts & FIELDS) reply_bulk(reply, pair->field);
    if (parts & VALUES) reply_bulk(reply, pair->value);
}

static enum err reply_all(struct call *call, unsigned parts)
{
    const struct entry *entry;
    struct hash_pair pair;

    TRY(call_find(call, 1, TYPE_HASH, &entry));
    int64_t count = entry == NULL ? 0 : (int64_t)hash_count(entry);
    if (parts == (FIELDS | VALUES)) reply_map(call->reply, count);
    else reply_array(call->reply, count);
    if (entry == NULL) return OK;
    for (struct hash_walk walk = hash_walk(entry); hash_next(&walk, &pair);)
        reply_pair(call->reply, &pair, parts);
    return OK;
}

/* HGETALL key */
enum err cmd_hgetall(struct call *call)
{
    return reply_all(call, FIELDS | VALUES);
}

/* HKEYS key */
enum err cmd_hkeys(struct call *call)
{
    return reply_all(call, FIELDS);
}

/* HVALS key */
enum err cmd_hvals(struct call *call)
{
    return reply_all(call, VALUES);
}

/* ---- HSCAN ---- */

static void scan_pair(void *context, const struct hash_pair *pair)
{
    struct scan *scan = context;
    if (scan_wants(scan, pair->field)) reply_pair(scan->call->reply, pair, FIELDS | VALUES);
}

static uint64_t scan_step(struct scan *scan, uint64_t cursor)
{
    return hash_scan(scan->entry, cursor, scan_pair, scan);
}

/* HSCAN key cursor [MATCH pattern] [COUNT count] */
enum err cmd_hscan(struct call *call)
{
    struct scan scan;

    TRY(scan_begin(call, TYPE_HASH, &scan));
    if (scan.entry != NULL) scan_run(&scan, scan_step, 2);
    return OK;
}

/* ---- HRANDFIELD ---- */

struct random_reply {
    struct reply *reply;
    unsigned parts;
};

static void reply_random(void *context, const struct hash_pair *pair)
{
    const struct random_reply *random = context;
    bool nested = random->parts & VALUES && random->reply->version == 3;

    if (nested) reply_array(random->reply, 2);
    reply_pair(random->reply, pair, random->parts);
}

/* In rounds: nobody draws on for a reply that is not written any more. */
static void reply_draws(const struct entry *e, uint64_t times, struct random *random,
                        struct random_reply *to)
{
    enum { ROUND = 4096 };

    while (times > 0 && !to->reply->muted) {
        const uint64_t round = times < ROUND ? times : ROUND;
        hash_draw(e, round, random, reply_random, to);
        times -= round;
    }
}

static enum err parse_random(struct call *call, int64_t *count, unsigned *parts)
{
    TRY(call_arg_int64(call, 2, count));
    if (*count == INT64_MIN)
        return call_fail(call, "ERR value is out of range, value must between "
                               "-9223372036854775807 and 9223372036854775807");
    if (call->argc > 4 || (call->argc == 4 && !call_arg_is(call, 3, "WITHVALUES")))
        return ERR_SYNTAX;
    *parts = call->argc == 4 ? FIELDS | VALUES : FIELDS;
    if (call->argc == 4 && (*count < -INT64_MAX / 2 || *count > INT64_MAX / 2))
        return ERR_OUT_OF_RANGE;
    return OK;
}

/* HRANDFIELD key [count [WITHVALUES]]: a negative count draws one field as often as it comes, a positive
 * one gives different fields. */
enum err cmd_hrandfield(struct call *call)
{
    struct random *random = store_random(call->store);
    struct random_reply context = {call->reply, FIELDS};
    const struct entry *entry;
    int64_t count = 1;

    if (call->argc > 2) TRY(parse_random(call, &count, &context.parts));
    TRY(call_find(call, 1, TYPE_HASH, &entry));
    if (call->argc == 2) {
        if (entry == NULL) reply_null(call->reply);
        else hash_draw(entry, 1, random, reply_random, &context);
        return OK;
    }
    int64_t fields = entry == NULL ? 0 : (int64_t)hash_count(entry);
    int64_t given = fields == 0 || count == 0 ? 0 : count < 0 ? -count : count;
    if (count > fields) given = fields;
    bool flat = context.parts & VALUES && call->reply->version == 2;
    reply_array(call->reply, flat ? 2 * given : given);
    if (given == 0) return OK;
    if (count < 0) reply_draws(entry, (uint64_t)given, random, &context);
    else hash_sample(entry, (size_t)given, random, reply_random, &context);
    return OK;
}
