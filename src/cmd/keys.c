/* Commands about keys of any type, except deadlines (expire.c), listings (scan.c) and payloads (dump.c). */
#include "cmd/call.h"
#include "handlers.h"

static enum err remove_all(struct call *call, enum removal how)
{
    int64_t removed = 0;

    for (int i = 1; i < call->argc; i++)
        removed += call_remove(call, i, how, EVENT(EVENT_GENERIC, "del"));
    reply_int64(call->reply, removed);
    return OK;
}

enum err cmd_del(struct call *call)
{
    return remove_all(call, call->limits->lazy_user_del ? REMOVE_LAZY : REMOVE_NOW);
}

enum err cmd_unlink(struct call *call)
{
    return remove_all(call, REMOVE_LAZY);
}

static int64_t count_present(struct call *call, unsigned flags)
{
    int64_t count = 0;

    for (int i = 1; i < call->argc; i++) {
        struct key key = call_key(call, i);
        count += store_find(call->store, call->db, &key, flags) != NULL;
    }
    return count;
}

enum err cmd_exists(struct call *call)
{
    reply_int64(call->reply, count_present(call, FIND_NO_TOUCH));
    return OK;
}

enum err cmd_touch(struct call *call)
{
    reply_int64(call->reply, count_present(call, 0));
    return OK;
}

static const struct entry *find_untouched(struct call *call, int index)
{
    struct key key = call_key(call, index);
    return store_find(call->store, call->db, &key, FIND_NO_TOUCH);
}

enum err cmd_type(struct call *call)
{
    const struct entry *entry = find_untouched(call, 1);

    reply_status(call->reply, entry == NULL ? "none" : value_type_name(entry_type(entry)));
    return OK;
}

/* ---- other names ------------------------------------------------------------------------------ */

static enum err rename_key(struct call *call, bool only_if_absent, bool *renamed)
{
    struct key from = call_key(call, 1), to = call_key(call, 2);

    *renamed = false;
    if (store_find(call->store, call->db, &from, FIND_WRITE) == NULL) return ERR_NO_SUCH_KEY;
    if (span_equal(from.name, to.name)) return OK;
    if (only_if_absent && store_find(call->store, call->db, &to, FIND_WRITE) != NULL) return OK;
    store_move(call->store, call->db, &from, call->db, &to, EVENT(EVENT_GENERIC, "rename_from"),
               EVENT(EVENT_GENERIC, "rename_to"));
    *renamed = true;
    return OK;
}

enum err cmd_rename(struct call *call)
{
    bool renamed;

    TRY(rename_key(call, false, &renamed));
    reply_ok(call->reply);
    return OK;
}

enum err cmd_renamenx(struct call *call)
{
    bool renamed;

    TRY(rename_key(call, true, &renamed));
    reply_int64(call->reply, renamed);
    return OK;
}

enum err cmd_move(struct call *call)
{
    struct key key = call_key(call, 1);
    int db;

    TRY(call_arg_db(call, 2, &db));
    if (db == call->db) return ERR_SAME_OBJECT;
    if (store_find(call->store, call->db, &key, FIND_WRITE) == NULL ||
        store_find(call->store, db, &key, FIND_WRITE) != NULL) {
        reply_int64(call->reply, 0);
        return OK;
    }
    store_move(call->store, call->db, &key, db, &key, EVENT(EVENT_GENERIC, "move_from"),
               EVENT(EVENT_GENERIC, "move_to"));
    reply_int64(call->reply, 1);
    return OK;
}

enum err cmd_copy(struct call *call)
{
    struct key from = call_key(call, 1), to = call_key(call, 2);
    bool replace = false;
    int db = call->db;

    for (int i = 3; i < call->argc; i++) {
        if (call_arg_is(call, i, "REPLACE")) {
            replace = true;
        } else if (call_arg_is(call, i, "DB") && i + 1 < call->argc) {
            TRY(call_arg_db(call, ++i, &db));
        } else {
            return ERR_SYNTAX;
        }
    }
    if (db == call->db && span_equal(from.name, to.name)) return ERR_SAME_OBJECT;
    const struct entry *entry = store_find(call->store, call->db, &from, 0);
    if (entry == NULL) {
        reply_int64(call->reply, 0);
        return OK;
    }
    if (store_find(call->store, db, &to, FIND_WRITE) != NULL && !replace) {
        reply_int64(call->reply, 0);
        return OK;
    }
    store_put_entry(call->store, db, &to, entry_copy(entry, to.name, entry_deadline(entry)),
                    EVENT(EVENT_GENERIC, "copy_to"));
    reply_int64(call->reply, 1);
    return OK;
}

/* ---- OBJECT ----------------------------------------------------------------------------------- */

#define OTHER_POLICY_NOTE                                                                          \
    " Please note that when switching between policies at runtime LRU and LFU data will take "     \
    "some time to adjust."

enum {
    SHARED_INTEGERS = 10000,
    SHARED_REFCOUNT = 2147483647
}; /* what Redis 7.0 answers for integers that it shares */

static const struct entry *find_object(struct call *call)
{
    struct key key = call_key(call, 2);
    return store_find(call->store, call->db, &key, FIND_NO_TOUCH | FIND_NO_EVENT);
}

enum err cmd_object_encoding(struct call *call)
{
    const struct entry *entry = find_object(call);

    if (entry == NULL) reply_null(call->reply);
    else reply_bulk_cstr(call->reply, entry_encoding_name(entry));
    return OK;
}

enum err cmd_object_refcount(struct call *call)
{
    const struct entry *entry = find_object(call);
    int64_t value;

    if (entry == NULL) {
        reply_null(call->reply);
        return OK;
    }
    bool shared = entry_type(entry) == TYPE_STRING && entry_encoding(entry) == ENC_INT &&
                  entry_string_int64(entry, &value) && value >= 0 && value < SHARED_INTEGERS &&
                  call->limits->shares_integers;
    reply_int64(call->reply, shared ? SHARED_REFCOUNT : 1);
    return OK;
}

enum err cmd_object_idletime(struct call *call)
{
    const struct entry *entry = find_object(call);

    if (entry == NULL) {
        reply_null(call->reply);
        return OK;
    }
    if (store_policy(call->store)->lfu)
        return call_fail(
            call,
            "ERR An LFU maxmemory policy is selected, idle time not tracked." OTHER_POLICY_NOTE);
    reply_int64(call->reply, store_idle_seconds(call->store, entry));
    return OK;
}

enum err cmd_object_freq(struct call *call)
{
    const struct entry *entry = find_object(call);

    if (entry == NULL) {
        reply_null(call->reply);
        return OK;
    }
    if (!store_policy(call->store)->lfu)
        return call_fail(call, "ERR An LFU maxmemory policy is not selected, access frequency not "
                               "tracked." OTHER_POLICY_NOTE);
    reply_int64(call->reply, (int64_t)store_frequency(call->store, entry));
    return OK;
}

enum err cmd_object_help(struct call *call)
{
    static const char *const lines[] = {
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
        "HELP",
        "    Prints this help.",
        NULL,
    };

    reply_help(call->reply, lines);
    return OK;
}
