/* The names by which commands are called: the table's, less what rename-command took away, plus
 * what it gave.
 *
 * Renames stand in the configuration file only, so a registry changes while the server starts and
 * is read-only afterwards. A server without renames pays one test of a pointer for it. Subcommands
 * keep their words. */
#ifndef PANDO_CMD_REGISTRY_H
#define PANDO_CMD_REGISTRY_H

#include "cmd/command.h"

struct command_registry {
    bool *hidden; /* by id: the name in the table no longer calls it; NULL while nothing was renamed
                   */
    struct command_alias {
        char *name;
        size_t length;
        const struct command *command;
    } * aliases;
    int alias_count, alias_capacity;
};

void command_registry_init(struct command_registry *registry);
void command_registry_release(struct command_registry *registry);

enum rename_result { RENAME_OK, RENAME_UNKNOWN, RENAME_TAKEN };
/* An empty new name takes the command away. */
enum rename_result command_rename(struct command_registry *registry, struct span name,
                                  struct span new_name);

/* A command by the name by which it is called now, any case; NULL when there is none. A registry of
 * NULL stands for the table as it is. */
const struct command *command_lookup(const struct command_registry *registry, struct span name);
/* The same by full name: "config|get". */
const struct command *command_lookup_full(const struct command_registry *registry,
                                          struct span name);
/* Whether the command can be called at all. */
bool command_is_callable(const struct command_registry *registry, const struct command *command);

#endif
