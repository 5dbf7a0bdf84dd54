/* Hashes: fields with values.
 *
 *   ENC_LISTPACK    inline in the entry: field, value, field, value, in the order of their coming. Its
 *                   bytes are those of Redis' small hashes, so that DUMP gives the same.
 *   ENC_HASH_PACK   the same bytes in a hash that Redis would have as a table: "hashtable" to the outside.
 *                   A few fields with a long value among them take half of what a table takes.
 *   ENC_HASH_TABLE  a table of fields with their values as tails (ds/string_table.h), in no order
 *
 * A hash begins as a listpack. It is one no more, once and for all, when a field or value is put that is
 * longer than hash-max-listpack-value, when it then has more fields than hash-max-listpack-entries (also
 * by a put that added none, as in Redis: the threshold may have been lowered), or when it would be longer
 * than an entry may be. Up to HASH_PACK_FIELDS_MAX fields and HASH_PACK_BYTES_MAX bytes it is a pack then;
 * above either it becomes a table, for good.
 *
 * Readers give text in spans: they borrow from the hash until its next change, and from the struct
 * hash_pair that they filled: an integer of a listpack has its digits written there. */
#ifndef PANDO_STORE_HASH_H
#define PANDO_STORE_HASH_H

#include "base/random.h"
#include "ds/table.h"
#include "store/value.h"
#include "store/value_rdb.h"

extern const struct value_ops hash_ops;
extern const struct container_ops hash_container;

#define HASH_PACK_FIELDS_MAX 64
#define HASH_PACK_BYTES_MAX  4096

/* ---- reading ------------------------------------------------------------------------------------ */

struct hash_pair { /* not to be copied: the spans may point into it */
    struct span field, value;
    char field_digits[NUM_INT64_CHARS], value_digits[NUM_INT64_CHARS];
};

size_t hash_count(const struct entry *e);
/* The field's value; false where there is no such field. */
bool hash_get(const struct entry *e, struct span field, char digits[static NUM_INT64_CHARS],
              struct span *value);

/* All pairs: begin with hash_walk(e). The hash must not change meanwhile. */
struct hash_walk {
    const struct entry *entry;
    size_t item;              /* inline: the next field; 0 at the end */
    struct table_place place; /* table */
};
struct hash_walk hash_walk(const struct entry *e);
bool hash_next(struct hash_walk *walk, struct hash_pair *pair);

typedef void hash_visit(void *context, const struct hash_pair *pair);

/* One step of HSCAN, see table_scan; a small hash is visited whole, whatever the cursor. */
uint64_t hash_scan(const struct entry *e, uint64_t cursor, hash_visit *visit, void *context);
/* `times` pairs, each drawn from all with the same probability. The hash has fields. */
void hash_draw(const struct entry *e, uint64_t times, struct random *random, hash_visit *visit,
               void *context);
/* `count` different pairs, at most as many as there are; every choice is equally likely. */
void hash_sample(const struct entry *e, size_t count, struct random *random, hash_visit *visit,
                 void *context);

/* ---- changing: each returns the entry to go on with --------------------------------------------- */

/* Neither span may lie in the hash. */
struct entry *hash_put(struct entry *e, struct span field, struct span value,
                       const struct value_settings *settings, bool *added);
struct entry *hash_remove(struct entry *e, struct span field, bool *removed);

/* ---- RDB: value_rdb.c calls these ----------------------------------------------------------- */

/* An empty hash, in the form that `count` fields ask for. */
struct entry *hash_new(struct span key, int64_t deadline, uint64_t count,
                       const struct value_settings *settings);

/* Reads a body of any of the type ids that hold a hash. */
enum err hash_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                       struct entry **out);
/* The type id under which it is written, told by the encoding alone (a snapshot's copy may have lost
 * its value), and its body. */
uint8_t hash_rdb_type(const struct entry *e);
void hash_rdb_write(struct rdb_writer *writer, const struct entry *e);

#endif
