/* Assertions that stay on in release builds. For programmers' errors only: what a peer, a file or a
 * user sends is answered with an error. A failing check logs the fact and its place, then aborts,
 * which the crash report of the server picks up. */
#ifndef PANDO_BASE_CHECK_H
#define PANDO_BASE_CHECK_H

#define check(fact)                                                                                \
    (__builtin_expect(!!(fact), 1) ? (void)0 : check_failed(#fact, __FILE__, __LINE__))

_Noreturn void check_failed(const char *fact, const char *file, int line);

#endif
