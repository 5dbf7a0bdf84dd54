#include "store/snapshot.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/prefetch.h"
#include "store/store_internal.h"
#include "store/value_rdb.h"

/* A scratch buffer that a bucket of long keys and values blew up is given back. */
#define SCRATCH_BYTES_KEPT (256 * 1024)

/* One keyspace on a snapshot's way. While it is being walked it stands in the list of those who
 * must see the keyspace's buckets before they change: keyspace->observer. */
struct part {
    struct snapshot *snapshot;
    struct keyspace *keyspace; /* held; NULL once every bucket is taken */
    struct part *next;         /* of another snapshot, at the same keyspace */
    uint32_t db;
    uint64_t *taken; /* a bit per bucket */
    size_t words;
    size_t cursor; /* buckets below it are taken */
};

struct snapshot {
    struct store *store;
    struct snapshot_sink sink;
    struct snapshot_figures figures;
    size_t *counts; /* behind keys_per_db and expires_per_db */
    struct buf scratch;
    struct part *parts;
    int part_count, current;
};

/* ---- taken bits ----------------------------------------------------------------------------- */

static bool is_taken(const struct part *part, size_t index)
{
    return part->taken[index / 64] >> index % 64 & 1;
}

static void set_taken(struct part *part, size_t index, bool taken)
{
    uint64_t bit = (uint64_t)1 << index % 64;
    if (taken) part->taken[index / 64] |= bit;
    else part->taken[index / 64] &= ~bit;
}

static void make_room(struct part *part, size_t index)
{
    if (index / 64 < part->words) return;
    size_t words = part->words + part->words / 4 + 1;
    check(index / 64 < words);
    part->taken = mem_realloc(part->taken, words * sizeof(uint64_t));
    memset(part->taken + part->words, 0, (words - part->words) * sizeof(uint64_t));
    part->words = words;
}

/* ---- copying -------------------------------------------------------------------------------- */

static void pad_to_8(struct buf *buf)
{
    static const char zeros[8];
    buf_append(buf, zeros, -buf->len & 7);
}

static void copy_entry(void *context, void *item)
{
    struct part *part = context;
    struct snapshot *snapshot = part->snapshot;
    struct buf *out = &snapshot->scratch;
    const struct entry *e = item;
    size_t begin = out->len, bytes = entry_bytes(e);
    struct snapshot_record record = {.db = part->db, .entry_bytes = (uint32_t)bytes};

    buf_reserve(out, sizeof(record) + bytes + 8);
    out->len += sizeof(record);
    buf_append(out, e, bytes);
    pad_to_8(out);
    if (entry_has_pointer(e)) {
        void *value = entry_pointer(e);
        record.leased = value_ops(entry_encoding(e))->weight(value) > VALUE_COPIED_BYTES_MAX;
        if (!record.leased) {
            size_t body = out->len;
            value_rdb_flatten(e, out);
            record.body_bytes = (uint32_t)(out->len - body);
            pad_to_8(out);
        } else {
            value_hold(value);
            __atomic_fetch_add(&snapshot->store->leases_out, 1, __ATOMIC_RELAXED);
            snapshot->figures.leases++;
        }
    }
    record.bytes = out->len - begin;
    memcpy(out->ptr + begin, &record, sizeof(record));
    snapshot->figures.keys_taken++;
}

/* Returns the bytes appended. */
static size_t take(struct part *part, size_t index)
{
    struct snapshot *snapshot = part->snapshot;
    struct buf *scratch = &snapshot->scratch;
    table_visit(part->keyspace->table, index, copy_entry, part);
    set_taken(part, index, true);

    size_t bytes = scratch->len;
    if (bytes > 0) snapshot->sink.append(snapshot->sink.context, scratch->ptr, bytes);
    snapshot->figures.bytes += bytes;
    if (scratch->cap > SCRATCH_BYTES_KEPT) buf_release(scratch);
    else buf_clear(scratch);
    return bytes;
}

/* ---- what the door and the table say -------------------------------------------------------- */

void snapshot_take_bucket(struct keyspace *keyspace, size_t index)
{
    for (struct part *part = keyspace->observer; part != NULL; part = part->next)
        if (!is_taken(part, index)) part->snapshot->figures.door_bytes += take(part, index);
}

static void after_split(void *observer, size_t from, size_t to)
{
    for (struct part *part = observer; part != NULL; part = part->next) {
        make_room(part, to);
        set_taken(part, to, is_taken(part, from));
    }
}

static void before_merge(void *observer, size_t from, size_t to)
{
    struct keyspace *keyspace = ((struct part *)observer)->keyspace;
    snapshot_take_bucket(keyspace, from);
    snapshot_take_bucket(keyspace, to);
}

void snapshot_count_lease_copied(struct store *store)
{
    store->stats.leases_encoded_at_once++;
    for (int i = 0; i < SNAPSHOTS_MAX; i++)
        if (store->snapshots[i] != NULL) store->snapshots[i]->figures.leases_encoded_at_once++;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void part_attach(struct part *part, struct snapshot *snapshot, int db)
{
    struct keyspace *keyspace = keyspace_of(snapshot->store, db);
    size_t words = table_buckets(keyspace->table) / 64 + 1;
    *part = (struct part){.snapshot = snapshot,
                          .keyspace = keyspace,
                          .next = keyspace->observer,
                          .db = (uint32_t)db,
                          .taken = mem_zalloc(words * sizeof(uint64_t)),
                          .words = words};
    keyspace_hold(keyspace);
    keyspace->observer = part;
    keyspace->after_split = after_split;
    keyspace->before_merge = before_merge;
}

static void part_detach(struct part *part)
{
    struct keyspace *keyspace = part->keyspace;
    if (keyspace == NULL) return;
    struct part *first = keyspace->observer;
    if (first == part) {
        keyspace->observer = part->next;
    } else {
        while (first->next != part) first = first->next;
        first->next = part->next;
    }
    part->keyspace = NULL;
    mem_free(part->taken);
    store_drop_keyspace(part->snapshot->store, keyspace, false);
}

struct snapshot *snapshot_start(struct store *store, const struct snapshot_sink *sink)
{
    int slot = 0;
    while (slot < SNAPSHOTS_MAX && store->snapshots[slot] != NULL) slot++;
    if (slot == SNAPSHOTS_MAX) return NULL;

    struct snapshot *snapshot = mem_zalloc(sizeof(*snapshot));
    size_t databases = (size_t)store->databases;
    snapshot->store = store;
    snapshot->sink = *sink;
    snapshot->counts = mem_zalloc(2 * databases * sizeof(size_t));
    snapshot->parts = mem_alloc(databases * sizeof(struct part));
    for (size_t db = 0; db < databases; db++) {
        const struct keyspace *keyspace = keyspace_of(store, (int)db);
        size_t keys = keyspace_count(keyspace);
        snapshot->counts[db] = keys;
        snapshot->counts[databases + db] = keyspace->expires;
        snapshot->figures.keys_total += keys;
        if (keys > 0) part_attach(&snapshot->parts[snapshot->part_count++], snapshot, (int)db);
    }
    snapshot->figures.keys_per_db = snapshot->counts;
    snapshot->figures.expires_per_db = snapshot->counts + databases;
    store->snapshots[slot] = snapshot;
    return snapshot;
}

void snapshot_end(struct snapshot *snapshot)
{
    struct store *store = snapshot->store;
    for (int i = 0; i < snapshot->part_count; i++) part_detach(&snapshot->parts[i]);
    for (int i = 0; i < SNAPSHOTS_MAX; i++)
        if (store->snapshots[i] == snapshot) store->snapshots[i] = NULL;
    buf_release(&snapshot->scratch);
    mem_free(snapshot->parts);
    mem_free(snapshot->counts);
    mem_free(snapshot);
}

const struct snapshot_figures *snapshot_figures(const struct snapshot *snapshot)
{
    return &snapshot->figures;
}

void snapshot_release_lease(const struct entry *copied_entry, struct store *store)
{
    value_drop_leased(entry_encoding(copied_entry), entry_pointer(copied_entry),
                      &store->leaving_bytes);
    __atomic_fetch_sub(&store->leases_out, 1, __ATOMIC_RELEASE);
}

/* ---- walking -------------------------------------------------------------------------------- */

static void load_entry(void *context, void *item)
{
    (void)context;
    prefetch(item);
}

/* The first bucket from the cursor on that is not taken, or the count of buckets. */
static size_t next_untaken(const struct part *part)
{
    size_t index = part->cursor, buckets = table_buckets(part->keyspace->table);
    while (index < buckets) {
        uint64_t untaken = ~part->taken[index / 64] >> index % 64;
        if (untaken != 0) {
            index += (size_t)__builtin_ctzll(untaken);
            break;
        }
        index = (index / 64 + 1) * 64;
    }
    return index < buckets ? index : buckets;
}

/* Walks on within the budget, which it lowers. Returns true when all of this keyspace is taken. */
static bool walk_part(struct part *part, size_t *bytes, size_t *buckets)
{
    const struct table *table = part->keyspace->table;
    while (*bytes > 0 && *buckets > 0) {
        size_t index = next_untaken(part);
        if (index == table_buckets(table)) return true;
        /* The entries of the next bucket are on their way while this one is copied. */
        if (index + 1 < table_buckets(table)) table_visit(table, index + 1, load_entry, NULL);
        size_t taken = take(part, index);
        part->cursor = index + 1;
        *bytes -= taken < *bytes ? taken : *bytes;
        --*buckets;
    }
    return false;
}

bool snapshot_walk(struct snapshot *snapshot, size_t budget_bytes, size_t budget_buckets)
{
    if (budget_bytes == 0) budget_bytes = 1;
    if (budget_buckets == 0) budget_buckets = 1;
    while (snapshot->current < snapshot->part_count) {
        struct part *part = &snapshot->parts[snapshot->current];
        if (!walk_part(part, &budget_bytes, &budget_buckets)) return false;
        part_detach(part);
        snapshot->current++;
    }
    check(snapshot->figures.keys_taken == snapshot->figures.keys_total);
    return true;
}
