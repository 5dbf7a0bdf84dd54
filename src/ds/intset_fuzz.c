/* Random operations on an intset against a toy model: an unsorted array of numbers. The bytes are
 * kept in an allocation of exactly their size, so that the sanitizer sees every step outside. Input
 * that begins with 0xff is taken as foreign bytes instead. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/intset.h"

#define NUMBERS_MAX 512

struct model {
    uint8_t *set;
    int64_t numbers[NUMBERS_MAX];
    size_t count;
};

static bool model_find(const struct model *model, int64_t number, size_t *at)
{
    for (*at = 0; *at < model->count; ++*at)
        if (model->numbers[*at] == number) return true;
    return false;
}

static void resize(struct model *model, size_t old, size_t new)
{
    uint8_t *moved = mem_alloc(new);
    memcpy(moved, model->set, old < new ? old : new);
    mem_free(model->set);
    model->set = moved;
}

static void toggle(struct model *model, int64_t number)
{
    size_t at, index, bytes = intset_bytes(model->set);
    bool there = model_find(model, number, &at);

    check(intset_find(model->set, number, &index) == there);
    if (there) {
        check(intset_at(model->set, index) == number);
        intset_remove(model->set, index);
        resize(model, bytes, intset_bytes(model->set));
        model->numbers[at] = model->numbers[--model->count];
    } else if (model->count < NUMBERS_MAX) {
        size_t needed = intset_bytes_with(model->set, number);
        resize(model, bytes, needed);
        intset_insert(model->set, index, number);
        check(intset_bytes(model->set) == needed);
        model->numbers[model->count++] = number;
    }
}

static void compare(const struct model *model)
{
    check(intset_validate(span_of(model->set, intset_bytes(model->set))));
    check(intset_count(model->set) == model->count);
    for (size_t i = 0; i < model->count; i++) {
        size_t at;
        check(model_find(model, intset_at(model->set, i), &at));
    }
}

static void read_foreign(const uint8_t *data, size_t size)
{
    uint8_t *exact = mem_alloc(size + 1);
    size_t index;

    memcpy(exact, data, size);
    if (intset_validate(span_of(exact, size)))
        for (size_t i = 0; i < intset_count(exact); i++)
            check(intset_find(exact, intset_at(exact, i), &index) && index == i);
    mem_free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model; /* big: not on the stack */
    if (size > 0 && data[0] == 0xff) {
        read_foreign(data + 1, size - 1);
        return 0;
    }
    model.count = 0;
    model.set = mem_alloc(INTSET_HEAD_BYTES);
    intset_init(model.set);
    for (size_t i = 0; i + 2 < size; i += 3) { /* a small number, moved up by some bits */
        int16_t small;
        memcpy(&small, data + i, 2);
        toggle(&model, (int64_t)((uint64_t)small << data[i + 2] % 49));
        if (i % 32 == 0) compare(&model);
    }
    compare(&model);
    mem_free(model.set);
    return 0;
}
