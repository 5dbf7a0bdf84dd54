#include "io/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
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

/* ---- stopwatch ---------------------------------------------------------------------------------- */

#define CALIBRATION_US 1000000

/* The kernel has looked whether the counter is steady and the same on all cores. */
static bool counter_is_trusted(void)
{
    char name[8] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");

    if (file == NULL) return false;
    bool trusted = fgets(name, sizeof name, file) != NULL && strcmp(name, "tsc\n") == 0;
    fclose(file);
    return trusted && clock_ticks() != 0;
}

void stopwatch_init(struct stopwatch *watch)
{
    *watch = (struct stopwatch){0};
    if (!counter_is_trusted()) return;
    watch->from_us = clock_monotonic_us();
    watch->from_ticks = clock_ticks();
}

void stopwatch_calibrate(struct stopwatch *watch)
{
    if (watch->from_us == 0 || watch->scale != 0) return;
    int64_t us = clock_monotonic_us() - watch->from_us;
    uint64_t ticks = clock_ticks() - watch->from_ticks;
    if (us < CALIBRATION_US || ticks == 0) return;
    watch->scale = (uint64_t)(((unsigned __int128)us << 48) / ticks);
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
