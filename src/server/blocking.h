/* Sessions whose execution stands still: WAIT, pauses, leased values, SHUTDOWN. */
#ifndef PANDO_SERVER_BLOCKING_H
#define PANDO_SERVER_BLOCKING_H

#include "server/session.h"

void blocking_pause_ended(struct server *server); /* unblocks BLOCK_PAUSE: their commands run now */
void blocking_acks_arrived(struct server *server); /* answers WAITs that have enough replicas */
void blocking_role_changed(
    struct server *server); /* a primary became a replica: WAITs end with -UNBLOCKED */
/* Lets those that wait for a leased value try again; true while there are any. */
bool blocking_before_wait(struct server *server);
/* Timeouts. Returns ms until the next one, -1 for none. */
int64_t blocking_expire(struct server *server);
/* CLIENT UNBLOCK: false where the session is not blocked in a command. */
bool blocking_unblock_client(struct session *session, bool with_error);

enum err cmd_wait(struct call *call);

#endif
