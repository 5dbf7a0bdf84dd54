/* The rows of value.h. */
#include "store/value.h"

#include "base/check.h"
#include "base/mem.h"
#include "store/hash.h"
#include "store/list.h"
#include "store/set.h"
#include "store/stream.h"
#include "store/zset.h"

static size_t blob_memory(const void *value)
{
    return mem_usable(value);
}

static void *blob_copy(const void *value)
{
    const struct blob *blob = value;
    struct blob *copy = blob_new(blob->len, blob->len);
    memcpy(copy->bytes, blob->bytes, blob->len);
    return copy;
}

static size_t blob_effort(const void *value)
{
    return ((const struct blob *)value)->cap / ENTRY_INLINE_BYTES_MAX;
}

static size_t blob_weight(const void *value)
{
    return ((const struct blob *)value)->len;
}

/* It has pages of its own: nothing to be moved. */
static const struct value_ops blob_ops = {
    .free = mem_free,
    .memory = blob_memory,
    .copy = blob_copy,
    .effort = blob_effort,
    .weight = blob_weight,
};

static const struct value_ops *const rows[ENC_COUNT] = {
    [ENC_BLOB] = &blob_ops,     [ENC_QUICKLIST] = &quicklist_ops, [ENC_HASH_TABLE] = &hash_ops,
    [ENC_SET_TABLE] = &set_ops, [ENC_SORTED_SET] = &zset_ops,     [ENC_STREAM] = &stream_ops,
};

const struct value_ops *value_ops(enum encoding encoding)
{
    check(encoding < ENC_COUNT && rows[encoding] != NULL && rows[encoding]->free != NULL);
    return rows[encoding];
}

static const struct container_ops *const containers[TYPE_COUNT] = {
    [TYPE_LIST] = &list_container, [TYPE_SET] = &set_container,       [TYPE_ZSET] = &zset_container,
    [TYPE_HASH] = &hash_container, [TYPE_STREAM] = &stream_container,
};

const struct container_ops *container_ops(enum value_type type)
{
    check(type < TYPE_COUNT && containers[type] != NULL && containers[type]->empty != NULL);
    return containers[type];
}

void value_hold(void *value)
{
    __atomic_fetch_add((uint32_t *)value, 1, __ATOMIC_RELAXED);
}

uint64_t value_bytes(enum encoding encoding, const void *value)
{
    const struct value_ops *ops = value_ops(encoding);
    return ops->weight(value) + 24 * ops->effort(value);
}

void value_drop(enum encoding encoding, void *value)
{
    value_drop_leased(encoding, value, NULL);
}

void value_drop_leased(enum encoding encoding, void *value, uint64_t *leaving)
{
    uint32_t before = __atomic_fetch_sub((uint32_t *)value, 1, __ATOMIC_ACQ_REL);
    check((before & ~VALUE_GIVEN_UP) > 0);
    if ((before & ~VALUE_GIVEN_UP) > 1) return;
    uint64_t bytes = before & VALUE_GIVEN_UP ? value_bytes(encoding, value) : 0;
    value_ops(encoding)->free(value);
    check(bytes == 0 || leaving != NULL);
    if (bytes > 0) __atomic_fetch_sub(leaving, bytes, __ATOMIC_RELEASE);
}

void value_give_up(enum encoding encoding, void *value, uint64_t *leaving)
{
    if (value_shared(value)) {
        /* Counted before it is marked, so that nobody takes off what was not added. */
        __atomic_fetch_add(leaving, value_bytes(encoding, value), __ATOMIC_RELAXED);
        __atomic_fetch_or((uint32_t *)value, VALUE_GIVEN_UP, __ATOMIC_RELEASE);
    }
    value_drop_leased(encoding, value, leaving);
}
