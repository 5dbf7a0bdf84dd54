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

/* pthread_cond_wait with a bound, by the monotonic clock; returns when woken or when it is over. */
void clock_wait_us(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t at_most_us);
void clock_block_us(int64_t us); /* stands still; DEBUG SLEEP */
#endif
