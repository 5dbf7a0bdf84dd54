#include "sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define CHAOS_MS_MAX  40000
#define SETTLE_MS_MAX 240000

void sim_violation(struct sim *sim, const char *format, ...)
{
    if (sim->violation[0] != '\0') return;
    const int len =
        snprintf(sim->violation, sizeof(sim->violation), "at %" PRId64 " ms: ", sim->now_ms);
    va_list args;
    va_start(args, format);
    vsnprintf(sim->violation + len, sizeof(sim->violation) - (size_t)len, format, args);
    va_end(args);
}

void sim_say(struct sim *sim, const char *format, ...)
{
    if (!sim->verbose) return;
    va_list args;
    va_start(args, format);
    printf("%8" PRId64 "  ", sim->now_ms);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

void sim_trace(struct sim *sim, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t h = sim->trace ^ (uint64_t)sim->now_ms;
    h = (h ^ a) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32 ^ b) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 29 ^ c) * 0x94d049bb133111ebu;
    sim->trace = h ^ h >> 31;
}

static void say_events(struct sim *sim, uint64_t *said)
{
    for (int i = 0; sim->verbose && i < sim->node_count; i++) {
        const struct repl_events *events = node_events(sim->nodes[i]);
        if (events->written < said[i]) said[i] = 0; /* restarted */
        while (said[i] < events->written) {
            const struct repl_event *event =
                repl_events_at(events, (size_t)(events->written - ++said[i]));
            if (event == NULL) continue;
            sim_say(sim, "node %d: %s %s at %" PRIu64 ": %s", i, repl_event_name(event->kind),
                    event->peer, event->offset, event->reason);
        }
    }
}

static void tick(struct sim *sim, uint64_t *said)
{
    sim->now_ms += TICK_MS;
    net_tick(sim);
    for (int i = 0; i < sim->node_count; i++) node_tick(sim->nodes[i]);
    say_events(sim, said);
}

static int other_than(struct sim *sim, int node)
{
    const int other = sim_between(sim, 0, sim->node_count - 2);
    return other + (other >= node);
}

static void reconfigure(struct sim *sim, struct node *node)
{
    struct repl_config *config = node_config(node);
    config->diskless = sim_chance(sim, 60);
    config->diskless_delay_ms = sim_chance(sim, 50) ? 0 : sim_between(sim, 100, 1500);
    config->diskless_max_replicas = sim_between(sim, 0, 2);
    config->backlog_ttl_ms = sim_chance(sim, 80) ? 3600000 : sim_between(sim, 500, 5000);
    config->snapshots_max = sim_between(sim, 1, 4);
}

/* Something happens to one node or one link. */
static void disturb(struct sim *sim)
{
    const int which = sim_between(sim, 0, sim->node_count - 1);
    struct node *node = sim->nodes[which];
    struct node_figures figures;
    node_figures(node, &figures);
    switch (sim_between(sim, 0, sim->with_disks ? 18 : 15)) {
    case 0:
    case 1:
    case 2: /* a connection breaks */
        if (sim->net.count > 0)
            net_break(sim, sim->net.conns[random_below(&sim->random, (uint64_t)sim->net.count)]);
        break;
    case 3: /* it falls silent */
        if (sim->net.count > 0)
            sim->net.conns[random_below(&sim->random, (uint64_t)sim->net.count)]->silent = true;
        break;
    case 4:
    case 5: net_partition(sim, which, other_than(sim, which), true); break;
    case 6:
    case 7: net_partition(sim, which, other_than(sim, which), false); break;
    case 8:
        if (figures.up && (sim->with_disks || sim_chance(sim, 50)))
            node_stop(node, sim_chance(sim, sim->with_disks ? 20 : 50));
        break;
    case 9:
    case 10:
        if (!figures.up) node_start(node);
        break;
    case 11:
        sim_say(sim, "REPLICAOF at %d", which);
        node_follow(node, sim_chance(sim, 25) ? -1 : other_than(sim, which));
        break;
    case 12:
    case 13:
        if (!figures.is_replica)
            node_failover(node, other_than(sim, which),
                          sim_chance(sim, 70) ? sim_between(sim, 100, 3000) : 0,
                          sim_chance(sim, 30));
        else if (sim_chance(sim, 20)) node_abort_failover(node);
        break;
    case 14: node_save(node); break;
    case 15: reconfigure(sim, node); break;
    case 16:
    case 17:
    case 18: /* a crash, and back at once */
        node_stop(node, false);
        node_start(node);
        break;
    }
}

static void build(struct sim *sim)
{
    sim->node_count = sim_between(sim, 2, NODES_MAX);
    for (int i = 0; i < sim->node_count; i++) {
        sim->nodes[i] = node_new(sim, i);
        struct repl_config *config = node_config(sim->nodes[i]);
        repl_config_defaults(config);
        config->timeout_ms = 5000;
        config->ping_period_ms = 1000;
        config->listening_port = FIRST_PORT + i;
        config->mutations = sim->mutations;
        config->hex = NULL;
        reconfigure(sim, sim->nodes[i]);
    }
    for (int i = 0; i < sim->node_count; i++) {
        /* A star or a chain around node 0. */
        node_follow(sim->nodes[i], i == 0 ? -1 : sim_between(sim, 0, i - 1));
        node_start(sim->nodes[i]);
    }
}

static void write_some(struct sim *sim, int percent)
{
    for (int i = 0; i < sim->node_count; i++)
        if (sim_chance(sim, percent)) node_write(sim->nodes[i]);
}

/* Everything is whole again, and everyone is told where to stand. */
static void make_peace(struct sim *sim, int *top)
{
    for (int a = 0; a < sim->node_count; a++)
        for (int b = 0; b < a; b++) net_partition(sim, a, b, false);
    *top = sim_between(sim, 0, sim->node_count - 1);
    for (int i = 0; i < sim->node_count; i++) {
        struct node_figures figures;
        node_abort_failover(sim->nodes[i]);
        node_figures(sim->nodes[i], &figures);
        if (!figures.up) node_start(sim->nodes[i]);
    }
    sim_say(sim, "peace: node %d is the primary of all", *top);
}

/* Orders that change nothing are harmless; one may have been undone by a failover that was still on its way. */
static void give_orders(struct sim *sim, int top)
{
    node_follow(sim->nodes[top], -1);
    for (int i = 0; i < sim->node_count; i++)
        if (i != top) node_follow(sim->nodes[i], top);
}

static bool settled(const struct sim *sim, int top)
{
    struct node_figures first, other;
    node_figures(sim->nodes[top], &first);
    if (first.is_replica) return false;
    for (int i = 0; i < sim->node_count; i++) {
        node_figures(sim->nodes[i], &other);
        if (i != top && (!other.is_replica || !other.linked || other.end != first.end))
            return false;
    }
    return true;
}

static void compare(struct sim *sim, int top)
{
    const struct journal *first = node_journal(sim->nodes[top]);
    for (int i = 0; i < sim->node_count; i++) {
        const struct journal *other = node_journal(sim->nodes[i]);
        if (strcmp(journal_id(first), journal_id(other)) != 0)
            sim_violation(sim, "node %d ends under another id", i);
        if (store_fingerprint(node_store(sim->nodes[i])) !=
            store_fingerprint(node_store(sim->nodes[top])))
            sim_violation(sim, "node %d ends with other data than its primary", i);
    }
}

static void settle(struct sim *sim, uint64_t *said)
{
    int top;
    uint64_t syncs[NODES_MAX];
    struct node_figures figures;
    make_peace(sim, &top);
    for (int i = 0; i < sim->node_count; i++) {
        node_figures(sim->nodes[i], &figures);
        syncs[i] = figures.full_syncs;
    }
    const int64_t until_ms = sim->now_ms + SETTLE_MS_MAX;
    const int64_t peace_ms = sim->now_ms;
    int64_t quiet_since_ms = sim->now_ms;
    const int64_t write_until_ms = sim->now_ms + 2000;
    while (sim->violation[0] == '\0') {
        if ((sim->now_ms - peace_ms) % 20000 == 0) give_orders(sim, top);
        tick(sim, said);
        if (sim->now_ms < write_until_ms) write_some(sim, 5);
        if (!settled(sim, top) || sim->now_ms < write_until_ms) quiet_since_ms = sim->now_ms;
        if (sim->now_ms - quiet_since_ms >= 200) break;
        if (sim->now_ms >= until_ms) {
            sim_violation(sim, "the nodes did not come together within %d s", SETTLE_MS_MAX / 1000);
            return;
        }
    }
    if (sim->violation[0] == '\0') compare(sim, top);
    for (int i = 0; i < sim->node_count; i++) {
        node_figures(sim->nodes[i], &figures);
        if (figures.full_syncs - syncs[i] > 2)
            sim_violation(sim, "node %d needed %" PRIu64 " full syncs in peace", i,
                          figures.full_syncs - syncs[i]);
    }
}

bool sim_run(struct sim *sim, uint64_t seed)
{
    uint64_t said[NODES_MAX] = {0};
    const struct repl_mutations mutations = sim->mutations;
    const struct disk_mutations disk_mutations = sim->disk_mutations;
    const bool verbose = sim->verbose;
    *sim = (struct sim){
        .seed = seed, .mutations = mutations, .disk_mutations = disk_mutations, .verbose = verbose};
    random_seed(&sim->random, seed);
    sim->with_disks = sim_chance(sim, 60);
    build(sim);
    const int64_t chaos_ms = sim_between(sim, 1000, CHAOS_MS_MAX);
    const int pace = sim_between(sim, 1, 30);
    const int rate = sim_chance(sim, 10) ? sim_between(sim, 40, 100) : sim_between(sim, 1, 20);
    while (sim->now_ms < chaos_ms && sim->violation[0] == '\0') {
        tick(sim, said);
        if (random_below(&sim->random, 1000) < (uint64_t)pace) disturb(sim);
        write_some(sim, rate);
    }
    if (sim->violation[0] == '\0') settle(sim, said);
    say_events(sim, said);
    for (int i = 0; i < sim->node_count; i++) node_free(sim->nodes[i]);
    net_release(&sim->net);
    histories_release(&sim->histories);
    return sim->violation[0] == '\0';
}
