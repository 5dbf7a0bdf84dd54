/* GEOSEARCH, GEORADIUS and their relatives: the places of a sorted set that lie in an area. What comes in
 * which order, also where errors are several, is as in Redis 7.0.15. */
#include "base/mem.h"
#include "cmd/geo.h"
#include "cmd/zset.h"
#include "ds/geo_area.h"
#include "handlers.h"

#include <stdlib.h>

enum order { UNSORTED, ASCENDING, DESCENDING };

/* Which of the commands, and what its arguments say. */
struct search {
    bool is_geosearch;          /* GEOSEARCH, GEOSEARCHSTORE: the area is named by options */
    bool may_store;             /* GEORADIUS, GEORADIUSBYMEMBER: STORE key, STOREDIST key */
    int destination;            /* argv[destination] gets the result; 0: it is the reply */
    bool stores_distances;      /* instead of hashes */
    const struct entry *source; /* NULL: no such key */
    bool has_point, has_member, has_circle, has_box;
    struct geo_area area;
    double unit; /* in metres */
    bool with_distance, with_hash, with_point;
    enum order order;
    int64_t count; /* 0: all */
    bool any;      /* the first `count` that are found, not the nearest */
};

/* ---- arguments ---------------------------------------------------------------------------------------------- */

/* The place of a member as the centre. Where there is no sorted set nothing is looked at. */
static enum err parse_member(struct call *call, int index, struct search *search)
{
    double score;

    search->has_member = true;
    if (search->source == NULL) return OK;
    if (!zset_score(search->source, call->argv[index], &score))
        return call_fail(call, "ERR could not decode requested zset member");
    search->area.centre = geohash_point(geohash_of_score(score));
    return OK;
}

static enum err parse_number(struct call *call, int index, const char *what, double *out)
{
    if (num_parse_double(call->argv[index], out)) return OK;
    return call_fail(call, "ERR need numeric %s", what);
}

/* radius unit */
static enum err parse_circle(struct call *call, int index, struct search *search)
{
    double radius;

    TRY(parse_number(call, index, "radius", &radius));
    if (radius < 0) return call_fail(call, "ERR radius cannot be negative");
    TRY(geo_arg_unit(call, index + 1, &search->unit));
    search->area.radius = radius * search->unit;
    search->has_circle = true;
    return OK;
}

/* width height unit */
static enum err parse_box(struct call *call, int index, struct search *search)
{
    double width, height;

    TRY(parse_number(call, index, "width", &width));
    TRY(parse_number(call, index + 1, "height", &height));
    if (width < 0 || height < 0) return call_fail(call, "ERR height or width cannot be negative");
    TRY(geo_arg_unit(call, index + 2, &search->unit));
    search->area.is_box = search->has_box = true;
    search->area.width = width * search->unit;
    search->area.height = height * search->unit;
    return OK;
}

static enum err parse_count(struct call *call, int index, struct search *search)
{
    TRY(call_arg_int64(call, index, &search->count));
    return search->count > 0 ? OK : call_fail(call, "ERR COUNT must be > 0");
}

/* An option with arguments at argv[*index], leaving *index at its last argument; *taken false where it is
 * none of them. */
static enum err take_long_option(struct call *call, int *index, struct search *search, bool *taken)
{
    int at = *index, rest = call->argc - at - 1;

    *taken = true;
    if (rest >= 1 && call_arg_is(call, at, "COUNT")) {
        *index += 1;
        return parse_count(call, at + 1, search);
    }
    if (search->may_store && rest >= 1 &&
        (call_arg_is(call, at, "STORE") || call_arg_is(call, at, "STOREDIST"))) {
        search->destination = at + 1;
        search->stores_distances = call_arg_is(call, at, "STOREDIST");
        *index += 1;
        return OK;
    }
    if (search->is_geosearch && rest >= 1 && !search->has_point &&
        call_arg_is(call, at, "FROMMEMBER")) {
        *index += 1;
        return parse_member(call, at + 1, search);
    }
    if (search->is_geosearch && rest >= 2 && !search->has_member &&
        call_arg_is(call, at, "FROMLONLAT")) {
        *index += 2;
        search->has_point = true;
        return geo_arg_point(call, at + 1, &search->area.centre);
    }
    if (search->is_geosearch && rest >= 2 && !search->has_box &&
        call_arg_is(call, at, "BYRADIUS")) {
        *index += 2;
        return parse_circle(call, at + 1, search);
    }
    if (search->is_geosearch && rest >= 3 && !search->has_circle &&
        call_arg_is(call, at, "BYBOX")) {
        *index += 3;
        return parse_box(call, at + 1, search);
    }
    *taken = false;
    return OK;
}

static bool take_word(const struct call *call, int index, struct search *search)
{
    if (call_arg_is(call, index, "WITHDIST")) search->with_distance = true;
    else if (call_arg_is(call, index, "WITHHASH")) search->with_hash = true;
    else if (call_arg_is(call, index, "WITHCOORD")) search->with_point = true;
    else if (call_arg_is(call, index, "ANY")) search->any = true;
    else if (call_arg_is(call, index, "ASC")) search->order = ASCENDING;
    else if (call_arg_is(call, index, "DESC")) search->order = DESCENDING;
    else if (search->is_geosearch && search->destination != 0 &&
             call_arg_is(call, index, "STOREDIST"))
        search->stores_distances = true;
    else return false;
    return true;
}

/* What must be given together, and what must not. */
static enum err check_options(struct call *call, const struct search *search)
{
    if (search->destination != 0 &&
        (search->with_distance || search->with_hash || search->with_point))
        return call_fail(call,
                         "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                         search->is_geosearch ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
    if (search->is_geosearch && !search->has_member && !search->has_point)
        return call_fail(call,
                         "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s",
                         (int)call->argv[0].len, call->argv[0].ptr);
    if (search->is_geosearch && !search->has_circle && !search->has_box)
        return call_fail(call, "ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s",
                         (int)call->argv[0].len, call->argv[0].ptr);
    if (search->any && search->count == 0)
        return call_fail(call, "ERR the ANY argument requires COUNT argument");
    return OK;
}

static enum err parse_options(struct call *call, int from, struct search *search)
{
    for (int i = from; i < call->argc; i++) {
        bool taken;
        if (take_word(call, i, search)) continue;
        TRY(take_long_option(call, &i, search, &taken));
        if (!taken) return ERR_SYNTAX;
    }
    TRY(check_options(call, search));
    /* The nearest are meant, unless any will do. */
    if (search->count > 0 && search->order == UNSORTED && !search->any) search->order = ASCENDING;
    return OK;
}

/* ---- searching ---------------------------------------------------------------------------------------------- */

struct result {
    size_t name, name_len;  /* where it stands in names */
    double score, distance; /* in metres */
    struct geo_point point;
};

struct results {
    struct buf names;
    struct result *items;
    size_t count, capacity;
};

static void results_release(struct results *results)
{
    buf_release(&results->names);
    mem_free(results->items);
}

static void add_result(struct results *results, const struct sorted_key *key,
                       struct geo_point point, double distance)
{
    if (results->count == results->capacity) {
        results->capacity = results->capacity == 0 ? 32 : 2 * results->capacity;
        results->items = mem_realloc(results->items, results->capacity * sizeof *results->items);
    }
    results->items[results->count++] =
        (struct result){results->names.len, key->member.len, key->score, distance, point};
    buf_append_span(&results->names, key->member);
}

static struct span result_name(const struct results *results, size_t index)
{
    const struct result *result = &results->items[index];
    return span_of(results->names.ptr + result->name, result->name_len);
}

/* False when no more are wanted. */
static bool search_cell(const struct search *search, struct geo_cell cell, struct results *results)
{
    struct geohash_run run = geo_cell_run(cell);
    struct zset_range range = {.kind = ZSET_BY_SCORE,
                               .low = {.by = SORTED_BY_SCORE, .score = (double)run.first},
                               .high = {.by = SORTED_BY_SCORE, .score = (double)run.behind}};
    struct zset_walk walk;
    struct sorted_key key;

    zset_walk_begin(&walk, search->source, zset_select(search->source, &range, false));
    while (zset_walk_next(&walk, &key)) {
        struct geo_point point = geohash_point(geohash_of_score(key.score));
        double distance;
        if (!geo_area_holds(&search->area, point, &distance)) continue;
        add_result(results, &key, point, distance);
        if (search->any && results->count == (uint64_t)search->count) return false;
    }
    return true;
}

static int compare_distances(const void *a, const void *b)
{
    double left = ((const struct result *)a)->distance,
           right = ((const struct result *)b)->distance;
    return (left > right) - (left < right);
}

static int compare_distances_down(const void *a, const void *b)
{
    return compare_distances(b, a);
}

static void find_places(const struct search *search, struct results *results)
{
    struct geo_cell cells[GEO_CELLS_MAX];
    unsigned count = geo_area_cover(&search->area, cells);

    for (unsigned i = 0; i < count; i++)
        if (!search_cell(search, cells[i], results)) break;
    if (search->order != UNSORTED && results->count > 1)
        qsort(results->items, results->count, sizeof *results->items,
              search->order == ASCENDING ? compare_distances : compare_distances_down);
    if (search->count > 0 && results->count > (uint64_t)search->count)
        results->count = (size_t)search->count;
}

/* ---- results ------------------------------------------------------------------------------------------------ */

static void reply_results(struct call *call, const struct search *search,
                          const struct results *results)
{
    int parts = 1 + search->with_distance + search->with_hash + search->with_point;

    reply_array(call->reply, (int64_t)results->count);
    for (size_t i = 0; i < results->count; i++) {
        const struct result *result = &results->items[i];
        if (parts > 1) reply_array(call->reply, parts);
        reply_bulk(call->reply, result_name(results, i));
        if (search->with_distance) geo_reply_length(call, result->distance / search->unit);
        if (search->with_hash) reply_int64(call->reply, (int64_t)result->score);
        if (search->with_point) geo_reply_point(call, result->point);
    }
}

/* Each member that is stored counts as a change. */
static void store_results(struct call *call, const struct search *search,
                          const struct results *results)
{
    struct zset_draft draft;

    zset_draft_init(&draft, &store_settings(call->store)->secret);
    for (size_t i = 0; i < results->count; i++) {
        const struct result *result = &results->items[i];
        double score = search->stores_distances ? result->distance / search->unit : result->score;
        bool added;
        memcpy(zset_draft_put(&draft, result_name(results, i), &added), &score, sizeof score);
    }
    zset_store_draft(call, search->destination, &draft,
                     search->is_geosearch ? "geosearchstore" : "georadiusstore");
    if (results->count > 1) store_add_dirty(call->store, results->count - 1);
}

static enum err run(struct call *call, const struct search *search)
{
    struct results results = {0};

    if (search->source != NULL) find_places(search, &results);
    if (search->destination != 0) store_results(call, search, &results);
    else reply_results(call, search, &results);
    results_release(&results);
    return OK;
}

/* ---- handlers ----------------------------------------------------------------------------------------------- */

static enum err radius(struct call *call, bool may_store)
{
    struct search search = {.may_store = may_store};

    TRY(call_find(call, 1, TYPE_ZSET, &search.source));
    TRY(geo_arg_point(call, 2, &search.area.centre));
    TRY(parse_circle(call, 4, &search));
    TRY(parse_options(call, 6, &search));
    return run(call, &search);
}

/* GEORADIUS key longitude latitude radius M | KM | FT | MI [WITHCOORD] [WITHDIST] [WITHHASH]
 * [COUNT count [ANY]] [ASC | DESC] [STORE key] [STOREDIST key] */
enum err cmd_georadius(struct call *call)
{
    return radius(call, true);
}

/* GEORADIUS_RO: the same but for STORE and STOREDIST */
enum err cmd_georadius_ro(struct call *call)
{
    return radius(call, false);
}

/* Where there is no sorted set, radius and unit are not looked at. */
static enum err radius_by_member(struct call *call, bool may_store)
{
    struct search search = {.may_store = may_store};

    TRY(call_find(call, 1, TYPE_ZSET, &search.source));
    TRY(parse_member(call, 2, &search));
    if (search.source != NULL) TRY(parse_circle(call, 3, &search));
    TRY(parse_options(call, 5, &search));
    return run(call, &search);
}

/* GEORADIUSBYMEMBER key member radius M | KM | FT | MI: options as GEORADIUS */
enum err cmd_georadiusbymember(struct call *call)
{
    return radius_by_member(call, true);
}

/* GEORADIUSBYMEMBER_RO */
enum err cmd_georadiusbymember_ro(struct call *call)
{
    return radius_by_member(call, false);
}

/* GEOSEARCH key FROMMEMBER member | FROMLONLAT longitude latitude
 * BYRADIUS radius M | KM | FT | MI | BYBOX width height M | KM | FT | MI
 * [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH] */
enum err cmd_geosearch(struct call *call)
{
    struct search search = {.is_geosearch = true};

    TRY(call_find(call, 1, TYPE_ZSET, &search.source));
    TRY(parse_options(call, 2, &search));
    return run(call, &search);
}

/* GEOSEARCHSTORE destination source: as GEOSEARCH, with STOREDIST in place of WITH... */
enum err cmd_geosearchstore(struct call *call)
{
    struct search search = {.is_geosearch = true, .destination = 1};

    TRY(call_find(call, 2, TYPE_ZSET, &search.source));
    TRY(parse_options(call, 3, &search));
    return run(call, &search);
}
