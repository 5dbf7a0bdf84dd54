#include "server/persistence.h"

#include "base/log.h"
#include "base/mem.h"
#include "handlers.h"
#include "io/clock.h"
#include "io/file.h"
#include "persist/rdb_file.h"
#include "server/config.h"
#include "server/folder.h"
#include "server/latency.h"
#include "server/replication.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SLICE_BYTES = 128 * 1024, /* records copied per turn and image: well under a millisecond */
    SLICE_BUCKETS = 512,
    BEHIND_RETRY_US = 500,
    LOAD_POLL_US = 100,
    LOAD_ALONE_US = 200 * 1000, /* also where the disk is slow */
    SAVE_RETRY_MS = 5000,       /* after a failed BGSAVE the next one waits so long */
};

struct running {
    struct image *image;
    bool walked;
    uint64_t next_key_us; /* rdb-key-save-delay: when the walker may take the next keys */
};

struct persistence {
    struct server *server;
    struct running running[SNAPSHOTS_MAX];
    struct loader *loader; /* at start */
    void (*loaded)(struct server *server);
    struct image *save_image; /* BGSAVE */
    struct rdb_file *save_file;
    uint64_t dirty_at_save;
    bool save_scheduled;
    bool last_save_ok;
    int64_t last_save_s, last_try_ms, last_duration_s, save_started_ms;
    uint64_t saves, keys_loaded, keys_expired;
    int64_t longest_slice_us;
};

struct persistence *persistence_new(struct server *server)
{
    struct persistence *persistence = mem_zalloc(sizeof *persistence);

    persistence->server = server;
    persistence->last_save_ok = true;
    persistence->last_duration_s = -1;
    persistence->last_save_s = server->now_ms / 1000;
    return persistence;
}

/* ---- loading ---------------------------------------------------------------------------------- */

static void state_expired(struct server *server, const struct loader_outcome *outcome)
{
    size_t at = 0;
    int db;
    struct span key;

    while (loader_next_expired(outcome, &at, &db, &key)) {
        struct span argv[] = {SPAN("DEL"), key};
        unit_add(&server->unit, db, 2, argv);
        unit_commit(&server->unit);
    }
}

void persistence_take_data(struct server *server, struct loader_outcome *outcome)
{
    struct persistence *persistence = server->persistence;

    store_replace_all(server->store, outcome->keyspaces);
    mem_free(outcome->keyspaces);
    outcome->keyspaces = NULL;
    store_set_dirty(server->store, 0);
    functions_replace_all(&server->functions, outcome->functions, outcome->function_count);
    outcome->functions = NULL;
    outcome->function_count = 0;
    persistence->keys_loaded = outcome->keys_loaded;
    persistence->keys_expired = outcome->keys_expired;
}

static void take_loaded(struct server *server, struct loader_outcome *outcome)
{
    persistence_take_data(server, outcome);
    if (outcome->has_repl)
        replication_restored(server, outcome->repl_id, outcome->repl_offset,
                             outcome->repl_stream_db);
    server->loading = false;
    server_update_policy(server);
    state_expired(server, outcome);
}

static void on_loaded(void *context)
{
    struct server *server = context;
    struct persistence *persistence = server->persistence;
    struct loader_outcome outcome;

    loader_take(&persistence->loader, &outcome);
    if (outcome.err != OK) {
        log_warning("%s", outcome.error);
        log_warning("Fatal error loading the DB: %s. Exiting.", outcome.error);
        exit(1);
    }
    log_notice("DB loaded from disk: %.3f seconds",
               (double)(clock_wall_ms() - persistence->save_started_ms) / 1000);
    take_loaded(server, &outcome);
    loader_outcome_release(&outcome);
    persistence->loaded(server);
}

/* Clients of a server with little data never see LOADING: until that many bytes are read nothing else is done, as Redis
 * has it with loading-process-events-interval-bytes. */
static void load_small_at_once(struct server *server)
{
    uint64_t interval = (uint64_t)server->config->loading_process_events_interval_bytes;
    int64_t until_us = clock_monotonic_us() + LOAD_ALONE_US;

    while (server->loading && clock_monotonic_us() < until_us) {
        struct loader_progress progress;
        loader_progress(server->persistence->loader, &progress);
        if (progress.bytes >= interval && !loader_finished(server->persistence->loader)) return;
        if (loader_finished(server->persistence->loader)) loop_run_posted(server->loop);
        else clock_block_us(LOAD_POLL_US);
    }
}

struct loader_options persistence_loader_options(const struct server *server)
{
    return (struct loader_options){
        .databases = store_databases(server->store),
        .settings = *store_settings(server->store),
        .now_ms = server->now_ms,
        .checksum = server->config->rdbchecksum,
        .lfu = server_uses_lfu(server),
    };
}

void persistence_load(struct server *server, void (*done)(struct server *))
{
    struct persistence *persistence = server->persistence;
    const char *path = server->config->dbfilename;

    persistence->loaded = done;
    if (!file_exists(path)) {
        done(server);
        return;
    }
    server->loading = true;
    server_update_policy(server);
    persistence->save_started_ms = clock_wall_ms();
    struct loader_options options = persistence_loader_options(server);
    options.drop_expired = !server_is_replica(server);
    options.key_load_delay_us = server->config->key_load_delay;
    options.loop = server->loop;
    options.done = on_loaded;
    options.context = server;
    persistence->loader = loader_open_file(path, &options);
    load_small_at_once(server);
}

struct loader *persistence_loader(const struct server *server)
{
    return server->persistence->loader;
}

/* ---- images ----------------------------------------------------------------------------------- */

/* All that is the same for every image. The caller frees options->functions. */
static void fill_options(struct server *server, struct image_options *options)
{
    const struct config *config = server->config;

    *options = (struct image_options){
        .dir = folder_path(server),
        .loop = server->loop,
        .worker = server->file_worker,
        .room = server->spool_room,
        .compress = config->rdbcompression,
        .checksum = config->rdbchecksum,
        .clock = server_uses_lfu(server)   ? IMAGE_CLOCK_FREQUENCY
                 : server_uses_lru(server) ? IMAGE_CLOCK_IDLE
                                           : IMAGE_CLOCK_NONE,
        .lfu_decay_minutes = (int)config->lfu_decay_time,
        .now_ms = server->now_ms,
        .used_memory = mem_used(),
    };
    if (journal_active(server->journal)) {
        options->repl_id = journal_id(server->journal);
        options->repl_offset = (int64_t)journal_end(server->journal);
        options->repl_stream_db = journal_stream_db(server->journal);
    }
    const struct functions *functions = &server->functions;
    if (functions->count > 0) {
        struct span *codes = mem_alloc(functions->count * sizeof *codes);
        for (size_t i = 0; i < functions->count; i++)
            codes[i] = buf_span(&functions->libraries[i].code);
        options->functions = codes;
        options->function_count = functions->count;
    }
}

/* A base of the AOF has no place in the log: the incr file behind it says where that stands. */
static void make_base_options(struct server *server, struct image_options *options)
{
    options->aof_base = true;
    options->repl_id = NULL;
    options->commands = !server->config->aof_use_rdb_preamble;
    options->settings = *store_settings(server->store);
}

static struct image *start_image(struct server *server, bool aof_base, bool keep_head,
                                 void (*ready)(void *), void *context)
{
    struct running *slot = NULL;
    struct image_options options;

    for (int i = 0; i < SNAPSHOTS_MAX && slot == NULL; i++)
        if (server->persistence->running[i].image == NULL) slot = &server->persistence->running[i];
    if (slot == NULL) return NULL;
    fill_options(server, &options);
    if (aof_base) make_base_options(server, &options);
    options.keep_head = keep_head;
    options.ready = ready;
    options.context = context;
    *slot = (struct running){.image = image_start(server->store, &options)};
    mem_free((void *)options.functions);
    return slot->image;
}

struct image *persistence_start_image(struct server *server, bool keep_head, void (*ready)(void *),
                                      void *context)
{
    return start_image(server, false, keep_head, ready, context);
}

struct image *persistence_start_base(struct server *server)
{
    return start_image(server, true, false, NULL, NULL);
}

void persistence_drop_image(struct server *server, struct image *image)
{
    for (int i = 0; i < SNAPSHOTS_MAX; i++)
        if (server->persistence->running[i].image == image)
            server->persistence->running[i].image = NULL;
    image_release(image);
}

int persistence_images(const struct server *server)
{
    int count = 0;

    for (int i = 0; i < SNAPSHOTS_MAX; i++) count += server->persistence->running[i].image != NULL;
    return count;
}

/* How many keys rdb-key-save-delay lets the walker take now; a positive delay is per key, -N is 1 us every N keys. */
static size_t keys_allowed(struct server *server, struct running *running)
{
    int64_t delay = server->config->rdb_key_save_delay;
    uint64_t now_us = (uint64_t)server->now_mono_us;

    if (delay == 0) return SIZE_MAX;
    if (running->next_key_us == 0) running->next_key_us = now_us;
    if (now_us < running->next_key_us) return 0;
    uint64_t elapsed = now_us - running->next_key_us;
    size_t keys = delay > 0 ? (size_t)(elapsed / (uint64_t)delay) + 1
                            : (size_t)(elapsed + 1) * (size_t)-delay;
    if (keys > 10000) keys = 10000;
    running->next_key_us = now_us + (delay > 0 ? (uint64_t)delay : 1);
    return keys;
}

static int64_t walk_one(struct server *server, struct running *running)
{
    size_t keys = keys_allowed(server, running);

    if (keys == 0) return (int64_t)(running->next_key_us - (uint64_t)server->now_mono_us);
    struct image_budget budget = {.bytes = SLICE_BYTES, .buckets = SLICE_BUCKETS, .keys = keys};
    switch (image_walk(running->image, budget)) {
    case IMAGE_MORE: return keys == SIZE_MAX ? 0 : 100;
    case IMAGE_BEHIND: return BEHIND_RETRY_US;
    case IMAGE_WALKED:
    case IMAGE_STOPPED: running->walked = true; break;
    }
    return -1;
}

int64_t persistence_walk(struct server *server)
{
    int64_t next_us = -1;

    for (int i = 0; i < SNAPSHOTS_MAX; i++) {
        struct running *running = &server->persistence->running[i];
        if (running->image == NULL || running->walked) continue;
        int64_t from_us = clock_monotonic_us();
        int64_t wants_us = walk_one(server, running);
        int64_t took_us = clock_monotonic_us() - from_us;
        if (took_us > server->persistence->longest_slice_us)
            server->persistence->longest_slice_us = took_us;
        latency_add_event(server, LATENCY_SNAPSHOT_WALK, took_us / 1000);
        if (wants_us >= 0 && (next_us < 0 || wants_us < next_us)) next_us = wants_us;
    }
    return next_us;
}

/* ---- saving ----------------------------------------------------------------------------------- */

static void saved(struct server *server, const char *error, uint64_t bytes, uint64_t dirty_at_start)
{
    struct persistence *persistence = server->persistence;

    persistence->last_save_ok = error[0] == '\0';
    persistence->last_duration_s = (clock_wall_ms() - persistence->save_started_ms) / 1000;
    if (!persistence->last_save_ok) {
        log_warning("Background saving error: %s", error);
        return;
    }
    /* The count began anew meanwhile where a full sync or a load replaced the data. */
    uint64_t dirty = store_dirty(server->store);
    store_set_dirty(server->store, dirty > dirty_at_start ? dirty - dirty_at_start : 0);
    persistence->last_save_s = clock_wall_ms() / 1000;
    persistence->saves++;
    log_notice("DB saved on disk");
    (void)bytes;
}

static void on_saved(void *context, const char *error, uint64_t bytes)
{
    struct server *server = context;
    struct persistence *persistence = server->persistence;

    saved(server, error, bytes, persistence->dirty_at_save);
    if (error[0] == '\0') log_notice("Background saving terminated with success");
    persistence->save_file = NULL;
    persistence_drop_image(server, persistence->save_image);
    persistence->save_image = NULL;
}

bool persistence_background_save(struct server *server, const char **error)
{
    struct persistence *persistence = server->persistence;
    char text[256], folder[PATH_MAX];

    *error = "ERR Background save already in progress";
    if (persistence->save_image != NULL) return false;
    *error = "ERR Too many snapshots are running";
    persistence->last_try_ms = server->now_ms;
    persistence->save_started_ms = clock_wall_ms();
    persistence->save_scheduled = false;
    struct image *image = persistence_start_image(server, false, NULL, NULL);
    if (image == NULL) return false;
    struct rdb_file_options file_options = {
        /* By its full name: CONFIG SET dir may change the working directory meanwhile. */
        .dir = getcwd(folder, sizeof folder) != NULL ? folder : ".",
        .name = server->config->dbfilename,
        .incremental_fsync = server->config->rdb_save_incremental_fsync,
        .done = on_saved,
        .context = server,
    };
    persistence->save_file = rdb_file_start(image, &file_options, text);
    if (persistence->save_file == NULL) {
        persistence_drop_image(server, image);
        persistence->last_save_ok = false;
        log_warning("Background saving error: %s", text);
        *error =
            "ERR Background save could not start: the temporary file cannot be made, see the log";
        return false;
    }
    persistence->save_image = image;
    persistence->dirty_at_save = store_dirty(server->store);
    log_notice("Background saving started by pid %d", (int)getpid());
    return true;
}

void persistence_abort_background_save(struct server *server)
{
    struct persistence *persistence = server->persistence;

    if (persistence->save_image == NULL) return;
    rdb_file_abort(persistence->save_file);
    persistence->save_file = NULL;
    persistence_drop_image(server, persistence->save_image);
    persistence->save_image = NULL;
}

bool persistence_saving(const struct server *server)
{
    return server->persistence->save_image != NULL;
}

bool persistence_save_now(struct server *server, char error[256])
{
    struct persistence *persistence = server->persistence;
    struct image_options options;
    uint64_t bytes = 0, dirty = store_dirty(server->store);

    persistence->save_started_ms = clock_wall_ms();
    persistence->last_try_ms = server->now_ms;
    fill_options(server, &options);
    struct rdb_file_options file_options = {
        .dir = ".",
        .name = server->config->dbfilename,
        .incremental_fsync = server->config->rdb_save_incremental_fsync,
    };
    error[0] = '\0';
    enum err err = rdb_file_save(server->store, &options, &file_options, NULL, error, &bytes);
    mem_free((void *)options.functions);
    if (err != OK && error[0] == '\0') snprintf(error, 256, "%s", err_text(err));
    bool last_save_ok = persistence->last_save_ok;
    saved(server, error, bytes, dirty);
    if (err != OK)
        persistence->last_save_ok = last_save_ok; /* whoever asked knows: no MISCONF for all */
    return err == OK;
}

bool persistence_save_base(struct server *server, const char *dir, const char *name,
                           char error[256])
{
    struct image_options options;
    struct rdb_file_options file_options = {.dir = dir, .name = name};

    fill_options(server, &options);
    make_base_options(server, &options);
    options.commands = false; /* the data set is empty, or was an RDB file */
    error[0] = '\0';
    enum err err = rdb_file_save(server->store, &options, &file_options, NULL, error, NULL);
    mem_free((void *)options.functions);
    if (err != OK && error[0] == '\0') snprintf(error, 256, "%s", err_text(err));
    return err == OK;
}

bool persistence_has_save_points(const struct server *server)
{
    return server->config->save.count > 0;
}

bool persistence_refuses_writes(const struct server *server)
{
    return server->config->stop_writes_on_bgsave_error && persistence_has_save_points(server) &&
           !server->persistence->last_save_ok;
}

void persistence_cron(struct server *server)
{
    struct persistence *persistence = server->persistence;
    const struct config *config = server->config;
    const char *error;

    if (persistence->save_image != NULL || server->loading) return;
    if (persistence->save_scheduled) {
        persistence_background_save(server, &error);
        return;
    }
    if (!persistence->last_save_ok && server->now_ms - persistence->last_try_ms < SAVE_RETRY_MS)
        return;
    for (int i = 0; i < config->save.count; i++) {
        const struct save_point *point = &config->save.points[i];
        if (store_dirty(server->store) < (uint64_t)point->changes) continue;
        if (server->now_ms / 1000 - persistence->last_save_s <= point->seconds) continue;
        log_notice("%d changes in %d seconds. Saving...", (int)point->changes, (int)point->seconds);
        persistence_background_save(server, &error);
        return;
    }
}

void persistence_reset_figures(struct server *server)
{
    server->persistence->saves = 0;
    server->persistence->longest_slice_us = 0;
}

void persistence_figures(const struct server *server, struct persistence_figures *out)
{
    const struct persistence *persistence = server->persistence;

    *out = (struct persistence_figures){
        .saving = persistence->save_image != NULL,
        .last_save_ok = persistence->last_save_ok,
        .last_save_s = persistence->last_save_s,
        .last_duration_s = persistence->last_duration_s,
        .current_started_ms = persistence->save_image != NULL ? persistence->save_started_ms : 0,
        .saves = persistence->saves,
        .keys_expired_at_load = persistence->keys_expired,
        .keys_loaded_at_load = persistence->keys_loaded,
        .longest_slice_us = persistence->longest_slice_us,
    };
    for (int i = 0; i < SNAPSHOTS_MAX; i++) {
        if (persistence->running[i].image == NULL) continue;
        struct image_progress progress;
        image_progress(persistence->running[i].image, &progress);
        if (image_state(persistence->running[i].image) != IMAGE_MAKING) continue;
        out->keys_processed = progress.keys_encoded;
        out->keys_total = progress.keys_total;
        if (progress.keys_total > 0)
            out->percent = 100.0 * (double)progress.keys_encoded / (double)progress.keys_total;
        break;
    }
}

/* ---- commands --------------------------------------------------------------------------------- */

enum err cmd_save(struct call *call)
{
    char error[256];

    if (persistence_saving(call_server(call)))
        return call_fail(call, "ERR Background save already in progress");
    if (!persistence_save_now(call_server(call), error)) return call_fail(call, "ERR");
    reply_ok(call->reply);
    return OK;
}

enum err cmd_bgsave(struct call *call)
{
    struct server *server = call_server(call);
    bool schedule = call->argc == 2 && call_arg_is(call, 1, "schedule");
    const char *error;

    if (call->argc > 2 || (call->argc == 2 && !schedule)) return ERR_SYNTAX;
    /* A snapshot stands at an offset of the log, which has nothing of a transaction before its end. */
    if (server->in_exec > 0 && !persistence_saving(server)) {
        server->persistence->save_scheduled = true;
        reply_status(call->reply, "Background saving scheduled");
        return OK;
    }
    if (!persistence_background_save(server, &error)) return call_fail(call, "%s", error);
    reply_status(call->reply, "Background saving started");
    return OK;
}

enum err cmd_lastsave(struct call *call)
{
    reply_int64(call->reply, call_server(call)->persistence->last_save_s);
    return OK;
}
