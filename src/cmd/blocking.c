#include "cmd/blocking.h"

enum err blocking_find_first(struct call *call, enum value_type type, int first, int count,
                             int *out)
{
    const struct entry *found = NULL;
    int i = first;

    for (; i < first + count && found == NULL; i++) TRY(call_find_write(call, i, type, &found));
    *out = found != NULL ? i - 1 : 0;
    return OK;
}

bool blocking_holds(struct call *call, enum value_type type, int index)
{
    const struct entry *found;

    return call_find_write(call, index, type, &found) == OK && found != NULL;
}

void blocking_take_later(struct call *call, enum value_type type, int first, int count,
                         int64_t timeout_ms, call_serve *serve)
{
    if (call->wait == NULL) {
        reply_null_array(call->reply);
        return;
    }
    call->wait(call, &(struct call_wait){.type = type,
                                         .turn = TURN_TAKE,
                                         .first_key = first,
                                         .key_count = count,
                                         .timeout_ms = timeout_ms,
                                         .argc = call->argc,
                                         .argv = call->argv,
                                         .serve = serve});
}
