/* SINTER, SUNION, SDIFF, their STORE forms, and SINTERCARD.
 *
 * Every operation walks over one set (the smallest, the first, each in turn), looks its members up in
 * others, and hands what belongs to the result to an output: the reply, a new set, or a count. */
#include "base/mem.h"
#include "cmd/call.h"
#include "handlers.h"
#include "store/set.h"

#include <stdlib.h>

/* ---- operands ----------------------------------------------------------------------------------- */

struct operands {
    const struct entry **sets; /* in the order of the keys; NULL: no such key */
    int count;
    const struct entry *few[8];
};

static void operands_release(struct operands *operands)
{
    if (operands->sets != operands->few) mem_free(operands->sets);
}

/* Finds argv[from, from + count), telling of every missing key, as Redis does, before a wrong type ends
 * it. */
static enum err find_operands(struct call *call, int from, int count, struct operands *out)
{
    out->count = count;
    out->sets = out->few;
    if (count > (int)(sizeof out->few / sizeof *out->few))
        out->sets = mem_alloc((size_t)count * sizeof *out->sets);
    for (int i = 0; i < count; i++) {
        enum err err = call_find(call, from + i, TYPE_SET, &out->sets[i]);
        if (err == OK) continue;
        operands_release(out);
        return err;
    }
    return OK;
}

/* Takes out those that are not there. */
static void drop_missing(struct operands *operands)
{
    int kept = 0;
    for (int i = 0; i < operands->count; i++)
        if (operands->sets[i] != NULL) operands->sets[kept++] = operands->sets[i];
    operands->count = kept;
}

static int by_count(const void *a, const void *b)
{
    size_t first = set_count(*(const struct entry *const *)a),
           second = set_count(*(const struct entry *const *)b);
    return first < second ? -1 : first > second;
}

static int by_count_largest_first(const void *a, const void *b)
{
    return by_count(b, a);
}

static bool in_all(const struct entry **sets, int count, struct set_member *member)
{
    for (int i = 0; i < count; i++)
        if (!set_has(sets[i], member)) return false;
    return true;
}

static bool in_any(const struct entry **sets, int count, struct set_member *member)
{
    for (int i = 0; i < count; i++)
        if (set_has(sets[i], member)) return true;
    return false;
}

/* ---- output ------------------------------------------------------------------------------------- */

struct output {
    struct reply *reply; /* NULL: nothing is replied yet */
    struct entry *set;   /* NULL: nothing is stored */
    const struct value_settings *settings;
    int64_t count, limit; /* members so far, and how many are enough */
};

/* False where the member was in the set already. */
static bool put(struct output *output, struct span text)
{
    bool added = true;

    if (output->set != NULL) output->set = set_add(output->set, text, output->settings, &added);
    if (output->reply != NULL) reply_bulk(output->reply, text);
    output->count += added;
    return added;
}

static struct entry *new_set(struct call *call, struct span key)
{
    return container_ops(TYPE_SET)->empty(key, store_settings(call->store));
}

/* ---- the operations ----------------------------------------------------------------------------- */

typedef void operation(struct call *call, struct operands *operands, struct output *output);

static void intersect(struct call *call, struct operands *operands, struct output *output)
{
    struct set_walk walk;
    struct set_member member;

    (void)call;
    for (int i = 0; i < operands->count; i++)
        if (operands->sets[i] == NULL) return;
    qsort(operands->sets, (size_t)operands->count, sizeof *operands->sets, by_count);
    set_walk_begin(&walk, operands->sets[0]);
    while (output->count < output->limit && set_walk_next(&walk, &member))
        if (in_all(operands->sets + 1, operands->count - 1, &member)) put(output, member.text);
}

/* Up to so many sets, looking a member up in those before it is cheaper than collecting all in a set. */
#define UNION_LOOK_UPS 4

static void unite(struct call *call, struct operands *operands, struct output *output)
{
    struct output seen = {.settings = store_settings(call->store)};
    struct set_walk walk;
    struct set_member member;

    drop_missing(operands);
    qsort(operands->sets, (size_t)operands->count, sizeof *operands->sets, by_count_largest_first);
    if (output->set == NULL && operands->count > UNION_LOOK_UPS) seen.set = new_set(call, SPAN(""));
    for (int i = 0; i < operands->count; i++) {
        set_walk_begin(&walk, operands->sets[i]);
        while (set_walk_next(&walk, &member)) {
            bool known = output->set != NULL ? false
                         : seen.set != NULL  ? !put(&seen, member.text)
                                             : in_any(operands->sets, i, &member);
            if (!known) put(output, member.text);
        }
    }
    if (seen.set != NULL) entry_free(seen.set);
}

static size_t total_count(const struct entry **sets, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++) total += set_count(sets[i]);
    return total;
}

/* Costs, in look-ups in a table: to add a member to one; to look at so many members of a listpack. */
#define ADD_COSTS    4
#define PACK_MEMBERS 8

/* Whether it is cheaper to collect the sets in one table and look so many members up there than to look
 * them up in each. */
static bool is_worth_collecting(const struct entry **sets, int count, size_t look_ups)
{
    size_t in_each = 0;
    for (int i = 0; i < count; i++) {
        bool packed = entry_encoding(sets[i]) == ENC_LISTPACK;
        in_each += 1 + (packed ? set_count(sets[i]) / PACK_MEMBERS : 0);
    }
    return ADD_COSTS * total_count(sets, count) + look_ups < look_ups * in_each;
}

static struct entry *collect(struct call *call, const struct entry **sets, int count)
{
    const struct value_settings *settings = store_settings(call->store);
    struct output all = {.set = set_new_table(SPAN(""), settings), .settings = settings};
    struct set_walk walk;
    struct set_member member;

    for (int i = 0; i < count; i++) {
        set_walk_begin(&walk, sets[i]);
        while (set_walk_next(&walk, &member)) put(&all, member.text);
    }
    return all.set;
}

/* Whether Redis computes the difference by making a copy of the first set and taking out of it what is
 * in the others: where it estimates that to be less than half of what it takes to look each member of
 * the first up in all. (Told by the encoding of what SDIFFSTORE stores.) */
static bool redis_copies_first(const struct operands *operands)
{
    size_t looking_up = set_count(operands->sets[0]) * (size_t)operands->count / 2;
    return looking_up > total_count(operands->sets, operands->count);
}

static void subtract(struct call *call, struct operands *operands, struct output *output)
{
    bool strings = false; /* some member of the first is no integer */
    struct entry *collected = NULL;
    const struct entry *in_others;
    struct set_walk walk;
    struct set_member member;

    if (operands->sets[0] == NULL) return;
    drop_missing(operands);
    const struct entry *first = operands->sets[0], **others = operands->sets + 1;
    int count = operands->count - 1;
    const size_t all = set_count(first);
    for (int i = 0; i < count; i++)
        if (others[i] == first) return; /* nothing is left of it */
    if (is_worth_collecting(others, count, all)) {
        in_others = collected = collect(call, others, count);
        others = &in_others;
        count = 1;
    } else {
        qsort(others, (size_t)count, sizeof *others, by_count_largest_first);
    }
    set_walk_begin(&walk, first);
    while (set_walk_next(&walk, &member)) {
        strings |= !member.is_number;
        if (!in_any(others, count, &member)) put(output, member.text);
    }
    if (collected != NULL) entry_free(collected);
    if (output->set == NULL || !redis_copies_first(operands)) return;
    if (strings || all > output->settings->set_max_intset_entries)
        output->set = set_leave_intset(output->set, output->settings);
}

/* ---- the commands ------------------------------------------------------------------------------- */

static enum err reply_result(struct call *call, operation *operate)
{
    struct output output = {.reply = call->reply, .limit = INT64_MAX};
    struct operands operands;

    TRY(find_operands(call, 1, call->argc - 1, &operands));
    size_t position = reply_defer(call->reply);
    operate(call, &operands, &output);
    reply_settle(call->reply, position, REPLY_SET, output.count);
    operands_release(&operands);
    return OK;
}

/* A result without members deletes the destination. */
static enum err store_result(struct call *call, operation *operate, const char *event)
{
    struct output output = {.settings = store_settings(call->store), .limit = INT64_MAX};
    struct key key = call_key(call, 1);
    struct operands operands;

    TRY(find_operands(call, 2, call->argc - 2, &operands));
    output.set = new_set(call, key.name);
    operate(call, &operands, &output);
    operands_release(&operands);
    if (output.count > 0) {
        store_put_result(call->store, call->db, &key, output.set, EVENT(EVENT_SET, event));
    } else {
        entry_free(output.set);
        store_vacate(call->store, call->db, &key);
    }
    reply_int64(call->reply, output.count);
    return OK;
}

/* SINTER key [key ...] */
enum err cmd_sinter(struct call *call)
{
    return reply_result(call, intersect);
}

/* SUNION key [key ...] */
enum err cmd_sunion(struct call *call)
{
    return reply_result(call, unite);
}

/* SDIFF key [key ...] */
enum err cmd_sdiff(struct call *call)
{
    return reply_result(call, subtract);
}

/* SINTERSTORE destination key [key ...] */
enum err cmd_sinterstore(struct call *call)
{
    return store_result(call, intersect, "sinterstore");
}

/* SUNIONSTORE destination key [key ...] */
enum err cmd_sunionstore(struct call *call)
{
    return store_result(call, unite, "sunionstore");
}

/* SDIFFSTORE destination key [key ...] */
enum err cmd_sdiffstore(struct call *call)
{
    return store_result(call, subtract, "sdiffstore");
}

/* SINTERCARD numkeys key [key ...] [LIMIT limit]: a limit of 0 is none. */
enum err cmd_sintercard(struct call *call)
{
    struct output output = {.limit = INT64_MAX};
    struct operands operands;
    int64_t numkeys, limit = 0;

    if (!num_parse_int64(call->argv[1], &numkeys) || numkeys < 1)
        return call_fail(call, "ERR numkeys should be greater than 0");
    if (numkeys > call->argc - 2)
        return call_fail(call, "ERR Number of keys can't be greater than number of args");
    for (int i = 2 + (int)numkeys; i < call->argc; i += 2) {
        if (!call_arg_is(call, i, "LIMIT") || i + 1 == call->argc) return ERR_SYNTAX;
        if (!num_parse_int64(call->argv[i + 1], &limit) || limit < 0)
            return call_fail(call, "ERR LIMIT can't be negative");
    }
    if (limit > 0) output.limit = limit;
    TRY(find_operands(call, 2, (int)numkeys, &operands));
    intersect(call, &operands, &output);
    operands_release(&operands);
    reply_int64(call->reply, output.count);
    return OK;
}
