/* Heap memory with true accounting.
 *
 * mem_alloc and friends never return NULL: where the system has no more, the process logs and
 * aborts. Sizes that a user or peer chose are bounded before they come here; mem_try_alloc is for
 * those that may honestly be too large, and may return NULL.
 *
 * Accounting costs nothing per call: jemalloc counts per thread, mem_used() sums the counters of
 * the threads that called mem_thread_register() (the engine and every worker do at their start).
 * Built without jemalloc (sanitizers) the figure comes from malloc_usable_size sums. */
#ifndef PANDO_BASE_MEM_H
#define PANDO_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t size) __attribute__((malloc, alloc_size(1), returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, alloc_size(1), returns_nonnull));
void *mem_realloc(void *ptr, size_t size) __attribute__((alloc_size(2), returns_nonnull));
void *mem_try_alloc(size_t size) __attribute__((malloc, alloc_size(1)));
/* `alignment` is a power of two and divides `size`. Freed by mem_free; not for mem_realloc, which
 * would lose the alignment. */
void *mem_alloc_aligned(size_t alignment, size_t size)
    __attribute__((malloc, alloc_align(1), alloc_size(2), returns_nonnull));
void mem_free(void *ptr); /* NULL is fine */

/* Bytes that `ptr` really occupies: its size class. */
size_t mem_usable(const void *ptr);
/* The size class that a request of `size` bytes would get. */
size_t mem_good_size(size_t size);
/* The same for small sizes, computed instead of asked for: jemalloc's classes are 8, multiples of 16 up
 * to 128, and from there on four per doubling, equally spaced. */
static inline size_t mem_class(size_t size)
{
    if (size <= 128) return size <= 8 ? 8 : (size + 15) & ~(size_t)15;
    unsigned log2 = 63 - (unsigned)__builtin_clzll(size - 1);
    size_t step = (size_t)1 << (log2 - 2);
    return (size + step - 1) & ~(step - 1);
}

void mem_thread_register(void);
/* Bytes allocated and not freed in the whole process, to within one thread's cached counters. */
size_t mem_used(void);

struct mem_figures { /* bytes; jemalloc's stats.*, zero without it */
    size_t allocated, active, resident, retained;
};
void mem_figures(struct mem_figures *out); /* refreshes jemalloc's epoch: not for hot paths */
const char *mem_allocator_name(void);      /* "jemalloc-5.3.0", or "libc" */
void mem_purge(void);                      /* gives unused dirty pages back to the system */
/* jemalloc-bg-thread: freed pages go back to the system within 10 s also while the process is idle;
 * otherwise only as the process goes on allocating. Not before the process has become a daemon: a
 * fork leaves the thread behind. */
void mem_set_background_thread(bool enabled);

/* The allocator's report on itself, in parts. Nothing without jemalloc. */
void mem_report(void (*part)(void *context, const char *text), void *context);
/* jemalloc's mallctl, for those who tune by hand: reads the 8-byte integer of that name into *old
 * and, with `set`, puts another in its place. Returns 0 or an errno: ENOENT (no such name, or no
 * jemalloc), EINVAL (no such integer), EPERM. */
int mem_tune_int64(const char *name, const int64_t *set, int64_t *old);
/* The same for names that stand for texts; *old is the allocator's. EINVAL for other names. */
int mem_tune_text(const char *name, const char *set, const char **old);
/* For names that stand for an action. */
int mem_tune_act(const char *name);

/* As mem_free, for those who know the size that they asked for (or its size class): spares the
 * allocator a look-up. */
#ifdef PANDO_NO_JEMALLOC
static inline void mem_free_sized(void *ptr, size_t size)
{
    (void)size;
    mem_free(ptr);
}
#else
void sdallocx(void *ptr, size_t size, int flags); /* jemalloc's, whose header brings more names */
static inline void mem_free_sized(void *ptr, size_t size)
{
    sdallocx(ptr, size, 0);
}
#endif

/* Bytes of memory that the machine has. */
uint64_t mem_of_machine(void);

#endif
