/* rdb-key-save-delay and key-load-delay: so many microseconds per key, or, negative, one
 * microsecond per so many keys. Never slept by the engine: the owner of the work asks when it may
 * go on. */
#ifndef PANDO_PERSIST_PACE_H
#define PANDO_PERSIST_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {       /* zero is "at once" */
    int64_t due_us; /* monotonic */
    int64_t credit; /* keys since the last microsecond, for negative delays */
};

static inline bool pace_may(const struct pace *pace, int64_t now_us)
{
    return now_us >= pace->due_us;
}
static inline void pace_spend(struct pace *pace, int64_t now_us, uint64_t keys, int64_t delay_us)
{
    if (delay_us > 0) {
        pace->due_us = now_us + (int64_t)keys * delay_us;
    } else if (delay_us < 0) {
        pace->credit += (int64_t)keys;
        pace->due_us = now_us + pace->credit / -delay_us;
        pace->credit %= -delay_us;
    }
}

#endif
