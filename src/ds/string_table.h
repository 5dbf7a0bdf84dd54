/* A table of strings, each in one allocation with an optional tail: what big hashes, sets and sorted
 * sets are made of.
 *
 *   item   +----------+- - - - - - - - -+- - - - - - -+- - - - - - - - -+
 *          | text len | text            | [tail len]  | tail            |
 *          +----------+- - - - - - - - -+- - - - - - -+- - - - - - - - -+
 *            1, 5 or 9                    1, 5 or 9
 *
 *   a set's member            no tail                     19 bytes: 20, of the class of 32
 *   a hash's field, value     a tail of any length        18 and 16 bytes: 36, of the class of 48
 *   a sorted set's member     a tail of 8 bytes, its score, unaligned
 *
 * The tail's length stands in the item only where tails vary. Below 254 a length takes one byte, else
 * 254 and four bytes, or 255 and eight. Around the items is a hash table (table.h), hashed by the
 * table's secret: tables of one secret agree about hashes, so that who looks a text up in many of
 * them hashes it once.
 *
 * The struct is embedded by its owner and must not move: the hash table knows its address.
 *
 * Invariants
 * 1. No two items have the same text.
 * 2. An item's allocation is mem_class of its bytes, so a tail that stays in the class is changed in
 *    place, and freeing needs no look-up. Items of a fixed tail (or none) never move but by
 *    string_table_relocate_part.
 * 3. Memory and data are counted as items come and go: both figures take constant time.
 *
 * One thread at a time; without concurrent writers several threads may read. Items and the spans
 * into them are good until that item changes or goes. */
#ifndef PANDO_DS_STRING_TABLE_H
#define PANDO_DS_STRING_TABLE_H

#include "base/hash.h"
#include "base/span.h"
#include "ds/table.h"

struct string_item; /* opaque bytes */

struct string_table {
    struct table *table;
    struct hash_secret secret;
    size_t tail_bytes; /* of each item; or STRING_TAIL_VARIES */
    size_t item_bytes; /* size classes of all items */
    size_t data_bytes; /* lengths of all texts and tails */
};

#define STRING_TAIL_VARIES SIZE_MAX

void string_table_init(struct string_table *strings, const struct hash_secret *secret,
                       size_t tail_bytes);
/* Frees all items; the struct is the owner's. */
void string_table_release(struct string_table *strings);
/* Initialises `copy` with copies of all items. */
void string_table_copy(const struct string_table *strings, struct string_table *copy);

static inline size_t string_table_count(const struct string_table *strings)
{
    return table_count(strings->table);
}
/* True bytes of all allocations; the embedded struct is the owner's to count. */
size_t string_table_memory(const struct string_table *strings);
/* Lengths of all texts and tails. */
static inline size_t string_table_data_bytes(const struct string_table *strings)
{
    return strings->data_bytes;
}

/* ---- items -------------------------------------------------------------------------------------- */

struct span string_item_long_text(const struct string_item *item);
static inline struct span string_item_text(const struct string_item *item)
{
    const uint8_t *at = (const uint8_t *)item;
    return __builtin_expect(at[0] < 254, 1) ? span_of(at + 1, at[0]) : string_item_long_text(item);
}
/* The byte behind the text: where a fixed tail stands. */
static inline void *string_item_behind(const struct string_item *item)
{
    struct span text = string_item_text(item);
    return (char *)text.ptr + text.len;
}
struct span string_table_tail(const struct string_table *strings, const struct string_item *item);
/* The item's size class. */
size_t string_table_item_memory(const struct string_table *strings, const struct string_item *item);

/* ---- look-up ------------------------------------------------------------------------------------ */

static inline uint64_t string_table_hash(const struct string_table *strings, struct span text)
{
    return hash_keyed(&strings->secret, text.ptr, text.len);
}
/* NULL where there is none. `hash` is string_table_hash of a table with the same secret. */
struct string_item *string_table_find_hashed(const struct string_table *strings, uint64_t hash,
                                             struct span text);
static inline struct string_item *string_table_find(const struct string_table *strings,
                                                    struct span text)
{
    return string_table_find_hashed(strings, string_table_hash(strings, text), text);
}

/* ---- change -------------------------------------------------------------------------------------
 * Tails that are given have tail_bytes, or any length where they vary. */

/* Adds an item that is not there yet; NULL, changing nothing, where there is one of that text. */
struct string_item *string_table_add(struct string_table *strings, struct span text,
                                     struct span tail);
/* The same for a text that is known not to be there, with its hash. */
struct string_item *string_table_add_new(struct string_table *strings, uint64_t hash,
                                         struct span text, struct span tail);
/* Adds the item, or changes the tail of the one that is there. That one may move where tails vary.
 * `tail` must not lie in the item that it replaces. */
struct string_item *string_table_put(struct string_table *strings, struct span text,
                                     struct span tail, bool *added);
/* False where there is none. `text` may be the item's own. */
bool string_table_remove(struct string_table *strings, struct span text);
/* Takes an item out without freeing it: NULL where there is none. The caller frees it by
 * string_table_free_item, of this table or of one with the same kind of tail. */
struct string_item *string_table_take(struct string_table *strings, struct span text);
void string_table_free_item(const struct string_table *strings, struct string_item *item);

/* ---- walking ------------------------------------------------------------------------------------ */

/* All items, in the table's order: begin with (struct table_place){0}, NULL ends it. The table must
 * not change meanwhile. */
struct string_item *string_table_next(const struct string_table *strings,
                                      struct table_place *place);

typedef void string_visit(void *context, const struct string_item *item);

/* One step of SCAN, see table_scan: the items of one bucket, and the next cursor. */
uint64_t string_table_scan(const struct string_table *strings, uint64_t cursor, string_visit *visit,
                           void *context);
/* Each item with the same probability; NULL where there is none. */
struct string_item *string_table_random(const struct string_table *strings, struct random *random);

/* Visits `count` different items, at most as many as there are: every choice of so many is equally
 * likely, the order is not random. Takes time and memory for `count` items, or where these are more
 * than a third, walks all. */
void string_table_sample(const struct string_table *strings, size_t count, struct random *random,
                         string_visit *visit, void *context);

/* Defragmentation. */
struct string_relocation {
    struct mem_mover *mover;
    /* May be NULL. For who else points to the item: `from` is still readable, and freed afterwards. */
    void (*moved)(void *context, const struct string_item *from, struct string_item *to);
    void *context;
};
/* Moves what the mover wants moved of the items in some of the hash table's buckets, from *bucket (0
 * at first) on, and of the table's own memory there; behind the last bucket the rest of that memory.
 * Sets *bucket to where to go on; false at the end. */
bool string_table_relocate_part(struct string_table *strings, uint64_t *bucket,
                                const struct string_relocation *how);

/* Checks every invariant; aborts where one is broken. For tests and fuzzers. */
void string_table_check(const struct string_table *strings);

#endif
