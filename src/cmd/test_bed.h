/* For tests of handlers: runs a command line against a store of its own and tells all that came of it,
 * as text. What Redis 7.0.15 does for the same line is then one string to compare with. */
#ifndef PANDO_CMD_TEST_BED_H
#define PANDO_CMD_TEST_BED_H

#include "cmd/call.h"
#include "cmd/unit.h"
#include "proto/request.h"

#define TEST_BED_NOW 1700000000000 /* Unix ms */

struct test_bed {
    struct store *store;
    struct unit unit;
    struct buf out;    /* replies */
    struct buf events; /* "new k, set k" */
    struct buf result;
    struct limits limits;
    struct request request;
    int expired; /* effects that the store stated */
    int version; /* of RESP */
    unsigned flags;
};

void test_bed_init(struct test_bed *bed);
void test_bed_release(struct test_bed *bed);
/* Runs one line (split as an inline command) as the dispatcher does, and returns
 *     REPLY | DIRTY | EFFECT; EFFECT | EVENT KEY, EVENT KEY
 * with line ends of the reply written as blanks, good until the next call. */
const char *test_bed_run(struct test_bed *bed, const char *line);
/* Lines with what is expected of each; NULL: a new keyspace begins. */
struct test_line {
    const char *line, *expected;
};
void test_bed_expect(struct test_bed *bed, const struct test_line *lines, size_t count);
/* The reply alone. */
const char *test_bed_reply(struct test_bed *bed, const char *line);

#endif
