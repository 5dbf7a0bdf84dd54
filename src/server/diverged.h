/* What a full sync is about to discard: writes that this node took, or was sent, and that its new primary
 * does not have.
 *
 * The log behind the point where the two histories part is saved in the node's own folder, as an incr file
 * (journal/segment.h) that pando-server, redis-server and redis-check-aof read:
 *
 *     dir/pando-<port>/diverged-<unix ms>-<id>.aof
 *
 * The database in its head is that of the log's end: a stretch that begins in another one before its first SELECT
 * does not say so.
 *
 * A pando primary tells that point (repl/replica.h); where it is not known, everything that is still held is
 * saved. Nothing waits for it: a worker drains the old log while the new history begins. */
#ifndef PANDO_SERVER_DIVERGED_H
#define PANDO_SERVER_DIVERGED_H

#include "server/server.h"

struct segments;

/* Before the journal takes up history `next_id`. `fork`: the offset up to which that one shares ours, UINT64_MAX where it
 * is not known. Takes the journal's bytes, and `segments`, which hold some of them (or NULL). */
void diverged_save(struct server *server, const char *next_id, uint64_t fork,
                   struct segments *segments);

#endif
