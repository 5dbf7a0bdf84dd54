#include "ds/ziplist.h"

enum {
    END = 0xff,
    LONG_LENGTH = 254, /* a length of four bytes follows */
    ZIPLIST_HEAD_BYTES = 10,
    ZIPLIST_COUNT_UNKNOWN = 0xffff,
    ZIPMAP_COUNT_UNKNOWN = 254,
};

static uint64_t little(const uint8_t *at, size_t bytes)
{
    uint64_t raw = 0;
    for (size_t i = 0; i < bytes; i++) raw |= (uint64_t)at[i] << (8 * i);
    return raw;
}

static size_t big(const uint8_t *at, size_t bytes)
{
    size_t raw = 0;
    for (size_t i = 0; i < bytes; i++) raw = raw << 8 | at[i];
    return raw;
}

/* ---- ziplists ----------------------------------------------------------------------------------- */

static size_t back_bytes(const uint8_t *item)
{
    return item[0] < LONG_LENGTH ? 1 : 5;
}

static size_t back_length(const uint8_t *item)
{
    return item[0] < LONG_LENGTH ? item[0] : (size_t)little(item + 1, 4);
}

static size_t integer_bytes(uint8_t encoding)
{
    switch (encoding) {
    case 0xc0: return 2;
    case 0xd0: return 4;
    case 0xe0: return 8;
    case 0xf0: return 3;
    case 0xfe: return 1;
    default: return 0; /* in the encoding itself */
    }
}

/* Bytes of the encoding alone, length of the data not included; 0 for what is no encoding. */
static size_t encoding_bytes(uint8_t first)
{
    if (first < 0x40) return 1;
    if (first < 0x80) return 2;
    if (first < 0xc0) return 5;
    return integer_bytes(first) != 0 || (first >= 0xf1 && first <= 0xfd) ? 1 : 0;
}

/* Length of the data behind the encoding that stands whole at `at`. */
static size_t data_bytes(const uint8_t *at)
{
    if (at[0] < 0x40) return at[0];
    if (at[0] < 0x80) return big(at, 2) & 0x3fff;
    if (at[0] < 0xc0) return big(at + 1, 4);
    return integer_bytes(at[0]);
}

/* Whether a whole item stands at `at`, before `end`, behind one of `before` bytes; *size is what it
 * takes. */
static bool item_is_sound(const uint8_t *at, const uint8_t *end, size_t before, size_t *size)
{
    size_t left = (size_t)(end - at), back = back_bytes(at);

    if (at[0] == END || back >= left || back_length(at) != before) return false;
    size_t encoding = encoding_bytes(at[back]);
    if (encoding == 0 || encoding > left - back) return false;
    size_t data = data_bytes(at + back);
    if (data > left - back - encoding) return false;
    *size = back + encoding + data;
    return true;
}

bool ziplist_validate(struct span bytes, size_t *count)
{
    const uint8_t *zl = (const uint8_t *)bytes.ptr;
    size_t last = ZIPLIST_HEAD_BYTES, items = 0, size = 0;

    if (bytes.len < ZIPLIST_HEAD_BYTES + 1 || little(zl, 4) != bytes.len) return false;
    const uint8_t *end = zl + bytes.len - 1;
    if (*end != END) return false;
    for (const uint8_t *at = zl + ZIPLIST_HEAD_BYTES; at < end; at += size, items++) {
        last = (size_t)(at - zl);
        if (!item_is_sound(at, end, size, &size)) return false;
    }
    uint64_t stored = little(zl + 8, 2);
    if (little(zl + 4, 4) != last || (stored != ZIPLIST_COUNT_UNKNOWN && stored != items))
        return false;
    *count = items;
    return true;
}

size_t ziplist_first(const uint8_t *zl)
{
    return zl[ZIPLIST_HEAD_BYTES] == END ? 0 : ZIPLIST_HEAD_BYTES;
}

size_t ziplist_next(const uint8_t *zl, size_t item)
{
    size_t encoding = item + back_bytes(zl + item);
    size_t next = encoding + encoding_bytes(zl[encoding]) + data_bytes(zl + encoding);
    return zl[next] == END ? 0 : next;
}

struct listpack_value ziplist_value(const uint8_t *zl, size_t item)
{
    const uint8_t *at = zl + item + back_bytes(zl + item);
    const uint8_t *data = at + encoding_bytes(at[0]);
    unsigned bits = 8 * (unsigned)integer_bytes(at[0]);

    if (at[0] < 0xc0) return (struct listpack_value){(const char *)data, data_bytes(at), 0};
    if (bits == 0) return (struct listpack_value){NULL, 0, (at[0] & 15) - 1};
    return (struct listpack_value){NULL, 0,
                                   (int64_t)(little(data, bits / 8) << (64 - bits)) >> (64 - bits)};
}

/* ---- zipmaps ------------------------------------------------------------------------------------ */

/* Takes `len` bytes off the front of *rest; false where they are not there. */
static bool take_bytes(struct span *rest, size_t len, struct span *out)
{
    if (len > rest->len) return false;
    *out = span_of(rest->ptr, len);
    *rest = span_of(rest->ptr + len, rest->len - len);
    return true;
}

static bool take_length(struct span *rest, size_t *len)
{
    struct span bytes;

    if (!take_bytes(rest, 1, &bytes)) return false;
    *len = (uint8_t)bytes.ptr[0];
    if (*len < LONG_LENGTH) return true;
    if (*len == END || !take_bytes(rest, 4, &bytes)) return false;
    *len = (size_t)little((const uint8_t *)bytes.ptr, 4);
    return *len >= LONG_LENGTH;
}

bool zipmap_next(struct span *rest, struct span *field, struct span *value)
{
    struct span room;
    size_t len = 0;

    if (!take_length(rest, &len) || !take_bytes(rest, len, field)) return false;
    if (!take_length(rest, &len) || !take_bytes(rest, 1, &room)) return false;
    return take_bytes(rest, len, value) && take_bytes(rest, (uint8_t)room.ptr[0], &room);
}

bool zipmap_validate(struct span bytes, size_t *pairs)
{
    struct span field, value, rest;
    size_t found = 0;

    if (bytes.len < 2 || (uint8_t)bytes.ptr[bytes.len - 1] != END) return false;
    for (rest = zipmap_pairs(bytes); rest.len > 0; found++)
        if (!zipmap_next(&rest, &field, &value)) return false;
    *pairs = found;
    return (uint8_t)bytes.ptr[0] == ZIPMAP_COUNT_UNKNOWN || (uint8_t)bytes.ptr[0] == found;
}
