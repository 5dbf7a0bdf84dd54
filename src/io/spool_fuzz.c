/* The spool against a byte array: random appends, cursors, trims and limits, without a worker, so
 * that everything happens at once and a finding replays. Small blocks and a small ring in the file,
 * so that seams, holes and wraps come often. */
#include "base/check.h"
#include "base/mem.h"
#include "io/spool.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX   (1 << 20)
#define CURSORS_MAX 6
#define START       UINT64_C(1000003)

struct input {
    const uint8_t *at, *end;
};

static unsigned take(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static unsigned take16(struct input *input)
{
    unsigned high = take(input);

    return high << 8 | take(input);
}

static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset * UINT64_C(0x9E3779B97F4A7C15) >> 56);
}

struct model {
    uint64_t end, keep_from;
    bool keep_head, finished;
    struct spool_room *room;
    struct spool_cursor *cursors[CURSORS_MAX];
    uint64_t positions[CURSORS_MAX];
};

static uint64_t needed(const struct model *model)
{
    uint64_t min = model->keep_head ? START : model->keep_from;

    for (int i = 0; i < CURSORS_MAX; i++)
        if (model->cursors[i] != NULL && model->positions[i] < min) min = model->positions[i];
    return min < model->end ? min : model->end;
}

static void append(struct spool *spool, struct model *model, size_t len)
{
    static uint8_t bytes[UINT16_MAX];

    if (model->finished || model->end - START + len > BYTES_MAX) return;
    for (size_t i = 0; i < len; i++) bytes[i] = byte_at(model->end + i);
    spool_append(spool, bytes, len);
    model->end += len;
}

static void expect(const char *ptr, size_t len, uint64_t offset)
{
    for (size_t i = 0; i < len; i++) check((uint8_t)ptr[i] == byte_at(offset + i));
}

/* Reads by peek; advances by some of what was seen. */
static void peek(struct model *model, int i, size_t bytes_max, unsigned part)
{
    struct iovec iov[SPOOL_RUNS_MAX];
    uint64_t at = model->positions[i];
    int count;
    enum spool_read read =
        spool_peek(model->cursors[i], iov, &count, 1 + (int)(part % 16), bytes_max, NULL, NULL);

    if (at == model->end) {
        check(read == (model->finished ? SPOOL_END : SPOOL_NOTHING) && count == 0);
        return;
    }
    check(read == SPOOL_BYTES && count > 0);
    for (int run = 0; run < count; run++) {
        check(iov[run].iov_len > 0);
        expect(iov[run].iov_base, iov[run].iov_len, at);
        at += iov[run].iov_len;
    }
    check(at - model->positions[i] <= bytes_max && at <= model->end);
    at = model->positions[i] + (at - model->positions[i]) * (part % 5) / 4;
    spool_advance(model->cursors[i], (size_t)(at - model->positions[i]));
    model->positions[i] = at;
}

static void read_wait(struct model *model, int i, size_t len)
{
    char bytes[4096];
    uint64_t left = model->end - model->positions[i];
    ssize_t n;

    if (left == 0 && !model->finished) return; /* it would wait for ever */
    if (len > sizeof bytes) len = sizeof bytes;
    n = spool_read_wait(model->cursors[i], bytes, len);
    check(n >= 0 && (uint64_t)n == (len < left ? len : left));
    expect(bytes, (size_t)n, model->positions[i]);
    model->positions[i] += (uint64_t)n;
}

static void step(struct spool *spool, struct model *model, struct input *input)
{
    unsigned op = take(input), arg = take16(input);
    int i = (int)(op >> 4) % CURSORS_MAX;
    uint64_t offset;

    switch (op & 15) {
    case 0: append(spool, model, arg); break;
    case 1: append(spool, model, arg & 255); break;
    case 2: append(spool, model, arg & 4095); break;
    case 3: /* anywhere between well below the head and beyond the end */
        if (model->cursors[i] != NULL) break;
        offset = model->end + 10 - (model->end - START + 20) * arg / UINT16_MAX;
        model->cursors[i] = spool_open(spool, offset);
        model->positions[i] = offset;
        check((model->cursors[i] != NULL) == (offset >= spool_head(spool) && offset <= model->end));
        break;
    case 4:
        spool_close(model->cursors[i]);
        model->cursors[i] = NULL;
        break;
    case 5:
        offset = START + (model->end - START) * arg / UINT16_MAX;
        spool_trim(spool, offset);
        if (offset > model->keep_from) model->keep_from = offset;
        break;
    case 6:
        if (arg % 8 != 0) break;
        spool_release_head(spool);
        model->keep_head = false;
        model->keep_from = UINT64_MAX;
        break;
    case 7: spool_set_limits(spool, (size_t)arg, arg % 3 == 0 ? 0 : 1 + (arg % 7) * 4096); break;
    case 8:
        if (arg % 16 != 0) break;
        spool_finish(spool);
        model->finished = true;
        break;
    case 9: /* skips */
        if (model->cursors[i] == NULL) break;
        offset = (model->end - model->positions[i]) * (arg & 255) / 255;
        spool_advance(model->cursors[i], (size_t)offset);
        model->positions[i] += offset;
        break;
    case 10:
    case 11:
        if (model->cursors[i] != NULL) read_wait(model, i, 1 + (arg & 4095));
        break;
    case 12:
        spool_room_set_max(model->room, arg % 4 == 0 ? 0 : 1 + arg % 8192);
        spool_try_again(spool);
        break;
    default:
        if (model->cursors[i] != NULL) peek(model, i, 1 + arg, arg >> 3);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    struct spool_options options = {.dir = "/tmp", .start = START};
    struct model model = {.end = START, .keep_from = START};
    struct spool *spool;

    options.keep_head = model.keep_head = take(&input) % 2;
    options.block_bytes = 16 + take(&input) % 512;
    options.memory_bytes_max = take16(&input);
    options.disk_bytes_max = take(&input) % 2 == 0 ? 0 : take16(&input) * 16;
    options.file_wrap = 65536;
    options.room = model.room = spool_room_new(take16(&input));
    spool = spool_new(&options);
    while (input.at < input.end) {
        step(spool, &model, &input);
        spool_check(spool);
        for (int i = 0; i < CURSORS_MAX; i++)
            check(model.cursors[i] == NULL ||
                  spool_position(model.cursors[i]) == model.positions[i]);
        check(spool_end(spool) == model.end && spool_head(spool) <= needed(&model));
        check(spool_head(spool) + options.block_bytes > needed(&model));
        check(spool_disk(spool) <= options.file_wrap);
        check(spool_disk(spool) == spool_room_used(model.room));
        check(spool_memory(spool) == spool_room_memory(model.room));
    }
    for (int i = 0; i < CURSORS_MAX; i++) spool_close(model.cursors[i]);
    spool_free(spool);
    check(spool_room_used(model.room) == 0);
    spool_room_drop(model.room);
    return 0;
}
