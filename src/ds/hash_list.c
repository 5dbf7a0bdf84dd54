#include "ds/hash_list.h"
#include "base/check.h"
#include "base/mem.h"

#define BLOCK_HASHES_MIN 2
#define BLOCK_HASHES_MAX 126
#define RECENT           8 /* hashes looked at: a cache line */

static size_t block_bytes(uint32_t size)
{
    return sizeof(struct hash_block) + size * sizeof(uint64_t);
}

static struct hash_block *block_add(struct hash_list *list, size_t *bytes)
{
    uint32_t size = list->head == NULL ? BLOCK_HASHES_MIN : 2 * list->head->size + 2;
    if (size > BLOCK_HASHES_MAX) size = BLOCK_HASHES_MAX;

    struct hash_block *block = mem_alloc(block_bytes(size));
    *bytes += block_bytes(size);
    block->next = list->head;
    block->count = 0;
    block->size = size;
    if (list->head == NULL) list->tail = block;
    list->head = block;
    return block;
}

static void block_drop(struct hash_list *list, size_t *bytes)
{
    struct hash_block *block = list->head;
    list->head = block->next;
    if (list->head == NULL) list->tail = NULL;
    *bytes -= block_bytes(block->size);
    mem_free(block);
}

void hash_list_push(struct hash_list *list, uint64_t hash, size_t *bytes)
{
    struct hash_block *block = list->head;
    if (block == NULL || block->count == block->size) block = block_add(list, bytes);
    block->hashes[block->count++] = hash;
    list->count++;
}

uint64_t hash_list_pop(struct hash_list *list, size_t *bytes)
{
    check(list->count > 0);
    uint64_t hash = list->head->hashes[--list->head->count];
    list->count--;
    if (list->head->count == 0) block_drop(list, bytes);
    return hash;
}

void hash_list_clear(struct hash_list *list, size_t *bytes)
{
    while (list->head != NULL) block_drop(list, bytes);
    list->count = 0;
}

void hash_list_splice(struct hash_list *into, struct hash_list *from)
{
    if (from->head == NULL) return;
    if (into->head == NULL) into->head = from->head;
    else into->tail->next = from->head;
    into->tail = from->tail;
    into->count += from->count;
    *from = (struct hash_list){0};
}

/* Index of `hash` among the newest of the newest block, or -1. */
static int find_recent(const struct hash_list *list, uint64_t hash)
{
    const struct hash_block *block = list->head;
    if (block == NULL) return -1;
    int oldest = block->count > RECENT ? (int)block->count - RECENT : 0;
    for (int i = (int)block->count - 1; i >= oldest; i--)
        if (block->hashes[i] == hash) return i;
    return -1;
}

bool hash_list_is_recent(const struct hash_list *list, uint64_t hash)
{
    return find_recent(list, hash) >= 0;
}

bool hash_list_drop_recent(struct hash_list *list, uint64_t hash, size_t *bytes)
{
    int i = find_recent(list, hash);
    if (i < 0) return false;
    list->head->hashes[i] = list->head->hashes[list->head->count - 1];
    hash_list_pop(list, bytes);
    return true;
}

void hash_list_check(const struct hash_list *list)
{
    size_t count = 0;
    const struct hash_block *last = NULL;
    for (const struct hash_block *block = list->head; block != NULL; block = block->next) {
        check(block->count > 0 && block->count <= block->size);
        check(block->size >= BLOCK_HASHES_MIN && block->size <= BLOCK_HASHES_MAX);
        count += block->count;
        last = block;
    }
    check(last == list->tail);
    check(count == list->count);
}
