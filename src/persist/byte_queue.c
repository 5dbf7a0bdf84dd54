#include "persist/byte_queue.h"
#include "base/mem.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>

struct byte_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t first, len, cap; /* a ring in `bytes` */
    bool ended, cancelled;
    bool refused; /* a put took less than all, and `room` was not called since */
    void (*room)(void *context);
    void *context;
    char bytes[];
};

struct byte_queue *byte_queue_new(size_t bytes_max, void (*room)(void *), void *context)
{
    struct byte_queue *queue = mem_alloc(sizeof *queue + bytes_max);

    memset(queue, 0, sizeof *queue);
    queue->cap = bytes_max;
    queue->room = room;
    queue->context = context;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    return queue;
}

void byte_queue_free(struct byte_queue *queue)
{
    if (queue == NULL) return;
    pthread_mutex_destroy(&queue->lock);
    pthread_cond_destroy(&queue->changed);
    mem_free(queue);
}

size_t byte_queue_put(struct byte_queue *queue, const void *ptr, size_t len)
{
    pthread_mutex_lock(&queue->lock);
    size_t free_bytes = queue->cap - queue->len, taken = len < free_bytes ? len : free_bytes;
    size_t at = (queue->first + queue->len) % queue->cap;
    size_t before_wrap = queue->cap - at < taken ? queue->cap - at : taken;

    if (taken > 0) {
        memcpy(queue->bytes + at, ptr, before_wrap);
        memcpy(queue->bytes, (const char *)ptr + before_wrap, taken - before_wrap);
        queue->len += taken;
        pthread_cond_signal(&queue->changed);
    }
    if (taken < len) queue->refused = true;
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

static void set(struct byte_queue *queue, bool *flag)
{
    pthread_mutex_lock(&queue->lock);
    *flag = true;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

void byte_queue_end(struct byte_queue *queue)
{
    set(queue, &queue->ended);
}

void byte_queue_cancel(struct byte_queue *queue)
{
    set(queue, &queue->cancelled);
}

ssize_t byte_queue_take(struct byte_queue *queue, void *out, size_t len)
{
    bool tell;
    ssize_t result;

    pthread_mutex_lock(&queue->lock);
    while (queue->len == 0 && !queue->ended && !queue->cancelled)
        pthread_cond_wait(&queue->changed, &queue->lock);
    if (queue->cancelled) {
        result = -ECANCELED;
    } else {
        size_t taken = len < queue->len ? len : queue->len;
        size_t before_wrap = queue->cap - queue->first;
        if (before_wrap > taken) before_wrap = taken;
        memcpy(out, queue->bytes + queue->first, before_wrap);
        memcpy((char *)out + before_wrap, queue->bytes, taken - before_wrap);
        queue->first = (queue->first + taken) % queue->cap;
        queue->len -= taken;
        result = (ssize_t)taken;
    }
    tell = queue->refused && queue->len <= queue->cap / 2 && !queue->cancelled;
    if (tell) queue->refused = false;
    pthread_mutex_unlock(&queue->lock);
    if (tell && queue->room != NULL) queue->room(queue->context);
    return result;
}
