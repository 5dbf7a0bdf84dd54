/* A load at a steady rate, each latency counted from the moment at which the request was due, not from when it could be sent:
 * a server that stands still for a second is charged for every request of that second. A closed loop such as
 * redis-benchmark's cannot show that. A second, slower stream of single SETs, the probe, can measure what another load costs.
 *
 * usage: rate_load -p PORT [options]
 *   -w WHAT     the load's commands: mixed (half SET, half GET, random keys; the default), set (random keys),
 *               fill (SET of one key after the other), drain (DEL of one key after the other)
 *   -r RATE     commands per second; 0, the default: as fast as the connections go, one request on each
 *   -c COUNT    connections, 50 by default
 *   -b COUNT    commands per request, 1 by default
 *   -d BYTES    of a value, 16 by default; values do not compress
 *   -k KEYS     random keys are key:000000000000 to KEYS - 1
 *   -f FIRST    the first key of fill and drain
 *   -n COUNT    ends after so many commands
 *   -s SECONDS  ends after so long
 *   -q RATE     probes per second, on connections of their own
 *   -e COUNT    waits for so many expired events of keys named due:<unix time in ms>:<anything>, at most 10 s after the end
 *   -y          sleeps between requests, at real-time priority, where another process shares the core; else it spins
 *
 * It also ends at SIGTERM and SIGINT. "ready" is printed when the load begins; at the end one line of name=value: commands
 * answered, hits of GET, changed (keys that DEL removed), the rate that was reached, percentiles in microseconds. An error
 * reply ends it with status 1. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 1024,
    PROBE_CONNECTIONS = 64, /* probes that are late wait side by side, not in a row */
    INPUT_BYTES = 1 << 16,
    REQUEST_BYTES_MAX = 1 << 17,
    VALUE_BYTES_MAX = 1 << 14,
    SPIN_US = 100, /* sleeping costs about as much: shorter waits are spun through */
    GRACE_S = 10,  /* for events that come after the load's end */
};

/* Counts of nanoseconds: each power of two in 256 equal parts, so a percentile is right to 0.4%. */
enum { PART_BITS = 8, PARTS = 1 << PART_BITS, BUCKETS = (64 - PART_BITS) * PARTS };
struct histogram {
    uint64_t counts[BUCKETS], total, max;
};

struct stream;
struct connection {
    struct stream *stream; /* NULL: the subscriber */
    struct connection *next_idle;
    double due_us;     /* of the request under way */
    int fd, replies;   /* replies that the request still waits for */
    bool body_follows; /* the next line is the body of a bulk string */
    size_t held;       /* bytes of an incomplete line */
    char input[INPUT_BYTES];
};

/* Requests that are due every interval_us; one under way on each connection. */
struct stream {
    const char *what;
    double interval_us; /* 0: whenever a connection is idle */
    uint64_t requests, requests_max, answered, hits, changed;
    struct connection *idle;
    struct histogram latencies;
};

struct options {
    const char *what;
    double rate, seconds, probes_per_s;
    uint64_t keys, next_key, commands, events;
    int port, connections, batch, value_bytes;
    bool yields;
};

static struct options options = {
    .what = "mixed", .connections = 50, .batch = 1, .value_bytes = 16, .keys = 1000000};
static struct connection connections[CONNECTIONS_MAX], probers[PROBE_CONNECTIONS], subscriber;
static struct stream load, probe = {.what = "probe", .requests_max = UINT64_MAX};
static struct histogram lateness; /* of expired events */
static uint64_t random_state = 88172645463325252u;
static char noise[2 * VALUE_BYTES_MAX];
static volatile sig_atomic_t interrupted;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static uint64_t next_random(void) /* xorshift */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static void count(struct histogram *histogram, double us)
{
    uint64_t ns = us > 0 ? (uint64_t)(us * 1e3) : 0;
    int shift = ns < PARTS ? 0 : 63 - __builtin_clzll(ns) - PART_BITS + 1;

    histogram->counts[(uint64_t)shift * (PARTS / 2) + (ns >> shift)]++;
    histogram->total++;
    if (ns > histogram->max) histogram->max = ns;
}

static double percentile_us(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)((double)histogram->total * share), seen = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen <= wanted) continue;
        int shift = i < PARTS ? 0 : (int)(i / (PARTS / 2)) - 1;
        return (double)((i - (uint64_t)shift * (PARTS / 2)) << shift) / 1e3;
    }
    return (double)histogram->max / 1e3;
}

static void print_percentiles(const char *prefix, const struct histogram *histogram)
{
    printf(" %sp50=%.1f %sp99=%.1f %sp999=%.1f %smax=%.1f", prefix, percentile_us(histogram, 0.5),
           prefix, percentile_us(histogram, 0.99), prefix, percentile_us(histogram, 0.999), prefix,
           (double)histogram->max / 1e3);
}

/* Writes the next command of `what`, at most `room` bytes; returns its length. */
static int make_command(char *out, size_t room, const char *what)
{
    uint64_t dice = next_random(), key = dice % options.keys;

    if (*what == 'p') return snprintf(out, room, "*3\r\n$3\r\nSET\r\n$5\r\nprobe\r\n$1\r\nx\r\n");
    if (*what == 'm' && dice >> 63)
        return snprintf(out, room, "*2\r\n$3\r\nGET\r\n$16\r\nkey:%012" PRIu64 "\r\n", key);
    if (*what == 'd' || *what == 'f') key = options.next_key++;
    if (*what == 'd')
        return snprintf(out, room, "*2\r\n$3\r\nDEL\r\n$16\r\nkey:%012" PRIu64 "\r\n", key);
    return snprintf(out, room, "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012" PRIu64 "\r\n$%d\r\n%.*s\r\n",
                    key, options.value_bytes, options.value_bytes,
                    noise + (dice >> 32) % VALUE_BYTES_MAX);
}

static void send_request(struct stream *stream, double due_us)
{
    static char bytes[REQUEST_BYTES_MAX];
    struct connection *c = stream->idle;
    int len = 0;

    stream->idle = c->next_idle;
    c->replies = stream == &load ? options.batch : 1;
    for (int i = 0; i < c->replies; i++) {
        len += make_command(bytes + len, sizeof bytes - (size_t)len, stream->what);
    }
    c->due_us = due_us;
    stream->requests++;
    if (write(c->fd, bytes, (size_t)len) != len) fail("write");
}

/* A line without its end. A value has no line end, so each line is a reply, the header of a bulk string or its body. */
static void take_line(struct connection *c, const char *line, double now)
{
    struct stream *stream = c->stream;

    if (stream == NULL) {
        struct timespec t;
        if (strncmp(line, "due:", 4) != 0) return;
        clock_gettime(CLOCK_REALTIME, &t);
        count(&lateness,
              (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3 - strtod(line + 4, NULL) * 1e3);
        return;
    }
    if (!c->body_follows && line[0] == '-') {
        fprintf(stderr, "error reply: %s\n", line);
        exit(1);
    }
    if (!c->body_follows && line[0] == '$' && line[1] != '-') {
        c->body_follows = true;
        return;
    }
    stream->hits += c->body_follows;
    stream->changed += !c->body_follows && line[0] == ':' && line[1] == '1';
    stream->answered++;
    c->body_follows = false;
    if (--c->replies > 0) return;
    count(&stream->latencies, now - c->due_us);
    c->next_idle = stream->idle;
    stream->idle = c;
}

static void take_input(struct connection *c)
{
    ssize_t got = read(c->fd, c->input + c->held, sizeof c->input - c->held);
    char *line = c->input, *end;
    double now = now_us();

    if (got <= 0) fail("read");
    c->held += (size_t)got;
    while ((end = memchr(line, '\n', c->held)) != NULL) {
        *end = '\0';
        if (end > line && end[-1] == '\r') end[-1] = '\0';
        c->held -= (size_t)(end + 1 - line);
        take_line(c, line, now);
        line = end + 1;
    }
    memmove(c->input, line, c->held);
}

static void open_connection(int loop, struct connection *c, struct stream *stream)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    if (epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &event) != 0) fail("epoll_ctl");
    if ((c->stream = stream) == NULL) {
        static const char subscribe[] = "SUBSCRIBE __keyevent@0__:expired\r\n";
        if (write(c->fd, subscribe, sizeof subscribe - 1) < 0) fail("write");
    } else {
        c->next_idle = stream->idle;
        stream->idle = c;
    }
}

/* Sends what is due; returns when the next request is, or infinity where a reply must come first. */
static double send_due(struct stream *stream, double from_us)
{
    while (stream->idle != NULL && stream->requests < stream->requests_max) {
        double now = now_us();
        double due = stream->interval_us > 0
                         ? from_us + (double)stream->requests * stream->interval_us
                         : now;
        if (due > now) return due;
        send_request(stream, due);
    }
    return 1.0 / 0.0;
}

static void wait_for_input(int loop, double until_us)
{
    struct epoll_event events[256];
    double left_us = until_us - now_us();
    struct timespec timeout = {0, 0};
    int ready;

    if (left_us > (options.yields ? 0 : SPIN_US)) {
        if (left_us > 1e5) left_us = 1e5;
        timeout.tv_nsec = (long)(left_us * 1e3);
    }
    ready = epoll_pwait2(loop, events, 256, &timeout, NULL);
    if (ready < 0 && errno != EINTR) fail("epoll_pwait2");
    for (int i = 0; i < ready; i++) take_input(events[i].data.ptr);
}

static bool all_answered(void)
{
    return load.requests == load.requests_max &&
           load.answered == load.requests * (uint64_t)options.batch;
}

static void run(int loop)
{
    double from_us = now_us(),
           end_us = options.seconds > 0 ? from_us + options.seconds * 1e6 : 1.0 / 0.0, took_us;

    while (!interrupted && !all_answered() && now_us() < end_us) {
        double next_us = send_due(&load, from_us);
        double probe_us = options.probes_per_s > 0 ? send_due(&probe, from_us) : end_us;
        if (probe_us < next_us) next_us = probe_us;
        wait_for_input(loop, next_us < end_us ? next_us : end_us);
    }
    took_us = now_us() - from_us;
    end_us = now_us() + GRACE_S * 1e6;
    while (!interrupted && lateness.total < options.events && now_us() < end_us)
        wait_for_input(loop, end_us);

    printf("commands=%" PRIu64 " per_s=%.0f hits=%" PRIu64 " changed=%" PRIu64, load.answered,
           (double)load.answered / took_us * 1e6, load.hits, load.changed);
    print_percentiles("", &load.latencies);
    printf(" probes=%" PRIu64, probe.answered);
    print_percentiles("probe_", &probe.latencies);
    printf(" events=%" PRIu64, lateness.total);
    print_percentiles("late_", &lateness);
    printf("\n");
}

static void read_options(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "p:w:r:c:b:d:k:f:n:s:q:e:y")) != -1) {
        double number = optarg != NULL ? strtod(optarg, NULL) : 0;
        switch (option) {
        case 'p': options.port = (int)number; break;
        case 'w': options.what = optarg; break;
        case 'r': options.rate = number; break;
        case 'c': options.connections = (int)number; break;
        case 'b': options.batch = (int)number; break;
        case 'd': options.value_bytes = (int)number; break;
        case 'k': options.keys = (uint64_t)number; break;
        case 'f': options.next_key = (uint64_t)number; break;
        case 'n': options.commands = (uint64_t)number; break;
        case 's': options.seconds = number; break;
        case 'q': options.probes_per_s = number; break;
        case 'e': options.events = (uint64_t)number; break;
        case 'y': options.yields = true; break;
        default: exit(2);
        }
    }
    if (options.port == 0 || options.connections < 1 || options.connections > CONNECTIONS_MAX ||
        options.batch < 1 || options.keys == 0 || options.value_bytes < 1 ||
        options.value_bytes > VALUE_BYTES_MAX || strchr("msfd", *options.what) == NULL ||
        options.batch * (options.value_bytes + 64) > REQUEST_BYTES_MAX) {
        fprintf(stderr, "rate_load: an option is missing or out of range; the head of rate_load.c "
                        "lists them\n");
        exit(2);
    }
}

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

int main(int argc, char **argv)
{
    int loop = epoll_create1(0);

    read_options(argc, argv);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)('0' + next_random() % 64); /* no line end among them */
    load.what = options.what;
    load.interval_us = options.rate > 0 ? 1e6 / options.rate * options.batch : 0;
    load.requests_max =
        options.commands > 0 ? options.commands / (uint64_t)options.batch : UINT64_MAX;
    probe.interval_us = options.probes_per_s > 0 ? 1e6 / options.probes_per_s : 0;
    for (int i = 0; i < options.connections; i++) open_connection(loop, &connections[i], &load);
    for (int i = 0; i < PROBE_CONNECTIONS && options.probes_per_s > 0; i++)
        open_connection(loop, &probers[i], &probe);
    if (options.events > 0) open_connection(loop, &subscriber, NULL);

    struct sigaction action = {.sa_handler = interrupt};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    prctl(PR_SET_TIMERSLACK, 1); /* sleep for as long as asked, not 50 us more */
    if (options.yields)
        (void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 10});
    printf("ready\n");
    fflush(stdout);
    run(loop);
    return 0;
}
