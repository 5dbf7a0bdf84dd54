/* What the parts of a simulated node share: node.c (life and orders), client.c (its clients and the
 * stream that it applies), session.c (the server's end of connections), image.c (snapshots out and
 * in), driver.c (carrying out actions, events from the network). */
#ifndef PANDO_TESTS_SIM_NODE_STATE_H
#define PANDO_TESTS_SIM_NODE_STATE_H

#include "disk.h"
#include "sim.h"

#include "base/check.h"
#include "base/mem.h"
#include "cmd/unit.h"
#include "persist/aof_replay.h"
#include "persist/image.h"
#include "persist/loader.h"
#include "proto/request.h"

#include <inttypes.h>
#include <stdio.h>

#define SESSIONS_MAX 24
#define IMAGES_MAX   8
#define LATER_MAX    16

struct image_slot {
    uint32_t number; /* 0: free */
    struct image *image;
    bool done_told;
};

struct session { /* the server's end of a connection */
    struct conn *conn;
    struct request request;
    struct buf in, out;
    struct spool_cursor *cursor; /* on the log */
    uint64_t fed_to;
    struct image_slot *image;
    struct spool_cursor *image_cursor;
    uint64_t image_bytes;
    bool close_when_sent;
    bool mark_sent; /* and no ACK came yet */
};

struct node {
    struct sim *sim;
    int index;
    bool up;
    /* What a restart does not lose */
    int followed; /* by configuration: -1 primary */
    struct buf rdb;
    bool has_rdb;
    struct disk *disk; /* its log in files; NULL: it has none */
    uint64_t
        touched; /* restarts and orders given: a failover that it disturbs may lose something */

    struct repl_config config;
    struct repl_events events;
    struct store *store;
    struct journal *journal;
    struct unit unit;
    struct primary *primary;
    struct replica *replica;
    struct role *role;
    struct apply *apply;
    struct repl_actions actions;
    uint64_t checked;
    uint64_t held_max; /* the log's byte ceiling */

    struct session sessions[SESSIONS_MAX];
    struct image_slot images[IMAGES_MAX];
    struct { /* events to be told once the list of actions is done */
        uint32_t snapshot;
        uint64_t offset;
        bool failed;
    } later[LATER_MAX];
    int later_count;
    bool connect_failed;

    struct conn *link;
    struct buf link_in; /* not taken yet */
    struct buf image_in;
    bool loading;
    int64_t load_at_ms;
    struct loader_outcome outcome;
    bool has_outcome;

    bool paused;
    bool watch_failover; /* a planned one that nothing disturbed so far */
    int failover_target;
    uint64_t failover_touched, own_touched;
    int64_t timer_ms;
    uint64_t full_syncs, partial_syncs; /* as a replica, restarts included */
};

static inline int64_t node_now(const struct node *node)
{
    return node->sim->now_ms;
}
static inline int64_t node_unix_now(const struct node *node)
{
    return UNIX_START_MS + node_now(node) + node->index * 37;
}

/* client.c */
void node_on_effect(void *context, int db, int argc, const struct span *argv);
void node_begin_unit(struct node *node);
void node_end_unit(struct node *node);
void node_expire(struct node *node);
bool node_run_applied(void *context, int place, int db, int argc, const struct span *argv,
                      char reason[static 192]);
void node_apply(struct node *node, struct span bytes);

/* session.c */
struct session *session_of(struct node *node, uint64_t id);
struct session *session_open(struct node *node, struct conn *conn);
void session_end(struct node *node, struct session *session);
void session_pump(struct node *node, struct session *session);
void session_serve(struct node *node, struct session *session, struct span bytes);

/* image.c */
struct image_slot *images_find(struct node *node, uint32_t number);
struct image_options images_settings(const struct node *node);
void images_start(struct node *node, uint32_t number);
void images_end(struct node *node, uint32_t number);
void images_walk(struct node *node);
bool image_whole(struct node *node, struct buf *rdb); /* at once; false: too many snapshots */
void load_rdb(struct node *node, struct span rdb, struct loader_outcome *outcome);
void load_drop(struct node *node);
void load_finish(struct node *node);
void load_take(struct node *node);
void load_adopt(struct node *node, const char *id, uint64_t offset);

/* driver.c */
void node_perform(struct node *node, struct span input); /* carries out what the machines want */
void node_id_changed(struct node *node);
void node_hex(void *context, char *out, size_t len);

#endif
