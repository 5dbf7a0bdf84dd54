#include "node_state.h"

/* ---- small things ------------------------------------------------------------------------------- */

struct store *node_store(const struct node *node)
{
    return node->store;
}
struct journal *node_journal(const struct node *node)
{
    return node->journal;
}
struct repl_config *node_config(struct node *node)
{
    return &node->config;
}
int node_index(const struct node *node)
{
    return node->index;
}
const struct repl_events *node_events(const struct node *node)
{
    return &node->events;
}
uint64_t node_checked(const struct node *node)
{
    return node->checked;
}
void node_set_checked(struct node *node, uint64_t offset)
{
    node->checked = offset;
}
bool node_accepts(const struct node *node)
{
    return node->up;
}

struct node *node_new(struct sim *sim, int index)
{
    struct node *node = mem_zalloc(sizeof(*node));
    node->sim = sim;
    node->index = index;
    node->followed = -1;
    if (sim->with_disks && sim_chance(sim, 80)) node->disk = disk_new(node);
    return node;
}

/* ---- life --------------------------------------------------------------------------------------- */

static void restore(struct node *node)
{
    struct loader_outcome *outcome = &node->outcome;
    load_rdb(node, buf_span(&node->rdb), outcome);
    check(outcome->err == OK);
    load_take(node);
    if (outcome->has_repl) {
        journal_restore(node->journal, outcome->repl_id, (uint64_t)outcome->repl_offset, false);
        journal_set_db(node->journal, outcome->repl_stream_db);
        if (node->followed < 0) journal_shift_id(node->journal);
    }
    loader_outcome_release(outcome);
}

void node_start(struct node *node)
{
    struct sim *sim = node->sim;
    const struct hash_secret secret = {sim->seed, (uint64_t)node->index};
    const struct apply_executor executor = {.run = node_run_applied, .context = node};
    const struct store_observer observer = {.effect = node_on_effect, .context = node};
    node->up = true;
    node->touched++;
    sim->seen.restarts++;
    node->config.hex = node_hex;
    node->config.hex_context = node;
    repl_events_init(&node->events);
    node->events.silent = true;
    node->store = store_new(DATABASES, &secret, node_unix_now(node));
    store_observe(node->store, &observer);
    const uint64_t backlog = (uint64_t)1 << sim_between(sim, 12, 15);
    node->held_max = backlog + (uint64_t)sim_between(sim, 1024, 64 * 1024);
    node->journal = journal_new(&(struct journal_options){
        .backlog_bytes = backlog,
        .hex = node_hex,
        .hex_context = node,
    });
    unit_init(&node->unit, node->journal);
    node->primary = primary_new(&node->config, node->journal, &node->events);
    node->replica = replica_new(&node->config, node->journal, &node->events, node->primary);
    node->role =
        role_new(&node->config, node->journal, &node->events, node->primary, node->replica);
    node->apply = apply_new(node->journal, &executor, 1 << 20);
    node->later_count = 0;
    node->paused = node->watch_failover = node->loading = false;
    sim->histories.of_node[node->index] = -1;
    node->config.log_needed = node->disk != NULL;
    if (node->disk != NULL) disk_start(node);
    else if (node->has_rdb) restore(node);
    if (node->disk == NULL) node_id_changed(node);
    if (journal_active(node->journal)) history_check_data(sim, node);
    primary_log_advanced(node->primary, disk_reach(node), &node->actions);
    sim_say(sim, "node %d starts at offset %" PRIu64, node->index, journal_end(node->journal));
    if (node->followed >= 0) {
        char host[32];
        snprintf(host, sizeof(host), "10.0.0.%d", node->followed);
        role_follow(node->role, host, FIRST_PORT + node->followed, node_now(node), &node->actions);
    }
    node_perform(node, span_of("", 0));
}

void node_save(struct node *node)
{
    if (node->up && image_whole(node, &node->rdb)) node->has_rdb = true;
}

void node_stop(struct node *node, bool saving)
{
    struct sim *sim = node->sim;
    if (!node->up) return;
    if (saving) node_save(node);
    if (!saving && sim_chance(sim, 30)) node->has_rdb = false;
    sim_say(sim, "node %d stops %s", node->index,
            node->has_rdb ? "with an RDB file" : "without an RDB file");
    node->up = false;
    sim->seen.partial += primary_stats(node->primary)->sync_partial_ok;
    for (int i = 0; i < SESSIONS_MAX; i++)
        if (node->sessions[i].conn != NULL) session_end(node, &node->sessions[i]);
    for (int i = 0; i < sim->net.count; i++) {
        struct conn *conn = sim->net.conns[i];
        for (int side = 0; side < 2; side++)
            if (conn->node[side] == node->index && conn->open[side])
                net_close(conn, (enum side)side);
    }
    node->link = NULL;
    for (int i = 0; i < IMAGES_MAX; i++) images_end(node, node->images[i].number);
    load_drop(node);
    buf_release(&node->link_in);
    buf_release(&node->image_in);
    repl_actions_release(&node->actions);
    if (node->disk != NULL)
        disk_stop(node, saving ? DISK_CLEAN : sim_chance(sim, 40) ? DISK_KILLED : DISK_POWER_CUT);
    apply_free(node->apply);
    role_free(node->role);
    replica_free(node->replica);
    primary_free(node->primary);
    unit_release(&node->unit);
    journal_free(node->journal);
    store_free(node->store);
    if (node->disk != NULL && !saving && sim_chance(sim, 5)) disk_lose(node);
}

void node_free(struct node *node)
{
    node_stop(node, false);
    disk_free(node->disk);
    buf_release(&node->rdb);
    mem_free(node);
}

/* The log's byte ceiling: whoever pins the oldest bytes has to go. */
static void watch_ceiling(struct node *node)
{
    while (journal_end(node->journal) - journal_first(node->journal) > node->held_max) {
        if (!primary_byte_ceiling(node->primary, node_now(node), &node->actions)) break;
        node->sim->seen.ceiling++;
        node_perform(node, span_of("", 0));
        journal_trim(node->journal);
    }
}

void node_tick(struct node *node)
{
    if (!node->up) return;
    journal_set_now(node->journal, node_now(node));
    load_finish(node);
    images_walk(node);
    disk_tick(node);
    if (node_now(node) < node->timer_ms) {
        if (replica_next_timer(node->replica) <= node_now(node)) {
            replica_timer(node->replica, node_now(node), &node->actions);
            node_perform(node, span_of("", 0));
        }
        return;
    }
    node->timer_ms = node_now(node) + 100;
    store_set_now(node->store, node_unix_now(node));
    node_expire(node);
    primary_timer(node->primary, node_now(node), &node->actions);
    node_perform(node, span_of("", 0));
    replica_timer(node->replica, node_now(node), &node->actions);
    node_perform(node, span_of("", 0));
    role_timer(node->role, node_now(node), &node->actions);
    node_perform(node, span_of("", 0));
    if (!role_is_replica(node->role) && sim_chance(node->sim, 5)) primary_want_acks(node->primary);
    primary_flush(node->primary, &node->actions);
    node_perform(node, span_of("", 0));
    watch_ceiling(node);
}

/* ---- orders ------------------------------------------------------------------------------------- */

void node_follow(struct node *node, int other)
{
    char host[32];
    if (!node->up) {
        node->followed = other;
        return;
    }
    if (role_refuses_replicaof(node->role) != NULL) return;
    node->touched++;
    node->followed = other;
    if (other < 0) {
        role_promote(node->role, node_now(node), &node->actions);
    } else {
        snprintf(host, sizeof(host), "10.0.0.%d", other);
        role_follow(node->role, host, FIRST_PORT + other, node_now(node), &node->actions);
    }
    node_perform(node, span_of("", 0));
}

bool node_failover(struct node *node, int other, int64_t timeout_ms, bool force)
{
    char host[32], port[16], timeout[32];
    struct span argv[8] = {SPAN("FAILOVER")};
    int argc = 1;
    if (!node->up) return false;
    snprintf(host, sizeof(host), "10.0.0.%d", other);
    snprintf(port, sizeof(port), "%d", FIRST_PORT + other);
    snprintf(timeout, sizeof(timeout), "%" PRId64, timeout_ms);
    argv[argc++] = SPAN("TO");
    argv[argc++] = span_of_cstr(host);
    argv[argc++] = span_of_cstr(port);
    if (timeout_ms > 0) {
        argv[argc++] = SPAN("TIMEOUT");
        argv[argc++] = span_of_cstr(timeout);
        if (force) argv[argc++] = SPAN("FORCE");
    }
    node->watch_failover = !force;
    node->failover_target = other;
    node->failover_touched = node->sim->nodes[other]->touched;
    node->own_touched = node->touched;
    const char *error = role_failover(node->role, argc, argv, node_now(node), &node->actions);
    if (error != NULL) {
        node->watch_failover = false;
        return false;
    }
    node->sim->seen.failovers++;
    sim_say(node->sim, "node %d: FAILOVER to %d", node->index, other);
    node_perform(node, span_of("", 0));
    return true;
}

void node_abort_failover(struct node *node)
{
    const struct span argv[2] = {SPAN("FAILOVER"), SPAN("ABORT")};
    if (!node->up) return;
    node->touched++;
    role_failover(node->role, 2, argv, node_now(node), &node->actions);
    node_perform(node, span_of("", 0));
}

void node_figures(const struct node *node, struct node_figures *out)
{
    *out = (struct node_figures){.up = node->up, .full_syncs = node->full_syncs};
    if (!node->up) return;
    out->is_replica = role_is_replica(node->role);
    out->linked = replica_state(node->replica) == REPLICA_CONNECTED;
    out->quiet = role_failover_state(node->role) == FAILOVER_NONE;
    out->end = journal_end(node->journal);
}
