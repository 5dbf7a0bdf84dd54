/* Lists of 64-bit hashes in blocks: what the slots of the deadline wheel (deadlines.h) hold.
 *
 * A stack: push and pop work on the newest block. Blocks double from 2 to 126 hashes (32 to 1024
 * bytes, all size classes of the allocator), so that a list of one costs 32 bytes and a long
 * one 8.13 per hash. */
#ifndef PANDO_DS_HASH_LIST_H
#define PANDO_DS_HASH_LIST_H

#include "base/random.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_block {
    struct hash_block *next; /* older */
    uint32_t count, size;    /* hashes in use, hashes that fit */
    uint64_t hashes[];
};

struct hash_list { /* zero is an empty list */
    struct hash_block *head, *tail;
    size_t count;
};

/* Each adds to or takes from *bytes what it allocates or frees. */
void hash_list_push(struct hash_list *list, uint64_t hash, size_t *bytes);
uint64_t hash_list_pop(struct hash_list *list, size_t *bytes); /* must not be empty */
void hash_list_clear(struct hash_list *list, size_t *bytes);

/* The hash that the pop after `ahead` others will return, where it is in the same block. */
static inline bool hash_list_peek(const struct hash_list *list, uint32_t ahead, uint64_t *hash)
{
    const struct hash_block *block = list->head;
    if (block == NULL || block->count <= ahead) return false;
    *hash = block->hashes[block->count - 1 - ahead];
    return true;
}

/* Moves all of `from` behind `into`, in constant time. */
void hash_list_splice(struct hash_list *into, struct hash_list *from);

/* Whether `hash` is among the newest few; the second form takes it out. */
bool hash_list_is_recent(const struct hash_list *list, uint64_t hash);
bool hash_list_drop_recent(struct hash_list *list, uint64_t hash, size_t *bytes);

/* Shows a hash of a block to keep(context, hash), and one of another block the next time, so that all come
 * up in turn; takes it out where it is not to be kept. The order in the list changes. The list must not
 * be empty. */
void hash_list_sample(struct hash_list *list, struct random *random,
                      bool (*keep)(void *context, uint64_t hash), void *context, size_t *bytes);

void hash_list_check(const struct hash_list *list);

#endif
