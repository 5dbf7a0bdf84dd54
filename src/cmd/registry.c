#include "cmd/registry.h"
#include "base/mem.h"

void command_registry_init(struct command_registry *registry)
{
    *registry = (struct command_registry){0};
}

void command_registry_release(struct command_registry *registry)
{
    for (int i = 0; i < registry->alias_count; i++) mem_free(registry->aliases[i].name);
    mem_free(registry->aliases);
    mem_free(registry->hidden);
    command_registry_init(registry);
}

static struct command_alias *find_alias(const struct command_registry *registry, struct span name)
{
    for (int i = 0; i < registry->alias_count; i++) {
        struct command_alias *alias = &registry->aliases[i];
        if (span_equal_nocase(name, span_of(alias->name, alias->length))) return alias;
    }
    return NULL;
}

const struct command *command_lookup(const struct command_registry *registry, struct span name)
{
    const struct command *command = command_find(name);
    const struct command_alias *alias;

    if (registry == NULL || registry->hidden == NULL) return command;
    if (command != NULL && !registry->hidden[command->id]) return command;
    alias = find_alias(registry, name);
    return alias == NULL ? NULL : alias->command;
}

const struct command *command_lookup_full(const struct command_registry *registry, struct span name)
{
    const char *bar = name.len == 0 ? NULL : memchr(name.ptr, '|', name.len);
    const struct command *container;
    size_t head;

    if (bar == NULL) return command_lookup(registry, name);
    head = (size_t)(bar - name.ptr);
    container = command_lookup(registry, span_of(name.ptr, head));
    return container == NULL ? NULL
                             : command_find_sub(container, span_of(bar + 1, name.len - head - 1));
}

bool command_is_callable(const struct command_registry *registry, const struct command *command)
{
    if (command->container != NULL) command = command->container;
    if (registry == NULL || registry->hidden == NULL || !registry->hidden[command->id]) return true;
    for (int i = 0; i < registry->alias_count; i++)
        if (registry->aliases[i].command == command) return true;
    return false;
}

static void give_name(struct command_registry *registry, struct span name,
                      const struct command *command)
{
    char *copy;

    if (command_find(name) == command) { /* its own */
        registry->hidden[command->id] = false;
        return;
    }
    copy = mem_alloc(name.len);
    memcpy(copy, name.ptr, name.len);
    if (registry->alias_count == registry->alias_capacity) {
        registry->alias_capacity = 2 * registry->alias_capacity + 4;
        registry->aliases = mem_realloc(registry->aliases, (size_t)registry->alias_capacity *
                                                               sizeof *registry->aliases);
    }
    registry->aliases[registry->alias_count++] = (struct command_alias){copy, name.len, command};
}

enum rename_result command_rename(struct command_registry *registry, struct span name,
                                  struct span new_name)
{
    const struct command *command = command_lookup(registry, name);
    struct command_alias *alias;

    if (command == NULL) return RENAME_UNKNOWN;
    if (registry->hidden == NULL)
        registry->hidden = mem_zalloc((size_t)command_id_count * sizeof(bool));
    alias = find_alias(registry, name);
    if (alias != NULL) { /* renamed before: forget that name */
        mem_free(alias->name);
        *alias = registry->aliases[--registry->alias_count];
    } else {
        registry->hidden[command->id] = true;
    }
    if (new_name.len == 0) return RENAME_OK;
    if (command_lookup(registry, new_name) != NULL) {
        give_name(registry, name, command); /* as it was */
        return RENAME_TAKEN;
    }
    give_name(registry, new_name, command);
    return RENAME_OK;
}
