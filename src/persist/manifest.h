/* The manifest of an append only file in parts (Redis 7.0's format): which files, in which order, make up
 * the data set.
 *
 *   file appendonly.aof.3.base.rdb seq 3 type b      the base: an RDB or a stretch of commands; at most one
 *   file appendonly.aof.7.incr.aof seq 7 type i      incr files behind it, in the order of their numbers
 *   file appendonly.aof.2.base.rdb seq 2 type h      history: no longer needed, about to be deleted
 *
 * Words of a line are separated by blanks and may be quoted; pairs with other names are passed over; lines
 * that begin with '#' too. A manifest is replaced as a whole, by rename.
 *
 * Invariants: at most one base; the numbers of incr files grow; names are names, not paths. */
#ifndef PANDO_PERSIST_MANIFEST_H
#define PANDO_PERSIST_MANIFEST_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define MANIFEST_BYTES_MAX (1 << 20)
#define MANIFEST_LINE_MAX  1024 /* with its end; as Redis reads them */

enum manifest_type { MANIFEST_BASE, MANIFEST_INCR, MANIFEST_HISTORY };

struct manifest_file {
    char *name;
    uint64_t seq;
    enum manifest_type type;
};

struct manifest {                /* zero-initialised: empty */
    struct manifest_file *files; /* base first, then history, then incr, each in order */
    size_t count, cap;
    uint64_t base_seq, incr_seq; /* the highest used so far */
};

void manifest_release(struct manifest *manifest);
void manifest_copy(struct manifest *to, const struct manifest *from); /* `to` is empty */
/* The file's text. ERR_CORRUPT: `why` says what Redis says of it; *line (from 1) and the line's own text
 * where one is to blame, else 0. */
struct manifest_fault {
    const char *why;
    int line;
    char text[MANIFEST_LINE_MAX];
};
enum err manifest_parse(struct span text, struct manifest *out, struct manifest_fault *fault);
void manifest_format(const struct manifest *manifest, struct buf *out);

const struct manifest_file *manifest_base(const struct manifest *manifest); /* NULL: none */
/* The n-th incr file from the first (or, negative, from the last: -1); NULL where there is none. */
const struct manifest_file *manifest_incr(const struct manifest *manifest, int index);
size_t manifest_incr_count(const struct manifest *manifest);
size_t manifest_history_count(const struct manifest *manifest);

/* Names the next file of a kind, `name`.<seq>.base.rdb and so on, and puts it in: a new base makes history
 * of the old one. The result is the manifest's. */
const char *manifest_add_base(struct manifest *manifest, const char *name, bool rdb);
const char *manifest_add_incr(struct manifest *manifest, const char *name);
/* An old single file becomes the base, under its own name. */
void manifest_add_old_base(struct manifest *manifest, const char *name);
/* All incr files but the last `keep` become history. */
void manifest_retire_incr(struct manifest *manifest, size_t keep);
void manifest_drop_history(struct manifest *manifest);

#endif
