/* A received image on its way into a temporary file: written by the file worker in order, with a bound on what waits.
 * Engine thread only. */
#ifndef PANDO_IO_SYNC_FILE_H
#define PANDO_IO_SYNC_FILE_H

#include "base/span.h"
#include "io/worker.h"
#include <stdbool.h>

#define SYNC_FILE_QUEUED_MAX (8 * 1024 * 1024) /* bytes; above, the sender is not read from */

struct sync_file;

/* Opens a temporary file (temp_file.h) in the working directory: no other attempt's, also where one that was given up is
 * still being written, and swept at the next start where this process dies. `room` is called when the queue has room again,
 * `done` once, after sync_file_finish: "" or why it failed; the file is then synced, sync_file_path names it. NULL (errno
 * set) where it cannot be made. */
struct sync_file *sync_file_open(struct worker *worker, void (*room)(void *),
                                 void (*done)(void *, const char *error), void *context);
bool sync_file_write(
    struct sync_file *file,
    struct span bytes); /* false: the queue is full now, but the bytes were taken */
void sync_file_finish(struct sync_file *file);
const char *sync_file_path(const struct sync_file *file);
/* Forgets it; no callback comes any more. The file is removed where `keep` is false. */
void sync_file_close(struct sync_file *file, bool keep);

#endif
