/* CONFIG GET and SET below the wire: choosing names, and changing several directives at once or none. */
#include "base/check.h"
#include "base/err.h"
#include "base/glob.h"
#include "base/mem.h"
#include "server/config_kind.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* --- reading ----------------------------------------------------------------------------------- */

struct match {
    struct span name; /* as it is to be shown */
    const struct directive *directive;
    int order; /* in which it was found */
};
struct matches {
    struct match *items;
    int count, capacity;
};

static void add_match(struct matches *matches, struct span name, const struct directive *directive)
{
    if (matches->count == matches->capacity) {
        matches->capacity = 2 * matches->capacity + 16;
        matches->items =
            mem_realloc(matches->items, (size_t)matches->capacity * sizeof *matches->items);
    }
    matches->items[matches->count] = (struct match){name, directive, matches->count};
    matches->count++;
}

static void match_pattern(struct matches *matches, struct span pattern)
{
    bool is_glob = false;

    for (size_t i = 0; i < pattern.len; i++)
        is_glob |= pattern.ptr[i] != '\0' && strchr("*?[", pattern.ptr[i]) != NULL;
    if (!is_glob) {
        const struct directive *directive = config_find(pattern);
        if (directive != NULL) add_match(matches, pattern, directive);
        return;
    }
    for (int i = 0; i < config_directive_count; i++) {
        const struct directive *directive = &config_directives[i];
        const char *names[] = {directive->name, directive->alias};

        if (directive->flags & DIRECTIVE_HIDDEN) continue;
        for (int n = 0; n < 2; n++)
            if (names[n] != NULL && glob_match(pattern, span_of_cstr(names[n]), true))
                add_match(matches, span_of_cstr(names[n]), directive);
    }
}

static int compare_nocase(struct span a, struct span b)
{
    int order = strncasecmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Of equal names, which several patterns may give, the first found stands in front. */
static int compare_matches(const void *left, const void *right)
{
    const struct match *a = left, *b = right;

    int order = compare_nocase(a->name, b->name);

    return order != 0 ? order : a->order - b->order;
}

void config_match(const struct span *patterns, int count, config_each *each, void *context)
{
    struct matches matches = {0};

    for (int i = 0; i < count; i++) match_pattern(&matches, patterns[i]);
    if (matches.count > 0)
        qsort(matches.items, (size_t)matches.count, sizeof *matches.items, compare_matches);
    for (int i = 0; i < matches.count; i++)
        if (i == 0 || compare_nocase(matches.items[i].name, matches.items[i - 1].name) != 0)
            each(context, matches.items[i].name, matches.items[i].directive);
    mem_free(matches.items);
}

/* --- changing ---------------------------------------------------------------------------------- */

void config_on_change(struct config *config, const char *name, config_hook *hook, void *context)
{
    struct config_private *private = config->private;
    const struct directive *directive = config_find(span_of_cstr(name));

    check(directive != NULL);
    private->bindings = mem_realloc(private->bindings, (size_t)(private->binding_count + 1) *
                                                           sizeof *private->bindings);
    private->bindings[private->binding_count++] = (struct config_binding){directive, hook, context};
}

/* A change of several directives under way. */
struct change {
    struct config *config;
    struct part {
        const struct directive *directive;
        struct span name; /* as the client wrote it */
        struct span value;
        void *saved; /* copy of the old field; NULL until it is set */
        bool is_changed;
    } * parts;
    int count;
    struct hook_run {
        config_hook *hook;
        void *context;
    } * runs; /* hooks that have run, to be run again when a later one refuses */
    int run_count;
    char *error;
};

#define ERROR_MAX 512

static bool fail(struct change *change, struct span name, const char *why)
{
    snprintf(change->error, ERROR_MAX,
             "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s", (int)name.len,
             name.ptr, why);
    return false;
}

/* The directive's name or alias, whichever was meant, in the table's own letters. */
static struct span table_name(const struct part *part)
{
    const char *alias = part->directive->alias;

    return span_of_cstr(alias != NULL && span_is(part->name, alias) ? alias
                                                                    : part->directive->name);
}

/* Names, rights and duplicates, before anything changes. */
static bool collect(struct change *change, const struct span *argv, struct config_caller caller)
{
    for (int i = 0; i < change->count; i++) {
        struct part *part = &change->parts[i];
        uint32_t flags;

        part->name = argv[2 * i];
        part->value = argv[2 * i + 1];
        part->directive = config_find(part->name);
        if (part->directive == NULL) {
            snprintf(change->error, ERROR_MAX,
                     "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                     (int)(part->name.len < 128 ? part->name.len : 128), part->name.ptr);
            return false;
        }
        flags = part->directive->flags;
        if (flags & DIRECTIVE_IMMUTABLE)
            return fail(change, part->name, "can't set immutable config");
        if (flags & DIRECTIVE_PROTECTED && !caller.may_protected)
            return fail(change, part->name, "can't set protected config");
        if (flags & DIRECTIVE_NOT_LOADING && caller.loading) {
            snprintf(change->error, ERROR_MAX, "%s", err_text(ERR_LOADING));
            return false;
        }
        for (int j = 0; j < i; j++)
            if (span_equal_nocase(change->parts[j].name,
                                  part->name)) /* name and alias together pass */
                return fail(change, part->name, "duplicate parameter");
    }
    return true;
}

static void *copy_field(const struct config *config, const struct directive *directive)
{
    const struct config_kind *kind = directive->kind;
    void *copy = mem_alloc(kind->size);

    if (kind->copy != NULL) kind->copy(copy, directive_field(directive, config));
    else memcpy(copy, directive_field(directive, config), kind->size);
    return copy;
}

static bool assign(struct change *change)
{
    for (int i = 0; i < change->count; i++) {
        struct part *part = &change->parts[i];
        struct setting setting = {.directive = part->directive, .config = change->config};
        struct buf before = {0}, after = {0};
        bool is_set;

        config_show(change->config, part->directive, &before);
        part->saved = copy_field(change->config, part->directive);
        is_set = config_assign(&setting, &part->value, 1);
        config_show(change->config, part->directive, &after);
        part->is_changed = !span_equal(buf_span(&before), buf_span(&after));
        buf_release(&before);
        buf_release(&after);
        if (!is_set) return fail(change, table_name(part), setting.why);
    }
    config_settle(change->config);
    return true;
}

static bool has_run(const struct change *change, const struct config_binding *binding)
{
    for (int i = 0; i < change->run_count; i++)
        if (change->runs[i].hook == binding->hook && change->runs[i].context == binding->context)
            return true;
    return false;
}

/* Hooks of changed directives, in the order of the arguments. */
static bool run_hooks(struct change *change)
{
    const struct config_private *private = change->config->private;

    change->runs = mem_alloc((size_t)(private->binding_count + 1) * sizeof *change->runs);
    for (int i = 0; i < change->count; i++) {
        const struct part *part = &change->parts[i];

        for (int b = 0; part->is_changed && b < private->binding_count; b++) {
            const struct config_binding *binding = &private->bindings[b];
            const char *why = "could not be applied";

            if (binding->directive != part->directive || has_run(change, binding)) continue;
            change->runs[change->run_count++] = (struct hook_run){binding->hook, binding->context};
            if (!binding->hook(binding->context, &why)) return fail(change, table_name(part), why);
        }
    }
    return true;
}

static void restore(struct change *change)
{
    for (int i = change->count - 1; i >= 0;
         i--) { /* backwards: a directive may be there by both its names */
        struct part *part = &change->parts[i];
        const struct config_kind *kind = part->directive->kind;
        void *field;

        if (part->saved == NULL) continue;
        field = directive_field(part->directive, change->config);
        if (kind->release != NULL) kind->release(field);
        memcpy(field, part->saved, kind->size);
        mem_free(part->saved);
        part->saved = NULL;
        if (kind->restored != NULL) kind->restored(field);
    }
    for (int i = 0; i < change->run_count; i++) {
        const char *why;
        change->runs[i].hook(change->runs[i].context, &why);
    }
}

static void forget_saved(struct change *change)
{
    for (int i = 0; i < change->count; i++) {
        struct part *part = &change->parts[i];

        if (part->saved != NULL && part->directive->kind->release != NULL)
            part->directive->kind->release(part->saved);
        mem_free(part->saved);
    }
}

bool config_set(struct config *config, const struct span *argv, int argc,
                struct config_caller caller, char error[static 512])
{
    struct change change = {.config = config, .count = argc / 2, .error = error};
    bool is_done = false;

    change.parts = mem_zalloc((size_t)(change.count + 1) * sizeof *change.parts);
    if (argc % 2 != 0) {
        snprintf(error, ERROR_MAX, "%s", err_text(ERR_SYNTAX));
    } else if (collect(&change, argv, caller)) {
        is_done = assign(&change) && run_hooks(&change);
        if (!is_done) restore(&change);
    }
    forget_saved(&change);
    mem_free(change.runs);
    mem_free(change.parts);
    return is_done;
}

void config_set_primary(struct config *config, struct span host, int port)
{
    struct primary_address *primary = &config->replicaof;
    char *copy = config_copy_text(host); /* host may be the field itself */

    mem_free(primary->host);
    *primary = (struct primary_address){copy, host.len == 0 ? 0 : port};
}
