/* Values that are a number, a string, or words of a list. */
#include "server/config_kind.h"
#include "base/mem.h"
#include "base/num.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

bool setting_refuse(struct setting *setting, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(setting->why, sizeof setting->why, format, list);
    va_end(list);
    return false;
}

char *config_copy_text(struct span text)
{
    char *copy = mem_alloc(text.len + 1);

    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

/* --- yes or no --- */

static bool set_bool(struct setting *setting, void *field, const struct span *argv, int argc)
{
    (void)argc;
    if (span_is(argv[0], "yes")) *(bool *)field = true;
    else if (span_is(argv[0], "no")) *(bool *)field = false;
    else return setting_refuse(setting, "argument must be 'yes' or 'no'");
    return true;
}

static void show_bool(const struct directive *directive, const void *field, struct buf *out)
{
    (void)directive;
    buf_append_span(out, *(const bool *)field ? SPAN("yes") : SPAN("no"));
}

const struct config_kind bool_kind = {.size = sizeof(bool), .set = set_bool, .show = show_bool};

/* --- numbers --- */

/* Digits and a unit, either of which may be missing, as Redis takes them: "", "k" are 0. More digits than fit mean the
 * largest number; a unit that does not fit is refused. */
static bool parse_memory(struct span text, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = {{"", 1},        {"b", 1},        {"k", 1000},       {"kb", 1 << 10},
                 {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", UINT64_C(1) << 30}};
    uint64_t value = 0;
    size_t at = 0;

    for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.ptr[at] - '0'), &value))
            value = UINT64_MAX;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (span_is(span_of(text.ptr + at, text.len - at), units[i].unit))
            return !__builtin_mul_overflow(value, units[i].factor, out);
    return false;
}

static bool parse_octal(struct span text, int64_t *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    int64_t value = 0;

    if (text.len == negative || text.len > 8) return false;
    for (size_t i = negative; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '7') return false;
        value = value * 8 + (text.ptr[i] - '0');
    }
    *out = negative ? -value : value;
    return true;
}

/* As the directive's flags say: an integer, octal, bytes, or minus a percentage. */
static bool parse_integer(struct setting *setting, struct span text, int64_t *out)
{
    uint32_t flags = setting->directive->flags;
    uint64_t bytes;

    if (flags & DIRECTIVE_OCTAL)
        return parse_octal(text, out) ||
               setting_refuse(setting, "argument couldn't be parsed as an octal number");
    if (flags & DIRECTIVE_PERCENT && text.len > 1 && text.ptr[text.len - 1] == '%') {
        if (!num_parse_int64(span_of(text.ptr, text.len - 1), out) || *out < 0)
            return setting_refuse(setting, "argument must be a memory or percent value");
        if (*out > 100)
            return setting_refuse(setting, "percentage argument must be less or equal to 100");
        *out = -*out;
        return true;
    }
    if (flags & DIRECTIVE_MEMORY) {
        if (!parse_memory(text, &bytes))
            return setting_refuse(setting, flags & DIRECTIVE_PERCENT
                                               ? "argument must be a memory or percent value"
                                               : "argument must be a memory value");
        if (bytes > INT64_MAX)
            return setting_refuse(setting,
                                  "argument must be between %" PRId64 " and %" PRId64 " inclusive",
                                  setting->directive->least, setting->directive->most);
        *out = (int64_t)bytes;
        return true;
    }
    return num_parse_int64(text, out) ||
           setting_refuse(setting, "argument couldn't be parsed into an integer");
}

static bool set_integer(struct setting *setting, void *field, const struct span *argv, int argc)
{
    const struct directive *directive = setting->directive;
    int64_t value;

    (void)argc;
    if (!parse_integer(setting, argv[0], &value)) return false;
    if (value < directive->least || value > directive->most) {
        if (directive->flags & DIRECTIVE_OCTAL)
            return setting_refuse(setting, "argument must be between %o and %o inclusive",
                                  (unsigned)directive->least, (unsigned)directive->most);
        return setting_refuse(setting,
                              "argument must be between %" PRId64 " and %" PRId64 " inclusive",
                              directive->least, directive->most);
    }
    *(int64_t *)field = value;
    return true;
}

static void show_integer(const struct directive *directive, const void *field, struct buf *out)
{
    int64_t value = *(const int64_t *)field;

    if (directive->flags & DIRECTIVE_OCTAL) buf_printf(out, "%o", (unsigned)value);
    else if (directive->flags & DIRECTIVE_PERCENT && value < 0)
        buf_printf(out, "%" PRId64 "%%", -value);
    else buf_append_int64(out, value);
}

/* The unit that makes a number of bytes shortest, so that a file stays readable: "1gb". */
static void write_bytes(uint64_t bytes, struct buf *out)
{
    static const char *const units[] = {"", "kb", "mb", "gb"};
    int unit = 0;

    for (; unit < 3 && bytes != 0 && bytes % 1024 == 0; unit++) bytes /= 1024;
    buf_printf(out, "%" PRIu64 "%s", bytes, units[unit]);
}

static void write_integer(const struct directive *directive, const void *field, struct buf *out)
{
    int64_t value = *(const int64_t *)field;

    buf_printf(out, "%s ", directive->name);
    if (directive->flags & DIRECTIVE_MEMORY && value >= 0) write_bytes((uint64_t)value, out);
    else show_integer(directive, field, out);
    buf_append_char(out, '\n');
}

const struct config_kind integer_kind = {
    .size = sizeof(int64_t), .set = set_integer, .show = show_integer, .write = write_integer};

static bool set_unsigned(struct setting *setting, void *field, const struct span *argv, int argc)
{
    uint64_t value;

    (void)argc;
    if (!parse_memory(argv[0], &value))
        return setting_refuse(setting, "argument must be a memory value");
    *(uint64_t *)field = value;
    return true;
}

static void show_unsigned(const struct directive *directive, const void *field, struct buf *out)
{
    (void)directive;
    buf_printf(out, "%" PRIu64, *(const uint64_t *)field);
}

static void write_unsigned(const struct directive *directive, const void *field, struct buf *out)
{
    buf_printf(out, "%s ", directive->name);
    write_bytes(*(const uint64_t *)field, out);
    buf_append_char(out, '\n');
}

const struct config_kind unsigned_kind = {
    .size = sizeof(uint64_t), .set = set_unsigned, .show = show_unsigned, .write = write_unsigned};

/* --- strings --- */

static bool set_string(struct setting *setting, void *field, const struct span *argv, int argc)
{
    char *value = config_copy_text(argv[0]);

    (void)argc;
    if (setting->directive->accepts != NULL && !setting->directive->accepts(value, setting->why)) {
        mem_free(value);
        return false;
    }
    mem_free(*(char **)field);
    *(char **)field = value;
    return true;
}

void string_show(const struct directive *directive, const void *field, struct buf *out)
{
    (void)directive;
    buf_append_span(out, span_of_cstr(*(char *const *)field));
}

void string_write(const struct directive *directive, const void *field, struct buf *out)
{
    buf_printf(out, "%s ", directive->name);
    config_quote(out, span_of_cstr(*(char *const *)field));
    buf_append_char(out, '\n');
}

void string_copy(void *to, const void *from)
{
    *(char **)to = config_copy_text(span_of_cstr(*(char *const *)from));
}

void string_release(void *field)
{
    mem_free(*(char **)field);
    *(char **)field = NULL;
}

const struct config_kind string_kind = {.size = sizeof(char *),
                                        .set = set_string,
                                        .show = string_show,
                                        .write = string_write,
                                        .copy = string_copy,
                                        .release = string_release};

/* --- words --- */

static bool refuse_word(struct setting *setting)
{
    struct buf list = {0};

    for (const struct config_word *word = setting->directive->words; word->word != NULL; word++)
        buf_printf(&list, "%s%s", list.len == 0 ? "" : ", ", word->word);
    setting_refuse(setting, "argument(s) must be one of the following: %.*s", (int)list.len,
                   list.ptr);
    buf_release(&list);
    return false;
}

static const struct config_word *find_word(const struct directive *directive, struct span text)
{
    for (const struct config_word *word = directive->words; word->word != NULL; word++)
        if (span_is(text, word->word)) return word;
    return NULL;
}

static bool set_enum(struct setting *setting, void *field, const struct span *argv, int argc)
{
    const struct config_word *word = find_word(setting->directive, argv[0]);

    (void)argc;
    if (word == NULL) return refuse_word(setting);
    *(int *)field = word->value;
    return true;
}

static void show_enum(const struct directive *directive, const void *field, struct buf *out)
{
    for (const struct config_word *word = directive->words; word->word != NULL; word++)
        if (word->value == *(const int *)field) {
            buf_append_span(out, span_of_cstr(word->word));
            return;
        }
}

const struct config_kind enum_kind = {.size = sizeof(int), .set = set_enum, .show = show_enum};

/* The only list of bits is that of the ways to shut down, two of which exclude each other. */
static bool set_bits(struct setting *setting, void *field, const struct span *argv, int argc)
{
    int bits = 0;

    if (argc == 0) return refuse_word(setting);
    for (int i = 0; i < argc; i++) {
        const struct config_word *word = find_word(setting->directive, argv[i]);
        if (word == NULL) return refuse_word(setting);
        bits |= word->value;
    }
    if (bits & SHUTDOWN_SAVE && bits & SHUTDOWN_NOSAVE)
        return setting_refuse(setting,
                              "shutdown options SAVE and NOSAVE can't be used simultaneously");
    *(int *)field = bits;
    return true;
}

static void show_bits(const struct directive *directive, const void *field, struct buf *out)
{
    int bits = *(const int *)field;
    bool first = true;

    for (const struct config_word *word = directive->words; word->word != NULL; word++) {
        if (bits == 0 ? word->value != 0 : !(word->value & bits)) continue;
        buf_printf(out, "%s%s", first ? "" : " ", word->word);
        first = false;
    }
}

const struct config_kind bits_kind = {.size = sizeof(int), .set = set_bits, .show = show_bits};
