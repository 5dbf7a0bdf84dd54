#include "server/slowlog.h"

#include "base/mem.h"
#include "handlers.h"
#include "server/config.h"
#include "server/dispatch.h"

enum { ARGS_KEPT = 32, ARG_BYTES_KEPT = 128 };

struct slow_entry {
    struct slow_entry *next; /* older */
    int64_t id, unix_s, took_us;
    char peer_name[SOCKET_NAME_CHARS];
    char *client_name;
    int argc;
    struct buf argv[ARGS_KEPT];
};

struct slowlog {
    struct slow_entry *newest;
    int64_t count, next_id;
};

struct slowlog *slowlog_new(void)
{
    return mem_zalloc(sizeof(struct slowlog));
}

static void free_entry(struct slow_entry *entry)
{
    for (int i = 0; i < entry->argc; i++) buf_release(&entry->argv[i]);
    mem_free(entry->client_name);
    mem_free(entry);
}

/* Drops what is older than the newest `kept` entries. */
static void keep(struct slowlog *slowlog, int64_t kept)
{
    struct slow_entry **at = &slowlog->newest;

    for (int64_t i = 0; i < kept && *at != NULL; i++) at = &(*at)->next;
    while (*at != NULL) {
        struct slow_entry *old = *at;
        *at = old->next;
        free_entry(old);
        slowlog->count--;
    }
}

static void keep_arguments(struct slow_entry *entry, const struct parsed *request)
{
    entry->argc = request->argc < ARGS_KEPT ? request->argc : ARGS_KEPT;
    for (int i = 0; i < entry->argc; i++) {
        struct buf *to = &entry->argv[i];
        struct span arg = dispatch_is_secret(request, i) ? SPAN("(redacted)") : request->argv[i];
        if (i == ARGS_KEPT - 1 && request->argc > ARGS_KEPT) {
            buf_printf(to, "... (%d more arguments)", request->argc - ARGS_KEPT + 1);
        } else if (arg.len > ARG_BYTES_KEPT) {
            buf_append(to, arg.ptr, ARG_BYTES_KEPT);
            buf_printf(to, "... (%zu more bytes)", arg.len - ARG_BYTES_KEPT);
        } else {
            buf_append_span(to, arg);
        }
    }
}

void slowlog_maybe_add(struct server *server, const struct session *session,
                       const struct parsed *request, int64_t took_us)
{
    struct slowlog *slowlog = server->slowlog;
    const struct config *config = server->config;

    if (config->slowlog_log_slower_than < 0 || took_us < config->slowlog_log_slower_than ||
        config->slowlog_max_len == 0)
        return;
    struct slow_entry *entry = mem_zalloc(sizeof *entry);
    entry->id = slowlog->next_id++;
    entry->unix_s = server->now_ms / 1000;
    entry->took_us = took_us;
    memcpy(entry->peer_name, session->peer_name, sizeof entry->peer_name);
    if (session->name != NULL) {
        entry->client_name = mem_alloc(strlen(session->name) + 1);
        memcpy(entry->client_name, session->name, strlen(session->name) + 1);
    }
    keep_arguments(entry, request);
    entry->next = slowlog->newest;
    slowlog->newest = entry;
    slowlog->count++;
    if (slowlog->count > config->slowlog_max_len) keep(slowlog, config->slowlog_max_len);
}

enum err cmd_slowlog_get(struct call *call)
{
    const struct slowlog *slowlog = call_server(call)->slowlog;
    int64_t wanted = 10;

    if (call->argc > 3) return call_bad_subcommand(call);
    if (call->argc == 3) {
        if (!num_parse_int64(call->argv[2], &wanted) || wanted < -1)
            return call_fail(call, "ERR count should be greater than or equal to -1");
        if (wanted == -1) wanted = slowlog->count;
    }
    if (wanted > slowlog->count) wanted = slowlog->count;
    reply_array(call->reply, wanted);
    const struct slow_entry *entry = slowlog->newest;
    for (int64_t i = 0; i < wanted; i++, entry = entry->next) {
        reply_array(call->reply, 6);
        reply_int64(call->reply, entry->id);
        reply_int64(call->reply, entry->unix_s);
        reply_int64(call->reply, entry->took_us);
        reply_array(call->reply, entry->argc);
        for (int a = 0; a < entry->argc; a++) reply_bulk(call->reply, buf_span(&entry->argv[a]));
        reply_bulk_cstr(call->reply, entry->peer_name);
        reply_bulk_cstr(call->reply, entry->client_name != NULL ? entry->client_name : "");
    }
    return OK;
}

enum err cmd_slowlog_len(struct call *call)
{
    reply_int64(call->reply, call_server(call)->slowlog->count);
    return OK;
}

enum err cmd_slowlog_reset(struct call *call)
{
    keep(call_server(call)->slowlog, 0);
    reply_ok(call->reply);
    return OK;
}

enum err cmd_slowlog_help(struct call *call)
{
    static const char *const lines[] = {
        "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET [<count>]",
        "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
        "    Entries are made of:",
        "    id, timestamp, time in microseconds, arguments array, client IP and port,",
        "    client name",
        "LEN",
        "    Return the length of the slowlog.",
        "RESET",
        "    Reset the slowlog.",
        "HELP",
        "    Prints this help.",
        NULL,
    };

    reply_help(call->reply, lines);
    return OK;
}
