/* The crash report: on a fatal signal, the signal, registers, backtrace and the last command go to the log, then the process
 * dies of the same signal, with a core where the system makes one. */
#ifndef PANDO_SERVER_CRASH_H
#define PANDO_SERVER_CRASH_H

struct server;

void crash_install(
    struct server
        *server); /* honours crash-log-enabled; not under sanitizers, which report themselves */

#endif
