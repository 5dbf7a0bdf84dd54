/* The server's log. The texts are English sentences; those that tools match are listed in
 * docs/COMPATIBILITY.md. Where the lines go (file, standard output, syslog) is set once by the
 * server; until then they go to standard output. Callable from any thread; a line is one write. */
#ifndef PANDO_BASE_LOG_H
#define PANDO_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_VERBOSE, LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING };

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool log_wants(enum log_level level);

#define log_debug(...)                                                                             \
    (log_wants(LOG_LEVEL_DEBUG) ? log_line(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
#define log_verbose(...)                                                                           \
    (log_wants(LOG_LEVEL_VERBOSE) ? log_line(LOG_LEVEL_VERBOSE, __VA_ARGS__) : (void)0)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)

/* Settings. The line format is "<pid>:<role> 22 Nov 2026 16:53:34.123 <mark> <text>", role one of
 * M S C X, mark one of . - * #. `path` empty means standard output, flushed per line; a file is
 * opened for append per line, so that it may be renamed. */
void log_set_level(enum log_level level);
void log_set_role(char role);
/* False (errno set) where the file cannot be opened for append; the log stays as it was. */
bool log_set_path(const char *path);
void log_set_syslog(bool enabled, const char *ident, int facility);
/* Async-signal-safe: writes the bytes to wherever the log goes, no prefix. */
void log_raw(const char *ptr, unsigned long len);

#endif
