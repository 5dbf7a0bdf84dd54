#include "server/latency.h"

#include "base/mem.h"
#include "server/config.h"
#include "server/latency_inside.h"

struct latency *latency_new(void)
{
    return mem_zalloc(sizeof(struct latency));
}

void latency_add_event(struct server *server, enum latency_kind kind, int64_t took_ms)
{
    int64_t threshold_ms = server->config->latency_monitor_threshold, now_s = server->now_ms / 1000;
    struct latency_series *series = &server->latency->series[kind];

    if (threshold_ms == 0 || took_ms < threshold_ms) return;
    if (took_ms > series->max_ms) series->max_ms = took_ms;
    struct latency_spike *last =
        series->written == 0 ? NULL : &series->spikes[(series->written - 1) % LATENCY_SPIKES_KEPT];
    if (last != NULL && last->unix_s == now_s) { /* one per second: the worst of it */
        if (took_ms > last->took_ms) last->took_ms = took_ms;
        return;
    }
    series->spikes[series->written++ % LATENCY_SPIKES_KEPT] =
        (struct latency_spike){.unix_s = now_s, .took_ms = took_ms};
}

void latency_record(struct server *server, const struct command *command, int64_t took_us)
{
    struct command_stats *stats = &server->command_stats[command->id];

    if (server->config->latency_tracking) {
        if (stats->latency == NULL) stats->latency = histogram_new();
        histogram_record(stats->latency, (uint64_t)took_us * 1000);
    }
    if (server->config->latency_monitor_threshold != 0)
        latency_add_event(server,
                          command->flags & CMD_FAST ? LATENCY_FAST_COMMAND : LATENCY_COMMAND,
                          took_us / 1000);
}

/* ---- errors by code word ----------------------------------------------------------------------- */

void latency_count_error(struct server *server, const struct reply *reply)
{
    struct latency *latency = server->latency;
    int at = 0;

    server->stats.error_replies++;
    while (at < latency->error_count && strcmp(latency->errors[at].word, reply->last_error) < 0)
        at++;
    if (at < latency->error_count && strcmp(latency->errors[at].word, reply->last_error) == 0) {
        latency->errors[at].count++;
        return;
    }
    if (latency->error_count == LATENCY_ERROR_WORDS_MAX) return;
    memmove(&latency->errors[at + 1], &latency->errors[at],
            (size_t)(latency->error_count - at) * sizeof *latency->errors);
    latency->error_count++;
    latency->errors[at].count = 1;
    memcpy(latency->errors[at].word, reply->last_error, sizeof latency->errors[at].word);
}

void latency_reset_errors(struct server *server)
{
    server->latency->error_count = 0;
}

void latency_each_error(const struct server *server, void (*each)(void *, const char *, uint64_t),
                        void *context)
{
    for (int i = 0; i < server->latency->error_count; i++)
        each(context, server->latency->errors[i].word, server->latency->errors[i].count);
}
