/* The primary's side of replication: who follows us, in which state, and what each gets next.
 *
 * Every node has one, a replica too (for replicas of its own). It reads the journal (ids, offsets,
 * what is held) and changes it only through actions.
 *
 *                REPLCONF ...      a record of what the connection said; no replica yet
 *                    |
 *               PSYNC / SYNC ----- refused: an error reply, the connection stays what it was
 *                 |      |
 *      can resume |      | cannot                             who makes the transition
 *                 |      v
 *                 |  WAIT_START    "\n" each second           primary_psync, primary_sync
 *                 |      |
 *                 |      | a snapshot it can share runs, or START_SNAPSHOT was answered
 *                 |      v
 *                 |  WAIT_IMAGE    was told +FULLRESYNC;      attach_peer, from primary_psync,
 *                 |      |         without EOF mark it waits  primary_snapshot_begun or
 *                 |      |         for the length, "\n"       primary_timer
 *                 |      v
 *                 |   SENDING      $EOF:mark or $length,      send_image
 *                 |      |         then the image
 *                 |      +-- $length: the stream follows at once ----+
 *                 |      v                                           | primary_image_sent
 *                 |  WAIT_ACK      the mark is sent: nothing more,   |
 *                 |      |         not even "\n", before an ACK      |
 *                 v      v                                           v
 *               ONLINE <-+-------------------------------------------+
 *                          the log, unit by unit              go_online, from primary_psync,
 *                                                             primary_replconf (ACK)
 *
 * Invariants
 *   1. From +FULLRESYNC N on, the peer's cursor pins the log from N: a full sync never starts over
 *      because the stream it needs was dropped. It ends only by the log's byte ceiling,
 *      repl-timeout, the peer itself, or a change of history.
 *   2. Behind a payload header nothing but the image, behind the mark nothing at all, goes out
 *      before the ACK.
 *   3. FEED never goes beyond what the driver said is in the log (primary_log_advanced), and never
 *      back.
 *   4. Every attempt leaves one event that ends it.
 *
 * now_ms is one clock for all calls: monotonic, the same that journal_set_now gets. Engine thread
 * only. */
#ifndef PANDO_REPL_PRIMARY_H
#define PANDO_REPL_PRIMARY_H

#include "base/span.h"
#include "journal/journal.h"
#include "repl/actions.h"
#include "repl/config.h"
#include "repl/events.h"

#define REPL_ERROR_CHARS 192

struct primary;

/* All three are borrowed and outlive it. */
struct primary *primary_new(const struct repl_config *config, const struct journal *journal,
                            struct repl_events *events);
void primary_free(struct primary *primary);

/* ---- commands of peers --------------------------------------------------------------------------
 */
/* Where a connection comes from, for INFO and the log: told with each of the three commands below.
 */
struct primary_origin {
    uint64_t id;    /* the driver's, unique for life, > 0 */
    const char *ip; /* numeric, of the connection */
    bool loading;   /* we are loading at start: not ready for PSYNC (the dispatcher answers -LOADING
                       itself) */
    bool pending_output; /* replies of before are still unsent: PSYNC and SYNC are refused */
};

enum primary_answer {
    PRIMARY_OK,      /* +OK */
    PRIMARY_TEXT,    /* `text` is a status reply other than OK, without '+' */
    PRIMARY_SILENT,  /* no reply */
    PRIMARY_REFUSED, /* `text` is the error, without '-' */
    PRIMARY_TAKEN, /* the connection is a replica now: its replies are in the actions, and from now
                    * on every byte for it comes from actions */
    PRIMARY_PROMOTE, /* PSYNC ... FAILOVER came from our primary: become primary
                        (replication_promote), then call again */
};
/* REPLCONF option value ...; ACK, GETACK too. argv[0] is the command's name. */
enum primary_answer primary_replconf(struct primary *primary, const struct primary_origin *origin,
                                     int argc, const struct span *argv, int64_t now_ms,
                                     char text[static REPL_ERROR_CHARS], struct repl_actions *out);
/* PSYNC id offset [FAILOVER] */
enum primary_answer primary_psync(struct primary *primary, const struct primary_origin *origin,
                                  int argc, const struct span *argv, int64_t now_ms,
                                  char text[static REPL_ERROR_CHARS], struct repl_actions *out);
/* SYNC */
enum primary_answer primary_sync(struct primary *primary, const struct primary_origin *origin,
                                 int64_t now_ms, char text[static REPL_ERROR_CHARS],
                                 struct repl_actions *out);

/* Any bytes came from the peer, bare newlines included: it lives. */
void primary_peer_alive(struct primary *primary, uint64_t id, int64_t now_ms);
/* The connection has gone (not: after REPL_CLOSE, where it is harmless). Ids that never spoke are
 * ignored. */
void primary_peer_gone(struct primary *primary, uint64_t id, const char *reason, int64_t now_ms,
                       struct repl_actions *out);

/* ---- what the driver tells ----------------------------------------------------------------------
 */
/* The log may be sent up to `end` (published and, with AOF on, written): once per batch. */
void primary_log_advanced(struct primary *primary, uint64_t end, struct repl_actions *out);
/* Where the peer's cursor stands: what went into its socket. For figures and the choice at the byte
 * ceiling. */
void primary_fed(struct primary *primary, uint64_t id, uint64_t position);

/* Answers to REPL_START_SNAPSHOT. `offset` is the log's end at which it was taken; the log needs a
 * SELECT next. */
void primary_snapshot_begun(struct primary *primary, uint32_t snapshot, uint64_t offset,
                            int64_t now_ms, struct repl_actions *out);
/* It could not begin, or broke (sink failed, no room): everyone attached to it is dropped with the
 * reason, and where it had begun waits before the next one. */
void primary_snapshot_failed(struct primary *primary, uint32_t snapshot, const char *reason,
                             int64_t now_ms, struct repl_actions *out);
/* Its spool cannot grow, so the image is made at the pace of the slowest reader from now on, and its
 * first bytes will be gone: nobody joins it any more, whoever needs it whole before the first byte
 * is dropped, and of several readers the slowest. Told again while it lasts. */
void primary_snapshot_short_of_room(struct primary *primary, uint32_t snapshot, int64_t now_ms,
                                    struct repl_actions *out);
/* How far making it has come: bytes of image so far, and which share of the whole that is (1000:
 * all). */
void primary_snapshot_progress(struct primary *primary, uint32_t snapshot, uint64_t image_bytes,
                               int permille);
/* The image is complete and `image_bytes` long. */
void primary_snapshot_done(struct primary *primary, uint32_t snapshot, uint64_t image_bytes,
                           int64_t now_ms, struct repl_actions *out);
/* `bytes` of the image have been written to the peer's socket so far / all of them. */
void primary_image_progress(struct primary *primary, uint64_t id, uint64_t bytes, int64_t now_ms);
void primary_image_sent(struct primary *primary, uint64_t id, int64_t now_ms,
                        struct repl_actions *out);

/* The log cannot grow. Drops the peer that pins the oldest offset, a syncing one
 * before an online one at the same offset; that peer's next full sync waits 1 s, doubling to 60 s.
 * False when nobody pins anything. */
bool primary_byte_ceiling(struct primary *primary, int64_t now_ms, struct repl_actions *out);

/* Ten times a second or so, between units: delays, keep-alives, PING, timeouts, backlog ttl. */
void primary_timer(struct primary *primary, int64_t now_ms, struct repl_actions *out);
/* Once per batch, between units, after the batch's commands: GETACK when somebody waits for one. */
void primary_flush(struct primary *primary, struct repl_actions *out);

/* ---- WAIT, min-replicas, SHUTDOWN ---------------------------------------------------------------
 */
int primary_acked(const struct primary *primary,
                  uint64_t offset);              /* replicas that acknowledged up to there */
void primary_want_acks(struct primary *primary); /* WAIT: ask all with the next primary_flush */
int primary_good_replicas(const struct primary *primary, int64_t now_ms);
/* Online replicas, and how many of them have acknowledged the log's end: SHUTDOWN waits for the
 * rest. */
int primary_replicas_online(const struct primary *primary);
int primary_replicas_caught_up(const struct primary *primary);

/* ---- for the other machines ---------------------------------------------------------------------
 */
enum primary_upstream { UPSTREAM_NONE, UPSTREAM_DOWN, UPSTREAM_UP }; /* NONE: we are the primary */
void primary_set_upstream(struct primary *primary, enum primary_upstream upstream, int64_t now_ms);
void primary_set_failing_over(struct primary *primary, bool failing_over, bool paused);
/* History changed: every replica has to ask again. */
void primary_drop_all(struct primary *primary, const char *reason, int64_t now_ms,
                      struct repl_actions *out);
/* Whether any replica was ever told the journal's current id. */
bool primary_id_was_told(const struct primary *primary);

/* ---- figures ------------------------------------------------------------------------------------
 */
enum peer_state { PEER_WAIT_START, PEER_WAIT_IMAGE, PEER_SENDING, PEER_WAIT_ACK, PEER_ONLINE };
struct peer_figures {
    uint64_t id;
    const char *ip; /* announced, else of the connection */
    int port;       /* announced listening port, 0 when none was given */
    enum peer_state state;
    const char *state_name; /* Redis': wait_bgsave, send_bulk, online */
    const char
        *stage; /* ours: waiting-for-snapshot, waiting-for-image, sending-image, loading, online */
    uint64_t ack_offset; /* slaveN offset= */
    int64_t lag_s;       /* slaveN lag=: seconds since the last ACK; 0 before online */
    uint64_t lag_bytes;  /* log end less acknowledged */
    int64_t lag_ms; /* from the append of a write to its ACK: of the newest acknowledged one, or,
                          * where that is more, the age of the oldest that is not */
    int64_t ack_ms; /* append of the newest acknowledged byte until its ACK came, as last measured;
                       -1 unknown */
    bool lag_fine; /* the peer acknowledges after each batch (pando): lag_ms is exact to about 10 ms
                    */
    uint64_t sent_offset; /* log bytes written to its socket */
    /* While syncing */
    uint64_t image_offset;            /* N */
    uint64_t image_sent, image_total; /* total 0 while unknown */
    int percent;                      /* -1 while unknown */
    int64_t bytes_per_s, eta_ms;      /* eta -1 while unknown */
    int64_t sync_ms;                  /* since the attempt began */
    bool rdb_only;
};
int primary_peers(const struct primary *primary); /* replicas only: connected_slaves */
/* The n-th, oldest first. Texts live until the next call that may change the peer. */
void primary_peer(const struct primary *primary, int n, int64_t now_ms, struct peer_figures *out);

struct primary_stats { /* INFO stats; since start or RESETSTAT */
    uint64_t sync_full, sync_partial_ok, sync_partial_err;
    uint64_t ceiling_drops, timeout_drops, snapshots_started, snapshots_shared;
};
struct primary_stats *primary_stats(struct primary *primary);

#endif
