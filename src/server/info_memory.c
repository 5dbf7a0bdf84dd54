#include "server/info_inside.h"

#include "base/mem.h"
#include "io/file.h"
#include "server/aof.h"
#include "server/config.h"
#include "server/defrag.h"
#include "server/eviction.h"
#include "server/pubsub.h"
#include "server/replication.h"

#include <stdio.h>
#include <unistd.h>

static size_t resident_bytes(void)
{
    char text[128];
    int64_t pages;

    if (file_read_text("/proc/self/statm", text, sizeof text) <= 0) return 0;
    const char *from = strchr(text, ' '), *to = from == NULL ? NULL : strchr(from + 1, ' ');
    if (to == NULL || !num_parse_int64(span_of(from + 1, (size_t)(to - from - 1)), &pages))
        return 0;
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void human(struct buf *out, const char *name, uint64_t bytes)
{
    char text[32];

    num_format_human(text, bytes);
    buf_printf(out, "%s:%llu\r\n%s_human:%s\r\n", name, (unsigned long long)bytes, name, text);
}

static size_t sessions_memory(const struct server *server, bool replicas)
{
    size_t bytes = 0;

    for (const struct session *session = server->sessions; session != NULL; session = session->next)
        if (((session->flags & SESSION_REPLICA) != 0) == replicas) bytes += session_memory(session);
    return bytes;
}

/* Other threads free what snapshots and the log hold, also while this one waits for a core: the two figures shall be of about the
 * same moment. */
static void read_used(struct server *server, size_t *used, size_t *not_counted)
{
    enum { TRIES = 5, BYTES_APART_MAX = 64 * 1024 };
    size_t before = eviction_not_counted(server);

    for (int i = 0; i < TRIES; i++) {
        *used = mem_used();
        *not_counted = eviction_not_counted(server);
        size_t apart = before > *not_counted ? before - *not_counted : *not_counted - before;
        if (apart <= BYTES_APART_MAX) return;
        before = *not_counted;
    }
}

void info_memory_figures(struct server *server, struct memory_figures *out)
{
    *out = (struct memory_figures){
        .rss = resident_bytes(),
        .startup = server->startup_memory,
        .log = journal_memory(server->journal),
        .sessions = sessions_memory(server, false),
        .replicas = sessions_memory(server, true),
        .functions = functions_memory(&server->functions),
    };
    size_t not_counted;
    read_used(server, &out->used, &not_counted);
    out->snapshots = not_counted > out->log ? not_counted - out->log : 0;
    mem_figures(&out->allocator);
    if (out->used > server->stats.peak_memory) server->stats.peak_memory = out->used;
    out->peak = server->stats.peak_memory;
    out->overhead =
        out->startup + out->log + out->snapshots + out->sessions + out->replicas + out->functions;
    for (int db = 0; db < store_databases(server->store); db++) {
        const struct keyspace *keyspace = store_keyspace(server->store, db);
        out->overhead += table_memory(keyspace->table) + deadlines_memory(keyspace->deadlines);
    }
    for (int id = 0; id < command_id_count; id++)
        if (server->command_stats[id].latency != NULL)
            out->overhead += mem_usable(server->command_stats[id].latency);
    out->dataset = out->used > out->overhead ? out->used - out->overhead : 0;
    out->net = out->used > out->startup ? out->used - out->startup : 1;
}

static double ratio(size_t part, size_t whole)
{
    return whole == 0 ? 0.0 : (double)part / (double)whole;
}

void info_memory_section(struct server *server, struct buf *out)
{
    const struct config *config = server->config;
    struct memory_figures figures;
    const struct mem_figures *allocator = &figures.allocator;

    info_memory_figures(server, &figures);
    human(out, "used_memory", figures.used);
    human(out, "used_memory_rss", figures.rss);
    human(out, "used_memory_peak", figures.peak);
    buf_printf(out,
               "used_memory_peak_perc:%.2f%%\r\nused_memory_overhead:%zu\r\nused_memory_startup:%"
               "zu\r\nused_memory_dataset:%zu\r\n"
               "used_memory_dataset_perc:%.2f%%\r\nallocator_allocated:%zu\r\nallocator_active:%"
               "zu\r\nallocator_resident:%zu\r\n",
               100 * ratio(figures.used, figures.peak), figures.overhead, figures.startup,
               figures.dataset, 100 * ratio(figures.dataset, figures.net), allocator->allocated,
               allocator->active, allocator->resident);
    human(out, "total_system_memory", mem_of_machine());
    buf_printf(out,
               "used_memory_lua:0\r\nused_memory_vm_eval:0\r\nused_memory_lua_human:0B\r\n"
               "used_memory_scripts_eval:0\r\nnumber_of_cached_scripts:0\r\n"
               "number_of_functions:0\r\nnumber_of_libraries:%zu\r\n"
               "used_memory_vm_functions:0\r\nused_memory_vm_total:0\r\n"
               "used_memory_vm_total_human:0B\r\nused_memory_functions:%zu\r\n",
               server->functions.count, figures.functions);
    human(out, "used_memory_scripts", figures.functions);
    human(out, "maxmemory", (uint64_t)config->maxmemory);
    struct buf policy = {0};
    config_show(config, config_find(SPAN("maxmemory-policy")), &policy);
    buf_printf(out, "maxmemory_policy:%.*s\r\n", (int)policy.len, policy.ptr);
    buf_release(&policy);
    buf_printf(out,
               "allocator_frag_ratio:%.2f\r\nallocator_frag_bytes:%lld\r\nallocator_rss_ratio:%."
               "2f\r\nallocator_rss_bytes:%lld\r\n"
               "rss_overhead_ratio:%.2f\r\nrss_overhead_bytes:%lld\r\nmem_fragmentation_ratio:%."
               "2f\r\nmem_fragmentation_bytes:%lld\r\n",
               ratio(allocator->active, allocator->allocated),
               (long long)allocator->active - (long long)allocator->allocated,
               ratio(allocator->resident, allocator->active),
               (long long)allocator->resident - (long long)allocator->active,
               ratio(figures.rss, allocator->resident),
               (long long)figures.rss - (long long)allocator->resident,
               ratio(figures.rss, figures.used), (long long)figures.rss - (long long)figures.used);
    buf_printf(
        out,
        "mem_not_counted_for_evict:%zu\r\nmem_replication_backlog:%zu\r\nmem_total_replication_"
        "buffers:%zu\r\n"
        "mem_clients_slaves:%zu\r\nmem_clients_normal:%zu\r\nmem_cluster_links:0\r\nmem_aof_buffer:"
        "%llu\r\nmem_allocator:%s\r\n"
        "active_defrag_running:%d\r\nlazyfree_pending_objects:%llu\r\nlazyfreed_objects:%llu\r\n"
        "reclaimed_objects:%llu\r\n",
        eviction_not_counted(server), figures.log, figures.log + figures.replicas, figures.replicas,
        figures.sessions, (unsigned long long)aof_unwritten(server), mem_allocator_name(),
        server->defrag->effort_percent, (unsigned long long)store_lazyfree_pending(server->store),
        (unsigned long long)store_stats(server->store)->lazyfreed_objects,
        (unsigned long long)store_stats(server->store)->reclaimed_objects);
}
