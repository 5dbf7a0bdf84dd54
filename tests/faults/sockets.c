/* Calls on TCP sockets. Unix sockets are left alone: by one the harness asks how the server fares. What a call is on:
 * "listening", "served" (a connection that was accepted) or "linked" (one that was made).
 *
 *   kind      calls                                        of what
 *   socket    socket                                       new
 *   connect   connect                                      linked
 *   result    getsockopt(SO_ERROR): how it went            linked
 *   accept    accept4                                      listening
 *   watch     epoll_ctl(EPOLL_CTL_ADD)                     any
 *   receive   recv                                         served, linked
 *   send      send                                         served, linked
 *   feed      sendmsg: log and snapshots for replicas      served
 *
 * These are all calls that src/io makes on sockets, and it makes none of them on files. */
#include "plan.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 4096, /* more than a test has */ RUNS_MAX = 64 };

enum side { UNKNOWN, OTHER, LISTENING, SERVED, LINKED };

static const char *const side_names[] = {
    [LISTENING] = "listening", [SERVED] = "served", [LINKED] = "linked"};

/* What each descriptor is, once it was looked at; close forgets it. */
static _Atomic unsigned char known_sides[DESCRIPTORS_MAX];

/* How each is watched, since bytes that a fault leaves behind are bytes that come later: an edge-triggered watch hears of
 * those. */
static struct watched {
    int set; /* epoll's descriptor; 0: none */
    struct epoll_event event;
} watched[DESCRIPTORS_MAX];

static void know(int fd, enum side side)
{
    if (fd >= 0 && fd < DESCRIPTORS_MAX) known_sides[fd] = (unsigned char)side;
}

static void know_watched(int fd, int set, const struct epoll_event *event)
{
    if (fd < 0 || fd >= DESCRIPTORS_MAX) return;
    watched[fd] = (struct watched){.set = event != NULL ? set : 0};
    if (event != NULL) watched[fd].event = *event;
}

/* What is there is reported once more. */
static void report_again(int fd)
{
    if (fd < DESCRIPTORS_MAX && watched[fd].set != 0)
        NEXT(epoll_ctl)(watched[fd].set, EPOLL_CTL_MOD, fd, &watched[fd].event);
}

static enum side look(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    struct stat st;
    int listening = 0;

    if (fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode)) return OTHER;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) return OTHER;
    if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return OTHER;
    len = sizeof listening;
    if (NEXT(getsockopt)(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening)
        return LISTENING;
    len = sizeof address;
    return getpeername(fd, (struct sockaddr *)&address, &len) == 0 ? SERVED : LINKED;
}

static enum side side_of(int fd)
{
    enum side side;

    if (fd < 0 || fd >= DESCRIPTORS_MAX) return OTHER;
    side = known_sides[fd];
    if (side == UNKNOWN) know(fd, side = look(fd));
    return side;
}

static enum action meet(const char *kind, int fd)
{
    if (!plan_has_sockets()) return PASS;
    enum side side = side_of(fd);
    return side == OTHER ? PASS : plan_meet(kind, side_names[side]);
}

/* ---- descriptors --------------------------------------------------------------------------------- */

EXPORTED int socket(int family, int type, int protocol)
{
    bool tcp = plan_has_sockets() && (family == AF_INET || family == AF_INET6);
    enum action action = tcp ? plan_meet("socket", "new") : PASS;
    int fd;

    if (plan_fails(action)) return -1;
    fd = NEXT(socket)(family, type, protocol);
    plan_end(action);
    return fd;
}

EXPORTED int close(int fd)
{
    know(fd, UNKNOWN);
    know_watched(fd, 0, NULL);
    return NEXT(close)(fd);
}

EXPORTED int accept4(int listener, struct sockaddr *address, socklen_t *len, int flags)
{
    enum action action = meet("accept", listener);
    int fd;

    /* A connection that is reset before it is accepted is used up by the error. */
    if (action == FAIL_ABORTED) {
        fd = NEXT(accept4)(listener, address, len, flags);
        if (fd < 0) return fd;
        NEXT(close)(fd);
    }
    if (plan_fails(action)) return -1;
    fd = NEXT(accept4)(listener, address, len, flags);
    if (fd >= 0 && side_of(listener) == LISTENING) know(fd, SERVED);
    plan_end(action);
    return fd;
}

EXPORTED int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    bool tcp = address->sa_family == AF_INET || address->sa_family == AF_INET6;
    enum action action;
    int result;

    know(fd, tcp ? LINKED : OTHER);
    action = meet("connect", fd);
    if (action != FAIL_EINTR && plan_fails(action)) return -1;
    result = NEXT(connect)(fd, address, len);
    plan_end(action);
    return plan_fails(action) ? -1 : result;
}

EXPORTED int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    bool asked = level == SOL_SOCKET && name == SO_ERROR;
    enum action action = asked ? meet("result", fd) : PASS;
    int result = NEXT(getsockopt)(fd, level, name, value, len);

    if (plan_fails(action)) {
        *(int *)value = errno;
        return 0;
    }
    plan_end(action);
    return result;
}

EXPORTED int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    enum action action = operation == EPOLL_CTL_ADD ? meet("watch", fd) : PASS;
    int result;

    if (plan_fails(action)) return -1;
    result = NEXT(epoll_ctl)(set, operation, fd, event);
    if (result == 0) know_watched(fd, set, operation == EPOLL_CTL_DEL ? NULL : event);
    plan_end(action);
    return result;
}

/* ---- bytes --------------------------------------------------------------------------------------- */

/* The connection ends for both sides, as if something between them had cut it. */
static void cut(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(fd, SHUT_RDWR);
}

static bool fails(enum action action, int fd)
{
    if (action == FAIL_RESET || action == FAIL_PIPE) cut(fd);
    return plan_fails(action);
}

/* Behind the call. */
static void end(enum action action, int fd)
{
    if (action == CUT) cut(fd);
    plan_end(action);
}

EXPORTED ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
    enum action action = meet("receive", fd);
    ssize_t result;

    if (action == FAIL_EAGAIN || action == ONE || action == SHORT) report_again(fd);
    if (fails(action, fd)) return -1;
    if (action != PASS) {
        /* Half of what is there, not half of the room for it. */
        result = NEXT(recv)(fd, bytes, len, flags | MSG_PEEK);
        if (result > 0) len = plan_length(action, (size_t)result);
    }
    result = NEXT(recv)(fd, bytes, len, flags);
    end(action, fd);
    return result;
}

EXPORTED ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    enum action action = meet("send", fd);
    ssize_t result;

    if (fails(action, fd)) return -1;
    result = NEXT(send)(fd, bytes, plan_length(action, len), flags);
    end(action, fd);
    return result;
}

/* The runs of a message up to `len` bytes; returns how many. */
static size_t first_bytes(const struct msghdr *message, size_t len, struct iovec out[RUNS_MAX])
{
    size_t count = 0;

    for (; count < message->msg_iovlen && count < RUNS_MAX && len > 0; count++) {
        out[count] = message->msg_iov[count];
        if (out[count].iov_len > len) out[count].iov_len = len;
        len -= out[count].iov_len;
    }
    return count;
}

EXPORTED ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    enum action action = meet("feed", fd);
    struct msghdr part = *message;
    struct iovec runs[RUNS_MAX];
    size_t len = 0;
    ssize_t result;

    if (fails(action, fd)) return -1;
    for (size_t i = 0; i < message->msg_iovlen; i++) len += message->msg_iov[i].iov_len;
    part.msg_iovlen = first_bytes(message, plan_length(action, len), runs);
    part.msg_iov = runs;
    result = NEXT(sendmsg)(fd, action == PASS ? message : &part, flags);
    end(action, fd);
    return result;
}
