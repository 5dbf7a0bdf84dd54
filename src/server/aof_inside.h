/* What the files of the append only file's server part share. */
#ifndef PANDO_SERVER_AOF_INSIDE_H
#define PANDO_SERVER_AOF_INSIDE_H

#include "journal/log_writer.h"
#include "persist/manifest.h"
#include "persist/rdb_file.h"
#include "server/aof.h"

#include <limits.h>

#define AOF_FOLDER_CHARS (PATH_MAX - 320) /* leaves room for a file's name */

enum aof_state {
    AOF_OFF,
    AOF_WAITS, /* for a base: the log is written, and counts once the base stands */
    AOF_ON,
};

/* A rewrite under way. */
struct rewrite {
    bool running;
    struct image *image;         /* NULL once the base stands */
    struct rdb_file *file;       /* writes the base */
    struct beginning *beginning; /* of the new incr file; NULL once it stands */
    bool has_base;               /* it stands */
    struct manifest next;        /* the manifest when it is done */
    int64_t started_ms;
};

struct aof {
    struct server *server;
    enum aof_state state;
    struct worker *writer_worker, *sync_worker; /* made when first needed */
    struct segments *segments;
    struct log_writer *writer; /* NULL while off */
    struct manifest manifest;  /* as on disk; while waiting for a base, with the incr files begun */
    int folder_lock;           /* of appenddirname; -1 */
    char folder[AOF_FOLDER_CHARS]; /* its full name, while the lock is held */
    struct rewrite rewrite;
    struct aof_load *load; /* at start */

    bool rewrite_scheduled;
    bool last_rewrite_ok, last_write_ok;
    bool base_wanted; /* a sync failed: the files are not sound before a new base stands */
    int64_t last_rewrite_s, last_try_ms;
    uint64_t rewrites, failures; /* failures: one after another */
    uint64_t base_size;          /* of all files after the last rewrite or load */
    uint64_t closed_size;        /* of the files before the current one */
    uint64_t stalled;            /* times that replies went ahead of a hanging write */
    bool is_stalled;
    /* appendfsync always, as far as it counts now: what tells of a write waits for its sync. */
    bool syncs_all;
    int64_t behind_since_ms; /* writing commands wait since then */
};

/* ---- aof.c ------------------------------------------------------------------------------------- */

/* What appendfsync and no-appendfsync-on-rewrite mean now: also when a rewrite begins or ends. */
void aof_apply_policy(struct aof *aof);

/* ---- aof_files.c ------------------------------------------------------------------------------- */

/* appenddirname/name, by its full name: CONFIG SET dir may change the working directory meanwhile. The folder is taken. */
void aof_path(const struct server *server, const char *name, char out[PATH_MAX]);
/* Makes the folder and takes its lock. False, and the log says why, where that cannot be: another process holds it, say. */
bool aof_take_folder(struct aof *aof);
/* For a node that had no AOF so far: takes the folder and reads what an earlier one left there. False as above. */
bool aof_prepare_alone(struct aof *aof);
/* *found: there is one. False, and the log says why: it cannot be read, or is wrong. */
bool aof_read_manifest(struct aof *aof, bool *found);
/* Puts a manifest in place, durably. 0, or -errno: then the one from before is in place. Any thread. */
int aof_write_manifest(const char *path, const struct manifest *manifest);
void aof_manifest_path(const struct server *server, char out[PATH_MAX]);
/* Deletes or retires the history files that the manifest names, and writes it without them. */
void aof_collect_history(struct aof *aof);
uint64_t aof_size_of(const struct server *server,
                     const char *name); /* bytes, 0 where there is none */
uint64_t aof_size_of_all(const struct aof *aof);

/* ---- aof.c ------------------------------------------------------------------------------------- */

struct worker *aof_worker(struct aof *aof); /* the writer's; it puts manifests in place, too */
void aof_make_writer(struct aof *aof);      /* segments, workers, writer: nothing is written yet */
/* The folder is another one: new files begin there, with a base of their own. */
void aof_begin_elsewhere(struct aof *aof);
/* Says MISCONF, orders a new base or ends the process, as the writer's last failure demands. */
void aof_look_at_failures(struct aof *aof);
uint64_t aof_current_size(const struct aof *aof);
/* A file or id change at the journal's end, with the id and db of now. */
void aof_fill_change(struct aof *aof, struct log_writer_change *change);

/* ---- aof_rewrite.c ----------------------------------------------------------------------------- */

/* Begins an image at the journal's end and, unless the AOF is off, a new incr file there. */
bool aof_start_rewrite(struct aof *aof);
void aof_abort_rewrite(struct aof *aof);

#endif
