/* Random operations on a string table against a toy model: an array that says which texts are in, with
 * which tails. The input's first byte chooses the kind of tail. A scan is always under way: what is in
 * the table from its first step to its last must have been seen. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/string_table.h"

enum { TEXTS = 300, TAIL_MAX = 600 };

struct slot {
    bool is_in;
    size_t tail_len;
    uint8_t tail_byte;              /* the tail is so many of this byte */
    bool stayed, seen;              /* in since the scan's first step; visited by the scan */
    const struct string_item *item; /* where it stands; fixed tails never move */
};

struct model {
    struct string_table tables[2], *strings; /* one of the two */
    struct slot slots[TEXTS];
    size_t count, data_bytes;
    uint64_t cursor;
    struct random random;
    const uint8_t *data, *end; /* the fuzzer's bytes */
};

static unsigned byte(struct model *model)
{
    return model->data < model->end ? *model->data++ : 0;
}

static size_t choose(struct model *model)
{
    size_t high = byte(model);
    return (high << 8 | byte(model)) % TEXTS;
}

/* Texts of lengths up to 300, no two alike: the number, then filled up. */
static struct span text_of(size_t number, char out[static 320])
{
    size_t len = number % 7 == 0 ? 250 + number % 11 : 2 + number % 40;
    memset(out, 'x', len);
    out[0] = (char)number;
    out[1] = (char)(number >> 8);
    return span_of(out, len);
}

static size_t number_of(const struct string_item *item)
{
    struct span text = string_item_text(item);
    return (uint8_t)text.ptr[0] | (size_t)(uint8_t)text.ptr[1] << 8;
}

static struct span choose_tail(struct model *model, struct slot *slot, char out[static TAIL_MAX])
{
    static const size_t lengths[] = {0, 1, 8, 16, 100, 253, 254, 255, 400};
    size_t fixed = model->strings->tail_bytes;

    slot->tail_len = fixed != STRING_TAIL_VARIES
                         ? fixed
                         : lengths[byte(model) % (sizeof lengths / sizeof *lengths)];
    slot->tail_byte = (uint8_t)byte(model);
    memset(out, slot->tail_byte, slot->tail_len);
    return span_of(out, slot->tail_len);
}

static void expect_slot(const struct model *model, size_t number)
{
    const struct slot *slot = &model->slots[number];
    char text[320];
    const struct string_item *item = string_table_find(model->strings, text_of(number, text));

    check((item != NULL) == slot->is_in);
    if (item == NULL) return;
    struct span tail = string_table_tail(model->strings, item);
    check(item == slot->item && tail.len == slot->tail_len);
    for (size_t i = 0; i < tail.len; i++) check((uint8_t)tail.ptr[i] == slot->tail_byte);
}

/* ---- operations --------------------------------------------------------------------------------- */

static void forget(struct model *model, size_t number)
{
    struct slot *slot = &model->slots[number];
    char text[320];
    model->data_bytes -= text_of(number, text).len + slot->tail_len;
    model->count--;
    *slot = (struct slot){0};
}

static void note(struct model *model, size_t number, const struct string_item *item)
{
    char text[320];
    struct slot *slot = &model->slots[number];
    slot->is_in = true;
    slot->item = item;
    model->data_bytes += text_of(number, text).len + slot->tail_len;
    model->count++;
}

static void put(struct model *model, size_t number)
{
    struct slot *slot = &model->slots[number], old = *slot;
    char text[320], tail[TAIL_MAX];
    bool added = false;

    if (old.is_in) forget(model, number);
    slot->stayed = old.stayed;
    slot->seen = old.seen;
    struct span bytes = choose_tail(model, slot, tail);
    const struct string_item *item =
        string_table_put(model->strings, text_of(number, text), bytes, &added);
    check(added == !old.is_in);
    if (old.is_in && model->strings->tail_bytes != STRING_TAIL_VARIES) check(item == old.item);
    note(model, number, item);
}

static void add(struct model *model, size_t number)
{
    struct slot fresh = {0};
    char text[320], tail[TAIL_MAX];
    struct span bytes = choose_tail(model, &fresh, tail);
    const struct string_item *item = string_table_add(model->strings, text_of(number, text), bytes);

    check((item == NULL) == model->slots[number].is_in);
    if (item == NULL) return;
    model->slots[number] = fresh;
    note(model, number, item);
}

static void take_out(struct model *model, size_t number, bool by_own_text)
{
    const struct slot *slot = &model->slots[number];
    char text[320];

    if (by_own_text && slot->is_in) {
        check(string_table_remove(model->strings, string_item_text(slot->item)));
        forget(model, number);
        return;
    }
    struct string_item *item = string_table_take(model->strings, text_of(number, text));
    check((item != NULL) == slot->is_in);
    if (item == NULL) return;
    check(number_of(item) == number);
    string_table_free_item(model->strings, item);
    forget(model, number);
}

static void see(void *context, const struct string_item *item)
{
    struct model *model = context;
    check(model->slots[number_of(item)].item == item);
    model->slots[number_of(item)].seen = true;
}

static void scan_step(struct model *model)
{
    if (model->cursor == 0)
        for (size_t i = 0; i < TEXTS; i++) {
            model->slots[i].stayed = model->slots[i].is_in;
            model->slots[i].seen = false;
        }
    model->cursor = string_table_scan(model->strings, model->cursor, see, model);
    if (model->cursor == 0)
        for (size_t i = 0; i < TEXTS; i++) check(model->slots[i].seen || !model->slots[i].stayed);
}

static void moved(void *context, const struct string_item *from, struct string_item *to)
{
    struct model *model = context;
    check(number_of(from) == number_of(to) && model->slots[number_of(to)].item == from);
    model->slots[number_of(to)].item = to;
}

static void relocate(struct model *model)
{
    struct mem_mover mover;
    const struct string_relocation how = {&mover, moved, model};
    unsigned what = byte(model);
    uint64_t bucket = byte(model) % table_buckets(model->strings->table);
    mem_mover_want_all(&mover);
    for (size_t class = 0; class < 256; class += 8)
        mover.wanted[class / 8] = what & 1u << class / 32;
    string_table_relocate_part(model->strings, &bucket, &how);
}

/* The model goes on with a copy. */
static void copy(struct model *model)
{
    struct string_table *old = model->strings;
    struct table_place place = {0};
    const struct string_item *item;

    model->strings = old == &model->tables[0] ? &model->tables[1] : &model->tables[0];
    string_table_copy(old, model->strings);
    string_table_release(old);
    while ((item = string_table_next(model->strings, &place)) != NULL)
        model->slots[number_of(item)].item = item;
    model->cursor = 0; /* equal hashes, but another number of buckets: the scan is not the same */
}

static void draw(void *context, const struct string_item *item)
{
    struct model *model = context;
    check(model->slots[number_of(item)].item == item);
}

static void step(struct model *model)
{
    switch (byte(model) % 12) {
    case 0: scan_step(model); break;
    case 1: relocate(model); break;
    case 2: copy(model); break;
    case 3:
        string_table_sample(model->strings, choose(model) % (model->count + 1), &model->random,
                            draw, model);
        break;
    case 4:
        for (size_t first = choose(model), i = 0; i < 40; i++) put(model, (first + i) % TEXTS);
        break;
    case 5:
        for (size_t first = choose(model), i = 0; i < 40; i++)
            take_out(model, (first + i) % TEXTS, false);
        break;
    case 6: take_out(model, choose(model), true); break;
    case 7: take_out(model, choose(model), false); break;
    case 8: add(model, choose(model)); break;
    default: put(model, choose(model));
    }
    check(string_table_count(model->strings) == model->count);
    check(string_table_data_bytes(model->strings) == model->data_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t tails[] = {0, 8, STRING_TAIL_VARIES};
    static const struct hash_secret secret = {7, 8};
    static struct model model; /* big: not on the stack; and the table must not move */
    if (size == 0) return 0;
    memset(&model, 0, sizeof model);
    model.data = data + 1;
    model.end = data + size;
    random_seed(&model.random, 1);
    model.strings = &model.tables[0];
    string_table_init(model.strings, &secret, tails[data[0] % 3]);

    for (unsigned steps = 0; model.data < model.end; steps++) {
        step(&model);
        if (steps % 32 == 0) string_table_check(model.strings);
    }
    string_table_check(model.strings);
    for (size_t i = 0; i < TEXTS; i++) expect_slot(&model, i);
    do scan_step(&model);
    while (model.cursor != 0);
    string_table_release(model.strings);
    return 0;
}
