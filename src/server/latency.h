/* Latency: spikes per kind of event (LATENCY LATEST, HISTORY, DOCTOR...), per-command distributions (LATENCY HISTOGRAM, INFO
 * latencystats), and error counts by code word (INFO errorstats). */
#ifndef PANDO_SERVER_LATENCY_H
#define PANDO_SERVER_LATENCY_H

#include "server/server.h"

enum latency_kind {                        /* with their names on the wire */
                    LATENCY_COMMAND,       /* "command" */
                    LATENCY_FAST_COMMAND,  /* "fast-command" */
                    LATENCY_EXPIRE_CYCLE,  /* "expire-cycle" */
                    LATENCY_EVICTION,      /* "eviction-cycle" */
                    LATENCY_AOF_WRITE,     /* "aof-write": by the writer's thread */
                    LATENCY_AOF_PENDING,   /* "aof-write-pending-fsync": writing commands waited */
                    LATENCY_AOF_FSYNC,     /* "aof-fsync-always": of any policy */
                    LATENCY_DEFRAG,        /* "active-defrag-cycle": a slice of it */
                    LATENCY_EVICTION_DEL,  /* "eviction-del": one key of it */
                    LATENCY_SNAPSHOT_WALK, /* "snapshot-walk": a slice of a running snapshot */
                    LATENCY_SLOW_WRITERS, /* "slow-writers": writing commands waited for replicas */
                    LATENCY_KINDS
};

struct latency *latency_new(void);
/* Remembers a spike where it is at least latency-monitor-threshold ms long (0: the monitor is off). */
void latency_add_event(struct server *server, enum latency_kind kind, int64_t took_ms);
/* One call of a command. */
void latency_record(struct server *server, const struct command *command, int64_t took_us);
/* An error reply: counts it under its code word. */
void latency_count_error(struct server *server, const struct reply *reply);
void latency_reset_errors(struct server *server);
/* Calls each(context, word, count) in alphabetical order. */
void latency_each_error(const struct server *server, void (*each)(void *, const char *, uint64_t),
                        void *context);

#endif
