#include "base/mem_mover.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

void mem_mover_want_all(struct mem_mover *mover)
{
    memset(mover->wanted, true, sizeof mover->wanted);
    mover->fullness_percent = 101;
}

#ifndef PANDO_NO_JEMALLOC

#include <jemalloc/jemalloc.h>
#include <stdio.h>

#define TEXT_OF(x)       #x
#define TEXT_OF_MACRO(x) TEXT_OF(x)

/* ---- the allocator's figures ------------------------------------------------------------------ */

/* A figure of one class of slabs, 4 or 8 bytes wide; false where there is no such figure. */
static bool class_figure(const char *format, unsigned class, size_t width, size_t *out)
{
    char name[80];
    uint32_t narrow = 0;
    size_t size = width;

    snprintf(name, sizeof name, format, class);
    *out = 0;
    if (mallctl(name, width == 4 ? (void *)&narrow : (void *)out, &size, NULL, 0) != 0)
        return false;
    if (width == 4) *out = narrow;
    return true;
}

void mem_survey(struct mem_mover *mover, unsigned class_percent, struct mem_survey *out)
{
    uint64_t epoch = 1;
    size_t size = sizeof epoch;
    unsigned classes = 0;

    *out = (struct mem_survey){0};
    memset(mover->wanted, false, sizeof mover->wanted);
    mover->question_len = sizeof mover->question / sizeof *mover->question;
    if (mallctlnametomib("experimental.utilization.batch_query", mover->question,
                         &mover->question_len) != 0)
        return; /* an allocator that does not tell: nothing can be chosen */
    mallctl("epoch", &epoch, &size, &epoch, sizeof epoch); /* refreshes what is read below */
    size = sizeof mover->arena;
    if (mallctl("thread.arena", &mover->arena, &size, NULL, 0) != 0) return;
    size = sizeof classes;
    if (mallctl("arenas.nbins", &classes, &size, NULL, 0) != 0) return;
    for (unsigned class = 0; class < classes; class ++) {
        size_t bytes, per_slab, pieces, slabs;
        if (!class_figure("arenas.bin.%u.size", class, 8, &bytes) ||
            !class_figure("arenas.bin.%u.nregs", class, 4, &per_slab) ||
            !class_figure("stats.arenas." TEXT_OF_MACRO(MALLCTL_ARENAS_ALL) ".bins.%u.curregs",
                          class, 8, &pieces) ||
            !class_figure("stats.arenas." TEXT_OF_MACRO(MALLCTL_ARENAS_ALL) ".bins.%u.curslabs",
                          class, 8, &slabs))
            continue;
        size_t room = per_slab * slabs, waste = room > pieces ? (room - pieces) * bytes : 0;
        out->used += pieces * bytes;
        out->wasted += waste;
        if (bytes > MEM_SLAB_BYTES_MAX || pieces * 100 >= room * class_percent) continue;
        mover->wanted[bytes / 8] = true;
        out->wanted_waste += waste;
    }
}

/* More pieces than a slab of any class has, so that the next slab is looked for. */
#define PREPARE_PIECES 513

static void prepare_class(size_t bytes, int flags)
{
    void *taken[PREPARE_PIECES];
    int count = 0;

    while (count < PREPARE_PIECES && (taken[count] = mallocx(bytes, flags)) != NULL) count++;
    while (count > 0) sdallocx(taken[--count], bytes, flags);
}

void mem_mover_prepare(const struct mem_mover *mover)
{
    int flags = MALLOCX_TCACHE_NONE | MALLOCX_ARENA(mover->arena);

    for (size_t bytes = 8; bytes <= MEM_SLAB_BYTES_MAX; bytes += 8)
        if (mover->wanted[bytes / 8]) prepare_class(bytes, flags);
}

static bool is_sparse(const struct mem_mover *mover, const void *ptr)
{
    struct {
        size_t free, pieces, bytes;
    } slab;
    size_t size = sizeof slab;

    if (mover->fullness_percent > 100) return true;
    if (mallctlbymib(mover->question, mover->question_len, &slab, &size, (void *)&ptr,
                     sizeof ptr) != 0)
        return false;
    return (slab.pieces - slab.free) * 100 < slab.pieces * mover->fullness_percent;
}

static void *take(size_t alignment, size_t bytes)
{
    int flags = MALLOCX_TCACHE_NONE | (alignment > 1 ? MALLOCX_ALIGN(alignment) : 0);
    void *ptr = mallocx(bytes, flags);

    if (ptr != NULL) return ptr;
    /* These say why not. */
    return alignment > 1 ? mem_alloc_aligned(alignment, bytes) : mem_alloc(bytes);
}

static void give(size_t alignment, void *ptr, size_t bytes)
{
    sdallocx(ptr, bytes, MALLOCX_TCACHE_NONE | (alignment > 1 ? MALLOCX_ALIGN(alignment) : 0));
}

#else

void mem_survey(struct mem_mover *mover, unsigned class_percent, struct mem_survey *out)
{
    (void)class_percent;
    memset(mover->wanted, false, sizeof mover->wanted);
    *out = (struct mem_survey){0};
}

void mem_mover_prepare(const struct mem_mover *mover)
{
    (void)mover;
}

static bool is_sparse(const struct mem_mover *mover, const void *ptr)
{
    (void)ptr;
    return mover->fullness_percent > 100;
}

static void *take(size_t alignment, size_t bytes)
{
    return alignment > 1 ? mem_alloc_aligned(alignment, bytes) : mem_alloc(bytes);
}

static void give(size_t alignment, void *ptr, size_t bytes)
{
    (void)alignment;
    mem_free_sized(ptr, bytes);
}
#endif

/* ---- moving ----------------------------------------------------------------------------------- */

bool mem_mover_wants(struct mem_mover *mover, const void *ptr, size_t bytes)
{
    size_t class = mem_class(bytes);

    if (class <= MEM_SLAB_BYTES_MAX && mover->wanted[class / 8] && is_sparse(mover, ptr))
        return true;
    mover->kept++;
    return false;
}

void *mem_mover_move_aligned(struct mem_mover *mover, size_t alignment, void *ptr, size_t bytes)
{
    if (!mem_mover_wants(mover, ptr, bytes)) return ptr;
    void *to = take(alignment, bytes);
    memcpy(to, ptr, bytes);
    give(alignment, ptr, bytes);
    mover->moved++;
    mover->moved_bytes += bytes;
    return to;
}

void *mem_mover_move(struct mem_mover *mover, void *ptr, size_t bytes)
{
    return mem_mover_move_aligned(mover, 1, ptr, bytes);
}

void *mem_mover_take(struct mem_mover *mover, size_t bytes)
{
    mover->moved++;
    mover->moved_bytes += bytes;
    return take(1, bytes);
}

void mem_mover_free(void *ptr, size_t bytes)
{
    give(1, ptr, bytes);
}
