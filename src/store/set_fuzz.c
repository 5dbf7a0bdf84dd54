/* Random operations on a set against a toy model: which of 512 texts are in.
 *
 * The first byte chooses set-max-intset-entries, the second which texts there are (integers only, or
 * all kinds), the rest are operations of two bytes. */
#include "base/check.h"
#include "base/mem.h"
#include "store/set.h"

#include <stdio.h>

#define TEXTS 512

struct model {
    struct entry *set;
    struct value_settings settings;
    struct random random;
    bool integers_only;
    bool in[TEXTS];
    size_t count;
    bool seen[TEXTS]; /* by the visits under way */
    size_t visits;
};

/* The text of a number: integers of every width, short words, long ones. */
static struct span text_of(const struct model *model, unsigned n, char room[static 128])
{
    unsigned kind = model->integers_only ? n % 2 : n % 4;
    int64_t number;

    switch (kind) {
    case 0: number = (int64_t)n - TEXTS / 2; break;
    case 1: number = (((int64_t)n + 1000) << (n % 7 * 8)) * (n % 3 == 0 ? -1 : 1); break;
    case 2: return span_of(room, (size_t)snprintf(room, 128, "word %u", n));
    default:
        memset(room, 'x', 128);
        num_format_int64(room, n);
        return span_of(room, n % 16 == 3 ? 100 : 20);
    }
    return span_of(room, num_format_int64(room, number));
}

static unsigned number_of(const struct model *model, struct span text)
{
    char room[128];
    for (unsigned n = 0; n < TEXTS; n++)
        if (span_equal(text_of(model, n, room), text)) return n;
    check(false);
    return 0;
}

static void add(struct model *model, unsigned n)
{
    char room[128];
    bool added;
    model->set = set_add(model->set, text_of(model, n, room), &model->settings, &added);
    check(added == !model->in[n]);
    model->in[n] = true;
    model->count += added;
}

static void take_out(struct model *model, unsigned n)
{
    char room[128];
    bool removed;
    model->set = set_remove(model->set, text_of(model, n, room), &removed);
    check(removed == model->in[n]);
    model->in[n] = false;
    model->count -= removed;
}

static void look_up(struct model *model, unsigned n)
{
    char room[128];
    struct set_member member = set_member_of(text_of(model, n, room));
    check(set_has(model->set, &member) == model->in[n]);
    check(set_has(model->set, &member) == model->in[n]); /* the second time with its hash */
}

static void see(void *context, struct span text)
{
    struct model *model = context;
    unsigned n = number_of(model, text);
    check(model->in[n] && !model->seen[n]);
    model->seen[n] = true;
    model->visits++;
}

static void begin_visits(struct model *model)
{
    memset(model->seen, 0, sizeof model->seen);
    model->visits = 0;
}

static void walk(struct model *model)
{
    struct set_walk walk;
    struct set_member member;
    int64_t number;

    begin_visits(model);
    set_walk_begin(&walk, model->set);
    while (set_walk_next(&walk, &member)) {
        see(model, member.text);
        check(member.is_number == num_parse_int64(member.text, &number));
        check(!member.is_number || member.number == number);
    }
    check(model->visits == model->count);
    begin_visits(model);
    uint64_t cursor = 0;
    do cursor = set_scan(model->set, cursor, see, model);
    while (cursor != 0);
    check(model->visits == model->count);
}

static void choose(struct model *model, size_t count)
{
    char scratch[NUM_INT64_CHARS];
    if (model->count == 0) return;
    check(model->in[number_of(model, set_random(model->set, &model->random, scratch))]);
    begin_visits(model);
    set_sample(model->set, count, &model->random, see, model);
    check(model->visits == (count < model->count ? count : model->count));
}

static void copy(struct model *model)
{
    struct entry *copy = entry_copy(model->set, SPAN("another name"), NO_DEADLINE);
    entry_free(model->set);
    model->set = copy;
}

/* What is written is read back. The form may be another: it follows from the members. */
static void write_and_read(struct model *model)
{
    const struct value_target target = {SPAN("read back"), NO_DEADLINE, &model->settings};
    struct entry *read = NULL;
    struct buf bytes = {0};

    if (model->count == 0) return;
    value_dump(model->set, true, &bytes);
    check(value_restore(buf_span(&bytes), false, &target, &read, NULL) == OK);
    entry_free(model->set);
    model->set = read;
    buf_release(&bytes);
}

static void step(struct model *model, unsigned op, unsigned argument)
{
    const unsigned n = (op >> 4 | argument << 4) % TEXTS;

    switch (op & 15) {
    case 0: walk(model); break;
    case 1: choose(model, argument); break;
    case 2: copy(model); break;
    case 3: write_and_read(model); break;
    case 4: model->set = set_leave_intset(model->set, &model->settings); break;
    case 5:
    case 6: look_up(model, n); break;
    case 7:
    case 8:
        for (unsigned i = 0; i < 32; i++) add(model, (n + i) % TEXTS);
        break;
    case 9:
        for (unsigned i = 0; i < 32; i++) take_out(model, (n + i) % TEXTS);
        break;
    case 10:
    case 11: take_out(model, n); break;
    default: add(model, n);
    }
    check(set_count(model->set) == model->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model; /* big: not on the stack */
    const struct hash_secret secret = {1, 2};

    if (size < 2) return 0;
    model = (struct model){.settings = value_settings_default(secret),
                           .integers_only = data[1] % 2 == 0};
    model.settings.set_max_intset_entries = data[0];
    random_seed(&model.random, 1);
    model.set = set_container.empty(SPAN("key"), &model.settings);
    for (size_t i = 2; i + 1 < size; i += 2) {
        step(&model, data[i], data[i + 1]);
        if (i % 32 == 2) set_check(model.set);
    }
    walk(&model);
    set_check(model.set);
    entry_free(model.set);
    return 0;
}
