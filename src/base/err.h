/* Expected failures and their texts on the wire.
 *
 * One table: the enum names the failure in the code, the text is what a client reads
 * (Redis 7.0.15's words, code prefix included, without the leading '-'). A function that returns
 * anything but OK has changed nothing and written none of its out-parameters.
 *
 * ERR_TEXT means: the text stands elsewhere (struct call keeps it); for texts with arguments. */
#ifndef PANDO_BASE_ERR_H
#define PANDO_BASE_ERR_H

#define ERR_TABLE(X)                                                                               \
    X(OK, "")                                                                                      \
    X(ERR_TEXT, "ERR")                                                                             \
    X(ERR_SYNTAX, "ERR syntax error")                                                              \
    X(ERR_WRONG_TYPE, "WRONGTYPE Operation against a key holding the wrong kind of value")         \
    X(ERR_NOT_INTEGER, "ERR value is not an integer or out of range")                              \
    X(ERR_NOT_FLOAT, "ERR value is not a valid float")                                             \
    X(ERR_NOT_POSITIVE, "ERR value is out of range, must be positive")                             \
    X(ERR_OUT_OF_RANGE, "ERR value is out of range")                                               \
    X(ERR_INDEX_RANGE, "ERR index out of range")                                                   \
    X(ERR_INT_OVERFLOW, "ERR increment or decrement would overflow")                               \
    X(ERR_NAN_OR_INF, "ERR increment would produce NaN or Infinity")                               \
    X(ERR_STRING_TOO_LONG, "ERR string exceeds maximum allowed size (proto-max-bulk-len)")         \
    X(ERR_NO_SUCH_KEY, "ERR no such key")                                                          \
    X(ERR_SAME_OBJECT, "ERR source and destination objects are the same")                          \
    X(ERR_DB_RANGE, "ERR DB index is out of range")                                                \
    X(ERR_NOT_INT32, "ERR value is out of range, value must between -2147483648 and 2147483647")   \
    X(ERR_DB_INVALID, "ERR invalid DB index")                                                      \
    X(ERR_BAD_CURSOR, "ERR invalid cursor")                                                        \
    X(ERR_BUSY_KEY, "BUSYKEY Target key name already exists.")                                     \
    X(ERR_BAD_PAYLOAD, "ERR DUMP payload version or checksum are wrong")                           \
    X(ERR_BAD_DATA, "ERR Bad data format")                                                         \
    X(ERR_EMPTY_VALUE, "ERR Bad data format")                                                      \
    X(ERR_STREAM_ID, "ERR Invalid stream ID specified as stream command argument")                 \
    X(ERR_NO_AUTH, "NOAUTH Authentication required.")                                              \
    X(ERR_WRONG_PASS, "WRONGPASS invalid username-password pair or user is disabled.")             \
    X(ERR_LOADING, "LOADING Redis is loading the dataset in memory")                               \
    X(ERR_MASTER_DOWN,                                                                             \
      "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")          \
    X(ERR_MASTER_DOWN_EMPTY,                                                                       \
      "MASTERDOWN Link with MASTER is down and this replica has no data yet.")                     \
    X(ERR_READ_ONLY, "READONLY You can't write against a read only replica.")                      \
    X(ERR_NO_REPLICAS, "NOREPLICAS Not enough good replicas to write.")                            \
    X(ERR_MISCONF_RDB,                                                                             \
      "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist "   \
      "to disk. Commands that may modify the data set are disabled, because this instance is "     \
      "configured to report errors during writes if RDB snapshotting fails "                       \
      "(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the "   \
      "RDB error.")                                                                                \
    X(ERR_OOM, "OOM command not allowed when used memory > 'maxmemory'.")                          \
    X(ERR_EXEC_ABORT, "EXECABORT Transaction discarded because of previous errors.")               \
    X(ERR_NO_MEMORY, "ERR out of memory")                                                          \
    X(ERR_IO, "ERR input/output error")                                                            \
    X(ERR_CORRUPT, "ERR corrupt input")                                                            \
    X(ERR_LIMIT, "ERR limit reached")

enum err {
#define X(name, text) name,
    ERR_TABLE(X)
#undef X
        ERR_COUNT
};

/* The wire text of `err`, a static string. */
const char *err_text(enum err err);

#define TRY(expression)                                                                            \
    do {                                                                                           \
        enum err try_result_ = (expression);                                                       \
        if (__builtin_expect(try_result_ != OK, 0)) return try_result_;                            \
    } while (0)

#endif
