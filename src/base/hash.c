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

/* Entry i: the register after the byte i, polynomial x^16 + x^12 + x^5 + 1. */
static const uint16_t crc16_table[256] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
    0xc18c, 0xd1ad, 0xe1ce, 0xf1ef, 0x1231, 0x0210, 0x3273, 0x2252, 0x52b5, 0x4294, 0x72f7, 0x62d6,
    0x9339, 0x8318, 0xb37b, 0xa35a, 0xd3bd, 0xc39c, 0xf3ff, 0xe3de, 0x2462, 0x3443, 0x0420, 0x1401,
    0x64e6, 0x74c7, 0x44a4, 0x5485, 0xa56a, 0xb54b, 0x8528, 0x9509, 0xe5ee, 0xf5cf, 0xc5ac, 0xd58d,
    0x3653, 0x2672, 0x1611, 0x0630, 0x76d7, 0x66f6, 0x5695, 0x46b4, 0xb75b, 0xa77a, 0x9719, 0x8738,
    0xf7df, 0xe7fe, 0xd79d, 0xc7bc, 0x48c4, 0x58e5, 0x6886, 0x78a7, 0x0840, 0x1861, 0x2802, 0x3823,
    0xc9cc, 0xd9ed, 0xe98e, 0xf9af, 0x8948, 0x9969, 0xa90a, 0xb92b, 0x5af5, 0x4ad4, 0x7ab7, 0x6a96,
    0x1a71, 0x0a50, 0x3a33, 0x2a12, 0xdbfd, 0xcbdc, 0xfbbf, 0xeb9e, 0x9b79, 0x8b58, 0xbb3b, 0xab1a,
    0x6ca6, 0x7c87, 0x4ce4, 0x5cc5, 0x2c22, 0x3c03, 0x0c60, 0x1c41, 0xedae, 0xfd8f, 0xcdec, 0xddcd,
    0xad2a, 0xbd0b, 0x8d68, 0x9d49, 0x7e97, 0x6eb6, 0x5ed5, 0x4ef4, 0x3e13, 0x2e32, 0x1e51, 0x0e70,
    0xff9f, 0xefbe, 0xdfdd, 0xcffc, 0xbf1b, 0xaf3a, 0x9f59, 0x8f78, 0x9188, 0x81a9, 0xb1ca, 0xa1eb,
    0xd10c, 0xc12d, 0xf14e, 0xe16f, 0x1080, 0x00a1, 0x30c2, 0x20e3, 0x5004, 0x4025, 0x7046, 0x6067,
    0x83b9, 0x9398, 0xa3fb, 0xb3da, 0xc33d, 0xd31c, 0xe37f, 0xf35e, 0x02b1, 0x1290, 0x22f3, 0x32d2,
    0x4235, 0x5214, 0x6277, 0x7256, 0xb5ea, 0xa5cb, 0x95a8, 0x8589, 0xf56e, 0xe54f, 0xd52c, 0xc50d,
    0x34e2, 0x24c3, 0x14a0, 0x0481, 0x7466, 0x6447, 0x5424, 0x4405, 0xa7db, 0xb7fa, 0x8799, 0x97b8,
    0xe75f, 0xf77e, 0xc71d, 0xd73c, 0x26d3, 0x36f2, 0x0691, 0x16b0, 0x6657, 0x7676, 0x4615, 0x5634,
    0xd94c, 0xc96d, 0xf90e, 0xe92f, 0x99c8, 0x89e9, 0xb98a, 0xa9ab, 0x5844, 0x4865, 0x7806, 0x6827,
    0x18c0, 0x08e1, 0x3882, 0x28a3, 0xcb7d, 0xdb5c, 0xeb3f, 0xfb1e, 0x8bf9, 0x9bd8, 0xabbb, 0xbb9a,
    0x4a75, 0x5a54, 0x6a37, 0x7a16, 0x0af1, 0x1ad0, 0x2ab3, 0x3a92, 0xfd2e, 0xed0f, 0xdd6c, 0xcd4d,
    0xbdaa, 0xad8b, 0x9de8, 0x8dc9, 0x7c26, 0x6c07, 0x5c64, 0x4c45, 0x3ca2, 0x2c83, 0x1ce0, 0x0cc1,
    0xef1f, 0xff3e, 0xcf5d, 0xdf7c, 0xaf9b, 0xbfba, 0x8fd9, 0x9ff8, 0x6e17, 0x7e36, 0x4e55, 0x5e74,
    0x2e93, 0x3eb2, 0x0ed1, 0x1ef0,
};

uint16_t crc16(const void *ptr, size_t len)
{
    const unsigned char *next = ptr;
    uint16_t crc = 0;
    for (size_t i = 0; i < len; i++)
        crc = (uint16_t)(crc << 8) ^ crc16_table[(crc >> 8 ^ next[i]) & 0xff];
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
