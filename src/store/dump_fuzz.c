/* Any bytes as a payload of RESTORE, checksum skipped. What is taken must be whole, be a copy's equal, and
 * come out of DUMP and go in again as the same value. */
#include "base/check.h"
#include "store/digest.h"
#include "store/list.h"
#include "store/set.h"
#include "store/stream.h"
#include "store/value_rdb.h"
#include "store/zset.h"

static void check_whole(const struct entry *e)
{
    switch (entry_type(e)) {
    case TYPE_SET: set_check(e); break;
    case TYPE_ZSET: zset_check(e); break;
    case TYPE_STREAM: stream_check(stream_of(e)); break;
    case TYPE_LIST:
        if (list_quicklist(e) != NULL) check(quicklist_check(list_quicklist(e)));
        break;
    default: break;
    }
}

/* The digest walks over all that the value holds. */
static void check_equal(const struct entry *a, const struct entry *b)
{
    unsigned char figures[2][DIGEST_BYTES];

    check(entry_type(a) == entry_type(b));
    digest_value(a, figures[0]);
    digest_value(b, figures[1]);
    check(memcmp(figures[0], figures[1], DIGEST_BYTES) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct entry *first = NULL, *second = NULL, *copy;
    struct buf dumped = {0}, again = {0};
    char why[256] = "";
    const struct value_settings settings = value_settings_default((struct hash_secret){1, 2});
    const struct value_target target = {SPAN("k"), 17, &settings};
    enum err err = value_restore(span_of(data, size), true, &target, &first, why);

    if (err != OK) {
        check(err == ERR_BAD_PAYLOAD || why[0] != '\0');
        return 0;
    }
    check_whole(first);
    copy = entry_copy(first, SPAN("copy"), entry_deadline(first));
    check_whole(copy);
    check_equal(first, copy);
    value_dump(first, true, &dumped);
    check(value_restore(buf_span(&dumped), false, &target, &second, why) == OK);
    check_equal(first, second);
    value_dump(second, true, &again);
    check(span_equal(buf_span(&dumped), buf_span(&again)));
    buf_release(&dumped);
    buf_release(&again);
    entry_free(first);
    entry_free(second);
    entry_free(copy);
    return 0;
}
