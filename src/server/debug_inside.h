/* What the files of DEBUG share. */
#ifndef PANDO_SERVER_DEBUG_INSIDE_H
#define PANDO_SERVER_DEBUG_INSIDE_H

#include "cmd/call.h"

struct debug_row {
    const char *name, *arguments, *help;
    int args_min, args_max; /* behind the subcommand; -1: any */
    enum err (*run)(struct call *call);
};

extern const struct debug_row debug_looking[]; /* debug_look.c; ended by a name of NULL */

/* debug_values.c */
enum err debug_listpack(struct call *call);
enum err debug_quicklist(struct call *call);
/* Appends what DEBUG OBJECT says of a list besides what it says of every value. */
void debug_describe_list(const struct call *call, const struct entry *entry, struct buf *out);

enum err debug_unknown(struct call *call); /* the error for what is no subcommand */

#endif
