/* A stream as Redis 7.0.15 dumps it, byte for byte; the older form; and what must be refused. */
#include "base/mem.h"
#include "store/stream.h"
#include <criterion/criterion.h>

static const struct value_settings settings = {.stream_node_max_bytes = 4096,
                                               .stream_node_max_entries = 100};
#define TARGET (&(struct value_target){SPAN("k"), NO_DEADLINE, &settings})

/* XADD s 1-1 a 1; XADD s 1-2 a 2; XADD s 2-0 b x; XDEL s 1-1; XGROUP CREATE s g 0; XREADGROUP GROUP g c
 * COUNT 1 STREAMS s >; XGROUP CREATECONSUMER s g d. What DUMP says behind the type. */
static const char body[] =
    /*   0 */ "\x01\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x37" /* a node, its id and length */
              /*  19 */ "\x37\0\0\0\x16\0"                       /* listpack head */
              /*  25 */ "\x02\x01\x01\x01\x01\x01\x81"
              "a\x02\0\x01" /* live, deleted, names */
              /*  36 */ "\x03\x01\0\x01\0\x01\x01\x01\x04\x01"
              /*  46 */ "\x02\x01\0\x01\x01\x01\x02\x01\x04\x01"
              /*  56 */ "\0\x01\x01\x01\xdf\xff\x02\x01\x01\x81"
              "b\x02\x81x\x02\x06\x01\xff"
              /*  74 */ "\x02\x02\0\x01\x02\x01\x01\x03\x01" /* length, three ids, added, groups */
              /*  83 */ "\x01g\x01\x02\x02\x01"              /* name, last id, read, pending */
              /*  89 */ "\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\x82\x34\xe8\x1f\xa2\x01\0\0\x01"
              /* 114 */ "\x02\x01"
              "c\x82\x34\xe8\x1f\xa2\x01\0\0\x01"
              /* 126 */ "\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02"
              /* 142 */ "\x01"
              "d\x82\x34\xe8\x1f\xa2\x01\0\0\0";
enum { BODY_BYTES = sizeof body - 1 };
#define WHEN 1795831641218 /* the time in it */

static enum err read_as(uint8_t type, struct span bytes, struct entry **out, char why[256])
{
    struct rdb_reader reader;
    rdb_reader_init_span(&reader, bytes);
    enum err err = value_rdb_read(&reader, type, TARGET, out);
    if (why != NULL) memcpy(why, reader.error, 256);
    rdb_reader_release(&reader);
    return err;
}

static enum err read_body(struct span bytes, struct entry **out, char why[256])
{
    return read_as(RDB_TYPE_STREAM_LISTPACKS_2, bytes, out, why);
}

static struct buf written(const struct entry *e)
{
    struct buf out = {0};
    value_rdb_flatten(e, &out);
    return out;
}

/* The same stream, made here. */
static struct entry *made(void)
{
    struct entry *e = stream_container.empty(SPAN("k"), &settings);
    struct stream *stream = stream_edit(e);
    struct stream_id ids[] = {{1, 1}, {1, 2}, {2, 0}};
    struct span pairs[3][2] = {
        {SPAN("a"), SPAN("1")}, {SPAN("a"), SPAN("2")}, {SPAN("b"), SPAN("x")}};

    for (int i = 0; i < 3; i++) stream_append(stream, &settings, ids[i], pairs[i], 1);
    cr_assert(stream_delete(stream, ids[0]));
    cr_assert_not(stream_delete(stream, ids[0]));
    struct stream_group *group =
        stream_group_new(stream, SPAN("g"), STREAM_ID_MIN, STREAM_ENTRIES_UNKNOWN);
    struct stream_consumer *consumer = stream_consumer_new(stream, group, SPAN("c"), WHEN);
    stream_group_advance(stream, group, ids[1]);
    stream_deliver(stream, group, consumer, ids[1], WHEN);
    stream_consumer_new(stream, group, SPAN("d"), WHEN);
    return e;
}

Test(stream_rdb, writes_the_bytes_of_redis_and_reads_them)
{
    struct entry *e = made(), *back = NULL;
    struct buf out = written(e);

    stream_check(stream_of(e));
    cr_assert_eq(out.len, BODY_BYTES);
    cr_assert_eq(memcmp(out.ptr, body, BODY_BYTES), 0);
    cr_assert_eq(value_rdb_type(e), RDB_TYPE_STREAM_LISTPACKS_2);
    cr_assert_eq(read_body(buf_span(&out), &back, NULL), OK);
    stream_check(stream_of(back));
    buf_release(&out);
    out = written(back);
    cr_assert(span_equal(buf_span(&out), span_of(body, BODY_BYTES)));
    buf_release(&out);
    entry_free(e);
    entry_free(back);
}

Test(stream_rdb, reads_the_form_before_7)
{
    struct buf old = {0};
    struct entry *e = NULL;

    buf_append(&old, body, 77);     /* length and last id, */
    buf_append(&old, body + 82, 5); /* groups, name, last id, */
    buf_append(&old, body + 88, BODY_BYTES - 88);
    cr_assert_eq(read_as(RDB_TYPE_STREAM_LISTPACKS, buf_span(&old), &e, NULL), OK);
    const struct stream *stream = stream_of(e);
    stream_check(stream);
    cr_assert_eq(stream->entries_added, 2, "those that are there");
    cr_assert(stream_id_equal(stream->max_deleted_id, STREAM_ID_MIN));
    cr_assert(stream_id_equal(stream->first_id, (struct stream_id){1, 2}));
    const struct stream_group *group = stream_group(stream, SPAN("g"));
    cr_assert_eq(group->entries_read, 1, "it has read up to the first");
    cr_assert_eq(group->pending.count, 1);
    entry_free(e);
    buf_release(&old);
}

static const struct {
    size_t at;
    uint8_t byte;
    const char *why;
} lies[] = {
    {1, 15, "not the size of a stream ID"},
    {17, 3, "entries above its last ID"},
    {19, 0x38, "Stream listpack integrity check failed"},
    {25, 3, "Stream listpack"}, /* live entries */
    {27, 0, "Stream listpack"}, /* deleted ones */
    {29, 2, "Stream listpack"}, /* names */
    {34, 1, "Stream listpack"}, /* the end of the names */
    {36, 2, "Stream listpack"}, /* flags: the first entry lives */
    {36, 7, "Stream listpack"}, /* flags that are none */
    {44, 5, "Stream listpack"}, /* items of the first entry */
    {52, 0x81, "Stream listpack"},
    {58, 0, "Stream listpack"}, /* the third entry's id is below the second's */
    {63, 2, "Stream listpack"}, /* pairs of the third entry */
    {71, 7, "Stream listpack"},
    {74, 3, "Stream length inconsistent"},
    {75, 1, "entries above its last ID"},
    {81, 1, "more entries than were added"},
    {104, 3, "Consumer entry not found in group global PEL"},
    {114, 0, "NACK entry without consumer"},
    {116, 'd', "Duplicate stream consumer detected"},
    {141, 3, "Consumer entry not found in group global PEL"},
};

Test(stream_rdb, names_what_is_wrong)
{
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        char bytes[BODY_BYTES], why[256] = "";
        struct entry *e = NULL;
        memcpy(bytes, body, BODY_BYTES);
        bytes[lies[i].at] = (char)lies[i].byte;
        cr_expect_eq(read_body(span_of(bytes, BODY_BYTES), &e, why), ERR_CORRUPT, "%zu: %s",
                     lies[i].at, lies[i].why);
        cr_expect_not_null(strstr(why, lies[i].why), "%zu: %s is %s", lies[i].at, lies[i].why, why);
    }
}

/* Whatever a byte becomes: what is taken is a sound stream. */
Test(stream_rdb, takes_nothing_that_is_unsound)
{
    for (size_t at = 0; at < BODY_BYTES; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char bytes[BODY_BYTES];
            struct entry *e = NULL;
            memcpy(bytes, body, BODY_BYTES);
            bytes[at] = (char)byte;
            if (read_body(span_of(bytes, BODY_BYTES), &e, NULL) != OK) continue;
            stream_check(stream_of(e));
            entry_free(e);
        }
    }
    for (size_t len = 0; len < BODY_BYTES; len++) {
        struct entry *e = NULL;
        cr_assert_neq(read_body(span_of(body, len), &e, NULL), OK, "cut at %zu", len);
    }
}

/* Redis drops a node with its last entry: one that never had any is nobody's. */
Test(stream_rdb, refuses_a_node_without_entries)
{
    static const char none[] = "\x02\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x0f"
                               "\x0f\0\0\0\x04\0\0\x01\0\x01\0\x01\0\x01\xff";
    struct buf bytes = {0};
    struct entry *e = NULL;
    char why[256] = "";

    buf_append(&bytes, none, sizeof none - 1);
    buf_append(&bytes, body + 1, BODY_BYTES - 1);
    cr_expect_eq(read_body(buf_span(&bytes), &e, why), ERR_CORRUPT);
    cr_expect_not_null(strstr(why, "Stream listpack integrity check failed"), "%s", why);
    buf_release(&bytes);
}

/* Two groups of one name, and an entry pending twice. */
Test(stream_rdb, refuses_what_is_there_twice)
{
    struct buf twice = {0};
    struct entry *e = NULL;
    char why[256] = "";

    buf_append(&twice, body, BODY_BYTES);
    twice.ptr[82] = 2;
    buf_append(&twice, body + 83, BODY_BYTES - 83);
    cr_expect_eq(read_body(buf_span(&twice), &e, why), ERR_CORRUPT);
    cr_expect_not_null(strstr(why, "Duplicated consumer group name"), "%s", why);

    buf_clear(&twice);
    buf_append(&twice, body, 114);
    buf_append(&twice, body + 89, BODY_BYTES - 89);
    twice.ptr[88] = 2;
    cr_expect_eq(read_body(buf_span(&twice), &e, why), ERR_CORRUPT);
    cr_expect_not_null(strstr(why, "Duplicated global PEL entry"), "%s", why);

    buf_clear(&twice);
    buf_append(&twice, body, 142);
    buf_append(&twice, body + 126, BODY_BYTES - 126);
    twice.ptr[125] = 2;
    cr_expect_eq(read_body(buf_span(&twice), &e, why), ERR_CORRUPT);
    cr_expect_not_null(strstr(why, "Duplicated consumer PEL entry"), "%s", why);
    buf_release(&twice);
}
