/* Sets. */
#ifndef PANDO_STORE_SET_H
#define PANDO_STORE_SET_H

#include "store/value.h"
#include "store/value_rdb.h"

extern const struct value_ops set_ops;
extern const struct container_ops set_container;

/* ---- RDB: value_rdb.c calls these ----------------------------------------------------------- */

/* Reads a body of any of the type ids that hold a set. */
enum err set_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                      struct entry **out);
/* The type id under which it is written, told by the encoding alone (a snapshot's copy may have lost
 * its value), and its body. */
uint8_t set_rdb_type(const struct entry *e);
void set_rdb_write(struct rdb_writer *writer, const struct entry *e);

#endif
