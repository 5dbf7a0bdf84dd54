/* COMMAND: what the table knows, told to clients. Names are those by which commands are called now,
 * the descriptions keep the table's. */
#include "base/glob.h"
#include "base/mem.h"
#include "cmd/call.h"
#include "cmd/registry.h"
#include "handlers.h"
#include <stdio.h>

static const struct command_registry *registry_of(const struct call *call)
{
    return call->limits == NULL ? NULL : call->limits->commands;
}

/* The words of the set bits, as a set of statuses. `prefix` is "@" for categories. */
static void reply_words(struct reply *reply, uint32_t bits, const char *(*word_of)(int bit),
                        const char *prefix)
{
    char text[64];

    for (int bit = 0; bit < 32; bit++)
        if (word_of(bit) == NULL) bits &= ~(UINT32_C(1) << bit);
    reply_set(reply, __builtin_popcount(bits));
    for (int bit = 0; bit < 32; bit++) {
        if (!(bits >> bit & 1)) continue;
        snprintf(text, sizeof text, "%s%s", prefix, word_of(bit));
        reply_status(reply, text);
    }
}

static void reply_field(struct reply *reply, const char *name, const char *text)
{
    reply_bulk_cstr(reply, name);
    reply_bulk_cstr(reply, text);
}

static void reply_number(struct reply *reply, const char *name, int64_t value)
{
    reply_bulk_cstr(reply, name);
    reply_int64(reply, value);
}

static void reply_key_beginning(struct reply *reply, const struct key_spec *spec)
{
    static const char *const types[] = {"index", "keyword", "unknown"};

    reply_bulk_cstr(reply, "begin_search");
    reply_map(reply, 2);
    reply_field(reply, "type", types[spec->begin]);
    reply_bulk_cstr(reply, "spec");
    switch (spec->begin) {
    case KEYS_BEGIN_AT:
        reply_map(reply, 1);
        reply_number(reply, "index", spec->index);
        break;
    case KEYS_BEGIN_AFTER:
        reply_map(reply, 2);
        reply_field(reply, "keyword", spec->keyword);
        reply_number(reply, "startfrom", spec->index);
        break;
    case KEYS_BEGIN_UNKNOWN: reply_map(reply, 0); break;
    }
}

static void reply_key_finding(struct reply *reply, const struct key_spec *spec)
{
    static const char *const types[] = {"range", "keynum", "unknown"};
    static const char *const range[] = {"lastkey", "keystep", "limit"};
    static const char *const keynum[] = {"keynumidx", "firstkey", "keystep"};

    reply_bulk_cstr(reply, "find_keys");
    reply_map(reply, 2);
    reply_field(reply, "type", types[spec->find]);
    reply_bulk_cstr(reply, "spec");
    if (spec->find == KEYS_FIND_UNKNOWN) {
        reply_map(reply, 0);
        return;
    }
    reply_map(reply, 3);
    for (int i = 0; i < 3; i++)
        reply_number(reply, (spec->find == KEYS_FIND_RANGE ? range : keynum)[i], spec->numbers[i]);
}

static void reply_key_spec(struct reply *reply, const struct key_spec *spec)
{
    reply_map(reply, spec->note == NULL ? 3 : 4);
    if (spec->note != NULL) reply_field(reply, "notes", spec->note);
    reply_bulk_cstr(reply, "flags");
    reply_words(reply, spec->flags, key_flag_word, "");
    reply_key_beginning(reply, spec);
    reply_key_finding(reply, spec);
}

static void reply_info(struct reply *reply, const struct command *command)
{
    reply_array(reply, 10);
    reply_bulk_cstr(reply, command->name);
    reply_int64(reply, command->arity);
    reply_words(reply, command->flags, command_flag_word, "");
    reply_int64(reply, command->first_key);
    reply_int64(reply, command->last_key);
    reply_int64(reply, command->key_step);
    reply_words(reply, command->categories, command_category_word, "@");
    reply_set(reply, command->tip_count);
    for (int i = 0; i < command->tip_count; i++) reply_bulk_cstr(reply, command->tips[i]);
    reply_set(reply, command->key_spec_count);
    for (int i = 0; i < command->key_spec_count; i++) reply_key_spec(reply, &command->key_specs[i]);
    if (command->subcommand_count == 0) {
        reply_set(reply, 0); /* a set, though a filled one is an array: as 7.0 */
        return;
    }
    reply_array(reply, command->subcommand_count);
    for (int i = 0; i < command->subcommand_count; i++) reply_info(reply, &command->subcommands[i]);
}

static void reply_arguments(struct reply *reply, const struct command_argument *arguments,
                            int count)
{
    static const char *const types[] = {
        [ARGUMENT_STRING] = "string",   [ARGUMENT_INTEGER] = "integer",
        [ARGUMENT_DOUBLE] = "double",   [ARGUMENT_KEY] = "key",
        [ARGUMENT_PATTERN] = "pattern", [ARGUMENT_UNIX_TIME] = "unix-time",
        [ARGUMENT_ONEOF] = "oneof",     [ARGUMENT_PURE_TOKEN] = "pure-token",
        [ARGUMENT_BLOCK] = "block",
    };
    static const char *const flags[] = {"optional", "multiple", "multiple_token"};

    reply_array(reply, count);
    for (int i = 0; i < count; i++) {
        const struct command_argument *argument = &arguments[i];
        int pairs = 2 + (argument->key_spec >= 0) + (argument->token != NULL) +
                    (argument->since != NULL) + (argument->deprecated_since != NULL) +
                    (argument->flags != 0) + (argument->argument_count > 0);

        reply_map(reply, pairs);
        reply_field(reply, "name", argument->name);
        reply_field(reply, "type", types[argument->type]);
        if (argument->key_spec >= 0) reply_number(reply, "key_spec_index", argument->key_spec);
        if (argument->token != NULL) reply_field(reply, "token", argument->token);
        if (argument->since != NULL) reply_field(reply, "since", argument->since);
        if (argument->deprecated_since != NULL)
            reply_field(reply, "deprecated_since", argument->deprecated_since);
        if (argument->flags != 0) {
            reply_bulk_cstr(reply, "flags");
            reply_set(reply, __builtin_popcount(argument->flags));
            for (int bit = 0; bit < 3; bit++)
                if (argument->flags >> bit & 1) reply_status(reply, flags[bit]);
        }
        if (argument->argument_count > 0) {
            reply_bulk_cstr(reply, "arguments");
            reply_arguments(reply, argument->arguments, argument->argument_count);
        }
    }
}

/* A pair of a map: the name, and what the documentation says. */
static void reply_docs(struct reply *reply, const struct command *command)
{
    const struct command_docs *docs = command->docs;
    int pairs = 3 + (docs->complexity != NULL) + (docs->flags != 0) +
                (docs->deprecated_since != NULL) + (docs->replaced_by != NULL) +
                (docs->history_count > 0) + (docs->argument_count > 0) +
                (command->subcommand_count > 0);

    reply_bulk_cstr(reply, command->name);
    reply_map(reply, pairs);
    reply_field(reply, "summary", docs->summary);
    reply_field(reply, "since", docs->since);
    reply_field(reply, "group", docs->group);
    if (docs->complexity != NULL) reply_field(reply, "complexity", docs->complexity);
    if (docs->flags != 0) {
        reply_bulk_cstr(reply, "doc_flags");
        reply_set(reply, __builtin_popcount(docs->flags));
        if (docs->flags & DOCS_DEPRECATED) reply_status(reply, "deprecated");
        if (docs->flags & DOCS_SYSCMD) reply_status(reply, "syscmd");
    }
    if (docs->deprecated_since != NULL)
        reply_field(reply, "deprecated_since", docs->deprecated_since);
    if (docs->replaced_by != NULL) reply_field(reply, "replaced_by", docs->replaced_by);
    if (docs->history_count > 0) {
        reply_bulk_cstr(reply, "history");
        reply_set(reply, docs->history_count);
        for (int i = 0; i < docs->history_count; i++) {
            reply_array(reply, 2);
            reply_bulk_cstr(reply, docs->history[i].version);
            reply_bulk_cstr(reply, docs->history[i].text);
        }
    }
    if (docs->argument_count > 0) {
        reply_bulk_cstr(reply, "arguments");
        reply_arguments(reply, docs->arguments, docs->argument_count);
    }
    if (command->subcommand_count > 0) {
        reply_bulk_cstr(reply, "subcommands");
        reply_map(reply, command->subcommand_count);
        for (int i = 0; i < command->subcommand_count; i++)
            reply_docs(reply, &command->subcommands[i]);
    }
}

static int callable_count(const struct command_registry *registry)
{
    int count = 0;

    for (int i = 0; i < command_count; i++)
        count += command_is_callable(registry, &command_table[i]);
    return count;
}

enum err cmd_command(struct call *call)
{
    const struct command_registry *registry = registry_of(call);

    reply_array(call->reply, callable_count(registry));
    for (int i = 0; i < command_count; i++)
        if (command_is_callable(registry, &command_table[i]))
            reply_info(call->reply, &command_table[i]);
    return OK;
}

enum err cmd_command_count(struct call *call)
{
    reply_int64(call->reply, callable_count(registry_of(call)));
    return OK;
}

enum err cmd_command_info(struct call *call)
{
    if (call->argc == 2) return cmd_command(call);

    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        const struct command *command = command_lookup_full(registry_of(call), call->argv[i]);
        if (command == NULL) reply_null(call->reply);
        else reply_info(call->reply, command);
    }
    return OK;
}

enum err cmd_command_docs(struct call *call)
{
    const struct command_registry *registry = registry_of(call);
    size_t position;
    int64_t count = 0;

    if (call->argc == 2) {
        reply_map(call->reply, callable_count(registry));
        for (int i = 0; i < command_count; i++)
            if (command_is_callable(registry, &command_table[i]))
                reply_docs(call->reply, &command_table[i]);
        return OK;
    }
    position = reply_defer(call->reply);
    for (int i = 2; i < call->argc; i++) {
        const struct command *command = command_lookup_full(registry, call->argv[i]);
        if (command == NULL) continue;
        reply_docs(call->reply, command);
        count++;
    }
    reply_settle(call->reply, position, REPLY_MAP, count);
    return OK;
}

/* COMMAND LIST's filters. */
struct list_filter {
    enum { LIST_ALL, LIST_MODULE, LIST_CATEGORY, LIST_PATTERN } by;
    uint32_t category;
    struct span pattern;
};

static bool passes(const struct list_filter *filter, const struct command *command)
{
    switch (filter->by) {
    case LIST_ALL: return true;
    case LIST_MODULE: return false; /* no command here comes from a module */
    case LIST_CATEGORY: return (command->categories & filter->category) != 0;
    case LIST_PATTERN:
        return glob_match(filter->pattern, span_of(command->name, command->name_length), true);
    }
    return false;
}

enum err cmd_command_list(struct call *call)
{
    struct list_filter filter = {.by = LIST_ALL};
    size_t position;
    int64_t count = 0;

    if (call->argc != 2) {
        if (call->argc != 5 || !call_arg_is(call, 2, "filterby")) return ERR_SYNTAX;
        if (call_arg_is(call, 3, "module")) filter.by = LIST_MODULE;
        else if (call_arg_is(call, 3, "aclcat"))
            filter = (struct list_filter){LIST_CATEGORY, command_category_find(call->argv[4]), {0}};
        else if (call_arg_is(call, 3, "pattern"))
            filter = (struct list_filter){LIST_PATTERN, 0, call->argv[4]};
        else return ERR_SYNTAX;
    }
    position = reply_defer(call->reply);
    for (int id = 0; id < command_id_count; id++) {
        const struct command *command = command_by_id(id);
        if (!command_is_callable(registry_of(call), command) || !passes(&filter, command)) continue;
        reply_bulk(call->reply, span_of(command->name, command->name_length));
        count++;
    }
    reply_settle(call->reply, position, REPLY_ARRAY, count);
    return OK;
}

/* Replies to GETKEYS and GETKEYSANDFLAGS: the command under examination begins at argv[2]. */
static enum err reply_keys(struct call *call, bool with_flags)
{
    const struct span *argv = call->argv + 2;
    const struct command *command = command_lookup(registry_of(call), argv[0]);
    struct command_key *keys;
    int argc = call->argc - 2, count;

    if (command != NULL && command->subcommand_count > 0 && argc > 1)
        command = command_find_sub(command, argv[1]);
    if (command == NULL) return call_fail(call, "ERR Invalid command specified");
    if (!command_has_keys(command)) return call_fail(call, "ERR The command has no key arguments");
    if (!command_takes(command, argc))
        return call_fail(call, "ERR Invalid number of arguments specified for command");

    keys = mem_alloc((size_t)argc * sizeof *keys);
    count = command_keys(command, argv, argc, keys, argc);
    if (count <= 0 && !(command->flags & CMD_NO_MANDATORY_KEYS)) {
        mem_free(keys);
        return call_fail(call, "ERR Invalid arguments specified for command");
    }
    reply_array(call->reply, count < 0 ? 0 : count);
    for (int i = 0; i < count; i++) {
        if (with_flags) reply_array(call->reply, 2);
        reply_bulk(call->reply, argv[keys[i].index]);
        if (with_flags) reply_words(call->reply, keys[i].flags, key_flag_word, "");
    }
    mem_free(keys);
    return OK;
}

enum err cmd_command_getkeys(struct call *call)
{
    return reply_keys(call, false);
}
enum err cmd_command_getkeysandflags(struct call *call)
{
    return reply_keys(call, true);
}

enum err cmd_command_help(struct call *call)
{
    static const char *const lines[] = {
        "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "(no subcommand)",
        "    Return details about all Redis commands.",
        "COUNT",
        "    Return the total number of commands in this Redis server.",
        "LIST",
        "    Return a list of all commands in this Redis server.",
        "INFO [<command-name> ...]",
        "    Return details about multiple Redis commands.",
        "    If no command names are given, documentation details for all",
        "    commands are returned.",
        "DOCS [<command-name> ...]",
        "    Return documentation details about multiple Redis commands.",
        "    If no command names are given, documentation details for all",
        "    commands are returned.",
        "GETKEYS <full-command>",
        "    Return the keys from a full Redis command.",
        "GETKEYSANDFLAGS <full-command>",
        "    Return the keys and the access flags from a full Redis command.",
        "HELP",
        "    Prints this help.",
        NULL,
    };
    reply_help(call->reply, lines);
    return OK;
}
