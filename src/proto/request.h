/* Requests: RESP arrays of bulk strings, and inline commands, parsed in place and incrementally.
 *
 * The parser works on a buffer that the session owns; arguments are spans into it. It remembers
 * where it stopped, so a slow peer costs no re-parsing: a command that is not whole yet resumes at
 * the argument that is missing. The buffer may move between two calls, its bytes stay.
 *
 *     *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n
 *                     ^ scanned: the next header, or the next argument when bulk_len >= 0
 *
 * What is accepted and the texts of what is not are Redis 7.0.15's (see request_test.c), with one
 * difference: a zero byte is a byte like any other, where Redis waits for ever behind one. Like
 * there, the line feed of "\r\n" and the two bytes behind an argument are not looked at.
 *
 * Owner: a session. Thread: whoever reads for it. No allocation per command: argv is reused, and
 * the arena exists only once an inline command had quotes. */
#ifndef PANDO_PROTO_REQUEST_H
#define PANDO_PROTO_REQUEST_H

#include "base/buf.h"
#include <limits.h>
#include <stdint.h>

#define REQUEST_INLINE_BYTES_MAX (64 * 1024) /* a line, also of a header, that does not end */
#define REQUEST_ARGS_MAX         INT_MAX /* memory grows with what arrives, not with the claim */
#define REQUEST_UNKNOWN_ARGS_MAX 10      /* of a peer that has not authenticated yet */
#define REQUEST_UNKNOWN_BULK_MAX 16384

struct request_limits {
    uint64_t bulk_bytes_max; /* proto-max-bulk-len */
    bool authenticated;      /* else REQUEST_UNKNOWN_* hold too */
};

/* Zero-initialised is not valid: request_init. */
struct request {
    struct span *argv; /* spans into the buffer (or the arena), valid after REQUEST_READY until the
                          buffer changes or the next call */
    int argc;          /* 0 after an empty inline line, "*0" or "*-1": nothing to execute */
    bool is_inline;    /* the last command was one */
    /* Its bytes are those that an encoder makes of argv: they may be passed on as they are. (A line
     * may end in "\r" and any byte; such a command is not.) */
    bool is_canonical;
    /* Parser's state. */
    int capacity;     /* of argv */
    int args_left;    /* -1: at the start of a command */
    int64_t bulk_len; /* of the argument at `scanned`; -1: a header is there */
    size_t scanned;   /* bytes from the command's start that need no second look */
    const char *base; /* where the buffer was in the last call: argv points there */
    struct buf arena; /* unquoted arguments of an inline command, or an error's text */
};

enum request_status {
    REQUEST_READY,  /* a whole command; *consumed says how many bytes it took */
    REQUEST_MORE,   /* not whole yet; *want is how many bytes are missing at least (0: unknown) */
    REQUEST_BROKEN, /* *error holds the text for "-ERR Protocol error: ...", valid until the next
                       call; the connection is to be closed behind that reply */
};

void request_init(struct request *request);
void request_release(struct request *request);
void request_reset(struct request *request); /* forgets a half-parsed command, and the arena */

/* Parses from `bytes`: the buffer from the command's start on, the same start in each call until
 * READY, then what is behind *consumed. */
enum request_status request_parse(struct request *request, struct span bytes,
                                  const struct request_limits *limits, size_t *consumed,
                                  size_t *want, const char **error);

/* Splits a line by blanks with '' and "" quoting and escapes (\n \r \t \b \a \xHH inside "", \'
 * inside ''), as inline commands and configuration lines are. Appends argument bytes to `arena` and
 * spans (into arena, valid until it grows again) to out. Returns the count, -1 on unbalanced quotes
 * (also a quote that is closed in the middle of a word), -2 when more than max. */
int request_split_line(struct span line, struct buf *arena, struct span *out, int max);

#endif
