/* Reading lists, and changing them elsewhere than at their ends. */
#include "cmd/list.h"
#include "handlers.h"

/* ---- reading ------------------------------------------------------------------------------------ */

/* LLEN key */
enum err cmd_llen(struct call *call)
{
    const struct entry *e;

    TRY(call_find(call, 1, TYPE_LIST, &e));
    reply_int64(call->reply, e != NULL ? (int64_t)list_count(e) : 0);
    return OK;
}

/* LINDEX key index */
enum err cmd_lindex(struct call *call)
{
    const struct entry *e;
    struct quicklist_walk walk;
    int64_t index;

    TRY(call_find(call, 1, TYPE_LIST, &e));
    if (e == NULL) {
        reply_null(call->reply);
        return OK;
    }
    TRY(call_arg_int64(call, 2, &index));
    if (list_walk_open(&walk, e, index)) list_reply_element(call->reply, &walk);
    else reply_null(call->reply);
    quicklist_walk_close(&walk);
    return OK;
}

/* Which of `len` elements argv[index] and argv[index + 1] mean, both included: the first and how many. */
static enum err arg_range(struct call *call, int index, int64_t *start, int64_t *stop)
{
    TRY(call_arg_int64(call, index, start));
    return call_arg_int64(call, index + 1, stop);
}

static uint64_t clip_range(int64_t len, int64_t *start, int64_t stop)
{
    if (*start < 0) *start = *start < -len ? 0 : *start + len;
    if (stop < 0) stop += len;
    if (stop >= len) stop = len - 1;
    return *start > stop ? 0 : (uint64_t)(stop - *start + 1);
}

/* LRANGE key start stop */
enum err cmd_lrange(struct call *call)
{
    const struct entry *e;
    struct quicklist_walk walk;
    int64_t start, stop;

    TRY(arg_range(call, 2, &start, &stop));
    TRY(call_find(call, 1, TYPE_LIST, &e));
    uint64_t count = e != NULL ? clip_range((int64_t)list_count(e), &start, stop) : 0;
    reply_array(call->reply, (int64_t)count);
    if (count == 0) return OK;

    bool more = list_walk_open(&walk, e, start);
    for (; more && count > 0; count--, more = quicklist_walk_next(&walk))
        list_reply_element(call->reply, &walk);
    quicklist_walk_close(&walk);
    return OK;
}

/* ---- LPOS --------------------------------------------------------------------------------------- */

struct pos_options {
    int64_t rank;   /* of the first match that counts, negative from the tail */
    int64_t count;  /* matches wanted, 0 all; -1: the option was not given */
    int64_t maxlen; /* elements to compare with, 0 all */
};

static enum err parse_pos_options(struct call *call, struct pos_options *out)
{
    struct pos_options options = {.rank = 1, .count = -1};

    for (int i = 3; i < call->argc; i += 2) {
        bool has_value = i + 1 < call->argc;
        if (has_value && call_arg_is(call, i, "RANK")) {
            TRY(call_arg_int64(call, i + 1, &options.rank));
            if (options.rank == 0)
                return call_fail(call, "ERR RANK can't be zero: use 1 to start from the first "
                                       "match, 2 from the second ... or use negative to start "
                                       "from the end of the list");
        } else if (has_value && call_arg_is(call, i, "COUNT")) {
            if (call_arg_int64(call, i + 1, &options.count) != OK || options.count < 0)
                return call_fail(call, "ERR COUNT can't be negative");
        } else if (has_value && call_arg_is(call, i, "MAXLEN")) {
            if (call_arg_int64(call, i + 1, &options.maxlen) != OK || options.maxlen < 0)
                return call_fail(call, "ERR MAXLEN can't be negative");
        } else {
            return ERR_SYNTAX;
        }
    }
    *out = options;
    return OK;
}

static bool is_element(const struct quicklist_walk *walk, struct span text, bool is_number,
                       int64_t number)
{
    if (walk->lp != NULL) return listpack_equals(walk->lp, walk->at.item, text, is_number, number);
    struct listpack_value value = quicklist_walk_value(walk);
    return span_equal(span_of(value.ptr, value.len), text);
}

/* Replies with the matches' indexes as they are found, or with the first alone. Returns how many. */
static int64_t reply_matches(struct call *call, const struct entry *e,
                             const struct pos_options *options)
{
    struct span text = call->argv[2];
    int64_t number = 0, len = (int64_t)list_count(e), found = 0;
    bool is_number = num_parse_int64(text, &number), forward = options->rank > 0;
    /* Redis takes the least rank of all, which has no opposite, for -1. */
    int64_t skip =
        forward ? options->rank - 1 : (options->rank == INT64_MIN ? 0 : -options->rank - 1);
    int64_t wanted = options->count < 0 ? 1 : options->count > 0 ? options->count : len;
    int64_t looked = options->maxlen == 0 || options->maxlen > len ? len : options->maxlen;
    struct quicklist_walk walk;

    list_walk_open(&walk, e, forward ? 0 : -1);
    for (int64_t i = 0; i < looked && found < wanted; i++) {
        if (is_element(&walk, text, is_number, number) && skip-- <= 0) {
            reply_int64(call->reply, forward ? i : len - 1 - i);
            found++;
        }
        if (forward) quicklist_walk_next(&walk);
        else quicklist_walk_previous(&walk);
    }
    quicklist_walk_close(&walk);
    return found;
}

/* LPOS key element [RANK rank] [COUNT matches] [MAXLEN len] */
enum err cmd_lpos(struct call *call)
{
    struct pos_options options;
    const struct entry *e;

    TRY(parse_pos_options(call, &options));
    TRY(call_find(call, 1, TYPE_LIST, &e));
    if (options.count < 0) {
        if (e == NULL || reply_matches(call, e, &options) == 0) reply_null(call->reply);
    } else if (e == NULL) {
        reply_array(call->reply, 0);
    } else {
        size_t position = reply_defer(call->reply);
        reply_settle(call->reply, position, REPLY_ARRAY, reply_matches(call, e, &options));
    }
    return OK;
}

/* ---- changing ----------------------------------------------------------------------------------- */

/* LSET key index element */
enum err cmd_lset(struct call *call)
{
    const struct entry *found;
    struct quicklist_walk walk;
    struct store_edit edit;
    int64_t index;

    TRY(call_find_write(call, 1, TYPE_LIST, &found));
    if (found == NULL) return ERR_NO_SUCH_KEY;
    TRY(call_arg_int64(call, 2, &index));
    int64_t len = (int64_t)list_count(found);
    if (index >= len || index < -len) return ERR_INDEX_RANGE;

    call_edit_open(call, 1, TYPE_LIST, &edit);
    list_walk_open(&walk, edit.entry, index);
    quicklist_walk_close(&walk);
    edit.entry = list_replace(edit.entry, store_settings(call->store), walk.at, call->argv[3]);
    store_edit_close(&edit, 1, EVENT(EVENT_LIST, "lset"));
    reply_ok(call->reply);
    return OK;
}

/* LINSERT key BEFORE | AFTER pivot element */
enum err cmd_linsert(struct call *call)
{
    const struct entry *found;
    struct quicklist_walk walk;
    struct store_edit edit;
    bool after = call_arg_is(call, 2, "AFTER");

    if (!after && !call_arg_is(call, 2, "BEFORE")) return ERR_SYNTAX;
    TRY(call_find_write(call, 1, TYPE_LIST, &found));
    if (found == NULL) {
        reply_int64(call->reply, 0);
        return OK;
    }
    call_edit_open(call, 1, TYPE_LIST, &edit);
    list_walk_open(&walk, edit.entry, 0);
    bool has_pivot = quicklist_walk_find(&walk, call->argv[3]);
    quicklist_walk_close(&walk);
    if (has_pivot)
        edit.entry =
            list_insert(edit.entry, store_settings(call->store), walk.at, after, call->argv[4]);
    reply_int64(call->reply, has_pivot ? (int64_t)list_count(edit.entry) : -1);
    store_edit_close(&edit, has_pivot, EVENT(EVENT_LIST, "linsert"));
    return OK;
}

/* LREM key count element */
enum err cmd_lrem(struct call *call)
{
    const struct entry *found;
    struct store_edit edit;
    int64_t count;
    uint64_t removed = 0;

    TRY(call_arg_int64(call, 2, &count));
    TRY(call_find_write(call, 1, TYPE_LIST, &found));
    if (found != NULL) {
        uint64_t limit = count > 0 ? (uint64_t)count : count < 0 ? -(uint64_t)count : UINT64_MAX;
        call_edit_open(call, 1, TYPE_LIST, &edit);
        edit.entry = list_remove(edit.entry, count < 0 ? QUICKLIST_TAIL : QUICKLIST_HEAD,
                                 call->argv[3], limit, &removed);
        store_edit_close(&edit, removed, EVENT(EVENT_LIST, "lrem"));
    }
    reply_int64(call->reply, (int64_t)removed);
    return OK;
}

/* LTRIM key start stop. One that removes nothing is told to watchers and as an event all the same. */
enum err cmd_ltrim(struct call *call)
{
    static const struct event event = {EVENT_LIST, "ltrim"};
    const struct entry *found;
    struct store_edit edit;
    struct list_value *cut;
    int64_t start, stop;

    TRY(arg_range(call, 2, &start, &stop));
    TRY(call_find_write(call, 1, TYPE_LIST, &found));
    reply_ok(call->reply);
    if (found == NULL) return OK;

    uint64_t len = list_count(found), kept = clip_range((int64_t)len, &start, stop);
    if (kept == len) {
        store_tell_changed(call->store, call->db, call->argv[1]);
        call_event(call, 1, event);
        return OK;
    }
    uint64_t head = kept > 0 ? (uint64_t)start : len;
    call_edit_open(call, 1, TYPE_LIST, &edit);
    edit.entry = list_trim(edit.entry, head, len - kept - head, &cut);
    store_edit_close(&edit, len - kept, event);
    store_free_value(call->store, ENC_QUICKLIST, cut);
    return OK;
}
