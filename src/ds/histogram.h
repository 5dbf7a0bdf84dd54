/* Latency distribution: counts per value, to about 1.6%. */
#ifndef PANDO_DS_HISTOGRAM_H
#define PANDO_DS_HISTOGRAM_H

#include <stdint.h>

struct histogram;

struct histogram *histogram_new(void);
void histogram_free(struct histogram *histogram); /* NULL is fine */
void histogram_record(struct histogram *histogram, uint64_t value);
/* The highest value that counts as the one at this percentile (0 to 100); 0 when nothing was recorded. */
uint64_t histogram_percentile(const struct histogram *histogram, double percentile);

#endif
