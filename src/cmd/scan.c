/* KEYS, SCAN, RANDOMKEY, and what all scans share. Keys past their deadline are never shown, whoever is to delete them. */
#include "cmd/scan.h"

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
    bool deletes;               /* what is past its deadline: SCAN does, KEYS does not */
    int64_t count;
    struct buf expired; /* names found past their deadline: u32 length, bytes */
};

static bool has_type(const struct listing *listing, const struct entry *entry)
{
    return listing->type == NULL || span_is(*listing->type, value_type_name(entry_type(entry)));
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

    if (listing->pattern != NULL && !glob_match(*listing->pattern, entry_key(entry), false)) return;
    if (is_past(listing->call, entry)) { /* also where it is of another type */
        if (listing->deletes) note_expired(listing, entry);
        return;
    }
    if (!has_type(listing, entry)) return;
    reply_bulk(listing->call->reply, entry_key(entry));
    listing->count++;
}

/* The table must not change while it is walked: what was found expired is deleted afterwards, through the door. */
static void delete_expired(struct listing *listing)
{
    struct call *call = listing->call;
    unsigned looks = listing->type == NULL ? FIND_WRITE : 0; /* who asks for a type misses a key */

    for (size_t at = 0; at < listing->expired.len;) {
        uint32_t len;
        memcpy(&len, listing->expired.ptr + at, sizeof len);
        struct key key =
            store_key(call->store, span_of(listing->expired.ptr + at + sizeof len, len));
        store_find(call->store, call->db, &key, looks);
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
    return OK;
}

/* ---- SCAN and its relatives ---------------------------------------------------------------------- */

/* A cursor as Redis 7.0.15 reads it: a sign may stand before it, and nothing at all is 0. */
enum err scan_parse_cursor(const struct call *call, int index, uint64_t *cursor)
{
    struct span text = call->argv[index];
    bool negative = text.len > 0 && text.ptr[0] == '-';

    *cursor = 0;
    if (text.len == 0) return OK;
    if (negative || text.ptr[0] == '+') text = (struct span){text.ptr + 1, text.len - 1};
    while (text.len > 1 && text.ptr[0] == '0') text = (struct span){text.ptr + 1, text.len - 1};
    if (!num_parse_uint64(text, cursor)) return ERR_BAD_CURSOR;
    if (negative) *cursor = 0 - *cursor;
    return OK;
}

enum err scan_parse_options(struct call *call, int from, struct scan *scan)
{
    scan->count = 10;
    for (int i = from; i < call->argc; i += 2) {
        bool has_value = i + 1 < call->argc;
        if (has_value && call_arg_is(call, i, "COUNT")) {
            TRY(call_arg_int64(call, i + 1, &scan->count));
            if (scan->count < 1) return ERR_SYNTAX;
        } else if (has_value && call_arg_is(call, i, "MATCH")) {
            scan->pattern = span_equal(call->argv[i + 1], SPAN("*")) ? NULL : &call->argv[i + 1];
        } else if (has_value && scan->entry == NULL && call_arg_is(call, i, "TYPE")) {
            scan->type = &call->argv[i + 1];
        } else {
            return ERR_SYNTAX;
        }
    }
    return OK;
}

enum err scan_begin(struct call *call, enum value_type type, struct scan *scan)
{
    *scan = (struct scan){.call = call};
    TRY(scan_parse_cursor(call, 2, &scan->cursor));
    TRY(call_find(call, 1, type, &scan->entry));
    if (scan->entry != NULL) return scan_parse_options(call, 3, scan);
    reply_array(call->reply, 2);
    reply_bulk_int64(call->reply, 0);
    reply_array(call->reply, 0);
    return OK;
}

bool scan_wants(struct scan *scan, struct span name)
{
    scan->visited++;
    if (scan->pattern != NULL && !glob_match(*scan->pattern, name, false)) return false;
    scan->found++;
    return true;
}

void scan_run(struct scan *scan, uint64_t (*step)(struct scan *scan, uint64_t cursor), int replies)
{
    struct reply *reply = scan->call->reply;
    /* The cursor comes first in the reply and is known last. */
    struct buf *real = reply->out, found = {0};
    int64_t steps = 0, steps_max = scan->count > INT64_MAX / 10 ? INT64_MAX : scan->count * 10;

    reply->out = &found;
    do {
        scan->cursor = step(scan, scan->cursor);
    } while (scan->cursor != 0 && scan->visited < scan->count && ++steps < steps_max);
    reply->out = real;
    reply_array(reply, 2);
    reply_bulkf(reply, "%llu", (unsigned long long)scan->cursor);
    reply_array(reply, scan->found * replies);
    reply_raw(reply, buf_span(&found));
    buf_release(&found);
}

struct key_scan {
    struct scan scan;
    struct listing listing;
};

static void scan_entry(void *context, void *item)
{
    struct key_scan *keys = context;

    keys->scan.visited++;
    list_entry(&keys->listing, item);
}

static uint64_t scan_keys(struct scan *scan, uint64_t cursor)
{
    struct key_scan *keys = scan->context;
    struct call *call = scan->call;

    cursor = table_scan(store_keyspace(call->store, call->db)->table, cursor, scan_entry, keys);
    scan->found = keys->listing.count;
    return cursor;
}

enum err cmd_scan(struct call *call)
{
    struct key_scan keys = {.scan = {.call = call, .context = &keys},
                            .listing = {.call = call, .deletes = true}};

    TRY(scan_parse_cursor(call, 1, &keys.scan.cursor));
    TRY(scan_parse_options(call, 2, &keys.scan));
    keys.listing.pattern = keys.scan.pattern;
    keys.listing.type = keys.scan.type;
    scan_run(&keys.scan, scan_keys, 1);
    delete_expired(&keys.listing);
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
