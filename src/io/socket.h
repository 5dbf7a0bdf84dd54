/* Sockets: TCP over IPv4 and IPv6, and Unix ones. All are non-blocking and close-on-exec.
 *
 * Functions return a descriptor or 0, or an error as a negative number: mostly -errno; failures of
 * name resolution have numbers of their own. socket_error_text() knows both. No function here
 * waits, except socket_resolve, which is meant for a worker (socket_lookup_start does that). */
#ifndef PANDO_IO_SOCKET_H
#define PANDO_IO_SOCKET_H

#include "io/worker.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

/* The system's words for an error of this file: a static string, or one that lasts until this
 * thread's next call. */
const char *socket_error_text(int error);

/* ---- addresses ------------------------------------------------------------------------------- */

struct socket_address {
    struct sockaddr_storage storage;
    socklen_t len;
};
#define SOCKET_ADDRESSES_MAX 8
struct socket_addresses {
    struct socket_address at[SOCKET_ADDRESSES_MAX]; /* in the order to be tried */
    int count;
};

/* A numeric IPv4 or IPv6 address (with %scope if need be); never waits. False for anything else. */
bool socket_parse_address(const char *host, int port, struct socket_address *out);
/* A numeric address or a name; names may wait for servers. `passive`: for bind, where "*" is all of
 * IPv4 and "::*" all of IPv6. 0 or an error. */
int socket_resolve(const char *host, int port, bool passive, struct socket_addresses *out);

/* socket_resolve on a worker. done(context, error, addresses) runs on the worker's loop, then the
 * lookup is freed; addresses last for the call, and are NULL on an error. A numeric host goes the
 * same way, so that `done` never runs inside this call. */
struct socket_lookup;
struct socket_lookup *socket_lookup_start(struct worker *worker, const char *host, int port,
                                          void (*done)(void *context, int error,
                                                       const struct socket_addresses *),
                                          void *context);
/* Before `done` ran, on the loop's thread: it will not be called. The lookup frees itself later. */
void socket_lookup_cancel(struct socket_lookup *lookup);

/* Who is at an end of a socket. For a Unix socket `host` is its path and `port` 0, at both ends. */
struct socket_name {
    char host[112]; /* without brackets; empty where the socket is not connected */
    int port;
};
bool socket_peer_name(int fd, struct socket_name *out);
bool socket_local_name(int fd, struct socket_name *out);
#define SOCKET_NAME_CHARS 128
/* As CLIENT LIST shows it: "ip:port", "[ipv6]:port", "path:0". Zero-terminated; the length. */
size_t socket_format_name(const char *host, int port, char out[static SOCKET_NAME_CHARS]);

/* ---- listening ------------------------------------------------------------------------------- */

/* `address` as in the `bind` directive, without its '-' prefix; port 0 lets the system choose.
 * `mark` is the socket-mark-id (0: none; needs a capability). IPv6 sockets take IPv6 only. The fd
 * or an error; socket_family_missing tells those that a default `bind` passes over. */
int socket_listen_tcp(const char *address, int port, int backlog, uint32_t mark);
bool socket_family_missing(int error);
/* Removes a stale socket of that name first (nothing but a socket). perm 0: as umask has it. */
int socket_listen_unix(const char *path, mode_t perm, int backlog);

/* One connection. *fd is written on SOCKET_ACCEPTED only. */
enum socket_accept {
    SOCKET_ACCEPTED,
    SOCKET_ACCEPT_NONE,   /* none is waiting */
    SOCKET_ACCEPT_FULL,   /* no descriptor or no memory: the connection still waits, and a
                           * level-triggered   loop would spin. Stop watching for a while (a timer),
                           * or   socket_shed. */
    SOCKET_ACCEPT_FAILED, /* the listening socket is of no use (errno tells) */
};
enum socket_accept socket_accept(int listener, int *fd);

/* A descriptor held back, so that a process without free ones can still refuse a connection in
 * words instead of letting it hang in the backlog. */
struct socket_reserve {
    int fd; /* -1: none at the moment */
};
void socket_reserve_open(struct socket_reserve *reserve);
void socket_reserve_close(struct socket_reserve *reserve);
/* After SOCKET_ACCEPT_FULL: takes one waiting connection by means of the reserve, sends it `text`
 * and closes it. False where that did not work or none waits: pause accepting. */
bool socket_shed(int listener, struct socket_reserve *reserve, const char *text, size_t len);

/* ---- connecting ------------------------------------------------------------------------------ */

/* Begins to connect. `source` (bind-source-addr, NULL for any) must be numeric and is passed over
 * where its family differs. The fd, writable once the outcome is known, or an error. */
int socket_connect_start(const struct socket_address *to, const char *source, uint32_t mark);
int socket_connect_result(int fd); /* once writable: 0 or -errno */
int socket_connect_unix(const char *path);

/* ---- options and bytes ----------------------------------------------------------------------- */

int socket_set_nodelay(int fd, bool enabled); /* 0 also on a Unix socket */
/* Probes an idle peer after interval_s, then three times within another interval. */
int socket_set_keepalive(int fd, int interval_s);

/* Bytes moved, or -errno (-EAGAIN: would block). Reading 0 bytes is the peer's end. No SIGPIPE. */
ssize_t socket_read(int fd, void *out, size_t len);
ssize_t socket_write(int fd, const void *ptr, size_t len);
/* With `held` what fills no segment stays in the socket until a write without it, socket_push, the end of the connection or
 * of the process; at most some 200 ms. */
ssize_t socket_writev(int fd, const struct iovec *iov, int count, bool held);
void socket_push(int fd);

/* Ends the connection and keeps the descriptor: what has arrived can be read, then comes the end. */
void socket_shutdown(int fd);
void socket_close(int fd);

#endif
