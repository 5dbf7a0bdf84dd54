/* The directives as a table, and by name. */
#include "base/log.h"
#include "server/config_kind.h"
#include <limits.h>
#include <syslog.h>

static const struct config_word supervised_words[] = {
    {"upstart", SUPERVISED_UPSTART},
    {"systemd", SUPERVISED_SYSTEMD},
    {"auto", SUPERVISED_AUTO},
    {"no", SUPERVISED_NONE},
    {NULL, 0},
};
static const struct config_word log_level_words[] = {
    {"debug", LOG_LEVEL_DEBUG},
    {"verbose", LOG_LEVEL_VERBOSE},
    {"notice", LOG_LEVEL_NOTICE},
    {"warning", LOG_LEVEL_WARNING},
    {NULL, 0},
};
static const struct config_word syslog_facility_words[] = {
    {"user", LOG_USER},     {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},
    {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},
    {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7}, {NULL, 0},
};
static const struct config_word shutdown_words[] = {
    {"default", SHUTDOWN_DEFAULT}, {"save", SHUTDOWN_SAVE},   {"nosave", SHUTDOWN_NOSAVE},
    {"now", SHUTDOWN_NOW},         {"force", SHUTDOWN_FORCE}, {NULL, 0},
};
static const struct config_word protected_words[] = {
    {"no", PROTECTED_NO},
    {"yes", PROTECTED_YES},
    {"local", PROTECTED_LOCAL},
    {NULL, 0},
};
static const struct config_word oom_score_adj_words[] = {
    {"no", OOM_SCORE_NO},
    {"yes", OOM_SCORE_RELATIVE},
    {"relative", OOM_SCORE_RELATIVE},
    {"absolute", OOM_SCORE_ABSOLUTE},
    {NULL, 0},
};
static const struct config_word acl_pubsub_words[] = {
    {"allchannels", ACL_PUBSUB_ALL_CHANNELS},
    {"resetchannels", ACL_PUBSUB_RESET_CHANNELS},
    {NULL, 0},
};
static const struct config_word sanitize_words[] = {
    {"no", SANITIZE_NO},
    {"yes", SANITIZE_YES},
    {"clients", SANITIZE_CLIENTS},
    {NULL, 0},
};
static const struct config_word appendfsync_words[] = {
    {"everysec", APPENDFSYNC_EVERYSEC},
    {"always", APPENDFSYNC_ALWAYS},
    {"no", APPENDFSYNC_NO},
    {NULL, 0},
};
static const struct config_word diskless_load_words[] = {
    {"disabled", DISKLESS_LOAD_DISABLED},
    {"on-empty-db", DISKLESS_LOAD_ON_EMPTY_DB},
    {"swapdb", DISKLESS_LOAD_SWAPDB},
    {NULL, 0},
};
static const struct config_word propagation_error_words[] = {
    {"ignore", PROPAGATION_IGNORE},
    {"panic", PROPAGATION_PANIC},
    {"panic-on-replicas", PROPAGATION_PANIC_ON_REPLICAS},
    {NULL, 0},
};
static const struct config_word maxmemory_policy_words[] = {
    {"volatile-lru", POLICY_VOLATILE_LRU},
    {"volatile-lfu", POLICY_VOLATILE_LFU},
    {"volatile-random", POLICY_VOLATILE_RANDOM},
    {"volatile-ttl", POLICY_VOLATILE_TTL},
    {"allkeys-lru", POLICY_ALLKEYS_LRU},
    {"allkeys-lfu", POLICY_ALLKEYS_LFU},
    {"allkeys-random", POLICY_ALLKEYS_RANDOM},
    {"noeviction", POLICY_NO_EVICTION},
    {NULL, 0},
};
static const struct config_word endpoint_words[] = {
    {"ip", ENDPOINT_IP},
    {"hostname", ENDPOINT_HOSTNAME},
    {"unknown-endpoint", ENDPOINT_UNKNOWN},
    {NULL, 0},
};
static const struct config_word tls_auth_words[] = {
    {"no", TLS_AUTH_NO},
    {"yes", TLS_AUTH_YES},
    {"optional", TLS_AUTH_OPTIONAL},
    {NULL, 0},
};

/* The flags of config.def without their prefix. */
enum {
    IMMUTABLE = DIRECTIVE_IMMUTABLE,
    PROTECTED = DIRECTIVE_PROTECTED,
    SENSITIVE = DIRECTIVE_SENSITIVE,
    HIDDEN = DIRECTIVE_HIDDEN,
    MULTI = DIRECTIVE_MULTI,
    MEMORY = DIRECTIVE_MEMORY,
    PERCENT = DIRECTIVE_PERCENT,
    OCTAL = DIRECTIVE_OCTAL,
    NOT_LOADING = DIRECTIVE_NOT_LOADING,
    INERT = DIRECTIVE_INERT,
};

const struct directive config_directives[] = {
#define ROW(field_, name_, alias_, kind_, flags_, ...)                                             \
    {.name = name_,                                                                                \
     .alias = alias_,                                                                              \
     .kind = &kind_,                                                                               \
     .offset = offsetof(struct config, field_),                                                    \
     .flags = flags_,                                                                              \
     __VA_ARGS__},
#define BOOL(field, name, alias, initial_, flags)                                                  \
    ROW(field, name, alias, bool_kind, flags, .initial = initial_)
#define INTEGER(field, name, alias, least_, most_, initial_, flags)                                \
    ROW(field, name, alias, integer_kind, flags, .least = least_, .most = most_,                   \
        .initial = initial_)
#define UNSIGNED(field, name, alias, initial_, flags)                                              \
    ROW(field, name, alias, unsigned_kind, flags, .initial = initial_)
#define STRING(field, name, alias, initial_, check_, flags)                                        \
    ROW(field, name, alias, string_kind, flags, .initial_text = initial_, .accepts = check_)
#define ENUM(field, name, alias, words_, initial_, flags)                                          \
    ROW(field, name, alias, enum_kind, flags, .words = words_, .initial_text = initial_)
#define BITS(field, name, alias, words_, initial_, flags)                                          \
    ROW(field, name, alias, bits_kind, flags, .words = words_, .initial_text = initial_)
#define SPECIAL(type, field, name, alias, kind, initial_, flags)                                   \
    ROW(field, name, alias, kind, flags, .initial_text = initial_)
#include "server/config.def"
#undef ROW
#undef BOOL
#undef INTEGER
#undef UNSIGNED
#undef STRING
#undef ENUM
#undef BITS
#undef SPECIAL
};
const int config_directive_count = sizeof config_directives / sizeof *config_directives;

const struct directive *config_find(struct span name)
{
    for (int i = 0; i < config_directive_count; i++) {
        const struct directive *directive = &config_directives[i];
        if (span_is(name, directive->name)) return directive;
        if (directive->alias != NULL && span_is(name, directive->alias)) return directive;
    }
    return NULL;
}

bool config_is_sensitive(struct span name)
{
    const struct directive *directive = config_find(name);

    return directive != NULL && directive->flags & DIRECTIVE_SENSITIVE;
}
