#include "server/gate.h"

#include "server/aof.h"
#include "server/replication.h"
#include "server/session.h"

/* What the bytes behind the last gate wait for; 0: nothing. */
static uint64_t needs(const struct session *session)
{
    const struct server *server = session->server;

    if (session->flags & SESSION_REPLICA)
        return 0; /* what it is fed goes as far as the files do anyway */
    uint64_t end = journal_end(server->journal);
    /* Another history may have begun lower since the session wrote. */
    return aof_gates_all(server) || session->write_offset > end ? end : session->write_offset;
}

static void add(struct gates *gates, size_t end, uint64_t offset)
{
    if (gates->count < 2) gates->count++;
    gates->end[gates->count - 1] = end;
    gates->offset[gates->count - 1] = offset;
}

size_t gate_open(struct session *session)
{
    struct gates *gates = &session->gates;
    uint64_t reach = aof_reach(session->server);
    size_t len = session->out.len;

    if (reach == UINT64_MAX) {
        gates->count = 0;
        return len;
    }
    size_t gated = gates->count > 0 ? gates->end[gates->count - 1] : session->out_sent;
    uint64_t offset = needs(session);
    if (len > gated && (gates->count > 0 || offset > reach)) {
        if (gates->count == 2 && gates->offset[1] > offset) offset = gates->offset[1];
        add(gates, len, offset);
    }
    size_t open = gates->count > 0 ? session->out_sent : len;
    while (gates->count > 0 && gates->offset[0] <= reach) {
        open = gates->end[0];
        gates->end[0] = gates->end[1];
        gates->offset[0] = gates->offset[1];
        gates->count--;
    }
    return open;
}

void gate_dropped(struct gates *gates, size_t bytes)
{
    for (int i = 0; i < gates->count; i++) gates->end[i] -= bytes;
}

void gate_wait(struct session *session)
{
    struct server *server = session->server;

    if (session->flags & SESSION_GATED) return;
    session->flags |= SESSION_GATED;
    session->gate_previous = NULL;
    session->gate_next = server->gated;
    if (server->gated != NULL) server->gated->gate_previous = session;
    server->gated = session;
}

void gate_forget(struct session *session)
{
    if (!(session->flags & SESSION_GATED)) return;
    session->flags &= ~(unsigned)SESSION_GATED;
    if (session->gate_previous != NULL) session->gate_previous->gate_next = session->gate_next;
    else session->server->gated = session->gate_next;
    if (session->gate_next != NULL) session->gate_next->gate_previous = session->gate_previous;
}

void gates_moved(struct server *server)
{
    while (server->gated != NULL) {
        struct session *session = server->gated;
        gate_forget(session);
        session_has_output(session);
    }
    /* Feeds go as far as the files do. */
    for (const struct peer *peer = server->replication->peers; peer != NULL; peer = peer->next)
        if (peer->session->flags & SESSION_REPLICA) session_has_output(peer->session);
}
