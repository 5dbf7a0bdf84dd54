/* maxmemory-clients: how much all clients' buffers may take together, and who goes beyond that.
 *
 * The sum is kept as sessions read, write and close. Where it is over the limit those that use most are
 * closed, at the end of a turn: by powers of two of what they use, in no order within one. Replicas and the
 * link to our primary have limits of their own. CLIENT NO-EVICT spares a client; what it uses counts. */
#ifndef PANDO_SERVER_CLIENT_EVICTION_H
#define PANDO_SERVER_CLIENT_EVICTION_H

#include "server/server.h"

/* The session may use more or less memory now; also when it closes. */
void clients_note(struct session *session);
/* The limit has changed: counts all sessions anew. */
void clients_count_all(struct server *server);
/* Before the wait: closes clients until the rest is within the limit. */
void clients_evict(struct server *server);
/* DEBUG CLIENT-EVICTION: a line per class of sizes. False where there is no limit. */
bool clients_describe(const struct server *server, struct buf *out);

#endif
