#include "repl/primary_state.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/request.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- life --------------------------------------------------------------------------------------- */

struct primary *primary_new(const struct repl_config *config, const struct journal *journal,
                            struct repl_events *events)
{
    struct primary *primary = mem_zalloc(sizeof(*primary));
    primary->config = config;
    primary->journal = journal;
    primary->events = events;
    primary->ping_ms = -1;
    primary->no_replicas_ms = -1;
    return primary;
}

void primary_free(struct primary *primary)
{
    if (primary == NULL) return;
    for (int i = 0; i < primary->peer_count; i++) mem_free(primary->peers[i]);
    mem_free(primary->peers);
    mem_free(primary);
}

/* ---- records of peers --------------------------------------------------------------------------- */

struct peer *primary_find(const struct primary *primary, uint64_t id)
{
    for (int i = 0; i < primary->peer_count; i++)
        if (primary->peers[i]->id == id) return primary->peers[i];
    return NULL;
}

struct peer *primary_record(struct primary *primary, const struct primary_origin *origin)
{
    check(origin->id != REPL_LINK_ID);
    struct peer *peer = primary_find(primary, origin->id);
    if (peer == NULL) {
        if (primary->peer_count == primary->peer_capacity) {
            primary->peer_capacity = primary->peer_capacity == 0 ? 4 : primary->peer_capacity * 2;
            primary->peers = mem_realloc(primary->peers, (size_t)primary->peer_capacity *
                                                             sizeof(primary->peers[0]));
        }
        peer = mem_zalloc(sizeof(*peer));
        peer->id = origin->id;
        peer->content = REPL_CONTENT_ALL;
        peer->ack_ms = -1;
        primary->peers[primary->peer_count++] = peer;
    }
    snprintf(peer->ip, sizeof(peer->ip), "%s", origin->ip != NULL ? origin->ip : "");
    return peer;
}

void primary_name(const struct peer *peer, char out[static REPL_PEER_CHARS])
{
    const char *ip = peer->announced_ip[0] != '\0' ? peer->announced_ip : peer->ip;
    if (peer->port == 0) snprintf(out, REPL_PEER_CHARS, "%.40s:<unknown-replica-port>", ip);
    else snprintf(out, REPL_PEER_CHARS, "%.60s:%d", ip, peer->port);
}

void primary_note(struct primary *primary, const struct peer *peer, enum repl_event_kind kind,
                  uint64_t bytes, int64_t duration_ms, int64_t now_ms, const char *format, ...)
{
    struct repl_event event = {
        .kind = kind, .as_primary = true, .bytes = bytes, .duration_ms = duration_ms};
    event.offset = journal_end(primary->journal);
    if (peer != NULL) primary_name(peer, event.peer);
    va_list args;
    va_start(args, format);
    vsnprintf(event.reason, sizeof(event.reason), format, args);
    va_end(args);
    repl_events_add(primary->events, now_ms, &event);
}

static void remove_record(struct primary *primary, struct peer *peer)
{
    int i = 0;
    while (primary->peers[i] != peer) i++;
    memmove(&primary->peers[i], &primary->peers[i + 1],
            (size_t)(primary->peer_count - i - 1) * sizeof(primary->peers[0]));
    primary->peer_count--;
    mem_free(peer);
}

void primary_forget(struct primary *primary, struct peer *peer, const char *reason, int64_t now_ms,
                    struct repl_actions *out)
{
    if (!peer->is_replica) {
        remove_record(primary, peer);
        return;
    }
    if (peer->full_sync)
        primary_note(primary, peer, REPL_EVENT_FULL_SYNC_FAILED, peer->image_sent,
                     now_ms - peer->began_ms, now_ms, "%s", reason);
    else
        primary_note(primary, peer,
                     peer->dropped ? REPL_EVENT_REPLICA_DROPPED : REPL_EVENT_REPLICA_DOWN, 0, 0,
                     now_ms, "%s", reason);
    primary_leave_snapshot(primary, peer, out);
    remove_record(primary, peer);
    if (primary_peers(primary) == 0) primary->no_replicas_ms = now_ms;
}

void primary_close(struct primary *primary, struct peer *peer, const char *reason, bool gently,
                   int64_t now_ms, struct repl_actions *out)
{
    repl_act_text(out, REPL_CLOSE, peer->id, "%s", reason)->value = gently;
    primary_forget(primary, peer, reason, now_ms, out);
}

void primary_drop(struct primary *primary, struct peer *peer, const char *reason, int64_t now_ms,
                  struct repl_actions *out)
{
    peer->dropped = true;
    primary_close(primary, peer, reason, false, now_ms, out);
}

void primary_peer_gone(struct primary *primary, uint64_t id, const char *reason, int64_t now_ms,
                       struct repl_actions *out)
{
    struct peer *peer = primary_find(primary, id);
    if (peer != NULL) primary_forget(primary, peer, reason, now_ms, out);
}

void primary_peer_alive(struct primary *primary, uint64_t id, int64_t now_ms)
{
    struct peer *peer = primary_find(primary, id);
    if (peer != NULL) peer->alive_ms = now_ms;
}

void primary_drop_all(struct primary *primary, const char *reason, int64_t now_ms,
                      struct repl_actions *out)
{
    for (int i = primary->peer_count - 1; i >= 0; i--)
        if (primary->peers[i]->is_replica)
            primary_close(primary, primary->peers[i], reason, false, now_ms, out);
    /* A snapshot that was asked for and has not begun belongs to the old history too. */
    for (int i = 0; i < PRIMARY_SNAPSHOTS_MAX; i++) {
        struct shared_snapshot *snapshot = &primary->snapshots[i];
        if (snapshot->state == SNAPSHOT_FREE) continue;
        repl_act(out, REPL_END_SNAPSHOT, 0)->snapshot = snapshot->number;
        snapshot->state = SNAPSHOT_FREE;
    }
}

/* ---- REPLCONF ----------------------------------------------------------------------------------- */

static enum primary_answer refuse(char text[static REPL_ERROR_CHARS], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum primary_answer refuse(char text[static REPL_ERROR_CHARS], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(text, REPL_ERROR_CHARS, format, args);
    va_end(args);
    return PRIMARY_REFUSED;
}

static void acknowledge(struct primary *primary, struct peer *peer, uint64_t offset, int64_t now_ms,
                        struct repl_actions *out)
{
    peer->alive_ms = now_ms;
    if (peer->state == PEER_WAIT_ACK) primary_go_online(primary, peer, now_ms, out);
    if (peer->state != PEER_ONLINE) return;
    /* Nobody can have applied what was not sent: such a figure would make WAIT and FAILOVER lie. */
    if (offset > peer->fed || offset <= peer->acked) return;
    if (offset > peer->joined_at)
        peer->ack_ms = journal_age_ms(primary->journal, offset - 1, now_ms);
    peer->acked = offset;
    repl_act(out, REPL_ACKED, peer->id)->offset = offset;
}

/* rdb-filter-only "<functions>|": which parts of the data set the image holds besides nothing. */
static enum primary_answer set_filter(struct peer *peer, struct span value,
                                      char text[static REPL_ERROR_CHARS])
{
    struct buf arena = {0};
    struct span words[16];
    unsigned content = 0;
    enum primary_answer answer = PRIMARY_OK;
    const int count = request_split_line(value, &arena, words, 16);
    if (count == -1) answer = refuse(text, "ERR Missing rdb-filter-only values");
    if (count == -2) answer = refuse(text, "ERR Unsupported rdb-filter-only option");
    for (int i = 0; i < count && answer == PRIMARY_OK; i++) {
        if (span_is(words[i], "functions")) content |= REPL_CONTENT_FUNCTIONS;
        else
            answer = refuse(text, "ERR Unsupported rdb-filter-only option: %.*s",
                            (int)(words[i].len < 100 ? words[i].len : 100), words[i].ptr);
    }
    if (answer == PRIMARY_OK) peer->content = content;
    buf_release(&arena);
    return answer;
}

static enum primary_answer set_option(struct peer *peer, struct span option, struct span value,
                                      char text[static REPL_ERROR_CHARS])
{
    int64_t number;
    if (span_is(option, "listening-port")) {
        if (!num_parse_int64(value, &number))
            return refuse(text, "ERR value is not an integer or out of range");
        peer->port = (int)number; /* 7.0 takes any number, too */
    } else if (span_is(option, "ip-address")) {
        if (value.len >= IP_CHARS)
            return refuse(
                text, "ERR REPLCONF ip-address provided by replica instance is too long: %zu bytes",
                value.len);
        /* INFO prints it: nothing in it may end a line or a field. */
        for (size_t i = 0; i < value.len; i++)
            peer->announced_ip[i] = value.ptr[i] > ' ' && value.ptr[i] < 127 && value.ptr[i] != ','
                                        ? value.ptr[i]
                                        : '?';
        peer->announced_ip[value.len] = '\0';
    } else if (span_is(option, "capa")) {
        if (span_is(value, "eof")) peer->can_eof = true;
        if (span_is(value, "psync2")) peer->can_psync2 = true;
        if (span_is(value, "pando")) peer->is_pando = true;
    } else if (span_is(option, "rdb-only")) {
        if (!num_parse_int64(value, &number))
            return refuse(text, "ERR value is not an integer or out of range");
        if (number < 0 || number > 1)
            return refuse(text, "ERR value is out of range, value must between 0 and 1");
        peer->rdb_only = number == 1;
    } else if (span_is(option, "rdb-filter-only")) {
        return set_filter(peer, value, text);
    } else {
        return refuse(text, "ERR Unrecognized REPLCONF option: %.*s",
                      (int)(option.len < 128 ? option.len : 128), option.ptr);
    }
    return PRIMARY_OK;
}

enum primary_answer primary_replconf(struct primary *primary, const struct primary_origin *origin,
                                     int argc, const struct span *argv, int64_t now_ms,
                                     char text[static REPL_ERROR_CHARS], struct repl_actions *out)
{
    if (argc % 2 == 0) return refuse(text, "ERR syntax error");
    if (argc == 1) return PRIMARY_OK;
    const bool acknowledges = span_is(argv[1], "ack");
    /* ACK and GETACK never get a reply, whoever sends them. */
    if (acknowledges || span_is(argv[1], "getack")) {
        struct peer *peer = primary_find(primary, origin->id);
        int64_t offset;
        if (acknowledges && peer != NULL && peer->is_replica && num_parse_int64(argv[2], &offset) &&
            offset >= 0)
            acknowledge(primary, peer, (uint64_t)offset, now_ms, out);
        return PRIMARY_SILENT;
    }
    struct peer *peer = primary_record(primary, origin);
    bool said_pando = false;
    for (int i = 1; i < argc; i += 2) {
        const enum primary_answer answer = set_option(peer, argv[i], argv[i + 1], text);
        if (answer != PRIMARY_OK) return answer;
        said_pando = said_pando || (span_is(argv[i], "capa") && span_is(argv[i + 1], "pando"));
    }
    if (!said_pando) return PRIMARY_OK;
    snprintf(text, REPL_ERROR_CHARS, "OK pando");
    return PRIMARY_TEXT;
}

/* ---- for the other machines --------------------------------------------------------------------- */

void primary_set_upstream(struct primary *primary, enum primary_upstream upstream, int64_t now_ms)
{
    if (upstream == UPSTREAM_NONE && primary->upstream != UPSTREAM_NONE) {
        /* repl-backlog-ttl counts from the promotion. */
        primary->no_replicas_ms = now_ms;
        primary->ping_ms = now_ms;
    }
    primary->upstream = upstream;
}

void primary_set_failing_over(struct primary *primary, bool failing_over, bool paused)
{
    primary->failing_over = failing_over;
    primary->paused = paused;
}

bool primary_id_was_told(const struct primary *primary)
{
    return strcmp(primary->told_id, journal_id(primary->journal)) == 0;
}
