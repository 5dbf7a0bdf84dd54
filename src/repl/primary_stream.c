/* The stream after the synchronisation, and everything that time does. */
#include "repl/primary_state.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- the log moves ------------------------------------------------------------------------------ */

void primary_log_advanced(struct primary *primary, uint64_t end, struct repl_actions *out)
{
    primary->log_end = end;
    primary_send_held_images(primary, out);
    for (int i = 0; i < primary->peer_count; i++) {
        struct peer *peer = primary->peers[i];
        if (!peer->is_replica || peer->state != PEER_ONLINE || peer->fed >= end) continue;
        peer->fed = end;
        repl_act(out, REPL_FEED, peer->id)->offset = end;
    }
}

void primary_fed(struct primary *primary, uint64_t id, uint64_t position)
{
    struct peer *peer = primary_find(primary, id);
    if (peer != NULL) peer->position = position;
}

void primary_want_acks(struct primary *primary)
{
    primary->acks_wanted = true;
}

void primary_flush(struct primary *primary, struct repl_actions *out)
{
    if (!primary->acks_wanted) return;
    primary->acks_wanted = false;
    if (primary->upstream != UPSTREAM_NONE || primary_replicas_online(primary) == 0) return;
    repl_act_text(out, REPL_APPEND, 0, "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n");
}

/* ---- time --------------------------------------------------------------------------------------- */

/* Bare newlines keep a replica from giving up while it waits for something to read. */
static void keep_alive(struct peer *peer, int64_t now_ms, struct repl_actions *out)
{
    if (peer->state != PEER_WAIT_START && peer->state != PEER_WAIT_IMAGE) return;
    if (now_ms - peer->newline_ms < KEEP_ALIVE_MS) return;
    peer->newline_ms = now_ms;
    repl_act_text(out, REPL_SEND, peer->id, "\n");
}

/* Why the peer is given up, or NULL. */
static const char *timed_out(struct primary *primary, const struct peer *peer, int64_t now_ms)
{
    const int64_t timeout_ms = primary->config->timeout_ms;
    switch (peer->state) {
    case PEER_WAIT_START:
    case PEER_WAIT_IMAGE: return NULL; /* it is our turn */
    case PEER_SENDING: {
        const struct shared_snapshot *snapshot = primary_snapshot(primary, peer->snapshot);
        const bool has_bytes = snapshot != NULL && peer->image_sent < snapshot->image_bytes;
        return has_bytes && now_ms - peer->progress_ms > timeout_ms
                   ? "Disconnecting timedout replica (full sync): it took nothing of the snapshot "
                     "for repl-timeout"
                   : NULL;
    }
    case PEER_WAIT_ACK:
    case PEER_ONLINE:
        if (!peer->by_sync && now_ms - peer->alive_ms > timeout_ms)
            return "Disconnecting timedout replica (streaming sync): nothing came from it for "
                   "repl-timeout";
        if (now_ms - peer->moved_ms > timeout_ms)
            return "Disconnecting timedout replica (streaming sync): it took nothing of the stream "
                   "for repl-timeout";
        return NULL;
    }
    return NULL;
}

/* A peer that acknowledges and does not read would hold the log, and with repl-slow-writers the
 * writers, for ever. */
static void note_movement(struct peer *peer, int64_t now_ms)
{
    const bool waits = peer->state == PEER_ONLINE && peer->position < peer->fed;
    if (waits && peer->position == peer->seen) return;
    peer->seen = peer->position;
    peer->moved_ms = now_ms;
}

static void send_ping(struct primary *primary, int64_t now_ms, struct repl_actions *out)
{
    const bool due = primary->upstream == UPSTREAM_NONE && !primary->paused &&
                     primary_peers(primary) > 0 && journal_active(primary->journal);
    if (!due || primary->ping_ms < 0) {
        primary->ping_ms = now_ms; /* the period begins with the first replica */
        return;
    }
    if (now_ms - primary->ping_ms < primary->config->ping_period_ms) return;
    primary->ping_ms = now_ms;
    repl_act_text(out, REPL_APPEND, 0, "*1\r\n$4\r\nPING\r\n");
}

static void free_backlog(struct primary *primary, int64_t now_ms, struct repl_actions *out)
{
    if (primary->upstream != UPSTREAM_NONE || primary_peers(primary) > 0) return;
    if (primary->no_replicas_ms < 0) primary->no_replicas_ms = now_ms;
    if (!journal_active(primary->journal) || primary->config->log_needed ||
        primary->config->backlog_ttl_ms <= 0)
        return;
    if (now_ms - primary->no_replicas_ms <= primary->config->backlog_ttl_ms) return;
    primary_note(primary, NULL, REPL_EVENT_BACKLOG_FREED, 0, 0, now_ms,
                 "no replica for repl-backlog-ttl");
    repl_act(out, REPL_DEACTIVATE, 0);
    primary->no_replicas_ms = now_ms;
}

void primary_timer(struct primary *primary, int64_t now_ms, struct repl_actions *out)
{
    for (int i = primary->peer_count - 1; i >= 0; i--) {
        struct peer *peer = primary->peers[i];
        if (!peer->is_replica) continue;
        note_movement(peer, now_ms);
        const char *reason = timed_out(primary, peer, now_ms);
        if (reason != NULL) {
            primary->stats.timeout_drops++;
            primary_drop(primary, peer, reason, now_ms, out);
        } else {
            keep_alive(peer, now_ms, out);
        }
    }
    primary_serve_waiting(primary, now_ms, out);
    send_ping(primary, now_ms, out);
    free_backlog(primary, now_ms, out);
}
