/* Simulated nodes on a simulated network, in virtual time, from a seed.
 *
 *      scenario.c   what happens: writes, cuts, restarts, role changes; then peace, and the verdict
 *         |
 *      node.c       one server: the real store, journal, images and loaders, both machines of
 *      driver.c     src/repl, and the driver that carries out their actions; its clients
 *      client.c ... (client.c), its end of connections (session.c), snapshots (image.c)
 *         |
 *      disk.c       the log in files, and what a crash leaves of them
 *         |
 *      net.c        connections: delays, pieces, cuts, silence, full buffers
 *      history.c    what must hold all along; execute.c: a handful of commands on the store
 *
 * Nothing here reads a clock or the system's randomness, so a seed replays exactly: the order of
 * events, the bytes and the verdict.
 *
 * Invariants, checked at every step (history.c, node.c)
 *   1. Bytes at an offset under a replication id are the same on every node.
 *   2. The data at the end of a unit is the same on every node that has applied up to there.
 *   3. An acknowledged offset was applied.
 *   4. A node's offset goes back only through a full sync or a restart.
 *   5. Between the EOF mark and the first ACK nothing is sent.
 *   6. A replica whose own link is down serves nobody.
 *   7. A planned failover in which nobody restarts or gets other orders loses no write.
 * and at the end: once the network is whole and the writes have stopped, all nodes come to the same
 * offset and the same data within a bounded time, each with a bounded number of full syncs. */
#ifndef PANDO_TESTS_SIM_H
#define PANDO_TESTS_SIM_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/random.h"
#include "journal/journal.h"
#include "repl/apply.h"
#include "repl/role.h"
#include "store/store.h"

/* Rules of the driver of the files (disk.h) that a test breaks one at a time. */
struct disk_mutations {
    bool feed_before_written;  /* replicas get what the file does not have yet */
    bool keep_torn_tail;       /* the file goes on behind the torn bytes */
    bool restore_wrong_offset; /* the log is said to end where the file begins */
    bool keep_loaded_id;       /* a primary goes on under the id of its files */
};

#define NODES_MAX     5
#define DATABASES     3
#define TICK_MS       5
#define UNIX_START_MS 1700000000000
#define FIRST_PORT    7000

struct sim;
struct node;

/* ---- net.c -------------------------------------------------------------------------------------- */
enum side { CLIENT, SERVER };
struct piece {
    int64_t at_ms;
    size_t len;
};
struct pipe { /* one direction */
    struct buf bytes;
    struct piece *pieces;
    size_t count, capacity;
    int64_t last_ms; /* nothing overtakes */
    bool closed;     /* the sender has closed: the end comes behind the bytes */
};
struct conn {
    uint64_t id; /* also the peer's id at the server */
    int node[2]; /* by side */
    bool open[2];
    bool established, silent; /* silent: bytes vanish, nobody is told */
    int64_t connect_at_ms;
    bool refused;
    int delay_ms;
    size_t room_max;
    struct pipe to[2]; /* by the side that receives */
};
struct net {
    struct conn **conns;
    int count, capacity;
    uint64_t ids;
    bool cut[NODES_MAX][NODES_MAX]; /* silent in both directions */
};
void net_release(struct net *net);
struct conn *net_connect(struct sim *sim, int from, int to);
void net_send(struct sim *sim, struct conn *conn, enum side from, const void *ptr, size_t len);
size_t net_room(const struct conn *conn, enum side from);
void net_close(struct conn *conn, enum side side);
void net_break(struct sim *sim, struct conn *conn); /* both ends get an error, bytes are lost */
void net_partition(struct sim *sim, int a, int b, bool cut);
void net_tick(struct sim *sim);

/* ---- history.c ---------------------------------------------------------------------------------- */
struct mark {
    uint64_t offset, digest;
};
struct history { /* all bytes ever appended under one replication id */
    char id[REPLICATION_ID_LEN + 1];
    int parent; /* index of the history that it continues, -1 none */
    int lineage; /* that its maker had before, though no log connects the two (backlog freed); -1 none */
    uint64_t from;
    struct buf bytes;
    struct mark *marks;
    size_t mark_count, mark_capacity;
};
struct histories {
    struct history *items;
    int count, capacity;
    int of_node[NODES_MAX]; /* where each stands; -1 after a start */
};
void histories_release(struct histories *histories);
/* To be called after whatever may have changed a node's id. */
void history_id_changed(struct sim *sim, struct node *node);
/* After bytes were appended: compares them with what the id is known to hold. `origin`: the node made
 * them itself, so its data is the truth from now on; else it is compared with it. */
void history_appended(struct sim *sim, struct node *node, bool origin);
/* The node's data must be what belongs to its id and offset. */
void history_check_data(struct sim *sim, struct node *node);
/* Whether the data was ever like this under `id`, at `from` or later. */
bool history_passed(const struct sim *sim, const char *id, uint64_t from, uint64_t digest);
/* Whether the history `id` holds everything that this journal does. */
bool history_continues(const struct sim *sim, const char *id, const struct journal *journal);
uint64_t store_fingerprint(const struct store *store); /* values and deadlines of all keys */

/* ---- execute.c ---------------------------------------------------------------------------------- */
/* Runs one command on the store; false (with a reason) when it is not one of ours. */
bool execute(struct store *store, int db, int argc, const struct span *argv,
             char reason[static 192]);

/* ---- node.c ------------------------------------------------------------------------------------- */
struct node_figures {
    bool up, is_replica, linked, quiet;
    uint64_t end, full_syncs, partial_syncs;
};
struct node *node_new(struct sim *sim, int index);
void node_free(struct node *node);
void node_start(struct node *node); /* from its RDB when it has one */
void node_stop(struct node *node, bool saving);
void node_save(struct node *node);
void node_tick(struct node *node);
void node_write(struct node *node);             /* a client's random command or transaction */
void node_follow(struct node *node, int other); /* -1: NO ONE */
bool node_failover(struct node *node, int other, int64_t timeout_ms, bool force);
void node_abort_failover(struct node *node);
void node_figures(const struct node *node, struct node_figures *out);
struct store *node_store(const struct node *node);
struct journal *node_journal(const struct node *node);
struct repl_config *node_config(struct node *node);
int node_index(const struct node *node);
const struct repl_events *node_events(const struct node *node);
uint64_t node_checked(const struct node *node);
void node_set_checked(struct node *node, uint64_t offset);
/* From the network. */
void node_connected(struct node *node, struct conn *conn, bool well);
bool node_accepts(const struct node *node);
size_t node_received(struct node *node, struct conn *conn, enum side side, const void *ptr,
                     size_t len);
void node_closed(struct node *node, struct conn *conn, enum side side, const char *reason);

/* ---- scenario.c --------------------------------------------------------------------------------- */
struct sim {
    uint64_t seed;
    struct random random;
    int64_t now_ms;
    int node_count;
    struct node *nodes[NODES_MAX];
    struct net net;
    struct histories histories;
    struct repl_mutations mutations;
    struct disk_mutations disk_mutations;
    bool with_disks; /* some nodes of this run keep their log in files */
    bool verbose;
    uint64_t trace;      /* a hash over all that happened: equal seeds, equal traces */
    char violation[512]; /* the first; empty: none */
    struct {
        uint64_t full, partial, failovers, restarts, writes, ceiling, promotions, torn, tails;
    } seen; /* that the runs do exercise what they are for */
};
bool sim_run(struct sim *sim, uint64_t seed); /* false: a violation */
void sim_violation(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(struct sim *sim, uint64_t a, uint64_t b, uint64_t c);
void sim_say(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool sim_chance(struct sim *sim, int percent)
{
    return random_below(&sim->random, 100) < (uint64_t)percent;
}
static inline int sim_between(struct sim *sim, int low, int high) /* both included */
{
    return low + (int)random_below(&sim->random, (uint64_t)(high - low + 1));
}

#endif
