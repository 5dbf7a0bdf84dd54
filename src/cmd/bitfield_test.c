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

TestSuite(bitfield, .init = begin, .fini = end);

static const struct {
    const char *line, *expected; /* NULL: a new keyspace */
} cases[] = {
    {"FLUSH", NULL},
    {"BITFIELD k", "*0 | 0 |  | keymiss k"},
    {"BITFIELD k GET u8 0", "*1 :0 | 0 |  | keymiss k"},
    {"EXISTS k", ":0 | 0 |  | keymiss k"},
    {"BITFIELD k SET u8 0 255 GET u8 0",
     "*2 :0 :255 | 1 | BITFIELD k SET u8 0 255 GET u8 0 | new k, setbit k"},
    {"BITFIELD k SET u8 0 255", "*1 :255 | 0 |  | "},
    {"BITFIELD k INCRBY u8 0 1", "*1 :0 | 1 | BITFIELD k INCRBY u8 0 1 | setbit k"},
    {"BITFIELD k OVERFLOW SAT INCRBY u8 0 300 INCRBY u8 0 -500",
     "*2 :255 :0 | 2 | BITFIELD k OVERFLOW SAT INCRBY u8 0 300 INCRBY u8 0 -500 | setbit k"},
    {"BITFIELD k OVERFLOW FAIL INCRBY u8 0 300 INCRBY u8 0 2",
     "*2 $-1 :2 | 1 | BITFIELD k OVERFLOW FAIL INCRBY u8 0 300 INCRBY u8 0 2 | setbit k"},
    {"STRLEN k", ":1 | 0 |  | "},
    {"BITFIELD nk2 SET u8 0 0", "*1 :0 | 1 | BITFIELD nk2 SET u8 0 0 | new nk2, setbit nk2"},
    {"BITFIELD k SET i8 #1 -5 GET i8 #1 GET u8 #1 GET i4 12",
     "*4 :0 :-5 :251 :-5 | 1 | BITFIELD k SET i8 #1 -5 GET i8 #1 GET u8 #1 GET i4 12 | setbit k"},
    {"BITFIELD k SET i64 0 -1 GET i64 0 GET u63 1",
     "*3 :214765407230230528 :-1 :9223372036854775807 | 1 | BITFIELD k SET i64 0 -1 GET i64 0 GET "
     "u63 1 | setbit k"},
    {"BITFIELD k SET u64 0 1", "-ERR Invalid bitfield type. Use something like i16 u8. Note that "
                               "u64 is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k SET i65 0 1", "-ERR Invalid bitfield type. Use something like i16 u8. Note that "
                               "u64 is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k SET u0 0 1", "-ERR Invalid bitfield type. Use something like i16 u8. Note that "
                              "u64 is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k SET i0 0 1", "-ERR Invalid bitfield type. Use something like i16 u8. Note that "
                              "u64 is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k SET x8 0 1", "-ERR Invalid bitfield type. Use something like i16 u8. Note that "
                              "u64 is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k SET 8 0 1", "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                             "is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k SET u 0 1", "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                             "is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k SET u8x 0 1", "-ERR Invalid bitfield type. Use something like i16 u8. Note that "
                               "u64 is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k SET U8 0 1", "-ERR Invalid bitfield type. Use something like i16 u8. Note that "
                              "u64 is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k SET I8 0 1", "-ERR Invalid bitfield type. Use something like i16 u8. Note that "
                              "u64 is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k GET u08 0", "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                             "is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k GET u8 -1", "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD k GET u8 #-1", "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD k GET u8 #x", "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD k GET u8 #", "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD k GET u8 4294967295", "*1 :0 | 0 |  | "},
    {"BITFIELD k GET u8 4294967296", "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD k GET u8 4294967288", "*1 :0 | 0 |  | "},
    {"BITFIELD k GET u8 #536870911", "*1 :0 | 0 |  | "},
    {"BITFIELD k GET u8 #536870912", "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD k GET i64 #67108863", "*1 :0 | 0 |  | "},
    {"BITFIELD k GET i64 #67108864", "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD k GET u8 #9223372036854775807",
     "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD k GET u8 #1152921504606846976",
     "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"STRLEN k", ":8 | 0 |  | "},
    {"DEL k", ":1 | 1 | DEL k | del k"},
    {"BITFIELD k SET u8 0 x", "-ERR value is not an integer or out of range | 0 |  | "},
    {"BITFIELD k SET u8 0", "-ERR syntax error | 0 |  | "},
    {"BITFIELD k SET u8", "-ERR syntax error | 0 |  | "},
    {"BITFIELD k SET", "-ERR syntax error | 0 |  | "},
    {"BITFIELD k FOO", "-ERR syntax error | 0 |  | "},
    {"BITFIELD k OVERFLOW", "-ERR syntax error | 0 |  | "},
    {"BITFIELD k OVERFLOW FOO", "-ERR Invalid OVERFLOW type specified | 0 |  | "},
    {"BITFIELD k OVERFLOW SAT", "*0 | 0 |  | keymiss k"},
    {"BITFIELD k overflow wrap", "*0 | 0 |  | keymiss k"},
    {"EXISTS k", ":0 | 0 |  | keymiss k"},
    {"BITFIELD k GET u8 0 OVERFLOW SAT", "*1 :0 | 0 |  | keymiss k"},
    {"BITFIELD k GET", "-ERR syntax error | 0 |  | "},
    {"BITFIELD k INCRBY u8 0 x", "-ERR value is not an integer or out of range | 0 |  | "},
    {"BITFIELD k INCRBY x 0 x", "-ERR Invalid bitfield type. Use something like i16 u8. Note that "
                                "u64 is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k SET x y z", "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                             "is not supported but i64 is. | 0 |  | "},
    {"BITFIELD k SET u8 y z", "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD_RO k GET u8 0", "*1 :0 | 0 |  | keymiss k"},
    {"BITFIELD_RO k", "*0 | 0 |  | keymiss k"},
    {"BITFIELD_RO k SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand | 0 |  | "},
    {"BITFIELD_RO k OVERFLOW SAT", "*0 | 0 |  | keymiss k"},
    {"BITFIELD_RO k OVERFLOW SAT GET u8 0", "*1 :0 | 0 |  | keymiss k"},
    {"BITFIELD_RO k GET u8 0 SET u8 0 1",
     "-ERR BITFIELD_RO only supports the GET subcommand | 0 |  | "},
    {"BITFIELD_RO k SET u8 0", "-ERR syntax error | 0 |  | "},
    {"BITFIELD_RO k SET x 0 1", "-ERR Invalid bitfield type. Use something like i16 u8. Note that "
                                "u64 is not supported but i64 is. | 0 |  | "},
    {"SET s 123", "+OK | 1 | SET s 123 | new s, set s"},
    {"BITFIELD s GET u8 0 GET u8 8 GET u8 16 GET u8 24 GET i16 20 GET u1 0 GET i1 0 GET i1 2",
     "*8 :49 :50 :51 :0 :12288 :0 :0 :-1 | 0 |  | "},
    {"BITFIELD s INCRBY u8 0 0", "*1 :49 | 0 |  | "},
    {"BITFIELD i SET i8 0 127 INCRBY i8 0 1",
     "*2 :0 :-128 | 2 | BITFIELD i SET i8 0 127 INCRBY i8 0 1 | new i, setbit i"},
    {"BITFIELD i OVERFLOW WRAP SET i8 0 300",
     "*1 :-128 | 1 | BITFIELD i OVERFLOW WRAP SET i8 0 300 | setbit i"},
    {"BITFIELD i OVERFLOW SAT SET i8 0 300",
     "*1 :44 | 1 | BITFIELD i OVERFLOW SAT SET i8 0 300 | setbit i"},
    {"BITFIELD i OVERFLOW SAT SET i8 0 -300",
     "*1 :127 | 1 | BITFIELD i OVERFLOW SAT SET i8 0 -300 | setbit i"},
    {"BITFIELD i OVERFLOW FAIL SET i8 0 300", "*1 $-1 | 0 |  | "},
    {"BITFIELD i OVERFLOW FAIL SET i8 0 -129 SET i8 0 -128", "*2 $-1 :-128 | 0 |  | "},
    {"BITFIELD i OVERFLOW SAT INCRBY i8 0 -300", "*1 :-128 | 0 |  | "},
    {"BITFIELD i OVERFLOW SAT INCRBY i8 0 9223372036854775807",
     "*1 :127 | 1 | BITFIELD i OVERFLOW SAT INCRBY i8 0 9223372036854775807 | setbit i"},
    {"BITFIELD i OVERFLOW SAT INCRBY i8 0 -9223372036854775808",
     "*1 :-128 | 1 | BITFIELD i OVERFLOW SAT INCRBY i8 0 -9223372036854775808 | setbit i"},
    {"BITFIELD i OVERFLOW WRAP INCRBY i8 0 9223372036854775807",
     "*1 :127 | 1 | BITFIELD i OVERFLOW WRAP INCRBY i8 0 9223372036854775807 | setbit i"},
    {"BITFIELD i OVERFLOW WRAP INCRBY i64 0 9223372036854775807 INCRBY i64 0 9223372036854775807",
     "*2 :-72057594037927937 :9151314442816847870 | 2 | BITFIELD i OVERFLOW WRAP INCRBY i64 0 "
     "9223372036854775807 INCRBY i64 0 9223372036854775807 | setbit i"},
    {"BITFIELD i OVERFLOW SAT INCRBY i64 0 9223372036854775807 INCRBY i64 0 9223372036854775807",
     "*2 :9223372036854775807 :9223372036854775807 | 1 | BITFIELD i OVERFLOW SAT INCRBY i64 0 "
     "9223372036854775807 INCRBY i64 0 9223372036854775807 | setbit i"},
    {"BITFIELD i OVERFLOW FAIL INCRBY i64 0 9223372036854775807 INCRBY i64 0 -1",
     "*2 $-1 :9223372036854775806 | 1 | BITFIELD i OVERFLOW FAIL INCRBY i64 0 9223372036854775807 "
     "INCRBY i64 0 -1 | setbit i"},
    {"BITFIELD u SET u8 0 -1 SET u8 0 256 SET u8 0 -300",
     "*3 :0 :255 :0 | 3 | BITFIELD u SET u8 0 -1 SET u8 0 256 SET u8 0 -300 | new u, setbit u"},
    {"BITFIELD u OVERFLOW SAT SET u8 0 -1 SET u8 0 256",
     "*2 :212 :255 | 1 | BITFIELD u OVERFLOW SAT SET u8 0 -1 SET u8 0 256 | setbit u"},
    {"BITFIELD u OVERFLOW FAIL SET u8 0 -1 SET u8 0 256 SET u8 0 7",
     "*3 $-1 $-1 :255 | 1 | BITFIELD u OVERFLOW FAIL SET u8 0 -1 SET u8 0 256 SET u8 0 7 | setbit "
     "u"},
    {"BITFIELD u OVERFLOW SAT INCRBY u63 0 9223372036854775807 INCRBY u63 0 1",
     "*2 :9223372036854775807 :9223372036854775807 | 2 | BITFIELD u OVERFLOW SAT INCRBY u63 0 "
     "9223372036854775807 INCRBY u63 0 1 | setbit u"},
    {"BITFIELD u OVERFLOW FAIL INCRBY u63 0 1", "*1 $-1 | 0 |  | "},
    {"BITFIELD u OVERFLOW WRAP INCRBY u63 0 1",
     "*1 :0 | 1 | BITFIELD u OVERFLOW WRAP INCRBY u63 0 1 | setbit u"},
    {"BITFIELD u OVERFLOW WRAP INCRBY u63 0 -9223372036854775808", "*1 :0 | 0 |  | "},
    {"BITFIELD u OVERFLOW SAT INCRBY u63 0 -9223372036854775808", "*1 :0 | 0 |  | "},
    {"BITFIELD u OVERFLOW SAT SET u63 0 -1 GET u63 0",
     "*2 :0 :9223372036854775807 | 1 | BITFIELD u OVERFLOW SAT SET u63 0 -1 GET u63 0 | setbit u"},
    {"BITFIELD u OVERFLOW WRAP SET u63 0 -1 GET u63 0",
     "*2 :9223372036854775807 :9223372036854775807 | 0 |  | "},
    {"BITFIELD u OVERFLOW SAT INCRBY u8 0 -9223372036854775808",
     "*1 :0 | 1 | BITFIELD u OVERFLOW SAT INCRBY u8 0 -9223372036854775808 | setbit u"},
    {"BITFIELD u OVERFLOW SAT INCRBY u1 5 1 INCRBY u1 5 1",
     "*2 :1 :1 | 1 | BITFIELD u OVERFLOW SAT INCRBY u1 5 1 INCRBY u1 5 1 | setbit u"},
    {"BITFIELD u get u8 0 set u8 0 9 incrby u8 0 1 overflow sat incrby u8 0 500",
     "*4 :4 :4 :10 :255 | 3 | BITFIELD u get u8 0 set u8 0 9 incrby u8 0 1 overflow sat incrby u8 "
     "0 500 | setbit u"},
    {"BITFIELD u SET u8 3 77 GET u8 3 GET u19 1 SET u21 5 1000000 GET u21 5",
     "*5 :255 :77 :433151 :458751 :1000000 | 2 | BITFIELD u SET u8 3 77 GET u8 3 GET u19 1 SET u21 "
     "5 1000000 GET u21 5 | setbit u"},
    {"STRLEN u", ":8 | 0 |  | "},
    {"BITFIELD u GET u8 0 SET u8 2000 1 GET u8 2000",
     "*3 :235 :0 :1 | 1 | BITFIELD u GET u8 0 SET u8 2000 1 GET u8 2000 | setbit u"},
    {"STRLEN u", ":251 | 0 |  | "},
    {"BITFIELD u GET u8 #9223372036854775807",
     "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD u GET u8 +1", "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD u GET u8 #+1", "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD u GET u+8 0", "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                             "is not supported but i64 is. | 0 |  | "},
    {"BITFIELD u GET u8 \"\"", "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD u GET \"\" 0", "-ERR Invalid bitfield type. Use something like i16 u8. Note that "
                              "u64 is not supported but i64 is. | 0 |  | "},
    {"FLUSH", NULL},
    {"SET p \"\\xff\\xf0\\x00\"", "+OK | 1 | SET p \377\360\000 | new p, set p"},
    {"BITPOS p 1 x 1 FOO", "-ERR value is not an integer or out of range | 0 |  | "},
    {"BITPOS p 1 0 x FOO", "-ERR syntax error | 0 |  | "},
    {"BITPOS p 1 x 1 BIT X", "-ERR syntax error | 0 |  | "},
    {"BITPOS p 1 0 x BIT X", "-ERR syntax error | 0 |  | "},
    {"BITCOUNT p x 1 BIT X", "-ERR syntax error | 0 |  | "},
    {"BITCOUNT p 0 x FOO", "-ERR value is not an integer or out of range | 0 |  | "},
    {"BITFIELD_RO k SET u8 0 x", "-ERR value is not an integer or out of range | 0 |  | "},
    {"BITFIELD_RO k SET u8 0 1 GET u8 x",
     "-ERR bit offset is not an integer or out of range | 0 |  | "},
    {"BITFIELD_RO k SET u8 0 1 FOO", "-ERR syntax error | 0 |  | "},
    {"BITFIELD_RO k INCRBY u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand | 0 |  | "},
    {"BITFIELD_RO p OVERFLOW FOO", "-ERR Invalid OVERFLOW type specified | 0 |  | "},
    {"BITFIELD g SET u8 0 0 SET u8 8 0",
     "*2 :0 :0 | 2 | BITFIELD g SET u8 0 0 SET u8 8 0 | new g, setbit g"},
    {"BITFIELD g2 OVERFLOW FAIL SET u8 0 256 SET u8 8 0",
     "*2 $-1 :0 | 1 | BITFIELD g2 OVERFLOW FAIL SET u8 0 256 SET u8 8 0 | new g2, setbit g2"},
    {"BITPOS p 0 0 -1 byte", ":12 | 0 |  | "},
    {"BITPOS p 1 -1 -1 BIT", ":-1 | 0 |  | "},
    {"BITPOS p 0 -1", ":16 | 0 |  | "},
    {"BITPOS p 0 -1 100", ":16 | 0 |  | "},
    {"BITPOS p 0 -1 100 BIT", ":23 | 0 |  | "},
    {"BITPOS p 1 -9223372036854775808 9223372036854775807 BIT", ":0 | 0 |  | "},
    {"BITPOS p 0 23 23 BIT", ":23 | 0 |  | "},
    {"BITPOS p 0 24 24 BIT", ":-1 | 0 |  | "},
    {"BITPOS p 0 0 9223372036854775807", ":12 | 0 |  | "},
    {"BITCOUNT p 3", "-ERR syntax error | 0 |  | "},
    {"BITCOUNT p 1 2 3", "-ERR syntax error | 0 |  | "},
    {"FLUSH", NULL},
    {"BITFIELD a OVERFLOW SAT SET i8 0 -9223372036854775681 GET i8 0",
     "*2 :0 :127 | 1 | BITFIELD a OVERFLOW SAT SET i8 0 -9223372036854775681 GET i8 0 | new a, "
     "setbit a"},
    {"BITFIELD a OVERFLOW SAT SET i8 0 -9223372036854775680 GET i8 0",
     "*2 :127 :-128 | 1 | BITFIELD a OVERFLOW SAT SET i8 0 -9223372036854775680 GET i8 0 | setbit "
     "a"},
    {"BITFIELD a OVERFLOW SAT SET i63 0 -9223372036854775807 GET i63 0",
     "*2 :-4611686018427387904 :4611686018427387903 | 1 | BITFIELD a OVERFLOW SAT SET i63 0 "
     "-9223372036854775807 GET i63 0 | setbit a"},
    {"BITFIELD a OVERFLOW SAT SET i63 0 -4611686018427387905 GET i63 0",
     "*2 :4611686018427387903 :4611686018427387903 | 0 |  | "},
    {"BITFIELD a OVERFLOW SAT SET i63 0 -4611686018427387904 GET i63 0",
     "*2 :4611686018427387903 :-4611686018427387904 | 1 | BITFIELD a OVERFLOW SAT SET i63 0 "
     "-4611686018427387904 GET i63 0 | setbit a"},
    {"BITFIELD a OVERFLOW SAT SET i62 0 -6917529027641081857 GET i62 0",
     "*2 :-2305843009213693952 :2305843009213693951 | 1 | BITFIELD a OVERFLOW SAT SET i62 0 "
     "-6917529027641081857 GET i62 0 | setbit a"},
    {"BITFIELD a OVERFLOW SAT SET i62 0 -6917529027641081856 GET i62 0",
     "*2 :2305843009213693951 :-2305843009213693952 | 1 | BITFIELD a OVERFLOW SAT SET i62 0 "
     "-6917529027641081856 GET i62 0 | setbit a"},
    {"BITFIELD a OVERFLOW FAIL SET i8 0 -9223372036854775681 GET i8 0", "*2 $-1 :-128 | 0 |  | "},
    {"BITFIELD a OVERFLOW WRAP SET i8 0 -9223372036854775681 GET i8 0",
     "*2 :-128 :127 | 1 | BITFIELD a OVERFLOW WRAP SET i8 0 -9223372036854775681 GET i8 0 | setbit "
     "a"},
    {"BITFIELD a OVERFLOW SAT SET i8 0 -100 INCRBY i8 0 -9223372036854775808",
     "*2 :127 :-128 | 2 | BITFIELD a OVERFLOW SAT SET i8 0 -100 INCRBY i8 0 -9223372036854775808 | "
     "setbit a"},
    {"BITFIELD a OVERFLOW SAT SET i8 0 100 INCRBY i8 0 -9223372036854775808",
     "*2 :-128 :-128 | 2 | BITFIELD a OVERFLOW SAT SET i8 0 100 INCRBY i8 0 -9223372036854775808 | "
     "setbit a"},
    {"BITFIELD a OVERFLOW SAT SET i8 0 100 INCRBY i8 0 9223372036854775807",
     "*2 :-128 :127 | 2 | BITFIELD a OVERFLOW SAT SET i8 0 100 INCRBY i8 0 9223372036854775807 | "
     "setbit a"},
    {"BITFIELD a OVERFLOW SAT SET i63 0 4611686018427387903 INCRBY i63 0 -9223372036854775808",
     "*2 :4575657221408423936 :-4611686018427387904 | 2 | BITFIELD a OVERFLOW SAT SET i63 0 "
     "4611686018427387903 INCRBY i63 0 -9223372036854775808 | setbit a"},
    {"BITFIELD a OVERFLOW SAT SET i64 0 4611686018427387903 INCRBY i64 0 -9223372036854775808",
     "*2 :-9223372036854775808 :-4611686018427387905 | 2 | BITFIELD a OVERFLOW SAT SET i64 0 "
     "4611686018427387903 INCRBY i64 0 -9223372036854775808 | setbit a"},
    {"BITFIELD a OVERFLOW SAT SET i64 0 -1 INCRBY i64 0 -9223372036854775808",
     "*2 :-4611686018427387905 :-9223372036854775808 | 2 | BITFIELD a OVERFLOW SAT SET i64 0 -1 "
     "INCRBY i64 0 -9223372036854775808 | setbit a"},
    {"BITFIELD a OVERFLOW SAT SET u63 0 9223372036854775807 INCRBY u63 0 -9223372036854775808",
     "*2 :4611686018427387904 :0 | 2 | BITFIELD a OVERFLOW SAT SET u63 0 9223372036854775807 "
     "INCRBY u63 0 -9223372036854775808 | setbit a"},
    {"BITFIELD a OVERFLOW FAIL SET u63 0 9223372036854775807 INCRBY u63 0 -9223372036854775808",
     "*2 :0 $-1 | 1 | BITFIELD a OVERFLOW FAIL SET u63 0 9223372036854775807 INCRBY u63 0 "
     "-9223372036854775808 | setbit a"},
    {"BITFIELD a OVERFLOW SAT SET u63 0 100 INCRBY u63 0 -9223372036854775808",
     "*2 :9223372036854775807 :0 | 2 | BITFIELD a OVERFLOW SAT SET u63 0 100 INCRBY u63 0 "
     "-9223372036854775808 | setbit a"},
    {"BITFIELD a OVERFLOW SAT SET u1 0 0 INCRBY u1 0 -9223372036854775808", "*2 :0 :0 | 0 |  | "},
    {"BITFIELD a OVERFLOW SAT SET u1 0 1 INCRBY u1 0 -9223372036854775808",
     "*2 :0 :0 | 2 | BITFIELD a OVERFLOW SAT SET u1 0 1 INCRBY u1 0 -9223372036854775808 | setbit "
     "a"},
    {"BITFIELD a OVERFLOW SAT SET u1 0 1 INCRBY u1 0 9223372036854775807",
     "*2 :0 :1 | 1 | BITFIELD a OVERFLOW SAT SET u1 0 1 INCRBY u1 0 9223372036854775807 | setbit "
     "a"},
};

Test(bitfield, as_the_oracle)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].expected == NULL) store_flush(bed.store, -1, false);
        else
            cr_expect_str_eq(test_bed_run(&bed, cases[i].line), cases[i].expected,
                             "%s\n     is %s\n not %s", cases[i].line, bed.result.ptr,
                             cases[i].expected);
    }
}

/* Redis makes the string longer here, counts nothing and tells nobody: its replicas differ from
 * then on. */
Test(bitfield, growth_is_a_change_also_where_everything_fails)
{
    cr_expect_str_eq(test_bed_run(&bed, "BITFIELD k OVERFLOW FAIL INCRBY u8 0 300"),
                     "*1 $-1 | 1 | BITFIELD k OVERFLOW FAIL INCRBY u8 0 300 | new k, setbit k");
    cr_expect_str_eq(test_bed_run(&bed, "STRLEN k"), ":1 | 0 |  | ");
    cr_expect_str_eq(test_bed_run(&bed, "BITFIELD k OVERFLOW FAIL SET u8 100 256 GET u8 0"),
                     "*2 $-1 :0 | 1 | BITFIELD k OVERFLOW FAIL SET u8 100 256 GET u8 0 | setbit k");
    cr_expect_str_eq(test_bed_run(&bed, "STRLEN k"), ":14 | 0 |  | ");
    cr_expect_str_eq(test_bed_run(&bed, "BITFIELD k OVERFLOW FAIL SET u8 100 256"),
                     "*1 $-1 | 0 |  | ");
}
