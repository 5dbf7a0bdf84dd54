/* Random operations on a hash against a toy model: an array of values by field. The thresholds are small
 * and change, so that the hash changes its form; from time to time it goes through a copy, or through a
 * dump and back. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/listpack.h"
#include "store/hash.h"
#include <stdio.h>

enum { FIELDS = 40, VALUE_MAX = 300 };

struct value {
    bool is_in, seen;
    size_t len;
    char bytes[VALUE_MAX];
};

struct model {
    struct entry *hash;
    struct value values[FIELDS];
    size_t count;
    struct value_settings settings;
    struct random random;
    const uint8_t *data, *end; /* the fuzzer's bytes */
};

static unsigned byte(struct model *model)
{
    return model->data < model->end ? *model->data++ : 0;
}

/* Some fields are integers, some words, some long; no two alike. */
static struct span field_of(size_t number, char out[static 100])
{
    int len = number % 3 == 0   ? snprintf(out, 100, "%d", (int)number - 20)
              : number % 3 == 1 ? snprintf(out, 100, "field:%zu", number)
                                : snprintf(out, 100, "%0*zu", 1 + (int)number * 2, number);
    return span_of(out, (size_t)len);
}

static size_t number_of(struct span field)
{
    char text[100];
    size_t number = 0;
    while (number < FIELDS && !span_equal(field_of(number, text), field)) number++;
    check(number < FIELDS);
    return number;
}

static void choose_value(struct model *model, struct value *value)
{
    static const size_t lengths[] = {0, 1, 10, 63, 64, 65, 200, 299};
    unsigned kind = byte(model);

    if (kind % 2 == 0) {
        value->len = num_format_int64(value->bytes, (int64_t)(kind * 7919 - 900000));
        return;
    }
    value->len = lengths[kind / 2 % (sizeof lengths / sizeof *lengths)];
    memset(value->bytes, (int)byte(model), value->len);
}

static void expect_value(const struct model *model, size_t number)
{
    const struct value *value = &model->values[number];
    char text[100], digits[NUM_INT64_CHARS];
    struct span got = SPAN("");

    check(hash_get(model->hash, field_of(number, text), digits, &got) == value->is_in);
    if (value->is_in) check(span_equal(got, span_of(value->bytes, value->len)));
}

/* ---- operations --------------------------------------------------------------------------------- */

static void put(struct model *model)
{
    size_t number = byte(model) % FIELDS;
    struct value *value = &model->values[number];
    char text[100];
    bool added = false;

    choose_value(model, value);
    model->hash = hash_put(model->hash, field_of(number, text), span_of(value->bytes, value->len),
                           &model->settings, &added);
    check(added == !value->is_in);
    model->count += added;
    value->is_in = true;
    if (entry_encoding(model->hash) == ENC_LISTPACK)
        check(model->count <= model->settings.hash_max_listpack_entries);
    expect_value(model, number);
}

static void take_out(struct model *model)
{
    size_t number = byte(model) % FIELDS;
    struct value *value = &model->values[number];
    char text[100];
    bool removed = false;

    model->hash = hash_remove(model->hash, field_of(number, text), &removed);
    check(removed == value->is_in);
    model->count -= removed;
    value->is_in = false;
}

static void see(void *context, const struct hash_pair *pair)
{
    struct model *model = context;
    struct value *value = &model->values[number_of(pair->field)];
    check(value->is_in && span_equal(pair->value, span_of(value->bytes, value->len)));
    value->seen = true;
}

static size_t forget_seen(struct model *model)
{
    size_t seen = 0;
    for (size_t i = 0; i < FIELDS; i++) {
        seen += model->values[i].seen;
        model->values[i].seen = false;
    }
    return seen;
}

static void visit(struct model *model)
{
    size_t wanted = byte(model) % (model->count + 1);
    uint64_t cursor = 0;

    do cursor = hash_scan(model->hash, cursor, see, model);
    while (cursor != 0);
    check(forget_seen(model) == model->count);
    hash_sample(model->hash, wanted, &model->random, see, model);
    check(forget_seen(model) == wanted);
    if (model->count > 0) hash_draw(model->hash, byte(model) % 16, &model->random, see, model);
    forget_seen(model);
}

static void copy(struct model *model)
{
    struct entry *made = entry_copy(model->hash, SPAN("another key"), 12345);
    check(entry_memory(made) >= entry_bytes(made));
    entry_free(model->hash);
    model->hash = made;
}

static void dump_and_restore(struct model *model)
{
    const struct value_target target = {SPAN("key"), NO_DEADLINE, &model->settings};
    struct buf payload = {0};
    struct entry *made = NULL;
    char why[256];

    if (model->count == 0) return;
    value_dump(model->hash, byte(model) % 2 == 0, &payload);
    check(value_restore(buf_span(&payload), false, &target, &made, why) == OK);
    buf_release(&payload);
    entry_free(model->hash);
    model->hash = made;
}

static void step(struct model *model)
{
    switch (byte(model) % 16) {
    case 0: visit(model); break;
    case 1: copy(model); break;
    case 2: dump_and_restore(model); break;
    case 3: model->settings.hash_max_listpack_entries = byte(model) % (FIELDS + 2); break;
    case 4: model->settings.hash_max_listpack_value = byte(model); break;
    case 5:
    case 6:
    case 7:
    case 8: take_out(model); break;
    default: put(model);
    }
    check(hash_count(model->hash) == model->count);
    if (entry_encoding(model->hash) == ENC_LISTPACK)
        check(listpack_validate(entry_inline(model->hash)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model; /* big: not on the stack */
    memset(&model, 0, sizeof model);
    model.settings = value_settings_default((struct hash_secret){1, 2});
    model.hash = hash_container.empty(SPAN("key"), &model.settings);
    model.data = data;
    model.end = data + size;
    random_seed(&model.random, 1);

    while (model.data < model.end) step(&model);
    for (size_t i = 0; i < FIELDS; i++) expect_value(&model, i);
    entry_free(model.hash);
    return 0;
}
