#include "server/monitor.h"

#include "base/ascii.h"
#include "handlers.h"
#include "io/clock.h"
#include "server/dispatch.h"

static void append_quoted(struct buf *out, struct span bytes)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        switch (c) {
        case '\\':
        case '"': buf_printf(out, "\\%c", c); break;
        case '\n': buf_append(out, "\\n", 2); break;
        case '\r': buf_append(out, "\\r", 2); break;
        case '\t': buf_append(out, "\\t", 2); break;
        case '\a': buf_append(out, "\\a", 2); break;
        case '\b': buf_append(out, "\\b", 2); break;
        default:
            if (ascii_is_print((char)c)) buf_append_char(out, (char)c);
            else buf_printf(out, "\\x%02x", c);
        }
    }
    buf_append_char(out, '"');
}

void monitor_feed(struct session *session, const struct parsed *request)
{
    struct server *server = session->server;
    struct buf line = {0};
    int64_t us = clock_wall_us();
    bool is_unix = session->flags & SESSION_UNIX;

    buf_printf(&line, "%lld.%06lld [%d ", (long long)(us / 1000000), (long long)(us % 1000000),
               session->db);
    if (is_unix)
        buf_printf(&line, "unix:%.*s]", (int)(strlen(session->peer_name) - 2), session->peer_name);
    else buf_printf(&line, "%s]", session->peer_name);
    for (int i = 0; i < request->argc; i++) {
        buf_append_char(&line, ' ');
        append_quoted(&line,
                      dispatch_is_secret(request, i) ? SPAN("(redacted)") : request->argv[i]);
    }
    buf_append_char(&line, '\0');
    for (struct session *to = server->sessions; to != NULL; to = to->next) {
        if (!(to->flags & SESSION_MONITOR)) continue;
        bool muted = to->reply.muted;
        to->reply.muted = false;
        reply_status(&to->reply, line.ptr);
        to->reply.muted = muted;
        session_has_output(to);
    }
    buf_release(&line);
}

enum err cmd_monitor(struct call *call)
{
    struct session *session = call->session;

    if (session->flags & SESSION_REPLICA) return OK;
    if (!(session->flags & SESSION_MONITOR)) {
        session->flags |= SESSION_MONITOR;
        call_server(call)->monitors++;
    }
    reply_ok(call->reply);
    return OK;
}
