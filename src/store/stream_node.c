#include "store/stream_node.h"

#include "base/check.h"
#include "base/mem.h"

enum { DELETED = 1, SAME_FIELDS = 2 }; /* flags of an entry */

/* Reads the number at *at and passes over it. */
static int64_t take_number(const uint8_t *lp, size_t *at)
{
    int64_t number = listpack_value(lp, *at).number;
    *at += listpack_item_size(lp, *at);
    return number;
}

static size_t pass_over(const uint8_t *lp, size_t at, uint64_t items)
{
    while (items-- > 0) at += listpack_item_size(lp, at);
    return at;
}

/* ---- looking ------------------------------------------------------------------------------------ */

struct stream_node stream_node_view(struct stream_id id, const uint8_t *lp)
{
    struct stream_node node = {.lp = lp, .id = id};
    size_t at = LISTPACK_HEAD_BYTES;

    node.live = (uint64_t)take_number(lp, &at);
    node.deleted = (uint64_t)take_number(lp, &at);
    node.field_count = (uint64_t)take_number(lp, &at);
    node.fields = at;
    node.entries = pass_over(lp, at, node.field_count + 1);
    return node;
}

/* Takes the entry at an offset apart. */
static void look_at(const struct stream_node *node, size_t at, struct stream_entry *out)
{
    const uint8_t *lp = node->lp;

    *out = (struct stream_entry){.lp = lp, .at = at};
    int64_t flags = take_number(lp, &at);
    out->is_deleted = flags & DELETED;
    out->has_same_fields = flags & SAME_FIELDS;
    out->id.ms = node->id.ms + (uint64_t)take_number(lp, &at);
    out->id.seq = node->id.seq + (uint64_t)take_number(lp, &at);
    if (out->has_same_fields) {
        out->pair_count = node->field_count;
        out->names = node->fields;
        out->values = at;
    } else {
        out->pair_count = (uint64_t)take_number(lp, &at);
        out->names = at;
        out->values = out->pair_count > 0 ? pass_over(lp, at, 1) : at;
    }
}

bool stream_node_first(const struct stream_node *node, struct stream_entry *out)
{
    if (node->entries == listpack_end(node->lp)) return false;
    look_at(node, node->entries, out);
    return true;
}

bool stream_node_next(const struct stream_node *node, struct stream_entry *entry)
{
    uint64_t items = entry->has_same_fields ? entry->pair_count : 2 * entry->pair_count;
    size_t from = entry->has_same_fields ? entry->values : entry->names;
    size_t at = pass_over(node->lp, from, items + 1);

    if (at == listpack_end(node->lp)) return false;
    look_at(node, at, entry);
    return true;
}

/* The entry that ends at an offset. */
static void look_back_from(const struct stream_node *node, size_t end, struct stream_entry *out)
{
    size_t at = listpack_previous(node->lp, end);
    int64_t items = listpack_value(node->lp, at).number;
    while (items-- > 0) at = listpack_previous(node->lp, at);
    look_at(node, at, out);
}

bool stream_node_last(const struct stream_node *node, struct stream_entry *out)
{
    size_t end = listpack_end(node->lp);
    if (node->entries == end) return false;
    look_back_from(node, end, out);
    return true;
}

bool stream_node_previous(const struct stream_node *node, struct stream_entry *entry)
{
    if (entry->at == node->entries) return false;
    look_back_from(node, entry->at, entry);
    return true;
}

struct stream_pairs stream_entry_pairs(const struct stream_entry *entry)
{
    return (struct stream_pairs){.lp = entry->lp,
                                 .name = entry->names,
                                 .value = entry->values,
                                 .apart = entry->has_same_fields,
                                 .left = entry->pair_count};
}

bool stream_pairs_next(struct stream_pairs *pairs, struct span *name, struct span *value)
{
    if (pairs->left == 0) return false;
    *name = listpack_text(pairs->lp, pairs->name, pairs->name_digits);
    *value = listpack_text(pairs->lp, pairs->value, pairs->value_digits);
    if (--pairs->left == 0) return true;
    pairs->name = pass_over(pairs->lp, pairs->name, pairs->apart ? 1 : 2);
    pairs->value = pass_over(pairs->lp, pairs->value, pairs->apart ? 1 : 2);
    return true;
}

/* ---- changing ----------------------------------------------------------------------------------- */

static uint8_t *make_room(uint8_t *lp, size_t more)
{
    size_t bytes = listpack_bytes(lp) + more;
    return bytes <= mem_usable(lp) ? lp : mem_realloc(lp, mem_good_size(bytes));
}

static void append_number(uint8_t *lp, int64_t number)
{
    listpack_insert_int64(lp, listpack_end(lp), number);
}

uint8_t *stream_node_new(const struct span *pairs, size_t pair_count)
{
    size_t bytes = LISTPACK_EMPTY_BYTES + 3 * listpack_item_bytes_int64(0) +
                   listpack_item_bytes_int64((int64_t)pair_count);

    for (size_t i = 0; i < pair_count; i++) bytes += listpack_item_bytes(pairs[2 * i]);
    uint8_t *lp = mem_alloc(mem_good_size(bytes));
    listpack_init(lp);
    append_number(lp, 0);
    append_number(lp, 0);
    append_number(lp, (int64_t)pair_count);
    for (size_t i = 0; i < pair_count; i++) listpack_append(lp, pairs[2 * i]);
    append_number(lp, 0);
    return lp;
}

static bool has_fields_of(const struct stream_node *node, const struct span *pairs,
                          size_t pair_count)
{
    char digits[NUM_INT64_CHARS];
    size_t at = node->fields;

    if (node->field_count != pair_count) return false;
    for (size_t i = 0; i < pair_count; i++) {
        if (!span_equal(listpack_text(node->lp, at, digits), pairs[2 * i])) return false;
        at += listpack_item_size(node->lp, at);
    }
    return true;
}

/* Puts another number in the place of one of the head, which stands at `at`. */
static uint8_t *set_count(uint8_t *lp, size_t at, uint64_t count)
{
    size_t needed = listpack_item_bytes_int64((int64_t)count), has = listpack_item_size(lp, at);
    if (needed > has) lp = make_room(lp, needed - has);
    listpack_replace_int64(lp, at, (int64_t)count);
    return lp;
}

uint8_t *stream_node_append(uint8_t *lp, struct stream_id node_id, struct stream_id id,
                            const struct span *pairs, size_t pair_count)
{
    struct stream_node node = stream_node_view(node_id, lp);
    bool same = has_fields_of(&node, pairs, pair_count);
    int64_t ms = (int64_t)(id.ms - node_id.ms), seq = (int64_t)(id.seq - node_id.seq);
    int64_t items = 3 + (int64_t)(same ? pair_count : 2 * pair_count + 1);
    size_t bytes = listpack_item_bytes_int64(same ? SAME_FIELDS : 0) +
                   listpack_item_bytes_int64(ms) + listpack_item_bytes_int64(seq) +
                   listpack_item_bytes_int64(items);

    if (!same) bytes += listpack_item_bytes_int64((int64_t)pair_count);
    for (size_t i = same ? 1 : 0; i < 2 * pair_count; i += same ? 2 : 1)
        bytes += listpack_item_bytes(pairs[i]);
    lp = make_room(lp, bytes);
    append_number(lp, same ? SAME_FIELDS : 0);
    append_number(lp, ms);
    append_number(lp, seq);
    if (!same) append_number(lp, (int64_t)pair_count);
    for (size_t i = same ? 1 : 0; i < 2 * pair_count; i += same ? 2 : 1)
        listpack_append(lp, pairs[i]);
    append_number(lp, items);
    return set_count(lp, LISTPACK_HEAD_BYTES, node.live + 1);
}

void stream_node_flag_deleted(uint8_t *lp, const struct stream_node *node,
                              struct stream_entry *entry)
{
    check(lp == node->lp && !entry->is_deleted);
    listpack_replace_int64(lp, entry->at, listpack_value(lp, entry->at).number | DELETED);
    look_at(node, entry->at, entry);
}

uint8_t *stream_node_count_deleted(uint8_t *lp, uint64_t count)
{
    size_t at = LISTPACK_HEAD_BYTES;
    uint64_t live = (uint64_t)take_number(lp, &at), deleted = (uint64_t)take_number(lp, &at);

    check(count <= live);
    lp = set_count(lp, LISTPACK_HEAD_BYTES, live - count);
    at = LISTPACK_HEAD_BYTES + listpack_item_size(lp, LISTPACK_HEAD_BYTES);
    return set_count(lp, at, deleted + count);
}

/* ---- foreign bytes ------------------------------------------------------------------------------ */

/* A sound listpack that may be no node. */
struct walk {
    const uint8_t *lp;
    size_t at, end;
};

/* The next item, which must be a number of at least `least`. */
static bool next_number(struct walk *walk, int64_t least, int64_t *out)
{
    if (walk->at == walk->end) return false;
    struct listpack_value value = listpack_value(walk->lp, walk->at);
    if (value.ptr != NULL || value.number < least) return false;
    walk->at += listpack_item_size(walk->lp, walk->at);
    *out = value.number;
    return true;
}

static bool pass_items(struct walk *walk, int64_t count)
{
    for (; count > 0; count--) {
        if (walk->at == walk->end) return false;
        walk->at += listpack_item_size(walk->lp, walk->at);
    }
    return true;
}

/* An entry: *id is its id, counted from what *id was. */
static bool next_entry(struct walk *walk, int64_t field_count, struct stream_id *id,
                       bool *is_deleted)
{
    int64_t flags, ms, seq, items, pairs = field_count, before = 3;

    if (!next_number(walk, 0, &flags) || (flags & ~(DELETED | SAME_FIELDS))) return false;
    if (!next_number(walk, INT64_MIN, &ms) || !next_number(walk, INT64_MIN, &seq)) return false;
    if (!(flags & SAME_FIELDS)) {
        if (!next_number(walk, 0, &pairs) || pairs > UINT32_MAX) return false;
        pairs *= 2;
        before = 4;
    }
    if (!pass_items(walk, pairs) || !next_number(walk, 0, &items)) return false;
    *is_deleted = flags & DELETED;
    id->ms += (uint64_t)ms;
    id->seq += (uint64_t)seq;
    return items == before + pairs;
}

bool stream_node_validate(struct span bytes, struct stream_id id, struct stream_id *last)
{
    struct walk walk = {.lp = (const uint8_t *)bytes.ptr, .at = LISTPACK_HEAD_BYTES};
    int64_t live, deleted, fields, zero;
    struct stream_id before = *last;

    if (!listpack_validate(bytes) || !stream_id_less(before, id)) return false;
    walk.end = listpack_end(walk.lp);
    if (!next_number(&walk, 0, &live) || !next_number(&walk, 0, &deleted)) return false;
    if (!next_number(&walk, 0, &fields) || !pass_items(&walk, fields)) return false;
    if (!next_number(&walk, 0, &zero) || zero != 0) return false;
    if (walk.at == walk.end) return false; /* no entries, not even deleted ones */
    while (walk.at != walk.end) {
        struct stream_id next = id;
        bool is_deleted;
        if (!next_entry(&walk, fields, &next, &is_deleted)) return false;
        if (is_deleted) {
            deleted--;
            continue;
        }
        live--;
        if (!stream_id_less(before, next) || stream_id_less(next, id)) return false;
        before = next;
    }
    if (live != 0 || deleted != 0) return false;
    *last = before;
    return true;
}
