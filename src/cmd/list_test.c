/* Each line of the table was run by Redis 7.0.15 with an attached replica and all keyspace events on:
 * its reply, by how much rdb_changes_since_last_save rose, what the replica got, and the events. None of
 * it may depend on how a list is stored, so the table is run under several settings. */
#include "cmd/test_bed.h"
#include "store/list.h"

#include <criterion/criterion.h>

static const struct {
    const char *line, *expected; /* NULL: a new keyspace */
} cases[] = {
    {"LPUSH l a b c", ":3 | 3 | LPUSH l a b c | new l, lpush l"},
    {"RPUSH l d", ":4 | 1 | RPUSH l d | rpush l"},
    {"RPUSH l", "-ERR wrong number of arguments for 'rpush' command | 0 |  | "},
    {"LPUSHX l z", ":5 | 1 | LPUSHX l z | lpush l"},
    {"RPUSHX l y x", ":7 | 2 | RPUSHX l y x | rpush l"},
    {"LPUSHX none a", ":0 | 0 |  | "},
    {"LPOP l", "$1 z | 1 | LPOP l | lpop l"},
    {"RPOP l", "$1 x | 1 | RPOP l | rpop l"},
    {"LPOP l 0", "*0 | 0 |  | "},
    {"RPOP l 2", "*2 $1 y $1 d | 2 | RPOP l 2 | rpop l"},
    {"LPOP l -1", "-ERR value is out of range, must be positive | 0 |  | "},
    {"LPOP l abc", "-ERR value is out of range, must be positive | 0 |  | "},
    {"LPOP l 1 2", "-ERR wrong number of arguments for 'lpop' command | 0 |  | "},
    {"LPOP none", "$-1 | 0 |  | "},
    {"LPOP none 1", "*-1 | 0 |  | "},
    {"LPOP none 0", "*-1 | 0 |  | "},
    {"LPOP none -1", "-ERR value is out of range, must be positive | 0 |  | "},
    {"LPOP l 100", "*3 $1 c $1 b $1 a | 3 | LPOP l 100 | lpop l, del l"},
    {"SET s 1", "+OK | 1 | SET s 1 | new s, set s"},
    {"LPUSH s a", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LPUSHX s a", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LPOP s", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LPOP s 0", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LPOP s -1", "-ERR value is out of range, must be positive | 0 |  | "},
    {"RPUSH l 1 2 3", ":3 | 3 | RPUSH l 1 2 3 | new l, rpush l"},
    {"LMOVE l m LEFT RIGHT", "$1 1 | 1 | LMOVE l m LEFT RIGHT | new m, rpush m, lpop l"},
    {"LMOVE l m right left", "$1 3 | 1 | LMOVE l m right left | lpush m, rpop l"},
    {"LMOVE l m left up", "-ERR syntax error | 0 |  | "},
    {"LMOVE none s left left", "$-1 | 0 |  | "},
    {"LMOVE l s left left",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LMOVE s l left left",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LMOVE l l left right", "$1 2 | 1 | LMOVE l l left right | rpush l, lpop l"},
    {"RPUSH l 5", ":2 | 1 | RPUSH l 5 | rpush l"},
    {"LMOVE l l left right", "$1 2 | 1 | LMOVE l l left right | rpush l, lpop l"},
    {"LMOVE l l left left", "$1 5 | 1 | LMOVE l l left left | lpush l, lpop l"},
    {"RPOPLPUSH l l", "$1 2 | 1 | RPOPLPUSH l l | lpush l, rpop l"},
    {"RPOPLPUSH l m", "$1 5 | 1 | RPOPLPUSH l m | lpush m, rpop l"},
    {"RPOPLPUSH l m", "$1 2 | 1 | RPOPLPUSH l m | lpush m, rpop l, del l"},
    {"RPOPLPUSH l m", "$-1 | 0 |  | "},
    {"RPOPLPUSH none m", "$-1 | 0 |  | "},
    {"LRANGE m 0 -1", "*4 $1 2 $1 5 $1 3 $1 1 | 0 |  | "},
    {"LLEN m", ":4 | 0 |  | "},
    {"LLEN none", ":0 | 0 |  | keymiss none"},
    {"LLEN s", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LINDEX m 0", "$1 2 | 0 |  | "},
    {"LINDEX m -1", "$1 1 | 0 |  | "},
    {"LINDEX m 100", "$-1 | 0 |  | "},
    {"LINDEX m x", "-ERR value is not an integer or out of range | 0 |  | "},
    {"LINDEX s 0", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LINDEX none x", "$-1 | 0 |  | keymiss none"},
    {"LSET m 0 new", "+OK | 1 | LSET m 0 new | lset m"},
    {"LSET m -1 new2", "+OK | 1 | LSET m -1 new2 | lset m"},
    {"LSET m 100 a", "-ERR index out of range | 0 |  | "},
    {"LSET m abc a", "-ERR value is not an integer or out of range | 0 |  | "},
    {"LSET none 0 a", "-ERR no such key | 0 |  | "},
    {"LSET none x a", "-ERR no such key | 0 |  | "},
    {"LSET s 0 a", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LSET s x a", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LINSERT m before new x1", ":5 | 1 | LINSERT m before new x1 | linsert m"},
    {"LINSERT m AFTER new x2", ":6 | 1 | LINSERT m AFTER new x2 | linsert m"},
    {"LINSERT m AROUND new x2", "-ERR syntax error | 0 |  | "},
    {"LINSERT m before nopivot x2", ":-1 | 0 |  | "},
    {"LINSERT none before nopivot x2", ":0 | 0 |  | "},
    {"LINSERT s before nopivot x2",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LINSERT none foo nopivot x2", "-ERR syntax error | 0 |  | "},
    {"LRANGE m 0 -1", "*6 $2 x1 $3 new $2 x2 $1 5 $1 3 $4 new2 | 0 |  | "},
    {"LREM m 0 new", ":1 | 1 | LREM m 0 new | lrem m"},
    {"LREM m x new", "-ERR value is not an integer or out of range | 0 |  | "},
    {"LREM m 1 nope", ":0 | 0 |  | "},
    {"LREM none x a", "-ERR value is not an integer or out of range | 0 |  | "},
    {"LREM none 1 a", ":0 | 0 |  | "},
    {"LREM s 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LREM s x a", "-ERR value is not an integer or out of range | 0 |  | "},
    {"RPUSH r a b a c a", ":5 | 5 | RPUSH r a b a c a | new r, rpush r"},
    {"LREM r -2 a", ":2 | 2 | LREM r -2 a | lrem r"},
    {"LREM r 1 a", ":1 | 1 | LREM r 1 a | lrem r"},
    {"LREM r 0 a", ":0 | 0 |  | "},
    {"LREM r 5 b", ":1 | 1 | LREM r 5 b | lrem r"},
    {"LREM r 5 c", ":1 | 1 | LREM r 5 c | lrem r, del r"},
    {"RPUSH r a b c d e", ":5 | 5 | RPUSH r a b c d e | new r, rpush r"},
    {"LTRIM r 1 -2", "+OK | 2 | LTRIM r 1 -2 | ltrim r"},
    {"LTRIM r 0 -1", "+OK | 0 |  | ltrim r"},
    {"LTRIM r -100 100", "+OK | 0 |  | ltrim r"},
    {"LTRIM r x 1", "-ERR value is not an integer or out of range | 0 |  | "},
    {"LTRIM r 0 x", "-ERR value is not an integer or out of range | 0 |  | "},
    {"LTRIM none 0 1", "+OK | 0 |  | "},
    {"LTRIM none x 1", "-ERR value is not an integer or out of range | 0 |  | "},
    {"LTRIM s 0 1", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LTRIM s x 1", "-ERR value is not an integer or out of range | 0 |  | "},
    {"LTRIM r 5 10", "+OK | 3 | LTRIM r 5 10 | ltrim r, del r"},
    {"RPUSH r a b c d e", ":5 | 5 | RPUSH r a b c d e | new r, rpush r"},
    {"LTRIM r 3 1", "+OK | 5 | LTRIM r 3 1 | ltrim r, del r"},
    {"RPUSH r a b c 1 2 c c", ":7 | 7 | RPUSH r a b c 1 2 c c | new r, rpush r"},
    {"LRANGE r x 1", "-ERR value is not an integer or out of range | 0 |  | "},
    {"LRANGE s x 1", "-ERR value is not an integer or out of range | 0 |  | "},
    {"LRANGE s 0 1",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LRANGE r 5 1", "*0 | 0 |  | "},
    {"LRANGE r -3 -2", "*2 $1 2 $1 c | 0 |  | "},
    {"LRANGE none 0 1", "*0 | 0 |  | keymiss none"},
    {"LPOS r c", ":2 | 0 |  | "},
    {"LPOS r c RANK 2", ":5 | 0 |  | "},
    {"LPOS r c RANK -1", ":6 | 0 |  | "},
    {"LPOS r c RANK 0", "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the "
                        "second ... or use negative to start from the end of the list | 0 |  | "},
    {"LPOS r c RANK x", "-ERR value is not an integer or out of range | 0 |  | "},
    {"LPOS r c RANK -9223372036854775808", ":6 | 0 |  | "},
    {"LPOS r c COUNT 0", "*3 :2 :5 :6 | 0 |  | "},
    {"LPOS r c COUNT -1", "-ERR COUNT can't be negative | 0 |  | "},
    {"LPOS r c COUNT 2", "*2 :2 :5 | 0 |  | "},
    {"LPOS r c COUNT 2 RANK -2", "*2 :5 :2 | 0 |  | "},
    {"LPOS r c MAXLEN 3", ":2 | 0 |  | "},
    {"LPOS r c MAXLEN -1", "-ERR MAXLEN can't be negative | 0 |  | "},
    {"LPOS r c MAXLEN 0", ":2 | 0 |  | "},
    {"LPOS r c MAXLEN 2", "$-1 | 0 |  | "},
    {"LPOS r c COUNT", "-ERR syntax error | 0 |  | "},
    {"LPOS r c FOO 1", "-ERR syntax error | 0 |  | "},
    {"LPOS none c", "$-1 | 0 |  | keymiss none"},
    {"LPOS none c COUNT 1", "*0 | 0 |  | keymiss none"},
    {"LPOS none c RANK 0",
     "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "
     "negative to start from the end of the list | 0 |  | "},
    {"LPOS s c", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LPOS s c RANK 0", "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the "
                        "second ... or use negative to start from the end of the list | 0 |  | "},
    {"LPOS r nope", "$-1 | 0 |  | "},
    {"LPOS r nope COUNT 1", "*0 | 0 |  | "},
    {"LPOS r c RANK 10", "$-1 | 0 |  | "},
    {"LMPOP 1 r LEFT", "*2 $1 r *1 $1 a | 1 | LPOP r 1 | lpop r"},
    {"LMPOP 2 none r RIGHT COUNT 2", "*2 $1 r *2 $1 c $1 c | 2 | RPOP r 2 | rpop r"},
    {"LMPOP 0 r LEFT", "-ERR numkeys should be greater than 0 | 0 |  | "},
    {"LMPOP x r LEFT", "-ERR numkeys should be greater than 0 | 0 |  | "},
    {"LMPOP -1 r LEFT", "-ERR numkeys should be greater than 0 | 0 |  | "},
    {"LMPOP 2 r LEFT", "-ERR syntax error | 0 |  | "},
    {"LMPOP 1 r UP", "-ERR syntax error | 0 |  | "},
    {"LMPOP 1 r LEFT COUNT 0", "-ERR count should be greater than 0 | 0 |  | "},
    {"LMPOP 1 r LEFT COUNT -1", "-ERR count should be greater than 0 | 0 |  | "},
    {"LMPOP 1 r LEFT COUNT x", "-ERR count should be greater than 0 | 0 |  | "},
    {"LMPOP 1 r LEFT COUNT 1 COUNT 2", "-ERR syntax error | 0 |  | "},
    {"LMPOP 1 r LEFT FOO 1", "-ERR syntax error | 0 |  | "},
    {"LMPOP 1 r LEFT COUNT", "-ERR syntax error | 0 |  | "},
    {"LMPOP 2 none s LEFT",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LMPOP 2 s none LEFT",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LMPOP 1 none LEFT", "*-1 | 0 |  | "},
    {"LMPOP 2 none none2 LEFT", "*-1 | 0 |  | "},
    {"LMPOP 1 r LEFT COUNT 100", "*2 $1 r *4 $1 b $1 c $1 1 $1 2 | 4 | LPOP r 4 | lpop r, del r"},
    {"LMPOP 100 r LEFT", "-ERR syntax error | 0 |  | "},
    {"FLUSHALL", NULL},
    {"RPUSH l a b c", ":3 | 3 | RPUSH l a b c | new l, rpush l"},
    {"LPOP l 4", "*3 $1 a $1 b $1 c | 3 | LPOP l 4 | lpop l, del l"},
    {"LPUSH l 10 -5 1.5 007", ":4 | 4 | LPUSH l 10 -5 1.5 007 | new l, lpush l"},
    {"LRANGE l 0 -1", "*4 $3 007 $3 1.5 $2 -5 $2 10 | 0 |  | "},
    {"LPOS l 10", ":3 | 0 |  | "},
    {"LPOS l 1.5", ":1 | 0 |  | "},
    {"LINDEX l 0", "$3 007 | 0 |  | "},
    {"LMOVE l l RIGHT LEFT", "$2 10 | 1 | LMOVE l l RIGHT LEFT | lpush l, rpop l"},
    {"LMOVE l k RIGHT LEFT", "$2 -5 | 1 | LMOVE l k RIGHT LEFT | new k, lpush k, rpop l"},
    {"RPUSHX none a b", ":0 | 0 |  | "},
    {"SET s x", "+OK | 1 | SET s x | new s, set s"},
    {"LMOVE l s LEFT LEFT",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LMOVE none none2 LEFT LEFT", "$-1 | 0 |  | "},
    {"LMOVE l k FOO LEFT", "-ERR syntax error | 0 |  | "},
    {"RPOPLPUSH s l",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"RPOPLPUSH l s",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"LINSERT l BEFORE 10 20", ":4 | 1 | LINSERT l BEFORE 10 20 | linsert l"},
    {"LINSERT l AFTER -5 -6", ":-1 | 0 |  | "},
    {"LRANGE l -100 100", "*4 $2 20 $2 10 $3 007 $3 1.5 | 0 |  | "},
    {"LREM l 0 20", ":1 | 1 | LREM l 0 20 | lrem l"},
    {"LREM l -1 007", ":1 | 1 | LREM l -1 007 | lrem l"},
    {"LTRIM l 1 1", "+OK | 1 | LTRIM l 1 1 | ltrim l"},
    {"LTRIM l -1 -5", "+OK | 1 | LTRIM l -1 -5 | ltrim l, del l"},
    {"LMPOP 2 l k RIGHT COUNT 2", "*2 $1 k *1 $2 -5 | 1 | RPOP k 1 | rpop k, del k"},
};

static void run_table(int64_t fill, int64_t depth, size_t plain_bytes_min)
{
    struct test_bed bed;

    test_bed_init(&bed);
    struct value_settings *settings = store_settings(bed.store);
    settings->list_max_listpack_size = fill;
    settings->list_compress_depth = depth;
    settings->list_plain_bytes_min = plain_bytes_min;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].expected == NULL) store_flush(bed.store, -1, false);
        else
            cr_expect_str_eq(test_bed_run(&bed, cases[i].line), cases[i].expected,
                             "%s\n     is %s\n not %s", cases[i].line, bed.result.ptr,
                             cases[i].expected);
    }
    test_bed_release(&bed);
}

Test(list, as_the_oracle)
{
    run_table(-2, 0, 0);
}

Test(list, as_the_oracle_with_an_element_a_node)
{
    run_table(1, 0, 0);
}

Test(list, as_the_oracle_with_small_nodes_and_depth)
{
    run_table(2, 1, 0);
}

Test(list, as_the_oracle_with_plain_nodes)
{
    run_table(-2, 0, 1);
}

Test(list, as_the_oracle_with_plain_and_other_nodes)
{
    run_table(3, 1, 2);
}
