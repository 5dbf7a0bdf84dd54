/* Geohashes: places on the earth as whole numbers, near places mostly near each other.
 *
 * Longitude and latitude are halved in turn, so many times; each half is a bit:
 *
 *      longitude  -180 .. 180            bit 2k + 1
 *      latitude   -85.05112878 .. same   bit 2k         (the square map of Mercator's projection)
 *
 * With 26 bits each, a hash is a whole number below 2^52, which a double holds exactly: so places are the
 * scores of a sorted set. All places of a cell of any size are one run of hashes. At the uppermost ends of
 * the two ranges, 180 and 85.05112878 themselves, the index is one beyond the last cell's and the hash
 * beyond 2^52: such places exist in files, and are kept so.
 *
 * (The interleaving is the public geohash; what is computed in which order follows from results of Redis
 * 7.0.15, all digits of which are met.) */
#ifndef PANDO_DS_GEOHASH_H
#define PANDO_DS_GEOHASH_H

#include <stdbool.h>
#include <stdint.h>

#define GEO_LONGITUDE_MAX 180.0
#define GEO_LATITUDE_MAX  85.05112878
#define GEO_EARTH_RADIUS  6372797.560856 /* metres */
#define GEOHASH_STEPS     26             /* halvings of each coordinate in a hash */

struct geo_point {
    double longitude, latitude; /* degrees */
};

static inline bool geo_point_is_valid(struct geo_point point)
{
    return point.longitude >= -GEO_LONGITUDE_MAX && point.longitude <= GEO_LONGITUDE_MAX &&
           point.latitude >= -GEO_LATITUDE_MAX && point.latitude <= GEO_LATITUDE_MAX;
}

/* The hash of a valid place. */
uint64_t geohash_of(struct geo_point point);
/* The middle of the smallest cell of a hash; of any number some valid place. */
struct geo_point geohash_point(uint64_t hash);
/* The hash that a score stands for. One that is none gives some number, the same everywhere. */
uint64_t geohash_of_score(double score);

/* A cell's column and row when each coordinate is halved `steps` times. */
struct geo_cell {
    unsigned steps;
    uint32_t column, row; /* from west and from south */
};
struct geo_cell geo_cell_of(struct geo_point point, unsigned steps);
/* Its hashes: [first, behind). */
struct geohash_run {
    uint64_t first, behind;
};
struct geohash_run geo_cell_run(struct geo_cell cell);

#define GEOHASH_CHARS 11
/* The text form that other programs know, for which latitude runs from -90 to 90. The last character
 * says nothing: "0". */
void geohash_text(struct geo_point point, char out[GEOHASH_CHARS]);

/* Along the great circle, in metres (haversine). */
double geo_distance(struct geo_point a, struct geo_point b);

#endif
