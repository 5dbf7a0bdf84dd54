/* What the parts of the primary's machine share: primary.c, primary_sync.c, primary_stream.c,
 * primary_room.c, primary_figures.c. Besides them only the fuzzer includes this. */
#ifndef PANDO_REPL_PRIMARY_STATE_H
#define PANDO_REPL_PRIMARY_STATE_H

#include "repl/primary.h"

#define PRIMARY_SNAPSHOTS_MAX 8  /* of any content; the configuration allows fewer */
#define PRIMARY_PENALTIES_MAX 64 /* peers whose attempts ended at the byte ceiling */
#define PENALTY_FIRST_MS      1000
#define PENALTY_MAX_MS        60000
#define KEEP_ALIVE_MS         1000
#define MARK_LEN              40
#define IP_CHARS              256

/* A connection that sent REPLCONF, PSYNC or SYNC. */
struct peer {
    uint64_t id;
    char ip[IP_CHARS];           /* of the connection */
    char announced_ip[IP_CHARS]; /* empty: none */
    int port;                    /* announced, 0: none */
    bool can_eof, can_psync2, is_pando, rdb_only;
    unsigned content; /* REPL_CONTENT_*: what its image holds */

    bool is_replica; /* PSYNC or SYNC was accepted; the rest is meaningful only then */
    bool by_sync;    /* SYNC: no +FULLRESYNC, and no ACKs are expected behind a $length */
    bool by_mark;    /* the image ends with a mark, not after a length */
    enum peer_state state;
    uint32_t snapshot;     /* number, 0: none */
    bool full_sync;        /* an attempt runs: an event must end it */
    bool dropped;          /* by us, for what it failed to do */
    int64_t began_ms;      /* the attempt */
    int64_t not_before_ms; /* penalty: no snapshot for it before this */
    int64_t alive_ms;      /* any bytes from it; Redis' "ack time" */
    int64_t newline_ms;    /* last keep-alive */
    uint64_t image_offset; /* N */
    uint64_t image_sent;
    int64_t sending_ms;  /* since the payload header */
    int64_t progress_ms; /* image_sent last grew */
    uint64_t joined_at;  /* the log offset at which its stream began */
    uint64_t fed;        /* FEED was given up to here */
    uint64_t position;   /* what went into its socket, as the driver says */
    uint64_t seen;       /* position as of moved_ms */
    int64_t moved_ms;    /* position last grew, or nothing was left to be sent */
    uint64_t acked;
    int64_t ack_ms; /* measured, -1 unknown */
};

enum snapshot_state { SNAPSHOT_FREE, SNAPSHOT_REQUESTED, SNAPSHOT_RUNNING, SNAPSHOT_COMPLETE };
struct shared_snapshot {
    enum snapshot_state state;
    uint32_t number;
    unsigned content;
    uint64_t offset;
    char id[REPLICATION_ID_LEN + 1]; /* the history it belongs to */
    char mark[MARK_LEN + 1];
    uint64_t image_bytes;
    int permille;
    bool no_latecomers; /* its first bytes are gone: nobody else can begin with it */
};

struct penalty {
    char peer[IP_CHARS + 8]; /* ip:port, empty: free */
    int64_t wait_ms, until_ms;
};

struct primary {
    const struct repl_config *config;
    const struct journal *journal;
    struct repl_events *events;
    struct peer **peers; /* replicas in the order they came, among others that only sent REPLCONF */
    int peer_count, peer_capacity;
    struct shared_snapshot snapshots[PRIMARY_SNAPSHOTS_MAX];
    uint32_t snapshots_numbered;
    struct penalty penalties[PRIMARY_PENALTIES_MAX];
    uint64_t log_end; /* what may be sent */
    enum primary_upstream upstream;
    bool failing_over, paused;
    bool promoted_for_failover; /* the same PSYNC ... FAILOVER comes again after PRIMARY_PROMOTE */
    bool acks_wanted;
    int64_t ping_ms;        /* last PING, -1 none */
    int64_t no_replicas_ms; /* since when there is none, -1 unknown yet */
    char told_id[REPLICATION_ID_LEN + 1];
    struct primary_stats stats;
};

/* primary.c */
struct peer *primary_find(const struct primary *primary, uint64_t id);
/* Finds or makes the record; its ip is refreshed from the origin. */
struct peer *primary_record(struct primary *primary, const struct primary_origin *origin);
/* Forgets a peer; ends its snapshot when it was the last one there. `peer` is freed. */
void primary_forget(struct primary *primary, struct peer *peer, const char *reason, int64_t now_ms,
                    struct repl_actions *out);
/* CLOSE, then forget. `gently`: after what was sent. */
void primary_close(struct primary *primary, struct peer *peer, const char *reason, bool gently,
                   int64_t now_ms, struct repl_actions *out);
/* The same for a peer that fails us: the reason becomes last_sync_error. */
void primary_drop(struct primary *primary, struct peer *peer, const char *reason, int64_t now_ms,
                  struct repl_actions *out);
void primary_name(const struct peer *peer, char out[static REPL_PEER_CHARS]); /* ip:port */
void primary_note(struct primary *primary, const struct peer *peer, enum repl_event_kind kind,
                  uint64_t bytes, int64_t duration_ms, int64_t now_ms, const char *format, ...)
    __attribute__((format(printf, 7, 8)));

/* primary_sync.c */
/* Those whose snapshot waited for the log to be written up to its offset. */
void primary_send_held_images(struct primary *primary, struct repl_actions *out);
/* Lets waiting peers share a snapshot, or starts one, as far as delays and penalties allow. */
void primary_serve_waiting(struct primary *primary, int64_t now_ms, struct repl_actions *out);
void primary_leave_snapshot(struct primary *primary, struct peer *peer, struct repl_actions *out);
struct shared_snapshot *primary_snapshot(struct primary *primary, uint32_t number);
/* The log flows from now on, up to what there is. */
void primary_go_online(struct primary *primary, struct peer *peer, int64_t now_ms,
                       struct repl_actions *out);

/* primary_room.c */
/* The next snapshot for this peer waits 1 s, and twice as long each time, up to 60 s. */
void primary_penalize(struct primary *primary, const struct peer *peer, int64_t now_ms);
int64_t primary_penalty_ends(const struct primary *primary, const struct peer *peer); /* 0: none */
void primary_forgive(struct primary *primary, const struct peer *peer);

#endif
