/* Listening, accepting, and what concerns all connections: shared buffers, protected mode, maxclients, pauses. */
#ifndef PANDO_SERVER_NETWORK_H
#define PANDO_SERVER_NETWORK_H

#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

struct server;
struct session;
struct command;
struct parsed;
struct network;

struct network *network_new(struct server *server);
/* Opens all listeners that the configuration names; false (logged) where one that is not optional fails. On failure while
 * running (CONFIG SET port, bind) the former listeners stay. */
bool network_listen(struct server *server);
void network_stop_listening(struct server *server); /* also removes the Unix socket's file */

/* Descriptors for maxclients: raises RLIMIT_NOFILE, or lowers maxclients and says so. */
void network_adjust_open_files(struct server *server);

char *network_read_buffer(struct network *network); /* 64 KB, valid until the next read */
void network_give_buffer(struct network *network,
                         struct buf *buf); /* takes the memory, zeroes *buf */
void network_take_buffer(struct network *network,
                         struct buf *buf); /* an empty one with capacity, for replies */
void network_session_gone(
    struct server *server); /* a descriptor is free again: paused accepts go on */

/* DEBUG and MODULE by enable-debug-command: writes the error and returns false where refused. */
bool network_may_use_protected(struct session *session, const struct command *command);
/* A POST or Host: line is a browser talking to the wrong port: closes and returns true. */
bool network_refuses_http(struct session *session, const struct parsed *request);

/* Whether execution stands still now for a command that writes (or, under CLIENT PAUSE ALL, any). */
bool network_paused(struct server *server, bool writes, int64_t *until_ms);
/* Every cron: ends pauses whose time is over, closes idle sessions (timeout), wakes timed-out blocked ones. */
void network_cron(struct server *server);

#endif
