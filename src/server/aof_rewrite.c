/* Rewriting the append only file: a snapshot at the offset where a new incr file begins becomes the base.
 *
 *   aof_start_rewrite                                   on_file_begun              on_base
 *   new incr file begins at N, snapshot at N  -->  manifest names it too  -->  manifest: new base, that
 *   (of a first AOF: nothing names it yet)                                      file; the others retire
 *
 * A crash at any point leaves a manifest whose files are whole: the old base with all incr files, or the
 * new one with the last. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "handlers.h"
#include "io/clock.h"
#include "io/file.h"
#include "server/aof_inside.h"
#include "server/config.h"
#include "server/persistence.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { RETRY_MS_MIN = 60 * 1000, RETRY_MS_MAX = 60 * 60 * 1000 };

/* The manifest that the writer's thread puts in place when the new file stands; NULL: none yet, the AOF
 * begins with this file. */
struct beginning {
    struct aof *aof;
    bool named; /* the manifest is written */
    char path[PATH_MAX];
    struct manifest manifest;
};

static void drop_plan(struct beginning *beginning)
{
    if (beginning == NULL) return;
    manifest_release(&beginning->manifest);
    mem_free(beginning);
}

static int commit_manifest(void *context)
{
    struct beginning *beginning = context;

    if (!beginning->named) return 0;
    return aof_write_manifest(beginning->path, &beginning->manifest);
}

static void failed(struct aof *aof, const char *why)
{
    log_warning("Background AOF rewrite terminated with error: %s", why);
    aof->last_rewrite_ok = false;
    aof->failures++;
    aof->last_try_ms = aof->server->now_ms;
    if (aof->state == AOF_WAITS) aof->rewrite_scheduled = true;
}

/* The image goes last: freeing it may wait for its threads, and what the workers have posted meanwhile runs within. */
static void forget(struct aof *aof)
{
    struct rewrite *rewrite = &aof->rewrite;
    struct image *image = rewrite->image;

    manifest_release(&rewrite->next);
    *rewrite = (struct rewrite){0};
    if (image != NULL) persistence_drop_image(aof->server, image);
}

static void end(struct aof *aof)
{
    const char *why;

    forget(aof);
    aof_configure(aof->server, &why); /* no-appendfsync-on-rewrite */
}

void aof_abort_rewrite(struct aof *aof)
{
    struct rewrite *rewrite = &aof->rewrite;

    if (!rewrite->running) return;
    if (rewrite->file != NULL) rdb_file_abort(rewrite->file);
    log_notice("Killing running AOF rewrite child: the rewrite is given up");
    forget(aof);
}

static void switch_when_both_stand(struct aof *aof);

/* The new incr file stands, and the manifest names it; or neither. */
static void on_file_begun(void *context, int error)
{
    struct beginning *beginning = context;
    struct aof *aof = beginning->aof;

    if (error == 0) {
        /* Also of a first AOF: should this rewrite fail, the next one takes another name and retires this file. */
        manifest_release(&aof->manifest);
        manifest_copy(&aof->manifest, &beginning->manifest);
        if (beginning->named) aof->closed_size = aof_size_of_all(aof);
        journal_set_segments(aof->server->journal, aof->segments);
        if (aof->rewrite.beginning == beginning) {
            aof->rewrite.beginning = NULL;
            switch_when_both_stand(aof);
        }
    } else if (error != -ECANCELED && aof->rewrite.running) {
        char why[256];
        snprintf(why, sizeof why, "the new incr file cannot be made: %s", strerror(-error));
        aof_abort_rewrite(aof);
        failed(aof, why);
    }
    drop_plan(beginning);
}

/* The base stands under its name; the manifest that names it, too. */
static void on_manifest(struct aof *aof, int error)
{
    struct rewrite *rewrite = &aof->rewrite;
    bool first = aof->state == AOF_WAITS;

    if (error != 0) {
        char why[256];
        snprintf(why, sizeof why, "the manifest cannot be written: %s", strerror(-error));
        end(aof);
        failed(aof, why);
        return;
    }
    manifest_release(&aof->manifest);
    manifest_copy(&aof->manifest, &rewrite->next);
    aof->last_rewrite_s = (clock_wall_ms() - rewrite->started_ms) / 1000;
    aof->last_rewrite_ok = true;
    aof->failures = 0;
    aof->rewrites++;
    aof->base_wanted = false;
    const struct manifest_file *base = manifest_base(&aof->manifest);
    aof->closed_size = aof_size_of(aof->server, base->name);
    aof->base_size = aof_current_size(aof);
    if (first) {
        aof->state = AOF_ON;
        log_notice("The append only file is complete");
    }
    log_notice("Background AOF rewrite finished successfully");
    end(aof);
    if (aof->state == AOF_ON) aof_look_at_failures(aof);
    aof_collect_history(aof);
    gates_moved(aof->server);
}

struct switching {
    struct aof *aof;
    char path[PATH_MAX];
    struct manifest manifest;
    int error;
};

static void switch_work(void *context)
{
    struct switching *switching = context;
    switching->error = aof_write_manifest(switching->path, &switching->manifest);
}

static void switched(void *context)
{
    struct switching *switching = context;

    if (switching->aof->rewrite.running) on_manifest(switching->aof, switching->error);
    manifest_release(&switching->manifest);
    mem_free(switching);
}

/* The small base may be there before the writer has come to the new incr file, and the manifest names
 * nothing that does not stand: a crash would leave what no start accepts. */
static void switch_when_both_stand(struct aof *aof)
{
    struct rewrite *rewrite = &aof->rewrite;

    if (!rewrite->has_base || rewrite->beginning != NULL) return;
    struct switching *switching = mem_zalloc(sizeof *switching);
    switching->aof = aof;
    aof_manifest_path(aof->server, switching->path);
    manifest_copy(&switching->manifest, &rewrite->next);
    worker_submit(aof_worker(aof), switch_work, switched, switching);
}

static void on_base(void *context, const char *error, uint64_t bytes)
{
    struct aof *aof = context;
    struct rewrite *rewrite = &aof->rewrite;

    (void)bytes;
    rewrite->file = NULL;
    if (error[0] != '\0') {
        end(aof);
        failed(aof, error);
        return;
    }
    struct image *image = rewrite->image;
    rewrite->image = NULL;
    log_notice("Background AOF rewrite terminated with success");
    rewrite->has_base = true;
    switch_when_both_stand(aof);
    persistence_drop_image(aof->server, image); /* last, as in forget */
}

/* Prepares the manifest of after the rewrite and, unless the AOF is off, the one with the new incr file
 * beside the old ones. */
static struct beginning *plan(struct aof *aof, char path[PATH_MAX])
{
    const char *name = aof->server->config->appendfilename;
    struct manifest *next = &aof->rewrite.next;
    struct beginning *beginning = NULL;

    manifest_copy(next, &aof->manifest);
    if (aof->state != AOF_OFF) {
        aof_path(aof->server, manifest_add_incr(next, name), path);
        beginning = mem_zalloc(sizeof *beginning);
        beginning->aof = aof;
        beginning->named = aof->state == AOF_ON;
        aof_manifest_path(aof->server, beginning->path);
        manifest_copy(&beginning->manifest, next);
    }
    manifest_add_base(next, name, aof->server->config->aof_use_rdb_preamble);
    manifest_retire_incr(next, aof->state == AOF_OFF ? 0 : 1);
    return beginning;
}

static struct rdb_file *start_base(struct aof *aof, char error[256])
{
    struct rdb_file_options options = {.dir = aof->folder,
                                       .name = manifest_base(&aof->rewrite.next)->name,
                                       .incremental_fsync =
                                           aof->server->config->aof_rewrite_incremental_fsync,
                                       .done = on_base,
                                       .context = aof};
    return rdb_file_start(aof->rewrite.image, &options, error);
}

bool aof_start_rewrite(struct aof *aof)
{
    struct server *server = aof->server;
    struct rewrite *rewrite = &aof->rewrite;
    struct log_writer_change change;
    char path[PATH_MAX] = "", error[256];

    check(!rewrite->running);
    aof->rewrite_scheduled = false;
    aof->last_try_ms = server->now_ms;
    if (aof->state == AOF_OFF && !aof_prepare_alone(aof)) return false;
    journal_set_db(server->journal, -1); /* what follows the snapshot begins with a SELECT */
    if (journal_active(server->journal)) journal_publish(server->journal);
    rewrite->image = persistence_start_base(server);
    if (rewrite->image == NULL) {
        failed(aof, "too many snapshots are running");
        return false;
    }
    rewrite->running = true;
    aof_apply_policy(aof);
    rewrite->started_ms = clock_wall_ms();
    struct beginning *beginning = plan(aof, path);
    rewrite->file = start_base(aof, error);
    if (rewrite->file == NULL) {
        drop_plan(beginning);
        end(aof);
        failed(aof, error);
        return false;
    }
    if (beginning != NULL) {
        aof_fill_change(aof, &change);
        snprintf(change.path, sizeof change.path, "%s", path);
        change.commit = commit_manifest;
        change.done = on_file_begun;
        change.context = beginning;
        rewrite->beginning = beginning;
        log_writer_begin(aof->writer, &change);
    }
    log_notice("Background append only file rewriting started by pid %d", (int)getpid());
    return true;
}

/* ---- when --------------------------------------------------------------------------------------- */

/* After several failures a rewrite is tried less and less often: the incr files would pile up. */
static bool may_try(const struct aof *aof)
{
    uint64_t doublings;
    int64_t wait_ms = RETRY_MS_MIN;

    if (aof->failures < 3) return true;
    for (doublings = aof->failures - 3; doublings > 0 && wait_ms < RETRY_MS_MAX; doublings--)
        wait_ms *= 2;
    return aof->server->now_ms - aof->last_try_ms >= wait_ms;
}

static bool has_grown(const struct aof *aof)
{
    const struct config *config = aof->server->config;
    uint64_t size = aof_current_size(aof), base = aof->base_size > 0 ? aof->base_size : 1;

    if (config->auto_aof_rewrite_percentage == 0 ||
        size <= (uint64_t)config->auto_aof_rewrite_min_size)
        return false;
    return size >= base &&
           (size - base) * 100 / base >= (uint64_t)config->auto_aof_rewrite_percentage;
}

void aof_cron(struct server *server)
{
    struct aof *aof = server->aof;

    if (aof->rewrite.running || server->loading || aof->load != NULL) return;
    /* A sync that failed while the files were loaded has no later job to tell of it. */
    if (aof->state == AOF_ON && (aof->base_wanted || log_writer_figures(aof->writer)->broken))
        aof_look_at_failures(aof);
    if (aof->rewrite_scheduled) {
        if (may_try(aof) && !persistence_saving(server)) aof_start_rewrite(aof);
        return;
    }
    if (aof->state != AOF_ON || !has_grown(aof) || !may_try(aof)) return;
    log_notice("Starting automatic rewriting of AOF on %llu%% growth",
               (unsigned long long)((aof_current_size(aof) - aof->base_size) * 100 /
                                    (aof->base_size > 0 ? aof->base_size : 1)));
    aof_start_rewrite(aof);
}

enum aof_rewrite aof_rewrite(struct server *server)
{
    struct aof *aof = server->aof;

    if (aof->rewrite.running) return AOF_REWRITE_RUNNING;
    /* Inside a transaction data are ahead of the log, which has none of it yet: a base of now would hold its first half, and
     * the file behind it the whole. */
    if (persistence_saving(server) || server->in_exec > 0) {
        aof->rewrite_scheduled = true;
        return AOF_REWRITE_SCHEDULED;
    }
    return aof_start_rewrite(aof) ? AOF_REWRITE_STARTED : AOF_REWRITE_FAILED;
}

enum err cmd_bgrewriteaof(struct call *call)
{
    switch (aof_rewrite(call_server(call))) {
    case AOF_REWRITE_STARTED:
        reply_status(call->reply, "Background append only file rewriting started");
        return OK;
    case AOF_REWRITE_SCHEDULED:
        reply_status(call->reply, "Background append only file rewriting scheduled");
        return OK;
    case AOF_REWRITE_RUNNING:
        return call_fail(call, "ERR Background append only file rewriting already in progress");
    default:
        return call_fail(call, "ERR Can't execute an AOF background rewriting. Please check the "
                               "server logs for more information.");
    }
}
