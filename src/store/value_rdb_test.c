/* DUMP payloads as Redis 7.0.15 makes them, and RESTORE of what it would and would not take. */
#include "base/hash.h"
#include "base/mem.h"
#include "store/value_rdb.h"
#include <criterion/criterion.h>

static const struct value_settings settings = {.list_max_listpack_size = -2};
#define TARGET(key, deadline) (&(struct value_target){SPAN(key), (deadline), &settings})

static void expect_dump(struct span value, bool raw, struct span payload)
{
    struct entry *entry = entry_new_string(SPAN("k"), NO_DEADLINE, value, raw);
    struct buf out = {0};

    value_dump(entry, true, &out);
    cr_assert(span_equal(buf_span(&out), payload), "%.*s", (int)value.len, value.ptr);
    buf_release(&out);

    struct entry *back = NULL;
    char scratch[NUM_INT64_CHARS];
    cr_assert_eq(value_restore(payload, false, TARGET("other", 17), &back, NULL), OK);
    cr_assert(span_equal(entry_string(back, scratch), value));
    cr_assert(span_equal(entry_key(back), SPAN("other")));
    cr_assert_eq(entry_deadline(back), 17);
    entry_free(back);
    entry_free(entry);
}
#define DUMP(value, payload) expect_dump(SPAN(value), false, SPAN(payload))

Test(value_rdb, dump_gives_the_bytes_of_redis)
{
    DUMP("12", "\x00\xc0\x0c\n\x00<*\xf8Q\\\x04\xbc\xd5");
    DUMP("-129", "\x00\xc1\x7f\xff\n\x00\x17`\x82(T\x80\x84\x80");
    DUMP("-32769", "\x00\xc2\xff\x7f\xff\xff\n\x00\xae\xe3LM\x06\xc6\x85"
                   "6");
    DUMP("2147483648", "\x00\n2147483648\n\x00\xe7\xb1)\xa3L\x1dv\xee");
    DUMP("99999999999", "\x00\x0b"
                        "99999999999\n\x00#\xb0H\xfb\x0e\xdb\xef\x7f");
    DUMP("012", "\x00\x03"
                "012\n\x00\x8fTc\xe9T~\xeb\x0c");
    DUMP("", "\x00\x00\n\x00]\x9b\\@\x0f\x7f\xa2\xda");
    expect_dump(SPAN("12"), true, SPAN("\x00\xc0\x0c\n\x00<*\xf8Q\\\x04\xbc\xd5"));
}

/* A payload around a body, with a right checksum. */
static struct buf payload_of(struct span body, unsigned version)
{
    struct buf payload = {0};
    uint64_t crc;

    buf_append_span(&payload, body);
    buf_append_char(&payload, (char)version);
    buf_append_char(&payload, (char)(version >> 8));
    crc = crc64(0, payload.ptr, payload.len);
    buf_append(&payload, &crc, sizeof crc);
    return payload;
}

static enum err restore(struct span body, unsigned version, char why[256])
{
    struct buf payload = payload_of(body, version);
    struct entry *entry = NULL;
    enum err err = value_restore(buf_span(&payload), false, TARGET("k", NO_DEADLINE), &entry, why);

    if (err == OK) entry_free(entry);
    buf_release(&payload);
    return err;
}

Test(value_rdb, restore_takes_only_sound_payloads)
{
    char why[256];
    struct entry *entry;

    cr_assert_eq(restore(SPAN("\x00\x02ow"), 10, why), OK);
    cr_assert_eq(restore(SPAN("\x00\x02ow"), 0, why), OK);
    cr_assert_eq(restore(SPAN("\x00\x02ow"), 11, why), ERR_BAD_PAYLOAD);
    cr_assert_eq(restore(SPAN("\x00\x05ow"), 10, why), ERR_BAD_DATA);
    cr_assert_not_null(strstr(why, "claims to have 5 bytes"), "%s", why);
    cr_assert_eq(restore(SPAN("\x00\x02owl"), 10, why), ERR_BAD_DATA);
    cr_assert_eq(restore(SPAN(""), 10, why), ERR_BAD_DATA);
    cr_assert_eq(restore(SPAN("\x08\x02ow"), 10, why), ERR_BAD_DATA);
    cr_assert_eq(restore(SPAN("\xfe\x02ow"), 10, why), ERR_BAD_DATA);
    cr_assert_eq(value_restore(SPAN("123456789"), false, TARGET("k", 0), &entry, why),
                 ERR_BAD_PAYLOAD);
    cr_assert_eq(value_restore(SPAN("\x00\x02ow\n\x00"
                                    "12345678"),
                               false, TARGET("k", 0), &entry, why),
                 ERR_BAD_PAYLOAD);
}

Test(value_rdb, a_type_that_cannot_be_loaded_is_named)
{
    for (unsigned type = 0; type < 256; type++) {
        char body[2] = {(char)type, 0}, why[256];
        if (value_rdb_readable((uint8_t)type)) continue;
        cr_assert_eq(restore(span_of(body, 2), 10, why), ERR_BAD_DATA);
        const char *name = value_rdb_type_name((uint8_t)type);
        cr_assert_not_null(strstr(why, name != NULL ? name : "Unknown RDB type"), "%s", why);
    }
}

Test(value_rdb, the_checksum_can_be_skipped_but_nothing_else)
{
    struct entry *entry = NULL;

    cr_assert_eq(value_restore(SPAN("\x00\x02ow\n\x00"
                                    "12345678"),
                               true, TARGET("k", NO_DEADLINE), &entry, NULL),
                 OK);
    entry_free(entry);
    cr_assert_eq(value_restore(SPAN("\x00\x02ow\x0b\x00"
                                    "12345678"),
                               true, TARGET("k", NO_DEADLINE), &entry, NULL),
                 ERR_BAD_PAYLOAD);
    cr_assert_eq(value_restore(SPAN("\x00\x03ow\n\x00"
                                    "12345678"),
                               true, TARGET("k", NO_DEADLINE), &entry, NULL),
                 ERR_BAD_DATA);
}

Test(value_rdb, every_length_of_string_survives)
{
    static const size_t lens[] = {1, 20, 21, 44, 45, 65535, 65536, 65537, 70000, 3000000};

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        for (int packs = 0; packs < 2; packs++) {
            char *bytes = mem_alloc(lens[i]), scratch[NUM_INT64_CHARS];
            uint64_t state = 1;
            for (size_t at = 0; at < lens[i]; at++) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                bytes[at] = packs ? 'x' : (char)(state >> 56);
            }
            struct entry *entry =
                entry_new_string(SPAN("k"), NO_DEADLINE, span_of(bytes, lens[i]), false);
            struct entry *back = NULL;
            struct buf payload = {0};
            value_dump(entry, true, &payload);
            cr_assert_eq(
                value_restore(buf_span(&payload), false, TARGET("k", NO_DEADLINE), &back, NULL),
                OK);
            cr_assert(span_equal(entry_string(back, scratch), span_of(bytes, lens[i])));
            cr_assert_eq(entry_encoding(back), entry_encoding(entry));
            buf_release(&payload);
            entry_free(entry);
            entry_free(back);
            mem_free(bytes);
        }
    }
}
