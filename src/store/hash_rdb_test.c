/* Bodies of hashes: those that Redis 7.0.15 writes, those that older versions wrote (built here byte by
 * byte; what comes of them is what Redis' RESTORE makes of them), and those that nobody should take. */
#include "base/mem.h"
#include "ds/listpack.h"
#include "rdb/rdb.h"
#include "store/hash.h"
#include <criterion/criterion.h>
#include <stdio.h>

static struct value_settings settings;

static void begin(void)
{
    settings = value_settings_default((struct hash_secret){1, 2});
}

TestSuite(hash_rdb, .init = begin);

static enum err read_body(uint8_t type, struct span body, struct entry **out, char why[256])
{
    const struct value_target target = {SPAN("key"), 17, &settings};
    struct rdb_reader reader;

    rdb_reader_init_span(&reader, body);
    enum err err = value_rdb_read(&reader, type, &target, out);
    if (err == OK) cr_assert_eq(rdb_reader_offset(&reader), body.len, "it is read to its end");
    memcpy(why, reader.error, sizeof reader.error);
    rdb_reader_release(&reader);
    return err;
}

/* The pairs as "field=value field=value", in the order of a walk. */
static void expect_read(uint8_t type, struct span body, enum encoding encoding, const char *pairs)
{
    struct entry *e = NULL;
    struct buf text = {0};
    struct hash_pair pair;
    char why[256] = "";

    cr_assert_eq(read_body(type, body, &e, why), OK, "%s", why);
    cr_assert_eq(entry_encoding(e), encoding);
    cr_assert_eq(entry_deadline(e), 17);
    for (struct hash_walk walk = hash_walk(e); hash_next(&walk, &pair);)
        buf_printf(&text, "%s%.*s=%.*s", text.len > 0 ? " " : "", (int)pair.field.len,
                   pair.field.ptr, (int)pair.value.len, pair.value.ptr);
    cr_assert(span_equal(buf_span(&text), span_of_cstr(pairs)), "%.*s", (int)text.len, text.ptr);
    if (encoding == ENC_LISTPACK) cr_assert(listpack_validate(entry_inline(e)));
    buf_release(&text);
    entry_free(e);
}

static void expect_refused(uint8_t type, struct span body, const char *reason)
{
    struct entry *e = NULL;
    char why[256] = "";

    cr_assert_eq(read_body(type, body, &e, why), ERR_CORRUPT);
    cr_assert_not_null(strstr(why, reason), "%s", why);
}

static void expect_empty(uint8_t type, struct span body)
{
    struct entry *e = NULL;
    char why[256];
    cr_assert_eq(read_body(type, body, &e, why), ERR_EMPTY_VALUE);
}

#define TWICE "one field twice"

/* ---- what is written today ---------------------------------------------------------------------- */

Test(hash_rdb, pairs_of_strings)
{
    struct span body = SPAN("\x02\x01"
                            "a\x01"
                            "1\x01"
                            "b\xc0\x02");
    expect_read(RDB_TYPE_HASH, body, ENC_LISTPACK, "a=1 b=2");
    settings.hash_max_listpack_value = 0;
    expect_read(RDB_TYPE_HASH,
                SPAN("\x01\x01"
                     "a\x01"
                     "1"),
                ENC_HASH_PACK, "a=1");
    expect_empty(RDB_TYPE_HASH, SPAN("\x00"));
}

Test(hash_rdb, a_field_that_comes_twice_is_refused_in_every_form)
{
    struct span few = SPAN("\x02\x01"
                           "a\x01"
                           "1\x01"
                           "a\x01"
                           "2");
    expect_refused(RDB_TYPE_HASH, few, TWICE);
    settings.hash_max_listpack_value = 0;
    expect_refused(RDB_TYPE_HASH, few, TWICE);
    settings.hash_max_listpack_entries = 1;
    expect_refused(RDB_TYPE_HASH,
                   SPAN("\x40\x41\x01" /* of 65 fields, so it is a table from the start */
                        "a\x01"
                        "1\x01"
                        "a\x01"
                        "2"),
                   TWICE);
}

Test(hash_rdb, what_is_only_claimed_takes_no_memory)
{
    struct entry *e = NULL;
    char why[256];

    /* 2^40 pairs, of which one is there. */
    cr_assert_eq(read_body(RDB_TYPE_HASH,
                           SPAN("\x81\x00\x00\x01\x00\x00\x00\x00\x00\x01"
                                "a\x01"
                                "1"),
                           &e, why),
                 ERR_IO);
}

/* DUMP of {a: 5, zz: 12} at Redis 7.0.15, without type and footer. */
#define LISTPACK                                                                                   \
    "\x12\x12\x00\x00\x00\x04\x00\x81"                                                             \
    "a\x02\x05\x01\x82zz\x03\x0c\x01\xff"

Test(hash_rdb, listpacks)
{
    expect_read(RDB_TYPE_HASH_LISTPACK, SPAN(LISTPACK), ENC_LISTPACK, "a=5 zz=12");
    settings.hash_max_listpack_value = 1;
    expect_read(RDB_TYPE_HASH_LISTPACK, SPAN(LISTPACK), ENC_LISTPACK, "a=5 zz=12");
    settings.hash_max_listpack_entries = 1;
    struct entry *e = NULL;
    char why[256], digits[NUM_INT64_CHARS];
    struct span value;
    cr_assert_eq(read_body(RDB_TYPE_HASH_LISTPACK, SPAN(LISTPACK), &e, why), OK);
    cr_assert_eq(entry_encoding(e), ENC_HASH_PACK, "more fields than the threshold of today");
    cr_assert(hash_count(e) == 2 && hash_get(e, SPAN("zz"), digits, &value));
    cr_assert(span_equal(value, SPAN("12")));
    entry_free(e);
}

Test(hash_rdb, listpacks_that_lie)
{
    static const char good[] = LISTPACK;

    for (size_t i = 1; i < 18;
         i++) { /* no byte may be another, but data and the kind of a short one */
        char bad[sizeof good];
        bool is_data = i == 7 || i == 8 || i == 10 || i == 13 || i == 14 || i == 16;
        if (is_data) continue;
        memcpy(bad, good, sizeof good);
        bad[i] ^= 0x40;
        expect_refused(RDB_TYPE_HASH_LISTPACK, span_of(bad, sizeof good - 1),
                       "not a sound listpack");
    }
    expect_empty(RDB_TYPE_HASH_LISTPACK, SPAN("\x07\x07\x00\x00\x00\x00\x00\xff"));
    expect_refused(RDB_TYPE_HASH_LISTPACK,
                   SPAN("\x0a\x0a\x00\x00\x00\x01\x00\x81"
                        "a\x02\xff"),
                   "not a sound listpack"); /* a field without value */
    expect_refused(RDB_TYPE_HASH_LISTPACK,
                   SPAN("\x11\x11\x00\x00\x00\x04\x00\x81"
                        "a\x02\x05\x01\x81"
                        "a\x02\x0c\x01\xff"),
                   TWICE);
    expect_refused(RDB_TYPE_HASH_LISTPACK,
                   SPAN("\x10\x10\x00\x00\x00\x04\x00\x81"
                        "7\x02\x05\x01\x07\x01\x0c\x01\xff"),
                   TWICE); /* "7" and 7 */
}

/* ---- what older versions wrote ------------------------------------------------------------------ */

Test(hash_rdb, ziplists)
{
    struct span body = SPAN("\x17\x17\x00\x00\x00\x14\x00\x00\x00\x04\x00\x00\x01"
                            "a\x03\xfe\x05\x03\x02zz\x04\xfd\xff");
    expect_read(RDB_TYPE_HASH_ZIPLIST, body, ENC_LISTPACK, "a=5 zz=12");
    settings.hash_max_listpack_value = 1;
    expect_read(RDB_TYPE_HASH_ZIPLIST, body, ENC_LISTPACK, "a=5 zz=12");
    settings.hash_max_listpack_entries = 1;
    struct entry *e = NULL;
    char why[256];
    cr_assert_eq(read_body(RDB_TYPE_HASH_ZIPLIST, body, &e, why), OK);
    cr_assert_eq(entry_encoding(e), ENC_HASH_PACK);
    entry_free(e);
    expect_refused(RDB_TYPE_HASH_ZIPLIST,
                   SPAN("\x15\x15\x00\x00\x00\x12\x00\x00\x00\x04\x00\x00\x01"
                        "a\x03\xf5\x02\x01"
                        "a\x03\xf6\xff"),
                   TWICE);
    expect_refused(RDB_TYPE_HASH_ZIPLIST,
                   SPAN("\x0e\x0e\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x01"
                        "a\xff"),
                   "not a sound ziplist"); /* a field without value */
    expect_refused(RDB_TYPE_HASH_ZIPLIST, SPAN("\x03zip"), "not a sound ziplist");
    expect_empty(RDB_TYPE_HASH_ZIPLIST, SPAN("\x0b\x0b\x00\x00\x00\x0a\x00\x00\x00\x00\x00\xff"));
}

Test(hash_rdb, zipmaps)
{
    struct span body = SPAN("\x10\x02\x01"
                            "a\x01\x00x\x01"
                            "b\x02\x03yyfff\xff");
    expect_read(RDB_TYPE_HASH_ZIPMAP, body, ENC_LISTPACK, "a=x b=yy");
    settings.hash_max_listpack_value = 1;
    struct entry *e = NULL;
    char why[256];
    cr_assert_eq(read_body(RDB_TYPE_HASH_ZIPMAP, body, &e, why), OK);
    cr_assert_eq(entry_encoding(e), ENC_HASH_PACK, "here lengths count");
    entry_free(e);
    expect_refused(RDB_TYPE_HASH_ZIPMAP,
                   SPAN("\x0c\x02\x01"
                        "a\x01\x00x\x01"
                        "a\x01\x00y\xff"),
                   TWICE);
    expect_refused(RDB_TYPE_HASH_ZIPMAP, SPAN("\x03\x01\x01\xff"), "not a sound zipmap");
    expect_empty(RDB_TYPE_HASH_ZIPMAP, SPAN("\x02\x00\xff"));
}

/* ---- there and back ----------------------------------------------------------------------------- */

static struct entry *hash_of(unsigned fields, size_t value_bytes)
{
    struct entry *e = hash_container.empty(SPAN("key"), &settings);
    char field[16], *value = mem_alloc(value_bytes + 1);
    bool added;

    memset(value, 'v', value_bytes);
    for (unsigned i = 0; i < fields; i++) {
        int len = snprintf(field, sizeof field, "%u", i);
        memcpy(value, field, (size_t)len < value_bytes ? (size_t)len : value_bytes);
        e = hash_put(e, span_of(field, (size_t)len), span_of(value, value_bytes), &settings,
                     &added);
    }
    mem_free(value);
    return e;
}

static void expect_survival(struct entry *e)
{
    struct buf payload = {0};
    const struct value_target target = {SPAN("key"), NO_DEADLINE, &settings};
    struct entry *back = NULL;
    unsigned char before[20], after[20];
    char why[256];

    value_dump(e, true, &payload);
    cr_assert_eq(value_restore(buf_span(&payload), false, &target, &back, why), OK, "%s", why);
    cr_assert_eq(entry_encoding(back), entry_encoding(e));
    memset(before, 0, sizeof before), memset(after, 0, sizeof after);
    hash_container.digest(e, before);
    hash_container.digest(back, after);
    cr_assert_arr_eq(before, after, sizeof before);
    buf_release(&payload);
    entry_free(back);
    entry_free(e);
}

Test(hash_rdb, hashes_of_all_sizes_survive)
{
    expect_survival(hash_of(1, 1));
    expect_survival(hash_of(512, 64));
    expect_survival(hash_of(513, 8));
    expect_survival(hash_of(3, 100));    /* a pack */
    expect_survival(hash_of(3, 300000)); /* values longer than a reader lends */
    expect_survival(hash_of(20000, 20));
}

Test(hash_rdb, a_flattened_table_is_written_like_the_table)
{
    struct entry *e = hash_of(700, 40);
    struct rdb_writer whole, flat;
    struct buf body = {0};

    for (int compress = 0; compress < 2; compress++) {
        rdb_writer_init(&whole, compress, true);
        rdb_writer_init(&flat, compress, true);
        value_rdb_write(&whole, e);
        buf_clear(&body);
        value_rdb_flatten(e, &body);
        value_rdb_write_flat(&flat, e, buf_span(&body));
        cr_assert(span_equal(buf_span(&whole.out), buf_span(&flat.out)));
        rdb_writer_release(&whole);
        rdb_writer_release(&flat);
    }
    size_t weight = value_ops(ENC_HASH_TABLE)->weight(entry_pointer(e));
    cr_assert(body.len <= weight && weight <= body.len + body.len / 10, "%zu %zu", body.len,
              weight);
    buf_release(&body);
    entry_free(e);
}
