/* Compaction: moving what lies in the allocator's sparse pages, so that they become free.
 *
 * jemalloc serves a small request from a slab, some pages cut into pieces of one size class. A slab goes
 * back when its last piece is freed: after random removals nearly every slab still has some, and memory
 * that nobody uses stays with the process. Whoever owns all pointers to a piece can give it another
 * place: new pieces come from the fullest end of the class (the lowest address that has room), so the
 * sparse slabs empty and go.
 *
 *   mem_survey        which classes are worth it, by the allocator's own figures
 *   mem_mover_move    asks for each piece how full its slab is, and moves it if that is sparse
 *
 * Pieces beyond MEM_SLAB_BYTES_MAX have pages of their own, there is nothing to be gained. Allocation and
 * freeing go past the thread's cache: it would hand out again what was freed a moment ago, out of the
 * very slabs that are to become empty.
 *
 * Without jemalloc nothing is ever worth moving but for mem_mover_want_all, which tests use. */
#ifndef PANDO_BASE_MEM_MOVER_H
#define PANDO_BASE_MEM_MOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEM_SLAB_BYTES_MAX 14336

struct mem_mover {                           /* zero moves nothing */
    bool wanted[MEM_SLAB_BYTES_MAX / 8 + 1]; /* by size class / 8 */
    unsigned fullness_percent;               /* slabs that are fuller stay as they are */
    size_t question[4], question_len;        /* the allocator's name for how full a slab is */
    unsigned arena;                          /* of the thread that surveyed, and will move */
    uint64_t moved, kept;                    /* pieces looked at */
    uint64_t moved_bytes;
};

struct mem_survey {      /* of all slabs, bytes */
    size_t used, wasted; /* in pieces that are used, in those that are not */
    size_t wanted_waste; /* of that, what can be had from the classes that the mover wants */
};
/* Makes the mover want the classes whose slabs are less than `class_percent` full. Takes a fraction of a
 * millisecond. */
void mem_survey(struct mem_mover *mover, unsigned class_percent, struct mem_survey *out);
void mem_mover_want_all(struct mem_mover *mover);
/* After many slabs have become sparse the allocator puts them in order when a piece is next wanted from
 * one of them: some ten milliseconds for a million. This makes it do so, in another thread than the one
 * that will move. */
void mem_mover_prepare(const struct mem_mover *mover);

/* Whether the piece is worth moving; counted as kept if not. `bytes` is its size class, or any size
 * of that class. */
bool mem_mover_wants(struct mem_mover *mover, const void *ptr, size_t bytes);
/* The address where the piece is from now on: another one, the old one freed, or the same. */
void *mem_mover_move(struct mem_mover *mover, void *ptr, size_t bytes);
/* The same for one that came from mem_alloc_aligned. */
void *mem_mover_move_aligned(struct mem_mover *mover, size_t alignment, void *ptr, size_t bytes);

/* For those who have to see both for a moment: takes a new place, and in the end frees the old one. */
void *mem_mover_take(struct mem_mover *mover, size_t bytes);
void mem_mover_free(void *ptr, size_t bytes);

#endif
