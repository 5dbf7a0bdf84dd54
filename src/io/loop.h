/* The event loop: descriptors (epoll), timers, and work posted from other threads.
 *
 * One loop, one thread (the engine). A turn is: the before-wait hook, one wait, the after-wait
 * hook, posted calls, ready descriptors, due timers. Callbacks may add and remove anything,
 * themselves included; a removed watch is never called again, also when its event was already
 * fetched. A callback may also run a nested turn (loop_turn), after which an event of the outer
 * turn may find its descriptor already read: callbacks take "would block" for an answer.
 *
 * Interest is lazy: loop_add and loop_want only note what is wanted, and the difference to what the
 * kernel knows is told once, before the wait. A connection that wants WRITE and gets rid of its
 * bytes in the same turn costs no system call.
 *
 * Watches are level-triggered: what is ready is reported in each turn. The kernel looks at each
 * descriptor that it has reported once more for that, which for a socket costs a tenth of reading
 * from it. A watch with `edge` spares that as long as it wants READ alone: what has come is reported
 * once, and the owner, who does not read all of it, says so by loop_again. After the peer has hung
 * up the loop says so itself, turn after turn until the watch is removed, so whoever reads the last
 * bytes need not look whether the end is behind. */
#ifndef PANDO_IO_LOOP_H
#define PANDO_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

enum watch_list {
    WATCH_LAZY,  /* whose interest may differ from what the kernel knows */
    WATCH_AGAIN, /* that are ready in the next turn whatever the kernel says */
    WATCH_LISTS,
};

/* Embedded by its owner; the first five members are the owner's (change `wants` by loop_want), the
 * others the loop's. Zero-initialise. Errors and hang-ups of the descriptor are reported as both
 * READ and WRITE, as far as wanted: the system call then tells which it is. While nothing is wanted
 * nothing is reported. */
struct watch {
    int fd;
    unsigned wants; /* LOOP_READ | LOOP_WRITE; 0 is allowed */
    void (*ready)(void *context, unsigned events);
    void *context;
    bool edge;      /* the owner's too: READ is reported once */
    bool active;    /* added and not removed */
    bool hung_up;   /* the peer of one with `edge` will send no more: its end is to be read */
    unsigned known; /* what the kernel knows; 0: not in its set */
    int32_t places[WATCH_LISTS]; /* in the loop's lists, from 1; 0: in none */
};

struct loop *loop_new(void);
/* Runs what is still posted, then frees the loop. Watches and timers that remain are forgotten. */
void loop_free(struct loop *loop);

/* The descriptor must be one that epoll takes (no regular file). Where the kernel has no memory for
 * it, the loop tries again every 100 ms. */
void loop_add(struct loop *loop, struct watch *watch);
void loop_want(struct loop *loop, struct watch *watch, unsigned wants);
/* There is more to read: ready(READ) is called in the next turn too, which does not wait. */
void loop_again(struct loop *loop, struct watch *watch);
/* The fd stays open; close it only after this. No effect on a watch that is not active. */
void loop_remove(struct loop *loop, struct watch *watch);

/* One-shot timers, embedded. Re-arm from the callback for a period. Those due fire in order of
 * `at_us`; equal times in no order. A timer re-armed with no delay fires in the next turn. */
struct timer {
    int64_t at_us; /* monotonic */
    void (*fire)(void *context);
    void *context;
    int heap_index; /* the loop's; -1 when not armed: timer_init sets it */
};
void timer_init(struct timer *timer, void (*fire)(void *), void *context);
static inline bool timer_armed(const struct timer *timer)
{
    return timer->heap_index >= 0;
}
void loop_arm(struct loop *loop, struct timer *timer, int64_t delay_us); /* re-arms an armed one */
void loop_disarm(struct loop *loop, struct timer *timer);

/* Any thread: runs call(context) on the loop's thread soon, in the order of posting. */
void loop_post(struct loop *loop, void (*call)(void *), void *context);
/* The loop's thread: runs what was posted until now, without waiting for the next turn. */
void loop_run_posted(struct loop *loop);

/* Called before each wait, after all callbacks of the turn. Returns the most microseconds the wait
 * may last (0: do not wait, there is more work; negative: as long as timers allow). */
void loop_before_wait(struct loop *loop, int64_t (*hook)(void *context), void *context);
/* Called after each wait, before any callback: for taking the time once per turn. */
void loop_after_wait(struct loop *loop, void (*hook)(void *context), void *context);

void loop_run(struct loop *loop);  /* until loop_stop */
void loop_stop(struct loop *loop); /* any thread, also a signal handler; ends loop_run once */
/* One turn that waits at most `wait_us` (negative: as long as timers and the hook allow): for a
 * server that must go on answering inside a long task. Not from the before-wait hook. */
void loop_turn(struct loop *loop, int64_t wait_us);

#endif
