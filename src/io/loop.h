/* The event loop: descriptors (epoll, level-triggered), timers, and work posted from other threads.
 *
 * One loop, one thread (the engine). Callbacks may add and remove anything, themselves included. A
 * removed watch is never called again, also when its event was already fetched. */
#ifndef PANDO_IO_LOOP_H
#define PANDO_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* Embedded by its owner. Errors and hang-ups are reported as both READ and WRITE of what is wanted. */
struct watch {
    int fd;
    unsigned wants; /* LOOP_READ | LOOP_WRITE; 0 is allowed */
    void (*ready)(void *context, unsigned events);
    void *context;
    bool active; /* the loop's */
};

struct loop *loop_new(void);
void loop_free(struct loop *loop);

void loop_add(struct loop *loop, struct watch *watch);
void loop_want(struct loop *loop, struct watch *watch, unsigned wants); /* no system call when nothing changes */
void loop_remove(struct loop *loop, struct watch *watch);               /* the fd stays open */

/* One-shot timers, embedded. Re-arm from the callback for a period. */
struct timer {
    int64_t at_us; /* monotonic */
    void (*fire)(void *context);
    void *context;
    int heap_index; /* the loop's; -1 when not armed: timer_init sets it */
};
void timer_init(struct timer *timer, void (*fire)(void *), void *context);
void loop_arm(struct loop *loop, struct timer *timer, int64_t delay_us); /* re-arms an armed one */
void loop_disarm(struct loop *loop, struct timer *timer);

/* Any thread: runs call(context) on the loop's thread soon. */
void loop_post(struct loop *loop, void (*call)(void *), void *context);

/* Called before each wait, after all callbacks of the turn. Returns the most microseconds the wait may
 * last (0: do not wait, there is more work; negative: as long as timers allow). */
void loop_before_wait(struct loop *loop, int64_t (*hook)(void *context), void *context);
/* Called after each wait, before any callback: for taking the time once per turn. */
void loop_after_wait(struct loop *loop, void (*hook)(void *context), void *context);

void loop_run(struct loop *loop);  /* until loop_stop */
void loop_stop(struct loop *loop);
/* One turn that waits at most `wait_us`: for a server that must go on answering inside a long task. */
void loop_turn(struct loop *loop, int64_t wait_us);

#endif
