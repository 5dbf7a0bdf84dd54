/* What the commands on single bits and those on bit fields share. */
#ifndef PANDO_CMD_BITMAP_H
#define PANDO_CMD_BITMAP_H

#include "cmd/call.h"

/* The bit offset at argv[index]: not negative, and its byte within proto-max-bulk-len, unless the
 * primary or the log says so. With `width` not 0 also "#N", the Nth field of that many bits. */
enum err bitmap_arg_offset(struct call *call, int index, unsigned width, uint64_t *out);

/* The string's bytes; none where the key is absent. */
static inline struct span bitmap_bytes(const struct entry *entry,
                                       char scratch[static NUM_INT64_CHARS])
{
    return entry == NULL ? span_of(NULL, 0) : entry_string(entry, scratch);
}

#endif
