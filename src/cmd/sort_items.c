#include "cmd/sort_items.h"

#include "base/mem.h"
#include "store/list.h"
#include "store/set.h"
#include "store/zset.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* ---- collecting --------------------------------------------------------------------------------- */

static struct sort_text keep(struct sort_items *items, struct span text)
{
    const struct sort_text kept = {items->bytes.len, text.len};
    buf_append_span(&items->bytes, text);
    buf_append_char(&items->bytes, 0);
    return kept;
}

static void collect(struct sort_items *items, struct span text)
{
    if (items->count == items->capacity) {
        items->capacity += items->capacity / 2 + 16;
        items->items = mem_realloc(items->items, items->capacity * sizeof *items->items);
    }
    items->items[items->count] =
        (struct sort_item){.text = keep(items, text), .place = items->count};
    items->count++;
}

static void collect_list(struct sort_items *items, const struct entry *e, size_t first,
                         size_t count, bool reverse)
{
    struct quicklist_walk walk;
    char scratch[NUM_INT64_CHARS];
    int64_t index = reverse ? -1 - (int64_t)first : (int64_t)first;
    bool more = count > 0 && list_walk_open(&walk, e, index);

    if (!more) return;
    for (; more && count > 0; count--) {
        collect(items, quicklist_walk_text(&walk, scratch));
        more = reverse ? quicklist_walk_previous(&walk) : quicklist_walk_next(&walk);
    }
    quicklist_walk_close(&walk);
}

static void collect_set(struct sort_items *items, const struct entry *e, size_t first, size_t count)
{
    struct set_walk walk;
    struct set_member member;

    set_walk_begin(&walk, e);
    for (size_t i = 0; i < first + count && set_walk_next(&walk, &member); i++)
        if (i >= first) collect(items, member.text);
}

static void collect_zset(struct sort_items *items, const struct entry *e, size_t first,
                         size_t count, bool reverse)
{
    struct zset_slice slice = {reverse ? zset_count(e) - first - count : first, count, reverse};
    struct zset_walk walk;
    struct sorted_key key;

    zset_walk_begin(&walk, e, slice);
    while (zset_walk_next(&walk, &key)) collect(items, key.member);
}

size_t sort_source_count(const struct entry *e)
{
    return container_ops(entry_type(e))->count(e);
}

void sort_collect(struct sort_items *items, const struct entry *e, size_t first, size_t count,
                  bool reverse)
{
    switch (entry_type(e)) {
    case TYPE_LIST: collect_list(items, e, first, count, reverse); break;
    case TYPE_SET: collect_set(items, e, first, count); break;
    default: collect_zset(items, e, first, count, reverse);
    }
}

void sort_release(struct sort_items *items)
{
    mem_free(items->items);
    buf_release(&items->bytes);
}

/* ---- weighing ----------------------------------------------------------------------------------- */

void sort_weigh(struct sort_items *items, size_t index, struct span weight)
{
    items->items[index].weight = keep(items, weight);
    items->items[index].has_weight = true;
}

static bool read_score(const struct sort_items *items, struct sort_text text, double *score)
{
    int64_t integer;
    char *end;

    if (num_parse_int64(sort_span(items, text), &integer)) {
        *score = (double)integer;
        return true;
    }
    errno = 0;
    *score = strtod(items->bytes.ptr + text.at, &end);
    return *end == 0 && errno != ERANGE && !isnan(*score);
}

bool sort_score(struct sort_items *items, size_t index, struct span number)
{
    const size_t before = items->bytes.len;
    bool is_number = read_score(items, keep(items, number), &items->items[index].score);
    items->bytes.len = before;
    return is_number;
}

bool sort_score_itself(struct sort_items *items, size_t index)
{
    return read_score(items, items->items[index].text, &items->items[index].score);
}

/* ---- ordering ----------------------------------------------------------------------------------- */

struct comparison {
    const char *bytes;
    const struct sort_order *order;
};

static int compare_texts(const struct comparison *comparison, struct sort_text a,
                         struct sort_text b)
{
    const char *bytes = comparison->bytes;
    if (comparison->order->by_locale) return strcoll(bytes + a.at, bytes + b.at);
    return span_compare(span_of(bytes + a.at, a.len), span_of(bytes + b.at, b.len));
}

static int compare_keys(const struct comparison *comparison, const struct sort_item *a,
                        const struct sort_item *b)
{
    const struct sort_order *order = comparison->order;

    if (!order->by_text) {
        if (a->score != b->score) return a->score < b->score ? -1 : 1;
        return span_compare(span_of(comparison->bytes + a->text.at, a->text.len),
                            span_of(comparison->bytes + b->text.at, b->text.len));
    }
    if (!order->by_weight) return compare_texts(comparison, a->text, b->text);
    if (!a->has_weight || !b->has_weight) return a->has_weight - b->has_weight;
    return compare_texts(comparison, a->weight, b->weight);
}

static int compare(const void *a, const void *b, void *context)
{
    const struct comparison *comparison = context;
    const struct sort_item *one = a, *other = b;
    int result = compare_keys(comparison, one, other);

    if (result == 0) return one->place < other->place ? -1 : one->place > other->place;
    return comparison->order->descending ? -result : result;
}

static void swap(struct sort_item *a, struct sort_item *b)
{
    struct sort_item c = *a;
    *a = *b;
    *b = c;
}

/* A heap with its last item on top. */
static void sift_down(struct sort_item *heap, size_t count, size_t at,
                      struct comparison *comparison)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare(&heap[child], &heap[child + 1], comparison) < 0) child++;
        if (compare(&heap[at], &heap[child], comparison) >= 0) return;
        swap(&heap[at], &heap[child]);
    }
}

/* Makes the first `wanted` items those that come first, in whatever order. */
static void select_first(struct sort_item *items, size_t count, size_t wanted,
                         struct comparison *comparison)
{
    for (size_t i = wanted / 2; i-- > 0;) sift_down(items, wanted, i, comparison);
    for (size_t i = wanted; i < count; i++) {
        if (compare(&items[i], &items[0], comparison) > 0) continue;
        swap(&items[i], &items[0]);
        sift_down(items, wanted, 0, comparison);
    }
}

void sort_first(struct sort_items *items, size_t wanted, const struct sort_order *order)
{
    struct comparison comparison = {items->bytes.ptr, order};
    size_t count = items->count;

    if (wanted == 0) return;
    if (wanted < count / 4) {
        select_first(items->items, count, wanted, &comparison);
        count = wanted;
    }
    qsort_r(items->items, count, sizeof *items->items, compare, &comparison);
}
