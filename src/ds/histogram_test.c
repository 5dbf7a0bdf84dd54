#include "base/random.h"
#include "ds/histogram.h"
#include <criterion/criterion.h>
#include <stdlib.h>

/* Figures that Redis 7.0.15 printed for durations known to the microsecond. */
Test(histogram, percentiles_are_the_ends_of_hdr_steps)
{
    struct {
        uint64_t ns, last, first;
    } seen[] = {
        {162000, 162815, 161792},
        {1000, 1003, 1000},
        {75000, 75263, 74752},
        {24000, 24063, 23936},
        {129000, 129023, 128512},
        {1000000000, 1002438655, 998244352},
        {0, 0, 0},
        {255, 255, 255},
        {256, 257, 256},
    };
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
        struct histogram *h = histogram_new();
        histogram_record(h, seen[i].ns);
        cr_assert_eq(histogram_percentile(h, 50), seen[i].last, "%zu", i);
        cr_assert_eq(histogram_percentile(h, 100), seen[i].last, "%zu", i);
        cr_assert_eq(histogram_percentile(h, 0), seen[i].first, "%zu", i);
        histogram_free(h);
    }
}

Test(histogram, without_records_everything_is_zero)
{
    struct histogram *h = histogram_new();
    struct histogram_power powers[HISTOGRAM_POWERS_MAX];
    cr_assert_eq(histogram_total(h), 0);
    cr_assert_eq(histogram_percentile(h, 99), 0);
    cr_assert_eq(histogram_powers(h, powers), 0);
    histogram_free(h);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The end of the step of `ns`, computed in another way than the histogram does. */
static uint64_t step_end(uint64_t ns)
{
    uint64_t width = 1;
    while (ns / width >= 256) width *= 2;
    return ns / width * width + width - 1;
}

enum { RECORDS = 50000 };

static uint64_t *record_random(struct histogram *h)
{
    uint64_t *values = malloc(RECORDS * sizeof *values);
    struct random random;
    random_seed(&random, 1);
    for (int i = 0; i < RECORDS; i++) {
        values[i] = random_next(&random) >> (30 + random_below(&random, 34));
        histogram_record(h, values[i]);
    }
    qsort(values, RECORDS, sizeof *values, compare);
    return values;
}

Test(histogram, agrees_with_a_sorted_list)
{
    struct histogram *h = histogram_new();
    uint64_t *values = record_random(h);
    for (int permille = 1; permille <= 1000; permille++) {
        size_t rank = (size_t)(permille * (RECORDS / 1000));
        cr_assert_eq(histogram_percentile(h, permille / 10.0), step_end(values[rank - 1]));
    }
    histogram_free(h);
    free(values);
}

Test(histogram, powers_count_what_a_sorted_list_holds)
{
    struct histogram *h = histogram_new();
    struct histogram_power powers[HISTOGRAM_POWERS_MAX];
    uint64_t *values = record_random(h);
    size_t count = histogram_powers(h, powers);
    cr_assert_eq(count, HISTOGRAM_POWERS_MAX);
    for (size_t i = 0; i < count; i++) {
        uint64_t ns = i + 1 < count ? step_end((uint64_t)1024 << i) : ((uint64_t)1 << 34) - 1;
        size_t at_most = 0;
        while (at_most < RECORDS && values[at_most] <= ns) at_most++;
        cr_assert_eq(powers[i].ns, ns);
        cr_assert_eq(powers[i].count, at_most);
    }
    histogram_free(h);
    free(values);
}

/* What LATENCY HISTOGRAM printed for these durations (us): 132 1, 264 2, 2113 3, 16908 4. */
Test(histogram, powers_that_add_nothing_are_left_out)
{
    struct histogram *h = histogram_new();
    struct histogram_power powers[HISTOGRAM_POWERS_MAX];
    uint64_t us[] = {132, 133, 1100, 10100}, expected[] = {132, 264, 2113, 16908};
    for (int i = 0; i < 4; i++) histogram_record(h, us[i] * 1000);
    cr_assert_eq(histogram_powers(h, powers), 4);
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(powers[i].ns / 1000, expected[i]);
        cr_assert_eq(powers[i].count, i + 1);
    }
    histogram_free(h);
}

Test(histogram, long_durations_count_as_the_longest)
{
    struct histogram *h = histogram_new();
    struct histogram_power powers[HISTOGRAM_POWERS_MAX];
    histogram_record(h, UINT64_MAX);
    cr_assert_eq(histogram_percentile(h, 100), ((uint64_t)1 << 34) - 1);
    cr_assert_eq(histogram_powers(h, powers), 1);
    cr_assert_eq(powers[0].ns, ((uint64_t)1 << 34) - 1);
    histogram_free(h);
}

Test(histogram, shares_survive_full_counters)
{
    struct histogram *h = histogram_new();
    struct histogram_power powers[HISTOGRAM_POWERS_MAX];
    histogram_record(h, 2000); /* once: must still be the longest at the end */
    for (int i = 0; i < 1000000; i++)
        histogram_record(h, i % 10 < 7 ? 1100 : i % 10 < 9 ? 1500 : 1024);
    cr_assert_eq(histogram_total(h), 1000001);
    cr_assert_eq(histogram_percentile(h, 9), step_end(1024));
    cr_assert_eq(histogram_percentile(h, 11), step_end(1100));
    cr_assert_eq(histogram_percentile(h, 79), step_end(1100));
    cr_assert_eq(histogram_percentile(h, 81), step_end(1500));
    cr_assert_eq(histogram_percentile(h, 99.9), step_end(1500));
    cr_assert_eq(histogram_percentile(h, 100), step_end(2000));
    cr_assert_eq(histogram_powers(h, powers), 2);
    cr_assert(powers[0].count > 99900 && powers[0].count < 100100);
    cr_assert_eq(powers[1].count, 1000001);
    histogram_free(h);
}

Test(histogram, a_usual_command_takes_2_kb)
{
    struct histogram *h = histogram_new();
    for (uint64_t ns = 1000; ns < 32000; ns++) histogram_record(h, ns);
    cr_assert_leq(histogram_memory(h), 2048);
    histogram_free(h);
}
