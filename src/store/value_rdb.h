/* Values as RDB bodies, and the DUMP payload around one.
 *
 * Dispatch is by two tables: what a type is written as, and what a type id is read by. A type
 * that is not in the second table is refused by name: nothing is ever skipped or half read. Reading
 * checks everything, always: what comes back is a sound value. */
#ifndef PANDO_STORE_VALUE_RDB_H
#define PANDO_STORE_VALUE_RDB_H

#include "rdb/reader.h"
#include "rdb/writer.h"
#include "store/value.h"

/* What a value that is being read becomes. */
struct value_target {
    struct span key; /* not in the reader's buffer */
    int64_t deadline;
    const struct value_settings *settings;
};

/* The type byte under which the entry's value is written. */
uint8_t value_rdb_type(const struct entry *entry);
/* The body: what stands behind type and key. The entry may be a snapshot's copy with a leased
 * value. */
void value_rdb_write(struct rdb_writer *writer, const struct entry *entry);
/* The same for a snapshot's copy whose pointer payload was copied as a body (value_rdb_flatten)
 * instead of being leased: the strings in it are compressed now, as the writer's owner wants it. */
void value_rdb_write_flat(struct rdb_writer *writer, const struct entry *entry, struct span body);
/* Appends the body of a value behind a pointer, nothing in it compressed. */
void value_rdb_flatten(const struct entry *entry, struct buf *out);

/* Whether keys of this type id can be loaded; what the id is called ("hash-listpack"), NULL for an
 * id that no version of the format knows. */
bool value_rdb_readable(uint8_t type);
const char *value_rdb_type_name(uint8_t type);

/* Reads a body and makes the entry, which the caller owns. ERR_CORRUPT or ERR_IO with the text in the
 * reader. ERR_EMPTY_VALUE: a container without elements, read to its end, which a file may hold and
 * nobody may see. */
enum err value_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                        struct entry **out);

/* Appends the DUMP payload of the value. */
void value_dump(const struct entry *entry, bool compress, struct buf *out);
/* Whether a payload's version can be read and its checksum is right (not looked at with skip_checksum). */
bool value_payload_is_intact(struct span payload, bool skip_checksum);
/* RESTORE: makes an entry of a payload. ERR_BAD_PAYLOAD: version or checksum are wrong;
 * ERR_BAD_DATA: the body is not sound, or of a type that is not there. skip_checksum is DEBUG
 * SET-SKIP-CHECKSUM-VALIDATION. `why` (may be NULL) gets the reason for ERR_BAD_DATA. */
enum err value_restore(struct span payload, bool skip_checksum, const struct value_target *target,
                       struct entry **out, char why[256]);

#endif
