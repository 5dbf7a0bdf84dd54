#include "io/clock.h"

#include <errno.h>
#include <time.h>

static int64_t read_us(clockid_t which)
{
    struct timespec ts;

    clock_gettime(which, &ts); /* cannot fail for these two clocks */
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

void clock_block_us(int64_t us)
{
    struct timespec left = {.tv_sec = (time_t)(us / 1000000),
                            .tv_nsec = (long)(us % 1000000) * 1000};

    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

void clock_wait_us(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t at_most_us)
{
    int64_t until_us = clock_monotonic_us() + at_most_us;
    struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};

    pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &until);
}
