/* Whether a received snapshot can be loaded beside the data that is there. */
#ifndef PANDO_PERSIST_ROOM_H
#define PANDO_PERSIST_ROOM_H

#include "base/span.h"
#include <stdbool.h>
#include <stdint.h>

/* The memory that the sender's data took, by the field used-mem among the first bytes of a snapshot; 0 where they do
 * not say (`head` may end anywhere; a few hundred bytes are enough). */
uint64_t room_image_memory(struct span head);

/* Whether an RDB file is whole: its last 8 bytes are the checksum of all before, or zero (then only length and end mark
 * count). Reads all of it: for a worker. False with a sentence in error. */
bool room_verify_file(const char *path, char error[static 128]);

#endif
