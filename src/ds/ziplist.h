/* Ziplists and zipmaps, read only: what small containers were in RDB files before version 10.
 *
 *   ziplist   bytes (4) | tail (4) | count (2) | item | item | ... | 0xff
 *     tail    offset of the last item; 10 where there is none
 *     count   0xffff: not known, walk
 *     item    length of the item before it (1 byte below 254; else 254 and 4) | encoding | data
 *
 *     00xxxxxx           string up to 63 bytes        c0 d0 e0   integer of 16, 32, 64 bits
 *     01xxxxxx +1        string up to 16383 bytes     f0 fe      integer of 24, 8 bits
 *     10...... +4        string                       f1 to fd   integer 0..12
 *     string lengths big-endian, everything else little-endian
 *
 *   zipmap    count (1; 254: not known) | field | value | field | value | ... | 0xff
 *     field   length (1 byte below 254; else 254 and 4) | bytes
 *     value   the same with a byte behind the length: of how many bytes of room follow the value
 *
 * (The format is described by the documents of RDB; what Redis 7.0.15 takes of it was tried by
 * RESTORE.) Nothing writes these any more: whoever loads one makes its own structure of the items. So
 * there is one way to use them: validate, then walk from the first item on.
 *
 * Items are named by their offset from the first byte, 0 is no item. */
#ifndef PANDO_DS_ZIPLIST_H
#define PANDO_DS_ZIPLIST_H

#include "ds/listpack.h"

/* Whether these bytes are a sound ziplist: sizes, offset of the tail, encodings, back lengths, end and
 * count. *count gets the number of items. The functions below trust what this one let pass. */
bool ziplist_validate(struct span bytes, size_t *count);
size_t ziplist_first(const uint8_t *zl);
/* The item behind one; 0 where that was the last. */
size_t ziplist_next(const uint8_t *zl, size_t item);
/* A string, which borrows from the ziplist, or a number: in the same form as a listpack's. */
struct listpack_value ziplist_value(const uint8_t *zl, size_t item);

/* Whether these bytes are a sound zipmap. *pairs gets the number of fields. */
bool zipmap_validate(struct span bytes, size_t *pairs);
/* What stands between count and end: the pairs. */
static inline struct span zipmap_pairs(struct span bytes)
{
    return span_of(bytes.ptr + 1, bytes.len - 2);
}
/* Takes a pair off the front of *rest; false where there is none. */
bool zipmap_next(struct span *rest, struct span *field, struct span *value);

#endif
