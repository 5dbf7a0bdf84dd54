/* Requests: RESP arrays of bulk strings, and inline commands, parsed in place and incrementally.
 *
 * The parser works on a buffer that the session owns; arguments are spans into it. It remembers where it stopped, so
 * a slow peer costs no re-parsing: a command that is not whole yet resumes at the first missing byte. */
#ifndef PANDO_PROTO_REQUEST_H
#define PANDO_PROTO_REQUEST_H

#include "base/span.h"
#include <stdint.h>

#define REQUEST_INLINE_BYTES_MAX (64 * 1024)
#define REQUEST_ARGS_MAX         (1024 * 1024) /* "invalid multibulk length" beyond INT_MAX in 7.0; see request.c */

struct request_limits {
    uint64_t bulk_bytes_max; /* proto-max-bulk-len */
    bool authenticated;      /* unauthenticated peers: at most 10 arguments of 16384 bytes */
};

struct request {
    struct span *argv; /* spans into the buffer, valid after REQUEST_READY until the buffer changes */
    int argc;          /* 0 after an empty inline line or "*0": nothing to execute */
    /* parser's state */
    int capacity;
    int64_t args_left;  /* -1: at the start of a command */
    int64_t bulk_len;   /* -1: at the start of a bulk header */
    size_t scanned;     /* bytes from the command's start that need no second look */
    uint32_t *offsets;  /* argument offsets while the command is not whole */
    bool is_inline;
};

enum request_status {
    REQUEST_READY,  /* a whole command; *consumed says how many bytes it took */
    REQUEST_MORE,   /* not whole yet; *want is how many bytes are missing at least (0: unknown) */
    REQUEST_BROKEN, /* *error holds the text for "-ERR Protocol error: ..." ; the connection is to be closed */
};

void request_init(struct request *request);
void request_release(struct request *request);
void request_reset(struct request *request); /* forgets a half-parsed command */
/* Parses from `bytes` (the buffer from the command's start on; the same start in each call until READY). */
enum request_status request_parse(struct request *request, struct span bytes, const struct request_limits *limits,
                                  size_t *consumed, size_t *want, const char **error);

/* Splits a line by blanks with '' and "" quoting and escapes, as inline commands and configuration lines are. Appends
 * argument bytes to `arena` and spans (into arena, valid until it grows again) to out. Returns the count, -1 on
 * unbalanced quotes, -2 when more than max. */
struct buf;
int request_split_line(struct span line, struct buf *arena, struct span *out, int max);

#endif
