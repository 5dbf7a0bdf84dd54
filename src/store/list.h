/* Lists.
 *
 * A list is an inline listpack (ENC_LISTPACK) while it is one node of a quicklist of at most
 * LIST_INLINE_BYTES_MAX bytes, and a quicklist behind a pointer (ENC_QUICKLIST) beyond. Nothing that
 * can be observed depends on which of the two it is: "quicklist" is what OBJECT ENCODING says of both,
 * and DUMP shows an inline list as the one node that it is. It becomes a quicklist as soon as it would
 * have two nodes, or its node would be plain; a quicklist that shrinks to one small node becomes inline
 * again.
 *
 * A quicklist keeps the list-max-listpack-size and list-compress-depth of its beginning, as in Redis; an
 * inline list goes by the present ones. */
#ifndef PANDO_STORE_LIST_H
#define PANDO_STORE_LIST_H

#include "ds/quicklist.h"
#include "store/value.h"
#include "store/value_rdb.h"

/* An inline list is moved as a whole where its allocation changes class, and a push at its head moves
 * all of it: so it is kept to what moves in well under 100 ns. Beyond, the 160 bytes that a quicklist
 * takes besides its nodes are under a tenth. */
#define LIST_INLINE_BYTES_MAX 2048

/* The value of ENC_QUICKLIST. */
struct list_value {
    uint32_t holders;
    struct quicklist list;
};

size_t list_count(const struct entry *e);
/* The quicklist; NULL of an inline list, whose listpack is entry_inline(e). */
const struct quicklist *list_quicklist(const struct entry *e);
/* A walk that begins at the element `index` (negative: from the tail); false where there is none. The
 * steps are quicklist_walk_next and _previous; quicklist_walk_close ends it. */
bool list_walk_open(struct quicklist_walk *walk, const struct entry *e, int64_t index);

/* Changing: each returns the entry to go on with. Texts may not lie in the list; places are those of a
 * walk since which the list has not changed. */
struct entry *list_push(struct entry *e, const struct value_settings *settings,
                        enum quicklist_end end, struct span text);
struct entry *list_insert(struct entry *e, const struct value_settings *settings,
                          struct quicklist_place at, bool after, struct span text);
struct entry *list_replace(struct entry *e, const struct value_settings *settings,
                           struct quicklist_place at, struct span text);
/* Removes elements that are this text: at most `limit`, looking from that end. */
struct entry *list_remove(struct entry *e, enum quicklist_end from, struct span text,
                          uint64_t limit, uint64_t *removed);
/* Removes so many elements from the ends, together at most all. Where that is much to free, *cut is a
 * struct list_value that holds it, for store_free_value; else NULL. */
struct entry *list_trim(struct entry *e, uint64_t head, uint64_t tail, struct list_value **cut);

/* For loaders: an empty quicklist, to which nodes are appended or elements pushed; then the entry around
 * it, in the form that fits. Takes the value over, which holds elements. */
struct list_value *list_value_new(const struct value_settings *settings);
struct entry *list_adopt(struct span key, int64_t deadline, struct list_value *value);

extern const struct value_ops quicklist_ops;
extern const struct container_ops list_container;

/* ---- RDB: value_rdb.c calls these ----------------------------------------------------------- */

/* Reads a body of any of the type ids that hold a list. */
enum err list_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                       struct entry **out);
/* The type id under which it is written, told by the encoding alone (a snapshot's copy may have lost
 * its value), and its body. */
uint8_t list_rdb_type(const struct entry *e);
void list_rdb_write(struct rdb_writer *writer, const struct entry *e);

#endif
