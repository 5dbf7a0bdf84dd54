/* What INFO and ROLE want to know. */
#include "repl/replica_state.h"

static const struct {
    const char *role, *stage;
} state_names[] = {
    [REPLICA_NONE] = {"none", "none"},
    [REPLICA_CONNECT] = {"connect", "connect"},
    [REPLICA_CONNECTING] = {"connecting", "connecting"},
    [REPLICA_PING_SENT] = {"handshake", "handshake"},
    [REPLICA_HANDSHAKE] = {"handshake", "handshake"},
    [REPLICA_PSYNC_SENT] = {"handshake", "waiting-for-snapshot"},
    [REPLICA_WAIT_HEADER] = {"sync", "waiting-for-snapshot"},
    [REPLICA_RECEIVING] = {"sync", "receiving"},
    [REPLICA_LOADING] = {"sync", "loading"},
    [REPLICA_CONNECTED] = {"connected", "online"},
};

static void sync_figures(const struct replica *replica, int64_t now_ms, struct replica_figures *out)
{
    out->sync_read = replica->image_read;
    out->load_bytes = replica->image_loaded;
    out->sync_last_io_s = (now_ms - replica->last_io_ms) / 1000;
    if (replica->state < REPLICA_RECEIVING) return;
    const bool loading = replica->state == REPLICA_LOADING;
    uint64_t total = replica->image_total > 0 ? (uint64_t)replica->image_total : 0;
    if (loading) total = replica->image_read;
    out->sync_total = replica->image_total > 0 ? replica->image_total : 0;
    out->sync_left = total - (total > replica->image_read ? replica->image_read : total);
    const uint64_t done = loading ? replica->image_loaded : replica->image_read;
    const int64_t spent_ms = now_ms - (loading ? replica->loading_ms : replica->image_ms);
    if (total > 0) out->percent = (int)((double)done / (double)total * 100);
    if (out->percent > 100) out->percent = 100;
    if (spent_ms > 0) out->bytes_per_s = (int64_t)((double)done * 1000 / (double)spent_ms);
    if (out->bytes_per_s > 0 && total >= done && total > 0)
        out->eta_ms = (int64_t)((double)(total - done) * 1000 / (double)out->bytes_per_s);
}

void replica_figures(const struct replica *replica, int64_t now_ms, struct replica_figures *out)
{
    *out = (struct replica_figures){
        .state = replica->state,
        .role_state = state_names[replica->state].role,
        .stage = state_names[replica->state].stage,
        .host = replica->host,
        .port = replica->port,
        .link_up = replica->state == REPLICA_CONNECTED,
        .syncing = replica->state >= REPLICA_WAIT_HEADER && replica->state <= REPLICA_LOADING,
        .ready = replica->state == REPLICA_CONNECTED && replica->caught_up,
        .ever_synced = replica->adopted || journal_end(replica->journal) > 0,
        .last_io_s = -1,
        .down_since_s = -1,
        .percent = -1,
        .eta_ms = -1,
        .primary_is_pando = replica->primary_is_pando,
        .refused = replica->refused,
        .failures_alike = replica->failures_alike,
        .applied_offset = journal_end(replica->journal),
    };
    out->read_offset = out->link_up ? replica->read_offset : out->applied_offset;
    if (out->link_up) out->last_io_s = (now_ms - replica->last_io_ms) / 1000;
    else if (replica->down_since_ms >= 0)
        out->down_since_s = (now_ms - replica->down_since_ms) / 1000;
    if (replica->state == REPLICA_CONNECT && replica->next_attempt_ms > now_ms)
        out->next_attempt_ms = replica->next_attempt_ms - now_ms;
    if (out->syncing) sync_figures(replica, now_ms, out);
}

struct replica_stats *replica_stats(struct replica *replica)
{
    return &replica->stats;
}
