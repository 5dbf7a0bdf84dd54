/* Hashes in RDB bodies. Written are two forms: the listpack as it is, and pairs of strings. Read are also
 * those of older versions, a zipmap (before 2.6) and a ziplist (before 7.0). What is read is checked
 * whole: a field that comes twice is refused, whoever wrote it. */
#include "ds/listpack.h"
#include "ds/ziplist.h"
#include "rdb/rdb.h"
#include "store/hash.h"

/* What is being made of a body. */
struct loading {
    struct rdb_reader *reader;
    const struct value_settings *settings;
    struct entry *entry;
};

static enum err add_pair(struct loading *loading, struct span field, struct span value)
{
    bool added = false;

    loading->entry = hash_put(loading->entry, field, value, loading->settings, &added);
    if (!added) return rdb_fail(loading->reader, ERR_CORRUPT, "A hash has one field twice");
    return OK;
}

/* ---- pairs of strings --------------------------------------------------------------------------- */

static enum err add_strings(struct loading *loading, uint64_t count)
{
    struct buf field = {0};
    struct span bytes;
    enum err err = OK;

    for (uint64_t i = 0; i < count && err == OK; i++) {
        err = rdb_read_string(loading->reader, &bytes);
        if (err != OK) break;
        buf_clear(&field); /* the next read takes the bytes away */
        buf_append_span(&field, bytes);
        err = rdb_read_string(loading->reader, &bytes);
        if (err == OK) err = add_pair(loading, buf_span(&field), bytes);
    }
    buf_release(&field);
    return err;
}

static enum err read_strings(struct rdb_reader *reader, const struct value_target *target,
                             struct entry **out)
{
    uint64_t count = 0;
    enum err err;

    TRY(rdb_read_length(reader, &count));
    if (count == 0) return ERR_EMPTY_VALUE;
    struct loading loading = {reader, target->settings,
                              hash_new(target->key, target->deadline, count, target->settings)};
    err = add_strings(&loading, count);
    if (err == OK) *out = loading.entry;
    else entry_free(loading.entry);
    return err;
}

/* ---- one string that holds all ------------------------------------------------------------------ */

struct form {
    const char *name;
    bool (*validate)(struct span bytes, size_t *items);
    enum err (*add)(struct loading *loading, struct span bytes);
    size_t items_per_pair;
    bool any_length; /* long fields and values do not make a table of it, as in Redis 7.0.15 */
};

static bool validate_listpack(struct span bytes, size_t *items)
{
    if (!listpack_validate(bytes)) return false;
    *items = listpack_count((const uint8_t *)bytes.ptr);
    return true;
}

/* The pairs from `item` on; listpacks and ziplists are walked alike. */
static enum err add_items(struct loading *loading, const uint8_t *pack, size_t item,
                          size_t (*next)(const uint8_t *pack, size_t item),
                          struct listpack_value (*value_at)(const uint8_t *pack, size_t item))
{
    char digits[2][NUM_INT64_CHARS];
    enum err err = OK;

    while (item != 0 && err == OK) {
        size_t behind = next(pack, item);
        struct span field = listpack_value_text(value_at(pack, item), digits[0]);
        struct span value = listpack_value_text(value_at(pack, behind), digits[1]);
        err = add_pair(loading, field, value);
        item = next(pack, behind);
    }
    return err;
}

static enum err add_listpack(struct loading *loading, struct span bytes)
{
    const uint8_t *lp = (const uint8_t *)bytes.ptr;
    return add_items(loading, lp, listpack_first(lp), listpack_next, listpack_value);
}

static enum err add_ziplist(struct loading *loading, struct span bytes)
{
    const uint8_t *zl = (const uint8_t *)bytes.ptr;
    return add_items(loading, zl, ziplist_first(zl), ziplist_next, ziplist_value);
}

static enum err add_zipmap(struct loading *loading, struct span bytes)
{
    struct span rest = zipmap_pairs(bytes), field, value;
    enum err err = OK;

    while (err == OK && zipmap_next(&rest, &field, &value)) err = add_pair(loading, field, value);
    return err;
}

static const struct form listpack_form = {"listpack", validate_listpack, add_listpack, 2, true},
                         ziplist_form = {"ziplist", ziplist_validate, add_ziplist, 2, true},
                         zipmap_form = {"zipmap", zipmap_validate, add_zipmap, 1, false};

/* Whether a sound listpack of so many pairs can be taken as it is. One with a field that comes twice can
 * not: its pairs are then added one by one, which finds it out. */
static bool stays_listpack(struct span bytes, size_t count, const struct value_settings *settings)
{
    return count <= settings->hash_max_listpack_entries && bytes.len <= ENTRY_INLINE_BYTES_MAX &&
           listpack_is_distinct((const uint8_t *)bytes.ptr, 1, &settings->secret);
}

static enum err read_packed(struct rdb_reader *reader, const struct form *form,
                            const struct value_target *target, struct entry **out)
{
    struct value_settings settings = *target->settings;
    struct span bytes;
    size_t items = 0;
    uint8_t *lp;

    TRY(rdb_read_string(reader, &bytes));
    if (!form->validate(bytes, &items) || items % form->items_per_pair != 0)
        return rdb_fail(reader, ERR_CORRUPT, "A hash is not a sound %s", form->name);
    size_t count = items / form->items_per_pair;
    if (count == 0) return ERR_EMPTY_VALUE;
    if (form == &listpack_form && stays_listpack(bytes, count, &settings)) {
        *out = entry_new_inline(target->key, target->deadline, TYPE_HASH, ENC_LISTPACK, bytes.len,
                                &lp);
        memcpy(lp, bytes.ptr, bytes.len);
        return OK;
    }
    if (form->any_length) settings.hash_max_listpack_value = SIZE_MAX;
    struct loading loading = {reader, &settings,
                              hash_new(target->key, target->deadline, count, &settings)};
    enum err err = form->add(&loading, bytes);
    if (err == OK) *out = loading.entry;
    else entry_free(loading.entry);
    return err;
}

enum err hash_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                       struct entry **out)
{
    switch (type) {
    case RDB_TYPE_HASH: return read_strings(reader, target, out);
    case RDB_TYPE_HASH_ZIPMAP: return read_packed(reader, &zipmap_form, target, out);
    case RDB_TYPE_HASH_ZIPLIST: return read_packed(reader, &ziplist_form, target, out);
    default: return read_packed(reader, &listpack_form, target, out);
    }
}

/* ---- writing ------------------------------------------------------------------------------------ */

uint8_t hash_rdb_type(const struct entry *e)
{
    return entry_encoding(e) == ENC_LISTPACK ? RDB_TYPE_HASH_LISTPACK : RDB_TYPE_HASH;
}

void hash_rdb_write(struct rdb_writer *writer, const struct entry *e)
{
    struct hash_walk walk;
    struct hash_pair pair;

    if (entry_encoding(e) == ENC_LISTPACK) {
        rdb_write_string(writer, entry_inline(e));
        return;
    }
    rdb_write_length(writer, hash_count(e));
    for (walk = hash_walk(e); hash_next(&walk, &pair);) {
        rdb_write_string(writer, pair.field);
        rdb_write_string(writer, pair.value);
    }
}
