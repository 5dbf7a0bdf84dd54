/* Requests in batches: parse up to BATCH_MAX whole requests of one read, find their commands, hash their first keys and
 * load the buckets, then the entries, then what they ask for of the elements of big values, and only then execute one after
 * the other. The memory latency of the look-ups overlaps instead of standing in each command's way. */
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "server/dispatch.h"
#include "server/network.h"

/* The command that was looked up last: mostly the next one has the same name. */
struct known {
    char name[16];
    size_t len; /* 0: none */
    const struct command *command;
};

struct batch {
    struct known known;
    struct request requests[BATCH_MAX]; /* their argv arrays are reused */
    struct parsed parsed[BATCH_MAX];
    size_t ends[BATCH_MAX]; /* offset behind each request */
};

struct batch *batch_new(void)
{
    struct batch *batch = mem_zalloc(sizeof *batch);

    for (int i = 0; i < BATCH_MAX; i++) request_init(&batch->requests[i]);
    return batch;
}

static void swap_requests(struct request *a, struct request *b)
{
    struct request c = *a;

    *a = *b;
    *b = c;
}

static const struct command *find(struct server *server, int argc, const struct span *argv)
{
    struct known *known = &server->batch->known;
    struct span name = argc > 0 ? argv[0] : SPAN("");

    if (name.len == known->len && memcmp(name.ptr, known->name, name.len) == 0)
        return known->command;
    const struct command *command = dispatch_find(server, argv, argc);
    if (command == NULL || command->subcommand_count > 0 || command->container != NULL ||
        name.len > sizeof known->name)
        return command;
    memcpy(known->name, name.ptr, name.len);
    known->len = name.len;
    known->command = command;
    return command;
}

void batch_prepare(struct server *server, int place, int db, int argc, const struct span *argv,
                   struct span encoded)
{
    struct parsed *parsed = &server->batch->parsed[place];
    const struct command *command = find(server, argc, argv);

    *parsed = (struct parsed){.argv = argv, .argc = argc, .command = command, .encoded = encoded};
    if (command != NULL && command->first_key > 0 && command->first_key < argc && !server->loading)
        parsed->first = store_key(server->store, argv[command->first_key]);
    parsed->db = db;
}

const struct parsed *batch_prepared(const struct server *server, int place)
{
    return &server->batch->parsed[place];
}

/* Elements whose loading may be under way at once. */
enum { ELEMENTS_AHEAD_MAX = 64 };

struct elements_ahead {
    int count;
    struct element {
        const struct table *table;
        uint64_t hash;
    } all[ELEMENTS_AHEAD_MAX];
};

/* The first loads of what a request asks for of a big value. */
static void begin_elements(const struct store *store, const struct parsed *request,
                           struct elements_ahead *ahead)
{
    const struct table *table = store_guess_elements(store, request->db, request->first.hash);
    int step = request->command->element_step;

    if (table == NULL) return;
    for (int at = request->command->first_element; at < request->argc; at += step) {
        if (ahead->count == ELEMENTS_AHEAD_MAX) return;
        struct element *element = &ahead->all[ahead->count++];
        *element = (struct element){table, store_key(store, request->argv[at]).hash};
        table_prefetch_bucket(table, element->hash);
        if (step == 0) return;
    }
}

static void gather_elements(const struct server *server, int count)
{
    const struct parsed *parsed = server->batch->parsed;
    struct elements_ahead ahead;

    ahead.count = 0;
    for (int i = 0; i < count; i++)
        if (parsed[i].first.name.ptr != NULL && parsed[i].command->first_element != 0)
            begin_elements(server->store, &parsed[i], &ahead);
    for (int i = 0; i < ahead.count; i++)
        table_prefetch_items(ahead.all[i].table, ahead.all[i].hash);
}

/* Each step in a loop of its own with nothing else in it: what a load waits for first is the page's address, and only loads that
 * stand close to each other in the code wait for theirs together. */
void batch_gather(struct server *server, int count)
{
    const struct parsed *parsed = server->batch->parsed;
    bool has_elements = false;

    for (int i = 0; i < count && count > 1; i++)
        if (parsed[i].first.name.ptr != NULL)
            store_prefetch(server->store, parsed[i].db, parsed[i].first.hash, 0);
    for (int i = 0; i < count; i++) {
        if (parsed[i].first.name.ptr == NULL) continue;
        if (count > 1) store_prefetch(server->store, parsed[i].db, parsed[i].first.hash, 1);
        has_elements |= parsed[i].command->first_element != 0;
    }
    if (has_elements) gather_elements(server, count);
    server->lap_us = stopwatch_us(&server->stopwatch);
}

static void protocol_error(struct session *session, const char *error)
{
    log_verbose("Protocol error (%s) from client: id=%llu addr=%s", error,
                (unsigned long long)session->id, session->peer_name);
    reply_errorf(&session->reply, "ERR Protocol error: %s", error);
    session->server->stats.error_replies++;
    session_close_after_reply(session);
}

/* Executes what was parsed. Returns how many ran; fewer than count when the session stopped. */
static int execute(struct session *session, const struct batch *batch, int count)
{
    struct server *server = session->server;
    int ran = 0;

    while (ran < count) {
        const struct parsed *request = &batch->parsed[ran];
        if (request->argc > 0 && dispatch_request(session, request) == DISPATCH_POSTPONED) break;
        ran++;
        if (session->flags & (SESSION_CLOSED | SESSION_CLOSE_AFTER_REPLY) ||
            session->block != BLOCK_NONE)
            break;
    }
    server->lap_us = 0;
    return ran;
}

size_t batch_consume(struct session *session, struct span bytes)
{
    struct server *server = session->server;
    struct batch *batch = server->batch;
    size_t done = 0;

    session_bound_reply(session);
    for (bool more = true; more && done < bytes.len;) {
        bool authenticated = session->flags & SESSION_AUTHENTICATED;
        struct request_limits limits = {.bulk_bytes_max = server->limits.bulk_bytes_max,
                                        .authenticated = authenticated};
        int count = 0, wanted = authenticated ? BATCH_MAX : 1;
        size_t at = done;
        const char *broken = NULL;

        while (count < wanted && at < bytes.len) {
            struct request *request = &batch->requests[count];
            struct span rest = span_of(bytes.ptr + at, bytes.len - at);
            size_t consumed, want;

            if (count == 0 && at == 0)
                swap_requests(request, &session->request); /* goes on where it stopped */
            else request_reset(request);
            enum request_status status =
                request_parse(request, rest, &limits, &consumed, &want, &broken);
            if (status == REQUEST_READY) {
                batch_prepare(server, count, session->db, request->argc, request->argv,
                              request->is_canonical ? span_of(rest.ptr, consumed) : SPAN(""));
                at += consumed;
                batch->ends[count++] = at;
                continue;
            }
            more = false;
            if (status == REQUEST_MORE) swap_requests(request, &session->request);
            break;
        }
        if (count == 0 && broken == NULL) break;
        batch_gather(server, count);
        if (session->out.ptr == NULL) network_take_buffer(server->network, &session->out);
        int ran = execute(session, batch, count);
        if (session->out.len == 0 &&
            session->out.ptr != NULL) /* nobody is answered: it may wait for long */
            network_give_buffer(server->network, &session->out);
        if (ran > 0) done = batch->ends[ran - 1];
        if (ran < count || session->flags & (SESSION_CLOSED | SESSION_CLOSE_AFTER_REPLY) ||
            session->block != BLOCK_NONE) {
            request_reset(&session->request);
            break;
        }
        if (broken != NULL) {
            protocol_error(session, broken);
            return bytes.len;
        }
    }
    return done;
}
