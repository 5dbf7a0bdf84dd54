/* Between a session and its socket: reading, writing, and both for many sessions together (io_threads.h). */
#ifndef PANDO_SERVER_SESSION_IO_H
#define PANDO_SERVER_SESSION_IO_H

#include "server/session.h"

enum {
    SESSION_UNAUTHENTICATED_BYTES_MAX = 64 * 1024
}; /* of input and output that is kept for a stranger */

/* The loop's call: the socket of a session (context) is ready. */
void session_ready(void *context, unsigned events);

/* Reads from the sessions that were ready and left to be read from together; called before each wait. */
void session_read_all(struct server *server);

#endif
