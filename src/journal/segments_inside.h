/* What segments.c (files, writing, keeping) and segments_read.c (walking, reading by offset) share. */
#ifndef PANDO_JOURNAL_SEGMENTS_INSIDE_H
#define PANDO_JOURNAL_SEGMENTS_INSIDE_H

#include "journal/segments.h"

#include <pthread.h>

/* A stretch whose mark is worth remembering: reading by offset begins at the last one before. */
struct waypoint {
    uint64_t offset; /* of its first log byte */
    uint64_t at;     /* position of its mark */
};
#define WAYPOINT_EVERY (256 * 1024) /* log bytes between two of them */

struct segment_file {
    struct segment_file *next; /* newer */
    char *path;
    int fd;
    int refs;            /* the list, and each read or sync under way */
    bool retired;        /* ours alone, in the node's folder */
    bool unlinked;       /* deleted: readers go on */
    bool broken;         /* a sync failed */
    uint64_t first, end; /* offsets of what it holds */
    uint64_t end_at;     /* position behind it */
    struct waypoint *waypoints;
    size_t waypoint_count, waypoint_cap;
};

struct segments {
    char *folder;
    pthread_mutex_t lock; /* everything below */
    struct segment_file *oldest, *newest;
    bool can_write; /* the newest is open for writing */
    uint64_t synced;
    /* the stretch being written: of the writer alone */
    struct segment_mark mark;
    uint64_t mark_at, stretch_at, stretch_done;
};

static inline void segments_lock(const struct segments *segments)
{
    pthread_mutex_lock((pthread_mutex_t *)&segments->lock);
}
static inline void segments_unlock(const struct segments *segments)
{
    pthread_mutex_unlock((pthread_mutex_t *)&segments->lock);
}

/* All with the lock held. */
struct segment_file *segment_file_new(const char *path, int fd, uint64_t first);
void segment_file_unref(struct segment_file *file); /* the last one closes and frees */
void segment_file_note(struct segment_file *file, uint64_t offset, uint64_t at); /* a mark */
/* Takes it as the newest; what does not end where it begins is forgotten first. */
void segments_attach(struct segments *segments, struct segment_file *file);
void segments_drop_all(struct segments *segments);

#endif
