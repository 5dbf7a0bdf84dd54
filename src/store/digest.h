/* DEBUG DIGEST: one figure of 20 bytes for a whole data set, independent of order, equal for equal
 * data on Redis 7.0.15 and here. Found by experiment, with these two operations on a figure that
 * begins as zeros, where || is nothing but the bytes:
 *
 *   add(F, bytes)  F := F xor SHA1(bytes)           order does not matter
 *   mix(F, bytes)  F := SHA1(F xor SHA1(bytes))     order matters
 *
 *   value   mix the type's number (4 bytes, big-endian: string 0, list 1, set 2, zset 3, hash 4,
 *           stream 6), then the string, or what the container's row does (value.h);
 *           with a deadline: add "!!expire!!" (the deadline itself is not in it)
 *   key     mix the key's name, then as the value
 *   all     for each database that holds keys, in order: mix its number (4 bytes, big-endian), then
 * add the figure of each key
 *
 * Keys past their deadline that are still there count, as in Redis. */
#ifndef PANDO_STORE_DIGEST_H
#define PANDO_STORE_DIGEST_H

#include "store/store.h"

#define DIGEST_BYTES 20

/* The two operations, for the rows of the containers. */
void digest_add(unsigned char figure[static DIGEST_BYTES], const void *bytes, size_t len);
void digest_mix(unsigned char figure[static DIGEST_BYTES], const void *bytes, size_t len);

/* DEBUG DIGEST. Walks everything: for tests and comparisons. */
void digest_store(const struct store *store, unsigned char out[static DIGEST_BYTES]);
/* DEBUG DIGEST-VALUE. `entry` NULL: the key is absent, zeros. */
void digest_value(const struct entry *entry, unsigned char out[static DIGEST_BYTES]);

#endif
