/* Character classes of ASCII. The <ctype.h> ones depend on the locale and on the sign of char. */
#ifndef PANDO_BASE_ASCII_H
#define PANDO_BASE_ASCII_H

#include <stdbool.h>

static inline unsigned char ascii_lower(char c)
{
    unsigned char u = (unsigned char)c;
    return (unsigned)(u - 'A') < 26 ? u + ('a' - 'A') : u;
}

static inline unsigned char ascii_upper(char c)
{
    unsigned char u = (unsigned char)c;
    return (unsigned)(u - 'a') < 26 ? u - ('a' - 'A') : u;
}

static inline bool ascii_is_digit(char c)
{
    return (unsigned)(c - '0') < 10;
}

/* Blank, tab, line feed, vertical tab, form feed, carriage return. */
static inline bool ascii_is_space(char c)
{
    return c == ' ' || (unsigned)(c - '\t') < 5;
}

static inline bool ascii_is_print(char c)
{
    return (unsigned)(c - ' ') < 95;
}

/* The value of a hexadecimal digit, -1 for anything else. */
static inline int ascii_hex_value(char c)
{
    if (ascii_is_digit(c)) return c - '0';
    unsigned char u = ascii_lower(c);
    return (unsigned)(u - 'a') < 6 ? u - 'a' + 10 : -1;
}

#endif
