#include "persist/manifest.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/request.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#define WORDS_MAX 64

static char *copy_name(struct span name)
{
    char *copy = mem_alloc(name.len + 1);

    memcpy(copy, name.ptr, name.len);
    copy[name.len] = '\0';
    return copy;
}

/* Puts a file behind the last one of its type; the types stand in the order base, history, incr. */
static struct manifest_file *put(struct manifest *manifest, struct span name, uint64_t seq,
                                 enum manifest_type type)
{
    size_t at = manifest->count;

    if (manifest->count == manifest->cap) {
        manifest->cap = manifest->cap == 0 ? 8 : manifest->cap * 2;
        manifest->files = mem_realloc(manifest->files, manifest->cap * sizeof *manifest->files);
    }
    while (at > 0 && manifest->files[at - 1].type != MANIFEST_BASE &&
           (type == MANIFEST_BASE ||
            (type == MANIFEST_HISTORY && manifest->files[at - 1].type == MANIFEST_INCR)))
        at--;
    memmove(manifest->files + at + 1, manifest->files + at,
            (manifest->count - at) * sizeof *manifest->files);
    manifest->count++;
    manifest->files[at] = (struct manifest_file){copy_name(name), seq, type};
    if (type == MANIFEST_BASE && seq > manifest->base_seq) manifest->base_seq = seq;
    if (type == MANIFEST_INCR && seq > manifest->incr_seq) manifest->incr_seq = seq;
    return &manifest->files[at];
}

static void take_out(struct manifest *manifest, size_t at)
{
    mem_free(manifest->files[at].name);
    memmove(manifest->files + at, manifest->files + at + 1,
            (--manifest->count - at) * sizeof *manifest->files);
}

void manifest_release(struct manifest *manifest)
{
    while (manifest->count > 0) take_out(manifest, manifest->count - 1);
    mem_free(manifest->files);
    *manifest = (struct manifest){0};
}

void manifest_copy(struct manifest *to, const struct manifest *from)
{
    *to = (struct manifest){.base_seq = from->base_seq, .incr_seq = from->incr_seq};
    for (size_t i = 0; i < from->count; i++)
        put(to, span_of_cstr(from->files[i].name), from->files[i].seq, from->files[i].type);
}

/* ---- looking ----------------------------------------------------------------------------------- */

const struct manifest_file *manifest_base(const struct manifest *manifest)
{
    if (manifest->count == 0 || manifest->files[0].type != MANIFEST_BASE) return NULL;
    return &manifest->files[0];
}

static size_t count_type(const struct manifest *manifest, enum manifest_type type)
{
    size_t count = 0;

    for (size_t i = 0; i < manifest->count; i++) count += manifest->files[i].type == type;
    return count;
}

size_t manifest_incr_count(const struct manifest *manifest)
{
    return count_type(manifest, MANIFEST_INCR);
}

size_t manifest_history_count(const struct manifest *manifest)
{
    return count_type(manifest, MANIFEST_HISTORY);
}

const struct manifest_file *manifest_incr(const struct manifest *manifest, int index)
{
    int count = (int)manifest_incr_count(manifest);

    if (index < 0) index += count;
    if (index < 0 || index >= count) return NULL;
    return &manifest->files[manifest->count - (size_t)count + (size_t)index];
}

/* ---- changing ---------------------------------------------------------------------------------- */

const char *manifest_add_base(struct manifest *manifest, const char *name, bool rdb)
{
    struct buf text = {0};

    if (manifest_base(manifest) != NULL) {
        struct manifest_file old = manifest->files[0];
        put(manifest, span_of_cstr(old.name), old.seq, MANIFEST_HISTORY);
        take_out(manifest, 0);
    }
    uint64_t seq = manifest->base_seq + 1;
    buf_printf(&text, "%s.%" PRIu64 ".base.%s", name, seq, rdb ? "rdb" : "aof");
    const struct manifest_file *file = put(manifest, buf_span(&text), seq, MANIFEST_BASE);
    buf_release(&text);
    return file->name;
}

void manifest_add_old_base(struct manifest *manifest, const char *name)
{
    check(manifest_base(manifest) == NULL);
    put(manifest, span_of_cstr(name), 1, MANIFEST_BASE);
}

const char *manifest_add_incr(struct manifest *manifest, const char *name)
{
    struct buf text = {0};
    uint64_t seq = manifest->incr_seq + 1;

    buf_printf(&text, "%s.%" PRIu64 ".incr.aof", name, seq);
    const struct manifest_file *file = put(manifest, buf_span(&text), seq, MANIFEST_INCR);
    buf_release(&text);
    return file->name;
}

void manifest_retire_incr(struct manifest *manifest, size_t keep)
{
    size_t count = manifest_incr_count(manifest);

    for (; count > keep; count--) {
        size_t at = manifest->count - count;
        struct manifest_file old = manifest->files[at];
        put(manifest, span_of_cstr(old.name), old.seq, MANIFEST_HISTORY);
        take_out(manifest, at + 1); /* the copy went in front of it */
    }
}

void manifest_drop_history(struct manifest *manifest)
{
    for (size_t i = manifest->count; i-- > 0;)
        if (manifest->files[i].type == MANIFEST_HISTORY) take_out(manifest, i);
}

/* ---- text -------------------------------------------------------------------------------------- */

static bool needs_quotes(const char *name)
{
    for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++)
        if (!isprint(*c) || *c == ' ' || *c == '"' || *c == '\'' || *c == '\\') return true;
    return false;
}

static void append_name(struct buf *out, const char *name)
{
    if (!needs_quotes(name)) {
        buf_append_span(out, span_of_cstr(name));
        return;
    }
    buf_append_char(out, '"');
    for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') buf_printf(out, "\\%c", *c);
        else if (isprint(*c)) buf_append_char(out, (char)*c);
        else buf_printf(out, "\\x%02x", *c);
    }
    buf_append_char(out, '"');
}

void manifest_format(const struct manifest *manifest, struct buf *out)
{
    static const char letters[] = {
        [MANIFEST_BASE] = 'b', [MANIFEST_INCR] = 'i', [MANIFEST_HISTORY] = 'h'};

    for (size_t i = 0; i < manifest->count; i++) {
        const struct manifest_file *file = &manifest->files[i];
        buf_append_span(out, SPAN("file "));
        append_name(out, file->name);
        buf_printf(out, " seq %" PRIu64 " type %c\n", file->seq, letters[file->type]);
    }
}

/* What the pairs of a line say. */
struct parsed {
    struct span name;
    uint64_t seq;
    char type; /* 0: none was given */
};

static const char *take_pair(struct parsed *parsed, struct span key, struct span value)
{
    if (span_is(key, "file")) {
        if (memchr(value.ptr, '/', value.len) != NULL)
            return "File can't be a path, just a filename";
        parsed->name = value;
    } else if (span_is(key, "seq")) {
        if (!num_parse_uint64(value, &parsed->seq)) parsed->seq = 0;
    } else if (span_is(key, "type")) {
        parsed->type = value.len > 0 ? value.ptr[0] : 0;
    }
    return NULL;
}

static const char *take_file(struct manifest *manifest, const struct parsed *parsed)
{
    if (parsed->name.len == 0 || parsed->seq == 0 || parsed->type == 0)
        return "Invalid AOF manifest file format";
    switch (parsed->type) {
    case 'b':
        if (manifest_base(manifest) != NULL) return "Found duplicate base file information";
        put(manifest, parsed->name, parsed->seq, MANIFEST_BASE);
        return NULL;
    case 'h': put(manifest, parsed->name, parsed->seq, MANIFEST_HISTORY); return NULL;
    case 'i':
        if (parsed->seq <= manifest->incr_seq) return "Found a non-monotonic sequence number";
        put(manifest, parsed->name, parsed->seq, MANIFEST_INCR);
        return NULL;
    default: return "Unknown AOF file type";
    }
}

/* One line without its end. NULL, or what is wrong with it. */
static const char *take_line(struct manifest *manifest, struct span line)
{
    struct parsed parsed = {0};
    struct buf arena = {0};
    struct span words[WORDS_MAX];
    const char *why = NULL;

    if (line.len > 0 && line.ptr[0] == '#') return NULL;
    int count = request_split_line(line, &arena, words, WORDS_MAX);
    if (count < 6 || count % 2 != 0) why = "Invalid AOF manifest file format";
    for (int i = 0; i < count && why == NULL; i += 2)
        why = take_pair(&parsed, words[i], words[i + 1]);
    if (why == NULL) why = take_file(manifest, &parsed);
    buf_release(&arena);
    return why;
}

enum err manifest_parse(struct span text, struct manifest *out, struct manifest_fault *fault)
{
    struct manifest manifest = {0};
    bool any = false;

    *fault = (struct manifest_fault){0};
    while (text.len > 0 && fault->why == NULL) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
        if (end == NULL || len + 1 >= MANIFEST_LINE_MAX) {
            fault->why = "The AOF manifest file contains too long line";
            fault->line = 0;
            break;
        }
        fault->line++;
        any = any || text.ptr[0] != '#';
        struct span line = span_of(text.ptr, len > 0 && text.ptr[len - 1] == '\r' ? len - 1 : len);
        fault->why = take_line(&manifest, line);
        if (fault->why != NULL)
            snprintf(fault->text, sizeof fault->text, "%.*s", (int)line.len, line.ptr);
        text = span_of(end + 1, text.len - len - 1);
    }
    if (fault->why == NULL && !any) {
        fault->why = "Found an empty AOF manifest";
        fault->line = 0;
    }
    if (fault->why != NULL) {
        manifest_release(&manifest);
        return ERR_CORRUPT;
    }
    *out = manifest;
    return OK;
}
