/* Random operations on the ordered map of ids against a toy model: an array that says which ids are in.
 *
 * The input's first byte chooses how numbers become ids: in order, or with the bytes of each number
 * turned around, so that neighbours lie far apart. Two-byte operations follow. */
#include "base/check.h"
#include "ds/id_map.h"

#define NUMBERS 16384

struct model {
    struct id_map map;
    bool turned;
    bool in[NUMBERS];
    size_t count;
    uint32_t head, tail; /* of a queue that runs through the numbers */
};

static struct stream_id id_of(const struct model *model, uint32_t number)
{
    uint32_t n = model->turned ? (number & 127) << 7 | number >> 7 : number;
    return (struct stream_id){n / 3, n % 3 == 2 ? UINT64_MAX : n % 3};
}

static void *value_of(uint32_t number)
{
    return (void *)(uintptr_t)(number + 1);
}

static void set(struct model *model, uint32_t number, bool in)
{
    struct stream_id id = id_of(model, number);
    if (in) {
        check(id_map_insert(&model->map, id, value_of(number)) != model->in[number]);
        model->count += !model->in[number];
    } else {
        void *value = id_map_remove(&model->map, id);
        check(value == (model->in[number] ? value_of(number) : NULL));
        model->count -= model->in[number];
    }
    model->in[number] = in;
}

/* Runs of neighbours make the map grow or shrink a lot with little input. */
static void run(struct model *model, uint32_t first, uint32_t length, bool in)
{
    for (uint32_t i = 0; i < length; i++) set(model, (first + i) % NUMBERS, in);
}

static void seek(const struct model *model, uint32_t number)
{
    struct stream_id id = id_of(model, number);
    struct id_cursor after = id_map_at_or_after(&model->map, id);
    struct id_cursor before = id_map_at_or_before(&model->map, id);

    check(id_map_find(&model->map, id) == (model->in[number] ? value_of(number) : NULL));
    if (model->in[number]) {
        check(after.item == before.item && stream_id_equal(after.item->id, id));
        return;
    }
    if (after.item != NULL) {
        check(stream_id_less(id, after.item->id));
        id_cursor_previous(&after);
        check(after.item == before.item);
    } else {
        check(before.item == id_map_last(&model->map).item);
    }
    if (before.item != NULL) check(stream_id_less(before.item->id, id));
    else if (model->count > 0)
        check(id_map_at_or_after(&model->map, id).item == id_map_first(&model->map).item);
}

static void queue(struct model *model, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        set(model, model->tail++ % NUMBERS, true);
        if (i % 3 == 0) set(model, model->head++ % NUMBERS, false);
    }
}

static void *same_value(void *context, struct stream_id id, void *value)
{
    struct model *model = context;
    check(id_map_find(&model->map, id) == value);
    return value;
}

/* Moves pages, from the one of this number on. */
static void relocate(struct model *model, uint32_t number, unsigned leaves)
{
    struct mem_mover mover = {0};
    struct stream_id id = id_of(model, number);
    mem_mover_want_all(&mover);
    while (leaves-- > 0 && id_map_relocate(&model->map, &id, &mover, same_value, model)) continue;
}

static void step(struct model *model, unsigned op, unsigned argument)
{
    uint32_t number = (op >> 4 | argument << 4) * 4 % NUMBERS;

    switch (op & 15) {
    case 0:
    case 1: seek(model, number); break;
    case 2:
    case 3:
    case 4: run(model, number, 100, true); break;
    case 5:
    case 6: run(model, number, 100, false); break;
    case 7: run(model, number, 1500, op & 16); break;
    case 8: queue(model, argument); break;
    case 9:
        relocate(model, number, argument % 8);
        if (model->in[number]) id_map_replace(&model->map, id_of(model, number), value_of(number));
        break;
    default: set(model, number + op % 3, op & 32); break;
    }
    check(model->map.count == model->count);
}

static void check_all(const struct model *model)
{
    size_t seen = 0;
    struct stream_id last = {0};
    for (struct id_cursor c = id_map_first(&model->map); c.item != NULL; id_cursor_next(&c)) {
        check(seen++ == 0 || stream_id_less(last, c.item->id));
        last = c.item->id;
    }
    check(seen == model->count);
    for (uint32_t n = 0; n < NUMBERS; n++) seek(model, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model; /* big: not on the stack */
    model = (struct model){0};
    if (size == 0) return 0;
    model.turned = data[0] & 1;

    for (size_t i = 1; i + 1 < size; i += 2) {
        step(&model, data[i], data[i + 1]);
        if (i % 16 == 1) id_map_check(&model.map);
    }
    id_map_check(&model.map);
    check_all(&model);
    id_map_release(&model.map);
    return 0;
}
