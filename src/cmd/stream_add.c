/* XADD, XTRIM, XDEL, XSETID: the entries of a stream. */
#include "base/mem.h"
#include "cmd/stream.h"
#include "handlers.h"

/* ---- options of XADD and XTRIM ------------------------------------------------------------------ */

/* "~" without LIMIT looks at a hundred nodes; where nodes have no bound of entries, at so many of them. */
enum { LIMIT_NODES = 100, LIMIT_ENTRIES = 10000, LIMIT_ENTRIES_MAX = 1000000 };

struct add_options {
    struct stream_trim trim;
    int threshold; /* argument: MAXLEN's or MINID's; the one before it may be "~" */
    bool has_limit;
    bool no_make; /* NOMKSTREAM */
    int id;       /* argument of XADD's id; argc where there is none */
    enum { ID_GIVEN, ID_AUTO, ID_AUTO_SEQ } id_form;
    struct stream_id given;
};

/* MAXLEN or MINID at argv[*i]; then *i is at the threshold. */
static enum err take_threshold(struct call *call, int *i, struct add_options *options)
{
    struct stream_trim *trim = &options->trim;
    const bool by_length = call_arg_is(call, *i, "MAXLEN");
    int64_t length;

    if (trim->how != TRIM_NOTHING)
        return call_fail(call,
                         "ERR syntax error, MAXLEN and MINID options at the same time are not "
                         "compatible");
    if (*i + 2 < call->argc) {
        trim->whole_nodes = span_equal(call->argv[*i + 1], SPAN("~"));
        if (trim->whole_nodes || span_equal(call->argv[*i + 1], SPAN("="))) ++*i;
    }
    options->threshold = ++*i;
    if (by_length) {
        TRY(call_arg_int64(call, *i, &length));
        if (length < 0) return call_fail(call, "ERR The MAXLEN argument must be >= 0.");
        trim->length = (uint64_t)length;
    } else {
        TRY(stream_arg_id(call, *i, 0, &trim->id));
    }
    trim->how = by_length ? TRIM_TO_LENGTH : TRIM_TO_ID;
    return OK;
}

static enum err take_limit(struct call *call, int index, struct add_options *options)
{
    int64_t limit;

    TRY(call_arg_int64(call, index, &limit));
    if (limit < 0) return call_fail(call, "ERR The LIMIT argument must be >= 0.");
    options->trim.limit = (uint64_t)limit;
    options->has_limit = true;
    return OK;
}

/* "*", "ms-*" or an id. */
static enum err take_id(struct call *call, int index, struct add_options *options)
{
    struct span text = call->argv[index];
    size_t len = text.len;

    options->id = index;
    if (span_equal(text, SPAN("*"))) {
        options->id_form = ID_AUTO;
        return OK;
    }
    options->id_form = ID_GIVEN;
    if (len > 2 && text.ptr[len - 2] == '-' && text.ptr[len - 1] == '*') {
        options->id_form = ID_AUTO_SEQ;
        text.len = len - 2;
        if (memchr(text.ptr, '-', text.len) != NULL) return ERR_STREAM_ID;
    }
    return stream_parse_id(text, 0, &options->given) ? OK : ERR_STREAM_ID;
}

static enum err check_limit(struct call *call, struct add_options *options)
{
    const struct value_settings *settings = store_settings(call->store);
    struct stream_trim *trim = &options->trim;

    if (options->has_limit && trim->how == TRIM_NOTHING)
        return call_fail(call,
                         "ERR syntax error, LIMIT cannot be used without specifying a trimming "
                         "strategy");
    /* A primary's log keeps LIMIT when it makes "~" exact. */
    if (options->has_limit && !trim->whole_nodes) {
        if (!(call->flags & (CALL_FROM_PRIMARY | CALL_REPLAY)))
            return call_fail(call, "ERR syntax error, LIMIT cannot be used without the special ~ "
                                   "option");
        trim->limit = 0;
    }
    if (!trim->whole_nodes || options->has_limit) return OK;
    trim->limit = LIMIT_NODES * settings->stream_node_max_entries;
    if (trim->limit == 0) trim->limit = LIMIT_ENTRIES;
    if (trim->limit > LIMIT_ENTRIES_MAX) trim->limit = LIMIT_ENTRIES_MAX;
    return OK;
}

static enum err parse_options(struct call *call, bool is_add, struct add_options *out)
{
    struct add_options options = {.id = call->argc};

    for (int i = 2; i < call->argc && options.id == call->argc; i++) {
        bool more = i + 1 < call->argc;
        if (more && (call_arg_is(call, i, "MAXLEN") || call_arg_is(call, i, "MINID")))
            TRY(take_threshold(call, &i, &options));
        else if (more && call_arg_is(call, i, "LIMIT")) TRY(take_limit(call, ++i, &options));
        else if (!is_add) return ERR_SYNTAX;
        else if (call_arg_is(call, i, "NOMKSTREAM")) options.no_make = true;
        else TRY(take_id(call, i, &options));
    }
    TRY(check_limit(call, &options));
    *out = options;
    return OK;
}

/* The id at which the first node begins, deleted entries too: what "~" left whole. */
static struct stream_id first_stored_id(const struct stream *stream)
{
    struct id_cursor at = id_map_first(&stream->nodes);
    struct stream_entry entry;

    if (at.item == NULL) return STREAM_ID_MAX;
    struct stream_node node = stream_node_view(at.item->id, at.item->value);
    return stream_node_first(&node, &entry) ? entry.id : STREAM_ID_MAX;
}

/* States the call with what "~" and an id of the server's making came to. */
static void state_exactly(struct call *call, const struct add_options *options,
                          const struct stream *stream)
{
    char threshold[STREAM_ID_CHARS], id[STREAM_ID_CHARS];
    struct span some[16], *argv = some;
    size_t len;

    if (call->argc > 16) argv = mem_alloc((size_t)call->argc * sizeof *argv);
    memcpy(argv, call->argv, (size_t)call->argc * sizeof *argv);
    if (options->trim.whole_nodes) {
        if (options->trim.how == TRIM_TO_LENGTH) len = num_format_uint64(threshold, stream->length);
        else len = stream_format_id(threshold, first_stored_id(stream));
        argv[options->threshold - 1] = SPAN("=");
        argv[options->threshold] = span_of(threshold, len);
    }
    if (options->id < call->argc && options->id_form != ID_GIVEN)
        argv[options->id] = span_of(id, stream_format_id(id, stream->last_id));
    call_effect(call, call->argc, argv);
    if (argv != some) mem_free(argv);
}

/* ---- XADD --------------------------------------------------------------------------------------- */

/* The id of the next entry behind last_id, by the clock or as given. */
static enum err choose_id(struct call *call, const struct add_options *options,
                          struct stream_id last_id, struct stream_id *out)
{
    struct stream_id id = options->given;

    if (options->id_form == ID_AUTO) {
        id = (struct stream_id){(uint64_t)call->now_ms, 0};
        if (id.ms <= last_id.ms) stream_id_next(last_id, &id);
    } else if (options->id_form == ID_AUTO_SEQ && id.ms == last_id.ms) {
        /* The text is Redis', which takes one error for another here. */
        if (last_id.seq == UINT64_MAX)
            return call_fail(call, "ERR Elements are too large to be stored");
        id.seq = last_id.seq + 1;
    }
    if (!stream_id_less(last_id, id))
        return call_fail(call, "ERR The ID specified in XADD is equal or smaller than the target "
                               "stream top item");
    *out = id;
    return OK;
}

static enum err check_pairs(struct call *call, const struct add_options *options)
{
    int words = call->argc - options->id - 1;
    size_t bytes = 0;

    if (words < 2 || words % 2 == 1)
        return call_fail(call, "ERR wrong number of arguments for '%s' command",
                         call->command->name);
    if (options->id_form == ID_GIVEN && stream_id_equal(options->given, STREAM_ID_MIN))
        return call_fail(call, "ERR The ID specified in XADD must be greater than 0-0");
    for (int i = options->id + 1; i < call->argc; i++)
        if (!num_add_size(bytes, call->argv[i].len, &bytes)) bytes = SIZE_MAX;
    if (bytes > STREAM_ENTRY_BYTES_MAX)
        return call_fail(call, "ERR Elements are too large to be stored");
    return OK;
}

/* XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT count]] * | id field value ... */
enum err cmd_xadd(struct call *call)
{
    struct add_options options;
    struct store_edit edit;
    const struct entry *e;
    struct stream_id id;

    TRY(parse_options(call, true, &options));
    TRY(check_pairs(call, &options));
    TRY(call_find_write(call, 1, TYPE_STREAM, &e));
    if (e == NULL && options.no_make) {
        reply_null(call->reply);
        return OK;
    }
    struct stream_id last_id = e != NULL ? stream_of(e)->last_id : STREAM_ID_MIN;
    if (stream_id_equal(last_id, STREAM_ID_MAX))
        return call_fail(call,
                         "ERR The stream has exhausted the last possible ID, unable to add more "
                         "items");
    TRY(choose_id(call, &options, last_id, &id));

    call_edit_open(call, 1, TYPE_STREAM, &edit);
    struct stream *stream = stream_edit(edit.entry);
    stream_append(stream, store_settings(call->store), id, call->argv + options.id + 1,
                  (size_t)(call->argc - options.id - 1) / 2);
    uint64_t trimmed = stream_trim(stream, &options.trim);
    state_exactly(call, &options, stream);
    edit.ready = true;
    store_edit_close(&edit, 1, EVENT(EVENT_STREAM, "xadd"));
    if (trimmed > 0) call_event(call, 1, EVENT(EVENT_STREAM, "xtrim"));
    stream_reply_id(call->reply, id);
    return OK;
}

/* ---- the others --------------------------------------------------------------------------------- */

/* XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count] */
enum err cmd_xtrim(struct call *call)
{
    struct add_options options;
    struct store_edit edit;
    const struct entry *e;
    uint64_t trimmed = 0;

    TRY(parse_options(call, false, &options));
    TRY(call_find_write(call, 1, TYPE_STREAM, &e));
    if (e != NULL) {
        call_edit_open(call, 1, TYPE_STREAM, &edit);
        trimmed = stream_trim(stream_edit(edit.entry), &options.trim);
        if (trimmed > 0) state_exactly(call, &options, stream_of(edit.entry));
        store_edit_close(&edit, trimmed, EVENT(EVENT_STREAM, "xtrim"));
    }
    reply_int64(call->reply, (int64_t)trimmed);
    return OK;
}

/* XDEL key id [id ...] */
enum err cmd_xdel(struct call *call)
{
    struct store_edit edit;
    const struct entry *e;
    struct stream_id id;
    uint64_t deleted = 0;

    TRY(call_find_write(call, 1, TYPE_STREAM, &e));
    if (e == NULL) {
        reply_int64(call->reply, 0);
        return OK;
    }
    for (int i = 2; i < call->argc; i++) TRY(stream_arg_id(call, i, 0, &id));
    call_edit_open(call, 1, TYPE_STREAM, &edit);
    for (int i = 2; i < call->argc; i++)
        if (stream_parse_id(call->argv[i], 0, &id))
            deleted += stream_delete(stream_edit(edit.entry), id);
    store_edit_close(&edit, deleted, EVENT(EVENT_STREAM, "xdel"));
    reply_int64(call->reply, (int64_t)deleted);
    return OK;
}

struct setid {
    struct stream_id last_id, max_deleted_id; /* 0-0: not given */
    int64_t entries_added;                    /* -1: not given */
};

static enum err parse_setid(struct call *call, struct setid *out)
{
    struct setid setid = {.entries_added = -1};

    TRY(stream_arg_id(call, 2, 0, &setid.last_id));
    for (int i = 3; i < call->argc; i += 2) {
        bool more = i + 1 < call->argc;
        if (more && call_arg_is(call, i, "ENTRIESADDED")) {
            TRY(call_arg_int64(call, i + 1, &setid.entries_added));
            if (setid.entries_added < 0)
                return call_fail(call, "ERR entries_added must be positive");
        } else if (more && call_arg_is(call, i, "MAXDELETEDID")) {
            TRY(stream_arg_id(call, i + 1, 0, &setid.max_deleted_id));
            if (stream_id_less(setid.last_id, setid.max_deleted_id))
                return call_fail(call,
                                 "ERR The ID specified in XSETID is smaller than the provided "
                                 "max_deleted_entry_id");
        } else {
            return ERR_SYNTAX;
        }
    }
    *out = setid;
    return OK;
}

/* XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id] */
enum err cmd_xsetid(struct call *call)
{
    struct setid setid;
    struct store_edit edit;
    const struct entry *e;

    TRY(parse_setid(call, &setid));
    TRY(call_find_write(call, 1, TYPE_STREAM, &e));
    if (e == NULL) return ERR_NO_SUCH_KEY;
    const struct stream *old = stream_of(e);
    if (stream_id_less(setid.last_id, stream_last_live_id(old)))
        return call_fail(call,
                         "ERR The ID specified in XSETID is smaller than the target stream top "
                         "item");
    if (setid.entries_added >= 0 && old->length > (uint64_t)setid.entries_added)
        return call_fail(call,
                         "ERR The entries_added specified in XSETID is smaller than the target "
                         "stream length");

    stream_edit_beside(call, 1, &edit);
    struct stream *stream = stream_edit(edit.entry);
    bool has_max = !stream_id_equal(setid.max_deleted_id, STREAM_ID_MIN);
    stream_set_ids(stream, setid.last_id,
                   setid.entries_added >= 0 ? (uint64_t)setid.entries_added : stream->entries_added,
                   has_max ? setid.max_deleted_id : stream->max_deleted_id);
    store_edit_close(&edit, 1, EVENT(EVENT_STREAM, "xsetid"));
    reply_ok(call->reply);
    return OK;
}
