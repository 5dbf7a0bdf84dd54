/* Sorted sets: commands on single members, and taking members off the ends. Those on ranges stand in
 * zset_range.c, those on several sorted sets in zset_combine.c, random ones and ZSCAN in
 * zset_random.c. Error texts, events and effects are those of Redis 7.0.15. */
#include "cmd/zset.h"

#include "base/mem.h"
#include "handlers.h"

static const struct value_settings *settings_of(const struct call *call)
{
    return store_settings(call->store);
}

/* ---- ZADD and ZINCRBY ------------------------------------------------------------------------------ */

struct zadd {
    unsigned conditions; /* enum zset_condition */
    bool count_changed;  /* CH */
    int first, pairs;    /* argv[first] is the first score */
};

static enum err parse_zadd(struct call *call, struct zadd *out)
{
    static const struct {
        const char *word;
        unsigned condition;
    } words[] = {{"NX", ZSET_IF_ABSENT}, {"XX", ZSET_IF_PRESENT},  {"GT", ZSET_IF_GREATER},
                 {"LT", ZSET_IF_LESS},   {"INCR", ZSET_INCREMENT}, {"CH", 0}};
    enum { WORDS = sizeof words / sizeof *words };
    unsigned which, both = 0;
    struct zadd zadd = {.first = 2};

    for (; zadd.first < call->argc; zadd.first++) {
        for (which = 0; which < WORDS; which++)
            if (call_arg_is(call, zadd.first, words[which].word)) break;
        if (which == WORDS) break;
        zadd.conditions |= words[which].condition;
        if (words[which].condition == 0) zadd.count_changed = true;
    }
    int rest = call->argc - zadd.first;
    if (rest == 0 || rest % 2 == 1) return ERR_SYNTAX;
    zadd.pairs = rest / 2;
    both = ZSET_IF_ABSENT | ZSET_IF_PRESENT;
    if ((zadd.conditions & both) == both)
        return call_fail(call, "ERR XX and NX options at the same time are not compatible");
    both = zadd.conditions & (ZSET_IF_ABSENT | ZSET_IF_GREATER | ZSET_IF_LESS);
    if ((both & (both - 1)) != 0 && both != 0)
        return call_fail(call, "ERR GT, LT, and/or NX options at the same time are not compatible");
    if ((zadd.conditions & ZSET_INCREMENT) && zadd.pairs > 1)
        return call_fail(call, "ERR INCR option supports a single increment-element pair");
    *out = zadd;
    return OK;
}

static enum err parse_pairs(struct call *call, const struct zadd *zadd, struct sorted_key *pairs)
{
    for (int i = 0; i < zadd->pairs; i++) {
        TRY(call_arg_double(call, zadd->first + 2 * i, &pairs[i].score));
        pairs[i].member = call->argv[zadd->first + 2 * i + 1];
    }
    return OK;
}

static void reply_incremented(struct call *call, const struct zset_outcome *outcome)
{
    if (outcome->what == ZSET_REFUSED) reply_null(call->reply);
    else reply_double(call->reply, outcome->score);
}

enum err zset_add_pairs(struct call *call, unsigned conditions, bool count_changed,
                        const struct sorted_key *pairs, int count, bool *changed)
{
    const bool increment = conditions & ZSET_INCREMENT;
    struct zset_outcome outcome = {ZSET_REFUSED, 0};
    uint64_t added = 0, updated = 0;
    struct store_edit edit;

    TRY(call_edit_make(call, 1, TYPE_ZSET, &edit));
    for (int i = 0; i < count; i++) {
        edit.entry = zset_add(edit.entry, pairs[i].member, pairs[i].score, conditions,
                              settings_of(call), &outcome);
        added += outcome.what == ZSET_ADDED;
        updated += outcome.what == ZSET_UPDATED;
    }
    store_edit_close(&edit, added + updated, EVENT(EVENT_ZSET, increment ? "zincr" : "zadd"));
    if (outcome.what == ZSET_NOT_A_NUMBER) /* of an increment, which stands alone */
        return call_fail(call, "ERR resulting score is not a number (NaN)");
    *changed = added + updated > 0;
    if (increment) reply_incremented(call, &outcome);
    else reply_int64(call->reply, (int64_t)(count_changed ? added + updated : added));
    return OK;
}

/* ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...] */
enum err cmd_zadd(struct call *call)
{
    struct sorted_key few[16], *pairs = few;
    struct zadd zadd;
    bool changed;
    enum err err;

    TRY(parse_zadd(call, &zadd));
    if (zadd.pairs > 16) pairs = mem_alloc((size_t)zadd.pairs * sizeof *pairs);
    err = parse_pairs(call, &zadd, pairs);
    if (err == OK)
        err =
            zset_add_pairs(call, zadd.conditions, zadd.count_changed, pairs, zadd.pairs, &changed);
    if (pairs != few) mem_free(pairs);
    return err;
}

/* ZINCRBY key increment member */
enum err cmd_zincrby(struct call *call)
{
    struct sorted_key pair = {0, call->argv[3]};
    bool changed;

    TRY(call_arg_double(call, 2, &pair.score));
    return zset_add_pairs(call, ZSET_INCREMENT, false, &pair, 1, &changed);
}

/* ---- reading -------------------------------------------------------------------------------------- */

/* ZCARD key */
enum err cmd_zcard(struct call *call)
{
    const struct entry *entry;

    TRY(call_find(call, 1, TYPE_ZSET, &entry));
    reply_int64(call->reply, entry == NULL ? 0 : (int64_t)zset_count(entry));
    return OK;
}

static void reply_score(struct call *call, const struct entry *entry, int member)
{
    double score;

    if (entry != NULL && zset_score(entry, call->argv[member], &score))
        reply_double(call->reply, score);
    else reply_null(call->reply);
}

/* ZSCORE key member */
enum err cmd_zscore(struct call *call)
{
    const struct entry *entry;

    TRY(call_find(call, 1, TYPE_ZSET, &entry));
    reply_score(call, entry, 2);
    return OK;
}

/* ZMSCORE key member [member ...] */
enum err cmd_zmscore(struct call *call)
{
    const struct entry *entry;

    TRY(call_find(call, 1, TYPE_ZSET, &entry));
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) reply_score(call, entry, i);
    return OK;
}

static enum err rank(struct call *call, bool reverse)
{
    const struct entry *entry;
    size_t found;

    TRY(call_find(call, 1, TYPE_ZSET, &entry));
    if (entry == NULL || !zset_rank(entry, call->argv[2], &found)) reply_null(call->reply);
    else reply_int64(call->reply, (int64_t)(reverse ? zset_count(entry) - 1 - found : found));
    return OK;
}

/* ZRANK key member */
enum err cmd_zrank(struct call *call)
{
    return rank(call, false);
}

/* ZREVRANK key member */
enum err cmd_zrevrank(struct call *call)
{
    return rank(call, true);
}

/* ---- removing ------------------------------------------------------------------------------------- */

/* ZREM key member [member ...] */
enum err cmd_zrem(struct call *call)
{
    const struct entry *entry;
    struct store_edit edit;
    uint64_t count = 0;

    TRY(call_find_write(call, 1, TYPE_ZSET, &entry));
    if (entry != NULL) {
        call_edit_open(call, 1, TYPE_ZSET, &edit);
        for (int i = 2; i < call->argc; i++) {
            bool removed;
            edit.entry = zset_remove(edit.entry, call->argv[i], &removed);
            count += removed;
        }
        store_edit_close(&edit, count, EVENT(EVENT_ZSET, "zrem"));
    }
    reply_int64(call->reply, (int64_t)count);
    return OK;
}

void zset_pop(struct call *call, int key, enum zset_end end, size_t count, bool as_pairs)
{
    struct zset_slice slice = {0, count, end == ZSET_MAX};
    struct store_edit edit;
    struct zset_walk walk;
    struct sorted_key popped;

    call_edit_open(call, key, TYPE_ZSET, &edit);
    if (end == ZSET_MAX) slice.first = zset_count(edit.entry) - count;
    zset_walk_begin(&walk, edit.entry, slice);
    while (zset_walk_next(&walk, &popped)) {
        if (as_pairs) reply_array(call->reply, 2);
        reply_bulk(call->reply, popped.member);
        reply_double(call->reply, popped.score);
    }
    edit.entry = zset_remove_ranks(edit.entry, slice.first, slice.count);
    store_edit_close(&edit, count, EVENT(EVENT_ZSET, end == ZSET_MIN ? "zpopmin" : "zpopmax"));
}

/* ZPOPMIN key [count]. In RESP3 a count, whatever it is, makes pairs. */
static enum err pop(struct call *call, enum zset_end end)
{
    const struct entry *entry;
    int64_t count = 1;

    if (call->argc > 3) return ERR_SYNTAX;
    if (call->argc == 3 && (!num_parse_int64(call->argv[2], &count) || count < 0))
        return ERR_NOT_POSITIVE;
    TRY(call_find_write(call, 1, TYPE_ZSET, &entry));
    size_t there = entry == NULL ? 0 : zset_count(entry);
    size_t popped = (uint64_t)count < there ? (size_t)count : there;
    bool as_pairs = call->argc == 3 && call->reply->version >= 3;
    reply_array(call->reply, (int64_t)(as_pairs ? popped : 2 * popped));
    if (popped > 0) zset_pop(call, 1, end, popped, as_pairs);
    return OK;
}

/* ZPOPMIN key [count] */
enum err cmd_zpopmin(struct call *call)
{
    return pop(call, ZSET_MIN);
}

/* ZPOPMAX key [count] */
enum err cmd_zpopmax(struct call *call)
{
    return pop(call, ZSET_MAX);
}

/* ---- ZMPOP ---------------------------------------------------------------------------------------- */

enum err zset_mpop_parse(struct call *call, int numkeys, struct zset_mpop *out)
{
    struct zset_mpop mpop = {.first_key = numkeys + 1, .count = 1};
    int64_t keys;

    if (!num_parse_int64(call->argv[numkeys], &keys) || keys < 1)
        return call_fail(call, "ERR numkeys should be greater than 0");
    if (keys >= call->argc - mpop.first_key) return ERR_SYNTAX;
    mpop.key_count = (int)keys;
    int at = mpop.first_key + mpop.key_count;
    if (call_arg_is(call, at, "MIN")) mpop.end = ZSET_MIN;
    else if (call_arg_is(call, at, "MAX")) mpop.end = ZSET_MAX;
    else return ERR_SYNTAX;
    if (++at < call->argc) {
        if (at + 2 > call->argc || !call_arg_is(call, at, "COUNT")) return ERR_SYNTAX;
        if (!num_parse_int64(call->argv[at + 1], &mpop.count) || mpop.count < 1)
            return call_fail(call, "ERR count should be greater than 0");
        if (at + 2 < call->argc) return ERR_SYNTAX;
    }
    *out = mpop;
    return OK;
}

void zset_mpop_serve(struct call *call, int key, const struct zset_mpop *mpop)
{
    struct key name = call_key(call, key);
    const struct entry *entry = store_find(call->store, call->db, &name, FIND_WRITE);
    size_t there = zset_count(entry);
    size_t count = (uint64_t)mpop->count < there ? (size_t)mpop->count : there;
    char digits[NUM_INT64_CHARS];

    reply_array(call->reply, 2);
    reply_bulk(call->reply, call->argv[key]);
    reply_array(call->reply, (int64_t)count);
    zset_pop(call, key, mpop->end, count, true);
    call_effect(call, 3,
                (struct span[]){mpop->end == ZSET_MIN ? SPAN("ZPOPMIN") : SPAN("ZPOPMAX"),
                                call->argv[key],
                                span_of(digits, num_format_int64(digits, (int64_t)count))});
}

/* ZMPOP numkeys key [key ...] MIN | MAX [COUNT count]: from the first key that is there. */
enum err cmd_zmpop(struct call *call)
{
    struct zset_mpop mpop;

    TRY(zset_mpop_parse(call, 1, &mpop));
    for (int i = 0; i < mpop.key_count; i++) {
        const struct entry *entry;
        TRY(call_find_write(call, mpop.first_key + i, TYPE_ZSET, &entry));
        if (entry == NULL) continue;
        zset_mpop_serve(call, mpop.first_key + i, &mpop);
        return OK;
    }
    reply_null_array(call->reply);
    return OK;
}
