/* String values: which form they take, reading them, changing them in place, and blobs. */
#include "base/check.h"
#include "base/mem.h"
#include "store/entry.h"
#include "store/entry_layout.h"
#include "store/value.h"

/* What a string becomes: its encoding and how many bytes its payload takes. */
struct form {
    enum encoding encoding;
    size_t payload_size;
    int64_t number; /* ENC_INT */
};

static struct form form_raw(size_t len)
{
    if (len > ENTRY_INLINE_BYTES_MAX) return (struct form){ENC_BLOB, 8, 0};
    return (struct form){ENC_RAW, len < 255 ? len + 1 : len + 5, 0};
}

static struct form form_text(size_t len)
{
    struct form form = form_raw(len);
    if (len <= ENTRY_EMBSTR_BYTES_MAX) form.encoding = ENC_EMBSTR;
    return form;
}

static struct form form_of(struct span value)
{
    int64_t number;
    if (value.len <= NUM_INT64_CHARS && num_parse_int64(value, &number))
        return (struct form){ENC_INT, 8, number};
    return form_text(value.len);
}

static unsigned type_encoding_of(struct form form)
{
    return (unsigned)TYPE_STRING << 4 | form.encoding;
}

/* `value` must not overlap the payload's place. */
static void write_payload(uint8_t *payload, struct form form, struct span value)
{
    if (form.encoding == ENC_INT) {
        memcpy(payload, &form.number, 8);
    } else if (form.encoding == ENC_BLOB) {
        struct blob *blob = blob_new(value.len, value.len);
        memcpy(blob->bytes, value.ptr, value.len);
        memcpy(payload, &blob, 8);
    } else {
        uint8_t *bytes = entry_write_inline_len(payload, value.len);
        if (value.len > 0) memcpy(bytes, value.ptr, value.len);
    }
}

static struct entry *new_of_form(struct span key, int64_t deadline, struct form form,
                                 struct span value)
{
    uint8_t *payload;
    struct entry *e =
        entry_alloc(type_encoding_of(form), key, deadline, form.payload_size, &payload);
    write_payload(payload, form, value);
    return e;
}

struct entry *entry_new_string(struct span key, int64_t deadline, struct span value, bool raw)
{
    return new_of_form(key, deadline, raw ? form_raw(value.len) : form_of(value), value);
}

struct entry *entry_new_text(struct span key, int64_t deadline, struct span value)
{
    return new_of_form(key, deadline, form_text(value.len), value);
}

struct entry *entry_new_int64(struct span key, int64_t deadline, int64_t value)
{
    return new_of_form(key, deadline, (struct form){ENC_INT, 8, value}, span_of(NULL, 0));
}

static int64_t number_of(const struct entry *e)
{
    int64_t number;
    memcpy(&number, entry_payload(e), 8);
    return number;
}

struct span entry_string(const struct entry *e, char scratch[static NUM_INT64_CHARS])
{
    check(entry_type(e) == TYPE_STRING);
    switch (entry_encoding(e)) {
    case ENC_INT: return span_of(scratch, num_format_int64(scratch, number_of(e)));
    case ENC_BLOB: {
        const struct blob *blob = entry_pointer(e);
        return span_of(blob->bytes, blob->len);
    }
    default: return entry_inline(e);
    }
}

size_t entry_string_len(const struct entry *e)
{
    char scratch[NUM_INT64_CHARS];
    return entry_string(e, scratch).len;
}

bool entry_string_int64(const struct entry *e, int64_t *out)
{
    check(entry_type(e) == TYPE_STRING);
    if (entry_encoding(e) == ENC_INT) {
        *out = number_of(e);
        return true;
    }
    if (entry_encoding(e) == ENC_BLOB) return false;
    struct span text = entry_inline(e);
    return text.len <= NUM_INT64_CHARS && num_parse_int64(text, out);
}

/* Whether a payload of that size fits the entry's size class under that deadline. */
static bool fits(const struct entry *e, int64_t deadline, size_t payload_size)
{
    size_t bytes = entry_head_bytes(entry_key(e).len, deadline) + payload_size;
    return !entry_has_pointer(e) && mem_class(bytes) == mem_class(entry_bytes(e));
}

static bool overwrite(struct entry *e, int64_t deadline, struct form form, struct span value)
{
    if (form.encoding == ENC_BLOB || !fits(e, deadline, form.payload_size)) return false;
    uint8_t *payload = (uint8_t *)entry_payload(e);
    if (deadline == entry_deadline(e)) e->type_encoding = (uint8_t)type_encoding_of(form);
    else payload = entry_write_head(e, type_encoding_of(form), entry_key(e), deadline);
    write_payload(payload, form, value);
    return true;
}

bool entry_overwrite_string(struct entry *e, int64_t deadline, struct span value)
{
    if (entry_has_pointer(e)) return false;
    const char *begin = (const char *)e;
    if (value.ptr >= begin && value.ptr < begin + entry_bytes(e)) return false;
    return overwrite(e, deadline, form_of(value), value);
}

bool entry_overwrite_int64(struct entry *e, int64_t deadline, int64_t value)
{
    if (entry_encoding(e) == ENC_INT && deadline == entry_deadline(e)) {
        memcpy((uint8_t *)entry_payload(e), &value, 8);
        return true;
    }
    return overwrite(e, deadline, (struct form){ENC_INT, 8, value}, span_of(NULL, 0));
}

/* ---- resizing ------------------------------------------------------------------------------- */

/* How much a blob that grows gets: a quarter more, so that appending in small pieces copies each
 * byte a bounded number of times. */
static size_t grown_cap(size_t len)
{
    return len + len / 4;
}

static struct entry *resize_blob(struct entry *e, size_t len, char **bytes, bool *copied)
{
    struct blob *blob = entry_pointer(e), *changed = blob;
    size_t old_len = blob->len;

    if (value_shared(blob)) {
        changed = blob_new(len, len > old_len ? grown_cap(len) : len);
        memcpy(changed->bytes, blob->bytes, len < old_len ? len : old_len);
        blob_drop(blob);
        *copied = true;
    } else if (len > blob->cap) {
        size_t cap = grown_cap(len);
        changed = mem_realloc(blob, sizeof(*blob) + cap);
        changed->cap = cap;
    }
    changed->len = len;
    if (len > old_len) memset(changed->bytes + old_len, 0, len - old_len);
    memcpy((uint8_t *)entry_payload(e), &changed, 8);
    *bytes = changed->bytes;
    return e;
}

/* Where the string's bytes begin in an entry that was made by new_of_form(form_raw). */
static char *raw_bytes(struct entry *e)
{
    if (entry_encoding(e) == ENC_BLOB) return ((struct blob *)entry_pointer(e))->bytes;
    return (char *)entry_inline(e).ptr;
}

/* A raw entry of `len` bytes, uninitialised; a blob of `cap`. */
static struct entry *new_uninitialised(struct span key, int64_t deadline, size_t len, size_t cap)
{
    struct form form = form_raw(len);
    uint8_t *payload;
    struct entry *e =
        entry_alloc(type_encoding_of(form), key, deadline, form.payload_size, &payload);
    if (form.encoding == ENC_BLOB) {
        struct blob *blob = blob_new(len, cap);
        memcpy(payload, &blob, 8);
    } else {
        entry_write_inline_len(payload, len);
    }
    return e;
}

struct entry *entry_new_raw(struct span key, int64_t deadline, size_t len, char **bytes)
{
    struct entry *e = new_uninitialised(key, deadline, len, len);
    *bytes = raw_bytes(e);
    return e;
}

struct entry *entry_resize_string(struct entry *e, size_t len, char **bytes, bool *copied)
{
    *copied = false;
    check(entry_type(e) == TYPE_STRING);
    if (entry_encoding(e) == ENC_BLOB && len > ENTRY_INLINE_BYTES_MAX)
        return resize_blob(e, len, bytes, copied);

    char scratch[NUM_INT64_CHARS];
    struct span old = entry_string(e, scratch);
    size_t kept = old.len < len ? old.len : len;
    struct form form = form_raw(len);
    if (form.encoding == ENC_RAW && fits(e, entry_deadline(e), form.payload_size)) {
        uint8_t *payload = (uint8_t *)entry_payload(e);
        uint8_t *to = len < 255 ? payload + 1 : payload + 5;
        memmove(to, old.ptr, kept);
        entry_write_inline_len(payload, len);
        e->type_encoding = (uint8_t)type_encoding_of(form);
        *bytes = (char *)to;
    } else {
        struct entry *made =
            new_uninitialised(entry_key(e), entry_deadline(e), len, grown_cap(len));
        *bytes = raw_bytes(made);
        memcpy(*bytes, old.ptr, kept);
        memcpy(made->clock, e->clock, sizeof(e->clock));
        entry_free(e);
        e = made;
    }
    memset(*bytes + kept, 0, len - kept);
    return e;
}

/* ---- blobs ---------------------------------------------------------------------------------- */

struct blob *blob_new(size_t len, size_t cap)
{
    check(len <= cap);
    struct blob *blob = mem_alloc(sizeof(*blob) + cap);
    blob->holders = 1;
    blob->len = len;
    blob->cap = cap;
    return blob;
}

void blob_hold(struct blob *blob)
{
    value_hold(blob);
}
void blob_drop(struct blob *blob)
{
    value_drop(ENC_BLOB, blob);
}
