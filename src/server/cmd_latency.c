/* LATENCY: what the latency monitor has seen, and the distributions of execution times. */
#include "handlers.h"

#include "base/mem.h"
#include "server/config.h"
#include "server/latency_inside.h"

#include <math.h>
#include <stdio.h>

static const char *const kind_names[LATENCY_KINDS] = {
    [LATENCY_COMMAND] = "command",
    [LATENCY_FAST_COMMAND] = "fast-command",
    [LATENCY_EXPIRE_CYCLE] = "expire-cycle",
    [LATENCY_EVICTION] = "eviction-cycle",
    [LATENCY_DEFRAG] = "active-defrag-cycle",
    [LATENCY_EVICTION_DEL] = "eviction-del",
    [LATENCY_AOF_WRITE] = "aof-write",
    [LATENCY_AOF_PENDING] = "aof-write-pending-fsync",
    [LATENCY_AOF_FSYNC] = "aof-fsync-always",
    [LATENCY_SNAPSHOT_WALK] = "snapshot-walk",
    [LATENCY_SLOW_WRITERS] = "slow-writers",
};

/* The series with samples of that name (its case counts, as in Redis), or NULL. */
static struct latency_series *find_series(struct call *call, struct span name, int *kind)
{
    struct latency *latency = call_server(call)->latency;

    for (int i = 0; i < LATENCY_KINDS; i++) {
        if (!span_equal(name, span_of(kind_names[i], strlen(kind_names[i])))) continue;
        if (kind != NULL) *kind = i;
        return latency->series[i].written > 0 ? &latency->series[i] : NULL;
    }
    return NULL;
}

/* ---- samples ---------------------------------------------------------------------------------- */

enum err cmd_latency_latest(struct call *call)
{
    const struct latency *latency = call_server(call)->latency;
    size_t header = reply_defer(call->reply);
    int count = 0;

    for (int kind = 0; kind < LATENCY_KINDS; kind++) {
        const struct latency_series *series = &latency->series[kind];
        if (series->written == 0) continue;
        const struct latency_spike *last = latency_spike(series, latency_kept(series) - 1);
        reply_array(call->reply, 4);
        reply_bulk_cstr(call->reply, kind_names[kind]);
        reply_int64(call->reply, last->unix_s);
        reply_int64(call->reply, last->took_ms);
        reply_int64(call->reply, series->max_ms);
        count++;
    }
    reply_settle(call->reply, header, REPLY_ARRAY, count);
    return OK;
}

enum err cmd_latency_history(struct call *call)
{
    const struct latency_series *series = find_series(call, call->argv[2], NULL);
    int kept = series == NULL ? 0 : latency_kept(series);

    reply_array(call->reply, kept);
    for (int i = 0; i < kept; i++) {
        const struct latency_spike *spike = latency_spike(series, i);
        reply_array(call->reply, 2);
        reply_int64(call->reply, spike->unix_s);
        reply_int64(call->reply, spike->took_ms);
    }
    return OK;
}

enum err cmd_latency_reset(struct call *call)
{
    struct latency *latency = call_server(call)->latency;
    int reset = 0;

    for (int kind = 0; call->argc == 2 && kind < LATENCY_KINDS; kind++) {
        reset += latency->series[kind].written > 0;
        latency->series[kind] = (struct latency_series){0};
    }
    for (int i = 2; i < call->argc; i++) {
        struct latency_series *series = find_series(call, call->argv[i], NULL);
        if (series == NULL) continue;
        *series = (struct latency_series){0};
        reset++;
    }
    reply_int64(call->reply, reset);
    return OK;
}

/* ---- GRAPH ------------------------------------------------------------------------------------ */

enum { GRAPH_COLUMNS = 80, GRAPH_ROWS = 4, GRAPH_STEPS = 3, GRAPH_LABEL_CHARS = 8 };

struct summary {
    int64_t low_ms, high_ms;
    double mean_ms, deviation_ms; /* the mean of the distances from the mean */
    double period_s;              /* between two spikes, on average */
};

static void summarize(const struct latency_series *series, int64_t now_s, struct summary *out)
{
    int kept = latency_kept(series);

    *out = (struct summary){.low_ms = INT64_MAX};
    for (int i = 0; i < kept; i++) {
        int64_t took_ms = latency_spike(series, i)->took_ms;
        if (took_ms < out->low_ms) out->low_ms = took_ms;
        if (took_ms > out->high_ms) out->high_ms = took_ms;
        out->mean_ms += (double)took_ms / kept;
    }
    for (int i = 0; i < kept; i++)
        out->deviation_ms += fabs((double)latency_spike(series, i)->took_ms - out->mean_ms) / kept;
    out->period_s = (double)(now_s - latency_spike(series, 0)->unix_s) / kept;
}

/* How long ago, in the largest unit that gives at least one. */
static int write_age(char out[GRAPH_LABEL_CHARS], int64_t seconds)
{
    static const struct {
        int64_t seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int i = 0;

    if (seconds < 0) seconds = 0;
    while (i < 3 && seconds < units[i].seconds) i++;
    return snprintf(out, GRAPH_LABEL_CHARS, "%d%c", (int)(seconds / units[i].seconds % 100000),
                    units[i].letter);
}

/* Up to 80 samples as bars, each with its age written downwards below it. */
static void draw(const struct latency_series *series, int first, int count,
                 const struct summary *summary, int64_t now_s, struct buf *out)
{
    int levels[GRAPH_COLUMNS], label_chars = 0;
    char labels[GRAPH_COLUMNS][GRAPH_LABEL_CHARS] = {{0}};
    double range = (double)(summary->high_ms - summary->low_ms);

    for (int i = 0; i < count; i++) {
        const struct latency_spike *spike = latency_spike(series, first + i);
        double part = range > 0 ? (double)(spike->took_ms - summary->low_ms) / range : 0;
        int level = (int)(part * GRAPH_ROWS * GRAPH_STEPS);
        levels[i] = level < GRAPH_ROWS * GRAPH_STEPS ? level : GRAPH_ROWS * GRAPH_STEPS - 1;
        int chars = write_age(labels[i], now_s - spike->unix_s);
        if (chars > label_chars) label_chars = chars;
    }
    for (int row = GRAPH_ROWS - 1; row >= 0; row--) {
        for (int i = 0; i < count; i++) {
            int top = levels[i] / GRAPH_STEPS;
            buf_append_char(out, row > top   ? ' '
                                 : row < top ? '|'
                                             : "_o#"[levels[i] % GRAPH_STEPS]);
        }
        buf_append_char(out, '\n');
    }
    for (int row = -1; row < label_chars; row++) {
        for (int i = 0; i < count; i++) {
            char c = row < 0 ? ' ' : labels[i][row];
            buf_append_char(out, c == '\0' || row >= (int)strlen(labels[i]) ? ' ' : c);
        }
        buf_append_char(out, '\n');
    }
}

enum err cmd_latency_graph(struct call *call)
{
    int64_t now_s = call->now_ms / 1000;
    struct summary summary;
    struct buf out = {0};
    int kind = 0;
    const struct latency_series *series = find_series(call, call->argv[2], &kind);

    if (series == NULL) {
        int len = call->argv[2].len < 128 ? (int)call->argv[2].len : 128;
        return call_fail(call, "ERR No samples available for event '%.*s'", len, call->argv[2].ptr);
    }
    summarize(series, now_s, &summary);
    buf_printf(&out, "%s - high %lld ms, low %lld ms (all time high %lld ms)\n", kind_names[kind],
               (long long)summary.high_ms, (long long)summary.low_ms, (long long)series->max_ms);
    for (int i = 0; i < GRAPH_COLUMNS; i++) buf_append_char(&out, '-');
    buf_append_char(&out, '\n');
    int kept = latency_kept(series);
    for (int first = 0; first < kept; first += GRAPH_COLUMNS)
        draw(series, first, kept - first < GRAPH_COLUMNS ? kept - first : GRAPH_COLUMNS, &summary,
             now_s, &out);
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}

/* ---- DOCTOR ----------------------------------------------------------------------------------- */

static const char *const advice[LATENCY_KINDS] = {
    [LATENCY_COMMAND] =
        "SLOWLOG GET names the commands that took long and their arguments: commands that walk a "
        "whole big value (KEYS, SMEMBERS, SORT, large ranges) are the usual ones; SCAN and its "
        "relatives do the same in parts.",
    [LATENCY_FAST_COMMAND] =
        "Commands of constant or logarithmic time were slow: most likely the process did not get "
        "the processor or its memory was swapped out. Look at the load of the machine, at its "
        "swap, and at the limits of the container.",
    [LATENCY_EXPIRE_CYCLE] =
        "Many keys, or big ones, expired at the same moment: spread their expiry times, or set "
        "lazyfree-lazy-expire to yes.",
    [LATENCY_EVICTION] =
        "Eviction had to free much at once: set lazyfree-lazy-eviction to yes, or give maxmemory "
        "more room.",
    [LATENCY_EVICTION_DEL] = "Evicting a single key took long: set lazyfree-lazy-eviction to yes, "
                             "and keep values small.",
    [LATENCY_DEFRAG] =
        "A slice of defragmentation took long, which buckets with many big values do: lower "
        "active-defrag-max-scan-fields.",
    [LATENCY_SNAPSHOT_WALK] =
        "A slice of a running snapshot took long, which single big values do: keep values small.",
    [LATENCY_SLOW_WRITERS] =
        "Writing commands waited because the replication log was full (repl-slow-writers): give "
        "repl-log-memory-max and repl-log-disk-max more room, or the slowest replica of INFO "
        "replication a faster link.",
};

static void diagnose(struct server *server, struct buf *out)
{
    const struct latency *latency = server->latency;
    int64_t threshold_ms = server->config->latency_monitor_threshold;
    int found = 0;

    for (int kind = 0; kind < LATENCY_KINDS; kind++) {
        const struct latency_series *series = &latency->series[kind];
        struct summary s;
        if (series->written == 0) continue;
        if (found++ == 0) buf_printf(out, "Latency spikes were observed:\n\n");
        summarize(series, server->now_ms / 1000, &s);
        buf_printf(out,
                   "%d. %s: %d latency spikes (average %.0fms, mean deviation %.0fms, period %.2f "
                   "sec). Worst all time event %lldms.\n",
                   found, kind_names[kind], latency_kept(series), s.mean_ms, s.deviation_ms,
                   s.period_s, (long long)series->max_ms);
    }
    if (found == 0 && threshold_ms == 0)
        buf_printf(out, "The latency monitor is off. CONFIG SET latency-monitor-threshold N makes "
                        "it keep what takes N milliseconds or longer.\n");
    else if (found == 0)
        buf_printf(out, "No latency spike of %lld ms or more was observed.\n",
                   (long long)threshold_ms);
    if (found == 0) return;
    buf_printf(out, "\nAdvice:\n\n");
    for (int kind = 0; kind < LATENCY_KINDS; kind++)
        if (latency->series[kind].written > 0) buf_printf(out, "- %s\n", advice[kind]);
    if (server->config->slowlog_log_slower_than < 0 ||
        server->config->slowlog_log_slower_than > threshold_ms * 1000)
        buf_printf(out,
                   "- The slow log leaves out commands that the latency monitor reports: CONFIG "
                   "SET slowlog-log-slower-than %lld keeps them.\n",
                   (long long)threshold_ms * 1000);
}

enum err cmd_latency_doctor(struct call *call)
{
    struct buf out = {0};

    diagnose(call_server(call), &out);
    reply_verbatim(call->reply, "txt", buf_span(&out));
    buf_release(&out);
    return OK;
}

/* ---- HISTOGRAM -------------------------------------------------------------------------------- */

/* One pair of the reply's map, durations in whole microseconds. */
static int reply_distribution(struct call *call, const struct command *command)
{
    const struct command_stats *stats = &call_server(call)->command_stats[command->id];
    struct histogram_power powers[HISTOGRAM_POWERS_MAX];

    if (stats->latency == NULL || histogram_total(stats->latency) == 0) return 0;
    reply_bulk_cstr(call->reply, command->name);
    reply_map(call->reply, 2);
    reply_bulk_cstr(call->reply, "calls");
    reply_int64(call->reply, (int64_t)histogram_total(stats->latency));
    reply_bulk_cstr(call->reply, "histogram_usec");
    size_t count = histogram_powers(stats->latency, powers);
    reply_map(call->reply, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        reply_int64(call->reply, (int64_t)(powers[i].ns / 1000));
        reply_int64(call->reply, (int64_t)powers[i].count);
    }
    return 1;
}

enum err cmd_latency_histogram(struct call *call)
{
    size_t header = reply_defer(call->reply);
    int count = 0;

    for (int id = 0; call->argc == 2 && id < command_id_count; id++)
        count += reply_distribution(call, command_by_id(id));
    for (int i = 2; i < call->argc; i++) {
        const struct command *command = command_find_full(call->argv[i]);
        if (command == NULL) continue;
        count += reply_distribution(call, command);
        for (int sub = 0; sub < command->subcommand_count; sub++)
            count += reply_distribution(call, &command->subcommands[sub]);
    }
    reply_settle(call->reply, header, REPLY_MAP, count);
    return OK;
}

enum err cmd_latency_help(struct call *call)
{
    static const char *const lines[] = {
        "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    Return a human readable latency analysis report.",
        "GRAPH <event>",
        "    Return an ASCII latency graph for the <event> class.",
        "HISTORY <event>",
        "    Return time-latency samples for the <event> class.",
        "LATEST",
        "    Return the latest latency samples for all events.",
        "RESET [<event> ...]",
        "    Reset latency data of one or more <event> classes.",
        "    (default: reset all data for all event classes)",
        "HISTOGRAM [COMMAND ...]",
        "    Return a cumulative distribution of latencies in the format of a histogram for the "
        "specified command names.",
        "    If no commands are specified then all histograms are replied.",
        "HELP",
        "    Prints this help.",
        NULL,
    };

    reply_help(call->reply, lines);
    return OK;
}
