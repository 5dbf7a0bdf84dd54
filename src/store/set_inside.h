/* Between the files of sets: an empty one, and what stands behind the pointer of ENC_SET_TABLE. */
#ifndef PANDO_STORE_SET_INSIDE_H
#define PANDO_STORE_SET_INSIDE_H

#include "ds/string_table.h"
#include "store/set.h"

struct set_table {
    uint32_t holders; /* atomic: value.h */
    struct string_table members;
};

/* An empty set, an intset. */
struct entry *set_new(struct span key, int64_t deadline);

static inline struct string_table *set_members(const struct entry *e)
{
    return &((struct set_table *)entry_pointer(e))->members;
}
/* The bytes of an intset or a listpack. */
static inline const uint8_t *set_bytes(const struct entry *e)
{
    return (const uint8_t *)entry_inline(e).ptr;
}

#endif
