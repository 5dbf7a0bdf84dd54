#include "base/span.h"

#include "base/ascii.h"
#include "base/mem.h"

int span_compare(struct span a, struct span b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);
    if (order != 0) return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) return false;
    return true;
}

bool span_is(struct span a, const char *word)
{
    for (size_t i = 0; i < a.len; i++)
        if (word[i] == 0 || ascii_lower(a.ptr[i]) != ascii_lower(word[i])) return false;
    return word[a.len] == 0;
}

struct span *spans_copy(const struct span *spans, int count, size_t *bytes)
{
    *bytes = (size_t)count * sizeof(struct span);
    for (int i = 0; i < count; i++) *bytes += spans[i].len;
    struct span *copy = mem_alloc(*bytes);
    char *at = (char *)(copy + count);
    for (int i = 0; i < count; i++) {
        if (spans[i].len > 0) memcpy(at, spans[i].ptr, spans[i].len);
        copy[i] = span_of(at, spans[i].len);
        at += spans[i].len;
    }
    return copy;
}
