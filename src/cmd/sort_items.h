/* The elements that SORT has collected, what each of them weighs, and their order.
 *
 * All bytes stand in one buffer, each text with a zero behind it: they are copies, so that the keys of
 * patterns can be looked up meanwhile (which may delete what has expired), and what takes C strings
 * can read them. Items name their texts by offsets, since the buffer moves as it grows. */
#ifndef PANDO_CMD_SORT_ITEMS_H
#define PANDO_CMD_SORT_ITEMS_H

#include "base/buf.h"
#include "store/entry.h"

struct sort_text {
    size_t at, len;
};
struct sort_item {
    struct sort_text text;
    union {
        double score;            /* sorting by numbers */
        struct sort_text weight; /* by what stands under another key */
    };
    bool has_weight;
    size_t place; /* among those collected: what is equal keeps its order */
};
struct sort_items {
    struct sort_item *items;
    size_t count, capacity;
    struct buf bytes;
};

/* Elements of a list, set or sorted set: `count` of them from place `first` on, in the order that they
 * have there; `reverse`, of lists and sorted sets, counts and goes from the end. */
void sort_collect(struct sort_items *items, const struct entry *e, size_t first, size_t count,
                  bool reverse);
size_t sort_source_count(const struct entry *e);
void sort_release(struct sort_items *items);

static inline struct span sort_span(const struct sort_items *items, struct sort_text text)
{
    return span_of(items->bytes.ptr + text.at, text.len);
}

/* Weighs an item: by a text, which is copied... */
void sort_weigh(struct sort_items *items, size_t index, struct span weight);
/* ... or by a number, read from it as strtod does: blanks before it, hexadecimal, and nothing at all (a
 * 0) are fine. False where it is none. The span does not lie in `items`. */
bool sort_score(struct sort_items *items, size_t index, struct span number);
/* The same, by the number that the element itself is. */
bool sort_score_itself(struct sort_items *items, size_t index);

struct sort_order {
    bool by_text; /* ALPHA: else by score, and by the bytes of the element where these are equal */
    bool by_weight;  /* by the weight's text instead of the element's; what has none comes first */
    bool descending; /* what is equal keeps its order nevertheless */
    bool by_locale;  /* texts as strcoll orders them, else byte by byte */
};
/* Puts the `wanted` items that come first in this order to the front. Takes N log `wanted`. */
void sort_first(struct sort_items *items, size_t wanted, const struct sort_order *order);

#endif
