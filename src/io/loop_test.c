#include "io/loop.h"

#include "base/mem.h"
#include "base/random.h"
#include "io/worker.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

struct end { /* one end of a pipe under watch */
    struct loop *loop;
    struct watch watch;
    struct end *victim; /* removed when this one is called */
    int write_fd;
    int calls;
    unsigned events;
};

static void count_call(void *context, unsigned events)
{
    struct end *end = context;

    end->calls++;
    end->events = events;
    if (end->victim != NULL) loop_remove(end->loop, &end->victim->watch);
}

static void open_end(struct end *end, struct loop *loop)
{
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    *end = (struct end){.loop = loop, .write_fd = fds[1]};
    end->watch =
        (struct watch){.fd = fds[0], .wants = LOOP_READ, .ready = count_call, .context = end};
    loop_add(loop, &end->watch);
}

static void make_readable(struct end *end)
{
    cr_assert_eq(write(end->write_fd, "x", 1), 1);
}

Test(loop, calls_what_is_ready_and_nothing_else)
{
    struct loop *loop = loop_new();
    struct end a, b;

    open_end(&a, loop);
    open_end(&b, loop);
    make_readable(&a);
    loop_turn(loop, -1);
    cr_assert_eq(a.calls, 1);
    cr_assert_eq(a.events, LOOP_READ);
    cr_assert_eq(b.calls, 0);
    loop_turn(loop, 0); /* level-triggered: still readable */
    cr_assert_eq(a.calls, 2);
    loop_free(loop);
}

static void open_edge(struct end *end, struct loop *loop)
{
    open_end(end, loop);
    end->watch.edge = true;
}

Test(loop, an_edge_is_reported_once_and_again_when_asked_for)
{
    struct loop *loop = loop_new();
    struct end a, b;

    open_edge(&a, loop);
    open_edge(&b, loop);
    make_readable(&a);
    loop_turn(loop, -1);
    loop_turn(loop, 0);
    cr_assert_eq(a.calls, 1);
    make_readable(&a); /* more has come, though nothing was read */
    loop_turn(loop, -1);
    cr_assert_eq(a.calls, 2);
    loop_again(loop, &a.watch);
    loop_again(loop, &b.watch);
    loop_turn(loop, -1); /* does not wait */
    cr_assert_eq(a.calls, 3);
    cr_assert_eq(a.events, LOOP_READ);
    cr_assert_eq(b.calls, 1);
    loop_turn(loop, 0);
    cr_assert_eq(a.calls, 3);
    loop_again(loop, &a.watch);
    loop_again(loop, &b.watch);
    b.victim = &a; /* from the back: b is called first */
    loop_turn(loop, 0);
    cr_assert_eq(a.calls, 3);
    cr_assert_eq(b.calls, 2);
    loop_free(loop);
}

Test(loop, an_edge_watch_is_called_after_the_hang_up_until_it_is_removed)
{
    struct loop *loop = loop_new();
    struct end a;

    open_edge(&a, loop);
    make_readable(&a);
    close(a.write_fd);
    for (int turns = 1; turns < 4; turns++) {
        loop_turn(loop, -1); /* does not wait: the end may be several reads away */
        cr_assert_eq(a.calls, turns);
    }
    loop_want(loop, &a.watch, 0);
    loop_turn(loop, 0);
    cr_assert_eq(a.calls, 3);
    loop_want(loop, &a.watch, LOOP_READ);
    a.victim = &a;
    loop_turn(loop, -1);
    cr_assert_eq(a.calls, 4);
    loop_turn(loop, 0);
    cr_assert_eq(a.calls, 4);
    loop_free(loop);
}

Test(loop, an_edge_watch_that_wants_to_write_is_level_triggered)
{
    struct loop *loop = loop_new();
    struct end a;

    open_edge(&a, loop);
    make_readable(&a);
    loop_turn(loop, -1);
    loop_want(loop, &a.watch, LOOP_READ | LOOP_WRITE);
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    cr_assert_eq(a.calls, 3);
    loop_want(loop, &a.watch, LOOP_READ);
    loop_turn(loop, 0); /* told anew: what is there is reported once more */
    loop_turn(loop, 0);
    cr_assert_eq(a.calls, 4);
    loop_free(loop);
}

Test(loop, a_watch_removed_by_another_callback_is_not_called)
{
    struct loop *loop = loop_new();
    struct end a, b;

    open_end(&a, loop);
    open_end(&b, loop);
    a.victim = &b;
    b.victim = &a;
    make_readable(&a);
    make_readable(&b);
    loop_turn(loop, -1); /* both events are fetched at once, in whatever order */
    cr_assert_eq(a.calls + b.calls, 1);
    loop_turn(loop, 0);
    cr_assert_eq(a.calls + b.calls, 2);
    loop_free(loop);
}

Test(loop, a_watch_may_remove_itself_and_be_freed)
{
    struct loop *loop = loop_new();
    struct end *a = mem_alloc(sizeof *a);

    open_end(a, loop);
    a->victim = a;
    make_readable(a);
    loop_turn(loop, -1);
    cr_assert_eq(a->calls, 1);
    cr_assert_not(a->watch.active);
    mem_free(a);
    loop_turn(loop, 0);
    loop_free(loop);
}

Test(loop, interest_that_comes_back_within_a_turn_is_not_told)
{
    struct loop *loop = loop_new();
    struct end a;

    open_end(&a, loop);
    cr_assert_eq(a.watch.known, 0); /* nothing is told before a wait */
    loop_turn(loop, 0);
    cr_assert_eq(a.watch.known, LOOP_READ);
    loop_want(loop, &a.watch, LOOP_READ | LOOP_WRITE);
    loop_want(loop, &a.watch, LOOP_READ);
    close(a.watch.fd); /* so that telling would fail a check */
    loop_turn(loop, 0);
    cr_assert_eq(a.watch.known, LOOP_READ);
    loop_free(loop);
}

Test(loop, a_hang_up_is_silent_while_nothing_is_wanted)
{
    struct loop *loop = loop_new();
    struct end a;

    open_end(&a, loop);
    close(a.write_fd);
    loop_want(loop, &a.watch, 0);
    loop_turn(loop, 0);
    cr_assert_eq(a.calls, 0);
    loop_want(loop, &a.watch, LOOP_READ);
    loop_turn(loop, -1);
    cr_assert_eq(a.calls, 1);
    loop_free(loop);
}

/* The first callback goes on answering inside: its nested turn serves both, then it removes the
 * other, whose event of the outer turn is still to come. */
static void nest(void *context, unsigned events)
{
    struct end *end = context;

    (void)events;
    end->calls++;
    if (end->victim->calls > 0 || end->calls > 1) return;
    loop_turn(end->loop, 0);
    loop_remove(end->loop, &end->victim->watch);
}

Test(loop, turns_nest_and_removal_reaches_the_outer_one)
{
    struct loop *loop = loop_new();
    struct end a, b;

    open_end(&a, loop);
    open_end(&b, loop);
    a.watch.ready = b.watch.ready = nest;
    a.victim = &b;
    b.victim = &a;
    make_readable(&a);
    make_readable(&b);
    loop_turn(loop, -1);
    cr_assert(a.watch.active != b.watch.active);
    cr_assert_eq(a.watch.active ? b.calls : a.calls, 1);
    cr_assert_eq(a.watch.active ? a.calls : b.calls, 2);
    loop_free(loop);
}

/* ---- timers ---------------------------------------------------------------------------------- */

#define TIMERS 300

struct clockwork {
    struct loop *loop;
    struct timer timers[TIMERS];
    struct firing {
        struct clockwork *all;
        struct timer *timer;
        int fired;
    } firings[TIMERS];
    int64_t last_us;
    int left, disorder;
};

static void fire(void *context)
{
    struct firing *firing = context;

    firing->fired++;
    if (firing->timer->at_us < firing->all->last_us) firing->all->disorder++;
    firing->all->last_us = firing->timer->at_us;
    if (--firing->all->left == 0) loop_stop(firing->all->loop);
}

Test(loop, timers_fire_in_order_and_disarmed_ones_do_not)
{
    static struct clockwork work;
    struct random random;

    random_seed(&random, 7);
    work.loop = loop_new();
    for (int i = 0; i < TIMERS; i++) {
        work.firings[i] = (struct firing){&work, &work.timers[i], 0};
        timer_init(&work.timers[i], fire, &work.firings[i]);
        loop_arm(work.loop, &work.timers[i], (int64_t)random_below(&random, 5000));
    }
    for (int i = 0; i < TIMERS; i += 3) /* re-armed */
        loop_arm(work.loop, &work.timers[i], (int64_t)random_below(&random, 5000));
    for (int i = 1; i < TIMERS; i += 3) loop_disarm(work.loop, &work.timers[i]);
    work.left = TIMERS - TIMERS / 3;
    loop_run(work.loop);
    cr_assert_eq(work.disorder, 0);
    for (int i = 0; i < TIMERS; i++) {
        cr_assert_eq(work.firings[i].fired, i % 3 != 1);
        cr_assert_not(timer_armed(&work.timers[i]));
    }
    loop_free(work.loop);
}

struct again {
    struct loop *loop;
    struct timer timer;
    int fired;
};

static void fire_again(void *context)
{
    struct again *again = context;

    again->fired++;
    loop_arm(again->loop, &again->timer, 0);
}

Test(loop, a_timer_without_delay_waits_for_the_next_turn)
{
    struct again again = {.loop = loop_new()};

    timer_init(&again.timer, fire_again, &again);
    loop_arm(again.loop, &again.timer, 0);
    for (int turns = 1; turns <= 5; turns++) {
        while (again.fired < turns) loop_turn(again.loop, -1);
        cr_assert_eq(again.fired, turns);
    }
    loop_free(again.loop);
}

/* ---- posts and hooks ------------------------------------------------------------------------- */

#define THREADS 4
#define POSTS   2000

struct poster {
    struct loop *loop;
    int *left;
    int sent, seen, disorder;
    pthread_t thread;
    struct post_number {
        struct poster *poster;
        int number;
    } numbers[POSTS];
};

static void receive(void *context)
{
    struct post_number *number = context;
    struct poster *poster = number->poster;

    if (number->number != poster->seen++) poster->disorder++;
    if (--*poster->left == 0) loop_stop(poster->loop);
}

static void *post_all(void *context)
{
    struct poster *poster = context;

    for (int i = 0; i < POSTS; i++) {
        poster->numbers[i] = (struct post_number){poster, i};
        loop_post(poster->loop, receive, &poster->numbers[i]);
    }
    return NULL;
}

Test(loop, posts_of_threads_arrive_all_and_in_order)
{
    static struct poster posters[THREADS];
    struct loop *loop = loop_new();
    int left = THREADS * POSTS;

    for (int i = 0; i < THREADS; i++) {
        posters[i].loop = loop;
        posters[i].left = &left;
        cr_assert_eq(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    loop_run(loop);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
        cr_assert_eq(posters[i].seen, POSTS);
        cr_assert_eq(posters[i].disorder, 0);
    }
    loop_free(loop);
}

static struct loop *stopped_by_signal;

static void on_signal(int number)
{
    (void)number;
    loop_stop(stopped_by_signal);
}

static void raise_signal(void *context)
{
    (void)context;
    raise(SIGUSR1);
}

Test(loop, stops_from_a_signal_handler)
{
    struct loop *loop = stopped_by_signal = loop_new();

    signal(SIGUSR1, on_signal);
    loop_post(loop, raise_signal, NULL);
    loop_run(loop);
    loop_free(loop);
}

static int64_t no_wait(void *context)
{
    ++*(int *)context;
    return 0;
}

static void count_wait(void *context)
{
    ++*(int *)context;
}

Test(loop, hooks_frame_the_wait_and_can_forbid_it)
{
    struct loop *loop = loop_new();
    int before = 0, after = 0;

    loop_before_wait(loop, no_wait, &before);
    loop_after_wait(loop, count_wait, &after);
    loop_turn(loop, -1); /* would wait for ever */
    cr_assert_eq(before, 1);
    cr_assert_eq(after, 1);
    loop_free(loop);
}

/* ---- workers --------------------------------------------------------------------------------- */

struct jobs {
    struct worker *worker;
    pthread_t loop_thread;
    int worked, done, wrong_thread;
};

static void work(void *context)
{
    struct jobs *jobs = context;

    jobs->worked++; /* one worker, in order */
    if (pthread_equal(pthread_self(), jobs->loop_thread)) jobs->wrong_thread++;
}

static void work_more(void *context)
{
    struct jobs *jobs = context;

    work(jobs);
    worker_submit(jobs->worker, work, NULL, jobs);
}

static void done(void *context)
{
    struct jobs *jobs = context;

    jobs->done++;
    if (!pthread_equal(pthread_self(), jobs->loop_thread)) jobs->wrong_thread++;
}

Test(worker, works_beside_the_loop_and_tells_it)
{
    struct loop *loop = loop_new();
    struct jobs jobs = {.worker = worker_new("test", loop), .loop_thread = pthread_self()};

    for (int i = 0; i < 100; i++) worker_submit(jobs.worker, work, done, &jobs);
    while (jobs.done < 100) loop_turn(loop, -1);
    cr_assert_eq(worker_pending(jobs.worker), 0);
    worker_free(jobs.worker);
    cr_assert_eq(jobs.worked, 100);
    cr_assert_eq(jobs.wrong_thread, 0);
    loop_free(loop);
}

Test(worker, ends_only_after_the_last_job_and_its_done)
{
    struct loop *loop = loop_new();
    struct jobs jobs = {.worker = worker_new("test", loop), .loop_thread = pthread_self()};

    for (int i = 0; i < 50; i++) worker_submit(jobs.worker, work_more, done, &jobs);
    worker_free(jobs.worker); /* the loop has not turned */
    cr_assert_eq(jobs.worked, 100);
    cr_assert_eq(jobs.done, 50);
    loop_free(loop);
}
