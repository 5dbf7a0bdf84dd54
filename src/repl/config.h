/* Settings of replication, as the server's configuration says them now. Owned and kept current by
 * the server (or a test); the machines read it at each use. Times are milliseconds. */
#ifndef PANDO_REPL_CONFIG_H
#define PANDO_REPL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rules that a test breaks one at a time, to see that the simulation finds out. All zero in a
 * server. */
struct repl_mutations {
    bool ack_what_was_read;       /* the replica acknowledges bytes it has not applied */
    bool ignore_second_offset;    /* the primary accepts replid2 beyond second_repl_offset */
    bool stream_before_first_ack; /* log bytes follow the EOF mark at once */
    bool promote_without_new_id;  /* REPLICAOF NO ONE keeps the replication id */
    bool keep_replicas_on_adopt;  /* sub-replicas are not dropped when the history changes */
    bool attach_at_log_end; /* a late replica is told the log's end instead of the snapshot's offset
                             */
    bool continue_while_link_down; /* PSYNC is served though our own link is down and a full sync
                                      may come */
    bool adopt_at_begin;   /* id and offset are taken at +FULLRESYNC instead of at the swap */
    bool image_before_log; /* a snapshot is sent though our own file does not reach its offset */
    bool feed_unpinned; /* a waiting replica does not hold the log from its snapshot's offset on */
    bool keep_partial_unit;    /* what was read but not applied survives the link */
    bool resume_without_pause; /* a failover switches roles without stopping the writes first */
};

struct repl_config {
    int64_t timeout_ms;        /* repl-timeout, default 60 s */
    int64_t ping_period_ms;    /* repl-ping-replica-period, 10 s */
    bool diskless;             /* repl-diskless-sync */
    int64_t diskless_delay_ms; /* repl-diskless-sync-delay, 5 s */
    int diskless_max_replicas; /* repl-diskless-sync-max-replicas, 0: none */
    int64_t backlog_ttl_ms;    /* repl-backlog-ttl, 1 h; 0: never freed */
    bool log_needed;           /* something else reads the log (AOF): it is never deactivated */
    int64_t min_replicas_max_lag_ms; /* min-replicas-max-lag, 10 s */
    /* As a replica */
    const char *user, *password; /* masteruser, masterauth; NULL or "" when unset */
    int listening_port;          /* what to announce: replica-announce-port, else (tls-)port */
    const char *announce_ip;     /* replica-announce-ip; NULL or "" when unset */
    int snapshots_max;           /* at the same time; SNAPSHOTS_MAX, lower in tests */
    /* Digits for EOF marks and made-up ids; NULL: random_hex. */
    void (*hex)(void *context, char *out, size_t len);
    void *hex_context;
    struct repl_mutations mutations;
};

void repl_config_defaults(struct repl_config *config);

#endif
