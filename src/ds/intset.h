/* Intset: a set of integers in one piece of memory, the format of RDB type 11.
 *
 *   +-----------+-----------+--------+--------+- - -
 *   | width (4) | count (4) | number | number |          numbers of `width` bytes: 2, 4 or 8
 *   +-----------+-----------+--------+--------+- - -
 *
 * All numbers are little-endian and have the width that the widest one needed when it came; the
 * width never shrinks again. (Read off files that Redis 7.0.15 wrote.)
 *
 * The functions change bytes in memory that somebody else owns: an entry's payload. Whoever calls
 * makes room first, by intset_bytes_with.
 *
 * Invariants: the numbers ascend, none is there twice, width is 2, 4 or 8. Everything but
 * intset_validate trusts the bytes: they come from here or were validated. */
#ifndef PANDO_DS_INTSET_H
#define PANDO_DS_INTSET_H

#include "base/span.h"
#include <stdint.h>

#define INTSET_HEAD_BYTES 8

/* Writes an empty one of INTSET_HEAD_BYTES, as narrow as can be. */
void intset_init(uint8_t *set);

unsigned intset_width(const uint8_t *set); /* bytes of each number */
size_t intset_count(const uint8_t *set);
size_t intset_bytes(const uint8_t *set);
/* The number at `index`, which is below the count; ascending. */
int64_t intset_at(const uint8_t *set, size_t index);
/* Whether the number is there; *index is where it stands or would stand. */
bool intset_find(const uint8_t *set, int64_t number, size_t *index);

/* Bytes of the set once a number that is not in it has been inserted. */
size_t intset_bytes_with(const uint8_t *set, int64_t number);
/* Inserts a number that is not there, at the index that intset_find told. */
void intset_insert(uint8_t *set, size_t index, int64_t number);
void intset_remove(uint8_t *set, size_t index);

/* Whether these bytes are a sound intset, empty or not. */
bool intset_validate(struct span bytes);

#endif
