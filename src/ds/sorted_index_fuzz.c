/* Random operations on the sorted index against a toy model: a plain array of items in order.
 *
 * The input's first byte chooses how keys are spread (many scores, few, one; long members or short);
 * the rest is a sequence of two-byte operations: items put in, taken out and moved in memory, one at a
 * time and in rising or falling runs; searches by score, by member, by both and by rank. */
#include "base/mem.h"
#include "ds/sorted_index.h"
#include "ds/sorted_index_inside.h"

#define NUMBERS 4096

struct item {
    double score;
    unsigned len;
    char member[12];
};

struct model {
    struct sorted_index index;
    unsigned scores;             /* distinct ones */
    struct item *items[NUMBERS]; /* by number: NULL, not in the index */
    unsigned order[NUMBERS];     /* the numbers that are in, sorted */
    size_t count;
};

static struct sorted_key item_key(const void *pointer)
{
    const struct item *item = pointer;
    return (struct sorted_key){item->score, span_of(item->member, item->len)};
}

/* Numbers are in the order of their keys: the higher digits make the score, the rest the member. */
static struct item key_of_number(const struct model *model, unsigned number)
{
    unsigned members = NUMBERS / model->scores, rest = number % members;
    struct item item = {.score = (double)(number / members) - 7};

    if (rest == 0) item.len = 0;
    else item.len = 2 + rest % 3;
    item.member[0] = (char)(rest >> 8);
    item.member[1] = (char)rest;
    return item;
}

static int compare(const struct item *a, const struct item *b)
{
    if (a->score != b->score) return a->score < b->score ? -1 : 1;
    return span_compare(span_of(a->member, a->len), span_of(b->member, b->len));
}

static size_t rank_of_number(const struct model *model, unsigned number)
{
    size_t low = 0, high = model->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (model->order[middle] < number) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void toggle(struct model *model, unsigned number)
{
    size_t rank = rank_of_number(model, number);

    if (model->items[number] == NULL) {
        struct item *item = mem_alloc(sizeof *item);
        *item = key_of_number(model, number);
        model->items[number] = item;
        memmove(model->order + rank + 1, model->order + rank,
                (model->count - rank) * sizeof *model->order);
        model->order[rank] = number;
        model->count++;
        sorted_index_insert(&model->index, item);
    } else {
        check(sorted_index_rank(&model->index, model->items[number]) == rank);
        if (number % 2) {
            struct sorted_position position;
            sorted_index_at(&model->index, rank, &position);
            check(sorted_position_item(&position) == model->items[number]);
            sorted_index_remove_at(&model->index, &position);
        } else {
            sorted_index_remove(&model->index, model->items[number]);
        }
        mem_free(model->items[number]);
        model->items[number] = NULL;
        model->count--;
        memmove(model->order + rank, model->order + rank + 1,
                (model->count - rank) * sizeof *model->order);
    }
}

static void move(struct model *model, unsigned number)
{
    struct item *old = model->items[number];
    if (old == NULL) return;
    struct item *moved = mem_alloc(sizeof *moved);
    *moved = *old;
    sorted_index_relocate(&model->index, old, moved);
    model->items[number] = moved;
    mem_free(old);
}

static void move_nodes(struct model *model, size_t rank, unsigned leaves)
{
    struct mem_mover mover = {0};
    mem_mover_want_all(&mover);
    while (leaves-- > 0 && rank < model->count)
        rank = sorted_index_relocate_leaf(&model->index, rank, &mover);
}

/* From a position of that rank, some steps in both directions. */
static void walk(const struct model *model, struct sorted_position position, size_t rank)
{
    size_t steps = 30;
    struct sorted_position back = position;

    for (size_t at = rank; steps > 0; at++, steps--) {
        const struct item *item = sorted_position_item(&position);
        check((item == NULL) == (at == model->count));
        if (item == NULL) break;
        check(item == model->items[model->order[at]]);
        sorted_position_next(&position);
    }
    for (size_t at = rank; steps < 60; at--, steps++) {
        check(sorted_position_previous(&back) == (at > 0));
        if (at == 0) break;
        check(sorted_position_item(&back) == model->items[model->order[at - 1]]);
    }
}

static void seek(struct model *model, unsigned number, unsigned how)
{
    struct item key = key_of_number(model, number);
    struct sorted_bound bound = {(enum sorted_by)(how % 4), how & 4, key.score,
                                 span_of(key.member, key.len)};
    struct sorted_position position;
    size_t expected = 0;

    if (bound.by == SORTED_BY_MEMBER && model->scores > 1) bound.by = SORTED_BY_BOTH;
    for (; expected < model->count; expected++) {
        const struct item *item = model->items[model->order[expected]];
        int order = compare(item, &key);
        if (bound.by == SORTED_BY_NOTHING) continue;
        if (bound.by == SORTED_BY_SCORE)
            order = (item->score > key.score) - (item->score < key.score);
        if (bound.behind_equal ? order > 0 : order >= 0) break;
    }
    size_t rank = sorted_index_seek(&model->index, &bound, &position);
    check(rank == expected);
    walk(model, position, rank);
}

static void run(struct model *model, unsigned first, unsigned length, bool insert, bool down)
{
    for (unsigned i = 0; i < length; i++) {
        unsigned number = (first * 16 + (down ? length - 1 - i : i)) % NUMBERS;
        if ((model->items[number] == NULL) == insert) toggle(model, number);
    }
}

static void step(struct model *model, unsigned op, unsigned argument)
{
    unsigned number = (op >> 4 | argument << 4) % NUMBERS;
    struct sorted_position position;

    switch (op & 15) {
    case 0:
    case 1:
    case 2: seek(model, number, argument); break;
    case 3:
        sorted_index_at(&model->index, number, &position);
        walk(model, position, number < model->count ? number : model->count);
        break;
    case 4: move_nodes(model, op & 32 ? 0 : number, argument % 16); break;
    case 5: move(model, number); break;
    case 6:
    case 7:
    case 8: run(model, argument, 16u << (op >> 5), true, op & 16); break;
    case 9:
    case 10: run(model, argument, 16u << (op >> 5), false, op & 16); break;
    case 11: /* as a queue: from the front, or from behind */
        for (unsigned i = 0; i < argument && model->count > 0; i++)
            toggle(model, model->order[op & 16 ? 0 : model->count - 1]);
        break;
    default: toggle(model, number);
    }
    check(model->index.count == model->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model; /* big: not on the stack */
    static const unsigned scores[] = {1, 2, 64, NUMBERS};

    model = (struct model){0};
    if (size == 0) return 0;
    model.scores = scores[data[0] % 4];
    sorted_index_init(&model.index, item_key);
    for (size_t i = 1; i + 1 < size; i += 2) {
        step(&model, data[i], data[i + 1]);
        if (i % 16 == 1) sorted_index_check(&model.index);
    }
    sorted_index_check(&model.index);
    struct sorted_position position;
    sorted_index_at(&model.index, 0, &position);
    for (size_t rank = 0; rank < model.count; rank++, sorted_position_next(&position))
        check(sorted_position_item(&position) == model.items[model.order[rank]]);
    check(sorted_position_item(&position) == NULL);
    sorted_index_release(&model.index);
    for (unsigned n = 0; n < NUMBERS; n++) mem_free(model.items[n]);
    return 0;
}
