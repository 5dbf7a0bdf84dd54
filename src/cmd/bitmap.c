/* Strings as rows of bits: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP. Integers in them stand in
 * bitfield.c. The order of checks and the error texts are those of Redis 7.0.15. */
#include "cmd/bitmap.h"

#include "base/mem.h"
#include "ds/bits.h"
#include "handlers.h"

enum err bitmap_arg_offset(struct call *call, int index, unsigned width, uint64_t *out)
{
    struct span text = call->argv[index];
    bool in_fields = width > 0 && text.len > 0 && text.ptr[0] == '#';
    int64_t offset;

    if (in_fields) text = span_of(text.ptr + 1, text.len - 1);
    if (!num_parse_int64(text, &offset) || (in_fields && !num_mul_int64(offset, width, &offset)) ||
        offset < 0 || (uint64_t)offset / 8 >= call_string_bytes_max(call))
        return call_fail(call, "ERR bit offset is not an integer or out of range");
    *out = (uint64_t)offset;
    return OK;
}

/* ---- one bit -------------------------------------------------------------------------------- */

struct bit_change {
    uint64_t offset;
    bool value, counts;
};

static uint64_t write_bit(void *context, char *bytes, size_t len)
{
    const struct bit_change *change = context;
    (void)len;
    bits_write(bytes, change->offset, 1, change->value);
    return change->counts;
}

/* SETBIT key offset value. A bit that has that value already is no change, but leaves the string
 * "raw", as in Redis. */
enum err cmd_setbit(struct call *call)
{
    const struct entry *entry;
    struct bit_change change;
    int64_t value;
    char scratch[NUM_INT64_CHARS];

    TRY(bitmap_arg_offset(call, 2, 0, &change.offset));
    if (!num_parse_int64(call->argv[3], &value) || (value != 0 && value != 1))
        return call_fail(call, "ERR bit is not an integer or out of range");
    TRY(call_find_write(call, 1, TYPE_STRING, &entry));

    struct span bytes = bitmap_bytes(entry, scratch);
    uint64_t len = change.offset / 8 + 1, old = bits_read(bytes, change.offset, 1);
    bool grows = bytes.len < len;
    change.value = value;
    change.counts = grows || old != (uint64_t)value;
    call_edit_string(call, 1, grows ? len : bytes.len, write_bit, &change,
                     EVENT(EVENT_STRING, "setbit"));
    reply_int64(call->reply, (int64_t)old);
    return OK;
}

/* GETBIT key offset */
enum err cmd_getbit(struct call *call)
{
    const struct entry *entry;
    uint64_t offset;
    char scratch[NUM_INT64_CHARS];

    TRY(bitmap_arg_offset(call, 2, 0, &offset));
    TRY(call_find(call, 1, TYPE_STRING, &entry));
    reply_int64(call->reply, (int64_t)bits_read(bitmap_bytes(entry, scratch), offset, 1));
    return OK;
}

/* ---- ranges --------------------------------------------------------------------------------- */

/* Bytes or bits from `start` to `end`, both inclusive, negative ones counted from behind. */
struct bit_range {
    int64_t start, end;
    bool in_bits;
};

static enum err parse_unit(const struct call *call, int index, struct bit_range *range)
{
    if (call_arg_is(call, index, "BIT")) range->in_bits = true;
    else if (call_arg_is(call, index, "BYTE")) range->in_bits = false;
    else return ERR_SYNTAX;
    return OK;
}

/* The bits [*from, *to) of a string of `len` bytes that the range means; none: *from >= *to. */
static void clip(struct bit_range range, size_t len, uint64_t *from, uint64_t *to)
{
    int64_t total = (int64_t)len * (range.in_bits ? 8 : 1);

    if (range.start < 0) range.start += total;
    if (range.end < 0) range.end += total;
    if (range.start < 0) range.start = 0;
    if (range.end < 0) range.end = 0;
    if (range.end >= total) range.end = total - 1;
    *from = *to = 0;
    if (range.start > range.end) return;
    unsigned scale = range.in_bits ? 1 : 8;
    *from = (uint64_t)range.start * scale;
    *to = (uint64_t)(range.end + 1) * scale;
}

/* *empty: the wrong way round while both ends count from behind, which BITPOS knows nothing of.
 * Then the unit is not looked at. */
static enum err parse_count_range(struct call *call, struct bit_range *range, bool *empty)
{
    *range = (struct bit_range){0, -1, false};
    *empty = false;
    if (call->argc == 2) return OK;
    if (call->argc != 4 && call->argc != 5) return ERR_SYNTAX;
    TRY(call_arg_int64(call, 2, &range->start));
    TRY(call_arg_int64(call, 3, &range->end));
    *empty = range->start < 0 && range->end < 0 && range->start > range->end;
    return *empty || call->argc == 4 ? OK : parse_unit(call, 4, range);
}

/* BITCOUNT key [start end [BYTE | BIT]]. A missing key's range is not looked at. */
enum err cmd_bitcount(struct call *call)
{
    const struct entry *entry;
    struct bit_range range;
    bool empty = true;
    uint64_t from, to, count = 0;
    char scratch[NUM_INT64_CHARS];

    TRY(call_find(call, 1, TYPE_STRING, &entry));
    if (entry != NULL) TRY(parse_count_range(call, &range, &empty));
    if (!empty) {
        struct span bytes = entry_string(entry, scratch);
        clip(range, bytes.len, &from, &to);
        count = bits_count(bytes.ptr, from, to);
    }
    reply_int64(call->reply, (int64_t)count);
    return OK;
}

static enum err parse_position_range(struct call *call, struct bit_range *range)
{
    *range = (struct bit_range){0, -1, false};
    if (call->argc > 6) return ERR_SYNTAX;
    if (call->argc > 3) TRY(call_arg_int64(call, 3, &range->start));
    if (call->argc > 5) TRY(parse_unit(call, 5, range));
    if (call->argc > 4) TRY(call_arg_int64(call, 4, &range->end));
    return OK;
}

/* BITPOS key bit [start [end [BYTE | BIT]]]. Where no end is given the string continues in
 * zeros: so the first 0 of a string of ones is the bit behind it. */
enum err cmd_bitpos(struct call *call)
{
    const struct entry *entry;
    struct bit_range range;
    int64_t bit;
    uint64_t from, to;
    char scratch[NUM_INT64_CHARS];

    TRY(call_arg_int64(call, 2, &bit));
    if (bit != 0 && bit != 1) return call_fail(call, "ERR The bit argument must be 1 or 0.");
    TRY(call_find(call, 1, TYPE_STRING, &entry));
    if (entry == NULL) {
        reply_int64(call->reply, bit == 1 ? -1 : 0);
        return OK;
    }
    TRY(parse_position_range(call, &range));
    struct span bytes = entry_string(entry, scratch);
    clip(range, bytes.len, &from, &to);
    uint64_t position = bits_find(bytes.ptr, bit == 1, from, to);
    if (position == BITS_NONE && bit == 0 && call->argc < 5 && from < to) position = to;
    reply_int64(call->reply, position == BITS_NONE ? -1 : (int64_t)position);
    return OK;
}

/* ---- BITOP ---------------------------------------------------------------------------------- */

static enum err parse_operation(struct call *call, enum bits_operation *out)
{
    static const char *const words[] = {
        [BITS_AND] = "AND", [BITS_OR] = "OR", [BITS_XOR] = "XOR", [BITS_NOT] = "NOT"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!call_arg_is(call, 1, words[i])) continue;
        if (i == BITS_NOT && call->argc != 4)
            return call_fail(call, "ERR BITOP NOT must be called with a single source key.");
        *out = (enum bits_operation)i;
        return OK;
    }
    return ERR_SYNTAX;
}

/* The sources, read as they are: their types were looked at, and what had expired is gone. */
static void read_sources(struct call *call, struct span *sources, char (*scratch)[NUM_INT64_CHARS])
{
    for (int i = 3; i < call->argc; i++) {
        struct key key = call_key(call, i);
        const struct entry *entry =
            store_find(call->store, call->db, &key, FIND_NO_TOUCH | FIND_NO_STATS | FIND_NO_EVENT);
        sources[i - 3] = bitmap_bytes(entry, scratch[i - 3]);
    }
}

static struct entry *combine(struct call *call, enum bits_operation operation, size_t len)
{
    size_t count = (size_t)call->argc - 3;
    struct span *sources = mem_alloc(count * sizeof *sources);
    char(*scratch)[NUM_INT64_CHARS] = mem_alloc(count * sizeof *scratch);
    char *bytes;
    struct entry *made = entry_new_raw(call->argv[2], NO_DEADLINE, len, &bytes);

    read_sources(call, sources, scratch);
    bits_combine(operation, bytes, len, sources, count);
    mem_free(scratch);
    mem_free(sources);
    return made;
}

/* BITOP AND | OR | XOR | NOT destkey key [key ...]: replies with the length of the result, which
 * is that of the longest source. An empty result deletes the destination. */
enum err cmd_bitop(struct call *call)
{
    enum bits_operation operation;
    size_t len = 0;

    TRY(parse_operation(call, &operation));
    for (int i = 3; i < call->argc; i++) {
        const struct entry *entry;
        TRY(call_find(call, i, TYPE_STRING, &entry));
        if (entry != NULL && entry_string_len(entry) > len) len = entry_string_len(entry);
    }
    struct key key = call_key(call, 2);
    if (len == 0) {
        store_vacate(call->store, call->db, &key);
    } else {
        store_put_result(call->store, call->db, &key, combine(call, operation, len),
                         EVENT(EVENT_STRING, "set"));
    }
    reply_int64(call->reply, (int64_t)len);
    return OK;
}
