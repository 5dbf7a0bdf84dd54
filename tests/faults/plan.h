/* A fault under the system calls of one process: preloaded by tests/harness/faults.py, never installed.
 *
 * The calls of one subject, either those on files below one folder or those on TCP sockets, are numbered in the order
 * in which they come, all kinds in one row. Each leaves a line in the trace, "<kind> <what>"; the chosen one meets the
 * fault, and its line says so: "! <action> <kind> <what>". So a trace without a '!' tells that the run ended before the
 * chosen call.
 *
 *   PANDO_FAULT_UNDER   the folder, by its full name; or "sockets"
 *   PANDO_FAULT_TRACE   the file that the trace is appended to; it must not be below the folder
 *   PANDO_FAULT_AT      the number of the call, from 1; 0: none, the trace alone is wanted; "while": every call, as long as
 *                       the file <trace>.now exists, which says "<action> [kind]" and may come, change and go at any time
 *   PANDO_FAULT_KIND    counts calls of this kind only; not set: all
 *                       files (files.c)        open write sync rename truncate unlink
 *                       sockets (sockets.c)    socket connect result accept watch receive send feed
 *   PANDO_FAULT_DO      what the call meets:
 *
 *     enospc, eio, eintr, eagain, enomem, enobufs, emfile, refused, aborted, reset, pipe
 *              the call fails with this error and does nothing. But after `reset` and `pipe` the connection is gone, as
 *              it would be; and a `connect` that meets `eintr` goes on in the background.
 *     one      a socket takes or gives one byte
 *     short    a write, or a socket, takes or gives half of the bytes and says so
 *     cut      half of the bytes go through a socket, then its connection is gone
 *     kill     the process is killed before the call
 *     torn     half of the bytes are written or sent, then the process is killed
 *     after    the call is made, then the process is killed before it hears of it
 *     hold     the call waits until <trace>.now says something else (with "while" alone)
 *
 * Of calls without bytes `one`, `short` and `cut` let them pass unharmed and `torn` kills after them. A fault happens
 * once, but for "while". Any thread may make a call: the number is an atomic counter, everything else is read once, before main. */
#ifndef PANDO_FAULTS_PLAN_H
#define PANDO_FAULTS_PLAN_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

#define EXPORTED __attribute__((visibility("default")))
/* The function that ours stands before. */
#define NEXT(name) ((__typeof__(&name))plan_next(#name))

enum action {
    PASS,
    FAIL_ENOSPC,
    FAIL_EIO,
    FAIL_EINTR,
    FAIL_EAGAIN,
    FAIL_ENOMEM,
    FAIL_ENOBUFS,
    FAIL_EMFILE,
    FAIL_REFUSED,
    FAIL_ABORTED,
    FAIL_RESET,
    FAIL_PIPE,
    ONE,
    SHORT,
    CUT,
    KILL,
    TORN,
    AFTER,
    HOLD
};

void *plan_next(const char *name);

/* Whether calls on files are numbered, and on these. The folder itself counts, too: it is opened and synced to make
 * names durable. */
bool plan_has_files(void);
bool plan_has_file(const char *path);
bool plan_has_sockets(void);

/* What this call meets, one of the plan's subject; it may be the process's last. */
enum action plan_meet(const char *kind, const char *what);

/* Whether the call fails; errno is set then. */
bool plan_fails(enum action action);

/* How many of `len` bytes the call may take. */
size_t plan_length(enum action action, size_t len);

/* Behind the call, where it was made. */
void plan_end(enum action action);

#endif
