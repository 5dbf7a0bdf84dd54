#include "server/info.h"

#include "base/mem.h"
#include "handlers.h"
#include "io/clock.h"
#include "server/aof.h"
#include "server/config.h"
#include "server/defrag.h"
#include "server/eviction.h"
#include "server/info_inside.h"
#include "server/io_threads.h"
#include "server/latency.h"
#include "server/life.h"
#include "server/persistence.h"
#include "server/pubsub.h"
#include "server/replication.h"
#include "server/shutdown.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

static void server_section(struct server *server, struct buf *out)
{
    struct utsname system;
    int64_t uptime_s = (server->now_ms - server->started_ms) / 1000;
    struct io_threads_figures io = io_threads_figures(server);
    const char *supervised = life_supervised_name(server->config);

    uname(&system);
    buf_printf(
        out,
        "redis_version:%s\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:%"
        "016llx\r\n"
        "redis_mode:standalone\r\nos:%s %s %s\r\narch_bits:%zu\r\nmonotonic_clock:POSIX "
        "clock_gettime\r\n"
        "multiplexing_api:epoll\r\natomicvar_api:c11-builtin\r\ngcc_version:%s\r\nprocess_id:%d\r\n"
        "process_supervised:%s\r\nrun_id:%s\r\ntcp_port:%d\r\nserver_time_usec:%lld\r\nuptime_in_"
        "seconds:%lld\r\n"
        "uptime_in_days:%lld\r\nhz:%d\r\nconfigured_hz:%d\r\nlru_clock:%lld\r\nexecutable:%"
        "s\r\nconfig_file:%s\r\n"
        "io_threads_active:%d\r\nio_threads:%d\r\npando_version:%s\r\n",
        REDIS_VERSION,
        (unsigned long long)crc64(0, PANDO_VERSION __VERSION__,
                                  sizeof PANDO_VERSION __VERSION__ - 1),
        system.sysname, system.release, system.machine, sizeof(void *) * 8,
#ifdef __clang__
        "0.0.0",
#else
        __VERSION__,
#endif
        (int)getpid(), supervised, server->run_id, (int)server->config->port,
        (long long)clock_wall_us(), (long long)uptime_s, (long long)(uptime_s / 86400),
        (int)server->config->hz, (int)server->config->hz,
        (long long)(server->now_ms / 1000 & 0xffffff), server->executable, server->config->file,
        io.active, io.threads, PANDO_VERSION);
    if (shutdown_ms_left(server) >= 0)
        buf_printf(out, "shutdown_in_milliseconds:%lld\r\n", (long long)shutdown_ms_left(server));
}

static void clients_section(struct server *server, struct buf *out)
{
    size_t in_max = 0, out_max = 0;
    bool linked = link_session(server) != NULL; /* counted as Redis does */

    for (int i = 0; i < RECENT_SECONDS; i++) {
        if (server->recent_input.max[i] > in_max) in_max = server->recent_input.max[i];
        if (server->recent_output.max[i] > out_max) out_max = server->recent_output.max[i];
    }
    for (const struct session *session = server->sessions; session != NULL;
         session = session->next) {
        size_t pending = session->out.len - session->out_sent;
        if (session->in.len > in_max) in_max = session->in.len;
        if (pending > out_max) out_max = pending;
    }
    size_t replicas = (size_t)primary_peers(server->replication->primary);
    buf_printf(
        out,
        "connected_clients:%zu\r\ncluster_connections:0\r\nmaxclients:%lld\r\nclient_recent_max_"
        "input_buffer:%zu\r\n"
        "client_recent_max_output_buffer:%zu\r\nblocked_clients:%zu\r\ntracking_clients:0\r\n"
        "clients_in_timeout_table:%zu\r\n",
        (server->session_count > replicas ? server->session_count - replicas : 0) + linked,
        (long long)server->config->maxclients, in_max, out_max, server->blocked_count,
        server->blocked_with_timeout);
}

static void persistence_section(struct server *server, struct buf *out)
{
    struct persistence_figures f;

    persistence_figures(server, &f);
    buf_printf(out,
               "loading:%d\r\nasync_loading:%d\r\ncurrent_cow_peak:0\r\ncurrent_cow_size:"
               "0\r\ncurrent_cow_size_age:0\r\n"
               "current_fork_perc:%.2f\r\ncurrent_save_keys_processed:%llu\r\ncurrent_save_keys_"
               "total:%llu\r\n"
               "rdb_changes_since_last_save:%llu\r\nrdb_bgsave_in_progress:%d\r\nrdb_last_save_"
               "time:%lld\r\n"
               "rdb_last_bgsave_status:%s\r\nrdb_last_bgsave_time_sec:%lld\r\nrdb_current_bgsave_"
               "time_sec:%lld\r\n"
               "rdb_saves:%llu\r\nrdb_last_cow_size:0\r\nrdb_last_load_keys_expired:%llu\r\nrdb_"
               "last_load_keys_loaded:%llu\r\n",
               server->loading, server->async_loading, f.percent,
               (unsigned long long)f.keys_processed, (unsigned long long)f.keys_total,
               (unsigned long long)store_dirty(server->store), f.saving, (long long)f.last_save_s,
               f.last_save_ok ? "ok" : "err", (long long)f.last_duration_s,
               f.saving ? (long long)(server->now_ms - f.current_started_ms) / 1000 : -1LL,
               (unsigned long long)f.saves, (unsigned long long)f.keys_expired_at_load,
               (unsigned long long)f.keys_loaded_at_load);
    aof_info(server, out);
    if (server->loading && (persistence_loader(server) != NULL || aof_loading(server))) {
        struct loader_progress p;
        if (persistence_loader(server) != NULL) loader_progress(persistence_loader(server), &p);
        else aof_loading_progress(server, &p);
        double percent = p.bytes_total == 0 || p.bytes_total == UINT64_MAX
                             ? 0
                             : (double)p.bytes * 100 / (double)p.bytes_total;
        buf_printf(out,
                   "loading_start_time:%lld\r\nloading_total_bytes:%llu\r\nloading_rdb_used_mem:%"
                   "llu\r\nloading_loaded_bytes:%llu\r\n"
                   "loading_loaded_perc:%.2f\r\nloading_eta_seconds:%d\r\n",
                   (long long)(server->started_ms / 1000), (unsigned long long)p.bytes_total,
                   (unsigned long long)p.used_memory, (unsigned long long)p.bytes, percent,
                   percent > 0 ? (int)((double)(server->now_ms - server->started_ms) / 1000 *
                                       (100 - percent) / percent)
                               : 1);
    }
    buf_printf(out, "snapshot_longest_slice_us:%lld\r\nsnapshot_values_copied:%llu\r\n",
               (long long)f.longest_slice_us,
               (unsigned long long)store_stats(server->store)->leases_encoded_at_once);
}

static double mean(const struct rate *rate)
{
    double sum = 0;

    for (int i = 0; i < 16; i++) sum += rate->samples[i];
    return sum / 16;
}

static void stats_section(struct server *server, struct buf *out)
{
    const struct server_stats *s = &server->stats;
    struct io_threads_figures io = io_threads_figures(server);
    const struct store_stats *store = store_stats(server->store);
    const struct primary_stats *primary = primary_stats(server->replication->primary);
    int64_t exceeded_ms, exceeded_now_ms;

    eviction_exceeded_ms(server, &exceeded_ms, &exceeded_now_ms);
    buf_printf(out,
               "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\ninstantaneous_"
               "ops_per_sec:%lld\r\n"
               "total_net_input_bytes:%llu\r\ntotal_net_output_bytes:%llu\r\ntotal_net_repl_input_"
               "bytes:%llu\r\n"
               "total_net_repl_output_bytes:%llu\r\ninstantaneous_input_kbps:%.2f\r\ninstantaneous_"
               "output_kbps:%.2f\r\n"
               "instantaneous_input_repl_kbps:%.2f\r\ninstantaneous_output_repl_kbps:%."
               "2f\r\nrejected_connections:%llu\r\n",
               (unsigned long long)s->connections_received,
               (unsigned long long)s->commands_processed, (long long)mean(&server->rate_commands),
               (unsigned long long)s->net_input_bytes, (unsigned long long)s->net_output_bytes,
               (unsigned long long)s->repl_input_bytes, (unsigned long long)s->repl_output_bytes,
               mean(&server->rate_input) / 1024, mean(&server->rate_output) / 1024,
               mean(&server->rate_repl_input) / 1024, mean(&server->rate_repl_output) / 1024,
               (unsigned long long)s->connections_rejected);
    buf_printf(
        out,
        "sync_full:%llu\r\nsync_partial_ok:%llu\r\nsync_partial_err:%llu\r\nexpired_keys:%"
        "llu\r\nexpired_stale_perc:0.00\r\n"
        "expired_time_cap_reached_count:%llu\r\nexpire_cycle_cpu_milliseconds:%llu\r\nevicted_keys:"
        "%"
        "llu\r\n"
        "evicted_clients:%llu\r\ntotal_eviction_exceeded_time:%lld\r\ncurrent_eviction_exceeded_"
        "time:"
        "%lld\r\n"
        "keyspace_hits:%llu\r\nkeyspace_misses:%llu\r\npubsub_channels:%zu\r\npubsub_patterns:%"
        "zu\r\n"
        "pubsubshard_channels:%zu\r\nlatest_fork_usec:0\r\ntotal_forks:0\r\nmigrate_cached_sockets:"
        "%zu\r\n"
        "slave_expires_tracked_keys:0\r\n",
        (unsigned long long)primary->sync_full, (unsigned long long)primary->sync_partial_ok,
        (unsigned long long)primary->sync_partial_err, (unsigned long long)store->expired_keys,
        (unsigned long long)s->expire_slices_cut, (unsigned long long)store->expire_cycle_us / 1000,
        (unsigned long long)store->evicted_keys, (unsigned long long)s->evicted_clients,
        (long long)exceeded_ms, (long long)exceeded_now_ms,
        (unsigned long long)store->keyspace_hits, (unsigned long long)store->keyspace_misses,
        pubsub_channel_count(server), pubsub_pattern_count(server), pubsub_shard_count(server),
        server->migrate_links.count);
    defrag_info(server, out);
    buf_printf(
        out,
        "tracking_total_keys:0\r\ntracking_total_items:0\r\ntracking_total_prefixes:0\r\n"
        "unexpected_error_replies:%llu\r\ntotal_error_replies:%llu\r\ndump_payload_sanitizations:%"
        "llu\r\n"
        "total_reads_processed:%llu\r\ntotal_writes_processed:%llu\r\nio_threaded_reads_processed:"
        "%llu\r\n"
        "io_threaded_writes_processed:%llu\r\nreply_buffer_shrinks:0\r\nreply_buffer_expands:0\r\n"
        "engine_longest_turn_us:%lld\r\n",
        (unsigned long long)s->unexpected_error_replies, (unsigned long long)s->error_replies,
        (unsigned long long)s->dump_payload_sanitizations, (unsigned long long)s->reads_processed,
        (unsigned long long)s->writes_processed, (unsigned long long)io.reads,
        (unsigned long long)io.writes, (long long)s->longest_turn_us);
}

static double seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static void cpu_section(struct server *server, struct buf *out)
{
    struct rusage self, children, thread;

    (void)server;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    getrusage(RUSAGE_THREAD, &thread);
    buf_printf(out,
               "used_cpu_sys:%.6f\r\nused_cpu_user:%.6f\r\nused_cpu_sys_children:%.6f\r\nused_cpu_"
               "user_children:%.6f\r\n"
               "used_cpu_sys_main_thread:%.6f\r\nused_cpu_user_main_thread:%.6f\r\n",
               seconds(&self.ru_stime), seconds(&self.ru_utime), seconds(&children.ru_stime),
               seconds(&children.ru_utime), seconds(&thread.ru_stime), seconds(&thread.ru_utime));
}

static void modules_section(struct server *server, struct buf *out)
{
    (void)server;
    (void)out;
}

static void commandstats_section(struct server *server, struct buf *out)
{
    for (int id = 0; id < command_id_count; id++) {
        const struct command_stats *s = &server->command_stats[id];
        if (s->calls == 0 && s->rejected == 0 && s->failed == 0) continue;
        buf_printf(out,
                   "cmdstat_%s:calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,failed_"
                   "calls=%llu\r\n",
                   command_by_id(id)->name, (unsigned long long)s->calls,
                   (unsigned long long)s->usec,
                   s->calls == 0 ? 0.0 : (double)s->usec / (double)s->calls,
                   (unsigned long long)s->rejected, (unsigned long long)s->failed);
    }
}

static void error_line(void *context, const char *word, uint64_t count)
{
    buf_printf(context, "errorstat_%s:count=%llu\r\n", word, (unsigned long long)count);
}

static void errorstats_section(struct server *server, struct buf *out)
{
    latency_each_error(server, error_line, out);
}

static void latencystats_section(struct server *server, struct buf *out)
{
    const struct percentiles *wanted = &server->config->latency_tracking_info_percentiles;

    for (int id = 0; id < command_id_count; id++) {
        const struct histogram *histogram = server->command_stats[id].latency;
        if (histogram == NULL) continue;
        buf_printf(out, "latency_percentiles_usec_%s:", command_by_id(id)->name);
        for (int i = 0; i < wanted->count; i++)
            buf_printf(out, "%sp%.10g=%.3f", i == 0 ? "" : ",", wanted->of[i],
                       (double)histogram_percentile(histogram, wanted->of[i]) / 1000);
        buf_append(out, "\r\n", 2);
    }
}

static void cluster_section(struct server *server, struct buf *out)
{
    (void)server;
    buf_printf(out, "cluster_enabled:0\r\n");
}

static void keyspace_section(struct server *server, struct buf *out)
{
    for (int db = 0; db < store_databases(server->store); db++) {
        const struct keyspace *keyspace = store_keyspace(server->store, db);
        if (keyspace_count(keyspace) == 0) continue;
        int64_t mean_ms = 0;
        if (keyspace->expires > 0) {
            mean_ms =
                (int64_t)(keyspace->deadline_sum_ms / (__int128)keyspace->expires) - server->now_ms;
            if (mean_ms < 0) mean_ms = 0;
        }
        buf_printf(out, "db%d:keys=%zu,expires=%zu,avg_ttl=%lld\r\n", db, keyspace_count(keyspace),
                   keyspace->expires, (long long)mean_ms);
    }
}

static const struct section {
    const char *name, *title;
    void (*write)(struct server *server, struct buf *out);
    bool by_default;
} sections[] = {
    {"server", "Server", server_section, true},
    {"clients", "Clients", clients_section, true},
    {"memory", "Memory", info_memory_section, true},
    {"persistence", "Persistence", persistence_section, true},
    {"stats", "Stats", stats_section, true},
    {"replication", "Replication", replication_info, true},
    {"cpu", "CPU", cpu_section, true},
    {"modules", "Modules", modules_section, true},
    {"commandstats", "Commandstats", commandstats_section, false},
    {"errorstats", "Errorstats", errorstats_section, true},
    {"latencystats", "Latencystats", latencystats_section, false},
    {"cluster", "Cluster", cluster_section, true},
    {"keyspace", "Keyspace", keyspace_section, true},
};

static bool is_wanted(const struct section *section, const struct span *words, int count)
{
    if (count == 0) return section->by_default;
    for (int i = 0; i < count; i++) {
        if (span_is(words[i], "default") && section->by_default) return true;
        if (span_is(words[i], "all") || span_is(words[i], "everything") ||
            span_is(words[i], section->name))
            return true;
    }
    return false;
}

void info_write(struct server *server, const struct span *words, int count, struct buf *out)
{
    bool first = true;

    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (!is_wanted(&sections[i], words, count)) continue;
        buf_printf(out, "%s# %s\r\n", first ? "" : "\r\n", sections[i].title);
        sections[i].write(server, out);
        first = false;
    }
}

enum err cmd_info(struct call *call)
{
    struct buf out = {0};

    info_write(call_server(call), call->argv + 1, call->argc - 1, &out);
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}
