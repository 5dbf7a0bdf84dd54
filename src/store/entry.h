/* A key with its value: one allocation, one owner (its slot in a table), movable.
 *
 *   0        1       2              5              8
 *   +--------+-------+--------------+--------------+- - - - - - -+- - - - - -+--------+---------
 *   |type enc| flags | clock (24)   | key len (24) | deadline 6/8| len if    | key    | payload
 *   | 4    4 |       |              |              | if flagged  | 0xffffff 8|        |
 *   +--------+-------+--------------+--------------+- - - - - - -+- - - - - -+--------+---------
 *
 * The payload depends on the encoding:
 *   ENC_INT              8 bytes, a signed integer in native order (unaligned)
 *   ENC_EMBSTR, ENC_RAW  a length (1 byte below 255; else 0xff and 4 bytes) and the bytes, inline
 *   ENC_LISTPACK, ENC_INTSET, ENC_HASH_PACK  the same: a small container is a string of bytes to its entry
 *   all others           a pointer (8 bytes, unaligned) to the value's own allocation (value.h)
 * Strings longer than ENTRY_INLINE_BYTES_MAX live in a struct blob (ENC_BLOB, reported as "raw");
 * containers that would be longer take their type's encoding behind a pointer, whatever the
 * thresholds say.
 *
 * Invariants
 * 1. No pointer to an entry outlives a turn of the engine: any write may free or move it.
 * 2. Only store/ changes entries; everyone else sees `const struct entry *`.
 * 3. The clock is the access clock: LRU seconds, or LFU minutes and counter (maxmemory-policy). It
 *    is not data: changing it is no change of the keyspace.
 * 4. An entry's allocation is mem_class(entry_bytes(e)) bytes, the allocator's size class: so the
 *    room behind the payload is known without asking the allocator, and a new value or deadline
 *    that falls into the same class is written in place. */
#ifndef PANDO_STORE_ENTRY_H
#define PANDO_STORE_ENTRY_H

#include "base/num.h"
#include "base/span.h"
#include <stdint.h>

enum value_type { /* numbers appear nowhere on the wire */
                  TYPE_STRING,
                  TYPE_LIST,
                  TYPE_SET,
                  TYPE_ZSET,
                  TYPE_HASH,
                  TYPE_STREAM,
                  TYPE_COUNT,
                  TYPE_ANY = TYPE_COUNT, /* for look-ups that take every type */
};

enum encoding {                /* what OBJECT ENCODING says stands behind each */
                ENC_INT,       /* "int" */
                ENC_EMBSTR,    /* "embstr" */
                ENC_RAW,       /* "raw", inline */
                ENC_LISTPACK,  /* inline; "listpack", of a list "quicklist", of a set "hashtable" */
                ENC_INTSET,    /* inline; "intset" */
                ENC_HASH_PACK, /* inline; "hashtable": hash.h */
                ENC_BLOB,      /* "raw", struct blob; from here on the payload is a pointer */
                ENC_QUICKLIST, /* "quicklist": list.h */
                ENC_HASH_TABLE, /* "hashtable": hash.h */
                ENC_SET_TABLE,  /* "hashtable": set.h */
                ENC_SORTED_SET, /* "skiplist": zset.h */
                ENC_STREAM,     /* "stream": stream.h */
                ENC_COUNT
};

enum {
    ENTRY_HAS_DEADLINE = 1 << 0,
    ENTRY_DEADLINE_64 = 1 << 1, /* deadline takes 8 bytes: it does not fit 47 bits and a sign */
};

#define ENTRY_KEY_LEN_LONG 0xffffff
/* Longer strings are ENC_BLOB; also the threshold of leases. */
#define ENTRY_INLINE_BYTES_MAX (64 * 1024)
#define ENTRY_EMBSTR_BYTES_MAX 44 /* Redis' OBJ_ENCODING_EMBSTR limit, for OBJECT ENCODING */

struct entry {
    uint8_t type_encoding; /* type << 4 | encoding */
    uint8_t flags;
    uint8_t clock[3];
    uint8_t key_len[3];
    uint8_t rest[];
};
_Static_assert(sizeof(struct entry) == 8, "entry header");

/* A long string outside its entry. `holders` counts the entry and the snapshots that lease it; the
 * last one frees it. Only the engine changes a blob, and only while holders is 1. */
struct blob {
    uint32_t holders; /* atomic; every value behind a pointer begins so, see value.h */
    size_t len, cap;  /* bytes */
    char bytes[];
};

static inline enum value_type entry_type(const struct entry *e)
{
    return (enum value_type)(e->type_encoding >> 4);
}
static inline enum encoding entry_encoding(const struct entry *e)
{
    return (enum encoding)(e->type_encoding & 15);
}
static inline bool entry_has_pointer(const struct entry *e)
{
    return entry_encoding(e) >= ENC_BLOB;
}
const char *entry_encoding_name(const struct entry *e); /* as OBJECT ENCODING says it */
const char *value_type_name(enum value_type type);      /* as TYPE says it */

/* Where the parts stand, counted from the entry's first byte. */
static inline size_t entry_deadline_bytes(const struct entry *e)
{
    if (!(e->flags & ENTRY_HAS_DEADLINE)) return 0;
    return e->flags & ENTRY_DEADLINE_64 ? 8 : 6;
}
static inline struct span entry_key(const struct entry *e)
{
    const uint8_t *at = e->rest + entry_deadline_bytes(e);
    size_t len = e->key_len[0] | (size_t)e->key_len[1] << 8 | (size_t)e->key_len[2] << 16;
    if (__builtin_expect(len == ENTRY_KEY_LEN_LONG, 0)) {
        uint64_t stored;
        memcpy(&stored, at, 8);
        at += 8;
        len = stored;
    }
    return span_of(at, len);
}
static inline const uint8_t *entry_payload(const struct entry *e)
{
    struct span key = entry_key(e);
    return (const uint8_t *)key.ptr + key.len;
}

#define NO_DEADLINE INT64_MIN
int64_t entry_deadline_slow(const struct entry *e);
static inline int64_t entry_deadline(const struct entry *e) /* Unix ms, or NO_DEADLINE */
{
    return e->flags & ENTRY_HAS_DEADLINE ? entry_deadline_slow(e) : NO_DEADLINE;
}
static inline uint32_t entry_clock(const struct entry *e)
{
    return e->clock[0] | (uint32_t)e->clock[1] << 8 | (uint32_t)e->clock[2] << 16;
}

/* The string value as bytes. Integers are written into `scratch`; otherwise the span borrows from
 * the entry. The entry must be a TYPE_STRING. */
struct span entry_string(const struct entry *e, char scratch[static NUM_INT64_CHARS]);
size_t entry_string_len(const struct entry *e);
/* True with the value when a TYPE_STRING holds an integer in the strict form, however encoded. */
bool entry_string_int64(const struct entry *e, int64_t *out);

/* The pointer payload of every encoding that is not inline. */
void *entry_pointer(const struct entry *e);

/* Length of the entry's own bytes, without the value behind a pointer and without the rest of the
 * size class. */
size_t entry_bytes(const struct entry *e);
size_t entry_memory(const struct entry *e); /* true bytes, value included: MEMORY USAGE */

/* ---- making ---------------------------------------------------------------------------------
 * New entries are owned by the caller until a keyspace takes them (a loader, or RESTORE and COPY by
 * way of store_put_entry). Their access clock is 0. deadline may be NO_DEADLINE. */

/* The string form chooses int, embstr, raw or blob; `raw` forbids int and embstr (as APPEND and
 * SETRANGE leave them). */
struct entry *entry_new_string(struct span key, int64_t deadline, struct span value, bool raw);
/* The same without int: "12" stays a text (as INCRBYFLOAT leaves it). */
struct entry *entry_new_text(struct span key, int64_t deadline, struct span value);
/* A raw string of `len` bytes; *bytes is where they go, uninitialised. */
struct entry *entry_new_raw(struct span key, int64_t deadline, size_t len, char **bytes);
struct entry *entry_new_int64(struct span key, int64_t deadline, int64_t value);
/* An entry around a value's own allocation; takes ownership of `value`. */
struct entry *entry_new_pointer(struct span key, int64_t deadline, enum value_type type,
                                enum encoding encoding, void *value);
/* A small container of `len` bytes, at most ENTRY_INLINE_BYTES_MAX; *bytes is where they go,
 * uninitialised. */
struct entry *entry_new_inline(struct span key, int64_t deadline, enum value_type type,
                               enum encoding encoding, size_t len, uint8_t **bytes);
/* A copy in depth under another key and deadline, with the same clock: COPY. */
struct entry *entry_copy(const struct entry *e, struct span key, int64_t deadline);
void entry_free(struct entry *e); /* frees the value too (a leased one loses a holder) */
void entry_set_clock(struct entry *e, uint32_t clock);

/* ---- for store/ only ------------------------------------------------------------------------ */

/* The bytes of a small container: of an encoding between ENC_RAW and ENC_BLOB. */
struct span entry_inline(const struct entry *e);
/* Gives them another encoding of the same payload. */
static inline void entry_set_inline_encoding(struct entry *e, enum encoding encoding)
{
    e->type_encoding = (uint8_t)((e->type_encoding & 0xf0) | encoding);
}
/* Makes them `len` bytes long, keeping the first ones; returns the entry, which moves where its size
 * class changes. */
struct entry *entry_resize_inline(struct entry *e, size_t len, uint8_t **bytes);
/* The same key, deadline, clock and type with another form of value: a pointer, or `len`
 * uninitialised bytes. The old form is forgotten: a value behind the old pointer stays the caller's.
 */
struct entry *entry_become_pointer(struct entry *e, enum encoding encoding, void *value);
struct entry *entry_become_inline(struct entry *e, enum encoding encoding, size_t len,
                                  uint8_t **bytes);

/* Frees the entry's own bytes; the value behind a pointer stays: it passed to somebody else. */
void entry_free_shell(struct entry *e);
/* The same value under another key and deadline: the payload moves, the old entry is freed (its
 * value behind a pointer is not). For RENAME. */
struct entry *entry_remake(struct entry *old, struct span key, int64_t deadline);
/* The same entry with another deadline, in place where the size class allows; else the old one is
 * freed. */
struct entry *entry_with_deadline(struct entry *e, int64_t deadline);
/* Writes another string or integer in place of this one, with that deadline, where `e` has no
 * pointer and the size class stays. False, nothing changed, where that cannot be, also when `value`
 * lies in the entry itself. */
bool entry_overwrite_string(struct entry *e, int64_t deadline, struct span value);
bool entry_overwrite_int64(struct entry *e, int64_t deadline, int64_t value);
/* Makes the string `len` bytes long and raw, keeping its first bytes, zeros behind them; *bytes is
 * where they stand. Returns the entry, which may be another (the old one is freed). A blob that
 * others hold is copied first; *copied then tells so. */
struct entry *entry_resize_string(struct entry *e, size_t len, char **bytes, bool *copied);

struct blob *blob_new(size_t len, size_t cap); /* holders 1; bytes uninitialised */
void blob_hold(struct blob *blob);
void blob_drop(struct blob *blob);

#endif
