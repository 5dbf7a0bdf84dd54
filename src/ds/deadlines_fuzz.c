/* Random operations on the deadline wheel against a toy model: an array of keys with deadlines.
 *
 * Proved at every step: nothing expires before its deadline, what is due expires (with enough budget), in
 * order of deadline, whatever deadlines were moved, removed and set again, time jumping forwards and
 * backwards, with sweeps under way. The input is a sequence of three-byte operations. */
#include "base/check.h"
#include "ds/deadlines_internal.h"

#define KEYS 512
#define NONE INT64_MIN

struct key {
    int64_t deadline_ms; /* NONE: no such key */
    uint64_t slot_ms;    /* when the wheel can expire it at the earliest */
};

struct model {
    struct deadlines *deadlines;
    struct deadlines_owner owner;
    struct key keys[KEYS];
    size_t live, asked;
    int64_t now_ms;
    uint64_t last_ms; /* slot_ms of the key that expired last in this call */
    bool waits, waited;
};

static uint64_t hash_of(uint64_t key)
{
    return (key + 1) * 0x9e3779b97f4a7c15;
}

static uint64_t key_of(uint64_t hash)
{
    return hash * 0xf1de83e19937733d - 1; /* the inverse modulo 2^64 */
}

static enum deadline_verdict on_due(void *context, uint64_t hash, int64_t now_ms,
                                    int64_t *deadline_ms)
{
    struct model *model = context;
    check(key_of(hash) < KEYS);
    struct key *key = &model->keys[key_of(hash)];
    model->asked++;
    if (key->deadline_ms == NONE) return DEADLINE_STALE;
    if (now_ms == INT64_MIN || key->deadline_ms > now_ms) {
        *deadline_ms = key->deadline_ms;
        return DEADLINE_LATER;
    }
    check(now_ms <= model->now_ms || now_ms == 0);
    if (model->waits) {
        model->waited = true;
        return DEADLINE_WAIT;
    }
    check(!model->waited);
    check(key->slot_ms >= model->last_ms);
    model->last_ms = key->slot_ms;
    key->deadline_ms = NONE;
    model->live--;
    return DEADLINE_EXPIRED;
}

static void set(struct model *model, struct key *key, int64_t deadline_ms)
{
    uint64_t hash = hash_of((uint64_t)(key - model->keys));
    if (deadline_ms == NONE) return;
    deadlines_add(model->deadlines, hash, deadline_ms, key->deadline_ms);
    model->live += key->deadline_ms == NONE;
    key->deadline_ms = deadline_ms;
    key->slot_ms = deadlines_tick_of(model->deadlines, deadline_ms);
}

static void drop(struct model *model, struct key *key)
{
    if (key->deadline_ms == NONE) return;
    deadlines_forget(model->deadlines, hash_of((uint64_t)(key - model->keys)), key->deadline_ms);
    key->deadline_ms = NONE;
    model->live--;
}

static void advance(struct model *model, int64_t now_ms, size_t budget)
{
    uint64_t before = model->deadlines->tick;
    uint64_t now = now_ms < 0 ? 0 : (uint64_t)now_ms;
    model->now_ms = now_ms;
    model->asked = 0;
    model->last_ms = 0;
    model->waited = false;
    if (now + 1000 < before) /* the wheel will be turned back */
        for (size_t i = 0; i < KEYS; i++) {
            struct key *key = &model->keys[i];
            key->slot_ms = key->deadline_ms < now_ms ? now : (uint64_t)key->deadline_ms;
        }

    size_t used = deadlines_advance(model->deadlines, now_ms, budget, &model->owner);
    check(used <= budget + 32 && model->asked <= 8 * budget); /* moved items count an eighth */
    check(deadlines_live(model->deadlines) == model->live);
    if (used >= budget) return;
    if (model->waited) {
        check(deadlines_sweep_wanted(model->deadlines) || now_ms > INT64_MAX - 100 ||
              deadlines_next(model->deadlines) >= now_ms + 100);
        return;
    }
    int64_t next = deadlines_next(model->deadlines);
    for (size_t i = 0; i < KEYS; i++) {
        struct key *key = &model->keys[i];
        if (key->deadline_ms == NONE) continue;
        check(key->slot_ms > now);
        check((int64_t)key->slot_ms >= next);
    }
}

/* 2^shift ms, some more, or less. */
static int64_t distance(unsigned byte)
{
    return (int64_t)((uint64_t)1 << (byte >> 2) % 62) + (byte & 3) - 1;
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static bool keep(void *context, uint64_t hash)
{
    int64_t deadline_ms;
    return on_due(context, hash, NONE, &deadline_ms) == DEADLINE_LATER;
}

static void sample(struct model *model, size_t max, bool earliest)
{
    struct random random;
    random_seed(&random, max);
    struct deadlines_sampler sampler = {keep, model, &random};
    if (earliest) deadlines_earliest(model->deadlines, max, &sampler);
    else deadlines_sample(model->deadlines, max, &sampler);
}

static void step(struct model *model, const uint8_t op[3])
{
    struct key *key = &model->keys[(op[0] >> 4 | (unsigned)op[1] << 4) % KEYS];
    switch (op[0] & 15) {
    case 0: drop(model, key); break;
    case 1: set(model, key, model->now_ms - distance(op[2])); break;
    case 2:
    case 3:
    case 4: set(model, key, plus(model->now_ms, distance(op[2]))); break;
    case 5: set(model, key, plus(model->now_ms, op[2])); break;
    case 6: /* many keys */
        for (size_t i = 0; i < KEYS; i++)
            set(model, &model->keys[i], plus(model->now_ms, (int64_t)(i * op[1] * op[2])));
        break;
    case 7:
        for (size_t i = op[1]; i < KEYS; i += 1 + op[2]) drop(model, &model->keys[i]);
        break;
    case 8: advance(model, plus(model->now_ms, op[1]), op[2]); break;
    case 9: advance(model, plus(model->now_ms, distance(op[1])), op[2]); break;
    case 10: advance(model, plus(model->now_ms, distance(op[1])), SIZE_MAX / 2); break;
    case 11:
        if (model->now_ms > 0) advance(model, model->now_ms - distance(op[1]), op[2]);
        break;
    case 12: advance(model, deadlines_next(model->deadlines), op[2]); break;
    case 13:
        if (op[2] & 1) model->waits = op[1] & 1;
        else sample(model, op[1], op[2] & 2);
        break;
    case 14: deadlines_sweep(model->deadlines, op[1], &model->owner); break;
    default: /* the same few keys nearer and nearer, further and further */
        for (unsigned i = 0; i < 256; i++)
            set(model, &model->keys[i * op[2] % KEYS],
                plus(model->now_ms, (int64_t)(i * 7919 % 509) << op[1] % 32));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model;
    model = (struct model){.now_ms = 1700000000000};
    model.owner = (struct deadlines_owner){on_due, NULL, &model};
    model.deadlines = deadlines_new(model.now_ms);
    for (size_t i = 0; i < KEYS; i++) model.keys[i].deadline_ms = NONE;

    for (size_t i = 0; i + 3 <= size; i += 3) {
        step(&model, data + i);
        if (i % 48 == 0) deadlines_check(model.deadlines);
    }
    model.waits = false;
    advance(&model, model.now_ms, SIZE_MAX / 2);
    deadlines_check(model.deadlines);
    check(deadlines_items(model.deadlines) <= 2 * model.live + 1024);
    advance(&model, INT64_MAX, SIZE_MAX / 2);
    check(model.live == 0 && deadlines_items(model.deadlines) == 0);
    deadlines_free(model.deadlines);
    return 0;
}
