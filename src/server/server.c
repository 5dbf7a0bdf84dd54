#include "server/server.h"

#include "base/log.h"
#include "base/mem.h"
#include "cmd/registry.h"
#include "io/clock.h"
#include "io/slice.h"
#include "server/aof.h"
#include "server/blocked_keys.h"
#include "server/blocking.h"
#include "server/client_eviction.h"
#include "server/cmd_config.h"
#include "server/defrag.h"
#include "server/dispatch.h"
#include "server/eviction.h"
#include "server/folder.h"
#include "server/io_threads.h"
#include "server/latency.h"
#include "server/life.h"
#include "server/network.h"
#include "server/persistence.h"
#include "server/pubsub.h"
#include "server/replication.h"
#include "server/session_io.h"
#include "server/shutdown.h"
#include "server/slowlog.h"
#include "server/transactions.h"

enum {
    EXPIRE_ITEMS_PER_TURN = 256, /* of active expiry, between two waits: well under a millisecond */
    EXPIRE_POLL_US = 16 * 1000,  /* granularity of the deadlines' wheel */
    LEASE_POLL_US = 1000,
};

void server_update_clock(struct server *server)
{
    server->now_ms = clock_wall_ms();
    server->now_mono_us = clock_monotonic_us();
    if (server->store != NULL) store_set_now(server->store, server->now_ms);
    if (server->journal != NULL) journal_set_now(server->journal, server->now_mono_us / 1000);
}

bool server_is_replica(const struct server *server)
{
    return server->replication != NULL && replication_is_replica(server);
}

bool server_writes_paused(const struct server *server)
{
    return server->pause.client_until_ms > server->now_ms || server->pause.failover ||
           server->pause.shutdown || server->pause.log_full || server->pause.behind;
}

bool server_uses_lfu(const struct server *server)
{
    int policy = server->config->maxmemory_policy;
    return policy == POLICY_ALLKEYS_LFU || policy == POLICY_VOLATILE_LFU;
}

bool server_uses_lru(const struct server *server)
{
    int policy = server->config->maxmemory_policy;
    return policy == POLICY_ALLKEYS_LRU || policy == POLICY_VOLATILE_LRU;
}

struct config *call_config(const struct call *call)
{
    return call_server(call)->config;
}

static void update_settings(const struct config *config, struct value_settings *settings)
{
    *settings = (struct value_settings){
        .hash_max_listpack_entries = (size_t)config->hash_max_listpack_entries,
        .hash_max_listpack_value = (size_t)config->hash_max_listpack_value,
        .set_max_intset_entries = (size_t)config->set_max_intset_entries,
        .zset_max_listpack_entries = (size_t)config->zset_max_listpack_entries,
        .zset_max_listpack_value = (size_t)config->zset_max_listpack_value,
        .list_max_listpack_size = config->list_max_listpack_size,
        .list_compress_depth = config->list_compress_depth,
        .list_plain_bytes_min = settings->list_plain_bytes_min,
        .hll_sparse_max_bytes = (size_t)config->hll_sparse_max_bytes,
        .stream_node_max_bytes = (size_t)config->stream_node_max_bytes,
        .stream_node_max_entries = (size_t)config->stream_node_max_entries,
        .secret = settings->secret,
    };
}

void server_update_policy(struct server *server)
{
    const struct config *config = server->config;
    struct store_policy *policy = store_policy(server->store);
    bool is_replica = server_is_replica(server);

    bool role_changed = policy->is_replica != is_replica;
    policy->is_replica = is_replica;
    if (role_changed) {
        life_set_oom_score(server); /* it may differ by role */
        aof_role_changed(server);
    }
    policy->expire_paused = server_writes_paused(server) || server->loading;
    policy->lazy_expire = config->lazyfree_lazy_expire;
    policy->lazy_server_del = config->lazyfree_lazy_server_del;
    policy->lfu = server_uses_lfu(server);
    policy->lfu_log_factor = (int)config->lfu_log_factor;
    policy->lfu_decay_time = (int)config->lfu_decay_time;
    update_settings(config, store_settings(server->store));
    server->limits = (struct limits){
        .bulk_bytes_max = (uint64_t)config->proto_max_bulk_len,
        .obeyed_bytes_max = mem_of_machine(),
        .lazy_user_del = config->lazyfree_lazy_user_del,
        .lazy_user_flush = config->lazyfree_lazy_user_flush,
        .compress = config->rdbcompression,
        .skip_checksum = server->limits.skip_checksum,
        .shares_integers =
            config->maxmemory == 0 || !(server_uses_lfu(server) || server_uses_lru(server)),
        .databases = store_databases(server->store),
        .commands = server->registry,
    };
    server->unit.open = !is_replica && journal_active(server->journal);
}

void server_reset_stats(struct server *server)
{
    struct store_stats *store = store_stats(server->store);

    for (int id = 0; id < command_id_count; id++) {
        struct command_stats *stats = &server->command_stats[id];
        histogram_free(stats->latency);
        *stats = (struct command_stats){0};
    }
    server->stats = (struct server_stats){.peak_memory = mem_used()};
    *store = (struct store_stats){0};
    *primary_stats(server->replication->primary) = (struct primary_stats){0};
    latency_reset_errors(server);
    persistence_reset_figures(server);
    defrag_reset_figures(server);
    io_threads_reset_figures(server);
    server->exceeded = (struct exceeded){.since_us = server->exceeded.since_us};
    struct slowdown *slowdown = &server->replication->slowdown;
    slowdown->commands = slowdown->times = slowdown->total_us = 0;
}

/* ---- the store's observer --------------------------------------------------------------------- */

static void on_changed(void *context, int db, struct span key)
{
    watches_key_changed(context, db, key);
    blocked_keys_changed(context, db, key);
}

static void on_replacing(void *context, int db, struct keyspace *from, struct keyspace *to)
{
    watches_replacing(context, db, from, to);
    blocked_keys_replacing(context, db, to);
}

static void on_store_ready(void *context, int db, struct span key, enum value_type type)
{
    blocked_keys_ready(context, db, key, type);
}

static void on_event(void *context, int db, struct event event, struct span key)
{
    struct server *server = context;

    if (server->config->notify_keyspace_events != 0) pubsub_keyspace_event(server, db, event, key);
}

static void on_effect(void *context, int db, int argc, const struct span *argv)
{
    struct server *server = context;

    unit_add(&server->unit, db, argc, argv);
}

struct reclaiming {
    void (*free_it)(void *);
    void *it;
};

static void reclaim_work(void *context)
{
    struct reclaiming *reclaiming = context;

    reclaiming->free_it(reclaiming->it);
}

static void reclaimed(void *context)
{
    mem_free(context);
}

static void reclaim(void *context, void (*free_it)(void *), void *it)
{
    struct server *server = context;
    struct reclaiming *reclaiming = mem_alloc(sizeof *reclaiming);

    *reclaiming = (struct reclaiming){.free_it = free_it, .it = it};
    worker_submit(server->reclaim_worker, reclaim_work, reclaimed, reclaiming);
}

/* ---- the loop's hooks ------------------------------------------------------------------------- */

static void after_wait(void *context)
{
    struct server *server = context;

    server_update_clock(server);
    server->turn_from_us = server->now_mono_us;
}

static void measure_turn(struct server *server)
{
    if (server->turn_from_us == 0) return;
    int64_t took_us = clock_monotonic_us() - server->turn_from_us;
    if (took_us > server->stats.longest_turn_us) server->stats.longest_turn_us = took_us;
    io_threads_turn(server, took_us);
}

static int64_t sooner(int64_t a_us, int64_t b_us)
{
    if (a_us < 0) return b_us;
    return b_us < 0 || a_us < b_us ? a_us : b_us;
}

/* Keys whose time has come; where none may be removed (replica, pause) the wheels are kept tidy.
 * Returns when to look again. */
static int64_t expire_slice(struct server *server)
{
    if (!server->active_expire) return -1; /* keys that are met still expire */
    int64_t next_ms = store_next_deadline(server->store);
    if (next_ms == INT64_MAX) return -1;
    if (next_ms > server->now_ms) {
        int64_t delay_us;
        if (__builtin_mul_overflow(next_ms - server->now_ms, 1000, &delay_us)) return -1;
        return delay_us < EXPIRE_POLL_US ? EXPIRE_POLL_US : delay_us;
    }
    int64_t from_us = clock_monotonic_us();
    store_expire_due(server->store, server->now_ms, EXPIRE_ITEMS_PER_TURN);
    unit_commit(&server->unit);
    int64_t took_us = clock_monotonic_us() - from_us;
    store_stats(server->store)->expire_cycle_us += (uint64_t)took_us;
    latency_add_event(server, LATENCY_EXPIRE_CYCLE, took_us / 1000);
    if (store_next_deadline(server->store) > server->now_ms) return EXPIRE_POLL_US;
    server->stats.expire_slices_cut++;
    return 0;
}

static int64_t before_wait(void *context)
{
    struct server *server = context;
    int64_t wait_us = -1;

    session_read_all(server);
    wait_us = sooner(wait_us, expire_slice(server));
    wait_us = sooner(wait_us, eviction_slice(server));
    wait_us = sooner(wait_us, defrag_slice(server));
    wait_us = sooner(wait_us, persistence_walk(server));
    wait_us = sooner(wait_us, aof_load_slice(server));
    if (server->blocked_count > 0) {
        bool leased = blocked_keys_before_wait(server);
        if (blocking_before_wait(server) || leased) wait_us = sooner(wait_us, LEASE_POLL_US);
    }
    session_run_unblocked(server);
    replication_run(server->replication, SPAN(""));
    replication_before_wait(server);
    wait_us = sooner(wait_us, aof_before_wait(server));
    session_flush_all(server);
    clients_evict(server);
    session_free_closed(server);
    measure_turn(server);
    if (server->with_output != NULL || server->unblocked != NULL) return 0;
    return wait_us;
}

/* ---- cron ------------------------------------------------------------------------------------- */

static void sample(struct rate *rate, uint64_t count, int64_t now_us)
{
    int64_t elapsed_us = now_us - rate->last_us;

    if (rate->last_us != 0 && elapsed_us > 0)
        rate->samples[rate->next++ % 16] =
            (double)(count - rate->last_count) * 1e6 / (double)elapsed_us;
    rate->last_us = now_us;
    rate->last_count = count;
}

static void recent_turn(struct recent *recent, int64_t now_us)
{
    unsigned slot = (unsigned)(now_us / 1000000 % RECENT_SECONDS);

    if (slot == recent->slot) return;
    recent->slot = slot;
    recent->max[slot] = 0;
}

static void sample_rates(struct server *server)
{
    const struct server_stats *stats = &server->stats;
    int64_t now_us = server->now_mono_us;

    sample(&server->rate_commands, stats->commands_processed, now_us);
    sample(&server->rate_input, stats->net_input_bytes, now_us);
    sample(&server->rate_output, stats->net_output_bytes, now_us);
    sample(&server->rate_repl_input, stats->repl_input_bytes, now_us);
    sample(&server->rate_repl_output, stats->repl_output_bytes, now_us);
    recent_turn(&server->recent_input, now_us);
    recent_turn(&server->recent_output, now_us);
    size_t used = mem_used();
    if (used > server->stats.peak_memory) server->stats.peak_memory = used;
}

static void on_cron(void *context)
{
    struct server *server = context;
    int64_t hz = server->config->hz;

    server->cron_turns++;
    loop_arm(server->loop, &server->cron, 1000000 / (hz < 1 ? 1 : hz));
    if (server->cron_paused) return;
    stopwatch_calibrate(&server->stopwatch);
    sample_rates(server);
    network_cron(server);
    persistence_cron(server);
    defrag_cron(server);
    aof_cron(server);
    migrate_links_drop_idle(&server->migrate_links, server->now_ms);
    shutdown_cron(server);
}

/* ---- life ------------------------------------------------------------------------------------- */

struct server *server_new(struct config *config, struct command_registry *registry)
{
    struct server *server = mem_zalloc(sizeof *server);
    struct hash_secret secret;

    random_bytes(&secret, sizeof secret);
    server->config = config;
    server->registry = registry;
    server->active_expire = true;
    server_update_clock(server);
    server->started_ms = server->now_ms;
    random_hex(server->run_id, 40);
    server->loop = loop_new();
    server->file_worker = worker_new_background("pando-file", server->loop);
    server->reclaim_worker = worker_new_background("pando-reclaim", server->loop);
    server->store = store_new((int)config->databases, &secret, server->now_ms);
    server->network = network_new(server);
    server->batch = batch_new();
    server->io_threads = io_threads_new(server);
    server->command_stats = mem_zalloc((size_t)command_id_count * sizeof *server->command_stats);
    server->pubsub = pubsub_new(&secret);
    server->watches = watches_new(&secret);
    server->blocked_keys = blocked_keys_new(&secret);
    server->slowlog = slowlog_new();
    server->latency = latency_new();
    server->defrag = defrag_new();
    server->persistence = persistence_new(server);
    server->aof = aof_new(server);
    server->spool_room = spool_room_new(config->repl_log_disk_max);
    struct journal_options journal = {
        .dir = folder_path(server),
        .worker = server->file_worker,
        .backlog_bytes = (uint64_t)config->repl_backlog_size,
        .memory_bytes_max = (size_t)config->repl_log_memory_max,
        .room = server->spool_room,
    };
    server->journal = journal_new(&journal);
    unit_init(&server->unit, server->journal);
    server->replication = replication_new(server);
    server->applier =
        session_new(server, -1, SESSION_NO_SOCKET | SESSION_PRIMARY_LINK | SESSION_AUTHENTICATED);
    store_observe(server->store, &(struct store_observer){.changed = on_changed,
                                                          .replacing = on_replacing,
                                                          .event = on_event,
                                                          .ready = on_store_ready,
                                                          .effect = on_effect,
                                                          .context = server});
    store_set_reclaimer(server->store, reclaim, server);
    timer_init(&server->cron, on_cron, server);
    loop_before_wait(server->loop, before_wait, server);
    loop_after_wait(server->loop, after_wait, server);
    stopwatch_init(&server->stopwatch);
    server_update_policy(server);
    replication_configure(server);
    server->startup_memory = mem_used();
    return server;
}

void server_run(struct server *server)
{
    slice_engine();
    loop_arm(server->loop, &server->cron, 0);
    loop_run(server->loop);
}

/* ---- what CONFIG needs ------------------------------------------------------------------------ */

struct config_caller call_config_caller(const struct call *call)
{
    const struct server *server = call_server(call);
    int setting = server->config->enable_protected_configs;

    return (struct config_caller){
        .may_protected = setting == PROTECTED_YES ||
                         (setting == PROTECTED_LOCAL && call->session->flags & SESSION_LOCAL_PEER),
        .loading = server->loading,
    };
}

void call_reset_statistics(struct call *call)
{
    server_reset_stats(call_server(call));
}
