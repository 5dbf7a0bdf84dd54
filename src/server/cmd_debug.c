/* DEBUG: what tests and operators use to look inside and to provoke. Refused unless enable-debug-command allows it. */
#include "handlers.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "persist/loader.h"
#include "server/aof.h"
#include "server/client_eviction.h"
#include "server/config.h"
#include "server/debug_inside.h"
#include "server/persistence.h"
#include "server/replication.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum err debug_unknown(struct call *call)
{
    return call_bad_subcommand(call);
}

/* ---- data ------------------------------------------------------------------------------------- */

static enum err debug_populate(struct call *call)
{
    struct span prefix = call->argc > 3 ? call->argv[3] : SPAN("key");
    int64_t count, size = 0;
    struct buf name = {0}, value = {0};

    if (!num_parse_int64(call->argv[2], &count) || count < 0) return ERR_NOT_POSITIVE;
    if (call->argc > 4 && (!num_parse_int64(call->argv[4], &size) || size < 0))
        return ERR_NOT_POSITIVE;
    if ((uint64_t)size > call->limits->bulk_bytes_max) return ERR_OUT_OF_RANGE;
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
    struct loader_options options = persistence_loader_options(server);

    options.inline_loading = true;
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
        functions_replace_all(&server->functions, outcome.functions, outcome.function_count);
        outcome.functions = NULL;
        outcome.function_count = 0;
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

static enum err debug_loadaof(struct call *call)
{
    if (!aof_reload(call_server(call)))
        return call_fail(call, "ERR Error trying to load the AOF files, check server logs.");
    log_warning("Append Only File loaded by DEBUG LOADAOF");
    reply_ok(call->reply);
    return OK;
}

/* ---- provoking -------------------------------------------------------------------------------- */

static enum err debug_sleep(struct call *call)
{
    double seconds;

    if (num_parse_double(call->argv[2], &seconds) && seconds > 0)
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

static enum err debug_packed_threshold(struct call *call)
{
    uint64_t bytes;

    if (!num_parse_memory(call->argv[2], &bytes) || bytes >= 4ull << 30)
        return call_fail(call,
                         "ERR argument must be a memory value bigger than 1 and smaller than 4gb");
    store_settings(call->store)->list_plain_bytes_min = bytes;
    reply_ok(call->reply);
    return OK;
}

static enum err debug_reply_buffer(struct call *call)
{
    int64_t ms;

    if (call_arg_is(call, 2, "PEAK-RESET-TIME")) {
        if (!call_arg_is(call, 3, "NEVER") && !call_arg_is(call, 3, "RESET"))
            TRY(call_arg_int64(call, 3, &ms));
    } else if (!call_arg_is(call, 2, "RESIZING")) {
        return debug_unknown(call);
    }
    reply_ok(call->reply); /* reply buffers go back to the pool by themselves */
    return OK;
}

static enum err debug_cluster_link(struct call *call)
{
    return call_fail(call, "ERR Debug option only available for cluster mode enabled setup!");
}

static enum err debug_client_eviction(struct call *call)
{
    struct buf out = {0};

    if (!clients_describe(call_server(call), &out))
        return call_fail(call, "ERR maxmemory-clients is disabled.");
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}

static enum err debug_leak(struct call *call)
{
    char *lost = mem_alloc(call->argv[2].len + 1);

    memcpy(lost, call->argv[2].ptr, call->argv[2].len); /* never freed: that is the point */
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

/* ---- the table -------------------------------------------------------------------------------- */

static enum err debug_help(struct call *call);

static const struct debug_row acting[] = {
    {"ASSERT", "", "Ends the process as a failed assertion does.", 0, 0, debug_assert},
    {"CHANGE-REPL-ID", "", "Begins a new replication history.", 0, 0, debug_change_repl_id},
    {"CLIENT-EVICTION", "", "Shows the pools of client eviction.", 0, 0, debug_client_eviction},
    {"CLUSTERLINK", "KILL <to|from|all> <node-id>", "Only in cluster mode.", 3, 3,
     debug_cluster_link},
    {"CONFIG-REWRITE-FORCE-ALL", "", "CONFIG REWRITE with every directive.", 0, 0,
     debug_config_rewrite},
    {"CRASH-AND-RECOVER", "[<milliseconds>]", "Starts anew without saving.", 0, 1,
     debug_crash_and_recover},
    {"DROP-CLUSTER-PACKET-FILTER", "<packet-type>", "Accepted: there is no cluster bus.", 1, 1,
     debug_accepted},
    {"ERROR", "<string>", "Replies with the string as an error.", 1, 1, debug_error},
    {"HELP", "", "Lists the subcommands.", 0, 0, debug_help},
    {"LEAK", "<string>", "Loses a copy of the string.", 1, 1, debug_leak},
    {"LOG", "<message>", "Writes the message into the log.", 1, 1, debug_log},
    {"OOM", "", "Ends the process as a lack of memory does.", 0, 0, debug_oom},
    {"PANIC", "", "Ends the process as an impossible state does.", 0, 0, debug_panic},
    {"PAUSE-CRON", "<0|1>", "Stops or resumes periodic work.", 1, 1, debug_pause_cron},
    {"POPULATE", "<count> [<prefix>] [<size>]",
     "Makes string keys <prefix>:0, <prefix>:1... that are not there; not replicated.", 1, 3,
     debug_populate},
    {"QUICKLIST-PACKED-THRESHOLD", "<size>",
     "From how many bytes on an element of a list is a node of its own.", 1, 1,
     debug_packed_threshold},
    {"LOADAOF", "", "Empties, and loads the append only files.", 0, 0, debug_loadaof},
    {"RELOAD", "[NOSAVE] [NOFLUSH] [MERGE]", "Saves, empties, and loads the RDB file.", 0, -1,
     debug_reload},
    {"REPLICATE", "<command> [<arg> ...]", "Puts a command into the log without executing it.", 1,
     -1, debug_replicate},
    {"REPLYBUFFER", "<PEAK-RESET-TIME|RESIZING> <value>", "Accepted: buffers are pooled.", 2, 2,
     debug_reply_buffer},
    {"RESTART", "[<milliseconds>]", "Saves and starts anew.", 0, 1, debug_restart},
    {"SEGFAULT", "", "Ends the process as a bad pointer does.", 0, 0, debug_segfault},
    {"SET-ACTIVE-EXPIRE", "<0|1>", "Whether keys expire without being looked at.", 1, 1,
     debug_set_active_expire},
    {"SET-DISABLE-DENY-SCRIPTS", "<0|1>", "Accepted: there are no scripts.", 1, 1, debug_accepted},
    {"SET-SKIP-CHECKSUM-VALIDATION", "<0|1>", "Whether RESTORE looks at checksums.", 1, 1,
     debug_skip_checksum},
    {"SLEEP", "<seconds>", "Stops everything for so long; decimals allowed.", 1, 1, debug_sleep},
    {NULL, NULL, NULL, 0, 0, NULL},
};

static int help_rows(struct call *call, const struct debug_row *row)
{
    int lines = 0;

    for (; row->name != NULL; row++, lines += 2) {
        char line[128];
        snprintf(line, sizeof line, "%s%s%s", row->name, row->arguments[0] != '\0' ? " " : "",
                 row->arguments);
        reply_status(call->reply, line);
        snprintf(line, sizeof line, "    %s", row->help);
        reply_status(call->reply, line);
    }
    return lines;
}

static enum err debug_help(struct call *call)
{
    size_t header = reply_defer(call->reply);
    int lines = 1;

    reply_status(call->reply, "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    lines += help_rows(call, acting);
    lines += help_rows(call, debug_looking);
    reply_settle(call->reply, header, REPLY_ARRAY, lines);
    return OK;
}

static const struct debug_row *find_row(const struct debug_row *row, struct span name)
{
    while (row->name != NULL && !span_is(name, row->name)) row++;
    return row->name != NULL ? row : NULL;
}

enum err cmd_debug(struct call *call)
{
    const struct debug_row *row = find_row(acting, call->argv[1]);
    int args = call->argc - 2;

    if (row == NULL) row = find_row(debug_looking, call->argv[1]);
    if (row == NULL || args < row->args_min || (row->args_max >= 0 && args > row->args_max))
        return debug_unknown(call);
    return row->run(call);
}
