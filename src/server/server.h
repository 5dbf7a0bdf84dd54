/* The server: the one struct that knows everything, and the only floor that may.
 *
 * Each concept keeps its state in a struct of its own here, and its functions in a file of that name; lower floors get
 * the struct that they own, never this one. Everything is touched by the engine thread only.
 *
 *   loop turn:  after_wait  clock once, store_set_now
 *               callbacks   accept, read -> batch -> dispatch -> store, timers (cron), link to our primary
 *               before_wait expiry and eviction slices, snapshot slices, unblocked sessions, journal_publish, feed replicas,
 *                           write replies, free closed sessions */
#ifndef PANDO_SERVER_SERVER_H
#define PANDO_SERVER_SERVER_H

#include "cmd/unit.h"
#include "ds/histogram.h"
#include "io/clock.h"
#include "io/loop.h"
#include "io/worker.h"
#include "journal/journal.h"
#include "server/config.h"
#include "server/functions.h"
#include "server/migrate_links.h"
#include "server/session.h"
#include "store/store.h"

struct command_registry; /* command names in force: rename-command (registry.h) */
struct pubsub;           /* pubsub.h */
struct replication;      /* replication.h */
struct persistence;      /* persistence.h */
struct network;          /* network.h */
struct slowlog;          /* slowlog.h */
struct latency;          /* latency.h */
struct watches;          /* transactions.h */
struct aof;              /* aof.h */
struct blocked_keys;     /* blocked_keys.h */
struct batch;            /* batch.c */
struct defrag_run;       /* defrag.h */
struct parsed;           /* dispatch.h */

struct command_stats {
    uint64_t calls, usec, rejected, failed;
    struct histogram *latency; /* NULL until the first call, or with latency-tracking off */
};

struct server_stats { /* reset by CONFIG RESETSTAT */
    uint64_t connections_received, connections_rejected;
    uint64_t commands_processed;
    uint64_t net_input_bytes, net_output_bytes, repl_input_bytes, repl_output_bytes;
    uint64_t reads_processed, writes_processed;
    uint64_t error_replies, unexpected_error_replies;
    uint64_t evicted_clients;
    uint64_t diverged_tails, diverged_bytes; /* saved before a full sync: diverged.h */
    uint64_t sync_full, sync_partial_ok, sync_partial_err;
    uint64_t dump_payload_sanitizations;
    size_t peak_memory;
    uint64_t expire_slices_cut; /* active expiry stopped at its limit with work left */
    int64_t longest_turn_us;    /* of the engine's loop, from the end of a wait to the next */
};

struct rate { /* instantaneous_*: one sample per 100 ms, mean over 16 */
    uint64_t last_count;
    int64_t last_us;
    double samples[16];
    unsigned next;
};

/* The largest of something in the last seconds. */
enum { RECENT_SECONDS = 8 };
struct recent {
    size_t max[RECENT_SECONDS]; /* a ring, one slot per second */
    unsigned slot;
};
static inline void recent_note(struct recent *recent, size_t bytes)
{
    if (bytes > recent->max[recent->slot]) recent->max[recent->slot] = bytes;
}

/* CLIENT PAUSE, FAILOVER, SHUTDOWN waiting, a full log: the strictest in force counts. */
struct pause {
    int64_t client_until_ms;
    bool client_all; /* CLIENT PAUSE ALL, else WRITE */
    bool failover, shutdown;
    bool log_full; /* repl-slow-writers: replication_room.c */
    bool behind;   /* the AOF's files are behind by more than memory holds: aof.c */
};

struct exceeded {     /* memory over maxmemory: eviction.c */
    int64_t since_us; /* 0: it is not */
    int64_t total_us; /* of times that ended */
};

struct shutdown {
    bool pending; /* waiting for replicas, or for the AOF's base */
    int64_t until_ms;
    bool save, nosave, now, force;
    bool signal; /* asked for by a signal: no session to answer */
    bool hurry;  /* a second signal came: nothing is waited for */
    bool inside; /* a transaction, where nothing can wait */
};

struct server {
    struct config *config;
    struct loop *loop;
    struct worker *file_worker;    /* spools, synchronous file work */
    struct worker *reclaim_worker; /* lazy freeing */
    struct command_registry *registry;
    struct store *store;
    struct journal *journal;
    struct spool_room *spool_room; /* what log and snapshots may take of the disk */
    struct unit unit;
    struct limits limits;

    /* sessions */
    struct session *sessions;
    size_t session_count;  /* with a socket, replicas included */
    size_t clients_memory; /* kept while maxmemory-clients is set: client_eviction.c */
    uint64_t next_session_id;
    struct session *with_output, *closed;
    struct session *to_read, *last_to_read; /* ready, to be read from together: io_threads.h */
    struct io_threads *io_threads;
    struct session *gated; /* with replies that wait for the log's files; through gate_next */
    struct session *unblocked, *last_unblocked; /* through ready_next, in order of arrival */
    struct blocked_list {                       /* through block_next/prev, in order of arrival */
        struct session *first, *last;
    } blocked[BLOCK_REASONS];
    size_t blocked_count, blocked_with_timeout;
    struct blocked_keys *blocked_keys;
    struct session *current;              /* whose command runs now; NULL between commands */
    const struct parsed *current_request; /* what it runs */
    struct session *applier; /* SESSION_PRIMARY_LINK: what runs the replication stream */
    struct batch *batch;

    struct network *network;
    struct pubsub *pubsub;
    struct watches *watches;
    struct replication *replication;
    struct persistence *persistence;
    struct aof *aof;
    struct functions functions;
    struct migrate_links migrate_links;
    struct slowlog *slowlog;
    struct latency *latency;
    size_t monitors;

    struct command_stats *command_stats; /* by command id */
    struct server_stats stats;
    struct recent recent_input, recent_output; /* buffers of sessions */
    struct rate rate_commands, rate_input, rate_output, rate_repl_input, rate_repl_output;

    struct timer cron;
    struct watch signals; /* life.c: SIGTERM and SIGINT as a descriptor */
    uint64_t cron_turns;
    int64_t now_ms;       /* wall clock of this turn */
    int64_t now_mono_us;  /* monotonic clock of this turn */
    int64_t turn_from_us; /* the end of the last wait; 0 before the first */
    struct stopwatch stopwatch;
    /* By the stopwatch, while a batch runs: where the next command's time begins, which is where the last one's ended. */
    int64_t lap_us;
    int64_t started_ms;
    char run_id[41];
    char *config_file;      /* absolute; NULL without one */
    const char *executable; /* absolute */
    int argc;
    char **argv;        /* for DEBUG RESTART and the process title */
    bool loading;       /* LOADING: the data set is being read at start */
    bool async_loading; /* a replica loads beside its data */
    int in_exec;        /* depth of EXEC: replies of WAIT etc. */
    struct pause pause;
    struct shutdown shutdown;
    int exit_code;
    struct exceeded exceeded;
    struct defrag_run *defrag;
    bool restart;        /* DEBUG RESTART: main executes the program anew */
    const char *pidfile; /* NULL: none was written */
    int oom_score_base;  /* what the process was started with */
    bool oom_score_changed;
    char *folder; /* folder.h */
    int folder_lock;
    bool active_expire; /* DEBUG SET-ACTIVE-EXPIRE */
    bool cron_paused;   /* DEBUG PAUSE-CRON */
    size_t startup_memory;
};

struct server *server_new(struct config *config, struct command_registry *registry);
void server_run(struct server *server);

/* Reads the clocks into now_ms, now_mono_us and the store. */
void server_update_clock(struct server *server);
bool server_is_replica(const struct server *server);
/* Recomputes what depends on role, pause and configuration: store policy, unit.open, limits. */
void server_update_policy(struct server *server);
bool server_writes_paused(const struct server *server);
void server_reset_stats(struct server *server);
bool server_uses_lfu(const struct server *server); /* maxmemory-policy */
bool server_uses_lru(const struct server *server);

#define REDIS_VERSION "7.0.15" /* what INFO, HELLO and RDB files say */

static inline struct server *call_server(const struct call *call)
{
    return call->session->server;
}

#endif
