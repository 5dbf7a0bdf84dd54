/* PING, ECHO, SELECT, QUIT, RESET, HELLO, AUTH. */
#include "handlers.h"

#include "base/log.h"
#include "base/mem.h"
#include "server/client_name.h"
#include "server/cmd_config.h"
#include "server/config.h"
#include "server/pubsub.h"
#include "server/server.h"

#include <openssl/crypto.h>

enum err cmd_ping(struct call *call)
{
    struct session *session = call->session;

    if (call->argc > 2) return call_fail(call, "ERR wrong number of arguments for 'ping' command");
    if (session->reply.version == 2 &&
        pubsub_subscribed(session)) { /* a subscriber's PING answers like a push */
        reply_array(call->reply, 2);
        reply_bulk(call->reply, SPAN("pong"));
        reply_bulk(call->reply, call->argc == 2 ? call->argv[1] : SPAN(""));
    } else if (call->argc == 2) {
        reply_bulk(call->reply, call->argv[1]);
    } else {
        reply_status(call->reply, "PONG");
    }
    return OK;
}

enum err cmd_echo(struct call *call)
{
    reply_bulk(call->reply, call->argv[1]);
    return OK;
}

enum err cmd_select(struct call *call)
{
    int db;

    TRY(call_arg_db(call, 1, &db));
    call->session->db = db;
    reply_ok(call->reply);
    return OK;
}

enum err cmd_quit(struct call *call)
{
    reply_ok(call->reply);
    session_close_after_reply(call->session);
    return OK;
}

enum err cmd_reset(struct call *call)
{
    if (call->session->flags & SESSION_REPLICA)
        return call_fail(call, "ERR can only reset normal client connections");
    session_reset(call->session);
    call->reply->muted = false;
    reply_status(call->reply, "RESET");
    return OK;
}

/* ---- authentication --------------------------------------------------------------------------- */

/* Takes the same time whatever the bytes are. */
static bool passwords_equal(struct span given, struct span wanted)
{
    unsigned char a[32], b[32];

    sha256(given.ptr, given.len, a);
    sha256(wanted.ptr, wanted.len, b);
    return CRYPTO_memcmp(a, b, sizeof a) == 0;
}

static enum err authenticate(struct session *session, struct span user, struct span password)
{
    const struct config *config = session->server->config;

    if (!span_equal(user, SPAN("default"))) return ERR_WRONG_PASS;
    if (config->requirepass[0] != '\0' &&
        !passwords_equal(password, span_of_cstr(config->requirepass)))
        return ERR_WRONG_PASS;
    session->flags |= SESSION_AUTHENTICATED;
    return OK;
}

enum err cmd_auth(struct call *call)
{
    if (call->argc > 3) return ERR_SYNTAX;
    if (call->argc == 2 && call_config(call)->requirepass[0] == '\0')
        return call_fail(call, "ERR AUTH <password> called without any password configured for the "
                               "default user. Are you "
                               "sure your configuration is correct?");
    struct span user = call->argc == 3 ? call->argv[1] : SPAN("default");
    TRY(authenticate(call->session, user, call->argv[call->argc - 1]));
    reply_ok(call->reply);
    return OK;
}

struct hello {
    int version;
    bool has_auth;
    struct span user, password;
    const struct span *name;
};

static enum err parse_hello(struct call *call, struct hello *hello)
{
    int64_t version;

    *hello = (struct hello){.version = call->reply->version};
    if (call->argc == 1) return OK;
    if (!num_parse_int64(call->argv[1], &version))
        return call_fail(call, "ERR Protocol version is not an integer or out of range");
    if (version < 2 || version > 3) return call_fail(call, "NOPROTO unsupported protocol version");
    hello->version = (int)version;
    for (int i = 2; i < call->argc; i++) {
        int left = call->argc - 1 - i;
        if (call_arg_is(call, i, "AUTH") && left >= 2) {
            hello->has_auth = true;
            hello->user = call->argv[i + 1];
            hello->password = call->argv[i + 2];
            i += 2;
        } else if (call_arg_is(call, i, "SETNAME") && left >= 1) {
            hello->name = &call->argv[++i];
            if (!client_name_is_valid(*hello->name)) return call_fail(call, CLIENT_NAME_ERROR);
        } else {
            return call_fail(call, "ERR Syntax error in HELLO option '%.*s'",
                             (int)(call->argv[i].len < 128 ? call->argv[i].len : 128),
                             call->argv[i].ptr);
        }
    }
    return OK;
}

enum err cmd_hello(struct call *call)
{
    struct session *session = call->session;
    struct server *server = call_server(call);
    struct hello hello;

    TRY(parse_hello(call, &hello));
    if (hello.has_auth) TRY(authenticate(session, hello.user, hello.password));
    if (!(session->flags & SESSION_AUTHENTICATED))
        return call_fail(call,
                         "NOAUTH HELLO must be called with the client already authenticated, "
                         "otherwise the HELLO AUTH <user> <pass> option can be used to "
                         "authenticate the client and select the RESP protocol version at the "
                         "same time");
    if (hello.name != NULL) client_set_name(session, *hello.name);
    call->reply->version = hello.version;
    reply_map(call->reply, 7);
    reply_bulk_cstr(call->reply, "server");
    reply_bulk_cstr(call->reply, "redis");
    reply_bulk_cstr(call->reply, "version");
    reply_bulk_cstr(call->reply, REDIS_VERSION);
    reply_bulk_cstr(call->reply, "proto");
    reply_int64(call->reply, hello.version);
    reply_bulk_cstr(call->reply, "id");
    reply_int64(call->reply, (int64_t)session->id);
    reply_bulk_cstr(call->reply, "mode");
    reply_bulk_cstr(call->reply, "standalone");
    reply_bulk_cstr(call->reply, "role");
    reply_bulk_cstr(call->reply, server_is_replica(server) ? "replica" : "master");
    reply_bulk_cstr(call->reply, "modules");
    reply_array(call->reply, 0);
    return OK;
}
