/* The codec's promises: Redis' bytes out, and nothing but sound values in. The expected bytes were
 * made by Redis 7.0.15 (DUMP). */
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "rdb/reader.h"
#include "rdb/writer.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

static struct buf written(void (*write)(struct rdb_writer *, const void *), const void *what,
                          bool compress)
{
    struct rdb_writer writer;

    rdb_writer_init(&writer, compress, true);
    write(&writer, what);
    return writer.out;
}

static void write_string(struct rdb_writer *writer, const void *what)
{
    rdb_write_string(writer, *(const struct span *)what);
}

static void write_length(struct rdb_writer *writer, const void *what)
{
    rdb_write_length(writer, *(const uint64_t *)what);
}

static void expect_bytes(struct span text, const void *bytes, size_t len)
{
    struct buf out = written(write_string, &text, true);

    cr_assert_eq(out.len, len, "%.*s", (int)text.len, text.ptr);
    cr_assert_arr_eq(out.ptr, bytes, len, "%.*s", (int)text.len, text.ptr);
    buf_release(&out);
}
#define EXPECT(text, bytes) expect_bytes(SPAN(text), (bytes), sizeof(bytes) - 1)

Test(rdb, strings_take_the_form_that_redis_chooses)
{
    EXPECT("12", "\xc0\x0c");
    EXPECT("-129", "\xc1\x7f\xff");
    EXPECT("127", "\xc0\x7f");
    EXPECT("128", "\xc1\x80\x00");
    EXPECT("-32769", "\xc2\xff\x7f\xff\xff");
    EXPECT("2147483647", "\xc2\xff\xff\xff\x7f");
    EXPECT("-2147483648", "\xc2\x00\x00\x00\x80");
    EXPECT("2147483648", "\n2147483648");
    EXPECT("-2147483649", "\x0b-2147483649");
    EXPECT("012", "\x03"
                  "012");
    EXPECT("-0", "\x02-0");
    EXPECT("+1", "\x02+1");
    EXPECT("", "\x00");
    EXPECT("hello", "\x05hello");
}

Test(rdb, strings_over_20_bytes_are_packed_where_that_pays)
{
    char text[101];

    memset(text, 'x', 100);
    expect_bytes(span_of(text, 20), "\x14xxxxxxxxxxxxxxxxxxxx", 21);
    expect_bytes(span_of(text, 100), "\xc3\x09\x40\x64\x01xx\xe0\x57\x00\x01xx", 13);
    struct span all = span_of(text, 100);
    struct buf plain = written(write_string, &all, false);
    cr_assert_eq(plain.len, 102, "rdbcompression no");
    buf_release(&plain);
}

Test(rdb, lengths_survive_at_every_border)
{
    static const uint64_t borders[] = {
        0, 1, 63, 64, 16383, 16384, 65535, UINT32_MAX, 1ull << 32, 1ull << 63, UINT64_MAX - 1};
    static const size_t bytes[] = {1, 1, 1, 2, 2, 5, 5, 5, 9, 9, 9};

    for (size_t i = 0; i < sizeof borders / sizeof *borders; i++) {
        struct buf out = written(write_length, &borders[i], true);
        struct rdb_reader reader;
        uint64_t back = 0;

        cr_assert_eq(out.len, bytes[i]);
        rdb_reader_init_span(&reader, buf_span(&out));
        cr_assert_eq(rdb_read_length(&reader, &back), OK);
        cr_assert_eq(back, borders[i]);
        cr_assert_eq(rdb_reader_offset(&reader), out.len);
        rdb_reader_release(&reader);
        buf_release(&out);
    }
}

/* A source that gives a few bytes at a time and counts what was asked of it. */
struct dripping {
    struct span bytes;
    size_t at, step;
};

static ssize_t drip(void *context, void *out, size_t len)
{
    struct dripping *dripping = context;
    size_t left = dripping->bytes.len - dripping->at;

    if (len > dripping->step) len = dripping->step;
    if (len > left) len = left;
    if (len > 0) memcpy(out, dripping->bytes.ptr + dripping->at, len);
    dripping->at += len;
    return (ssize_t)len;
}

static char *noise(size_t len, unsigned seed)
{
    char *bytes = mem_alloc(len);
    uint64_t state = seed;

    for (size_t i = 0; i < len; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (char)(state >> 56);
    }
    return bytes;
}

static void append(void *context, const void *ptr, size_t len)
{
    buf_append(context, ptr, len);
}

Test(rdb, long_strings_survive_sinks_and_dripping_sources)
{
    static const size_t lens[] = {0, 21, 65535, 65536, 300000, 3000000};

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        for (int packs = 0; packs < 2; packs++) {
            char *bytes = noise(lens[i] + 1, 7);
            if (packs) memset(bytes, 'a', lens[i]);
            struct buf file = {0};
            struct rdb_writer writer;
            rdb_writer_init(&writer, true, true);
            rdb_writer_set_sink(&writer, append, &file);
            rdb_write_header(&writer);
            rdb_write_string(&writer, span_of(bytes, lens[i]));
            rdb_write_end(&writer);
            cr_assert_eq(rdb_writer_bytes(&writer), file.len);
            cr_assert(!packs || lens[i] == 0 || file.len < 18 + 60 + lens[i] / 50);
            cr_assert(packs || file.len >= 18 + lens[i], "noise stays plain");
            rdb_writer_release(&writer);

            struct dripping dripping = {buf_span(&file), 0, 977};
            struct rdb_source source = {drip, &dripping};
            struct rdb_reader reader;
            struct span back = {0};
            uint8_t opcode = 0;
            int version = 0;
            rdb_reader_init(&reader, &source, RDB_SIZE_UNKNOWN, true);
            cr_assert_eq(rdb_read_header(&reader, &version), OK);
            cr_assert_eq(rdb_read_string(&reader, &back), OK, "%s", reader.error);
            cr_assert(span_equal(back, span_of(bytes, lens[i])));
            cr_assert_eq(rdb_read_byte(&reader, &opcode), OK);
            bool summed = false;
            cr_assert_eq(rdb_read_end(&reader, version, &summed), OK, "%s", reader.error);
            cr_assert(summed);
            rdb_reader_release(&reader);
            buf_release(&file);
            mem_free(bytes);
        }
    }
}

static enum err read_it(struct span bytes, uint64_t size, char error[256], size_t *memory)
{
    struct dripping dripping = {bytes, 0, 100};
    struct rdb_source source = {drip, &dripping};
    struct rdb_reader reader;
    struct span back;

    rdb_reader_init(&reader, &source, size, true);
    enum err err = rdb_read_string(&reader, &back);
    memcpy(error, reader.error, 256);
    *memory = reader.scratch.cap + reader.packed.cap;
    rdb_reader_release(&reader);
    return err;
}

Test(rdb, a_claimed_length_gets_no_memory_before_its_bytes_arrive)
{
    char error[256];
    size_t memory;

    /* 3 GB plain; 4 GB packed in 1 GB: nothing of it comes. */
    cr_assert_eq(read_it(SPAN("\x80\xb0\x00\x00\x00xyz"), RDB_SIZE_UNKNOWN, error, &memory),
                 ERR_IO);
    cr_assert_leq(memory, 3u * 1024 * 1024);
    cr_assert_eq(read_it(SPAN("\xc3\x80\x40\x00\x00\x00\x80\xff\xff\xff\xff\x01z"),
                         RDB_SIZE_UNKNOWN, error, &memory),
                 ERR_IO);
    cr_assert_leq(memory, 3u * 1024 * 1024);
}

Test(rdb, lies_are_told_with_their_place)
{
    static const struct lie {
        struct span bytes;
        uint64_t size;
        const char *text;
    } lies[] = {
        {{"\x81\x7f\0\0\0\0\0\0\0x", 10}, RDB_SIZE_UNKNOWN, "claims to have"},
        {{"\x05xy", 3}, 3, "claims to have 5 bytes where only 2 are left at byte 1"},
        {{"\x82\0", 2}, 2, "Unknown length encoding 0x82"},
        {{"\xc4\0", 2}, 2, "Unknown string encoding 4"},
        {{"\xc3\x01\x40\x59x", 5}, 5, "A packed string claims 89 bytes in 1"},
        {{"\xc3\x00\x05", 3}, 3, "A packed string claims 5 bytes in 0"},
        {{"\xc3\x02\x05\x01\x02", 5}, 5, "Invalid LZF"},
        {{"\xc3\xc0\x05\x01\x02", 5}, 5, "A string form stands in place of a length"},
    };

    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        char error[256];
        size_t memory;
        cr_assert_eq(read_it(lies[i].bytes, lies[i].size, error, &memory), ERR_CORRUPT, "%zu", i);
        cr_assert_not_null(strstr(error, lies[i].text), "%s", error);
    }
}

Test(rdb, the_first_failure_stays)
{
    struct rdb_reader reader;
    uint64_t length;
    uint8_t byte;

    rdb_reader_init_span(&reader, SPAN("\xc4_and_more"));
    reader.key = SPAN("it's\n");
    cr_assert_eq(rdb_read_length(&reader, &length), ERR_CORRUPT);
    cr_assert_not_null(strstr(reader.error, "key 'it\\x27s\\x0a'"), "%s", reader.error);
    char first[256];
    memcpy(first, reader.error, sizeof first);
    cr_assert_eq(rdb_read_byte(&reader, &byte), ERR_CORRUPT);
    cr_assert_str_eq(reader.error, first);
    rdb_reader_release(&reader);
}

Test(rdb, versions_1_to_10_are_read_and_no_others)
{
    static const struct {
        const char *magic;
        bool good;
    } heads[] = {{"REDIS0001", true},  {"REDIS0010", true},  {"REDIS0000", false},
                 {"REDIS0011", false}, {"REDIS00x1", false}, {"RADIS0010", false}};

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct rdb_reader reader;
        int version = 0;
        rdb_reader_init_span(&reader, span_of_cstr(heads[i].magic));
        cr_assert_eq(rdb_read_header(&reader, &version) == OK, heads[i].good, "%s", heads[i].magic);
        rdb_reader_release(&reader);
    }
}
