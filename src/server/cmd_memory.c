/* MEMORY: what keys and the server occupy. */
#include "handlers.h"

#include "base/mem.h"
#include "server/aof.h"
#include "server/config.h"
#include "server/info_inside.h"

/* ---- USAGE ------------------------------------------------------------------------------------ */

/* Sizes are known exactly here, however many elements a value has: SAMPLES is checked and has no further effect. */
enum err cmd_memory_usage(struct call *call)
{
    int64_t samples;

    for (int i = 3; i < call->argc; i += 2) {
        if (!call_arg_is(call, i, "SAMPLES") || i + 1 >= call->argc) return ERR_SYNTAX;
        TRY(call_arg_int64(call, i + 1, &samples));
        if (samples < 0) return ERR_SYNTAX;
    }
    struct key key = call_key(call, 2);
    const struct entry *entry =
        store_find(call->store, call->db, &key, FIND_NO_TOUCH | FIND_NO_STATS | FIND_NO_EVENT);
    if (entry == NULL) reply_null(call->reply);
    else reply_int64(call->reply, (int64_t)entry_memory(entry));
    return OK;
}

/* ---- STATS ------------------------------------------------------------------------------------ */

static void reply_count(struct reply *reply, const char *name, int64_t value)
{
    reply_bulk_cstr(reply, name);
    reply_int64(reply, value);
}

/* Redis computes these in single precision, and its digits show it. */
static void reply_ratio(struct reply *reply, const char *name, double part, double whole)
{
    reply_bulk_cstr(reply, name);
    reply_double(reply, whole == 0 ? 0 : (double)(float)(part / whole));
}

static int reply_databases(struct call *call)
{
    int shown = 0;

    for (int db = 0; db < store_databases(call->store); db++) {
        const struct keyspace *keyspace = store_keyspace(call->store, db);
        if (keyspace_count(keyspace) == 0) continue;
        reply_bulkf(call->reply, "db.%d", db);
        reply_map(call->reply, 3);
        reply_count(call->reply, "overhead.hashtable.main", (int64_t)table_memory(keyspace->table));
        reply_count(call->reply, "overhead.hashtable.expires",
                    (int64_t)deadlines_memory(keyspace->deadlines));
        reply_count(call->reply, "overhead.hashtable.slot-to-keys", 0);
        shown++;
    }
    return shown;
}

enum err cmd_memory_stats(struct call *call)
{
    struct reply *reply = call->reply;
    struct memory_figures f;
    size_t header = reply_defer(reply), keys = 0;

    info_memory_figures(call_server(call), &f);
    for (int db = 0; db < store_databases(call->store); db++)
        keys += keyspace_count(store_keyspace(call->store, db));
    reply_count(reply, "peak.allocated", (int64_t)f.peak);
    reply_count(reply, "total.allocated", (int64_t)f.used);
    reply_count(reply, "startup.allocated", (int64_t)f.startup);
    reply_count(reply, "replication.backlog", (int64_t)f.log);
    reply_count(reply, "clients.slaves", (int64_t)f.replicas);
    reply_count(reply, "clients.normal", (int64_t)f.sessions);
    reply_count(reply, "cluster.links", 0);
    reply_count(reply, "aof.buffer", (int64_t)aof_unwritten(call_server(call)));
    reply_count(reply, "lua.caches", 0);
    reply_count(reply, "functions.caches", (int64_t)f.functions);
    int databases = reply_databases(call);
    reply_count(reply, "overhead.total", (int64_t)f.overhead);
    reply_count(reply, "keys.count", (int64_t)keys);
    reply_count(reply, "keys.bytes-per-key", keys == 0 ? 0 : (int64_t)(f.net / keys));
    reply_count(reply, "dataset.bytes", (int64_t)f.dataset);
    reply_ratio(reply, "dataset.percentage", (double)f.dataset * 100, (double)f.net);
    reply_ratio(reply, "peak.percentage", (double)f.used * 100, (double)f.peak);
    reply_count(reply, "allocator.allocated", (int64_t)f.allocator.allocated);
    reply_count(reply, "allocator.active", (int64_t)f.allocator.active);
    reply_count(reply, "allocator.resident", (int64_t)f.allocator.resident);
    reply_ratio(reply, "allocator-fragmentation.ratio", (double)f.allocator.active,
                (double)f.allocator.allocated);
    reply_count(reply, "allocator-fragmentation.bytes",
                (int64_t)f.allocator.active - (int64_t)f.allocator.allocated);
    reply_ratio(reply, "allocator-rss.ratio", (double)f.allocator.resident,
                (double)f.allocator.active);
    reply_count(reply, "allocator-rss.bytes",
                (int64_t)f.allocator.resident - (int64_t)f.allocator.active);
    reply_ratio(reply, "rss-overhead.ratio", (double)f.rss, (double)f.allocator.resident);
    reply_count(reply, "rss-overhead.bytes", (int64_t)f.rss - (int64_t)f.allocator.resident);
    reply_ratio(reply, "fragmentation", (double)f.rss, (double)f.used);
    reply_count(reply, "fragmentation.bytes", (int64_t)f.rss - (int64_t)f.used);
    reply_settle(reply, header, REPLY_MAP, 27 + databases);
    return OK;
}

/* ---- DOCTOR ----------------------------------------------------------------------------------- */

enum { DOCTOR_BYTES_MIN = 5 << 20, DOCTOR_WASTE_BYTES_MIN = 10 << 20 };

static void diagnose(struct server *server, struct buf *out)
{
    struct memory_figures f;
    size_t start;

    info_memory_figures(server, &f);
    if (f.used < DOCTOR_BYTES_MIN) {
        buf_printf(out, "This instance holds too little to find anything wrong with its use of "
                        "memory.\n");
        return;
    }
    start = out->len;
    if ((double)f.peak > 1.5 * (double)f.used)
        buf_printf(out,
                   "- Peak memory: at its peak %.1f times as much was in use. If such a peak will "
                   "not come again, MEMORY PURGE gives the rest back at once.\n",
                   (double)f.peak / (double)f.used);
    if (f.allocator.active > f.allocator.allocated + DOCTOR_WASTE_BYTES_MIN &&
        (double)f.allocator.active > 1.4 * (double)f.allocator.allocated)
        buf_printf(out,
                   "- Fragmentation: the allocator's pages are %.1f times as large as what lies "
                   "in them. Many values of changing sizes do that. It is mended by itself where "
                   "most of the pages is free; activedefrag yes begins earlier.\n",
                   (double)f.allocator.active / (double)f.allocator.allocated);
    bool known = f.allocator.resident > 0; /* jemalloc tells */
    if (known && f.rss > f.allocator.resident + DOCTOR_WASTE_BYTES_MIN &&
        (double)f.rss > 1.1 * (double)f.allocator.resident)
        buf_printf(out,
                   "- Beside the allocator: the process occupies %zu bytes that are not its "
                   "allocator's.\n",
                   f.rss - f.allocator.resident);
    if (server->session_count > 0 && f.sessions / server->session_count > 200 * 1024)
        buf_printf(out, "- Clients: buffers of normal clients take more than 200 KB each on "
                        "average. CLIENT LIST (omem, qbuf) names those that do not read their "
                        "replies.\n");
    if (f.replicas > 10u << 20)
        buf_printf(out, "- Replicas: their buffers take more than 10 MB. CLIENT LIST TYPE replica "
                        "names the slow ones.\n");
    if (out->len == start) buf_printf(out, "No problem with the use of memory was found.\n");
}

enum err cmd_memory_doctor(struct call *call)
{
    struct buf out = {0};

    diagnose(call_server(call), &out);
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}

/* ---- the allocator ---------------------------------------------------------------------------- */

static void purge_work(void *context)
{
    (void)context;
    mem_purge();
}

/* Giving gigabytes back takes a while: not the engine's. */
enum err cmd_memory_purge(struct call *call)
{
    worker_submit(call_server(call)->reclaim_worker, purge_work, NULL, NULL);
    reply_ok(call->reply);
    return OK;
}

static void append_part(void *context, const char *text)
{
    buf_append(context, text, strlen(text));
}

enum err cmd_memory_malloc_stats(struct call *call)
{
    struct buf out = {0};

    mem_report(append_part, &out);
    if (out.len == 0) buf_printf(&out, "Stats not supported for the current allocator");
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}

enum err cmd_memory_help(struct call *call)
{
    static const char *const lines[] = {
        "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    Return memory problems reports.",
        "MALLOC-STATS",
        "    Return internal statistics report from the memory allocator.",
        "PURGE",
        "    Attempt to purge dirty pages for reclamation by the allocator.",
        "STATS",
        "    Return information about the memory usage of the server.",
        "USAGE <key> [SAMPLES <count>]",
        "    Return memory in bytes used by <key> and its value. Nested values are",
        "    sampled up to <count> times (default: 5, 0 means sample all).",
        "HELP",
        "    Prints this help.",
        NULL,
    };

    reply_help(call->reply, lines);
    return OK;
}
