#include "io/socket.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void wait_for(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};

    cr_assert_eq(poll(&one, 1, 30000), 1);
}

static int port_of(int fd)
{
    struct socket_name name;

    cr_assert(socket_local_name(fd, &name));
    return name.port;
}

static int connect_to(const char *host, int port, const char *source)
{
    struct socket_address address;
    int fd;

    cr_assert(socket_parse_address(host, port, &address));
    fd = socket_connect_start(&address, source, 0);
    cr_assert_geq(fd, 0);
    wait_for(fd, POLLOUT);
    cr_assert_eq(socket_connect_result(fd), 0);
    return fd;
}

static int accept_one(int listener)
{
    int fd = -1;

    wait_for(listener, POLLIN);
    cr_assert_eq(socket_accept(listener, &fd), SOCKET_ACCEPTED);
    return fd;
}

static void expect_name(const char *text, const struct socket_name *name)
{
    char out[SOCKET_NAME_CHARS];

    cr_assert_eq(socket_format_name(name->host, name->port, out), strlen(text));
    cr_assert_str_eq(out, text);
}

static void try_family(const char *address, const char *form)
{
    int listener = socket_listen_tcp(address, 0, 16, 0), port, client, server;
    struct socket_name name;
    char text[64], bytes[16];
    struct iovec iov[2] = {{"pi", 2}, {"ng", 2}};

    if (socket_family_missing(listener)) cr_skip_test("no such family here");
    cr_assert_geq(listener, 0, "%s", socket_error_text(listener));
    port = port_of(listener);
    cr_assert_eq(socket_accept(listener, &server), SOCKET_ACCEPT_NONE);
    client = connect_to(address, port, address);
    server = accept_one(listener);
    cr_assert(fcntl(server, F_GETFL) & O_NONBLOCK);
    cr_assert(fcntl(server, F_GETFD) & FD_CLOEXEC);

    snprintf(text, sizeof text, form, port);
    cr_assert(socket_local_name(server, &name));
    expect_name(text, &name);
    cr_assert(socket_peer_name(client, &name));
    expect_name(text, &name);
    snprintf(text, sizeof text, form, port_of(client));
    cr_assert(socket_peer_name(server, &name));
    expect_name(text, &name);

    cr_assert_eq(socket_read(server, bytes, sizeof bytes), -EAGAIN);
    cr_assert_eq(socket_writev(client, iov, 2, false), 4);
    wait_for(server, POLLIN);
    cr_assert_eq(socket_read(server, bytes, sizeof bytes), 4);
    cr_assert_eq(memcmp(bytes, "ping", 4), 0);
    close(client);
    wait_for(server, POLLIN);
    cr_assert_eq(socket_read(server, bytes, sizeof bytes), 0);
    close(server);
    close(listener);
}

Test(socket, what_is_held_comes_with_a_push_with_more_or_with_the_end)
{
    struct iovec iov = {"1234", 4};
    char bytes[16];
    int listener = socket_listen_tcp("127.0.0.1", 0, 16, 0);
    int client = connect_to("127.0.0.1", port_of(listener), "127.0.0.1");
    int server = accept_one(listener);

    for (int way = 0; way < 3; way++) {
        cr_assert_eq(socket_writev(client, &iov, 1, true), 4);
        cr_assert_eq(socket_writev(client, &iov, 1, way != 1), 4);
        if (way == 0) socket_push(client);
        if (way == 2) socket_close(client);
        for (size_t got = 0; got < 8;) {
            wait_for(server, POLLIN);
            ssize_t n = socket_read(server, bytes, sizeof bytes);
            cr_assert_gt(n, 0);
            got += (size_t)n;
        }
    }
    socket_close(server);
    socket_close(listener);
}

Test(socket, tcp_over_ipv4)
{
    try_family("127.0.0.1", "127.0.0.1:%d");
}

Test(socket, tcp_over_ipv6)
{
    try_family("::1", "[::1]:%d");
}

Test(socket, what_arrived_before_a_shutdown_can_be_read)
{
    int listener = socket_listen_tcp("127.0.0.1", 0, 16, 0);
    int client = connect_to("127.0.0.1", port_of(listener), "127.0.0.1");
    int server = accept_one(listener);
    char bytes[16];

    cr_assert_eq(socket_write(server, "ping", 4), 4);
    wait_for(client, POLLIN);
    socket_shutdown(client);
    cr_assert_eq(socket_read(client, bytes, sizeof bytes), 4);
    cr_assert_eq(socket_read(client, bytes, sizeof bytes), 0);
    cr_assert_eq(socket_write(client, "pong", 4), -EPIPE);
    wait_for(server, POLLIN);
    cr_assert_eq(socket_read(server, bytes, sizeof bytes), 0);
    close(client);
    close(server);
    close(listener);
}

Test(socket, a_refused_connection_is_told)
{
    int listener = socket_listen_tcp("127.0.0.1", 0, 16, 0), fd;
    struct socket_address address;

    cr_assert(socket_parse_address("127.0.0.1", port_of(listener), &address));
    close(listener);
    fd = socket_connect_start(&address, NULL, 0);
    if (fd >= 0) {
        wait_for(fd, POLLOUT);
        cr_assert_eq(socket_connect_result(fd), -ECONNREFUSED);
        close(fd);
    } else {
        cr_assert_eq(fd, -ECONNREFUSED);
    }
    fd = socket_connect_start(&address, "not an address", 0);
    cr_assert_eq(fd, -EADDRNOTAVAIL);
}

Test(socket, a_port_in_use_is_told)
{
    int listener = socket_listen_tcp("127.0.0.1", 0, 16, 0);

    cr_assert_eq(socket_listen_tcp("127.0.0.1", port_of(listener), 16, 0), -EADDRINUSE);
    cr_assert_str_eq(socket_error_text(-EADDRINUSE), "Address already in use");
    close(listener);
}

Test(socket, options_of_a_connection)
{
    int listener = socket_listen_tcp("127.0.0.1", 0, 16, 0);
    int client = connect_to("127.0.0.1", port_of(listener), NULL), value;
    socklen_t len = sizeof value;

    cr_assert_eq(socket_set_nodelay(client, true), 0);
    cr_assert_eq(getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    cr_assert_neq(value, 0);
    cr_assert_eq(socket_set_keepalive(client, 300), 0);
    cr_assert_eq(getsockopt(client, IPPROTO_TCP, TCP_KEEPIDLE, &value, &len), 0);
    cr_assert_eq(value, 300);
    cr_assert_eq(getsockopt(client, IPPROTO_TCP, TCP_KEEPINTVL, &value, &len), 0);
    cr_assert_eq(value, 100);
    close(client);
    close(listener);
}

Test(socket, a_unix_socket_has_its_path_for_a_name)
{
    char dir[] = "/tmp/pando-socket-XXXXXX", path[64], text[80], bytes[8];
    struct socket_name name;
    struct stat st;
    int listener, client, server;

    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    snprintf(text, sizeof text, "%s:0", path);
    close(socket_listen_unix(path, 0700, 16)); /* leaves a stale one */
    listener = socket_listen_unix(path, 0700, 16);
    cr_assert_geq(listener, 0);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0700);
    client = socket_connect_unix(path);
    cr_assert_geq(client, 0);
    server = accept_one(listener);
    cr_assert(socket_peer_name(server, &name));
    expect_name(text, &name);
    cr_assert(socket_local_name(client, &name));
    expect_name(text, &name);
    cr_assert_eq(socket_set_nodelay(server, true), 0);
    cr_assert_eq(socket_set_keepalive(server, 300), 0);
    cr_assert_eq(socket_write(server, "x", 1), 1);
    cr_assert_eq(socket_read(client, bytes, sizeof bytes), 1);
    close(client);
    cr_assert_eq(socket_write(server, "x", 1), -EPIPE); /* and no signal */
    close(server);
    close(listener);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(dir), 0);
}

Test(socket, nothing_but_a_socket_is_removed_to_listen)
{
    char path[] = "/tmp/pando-socket-XXXXXX", longer[200];
    int fd = mkstemp(path);

    cr_assert_eq(socket_listen_unix(path, 0, 16), -EADDRINUSE);
    cr_assert_eq(access(path, F_OK), 0);
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    cr_assert_eq(socket_listen_unix(longer, 0, 16), -ENAMETOOLONG);
    close(fd);
    unlink(path);
}

Test(socket, a_process_without_descriptors_can_still_refuse)
{
    int listener = socket_listen_tcp("127.0.0.1", 0, 16, 0), fd, fill[256], filled = 0;
    struct rlimit limit = {64, 64};
    struct socket_reserve reserve;
    int first, second;
    char bytes[32];

    first = connect_to("127.0.0.1", port_of(listener), NULL);
    second = connect_to("127.0.0.1", port_of(listener), NULL);
    wait_for(listener, POLLIN);
    socket_reserve_open(&reserve);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((fd = dup(0)) >= 0) fill[filled++] = fd;

    cr_assert_eq(socket_accept(listener, &fd), SOCKET_ACCEPT_FULL);
    cr_assert(socket_shed(listener, &reserve, "-ERR full\r\n", 11));
    wait_for(first, POLLIN);
    cr_assert_eq(socket_read(first, bytes, sizeof bytes), 11);
    cr_assert_eq(socket_read(first, bytes, sizeof bytes), 0);
    cr_assert_geq(reserve.fd, 0); /* held again */

    close(fill[--filled]);
    cr_assert_eq(socket_accept(listener, &fd), SOCKET_ACCEPTED);
    cr_assert_not(socket_shed(listener, &reserve, "x", 1)); /* none waits */
    close(fd);
    while (filled > 0) close(fill[--filled]);
    close(second);
    socket_reserve_close(&reserve);
    close(listener);
    cr_assert_eq(socket_accept(listener, &fd), SOCKET_ACCEPT_FAILED);
}

/* ---- names ----------------------------------------------------------------------------------- */

struct answer {
    int calls, error, count, port;
};

static void answered(void *context, int error, const struct socket_addresses *addresses)
{
    struct answer *answer = context;

    answer->calls++;
    answer->error = error;
    if (addresses == NULL) return;
    answer->count = addresses->count;
    answer->port = ntohs(((const struct sockaddr_in *)&addresses->at[0].storage)->sin_port);
}

Test(socket, names_are_looked_up_on_a_worker)
{
    struct loop *loop = loop_new();
    struct worker *worker = worker_new("names", loop);
    struct answer good = {0}, bad = {0}, cancelled = {0};
    struct socket_address address;

    socket_lookup_start(worker, "127.0.0.1", 6379, answered, &good);
    socket_lookup_cancel(socket_lookup_start(worker, "127.0.0.1", 1, answered, &cancelled));
    socket_lookup_start(worker, "no such name", 1, answered, &bad);
    cr_assert_eq(good.calls, 0);
    while (bad.calls == 0) loop_turn(loop, -1);
    cr_assert_eq(good.calls, 1);
    cr_assert_eq(good.error, 0);
    cr_assert_eq(good.count, 1);
    cr_assert_eq(good.port, 6379);
    cr_assert_eq(cancelled.calls, 0);
    cr_assert_lt(bad.error, 0);
    cr_assert_gt(strlen(socket_error_text(bad.error)), 0);
    cr_assert_not(socket_parse_address("localhost", 1, &address));
    worker_free(worker);
    loop_free(loop);
}
