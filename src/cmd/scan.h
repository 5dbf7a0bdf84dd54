/* What SCAN, HSCAN, SSCAN and ZSCAN share: cursor, options, reply, and how far one call goes.
 *
 * A step visits the elements of one bucket (or of a whole small container) and returns the next
 * cursor, 0 at the end. For each element it visits it asks scan_wants, and where the answer is yes
 * writes the element's replies. scan_run makes as many steps as COUNT asks for, and the reply of the
 * whole. */
#ifndef PANDO_CMD_SCAN_H
#define PANDO_CMD_SCAN_H

#include "cmd/call.h"

struct scan {
    struct call *call;
    const struct entry *entry;  /* the container; NULL in SCAN */
    uint64_t cursor;            /* where it goes on */
    int64_t count;              /* COUNT */
    const struct span *pattern; /* MATCH; NULL: all */
    const struct span *type;    /* TYPE, of SCAN only; NULL: any */
    int64_t visited, found;     /* elements so far */
    void *context;              /* the step's own */
};

/* Begins *SCAN key cursor [MATCH pattern] [COUNT count], with the errors in Redis' order. Where the
 * key is not there it replies, and leaves `entry` NULL: nothing is left to do then. */
enum err scan_begin(struct call *call, enum value_type type, struct scan *scan);
/* The cursor and the options in argv, for those who begin otherwise. */
enum err scan_parse_cursor(const struct call *call, int index, uint64_t *cursor);
enum err scan_parse_options(struct call *call, int from, struct scan *scan);

/* Counts an element as visited. True, counting it as found, where the pattern takes its name. */
bool scan_wants(struct scan *scan, struct span name);
/* `replies` is how many a found element has: 2 for field and value. */
void scan_run(struct scan *scan, uint64_t (*step)(struct scan *scan, uint64_t cursor), int replies);

#endif
