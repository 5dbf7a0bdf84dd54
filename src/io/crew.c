#include "io/crew.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/socket.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    SPIN_US =
        50, /* that a thread looks for work before it sleeps: what lies between reading and writing */
    SPINS = 32, /* looks between two glances at the clock */
    CALLS_EACH =
        4, /* a sleeping thread is woken for so many calls: waking costs about as much as one */
    FIELD_BITS = 20, /* of the ticket's calls and next call */
};

struct crew {
    _Atomic uint64_t ticket;
    _Atomic int done; /* calls of this round that have their result */
    struct crew_call *calls;

    pthread_mutex_t lock; /* guards the sleep */
    pthread_cond_t wake;
    _Atomic int sleeping;
    _Atomic bool ending;

    int size;
    pthread_t threads[CREW_THREADS_MAX];
};

static uint64_t field(uint64_t ticket, int index)
{
    return ticket >> (index * FIELD_BITS) & ((1U << FIELD_BITS) - 1);
}

static uint64_t round_of(uint64_t ticket)
{
    return ticket >> 2 * FIELD_BITS;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool has_work(uint64_t ticket)
{
    return field(ticket, 0) < field(ticket, 1);
}

/* Takes calls as long as there are. */
static void work(struct crew *crew)
{
    while (has_work(crew->ticket)) {
        uint64_t mine = atomic_fetch_add(&crew->ticket, 1);
        if (!has_work(mine)) return;
        struct crew_call *call = &crew->calls[field(mine, 0)];
        call->result = call->writes ? socket_write(call->fd, call->bytes, call->len)
                                    : socket_read(call->fd, call->bytes, call->len);
        crew->done++;
    }
}

/* Until there is work, or no time left to look for it. */
static bool look(struct crew *crew)
{
    int64_t until_us = clock_monotonic_us() + SPIN_US;

    do {
        for (int i = 0; i < SPINS; i++) {
            if (has_work(crew->ticket)) return true;
            relax();
        }
    } while (clock_monotonic_us() < until_us);
    return false;
}

static void *run(void *context)
{
    struct crew *crew = context;

    pthread_setname_np(pthread_self(), "pando-io");
    while (!crew->ending) {
        if (look(crew)) {
            work(crew);
            continue;
        }
        pthread_mutex_lock(&crew->lock);
        crew->sleeping++; /* before the last look: crew_run looks at it behind the new ticket */
        if (!has_work(crew->ticket) && !crew->ending) pthread_cond_wait(&crew->wake, &crew->lock);
        crew->sleeping--;
        pthread_mutex_unlock(&crew->lock);
    }
    return NULL;
}

struct crew *crew_new(int threads)
{
    struct crew *crew = mem_zalloc(sizeof *crew);
    sigset_t all, before;

    check(threads >= 1 && threads <= CREW_THREADS_MAX);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->wake, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (crew->size < threads) {
        int error = pthread_create(&crew->threads[crew->size], NULL, run, crew);
        if (error != 0) {
            log_warning("Starting an I/O thread: %s", strerror(error));
            break;
        }
        crew->size++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return crew;
}

void crew_free(struct crew *crew)
{
    if (crew == NULL) return;
    pthread_mutex_lock(&crew->lock);
    crew->ending = true;
    pthread_cond_broadcast(&crew->wake);
    pthread_mutex_unlock(&crew->lock);
    for (int i = 0; i < crew->size; i++) pthread_join(crew->threads[i], NULL);
    pthread_mutex_destroy(&crew->lock);
    pthread_cond_destroy(&crew->wake);
    mem_free(crew);
}

int crew_size(const struct crew *crew)
{
    return crew->size;
}

static void wake_some(struct crew *crew, int count)
{
    int wanted = count / CALLS_EACH, sleeping = crew->sleeping;

    if (wanted > sleeping) wanted = sleeping;
    if (wanted == 0) return;
    pthread_mutex_lock(&crew->lock);
    while (wanted-- > 0) pthread_cond_signal(&crew->wake);
    pthread_mutex_unlock(&crew->lock);
}

void crew_run(struct crew *crew, struct crew_call *calls, int count)
{
    uint64_t last_round = round_of(crew->ticket);

    check(count >= 0 && count <= CREW_CALLS_MAX);
    if (count == 0) return;
    crew->calls = calls;
    crew->done = 0;
    crew->ticket = (last_round + 1) << 2 * FIELD_BITS | (uint64_t)count << FIELD_BITS;
    wake_some(crew, count);
    work(crew);
    for (int looks = 0; crew->done < count; looks++) {
        if (looks < SPINS * SPINS) relax();
        else sched_yield(); /* whoever has the last call may be waiting for this core */
    }
}
