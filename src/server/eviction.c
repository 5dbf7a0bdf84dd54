#include "server/eviction.h"

#include "base/mem.h"
#include "io/clock.h"
#include "server/config.h"
#include "server/latency.h"
#include "server/persistence.h"
#include "server/replication.h"
#include "store/eviction.h"

enum {
    TENACITY_US = 50,      /* per step, up to the default of 10 */
    TENACITY_DEFAULT = 10, /* from there on twice as long every TENACITY_DOUBLES steps */
    TENACITY_DOUBLES = 5,
    TENACITY_UNLIMITED = 100,
};

/* ---- what counts ------------------------------------------------------------------------------ */

size_t eviction_not_counted(const struct server *server)
{
    return spool_room_memory(server->spool_room) + journal_tail_memory(server->journal) +
           replication_output_memory(server) +
           (size_t)persistence_images(server) * IMAGE_WORKING_MEMORY +
           (size_t)store_leaving_bytes(server->store);
}

static bool is_over(const struct server *server)
{
    uint64_t maxmemory = server->config->maxmemory;
    size_t used = mem_used();

    if (used <= maxmemory) return false; /* mostly; the rest costs more to find out */
    size_t not_counted = eviction_not_counted(server);
    return (used > not_counted ? used - not_counted : 0) > maxmemory;
}

/* ---- how -------------------------------------------------------------------------------------- */

static bool rule_of(const struct config *config, struct eviction_rule *rule)
{
    static const struct {
        enum eviction_order order;
        bool volatile_only;
    } policies[] = {
        [POLICY_VOLATILE_LRU] = {EVICT_LONGEST_IDLE, true},
        [POLICY_VOLATILE_LFU] = {EVICT_LEAST_USED, true},
        [POLICY_VOLATILE_RANDOM] = {EVICT_AT_RANDOM, true},
        [POLICY_VOLATILE_TTL] = {EVICT_NEAREST_DEADLINE, true},
        [POLICY_ALLKEYS_LRU] = {EVICT_LONGEST_IDLE, false},
        [POLICY_ALLKEYS_LFU] = {EVICT_LEAST_USED, false},
        [POLICY_ALLKEYS_RANDOM] = {EVICT_AT_RANDOM, false},
    };

    if (config->maxmemory_policy == POLICY_NO_EVICTION) return false;
    *rule = (struct eviction_rule){
        .order = policies[config->maxmemory_policy].order,
        .volatile_only = policies[config->maxmemory_policy].volatile_only,
        .samples = (unsigned)config->maxmemory_samples,
        .lazy = config->lazyfree_lazy_eviction,
    };
    return true;
}

static int64_t budget_us(const struct config *config)
{
    int64_t tenacity = config->maxmemory_eviction_tenacity;

    if (tenacity >= TENACITY_UNLIMITED) return INT64_MAX;
    if (tenacity <= TENACITY_DEFAULT) return tenacity * TENACITY_US;
    return (TENACITY_DEFAULT * TENACITY_US)
           << ((tenacity - TENACITY_DEFAULT + TENACITY_DOUBLES - 1) / TENACITY_DOUBLES);
}

enum outcome { ENOUGH, TIME_IS_UP, NOTHING_LEFT };

/* Evicts until memory is within its limit or the time is up. */
static enum outcome run(struct server *server, const struct eviction_rule *rule)
{
    int64_t from_us = clock_monotonic_us(), now_us = from_us, limit_us = budget_us(server->config);
    enum outcome outcome = ENOUGH;

    while (is_over(server)) {
        enum evicted evicted = store_evict(server->store, rule);
        unit_commit(&server->unit);
        int64_t key_from_us = now_us;
        now_us = clock_monotonic_us();
        if (evicted == EVICTED_ONE)
            latency_add_event(server, LATENCY_EVICTION_DEL, (now_us - key_from_us) / 1000);
        if (evicted == EVICTED_NOTHING) outcome = NOTHING_LEFT;
        else if (now_us - from_us >= limit_us) outcome = TIME_IS_UP;
        if (outcome != ENOUGH) break;
    }
    latency_add_event(server, LATENCY_EVICTION, (now_us - from_us) / 1000);
    return outcome;
}

/* ---- when ------------------------------------------------------------------------------------- */

/* Whether the limit counts here and now. Where writes are paused data stands still, and a replica has what
 * its primary has. */
static bool applies(const struct server *server)
{
    const struct config *config = server->config;

    if (config->maxmemory == 0 || server->loading) return false;
    if (server_is_replica(server)) return !config->replica_ignore_maxmemory;
    return !server_writes_paused(server);
}

static void note(struct server *server, bool over)
{
    struct exceeded *exceeded = &server->exceeded;

    if (over && exceeded->since_us == 0) exceeded->since_us = clock_monotonic_us();
    if (over || exceeded->since_us == 0) return;
    exceeded->total_us += clock_monotonic_us() - exceeded->since_us;
    exceeded->since_us = 0;
}

void eviction_exceeded_ms(const struct server *server, int64_t *total, int64_t *current)
{
    const struct exceeded *exceeded = &server->exceeded;
    int64_t now_us = exceeded->since_us != 0 ? clock_monotonic_us() - exceeded->since_us : 0;

    *current = now_us / 1000;
    *total = (exceeded->total_us + now_us) / 1000;
}

static enum outcome make_room(struct server *server)
{
    struct eviction_rule rule;
    enum outcome outcome = ENOUGH;

    if (!applies(server)) {
        if (!server_writes_paused(server)) note(server, false);
        return ENOUGH;
    }
    if (is_over(server))
        outcome = rule_of(server->config, &rule) ? run(server, &rule) : NOTHING_LEFT;
    note(server, outcome != ENOUGH);
    return outcome;
}

bool eviction_make_room(struct server *server)
{
    return make_room(server) != NOTHING_LEFT;
}

int64_t eviction_slice(struct server *server)
{
    return make_room(server) == TIME_IS_UP ? 0 : -1;
}
