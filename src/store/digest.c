#include "store/digest.h"

#include "base/check.h"
#include "base/hash.h"

/* figure := figure xor SHA1(bytes) */
static void add(unsigned char figure[static DIGEST_BYTES], const void *bytes, size_t len)
{
    unsigned char sum[DIGEST_BYTES];
    sha1(bytes, len, sum);
    for (int i = 0; i < DIGEST_BYTES; i++) figure[i] ^= sum[i];
}

/* figure := SHA1(figure xor SHA1(bytes)) */
static void mix(unsigned char figure[static DIGEST_BYTES], const void *bytes, size_t len)
{
    unsigned char sum[DIGEST_BYTES];
    add(figure, bytes, len);
    sha1(figure, DIGEST_BYTES, sum);
    memcpy(figure, sum, DIGEST_BYTES);
}

static void mix_number(unsigned char figure[static DIGEST_BYTES], uint32_t number)
{
    unsigned char big_endian[4] = {(unsigned char)(number >> 24), (unsigned char)(number >> 16),
                                   (unsigned char)(number >> 8), (unsigned char)number};
    mix(figure, big_endian, sizeof(big_endian));
}

static void mix_value(unsigned char figure[static DIGEST_BYTES], const struct entry *entry)
{
    char scratch[NUM_INT64_CHARS];
    check(entry_type(entry) == TYPE_STRING);
    mix_number(figure, 0);
    struct span value = entry_string(entry, scratch);
    mix(figure, value.ptr, value.len);
    if (entry_deadline(entry) != NO_DEADLINE) add(figure, "!!expire!!", 10);
}

static void add_entry(void *context, void *item)
{
    unsigned char figure[DIGEST_BYTES] = {0};
    struct span name = entry_key(item);
    mix(figure, name.ptr, name.len);
    mix_value(figure, item);
    add(context, figure, DIGEST_BYTES);
}

void digest_store(const struct store *store, unsigned char out[static DIGEST_BYTES])
{
    memset(out, 0, DIGEST_BYTES);
    for (int db = 0; db < store_databases(store); db++) {
        const struct keyspace *keyspace = store_keyspace(store, db);
        if (keyspace_count(keyspace) == 0) continue;
        mix_number(out, (uint32_t)db);
        for (size_t i = 0; i < table_buckets(keyspace->table); i++)
            table_visit(keyspace->table, i, add_entry, out);
    }
}

void digest_value(const struct entry *entry, unsigned char out[static DIGEST_BYTES])
{
    memset(out, 0, DIGEST_BYTES);
    if (entry != NULL) mix_value(out, entry);
}
