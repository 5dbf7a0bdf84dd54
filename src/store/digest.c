#include "store/digest.h"

#include "base/check.h"
#include "base/hash.h"

/* figure := figure xor SHA1(bytes) */
void digest_add(unsigned char figure[static DIGEST_BYTES], const void *bytes, size_t len)
{
    unsigned char sum[DIGEST_BYTES];
    sha1(bytes, len, sum);
    for (int i = 0; i < DIGEST_BYTES; i++) figure[i] ^= sum[i];
}

/* figure := SHA1(figure xor SHA1(bytes)) */
void digest_mix(unsigned char figure[static DIGEST_BYTES], const void *bytes, size_t len)
{
    unsigned char sum[DIGEST_BYTES];
    digest_add(figure, bytes, len);
    sha1(figure, DIGEST_BYTES, sum);
    memcpy(figure, sum, DIGEST_BYTES);
}

static void mix_number(unsigned char figure[static DIGEST_BYTES], uint32_t number)
{
    unsigned char big_endian[4] = {(unsigned char)(number >> 24), (unsigned char)(number >> 16),
                                   (unsigned char)(number >> 8), (unsigned char)number};
    digest_mix(figure, big_endian, sizeof(big_endian));
}

static void mix_value(unsigned char figure[static DIGEST_BYTES], const struct entry *entry)
{
    static const uint32_t numbers[TYPE_COUNT] = {
        [TYPE_STRING] = 0, [TYPE_LIST] = 1, [TYPE_SET] = 2,
        [TYPE_ZSET] = 3,   [TYPE_HASH] = 4, [TYPE_STREAM] = 6};
    char scratch[NUM_INT64_CHARS];

    mix_number(figure, numbers[entry_type(entry)]);
    if (entry_type(entry) == TYPE_STRING) {
        struct span value = entry_string(entry, scratch);
        digest_mix(figure, value.ptr, value.len);
    } else {
        container_ops(entry_type(entry))->digest(entry, figure);
    }
    if (entry_deadline(entry) != NO_DEADLINE) digest_add(figure, "!!expire!!", 10);
}

static void add_entry(void *context, void *item)
{
    unsigned char figure[DIGEST_BYTES] = {0};
    struct span name = entry_key(item);
    digest_mix(figure, name.ptr, name.len);
    mix_value(figure, item);
    digest_add(context, figure, DIGEST_BYTES);
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
