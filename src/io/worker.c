#include "io/worker.h"

#include "base/check.h"
#include "base/mem.h"
#include "io/slice.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

struct job {
    void (*work)(void *context);
    void (*done)(void *context);
    void *context;
};

struct worker {
    struct loop *loop;
    pthread_t thread;
    char name[16];
    atomic_size_t pending;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t arrived;
    struct job *jobs; /* a ring; cap is a power of two */
    size_t first, count, cap;
    bool ending;
    bool background; /* set before the thread runs */
};

static bool take(struct worker *worker, struct job *job)
{
    bool found;

    pthread_mutex_lock(&worker->lock);
    while (worker->count == 0 && !worker->ending)
        pthread_cond_wait(&worker->arrived, &worker->lock);
    found = worker->count > 0;
    if (found) {
        *job = worker->jobs[worker->first];
        worker->first = (worker->first + 1) & (worker->cap - 1);
        worker->count--;
    }
    pthread_mutex_unlock(&worker->lock);
    return found;
}

static void *run(void *context)
{
    struct worker *worker = context;
    struct job job;

    pthread_setname_np(pthread_self(), worker->name);
    if (worker->background) slice_background();
    mem_thread_register();
    while (take(worker, &job)) {
        job.work(job.context);
        worker->pending--;
        if (job.done != NULL) worker_tell(worker, job.done, job.context);
    }
    return NULL;
}

static struct worker *start(const char *name, struct loop *loop, bool background)
{
    struct worker *worker = mem_zalloc(sizeof *worker);
    sigset_t all, before;
    size_t len = strlen(name);

    check(len < sizeof worker->name);
    memcpy(worker->name, name, len);
    worker->loop = loop;
    worker->background = background;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->arrived, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    check(pthread_create(&worker->thread, NULL, run, worker) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return worker;
}

struct worker *worker_new(const char *name, struct loop *loop)
{
    return start(name, loop, false);
}

struct worker *worker_new_background(const char *name, struct loop *loop)
{
    return start(name, loop, true);
}

void worker_free(struct worker *worker)
{
    if (worker == NULL) return;
    pthread_mutex_lock(&worker->lock);
    worker->ending = true;
    pthread_cond_signal(&worker->arrived);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    if (worker->loop != NULL) loop_run_posted(worker->loop);
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->arrived);
    mem_free(worker->jobs);
    mem_free(worker);
}

static void grow(struct worker *worker)
{
    size_t cap = worker->cap == 0 ? 16 : worker->cap * 2;
    struct job *jobs = mem_alloc(cap * sizeof *jobs);

    for (size_t i = 0; i < worker->count; i++)
        jobs[i] = worker->jobs[(worker->first + i) & (worker->cap - 1)];
    mem_free(worker->jobs);
    worker->jobs = jobs;
    worker->cap = cap;
    worker->first = 0;
}

void worker_submit(struct worker *worker, void (*work)(void *), void (*done)(void *), void *context)
{
    worker->pending++;
    pthread_mutex_lock(&worker->lock);
    if (worker->count == worker->cap) grow(worker);
    worker->jobs[(worker->first + worker->count++) & (worker->cap - 1)] =
        (struct job){work, done, context};
    pthread_cond_signal(&worker->arrived);
    pthread_mutex_unlock(&worker->lock);
}

void worker_tell(struct worker *worker, void (*call)(void *), void *context)
{
    if (worker->loop != NULL) loop_post(worker->loop, call, context);
    else call(context);
}

size_t worker_pending(const struct worker *worker)
{
    return worker->pending;
}
