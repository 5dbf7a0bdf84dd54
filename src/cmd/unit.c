#include "cmd/unit.h"

#include "base/mem.h"
#include "base/num.h"

#define MULTI_BYTES SPAN("*1\r\n$5\r\nMULTI\r\n")
#define EXEC_BYTES  SPAN("*1\r\n$4\r\nEXEC\r\n")

void unit_init(struct unit *unit, struct journal *journal)
{
    *unit = (struct unit){.journal = journal};
}

void unit_release(struct unit *unit)
{
    buf_release(&unit->bytes);
    mem_free(unit->marks);
    *unit = (struct unit){0};
}

static char *put_header(char *at, char kind, uint64_t count)
{
    *at++ = kind;
    at += num_format_uint64(at, count);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

void unit_encode(struct buf *out, int argc, const struct span *argv)
{
    enum { HEADER_BYTES = 1 + NUM_INT64_CHARS + 2 };
    size_t room = HEADER_BYTES;

    for (int i = 0; i < argc; i++) room += HEADER_BYTES + argv[i].len + 2;
    buf_reserve(out, room);
    char *at = put_header(out->ptr + out->len, '*', (uint64_t)argc);
    for (int i = 0; i < argc; i++) {
        at = put_header(at, '$', argv[i].len);
        memcpy(at, argv[i].ptr, argv[i].len);
        at += argv[i].len;
        *at++ = '\r';
        *at++ = '\n';
    }
    out->len = (size_t)(at - out->ptr);
}

static void mark(struct unit *unit, int db)
{
    if (unit->count == unit->capacity) {
        unit->capacity = unit->capacity == 0 ? 16 : unit->capacity * 2;
        unit->marks = mem_realloc(unit->marks, (size_t)unit->capacity * sizeof *unit->marks);
    }
    unit->marks[unit->count++] = (struct unit_mark){.end = unit->bytes.len, .db = db};
}

void unit_add(struct unit *unit, int db, int argc, const struct span *argv)
{
    if (!unit->open) return;
    unit_encode(&unit->bytes, argc, argv);
    mark(unit, db);
}

void unit_add_encoded(struct unit *unit, int db, struct span bytes)
{
    if (!unit->open) return;
    buf_append_span(&unit->bytes, bytes);
    mark(unit, db);
}

/* Writes SELECT at the journal's tail when the log stands in another database. Returns its bytes. */
static size_t put_select(struct journal *journal, int db)
{
    if (db < 0 || db == journal_db(journal)) return 0;
    struct buf *tail = journal_tail(journal);
    size_t before = tail->len;
    char digits[NUM_INT64_CHARS];
    struct span argv[] = {SPAN("SELECT"), span_of(digits, num_format_int64(digits, db))};

    unit_encode(tail, 2, argv);
    journal_set_db(journal, db);
    return tail->len - before;
}

void unit_commit(struct unit *unit)
{
    if (unit->count == 0) return;
    struct journal *journal = unit->journal;
    struct buf *tail = journal_tail(journal);
    bool wrap = unit->count > 1;
    size_t from = 0, appended = 0;

    for (int i = 0; i < unit->count; i++) {
        const struct unit_mark *effect = &unit->marks[i];
        appended += put_select(journal, effect->db);
        if (wrap && i == 0) {
            buf_append_span(tail, MULTI_BYTES);
            appended += MULTI_BYTES.len;
        }
        buf_append(tail, unit->bytes.ptr + from, effect->end - from);
        appended += effect->end - from;
        from = effect->end;
    }
    if (wrap) {
        buf_append_span(tail, EXEC_BYTES);
        appended += EXEC_BYTES.len;
    }
    journal_appended(journal, appended);
    unit->count = 0;
    buf_clear(&unit->bytes);
}
