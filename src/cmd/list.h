/* What several list commands do, those that wait for elements included (BLPOP, BLMOVE and their kin): how
 * ends are named, taking elements off, moving one to another list, and the canonical forms of both.
 *
 * Unless a contract says otherwise the keys are arguments, argv[index], whose lists are there: the
 * caller has looked them up for a write (call_find_write with TYPE_LIST). What is stated with call_effect
 * is up to the caller, since LPOP is written to the journal as it came. */
#ifndef PANDO_CMD_LIST_H
#define PANDO_CMD_LIST_H

#include "cmd/call.h"
#include "store/list.h"

/* LEFT or RIGHT; else ERR_SYNTAX. */
enum err list_arg_end(const struct call *call, int index, enum quicklist_end *out);

/* The element that a walk is at, as a bulk string. */
void list_reply_element(struct reply *reply, const struct quicklist_walk *walk);

/* Takes one element off and replies with it, as a bulk string. */
void list_pop_one(struct call *call, int index, enum quicklist_end end);
/* Takes up to `count` elements off, at least one, and replies as LMPOP and BLMPOP do, [key, [element ...]], and
 * states the effect. */
void list_pop_with_key(struct call *call, int index, enum quicklist_end end, uint64_t count);
/* States `LPOP key` or `RPOP key`, with a count behind unless it is 0. */
void list_state_pop(struct call *call, int index, enum quicklist_end end, uint64_t count);

/* The keys and options of LMPOP and BLMPOP, from argv[first] (numkeys) on: the keys stand from
 * argv[first + 1] on. */
struct list_multi_pop {
    int64_t keys;
    enum quicklist_end end;
    int64_t count;
};
enum err list_parse_multi_pop(struct call *call, int first, struct list_multi_pop *out);

/* Whether there is something to move: *found is false where the source is not there. ERR_WRONG_TYPE for
 * either key; that of the target is not looked at without a source. */
enum err list_move_find(struct call *call, int source, int target, bool *found);
/* Moves an element, which may be within one list, and replies with it. */
void list_move(struct call *call, int source, int target, enum quicklist_end from,
               enum quicklist_end to);

#endif
