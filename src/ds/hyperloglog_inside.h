/* Between hyperloglog.c and hyperloglog_sparse.c. */
#ifndef PANDO_DS_HYPERLOGLOG_INSIDE_H
#define PANDO_DS_HYPERLOGLOG_INSIDE_H

#include "ds/hyperloglog.h"

enum { HLL_BYTE_DENSE = 0, HLL_BYTE_SPARSE = 1 }; /* of the header */

/* Counts the registers of each rank. False: corrupt. */
bool hll_sparse_ranks(struct span hll, uint32_t ranks[static 64]);
/* hll_merge_into for a sparse one. */
bool hll_sparse_merge_into(uint8_t registers[static HLL_REGISTERS], struct span hll);

#endif
