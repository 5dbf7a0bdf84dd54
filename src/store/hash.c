#include "store/hash.h"

const struct value_ops hash_ops = {0};
const struct container_ops hash_container = {0};

enum err hash_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                       struct entry **out)
{
    (void)target;
    (void)out;
    return rdb_fail(reader, ERR_CORRUPT, "RDB type %u (%s) is not supported", type,
                    value_rdb_type_name(type));
}

uint8_t hash_rdb_type(const struct entry *e)
{
    (void)e;
    return 0;
}

void hash_rdb_write(struct rdb_writer *writer, const struct entry *e)
{
    (void)writer;
    (void)e;
}
