#include "io/socket.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Errors of getaddrinfo (small negative numbers) are moved out of errno's way. */
#define RESOLVE_ERRORS 100000

const char *socket_error_text(int error)
{
    if (error <= -RESOLVE_ERRORS) return gai_strerror(error + RESOLVE_ERRORS);
    return strerror(-error);
}

/* ---- addresses ------------------------------------------------------------------------------- */

int socket_resolve(const char *host, int port, bool passive, struct socket_addresses *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found, *one;
    char service[NUM_INT64_CHARS + 1];
    int error;

    service[num_format_int64(service, port)] = '\0';
    if (passive) hints.ai_flags |= AI_PASSIVE;
    if (passive && strcmp(host, "*") == 0) {
        hints.ai_family = AF_INET;
        host = NULL;
    } else if (passive && strcmp(host, "::*") == 0) {
        hints.ai_family = AF_INET6;
        host = NULL;
    }
    error = getaddrinfo(host, service, &hints, &found);
    if (error == EAI_SYSTEM) return -errno;
    if (error != 0) return error - RESOLVE_ERRORS;
    out->count = 0;
    for (one = found; one != NULL && out->count < SOCKET_ADDRESSES_MAX; one = one->ai_next) {
        struct socket_address *address = &out->at[out->count++];
        memset(address, 0, sizeof *address);
        memcpy(&address->storage, one->ai_addr, one->ai_addrlen);
        address->len = one->ai_addrlen;
    }
    freeaddrinfo(found);
    return 0;
}

bool socket_parse_address(const char *host, int port, struct socket_address *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    char service[NUM_INT64_CHARS + 1];

    service[num_format_int64(service, port)] = '\0';
    if (getaddrinfo(host, service, &hints, &found) != 0) return false;
    memset(out, 0, sizeof *out);
    memcpy(&out->storage, found->ai_addr, found->ai_addrlen);
    out->len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

struct socket_lookup {
    char *host;
    int port;
    void (*done)(void *context, int error, const struct socket_addresses *addresses);
    void *context;
    int error;
    struct socket_addresses addresses;
};

static void lookup_work(void *context)
{
    struct socket_lookup *lookup = context;

    lookup->error = socket_resolve(lookup->host, lookup->port, false, &lookup->addresses);
}

static void lookup_done(void *context)
{
    struct socket_lookup *lookup = context;

    if (lookup->done != NULL)
        lookup->done(lookup->context, lookup->error,
                     lookup->error == 0 ? &lookup->addresses : NULL);
    mem_free(lookup->host);
    mem_free(lookup);
}

struct socket_lookup *socket_lookup_start(struct worker *worker, const char *host, int port,
                                          void (*done)(void *context, int error,
                                                       const struct socket_addresses *),
                                          void *context)
{
    struct socket_lookup *lookup = mem_zalloc(sizeof *lookup);
    size_t size = strlen(host) + 1;

    lookup->host = mem_alloc(size);
    memcpy(lookup->host, host, size);
    lookup->port = port;
    lookup->done = done;
    lookup->context = context;
    worker_submit(worker, lookup_work, lookup_done, lookup);
    return lookup;
}

void socket_lookup_cancel(struct socket_lookup *lookup)
{
    lookup->done = NULL; /* read on the loop's thread only */
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool name_of(const struct sockaddr_storage *storage, socklen_t len, struct socket_name *out)
{
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)storage;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)storage;
    const struct sockaddr_un *un = (const struct sockaddr_un *)storage;
    size_t path_len;

    switch (storage->ss_family) {
    case AF_INET:
        out->port = ntohs(in4->sin_port);
        return inet_ntop(AF_INET, &in4->sin_addr, out->host, sizeof out->host) != NULL;
    case AF_INET6:
        out->port = ntohs(in6->sin6_port);
        return inet_ntop(AF_INET6, &in6->sin6_addr, out->host, sizeof out->host) != NULL;
    case AF_UNIX:
        if (len <= offsetof(struct sockaddr_un, sun_path)) return false; /* has no name */
        path_len = strnlen(un->sun_path, len - offsetof(struct sockaddr_un, sun_path));
        if (path_len == 0 || path_len >= sizeof out->host) return false;
        memcpy(out->host, un->sun_path, path_len);
        out->host[path_len] = '\0';
        out->port = 0;
        return true;
    default: return false;
    }
}

typedef int query(int fd, struct sockaddr *address, socklen_t *len);

/* What `first` says; of a Unix socket one end has no name, then the other end's serves for both. */
static bool name_by(int fd, query *first, query *second, struct socket_name *out)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;

    out->host[0] = '\0';
    out->port = 0;
    if (first(fd, (struct sockaddr *)&storage, &len) != 0) return false;
    if (name_of(&storage, len, out)) return true;
    len = sizeof storage;
    if (storage.ss_family != AF_UNIX || second(fd, (struct sockaddr *)&storage, &len) != 0)
        return false;
    return name_of(&storage, len, out);
}

bool socket_peer_name(int fd, struct socket_name *out)
{
    return name_by(fd, getpeername, getsockname, out);
}

bool socket_local_name(int fd, struct socket_name *out)
{
    return name_by(fd, getsockname, getpeername, out);
}

size_t socket_format_name(const char *host, int port, char out[static SOCKET_NAME_CHARS])
{
    const char *form = strchr(host, ':') != NULL && host[0] != '/' ? "[%s]:%d" : "%s:%d";
    int len = snprintf(out, SOCKET_NAME_CHARS, form, host, port);

    return len < SOCKET_NAME_CHARS ? (size_t)len : SOCKET_NAME_CHARS - 1;
}

/* ---- listening ------------------------------------------------------------------------------- */

static int new_socket(int family, uint32_t mark)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) return -errno;
    if (mark != 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static int bind_and_listen(int fd, const struct socket_address *address, int backlog)
{
    int yes = 1;

    if (address->storage.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) != 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0) return -errno;
    if (bind(fd, (const struct sockaddr *)&address->storage, address->len) != 0) return -errno;
    if (listen(fd, backlog) != 0) return -errno;
    return 0;
}

int socket_listen_tcp(const char *address, int port, int backlog, uint32_t mark)
{
    struct socket_addresses found;
    int error = socket_resolve(address, port, true, &found);

    for (int i = 0; error == 0 && i < found.count; i++) {
        int fd = new_socket(found.at[i].storage.ss_family, mark);
        int failed = fd < 0 ? fd : bind_and_listen(fd, &found.at[i], backlog);

        if (failed == 0) return fd;
        if (fd >= 0) close(fd);
        /* A name with several addresses: the first that can be had; the last error counts. */
        if (i + 1 == found.count) error = failed;
    }
    return error != 0 ? error : -EADDRNOTAVAIL;
}

bool socket_family_missing(int error)
{
    switch (-error) {
    case EADDRNOTAVAIL:
    case ENOPROTOOPT:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
    case EPFNOSUPPORT:
    case EAFNOSUPPORT: return true;
    default: return false;
    }
}

static int unix_address(const char *path, struct sockaddr_un *out)
{
    size_t len = strlen(path);

    if (len == 0) return -EINVAL;
    if (len >= sizeof out->sun_path) return -ENAMETOOLONG;
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path, path, len);
    return 0;
}

int socket_listen_unix(const char *path, mode_t perm, int backlog)
{
    struct sockaddr_un address;
    struct stat st;
    int fd, error = unix_address(path, &address);

    if (error != 0) return error;
    fd = new_socket(AF_UNIX, 0);
    if (fd < 0) return fd;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) unlink(path);
    /* The permissions stand before anybody can connect. */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        (perm != 0 && chmod(path, perm) != 0) || listen(fd, backlog) != 0) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

enum socket_accept socket_accept(int listener, int *fd)
{
    /* Errors that belong to one connection use it up, so the next is tried; the bound is for a
     * kernel that would report one for ever. */
    for (int tries = 0; tries < 64; tries++) {
        int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (accepted >= 0) {
            *fd = accepted;
            return SOCKET_ACCEPTED;
        }
        switch (errno) {
        case EAGAIN: return SOCKET_ACCEPT_NONE;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM: return SOCKET_ACCEPT_FULL;
        case EBADF:
        case EINVAL:
        case ENOTSOCK:
        case EOPNOTSUPP:
        case EFAULT: return SOCKET_ACCEPT_FAILED;
        default: break; /* ECONNABORTED, EINTR, EPERM (firewall), network errors of accept(2) */
        }
    }
    return SOCKET_ACCEPT_FULL;
}

void socket_reserve_open(struct socket_reserve *reserve)
{
    reserve->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void socket_reserve_close(struct socket_reserve *reserve)
{
    if (reserve->fd >= 0) close(reserve->fd);
    reserve->fd = -1;
}

bool socket_shed(int listener, struct socket_reserve *reserve, const char *text, size_t len)
{
    int fd;
    bool shed;

    if (reserve->fd < 0) {
        socket_reserve_open(reserve);
        if (reserve->fd < 0) return false;
    }
    socket_reserve_close(reserve);
    shed = socket_accept(listener, &fd) == SOCKET_ACCEPTED;
    if (shed) {
        (void)socket_write(fd, text, len); /* a courtesy */
        close(fd);
    }
    socket_reserve_open(reserve);
    return shed;
}

/* ---- connecting ------------------------------------------------------------------------------ */

int socket_connect_start(const struct socket_address *to, const char *source, uint32_t mark)
{
    struct socket_address from;
    int yes = 1, error = 0, fd = new_socket(to->storage.ss_family, mark);

    if (fd < 0) return fd;
    if (source != NULL && *source != '\0') {
        if (!socket_parse_address(source, 0, &from)) error = -EADDRNOTAVAIL;
        else if (from.storage.ss_family == to->storage.ss_family &&
                 (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
                  bind(fd, (struct sockaddr *)&from.storage, from.len) != 0))
            error = -errno;
    }
    if (error == 0 && connect(fd, (const struct sockaddr *)&to->storage, to->len) != 0 &&
        errno != EINPROGRESS && errno != EINTR)
        error = -errno;
    if (error == 0) return fd;
    close(fd);
    return error;
}

int socket_connect_result(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) return -errno;
    return -error;
}

int socket_connect_unix(const char *path)
{
    struct sockaddr_un address;
    int fd, error = unix_address(path, &address);

    if (error != 0) return error;
    fd = new_socket(AF_UNIX, 0);
    if (fd < 0) return fd;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    error = -errno;
    close(fd);
    return error;
}

/* ---- options and bytes ----------------------------------------------------------------------- */

int socket_set_nodelay(int fd, bool enabled)
{
    int value = enabled;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value) == 0) return 0;
    return errno == EOPNOTSUPP || errno == ENOPROTOOPT ? 0 : -errno;
}

int socket_set_keepalive(int fd, int interval_s)
{
    int yes = 1, gap = interval_s >= 3 ? interval_s / 3 : 1, probes = 3;

    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes) != 0) return -errno;
    if (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &interval_s, sizeof interval_s) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &gap, sizeof gap) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) != 0)
        return errno == EOPNOTSUPP || errno == ENOPROTOOPT ? 0 : -errno;
    return 0;
}

ssize_t socket_read(int fd, void *out, size_t len)
{
    ssize_t n;

    do {
        n = recv(fd, out, len, 0);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t socket_write(int fd, const void *ptr, size_t len)
{
    ssize_t n;

    do {
        n = send(fd, ptr, len, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t socket_writev(int fd, const struct iovec *iov, int count, bool held)
{
    struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
    ssize_t n;

    do {
        n = sendmsg(fd, &message, MSG_NOSIGNAL | (held ? MSG_MORE : 0));
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Setting the option sends what is held, also where it is set. */
void socket_push(int fd)
{
    socket_set_nodelay(fd, true);
}

void socket_shutdown(int fd)
{
    (void)shutdown(fd, SHUT_RDWR); /* fails where the other end did it already */
}

void socket_close(int fd)
{
    close(fd);
}
