#include "node_state.h"

/* ---- commands of clients ------------------------------------------------------------------------ */

/* The store deletes what expired: part of the unit that runs now. */
void node_on_effect(void *context, int db, int argc, const struct span *argv)
{
    struct node *node = context;
    if (node->unit.open) unit_add(&node->unit, db, argc, argv);
}

void node_begin_unit(struct node *node)
{
    node->unit.open = !role_is_replica(node->role) && journal_active(node->journal);
    store_set_now(node->store, node_unix_now(node));
}

static void publish(struct node *node, bool origin)
{
    journal_publish(node->journal);
    if (journal_active(node->journal)) history_appended(node->sim, node, origin);
    primary_log_advanced(node->primary, disk_reach(node), &node->actions);
    node_perform(node, span_of("", 0));
}

void node_end_unit(struct node *node)
{
    unit_commit(&node->unit);
    node->unit.open = false;
    publish(node, true);
}

static void one_command(struct node *node, int db)
{
    struct sim *sim = node->sim;
    char key[16], value[400], number[32];
    char reason[192];
    struct span argv[5];
    int argc;
    snprintf(key, sizeof(key), "key:%d", sim_between(sim, 0, 15));
    argv[1] = span_of_cstr(key);
    const int which = sim_between(sim, 0, 99);
    if (which < 50) {
        const size_t len = (size_t)sim_between(sim, 0, sim_chance(sim, 5) ? 399 : 12);
        for (size_t i = 0; i < len; i++) value[i] = (char)('a' + random_below(&sim->random, 26));
        argv[0] = SPAN("SET");
        argv[2] = span_of(value, len);
        argc = 3;
        if (sim_chance(sim, 20)) {
            argv[3] = SPAN("PXAT");
            snprintf(number, sizeof(number), "%" PRId64,
                     node_unix_now(node) + sim_between(sim, 1, 4000));
            argv[4] = span_of_cstr(number);
            argc = 5;
        }
    } else if (which < 85) {
        argv[0] = SPAN("INCRBY");
        snprintf(number, sizeof(number), "%d", sim_between(sim, -9, 9));
        argv[2] = span_of_cstr(number);
        argc = 3;
    } else if (which < 93) {
        argv[0] = SPAN("PEXPIREAT");
        snprintf(number, sizeof(number), "%" PRId64,
                 node_unix_now(node) + sim_between(sim, 1, 9000));
        argv[2] = span_of_cstr(number);
        argc = 3;
    } else if (which < 99) {
        argv[0] = SPAN("DEL");
        argc = 2;
    } else {
        argv[0] = SPAN("FLUSHALL");
        argc = 1;
    }
    const uint64_t dirty = store_dirty(node->store);
    execute(node->store, db, argc, argv, reason);
    if (node->unit.open && store_dirty(node->store) != dirty) unit_add(&node->unit, db, argc, argv);
    sim->seen.writes++;
}

void node_write(struct node *node)
{
    if (!node->up || node->paused || role_is_replica(node->role)) return;
    const int db = sim_between(node->sim, 0, DATABASES - 1);
    node_begin_unit(node);
    one_command(node, db);
    if (sim_chance(node->sim, 10)) /* MULTI: several effects in one unit, across databases */
        for (int i = sim_between(node->sim, 1, 4); i > 0; i--)
            one_command(node, sim_between(node->sim, 0, DATABASES - 1));
    node_end_unit(node);
}

void node_expire(struct node *node)
{
    if (role_is_replica(node->role) || node->paused) return;
    node_begin_unit(node);
    store_expire_due(node->store, node_unix_now(node), 4);
    node_end_unit(node);
}

/* ---- applying the stream ------------------------------------------------------------------------ */

bool node_run_applied(void *context, int place, int db, int argc, const struct span *argv,
                      char reason[static 192])
{
    struct node *node = context;
    (void)place;
    return execute(node->store, db, argc, argv, reason);
}

void node_apply(struct node *node, struct span bytes)
{
    struct apply_result result = {0};
    bool getack = false;
    store_set_now(node->store, node_unix_now(node));
    store_policy(node->store)->keep_expired = true;
    /* In slices, so that what is compared is still held by the smallest of backlogs. */
    for (size_t at = 0; at < bytes.len && !result.failed; at += 512) {
        apply_feed(node->apply,
                   span_of(bytes.ptr + at, bytes.len - at < 512 ? bytes.len - at : 512), &result);
        getack = getack || result.getack;
        journal_publish(node->journal);
        history_appended(node->sim, node, false);
    }
    store_policy(node->store)->keep_expired = false;
    primary_log_advanced(node->primary, disk_reach(node), &node->actions);
    if (result.failed)
        replica_apply_failed(node->replica, result.reason, node_now(node), &node->actions);
    else
        replica_applied(node->replica, journal_end(node->journal), getack, node_now(node),
                        &node->actions);
    if (result.failed && !node->config.mutations.keep_partial_unit)
        sim_violation(node->sim, "node %d cannot apply: %s", node->index, result.reason);
}
