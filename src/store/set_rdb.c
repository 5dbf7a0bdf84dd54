/* Sets as RDB bodies.
 *
 *   id 2   count, then the members as strings     every set but an intset
 *   id 11  one string, the bytes of an intset     ENC_INTSET; a set within set-max-intset-entries
 *
 * What the form is after loading follows from the members and today's thresholds, as in Redis: a set
 * of integers that was written under id 2 may come back as an intset. */
#include "ds/intset.h"
#include "store/set_inside.h"

static enum err read_members(struct rdb_reader *reader, const struct value_target *target,
                             struct entry **out)
{
    struct entry *e;
    uint64_t count = 0;
    enum err err = OK;

    TRY(rdb_read_length(reader, &count));
    if (count == 0) return ERR_EMPTY_VALUE;
    e = set_new(target->key, target->deadline);
    for (uint64_t i = 0; i < count && err == OK; i++) {
        struct span text;
        bool added = false;
        err = rdb_read_string(reader, &text);
        if (err != OK) break;
        e = set_add(e, text, target->settings, &added);
        if (!added) err = rdb_fail(reader, ERR_CORRUPT, "A member stands twice in a set");
    }
    if (err == OK) *out = e;
    else entry_free(e);
    return err;
}

static enum err read_intset(struct rdb_reader *reader, const struct value_target *target,
                            struct entry **out)
{
    const struct value_settings *settings = target->settings;
    struct span bytes;
    uint8_t *set;

    TRY(rdb_read_string(reader, &bytes));
    if (!intset_validate(bytes)) return rdb_fail(reader, ERR_CORRUPT, "The intset is not sound");
    set = (uint8_t *)bytes.ptr;
    const size_t count = intset_count(set);
    if (count == 0) return ERR_EMPTY_VALUE;
    if (count <= settings->set_max_intset_entries && bytes.len <= ENTRY_INLINE_BYTES_MAX) {
        *out =
            entry_new_inline(target->key, target->deadline, TYPE_SET, ENC_INTSET, bytes.len, &set);
        memcpy(set, bytes.ptr, bytes.len);
        return OK;
    }
    struct entry *e = set_new(target->key, target->deadline);
    for (size_t i = 0; i < count; i++) {
        char digits[NUM_INT64_CHARS];
        bool added;
        e = set_add(e, span_of(digits, num_format_int64(digits, intset_at(set, i))), settings,
                    &added);
    }
    *out = e;
    return OK;
}

enum err set_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                      struct entry **out)
{
    return type == RDB_TYPE_SET_INTSET ? read_intset(reader, target, out)
                                       : read_members(reader, target, out);
}

uint8_t set_rdb_type(const struct entry *e)
{
    return entry_encoding(e) == ENC_INTSET ? RDB_TYPE_SET_INTSET : RDB_TYPE_SET;
}

void set_rdb_write(struct rdb_writer *writer, const struct entry *e)
{
    struct set_walk walk;
    struct set_member member;

    if (entry_encoding(e) == ENC_INTSET) {
        rdb_write_string(writer, entry_inline(e));
        return;
    }
    rdb_write_length(writer, set_count(e));
    set_walk_begin(&walk, e);
    while (set_walk_next(&walk, &member)) rdb_write_string(writer, member.text);
}
