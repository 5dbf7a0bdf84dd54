/* What the parts of the replica's machine share: replica.c, replica_handshake.c, replica_image.c,
 * replica_figures.c. Nobody else includes this. */
#ifndef PANDO_REPL_REPLICA_STATE_H
#define PANDO_REPL_REPLICA_STATE_H

#include "repl/replica.h"

#define MARK_LEN             40
#define RECONNECT_MS         1000
#define ALIKE_BEFORE_BACKOFF 3
#define BACKOFF_MAX_MS       16000
#define STABLE_MS            10000 /* a link that stood this long ends a row of failures */
#define ACK_PERIOD_MS        1000
#define FINE_ACK_MS          10
#define KEEP_ALIVE_MS        1000

enum expected_reply { EXPECT_AUTH, EXPECT_PORT, EXPECT_IP, EXPECT_CAPA };

struct replica {
    const struct repl_config *config;
    const struct journal *journal;
    struct repl_events *events;
    struct primary *primary;

    enum replica_state state;
    char host[REPLICA_HOST_CHARS];
    int port;
    char line[REPLICA_LINE_BYTES_MAX]; /* a reply that is not whole yet */
    size_t line_len;
    int64_t attempt_ms; /* since CONNECTING */
    int64_t last_io_ms; /* bytes came */
    int64_t next_attempt_ms;
    int64_t down_since_ms, up_since_ms;

    /* Handshake */
    enum expected_reply expected[4];
    int expected_count, expected_next;
    bool primary_is_pando;
    char stand_in[REPLICATION_ID_LEN + 1];     /* asked with instead of ... */
    char stand_in_for[REPLICATION_ID_LEN + 1]; /* ... this one, while the journal has it */
    char asked_id[REPLICATION_ID_LEN + 1];     /* of this attempt; "?" */
    uint64_t asked_offset;
    bool by_sync; /* SYNC after PSYNC was refused */

    /* Full sync */
    bool full_sync;  /* an attempt runs: an event must end it */
    bool image_open; /* IMAGE_BEGIN was given, neither ADOPT nor ABORT */
    bool link_gone;  /* while LOADING */
    bool refused;    /* a primary's emptiness was not taken: waits for another replica_follow */
    uint64_t fork;   /* told by a pando primary, else UINT64_MAX */
    char sync_id[REPLICATION_ID_LEN + 1];
    uint64_t sync_offset;
    int64_t image_total; /* -1: its end is marked */
    uint64_t image_read, image_loaded;
    char mark[MARK_LEN + 1];
    char held
        [MARK_LEN]; /* the last bytes of the image so far, as long as they may be the mark's beginning */
    size_t held_len;
    int64_t image_ms; /* since the payload header */
    int64_t loading_ms, newline_ms;

    /* Stream */
    bool adopted;     /* id and offset came from a primary, or with data from a file */
    bool stream_line; /* "+ONLINE <end>" comes before the stream */
    uint64_t read_offset, applied;
    uint64_t catch_up_to; /* where the primary's log ended at link-up; UINT64_MAX unknown */
    bool caught_up, no_acks;
    int64_t ack_ms;   /* last ACK */
    bool ack_pending; /* fine: something was applied since */

    /* FAILOVER */
    bool ask_failover,
        plain_next; /* plain_next: an answer got lost, so find out first whether it had worked */
    bool asked_failover; /* this attempt did */
    void (*answered)(void *context, enum replica_verdict, int64_t now_ms, struct repl_actions *out);
    void *answered_context;

    const char *last_failure; /* the format of the reason: what makes failures alike */
    bool retry_later;         /* what ends the attempt is no fault: the primary is not ready */
    int failures_alike;
    bool resumed; /* the present or last link came by partial resync: it cost the primary nothing */
    struct replica_stats stats;
};

/* replica.c */
void replica_lose(struct replica *replica, int64_t now_ms, struct repl_actions *out,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
void replica_note(struct replica *replica, enum repl_event_kind kind, uint64_t bytes,
                  int64_t duration_ms, int64_t now_ms, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* The stream begins at `offset`. */
void replica_link_up(struct replica *replica, uint64_t offset, int64_t now_ms,
                     struct repl_actions *out);
void replica_send_ack(struct replica *replica, int64_t now_ms, struct repl_actions *out);

/* replica_handshake.c: a line without its end. */
void replica_line(struct replica *replica, struct span line, int64_t now_ms,
                  struct repl_actions *out);

/* replica_image.c */
void replica_header(struct replica *replica, struct span line, int64_t now_ms,
                    struct repl_actions *out);
/* Returns how many of `bytes` belong to the image or its mark; `at` is where they stand in the input. */
size_t replica_image(struct replica *replica, struct span bytes, size_t at, int64_t now_ms,
                     struct repl_actions *out);

#endif
