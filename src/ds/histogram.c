#include "ds/histogram.h"
#include "base/check.h"
#include "base/mem.h"

enum {
    STEP_BITS = 7,
    STEPS = 1 << STEP_BITS, /* per octave */
    MAX_BITS = 34,          /* durations are below 2^34 ns */
    /* Octave 0 is [0, 128), octave n is [2^(n+6), 2^(n+7)). */
    OCTAVES = MAX_BITS - STEP_BITS + 1,
    FIRST_POWER = 10, /* histogram_powers begins at 2^10 ns */
};
_Static_assert(HISTOGRAM_POWERS_MAX == MAX_BITS - FIRST_POWER + 1, "a power per doubling");

#define NS_MAX (((uint64_t)1 << MAX_BITS) - 1)

struct octave {
    uint16_t steps[STEPS];
};

struct histogram {
    uint64_t count;
    uint64_t counts[OCTAVES];        /* exact */
    struct octave *octaves[OCTAVES]; /* NULL where the count is 0 */
};

struct histogram *histogram_new(void)
{
    return mem_zalloc(sizeof(struct histogram));
}

void histogram_free(struct histogram *h)
{
    if (h == NULL) return;
    for (int i = 0; i < OCTAVES; i++) mem_free(h->octaves[i]);
    mem_free(h);
}

uint64_t histogram_total(const struct histogram *h)
{
    return h->count;
}

size_t histogram_memory(const struct histogram *h)
{
    size_t bytes = mem_good_size(sizeof *h);
    for (int i = 0; i < OCTAVES; i++)
        if (h->octaves[i] != NULL) bytes += mem_good_size(sizeof *h->octaves[i]);
    return bytes;
}

/* ---- durations and steps --------------------------------------------------------------------- */

static unsigned octave_of(uint64_t ns)
{
    return ns < STEPS ? 0 : (unsigned)(63 - __builtin_clzll(ns)) - STEP_BITS + 1;
}

/* log2 of the nanoseconds in a step. */
static unsigned step_shift(unsigned octave)
{
    return octave == 0 ? 0 : octave - 1;
}

static uint64_t step_first_ns(unsigned octave, unsigned step)
{
    return (uint64_t)(octave == 0 ? step : STEPS + step) << step_shift(octave);
}

static uint64_t step_last_ns(unsigned octave, unsigned step)
{
    return step_first_ns(octave, step) + ((uint64_t)1 << step_shift(octave)) - 1;
}

void histogram_record(struct histogram *h, uint64_t ns)
{
    if (ns > NS_MAX) ns = NS_MAX;
    unsigned octave = octave_of(ns);
    unsigned step = ns >> step_shift(octave) & (STEPS - 1);

    if (h->octaves[octave] == NULL) h->octaves[octave] = mem_zalloc(sizeof *h->octaves[octave]);
    uint16_t *steps = h->octaves[octave]->steps;
    if (steps[step] == UINT16_MAX) /* what was seen once stays seen */
        for (int i = 0; i < STEPS; i++) steps[i] = (uint16_t)((steps[i] + 1) / 2);
    steps[step]++;
    h->counts[octave]++;
    h->count++;
}

/* ---- queries --------------------------------------------------------------------------------- */

static uint64_t steps_sum(const struct octave *octave, unsigned steps)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < steps; i++) sum += octave->steps[i];
    return sum;
}

/* The step that holds the record of this rank (from 1) within the octave. */
static unsigned step_of_rank(const struct histogram *h, unsigned octave, uint64_t rank)
{
    const struct octave *o = h->octaves[octave];
    /* Scaled: steps may have been halved. */
    unsigned __int128 wanted = (unsigned __int128)rank * steps_sum(o, STEPS);
    uint64_t sum = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        sum += o->steps[step];
        if ((unsigned __int128)sum * h->counts[octave] >= wanted) return step;
    }
    check(false); /* the last step's sum is all */
    return STEPS - 1;
}

uint64_t histogram_percentile(const struct histogram *h, double percentile)
{
    if (h->count == 0) return 0;
    check(percentile >= 0 && percentile <= 100);
    uint64_t rank = (uint64_t)(percentile / 100 * (double)h->count + 0.5);
    if (rank == 0) rank = 1;
    if (rank > h->count) rank = h->count;

    unsigned octave = 0;
    for (; rank > h->counts[octave]; octave++) rank -= h->counts[octave];
    unsigned step = step_of_rank(h, octave, rank);
    return percentile > 0 ? step_last_ns(octave, step) : step_first_ns(octave, step);
}

/* Records in the first step of an octave. */
static uint64_t first_step_count(const struct histogram *h, unsigned octave)
{
    const struct octave *o = h->octaves[octave];
    if (o == NULL) return 0;
    return (uint64_t)((unsigned __int128)o->steps[0] * h->counts[octave] / steps_sum(o, STEPS));
}

size_t histogram_powers(const struct histogram *h,
                        struct histogram_power out[static HISTOGRAM_POWERS_MAX])
{
    size_t powers = 0;
    uint64_t below = 0, before = 0; /* records below 2^bits; records of the power before */
    unsigned octave = 0;
    for (unsigned bits = FIRST_POWER; bits <= MAX_BITS; bits++) {
        for (; octave < bits - STEP_BITS + 1; octave++) below += h->counts[octave];
        struct histogram_power power = {NS_MAX, below};
        if (octave < OCTAVES) {
            power.ns = step_last_ns(octave, 0);
            power.count += first_step_count(h, octave);
        }
        if (power.count == before) continue;
        out[powers++] = power;
        before = power.count;
    }
    return powers;
}
