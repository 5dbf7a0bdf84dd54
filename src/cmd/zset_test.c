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

TestSuite(zset, .init = begin, .fini = end);

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

static const struct line single_members_and_ends[] = {
    {"ZADD k 1 a", ":1 | 1 | ZADD k 1 a | new k, zadd k"},
    {"ZADD k 1 a", ":0 | 0 |  | "},
    {"ZADD k 1.0 b 2 c", ":2 | 2 | ZADD k 1.0 b 2 c | zadd k"},
    {"ZADD k NX 5 a 6 d", ":1 | 1 | ZADD k NX 5 a 6 d | zadd k"},
    {"ZADD k XX 5 a 6 e", ":0 | 1 | ZADD k XX 5 a 6 e | zadd k"},
    {"ZADD k XX CH 7 a 6 e", ":1 | 1 | ZADD k XX CH 7 a 6 e | zadd k"},
    {"ZADD k XX NX 7 a", "-ERR XX and NX options at the same time are not compatible | 0 |  | "},
    {"ZADD k GT LT 7 a",
     "-ERR GT, LT, and/or NX options at the same time are not compatible | 0 |  | "},
    {"ZADD k NX GT 7 a",
     "-ERR GT, LT, and/or NX options at the same time are not compatible | 0 |  | "},
    {"ZADD k GT CH 6 a 8 b", ":1 | 1 | ZADD k GT CH 6 a 8 b | zadd k"},
    {"ZADD k LT CH 6 a 9 b", ":1 | 1 | ZADD k LT CH 6 a 9 b | zadd k"},
    {"ZADD k INCR 5 a", "$2 11 | 1 | ZADD k INCR 5 a | zincr k"},
    {"ZADD k INCR 5 a 6 b", "-ERR INCR option supports a single increment-element pair | 0 |  | "},
    {"ZADD k NX INCR 5 a", "$-1 | 0 |  | "},
    {"ZADD k XX INCR 5 nope", "$-1 | 0 |  | "},
    {"ZADD k GT INCR -5 a", "$-1 | 0 |  | "},
    {"ZADD k LT INCR -5 a", "$1 6 | 1 | ZADD k LT INCR -5 a | zincr k"},
    {"ZADD k CH INCR 0 a", "$1 6 | 0 |  | "},
    {"ZADD k nan a", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD k INCR nan a", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD k inf a", ":0 | 1 | ZADD k inf a | zadd k"},
    {"ZADD k INCR -inf a", "-ERR resulting score is not a number (NaN) | 0 |  | "},
    {"ZADD k -inf a", ":0 | 1 | ZADD k -inf a | zadd k"},
    {"ZADD k INCR inf a", "-ERR resulting score is not a number (NaN) | 0 |  | "},
    {"ZINCRBY k inf a", "-ERR resulting score is not a number (NaN) | 0 |  | "},
    {"ZINCRBY k 1 b", "$1 9 | 1 | ZINCRBY k 1 b | zincr k"},
    {"ZINCRBY k 0 b", "$1 9 | 0 |  | "},
    {"ZINCRBY n 3 b", "$1 3 | 1 | ZINCRBY n 3 b | new n, zincr n"},
    {"ZINCRBY n x b", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD n", "-ERR wrong number of arguments for 'zadd' command | 0 |  | "},
    {"ZADD n 1", "-ERR wrong number of arguments for 'zadd' command | 0 |  | "},
    {"ZADD n 1 a 2", "-ERR syntax error | 0 |  | "},
    {"ZADD n x a", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD n 1 a x b", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD n NX", "-ERR wrong number of arguments for 'zadd' command | 0 |  | "},
    {"ZADD n NX 1", "-ERR syntax error | 0 |  | "},
    {"ZADD n NX XX", "-ERR syntax error | 0 |  | "},
    {"ZADD n GT LT 1 a",
     "-ERR GT, LT, and/or NX options at the same time are not compatible | 0 |  | "},
    {"ZADD n NX XX GT INCR 1 a 2 b",
     "-ERR XX and NX options at the same time are not compatible | 0 |  | "},
    {"ZADD n CH", "-ERR wrong number of arguments for 'zadd' command | 0 |  | "},
    {"ZADD n XX 1 b", ":0 | 1 | ZADD n XX 1 b | zadd n"},
    {"ZADD nn XX 1 b", ":0 | 0 |  | "},
    {"ZADD nn XX INCR 1 b", "$-1 | 0 |  | "},
    {"ZADD nn XX CH 1 b", ":0 | 0 |  | "},
    {"SET s x", "+OK | 1 | SET s x | new s, set s"},
    {"ZADD s 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZADD s x a", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD s 1", "-ERR wrong number of arguments for 'zadd' command | 0 |  | "},
    {"ZADD s NX XX 1 a", "-ERR XX and NX options at the same time are not compatible | 0 |  | "},
    {"ZINCRBY s 1 a",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZINCRBY s x a", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD z 0 a", ":1 | 1 | ZADD z 0 a | new z, zadd z"},
    {"ZADD z -0 a", ":0 | 0 |  | "},
    {"ZSCORE z a", "$1 0 | 0 |  | "},
    {"ZADD z2 -0 a", ":1 | 1 | ZADD z2 -0 a | new z2, zadd z2"},
    {"ZSCORE z2 a", "$1 0 | 0 |  | "},
    {"ZADD z2 0 a", ":0 | 0 |  | "},
    {"ZINCRBY z2 -0 a", "$1 0 | 0 |  | "},
    {"ZRANGE z2 0 -1 WITHSCORES", "*2 $1 a $1 0 | 0 |  | "},
    {"ZADD h 0x10 a 1e3 b +5 c 1e400 d", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD h 0x10 a 1e3 b +5 c ", ":3 | 3 | ZADD h 0x10 a 1e3 b +5 c | new h, zadd h"},
    {"ZADD h \" 1\" a", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD h \"1 \" a", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD h \"\" a", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD h infinity a +inf b -Infinity c",
     ":0 | 3 | ZADD h infinity a +inf b -Infinity c | zadd h"},
    {"ZADD h 1e-400 d", "-ERR value is not a valid float | 0 |  | "},
    {"ZADD h 1e-310 d", ":1 | 1 | ZADD h 1e-310 d | zadd h"},
    {"ZADD h 3 e 4 e 5 e", ":1 | 3 | ZADD h 3 e 4 e 5 e | zadd h"},
    {"ZADD h CH 3 e 4 e 5 e", ":3 | 3 | ZADD h CH 3 e 4 e 5 e | zadd h"},
    {"ZADD h NX 3 f 4 f 5 f", ":1 | 1 | ZADD h NX 3 f 4 f 5 f | zadd h"},
    {"ZADD h NX CH 3 g 4 g 5 g", ":1 | 1 | ZADD h NX CH 3 g 4 g 5 g | zadd h"},
    {"ZADD h NX XX", "-ERR syntax error | 0 |  | "},
    {"ZADD h incr 1 a ch", "-ERR syntax error | 0 |  | "},
    {"ZADD h INCR", "-ERR wrong number of arguments for 'zadd' command | 0 |  | "},
    {"ZADD h INCR 1", "-ERR syntax error | 0 |  | "},
    {"FLUSH", NULL},
    {"ZADD k 1 a 2 b 3 c 4 d", ":4 | 4 | ZADD k 1 a 2 b 3 c 4 d | new k, zadd k"},
    {"ZCARD k", ":4 | 0 |  | "},
    {"ZCARD n", ":0 | 0 |  | keymiss n"},
    {"ZSCORE k a", "$1 1 | 0 |  | "},
    {"ZSCORE k x", "$-1 | 0 |  | "},
    {"ZSCORE n x", "$-1 | 0 |  | keymiss n"},
    {"ZMSCORE k a x b", "*3 $1 1 $-1 $1 2 | 0 |  | "},
    {"ZMSCORE n x y", "*2 $-1 $-1 | 0 |  | keymiss n"},
    {"ZRANK k a", ":0 | 0 |  | "},
    {"ZRANK k x", "$-1 | 0 |  | "},
    {"ZRANK n x", "$-1 | 0 |  | keymiss n"},
    {"ZREVRANK k a", ":3 | 0 |  | "},
    {"ZREVRANK k d", ":0 | 0 |  | "},
    {"ZREVRANK n x", "$-1 | 0 |  | keymiss n"},
    {"SET s x", "+OK | 1 | SET s x | new s, set s"},
    {"ZCARD s", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZSCORE s x", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZMSCORE s x", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZRANK s x", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZREVRANK s x",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZREM s x", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZREM k", "-ERR wrong number of arguments for 'zrem' command | 0 |  | "},
    {"ZREM k x", ":0 | 0 |  | "},
    {"ZREM k a a b", ":2 | 2 | ZREM k a a b | zrem k"},
    {"ZREM n a", ":0 | 0 |  | "},
    {"ZREM k c d", ":2 | 2 | ZREM k c d | zrem k, del k"},
    {"EXISTS k", ":0 | 0 |  | keymiss k"},
    {"FLUSH", NULL},
    {"ZADD k 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h",
     ":8 | 8 | ZADD k 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h | new k, zadd k"},
    {"SET s x", "+OK | 1 | SET s x | new s, set s"},
    {"ZPOPMIN k", "*2 $1 a $1 1 | 1 | ZPOPMIN k | zpopmin k"},
    {"ZPOPMAX k", "*2 $1 h $1 8 | 1 | ZPOPMAX k | zpopmax k"},
    {"ZPOPMIN k 2", "*4 $1 b $1 2 $1 c $1 3 | 2 | ZPOPMIN k 2 | zpopmin k"},
    {"ZPOPMAX k 1", "*2 $1 g $1 7 | 1 | ZPOPMAX k 1 | zpopmax k"},
    {"ZPOPMIN k 0", "*0 | 0 |  | "},
    {"ZPOPMIN k -1", "-ERR value is out of range, must be positive | 0 |  | "},
    {"ZPOPMIN k x", "-ERR value is out of range, must be positive | 0 |  | "},
    {"ZPOPMIN k 1 2", "-ERR syntax error | 0 |  | "},
    {"ZPOPMIN n", "*0 | 0 |  | "},
    {"ZPOPMIN n 3", "*0 | 0 |  | "},
    {"ZPOPMIN n x", "-ERR value is out of range, must be positive | 0 |  | "},
    {"ZPOPMIN n -1", "-ERR value is out of range, must be positive | 0 |  | "},
    {"ZPOPMIN s", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZPOPMIN s x", "-ERR value is out of range, must be positive | 0 |  | "},
    {"ZPOPMIN s 0", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZPOPMIN s -1", "-ERR value is out of range, must be positive | 0 |  | "},
    {"ZPOPMAX k 100", "*6 $1 f $1 6 $1 e $1 5 $1 d $1 4 | 3 | ZPOPMAX k 100 | zpopmax k, del k"},
    {"ZPOPMAX k", "*0 | 0 |  | "},
    {"ZADD k 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h",
     ":8 | 8 | ZADD k 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h | new k, zadd k"},
    {"ZMPOP 1 k MIN", "*2 $1 k *1 *2 $1 a $1 1 | 1 | ZPOPMIN k 1 | zpopmin k"},
    {"ZMPOP 2 n k MAX COUNT 2",
     "*2 $1 k *2 *2 $1 h $1 8 *2 $1 g $1 7 | 2 | ZPOPMAX k 2 | zpopmax k"},
    {"ZMPOP 2 n s MAX COUNT 2",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZMPOP 2 k s MIN COUNT 2",
     "*2 $1 k *2 *2 $1 b $1 2 *2 $1 c $1 3 | 2 | ZPOPMIN k 2 | zpopmin k"},
    {"ZMPOP 0 k MIN", "-ERR numkeys should be greater than 0 | 0 |  | "},
    {"ZMPOP -1 k MIN", "-ERR numkeys should be greater than 0 | 0 |  | "},
    {"ZMPOP x k MIN", "-ERR numkeys should be greater than 0 | 0 |  | "},
    {"ZMPOP 1 k", "-ERR wrong number of arguments for 'zmpop' command | 0 |  | "},
    {"ZMPOP 2 k MIN", "-ERR syntax error | 0 |  | "},
    {"ZMPOP 1 k FOO", "-ERR syntax error | 0 |  | "},
    {"ZMPOP 1 k MIN COUNT", "-ERR syntax error | 0 |  | "},
    {"ZMPOP 1 k MIN COUNT 0", "-ERR count should be greater than 0 | 0 |  | "},
    {"ZMPOP 1 k MIN COUNT -1", "-ERR count should be greater than 0 | 0 |  | "},
    {"ZMPOP 1 k MIN COUNT x", "-ERR count should be greater than 0 | 0 |  | "},
    {"ZMPOP 1 k MIN COUNT 1 COUNT 2", "-ERR syntax error | 0 |  | "},
    {"ZMPOP 1 k MIN MAX", "-ERR syntax error | 0 |  | "},
    {"ZMPOP 1 k MIN FOO 1", "-ERR syntax error | 0 |  | "},
    {"ZMPOP 1 n MIN", "*-1 | 0 |  | "},
    {"ZMPOP 3 n n s MIN COUNT 1",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"ZMPOP 9223372036854775807 k MIN", "-ERR syntax error | 0 |  | "},
    {"ZMPOP 1 k MIN COUNT 9223372036854775807",
     "*2 $1 k *3 *2 $1 d $1 4 *2 $1 e $1 5 *2 $1 f $1 6 | 3 | ZPOPMIN k 3 | zpopmin k, del k"},
    {"EXISTS k", ":0 | 0 |  | keymiss k"},
};

Test(zset, single_members_and_ends)
{
    run_lines(single_members_and_ends,
              sizeof single_members_and_ends / sizeof *single_members_and_ends);
}

static const struct line replies_of_resp3[] = {
    {"ZADD k 1 a 2.5 b 3 c 4 d 5 e 6 f 7 g 8 h",
     ":8 | 8 | ZADD k 1 a 2.5 b 3 c 4 d 5 e 6 f 7 g 8 h | new k, zadd k"},
    {"ZSCORE k a", ",1 | 0 |  | "},
    {"ZSCORE k x", "_ | 0 |  | "},
    {"ZMSCORE k a x b", "*3 ,1 _ ,2.5 | 0 |  | "},
    {"ZRANK k b", ":1 | 0 |  | "},
    {"ZRANK k x", "_ | 0 |  | "},
    {"ZINCRBY k 1.25 a", ",2.25 | 1 | ZINCRBY k 1.25 a | zincr k"},
    {"ZADD k INCR 1 a", ",3.25 | 1 | ZADD k INCR 1 a | zincr k"},
    {"ZADD k NX INCR 1 a", "_ | 0 |  | "},
    {"ZINCRBY k inf a", ",inf | 1 | ZINCRBY k inf a | zincr k"},
    {"ZPOPMIN k", "*2 $1 b ,2.5 | 1 | ZPOPMIN k | zpopmin k"},
    {"ZPOPMAX k", "*2 $1 a ,inf | 1 | ZPOPMAX k | zpopmax k"},
    {"ZPOPMIN k 1", "*1 *2 $1 c ,3 | 1 | ZPOPMIN k 1 | zpopmin k"},
    {"ZPOPMIN k 2", "*2 *2 $1 d ,4 *2 $1 e ,5 | 2 | ZPOPMIN k 2 | zpopmin k"},
    {"ZPOPMIN n", "*0 | 0 |  | "},
    {"ZPOPMIN n 1", "*0 | 0 |  | "},
    {"ZMPOP 1 k MIN", "*2 $1 k *1 *2 $1 f ,6 | 1 | ZPOPMIN k 1 | zpopmin k"},
    {"ZMPOP 1 n MIN", "_ | 0 |  | "},
    {"ZMPOP 1 k MAX COUNT 2",
     "*2 $1 k *2 *2 $1 h ,8 *2 $1 g ,7 | 2 | ZPOPMAX k 2 | zpopmax k, del k"},
    {"ZADD k 1 a 2.5 b -inf c", ":3 | 3 | ZADD k 1 a 2.5 b -inf c | new k, zadd k"},
    {"ZRANGE k 0 -1", "*3 $1 c $1 a $1 b | 0 |  | "},
    {"ZRANGE k 0 -1 WITHSCORES", "*3 *2 $1 c ,-inf *2 $1 a ,1 *2 $1 b ,2.5 | 0 |  | "},
    {"ZREVRANGEBYSCORE k inf 0 WITHSCORES LIMIT 0 1", "*1 *2 $1 b ,2.5 | 0 |  | "},
    {"ZRANGE n 0 1 WITHSCORES", "*0 | 0 |  | keymiss n"},
    {"ZUNION 1 k WITHSCORES", "*3 *2 $1 c ,-inf *2 $1 a ,1 *2 $1 b ,2.5 | 0 |  | "},
    {"ZUNION 1 k", "*3 $1 c $1 a $1 b | 0 |  | "},
    {"ZRANDMEMBER k 3 WITHSCORES", "*3 *2 $1 b ,2.5 *2 $1 a ,1 *2 $1 c ,-inf | 0 |  | "},
    {"ZRANDMEMBER n", "_ | 0 |  | keymiss n"},
    {"ZRANDMEMBER n 2", "*0 | 0 |  | keymiss n"},
    {"ZSCAN k 0", "*2 $1 0 *6 $1 c $4 -inf $1 a $1 1 $1 b $3 2.5 | 0 |  | "},
};

Test(zset, replies_of_resp3)
{
    bed.version = 3;
    run_lines(replies_of_resp3, sizeof replies_of_resp3 / sizeof *replies_of_resp3);
}
