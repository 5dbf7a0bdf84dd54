/* Loading a cache line ahead. */
#ifndef PANDO_BASE_PREFETCH_H
#define PANDO_BASE_PREFETCH_H

/* Starts to load the line of `ptr`, any address, without waiting. Use it instead of gcc's builtin: gcc takes
 * a function that does nothing but prefetch for one without effect and drops calls of it; the empty
 * statement keeps it from that. */
static inline void prefetch(const void *ptr)
{
    __builtin_prefetch(ptr);
    __asm__ volatile("");
}

#endif
