#include "server/io_threads.h"

#include "base/log.h"
#include "base/mem.h"
#include "server/server.h"

#include <sched.h>

enum {
    WINDOW_US = 10 * 1000,
    SATURATED_WINDOWS = 20, /* one after the other, before a trial */
    SATURATED_PERCENT = 90, /* of a window that the engine was at work */
    LEFT_PERCENT = 50,      /* below that, the load has gone */
    CALLS_A_TURN = 8,       /* fewer are not worth sharing */
    TRIAL_WINDOWS = 8,      /* with and without, in turn */
    GAIN_PERCENT = 3,
    CHECK_AGAIN_US = 10 * 1000 * 1000,
    PATIENCE_US = 5 * 1000 * 1000, /* between trials that failed: doubled each time */
    PATIENCE_MAX_US = 60 * 1000 * 1000,
    AUTO_MAX = 8,
};

enum mode { RESTING, TRIAL, WORKING };

struct io_threads {
    struct crew *crew; /* NULL until it is needed */
    struct crew_call calls[IO_ROUND];
    char *buffers;
    struct io_threads_figures figures;

    enum mode mode;
    int saturated;      /* windows in a row */
    int trial_windows;  /* done */
    double rates[2];    /* sums over the trial's windows: without, with */
    int64_t not_before; /* the next trial */
    int64_t patience_us;

    struct { /* the window that runs */
        int64_t from_us, busy_us;
        uint64_t commands, reads, turns;
    } window;
};

/* Of a machine with two cores the second is the clients' or the kernel's. */
static int fitting_cores(void)
{
    cpu_set_t cores;

    if (sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
    int count = CPU_COUNT(&cores);
    if (count <= 2) return 1;
    count = count * 3 / 4;
    return count < AUTO_MAX ? count : AUTO_MAX;
}

struct io_threads *io_threads_new(struct server *server)
{
    const struct config *config = server->config;
    struct io_threads *io = mem_zalloc(sizeof *io);

    io->figures.threads = (int)config->io_threads;
    if (config->io_threads_auto && config->io_threads == 1) io->figures.threads = fitting_cores();
    io->patience_us = PATIENCE_US;
    return io;
}

static void set_active(struct io_threads *io, bool active)
{
    io->figures.active = active;
    if (!active || io->crew != NULL) return;
    io->crew = crew_new(io->figures.threads - 1);
    io->buffers = mem_alloc((size_t)IO_ROUND * IO_READ_BYTES);
}

/* ---- rounds ----------------------------------------------------------------------------------- */

bool io_threads_write(const struct server *server)
{
    return server->io_threads->figures.active;
}

bool io_threads_read(const struct server *server)
{
    const struct config *config = server->config;

    return io_threads_write(server) && (config->io_threads_auto || config->io_threads_do_reads);
}

struct crew_call *io_threads_calls(struct server *server)
{
    return server->io_threads->calls;
}

char *io_threads_buffer(struct server *server, int place)
{
    return server->io_threads->buffers + (size_t)place * IO_READ_BYTES;
}

void io_threads_run(struct server *server, int count)
{
    struct io_threads *io = server->io_threads;

    crew_run(io->crew, io->calls, count);
    for (int i = 0; i < count; i++)
        if (io->calls[i].writes) io->figures.writes++;
        else io->figures.reads++;
}

/* ---- whether it pays -------------------------------------------------------------------------- */

static void begin_window(struct server *server)
{
    struct io_threads *io = server->io_threads;

    io->window.from_us = server->now_mono_us;
    io->window.busy_us = 0;
    io->window.turns = 0;
    io->window.commands = server->stats.commands_processed;
    io->window.reads = server->stats.reads_processed;
}

static void rest(struct io_threads *io)
{
    io->mode = RESTING;
    io->saturated = 0;
    set_active(io, false);
}

static void end_trial(struct server *server)
{
    struct io_threads *io = server->io_threads;
    bool pays = io->rates[1] * 100 > io->rates[0] * (100 + GAIN_PERCENT);

    log_verbose("I/O threads: %.0f commands a second with %d threads, %.0f with one",
                io->rates[1] * 2 / TRIAL_WINDOWS, io->figures.threads,
                io->rates[0] * 2 / TRIAL_WINDOWS);
    if (pays) {
        io->mode = WORKING;
        io->patience_us = PATIENCE_US;
        io->not_before = server->now_mono_us + CHECK_AGAIN_US;
        set_active(io, true);
        return;
    }
    rest(io);
    io->not_before = server->now_mono_us + io->patience_us;
    io->patience_us *= 2;
    if (io->patience_us > PATIENCE_MAX_US) io->patience_us = PATIENCE_MAX_US;
}

static void begin_trial(struct io_threads *io)
{
    io->mode = TRIAL;
    io->trial_windows = 0;
    io->rates[0] = io->rates[1] = 0;
    set_active(io, false);
}

static void end_window(struct server *server, int64_t elapsed_us)
{
    struct io_threads *io = server->io_threads;
    double commands = (double)(server->stats.commands_processed - io->window.commands);
    uint64_t reads = server->stats.reads_processed - io->window.reads;
    int64_t busy = io->window.busy_us * 100 / elapsed_us;
    bool many = reads >= io->window.turns * CALLS_A_TURN;

    switch (io->mode) {
    case RESTING:
        if (!many || busy < SATURATED_PERCENT) io->saturated = 0;
        else if (++io->saturated >= SATURATED_WINDOWS && server->now_mono_us >= io->not_before)
            begin_trial(io);
        return;
    case TRIAL:
        if (!io->figures.active && (!many || busy < SATURATED_PERCENT)) {
            rest(io); /* the load has gone: nothing can be said */
            return;
        }
        io->rates[io->figures.active] += commands * 1e6 / (double)elapsed_us;
        if (++io->trial_windows == TRIAL_WINDOWS) end_trial(server);
        else set_active(io, !io->figures.active);
        return;
    case WORKING:
        if (busy < LEFT_PERCENT) rest(io);
        else if (server->now_mono_us >= io->not_before) begin_trial(io);
        return;
    }
}

void io_threads_turn(struct server *server, int64_t busy_us)
{
    struct io_threads *io = server->io_threads;

    if (io->figures.threads == 1) return;
    if (!server->config->io_threads_auto) {
        set_active(io, true);
        return;
    }
    int64_t elapsed_us = server->now_mono_us - io->window.from_us;
    if (elapsed_us >= WINDOW_US) {
        if (io->window.turns > 0) end_window(server, elapsed_us);
        begin_window(server);
    }
    io->window.busy_us += busy_us;
    io->window.turns++;
}

/* ---- figures ---------------------------------------------------------------------------------- */

struct io_threads_figures io_threads_figures(const struct server *server)
{
    return server->io_threads->figures;
}

void io_threads_reset_figures(struct server *server)
{
    server->io_threads->figures.reads = server->io_threads->figures.writes = 0;
}
