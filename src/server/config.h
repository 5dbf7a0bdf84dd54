/* Configuration: every directive of Redis 7.0 with its type, bounds, default and flags, and pando's
 * own.
 *
 * config.def is the table: one row per directive, from which come the field of struct config, the
 * entry that CONFIG GET, SET and REWRITE work on, and the list of directives that are kept without
 * having an effect. Whoever needs a setting reads the field: `config->repl_timeout`. Whoever must
 * act when one changes registers a hook.
 *
 * Order at start: config_new() gives the defaults, config_load() reads the file, standard input and
 * the command line into it, each overriding what came before (`save` adds up). At run time
 * config_set() changes several directives at once: all of them, or none when a value is wrong or a
 * hook refuses. config_rewrite() writes what differs from the file back into it.
 *
 * The server owns one struct config; all of this runs on the engine's thread. Strings of struct
 * config belong to it and live until the directive changes: who needs one longer copies it. Strings
 * are never NULL; an unset one is "".
 *
 * Invariants
 *   1. A failed config_set leaves every field, and everything that hooks did, as it was.
 *   2. Integers lie within the bounds of their row; enumerations hold one of their row's values.
 *   3. Immutable directives change only in config_load. */
#ifndef PANDO_SERVER_CONFIG_H
#define PANDO_SERVER_CONFIG_H

#include "base/buf.h"
#include "base/span.h"
#include <stdint.h>

struct command_registry;
struct directive; /* config_kind.h */

/* --- types of fields that are no plain number, string or word --------------------------------- */

#define CONFIG_BIND_MAX 16
struct bind_addresses {
    char *names[CONFIG_BIND_MAX]; /* as written: "127.0.0.1", "-::1" (may be missing), "*" */
    int count;                    /* 0: listen nowhere */
};

enum output_class { OUTPUT_NORMAL, OUTPUT_REPLICA, OUTPUT_PUBSUB, OUTPUT_CLASSES };
struct output_limits {
    struct output_limit {
        uint64_t hard_bytes, soft_bytes; /* 0: no limit */
        int64_t soft_seconds;
    } of[OUTPUT_CLASSES];
};

struct save_points {
    struct save_point {
        int64_t seconds, changes;
    } * points;
    int count;
};

struct primary_address {
    char *host; /* "" when this node is a primary */
    int port;
};

struct oom_score_values {
    int of[3]; /* primary, replica, background child */
};

struct percentiles {
    double *of;
    int count;
};

/* --- words -------------------------------------------------------------------------------------
 */

enum config_supervised { SUPERVISED_NONE, SUPERVISED_AUTO, SUPERVISED_SYSTEMD, SUPERVISED_UPSTART };
enum config_protected {
    PROTECTED_NO,
    PROTECTED_YES,
    PROTECTED_LOCAL
}; /* enable-*-command, -protected-configs */
enum config_oom_score_adj { OOM_SCORE_NO, OOM_SCORE_RELATIVE, OOM_SCORE_ABSOLUTE };
enum config_sanitize { SANITIZE_NO, SANITIZE_YES, SANITIZE_CLIENTS };
enum config_appendfsync { APPENDFSYNC_NO, APPENDFSYNC_ALWAYS, APPENDFSYNC_EVERYSEC };
enum config_diskless_load {
    DISKLESS_LOAD_DISABLED,
    DISKLESS_LOAD_ON_EMPTY_DB,
    DISKLESS_LOAD_SWAPDB
};
enum config_propagation_error {
    PROPAGATION_IGNORE,
    PROPAGATION_PANIC,
    PROPAGATION_PANIC_ON_REPLICAS
};
enum config_acl_pubsub { ACL_PUBSUB_ALL_CHANNELS, ACL_PUBSUB_RESET_CHANNELS };
enum config_endpoint { ENDPOINT_IP, ENDPOINT_HOSTNAME, ENDPOINT_UNKNOWN };
enum config_tls_auth { TLS_AUTH_NO, TLS_AUTH_YES, TLS_AUTH_OPTIONAL };
enum config_maxmemory_policy {
    POLICY_VOLATILE_LRU,
    POLICY_VOLATILE_LFU,
    POLICY_VOLATILE_RANDOM,
    POLICY_VOLATILE_TTL,
    POLICY_ALLKEYS_LRU,
    POLICY_ALLKEYS_LFU,
    POLICY_ALLKEYS_RANDOM,
    POLICY_NO_EVICTION,
};
enum config_shutdown { /* bits */
                       SHUTDOWN_DEFAULT = 0,
                       SHUTDOWN_SAVE = 1 << 0,
                       SHUTDOWN_NOSAVE = 1 << 1,
                       SHUTDOWN_NOW = 1 << 2,
                       SHUTDOWN_FORCE = 1 << 3,
};
/* loglevel holds an enum log_level, syslog-facility a LOG_x of syslog.h, notify-keyspace-events
 * EVENT_* bits of store/store.h. maxmemory-clients is in bytes, or minus a percentage of maxmemory.
 */

/* --- the settings ------------------------------------------------------------------------------
 */

struct config {
#define BOOL(field, ...)          bool field;
#define INTEGER(field, ...)       int64_t field;
#define UNSIGNED(field, ...)      uint64_t field;
#define STRING(field, ...)        char *field;
#define ENUM(field, ...)          int field;
#define BITS(field, ...)          int field;
#define SPECIAL(type, field, ...) type field;
#include "server/config.def"
#undef BOOL
#undef INTEGER
#undef UNSIGNED
#undef STRING
#undef ENUM
#undef BITS
#undef SPECIAL

    char *file; /* absolute path of the configuration file, or "" */
    /* Lines that only files have, as they were split: the rules of users, modules to load, both
     * kept for REWRITE. */
    struct config_lines {
        char **lines;
        int count;
    } users, modules;

    struct config_private *private; /* config.c */
};

/* --- life and start ----------------------------------------------------------------------------
 */

struct config *config_new(void); /* the defaults */
void config_free(struct config *config);

enum config_result {
    CONFIG_OK,
    CONFIG_BAD,        /* the text is a block of lines for stderr, exit 1 */
    CONFIG_UNREADABLE, /* the text is one line for the log, exit 1 */
};
enum {
    CONFIG_LOAD_DRY = 1 << 0, /* nothing outside struct config changes: `dir` is not entered */
    CONFIG_LOAD_NO_INCLUDES = 1 << 1, /* `include` reads nothing */
};
/* Reads what the command line says: [FILE] [--directive value ...] [-]. argv[0] is skipped; words that end the program
 * at once (--version, --help) are the caller's. `rename-command` lines go to `commands` (NULL: checked only). */
enum config_result config_load(struct config *config, int argc, char *const *argv,
                               struct command_registry *commands, unsigned how, struct buf *error);
/* The same for one text. */
enum config_result config_load_text(struct config *config, struct span text,
                                    struct command_registry *commands, unsigned how,
                                    struct buf *error);

/* --- reading -----------------------------------------------------------------------------------
 */

/* By name or alias, any case; NULL when unknown. */
const struct directive *config_find(struct span name);
/* Appends the value as CONFIG GET shows it. */
void config_show(const struct config *config, const struct directive *directive, struct buf *out);
/* Calls `each` for every name that a pattern of CONFIG GET chooses, each name once, in alphabetical
 * order: a pattern without wildcards names one directive, hidden ones too, and is given back as it
 * was written. */
typedef void config_each(void *context, struct span name, const struct directive *directive);
void config_match(const struct span *patterns, int count, config_each *each, void *context);
/* Whether CONFIG SET of this name must not be logged (SLOWLOG, MONITOR) with its value. */
bool config_is_sensitive(struct span name);
/* Names, separated by blanks, of the directives that differ from their default and have no effect;
 * nothing appended when there is none. */
void config_without_effect(const struct config *config, struct buf *out);

/* --- changing ----------------------------------------------------------------------------------
 */

/* Acts on a change: the fields already hold the new values. Refuses with false and a reason (static
 * text, or kept by the context until the next call); then the fields get their old values back, and
 * the hooks that had already run are called again to act on those (that time their answer does not
 * matter). A hook registered for several directives with the same context runs once. */
typedef bool config_hook(void *context, const char **why);
void config_on_change(struct config *config, const char *name, config_hook *hook, void *context);

struct config_caller {
    /* enable-protected-configs allows this caller to set protected directives. */
    bool may_protected;
    bool loading; /* a data set is being loaded: some directives must wait */
};
/* argv: name value [name value ...]. False with the text of the error reply. */
bool config_set(struct config *config, const struct span *argv, int argc,
                struct config_caller caller, char error[static 512]);

/* What REPLICAOF does to the configuration: host "" makes a primary of it. */
void config_set_primary(struct config *config, struct span host, int port);

/* Writes the configuration into its file: lines whose directive is unchanged stay as they are,
 * changed ones are written in place, new ones go to the end behind a comment that says so. Atomic
 * (a temporary file beside it, fsync, rename), the mode is kept. `force_all`: defaults are written
 * too. False with the text of the error reply. */
bool config_rewrite(const struct config *config, bool force_all, char error[static 512]);

#endif
