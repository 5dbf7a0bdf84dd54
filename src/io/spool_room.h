/* The room on disk that several spools share: the files of the replication log and of every snapshot
 * under way count against one bound, whichever of them grows. And what all of them hold in memory, as one
 * figure: it falls when memory really is free, also that of spools whose last jobs still run.
 *
 * A spool takes room before it writes and gives it back when it punches a hole, is drained or is
 * freed. Without a bound (0) nothing is refused here: then each spool looks at the free space of its
 * file system before it writes (file_system_allowance).
 *
 * Counted by reference: the owner holds one, each spool another, since a spool's last jobs may
 * outlive both. Any thread. */
#ifndef PANDO_IO_SPOOL_ROOM_H
#define PANDO_IO_SPOOL_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_room;

struct spool_room *spool_room_new(uint64_t bytes_max);
void spool_room_hold(struct spool_room *room);
void spool_room_drop(struct spool_room *room); /* NULL is fine */

/* A bound below what is taken refuses more, and takes nothing away. */
void spool_room_set_max(struct spool_room *room, uint64_t bytes_max);
uint64_t spool_room_max(const struct spool_room *room);
uint64_t spool_room_used(const struct spool_room *room);

/* False, taking nothing, where `bytes` more would pass the bound. */
bool spool_room_take(struct spool_room *room, uint64_t bytes);
void spool_room_give(struct spool_room *room, uint64_t bytes);
/* Memory of all spools with this room, from before it is allocated until after it is freed. */
void spool_room_add_memory(struct spool_room *room, size_t bytes);
void spool_room_sub_memory(struct spool_room *room, size_t bytes);
size_t spool_room_memory(const struct spool_room *room);
/* What may still be taken; UINT64_MAX without a bound. */
uint64_t spool_room_left(const struct spool_room *room);

#endif
