/* Threads that make socket calls beside the engine, many at a time (io-threads).
 *
 * The engine lists calls on non-blocking sockets; crew_run returns when each has its result. Whoever is free takes the
 * next call, the engine included, so that a thread which does not get a core delays no more than the one call that it has
 * begun. Between two runs the threads touch nothing: what belongs to the engine needs no lock.
 *
 *     ticket:  round (24 bits) | calls of the round (20) | next call (20)
 *
 * One atomic word says what there is to do. A thread that comes late finds the calls of its round taken, or belongs to the
 * next round; it reads the list only behind a call that it has taken, and the round does not end before that is done. A
 * thread that finds nothing looks on for a moment and then sleeps. */
#ifndef PANDO_IO_CREW_H
#define PANDO_IO_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { CREW_CALLS_MAX = 1024, CREW_THREADS_MAX = 128 };

struct crew_call {
    int fd;
    bool writes;
    char *bytes;
    size_t len;
    ssize_t result; /* of socket_read or socket_write */
};

struct crew;

/* So many threads beside the caller's; the ones that cannot be started are left out (logged). */
struct crew *crew_new(int threads);
void crew_free(struct crew *crew);
int crew_size(const struct crew *crew); /* threads that run */
/* Makes all the calls, at most CREW_CALLS_MAX, in any order. One thread only may call this. */
void crew_run(struct crew *crew, struct crew_call *calls, int count);

#endif
