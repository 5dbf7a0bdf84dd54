/* Areas to search in: a circle or a box around a place, and the cells of geohashes that cover it.
 *
 *      +------+------+------+     cells, at their coarsest as wide at the equator as the area, at their
 *      |  NW  |  N   |  NE  |     finest twice as wide; further north and south coarser ones are taken
 *      +------+------+------+
 *      |  W   |   *  |  E   |     the centre lies somewhere in the middle cell: the eight around it hold
 *      +------+------+------+     what the area has beyond
 *      |  SW  |  S   |  SE  |
 *      +------+------+------+     columns go on around the earth, rows too (which finds nothing)
 *
 * Cells that the area does not touch are left out. The cells are searched in a fixed order, so that
 * results that are not sorted, and those cut off at a count, are the same as from Redis 7.0.15; that
 * they were found by trying, in some ten thousand searches over the whole earth. Where an area reaches
 * over a pole (beyond 85.05 degrees there are no places) what it holds on the other side is not
 * found, nor what lies in columns to the east and west of the middle one. */
#ifndef PANDO_DS_GEO_AREA_H
#define PANDO_DS_GEO_AREA_H

#include "ds/geohash.h"

struct geo_area {
    struct geo_point centre;
    bool is_box;
    double radius;        /* metres; of a circle */
    double width, height; /* metres; of a box */
};

/* Whether the area holds a place. *distance is from its centre, in metres, where it does. */
bool geo_area_holds(const struct geo_area *area, struct geo_point point, double *distance);

#define GEO_CELLS_MAX 9
/* The cells to search in, in order; none twice. Returns how many. */
unsigned geo_area_cover(const struct geo_area *area, struct geo_cell cells[GEO_CELLS_MAX]);

#endif
