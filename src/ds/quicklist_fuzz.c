/* Random operations on a quicklist against a toy model: an array of the numbers that its elements stand
 * for. The input's first bytes choose the rules, the rest is a sequence of three-byte operations.
 * Equal numbers are equal texts, so that removing by value finds several. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/quicklist.h"

#include <stdio.h>

enum { ITEMS_MAX = 4096, TEXT_MAX = 1200 };

struct model {
    struct quicklist list;
    uint8_t items[ITEMS_MAX];
    size_t count;
};

/* Integers of all widths, the empty string, texts that pack well and some that are plain. */
static struct span text_of(uint8_t number, char text[static TEXT_MAX])
{
    size_t len = 0;
    if (number < 64) {
        len = (size_t)snprintf(text, TEXT_MAX, "%s%lld", number % 2 == 0 ? "-" : "",
                               number < 2 ? number + 1ll : 1ll << (number - 2));
    } else if (number > 64) {
        len = number < 200 ? number % 12 : (number - 199u) * 20;
        memset(text, 'a' + number % 26, len);
    }
    return span_of(text, len);
}

/* ---- the model ---------------------------------------------------------------------------------- */

static void put(struct model *model, size_t index, uint8_t number)
{
    memmove(model->items + index + 1, model->items + index, model->count - index);
    model->items[index] = number;
    model->count++;
}

static void take(struct model *model, size_t index, size_t count)
{
    memmove(model->items + index, model->items + index + count, model->count - index - count);
    model->count -= count;
}

static bool is_same(uint8_t a, uint8_t b)
{
    char one[TEXT_MAX], other[TEXT_MAX];
    return span_equal(text_of(a, one), text_of(b, other));
}

static uint64_t take_equal(struct model *model, bool forward, uint8_t number, uint64_t limit)
{
    uint64_t taken = 0;
    for (size_t i = 0; i < model->count && taken < limit;) {
        size_t index = forward ? i : model->count - 1 - i;
        if (is_same(model->items[index], number)) {
            take(model, index, 1);
            taken++;
        } else {
            i++;
        }
    }
    return taken;
}

/* ---- comparing ---------------------------------------------------------------------------------- */

static void expect(const struct quicklist_walk *walk, uint8_t number)
{
    char scratch[NUM_INT64_CHARS], text[TEXT_MAX];
    check(span_equal(quicklist_walk_text(walk, scratch), text_of(number, text)));
}

static void compare(const struct model *model, const struct quicklist *list)
{
    struct quicklist_walk walk;
    size_t i = 0;

    check(list->items == model->count && quicklist_check(list));
    for (bool more = quicklist_walk_open(&walk, list, 0); more; more = quicklist_walk_next(&walk))
        expect(&walk, model->items[i++]);
    quicklist_walk_close(&walk);
    check(i == model->count);
    for (bool more = quicklist_walk_open(&walk, list, -1); more;
         more = quicklist_walk_previous(&walk))
        expect(&walk, model->items[--i]);
    quicklist_walk_close(&walk);
    check(i == 0);
}

static void compare_copy(const struct model *model)
{
    struct quicklist copy;
    quicklist_copy(&model->list, &copy);
    compare(model, &copy);
    quicklist_release(&copy);
}

/* ---- operations --------------------------------------------------------------------------------- */

static struct quicklist_place place_of(const struct model *model, size_t index)
{
    struct quicklist_walk walk;
    check(quicklist_walk_open(&walk, &model->list,
                              (int64_t)index - (index % 2 == 0 ? 0 : (int64_t)model->count)));
    expect(&walk, model->items[index]);
    quicklist_walk_close(&walk);
    return walk.at;
}

static void push(struct model *model, uint8_t number, bool head)
{
    char text[TEXT_MAX];
    if (model->count == ITEMS_MAX) return;
    quicklist_push(&model->list, head ? QUICKLIST_HEAD : QUICKLIST_TAIL, text_of(number, text));
    put(model, head ? 0 : model->count, number);
}

static void find(const struct model *model, uint8_t number, size_t from)
{
    char text[TEXT_MAX];
    struct quicklist_walk walk;
    size_t i = from;

    while (i < model->count && !is_same(model->items[i], number)) i++;
    check(quicklist_walk_open(&walk, &model->list, (int64_t)from));
    check(quicklist_walk_find(&walk, text_of(number, text)) == (i < model->count));
    if (i < model->count) expect(&walk, model->items[i]);
    quicklist_walk_close(&walk);
}

static void trim(struct model *model, size_t head, size_t tail, bool keep)
{
    struct quicklist cut = {.rules = quicklist_rules(1, 0, 0)};
    quicklist_trim(&model->list, head, tail, keep ? &cut : NULL);
    check(quicklist_check(&cut) && cut.items <= head + tail);
    quicklist_release(&cut);
    take(model, 0, head);
    take(model, model->count - tail, tail);
}

/* `op` chooses what is done, `where` an index, `number` an element. */
static void step(struct model *model, unsigned op, unsigned where, uint8_t number)
{
    char text[TEXT_MAX];
    size_t index = model->count > 0 ? (where | op >> 4 << 8) % model->count : 0;

    switch (model->count == 0 ? 0 : op & 15) {
    case 0:
    case 1: push(model, number, op & 1); break;
    case 2:
    case 3:
        for (unsigned i = 0; i < where; i++) push(model, (uint8_t)(number + i / 4), op & 1);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        if (model->count == ITEMS_MAX) break;
        quicklist_insert(&model->list, place_of(model, index), op & 1, text_of(number, text));
        put(model, index + (op & 1), number);
        break;
    case 8:
    case 9:
        quicklist_replace(&model->list, place_of(model, index), text_of(number, text));
        model->items[index] = number;
        break;
    case 10:
    case 11: {
        uint64_t limit = where % 8 == 0 ? UINT64_MAX : where % 8;
        enum quicklist_end end = op & 1 ? QUICKLIST_TAIL : QUICKLIST_HEAD;
        check(quicklist_remove(&model->list, end, text_of(number, text), limit) ==
              take_equal(model, end == QUICKLIST_HEAD, number, limit));
        break;
    }
    case 12: {
        struct mem_mover mover = {0};
        mem_mover_want_all(&mover);
        check(quicklist_relocate(&model->list, index, &mover) > index);
        find(model, number, index);
        break;
    }
    case 13: trim(model, index % 8, 0, false); break;
    case 14: trim(model, 0, index % 8, true); break;
    default: trim(model, index / 2, number % (model->count - index / 2), true); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t plain[] = {0, 1, 5, 600};
    static struct model model; /* big: not on the stack */

    if (size < 2) return 0;
    model.count = 0;
    model.list = (struct quicklist){
        .rules = quicklist_rules((int8_t)data[0] % 8, data[1] % 4, plain[data[1] >> 6])};
    for (size_t i = 2; i + 2 < size; i += 3) {
        step(&model, data[i], data[i + 1], data[i + 2]);
        if (i % 32 == 2) compare(&model, &model.list);
    }
    compare(&model, &model.list);
    compare_copy(&model);
    quicklist_release(&model.list);
    return 0;
}
