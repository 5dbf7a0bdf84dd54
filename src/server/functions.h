/* Libraries of functions, as far as they can be kept without running them.
 *
 * A library is its source; the first line, "#!lua name=mylib", says which engine it is for and how it is called.
 * Libraries come by FUNCTION LOAD and RESTORE, with an RDB file, and from a primary; they are written again into every
 * snapshot and relayed to replicas, so that a Redis node of the group that runs them never misses one. There is no
 * engine here: sources are not compiled, so which functions they would register is unknown. */
#ifndef PANDO_SERVER_FUNCTIONS_H
#define PANDO_SERVER_FUNCTIONS_H

#include "base/buf.h"
#include "base/err.h"
#include "cmd/call.h"

struct library {
    char *name; /* NULL where a file brought a source whose first line says none */
    struct buf code;
};

struct functions {
    struct library *libraries; /* in order of arrival */
    size_t count, capacity;
};

void functions_release(struct functions *functions); /* leaves it empty and valid */
/* Takes the place of all: what a snapshot brought. Takes ownership of array and codes. */
void functions_replace_all(struct functions *functions, struct buf *codes, size_t count);
/* The library of that name (its case counts), or NULL; good until the next change. */
struct library *functions_find(const struct functions *functions, struct span name);
/* Adds or, where `replace` allows it, puts a source in the place of the one of the same name, whose name the reply of
 * FUNCTION LOAD is. The texts of refusal are those of FUNCTION LOAD; nothing has changed then. */
enum err functions_load(struct functions *functions, struct call *call, struct span code,
                        bool replace, struct span *name);
void functions_delete(struct functions *functions, struct library *library);
size_t functions_memory(const struct functions *functions);

/* FUNCTION DUMP: the payload of all. */
void functions_dump(const struct functions *functions, bool compress, struct buf *out);
enum function_policy { FUNCTION_APPEND, FUNCTION_REPLACE, FUNCTION_FLUSH };
/* FUNCTION RESTORE: all libraries of the payload or, with an error, none. */
enum err functions_restore(struct functions *functions, struct call *call, struct span payload,
                           enum function_policy policy);

#endif
