#include "proto/request.h"

#include "base/ascii.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"

/* An argv that a huge command made this large is given back when a small one follows. */
#define ARGV_KEPT_MAX 1024
#define ARGV_MIN      8

void request_init(struct request *request)
{
    *request = (struct request){.args_left = -1, .bulk_len = -1};
}

void request_release(struct request *request)
{
    mem_free(request->argv);
    buf_release(&request->arena);
    request_init(request);
}

void request_reset(struct request *request)
{
    request->args_left = -1;
    request->bulk_len = -1;
    request->scanned = 0;
    request->argc = 0;
    if (request->arena.ptr != NULL) buf_release(&request->arena);
}

static enum request_status broken(struct request *request, const char *text, const char **error)
{
    request_reset(request);
    *error = text;
    return REQUEST_BROKEN;
}

/* Room for one more argument; `expected` is how many may come in all. */
static void grow_argv(struct request *request, int expected)
{
    int wish = request->capacity > INT_MAX / 2 ? INT_MAX : request->capacity * 2;
    if (wish < ARGV_MIN) wish = ARGV_MIN;
    if (wish < expected && wish < ARGV_KEPT_MAX)
        wish = expected < ARGV_KEPT_MAX ? expected : ARGV_KEPT_MAX;
    request->argv = mem_realloc(request->argv, (size_t)wish * sizeof *request->argv);
    request->capacity = wish;
}

static void shrink_argv(struct request *request, int expected)
{
    if (request->capacity <= ARGV_KEPT_MAX || expected > ARGV_KEPT_MAX) return;
    mem_free(request->argv);
    request->argv = NULL;
    request->capacity = 0;
}

static inline void push_argument(struct request *request, struct span argument, int expected)
{
    if (__builtin_expect(request->argc == request->capacity, 0)) grow_argv(request, expected);
    request->argv[request->argc++] = argument;
}

/* The buffer has moved: so do the arguments found so far. */
static void rebase(struct request *request, const char *base)
{
    for (int i = 0; i < request->argc; i++) {
        uintptr_t offset = (uintptr_t)request->argv[i].ptr - (uintptr_t)request->base;
        request->argv[i].ptr = base + offset;
    }
    request->base = base;
}

/* ---- words of a line ---- */

enum word { WORD_FOUND, WORD_NONE, WORD_UNBALANCED };

static char unescaped(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
    }
}

/* Copies the inside of a quoted stretch, from behind the opening quote. Returns the position behind
 * the closing one, NULL when there is none or when it does not end the word. */
static const char *copy_quoted(const char *p, const char *end, char quote, struct buf *arena)
{
    for (; p < end && *p != quote; p++) {
        char c = *p;
        if (c == '\\' && quote == '"' && end - p > 3 && p[1] == 'x' && ascii_hex_value(p[2]) >= 0 &&
            ascii_hex_value(p[3]) >= 0) {
            c = (char)(ascii_hex_value(p[2]) << 4 | ascii_hex_value(p[3]));
            p += 3;
        } else if (c == '\\' && quote == '"' && end - p > 1) {
            c = unescaped(*++p);
        } else if (c == '\\' && quote == '\'' && end - p > 1 && p[1] == '\'') {
            c = *++p;
        }
        buf_append_char(arena, c);
    }
    if (p == end) return NULL;
    p++;
    return p == end || ascii_is_space(*p) ? p : NULL;
}

static bool ends_word(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word of [*at, end). Without quotes it is borrowed from the line, with quotes its bytes
 * stand in the arena, where the caller has made room for the whole line. */
static enum word next_word(const char **at, const char *end, struct buf *arena, struct span *out)
{
    const char *p = *at;
    while (p < end && ascii_is_space(*p)) p++;
    if (p == end) return WORD_NONE;
    const char *start = p;
    while (p < end && !ends_word(*p) && *p != '"' && *p != '\'') p++;
    if (p == end || ends_word(*p)) {
        *out = span_of(start, (size_t)(p - start));
        *at = p;
        return WORD_FOUND;
    }
    size_t first = arena->len;
    buf_append(arena, start, (size_t)(p - start));
    /* A quote that closes ends the word, so there is one quoted stretch at most. */
    p = copy_quoted(p + 1, end, *p, arena);
    if (p == NULL) return WORD_UNBALANCED;
    *out = span_of(arena->ptr + first, arena->len - first);
    *at = p;
    return WORD_FOUND;
}

int request_split_line(struct span line, struct buf *arena, struct span *out, int max)
{
    const char *at = line.ptr, *end = line.ptr + line.len;
    struct span word;
    int count = 0;
    buf_reserve(arena, line.len);
    for (;;) {
        enum word found = next_word(&at, end, arena, &word);
        if (found == WORD_UNBALANCED) return -1;
        if (found == WORD_NONE) return count;
        if (count == max) return -2;
        if (word.ptr >= line.ptr && word.ptr < end) {
            size_t first = arena->len;
            buf_append_span(arena, word);
            word.ptr = arena->ptr + first;
        }
        out[count++] = word;
    }
}

/* ---- commands ---- */

static enum request_status parse_inline(struct request *request, struct span bytes,
                                        size_t *consumed, size_t *want, const char **error)
{
    const char *feed = memchr(bytes.ptr, '\n', bytes.len);
    if (feed == NULL) {
        if (bytes.len > REQUEST_INLINE_BYTES_MAX)
            return broken(request, "too big inline request", error);
        *want = 0;
        return REQUEST_MORE;
    }
    const char *at = bytes.ptr, *end = feed;
    if (end > at && end[-1] == '\r') end--;
    request->is_inline = true;
    request->is_canonical = false;
    request->argc = 0;
    shrink_argv(request, 0);
    if (memchr(at, '"', (size_t)(end - at)) != NULL || memchr(at, '\'', (size_t)(end - at)) != NULL)
        buf_reserve(&request->arena, (size_t)(end - at));
    for (;;) {
        struct span word;
        enum word found = next_word(&at, end, &request->arena, &word);
        if (found == WORD_UNBALANCED) return broken(request, "unbalanced quotes in request", error);
        if (found == WORD_NONE) break;
        push_argument(request, word, 0);
    }
    *consumed = (size_t)(feed + 1 - bytes.ptr);
    return REQUEST_READY;
}

enum number { NUMBER_READ, NUMBER_MISSING, NUMBER_ENDLESS, NUMBER_BAD };

/* Reads the decimal between `p` and its carriage return; *next is behind the line feed. The plain
 * case is one loop without calls; the rest (signs, more than 18 digits, nonsense) may be slow. */
static inline enum number read_number(const char *p, const char *end, int64_t *out,
                                      const char **next)
{
    const char *q = p;
    uint64_t value = 0;
    unsigned digit;
    while (q < end && (digit = (unsigned)(*q - '0')) <= 9) {
        value = value * 10 + digit;
        q++;
    }
    if (__builtin_expect(end - q >= 2 && *q == '\r' && (size_t)(q - p) - 1 < 18 &&
                             (*p != '0' || q - p == 1),
                         1)) {
        *out = (int64_t)value;
        *next = q + 2;
        return NUMBER_READ;
    }
    q = memchr(p, '\r', (size_t)(end - p));
    if (q == NULL) return end - p > REQUEST_INLINE_BYTES_MAX ? NUMBER_ENDLESS : NUMBER_MISSING;
    if (end - q < 2) return NUMBER_MISSING;
    *next = q + 2;
    return num_parse_int64(span_of(p, (size_t)(q - p)), out) ? NUMBER_READ : NUMBER_BAD;
}

static enum request_status unexpected(struct request *request, char got, const char **error)
{
    request_reset(request); /* before the text is made: it stands in the arena */
    buf_append_span(&request->arena, SPAN("expected '$', got '"));
    buf_append_char(&request->arena, got != 0 ? got : ' ');
    buf_append(&request->arena, "'", 2);
    *error = request->arena.ptr;
    return REQUEST_BROKEN;
}

/* The header of an argument at `p`: its length into request->bulk_len, *next behind it. */
static inline enum request_status parse_bulk_header(struct request *request, const char *p,
                                                    const char *end,
                                                    const struct request_limits *limits,
                                                    const char **next, const char **error)
{
    int64_t len;
    if (p == end) return REQUEST_MORE;
    if (__builtin_expect(*p != '$', 0)) {
        /* As Redis, which looks at the byte once the line has ended. */
        const char *cr = memchr(p, '\r', (size_t)(end - p));
        if (cr == NULL && end - p > REQUEST_INLINE_BYTES_MAX)
            return broken(request, "too big bulk count string", error);
        if (cr == NULL || end - cr < 2) return REQUEST_MORE;
        return unexpected(request, *p, error);
    }
    switch (read_number(p + 1, end, &len, next)) {
    case NUMBER_READ: break;
    case NUMBER_MISSING: return REQUEST_MORE;
    case NUMBER_ENDLESS: return broken(request, "too big bulk count string", error);
    case NUMBER_BAD: return broken(request, "invalid bulk length", error);
    }
    request->is_canonical &= (*next)[-1] == '\n';
    if (len < 0 || (uint64_t)len > limits->bulk_bytes_max)
        return broken(request, "invalid bulk length", error);
    if (!limits->authenticated && len > REQUEST_UNKNOWN_BULK_MAX)
        return broken(request, "unauthenticated bulk length", error);
    request->bulk_len = len;
    return REQUEST_READY;
}

/* The header of a command, at the start of `bytes`. READY means that arguments may follow. */
static inline enum request_status parse_count(struct request *request, struct span bytes,
                                              const struct request_limits *limits,
                                              const char **error)
{
    int64_t count;
    const char *next;
    switch (read_number(bytes.ptr + 1, bytes.ptr + bytes.len, &count, &next)) {
    case NUMBER_READ: break;
    case NUMBER_MISSING: return REQUEST_MORE;
    case NUMBER_ENDLESS: return broken(request, "too big mbulk count string", error);
    case NUMBER_BAD: return broken(request, "invalid multibulk length", error);
    }
    if (count > REQUEST_ARGS_MAX) return broken(request, "invalid multibulk length", error);
    if (!limits->authenticated && count > REQUEST_UNKNOWN_ARGS_MAX)
        return broken(request, "unauthenticated multibulk length", error);
    request->is_inline = false;
    request->is_canonical = count > 0 && next[-1] == '\n';
    request->args_left = count > 0 ? (int)count : 0;
    request->argc = 0;
    request->scanned = (size_t)(next - bytes.ptr);
    request->base = bytes.ptr;
    shrink_argv(request, request->args_left);
    return REQUEST_READY;
}

/* A number of one or two digits, without leading zeros, which nearly all are. Returns where the line behind it ends,
 * NULL where there is another kind of number, or not four bytes. */
static inline const char *read_short_number(const char *p, const char *end, unsigned *number)
{
    if (__builtin_expect(end - p < 4, 0)) return NULL;
    unsigned value = (unsigned)(uint8_t)p[0] - '0';
    if (value > 9) return NULL;
    if (p[1] != '\r') {
        unsigned units = (unsigned)(uint8_t)p[1] - '0';
        if (units > 9 || value == 0 || p[2] != '\r') return NULL;
        value = value * 10 + units;
        p++;
    }
    *number = value;
    return p + 3;
}

struct plain {
    const char *at;    /* behind what was taken */
    bool is_canonical; /* what was taken */
    int count;         /* arguments taken */
};

/* Takes up to `wanted` arguments at `p` that are whole and have a short length. */
static inline struct plain take_plain(struct span *argv, const char *p, const char *end, int wanted)
{
    struct plain taken = {p, true, 0};

    while (taken.count < wanted && p < end && *p == '$') {
        unsigned len;
        const char *argument = read_short_number(p + 1, end, &len);
        if (argument == NULL || (size_t)(end - argument) < len + 2u) break;
        p = argument + len + 2;
        taken.is_canonical &= argument[-1] == '\n' && p[-2] == '\r' && p[-1] == '\n';
        argv[taken.count++] = span_of(argument, len);
    }
    taken.at = p;
    return taken;
}

/* A whole command of short numbers, in one go. Returns its bytes; 0 where there is none, which changes nothing. */
static size_t parse_plain(struct request *request, struct span bytes)
{
    const char *end = bytes.ptr + bytes.len;
    unsigned count;

    if (*bytes.ptr != '*' || request->capacity > ARGV_KEPT_MAX) return 0;
    const char *first = read_short_number(bytes.ptr + 1, end, &count);
    if (first == NULL || count == 0 || count > REQUEST_UNKNOWN_ARGS_MAX ||
        (int)count > request->capacity)
        return 0;
    struct plain taken = take_plain(request->argv, first, end, (int)count);
    if (taken.count < (int)count) return 0;
    request->argc = (int)count;
    request->is_inline = false;
    request->is_canonical = taken.is_canonical && first[-1] == '\n';
    return (size_t)(taken.at - bytes.ptr);
}

enum request_status request_parse(struct request *request, struct span bytes,
                                  const struct request_limits *limits, size_t *consumed,
                                  size_t *want, const char **error)
{
    const char *end = bytes.ptr + bytes.len;
    *want = 0;
    if (bytes.len == 0) return REQUEST_MORE;
    if (request->args_left < 0) {
        if (__builtin_expect(request->arena.ptr != NULL, 0)) buf_release(&request->arena);
        *consumed = parse_plain(request, bytes);
        if (*consumed > 0) return REQUEST_READY;
        if (*bytes.ptr != '*') return parse_inline(request, bytes, consumed, want, error);
        enum request_status status = parse_count(request, bytes, limits, error);
        if (status != REQUEST_READY) return status;
    } else if (request->base != bytes.ptr) {
        rebase(request, bytes.ptr);
    }
    check(request->scanned <= bytes.len);

    const char *p = bytes.ptr + request->scanned;
    int room = request->capacity - request->argc;
    if (request->bulk_len < 0 && room > 0) {
        struct plain taken = take_plain(request->argv + request->argc, p, end,
                                        request->args_left < room ? request->args_left : room);
        request->argc += taken.count;
        request->args_left -= taken.count;
        request->is_canonical &= taken.is_canonical;
        p = taken.at;
        request->scanned = (size_t)(p - bytes.ptr);
    }
    while (request->args_left > 0) {
        if (request->bulk_len < 0) {
            enum request_status status = parse_bulk_header(request, p, end, limits, &p, error);
            if (status == REQUEST_BROKEN) return status;
            request->scanned = (size_t)(p - bytes.ptr);
            if (status == REQUEST_MORE) return status;
        }
        uint64_t needed = (uint64_t)request->bulk_len + 2;
        if ((uint64_t)(end - p) < needed) {
            *want = needed - (uint64_t)(end - p);
            return REQUEST_MORE;
        }
        push_argument(request, span_of(p, (size_t)request->bulk_len),
                      request->argc + request->args_left);
        p += needed;
        request->is_canonical &= p[-2] == '\r' && p[-1] == '\n';
        request->scanned += needed;
        request->bulk_len = -1;
        request->args_left--;
    }
    *consumed = request->scanned;
    request->scanned = 0;
    request->args_left = -1;
    return REQUEST_READY;
}
