/* The loader's work without its thread: from a reader's RDB bytes to keyspaces. */
#ifndef PANDO_PERSIST_RDB_LOAD_H
#define PANDO_PERSIST_RDB_LOAD_H

#include "persist/loader.h"
#include "rdb/reader.h"
#include <stdatomic.h>

/* Keys are decoded some ahead of their insertion, so that their buckets are in the cache by then.
 */
#define RDB_LOAD_AHEAD 16

/* For who only looks through a file (pando-check-rdb): every value is read and checked, none is kept. */
struct rdb_watch {
    void (*aux)(void *context, struct span name, struct span value);
    void (*db)(void *context, uint64_t db);
    void (*key)(void *context);                     /* its name is read */
    void (*value)(void *context, int64_t deadline); /* and its value; NO_DEADLINE */
    void *context;
};

struct rdb_load {
    const struct rdb_watch *watch; /* NULL: the keys are wanted */
    const char *doing;             /* what was read when it failed, in Redis' words */
    int type;                      /* of the value or opcode being read, -1: none yet */
    const struct loader_options *options;
    struct rdb_reader *reader;
    struct loader_outcome *outcome;
    /* Called after each batch of keys; false stops. May wait (key-load-delay). */
    bool (*pause)(void *context, uint64_t keys);
    void *context;
    _Atomic uint64_t *keys, *keys_expired, *keys_expected, *used_memory; /* progress */

    int db;
    int64_t deadline; /* of the next key, as its opcodes say; NO_DEADLINE */
    int64_t idle;     /* -1: none */
    int frequency;    /* -1: none */
    uint32_t fresh_clock;
    struct buf key;
    struct rdb_load_item {
        struct keyspace *keyspace;
        uint64_t hash;
        struct entry *entry;
        int db;
    } ahead[RDB_LOAD_AHEAD];
    int ahead_count, ahead_max; /* the owner sets the bound: 1 with a delay per key */
};

/* Fills outcome->keyspaces and the rest. On failure the reader has the text; what was built stays
 * in the outcome for the caller to free. */
enum err rdb_load_run(struct rdb_load *load);

#endif
