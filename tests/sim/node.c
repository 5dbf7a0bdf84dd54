#include "sim.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "cmd/unit.h"
#include "persist/image.h"
#include "persist/loader.h"
#include "proto/request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define SESSIONS_MAX 24
#define IMAGES_MAX   8
#define LATER_MAX    16

struct image_slot {
    uint32_t number; /* 0: free */
    struct image *image;
    bool done_told;
};

struct session { /* the server's end of a connection */
    struct conn *conn;
    struct request request;
    struct buf in, out;
    struct spool_cursor *cursor; /* on the log */
    uint64_t fed_to;
    struct image_slot *image;
    struct spool_cursor *image_cursor;
    uint64_t image_bytes;
    bool close_when_sent;
    bool mark_sent; /* and no ACK came yet */
};

struct node {
    struct sim *sim;
    int index;
    bool up;
    /* What a restart does not lose */
    int followed; /* by configuration: -1 primary */
    struct buf rdb;
    bool has_rdb;
    uint64_t
        touched; /* restarts and orders given: a failover that it disturbs may lose something */

    struct repl_config config;
    struct repl_events events;
    struct store *store;
    struct journal *journal;
    struct unit unit;
    struct primary *primary;
    struct replica *replica;
    struct role *role;
    struct apply *apply;
    struct repl_actions actions;
    uint64_t checked;
    uint64_t held_max; /* the log's byte ceiling */

    struct session sessions[SESSIONS_MAX];
    struct image_slot images[IMAGES_MAX];
    struct { /* events to be told once the list of actions is done */
        uint32_t snapshot;
        uint64_t offset;
        bool failed;
    } later[LATER_MAX];
    int later_count;
    bool connect_failed;

    struct conn *link;
    struct buf link_in; /* not taken yet */
    struct buf image_in;
    bool loading;
    int64_t load_at_ms;
    struct loader_outcome outcome;
    bool has_outcome;

    bool paused;
    bool watch_failover; /* a planned one that nothing disturbed so far */
    int failover_target;
    uint64_t failover_touched, own_touched;
    int64_t timer_ms;
    uint64_t full_syncs, partial_syncs; /* as a replica, restarts included */
};

static void perform(struct node *node, struct span input);

/* ---- small things ------------------------------------------------------------------------------- */

struct store *node_store(const struct node *node)
{
    return node->store;
}
struct journal *node_journal(const struct node *node)
{
    return node->journal;
}
struct repl_config *node_config(struct node *node)
{
    return &node->config;
}
int node_index(const struct node *node)
{
    return node->index;
}
const struct repl_events *node_events(const struct node *node)
{
    return &node->events;
}
uint64_t node_checked(const struct node *node)
{
    return node->checked;
}
void node_set_checked(struct node *node, uint64_t offset)
{
    node->checked = offset;
}
bool node_accepts(const struct node *node)
{
    return node->up;
}

static int64_t now(const struct node *node)
{
    return node->sim->now_ms;
}
static int64_t unix_now(const struct node *node)
{
    return UNIX_START_MS + now(node) + node->index * 37;
}

struct node *node_new(struct sim *sim, int index)
{
    struct node *node = mem_zalloc(sizeof(*node));
    node->sim = sim;
    node->index = index;
    node->followed = -1;
    return node;
}

static void hex(void *context, char *out, size_t len)
{
    struct node *node = context;
    for (size_t i = 0; i < len; i++)
        out[i] = "0123456789abcdef"[random_below(&node->sim->random, 16)];
}

/* ---- commands of clients ------------------------------------------------------------------------ */

/* The store deletes what expired: part of the unit that runs now. */
static void on_effect(void *context, int db, int argc, const struct span *argv)
{
    struct node *node = context;
    if (node->unit.open) unit_add(&node->unit, db, argc, argv);
}

static void begin_unit(struct node *node)
{
    node->unit.open = !role_is_replica(node->role) && journal_active(node->journal);
    store_set_now(node->store, unix_now(node));
}

static void publish(struct node *node, bool origin)
{
    journal_publish(node->journal);
    if (journal_active(node->journal)) history_appended(node->sim, node, origin);
    primary_log_advanced(node->primary, journal_end(node->journal), &node->actions);
    perform(node, span_of("", 0));
}

static void end_unit(struct node *node)
{
    unit_commit(&node->unit);
    node->unit.open = false;
    publish(node, true);
}

static void one_command(struct node *node, int db)
{
    struct sim *sim = node->sim;
    char key[16], value[400], number[32];
    char reason[192];
    struct span argv[5];
    int argc;
    snprintf(key, sizeof(key), "key:%d", sim_between(sim, 0, 15));
    argv[1] = span_of_cstr(key);
    const int which = sim_between(sim, 0, 99);
    if (which < 50) {
        const size_t len = (size_t)sim_between(sim, 0, sim_chance(sim, 5) ? 399 : 12);
        for (size_t i = 0; i < len; i++) value[i] = (char)('a' + random_below(&sim->random, 26));
        argv[0] = SPAN("SET");
        argv[2] = span_of(value, len);
        argc = 3;
        if (sim_chance(sim, 20)) {
            argv[3] = SPAN("PXAT");
            snprintf(number, sizeof(number), "%" PRId64,
                     unix_now(node) + sim_between(sim, 1, 4000));
            argv[4] = span_of_cstr(number);
            argc = 5;
        }
    } else if (which < 85) {
        argv[0] = SPAN("INCRBY");
        snprintf(number, sizeof(number), "%d", sim_between(sim, -9, 9));
        argv[2] = span_of_cstr(number);
        argc = 3;
    } else if (which < 93) {
        argv[0] = SPAN("PEXPIREAT");
        snprintf(number, sizeof(number), "%" PRId64, unix_now(node) + sim_between(sim, 1, 9000));
        argv[2] = span_of_cstr(number);
        argc = 3;
    } else if (which < 99) {
        argv[0] = SPAN("DEL");
        argc = 2;
    } else {
        argv[0] = SPAN("FLUSHALL");
        argc = 1;
    }
    const uint64_t dirty = store_dirty(node->store);
    execute(node->store, db, argc, argv, reason);
    if (node->unit.open && store_dirty(node->store) != dirty) unit_add(&node->unit, db, argc, argv);
    sim->seen.writes++;
}

void node_write(struct node *node)
{
    if (!node->up || node->paused || role_is_replica(node->role)) return;
    const int db = sim_between(node->sim, 0, DATABASES - 1);
    begin_unit(node);
    one_command(node, db);
    if (sim_chance(node->sim, 10)) /* MULTI: several effects in one unit, across databases */
        for (int i = sim_between(node->sim, 1, 4); i > 0; i--)
            one_command(node, sim_between(node->sim, 0, DATABASES - 1));
    end_unit(node);
}

static void expire(struct node *node)
{
    if (role_is_replica(node->role) || node->paused) return;
    begin_unit(node);
    store_expire_due(node->store, unix_now(node), 4);
    end_unit(node);
}

/* ---- applying the stream ------------------------------------------------------------------------ */

static bool run_applied(void *context, int db, int argc, const struct span *argv,
                        char reason[static 192])
{
    struct node *node = context;
    return execute(node->store, db, argc, argv, reason);
}

static void apply_bytes(struct node *node, struct span bytes)
{
    struct apply_result result = {0};
    bool getack = false;
    store_set_now(node->store, unix_now(node));
    store_policy(node->store)->keep_expired = true;
    /* In slices, so that what is compared is still held by the smallest of backlogs. */
    for (size_t at = 0; at < bytes.len && !result.failed; at += 512) {
        apply_feed(node->apply,
                   span_of(bytes.ptr + at, bytes.len - at < 512 ? bytes.len - at : 512), &result);
        getack = getack || result.getack;
        journal_publish(node->journal);
        history_appended(node->sim, node, false);
    }
    store_policy(node->store)->keep_expired = false;
    primary_log_advanced(node->primary, journal_end(node->journal), &node->actions);
    if (result.failed)
        replica_apply_failed(node->replica, result.reason, now(node), &node->actions);
    else
        replica_applied(node->replica, journal_end(node->journal), getack, now(node),
                        &node->actions);
    if (result.failed && !node->config.mutations.keep_partial_unit)
        sim_violation(node->sim, "node %d cannot apply: %s", node->index, result.reason);
}

/* ---- sessions: the server's end of connections --------------------------------------------------- */

static struct session *session_of(struct node *node, uint64_t id)
{
    for (int i = 0; i < SESSIONS_MAX; i++)
        if (node->sessions[i].conn != NULL && node->sessions[i].conn->id == id)
            return &node->sessions[i];
    return NULL;
}

static void end_session(struct node *node, struct session *session)
{
    if (session->cursor != NULL) journal_close(node->journal, session->cursor);
    if (session->image_cursor != NULL) image_close(session->image->image, session->image_cursor);
    request_release(&session->request);
    buf_release(&session->in);
    buf_release(&session->out);
    *session = (struct session){0};
}

static struct session *open_session(struct node *node, struct conn *conn)
{
    for (int i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &node->sessions[i];
        if (session->conn != NULL) continue;
        *session = (struct session){.conn = conn};
        request_init(&session->request);
        return session;
    }
    return NULL;
}

/* Moves what may be sent into the connection: texts, then the image, then the log. */
static void pump(struct node *node, struct session *session)
{
    struct sim *sim = node->sim;
    struct iovec iov;
    int count;
    for (;;) {
        const size_t room = net_room(session->conn, SERVER);
        if (room == 0) return;
        if (session->out.len > 0) {
            const size_t len = session->out.len < room ? session->out.len : room;
            net_send(sim, session->conn, SERVER, session->out.ptr, len);
            buf_drop_front(&session->out, len);
        } else if (session->close_when_sent) {
            net_close(session->conn, SERVER);
            end_session(node, session);
            return;
        } else if (session->image_cursor != NULL) {
            const enum spool_read read =
                spool_peek(session->image_cursor, &iov, &count, 1, room, NULL, NULL);
            if (read == SPOOL_BYTES) {
                net_send(sim, session->conn, SERVER, iov.iov_base, iov.iov_len);
                spool_advance(session->image_cursor, iov.iov_len);
                session->image_bytes += iov.iov_len;
                primary_image_progress(node->primary, session->conn->id, session->image_bytes,
                                       now(node));
            } else if (read == SPOOL_END && session->image->done_told) {
                image_close(session->image->image, session->image_cursor);
                session->image_cursor = NULL;
                const uint64_t id = session->conn->id;
                primary_image_sent(node->primary, id, now(node), &node->actions);
                perform(node, span_of("", 0));
                if (session_of(node, id) != session) return;
            } else {
                return;
            }
        } else if (session->cursor != NULL && spool_position(session->cursor) < session->fed_to) {
            if (session->mark_sent) {
                sim_violation(sim, "node %d sends the stream behind the mark before the first ACK",
                              node->index);
                return;
            }
            const uint64_t left = session->fed_to - spool_position(session->cursor);
            if (spool_peek(session->cursor, &iov, &count, 1, left < room ? (size_t)left : room,
                           NULL, NULL) != SPOOL_BYTES)
                return;
            net_send(sim, session->conn, SERVER, iov.iov_base, iov.iov_len);
            spool_advance(session->cursor, iov.iov_len);
            primary_fed(node->primary, session->conn->id, spool_position(session->cursor));
        } else {
            return;
        }
    }
}

static void answer(struct session *session, enum primary_answer kind, const char *text)
{
    switch (kind) {
    case PRIMARY_OK: buf_append(&session->out, "+OK\r\n", 5); break;
    case PRIMARY_TEXT: buf_printf(&session->out, "+%s\r\n", text); break;
    case PRIMARY_REFUSED: buf_printf(&session->out, "-%s\r\n", text); break;
    case PRIMARY_SILENT:
    case PRIMARY_TAKEN:
    case PRIMARY_PROMOTE: break;
    }
}

static void run_command(struct node *node, struct session *session, int argc,
                        const struct span *argv)
{
    char text[REPL_ERROR_CHARS], ip[32];
    snprintf(ip, sizeof(ip), "10.0.0.%d", session->conn->node[CLIENT]);
    const struct primary_origin origin = {.id = session->conn->id, .ip = ip};
    enum primary_answer kind = PRIMARY_SILENT;
    if (argc == 0) return;
    if (span_is(argv[0], "ping")) {
        buf_append(&session->out, "+PONG\r\n", 7);
    } else if (span_is(argv[0], "replconf")) {
        if (argc > 1 && span_is(argv[1], "ack")) session->mark_sent = false;
        kind =
            primary_replconf(node->primary, &origin, argc, argv, now(node), text, &node->actions);
    } else if (span_is(argv[0], "psync")) {
        kind = primary_psync(node->primary, &origin, argc, argv, now(node), text, &node->actions);
        if (kind == PRIMARY_PROMOTE) {
            node->followed = -1;
            role_promote(node->role, now(node), &node->actions);
            perform(node, span_of("", 0));
            kind =
                primary_psync(node->primary, &origin, argc, argv, now(node), text, &node->actions);
        }
        if (kind == PRIMARY_TAKEN && role_is_replica(node->role) &&
            replica_state(node->replica) != REPLICA_CONNECTED)
            sim_violation(node->sim, "node %d serves a replica while its own link is down",
                          node->index);
        sim_trace(node->sim, (uint64_t)kind, (uint64_t)node->index, 7);
    } else if (span_is(argv[0], "sync")) {
        kind = primary_sync(node->primary, &origin, now(node), text, &node->actions);
    } else {
        snprintf(text, sizeof(text), "ERR unknown command");
        kind = PRIMARY_REFUSED;
    }
    answer(session, kind, text);
}

static void serve(struct node *node, struct session *session, struct span bytes)
{
    const struct request_limits limits = {.bulk_bytes_max = 1 << 20, .authenticated = true};
    const uint64_t id = session->conn->id;
    primary_peer_alive(node->primary, id, now(node));
    buf_append_span(&session->in, bytes);
    for (;;) {
        size_t consumed = 0, want;
        const char *error;
        if (session->in.len == 0) return;
        const enum request_status status = request_parse(&session->request, buf_span(&session->in),
                                                         &limits, &consumed, &want, &error);
        if (status == REQUEST_BROKEN)
            sim_violation(node->sim, "node %d sent a broken request: %s", session->conn->node[0],
                          error);
        if (status != REQUEST_READY) return;
        run_command(node, session, session->request.argc, session->request.argv);
        perform(node, span_of("", 0));
        if (session_of(node, id) != session) return;
        buf_drop_front(&session->in, consumed);
    }
}

/* ---- images ------------------------------------------------------------------------------------- */

static struct image_slot *image_of(struct node *node, uint32_t number)
{
    for (int i = 0; i < IMAGES_MAX; i++)
        if (node->images[i].number == number) return &node->images[i];
    return NULL;
}

static struct image_options image_settings(const struct node *node)
{
    return (struct image_options){
        .dir = "/nonexistent",
        .inline_encoder = true,
        .checksum = true,
        .keep_head = true,
        .now_ms = unix_now(node),
        .repl_id = journal_active(node->journal) ? journal_id(node->journal) : NULL,
        .repl_offset = (int64_t)journal_end(node->journal),
        .repl_stream_db = journal_stream_db(node->journal),
    };
}

static void start_image(struct node *node, uint32_t number)
{
    struct image_slot *slot = image_of(node, 0);
    check(node->later_count < LATER_MAX);
    /* A primary's next command says its database again: a late reader of the log starts here. */
    if (!role_is_replica(node->role)) journal_set_db(node->journal, -1);
    const struct image_options options = image_settings(node);
    struct image *image = slot != NULL ? image_start(node->store, &options) : NULL;
    if (image != NULL) *slot = (struct image_slot){.number = number, .image = image};
    node->later[node->later_count].snapshot = number;
    node->later[node->later_count].offset = journal_end(node->journal);
    node->later[node->later_count++].failed = image == NULL;
}

static void end_image(struct node *node, uint32_t number)
{
    struct image_slot *slot = image_of(node, number);
    if (slot == NULL || number == 0) return;
    image_release(slot->image);
    *slot = (struct image_slot){0};
}

static void walk_images(struct node *node)
{
    for (int i = 0; i < IMAGES_MAX; i++) {
        struct image_slot *slot = &node->images[i];
        if (slot->number == 0 || slot->done_told) continue;
        image_walk(slot->image,
                   (struct image_budget){.bytes = 512, .buckets = 1, .keys = SIZE_MAX});
        struct image_progress progress;
        image_progress(slot->image, &progress);
        if (image_state(slot->image) == IMAGE_COMPLETE) {
            slot->done_told = true;
            primary_snapshot_done(node->primary, slot->number, progress.rdb_bytes, now(node),
                                  &node->actions);
        } else {
            primary_snapshot_progress(node->primary, slot->number, progress.rdb_bytes, 500);
        }
    }
    perform(node, span_of("", 0));
}

/* ---- loading ------------------------------------------------------------------------------------ */

static void load(struct node *node, struct span rdb, struct loader_outcome *outcome)
{
    struct loader_options options = {
        .databases = DATABASES,
        .secret = {node->sim->seed, (uint64_t)node->index},
        .now_ms = unix_now(node),
        .checksum = true,
        .silent = true,
        .inline_loading = true,
    };
    struct loader *loader = loader_open_feed(UINT64_MAX, &options);
    loader_feed(loader, rdb.ptr, rdb.len);
    loader_feed_end(loader);
    loader_take(&loader, outcome);
}

static void drop_outcome(struct node *node)
{
    if (node->has_outcome) loader_outcome_release(&node->outcome);
    node->has_outcome = false;
}

static void finish_loading(struct node *node)
{
    if (!node->loading || now(node) < node->load_at_ms) return;
    node->loading = false;
    load(node, buf_span(&node->image_in), &node->outcome);
    node->has_outcome = true;
    if (node->outcome.err == OK) {
        replica_loaded(node->replica, now(node), &node->actions);
    } else {
        sim_violation(node->sim, "node %d got a snapshot that does not load: %s", node->index,
                      node->outcome.error);
        replica_load_failed(node->replica, node->outcome.error, now(node), &node->actions);
    }
    perform(node, span_of("", 0));
}

static void take_keyspaces(struct node *node)
{
    store_replace_all(node->store, node->outcome.keyspaces);
    mem_free(node->outcome.keyspaces); /* the array; what it held is the store's now */
    node->outcome.keyspaces = NULL;
}

/* An id that changed is known before anything is appended under it. */
static void id_changed(struct node *node)
{
    node->checked = journal_end(node->journal);
    history_id_changed(node->sim, node);
}

static void adopt(struct node *node, const char *id, uint64_t offset)
{
    if (!node->has_outcome) {
        sim_violation(node->sim, "node %d adopts a history without its data", node->index);
        return;
    }
    if (node->watch_failover && node->own_touched == node->touched &&
        node->failover_touched == node->sim->nodes[node->failover_target]->touched &&
        !history_continues(node->sim, id, node->journal))
        sim_violation(node->sim, "node %d lost writes in a planned failover", node->index);
    for (int i = 0; i < SESSIONS_MAX;
         i++) { /* cursors on the old log: its readers were to be dropped */
        if (node->sessions[i].cursor == NULL) continue;
        sim_violation(node->sim, "node %d keeps replicas of the history that it leaves",
                      node->index);
        journal_close(node->journal, node->sessions[i].cursor);
        node->sessions[i].cursor = NULL;
    }
    take_keyspaces(node);
    journal_adopt(node->journal, id, offset);
    journal_set_db(node->journal, node->outcome.repl_stream_db);
    drop_outcome(node);
    apply_reset(node->apply);
    id_changed(node);
    node->full_syncs++;
    node->sim->seen.full++;
    history_check_data(node->sim, node);
    primary_log_advanced(node->primary, offset, &node->actions);
}

/* ---- carrying out actions ------------------------------------------------------------------------ */

static void send_to(struct node *node, uint64_t id, struct span text)
{
    int64_t offset;
    if (id != REPL_LINK_ID) {
        struct session *session = session_of(node, id);
        if (session == NULL) return;
        if (session->mark_sent)
            sim_violation(node->sim, "node %d sends behind the mark before the first ACK",
                          node->index);
        buf_append_span(&session->out, text);
        if (text.len == 40 && session->image_bytes > 0) session->mark_sent = true;
        return;
    }
    if (node->link == NULL) return;
    if (sscanf(text.len > 27 ? text.ptr + 27 : "", "%*[$0-9]\r\n%" PRId64, &offset) == 1 &&
        memcmp(text.ptr + 22, "ACK", 3) == 0 && (uint64_t)offset > journal_end(node->journal))
        sim_violation(node->sim,
                      "node %d acknowledges offset %" PRId64 ", but applied only up to %" PRIu64,
                      node->index, offset, journal_end(node->journal));
    net_send(node->sim, node->link, CLIENT, text.ptr, text.len);
}

static void close_link(struct node *node)
{
    if (node->link != NULL) net_close(node->link, CLIENT);
    node->link = NULL;
    buf_clear(&node->link_in);
    if (!node->config.mutations.keep_partial_unit) apply_reset(node->apply);
}

static void close_peer(struct node *node, uint64_t id, bool gently)
{
    struct session *session = session_of(node, id);
    if (session == NULL) return;
    if (gently) {
        session->close_when_sent = true;
        return;
    }
    net_close(session->conn, SERVER);
    end_session(node, session);
}

static void pin(struct node *node, uint64_t id, uint64_t offset)
{
    struct session *session = session_of(node, id);
    if (session == NULL) return;
    if (session->cursor != NULL) journal_close(node->journal, session->cursor);
    session->cursor = journal_open(node->journal, offset);
    if (session->cursor == NULL)
        sim_violation(node->sim,
                      "node %d: offset %" PRIu64 " was promised to a replica and is not held",
                      node->index, offset);
}

static void feed(struct node *node, uint64_t id, uint64_t offset)
{
    struct session *session = session_of(node, id);
    if (session == NULL) return;
    if (session->cursor == NULL || offset > journal_end(node->journal) || offset < session->fed_to)
        sim_violation(node->sim, "node %d is told to feed what it does not hold", node->index);
    session->fed_to = offset;
    pump(node, session);
}

static void attach(struct node *node, uint64_t id, uint32_t number, struct span header)
{
    struct session *session = session_of(node, id);
    if (session == NULL) return;
    session->image = image_of(node, number);
    check(session->image != NULL);
    buf_append_span(&session->out, header);
    session->image_cursor = image_open(session->image->image, 0);
    session->image_bytes = 0;
    check(session->image_cursor != NULL);
}

static void connect_to(struct node *node, int port)
{
    const int other = port - FIRST_PORT;
    node->link = net_connect(node->sim, node->index, other);
}

static void set_role(struct node *node, bool is_replica)
{
    store_policy(node->store)->is_replica = is_replica;
    sim_say(node->sim, "node %d is a %s", node->index, is_replica ? "replica" : "primary");
    if (!is_replica) node->sim->seen.promotions++;
}

static void do_action(struct node *node, const struct repl_action *action, struct span input)
{
    char id[64];
    const struct span text = repl_action_bytes(&node->actions, action, input);
    snprintf(id, sizeof(id), "%.*s", (int)(text.len < 63 ? text.len : 63), text.ptr);
    sim_trace(node->sim, (uint64_t)action->kind * 8 + (uint64_t)node->index, action->peer,
              action->offset + text.len * 4096);
    switch (action->kind) {
    case REPL_SEND: send_to(node, action->peer, text); break;
    case REPL_CLOSE:
        if (action->peer == REPL_LINK_ID) close_link(node);
        else close_peer(node, action->peer, action->value == 1);
        break;
    case REPL_ACTIVATE:
        journal_activate(node->journal, false);
        id_changed(node);
        break;
    case REPL_DEACTIVATE:
        journal_deactivate(node->journal);
        id_changed(node);
        break;
    case REPL_APPEND:
        journal_append(node->journal, text.ptr, text.len);
        journal_publish(node->journal);
        history_appended(node->sim, node, true);
        primary_log_advanced(node->primary, journal_end(node->journal), &node->actions);
        break;
    case REPL_START_SNAPSHOT: start_image(node, action->snapshot); break;
    case REPL_END_SNAPSHOT: end_image(node, action->snapshot); break;
    case REPL_PIN: pin(node, action->peer, action->offset); break;
    case REPL_ATTACH: attach(node, action->peer, action->snapshot, text); break;
    case REPL_FEED: feed(node, action->peer, action->offset); break;
    case REPL_ACKED: break;
    case REPL_PAUSE_WRITES:
        node->paused = true;
        store_policy(node->store)->expire_paused = true;
        break;
    case REPL_RESUME_WRITES:
        node->paused = false;
        store_policy(node->store)->expire_paused = false;
        node->watch_failover = false;
        break;
    case REPL_CONNECT: connect_to(node, action->port); break;
    case REPL_IMAGE_BEGIN: buf_clear(&node->image_in); break;
    case REPL_IMAGE_BYTES: buf_append_span(&node->image_in, text); break;
    case REPL_IMAGE_END:
        node->loading = true;
        node->load_at_ms = now(node) + sim_between(node->sim, 0, 300);
        break;
    case REPL_IMAGE_ABORT:
        node->loading = false;
        drop_outcome(node);
        break;
    case REPL_APPLY: apply_bytes(node, text); break;
    case REPL_ADOPT: adopt(node, id, action->offset); break;
    case REPL_RENAME_ID:
        journal_rename_id(node->journal, id);
        id_changed(node);
        break;
    case REPL_SHIFT_ID:
        journal_shift_id(node->journal);
        id_changed(node);
        break;
    case REPL_ROLE: set_role(node, action->value == 1); break;
    }
}

static void perform(struct node *node, struct span input)
{
    /* Carrying out may add actions behind: the list is walked by index. */
    while (node->up && (node->actions.count > 0 || node->later_count > 0)) {
        for (size_t i = 0; i < node->actions.count; i++) {
            const struct repl_action action = node->actions.items[i];
            do_action(node, &action, input);
        }
        repl_actions_clear(&node->actions);
        const int count = node->later_count;
        for (int i = 0; i < count; i++) {
            if (node->later[i].failed)
                primary_snapshot_failed(node->primary, node->later[i].snapshot,
                                        "too many snapshots", now(node), &node->actions);
            else
                primary_snapshot_begun(node->primary, node->later[i].snapshot,
                                       node->later[i].offset, now(node), &node->actions);
        }
        memmove(node->later, node->later + count,
                (size_t)(node->later_count - count) * sizeof(node->later[0]));
        node->later_count -= count;
    }
    for (int i = 0; node->up && i < SESSIONS_MAX; i++)
        if (node->sessions[i].conn != NULL) pump(node, &node->sessions[i]);
}

/* ---- from the network --------------------------------------------------------------------------- */

void node_connected(struct node *node, struct conn *conn, bool well)
{
    if (!node->up || node->link != conn) return;
    if (well && open_session(node->sim->nodes[conn->node[SERVER]], conn) == NULL) {
        net_close(conn, SERVER);
        return;
    }
    if (well) {
        replica_connected(node->replica, now(node), &node->actions);
    } else {
        node->link = NULL;
        replica_connect_failed(node->replica, "Connection refused", now(node), &node->actions);
    }
    perform(node, span_of("", 0));
}

static size_t link_received(struct node *node, struct span bytes)
{
    if (!replica_wants_bytes(node->replica)) return 0;
    const size_t taken = replica_received(node->replica, bytes, now(node), &node->actions);
    perform(node, bytes);
    return taken;
}

size_t node_received(struct node *node, struct conn *conn, enum side side, const void *ptr,
                     size_t len)
{
    if (!node->up) return len;
    /* The pipe's memory may move while the bytes are used. */
    struct buf copy = {0};
    size_t taken = len;
    buf_append(&copy, ptr, len);
    if (side == CLIENT) {
        taken = node->link == conn ? link_received(node, buf_span(&copy)) : len;
    } else {
        struct session *session = session_of(node, conn->id);
        if (session != NULL) serve(node, session, buf_span(&copy));
    }
    buf_release(&copy);
    return taken;
}

void node_closed(struct node *node, struct conn *conn, enum side side, const char *reason)
{
    if (!node->up) return;
    if (side == CLIENT) {
        if (node->link != conn) return;
        node->link = NULL;
        replica_gone(node->replica, reason, now(node), &node->actions);
    } else {
        struct session *session = session_of(node, conn->id);
        if (session == NULL) return;
        end_session(node, session);
        primary_peer_gone(node->primary, conn->id, reason, now(node), &node->actions);
    }
    perform(node, span_of("", 0));
}

/* ---- life --------------------------------------------------------------------------------------- */

static void restore(struct node *node)
{
    struct loader_outcome *outcome = &node->outcome;
    load(node, buf_span(&node->rdb), outcome);
    check(outcome->err == OK);
    take_keyspaces(node);
    if (outcome->has_repl) {
        journal_restore(node->journal, outcome->repl_id, (uint64_t)outcome->repl_offset, false);
        journal_set_db(node->journal, outcome->repl_stream_db);
        if (node->followed < 0) journal_shift_id(node->journal);
    }
    loader_outcome_release(outcome);
}

void node_start(struct node *node)
{
    struct sim *sim = node->sim;
    const struct hash_secret secret = {sim->seed, (uint64_t)node->index};
    const struct apply_executor executor = {run_applied, node};
    const struct store_observer observer = {.effect = on_effect, .context = node};
    node->up = true;
    node->touched++;
    sim->seen.restarts++;
    node->config.hex = hex;
    node->config.hex_context = node;
    repl_events_init(&node->events);
    node->events.silent = true;
    node->store = store_new(DATABASES, &secret, unix_now(node));
    store_observe(node->store, &observer);
    const uint64_t backlog = (uint64_t)1 << sim_between(sim, 12, 15);
    node->held_max = backlog + (uint64_t)sim_between(sim, 1024, 64 * 1024);
    node->journal = journal_new(&(struct journal_options){
        .backlog_bytes = backlog,
        .hex = hex,
        .hex_context = node,
    });
    unit_init(&node->unit, node->journal);
    node->primary = primary_new(&node->config, node->journal, &node->events);
    node->replica = replica_new(&node->config, node->journal, &node->events, node->primary);
    node->role =
        role_new(&node->config, node->journal, &node->events, node->primary, node->replica);
    node->apply = apply_new(node->journal, &executor, 1 << 20);
    node->later_count = 0;
    node->paused = node->watch_failover = node->loading = false;
    sim->histories.of_node[node->index] = -1;
    if (node->has_rdb) restore(node);
    id_changed(node);
    if (journal_active(node->journal)) history_check_data(sim, node);
    primary_log_advanced(node->primary, journal_end(node->journal), &node->actions);
    sim_say(sim, "node %d starts at offset %" PRIu64, node->index, journal_end(node->journal));
    if (node->followed >= 0) {
        char host[32];
        snprintf(host, sizeof(host), "10.0.0.%d", node->followed);
        role_follow(node->role, host, FIRST_PORT + node->followed, now(node), &node->actions);
    }
    perform(node, span_of("", 0));
}

void node_save(struct node *node)
{
    if (!node->up) return;
    const struct image_options options = image_settings(node);
    struct image *image = image_start(node->store, &options);
    if (image == NULL) return;
    while (image_walk(image, (struct image_budget){SIZE_MAX, SIZE_MAX, SIZE_MAX}) == IMAGE_MORE) {}
    check(image_state(image) == IMAGE_COMPLETE);
    struct spool_cursor *cursor = image_open(image, 0);
    struct iovec iov;
    int count;
    buf_clear(&node->rdb);
    while (spool_peek(cursor, &iov, &count, 1, SIZE_MAX, NULL, NULL) == SPOOL_BYTES) {
        buf_append(&node->rdb, iov.iov_base, iov.iov_len);
        spool_advance(cursor, iov.iov_len);
    }
    image_close(image, cursor);
    image_release(image);
    node->has_rdb = true;
}

void node_stop(struct node *node, bool saving)
{
    struct sim *sim = node->sim;
    if (!node->up) return;
    if (saving) node_save(node);
    if (!saving && sim_chance(sim, 30)) node->has_rdb = false;
    sim_say(sim, "node %d stops %s", node->index,
            node->has_rdb ? "with an RDB file" : "without an RDB file");
    node->up = false;
    sim->seen.partial += primary_stats(node->primary)->sync_partial_ok;
    for (int i = 0; i < SESSIONS_MAX; i++)
        if (node->sessions[i].conn != NULL) end_session(node, &node->sessions[i]);
    for (int i = 0; i < sim->net.count; i++) {
        struct conn *conn = sim->net.conns[i];
        for (int side = 0; side < 2; side++)
            if (conn->node[side] == node->index && conn->open[side])
                net_close(conn, (enum side)side);
    }
    node->link = NULL;
    for (int i = 0; i < IMAGES_MAX; i++) end_image(node, node->images[i].number);
    drop_outcome(node);
    buf_release(&node->link_in);
    buf_release(&node->image_in);
    repl_actions_release(&node->actions);
    apply_free(node->apply);
    role_free(node->role);
    replica_free(node->replica);
    primary_free(node->primary);
    unit_release(&node->unit);
    journal_free(node->journal);
    store_free(node->store);
}

void node_free(struct node *node)
{
    node_stop(node, false);
    buf_release(&node->rdb);
    mem_free(node);
}

/* The log's byte ceiling: whoever pins the oldest bytes has to go. */
static void watch_ceiling(struct node *node)
{
    while (journal_end(node->journal) - journal_first(node->journal) > node->held_max) {
        if (!primary_byte_ceiling(node->primary, now(node), &node->actions)) break;
        node->sim->seen.ceiling++;
        perform(node, span_of("", 0));
        journal_trim(node->journal);
    }
}

void node_tick(struct node *node)
{
    if (!node->up) return;
    journal_set_now(node->journal, now(node));
    finish_loading(node);
    walk_images(node);
    if (now(node) < node->timer_ms) {
        if (replica_next_timer(node->replica) <= now(node)) {
            replica_timer(node->replica, now(node), &node->actions);
            perform(node, span_of("", 0));
        }
        return;
    }
    node->timer_ms = now(node) + 100;
    store_set_now(node->store, unix_now(node));
    expire(node);
    primary_timer(node->primary, now(node), &node->actions);
    perform(node, span_of("", 0));
    replica_timer(node->replica, now(node), &node->actions);
    perform(node, span_of("", 0));
    role_timer(node->role, now(node), &node->actions);
    perform(node, span_of("", 0));
    if (!role_is_replica(node->role) && sim_chance(node->sim, 5)) primary_want_acks(node->primary);
    primary_flush(node->primary, &node->actions);
    perform(node, span_of("", 0));
    watch_ceiling(node);
}

/* ---- orders ------------------------------------------------------------------------------------- */

void node_follow(struct node *node, int other)
{
    char host[32];
    if (!node->up) {
        node->followed = other;
        return;
    }
    if (role_refuses_replicaof(node->role) != NULL) return;
    node->touched++;
    node->followed = other;
    if (other < 0) {
        role_promote(node->role, now(node), &node->actions);
    } else {
        snprintf(host, sizeof(host), "10.0.0.%d", other);
        role_follow(node->role, host, FIRST_PORT + other, now(node), &node->actions);
    }
    perform(node, span_of("", 0));
}

bool node_failover(struct node *node, int other, int64_t timeout_ms, bool force)
{
    char host[32], port[16], timeout[32];
    struct span argv[8] = {SPAN("FAILOVER")};
    int argc = 1;
    if (!node->up) return false;
    snprintf(host, sizeof(host), "10.0.0.%d", other);
    snprintf(port, sizeof(port), "%d", FIRST_PORT + other);
    snprintf(timeout, sizeof(timeout), "%" PRId64, timeout_ms);
    argv[argc++] = SPAN("TO");
    argv[argc++] = span_of_cstr(host);
    argv[argc++] = span_of_cstr(port);
    if (timeout_ms > 0) {
        argv[argc++] = SPAN("TIMEOUT");
        argv[argc++] = span_of_cstr(timeout);
        if (force) argv[argc++] = SPAN("FORCE");
    }
    node->watch_failover = !force;
    node->failover_target = other;
    node->failover_touched = node->sim->nodes[other]->touched;
    node->own_touched = node->touched;
    const char *error = role_failover(node->role, argc, argv, now(node), &node->actions);
    if (error != NULL) {
        node->watch_failover = false;
        return false;
    }
    node->sim->seen.failovers++;
    sim_say(node->sim, "node %d: FAILOVER to %d", node->index, other);
    perform(node, span_of("", 0));
    return true;
}

void node_abort_failover(struct node *node)
{
    const struct span argv[2] = {SPAN("FAILOVER"), SPAN("ABORT")};
    if (!node->up) return;
    node->touched++;
    role_failover(node->role, 2, argv, now(node), &node->actions);
    perform(node, span_of("", 0));
}

void node_figures(const struct node *node, struct node_figures *out)
{
    *out = (struct node_figures){.up = node->up, .full_syncs = node->full_syncs};
    if (!node->up) return;
    out->is_replica = role_is_replica(node->role);
    out->linked = replica_state(node->replica) == REPLICA_CONNECTED;
    out->quiet = role_failover_state(node->role) == FAILOVER_NONE;
    out->end = journal_end(node->journal);
}
