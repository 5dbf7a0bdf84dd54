/* What the commands on places share: arguments that name places, lengths and units. */
#ifndef PANDO_CMD_GEO_H
#define PANDO_CMD_GEO_H

#include "cmd/call.h"
#include "ds/geohash.h"

/* argv[index] and the next one as a place. */
enum err geo_arg_point(struct call *call, int index, struct geo_point *out);
/* The metres of a unit: M, KM, FT, MI. */
enum err geo_arg_unit(struct call *call, int index, double *metres);
/* A length, with four decimals. */
void geo_reply_length(struct call *call, double length);
/* Longitude and latitude. */
void geo_reply_point(struct call *call, struct geo_point point);

#endif
