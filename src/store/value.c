/* The rows of value.h. */
#include "store/value.h"

#include "base/check.h"
#include "base/mem.h"

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

static const struct value_ops rows[ENC_COUNT] = {
    [ENC_BLOB] = {mem_free, blob_memory, blob_copy, blob_effort, NULL},
};

const struct value_ops *value_ops(enum encoding encoding)
{
    check(encoding < ENC_COUNT && rows[encoding].free != NULL);
    return &rows[encoding];
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
