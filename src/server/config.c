#include "server/config.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/mem.h"
#include "server/config_kind.h"

#define BACKLOG_BYTES_MIN (16 << 10)
#define WATCHDOG_MS_MIN   200

static void set_initial(struct config *config, const struct directive *directive)
{
    void *field = directive_field(directive, config);

    if (directive->kind == &bool_kind) {
        *(bool *)field = directive->initial != 0;
    } else if (directive->initial_text == NULL) {
        *(int64_t *)field = directive->initial;
    } else {
        struct setting setting = {.directive = directive, .config = config};
        struct span text = span_of_cstr(directive->initial_text);
        bool is_set = config_assign(&setting, &text, 1);

        check(is_set); /* the table's defaults are good values */
    }
}

struct config *config_new(void)
{
    struct config *config = mem_zalloc(sizeof *config);

    config->private = mem_zalloc(sizeof *config->private);
    config->file = config_copy_text(span_of("", 0));
    for (int i = 0; i < config_directive_count; i++) set_initial(config, &config_directives[i]);
    config->private->start_folder = config_copy_text(span_of_cstr(config->dir));
    return config;
}

static void lines_release(struct config_lines *lines)
{
    for (int i = 0; i < lines->count; i++) mem_free(lines->lines[i]);
    mem_free(lines->lines);
}

void config_free(struct config *config)
{
    if (config == NULL) return;
    for (int i = 0; i < config_directive_count; i++)
        if (config_directives[i].kind->release != NULL)
            config_directives[i].kind->release(directive_field(&config_directives[i], config));
    lines_release(&config->users);
    lines_release(&config->modules);
    mem_free(config->private->bindings);
    mem_free(config->private->start_folder);
    mem_free(config->private);
    mem_free(config->file);
    mem_free(config);
}

void config_lines_add(struct config_lines *lines, struct span line)
{
    lines->lines = mem_realloc(lines->lines, (size_t)(lines->count + 1) * sizeof *lines->lines);
    lines->lines[lines->count++] = config_copy_text(line);
}

char *config_path(const struct config *config, const char *path)
{
    struct buf text = {0};
    char *joined;

    if (path[0] != '/' && config->dir != NULL) buf_printf(&text, "%s/", config->dir);
    buf_printf(&text, "%s", path);
    joined = config_copy_text(buf_span(&text));
    buf_release(&text);
    return joined;
}

/* Words between single blanks, empty ones too; "" has none. */
static int split_words(struct span text, struct span **words)
{
    int count = 0;
    const char *end = text.ptr + text.len, *blank;

    *words = mem_alloc((text.len + 1) * sizeof **words);
    if (text.len == 0) return 0;
    for (const char *at = text.ptr;; at = blank + 1) {
        blank = memchr(at, ' ', (size_t)(end - at));
        (*words)[count++] = span_of(at, (size_t)((blank == NULL ? end : blank) - at));
        if (blank == NULL) return count;
    }
}

bool config_assign(struct setting *setting, const struct span *argv, int argc)
{
    const struct directive *directive = setting->directive;
    void *field = directive_field(directive, setting->config);
    struct span *words;
    bool is_set;

    for (int i = 0; i < argc; i++) /* fields are C strings */
        if (argv[i].len > 0 && memchr(argv[i].ptr, '\0', argv[i].len) != NULL)
            return setting_refuse(setting, "argument must not contain a zero byte");
    if (!(directive->flags & DIRECTIVE_MULTI)) {
        if (argc != 1) return setting_refuse(setting, "wrong number of arguments");
        return directive->kind->set(setting, field, argv, argc);
    }
    if (argc != 1) return directive->kind->set(setting, field, argv, argc);
    argc = split_words(argv[0], &words);
    is_set = directive->kind->set(setting, field, words, argc);
    mem_free(words);
    return is_set;
}

void config_settle(struct config *config)
{
    if (config->hz < 1) config->hz = 1;
    if (config->hz > 500) config->hz = 500;
    if (config->repl_backlog_size < BACKLOG_BYTES_MIN)
        config->repl_backlog_size = BACKLOG_BYTES_MIN;
    if (config->watchdog_period > 0 && config->watchdog_period < WATCHDOG_MS_MIN)
        config->watchdog_period = WATCHDOG_MS_MIN;
}

void config_show(const struct config *config, const struct directive *directive, struct buf *out)
{
    directive->kind->show(directive, directive_field(directive, config), out);
}

void config_write(const struct config *config, const struct directive *directive, struct buf *out)
{
    const void *field = directive_field(directive, config);
    size_t before;

    if (directive->kind->write != NULL) {
        directive->kind->write(directive, field, out);
        return;
    }
    buf_printf(out, "%s ", directive->name);
    before = out->len;
    directive->kind->show(directive, field, out);
    if (out->len == before) buf_append_span(out, SPAN("\"\""));
    buf_append_char(out, '\n');
}

void config_quote(struct buf *out, struct span text)
{
    static const char plain[] = "\n\r\t\a\b\"\\", letters[] = "nrtab\"\\";

    buf_append_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        const char *escape = c == '\0' ? NULL : strchr(plain, c);

        if (escape != NULL) buf_printf(out, "\\%c", letters[escape - plain]);
        else if (ascii_is_print(c)) buf_append_char(out, c);
        else buf_printf(out, "\\x%02x", (unsigned char)c);
    }
    buf_append_char(out, '"');
}

void config_append_word(struct buf *out, struct span word)
{
    bool is_plain = word.len > 0;

    for (size_t i = 0; i < word.len; i++)
        is_plain &=
            word.ptr[i] > ' ' && word.ptr[i] <= '~' && word.ptr[i] != '"' && word.ptr[i] != '\'';
    if (is_plain) buf_append_span(out, word);
    else config_quote(out, word);
}

bool config_differs(const struct config *a, const struct config *b,
                    const struct directive *directive)
{
    struct buf left = {0}, right = {0};
    bool equal;

    config_show(a, directive, &left);
    config_show(b, directive, &right);
    equal = span_equal(buf_span(&left), buf_span(&right));
    buf_release(&left);
    buf_release(&right);
    return !equal;
}

void config_without_effect(const struct config *config, struct buf *out)
{
    struct config *initial = config_new();
    size_t start = out->len;

    for (int i = 0; i < config_directive_count; i++) {
        const struct directive *directive = &config_directives[i];
        if (directive->flags & DIRECTIVE_INERT && config_differs(config, initial, directive))
            buf_printf(out, "%s%s", out->len == start ? "" : " ", directive->name);
    }
    config_free(initial);
}
