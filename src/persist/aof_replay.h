/* Replays a file of commands: an incr file of the AOF, a base that is no RDB, an old single file.
 *
 *   file: [# lines] command command MULTI command ... EXEC command ...
 *
 * The engine calls aof_replay_run with a budget, between other work; each whole command goes to an
 * executor. Transactions are held back until their EXEC is there: a file that ends within one leaves
 * nothing of it behind. Lines that begin with '#' at a command's start are passed over, and handed on.
 *
 * States:  more --run--> done        everything up to `upto` was executed, or up to what is not wanted
 *               \------> short       the file ends within a command or a transaction: `valid` says where the
 *               |                    last whole one ended
 *               \------> bad         something that is no command stands at `position`
 *               \------> stopped     the executor said no: its reason
 *               \------> failed      the file cannot be read
 *
 * One thread. */
#ifndef PANDO_PERSIST_AOF_REPLAY_H
#define PANDO_PERSIST_AOF_REPLAY_H

#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aof_replay;

struct aof_replay_options {
    /* Runs a command; false ends the replay, with the reason. MULTI and EXEC are passed too, around the
     * commands of a transaction. */
    bool (*run)(void *context, int argc, const struct span *argv, char reason[static 256]);
    /* A line that begins with '#', its end included, and the position behind it. May be NULL. */
    void (*line)(void *context, struct span line, uint64_t end);
    /* Before a command, or the EXEC of a transaction, is run that ends at `end`. May be NULL. false: replay no
     * further (a recovery to a point in time), which is an end as if the file ended before it. */
    bool (*wants)(void *context, struct span name, uint64_t end);
    void *context;
    uint64_t from; /* position of the first command */
    uint64_t upto; /* position of the end; UINT64_MAX: the file's */
};

/* NULL and *error (-errno) where the file cannot be opened. */
struct aof_replay *aof_replay_open(const char *path, const struct aof_replay_options *options,
                                   int *error);
void aof_replay_free(struct aof_replay *replay);

enum aof_replay_state {
    AOF_REPLAY_MORE,
    AOF_REPLAY_DONE,
    AOF_REPLAY_SHORT,
    AOF_REPLAY_BAD,
    AOF_REPLAY_STOPPED,
    AOF_REPLAY_FAILED,
};
/* Goes on for about so many bytes, at least one command. */
enum aof_replay_state aof_replay_run(struct aof_replay *replay, size_t budget_bytes);

struct aof_replay_figures {
    uint64_t position, size; /* read so far; of the file, or upto */
    uint64_t valid;          /* behind the last command or transaction that was executed whole */
    uint64_t commands;
    bool in_transaction;
    char reason[256];
};
const struct aof_replay_figures *aof_replay_figures(const struct aof_replay *replay);

#endif
