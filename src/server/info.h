/* INFO: sections of "name:value" lines, in Redis' order and spelling, with true values. */
#ifndef PANDO_SERVER_INFO_H
#define PANDO_SERVER_INFO_H

#include "server/server.h"

/* Appends the sections that the words name ("default", "all", "everything", section names, any case; none: default). */
void info_write(struct server *server, const struct span *words, int count, struct buf *out);

#endif
