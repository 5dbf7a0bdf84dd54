/* A node of a stream: a listpack of some hundred entries, as Redis writes it into RDB files.
 *
 *   head     | live | deleted | fields: n | name 1 | ... | name n | 0 |
 *   entries  | flags | ms | seq |              value 1 | ... | value n        | items |   SAME_FIELDS
 *            | flags | ms | seq | m | name 1 | value 1 | ... | name m | value m | items |   other names
 *
 * The names in the head are those of the node's first entry, and whoever has the same names does not
 * repeat them. ms and seq count from the id under which the node stands; `items` is how many items
 * of the listpack the entry has from its flags on, without itself: so the node can be walked backwards.
 * An entry that was deleted stays, flagged, until the node has no other. (Read off DUMP payloads of
 * Redis 7.0.15.)
 *
 * Live entries rise in their ids. Deleted ones need not fit in: XSETID lets a stream go back to ids
 * that it has used and deleted.
 *
 * The bytes are an allocation of their own; it may be larger than the listpack, and those who
 * change one return it, since it may move. */
#ifndef PANDO_STORE_STREAM_NODE_H
#define PANDO_STORE_STREAM_NODE_H

#include "ds/id_map.h"
#include "ds/listpack.h"

/* A node, looked at: its head, taken apart. Good until the node changes. */
struct stream_node {
    const uint8_t *lp;
    struct stream_id id;
    uint64_t live, deleted;
    uint64_t field_count;
    size_t fields;  /* offset of the first name */
    size_t entries; /* offset of the first entry, listpack_end where there is none */
};
struct stream_node stream_node_view(struct stream_id id, const uint8_t *lp);

/* An entry, looked at. */
struct stream_entry {
    struct stream_id id;
    bool is_deleted, has_same_fields;
    uint64_t pair_count;
    const uint8_t *lp;
    size_t at;     /* offset of its flags */
    size_t names;  /* offset of the first name */
    size_t values; /* offset of the first value */
};
/* Each writes the entry and returns true, or returns false where there is none. Deleted ones are
 * entries too. */
bool stream_node_first(const struct stream_node *node, struct stream_entry *out);
bool stream_node_last(const struct stream_node *node, struct stream_entry *out);
bool stream_node_next(const struct stream_node *node, struct stream_entry *entry);
bool stream_node_previous(const struct stream_node *node, struct stream_entry *entry);

/* The pairs of an entry, one after the other. The spans are good until the next call or change. */
struct stream_pairs {
    const uint8_t *lp;
    size_t name, value;
    bool apart; /* names stand in the head */
    uint64_t left;
    char name_digits[NUM_INT64_CHARS], value_digits[NUM_INT64_CHARS];
};
struct stream_pairs stream_entry_pairs(const struct stream_entry *entry);
bool stream_pairs_next(struct stream_pairs *pairs, struct span *name, struct span *value);

/* ---- changing ----------------------------------------------------------------------------------- */

/* A node without entries, for entries with these names: `pairs` is name, value, name, value. */
uint8_t *stream_node_new(const struct span *pairs, size_t pair_count);
/* Appends an entry to the node that stands under `node_id`. */
uint8_t *stream_node_append(uint8_t *lp, struct stream_id node_id, struct stream_id id,
                            const struct span *pairs, size_t pair_count);
/* Flags a live entry of the node as deleted, and looks at it again; the head's counts are for
 * stream_node_count_deleted. */
void stream_node_flag_deleted(uint8_t *lp, const struct stream_node *node,
                              struct stream_entry *entry);
/* Counts so many entries as deleted instead of live. */
uint8_t *stream_node_count_deleted(uint8_t *lp, uint64_t count);

/* ---- foreign bytes ------------------------------------------------------------------------------ */

/* Whether the bytes are a sound node under this id, which lies behind *last; *last is then the last
 * live entry's, if any. */
bool stream_node_validate(struct span bytes, struct stream_id id, struct stream_id *last);

#endif
