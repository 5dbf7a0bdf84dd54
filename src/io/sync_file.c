#include "io/sync_file.h"

#include "base/mem.h"
#include "io/temp_file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct sync_file {
    struct worker *worker;
    void (*room)(void *);
    void (*done)(void *, const char *error);
    void *context;
    struct temp_file temp; /* with its folder: the working directory may change meanwhile */
    int error;     /* -errno of the first failure; written by the worker, read after its jobs */
    size_t queued; /* bytes handed over and not reported back */
    unsigned jobs; /* under way */
    bool was_full, closed, keep, finishing;
};

struct job {
    struct sync_file *file;
    size_t len;
    bool sync;
    char bytes[];
};

struct sync_file *sync_file_open(struct worker *worker, void (*room)(void *),
                                 void (*done)(void *, const char *error), void *context)
{
    struct sync_file *file = mem_zalloc(sizeof *file);
    char folder[PATH_MAX - 64];

    if (getcwd(folder, sizeof folder) == NULL) snprintf(folder, sizeof folder, ".");
    *file = (struct sync_file){.worker = worker, .room = room, .done = done, .context = context};
    int error = temp_file_open(&file->temp, folder, "temp-", ".rdb", 0);
    if (error == 0) return file;
    mem_free(file);
    errno = -error;
    return NULL;
}

static void free_when_idle(struct sync_file *file)
{
    if (!file->closed || file->jobs > 0) return;
    if (file->keep) close(file->temp.fd);
    else temp_file_discard(&file->temp);
    mem_free(file);
}

static void work(void *context)
{
    struct job *job = context;
    struct sync_file *file = job->file;

    if (file->error == 0 && job->len > 0)
        file->error = temp_file_write(&file->temp, job->bytes, job->len);
    if (file->error == 0 && job->sync) file->error = temp_file_sync(&file->temp);
}

static void worked(void *context)
{
    struct job *job = context;
    struct sync_file *file = job->file;
    bool sync = job->sync;

    file->jobs--;
    file->queued -= job->len;
    mem_free(job);
    if (file->closed) {
        free_when_idle(file);
        return;
    }
    if (sync) {
        file->done(file->context, file->error == 0 ? "" : strerror(-file->error));
    } else if (file->was_full && file->queued < SYNC_FILE_QUEUED_MAX / 2) {
        file->was_full = false;
        file->room(file->context);
    }
}

static void submit(struct sync_file *file, struct span bytes, bool sync)
{
    struct job *job = mem_alloc(sizeof *job + bytes.len);

    *job = (struct job){.file = file, .len = bytes.len, .sync = sync};
    if (bytes.len > 0) memcpy(job->bytes, bytes.ptr, bytes.len);
    file->queued += bytes.len;
    file->jobs++;
    worker_submit(file->worker, work, worked, job);
}

bool sync_file_write(struct sync_file *file, struct span bytes)
{
    submit(file, bytes, false);
    if (file->queued >= SYNC_FILE_QUEUED_MAX) file->was_full = true;
    return !file->was_full;
}

void sync_file_finish(struct sync_file *file)
{
    submit(file, SPAN(""), true);
}

const char *sync_file_path(const struct sync_file *file)
{
    return file->temp.path;
}

void sync_file_close(struct sync_file *file, bool keep)
{
    file->closed = true;
    file->keep = keep;
    free_when_idle(file);
}
