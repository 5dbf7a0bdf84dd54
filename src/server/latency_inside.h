/* What latency.c keeps and cmd_latency.c shows. */
#ifndef PANDO_SERVER_LATENCY_INSIDE_H
#define PANDO_SERVER_LATENCY_INSIDE_H

#include "server/latency.h"

enum { LATENCY_SPIKES_KEPT = 160 };
#define LATENCY_ERROR_WORDS_MAX 128 /* scripts could make up words without end */

struct latency {
    struct latency_series {
        struct latency_spike {
            int64_t unix_s, took_ms;
        } spikes[LATENCY_SPIKES_KEPT]; /* a ring */
        uint64_t written;
        int64_t max_ms; /* of all, also those that left the ring */
    } series[LATENCY_KINDS];
    struct {
        char word[64];
        uint64_t count;
    } errors[LATENCY_ERROR_WORDS_MAX]; /* sorted */
    int error_count;
};

/* How many of a series are held, and the nth of them, oldest first. */
static inline int latency_kept(const struct latency_series *series)
{
    return series->written < LATENCY_SPIKES_KEPT ? (int)series->written : LATENCY_SPIKES_KEPT;
}
static inline const struct latency_spike *latency_spike(const struct latency_series *series, int n)
{
    uint64_t first = series->written - (uint64_t)latency_kept(series);
    return &series->spikes[(first + (uint64_t)n) % LATENCY_SPIKES_KEPT];
}

#endif
