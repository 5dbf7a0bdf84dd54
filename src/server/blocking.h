/* Sessions whose execution stands still, and what ends that: WAIT, pauses, leased values, SHUTDOWN, keys (those that wait
 * for keys have a file of their own, blocked_keys.h). Sessions blocked for the same reason form a list; a timeout is a
 * timer of the loop. So nothing here costs time for sessions that go on waiting. */
#ifndef PANDO_SERVER_BLOCKING_H
#define PANDO_SERVER_BLOCKING_H

#include "server/session.h"

void blocking_pause_ended(struct server *server); /* unblocks BLOCK_PAUSE: their commands run now */
void blocking_acks_arrived(struct server *server); /* answers WAITs that have enough replicas */
/* A primary became a replica: what waits for keys or replicas ends with -UNBLOCKED. */
void blocking_role_changed(struct server *server);
/* Lets those that wait for a leased value try again; true while there are any. */
bool blocking_before_wait(struct server *server);
void blocking_timed_out(void *session); /* a session's block_timer */
/* CLIENT UNBLOCK: false where the session is not blocked in a command. */
bool blocking_unblock_client(struct session *session, bool with_error);

enum err cmd_wait(struct call *call);

#endif
