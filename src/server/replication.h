/* The driver of the replication machines (repl/): sockets, journal cursors, images, loading.
 *
 *   replication.c        owns everything, carries out actions, timers
 *   replication_peers.c  our replicas: image and log into their sockets
 *   replication_room.c   what gives way where the log or a snapshot's spool cannot grow
 *   replication_link.c   the link to our primary: connecting, reading, applying, loading an image
 *   cmd_replication.c    REPLICAOF, PSYNC, SYNC, REPLCONF, ROLE, FAILOVER, REPLICATION LOG, INFO replication
 *
 * Every event is told to a machine with `replication->actions` as its list, and replication_run is called right
 * after. What carrying out an action brings about (a snapshot that has begun) is told when the list is done. */
#ifndef PANDO_SERVER_REPLICATION_H
#define PANDO_SERVER_REPLICATION_H

#include "persist/image.h"
#include "persist/loader.h"
#include "repl/apply.h"
#include "repl/role.h"
#include "server/server.h"

#define REPLICATION_IMAGES_MAX SNAPSHOTS_MAX

struct replication_image { /* a snapshot that is being made or sent for replicas */
    uint32_t snapshot;     /* the machine's number; 0: free */
    struct image *image;
    bool reported; /* primary_snapshot_done was told */
};

struct peer { /* a session that is a replica, or said REPLCONF */
    struct session *session;
    struct peer *next, *prev; /* replication->peers */
    struct spool_cursor *log; /* its place in the journal; NULL until pinned */
    uint64_t feed_upto;       /* the log may go to it up to here */
    int64_t pushed_us;        /* monotonic: when the socket last was told to send what it has */
    bool held;                /* the socket has bytes since */
    struct replication_image *image;
    struct spool_cursor *image_cursor;
    uint64_t image_sent;
};

struct link; /* replication_link.c */

struct slowdown {               /* repl-slow-writers: while server->pause.log_full */
    int64_t since_us, ended_ms; /* monotonic */
    uint64_t times, commands;   /* that began; commands that had to wait */
    uint64_t total_us;          /* of those that ended */
    bool told;                  /* the log said that it is on */
};

struct replication {
    struct server *server;
    struct repl_config config;
    struct repl_events events;
    struct primary *primary;
    struct replica *replica;
    struct role *role;
    bool started; /* the machines know the role; while files are loaded the configuration says it */
    struct apply *apply;
    struct repl_actions actions, running; /* being collected; being carried out */
    bool in_run;
    struct peer *peers;
    struct replication_image images[REPLICATION_IMAGES_MAX];
    uint32_t begun[REPLICATION_IMAGES_MAX],
        refused[REPLICATION_IMAGES_MAX]; /* to be told after the list */
    int begun_count, refused_count;
    struct link *link;
    struct timer timer, push_timer; /* the latter where a peer's bytes are held */
    uint64_t push_upto;             /* log offset: up to here somebody waits, and nothing is held */
    int64_t last_timer_ms;
    int64_t tried_again_ms; /* to write where a disk was full */
    struct slowdown slowdown;
};

struct replication *replication_new(struct server *server);
/* The machines' settings follow the configuration: at start and after CONFIG SET. */
void replication_configure(struct server *server);
void replication_start(struct server *server); /* follows the configured primary; timers */

/* Carries out what was collected. `input` is what replica_received was given, or empty. */
void replication_run(struct replication *replication, struct span input);
int64_t replication_mono_ms(const struct server *server); /* the machines' clock */

/* Before each wait: publishes the log, feeds, answers WAIT. */
void replication_before_wait(struct server *server);

/* What dispatch, sessions and persistence ask. */
bool replication_is_replica(
    const struct server *server); /* also while it loads, before replication_start */
bool replication_enough_good_replicas(struct server *server);
/* Data that may not be read: the error, or OK. */
enum err replication_stale(const struct server *server, const struct command *command);
/* Closes the links of replicas that wait for bytes which memory does not hold. */
void replication_drop_behind_memory(struct server *server);
int replication_count_acked(struct server *server, uint64_t offset);
void replication_request_acks(struct server *server);
void replication_session_closed(struct session *session);
void peers_push(void *replication); /* what sockets hold */
size_t replication_pinned_bytes(const struct session *session);
/* What waits in the output buffers of replicas; the log is not among it. */
size_t replication_output_memory(const struct server *server);
/* What a dump that was loaded at start said of the log. */
void replication_restored(struct server *server, const char *id, int64_t offset, int stream_db);
/* Writes image or log to a replica's socket; true when it waits for the socket. May close the session. */
bool replication_write(struct session *session);
/* Bytes came from a replica: newlines, too, are life signs. */
void replication_peer_bytes(struct session *session);

/* ---- between the files of the driver ----------------------------------------------------------- */
void peers_act(struct replication *replication, const struct repl_action *action, struct span text);
void peers_tell_images(
    struct replication *replication); /* progress and completion to the machine */

void room_timer(struct replication *replication, int64_t now_ms); /* ten times a second */
void room_watch(struct server *server);               /* once per turn: whether writers wait */
uint64_t room_slowed_ms(const struct server *server); /* how long they have waited in all */

struct link *link_new(struct replication *replication);
/* How far the loader of a snapshot has come, for the figures. */
void link_tell_progress(struct link *link);
void link_resume(struct link *link); /* once per turn: takes what was left, reads on */
/* The session that applies the stream, as the client that our primary is (flag M); NULL while the link is not up. */
struct session *link_session(struct server *server);
void link_kill(struct server *server); /* CLIENT KILL: the link begins anew */
void link_act(struct replication *replication, const struct repl_action *action, struct span bytes);

/* INFO replication, without the heading. */
void replication_info(struct server *server, struct buf *out);

#endif
