/* SRANDMEMBER and SPOP: members chosen at random. A replica must not choose again, so SPOP enters the
 * journal as what it removed. */
#include "base/buf.h"
#include "cmd/call.h"
#include "handlers.h"
#include "store/set.h"

static void reply_member(void *context, struct span text)
{
    struct call *call = context;
    reply_bulk(call->reply, text);
}

static enum err arg_count(struct call *call, int64_t *count)
{
    TRY(call_arg_int64(call, 2, count));
    if (*count == INT64_MIN)
        return call_fail(call, "ERR value is out of range, value must between %lld and %lld",
                         (long long)-INT64_MAX, (long long)INT64_MAX);
    return OK;
}

/* SRANDMEMBER key [count]: different members, or, where count is negative, any so many times. */
enum err cmd_srandmember(struct call *call)
{
    struct random *random = store_random(call->store);
    const struct entry *set;
    char scratch[NUM_INT64_CHARS];
    int64_t count = 0;

    if (call->argc > 3) return ERR_SYNTAX;
    if (call->argc == 3) TRY(arg_count(call, &count));
    TRY(call_find(call, 1, TYPE_SET, &set));
    if (call->argc == 2) {
        if (set == NULL) reply_null(call->reply);
        else reply_bulk(call->reply, set_random(set, random, scratch));
    } else if (set == NULL || count == 0) {
        reply_array(call->reply, 0);
    } else if (count < 0) {
        reply_array(call->reply, -count);
        for (; count < 0 && !call->reply->muted; count++)
            reply_bulk(call->reply, set_random(set, random, scratch));
    } else {
        const size_t all = set_count(set), wanted = (uint64_t)count < all ? (size_t)count : all;
        reply_array(call->reply, (int64_t)wanted);
        set_sample(set, wanted, random, reply_member, call);
    }
    return OK;
}

/* ---- SPOP --------------------------------------------------------------------------------------- */

static const struct event spop_event = {EVENT_SET, "spop"};

static void effect_removal(struct call *call, struct span text)
{
    call_effect(call, 3, (struct span[]){SPAN("SREM"), call->argv[1], text});
}

/* The member is chosen behind the door: opening it may give a set that a snapshot leases away. */
static void pop_one(struct call *call)
{
    char scratch[NUM_INT64_CHARS];
    struct store_edit edit;
    bool removed;

    call_edit_open(call, 1, TYPE_SET, &edit);
    struct span text = set_random(edit.entry, store_random(call->store), scratch);
    reply_bulk(call->reply, text);
    effect_removal(call, text);
    edit.entry = set_remove(edit.entry, text, &removed);
    store_edit_close(&edit, 1, spop_event);
}

/* `changes` were made in one passage of the door, which counted one. */
static void count_changes(struct call *call, size_t changes)
{
    store_add_dirty(call->store, changes - 1);
}

/* The key goes as a whole, and that is what the journal says. */
static void pop_all(struct call *call, const struct entry *set)
{
    const size_t count = set_count(set);

    set_sample(set, count, store_random(call->store), reply_member, call);
    call_remove(call, 1, REMOVE_NOW, spop_event);
    count_changes(call, count);
    call_event(call, 1, EVENT(EVENT_GENERIC, "del"));
    call_effect(call, 2, (struct span[]){SPAN("DEL"), call->argv[1]});
}

struct rest {
    struct entry *set;
    const struct value_settings *settings;
};

static void keep_member(void *context, struct span text)
{
    struct rest *rest = context;
    bool added;
    rest->set = set_add(rest->set, text, rest->settings, &added);
}

/* Few members stay: they are chosen, and become a set of their own. */
static void pop_all_but(struct call *call, const struct entry *set, size_t kept)
{
    const struct value_settings *settings = store_settings(call->store);
    struct rest rest = {container_ops(TYPE_SET)->empty(call->argv[1], settings), settings};
    struct key key = call_key(call, 1);
    struct set_walk walk;
    struct set_member member;

    rest.set = entry_with_deadline(rest.set, entry_deadline(set));
    set_sample(set, kept, store_random(call->store), keep_member, &rest);
    set_walk_begin(&walk, set);
    while (set_walk_next(&walk, &member)) {
        if (set_has(rest.set, &member)) continue;
        reply_bulk(call->reply, member.text);
        effect_removal(call, member.text);
    }
    const size_t popped = set_count(set) - kept;
    store_put_result(call->store, call->db, &key, rest.set, spop_event);
    count_changes(call, popped);
}

/* Texts one behind the other: u32 length, bytes. */
struct chosen {
    struct call *call;
    struct buf texts;
};

static void choose_member(void *context, struct span text)
{
    struct chosen *chosen = context;
    const uint32_t len = (uint32_t)text.len;

    reply_bulk(chosen->call->reply, text);
    effect_removal(chosen->call, text);
    buf_append(&chosen->texts, &len, sizeof len);
    buf_append_span(&chosen->texts, text);
}

static void pop_some(struct call *call, const struct entry *set, size_t count)
{
    struct chosen chosen = {.call = call};
    struct store_edit edit;

    set_sample(set, count, store_random(call->store), choose_member, &chosen);
    call_edit_open(call, 1, TYPE_SET, &edit);
    for (size_t at = 0; at < chosen.texts.len;) {
        uint32_t len;
        bool removed;
        memcpy(&len, chosen.texts.ptr + at, sizeof len);
        at += sizeof len;
        edit.entry = set_remove(edit.entry, span_of(chosen.texts.ptr + at, len), &removed);
        at += len;
    }
    store_edit_close(&edit, count, spop_event);
    buf_release(&chosen.texts);
}

/* SPOP key [count]. A set of which less than a fifth of what is popped stays is built anew, in the form
 * that suits the rest: so does Redis, and OBJECT ENCODING shows it. */
enum err cmd_spop(struct call *call)
{
    const struct entry *set;
    int64_t count = 1;

    if (call->argc > 3) return ERR_SYNTAX;
    if (call->argc == 3 && (!num_parse_int64(call->argv[2], &count) || count < 0))
        return ERR_NOT_POSITIVE;
    TRY(call_find_write(call, 1, TYPE_SET, &set));
    if (call->argc == 2) {
        if (set == NULL) reply_null(call->reply);
        else pop_one(call);
        return OK;
    }
    const size_t all = set == NULL ? 0 : set_count(set);
    const size_t popped = (uint64_t)count < all ? (size_t)count : all, kept = all - popped;
    reply_set(call->reply, (int64_t)popped);
    if (popped == 0) return OK;
    if (kept == 0) pop_all(call, set);
    else if (kept * 5 <= popped) pop_all_but(call, set, kept);
    else pop_some(call, set, popped);
    return OK;
}
