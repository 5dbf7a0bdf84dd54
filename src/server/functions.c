#include "server/functions.h"

#include "base/mem.h"
#include "proto/request.h"
#include "rdb/reader.h"
#include "rdb/writer.h"
#include "store/value_rdb.h"

enum { HEADER_WORDS_MAX = 64, LIBRARIES_MAX = 1 << 20 };

static void release_library(struct library *library)
{
    mem_free(library->name);
    buf_release(&library->code);
}

void functions_release(struct functions *functions)
{
    for (size_t i = 0; i < functions->count; i++) release_library(&functions->libraries[i]);
    mem_free(functions->libraries);
    *functions = (struct functions){0};
}

static char *copy_name(struct span name)
{
    char *copy = mem_alloc(name.len + 1);

    memcpy(copy, name.ptr, name.len);
    copy[name.len] = '\0';
    return copy;
}

static void append(struct functions *functions, char *name, struct buf *code)
{
    if (functions->count == functions->capacity) {
        functions->capacity = functions->capacity == 0 ? 4 : functions->capacity * 2;
        functions->libraries =
            mem_realloc(functions->libraries, functions->capacity * sizeof *functions->libraries);
    }
    functions->libraries[functions->count++] = (struct library){.name = name, .code = *code};
    *code = (struct buf){0};
}

struct library *functions_find(const struct functions *functions, struct span name)
{
    for (size_t i = 0; i < functions->count; i++) {
        const char *known = functions->libraries[i].name;
        if (known != NULL && span_equal(span_of(known, strlen(known)), name))
            return &functions->libraries[i];
    }
    return NULL;
}

void functions_delete(struct functions *functions, struct library *library)
{
    size_t at = (size_t)(library - functions->libraries);

    release_library(library);
    memmove(library, library + 1, (functions->count - at - 1) * sizeof *library);
    functions->count--;
}

size_t functions_memory(const struct functions *functions)
{
    size_t bytes = functions->capacity * sizeof *functions->libraries;

    for (size_t i = 0; i < functions->count; i++) bytes += functions->libraries[i].code.cap;
    return bytes;
}

/* ---- the first line --------------------------------------------------------------------------- */

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_') return false;
    }
    return name.len > 0;
}

static bool begins_with_name(struct span word)
{
    return word.len >= 5 && span_is(span_of(word.ptr, 5), "name=");
}

static enum err fail_quoting(struct call *call, const char *before, struct span what,
                             const char *after)
{
    return call_fail(call, "%s%.*s%s", before, (int)(what.len < 128 ? what.len : 128), what.ptr,
                     after);
}

/* "#!lua name=mylib": the words behind #!, and among them the name. */
static enum err read_words(struct call *call, const struct span *words, int count,
                           struct span *name)
{
    bool named = false;

    for (int i = 1; i < count; i++) {
        if (!begins_with_name(words[i]))
            return fail_quoting(call, "ERR Invalid metadata value given: ", words[i], "");
        if (named)
            return call_fail(call,
                             "ERR Invalid metadata value, name argument was given multiple times");
        *name = span_of(words[i].ptr + 5, words[i].len - 5);
        named = true;
    }
    if (!named) return call_fail(call, "ERR Library name was not given");
    if (!is_name(*name))
        return call_fail(call, "ERR Library names can only contain letters, numbers, or "
                               "underscores(_) and must be at least one character long");
    if (!span_is(words[0], "#!lua"))
        return fail_quoting(call, "ERR Engine '", span_of(words[0].ptr + 2, words[0].len - 2),
                            "' not found");
    return OK;
}

/* The name that the source's first line gives, a string of its own. */
static enum err read_header(struct call *call, struct span code, char **name)
{
    const char *end = code.len == 0 ? NULL : memchr(code.ptr, '\n', code.len);
    struct span words[HEADER_WORDS_MAX], found = SPAN("");
    struct buf arena = {0};

    if (code.len < 2 || memcmp(code.ptr, "#!", 2) != 0)
        return call_fail(call, "ERR Missing library metadata");
    if (end == NULL) return call_fail(call, "ERR Invalid library metadata");
    int count = request_split_line(span_of(code.ptr, (size_t)(end - code.ptr)), &arena, words,
                                   HEADER_WORDS_MAX);
    enum err err = count < 1 || words[0].len < 2 ? call_fail(call, "ERR Invalid library metadata")
                                                 : read_words(call, words, count, &found);
    if (err == OK) *name = copy_name(found);
    buf_release(&arena);
    return err;
}

void functions_replace_all(struct functions *functions, struct buf *codes, size_t count)
{
    struct call unheard; /* texts of refusal, which nobody reads: what a file holds is kept */

    functions_release(functions);
    for (size_t i = 0; i < count; i++) {
        char *name = NULL;
        (void)read_header(&unheard, buf_span(&codes[i]), &name);
        append(functions, name, &codes[i]);
    }
    mem_free(codes);
}

/* ---- FUNCTION LOAD, DUMP, RESTORE ------------------------------------------------------------- */

static void put(struct functions *functions, char *name, struct span code)
{
    struct library *old = functions_find(functions, span_of(name, strlen(name)));
    struct buf copy = {0};

    buf_append_span(&copy, code);
    if (old == NULL) {
        append(functions, name, &copy);
        return;
    }
    release_library(old);
    *old = (struct library){.name = name, .code = copy};
}

enum err functions_load(struct functions *functions, struct call *call, struct span code,
                        bool replace, struct span *name)
{
    char *found;

    TRY(read_header(call, code, &found));
    struct span known = span_of(found, strlen(found));
    if (!replace && functions_find(functions, known) != NULL) {
        enum err err = fail_quoting(call, "ERR Library '", known, "' already exists");
        mem_free(found);
        return err;
    }
    put(functions, found, code);
    *name = known;
    return OK;
}

void functions_dump(const struct functions *functions, bool compress, struct buf *out)
{
    struct rdb_writer writer;

    rdb_writer_init(&writer, compress, true);
    for (size_t i = 0; i < functions->count; i++)
        rdb_write_function(&writer, buf_span(&functions->libraries[i].code));
    rdb_write_dump_footer(&writer);
    buf_append_span(out, buf_span(&writer.out));
    rdb_writer_release(&writer);
}

/* All libraries of a payload, whose footer is right, into an empty set. */
static enum err read_payload(struct functions *into, struct call *call, struct span payload)
{
    struct rdb_reader reader;
    struct span code, name;
    enum err err = OK;

    rdb_reader_init_span(&reader, span_of(payload.ptr, payload.len - RDB_DUMP_FOOTER_BYTES));
    while (err == OK && rdb_reader_offset(&reader) < reader.size) {
        uint8_t opcode = 0;
        err = rdb_read_byte(&reader, &opcode);
        if (err == OK && opcode != RDB_OP_FUNCTION2)
            err = call_fail(call, opcode == RDB_OP_FUNCTION_RC
                                      ? "ERR Pre-release function format not supported"
                                      : "ERR given type is not a function");
        else if (err == OK && (err = rdb_read_string(&reader, &code)) != OK)
            err = call_fail(call, "ERR Failed loading library data");
        else if (err == OK) err = functions_load(into, call, code, false, &name);
    }
    rdb_reader_release(&reader);
    return err;
}

enum err functions_restore(struct functions *functions, struct call *call, struct span payload,
                           enum function_policy policy)
{
    struct functions read = {0};
    enum err err;

    if (!value_payload_is_intact(payload, call->limits->skip_checksum)) return ERR_BAD_PAYLOAD;
    err = read_payload(&read, call, payload);
    for (size_t i = 0; err == OK && policy == FUNCTION_APPEND && i < read.count; i++) {
        struct span name = span_of(read.libraries[i].name, strlen(read.libraries[i].name));
        if (functions_find(functions, name) != NULL)
            err = fail_quoting(call, "ERR Library ", name, " already exists");
    }
    if (err == OK && policy == FUNCTION_FLUSH) functions_release(functions);
    for (size_t i = 0; err == OK && i < read.count; i++) {
        struct library *library = &read.libraries[i];
        put(functions, library->name, buf_span(&library->code));
        library->name = NULL; /* it has a new owner */
    }
    functions_release(&read);
    return err;
}
