/* A session: one connected peer, from accept to close, and the few that have no socket (the replication link's
 * applier, replay).
 *
 * Bytes in. A session owns no read buffer while it is idle: the engine reads into one shared buffer and parses there;
 * only a command that is not whole yet is kept in session->in. Parsed commands of one read are handled as a batch, so
 * that keys are hashed and prefetched before the first one runs (server/batch.c).
 *
 * Bytes out. Replies are appended to session->out, which comes from a pool when the first byte is written and goes back
 * when all is sent. Sessions with output are written once per turn of the loop, before the wait (session_flush_all):
 * what was appended to the journal in the same turn is published before.
 *
 * States: normal; blocked (a key, WAIT, paused, a leased value): its commands stay unexecuted in session->in; closing
 * after the reply; replica (server/replication). A session is freed at the end of the turn in which it was closed, so
 * that pointers on the stack stay valid. Engine thread only. */
#ifndef PANDO_SERVER_SESSION_H
#define PANDO_SERVER_SESSION_H

#include "cmd/call.h"
#include "io/loop.h"
#include "io/socket.h"
#include "proto/request.h"
#include "server/gate.h"

struct server;
struct peer; /* a replica: server/replication.h */
struct multi;
struct subscriptions;
struct key_wait; /* blocked_keys.h */

enum session_flag {
    SESSION_AUTHENTICATED = 1 << 0,
    SESSION_MULTI = 1 << 1,       /* between MULTI and EXEC */
    SESSION_MULTI_DIRTY = 1 << 2, /* a command was refused while queueing: EXECABORT */
    SESSION_WATCH_DIRTY = 1 << 3, /* a watched key changed: EXEC answers null */
    SESSION_CLOSE_AFTER_REPLY = 1 << 4,
    SESSION_CLOSED = 1 << 5, /* freed at the end of the turn */
    SESSION_REPLY_OFF = 1 << 6,
    SESSION_REPLY_SKIP = 1 << 7, /* CLIENT REPLY SKIP: the reply being made is dropped */
    SESSION_REPLY_SKIP_NEXT = 1 << 8,
    SESSION_NO_EVICT = 1 << 9,
    SESSION_MONITOR = 1 << 10,
    SESSION_REPLICA = 1 << 11,      /* its peer field is set */
    SESSION_PRIMARY_LINK = 1 << 12, /* applies what our primary sends; no socket of its own */
    SESSION_UNIX = 1 << 13,
    SESSION_NO_SOCKET = 1 << 14,
    SESSION_OUT_QUEUED = 1 << 15,   /* stands in server->with_output */
    SESSION_READY_QUEUED = 1 << 16, /* stands in server->unblocked: has input to go on with */
    SESSION_LOCAL_PEER = 1 << 17,   /* loopback or Unix socket */
    SESSION_GATED = 1 << 18,        /* stands in server->gated */
    SESSION_READ_QUEUED = 1 << 19,  /* stands in server->to_read */
    SESSION_ENDED = 1 << 20,        /* its peer sends no more: closed once its replies have left */
};

/* Why a session's execution stands still. blocking.h and blocked_keys.h end it. */
enum session_block {
    BLOCK_NONE,
    BLOCK_KEYS, /* BLPOP and the like: until one of its keys has something for it */
    BLOCK_WAIT,
    BLOCK_PAUSE,
    BLOCK_LEASE,
    BLOCK_SHUTDOWN,
    BLOCK_REASONS
};

struct session {
    uint64_t id;
    struct server *server;
    struct session *next, *prev; /* server->sessions */
    struct watch watch;
    unsigned flags;
    int db;

    struct buf in;          /* what was read and not executed yet */
    struct request request; /* state of a command that is not whole yet */
    struct buf out;
    size_t out_sent;    /* bytes of out that left already */
    struct gates gates; /* what of it waits for the log's files */
    struct session *gate_next, *gate_previous;
    struct reply reply;        /* writes to out */
    int64_t out_soft_since_ms; /* when the soft output limit was passed; 0 */

    char *name;                                                       /* CLIENT SETNAME, NULL */
    char peer_name[SOCKET_NAME_CHARS], local_name[SOCKET_NAME_CHARS]; /* "ip:port" */
    int64_t created_ms, active_ms;                                    /* wall clock */
    const struct command *last_command;
    uint64_t bytes_in, bytes_out;
    size_t counted; /* in server->clients_memory */

    struct multi *multi;                 /* NULL until MULTI or WATCH */
    struct subscriptions *subscriptions; /* NULL until SUBSCRIBE */
    struct peer *peer;                   /* SESSION_REPLICA, or after REPLCONF */

    enum session_block block;
    struct session *block_next, *block_prev; /* of those who are blocked for the same reason */
    struct timer block_timer;                /* armed where the blocking has a timeout */
    bool block_has_timeout;
    bool block_muted;          /* the answer that ends it is silenced: CLIENT REPLY */
    struct key_wait *key_wait; /* BLOCK_KEYS */
    uint64_t wait_offset;      /* BLOCK_WAIT */
    int wait_replicas;
    uint64_t write_offset;      /* journal end after this session's last write: WAIT */
    struct session *queue_next; /* of the with_output or closed list */
    struct session *ready_next; /* of the unblocked list */
    struct session *read_next;  /* of the to_read list */
};

struct session *session_new(struct server *server, int fd, unsigned flags);
/* Closes now: nothing more is read, written or executed; the memory goes at the end of the turn. */
void session_close(struct session *session);
void session_close_after_reply(struct session *session);
void session_free_closed(struct server *server);

/* To be called whenever something was appended to session->out. */
void session_has_output(struct session *session);
/* Writes what can be written; called before each wait for every session with output. */
void session_flush_all(struct server *server);
/* Output limits; true when the session was closed for them. After a command they are looked at where `out` is this long:
 * less is no burden. */
#define SESSION_OUT_CHECKED_FROM (256 * 1024)
bool session_check_output_limit(struct session *session);
/* Bounds what the commands to come may write by the hard limit: struct reply, out_max. */
void session_bound_reply(struct session *session);
size_t session_memory(const struct session *session); /* tot-mem of CLIENT LIST */

/* Blocks execution of further commands, for timeout_ms at most (0: without end; blocking.c says what a timeout
 * answers). Unblocking queues the session, so that what it had sent meanwhile goes on, first come, first served. */
void session_block(struct session *session, enum session_block why, int64_t timeout_ms);
void session_unblock(struct session *session);
void session_run_unblocked(struct server *server);

/* Goes back to the state after connecting: RESET. */
void session_reset(struct session *session);

/* One line of CLIENT LIST, without newline. */
void session_describe(const struct session *session, struct buf *out);
/* "normal", "replica", "pubsub": the class of client-output-buffer-limit. */
enum session_class {
    CLASS_NORMAL,
    CLASS_REPLICA,
    CLASS_PUBSUB
}; /* in the order of enum output_class */
enum session_class session_class(const struct session *session);

#endif
