/* An RDB image being made: every key as it stood at one log offset, in RDB bytes, for any number of
 * readers.
 *
 *     engine                       encoder thread                    readers, each at its own speed
 *   +----------------+  records  +---------------------+  RDB     +-> rdb_file (thread): dump.rdb
 *   | image_walk     | --------> | value -> body, LZF, | ------>  +-> AOF base
 *   | the door's     |   spool   | CRC                 |  spool   +-> replica's socket
 *   | pre-images     |           +---------------------+          +-> a late replica, from the head
 *   +----------------+
 *
 * The image owns the store's snapshot (store/snapshot.h), both spools (io/spool.h) and the encoder.
 * The engine calls image_walk between batches; it returns at once when the encoder is behind, so
 * the walker never fills the record spool; the door always may. The encoder in turn pauses while
 * the disk cannot take the RDB bytes as fast as they are made. So memory stays bounded by
 * IMAGE_RECORDS_MEMORY + IMAGE_RDB_MEMORY plus one value's packing, and what is over is in unlinked
 * files. Where the disk takes no more, the encoder goes on at the pace at which readers make room,
 * and the owner is asked to help (image_short_of_room); only what the door adds can end the image.
 *
 * States:   making --image_walk, encoder--> complete
 *              \--image_abort, a spool that cannot grow--> failed
 * The owner then lets go with image_release; the image is freed when its last reader has closed and
 * the encoder stands still. After `complete` readers read on for as long as they like.
 *
 * Threads: everything here is called on the engine's thread; `ready` is called there too. With
 * inline_encoder there is no thread: image_walk encodes what it walked, before it returns; `ready`
 * is not called. Two runs with the same seed then give the same bytes. */
#ifndef PANDO_PERSIST_IMAGE_H
#define PANDO_PERSIST_IMAGE_H

#include "io/loop.h"
#include "io/spool.h"
#include "io/worker.h"
#include "store/snapshot.h"

#define IMAGE_RECORDS_MEMORY (4 * 1024 * 1024)
#define IMAGE_RECORDS_AHEAD                                                                        \
    (1 * 1024 * 1024) /* the walker pauses when so much waits for the encoder */
#define IMAGE_LEASED_AHEAD (4 * 1024 * 1024) /* likewise, bytes of leased values */
#define IMAGE_RDB_MEMORY   (12 * 1024 * 1024)

enum image_clock {
    IMAGE_CLOCK_NONE,
    IMAGE_CLOCK_IDLE,
    IMAGE_CLOCK_FREQUENCY
}; /* by maxmemory-policy: *-lru, *-lfu */

struct image_options { /* everything is copied */
    const char *dir;   /* for the spool files: the node's own folder; NULL: all stays in memory */
    struct loop *loop; /* NULL with inline_encoder */
    struct worker *worker;   /* writes spool files; NULL with inline_encoder */
    struct spool_room *room; /* the bound on disk, shared with the log; NULL: by free space */
    bool inline_encoder;
    bool compress, checksum; /* rdbcompression, rdbchecksum */
    bool keep_head;          /* late readers start at the first byte until image_release_head */
    enum image_clock clock;
    int lfu_decay_minutes;
    int64_t now_ms;       /* ctime, idle times */
    uint64_t used_memory; /* aux used-mem */
    bool aof_base;        /* aux aof-base 1 */
    bool commands;        /* no RDB: the commands that make the keys (persist/commands.h) */
    struct value_settings settings; /* with `commands` */
    /* The place in the log; repl_id NULL: no such fields (an AOF base, a node without history). */
    const char *repl_id;
    int64_t repl_offset;
    int repl_stream_db;           /* -1 is written as Redis writes it: none selected yet */
    const struct span *functions; /* library codes, written before the keys */
    size_t function_count;
    /* Optional: RDB bytes were added, or the state changed. Coalesced. */
    void (*ready)(void *context);
    void *context;
};

struct image;

/* NULL when SNAPSHOTS_MAX snapshots are running. */
struct image *image_start(struct store *store, const struct image_options *options);

struct image_budget {
    size_t bytes; /* of records */
    size_t buckets;
    size_t keys; /* SIZE_MAX, or what rdb-key-save-delay allows (persist/pace.h); kept to within one
                    bucket */
};
enum image_walk {
    IMAGE_MORE,    /* budget used up: call again */
    IMAGE_BEHIND,  /* the encoder or the disk is behind: call again after `ready`, or in a
                      millisecond */
    IMAGE_WALKED,  /* every key is taken; the snapshot has ended, later writes cost nothing more */
    IMAGE_STOPPED, /* aborted or failed */
};
enum image_walk image_walk(struct image *image, struct image_budget budget);

enum image_state { IMAGE_MAKING, IMAGE_COMPLETE, IMAGE_FAILED };
enum image_state image_state(const struct image *image);
/* Why it failed, a sentence; "" unless IMAGE_FAILED. */
const char *image_error(const struct image *image);

struct loop *image_loop(const struct image *image); /* NULL with inline_encoder */

struct image_progress {
    uint64_t keys_total, keys_walked,
        keys_encoded;                  /* current_save_keys_total, _processed: encoded */
    uint64_t rdb_bytes;                /* made so far; the size of the file once complete */
    uint64_t records_behind;           /* bytes that the encoder has not read yet */
    uint64_t door_bytes, memory, disk; /* both spools */
    /* rdb_bytes scaled to all keys: for percent and ETA; exact once complete. */
    uint64_t expected_bytes;
};
void image_progress(const struct image *image, struct image_progress *out);

/* What one that is being made takes beside its spools, about: the buffers of walker and encoder. */
#define IMAGE_WORKING_MEMORY (768 * 1024)

/* The RDB bytes, from offset 0. Readers open and close through the image, so that it knows when it
 * may be freed. */
struct spool_cursor *image_open(struct image *image, uint64_t offset); /* NULL where that is gone */
void image_close(struct image *image, struct spool_cursor *cursor);
void image_release_head(struct image *image); /* no more late readers */
/* Whether the image is being made and stands still because neither memory nor disk can take more of
 * it. Readers that go on make room, unless the first bytes are kept for late ones: the owner lets go
 * of the head, and of readers that hold the others back. */
bool image_short_of_room(const struct image *image);
/* There may be room that the image did not release itself: tries to write again. */
void image_try_again(struct image *image);
/* Whether the door should be spared: pre-images are more than memory and disk can take. What is
 * beyond a multiple of that ends the image. */
bool image_door_is_full(const struct image *image);

/* Stops making it; readers get an error once they have read what is there. No effect on a complete
 * image. */
void image_abort(struct image *image, const char *why);
/* The owner lets go; one that is still being made is aborted. */
void image_release(struct image *image);

#endif
