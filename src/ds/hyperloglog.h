/* HyperLogLog: about how many different elements were seen, in at most 12 KB, to within 0.81 %.
 *
 * Each element is hashed. The low 14 bits of the hash choose one of 16384 registers; the rank is
 * the position of the lowest 1 among the other 50 bits, counted from 1 (51 where there is none). A
 * register keeps the highest rank that it has met. The estimate follows from how often each rank
 * occurs.
 *
 * The value is a string of bytes, the one that Redis 7.0 has (format read off values that it made):
 *
 *   0       4          5        8                        16
 *   | HYLL  | encoding | 0 0 0  | count, 8 bytes, LE     | registers ...
 *             0 dense              the last estimate; the highest bit says that it no longer holds
 *             1 sparse
 *
 *   dense    12288 bytes: registers of 6 bits one behind the other, lowest bits first
 *   sparse   runs of equal registers, in order, which together are 16384:
 *              00llllll           l + 1 zeros (1 to 64)             "zeros"
 *              01llllll llllllll  l + 1 zeros (1 to 16384)          "many zeros"
 *              1vvvvvll           l + 1 registers (1 to 4) of v + 1 (1 to 32)
 *
 * Which runs a sparse value has follows from the order of its changes: two neighbours of one value
 * are joined when they are the outcome of a change and fit one run. So equal changes make equal
 * bytes here and in Redis.
 *
 * The bytes come from users: nothing here trusts them, and "corrupt" is an answer. Functions that
 * take dense bytes have been told by hll_form that they are.
 *
 * Hash: MurmurHash64A (Austin Appleby, public domain). Estimate: Otmar Ertl, "New cardinality
 * estimation algorithms for HyperLogLog sketches" (2017), algorithm 6. */
#ifndef PANDO_DS_HYPERLOGLOG_H
#define PANDO_DS_HYPERLOGLOG_H

#include "base/buf.h"
#include <stdint.h>

#define HLL_REGISTERS    16384
#define HLL_HEADER_BYTES 16
#define HLL_DENSE_BYTES  (HLL_HEADER_BYTES + HLL_REGISTERS * 6 / 8)

enum hll_form {
    HLL_NONE, /* no HyperLogLog: too short, another beginning, or dense and of another length */
    HLL_DENSE,
    HLL_SPARSE,
};
enum hll_form hll_form(struct span hll);

/* What an element does: register `index` gets at least `rank`. */
struct hll_mark {
    uint16_t index; /* below HLL_REGISTERS */
    uint8_t rank;   /* 1 to 51 */
};
struct hll_mark hll_mark(struct span element);

/* Makes `hll` an empty sparse one. */
void hll_empty(struct buf *hll);

/* ---- estimates ------------------------------------------------------------------------------ */

/* The estimate in the header; false where it no longer holds. */
bool hll_cached(struct span hll, uint64_t *count);
void hll_set_cached(char *hll, uint64_t count);
void hll_spoil_cached(char *hll);

/* The estimate for these registers. It may be beyond INT64_MAX where they are nobody's honest
 * work: it is 1 << 63 then. */
uint64_t hll_estimate(const uint8_t registers[static HLL_REGISTERS]);
/* The same for a value, without looking at its header. False: corrupt. */
bool hll_count(struct span hll, uint64_t *count);

/* ---- registers ------------------------------------------------------------------------------ */

/* Raises `registers` to those of the value where they are lower. False: corrupt, and some of
 * them may have been raised. */
bool hll_merge_into(uint8_t registers[static HLL_REGISTERS], struct span hll);

uint8_t hll_dense_get(const char *hll, unsigned index);
/* False where the register is that high already. */
bool hll_dense_raise(char *hll, struct hll_mark mark);

enum hll_change { HLL_SAME, HLL_RAISED, HLL_CORRUPT };
/* Raises a register of a value in either form. A sparse one becomes dense where a run cannot
 * hold the rank, or where it would grow beyond `sparse_bytes_max` (of the whole value).
 * HLL_CORRUPT: nothing has changed. */
enum hll_change hll_raise(struct buf *hll, struct hll_mark mark, size_t sparse_bytes_max);
/* Makes a sparse value dense, keeping the header. False: corrupt, nothing has changed. */
bool hll_to_dense(struct buf *hll);

/* Appends the runs of a sparse value as text, as PFDEBUG DECODE shows them: "Z:16383 v:2,1 ", a
 * blank behind each; up to where the bytes make no sense. */
void hll_describe(struct span hll, struct buf *out);

#endif
