/* For tests: a toy model of the store's data, and what a snapshot must deliver, in terms of it.
 *
 * The model is an array of slots per database, one for each key of a small universe. It knows nothing of
 * buckets, entries or leases. A snapshot's promise is a copy of the model, made when the snapshot starts:
 * the records that arrive must be equal to it. Values are shared, so that such a copy is cheap.
 *
 * model_agrees() and witness_agrees() tell by their result whether store and model are still the same, so
 * that a test can see them fail. */
#ifndef PANDO_STORE_STORE_TOY_H
#define PANDO_STORE_STORE_TOY_H

#include "base/check.h"
#include "base/mem.h"
#include "store/snapshot.h"
#include "store/value.h"
#include <stdio.h>

#define MODEL_DATABASES 3
#define MODEL_KEYS      700
#define MODEL_NOW       1700000000000
#define MODEL_TICK_MS   16 /* expiry may be late by so much */

struct model_value {
    unsigned refs;
    size_t len;
    char bytes[];
};

struct model_slot {
    struct model_value *value; /* NULL: no such key */
    int64_t deadline;
};

struct model {
    struct model_slot slots[MODEL_DATABASES][MODEL_KEYS];
};

/* Where choices come from: the fuzzer's bytes first, a seeded generator when `len` is 0. */
struct choices {
    const uint8_t *ptr;
    size_t len;
    bool from_bytes;
    struct random random;
};

/* A running snapshot with what it must deliver. */
struct witness {
    struct store *store;
    struct snapshot *snapshot; /* NULL: slot free */
    struct model promised;
    struct buf records;
    size_t read; /* up to here the leases are given back */
};

/* ---- choices --------------------------------------------------------------------------------- */

static inline uint64_t choose(struct choices *choices, uint64_t bound)
{
    if (!choices->from_bytes) return random_below(&choices->random, bound);
    uint64_t got = 0;
    for (uint64_t reach = 1; reach < bound && choices->len > 0; reach <<= 8) {
        got = got << 8 | *choices->ptr++;
        choices->len--;
    }
    return got % bound;
}

static inline bool choices_left(const struct choices *choices)
{
    return !choices->from_bytes || choices->len > 0;
}

/* ---- the model ------------------------------------------------------------------------------- */

static inline struct span model_name(int id, char buffer[static 48])
{
    /* Names of several lengths, so that entries take several size classes. */
    int len = snprintf(buffer, 48, "%.*s%d", id % 30, "-a-name-that-is-padded-a-little", id);
    return span_of(buffer, (size_t)len);
}

static inline int model_id(struct span name)
{
    size_t begin = name.len;
    int id = 0;
    while (begin > 0 && name.ptr[begin - 1] >= '0' && name.ptr[begin - 1] <= '9') begin--;
    for (; begin < name.len; begin++) id = id * 10 + (name.ptr[begin] - '0');
    return id;
}

static inline void model_drop_value(struct model_value *value)
{
    if (value != NULL && --value->refs == 0) mem_free(value);
}

/* Takes ownership of `value`. */
static inline void model_put(struct model *model, int db, int id, struct model_value *value,
                             int64_t deadline)
{
    struct model_slot *slot = &model->slots[db][id];
    model_drop_value(slot->value);
    *slot = (struct model_slot){value, value == NULL ? NO_DEADLINE : deadline};
}

static inline struct model_value *model_value_new(size_t len)
{
    struct model_value *value = mem_zalloc(sizeof(*value) + len + 1);
    value->refs = 1;
    value->len = len;
    return value;
}

static inline void model_release(struct model *model)
{
    for (int db = 0; db < MODEL_DATABASES; db++)
        for (int id = 0; id < MODEL_KEYS; id++) model_put(model, db, id, NULL, NO_DEADLINE);
}

static inline void model_copy(struct model *to, const struct model *from)
{
    *to = *from;
    for (int db = 0; db < MODEL_DATABASES; db++)
        for (int id = 0; id < MODEL_KEYS; id++)
            if (to->slots[db][id].value != NULL) to->slots[db][id].value->refs++;
}

static inline bool slot_is(const struct model_slot *slot, const struct entry *e)
{
    char scratch[NUM_INT64_CHARS];
    if ((slot->value == NULL) != (e == NULL)) return false;
    if (e == NULL) return true;
    return entry_deadline(e) == slot->deadline &&
           span_equal(entry_string(e, scratch), span_of(slot->value->bytes, slot->value->len));
}

/* Whether the store's tables hold exactly what the model says, expired keys included. */
static inline bool model_agrees(const struct model *model, const struct store *store)
{
    char buffer[48];
    for (int db = 0; db < MODEL_DATABASES; db++) {
        const struct keyspace *keyspace = store_keyspace(store, db);
        size_t count = 0;
        for (int id = 0; id < MODEL_KEYS; id++) {
            struct key key = store_key(store, model_name(id, buffer));
            const struct model_slot *slot = &model->slots[db][id];
            if (!slot_is(slot, keyspace_find(keyspace, &key))) return false;
            count += slot->value != NULL;
        }
        if (count != keyspace_count(keyspace)) return false;
    }
    return true;
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static inline void witness_append(void *context, const void *ptr, size_t len)
{
    struct witness *witness = context;
    buf_append(&witness->records, ptr, len);
}

/* Checks the records from `*read` on against what was promised, ticks them off there, and gives
 * back the leases. False where a record was not promised, or says something else. */
static inline bool witness_read(struct witness *witness)
{
    bool good = true;
    while (witness->read < witness->records.len) {
        const struct snapshot_record *record = (void *)(witness->records.ptr + witness->read);
        const struct entry *e = snapshot_record_entry(record);
        struct model_slot *slot = &witness->promised.slots[record->db][model_id(entry_key(e))];
        if (slot->value == NULL || !slot_is(slot, e)) good = false;
        model_put(&witness->promised, (int)record->db, model_id(entry_key(e)), NULL, NO_DEADLINE);
        if (record->leased) snapshot_release_lease(e, witness->store);
        witness->read += record->bytes;
    }
    return good && witness->read == witness->records.len;
}

/* Whether all records are read and nothing of the promise is left. */
static inline bool witness_agrees(struct witness *witness)
{
    bool good = witness_read(witness);
    for (int db = 0; db < MODEL_DATABASES; db++)
        for (int id = 0; id < MODEL_KEYS; id++)
            if (witness->promised.slots[db][id].value != NULL) good = false;
    return good;
}

static inline void witness_end(struct witness *witness)
{
    if (witness->snapshot == NULL) return;
    snapshot_end(witness->snapshot);
    witness_read(witness);
    model_release(&witness->promised);
    buf_release(&witness->records);
    witness->snapshot = NULL;
}

#endif
