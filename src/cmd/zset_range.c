/* Sorted sets by ranges: of ranks, of scores, and of members among equal scores. */
#include "cmd/zset.h"
#include "handlers.h"

/* ---- bounds --------------------------------------------------------------------------------------- */

/* A bound's text ends at its first zero byte, as in Redis. */
static struct span until_zero(struct span text)
{
    const char *zero = text.len == 0 ? NULL : memchr(text.ptr, 0, text.len);
    return zero == NULL ? text : span_of(text.ptr, (size_t)(zero - text.ptr));
}

/* A score, or behind "(" one that is itself left out. */
static enum err parse_score_bound(struct call *call, int index, bool is_low,
                                  struct sorted_bound *bound)
{
    struct span text = until_zero(call->argv[index]);
    bool exclusive = text.len > 0 && text.ptr[0] == '(';

    if (exclusive) text = span_of(text.ptr + 1, text.len - 1);
    *bound = (struct sorted_bound){.by = SORTED_BY_SCORE, .behind_equal = exclusive == is_low};
    if (num_parse_double_loosely(text, &bound->score)) return OK;
    return call_fail(call, "ERR min or max is not a float");
}

/* "-", "+", "[member" or "(member". Before all members is before the empty one. */
static enum err parse_lex_bound(struct call *call, int index, bool is_low,
                                struct sorted_bound *bound)
{
    struct span text = call->argv[index];
    char kind = text.len > 0 ? text.ptr[0] : 0;
    bool alone = until_zero(text).len == 1;

    *bound = (struct sorted_bound){.by = SORTED_BY_MEMBER, .member = SPAN("")};
    if (kind == '-' && alone) return OK;
    if (kind == '+' && alone) {
        bound->by = SORTED_BY_NOTHING;
        return OK;
    }
    if (kind != '[' && kind != '(')
        return call_fail(call, "ERR min or max not valid string range item");
    bound->member = span_of(text.ptr + 1, text.len - 1);
    bound->behind_equal = (kind == '(') == is_low;
    return OK;
}

/* The range of which argv[low] and argv[high] are the ends. */
static enum err parse_range(struct call *call, enum zset_range_kind kind, int low, int high,
                            struct zset_range *range)
{
    /* The lower bound is looked at first also where it stands second; either error has one text. */
    *range = (struct zset_range){.kind = kind};
    switch (kind) {
    case ZSET_BY_RANK:
        TRY(call_arg_int64(call, low, &range->start));
        return call_arg_int64(call, high, &range->stop);
    case ZSET_BY_SCORE:
        TRY(parse_score_bound(call, low, true, &range->low));
        return parse_score_bound(call, high, false, &range->high);
    default:
        TRY(parse_lex_bound(call, low, true, &range->low));
        return parse_lex_bound(call, high, false, &range->high);
    }
}

/* ---- counting and removing ------------------------------------------------------------------------- */

static enum err count(struct call *call, enum zset_range_kind kind)
{
    const struct entry *entry;
    struct zset_range range;

    TRY(parse_range(call, kind, 2, 3, &range));
    TRY(call_find(call, 1, TYPE_ZSET, &entry));
    reply_int64(call->reply, entry == NULL ? 0 : (int64_t)zset_select(entry, &range, false).count);
    return OK;
}

/* ZCOUNT key min max */
enum err cmd_zcount(struct call *call)
{
    return count(call, ZSET_BY_SCORE);
}

/* ZLEXCOUNT key min max */
enum err cmd_zlexcount(struct call *call)
{
    return count(call, ZSET_BY_LEX);
}

/* All of it: the key is removed as a whole, so that a big one is freed by the reclaimer. */
static void remove_all(struct call *call, size_t count, const char *event)
{
    call_remove(call, 1, REMOVE_NOW, EVENT(EVENT_ZSET, event));
    call_event(call, 1, EVENT(EVENT_GENERIC, "del"));
    store_add_dirty(call->store, count - 1);
}

static void remove_slice(struct call *call, struct zset_slice slice, const char *event)
{
    struct store_edit edit;

    call_edit_open(call, 1, TYPE_ZSET, &edit);
    edit.entry = zset_remove_ranks(edit.entry, slice.first, slice.count);
    store_edit_close(&edit, slice.count, EVENT(EVENT_ZSET, event));
}

static enum err remove_range(struct call *call, enum zset_range_kind kind, const char *event)
{
    const struct entry *entry;
    struct zset_slice slice = {0};
    struct zset_range range;

    TRY(parse_range(call, kind, 2, 3, &range));
    TRY(call_find_write(call, 1, TYPE_ZSET, &entry));
    if (entry != NULL) slice = zset_select(entry, &range, false);
    if (slice.count > 0 && slice.count == zset_count(entry)) remove_all(call, slice.count, event);
    else if (slice.count > 0) remove_slice(call, slice, event);
    reply_int64(call->reply, (int64_t)slice.count);
    return OK;
}

/* ZREMRANGEBYRANK key start stop */
enum err cmd_zremrangebyrank(struct call *call)
{
    return remove_range(call, ZSET_BY_RANK, "zremrangebyrank");
}

/* ZREMRANGEBYSCORE key min max */
enum err cmd_zremrangebyscore(struct call *call)
{
    return remove_range(call, ZSET_BY_SCORE, "zremrangebyscore");
}

/* ZREMRANGEBYLEX key min max */
enum err cmd_zremrangebylex(struct call *call)
{
    return remove_range(call, ZSET_BY_LEX, "zremrangebylex");
}

/* ---- ZRANGE and its relatives ------------------------------------------------------------------------ */

/* What the command's name has settled, and what its options add. */
struct zrange {
    int key;    /* argv[key] is the sorted set; the two ends stand behind it */
    bool store; /* ZRANGESTORE: no scores in a reply */
    bool kind_is_given, direction_is_given;
    enum zset_range_kind kind;
    bool reverse, with_scores;
    int64_t offset, limit;
    struct zset_range range;
};

/* Takes the option at argv[*index], leaving *index at its last argument. */
static enum err take_option(struct call *call, int *index, struct zrange *zrange)
{
    if (!zrange->store && call_arg_is(call, *index, "WITHSCORES")) {
        zrange->with_scores = true;
    } else if (call_arg_is(call, *index, "LIMIT") && *index + 2 < call->argc) {
        TRY(call_arg_int64(call, *index + 1, &zrange->offset));
        TRY(call_arg_int64(call, *index + 2, &zrange->limit));
        *index += 2;
    } else if (call_arg_is(call, *index, "REV") && !zrange->direction_is_given) {
        zrange->direction_is_given = zrange->reverse = true;
    } else if (call_arg_is(call, *index, "BYSCORE") && !zrange->kind_is_given) {
        zrange->kind_is_given = true;
        zrange->kind = ZSET_BY_SCORE;
    } else if (call_arg_is(call, *index, "BYLEX") && !zrange->kind_is_given) {
        zrange->kind_is_given = true;
        zrange->kind = ZSET_BY_LEX;
    } else {
        return ERR_SYNTAX;
    }
    return OK;
}

static enum err parse_zrange(struct call *call, struct zrange *zrange)
{
    int first = zrange->key + 1, second = first + 1;

    zrange->limit = -1;
    for (int i = second + 1; i < call->argc; i++) TRY(take_option(call, &i, zrange));
    if (zrange->limit != -1 && zrange->kind == ZSET_BY_RANK)
        return call_fail(call, "ERR syntax error, LIMIT is only supported in combination with "
                               "either BYSCORE or BYLEX");
    if (zrange->with_scores && zrange->kind == ZSET_BY_LEX)
        return call_fail(call,
                         "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    bool swapped = zrange->reverse && zrange->kind != ZSET_BY_RANK; /* max stands before min */
    return parse_range(call, zrange->kind, swapped ? second : first, swapped ? first : second,
                       &zrange->range);
}

static struct zset_slice slice_of(const struct entry *entry, const struct zrange *zrange)
{
    struct zset_slice slice = {0};

    if (entry == NULL) return slice;
    slice = zset_select(entry, &zrange->range, zrange->reverse);
    if (zrange->kind != ZSET_BY_RANK) zset_slice_limit(&slice, zrange->offset, zrange->limit);
    return slice;
}

void zset_reply_slice(struct call *call, const struct entry *e, struct zset_slice slice,
                      bool with_scores)
{
    struct zset_walk walk;
    struct sorted_key key;

    zset_reply_header(call->reply, slice.count, with_scores);
    if (slice.count == 0) return;
    zset_walk_begin(&walk, e, slice);
    while (zset_walk_next(&walk, &key)) zset_reply_member(call->reply, &key, with_scores);
}

static enum err reply_range(struct call *call, struct zrange zrange)
{
    const struct entry *entry;

    zrange.key = 1;
    TRY(parse_zrange(call, &zrange));
    TRY(call_find(call, 1, TYPE_ZSET, &entry));
    zset_reply_slice(call, entry, slice_of(entry, &zrange), zrange.with_scores);
    return OK;
}

/* ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES] */
enum err cmd_zrange(struct call *call)
{
    return reply_range(call, (struct zrange){.kind = ZSET_BY_RANK});
}

/* ZREVRANGE key start stop [WITHSCORES] */
enum err cmd_zrevrange(struct call *call)
{
    return reply_range(call, (struct zrange){.kind = ZSET_BY_RANK,
                                             .kind_is_given = true,
                                             .direction_is_given = true,
                                             .reverse = true});
}

/* ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count] */
enum err cmd_zrangebyscore(struct call *call)
{
    return reply_range(
        call,
        (struct zrange){.kind = ZSET_BY_SCORE, .kind_is_given = true, .direction_is_given = true});
}

/* ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count] */
enum err cmd_zrevrangebyscore(struct call *call)
{
    return reply_range(call, (struct zrange){.kind = ZSET_BY_SCORE,
                                             .kind_is_given = true,
                                             .direction_is_given = true,
                                             .reverse = true});
}

/* ZRANGEBYLEX key min max [LIMIT offset count] */
enum err cmd_zrangebylex(struct call *call)
{
    return reply_range(
        call,
        (struct zrange){.kind = ZSET_BY_LEX, .kind_is_given = true, .direction_is_given = true});
}

/* ZREVRANGEBYLEX key max min [LIMIT offset count] */
enum err cmd_zrevrangebylex(struct call *call)
{
    return reply_range(call, (struct zrange){.kind = ZSET_BY_LEX,
                                             .kind_is_given = true,
                                             .direction_is_given = true,
                                             .reverse = true});
}

/* ---- ZRANGESTORE ------------------------------------------------------------------------------------- */

void zset_store_draft(struct call *call, int index, struct zset_draft *draft, const char *event)
{
    size_t count = zset_draft_count(draft);
    struct key key = call_key(call, index);

    if (count == 0) {
        store_vacate(call->store, call->db, &key);
        zset_draft_release(draft);
    } else {
        struct entry *made =
            zset_draft_finish(draft, key.name, NO_DEADLINE, store_settings(call->store));
        store_put_result(call->store, call->db, &key, made, EVENT(EVENT_ZSET, event));
    }
    reply_int64(call->reply, (int64_t)count);
}

/* Collects a slice. In Redis the result of a range of scores or strings begins small, whatever its size
 * will be, and a small one knows no negative zero: so that of the first members is lost (tried). */
static void collect(struct call *call, const struct entry *entry, struct zset_slice slice,
                    enum zset_range_kind kind, struct zset_draft *draft)
{
    const struct value_settings *settings = store_settings(call->store);
    bool small = kind != ZSET_BY_RANK || slice.count <= settings->zset_max_listpack_entries;
    struct zset_walk walk;
    struct sorted_key key;
    bool added;

    zset_walk_begin(&walk, entry, slice);
    for (size_t i = 0; zset_walk_next(&walk, &key); i++) {
        if (i >= settings->zset_max_listpack_entries ||
            key.member.len > settings->zset_max_listpack_value)
            small = false;
        if (small && key.score == 0) key.score = 0;
        memcpy(zset_draft_put(draft, key.member, &added), &key.score, sizeof key.score);
    }
}

/* ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count] */
enum err cmd_zrangestore(struct call *call)
{
    struct zrange zrange = {.key = 2, .store = true, .kind = ZSET_BY_RANK};
    const struct entry *entry;
    struct zset_draft draft;

    TRY(parse_zrange(call, &zrange));
    TRY(call_find(call, 2, TYPE_ZSET, &entry));
    zset_draft_init(&draft, &store_settings(call->store)->secret);
    struct zset_slice slice = slice_of(entry, &zrange);
    if (slice.count > 0) collect(call, entry, slice, zrange.kind, &draft);
    zset_store_draft(call, 1, &draft, "zrangestore");
    return OK;
}
