/* Hooks of the configuration: what has to happen when a directive changes at run time. */
#ifndef PANDO_SERVER_SETUP_H
#define PANDO_SERVER_SETUP_H

struct server;

void setup_hooks(struct server *server);

#endif
