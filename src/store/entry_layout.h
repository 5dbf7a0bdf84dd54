/* Between entry.c and entry_string.c: the pieces of which entries are made. */
#ifndef PANDO_STORE_ENTRY_LAYOUT_H
#define PANDO_STORE_ENTRY_LAYOUT_H

#include "store/entry.h"

/* Bytes in front of the payload. */
size_t entry_head_bytes(size_t key_len, int64_t deadline);
/* Writes the head into `e`, which has room for it; returns where the payload goes. `key` may be the
 * entry's own key at its present place. */
uint8_t *entry_write_head(struct entry *e, unsigned type_encoding, struct span key,
                          int64_t deadline);
/* A new entry with its head, clock 0, and room for the payload. */
struct entry *entry_alloc(unsigned type_encoding, struct span key, int64_t deadline,
                          size_t payload_size, uint8_t **payload);

/* Writes the length of inline bytes and returns the place of the first. */
uint8_t *entry_write_inline_len(uint8_t *payload, size_t len);

#endif
