#include "cmd/call.h"

#include "base/ascii.h"
#include "cmd/unit.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void call_set_error(struct call *call, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(call->error, sizeof call->error, format, arguments);
    va_end(arguments);
}

enum err call_bad_subcommand(struct call *call)
{
    const struct command *container = call->command->container;
    const char *name = container != NULL ? container->name : call->command->name;
    char upper[64];
    size_t len = 0;

    for (; name[len] != '\0' && len < sizeof upper - 1; len++)
        upper[len] = (char)ascii_upper(name[len]);
    upper[len] = '\0';
    return call_fail(
        call, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %s HELP.",
        (int)(call->argv[1].len < 128 ? call->argv[1].len : 128), call->argv[1].ptr, upper);
}

enum err call_arg_int64(struct call *call, int index, int64_t *out)
{
    return num_parse_int64(call->argv[index], out) ? OK : ERR_NOT_INTEGER;
}

enum err call_arg_double(struct call *call, int index, double *out)
{
    return num_parse_double(call->argv[index], out) ? OK : ERR_NOT_FLOAT;
}

enum err call_arg_db(struct call *call, int index, int *out)
{
    int64_t db;

    TRY(call_arg_int64(call, index, &db));
    if (db < INT32_MIN || db > INT32_MAX) return ERR_NOT_INT32;
    if (db < 0 || db >= call->limits->databases) return ERR_DB_RANGE;
    *out = (int)db;
    return OK;
}

enum err call_arg_timeout(struct call *call, int index, int64_t *out_ms)
{
    double seconds;

    if (!num_parse_double(call->argv[index], &seconds))
        return call_fail(call, "ERR timeout is not a float or out of range");
    double ms = ceil(seconds * 1000); /* never early */
    /* What no int64 holds counts as negative (tried: infinity, 1e20). */
    if (ms < 0 || ms >= (double)INT64_MAX) return call_fail(call, "ERR timeout is negative");
    *out_ms = (int64_t)ms;
    return OK;
}

enum err call_arg_timeout_ms(struct call *call, int index, int64_t *out_ms)
{
    int64_t ms;

    if (!num_parse_int64(call->argv[index], &ms))
        return call_fail(call, "ERR timeout is not an integer or out of range");
    if (ms < 0) return call_fail(call, "ERR timeout is negative");
    *out_ms = ms;
    return OK;
}

struct key call_key(struct call *call, int index)
{
    if (call->argv[index].ptr == call->first.name.ptr) return call->first;
    return store_key(call->store, call->argv[index]);
}

static enum err find(struct call *call, int index, enum value_type type, unsigned flags,
                     const struct entry **out)
{
    struct key key = call_key(call, index);
    const struct entry *entry = store_find(call->store, call->db, &key, flags);

    if (entry != NULL && type != TYPE_ANY && entry_type(entry) != type) return ERR_WRONG_TYPE;
    *out = entry;
    return OK;
}

enum err call_find(struct call *call, int index, enum value_type type, const struct entry **out)
{
    return find(call, index, type, 0, out);
}

enum err call_find_write(struct call *call, int index, enum value_type type,
                         const struct entry **out)
{
    return find(call, index, type, FIND_WRITE, out);
}

void call_put_string(struct call *call, int index, struct span value, int64_t ttl,
                     struct event event)
{
    struct key key = call_key(call, index);
    store_put_string(call->store, call->db, &key, value, ttl, event);
}

void call_put_int64(struct call *call, int index, int64_t value, int64_t ttl, struct event event)
{
    struct key key = call_key(call, index);
    store_put_int64(call->store, call->db, &key, value, ttl, event);
}

void call_edit_string(struct call *call, int index, size_t len, string_edit *edit, void *context,
                      struct event event)
{
    struct key key = call_key(call, index);
    store_edit_string(call->store, call->db, &key, len, edit, context, event);
}

enum err call_edit_find(struct call *call, int index, enum value_type type, struct store_edit *edit)
{
    struct key key = call_key(call, index);
    return store_edit_find(call->store, call->db, &key, type, edit);
}

enum err call_edit_make(struct call *call, int index, enum value_type type, struct store_edit *edit)
{
    struct key key = call_key(call, index);
    return store_edit_make(call->store, call->db, &key, type, edit);
}

void call_edit_open(struct call *call, int index, enum value_type type, struct store_edit *edit)
{
    struct key key = call_key(call, index);
    store_edit_open(call->store, call->db, &key, type, edit);
}

bool call_remove(struct call *call, int index, enum removal how, struct event event)
{
    struct key key = call_key(call, index);
    return store_remove(call->store, call->db, &key, how, event);
}

void call_event(struct call *call, int index, struct event event)
{
    store_tell_event(call->store, call->db, event, call->argv[index]);
}

void call_effect(struct call *call, int argc, const struct span *argv)
{
    unit_add(call->unit, call->db, argc, argv);
}

void call_effect_verbatim(struct call *call)
{
    if (call->encoded.len > 0) unit_add_encoded(call->unit, call->db, call->encoded);
    else unit_add(call->unit, call->db, call->argc, call->argv);
}
void call_effect_db(struct call *call, int db, int argc, const struct span *argv)
{
    unit_add(call->unit, db, argc, argv);
}
