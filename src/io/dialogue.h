/* A conversation with a server that its caller waits for: send bytes, read lines.
 *
 * Nothing else happens in the calling thread meanwhile; so every step is bounded. `timeout_ms`
 * is how long a step may stand still: it counts anew whenever bytes have moved, as the timeout
 * of MIGRATE does. Errors are negative numbers as in socket.h: -ETIMEDOUT when the time was
 * over, -ECONNRESET when the peer closed. After an error nothing is left to do but to close. */
#ifndef PANDO_IO_DIALOGUE_H
#define PANDO_IO_DIALOGUE_H

#include "base/span.h"
#include "io/socket.h"

#define DIALOGUE_LINE_BYTES_MAX 1024

struct dialogue {
    int fd;          /* -1: closed */
    size_t from, to; /* what of `in` was read and not given out yet */
    char in[DIALOGUE_LINE_BYTES_MAX];
};

/* Connects to the first of the addresses that takes the connection. */
int dialogue_open(struct dialogue *dialogue, const struct socket_addresses *addresses,
                  int64_t timeout_ms);
/* Sends all of it. */
int dialogue_send(struct dialogue *dialogue, struct span bytes, int64_t timeout_ms);
/* The next line, without its end; good until the next call. -EMSGSIZE: longer than
 * DIALOGUE_LINE_BYTES_MAX. */
int dialogue_read_line(struct dialogue *dialogue, int64_t timeout_ms, struct span *line);
/* Whether nothing has come that was not asked for: what an idle connection should look like. */
bool dialogue_is_quiet(const struct dialogue *dialogue);
void dialogue_close(struct dialogue *dialogue);

#endif
