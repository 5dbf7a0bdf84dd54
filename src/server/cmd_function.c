/* FUNCTION: libraries are kept, shown and relayed; functions.h says what cannot be known of them. */
#include "handlers.h"

#include "base/glob.h"
#include "server/functions.h"
#include "server/server.h"

static struct functions *functions_of(const struct call *call)
{
    return &call_server(call)->functions;
}

enum err cmd_function_load(struct call *call)
{
    bool replace = false;
    struct span name;

    for (int i = 2; i < call->argc - 1; i++) {
        if (!call_arg_is(call, i, "REPLACE"))
            return call_fail(call, "ERR Unknown option given: %.*s",
                             (int)(call->argv[i].len < 128 ? call->argv[i].len : 128),
                             call->argv[i].ptr);
        replace = true;
    }
    TRY(functions_load(functions_of(call), call, call->argv[call->argc - 1], replace, &name));
    store_add_dirty(call->store, 1);
    reply_bulk(call->reply, name);
    return OK;
}

enum err cmd_function_delete(struct call *call)
{
    struct library *library = functions_find(functions_of(call), call->argv[2]);

    if (library == NULL) return call_fail(call, "ERR Library not found");
    functions_delete(functions_of(call), library);
    store_add_dirty(call->store, 1);
    reply_ok(call->reply);
    return OK;
}

enum err cmd_function_flush(struct call *call)
{
    if (call->argc > 3) return call_bad_subcommand(call);
    if (call->argc == 3 && !call_arg_is(call, 2, "SYNC") && !call_arg_is(call, 2, "ASYNC"))
        return call_fail(call, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    functions_release(functions_of(call));
    store_add_dirty(call->store, 1); /* relayed also when there was nothing to delete */
    reply_ok(call->reply);
    return OK;
}

enum err cmd_function_dump(struct call *call)
{
    struct buf out = {0};

    functions_dump(functions_of(call), call->limits->compress, &out);
    reply_bulk(call->reply, buf_span(&out));
    buf_release(&out);
    return OK;
}

enum err cmd_function_restore(struct call *call)
{
    enum function_policy policy = FUNCTION_APPEND;

    if (call->argc > 4) return call_bad_subcommand(call);
    if (call->argc == 4) {
        if (call_arg_is(call, 3, "APPEND")) policy = FUNCTION_APPEND;
        else if (call_arg_is(call, 3, "REPLACE")) policy = FUNCTION_REPLACE;
        else if (call_arg_is(call, 3, "FLUSH")) policy = FUNCTION_FLUSH;
        else
            return call_fail(call, "ERR Wrong restore policy given, value should be either FLUSH, "
                                   "APPEND or REPLACE.");
    }
    TRY(functions_restore(functions_of(call), call, call->argv[2], policy));
    store_add_dirty(call->store, 1);
    reply_ok(call->reply);
    return OK;
}

static void reply_library(struct reply *reply, const struct library *library, bool with_code)
{
    reply_map(reply, with_code ? 4 : 3);
    reply_bulk_cstr(reply, "library_name");
    reply_bulk_cstr(reply, library->name != NULL ? library->name : "");
    reply_bulk_cstr(reply, "engine");
    reply_bulk_cstr(reply, "LUA");
    reply_bulk_cstr(reply, "functions");
    reply_array(reply, 0); /* only running the source would tell */
    if (!with_code) return;
    reply_bulk_cstr(reply, "library_code");
    reply_bulk(reply, buf_span(&library->code));
}

enum err cmd_function_list(struct call *call)
{
    const struct functions *functions = functions_of(call);
    struct span pattern = {0};
    bool with_code = false;
    int count = 0;

    for (int i = 2; i < call->argc; i++) {
        if (!with_code && call_arg_is(call, i, "WITHCODE")) {
            with_code = true;
        } else if (pattern.ptr == NULL && call_arg_is(call, i, "LIBRARYNAME")) {
            if (++i == call->argc)
                return call_fail(call, "ERR library name argument was not given");
            pattern = call->argv[i];
        } else {
            return call_fail(call, "ERR Unknown argument %.*s",
                             (int)(call->argv[i].len < 128 ? call->argv[i].len : 128),
                             call->argv[i].ptr);
        }
    }
    size_t header = reply_defer(call->reply);
    for (size_t i = 0; i < functions->count; i++) {
        const struct library *library = &functions->libraries[i];
        const char *name = library->name != NULL ? library->name : "";
        if (pattern.ptr != NULL && !glob_match(pattern, span_of(name, strlen(name)), true))
            continue;
        reply_library(call->reply, library, with_code);
        count++;
    }
    reply_settle(call->reply, header, REPLY_ARRAY, count);
    return OK;
}

enum err cmd_function_stats(struct call *call)
{
    struct reply *reply = call->reply;

    reply_map(reply, 2);
    reply_bulk_cstr(reply, "running_script");
    reply_null(reply);
    reply_bulk_cstr(reply, "engines");
    reply_map(reply, 1);
    reply_bulk_cstr(reply, "LUA");
    reply_map(reply, 2);
    reply_bulk_cstr(reply, "libraries_count");
    reply_int64(reply, (int64_t)functions_of(call)->count);
    reply_bulk_cstr(reply, "functions_count");
    reply_int64(reply, 0);
    return OK;
}

enum err cmd_function_kill(struct call *call)
{
    return call_fail(call, "NOTBUSY No scripts in execution right now.");
}

enum err cmd_function_help(struct call *call)
{
    static const char *const lines[] = {
        "FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "LOAD [REPLACE] <FUNCTION CODE>",
        "    Create a new library with the given library name and code.",
        "DELETE <LIBRARY NAME>",
        "    Delete the given library.",
        "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
        "    Return general information on all the libraries:",
        "    * Library name",
        "    * The engine used to run the Library",
        "    * Library description",
        "    * Functions list",
        "    * Library code (if WITHCODE is given)",
        "    It also possible to get only function that matches a pattern using LIBRARYNAME "
        "argument.",
        "STATS",
        "    Return information about the current function running:",
        "    * Function name",
        "    * Command used to run the function",
        "    * Duration in MS that the function is running",
        "    If no function is running, return nil",
        "    In addition, returns a list of available engines.",
        "KILL",
        "    Kill the current running function.",
        "FLUSH [ASYNC|SYNC]",
        "    Delete all the libraries.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the libraries.",
        "    * SYNC: Synchronously flush the libraries.",
        "DUMP",
        "    Return a serialized payload representing the current libraries, can be restored using "
        "FUNCTION RESTORE command",
        "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
        "    Restore the libraries represented by the given payload, it is possible to give a "
        "restore policy to",
        "    control how to handle existing libraries (default APPEND):",
        "    * FLUSH: delete all existing libraries.",
        "    * APPEND: appends the restored libraries to the existing libraries. On collision, "
        "abort.",
        "    * REPLACE: appends the restored libraries to the existing libraries, On collision, "
        "replace the old",
        "      libraries with the new libraries (notice that even on this option there is a chance "
        "of failure",
        "      in case of functions name collision with another library).",
        "HELP",
        "    Prints this help.",
        NULL,
    };

    reply_help(call->reply, lines);
    return OK;
}
