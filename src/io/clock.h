/* Clocks. Only io/ and server/ read them; everything below gets time as a value. */
#ifndef PANDO_IO_CLOCK_H
#define PANDO_IO_CLOCK_H

#include <stdint.h>

int64_t clock_wall_us(void); /* Unix time */
int64_t clock_wall_ms(void);
int64_t clock_monotonic_us(void); /* never jumps; only differences mean anything */

static inline int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

void clock_block_us(int64_t us); /* stands still; DEBUG SLEEP */
#endif
