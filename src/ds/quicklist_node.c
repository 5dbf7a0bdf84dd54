/* The bytes of a quicklist's nodes: made, grown, packed. */
#include "base/check.h"
#include "base/mem.h"
#include "ds/quicklist_internal.h"

#include <liblzf/lzf.h>

/* Redis 7.0.15 packs nodes of at least so many bytes that become at least so much smaller; a DUMP
 * without compression shows it. Larger ones than the last are not packed: it would hold up everybody
 * else, and a node that is so large holds a few long elements. */
enum { PACK_BYTES_MIN = 48, PACK_SAVES_MIN = 8, PACK_BYTES_MAX = 256 * 1024 };

static size_t packed_class(size_t len)
{
    return mem_class(sizeof(struct quicklist_packed) + len);
}

size_t quicklist_node_memory(const struct quicklist_node *node)
{
    if (node->form != QUICKLIST_PACKED) return mem_class(node->size);
    return packed_class(((const struct quicklist_packed *)node->bytes)->len);
}

struct quicklist_node quicklist_new_node(struct quicklist *list, struct span text)
{
    struct quicklist_node node = {.count = 1, .form = QUICKLIST_PLAIN, .size = text.len};
    bool plain = text.len >= list->rules.plain_bytes_min;

    if (!plain) {
        node.form = QUICKLIST_LISTPACK;
        node.size = LISTPACK_EMPTY_BYTES + listpack_item_bytes(text);
    }
    node.bytes = mem_alloc(mem_class(node.size));
    list->memory += mem_class(node.size);
    if (plain) {
        if (text.len > 0) memcpy(node.bytes, text.ptr, text.len);
    } else {
        listpack_init(node.bytes);
        listpack_append(node.bytes, text);
    }
    return node;
}

void quicklist_free_node(struct quicklist *list, struct quicklist_node *node)
{
    list->memory -= quicklist_node_memory(node);
    mem_free(quicklist_node_allocation(node));
}

/* How much of `spare` free bytes to have in front of bytes that must move. A node that grows out of its
 * class has all of it where it grows. One that had room, but at its other end, grows at both. */
static size_t choose_front(enum quicklist_end end, bool same_class, size_t spare)
{
    size_t front = same_class ? spare / 2 : end == QUICKLIST_HEAD ? spare : 0;
    return front < QUICKLIST_NODE_FRONT_MAX ? front : QUICKLIST_NODE_FRONT_MAX;
}

/* The node's bytes [skipped, skipped + kept) are to be `gap` bytes behind a front of that size. */
static void move_bytes(struct quicklist *list, struct quicklist_node *node, size_t skipped,
                       size_t kept, size_t front, size_t gap, size_t allocation_bytes)
{
    uint8_t *old = quicklist_node_allocation(node), *from = node->bytes + skipped, *to = old;
    size_t before = quicklist_node_memory(node);

    if (before == allocation_bytes) {
        memmove(to + front + gap, from, kept);
    } else if (from == old && front + gap == 0) {
        to = mem_realloc(old, allocation_bytes);
    } else {
        to = mem_alloc(allocation_bytes);
        memcpy(to + front + gap, from, kept);
        mem_free(old);
    }
    list->memory += allocation_bytes - before;
    node->bytes = to + front;
    node->front = front & QUICKLIST_NODE_FRONT_MAX;
}

void quicklist_resize_node(struct quicklist *list, struct quicklist_node *node,
                           enum quicklist_end end, size_t size)
{
    size_t old = node->size, before = mem_class(old), after = mem_class(size);
    size_t more = size > old ? size - old : 0, less = size < old ? old - size : 0;
    bool at_head = end == QUICKLIST_HEAD;
    /* Where the bytes begin as long as nothing moves; less than nothing wraps around. */
    size_t front = at_head ? node->front + less - more : node->front;

    check(node->form != QUICKLIST_PACKED);
    if (before == after && front <= QUICKLIST_NODE_FRONT_MAX && front + size <= after) {
        node->bytes = quicklist_node_allocation(node) + front;
        node->front = front & QUICKLIST_NODE_FRONT_MAX;
    } else {
        front = more > 0 ? choose_front(end, before == after, after - size) : 0;
        move_bytes(list, node, at_head ? less : 0, old - less, front, at_head ? more : 0, after);
    }
    node->size = size & QUICKLIST_SIZE_MAX;
}

void quicklist_unpack_to(const struct quicklist_node *node, uint8_t *out)
{
    const struct quicklist_packed *packed = (const struct quicklist_packed *)node->bytes;
    unsigned size = (unsigned)node->size;

    check(node->form == QUICKLIST_PACKED);
    check(lzf_decompress(packed->bytes, packed->len, out, size) == size);
}

void quicklist_unpack_node(struct quicklist *list, struct quicklist_node *node)
{
    if (node->form != QUICKLIST_PACKED) return;
    size_t memory = quicklist_node_memory(node), size = mem_class(node->size);
    uint8_t *bytes = mem_alloc(size);

    quicklist_unpack_to(node, bytes);
    mem_free(node->bytes);
    node->bytes = bytes;
    node->form = QUICKLIST_LISTPACK;
    list->memory += size - memory;
}

void quicklist_pack_node(struct quicklist *list, struct quicklist_node *node)
{
    size_t size = node->size, before = mem_class(size);
    if (node->form != QUICKLIST_LISTPACK || size < PACK_BYTES_MIN || size > PACK_BYTES_MAX) return;

    struct quicklist_packed *packed = mem_alloc(sizeof *packed + size);
    unsigned limit = (unsigned)(size - PACK_SAVES_MIN);
    packed->len = lzf_compress(node->bytes, (unsigned)size, packed->bytes, limit);
    if (packed->len == 0) {
        mem_free(packed);
        return;
    }
    packed = mem_realloc(packed, packed_class(packed->len));
    mem_free(quicklist_node_allocation(node));
    node->bytes = (uint8_t *)packed;
    node->front = 0;
    node->form = QUICKLIST_PACKED;
    list->memory += packed_class(packed->len) - before;
}
