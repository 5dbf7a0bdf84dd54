/* No room: which replica has to go where the log or a snapshot's spool cannot grow, and how long it
 * then waits for its next snapshot. */
#include "repl/primary_state.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- penalties ---------------------------------------------------------------------------------- */

void primary_penalize(struct primary *primary, const struct peer *peer, int64_t now_ms)
{
    char name[REPL_PEER_CHARS];
    primary_name(peer, name);
    struct penalty *slot = &primary->penalties[0];
    for (int i = 0; i < PRIMARY_PENALTIES_MAX; i++) {
        struct penalty *penalty = &primary->penalties[i];
        if (strcmp(penalty->peer, name) == 0) {
            slot = penalty;
            break;
        }
        /* Else a free one, else the one that ends first. */
        if (slot->peer[0] != '\0' &&
            (penalty->peer[0] == '\0' || penalty->until_ms < slot->until_ms))
            slot = penalty;
    }
    if (strcmp(slot->peer, name) != 0) {
        snprintf(slot->peer, sizeof(slot->peer), "%s", name);
        slot->wait_ms = PENALTY_FIRST_MS;
    } else {
        slot->wait_ms = slot->wait_ms * 2 > PENALTY_MAX_MS ? PENALTY_MAX_MS : slot->wait_ms * 2;
    }
    slot->until_ms = now_ms + slot->wait_ms;
}

int64_t primary_penalty_ends(const struct primary *primary, const struct peer *peer)
{
    char name[REPL_PEER_CHARS];
    primary_name(peer, name);
    for (int i = 0; i < PRIMARY_PENALTIES_MAX; i++)
        if (strcmp(primary->penalties[i].peer, name) == 0) return primary->penalties[i].until_ms;
    return 0;
}

void primary_forgive(struct primary *primary, const struct peer *peer)
{
    char name[REPL_PEER_CHARS];
    primary_name(peer, name);
    for (int i = 0; i < PRIMARY_PENALTIES_MAX; i++)
        if (strcmp(primary->penalties[i].peer, name) == 0) primary->penalties[i].peer[0] = '\0';
}

/* ---- who has to go ------------------------------------------------------------------------------ */

/* Ends the peer's attempt, or its stream. The two speeds tell whoever reads the reason what to change:
 * a reader that is slower than the writers never catches up. */
static void end_for_room(struct primary *primary, struct peer *peer, const char *what,
                         int64_t now_ms, struct repl_actions *out)
{
    const int64_t taken_ms = now_ms > peer->began_ms ? now_ms - peer->began_ms : 1;
    const uint64_t written = journal_end(primary->journal) - peer->joined_at;
    const uint64_t sent = peer->image_sent + (peer->position - peer->joined_at);
    char reason[REPL_REASON_CHARS];
    snprintf(reason, sizeof(reason),
             "%s: %" PRIu64 " bytes/s were written and %" PRIu64 " bytes/s sent to this replica",
             what, written * 1000 / (uint64_t)taken_ms, sent * 1000 / (uint64_t)taken_ms);
    primary_penalize(primary, peer, now_ms);
    primary->stats.ceiling_drops++;
    primary_drop(primary, peer, reason, now_ms, out);
}

/* What the peer makes the log hold on to. */
static uint64_t pinned_at(const struct peer *peer)
{
    return peer->state == PEER_ONLINE ? peer->position : peer->image_offset;
}

bool primary_byte_ceiling(struct primary *primary, int64_t now_ms, struct repl_actions *out)
{
    struct peer *victim = NULL;
    for (int i = 0; i < primary->peer_count; i++) {
        struct peer *peer = primary->peers[i];
        if (!peer->is_replica || peer->state == PEER_WAIT_START || peer->rdb_only) continue;
        if (victim == NULL || pinned_at(peer) < pinned_at(victim) ||
            (pinned_at(peer) == pinned_at(victim) && peer->full_sync && !victim->full_sync))
            victim = peer;
    }
    if (victim == NULL) return false;
    end_for_room(primary, victim, "the log reached its byte ceiling", now_ms, out);
    return true;
}

void primary_snapshot_short_of_room(struct primary *primary, uint32_t number, int64_t now_ms,
                                    struct repl_actions *out)
{
    struct shared_snapshot *snapshot = primary_snapshot(primary, number);
    struct peer *slowest = NULL;
    uint64_t most = 0;
    if (snapshot == NULL || snapshot->state != SNAPSHOT_RUNNING) return;
    snapshot->no_latecomers = true;
    for (int i = primary->peer_count - 1; i >= 0; i--) {
        struct peer *peer = primary->peers[i];
        if (!peer->is_replica || peer->snapshot != number) continue;
        if (peer->state == PEER_WAIT_IMAGE) {
            end_for_room(primary, peer,
                         "no room for a snapshot that has to be whole before it is sent", now_ms,
                         out);
            continue;
        }
        if (slowest == NULL || peer->image_sent < slowest->image_sent) slowest = peer;
        if (peer->image_sent > most) most = peer->image_sent;
    }
    if (slowest != NULL && slowest->image_sent < most)
        end_for_room(primary, slowest, "no room for the snapshot, and this replica is the slowest",
                     now_ms, out);
}
