#include "base/span.h"

#include "base/ascii.h"

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
