#include "repl/events.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *sentence; /* begins the log line; the peer follows */
    enum log_level level;
    int ends_attempt; /* 1: well, -1: badly */
} kinds[REPL_EVENT_KINDS] = {
    [REPL_EVENT_LINK_UP] = {"link-up", "MASTER <-> REPLICA sync: link is up with", LOG_LEVEL_NOTICE,
                            0},
    [REPL_EVENT_LINK_DOWN] = {"link-down", "Connection with master lost:", LOG_LEVEL_WARNING, -1},
    [REPL_EVENT_CONNECT_FAILED] = {"connect-failed", "Could not begin to sync with the MASTER",
                                   LOG_LEVEL_WARNING, -1},
    [REPL_EVENT_REPLICA_UP] = {"replica-up", "Synchronization succeeded with replica",
                               LOG_LEVEL_NOTICE, 0},
    [REPL_EVENT_REPLICA_DOWN] = {"replica-down", "Connection lost with replica", LOG_LEVEL_WARNING,
                                 0},
    [REPL_EVENT_REPLICA_DROPPED] = {"replica-dropped", "Dropped replica", LOG_LEVEL_WARNING, -1},
    [REPL_EVENT_FULL_SYNC_START] = {"full-sync-start", "Full resync begins with", LOG_LEVEL_NOTICE,
                                    0},
    [REPL_EVENT_FULL_SYNC_DONE] = {"full-sync-done",
                                   "MASTER <-> REPLICA sync: Finished with success:",
                                   LOG_LEVEL_NOTICE, 1},
    [REPL_EVENT_FULL_SYNC_FAILED] = {"full-sync-failed", "Full resync failed with",
                                     LOG_LEVEL_WARNING, -1},
    [REPL_EVENT_PARTIAL_SYNC_DONE] = {"partial-sync-done",
                                      "Successful partial resynchronization with", LOG_LEVEL_NOTICE,
                                      1},
    [REPL_EVENT_PARTIAL_SYNC_REFUSED] = {"partial-sync-refused",
                                         "Partial resynchronization not possible: Replica",
                                         LOG_LEVEL_NOTICE, 0},
    [REPL_EVENT_ROLE_PRIMARY] = {"role-primary", "MASTER MODE enabled", LOG_LEVEL_NOTICE, 0},
    [REPL_EVENT_ROLE_REPLICA] = {"role-replica", "REPLICAOF: following", LOG_LEVEL_NOTICE, 0},
    [REPL_EVENT_FAILOVER_START] = {"failover-start", "FAILOVER requested to", LOG_LEVEL_NOTICE, 0},
    [REPL_EVENT_FAILOVER_DONE] = {"failover-done", "Failover complete, the master is now",
                                  LOG_LEVEL_NOTICE, 0},
    [REPL_EVENT_FAILOVER_ABORTED] = {"failover-aborted", "Failover aborted", LOG_LEVEL_WARNING, 0},
    [REPL_EVENT_BACKLOG_FREED] = {"backlog-freed", "Replication backlog freed", LOG_LEVEL_NOTICE,
                                  0},
};

void repl_events_init(struct repl_events *events)
{
    memset(events, 0, sizeof(*events));
}

static void write_log_line(const struct repl_event *event)
{
    char size[64] = "";
    if (event->bytes > 0)
        snprintf(size, sizeof(size), " (%llu bytes, %lld ms)", (unsigned long long)event->bytes,
                 (long long)event->duration_ms);
    log_line(kinds[event->kind].level, "%s%s%s%s%s%s at offset %llu", kinds[event->kind].sentence,
             event->peer[0] != '\0' ? " " : "", event->peer, event->reason[0] != '\0' ? ": " : "",
             event->reason, size, (unsigned long long)event->offset);
}

void repl_events_add(struct repl_events *events, int64_t now_ms, const struct repl_event *event)
{
    struct repl_event *slot = &events->ring[events->written++ % REPL_EVENTS_KEPT];
    *slot = *event;
    slot->unix_ms = now_ms + events->unix_minus_now;
    if (kinds[event->kind].ends_attempt < 0) {
        snprintf(events->last_sync_error, sizeof(events->last_sync_error), "%s", event->reason);
        events->last_sync_error_as_primary = event->as_primary;
    } else if (kinds[event->kind].ends_attempt > 0 &&
               events->last_sync_error_as_primary == event->as_primary) {
        events->last_sync_error[0] = '\0';
    }
    if (!events->silent) write_log_line(slot);
}

size_t repl_events_count(const struct repl_events *events)
{
    return events->written < REPL_EVENTS_KEPT ? (size_t)events->written : REPL_EVENTS_KEPT;
}

const struct repl_event *repl_events_at(const struct repl_events *events, size_t back)
{
    if (back >= repl_events_count(events)) return NULL;
    return &events->ring[(events->written - 1 - back) % REPL_EVENTS_KEPT];
}

const char *repl_event_name(enum repl_event_kind kind)
{
    return kinds[kind].name;
}
