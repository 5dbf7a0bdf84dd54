#include "node_state.h"

#include <strings.h>

/* ---- carrying out actions ------------------------------------------------------------------------ */

void node_hex(void *context, char *out, size_t len)
{
    struct node *node = context;
    for (size_t i = 0; i < len; i++)
        out[i] = "0123456789abcdef"[random_below(&node->sim->random, 16)];
}

/* An id that changed is known before anything is appended under it. */
void node_id_changed(struct node *node)
{
    node->checked = journal_end(node->journal);
    history_id_changed(node->sim, node);
}

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
    session_end(node, session);
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
    session_pump(node, session);
}

static void attach(struct node *node, uint64_t id, uint32_t number, struct span header)
{
    struct session *session = session_of(node, id);
    if (session == NULL) return;
    session->image = images_find(node, number);
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
        node_id_changed(node);
        break;
    case REPL_DEACTIVATE:
        journal_deactivate(node->journal);
        node_id_changed(node);
        break;
    case REPL_APPEND:
        journal_append(node->journal, text.ptr, text.len);
        journal_publish(node->journal);
        history_appended(node->sim, node, true);
        primary_log_advanced(node->primary, disk_reach(node), &node->actions);
        break;
    case REPL_START_SNAPSHOT: images_start(node, action->snapshot); break;
    case REPL_END_SNAPSHOT: images_end(node, action->snapshot); break;
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
        node->load_at_ms = node_now(node) + sim_between(node->sim, 0, 300);
        break;
    case REPL_IMAGE_ABORT:
        node->loading = false;
        load_drop(node);
        break;
    case REPL_APPLY: node_apply(node, text); break;
    case REPL_ADOPT: load_adopt(node, id, action->offset); break;
    case REPL_RENAME_ID:
        if (strcasecmp(id, journal_id(node->journal)) == 0) break;
        journal_rename_id(node->journal, id);
        node_id_changed(node);
        disk_id_changed(node);
        break;
    case REPL_SHIFT_ID:
        journal_shift_id(node->journal);
        node_id_changed(node);
        disk_id_changed(node);
        break;
    case REPL_ROLE: set_role(node, action->value == 1); break;
    }
}

void node_perform(struct node *node, struct span input)
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
                                        "too many snapshots", node_now(node), &node->actions);
            else
                primary_snapshot_begun(node->primary, node->later[i].snapshot,
                                       node->later[i].offset, node_now(node), &node->actions);
        }
        memmove(node->later, node->later + count,
                (size_t)(node->later_count - count) * sizeof(node->later[0]));
        node->later_count -= count;
    }
    for (int i = 0; node->up && i < SESSIONS_MAX; i++)
        if (node->sessions[i].conn != NULL) session_pump(node, &node->sessions[i]);
}

/* ---- from the network --------------------------------------------------------------------------- */

void node_connected(struct node *node, struct conn *conn, bool well)
{
    if (!node->up || node->link != conn) return;
    if (well && session_open(node->sim->nodes[conn->node[SERVER]], conn) == NULL) {
        net_close(conn, SERVER);
        return;
    }
    if (well) {
        replica_connected(node->replica, node_now(node), &node->actions);
    } else {
        node->link = NULL;
        replica_connect_failed(node->replica, "Connection refused", node_now(node), &node->actions);
    }
    node_perform(node, span_of("", 0));
}

static size_t link_received(struct node *node, struct span bytes)
{
    if (!replica_wants_bytes(node->replica)) return 0;
    const size_t taken = replica_received(node->replica, bytes, node_now(node), &node->actions);
    node_perform(node, bytes);
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
        if (session != NULL) session_serve(node, session, buf_span(&copy));
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
        replica_gone(node->replica, reason, node_now(node), &node->actions);
    } else {
        struct session *session = session_of(node, conn->id);
        if (session == NULL) return;
        session_end(node, session);
        primary_peer_gone(node->primary, conn->id, reason, node_now(node), &node->actions);
    }
    node_perform(node, span_of("", 0));
}
