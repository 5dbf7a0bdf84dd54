/* A growable byte buffer, owned by whoever embeds it. Zero-initialised is empty and valid.
 * Allocation failure aborts the process (mem_alloc's contract); sizes that come from foreign bytes
 * are checked by the caller against its own bound before they reach a buffer. */
#ifndef PANDO_BASE_BUF_H
#define PANDO_BASE_BUF_H

#include "base/span.h"

struct buf {
    char *ptr;
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
};

void buf_release(struct buf *buf);           /* frees and zeroes */
void buf_grow(struct buf *buf, size_t more); /* what buf_reserve does when there is no room */

/* Room for `more` bytes behind len; grows by half at least. */
static inline void buf_reserve(struct buf *buf, size_t more)
{
    if (__builtin_expect(buf->cap - buf->len < more, 0)) buf_grow(buf, more);
}

static inline void buf_append(struct buf *buf, const void *ptr, size_t len)
{
    if (len == 0) return;
    buf_reserve(buf, len);
    memcpy(buf->ptr + buf->len, ptr, len);
    buf->len += len;
}

static inline void buf_append_span(struct buf *buf, struct span span)
{
    buf_append(buf, span.ptr, span.len);
}

static inline void buf_append_char(struct buf *buf, char c)
{
    buf_reserve(buf, 1);
    buf->ptr[buf->len++] = c;
}

void buf_append_int64(struct buf *buf, long long value); /* decimal */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_drop_front(struct buf *buf, size_t len); /* forgets the first `len` bytes (memmove) */
void buf_clear(struct buf *buf);                  /* len 0, keeps the memory */

static inline struct span buf_span(const struct buf *buf)
{
    return span_of(buf->ptr, buf->len);
}

#endif
