/* make sim [SEED=n] [RUNS=n]: seeded simulations of nodes that replicate; see sim.h.
 *
 *   sim SEED [RUNS]      runs the seeds SEED .. SEED + RUNS - 1, one line for the first that fails
 *   sim --verbose SEED   tells what happens in one run
 *   sim --replay SEED [RUNS]   runs each seed twice: both must go the same way
 *   sim --mutations [RUNS]     breaks one rule at a time: every one must be found out within RUNS */
#include "sim.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *name;
    size_t offset;
} mutations[] = {
#define DISK_MUTATION(field)                                                                       \
    {                                                                                              \
#field, offsetof(struct sim, disk_mutations.field)                                         \
    }
#define MUTATION(field)                                                                            \
    {                                                                                              \
#field, offsetof(struct sim, mutations.field)                                              \
    }
    MUTATION(ack_what_was_read),
    MUTATION(ignore_second_offset),
    MUTATION(stream_before_first_ack),
    MUTATION(promote_without_new_id),
    MUTATION(keep_replicas_on_adopt),
    MUTATION(attach_at_log_end),
    MUTATION(continue_while_link_down),
    MUTATION(adopt_at_begin),
    MUTATION(feed_unpinned),
    MUTATION(keep_partial_unit),
    MUTATION(resume_without_pause),
    MUTATION(image_before_log),
    DISK_MUTATION(feed_before_written),
    DISK_MUTATION(keep_torn_tail),
    DISK_MUTATION(restore_wrong_offset),
    DISK_MUTATION(keep_loaded_id),
};

static int run_seeds(struct sim *sim, uint64_t seed, uint64_t runs)
{
    struct sim sums = {0};
    for (uint64_t i = 0; i < runs; i++) {
        if (!sim_run(sim, seed + i)) {
            printf("seed %" PRIu64 " failed: %s\n", seed + i, sim->violation);
            return 1;
        }
        sums.seen.full += sim->seen.full;
        sums.seen.partial += sim->seen.partial;
        sums.seen.failovers += sim->seen.failovers;
        sums.seen.restarts += sim->seen.restarts;
        sums.seen.promotions += sim->seen.promotions;
        sums.seen.writes += sim->seen.writes;
        sums.seen.ceiling += sim->seen.ceiling;
        sums.seen.torn += sim->seen.torn;
        sums.seen.tails += sim->seen.tails;
    }
    printf("sim: %" PRIu64 " passed, 0 failed; %" PRIu64 " full and %" PRIu64
           " partial syncs, %" PRIu64 " failovers, %" PRIu64 " starts, %" PRIu64
           " promotions, %" PRIu64 " writes, %" PRIu64 " ceilings, %" PRIu64 " torn files, %" PRIu64
           " of them executed\n",
           runs, sums.seen.full, sums.seen.partial, sums.seen.failovers, sums.seen.restarts,
           sums.seen.promotions, sums.seen.writes, sums.seen.ceiling, sums.seen.torn,
           sums.seen.tails);
    return 0;
}

static int replay(struct sim *sim, uint64_t seed, uint64_t runs)
{
    for (uint64_t i = 0; i < runs; i++) {
        sim_run(sim, seed + i);
        const uint64_t trace = sim->trace;
        sim_run(sim, seed + i);
        if (sim->trace != trace) {
            printf("seed %" PRIu64 " does not replay\n", seed + i);
            return 1;
        }
    }
    printf("sim: %" PRIu64 " replayed alike\n", runs);
    return 0;
}

/* In a process of its own: a broken rule may well end in a failed check. */
static bool caught(size_t which, uint64_t runs)
{
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        struct sim *sim = mem_zalloc(sizeof(*sim));
        *(bool *)((char *)sim + mutations[which].offset) = true;
        for (uint64_t seed = 1; seed <= runs; seed++) {
            if (sim_run(sim, seed)) continue;
            printf("%-26s caught by seed %" PRIu64 ": %s\n", mutations[which].name, seed,
                   sim->violation);
            fflush(stdout);
            _exit(1);
        }
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) printf("%-26s caught by a failed check\n", mutations[which].name);
    return WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
}

static int try_mutations(uint64_t runs)
{
    const size_t count = sizeof(mutations) / sizeof(mutations[0]);
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        if (caught(i, runs)) continue;
        printf("%-26s NOT caught in %" PRIu64 " runs\n", mutations[i].name, runs);
        failed++;
    }
    printf("mutations: %zu passed, %zu failed\n", count - failed, failed);
    return failed > 0;
}

int main(int argc, char **argv)
{
    struct sim *sim = mem_zalloc(sizeof(*sim));
    const char *mode = argc > 1 && argv[1][0] == '-' ? argv[1] : "";
    char **rest = mode[0] != '\0' ? argv + 2 : argv + 1;
    const uint64_t first = rest[0] != NULL ? strtoull(rest[0], NULL, 10) : 0;
    const uint64_t second = rest[0] != NULL && rest[1] != NULL ? strtoull(rest[1], NULL, 10) : 1;
    int result;
    log_set_level(LOG_LEVEL_WARNING);
    if (strcmp(mode, "--mutations") == 0) {
        result = try_mutations(first > 0 ? first : 300);
    } else if (strcmp(mode, "--replay") == 0) {
        result = replay(sim, first, second);
    } else {
        sim->verbose = strcmp(mode, "--verbose") == 0;
        result = run_seeds(sim, first, second);
    }
    mem_free(sim);
    return result;
}
