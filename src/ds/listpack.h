/* Listpack: a run of short strings and integers in one piece of memory, the format of RDB 10.
 *
 *   +-----------+---------+-------+-------+- - - -+------+
 *   | bytes (4) | count(2)| item  | item  |       | 0xff |
 *   +-----------+---------+-------+-------+- - - -+------+
 *     item:  encoding and data | back length (1 to 5 bytes: of encoding and data)
 *
 *   0xxxxxxx           integer 0..127              10xxxxxx           string up to 63 bytes
 *   110xxxxx +1        integer, 13 bits            1110xxxx +1        string up to 4095 bytes
 *   f1 f2 f3 f4        integer of 16, 24, 32, 64   f0 +4              string
 *   count 0xffff: not known, walk                  bits, little-endian
 *
 * (Format read off files that Redis 7.0.15 wrote.) A string that is an integer in strict form
 * (num_parse_int64) is stored as that integer, always: so equal items have equal bytes.
 *
 * The functions change bytes in memory that somebody else owns: an entry's payload, a node of a
 * quicklist, of a stream. Whoever calls makes room first, by listpack_item_bytes.
 *
 * Invariants: bytes at the head is the size; the count is right or 0xffff. Everything but
 * listpack_validate trusts the bytes: they come from here or were validated.
 *
 * Items are named by their offset from the listpack's first byte: offsets survive a move of the
 * memory. listpack_end is the offset behind the last item (of the 0xff), 0 is no item. */
#ifndef PANDO_DS_LISTPACK_H
#define PANDO_DS_LISTPACK_H

#include "base/hash.h"
#include "base/num.h"
#include "base/span.h"
#include <stdint.h>

#define LISTPACK_EMPTY_BYTES   7
#define LISTPACK_HEAD_BYTES    6
#define LISTPACK_COUNT_UNKNOWN 0xffff

/* Writes an empty one of LISTPACK_EMPTY_BYTES. */
void listpack_init(uint8_t *lp);

static inline size_t listpack_bytes(const uint8_t *lp)
{
    uint32_t bytes;
    memcpy(&bytes, lp, 4);
    return bytes;
}
/* Walks only where there are 65535 items or more. */
size_t listpack_count(const uint8_t *lp);
/* Offset behind the last item. */
static inline size_t listpack_end(const uint8_t *lp)
{
    return listpack_bytes(lp) - 1;
}

/* ---- walking: offsets, 0 for none -------------------------------------------------------------- */

size_t listpack_first(const uint8_t *lp);
size_t listpack_last(const uint8_t *lp);
/* The item behind one; 0 where that was the last. */
size_t listpack_next(const uint8_t *lp, size_t item);
/* The item before one (or before listpack_end); 0 where that was the first. */
size_t listpack_previous(const uint8_t *lp, size_t item);
/* By index, negative from the end; walks from the nearer side. 0 where it is out of range. */
size_t listpack_at(const uint8_t *lp, int64_t index);
/* Bytes that the item takes, its back length included. */
size_t listpack_item_size(const uint8_t *lp, size_t item);

/* ---- reading ------------------------------------------------------------------------------------ */

struct listpack_value {
    const char *ptr; /* NULL: an integer */
    size_t len;
    int64_t number;
};
struct listpack_value listpack_value(const uint8_t *lp, size_t item);
/* As bytes; an integer's digits are written into `scratch`. */
struct span listpack_value_text(struct listpack_value value, char scratch[static NUM_INT64_CHARS]);
struct span listpack_text(const uint8_t *lp, size_t item, char scratch[static NUM_INT64_CHARS]);
/* Whether the item is this string. `is_number` and `number` are of num_parse_int64(text): computed
 * once by who compares with many. */
bool listpack_equals(const uint8_t *lp, size_t item, struct span text, bool is_number,
                     int64_t number);
/* From `item` (0: none) on the first equal one, looking at one item and passing over `skip`:
 * 1 for the fields of a hash. 0 where there is none. */
size_t listpack_find(const uint8_t *lp, size_t item, struct span text, unsigned skip);

/* ---- changing ----------------------------------------------------------------------------------- */

/* Bytes that an item of this text or number takes, back length included. */
size_t listpack_item_bytes(struct span text);
size_t listpack_item_bytes_int64(int64_t number);

/* Puts an item in at `at` (an item's offset, or listpack_end). The memory has room for
 * listpack_item_bytes more. `text` may not lie in the listpack. Returns the offset behind it. */
size_t listpack_insert(uint8_t *lp, size_t at, struct span text);
size_t listpack_insert_int64(uint8_t *lp, size_t at, int64_t number);
/* Appends; the same as inserting at listpack_end. */
static inline void listpack_append(uint8_t *lp, struct span text)
{
    listpack_insert(lp, listpack_end(lp), text);
}
/* Takes out `count` items from `at` on (fewer where there are fewer); returns how many. The size
 * shrinks; the memory behind is the owner's to give back. What stood behind them is now at `at`. */
size_t listpack_remove(uint8_t *lp, size_t at, size_t count);
/* The same two, but what moves is what stands in front of `at`, not what stands behind: the listpack begins
 * earlier, where there is room for listpack_item_bytes in front of it, or later. Both return where it
 * begins; `count` items are there. */
uint8_t *listpack_insert_front(uint8_t *lp, size_t at, struct span text);
uint8_t *listpack_remove_front(uint8_t *lp, size_t at, size_t count);
/* Puts another item in the place of one. There is room for what it takes more. */
void listpack_replace(uint8_t *lp, size_t item, struct span text);
void listpack_replace_int64(uint8_t *lp, size_t item, int64_t number);
/* Copies `count` items (whole bytes [from, to) of another listpack) to `at`; room is there. */
void listpack_insert_items(uint8_t *lp, size_t at, const uint8_t *items, size_t bytes,
                           size_t count);

/* ---- foreign bytes ------------------------------------------------------------------------------ */

/* Whether these bytes are a sound listpack: sizes, encodings, back lengths, end and count. Integers
 * in a longer form than needed, and strings that could be integers, are sound (Redis writes them in
 * streams). */
bool listpack_validate(struct span bytes);
/* Whether no two items are equal, looking at one and passing over `skip`. The secret keeps who made the
 * bytes from making that slow. */
bool listpack_is_distinct(const uint8_t *lp, unsigned skip, const struct hash_secret *secret);

#endif
