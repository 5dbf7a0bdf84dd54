/* The node's role, and its planned switch: REPLICAOF, REPLICAOF NO ONE, FAILOVER.
 *
 *                     role_follow
 *          PRIMARY ------------------> REPLICA
 *                  <------------------
 *                     role_promote (REPLICAOF NO ONE, PSYNC id off FAILOVER)
 *
 *   FAILOVER at a primary:
 *
 *   NONE -- role_failover --> WAIT_SYNC      writes stand still, GETACK; until the target (or any
 *     ^                          |           online replica) has acknowledged the log's end
 *     |                          | switch_roles, from role_timer: acknowledged, or the
 *     |   ABORT, timeout         v           timeout is over and FORCE was given
 *     +---------------------- IN_PROGRESS    we follow the target, asking "PSYNC id off FAILOVER"
 *     |                          |
 *     +--------------------------+  accepted: writes resume (and get READONLY)
 *                                   rejected, ABORT: primary again, under a new id
 *
 * Changes of role drop our replicas: they come back by a partial resync, since the log goes on.
 * Engine thread only; now_ms as in primary.h. */
#ifndef PANDO_REPL_ROLE_H
#define PANDO_REPL_ROLE_H

#include "repl/replica.h"

struct role;

struct role *role_new(const struct repl_config *config, const struct journal *journal,
                      struct repl_events *events, struct primary *primary, struct replica *replica);
void role_free(struct role *role);

bool role_is_replica(const struct role *role);

/* REPLICAOF host port, and the directive at start. False when that primary is followed already ("OK
 * Already connected to specified master"). Resets a connection in any state. */
bool role_follow(struct role *role, const char *host, int port, int64_t now_ms,
                 struct repl_actions *out);
/* REPLICAOF NO ONE, PRIMARY_PROMOTE. False when it is a primary already. */
bool role_promote(struct role *role, int64_t now_ms, struct repl_actions *out);

/* FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT ms], argv[0] the command's name. NULL: +OK; else
 * the error. */
const char *role_failover(struct role *role, int argc, const struct span *argv, int64_t now_ms,
                          struct repl_actions *out);
/* REPLICAOF is refused while a failover runs: the error text, or NULL. */
const char *role_refuses_replicaof(const struct role *role);

/* A role that is acked or lost: once per batch after the primary's and replica's events, and from
 * the timer. */
void role_timer(struct role *role, int64_t now_ms, struct repl_actions *out);

enum failover_state { FAILOVER_NONE, FAILOVER_WAIT_SYNC, FAILOVER_IN_PROGRESS };
enum failover_state role_failover_state(const struct role *role);
const char *role_failover_name(const struct role *role); /* master_failover_state */

#endif
