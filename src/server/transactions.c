#include "server/transactions.h"

#include "base/mem.h"
#include "base/num.h"
#include "ds/table.h"
#include "handlers.h"
#include "server/dispatch.h"

struct queued {
    const struct command *command;
    struct span *argv; /* one allocation with the bytes behind */
    int argc;
    size_t bytes;
};

/* A key that at least one session watches. */
struct watched_key {
    int db;
    struct watcher *watchers;
    uint64_t hash;
    size_t len;
    char name[];
};

/* One session's watch of one key: in the key's list and in the session's. */
struct watcher {
    struct session *session;
    struct watched_key *key;
    struct watcher *next_of_key, *next_of_session;
    /* The key stands there past its deadline, as it did when WATCH came: as good as absent, so it
     * may go without a change. */
    bool was_expired;
};

struct multi {
    struct queued *queue;
    int count, capacity;
    uint32_t flags;
    size_t bytes;
    struct watcher *watchers;
};

struct watches {
    struct table *table;
    struct hash_secret secret;
};

struct probe {
    int db;
    struct span name;
};

static uint64_t watched_hash(const void *context, const void *item)
{
    (void)context;
    return ((const struct watched_key *)item)->hash;
}

static bool watched_matches(const void *context, const void *item, const void *key)
{
    const struct watched_key *watched = item;
    const struct probe *probe = key;

    (void)context;
    return watched->db == probe->db &&
           span_equal(span_of(watched->name, watched->len), probe->name);
}

struct watches *watches_new(const struct hash_secret *secret)
{
    struct watches *watches = mem_zalloc(sizeof *watches);

    watches->secret = *secret;
    watches->table =
        table_new(&(struct table_hooks){.hash = watched_hash, .matches = watched_matches});
    return watches;
}

static struct watched_key *find_watched(const struct watches *watches, int db, struct span key)
{
    struct probe probe = {.db = db, .name = key};
    return table_find(watches->table, hash_keyed(&watches->secret, key.ptr, key.len), &probe);
}

static const struct entry *find_in(struct keyspace *keyspace, struct span name)
{
    struct key key = keyspace_key(keyspace, name);
    return keyspace_find(keyspace, &key);
}

static bool is_past(const struct entry *entry, int64_t now_ms)
{
    int64_t deadline = entry_deadline(entry);
    return deadline != NO_DEADLINE && deadline < now_ms;
}

void watches_key_changed(struct server *server, int db, struct span key)
{
    if (table_count(server->watches->table) == 0) return;
    struct watched_key *watched = find_watched(server->watches, db, key);

    if (watched == NULL) return;
    bool absent = find_in(store_keyspace(server->store, db), key) == NULL;
    for (struct watcher *w = watched->watchers; w != NULL; w = w->next_of_key) {
        if (w->was_expired && absent) w->was_expired = false;
        else w->session->flags |= SESSION_WATCH_DIRTY;
    }
}

struct replacing {
    int db;
    struct keyspace *from, *to;
    int64_t now_ms;
};

static void check_replaced(void *context, void *item)
{
    const struct replacing *replacing = context;
    struct watched_key *watched = item;

    if (replacing->db != -1 && watched->db != replacing->db) return;
    struct span name = span_of(watched->name, watched->len);
    bool existed = find_in(replacing->from, name) != NULL;
    const struct entry *after = replacing->to == NULL ? NULL : find_in(replacing->to, name);
    bool seen_after = after != NULL && !is_past(after, replacing->now_ms);
    for (struct watcher *w = watched->watchers; w != NULL; w = w->next_of_key) {
        if ((existed && !w->was_expired) || seen_after) w->session->flags |= SESSION_WATCH_DIRTY;
        w->was_expired = after != NULL && !seen_after;
    }
}

void watches_replacing(struct server *server, int db, struct keyspace *from, struct keyspace *to)
{
    struct table *table = server->watches->table;
    struct replacing replacing = {
        .db = db, .from = from, .to = to, .now_ms = store_now(server->store)};

    if (table_count(table) == 0) return;
    for (size_t i = 0; i < table_buckets(table); i++)
        table_visit(table, i, check_replaced, &replacing);
}

/* ---- a session's part ------------------------------------------------------------------------- */

static struct multi *session_multi(struct session *session)
{
    if (session->multi == NULL) session->multi = mem_zalloc(sizeof *session->multi);
    return session->multi;
}

static void forget_queue(struct session *session)
{
    struct multi *multi = session->multi;

    session->flags &= ~(unsigned)(SESSION_MULTI | SESSION_MULTI_DIRTY);
    if (multi == NULL) return;
    for (int i = 0; i < multi->count; i++) mem_free(multi->queue[i].argv);
    mem_free(multi->queue);
    multi->queue = NULL;
    multi->count = multi->capacity = 0;
    multi->flags = 0;
    multi->bytes = 0;
}

static void unlink_watcher(struct watches *watches, struct watcher *watcher)
{
    struct watched_key *watched = watcher->key;
    struct watcher **at = &watched->watchers;

    while (*at != watcher) at = &(*at)->next_of_key;
    *at = watcher->next_of_key;
    if (watched->watchers == NULL) {
        struct probe probe = {.db = watched->db, .name = span_of(watched->name, watched->len)};
        table_remove(watches->table, table_locate(watches->table, watched->hash, &probe));
        mem_free(watched);
    }
    mem_free(watcher);
}

static void unwatch_all(struct session *session)
{
    session->flags &= ~(unsigned)SESSION_WATCH_DIRTY;
    if (session->multi == NULL) return;
    while (session->multi->watchers != NULL) {
        struct watcher *watcher = session->multi->watchers;
        session->multi->watchers = watcher->next_of_session;
        unlink_watcher(session->server->watches, watcher);
    }
}

void transactions_discard(struct session *session)
{
    forget_queue(session);
    unwatch_all(session);
}

void transactions_release(struct session *session)
{
    transactions_discard(session);
    mem_free(session->multi);
    session->multi = NULL;
}

void transactions_queue(struct session *session, const struct parsed *request)
{
    struct multi *multi = session_multi(session);
    size_t bytes;

    if (multi->count == multi->capacity) {
        multi->capacity = multi->capacity == 0 ? 4 : multi->capacity * 2;
        multi->queue = mem_realloc(multi->queue, (size_t)multi->capacity * sizeof *multi->queue);
    }
    struct span *argv = spans_copy(request->argv, request->argc, &bytes);
    multi->queue[multi->count++] = (struct queued){
        .command = request->command, .argv = argv, .argc = request->argc, .bytes = bytes};
    multi->flags |= request->command->flags;
    multi->bytes += bytes;
}

uint32_t transactions_queued_flags(const struct session *session)
{
    return session->multi == NULL ? 0 : session->multi->flags;
}

bool transactions_would_wait(const struct session *session)
{
    const struct multi *multi = session->multi;
    struct server *server = session->server;
    int db = session->db;

    if (multi == NULL || !(multi->flags & CMD_IN_PLACE) || !store_may_lease(server->store))
        return false;
    for (int i = 0; i < multi->count; i++) {
        const struct queued *queued = &multi->queue[i];
        struct parsed request = {
            .argv = queued->argv, .argc = queued->argc, .command = queued->command};
        int64_t selected;

        if (queued->command->run == cmd_select && num_parse_int64(queued->argv[1], &selected) &&
            selected >= 0 && selected < store_databases(server->store))
            db = (int)selected;
        if (dispatch_would_wait(server, db, &request)) return true;
    }
    return false;
}

size_t transactions_memory(const struct session *session)
{
    const struct multi *multi = session->multi;
    return multi == NULL
               ? 0
               : sizeof *multi + multi->bytes + (size_t)multi->capacity * sizeof *multi->queue;
}

int transactions_queued(const struct session *session)
{
    return session->flags & SESSION_MULTI ? (session->multi == NULL ? 0 : session->multi->count)
                                          : -1;
}

/* ---- commands --------------------------------------------------------------------------------- */

enum err cmd_multi(struct call *call)
{
    struct session *session = call->session;

    if (session->flags & SESSION_MULTI) return call_fail(call, "ERR MULTI calls can not be nested");
    session->flags |= SESSION_MULTI;
    session_multi(session);
    reply_ok(call->reply);
    return OK;
}

enum err cmd_discard(struct call *call)
{
    struct session *session = call->session;

    if (!(session->flags & SESSION_MULTI)) return call_fail(call, "ERR DISCARD without MULTI");
    transactions_discard(session);
    reply_ok(call->reply);
    return OK;
}

/* A watched key that expired since, without anyone having deleted it yet, counts as changed. */
static bool a_watched_key_expired(struct session *session)
{
    struct store *store = session->server->store;

    for (struct watcher *w = session->multi->watchers; w != NULL; w = w->next_of_session) {
        struct span name = span_of(w->key->name, w->key->len);
        const struct entry *entry = find_in(store_keyspace(store, w->key->db), name);
        if (entry != NULL && !w->was_expired && is_past(entry, store_now(store))) return true;
    }
    return false;
}

static void run_queue(struct session *session, unsigned call_flags)
{
    struct multi *multi = session->multi;
    int count = multi->count;
    struct queued *queue = multi->queue;

    /* The queue is detached, so that a queued command may not touch what is being walked. */
    multi->queue = NULL;
    multi->count = multi->capacity = 0;
    multi->flags = 0;
    multi->bytes = 0;
    reply_array(&session->reply, count);
    for (int i = 0; i < count; i++) {
        struct parsed request = {
            .argv = queue[i].argv, .argc = queue[i].argc, .command = queue[i].command};
        dispatch_call(session, &request, call_flags | CALL_IN_EXEC);
        mem_free(queue[i].argv);
    }
    mem_free(queue);
}

enum err cmd_exec(struct call *call)
{
    struct session *session = call->session;

    if (!(session->flags & SESSION_MULTI)) return call_fail(call, "ERR EXEC without MULTI");
    session_multi(session);
    bool spoiled = session->flags & SESSION_MULTI_DIRTY;
    bool changed = session->flags & SESSION_WATCH_DIRTY || a_watched_key_expired(session);
    if (spoiled || changed) {
        transactions_discard(session);
        if (spoiled) return ERR_EXEC_ABORT;
        reply_null_array(call->reply);
        return OK;
    }
    unwatch_all(session);
    session->flags &= ~(unsigned)SESSION_MULTI;
    session->server->in_exec++;
    run_queue(session, call->flags);
    session->server->in_exec--;
    return OK;
}

enum err cmd_watch(struct call *call)
{
    struct session *session = call->session;
    struct watches *watches = session->server->watches;

    if (session->flags & SESSION_MULTI)
        return call_fail(call, "ERR WATCH inside MULTI is not allowed");
    struct multi *multi = session_multi(session);
    for (int i = 1; i < call->argc; i++) {
        struct span name = call->argv[i];
        struct watched_key *watched = find_watched(watches, call->db, name);
        bool already = false;

        if (watched == NULL) {
            watched = mem_alloc(sizeof *watched + name.len);
            *watched =
                (struct watched_key){.db = call->db,
                                     .hash = hash_keyed(&watches->secret, name.ptr, name.len),
                                     .len = name.len};
            memcpy(watched->name, name.ptr, name.len);
            table_insert(watches->table, watched->hash, watched);
        }
        for (struct watcher *w = watched->watchers; w != NULL && !already; w = w->next_of_key)
            already = w->session == session;
        if (already) continue;
        struct watcher *watcher = mem_alloc(sizeof *watcher);
        const struct entry *entry = find_in(store_keyspace(call->store, call->db), name);
        *watcher = (struct watcher){.session = session,
                                    .key = watched,
                                    .next_of_key = watched->watchers,
                                    .next_of_session = multi->watchers,
                                    .was_expired =
                                        entry != NULL && is_past(entry, store_now(call->store))};
        watched->watchers = watcher;
        multi->watchers = watcher;
    }
    reply_ok(call->reply);
    return OK;
}

enum err cmd_unwatch(struct call *call)
{
    unwatch_all(call->session);
    reply_ok(call->reply);
    return OK;
}
