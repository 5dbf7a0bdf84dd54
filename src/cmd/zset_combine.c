/* ZUNION, ZINTER and ZDIFF, their STORE forms, and ZINTERCARD: over sorted sets and plain sets, whose
 * members count as 1 each.
 *
 * Inputs are taken in the order of their sizes, the smallest first, equal ones as they were named: so
 * sums of floating point come out as in Redis 7.0.15. What is neither number nor infinite, inf - inf or
 * 0 * inf, counts as 0. (But in an intersection that of a further input is only noticed in the sum: where
 * inf is added to it the result is 0, and the least and the greatest pass over it. Tried.) */
#include "base/mem.h"
#include "cmd/zset.h"
#include "handlers.h"
#include "store/set.h"

#include <math.h>
#include <stdlib.h>

struct input {
    const struct entry *entry; /* NULL: no such key */
    double weight;
    size_t count;
    int place; /* among the arguments */
};

enum aggregate { AGGREGATE_SUM, AGGREGATE_MIN, AGGREGATE_MAX };
enum operation { UNION, INTERSECTION, DIFFERENCE };

struct combination {
    enum operation operation;
    enum aggregate aggregate;
    bool with_scores;
    int64_t limit; /* ZINTERCARD; 0: none */
    int count;
    struct input *inputs;
};

/* ---- inputs -------------------------------------------------------------------------------------------- */

static size_t count_of(const struct entry *e)
{
    if (e == NULL) return 0;
    return entry_type(e) == TYPE_SET ? set_count(e) : zset_count(e);
}

/* The weighted score of a member, which may be no number; false where it is not in. */
static bool find_in(const struct input *input, struct set_member *member, double *score)
{
    if (input->entry == NULL) return false;
    if (entry_type(input->entry) == TYPE_SET) {
        *score = input->weight;
        return set_has(input->entry, member);
    }
    if (!zset_score(input->entry, member->text, score)) return false;
    *score *= input->weight;
    return true;
}

/* Takes a member with its weighted score; false: no more are wanted. */
typedef bool visit(void *context, struct set_member *member, double score);

static void visit_set(const struct input *input, visit *each, void *context)
{
    struct set_walk walk;
    struct set_member member;

    set_walk_begin(&walk, input->entry);
    while (set_walk_next(&walk, &member))
        if (!each(context, &member, input->weight)) return;
}

static void visit_zset(const struct input *input, visit *each, void *context)
{
    struct zset_walk walk;
    struct sorted_key key;

    zset_walk_begin(&walk, input->entry, zset_whole(input->entry));
    while (zset_walk_next(&walk, &key)) {
        struct set_member member = set_member_of(key.member);
        double score = key.score * input->weight;
        if (!each(context, &member, isnan(score) ? 0 : score)) return;
    }
}

static void visit_all(const struct input *input, visit *each, void *context)
{
    if (input->entry == NULL) return;
    if (entry_type(input->entry) == TYPE_SET) visit_set(input, each, context);
    else visit_zset(input, each, context);
}

static int compare_inputs(const void *a, const void *b)
{
    const struct input *left = a, *right = b;
    if (left->count != right->count) return left->count < right->count ? -1 : 1;
    return left->place - right->place;
}

static void aggregate(enum aggregate how, double *value, double other)
{
    switch (how) {
    case AGGREGATE_SUM:
        *value += other;
        if (isnan(*value)) *value = 0;
        break;
    case AGGREGATE_MIN:
        if (other < *value) *value = other;
        break;
    case AGGREGATE_MAX:
        if (other > *value) *value = other;
        break;
    }
}

/* ---- combining ------------------------------------------------------------------------------------------ */

struct combining {
    const struct combination *what;
    struct zset_draft *draft; /* NULL: only counted */
    int64_t counted;
};

static bool add_to_union(void *context, struct set_member *member, double score)
{
    struct combining *combining = context;
    double sum;
    bool added;
    void *at = zset_draft_put(combining->draft, member->text, &added);

    memcpy(&sum, at, sizeof sum);
    if (added) sum = score;
    else aggregate(combining->what->aggregate, &sum, score);
    memcpy(at, &sum, sizeof sum);
    return true;
}

/* A member of the first input: of the intersection if it is in all others, of the difference if in
 * none. */
static bool filter(void *context, struct set_member *member, double score)
{
    struct combining *combining = context;
    const struct combination *what = combining->what;
    bool added;

    for (int i = 1; i < what->count; i++) {
        double other;
        bool is_in = find_in(&what->inputs[i], member, &other);
        if (is_in != (what->operation == INTERSECTION)) return true;
        if (is_in) aggregate(what->aggregate, &score, other);
    }
    if (combining->draft != NULL)
        memcpy(zset_draft_put(combining->draft, member->text, &added), &score, sizeof score);
    return ++combining->counted != what->limit;
}

/* Fills the draft, if there is one; returns the number of members in an intersection or difference. */
static int64_t combine(const struct combination *what, struct zset_draft *draft)
{
    struct combining combining = {what, draft, 0};

    if (what->operation != DIFFERENCE)
        qsort(what->inputs, (size_t)what->count, sizeof *what->inputs, compare_inputs);
    if (what->operation != UNION) {
        visit_all(&what->inputs[0], filter, &combining);
        return combining.counted;
    }
    for (int i = 0; i < what->count; i++) visit_all(&what->inputs[i], add_to_union, &combining);
    return 0;
}

/* ---- arguments ------------------------------------------------------------------------------------------ */

static enum err find_inputs(struct call *call, int first, struct combination *what)
{
    for (int i = 0; i < what->count; i++) {
        struct input *input = &what->inputs[i];
        *input = (struct input){.weight = 1, .place = i};
        TRY(call_find(call, first + i, TYPE_ANY, &input->entry));
        if (input->entry != NULL && entry_type(input->entry) != TYPE_ZSET &&
            entry_type(input->entry) != TYPE_SET)
            return ERR_WRONG_TYPE;
        input->count = count_of(input->entry);
    }
    return OK;
}

static enum err parse_weights(struct call *call, int first, struct combination *what)
{
    for (int i = 0; i < what->count; i++)
        if (!num_parse_double(call->argv[first + i], &what->inputs[i].weight))
            return call_fail(call, "ERR weight value is not a float");
    return OK;
}

static enum err parse_aggregate(const struct call *call, int index, enum aggregate *out)
{
    if (call_arg_is(call, index, "SUM")) *out = AGGREGATE_SUM;
    else if (call_arg_is(call, index, "MIN")) *out = AGGREGATE_MIN;
    else if (call_arg_is(call, index, "MAX")) *out = AGGREGATE_MAX;
    else return ERR_SYNTAX;
    return OK;
}

enum {
    TAKES_WEIGHTS = 1 << 0, /* and AGGREGATE */
    TAKES_WITHSCORES = 1 << 1,
    TAKES_LIMIT = 1 << 2,
};

static enum err parse_options(struct call *call, int at, unsigned takes, struct combination *what)
{
    while (at < call->argc) {
        int rest = call->argc - at - 1;
        if ((takes & TAKES_WEIGHTS) && rest >= what->count && call_arg_is(call, at, "WEIGHTS")) {
            TRY(parse_weights(call, at + 1, what));
            at += 1 + what->count;
        } else if ((takes & TAKES_WEIGHTS) && rest >= 1 && call_arg_is(call, at, "AGGREGATE")) {
            TRY(parse_aggregate(call, at + 1, &what->aggregate));
            at += 2;
        } else if ((takes & TAKES_WITHSCORES) && call_arg_is(call, at, "WITHSCORES")) {
            what->with_scores = true;
            at++;
        } else if ((takes & TAKES_LIMIT) && rest >= 1 && call_arg_is(call, at, "LIMIT")) {
            if (!num_parse_int64(call->argv[at + 1], &what->limit) || what->limit < 0)
                return call_fail(call, "ERR LIMIT can't be negative");
            at += 2;
        } else {
            return ERR_SYNTAX;
        }
    }
    return OK;
}

/* From argv[numkeys] on. On failure too, the inputs are the caller's to free. */
static enum err parse(struct call *call, int numkeys, unsigned takes, struct combination *what)
{
    int64_t count;

    TRY(call_arg_int64(call, numkeys, &count));
    if (count < 1)
        return call_fail(call, "ERR at least 1 input key is needed for '%s' command",
                         call->command->name);
    if (count > call->argc - numkeys - 1) return ERR_SYNTAX;
    what->count = (int)count;
    what->inputs = mem_alloc((size_t)count * sizeof *what->inputs);
    TRY(find_inputs(call, numkeys + 1, what));
    return parse_options(call, numkeys + 1 + what->count, takes, what);
}

/* ---- handlers ------------------------------------------------------------------------------------------- */

static void reply_combination(struct call *call, const struct combination *what)
{
    struct zset_draft draft;

    zset_draft_init(&draft, &store_settings(call->store)->secret);
    combine(what, &draft);
    draft.stays_big = true; /* so that zeros keep their signs, as in Redis */
    struct entry *result =
        zset_draft_finish(&draft, SPAN(""), NO_DEADLINE, store_settings(call->store));
    zset_reply_slice(call, result, zset_whole(result), what->with_scores);
    entry_free(result);
}

static enum err reply_to(struct call *call, enum operation operation, unsigned takes)
{
    struct combination what = {.operation = operation};
    enum err err = parse(call, 1, takes | TAKES_WITHSCORES, &what);

    if (err == OK) reply_combination(call, &what);
    mem_free(what.inputs);
    return err;
}

/* ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX] [WITHSCORES] */
enum err cmd_zunion(struct call *call)
{
    return reply_to(call, UNION, TAKES_WEIGHTS);
}

/* ZINTER: the same options */
enum err cmd_zinter(struct call *call)
{
    return reply_to(call, INTERSECTION, TAKES_WEIGHTS);
}

/* ZDIFF numkeys key [key ...] [WITHSCORES] */
enum err cmd_zdiff(struct call *call)
{
    return reply_to(call, DIFFERENCE, 0);
}

static enum err store(struct call *call, enum operation operation, unsigned takes,
                      const char *event)
{
    struct combination what = {.operation = operation};
    enum err err = parse(call, 2, takes, &what);

    if (err == OK) {
        struct zset_draft draft;
        zset_draft_init(&draft, &store_settings(call->store)->secret);
        combine(&what, &draft);
        zset_store_draft(call, 1, &draft, event);
    }
    mem_free(what.inputs);
    return err;
}

/* ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]]
 * [AGGREGATE SUM | MIN | MAX] */
enum err cmd_zunionstore(struct call *call)
{
    return store(call, UNION, TAKES_WEIGHTS, "zunionstore");
}

/* ZINTERSTORE: the same options */
enum err cmd_zinterstore(struct call *call)
{
    return store(call, INTERSECTION, TAKES_WEIGHTS, "zinterstore");
}

/* ZDIFFSTORE destination numkeys key [key ...] */
enum err cmd_zdiffstore(struct call *call)
{
    return store(call, DIFFERENCE, 0, "zdiffstore");
}

/* ZINTERCARD numkeys key [key ...] [LIMIT limit] */
enum err cmd_zintercard(struct call *call)
{
    struct combination what = {.operation = INTERSECTION};
    enum err err = parse(call, 1, TAKES_LIMIT, &what);

    if (err == OK) reply_int64(call->reply, combine(&what, NULL));
    mem_free(what.inputs);
    return err;
}
