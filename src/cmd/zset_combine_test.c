/* Each line of the tables was run by Redis 7.0.15 with an attached replica and all keyspace events on:
 * its reply, by how much rdb_changes_since_last_save rose, what the replica got, and the events. */
#include "cmd/test_bed.h"

#include <criterion/criterion.h>

static struct test_bed bed;

static void begin(void)
{
    test_bed_init(&bed);
}

static void end(void)
{
    test_bed_release(&bed);
}

TestSuite(zset_combine, .init = begin, .fini = end);

struct line {
    const char *line, *expected; /* NULL: a new keyspace */
};

static void run_lines(const struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lines[i].expected == NULL) {
            end();
            begin();
            continue;
        }
        cr_expect_str_eq(test_bed_run(&bed, lines[i].line), lines[i].expected,
                         "%s\n     is %s\n not %s", lines[i].line, bed.result.ptr,
                         lines[i].expected);
    }
}

static const struct line combining_drawing_and_scanning[] = {
    {"ZADD a 1 x 2 y 3 z", ":3 | 3 | ZADD a 1 x 2 y 3 z | new a, zadd a"},
    {"ZADD b 10 y 20 z 30 w", ":3 | 3 | ZADD b 10 y 20 z 30 w | new b, zadd b"},
    {"SET str x", "+OK | 1 | SET str x | new str, set str"},
    {"ZUNION 2 a b", "*4 $1 x $1 y $1 z $1 w | 0 |  | "},
    {"ZUNION 2 a b WITHSCORES", "*8 $1 x $1 1 $1 y $2 12 $1 z $2 23 $1 w $2 30 | 0 |  | "},
    {"ZUNION 2 b a WITHSCORES", "*8 $1 x $1 1 $1 y $2 12 $1 z $2 23 $1 w $2 30 | 0 |  | "},
    {"ZUNION 2 a b WEIGHTS 2 3 WITHSCORES",
     "*8 $1 x $1 2 $1 y $2 34 $1 z $2 66 $1 w $2 90 | 0 |  | "},
    {"ZUNION 2 a b WEIGHTS 2 WITHSCORES", "-ERR weight value is not a float | 0 |  | "},
    {"ZUNION 2 a b WEIGHTS 2 x WITHSCORES", "-ERR weight value is not a float | 0 |  | "},
    {"ZUNION 2 a b WEIGHTS 2 nan", "-ERR weight value is not a float | 0 |  | "},
    {"ZUNION 2 a b WEIGHTS 2", "-ERR syntax error | 0 |  | "},
    {"ZUNION 2 a b AGGREGATE MIN WITHSCORES",
     "*8 $1 x $1 1 $1 y $1 2 $1 z $1 3 $1 w $2 30 | 0 |  | "},
    {"ZUNION 2 a b AGGREGATE MAX WITHSCORES",
     "*8 $1 x $1 1 $1 y $2 10 $1 z $2 20 $1 w $2 30 | 0 |  | "},
    {"ZUNION 2 a b AGGREGATE SUM WITHSCORES",
     "*8 $1 x $1 1 $1 y $2 12 $1 z $2 23 $1 w $2 30 | 0 |  | "},
    {"ZUNION 2 a b AGGREGATE FOO", "-ERR syntax error | 0 |  | "},
    {"ZUNION 2 a b AGGREGATE", "-ERR syntax error | 0 |  | "},
    {"ZUNION 2 a b AGGREGATE MIN AGGREGATE MAX WEIGHTS 1 2 WEIGHTS 3 4 WITHSCORES WITHSCORES",
     "*8 $1 x $1 3 $1 y $2 40 $1 z $2 80 $1 w $3 120 | 0 |  | "},
    {"ZUNION 2 a str",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZUNION 2 a n WITHSCORES", "*6 $1 x $1 1 $1 y $1 2 $1 z $1 3 | 0 |  | keymiss n"},
    {"ZUNION 0 a", "-ERR at least 1 input key is needed for 'zunion' command | 0 |  | "},
    {"ZUNION -1 a", "-ERR at least 1 input key is needed for 'zunion' command | 0 |  | "},
    {"ZUNION x a", "-ERR value is not an integer or out of range | 0 |  | "},
    {"ZUNION 3 a b", "-ERR syntax error | 0 |  | "},
    {"ZUNION 9223372036854775807 a", "-ERR syntax error | 0 |  | "},
    {"ZUNION 9223372036854775808 a", "-ERR value is not an integer or out of range | 0 |  | "},
    {"ZUNION 2 a b FOO", "-ERR syntax error | 0 |  | "},
    {"ZUNION 2 a str FOO",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZUNION 2 n a FOO", "-ERR syntax error | 0 |  | keymiss n"},
    {"ZUNION 2 n n WEIGHTS 1 x", "-ERR weight value is not a float | 0 |  | keymiss n, keymiss n"},
    {"ZUNION 1 n", "*0 | 0 |  | keymiss n"},
    {"ZUNION", "-ERR wrong number of arguments for 'zunion' command | 0 |  | "},
    {"ZUNION 1", "-ERR wrong number of arguments for 'zunion' command | 0 |  | "},
    {"ZINTER 2 a b", "*2 $1 y $1 z | 0 |  | "},
    {"ZINTER 2 a b WITHSCORES", "*4 $1 y $2 12 $1 z $2 23 | 0 |  | "},
    {"ZINTER 2 a n WITHSCORES", "*0 | 0 |  | keymiss n"},
    {"ZINTER 2 n str",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | keymiss n"},
    {"ZINTER 2 a b WEIGHTS inf -inf WITHSCORES", "*4 $1 y $1 0 $1 z $1 0 | 0 |  | "},
    {"ZINTER 2 a a WEIGHTS inf -inf WITHSCORES", "*6 $1 x $1 0 $1 y $1 0 $1 z $1 0 | 0 |  | "},
    {"ZINTER 2 a b AGGREGATE MIN WITHSCORES", "*4 $1 y $1 2 $1 z $1 3 | 0 |  | "},
    {"ZINTER 3 a b a AGGREGATE SUM WITHSCORES", "*4 $1 y $2 14 $1 z $2 26 | 0 |  | "},
    {"ZDIFF 2 a b", "*1 $1 x | 0 |  | "},
    {"ZDIFF 2 a b WITHSCORES", "*2 $1 x $1 1 | 0 |  | "},
    {"ZDIFF 2 a n WITHSCORES", "*6 $1 x $1 1 $1 y $1 2 $1 z $1 3 | 0 |  | keymiss n"},
    {"ZDIFF 2 n a WITHSCORES", "*0 | 0 |  | keymiss n"},
    {"ZDIFF 2 a a", "*0 | 0 |  | "},
    {"ZDIFF 2 a b WEIGHTS 1 2", "-ERR syntax error | 0 |  | "},
    {"ZDIFF 2 a b AGGREGATE MIN", "-ERR syntax error | 0 |  | "},
    {"ZDIFF 0 a", "-ERR at least 1 input key is needed for 'zdiff' command | 0 |  | "},
    {"ZDIFF 2 a str",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZDIFF 3 a", "-ERR syntax error | 0 |  | "},
    {"ZUNIONSTORE d 2 a b", ":4 | 1 | ZUNIONSTORE d 2 a b | new d, zunionstore d"},
    {"ZUNIONSTORE d 2 a b WITHSCORES", "-ERR syntax error | 0 |  | "},
    {"ZUNIONSTORE d 2 a b WEIGHTS 1 2 AGGREGATE MAX",
     ":4 | 1 | ZUNIONSTORE d 2 a b WEIGHTS 1 2 AGGREGATE MAX | zunionstore d"},
    {"ZINTERSTORE d 2 a b", ":2 | 1 | ZINTERSTORE d 2 a b | zinterstore d"},
    {"ZINTERSTORE d 2 a n", ":0 | 1 | ZINTERSTORE d 2 a n | keymiss n, del d"},
    {"ZINTERSTORE d 2 a n", ":0 | 0 |  | keymiss n"},
    {"ZINTERSTORE str 1 a", ":3 | 1 | ZINTERSTORE str 1 a | zinterstore str"},
    {"SET str x", "+OK | 1 | SET str x | set str"},
    {"ZINTERSTORE str 1 n", ":0 | 1 | ZINTERSTORE str 1 n | keymiss n, del str"},
    {"SET str x", "+OK | 1 | SET str x | new str, set str"},
    {"ZINTERSTORE d 1 str",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZINTERSTORE d 2 a n WEIGHTS", "-ERR syntax error | 0 |  | keymiss n"},
    {"ZINTERSTORE d 2 a n WEIGHTS 1 x", "-ERR weight value is not a float | 0 |  | keymiss n"},
    {"ZINTERSTORE a 2 a b", ":2 | 1 | ZINTERSTORE a 2 a b | zinterstore a"},
    {"ZRANGE a 0 -1 WITHSCORES", "*4 $1 y $2 12 $1 z $2 23 | 0 |  | "},
    {"ZDIFFSTORE d 2 b a", ":1 | 1 | ZDIFFSTORE d 2 b a | new d, zdiffstore d"},
    {"ZDIFFSTORE d 2 a a", ":0 | 1 | ZDIFFSTORE d 2 a a | del d"},
    {"ZDIFFSTORE d 0 a", "-ERR at least 1 input key is needed for 'zdiffstore' command | 0 |  | "},
    {"ZDIFFSTORE d 3 a", "-ERR syntax error | 0 |  | "},
    {"ZUNIONSTORE d 0 a",
     "-ERR at least 1 input key is needed for 'zunionstore' command | 0 |  | "},
    {"ZUNIONSTORE d x a", "-ERR value is not an integer or out of range | 0 |  | "},
    {"ZUNIONSTORE 2 a b", "-ERR value is not an integer or out of range | 0 |  | "},
    {"ZINTERSTORE d -1 a",
     "-ERR at least 1 input key is needed for 'zinterstore' command | 0 |  | "},
    {"FLUSH", NULL},
    {"ZADD a 1 x 2 y 3 z", ":3 | 3 | ZADD a 1 x 2 y 3 z | new a, zadd a"},
    {"ZADD b 10 y 20 z 30 w", ":3 | 3 | ZADD b 10 y 20 z 30 w | new b, zadd b"},
    {"SET str x", "+OK | 1 | SET str x | new str, set str"},
    {"ZINTERCARD 2 a b", ":2 | 0 |  | "},
    {"ZINTERCARD 2 a b LIMIT 1", ":1 | 0 |  | "},
    {"ZINTERCARD 2 a b LIMIT 0", ":2 | 0 |  | "},
    {"ZINTERCARD 2 a b LIMIT -1", "-ERR LIMIT can't be negative | 0 |  | "},
    {"ZINTERCARD 2 a b LIMIT x", "-ERR LIMIT can't be negative | 0 |  | "},
    {"ZINTERCARD 2 a b LIMIT 9223372036854775808", "-ERR LIMIT can't be negative | 0 |  | "},
    {"ZINTERCARD 2 a b LIMIT", "-ERR syntax error | 0 |  | "},
    {"ZINTERCARD 2 a b FOO", "-ERR syntax error | 0 |  | "},
    {"ZINTERCARD 0 a", "-ERR at least 1 input key is needed for 'zintercard' command | 0 |  | "},
    {"ZINTERCARD 2 a n", ":0 | 0 |  | keymiss n"},
    {"ZINTERCARD 2 a str",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZINTERCARD 2 n str",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | keymiss n"},
    {"ZINTERCARD x n str", "-ERR value is not an integer or out of range | 0 |  | "},
    {"ZINTERCARD 2 n str LIMIT",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | keymiss n"},
    {"ZINTERCARD 2 n a LIMIT -1", "-ERR LIMIT can't be negative | 0 |  | keymiss n"},
    {"ZINTERCARD 2 a b WITHSCORES", "-ERR syntax error | 0 |  | "},
    {"ZINTERCARD 2 a b LIMIT 1 LIMIT 2", ":2 | 0 |  | "},
    {"ZADD i 1 m inf o -inf p", ":3 | 3 | ZADD i 1 m inf o -inf p | new i, zadd i"},
    {"ZADD j -1 m -inf o inf p", ":3 | 3 | ZADD j -1 m -inf o inf p | new j, zadd j"},
    {"ZUNION 2 i j WITHSCORES", "*6 $1 m $1 0 $1 o $1 0 $1 p $1 0 | 0 |  | "},
    {"ZUNION 2 i j WEIGHTS 0 0 WITHSCORES", "*6 $1 m $1 0 $1 o $1 0 $1 p $1 0 | 0 |  | "},
    {"ZUNION 2 i j WEIGHTS inf 1e308 WITHSCORES", "*6 $1 o $1 0 $1 p $1 0 $1 m $3 inf | 0 |  | "},
    {"ZUNION 1 i WEIGHTS -0 WITHSCORES", "*6 $1 m $2 -0 $1 o $1 0 $1 p $1 0 | 0 |  | "},
    {"ZUNIONSTORE d 1 i WEIGHTS -0",
     ":3 | 1 | ZUNIONSTORE d 1 i WEIGHTS -0 | new d, zunionstore d"},
    {"ZRANGE d 0 -1 WITHSCORES", "*6 $1 m $1 0 $1 o $1 0 $1 p $1 0 | 0 |  | "},
    {"ZADD s1 0.1 m", ":1 | 1 | ZADD s1 0.1 m | new s1, zadd s1"},
    {"ZADD s2 0.2 m 0 n", ":2 | 2 | ZADD s2 0.2 m 0 n | new s2, zadd s2"},
    {"ZADD s3 0.3 m 0 n 0 o", ":3 | 3 | ZADD s3 0.3 m 0 n 0 o | new s3, zadd s3"},
    {"ZUNION 3 s1 s2 s3 WITHSCORES",
     "*6 $1 n $1 0 $1 o $1 0 $1 m $19 0.60000000000000009 | 0 |  | "},
    {"ZUNION 3 s3 s2 s1 WITHSCORES",
     "*6 $1 n $1 0 $1 o $1 0 $1 m $19 0.60000000000000009 | 0 |  | "},
    {"ZINTER 3 s3 s1 s2 WITHSCORES", "*2 $1 m $19 0.60000000000000009 | 0 |  | "},
    {"FLUSH", NULL},
    {"ZADD a 1 x 2 y 3 z", ":3 | 3 | ZADD a 1 x 2 y 3 z | new a, zadd a"},
    {"SET str x", "+OK | 1 | SET str x | new str, set str"},
    {"ZRANDMEMBER n", "$-1 | 0 |  | keymiss n"},
    {"ZRANDMEMBER n 3", "*0 | 0 |  | keymiss n"},
    {"ZRANDMEMBER n WITHSCORES", "-ERR value is not an integer or out of range | 0 |  | "},
    {"ZRANDMEMBER n -4611686018427387903 WITHSCORES", "*0 | 0 |  | keymiss n"},
    {"ZRANDMEMBER a 0", "*0 | 0 |  | "},
    {"ZRANDMEMBER a 3", "*3 $1 z $1 y $1 x | 0 |  | "},
    {"ZRANDMEMBER a 100", "*3 $1 z $1 y $1 x | 0 |  | "},
    {"ZRANDMEMBER a 100 WITHSCORES", "*6 $1 z $1 3 $1 y $1 2 $1 x $1 1 | 0 |  | "},
    {"ZRANDMEMBER a 100 FOO", "-ERR syntax error | 0 |  | "},
    {"ZRANDMEMBER a x", "-ERR value is not an integer or out of range | 0 |  | "},
    {"ZRANDMEMBER a x FOO", "-ERR value is not an integer or out of range | 0 |  | "},
    {"ZRANDMEMBER a 1 WITHSCORES x", "-ERR syntax error | 0 |  | "},
    {"ZRANDMEMBER a -9223372036854775808",
     "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807 "
     "| 0 |  | "},
    {"ZRANDMEMBER a -9223372036854775808 FOO",
     "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807 "
     "| 0 |  | "},
    {"ZRANDMEMBER a -9223372036854775807 WITHSCORES", "-ERR value is out of range | 0 |  | "},
    {"ZRANDMEMBER a 4611686018427387904 WITHSCORES", "-ERR value is out of range | 0 |  | "},
    {"ZRANDMEMBER a -4611686018427387904 WITHSCORES", "-ERR value is out of range | 0 |  | "},
    {"ZRANDMEMBER str",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZRANDMEMBER str x", "-ERR value is not an integer or out of range | 0 |  | "},
    {"ZRANDMEMBER str 1 FOO", "-ERR syntax error | 0 |  | "},
    {"ZSCAN a 0", "*2 $1 0 *6 $1 x $1 1 $1 y $1 2 $1 z $1 3 | 0 |  | "},
    {"ZSCAN a 0 MATCH y", "*2 $1 0 *2 $1 y $1 2 | 0 |  | "},
    {"ZSCAN a 0 MATCH y COUNT 1", "*2 $1 0 *2 $1 y $1 2 | 0 |  | "},
    {"ZSCAN a 0 COUNT 1 COUNT 5 MATCH x* MATCH y*", "*2 $1 0 *2 $1 y $1 2 | 0 |  | "},
    {"ZSCAN a 0 MATCH", "-ERR syntax error | 0 |  | "},
    {"ZSCAN a 0 COUNT 0", "-ERR syntax error | 0 |  | "},
    {"ZSCAN a 0 COUNT x", "-ERR value is not an integer or out of range | 0 |  | "},
    {"ZSCAN a 0 FOO 1", "-ERR syntax error | 0 |  | "},
    {"ZSCAN a 0 TYPE zset", "-ERR syntax error | 0 |  | "},
    {"ZSCAN a x", "-ERR invalid cursor | 0 |  | "},
    {"ZSCAN n 0", "*2 $1 0 *0 | 0 |  | keymiss n"},
    {"ZSCAN n x", "-ERR invalid cursor | 0 |  | "},
    {"ZSCAN n 5 FOO", "*2 $1 0 *0 | 0 |  | keymiss n"},
    {"ZSCAN str 0", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZSCAN str 0 FOO",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZSCAN a 5", "*2 $1 0 *6 $1 x $1 1 $1 y $1 2 $1 z $1 3 | 0 |  | "},
};

Test(zset_combine, combining_drawing_and_scanning)
{
    run_lines(combining_drawing_and_scanning,
              sizeof combining_drawing_and_scanning / sizeof *combining_drawing_and_scanning);
}
