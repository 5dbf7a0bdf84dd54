/* The numbers of the RDB format, version 10: what a dump file, a full sync and a DUMP payload are
 * made of.
 *
 *   "REDIS" "0010"                            magic and version, nine characters
 *   AUX name value ...                        facts about the file
 *   FUNCTION2 code ...                        libraries
 *   SELECTDB db  RESIZEDB keys expires        then that database's keys:
 *     [EXPIRETIME_MS u64] [IDLE len | FREQ u8] type key value
 *   EOF  crc64                                over everything before it; 0 where checksums are off
 *
 * Integers are little-endian, except the 32 and 64 bit lengths, which are big-endian.
 *
 *   length   00nnnnnn                         6 bits
 *            01nnnnnn nnnnnnnn                14 bits
 *            10000000 and 4 bytes             32 bits
 *            10000001 and 8 bytes             64 bits
 *            11ffffff                         no length: a special string form, below
 *   string   length and bytes, or a special form: int8, int16, int32, or LZF (length packed,
 * length, bytes) */
#ifndef PANDO_RDB_RDB_H
#define PANDO_RDB_RDB_H

#define RDB_VERSION     10 /* written; 1 to 10 are read */
#define RDB_MAGIC       "REDIS"
#define RDB_MAGIC_BYTES 9 /* with the four digits of the version */

enum rdb_opcode {
    RDB_OP_FUNCTION2 = 245,
    RDB_OP_FUNCTION_RC =
        246, /* release candidates of 7.0 wrote it: refused, as Redis 7.0.15 does */
    RDB_OP_MODULE_AUX = 247,
    RDB_OP_IDLE = 248,
    RDB_OP_FREQ = 249,
    RDB_OP_AUX = 250,
    RDB_OP_RESIZEDB = 251,
    RDB_OP_EXPIRETIME_MS = 252,
    RDB_OP_EXPIRETIME = 253, /* seconds; read only */
    RDB_OP_SELECTDB = 254,
    RDB_OP_EOF = 255,
};

enum rdb_type { /* the type byte in front of a key, or of a DUMP payload */
                RDB_TYPE_STRING = 0,
                RDB_TYPE_LIST = 1,
                RDB_TYPE_SET = 2,
                RDB_TYPE_ZSET = 3,
                RDB_TYPE_HASH = 4,
                RDB_TYPE_ZSET_2 = 5,
                RDB_TYPE_MODULE = 6,
                RDB_TYPE_MODULE_2 = 7,
                RDB_TYPE_HASH_ZIPMAP = 9,
                RDB_TYPE_LIST_ZIPLIST = 10,
                RDB_TYPE_SET_INTSET = 11,
                RDB_TYPE_ZSET_ZIPLIST = 12,
                RDB_TYPE_HASH_ZIPLIST = 13,
                RDB_TYPE_LIST_QUICKLIST = 14,
                RDB_TYPE_STREAM_LISTPACKS = 15,
                RDB_TYPE_HASH_LISTPACK = 16,
                RDB_TYPE_ZSET_LISTPACK = 17,
                RDB_TYPE_LIST_QUICKLIST_2 = 18,
                RDB_TYPE_STREAM_LISTPACKS_2 = 19,
                RDB_TYPE_COUNT
};

enum { /* the low six bits of a special string form */
       RDB_FORM_INT8 = 0,
       RDB_FORM_INT16 = 1,
       RDB_FORM_INT32 = 2,
       RDB_FORM_LZF = 3,
};

enum { /* what stands inside the value of a module */
       RDB_MODULE_EOF = 0,
       RDB_MODULE_SINT = 1,
       RDB_MODULE_UINT = 2,
       RDB_MODULE_FLOAT = 3,
       RDB_MODULE_DOUBLE = 4,
       RDB_MODULE_STRING = 5,
};

#define RDB_LZF_BYTES_MIN 21 /* shorter strings are never compressed */

/* DUMP: type, body, u16 version, u64 CRC of all before it. */
#define RDB_DUMP_FOOTER_BYTES 10

#endif
