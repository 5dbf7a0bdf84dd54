#include "sim.h"

#include "base/mem.h"

#include <inttypes.h>
#include <strings.h>

void histories_release(struct histories *histories)
{
    for (int i = 0; i < histories->count; i++) {
        buf_release(&histories->items[i].bytes);
        mem_free(histories->items[i].marks);
    }
    mem_free(histories->items);
    *histories = (struct histories){0};
}

static int find(const struct histories *histories, const char *id)
{
    for (int i = histories->count - 1; i >= 0; i--)
        if (strcasecmp(histories->items[i].id, id) == 0) return i;
    return -1;
}

static void add_mark(struct history *history, uint64_t offset, uint64_t digest)
{
    if (history->mark_count > 0 && history->marks[history->mark_count - 1].offset == offset) {
        history->marks[history->mark_count - 1].digest = digest;
        return;
    }
    if (history->mark_count == history->mark_capacity) {
        history->mark_capacity = history->mark_capacity == 0 ? 64 : history->mark_capacity * 2;
        history->marks =
            mem_realloc(history->marks, history->mark_capacity * sizeof(history->marks[0]));
    }
    history->marks[history->mark_count++] = (struct mark){offset, digest};
}

void history_id_changed(struct sim *sim, struct node *node)
{
    struct histories *all = &sim->histories;
    const struct journal *journal = node_journal(node);
    const uint64_t end = journal_end(journal);
    int *current = &all->of_node[node_index(node)];
    const int previous = *current;
    *current = find(all, journal_id(journal));
    if (*current >= 0) return;
    *current = all->count;
    if (all->count == all->capacity) {
        all->capacity = all->capacity == 0 ? 8 : all->capacity * 2;
        all->items = mem_realloc(all->items, (size_t)all->capacity * sizeof(all->items[0]));
    }
    struct history *history = &all->items[all->count++];
    *history = (struct history){.from = end, .parent = -1, .lineage = previous};
    memcpy(history->id, journal_id(journal), sizeof(history->id));
    if (journal_second_offset(journal) == (int64_t)end + 1)
        history->parent = find(all, journal_second_id(journal));
    add_mark(history, end, store_fingerprint(node_store(node)));
}

/* Compares or adds bytes that stand at `offset` under the history. Those before its own beginning
 * belong to its ancestors. Only the node that makes them may add some. */
static bool agree(struct sim *sim, int index, uint64_t offset, const char *ptr, size_t len,
                  bool may_add)
{
    struct history *history = &sim->histories.items[index];
    if (offset < history->from) {
        const uint64_t before = history->from - offset < len ? history->from - offset : len;
        if (history->parent >= 0 &&
            !agree(sim, history->parent, offset, ptr, (size_t)before, false))
            return false;
        offset += before;
        ptr += before;
        len -= (size_t)before;
    }
    if (len == 0) return true;
    const uint64_t at = offset - history->from;
    if (at > history->bytes.len) return false;
    if (may_add && at < history->bytes.len) return false; /* two nodes write under one name */
    const size_t known = history->bytes.len - at < len ? (size_t)(history->bytes.len - at) : len;
    if (known > 0 && memcmp(history->bytes.ptr + at, ptr, known) != 0) return false;
    if (known < len && !may_add) return false;
    buf_append(&history->bytes, ptr + known, len - known);
    return true;
}

/* The data's figure at `offset`: of the last unit that ended there or before it. Between the two there is at most a
 * SELECT, which changes no data. */
static bool mark_at(const struct sim *sim, int index, uint64_t offset, uint64_t *digest)
{
    const struct history *history = &sim->histories.items[index];
    if (offset < history->from)
        return history->parent >= 0 && mark_at(sim, history->parent, offset, digest);
    size_t low = 0, high = history->mark_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (history->marks[middle].offset <= offset) low = middle + 1;
        else high = middle;
    }
    if (low == 0) return false;
    *digest = history->marks[low - 1].digest;
    return true;
}

bool history_continues(const struct sim *sim, const char *id, const struct journal *journal)
{
    uint64_t until = UINT64_MAX;
    for (int i = find(&sim->histories, id); i >= 0; i = sim->histories.items[i].lineage) {
        const struct history *history = &sim->histories.items[i];
        if (strcasecmp(history->id, journal_id(journal)) == 0) return journal_end(journal) <= until;
        until = history->from;
    }
    return false;
}

bool history_passed(const struct sim *sim, const char *id, uint64_t from, uint64_t digest)
{
    const int index = find(&sim->histories, id);
    uint64_t known;
    if (index < 0) return false;
    if (mark_at(sim, index, from, &known) && known == digest) return true;
    const struct history *history = &sim->histories.items[index];
    for (size_t i = 0; i < history->mark_count; i++)
        if (history->marks[i].offset >= from && history->marks[i].digest == digest) return true;
    return false;
}

void history_check_data(struct sim *sim, struct node *node)
{
    const struct journal *journal = node_journal(node);
    const int index = find(&sim->histories, journal_id(journal));
    uint64_t known;
    if (index < 0) {
        sim_violation(sim, "node %d has an id that no node made", node_index(node));
        return;
    }
    if (!mark_at(sim, index, journal_end(journal), &known)) {
        sim_violation(sim, "node %d stands at offset %" PRIu64 ", which its history does not have",
                      node_index(node), journal_end(journal));
        return;
    }
    if (known != store_fingerprint(node_store(node)))
        sim_violation(sim, "node %d has other data than its history at offset %" PRIu64,
                      node_index(node), journal_end(journal));
}

void history_appended(struct sim *sim, struct node *node, bool origin)
{
    struct journal *journal = node_journal(node);
    uint64_t from = node_checked(node);
    const uint64_t end = journal_end(journal);
    const int index = find(&sim->histories, journal_id(journal));
    if (end < from)
        sim_violation(sim, "node %d: the offset went back from %" PRIu64 " to %" PRIu64,
                      node_index(node), from, end);
    if (end <= from || index < 0 || !journal_active(journal)) return;
    struct spool_cursor *cursor = journal_open(journal, from);
    if (cursor == NULL) {
        sim_violation(sim, "node %d: its newest bytes are not held", node_index(node));
        return;
    }
    struct iovec iov[8];
    int count;
    while (spool_peek(cursor, iov, &count, 8, SIZE_MAX, NULL, NULL) == SPOOL_BYTES) {
        size_t all = 0;
        for (int i = 0; i < count; i++) {
            if (!agree(sim, index, from, iov[i].iov_base, iov[i].iov_len, origin)) {
                sim_violation(
                    sim, "node %d: other bytes than known at offset %" PRIu64 " of its history",
                    node_index(node), from);
                break;
            }
            from += iov[i].iov_len;
            all += iov[i].iov_len;
        }
        spool_advance(cursor, all);
        if (sim->violation[0] != '\0') break;
    }
    journal_close(journal, cursor);
    node_set_checked(node, end);
    if (origin) add_mark(&sim->histories.items[index], end, store_fingerprint(node_store(node)));
    else history_check_data(sim, node);
}
