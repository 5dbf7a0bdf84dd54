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

static const struct value_ops blob_ops = {mem_free, blob_memory, blob_copy, blob_effort,
                                          blob_weight};

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

void value_drop(enum encoding encoding, void *value)
{
    uint32_t before = __atomic_fetch_sub((uint32_t *)value, 1, __ATOMIC_ACQ_REL);
    check(before > 0);
    if (before == 1) value_ops(encoding)->free(value);
}
