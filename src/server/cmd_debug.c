/* DEBUG: what tests and operators use to look inside and to provoke. Refused unless enable-debug-command allows it. */
#include "handlers.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "persist/loader.h"
#include "server/config.h"
#include "server/persistence.h"
#include "server/replication.h"
#include "store/digest.h"
#include "store/value_rdb.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct debug_row {
    const char *name;
    int args_min, args_max; /* behind the subcommand; -1: any */
    enum err (*run)(struct call *call);
};

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
    buf_append_char(&payload, '\0');
    reply_status(call->reply, payload.ptr);
    buf_release(&payload);
    return OK;
}

static enum err debug_populate(struct call *call)
{
    struct span prefix = call->argc > 3 ? call->argv[3] : SPAN("key");
    int64_t count, size = 0;
    struct buf name = {0}, value = {0};

    TRY(call_arg_int64(call, 2, &count));
    if (count < 0) return ERR_NOT_POSITIVE;
    if (call->argc > 4) TRY(call_arg_int64(call, 4, &size));
    if (size < 0 || (uint64_t)size > call->limits->bulk_bytes_max) return ERR_OUT_OF_RANGE;
    for (int64_t i = 0; i < count; i++) {
        buf_clear(&name);
        buf_printf(&name, "%.*s:%lld", (int)prefix.len, prefix.ptr, (long long)i);
        struct key key = store_key(call->store, buf_span(&name));
        if (store_find(call->store, call->db, &key, FIND_WRITE) != NULL) continue;
        buf_clear(&value);
        buf_printf(&value, "value:%lld", (long long)i);
        if (size > 0) {
            buf_reserve(&value, (size_t)size);
            if (value.len < (size_t)size)
                memset(value.ptr + value.len, 0, (size_t)size - value.len);
            value.len = (size_t)size;
        }
        store_put_string(call->store, call->db, &key, buf_span(&value), TTL_CLEAR, NO_EVENT);
    }
    buf_release(&name);
    buf_release(&value);
    reply_ok(call->reply);
    return OK;
}

/* ---- saving and loading ----------------------------------------------------------------------- */

struct merging {
    struct call *call;
    int db;
    bool keep_ours; /* MERGE; else a key that is there already is an error */
    bool failed;
};

static void merge_entry(void *context, void *item)
{
    struct merging *merging = context;
    const struct entry *entry = item;
    struct store *store = merging->call->store;
    struct key key = store_key(store, entry_key(entry));

    if (keyspace_find(store_keyspace(store, merging->db), &key) == NULL)
        store_put_entry(store, merging->db, &key,
                        entry_copy(entry, key.name, entry_deadline(entry)), NO_EVENT);
    else if (!merging->keep_ours) merging->failed = true;
}

static bool merge_all(struct call *call, const struct loader_outcome *outcome, bool keep_ours)
{
    struct merging merging = {.call = call, .keep_ours = keep_ours};

    for (merging.db = 0; merging.db < outcome->databases && !merging.failed; merging.db++) {
        const struct table *table = outcome->keyspaces[merging.db]->table;
        for (size_t i = 0; i < table_buckets(table) && !merging.failed; i++)
            table_visit(table, i, merge_entry, &merging);
    }
    return !merging.failed;
}

/* Empties (unless NOFLUSH) and loads dbfilename in this thread. MERGE: keys that are there already are kept. */
static enum err load_again(struct call *call, bool flush, bool merge)
{
    struct server *server = call_server(call);
    struct loader_outcome outcome;
    struct loader_options options = {
        .databases = store_databases(server->store),
        .secret = store_keyspace(server->store, 0)->secret,
        .now_ms = server->now_ms,
        .checksum = server->config->rdbchecksum,
        .lfu = server_uses_lfu(server),
        .inline_loading = true,
    };
    struct loader *loader = loader_open_file(server->config->dbfilename, &options);

    loader_take(&loader, &outcome);
    if (outcome.err != OK) {
        log_warning("%s", outcome.error);
        loader_outcome_release(&outcome);
        return call_fail(call, "ERR Error trying to load the RDB dump, check server logs.");
    }
    if (flush) {
        store_replace_all(server->store, outcome.keyspaces);
        mem_free(outcome.keyspaces);
        outcome.keyspaces = NULL;
    } else if (!merge_all(call, &outcome, merge)) {
        loader_outcome_release(&outcome);
        return call_fail(call, "ERR Error trying to load the RDB dump, check server logs.");
    }
    loader_outcome_release(&outcome);
    return OK;
}

static enum err debug_reload(struct call *call)
{
    struct server *server = call_server(call);
    bool save = true, flush = true, merge = false;
    uint64_t dirty = store_dirty(server->store);
    char error[256];

    for (int i = 2; i < call->argc; i++) {
        if (call_arg_is(call, i, "NOSAVE")) save = false;
        else if (call_arg_is(call, i, "NOFLUSH")) flush = false;
        else if (call_arg_is(call, i, "MERGE")) merge = true;
        else
            return call_fail(
                call, "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    }
    persistence_abort_background_save(server);
    if (save && !persistence_save_now(server, error))
        return call_fail(call, "ERR Error trying to save the DB: %s", error);
    TRY(load_again(call, flush, merge));
    store_set_dirty(server->store, save ? 0 : dirty);
    log_warning("DB reloaded by DEBUG RELOAD");
    reply_ok(call->reply);
    return OK;
}

/* ---- provoking -------------------------------------------------------------------------------- */

static enum err debug_sleep(struct call *call)
{
    double seconds;

    TRY(call_arg_double(call, 2, &seconds));
    if (seconds > 0)
        clock_block_us((int64_t)(seconds * 1e6)); /* the whole server stands: that is the point */
    reply_ok(call->reply);
    return OK;
}

static enum err debug_set_active_expire(struct call *call)
{
    struct server *server = call_server(call);

    server->active_expire = !span_equal(call->argv[2], SPAN("0"));
    server_update_policy(server);
    reply_ok(call->reply);
    return OK;
}

static enum err debug_skip_checksum(struct call *call)
{
    call_server(call)->limits.skip_checksum = !span_equal(call->argv[2], SPAN("0"));
    reply_ok(call->reply);
    return OK;
}

static enum err debug_pause_cron(struct call *call)
{
    call_server(call)->cron_paused = !span_equal(call->argv[2], SPAN("0"));
    reply_ok(call->reply);
    return OK;
}

static enum err debug_accepted(struct call *call) /* knobs of machinery that does not exist here */
{
    reply_ok(call->reply);
    return OK;
}

static enum err debug_segfault(struct call *call)
{
    (void)call;
    raise(SIGSEGV);
    return OK;
}

static enum err debug_panic(struct call *call)
{
    (void)call;
    log_warning("------------------------------------------------");
    log_warning("!!! Software Failure. Press left mouse button to continue");
    log_warning("Guru Meditation: called by DEBUG PANIC");
    log_warning("------------------------------------------------");
    raise(SIGABRT);
    return OK;
}

static enum err debug_assert(struct call *call)
{
    (void)call;
    log_warning("=== ASSERTION FAILED ===");
    log_warning("==> called by DEBUG ASSERT");
    raise(SIGABRT);
    return OK;
}

static enum err debug_oom(struct call *call)
{
    (void)call;
    log_warning("Out Of Memory allocating 9223372036854775807 bytes: called by DEBUG OOM");
    raise(SIGABRT);
    return OK;
}

static enum err restart(struct call *call, bool crash)
{
    struct server *server = call_server(call);
    char error[256];

    if (!crash && persistence_has_save_points(server)) persistence_save_now(server, error);
    log_warning("Restarting: called by DEBUG %s", crash ? "CRASH-AND-RECOVER" : "RESTART");
    server->restart = true;
    loop_stop(server->loop);
    reply_ok(call->reply);
    return OK;
}

static enum err debug_restart(struct call *call)
{
    return restart(call, false);
}
static enum err debug_crash_and_recover(struct call *call)
{
    return restart(call, true);
}

static enum err debug_error(struct call *call)
{
    return call_fail(call, "%.*s", (int)(call->argv[2].len < 200 ? call->argv[2].len : 200),
                     call->argv[2].ptr);
}

static enum err debug_log(struct call *call)
{
    log_warning("DEBUG LOG: %.*s", (int)call->argv[2].len, call->argv[2].ptr);
    reply_ok(call->reply);
    return OK;
}

static enum err debug_config_rewrite(struct call *call)
{
    char error[512];

    if (!config_rewrite(call_server(call)->config, true, error))
        return call_fail(call, "%s", error);
    reply_ok(call->reply);
    return OK;
}

/* ---- replication ------------------------------------------------------------------------------ */

static enum err debug_replicate(struct call *call)
{
    call_effect(call, call->argc - 2, call->argv + 2);
    reply_ok(call->reply);
    return OK;
}

static enum err debug_change_repl_id(struct call *call)
{
    log_notice("Changing replication IDs after receiving change-repl-id");
    journal_new_history(call_server(call)->journal);
    reply_ok(call->reply);
    return OK;
}

/* ---- looking ---------------------------------------------------------------------------------- */

static enum err reply_table(struct call *call, const struct table *table)
{
    struct buf out = {0};

    buf_printf(&out,
               "[Dictionary HT]\nHash table 0 stats (main hash table):\n table size: %zu\n number "
               "of elements: %zu\n",
               table_buckets(table), table_count(table));
    buf_printf(&out, " max chain length: %zu\n", table_longest_chain(table));
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}

static enum err debug_htstats(struct call *call)
{
    int64_t db;

    TRY(call_arg_int64(call, 2, &db));
    if (db < 0 || db >= call->limits->databases)
        return call_fail(call, "ERR Out of range database");
    return reply_table(call, store_keyspace(call->store, (int)db)->table);
}

static enum err debug_stringmatch(struct call *call)
{
    int64_t len;

    TRY(call_arg_int64(call, 2, &len));
    reply_ok(call->reply);
    return OK;
}

static void reply_attribute_example(struct reply *reply)
{
    reply_attribute(reply, 1);
    if (reply->version == 3) {
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
            call, "ERR Wrong protocol type name. Please use one of the following: "
                  "string|integer|double|null|array|set|map|attrib|push|verbatim|true|false");
    }
    return OK;
}

static enum err debug_help(struct call *call);

static const struct debug_row rows[] = {
    {"ASSERT", 0, 0, debug_assert},
    {"CHANGE-REPL-ID", 0, 0, debug_change_repl_id},
    {"CONFIG-REWRITE-FORCE-ALL", 0, 0, debug_config_rewrite},
    {"CRASH-AND-RECOVER", 0, 1, debug_crash_and_recover},
    {"DIGEST", 0, 0, debug_digest},
    {"DIGEST-VALUE", 0, -1, debug_digest_value},
    {"DROP-CLUSTER-PACKET-FILTER", 1, 1, debug_accepted},
    {"ERROR", 1, 1, debug_error},
    {"HELP", 0, 0, debug_help},
    {"HTSTATS", 1, 2, debug_htstats},
    {"LOG", 1, 1, debug_log},
    {"OBJECT", 1, 2, debug_object},
    {"OOM", 0, 0, debug_oom},
    {"PANIC", 0, 0, debug_panic},
    {"PAUSE-CRON", 1, 1, debug_pause_cron},
    {"POPULATE", 1, 3, debug_populate},
    {"PROTOCOL", 1, 1, debug_protocol},
    {"QUICKLIST-PACKED-THRESHOLD", 1, 1, debug_accepted},
    {"RELOAD", 0, -1, debug_reload},
    {"REPLICATE", 1, -1, debug_replicate},
    {"REPLYBUFFER", 2, 2, debug_accepted},
    {"RESTART", 0, 1, debug_restart},
    {"SEGFAULT", 0, 0, debug_segfault},
    {"SET-ACTIVE-EXPIRE", 1, 1, debug_set_active_expire},
    {"SET-DISABLE-DENY-SCRIPTS", 1, 1, debug_accepted},
    {"SET-SKIP-CHECKSUM-VALIDATION", 1, 1, debug_skip_checksum},
    {"SLEEP", 1, 1, debug_sleep},
    {"STRINGMATCH-LEN", 2, 2, debug_stringmatch},
};

static enum err debug_help(struct call *call)
{
    size_t count = sizeof rows / sizeof *rows;

    reply_array(call->reply, (int64_t)count + 1);
    reply_status(call->reply, "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (size_t i = 0; i < count; i++) reply_status(call->reply, rows[i].name);
    return OK;
}

enum err cmd_debug(struct call *call)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!span_is(call->argv[1], rows[i].name)) continue;
        int args = call->argc - 2;
        if (args < rows[i].args_min || (rows[i].args_max >= 0 && args > rows[i].args_max)) break;
        return rows[i].run(call);
    }
    return call_fail(
        call, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.",
        (int)(call->argv[1].len < 128 ? call->argv[1].len : 128), call->argv[1].ptr);
}
