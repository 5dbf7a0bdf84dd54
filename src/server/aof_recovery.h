/* Recovery to a point in time: the answer to a wrong FLUSHALL. `--recover-to MOMENT` loads the append only file up to a
 * moment and makes what was loaded the base of a new one, with a history (replication id) of its own. The files from
 * before are left as they are, and the manifest that names them is kept beside the new one. */
#ifndef PANDO_SERVER_AOF_RECOVERY_H
#define PANDO_SERVER_AOF_RECOVERY_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum recovery_kind {
    RECOVER_NOTHING, /* everything is loaded, the log goes on */
    RECOVER_TIME,   /* what was written up to the end of a second, by the time lines of the files */
    RECOVER_OFFSET, /* what ends at or below an offset of the log (master_repl_offset in INFO) */
};

struct recovery {
    enum recovery_kind kind;
    int64_t until; /* Unix seconds, or an offset */

    /* Of what is being read */
    int64_t base_s, first_s,
        time_s;         /* the base's time, the first and the last time line; 0: none yet */
    bool tells_offsets; /* a line that tells an offset was met, the first: */
    uint64_t first_offset;
    bool at_mark;                  /* in this file a mark was met: */
    uint64_t mark_offset, mark_at; /* the log's byte at that position of the file */
    bool reached;                  /* a command lies behind the moment: */
    char left_out[32];             /* the first one's name */
    uint64_t taken;                /* commands that were executed; a transaction is one */
};

/* "2026-11-28T06:52:51Z" (UTC; without Z, or with a blank for the T, local time), Unix seconds, or "offset:N".
 * False: none of these. */
bool recovery_parse(const char *text, struct recovery *out);

/* Hooks of a replay (persist/aof_replay.h). */
void recovery_see_line(struct recovery *recovery, struct span line, uint64_t end);
bool recovery_wants(struct recovery *recovery, struct span name, uint64_t end);
/* At the beginning of a file no offset is known. */
void recovery_begin_file(struct recovery *recovery);
/* Once all is read that may be: whether the files could tell the moment. False with the reason in `why`. */
bool recovery_is_sound(const struct recovery *recovery, char why[static 256]);

#endif
