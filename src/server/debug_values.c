/* DEBUG LISTPACK and QUICKLIST, which describe the inside of a value on standard output, and what DEBUG
 * OBJECT says of a list. */
#include "server/debug_inside.h"

#include "server/server.h"
#include "store/list.h"

#include <stdio.h>

static void print_listpack(const uint8_t *lp, const char *indent)
{
    char scratch[NUM_INT64_CHARS];

    printf("%slistpack of %zu bytes, %zu items\n", indent, listpack_bytes(lp), listpack_count(lp));
    for (size_t item = listpack_first(lp); item != 0; item = listpack_next(lp, item)) {
        struct span text = listpack_text(lp, item, scratch);
        bool is_string = listpack_value(lp, item).ptr != NULL;
        printf("%s  at %zu, %zu bytes, %s: %.*s%s\n", indent, item, listpack_item_size(lp, item),
               is_string ? "string" : "integer", (int)(text.len < 40 ? text.len : 40), text.ptr,
               text.len > 40 ? "..." : "");
    }
}

static enum err find(struct call *call, const struct entry **out)
{
    struct key key = call_key(call, 2);

    *out = store_find(call->store, call->db, &key, FIND_NO_TOUCH | FIND_NO_STATS | FIND_NO_EVENT);
    return *out != NULL ? OK : ERR_NO_SUCH_KEY;
}

enum err debug_listpack(struct call *call)
{
    const struct entry *entry;

    TRY(find(call, &entry));
    bool is_other = entry_type(entry) == TYPE_LIST || entry_type(entry) == TYPE_SET;
    if (entry_encoding(entry) != ENC_LISTPACK || is_other)
        return call_fail(call, "ERR Not a listpack encoded object.");
    print_listpack((const uint8_t *)entry_inline(entry).ptr, "");
    fflush(stdout);
    reply_status(call->reply, "Listpack structure printed on stdout");
    return OK;
}

/* ---- quicklists --------------------------------------------------------------------------------- */

static void print_node(const struct quicklist_node *node, size_t index, bool fully)
{
    static const char *const forms[] = {"listpack", "plain", "packed listpack"};

    printf("  node %zu: %s, %zu bytes, %u elements", index, forms[node->form], (size_t)node->size,
           (unsigned)node->count);
    if (node->form == QUICKLIST_PACKED)
        printf(", packed %u bytes", ((const struct quicklist_packed *)node->bytes)->len);
    printf("\n");
    if (fully && node->form == QUICKLIST_LISTPACK) print_listpack(node->bytes, "    ");
}

static void print_quicklist(const struct quicklist *list, bool fully)
{
    size_t index = 0;

    printf("quicklist of %zu nodes, %llu elements, fill %d, depth %u\n", list->nodes,
           (unsigned long long)list->items, list->rules.fill, list->rules.depth);
    for (const struct quicklist_block *block = list->first; block != NULL; block = block->next) {
        printf(" block of %u nodes, %llu elements\n", block->count,
               (unsigned long long)block->items);
        for (unsigned i = 0; i < block->count; i++) print_node(&block->nodes[i], index++, fully);
    }
}

enum err debug_quicklist(struct call *call)
{
    const struct entry *entry;

    TRY(find(call, &entry));
    if (entry_type(entry) != TYPE_LIST)
        return call_fail(call, "ERR Not a quicklist encoded object.");
    bool fully = call->argc > 3 && !call_arg_is(call, 3, "0");
    const struct quicklist *list = list_quicklist(entry);
    if (list != NULL) print_quicklist(list, fully);
    else print_listpack((const uint8_t *)entry_inline(entry).ptr, "inline: ");
    fflush(stdout);
    reply_status(call->reply, "Quicklist structure printed on stdout");
    return OK;
}

void debug_describe_list(const struct call *call, const struct entry *entry, struct buf *out)
{
    const struct value_settings *settings = store_settings(call->store);
    struct quicklist_rules rules =
        quicklist_rules(settings->list_max_listpack_size, settings->list_compress_depth, 0);
    const struct quicklist *list = list_quicklist(entry);
    size_t nodes = 1, bytes = 0;

    if (list != NULL) {
        rules = list->rules;
        nodes = list->nodes;
        for (const struct quicklist_block *block = list->first; block != NULL; block = block->next)
            for (unsigned i = 0; i < block->count; i++) bytes += block->nodes[i].size;
    } else {
        bytes = entry_inline(entry).len;
    }
    buf_printf(out,
               " ql_nodes:%zu ql_avg_node:%.2f ql_listpack_max:%d ql_compressed:%d "
               "ql_uncompressed_size:%zu",
               nodes, (double)list_count(entry) / (double)nodes, rules.fill, rules.depth > 0,
               bytes);
}
