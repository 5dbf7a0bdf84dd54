/* The effects of one unit of execution (a command, a MULTI...EXEC, one serving of blocked clients), collected and
 * then appended to the journal at once: alone as they are, more than one wrapped in MULTI/EXEC, with a SELECT in front
 * wherever the database changes. While the journal is inactive nothing is encoded. */
#ifndef PANDO_CMD_UNIT_H
#define PANDO_CMD_UNIT_H

#include "base/buf.h"
#include "journal/journal.h"

struct unit {
    struct journal *journal;
    struct buf bytes;     /* RESP commands without SELECTs */
    struct unit_mark {    /* where each effect begins, and its database */
        uint32_t offset;
        int32_t db;
    } *marks;
    int count, capacity;
    bool force_multi;     /* an EXEC: wrapped even around one effect? Redis wraps only more than one: false */
};

void unit_init(struct unit *unit, struct journal *journal);
void unit_release(struct unit *unit);
void unit_add(struct unit *unit, int db, int argc, const struct span *argv);
/* Appends to the journal and empties the unit. One effect from outside a transaction is encoded straight into the
 * journal's tail by unit_add's fast path in the dispatcher, see unit.c. */
void unit_commit(struct unit *unit);

#endif
