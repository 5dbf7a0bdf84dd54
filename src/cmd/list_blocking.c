/* Taking from lists that may be empty yet: BLPOP and its relatives.
 *
 * What is there is taken as by the command without B in front. Else the call waits, and serve_... takes for it when a
 * list appears. Redis 7.0 does not count what BLPOP, BRPOP, BLMOVE and BRPOPLPUSH take after a wait as changes of their
 * own (tried: rdb_changes_since_last_save); BLMPOP counts. */
#include "cmd/blocking.h"
#include "cmd/list.h"
#include "handlers.h"

/* ---- BLPOP, BRPOP ------------------------------------------------------------------------------- */

static void pop(struct call *call, int index, enum quicklist_end end)
{
    reply_array(call->reply, 2);
    reply_bulk(call->reply, call->argv[index]);
    list_pop_one(call, index, end);
    list_state_pop(call, index, end, 0);
}

static enum err serve_pop(struct call *call, int index, enum quicklist_end end, bool *served)
{
    uint64_t dirty = store_dirty(call->store);

    *served = blocking_holds(call, TYPE_LIST, index);
    if (!*served) return OK;
    pop(call, index, end);
    store_set_dirty(call->store, dirty);
    return OK;
}

static enum err serve_blpop(struct call *call, int index, bool *served)
{
    return serve_pop(call, index, QUICKLIST_HEAD, served);
}

static enum err serve_brpop(struct call *call, int index, bool *served)
{
    return serve_pop(call, index, QUICKLIST_TAIL, served);
}

static enum err blocking_pop(struct call *call, enum quicklist_end end, call_serve *serve)
{
    int keys = call->argc - 2, index;
    int64_t timeout_ms;

    TRY(call_arg_timeout(call, call->argc - 1, &timeout_ms));
    TRY(blocking_find_first(call, TYPE_LIST, 1, keys, &index));
    if (index > 0) pop(call, index, end);
    else blocking_take_later(call, TYPE_LIST, 1, keys, timeout_ms, serve);
    return OK;
}

/* BLPOP key [key ...] timeout */
enum err cmd_blpop(struct call *call)
{
    return blocking_pop(call, QUICKLIST_HEAD, serve_blpop);
}

/* BRPOP key [key ...] timeout */
enum err cmd_brpop(struct call *call)
{
    return blocking_pop(call, QUICKLIST_TAIL, serve_brpop);
}

/* ---- BLMPOP ------------------------------------------------------------------------------------- */

static enum err serve_blmpop(struct call *call, int index, bool *served)
{
    struct list_multi_pop options;

    TRY(list_parse_multi_pop(call, 2, &options));
    *served = blocking_holds(call, TYPE_LIST, index);
    if (*served) list_pop_with_key(call, index, options.end, (uint64_t)options.count);
    return OK;
}

/* BLMPOP timeout numkeys key [key ...] LEFT | RIGHT [COUNT count] */
enum err cmd_blmpop(struct call *call)
{
    struct list_multi_pop options;
    int64_t timeout_ms;
    int index;

    TRY(list_parse_multi_pop(call, 2, &options));
    TRY(call_arg_timeout(call, 1, &timeout_ms));
    TRY(blocking_find_first(call, TYPE_LIST, 3, (int)options.keys, &index));
    if (index > 0) list_pop_with_key(call, index, options.end, (uint64_t)options.count);
    else blocking_take_later(call, TYPE_LIST, 3, (int)options.keys, timeout_ms, serve_blmpop);
    return OK;
}

/* ---- BLMOVE, BRPOPLPUSH ------------------------------------------------------------------------- */

/* Moves for a call that waited. A target of the wrong type is an error now, not before. */
static enum err serve_move(struct call *call, enum quicklist_end from, enum quicklist_end to,
                           bool *served)
{
    uint64_t dirty = store_dirty(call->store);
    bool found;

    if (!blocking_holds(call, TYPE_LIST, 1)) return OK;
    TRY(list_move_find(call, 1, 2, &found));
    list_move(call, 1, 2, from, to);
    store_set_dirty(call->store, dirty);
    *served = true;
    return OK;
}

static struct span end_word(enum quicklist_end end)
{
    return end == QUICKLIST_HEAD ? SPAN("left") : SPAN("right");
}

static enum err serve_blmove(struct call *call, int index, bool *served)
{
    enum quicklist_end from, to;

    (void)index;
    TRY(list_arg_end(call, 3, &from));
    TRY(list_arg_end(call, 4, &to));
    TRY(serve_move(call, from, to, served));
    struct span effect[] = {SPAN("LMOVE"), call->argv[1], call->argv[2], end_word(from),
                            end_word(to)};
    if (*served) call_effect(call, 5, effect);
    return OK;
}

/* BLMOVE source destination LEFT | RIGHT LEFT | RIGHT timeout */
enum err cmd_blmove(struct call *call)
{
    enum quicklist_end from, to;
    int64_t timeout_ms;
    bool found;

    TRY(list_arg_end(call, 3, &from));
    TRY(list_arg_end(call, 4, &to));
    TRY(call_arg_timeout(call, 5, &timeout_ms));
    TRY(list_move_find(call, 1, 2, &found));
    if (found) {
        struct span effect[] = {SPAN("LMOVE"), call->argv[1], call->argv[2], call->argv[3],
                                call->argv[4]};
        list_move(call, 1, 2, from, to);
        call_effect(call, 5, effect);
    } else if (call->wait == NULL) {
        reply_null(call->reply); /* while a timeout answers with a null array, as in Redis */
    } else {
        blocking_take_later(call, TYPE_LIST, 1, 1, timeout_ms, serve_blmove);
    }
    return OK;
}

static void state_rpoplpush(struct call *call)
{
    struct span effect[] = {SPAN("RPOPLPUSH"), call->argv[1], call->argv[2]};

    call_effect(call, 3, effect);
}

static enum err serve_brpoplpush(struct call *call, int index, bool *served)
{
    (void)index;
    TRY(serve_move(call, QUICKLIST_TAIL, QUICKLIST_HEAD, served));
    if (*served) state_rpoplpush(call);
    return OK;
}

/* BRPOPLPUSH source destination timeout */
enum err cmd_brpoplpush(struct call *call)
{
    int64_t timeout_ms;
    bool found;

    TRY(call_arg_timeout(call, 3, &timeout_ms));
    TRY(list_move_find(call, 1, 2, &found));
    if (found) {
        list_move(call, 1, 2, QUICKLIST_TAIL, QUICKLIST_HEAD);
        state_rpoplpush(call);
    } else if (call->wait == NULL) {
        reply_null(call->reply);
    } else {
        blocking_take_later(call, TYPE_LIST, 1, 1, timeout_ms, serve_brpoplpush);
    }
    return OK;
}
