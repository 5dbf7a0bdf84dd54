/* BITFIELD: integers of 1 to 64 bits at any place of a string.
 *
 * All operations are parsed before the first is carried out. What they write they write in one
 * passage of the door, the string being made long enough for all of them first. */
#include "cmd/bitmap.h"

#include "base/check.h"
#include "base/mem.h"
#include "ds/bits.h"
#include "handlers.h"

enum action { GET, SET, INCREASE };
enum overflow { WRAP, SATURATE, FAIL };

/* u1 to u63, i1 to i64 */
struct field_type {
    unsigned width;
    bool is_signed;
};

struct operation {
    enum action action;
    enum overflow overflow;
    struct field_type type;
    uint64_t offset; /* in bits */
    int64_t operand;
    /* The result. */
    bool failed;
    int64_t reply;
};

struct operations {
    struct operation *list;
    size_t count;
    uint64_t len; /* bytes that the string must have for what is written; 0: nothing is */
    bool grows;   /* the string was shorter than that */
};

/* ---- parsing -------------------------------------------------------------------------------- */

static enum err parse_type(struct call *call, int index, struct field_type *out)
{
    struct span text = call->argv[index];
    bool is_signed = text.len > 0 && text.ptr[0] == 'i';
    int64_t width;

    if (text.len < 2 || (!is_signed && text.ptr[0] != 'u') ||
        !num_parse_int64(span_of(text.ptr + 1, text.len - 1), &width) || width < 1 ||
        width > (is_signed ? 64 : 63))
        return call_fail(call,
                         "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                         "is not supported but i64 is.");
    *out = (struct field_type){(unsigned)width, is_signed};
    return OK;
}

static enum err parse_overflow(struct call *call, int index, enum overflow *out)
{
    if (call_arg_is(call, index, "WRAP")) *out = WRAP;
    else if (call_arg_is(call, index, "SAT")) *out = SATURATE;
    else if (call_arg_is(call, index, "FAIL")) *out = FAIL;
    else return call_fail(call, "ERR Invalid OVERFLOW type specified");
    return OK;
}

/* One operation from argv[*index] on, which is left behind its last argument. OVERFLOW is none:
 * it only says what those behind it do. */
static enum err parse_one(struct call *call, int *index, enum overflow *overflow,
                          struct operations *all)
{
    int at = *index, arguments = call->argc - at - 1;
    struct operation operation = {.overflow = *overflow};

    if (call_arg_is(call, at, "OVERFLOW") && arguments >= 1) {
        *index += 2;
        return parse_overflow(call, at + 1, overflow);
    }
    if (call_arg_is(call, at, "GET") && arguments >= 2) operation.action = GET;
    else if (call_arg_is(call, at, "SET") && arguments >= 3) operation.action = SET;
    else if (call_arg_is(call, at, "INCRBY") && arguments >= 3) operation.action = INCREASE;
    else return ERR_SYNTAX;
    TRY(parse_type(call, at + 1, &operation.type));
    TRY(bitmap_arg_offset(call, at + 2, operation.type.width, &operation.offset));
    if (operation.action != GET) {
        TRY(call_arg_int64(call, at + 3, &operation.operand));
        uint64_t len = (operation.offset + operation.type.width - 1) / 8 + 1;
        if (all->len < len) all->len = len;
    }
    all->list[all->count++] = operation;
    *index += operation.action == GET ? 3 : 4;
    return OK;
}

static enum err parse(struct call *call, struct operations *all)
{
    enum overflow overflow = WRAP;
    for (int i = 2; i < call->argc;) TRY(parse_one(call, &i, &overflow, all));
    return OK;
}

/* ---- arithmetic ----------------------------------------------------------------------------- */

static int64_t read_field(struct span bytes, const struct operation *operation)
{
    unsigned unused = 64 - operation->type.width;
    uint64_t value = bits_read(bytes, operation->offset, operation->type.width);
    if (!operation->type.is_signed) return (int64_t)value;
    return (int64_t)(value << unused) >> unused; /* the sign is the field's first bit */
}

/* Brings `wish` into the range of the type. False: it does not fit, and OVERFLOW FAIL was said. */
static bool fit(const struct operation *operation, __int128 wish, int64_t *out)
{
    const struct field_type type = operation->type;
    const __int128 one = 1;
    __int128 low = type.is_signed ? -(one << (type.width - 1)) : 0;
    __int128 high = type.is_signed ? (one << (type.width - 1)) - 1 : (one << type.width) - 1;

    if (wish < low || wish > high) {
        if (operation->overflow == FAIL) return false;
        /* What Redis takes for too high is also a SET so far below that the way to `high` does
         * not fit 64 bits. A replica computes this anew: it must come to the same. */
        bool is_low = wish < low && (operation->action != SET || high - wish <= INT64_MAX);
        if (operation->overflow == SATURATE) wish = is_low ? low : high;
    }
    /* What wraps is cut to the width by the writing, and read back by whoever replies with it. */
    *out = (int64_t)wish;
    return true;
}

/* Carries out a SET or INCRBY. Returns whether it counts as a change. */
static bool write_field(struct operation *operation, char *bytes, size_t len, bool grows)
{
    struct span field = span_of(bytes, len);
    int64_t old = read_field(field, operation), value;
    __int128 wish = operation->operand;

    if (operation->action == INCREASE) wish += old;
    else if (!operation->type.is_signed)
        wish = (uint64_t)operation->operand; /* -1 is far too high */
    if (!fit(operation, wish, &value)) {
        operation->failed = true;
        return false;
    }
    bits_write(bytes, operation->offset, operation->type.width, (uint64_t)value);
    value = read_field(field, operation);
    operation->reply = operation->action == SET ? old : value;
    return grows || value != old;
}

static uint64_t run_all(void *context, char *bytes, size_t len)
{
    struct operations *all = context;
    uint64_t changes = 0;

    for (size_t i = 0; i < all->count; i++) {
        struct operation *operation = &all->list[i];
        if (operation->action == GET) operation->reply = read_field(span_of(bytes, len), operation);
        else changes += write_field(operation, bytes, len, all->grows);
    }
    /* A string that has only become longer, since everything failed, has changed as well: Redis
     * keeps that to itself, and its replicas are different from then on. */
    return changes == 0 && all->grows ? 1 : changes;
}

/* ---- commands ------------------------------------------------------------------------------- */

static enum err execute(struct call *call, struct operations *all)
{
    const struct entry *entry;
    char scratch[NUM_INT64_CHARS];

    if (all->len == 0) {
        TRY(call_find(call, 1, TYPE_STRING, &entry));
        struct span bytes = bitmap_bytes(entry, scratch);
        for (size_t i = 0; i < all->count; i++)
            all->list[i].reply = read_field(bytes, &all->list[i]);
    } else {
        TRY(call_find_write(call, 1, TYPE_STRING, &entry));
        size_t len = bitmap_bytes(entry, scratch).len;
        all->grows = len < all->len;
        call_edit_string(call, 1, all->grows ? all->len : len, run_all, all,
                         EVENT(EVENT_STRING, "setbit"));
    }
    reply_array(call->reply, (int64_t)all->count);
    for (size_t i = 0; i < all->count; i++) {
        if (all->list[i].failed) reply_null(call->reply);
        else reply_int64(call->reply, all->list[i].reply);
    }
    return OK;
}

static enum err bitfield(struct call *call, bool reads_only)
{
    /* The shortest operation, GET type offset, has three arguments. */
    struct operations all = {.list = mem_alloc(((size_t)call->argc / 3 + 1) * sizeof *all.list)};
    enum err err = parse(call, &all);

    if (err == OK && reads_only && all.len > 0)
        err = call_fail(call, "ERR BITFIELD_RO only supports the GET subcommand");
    if (err == OK) err = execute(call, &all);
    mem_free(all.list);
    return err;
}

/* BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY
 * type offset increment] ... */
enum err cmd_bitfield(struct call *call)
{
    return bitfield(call, false);
}

/* BITFIELD_RO key [GET type offset] ... */
enum err cmd_bitfield_ro(struct call *call)
{
    return bitfield(call, true);
}
