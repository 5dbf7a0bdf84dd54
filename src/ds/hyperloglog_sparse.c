/* Sparse values: walking their runs, and raising a register within them. */
#include "ds/hyperloglog_inside.h"

enum {
    ZEROS_MAX = 64,
    RUN_MAX = 4, /* registers of a run that are not zeros */
    RUN_RANK_MAX = 32,
};

/* Registers of one value, one behind the other. */
struct run {
    unsigned len;  /* registers */
    uint8_t rank;  /* 0: zeros */
    uint8_t bytes; /* that it takes */
};

/* The run at offset `at`; false at the end. A last byte that is half a run counts as if a zero byte
 * followed, as it does in Redis. */
static bool run_at(struct span hll, size_t at, struct run *run)
{
    if (at >= hll.len) return false;
    unsigned first = (unsigned char)hll.ptr[at];
    if (first & 0x80) {
        *run = (struct run){(first & 3) + 1, (uint8_t)((first >> 2 & 31) + 1), 1};
    } else if (!(first & 0x40)) {
        *run = (struct run){first + 1, 0, 1};
    } else {
        bool whole = at + 1 < hll.len;
        unsigned second = whole ? (unsigned char)hll.ptr[at + 1] : 0;
        *run = (struct run){((first & 63) << 8 | second) + 1, 0, whole ? 2 : 1};
    }
    return true;
}

/* Writes a run of `len` registers, none for 0; returns the bytes that it takes. */
static size_t put_run(uint8_t *to, unsigned len, uint8_t rank)
{
    if (len == 0) return 0;
    if (rank > 0) {
        to[0] = (uint8_t)(0x80 | (rank - 1) << 2 | (len - 1));
        return 1;
    }
    if (len <= ZEROS_MAX) {
        to[0] = (uint8_t)(len - 1);
        return 1;
    }
    to[0] = (uint8_t)(0x40 | (len - 1) >> 8);
    to[1] = (uint8_t)(len - 1);
    return 2;
}

void hll_empty(struct buf *hll)
{
    uint8_t zeros[2];
    buf_clear(hll);
    buf_append(hll, "HYLL\1\0\0\0\0\0\0\0\0\0\0\0", HLL_HEADER_BYTES);
    buf_append(hll, zeros, put_run(zeros, HLL_REGISTERS, 0));
}

/* ---- reading -------------------------------------------------------------------------------- */

bool hll_sparse_ranks(struct span hll, uint32_t ranks[static 64])
{
    struct run run;
    size_t at = HLL_HEADER_BYTES, registers = 0;

    for (; run_at(hll, at, &run); at += run.bytes) {
        registers += run.len;
        if (registers > HLL_REGISTERS) return false;
        ranks[run.rank] += run.len;
    }
    return registers == HLL_REGISTERS;
}

bool hll_sparse_merge_into(uint8_t registers[static HLL_REGISTERS], struct span hll)
{
    struct run run;
    size_t at = HLL_HEADER_BYTES, index = 0;

    for (; run_at(hll, at, &run); at += run.bytes, index += run.len) {
        if (index + run.len > HLL_REGISTERS) return false;
        for (size_t i = index; run.rank > 0 && i < index + run.len; i++)
            if (registers[i] < run.rank) registers[i] = run.rank;
    }
    return index == HLL_REGISTERS;
}

void hll_describe(struct span hll, struct buf *out)
{
    struct run run;
    for (size_t at = HLL_HEADER_BYTES; run_at(hll, at, &run); at += run.bytes) {
        if (run.rank > 0) buf_printf(out, "v:%u,%u ", run.rank, run.len);
        else buf_printf(out, "%c:%u ", hll.ptr[at] & 0x40 ? 'Z' : 'z', run.len);
    }
}

/* ---- changing ------------------------------------------------------------------------------- */

bool hll_to_dense(struct buf *hll)
{
    uint8_t registers[HLL_REGISTERS] = {0};

    if (hll_form(buf_span(hll)) == HLL_DENSE) return true;
    if (!hll_sparse_merge_into(registers, buf_span(hll))) return false;
    if (hll->len < HLL_DENSE_BYTES) buf_reserve(hll, HLL_DENSE_BYTES - hll->len);
    hll->len = HLL_DENSE_BYTES;
    hll->ptr[4] = HLL_BYTE_DENSE;
    memset(hll->ptr + HLL_HEADER_BYTES, 0, HLL_DENSE_BYTES - HLL_HEADER_BYTES);
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        if (registers[i] > 0)
            hll_dense_raise(hll->ptr, (struct hll_mark){(uint16_t)i, registers[i]});
    return true;
}

static enum hll_change raise_dense(struct buf *hll, struct hll_mark mark)
{
    if (!hll_to_dense(hll)) return HLL_CORRUPT;
    return hll_dense_raise(hll->ptr, mark) ? HLL_RAISED : HLL_SAME;
}

/* Puts `count` bytes in the place of `old` ones. */
static void replace(struct buf *hll, size_t at, size_t old, const uint8_t *bytes, size_t count)
{
    buf_reserve(hll, count);
    memmove(hll->ptr + at + count, hll->ptr + at + old, hll->len - at - old);
    memcpy(hll->ptr + at, bytes, count);
    hll->len = hll->len - old + count;
}

/* Joins neighbours of one rank from `at` on. A change touches five runs at most: one before it,
 * three that it made of one, one behind it. */
static void join(struct buf *hll, size_t at)
{
    struct run run, next;
    uint8_t joined;

    for (int turn = 0; turn < 5 && run_at(buf_span(hll), at, &run); turn++) {
        if (run.rank > 0 && run_at(buf_span(hll), at + 1, &next) && next.rank == run.rank &&
            run.len + next.len <= RUN_MAX) {
            put_run(&joined, run.len + next.len, run.rank);
            replace(hll, at, 2, &joined, 1); /* and once more from here */
        } else {
            at += run.bytes;
        }
    }
}

/* Where the register stands: the run that holds it, and the one before that. */
struct place {
    struct run run;
    size_t at, before; /* offsets; the first run is its own `before` */
    unsigned first;    /* the run's first register */
};

static bool find(struct span hll, unsigned index, struct place *place)
{
    *place = (struct place){.at = HLL_HEADER_BYTES, .before = HLL_HEADER_BYTES};
    while (run_at(hll, place->at, &place->run)) {
        if (index < place->first + place->run.len) return true;
        place->first += place->run.len;
        place->before = place->at;
        place->at += place->run.bytes;
    }
    return false;
}

enum hll_change hll_raise(struct buf *hll, struct hll_mark mark, size_t sparse_bytes_max)
{
    struct place place;
    uint8_t bytes[5]; /* many zeros, one register, many zeros */
    size_t count;

    if (hll_form(buf_span(hll)) == HLL_DENSE || mark.rank > RUN_RANK_MAX)
        return raise_dense(hll, mark);
    if (!find(buf_span(hll), mark.index, &place)) return HLL_CORRUPT;
    const struct run old = place.run;
    if (old.rank >= mark.rank) return HLL_SAME;

    count = put_run(bytes, mark.index - place.first, old.rank);
    count += put_run(bytes + count, 1, mark.rank);
    count += put_run(bytes + count, place.first + old.len - 1 - mark.index, old.rank);
    if (count > old.bytes && hll->len + (count - old.bytes) > sparse_bytes_max)
        return raise_dense(hll, mark);
    replace(hll, place.at, old.bytes, bytes, count);
    join(hll, place.before);
    return HLL_RAISED;
}
