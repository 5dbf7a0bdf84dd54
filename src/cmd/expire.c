/* Deadlines: EXPIRE and its family, TTL and its family, PERSIST.
 *
 * Whatever the form, the journal gets PEXPIREAT with an absolute time, or DEL (UNLINK with lazyfree-lazy-expire) where the
 * time is past. On a replica and in replay a time in the past is kept: only the primary deletes. */
#include "cmd/call.h"
#include "handlers.h"

enum { WITH_NX = 1 << 0, WITH_XX = 1 << 1, WITH_GT = 1 << 2, WITH_LT = 1 << 3 };

static enum err parse_conditions(struct call *call, unsigned *out)
{
    *out = 0;
    for (int i = 3; i < call->argc; i++) {
        if (call_arg_is(call, i, "NX")) *out |= WITH_NX;
        else if (call_arg_is(call, i, "XX")) *out |= WITH_XX;
        else if (call_arg_is(call, i, "GT")) *out |= WITH_GT;
        else if (call_arg_is(call, i, "LT")) *out |= WITH_LT;
        else
            return call_fail(call, "ERR Unsupported option %.*s",
                             (int)(call->argv[i].len < 128 ? call->argv[i].len : 128),
                             call->argv[i].ptr);
    }
    if (*out & WITH_NX && *out & (WITH_XX | WITH_GT | WITH_LT))
        return call_fail(call,
                         "ERR NX and XX, GT or LT options at the same time are not compatible");
    if (*out & WITH_GT && *out & WITH_LT)
        return call_fail(call, "ERR GT and LT options at the same time are not compatible");
    return OK;
}

/* `present` is the deadline the key has; none counts as infinitely far. */
static bool conditions_hold(unsigned conditions, int64_t present, int64_t wanted)
{
    bool has = present != NO_DEADLINE;

    if (conditions & WITH_NX && has) return false;
    if (conditions & WITH_XX && !has) return false;
    if (conditions & WITH_GT && (!has || wanted <= present)) return false;
    if (conditions & WITH_LT && has && wanted >= present) return false;
    return true;
}

static enum err parse_deadline(struct call *call, int64_t unit_ms, int64_t base_ms, int64_t *out)
{
    int64_t value, ms;

    TRY(call_arg_int64(call, 2, &value));
    if (!num_mul_int64(value, unit_ms, &ms) || !num_add_int64(ms, base_ms, out))
        return call_fail(call, "ERR invalid expire time in '%s' command", call->command->name);
    return OK;
}

static void state_deadline(struct call *call, int64_t deadline_ms)
{
    enum {
        CONDITIONS_MAX = 8
    }; /* more than that repeat themselves: they held here, so they may go */
    char digits[NUM_INT64_CHARS];
    struct span argv[3 + CONDITIONS_MAX] = {SPAN("PEXPIREAT"), call->argv[1],
                                            span_of(digits, num_format_int64(digits, deadline_ms))};
    int conditions = call->argc - 3 <= CONDITIONS_MAX ? call->argc - 3 : 0;

    for (int i = 0; i < conditions; i++)
        argv[3 + i] = call->argv[3 + i]; /* as Redis sends them on */
    call_effect(call, 3 + conditions, argv);
}

static enum err expire(struct call *call, int64_t unit_ms, bool absolute)
{
    struct key key = call_key(call, 1);
    unsigned conditions;
    int64_t deadline_ms = 0;

    TRY(parse_conditions(call, &conditions));
    TRY(parse_deadline(call, unit_ms, absolute ? 0 : call->now_ms, &deadline_ms));
    const struct entry *entry = store_find(call->store, call->db, &key, FIND_WRITE);
    if (entry == NULL || !conditions_hold(conditions, entry_deadline(entry), deadline_ms)) {
        reply_int64(call->reply, 0);
        return OK;
    }
    const struct store_policy *policy = store_policy(call->store);
    bool may_delete = !(call->flags & (CALL_FROM_PRIMARY | CALL_REPLAY)) && !policy->is_replica;
    if (deadline_ms <= call->now_ms && may_delete) {
        struct span argv[] = {policy->lazy_expire ? SPAN("UNLINK") : SPAN("DEL"), call->argv[1]};
        store_remove(call->store, call->db, &key, policy->lazy_expire ? REMOVE_LAZY : REMOVE_NOW,
                     EVENT(EVENT_GENERIC, "del"));
        call_effect(call, 2, argv);
    } else {
        store_set_deadline(call->store, call->db, &key, deadline_ms,
                           EVENT(EVENT_GENERIC, "expire"));
        state_deadline(call, deadline_ms);
    }
    reply_int64(call->reply, 1);
    return OK;
}

enum err cmd_expire(struct call *call)
{
    return expire(call, 1000, false);
}
enum err cmd_pexpire(struct call *call)
{
    return expire(call, 1, false);
}
enum err cmd_expireat(struct call *call)
{
    return expire(call, 1000, true);
}
enum err cmd_pexpireat(struct call *call)
{
    return expire(call, 1, true);
}

enum err cmd_persist(struct call *call)
{
    struct key key = call_key(call, 1);
    const struct entry *entry = store_find(call->store, call->db, &key, FIND_WRITE);
    bool has = entry != NULL && entry_deadline(entry) != NO_DEADLINE;

    if (has)
        store_set_deadline(call->store, call->db, &key, NO_DEADLINE,
                           EVENT(EVENT_GENERIC, "persist"));
    reply_int64(call->reply, has);
    return OK;
}

/* -2 no key, -1 no deadline, else the deadline or what is left of it; seconds are rounded to the nearest. */
static enum err tell_deadline(struct call *call, bool absolute, bool seconds)
{
    struct key key = call_key(call, 1);
    const struct entry *entry = store_find(call->store, call->db, &key, FIND_NO_TOUCH);
    int64_t deadline_ms = entry == NULL ? NO_DEADLINE : entry_deadline(entry);

    if (deadline_ms == NO_DEADLINE) {
        reply_int64(call->reply, entry == NULL ? -2 : -1);
        return OK;
    }
    int64_t ms = deadline_ms;
    if (!absolute) {
        ms = deadline_ms - call->now_ms;
        if (ms < 0) ms = 0;
    }
    reply_int64(call->reply, seconds ? (int64_t)(((uint64_t)ms + 500) / 1000) : ms);
    return OK;
}

enum err cmd_ttl(struct call *call)
{
    return tell_deadline(call, false, true);
}
enum err cmd_pttl(struct call *call)
{
    return tell_deadline(call, false, false);
}
enum err cmd_expiretime(struct call *call)
{
    return tell_deadline(call, true, true);
}
enum err cmd_pexpiretime(struct call *call)
{
    return tell_deadline(call, true, false);
}
