#include "server/defrag.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "server/config.h"
#include "server/latency.h"
#include "store/defrag.h"

enum {
    SLICE_US = 250,
    SURVEY_US = 1000 * 1000,
    PAUSE_FIRST_US = 10 * 1000 * 1000,
    PAUSE_MAX_US = 600 * 1000 * 1000,
    ELEMENTS_MAX = 1000, /* of values, in one step */
    SPARSE_PERCENT = 50, /* classes that are worth a walk in any case, if they waste */
    SPARSE_WASTE_MIN = 8 << 20,
    SPARSE_EFFORT = 10,
    FULL_PERCENT = 75, /* slabs that are so full stay as they are */
    WORTH_PART = 20,   /* a walk that gains less than such a part of the waste has gained little */
};

struct defrag_run *defrag_new(void)
{
    return mem_zalloc(sizeof(struct defrag_run));
}

/* ---- when ------------------------------------------------------------------------------------- */

/* activedefrag: the effort in percent of time, 0 where there is too little waste. */
static int active_effort(const struct config *config, const struct mem_survey *survey)
{
    int64_t lower = config->active_defrag_threshold_lower;
    int64_t upper = config->active_defrag_threshold_upper;
    int64_t least = config->active_defrag_cycle_min, most = config->active_defrag_cycle_max;

    if (!config->activedefrag || survey->used == 0) return 0;
    int64_t percent = (int64_t)((double)survey->wasted * 100 / (double)survey->used);
    if (percent < lower || survey->wasted < (size_t)config->active_defrag_ignore_bytes) return 0;
    if (percent >= upper || upper <= lower) return (int)most;
    return (int)(least + (most - least) * (percent - lower) / (upper - lower));
}

static void prepare(void *context)
{
    const struct defrag_run *run = context;

    mem_mover_prepare(&run->mover);
}

static void prepared(void *context)
{
    struct defrag_run *run = context;

    run->preparing = false;
}

static void begin(struct server *server, int effort, unsigned full_percent)
{
    struct defrag_run *run = server->defrag;

    run->effort_percent = effort < 1 ? 1 : effort > 99 ? 99 : effort;
    run->mover.fullness_percent = full_percent;
    run->moved_before = run->mover.moved_bytes;
    run->began_us = run->next_slice_us = server->now_mono_us;
    run->preparing = true;
    worker_submit(server->reclaim_worker, prepare, prepared, run);
    store_defrag_reset(server->store);
    log_verbose("Defragmentation begins: %zu bytes lie free between %zu used ones",
                run->survey.wasted, run->survey.used);
}

void defrag_cron(struct server *server)
{
    struct defrag_run *run = server->defrag;
    const struct config *config = server->config;

    if (run->effort_percent > 0 || server->loading || server->now_mono_us < run->next_survey_us)
        return;
    run->next_survey_us = server->now_mono_us + SURVEY_US;
    /* Used is at most that part where as much is wasted as the threshold says. */
    unsigned active_percent = (unsigned)(10000 / (100 + config->active_defrag_threshold_lower));
    mem_survey(&run->mover, config->activedefrag ? active_percent : SPARSE_PERCENT, &run->survey);
    int effort = active_effort(config, &run->survey);
    if (effort > 0 && run->survey.wanted_waste > 0) {
        begin(server, effort, active_percent > FULL_PERCENT ? active_percent : FULL_PERCENT);
        return;
    }
    if (config->activedefrag) mem_survey(&run->mover, SPARSE_PERCENT, &run->survey);
    if (run->survey.wanted_waste >= SPARSE_WASTE_MIN) begin(server, SPARSE_EFFORT, FULL_PERCENT);
}

/* ---- a walk ----------------------------------------------------------------------------------- */

static void purge(void *context)
{
    (void)context;
    mem_purge();
}

static void end(struct server *server, int64_t now_us)
{
    struct defrag_run *run = server->defrag;
    struct mem_mover ignored = {.fullness_percent = 0};
    struct mem_survey survey;
    size_t worth = run->survey.wanted_waste / WORTH_PART;

    run->effort_percent = 0;
    run->total_us += now_us - run->began_us;
    /* The allocator gives pages back in time by itself, if it has a thread for it. */
    if (!server->config->jemalloc_bg_thread)
        worker_submit(server->reclaim_worker, purge, NULL, NULL);
    mem_survey(&ignored, SPARSE_PERCENT, &survey);
    /* More may have been freed meanwhile, so that what was moved counts as well. */
    bool gained = survey.wasted + worth < run->survey.wasted ||
                  run->mover.moved_bytes - run->moved_before > worth;
    if (gained) run->pause_us = 0;
    else if (run->pause_us == 0) run->pause_us = PAUSE_FIRST_US;
    else if (run->pause_us < PAUSE_MAX_US) run->pause_us *= 2;
    run->next_survey_us = now_us + SURVEY_US + run->pause_us;
    log_verbose("Defragmentation ends after %lld ms: %zu bytes lie free between %zu used ones",
                (long long)(now_us - run->began_us) / 1000, survey.wasted, survey.used);
}

int64_t defrag_slice(struct server *server)
{
    struct defrag_run *run = server->defrag;
    size_t elements = (size_t)server->config->active_defrag_max_scan_fields;

    if (run->effort_percent == 0 || run->preparing) return -1;
    int64_t from_us = clock_monotonic_us(), now_us = from_us;
    if (now_us < run->next_slice_us) return run->next_slice_us - now_us;
    if (elements > ELEMENTS_MAX) elements = ELEMENTS_MAX;
    bool more = true;
    while (more && now_us - from_us < SLICE_US) {
        more = store_defrag_step(server->store, &run->mover, elements);
        now_us = clock_monotonic_us();
    }
    int64_t took_us = now_us - from_us;
    latency_add_event(server, LATENCY_DEFRAG, took_us / 1000);
    if (!more) {
        end(server, now_us);
        return -1;
    }
    int64_t pause_us = took_us * (100 - run->effort_percent) / run->effort_percent;
    run->next_slice_us = now_us + pause_us;
    return pause_us;
}

/* ---- figures ---------------------------------------------------------------------------------- */

void defrag_reset_figures(struct server *server)
{
    server->defrag->mover.moved = server->defrag->mover.kept = 0;
    server->defrag->total_us = 0;
    *store_defrag_figures(server->store) = (struct defrag_figures){0};
}

void defrag_info(struct server *server, struct buf *out)
{
    const struct defrag_run *run = server->defrag;
    const struct defrag_figures *keys = store_defrag_figures(server->store);
    int64_t current_us = run->effort_percent > 0 ? clock_monotonic_us() - run->began_us : 0;

    buf_printf(
        out,
        "active_defrag_hits:%llu\r\nactive_defrag_misses:%llu\r\nactive_defrag_key_hits:%llu\r\n"
        "active_defrag_key_misses:%llu\r\ntotal_active_defrag_time:%lld\r\n"
        "current_active_defrag_time:%lld\r\n",
        (unsigned long long)run->mover.moved, (unsigned long long)run->mover.kept,
        (unsigned long long)keys->keys_moved, (unsigned long long)keys->keys_kept,
        (long long)(run->total_us + current_us) / 1000, (long long)current_us / 1000);
}
