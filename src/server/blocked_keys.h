/* Sessions that wait for keys: BLPOP and its relatives, XREAD BLOCK.
 *
 * A handler that found nothing calls call->wait (cmd/call.h says with what). Its arguments are copied, and the session
 * stands in a queue of each of its keys:
 *
 *     key (db, name) ── queue: lists, in turn ─────────── session 7 ── session 9
 *                    ├─ queue: streams, everybody ─────── session 8
 *                    └─ queue: streams, group "g" ─────── session 12 ── session 13
 *
 * When the door of the store reports that a value of a fitting type appeared, the key becomes ready. Ready keys are served
 * between units: after a command, after EXEC, after a script, in the order in which they became ready, and the sessions of
 * a key in the order in which they came. Serving one session is a unit of the journal; it may make further keys ready
 * (BLMOVE), which are served behind. So nobody's wait is noticed inside a transaction, and what a serving did is in the
 * journal before any reply leaves.
 *
 * Invariants
 * 1. A key is in the table while a session waits for it, a queue while it has sessions (but for the key being served).
 * 2. A queue in turn is served until one of its sessions finds nothing. So a push costs what it serves, whoever else
 *    waits; only those who all read the same (XREAD) are all asked.
 * 3. A key that is ready stands in one list: `ready`, or `leased` where serving would change a value that a running
 *    snapshot leases. Those are tried again each turn.
 *
 * Engine thread only. */
#ifndef PANDO_SERVER_BLOCKED_KEYS_H
#define PANDO_SERVER_BLOCKED_KEYS_H

#include "server/server.h"

struct blocked_keys *blocked_keys_new(const struct hash_secret *secret);

/* What handlers call as call->wait. */
void blocked_keys_wait(struct call *call, const struct call_wait *what);
/* The session's execution goes on, for whatever reason: takes it from its queues. Called by session_unblock alone. */
void blocked_keys_forget(struct session *session);
/* The session's call took that much of the engine's time, now and when it came. */
void blocked_keys_took(struct session *session, int64_t took_us);
size_t blocked_keys_memory(const struct session *session); /* 0 for one that does not wait */
size_t blocked_keys_argument_bytes(const struct session *session); /* of the arguments alone */

/* Observers of the store. Cheap when nobody waits. */
void blocked_keys_ready(struct server *server, int db, struct span key, enum value_type type);
void blocked_keys_changed(struct server *server, int db, struct span key);
void blocked_keys_replacing(struct server *server, int db, struct keyspace *to);

/* Serves all keys that are ready. Between units only. */
void blocked_keys_serve(struct server *server);
/* What became ready without a command (expiry, a swap after a load), and leased values. True while a lease is in the way:
 * call again soon. */
bool blocked_keys_before_wait(struct server *server);

#endif
