#include "ds/string_table.h"

#include "base/check.h"
#include "base/mem.h"

/* ---- layout ------------------------------------------------------------------------------------- */

enum { LEN_32 = 254, LEN_64 = 255 };

static size_t len_bytes(size_t len)
{
    return len < LEN_32 ? 1 : len <= UINT32_MAX ? 5 : 9;
}

static uint8_t *write_len(uint8_t *at, size_t len)
{
    size_t more = len_bytes(len) - 1;
    uint64_t stored = len;

    at[0] = more == 0 ? (uint8_t)len : more == 4 ? LEN_32 : LEN_64;
    memcpy(at + 1, &stored, more); /* little-endian: the low bytes come first */
    return at + 1 + more;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "lengths are stored so");

/* The length at `at`, and in the span where the bytes that it counts begin. */
static struct span read_counted(const uint8_t *at)
{
    uint64_t len = 0;

    if (__builtin_expect(at[0] < LEN_32, 1)) return span_of(at + 1, at[0]);
    size_t more = at[0] == LEN_32 ? 4 : 8;
    memcpy(&len, at + 1, more);
    return span_of(at + 1 + more, len);
}

static uint8_t *write_bytes(uint8_t *at, struct span bytes)
{
    if (bytes.len > 0) memcpy(at, bytes.ptr, bytes.len);
    return at + bytes.len;
}

static bool tails_vary(const struct string_table *strings)
{
    return strings->tail_bytes == STRING_TAIL_VARIES;
}

struct span string_item_long_text(const struct string_item *item)
{
    return read_counted((const uint8_t *)item);
}

struct span string_table_tail(const struct string_table *strings, const struct string_item *item)
{
    const uint8_t *behind = string_item_behind(item);
    return tails_vary(strings) ? read_counted(behind) : span_of(behind, strings->tail_bytes);
}

static size_t bytes_for(const struct string_table *strings, struct span text, size_t tail_len)
{
    size_t bytes = len_bytes(text.len) + text.len + tail_len;
    return tails_vary(strings) ? bytes + len_bytes(tail_len) : bytes;
}

size_t string_table_item_memory(const struct string_table *strings, const struct string_item *item)
{
    struct span tail = string_table_tail(strings, item);
    return mem_class((size_t)(tail.ptr + tail.len - (const char *)item));
}

static void write_tail(const struct string_table *strings, void *behind, struct span tail)
{
    uint8_t *at = behind;
    if (tails_vary(strings)) at = write_len(at, tail.len);
    write_bytes(at, tail);
}

/* ---- items come and go -------------------------------------------------------------------------- */

static struct string_item *new_item(struct string_table *strings, struct span text,
                                    struct span tail)
{
    size_t class = mem_class(bytes_for(strings, text, tail.len));
    uint8_t *bytes = mem_alloc(class);

    check(tails_vary(strings) || tail.len == strings->tail_bytes);
    write_tail(strings, write_bytes(write_len(bytes, text.len), text), tail);
    strings->item_bytes += class;
    strings->data_bytes += text.len + tail.len;
    return (struct string_item *)bytes;
}

static void forget(struct string_table *strings, const struct string_item *item)
{
    strings->item_bytes -= string_table_item_memory(strings, item);
    strings->data_bytes -= string_item_text(item).len + string_table_tail(strings, item).len;
}

void string_table_free_item(const struct string_table *strings, struct string_item *item)
{
    mem_free_sized(item, string_table_item_memory(strings, item));
}

/* ---- life --------------------------------------------------------------------------------------- */

static uint64_t item_hash(const void *context, const void *item)
{
    return string_table_hash(context, string_item_text(item));
}

static bool item_matches(const void *context, const void *item, const void *key)
{
    (void)context;
    return span_equal(string_item_text(item), *(const struct span *)key);
}

void string_table_init(struct string_table *strings, const struct hash_secret *secret,
                       size_t tail_bytes)
{
    struct table_hooks hooks = {.hash = item_hash, .matches = item_matches, .context = strings};

    *strings = (struct string_table){
        .table = table_new(&hooks), .secret = *secret, .tail_bytes = tail_bytes};
}

void string_table_release(struct string_table *strings)
{
    struct table_place place = {0};
    struct string_item *item;

    while ((item = string_table_next(strings, &place)) != NULL)
        string_table_free_item(strings, item);
    table_free(strings->table, NULL);
    strings->table = NULL;
}

void string_table_copy(const struct string_table *strings, struct string_table *copy)
{
    struct table_place place = {0};
    const struct string_item *item;

    string_table_init(copy, &strings->secret, strings->tail_bytes);
    while ((item = string_table_next(strings, &place)) != NULL)
        check(string_table_add(copy, string_item_text(item), string_table_tail(strings, item)) !=
              NULL);
}

size_t string_table_memory(const struct string_table *strings)
{
    return table_memory(strings->table) + strings->item_bytes;
}

/* ---- look-up and change ------------------------------------------------------------------------- */

struct string_item *string_table_find_hashed(const struct string_table *strings, uint64_t hash,
                                             struct span text)
{
    return table_find(strings->table, hash, &text);
}

struct string_item *string_table_add(struct string_table *strings, struct span text,
                                     struct span tail)
{
    uint64_t hash = string_table_hash(strings, text);

    if (string_table_find_hashed(strings, hash, text) != NULL) return NULL;
    return string_table_add_new(strings, hash, text, tail);
}

struct string_item *string_table_add_new(struct string_table *strings, uint64_t hash,
                                         struct span text, struct span tail)
{
    struct string_item *item = new_item(strings, text, tail);
    table_insert(strings->table, hash, item);
    return item;
}

/* Puts another tail behind the item at `place`, which may move. */
static struct string_item *change_tail(struct string_table *strings, struct table_place place,
                                       struct span tail)
{
    struct string_item *item = table_at(place), *made;
    struct span text = string_item_text(item);
    size_t old_class = string_table_item_memory(strings, item);

    if (mem_class(bytes_for(strings, text, tail.len)) == old_class) {
        strings->data_bytes += tail.len - string_table_tail(strings, item).len;
        write_tail(strings, string_item_behind(item), tail);
        return item;
    }
    made = new_item(strings, text, tail);
    table_replace(place, made);
    forget(strings, item);
    mem_free_sized(item, old_class);
    return made;
}

struct string_item *string_table_put(struct string_table *strings, struct span text,
                                     struct span tail, bool *added)
{
    uint64_t hash = string_table_hash(strings, text);
    struct table_place place = table_locate(strings->table, hash, &text);

    check(tails_vary(strings) || tail.len == strings->tail_bytes);
    *added = place.bucket == NULL;
    if (!*added) return change_tail(strings, place, tail);
    return string_table_add_new(strings, hash, text, tail);
}

struct string_item *string_table_take(struct string_table *strings, struct span text)
{
    struct table_place place =
        table_locate(strings->table, string_table_hash(strings, text), &text);
    struct string_item *item;

    if (place.bucket == NULL) return NULL;
    item = table_at(place);
    table_remove(strings->table, place);
    forget(strings, item);
    return item;
}

bool string_table_remove(struct string_table *strings, struct span text)
{
    struct string_item *item = string_table_take(strings, text);
    if (item != NULL) string_table_free_item(strings, item);
    return item != NULL;
}

/* ---- walking ------------------------------------------------------------------------------------ */

struct string_item *string_table_next(const struct string_table *strings, struct table_place *place)
{
    return table_next(strings->table, place);
}

struct scan {
    string_visit *visit;
    void *context;
};

static void visit_item(void *context, void *item)
{
    const struct scan *scan = context;
    scan->visit(scan->context, item);
}

uint64_t string_table_scan(const struct string_table *strings, uint64_t cursor, string_visit *visit,
                           void *context)
{
    struct scan scan = {visit, context};
    return table_scan(strings->table, cursor, visit_item, &scan);
}

struct string_item *string_table_random(const struct string_table *strings, struct random *random)
{
    return table_random(strings->table, random);
}

/* Passes over all items, taking each with the probability (still wanted / still to come). */
static void sample_by_walk(const struct string_table *strings, size_t wanted, struct random *random,
                           string_visit *visit, void *context)
{
    size_t left = string_table_count(strings);
    struct table_place place = {0};
    const struct string_item *item;

    for (; wanted > 0 && (item = string_table_next(strings, &place)) != NULL; left--) {
        if (random_below(random, left) >= wanted) continue;
        visit(context, item);
        wanted--;
    }
}

/* Whether the item was not in the set of drawn ones yet; now it is. `mask` + 1 slots, half of them or
 * more are free. */
static bool is_first_draw(const struct string_item **drawn, size_t mask,
                          const struct string_item *item)
{
    size_t slot = ((uintptr_t)item * 0x9e3779b97f4a7c15 >> 20) & mask;

    for (; drawn[slot] != NULL; slot = (slot + 1) & mask)
        if (drawn[slot] == item) return false;
    drawn[slot] = item;
    return true;
}

static void sample_by_draws(const struct string_table *strings, size_t wanted,
                            struct random *random, string_visit *visit, void *context)
{
    size_t slots = 8;
    while (slots < 2 * wanted) slots *= 2;
    const struct string_item **drawn = mem_zalloc(slots * sizeof *drawn);

    while (wanted > 0) {
        const struct string_item *item = string_table_random(strings, random);
        if (!is_first_draw(drawn, slots - 1, item)) continue;
        visit(context, item);
        wanted--;
    }
    mem_free(drawn);
}

void string_table_sample(const struct string_table *strings, size_t count, struct random *random,
                         string_visit *visit, void *context)
{
    size_t all = string_table_count(strings);

    check(count <= all);
    if (count > all / 3) sample_by_walk(strings, count, random, visit, context);
    else sample_by_draws(strings, count, random, visit, context);
}

struct relocating {
    const struct string_table *strings;
    const struct string_relocation *how;
};

static void *move_item(void *context, void *item)
{
    const struct relocating *relocating = context;
    const struct string_relocation *how = relocating->how;
    size_t bytes = string_table_item_memory(relocating->strings, item);

    if (!mem_mover_wants(how->mover, item, bytes)) return item;
    void *to = mem_mover_take(how->mover, bytes);
    memcpy(to, item, bytes);
    if (how->moved != NULL) how->moved(how->context, item, to);
    mem_mover_free(item, bytes);
    return to;
}

static void relocate_bucket(struct string_table *strings, size_t index,
                            const struct string_relocation *how)
{
    struct relocating relocating = {strings, how};
    table_relocate(strings->table, index, move_item, &relocating);
    table_relocate_buckets(strings->table, index, how->mover);
}

#define PART_BUCKETS 32 /* some 200 items */

bool string_table_relocate_part(struct string_table *strings, uint64_t *bucket,
                                const struct string_relocation *how)
{
    size_t buckets = table_buckets(strings->table);
    for (int i = 0; i < PART_BUCKETS && *bucket < buckets; i++)
        relocate_bucket(strings, (*bucket)++, how);
    if (*bucket < buckets) return true;
    strings->table = table_relocate_self(strings->table, how->mover);
    return false;
}

void string_table_check(const struct string_table *strings)
{
    size_t item_bytes = 0, data_bytes = 0, count = 0;
    struct table_place place = {0};
    const struct string_item *item;

    table_check(strings->table);
    while ((item = string_table_next(strings, &place)) != NULL) {
        struct span text = string_item_text(item);
        check(string_table_find(strings, text) == item);
        item_bytes += string_table_item_memory(strings, item);
        data_bytes += text.len + string_table_tail(strings, item).len;
        count++;
    }
    check(count == string_table_count(strings));
    check(item_bytes == strings->item_bytes);
    check(data_bytes == strings->data_bytes);
}
