/* Distribution of durations: counts per value, to two significant decimal digits.
 *
 * Values below 256 each have a slot of their own; above, every power of two is cut into 128 equal slots, so that a slot
 * is never wider than 1/128 of what it holds. All values of a slot are equivalent: what was recorded is told as the
 * highest of them. These are the slots of Redis' latency histograms, so that its tools read ours. Values beyond the
 * last slot (2^40: 18 minutes where they are nanoseconds) count in it. About 17 KB each. */
#ifndef PANDO_DS_HISTOGRAM_H
#define PANDO_DS_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

struct histogram;

struct histogram *histogram_new(void);
void histogram_free(struct histogram *histogram); /* NULL is fine */
void histogram_record(struct histogram *histogram, uint64_t value);
uint64_t histogram_total(const struct histogram *histogram); /* how many were recorded */
/* The highest value that counts as the one at this percentile (0 to 100); 0 when nothing was recorded. */
uint64_t histogram_percentile(const struct histogram *histogram, double percentile);

/* The cumulated counts at `first`, 2 * first, 4 * first ...: levels at which nothing new was counted are left out.
 *
 *   struct histogram_levels levels = {.histogram = histogram, .level = 1024};
 *   while (histogram_next_level(&levels)) show(levels.upto, levels.count); */
struct histogram_levels {
    const struct histogram *histogram;
    uint64_t level;       /* the next one to look at */
    unsigned slot;        /* not counted yet */
    uint64_t upto, count; /* so many values are at most so high */
};
bool histogram_next_level(struct histogram_levels *levels);

#endif
