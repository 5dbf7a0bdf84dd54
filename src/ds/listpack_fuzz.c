/* Random operations on a listpack against a toy model: an array of strings. After each step the bytes
 * must be sound and hold the model's items, forwards and backwards; what the functions say of room must
 * be true to the byte, for the memory is as long as the listpack, and the sanitizer watches its end. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/listpack.h"

enum { ITEMS_MAX = 200 };

struct text {
    size_t len;
    char bytes[5000];
};

struct model {
    uint8_t *lp;
    struct text items[ITEMS_MAX];
    size_t count;
    const uint8_t *data, *end; /* the fuzzer's bytes */
};

static unsigned byte(struct model *model)
{
    return model->data < model->end ? *model->data++ : 0;
}

/* A number of some width, a word, or a longer string around one of the limits of the encodings. */
static void choose_text(struct model *model, struct text *text)
{
    static const size_t lengths[] = {0, 1, 5, 62, 63, 64, 65, 124, 125, 126, 127, 4094, 4095, 4096};
    unsigned kind = byte(model);

    if (kind % 2 == 0) {
        uint64_t raw = 0;
        for (unsigned i = 0; i < kind / 2 % 9; i++) raw = raw << 8 | byte(model);
        text->len = num_format_int64(text->bytes, (int64_t)(kind & 128 ? 0 - raw : raw));
        if (kind % 16 == 6) text->bytes[0] = '0'; /* no longer the strict form, or another number */
        return;
    }
    text->len = lengths[kind / 2 % (sizeof lengths / sizeof *lengths)];
    memset(text->bytes, (int)byte(model), text->len);
}

static struct span span_of_text(const struct text *text)
{
    return span_of(text->bytes, text->len);
}

/* Gives the memory exactly this size, whatever stands in it. */
static void resize(struct model *model, size_t bytes)
{
    model->lp = mem_realloc(model->lp, bytes);
}

static void expect_item(const struct model *model, size_t item, size_t index)
{
    char scratch[NUM_INT64_CHARS];
    struct span text = span_of_text(&model->items[index]);
    int64_t number = 0;
    bool is_number = num_parse_int64(text, &number);

    check(span_equal(listpack_text(model->lp, item, scratch), text));
    check(listpack_equals(model->lp, item, text, is_number, number));
    check(is_number == (listpack_value(model->lp, item).ptr == NULL));
    check(listpack_item_size(model->lp, item) == listpack_item_bytes(text));
}

static void expect_model(const struct model *model)
{
    const uint8_t *lp = model->lp;
    size_t index = 0, item;

    check(listpack_validate(span_of(lp, listpack_bytes(lp))));
    check(listpack_count(lp) == model->count);
    for (item = listpack_first(lp); item != 0; item = listpack_next(lp, item), index++) {
        expect_item(model, item, index);
        check(listpack_at(lp, (int64_t)index) == item);
        check(listpack_at(lp, (int64_t)index - (int64_t)model->count) == item);
    }
    check(index == model->count);
    for (item = listpack_last(lp); item != 0; item = listpack_previous(lp, item))
        expect_item(model, item, --index);
    check(index == 0);
    check(listpack_at(lp, (int64_t)model->count) == 0);
    check(listpack_at(lp, -(int64_t)model->count - 1) == 0);
}

/* ---- operations --------------------------------------------------------------------------------- */

/* Where an item of that index stands, or the end. */
static size_t place_of(const struct model *model, size_t index)
{
    return index == model->count ? listpack_end(model->lp) : listpack_at(model->lp, (int64_t)index);
}

static void make_gap(struct model *model, size_t index, size_t count)
{
    memmove(model->items + index + count, model->items + index,
            (model->count - index) * sizeof *model->items);
    model->count += count;
}

static void insert(struct model *model)
{
    size_t index = byte(model) % (model->count + 1), place = place_of(model, index);
    if (model->count == ITEMS_MAX) return;

    make_gap(model, index, 1);
    struct text *text = &model->items[index];
    choose_text(model, text);
    size_t bytes = listpack_item_bytes(span_of_text(text));
    int64_t number;
    size_t old = listpack_bytes(model->lp), behind = place + bytes;
    resize(model, old + bytes);
    if (num_parse_int64(span_of_text(text), &number) && byte(model) % 2 == 0) {
        check(bytes == listpack_item_bytes_int64(number));
        behind = listpack_insert_int64(model->lp, place, number);
    } else if (byte(model) % 2 == 0) {
        memmove(model->lp + bytes, model->lp, old);
        check(listpack_insert_front(model->lp + bytes, place, span_of_text(text)) == model->lp);
    } else {
        behind = listpack_insert(model->lp, place, span_of_text(text));
    }
    check(behind == place + bytes);
}

static void replace(struct model *model)
{
    if (model->count == 0) return;
    size_t index = byte(model) % model->count, place = place_of(model, index);
    struct text *text = &model->items[index];
    size_t old = listpack_item_bytes(span_of_text(text));

    choose_text(model, text);
    size_t new = listpack_item_bytes(span_of_text(text)), bytes = listpack_bytes(model->lp);
    int64_t number;
    if (new > old) resize(model, bytes - old + new);
    if (num_parse_int64(span_of_text(text), &number) && byte(model) % 2 == 0)
        listpack_replace_int64(model->lp, place, number);
    else listpack_replace(model->lp, place, span_of_text(text));
    check(listpack_bytes(model->lp) == bytes - old + new);
    resize(model, listpack_bytes(model->lp));
}

static void take_out(struct model *model)
{
    size_t index = byte(model) % (model->count + 1), wanted = byte(model) % 8;
    size_t left = model->count - index, count = wanted < left ? wanted : left;
    size_t place = place_of(model, index);

    if (byte(model) % 2 == 0) {
        const uint8_t *begin = listpack_remove_front(model->lp, place, count);
        memmove(model->lp, begin, listpack_bytes(begin));
    } else {
        check(listpack_remove(model->lp, place, wanted) == count);
    }
    memmove(model->items + index, model->items + index + count,
            (left - count) * sizeof *model->items);
    model->count -= count;
    resize(model, listpack_bytes(model->lp));
}

/* Copies a run of items to some place among them. */
static void double_some(struct model *model)
{
    size_t from = byte(model) % (model->count + 1), left = model->count - from;
    size_t count = left == 0 ? 0 : byte(model) % (left + 1);
    size_t to = byte(model) % (model->count + 1);
    if (model->count + count > ITEMS_MAX) return;

    size_t begin = place_of(model, from), bytes = place_of(model, from + count) - begin;
    uint8_t *copy = mem_alloc(bytes);
    struct text *texts = mem_alloc(count * sizeof *texts);
    memcpy(copy, model->lp + begin, bytes);
    memcpy(texts, model->items + from, count * sizeof *texts);
    size_t place = place_of(model, to);
    make_gap(model, to, count);
    memcpy(model->items + to, texts, count * sizeof *texts);
    resize(model, listpack_bytes(model->lp) + bytes);
    listpack_insert_items(model->lp, place, copy, bytes, count);
    mem_free(copy);
    mem_free(texts);
}

static void find(struct model *model)
{
    static const struct hash_secret secret = {5, 6};
    unsigned skip = byte(model) % 3;
    struct text text;
    size_t expected = 0;
    bool distinct = true;

    if (byte(model) % 2 == 0 || model->count == 0) choose_text(model, &text);
    else text = model->items[byte(model) % model->count];
    for (size_t i = 0; i < model->count; i += skip + 1) {
        struct span one = span_of_text(&model->items[i]);
        if (expected == 0 && span_equal(one, span_of_text(&text))) expected = place_of(model, i);
        for (size_t j = 0; j < i; j += skip + 1)
            distinct = distinct && !span_equal(one, span_of_text(&model->items[j]));
    }
    check(listpack_find(model->lp, listpack_first(model->lp), span_of_text(&text), skip) ==
          expected);
    check(listpack_is_distinct(model->lp, skip, &secret) == distinct);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model; /* big: not on the stack */
    model.lp = mem_alloc(LISTPACK_EMPTY_BYTES);
    model.count = 0;
    model.data = data;
    model.end = data + size;
    listpack_init(model.lp);

    while (model.data < model.end) {
        switch (byte(&model) % 8) {
        case 0: replace(&model); break;
        case 1: take_out(&model); break;
        case 2: double_some(&model); break;
        case 3: find(&model); break;
        default: insert(&model);
        }
        expect_model(&model);
    }
    mem_free(model.lp);
    return 0;
}
