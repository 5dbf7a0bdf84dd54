/* XINFO: what a stream, its groups and their consumers are made of. */
#include "cmd/stream.h"
#include "handlers.h"

static enum err find_stream(struct call *call, const struct entry **out)
{
    TRY(call_find(call, 2, TYPE_STREAM, out));
    return *out != NULL ? OK : ERR_NO_SUCH_KEY;
}

/* ---- fields ------------------------------------------------------------------------------------- */

static void reply_number(struct reply *reply, const char *name, int64_t value)
{
    reply_bulk_cstr(reply, name);
    reply_int64(reply, value);
}

static void reply_id_field(struct reply *reply, const char *name, struct stream_id id)
{
    reply_bulk_cstr(reply, name);
    stream_reply_id(reply, id);
}

static void reply_name(struct reply *reply, struct span name)
{
    reply_bulk_cstr(reply, "name");
    reply_bulk(reply, name);
}

/* How far a group has read, and how far it is behind. */
static void reply_counts(struct reply *reply, const struct stream *stream,
                         const struct stream_group *group)
{
    int64_t lag;

    reply_bulk_cstr(reply, "entries-read");
    if (group->entries_read == STREAM_ENTRIES_UNKNOWN) reply_null(reply);
    else reply_int64(reply, group->entries_read);
    reply_bulk_cstr(reply, "lag");
    if (stream_group_lag(stream, group, &lag)) reply_int64(reply, lag);
    else reply_null(reply);
}

/* ---- "radix-tree-nodes" -------------------------------------------------------------------------
 * Redis keeps the nodes of a stream in a radix tree and shows how many nodes that has. Ours is
 * another structure, but the figure follows from the ids alone: a branch wherever ids that agree so
 * far part, a leaf for each id, and between them one node for a run of bytes that leads nowhere else. */

enum { ID_BYTES = 16 };

/* How many leading bytes two ids have in common. */
static int common_bytes(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms) return __builtin_clzll(a.ms ^ b.ms) / 8;
    return 8 + __builtin_clzll(a.seq ^ b.seq) / 8;
}

/* Branches on the way to the present id, by the number of bytes above each. */
struct branches {
    int depths[ID_BYTES];
    int count;
};

/* Ends the branches deeper than `depth`; returns how many nodes they took. */
static int64_t close_branches(struct branches *branches, int depth)
{
    int64_t nodes = 0;

    while (branches->count > 0 && branches->depths[branches->count - 1] > depth) {
        const int mine = branches->depths[--branches->count];
        int above = branches->count > 0 ? branches->depths[branches->count - 1] : -1;
        if (above < depth) above = depth;
        nodes += mine > above + 1 ? 2 : 1;
    }
    return nodes;
}

static int64_t radix_nodes(const struct id_map *map)
{
    struct branches branches = {.count = 0};
    struct id_cursor at = id_map_first(map);
    int64_t nodes = 0;
    int before = -1; /* bytes in common with the id to the left */

    if (at.item == NULL) return 1;
    while (at.item != NULL) {
        struct stream_id id = at.item->id;
        id_cursor_next(&at);
        const int after = at.item != NULL ? common_bytes(id, at.item->id) : -1;
        const int branch = before > after ? before : after;
        nodes += branch + 1 < ID_BYTES ? 2 : 1; /* the leaf, and what leads to it */
        nodes += close_branches(&branches, after);
        if (after >= 0 && (branches.count == 0 || branches.depths[branches.count - 1] < after))
            branches.depths[branches.count++] = after;
        before = after;
    }
    return nodes;
}

/* ---- XINFO STREAM ------------------------------------------------------------------------------- */

static void reply_figures(struct reply *reply, const struct stream *stream)
{
    reply_number(reply, "length", (int64_t)stream->length);
    reply_number(reply, "radix-tree-keys", (int64_t)stream->nodes.count);
    reply_number(reply, "radix-tree-nodes", radix_nodes(&stream->nodes));
    reply_id_field(reply, "last-generated-id", stream->last_id);
    reply_id_field(reply, "max-deleted-entry-id", stream->max_deleted_id);
    reply_number(reply, "entries-added", (int64_t)stream->entries_added);
    reply_id_field(reply, "recorded-first-entry-id", stream->first_id);
}

static void reply_edge(struct reply *reply, const char *name, const struct stream *stream,
                       bool last)
{
    struct stream_range range = stream_range_of(stream, STREAM_ID_MIN, STREAM_ID_MAX, last);
    const struct stream_entry *entry = stream_range_next(&range);

    reply_bulk_cstr(reply, name);
    if (entry != NULL) stream_reply_entry(reply, entry);
    else reply_null(reply);
}

static int64_t at_most(size_t count, int64_t most)
{
    return most > 0 && (size_t)most < count ? most : (int64_t)count;
}

static void reply_group_pending(struct reply *reply, const struct id_map *pending, int64_t most)
{
    struct id_cursor at = id_map_first(pending);
    int64_t count = at_most(pending->count, most);

    reply_number(reply, "pel-count", (int64_t)pending->count);
    reply_bulk_cstr(reply, "pending");
    reply_array(reply, count);
    for (; count > 0; count--, id_cursor_next(&at)) {
        const struct stream_nack *nack = at.item->value;
        reply_array(reply, 4);
        stream_reply_id(reply, at.item->id);
        reply_bulk(reply, nack->consumer->name);
        reply_int64(reply, nack->delivered_ms);
        reply_int64(reply, (int64_t)nack->delivery_count);
    }
}

static void reply_consumer_in_full(struct reply *reply, const struct stream_consumer *consumer,
                                   int64_t most)
{
    struct id_cursor at = id_map_first(&consumer->pending);
    int64_t count = at_most(consumer->pending.count, most);

    reply_map(reply, 4);
    reply_name(reply, consumer->name);
    reply_number(reply, "seen-time", consumer->seen_ms);
    reply_number(reply, "pel-count", (int64_t)consumer->pending.count);
    reply_bulk_cstr(reply, "pending");
    reply_array(reply, count);
    for (; count > 0; count--, id_cursor_next(&at)) {
        const struct stream_nack *nack = at.item->value;
        reply_array(reply, 3);
        stream_reply_id(reply, at.item->id);
        reply_int64(reply, nack->delivered_ms);
        reply_int64(reply, (int64_t)nack->delivery_count);
    }
}

static void reply_group_in_full(struct reply *reply, const struct stream *stream,
                                const struct stream_group *group, int64_t most)
{
    reply_map(reply, 7);
    reply_name(reply, group->name);
    reply_id_field(reply, "last-delivered-id", group->last_id);
    reply_counts(reply, stream, group);
    reply_group_pending(reply, &group->pending, most);
    reply_bulk_cstr(reply, "consumers");
    reply_array(reply, (int64_t)group->consumers.count);
    for (size_t i = 0; i < group->consumers.count; i++)
        reply_consumer_in_full(reply, group->consumers.items[i], most);
}

static void reply_in_full(struct reply *reply, const struct stream *stream, int64_t most)
{
    reply_map(reply, 9);
    reply_figures(reply, stream);
    reply_bulk_cstr(reply, "entries");
    stream_reply_range(reply, stream, STREAM_ID_MIN, STREAM_ID_MAX, false, (uint64_t)most);
    reply_bulk_cstr(reply, "groups");
    reply_array(reply, (int64_t)stream->groups.count);
    for (size_t i = 0; i < stream->groups.count; i++)
        reply_group_in_full(reply, stream, stream->groups.items[i], most);
}

/* XINFO STREAM key [FULL [COUNT count]] */
enum err cmd_xinfo_stream(struct call *call)
{
    const bool in_full = call->argc > 3;
    const struct entry *e;
    int64_t most = 10;

    TRY(find_stream(call, &e));
    if (in_full && !(call_arg_is(call, 3, "FULL") && (call->argc == 4 || call->argc == 6)))
        return call_bad_subcommand(call);
    if (call->argc == 6) {
        if (!call_arg_is(call, 4, "COUNT")) return call_bad_subcommand(call);
        TRY(call_arg_int64(call, 5, &most));
        if (most < 0) most = 10;
    }
    const struct stream *stream = stream_of(e);
    if (in_full) {
        reply_in_full(call->reply, stream, most);
        return OK;
    }
    reply_map(call->reply, 10);
    reply_figures(call->reply, stream);
    reply_number(call->reply, "groups", (int64_t)stream->groups.count);
    reply_edge(call->reply, "first-entry", stream, false);
    reply_edge(call->reply, "last-entry", stream, true);
    return OK;
}

/* ---- the others --------------------------------------------------------------------------------- */

/* XINFO GROUPS key */
enum err cmd_xinfo_groups(struct call *call)
{
    struct reply *reply = call->reply;
    const struct entry *e;

    TRY(find_stream(call, &e));
    const struct stream *stream = stream_of(e);
    reply_array(reply, (int64_t)stream->groups.count);
    for (size_t i = 0; i < stream->groups.count; i++) {
        const struct stream_group *group = stream->groups.items[i];
        reply_map(reply, 6);
        reply_name(reply, group->name);
        reply_number(reply, "consumers", (int64_t)group->consumers.count);
        reply_number(reply, "pending", (int64_t)group->pending.count);
        reply_id_field(reply, "last-delivered-id", group->last_id);
        reply_counts(reply, stream, group);
    }
    return OK;
}

/* XINFO CONSUMERS key group */
enum err cmd_xinfo_consumers(struct call *call)
{
    struct reply *reply = call->reply;
    const struct entry *e;

    TRY(find_stream(call, &e));
    const struct stream_group *group = stream_group(stream_of(e), call->argv[3]);
    if (group == NULL)
        return call_fail(call, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                         SPAN_SHOWN(call->argv[3]), SPAN_SHOWN(call->argv[2]));
    reply_array(reply, (int64_t)group->consumers.count);
    for (size_t i = 0; i < group->consumers.count; i++) {
        const struct stream_consumer *consumer = group->consumers.items[i];
        int64_t idle_ms = call->now_ms - consumer->seen_ms;
        reply_map(reply, 3);
        reply_name(reply, consumer->name);
        reply_number(reply, "pending", (int64_t)consumer->pending.count);
        reply_number(reply, "idle", idle_ms > 0 ? idle_ms : 0);
    }
    return OK;
}

/* XINFO HELP */
enum err cmd_xinfo_help(struct call *call)
{
    static const char *const lines[] = {
        "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CONSUMERS <key> <groupname>",
        "    The consumers of a group.",
        "GROUPS <key>",
        "    The groups of a stream.",
        "STREAM <key> [FULL [COUNT <count>]",
        "    What a stream is made of; in full with entries, groups and consumers.",
        "HELP",
        "    Shows this.",
        NULL};

    reply_help(call->reply, lines);
    return OK;
}
