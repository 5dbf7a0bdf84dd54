/* DEBUG subcommands that look inside and change nothing. */
#include "server/debug_inside.h"

#include "base/mem.h"
#include "server/server.h"
#include "store/digest.h"
#include "store/value_rdb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- data ------------------------------------------------------------------------------------- */

static void reply_hex(struct call *call, const unsigned char digest[static 20])
{
    char text[41];

    for (int i = 0; i < 20; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
    reply_status(call->reply, text);
}

static enum err debug_digest(struct call *call)
{
    unsigned char digest[20];

    digest_store(call->store, digest);
    reply_hex(call, digest);
    return OK;
}

static enum err debug_digest_value(struct call *call)
{
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        struct key key = call_key(call, i);
        const struct entry *entry =
            store_find(call->store, call->db, &key, FIND_NO_TOUCH | FIND_NO_STATS);
        unsigned char digest[20] = {0};
        if (entry != NULL) digest_value(entry, digest);
        reply_hex(call, digest);
    }
    return OK;
}

static enum err debug_object(struct call *call)
{
    struct key key = call_key(call, 2);
    const struct entry *entry =
        store_find(call->store, call->db, &key, FIND_NO_TOUCH | FIND_NO_STATS | FIND_NO_EVENT);
    struct buf payload = {0};

    if (entry == NULL) return ERR_NO_SUCH_KEY;
    value_dump(entry, call->limits->compress, &payload);
    size_t serialized = payload.len - 11; /* without type, version and checksum */
    buf_release(&payload);
    buf_clear(&payload);
    buf_printf(
        &payload,
        "Value at:%p refcount:1 encoding:%s serializedlength:%zu lru:%u lru_seconds_idle:%lld",
        (const void *)entry, entry_encoding_name(entry), serialized, (unsigned)entry_clock(entry),
        (long long)store_idle_seconds(call->store, entry));
    if (entry_type(entry) == TYPE_LIST) debug_describe_list(call, entry, &payload);
    buf_append_char(&payload, '\0');
    reply_status(call->reply, payload.ptr);
    buf_release(&payload);
    return OK;
}

/* ---- structures ------------------------------------------------------------------------------- */

struct occupation {
    size_t items, in_this_bucket, used_buckets;
};

static void count_item(void *context, void *item)
{
    struct occupation *occupation = context;

    (void)item;
    occupation->items++;
    occupation->in_this_bucket++;
}

static void describe_table(struct buf *out, const struct table *table)
{
    struct occupation occupation = {0};
    size_t buckets = table_buckets(table);

    buf_printf(out, "Hash table 0 stats (main hash table):\n");
    if (table_count(table) == 0) {
        buf_printf(out, "No stats available for empty dictionaries\n");
        return;
    }
    for (size_t i = 0; i < buckets; i++) {
        occupation.in_this_bucket = 0;
        table_visit(table, i, count_item, &occupation);
        occupation.used_buckets += occupation.in_this_bucket > 0;
    }
    buf_printf(out,
               " table size: %zu\n number of elements: %zu\n different slots: %zu\n max chain "
               "length: %zu\n avg chain length (counted): %.02f\n avg chain length (computed): "
               "%.02f\n",
               buckets, occupation.items, occupation.used_buckets, table_longest_chain(table),
               (double)occupation.items / (double)occupation.used_buckets,
               (double)table_count(table) / (double)occupation.used_buckets);
}

/* Slots are buckets here, which hold up to nine elements before they get a chain. */
static enum err debug_htstats(struct call *call)
{
    int64_t db;
    struct buf out = {0};

    TRY(call_arg_int64(call, 2, &db));
    if (db < 0 || db >= call->limits->databases)
        return call_fail(call, "ERR Out of range database");
    const struct keyspace *keyspace = store_keyspace(call->store, (int)db);
    buf_printf(&out, "[Dictionary HT]\n");
    describe_table(&out, keyspace->table);
    buf_printf(&out, "[Expires HT]\n");
    if (keyspace->expires == 0) buf_printf(&out, "No stats available for empty dictionaries\n");
    else buf_printf(&out, " number of elements: %zu\n", keyspace->expires);
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}

static enum err find_any(struct call *call, const struct entry **out)
{
    struct key key = call_key(call, 2);

    *out = store_find(call->store, call->db, &key, FIND_NO_TOUCH | FIND_NO_STATS | FIND_NO_EVENT);
    return *out != NULL ? OK : ERR_NO_SUCH_KEY;
}

static enum err debug_htstats_key(struct call *call)
{
    const struct entry *entry;

    TRY(find_any(call, &entry));
    const char *form = entry_encoding_name(entry);
    bool pointed = entry_has_pointer(entry);
    const struct value_ops *ops = pointed ? value_ops(entry_encoding(entry)) : NULL;
    if (strcmp(form, "hashtable") != 0 && strcmp(form, "skiplist") != 0)
        return call_fail(call,
                         "ERR The value stored at the specified key is not represented using an "
                         "hash table");
    struct buf out = {0};
    if (ops != NULL) describe_table(&out, ops->table(entry_pointer(entry)));
    else /* a small one, which has that form to the outside only */
        buf_printf(&out, "Hash table 0 stats (main hash table):\n table size: 0\n");
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}

static enum err debug_structsize(struct call *call)
{
    struct buf out = {0};

    buf_printf(&out, "bits:%zu entry:%zu table:%zu session:%zu", sizeof(void *) * 8,
               sizeof(struct entry), table_memory(store_keyspace(call->store, call->db)->table),
               sizeof(struct session));
    buf_append_char(&out, '\0');
    reply_status(call->reply, out.ptr);
    buf_release(&out);
    return OK;
}

/* ---- the allocator ---------------------------------------------------------------------------- */

static enum err reply_tuning_error(struct call *call, int error)
{
    return call_fail(call, "ERR %s", strerror(error));
}

/* The name of a setting, as the allocator wants it. */
static bool copy_word(struct span word, char out[static 128])
{
    if (word.len >= 128 || memchr(word.ptr, '\0', word.len) != NULL) return false;
    memcpy(out, word.ptr, word.len);
    out[word.len] = '\0';
    return true;
}

static enum err debug_mallctl(struct call *call)
{
    char name[128];
    int64_t set = 0, old = 0;

    if (!copy_word(call->argv[2], name)) return reply_tuning_error(call, ENOENT);
    if (call->argc > 3) TRY(call_arg_int64(call, 3, &set));
    int error = mem_tune_int64(name, call->argc > 3 ? &set : NULL, &old);
    if (error != 0) return reply_tuning_error(call, error);
    reply_int64(call->reply, old);
    return OK;
}

static enum err debug_mallctl_text(struct call *call)
{
    char name[128], set[128];
    const char *old = NULL;
    int error;

    if (!copy_word(call->argv[2], name)) return reply_tuning_error(call, ENOENT);
    if (call->argc > 3 && !copy_word(call->argv[3], set)) return reply_tuning_error(call, EINVAL);
    bool acts = call->argc > 3 && call_arg_is(call, 3, "VOID");
    if (acts) error = mem_tune_act(name);
    else error = mem_tune_text(name, call->argc > 3 ? set : NULL, &old);
    if (error != 0) return reply_tuning_error(call, error);
    if (acts) reply_ok(call->reply);
    else reply_bulk_cstr(call->reply, old);
    return OK;
}

/* ---- the protocol ----------------------------------------------------------------------------- */

static void reply_attribute_example(struct reply *reply)
{
    if (reply->version == 3) {
        reply_attribute(reply, 1);
        reply_bulk_cstr(reply, "key-popularity");
        reply_array(reply, 2);
        reply_bulk_cstr(reply, "key:123");
        reply_int64(reply, 90);
    }
    reply_bulk_cstr(reply, "Some real reply following the attribute");
}

static enum err debug_protocol(struct call *call)
{
    struct reply *reply = call->reply;
    struct span word = call->argv[2];

    if (span_is(word, "string")) reply_bulk_cstr(reply, "Hello World");
    else if (span_is(word, "integer")) reply_int64(reply, 12345);
    else if (span_is(word, "double")) reply_double(reply, 3.141);
    else if (span_is(word, "null")) reply_null(reply);
    else if (span_is(word, "bignum"))
        reply_big_number(reply, SPAN("1234567999999999999999999999999999999"));
    else if (span_is(word, "true")) reply_bool(reply, true);
    else if (span_is(word, "false")) reply_bool(reply, false);
    else if (span_is(word, "verbatim"))
        reply_verbatim(reply, "txt", SPAN("This is a verbatim\nstring"));
    else if (span_is(word, "attrib")) reply_attribute_example(reply);
    else if (span_is(word, "array") || span_is(word, "set")) {
        if (span_is(word, "array")) reply_array(reply, 3);
        else reply_set(reply, 3);
        for (int i = 0; i < 3; i++) reply_int64(reply, i);
    } else if (span_is(word, "map")) {
        reply_map(reply, 3);
        for (int i = 0; i < 3; i++) {
            reply_int64(reply, i);
            reply_bool(reply, i == 1);
        }
    } else if (span_is(word, "push")) {
        if (reply->version == 2)
            return call_fail(call, "ERR RESP2 is not supported by this command");
        reply_push(reply, 2);
        reply_bulk_cstr(reply, "server-cpu-usage");
        reply_int64(reply, 42);
        reply_bulk_cstr(reply, "Some real reply following the push reply");
    } else {
        return call_fail(
            call,
            "ERR Wrong protocol type name. Please use one of the following: "
            "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
    }
    return OK;
}

/* ---- the table -------------------------------------------------------------------------------- */

const struct debug_row debug_looking[] = {
    {"DIGEST", "", "A digest of all data, whatever its order in memory.", 0, 0, debug_digest},
    {"DIGEST-VALUE", "[<key> ...]", "Digests of single values.", 0, -1, debug_digest_value},
    {"HTSTATS", "<dbid>", "How full the table of a database is.", 1, 1, debug_htstats},
    {"HTSTATS-KEY", "<key>", "The same for the table of a value.", 1, 1, debug_htstats_key},
    {"LISTPACK", "<key>", "The inside of a listpack.", 1, 1, debug_listpack},
    {"MALLCTL", "<name> [<value>]", "Reads or sets an integer of the allocator.", 1, 2,
     debug_mallctl},
    {"MALLCTL-STR", "<name> [<value>|VOID]", "Reads or sets a text of the allocator, or acts.", 1,
     2, debug_mallctl_text},
    {"OBJECT", "<key>", "What is known of a key and its value.", 1, 1, debug_object},
    {"PROTOCOL", "<type>", "An example of a type of reply.", 1, 1, debug_protocol},
    {"QUICKLIST", "<key> [<0|1>]", "The inside of a quicklist.", 1, 2, debug_quicklist},
    {"STRUCTSIZE", "", "Sizes of structures.", 0, 0, debug_structsize},
    {NULL, NULL, NULL, 0, 0, NULL},
};
