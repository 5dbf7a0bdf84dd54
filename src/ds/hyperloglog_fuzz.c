/* Two kinds of input. A hostile one is a value as a user might SET it: everything is tried on
 * it, and a sparse value that is sound must tell the same in all its forms. An honest one is a
 * sequence of marks on values that begin empty, against a plain array of registers. */
#include "base/check.h"
#include "ds/hyperloglog.h"

/* Everything that reads says the same of the value. False: corrupt. */
static bool check_value(struct span hll, uint8_t registers[static HLL_REGISTERS])
{
    uint64_t count;

    memset(registers, 0, HLL_REGISTERS);
    bool sound = hll_merge_into(registers, hll);
    check(hll_count(hll, &count) == sound);
    if (sound) check(count == hll_estimate(registers));
    if (hll_form(hll) == HLL_DENSE)
        for (unsigned i = 0; i < HLL_REGISTERS; i++)
            check(hll_dense_get(hll.ptr, i) == registers[i]);
    return sound;
}

static void hostile(const uint8_t *data, size_t size)
{
    static uint8_t before[HLL_REGISTERS], after[HLL_REGISTERS];
    struct span rest = span_of(data + 4, size - 4);
    struct hll_mark mark = {(uint16_t)((data[0] | data[1] << 8) % HLL_REGISTERS),
                            (uint8_t)(1 + data[2] % 51)};
    struct buf hll = {0}, text = {0};
    size_t sparse_max = data[3] * 16u;

    if (data[3] & 1) { /* spares the fuzzer from finding the header */
        hll_empty(&hll);
        hll.len = HLL_HEADER_BYTES;
    }
    buf_append_span(&hll, rest);
    if (hll_form(buf_span(&hll)) != HLL_NONE) {
        if (hll_form(buf_span(&hll)) == HLL_SPARSE) hll_describe(buf_span(&hll), &text);
        bool sound = check_value(buf_span(&hll), before);
        enum hll_change change = hll_raise(&hll, mark, sparse_max);
        if (sound) {
            check(change == (before[mark.index] < mark.rank ? HLL_RAISED : HLL_SAME));
            if (change == HLL_RAISED) before[mark.index] = mark.rank;
        }
        check(check_value(buf_span(&hll), after) == sound || change != HLL_CORRUPT);
        if (sound) check(memcmp(before, after, sizeof before) == 0);
        check(hll_to_dense(&hll) == check_value(buf_span(&hll), after));
        if (sound) check(memcmp(before, after, sizeof before) == 0);
    }
    buf_release(&text);
    buf_release(&hll);
}

static void honest(const uint8_t *data, size_t size)
{
    static uint8_t model[HLL_REGISTERS], found[HLL_REGISTERS];
    struct buf hll = {0};
    size_t sparse_max = data[0] * 16u;

    memset(model, 0, sizeof model);
    hll_empty(&hll);
    for (size_t i = 1; i + 3 <= size; i += 3) {
        /* Half of the marks fall close together, so that runs meet. */
        unsigned index = data[i] & 1 ? data[i + 1] / 8u : data[i] / 2u << 7 | data[i + 1] / 2u;
        struct hll_mark mark = {
            (uint16_t)(index % HLL_REGISTERS),
            (uint8_t)(1 + (data[i + 2] < 128 ? data[i + 2] % 3 : data[i + 2] % 51))};
        enum hll_change change = hll_raise(&hll, mark, sparse_max);
        check(change == (model[mark.index] < mark.rank ? HLL_RAISED : HLL_SAME));
        if (change == HLL_RAISED) model[mark.index] = mark.rank;
        if (hll_form(buf_span(&hll)) == HLL_SPARSE)
            check(hll.len <= sparse_max || hll.len <= 18 || sparse_max < 18);
    }
    check(check_value(buf_span(&hll), found));
    check(memcmp(model, found, sizeof model) == 0);
    check(hll_to_dense(&hll));
    check(hll.len == HLL_DENSE_BYTES && check_value(buf_span(&hll), found));
    check(memcmp(model, found, sizeof model) == 0);
    buf_release(&hll);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 6 || size > HLL_DENSE_BYTES + 100) return 0;
    if (data[0] & 1) honest(data + 1, size - 1);
    else hostile(data + 1, size - 1);
    return 0;
}
