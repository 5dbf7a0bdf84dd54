/* A borrowed run of bytes: pointer and length, no terminating zero, no ownership.
 *
 * Spans are how bytes travel between floors: command arguments are spans into the read buffer, keys
 * and values are spans into entries. A span is valid as long as its owner says; whoever must keep
 * the bytes longer copies them. Passed by value. */
#ifndef PANDO_BASE_SPAN_H
#define PANDO_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;      /* bytes */
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})

static inline struct span span_of(const void *ptr, size_t len)
{
    return (struct span){(const char *)ptr, len};
}

static inline struct span span_of_cstr(const char *text)
{
    return (struct span){text, strlen(text)};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Byte order, shorter first on a tie: the order of memcmp. */
int span_compare(struct span a, struct span b);

/* ASCII case-insensitive; locale never matters. */
bool span_equal_nocase(struct span a, struct span b);

/* True when `a` equals the C string, ASCII case-insensitively: how option words are recognised. */
bool span_is(struct span a, const char *word);

/* A copy of spans with their bytes, in one allocation (mem_free), whose size goes to *bytes. */
struct span *spans_copy(const struct span *spans, int count, size_t *bytes);

#endif
