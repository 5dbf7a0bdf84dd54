/* Glob patterns of KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET: * ? [abc] [^a-z] and backslash. */
#ifndef PANDO_BASE_GLOB_H
#define PANDO_BASE_GLOB_H

#include "base/span.h"

/* Whether all of `text` matches. Time is bounded by a step limit proportional to both lengths:
 * beyond it (only hostile patterns get there) the answer is false.
 * An empty text matches the empty pattern only, not even "*" (Redis 7.0.15). KEYS and SCAN do
 * return the empty key for exactly "*": there that pattern means no filter at all, and is not asked
 * here. */
bool glob_match(struct span pattern, struct span text, bool nocase);

#endif
