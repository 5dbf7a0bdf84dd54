/* Sets: members one by one. Choosing at random stands in set_random.c, the algebra in set_algebra.c.
 * Error texts, events and effects are those of Redis 7.0.15. */
#include "store/set.h"

#include "cmd/scan.h"
#include "handlers.h"

/* SADD key member [member ...] */
enum err cmd_sadd(struct call *call)
{
    const struct value_settings *settings = store_settings(call->store);
    struct store_edit edit;
    int64_t count = 0;

    TRY(call_edit_make(call, 1, TYPE_SET, &edit));
    for (int i = 2; i < call->argc; i++) {
        bool added;
        edit.entry = set_add(edit.entry, call->argv[i], settings, &added);
        count += added;
    }
    store_edit_close(&edit, (uint64_t)count, EVENT(EVENT_SET, "sadd"));
    reply_int64(call->reply, count);
    return OK;
}

/* SREM key member [member ...] */
enum err cmd_srem(struct call *call)
{
    const struct entry *found;
    struct store_edit edit;
    int64_t count = 0;

    TRY(call_find_write(call, 1, TYPE_SET, &found));
    if (found != NULL) {
        call_edit_open(call, 1, TYPE_SET, &edit);
        for (int i = 2; i < call->argc; i++) {
            bool removed;
            edit.entry = set_remove(edit.entry, call->argv[i], &removed);
            count += removed;
        }
        store_edit_close(&edit, (uint64_t)count, EVENT(EVENT_SET, "srem"));
    }
    reply_int64(call->reply, count);
    return OK;
}

/* SCARD key */
enum err cmd_scard(struct call *call)
{
    const struct entry *set;

    TRY(call_find(call, 1, TYPE_SET, &set));
    reply_int64(call->reply, set == NULL ? 0 : (int64_t)set_count(set));
    return OK;
}

static bool has(const struct entry *set, struct span text)
{
    struct set_member member = set_member_of(text);
    return set != NULL && set_has(set, &member);
}

/* SISMEMBER key member */
enum err cmd_sismember(struct call *call)
{
    const struct entry *set;

    TRY(call_find(call, 1, TYPE_SET, &set));
    reply_int64(call->reply, has(set, call->argv[2]));
    return OK;
}

/* SMISMEMBER key member [member ...] */
enum err cmd_smismember(struct call *call)
{
    const struct entry *set;

    TRY(call_find(call, 1, TYPE_SET, &set));
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) reply_int64(call->reply, has(set, call->argv[i]));
    return OK;
}

/* SMEMBERS key */
enum err cmd_smembers(struct call *call)
{
    const struct entry *set;
    struct set_walk walk;
    struct set_member member;

    TRY(call_find(call, 1, TYPE_SET, &set));
    reply_set(call->reply, set == NULL ? 0 : (int64_t)set_count(set));
    if (set == NULL) return OK;
    set_walk_begin(&walk, set);
    while (set_walk_next(&walk, &member)) reply_bulk(call->reply, member.text);
    return OK;
}

/* SMOVE source destination member: two changes, of which the second is none where the member was at
 * the destination already. */
enum err cmd_smove(struct call *call)
{
    const struct entry *source, *destination;
    struct store_edit edit;
    bool there, added, removed;

    enum err err = call_find_write(call, 1, TYPE_SET, &source);
    if (err != OK || source == NULL) {
        /* Redis has looked at both by now: what has expired at the destination is gone. */
        TRY(call_find_write(call, 2, TYPE_ANY, &destination));
        TRY(err);
        reply_int64(call->reply, 0);
        return OK;
    }
    there = has(source, call->argv[3]);
    TRY(call_find_write(call, 2, TYPE_SET, &destination));
    reply_int64(call->reply, there);
    if (!there || span_equal(call->argv[1], call->argv[2])) return OK;

    call_edit_open(call, 1, TYPE_SET, &edit);
    edit.entry = set_remove(edit.entry, call->argv[3], &removed);
    store_edit_close(&edit, 1, EVENT(EVENT_SET, "srem"));
    call_edit_open(call, 2, TYPE_SET, &edit);
    edit.entry = set_add(edit.entry, call->argv[3], store_settings(call->store), &added);
    store_edit_close(&edit, added, EVENT(EVENT_SET, "sadd"));
    return OK;
}

/* ---- SSCAN -------------------------------------------------------------------------------------- */

static void scan_member(void *context, struct span text)
{
    struct scan *scan = context;
    if (scan_wants(scan, text)) reply_bulk(scan->call->reply, text);
}

static uint64_t scan_set(struct scan *scan, uint64_t cursor)
{
    return set_scan(scan->entry, cursor, scan_member, scan);
}

/* SSCAN key cursor [MATCH pattern] [COUNT count] */
enum err cmd_sscan(struct call *call)
{
    struct scan scan;

    TRY(scan_begin(call, TYPE_SET, &scan));
    if (scan.entry != NULL) scan_run(&scan, scan_set, 1);
    return OK;
}
