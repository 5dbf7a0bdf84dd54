/* The replica's side: following a primary.
 *
 *   NONE ---- replica_follow ----> CONNECT <----------------------------------------+
 *     ^                               | replica_timer: each second, or after a      |
 *     |                               v                back-off                     |
 *     | replica_unfollow          CONNECTING    replica_connected                   | lose():
 *     | (from every state)            v                                             | any error,
 *     |                           PING_SENT     +PONG, -NOAUTH, -NOPERM             | timeout,
 *     |                               v                                             | replica_gone,
 *     |                           HANDSHAKE     AUTH, REPLCONF port, ip, capa:      | wrong bytes
 *     |                               v         replies in order                    |
 *     |                           PSYNC_SENT    "\n" is ignored                     |
 *     |                               |                                             |
 *     |        +----- +CONTINUE ------+-- +FULLRESYNC id N, or SYNC after -ERR      |
 *     |        |                                      v                             |
 *     |        |                                 WAIT_HEADER   $length, $EOF:mark   |
 *     |        |                                      v                             |
 *     |        |                                  RECEIVING    image bytes          |
 *     |        |                                      v                             |
 *     |        |                                   LOADING     "\n" each second     |
 *     |        v                                      | replica_loaded: ADOPT, ACK  |
 *     |    CONNECTED <--------------------------------+                             |
 *     |        |                                                                    |
 *     +--------+--------------------------------------------------------------------+
 *
 * Invariants
 *   1. Data, id and offset stay as they are until the loaded image is swapped in (ADOPT). A sync
 *      that fails before costs nothing: the next attempt asks with what is still there.
 *   2. ACK tells what was applied, never what was read.
 *   3. The log's own id and end are the "cached primary": nothing else remembers where to resume.
 *   4. Bytes from the other end never assert; each wrong one ends the attempt with a reason. Lines
 *      are bounded.
 *
 * Between two pando nodes: the replica says `capa pando`, an unknown capability that Redis ignores;
 * a pando primary answers that REPLCONF with "+OK pando". Then the replica acknowledges after each
 * batch (at most every 10 ms), and the primary puts one line `+ONLINE <end>` in front of the stream,
 * not part of the log: where the log ended, so that the replica knows when it has caught up.
 *
 * Before a +FULLRESYNC it may say `+FORK <offset>`: where the replica's history and its own part.
 *
 * now_ms: as in primary.h. Engine thread only. */
#ifndef PANDO_REPL_REPLICA_H
#define PANDO_REPL_REPLICA_H

#include "repl/primary.h"

#define REPLICA_LINE_BYTES_MAX 1024 /* of a reply of the handshake; Redis' are below 256 */
#define REPLICA_HOST_CHARS     256

struct replica;

/* All borrowed. `primary` is this node's own other half: its replicas are told when the history
 * changes. */
struct replica *replica_new(const struct repl_config *config, const struct journal *journal,
                            struct repl_events *events, struct primary *primary);
void replica_free(struct replica *replica);

/* ---- role: called by role.h, not by a driver --------------------------------------------- */
/* Begins to follow, from any state. `stand_in`: asks with this id instead of the journal's,
 * as long as the journal's stays what it is now (a fresh id that nobody was told is given up);
 * NULL: with the journal's. */
void replica_follow(struct replica *replica, const char *host, int port, const char *stand_in,
                    int64_t now_ms, struct repl_actions *out);
void replica_unfollow(struct replica *replica, const char *reason, int64_t now_ms,
                      struct repl_actions *out);
/* The next PSYNC carries FAILOVER; how it was answered is told once. */
enum replica_verdict { VERDICT_ACCEPTED, VERDICT_REJECTED, VERDICT_LINK_LOST };
void replica_ask_failover(struct replica *replica, bool on,
                          void (*answered)(void *context, enum replica_verdict, int64_t now_ms,
                                           struct repl_actions *out),
                          void *context);

/* ---- the link -----------------------------------------------------------------------------------
 */
void replica_connected(struct replica *replica, int64_t now_ms,
                       struct repl_actions *out); /* TCP and TLS done */
void replica_connect_failed(struct replica *replica, const char *reason, int64_t now_ms,
                            struct repl_actions *out);
/* Bytes arrived on the link. Actions with from_input speak of `bytes`. Returns how many were taken:
 * fewer than all while a whole image is being loaded (what stands behind it is the stream). Then
 * keep the rest, read no more, and offer it again when replica_wants_bytes. */
size_t replica_received(struct replica *replica, struct span bytes, int64_t now_ms,
                        struct repl_actions *out);
bool replica_wants_bytes(const struct replica *replica);
/* The link has gone. While a whole image is being loaded this costs nothing: loading goes on, and
 * the stream is asked for afterwards. Harmless when the machine closed the link itself. */
void replica_gone(struct replica *replica, const char *reason, int64_t now_ms,
                  struct repl_actions *out);

/* The stream was applied up to `offset` (journal_end after apply_feed); `getack`: it asked for an
 * ACK. */
void replica_applied(struct replica *replica, uint64_t offset, bool getack, int64_t now_ms,
                     struct repl_actions *out);
/* A command of the stream cannot be applied: the link ends, naming it. */
void replica_apply_failed(struct replica *replica, const char *reason, int64_t now_ms,
                          struct repl_actions *out);

/* The journal's id and offset came with data from a file: they are a history also where the offset is 0, as
 * at a primary that had written nothing since its log began. */
void replica_restored(struct replica *replica);

/* After IMAGE_END: the image was verified and loaded beside the old data; the swap comes with the
 * ADOPT action. */
void replica_loaded(struct replica *replica, int64_t now_ms, struct repl_actions *out);
/* In its place where the image holds no key, there is data here, and replica-refuse-emptied-primary is
 * on: a primary whose history is unknown and shorter than ours has lost its data, so the image is
 * dropped, and no further attempt is made until replica_follow. In any other case as replica_loaded. */
void replica_loaded_nothing(struct replica *replica, int64_t now_ms, struct repl_actions *out);
/* At any time between IMAGE_BEGIN and ADOPT: a torn or wrong image, no room. */
void replica_load_failed(struct replica *replica, const char *reason, int64_t now_ms,
                         struct repl_actions *out);

/* How far loading has come, in bytes of the image. */
void replica_load_progress(struct replica *replica, uint64_t bytes);

/* Ten times a second or so: connects, ACKs each second, "\n" while loading, timeouts. */
void replica_timer(struct replica *replica, int64_t now_ms, struct repl_actions *out);
/* When replica_timer has something to do at the latest (a pending fine ACK: 10 ms). INT64_MAX:
 * nothing is pending. */
int64_t replica_next_timer(const struct replica *replica);

/* ---- figures ------------------------------------------------------------------------------------
 */
enum replica_state {
    REPLICA_NONE,
    REPLICA_CONNECT,
    REPLICA_CONNECTING,
    REPLICA_PING_SENT,
    REPLICA_HANDSHAKE,
    REPLICA_PSYNC_SENT,
    REPLICA_WAIT_HEADER,
    REPLICA_RECEIVING,
    REPLICA_LOADING,
    REPLICA_CONNECTED
};
struct replica_figures {
    enum replica_state state;
    const char *role_state; /* ROLE: connect, connecting, handshake, sync, connected */
    const char *stage;      /* ours: none, connect, connecting, handshake, waiting-for-snapshot,
                               receiving, loading, online */
    const char *host;
    int port;
    bool link_up;      /* master_link_status */
    bool syncing;      /* master_sync_in_progress */
    bool ready;        /* replica_ready: linked, and caught up with where the primary's log ended at
                          link-up */
    bool ever_synced;  /* there is data that came from a primary, or was loaded */
    int64_t last_io_s; /* master_last_io_seconds_ago, -1 when down */
    /* master_link_down_since_seconds, -1 when up; since start when never up. */
    int64_t down_since_s;
    uint64_t read_offset;    /* slave_read_repl_offset */
    uint64_t applied_offset; /* slave_repl_offset */
    int64_t sync_total;      /* master_sync_total_bytes; 0 while unknown */
    uint64_t sync_read, sync_left, load_bytes;
    int64_t sync_last_io_s;
    int percent;                 /* -1 while unknown */
    int64_t bytes_per_s, eta_ms; /* eta -1 while unknown */
    bool primary_is_pando;
    bool refused;            /* master_sync_refused: replica_loaded_nothing */
    int failures_alike;      /* attempts in a row that ended for the same reason */
    int64_t next_attempt_ms; /* how long until the next connect; 0 when not waiting */
};
void replica_figures(const struct replica *replica, int64_t now_ms, struct replica_figures *out);
enum replica_state replica_state(const struct replica *replica);
/* While a full sync runs: the offset up to which the primary shares our history, UINT64_MAX where it did not
 * say. */
uint64_t replica_fork(const struct replica *replica);

struct replica_stats { /* since start */
    uint64_t attempts, full_syncs, partial_syncs;
};
struct replica_stats *replica_stats(struct replica *replica);

#endif
