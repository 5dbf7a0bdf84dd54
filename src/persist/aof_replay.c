#include "persist/aof_replay.h"

#include "base/buf.h"
#include "base/mem.h"
#include "io/file.h"
#include "proto/request.h"

#include <errno.h>
#include <stdio.h>

#define READ_BYTES (256 * 1024)
#define LINE_MAX_  1024                    /* a line with '#': longer ones are no comments */
#define BULK_MAX   (1024ull * 1024 * 1024) /* an argument that claims more is a lie */

struct aof_replay {
    struct aof_replay_options options;
    struct aof_replay_figures figures;
    int fd;
    struct buf window; /* bytes read and not consumed */
    size_t done;       /* of the window: consumed */
    struct request request;
    struct buf transaction; /* bytes of the commands since MULTI, MULTI included */
};

struct aof_replay *aof_replay_open(const char *path, const struct aof_replay_options *options,
                                   int *error)
{
    uint64_t size;
    int fd = file_open_read(path, &size);

    *error = fd < 0 ? fd : 0;
    if (fd < 0) return NULL;
    struct aof_replay *replay = mem_zalloc(sizeof *replay);
    replay->options = *options;
    replay->fd = fd;
    replay->figures.size = options->upto < size ? options->upto : size;
    replay->figures.position = replay->figures.valid = options->from;
    request_init(&replay->request);
    return replay;
}

void aof_replay_free(struct aof_replay *replay)
{
    if (replay == NULL) return;
    file_close(replay->fd);
    request_release(&replay->request);
    buf_release(&replay->window);
    buf_release(&replay->transaction);
    mem_free(replay);
}

const struct aof_replay_figures *aof_replay_figures(const struct aof_replay *replay)
{
    return &replay->figures;
}

/* ---- bytes ------------------------------------------------------------------------------------- */

static struct span unread(const struct aof_replay *replay)
{
    return span_of(replay->window.ptr + replay->done, replay->window.len - replay->done);
}

static void consume(struct aof_replay *replay, size_t len)
{
    replay->done += len;
    replay->figures.position += len;
}

/* Reads at least `want` more bytes behind what is unread, or what is left. 1, 0 at the end, or -errno. */
static int read_more(struct aof_replay *replay, size_t want)
{
    struct buf *window = &replay->window;
    uint64_t at = replay->figures.position + (window->len - replay->done);
    uint64_t left = replay->figures.size > at ? replay->figures.size - at : 0;

    if (left == 0) return 0;
    if (replay->done > 0) {
        buf_drop_front(window, replay->done);
        replay->done = 0;
    }
    if (want < READ_BYTES) want = READ_BYTES;
    if (want > left) want = (size_t)left;
    buf_reserve(window, want);
    ssize_t got = file_pread_some(replay->fd, window->ptr + window->len, want, at);
    if (got < 0) return (int)got;
    window->len += (size_t)got;
    return got > 0;
}

/* ---- commands ---------------------------------------------------------------------------------- */

static bool is_word(const struct request *request, const char *word)
{
    return request->argc == 1 && span_is(request->argv[0], word);
}

static bool run_one(struct aof_replay *replay, const struct request *request)
{
    replay->figures.commands++;
    return replay->options.run(replay->options.context, request->argc, request->argv,
                               replay->figures.reason);
}

static const struct request_limits limits = {.bulk_bytes_max = BULK_MAX, .authenticated = true};

/* Runs the commands of a transaction, MULTI to EXEC. */
static bool run_transaction(struct aof_replay *replay)
{
    struct span rest = buf_span(&replay->transaction);
    struct request request;
    bool fine = true;

    request_init(&request);
    while (rest.len > 0 && fine) {
        size_t consumed, want;
        const char *error;
        if (request_parse(&request, rest, &limits, &consumed, &want, &error) != REQUEST_READY)
            break; /* it was whole when it came in */
        rest = span_of(rest.ptr + consumed, rest.len - consumed);
        fine = run_one(replay, &request);
    }
    request_release(&request);
    buf_clear(&replay->transaction);
    return fine;
}

static bool is_wanted(const struct aof_replay *replay, size_t len)
{
    const struct request *request = &replay->request;

    return replay->options.wants == NULL || request->argc == 0 ||
           replay->options.wants(replay->options.context, request->argv[0],
                                 replay->figures.position + len);
}

/* A whole command of `len` bytes stands at the front. MORE: it was taken. */
static enum aof_replay_state take_command(struct aof_replay *replay, size_t len)
{
    struct request *request = &replay->request;
    struct span bytes = span_of(unread(replay).ptr, len);
    bool begins = is_word(request, "MULTI"), ends = is_word(request, "EXEC");
    bool held = begins || (replay->figures.in_transaction && !ends);
    bool fine = true;

    if (!held && !is_wanted(replay, len)) return AOF_REPLAY_DONE;
    if (replay->figures.in_transaction || begins) {
        replay->figures.in_transaction = true;
        buf_append_span(&replay->transaction, bytes);
        if (ends) {
            replay->figures.in_transaction = false;
            fine = run_transaction(replay);
        }
    } else if (request->argc > 0) {
        fine = run_one(replay, request);
    }
    consume(replay, len);
    if (!replay->figures.in_transaction) replay->figures.valid = replay->figures.position;
    return fine ? AOF_REPLAY_MORE : AOF_REPLAY_STOPPED;
}

static void take_comment(struct aof_replay *replay, size_t len)
{
    struct span line = span_of(unread(replay).ptr, len);

    if (replay->options.line != NULL)
        replay->options.line(replay->options.context, line, replay->figures.position + len);
    consume(replay, len);
    if (!replay->figures.in_transaction) replay->figures.valid = replay->figures.position;
}

static enum aof_replay_state fail(struct aof_replay *replay, enum aof_replay_state state,
                                  const char *reason)
{
    snprintf(replay->figures.reason, sizeof replay->figures.reason, "%s", reason);
    return state;
}

/* What to do where the front is not whole: reads on. */
static enum aof_replay_state need_more(struct aof_replay *replay, size_t want)
{
    int got = read_more(replay, want);

    if (got > 0) return AOF_REPLAY_MORE;
    if (got < 0) return fail(replay, AOF_REPLAY_FAILED, strerror(-got));
    return fail(replay, AOF_REPLAY_SHORT, "the file ends within a command");
}

static enum aof_replay_state step(struct aof_replay *replay)
{
    struct span front = unread(replay);
    size_t consumed, want = 0;
    const char *error;

    if (front.len == 0) {
        int got = read_more(replay, 1);
        if (got < 0) return fail(replay, AOF_REPLAY_FAILED, strerror(-got));
        if (got > 0) return AOF_REPLAY_MORE;
        if (replay->figures.in_transaction)
            return fail(replay, AOF_REPLAY_SHORT, "the file ends within a transaction");
        return AOF_REPLAY_DONE;
    }
    if (front.ptr[0] == '#') {
        const char *end = memchr(front.ptr, '\n', front.len < LINE_MAX_ ? front.len : LINE_MAX_);
        if (end != NULL) {
            take_comment(replay, (size_t)(end + 1 - front.ptr));
            return AOF_REPLAY_MORE;
        }
        if (front.len >= LINE_MAX_) return fail(replay, AOF_REPLAY_BAD, "a comment without an end");
        return need_more(replay, 1);
    }
    if (front.ptr[0] != '*') return fail(replay, AOF_REPLAY_BAD, "no command begins here");
    switch (request_parse(&replay->request, front, &limits, &consumed, &want, &error)) {
    case REQUEST_READY: return take_command(replay, consumed);
    case REQUEST_MORE: return need_more(replay, want);
    default: return fail(replay, AOF_REPLAY_BAD, error);
    }
}

enum aof_replay_state aof_replay_run(struct aof_replay *replay, size_t budget_bytes)
{
    uint64_t until = replay->figures.position + (budget_bytes > 0 ? budget_bytes : 1);
    enum aof_replay_state state;

    do state = step(replay);
    while (state == AOF_REPLAY_MORE && replay->figures.position < until);
    return state;
}
