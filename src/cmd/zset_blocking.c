/* Taking from sorted sets that may be empty yet: BZPOPMIN, BZPOPMAX, BZMPOP. */
#include "cmd/blocking.h"
#include "cmd/zset.h"
#include "handlers.h"

/* Replies key, member and score, in one row. */
static void pop(struct call *call, int index, enum zset_end end)
{
    struct span effect[] = {end == ZSET_MIN ? SPAN("ZPOPMIN") : SPAN("ZPOPMAX"), call->argv[index]};

    reply_array(call->reply, 3);
    reply_bulk(call->reply, call->argv[index]);
    zset_pop(call, index, end, 1, false);
    call_effect(call, 2, effect);
}

static enum err serve_bzpopmin(struct call *call, int index, bool *served)
{
    *served = blocking_holds(call, TYPE_ZSET, index);
    if (*served) pop(call, index, ZSET_MIN);
    return OK;
}

static enum err serve_bzpopmax(struct call *call, int index, bool *served)
{
    *served = blocking_holds(call, TYPE_ZSET, index);
    if (*served) pop(call, index, ZSET_MAX);
    return OK;
}

static enum err blocking_pop(struct call *call, enum zset_end end, call_serve *serve)
{
    int keys = call->argc - 2, index;
    int64_t timeout_ms;

    TRY(call_arg_timeout(call, call->argc - 1, &timeout_ms));
    TRY(blocking_find_first(call, TYPE_ZSET, 1, keys, &index));
    if (index > 0) pop(call, index, end);
    else blocking_take_later(call, TYPE_ZSET, 1, keys, timeout_ms, serve);
    return OK;
}

/* BZPOPMIN key [key ...] timeout */
enum err cmd_bzpopmin(struct call *call)
{
    return blocking_pop(call, ZSET_MIN, serve_bzpopmin);
}

/* BZPOPMAX key [key ...] timeout */
enum err cmd_bzpopmax(struct call *call)
{
    return blocking_pop(call, ZSET_MAX, serve_bzpopmax);
}

static enum err serve_bzmpop(struct call *call, int index, bool *served)
{
    struct zset_mpop mpop;

    TRY(zset_mpop_parse(call, 2, &mpop));
    *served = blocking_holds(call, TYPE_ZSET, index);
    if (*served) zset_mpop_serve(call, index, &mpop);
    return OK;
}

/* BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count] */
enum err cmd_bzmpop(struct call *call)
{
    struct zset_mpop mpop;
    int64_t timeout_ms;
    int index;

    TRY(zset_mpop_parse(call, 2, &mpop));
    TRY(call_arg_timeout(call, 1, &timeout_ms));
    TRY(blocking_find_first(call, TYPE_ZSET, mpop.first_key, mpop.key_count, &index));
    if (index > 0) zset_mpop_serve(call, index, &mpop);
    else
        blocking_take_later(call, TYPE_ZSET, mpop.first_key, mpop.key_count, timeout_ms,
                            serve_bzmpop);
    return OK;
}
