/* SORT and SORT_RO: the elements of a list, a set or a sorted set in order; by themselves or by what
 * stands under other keys, as themselves or as what stands under other keys. */
#include "cmd/sort_items.h"

#include "base/mem.h"
#include "cmd/call.h"
#include "handlers.h"
#include "store/hash.h"
#include "store/list.h"

/* ---- patterns ----------------------------------------------------------------------------------- */

/* What an element leads to: "#" itself; "weight_*" the string under that key, the element put in the
 * place of the first star; "object_*->field" a field of the hash there. Without a star, nothing. */
struct pattern {
    struct span before, after; /* of the star */
    struct span field;
    bool is_element, has_star, has_field;
};

static struct pattern parse_pattern(struct span text)
{
    struct pattern pattern = {.is_element = span_equal(text, SPAN("#"))};
    const char *star = text.len > 0 ? memchr(text.ptr, '*', text.len) : NULL;

    if (star == NULL) return pattern;
    const char *end = text.ptr + text.len, *arrow = star + 1;
    while (arrow + 2 < end && !(arrow[0] == '-' && arrow[1] == '>')) arrow++;
    pattern.has_star = true;
    pattern.has_field = arrow + 2 < end; /* behind the arrow stands something */
    if (!pattern.has_field) arrow = end;
    pattern.before = span_of(text.ptr, (size_t)(star - text.ptr));
    pattern.after = span_of(star + 1, (size_t)(arrow - star - 1));
    if (pattern.has_field) pattern.field = span_of(arrow + 2, (size_t)(end - arrow - 2));
    return pattern;
}

/* What the pattern leads to from this element, good until the store is asked again. `name` is room for
 * the key. False where there is no such key, or it is of another type. */
static bool follow(struct call *call, const struct pattern *pattern, struct span element,
                   struct buf *name, char scratch[static NUM_INT64_CHARS], struct span *value)
{
    if (!pattern->has_star) {
        *value = element;
        return pattern->is_element;
    }
    buf_clear(name);
    buf_append_span(name, pattern->before);
    buf_append_span(name, element);
    buf_append_span(name, pattern->after);
    struct key key = store_key(call->store, buf_span(name));
    const struct entry *entry = store_find(call->store, call->db, &key, 0);
    if (entry == NULL) return false;
    if (pattern->has_field)
        return entry_type(entry) == TYPE_HASH && hash_get(entry, pattern->field, scratch, value);
    if (entry_type(entry) != TYPE_STRING) return false;
    *value = entry_string(entry, scratch);
    return true;
}

/* ---- options ------------------------------------------------------------------------------------ */

struct options {
    struct pattern by, *gets;
    bool has_by;
    bool unsorted; /* some BY without a star: in the order of the source */
    bool alpha, descending;
    int get_count;
    int64_t first, count; /* LIMIT; a negative count is none */
    int destination;      /* index of STORE's key; 0: none */
};

static enum err parse_limit(struct call *call, int index, struct options *options)
{
    TRY(call_arg_int64(call, index + 1, &options->first));
    TRY(call_arg_int64(call, index + 2, &options->count));
    if (options->first < 0) options->first = 0;
    return OK;
}

static void parse_by(struct span text, struct options *options)
{
    options->by = parse_pattern(text);
    options->has_by = true;
    options->unsorted |= !options->by.has_star;
}

static void add_get(const struct call *call, struct span text, struct options *options)
{
    if (options->gets == NULL)
        options->gets = mem_alloc((size_t)call->argc / 2 * sizeof *options->gets);
    options->gets[options->get_count++] = parse_pattern(text);
}

static enum err parse_options(struct call *call, bool read_only, struct options *options)
{
    for (int i = 2; i < call->argc; i++) {
        const int behind = call->argc - 1 - i;
        if (call_arg_is(call, i, "ASC")) {
            options->descending = false;
        } else if (call_arg_is(call, i, "DESC")) {
            options->descending = true;
        } else if (call_arg_is(call, i, "ALPHA")) {
            options->alpha = true;
        } else if (call_arg_is(call, i, "LIMIT") && behind >= 2) {
            TRY(parse_limit(call, i, options));
            i += 2;
        } else if (!read_only && call_arg_is(call, i, "STORE") && behind >= 1) {
            options->destination = ++i;
        } else if (call_arg_is(call, i, "BY") && behind >= 1) {
            parse_by(call->argv[++i], options);
        } else if (call_arg_is(call, i, "GET") && behind >= 1) {
            add_get(call, call->argv[++i], options);
        } else {
            return ERR_SYNTAX;
        }
    }
    return OK;
}

/* The keys of SORT: what is sorted, and the destination, the last that is named. */
int command_keys_sort(const struct command *command, const struct span *argv, int argc,
                      struct command_key *out, int max)
{
    int destination = 0;

    (void)command;
    for (int i = 2; i < argc; i++) {
        if (span_is(argv[i], "LIMIT")) i += 2;
        else if (span_is(argv[i], "GET") || span_is(argv[i], "BY")) i++;
        else if (span_is(argv[i], "STORE") && i + 1 < argc) destination = ++i;
    }
    if (max > 0) out[0] = (struct command_key){1, KEY_RO | KEY_ACCESS};
    if (max > 1 && destination > 0) out[1] = (struct command_key){destination, KEY_OW | KEY_UPDATE};
    return destination > 0 ? 2 : 1;
}

/* ---- sorting ------------------------------------------------------------------------------------ */

/* Gives the item what its pattern leads to; without that it has the score 0. */
static bool weigh_by_pattern(struct call *call, const struct options *options,
                             struct sort_items *items, size_t index, struct buf *name)
{
    char scratch[NUM_INT64_CHARS];
    struct span element = sort_span(items, items->items[index].text), weight;

    if (!follow(call, &options->by, element, name, scratch, &weight)) return true;
    if (!options->alpha) return sort_score(items, index, weight);
    sort_weigh(items, index, weight);
    return true;
}

static enum err weigh(struct call *call, const struct options *options, struct sort_items *items)
{
    struct buf name = {0};
    bool sound = true;

    if (options->alpha && !options->has_by) return OK;
    for (size_t i = 0; i < items->count; i++)
        sound &= options->has_by ? weigh_by_pattern(call, options, items, i, &name)
                                 : sort_score_itself(items, i);
    buf_release(&name);
    if (sound) return OK;
    return call_fail(call, "ERR One or more scores can't be converted into double");
}

/* The items of the result: `wanted` from `first` on. */
struct result {
    struct sort_items items;
    size_t first, wanted;
};

static enum err sort(struct call *call, const struct entry *source, struct options *options,
                     struct result *result)
{
    const size_t all = sort_source_count(source);
    const bool storing = options->destination > 0;

    /* A set has no order; what is stored or seen by a script must have one all the same. */
    if (options->unsorted && entry_type(source) == TYPE_SET &&
        (storing || (call->flags & CALL_IN_SCRIPT))) {
        options->unsorted = options->has_by = false;
        options->alpha = true;
    }
    const size_t first = (uint64_t)options->first < all ? (size_t)options->first : all;
    const size_t left = all - first, limit = (uint64_t)options->count;
    const size_t wanted = options->count < 0 || limit > left ? left : limit;

    *result = (struct result){.first = options->unsorted ? 0 : first, .wanted = wanted};
    if (options->unsorted) {
        sort_collect(&result->items, source, first, wanted, options->descending);
        return OK;
    }
    sort_collect(&result->items, source, 0, all, false);
    TRY(weigh(call, options, &result->items));
    sort_first(&result->items, first + wanted,
               &(struct sort_order){.by_text = options->alpha,
                                    .by_weight = options->has_by,
                                    .descending = options->descending,
                                    .by_locale = !storing});
    return OK;
}

/* ---- results ------------------------------------------------------------------------------------ */

typedef void take_result(void *context, const struct span *text); /* NULL: nothing was found */

static void each_result(struct call *call, const struct options *options,
                        const struct result *result, take_result *deliver, void *context)
{
    struct buf name = {0};
    char scratch[NUM_INT64_CHARS];

    for (size_t i = result->first; i < result->first + result->wanted; i++) {
        struct span element = sort_span(&result->items, result->items.items[i].text), value;
        if (options->get_count == 0) deliver(context, &element);
        for (int get = 0; get < options->get_count; get++) {
            bool found = follow(call, &options->gets[get], element, &name, scratch, &value);
            deliver(context, found ? &value : NULL);
        }
    }
    buf_release(&name);
}

static void reply_text(void *context, const struct span *text)
{
    struct reply *reply = context;
    if (text != NULL) reply_bulk(reply, *text);
    else reply_null(reply);
}

struct stored {
    struct entry *list;
    const struct value_settings *settings;
};

static void store_text(void *context, const struct span *text)
{
    struct stored *stored = context;
    stored->list =
        list_push(stored->list, stored->settings, QUICKLIST_TAIL, text != NULL ? *text : SPAN(""));
}

/* Puts the result in the place of whatever the destination holds; one without elements removes it. */
static void store_results(struct call *call, const struct options *options,
                          const struct result *result, size_t count)
{
    const struct value_settings *settings = store_settings(call->store);
    struct key key = call_key(call, options->destination);
    struct stored stored = {NULL, settings};

    if (count == 0) {
        store_vacate(call->store, call->db, &key);
        return;
    }
    stored.list = list_container.empty(key.name, settings);
    each_result(call, options, result, store_text, &stored);
    store_put_result(call->store, call->db, &key, stored.list, EVENT(EVENT_LIST, "sortstore"));
    store_add_dirty(call->store, count - 1); /* each element is a change */
}

static enum err sort_and_deliver(struct call *call, struct options *options)
{
    const struct entry *source;
    struct result result = {0};
    enum err err = OK;

    TRY(call_find(call, 1, TYPE_ANY, &source));
    if (source != NULL && entry_type(source) != TYPE_LIST && entry_type(source) != TYPE_SET &&
        entry_type(source) != TYPE_ZSET)
        return ERR_WRONG_TYPE;
    if (source != NULL) err = sort(call, source, options, &result);
    if (err == OK) {
        size_t each = options->get_count > 0 ? (size_t)options->get_count : 1;
        size_t count = result.wanted * each;
        if (options->destination > 0) {
            store_results(call, options, &result, count);
            reply_int64(call->reply, (int64_t)count);
        } else {
            reply_array(call->reply, (int64_t)count);
            each_result(call, options, &result, reply_text, call->reply);
        }
    }
    sort_release(&result.items);
    return err;
}

static enum err run_sort(struct call *call, bool read_only)
{
    struct options options = {.count = -1};
    enum err err = parse_options(call, read_only, &options);

    if (err == OK) err = sort_and_deliver(call, &options);
    mem_free(options.gets);
    return err;
}

/* SORT key [BY pattern] [LIMIT first count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE destination] */
enum err cmd_sort(struct call *call)
{
    return run_sort(call, false);
}

/* SORT_RO: the same without STORE. */
enum err cmd_sort_ro(struct call *call)
{
    return run_sort(call, true);
}
