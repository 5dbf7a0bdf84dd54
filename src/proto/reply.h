/* Replies: RESP2 and RESP3 written straight into an output buffer.
 *
 * Aggregates are announced with their length first; where it is not known yet, reply_defer
 * remembers the place and reply_settle puts the header there. In RESP2 maps become flat arrays,
 * sets arrays, doubles and big numbers bulk strings, null its two forms, booleans integers,
 * verbatim strings bulk strings, pushes arrays; attributes have no form there and are left out by
 * the caller. */
#ifndef PANDO_PROTO_REPLY_H
#define PANDO_PROTO_REPLY_H

#include "base/buf.h"
#include <stdint.h>

struct reply {
    struct buf *out; /* bytes are appended here; the session drains it */
    int version;     /* 2 or 3 */
    bool muted;      /* CLIENT REPLY OFF/SKIP, replay: nothing is written, errors still count */
    /* Over these bytes in `out` (0: no bound) a bulk string is not written any more, but the reply muted: whoever
     * set the bound closes the session for it. So one command does not fill the memory beyond it. */
    size_t out_max;
    bool overflowed;
    uint64_t errors;     /* error replies: the dispatcher reads it for statistics */
    char last_error[64]; /* code word of the last error reply ("WRONGTYPE"), for errorstats */
};

void reply_status(struct reply *reply, const char *text); /* +OK */
void reply_ok(struct reply *reply);
/* The text begins with its code, without '-'. Line ends within it become blanks, those at its end
 * are cut. */
void reply_error(struct reply *reply, const char *text);
void reply_errorf(struct reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void reply_int64(struct reply *reply, int64_t value);
void reply_bulk(struct reply *reply, struct span bytes);
void reply_bulk_cstr(struct reply *reply, const char *text);
void reply_bulk_int64(struct reply *reply, int64_t value); /* the number as a bulk string */
void reply_bulkf(struct reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void reply_null(struct reply *reply);             /* $-1 or _ */
void reply_null_array(struct reply *reply);       /* *-1 or _ */
void reply_bool(struct reply *reply, bool value); /* :1 or #t */
void reply_double(struct reply *reply, double value);
/* The same without exponent: all decimals up to the seventeenth (num_format_long_double). */
void reply_decimal(struct reply *reply, double value);
void reply_big_number(struct reply *reply, struct span digits);
/* `format` is "txt" or "mkd". */
void reply_verbatim(struct reply *reply, const char format[static 3], struct span text);
void reply_array(struct reply *reply, int64_t count);
void reply_map(struct reply *reply, int64_t pairs);
void reply_set(struct reply *reply, int64_t count);
void reply_push(struct reply *reply, int64_t count);
void reply_attribute(struct reply *reply, int64_t pairs); /* RESP3 only: asserts */
void reply_raw(struct reply *reply, struct span bytes);   /* already encoded */

/* A header whose count is known later. `position` is good until the session drains the buffer;
 * nested ones are settled innermost first. Settling moves the bytes written since. */
enum reply_shape { REPLY_ARRAY, REPLY_MAP, REPLY_SET, REPLY_PUSH };
size_t reply_defer(struct reply *reply);
void reply_settle(struct reply *reply, size_t position, enum reply_shape shape, int64_t count);

/* HELP of a container command: its lines, in an array of status replies. NULL ends the list. */
void reply_help(struct reply *reply, const char *const *lines);

#endif
