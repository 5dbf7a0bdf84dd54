/* xoshiro256** by Blackman and Vigna (public domain algorithm), seeded through splitmix64 as its
 * authors advise. */
#include "base/random.h"

#include "base/check.h"
#include <errno.h>
#include <stdbool.h>
#include <sys/random.h>

static uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

void random_seed(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        random->s[i] = z ^ (z >> 31);
    }
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    check(bound > 0);
    /* The high half of a 128-bit product is uniform once the few low halves that would make some
     * results likelier are thrown away (Lemire). */
    unsigned __int128 product = (unsigned __int128)random_next(random) * bound;
    if ((uint64_t)product < bound) {
        uint64_t unfair = -bound % bound;
        while ((uint64_t)product < unfair) product = (unsigned __int128)random_next(random) * bound;
    }
    return (uint64_t)(product >> 64);
}

void random_bytes(void *out, size_t len)
{
    char *next = out;
    while (len > 0) {
        ssize_t got = getrandom(next, len, 0);
        if (got < 0 && errno == EINTR) continue;
        check(got > 0);
        next += got;
        len -= (size_t)got;
    }
}

void random_hex(char *out, size_t len)
{
    unsigned char bytes[32];
    for (size_t i = 0; i < len; i++) {
        if (i % 64 == 0) random_bytes(bytes, sizeof bytes);
        unsigned char byte = bytes[i % 64 / 2];
        out[i] = "0123456789abcdef"[i % 2 == 0 ? byte >> 4 : byte & 15];
    }
}
