/* Hashes. */
#ifndef PANDO_STORE_HASH_H
#define PANDO_STORE_HASH_H

#include "store/value.h"
#include "store/value_rdb.h"

extern const struct value_ops hash_ops;
extern const struct container_ops hash_container;

/* ---- RDB: value_rdb.c calls these ----------------------------------------------------------- */

/* Reads a body of any of the type ids that hold a hash. */
enum err hash_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                       struct entry **out);
/* The type id under which it is written, told by the encoding alone (a snapshot's copy may have lost
 * its value), and its body. */
uint8_t hash_rdb_type(const struct entry *e);
void hash_rdb_write(struct rdb_writer *writer, const struct entry *e);

#endif
