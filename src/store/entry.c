/* The layout of entries: making, taking apart and changing them in place. What a string value looks
 * like is decided in entry_string.c. */
#include "store/entry.h"

#include "base/check.h"
#include "base/mem.h"
#include "store/entry_layout.h"
#include "store/value.h"

const char *entry_encoding_name(const struct entry *e)
{
    static const char *const names[ENC_COUNT] = {
        [ENC_INT] = "int",
        [ENC_EMBSTR] = "embstr",
        [ENC_RAW] = "raw",
        [ENC_BLOB] = "raw",
        [ENC_LISTPACK] = "listpack",
        [ENC_INTSET] = "intset",
        [ENC_HASH_PACK] = "hashtable",
        [ENC_QUICKLIST] = "quicklist",
        [ENC_HASH_TABLE] = "hashtable",
        [ENC_SET_TABLE] = "hashtable",
        [ENC_SORTED_SET] = "skiplist",
        [ENC_STREAM] = "stream",
    };
    check(entry_encoding(e) < ENC_COUNT);
    if (entry_encoding(e) == ENC_LISTPACK && entry_type(e) == TYPE_LIST) return "quicklist";
    if (entry_encoding(e) == ENC_LISTPACK && entry_type(e) == TYPE_SET) return "hashtable";
    return names[entry_encoding(e)];
}

const char *value_type_name(enum value_type type)
{
    static const char *const names[TYPE_COUNT] = {
        [TYPE_STRING] = "string", [TYPE_LIST] = "list", [TYPE_SET] = "set",
        [TYPE_ZSET] = "zset",     [TYPE_HASH] = "hash", [TYPE_STREAM] = "stream",
    };
    check(type < TYPE_COUNT);
    return names[type];
}

int64_t entry_deadline_slow(const struct entry *e)
{
    uint64_t raw = 0;
    if (e->flags & ENTRY_DEADLINE_64) {
        memcpy(&raw, e->rest, 8);
        return (int64_t)raw;
    }
    memcpy(&raw, e->rest, 6);
    return (int64_t)(raw << 16) >> 16; /* 48 bits, sign extended */
}

static bool deadline_is_long(int64_t deadline)
{
    return (int64_t)((uint64_t)deadline << 16) >> 16 != deadline;
}

size_t entry_head_bytes(size_t key_len, int64_t deadline)
{
    size_t bytes = sizeof(struct entry) + key_len;
    if (key_len >= ENTRY_KEY_LEN_LONG) bytes += 8;
    if (deadline != NO_DEADLINE) bytes += deadline_is_long(deadline) ? 8 : 6;
    return bytes;
}

/* Writes everything in front of the payload and returns the payload's place. `key` may be this very
 * entry's key at its old place: it is moved first, before the deadline is written over it. */
uint8_t *entry_write_head(struct entry *e, unsigned type_encoding, struct span key,
                          int64_t deadline)
{
    unsigned flags = 0;
    uint8_t *at = e->rest;
    size_t deadline_bytes = 0;

    if (deadline != NO_DEADLINE) {
        flags = ENTRY_HAS_DEADLINE | (deadline_is_long(deadline) ? ENTRY_DEADLINE_64 : 0);
        deadline_bytes = flags & ENTRY_DEADLINE_64 ? 8 : 6;
    }
    bool is_long = key.len >= ENTRY_KEY_LEN_LONG;
    uint8_t *to = at + deadline_bytes + (is_long ? 8 : 0);
    if (key.len > 0) memmove(to, key.ptr, key.len);
    if (is_long) {
        uint64_t stored = key.len;
        memcpy(to - 8, &stored, 8);
    }
    memcpy(at, &deadline, deadline_bytes); /* little-endian: the low bytes come first */
    uint32_t stored_len = is_long ? ENTRY_KEY_LEN_LONG : (uint32_t)key.len;
    e->type_encoding = (uint8_t)type_encoding;
    e->flags = (uint8_t)flags;
    memcpy(e->key_len, &stored_len, 3);
    return to + key.len;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "entries store short integers so");

/* The bytes of a payload as it stands. */
static size_t payload_bytes(const struct entry *e, const uint8_t *payload)
{
    if (entry_encoding(e) == ENC_INT || entry_has_pointer(e)) return 8;
    if (payload[0] < 0xff) return 1 + (size_t)payload[0];
    uint32_t len;
    memcpy(&len, payload + 1, 4);
    return 5 + (size_t)len;
}

size_t entry_bytes(const struct entry *e)
{
    const uint8_t *payload = entry_payload(e);
    return (size_t)(payload - (const uint8_t *)e) + payload_bytes(e, payload);
}

size_t entry_memory(const struct entry *e)
{
    size_t bytes = mem_class(entry_bytes(e));
    if (entry_has_pointer(e)) bytes += value_ops(entry_encoding(e))->memory(entry_pointer(e));
    return bytes;
}

void *entry_pointer(const struct entry *e)
{
    void *pointer;
    check(entry_has_pointer(e));
    memcpy(&pointer, entry_payload(e), 8);
    return pointer;
}

void entry_set_clock(struct entry *e, uint32_t clock)
{
    memcpy(e->clock, &clock, 3);
}

struct entry *entry_alloc(unsigned type_encoding, struct span key, int64_t deadline,
                          size_t payload_size, uint8_t **payload)
{
    struct entry *e = mem_alloc(mem_class(entry_head_bytes(key.len, deadline) + payload_size));
    entry_set_clock(e, 0);
    *payload = entry_write_head(e, type_encoding, key, deadline);
    return e;
}

struct entry *entry_new_pointer(struct span key, int64_t deadline, enum value_type type,
                                enum encoding encoding, void *value)
{
    uint8_t *payload;
    check(encoding >= ENC_BLOB && encoding < ENC_COUNT && type < TYPE_COUNT);
    struct entry *e = entry_alloc((unsigned)type << 4 | encoding, key, deadline, 8, &payload);
    memcpy(payload, &value, 8);
    return e;
}

/* Bytes of an inline payload of `len` bytes. */
static size_t inline_payload_bytes(size_t len)
{
    return len < 255 ? len + 1 : len + 5;
}

uint8_t *entry_write_inline_len(uint8_t *payload, size_t len)
{
    if (len < 255) {
        payload[0] = (uint8_t)len;
        return payload + 1;
    }
    uint32_t stored = (uint32_t)len;
    payload[0] = 0xff;
    memcpy(payload + 1, &stored, 4);
    return payload + 5;
}

struct span entry_inline(const struct entry *e)
{
    const uint8_t *payload = entry_payload(e);
    if (payload[0] < 0xff) return span_of(payload + 1, payload[0]);
    uint32_t len;
    memcpy(&len, payload + 1, 4);
    return span_of(payload + 5, len);
}

struct entry *entry_new_inline(struct span key, int64_t deadline, enum value_type type,
                               enum encoding encoding, size_t len, uint8_t **bytes)
{
    uint8_t *payload;
    check(encoding > ENC_RAW && encoding < ENC_BLOB);
    check(len <= ENTRY_INLINE_BYTES_MAX);
    struct entry *e = entry_alloc((unsigned)type << 4 | encoding, key, deadline,
                                  inline_payload_bytes(len), &payload);
    *bytes = entry_write_inline_len(payload, len);
    return e;
}

struct entry *entry_resize_inline(struct entry *e, size_t len, uint8_t **bytes)
{
    struct span old = entry_inline(e);
    uint8_t *payload = (uint8_t *)entry_payload(e);
    size_t head = (size_t)(payload - (uint8_t *)e), kept = old.len < len ? old.len : len;

    check(len <= ENTRY_INLINE_BYTES_MAX);
    if (mem_class(head + inline_payload_bytes(len)) ==
        mem_class(head + inline_payload_bytes(old.len))) {
        uint8_t *to = payload + (len < 255 ? 1 : 5);
        if ((const char *)to != old.ptr) memmove(to, old.ptr, kept);
        *bytes = entry_write_inline_len(payload, len);
        return e;
    }
    struct entry *made = entry_new_inline(entry_key(e), entry_deadline(e), entry_type(e),
                                          entry_encoding(e), len, bytes);
    memcpy(*bytes, old.ptr, kept);
    memcpy(made->clock, e->clock, sizeof(e->clock));
    entry_free_shell(e);
    return made;
}

struct entry *entry_become_pointer(struct entry *e, enum encoding encoding, void *value)
{
    struct entry *made =
        entry_new_pointer(entry_key(e), entry_deadline(e), entry_type(e), encoding, value);
    memcpy(made->clock, e->clock, sizeof(e->clock));
    entry_free_shell(e);
    return made;
}

struct entry *entry_become_inline(struct entry *e, enum encoding encoding, size_t len,
                                  uint8_t **bytes)
{
    struct entry *made =
        entry_new_inline(entry_key(e), entry_deadline(e), entry_type(e), encoding, len, bytes);
    memcpy(made->clock, e->clock, sizeof(e->clock));
    entry_free_shell(e);
    return made;
}

void entry_free_shell(struct entry *e)
{
    mem_free_sized(e, mem_class(entry_bytes(e)));
}

void entry_free(struct entry *e)
{
    if (entry_has_pointer(e)) value_drop(entry_encoding(e), entry_pointer(e));
    entry_free_shell(e);
}

/* Payload and clock of `e` under another head. */
static struct entry *with_head(const struct entry *e, struct span key, int64_t deadline)
{
    const uint8_t *from = entry_payload(e);
    size_t size = payload_bytes(e, from);
    uint8_t *payload;
    struct entry *made = entry_alloc(e->type_encoding, key, deadline, size, &payload);
    memcpy(payload, from, size);
    memcpy(made->clock, e->clock, sizeof(e->clock));
    return made;
}

struct entry *entry_copy(const struct entry *e, struct span key, int64_t deadline)
{
    struct entry *made = with_head(e, key, deadline);
    if (entry_has_pointer(e)) {
        void *value = value_ops(entry_encoding(e))->copy(entry_pointer(e));
        memcpy((uint8_t *)entry_payload(made), &value, 8);
    }
    return made;
}

struct entry *entry_remake(struct entry *old, struct span key, int64_t deadline)
{
    struct entry *made = with_head(old, key, deadline);
    entry_free_shell(old);
    return made;
}

struct entry *entry_with_deadline(struct entry *e, int64_t deadline)
{
    struct span key = entry_key(e);
    const uint8_t *payload = entry_payload(e);
    size_t size = payload_bytes(e, payload);
    size_t old_head = (size_t)(payload - (uint8_t *)e);
    size_t head = entry_head_bytes(key.len, deadline);

    if (mem_class(head + size) != mem_class(old_head + size)) return entry_remake(e, key, deadline);
    if (head > old_head) memmove((uint8_t *)e + head, payload, size); /* before the key moves up */
    entry_write_head(e, e->type_encoding, key, deadline);
    if (head < old_head) memmove((uint8_t *)e + head, payload, size);
    return e;
}
