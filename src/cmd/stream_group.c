/* XGROUP: consumer groups, made and unmade. */
#include "cmd/stream.h"
#include "handlers.h"

/* ---- finding ------------------------------------------------------------------------------------ */

static enum err find_stream(struct call *call, const struct entry **out)
{
    TRY(call_find_write(call, 2, TYPE_STREAM, out));
    if (*out != NULL) return OK;
    return call_fail(call,
                     "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE "
                     "you may want to use the MKSTREAM option to create an empty stream "
                     "automatically.");
}

/* The stream at argv[2], which has the group argv[3]. */
static enum err find_group(struct call *call, const struct entry **out)
{
    TRY(find_stream(call, out));
    if (stream_group(stream_of(*out), call->argv[3]) != NULL) return OK;
    return call_fail(call, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                     SPAN_SHOWN(call->argv[3]), SPAN_SHOWN(call->argv[2]));
}

/* The group argv[3] of a stream that is being edited. */
static struct stream_group *edit_group(struct call *call, struct store_edit *edit)
{
    stream_edit_beside(call, 2, edit);
    return stream_group(stream_edit(edit->entry), call->argv[3]);
}

/* ---- CREATE, SETID ------------------------------------------------------------------------------ */

struct group_options {
    bool make; /* MKSTREAM */
    int64_t entries_read;
};

static enum err parse_options(struct call *call, bool is_create, struct group_options *out)
{
    struct group_options options = {false, STREAM_ENTRIES_UNKNOWN};

    if (call->argc > (is_create ? 8 : 7)) return call_bad_subcommand(call);
    for (int i = 5; i < call->argc; i++) {
        if (is_create && call_arg_is(call, i, "MKSTREAM")) {
            options.make = true;
        } else if (i + 1 < call->argc && call_arg_is(call, i, "ENTRIESREAD")) {
            TRY(call_arg_int64(call, ++i, &options.entries_read));
            if (options.entries_read < 0 && options.entries_read != STREAM_ENTRIES_UNKNOWN)
                return call_fail(call, "ERR value for ENTRIESREAD must be positive or -1");
        } else {
            return call_bad_subcommand(call);
        }
    }
    *out = options;
    return OK;
}

/* argv[4]: an id, or "$" for the stream's last one. SETID takes "-" and "+" too. */
static enum err take_id(struct call *call, const struct entry *e, bool takes_ends,
                        struct stream_id *out)
{
    struct span text = call->argv[4];

    if (span_equal(text, SPAN("$"))) *out = e != NULL ? stream_of(e)->last_id : STREAM_ID_MIN;
    else if (takes_ends && span_equal(text, SPAN("-"))) *out = STREAM_ID_MIN;
    else if (takes_ends && span_equal(text, SPAN("+"))) *out = STREAM_ID_MAX;
    else return stream_arg_id(call, 4, 0, out);
    return OK;
}

/* XGROUP CREATE key group id | $ [MKSTREAM] [ENTRIESREAD n] */
enum err cmd_xgroup_create(struct call *call)
{
    struct group_options options;
    struct stream_id id;
    struct store_edit edit;
    const struct entry *e;

    TRY(parse_options(call, true, &options));
    if (options.make) TRY(call_find_write(call, 2, TYPE_STREAM, &e));
    else TRY(find_stream(call, &e));
    TRY(take_id(call, e, false, &id));
    if (e != NULL && stream_group(stream_of(e), call->argv[3]) != NULL)
        return call_fail(call, "BUSYGROUP Consumer Group name already exists");
    stream_edit_beside(call, 2, &edit);
    stream_group_new(stream_edit(edit.entry), call->argv[3], id, options.entries_read);
    store_edit_close(&edit, 1, EVENT(EVENT_STREAM, "xgroup-create"));
    reply_ok(call->reply);
    return OK;
}

/* XGROUP SETID key group id | $ [ENTRIESREAD n] */
enum err cmd_xgroup_setid(struct call *call)
{
    struct group_options options;
    struct stream_id id;
    struct store_edit edit;
    const struct entry *e;

    TRY(parse_options(call, false, &options));
    TRY(find_group(call, &e));
    TRY(take_id(call, e, true, &id));
    struct stream_group *group = edit_group(call, &edit);
    group->last_id = id;
    group->entries_read = options.entries_read;
    store_edit_close(&edit, 1, EVENT(EVENT_STREAM, "xgroup-setid"));
    reply_ok(call->reply);
    return OK;
}

/* ---- the others --------------------------------------------------------------------------------- */

/* XGROUP DESTROY key group */
enum err cmd_xgroup_destroy(struct call *call)
{
    struct store_edit edit;
    const struct entry *e;

    TRY(find_stream(call, &e));
    if (stream_group(stream_of(e), call->argv[3]) == NULL) {
        reply_int64(call->reply, 0);
        return OK;
    }
    struct stream_group *group = edit_group(call, &edit);
    stream_group_remove(stream_edit(edit.entry), group);
    edit.ready = true; /* who waits for the group waits no more */
    store_edit_close(&edit, 1, EVENT(EVENT_STREAM, "xgroup-destroy"));
    reply_int64(call->reply, 1);
    return OK;
}

/* XGROUP CREATECONSUMER key group consumer */
enum err cmd_xgroup_createconsumer(struct call *call)
{
    struct store_edit edit;
    const struct entry *e;

    TRY(find_group(call, &e));
    if (stream_consumer(stream_group(stream_of(e), call->argv[3]), call->argv[4]) != NULL) {
        reply_int64(call->reply, 0);
        return OK;
    }
    struct stream_group *group = edit_group(call, &edit);
    stream_consumer_new(stream_edit(edit.entry), group, call->argv[4], call->now_ms);
    store_edit_close(&edit, 1, EVENT(EVENT_STREAM, "xgroup-createconsumer"));
    reply_int64(call->reply, 1);
    return OK;
}

/* XGROUP DELCONSUMER key group consumer: replies how many entries were pending at it. */
enum err cmd_xgroup_delconsumer(struct call *call)
{
    struct store_edit edit;
    const struct entry *e;

    TRY(find_group(call, &e));
    if (stream_consumer(stream_group(stream_of(e), call->argv[3]), call->argv[4]) == NULL) {
        reply_int64(call->reply, 0);
        return OK;
    }
    struct stream_group *group = edit_group(call, &edit);
    struct stream_consumer *consumer = stream_consumer(group, call->argv[4]);
    size_t pending = consumer->pending.count;
    stream_consumer_remove(stream_edit(edit.entry), group, consumer);
    store_edit_close(&edit, 1, EVENT(EVENT_STREAM, "xgroup-delconsumer"));
    reply_int64(call->reply, (int64_t)pending);
    return OK;
}

/* XGROUP HELP */
enum err cmd_xgroup_help(struct call *call)
{
    static const char *const lines[] = {
        "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CREATE <key> <groupname> <id|$> [option]",
        "    Makes a group that begins behind an ID; $ is the last one. Options:",
        "    * MKSTREAM",
        "      Makes an empty stream where the key is not there.",
        "    * ENTRIESREAD entries_read",
        "      How many entries the group has read (for the server's own use).",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Makes a consumer.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Removes a consumer and what is pending at it.",
        "DESTROY <key> <groupname>",
        "    Removes a group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Sets the ID behind which the group goes on, and how many entries it has read.",
        "HELP",
        "    Shows this.",
        NULL};

    reply_help(call->reply, lines);
    return OK;
}
