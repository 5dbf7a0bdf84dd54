/* Keys as the commands that make them: a base of the AOF with `aof-use-rdb-preamble no`.
 *
 * What is written is executed by pando and by Redis 7.0 alike: SET, RPUSH, SADD, ZADD, HSET, XADD with what belongs to a
 * stream, PEXPIREAT; containers in commands of at most COMMANDS_ITEMS_MAX elements. Knows no threads; the writer takes the
 * bytes (its checksum and compression do not matter). */
#ifndef PANDO_PERSIST_COMMANDS_H
#define PANDO_PERSIST_COMMANDS_H

#include "rdb/writer.h"
#include "store/entry.h"

#define COMMANDS_ITEMS_MAX 64

/* The key with its value and deadline. The value may be leased to a snapshot: it is only read. */
void commands_write_entry(struct rdb_writer *writer, const struct entry *entry);
void commands_write_select(struct rdb_writer *writer, int db);
void commands_write_function(struct rdb_writer *writer, struct span code);

#endif
