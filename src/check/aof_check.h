/* Looks through files of commands for pando-check-aof: where the last whole command or transaction ends, what
 * stands behind it, and in pando's own incr files (journal/segment.h) whether each mark's bytes have its
 * CRC. Says what it finds on standard output, in the lines that scripts around Redis' tool read. */
#ifndef PANDO_CHECK_AOF_CHECK_H
#define PANDO_CHECK_AOF_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#define AOF_CHECK_WHOLE INT64_MIN

struct aof_check {
    const char *path, *name; /* opened; said */
    bool is_last;            /* only the last file may be cut */
    bool fix;
    int64_t until_s; /* --truncate-to-timestamp, or AOF_CHECK_WHOLE */
};

enum aof_check_result {
    AOF_CHECK_OK,
    AOF_CHECK_EMPTY,
    AOF_CHECK_TRUNCATED, /* cut, as it was asked for */
    AOF_CHECK_BROKEN,    /* not sound: the reason was said, and how to mend it */
};
/* A file of commands, with or without an RDB in front. `lines` counts on over the files of a manifest. */
enum aof_check_result aof_check(const struct aof_check *check, uint64_t *lines);

#endif
