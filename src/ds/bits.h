/* Strings of bytes seen as rows of bits: counting, finding, combining, and integers of any width.
 *
 *     byte      0                 1
 *     bit     0 1 2 3 4 5 6 7   8 9 ...     bit 0 is the most significant of byte 0, as in SETBIT
 *
 * Ranges of bits are half open, [from, to), and lie within the bytes. Long ranges are worked off
 * by machine words; the results do not depend on that. No state, any thread. */
#ifndef PANDO_DS_BITS_H
#define PANDO_DS_BITS_H

#include "base/span.h"
#include <stdint.h>

#define BITS_NONE UINT64_MAX

/* How many bits of [from, to) are 1. */
uint64_t bits_count(const char *bytes, uint64_t from, uint64_t to);

/* The first bit of [from, to) that is `bit`, or BITS_NONE. */
uint64_t bits_find(const char *bytes, bool bit, uint64_t from, uint64_t to);

enum bits_operation { BITS_AND, BITS_OR, BITS_XOR, BITS_NOT };

/* Writes the combination of `count` >= 1 inputs (of BITS_NOT: the opposite of the first) to `out`,
 * which is `len` bytes long. Inputs longer than that are cut, shorter ones continue in zeros. `out`
 * may not overlap them. */
void bits_combine(enum bits_operation operation, char *out, size_t len, const struct span *inputs,
                  size_t count);

/* The `width` bits (1 to 64) from `offset` on as an unsigned number, the first one being its
 * highest. What lies behind the bytes reads as 0. */
uint64_t bits_read(struct span bytes, uint64_t offset, unsigned width);

/* Writes the low `width` bits (1 to 64) of `value` there. All of them lie within the bytes. */
void bits_write(char *bytes, uint64_t offset, unsigned width, uint64_t value);

#endif
