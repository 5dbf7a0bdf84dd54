/* KEYS, SCAN, RANDOMKEY. Keys past their deadline are never shown, whoever is to delete them. */
#include "cmd/call.h"
#include "handlers.h"

#include "base/glob.h"
#include "base/mem.h"

static bool is_past(const struct call *call, const struct entry *entry)
{
    int64_t deadline_ms = entry_deadline(entry);
    return deadline_ms != NO_DEADLINE && deadline_ms < call->now_ms;
}

struct listing {
    struct call *call;
    const struct span *pattern; /* NULL: all */
    const struct span *type;    /* NULL: any; a word that no type has matches nothing */
    int64_t count;
    struct buf expired; /* names found past their deadline: u32 length, bytes */
};

static bool wanted(const struct listing *listing, const struct entry *entry)
{
    if (listing->type != NULL && !span_is(*listing->type, value_type_name(entry_type(entry))))
        return false;
    return listing->pattern == NULL || glob_match(*listing->pattern, entry_key(entry), false);
}

static void note_expired(struct listing *listing, const struct entry *entry)
{
    struct span name = entry_key(entry);
    uint32_t len = (uint32_t)name.len;

    if (store_policy(listing->call->store)->is_replica) return;
    buf_append(&listing->expired, &len, sizeof len);
    buf_append_span(&listing->expired, name);
}

static void list_entry(void *context, void *item)
{
    struct listing *listing = context;
    const struct entry *entry = item;

    if (!wanted(listing, entry)) return;
    if (is_past(listing->call, entry)) {
        note_expired(listing, entry);
        return;
    }
    reply_bulk(listing->call->reply, entry_key(entry));
    listing->count++;
}

/* The table must not change while it is walked: what was found expired is deleted afterwards, through the door. */
static void delete_expired(struct listing *listing)
{
    struct call *call = listing->call;

    for (size_t at = 0; at < listing->expired.len;) {
        uint32_t len;
        memcpy(&len, listing->expired.ptr + at, sizeof len);
        struct key key =
            store_key(call->store, span_of(listing->expired.ptr + at + sizeof len, len));
        store_find(call->store, call->db, &key, FIND_WRITE);
        at += sizeof len + len;
    }
    buf_release(&listing->expired);
}

enum err cmd_keys(struct call *call)
{
    struct table *table = store_keyspace(call->store, call->db)->table;
    bool all = span_equal(call->argv[1], SPAN("*"));
    struct listing listing = {.call = call, .pattern = all ? NULL : &call->argv[1]};
    size_t position = reply_defer(call->reply);

    for (size_t i = 0; i < table_buckets(table); i++) table_visit(table, i, list_entry, &listing);
    reply_settle(call->reply, position, REPLY_ARRAY, listing.count);
    delete_expired(&listing);
    return OK;
}

/* A cursor as Redis 7.0.15 reads it: a sign may stand before it, and nothing at all is 0. */
static bool parse_cursor(struct span text, uint64_t *cursor)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';

    *cursor = 0;
    if (text.len == 0) return true;
    if (negative || text.ptr[0] == '+') text = (struct span){text.ptr + 1, text.len - 1};
    while (text.len > 1 && text.ptr[0] == '0') text = (struct span){text.ptr + 1, text.len - 1};
    if (!num_parse_uint64(text, cursor)) return false;
    if (negative) *cursor = 0 - *cursor;
    return true;
}

static enum err parse_scan(struct call *call, struct listing *listing, uint64_t *cursor,
                           int64_t *count)
{
    if (!parse_cursor(call->argv[1], cursor)) return ERR_BAD_CURSOR;
    for (int i = 2; i < call->argc; i += 2) {
        bool has_value = i + 1 < call->argc;
        if (has_value && call_arg_is(call, i, "COUNT")) {
            TRY(call_arg_int64(call, i + 1, count));
            if (*count < 1) return ERR_SYNTAX;
        } else if (has_value && call_arg_is(call, i, "MATCH")) {
            listing->pattern = span_equal(call->argv[i + 1], SPAN("*")) ? NULL : &call->argv[i + 1];
        } else if (has_value && call_arg_is(call, i, "TYPE")) {
            listing->type = &call->argv[i + 1];
        } else {
            return ERR_SYNTAX;
        }
    }
    return OK;
}

struct scan_step {
    struct listing *listing;
    int64_t visited;
};

static void scan_entry(void *context, void *item)
{
    struct scan_step *step = context;

    step->visited++;
    list_entry(step->listing, item);
}

enum err cmd_scan(struct call *call)
{
    struct table *table = store_keyspace(call->store, call->db)->table;
    struct listing listing = {.call = call};
    struct scan_step step = {.listing = &listing};
    uint64_t cursor;
    int64_t count = 10;

    TRY(parse_scan(call, &listing, &cursor, &count));
    /* The cursor comes first in the reply and is known last. */
    struct buf *real = call->reply->out, found = {0};
    call->reply->out = &found;
    int64_t buckets = 0, buckets_max = count > INT64_MAX / 10 ? INT64_MAX : count * 10;
    do {
        cursor = table_scan(table, cursor, scan_entry, &step);
    } while (cursor != 0 && step.visited < count && ++buckets < buckets_max);
    call->reply->out = real;
    reply_array(call->reply, 2);
    reply_bulkf(call->reply, "%llu", (unsigned long long)cursor);
    reply_array(call->reply, listing.count);
    reply_raw(call->reply, buf_span(&found));
    buf_release(&found);
    delete_expired(&listing);
    return OK;
}

enum {
    RANDOM_TRIES = 100
}; /* a replica whose keys are nearly all past their deadline answers null in the end */

enum err cmd_randomkey(struct call *call)
{
    struct table *table = store_keyspace(call->store, call->db)->table;

    for (int i = 0; i < RANDOM_TRIES; i++) {
        const struct entry *entry = table_random(table, store_random(call->store));
        if (entry == NULL) break;
        if (is_past(call, entry)) {
            struct buf name = {0};
            buf_append_span(&name, entry_key(entry));
            struct key key = store_key(call->store, buf_span(&name));
            store_find(call->store, call->db, &key, FIND_WRITE); /* deletes it where we may */
            buf_release(&name);
            continue;
        }
        reply_bulk(call->reply, entry_key(entry));
        return OK;
    }
    reply_null(call->reply);
    return OK;
}
