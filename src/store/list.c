#include "store/list.h"

const struct value_ops quicklist_ops = {0};
const struct container_ops list_container = {0};

enum err list_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                       struct entry **out)
{
    (void)target;
    (void)out;
    return rdb_fail(reader, ERR_CORRUPT, "RDB type %u (%s) is not supported", type,
                    value_rdb_type_name(type));
}

uint8_t list_rdb_type(const struct entry *e)
{
    (void)e;
    return 0;
}

void list_rdb_write(struct rdb_writer *writer, const struct entry *e)
{
    (void)writer;
    (void)e;
}
