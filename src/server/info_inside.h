/* Sections of INFO that have a file of their own. */
#ifndef PANDO_SERVER_INFO_INSIDE_H
#define PANDO_SERVER_INFO_INSIDE_H

#include "server/server.h"

void info_memory_section(struct server *server, struct buf *out); /* info_memory.c */

#endif
