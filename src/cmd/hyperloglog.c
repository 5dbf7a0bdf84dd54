/* HyperLogLogs: strings that ds/hyperloglog.h knows how to read. Dense ones are changed in
 * place; of a sparse one, which is short, a copy is changed and put back. */
#include "ds/hyperloglog.h"

#include "base/mem.h"
#include "cmd/call.h"
#include "handlers.h"

#include <math.h>

static const struct event pfadd_event = {EVENT_STRING, "pfadd"};

static enum err corrupt(struct call *call)
{
    return call_fail(call, "INVALIDOBJ Corrupted HLL object detected");
}

/* A key that is absent or holds a HyperLogLog. */
struct found {
    const struct entry *entry; /* NULL: absent */
    struct span hll;           /* borrowed from it */
    char scratch[NUM_INT64_CHARS];
};

static enum err find_hll(struct call *call, int index, bool to_write, struct found *found)
{
    TRY((to_write ? call_find_write : call_find)(call, index, TYPE_STRING, &found->entry));
    found->hll = span_of(NULL, 0);
    if (found->entry == NULL) return OK;
    found->hll = entry_string(found->entry, found->scratch);
    if (hll_form(found->hll) == HLL_NONE)
        return call_fail(call, "WRONGTYPE Key is not a valid HyperLogLog string value.");
    return OK;
}

/* ---- putting back --------------------------------------------------------------------------- */

struct put {
    struct span bytes;
    uint64_t changes;
};

static uint64_t write_bytes(void *context, char *bytes, size_t len)
{
    const struct put *put = context;
    memcpy(bytes, put->bytes.ptr, len);
    return put->changes;
}

/* Puts a changed copy in the place of argv[index]. */
static void put_hll(struct call *call, int index, const struct buf *hll, uint64_t changes,
                    struct event event)
{
    struct put put = {buf_span(hll), changes};
    call_edit_string(call, index, hll->len, write_bytes, &put, event);
}

static uint64_t write_nothing(void *context, char *bytes, size_t len)
{
    (void)context, (void)bytes, (void)len;
    return 0;
}

/* Whoever has looked at a HyperLogLog leaves it "raw" in Redis, also without a change. */
static void leave_raw(struct call *call, int index, const struct found *found)
{
    if (entry_encoding(found->entry) == ENC_EMBSTR)
        call_edit_string(call, index, found->hll.len, write_nothing, NULL, NO_EVENT);
}

/* ---- PFADD ---------------------------------------------------------------------------------- */

/* Whether one of the elements raises a register of the dense value. */
static bool raises_dense(const struct call *call, struct span hll)
{
    for (int i = 2; i < call->argc; i++) {
        struct hll_mark mark = hll_mark(call->argv[i]);
        if (hll_dense_get(hll.ptr, mark.index) < mark.rank) return true;
    }
    return false;
}

static uint64_t raise_dense(void *context, char *bytes, size_t len)
{
    const struct call *call = context;
    uint64_t raised = 0;

    (void)len;
    for (int i = 2; i < call->argc; i++) raised += hll_dense_raise(bytes, hll_mark(call->argv[i]));
    hll_spoil_cached(bytes);
    return raised;
}

/* Raises registers of the copy; *raised counts them, one that rises twice twice. */
static enum err raise_copy(struct call *call, struct buf *hll, uint64_t *raised)
{
    const size_t sparse_max = store_settings(call->store)->hll_sparse_max_bytes;

    for (int i = 2; i < call->argc; i++) {
        enum hll_change change = hll_raise(hll, hll_mark(call->argv[i]), sparse_max);
        if (change == HLL_CORRUPT) return corrupt(call);
        if (change == HLL_RAISED) ++*raised;
    }
    return OK;
}

static enum err add_to_copy(struct call *call, const struct found *found, uint64_t *changes)
{
    struct buf hll = {0};
    enum err err;

    *changes = found->entry == NULL; /* making the key is a change */
    if (found->entry == NULL) hll_empty(&hll);
    else buf_append_span(&hll, found->hll);
    err = raise_copy(call, &hll, changes);
    if (err == OK && *changes > 0) {
        hll_spoil_cached(hll.ptr);
        put_hll(call, 1, &hll, *changes, pfadd_event);
    }
    buf_release(&hll);
    return err;
}

/* PFADD key [element ...]: replies whether an estimate may be another now, or the key is new. */
enum err cmd_pfadd(struct call *call)
{
    struct found found;
    uint64_t changes = 0;

    TRY(find_hll(call, 1, true, &found));
    if (found.entry == NULL || hll_form(found.hll) == HLL_SPARSE) {
        TRY(add_to_copy(call, &found, &changes));
    } else if (raises_dense(call, found.hll)) {
        changes = 1;
        call_edit_string(call, 1, found.hll.len, raise_dense, call, pfadd_event);
    }
    if (changes == 0) leave_raw(call, 1, &found);
    reply_int64(call->reply, changes > 0);
    return OK;
}

/* ---- PFCOUNT -------------------------------------------------------------------------------- */

static uint64_t keep_count(void *context, char *bytes, size_t len)
{
    (void)len;
    hll_set_cached(bytes, *(uint64_t *)context);
    return 1;
}

/* The estimate is kept in the value. That is a change, which enters the journal; a replica,
 * whose values are its primary's, keeps it only when told to. */
static enum err count_one(struct call *call, uint64_t *count)
{
    bool may_keep =
        call->flags & (CALL_FROM_PRIMARY | CALL_REPLAY) || !store_policy(call->store)->is_replica;
    struct found found;

    TRY(find_hll(call, 1, false, &found));
    *count = 0;
    if (found.entry == NULL) return OK;
    if (hll_cached(found.hll, count)) {
        leave_raw(call, 1, &found);
        return OK;
    }
    if (!hll_count(found.hll, count)) return corrupt(call);
    if (!may_keep) return OK;
    call_edit_string(call, 1, found.hll.len, keep_count, count, NO_EVENT);
    call_effect_verbatim(call);
    return OK;
}

/* Raises `registers` by all the keys from argv[1] on; *dense: one of them is. */
static enum err merge_all(struct call *call, uint8_t registers[static HLL_REGISTERS], bool *dense)
{
    *dense = false;
    memset(registers, 0, HLL_REGISTERS);
    for (int i = 1; i < call->argc; i++) {
        struct found found;
        TRY(find_hll(call, i, false, &found));
        if (found.entry == NULL) continue;
        *dense |= hll_form(found.hll) == HLL_DENSE;
        if (!hll_merge_into(registers, found.hll)) return corrupt(call);
    }
    return OK;
}

/* PFCOUNT key [key ...]: of several keys together nothing is kept. */
enum err cmd_pfcount(struct call *call)
{
    uint8_t registers[HLL_REGISTERS];
    uint64_t count;
    bool dense;

    if (call->argc == 2) {
        TRY(count_one(call, &count));
    } else {
        TRY(merge_all(call, registers, &dense));
        count = hll_estimate(registers);
    }
    reply_int64(call->reply, (int64_t)count);
    return OK;
}

/* ---- PFMERGE -------------------------------------------------------------------------------- */

/* PFMERGE destkey [sourcekey ...]: the destination counts as a source as well. */
enum err cmd_pfmerge(struct call *call)
{
    const size_t sparse_max = store_settings(call->store)->hll_sparse_max_bytes;
    uint8_t registers[HLL_REGISTERS];
    struct found found;
    struct buf hll = {0};
    bool dense;

    TRY(merge_all(call, registers, &dense));
    TRY(find_hll(call, 1, true, &found));
    if (found.entry == NULL) hll_empty(&hll);
    else buf_append_span(&hll, found.hll);
    if (dense) hll_to_dense(&hll); /* sound: it has been merged */
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        if (registers[i] > 0)
            hll_raise(&hll, (struct hll_mark){(uint16_t)i, registers[i]}, sparse_max);
    hll_spoil_cached(hll.ptr);
    put_hll(call, 1, &hll, 1, pfadd_event);
    buf_release(&hll);
    reply_ok(call->reply);
    return OK;
}

/* ---- looking inside ------------------------------------------------------------------------- */

static enum err make_dense(struct call *call, const struct found *found, bool *changed)
{
    struct buf hll = {0};

    *changed = false;
    if (hll_form(found->hll) == HLL_DENSE) return OK;
    buf_append_span(&hll, found->hll);
    *changed = hll_to_dense(&hll);
    if (*changed) put_hll(call, 2, &hll, 1, NO_EVENT);
    buf_release(&hll);
    return *changed ? OK : corrupt(call);
}

static enum err debug_registers(struct call *call, struct found *found)
{
    bool changed;

    TRY(make_dense(call, found, &changed));
    if (changed) TRY(find_hll(call, 2, true, found));
    reply_array(call->reply, HLL_REGISTERS);
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        reply_int64(call->reply, hll_dense_get(found->hll.ptr, i));
    return OK;
}

static enum err debug_decode(struct call *call, const struct found *found)
{
    struct buf text = {0};

    if (hll_form(found->hll) == HLL_DENSE) return call_fail(call, "ERR HLL encoding is not sparse");
    hll_describe(found->hll, &text);
    reply_bulk(call->reply, span_of(text.ptr, text.len > 0 ? text.len - 1 : 0));
    buf_release(&text);
    leave_raw(call, 2, found);
    return OK;
}

/* PFDEBUG GETREG | DECODE | ENCODING | TODENSE key */
enum err cmd_pfdebug(struct call *call)
{
    struct found found;
    bool changed;

    TRY(find_hll(call, 2, true, &found));
    if (found.entry == NULL) return call_fail(call, "ERR The specified key does not exist");
    if (call_arg_is(call, 1, "getreg")) return debug_registers(call, &found);
    if (call_arg_is(call, 1, "decode")) return debug_decode(call, &found);
    if (call_arg_is(call, 1, "encoding")) {
        reply_status(call->reply, hll_form(found.hll) == HLL_DENSE ? "dense" : "sparse");
        leave_raw(call, 2, &found);
        return OK;
    }
    if (!call_arg_is(call, 1, "todense"))
        return call_fail(call, "ERR Unknown PFDEBUG subcommand '%.*s'",
                         (int)(call->argv[1].len < 128 ? call->argv[1].len : 128),
                         call->argv[1].ptr);
    TRY(make_dense(call, &found, &changed));
    reply_int64(call->reply, changed);
    return OK;
}

/* ---- PFSELFTEST ----------------------------------------------------------------------------- */

/* Counts up to `total` numbers; returns the first count whose estimate is off by more than it
 * may be, by more than four standard errors, or 0. */
static uint64_t first_bad_estimate(uint64_t total, size_t sparse_max)
{
    struct buf hll = {0};
    uint64_t estimate = 0, bad = 0;

    hll_empty(&hll);
    for (uint64_t i = 1, look = 1; i <= total && bad == 0; i++) {
        hll_raise(&hll, hll_mark(span_of(&i, sizeof i)), sparse_max);
        if (i < look) continue;
        look *= 2;
        double slack =
            2 + 4 * (1.04 / 128) * (double)i; /* 128: the root of the number of registers */
        if (!hll_count(buf_span(&hll), &estimate) || fabs((double)estimate - (double)i) > slack)
            bad = i;
    }
    buf_release(&hll);
    return bad;
}

/* Every register of a dense value, written and read back with its neighbours as they were. */
static bool registers_stand_apart(void)
{
    struct buf hll = {0};
    bool sound = true;

    hll_empty(&hll);
    hll_to_dense(&hll);
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        hll_dense_raise(hll.ptr, (struct hll_mark){(uint16_t)i, (uint8_t)(1 + i * 7 % 51)});
    for (unsigned i = 0; i < HLL_REGISTERS; i++)
        sound = sound && hll_dense_get(hll.ptr, i) == 1 + i * 7 % 51;
    buf_release(&hll);
    return sound;
}

/* PFSELFTEST */
enum err cmd_pfselftest(struct call *call)
{
    uint64_t bad;

    if (!registers_stand_apart())
        return call_fail(call, "TESTFAILED A register is not what was written into it");
    bad = first_bad_estimate(100000, store_settings(call->store)->hll_sparse_max_bytes);
    if (bad > 0)
        return call_fail(call, "TESTFAILED Too large an error of the estimate at %llu elements",
                         (unsigned long long)bad);
    reply_ok(call->reply);
    return OK;
}
