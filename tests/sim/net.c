#include "sim.h"

#include "base/mem.h"

static void pipe_release(struct pipe *pipe)
{
    buf_release(&pipe->bytes);
    mem_free(pipe->pieces);
}

static void free_conn(struct conn *conn)
{
    pipe_release(&conn->to[0]);
    pipe_release(&conn->to[1]);
    mem_free(conn);
}

void net_release(struct net *net)
{
    for (int i = 0; i < net->count; i++) free_conn(net->conns[i]);
    mem_free(net->conns);
    *net = (struct net){0};
}

struct conn *net_connect(struct sim *sim, int from, int to)
{
    struct net *net = &sim->net;
    struct conn *conn = mem_zalloc(sizeof(*conn));
    conn->id = ++net->ids;
    conn->node[CLIENT] = from;
    conn->node[SERVER] = to;
    conn->open[CLIENT] = true;
    conn->delay_ms = sim_chance(sim, 80) ? sim_between(sim, 0, 10) : sim_between(sim, 50, 400);
    conn->room_max = (size_t)1 << sim_between(sim, 6, 14);
    conn->connect_at_ms = sim->now_ms + conn->delay_ms;
    conn->silent = net->cut[from][to];
    conn->refused = !node_accepts(sim->nodes[to]);
    if (net->count == net->capacity) {
        net->capacity = net->capacity == 0 ? 16 : net->capacity * 2;
        net->conns = mem_realloc(net->conns, (size_t)net->capacity * sizeof(net->conns[0]));
    }
    net->conns[net->count++] = conn;
    return conn;
}

size_t net_room(const struct conn *conn, enum side from)
{
    const size_t used = conn->to[!from].bytes.len;
    return used < conn->room_max ? conn->room_max - used : 0;
}

void net_send(struct sim *sim, struct conn *conn, enum side from, const void *ptr, size_t len)
{
    struct pipe *pipe = &conn->to[!from];
    if (len == 0 || pipe->closed || !conn->open[from]) return;
    buf_append(&pipe->bytes, ptr, len); /* while silent too: so the sender's buffer fills */
    int64_t at_ms = sim->now_ms + conn->delay_ms + sim_between(sim, 0, 3);
    if (at_ms < pipe->last_ms) at_ms = pipe->last_ms;
    pipe->last_ms = at_ms;
    if (pipe->count > 0 && pipe->pieces[pipe->count - 1].at_ms == at_ms) {
        pipe->pieces[pipe->count - 1].len += len;
        return;
    }
    if (pipe->count == pipe->capacity) {
        pipe->capacity = pipe->capacity == 0 ? 8 : pipe->capacity * 2;
        pipe->pieces = mem_realloc(pipe->pieces, pipe->capacity * sizeof(pipe->pieces[0]));
    }
    pipe->pieces[pipe->count++] = (struct piece){at_ms, len};
}

void net_close(struct conn *conn, enum side side)
{
    conn->open[side] = false;
    conn->to[!side].closed = true;
    if (!conn->established) conn->connect_at_ms = INT64_MAX;
}

void net_break(struct sim *sim, struct conn *conn)
{
    for (int side = 0; side < 2; side++) {
        if (!conn->open[side]) continue;
        conn->open[side] = false;
        node_closed(sim->nodes[conn->node[side]], conn, (enum side)side, "connection reset");
    }
}

void net_partition(struct sim *sim, int a, int b, bool cut)
{
    struct net *net = &sim->net;
    net->cut[a][b] = net->cut[b][a] = cut;
    for (int i = 0; i < net->count; i++) {
        struct conn *conn = net->conns[i];
        const bool between = (conn->node[0] == a && conn->node[1] == b) ||
                             (conn->node[0] == b && conn->node[1] == a);
        if (!between) continue;
        /* Once silence is over, what was lost shows as a broken connection, sooner or later. */
        if (cut) conn->silent = true;
    }
}

/* Hands over what has arrived, in pieces of any size. */
static void deliver(struct sim *sim, struct conn *conn, enum side to)
{
    struct pipe *pipe = &conn->to[to];
    while (pipe->count > 0 && pipe->pieces[0].at_ms <= sim->now_ms && conn->open[to]) {
        size_t len = pipe->pieces[0].len;
        if (sim_chance(sim, 30)) len = 1 + (size_t)random_below(&sim->random, len);
        const size_t taken =
            node_received(sim->nodes[conn->node[to]], conn, to, pipe->bytes.ptr, len);
        if (!conn->open[to]) return;
        buf_drop_front(&pipe->bytes, taken);
        pipe->pieces[0].len -= taken;
        if (pipe->pieces[0].len == 0)
            memmove(pipe->pieces, pipe->pieces + 1, --pipe->count * sizeof(pipe->pieces[0]));
        if (taken < len || sim_chance(sim, 20)) return; /* the rest in a later tick */
    }
    if (pipe->count == 0 && pipe->closed && conn->open[to]) {
        conn->open[to] = false;
        node_closed(sim->nodes[conn->node[to]], conn, to, "closed by the peer");
    }
}

static void establish(struct sim *sim, struct conn *conn)
{
    if (conn->silent || sim->now_ms < conn->connect_at_ms || !conn->open[CLIENT]) return;
    conn->established = true;
    conn->refused = conn->refused || !node_accepts(sim->nodes[conn->node[SERVER]]);
    conn->open[SERVER] = !conn->refused;
    if (conn->refused) conn->open[CLIENT] = false;
    node_connected(sim->nodes[conn->node[CLIENT]], conn, !conn->refused);
}

void net_tick(struct sim *sim)
{
    struct net *net = &sim->net;
    for (int i = 0; i < net->count; i++) {
        struct conn *conn = net->conns[i];
        if (!conn->established) establish(sim, conn);
        for (int side = 0; side < 2; side++)
            if (conn->established && !conn->silent && conn->open[side])
                deliver(sim, conn, (enum side)side);
        if (!conn->open[0] && !conn->open[1]) {
            free_conn(conn);
            net->conns[i--] = net->conns[--net->count];
        }
    }
}
