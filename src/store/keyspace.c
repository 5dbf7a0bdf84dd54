#include "store/keyspace.h"

#include "base/check.h"
#include "base/mem.h"

/* What is looked for without a name, which the length tells, since no key has such a one: any entry with
 * the hash, or one with a deadline. */
#define NO_NAME          SIZE_MAX
#define NO_NAME_DEADLINE (SIZE_MAX - 1)

static uint64_t hash_of_entry(const void *context, const void *item)
{
    const struct keyspace *keyspace = context;
    struct span name = entry_key(item);
    return hash_keyed(&keyspace->secret, name.ptr, name.len);
}

static bool entry_matches(const void *context, const void *item, const void *key)
{
    const struct key *wanted = key;
    if (__builtin_expect(wanted->name.len >= NO_NAME_DEADLINE, 0)) {
        if (wanted->name.len == NO_NAME_DEADLINE && entry_deadline(item) == NO_DEADLINE)
            return false;
        return hash_of_entry(context, item) == wanted->hash;
    }
    return span_equal(entry_key(item), wanted->name);
}

static void on_split(void *context, size_t from, size_t to)
{
    struct keyspace *keyspace = context;
    if (keyspace->observer != NULL) keyspace->after_split(keyspace->observer, from, to);
}

static void on_merge(void *context, size_t from, size_t to)
{
    struct keyspace *keyspace = context;
    if (keyspace->observer != NULL) keyspace->before_merge(keyspace->observer, from, to);
}

struct keyspace *keyspace_new(const struct hash_secret *secret, int64_t now_ms)
{
    struct keyspace *keyspace = mem_zalloc(sizeof(*keyspace));
    struct table_hooks hooks = {.hash = hash_of_entry,
                                .matches = entry_matches,
                                .after_split = on_split,
                                .before_merge = on_merge,
                                .context = keyspace};
    keyspace->table = table_new(&hooks);
    keyspace->deadlines = deadlines_new(now_ms);
    keyspace->secret = *secret;
    keyspace->holders = 1;
    return keyspace;
}

void keyspace_hold(struct keyspace *keyspace)
{
    keyspace->holders++;
}

static void free_item(void *item)
{
    entry_free(item);
}

void keyspace_drop(struct keyspace *keyspace)
{
    check(keyspace->holders > 0);
    if (--keyspace->holders > 0) return;
    check(keyspace->observer == NULL);
    table_free(keyspace->table, free_item);
    deadlines_free(keyspace->deadlines);
    if (keyspace->leaving != NULL)
        __atomic_fetch_sub(keyspace->leaving, keyspace->leaving_bytes, __ATOMIC_RELEASE);
    mem_free(keyspace);
}

struct key keyspace_key(const struct keyspace *keyspace, struct span name)
{
    return (struct key){name, hash_keyed(&keyspace->secret, name.ptr, name.len)};
}

/* ---- deadlines ------------------------------------------------------------------------------ */

/* From which moment on the key counts as expired: its deadline must lie behind. */
static int64_t due_of(int64_t deadline)
{
    if (deadline == NO_DEADLINE || deadline == INT64_MAX) return deadline;
    return deadline + 1;
}

/* Takes a deadline out of the sums. */
static void uncount_deadline(struct keyspace *keyspace, int64_t deadline)
{
    if (deadline == NO_DEADLINE) return;
    keyspace->expires--;
    keyspace->deadline_sum_ms -= deadline;
}

void keyspace_note_deadline(struct keyspace *keyspace, uint64_t hash, int64_t before, int64_t after)
{
    if (before == after) return;
    uncount_deadline(keyspace, before);
    if (after != NO_DEADLINE) {
        keyspace->expires++;
        keyspace->deadline_sum_ms += after;
        deadlines_add(keyspace->deadlines, hash, due_of(after), due_of(before));
    } else {
        deadlines_forget(keyspace->deadlines, hash, due_of(before));
    }
}

/* ---- access --------------------------------------------------------------------------------- */

struct table_place keyspace_locate(const struct keyspace *keyspace, const struct key *key)
{
    return table_locate(keyspace->table, key->hash, key);
}

struct table_place keyspace_locate_hash(const struct keyspace *keyspace, uint64_t hash)
{
    struct key wanted = {{NULL, NO_NAME}, hash};
    return keyspace_locate(keyspace, &wanted);
}

struct table_place keyspace_locate_deadline(const struct keyspace *keyspace, uint64_t hash)
{
    struct key wanted = {{NULL, NO_NAME_DEADLINE}, hash};
    return keyspace_locate(keyspace, &wanted);
}

struct entry *keyspace_find(const struct keyspace *keyspace, const struct key *key)
{
    return table_find(keyspace->table, key->hash, key);
}

void keyspace_add(struct keyspace *keyspace, uint64_t hash, struct entry *entry)
{
    table_insert(keyspace->table, hash, entry);
    keyspace_note_deadline(keyspace, hash, NO_DEADLINE, entry_deadline(entry));
}

struct entry *keyspace_replace_at(struct keyspace *keyspace, struct table_place place,
                                  uint64_t hash, struct entry *entry)
{
    struct entry *old = table_at(place);
    table_replace(place, entry);
    keyspace_note_deadline(keyspace, hash, entry_deadline(old), entry_deadline(entry));
    return old;
}

struct entry *keyspace_take_at(struct keyspace *keyspace, struct table_place place)
{
    struct entry *entry = table_at(place);
    table_remove(keyspace->table, place);
    keyspace_note_deadline(keyspace, 0, entry_deadline(entry), NO_DEADLINE);
    return entry;
}

struct entry *keyspace_take_due_at(struct keyspace *keyspace, struct table_place place)
{
    struct entry *entry = table_at(place);
    table_remove(keyspace->table, place);
    uncount_deadline(keyspace, entry_deadline(entry));
    return entry;
}

bool keyspace_insert(struct keyspace *keyspace, uint64_t hash, struct entry *entry)
{
    struct key key = {entry_key(entry), hash};
    if (keyspace_locate(keyspace, &key).bucket != NULL) return false;
    keyspace_add(keyspace, hash, entry);
    return true;
}

/* ---- checking ------------------------------------------------------------------------------- */

struct sums {
    size_t count, expires;
    __int128 deadline_sum_ms;
};

static void add_to_sums(void *context, void *item)
{
    struct sums *sums = context;
    int64_t deadline = entry_deadline(item);
    sums->count++;
    if (deadline == NO_DEADLINE) return;
    sums->expires++;
    sums->deadline_sum_ms += deadline;
}

void keyspace_check(const struct keyspace *keyspace)
{
    struct sums sums = {0};
    table_check(keyspace->table);
    deadlines_check(keyspace->deadlines);
    for (size_t i = 0; i < table_buckets(keyspace->table); i++)
        table_visit(keyspace->table, i, add_to_sums, &sums);
    check(sums.count == keyspace_count(keyspace));
    check(sums.expires == keyspace->expires);
    check(sums.expires == deadlines_live(keyspace->deadlines));
    check(sums.deadline_sum_ms == keyspace->deadline_sum_ms);
}
