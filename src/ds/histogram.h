/* A latency histogram: how often each duration was seen, to 0.8 percent, in little memory.
 *
 * Durations are nanoseconds from 0 to 2^34 - 1 (17 s; longer ones count as that). They are kept in
 * octaves [2^n, 2^(n+1)) of 128 equal steps, as HdrHistogram does with two significant digits; below 256
 * every nanosecond is its own step. So the same durations print the same percentiles here and in Redis 7.0
 * (found by experiment: a percentile is the last nanosecond of its step, percentile 0 the first):
 *
 *      162,000 ns lies in step 158 of 131,072 + i * 1024, and prints as p50=162.815
 *
 * An octave's steps (256 bytes) are allocated when something falls into it: a command that takes 1 to 30 us
 * costs 2 KB. Counts of steps are 16 bits wide; where one is full the octave's are halved, rounding
 * up. The counts of octaves are exact; inside an octave of more than 65,534 records shares are
 * exact to 1 in 32,768. One thread. */
#ifndef PANDO_DS_HISTOGRAM_H
#define PANDO_DS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

struct histogram;

struct histogram *histogram_new(void);
void histogram_free(struct histogram *histogram); /* NULL is fine */

/* Counts one duration. Constant time. */
void histogram_record(struct histogram *histogram, uint64_t ns);

uint64_t histogram_total(const struct histogram *histogram);
size_t histogram_memory(const struct histogram *histogram); /* bytes */

/* The duration that `percentile` percent (0 to 100) of the records did not exceed; 0 where there are none.
 * INFO latencystats prints it divided by 1000 with three decimals. */
uint64_t histogram_percentile(const struct histogram *histogram, double percentile);

/* The distribution over powers of two, as LATENCY HISTOGRAM prints it: durations of 1024 ns, twice that, and
 * so on, each to the end of its step, with the number of records up to there. Powers that add no
 * record are left out. */
struct histogram_power {
    uint64_t ns;    /* printed in whole us: 1, 2, 4, 8, 16, 33, 66, 132, ... */
    uint64_t count; /* records of at most `ns` */
};
#define HISTOGRAM_POWERS_MAX 25
/* Returns how many were written. */
size_t histogram_powers(const struct histogram *histogram,
                        struct histogram_power out[static HISTOGRAM_POWERS_MAX]);

#endif
