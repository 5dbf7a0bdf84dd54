/* Looks through an RDB file for pando-check-rdb and pando-check-aof, and says on standard output what it
 * finds, in the lines that scripts around Redis' tool read:
 *
 *   [offset 82] Selecting DB ID 0
 *   --- RDB ERROR DETECTED ---
 *   [offset 91] what is wrong
 *   [additional info] Reading key 'l'
 *
 * The loader's own reader does the work (persist/rdb_load.h): what passes here loads. */
#ifndef PANDO_CHECK_RDB_CHECK_H
#define PANDO_CHECK_RDB_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/* `path` is opened, `name` is what is said. True where it is sound; *bytes is then where it ends, and with
 * `tail_follows` other bytes may stand behind. */
bool rdb_check(const char *path, const char *name, bool tail_follows, uint64_t *bytes);

#endif
