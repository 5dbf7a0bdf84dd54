/* How a peer becomes a replica: PSYNC, SYNC, and the snapshots that replicas share. */
#include "repl/primary_state.h"

#include "base/check.h"
#include "base/num.h"
#include "base/random.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- snapshots ---------------------------------------------------------------------------------- */

struct shared_snapshot *primary_snapshot(struct primary *primary, uint32_t number)
{
    for (int i = 0; i < PRIMARY_SNAPSHOTS_MAX; i++)
        if (primary->snapshots[i].state != SNAPSHOT_FREE && primary->snapshots[i].number == number)
            return &primary->snapshots[i];
    return NULL;
}

static bool has_peers(const struct primary *primary, uint32_t number)
{
    for (int i = 0; i < primary->peer_count; i++)
        if (primary->peers[i]->is_replica && primary->peers[i]->snapshot == number) return true;
    return false;
}

static void end_snapshot(struct shared_snapshot *snapshot, struct repl_actions *out)
{
    repl_act(out, REPL_END_SNAPSHOT, 0)->snapshot = snapshot->number;
    snapshot->state = SNAPSHOT_FREE;
}

void primary_leave_snapshot(struct primary *primary, struct peer *peer, struct repl_actions *out)
{
    const uint32_t number = peer->snapshot;
    peer->snapshot = 0;
    if (number == 0 || has_peers(primary, number)) return;
    struct shared_snapshot *snapshot = primary_snapshot(primary, number);
    if (snapshot != NULL) end_snapshot(snapshot, out);
}

/* The newest snapshot that a peer may start from: the same content, the current history, and a log that still holds
 * what came after it. */
static struct shared_snapshot *shareable(struct primary *primary, unsigned content)
{
    struct shared_snapshot *newest = NULL;
    for (int i = 0; i < PRIMARY_SNAPSHOTS_MAX; i++) {
        struct shared_snapshot *snapshot = &primary->snapshots[i];
        if (snapshot->state != SNAPSHOT_RUNNING && snapshot->state != SNAPSHOT_COMPLETE) continue;
        if (snapshot->content != content || snapshot->no_latecomers) continue;
        if (strcmp(snapshot->id, journal_id(primary->journal)) != 0) continue;
        if (snapshot->offset < journal_first(primary->journal)) continue;
        if (newest == NULL || snapshot->number > newest->number) newest = snapshot;
    }
    return newest;
}

static int snapshots_in_use(const struct primary *primary)
{
    int count = 0;
    for (int i = 0; i < PRIMARY_SNAPSHOTS_MAX; i++)
        count += primary->snapshots[i].state != SNAPSHOT_FREE;
    return count;
}

static bool requested(const struct primary *primary, unsigned content)
{
    for (int i = 0; i < PRIMARY_SNAPSHOTS_MAX; i++)
        if (primary->snapshots[i].state == SNAPSHOT_REQUESTED &&
            primary->snapshots[i].content == content)
            return true;
    return false;
}

static void make_mark(const struct primary *primary, char mark[static MARK_LEN + 1])
{
    if (primary->config->hex != NULL)
        primary->config->hex(primary->config->hex_context, mark, MARK_LEN);
    else random_hex(mark, MARK_LEN);
    mark[MARK_LEN] = '\0';
}

static void request_snapshot(struct primary *primary, unsigned content, struct repl_actions *out)
{
    struct shared_snapshot *snapshot = primary->snapshots;
    while (snapshot->state != SNAPSHOT_FREE) snapshot++;
    *snapshot = (struct shared_snapshot){.state = SNAPSHOT_REQUESTED, .content = content};
    snapshot->number = ++primary->snapshots_numbered;
    make_mark(primary, snapshot->mark);
    primary->stats.snapshots_started++;
    struct repl_action *action = repl_act(out, REPL_START_SNAPSHOT, 0);
    action->snapshot = snapshot->number;
    action->value = content;
}

/* ---- from the snapshot to the peer --------------------------------------------------------------- */

static bool wants_mark(const struct primary *primary, const struct peer *peer)
{
    return peer->can_eof && primary->config->diskless;
}

static void send_image(struct peer *peer, const struct shared_snapshot *snapshot, int64_t now_ms,
                       struct repl_actions *out)
{
    struct repl_action *action;
    if (peer->by_mark)
        action = repl_act_text(out, REPL_ATTACH, peer->id, "$EOF:%s\r\n", snapshot->mark);
    else
        action =
            repl_act_text(out, REPL_ATTACH, peer->id, "$%" PRIu64 "\r\n", snapshot->image_bytes);
    action->snapshot = snapshot->number;
    peer->state = PEER_SENDING;
    peer->sending_ms = peer->progress_ms = now_ms;
}

/* With the EOF mark the image goes out while it is made. But nothing of an offset leaves that our own
 * file does not hold: after a power cut the replica would be ahead of us. */
static bool may_send_image(const struct primary *primary, const struct peer *peer,
                           const struct shared_snapshot *snapshot)
{
    return (peer->by_mark || snapshot->state == SNAPSHOT_COMPLETE) &&
           (peer->rdb_only || primary->config->mutations.image_before_log ||
            snapshot->offset <= primary->log_end);
}

void primary_send_held_images(struct primary *primary, struct repl_actions *out)
{
    for (int i = 0; i < primary->peer_count; i++) {
        struct peer *peer = primary->peers[i];
        if (!peer->is_replica || peer->state != PEER_WAIT_IMAGE) continue;
        const struct shared_snapshot *snapshot = primary_snapshot(primary, peer->snapshot);
        /* The time is that of the last timer, or of the attachment: there is none with the log. */
        const int64_t now_ms =
            peer->moved_ms > peer->sending_ms ? peer->moved_ms : peer->sending_ms;
        if (snapshot != NULL && may_send_image(primary, peer, snapshot))
            send_image(peer, snapshot, now_ms, out);
    }
}

static void attach_peer(struct primary *primary, struct peer *peer,
                        struct shared_snapshot *snapshot, int64_t now_ms, struct repl_actions *out)
{
    uint64_t offset = snapshot->offset;
    if (primary->config->mutations.attach_at_log_end) offset = journal_end(primary->journal);
    peer->snapshot = snapshot->number;
    peer->image_offset = peer->fed = peer->position = peer->joined_at = offset;
    peer->by_mark = wants_mark(primary, peer);
    if (!peer->rdb_only && !primary->config->mutations.feed_unpinned)
        repl_act(out, REPL_PIN, peer->id)->offset = offset;
    if (!peer->by_sync) {
        repl_act_text(out, REPL_SEND, peer->id, "+FULLRESYNC %s %" PRIu64 "\r\n", snapshot->id,
                      offset);
        memcpy(primary->told_id, snapshot->id, sizeof(snapshot->id));
    }
    peer->state = PEER_WAIT_IMAGE;
    peer->sending_ms = now_ms;
    if (may_send_image(primary, peer, snapshot)) send_image(peer, snapshot, now_ms, out);
}

static bool may_start(const struct peer *peer, int64_t now_ms)
{
    return peer->is_replica && peer->state == PEER_WAIT_START && peer->not_before_ms <= now_ms;
}

/* Whether those who wait for this content have waited long enough. Without the EOF mark there is nothing to gain by
 * waiting: the image is made first and sent afterwards, so late ones share it anyway. */
static bool delay_is_over(const struct primary *primary, unsigned content, int64_t now_ms)
{
    int waiting = 0;
    int64_t longest_ms = 0;
    bool all_by_mark = true;
    for (int i = 0; i < primary->peer_count; i++) {
        const struct peer *peer = primary->peers[i];
        if (!may_start(peer, now_ms) || peer->content != content) continue;
        waiting++;
        all_by_mark = all_by_mark && wants_mark(primary, peer);
        if (now_ms - peer->began_ms > longest_ms) longest_ms = now_ms - peer->began_ms;
    }
    if (waiting == 0) return false;
    const int enough = primary->config->diskless_max_replicas;
    return !all_by_mark || longest_ms >= primary->config->diskless_delay_ms ||
           (enough > 0 && waiting >= enough);
}

void primary_serve_waiting(struct primary *primary, int64_t now_ms, struct repl_actions *out)
{
    for (int i = 0; i < primary->peer_count; i++) {
        struct peer *peer = primary->peers[i];
        if (!may_start(peer, now_ms)) continue;
        struct shared_snapshot *snapshot = shareable(primary, peer->content);
        if (snapshot != NULL) {
            primary->stats.snapshots_shared++;
            attach_peer(primary, peer, snapshot, now_ms, out);
            continue;
        }
        const int most = primary->config->snapshots_max < PRIMARY_SNAPSHOTS_MAX
                             ? primary->config->snapshots_max
                             : PRIMARY_SNAPSHOTS_MAX;
        if (requested(primary, peer->content) || snapshots_in_use(primary) >= most) continue;
        if (delay_is_over(primary, peer->content, now_ms))
            request_snapshot(primary, peer->content, out);
    }
}

void primary_snapshot_begun(struct primary *primary, uint32_t number, uint64_t offset,
                            int64_t now_ms, struct repl_actions *out)
{
    struct shared_snapshot *snapshot = primary_snapshot(primary, number);
    if (snapshot == NULL) { /* nobody waits for it any more */
        repl_act(out, REPL_END_SNAPSHOT, 0)->snapshot = number;
        return;
    }
    check(snapshot->state == SNAPSHOT_REQUESTED);
    snapshot->state = SNAPSHOT_RUNNING;
    snapshot->offset = offset;
    memcpy(snapshot->id, journal_id(primary->journal), REPLICATION_ID_LEN + 1);
    for (int i = 0; i < primary->peer_count; i++)
        if (may_start(primary->peers[i], now_ms) && primary->peers[i]->content == snapshot->content)
            attach_peer(primary, primary->peers[i], snapshot, now_ms, out);
    if (!has_peers(primary, number)) end_snapshot(snapshot, out);
}

void primary_snapshot_failed(struct primary *primary, uint32_t number, const char *reason,
                             int64_t now_ms, struct repl_actions *out)
{
    struct shared_snapshot *snapshot = primary_snapshot(primary, number);
    if (snapshot == NULL) return;
    const bool never_began = snapshot->state == SNAPSHOT_REQUESTED;
    for (int i = primary->peer_count - 1; i >= 0; i--) {
        struct peer *peer = primary->peers[i];
        const bool waits =
            never_began && may_start(peer, now_ms) && peer->content == snapshot->content;
        if (!peer->is_replica || (!waits && peer->snapshot != number)) continue;
        peer->snapshot = 0;
        if (!never_began) primary_penalize(primary, peer, now_ms);
        primary_close(primary, peer, reason, false, now_ms, out);
    }
    end_snapshot(snapshot, out);
}

void primary_snapshot_progress(struct primary *primary, uint32_t number, uint64_t image_bytes,
                               int permille)
{
    struct shared_snapshot *snapshot = primary_snapshot(primary, number);
    if (snapshot == NULL || snapshot->state != SNAPSHOT_RUNNING) return;
    snapshot->image_bytes = image_bytes;
    snapshot->permille = permille;
}

void primary_snapshot_done(struct primary *primary, uint32_t number, uint64_t image_bytes,
                           int64_t now_ms, struct repl_actions *out)
{
    struct shared_snapshot *snapshot = primary_snapshot(primary, number);
    if (snapshot == NULL || snapshot->state != SNAPSHOT_RUNNING) return;
    snapshot->state = SNAPSHOT_COMPLETE;
    snapshot->image_bytes = image_bytes;
    snapshot->permille = 1000;
    for (int i = 0; i < primary->peer_count; i++) {
        struct peer *peer = primary->peers[i];
        if (peer->is_replica && peer->snapshot == number && peer->state == PEER_WAIT_IMAGE &&
            may_send_image(primary, peer, snapshot))
            send_image(peer, snapshot, now_ms, out);
    }
}

void primary_image_progress(struct primary *primary, uint64_t id, uint64_t bytes, int64_t now_ms)
{
    struct peer *peer = primary_find(primary, id);
    if (peer == NULL || !peer->is_replica || peer->state != PEER_SENDING) return;
    if (bytes > peer->image_sent) peer->progress_ms = now_ms;
    peer->image_sent = bytes;
}

void primary_image_sent(struct primary *primary, uint64_t id, int64_t now_ms,
                        struct repl_actions *out)
{
    struct peer *peer = primary_find(primary, id);
    if (peer == NULL || !peer->is_replica || peer->state != PEER_SENDING) return;
    const struct shared_snapshot *snapshot = primary_snapshot(primary, peer->snapshot);
    check(snapshot != NULL && snapshot->state == SNAPSHOT_COMPLETE);
    peer->image_sent = snapshot->image_bytes;
    peer->alive_ms = now_ms;
    if (peer->by_mark) repl_act_text(out, REPL_SEND, peer->id, "%s", snapshot->mark);
    primary_leave_snapshot(primary, peer, out);
    if (peer->rdb_only) {
        peer->full_sync = false;
        primary_note(primary, peer, REPL_EVENT_FULL_SYNC_DONE, peer->image_sent,
                     now_ms - peer->began_ms, now_ms,
                     "RDB transfer completed, an rdb-only replica is disconnected");
        primary_close(primary, peer, "the snapshot was all it asked for", true, now_ms, out);
        return;
    }
    peer->state = PEER_WAIT_ACK;
    if (!peer->by_mark || primary->config->mutations.stream_before_first_ack)
        primary_go_online(primary, peer, now_ms, out);
}

void primary_go_online(struct primary *primary, struct peer *peer, int64_t now_ms,
                       struct repl_actions *out)
{
    peer->state = PEER_ONLINE;
    peer->alive_ms = now_ms;
    if (peer->full_sync) {
        peer->full_sync = false;
        primary_note(primary, peer, REPL_EVENT_FULL_SYNC_DONE, peer->image_sent,
                     now_ms - peer->began_ms, now_ms, "snapshot of offset %" PRIu64,
                     peer->image_offset);
        primary_forgive(primary, peer);
    }
    primary_note(primary, peer, REPL_EVENT_REPLICA_UP, 0, 0, now_ms, "%s", "");
    if (peer->is_pando)
        repl_act_text(out, REPL_SEND, peer->id, "+ONLINE %" PRIu64 "\r\n",
                      journal_end(primary->journal));
    if (primary->config->mutations.feed_unpinned)
        repl_act(out, REPL_PIN, peer->id)->offset = journal_end(primary->journal);
    if (primary->log_end <= peer->fed) return;
    peer->fed = primary->log_end;
    repl_act(out, REPL_FEED, peer->id)->offset = peer->fed;
}

/* ---- PSYNC and SYNC ----------------------------------------------------------------------------- */

static enum primary_answer refuse(char text[static REPL_ERROR_CHARS], const char *error)
{
    snprintf(text, REPL_ERROR_CHARS, "%s", error);
    return PRIMARY_REFUSED;
}

/* Moves the record behind all others: replicas are listed in the order they came. */
static void become_replica(struct primary *primary, struct peer *peer, int64_t now_ms,
                           struct repl_actions *out)
{
    int i = 0;
    while (primary->peers[i] != peer) i++;
    for (; i + 1 < primary->peer_count; i++) primary->peers[i] = primary->peers[i + 1];
    primary->peers[primary->peer_count - 1] = peer;
    peer->is_replica = true;
    peer->began_ms = peer->alive_ms = peer->newline_ms = peer->moved_ms = now_ms;
    peer->acked = 0;
    peer->ack_ms = -1;
    primary->no_replicas_ms = -1;
    if (!journal_active(primary->journal)) repl_act(out, REPL_ACTIVATE, 0);
}

static void begin_full_sync(struct primary *primary, struct peer *peer, const char *why,
                            int64_t now_ms, struct repl_actions *out)
{
    become_replica(primary, peer, now_ms, out);
    peer->state = PEER_WAIT_START;
    peer->full_sync = true;
    peer->image_sent = 0;
    peer->not_before_ms = primary_penalty_ends(primary, peer);
    primary->stats.sync_full++;
    primary_note(primary, peer, REPL_EVENT_FULL_SYNC_START, 0, 0, now_ms, "%s", why);
    primary_serve_waiting(primary, now_ms, out);
}

static void continue_partially(struct primary *primary, struct peer *peer, uint64_t offset,
                               int64_t now_ms, struct repl_actions *out)
{
    become_replica(primary, peer, now_ms, out);
    primary->stats.sync_partial_ok++;
    if (peer->can_psync2)
        repl_act_text(out, REPL_SEND, peer->id, "+CONTINUE %s\r\n", journal_id(primary->journal));
    else repl_act_text(out, REPL_SEND, peer->id, "+CONTINUE\r\n");
    memcpy(primary->told_id, journal_id(primary->journal), REPLICATION_ID_LEN + 1);
    peer->image_offset = peer->fed = peer->position = peer->joined_at = offset;
    repl_act(out, REPL_PIN, peer->id)->offset = offset;
    primary_note(primary, peer, REPL_EVENT_PARTIAL_SYNC_DONE,
                 journal_end(primary->journal) - offset, 0, now_ms, "from offset %" PRIu64 " on",
                 offset);
    primary_go_online(primary, peer, now_ms, out);
}

/* A pando replica that went on where we did not learns where the two histories part: what it has behind
 * that is about to be lost here, and it may save it. */
static void tell_fork(const struct primary *primary, const struct peer *peer, const char *id,
                      uint64_t offset, struct repl_actions *out)
{
    const struct journal *journal = primary->journal;
    uint64_t fork;

    if (!peer->is_pando) return;
    switch (journal_can_resume(journal, id, offset)) {
    case JOURNAL_BEYOND_SECOND: fork = (uint64_t)journal_second_offset(journal) - 1; break;
    case JOURNAL_AHEAD: fork = journal_end(journal); break;
    case JOURNAL_TOO_OLD: fork = offset; break; /* it is behind: nothing parts */
    default: return;
    }
    repl_act_text(out, REPL_SEND, peer->id, "+FORK %" PRIu64 "\r\n", fork);
}

/* Why PSYNC `id` `next` cannot be served from the log; empty when it can. `next` is the first byte asked for. */
static void judge(const struct primary *primary, const char *id, int64_t next,
                  char why[static REPL_REASON_CHARS])
{
    const struct journal *journal = primary->journal;
    const int64_t end = (int64_t)journal_end(journal);
    why[0] = '\0';
    if (next < 1) {
        snprintf(why, REPL_REASON_CHARS, "it asks from offset %" PRId64 ", which no log has", next);
        return;
    }
    switch (journal_can_resume(journal, id, (uint64_t)next - 1)) {
    case JOURNAL_RESUME_OK: break;
    case JOURNAL_UNKNOWN_ID:
        snprintf(why, REPL_REASON_CHARS, "unknown replication id %s", id);
        break;
    case JOURNAL_BEYOND_SECOND:
        if (primary->config->mutations.ignore_second_offset && next - 1 <= end) break;
        snprintf(why, REPL_REASON_CHARS,
                 "asks for synchronization but with a wrong offset: it has %" PRId64
                 " bytes beyond offset %" PRId64 ", where id %.40s ended; they are lost",
                 next - journal_second_offset(journal), journal_second_offset(journal) - 1, id);
        break;
    case JOURNAL_TOO_OLD:
        snprintf(why, REPL_REASON_CHARS,
                 "offset %" PRId64 " is not held any more: the log begins at %" PRIu64 ", %" PRIu64
                 " bytes later",
                 next, journal_first(journal) + 1, journal_first(journal) + 1 - (uint64_t)next);
        break;
    case JOURNAL_AHEAD:
        snprintf(why, REPL_REASON_CHARS,
                 "asks for synchronization but with a wrong offset: it has %" PRId64
                 " bytes beyond our end %" PRId64 "; they are lost",
                 next - 1 - end, end);
        break;
    case JOURNAL_INACTIVE: snprintf(why, REPL_REASON_CHARS, "there is no backlog"); break;
    }
}

/* What both commands refuse. PRIMARY_OK: go on. */
static enum primary_answer gate(struct primary *primary, const struct primary_origin *origin,
                                struct peer **peer, char text[static REPL_ERROR_CHARS])
{
    *peer = primary_find(primary, origin->id);
    if (*peer != NULL && (*peer)->is_replica)
        return PRIMARY_SILENT; /* a replica's second one is ignored: 7.0 */
    if (primary->failing_over) return refuse(text, "NOMASTERLINK Can't SYNC while failing over");
    if (primary->upstream == UPSTREAM_DOWN && !primary->config->mutations.continue_while_link_down)
        return refuse(text, "NOMASTERLINK Can't SYNC while not connected with my master");
    if (origin->pending_output)
        return refuse(text, "ERR SYNC and PSYNC are invalid with pending output");
    *peer = primary_record(primary, origin);
    if ((*peer)->content != REPL_CONTENT_ALL && !(*peer)->can_eof)
        return refuse(text, "ERR Filtered replica requires EOF capability");
    return PRIMARY_OK;
}

enum primary_answer primary_psync(struct primary *primary, const struct primary_origin *origin,
                                  int argc, const struct span *argv, int64_t now_ms,
                                  char text[static REPL_ERROR_CHARS], struct repl_actions *out)
{
    struct peer *peer;
    int64_t next;
    if (argc < 3) return refuse(text, "ERR wrong number of arguments for 'psync' command");
    peer = primary_find(primary, origin->id);
    if (peer != NULL && peer->is_replica) return PRIMARY_SILENT;
    if (argc > 3 && span_is(argv[3], "failover")) {
        if (primary->upstream == UPSTREAM_NONE && !primary->promoted_for_failover)
            return refuse(text, "ERR PSYNC FAILOVER can't be sent to a master.");
        if (primary->upstream != UPSTREAM_NONE) {
            if (!span_equal_nocase(argv[1], span_of_cstr(journal_id(primary->journal))))
                return refuse(text, "ERR PSYNC FAILOVER replid must match my replid.");
            primary->promoted_for_failover = true;
            return PRIMARY_PROMOTE;
        }
        primary->promoted_for_failover = false;
    }
    const enum primary_answer gated = gate(primary, origin, &peer, text);
    if (gated != PRIMARY_OK) return gated;
    if (!num_parse_int64(argv[2], &next))
        return refuse(text, "ERR value is not an integer or out of range");

    char id[REPLICATION_ID_LEN + 1], why[REPL_REASON_CHARS];
    snprintf(id, sizeof(id), "%.*s",
             (int)(argv[1].len < REPLICATION_ID_LEN ? argv[1].len : REPLICATION_ID_LEN),
             argv[1].ptr);
    if (strcmp(id, "?") == 0) {
        begin_full_sync(primary, peer, "it has no history", now_ms, out);
        return PRIMARY_TAKEN;
    }
    judge(primary, id, next, why);
    if (why[0] == '\0') {
        continue_partially(primary, peer, (uint64_t)next - 1, now_ms, out);
        return PRIMARY_TAKEN;
    }
    primary->stats.sync_partial_err++;
    primary_note(primary, peer, REPL_EVENT_PARTIAL_SYNC_REFUSED, 0, 0, now_ms, "%s", why);
    tell_fork(primary, peer, id, (uint64_t)next - 1, out);
    begin_full_sync(primary, peer, why, now_ms, out);
    return PRIMARY_TAKEN;
}

enum primary_answer primary_sync(struct primary *primary, const struct primary_origin *origin,
                                 int64_t now_ms, char text[static REPL_ERROR_CHARS],
                                 struct repl_actions *out)
{
    struct peer *peer;
    const enum primary_answer gated = gate(primary, origin, &peer, text);
    if (gated != PRIMARY_OK) return gated;
    peer->by_sync = true;
    begin_full_sync(primary, peer, "it asked with SYNC", now_ms, out);
    return PRIMARY_TAKEN;
}
