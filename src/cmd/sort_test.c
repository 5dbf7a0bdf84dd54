/* Each line of the table was run by Redis 7.0.15 with an attached replica and all keyspace events on:
 * its reply, by how much rdb_changes_since_last_save rose, what the replica got, and the events. */
#include "cmd/test_bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct test_bed bed;

static void begin(void)
{
    test_bed_init(&bed);
}

static void end(void)
{
    test_bed_release(&bed);
}

TestSuite(sort, .init = begin, .fini = end);

static const struct {
    const char *line, *expected; /* NULL: a new keyspace */
} cases[] = {
    {"FLUSH", NULL},
    {"SORT", "-ERR wrong number of arguments for 'sort' command | 0 |  | "},
    {"SORT none", "*0 | 0 |  | keymiss none"},
    {"SORT_RO none", "*0 | 0 |  | keymiss none"},
    {"SORT none STORE d", ":0 | 0 |  | keymiss none"},
    {"SORT none BY x", "*0 | 0 |  | keymiss none"},
    {"SORT none BY", "-ERR syntax error | 0 |  | "},
    {"SORT none LIMIT 1", "-ERR syntax error | 0 |  | "},
    {"SORT none LIMIT x 1", "-ERR value is not an integer or out of range | 0 |  | "},
    {"SORT none LIMIT 1 x", "-ERR value is not an integer or out of range | 0 |  | "},
    {"SORT none GET", "-ERR syntax error | 0 |  | "},
    {"SORT none STORE", "-ERR syntax error | 0 |  | "},
    {"SORT none FOO", "-ERR syntax error | 0 |  | "},
    {"SORT_RO none STORE d", "-ERR syntax error | 0 |  | "},
    {"RPUSH l 3 1 2", ":3 | 3 | RPUSH l 3 1 2 | new l, rpush l"},
    {"SORT l", "*3 $1 1 $1 2 $1 3 | 0 |  | "},
    {"SORT l DESC", "*3 $1 3 $1 2 $1 1 | 0 |  | "},
    {"SORT l ASC DESC", "*3 $1 3 $1 2 $1 1 | 0 |  | "},
    {"SORT l DESC ASC", "*3 $1 1 $1 2 $1 3 | 0 |  | "},
    {"SORT l LIMIT 0 2", "*2 $1 1 $1 2 | 0 |  | "},
    {"SORT l LIMIT 1 1", "*1 $1 2 | 0 |  | "},
    {"SORT l LIMIT 5 1", "*0 | 0 |  | "},
    {"SORT l LIMIT -5 2", "*2 $1 1 $1 2 | 0 |  | "},
    {"SORT l LIMIT 0 -1", "*3 $1 1 $1 2 $1 3 | 0 |  | "},
    {"SORT l LIMIT 1 -7", "*2 $1 2 $1 3 | 0 |  | "},
    {"SORT l LIMIT 0 0", "*0 | 0 |  | "},
    {"SORT l LIMIT 3 1", "*0 | 0 |  | "},
    {"SORT l LIMIT 0 1 LIMIT 1 2", "*2 $1 2 $1 3 | 0 |  | "},
    {"SORT l BY nosort", "*3 $1 3 $1 1 $1 2 | 0 |  | "},
    {"SORT l BY nosort DESC", "*3 $1 2 $1 1 $1 3 | 0 |  | "},
    {"SORT l BY nosort LIMIT 1 5", "*2 $1 1 $1 2 | 0 |  | "},
    {"SORT l BY #", "*3 $1 3 $1 1 $1 2 | 0 |  | "},
    {"SORT l GET #", "*3 $1 1 $1 2 $1 3 | 0 |  | "},
    {"SORT l GET # GET #", "*6 $1 1 $1 1 $1 2 $1 2 $1 3 $1 3 | 0 |  | "},
    {"SORT l GET nothing", "*3 $-1 $-1 $-1 | 0 |  | "},
    {"SORT l GET v_*", "*3 $-1 $-1 $-1 | 0 |  | keymiss v_1, keymiss v_2, keymiss v_3"},
    {"SET v_1 one", "+OK | 1 | SET v_1 one | new v_1, set v_1"},
    {"SET v_2 22", "+OK | 1 | SET v_2 22 | new v_2, set v_2"},
    {"HSET h_3 f three g \"\"", ":2 | 2 | HSET h_3 f three g  | new h_3, hset h_3"},
    {"SORT l GET v_* GET #", "*6 $3 one $1 1 $2 22 $1 2 $-1 $1 3 | 0 |  | keymiss v_3"},
    {"SORT l GET h_*->f", "*3 $-1 $-1 $5 three | 0 |  | keymiss h_1, keymiss h_2"},
    {"SORT l GET h_*->g", "*3 $-1 $-1 $0  | 0 |  | keymiss h_1, keymiss h_2"},
    {"SORT l GET h_*->nof", "*3 $-1 $-1 $-1 | 0 |  | keymiss h_1, keymiss h_2"},
    {"SORT l GET h_*->", "*3 $-1 $-1 $-1 | 0 |  | keymiss h_1->, keymiss h_2->, keymiss h_3->"},
    {"SORT l GET h_*", "*3 $-1 $-1 $-1 | 0 |  | keymiss h_1, keymiss h_2"},
    {"SORT l GET *", "*3 $-1 $-1 $-1 | 0 |  | keymiss 1, keymiss 2, keymiss 3"},
    {"SORT l GET v_*->f", "*3 $-1 $-1 $-1 | 0 |  | keymiss v_3"},
    {"SET w_1 30", "+OK | 1 | SET w_1 30 | new w_1, set w_1"},
    {"SET w_2 10", "+OK | 1 | SET w_2 10 | new w_2, set w_2"},
    {"SORT l BY w_*", "*3 $1 3 $1 2 $1 1 | 0 |  | keymiss w_3"},
    {"SET w_3 -1", "+OK | 1 | SET w_3 -1 | new w_3, set w_3"},
    {"SORT l BY w_*", "*3 $1 3 $1 2 $1 1 | 0 |  | "},
    {"SORT l BY w_* DESC", "*3 $1 1 $1 2 $1 3 | 0 |  | "},
    {"SORT l BY w_* GET # GET w_*", "*6 $1 3 $2 -1 $1 2 $2 10 $1 1 $2 30 | 0 |  | "},
    {"SORT l BY h_*->f",
     "-ERR One or more scores can't be converted into double | 0 |  | keymiss h_1, keymiss h_2"},
    {"HSET h_1 w 5", ":1 | 1 | HSET h_1 w 5 | new h_1, hset h_1"},
    {"HSET h_2 w 1", ":1 | 1 | HSET h_2 w 1 | new h_2, hset h_2"},
    {"HSET h_3 w 3", ":1 | 1 | HSET h_3 w 3 | hset h_3"},
    {"SORT l BY h_*->w", "*3 $1 2 $1 3 $1 1 | 0 |  | "},
    {"SORT l BY h_*->w GET h_*->w", "*3 $1 1 $1 3 $1 5 | 0 |  | "},
    {"SORT l BY v_*",
     "-ERR One or more scores can't be converted into double | 0 |  | keymiss v_3"},
    {"SORT l ALPHA BY v_*", "*3 $1 3 $1 2 $1 1 | 0 |  | keymiss v_3"},
    {"SORT l ALPHA DESC", "*3 $1 3 $1 2 $1 1 | 0 |  | "},
    {"SORT l STORE d", ":3 | 3 | SORT l STORE d | new d, sortstore d"},
    {"LRANGE d 0 -1", "*3 $1 1 $1 2 $1 3 | 0 |  | "},
    {"SORT l STORE d", ":3 | 3 | SORT l STORE d | sortstore d"},
    {"SORT l GET v_* STORE d", ":3 | 3 | SORT l GET v_* STORE d | keymiss v_3, sortstore d"},
    {"LRANGE d 0 -1", "*3 $3 one $2 22 $0  | 0 |  | "},
    {"SORT l LIMIT 7 1 STORE d", ":0 | 1 | SORT l LIMIT 7 1 STORE d | del d"},
    {"EXISTS d", ":0 | 0 |  | keymiss d"},
    {"SORT l LIMIT 7 1 STORE d", ":0 | 0 |  | "},
    {"SET d x", "+OK | 1 | SET d x | new d, set d"},
    {"SORT l DESC STORE d", ":3 | 3 | SORT l DESC STORE d | sortstore d"},
    {"TYPE d", "+list | 0 |  | "},
    {"SORT none STORE d", ":0 | 1 | SORT none STORE d | keymiss none, del d"},
    {"SORT none STORE d", ":0 | 0 |  | keymiss none"},
    {"SORT l STORE l", ":3 | 3 | SORT l STORE l | sortstore l"},
    {"LRANGE l 0 -1", "*3 $1 1 $1 2 $1 3 | 0 |  | "},
    {"SORT l BY nosort STORE d", ":3 | 3 | SORT l BY nosort STORE d | new d, sortstore d"},
    {"SORT l STORE d STORE e", ":3 | 3 | SORT l STORE d STORE e | new e, sortstore e"},
    {"SORT l STORE d GET # BY w_* LIMIT 0 2 DESC ALPHA",
     ":2 | 2 | SORT l STORE d GET # BY w_* LIMIT 0 2 DESC ALPHA | sortstore d"},
    {"SORT str", "*0 | 0 |  | keymiss str"},
    {"SET str x", "+OK | 1 | SET str x | new str, set str"},
    {"SORT str", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"SORT str STORE d",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"SORT_RO str", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"SORT str LIMIT x", "-ERR syntax error | 0 |  | "},
    {"HSET hh a b", ":1 | 1 | HSET hh a b | new hh, hset hh"},
    {"SORT hh", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"DEL l", ":1 | 1 | DEL l | del l"},
    {"RPUSH l a 1", ":2 | 2 | RPUSH l a 1 | new l, rpush l"},
    {"SORT l", "-ERR One or more scores can't be converted into double | 0 |  | "},
    {"SORT l ALPHA", "*2 $1 1 $1 a | 0 |  | "},
    {"SORT l STORE d", "-ERR One or more scores can't be converted into double | 0 |  | "},
    {"SORT l LIMIT 0 0", "-ERR One or more scores can't be converted into double | 0 |  | "},
    {"SORT l BY nosort", "*2 $1 a $1 1 | 0 |  | "},
    {"DEL l", ":1 | 1 | DEL l | del l"},
    {"RPUSH l \"\" 1 \" 2\" \"0x3\" \"1e1\" inf -inf",
     ":7 | 7 | RPUSH l  1  2 0x3 1e1 inf -inf | new l, rpush l"},
    {"SORT l", "*7 $4 -inf $0  $1 1 $2  2 $3 0x3 $3 1e1 $3 inf | 0 |  | "},
    {"RPUSH l \"3 \"", ":8 | 1 | RPUSH l 3  | rpush l"},
    {"SORT l", "-ERR One or more scores can't be converted into double | 0 |  | "},
    {"DEL l", ":1 | 1 | DEL l | del l"},
    {"RPUSH l nan", ":1 | 1 | RPUSH l nan | new l, rpush l"},
    {"SORT l", "-ERR One or more scores can't be converted into double | 0 |  | "},
    {"DEL l", ":1 | 1 | DEL l | del l"},
    {"RPUSH l 1 01 1.0 +1", ":4 | 4 | RPUSH l 1 01 1.0 +1 | new l, rpush l"},
    {"SORT l", "*4 $2 +1 $2 01 $1 1 $3 1.0 | 0 |  | "},
    {"SORT l DESC", "*4 $3 1.0 $1 1 $2 01 $2 +1 | 0 |  | "},
    {"RPUSH l \"1\\x00z\"", ":5 | 1 | RPUSH l 1\000z | rpush l"},
    {"SORT l", "*5 $2 +1 $2 01 $1 1 $3 1\000z $3 1.0 | 0 |  | "},
    {"SADD s 3 1 2", ":3 | 3 | SADD s 3 1 2 | new s, sadd s"},
    {"SORT s BY nosort", "*3 $1 1 $1 2 $1 3 | 0 |  | "},
    {"SORT s BY nosort DESC", "*3 $1 1 $1 2 $1 3 | 0 |  | "},
    {"SORT s BY nosort STORE d", ":3 | 3 | SORT s BY nosort STORE d | sortstore d"},
    {"LRANGE d 0 -1", "*3 $1 1 $1 2 $1 3 | 0 |  | "},
    {"SADD s2 10 9 100", ":3 | 3 | SADD s2 10 9 100 | new s2, sadd s2"},
    {"SORT s2 BY nosort STORE d", ":3 | 3 | SORT s2 BY nosort STORE d | sortstore d"},
    {"LRANGE d 0 -1", "*3 $2 10 $3 100 $1 9 | 0 |  | "},
    {"SORT s2 BY nosort DESC STORE d", ":3 | 3 | SORT s2 BY nosort DESC STORE d | sortstore d"},
    {"LRANGE d 0 -1", "*3 $1 9 $3 100 $2 10 | 0 |  | "},
    {"ZADD z 1 c 2 b 3 a", ":3 | 3 | ZADD z 1 c 2 b 3 a | new z, zadd z"},
    {"SORT z", "-ERR One or more scores can't be converted into double | 0 |  | "},
    {"SORT z ALPHA", "*3 $1 a $1 b $1 c | 0 |  | "},
    {"SORT z BY nosort", "*3 $1 c $1 b $1 a | 0 |  | "},
    {"SORT z BY nosort DESC", "*3 $1 a $1 b $1 c | 0 |  | "},
    {"SORT z BY nosort LIMIT 1 1", "*1 $1 b | 0 |  | "},
    {"SORT z BY nosort DESC LIMIT 0 2", "*2 $1 a $1 b | 0 |  | "},
    {"SORT z BY nosort DESC LIMIT 1 -1", "*2 $1 b $1 c | 0 |  | "},
    {"SORT z BY nosort STORE d", ":3 | 3 | SORT z BY nosort STORE d | sortstore d"},
    {"LRANGE d 0 -1", "*3 $1 c $1 b $1 a | 0 |  | "},
    {"SORT z BY nosort DESC GET # STORE d",
     ":3 | 3 | SORT z BY nosort DESC GET # STORE d | sortstore d"},
    {"LRANGE d 0 -1", "*3 $1 a $1 b $1 c | 0 |  | "},
    {"SORT z BY nosort LIMIT 5 1", "*0 | 0 |  | "},
    {"SORT z BY nosort LIMIT -2 2", "*2 $1 c $1 b | 0 |  | "},
    {"DEL l", ":1 | 1 | DEL l | del l"},
    {"RPUSH l b a C B \"a\\x00c\" \"a\\x00b\" \303\251 z",
     ":8 | 8 | RPUSH l b a C B a\000c a\000b \303\251 z | new l, rpush l"},
    {"SORT l ALPHA", "*8 $1 B $1 C $1 a $3 a\000c $3 a\000b $1 b $1 z $2 \303\251 | 0 |  | "},
    {"SORT l ALPHA DESC", "*8 $2 \303\251 $1 z $1 b $1 a $3 a\000c $3 a\000b $1 C $1 B | 0 |  | "},
    {"SORT l ALPHA STORE d", ":8 | 8 | SORT l ALPHA STORE d | sortstore d"},
    {"LRANGE d 0 -1", "*8 $1 B $1 C $1 a $3 a\000b $3 a\000c $1 b $1 z $2 \303\251 | 0 |  | "},
    {"DEL l", ":1 | 1 | DEL l | del l"},
    {"RPUSH l 1 2 3 4 5 6", ":6 | 6 | RPUSH l 1 2 3 4 5 6 | new l, rpush l"},
    {"SET w_1 x", "+OK | 1 | SET w_1 x | set w_1"},
    {"SET w_2 x", "+OK | 1 | SET w_2 x | set w_2"},
    {"SET w_4 w", "+OK | 1 | SET w_4 w | new w_4, set w_4"},
    {"SORT l ALPHA BY w_*", "*6 $1 5 $1 6 $1 3 $1 4 $1 1 $1 2 | 0 |  | keymiss w_5, keymiss w_6"},
    {"SORT l ALPHA BY w_* DESC",
     "*6 $1 1 $1 2 $1 4 $1 3 $1 5 $1 6 | 0 |  | keymiss w_5, keymiss w_6"},
    {"SORT l ALPHA BY w_* STORE d",
     ":6 | 6 | SORT l ALPHA BY w_* STORE d | keymiss w_5, keymiss w_6, sortstore d"},
    {"LRANGE d 0 -1", "*6 $1 5 $1 6 $1 3 $1 4 $1 1 $1 2 | 0 |  | "},
    {"SORT l ALPHA BY w_* LIMIT 0 3", "*3 $1 5 $1 6 $1 3 | 0 |  | keymiss w_5, keymiss w_6"},
    {"DEL l", ":1 | 1 | DEL l | del l"},
    {"RPUSH l 1e400", ":1 | 1 | RPUSH l 1e400 | new l, rpush l"},
    {"SORT l", "-ERR One or more scores can't be converted into double | 0 |  | "},
    {"DEL l", ":1 | 1 | DEL l | del l"},
    {"RPUSH l 1e-400", ":1 | 1 | RPUSH l 1e-400 | new l, rpush l"},
    {"SORT l", "-ERR One or more scores can't be converted into double | 0 |  | "},
    {"FLUSH", NULL},
    {"RPUSH l 5 3 1 2 4", ":5 | 5 | RPUSH l 5 3 1 2 4 | new l, rpush l"},
    {"SORT l BY nosort DESC LIMIT 0 2", "*2 $1 4 $1 2 | 0 |  | "},
    {"SORT l BY nosort DESC LIMIT 1 2", "*2 $1 2 $1 1 | 0 |  | "},
    {"SORT l BY nosort LIMIT 1 2 STORE d",
     ":2 | 2 | SORT l BY nosort LIMIT 1 2 STORE d | new d, sortstore d"},
    {"LRANGE d 0 -1", "*2 $1 3 $1 1 | 0 |  | "},
    {"SORT l BY nosort DESC STORE d", ":5 | 5 | SORT l BY nosort DESC STORE d | sortstore d"},
    {"LRANGE d 0 -1", "*5 $1 4 $1 2 $1 1 $1 3 $1 5 | 0 |  | "},
    {"SORT l BY nosort DESC ALPHA", "*5 $1 4 $1 2 $1 1 $1 3 $1 5 | 0 |  | "},
    {"SORT l BY nosort LIMIT 9223372036854775807 9223372036854775807", "*0 | 0 |  | "},
    {"SORT l LIMIT 9223372036854775807 9223372036854775807", "*0 | 0 |  | "},
    {"SORT l LIMIT 1 9223372036854775807", "*4 $1 2 $1 3 $1 4 $1 5 | 0 |  | "},
    {"SORT l LIMIT -9223372036854775808 -9223372036854775808",
     "*5 $1 1 $1 2 $1 3 $1 4 $1 5 | 0 |  | "},
    {"SORT l BY \"no*->\" GET #", "*5 $1 1 $1 2 $1 3 $1 4 $1 5 | 0 |  | keymiss no5->, keymiss "
                                  "no3->, keymiss no1->, keymiss no2->, keymiss no4->"},
    {"SORT l BY \"\"", "*5 $1 5 $1 3 $1 1 $1 2 $1 4 | 0 |  | "},
    {"SORT l GET \"\"", "*5 $-1 $-1 $-1 $-1 $-1 | 0 |  | "},
    {"SORT l BY nosort BY w_*", "*5 $1 5 $1 3 $1 1 $1 2 $1 4 | 0 |  | "},
    {"SORT l BY w_* BY nosort", "*5 $1 5 $1 3 $1 1 $1 2 $1 4 | 0 |  | "},
    {"SET w_1 \"1 x\"", "+OK | 1 | SET w_1 1 x | new w_1, set w_1"},
    {"SORT l BY w_*", "-ERR One or more scores can't be converted into double | 0 |  | keymiss "
                      "w_5, keymiss w_3, keymiss w_2, keymiss w_4"},
    {"SET w_1 0x1p3", "+OK | 1 | SET w_1 0x1p3 | set w_1"},
    {"SET w_2 \"\"", "+OK | 1 | SET w_2  | new w_2, set w_2"},
    {"SET w_3 \" 5\"", "+OK | 1 | SET w_3  5 | new w_3, set w_3"},
    {"SORT l BY w_*", "*5 $1 2 $1 4 $1 5 $1 3 $1 1 | 0 |  | keymiss w_5, keymiss w_4"},
    {"SET w_4 12", "+OK | 1 | SET w_4 12 | new w_4, set w_4"},
    {"SORT l BY w_* DESC", "*5 $1 4 $1 1 $1 3 $1 5 $1 2 | 0 |  | keymiss w_5"},
    {"DEL l", ":1 | 1 | DEL l | del l"},
    {"RPUSH l 1 1 1 2 2", ":5 | 5 | RPUSH l 1 1 1 2 2 | new l, rpush l"},
    {"SORT l", "*5 $1 1 $1 1 $1 1 $1 2 $1 2 | 0 |  | "},
    {"SORT l GET \"**\" GET \"->*\" GET \"*->*\" GET \"x*y*->f\"",
     "*20 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 $-1 | 0 |  | "
     "keymiss 1*, keymiss ->1, keymiss 1, keymiss x1y*, keymiss 1*, keymiss ->1, keymiss 1, "
     "keymiss x1y*, keymiss 1*, keymiss ->1, keymiss 1, keymiss x1y*, keymiss 2*, keymiss ->2, "
     "keymiss 2, keymiss x2y*, keymiss 2*, keymiss ->2, keymiss 2, keymiss x2y*"},
    {"SET \"\" e", "+OK | 1 | SET  e | new , set "},
    {"SORT l GET \"x*y*->f->g\"", "*5 $-1 $-1 $-1 $-1 $-1 | 0 |  | keymiss x1y*, keymiss x1y*, "
                                  "keymiss x1y*, keymiss x2y*, keymiss x2y*"},
};

Test(sort, as_the_oracle)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].expected == NULL) store_flush(bed.store, -1, false);
        else
            cr_expect_str_eq(test_bed_run(&bed, cases[i].line), cases[i].expected,
                             "%s\n     is %s\n not %s", cases[i].line, bed.result.ptr,
                             cases[i].expected);
    }
}

/* ---- the first of many -------------------------------------------------------------------------- */

/* A list of random numbers, many of them twice or more. */
static void push_numbers(int count)
{
    struct random random;
    random_seed(&random, 5);
    for (int i = 0; i < count; i++) {
        char line[64];
        snprintf(line, sizeof line, "RPUSH l %d", (int)random_below(&random, (uint64_t)count));
        test_bed_run(&bed, line);
    }
}

/* The reply's elements from `first` on, without its header. */
static const char *elements(const char *reply, int first)
{
    for (int i = 0; i < 1 + 2 * first && reply != NULL; i++) {
        reply = strchr(reply, ' ');
        if (reply != NULL) reply++;
    }
    return reply == NULL ? "" : reply;
}

/* Every part of what `line` replies is what the same line with a LIMIT replies. */
static void expect_parts(const char *line, const char *whole, int all)
{
    char limited[128];
    for (int first = 0; first <= all; first += 13)
        for (int count = 0; count <= all - first; count += 17) {
            snprintf(limited, sizeof limited, "%s LIMIT %d %d", line, first, count);
            const char *part = elements(test_bed_reply(&bed, limited), 0);
            cr_assert_eq(strncmp(part, elements(whole, first), strlen(part)), 0, "%s", limited);
            cr_assert_eq(strtol(bed.out.ptr + 1, NULL, 10), count);
            cr_assert_str_eq(elements(bed.out.ptr, count), "");
        }
}

static char *reply_of(const char *line)
{
    return strdup(test_bed_reply(&bed, line));
}

Test(sort, a_limit_shows_a_part_of_the_whole)
{
    static const char *const lines[] = {"SORT l", "SORT l DESC", "SORT l ALPHA",
                                        "SORT l ALPHA DESC", "SORT l BY nosort DESC"};
    push_numbers(300);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char *whole = reply_of(lines[i]);
        expect_parts(lines[i], whole, 300);
        free(whole);
    }
}

/* No element has a weight. */
Test(sort, what_is_equal_keeps_its_order)
{
    push_numbers(300);
    char *whole = reply_of("SORT l BY nosort");
    expect_parts("SORT l BY w_* ALPHA", whole, 300);
    expect_parts("SORT l BY w_* ALPHA DESC", whole, 300);
    free(whole);
}

Test(sort, numbers_come_in_the_order_of_numbers)
{
    push_numbers(1000);
    long last = -1, count = 0;
    for (const char *at = strchr(test_bed_reply(&bed, "SORT l"), '$'); at != NULL; count++) {
        long number = strtol(strchr(at, ' ') + 1, NULL, 10);
        cr_assert_geq(number, last);
        last = number;
        at = strchr(at + 1, '$');
    }
    cr_assert_eq(count, 1000);
}
