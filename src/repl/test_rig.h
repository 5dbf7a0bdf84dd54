/* For tests and fuzzers of this folder: one node's machines with a journal, and a driver that carries
 * out on the journal what it is told and writes down everything else as text.
 *
 * rig_do() gives the actions since the last call, one after the other, separated by " | ":
 *     SEND 3 "+OK\r\n" | PIN 3 100 | FEED 3 120 | CLOSE 3 "reason" | START_SNAPSHOT 1 3 | APPLY 7..20 */
#ifndef PANDO_REPL_TEST_RIG_H
#define PANDO_REPL_TEST_RIG_H

#include "repl/role.h"

#include <inttypes.h>
#include <stdio.h>

struct rig {
    struct repl_config config;
    struct repl_events events;
    struct journal *journal;
    struct primary *primary;
    struct replica *replica;
    struct role *role;
    struct repl_actions out;
    int64_t now_ms;
    char text[REPL_ERROR_CHARS]; /* of the last answer */
    struct buf told;
};

static inline void rig_hex(void *context, char *out, size_t len)
{
    (void)context;
    memset(out, 'e', len);
}

/* A journal that is active and holds `bytes` bytes under its id, as after a start with history. */
static inline void rig_init(struct rig *rig, size_t bytes)
{
    *rig = (struct rig){0};
    repl_config_defaults(&rig->config);
    rig->config.diskless_delay_ms = 0;
    rig->config.hex = rig_hex;
    repl_events_init(&rig->events);
    rig->events.silent = true;
    rig->journal = journal_new(&(struct journal_options){.backlog_bytes = 1 << 20});
    rig->primary = primary_new(&rig->config, rig->journal, &rig->events);
    rig->replica = replica_new(&rig->config, rig->journal, &rig->events, rig->primary);
    rig->role = role_new(&rig->config, rig->journal, &rig->events, rig->primary, rig->replica);
    rig->now_ms = 1000;
    if (bytes == 0) return;
    journal_activate(rig->journal, false);
    for (size_t i = 0; i < bytes; i++) journal_append(rig->journal, "x", 1);
    journal_publish(rig->journal);
    primary_log_advanced(rig->primary, journal_end(rig->journal), &rig->out);
}

static inline void rig_release(struct rig *rig)
{
    role_free(rig->role);
    replica_free(rig->replica);
    primary_free(rig->primary);
    journal_free(rig->journal);
    repl_actions_release(&rig->out);
    buf_release(&rig->told);
}

static inline void rig_quote(struct buf *out, struct span text)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (c == '\r') buf_append(out, "\\r", 2);
        else if (c == '\n') buf_append(out, "\\n", 2);
        else buf_append_char(out, c < ' ' || c > '~' ? '.' : (char)c);
    }
    buf_append_char(out, '"');
}

static inline void rig_tell(struct rig *rig, const struct repl_action *action, struct span input)
{
    struct buf *told = &rig->told;
    if (told->len > 0) buf_append(told, " | ", 3);
    buf_printf(told, "%s", repl_action_name(action->kind));
    const struct span text = repl_action_bytes(&rig->out, action, input);
    switch (action->kind) {
    case REPL_SEND:
    case REPL_CLOSE:
        buf_printf(told, " %" PRIu64 " ", action->peer);
        rig_quote(told, text);
        break;
    case REPL_ATTACH:
        buf_printf(told, " %" PRIu64 " %" PRIu32 " ", action->peer, action->snapshot);
        rig_quote(told, text);
        break;
    case REPL_PIN:
    case REPL_FEED:
    case REPL_ACKED: buf_printf(told, " %" PRIu64 " %" PRIu64, action->peer, action->offset); break;
    case REPL_START_SNAPSHOT:
        buf_printf(told, " %" PRIu32 " %" PRId64, action->snapshot, action->value);
        break;
    case REPL_END_SNAPSHOT: buf_printf(told, " %" PRIu32, action->snapshot); break;
    case REPL_ROLE:
    case REPL_IMAGE_BEGIN: buf_printf(told, " %" PRId64, action->value); break;
    case REPL_CONNECT: buf_printf(told, " %.*s:%d", (int)text.len, text.ptr, action->port); break;
    case REPL_ADOPT: buf_printf(told, " %.8s %" PRIu64, text.ptr, action->offset); break;
    case REPL_RENAME_ID: buf_printf(told, " %.8s", text.ptr); break;
    case REPL_APPEND:
    case REPL_IMAGE_BYTES:
        buf_append_char(told, ' ');
        rig_quote(told, text);
        break;
    case REPL_APPLY: buf_printf(told, " %zu..%zu", action->at, action->at + action->len); break;
    default: break;
    }
}

/* What it means for the log. */
static inline void rig_carry_out(struct rig *rig, const struct repl_action *action,
                                 struct span input)
{
    char id[REPLICATION_ID_LEN + 1] = "";
    const struct span text = repl_action_bytes(&rig->out, action, input);
    if (text.len == REPLICATION_ID_LEN) memcpy(id, text.ptr, REPLICATION_ID_LEN);
    switch (action->kind) {
    case REPL_ACTIVATE: journal_activate(rig->journal, false); break;
    case REPL_DEACTIVATE: journal_deactivate(rig->journal); break;
    case REPL_APPEND:
        journal_append(rig->journal, text.ptr, text.len);
        journal_publish(rig->journal);
        break;
    case REPL_ADOPT: journal_adopt(rig->journal, id, action->offset); break;
    case REPL_RENAME_ID: journal_rename_id(rig->journal, id); break;
    case REPL_SHIFT_ID: journal_shift_id(rig->journal); break;
    default: break;
    }
}

static inline const char *rig_do_with(struct rig *rig, struct span input)
{
    buf_clear(&rig->told);
    for (size_t i = 0; i < rig->out.count; i++) {
        const struct repl_action action = rig->out.items[i];
        rig_tell(rig, &action, input);
        rig_carry_out(rig, &action, input);
    }
    repl_actions_clear(&rig->out);
    buf_append_char(&rig->told, '\0');
    return rig->told.ptr;
}

static inline const char *rig_do(struct rig *rig)
{
    return rig_do_with(rig, span_of("", 0));
}

/* Splits at blanks: "PSYNC ? -1". */
static inline int rig_split(const char *line, struct span *argv, int max)
{
    int argc = 0;
    while (*line != '\0' && argc < max) {
        const char *end = strchr(line, ' ');
        const size_t len = end != NULL ? (size_t)(end - line) : strlen(line);
        argv[argc++] = span_of(line, len);
        line += len + (end != NULL);
    }
    return argc;
}

/* A command from a peer. */
static inline enum primary_answer rig_ask(struct rig *rig, uint64_t id, const char *line)
{
    struct span argv[16];
    const int argc = rig_split(line, argv, 16);
    const struct primary_origin origin = {.id = id, .ip = "10.0.0.9"};
    rig->text[0] = '\0';
    if (span_is(argv[0], "replconf"))
        return primary_replconf(rig->primary, &origin, argc, argv, rig->now_ms, rig->text,
                                &rig->out);
    if (span_is(argv[0], "psync"))
        return primary_psync(rig->primary, &origin, argc, argv, rig->now_ms, rig->text, &rig->out);
    return primary_sync(rig->primary, &origin, rig->now_ms, rig->text, &rig->out);
}

/* Bytes on the link; what was not taken is given again once. */
static inline const char *rig_receive(struct rig *rig, const char *bytes)
{
    const struct span input = span_of_cstr(bytes);
    replica_received(rig->replica, input, rig->now_ms, &rig->out);
    return rig_do_with(rig, input);
}

static inline void rig_append(struct rig *rig, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) journal_append(rig->journal, "x", 1);
    journal_publish(rig->journal);
    primary_log_advanced(rig->primary, journal_end(rig->journal), &rig->out);
}

/* Time passes, a tenth of a second at a time. Everything that is told on the way is in the result. */
static inline const char *rig_wait(struct rig *rig, int64_t ms)
{
    for (const int64_t until = rig->now_ms + ms; rig->now_ms < until;) {
        rig->now_ms += 100;
        primary_timer(rig->primary, rig->now_ms, &rig->out);
        replica_timer(rig->replica, rig->now_ms, &rig->out);
        role_timer(rig->role, rig->now_ms, &rig->out);
        primary_flush(rig->primary, &rig->out);
    }
    return rig_do(rig);
}

#endif
