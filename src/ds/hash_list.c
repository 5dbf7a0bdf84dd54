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

/* The block to sample from, with the one before it. Mostly the second one, which then goes to the end: it
 * is full as a rule, while the newest stays where pushes expect it. */
static struct hash_block *sampled_block(struct hash_list *list, struct random *random,
                                        struct hash_block **before)
{
    struct hash_block *head = list->head, *block = head->next;
    *before = NULL;
    if (block == NULL || random_below(random, list->count) < head->count) return head;
    *before = head;
    if (block == list->tail) return block;
    *before = list->tail;
    head->next = block->next;
    block->next = NULL;
    list->tail->next = block;
    list->tail = block;
    return block;
}

void hash_list_sample(struct hash_list *list, struct random *random,
                      bool (*keep)(void *context, uint64_t hash), void *context, size_t *bytes)
{
    struct hash_block *before, *block = sampled_block(list, random, &before);
    uint32_t at = (uint32_t)random_below(random, block->count);
    if (keep(context, block->hashes[at])) return;
    block->hashes[at] = block->hashes[--block->count];
    list->count--;
    if (block->count > 0) return;
    if (before == NULL) {
        block_drop(list, bytes);
        return;
    }
    before->next = block->next;
    if (list->tail == block) list->tail = before;
    *bytes -= block_bytes(block->size);
    mem_free(block);
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
