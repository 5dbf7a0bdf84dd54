#include "store/stream.h"

const struct value_ops stream_ops = {0};
const struct container_ops stream_container = {0};

enum err stream_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                         struct entry **out)
{
    (void)target;
    (void)out;
    return rdb_fail(reader, ERR_CORRUPT, "RDB type %u (%s) is not supported", type,
                    value_rdb_type_name(type));
}

uint8_t stream_rdb_type(const struct entry *e)
{
    (void)e;
    return 0;
}

void stream_rdb_write(struct rdb_writer *writer, const struct entry *e)
{
    (void)writer;
    (void)e;
}
