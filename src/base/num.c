#include "base/num.h"

#include "base/ascii.h"
#include "base/mem.h"
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- integers ---- */

/* Digits without sign: no leading zero but "0" alone. At most 20 of them fit 64 bits. */
static bool parse_magnitude(const char *ptr, size_t len, uint64_t *out)
{
    if (len == 0 || len > 20) return false;
    unsigned first = (unsigned char)ptr[0] - '0';
    if (first > 9 || (first == 0 && len > 1)) return false;
    uint64_t sum = first;
    size_t safe = len < 19 ? len : 19; /* 19 digits cannot overflow */
    for (size_t i = 1; i < safe; i++) {
        unsigned digit = (unsigned char)ptr[i] - '0';
        if (digit > 9) return false;
        sum = sum * 10 + digit;
    }
    if (len == 20) {
        unsigned digit = (unsigned char)ptr[19] - '0';
        if (digit > 9 || __builtin_mul_overflow(sum, 10u, &sum) ||
            __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *out = sum;
    return true;
}

bool num_parse_int64(struct span text, int64_t *out)
{
    uint64_t magnitude;
    if (text.len > 0 && text.ptr[0] == '-') {
        if (!parse_magnitude(text.ptr + 1, text.len - 1, &magnitude)) return false;
        if (magnitude == 0 || magnitude > (uint64_t)INT64_MAX + 1) return false;
        *out = (int64_t)(0 - magnitude);
        return true;
    }
    if (!parse_magnitude(text.ptr, text.len, &magnitude) || magnitude > INT64_MAX) return false;
    *out = (int64_t)magnitude;
    return true;
}

bool num_parse_uint64(struct span text, uint64_t *out)
{
    return parse_magnitude(text.ptr, text.len, out);
}

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static unsigned count_digits(uint64_t value)
{
    static const uint64_t powers[20] = {0, /* so that 0 has one digit */
                                        10u,
                                        100u,
                                        1000u,
                                        10000u,
                                        100000u,
                                        1000000u,
                                        10000000u,
                                        100000000u,
                                        1000000000u,
                                        10000000000u,
                                        100000000000u,
                                        1000000000000u,
                                        10000000000000u,
                                        100000000000000u,
                                        1000000000000000u,
                                        10000000000000000u,
                                        100000000000000000u,
                                        1000000000000000000u,
                                        10000000000000000000u};
    /* 1233 / 4096 is just above log10(2): a guess from the bit length, at most one too small. */
    unsigned guess = (64u - (unsigned)__builtin_clzll(value | 1)) * 1233 >> 12;
    return guess + (value >= powers[guess]);
}

size_t num_format_uint64(char *out, uint64_t value)
{
    unsigned len = count_digits(value);
    char *end = out + len;
    while (value >= 100) {
        end -= 2;
        memcpy(end, digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) memcpy(end - 2, digit_pairs + value * 2, 2);
    else end[-1] = (char)('0' + value);
    return len;
}

size_t num_format_int64(char *out, int64_t value)
{
    if (value >= 0) return num_format_uint64(out, (uint64_t)value);
    *out = '-';
    return 1 + num_format_uint64(out + 1, 0 - (uint64_t)value);
}

/* ---- floating point ---- */

/* Plain decimals of at most 15 digits: mantissa and power of ten are both exact doubles, so one
 * division gives the correctly rounded result that strtod would give. */
static bool parse_short_decimal(struct span text, double *out)
{
    static const double powers[16] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t i = 0, digits = 0, fraction = 0;
    uint64_t mantissa = 0;
    bool negative = false, point = false;
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+')) negative = text.ptr[i++] == '-';
    if (text.len - i > 16) return false;
    for (; i < text.len; i++) {
        if (text.ptr[i] == '.' && !point) {
            point = true;
        } else if (ascii_is_digit(text.ptr[i])) {
            mantissa = mantissa * 10 + (uint64_t)(text.ptr[i] - '0');
            digits++;
            fraction += point;
        } else {
            return false;
        }
    }
    if (digits == 0 || digits > 15) return false;
    double value = (double)mantissa / powers[fraction];
    *out = negative ? -value : value;
    return true;
}

/* strtod wants a terminating zero: short texts are copied to the stack. */
#define STACK_CHARS 512

/* strtod on the whole text; false where something stands behind the number. *range: errno says that
 * the number does not fit. */
static bool parse_by_strtod(struct span text, double *out, bool *range)
{
    char stack[STACK_CHARS];
    char *copy = text.len < sizeof stack ? stack : mem_alloc(text.len + 1);
    char *end;

    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    errno = 0;
    *out = strtod(copy, &end);
    *range = errno == ERANGE;
    bool whole = end == copy + text.len;
    if (copy != stack) mem_free(copy);
    return whole;
}

bool num_parse_double(struct span text, double *out)
{
    double value;
    bool range;

    if (parse_short_decimal(text, out)) return true;
    if (text.len == 0 || ascii_is_space(text.ptr[0])) return false;
    if (!parse_by_strtod(text, &value, &range) || isnan(value)) return false;
    /* A tiny result with ERANGE is accepted while it is not zero. */
    if (range && (value == HUGE_VAL || value == -HUGE_VAL || value == 0)) return false;
    *out = value;
    return true;
}

bool num_parse_double_loosely(struct span text, double *out)
{
    double value;
    bool range;

    if (parse_short_decimal(text, out)) return true;
    if (!parse_by_strtod(text, &value, &range) || isnan(value)) return false;
    *out = value;
    return true;
}

bool num_parse_long_double(struct span text, long double *out)
{
    char copy[NUM_LONG_DOUBLE_CHARS];
    if (text.len == 0 || text.len >= sizeof copy || ascii_is_space(text.ptr[0])) return false;
    char *end;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    errno = 0;
    long double value = strtold(copy, &end);
    if (end != copy + text.len || isnan(value)) return false;
    if (errno == ERANGE && (value == HUGE_VALL || value == -HUGE_VALL || value == 0)) return false;
    *out = value;
    return true;
}

size_t num_format_double(char out[static NUM_DOUBLE_CHARS], double value)
{
    if (isnan(value)) return (size_t)snprintf(out, NUM_DOUBLE_CHARS, "nan");
    if (isinf(value)) return (size_t)snprintf(out, NUM_DOUBLE_CHARS, value > 0 ? "inf" : "-inf");
    /* Below 2^52 a whole number prints the same with or without %g, and much faster. */
    if (value > -4503599627370496.0 && value < 4503599627370496.0 &&
        value == (double)(int64_t)value && !(value == 0 && signbit(value))) {
        size_t len = num_format_int64(out, (int64_t)value);
        out[len] = 0;
        return len;
    }
    return (size_t)snprintf(out, NUM_DOUBLE_CHARS, "%.17g", value);
}

size_t num_format_long_double(char out[static NUM_LONG_DOUBLE_CHARS], long double value)
{
    if (isnan(value)) return (size_t)snprintf(out, NUM_LONG_DOUBLE_CHARS, "nan");
    if (isinf(value))
        return (size_t)snprintf(out, NUM_LONG_DOUBLE_CHARS, value > 0 ? "inf" : "-inf");
    size_t len = (size_t)snprintf(out, NUM_LONG_DOUBLE_CHARS, "%.17Lf", value);
    while (out[len - 1] == '0') len--;
    if (out[len - 1] == '.') len--;
    if (len == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        len = 1;
    }
    out[len] = 0;
    return len;
}

_Static_assert(NUM_LONG_DOUBLE_CHARS > LDBL_MAX_10_EXP + 1 + 17 + 3, "the largest number fits");

/* ---- amounts of memory ---- */

bool num_parse_memory(struct span text, uint64_t *out)
{
    static const struct {
        const char *suffix;
        uint64_t bytes;
    } units[] = {
        {"", 1},        {"b", 1},        {"k", 1000},       {"kb", 1 << 10},
        {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30},
    };
    size_t digits = 0;
    while (digits < text.len && ascii_is_digit(text.ptr[digits])) digits++;
    /* Leading zeros are fine here, unlike in a command's integer. */
    size_t zeros = 0;
    while (zeros + 1 < digits && text.ptr[zeros] == '0') zeros++;
    uint64_t count;
    if (!parse_magnitude(text.ptr + zeros, digits - zeros, &count)) return false;
    struct span suffix = span_of(text.ptr + digits, text.len - digits);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        uint64_t bytes;
        if (!span_is(suffix, units[i].suffix)) continue;
        if (__builtin_mul_overflow(count, units[i].bytes, &bytes)) return false;
        *out = bytes;
        return true;
    }
    return false;
}

void num_format_human(char out[static 32], uint64_t bytes)
{
    if (bytes < 1024) {
        snprintf(out, 32, "%lluB", (unsigned long long)bytes);
        return;
    }
    double amount = (double)bytes;
    const char *unit = "KMGTP";
    for (amount /= 1024; amount >= 1024 && unit[1] != 0; unit++) amount /= 1024;
    snprintf(out, 32, "%.2f%c", amount, *unit);
}
