/* Any bytes as a payload of RESTORE, checksum skipped. What is taken must come out of DUMP and go in
 * again as the same value. */
#include "base/check.h"
#include "store/value_rdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct entry *first = NULL, *second = NULL;
    struct buf dumped = {0}, again = {0};
    char why[256] = "";
    const struct value_settings settings = value_settings_default((struct hash_secret){1, 2});
    const struct value_target target = {SPAN("k"), 17, &settings};
    enum err err = value_restore(span_of(data, size), true, &target, &first, why);

    if (err != OK) {
        check(err == ERR_BAD_PAYLOAD || why[0] != '\0');
        return 0;
    }
    value_dump(first, true, &dumped);
    check(value_restore(buf_span(&dumped), false, &target, &second, why) == OK);
    check(entry_type(first) == entry_type(second));
    value_dump(second, true, &again);
    check(span_equal(buf_span(&dumped), buf_span(&again)));
    buf_release(&dumped);
    buf_release(&again);
    entry_free(first);
    entry_free(second);
    return 0;
}
