/* Applying the primary's stream: bytes in, commands run, whole units into the log.
 *
 * The stream is RESP commands back to back; a unit is one command, or MULTI ... EXEC. Each command
 * is run as soon as it is whole, except inside MULTI, where commands run when EXEC has arrived: a
 * link that breaks in the middle of a transaction leaves nothing of it behind. After a unit its
 * bytes enter the journal verbatim, so the log's end is what was applied, and nothing else counts.
 *
 * Commands are parsed in lots of APPLY_LOT and run when the lot is complete, so that what each of
 * them needs from memory can be on its way before the first runs.
 *
 * Memory: the part of a unit that is not whole yet is kept here; its maximum is bytes_max. Engine
 * thread only. */
#ifndef PANDO_REPL_APPLY_H
#define PANDO_REPL_APPLY_H

#include "base/err.h"
#include "base/span.h"
#include "journal/journal.h"

struct apply;

enum { APPLY_LOT = 32 };

/* What runs the commands of the stream.
 *
 * `announce` names each command of the lot, in `db` as far as that is known now, by its place (0 to
 * APPLY_LOT - 1); argv lasts until the lot has run. `announced` says that these are all, before the
 * first of them runs. Both may be NULL.
 *
 * `run` gets the place again, or -1 for a command of a unit that began in an earlier lot. MULTI and
 * EXEC are passed too, around the commands of their unit; SELECT, PING and REPLCONF are not: the
 * database is `db`. An error is a command that a replica must not skip: `reason` says why. */
struct apply_executor {
    void (*announce)(void *context, int place, int db, int argc, const struct span *argv);
    void (*announced)(void *context, int count);
    bool (*run)(void *context, int place, int db, int argc, const struct span *argv,
                char reason[static 192]);
    void *context;
    int databases; /* that there are; 0: any */
};

/* The journal is written through journal_append; the caller publishes once per batch. */
struct apply *apply_new(struct journal *journal, const struct apply_executor *executor,
                        size_t bytes_max);
void apply_free(struct apply *apply);
/* Forgets what was read and not applied: the link has gone. */
void apply_reset(struct apply *apply);

struct apply_result {
    bool failed;    /* the stream cannot be followed any further: reason */
    bool getack;    /* it asked for an acknowledgement */
    uint64_t units; /* applied by this call */
    char reason[192];
};
/* Takes all of `bytes`. Units that were whole before a failure stay applied. */
void apply_feed(struct apply *apply, struct span bytes, struct apply_result *result);
size_t apply_pending(const struct apply *apply); /* bytes read and not applied */

#endif
