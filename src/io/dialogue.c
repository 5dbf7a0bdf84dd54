#include "io/dialogue.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

/* Until the socket is ready for it: 0, or -ETIMEDOUT. */
static int wait_for(int fd, short events, int64_t timeout_ms)
{
    struct pollfd wish = {.fd = fd, .events = events};
    int ready;

    do ready = poll(&wish, 1, timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (ready < 0) return -errno;
    return ready == 0 ? -ETIMEDOUT : 0;
}

static int connect_to(const struct socket_address *address, int64_t timeout_ms)
{
    int fd = socket_connect_start(address, NULL, 0), error;

    if (fd < 0) return fd;
    error = wait_for(fd, POLLOUT, timeout_ms);
    if (error == 0) error = socket_connect_result(fd);
    if (error == 0) return fd;
    socket_close(fd);
    return error;
}

int dialogue_open(struct dialogue *dialogue, const struct socket_addresses *addresses,
                  int64_t timeout_ms)
{
    int fd = -EADDRNOTAVAIL;

    dialogue->fd = -1;
    dialogue->from = dialogue->to = 0;
    for (int i = 0; i < addresses->count && fd < 0; i++)
        fd = connect_to(&addresses->at[i], timeout_ms);
    if (fd < 0) return fd;
    socket_set_nodelay(fd, true);
    dialogue->fd = fd;
    return 0;
}

int dialogue_send(struct dialogue *dialogue, struct span bytes, int64_t timeout_ms)
{
    while (bytes.len > 0) {
        ssize_t sent = socket_write(dialogue->fd, bytes.ptr, bytes.len);
        if (sent == -EAGAIN) {
            int error = wait_for(dialogue->fd, POLLOUT, timeout_ms);
            if (error != 0) return error;
            continue;
        }
        if (sent < 0) return (int)sent;
        bytes = span_of(bytes.ptr + sent, bytes.len - (size_t)sent);
    }
    return 0;
}

/* Reads some bytes behind those that are there. */
static int read_more(struct dialogue *dialogue, int64_t timeout_ms)
{
    if (dialogue->from > 0) {
        dialogue->to -= dialogue->from;
        memmove(dialogue->in, dialogue->in + dialogue->from, dialogue->to);
        dialogue->from = 0;
    }
    if (dialogue->to == sizeof dialogue->in) return -EMSGSIZE;
    for (;;) {
        ssize_t got = socket_read(dialogue->fd, dialogue->in + dialogue->to,
                                  sizeof dialogue->in - dialogue->to);
        if (got > 0) {
            dialogue->to += (size_t)got;
            return 0;
        }
        if (got == 0) return -ECONNRESET;
        if (got != -EAGAIN) return (int)got;
        int error = wait_for(dialogue->fd, POLLIN, timeout_ms);
        if (error != 0) return error;
    }
}

int dialogue_read_line(struct dialogue *dialogue, int64_t timeout_ms, struct span *line)
{
    for (;;) {
        const char *begin = dialogue->in + dialogue->from;
        size_t there = dialogue->to - dialogue->from;
        const char *end = there > 0 ? memchr(begin, '\n', there) : NULL;
        if (end != NULL) {
            dialogue->from += (size_t)(end - begin) + 1;
            *line = span_of(begin, (size_t)(end - begin));
            if (line->len > 0 && begin[line->len - 1] == '\r') line->len--;
            return 0;
        }
        int error = read_more(dialogue, timeout_ms);
        if (error != 0) return error;
    }
}

bool dialogue_is_quiet(const struct dialogue *dialogue)
{
    char byte;
    return dialogue->from == dialogue->to && socket_read(dialogue->fd, &byte, 1) == -EAGAIN;
}

void dialogue_close(struct dialogue *dialogue)
{
    if (dialogue->fd >= 0) socket_close(dialogue->fd);
    dialogue->fd = -1;
}
