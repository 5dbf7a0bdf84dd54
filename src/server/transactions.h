/* MULTI, EXEC, DISCARD, WATCH, UNWATCH.
 *
 * Queued commands are copied. A watched key stands in a table shared by all sessions; when the door reports a change of
 * it, every session that watches it is marked and its EXEC answers null. */
#ifndef PANDO_SERVER_TRANSACTIONS_H
#define PANDO_SERVER_TRANSACTIONS_H

#include "server/server.h"

struct parsed;

struct watches *watches_new(const struct hash_secret *secret);
/* Observer of the store: a key changed. Cheap when nobody watches anything. */
void watches_key_changed(struct server *server, int db, struct span key);
/* Observer of the store: a whole database is replaced; keys that exist on either side count as changed. */
void watches_replacing(struct server *server, int db, struct keyspace *from, struct keyspace *to);

void transactions_queue(struct session *session, const struct parsed *request);
uint32_t
transactions_queued_flags(const struct session *session); /* all flags of all queued commands */
/* Forgets queue and watches and leaves MULTI: DISCARD, an EXEC that is refused. */
void transactions_discard(struct session *session);
/* Whether a queued command changes a big value in place that a running snapshot leases: EXEC waits for it. */
bool transactions_would_wait(const struct session *session);
/* The same, and gives the memory back: RESET, close. */
void transactions_release(struct session *session);
size_t transactions_memory(const struct session *session);
int transactions_queued(const struct session *session); /* -1 outside MULTI: the multi= field */

enum err cmd_multi(struct call *call);
enum err cmd_exec(struct call *call);
enum err cmd_discard(struct call *call);
enum err cmd_watch(struct call *call);
enum err cmd_unwatch(struct call *call);

#endif
