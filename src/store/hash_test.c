#include "store/hash.h"

#include "base/mem.h"
#include "ds/listpack.h"
#include "store/digest.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct value_settings settings;
static struct entry *hash;

static void begin(void)
{
    settings = value_settings_default((struct hash_secret){1, 2});
    hash = hash_container.empty(SPAN("key"), &settings);
}

static void end(void)
{
    entry_free(hash);
}

TestSuite(hashes, .init = begin, .fini = end);

static bool put(const char *field, const char *value)
{
    bool added;
    hash = hash_put(hash, span_of_cstr(field), span_of_cstr(value), &settings, &added);
    return added;
}

static bool take(const char *field)
{
    bool removed;
    hash = hash_remove(hash, span_of_cstr(field), &removed);
    return removed;
}

static void expect(const char *field, const char *value)
{
    char digits[NUM_INT64_CHARS];
    struct span got = SPAN("");

    if (value == NULL) {
        cr_assert_not(hash_get(hash, span_of_cstr(field), digits, &got), "%s", field);
        return;
    }
    cr_assert(hash_get(hash, span_of_cstr(field), digits, &got), "%s", field);
    cr_assert(span_equal(got, span_of_cstr(value)), "%s: %.*s", field, (int)got.len, got.ptr);
}

/* Fields f0, f1, ... with their numbers as values. */
static void fill(unsigned count)
{
    char field[16], value[16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(field, sizeof field, "f%u", i);
        snprintf(value, sizeof value, "%u", i);
        put(field, value);
    }
    cr_assert_eq(hash_count(hash), count);
}

/* Once a table, always a table. */
static void make_table(void)
{
    static const char long_value[HASH_PACK_BYTES_MAX];
    bool added;
    hash = hash_put(hash, SPAN("long"), span_of(long_value, sizeof long_value), &settings, &added);
    cr_assert(take("long"));
    cr_assert_eq(entry_encoding(hash), ENC_HASH_TABLE);
}

static bool is_small(void)
{
    if (entry_encoding(hash) != ENC_LISTPACK) return false;
    cr_assert(listpack_validate(entry_inline(hash)));
    return true;
}

/* ---- contents and encodings --------------------------------------------------------------------- */

static void expect_to_work(void)
{
    cr_assert(put("a", "1"));
    cr_assert(put("b", "two"));
    cr_assert_not(put("a", "12345678901"));
    cr_assert(put("7", ""));
    cr_assert(put("", "007"));
    expect("a", "12345678901");
    expect("b", "two");
    expect("7", "");
    expect("", "007");
    expect("07", NULL);
    cr_assert_eq(hash_count(hash), 4);
    cr_assert(take("b"));
    cr_assert_not(take("b"));
    expect("b", NULL);
    cr_assert_not(put("a", "1"));
    expect("a", "1");
    cr_assert(take("7") && take("") && take("a"));
    cr_assert_eq(hash_count(hash), 0);
}

Test(hashes, holds_what_is_put_while_it_is_small)
{
    expect_to_work();
    cr_assert(is_small());
}

Test(hashes, holds_what_is_put_as_a_pack)
{
    settings.hash_max_listpack_entries = 0;
    expect_to_work();
    cr_assert_eq(entry_encoding(hash), ENC_HASH_PACK);
}

Test(hashes, holds_what_is_put_as_a_table)
{
    make_table();
    expect_to_work();
    cr_assert_eq(entry_encoding(hash), ENC_HASH_TABLE);
}

Test(hashes, becomes_a_table_at_the_field_that_is_one_too_many)
{
    fill(512);
    cr_assert(is_small());
    put("f0", "again");
    cr_assert(is_small());
    put("another", "1");
    cr_assert_eq(entry_encoding(hash), ENC_HASH_TABLE);
    cr_assert_str_eq(entry_encoding_name(hash), "hashtable");
    expect("f0", "again");
    for (int i = 1; i < 512; i += 51) {
        char field[16], value[16];
        snprintf(field, sizeof field, "f%d", i);
        snprintf(value, sizeof value, "%d", i);
        expect(field, value);
        take(field);
    }
    cr_assert_eq(entry_encoding(hash), ENC_HASH_TABLE, "and stays one");
}

Test(hashes, is_no_listpack_to_the_outside_once_a_text_is_too_long)
{
    char text[66];
    memset(text, 'x', 64);
    text[64] = '\0';
    put("a", text);
    put(text, "a");
    cr_assert(is_small());
    text[64] = 'x', text[65] = '\0';
    put("a", text);
    cr_assert_eq(entry_encoding(hash), ENC_HASH_PACK);
    cr_assert_str_eq(entry_encoding_name(hash), "hashtable");
    expect("a", text);
    take("a");
    cr_assert_eq(entry_encoding(hash), ENC_HASH_PACK, "and stays so");
    entry_free(hash);
    begin();
    put(text, "a");
    cr_assert_eq(entry_encoding(hash), ENC_HASH_PACK);
}

Test(hashes, becomes_a_table_where_a_pack_would_be_too_large)
{
    settings.hash_max_listpack_entries = 2;
    fill(HASH_PACK_FIELDS_MAX);
    cr_assert_eq(entry_encoding(hash), ENC_HASH_PACK);
    put("one more", "1");
    cr_assert_eq(entry_encoding(hash), ENC_HASH_TABLE);
    entry_free(hash);

    char value[1001];
    memset(value, 'x', 1000);
    value[1000] = '\0';
    begin();
    put("a", value), put("b", value), put("c", value), put("d", value);
    cr_assert_eq(entry_encoding(hash), ENC_HASH_PACK);
    put("e", "short");
    cr_assert_eq(entry_encoding(hash), ENC_HASH_PACK);
    put("e", value);
    cr_assert_eq(entry_encoding(hash), ENC_HASH_TABLE);
    expect("e", value);
    expect("d", value);
}

Test(hashes, of_few_fields_with_a_long_value_take_one_allocation)
{
    char value[200] = "";
    memset(value, 'x', sizeof value - 1);
    put("id", "12345"), put("document", value);
    cr_assert_eq(entry_memory(hash), mem_class(entry_bytes(hash)));
    cr_assert_leq(entry_memory(hash), 256);
}

Test(hashes, obeys_a_threshold_that_was_lowered_at_the_next_put)
{
    fill(4);
    settings.hash_max_listpack_entries = 2;
    take("f0");
    cr_assert(is_small());
    put("f1", "x");
    cr_assert_eq(entry_encoding(hash), ENC_HASH_PACK);
}

Test(hashes, longer_than_a_pack_becomes_a_table_when_the_threshold_was_lowered)
{
    char field[16], value[] = "sixty bytes, of which sixty pairs are more than a pack holds";

    for (int i = 0; listpack_bytes((const uint8_t *)entry_inline(hash).ptr) <= HASH_PACK_BYTES_MAX;
         i++) {
        snprintf(field, sizeof field, "f%d", i);
        put(field, value);
    }
    cr_assert(is_small());
    cr_assert_leq(hash_count(hash), HASH_PACK_FIELDS_MAX);
    settings.hash_max_listpack_entries = 2;
    put("f0", value);
    cr_assert_eq(entry_encoding(hash), ENC_HASH_TABLE);
    expect("f1", value);
}

Test(hashes, is_no_longer_than_an_entry_may_be_whatever_the_thresholds)
{
    const size_t half = ENTRY_INLINE_BYTES_MAX / 2;
    char *text = mem_zalloc(half + 1), digits[NUM_INT64_CHARS];
    struct span value;
    bool added;

    settings.hash_max_listpack_value = SIZE_MAX;
    settings.hash_max_listpack_entries = SIZE_MAX;
    hash = hash_put(hash, SPAN("a"), span_of(text, half), &settings, &added);
    cr_assert(is_small());
    struct entry *copy = entry_copy(hash, SPAN("copy"), NO_DEADLINE);
    hash = hash_put(hash, SPAN("b"), span_of(text, half), &settings, &added);
    cr_assert_eq(entry_encoding(hash), ENC_HASH_TABLE, "at a pair");
    cr_assert(added && hash_count(hash) == 2);
    entry_free(hash);

    hash = copy;
    put("b", "short");
    cr_assert(is_small());
    hash = hash_put(hash, SPAN("b"), span_of(text, half), &settings, &added);
    cr_assert_eq(entry_encoding(hash), ENC_HASH_TABLE, "at a value");
    cr_assert_not(added);
    cr_assert(hash_get(hash, SPAN("b"), digits, &value) && value.len == half);
    mem_free(text);
}

Test(hashes, small_ones_keep_their_order)
{
    struct hash_pair pair;
    char order[64] = "";

    put("b", "1"), put("a", "2"), put("d", "3"), put("c", "4");
    put("a", "a longer value than before");
    take("d"), put("d", "5");
    for (struct hash_walk walk = hash_walk(hash); hash_next(&walk, &pair);)
        strncat(order, pair.field.ptr, pair.field.len);
    cr_assert_str_eq(order, "bacd");
}

/* ---- walks, scans and random pairs -------------------------------------------------------------- */

static unsigned seen[1000]; /* by number */

static void note(void *context, const struct hash_pair *pair)
{
    unsigned long number = strtoul(pair->field.ptr + 1, NULL, 10);
    char value[16];
    int len = snprintf(value, sizeof value, "%lu", number);

    cr_assert(span_equal(pair->value, span_of(value, (size_t)len)));
    seen[number]++;
    ++*(size_t *)context;
}

static void expect_seen_once(unsigned count)
{
    for (unsigned i = 0; i < count; i++) cr_assert_eq(seen[i], 1, "%u: %u", i, seen[i]);
    memset(seen, 0, sizeof seen);
}

static void expect_walks(unsigned count)
{
    struct hash_pair pair;
    size_t noted = 0;
    uint64_t cursor = 0;

    for (struct hash_walk walk = hash_walk(hash); hash_next(&walk, &pair);) note(&noted, &pair);
    cr_assert_eq(noted, count);
    expect_seen_once(count);
    do cursor = hash_scan(hash, cursor, note, &noted);
    while (cursor != 0);
    cr_assert_eq(noted, 2 * count);
    expect_seen_once(count);
}

Test(hashes, walks_and_scans_see_each_pair_once)
{
    expect_walks(0);
    fill(100);
    expect_walks(100);
    cr_assert(is_small());
    size_t noted = 0;
    cr_assert_eq(hash_scan(hash, 12345, note, &noted), 0, "small ones whole, whatever the cursor");
    cr_assert_eq(noted, 100);
    memset(seen, 0, sizeof seen);
    fill(1000);
    expect_walks(1000);
}

/* Each of `fields` pairs was noted `mean` times, within six standard deviations of that. */
static void expect_fair(unsigned fields, double times, double p)
{
    double mean = times * p, bound = 6 * __builtin_sqrt(mean * (1 - p));
    for (unsigned i = 0; i < fields; i++)
        cr_assert(seen[i] >= mean - bound && seen[i] <= mean + bound, "%u: %u", i, seen[i]);
    memset(seen, 0, sizeof seen);
}

static void expect_fair_choice(unsigned fields)
{
    struct random random;
    size_t noted = 0;

    random_seed(&random, fields);
    hash_draw(hash, 20000, &random, note, &noted);
    for (int i = 0; i < 10000; i++) hash_draw(hash, 1, &random, note, &noted);
    cr_assert_eq(noted, 30000);
    expect_fair(fields, 30000, 1.0 / fields);

    for (size_t count = 1; count <= fields; count = count * 3 + 2) {
        noted = 0;
        for (unsigned round = 1; round <= 1000; round++) {
            hash_sample(hash, count, &random, note, &noted);
            for (unsigned i = 0; i < fields; i++) cr_assert_leq(seen[i], round, "one came twice");
        }
        cr_assert_eq(noted, 1000 * count);
        expect_fair(fields, 1000, (double)count / fields);
    }
}

Test(hashes, random_pairs_are_fair_while_it_is_small)
{
    fill(40);
    expect_fair_choice(40);
}

Test(hashes, random_pairs_are_fair_as_a_table)
{
    make_table();
    fill(40);
    expect_fair_choice(40);
}

/* ---- the rows ----------------------------------------------------------------------------------- */

Test(hashes, a_table_knows_what_it_takes)
{
    const struct value_ops *ops = value_ops(ENC_HASH_TABLE);
    char *text = mem_zalloc(1 << 20);
    bool added;

    fill(1000);
    void *value = entry_pointer(hash);
    size_t memory = ops->memory(value);
    cr_assert_gt(memory, 1000 * 16);
    cr_assert_lt(memory, 1000 * 16 + 1000 * 14 + 1000);
    cr_assert_eq(entry_memory(hash), memory + mem_class(entry_bytes(hash)));
    cr_assert_eq(ops->effort(value), 1000);
    cr_assert_geq(ops->weight(value), 2 * 2890);
    hash = hash_put(hash, SPAN("long"), span_of(text, 1 << 20), &settings, &added);
    cr_assert_geq(ops->weight(value), 1 << 20);
    cr_assert_eq(ops->effort(value), 1001 + 16);
    mem_free(text);
}

Test(hashes, a_copy_lives_alone)
{
    fill(600);
    struct entry *copy = entry_copy(hash, SPAN("copy"), 17);
    put("f3", "changed"), take("f4");
    struct entry *kept = hash;
    hash = copy;
    expect("f3", "3");
    expect("f4", "4");
    hash = kept;
    cr_assert_neq(entry_pointer(copy), entry_pointer(hash));
    entry_free(copy);
}

static void expect_digest(const char *expected)
{
    unsigned char figure[DIGEST_BYTES];
    char text[2 * DIGEST_BYTES + 1];

    digest_value(hash, figure);
    for (int i = 0; i < DIGEST_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", figure[i]);
    cr_assert_str_eq(text, expected);
}

Test(hashes, has_the_digest_that_redis_gives_it)
{
    put("b", "2"), put("a", "1");
    expect_digest("6c8f22b3bf510fdcfd6122dd0f908a80e88243bf");
    make_table();
    expect_digest("6c8f22b3bf510fdcfd6122dd0f908a80e88243bf");
}
