#include "base/random.h"
#include "cmd/command.h"
#include "cmd/registry.h"
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>

static struct span text(const char *words)
{
    return span_of_cstr(words);
}

/* --- names ------------------------------------------------------------------------------------- */

Test(command, every_row_is_found_by_its_name_in_any_case)
{
    for (int i = 0; i < command_count; i++) {
        const struct command *command = &command_table[i];
        char name[64];

        cr_assert_eq(strlen(command->name), command->name_length);
        for (int mask = 0; mask < 8; mask++) {
            for (int c = 0; c <= command->name_length; c++)
                name[c] = (mask >> c % 3 & 1) ? (char)toupper(command->name[c]) : command->name[c];
            cr_assert_eq(command_find(text(name)), command, "%s", name);
        }
    }
}

Test(command, ids_number_the_rows_and_subcommands_lie_side_by_side)
{
    for (int id = 0; id < command_id_count; id++) {
        const struct command *command = command_by_id(id);

        cr_assert_eq(command->id, id);
        cr_assert_eq(command->container != NULL, strchr(command->name, '|') != NULL);
        cr_assert_eq(command_find_full(text(command->name)), command);
        cr_assert(command->run != NULL || command->subcommand_count > 0, "%s cannot run",
                  command->name);
        for (int i = 0; i < command->subcommand_count; i++)
            cr_assert_eq(command->subcommands[i].container, command);
    }
}

Test(command, what_is_no_name_is_not_found)
{
    static const char *const names[] = {"",  "x",        "commandx", "comman",    "co\rmand",
                                        "|", "command|", "|command", "comm\xe1nd"};
    char noise[40];
    struct random random;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_assert_null(command_find(text(names[i])), "%s", names[i]);
        cr_assert_null(command_find_full(text(names[i])), "%s", names[i]);
    }
    random_seed(&random, 1);
    for (int round = 0; round < 20000; round++) {
        size_t len = random_below(&random, sizeof noise);
        for (size_t c = 0; c < len; c++) noise[c] = (char)random_next(&random);
        cr_assert_null(command_find(span_of(noise, len)));
    }
}

/* A byte that only a blunt folding (or with 0x20) would take for a letter or a dash. */
Test(command, folding_touches_letters_only)
{
    const struct command *command = command_find(text("command"));
    char name[8] = "command";

    for (int at = 0; at < 7; at++) {
        name[at] ^= (char)0x80;
        cr_assert_null(command_find(span_of(name, 7)));
        name[at] ^= (char)0x80;
    }
    cr_assert_eq(command_find(text(name)), command);
}

Test(command, subcommands_are_found_by_their_word)
{
    const struct command *container = command_find(text("command"));

    cr_assert_str_eq(command_find_sub(container, text("GetKeys"))->name, "command|getkeys");
    cr_assert_null(command_find_sub(container, text("getkey")));
    cr_assert_null(command_find_sub(container, text("")));
}

Test(command, arity_counts_the_name)
{
    struct command exact = {.arity = 2}, at_least = {.arity = -2};

    cr_assert(!command_takes(&exact, 1) && command_takes(&exact, 2) && !command_takes(&exact, 3));
    cr_assert(!command_takes(&at_least, 1) && command_takes(&at_least, 2) &&
              command_takes(&at_least, 9));
}

/* --- keys -------------------------------------------------------------------------------------- */

/* The keys of a call given as words, as "word word ..."; "-" where the arguments make no sense. */
static const char *keys_of(const struct key_spec *specs, int count, char *line)
{
    static char found[256];
    size_t len = 0;
    struct command command = {.name = "x", .key_specs = specs, .key_spec_count = count};
    struct command_key keys[32];
    struct span argv[32];
    int argc = 0, n;
    char *rest;

    for (char *word = strtok_r(line, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = text(word);
    n = command_keys(&command, argv, argc, keys, 32);
    if (n < 0) return "-";
    found[0] = '\0';
    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(found + len, sizeof found - len, "%s%s", i > 0 ? " " : "",
                                argv[keys[i].index].ptr);
    return found;
}

#define KEYS_ARE(specs, line, expected)                                                            \
    do {                                                                                           \
        char copy_[] = line;                                                                       \
        cr_assert_str_eq(keys_of(specs, sizeof(specs) / sizeof *(specs), copy_), expected);        \
    } while (0)

Test(command_keys, a_range_ends_where_the_spec_says)
{
    static const struct key_spec one[] = {{.index = 1, .numbers = {0, 1, 0}}};
    static const struct key_spec all[] = {{.index = 1, .numbers = {-1, 1, 0}}};
    static const struct key_spec but_last[] = {{.index = 1, .numbers = {-2, 1, 0}}};
    static const struct key_spec pairs[] = {{.index = 1, .numbers = {-1, 2, 0}}};

    KEYS_ARE(one, "x a b c", "a");
    KEYS_ARE(all, "x a b c", "a b c");
    KEYS_ARE(but_last, "x a b c", "a b");
    KEYS_ARE(pairs, "x a 1 b 2", "a b");
    KEYS_ARE(pairs, "x a 1 b", "a b");
}

Test(command_keys, a_keyword_is_searched_from_either_end)
{
    static const struct key_spec half[] = {
        {.begin = KEYS_BEGIN_AFTER, .index = 1, .keyword = "STREAMS", .numbers = {-1, 1, 2}}};
    static const struct key_spec last[] = {
        {.begin = KEYS_BEGIN_AFTER, .index = -2, .keyword = "KEYS", .numbers = {-1, 1, 0}}};

    KEYS_ARE(half, "x count 1 streams a b 0 0", "a b");
    KEYS_ARE(half, "x count 1", "");
    KEYS_ARE(last, "x h p keys 0 1 KEYS a b", "a b");
    KEYS_ARE(last, "x h p k 0 1", "");
}

Test(command_keys, a_count_must_fit_the_arguments)
{
    static const struct key_spec counted[] = {
        {.find = KEYS_FIND_KEYNUM, .index = 2, .numbers = {0, 1, 1}}};

    KEYS_ARE(counted, "x s 2 a b c", "a b");
    KEYS_ARE(counted, "x s 0 a", "");
    KEYS_ARE(counted, "x s 3 a b", "-");
    KEYS_ARE(counted, "x s -1 a b", "-");
    KEYS_ARE(counted, "x s many a b", "-");
    KEYS_ARE(counted, "x s 9223372036854775807 a b", "-");
}

Test(command_keys, channels_are_no_keys)
{
    static const struct key_spec channel[] = {
        {.flags = KEY_NOT_KEY, .index = 1, .numbers = {-1, 1, 0}}};
    struct command command = {.key_specs = channel, .key_spec_count = 1};

    KEYS_ARE(channel, "x a b", "");
    cr_assert(!command_has_keys(&command));
}

Test(command_keys, more_keys_than_room_are_counted)
{
    static const struct key_spec all[] = {{.index = 1, .numbers = {-1, 1, 0}}};
    struct command command = {.key_specs = all, .key_spec_count = 1};
    struct span argv[] = {SPAN("x"), SPAN("a"), SPAN("b"), SPAN("c")};
    struct command_key keys[1];

    cr_assert_eq(command_keys(&command, argv, 4, keys, 1), 3);
    cr_assert_eq(keys[0].index, 1);
}

/* --- renames ----------------------------------------------------------------------------------- */

Test(registry, a_renamed_command_answers_to_its_new_name_only)
{
    const struct command *command = command_find(text("command"));
    struct command_registry registry;

    command_registry_init(&registry);
    cr_assert_eq(command_lookup(&registry, text("COMMAND")), command);
    cr_assert_eq(command_rename(&registry, text("COMMAND"), text("Table")), RENAME_OK);
    cr_assert_null(command_lookup(&registry, text("command")));
    cr_assert_null(command_lookup_full(&registry, text("command|info")));
    cr_assert_eq(command_lookup(&registry, text("tABLE")), command);
    cr_assert_str_eq(command_lookup_full(&registry, text("table|info"))->name, "command|info");
    cr_assert(command_is_callable(&registry, command));

    cr_assert_eq(command_rename(&registry, text("table"), text("command")), RENAME_OK);
    cr_assert_eq(command_lookup(&registry, text("command")), command);
    cr_assert_null(command_lookup(&registry, text("table")));
    command_registry_release(&registry);
}

Test(registry, an_empty_name_takes_the_command_away)
{
    const struct command *command = command_find(text("command"));
    struct command_registry registry;

    command_registry_init(&registry);
    cr_assert_eq(command_rename(&registry, text("command"), text("")), RENAME_OK);
    cr_assert_null(command_lookup(&registry, text("command")));
    cr_assert(!command_is_callable(&registry, command));
    cr_assert(!command_is_callable(&registry, &command->subcommands[0]));
    cr_assert_eq(command_rename(&registry, text("command"), text("x")), RENAME_UNKNOWN);
    command_registry_release(&registry);
}

Test(registry, a_taken_name_is_refused_and_changes_nothing)
{
    const struct command *get = command_find(text("get")), *set = command_find(text("set"));
    struct command_registry registry;

    command_registry_init(&registry);
    cr_assert_eq(command_rename(&registry, text("nosuch"), text("x")), RENAME_UNKNOWN);
    cr_assert_eq(command_rename(&registry, text("get"), text("SET")), RENAME_TAKEN);
    cr_assert_eq(command_lookup(&registry, text("get")), get);

    cr_assert_eq(command_rename(&registry, text("set"), text("put")), RENAME_OK);
    cr_assert_eq(command_rename(&registry, text("get"), text("Put")), RENAME_TAKEN);
    cr_assert_eq(command_rename(&registry, text("put"), text("get")), RENAME_TAKEN);
    cr_assert_eq(command_lookup(&registry, text("put")), set);
    cr_assert_eq(command_rename(&registry, text("get"), text("set")), RENAME_OK, "it is free");
    cr_assert_eq(command_lookup(&registry, text("set")), get);
    cr_assert_eq(command_rename(&registry, text("put"), text("put")), RENAME_OK);
    command_registry_release(&registry);
}
