/* LCS: the longest common subsequence of two strings.
 *
 * The lengths L(i,j) for the first i bytes of a and j of b grow along a row by 0 or 1, so a row is
 * kept as one bit per column (set: no growth) and the next one is made 64 columns at a time:
 *     V' = (V + (V & M)) | (V & ~M),   M: where b holds the byte of a that this row is about
 * (Crochemore, Iliopoulos, Pinzon, Reid 2001). The way back needs nothing else: at (i,j) with
 * different bytes L(i-1,j) > L(i,j-1) exactly where row i grows at column j. That takes a bit where
 * Redis takes 32, and a fortieth of its time; its limit on the sizes is kept, see check_sizes. */
#include "base/mem.h"
#include "cmd/call.h"
#include "handlers.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bits of a row are read by bytes");

struct lcs_options {
    bool len, idx, with_match_len;
    int64_t match_len_min;
};

/* ---- rows ---- */

struct rows {
    struct span a, b;
    size_t words;         /* of a row in the making */
    size_t stride;        /* bytes of a kept row */
    uint64_t *current;    /* the last row made */
    uint64_t *masks;      /* one row for each different byte of a */
    unsigned char *kept;  /* rows 1 to a.len, NULL where nobody will ask */
    int16_t mask_of[256]; /* index of a byte's mask, -1 */
    size_t length;        /* the result, L(a.len, b.len) */
};

static void release_rows(struct rows *rows)
{
    mem_free(rows->current);
    mem_free(rows->masks);
    mem_free(rows->kept);
}

static bool make_masks(struct rows *rows)
{
    size_t count = 0;
    for (int i = 0; i < 256; i++) rows->mask_of[i] = -1;
    for (size_t i = 0; i < rows->a.len; i++) {
        int16_t *mask = &rows->mask_of[(unsigned char)rows->a.ptr[i]];
        if (*mask < 0) *mask = (int16_t)count++;
    }
    size_t bytes = (count + 1) * rows->words * sizeof(uint64_t);
    rows->masks = mem_try_alloc(bytes);
    if (rows->masks == NULL) return false;
    memset(rows->masks, 0, bytes);
    for (size_t j = 0; j < rows->b.len; j++) {
        int16_t mask = rows->mask_of[(unsigned char)rows->b.ptr[j]];
        if (mask >= 0) rows->masks[(size_t)mask * rows->words + j / 64] |= (uint64_t)1 << j % 64;
    }
    return true;
}

static void make_next_row(struct rows *rows, unsigned char byte)
{
    const uint64_t *mask = rows->masks + (size_t)rows->mask_of[byte] * rows->words;
    uint64_t *row = rows->current;
    unsigned carry = 0;
    for (size_t w = 0; w < rows->words; w++) {
        uint64_t hits = row[w] & mask[w], sum;
        unsigned overflow = __builtin_add_overflow(row[w], hits, &sum);
        overflow |= __builtin_add_overflow(sum, carry, &sum);
        carry = overflow;
        row[w] = sum | (row[w] & ~mask[w]);
    }
}

static size_t count_growth(const struct rows *rows)
{
    size_t count = 0;
    for (size_t w = 0; w < rows->words; w++) {
        uint64_t grows = ~rows->current[w];
        size_t columns = rows->b.len - w * 64;
        if (columns < 64) grows &= ((uint64_t)1 << columns) - 1;
        count += (size_t)__builtin_popcountll(grows);
    }
    return count;
}

/* False where there is no memory. `rows` is to be released in any case. */
static bool make_rows(struct rows *rows, struct span a, struct span b, bool keep)
{
    *rows = (struct rows){.a = a, .b = b, .words = (b.len + 63) / 64, .stride = (b.len + 7) / 8};
    rows->current = mem_try_alloc(rows->words * sizeof(uint64_t));
    if (rows->current == NULL || !make_masks(rows)) return false;
    if (keep) {
        rows->kept = mem_try_alloc(a.len * rows->stride);
        if (rows->kept == NULL) return false;
    }
    if (b.len > 0) memset(rows->current, 0xff, rows->words * sizeof(uint64_t));
    for (size_t i = 0; i < a.len && b.len > 0; i++) {
        make_next_row(rows, (unsigned char)a.ptr[i]);
        if (keep) memcpy(rows->kept + i * rows->stride, rows->current, rows->stride);
    }
    rows->length = count_growth(rows);
    return true;
}

/* Whether L(i,j) > L(i,j-1); i and j count from 1. */
static bool grows_at(const struct rows *rows, size_t i, size_t j)
{
    unsigned char byte = rows->kept[(i - 1) * rows->stride + (j - 1) / 8];
    return !(byte >> (j - 1) % 8 & 1);
}

/* ---- the way back ---- */

struct range { /* len bytes, from these indices on */
    size_t a, b, len;
};

static void reply_range(struct reply *reply, const struct range *range, bool with_len)
{
    reply_array(reply, with_len ? 3 : 2);
    reply_array(reply, 2);
    reply_int64(reply, (int64_t)range->a);
    reply_int64(reply, (int64_t)(range->a + range->len - 1));
    reply_array(reply, 2);
    reply_int64(reply, (int64_t)range->b);
    reply_int64(reply, (int64_t)(range->b + range->len - 1));
    if (with_len) reply_int64(reply, (int64_t)range->len);
}

/* The next range before (*i, *j), from behind; its len is 0 when there is none. */
static struct range previous_range(const struct rows *rows, size_t *i, size_t *j)
{
    struct range range = {0, 0, 0};
    while (*i > 0 && *j > 0) {
        if (rows->a.ptr[*i - 1] == rows->b.ptr[*j - 1]) {
            range = (struct range){--*i, --*j, range.len + 1};
        } else if (range.len > 0) {
            break;
        } else if (grows_at(rows, *i, *j)) {
            --*i;
        } else {
            --*j;
        }
    }
    return range;
}

static void reply_indexes(struct reply *reply, const struct rows *rows,
                          const struct lcs_options *options)
{
    size_t i = rows->a.len, j = rows->b.len;
    int64_t count = 0;

    reply_map(reply, 2);
    reply_bulk_cstr(reply, "matches");
    size_t position = reply_defer(reply);
    for (;;) {
        struct range range = previous_range(rows, &i, &j);
        if (range.len == 0) break;
        if ((int64_t)range.len < options->match_len_min) continue;
        reply_range(reply, &range, options->with_match_len);
        count++;
    }
    reply_settle(reply, position, REPLY_ARRAY, count);
    reply_bulk_cstr(reply, "len");
    reply_int64(reply, (int64_t)rows->length);
}

static void reply_subsequence(struct reply *reply, const struct rows *rows)
{
    size_t i = rows->a.len, j = rows->b.len, left = rows->length;
    char *bytes = mem_alloc(left);
    for (;;) {
        struct range range = previous_range(rows, &i, &j);
        if (range.len == 0) break;
        left -= range.len;
        memcpy(bytes + left, rows->a.ptr + range.a, range.len);
    }
    reply_bulk(reply, span_of(bytes, rows->length));
    mem_free(bytes);
}

/* ---- the command ---- */

static enum err find_strings(struct call *call, struct span *a, struct span *b,
                             char scratch[2][NUM_INT64_CHARS])
{
    const char *text = "ERR The specified keys must contain string values";
    const struct key first = call_key(call, 1), second = call_key(call, 2);

    const struct entry *found = store_find(call->store, call->db, &first, 0);
    const struct entry *other = store_find(call->store, call->db, &second, 0);
    if ((found != NULL && entry_type(found) != TYPE_STRING) ||
        (other != NULL && entry_type(other) != TYPE_STRING))
        return call_fail(call, "%s", text);
    *a = found == NULL ? span_of(NULL, 0) : entry_string(found, scratch[0]);
    *b = other == NULL ? span_of(NULL, 0) : entry_string(other, scratch[1]);
    return OK;
}

static enum err parse_options(struct call *call, struct lcs_options *options)
{
    for (int i = 3; i < call->argc; i++) {
        if (call_arg_is(call, i, "LEN")) {
            options->len = true;
        } else if (call_arg_is(call, i, "IDX")) {
            options->idx = true;
        } else if (call_arg_is(call, i, "WITHMATCHLEN")) {
            options->with_match_len = true;
        } else if (call_arg_is(call, i, "MINMATCHLEN") && i + 1 < call->argc) {
            TRY(call_arg_int64(call, ++i, &options->match_len_min));
        } else {
            return ERR_SYNTAX;
        }
    }
    if (options->len && options->idx)
        return call_fail(call, "ERR If you want both the length and indexes, please just use IDX.");
    return OK;
}

/* Redis' bound: a table of 32-bit lengths must fit proto-max-bulk-len. */
static enum err check_sizes(struct call *call, size_t a, size_t b)
{
    uint64_t bytes;

    if (a >= UINT32_MAX - 1 || b >= UINT32_MAX - 1)
        return call_fail(call, "ERR String too long for LCS");
    if (__builtin_mul_overflow((uint64_t)a + 1, ((uint64_t)b + 1) * 4, &bytes) ||
        bytes > call->limits->bulk_bytes_max)
        return call_fail(call, "ERR Insufficient memory, transient memory for LCS exceeds "
                               "proto-max-bulk-len");
    return OK;
}

/* LCS key key [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN] */
enum err cmd_lcs(struct call *call)
{
    struct lcs_options options = {0};
    struct span a, b;
    struct rows rows;
    char scratch[2][NUM_INT64_CHARS];

    TRY(find_strings(call, &a, &b, scratch));
    TRY(parse_options(call, &options));
    TRY(check_sizes(call, a.len, b.len));
    if (!make_rows(&rows, a, b, !options.len)) {
        release_rows(&rows);
        return call_fail(call,
                         "ERR Insufficient memory, failed allocating transient memory for LCS");
    }
    if (options.len) reply_int64(call->reply, (int64_t)rows.length);
    else if (options.idx) reply_indexes(call->reply, &rows, &options);
    else reply_subsequence(call->reply, &rows);
    release_rows(&rows);
    return OK;
}
