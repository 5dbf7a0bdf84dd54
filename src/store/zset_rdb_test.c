/* Bodies of sorted sets: those that Redis 7.0.15 writes, those that older versions wrote (built here byte by
 * byte; what comes of them is what Redis' RESTORE makes of them), and those that nobody should take. */
#include "ds/listpack.h"
#include "store/zset.h"
#include <criterion/criterion.h>

static struct value_settings settings;

static void begin(void)
{
    settings = value_settings_default((struct hash_secret){1, 2});
}

TestSuite(zset_rdb, .init = begin);

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

/* Members and scores in order, as "a=1 b=2.5". */
static void expect_read(uint8_t type, struct span body, enum encoding encoding, const char *pairs)
{
    struct entry *e = NULL;
    struct buf text = {0};
    struct zset_walk walk;
    struct sorted_key key;
    char why[256] = "", score[NUM_DOUBLE_CHARS];

    cr_assert_eq(read_body(type, body, &e, why), OK, "%s", why);
    zset_check(e);
    cr_assert_eq(entry_encoding(e), encoding);
    cr_assert_eq(entry_deadline(e), 17);
    zset_walk_begin(&walk, e, zset_whole(e));
    while (zset_walk_next(&walk, &key)) {
        num_format_double(score, key.score);
        buf_printf(&text, "%s%.*s=%s", text.len > 0 ? " " : "", (int)key.member.len, key.member.ptr,
                   score);
    }
    cr_assert(span_equal(buf_span(&text), span_of_cstr(pairs)), "%.*s", (int)text.len, text.ptr);
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

/* Scores as the format has them. */
#define ONE      "\0\0\0\0\0\0\xf0\x3f"
#define TWO      "\0\0\0\0\0\0\0\x40"
#define NAN_BITS "\0\0\0\0\0\0\xf8\x7f"
#define MINUS_0  "\0\0\0\0\0\0\0\x80"

Test(zset_rdb, pairs_with_binary_scores)
{
    expect_read(RDB_TYPE_ZSET_2, SPAN("\2\1b" TWO "\1a" ONE), ENC_LISTPACK, "a=1 b=2");
    settings.zset_max_listpack_entries = 1;
    expect_read(RDB_TYPE_ZSET_2, SPAN("\2\1b" TWO "\1a" ONE), ENC_SORTED_SET, "a=1 b=2");
    expect_refused(RDB_TYPE_ZSET_2, SPAN("\2\1b" TWO "\1a" NAN_BITS), "NaN");
    expect_refused(RDB_TYPE_ZSET_2, SPAN("\2\1b" TWO "\1b" ONE), "twice");
    expect_empty(RDB_TYPE_ZSET_2, SPAN("\0"));
}

Test(zset_rdb, a_negative_zero_stays_one)
{
    expect_read(RDB_TYPE_ZSET_2, SPAN("\2\1b" MINUS_0 "\1a" ONE), ENC_SORTED_SET, "b=-0 a=1");
}

Test(zset_rdb, pairs_with_scores_as_text)
{
    expect_read(RDB_TYPE_ZSET, SPAN("\4\1a\0011\1b\0042.50\1c\xfe\1d\xff"), ENC_LISTPACK,
                "d=-inf a=1 b=2.5 c=inf");
    expect_refused(RDB_TYPE_ZSET, SPAN("\1\1a\xfd"), "NaN");
    expect_refused(RDB_TYPE_ZSET, SPAN("\1\1a\003nan"), "no number");
    expect_refused(RDB_TYPE_ZSET, SPAN("\1\1a\003abc"), "no number");
    expect_refused(RDB_TYPE_ZSET, SPAN("\1\1a\0"), "no number");
    expect_refused(RDB_TYPE_ZSET, SPAN("\2\1a\0011\1a\0012"), "twice");
}

Test(zset_rdb, ziplists)
{
    expect_read(RDB_TYPE_ZSET_ZIPLIST,
                SPAN("\x18\x18\0\0\0\x12\0\0\0\4\0"
                     "\0\1a"
                     "\3\xf2"
                     "\2\1b"
                     "\3\0032.5"
                     "\xff"),
                ENC_LISTPACK, "a=1 b=2.5");
    expect_refused(RDB_TYPE_ZSET_ZIPLIST,
                   SPAN("\x15\x15\0\0\0\x12\0\0\0\4\0"
                        "\0\1a"
                        "\3\xf3"
                        "\2\1b"
                        "\3\xf2"
                        "\xff"),
                   "not in order");
    expect_refused(RDB_TYPE_ZSET_ZIPLIST,
                   SPAN("\x13\x13\0\0\0\x0f\0\0\0\3\0"
                        "\0\1a"
                        "\3\xf3"
                        "\2\1b"
                        "\xff"),
                   "no score");
    expect_refused(RDB_TYPE_ZSET_ZIPLIST, SPAN("\3abc"), "not sound");
    expect_empty(RDB_TYPE_ZSET_ZIPLIST, SPAN("\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff"));
}

/* A body of a listpack of these items. */
static struct span listpack_body(const char *const *items, uint8_t body[static 256])
{
    uint8_t *lp = body + 1;

    listpack_init(lp);
    for (; *items != NULL; items++) listpack_append(lp, span_of_cstr(*items));
    size_t bytes = listpack_bytes(lp);
    cr_assert_lt(bytes, 64);
    body[0] = (uint8_t)bytes; /* a length of 6 bits */
    return span_of(body, 1 + bytes);
}
#define LISTPACK(...) listpack_body((const char *const[]){__VA_ARGS__, NULL}, body)

Test(zset_rdb, listpacks)
{
    uint8_t body[256];
    static const char *const none[] = {NULL};

    expect_read(RDB_TYPE_ZSET_LISTPACK, LISTPACK("b", "-inf", "12", "1", "a", "2.5"), ENC_LISTPACK,
                "b=-inf 12=1 a=2.5");
    expect_refused(RDB_TYPE_ZSET_LISTPACK, LISTPACK("a", "3", "b", "2.5"), "not in order");
    expect_refused(RDB_TYPE_ZSET_LISTPACK, LISTPACK("b", "3", "a", "3"), "not in order");
    expect_refused(RDB_TYPE_ZSET_LISTPACK, LISTPACK("a", "3", "a", "3"), "not in order");
    expect_refused(RDB_TYPE_ZSET_LISTPACK, LISTPACK("a", "1", "a", "2"), "twice");
    expect_refused(RDB_TYPE_ZSET_LISTPACK, LISTPACK("a", "1", "b"), "no score");
    expect_refused(RDB_TYPE_ZSET_LISTPACK, LISTPACK("a", "nan"), "no score");
    expect_refused(RDB_TYPE_ZSET_LISTPACK, LISTPACK("a", "xyz"), "no score");
    expect_refused(RDB_TYPE_ZSET_LISTPACK, SPAN("\3abc"), "not sound");
    expect_empty(RDB_TYPE_ZSET_LISTPACK, listpack_body(none, body));
}

Test(zset_rdb, the_count_of_members_decides_about_a_listpack)
{
    uint8_t body[256];

    settings.zset_max_listpack_value = 1;
    expect_read(RDB_TYPE_ZSET_LISTPACK, LISTPACK("abc", "1", "b", "2"), ENC_LISTPACK, "abc=1 b=2");
    settings.zset_max_listpack_entries = 1;
    expect_read(RDB_TYPE_ZSET_LISTPACK, LISTPACK("abc", "1", "b", "2"), ENC_SORTED_SET,
                "abc=1 b=2");
    expect_refused(RDB_TYPE_ZSET_LISTPACK, LISTPACK("a", "1", "a", "2"), "twice");
}
