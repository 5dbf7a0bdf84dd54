/* The replication log: what happened between this node and its peers, and why. REPLICATION LOG
 * shows it.
 *
 * A ring of the last REPL_EVENTS_KEPT events. Each sync attempt leaves exactly one event that ends
 * it (FULL_SYNC_DONE or _FAILED, PARTIAL_SYNC_DONE or _REFUSED), with the reason; the newest
 * failure, or why our link went or we dropped a replica, is last_sync_error.
 *
 * Every event is also a line of the server's log; the texts that tools match are kept
 * (docs/COMPATIBILITY.md). */
#ifndef PANDO_REPL_EVENTS_H
#define PANDO_REPL_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPL_EVENTS_KEPT  128
#define REPL_PEER_CHARS   72 /* "[ipv6]:port" or a host name's beginning */
#define REPL_REASON_CHARS 192

enum repl_event_kind {
    REPL_EVENT_LINK_UP,         /* our link to the primary stands (handshake over, stream begins) */
    REPL_EVENT_LINK_DOWN,       /* it went; reason */
    REPL_EVENT_CONNECT_FAILED,  /* an attempt ended before any sync was asked for */
    REPL_EVENT_REPLICA_UP,      /* a replica of ours came online */
    REPL_EVENT_REPLICA_DOWN,    /* a replica of ours went; reason */
    REPL_EVENT_REPLICA_DROPPED, /* we gave it up: repl-timeout, or the log's byte ceiling; reason */
    REPL_EVENT_FULL_SYNC_START, /* reason: why no partial one */
    REPL_EVENT_FULL_SYNC_DONE,  /* bytes of the image, duration */
    REPL_EVENT_FULL_SYNC_FAILED,     /* bytes that had passed, duration, reason */
    REPL_EVENT_PARTIAL_SYNC_DONE,    /* bytes that had been missed */
    REPL_EVENT_PARTIAL_SYNC_REFUSED, /* reason */
    REPL_EVENT_ROLE_PRIMARY,
    REPL_EVENT_ROLE_REPLICA,
    REPL_EVENT_FAILOVER_START,
    REPL_EVENT_FAILOVER_DONE,
    REPL_EVENT_FAILOVER_ABORTED, /* reason */
    REPL_EVENT_BACKLOG_FREED,
    REPL_EVENT_KINDS
};

struct repl_event {
    int64_t unix_ms;
    enum repl_event_kind kind;
    bool as_primary; /* the peer is a replica of ours; else it is our primary */
    char peer[REPL_PEER_CHARS];
    char reason[REPL_REASON_CHARS]; /* empty where there is none */
    uint64_t bytes;
    uint64_t offset; /* of the log, where it stood */
    int64_t duration_ms;
};

struct repl_events {
    struct repl_event ring[REPL_EVENTS_KEPT];
    uint64_t written;       /* ever; ring[(written - 1) % REPL_EVENTS_KEPT] is the newest */
    int64_t unix_minus_now; /* Unix ms less the machines' now_ms: the server keeps it current */
    char last_sync_error[REPL_REASON_CHARS]; /* empty after a success of the same side */
    bool last_sync_error_as_primary;
    bool silent; /* no log lines: simulation, fuzzers */
};

void repl_events_init(struct repl_events *events);
/* `event`'s unix_ms is set from now_ms; writes the log line. */
void repl_events_add(struct repl_events *events, int64_t now_ms, const struct repl_event *event);
size_t repl_events_count(const struct repl_events *events); /* held */
const struct repl_event *repl_events_at(const struct repl_events *events,
                                        size_t back);   /* 0: the newest */
const char *repl_event_name(enum repl_event_kind kind); /* "full-sync-done" */

#endif
