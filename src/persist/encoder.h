/* Makes RDB bytes of snapshot records: the part of an image that runs on its own thread, without
 * knowing of threads. Records come in pieces of any length, as they come out of a spool. */
#ifndef PANDO_PERSIST_ENCODER_H
#define PANDO_PERSIST_ENCODER_H

#include "base/err.h"
#include "persist/image.h"
#include "rdb/writer.h"
#include <stdatomic.h>

struct encoder {
    struct rdb_writer writer;
    struct buf pending; /* the start of a record that is not complete yet */
    enum image_clock clock;
    int lfu_decay_minutes;
    int64_t now_ms;
    int db; /* selected; -1: none yet */
    bool commands;
    struct value_settings settings;
    struct encoder_db {
        size_t keys, expires; /* at the snapshot's start */
        bool announced;       /* its RESIZEDB was written */
    } * dbs;
    int databases;
    uint64_t keys; /* encoded so far */
    /* A leased record was encoded: the value is not needed any more. `entry` lies in the record. */
    void (*leased)(void *context, const struct entry *entry);
    void *context;
    const atomic_bool *stop; /* optional; once set, records are passed over, their leases let go */
};

/* Takes copies of what it needs from both; the sink gets the RDB bytes. */
void encoder_init(struct encoder *encoder, const struct image_options *options,
                  const struct snapshot_figures *figures, int databases,
                  void (*sink)(void *context, const void *ptr, size_t len),
                  void (*leased)(void *context, const struct entry *entry), void *context);
void encoder_release(struct encoder *encoder);

/* Magic, facts, functions. */
void encoder_begin(struct encoder *encoder, const struct image_options *options);
void encoder_feed(struct encoder *encoder, const void *ptr, size_t len);
/* EOF and CRC. ERR_CORRUPT when the records ended inside of one. */
enum err encoder_end(struct encoder *encoder);

#endif
