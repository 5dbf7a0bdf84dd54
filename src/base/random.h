/* Randomness: a fast generator with its state in the caller's hands (simulations replay from a
 * seed), and bytes from the system for secrets and ids. */
#ifndef PANDO_BASE_RANDOM_H
#define PANDO_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t s[4]; /* xoshiro256** */
};
void random_seed(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);
uint64_t random_below(struct random *random, uint64_t bound); /* uniform in [0, bound), bound > 0 */

/* Unpredictable bytes (getrandom). Aborts where the system has none. */
void random_bytes(void *out, size_t len);
/* `len` lower-case hex digits, unpredictable, no terminating zero: run and replication ids (40). */
void random_hex(char *out, size_t len);

#endif
