#include "proto/reply.h"

#include "base/check.h"
#include "base/num.h"
#include <stdarg.h>
#include <stdio.h>

#define HEADER_BYTES_MAX (1 + NUM_INT64_CHARS + 2)

/* Type byte, number, line end. Returns the bytes written, at most HEADER_BYTES_MAX. */
static inline size_t make_header(char *out, char type, int64_t number)
{
    size_t len = 1;
    out[0] = type;
    if (__builtin_expect((uint64_t)number < 10, 1)) out[len++] = (char)('0' + number);
    else len += num_format_int64(out + 1, number);
    out[len++] = '\r';
    out[len++] = '\n';
    return len;
}

static inline void put_header(struct reply *reply, char type, int64_t number)
{
    if (reply->muted) return;
    buf_reserve(reply->out, HEADER_BYTES_MAX);
    reply->out->len += make_header(reply->out->ptr + reply->out->len, type, number);
}

static inline void put(struct reply *reply, const char *ptr, size_t len)
{
    if (!reply->muted) buf_append(reply->out, ptr, len);
}

/* Type byte, text, line end. */
static void put_line(struct reply *reply, char type, struct span text)
{
    if (reply->muted) return;
    struct buf *out = reply->out;
    buf_reserve(out, text.len + 3);
    out->ptr[out->len++] = type;
    buf_append_span(out, text);
    out->ptr[out->len++] = '\r';
    out->ptr[out->len++] = '\n';
}

void reply_status(struct reply *reply, const char *text)
{
    put_line(reply, '+', span_of_cstr(text));
}

void reply_ok(struct reply *reply)
{
    put(reply, "+OK\r\n", 5);
}

static bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

static void put_error(struct reply *reply, struct span text)
{
    while (text.len > 0 && is_line_end(text.ptr[text.len - 1])) text.len--;
    const char *blank = text.len > 0 ? memchr(text.ptr, ' ', text.len) : NULL;
    size_t code = blank != NULL ? (size_t)(blank - text.ptr) : text.len;
    if (code >= sizeof reply->last_error) code = sizeof reply->last_error - 1;
    if (code > 0) memcpy(reply->last_error, text.ptr, code);
    reply->last_error[code] = 0;
    reply->errors++;
    if (reply->muted) return;
    put_line(reply, '-', text);
    char *written = reply->out->ptr + reply->out->len - text.len - 2;
    for (size_t i = 0; i < text.len; i++)
        if (is_line_end(written[i])) written[i] = ' ';
}

void reply_error(struct reply *reply, const char *text)
{
    put_error(reply, span_of_cstr(text));
}

void reply_errorf(struct reply *reply, const char *format, ...)
{
    char stack[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(stack, sizeof stack, format, args);
    va_end(args);
    check(len >= 0);
    if ((size_t)len < sizeof stack) {
        put_error(reply, span_of(stack, (size_t)len));
        return;
    }
    struct buf text = {0};
    buf_reserve(&text, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(text.ptr, (size_t)len + 1, format, args);
    va_end(args);
    put_error(reply, span_of(text.ptr, (size_t)len));
    buf_release(&text);
}

void reply_int64(struct reply *reply, int64_t value)
{
    put_header(reply, ':', value);
}

/* Looked at only where the buffer must grow: what fits is in memory already. */
static bool may_grow(struct reply *reply, size_t more)
{
    if (reply->out_max == 0 || reply->out->len + more <= reply->out_max) return true;
    reply->muted = reply->overflowed = true;
    return false;
}

void reply_bulk(struct reply *reply, struct span bytes)
{
    if (reply->muted) return;
    struct buf *out = reply->out;
    size_t more = HEADER_BYTES_MAX + bytes.len + 2;
    if (__builtin_expect(out->cap - out->len < more, 0)) {
        if (!may_grow(reply, bytes.len)) return;
        buf_grow(out, more);
    }
    char *end = out->ptr + out->len;
    end += make_header(end, '$', (int64_t)bytes.len);
    if (bytes.len > 0) memcpy(end, bytes.ptr, bytes.len);
    end += bytes.len;
    *end++ = '\r';
    *end++ = '\n';
    out->len = (size_t)(end - out->ptr);
}

void reply_bulk_cstr(struct reply *reply, const char *text)
{
    reply_bulk(reply, span_of_cstr(text));
}

void reply_bulk_int64(struct reply *reply, int64_t value)
{
    char digits[NUM_INT64_CHARS];
    reply_bulk(reply, span_of(digits, num_format_int64(digits, value)));
}

void reply_bulkf(struct reply *reply, const char *format, ...)
{
    char stack[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(stack, sizeof stack, format, args);
    va_end(args);
    check(len >= 0);
    if ((size_t)len < sizeof stack) {
        reply_bulk(reply, span_of(stack, (size_t)len));
        return;
    }
    put_header(reply, '$', len);
    if (reply->muted) return;
    buf_reserve(reply->out, (size_t)len + 2); /* the terminating zero falls on the line end */
    va_start(args, format);
    vsnprintf(reply->out->ptr + reply->out->len, (size_t)len + 1, format, args);
    va_end(args);
    reply->out->len += (size_t)len;
    put(reply, "\r\n", 2);
}

void reply_null(struct reply *reply)
{
    if (reply->version >= 3) put(reply, "_\r\n", 3);
    else put(reply, "$-1\r\n", 5);
}

void reply_null_array(struct reply *reply)
{
    if (reply->version >= 3) put(reply, "_\r\n", 3);
    else put(reply, "*-1\r\n", 5);
}

void reply_bool(struct reply *reply, bool value)
{
    if (reply->version >= 3) put(reply, value ? "#t\r\n" : "#f\r\n", 4);
    else put(reply, value ? ":1\r\n" : ":0\r\n", 4);
}

void reply_double(struct reply *reply, double value)
{
    char digits[NUM_DOUBLE_CHARS];
    struct span text = span_of(digits, num_format_double(digits, value));
    if (reply->version >= 3) put_line(reply, ',', text);
    else reply_bulk(reply, text);
}

void reply_decimal(struct reply *reply, double value)
{
    char digits[NUM_LONG_DOUBLE_CHARS];
    struct span text = span_of(digits, num_format_long_double(digits, value));
    if (reply->version >= 3) put_line(reply, ',', text);
    else reply_bulk(reply, text);
}

void reply_big_number(struct reply *reply, struct span digits)
{
    if (reply->version >= 3) put_line(reply, '(', digits);
    else reply_bulk(reply, digits);
}

void reply_verbatim(struct reply *reply, const char format[static 3], struct span text)
{
    if (reply->version < 3) {
        reply_bulk(reply, text);
        return;
    }
    put_header(reply, '=', (int64_t)text.len + 4);
    put(reply, format, 3);
    put(reply, ":", 1);
    put(reply, text.ptr, text.len);
    put(reply, "\r\n", 2);
}

static size_t make_aggregate(char *out, int version, enum reply_shape shape, int64_t count)
{
    check(count >= 0);
    if (version < 3) return make_header(out, '*', shape == REPLY_MAP ? 2 * count : count);
    return make_header(out, "*%~>"[shape], count);
}

static void put_aggregate(struct reply *reply, enum reply_shape shape, int64_t count)
{
    char header[HEADER_BYTES_MAX];
    put(reply, header, make_aggregate(header, reply->version, shape, count));
}

void reply_array(struct reply *reply, int64_t count)
{
    put_header(reply, '*', count);
}

void reply_map(struct reply *reply, int64_t pairs)
{
    put_aggregate(reply, REPLY_MAP, pairs);
}

void reply_set(struct reply *reply, int64_t count)
{
    put_aggregate(reply, REPLY_SET, count);
}

void reply_push(struct reply *reply, int64_t count)
{
    put_aggregate(reply, REPLY_PUSH, count);
}

void reply_attribute(struct reply *reply, int64_t pairs)
{
    check(reply->version >= 3);
    put_header(reply, '|', pairs);
}

void reply_raw(struct reply *reply, struct span bytes)
{
    put(reply, bytes.ptr, bytes.len);
}

size_t reply_defer(struct reply *reply)
{
    return reply->muted ? 0 : reply->out->len;
}

void reply_settle(struct reply *reply, size_t position, enum reply_shape shape, int64_t count)
{
    if (reply->muted) return;
    char header[HEADER_BYTES_MAX];
    size_t len = make_aggregate(header, reply->version, shape, count);
    struct buf *out = reply->out;
    check(position <= out->len);
    buf_reserve(out, len);
    memmove(out->ptr + position + len, out->ptr + position, out->len - position);
    memcpy(out->ptr + position, header, len);
    out->len += len;
}

void reply_help(struct reply *reply, const char *const *lines)
{
    int64_t count = 0;
    while (lines[count] != NULL) count++;
    reply_array(reply, count);
    for (int64_t i = 0; i < count; i++) reply_status(reply, lines[i]);
}
