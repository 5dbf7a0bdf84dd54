/* From RDB bytes to fresh keyspaces, beside whatever data there is.
 *
 *     file -----------------\
 *                            > reader -> loader thread -> keyspaces nobody else sees -> outcome ->
 * store_replace_all socket -> bounded queue/
 *
 * The loader knows no store: it builds one keyspace per database and hands them over in its
 * outcome. Until then nothing has changed, and whatever goes wrong, nothing has. Checked: magic,
 * version, opcodes, types, every value, duplicate keys, database numbers, CRC, and that a fed
 * stream ends exactly where its EOF is.
 *
 * States:  loading --EOF opcode, CRC right--> loaded   --loader_take--> gone
 *                  \--anything wrong, loader_abort--> failed --loader_free--> gone
 *
 * Threads: called on the engine's thread; `done` and `room` are called there, by the loop. Progress
 * is read from counters at any time. With inline_loading there is no thread: loader_open_file loads
 * before it returns, a fed loader collects what it gets (without bound) and loads in
 * loader_feed_end; `done` and `room` are not called, loader_finished tells. */
#ifndef PANDO_PERSIST_LOADER_H
#define PANDO_PERSIST_LOADER_H

#include "base/buf.h"
#include "base/err.h"
#include "io/loop.h"
#include "store/access_clock.h"
#include "store/keyspace.h"
#include "store/value.h"

#define LOADER_QUEUE_BYTES                                                                         \
    (1024 * 1024) /* what a fed loader holds at most, besides what it builds */

struct loader_outcome {
    enum err err;     /* OK, ERR_CORRUPT, ERR_IO */
    char error[256];  /* what, the byte offset, the key; "" when OK */
    int error_number; /* errno where a file could not be opened, else 0: ENOENT is no failure to
                         some */
    bool is_rdb;      /* magic and version were right */
    int version;

    struct keyspace *
        *keyspaces; /* one per database; NULL array unless OK. Owned by the outcome until taken */
    int databases;
    struct buf *functions; /* library codes, in order; as keyspaces */
    size_t function_count;

    bool has_repl; /* repl-id and repl-offset were there */
    char repl_id[41];
    int64_t repl_offset;
    int repl_stream_db; /* -1: none or not given */
    bool aof_base;
    char redis_version[32];
    int64_t created_s; /* ctime; 0: not given */
    uint64_t used_memory;

    uint64_t keys_loaded, keys_expired,
        keys_empty; /* empty: containers without elements are skipped */
    struct buf
        expired;    /* drop_expired: per key u32 db, u32 length, bytes; see loader_next_expired */
    uint64_t bytes; /* consumed, CRC included: where a tail begins */
};

struct loader_options { /* copied */
    int databases;
    struct value_settings
        settings; /* encodings; the secret of the store that will take the keyspaces */
    int64_t now_ms;
    bool checksum;     /* rdbchecksum: no = the CRC is not compared */
    bool drop_expired; /* keys whose deadline passed are dropped and reported (a primary with its
                          dump.rdb) */
    bool lfu;          /* access clocks are made for LFU, not LRU */
    bool tail_follows; /* bytes behind the end belong to someone else (an AOF with an RDB preamble)
                        */
    int64_t key_load_delay_us;
    bool silent; /* no log lines: fuzzers, simulation */
    bool inline_loading;
    struct loop *loop;           /* NULL with inline_loading */
    void (*done)(void *context); /* the outcome can be taken */
    void (*room)(void *context); /* fed loaders: the queue has room again after loader_feed took
                                    less than all */
    void *context;
};

struct loader;

/* Loads a file. A file that cannot be opened is an outcome too (ERR_IO, with errno's words). */
struct loader *loader_open_file(const char *path, const struct loader_options *options);
/* Whether a file begins as an RDB does; false too where it cannot be read. */
bool loader_is_rdb(const char *path);
/* Loads what is fed. `size` in bytes where the sender named it, else UINT64_MAX. */
struct loader *loader_open_feed(uint64_t size, const struct loader_options *options);
/* Returns how many of the bytes it took: less than `len` when the queue is full (then `room`
 * comes), and all, to no effect, once the loader has failed. */
size_t loader_feed(struct loader *loader, const void *ptr, size_t len);
void loader_feed_end(struct loader *loader); /* the stream is complete */

/* Stops as soon as it can; `done` comes with an ERR_IO outcome "aborted: <why>", unless it was
 * under way already. */
void loader_abort(struct loader *loader, const char *why);
void loader_set_key_delay(struct loader *loader, int64_t key_load_delay_us);

struct loader_progress {
    uint64_t bytes, bytes_total; /* total: UINT64_MAX where unknown */
    uint64_t keys, keys_expired;
    uint64_t keys_expected; /* sum of RESIZEDB so far: loading_start... rdb_last_load_keys_* */
    uint64_t used_memory;   /* aux used-mem; 0 until it was read */
};
void loader_progress(const struct loader *loader, struct loader_progress *out);
bool loader_finished(const struct loader *loader);

/* After `done`: the outcome, owned by the caller, who calls loader_outcome_release; the loader is
 * freed. */
void loader_take(struct loader **loader, struct loader_outcome *out);
/* At any time: aborts if need be, and frees loader and outcome once the thread stands still. `done`
 * is not called. */
void loader_free(struct loader **loader);

/* Frees what was not taken out (set keyspaces to NULL after giving them to the store). */
void loader_outcome_release(struct loader_outcome *outcome);
/* Walks the report of dropped keys: *at starts at 0; false at the end. */
bool loader_next_expired(const struct loader_outcome *outcome, size_t *at, int *db,
                         struct span *key);

#endif
