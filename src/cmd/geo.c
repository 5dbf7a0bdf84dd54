/* Places, as members of sorted sets whose scores are their geohashes: adding them, and what single ones are.
 * Searching stands in geo_search.c. Error texts, events and effects are those of Redis 7.0.15. */
#include "cmd/geo.h"

#include "base/mem.h"
#include "cmd/zset.h"
#include "handlers.h"

#include <math.h>

/* ---- arguments and replies ------------------------------------------------------------------------------- */

enum err geo_arg_point(struct call *call, int index, struct geo_point *out)
{
    struct geo_point point;

    TRY(call_arg_double(call, index, &point.longitude));
    TRY(call_arg_double(call, index + 1, &point.latitude));
    if (!geo_point_is_valid(point))
        return call_fail(call, "ERR invalid longitude,latitude pair %f,%f", point.longitude,
                         point.latitude);
    *out = point;
    return OK;
}

enum err geo_arg_unit(struct call *call, int index, double *metres)
{
    static const struct {
        const char *word;
        double metres;
    } units[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!call_arg_is(call, index, units[i].word)) continue;
        *metres = units[i].metres;
        return OK;
    }
    return call_fail(call, "ERR unsupported unit provided. please use M, KM, FT, MI");
}

void geo_reply_length(struct call *call, double length)
{
    /* Rounded as a whole number of ten thousandths: so halves, once multiplied, go to the even one. */
    long long parts = llrint(length * 10000);
    reply_bulkf(call->reply, "%lld.%04lld", parts / 10000, parts % 10000);
}

void geo_reply_point(struct call *call, struct geo_point point)
{
    reply_array(call->reply, 2);
    reply_decimal(call->reply, point.longitude);
    reply_decimal(call->reply, point.latitude);
}

/* ---- GEOADD ------------------------------------------------------------------------------------------------ */

struct geoadd {
    unsigned conditions;
    bool count_changed;
    int first, places; /* argv[first] is the first longitude */
};

static enum err parse_geoadd(const struct call *call, struct geoadd *out)
{
    struct geoadd geoadd = {.first = 2};

    for (; geoadd.first < call->argc; geoadd.first++) {
        if (call_arg_is(call, geoadd.first, "NX")) geoadd.conditions |= ZSET_IF_ABSENT;
        else if (call_arg_is(call, geoadd.first, "XX")) geoadd.conditions |= ZSET_IF_PRESENT;
        else if (call_arg_is(call, geoadd.first, "CH")) geoadd.count_changed = true;
        else break;
    }
    int rest = call->argc - geoadd.first;
    if (rest == 0 || rest % 3 != 0) return ERR_SYNTAX;
    if (geoadd.conditions == (ZSET_IF_ABSENT | ZSET_IF_PRESENT)) return ERR_SYNTAX;
    geoadd.places = rest / 3;
    *out = geoadd;
    return OK;
}

static enum err parse_places(struct call *call, const struct geoadd *geoadd,
                             struct sorted_key *pairs)
{
    for (int i = 0; i < geoadd->places; i++) {
        struct geo_point point;
        TRY(geo_arg_point(call, geoadd->first + 3 * i, &point));
        pairs[i].score = (double)geohash_of(point);
        pairs[i].member = call->argv[geoadd->first + 3 * i + 2];
    }
    return OK;
}

/* The ZADD that does the same. */
static void effect_zadd(struct call *call, const struct geoadd *geoadd,
                        const struct sorted_key *pairs)
{
    size_t count = (size_t)geoadd->places;
    int argc = geoadd->first + 2 * geoadd->places;
    struct span *argv = mem_alloc((size_t)argc * sizeof *argv);
    char(*digits)[NUM_INT64_CHARS] = mem_alloc(count * sizeof *digits);

    argv[0] = SPAN("zadd");
    for (int i = 1; i < geoadd->first; i++) argv[i] = call->argv[i];
    for (size_t i = 0; i < count; i++) {
        size_t len = num_format_int64(digits[i], (int64_t)pairs[i].score);
        struct span *pair = &argv[(size_t)geoadd->first + 2 * i];
        pair[0] = span_of(digits[i], len);
        pair[1] = pairs[i].member;
    }
    call_effect(call, argc, argv);
    mem_free(digits);
    mem_free(argv);
}

/* GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...] */
enum err cmd_geoadd(struct call *call)
{
    struct geoadd geoadd;
    bool changed = false;

    TRY(parse_geoadd(call, &geoadd));
    struct sorted_key *pairs = mem_alloc((size_t)geoadd.places * sizeof *pairs);
    enum err err = parse_places(call, &geoadd, pairs);
    if (err == OK)
        err = zset_add_pairs(call, geoadd.conditions, geoadd.count_changed, pairs, geoadd.places,
                             &changed);
    if (err == OK && changed) effect_zadd(call, &geoadd, pairs);
    mem_free(pairs);
    return err;
}

/* ---- single places ------------------------------------------------------------------------------------------ */

static bool find_point(const struct call *call, const struct entry *entry, int member,
                       struct geo_point *out)
{
    double score;

    if (entry == NULL || !zset_score(entry, call->argv[member], &score)) return false;
    *out = geohash_point(geohash_of_score(score));
    return true;
}

/* GEOPOS key [member ...] */
enum err cmd_geopos(struct call *call)
{
    const struct entry *entry;
    struct geo_point point;

    TRY(call_find(call, 1, TYPE_ZSET, &entry));
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        if (find_point(call, entry, i, &point)) geo_reply_point(call, point);
        else reply_null_array(call->reply);
    }
    return OK;
}

/* GEOHASH key [member ...] */
enum err cmd_geohash(struct call *call)
{
    const struct entry *entry;
    struct geo_point point;
    char text[GEOHASH_CHARS];

    TRY(call_find(call, 1, TYPE_ZSET, &entry));
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        if (!find_point(call, entry, i, &point)) {
            reply_null(call->reply);
            continue;
        }
        geohash_text(point, text);
        reply_bulk(call->reply, span_of(text, sizeof text));
    }
    return OK;
}

/* GEODIST key member1 member2 [M | KM | FT | MI] */
enum err cmd_geodist(struct call *call)
{
    const struct entry *entry;
    struct geo_point from, to;
    double unit = 1;

    if (call->argc > 5) return ERR_SYNTAX;
    if (call->argc == 5) TRY(geo_arg_unit(call, 4, &unit));
    TRY(call_find(call, 1, TYPE_ZSET, &entry));
    if (find_point(call, entry, 2, &from) && find_point(call, entry, 3, &to))
        geo_reply_length(call, geo_distance(from, to) / unit);
    else reply_null(call->reply);
    return OK;
}
