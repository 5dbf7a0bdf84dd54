#include "server/blocked_keys.h"

#include "base/check.h"
#include "base/mem.h"
#include "ds/table.h"
#include "server/dispatch.h"

/* A session's wait for one of its keys. */
struct waiter {
    struct key_wait *wait; /* NULL: the key was named before */
    struct waited_key *key;
    struct waiting_queue *queue;
    struct waiter *next, *prev; /* in the queue */
    int index;                  /* of the key in argv */
};

/* All that one blocked session waits for. */
struct key_wait {
    struct session *session;
    const struct command *command;
    struct span *argv; /* one allocation with the bytes behind */
    int argc;
    size_t bytes;
    call_serve *serve;
    int64_t took_us;
    int count;
    struct waiter waiters[];
};

struct waiting_queue {
    struct waiting_queue *next; /* of the key, in order of creation */
    struct waiter *first, *last;
    enum value_type type;
    enum call_turn turn;
    size_t len;
    char group[];
};

struct waited_key {
    struct waiting_queue *queues;
    struct waited_key *next, *prev; /* of the list in which it stands */
    struct key_list *list;          /* NULL: not ready */
    bool being_served;              /* nothing of it is freed now */
    int group_queues;
    uint64_t hash;
    int db;
    size_t len;
    char name[];
};

struct key_list {
    struct waited_key *first, *last;
};

struct blocked_keys {
    struct table *table;
    struct hash_secret secret;
    struct key_list ready, leased;
    size_t group_queues;
};

/* ---- keys and queues -------------------------------------------------------------------------- */

struct probe {
    int db;
    struct span name;
};

static uint64_t waited_hash(const void *context, const void *item)
{
    (void)context;
    return ((const struct waited_key *)item)->hash;
}

static bool waited_matches(const void *context, const void *item, const void *key)
{
    const struct waited_key *waited = item;
    const struct probe *probe = key;

    (void)context;
    return waited->db == probe->db && span_equal(span_of(waited->name, waited->len), probe->name);
}

struct blocked_keys *blocked_keys_new(const struct hash_secret *secret)
{
    struct blocked_keys *blocked = mem_zalloc(sizeof *blocked);

    blocked->secret = *secret;
    blocked->table =
        table_new(&(struct table_hooks){.hash = waited_hash, .matches = waited_matches});
    return blocked;
}

static struct waited_key *find_key(const struct blocked_keys *blocked, int db, struct span name)
{
    struct probe probe = {.db = db, .name = name};
    return table_find(blocked->table, hash_keyed(&blocked->secret, name.ptr, name.len), &probe);
}

static struct waited_key *find_or_make_key(struct blocked_keys *blocked, int db, struct span name)
{
    struct waited_key *key = find_key(blocked, db, name);

    if (key != NULL) return key;
    key = mem_zalloc(sizeof *key + name.len);
    key->hash = hash_keyed(&blocked->secret, name.ptr, name.len);
    key->db = db;
    key->len = name.len;
    if (name.len > 0) memcpy(key->name, name.ptr, name.len);
    table_insert(blocked->table, key->hash, key);
    return key;
}

static struct waiting_queue *find_or_make_queue(struct blocked_keys *blocked,
                                                struct waited_key *key,
                                                const struct call_wait *what)
{
    struct span group = what->turn == TURN_GROUP ? what->group : SPAN("");
    struct waiting_queue **at = &key->queues;

    for (; *at != NULL; at = &(*at)->next) {
        const struct waiting_queue *queue = *at;
        if (queue->type == what->type && queue->turn == what->turn &&
            span_equal(span_of(queue->group, queue->len), group))
            return *at;
    }
    struct waiting_queue *queue = mem_alloc(sizeof *queue + group.len);
    *queue = (struct waiting_queue){.type = what->type, .turn = what->turn, .len = group.len};
    if (group.len > 0) memcpy(queue->group, group.ptr, group.len);
    if (queue->turn == TURN_GROUP) {
        key->group_queues++;
        blocked->group_queues++;
    }
    *at = queue;
    return queue;
}

static void list_remove(struct waited_key *key)
{
    struct key_list *list = key->list;

    if (list == NULL) return;
    if (key->prev != NULL) key->prev->next = key->next;
    else list->first = key->next;
    if (key->next != NULL) key->next->prev = key->prev;
    else list->last = key->prev;
    key->list = NULL;
}

static void list_append(struct key_list *list, struct waited_key *key)
{
    list_remove(key);
    key->list = list;
    key->next = NULL;
    key->prev = list->last;
    if (list->last != NULL) list->last->next = key;
    else list->first = key;
    list->last = key;
}

/* Frees the queues without sessions, and the key where none is left. */
static void tidy_key(struct blocked_keys *blocked, struct waited_key *key)
{
    if (key->being_served) return;
    for (struct waiting_queue **at = &key->queues; *at != NULL;) {
        struct waiting_queue *queue = *at;
        if (queue->first != NULL) {
            at = &queue->next;
            continue;
        }
        if (queue->turn == TURN_GROUP) {
            key->group_queues--;
            blocked->group_queues--;
        }
        *at = queue->next;
        mem_free(queue);
    }
    if (key->queues != NULL) return;
    struct probe probe = {.db = key->db, .name = span_of(key->name, key->len)};
    list_remove(key);
    table_remove(blocked->table, table_locate(blocked->table, key->hash, &probe));
    mem_free(key);
}

/* ---- a session's wait ------------------------------------------------------------------------- */

static void enqueue(struct blocked_keys *blocked, struct waiter *waiter, struct key_wait *wait,
                    int index, const struct call_wait *what)
{
    struct waited_key *key = find_or_make_key(blocked, wait->session->db, wait->argv[index]);
    struct waiting_queue *queue = find_or_make_queue(blocked, key, what);
    struct waiter *last = queue->last;

    *waiter = (struct waiter){0};
    if (last != NULL && last->wait == wait) return;
    *waiter =
        (struct waiter){.wait = wait, .key = key, .queue = queue, .prev = last, .index = index};
    if (last != NULL) last->next = waiter;
    else queue->first = waiter;
    queue->last = waiter;
}

void blocked_keys_wait(struct call *call, const struct call_wait *what)
{
    struct session *session = call->session;
    struct blocked_keys *blocked = call_server(call)->blocked_keys;
    struct key_wait *wait =
        mem_alloc(sizeof *wait + (size_t)what->key_count * sizeof wait->waiters[0]);

    *wait = (struct key_wait){.session = session,
                              .command = call->command,
                              .argc = what->argc,
                              .serve = what->serve,
                              .count = what->key_count};
    wait->argv = spans_copy(what->argv, what->argc, &wait->bytes);
    for (int i = 0; i < what->key_count; i++)
        enqueue(blocked, &wait->waiters[i], wait, what->first_key + i, what);
    session->key_wait = wait;
    session_block(session, BLOCK_KEYS, what->timeout_ms);
}

static struct parsed parsed_of(const struct key_wait *wait)
{
    return (struct parsed){.argv = wait->argv, .argc = wait->argc, .command = wait->command};
}

void blocked_keys_forget(struct session *session)
{
    struct key_wait *wait = session->key_wait;
    struct parsed request = parsed_of(wait);

    for (int i = 0; i < wait->count; i++) {
        struct waiter *waiter = &wait->waiters[i];
        struct waiting_queue *queue = waiter->queue;
        if (waiter->wait == NULL) continue;
        if (waiter->prev != NULL) waiter->prev->next = waiter->next;
        else queue->first = waiter->next;
        if (waiter->next != NULL) waiter->next->prev = waiter->prev;
        else queue->last = waiter->prev;
        if (queue->first == NULL) tidy_key(session->server->blocked_keys, waiter->key);
    }
    session->key_wait = NULL;
    if (!(session->flags & SESSION_CLOSED)) dispatch_record(session, &request, wait->took_us);
    mem_free(wait->argv);
    mem_free(wait);
}

void blocked_keys_took(struct session *session, int64_t took_us)
{
    session->key_wait->took_us += took_us;
}

size_t blocked_keys_memory(const struct session *session)
{
    const struct key_wait *wait = session->key_wait;

    if (wait == NULL) return 0;
    return sizeof *wait + (size_t)wait->count * sizeof wait->waiters[0] + wait->bytes;
}

size_t blocked_keys_argument_bytes(const struct session *session)
{
    const struct key_wait *wait = session->key_wait;
    return wait == NULL ? 0 : wait->bytes - (size_t)wait->argc * sizeof *wait->argv;
}

/* ---- becoming ready --------------------------------------------------------------------------- */

static void mark_ready(struct blocked_keys *blocked, struct waited_key *key)
{
    if (key->list == NULL) list_append(&blocked->ready, key);
}

void blocked_keys_ready(struct server *server, int db, struct span name, enum value_type type)
{
    struct blocked_keys *blocked = server->blocked_keys;

    if (table_count(blocked->table) == 0) return;
    struct waited_key *key = find_key(blocked, db, name);
    if (key == NULL) return;
    for (const struct waiting_queue *queue = key->queues; queue != NULL; queue = queue->next)
        if (queue->type == type) {
            mark_ready(blocked, key);
            return;
        }
}

void blocked_keys_changed(struct server *server, int db, struct span name)
{
    struct blocked_keys *blocked = server->blocked_keys;

    if (blocked->group_queues == 0) return;
    struct waited_key *waited = find_key(blocked, db, name);
    if (waited == NULL || waited->group_queues == 0) return;
    /* Of a stream that is still there, the door says itself whether it has news. */
    struct key key = store_key(server->store, name);
    const struct entry *entry = keyspace_find(store_keyspace(server->store, db), &key);
    if (entry == NULL || entry_type(entry) != TYPE_STREAM) mark_ready(blocked, waited);
}

struct replacing {
    struct blocked_keys *blocked;
    int db;
    struct keyspace *to;
};

static void check_replaced(void *context, void *item)
{
    const struct replacing *replacing = context;
    struct waited_key *key = item;

    if (key->db != replacing->db) return;
    struct key after = keyspace_key(replacing->to, span_of(key->name, key->len));
    if (key->group_queues > 0 || keyspace_find(replacing->to, &after) != NULL)
        mark_ready(replacing->blocked, key);
}

void blocked_keys_replacing(struct server *server, int db, struct keyspace *to)
{
    struct table *table = server->blocked_keys->table;
    struct replacing replacing = {.blocked = server->blocked_keys, .db = db, .to = to};

    if (table_count(table) == 0) return;
    for (size_t i = 0; i < table_buckets(table); i++)
        table_visit(table, i, check_replaced, &replacing);
}

/* ---- serving ---------------------------------------------------------------------------------- */

enum outcome { SERVED, NOTHING, LEASED };

static enum outcome serve_waiter(struct server *server, const struct waiter *waiter)
{
    struct session *session = waiter->wait->session;
    struct parsed request = parsed_of(waiter->wait);

    if (dispatch_would_wait(server, session->db, &request)) return LEASED;
    if (!dispatch_serve(session, &request, waiter->wait->serve, waiter->index)) return NOTHING;
    session_unblock(session);
    session_has_output(session);
    return SERVED;
}

/* False where a leased value is in the way. */
static bool serve_queue(struct server *server, struct waiting_queue *queue)
{
    for (struct waiter *waiter = queue->first, *next; waiter != NULL; waiter = next) {
        next = waiter->next; /* serving one session ends no other's wait */
        enum outcome outcome = serve_waiter(server, waiter);
        if (outcome == LEASED) return false;
        if (outcome == NOTHING && queue->turn != TURN_READ) return true;
    }
    return true;
}

static bool serve_key(struct server *server, struct waited_key *waited)
{
    struct key key = store_key(server->store, span_of(waited->name, waited->len));
    bool done = true;

    waited->being_served = true;
    for (struct waiting_queue *queue = waited->queues; queue != NULL; queue = queue->next) {
        const struct entry *entry = store_find(server->store, waited->db, &key, FIND_WRITE);
        bool fits = entry != NULL && entry_type(entry) == queue->type;
        if (!fits && queue->turn != TURN_GROUP) continue;
        if (!serve_queue(server, queue)) done = false;
    }
    waited->being_served = false;
    return done;
}

static void serve_ready(struct server *server)
{
    struct blocked_keys *blocked = server->blocked_keys;
    struct waited_key *key;

    /* What stands still stands still: an EXEC may have paused the writes and made a key ready. */
    if (server_writes_paused(server) && !server_is_replica(server)) return;
    server_update_clock(server); /* EXEC may have taken long, and the key have expired meanwhile */
    while ((key = blocked->ready.first) != NULL) {
        list_remove(key);
        if (!serve_key(server, key)) list_append(&blocked->leased, key);
        tidy_key(blocked, key);
        unit_commit(&server->unit); /* the key may have been found expired */
    }
    dispatch_begin_lap(server);
}

/* After every command: mostly there is nobody. */
void blocked_keys_serve(struct server *server)
{
    if (server->blocked_keys->ready.first != NULL) serve_ready(server);
}

bool blocked_keys_before_wait(struct server *server)
{
    struct blocked_keys *blocked = server->blocked_keys;

    while (blocked->leased.first != NULL) list_append(&blocked->ready, blocked->leased.first);
    blocked_keys_serve(server);
    return blocked->leased.first != NULL;
}
