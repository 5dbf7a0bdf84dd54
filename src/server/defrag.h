/* Defragmentation on the server's side: when it is worth while, and how much time it gets.
 *
 * Once a second the allocator is asked how full its slabs are. A walk over the data begins
 *
 *   - in any case where classes of sizes are less than half full and give back 8 MB or more: so that memory
 *     that was freed comes back to the system;
 *   - with activedefrag yes also as active-defrag-threshold-lower and -ignore-bytes say, and then with as much
 *     effort as active-defrag-cycle-min and -max say.
 *
 * A walk works in slices of a quarter of a millisecond between commands, with pauses in between that make
 * up its share of time. One that gained little is not repeated soon. Pages that become free are returned
 * by the allocator, which takes some ten seconds. */
#ifndef PANDO_SERVER_DEFRAG_H
#define PANDO_SERVER_DEFRAG_H

#include "base/mem_mover.h"
#include "server/server.h"

struct defrag_run {
    struct mem_mover mover; /* its counts are INFO's hits and misses */
    struct mem_survey survey;
    int effort_percent; /* of time; 0: no walk is under way */
    bool preparing;     /* the allocator is being prepared for it, by the reclaimer's thread */
    int64_t next_slice_us, began_us;
    int64_t next_survey_us, pause_us; /* after a walk that gained little */
    uint64_t moved_before;            /* bytes, when the walk began */
    int64_t total_us;                 /* of walks that ended */
};

struct defrag_run *defrag_new(void);
/* Between commands, once per turn. Returns the microseconds until it wants to go on: 0 at once, -1 not at all. */
int64_t defrag_slice(struct server *server);
void defrag_cron(struct server *server); /* looks whether a walk is worth while */
void defrag_reset_figures(struct server *server);
/* The fields of INFO stats. */
void defrag_info(struct server *server, struct buf *out);

#endif
