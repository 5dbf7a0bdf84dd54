/* ZRANDMEMBER, which draws ranks, and ZSCAN. */
#include "base/mem.h"
#include "cmd/scan.h"
#include "cmd/zset.h"
#include "handlers.h"

#include <stdlib.h>

/* ---- ZRANDMEMBER ------------------------------------------------------------------------------------- */

static void reply_rank(struct call *call, const struct entry *e, size_t rank, bool with_score)
{
    struct zset_walk walk;
    struct sorted_key key;

    zset_walk_begin(&walk, e, (struct zset_slice){rank, 1, false});
    if (zset_walk_next(&walk, &key)) zset_reply_member(call->reply, &key, with_score);
}

/* So many times any of them. */
static void reply_draws(struct call *call, const struct entry *e, size_t times, bool with_scores)
{
    struct random *random = store_random(call->store);
    size_t count = zset_count(e);

    zset_reply_header(call->reply, times, with_scores);
    for (; times > 0 && !call->reply->muted; times--)
        reply_rank(call, e, random_below(random, count), with_scores);
}

static int compare_ranks(const void *a, const void *b)
{
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    return (left > right) - (left < right);
}

/* Draws `count` different ranks below `bound`, at most half of them, in rising order: the first so many
 * different ones of a series of random numbers, so that every choice is equally likely. */
static void draw_ranks(struct random *random, size_t bound, size_t *ranks, size_t count)
{
    size_t have = 0;

    while (have < count) {
        while (have < count) ranks[have++] = random_below(random, bound);
        qsort(ranks, count, sizeof *ranks, compare_ranks);
        have = 1;
        for (size_t i = 1; i < count; i++)
            if (ranks[i] != ranks[have - 1]) ranks[have++] = ranks[i];
    }
}

static void reply_all_but(struct call *call, const struct entry *e, const size_t *ranks,
                          size_t left_out, bool with_scores)
{
    struct zset_walk walk;
    struct sorted_key key;
    size_t next = 0;

    zset_walk_begin(&walk, e, zset_whole(e));
    for (size_t rank = 0; zset_walk_next(&walk, &key); rank++) {
        if (next < left_out && ranks[next] == rank) next++;
        else zset_reply_member(call->reply, &key, with_scores);
    }
}

/* `count` different ones, fewer than there are. Of the members to give and those to leave out, the ranks
 * of the fewer are drawn. */
static void reply_sample(struct call *call, const struct entry *e, size_t count, bool with_scores)
{
    size_t size = zset_count(e);
    bool leave_out = count > size / 2;
    size_t drawn = leave_out ? size - count : count;
    size_t *ranks = mem_alloc((drawn + 1) * sizeof *ranks);

    draw_ranks(store_random(call->store), size, ranks, drawn);
    zset_reply_header(call->reply, count, with_scores);
    if (leave_out) reply_all_but(call, e, ranks, drawn, with_scores);
    else
        for (size_t i = 0; i < drawn; i++) reply_rank(call, e, ranks[i], with_scores);
    mem_free(ranks);
}

static enum err parse_count(struct call *call, int64_t *count, bool *with_scores)
{
    TRY(call_arg_int64(call, 2, count));
    if (*count == INT64_MIN)
        return call_fail(call, "ERR value is out of range, value must between "
                               "-9223372036854775807 and 9223372036854775807");
    *with_scores = call->argc > 3;
    if (call->argc > 4 || (*with_scores && !call_arg_is(call, 3, "WITHSCORES"))) return ERR_SYNTAX;
    if (*with_scores && (*count > INT64_MAX / 2 || *count < -(INT64_MAX / 2)))
        return ERR_OUT_OF_RANGE;
    return OK;
}

/* ZRANDMEMBER key [count [WITHSCORES]]. Where all are asked for, the highest comes first, as in Redis. */
enum err cmd_zrandmember(struct call *call)
{
    bool has_count = call->argc > 2, with_scores = false;
    const struct entry *entry;
    int64_t count = 1;

    if (has_count) TRY(parse_count(call, &count, &with_scores));
    TRY(call_find(call, 1, TYPE_ZSET, &entry));
    if (!has_count && entry == NULL) {
        reply_null(call->reply);
    } else if (!has_count) {
        reply_rank(call, entry, random_below(store_random(call->store), zset_count(entry)), false);
    } else if (entry == NULL || count == 0) {
        reply_array(call->reply, 0);
    } else if (count < 0) {
        reply_draws(call, entry, (size_t)-count, with_scores);
    } else if ((uint64_t)count < zset_count(entry)) {
        reply_sample(call, entry, (size_t)count, with_scores);
    } else {
        struct zset_slice all = {0, zset_count(entry), true};
        zset_reply_slice(call, entry, all, with_scores);
    }
    return OK;
}

/* ---- ZSCAN --------------------------------------------------------------------------------------------- */

/* Scores are bulk strings here, in RESP3 too. */
static void scan_member(void *context, struct span member, struct span score)
{
    struct scan *scan = context;

    if (!scan_wants(scan, member)) return;
    reply_bulk(scan->call->reply, member);
    reply_bulk(scan->call->reply, score);
}

static uint64_t scan_members(struct scan *scan, uint64_t cursor)
{
    return zset_scan(scan->entry, cursor, scan_member, scan);
}

/* ZSCAN key cursor [MATCH pattern] [COUNT count] */
enum err cmd_zscan(struct call *call)
{
    struct scan scan;

    TRY(scan_begin(call, TYPE_ZSET, &scan));
    if (scan.entry != NULL) scan_run(&scan, scan_members, 2);
    return OK;
}
