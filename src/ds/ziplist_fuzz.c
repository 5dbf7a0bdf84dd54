/* Foreign bytes as ziplist, zipmap and listpack: what passes the check must be walked without leaving
 * it, and has as many items as the check counted. The buffer ends where the bytes end, so that the
 * sanitizer sees a step beyond. The first byte says which of the three; the size, which a fuzzer would
 * hardly ever hit, is put in for it. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/ziplist.h"

static size_t sum; /* of all bytes read, so that nothing is optimised away */

static void read_all(struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) sum += (uint8_t)bytes.ptr[i];
}

static void read_value(struct listpack_value value)
{
    if (value.ptr != NULL) read_all(span_of(value.ptr, value.len));
    else sum += (size_t)value.number;
}

static void try_ziplist(struct span bytes)
{
    const uint8_t *zl = (const uint8_t *)bytes.ptr;
    size_t count = 0, walked = 0;

    if (!ziplist_validate(bytes, &count)) return;
    for (size_t item = ziplist_first(zl); item != 0; item = ziplist_next(zl, item), walked++)
        read_value(ziplist_value(zl, item));
    check(walked == count);
}

static void try_zipmap(struct span bytes)
{
    struct span rest, field, value;
    size_t pairs = 0, walked = 0;

    if (!zipmap_validate(bytes, &pairs)) return;
    for (rest = zipmap_pairs(bytes); zipmap_next(&rest, &field, &value); walked++) {
        read_all(field);
        read_all(value);
    }
    check(rest.len == 0 && walked == pairs);
}

static void try_listpack(struct span bytes)
{
    const uint8_t *lp = (const uint8_t *)bytes.ptr;
    size_t walked = 0, last = 0, item;

    if (!listpack_validate(bytes)) return;
    for (item = listpack_first(lp); item != 0; item = listpack_next(lp, item), walked++) {
        read_value(listpack_value(lp, item));
        check(listpack_previous(lp, item) == last);
        last = item;
    }
    check(listpack_last(lp) == last);
    check(listpack_count(lp) == walked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    struct span bytes = span_of(mem_alloc(size - 1), size - 1);
    uint32_t stored = (uint32_t)bytes.len;

    memcpy((char *)bytes.ptr, data + 1, bytes.len);
    if (data[0] % 3 != 0 && bytes.len >= 4) memcpy((char *)bytes.ptr, &stored, 4);
    switch (data[0] % 3) {
    case 0: try_zipmap(bytes); break;
    case 1: try_ziplist(bytes); break;
    default: try_listpack(bytes);
    }
    mem_free((char *)bytes.ptr);
    return 0;
}
