/* What the commands on sorted sets share: replies, parts named by arguments, and popping, which the
 * blocking commands do too. */
#ifndef PANDO_CMD_ZSET_H
#define PANDO_CMD_ZSET_H

#include "cmd/call.h"
#include "store/zset.h"

/* ---- replies ------------------------------------------------------------------------------------ */

/* A member, with or without its score: in RESP3 the two are a pair of their own. */
static inline void zset_reply_member(struct reply *reply, const struct sorted_key *key,
                                     bool with_score)
{
    if (with_score && reply->version >= 3) reply_array(reply, 2);
    reply_bulk(reply, key->member);
    if (with_score) reply_double(reply, key->score);
}
/* The header of so many such replies. */
static inline void zset_reply_header(struct reply *reply, size_t count, bool with_scores)
{
    reply_array(reply, (int64_t)(with_scores && reply->version < 3 ? 2 * count : count));
}
/* A slice with its header. `e` may be NULL: nothing. */
void zset_reply_slice(struct call *call, const struct entry *e, struct zset_slice slice,
                      bool with_scores);

/* What a command computed goes to argv[index], or removes what is there when it is empty; its size is
 * the reply. The draft is released. */
void zset_store_draft(struct call *call, int index, struct zset_draft *draft, const char *event);

/* Adds members with their scores to argv[1], or changes them, as ZADD and GEOADD do, and replies: with
 * ZSET_INCREMENT the score of the only pair, else how many were added (count_changed: or changed). Says
 * whether anything has changed; the effect is the caller's to state. */
enum err zset_add_pairs(struct call *call, unsigned conditions, bool count_changed,
                        const struct sorted_key *pairs, int count, bool *changed);

/* ---- popping ------------------------------------------------------------------------------------ */

enum zset_end { ZSET_MIN, ZSET_MAX };

/* Takes `count` members, no more than there are, off that end of the sorted set at argv[key], and
 * replies them, each with its score: as a pair, or the two one after the other. States no effect. */
void zset_pop(struct call *call, int key, enum zset_end end, size_t count, bool as_pairs);

/* numkeys key [key ...] MIN | MAX [COUNT count]: ZMPOP, and behind its timeout BZMPOP. */
struct zset_mpop {
    int first_key, key_count;
    enum zset_end end;
    int64_t count; /* at most */
};
enum err zset_mpop_parse(struct call *call, int numkeys, struct zset_mpop *out);
/* Pops from argv[key], where a sorted set is: replies name and members, and states the effect. */
void zset_mpop_serve(struct call *call, int key, const struct zset_mpop *mpop);

#endif
