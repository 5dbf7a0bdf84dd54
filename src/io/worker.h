/* A thread with a queue of jobs: file I/O, freeing, encoding, name resolution. Jobs run in order.
 *
 * The queue has no bound of its own: whoever submits states how much may be under way. Signals are
 * blocked in the thread, so they reach the engine. */
#ifndef PANDO_IO_WORKER_H
#define PANDO_IO_WORKER_H

#include "io/loop.h"
#include <stddef.h>

struct worker;

/* `name` (15 characters at most) shows in ps and gdb. `loop` is where `done` calls run; NULL: they
 * run on the worker itself. */
struct worker *worker_new(const char *name, struct loop *loop);
/* The same for work that nobody waits for by the millisecond: where the thread shares a core with the engine it
 * gets a smaller part of it and gives it back within a fraction of a millisecond. */
struct worker *worker_new_background(const char *name, struct loop *loop);
/* Runs what is queued, ends the thread, then runs the `done` calls that are still to come. On the
 * loop's thread. Jobs that are still to run may submit further jobs. */
void worker_free(struct worker *worker);

/* Any thread: runs work(context) on the worker, then, if not NULL, done(context) on the loop. */
void worker_submit(struct worker *worker, void (*work)(void *), void (*done)(void *),
                   void *context);
/* Any thread: calls call(context) where `done` calls run, for a job that has more to tell. */
void worker_tell(struct worker *worker, void (*call)(void *), void *context);
size_t worker_pending(const struct worker *worker); /* jobs queued or running */

#endif
