/* Random operations on a stream with a group against a toy model: for each number whether its entry
 * lives, and at which consumer it is pending.
 *
 * The first two bytes choose the bounds of nodes; operations of two bytes follow. Now and then the stream
 * is copied, or written and read, and the other one goes on. Entry n has the id n / 4 - n % 4, so ids
 * go back where XSETID leads back. */
#include "base/check.h"
#include "base/mem.h"
#include "store/stream.h"

enum { NUMBERS = 1024, CONSUMERS = 3 };

struct model {
    struct stream *stream;
    struct value_settings settings;
    struct stream_group *group;
    bool lives[NUMBERS];
    int pending[NUMBERS]; /* consumer + 1; 0: not pending */
    uint32_t next;        /* the number behind the last id */
    uint64_t length, added;
};

static struct stream_id id_of(uint32_t n)
{
    return (struct stream_id){n / 4 + 1, n % 4};
}

static struct span name_of_consumer(unsigned number)
{
    static const char names[CONSUMERS] = "abc";
    return span_of(&names[number], 1);
}

static void append(struct model *model, unsigned argument)
{
    static const char bytes[256];
    const uint32_t n = model->next + argument % 3;
    struct span value = span_of(bytes, argument);
    struct span pairs[] = {argument & 32 ? SPAN("name") : SPAN("7"), value, SPAN(""), SPAN("-1")};

    if (n >= NUMBERS) return;
    stream_append(model->stream, &model->settings, id_of(n), pairs, 1 + (argument & 1));
    model->lives[n] = true;
    model->next = n + 1;
    model->length++;
    model->added++;
}

static void forget(struct model *model, uint32_t n)
{
    model->length -= model->lives[n];
    model->lives[n] = false;
}

static void delete (struct model *model, uint32_t n)
{
    check(stream_delete(model->stream, id_of(n)) == model->lives[n]);
    forget(model, n);
}

/* Exact trimming is modelled, approximate trimming is held to its promises. */
static void trim(struct model *model, unsigned op, unsigned argument)
{
    struct stream_trim trim = {.how = op & 16 ? TRIM_TO_LENGTH : TRIM_TO_ID,
                               .whole_nodes = op & 32,
                               .length = argument,
                               .id = id_of(argument * 4),
                               .limit = op & 64 ? argument % 16 : 0};
    const uint64_t length = model->length;
    uint64_t removed = stream_trim(model->stream, &trim), seen = 0;

    for (uint32_t n = 0; n < NUMBERS && seen < removed; n++) {
        if (!model->lives[n]) continue;
        if (trim.how == TRIM_TO_ID) check(stream_id_less(id_of(n), trim.id));
        forget(model, n);
        seen++;
    }
    check(seen == removed && model->length == length - removed);
    if (trim.how == TRIM_TO_LENGTH && removed > 0) check(model->length >= trim.length);
    if (trim.limit > 0 && trim.whole_nodes) check(removed <= trim.limit);
    if (trim.how == TRIM_TO_LENGTH && !trim.whole_nodes && trim.limit == 0)
        check(model->length <= trim.length);
}

static void go_back(struct model *model, uint32_t n)
{
    if (stream_id_less(id_of(n), stream_last_live_id(model->stream))) return;
    stream_set_ids(model->stream, id_of(n), model->added, model->stream->max_deleted_id);
    model->next = n + 1;
}

static void walk(const struct model *model, uint32_t from, uint32_t to, bool backwards)
{
    struct stream_range range = stream_range_of(model->stream, id_of(from), id_of(to), backwards);
    const struct stream_entry *entry;

    for (uint32_t i = from; i <= to; i++) {
        uint32_t n = backwards ? to - (i - from) : i;
        if (!model->lives[n]) continue;
        entry = stream_range_next(&range);
        check(entry != NULL && stream_id_equal(entry->id, id_of(n)));
    }
    check(stream_range_next(&range) == NULL);
}

static struct stream_consumer *consumer_of(struct model *model, unsigned number)
{
    struct span name = name_of_consumer(number % CONSUMERS);
    struct stream_consumer *consumer = stream_consumer(model->group, name);
    if (consumer != NULL) return consumer;
    return stream_consumer_new(model->stream, model->group, name, 1);
}

static void remove_consumer(struct model *model, unsigned number)
{
    number %= CONSUMERS;
    struct stream_consumer *consumer = stream_consumer(model->group, name_of_consumer(number));
    if (consumer == NULL) return;
    stream_consumer_remove(model->stream, model->group, consumer);
    for (uint32_t n = 0; n < NUMBERS; n++)
        if (model->pending[n] == (int)number + 1) model->pending[n] = 0;
}

static void deliver(struct model *model, uint32_t n, unsigned consumer)
{
    stream_group_advance(model->stream, model->group, id_of(n));
    stream_deliver(model->stream, model->group, consumer_of(model, consumer), id_of(n), 5);
    model->pending[n] = (int)(consumer % CONSUMERS) + 1;
}

static void move(struct model *model, uint32_t n, unsigned consumer)
{
    struct stream_nack *nack = stream_nack(model->group, id_of(n));
    check((nack != NULL) == (model->pending[n] != 0));
    if (nack == NULL) return;
    stream_nack_move(nack, id_of(n), consumer_of(model, consumer));
    model->pending[n] = (int)(consumer % CONSUMERS) + 1;
}

static void take_over(struct model *model, struct stream *stream)
{
    stream_free(model->stream);
    model->stream = stream;
    model->group = stream_group(stream, SPAN("group"));
    check(model->group != NULL);
}

static void write_and_read(struct model *model)
{
    struct entry *e = entry_new_pointer(SPAN("k"), NO_DEADLINE, TYPE_STREAM, ENC_STREAM,
                                        stream_ops.copy(model->stream));
    struct value_target target = {SPAN("k"), NO_DEADLINE, &model->settings};
    struct entry *back = NULL;
    struct buf payload = {0};

    value_dump(e, false, &payload);
    check(value_restore(buf_span(&payload), false, &target, &back, NULL) == OK);
    entry_free(e);
    take_over(model, entry_pointer(back));
    entry_free_shell(back);
    buf_release(&payload);
}

static void check_all(const struct model *model)
{
    size_t pending = 0;

    stream_check(model->stream);
    check(model->stream->length == model->length && model->stream->entries_added == model->added);
    for (uint32_t n = 0; n < NUMBERS; n++) {
        const struct stream_nack *nack = stream_nack(model->group, id_of(n));
        check((nack != NULL) == (model->pending[n] != 0));
        if (nack == NULL) continue;
        check(span_equal(nack->consumer->name, name_of_consumer((unsigned)model->pending[n] - 1)));
        pending++;
    }
    check(pending == model->stream->pending_count);
    walk(model, 0, NUMBERS - 1, false);
}

static void step(struct model *model, unsigned op, unsigned argument)
{
    const uint32_t n = (op >> 4 | argument << 4) % NUMBERS;

    switch (op & 15) {
    case 0: delete (model, n); break;
    case 1: trim(model, op, argument); break;
    case 2: walk(model, n / 2, n, op & 16); break;
    case 3: check(stream_holds(model->stream, id_of(n)) == model->lives[n]); break;
    case 4: deliver(model, n, argument); break;
    case 5: move(model, n, argument); break;
    case 6:
        check(stream_acknowledge(model->stream, model->group, id_of(n)) ==
              (model->pending[n] != 0));
        model->pending[n] = 0;
        break;
    case 7:
        if (argument % 16 == 0) remove_consumer(model, op >> 4);
        break;
    case 8:
        if (argument % 16 == 0) take_over(model, stream_ops.copy(model->stream));
        break;
    case 9:
        if (argument % 16 == 0) write_and_read(model);
        break;
    case 10: go_back(model, n); break;
    default:
        for (unsigned i = 0; i < 1 + (op >> 4); i++) append(model, argument);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model; /* big: not on the stack */
    if (size < 2) return 0;
    model = (struct model){.stream = stream_new()};
    model.settings.stream_node_max_entries = data[0] % 8 * 3;
    model.settings.stream_node_max_bytes = data[1] % 4 * 300;
    model.group = stream_group_new(model.stream, SPAN("group"), STREAM_ID_MIN, -1);

    for (size_t i = 2; i + 1 < size; i += 2) {
        step(&model, data[i], data[i + 1]);
        if (i % 32 == 0) check_all(&model);
    }
    check_all(&model);
    walk(&model, 0, NUMBERS - 1, true);
    stream_free(model.stream);
    return 0;
}
