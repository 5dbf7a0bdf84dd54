/* Hashes and checksums. */
#ifndef PANDO_BASE_HASH_H
#define PANDO_BASE_HASH_H

#include "base/span.h"
#include <stdint.h>

/* SipHash-1-3 with a 128-bit secret: chosen keys cannot be made to collide. */
struct hash_secret {
    uint64_t k0, k1;
};
uint64_t hash_keyed(const struct hash_secret *secret, const void *ptr, size_t len);

/* CRC-64 of the RDB format ("Jones", reflected): crc64(0, "123456789", 9) is 0xe9c6d914c4b8d9ca.
 * Continue by passing the previous result. */
uint64_t crc64(uint64_t crc, const void *ptr, size_t len);

/* CRC-32C (Castagnoli), hardware where there is any. Start with 0. */
uint32_t crc32c(uint32_t crc, const void *ptr, size_t len);

void sha1(const void *ptr, size_t len, unsigned char out[static 20]);
void sha256(const void *ptr, size_t len, unsigned char out[static 32]);

#endif
