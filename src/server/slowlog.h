/* The slow log: the last slowlog-max-len calls that took at least slowlog-log-slower-than microseconds. */
#ifndef PANDO_SERVER_SLOWLOG_H
#define PANDO_SERVER_SLOWLOG_H

#include "server/server.h"

struct parsed;

struct slowlog *slowlog_new(void);
void slowlog_maybe_add(struct server *server, const struct session *session,
                       const struct parsed *request, int64_t took_us);

#endif
