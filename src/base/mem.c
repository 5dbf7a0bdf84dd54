/* How the figure is made without a counter per call: jemalloc already keeps, per thread, the bytes
 * it handed out and took back. Each registered thread links the addresses of its two counters into
 * a list; mem_used() sums over it. A thread that ends adds its totals to `ended` and leaves the
 * list. */
#include "base/mem.h"

#include "base/check.h"
#include "base/log.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(size_t size)
{
    log_warning("Out of memory: no %zu bytes", size);
    abort();
}

#ifndef PANDO_NO_JEMALLOC

#include <jemalloc/jemalloc.h>
#include <pthread.h>

#define TEXT_OF(x)       #x
#define TEXT_OF_MACRO(x) TEXT_OF(x)

struct thread_counters {
    const uint64_t *allocated, *deallocated; /* jemalloc's own, written by the thread alone */
    struct thread_counters *prev, *next;
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread_counters *list; /* under list_lock, as is `ended` */
static int64_t ended;                /* allocated less freed by threads that are no more */
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* its destructor runs when a registered thread ends */
static _Thread_local struct thread_counters own;

static int64_t balance(const struct thread_counters *thread)
{
    /* What was freed is read first: a thread at work between the two reads makes the sum too large
     * by a little, never negative by a little. */
    uint64_t deallocated = __atomic_load_n(thread->deallocated, __ATOMIC_RELAXED);
    return (int64_t)(__atomic_load_n(thread->allocated, __ATOMIC_RELAXED) - deallocated);
}

static void thread_ends(void *ptr)
{
    struct thread_counters *thread = ptr;
    pthread_mutex_lock(&list_lock);
    ended += balance(thread);
    if (thread->next != NULL) thread->next->prev = thread->prev;
    if (thread->prev != NULL) thread->prev->next = thread->next;
    else list = thread->next;
    pthread_mutex_unlock(&list_lock);
}

static void make_key(void)
{
    check(pthread_key_create(&key, thread_ends) == 0);
}

void mem_thread_register(void)
{
    if (own.allocated != NULL) return;
    uint64_t *allocated, *deallocated;
    size_t size = sizeof allocated;
    check(mallctl("thread.allocatedp", &allocated, &size, NULL, 0) == 0);
    check(mallctl("thread.deallocatedp", &deallocated, &size, NULL, 0) == 0);
    check(pthread_once(&key_once, make_key) == 0);
    check(pthread_setspecific(key, &own) == 0);
    own = (struct thread_counters){allocated, deallocated, NULL, NULL};
    pthread_mutex_lock(&list_lock);
    own.next = list;
    if (list != NULL) list->prev = &own;
    list = &own;
    pthread_mutex_unlock(&list_lock);
}

size_t mem_used(void)
{
    pthread_mutex_lock(&list_lock);
    int64_t sum = ended;
    for (const struct thread_counters *thread = list; thread != NULL; thread = thread->next)
        sum += balance(thread);
    pthread_mutex_unlock(&list_lock);
    return sum > 0 ? (size_t)sum : 0;
}

void *mem_try_alloc(size_t size)
{
    return malloc(size > 0 ? size : 1);
}

static void *try_alloc_aligned(size_t alignment, size_t size)
{
    return aligned_alloc(alignment, size);
}

void *mem_zalloc(size_t size)
{
    void *ptr = calloc(1, size > 0 ? size : 1);
    if (__builtin_expect(ptr == NULL, 0)) out_of_memory(size);
    return ptr;
}

void *mem_realloc(void *ptr, size_t size)
{
    void *moved = realloc(ptr, size > 0 ? size : 1);
    if (__builtin_expect(moved == NULL, 0)) out_of_memory(size);
    return moved;
}

void mem_free(void *ptr)
{
    free(ptr);
}

size_t mem_usable(const void *ptr)
{
    return malloc_usable_size((void *)ptr);
}

size_t mem_good_size(size_t size)
{
    size_t good = nallocx(size > 0 ? size : 1, 0);
    return good != 0 ? good : size; /* 0: more than there is; the allocation will say so */
}

static size_t figure(const char *name)
{
    size_t value = 0, size = sizeof value;
    return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

void mem_figures(struct mem_figures *out)
{
    uint64_t epoch = 1;
    size_t size = sizeof epoch;
    mallctl("epoch", &epoch, &size, &epoch, sizeof epoch); /* refreshes the cached figures */
    out->allocated = figure("stats.allocated");
    out->active = figure("stats.active");
    out->resident = figure("stats.resident");
    out->retained = figure("stats.retained");
}

/* Without the build hash, as INFO's mem_allocator shows it. */
#define VERSION(part) TEXT_OF_MACRO(JEMALLOC_VERSION_##part)

const char *mem_allocator_name(void)
{
    return "jemalloc-" VERSION(MAJOR) "." VERSION(MINOR) "." VERSION(BUGFIX);
}

void mem_purge(void)
{
    mallctl("arena." TEXT_OF_MACRO(MALLCTL_ARENAS_ALL) ".purge", NULL, NULL, NULL, 0);
}

void mem_set_background_thread(bool enabled)
{
    mallctl("background_thread", NULL, NULL, &enabled, sizeof enabled);
}

void mem_report(void (*part)(void *context, const char *text), void *context)
{
    malloc_stats_print(part, context, NULL);
}

int mem_tune_int64(const char *name, const int64_t *set, int64_t *old)
{
    size_t size = sizeof *old;
    int64_t value = set != NULL ? *set : 0;

    return mallctl(name, old, &size, set != NULL ? &value : NULL, set != NULL ? sizeof value : 0);
}

/* mallctl cannot tell a text from an integer of the same size: only names that are known to be texts
 * are read. */
static bool is_text(const char *name)
{
    static const char *const names[] = {
        "version",         "config.malloc_conf", "opt.dss",          "opt.metadata_thp",
        "opt.thp",         "opt.junk",           "opt.zero_realloc", "opt.percpu_arena",
        "opt.prof_prefix", "thread.prof.name"};
    size_t len = strlen(name);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return strncmp(name, "arena.", 6) == 0 && len > 4 && strcmp(name + len - 4, ".dss") == 0;
}

int mem_tune_text(const char *name, const char *set, const char **old)
{
    size_t size = sizeof *old, mib[8], depth = sizeof mib / sizeof *mib;

    if (mallctlnametomib(name, mib, &depth) != 0) return ENOENT;
    if (!is_text(name)) return EINVAL;
    return mallctl(name, old, &size, set != NULL ? &set : NULL, set != NULL ? sizeof set : 0);
}

int mem_tune_act(const char *name)
{
    return mallctl(name, NULL, NULL, NULL, 0);
}

#else /* the C library's allocator, usually the sanitizers' */

#include <malloc.h>

static size_t used; /* atomic */

static void *count_in(void *ptr)
{
    if (ptr != NULL) __atomic_fetch_add(&used, malloc_usable_size(ptr), __ATOMIC_RELAXED);
    return ptr;
}

static void count_out(size_t size)
{
    __atomic_fetch_sub(&used, size, __ATOMIC_RELAXED);
}

void mem_thread_register(void) {}

size_t mem_used(void)
{
    return __atomic_load_n(&used, __ATOMIC_RELAXED);
}

void *mem_try_alloc(size_t size)
{
    return count_in(malloc(size > 0 ? size : 1));
}

static void *try_alloc_aligned(size_t alignment, size_t size)
{
    return count_in(aligned_alloc(alignment, size));
}

void *mem_zalloc(size_t size)
{
    void *ptr = count_in(calloc(1, size > 0 ? size : 1));
    if (ptr == NULL) out_of_memory(size);
    return ptr;
}

void *mem_realloc(void *ptr, size_t size)
{
    size_t before = ptr != NULL ? malloc_usable_size(ptr) : 0;
    void *moved = realloc(ptr, size > 0 ? size : 1);
    if (moved == NULL) out_of_memory(size);
    count_out(before);
    return count_in(moved);
}

void mem_free(void *ptr)
{
    if (ptr != NULL) count_out(malloc_usable_size(ptr));
    free(ptr);
}

size_t mem_usable(const void *ptr)
{
    return malloc_usable_size((void *)ptr);
}

#if defined(__SANITIZE_ADDRESS__)
#define EXACT_SIZES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EXACT_SIZES 1
#endif
#endif

#ifdef EXACT_SIZES
/* Read by the sanitizer at start: malloc fails as the real one does. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif

size_t mem_good_size(size_t size)
{
#ifdef EXACT_SIZES
    return size > 0 ? size : 1;
#else
    /* glibc: 8 bytes of header, chunks in steps of 16, the smallest 32. */
    if (size > SIZE_MAX / 2) return size;
    return size <= 24 ? 24 : ((size + 8 + 15) & ~(size_t)15) - 8;
#endif
}

void mem_figures(struct mem_figures *out)
{
    memset(out, 0, sizeof *out);
}

const char *mem_allocator_name(void)
{
    return "libc";
}

void mem_purge(void)
{
#ifndef EXACT_SIZES
    malloc_trim(0);
#endif
}

void mem_set_background_thread(bool enabled)
{
    (void)enabled;
}

void mem_report(void (*part)(void *context, const char *text), void *context)
{
    (void)part;
    (void)context;
}

int mem_tune_int64(const char *name, const int64_t *set, int64_t *old)
{
    (void)name;
    (void)set;
    (void)old;
    return ENOENT;
}

int mem_tune_text(const char *name, const char *set, const char **old)
{
    (void)name;
    (void)set;
    (void)old;
    return ENOENT;
}

int mem_tune_act(const char *name)
{
    (void)name;
    return ENOENT;
}
#endif

void *mem_alloc(size_t size)
{
    void *ptr = mem_try_alloc(size);
    if (__builtin_expect(ptr == NULL, 0)) out_of_memory(size);
    return ptr;
}

void *mem_alloc_aligned(size_t alignment, size_t size)
{
    check(size > 0 && size % alignment == 0);
    void *ptr = try_alloc_aligned(alignment, size);
    if (__builtin_expect(ptr == NULL, 0)) out_of_memory(size);
    return ptr;
}

uint64_t mem_of_machine(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}
