/* Random changes of a sorted set against a toy model: an array of scores by member number. Thresholds
 * are low, so that inputs pass from the small form to the big one. After every change the whole is
 * checked, compared, and now and then copied, written as RDB and read back. */
#include "base/check.h"
#include "base/mem.h"
#include "store/zset.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MEMBERS 256

struct model {
    struct entry *e;
    struct value_settings settings;
    double scores[MEMBERS];  /* NaN: not in */
    unsigned order[MEMBERS]; /* member numbers in order, after sort() */
    size_t count;
};

static struct span name_of(unsigned number, char name[static 16])
{
    int len = number % 3 == 0 ? snprintf(name, 16, "%u", number)
                              : snprintf(name, 16, "%.*s%u", (int)(number % 7), "membe", number);
    return span_of(name, (size_t)len);
}

static double score_of(unsigned choice)
{
    static const double special[] = {INFINITY, -INFINITY, 0.1, -1e-7, 1e19, 4611686018427387904.0,
                                     1e300,    0,         -0.0};
    if (choice % 4 == 0) return special[choice / 4 % (sizeof special / sizeof *special)];
    return (double)(choice % 32) - 16;
}

static void sort(struct model *model)
{
    model->count = 0;
    for (unsigned n = 0; n < MEMBERS; n++) {
        if (isnan(model->scores[n])) continue;
        char name[16], other[16];
        size_t at = model->count++;
        struct span text = name_of(n, name);
        for (; at > 0; at--) {
            unsigned before = model->order[at - 1];
            double score = model->scores[before];
            if (score < model->scores[n]) break;
            if (score == model->scores[n] && span_compare(name_of(before, other), text) < 0) break;
            model->order[at] = before;
        }
        model->order[at] = n;
    }
}

static void expect_slice(const struct model *model, const struct entry *e, struct zset_slice slice)
{
    struct zset_walk walk;
    struct sorted_key key;
    char name[16];

    check(slice.first + slice.count <= model->count || slice.count == 0);
    zset_walk_begin(&walk, e, slice);
    for (size_t i = 0; i < slice.count; i++) {
        size_t rank = slice.first + (slice.reverse ? slice.count - 1 - i : i);
        check(zset_walk_next(&walk, &key));
        check(key.score == model->scores[model->order[rank]]);
        check(span_equal(key.member, name_of(model->order[rank], name)));
    }
    check(!zset_walk_next(&walk, &key));
}

static void add(struct model *model, unsigned number, unsigned choice)
{
    struct zset_outcome outcome;
    char name[16];
    unsigned conditions = choice >> 3 & 31;
    double score = score_of(choice), *old = &model->scores[number];
    double wanted = conditions & ZSET_INCREMENT && !isnan(*old) ? *old + score : score;
    bool refused = isnan(*old) ? conditions & ZSET_IF_PRESENT : conditions & ZSET_IF_ABSENT;

    if (!isnan(*old)) {
        if ((conditions & ZSET_IF_GREATER) && wanted <= *old) refused = true;
        if ((conditions & ZSET_IF_LESS) && wanted >= *old) refused = true;
    }
    model->e =
        zset_add(model->e, name_of(number, name), score, conditions, &model->settings, &outcome);
    if (refused) {
        check(outcome.what == ZSET_REFUSED);
    } else if (isnan(wanted)) {
        check(outcome.what == ZSET_NOT_A_NUMBER);
    } else {
        check(outcome.score == wanted);
        check((outcome.what == ZSET_ADDED) == isnan(*old));
        check((outcome.what == ZSET_UNCHANGED) == (*old == wanted));
        *old = wanted;
    }
}

static void remove_member(struct model *model, unsigned number)
{
    char name[16];
    bool removed;

    model->e = zset_remove(model->e, name_of(number, name), &removed);
    check(removed == !isnan(model->scores[number]));
    model->scores[number] = NAN;
}

static void remove_ranks(struct model *model, unsigned choice)
{
    struct zset_range range = {.kind = ZSET_BY_RANK,
                               .start = (int64_t)(choice & 15) - 8,
                               .stop = (int64_t)(choice >> 4 & 15) - 8};
    struct zset_slice slice = zset_select(model->e, &range, choice & 256);

    expect_slice(model, model->e, slice);
    model->e = zset_remove_ranks(model->e, slice.first, slice.count);
    for (size_t i = 0; i < slice.count; i++) model->scores[model->order[slice.first + i]] = NAN;
}

static void select_scores(const struct model *model, unsigned low, unsigned high, unsigned how)
{
    struct zset_range range = {
        .kind = ZSET_BY_SCORE,
        .low = {.by = SORTED_BY_SCORE, .behind_equal = how & 1, .score = score_of(low)},
        .high = {.by = SORTED_BY_SCORE, .behind_equal = how & 2, .score = score_of(high)}};
    size_t first = 0, behind = 0;

    for (size_t i = 0; i < model->count; i++) {
        struct sorted_key key = {model->scores[model->order[i]], SPAN("")};
        first += sorted_key_is_before(&key, &range.low);
        behind += sorted_key_is_before(&key, &range.high);
    }
    struct zset_slice slice = zset_select(model->e, &range, how & 4);
    check(slice.count == (behind > first ? behind - first : 0));
    check(slice.count == 0 || slice.first == first);
    expect_slice(model, model->e, slice);
    zset_slice_limit(&slice, (int64_t)(how >> 3 & 3) - 1, (int64_t)(how >> 5) - 1);
    expect_slice(model, model->e, slice);
}

static void compare(const struct model *model, const struct entry *e)
{
    zset_check(e);
    check(zset_count(e) == model->count);
    expect_slice(model, e, (struct zset_slice){0, model->count, true});
}

static void look_up(const struct model *model)
{
    for (unsigned n = 0; n < MEMBERS; n++) {
        char name[16];
        double score;
        size_t rank;
        bool is_in = !isnan(model->scores[n]);
        check(zset_score(model->e, name_of(n, name), &score) == is_in);
        check(!is_in || score == model->scores[n]);
        check(zset_rank(model->e, name_of(n, name), &rank) == is_in);
        check(!is_in || model->order[rank] == n);
    }
}

static void read_back(const struct model *model)
{
    struct value_target target = {SPAN("other"), NO_DEADLINE, &model->settings};
    struct buf payload = {0};
    struct entry *e = NULL;

    value_dump(model->e, true, &payload);
    check(value_restore(buf_span(&payload), false, &target, &e, NULL) ==
          (model->count == 0 ? ERR_BAD_DATA : OK));
    buf_release(&payload);
    if (e == NULL) return;
    compare(model, e);
    entry_free(e);
}

static void copy(struct model *model)
{
    struct entry *e = entry_copy(model->e, SPAN("key"), NO_DEADLINE);
    entry_free(model->e);
    model->e = e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model;

    if (size < 2) return 0;
    model = (struct model){.settings = value_settings_default((struct hash_secret){1, 2})};
    model.settings.zset_max_listpack_entries = data[0] % 64;
    model.settings.zset_max_listpack_value = 2 + data[1] % 8;
    for (unsigned n = 0; n < MEMBERS; n++) model.scores[n] = NAN;
    model.e = zset_container.empty(SPAN("key"), &model.settings);
    for (size_t i = 2; i + 3 < size; i += 4) {
        unsigned number = data[i + 1], choice = data[i + 2] | (unsigned)data[i + 3] << 8;
        switch (data[i] & 15) {
        case 0: remove_member(&model, number); break;
        case 1: remove_ranks(&model, choice); break;
        case 2: select_scores(&model, data[i + 1], data[i + 2], data[i + 3]); break;
        case 3: look_up(&model); break;
        case 4: read_back(&model); break;
        case 5: copy(&model); break;
        default: add(&model, number, choice); break;
        }
        sort(&model);
        compare(&model, model.e);
    }
    entry_free(model.e);
    return 0;
}
