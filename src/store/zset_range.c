/* Parts of a sorted set: which ranks they are, and walking them. */
#include "base/check.h"
#include "store/zset.h"
#include "store/zset_inside.h"

/* ---- which ranks ------------------------------------------------------------------------------------ */

static const struct zset_slice nothing = {0, 0, false};

static struct zset_slice select_ranks(const struct zset_range *range, int64_t count, bool reverse)
{
    int64_t start = range->start, stop = range->stop;

    if (start < 0) start = start + count < 0 ? 0 : start + count;
    if (stop < 0) stop += count;
    if (stop >= count) stop = count - 1;
    if (start > stop) return nothing;
    size_t length = (size_t)(stop - start + 1);
    return (struct zset_slice){(size_t)(reverse ? count - 1 - stop : start), length, reverse};
}

/* Where all scores are equal, or the range is one of scores, this is the run between the two bounds.
 * Else it is what Redis 7.0.15 finds (tried): nothing where the first member lies behind the range or
 * the last one before it; else from the first member (in that direction) that the near bound lets
 * in, as long as the far bound does. */
static struct zset_slice select_small(const uint8_t *lp, const struct zset_range *range,
                                      bool reverse)
{
    const struct sorted_bound *low = &range->low, *high = &range->high;
    char scratch[NUM_INT64_CHARS];
    size_t count = listpack_count(lp) / 2, rank = 0, length = 0, item = 0;
    bool begun = false;

    if (count == 0) return nothing;
    struct sorted_key key = zset_small_key(lp, zset_small_previous(lp, 0), scratch);
    if (sorted_key_is_before(&key, low)) return nothing;
    key = zset_small_key(lp, zset_small_next(lp, 0), scratch);
    if (!sorted_key_is_before(&key, high)) return nothing;
    for (size_t i = 0; i < count; i++) {
        item = reverse ? zset_small_previous(lp, item) : zset_small_next(lp, item);
        key = zset_small_key(lp, item, scratch);
        if (!begun && sorted_key_is_before(&key, reverse ? high : low) == reverse) {
            begun = true;
            rank = i;
        }
        if (!begun) continue;
        if (sorted_key_is_before(&key, reverse ? low : high) == reverse) break;
        length++;
    }
    return (struct zset_slice){reverse ? count - rank - length : rank, length, reverse};
}

struct zset_slice zset_select(const struct entry *e, const struct zset_range *range, bool reverse)
{
    if (range->kind == ZSET_BY_RANK) return select_ranks(range, (int64_t)zset_count(e), reverse);
    if (zset_is_small(e)) return select_small(zset_small_listpack(e), range, reverse);

    const struct sorted_index *order = &zset_big_of(e)->order;
    struct sorted_position position;
    size_t first = sorted_index_seek(order, &range->low, &position);
    size_t behind = sorted_index_seek(order, &range->high, &position);
    if (behind <= first) return nothing;
    return (struct zset_slice){first, behind - first, reverse};
}

void zset_slice_limit(struct zset_slice *slice, int64_t offset, int64_t limit)
{
    if (offset < 0 || (uint64_t)offset >= slice->count) {
        *slice = nothing;
        return;
    }
    slice->count -= (size_t)offset;
    size_t cut = limit >= 0 && (uint64_t)limit < slice->count ? slice->count - (size_t)limit : 0;
    slice->count -= cut;
    slice->first += slice->reverse ? cut : (size_t)offset;
}

/* ---- walking --------------------------------------------------------------------------------------- */

void zset_walk_begin(struct zset_walk *walk, const struct entry *e, struct zset_slice slice)
{
    size_t rank = slice.reverse ? slice.first + slice.count - 1 : slice.first;

    *walk = (struct zset_walk){.left = slice.count, .reverse = slice.reverse};
    if (slice.count == 0) return;
    if (zset_is_small(e)) {
        walk->listpack = zset_small_listpack(e);
        walk->item = listpack_at(walk->listpack, (int64_t)(2 * rank));
    } else {
        sorted_index_at(&zset_big_of(e)->order, rank, &walk->position);
    }
}

bool zset_walk_next(struct zset_walk *walk, struct sorted_key *out)
{
    if (walk->left == 0) return false;
    walk->left--;
    if (walk->listpack != NULL) {
        *out = zset_small_key(walk->listpack, walk->item, walk->scratch);
        if (walk->left == 0) return true;
        walk->item = walk->reverse ? zset_small_previous(walk->listpack, walk->item)
                                   : zset_small_next(walk->listpack, walk->item);
        return true;
    }
    const struct string_item *item = sorted_position_item(&walk->position);
    *out = (struct sorted_key){zset_item_score(item), string_item_text(item)};
    if (walk->left == 0) return true;
    if (walk->reverse) check(sorted_position_previous(&walk->position));
    else sorted_position_next(&walk->position);
    return true;
}

struct scanning {
    zset_visit *visit;
    void *context;
};

static void visit_item(void *context, const struct string_item *item)
{
    const struct scanning *scanning = context;
    char text[NUM_DOUBLE_CHARS];
    size_t len = num_format_double(text, zset_item_score(item));
    scanning->visit(scanning->context, string_item_text(item), span_of(text, len));
}

static void visit_small(const uint8_t *lp, zset_visit *visit, void *context)
{
    char member[NUM_INT64_CHARS], score[NUM_INT64_CHARS];

    for (size_t item = listpack_first(lp); item != 0; item = zset_small_next(lp, item))
        visit(context, listpack_text(lp, item, member),
              listpack_text(lp, listpack_next(lp, item), score));
}

uint64_t zset_scan(const struct entry *e, uint64_t cursor, zset_visit *visit, void *context)
{
    struct scanning scanning = {visit, context};

    if (!zset_is_small(e))
        return string_table_scan(&zset_big_of(e)->members, cursor, visit_item, &scanning);
    visit_small(zset_small_listpack(e), visit, context);
    return 0;
}
