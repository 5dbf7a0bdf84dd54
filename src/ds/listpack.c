#include "ds/listpack.h"

#include "base/check.h"
#include "base/mem.h"

enum { END = 0xff };

/* ---- numbers in bytes --------------------------------------------------------------------------- */

static void set_bytes(uint8_t *lp, size_t bytes)
{
    check(bytes <= UINT32_MAX);
    uint32_t stored = (uint32_t)bytes;
    memcpy(lp, &stored, 4);
}

static size_t stored_count(const uint8_t *lp)
{
    return lp[4] | (size_t)lp[5] << 8;
}

static void set_count(uint8_t *lp, size_t count)
{
    if (count > LISTPACK_COUNT_UNKNOWN) count = LISTPACK_COUNT_UNKNOWN;
    lp[4] = (uint8_t)count;
    lp[5] = (uint8_t)(count >> 8);
}

void listpack_init(uint8_t *lp)
{
    set_bytes(lp, LISTPACK_EMPTY_BYTES);
    set_count(lp, 0);
    lp[LISTPACK_HEAD_BYTES] = END;
}

static uint64_t load_little(const uint8_t *at, unsigned bytes)
{
    uint64_t raw = 0;
    memcpy(&raw, at, bytes);
    return raw;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "listpacks store integers so");

static int64_t sign_extend(uint64_t raw, unsigned bits)
{
    return (int64_t)(raw << (64 - bits)) >> (64 - bits);
}

/* ---- back lengths: 7 bits a byte, the last byte first when read backwards ---------------------- */

static unsigned back_bytes(size_t len)
{
    if (len <= 127) return 1;
    if (len < 1u << 14) return 2;
    if (len < 1u << 21) return 3;
    if (len < 1u << 28) return 4;
    return 5;
}

static uint8_t *write_back(uint8_t *at, size_t len)
{
    unsigned bytes = back_bytes(len);
    for (unsigned i = 0; i < bytes; i++) {
        unsigned shift = 7 * (bytes - 1 - i);
        at[i] = (uint8_t)((len >> shift & 127) | (i > 0 ? 128 : 0));
    }
    return at + bytes;
}

/* The back length whose last byte is at[-1]; *bytes is how many it takes. */
static size_t read_back(const uint8_t *at, unsigned *bytes)
{
    size_t len = 0;
    for (unsigned i = 0; i < 5; i++) {
        uint8_t byte = *--at;
        len |= (size_t)(byte & 127) << (7 * i);
        if (!(byte & 128)) {
            *bytes = i + 1;
            return len;
        }
    }
    *bytes = 0;
    return 0;
}

/* ---- encodings ---------------------------------------------------------------------------------- */

/* Bytes of encoding and length in front of the data, and of the data. False for no encoding. */
static bool shape(const uint8_t *at, size_t *head, size_t *data)
{
    uint8_t first = at[0];
    *head = 1;
    if (first < 0x80) *data = 0;
    else if (first < 0xc0) *data = first & 63;
    else if (first < 0xe0) *data = 1;
    else if (first < 0xf0) {
        *head = 2;
        *data = (size_t)(first & 15) << 8 | at[1];
    } else if (first == 0xf0) {
        *head = 5;
        *data = (size_t)load_little(at + 1, 4);
    } else if (first <= 0xf3) *data = (size_t)first - 0xf1 + 2;
    else if (first == 0xf4) *data = 8;
    else return false;
    return true;
}

static size_t forward_bytes(const uint8_t *at)
{
    size_t head = 0, data = 0;
    if (__builtin_expect(at[0] < 0xc0, 1)) return at[0] < 0x80 ? 1 : 1 + (size_t)(at[0] & 63);
    check(shape(at, &head, &data));
    return head + data;
}

/* An item about to be written. */
struct item {
    bool is_number;
    int64_t number;
    struct span text;
    size_t bytes; /* encoding and data */
};

static size_t number_bytes(int64_t n)
{
    if (n >= 0 && n <= 127) return 1;
    if (n >= -4096 && n <= 4095) return 2;
    if (n >= INT16_MIN && n <= INT16_MAX) return 3;
    if (n >= -(1 << 23) && n < 1 << 23) return 4;
    if (n >= INT32_MIN && n <= INT32_MAX) return 5;
    return 9;
}

static struct item item_of_number(int64_t number)
{
    return (struct item){.is_number = true, .number = number, .bytes = number_bytes(number)};
}

static struct item item_of(struct span text)
{
    int64_t number;
    if (text.len > 0 && text.len <= NUM_INT64_CHARS && text.ptr[0] <= '9' &&
        num_parse_int64(text, &number))
        return item_of_number(number);
    size_t head = text.len < 64 ? 1 : text.len < 4096 ? 2 : 5;
    return (struct item){.text = text, .bytes = head + text.len};
}

static uint8_t *write_number(uint8_t *at, const struct item *item)
{
    uint64_t raw = (uint64_t)item->number;
    switch (item->bytes) {
    case 1: at[0] = (uint8_t)raw; break;
    case 2:
        at[0] = (uint8_t)(0xc0 | (raw >> 8 & 31));
        at[1] = (uint8_t)raw;
        break;
    case 9:
        at[0] = 0xf4;
        memcpy(at + 1, &raw, 8);
        break;
    default: /* 3, 4, 5 */
        at[0] = (uint8_t)(0xf1 + item->bytes - 3);
        memcpy(at + 1, &raw, item->bytes - 1);
    }
    return at + item->bytes;
}

static uint8_t *write_item(uint8_t *at, const struct item *item)
{
    if (item->is_number) {
        at = write_number(at, item);
    } else {
        size_t len = item->text.len;
        if (len < 64) {
            *at++ = (uint8_t)(0x80 | len);
        } else if (len < 4096) {
            *at++ = (uint8_t)(0xe0 | len >> 8);
            *at++ = (uint8_t)len;
        } else {
            uint32_t stored = (uint32_t)len;
            *at++ = 0xf0;
            memcpy(at, &stored, 4);
            at += 4;
        }
        if (len > 0) memcpy(at, item->text.ptr, len);
        at += len;
    }
    return write_back(at, item->bytes);
}

static size_t whole_bytes(const struct item *item)
{
    return item->bytes + back_bytes(item->bytes);
}

/* ---- walking ------------------------------------------------------------------------------------ */

size_t listpack_item_size(const uint8_t *lp, size_t item)
{
    size_t bytes = forward_bytes(lp + item);
    return bytes + back_bytes(bytes);
}

size_t listpack_first(const uint8_t *lp)
{
    return lp[LISTPACK_HEAD_BYTES] == END ? 0 : LISTPACK_HEAD_BYTES;
}

size_t listpack_last(const uint8_t *lp)
{
    return listpack_previous(lp, listpack_end(lp));
}

size_t listpack_next(const uint8_t *lp, size_t item)
{
    size_t next = item + listpack_item_size(lp, item);
    return lp[next] == END ? 0 : next;
}

/* The next item, past `skip` others. */
static size_t step(const uint8_t *lp, size_t item, unsigned skip)
{
    for (unsigned i = 0; i <= skip && item != 0; i++) item = listpack_next(lp, item);
    return item;
}

size_t listpack_previous(const uint8_t *lp, size_t item)
{
    unsigned back;
    if (item <= LISTPACK_HEAD_BYTES) return 0;
    size_t bytes = read_back(lp + item, &back);
    return item - back - bytes;
}

size_t listpack_count(const uint8_t *lp)
{
    size_t count = stored_count(lp);
    if (__builtin_expect(count != LISTPACK_COUNT_UNKNOWN, 1)) return count;
    count = 0;
    for (size_t item = listpack_first(lp); item != 0; item = listpack_next(lp, item)) count++;
    return count;
}

static size_t forwards(const uint8_t *lp, uint64_t steps)
{
    size_t item = listpack_first(lp);
    while (item != 0 && steps-- > 0) item = listpack_next(lp, item);
    return item;
}

static size_t backwards(const uint8_t *lp, uint64_t steps)
{
    size_t item = listpack_last(lp);
    while (item != 0 && steps-- > 0) item = listpack_previous(lp, item);
    return item;
}

size_t listpack_at(const uint8_t *lp, int64_t index)
{
    size_t count = stored_count(lp);
    if (count == LISTPACK_COUNT_UNKNOWN)
        return index >= 0 ? forwards(lp, (uint64_t)index) : backwards(lp, (uint64_t)(-(index + 1)));
    if (index < 0) index += (int64_t)count;
    if (index < 0 || index >= (int64_t)count) return 0;
    if ((size_t)index <= count / 2) return forwards(lp, (uint64_t)index);
    return backwards(lp, count - 1 - (uint64_t)index);
}

/* ---- reading ------------------------------------------------------------------------------------ */

struct listpack_value listpack_value(const uint8_t *lp, size_t item)
{
    const uint8_t *at = lp + item;
    uint8_t first = at[0];
    size_t head = 0, data = 0;

    if (first < 0x80) return (struct listpack_value){NULL, 0, first};
    check(shape(at, &head, &data));
    if (first < 0xc0 || (first >= 0xe0 && first <= 0xf0))
        return (struct listpack_value){(const char *)at + head, data, 0};
    if (first < 0xe0)
        return (struct listpack_value){NULL, 0,
                                       sign_extend((uint64_t)(first & 31) << 8 | at[1], 13)};
    return (struct listpack_value){
        NULL, 0, sign_extend(load_little(at + 1, (unsigned)data), 8 * (unsigned)data)};
}

struct span listpack_value_text(struct listpack_value value, char scratch[static NUM_INT64_CHARS])
{
    if (value.ptr != NULL) return span_of(value.ptr, value.len);
    return span_of(scratch, num_format_int64(scratch, value.number));
}

struct span listpack_text(const uint8_t *lp, size_t item, char scratch[static NUM_INT64_CHARS])
{
    return listpack_value_text(listpack_value(lp, item), scratch);
}

bool listpack_equals(const uint8_t *lp, size_t item, struct span text, bool is_number,
                     int64_t number)
{
    struct listpack_value value = listpack_value(lp, item);
    if (value.ptr == NULL) return is_number && value.number == number;
    return span_equal(span_of(value.ptr, value.len), text);
}

size_t listpack_find(const uint8_t *lp, size_t item, struct span text, unsigned skip)
{
    int64_t number = 0;
    bool is_number = text.len <= NUM_INT64_CHARS && num_parse_int64(text, &number);

    while (item != 0) {
        if (listpack_equals(lp, item, text, is_number, number)) return item;
        item = step(lp, item, skip);
    }
    return 0;
}

/* ---- changing ----------------------------------------------------------------------------------- */

size_t listpack_item_bytes(struct span text)
{
    struct item item = item_of(text);
    return whole_bytes(&item);
}

size_t listpack_item_bytes_int64(int64_t number)
{
    struct item item = item_of_number(number);
    return whole_bytes(&item);
}

static void resize(uint8_t *lp, size_t bytes, int64_t count)
{
    size_t known = stored_count(lp);
    set_bytes(lp, bytes);
    if (known != LISTPACK_COUNT_UNKNOWN && count != 0)
        set_count(lp, (size_t)((int64_t)known + count));
}

/* Makes the bytes [at, at + old) `new` bytes long, contents undefined; `count` items more. */
static void reshape(uint8_t *lp, size_t at, size_t old, size_t new, int64_t count)
{
    size_t bytes = listpack_bytes(lp);
    if (old != new) memmove(lp + at + new, lp + at + old, bytes - at - old);
    resize(lp, bytes - old + new, count);
}

/* The same, moving what stands in front; returns where the listpack begins now. */
static uint8_t *reshape_front(uint8_t *lp, size_t at, size_t old, size_t new, int64_t count)
{
    size_t bytes = listpack_bytes(lp);
    uint8_t *begin = lp + old - new;
    memmove(begin, lp, at);
    resize(begin, bytes - old + new, count);
    return begin;
}

static size_t insert(uint8_t *lp, size_t at, const struct item *item)
{
    reshape(lp, at, 0, whole_bytes(item), 1);
    return (size_t)(write_item(lp + at, item) - lp);
}

size_t listpack_insert(uint8_t *lp, size_t at, struct span text)
{
    struct item item = item_of(text);
    return insert(lp, at, &item);
}

size_t listpack_insert_int64(uint8_t *lp, size_t at, int64_t number)
{
    struct item item = item_of_number(number);
    return insert(lp, at, &item);
}

uint8_t *listpack_insert_front(uint8_t *lp, size_t at, struct span text)
{
    struct item item = item_of(text);
    lp = reshape_front(lp, at, 0, whole_bytes(&item), 1);
    write_item(lp + at, &item);
    return lp;
}

static void replace(uint8_t *lp, size_t at, const struct item *item)
{
    reshape(lp, at, listpack_item_size(lp, at), whole_bytes(item), 0);
    write_item(lp + at, item);
}

void listpack_replace(uint8_t *lp, size_t item, struct span text)
{
    struct item with = item_of(text);
    replace(lp, item, &with);
}

void listpack_replace_int64(uint8_t *lp, size_t item, int64_t number)
{
    struct item with = item_of_number(number);
    replace(lp, item, &with);
}

size_t listpack_remove(uint8_t *lp, size_t at, size_t count)
{
    size_t removed = 0, to = at;
    for (; removed < count && lp[to] != END; removed++) to += listpack_item_size(lp, to);
    reshape(lp, at, to - at, 0, -(int64_t)removed);
    return removed;
}

uint8_t *listpack_remove_front(uint8_t *lp, size_t at, size_t count)
{
    size_t to = at;
    for (size_t i = 0; i < count; i++) to += listpack_item_size(lp, to);
    return reshape_front(lp, at, to - at, 0, -(int64_t)count);
}

void listpack_insert_items(uint8_t *lp, size_t at, const uint8_t *items, size_t bytes, size_t count)
{
    reshape(lp, at, 0, bytes, (int64_t)count);
    memcpy(lp + at, items, bytes);
}

/* ---- foreign bytes ------------------------------------------------------------------------------ */

/* Whether a whole item stands at `at`, before `end`; *size is what it takes. */
static bool item_is_sound(const uint8_t *lp, size_t at, size_t end, size_t *size)
{
    size_t head = 0, data = 0, left = end - at;
    unsigned back = 0;
    uint8_t first = lp[at];

    if ((first >= 0xe0 && first < 0xf0 && left < 2) || (first == 0xf0 && left < 5)) return false;
    if (!shape(lp + at, &head, &data)) return false;
    size_t bytes = head + data, expected = back_bytes(bytes);
    if (bytes > left || expected > left - bytes) return false;
    if (read_back(lp + at + bytes + expected, &back) != bytes || back != expected) return false;
    *size = bytes + expected;
    return true;
}

bool listpack_validate(struct span bytes)
{
    const uint8_t *lp = (const uint8_t *)bytes.ptr;
    size_t count = 0, at = LISTPACK_HEAD_BYTES, size = 0;

    if (bytes.len < LISTPACK_EMPTY_BYTES || listpack_bytes(lp) != bytes.len) return false;
    size_t end = listpack_end(lp);
    if (lp[end] != END) return false;
    for (; at < end; at += size, count++)
        if (!item_is_sound(lp, at, end, &size)) return false;
    return stored_count(lp) == LISTPACK_COUNT_UNKNOWN || stored_count(lp) == count;
}

/* Puts the item's offset into a set of offsets (mask + 1 slots, 0 is free); false where an equal item
 * is in it. */
static bool add_distinct(const uint8_t *lp, size_t item, const struct hash_secret *secret,
                         uint32_t *slots, size_t mask)
{
    char scratch[NUM_INT64_CHARS], other[NUM_INT64_CHARS];
    struct span text = listpack_text(lp, item, scratch);
    size_t slot = hash_keyed(secret, text.ptr, text.len) & mask;

    for (; slots[slot] != 0; slot = (slot + 1) & mask)
        if (span_equal(listpack_text(lp, slots[slot], other), text)) return false;
    slots[slot] = (uint32_t)item;
    return true;
}

bool listpack_is_distinct(const uint8_t *lp, unsigned skip, const struct hash_secret *secret)
{
    uint32_t few[64] = {0}, *slots = few;
    size_t size = sizeof few / sizeof *few, count = listpack_count(lp) / (skip + 1) + 1;
    bool distinct = true;

    while (size < 2 * count) size *= 2;
    if (size > sizeof few / sizeof *few) slots = mem_zalloc(size * sizeof *slots);
    for (size_t item = listpack_first(lp); item != 0 && distinct; item = step(lp, item, skip))
        distinct = add_distinct(lp, item, secret, slots, size - 1);
    if (slots != few) mem_free(slots);
    return distinct;
}
