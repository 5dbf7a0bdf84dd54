/* A node's disk: the log in real files, through struct segments and struct log_writer, and what a crash
 * leaves of them. It stands in the place of src/server/aof.c, aof_rewrite.c and aof_load.c.
 *
 *   manifest   base (an image in memory: durable once it is named) and the paths of the incr files
 *   rewrite    a new incr file at the log's end and an image there; the manifest names the file at once,
 *              the image a random while later. After a full sync both wait for that while, and a crash
 *              before finds the old files.
 *   crash      a killed process loses what is not written; a power cut also what is not synced: the
 *              newest file ends at a random byte in between, sometimes with zeros behind it, as where
 *              a file system had let the file grow first
 *   start      base, files from mark to mark, restore; a torn end as docs/DURABILITY.md says
 *
 * What must hold at a start, besides the data being that of its place in the history
 *   1. What was synced, and after a kill what was written, is there.
 *   2. What was sent to a replica is there, after a kill and under `always`.
 *   3. No replica of a primary that comes back with its disk needs a full sync, unless it is
 *      ahead; under `always` none is. */
#ifndef PANDO_TESTS_SIM_DISK_H
#define PANDO_TESTS_SIM_DISK_H

#include "sim.h"

#include "journal/log_writer.h"

#define DISK_FILES_MAX 64

struct disk {
    enum log_sync sync;
    char folder[64];
    int pace;  /* per cent of the ticks in which it is written */
    int named; /* files so far: for names */

    /* The manifest. */
    bool has_base;
    struct buf base;
    char *paths[DISK_FILES_MAX];
    int count;

    /* While the node runs. */
    struct segments *segments;
    struct log_writer *writer;
    bool waits;          /* the files are no AOF yet: a full sync, no base */
    uint64_t synced_at;  /* position in the newest file that a power cut leaves */
    struct buf new_base; /* of the rewrite under way */
    char *new_path;
    int64_t switch_at_ms; /* 0: none is under way */

    /* What a start is measured by. */
    bool promised;        /* the last stop left an AOF */
    uint64_t least, most; /* offsets in between which it must come back */
    uint64_t sent;        /* to replicas, under the history that stands in the files */
    /* When it stopped, of the log with this id: a crash may lose the line that names a new one. */
    bool was_primary;
    char stopped_id[REPLICATION_ID_LEN + 1];
    char loaded_id[REPLICATION_ID_LEN + 1]; /* what the files said; empty: nothing */
    uint64_t loaded_end;
    char own_id[REPLICATION_ID_LEN + 1]; /* begun by the start */
};

enum disk_stop { DISK_CLEAN, DISK_KILLED, DISK_POWER_CUT };

struct disk *disk_new(struct node *node);
void disk_free(struct disk *disk); /* with its files */
void disk_start(struct node *node);
/* Before the journal goes. */
void disk_stop(struct node *node, enum disk_stop how);
void disk_lose(struct node *node); /* of a node that is down */
void disk_tick(struct node *node);
void disk_id_changed(struct node *node);
void disk_let_go(struct node *node);     /* before journal_adopt */
void disk_began_anew(struct node *node); /* behind it */
void disk_sent(struct node *node, uint64_t offset);
/* Feeds may go up to here. */
uint64_t disk_reach(const struct node *node);
/* The primary answered PSYNC id offset with a full sync. */
void disk_judge_full_sync(struct node *node, struct span id, uint64_t offset);

#endif
