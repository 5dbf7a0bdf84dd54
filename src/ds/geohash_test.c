/* Figures are those of Redis 7.0.15 for the same places. */
#include "ds/geo_area.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const struct geo_point palermo = {13.361389, 38.115556}, catania = {15.087269, 37.502669};

static void expect_point(uint64_t hash, double longitude, double latitude)
{
    struct geo_point point = geohash_point(hash);
    cr_expect(point.longitude == longitude && point.latitude == latitude, "%llu: %.17g %.17g",
              (unsigned long long)hash, point.longitude, point.latitude);
}

Test(geohash, places_to_hashes_and_back)
{
    cr_expect_eq(geohash_of(palermo), 3479099956230698);
    cr_expect_eq(geohash_of(catania), 3479447370796909);
    cr_expect_eq(geohash_of((struct geo_point){0, 0}), 3377699720527872);
    cr_expect_eq(geohash_of((struct geo_point){-180, -85.05112878}), 0);
    expect_point(3479099956230698, 13.361389338970184, 38.115556395496299);
    expect_point(3479447370796909, 15.087267458438873, 37.50266842333162);
}

Test(geohash, the_uppermost_ends_lie_beyond_the_last_cell)
{
    cr_expect_eq(geohash_of((struct geo_point){180, 85.05112878}), 13510798882111488);
    cr_expect_eq(geohash_of((struct geo_point){180, 0}), 10133099161583616);
    expect_point(13510798882111488, 180, 85.05112878);
}

Test(geohash, any_score_is_some_place)
{
    static const double scores[] = {-1,      1e20,   INFINITY, -INFINITY, 0x1p63,
                                    -0x1p63, 0x1p64, 1.5,      -1e300};
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++)
        cr_expect(geo_point_is_valid(geohash_point(geohash_of_score(scores[i]))));
    cr_expect_eq(geohash_of_score(1.5), 1);
    cr_expect_eq(geohash_of_score(-1), UINT64_MAX);
    cr_expect_eq(geohash_of_score(INFINITY), 0);
    cr_expect_eq(geohash_of_score(-INFINITY), (uint64_t)1 << 63);
}

Test(geohash, a_place_lies_in_the_middle_of_its_cell)
{
    for (int i = 0; i < 1000; i++) {
        struct geo_point point = {i * 0.3571 - 178, i * 0.1683 - 84};
        struct geo_point middle = geohash_point(geohash_of(point));
        cr_assert_lt(fabs(middle.longitude - point.longitude), 3e-6);
        cr_assert_lt(fabs(middle.latitude - point.latitude), 1.5e-6);
        cr_assert_eq(geohash_of(middle), geohash_of(point));
    }
}

Test(geohash, cells_are_runs_of_hashes)
{
    for (unsigned steps = 1; steps <= GEOHASH_STEPS; steps++) {
        struct geohash_run run = geo_cell_run(geo_cell_of(palermo, steps));
        uint64_t hash = geohash_of(palermo);
        cr_expect_eq(run.behind - run.first, (uint64_t)1 << 2 * (GEOHASH_STEPS - steps));
        cr_expect(run.first <= hash && hash < run.behind);
    }
}

static void expect_text(struct geo_point point, const char *expected)
{
    char text[GEOHASH_CHARS];
    geohash_text(point, text);
    cr_expect_arr_eq(text, expected, GEOHASH_CHARS, "%.11s", text);
}

Test(geohash, text)
{
    expect_text(palermo, "sqc8b49rny0");
    expect_text(catania, "sqdtr74hyu0");
    expect_text((struct geo_point){0, 0}, "s0000000000");
    expect_text((struct geo_point){180, 85.05112878}, "bp05b5048p0");
}

Test(geohash, distances)
{
    struct geo_point a = geohash_point(geohash_of(palermo)), b = geohash_point(geohash_of(catania));
    cr_expect_eq(geo_distance(a, b), 166274.15156960033);
    cr_expect_eq(geo_distance(a, a), 0);
    struct geo_point north = {10, 50}, south = {10, -40};
    cr_expect_eq(geo_distance(north, south), GEO_EARTH_RADIUS * (M_PI / 2));
}

Test(geo_area, what_a_circle_and_a_box_hold)
{
    struct geo_area circle = {.centre = {15, 37}, .radius = 200000};
    struct geo_area box = {.centre = {15, 37}, .is_box = true, .width = 400000, .height = 10000};
    double distance;

    cr_expect(geo_area_holds(&circle, palermo, &distance));
    cr_expect(distance > 190442 && distance < 190443);
    circle.radius = 190000;
    cr_expect_not(geo_area_holds(&circle, palermo, &distance));
    cr_expect_not(geo_area_holds(&box, palermo, &distance));
    box.height = 400000;
    cr_expect(geo_area_holds(&box, palermo, &distance));
    box.width = 100000;
    cr_expect_not(geo_area_holds(&box, palermo, &distance));
}

static bool is_covered(const struct geo_area *area, struct geo_point point)
{
    struct geo_cell cells[GEO_CELLS_MAX];
    unsigned count = geo_area_cover(area, cells), found = 0;

    cr_assert(count >= 1 && count <= GEO_CELLS_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct geohash_run run = geo_cell_run(cells[i]);
        found += run.first <= geohash_of(point) && geohash_of(point) < run.behind;
    }
    cr_assert_leq(found, 1, "no cell comes twice");
    return found == 1;
}

/* Places at the rim of circles of all sizes, all around the earth. */
Test(geo_area, cells_cover_a_circle)
{
    for (double radius = 1; radius < 3e6; radius *= 1.7)
        for (double latitude = -60; latitude <= 60; latitude += 7.3)
            for (double longitude = -179.9; longitude < 180; longitude += 37.7) {
                struct geo_area area = {.centre = {longitude, latitude}, .radius = radius};
                for (int i = 0; i < 24; i++) {
                    double up = radius * sin(i) / 111300, aside = radius * cos(i) / 111300;
                    struct geo_point point = {longitude + aside / cos(latitude * (M_PI / 180)),
                                              latitude + up};
                    double distance;
                    if (point.longitude > 180) point.longitude -= 360;
                    if (point.longitude < -180) point.longitude += 360;
                    if (!geo_point_is_valid(point)) continue;
                    if (!geo_area_holds(&area, point, &distance)) continue;
                    cr_assert(is_covered(&area, point), "%f m around %f %f", radius, longitude,
                              latitude);
                }
            }
}

Test(geo_area, cells_are_never_far_larger_than_the_area)
{
    struct geo_cell cells[GEO_CELLS_MAX];
    struct geo_area area = {.centre = palermo, .radius = 100};

    geo_area_cover(&area, cells);
    cr_expect_eq(cells[0].steps, 17);
    area.radius = 0;
    cr_expect_eq(geo_area_cover(&area, cells), 1);
    cr_expect_eq(cells[0].steps, GEOHASH_STEPS);
    area.radius = INFINITY;
    cr_expect_eq(geo_area_cover(&area, cells), 4);
    cr_expect_eq(cells[0].steps, 1);
}
