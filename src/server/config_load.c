/* The configuration at start: command line, file, standard input, all made one text whose later lines override the
 * earlier ones. Grammar of a line: NAME ARGUMENT..., quotes and escapes as in inline commands; blank lines and lines
 * that begin with # say nothing. */
#include "base/log.h"
#include "base/mem.h"
#include "cmd/registry.h"
#include "io/file.h"
#include "proto/request.h"
#include "server/config_kind.h"
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_BYTES_MAX    (64u << 20)
#define INCLUDE_DEPTH_MAX 32 /* a file that includes itself */
#define FATAL_TITLE       "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n"

struct loader {
    struct config *config;
    struct command_registry *commands;
    unsigned how;
    struct buf *error;
    int depth;
    const char *path; /* the file being read; NULL: no file */
    int path_lines; /* how many lines come from it; options of the command line stand behind them */
};

/* One line being executed; its words lie in the arena. */
struct line {
    struct span text;
    int number;
    struct span *argv;
    int argc;
};

static enum config_result load_text(struct loader *loader, struct span text);

static enum config_result refuse_line(struct loader *loader, const struct line *line,
                                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static enum config_result refuse_line(struct loader *loader, const struct line *line,
                                      const char *format, ...)
{
    char why[CONFIG_WHY_MAX + 64];
    va_list list;

    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    buf_printf(loader->error, FATAL_TITLE "Reading the configuration file, at line %d",
               line->number);
    if (loader->path != NULL && line->number <= loader->path_lines)
        buf_printf(loader->error, " of %s", loader->path);
    buf_printf(loader->error, "\n>>> '");
    buf_append_span(loader->error, line->text);
    buf_printf(loader->error, "'\n%s\n", why);
    return CONFIG_BAD;
}

static enum config_result load_file(struct loader *loader, const char *path)
{
    struct buf text = {0};
    enum config_result result;
    int status = file_read_whole(path, FILE_BYTES_MAX, &text);

    if (status < 0) {
        buf_printf(loader->error, "Fatal error, can't open config file '%s': %s", path,
                   strerror(-status));
        result = CONFIG_UNREADABLE;
    } else {
        const char *outer = loader->path;
        int outer_lines = loader->path_lines;
        loader->path = path;
        loader->path_lines = INT_MAX;
        result = load_text(loader, buf_span(&text));
        loader->path = outer;
        loader->path_lines = outer_lines;
    }
    buf_release(&text);
    return result;
}

/* --- words that are no directives ------------------------------------------------------------ */

static enum config_result do_include(struct loader *loader, const struct line *line)
{
    char *pattern = config_copy_text(line->argv[1]);
    enum config_result result = CONFIG_OK;
    glob_t found;

    if (loader->how & CONFIG_LOAD_DRY) { /* `dir` was not entered */
        char *path = config_path(loader->config, pattern);
        mem_free(pattern);
        pattern = path;
    }
    if (loader->how & CONFIG_LOAD_NO_INCLUDES) {
    } else if (loader->depth == INCLUDE_DEPTH_MAX) {
        result = refuse_line(loader, line, "include goes too deep");
    } else if (strpbrk(pattern, "*?[") == NULL) {
        loader->depth++;
        result = load_file(loader, pattern);
        loader->depth--;
    } else if (glob(pattern, 0, NULL, &found) == 0) {
        loader->depth++;
        for (size_t i = 0; i < found.gl_pathc && result == CONFIG_OK; i++)
            result = load_file(loader, found.gl_pathv[i]);
        loader->depth--;
        globfree(&found);
    }
    mem_free(pattern);
    return result;
}

static enum config_result do_rename_command(struct loader *loader, const struct line *line)
{
    enum rename_result result;

    if (loader->commands != NULL)
        result = command_rename(loader->commands, line->argv[1], line->argv[2]);
    else if (command_find(line->argv[1]) == NULL) result = RENAME_UNKNOWN;
    else result = RENAME_OK;
    if (result == RENAME_UNKNOWN)
        return refuse_line(loader, line, "No such command in rename-command");
    if (result == RENAME_TAKEN)
        return refuse_line(loader, line, "Target command name already exists");
    return CONFIG_OK;
}

/* Keeps the words behind the first one. */
static void keep_line(struct config_lines *lines, const struct line *line)
{
    struct buf text = {0};

    for (int i = 1; i < line->argc; i++) {
        if (i > 1) buf_append_char(&text, ' ');
        config_append_word(&text, line->argv[i]);
    }
    config_lines_add(lines, buf_span(&text));
    buf_release(&text);
}

static bool has_user(const struct config_lines *users, struct span name)
{
    struct buf word = {0};
    bool is_there = false;

    config_append_word(&word, name);
    for (int i = 0; i < users->count && !is_there; i++) {
        const char *kept = users->lines[i];
        is_there = strncmp(kept, word.ptr, word.len) == 0 &&
                   (kept[word.len] == ' ' || kept[word.len] == '\0');
    }
    buf_release(&word);
    return is_there;
}

static enum config_result do_user(struct loader *loader, const struct line *line)
{
    struct span name = line->argv[1];

    if (has_user(&loader->config->users, name))
        return refuse_line(loader, line,
                           "Error in user declaration '%.*s': Duplicate user found. A user can "
                           "only be defined once "
                           "in config files",
                           (int)name.len, name.ptr);
    keep_line(&loader->config->users, line);
    return CONFIG_OK;
}

static enum config_result do_loadmodule(struct loader *loader, const struct line *line)
{
    keep_line(&loader->config->modules, line);
    return CONFIG_OK;
}

static enum config_result do_nothing(struct loader *loader, const struct line *line)
{
    (void)loader, (void)line;
    return CONFIG_OK;
}

static const struct file_word {
    const char *word;
    int argc_least, argc_most;
    enum config_result (*run)(struct loader *loader, const struct line *line);
} file_words[] = {
    {"include", 2, 2, do_include},
    {"rename-command", 3, 3, do_rename_command},
    {"user", 2, INT32_MAX, do_user},
    {"loadmodule", 2, INT32_MAX, do_loadmodule},
    /* of old versions, without effect since long ago */
    {"list-max-ziplist-entries", 2, 2, do_nothing},
    {"list-max-ziplist-value", 2, 2, do_nothing},
    {"lua-replicate-commands", 2, 2, do_nothing},
};

/* "module.name value" would set something in a module; there are none. */
static enum config_result refuse_module_setting(struct loader *loader, const struct line *line)
{
    if (line->argc == 1) return refuse_line(loader, line, "Module config specified without value");
    buf_append_span(loader->error, SPAN("Module Configuration detected without loadmodule "
                                        "directive or no ApplyConfig call: aborting"));
    return CONFIG_UNREADABLE;
}

/* --- lines ----------------------------------------------------------------------------------- */

static enum config_result run_line(struct loader *loader, const struct line *line)
{
    const struct directive *directive = config_find(line->argv[0]);

    if (directive != NULL) {
        struct setting setting = {.directive = directive,
                                  .config = loader->config,
                                  .at_start = true,
                                  .dry = loader->how & CONFIG_LOAD_DRY};
        if (config_assign(&setting, line->argv + 1, line->argc - 1)) return CONFIG_OK;
        return refuse_line(loader, line, "%s", setting.why);
    }
    for (size_t i = 0; i < sizeof file_words / sizeof *file_words; i++) {
        const struct file_word *word = &file_words[i];
        if (span_is(line->argv[0], word->word) && line->argc >= word->argc_least &&
            line->argc <= word->argc_most)
            return word->run(loader, line);
    }
    if (span_is(line->argv[0], "sentinel"))
        return refuse_line(loader, line, "sentinel directive while not in sentinel mode");
    if (memchr(line->argv[0].ptr, '.', line->argv[0].len) != NULL)
        return refuse_module_setting(loader, line);
    return refuse_line(loader, line, "Bad directive or wrong number of arguments");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trim(struct span text)
{
    while (text.len > 0 && is_blank(text.ptr[0])) text = span_of(text.ptr + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.ptr[text.len - 1])) text.len--;
    return text;
}

static enum config_result load_line(struct loader *loader, struct span text, int number)
{
    struct line line = {.text = trim(text), .number = number};
    struct buf arena = {0};
    enum config_result result = CONFIG_OK;
    int words_max = (int)(line.text.len / 2 + 1);

    if (line.text.len == 0 || line.text.ptr[0] == '#') return CONFIG_OK;
    line.argv = mem_alloc((size_t)words_max * sizeof *line.argv);
    line.argc = request_split_line(line.text, &arena, line.argv, words_max);
    if (line.argc < 0)
        result = refuse_line(loader, &line, "Unbalanced quotes in configuration line");
    else if (line.argc > 0) result = run_line(loader, &line);
    mem_free(line.argv);
    buf_release(&arena);
    return result;
}

static enum config_result load_text(struct loader *loader, struct span text)
{
    enum config_result result = CONFIG_OK;

    for (int number = 1; text.len > 0 && result == CONFIG_OK; number++) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.ptr);

        result = load_line(loader, span_of(text.ptr, len), number);
        if (loader->how & CONFIG_LOAD_LENIENT) result = CONFIG_OK;
        if (end != NULL) len++;
        text = span_of(text.ptr + len, text.len - len);
    }
    return result;
}

static enum config_result finish(struct loader *loader)
{
    struct config *config = loader->config;

    if (config->cluster_enabled && config->replicaof.host[0] != '\0') {
        buf_append_span(loader->error,
                        SPAN(FATAL_TITLE "replicaof directive not allowed in cluster mode\n"));
        return CONFIG_BAD;
    }
    config_settle(config);
    return CONFIG_OK;
}

static enum config_result load_all(struct loader *loader, struct span text)
{
    enum config_result result = load_text(loader, text);

    return result == CONFIG_OK ? finish(loader) : result;
}

enum config_result config_load_text(struct config *config, struct span text,
                                    struct command_registry *commands, unsigned how,
                                    struct buf *error)
{
    return load_all(
        &(struct loader){.config = config, .commands = commands, .how = how, .error = error}, text);
}

static int count_lines(struct span text)
{
    int lines = 1;

    for (size_t i = 0; i < text.len; i++) lines += text.ptr[i] == '\n';
    return lines;
}

/* --- the command line ------------------------------------------------------------------------ */

static bool begins_option(const char *word)
{
    return word[0] == '-' && word[1] == '-';
}

/* Whether an option is a name alone, so that the next word is its value whatever it looks like ("--port" "--bla"). In
 * "--port 1", one word for the shell, it is not. */
static bool is_bare_name(const char *option)
{
    struct buf arena = {0};
    size_t len = strlen(option);
    struct span *words = mem_alloc((len / 2 + 1) * sizeof *words);
    int count = request_split_line(span_of(option, len), &arena, words, (int)(len / 2 + 1));

    mem_free(words);
    buf_release(&arena);
    return count == 1;
}

/* Makes lines of the options: "--name value value" becomes `name "value" "value"`. */
static void append_options(struct buf *text, int argc, char *const *argv)
{
    bool wants_value = false;
    bool first = true;

    for (int i = 0; i < argc; i++) {
        const char *name = argv[i] + 2;

        if (wants_value || !begins_option(argv[i])) {
            config_quote(text, span_of_cstr(argv[i]));
            buf_append_char(text, ' ');
            wants_value = false;
            first = false;
            continue;
        }
        if (!first) buf_append_char(text, '\n');
        first = false;
        buf_printf(text, "%s ", name);
        wants_value = is_bare_name(name);
        /* --save without a value means no save points: the next option is none. */
        if (span_is(span_of_cstr(name), "save") && (i + 1 == argc || begins_option(argv[i + 1]))) {
            buf_append_span(text, SPAN("\"\""));
            wants_value = false;
        }
    }
    buf_append_char(text, '\n');
}

static bool is_dash(const char *word)
{
    return strcmp(word, "-") == 0;
}

enum config_result config_load(struct config *config, int argc, char *const *argv,
                               struct command_registry *commands, unsigned how, struct buf *error)
{
    struct loader loader = {.config = config, .commands = commands, .how = how, .error = error};
    bool from_input = false;
    enum config_result result;
    struct buf text = {0};
    int at = 1, status = 0;

    if (at < argc && argv[at][0] != '-') {
        mem_free(config->file);
        config->file = config_path(config, argv[at++]); /* `dir` is where the process started */
        status = file_read_whole(config->file, FILE_BYTES_MAX, &text);
        if (status < 0) {
            buf_printf(error, "Fatal error, can't open config file '%s': %s", config->file,
                       strerror(-status));
            buf_release(&text);
            return CONFIG_UNREADABLE;
        }
        loader.path = config->file;
        loader.path_lines = count_lines(buf_span(&text));
    } else if (at < argc && is_dash(argv[at])) {
        from_input = true;
        at++;
    }
    if (argc > at && is_dash(argv[argc - 1])) {
        from_input = true;
        argc--;
    }
    if (from_input) {
        log_warning("Reading config from stdin");
        status = file_read_to_end(STDIN_FILENO, FILE_BYTES_MAX, &text);
    }
    if (status < 0) {
        buf_printf(error, "Fatal error, can't read the configuration from stdin: %s",
                   strerror(-status));
        buf_release(&text);
        return CONFIG_UNREADABLE;
    }
    buf_append_char(&text, '\n');
    append_options(&text, argc - at, argv + at);
    result = load_all(&loader, buf_span(&text));
    buf_release(&text);
    return result;
}
