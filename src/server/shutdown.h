/* Ending the process: SHUTDOWN, SIGTERM, SIGINT.
 *
 *   shutdown_begin --replicas behind--> waiting (writes paused) --caught up, or shutdown-timeout--> finish
 *                  --nobody behind-------------------------------------------------------------> finish
 *   finish: background save stopped, saved where save points or SAVE ask for it, pid file and socket removed, loop stopped.
 *   A save that fails refuses the shutdown unless FORCE. */
#ifndef PANDO_SERVER_SHUTDOWN_H
#define PANDO_SERVER_SHUTDOWN_H

#include "server/server.h"

enum shutdown_result { SHUTDOWN_REFUSED, SHUTDOWN_WAITS, SHUTDOWN_UNDER_WAY };
enum shutdown_result shutdown_begin(struct server *server, const struct shutdown *wish);
bool shutdown_abort(struct server *server); /* false: none was pending */
void shutdown_cron(struct server *server);  /* every turn of cron while pending */
/* A signal came: wish from shutdown-on-sigterm / -sigint. A second one ends the process at once. */
void shutdown_signal(struct server *server, int signal_number);
int64_t
shutdown_ms_left(const struct server *server); /* -1: none pending; INFO shutdown_in_milliseconds */

#endif
