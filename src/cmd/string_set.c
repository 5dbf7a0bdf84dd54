/* SET and the commands that are SET in other words; the options that SET and GETEX share. Whatever a
 * client says about time, the journal gets the absolute deadline in milliseconds. */
#include "base/mem.h"
#include "cmd/call.h"
#include "handlers.h"

/* ---- expiry options ---- */

struct time_unit {
    const char *word;
    bool seconds, absolute;
};
static const struct time_unit ex = {"EX", true, false}, px = {"PX", false, false},
                              exat = {"EXAT", true, true}, pxat = {"PXAT", false, true};

struct expiry {
    const struct time_unit *unit; /* NULL: none was given */
    int value;                    /* index of its argument */
    bool special;                 /* the word that excludes units: KEEPTTL or PERSIST */
};

/* Whether argv[*index] is an expiry option that may stand here; *index is then at its last argument.
 * A unit may be repeated, as in Redis 7.0.15, and the last one counts. */
static bool take_expiry(const struct call *call, int *index, const char *special,
                        struct expiry *expiry)
{
    const struct time_unit *const units[] = {&ex, &px, &exat, &pxat};

    if (call_arg_is(call, *index, special)) {
        if (expiry->unit != NULL) return false;
        expiry->special = true;
        return true;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!call_arg_is(call, *index, units[i]->word)) continue;
        if (expiry->special || (expiry->unit != NULL && expiry->unit != units[i])) return false;
        if (*index + 1 >= call->argc) return false;
        expiry->unit = units[i];
        expiry->value = ++*index;
        return true;
    }
    return false;
}

/* The deadline in Unix ms that argv[index] names in `unit`. */
static enum err deadline_of(struct call *call, const struct time_unit *unit, int index,
                            int64_t *deadline)
{
    int64_t time;

    TRY(call_arg_int64(call, index, &time));
    if (time <= 0 || (unit->seconds && !num_mul_int64(time, 1000, &time)) ||
        (!unit->absolute && !num_add_int64(time, call->now_ms, &time)))
        return call_fail(call, "ERR invalid expire time in '%s' command", call->command->name);
    *deadline = time;
    return OK;
}

/* A deadline that lies in the past deletes at once, but only where this node decides about expiry:
 * a replica and whoever replays the log keep the key until the deletion arrives. */
static bool expires_at_once(const struct call *call, int64_t deadline)
{
    const struct store_policy *policy = store_policy(call->store);
    return deadline <= call->now_ms && !policy->is_replica && !policy->keep_expired;
}

/* ---- SET ---- */

enum condition { ALWAYS, IF_ABSENT, IF_PRESENT };

struct set_options {
    enum condition condition;
    bool get;
    struct expiry expiry;
};

static enum err parse_set_options(const struct call *call, struct set_options *out)
{
    struct set_options options = {ALWAYS, false, {NULL, 0, false}};

    for (int i = 3; i < call->argc; i++) {
        if (call_arg_is(call, i, "NX") && options.condition != IF_PRESENT)
            options.condition = IF_ABSENT;
        else if (call_arg_is(call, i, "XX") && options.condition != IF_ABSENT)
            options.condition = IF_PRESENT;
        else if (call_arg_is(call, i, "GET")) options.get = true;
        else if (!take_expiry(call, &i, "KEEPTTL", &options.expiry)) return ERR_SYNTAX;
    }
    *out = options;
    return OK;
}

static const struct event set_event = {EVENT_STRING, "set"};
static const struct event expire_event = {EVENT_GENERIC, "expire"};

/* Puts argv[value] under argv[1] until the deadline. */
static void set_until(struct call *call, int value, int64_t deadline)
{
    char digits[NUM_INT64_CHARS];
    struct span time = span_of(digits, num_format_int64(digits, deadline));

    call_put_string(call, 1, call->argv[value], deadline, set_event);
    call_event(call, 1, expire_event);
    call_effect(call, 5,
                (struct span[]){SPAN("SET"), call->argv[1], call->argv[value], SPAN("PXAT"), time});
}

/* The arguments as they came, without GET: a replica has nobody to answer. */
static void effect_without_get(struct call *call)
{
    struct span some[16], *argv = some;
    int argc = 0;

    if (call->argc > 16) argv = mem_alloc((size_t)call->argc * sizeof *argv);
    for (int i = 0; i < call->argc; i++)
        if (i < 3 || !call_arg_is(call, i, "GET")) argv[argc++] = call->argv[i];
    call_effect(call, argc, argv);
    if (argv != some) mem_free(argv);
}

/* SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] */
enum err cmd_set(struct call *call)
{
    struct set_options options;
    int64_t deadline = NO_DEADLINE;
    const struct entry *old = NULL;
    char scratch[NUM_INT64_CHARS];

    TRY(parse_set_options(call, &options));
    if (options.expiry.unit != NULL)
        TRY(deadline_of(call, options.expiry.unit, options.expiry.value, &deadline));
    if (options.get) TRY(call_find(call, 1, TYPE_STRING, &old));
    else if (options.condition != ALWAYS) TRY(call_find_write(call, 1, TYPE_ANY, &old));
    const bool refused = options.condition == IF_ABSENT    ? old != NULL
                         : options.condition == IF_PRESENT ? old == NULL
                                                           : false;
    if (options.get && old != NULL) reply_bulk(call->reply, entry_string(old, scratch));
    else if (options.get || refused) reply_null(call->reply);
    else reply_ok(call->reply);
    if (refused) return OK;

    if (options.expiry.unit != NULL) {
        set_until(call, 2, deadline);
        return OK;
    }
    call_put_string(call, 1, call->argv[2], options.expiry.special ? TTL_KEEP : TTL_CLEAR,
                    set_event);
    if (options.get) effect_without_get(call);
    else call_effect_verbatim(call);
    return OK;
}

/* SETNX key value */
enum err cmd_setnx(struct call *call)
{
    const struct entry *old;

    TRY(call_find_write(call, 1, TYPE_ANY, &old));
    if (old == NULL) call_put_string(call, 1, call->argv[2], TTL_CLEAR, set_event);
    reply_int64(call->reply, old == NULL);
    return OK;
}

static enum err set_with_time(struct call *call, const struct time_unit *unit)
{
    int64_t deadline;

    TRY(deadline_of(call, unit, 2, &deadline));
    set_until(call, 3, deadline);
    reply_ok(call->reply);
    return OK;
}

/* SETEX key seconds value */
enum err cmd_setex(struct call *call)
{
    return set_with_time(call, &ex);
}

/* PSETEX key milliseconds value */
enum err cmd_psetex(struct call *call)
{
    return set_with_time(call, &px);
}

/* ---- several keys ---- */

static enum err check_pairs(struct call *call)
{
    if (call->argc % 2 == 1) return OK;
    return call_fail(call, "ERR wrong number of arguments for '%s' command", call->command->name);
}

static void put_pairs(struct call *call)
{
    for (int i = 1; i < call->argc; i += 2)
        call_put_string(call, i, call->argv[i + 1], TTL_CLEAR, set_event);
}

/* MSET key value [key value ...] */
enum err cmd_mset(struct call *call)
{
    TRY(check_pairs(call));
    put_pairs(call);
    reply_ok(call->reply);
    return OK;
}

/* MSETNX key value [key value ...]: all or, where one of the keys exists, none. */
enum err cmd_msetnx(struct call *call)
{
    TRY(check_pairs(call));
    for (int i = 1; i < call->argc; i += 2) {
        const struct entry *old;
        TRY(call_find_write(call, i, TYPE_ANY, &old));
        if (old == NULL) continue;
        reply_int64(call->reply, 0);
        return OK;
    }
    put_pairs(call);
    reply_int64(call->reply, 1);
    return OK;
}

/* ---- GETEX ---- */

static void set_deadline(struct call *call, int64_t deadline, struct event event)
{
    struct key key = call_key(call, 1);
    store_set_deadline(call->store, call->db, &key, deadline, event);
}

static void expire_at(struct call *call, int64_t deadline)
{
    char digits[NUM_INT64_CHARS];

    if (expires_at_once(call, deadline)) {
        const bool lazy = store_policy(call->store)->lazy_expire;
        call_remove(call, 1, lazy ? REMOVE_LAZY : REMOVE_NOW, EVENT(EVENT_GENERIC, "del"));
        call_effect(call, 2, (struct span[]){lazy ? SPAN("UNLINK") : SPAN("DEL"), call->argv[1]});
        return;
    }
    set_deadline(call, deadline, expire_event);
    call_effect(call, 3,
                (struct span[]){SPAN("PEXPIREAT"), call->argv[1],
                                span_of(digits, num_format_int64(digits, deadline))});
}

/* GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]. A missing key's time is not looked at. */
enum err cmd_getex(struct call *call)
{
    struct expiry expiry = {NULL, 0, false};
    int64_t deadline = NO_DEADLINE;
    const struct entry *entry;
    char scratch[NUM_INT64_CHARS];

    for (int i = 2; i < call->argc; i++)
        if (!take_expiry(call, &i, "PERSIST", &expiry)) return ERR_SYNTAX;
    TRY(call_find(call, 1, TYPE_STRING, &entry));
    if (entry == NULL) {
        reply_null(call->reply);
        return OK;
    }
    if (expiry.unit != NULL) TRY(deadline_of(call, expiry.unit, expiry.value, &deadline));
    reply_bulk(call->reply, entry_string(entry, scratch));
    if (expiry.unit != NULL) {
        expire_at(call, deadline);
    } else if (expiry.special && entry_deadline(entry) != NO_DEADLINE) {
        set_deadline(call, NO_DEADLINE, EVENT(EVENT_GENERIC, "persist"));
        call_effect(call, 2, (struct span[]){SPAN("PERSIST"), call->argv[1]});
    }
    return OK;
}
