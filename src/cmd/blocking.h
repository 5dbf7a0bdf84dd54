/* What commands share that take from the first of several keys that has something, and wait where none has (BLPOP,
 * BZPOPMIN and their kin). */
#ifndef PANDO_CMD_BLOCKING_H
#define PANDO_CMD_BLOCKING_H

#include "cmd/call.h"

/* The index of the first key among argv[first] and those behind it that is there, 0 where none is. It must be of this
 * type; what stands behind it is not looked at. */
enum err blocking_find_first(struct call *call, enum value_type type, int first, int count,
                             int *out);
/* Whether argv[index] is of this type now. */
bool blocking_holds(struct call *call, enum value_type type, int index);
/* Waits for a value of this type at one of these keys, to take from it; where the call may not wait, answers with a null
 * array at once. */
void blocking_take_later(struct call *call, enum value_type type, int first, int count,
                         int64_t timeout_ms, call_serve *serve);

#endif
