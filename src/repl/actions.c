#include "repl/actions.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void repl_actions_release(struct repl_actions *actions)
{
    mem_free(actions->items);
    buf_release(&actions->text);
    *actions = (struct repl_actions){0};
}

void repl_actions_clear(struct repl_actions *actions)
{
    actions->count = 0;
    buf_clear(&actions->text);
}

struct span repl_action_bytes(const struct repl_actions *actions, const struct repl_action *action,
                              struct span input)
{
    const struct span whole = action->from_input ? input : buf_span(&actions->text);
    check(action->at <= whole.len && action->len <= whole.len - action->at);
    return span_of(action->len == 0 ? "" : whole.ptr + action->at, action->len);
}

struct repl_action *repl_act(struct repl_actions *actions, enum repl_action_kind kind,
                             uint64_t peer)
{
    if (actions->count == actions->capacity) {
        actions->capacity = actions->capacity == 0 ? 16 : actions->capacity * 2;
        actions->items = mem_realloc(actions->items, actions->capacity * sizeof(actions->items[0]));
    }
    struct repl_action *action = &actions->items[actions->count++];
    *action = (struct repl_action){.kind = kind, .peer = peer, .at = actions->text.len};
    return action;
}

struct repl_action *repl_act_text(struct repl_actions *actions, enum repl_action_kind kind,
                                  uint64_t peer, const char *format, ...)
{
    struct repl_action *action = repl_act(actions, kind, peer);
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int len = vsnprintf(NULL, 0, format, args);
    check(len >= 0);
    buf_reserve(&actions->text, (size_t)len + 1);
    vsnprintf(actions->text.ptr + actions->text.len, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    actions->text.len += (size_t)len;
    action->len = (size_t)len;
    return action;
}

const char *repl_action_name(enum repl_action_kind kind)
{
    static const char *const names[] = {
        [REPL_SEND] = "SEND",
        [REPL_CLOSE] = "CLOSE",
        [REPL_ACTIVATE] = "ACTIVATE",
        [REPL_DEACTIVATE] = "DEACTIVATE",
        [REPL_APPEND] = "APPEND",
        [REPL_START_SNAPSHOT] = "START_SNAPSHOT",
        [REPL_END_SNAPSHOT] = "END_SNAPSHOT",
        [REPL_PIN] = "PIN",
        [REPL_ATTACH] = "ATTACH",
        [REPL_FEED] = "FEED",
        [REPL_ACKED] = "ACKED",
        [REPL_PAUSE_WRITES] = "PAUSE_WRITES",
        [REPL_RESUME_WRITES] = "RESUME_WRITES",
        [REPL_CONNECT] = "CONNECT",
        [REPL_IMAGE_BEGIN] = "IMAGE_BEGIN",
        [REPL_IMAGE_BYTES] = "IMAGE_BYTES",
        [REPL_IMAGE_END] = "IMAGE_END",
        [REPL_IMAGE_ABORT] = "IMAGE_ABORT",
        [REPL_APPLY] = "APPLY",
        [REPL_ADOPT] = "ADOPT",
        [REPL_RENAME_ID] = "RENAME_ID",
        [REPL_SHIFT_ID] = "SHIFT_ID",
        [REPL_ROLE] = "ROLE",
    };
    check((size_t)kind < sizeof(names) / sizeof(names[0]));
    return names[kind];
}
