/* SipHash-1-3 after the paper of Aumasson and Bernstein (one round per word, three at the end, as
 * the hash tables of Rust and Python use it); checksums by ISA-L, which picks the fastest
 * instructions at run time. ISA-L inverts its CRC registers on the way in and out; the RDB's CRC-64
 * does not, and CRC-32C by its definition does: hence the inversions below. */
#include "base/hash.h"

#include <endian.h>
#include <isa-l/crc.h>
#include <isa-l/crc64.h>
#include <openssl/sha.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline uint64_t load64(const unsigned char *ptr)
{
    uint64_t word;
    memcpy(&word, ptr, 8);
    return le64toh(word);
}

static inline uint64_t load32(const unsigned char *ptr)
{
    uint32_t word;
    memcpy(&word, ptr, 4);
    return le32toh(word);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 = rotate_left(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

/* The last 0 to 7 bytes as a little-endian number: two overlapping loads instead of a loop. */
static inline uint64_t tail_of(const unsigned char *ptr, size_t len)
{
    if (len >= 4) return load32(ptr) | load32(ptr + len - 4) << (8 * (len - 4));
    if (len == 0) return 0;
    uint64_t middle = (uint64_t)ptr[len / 2] << (8 * (len / 2));
    return ptr[0] | middle | (uint64_t)ptr[len - 1] << (8 * (len - 1));
}

uint64_t hash_keyed(const struct hash_secret *secret, const void *ptr, size_t len)
{
    struct sip s = {secret->k0 ^ 0x736f6d6570736575u, secret->k1 ^ 0x646f72616e646f6du,
                    secret->k0 ^ 0x6c7967656e657261u, secret->k1 ^ 0x7465646279746573u};
    const unsigned char *next = ptr;
    const size_t words = len / 8;
    for (size_t i = 0; i < words; i++, next += 8) sip_word(&s, load64(next));
    sip_word(&s, (uint64_t)len << 56 | tail_of(next, len % 8));
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t crc64(uint64_t crc, const void *ptr, size_t len)
{
    return len == 0 ? crc : ~crc64_jones_refl(~crc, ptr, len);
}

uint32_t crc32c(uint32_t crc, const void *ptr, size_t len)
{
    const size_t most = 1u << 30;               /* ISA-L takes an int */
    unsigned char *next = (unsigned char *)ptr; /* not written to; the prototype lacks the const */
    while (len > 0) {
        size_t part = len < most ? len : most;
        crc = ~crc32_iscsi(next, (int)part, ~crc);
        next += part;
        len -= part;
    }
    return crc;
}

void sha1(const void *ptr, size_t len, unsigned char out[static 20])
{
    SHA1(ptr, len, out);
}

void sha256(const void *ptr, size_t len, unsigned char out[static 32])
{
    SHA256(ptr, len, out);
}
