/* Any bytes as an RDB stream. What loads must be sound, and survive being saved and loaded again;
 * what does not must say why. Checksums are not compared, else nothing behind one is ever reached. */
#include "base/check.h"
#include "base/mem.h"
#include "persist/encoder.h"
#include "persist/loader.h"
#include "store/store.h"

#define NOW_MS 1700000000000
static const struct hash_secret secret = {7, 8};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loader_outcome load(struct span bytes)
{
    struct loader_options options = {.databases = 16,
                                     .settings = value_settings_default(secret),
                                     .now_ms = NOW_MS,
                                     .silent = true,
                                     .inline_loading = true};
    struct loader *loader = loader_open_feed(UINT64_MAX, &options);
    struct loader_outcome outcome;

    loader_feed(loader, bytes.ptr, bytes.len);
    loader_feed_end(loader);
    loader_take(&loader, &outcome);
    return outcome;
}

struct saved {
    struct store *store;
    struct buf bytes;
};

static void append(void *context, const void *ptr, size_t len)
{
    struct saved *saved = context;
    buf_append(&saved->bytes, ptr, len);
}

static void feed(void *context, const void *ptr, size_t len)
{
    encoder_feed(context, ptr, len);
}

static void release(void *context, const struct entry *entry)
{
    const struct saved *saved = context;
    snapshot_release_lease(entry, saved->store);
}

static struct buf save(struct store *store)
{
    struct image_options options = {.compress = true, .checksum = true, .now_ms = NOW_MS};
    struct encoder encoder;
    struct snapshot_sink sink = {feed, &encoder};
    struct snapshot *snapshot = snapshot_start(store, &sink);
    struct saved saved = {.store = store};

    encoder_init(&encoder, &options, snapshot_figures(snapshot), 16, append, release, &saved);
    encoder_begin(&encoder, &options);
    while (!snapshot_walk(snapshot, SIZE_MAX, SIZE_MAX)) {}
    check(encoder_end(&encoder) == OK);
    snapshot_end(snapshot);
    encoder_release(&encoder);
    return saved.bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct loader_outcome first = load(span_of(data, size)), second;

    if (first.err != OK) {
        check(first.error[0] != '\0' && first.keyspaces == NULL);
        return 0;
    }
    size_t counts[16], keys = 0;
    for (int db = 0; db < 16; db++) {
        keyspace_check(first.keyspaces[db]);
        counts[db] = keyspace_count(first.keyspaces[db]);
        keys += counts[db];
    }
    check(keys == first.keys_loaded);

    struct store *store = store_new(16, &secret, NOW_MS);
    store_replace_all(store, first.keyspaces);
    mem_free(first.keyspaces);
    first.keyspaces = NULL;
    struct buf saved = save(store);
    second = load(buf_span(&saved));
    check(second.err == OK);
    for (int db = 0; db < 16; db++) check(keyspace_count(second.keyspaces[db]) == counts[db]);
    loader_outcome_release(&first);
    loader_outcome_release(&second);
    buf_release(&saved);
    store_free(store);
    return 0;
}
