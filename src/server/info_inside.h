/* Sections of INFO that have a file of their own. */
#ifndef PANDO_SERVER_INFO_INSIDE_H
#define PANDO_SERVER_INFO_INSIDE_H

#include "base/mem.h"
#include "server/server.h"

struct memory_figures { /* bytes */
    size_t used, rss, peak, startup;
    size_t overhead, dataset; /* what is not data, and the rest of `used` */
    size_t net;               /* used beyond the empty server; never 0 */
    size_t log, sessions, replicas, functions;
    size_t snapshots; /* under way: spools and buffers, and what waits to be freed */
    struct mem_figures allocator;
};
/* Gathers them: as costly as INFO memory. */
void info_memory_figures(struct server *server, struct memory_figures *out);

void info_memory_section(struct server *server, struct buf *out); /* info_memory.c */

#endif
