/* The append only file while the server runs: the writer, what waits for it, switching on and off. */
#include "server/aof.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/file.h"
#include "server/aof_inside.h"
#include "server/blocking.h"
#include "server/config.h"
#include "server/folder.h"
#include "server/latency.h"
#include "server/replication.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A write that hangs longer holds nothing back any more, unless appendfsync always. */
enum { STALL_MS = 1000 };

struct aof *aof_new(struct server *server)
{
    struct aof *aof = mem_zalloc(sizeof *aof);

    aof->server = server;
    aof->folder_lock = -1;
    aof->last_rewrite_ok = aof->last_write_ok = true;
    aof->last_rewrite_s = -1;
    return aof;
}

/* ---- the writer -------------------------------------------------------------------------------- */

/* A fsync that failed may have lost what it was for: under `always` somebody was promised more. */
void aof_look_at_failures(struct aof *aof)
{
    const struct log_writer_figures *figures = log_writer_figures(aof->writer);

    if (figures->broken && aof->state == AOF_ON &&
        aof->server->config->appendfsync == APPENDFSYNC_ALWAYS) {
        log_warning("Can't persist AOF for fsync error when the AOF fsync policy is 'always'. "
                    "Exiting...");
        exit(1);
    }
    /* A new file alone does not mend what the old one may have lost. */
    if (figures->broken && aof->state == AOF_ON) aof->base_wanted = true;
    /* What is kept for replicas that are away makes room first: nobody needs to notice. */
    if (!figures->broken && !aof->base_wanted && aof_short_of_room(aof->server) &&
        journal_shed(aof->server->journal))
        log_writer_try_again(aof->writer);
    else aof->last_write_ok = figures->error == 0 && !figures->broken && !aof->base_wanted;
    if (aof->base_wanted && aof->state == AOF_ON && !aof->rewrite.running)
        aof->rewrite_scheduled = true;
}

static void on_moved(void *context)
{
    struct aof *aof = context;
    struct server *server = aof->server;

    aof_look_at_failures(aof);
    const struct log_writer_figures *figures = log_writer_figures(aof->writer);
    if (figures->sync_us >= 0)
        latency_add_event(server, LATENCY_AOF_FSYNC, figures->sync_us / 1000);
    if (figures->write_us >= 0)
        latency_add_event(server, LATENCY_AOF_WRITE, figures->write_us / 1000);
    gates_moved(server);
}

static enum log_sync sync_policy(const struct server *server)
{
    switch (server->config->appendfsync) {
    case APPENDFSYNC_ALWAYS: return LOG_SYNC_ALWAYS;
    case APPENDFSYNC_EVERYSEC: return LOG_SYNC_EVERY_SECOND;
    default: return LOG_SYNC_NO;
    }
}

void aof_apply_policy(struct aof *aof)
{
    const struct config *config = aof->server->config;
    enum log_sync sync = sync_policy(aof->server);

    if (aof->writer == NULL) return;
    /* Redis' directive: while a rewrite loads the disk, no fsync of ours waits for it. */
    if (config->no_appendfsync_on_rewrite && aof->rewrite.running && sync != LOG_SYNC_NO)
        sync = LOG_SYNC_NO;
    aof->syncs_all = sync == LOG_SYNC_ALWAYS;
    /* A primary before 7.0 sends lifetimes, not deadlines: a replica keeps when it got them, for the replay. */
    log_writer_set_sync(aof->writer, sync,
                        config->aof_timestamp_enabled || server_is_replica(aof->server));
    gates_moved(aof->server);
}

void aof_role_changed(struct server *server)
{
    if (server->aof != NULL) aof_apply_policy(server->aof);
}

struct worker *aof_worker(struct aof *aof)
{
    if (aof->writer_worker == NULL) aof->writer_worker = worker_new("pando-aof", aof->server->loop);
    return aof->writer_worker;
}

void aof_make_writer(struct aof *aof)
{
    struct server *server = aof->server;

    if (aof->sync_worker == NULL) aof->sync_worker = worker_new("pando-aof-sync", server->loop);
    if (aof->segments == NULL) aof->segments = segments_new(folder_path(server));
    check(aof->writer == NULL);
    aof->writer = log_writer_new(&(struct log_writer_options){.journal = server->journal,
                                                              .segments = aof->segments,
                                                              .writer = aof_worker(aof),
                                                              .syncer = aof->sync_worker,
                                                              .clock_us = clock_monotonic_us,
                                                              .moved = on_moved,
                                                              .context = aof});
    aof_apply_policy(aof);
}

void aof_fill_change(struct aof *aof, struct log_writer_change *change)
{
    const struct journal *journal = aof->server->journal;
    int db = journal_stream_db(journal);

    *change = (struct log_writer_change){.db = db >= 0 ? db : 0, .context = aof};
    memcpy(change->id, journal_id(journal), sizeof change->id);
}

/* The disk is behind by more than the log may take of memory: writing commands wait, and reads go on. */
static void hold_writers(struct aof *aof)
{
    struct server *server = aof->server;
    uint64_t end = journal_end(server->journal);
    bool behind = aof->state == AOF_ON && aof->last_write_ok &&
                  end - log_writer_figures(aof->writer)->written >
                      (uint64_t)server->config->repl_log_memory_max;

    if (behind == server->pause.behind) return;
    server->pause.behind = behind;
    server_update_policy(server);
    if (behind) {
        aof->behind_since_ms = server->now_ms;
        return;
    }
    latency_add_event(server, LATENCY_AOF_PENDING, server->now_ms - aof->behind_since_ms);
    blocking_pause_ended(server);
}

int64_t aof_before_wait(struct server *server)
{
    struct aof *aof = server->aof;

    if (aof->writer == NULL || aof->load != NULL) return -1;
    int64_t wants_ms = log_writer_run(aof->writer, server->now_ms);
    const struct log_writer_figures *figures = log_writer_figures(aof->writer);
    bool stalled = figures->writing && server->now_ms - figures->writing_since_ms > STALL_MS &&
                   server->config->appendfsync != APPENDFSYNC_ALWAYS;
    if (stalled && !aof->is_stalled) {
        aof->stalled++;
        log_warning("A write to the append only file hangs: replies go ahead of it");
        gates_moved(server);
    }
    aof->is_stalled = stalled;
    hold_writers(aof);
    if (figures->writing && !stalled && (wants_ms < 0 || wants_ms > STALL_MS)) wants_ms = STALL_MS;
    return wants_ms < 0 ? -1 : wants_ms * 1000;
}

/* ---- what waits for it ------------------------------------------------------------------------- */

uint64_t aof_reach(const struct server *server)
{
    const struct aof *aof = server->aof;

    if (aof->state != AOF_ON || aof->is_stalled) return UINT64_MAX;
    const struct log_writer_figures *figures = log_writer_figures(aof->writer);
    if (figures->broken) return UINT64_MAX;
    return aof->syncs_all ? figures->safe : figures->written;
}

void aof_note_message(struct server *server, uint64_t from)
{
    if (server->aof->writer != NULL)
        log_writer_note_message(server->aof->writer, from, journal_end(server->journal));
}

bool aof_gates_all(const struct server *server)
{
    return server->aof->state == AOF_ON && server->config->appendfsync == APPENDFSYNC_ALWAYS;
}

enum err aof_refusal(const struct server *server, char text[256])
{
    const struct aof *aof = server->aof;

    if (aof->state != AOF_ON || aof->last_write_ok) return OK;
    int error = log_writer_figures(aof->writer)->error;
    snprintf(text, 256, "MISCONF Errors writing to the AOF file: %s",
             strerror(error != 0 ? -error : EIO));
    return ERR_TEXT;
}

bool aof_short_of_room(const struct server *server)
{
    const struct aof *aof = server->aof;

    if (aof->state == AOF_OFF || aof->writer == NULL) return false;
    int error = log_writer_figures(aof->writer)->error;
    return error == -ENOSPC || error == -EDQUOT || error == -EFBIG;
}

/* ---- switching --------------------------------------------------------------------------------- */

bool aof_is_on(const struct server *server)
{
    return server->aof->state != AOF_OFF;
}

bool aof_lacks_base(const struct server *server)
{
    return server->aof->state == AOF_WAITS;
}

bool aof_base_is_coming(const struct server *server)
{
    return server->aof->failures == 0;
}

static void stop(struct aof *aof)
{
    struct server *server = aof->server;

    aof_abort_rewrite(aof);
    aof->rewrite_scheduled = false;
    if (aof->state == AOF_ON) aof_flush(server);
    replication_drop_behind_memory(server); /* what only the files hold cannot be read any more */
    journal_set_segments(server->journal, NULL);
    log_writer_free(aof->writer, true);
    aof->writer = NULL;
    segments_forget(aof->segments);
    aof->state = AOF_OFF;
    aof->last_write_ok = true;
    aof->base_wanted = false;
    gates_moved(server);
}

static bool start(struct aof *aof, const char **why)
{
    struct server *server = aof->server;

    *why = "Unable to turn on AOF. Check server logs.";
    if (!aof_prepare_alone(aof)) return false;
    journal_activate(server->journal, false);
    server_update_policy(server);
    aof_make_writer(aof);
    aof->state = AOF_WAITS;
    if (server->in_exec > 0) { /* as in aof_rewrite */
        aof->rewrite_scheduled = true;
        return true;
    }
    if (aof_start_rewrite(aof)) return true;
    stop(aof);
    return false;
}

bool aof_configure(struct server *server, const char **why)
{
    struct aof *aof = server->aof;
    bool wanted = server->config->appendonly;

    if (aof->load != NULL || server->loading) return true;
    if (wanted && aof->state == AOF_OFF && !start(aof, why)) return false;
    if (!wanted && aof->state != AOF_OFF) stop(aof);
    aof_apply_policy(aof);
    return true;
}

bool aof_flush(struct server *server)
{
    struct aof *aof = server->aof;

    if (aof->writer == NULL) return true;
    int error = log_writer_flush(aof->writer);
    if (error != 0) log_warning("The append only file could not be written: %s", strerror(-error));
    return error == 0;
}

/* ---- the log's history ------------------------------------------------------------------------- */

void aof_id_changed(struct server *server)
{
    struct aof *aof = server->aof;
    struct log_writer_change change;

    if (aof->writer == NULL || aof->load != NULL) return;
    aof_fill_change(aof, &change);
    log_writer_change_id(aof->writer, &change);
}

struct segments *aof_let_go(struct server *server)
{
    struct aof *aof = server->aof;
    struct segments *segments = aof->segments;

    if (aof->writer == NULL) return NULL;
    aof_abort_rewrite(aof);
    log_writer_free(aof->writer, false); /* whoever reads them finds everything */
    aof->writer = NULL;
    aof->segments = NULL;
    aof->state = AOF_WAITS;
    gates_moved(server);
    return segments;
}

void aof_began_anew(struct server *server)
{
    struct aof *aof = server->aof;

    if (aof->state == AOF_OFF) return;
    aof_make_writer(aof);
    if (!aof_start_rewrite(aof)) aof->rewrite_scheduled = true;
}

void aof_begin_elsewhere(struct aof *aof)
{
    struct server *server = aof->server;

    aof_flush(server);
    replication_drop_behind_memory(server); /* what only the files hold cannot be read any more */
    journal_set_segments(server->journal, NULL);
    struct segments *segments = aof_let_go(server);
    segments_forget(segments);
    segments_free(segments);
    aof_began_anew(server);
}

/* ---- INFO -------------------------------------------------------------------------------------- */

uint64_t aof_current_size(const struct aof *aof)
{
    if (aof->segments == NULL) return 0;
    return aof->closed_size + segments_current_bytes(aof->segments);
}

uint64_t aof_unwritten(const struct server *server)
{
    const struct aof *aof = server->aof;

    if (aof->state == AOF_OFF || aof->writer == NULL) return 0;
    return journal_end(server->journal) - log_writer_figures(aof->writer)->written;
}

void aof_info(const struct server *server, struct buf *out)
{
    const struct aof *aof = server->aof;
    const struct rewrite *rewrite = &aof->rewrite;

    buf_printf(
        out,
        "aof_enabled:%d\r\naof_rewrite_in_progress:%d\r\naof_rewrite_scheduled:%d\r\n"
        "aof_last_rewrite_time_sec:%lld\r\naof_current_rewrite_time_sec:%lld\r\n"
        "aof_last_bgrewrite_status:%s\r\naof_rewrites:%llu\r\n"
        "aof_rewrites_consecutive_failures:%llu\r\naof_last_write_status:%s\r\n"
        "aof_last_cow_size:0\r\nmodule_fork_in_progress:0\r\nmodule_fork_last_cow_size:0\r\n",
        aof->state != AOF_OFF, rewrite->running, aof->rewrite_scheduled,
        (long long)aof->last_rewrite_s,
        rewrite->running ? (long long)(clock_wall_ms() - rewrite->started_ms) / 1000 : -1LL,
        aof->last_rewrite_ok ? "ok" : "err", (unsigned long long)aof->rewrites,
        (unsigned long long)aof->failures, aof->last_write_ok ? "ok" : "err");
    if (aof->state == AOF_OFF || aof->writer == NULL) return;
    const struct log_writer_figures *figures = log_writer_figures(aof->writer);
    buf_printf(out,
               "aof_current_size:%llu\r\naof_base_size:%llu\r\naof_pending_rewrite:%d\r\n"
               "aof_buffer_length:%llu\r\naof_pending_bio_fsync:%d\r\naof_delayed_fsync:%llu\r\n"
               "aof_stalled_writes:%llu\r\n",
               (unsigned long long)aof_current_size(aof), (unsigned long long)aof->base_size,
               aof->state == AOF_WAITS, (unsigned long long)aof_unwritten(server), figures->syncing,
               (unsigned long long)figures->syncs_delayed, (unsigned long long)aof->stalled);
}
