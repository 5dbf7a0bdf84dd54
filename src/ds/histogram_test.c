#include "ds/histogram.h"

#include <criterion/criterion.h>

/* Figures of Redis 7.0.15's INFO latencystats and LATENCY HISTOGRAM, in nanoseconds. */
Test(histogram, tells_the_highest_equivalent_value)
{
    static const struct {
        uint64_t recorded, told;
    } of[] = {{0, 0},       {1, 1},           {255, 255},        {256, 257},
              {1000, 1003}, {162000, 162815}, {2000000, 2007039}};

    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct histogram *histogram = histogram_new();
        histogram_record(histogram, of[i].recorded);
        cr_assert_eq(histogram_percentile(histogram, 50), of[i].told, "%zu", i);
        cr_assert_eq(histogram_percentile(histogram, 100), of[i].told);
        histogram_free(histogram);
    }
}

Test(histogram, finds_percentiles)
{
    struct histogram *histogram = histogram_new();

    cr_assert_eq(histogram_percentile(histogram, 50), 0);
    for (uint64_t i = 1; i <= 100; i++) histogram_record(histogram, i);
    cr_assert_eq(histogram_percentile(histogram, 0), 1);
    cr_assert_eq(histogram_percentile(histogram, 50), 50);
    cr_assert_eq(histogram_percentile(histogram, 99), 99);
    cr_assert_eq(histogram_percentile(histogram, 100), 100);
    cr_assert_eq(histogram_total(histogram), 100);
    histogram_free(histogram);
}

Test(histogram, keeps_what_is_beyond_its_last_slot)
{
    struct histogram *histogram = histogram_new();

    histogram_record(histogram, UINT64_MAX);
    histogram_record(histogram, 1ull << 41);
    cr_assert_eq(histogram_percentile(histogram, 100), (1ull << 40) - 1);
    histogram_free(histogram);
}

Test(histogram, cumulates_by_powers_of_two)
{
    struct histogram *histogram = histogram_new();
    struct histogram_levels levels = {.histogram = histogram, .level = 1024};

    cr_assert_not(histogram_next_level(&levels));
    histogram_record(histogram, 3);
    histogram_record(histogram, 1023);
    histogram_record(histogram, 20000);
    histogram_record(histogram, 33000); /* as 32768: the same slot */
    histogram_record(histogram, 1000000);
    cr_assert(histogram_next_level(&levels));
    cr_assert(levels.upto / 1000 == 1 && levels.count == 2);
    cr_assert(histogram_next_level(&levels));
    cr_assert(levels.upto / 1000 == 33 && levels.count == 4);
    cr_assert(histogram_next_level(&levels));
    cr_assert(levels.upto / 1000 == 1056 && levels.count == 5);
    cr_assert_not(histogram_next_level(&levels));
    histogram_free(histogram);
}
