/* CONFIG. */
#include "server/cmd_config.h"
#include "base/log.h"
#include "cmd/call.h"
#include "handlers.h"
#include "server/config.h"

struct listing {
    struct call *call;
    struct buf value; /* of one directive, reused */
    int64_t count;
};

static void list_one(void *context, struct span name, const struct directive *directive)
{
    struct listing *listing = context;

    buf_clear(&listing->value);
    config_show(call_config(listing->call), directive, &listing->value);
    reply_bulk(listing->call->reply, name);
    reply_bulk(listing->call->reply, buf_span(&listing->value));
    listing->count++;
}

enum err cmd_config_get(struct call *call)
{
    struct listing listing = {.call = call};
    size_t position = reply_defer(call->reply);

    config_match(call->argv + 2, call->argc - 2, list_one, &listing);
    reply_settle(call->reply, position, REPLY_MAP, listing.count);
    buf_release(&listing.value);
    return OK;
}

enum err cmd_config_set(struct call *call)
{
    char error[512];

    if (!config_set(call_config(call), call->argv + 2, call->argc - 2, call_config_caller(call),
                    error))
        return call_fail(call, "%s", error);
    reply_ok(call->reply);
    return OK;
}

enum err cmd_config_rewrite(struct call *call)
{
    char error[512];

    if (!config_rewrite(call_config(call), false, error)) {
        log_warning("CONFIG REWRITE failed: %s", error);
        return call_fail(call, "%s", error);
    }
    log_notice("CONFIG REWRITE executed with success.");
    reply_ok(call->reply);
    return OK;
}

enum err cmd_config_resetstat(struct call *call)
{
    call_reset_statistics(call);
    reply_ok(call->reply);
    return OK;
}

enum err cmd_config_help(struct call *call)
{
    static const char *const lines[] = {
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern>",
        "    Return parameters matching the glob-like <pattern> and their values.",
        "SET <directive> <value>",
        "    Set the configuration <directive> to <value>.",
        "RESETSTAT",
        "    Reset statistics reported by the INFO command.",
        "REWRITE",
        "    Rewrite the configuration file.",
        "HELP",
        "    Prints this help.",
        NULL,
    };
    reply_help(call->reply, lines);
    return OK;
}
