/* Sets, in three forms:
 *
 *   ENC_INTSET     inline; while all that came were integers and they are no more than
 *                  set-max-intset-entries. "intset".
 *   ENC_LISTPACK   inline; few and short members, in the order in which they came. "hashtable": a
 *                  Redis 7.0 has no such form, only memory tells the difference.
 *   ENC_SET_TABLE  struct set_table behind a pointer: a table of strings. "hashtable".
 *
 * A set only ever changes to a form further down. Its members are texts whatever the form; an integer
 * in strict form and its text are the same member.
 *
 * Why a listpack up to SET_PACK_MEMBERS_MAX: there 64 members of 16 bytes take 1,280 bytes, in a table
 * 3,136, and a look-up takes 0.3 us instead of 0.04. The fewer they are, the more is saved (8 members of
 * 8 bytes: 112 bytes instead of 576) and the less it costs; beyond, the time goes on growing while what
 * is saved per member stays the same. */
#ifndef PANDO_STORE_SET_H
#define PANDO_STORE_SET_H

#include "base/random.h"
#include "ds/table.h"
#include "store/value.h"
#include "store/value_rdb.h"

#define SET_PACK_MEMBERS_MAX 64
#define SET_PACK_TEXT_MAX    64 /* bytes of each */

extern const struct value_ops set_ops;
extern const struct container_ops set_container;

/* A member: what is looked for, or what was found. Made once, it can be looked up in many sets: the
 * number is parsed once and, since all tables share the store's secret, the text is hashed once. */
struct set_member {
    struct span text;
    int64_t number; /* where is_number: the text is this integer in strict form */
    uint64_t hash;  /* where is_hashed */
    bool is_number, is_hashed;
};
struct set_member set_member_of(struct span text); /* borrows the text */

/* ---- changing: each returns the entry to go on with -------------------------------------------- */

/* `text` may not lie in the set itself. */
struct entry *set_add(struct entry *e, struct span text, const struct value_settings *settings,
                      bool *added);
/* The set may be empty afterwards. `text` may lie in it, and is gone then. */
struct entry *set_remove(struct entry *e, struct span text, bool *removed);
/* An empty set that is a table from the beginning: for one that much is looked up in. */
struct entry *set_new_table(struct span key, const struct value_settings *settings);
/* Gives up the integers' form: for a set that Redis would have built as a hash table, though what is
 * left in it are integers. */
struct entry *set_leave_intset(struct entry *e, const struct value_settings *settings);

/* ---- reading ------------------------------------------------------------------------------------
 * What is found borrows from the set until its next change; the text of an integer, from the walk or
 * the scratch. */

size_t set_count(const struct entry *e);
bool set_has(const struct entry *e, struct set_member *member);

/* All members, each once. */
struct set_walk {
    const struct entry *e;
    size_t at; /* intset: an index; listpack: an item's offset */
    struct table_place place;
    char scratch[NUM_INT64_CHARS];
};
void set_walk_begin(struct set_walk *walk, const struct entry *e);
bool set_walk_next(struct set_walk *walk, struct set_member *member);

typedef void set_visit(void *context, struct span text);

/* One step of SSCAN: a small set is visited as a whole. Returns the next cursor, 0 at the end. */
uint64_t set_scan(const struct entry *e, uint64_t cursor, set_visit *visit, void *context);

/* Any of them, each with the same probability. The set is not empty. */
struct span set_random(const struct entry *e, struct random *random,
                       char scratch[static NUM_INT64_CHARS]);
/* Visits `count` different ones (all, where there are no more), every choice of so many having the
 * same probability. Their order is no part of the promise. */
void set_sample(const struct entry *e, size_t count, struct random *random, set_visit *visit,
                void *context);

/* Checks the form and its bytes; aborts where something is broken. For tests and fuzzers. */
void set_check(const struct entry *e);

/* ---- RDB: value_rdb.c calls these ----------------------------------------------------------- */

/* Reads a body of any of the type ids that hold a set. */
enum err set_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                      struct entry **out);
/* The type id under which it is written, told by the encoding alone (a snapshot's copy may have lost
 * its value), and its body. */
uint8_t set_rdb_type(const struct entry *e);
void set_rdb_write(struct rdb_writer *writer, const struct entry *e);

#endif
