/* Pushing, popping, and moving from one list to another. */
#include "cmd/list.h"
#include "handlers.h"

static const char *pop_event(enum quicklist_end end)
{
    return end == QUICKLIST_HEAD ? "lpop" : "rpop";
}

static const char *push_event(enum quicklist_end end)
{
    return end == QUICKLIST_HEAD ? "lpush" : "rpush";
}

enum err list_arg_end(const struct call *call, int index, enum quicklist_end *out)
{
    if (call_arg_is(call, index, "LEFT")) *out = QUICKLIST_HEAD;
    else if (call_arg_is(call, index, "RIGHT")) *out = QUICKLIST_TAIL;
    else return ERR_SYNTAX;
    return OK;
}

void list_reply_element(struct reply *reply, const struct quicklist_walk *walk)
{
    struct listpack_value value = quicklist_walk_value(walk);
    if (value.ptr != NULL) reply_bulk(reply, span_of(value.ptr, value.len));
    else reply_bulk_int64(reply, value.number);
}

/* ---- pushing ------------------------------------------------------------------------------------ */

static enum err push(struct call *call, enum quicklist_end end, bool to_existing_only)
{
    const struct value_settings *settings = store_settings(call->store);
    struct store_edit edit;

    if (to_existing_only) TRY(call_edit_find(call, 1, TYPE_LIST, &edit));
    else TRY(call_edit_make(call, 1, TYPE_LIST, &edit));
    if (edit.entry == NULL) {
        reply_int64(call->reply, 0);
        return OK;
    }
    for (int i = 2; i < call->argc; i++)
        edit.entry = list_push(edit.entry, settings, end, call->argv[i]);
    reply_int64(call->reply, (int64_t)list_count(edit.entry));
    store_edit_close(&edit, (uint64_t)call->argc - 2, EVENT(EVENT_LIST, push_event(end)));
    return OK;
}

/* LPUSH key element [element ...] */
enum err cmd_lpush(struct call *call)
{
    return push(call, QUICKLIST_HEAD, false);
}

/* RPUSH key element [element ...] */
enum err cmd_rpush(struct call *call)
{
    return push(call, QUICKLIST_TAIL, false);
}

/* LPUSHX key element [element ...] */
enum err cmd_lpushx(struct call *call)
{
    return push(call, QUICKLIST_HEAD, true);
}

/* RPUSHX key element [element ...] */
enum err cmd_rpushx(struct call *call)
{
    return push(call, QUICKLIST_TAIL, true);
}

/* ---- popping ------------------------------------------------------------------------------------ */

/* Replies with `count` elements from that end on, which are there. */
static void reply_elements(struct call *call, const struct entry *e, enum quicklist_end end,
                           uint64_t count)
{
    bool forward = end == QUICKLIST_HEAD;
    struct quicklist_walk walk;
    bool more = list_walk_open(&walk, e, forward ? 0 : -1);

    while (more && count > 0) {
        list_reply_element(call->reply, &walk);
        if (--count > 0)
            more = forward ? quicklist_walk_next(&walk) : quicklist_walk_previous(&walk);
    }
    quicklist_walk_close(&walk);
}

/* Removes `count` elements at that end and closes the edit. */
static void drop(struct store_edit *edit, enum quicklist_end end, uint64_t count)
{
    struct store *store = edit->store;
    struct list_value *cut;

    edit->entry = list_trim(edit->entry, end == QUICKLIST_HEAD ? count : 0,
                            end == QUICKLIST_TAIL ? count : 0, &cut);
    store_edit_close(edit, count, EVENT(EVENT_LIST, pop_event(end)));
    store_free_value(store, ENC_QUICKLIST, cut);
}

static void pop_one(struct call *call, struct store_edit *edit, enum quicklist_end end)
{
    reply_elements(call, edit->entry, end, 1);
    drop(edit, end, 1);
}

static uint64_t pop_many(struct call *call, struct store_edit *edit, enum quicklist_end end,
                         uint64_t count)
{
    if (count > list_count(edit->entry)) count = list_count(edit->entry);
    reply_array(call->reply, (int64_t)count);
    reply_elements(call, edit->entry, end, count);
    drop(edit, end, count);
    return count;
}

void list_pop_one(struct call *call, int index, enum quicklist_end end)
{
    struct store_edit edit;

    call_edit_open(call, index, TYPE_LIST, &edit);
    pop_one(call, &edit, end);
}

void list_state_pop(struct call *call, int index, enum quicklist_end end, uint64_t count)
{
    char digits[NUM_INT64_CHARS];
    struct span argv[3] = {end == QUICKLIST_HEAD ? SPAN("LPOP") : SPAN("RPOP"), call->argv[index]};

    argv[2] = span_of(digits, num_format_uint64(digits, count));
    call_effect(call, count > 0 ? 3 : 2, argv);
}

/* The count of LPOP and RPOP; -1 where none is given. */
static enum err parse_pop_count(struct call *call, int64_t *out)
{
    if (call->argc > 3)
        return call_fail(call, "ERR wrong number of arguments for '%s' command",
                         call->command->name);
    if (call->argc == 2) *out = -1;
    else if (call_arg_int64(call, 2, out) != OK || *out < 0) return ERR_NOT_POSITIVE;
    return OK;
}

static enum err pop(struct call *call, enum quicklist_end end)
{
    struct store_edit edit;
    int64_t count;

    TRY(parse_pop_count(call, &count));
    TRY(call_edit_find(call, 1, TYPE_LIST, &edit));
    if (count < 0) {
        if (edit.entry != NULL) pop_one(call, &edit, end);
        else reply_null(call->reply);
    } else if (edit.entry != NULL) {
        pop_many(call, &edit, end, (uint64_t)count);
    } else {
        reply_null_array(call->reply);
    }
    return OK;
}

/* LPOP key [count] */
enum err cmd_lpop(struct call *call)
{
    return pop(call, QUICKLIST_HEAD);
}

/* RPOP key [count] */
enum err cmd_rpop(struct call *call)
{
    return pop(call, QUICKLIST_TAIL);
}

/* ---- popping from the first of several lists ---------------------------------------------------- */

void list_pop_with_key(struct call *call, int index, enum quicklist_end end, uint64_t count)
{
    struct store_edit edit;

    reply_array(call->reply, 2);
    reply_bulk(call->reply, call->argv[index]);
    call_edit_open(call, index, TYPE_LIST, &edit);
    list_state_pop(call, index, end, pop_many(call, &edit, end, count));
}

enum err list_parse_multi_pop(struct call *call, int first, struct list_multi_pop *out)
{
    struct list_multi_pop options = {.count = 1};
    int at;

    if (call_arg_int64(call, first, &options.keys) != OK || options.keys <= 0)
        return call_fail(call, "ERR numkeys should be greater than 0");
    if (options.keys >= call->argc - first - 1) return ERR_SYNTAX;
    at = first + 1 + (int)options.keys;
    TRY(list_arg_end(call, at, &options.end));
    if (++at < call->argc) {
        if (!call_arg_is(call, at, "COUNT") || at + 1 >= call->argc) return ERR_SYNTAX;
        if (call_arg_int64(call, at + 1, &options.count) != OK || options.count <= 0)
            return call_fail(call, "ERR count should be greater than 0");
        if (at + 2 < call->argc) return ERR_SYNTAX;
    }
    *out = options;
    return OK;
}

/* LMPOP numkeys key [key ...] LEFT | RIGHT [COUNT count] */
enum err cmd_lmpop(struct call *call)
{
    struct list_multi_pop options;
    const struct entry *found;

    TRY(list_parse_multi_pop(call, 1, &options));
    for (int i = 2; i < 2 + (int)options.keys; i++) {
        TRY(call_find_write(call, i, TYPE_LIST, &found));
        if (found == NULL) continue;
        list_pop_with_key(call, i, options.end, (uint64_t)options.count);
        return OK;
    }
    reply_null_array(call->reply);
    return OK;
}

/* ---- moving ------------------------------------------------------------------------------------- */

enum err list_move_find(struct call *call, int source, int target, bool *found)
{
    const struct entry *from, *to;

    TRY(call_find_write(call, source, TYPE_LIST, &from));
    if (from != NULL) TRY(call_find_write(call, target, TYPE_LIST, &to));
    *found = from != NULL;
    return OK;
}

/* Appends the element at that end of the source to `out`. */
static void copy_element(struct call *call, int source, enum quicklist_end end, struct buf *out)
{
    struct key key = call_key(call, source);
    const struct entry *e = store_find(call->store, call->db, &key, FIND_WRITE);
    char scratch[NUM_INT64_CHARS];
    struct quicklist_walk walk;

    list_walk_open(&walk, e, end == QUICKLIST_HEAD ? 0 : -1);
    buf_append_span(out, quicklist_walk_text(&walk, scratch));
    quicklist_walk_close(&walk);
}

/* One list gives and takes: a single change, though both events are told. */
static void rotate(struct call *call, int key, enum quicklist_end from, enum quicklist_end to,
                   struct span element)
{
    struct store_edit edit;
    struct list_value *cut;

    call_edit_open(call, key, TYPE_LIST, &edit);
    edit.entry = list_trim(edit.entry, from == QUICKLIST_HEAD, from == QUICKLIST_TAIL, &cut);
    edit.entry = list_push(edit.entry, store_settings(call->store), to, element);
    store_edit_close(&edit, 1, EVENT(EVENT_LIST, push_event(to)));
    call_event(call, key, EVENT(EVENT_LIST, pop_event(from)));
    store_free_value(call->store, ENC_QUICKLIST, cut);
}

void list_move(struct call *call, int source, int target, enum quicklist_end from,
               enum quicklist_end to)
{
    uint64_t dirty = store_dirty(call->store);
    struct buf element = {0};
    struct store_edit edit;

    copy_element(call, source, from, &element);
    if (span_equal(call->argv[source], call->argv[target])) {
        rotate(call, source, from, to, buf_span(&element));
    } else {
        call_edit_open(call, target, TYPE_LIST, &edit);
        edit.entry = list_push(edit.entry, store_settings(call->store), to, buf_span(&element));
        store_edit_close(&edit, 1, EVENT(EVENT_LIST, push_event(to)));
        call_edit_open(call, source, TYPE_LIST, &edit);
        drop(&edit, from, 1);
        store_set_dirty(call->store, dirty + 1); /* Redis counts a move once */
    }
    reply_bulk(call->reply, buf_span(&element));
    buf_release(&element);
}

static enum err move(struct call *call, enum quicklist_end from, enum quicklist_end to)
{
    bool found;

    TRY(list_move_find(call, 1, 2, &found));
    if (found) list_move(call, 1, 2, from, to);
    else reply_null(call->reply);
    return OK;
}

/* LMOVE source destination LEFT | RIGHT LEFT | RIGHT */
enum err cmd_lmove(struct call *call)
{
    enum quicklist_end from, to;

    TRY(list_arg_end(call, 3, &from));
    TRY(list_arg_end(call, 4, &to));
    return move(call, from, to);
}

/* RPOPLPUSH source destination */
enum err cmd_rpoplpush(struct call *call)
{
    return move(call, QUICKLIST_TAIL, QUICKLIST_HEAD);
}
