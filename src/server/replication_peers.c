#include "server/replication.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "server/config.h"
#include "server/persistence.h"

#include <errno.h>

enum {
    IOV_MAX_RUNS = 16,
    WRITE_BYTES_MAX = 1 << 20, /* per turn and replica: others get their turn too */
    PUSH_US = 500,             /* between two pushes of a stream that flows */
};

static struct peer *make_peer(struct replication *replication, struct session *session)
{
    struct peer *peer = mem_zalloc(sizeof *peer);

    *peer = (struct peer){.session = session, .next = replication->peers};
    if (peer->next != NULL) peer->next->prev = peer;
    replication->peers = peer;
    session->peer = peer;
    return peer;
}

/* A session becomes a peer by the first action for it. NULL: it is gone. */
static struct peer *find_peer(struct replication *replication, uint64_t id)
{
    for (struct peer *peer = replication->peers; peer != NULL; peer = peer->next)
        if (peer->session->id == id) return peer;
    for (struct session *session = replication->server->sessions; session != NULL;
         session = session->next)
        if (session->id == id) return make_peer(replication, session);
    return NULL;
}

static void close_log(struct peer *peer)
{
    if (peer->log == NULL) return;
    journal_close(peer->session->server->journal, peer->log);
    peer->log = NULL;
}

static void close_image(struct peer *peer)
{
    if (peer->image_cursor == NULL) return;
    image_close(peer->image->image, peer->image_cursor);
    peer->image_cursor = NULL;
    peer->image = NULL;
}

static struct replication_image *find_image(struct replication *replication, uint32_t snapshot)
{
    for (int i = 0; i < REPLICATION_IMAGES_MAX; i++)
        if (replication->images[i].snapshot == snapshot) return &replication->images[i];
    return NULL;
}

static void send_text(struct session *session, struct span text)
{
    if (session->flags & SESSION_CLOSED) return;
    buf_append_span(&session->out, text);
    session_has_output(session);
}

void peers_act(struct replication *replication, const struct repl_action *action, struct span text)
{
    struct peer *peer = find_peer(replication, action->peer);

    if (peer == NULL) return; /* gone meanwhile */
    struct session *session = peer->session;
    switch (action->kind) {
    case REPL_SEND: send_text(session, text); return;
    case REPL_CLOSE:
        log_verbose("Closing replica %s: %.*s", session->peer_name, (int)text.len, text.ptr);
        if (action->value == 1) session_close_after_reply(session);
        else session_close(session);
        return;
    case REPL_PIN:
        close_log(peer);
        peer->log = journal_open(replication->server->journal, action->offset);
        check(peer->log != NULL);
        peer->feed_upto = action->offset;
        session->flags |= SESSION_REPLICA;
        if (replication->server->config->repl_disable_tcp_nodelay)
            socket_set_nodelay(session->watch.fd, false);
        return;
    case REPL_ATTACH:
        session->flags |= SESSION_REPLICA;
        peer->image = find_image(replication, action->snapshot);
        check(peer->image != NULL);
        peer->image_cursor = image_open(peer->image->image, 0);
        peer->image_sent = 0;
        send_text(session, text);
        return;
    case REPL_FEED:
        session->flags |= SESSION_REPLICA;
        if (action->offset > peer->feed_upto) peer->feed_upto = action->offset;
        session_has_output(session);
        return;
    default: check(false);
    }
}

void replication_session_closed(struct session *session)
{
    struct replication *replication = session->server->replication;
    struct peer *peer = session->peer;

    if (peer == NULL || replication == NULL) return;
    close_log(peer);
    close_image(peer);
    session->peer = NULL;
    if (peer->prev != NULL) peer->prev->next = peer->next;
    else replication->peers = peer->next;
    if (peer->next != NULL) peer->next->prev = peer->prev;
    mem_free(peer);
    primary_peer_gone(replication->primary, session->id, "the connection was closed",
                      replication_mono_ms(session->server), &replication->actions);
    /* Told from deep inside a session's own work: carried out with the next run, before the wait. */
}

size_t replication_pinned_bytes(const struct session *session)
{
    const struct peer *peer = session->peer;

    if (peer == NULL || peer->log == NULL) return 0;
    uint64_t end = journal_end(session->server->journal), at = spool_position(peer->log);
    return end > at ? (size_t)(end - at) : 0;
}

size_t replication_output_memory(const struct server *server)
{
    size_t bytes = 0;

    for (const struct peer *peer = server->replication->peers; peer != NULL; peer = peer->next)
        if (peer->session->flags & SESSION_REPLICA) bytes += peer->session->out.cap;
    return bytes;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void bytes_arrived(void *context)
{
    session_has_output(context);
}

enum progress { SENT_ALL, SOCKET_FULL, MUST_WAIT, GONE };

/* Sends from a cursor until `limit` bytes went; `held`: see socket_writev. SENT_ALL: nothing more is there now. */
static enum progress send_from(struct session *session, struct spool_cursor *cursor, uint64_t limit,
                               bool held, bool *finished)
{
    struct server *server = session->server;

    *finished = false;
    while (limit > 0) {
        struct iovec iov[IOV_MAX_RUNS];
        int count = 0;
        size_t want = limit < WRITE_BYTES_MAX ? (size_t)limit : WRITE_BYTES_MAX, offered = 0;

        switch (spool_peek(cursor, iov, &count, IOV_MAX_RUNS, want, bytes_arrived, session)) {
        case SPOOL_BYTES: break;
        case SPOOL_NOTHING: return SENT_ALL;
        case SPOOL_END: *finished = true; return SENT_ALL;
        case SPOOL_WAIT: return MUST_WAIT;
        case SPOOL_ERROR:
            log_warning("Reading back what replica %s still needs failed", session->peer_name);
            session_close(session);
            return GONE;
        }
        for (int i = 0; i < count; i++) offered += iov[i].iov_len;
        ssize_t sent = socket_writev(session->watch.fd, iov, count, held);
        if (sent == -EAGAIN || sent == -EINTR) return SOCKET_FULL;
        if (sent < 0) {
            log_verbose("Error writing to replica %s: %s", session->peer_name,
                        socket_error_text((int)sent));
            session_close(session);
            return GONE;
        }
        server->stats.writes_processed++;
        server->stats.net_output_bytes += (uint64_t)sent;
        server->stats.repl_output_bytes += (uint64_t)sent;
        session->bytes_out += (uint64_t)sent;
        spool_advance(cursor, (size_t)sent);
        limit -= (uint64_t)sent;
        if ((size_t)sent < offered) return SOCKET_FULL;
    }
    return SENT_ALL;
}

/* A slice of the image. True while the image is not through. */
static bool write_image(struct session *session, struct peer *peer, enum progress *progress)
{
    struct replication *replication = session->server->replication;
    bool finished;

    uint64_t from = spool_position(peer->image_cursor);
    *progress = send_from(session, peer->image_cursor, WRITE_BYTES_MAX, false, &finished);
    if (*progress == GONE) return true;
    int64_t now_ms = replication_mono_ms(session->server);
    peer->image_sent += spool_position(peer->image_cursor) - from;
    primary_image_progress(replication->primary, session->id, peer->image_sent, now_ms);
    /* The reader may see the end of the image before its maker has said that it is complete: then
     * peers_tell_images wakes this session. */
    if (!finished || !peer->image->reported) return true;
    close_image(peer);
    primary_image_sent(replication->primary, session->id, now_ms, &replication->actions);
    replication_run(replication, SPAN(""));
    return false;
}

/* A turn's share of the stream goes to the socket in that turn, before the replies do: there it is safe from the end of this
 * process. To the replica the socket sends it at once, too, but where the stream flows: then every PUSH_US, since a
 * push costs more than what it sends, here and there, where it wakes somebody. Whoever waits for acknowledgements
 * does not wait for that. */
static bool may_hold(const struct peer *peer, uint64_t from, int64_t now_us)
{
    const struct replication *replication = peer->session->server->replication;

    return from >= replication->push_upto && now_us - peer->pushed_us < PUSH_US &&
           !replication->server->config->repl_disable_tcp_nodelay;
}

static void note_written(struct peer *peer, bool held, int64_t now_us)
{
    struct replication *replication = peer->session->server->replication;

    if (!held) peer->pushed_us = now_us;
    else if (!timer_armed(&replication->push_timer))
        loop_arm(replication->server->loop, &replication->push_timer,
                 peer->pushed_us + PUSH_US - now_us);
    peer->held = held;
}

void peers_push(void *context)
{
    struct replication *replication = context;
    int64_t now_us = clock_monotonic_us();

    for (struct peer *peer = replication->peers; peer != NULL; peer = peer->next) {
        if (!peer->held) continue;
        socket_push(peer->session->watch.fd);
        note_written(peer, false, now_us);
    }
}

bool replication_write(struct session *session)
{
    struct peer *peer = session->peer;
    enum progress progress = SENT_ALL;
    bool finished;

    if (peer == NULL) return false;
    if (peer->image_cursor != NULL) {
        uint64_t before = peer->image_sent;
        bool more = write_image(session, peer, &progress);
        if (progress == GONE) return false;
        if (more) {
            /* In the middle of much: the next turn goes on when the socket takes more. */
            return progress == SOCKET_FULL ||
                   (progress == SENT_ALL && peer->image_sent - before >= WRITE_BYTES_MAX);
        }
        return session->out.len > 0; /* the end mark is there now: written first */
    }
    if (peer->log == NULL) return false;
    uint64_t at = spool_position(peer->log);
    if (peer->feed_upto <= at) return false;
    int64_t now_us = clock_monotonic_us();
    bool held = may_hold(peer, at, now_us);
    progress = send_from(session, peer->log, peer->feed_upto - at, held, &finished);
    if (progress == GONE) return false;
    note_written(peer, held, now_us);
    primary_fed(session->server->replication->primary, session->id, spool_position(peer->log));
    return progress == SOCKET_FULL;
}

void replication_peer_bytes(struct session *session)
{
    if (session->peer != NULL)
        primary_peer_alive(session->server->replication->primary, session->id,
                           replication_mono_ms(session->server));
}

/* ---- images ----------------------------------------------------------------------------------- */

static void wake_readers(struct server *server, const struct replication_image *image)
{
    for (const struct peer *peer = server->replication->peers; peer != NULL; peer = peer->next)
        if (peer->image == image) session_has_output(peer->session);
}

void peers_tell_images(struct replication *replication)
{
    int64_t now_ms = replication_mono_ms(replication->server);

    for (int i = 0; i < REPLICATION_IMAGES_MAX; i++) {
        struct replication_image *slot = &replication->images[i];
        struct image_progress progress;

        if (slot->snapshot == 0 || slot->reported) continue;
        image_progress(slot->image, &progress);
        switch (image_state(slot->image)) {
        case IMAGE_MAKING: {
            uint64_t expected = progress.expected_bytes;
            int permille = expected == 0 ? 0 : (int)(progress.rdb_bytes * 1000 / expected);
            primary_snapshot_progress(replication->primary, slot->snapshot, progress.rdb_bytes,
                                      permille > 1000 ? 1000 : permille);
            break;
        }
        case IMAGE_COMPLETE:
            slot->reported = true;
            primary_snapshot_done(replication->primary, slot->snapshot, progress.rdb_bytes, now_ms,
                                  &replication->actions);
            break;
        case IMAGE_FAILED:
            slot->reported = true;
            primary_snapshot_failed(replication->primary, slot->snapshot, image_error(slot->image),
                                    now_ms, &replication->actions);
            break;
        }
        wake_readers(replication->server, slot);
    }
}
