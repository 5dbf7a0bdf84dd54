/* What aof_load.c (from the manifest to the last command) and aof_load_end.c (where the log goes on) share. */
#ifndef PANDO_SERVER_AOF_LOAD_INSIDE_H
#define PANDO_SERVER_AOF_LOAD_INSIDE_H

#include "persist/aof_replay.h"
#include "server/aof_inside.h"
#include "server/aof_recovery.h"

enum phase { EXAMINE, BASE_RDB, BASE_COMMANDS, REPLAY, TAIL, DONE };

struct incr {
    char path[PATH_MAX];
    const char *name; /* the manifest's */
    struct segments_found found;
};

struct aof_load {
    struct aof *aof;
    enum phase phase;
    void (*done)(struct server *server);
    struct incr *incrs;
    int count, current;
    struct aof_replay *replay;
    struct loader *loader;
    uint64_t tail_from, tail_upto;
    int64_t started_ms, file_started_ms;
    bool in_transaction;
    struct recovery recovery;
    int64_t written_ms; /* of the last time line in this file; 0: none */
    bool new_file;      /* the log goes on in a new incr file, which the manifest is to name */
    int new_file_error; /* -errno: it could not be made */
};

/* The files cannot be used, and the log has said why: the process ends. */
__attribute__((noreturn)) void aof_load_give_up(void);

/* ---- aof_load_end.c ----------------------------------------------------------------------------- */

/* The journal takes up what the files say of the log, and the writer stands where it goes on; a file without our
 * lines has no history. */
void aof_load_restore(struct aof_load *load);
/* What was loaded, or is there without an AOF, becomes the base of a new one, with a history of its own. */
void aof_load_begin_anew(struct aof_load *load);
/* The moment is reached, or the end: keeps the manifest of what was read, and begins anew. */
void aof_load_recovered(struct aof_load *load);
/* Everything is executed: the log goes on in its files, the server is no longer loading. Frees `load`. */
void aof_load_finish(struct aof_load *load);
/* Cuts a file at a position, durably. */
void aof_load_cut(const char *path, uint64_t at);
/* Cuts what Redis had appended to a file, and what the next one has taken in. */
void aof_load_cut_replaced(const struct incr *incr);

#endif
