/* Connections to the targets of MIGRATE, kept for those who move many keys one by one.
 *
 * At most MIGRATE_LINKS_MAX; one that was idle for MIGRATE_LINK_IDLE_MS is closed. Engine thread
 * only. */
#ifndef PANDO_SERVER_MIGRATE_LINKS_H
#define PANDO_SERVER_MIGRATE_LINKS_H

#include "base/buf.h"
#include "io/dialogue.h"

enum {
    MIGRATE_LINKS_MAX = 64,
    MIGRATE_LINK_IDLE_MS = 10000,
};

struct migrate_link {
    struct migrate_link *next;
    struct dialogue dialogue;
    int64_t db; /* that the target has selected; -1: not known */
    int64_t used_ms;
    struct buf name; /* "host:port" as the caller wrote it */
};

struct migrate_links { /* zero-initialised: none */
    struct migrate_link *first;
    size_t count;
};

/* Why there is no connection; the two have texts of their own. */
enum migrate_link_error { MIGRATE_LINK_OK, MIGRATE_LINK_NO_HOST, MIGRATE_LINK_NOT_CONNECTED };

/* The connection to that target: a kept one, unless its target has closed it or said something
 * unasked, or a new one. *link is good until the next call. Resolving a name may wait for as
 * long as the system's resolver does. */
enum migrate_link_error migrate_links_get(struct migrate_links *links, struct span host,
                                          struct span port, int64_t timeout_ms, int64_t now_ms,
                                          struct migrate_link **link);
void migrate_links_drop(struct migrate_links *links, struct migrate_link *link);
void migrate_links_drop_idle(struct migrate_links *links, int64_t now_ms);

#endif
