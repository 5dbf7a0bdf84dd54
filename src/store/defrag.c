#include "store/defrag.h"

#include "base/mem.h"
#include "base/prefetch.h"
#include "store/store_internal.h"

/* What one bucket is walked with. */
struct walk {
    struct store *store;
    struct mem_mover *mover;
    size_t elements_left; /* of values, in this step */
};

static void count_key(struct store *store, bool moved)
{
    struct defrag_figures *figures = &store->defrag.figures;
    if (moved) figures->keys_moved++;
    else figures->keys_kept++;
}

/* The value's row, where it may be moved now. */
static const struct value_ops *movable(const struct entry *e)
{
    if (!entry_has_pointer(e) || value_shared(entry_pointer(e))) return NULL;
    const struct value_ops *ops = value_ops(entry_encoding(e));
    return ops->relocate != NULL ? ops : NULL;
}

static void relocate_value(struct walk *walk, const struct entry *e)
{
    const struct value_ops *ops = movable(e);
    struct defrag *defrag = &walk->store->defrag;
    void *value = ops != NULL ? entry_pointer(e) : NULL;

    if (ops == NULL) return;
    size_t effort = ops->effort(value);
    if (effort > walk->elements_left) {
        struct span name = entry_key(e);
        if (defrag->later_count < DEFRAG_LATER_MAX)
            defrag->later[defrag->later_count++] =
                hash_keyed(&walk->store->secret, name.ptr, name.len);
        return;
    }
    walk->elements_left -= effort;
    struct value_cursor cursor = {0};
    while (ops->relocate(value, &cursor, walk->mover)) continue;
}

static void *relocate_entry(void *context, void *item)
{
    struct walk *walk = context;
    uint64_t before = walk->mover->moved;
    struct entry *e = mem_mover_move(walk->mover, item, mem_class(entry_bytes(item)));

    relocate_value(walk, e);
    count_key(walk->store, walk->mover->moved > before);
    return e;
}

static void prefetch_entry(void *context, void *item)
{
    (void)context;
    prefetch(item);
}

/* A part of the last value that was put off. */
static void go_on_with_value(struct store *store, struct mem_mover *mover)
{
    struct defrag *defrag = &store->defrag;
    struct table_place place = keyspace_locate_hash(keyspace_of(store, defrag->db),
                                                    defrag->later[defrag->later_count - 1]);
    const struct entry *e = place.bucket != NULL ? table_at(place) : NULL;
    const struct value_ops *ops = e != NULL ? movable(e) : NULL;
    uint64_t before = mover->moved;
    bool more = ops != NULL && ops->relocate(entry_pointer(e), &defrag->cursor, mover);

    if (mover->moved > before) count_key(store, true);
    if (more) return;
    defrag->later_count--;
    defrag->cursor = (struct value_cursor){0};
}

bool store_defrag_step(struct store *store, struct mem_mover *mover, size_t elements_max)
{
    struct defrag *defrag = &store->defrag;
    struct walk walk = {store, mover, elements_max};

    if (defrag->later_count > 0) {
        go_on_with_value(store, mover);
        return true;
    }
    struct keyspace *keyspace = keyspace_of(store, defrag->db);
    if (defrag->bucket < table_buckets(keyspace->table)) {
        size_t index = defrag->bucket++;
        if (defrag->bucket < table_buckets(keyspace->table))
            table_visit(keyspace->table, defrag->bucket, prefetch_entry, NULL);
        table_relocate(keyspace->table, index, relocate_entry, &walk);
        table_relocate_buckets(keyspace->table, index, mover);
        return true;
    }
    keyspace->table = table_relocate_self(keyspace->table, mover);
    defrag->bucket = 0;
    defrag->db = (defrag->db + 1) % store->databases;
    return defrag->db != 0;
}

void store_defrag_reset(struct store *store)
{
    store->defrag = (struct defrag){.figures = store->defrag.figures};
}

struct defrag_figures *store_defrag_figures(struct store *store)
{
    return &store->defrag.figures;
}
