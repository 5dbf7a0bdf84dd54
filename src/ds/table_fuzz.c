/* Random operations on the table against a toy model: an array that says which numbers are in.
 *
 * The input's first byte chooses how hashes are made (well spread; few distinct low bits, so that
 * chains grow long; few distinct hashes at all); the rest is a sequence of two-byte operations. A
 * scan is always under way: whatever was in the table from its first step to its last must have
 * been seen, with inserts, removals, splits and merges between any two steps. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/table.h"

#define NUMBERS 4096

struct item {
    uint64_t hash;
    uint32_t number;
};

struct model {
    struct table *table;
    struct random random;
    unsigned hashing;
    struct item *items[NUMBERS]; /* NULL: not in the table */
    size_t count;
    /* The scan. */
    bool stayed[NUMBERS]; /* in the table since the scan's first step */
    bool seen[NUMBERS];
    uint64_t cursor;
    /* What the hooks said. */
    size_t buckets;
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * 0x7fb5d329728ea185;
    x = (x ^ x >> 27) * 0x81dadef4bc2dd44d;
    return x ^ x >> 33;
}

static uint64_t number_hash(const struct model *model, uint32_t number)
{
    uint64_t hash = mix(number + 1);
    switch (model->hashing) {
    case 0: return hash & 0x0f00000000000007;
    case 1: return hash & 0xff000000000000ff;
    case 2: return hash & ~(uint64_t)0x1f;
    default: return hash;
    }
}

static uint64_t item_hash(const void *context, const void *item)
{
    (void)context;
    return ((const struct item *)item)->hash;
}

static bool item_matches(const void *context, const void *item, const void *key)
{
    (void)context;
    return ((const struct item *)item)->number == *(const uint32_t *)key;
}

static void on_split(void *context, size_t from, size_t to)
{
    struct model *model = context;
    check(to == model->buckets && from < to);
    model->buckets++;
}

static void on_merge(void *context, size_t from, size_t to)
{
    struct model *model = context;
    model->buckets--;
    check(from == model->buckets && to < from);
}

static void toggle(struct model *model, uint32_t number)
{
    uint64_t hash = number_hash(model, number);
    struct table_place place = table_locate(model->table, hash, &number);

    if (model->items[number] == NULL) {
        check(place.bucket == NULL);
        struct item *item = mem_alloc(sizeof *item);
        *item = (struct item){hash, number};
        model->items[number] = item;
        model->count++;
        table_insert(model->table, hash, item);
    } else {
        check(place.bucket != NULL && table_at(place) == model->items[number]);
        table_remove(model->table, place);
        mem_free(model->items[number]);
        model->items[number] = NULL;
        model->stayed[number] = false;
        model->count--;
    }
}

static void see(void *context, void *item)
{
    struct model *model = context;
    uint32_t number = ((struct item *)item)->number;
    check(model->items[number] == item);
    model->seen[number] = true;
}

static void scan_step(struct model *model)
{
    if (model->cursor == 0)
        for (size_t i = 0; i < NUMBERS; i++) {
            model->stayed[i] = model->items[i] != NULL;
            model->seen[i] = false;
        }
    model->cursor = table_scan(model->table, model->cursor, see, model);
    check(model->cursor >> 48 == 0);
    if (model->cursor == 0)
        for (size_t i = 0; i < NUMBERS; i++) check(model->seen[i] || !model->stayed[i]);
}

static void *move_item(void *context, void *item)
{
    struct model *model = context;
    struct item *copy = mem_alloc(sizeof *copy);
    *copy = *(struct item *)item;
    model->items[copy->number] = copy;
    mem_free(item);
    return copy;
}

static void replace(struct model *model, uint32_t number)
{
    struct table_place place = table_locate(model->table, number_hash(model, number), &number);
    if (place.bucket != NULL) table_replace(place, move_item(model, table_at(place)));
}

static void draw(struct model *model)
{
    struct item *item = table_random(model->table, &model->random);
    check((item == NULL) == (model->count == 0));
    check(item == NULL || model->items[item->number] == item);
}

/* Runs of neighbours make the table grow or shrink a lot with little input. */
static void run(struct model *model, uint32_t first, unsigned length, bool insert)
{
    for (unsigned i = 0; i < length; i++) {
        uint32_t number = (first * 16 + i) % NUMBERS;
        if ((model->items[number] == NULL) == insert) toggle(model, number);
    }
}

static void relocate_own(struct model *model, unsigned argument)
{
    struct mem_mover mover;
    mem_mover_want_all(&mover);
    table_relocate_buckets(model->table, argument % table_buckets(model->table), &mover);
    if (argument % 8 == 0) model->table = table_relocate_self(model->table, &mover);
}

static void step(struct model *model, unsigned op, unsigned argument)
{
    switch (op & 15) {
    case 0:
    case 1:
    case 2: scan_step(model); break;
    case 3: draw(model); break;
    case 4: table_prefetch_bucket(model->table, mix(argument)); break;
    case 5: table_prefetch_items(model->table, mix(argument)); break;
    case 6:
        table_relocate(model->table, argument % table_buckets(model->table), move_item, model);
        relocate_own(model, argument);
        break;
    case 7: replace(model, (op >> 4 | argument << 4) % NUMBERS); break;
    case 8:
    case 9: run(model, argument, 16u << (op >> 5), true); break;
    case 10:
    case 11: run(model, argument, 16u << (op >> 5), false); break;
    default: toggle(model, (op >> 4 | argument << 4) % NUMBERS);
    }
    check(table_count(model->table) == model->count);
    check(table_buckets(model->table) == model->buckets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model; /* big: not on the stack */
    model = (struct model){.buckets = 1};
    struct table_hooks hooks = {item_hash, item_matches, on_split, on_merge, &model};
    if (size == 0) return 0;
    model.hashing = data[0];
    model.table = table_new(&hooks);
    random_seed(&model.random, 1);

    for (size_t i = 1; i + 1 < size; i += 2) {
        step(&model, data[i], data[i + 1]);
        if (i % 64 == 1) table_check(model.table);
    }
    for (uint32_t n = 0; n < NUMBERS; n++)
        check(table_find(model.table, number_hash(&model, n), &n) == model.items[n]);
    do scan_step(&model);
    while (model.cursor != 0);
    table_check(model.table);
    table_free(model.table, mem_free);
    return 0;
}
