/* MONITOR: a copy of every command, as text, to those who asked. */
#ifndef PANDO_SERVER_MONITOR_H
#define PANDO_SERVER_MONITOR_H

#include "server/server.h"

struct parsed;

void monitor_feed(struct session *session, const struct parsed *request);

#endif
