/* What the 24 bits of an entry's access clock mean, as pure functions of time: for OBJECT
 * IDLETIME/FREQ, RESTORE and the IDLE and FREQ opcodes of RDB. LRU: Unix seconds modulo 2^24 (194
 * days). LFU: minutes modulo 2^16 of the last decay, then a logarithmic counter of 8 bits. */
#ifndef PANDO_STORE_ACCESS_CLOCK_H
#define PANDO_STORE_ACCESS_CLOCK_H

#include <stdint.h>

#define ACCESS_FREQUENCY_NEW 5 /* the counter of a fresh key */

static inline uint32_t access_clock_of_idle(int64_t now_ms, int64_t idle_seconds)
{
    return (uint32_t)((uint64_t)(now_ms / 1000) - (uint64_t)idle_seconds) & 0xffffff;
}
static inline int64_t access_clock_idle_seconds(int64_t now_ms, uint32_t clock)
{
    return ((uint32_t)(now_ms / 1000) - clock) & 0xffffff;
}
static inline uint32_t access_clock_of_frequency(int64_t now_ms, uint8_t counter)
{
    return ((uint32_t)(now_ms / 60000) & 0xffff) << 8 | counter;
}
/* Decayed by one per lfu_decay_minutes that passed; 0: never. */
static inline uint8_t access_clock_frequency(int64_t now_ms, uint32_t clock, int lfu_decay_minutes)
{
    uint32_t minutes = ((uint32_t)(now_ms / 60000) - (clock >> 8)) & 0xffff;
    uint32_t lost = lfu_decay_minutes > 0 ? minutes / (uint32_t)lfu_decay_minutes : 0;
    uint32_t counter = clock & 0xff;
    return (uint8_t)(lost > counter ? 0 : counter - lost);
}

#endif
