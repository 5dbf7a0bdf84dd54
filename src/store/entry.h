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
 *   all others           a pointer (8 bytes, unaligned) to the value's own allocation
 * Strings longer than ENTRY_INLINE_BYTES_MAX live in a struct blob (ENC_BLOB, reported as "raw").
 *
 * Invariants
 * 1. No pointer to an entry outlives a turn of the engine: any write may free or move it.
 * 2. Only store/ changes entries; everyone else sees `const struct entry *`.
 * 3. The clock is the access clock: LRU seconds, or LFU minutes and counter (maxmemory-policy). It
 *    is not data: changing it is no change of the keyspace. */
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

enum encoding { /* what OBJECT ENCODING says stands behind each */
    ENC_INT,        /* "int" */
    ENC_EMBSTR,     /* "embstr" */
    ENC_RAW,        /* "raw", inline */
    ENC_BLOB,       /* "raw", struct blob */
    ENC_LISTPACK,   /* "listpack" */
    ENC_QUICKLIST,  /* "quicklist" */
    ENC_INTSET,     /* "intset" */
    ENC_HASHTABLE,  /* "hashtable" */
    ENC_SKIPLIST,   /* "skiplist" */
    ENC_STREAM,     /* "stream" */
    ENC_COUNT
};

enum {
    ENTRY_HAS_DEADLINE = 1 << 0,
    ENTRY_DEADLINE_64 = 1 << 1, /* deadline takes 8 bytes: it does not fit 47 bits and a sign */
    ENTRY_LEASED = 1 << 2,      /* a running snapshot holds the value (ENC_BLOB and containers) */
};

#define ENTRY_KEY_LEN_LONG     0xffffff
#define ENTRY_INLINE_BYTES_MAX (64 * 1024) /* longer strings: ENC_BLOB; also the lease threshold */
#define ENTRY_EMBSTR_BYTES_MAX 44          /* Redis' OBJ_ENCODING_EMBSTR limit, for OBJECT ENCODING */

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
    uint32_t holders; /* atomic */
    size_t len, cap;  /* bytes */
    char bytes[];
};

static inline enum value_type entry_type(const struct entry *e) { return e->type_encoding >> 4; }
static inline enum encoding entry_encoding(const struct entry *e) { return e->type_encoding & 15; }
const char *entry_encoding_name(const struct entry *e); /* as OBJECT ENCODING says it */
const char *value_type_name(enum value_type type);      /* as TYPE says it */

struct span entry_key(const struct entry *e);

#define NO_DEADLINE INT64_MIN
int64_t entry_deadline(const struct entry *e); /* Unix ms, or NO_DEADLINE */
uint32_t entry_clock(const struct entry *e);

/* The string value as bytes. Integers are written into `scratch`; otherwise the span borrows from
 * the entry. The entry must be a TYPE_STRING. */
struct span entry_string(const struct entry *e, char scratch[static NUM_INT64_CHARS]);
size_t entry_string_len(const struct entry *e);
/* True with the value when a TYPE_STRING holds an integer in the strict form, however encoded. */
bool entry_string_int64(const struct entry *e, int64_t *out);

/* The pointer payload of every encoding that is not inline. */
void *entry_pointer(const struct entry *e);

size_t entry_bytes(const struct entry *e);  /* length of the allocation in use, without the value behind a pointer */
size_t entry_memory(const struct entry *e); /* true bytes, value included: MEMORY USAGE */

/* ---- for store/ only ------------------------------------------------------------------------ */

/* New entries, owned by the caller until a table takes them. deadline may be NO_DEADLINE. The
 * string form chooses int, embstr/raw or blob; `raw` forbids int and embstr (APPEND, SETRANGE). */
struct entry *entry_new_string(struct span key, int64_t deadline, struct span value, bool raw);
struct entry *entry_new_int64(struct span key, int64_t deadline, int64_t value);
/* An entry around a value's own allocation; takes ownership of `value`. */
struct entry *entry_new_pointer(struct span key, int64_t deadline, enum value_type type,
                                enum encoding encoding, void *value);
/* The same value under another key and deadline: the payload moves, the old entry is freed (its
 * value behind a pointer is not). For RENAME, EXPIRE, PERSIST. */
struct entry *entry_remake(struct entry *old, struct span key, int64_t deadline);
void entry_free(struct entry *e);          /* frees the value too (a leased one loses a holder) */
void entry_set_clock(struct entry *e, uint32_t clock);

struct blob *blob_new(size_t len, size_t cap);
void blob_hold(struct blob *blob);
void blob_drop(struct blob *blob);

#endif
