/* XREAD and XREADGROUP that wait for entries.
 *
 * What a call waits behind is fixed when it begins: "$" is kept as the id that the stream had then. A reader of a group
 * waits in the queue of that group, and is told when the stream or the group goes. */
#include "base/buf.h"
#include "base/mem.h"
#include "cmd/stream.h"
#include "handlers.h"

/* What a reader of a group is told when there is nothing to wait for any more. */
static enum err check_group(struct call *call, int index, int group)
{
    const struct entry *e;

    if (call_find_write(call, index, TYPE_STREAM, &e) != OK || e == NULL)
        return call_fail(call, "UNBLOCKED the stream key no longer exists");
    if (stream_group(stream_of(e), call->argv[group]) == NULL)
        return call_fail(call,
                         "NOGROUP the consumer group this client was blocked on no longer exists");
    return OK;
}

/* Serves one stream of a call that waits: what the others hold by now is none of its business. */
static enum err serve(struct call *call, int index, bool *served)
{
    struct stream_read read;
    enum err err = OK;

    TRY(stream_read_parse_again(call, &read));
    if (read.group != 0) err = check_group(call, index, read.group);
    if (err == OK) *served = stream_read_serve(call, &read, index - read.first_key, 1);
    /* Of what a group has read only a consumer that appeared counts as a change then (tried). */
    if (read.group != 0 && *served) store_set_dirty(call->store, store_dirty(call->store) - 1);
    stream_read_release(&read);
    return err;
}

/* The arguments with "$" resolved. Their texts are in `texts`. */
static struct span *resolve(const struct call *call, const struct stream_read *read,
                            struct buf *texts)
{
    struct span *argv = mem_alloc((size_t)call->argc * sizeof *argv);
    size_t at = 0;

    buf_reserve(texts, (size_t)read->keys * STREAM_ID_CHARS);
    for (int i = 0; i < call->argc; i++) argv[i] = call->argv[i];
    for (int i = 0; i < read->keys; i++) {
        struct span *id = &argv[read->first_key + read->keys + i];
        if (!span_equal(*id, SPAN("$"))) continue;
        size_t len = stream_format_id(texts->ptr + at, read->ids[i]);
        *id = span_of(texts->ptr + at, len);
        at += len;
    }
    return argv;
}

void stream_read_wait(struct call *call, const struct stream_read *read)
{
    struct buf texts = {0};
    struct span *argv = resolve(call, read, &texts);
    bool of_group = read->group != 0;

    call->wait(call, &(struct call_wait){.type = TYPE_STREAM,
                                         .turn = of_group ? TURN_GROUP : TURN_READ,
                                         .group = of_group ? call->argv[read->group] : SPAN(""),
                                         .first_key = read->first_key,
                                         .key_count = read->keys,
                                         .timeout_ms = read->block_ms,
                                         .argc = call->argc,
                                         .argv = argv,

                                         .serve = serve});
    mem_free(argv);
    buf_release(&texts);
}
