/* MIGRATE: moves keys to another server.
 *
 * The target gets, in one go, [AUTH] [SELECT] and a RESTORE per key; a key whose RESTORE it
 * confirms is deleted here. The engine waits for the target: so a key is never in both servers, nor
 * in none, for anybody who looks, and a write cannot come between the copy and the deletion. Each
 * step waits for `timeout` at most (dialogue.h). Where the connection breaks before the target has
 * confirmed a key, all is sent once more over a new one: the kept one may have been dead for long.
 *
 * Enters the journal as one DEL of the keys that went. */
#include "handlers.h"

#include "base/mem.h"
#include "server/migrate_links.h"
#include "server/server.h"
#include "store/value_rdb.h"

#include <errno.h>
#include <stdio.h>

struct migration {
    struct call *call;
    int64_t db, timeout_ms;
    bool copy, replace;
    int auth, auth_count; /* index of the first secret, and how many: 0, 1 (AUTH) or 2 (AUTH2) */
    int first, count;     /* the keys' arguments */

    int *found;      /* arguments of the keys that are there */
    int found_count; /* of those the target gets a RESTORE each, in this order */
    bool *arrived;   /* by place in `found`: the target has confirmed it */
    struct buf restores;

    bool refused; /* the target has answered an error: the first one is */
    char target_error[DIALOGUE_LINE_BYTES_MAX];
};

/* ---- arguments ------------------------------------------------------------------------------ */

static enum err parse_options(struct call *call, struct migration *migration)
{
    for (int i = 6; i < call->argc; i++) {
        int more = call->argc - 1 - i;
        if (call_arg_is(call, i, "COPY")) {
            migration->copy = true;
        } else if (call_arg_is(call, i, "REPLACE")) {
            migration->replace = true;
        } else if (call_arg_is(call, i, "AUTH") || call_arg_is(call, i, "AUTH2")) {
            migration->auth_count = call_arg_is(call, i, "AUTH") ? 1 : 2;
            if (more < migration->auth_count) return ERR_SYNTAX;
            migration->auth = i + 1;
            i += migration->auth_count;
        } else if (call_arg_is(call, i, "KEYS")) {
            if (call->argv[3].len > 0)
                return call_fail(call, "ERR When using MIGRATE KEYS option, the key argument must "
                                       "be set to the empty string");
            migration->first = i + 1;
            migration->count = more;
            return OK;
        } else {
            return ERR_SYNTAX;
        }
    }
    return OK;
}

static enum err parse(struct call *call, struct migration *migration)
{
    *migration = (struct migration){.call = call, .first = 3, .count = 1};
    TRY(parse_options(call, migration));
    TRY(call_arg_int64(call, 5, &migration->timeout_ms));
    TRY(call_arg_int64(call, 4, &migration->db));
    if (migration->timeout_ms <= 0) migration->timeout_ms = 1000;
    return OK;
}

/* ---- what is sent --------------------------------------------------------------------------- */

static void add_restore(struct migration *migration, int index, const struct entry *entry)
{
    struct call *call = migration->call;
    struct buf payload = {0};
    char digits[NUM_INT64_CHARS];
    int64_t deadline = entry_deadline(entry), ttl = 0;

    /* 0 would mean: without end. */
    if (deadline != NO_DEADLINE) ttl = deadline > call->now_ms ? deadline - call->now_ms : 1;
    value_dump(entry, call->limits->compress, &payload);
    unit_encode(&migration->restores, migration->replace ? 5 : 4,
                (struct span[]){SPAN("RESTORE"), call->argv[index],
                                span_of(digits, num_format_int64(digits, ttl)), buf_span(&payload),
                                SPAN("REPLACE")});
    buf_release(&payload);
}

static void collect(struct migration *migration)
{
    struct call *call = migration->call;
    size_t count = (size_t)migration->count;

    migration->found = mem_alloc(count * sizeof *migration->found + 1);
    migration->arrived = mem_zalloc(count * sizeof *migration->arrived + 1);
    for (int i = migration->first; i < migration->first + migration->count; i++) {
        struct key key = call_key(call, i);
        const struct entry *entry = store_find(call->store, call->db, &key, 0);
        if (entry == NULL) continue;
        migration->found[migration->found_count++] = i;
        add_restore(migration, i, entry);
    }
}

static void release(struct migration *migration)
{
    mem_free(migration->found);
    mem_free(migration->arrived);
    buf_release(&migration->restores);
}

/* ---- talking to the target ------------------------------------------------------------------ */

enum outcome {
    SPOKEN, /* all replies are here, errors among them */
    NO_HOST,
    NOT_WRITTEN,
    NOT_READ,
};

static int send_all(struct migration *migration, struct migrate_link *link, bool selects)
{
    const struct call *call = migration->call;
    const struct span *secrets = &call->argv[migration->auth];
    struct buf head = {0};
    char digits[NUM_INT64_CHARS];
    int error;

    if (migration->auth_count > 0)
        unit_encode(&head, 1 + migration->auth_count,
                    (struct span[]){SPAN("AUTH"), secrets[0],
                                    migration->auth_count > 1 ? secrets[1] : secrets[0]});
    if (selects)
        unit_encode(&head, 2,
                    (struct span[]){SPAN("SELECT"),
                                    span_of(digits, num_format_int64(digits, migration->db))});
    error = dialogue_send(&link->dialogue, buf_span(&head), migration->timeout_ms);
    buf_release(&head);
    if (error != 0) return error;
    return dialogue_send(&link->dialogue, buf_span(&migration->restores), migration->timeout_ms);
}

/* Reads a reply; *ok: it is no error. The first error is kept. What is neither that nor a status
 * comes from no server of ours, and nothing shall be deleted for it. */
static int read_reply(struct migration *migration, struct migrate_link *link, bool *ok)
{
    struct span line;
    int error = dialogue_read_line(&link->dialogue, migration->timeout_ms, &line);

    if (error != 0) return error;
    if (line.len == 0 || (line.ptr[0] != '+' && line.ptr[0] != '-')) return -EPROTO;
    *ok = line.ptr[0] == '+';
    if (*ok || migration->refused) return 0;
    migration->refused = true;
    snprintf(migration->target_error, sizeof migration->target_error, "%.*s", (int)line.len - 1,
             line.ptr + 1);
    return 0;
}

static int read_all(struct migration *migration, struct migrate_link *link, bool selects,
                    int *answered)
{
    bool may_restore = true, ok = true;
    int error = 0;

    if (migration->auth_count > 0) error = read_reply(migration, link, &may_restore);
    if (error == 0 && selects) {
        error = read_reply(migration, link, &ok);
        may_restore = may_restore && ok;
        link->db = error == 0 && ok ? migration->db : -1;
    }
    for (*answered = 0; error == 0 && *answered < migration->found_count; ++*answered) {
        error = read_reply(migration, link, &ok);
        /* Into another database, or as nobody: not where it should be, whatever the target says. */
        if (error == 0) migration->arrived[*answered] = ok && may_restore;
        else break;
    }
    return error;
}

/* One attempt. *again: the connection broke before a key was answered. */
static enum outcome attempt(struct migration *migration, bool *again)
{
    struct call *call = migration->call;
    struct migrate_links *links = &call_server(call)->migrate_links;
    struct migrate_link *link;
    enum outcome outcome = SPOKEN;
    int answered = 0;

    *again = false;
    migration->refused = false;
    switch (migrate_links_get(links, call->argv[1], call->argv[2], migration->timeout_ms,
                              call->now_ms, &link)) {
    case MIGRATE_LINK_NO_HOST: return NO_HOST;
    case MIGRATE_LINK_NOT_CONNECTED: return NOT_WRITTEN;
    case MIGRATE_LINK_OK: break;
    }
    bool selects = link->db != migration->db || migration->db < 0;
    int error = send_all(migration, link, selects);
    if (error != 0) outcome = NOT_WRITTEN;
    else error = read_all(migration, link, selects, &answered);
    if (error == 0) return SPOKEN;
    bool broke = error != -ETIMEDOUT && error != -EPROTO && error != -EMSGSIZE;
    *again = broke && answered == 0;
    migrate_links_drop(links, link);
    return outcome == NOT_WRITTEN ? NOT_WRITTEN : NOT_READ;
}

/* ---- the command ---------------------------------------------------------------------------- */

/* Deletes here what has arrived there, and states it. */
static void delete_arrived(struct migration *migration)
{
    struct call *call = migration->call;
    struct span *gone = mem_alloc((size_t)(migration->found_count + 1) * sizeof *gone);
    int count = 0;

    gone[count++] = SPAN("DEL");
    for (int i = 0; i < migration->found_count; i++) {
        int index = migration->found[i];
        if (migration->arrived[i] &&
            call_remove(call, index, REMOVE_NOW, EVENT(EVENT_GENERIC, "del")))
            gone[count++] = call->argv[index];
    }
    if (count > 1) call_effect(call, count, gone);
    mem_free(gone);
}

static void answer(struct migration *migration, enum outcome outcome)
{
    struct reply *reply = migration->call->reply;

    switch (outcome) {
    case NO_HOST: reply_error(reply, "IOERR error or timeout connecting to the client"); return;
    case NOT_WRITTEN:
        reply_error(reply, "IOERR error or timeout writing to target instance");
        return;
    case NOT_READ: reply_error(reply, "IOERR error or timeout reading to target instance"); return;
    case SPOKEN: break;
    }
    if (!migration->refused) reply_ok(reply);
    else reply_errorf(reply, "ERR Target instance replied with error: %s", migration->target_error);
}

/* MIGRATE host port key | "" destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2
 * username password] [KEYS key [key ...]] */
enum err cmd_migrate(struct call *call)
{
    struct migration migration;
    enum outcome outcome;
    bool again;

    TRY(parse(call, &migration));
    collect(&migration);
    if (migration.found_count == 0) {
        reply_status(call->reply, "NOKEY");
    } else {
        outcome = attempt(&migration, &again);
        if (again) outcome = attempt(&migration, &again);
        if (!migration.copy) delete_arrived(&migration);
        answer(&migration, outcome);
    }
    release(&migration);
    return OK;
}
