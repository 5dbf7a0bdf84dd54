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

void buf_release(struct buf *buf);             /* frees and zeroes */
void buf_reserve(struct buf *buf, size_t more); /* room for `more` bytes behind len; grows by half */
void buf_append(struct buf *buf, const void *ptr, size_t len);
void buf_append_span(struct buf *buf, struct span span);
void buf_append_char(struct buf *buf, char c);
void buf_append_int64(struct buf *buf, long long value); /* decimal */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_drop_front(struct buf *buf, size_t len); /* forgets the first `len` bytes (memmove) */
void buf_clear(struct buf *buf);                  /* len 0, keeps the memory */

static inline struct span buf_span(const struct buf *buf)
{
    return span_of(buf->ptr, buf->len);
}

#endif
