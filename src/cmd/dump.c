/* DUMP and RESTORE. */
#include "cmd/call.h"
#include "handlers.h"

#include "base/log.h"
#include "store/access_clock.h"
#include "store/value_rdb.h"

enum err cmd_dump(struct call *call)
{
    const struct entry *entry;
    struct buf payload = {0};

    TRY(call_find(call, 1, TYPE_ANY, &entry));
    if (entry == NULL) {
        reply_null(call->reply);
        return OK;
    }
    value_dump(entry, call->limits->compress, &payload);
    reply_bulk(call->reply, buf_span(&payload));
    buf_release(&payload);
    return OK;
}

struct restore {
    bool replace, absolute;
    int64_t ttl_ms;
    int64_t idle_s, frequency; /* -1: not given */
};

static enum err parse_restore(struct call *call, struct restore *restore)
{
    *restore = (struct restore){.idle_s = -1, .frequency = -1};
    for (int i = 4; i < call->argc; i++) {
        bool has_value = i + 1 < call->argc;
        if (call_arg_is(call, i, "REPLACE")) {
            restore->replace = true;
        } else if (call_arg_is(call, i, "ABSTTL")) {
            restore->absolute = true;
        } else if (call_arg_is(call, i, "IDLETIME") && has_value && restore->frequency == -1) {
            TRY(call_arg_int64(call, ++i, &restore->idle_s));
            if (restore->idle_s < 0)
                return call_fail(call, "ERR Invalid IDLETIME value, must be >= 0");
        } else if (call_arg_is(call, i, "FREQ") && has_value && restore->idle_s == -1) {
            TRY(call_arg_int64(call, ++i, &restore->frequency));
            if (restore->frequency < 0 || restore->frequency > 255)
                return call_fail(call, "ERR Invalid FREQ value, must be >= 0 and <= 255");
        } else {
            return ERR_SYNTAX;
        }
    }
    return OK;
}

/* The journal's form: an absolute time, and ABSTTL once. */
static void state_restore(struct call *call, const struct restore *restore, int64_t deadline_ms)
{
    struct span argv[10];
    char digits[NUM_INT64_CHARS], idle[NUM_INT64_CHARS], frequency[NUM_INT64_CHARS];
    bool has_deadline = deadline_ms != NO_DEADLINE;
    int argc = 0;

    argv[argc++] = SPAN("RESTORE");
    argv[argc++] = call->argv[1];
    argv[argc++] =
        has_deadline ? span_of(digits, num_format_int64(digits, deadline_ms)) : SPAN("0");
    argv[argc++] = call->argv[3];
    if (restore->replace) argv[argc++] = SPAN("REPLACE");
    if (has_deadline) argv[argc++] = SPAN("ABSTTL");
    if (restore->idle_s >= 0) {
        argv[argc++] = SPAN("IDLETIME");
        argv[argc++] = span_of(idle, num_format_int64(idle, restore->idle_s));
    } else if (restore->frequency >= 0) {
        argv[argc++] = SPAN("FREQ");
        argv[argc++] = span_of(frequency, num_format_int64(frequency, restore->frequency));
    }
    call_effect(call, argc, argv);
}

static void set_clock(struct call *call, const struct key *key, const struct restore *restore)
{
    bool lfu = store_policy(call->store)->lfu;

    if (restore->frequency >= 0 && lfu)
        store_set_clock(call->store, call->db, key,
                        access_clock_of_frequency(call->now_ms, (uint8_t)restore->frequency));
    else if (restore->idle_s >= 0 && !lfu)
        store_set_clock(call->store, call->db, key,
                        access_clock_of_idle(call->now_ms, restore->idle_s));
}

/* The reply is the same for every unsound payload; what is wrong with it stands in the log. */
static enum err read_payload(struct call *call, int64_t deadline_ms, struct entry **out)
{
    const struct span key = call->argv[1];
    const struct value_target target = {key, deadline_ms, store_settings(call->store)};
    char why[256] = "";
    enum err err = value_restore(call->argv[3], call->limits->skip_checksum, &target, out, why);

    if (err == ERR_BAD_DATA)
        log_warning("RESTORE: unsound payload for key '%.*s': %s",
                    (int)(key.len < 64 ? key.len : 64), key.ptr, why);
    return err;
}

enum err cmd_restore(struct call *call)
{
    struct key key = call_key(call, 1);
    struct restore restore;
    struct entry *entry;
    int64_t deadline_ms = NO_DEADLINE;

    TRY(parse_restore(call, &restore));
    if (!restore.replace && store_find(call->store, call->db, &key, FIND_WRITE) != NULL)
        return ERR_BUSY_KEY;
    TRY(call_arg_int64(call, 2, &restore.ttl_ms));
    if (restore.ttl_ms < 0) return call_fail(call, "ERR Invalid TTL value, must be >= 0");
    if (restore.ttl_ms > 0) {
        deadline_ms = restore.ttl_ms;
        if (!restore.absolute && !num_add_int64(restore.ttl_ms, call->now_ms, &deadline_ms))
            return call_fail(call, "ERR Invalid TTL value, must be >= 0");
    }
    TRY(read_payload(call, deadline_ms, &entry));
    bool keeps_expired =
        call->flags & (CALL_FROM_PRIMARY | CALL_REPLAY) || store_policy(call->store)->is_replica;
    if (deadline_ms != NO_DEADLINE && deadline_ms <= call->now_ms &&
        !keeps_expired) { /* past already: only the old one goes */
        entry_free(entry);
        if (restore.replace && store_vacate(call->store, call->db, &key)) {
            struct span argv[] = {SPAN("DEL"), call->argv[1]};
            call_effect(call, 2, argv);
        }
        reply_ok(call->reply);
        return OK;
    }
    store_put_entry(call->store, call->db, &key, entry, EVENT(EVENT_GENERIC, "restore"));
    set_clock(call, &key, &restore);
    state_restore(call, &restore, deadline_ms);
    reply_ok(call->reply);
    return OK;
}
