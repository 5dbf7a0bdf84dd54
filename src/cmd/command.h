/* What is known of a command beside its handler: the row in commands.def, and from there dispatch, COMMAND, ACL,
 * routing of keys, and how it enters the journal. */
#ifndef PANDO_CMD_COMMAND_H
#define PANDO_CMD_COMMAND_H

#include "base/err.h"
#include "base/span.h"
#include <stdint.h>

struct call;

/* How a call that changed something is written to the journal. */
enum replicates {
    REPLICATES_NONE,     /* never: nothing but expiry changes; the dispatcher asserts it */
    REPLICATES_VERBATIM, /* its arguments as they came, when it changed something */
    REPLICATES_EFFECT,   /* what the handler states with call_effect, nothing else */
    REPLICATES_MAY,      /* as EFFECT, but writes are not its nature: PFCOUNT, PUBLISH, EVAL */
};

enum command_flag { /* the flags that COMMAND INFO names, and ours */
    CMD_WRITE = 1 << 0, CMD_READONLY = 1 << 1, CMD_DENYOOM = 1 << 2, CMD_ADMIN = 1 << 3, CMD_PUBSUB = 1 << 4,
    CMD_NOSCRIPT = 1 << 5, CMD_BLOCKING = 1 << 6, CMD_LOADING = 1 << 7, CMD_STALE = 1 << 8, CMD_SKIP_MONITOR = 1 << 9,
    CMD_SKIP_SLOWLOG = 1 << 10, CMD_ASKING = 1 << 11, CMD_FAST = 1 << 12, CMD_NO_AUTH = 1 << 13,
    CMD_MAY_REPLICATE = 1 << 14, CMD_NO_ASYNC_LOADING = 1 << 15, CMD_NO_MULTI = 1 << 16, CMD_MOVABLE_KEYS = 1 << 17,
    CMD_ALLOW_BUSY = 1 << 18, CMD_TOUCHES_ARBITRARY_KEYS = 1 << 19, CMD_NO_MANDATORY_KEYS = 1 << 20,
    CMD_PROTECTED = 1 << 21, /* DEBUG, MODULE: enable-*-command */
    /* Ours, not shown: */
    CMD_IN_PLACE = 1 << 28,  /* changes a big value in place: waits while a snapshot leases it */
    CMD_SUBSCRIBED = 1 << 29, /* allowed to a RESP2 client in subscribe mode */
};

struct key_spec; /* as COMMAND DOCS shows them: commands.h, generated */

struct command {
    const char *name;      /* lower case; subcommands "config|get" */
    const char *full_name; /* equal to name; kept for statistics and errors */
    enum err (*run)(struct call *call); /* NULL for containers (CONFIG): the subcommand's row runs */
    int arity;             /* as COMMAND INFO: negative means at least */
    uint32_t flags;
    enum replicates replicates;
    uint32_t categories;   /* ACL categories, a bit each in the order of ACL CAT's table */
    int16_t first_key, last_key, key_step;
    const struct key_spec *key_specs;
    int key_spec_count;
    const struct command *subcommands; /* contiguous rows */
    int subcommand_count;
    const struct command *container;
    const struct command_docs *docs;
    uint16_t id;           /* dense: index for statistics, subcommands included */
};

extern const struct command command_table[];
extern const int command_count;      /* top-level rows */
extern const int command_id_count;   /* with subcommands: size for arrays indexed by id */

/* By name, any case; NULL when unknown. Top level only: a perfect hash, no allocation. */
const struct command *command_find(struct span name);
const struct command *command_find_sub(const struct command *container, struct span name);
/* The n-th row of all, subcommands included, by id. */
const struct command *command_by_id(int id);

/* Indices of the keys among argv, by the row's key specs (movable ones included). Returns the count, or -1 where
 * the arguments make no sense for it ("Invalid arguments specified for command"). At most `max` are written. */
struct command_key { int index; uint32_t flags; /* KEY_* bits of COMMAND GETKEYSANDFLAGS */ };
int command_keys(const struct command *command, const struct span *argv, int argc, struct command_key *out, int max);

#endif
