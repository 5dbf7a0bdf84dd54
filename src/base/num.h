/* Numbers and their texts, locale-free, and checked arithmetic. */
#ifndef PANDO_BASE_NUM_H
#define PANDO_BASE_NUM_H

#include "base/span.h"
#include <stdint.h>

/* The strict form that commands accept and that the integer encoding stores: an optional '-', no
 * '+', no blanks, no leading zeros (but "0"), "-0" refused, in range. The whole span must match. */
bool num_parse_int64(struct span text, int64_t *out);
bool num_parse_uint64(struct span text, uint64_t *out);

/* Redis' getDoubleFromObject / getLongDoubleFromObject forms: what strtod/strtold take in the C
 * locale, without leading blank, whole span, no NaN. "inf", "+inf", "-infinity" are numbers. */
bool num_parse_double(struct span text, double *out);
bool num_parse_long_double(struct span text, long double *out);

/* What strtod alone makes of the text: blanks may stand before the number, what is out of range becomes
 * infinite or zero, and no text at all is 0. False where anything stands behind the number, and for NaN:
 * the bounds of ZCOUNT and the weights of SORT. */
bool num_parse_double_loosely(struct span text, double *out);

#define NUM_INT64_CHARS 20 /* "-9223372036854775808" */
/* Writes decimal digits without terminating zero; returns their count (at most NUM_INT64_CHARS). */
size_t num_format_int64(char *out, int64_t value);
size_t num_format_uint64(char *out, uint64_t value);

#define NUM_DOUBLE_CHARS 128
/* As replies print doubles in RESP2 (%.17g; "inf", "-inf"); integers in range print without point.
 * Returns the length; writes a terminating zero too. */
size_t num_format_double(char out[static NUM_DOUBLE_CHARS], double value);

#define NUM_LONG_DOUBLE_CHARS (5 * 1024)
/* The human form of INCRBYFLOAT: %.17Lf with trailing zeros (and point) cut, "-0" made "0". */
size_t num_format_long_double(char out[static NUM_LONG_DOUBLE_CHARS], long double value);

/* Sum, difference, product into *out; false (and *out untouched) on overflow. */
static inline bool num_add_int64(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_add_overflow(a, b, &r)) return false;
    *out = r;
    return true;
}
static inline bool num_mul_int64(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_mul_overflow(a, b, &r)) return false;
    *out = r;
    return true;
}
static inline bool num_add_size(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_add_overflow(a, b, &r)) return false;
    *out = r;
    return true;
}

/* "1kb" 1024, "1k" 1000, "1mb", "1m", "1gb", "1g", "1b", "17": bytes, any case. False on anything
 * else, on a sign and on overflow. */
bool num_parse_memory(struct span text, uint64_t *out);
/* 1536 -> "1.50K", as the *_human fields of INFO print it (B, K, M, G, T, P). Zero-terminated. */
void num_format_human(char out[static 32], uint64_t bytes);

#endif
