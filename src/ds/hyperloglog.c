/* The hash, the header, dense registers and the estimate. Sparse values: hyperloglog_sparse.c. */
#include "ds/hyperloglog.h"

#include "ds/hyperloglog_inside.h"

#include <math.h>

#define RANK_MAX 51 /* 64 bits of hash less the 14 of the index, and 1 */

/* ---- hash ----------------------------------------------------------------------------------- */

static uint64_t murmur64a(struct span bytes, uint64_t seed)
{
    const uint64_t factor = 0xc6a4a7935bd1e995;
    uint64_t hash = seed ^ (bytes.len * factor);
    size_t whole = bytes.len / 8 * 8;

    for (size_t at = 0; at < whole; at += 8) {
        uint64_t word;
        memcpy(&word, bytes.ptr + at, 8);
        word *= factor;
        word ^= word >> 47;
        word *= factor;
        hash = (hash ^ word) * factor;
    }
    if (whole < bytes.len) {
        uint64_t word = 0;
        memcpy(&word, bytes.ptr + whole, bytes.len - whole);
        hash = (hash ^ word) * factor;
    }
    hash ^= hash >> 47;
    hash *= factor;
    return hash ^ hash >> 47;
}

struct hll_mark hll_mark(struct span element)
{
    uint64_t hash = murmur64a(element, 0xadc83b19);
    uint64_t rest = hash >> 14 | (uint64_t)1 << (RANK_MAX - 1);
    return (struct hll_mark){(uint16_t)(hash % HLL_REGISTERS),
                             (uint8_t)(__builtin_ctzll(rest) + 1)};
}

/* ---- header --------------------------------------------------------------------------------- */

#define COUNT_AT     8
#define COUNT_SPOILT ((uint64_t)1 << 63)

enum hll_form hll_form(struct span hll)
{
    if (hll.len < HLL_HEADER_BYTES || memcmp(hll.ptr, "HYLL", 4) != 0) return HLL_NONE;
    if (hll.ptr[4] == HLL_BYTE_SPARSE) return HLL_SPARSE;
    return hll.ptr[4] == HLL_BYTE_DENSE && hll.len == HLL_DENSE_BYTES ? HLL_DENSE : HLL_NONE;
}

bool hll_cached(struct span hll, uint64_t *count)
{
    memcpy(count, hll.ptr + COUNT_AT, 8);
    return !(*count & COUNT_SPOILT);
}

void hll_set_cached(char *hll, uint64_t count)
{
    memcpy(hll + COUNT_AT, &count, 8);
}

void hll_spoil_cached(char *hll)
{
    hll[COUNT_AT + 7] = (char)(hll[COUNT_AT + 7] | 0x80);
}

/* ---- dense registers ------------------------------------------------------------------------ */

/* A register's bits lie in one byte or in two neighbours: read as 16 bits. Behind the last
 * register, which ends with its byte, there is none. */
static unsigned load_pair(const char *hll, unsigned bit)
{
    const unsigned char *at = (const unsigned char *)hll + HLL_HEADER_BYTES + bit / 8;
    return at[0] | (bit % 8 > 2 ? (unsigned)at[1] << 8 : 0);
}

uint8_t hll_dense_get(const char *hll, unsigned index)
{
    unsigned bit = index * 6;
    return load_pair(hll, bit) >> bit % 8 & 63;
}

bool hll_dense_raise(char *hll, struct hll_mark mark)
{
    unsigned bit = mark.index * 6u, pair = load_pair(hll, bit);
    char *at = hll + HLL_HEADER_BYTES + bit / 8;

    if ((pair >> bit % 8 & 63) >= mark.rank) return false;
    pair = (pair & ~(63u << bit % 8)) | (unsigned)mark.rank << bit % 8;
    at[0] = (char)(pair & 0xff);
    if (bit % 8 > 2) at[1] = (char)(pair >> 8);
    return true;
}

/* Four registers are three bytes. */
static void unpack(const char *hll, uint8_t registers[static HLL_REGISTERS])
{
    const unsigned char *at = (const unsigned char *)hll + HLL_HEADER_BYTES;
    for (size_t i = 0; i < HLL_REGISTERS; i += 4, at += 3) {
        unsigned four = at[0] | (unsigned)at[1] << 8 | (unsigned)at[2] << 16;
        registers[i] = four & 63;
        registers[i + 1] = four >> 6 & 63;
        registers[i + 2] = four >> 12 & 63;
        registers[i + 3] = four >> 18;
    }
}

static void raise_all(uint8_t registers[static HLL_REGISTERS],
                      const uint8_t others[static HLL_REGISTERS])
{
    typedef uint8_t wide __attribute__((vector_size(16)));
    for (size_t i = 0; i < HLL_REGISTERS; i += sizeof(wide)) {
        wide a, b;
        memcpy(&a, registers + i, sizeof a);
        memcpy(&b, others + i, sizeof b);
        wide higher = (wide)(b > a); /* all ones where it is so */
        a = (b & higher) | (a & ~higher);
        memcpy(registers + i, &a, sizeof a);
    }
}

bool hll_merge_into(uint8_t registers[static HLL_REGISTERS], struct span hll)
{
    if (hll_form(hll) == HLL_SPARSE) return hll_sparse_merge_into(registers, hll);
    uint8_t others[HLL_REGISTERS];
    unpack(hll.ptr, others);
    raise_all(registers, others);
    return true;
}

/* ---- estimate ------------------------------------------------------------------------------- */

/* x + the sum over k >= 1 of x^(2^k) * 2^(k-1), as far as doubles tell a difference. */
static double sigma(double x)
{
    if (x == 1.) return INFINITY;
    double sum = x, before, weight = 1;
    do {
        x *= x;
        before = sum;
        sum += x * weight;
        weight += weight;
    } while (sum != before);
    return sum;
}

/* A third of 1 - x - the sum over k >= 1 of (1 - x^(2^-k))^2 * 2^-k. */
static double tau(double x)
{
    if (x == 0. || x == 1.) return 0.;
    double sum = 1 - x, before, weight = 1;
    do {
        x = sqrt(x);
        before = sum;
        weight *= 0.5;
        sum -= (1 - x) * (1 - x) * weight;
    } while (sum != before);
    return sum / 3;
}

/* ranks[r]: how many registers hold r. Those above RANK_MAX cannot be, and count for nothing. */
static uint64_t estimate(const uint32_t ranks[static 64])
{
    const double m = HLL_REGISTERS, alpha = 0.721347520444481703680; /* 1 / (2 ln 2) */
    double z = m * tau((m - ranks[RANK_MAX]) / m);

    for (int rank = RANK_MAX - 1; rank >= 1; rank--) {
        z += ranks[rank];
        z *= 0.5;
    }
    z += m * sigma(ranks[0] / m);
    double count = alpha * m * m / z;
    return count < 0x1p63 ? (uint64_t)llround(count) : (uint64_t)1 << 63;
}

uint64_t hll_estimate(const uint8_t registers[static HLL_REGISTERS])
{
    uint32_t ranks[64] = {0};
    for (size_t i = 0; i < HLL_REGISTERS; i++) ranks[registers[i] & 63]++;
    return estimate(ranks);
}

bool hll_count(struct span hll, uint64_t *count)
{
    uint32_t ranks[64] = {0};

    if (hll_form(hll) == HLL_SPARSE) {
        if (!hll_sparse_ranks(hll, ranks)) return false;
        *count = estimate(ranks);
        return true;
    }
    uint8_t registers[HLL_REGISTERS];
    unpack(hll.ptr, registers);
    *count = hll_estimate(registers);
    return true;
}
