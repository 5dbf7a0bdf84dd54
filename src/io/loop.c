#include "io/loop.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX     1024
#define RETRY_DELAY_US 100000 /* after the kernel had no memory for a watch */

struct post {
    void (*call)(void *context);
    void *context;
};

struct watches {
    struct watch **at;
    int count, cap;
};

/* The events that one wait returned. Turns can nest, so batches form a stack; a removed watch is
 * wiped from all of them. */
struct batch {
    struct epoll_event events[EVENTS_MAX];
    int next, count;
    struct batch *outer;
};

struct loop {
    int epoll_fd;
    int wake_fd; /* eventfd, edge-triggered: it is never read */
    struct batch *batch;
    bool sparse_kernel; /* the last epoll_ctl found no memory */
    bool old_kernel;    /* no epoll_pwait2: waits are rounded up to milliseconds */

    struct watches lists[WATCH_LISTS];

    struct timer **heap; /* binary heap by at_us */
    int heap_count, heap_cap;
    int64_t fired_us; /* the time up to which timers were fired */

    int64_t (*before)(void *context);
    void *before_context;
    void (*after)(void *context);
    void *after_context;
    atomic_bool stop;

    pthread_mutex_t lock; /* guards the ring below */
    struct post *posts;
    size_t post_first, post_cap; /* cap is a power of two */
    atomic_size_t post_count;
};

struct loop *loop_new(void)
{
    struct loop *loop = mem_zalloc(sizeof *loop);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(loop->epoll_fd >= 0 && loop->wake_fd >= 0);
    check(epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) == 0);
    pthread_mutex_init(&loop->lock, NULL);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) return;
    check(loop->batch == NULL);
    loop_run_posted(loop);
    close(loop->wake_fd);
    close(loop->epoll_fd);
    pthread_mutex_destroy(&loop->lock);
    for (int i = 0; i < WATCH_LISTS; i++) mem_free(loop->lists[i].at);
    mem_free(loop->heap);
    mem_free(loop->posts);
    mem_free(loop);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void join(struct loop *loop, enum watch_list which, struct watch *watch)
{
    struct watches *list = &loop->lists[which];

    if (watch->places[which] != 0) return;
    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 64 : list->cap * 2;
        list->at = mem_realloc(list->at, (size_t)list->cap * sizeof *list->at);
    }
    list->at[list->count++] = watch;
    watch->places[which] = list->count;
}

static void leave(struct loop *loop, enum watch_list which, struct watch *watch)
{
    struct watches *list = &loop->lists[which];
    int32_t place = watch->places[which];

    if (place == 0) return;
    check(list->at[place - 1] == watch);
    struct watch *last = list->at[--list->count];
    list->at[place - 1] = last;
    last->places[which] = place;
    watch->places[which] = 0;
}

static void note(struct loop *loop, struct watch *watch)
{
    if (watch->wants != watch->known) join(loop, WATCH_LAZY, watch);
}

void loop_again(struct loop *loop, struct watch *watch)
{
    if (watch->active) join(loop, WATCH_AGAIN, watch);
}

void loop_add(struct loop *loop, struct watch *watch)
{
    check(!watch->active && watch->fd >= 0);
    watch->active = true;
    watch->known = 0;
    watch->hung_up = false;
    for (int i = 0; i < WATCH_LISTS; i++) watch->places[i] = 0;
    note(loop, watch);
}

void loop_want(struct loop *loop, struct watch *watch, unsigned wants)
{
    check(watch->active);
    watch->wants = wants;
    note(loop, watch);
}

void loop_remove(struct loop *loop, struct watch *watch)
{
    if (!watch->active) return;
    for (int i = 0; i < WATCH_LISTS; i++) leave(loop, i, watch);
    if (watch->known != 0) check(epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL) == 0);
    watch->known = 0;
    watch->active = false;
    for (struct batch *batch = loop->batch; batch != NULL; batch = batch->outer)
        for (int i = batch->next; i < batch->count; i++)
            if (batch->events[i].data.ptr == watch) batch->events[i].data.ptr = NULL;
}

/* Tells the kernel what one watch wants. False where it has no memory for it. */
static bool tell(struct loop *loop, struct watch *watch)
{
    struct epoll_event event = {.data.ptr = watch};
    int operation = EPOLL_CTL_MOD;

    if (watch->wants == watch->known) return true;
    if (watch->wants & LOOP_READ) event.events |= EPOLLIN;
    if (watch->wants & LOOP_WRITE) event.events |= EPOLLOUT;
    if (watch->edge && watch->wants == LOOP_READ) event.events |= EPOLLET | EPOLLRDHUP;
    if (watch->known == 0) operation = EPOLL_CTL_ADD;
    /* Out of the set rather than no interest: errors and hang-ups are reported even then. */
    if (watch->wants == 0) operation = EPOLL_CTL_DEL;
    if (epoll_ctl(loop->epoll_fd, operation, watch->fd, &event) != 0) {
        check(errno == ENOMEM || errno == ENOSPC);
        return false;
    }
    watch->known = watch->wants;
    return true;
}

static void tell_all(struct loop *loop)
{
    struct watches *lazy = &loop->lists[WATCH_LAZY];

    for (int i = lazy->count - 1; i >= 0; i--)
        if (tell(loop, lazy->at[i])) leave(loop, WATCH_LAZY, lazy->at[i]);
    if (lazy->count > 0 && !loop->sparse_kernel)
        log_warning("The kernel refuses to watch %d more descriptors (memory or "
                    "fs.epoll.max_user_watches); trying again every 100 ms",
                    lazy->count);
    loop->sparse_kernel = lazy->count > 0;
}

static void dispatch(struct loop *loop, struct batch *batch)
{
    while (batch->next < batch->count) {
        struct epoll_event *event = &batch->events[batch->next++];
        struct watch *watch = event->data.ptr;
        unsigned events = 0;

        if (watch == NULL) continue; /* removed meanwhile, or the wake-up */
        if (event->events & (EPOLLERR | EPOLLHUP)) events = LOOP_READ | LOOP_WRITE;
        if (event->events & EPOLLIN) events |= LOOP_READ;
        if (event->events & EPOLLOUT) events |= LOOP_WRITE;
        events &= watch->wants;
        if (events == 0) continue;
        if (watch->edge && event->events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
            watch->hung_up |= (event->events & (EPOLLHUP | EPOLLRDHUP)) != 0;
            loop_again(loop, watch); /* for the end, behind the last bytes */
        }
        watch->ready(watch->context, events);
    }
}

/* Those of which the last turn left something. From the back, since whoever is listed anew meanwhile stands there, and has
 * its turn in the next one. */
static void dispatch_again(struct loop *loop, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        if (i >= loop->lists[WATCH_AGAIN].count) continue; /* some were removed */
        struct watch *watch = loop->lists[WATCH_AGAIN].at[i];
        leave(loop, WATCH_AGAIN, watch);
        if (!(watch->wants & LOOP_READ)) continue;
        if (watch->hung_up) loop_again(loop, watch); /* the end may be more than one read away */
        watch->ready(watch->context, LOOP_READ);
    }
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void place(struct loop *loop, int index, struct timer *timer)
{
    loop->heap[index] = timer;
    timer->heap_index = index;
}

static void sift_up(struct loop *loop, int index, struct timer *timer)
{
    while (index > 0 && loop->heap[(index - 1) / 2]->at_us > timer->at_us) {
        place(loop, index, loop->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    place(loop, index, timer);
}

static void sift_down(struct loop *loop, int index, struct timer *timer)
{
    for (int child = 2 * index + 1; child < loop->heap_count; child = 2 * index + 1) {
        if (child + 1 < loop->heap_count && loop->heap[child + 1]->at_us < loop->heap[child]->at_us)
            child++;
        if (loop->heap[child]->at_us >= timer->at_us) break;
        place(loop, index, loop->heap[child]);
        index = child;
    }
    place(loop, index, timer);
}

void timer_init(struct timer *timer, void (*fire)(void *), void *context)
{
    *timer = (struct timer){.fire = fire, .context = context, .heap_index = -1};
}

void loop_arm(struct loop *loop, struct timer *timer, int64_t delay_us)
{
    loop_disarm(loop, timer);
    timer->at_us = clock_monotonic_us() + (delay_us > 0 ? delay_us : 0);
    if (timer->at_us <= loop->fired_us) timer->at_us = loop->fired_us + 1;
    if (loop->heap_count == loop->heap_cap) {
        loop->heap_cap = loop->heap_cap == 0 ? 64 : loop->heap_cap * 2;
        loop->heap = mem_realloc(loop->heap, (size_t)loop->heap_cap * sizeof *loop->heap);
    }
    sift_up(loop, loop->heap_count++, timer);
}

void loop_disarm(struct loop *loop, struct timer *timer)
{
    int index = timer->heap_index;
    struct timer *last;

    if (index < 0) return;
    check(index < loop->heap_count && loop->heap[index] == timer);
    timer->heap_index = -1;
    last = loop->heap[--loop->heap_count];
    if (last == timer) return;
    if (index > 0 && loop->heap[(index - 1) / 2]->at_us > last->at_us) sift_up(loop, index, last);
    else sift_down(loop, index, last);
}

static void fire_due(struct loop *loop)
{
    int64_t now;

    if (loop->heap_count == 0) return;
    now = clock_monotonic_us();
    loop->fired_us = now;
    while (loop->heap_count > 0 && loop->heap[0]->at_us <= now) {
        struct timer *timer = loop->heap[0];
        loop_disarm(loop, timer);
        timer->fire(timer->context);
    }
}

/* ---- posts ----------------------------------------------------------------------------------- */

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t n;

    do {
        n = write(loop->wake_fd, &one, sizeof one);
    } while (n < 0 && errno == EINTR);
}

void loop_post(struct loop *loop, void (*call)(void *), void *context)
{
    size_t count;

    pthread_mutex_lock(&loop->lock);
    count = loop->post_count;
    if (count == loop->post_cap) {
        size_t cap = count == 0 ? 64 : count * 2;
        struct post *posts = mem_alloc(cap * sizeof *posts);
        for (size_t i = 0; i < count; i++)
            posts[i] = loop->posts[(loop->post_first + i) & (count - 1)];
        mem_free(loop->posts);
        loop->posts = posts;
        loop->post_cap = cap;
        loop->post_first = 0;
    }
    loop->posts[(loop->post_first + count) & (loop->post_cap - 1)] = (struct post){call, context};
    loop->post_count = count + 1;
    pthread_mutex_unlock(&loop->lock);
    /* Whoever finds the ring empty wakes the loop; it does not wait while the ring holds posts. */
    if (count == 0) wake(loop);
}

void loop_run_posted(struct loop *loop)
{
    size_t count = loop->post_count;

    /* One at a time, so that a nested turn goes on where this one stands. */
    for (; count > 0; count--) {
        struct post post;

        pthread_mutex_lock(&loop->lock);
        if (loop->post_count == 0) {
            pthread_mutex_unlock(&loop->lock);
            return;
        }
        post = loop->posts[loop->post_first];
        loop->post_first = (loop->post_first + 1) & (loop->post_cap - 1);
        loop->post_count--;
        pthread_mutex_unlock(&loop->lock);
        post.call(post.context);
    }
}

/* ---- turns ----------------------------------------------------------------------------------- */

void loop_before_wait(struct loop *loop, int64_t (*hook)(void *context), void *context)
{
    loop->before = hook;
    loop->before_context = context;
}

void loop_after_wait(struct loop *loop, void (*hook)(void *context), void *context)
{
    loop->after = hook;
    loop->after_context = context;
}

/* The sooner of two limits, where negative means none. */
static int64_t sooner(int64_t a, int64_t b)
{
    if (a < 0) return b;
    if (b < 0) return a;
    return a < b ? a : b;
}

static int wait_events(struct loop *loop, struct epoll_event *events, int64_t wait_us)
{
    int n = -1;

    if (wait_us > 0 && !loop->old_kernel) {
        struct timespec ts = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
        n = epoll_pwait2(loop->epoll_fd, events, EVENTS_MAX, &ts, NULL);
        if (n < 0 && errno == ENOSYS) loop->old_kernel = true;
    }
    if (wait_us <= 0 || loop->old_kernel) {
        /* Rounded up: a wait that ends early would spin until the timer is due. */
        int64_t ms = wait_us < 0 ? -1 : (wait_us + 999) / 1000;
        n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, ms > 1000000 ? 1000000 : (int)ms);
    }
    if (n >= 0) return n;
    check(errno == EINTR);
    return 0;
}

void loop_turn(struct loop *loop, int64_t wait_us)
{
    struct batch batch;
    int again;

    if (loop->before != NULL) wait_us = sooner(wait_us, loop->before(loop->before_context));
    tell_all(loop);
    if (loop->lists[WATCH_LAZY].count > 0) wait_us = sooner(wait_us, RETRY_DELAY_US);
    if (loop->post_count > 0 || loop->lists[WATCH_AGAIN].count > 0 || loop->stop) wait_us = 0;
    again = loop->lists[WATCH_AGAIN].count;
    if (wait_us != 0 && loop->heap_count > 0) {
        int64_t left = loop->heap[0]->at_us - clock_monotonic_us();
        wait_us = sooner(wait_us, left > 0 ? left : 0);
    }
    batch.next = 0;
    batch.count = wait_events(loop, batch.events, wait_us);
    batch.outer = loop->batch;
    loop->batch = &batch;
    if (loop->after != NULL) loop->after(loop->after_context);
    loop_run_posted(loop);
    dispatch_again(loop, again);
    dispatch(loop, &batch);
    loop->batch = batch.outer;
    fire_due(loop);
}

void loop_run(struct loop *loop)
{
    while (!loop->stop) loop_turn(loop, -1);
    loop->stop = false;
}

void loop_stop(struct loop *loop)
{
    loop->stop = true;
    wake(loop);
}
