/* Each line of the table was run by Redis 7.0.15 with an attached replica and all keyspace
 * events on: its reply, by how much rdb_changes_since_last_save rose, what the replica got, and
 * the events. */
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

TestSuite(pf, .init = begin, .fini = end);

static const struct {
    const char *line, *expected; /* NULL: a new keyspace */
} cases[] = {
    {"FLUSH", NULL},
    {"PFADD h", ":1 | 1 | PFADD h | new h, pfadd h"},
    {"PFADD h", ":0 | 0 |  | "},
    {"GET h", "$18 HYLL\001\000\000\000\000\000\000\000\000\000\000\200\177\377 | 0 |  | "},
    {"PFADD h a", ":1 | 1 | PFADD h a | pfadd h"},
    {"PFADD h a", ":0 | 0 |  | "},
    {"PFADD h a b c", ":1 | 2 | PFADD h a b c | pfadd h"},
    {"GET h",
     "$27 HYLL\001\000\000\000\000\000\000\000\000\000\000\200`\363\200P\261\204K\373\200BZ | 0 |  "
     "| "},
    {"PFCOUNT h", ":3 | 1 | PFCOUNT h | "},
    {"PFCOUNT h", ":3 | 0 |  | "},
    {"GET h",
     "$27 HYLL\001\000\000\000\003\000\000\000\000\000\000\000`\363\200P\261\204K\373\200BZ | 0 |  "
     "| "},
    {"PFADD h d", ":1 | 1 | PFADD h d | pfadd h"},
    {"GET h",
     "$30 HYLL\001\000\000\000\003\000\000\000\000\000\000\200\\{\200Dv\200P\261\204K\373\200BZ | "
     "0 |  | "},
    {"PFCOUNT h h2", ":4 | 0 |  | keymiss h2"},
    {"PFCOUNT h h", ":4 | 0 |  | "},
    {"PFCOUNT h", ":4 | 1 | PFCOUNT h | "},
    {"PFCOUNT nokey", ":0 | 0 |  | keymiss nokey"},
    {"PFCOUNT nokey nokey2", ":0 | 0 |  | keymiss nokey, keymiss nokey2"},
    {"PFCOUNT", "-ERR wrong number of arguments for 'pfcount' command | 0 |  | "},
    {"PFADD", "-ERR wrong number of arguments for 'pfadd' command | 0 |  | "},
    {"PFMERGE", "-ERR wrong number of arguments for 'pfmerge' command | 0 |  | "},
    {"PFMERGE d", "+OK | 1 | PFMERGE d | keymiss d, new d, pfadd d"},
    {"GET d", "$18 HYLL\001\000\000\000\000\000\000\000\000\000\000\200\177\377 | 0 |  | "},
    {"PFMERGE d", "+OK | 1 | PFMERGE d | pfadd d"},
    {"PFMERGE d h", "+OK | 1 | PFMERGE d h | pfadd d"},
    {"GET d",
     "$30 HYLL\001\000\000\000\000\000\000\000\000\000\000\200\\{\200Dv\200P\261\204K\373\200BZ | "
     "0 |  | "},
    {"PFMERGE d h", "+OK | 1 | PFMERGE d h | pfadd d"},
    {"PFMERGE d2 nokey",
     "+OK | 1 | PFMERGE d2 nokey | keymiss d2, keymiss nokey, new d2, pfadd d2"},
    {"PFMERGE h h", "+OK | 1 | PFMERGE h h | pfadd h"},
    {"PFMERGE d3 h d nokey",
     "+OK | 1 | PFMERGE d3 h d nokey | keymiss d3, keymiss nokey, new d3, pfadd d3"},
    {"PFCOUNT d3", ":4 | 1 | PFCOUNT d3 | "},
    {"PFADD h2 x y z", ":1 | 4 | PFADD h2 x y z | new h2, pfadd h2"},
    {"PFMERGE d3 h2", "+OK | 1 | PFMERGE d3 h2 | pfadd d3"},
    {"SET s foo", "+OK | 1 | SET s foo | new s, set s"},
    {"PFADD s a", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"PFCOUNT s", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"PFCOUNT h s", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"PFMERGE s h", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"PFMERGE h s", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"PFMERGE x s", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | keymiss x"},
    {"EXISTS x", ":0 | 0 |  | keymiss x"},
    {"SET n 123", "+OK | 1 | SET n 123 | new n, set n"},
    {"PFADD n 1", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"PFCOUNT n", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"SET e \"\"", "+OK | 1 | SET e  | new e, set e"},
    {"PFADD e 1", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"PFCOUNT e", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"PFDEBUG ENCODING h", "+sparse | 0 |  | "},
    {"PFDEBUG ENCODING nokey", "-ERR The specified key does not exist | 0 |  | "},
    {"PFDEBUG FOO nokey", "-ERR The specified key does not exist | 0 |  | "},
    {"PFDEBUG FOO h", "-ERR Unknown PFDEBUG subcommand 'FOO' | 0 |  | "},
    {"PFDEBUG DECODE h", "$57 Z:7292 v:1,1 Z:1143 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603 | 0 |  | "},
    {"PFDEBUG decode nokey", "-ERR The specified key does not exist | 0 |  | "},
    {"PFDEBUG TODENSE h", ":1 | 1 | PFDEBUG TODENSE h | "},
    {"PFDEBUG TODENSE h", ":0 | 0 |  | "},
    {"PFDEBUG DECODE h", "-ERR HLL encoding is not sparse | 0 |  | "},
    {"PFDEBUG ENCODING h", "+dense | 0 |  | "},
    {"PFCOUNT h", ":4 | 1 | PFCOUNT h | "},
    {"PFADD h a", ":0 | 0 |  | "},
    {"PFADD h foo bar", ":1 | 2 | PFADD h foo bar | pfadd h"},
    {"PFCOUNT h", ":6 | 1 | PFCOUNT h | "},
    {"PFDEBUG ENCODING d", "+sparse | 0 |  | "},
    {"PFDEBUG", "-ERR wrong number of arguments for 'pfdebug' command | 0 |  | "},
    {"PFDEBUG TODENSE nokey", "-ERR The specified key does not exist | 0 |  | "},
    {"PFSELFTEST x", "-ERR wrong number of arguments for 'pfselftest' command | 0 |  | "},
    {"PFADD h2 q", ":1 | 1 | PFADD h2 q | pfadd h2"},
    {"PFCOUNT h2", ":4 | 1 | PFCOUNT h2 | "},
    {"PFMERGE h2 d", "+OK | 1 | PFMERGE h2 d | pfadd h2"},
    {"FLUSH", NULL},
    {"SET c \"HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\"",
     "+OK | 1 | SET c HYLL\001\000\000\000\000\000\000\000\000\000\000\200 | new c, set c"},
    {"PFCOUNT c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"PFADD c", ":0 | 0 |  | "},
    {"PFCOUNT c c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"PFMERGE c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"PFMERGE d c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | keymiss d"},
    {"GET c", "$16 HYLL\001\000\000\000\000\000\000\000\000\000\000\200 | 0 |  | "},
    {"EXISTS d", ":0 | 0 |  | keymiss d"},
    {"PFDEBUG ENCODING c", "+sparse | 0 |  | "},
    {"PFDEBUG TODENSE c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"GET c", "$16 HYLL\001\000\000\000\000\000\000\000\000\000\000\200 | 0 |  | "},
    {"SET c \"HYLL\\x01\\x00\\x00\\x00\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x00\"",
     "+OK | 1 | SET c HYLL\001\000\000\000\005\000\000\000\000\000\000\000 | set c"},
    {"PFCOUNT c", ":5 | 0 |  | "},
    {"PFCOUNT c c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"SET c \"HYLL\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xff\"",
     "+OK | 1 | SET c HYLL\002\000\000\000\000\000\000\000\000\000\000\200\177\377 | set c"},
    {"PFCOUNT c", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"SET c \"HYLL\\x01\\x01\\x02\\x03\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xff\"",
     "+OK | 1 | SET c HYLL\001\001\002\003\000\000\000\000\000\000\000\200\177\377 | set c"},
    {"PFCOUNT c", ":0 | 1 | PFCOUNT c | "},
    {"GET c", "$18 HYLL\001\001\002\003\000\000\000\000\000\000\000\000\177\377 | 0 |  | "},
    {"GET c", "$18 HYLL\001\001\002\003\000\000\000\000\000\000\000\000\177\377 | 0 |  | "},
    {"SET c \"HYLL\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xff\"",
     "+OK | 1 | SET c HYLL\000\000\000\000\000\000\000\000\000\000\000\200\177\377 | set c"},
    {"PFCOUNT c", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"SET c \"HYLX\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xff\"",
     "+OK | 1 | SET c HYLX\001\000\000\000\000\000\000\000\000\000\000\200\177\377 | set c"},
    {"PFCOUNT c", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"SET c \"HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xfe\"",
     "+OK | 1 | SET c HYLL\001\000\000\000\000\000\000\000\000\000\000\200\177\376 | set c"},
    {"PFCOUNT c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"GET c", "$18 HYLL\001\000\000\000\000\000\000\000\000\000\000\200\177\376 | 0 |  | "},
    {"PFCOUNT c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"PFMERGE d c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | keymiss d"},
    {"PFCOUNT c c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"SET c \"HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xff\\x00\"",
     "+OK | 1 | SET c HYLL\001\000\000\000\000\000\000\000\000\000\000\200\177\377\000 | set c"},
    {"PFCOUNT c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"PFMERGE d c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | keymiss d"},
    {"PFCOUNT c c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"PFDEBUG TODENSE c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"SET c \"HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xff\\x80\"",
     "+OK | 1 | SET c HYLL\001\000\000\000\000\000\000\000\000\000\000\200\177\377\200 | set c"},
    {"PFCOUNT c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"PFMERGE d c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | keymiss d"},
    {"PFCOUNT c c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"PFDEBUG TODENSE c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"SET c \"HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xff\\x7f\"",
     "+OK | 1 | SET c HYLL\001\000\000\000\000\000\000\000\000\000\000\200\177\377\177 | set c"},
    {"PFCOUNT c c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"SET c "
     "\"HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xfb\\xff\\xff\\x80\\"
     "x80\"",
     "+OK | 1 | SET c HYLL\001\000\000\000\000\000\000\000\000\000\000\200\177\373\377\377\200\200 "
     "| set c"},
    {"PFCOUNT c", "-INVALIDOBJ Corrupted HLL object detected | 0 |  | "},
    {"SET c \"HYLL\\x01\\x00\\x00\\x00\\x07\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x7f\\xff\"",
     "+OK | 1 | SET c HYLL\001\000\000\000\007\000\000\000\000\000\000\000\177\377 | set c"},
    {"PFCOUNT c", ":7 | 0 |  | "},
    {"PFCOUNT c c", ":0 | 0 |  | "},
    {"SET c \"HYLL\\x01\\x00\\x00\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x7f\\x7f\\xff\"",
     "+OK | 1 | SET c HYLL\001\000\000\000\377\377\377\377\377\377\377\177\177\377 | set c"},
    {"PFCOUNT c", ":9223372036854775807 | 0 |  | "},
    {"SET c \"HYLL\"", "+OK | 1 | SET c HYLL | set c"},
    {"PFCOUNT c", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"SET c \"HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\"",
     "+OK | 1 | SET c HYLL\001\000\000\000\000\000\000\000\000\000\000 | set c"},
    {"PFCOUNT c", "-WRONGTYPE Key is not a valid HyperLogLog string value. | 0 |  | "},
    {"FLUSH", NULL},
    {"PFADD d x", ":1 | 2 | PFADD d x | new d, pfadd d"},
    {"PFDEBUG TODENSE d", ":1 | 1 | PFDEBUG TODENSE d | "},
    {"PFADD h a", ":1 | 2 | PFADD h a | new h, pfadd h"},
    {"PFMERGE h d", "+OK | 1 | PFMERGE h d | pfadd h"},
    {"PFDEBUG ENCODING h", "+dense | 0 |  | "},
    {"PFMERGE n h", "+OK | 1 | PFMERGE n h | keymiss n, new n, pfadd n"},
    {"PFDEBUG ENCODING n", "+dense | 0 |  | "},
    {"PFADD s q", ":1 | 2 | PFADD s q | new s, pfadd s"},
    {"PFMERGE d s", "+OK | 1 | PFMERGE d s | pfadd d"},
    {"PFDEBUG ENCODING d", "+dense | 0 |  | "},
    {"PFMERGE s", "+OK | 1 | PFMERGE s | pfadd s"},
    {"PFDEBUG ENCODING s", "+sparse | 0 |  | "},
};

Test(pf, as_the_oracle)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].expected == NULL) store_flush(bed.store, -1, false);
        else
            cr_expect_str_eq(test_bed_run(&bed, cases[i].line), cases[i].expected,
                             "%s\n     is %s\n not %s", cases[i].line, bed.result.ptr,
                             cases[i].expected);
    }
}

/* A replica's values are its primary's: an estimate is kept when the primary says so. */
Test(pf, a_replica_keeps_no_estimate_of_its_own)
{
    test_bed_run(&bed, "PFADD h a");
    store_policy(bed.store)->is_replica = true;
    cr_expect_str_eq(test_bed_run(&bed, "PFCOUNT h"), ":1 | 0 |  | ");
    bed.flags = CALL_FROM_PRIMARY;
    cr_expect_str_eq(test_bed_run(&bed, "PFCOUNT h"), ":1 | 1 | PFCOUNT h | ");
    cr_expect_str_eq(test_bed_run(&bed, "PFCOUNT h"), ":1 | 0 |  | ");
}

/* Redis has put in the elements before the one that finds no register, and told nobody. */
Test(pf, a_corrupt_value_is_not_changed_by_halves)
{
    test_bed_run(
        &bed,
        "SET c \"HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xf0\"");
    cr_expect_str_eq(
        test_bed_run(&bed, "PFADD c a b c d e f g h i j k l m n o p q r s t u v w x y z"),
        "-INVALIDOBJ Corrupted HLL object detected | 0 |  | ");
    cr_expect_str_eq(test_bed_reply(&bed, "STRLEN c"), ":18");
}

Test(pf, selftest)
{
    cr_expect_str_eq(test_bed_reply(&bed, "PFSELFTEST"), "+OK");
}
