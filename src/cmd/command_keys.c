/* The keys among the arguments of a command, by its key specs. */
#include "base/num.h"
#include "cmd/command.h"
#include "handlers.h"

struct finding {
    struct command_key *out;
    int count, max;
};

static void found(struct finding *finding, int index, uint32_t flags)
{
    if (finding->count < finding->max)
        finding->out[finding->count] = (struct command_key){index, flags};
    finding->count++;
}

/* Where a spec's keys begin; 0 when its keyword is not there, which is no mistake. */
static int beginning(const struct key_spec *spec, const struct span *argv, int argc)
{
    bool backwards = spec->index < 0;
    int from = backwards ? argc + spec->index : spec->index;

    if (spec->begin == KEYS_BEGIN_AT) return spec->index;
    if (from < 1) return 0;
    for (int i = from; i >= 1 && i < argc; i += backwards ? -1 : 1)
        if (span_is(argv[i], spec->keyword)) return i + 1;
    return 0;
}

static bool find_range(const struct key_spec *spec, int first, int argc, struct finding *finding)
{
    int last = spec->numbers[0], step = spec->numbers[1], limit = spec->numbers[2];

    if (last >= 0) last += first;
    else if (limit <= 1) last += argc;
    else last = first + (argc - first) / limit + last;
    if (last >= argc) return false; /* a missing key cannot be named */
    for (int i = first; i <= last; i += step) found(finding, i, spec->flags);
    return true;
}

static bool find_counted(const struct key_spec *spec, int first, const struct span *argv, int argc,
                         struct finding *finding)
{
    int at = first + spec->numbers[0], step = spec->numbers[2];
    int64_t count;

    if (at >= argc || !num_parse_int64(argv[at], &count) || count < 0) return false;
    first += spec->numbers[1];
    if (count > (argc - first + step - 1) / step) return false;
    for (int i = 0; i < count; i++) found(finding, first + i * step, spec->flags);
    return true;
}

int command_keys(const struct command *command, const struct span *argv, int argc,
                 struct command_key *out, int max)
{
    struct finding finding = {out, 0, max};

    if (command->find_keys != NULL) return command->find_keys(command, argv, argc, out, max);
    for (int i = 0; i < command->key_spec_count; i++) {
        const struct key_spec *spec = &command->key_specs[i];
        bool made_sense = true;
        int first;

        if (spec->flags & KEY_NOT_KEY || spec->begin == KEYS_BEGIN_UNKNOWN) continue;
        first = beginning(spec, argv, argc);
        if (first == 0 || first >= argc) continue;
        if (spec->find == KEYS_FIND_RANGE) made_sense = find_range(spec, first, argc, &finding);
        else if (spec->find == KEYS_FIND_KEYNUM)
            made_sense = find_counted(spec, first, argv, argc, &finding);
        if (!made_sense) return -1;
    }
    return finding.count;
}

bool command_has_keys(const struct command *command)
{
    if (command->find_keys != NULL) return true;
    for (int i = 0; i < command->key_spec_count; i++)
        if (!(command->key_specs[i].flags & KEY_NOT_KEY)) return true;
    return false;
}

/* SET: with GET the old value is read too. Behind an option that takes a value, GET is that value
 * only for a call which fails anyway, so every argument is looked at. */
int command_keys_set(const struct command *command, const struct span *argv, int argc,
                     struct command_key *out, int max)
{
    uint32_t flags = KEY_OW | KEY_UPDATE;

    (void)command;
    for (int i = 3; i < argc; i++)
        if (span_is(argv[i], "get")) flags = KEY_RW | KEY_ACCESS | KEY_UPDATE;
    if (max > 0) out[0] = (struct command_key){1, flags};
    return 1;
}

/* MIGRATE: the third argument or, where that is empty, what stands behind KEYS, which is not to be mistaken for a
 * secret. */
int command_keys_migrate(const struct command *command, const struct span *argv, int argc,
                         struct command_key *out, int max)
{
    const uint32_t flags = KEY_RW | KEY_ACCESS | KEY_DELETE;
    struct finding finding = {out, 0, max};

    (void)command;
    for (int i = 6; i < argc; i++) {
        if (span_is(argv[i], "auth")) i++;
        else if (span_is(argv[i], "auth2")) i += 2;
        else if (span_is(argv[i], "keys")) {
            if (argv[3].len > 0) return -1;
            while (++i < argc) found(&finding, i, flags);
            return finding.count;
        }
    }
    found(&finding, 3, flags);
    return finding.count;
}
