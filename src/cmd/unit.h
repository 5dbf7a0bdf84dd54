/* The effects of one unit of execution (a command, a MULTI...EXEC, one serving of blocked clients), collected and
 * appended to the journal at once: alone as they are, more than one wrapped in MULTI/EXEC, with a SELECT in front
 * wherever the database changes.
 *
 * A unit takes effects only while it is `open`: the node is a primary and the journal is active. Otherwise nothing
 * is encoded at all. Engine thread only; units do not nest. */
#ifndef PANDO_CMD_UNIT_H
#define PANDO_CMD_UNIT_H

#include "base/buf.h"
#include "journal/journal.h"

struct unit {
    struct journal *journal;
    bool open;
    struct buf bytes;  /* RESP commands, no SELECTs */
    struct unit_mark { /* one effect */
        size_t end;    /* of its bytes */
        int db;        /* that it applies to; -1: any (PUBLISH) */
    } * marks;
    int count, capacity;
};

void unit_init(struct unit *unit, struct journal *journal);
void unit_release(struct unit *unit);

void unit_add(struct unit *unit, int db, int argc, const struct span *argv);
/* The same for a command that is encoded already, in canonical RESP. */
void unit_add_encoded(struct unit *unit, int db, struct span bytes);
/* Appends what was collected to the journal and empties the unit. */
void unit_commit(struct unit *unit);

/* Appends argv as a RESP array of bulk strings. */
void unit_encode(struct buf *out, int argc, const struct span *argv);

#endif
