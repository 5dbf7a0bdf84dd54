/* Loading the append only file at start.
 *
 *   aof_load      manifest (an old single file becomes one; without files dump.rdb is loaded and becomes
 *      |          the base)
 *      v
 *   examine       on the file worker: every incr file from mark to mark, CRCs checked
 *      v
 *   base          an RDB: the loader's thread; commands: replayed
 *      v
 *   replay        incr file by incr file, in slices, up to the end of the last complete stretch
 *      v
 *   restore       the journal ends where the files end, under their id (a primary: as its second one)
 *      v
 *   tail          a primary executes the whole units of a last stretch that is only short, and what
 *      |          somebody else appended: they enter the log anew. A replica does not: its primary has them
 *      v
 *   done          the last file is cut behind its last complete stretch and goes on
 *
 * A recovery (aof_recovery.h) executes units up to its moment, tail and all, and begins anew instead of restore.
 *
 * Replay never expires and never evicts. Where a time line stands, it is what the commands behind it take for now. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "handlers.h"
#include "io/clock.h"
#include "io/file.h"
#include "persist/aof_replay.h"
#include "persist/loader.h"
#include "server/aof_load_inside.h"
#include "server/config.h"
#include "server/dispatch.h"
#include "server/folder.h"
#include "server/persistence.h"
#include "server/replication.h"

#include <stdio.h>

enum {
    SLICE_BYTES = 256 * 1024,
    ALONE_US = 200 * 1000, /* small data sets are loaded before anybody is answered */
    POLL_US = 100,
};

static bool is_last(const struct aof_load *load)
{
    return load->current == load->count - 1;
}

static bool is_recovery(const struct aof_load *load)
{
    return load->recovery.kind != RECOVER_NOTHING;
}

/* ---- executing --------------------------------------------------------------------------------- */

static bool run_command(void *context, int argc, const struct span *argv, char reason[static 256])
{
    struct aof_load *load = context;
    struct server *server = load->aof->server;
    struct session *applier = server->applier;
    const struct command *command = dispatch_find(server, argv, argc);

    if (command == NULL || command->run == NULL || !command_takes(command, argc)) {
        int len = argc > 0 && argv[0].len < 128 ? (int)argv[0].len : 0;
        snprintf(reason, 256, "Unknown command '%.*s' reading the append only file", len,
                 len > 0 ? argv[0].ptr : "");
        return false;
    }
    if (command->run == cmd_multi || command->run == cmd_exec) {
        load->in_transaction = command->run == cmd_multi;
    } else {
        struct parsed request = {.argv = argv, .argc = argc, .command = command};
        int64_t now_ms = server->now_ms;
        if (load->written_ms != 0) server->now_ms = load->written_ms;
        dispatch_call(applier, &request, CALL_REPLAY);
        server->now_ms = now_ms;
    }
    if (!load->in_transaction) dispatch_commit(server);
    return true;
}

static void see_line(void *context, struct span line, uint64_t end)
{
    struct aof_load *load = context;
    struct segment_parsed parsed;

    if (segment_parse(line, &parsed) == SEGMENT_LINE_TIME) load->written_ms = parsed.unix_s * 1000;
    if (is_recovery(load)) recovery_see_line(&load->recovery, line, end);
}

static bool wants(void *context, struct span name, uint64_t end)
{
    struct aof_load *load = context;

    return recovery_wants(&load->recovery, name, end);
}

/* ---- replay ------------------------------------------------------------------------------------ */

static void say_short(const struct aof_load *load, const char *path, uint64_t valid)
{
    log_warning(
        "The append only file %s ends within a command or transaction: its last whole one ends at "
        "%llu",
        path, (unsigned long long)valid);
    if (load->aof->server->config->aof_load_truncated) {
        log_warning("It is loaded up to there, since aof-load-truncated is on");
        return;
    }
    log_warning(
        "Unexpected end of file reading the append only file. Mend it by redis-check-aof --fix %s, "
        "or set aof-load-truncated to yes",
        path);
    aof_load_give_up();
}

static struct aof_replay *open_replay(struct aof_load *load, const char *path, uint64_t from,
                                      uint64_t upto)
{
    int error;
    struct aof_replay_options options = {
        .run = run_command, .line = see_line, .context = load, .from = from, .upto = upto};

    if (is_recovery(load)) {
        options.wants = wants;
        recovery_begin_file(&load->recovery);
    }
    struct aof_replay *replay = aof_replay_open(path, &options, &error);
    if (replay != NULL) return replay;
    log_warning("Fatal error: can't open the append only file %s for reading: %s", path,
                strerror(-error));
    aof_load_give_up();
}

/* What is fatal in any file. */
static void refuse_bad(const struct aof_load *load, enum aof_replay_state state, const char *path)
{
    const struct aof_replay_figures *figures = aof_replay_figures(load->replay);

    switch (state) {
    case AOF_REPLAY_BAD:
        log_warning("%s is wrong at byte %llu: %s", path, (unsigned long long)figures->position,
                    figures->reason);
        log_warning(
            "Bad file format reading the append only file: make a copy of it, then mend it by "
            "redis-check-aof --fix");
        aof_load_give_up();
    case AOF_REPLAY_STOPPED: log_warning("%s", figures->reason); aof_load_give_up();
    case AOF_REPLAY_FAILED:
        log_warning("Unrecoverable error reading the append only file %s: %s", path,
                    figures->reason);
        aof_load_give_up();
    default: return;
    }
}

static void begin_incr(struct aof_load *load)
{
    struct incr *incr = &load->incrs[load->current];
    bool is_replica = server_is_replica(load->aof->server);
    uint64_t upto = UINT64_MAX;

    load->file_started_ms = clock_wall_ms();
    if (incr->found.has_history) upto = incr->found.end_at;
    load->tail_from = load->tail_upto = 0;
    if (incr->found.has_history && incr->found.size > incr->found.end_at) {
        const struct segments_found *next = is_last(load) ? NULL : &incr[1].found;
        /* Behind a file with a foreign tail Redis may have begun others, or we one that replaces it. */
        if (next == NULL || !next->has_history || next->first != incr->found.end) {
            if (next != NULL) upto = UINT64_MAX;
        } else if (!is_recovery(load)) {
            aof_load_cut_replaced(incr);
        }
        if (is_last(load) && incr->found.tail == SEGMENT_SHORT)
            say_short(load, incr->path, incr->found.end_at);
        if (is_last(load) && !incr->found.bad_crc && is_recovery(load)) {
            upto = incr->found.tail_end;
        } else if (is_last(load) && !incr->found.bad_crc && !is_replica) {
            load->tail_from = incr->found.tail_at;
            load->tail_upto = incr->found.tail_end;
        }
    }
    load->phase = REPLAY;
    load->in_transaction = false;
    load->written_ms = 0; /* a replay of the torn tail goes on with what this one sees */
    load->aof->server->applier->db = 0;
    load->replay = open_replay(load, incr->path, 0, upto);
}

static void next_file(struct aof_load *load)
{
    load->current++;
    if (load->current < load->count && !load->recovery.reached) {
        begin_incr(load);
        return;
    }
    if (is_recovery(load)) {
        aof_load_recovered(load);
        load->phase = DONE;
        return;
    }
    load->current = load->count - 1;
    aof_load_restore(load);
    if (load->tail_upto > load->tail_from) {
        load->phase = TAIL;
        load->in_transaction = false;
        load->replay =
            open_replay(load, load->incrs[load->current].path, load->tail_from, load->tail_upto);
        return;
    }
    load->phase = DONE;
}

/* Of a stretch that is torn whatever is no command is torn as well: zeros, say. */
static bool in_torn_tail(const struct aof_load *load)
{
    const struct incr *incr = load->current >= 0 ? &load->incrs[load->current] : NULL;

    if (load->phase != TAIL && (load->phase != REPLAY || !is_recovery(load))) return false;
    return is_last(load) && incr->found.tail == SEGMENT_SHORT &&
           aof_replay_figures(load->replay)->position >= incr->found.end_at;
}

static void replay_ended(struct aof_load *load, enum aof_replay_state state)
{
    bool of_base = load->phase == BASE_COMMANDS;
    char path[PATH_MAX];
    const char *name =
        of_base ? manifest_base(&load->aof->manifest)->name : load->incrs[load->current].name;

    aof_path(load->aof->server, name, path);
    if (in_torn_tail(load) && state == AOF_REPLAY_BAD) state = AOF_REPLAY_SHORT;
    refuse_bad(load, state, path);
    uint64_t valid = aof_replay_figures(load->replay)->valid;
    if (state == AOF_REPLAY_SHORT && load->phase != TAIL) {
        bool last = of_base ? load->count == 0 : is_last(load);
        if (!last) {
            log_warning("%s is not the last file and ends within a command", path);
            log_warning("Unexpected end of file reading the append only file");
            aof_load_give_up();
        }
        say_short(load, path, valid);
        /* A file without our lines, where Redis cuts it: a new one follows. */
        if (!is_recovery(load)) aof_load_cut(path, valid);
    }
    aof_replay_free(load->replay);
    load->replay = NULL;
    if (load->phase == TAIL) {
        load->phase = DONE;
        return;
    }
    log_notice("DB loaded from %s file %s: %.3f seconds", of_base ? "base" : "incr", name,
               (double)(clock_wall_ms() - load->file_started_ms) / 1000);
    next_file(load);
}

/* ---- the base ---------------------------------------------------------------------------------- */

static void on_base_loaded(void *context)
{
    struct aof_load *load = context;
    struct server *server = load->aof->server;
    const char *name = manifest_base(&load->aof->manifest)->name;
    struct loader_outcome outcome;
    char path[PATH_MAX];

    loader_take(&load->loader, &outcome);
    if (outcome.err != OK) {
        log_warning("Error reading the RDB preamble of the AOF file %s: %s", name, outcome.error);
        aof_load_give_up();
    }
    persistence_take_data(server, &outcome);
    uint64_t bytes = outcome.bytes;
    load->recovery.base_s = outcome.created_s;
    loader_outcome_release(&outcome);
    aof_path(server, name, path);
    if (aof_size_of(server, name) > bytes) { /* an old file: commands follow its preamble */
        load->phase = BASE_COMMANDS;
        load->replay = open_replay(load, path, bytes, UINT64_MAX);
        return;
    }
    log_notice("DB loaded from base file %s: %.3f seconds", name,
               (double)(clock_wall_ms() - load->file_started_ms) / 1000);
    load->current = -1;
    next_file(load);
}

static void begin_base(struct aof_load *load)
{
    struct server *server = load->aof->server;
    const struct manifest_file *base = manifest_base(&load->aof->manifest);
    char path[PATH_MAX];

    load->file_started_ms = clock_wall_ms();
    load->current = -1;
    if (base == NULL) {
        next_file(load);
        return;
    }
    aof_path(server, base->name, path);
    if (!loader_is_rdb(path)) {
        load->phase = BASE_COMMANDS;
        server->applier->db = 0;
        load->replay = open_replay(load, path, 0, UINT64_MAX);
        return;
    }
    load->phase = BASE_RDB;
    struct loader_options options = persistence_loader_options(server);
    options.tail_follows = true;
    options.key_load_delay_us = server->config->key_load_delay;
    options.loop = server->loop;
    options.done = on_base_loaded;
    options.context = load;
    load->loader = loader_open_file(path, &options);
}

/* ---- examining --------------------------------------------------------------------------------- */

static void examine_work(void *context)
{
    struct aof_load *load = context;

    if (!is_recovery(load)) segments_take_retired(load->aof->segments);
    for (int i = 0; i < load->count; i++)
        segments_examine(load->aof->segments, load->incrs[i].path, false, &load->incrs[i].found);
}

static void refuse_damaged(const struct aof_load *load)
{
    for (int i = 0; i < load->count; i++) {
        const struct incr *incr = &load->incrs[i];
        const struct segments_found *found = &incr->found;
        bool last = i == load->count - 1;
        if (found->tail == SEGMENT_IO) {
            log_warning("Fatal error: can't open the append only file %s for reading: %s",
                        incr->path, strerror(-found->error));
            aof_load_give_up();
        }
        bool tail = found->has_history && found->size > found->end_at;
        if (found->tail == SEGMENT_DAMAGED || (tail && !last && found->tail != SEGMENT_FOREIGN)) {
            log_warning("%s is damaged behind byte %llu (offset %llu of the log)", incr->path,
                        (unsigned long long)found->end_at, (unsigned long long)found->end);
            log_warning(
                "Bad file format reading the append only file: what stands there is not what was "
                "written");
            aof_load_give_up();
        }
    }
}

static void examined(void *context)
{
    struct aof_load *load = context;

    refuse_damaged(load);
    begin_base(load);
}

/* ---- the beginning ----------------------------------------------------------------------------- */

static void refuse_missing(const struct aof *aof)
{
    for (size_t i = 0; i < aof->manifest.count; i++) {
        const struct manifest_file *file = &aof->manifest.files[i];
        char path[PATH_MAX];
        aof_path(aof->server, file->name, path);
        if (file->type == MANIFEST_HISTORY || file_exists(path)) continue;
        log_warning("Unable to obtain the AOF file %s length. stat: No such file or directory",
                    file->name);
        aof_load_give_up();
    }
}

/* A single file of versions before 7.0 moves into the folder and becomes the base. */
static void take_old_file(struct aof *aof)
{
    const char *name = aof->server->config->appendfilename;
    char to[PATH_MAX], manifest_path[PATH_MAX];

    if (!file_exists(name)) return;
    manifest_add_old_base(&aof->manifest, name);
    aof_path(aof->server, name, to);
    aof_manifest_path(aof->server, manifest_path);
    int error = aof_write_manifest(manifest_path, &aof->manifest);
    if (error == 0) error = file_rename_durable(name, to);
    if (error != 0) {
        log_warning("Can't move the old append only file %s into %s: %s", name,
                    aof->server->config->appenddirname, strerror(-error));
        aof_load_give_up();
    }
    log_notice("Successfully migrated an old-style AOF");
}

static void first_start(struct server *server)
{
    struct aof_load *load = server->aof->load;

    aof_load_begin_anew(load);
    server->loading = true;
    aof_load_finish(load);
}

static void list_incrs(struct aof_load *load)
{
    const struct manifest *manifest = &load->aof->manifest;

    load->count = (int)manifest_incr_count(manifest);
    load->incrs = mem_zalloc((size_t)(load->count + 1) * sizeof *load->incrs);
    for (int i = 0; i < load->count; i++) {
        load->incrs[i].name = manifest_incr(manifest, i)->name;
        aof_path(load->aof->server, load->incrs[i].name, load->incrs[i].path);
    }
}

/* Clients of a server with little data never see LOADING. */
static void load_small_at_once(struct server *server)
{
    int64_t until_us = clock_monotonic_us() + ALONE_US;

    while (server->aof->load != NULL && clock_monotonic_us() < until_us) {
        loop_run_posted(server->loop);
        if (server->aof->load != NULL && aof_load_slice(server) != 0) clock_block_us(POLL_US);
    }
}

void aof_load(struct server *server, const struct recovery *recovery, void (*done)(struct server *))
{
    struct aof *aof = server->aof;
    struct aof_load *load = mem_zalloc(sizeof *load);
    bool found;

    load->aof = aof;
    load->done = done;
    load->recovery = *recovery;
    load->started_ms = clock_wall_ms();
    aof->load = load;
    if (!aof_take_folder(aof) || !aof_read_manifest(aof, &found)) aof_load_give_up();
    if (!found) take_old_file(aof);
    aof->segments = segments_new(folder_path(server));
    if (aof->manifest.count == 0) {
        if (recovery->kind != RECOVER_NOTHING) {
            log_warning("There is no append only file in %s to recover from",
                        server->config->appenddirname);
            aof_load_give_up();
        }
        persistence_load(server, first_start);
        return;
    }
    refuse_missing(aof);
    list_incrs(load);
    server->loading = true;
    server_update_policy(server);
    store_policy(server->store)->keep_expired = true;
    load->phase = EXAMINE;
    worker_submit(server->file_worker, examine_work, examined, load);
    load_small_at_once(server);
}

/* ---- again -------------------------------------------------------------------------------------- */

static bool reload_file(struct aof_load *load, const char *name, uint64_t from)
{
    char path[PATH_MAX];
    enum aof_replay_state state;
    int error;
    struct aof_replay_options options = {
        .run = run_command, .line = see_line, .context = load, .from = from, .upto = UINT64_MAX};

    aof_path(load->aof->server, name, path);
    load->in_transaction = false;
    load->aof->server->applier->db = 0;
    struct aof_replay *replay = aof_replay_open(path, &options, &error);
    if (replay == NULL) return false;
    do state = aof_replay_run(replay, SLICE_BYTES);
    while (state == AOF_REPLAY_MORE);
    aof_replay_free(replay);
    return state == AOF_REPLAY_DONE;
}

static bool reload_base(struct aof_load *load)
{
    struct server *server = load->aof->server;
    const struct manifest_file *base = manifest_base(&load->aof->manifest);
    struct loader_outcome outcome;
    struct loader_options options = persistence_loader_options(server);
    char path[PATH_MAX];

    if (base == NULL) return true;
    aof_path(server, base->name, path);
    if (!loader_is_rdb(path)) return reload_file(load, base->name, 0);
    options.tail_follows = options.inline_loading = true;
    struct loader *loader = loader_open_file(path, &options);
    loader_take(&loader, &outcome);
    bool fine = outcome.err == OK;
    uint64_t bytes = outcome.bytes;
    if (fine) persistence_take_data(server, &outcome);
    loader_outcome_release(&outcome);
    return fine &&
           (aof_size_of(server, base->name) <= bytes || reload_file(load, base->name, bytes));
}

bool aof_reload(struct server *server)
{
    struct aof *aof = server->aof;
    struct aof_load load = {.aof = aof};
    bool was_open = server->unit.open, fine;
    uint64_t dirty = store_dirty(server->store);

    if (aof->state != AOF_ON || !aof_flush(server)) return false;
    server->unit.open = false; /* what is replayed is in the log */
    store_policy(server->store)->keep_expired = true;
    store_flush(server->store, -1, false);
    fine = reload_base(&load);
    for (int i = 0; fine && manifest_incr(&aof->manifest, i) != NULL; i++)
        fine = reload_file(&load, manifest_incr(&aof->manifest, i)->name, 0);
    store_policy(server->store)->keep_expired = false;
    store_set_dirty(server->store, dirty);
    server->unit.open = was_open;
    return fine;
}

void aof_loading_progress(const struct server *server, struct loader_progress *out)
{
    const struct aof_load *load = server->aof->load;

    *out = (struct loader_progress){0};
    if (load->loader != NULL) loader_progress(load->loader, out);
    if (load->replay == NULL) return;
    const struct aof_replay_figures *figures = aof_replay_figures(load->replay);
    out->bytes = figures->position;
    out->bytes_total = figures->size;
}

bool aof_loading(const struct server *server)
{
    return server->aof->load != NULL;
}

int64_t aof_load_slice(struct server *server)
{
    struct aof_load *load = server->aof->load;

    if (load == NULL) return -1;
    if (load->phase == DONE) {
        aof_load_finish(load);
        return -1;
    }
    if (load->replay == NULL) return -1; /* a thread is at work and posts */
    enum aof_replay_state state = aof_replay_run(load->replay, SLICE_BYTES);
    if (state != AOF_REPLAY_MORE) replay_ended(load, state);
    return 0;
}
