/* Peers are listening sockets and socket pairs of the test itself; what they have to say is said
 * before it is read. */
#include "io/dialogue.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { SOON_MS = 20, LONG_MS = 20000 };

static struct dialogue dialogue;
static int peer;

static void begin(void)
{
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    dialogue = (struct dialogue){.fd = ends[0]};
    peer = ends[1];
}

static void end(void)
{
    dialogue_close(&dialogue);
    close(peer);
}

TestSuite(dialogue, .init = begin, .fini = end);

static void say(const char *text)
{
    cr_assert_eq(write(peer, text, strlen(text)), (ssize_t)strlen(text));
}

static void expect_line(const char *text)
{
    struct span line;
    cr_assert_eq(dialogue_read_line(&dialogue, LONG_MS, &line), 0);
    cr_expect(span_equal(line, span_of_cstr(text)), "not %s", text);
}

Test(dialogue, reads_line_by_line)
{
    struct span line;
    say("+OK\r\n-ERR no\n\r\n+ha");
    expect_line("+OK");
    expect_line("-ERR no");
    expect_line("");
    cr_expect_eq(dialogue_read_line(&dialogue, SOON_MS, &line), -ETIMEDOUT);
    say("lf\r\n");
    expect_line("+half");
    cr_expect(dialogue_is_quiet(&dialogue));
}

Test(dialogue, the_longest_line_and_one_that_is_longer)
{
    char text[DIALOGUE_LINE_BYTES_MAX + 2];
    struct span line;
    memset(text, 'x', sizeof text);
    text[DIALOGUE_LINE_BYTES_MAX - 1] = '\n';
    text[DIALOGUE_LINE_BYTES_MAX] = '\0';
    say(text);
    cr_expect_eq(dialogue_read_line(&dialogue, LONG_MS, &line), 0);
    cr_expect_eq(line.len, DIALOGUE_LINE_BYTES_MAX - 1);
    text[DIALOGUE_LINE_BYTES_MAX - 1] = 'x';
    say(text);
    cr_expect_eq(dialogue_read_line(&dialogue, LONG_MS, &line), -EMSGSIZE);
}

Test(dialogue, the_end_of_the_peer)
{
    struct span line;
    say("+last\r\n");
    shutdown(peer, SHUT_RDWR);
    expect_line("+last");
    cr_expect_eq(dialogue_read_line(&dialogue, LONG_MS, &line), -ECONNRESET);
    cr_expect_not(dialogue_is_quiet(&dialogue));
    cr_expect_lt(dialogue_send(&dialogue, SPAN("x"), LONG_MS), 0);
}

Test(dialogue, sends_what_the_peer_takes_and_no_longer_than_it_takes_some)
{
    static char much[8 << 20];
    char some[100];
    cr_expect_eq(dialogue_send(&dialogue, SPAN("PING\r\n"), LONG_MS), 0);
    cr_expect_eq(read(peer, some, sizeof some), 6);
    cr_expect_eq(dialogue_send(&dialogue, span_of(much, sizeof much), SOON_MS), -ETIMEDOUT);
}

Test(dialogue, unasked_bytes_are_noticed)
{
    cr_expect(dialogue_is_quiet(&dialogue));
    say("x");
    cr_expect_not(dialogue_is_quiet(&dialogue));
}

Test(dialogue, takes_the_first_address_that_answers)
{
    struct socket_addresses addresses = {.count = 2};
    struct socket_name name;
    struct dialogue other;
    int listener = socket_listen_tcp("127.0.0.1", 0, 5, 0),
        closed = socket_listen_tcp("127.0.0.1", 0, 5, 0);
    cr_assert(socket_local_name(closed, &name));
    cr_assert(socket_parse_address("127.0.0.1", name.port, &addresses.at[0]));
    cr_assert(socket_local_name(listener, &name));
    cr_assert(socket_parse_address("127.0.0.1", name.port, &addresses.at[1]));
    socket_close(closed);
    cr_expect_eq(dialogue_open(&other, &addresses, LONG_MS), 0);
    dialogue_close(&other);
    addresses.count = 1;
    cr_expect_eq(dialogue_open(&other, &addresses, LONG_MS), -ECONNREFUSED);
    cr_expect_eq(other.fd, -1);
    socket_close(listener);
}
