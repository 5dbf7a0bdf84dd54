/* maxmemory: making room before commands that may grow the data, and between them.
 *
 * What counts against maxmemory is the memory in use less what is no data: the replication log, the output
 * of replicas, snapshots under way, and what is on its way out (eviction_not_counted).
 *
 * Work is bounded: a call evicts for as long as maxmemory-eviction-tenacity allows, half a millisecond by
 * default. Where that is not enough commands go ahead all the same, and eviction goes on in the next turns of
 * the loop. A command is refused (OOM) only where nothing may be evicted, and never in the middle of a
 * transaction: room is made before it starts. */
#ifndef PANDO_SERVER_EVICTION_H
#define PANDO_SERVER_EVICTION_H

#include "server/server.h"

/* Before a command that may grow the data. False: memory is over the limit, and nothing can be done about it. */
bool eviction_make_room(struct server *server);
/* Between commands, once per turn. 0: there is more to evict; -1: nothing to do. */
int64_t eviction_slice(struct server *server);

/* Bytes in use that do not count against maxmemory. */
size_t eviction_not_counted(const struct server *server);
/* For INFO: how long memory has been over the limit, in all and this time, in ms. */
void eviction_exceeded_ms(const struct server *server, int64_t *total, int64_t *current);

#endif
