/* Each line of the table was run by Redis 7.0.15 with an attached replica and all keyspace events on:
 * its reply, by how much rdb_changes_since_last_save rose, what the replica got, and the events. */
#include "cmd/stream.h"
#include "cmd/test_bed.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct test_bed bed;

static void begin(void)
{
    test_bed_init(&bed);
}

static void end(void)
{
    test_bed_release(&bed);
}

TestSuite(stream_commands, .init = begin, .fini = end);

static const struct {
    const char *line, *expected; /* NULL: a new keyspace */
} cases[] = {
    {"FLUSH", NULL},
    {"XADD s 1-1 a 1", "$3 1-1 | 1 | XADD s 1-1 a 1 | new s, xadd s"},
    {"XADD s 1-1 a 1",
     "-ERR The ID specified in XADD is equal or smaller than the target stream top item | 0 |  | "},
    {"XADD s 1-* a 2", "$3 1-2 | 1 | XADD s 1-2 a 2 | xadd s"},
    {"XADD s 0-0 a 1", "-ERR The ID specified in XADD must be greater than 0-0 | 0 |  | "},
    {"XADD s abc a 1", "-ERR Invalid stream ID specified as stream command argument | 0 |  | "},
    {"XADD s 5--1 a 1", "-ERR Invalid stream ID specified as stream command argument | 0 |  | "},
    {"XADD s +2 a 1", "$3 2-0 | 1 | XADD s +2 a 1 | xadd s"},
    {"XADD s 2-1 a 1 b", "-ERR wrong number of arguments for 'xadd' command | 0 |  | "},
    {"XADD n NOMKSTREAM 1-1 a 1", "$-1 | 0 |  | "},
    {"XADD s MAXLEN = 2 3-1 a 3 b 4",
     "$3 3-1 | 1 | XADD s MAXLEN = 2 3-1 a 3 b 4 | xadd s, xtrim s"},
    {"XADD s MAXLEN ~ 2 3-2 a 5", "$3 3-2 | 1 | XADD s MAXLEN = 3 3-2 a 5 | xadd s"},
    {"XADD s MAXLEN ~ 2 LIMIT 10 3-3 a 5",
     "$3 3-3 | 1 | XADD s MAXLEN = 4 LIMIT 10 3-3 a 5 | xadd s"},
    {"XADD s MAXLEN 2 LIMIT 10 3-4 a 5",
     "-ERR syntax error, LIMIT cannot be used without the special ~ option | 0 |  | "},
    {"XADD s MINID ~ 3 3-4 a 5", "$3 3-4 | 1 | XADD s MINID = 1-1 3-4 a 5 | xadd s"},
    {"XADD s MINID 3-2 3-5 a 5", "$3 3-5 | 1 | XADD s MINID 3-2 3-5 a 5 | xadd s, xtrim s"},
    {"XADD s MAXLEN 1 MINID 3 4-1 a 1",
     "-ERR syntax error, MAXLEN and MINID options at the same time are not compatible | 0 |  | "},
    {"XADD s MAXLEN -1 * a 1", "-ERR The MAXLEN argument must be >= 0. | 0 |  | "},
    {"XADD s MAXLEN ~ 1 LIMIT -1 * a 1", "-ERR The LIMIT argument must be >= 0. | 0 |  | "},
    {"XADD s LIMIT 5 * a 1",
     "-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy | 0 |  | "},
    {"XADD n MINID ~ 9 8 f v",
     "$3 8-0 | 1 | XADD n MINID = 18446744073709551615-18446744073709551615 8 f v | new n, xadd n, "
     "xtrim n"},
    {"XADD n MAXLEN 0 9 f v", "$3 9-0 | 1 | XADD n MAXLEN 0 9 f v | xadd n, xtrim n"},
    {"XADD s * a 1", "$15 1700000000000-0 | 1 | XADD s 1700000000000-0 a 1 | xadd s"},
    {"XADD m 18446744073709551615-18446744073709551614 a 1",
     "$41 18446744073709551615-18446744073709551614 | 1 | XADD m "
     "18446744073709551615-18446744073709551614 a 1 | new m, xadd m"},
    {"XADD m * a 1", "$41 18446744073709551615-18446744073709551615 | 1 | XADD m "
                     "18446744073709551615-18446744073709551615 a 1 | xadd m"},
    {"XADD m * a 1",
     "-ERR The stream has exhausted the last possible ID, unable to add more items | 0 |  | "},
    {"XADD o 7-18446744073709551615 a 1",
     "$22 7-18446744073709551615 | 1 | XADD o 7-18446744073709551615 a 1 | new o, xadd o"},
    {"XADD o 7-* a 1", "-ERR Elements are too large to be stored | 0 |  | "},
    {"XADD o 8-* a 1", "$3 8-0 | 1 | XADD o 8-0 a 1 | xadd o"},
    {"SET str x", "+OK | 1 | SET str x | new str, set str"},
    {"XADD str * a 1",
     "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"XLEN str", "-WRONGTYPE Operation against a key holding the wrong kind of value | 0 |  | "},
    {"XLEN s", ":5 | 0 |  | "},
    {"XLEN nx", ":0 | 0 |  | keymiss nx"},
    {"FLUSH", NULL},
    {"XADD s 1-1 a 1", "$3 1-1 | 1 | XADD s 1-1 a 1 | new s, xadd s"},
    {"XADD s 2-1 a 2", "$3 2-1 | 1 | XADD s 2-1 a 2 | xadd s"},
    {"XADD s 3-1 a 3 b 4", "$3 3-1 | 1 | XADD s 3-1 a 3 b 4 | xadd s"},
    {"XADD s 4-1 a \"\"", "$3 4-1 | 1 | XADD s 4-1 a  | xadd s"},
    {"XRANGE s - + COUNT 2", "*2 *2 $3 1-1 *2 $1 a $1 1 *2 $3 2-1 *2 $1 a $1 2 | 0 |  | "},
    {"XRANGE s (1-1 3", "*2 *2 $3 2-1 *2 $1 a $1 2 *2 $3 3-1 *4 $1 a $1 3 $1 b $1 4 | 0 |  | "},
    {"XRANGE s - + COUNT 0", "*-1 | 0 |  | "},
    {"XRANGE nx - +", "*0 | 0 |  | keymiss nx"},
    {"XRANGE s (18446744073709551615-18446744073709551615 +",
     "-ERR invalid start ID for the interval | 0 |  | "},
    {"XREVRANGE s + (2 COUNT 1", "*1 *2 $3 4-1 *2 $1 a $0  | 0 |  | "},
    {"XREVRANGE s - +", "*0 | 0 |  | "},
    {"XDEL s 2-1 2-1 9", ":1 | 1 | XDEL s 2-1 2-1 9 | xdel s"},
    {"XDEL s x", "-ERR Invalid stream ID specified as stream command argument | 0 |  | "},
    {"XDEL nx x", ":0 | 0 |  | "},
    {"XTRIM s MAXLEN 2", ":1 | 1 | XTRIM s MAXLEN 2 | xtrim s"},
    {"XTRIM s MINID ~ 9",
     ":2 | 2 | XTRIM s MINID = 18446744073709551615-18446744073709551615 | xtrim s"},
    {"XTRIM s MAXLEN 0", ":0 | 0 |  | "},
    {"XTRIM s MAXLEN ~", "-ERR value is not an integer or out of range | 0 |  | "},
    {"XTRIM nx MAXLEN 0", ":0 | 0 |  | "},
    {"XINFO STREAM s",
     "*20 $6 length :0 $15 radix-tree-keys :0 $16 radix-tree-nodes :1 $17 last-generated-id $3 4-1 "
     "$20 max-deleted-entry-id $3 2-1 $13 entries-added :4 $23 recorded-first-entry-id $3 0-0 $6 "
     "groups :0 $11 first-entry $-1 $10 last-entry $-1 | 0 |  | "},
    {"XSETID s 9-9", "+OK | 1 | XSETID s 9-9 | xsetid s"},
    {"XSETID s 9-9 ENTRIESADDED 7 MAXDELETEDID 5-5",
     "+OK | 1 | XSETID s 9-9 ENTRIESADDED 7 MAXDELETEDID 5-5 | xsetid s"},
    {"XSETID s 4-4 MAXDELETEDID 5-5",
     "-ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id | 0 |  | "},
    {"XSETID s 9 ENTRIESADDED -1", "-ERR entries_added must be positive | 0 |  | "},
    {"XSETID nx 1", "-ERR no such key | 0 |  | "},
    {"XADD s 9-8 a 1",
     "-ERR The ID specified in XADD is equal or smaller than the target stream top item | 0 |  | "},
    {"XADD s 10-1 a 1", "$4 10-1 | 1 | XADD s 10-1 a 1 | xadd s"},
    {"XSETID s 10-0",
     "-ERR The ID specified in XSETID is smaller than the target stream top item | 0 |  | "},
    {"XSETID s 10-1 ENTRIESADDED 0", "-ERR The entries_added specified in XSETID is smaller than "
                                     "the target stream length | 0 |  | "},
    {"XINFO STREAM s",
     "*20 $6 length :1 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $4 "
     "10-1 $20 max-deleted-entry-id $3 5-5 $13 entries-added :8 $23 recorded-first-entry-id $4 "
     "10-1 $6 groups :0 $11 first-entry *2 $4 10-1 *2 $1 a $1 1 $10 last-entry *2 $4 10-1 *2 $1 a "
     "$1 1 | 0 |  | "},
    {"FLUSH", NULL},
    {"XGROUP CREATE s g $",
     "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to "
     "use the MKSTREAM option to create an empty stream automatically. | 0 |  | "},
    {"XGROUP CREATE s g $ MKSTREAM",
     "+OK | 1 | XGROUP CREATE s g $ MKSTREAM | new s, xgroup-create s"},
    {"XGROUP CREATE s g 0", "-BUSYGROUP Consumer Group name already exists | 0 |  | "},
    {"XGROUP CREATE s h x",
     "-ERR Invalid stream ID specified as stream command argument | 0 |  | "},
    {"XGROUP CREATE s h 0 ENTRIESREAD 2",
     "+OK | 1 | XGROUP CREATE s h 0 ENTRIESREAD 2 | xgroup-create s"},
    {"XGROUP CREATE s i 0 ENTRIESREAD -2",
     "-ERR value for ENTRIESREAD must be positive or -1 | 0 |  | "},
    {"XGROUP CREATE s i 0 WRONG", "-ERR unknown subcommand or wrong number of arguments for "
                                  "'CREATE'. Try XGROUP HELP. | 0 |  | "},
    {"XGROUP CREATECONSUMER s g c",
     ":1 | 1 | XGROUP CREATECONSUMER s g c | xgroup-createconsumer s"},
    {"XGROUP CREATECONSUMER s g c", ":0 | 0 |  | "},
    {"XGROUP CREATECONSUMER s nog c",
     "-NOGROUP No such consumer group 'nog' for key name 's' | 0 |  | "},
    {"XGROUP DELCONSUMER s g c", ":0 | 1 | XGROUP DELCONSUMER s g c | xgroup-delconsumer s"},
    {"XGROUP DELCONSUMER s g c", ":0 | 0 |  | "},
    {"XGROUP SETID s g 5-5", "+OK | 1 | XGROUP SETID s g 5-5 | xgroup-setid s"},
    {"XGROUP SETID s nog 5-5", "-NOGROUP No such consumer group 'nog' for key name 's' | 0 |  | "},
    {"XGROUP SETID s g $ ENTRIESREAD 0",
     "+OK | 1 | XGROUP SETID s g $ ENTRIESREAD 0 | xgroup-setid s"},
    {"XINFO GROUPS s",
     "*2 *12 $4 name $1 g $9 consumers :0 $7 pending :0 $17 last-delivered-id $3 0-0 $12 "
     "entries-read :0 $3 lag :0 *12 $4 name $1 h $9 consumers :0 $7 pending :0 $17 "
     "last-delivered-id $3 0-0 $12 entries-read :2 $3 lag :0 | 0 |  | "},
    {"XGROUP DESTROY s h", ":1 | 1 | XGROUP DESTROY s h | xgroup-destroy s"},
    {"XGROUP DESTROY s h", ":0 | 0 |  | "},
    {"XGROUP DESTROY nx h",
     "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to "
     "use the MKSTREAM option to create an empty stream automatically. | 0 |  | "},
    {"XINFO CONSUMERS s nog", "-NOGROUP No such consumer group 'nog' for key name 's' | 0 |  | "},
    {"XINFO STREAM nx", "-ERR no such key | 0 |  | keymiss nx"},
    {"FLUSH", NULL},
    {"XADD s 1-1 a 1", "$3 1-1 | 1 | XADD s 1-1 a 1 | new s, xadd s"},
    {"XADD s 2-1 a 2", "$3 2-1 | 1 | XADD s 2-1 a 2 | xadd s"},
    {"XADD s 3-1 a 3", "$3 3-1 | 1 | XADD s 3-1 a 3 | xadd s"},
    {"XADD s 4-1 a 4", "$3 4-1 | 1 | XADD s 4-1 a 4 | xadd s"},
    {"XREAD STREAMS s nx 2-1 0",
     "*1 *2 $1 s *2 *2 $3 3-1 *2 $1 a $1 3 *2 $3 4-1 *2 $1 a $1 4 | 0 |  | keymiss nx, keymiss nx"},
    {"XREAD COUNT 1 STREAMS s s 0 3",
     "*2 *2 $1 s *1 *2 $3 1-1 *2 $1 a $1 1 *2 $1 s *1 *2 $3 3-1 *2 $1 a $1 3 | 0 |  | "},
    {"XREAD STREAMS s $", "*-1 | 0 |  | "},
    {"XREAD STREAMS s >", "-ERR The > ID can be specified only when calling XREADGROUP using the "
                          "GROUP <group> <consumer> option. | 0 |  | "},
    {"XREAD STREAMS s t 0", "-ERR Unbalanced XREAD list of streams: for each stream key an ID or "
                            "'$' must be specified. | 0 |  | "},
    {"XREAD BLOCK -1 STREAMS s 0", "-ERR timeout is negative | 0 |  | "},
    {"XREAD NOACK STREAMS s 0",
     "-ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead. | 0 |  | "},
    {"XREADGROUP GROUP g c STREAMS s >",
     "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option | 0 |  | "},
    {"XGROUP CREATE s g 0", "+OK | 1 | XGROUP CREATE s g 0 | xgroup-create s"},
    {"XREADGROUP GROUP g c COUNT 2 STREAMS s >",
     "*1 *2 $1 s *2 *2 $3 1-1 *2 $1 a $1 1 *2 $3 2-1 *2 $1 a $1 2 | 2 | XCLAIM s g c 0 1-1 TIME "
     "1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1; XCLAIM s g c 0 2-1 TIME 1700000000000 "
     "RETRYCOUNT 1 FORCE JUSTID LASTID 2-1 | xgroup-createconsumer s"},
    {"XREADGROUP GROUP g c STREAMS s 0",
     "*1 *2 $1 s *2 *2 $3 1-1 *2 $1 a $1 1 *2 $3 2-1 *2 $1 a $1 2 | 1 |  | "},
    {"XREADGROUP GROUP g d STREAMS s 0", "*1 *2 $1 s *0 | 2 |  | xgroup-createconsumer s"},
    {"XREADGROUP GROUP g e NOACK COUNT 1 STREAMS s >",
     "*1 *2 $1 s *1 *2 $3 3-1 *2 $1 a $1 3 | 2 | XGROUP CREATECONSUMER s g e; XGROUP SETID s g 3-1 "
     "ENTRIESREAD 3 | xgroup-createconsumer s"},
    {"XREADGROUP GROUP g f NOACK STREAMS s 0",
     "*1 *2 $1 s *0 | 2 | XGROUP CREATECONSUMER s g f | xgroup-createconsumer s"},
    {"XREADGROUP GROUP g c STREAMS s $",
     "-ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of "
     "this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would "
     "just return an empty result set. | 0 |  | "},
    {"XREADGROUP GROUP g c STREAMS s >",
     "*1 *2 $1 s *1 *2 $3 4-1 *2 $1 a $1 4 | 1 | XCLAIM s g c 0 4-1 TIME 1700000000000 RETRYCOUNT "
     "1 FORCE JUSTID LASTID 4-1 | "},
    {"XREADGROUP GROUP g x STREAMS s >", "*-1 | 0 |  | "},
    {"XREADGROUP NOACK COUNT 1 STREAMS s 0 0",
     "-ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified. | "
     "0 |  | "},
    {"XINFO GROUPS s", "*1 *12 $4 name $1 g $9 consumers :4 $7 pending :3 $17 last-delivered-id $3 "
                       "4-1 $12 entries-read :4 $3 lag :0 | 0 |  | "},
    {"XDEL s 2-1", ":1 | 1 | XDEL s 2-1 | xdel s"},
    {"XREADGROUP GROUP g c STREAMS s 0",
     "*1 *2 $1 s *3 *2 $3 1-1 *2 $1 a $1 1 *2 $3 2-1 *-1 *2 $3 4-1 *2 $1 a $1 4 | 1 |  | "},
    {"XPENDING s g", "*4 :3 $3 1-1 $3 4-1 *1 *2 $1 c $1 3 | 0 |  | "},
    {"XPENDING s nog", "-NOGROUP No such key 's' or consumer group 'nog' | 0 |  | "},
    {"XPENDING s g - +", "-ERR syntax error | 0 |  | "},
    {"XPENDING s g (1-1 + 5 nosuch", "*0 | 0 |  | "},
    {"XACK s g 4-1 9-9", ":1 | 1 | XACK s g 4-1 9-9 | "},
    {"XACK s g 4-1", ":0 | 0 |  | "},
    {"XACK s nog x", ":0 | 0 |  | "},
    {"XACK s g x", "-ERR Invalid stream ID specified as stream command argument | 0 |  | "},
    {"XCLAIM s g d 0 1-1", "*1 *2 $3 1-1 *2 $1 a $1 1 | 1 | XCLAIM s g d 0 1-1 TIME 1700000000000 "
                           "RETRYCOUNT 4 FORCE JUSTID LASTID 4-1 | "},
    {"XCLAIM s g d 0 1-1 JUSTID", "*1 $3 1-1 | 1 | XCLAIM s g d 0 1-1 TIME 1700000000000 "
                                  "RETRYCOUNT 4 FORCE JUSTID LASTID 4-1 | "},
    {"XCLAIM s g d 0 2-1 9-9",
     "*0 | 1 | XCLAIM s g c 0 2-1 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 4-1 | "},
    {"XCLAIM s g d 100000 1-1", "*0 | 0 |  | "},
    {"XCLAIM s g d 0 3-1", "*0 | 0 |  | "},
    {"XCLAIM s g d 0 3-1 FORCE", "*1 *2 $3 3-1 *2 $1 a $1 3 | 1 | XCLAIM s g d 0 3-1 TIME "
                                 "1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 4-1 | "},
    {"XCLAIM s g new 0 9-9 LASTID 7-7", "*0 | 1 | XGROUP SETID s g 7-7 ENTRIESREAD 4 | "},
    {"XCLAIM s g new 0 1-1 TIME 1000 RETRYCOUNT 9",
     "*1 *2 $3 1-1 *2 $1 a $1 1 | 2 | XCLAIM s g new 0 1-1 TIME 1000 RETRYCOUNT 9 FORCE JUSTID "
     "LASTID 7-7 | xgroup-createconsumer s"},
    {"XCLAIM s g d x 1-1", "-ERR Invalid min-idle-time argument for XCLAIM | 0 |  | "},
    {"XCLAIM s g d 0 1-1 WRONG", "-ERR Unrecognized XCLAIM option 'WRONG' | 0 |  | "},
    {"XCLAIM s nog d 0 1-1", "-NOGROUP No such key 's' or consumer group 'nog' | 0 |  | "},
    {"XDEL s 3-1", ":1 | 1 | XDEL s 3-1 | xdel s"},
    {"XAUTOCLAIM s g c 0 0 COUNT 1",
     "*3 $3 3-1 *1 *2 $3 1-1 *2 $1 a $1 1 *0 | 1 | XCLAIM s g c 0 1-1 TIME 1700000000000 "
     "RETRYCOUNT 10 FORCE JUSTID LASTID 7-7 | "},
    {"XAUTOCLAIM s g c 0 (1-1", "*3 $3 0-0 *0 *1 $3 3-1 | 1 | XCLAIM s g d 0 3-1 TIME "
                                "1700000000000 RETRYCOUNT 2 FORCE JUSTID LASTID 7-7 | "},
    {"XAUTOCLAIM s g c 0 - JUSTID", "*3 $3 0-0 *1 $3 1-1 *0 | 1 | XCLAIM s g c 0 1-1 TIME "
                                    "1700000000000 RETRYCOUNT 10 FORCE JUSTID LASTID 7-7 | "},
    {"XAUTOCLAIM s g c 100000 0", "*3 $3 0-0 *0 *0 | 0 |  | "},
    {"XAUTOCLAIM s g c 0 0 COUNT 0", "-ERR COUNT must be > 0 | 0 |  | "},
    {"XAUTOCLAIM s g c x 0", "-ERR Invalid min-idle-time argument for XAUTOCLAIM | 0 |  | "},
    {"XAUTOCLAIM nx g c 0 0",
     "-NOGROUP No such key 'nx' or consumer group 'g' | 0 |  | keymiss nx"},
    {"XPENDING s g", "*4 :1 $3 1-1 $3 1-1 *1 *2 $1 c $1 1 | 0 |  | "},
    {"XGROUP DELCONSUMER s g c", ":1 | 1 | XGROUP DELCONSUMER s g c | xgroup-delconsumer s"},
    {"XPENDING s g", "*4 :0 $-1 $-1 *-1 | 0 |  | "},
};

Test(stream_commands, as_the_oracle)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].expected == NULL) store_flush(bed.store, -1, false);
        else
            cr_expect_str_eq(test_bed_run(&bed, cases[i].line), cases[i].expected,
                             "%s\n     is %s\n not %s", cases[i].line, bed.result.ptr,
                             cases[i].expected);
    }
}

Test(stream_commands, speak_of_maps_and_nulls_in_resp3)
{
    bed.version = 3;
    test_bed_run(&bed, "XADD s 1-1 a 1");
    test_bed_run(&bed, "XGROUP CREATE s g 0");
    cr_expect_str_eq(test_bed_reply(&bed, "XREAD STREAMS s s 0 0"),
                     "%2 $1 s *1 *2 $3 1-1 *2 $1 a $1 1 $1 s *1 *2 $3 1-1 *2 $1 a $1 1");
    cr_expect_str_eq(test_bed_reply(&bed, "XREAD STREAMS s $"), "_");
    cr_expect_str_eq(test_bed_reply(&bed, "XRANGE s - + COUNT 0"), "_");
    cr_expect_str_eq(test_bed_reply(&bed, "XPENDING s g"), "*4 :0 _ _ _");
    cr_expect_str_eq(test_bed_reply(&bed, "XINFO CONSUMERS s g"), "*0");
    cr_expect_str_eq(
        test_bed_reply(&bed, "XINFO GROUPS s"),
        "*1 %6 $4 name $1 g $9 consumers :0 $7 pending :0 $17 last-delivered-id $3 0-0 "
        "$12 entries-read _ $3 lag :1");
    test_bed_run(&bed, "XREADGROUP GROUP g c STREAMS s >");
    test_bed_run(&bed, "XDEL s 1-1");
    cr_expect_str_eq(test_bed_reply(&bed, "XREADGROUP GROUP g c STREAMS s 0"),
                     "%1 $1 s *1 *2 $3 1-1 _");
}

Test(stream_commands, take_limit_without_approximation_from_a_primary_alone)
{
    static const char line[] = "XADD s MAXLEN = 1 LIMIT 1 2-1 a 1";

    test_bed_run(&bed, "XADD s 1-1 a 1");
    test_bed_run(&bed, "XADD s 1-2 a 1");
    test_bed_run(&bed, "XADD s 1-3 a 1");
    cr_expect_str_eq(test_bed_reply(&bed, line),
                     "-ERR syntax error, LIMIT cannot be used without the special ~ option");
    bed.flags = CALL_FROM_PRIMARY;
    cr_expect_str_eq(test_bed_reply(&bed, line), "$3 2-1");
    cr_expect_str_eq(test_bed_reply(&bed, "XLEN s"), ":1", "the limit is the primary's business");
}

Test(stream_commands, approximate_trimming_takes_whole_nodes_up_to_the_limit)
{
    char line[64];

    for (int i = 1; i <= 350; i++) {
        snprintf(line, sizeof line, "XADD s 1-%d a b", i);
        test_bed_run(&bed, line);
    }
    cr_expect_str_eq(test_bed_run(&bed, "XTRIM s MAXLEN ~ 201"),
                     ":100 | 100 | XTRIM s MAXLEN = 250 | xtrim s");
    cr_expect_str_eq(test_bed_run(&bed, "XTRIM s MAXLEN ~ 0 LIMIT 150"),
                     ":100 | 100 | XTRIM s MAXLEN = 150 LIMIT 150 | xtrim s");
    cr_expect_str_eq(test_bed_run(&bed, "XTRIM s MINID ~ 1-301"),
                     ":100 | 100 | XTRIM s MINID = 1-301 | xtrim s");
    cr_expect_str_eq(test_bed_run(&bed, "XTRIM s MINID 1-350"),
                     ":49 | 49 | XTRIM s MINID 1-350 | xtrim s");
}

static void expect_id(struct span text, bool is_id, uint64_t ms, uint64_t seq)
{
    struct stream_id id = {1, 1};
    cr_expect_eq(stream_parse_id(text, 7, &id), is_id, "%.*s", (int)text.len, text.ptr);
    if (is_id) cr_expect(id.ms == ms && id.seq == seq, "%.*s", (int)text.len, text.ptr);
}

/* What Redis 7.0.15 makes of them. */
Test(stream_commands, ids_are_read_as_redis_reads_them)
{
    expect_id(SPAN("5"), true, 5, 7);
    expect_id(SPAN("5-3"), true, 5, 3);
    expect_id(SPAN("05-03"), true, 5, 3);
    expect_id(SPAN("+5-+3"), true, 5, 3);
    expect_id(SPAN(" 5-\t3"), true, 5, 3);
    expect_id(SPAN("5\0-3"), true, 5, 7);
    expect_id(SPAN("5--01"), true, 5, UINT64_MAX);
    expect_id(SPAN("5- -3"), true, 5, UINT64_MAX - 2);
    expect_id(SPAN("18446744073709551615-18446744073709551615"), true, UINT64_MAX, UINT64_MAX);
    expect_id(SPAN("18446744073709551616"), false, 0, 0);
    expect_id(SPAN("5--1"), false, 0, 0);
    expect_id(SPAN("-5"), false, 0, 0);
    expect_id(SPAN("5-"), false, 0, 0);
    expect_id(SPAN("5-1 "), false, 0, 0);
    expect_id(SPAN("0x5"), false, 0, 0);
    expect_id(SPAN("+ 5"), false, 0, 0);
    expect_id(SPAN(""), false, 0, 0);
    char zeros[128];
    memset(zeros, '0', sizeof zeros);
    expect_id(span_of(zeros, 127), true, 0, 7);
    expect_id(span_of(zeros, 128), false, 0, 0);
}
