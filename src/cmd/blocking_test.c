/* Commands that may wait, where they need not: each line was run by Redis 7.0.15 (see list_test.c for how); those that
 * find nothing inside MULTI, where nobody waits. How waiting calls are served is for tests/differential/test_blocking.py,
 * which has several clients. */
#include "cmd/test_bed.h"

#include <criterion/criterion.h>

#define WRONG_TYPE "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "

static const struct {
    const char *line, *expected;
} cases[] = {
    {"RPUSH l 1 2 3 4 5 6 7 8", ":8 | 8 | RPUSH l 1 2 3 4 5 6 7 8 | new l, rpush l"},
    {"SET s x", "+OK | 1 | SET s x | new s, set s"},
    {"BLPOP l 0", "*2 $1 l $1 1 | 1 | LPOP l | lpop l"},
    {"BRPOP none l 1.5", "*2 $1 l $1 8 | 1 | RPOP l | rpop l"},
    {"BLPOP l s 0", "*2 $1 l $1 2 | 1 | LPOP l | lpop l"},
    {"BLPOP s l 0", WRONG_TYPE},
    {"BLPOP none 0", "*-1 | 0 |  | "},
    {"BLPOP l x", "-ERR timeout is not a float or out of range | 0 |  | "},
    {"BLPOP s nan", "-ERR timeout is not a float or out of range | 0 |  | "},
    {"BRPOP s -1", "-ERR timeout is negative | 0 |  | "},
    {"BLMOVE l m left Right 0", "$1 3 | 1 | LMOVE l m left Right | new m, rpush m, lpop l"},
    {"BLMOVE l l LEFT RIGHT 0", "$1 4 | 1 | LMOVE l l LEFT RIGHT | rpush l, lpop l"},
    {"BLMOVE l s LEFT RIGHT 0", WRONG_TYPE},
    {"BLMOVE none s LEFT RIGHT 0", "$-1 | 0 |  | "},
    {"BLMOVE l m UP RIGHT x", "-ERR syntax error | 0 |  | "},
    {"BRPOPLPUSH l m 0", "$1 4 | 1 | RPOPLPUSH l m | lpush m, rpop l"},
    {"BRPOPLPUSH none m 0", "$-1 | 0 |  | "},
    {"BRPOPLPUSH s m inf", "-ERR timeout is negative | 0 |  | "},
    {"BLMPOP 0 1 l RIGHT COUNT 2", "*2 $1 l *2 $1 7 $1 6 | 2 | RPOP l 2 | rpop l"},
    {"BLMPOP 0 2 none l LEFT", "*2 $1 l *1 $1 5 | 1 | LPOP l 1 | lpop l, del l"},
    {"BLMPOP 0 1 l LEFT", "*-1 | 0 |  | "},
    {"BLMPOP 0 2 none s LEFT", WRONG_TYPE},
    {"BLMPOP x 0 l LEFT", "-ERR numkeys should be greater than 0 | 0 |  | "},
    {"BLMPOP x 1 l LEFT", "-ERR timeout is not a float or out of range | 0 |  | "},
    {"ZADD z 1 a 2 b 3 c 4 d", ":4 | 4 | ZADD z 1 a 2 b 3 c 4 d | new z, zadd z"},
    {"BZPOPMIN z 0", "*3 $1 z $1 a $1 1 | 1 | ZPOPMIN z | zpopmin z"},
    {"BZPOPMAX none z 0", "*3 $1 z $1 d $1 4 | 1 | ZPOPMAX z | zpopmax z"},
    {"BZPOPMIN none 0", "*-1 | 0 |  | "},
    {"BZPOPMIN s z 0", WRONG_TYPE},
    {"BZPOPMIN z x", "-ERR timeout is not a float or out of range | 0 |  | "},
    {"BZMPOP 0 1 z MAX COUNT 9",
     "*2 $1 z *2 *2 $1 c $1 3 *2 $1 b $1 2 | 2 | ZPOPMAX z 2 | zpopmax z, del z"},
    {"BZMPOP 0 1 z MIN", "*-1 | 0 |  | "},
    {"BZMPOP -1 1 z MIN", "-ERR timeout is negative | 0 |  | "},
    {"BZMPOP 0 1 z MIN COUNT 0", "-ERR count should be greater than 0 | 0 |  | "},
};

Test(blocking, takes_what_is_there)
{
    struct test_bed bed;

    test_bed_init(&bed);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_str_eq(test_bed_run(&bed, cases[i].line), cases[i].expected,
                         "%s\n     is %s\n not %s", cases[i].line, bed.result.ptr,
                         cases[i].expected);
    test_bed_release(&bed);
}
