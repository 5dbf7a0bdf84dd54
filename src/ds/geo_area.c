#include "ds/geo_area.h"

#include <math.h>

bool geo_area_holds(const struct geo_area *area, struct geo_point point, double *distance)
{
    struct geo_point centre = area->centre;

    if (area->is_box) {
        struct geo_point above = {centre.longitude, point.latitude}; /* or below */
        if (geo_distance(centre, above) > area->height / 2) return false;
        if (geo_distance(above, point) > area->width / 2) return false;
    }
    *distance = geo_distance(centre, point);
    return area->is_box || *distance <= area->radius;
}

/* ---- the rectangle of degrees around an area ----------------------------------------------------- */

struct rectangle {
    double west, east, south, north;
};

static double degrees(double radians)
{
    return radians / (M_PI / 180);
}

/* A degree of longitude is shortest at the edge that lies nearer to a pole: there the area has most of
 * them. */
static struct rectangle rectangle_around(const struct geo_area *area)
{
    double half_height = area->is_box ? area->height / 2 : area->radius;
    double half_width = area->is_box ? area->width / 2 : area->radius;
    struct geo_point centre = area->centre;
    double up = degrees(half_height / GEO_EARTH_RADIUS);
    double outer = centre.latitude < 0 ? centre.latitude - up : centre.latitude + up;
    double aside = degrees(half_width / GEO_EARTH_RADIUS / cos(outer * (M_PI / 180)));

    return (struct rectangle){centre.longitude - aside, centre.longitude + aside,
                              centre.latitude - up, centre.latitude + up};
}

static struct rectangle rectangle_of(struct geo_cell cell)
{
    double parts = (double)(1u << cell.steps);
    double width = 2 * GEO_LONGITUDE_MAX, height = 2 * GEO_LATITUDE_MAX;

    return (struct rectangle){-GEO_LONGITUDE_MAX + cell.column / parts * width,
                              -GEO_LONGITUDE_MAX + (cell.column + 1) / parts * width,
                              -GEO_LATITUDE_MAX + cell.row / parts * height,
                              -GEO_LATITUDE_MAX + (cell.row + 1) / parts * height};
}

/* ---- the cells -------------------------------------------------------------------------------------- */

enum { CENTRE, NORTH, SOUTH, EAST, WEST, NORTH_EAST, NORTH_WEST, SOUTH_EAST, SOUTH_WEST };

static const struct {
    int east, north;
} ways[GEO_CELLS_MAX] = {
    [CENTRE] = {0, 0},      [NORTH] = {0, 1},       [SOUTH] = {0, -1},
    [EAST] = {1, 0},        [WEST] = {-1, 0},       [NORTH_EAST] = {1, 1},
    [NORTH_WEST] = {-1, 1}, [SOUTH_EAST] = {1, -1}, [SOUTH_WEST] = {-1, -1},
};

/* One on, around the earth. What is at its uppermost end, one beyond the last, stays there by itself. */
static uint32_t step_on(uint32_t part, int way, unsigned steps)
{
    return way == 0 ? part : (part + (uint32_t)way) & ((1u << steps) - 1);
}

static void block_around(struct geo_point centre, unsigned steps, struct geo_cell block[])
{
    struct geo_cell middle = geo_cell_of(centre, steps);

    for (unsigned i = 0; i < GEO_CELLS_MAX; i++)
        block[i] = (struct geo_cell){steps, step_on(middle.column, ways[i].east, steps),
                                     step_on(middle.row, ways[i].north, steps)};
}

/* From the centre to what is farthest from it. */
static double reach_of(const struct geo_area *area)
{
    double half_width = area->width / 2, half_height = area->height / 2;

    if (!area->is_box) return area->radius;
    return sqrt(half_width * half_width + half_height * half_height);
}

/* How often the earth is halved for an area that reaches so far: half of the equator, as Mercator's map
 * has it, into parts that are longer than that reach. */
static unsigned steps_for(double reach, double latitude)
{
    static const double half_equator = 20037726.37;
    double halvings = reach > 0 ? ceil(log2(half_equator / reach)) - 1 : INFINITY;

    if (fabs(latitude) > 66) halvings--;
    if (fabs(latitude) > 80) halvings--;
    return (unsigned)fmax(1, fmin(GEOHASH_STEPS, halvings));
}

static bool reaches(const struct geo_cell block[], const struct rectangle *area)
{
    return rectangle_of(block[NORTH]).north >= area->north &&
           rectangle_of(block[SOUTH]).south <= area->south &&
           rectangle_of(block[EAST]).east >= area->east &&
           rectangle_of(block[WEST]).west <= area->west;
}

/* Whether the area lies all on one side of the middle cell's edge towards this way. */
static bool is_beside(unsigned way, const struct rectangle *middle, const struct rectangle *area)
{
    return (ways[way].north < 0 && middle->south < area->south) ||
           (ways[way].north > 0 && middle->north > area->north) ||
           (ways[way].east < 0 && middle->west < area->west) ||
           (ways[way].east > 0 && middle->east > area->east);
}

static bool is_among(struct geo_cell cell, const struct geo_cell cells[], unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (cells[i].column == cell.column && cells[i].row == cell.row) return true;
    return false;
}

unsigned geo_area_cover(const struct geo_area *area, struct geo_cell cells[GEO_CELLS_MAX])
{
    struct rectangle around = rectangle_around(area);
    unsigned steps = steps_for(reach_of(area), area->centre.latitude), count = 0;
    struct geo_cell block[GEO_CELLS_MAX];

    block_around(area->centre, steps, block);
    if (steps > 1 && !reaches(block, &around)) block_around(area->centre, --steps, block);
    struct rectangle middle = rectangle_of(block[CENTRE]);
    for (unsigned i = 0; i < GEO_CELLS_MAX; i++) {
        if (steps > 1 && is_beside(i, &middle, &around)) continue;
        if (!is_among(block[i], cells, count)) cells[count++] = block[i];
    }
    return count;
}
