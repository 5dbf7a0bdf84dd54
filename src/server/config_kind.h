/* Inside of the configuration: a directive, the kinds of values, and what the config_*.c files share. */
#ifndef PANDO_SERVER_CONFIG_KIND_H
#define PANDO_SERVER_CONFIG_KIND_H

#include "server/config.h"

enum directive_flag { /* config.def explains them */
                      DIRECTIVE_IMMUTABLE = 1 << 0,
                      DIRECTIVE_PROTECTED = 1 << 1,
                      DIRECTIVE_SENSITIVE = 1 << 2,
                      DIRECTIVE_HIDDEN = 1 << 3,
                      DIRECTIVE_MULTI = 1 << 4,
                      DIRECTIVE_MEMORY = 1 << 5,
                      DIRECTIVE_PERCENT = 1 << 6,
                      DIRECTIVE_OCTAL = 1 << 7,
                      DIRECTIVE_NOT_LOADING = 1 << 8,
                      DIRECTIVE_INERT = 1 << 9,
};

#define CONFIG_WHY_MAX 384
/* One value on its way into a field. */
struct setting {
    const struct directive *directive;
    struct config *config;
    bool at_start; /* from a file or the command line: `save` adds up */
    bool dry;      /* nothing outside struct config may change */
    char why[CONFIG_WHY_MAX];
};
/* Fills in the reason; returns false, so that refusing is one statement. */
bool setting_refuse(struct setting *setting, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A list of words and what they stand for, ended by NULL. Where two words have one value the first is shown. */
struct config_word {
    const char *word;
    int value;
};

/* What can be done with a value of some type. `field` points to it, inside struct config or a copy of it. */
struct config_kind {
    size_t size; /* of the field */
    /* Parses the arguments into the field, or refuses and leaves it alone. */
    bool (*set)(struct setting *setting, void *field, const struct span *argv, int argc);
    /* Appends the value as CONFIG GET shows it. */
    void (*show)(const struct directive *directive, const void *field, struct buf *out);
    /* Appends the lines that a file needs for it; NULL: name, a blank, and what show gives ("" for nothing). */
    void (*write)(const struct directive *directive, const void *field, struct buf *out);
    /* A deep copy into uninitialised memory, and its end; NULL: plain bytes. */
    void (*copy)(void *to, const void *from);
    void (*release)(void *field);
    /* Called after a field got an old value back; NULL: nothing else to do. */
    void (*restored)(const void *field);
    /* REWRITE writes it though it has its default, which depends on how the process starts. */
    bool always_written;
};
/* Parts of string_kind, for kinds that are strings in part. */
void string_show(const struct directive *directive, const void *field, struct buf *out);
void string_write(const struct directive *directive, const void *field, struct buf *out);
void string_copy(void *to, const void *from);
void string_release(void *field);

struct directive {
    const char *name, *alias; /* alias: NULL when there is none */
    const struct config_kind *kind;
    size_t offset; /* of the field in struct config */
    uint32_t flags;
    int64_t least, most;             /* integers */
    int64_t initial;                 /* BOOL, INTEGER, UNSIGNED */
    const char *initial_text;        /* the other kinds */
    const struct config_word *words; /* ENUM, BITS */
    bool (*accepts)(const char *value, char why[static CONFIG_WHY_MAX]); /* STRING, or NULL */
};

extern const struct config_kind bool_kind, integer_kind, unsigned_kind, string_kind, enum_kind,
    bits_kind;
extern const struct config_kind bind_kind, output_limits_kind, oom_score_values_kind, save_kind,
    dir_kind, replicaof_kind, percentiles_kind, notify_events_kind;

/* Checks of STRING directives. */
bool check_dbfilename(const char *value, char why[static CONFIG_WHY_MAX]);
bool check_appendfilename(const char *value, char why[static CONFIG_WHY_MAX]);
bool check_appenddirname(const char *value, char why[static CONFIG_WHY_MAX]);
bool check_proc_title_template(const char *value, char why[static CONFIG_WHY_MAX]);
bool check_cluster_announce_hostname(const char *value, char why[static CONFIG_WHY_MAX]);

/* The table, in the order of config.def. */
extern const struct directive config_directives[];
extern const int config_directive_count;

static inline void *directive_field(const struct directive *directive, const struct config *config)
{
    return (char *)config + directive->offset;
}

/* Sets a directive from arguments: a MULTI one from several, or from one of several words. */
bool config_assign(struct setting *setting, const struct span *argv, int argc);
/* The lines of a file for a directive as it is. */
void config_write(const struct config *config, const struct directive *directive, struct buf *out);
/* Whether the directive shows differently in the two. */
bool config_differs(const struct config *a, const struct config *b,
                    const struct directive *directive);
/* `path`, if relative, as seen from config->dir; the caller frees it. */
char *config_path(const struct config *config, const char *path);
/* Bounds that a value is moved to instead of being refused. */
void config_settle(struct config *config);

void config_lines_add(struct config_lines *lines, struct span line);
/* Appends `text` in double quotes, what is not printable escaped: config_load_text reads it back. */
void config_quote(struct buf *out, struct span text);
/* Appends a word as it must stand in a file to be read back as one: quoted where it needs it. */
void config_append_word(struct buf *out, struct span word);
char *config_copy_text(struct span text); /* zero-terminated, the caller frees */

/* Beside CONFIG_LOAD_*: a wrong line is passed over. */
enum { CONFIG_LOAD_LENIENT = 1 << 8 };

struct config_private {
    struct config_binding { /* hooks */
        const struct directive *directive;
        config_hook *hook;
        void *context;
    } * bindings;
    int binding_count;
    char *
        start_folder; /* working directory when the process started: the file's relative paths begin there */
    bool save_given; /* a `save` of the configuration has taken the place of the default */
};

#endif
