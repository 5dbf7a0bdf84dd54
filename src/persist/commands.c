#include "persist/commands.h"

#include "base/check.h"
#include "base/num.h"
#include "store/hash.h"
#include "store/list.h"
#include "store/set.h"
#include "store/stream.h"
#include "store/zset.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- RESP --------------------------------------------------------------------------------------- */

static void write_head(struct rdb_writer *writer, char mark, uint64_t count)
{
    char text[NUM_INT64_CHARS + 3];
    size_t len;

    text[0] = mark;
    len = 1 + num_format_uint64(text + 1, count);
    text[len++] = '\r';
    text[len++] = '\n';
    rdb_write_bytes(writer, text, len);
}

static void write_bulk(struct rdb_writer *writer, struct span bytes)
{
    write_head(writer, '$', bytes.len);
    rdb_write_bytes(writer, bytes.ptr, bytes.len);
    rdb_write_bytes(writer, "\r\n", 2);
}

static void write_number(struct rdb_writer *writer, int64_t number)
{
    char digits[NUM_INT64_CHARS];
    write_bulk(writer, span_of(digits, num_format_int64(digits, number)));
}

static void write_id(struct rdb_writer *writer, struct stream_id id)
{
    char text[48];
    int len = snprintf(text, sizeof text, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
    write_bulk(writer, span_of(text, (size_t)len));
}

/* A container's elements in several commands `word key element...`, `parts` arguments an element. */
struct series {
    struct rdb_writer *writer;
    struct span word, key;
    unsigned parts;
    uint64_t left; /* elements that are still to come */
    unsigned in_command;
};

static struct series begin_series(struct rdb_writer *writer, const char *word, struct span key,
                                  unsigned parts, uint64_t count)
{
    return (struct series){writer, span_of_cstr(word), key, parts, count, 0};
}

/* Before each element. */
static void next_element(struct series *series)
{
    if (series->in_command == 0) {
        series->in_command =
            series->left < COMMANDS_ITEMS_MAX ? (unsigned)series->left : COMMANDS_ITEMS_MAX;
        write_head(series->writer, '*', 2 + (uint64_t)series->in_command * series->parts);
        write_bulk(series->writer, series->word);
        write_bulk(series->writer, series->key);
    }
    series->in_command--;
    series->left--;
}

/* ---- types -------------------------------------------------------------------------------------- */

static void write_string(struct rdb_writer *writer, const struct entry *entry)
{
    char scratch[NUM_INT64_CHARS];

    write_head(writer, '*', 3);
    write_bulk(writer, SPAN("SET"));
    write_bulk(writer, entry_key(entry));
    write_bulk(writer, entry_string(entry, scratch));
}

static void write_list(struct rdb_writer *writer, const struct entry *entry)
{
    struct series series = begin_series(writer, "RPUSH", entry_key(entry), 1, list_count(entry));
    struct quicklist_walk walk;
    char scratch[NUM_INT64_CHARS];

    for (bool more = list_walk_open(&walk, entry, 0); more; more = quicklist_walk_next(&walk)) {
        next_element(&series);
        write_bulk(writer, quicklist_walk_text(&walk, scratch));
    }
    quicklist_walk_close(&walk);
}

static void write_set(struct rdb_writer *writer, const struct entry *entry)
{
    struct series series = begin_series(writer, "SADD", entry_key(entry), 1, set_count(entry));
    struct set_walk walk;
    struct set_member member;

    set_walk_begin(&walk, entry);
    while (set_walk_next(&walk, &member)) {
        next_element(&series);
        write_bulk(writer, member.text);
    }
}

static void write_zset(struct rdb_writer *writer, const struct entry *entry)
{
    struct series series = begin_series(writer, "ZADD", entry_key(entry), 2, zset_count(entry));
    struct zset_walk walk;
    struct sorted_key key;
    char score[NUM_DOUBLE_CHARS];

    zset_walk_begin(&walk, entry, zset_whole(entry));
    while (zset_walk_next(&walk, &key)) {
        next_element(&series);
        write_bulk(writer, span_of(score, num_format_double(score, key.score)));
        write_bulk(writer, key.member);
    }
}

static void write_hash(struct rdb_writer *writer, const struct entry *entry)
{
    struct series series = begin_series(writer, "HSET", entry_key(entry), 2, hash_count(entry));
    struct hash_walk walk = hash_walk(entry);
    struct hash_pair pair;

    while (hash_next(&walk, &pair)) {
        next_element(&series);
        write_bulk(writer, pair.field);
        write_bulk(writer, pair.value);
    }
}

/* ---- streams ------------------------------------------------------------------------------------ */

static void write_stream_entries(struct rdb_writer *writer, const struct stream *stream,
                                 struct span key)
{
    struct stream_range range = stream_range_of(stream, (struct stream_id){0, 0},
                                                (struct stream_id){UINT64_MAX, UINT64_MAX}, false);
    const struct stream_entry *found;

    while ((found = stream_range_next(&range)) != NULL) {
        struct stream_pairs pairs = stream_entry_pairs(found);
        struct span name, value;
        write_head(writer, '*', 3 + 2 * found->pair_count);
        write_bulk(writer, SPAN("XADD"));
        write_bulk(writer, key);
        write_id(writer, found->id);
        while (stream_pairs_next(&pairs, &name, &value)) {
            write_bulk(writer, name);
            write_bulk(writer, value);
        }
    }
    if (stream->length > 0) return;
    /* An empty stream is made by an entry that is trimmed at once. */
    write_head(writer, '*', 8);
    write_bulk(writer, SPAN("XADD"));
    write_bulk(writer, key);
    write_bulk(writer, SPAN("MAXLEN"));
    write_bulk(writer, SPAN("="));
    write_bulk(writer, SPAN("0"));
    write_id(writer, (struct stream_id){0, 1});
    write_bulk(writer, SPAN("x"));
    write_bulk(writer, SPAN("y"));
}

static void write_stream_ids(struct rdb_writer *writer, const struct stream *stream,
                             struct span key)
{
    write_head(writer, '*', 7);
    write_bulk(writer, SPAN("XSETID"));
    write_bulk(writer, key);
    write_id(writer, stream->last_id);
    write_bulk(writer, SPAN("ENTRIESADDED"));
    write_number(writer, (int64_t)stream->entries_added);
    write_bulk(writer, SPAN("MAXDELETEDID"));
    write_id(writer, stream->max_deleted_id);
}

static void write_consumer(struct rdb_writer *writer, const struct stream_consumer *consumer,
                           const struct stream_group *group, struct span key)
{
    write_head(writer, '*', 5);
    write_bulk(writer, SPAN("XGROUP"));
    write_bulk(writer, SPAN("CREATECONSUMER"));
    write_bulk(writer, key);
    write_bulk(writer, group->name);
    write_bulk(writer, consumer->name);
    for (struct id_cursor at = id_map_first(&consumer->pending); at.item != NULL;
         id_cursor_next(&at)) {
        const struct stream_nack *nack = at.item->value;
        write_head(writer, '*', 12);
        write_bulk(writer, SPAN("XCLAIM"));
        write_bulk(writer, key);
        write_bulk(writer, group->name);
        write_bulk(writer, consumer->name);
        write_bulk(writer, SPAN("0"));
        write_id(writer, at.item->id);
        write_bulk(writer, SPAN("TIME"));
        write_number(writer, nack->delivered_ms);
        write_bulk(writer, SPAN("RETRYCOUNT"));
        write_number(writer, (int64_t)nack->delivery_count);
        write_bulk(writer, SPAN("JUSTID"));
        write_bulk(writer, SPAN("FORCE"));
    }
}

static void write_stream(struct rdb_writer *writer, const struct entry *entry)
{
    const struct stream *stream = stream_of(entry);
    struct span key = entry_key(entry);

    write_stream_entries(writer, stream, key);
    write_stream_ids(writer, stream, key);
    for (size_t g = 0; g < stream->groups.count; g++) {
        const struct stream_group *group = stream->groups.items[g];
        write_head(writer, '*', 7);
        write_bulk(writer, SPAN("XGROUP"));
        write_bulk(writer, SPAN("CREATE"));
        write_bulk(writer, key);
        write_bulk(writer, group->name);
        write_id(writer, group->last_id);
        write_bulk(writer, SPAN("ENTRIESREAD"));
        write_number(writer, group->entries_read);
        for (size_t c = 0; c < group->consumers.count; c++)
            write_consumer(writer, group->consumers.items[c], group, key);
    }
}

/* ---- keys --------------------------------------------------------------------------------------- */

void commands_write_entry(struct rdb_writer *writer, const struct entry *entry)
{
    static void (*const writers[TYPE_COUNT])(struct rdb_writer *, const struct entry *) = {
        [TYPE_STRING] = write_string, [TYPE_LIST] = write_list, [TYPE_SET] = write_set,
        [TYPE_ZSET] = write_zset,     [TYPE_HASH] = write_hash, [TYPE_STREAM] = write_stream,
    };
    int64_t deadline = entry_deadline(entry);

    writers[entry_type(entry)](writer, entry);
    if (deadline == NO_DEADLINE) return;
    write_head(writer, '*', 3);
    write_bulk(writer, SPAN("PEXPIREAT"));
    write_bulk(writer, entry_key(entry));
    write_number(writer, deadline);
}

void commands_write_select(struct rdb_writer *writer, int db)
{
    write_head(writer, '*', 2);
    write_bulk(writer, SPAN("SELECT"));
    write_number(writer, db);
}

void commands_write_function(struct rdb_writer *writer, struct span code)
{
    write_head(writer, '*', 3);
    write_bulk(writer, SPAN("FUNCTION"));
    write_bulk(writer, SPAN("LOAD"));
    write_bulk(writer, code);
}
