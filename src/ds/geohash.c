#include "ds/geohash.h"

#include <math.h>

/* ---- bits --------------------------------------------------------------------------------------- */

static const uint64_t masks[] = {0x0000ffff0000ffff, 0x00ff00ff00ff00ff, 0x0f0f0f0f0f0f0f0f,
                                 0x3333333333333333, 0x5555555555555555};

/* Makes room for a bit before each. */
static uint64_t spread(uint32_t value)
{
    uint64_t bits = value;
    for (unsigned i = 0, shift = 16; i < 5; i++, shift /= 2)
        bits = (bits | bits << shift) & masks[i];
    return bits;
}

/* Takes every second bit. */
static uint32_t gather(uint64_t bits)
{
    bits &= masks[4];
    for (unsigned i = 4, shift = 1; i > 0; i--, shift *= 2)
        bits = (bits | bits >> shift) & masks[i - 1];
    return (uint32_t)(bits | bits >> 16);
}

static uint64_t interleave(uint32_t column, uint32_t row)
{
    return spread(column) << 1 | spread(row);
}

/* ---- cells -------------------------------------------------------------------------------------- */

/* Which of 2^steps equal parts of [-max, max] a coordinate lies in. */
static uint32_t part_of(double coordinate, double max, unsigned steps)
{
    return (uint32_t)((coordinate + max) / (max + max) * (double)(1u << steps));
}

/* The middle of a part; clamped, since the hash may be any number. */
static double middle_of(uint32_t part, double max)
{
    const double parts = (double)(1u << GEOHASH_STEPS), width = max + max;
    double low = -max + (double)part / parts * width;
    double high = -max + (double)(part + 1u) / parts * width;
    double middle = (low + high) / 2;

    if (middle > max) return max;
    return middle < -max ? -max : middle;
}

struct geo_cell geo_cell_of(struct geo_point point, unsigned steps)
{
    return (struct geo_cell){steps, part_of(point.longitude, GEO_LONGITUDE_MAX, steps),
                             part_of(point.latitude, GEO_LATITUDE_MAX, steps)};
}

struct geohash_run geo_cell_run(struct geo_cell cell)
{
    unsigned shift = 2 * (GEOHASH_STEPS - cell.steps);
    uint64_t bits = interleave(cell.column, cell.row);
    return (struct geohash_run){bits << shift, (bits + 1) << shift};
}

/* ---- hashes ------------------------------------------------------------------------------------- */

uint64_t geohash_of(struct geo_point point)
{
    struct geo_cell cell = geo_cell_of(point, GEOHASH_STEPS);
    return interleave(cell.column, cell.row);
}

struct geo_point geohash_point(uint64_t hash)
{
    return (struct geo_point){middle_of(gather(hash >> 1), GEO_LONGITUDE_MAX),
                              middle_of(gather(hash), GEO_LATITUDE_MAX)};
}

/* C leaves open what a number out of range becomes; this is what Redis answers on x86-64 (tried). */
uint64_t geohash_of_score(double score)
{
    if (score >= 0x1p64) return 0;
    if (score >= 0x1p63) return (uint64_t)score;
    if (score < -0x1p63) return (uint64_t)1 << 63;
    return (uint64_t)(int64_t)score;
}

void geohash_text(struct geo_point point, char out[GEOHASH_CHARS])
{
    static const char alphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t bits = interleave(part_of(point.longitude, 180, GEOHASH_STEPS),
                               part_of(point.latitude, 90, GEOHASH_STEPS));

    for (unsigned i = 0; i < GEOHASH_CHARS - 1; i++) out[i] = alphabet[bits >> (47 - 5 * i) & 31];
    out[GEOHASH_CHARS - 1] = alphabet[0];
}

/* ---- distances ---------------------------------------------------------------------------------- */

static double radians(double degrees)
{
    return degrees * (M_PI / 180);
}

double geo_distance(struct geo_point a, struct geo_point b)
{
    double latitude_a = radians(a.latitude), latitude_b = radians(b.latitude);
    double v = sin((radians(b.longitude) - radians(a.longitude)) / 2);

    if (v == 0) return GEO_EARTH_RADIUS * fabs(latitude_b - latitude_a);
    double u = sin((latitude_b - latitude_a) / 2);
    return 2 * GEO_EARTH_RADIUS * asin(sqrt(u * u + cos(latitude_a) * cos(latitude_b) * v * v));
}
