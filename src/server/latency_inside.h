/* What latency.c keeps and cmd_latency.c shows. */
#ifndef PANDO_SERVER_LATENCY_INSIDE_H
#define PANDO_SERVER_LATENCY_INSIDE_H

#include "server/latency.h"

#define LATENCY_SPIKES_KEPT     160
#define LATENCY_ERROR_WORDS_MAX 128 /* scripts could make up words without end */

struct latency {
    struct latency_series {
        struct latency_spike {
            int64_t unix_s, took_ms;
        } spikes[LATENCY_SPIKES_KEPT]; /* a ring */
        uint64_t written;
        int64_t max_ms;
    } series[LATENCY_KINDS];
    struct {
        char word[64];
        uint64_t count;
    } errors[LATENCY_ERROR_WORDS_MAX]; /* sorted */
    int error_count;
};

#endif
