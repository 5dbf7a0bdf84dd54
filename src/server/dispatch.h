/* From a parsed request to a reply: all checks that stand before a handler, execution, and what follows it
 * (statistics, slow log, effects to the journal). The order of the checks is Redis 7.0's. */
#ifndef PANDO_SERVER_DISPATCH_H
#define PANDO_SERVER_DISPATCH_H

#include "server/server.h"

enum { BATCH_MAX = 32 };

struct parsed { /* one request of a batch */
    const struct span *argv;
    int argc;
    const struct command *command; /* NULL: unknown */
    struct key first;    /* hashed key of argv[first_key]; name.ptr NULL where there is none */
    struct span encoded; /* the request's bytes when they are canonical RESP, else empty */
    int db;              /* where its key was looked for ahead of time */
};

enum dispatch_result {
    DISPATCH_DONE,
    DISPATCH_POSTPONED, /* not executed: the session was blocked (pause, lease) and comes back to it */
};

/* Finds the row of argv (a subcommand's where there is one). NULL when unknown. */
const struct command *dispatch_find(struct server *server, const struct span *argv, int argc);
/* Checks and executes one request of a session; afterwards the session may be blocked or closed. */
enum dispatch_result dispatch_request(struct session *session, const struct parsed *request);
/* Executes without the checks: EXEC's queue, the replication link, loading. Effects stay in server->unit until
 * dispatch_commit. */
void dispatch_call(struct session *session, const struct parsed *request, unsigned call_flags);
/* Serves a call that waits for keys, argv[index] being ready (call.h). False where it waits on. Ends the unit. */
bool dispatch_serve(struct session *session, const struct parsed *request, call_serve *serve,
                    int index);
/* What LATENCY and the slow log keep of a call; one that waited for keys is recorded when it ends. */
void dispatch_record(struct session *session, const struct parsed *request, int64_t took_us);
/* What ran since the last command is no command's time. */
void dispatch_begin_lap(struct server *server);
/* Ends a unit: its effects enter the journal. */
void dispatch_commit(struct server *server);
/* Whether a call must wait since it changes a value in place that a running snapshot leases, be it of any of its keys.
 * In the course of that the snapshot takes the lease where it has not yet. */
bool dispatch_would_wait(struct server *server, int db, const struct parsed *request);
/* Counts the error that was just replied to a command (NULL: unknown). */
void dispatch_count_error(struct session *session, const struct command *command);

/* Whether an argument is a secret, which neither the slow log nor MONITOR may show. */
bool dispatch_is_secret(const struct parsed *request, int index);

/* Consumes whole requests from `bytes` and executes them in batches. Returns the bytes consumed; stops early when the
 * session blocks or closes. */
size_t batch_consume(struct session *session, struct span bytes);
struct batch *batch_new(void);

/* The two steps ahead of execution, also for the commands of the replication stream: finds the command of the request in
 * a place (below BATCH_MAX) of the batch and hashes its first key; then, once all are prepared, loads the keys' buckets, the
 * entries, and elements of big values into the cache, and begins a lap. What is prepared lasts as long as argv. */
void batch_prepare(struct server *server, int place, int db, int argc, const struct span *argv,
                   struct span encoded);
void batch_gather(struct server *server, int count);
const struct parsed *batch_prepared(const struct server *server, int place);

#endif
