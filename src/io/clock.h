/* Clocks. Only io/ and server/ read them; everything below gets time as a value. */
#ifndef PANDO_IO_CLOCK_H
#define PANDO_IO_CLOCK_H

#include <pthread.h>
#include <stdint.h>

int64_t clock_wall_us(void); /* Unix time */
int64_t clock_wall_ms(void);
int64_t clock_monotonic_us(void); /* never jumps; only differences mean anything */

static inline int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

/* A stopwatch for what takes less than a microsecond. Where the kernel itself takes the time from the processor's counter
 * (clocksource tsc), the stopwatch does so too, which costs a third of a reading of the clock; else it reads the clock. Only
 * differences mean anything, and none across stopwatch_calibrate. */
struct stopwatch {
    uint64_t scale; /* microseconds a tick, times 2^48; 0: the clock is read */
    uint64_t from_ticks;
    int64_t from_us; /* where calibration began; 0: the counter is not to be used */
};

void stopwatch_init(struct stopwatch *watch);
/* To be called now and then: takes effect once, a second after the beginning. */
void stopwatch_calibrate(struct stopwatch *watch);

static inline uint64_t clock_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

static inline int64_t stopwatch_us(const struct stopwatch *watch)
{
    if (__builtin_expect(watch->scale == 0, 0)) return clock_monotonic_us();
    return (int64_t)((unsigned __int128)clock_ticks() * watch->scale >> 48);
}

/* pthread_cond_wait with a bound, by the monotonic clock; returns when woken or when it is over. */
void clock_wait_us(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t at_most_us);
void clock_block_us(int64_t us); /* stands still; DEBUG SLEEP */
#endif
