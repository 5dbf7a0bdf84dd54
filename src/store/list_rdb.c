/* Lists in RDB bodies: type 18 is written, the older ids are read as well.
 *
 *   1   linked list             count, then each element as a string
 *   10  ziplist                 a string: all elements
 *   14  quicklist of ziplists   count, then each node as a string: a ziplist
 *   18  quicklist               count, then of each node its container (1 plain, 2 listpack) and a
 *                               string: the element, or the listpack
 */
#include "base/mem.h"
#include "ds/ziplist.h"
#include "store/list.h"

enum { CONTAINER_PLAIN = 1, CONTAINER_LISTPACK = 2 };

/* ---- writing ------------------------------------------------------------------------------------ */

uint8_t list_rdb_type(const struct entry *e)
{
    (void)e;
    return RDB_TYPE_LIST_QUICKLIST_2;
}

static void write_node(struct rdb_writer *writer, const struct quicklist_node *node)
{
    rdb_write_length(writer, node->form == QUICKLIST_PLAIN ? CONTAINER_PLAIN : CONTAINER_LISTPACK);
    if (node->form == QUICKLIST_PACKED) {
        const struct quicklist_packed *packed = (const struct quicklist_packed *)node->bytes;
        rdb_write_packed(writer, span_of(packed->bytes, packed->len), node->size);
    } else {
        rdb_write_string(writer, span_of(node->bytes, node->size));
    }
}

void list_rdb_write(struct rdb_writer *writer, const struct entry *e)
{
    const struct quicklist *list = list_quicklist(e);

    if (list == NULL) {
        rdb_write_length(writer, 1);
        rdb_write_length(writer, CONTAINER_LISTPACK);
        rdb_write_string(writer, entry_inline(e));
        return;
    }
    rdb_write_length(writer, list->nodes);
    for (const struct quicklist_block *block = list->first; block != NULL; block = block->next)
        for (unsigned i = 0; i < block->count; i++) write_node(writer, &block->nodes[i]);
}

/* ---- reading ------------------------------------------------------------------------------------ */

static uint8_t *copy_node_bytes(struct span bytes)
{
    uint8_t *copy = mem_alloc(mem_class(bytes.len));
    memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

/* A listpack that is larger than any of ours becomes many nodes. */
static void append_listpack(struct quicklist *list, struct span bytes)
{
    const uint8_t *lp = (const uint8_t *)bytes.ptr;
    size_t count = listpack_count(lp);
    char scratch[NUM_INT64_CHARS];

    if (count == 0) return;
    if (count <= QUICKLIST_NODE_ITEMS_MAX && bytes.len <= QUICKLIST_NODE_BYTES_MAX) {
        quicklist_append_node(list, QUICKLIST_LISTPACK, copy_node_bytes(bytes), bytes.len);
        return;
    }
    for (size_t item = listpack_first(lp); item != 0; item = listpack_next(lp, item))
        quicklist_push(list, QUICKLIST_TAIL, listpack_text(lp, item, scratch));
}

static enum err read_node(struct rdb_reader *reader, struct quicklist *list)
{
    uint64_t container = 0;
    struct span bytes;

    TRY(rdb_read_length(reader, &container));
    if (container != CONTAINER_PLAIN && container != CONTAINER_LISTPACK)
        return rdb_fail(reader, ERR_CORRUPT, "A list's node is of an unknown container, %llu",
                        (unsigned long long)container);
    TRY(rdb_read_string(reader, &bytes));
    if (container == CONTAINER_PLAIN) {
        if (bytes.len == 0) return rdb_fail(reader, ERR_CORRUPT, "A plain node of a list is empty");
        quicklist_append_node(list, QUICKLIST_PLAIN, copy_node_bytes(bytes), bytes.len);
        return OK;
    }
    if (!listpack_validate(bytes))
        return rdb_fail(reader, ERR_CORRUPT, "A list's listpack is not sound");
    append_listpack(list, bytes);
    return OK;
}

static struct span ziplist_text(const uint8_t *zl, size_t item,
                                char scratch[static NUM_INT64_CHARS])
{
    return listpack_value_text(ziplist_value(zl, item), scratch);
}

/* One node of all that a ziplist holds. */
static void append_ziplist(struct quicklist *list, const uint8_t *zl)
{
    size_t size = LISTPACK_EMPTY_BYTES;
    char scratch[NUM_INT64_CHARS];

    for (size_t item = ziplist_first(zl); item != 0; item = ziplist_next(zl, item))
        size += listpack_item_bytes(ziplist_text(zl, item, scratch));
    uint8_t *lp = mem_alloc(mem_class(size));
    listpack_init(lp);
    for (size_t item = ziplist_first(zl); item != 0; item = ziplist_next(zl, item))
        listpack_append(lp, ziplist_text(zl, item, scratch));
    quicklist_append_node(list, QUICKLIST_LISTPACK, lp, size);
}

/* `as_node`: its elements stay together; else each finds its node, as if pushed. */
static enum err read_ziplist(struct rdb_reader *reader, struct quicklist *list, bool as_node)
{
    char scratch[NUM_INT64_CHARS];
    size_t count = 0;
    struct span bytes;

    TRY(rdb_read_string(reader, &bytes));
    if (!ziplist_validate(bytes, &count))
        return rdb_fail(reader, ERR_CORRUPT, "A list's ziplist is not sound");
    const uint8_t *zl = (const uint8_t *)bytes.ptr;
    if (count == 0) return OK;
    if (as_node && count <= QUICKLIST_NODE_ITEMS_MAX && bytes.len <= QUICKLIST_NODE_BYTES_MAX / 2) {
        append_ziplist(list, zl);
        return OK;
    }
    for (size_t item = ziplist_first(zl); item != 0; item = ziplist_next(zl, item))
        quicklist_push(list, QUICKLIST_TAIL, ziplist_text(zl, item, scratch));
    return OK;
}

static enum err read_element(struct rdb_reader *reader, struct quicklist *list)
{
    struct span text;

    TRY(rdb_read_string(reader, &text));
    quicklist_push(list, QUICKLIST_TAIL, text);
    return OK;
}

static enum err read_list(struct rdb_reader *reader, uint8_t type, struct quicklist *list)
{
    uint64_t count = 0;

    if (type == RDB_TYPE_LIST_ZIPLIST) return read_ziplist(reader, list, false);
    TRY(rdb_read_length(reader, &count));
    for (uint64_t i = 0; i < count; i++) {
        switch (type) {
        case RDB_TYPE_LIST: TRY(read_element(reader, list)); break;
        case RDB_TYPE_LIST_QUICKLIST: TRY(read_ziplist(reader, list, true)); break;
        default: TRY(read_node(reader, list)); break;
        }
    }
    return OK;
}

enum err list_rdb_read(struct rdb_reader *reader, uint8_t type, const struct value_target *target,
                       struct entry **out)
{
    struct list_value *value = list_value_new(target->settings);
    enum err err = read_list(reader, type, &value->list);

    if (err == OK && value->list.items == 0) err = ERR_EMPTY_VALUE;
    if (err != OK) {
        value_drop(ENC_QUICKLIST, value);
        return err;
    }
    *out = list_adopt(target->key, target->deadline, value);
    return OK;
}
