/* What is known of a command beside its handler: its row.
 *
 * The rows stand in src/cmd/x.def, one file per family, and are the only truth for dispatch, arity,
 * flags, ACL categories, keys, documentation, and how a command enters the journal (README.md in
 * this folder describes them). tools/commands.py turns them into constant tables, compiled once in
 * server/commands.c, the one object that knows every handler. Everything here is constant: what a
 * running server may change about names (rename-command) is a layer of the server's own,
 * server/registry.h.
 *
 * Rows are numbered: top-level commands first, by name, then the subcommands, those of one
 * container side by side. */
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

enum command_flag { /* the flags that COMMAND INFO names, in its order, and ours */
                    CMD_WRITE = 1 << 0,
                    CMD_READONLY = 1 << 1,
                    CMD_DENYOOM = 1 << 2,
                    CMD_ADMIN = 1 << 3,
                    CMD_PUBSUB = 1 << 4,
                    CMD_NOSCRIPT = 1 << 5,
                    CMD_BLOCKING = 1 << 6,
                    CMD_LOADING = 1 << 7,
                    CMD_STALE = 1 << 8,
                    CMD_SKIP_MONITOR = 1 << 9,
                    CMD_SKIP_SLOWLOG = 1 << 10,
                    CMD_ASKING = 1 << 11,
                    CMD_FAST = 1 << 12,
                    CMD_NO_AUTH = 1 << 13,
                    CMD_MAY_REPLICATE = 1 << 14, /* not shown; set where the row says MAY */
                    CMD_NO_ASYNC_LOADING = 1 << 15,
                    CMD_NO_MULTI = 1 << 16,
                    CMD_MOVABLE_KEYS = 1 << 17,
                    CMD_ALLOW_BUSY = 1 << 18,
                    CMD_TOUCHES_ARBITRARY_KEYS = 1 << 19, /* not shown */
                    CMD_NO_MANDATORY_KEYS = 1 << 20,
                    CMD_PROTECTED = 1 << 21, /* not shown. DEBUG, MODULE: enable-*-command */
                    CMD_IN_PLACE = 1 << 28,  /* ours: changes a big value in place, waits while a
                                                snapshot leases it */
                    CMD_SUBSCRIBED = 1
                                     << 29, /* ours: allowed to a RESP2 client in subscribe mode */
};

enum command_category { /* in the order of ACL CAT */
                        CATEGORY_KEYSPACE = 1 << 0,
                        CATEGORY_READ = 1 << 1,
                        CATEGORY_WRITE = 1 << 2,
                        CATEGORY_SET = 1 << 3,
                        CATEGORY_SORTEDSET = 1 << 4,
                        CATEGORY_LIST = 1 << 5,
                        CATEGORY_HASH = 1 << 6,
                        CATEGORY_STRING = 1 << 7,
                        CATEGORY_BITMAP = 1 << 8,
                        CATEGORY_HYPERLOGLOG = 1 << 9,
                        CATEGORY_GEO = 1 << 10,
                        CATEGORY_STREAM = 1 << 11,
                        CATEGORY_PUBSUB = 1 << 12,
                        CATEGORY_ADMIN = 1 << 13,
                        CATEGORY_FAST = 1 << 14,
                        CATEGORY_SLOW = 1 << 15,
                        CATEGORY_BLOCKING = 1 << 16,
                        CATEGORY_DANGEROUS = 1 << 17,
                        CATEGORY_CONNECTION = 1 << 18,
                        CATEGORY_TRANSACTION = 1 << 19,
                        CATEGORY_SCRIPTING = 1 << 20,
                        CATEGORY_COUNT = 21,
};

enum key_flag { /* what a command does with a key; in the order of COMMAND GETKEYSANDFLAGS */
                KEY_RO = 1 << 0,
                KEY_RW = 1 << 1,
                KEY_OW = 1 << 2,
                KEY_RM = 1 << 3,
                KEY_ACCESS = 1 << 4,
                KEY_UPDATE = 1 << 5,
                KEY_INSERT = 1 << 6,
                KEY_DELETE = 1 << 7,
                KEY_NOT_KEY = 1 << 8, /* a channel: routed like a key, but none */
                KEY_INCOMPLETE = 1 << 9,
                KEY_VARIABLE_FLAGS = 1 << 10,
};

/* Where keys stand among the arguments: a beginning, and from there on a way to find them. */
struct key_spec {
    const char *note; /* or NULL */
    uint16_t flags;   /* KEY_* */
    enum { KEYS_BEGIN_AT, KEYS_BEGIN_AFTER, KEYS_BEGIN_UNKNOWN } begin;
    enum { KEYS_FIND_RANGE, KEYS_FIND_KEYNUM, KEYS_FIND_UNKNOWN } find;
    int16_t index; /* AT: of the first key. AFTER: where the search begins, negative from the end
                      backwards */
    const char *keyword; /* AFTER */
    /* RANGE: last key relative to the first (negative: from the end), step, limit (n: only the
     * first 1/n of the rest). KEYNUM: index of the count and of the first key, both relative to the
     * beginning, step. */
    int16_t numbers[3];
};

enum argument_type {
    ARGUMENT_STRING,
    ARGUMENT_INTEGER,
    ARGUMENT_DOUBLE,
    ARGUMENT_KEY,
    ARGUMENT_PATTERN,
    ARGUMENT_UNIX_TIME,
    ARGUMENT_PURE_TOKEN,
    ARGUMENT_ONEOF,
    ARGUMENT_BLOCK,
};
enum {
    ARGUMENT_IS_OPTIONAL = 1 << 0,
    ARGUMENT_IS_MULTIPLE = 1 << 1,
    ARGUMENT_IS_MULTIPLE_TOKEN = 1 << 2
};
struct command_argument {
    const char *name, *token, *since, *deprecated_since; /* all but the name may be NULL */
    enum argument_type type;
    uint8_t flags;
    int8_t key_spec;                          /* index among the row's, or -1 */
    const struct command_argument *arguments; /* of ONEOF and BLOCK */
    int argument_count;
};

enum { DOCS_DEPRECATED = 1 << 0, DOCS_SYSCMD = 1 << 1 };
struct command_docs {
    const char *summary, *since, *group, *complexity;
    const char *deprecated_since, *replaced_by; /* or NULL */
    uint8_t flags;
    const struct command_history {
        const char *version, *text;
    } * history;
    int history_count;
    const struct command_argument *arguments;
    int argument_count;
};

/* Indices of the keys among argv. */
struct command_key {
    int index;
    uint32_t flags; /* KEY_* */
};
struct command;
/* Finds keys where specs cannot say it all; the contract of command_keys. */
typedef int key_finder(const struct command *command, const struct span *argv, int argc,
                       struct command_key *out, int max);

struct command {
    const char *name; /* lower case; subcommands "config|get" */
    const char *word; /* the last part of the name: "get" */
    uint8_t name_length, word_length;
    enum err (*run)(
        struct call *call); /* NULL for containers (CONFIG): the subcommand's row runs */
    int16_t arity;          /* as COMMAND INFO: negative means at least */
    uint32_t flags;
    enum replicates replicates;
    uint32_t categories;                   /* CATEGORY_* */
    int16_t first_key, last_key, key_step; /* of old: zero where there is no simple range */
    /* Arguments that are looked for among the elements of the first key's value: batches load them
     * ahead. Zero: none; a step of zero: only the first. */
    int16_t first_element, element_step;
    const struct key_spec *key_specs;
    int key_spec_count;
    key_finder *find_keys;             /* or NULL: the specs say it all */
    const struct command *subcommands; /* contiguous rows */
    int subcommand_count;
    const struct command *container; /* of a subcommand */
    const char *const *tips;
    int tip_count;
    const struct command_docs *docs;
    uint16_t id; /* index in command_table */
};

extern const struct command command_table[];
extern const int command_count;    /* top-level rows */
extern const int command_id_count; /* with subcommands: size for arrays indexed by id */

/* A perfect hash over the top-level names, see command.c. */
extern const struct command_hash {
    uint64_t seed;
    uint32_t displacement_mask, slot_mask;
    const uint16_t *displacements, *slots; /* slots: index in command_table plus one */
} command_hash;

/* By name, any case; NULL when unknown. Top level only; no allocation, one probe. */
const struct command *command_find(struct span name);
/* By the word behind the container, any case; NULL when unknown. */
const struct command *command_find_sub(const struct command *container, struct span word);
/* By full name, "get" or "config|get", any case; NULL when unknown. */
const struct command *command_find_full(struct span name);
/* The n-th row of all, subcommands included. */
static inline const struct command *command_by_id(int id)
{
    return &command_table[id];
}

/* Whether argc arguments, the name included, satisfy the arity. */
static inline bool command_takes(const struct command *command, int argc)
{
    return command->arity < 0 ? argc >= -command->arity : argc == command->arity;
}

/* Whether calls may name keys at all (channels of sharded pub/sub are none). */
bool command_has_keys(const struct command *command);

/* The keys that argv names, by the row's key specs (movable ones included); argc satisfies the
 * arity. Returns their count, or -1 where the arguments make no sense for it ("Invalid arguments
 * specified for command"). At most `max` are written to out; the count may be larger. */
int command_keys(const struct command *command, const struct span *argv, int argc,
                 struct command_key *out, int max);

/* Words of the wire for the bits, in the order in which they are shown; NULL for a bit that is not
 * shown. */
const char *command_flag_word(int bit);
const char *command_category_word(int bit); /* without '@' */
const char *key_flag_word(int bit);
/* The bit of a category, any case, or 0. */
uint32_t command_category_find(struct span word);

#endif
