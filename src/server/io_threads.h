/* I/O threads (io-threads, io-threads-do-reads, io-threads-auto): reading from and writing to clients on several cores.
 *
 * A turn of the loop has three parts then. What is ready is read together: the threads and the engine share the read(2)
 * calls (io/crew.h). The engine executes, alone. What there is to send is written together. Between the shared parts the
 * threads own nothing, so no state of a session is ever seen by two threads.
 *
 *     RESTING --saturated for SATURATED_WINDOWS--> TRIAL --pays--> WORKING
 *        ^ ^-------- does not pay: waits longer ------+               | every CHECK_AGAIN_US: TRIAL
 *        +-------------------------- load has gone -------------------+
 *
 * Whether they are used is measured, with io-threads-auto yes (the default): only a saturated engine with many clients
 * at once has anything to gain, and only where there are cores to spare. A trial runs windows with and without them in
 * turn and compares the commands executed; without a gain it is not repeated for a while, at most a minute. Their number
 * is then io-threads, or where that is 1, which is its default, what fits the cores. With io-threads-auto no it is
 * io-threads exactly, used whenever two calls are due. */
#ifndef PANDO_SERVER_IO_THREADS_H
#define PANDO_SERVER_IO_THREADS_H

#include "io/crew.h"

#include <stdint.h>

struct server;
struct io_threads;

enum {
    IO_ROUND = 128,
    IO_READ_BYTES = 16 * 1024
}; /* calls of a round; room of a read without a buffer of its own */

struct io_threads *io_threads_new(struct server *server);

/* Whether calls are to be made together now. */
bool io_threads_read(const struct server *server);
bool io_threads_write(const struct server *server);
/* The list for a round, IO_ROUND calls, and the buffer of the call with that place, IO_READ_BYTES. */
struct crew_call *io_threads_calls(struct server *server);
char *io_threads_buffer(struct server *server, int place);
void io_threads_run(struct server *server, int count);

/* At the end of a turn, which took so long without the wait. */
void io_threads_turn(struct server *server, int64_t busy_us);

struct io_threads_figures {
    int threads; /* the engine's included, when they are used; 1 where they never are */
    bool active;
    uint64_t reads, writes; /* calls that were made together, since the start or CONFIG RESETSTAT */
};
struct io_threads_figures io_threads_figures(const struct server *server);
void io_threads_reset_figures(struct server *server);

#endif
