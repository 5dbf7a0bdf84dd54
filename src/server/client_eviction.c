#include "server/client_eviction.h"

#include "base/log.h"
#include "server/config.h"

enum {
    LIMIT_MIN = 128 * 1024, /* as in Redis: with less nobody could set it right again */
    SIZE_CLASSES = 19,      /* powers of two; the first is everything below 32 KB */
    FIRST_CLASS_BITS = 15,
};

/* Bytes; 0: no limit. */
static uint64_t limit_of(const struct config *config)
{
    int64_t setting = config->maxmemory_clients;
    uint64_t limit = (uint64_t)setting;

    if (setting < 0) /* percent of maxmemory */
        limit = (uint64_t)((double)config->maxmemory * (double)-setting / 100);
    if (setting == 0 || (setting < 0 && config->maxmemory == 0)) return 0;
    return limit < LIMIT_MIN ? LIMIT_MIN : limit;
}

static size_t counted_memory(const struct session *session)
{
    if (session->flags & (SESSION_CLOSED | SESSION_NO_SOCKET | SESSION_PRIMARY_LINK) ||
        session_class(session) == CLASS_REPLICA)
        return 0;
    return session_memory(session);
}

void clients_note(struct session *session)
{
    struct server *server = session->server;

    if (server->config->maxmemory_clients == 0) return;
    size_t now = counted_memory(session);
    server->clients_memory = server->clients_memory - session->counted + now;
    session->counted = now;
}

void clients_count_all(struct server *server)
{
    server->clients_memory = 0;
    for (struct session *session = server->sessions; session != NULL; session = session->next) {
        session->counted = 0;
        clients_note(session);
    }
}

static bool may_go(const struct session *session)
{
    return session->counted > 0 && !(session->flags & (SESSION_NO_EVICT | SESSION_CLOSED));
}

static int size_class(const struct session *session)
{
    int class = 63 - __builtin_clzll(session->counted | 1) - FIRST_CLASS_BITS + 1;
    if (class < 0) return 0;
    return class < SIZE_CLASSES ? class : SIZE_CLASSES - 1;
}

static void evict(struct session *session)
{
    struct buf line = {0};

    session_describe(session, &line);
    log_notice("Evicting client: %.*s", (int)line.len, line.ptr);
    buf_release(&line);
    session->server->stats.evicted_clients++;
    session_close(session);
}

void clients_evict(struct server *server)
{
    uint64_t limit = limit_of(server->config), bytes[SIZE_CLASSES] = {0};

    if (limit == 0 || server->clients_memory < limit) return;
    for (const struct session *session = server->sessions; session != NULL; session = session->next)
        if (may_go(session)) bytes[size_class(session)] += session->counted;
    /* All of the classes above `last` go, and of that one as many as it takes. */
    uint64_t left = server->clients_memory;
    int last = SIZE_CLASSES - 1;
    while (last > 0 && left - bytes[last] >= limit) left -= bytes[last--];
    for (struct session *session = server->sessions, *next; session != NULL; session = next) {
        next = session->next;
        if (may_go(session) && size_class(session) > last) evict(session);
    }
    for (struct session *session = server->sessions, *next;
         session != NULL && server->clients_memory >= limit; session = next) {
        next = session->next;
        if (may_go(session) && size_class(session) == last) evict(session);
    }
}

bool clients_describe(const struct server *server, struct buf *out)
{
    uint64_t bytes[SIZE_CLASSES] = {0}, clients[SIZE_CLASSES] = {0};

    if (limit_of(server->config) == 0) return false;
    for (const struct session *session = server->sessions; session != NULL;
         session = session->next) {
        if (!may_go(session)) continue;
        bytes[size_class(session)] += session->counted;
        clients[size_class(session)]++;
    }
    for (int class = 0; class < SIZE_CLASSES; class ++) {
        unsigned long long from = class == 0 ? 0 : 1ull << (FIRST_CLASS_BITS - 1 + class);
        unsigned long long to = (1ull << (FIRST_CLASS_BITS + class)) - 1;
        if (class < SIZE_CLASSES - 1) buf_printf(out, "bucket %10llu - %10llu", from, to);
        else buf_printf(out, "bucket %10llu+            ", from);
        buf_printf(out, ": tot-mem: %10llu, clients: %llu\n", (unsigned long long)bytes[class],
                   (unsigned long long)clients[class]);
    }
    return true;
}
