#include "base/buf.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include <stdarg.h>
#include <stdio.h>

void buf_release(struct buf *buf)
{
    mem_free(buf->ptr);
    *buf = (struct buf){0};
}

void buf_grow(struct buf *buf, size_t more)
{
    size_t least;
    check(num_add_size(buf->len, more, &least));
    if (least <= buf->cap) return;
    size_t wish = buf->cap + buf->cap / 2;
    size_t cap = mem_good_size(wish > least ? wish : least);
    buf->ptr = mem_realloc(buf->ptr, cap);
    buf->cap = cap;
}

void buf_append_int64(struct buf *buf, long long value)
{
    buf_reserve(buf, NUM_INT64_CHARS);
    buf->len += num_format_int64(buf->ptr + buf->len, value);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    buf_reserve(buf, 64);
    for (;;) {
        size_t room = buf->cap - buf->len;
        va_start(args, format);
        int len = vsnprintf(buf->ptr + buf->len, room, format, args);
        va_end(args);
        check(len >= 0);
        if ((size_t)len < room) {
            buf->len += (size_t)len;
            return;
        }
        buf_reserve(buf, (size_t)len + 1);
    }
}

void buf_drop_front(struct buf *buf, size_t len)
{
    check(len <= buf->len);
    buf->len -= len;
    if (len > 0 && buf->len > 0) memmove(buf->ptr, buf->ptr + len, buf->len);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
}
