#include "cmd/test_bed.h"

#include <criterion/criterion.h>

static void on_event(void *context, int db, struct event event, struct span key)
{
    struct test_bed *bed = context;
    (void)db;
    buf_printf(&bed->events, "%s%s ", bed->events.len > 0 ? ", " : "", event.name);
    buf_append_span(&bed->events, key);
}

/* The store deletes an expired key, before the effects of the command. */
static void on_effect(void *context, int db, int argc, const struct span *argv)
{
    struct test_bed *bed = context;
    unit_add(&bed->unit, db, argc, argv);
    bed->expired++;
}

void test_bed_init(struct test_bed *bed)
{
    static const struct hash_secret secret = {1, 2};
    *bed = (struct test_bed){
        .limits = {.bulk_bytes_max = 512 << 20, .obeyed_bytes_max = 1ull << 32, .databases = 16},
        .version = 2};
    bed->store = store_new(16, &secret, TEST_BED_NOW);
    store_observe(bed->store,
                  &(struct store_observer){.event = on_event, .effect = on_effect, .context = bed});
    unit_init(&bed->unit, NULL);
    bed->unit.open = true;
    request_init(&bed->request);
}

void test_bed_release(struct test_bed *bed)
{
    store_free(bed->store);
    unit_release(&bed->unit);
    request_release(&bed->request);
    buf_release(&bed->out);
    buf_release(&bed->events);
    buf_release(&bed->result);
}

static void execute(struct test_bed *bed, struct reply *reply, const struct span *argv, int argc)
{
    const struct command *command = command_find(argv[0]);
    cr_assert_not_null(command, "no command %.*s", (int)argv[0].len, argv[0].ptr);
    if (command->run == NULL && argc > 1) command = command_find_sub(command, argv[1]);
    cr_assert(command != NULL && command->run != NULL, "no subcommand");
    struct call call = {.command = command,
                        .argv = argv,
                        .argc = argc,
                        .flags = bed->flags,
                        .now_ms = TEST_BED_NOW,
                        .reply = reply,
                        .store = bed->store,
                        .unit = &bed->unit,
                        .limits = &bed->limits};
    bool arity = command->arity > 0 ? argc == command->arity : argc >= -command->arity;
    uint64_t dirty = store_dirty(bed->store);
    size_t written = bed->out.len;
    int stated = bed->unit.count - bed->expired;
    enum err err =
        arity ? command->run(&call)
              : call_fail(&call, "ERR wrong number of arguments for '%s' command", command->name);
    if (err != OK) {
        cr_assert_eq(bed->out.len, written, "an error after a reply");
        cr_assert_eq(store_dirty(bed->store), dirty, "an error after a change");
        reply_error(reply, err == ERR_TEXT ? call.error : err_text(err));
    } else {
        cr_assert_gt(bed->out.len, written, "no reply");
    }
    bool changed = store_dirty(bed->store) != dirty;
    if (command->replicates == REPLICATES_NONE)
        cr_assert_not(changed, "a change by %s", command->name);
    if (command->replicates == REPLICATES_EFFECT)
        cr_assert_eq(bed->unit.count - bed->expired > stated, changed, "effects of %s",
                     command->name);
    if (command->replicates == REPLICATES_VERBATIM && changed) unit_add(&bed->unit, 0, argc, argv);
}

/* The effects as they came, decoded: arguments apart by blanks, commands by "; ". */
static void append_effects(struct test_bed *bed)
{
    const struct request_limits limits = {.bulk_bytes_max = 512 << 20, .authenticated = true};
    struct span rest = buf_span(&bed->unit.bytes);
    struct request request;
    request_init(&request);
    for (int i = 0; rest.len > 0; i++) {
        size_t consumed, want;
        const char *error;
        cr_assert_eq(request_parse(&request, rest, &limits, &consumed, &want, &error),
                     REQUEST_READY);
        if (i > 0) buf_append_span(&bed->result, SPAN("; "));
        for (int word = 0; word < request.argc; word++) {
            if (word > 0) buf_append_char(&bed->result, ' ');
            buf_append_span(&bed->result, request.argv[word]);
        }
        rest = span_of(rest.ptr + consumed, rest.len - consumed);
    }
    request_release(&request);
    buf_clear(&bed->unit.bytes);
    bed->unit.count = bed->expired = 0;
}

static void run(struct test_bed *bed, const char *line)
{
    const struct request_limits limits = {.bulk_bytes_max = 512 << 20, .authenticated = true};
    struct buf bytes = {0};
    struct reply reply = {.out = &bed->out, .version = bed->version};
    size_t consumed, want;
    const char *error = "";

    buf_printf(&bytes, "%s\n", line);
    buf_clear(&bed->out);
    buf_clear(&bed->events);
    buf_clear(&bed->result);
    cr_assert_eq(request_parse(&bed->request, buf_span(&bytes), &limits, &consumed, &want, &error),
                 REQUEST_READY, "%s: %s", line, error);
    uint64_t dirty = store_dirty(bed->store);
    execute(bed, &reply, bed->request.argv, bed->request.argc);
    dirty = store_dirty(bed->store) - dirty;
    for (size_t i = 0; i < bed->out.len; i++)
        if (bed->out.ptr[i] == '\r') bed->out.ptr[i] = ' ';
    for (size_t i = 0; i < bed->out.len; i++)
        if (bed->out.ptr[i] != '\n') buf_append_char(&bed->result, bed->out.ptr[i]);
    buf_clear(&bed->out);
    buf_append(&bed->out, bed->result.ptr, bed->result.len - 1);
    buf_append_char(&bed->out, 0);
    buf_printf(&bed->result, "| %d | ", (int)dirty);
    append_effects(bed);
    buf_append_span(&bed->result, SPAN(" | "));
    buf_append_span(&bed->result, buf_span(&bed->events));
    buf_append_char(&bed->result, 0);
    buf_release(&bytes);
}

const char *test_bed_run(struct test_bed *bed, const char *line)
{
    run(bed, line);
    return bed->result.ptr;
}

void test_bed_expect(struct test_bed *bed, const struct test_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lines[i].expected == NULL) {
            int version = bed->version;
            test_bed_release(bed);
            test_bed_init(bed);
            bed->version = version;
            continue;
        }
        cr_expect_str_eq(test_bed_run(bed, lines[i].line), lines[i].expected,
                         "%s\n     is %s\n not %s", lines[i].line, bed->result.ptr,
                         lines[i].expected);
    }
}

const char *test_bed_reply(struct test_bed *bed, const char *line)
{
    run(bed, line);
    return bed->out.ptr;
}

Test(test_bed, tells_reply_changes_effects_and_events)
{
    struct test_bed bed;
    test_bed_init(&bed);
    cr_expect_str_eq(test_bed_run(&bed, "SETEX k 10 v"),
                     "+OK | 1 | SET k v PXAT 1700000010000 | new k, set k, expire k");
    cr_expect_str_eq(test_bed_run(&bed, "GET k"), "$1 v | 0 |  | ");
    cr_expect_str_eq(test_bed_reply(&bed, "GET"),
                     "-ERR wrong number of arguments for 'get' command");
    test_bed_release(&bed);
}
