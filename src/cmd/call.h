/* One execution of a command: what a handler gets.
 *
 * A handler reads its arguments, looks up, checks, passes the door of the store once and replies. It returns OK after
 * exactly one reply was written, or an error, having changed nothing and written nothing: the dispatcher then writes
 * the error's text. Texts with arguments: return call_fail(call, "ERR ...").
 *
 * Arguments are spans into the session's read buffer, valid for the call. argv[0] is the command as typed; a
 * subcommand's row is run with the same argv (CONFIG GET x: argv[1] is "GET"). */
#ifndef PANDO_CMD_CALL_H
#define PANDO_CMD_CALL_H

#include "cmd/command.h"
#include "proto/reply.h"
#include "store/store.h"

struct session;          /* server/: opaque here */
struct command_registry; /* cmd/registry.h */
struct call_wait;        /* below */

enum {
    CALL_FROM_PRIMARY = 1 << 0, /* the replication link applies it: no expiry, no read-only check */
    CALL_REPLAY = 1 << 1,       /* from an AOF */
    CALL_IN_EXEC = 1 << 2,
    CALL_IN_SCRIPT = 1 << 3,
    CALL_DENY_BLOCKING = 1 << 4,
};

struct call {
    const struct command *command;
    const struct span *argv;
    int argc;
    int db;
    unsigned flags;
    int64_t now_ms;      /* of the batch: the time base of deadlines */
    struct reply *reply; /* never NULL */
    struct store *store;
    struct session *session; /* never NULL; replay and the link have one of their own */
    struct unit *unit;       /* collects effects for the journal */
    struct key
        first; /* key of argv[first_key], hashed ahead by the batch; first.name.ptr NULL: not hashed */
    const struct limits *limits;
    struct span encoded; /* the call's bytes where they are canonical RESP, else empty */
    /* Lets the session wait for keys, see below. NULL where a call may not wait: in EXEC, in a script, from the
     * primary. It then answers as if its time were over. */
    void (*wait)(struct call *call, const struct call_wait *what);
    char error[256]; /* text of ERR_TEXT */
};

/* Settings that handlers below the server need; the server keeps them current. */
struct limits {
    uint64_t bulk_bytes_max; /* proto-max-bulk-len */
    /* Of a string that the log says was allowed elsewhere: the machine's memory. */
    uint64_t obeyed_bytes_max;
    bool lazy_user_del, lazy_user_flush;
    bool compress;      /* rdbcompression: DUMP */
    bool skip_checksum; /* DEBUG SET-SKIP-CHECKSUM-VALIDATION */
    /* OBJECT REFCOUNT: Redis shares small integers unless maxmemory has an LRU or LFU policy. */
    bool shares_integers;
    int databases;
    const struct command_registry *commands; /* NULL: the table as it is, nothing renamed */
};

/* How long a string may become. The primary and the log are obeyed, but not where no machine like this could. */
static inline uint64_t call_string_bytes_max(const struct call *call)
{
    bool obeys = call->flags & (CALL_FROM_PRIMARY | CALL_REPLAY);
    return obeys ? call->limits->obeyed_bytes_max : call->limits->bulk_bytes_max;
}

/* Fails with this text. A macro around the function, so that the compiler knows that it never is OK. */
#define call_fail(call, ...) (call_set_error(call, __VA_ARGS__), ERR_TEXT)
void call_set_error(struct call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The error of a subcommand, argv[1], whose arguments make no sense. */
enum err call_bad_subcommand(struct call *call);

/* Arguments as numbers, with the command's usual errors. */
enum err call_arg_int64(struct call *call, int index, int64_t *out); /* ERR_NOT_INTEGER */
enum err call_arg_double(struct call *call, int index, double *out); /* ERR_NOT_FLOAT */
enum err call_arg_db(struct call *call, int index, int *out);
/* How long a blocking command waits, 0 for ever: in seconds with a fraction, or (XREAD, WAIT) in whole ms. */
enum err call_arg_timeout(struct call *call, int index, int64_t *out_ms);
enum err call_arg_timeout_ms(struct call *call, int index, int64_t *out_ms);
static inline bool call_arg_is(const struct call *call, int index, const char *word)
{
    return span_is(call->argv[index], word);
}

/* Keys, hashed once. */
struct key call_key(struct call *call, int index);
/* The entry of argv[index] for reading / before a write; NULL when absent. ERR_WRONG_TYPE unless type matches. */
enum err call_find(struct call *call, int index, enum value_type type, const struct entry **out);
enum err call_find_write(struct call *call, int index, enum value_type type,
                         const struct entry **out);

/* The door, with this call's db. */
void call_put_string(struct call *call, int index, struct span value, int64_t ttl,
                     struct event event);
void call_put_int64(struct call *call, int index, int64_t value, int64_t ttl, struct event event);
void call_edit_string(struct call *call, int index, size_t len, string_edit *edit, void *context,
                      struct event event);
/* A container in place: see store_edit_find. Nothing is open where they fail; call_edit_find opens nothing where
 * the key is absent, edit->entry is NULL then. So one look-up serves the check of the type and the change. */
enum err call_edit_find(struct call *call, int index, enum value_type type,
                        struct store_edit *edit);
enum err call_edit_make(struct call *call, int index, enum value_type type,
                        struct store_edit *edit);
/* The same for a handler that looked at the key before: its type was checked. It may be absent. */
void call_edit_open(struct call *call, int index, enum value_type type, struct store_edit *edit);
bool call_remove(struct call *call, int index, enum removal how, struct event event);
/* A further event of a change that has just passed the door: SET with EX says "set", then "expire". */
void call_event(struct call *call, int index, struct event event);

/* The canonical form of what this call changed (REPLICATES_EFFECT, MAY). Bytes are copied. Several calls state several
 * effects, in order. Effects in another database: set db first with call_effect_db. */
void call_effect(struct call *call, int argc, const struct span *argv);
/* The call's own arguments, as they came. */
void call_effect_verbatim(struct call *call);
void call_effect_db(struct call *call, int db, int argc, const struct span *argv);

/* ---- waiting for keys -------------------------------------------------------------------------
 * A handler that finds nothing for its call may let the session wait (BLPOP, XREAD BLOCK): it calls call->wait and
 * returns OK without a reply. When one of the keys then has something for it, the same arguments are served by a
 * function of the family. */

/* Serves a waiting call with argv[index], one of its keys that became ready. The key may hold anything, or be gone again.
 * On OK with *served true it has replied, once; an error is the reply, too. Either ends the wait. On OK with *served
 * false it has done nothing, and the call waits on. */
typedef enum err call_serve(struct call *call, int index, bool *served);

enum call_turn {
    TURN_TAKE, /* those who wait for a key take from it, in order of arrival, until there is nothing left */
    TURN_READ, /* everybody reads the same: each is asked */
    TURN_GROUP, /* as TAKE, in a queue per `group`; also asked when the key went or has another type now */
};

struct call_wait {
    enum value_type type; /* of values that can serve it */
    enum call_turn turn;
    struct span group; /* TURN_GROUP */
    int first_key,
        key_count;      /* argv[first_key] and those behind it; a key named twice counts once */
    int64_t timeout_ms; /* 0: for ever. When it is over the reply is a null array. */
    int argc;           /* what it is served with: the arguments, or a form of them (copied) */
    const struct span *argv;
    call_serve *serve;
};

#endif
