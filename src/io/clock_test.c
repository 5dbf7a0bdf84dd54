#include "io/clock.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* A reading of the stopwatch between two of the clock. */
struct reading {
    int64_t before, watch, after;
};

static struct reading read_both(const struct stopwatch *watch)
{
    struct reading reading = {.before = clock_monotonic_us()};
    reading.watch = stopwatch_us(watch);
    reading.after = clock_monotonic_us();
    return reading;
}

/* What lies between two readings, whatever delayed them; `error` for the scale and the microseconds cut off. */
static void expect_agreement(const struct stopwatch *watch)
{
    struct reading first = read_both(watch);
    clock_block_us(50000);
    struct reading second = read_both(watch);
    int64_t error = (second.after - first.before) / 1000 + 3, took = second.watch - first.watch;

    cr_assert_geq(took, second.before - first.after - error);
    cr_assert_leq(took, second.after - first.before + error);
}

Test(stopwatch, agrees_with_the_clock_before_and_after_its_calibration)
{
    struct stopwatch watch;

    stopwatch_init(&watch);
    stopwatch_calibrate(&watch);
    cr_assert_eq(watch.scale, 0, "too early");
    expect_agreement(&watch);
    if (watch.from_us == 0) return; /* no counter that can be used */
    clock_block_us(1000000);
    stopwatch_calibrate(&watch);
    cr_assert_neq(watch.scale, 0);
    expect_agreement(&watch);
}
