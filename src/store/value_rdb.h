/* Values as RDB bodies, and the DUMP payload around one.
 *
 * Dispatch is by two tables: what an encoding is written as, and what a type id is read by. A type
 * that is not in the second table is refused by name: nothing is ever skipped or half read. Reading
 * checks everything, always: what comes back is a sound value. */
#ifndef PANDO_STORE_VALUE_RDB_H
#define PANDO_STORE_VALUE_RDB_H

#include "rdb/reader.h"
#include "rdb/writer.h"
#include "store/entry.h"

/* The type byte under which the entry's value is written. */
uint8_t value_rdb_type(const struct entry *entry);
/* The body: what stands behind type and key. The entry may be a snapshot's copy with a leased
 * value. */
void value_rdb_write(struct rdb_writer *writer, const struct entry *entry);

/* Whether keys of this type id can be loaded; what the id is called ("hash-listpack"), NULL for an
 * id that no version of the format knows. */
bool value_rdb_readable(uint8_t type);
const char *value_rdb_type_name(uint8_t type);

/* Reads a body and makes the entry, which the caller owns. `key` must not lie in the reader's
 * buffer. ERR_CORRUPT or ERR_IO with the text in the reader. */
enum err value_rdb_read(struct rdb_reader *reader, uint8_t type, struct span key, int64_t deadline,
                        struct entry **out);

/* Appends the DUMP payload of the value. */
void value_dump(const struct entry *entry, bool compress, struct buf *out);
/* Whether a payload's version can be read and its checksum is right (not looked at with skip_checksum). */
bool value_payload_is_intact(struct span payload, bool skip_checksum);
/* RESTORE: makes an entry of a payload. ERR_BAD_PAYLOAD: version or checksum are wrong;
 * ERR_BAD_DATA: the body is not sound, or of a type that is not there. skip_checksum is DEBUG
 * SET-SKIP-CHECKSUM-VALIDATION. `why` (may be NULL) gets the reason for ERR_BAD_DATA. */
enum err value_restore(struct span payload, bool skip_checksum, struct span key, int64_t deadline,
                       struct entry **out, char why[256]);

#endif
