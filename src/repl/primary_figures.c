/* What INFO, ROLE, WAIT and SHUTDOWN want to know. */
#include "repl/primary_state.h"

#include "base/check.h"

int primary_acked(const struct primary *primary, uint64_t offset)
{
    int count = 0;
    for (int i = 0; i < primary->peer_count; i++) {
        const struct peer *peer = primary->peers[i];
        count += peer->is_replica && peer->state == PEER_ONLINE && peer->acked >= offset;
    }
    return count;
}

int primary_good_replicas(const struct primary *primary, int64_t now_ms)
{
    int count = 0;
    for (int i = 0; i < primary->peer_count; i++) {
        const struct peer *peer = primary->peers[i];
        count += peer->is_replica && peer->state == PEER_ONLINE &&
                 now_ms - peer->alive_ms <= primary->config->min_replicas_max_lag_ms;
    }
    return count;
}

int primary_replicas_online(const struct primary *primary)
{
    int count = 0;
    for (int i = 0; i < primary->peer_count; i++)
        count += primary->peers[i]->is_replica && primary->peers[i]->state == PEER_ONLINE;
    return count;
}

int primary_replicas_caught_up(const struct primary *primary)
{
    return primary_acked(primary, journal_end(primary->journal));
}

int primary_peers(const struct primary *primary)
{
    int count = 0;
    for (int i = 0; i < primary->peer_count; i++) count += primary->peers[i]->is_replica;
    return count;
}

static const struct {
    const char *name, *stage;
} state_names[] = {
    [PEER_WAIT_START] = {"wait_bgsave", "waiting-for-snapshot"},
    [PEER_WAIT_IMAGE] = {"wait_bgsave", "waiting-for-image"},
    [PEER_SENDING] = {"send_bulk", "sending-image"},
    [PEER_WAIT_ACK] = {"online", "loading"}, /* so 7.0 says, too */
    [PEER_ONLINE] = {"online", "online"},
};

static void transfer_figures(const struct primary *primary, const struct peer *peer, int64_t now_ms,
                             struct peer_figures *out)
{
    out->image_offset = peer->image_offset;
    out->image_sent = peer->image_sent;
    out->sync_ms = now_ms - peer->began_ms;
    if (peer->state == PEER_WAIT_START || peer->state == PEER_WAIT_IMAGE) return;
    if (peer->state == PEER_WAIT_ACK) {
        out->image_total = peer->image_sent;
        out->percent = 100;
        return;
    }
    const struct shared_snapshot *snapshot =
        primary_snapshot((struct primary *)primary, peer->snapshot);
    if (snapshot == NULL) return;
    if (snapshot->permille > 0)
        out->image_total = snapshot->image_bytes / (uint64_t)snapshot->permille * 1000;
    if (snapshot->permille == 1000) out->image_total = snapshot->image_bytes;
    if (out->image_total < out->image_sent) out->image_total = out->image_sent;
    if (out->image_total > 0)
        out->percent = (int)((double)out->image_sent / (double)out->image_total * 100);
    const int64_t sending_ms = now_ms - peer->sending_ms;
    if (sending_ms > 0)
        out->bytes_per_s = (int64_t)((double)out->image_sent * 1000 / (double)sending_ms);
    if (out->bytes_per_s > 0 && out->image_total > 0)
        out->eta_ms = (int64_t)((double)(out->image_total - out->image_sent) * 1000 /
                                (double)out->bytes_per_s);
}

void primary_peer(const struct primary *primary, int n, int64_t now_ms, struct peer_figures *out)
{
    const struct peer *peer = NULL;
    for (int i = 0; i < primary->peer_count && peer == NULL; i++)
        if (primary->peers[i]->is_replica && n-- == 0) peer = primary->peers[i];
    check(peer != NULL);
    const uint64_t end = journal_end(primary->journal);
    *out = (struct peer_figures){
        .id = peer->id,
        .ip = peer->announced_ip[0] != '\0' ? peer->announced_ip : peer->ip,
        .port = peer->port,
        .state = peer->state,
        .state_name = state_names[peer->state].name,
        .stage = state_names[peer->state].stage,
        .ack_offset = peer->acked,
        .ack_ms = peer->ack_ms,
        .lag_fine = peer->is_pando,
        .percent = -1,
        .eta_ms = -1,
        .rdb_only = peer->rdb_only,
    };
    if (peer->state == PEER_WAIT_ACK || peer->state == PEER_ONLINE)
        out->lag_s = (now_ms - peer->alive_ms) / 1000;
    const uint64_t applied = peer->acked > peer->joined_at ? peer->acked : peer->joined_at;
    if (peer->state != PEER_WAIT_START && end > applied) {
        out->lag_bytes = end - applied;
        out->lag_ms = journal_age_ms(primary->journal, applied, now_ms);
    }
    if (out->lag_ms < peer->ack_ms) out->lag_ms = peer->ack_ms; /* what the newest write took */
    if (peer->state == PEER_ONLINE) out->sent_offset = peer->position;
    if (peer->full_sync) transfer_figures(primary, peer, now_ms, out);
}

struct primary_stats *primary_stats(struct primary *primary)
{
    return &primary->stats;
}
