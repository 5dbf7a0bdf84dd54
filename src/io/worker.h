/* A thread with a queue of jobs: file I/O, freeing, encoding. Jobs run in order. */
#ifndef PANDO_IO_WORKER_H
#define PANDO_IO_WORKER_H

#include "io/loop.h"
#include <stddef.h>

struct worker;

/* `name` (15 characters at most) shows in ps and gdb. */
struct worker *worker_new(const char *name, struct loop *loop);
/* Runs what is queued, then ends the thread. Pending `done` calls are delivered first if the loop still turns. */
void worker_free(struct worker *worker);

/* Runs work(context) on the worker, then, if not NULL, done(context) on the loop. */
void worker_submit(struct worker *worker, void (*work)(void *), void (*done)(void *), void *context);
size_t worker_pending(const struct worker *worker);

#endif
