/* Bytes on their way from the engine to one thread, bounded: the engine never waits, the thread
 * does.
 *
 * One producer, one consumer. */
#ifndef PANDO_PERSIST_BYTE_QUEUE_H
#define PANDO_PERSIST_BYTE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct byte_queue;

/* `room(context)` is called by the consumer's thread when half of the queue is free again after a
 * put that took less than all. May be NULL. */
struct byte_queue *byte_queue_new(size_t bytes_max, void (*room)(void *), void *context);
void byte_queue_free(struct byte_queue *queue);

/* Takes what fits. */
size_t byte_queue_put(struct byte_queue *queue, const void *ptr, size_t len);
void byte_queue_end(struct byte_queue *queue);    /* no more bytes will come */
void byte_queue_cancel(struct byte_queue *queue); /* the consumer gets -ECANCELED from now on */

/* Waits for at least one byte. The count; 0 at the end; -ECANCELED. */
ssize_t byte_queue_take(struct byte_queue *queue, void *out, size_t len);

#endif
