#include "server/replication.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "handlers.h"
#include "io/clock.h"
#include "io/file.h"
#include "server/aof.h"
#include "server/blocking.h"
#include "server/config.h"
#include "server/dispatch.h"
#include "server/folder.h"
#include "server/persistence.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    TIMER_US = 100 * 1000,
    APPLY_BYTES_MAX = 1 << 30, /* of one unit that is not whole yet */
    BACKLOG_SECONDS = 3600,    /* repl-backlog-seconds -1 with the AOF on */
};

int64_t replication_mono_ms(const struct server *server)
{
    return server->now_mono_us / 1000;
}

/* ---- the stream's commands -------------------------------------------------------------------- */

_Static_assert((int)APPLY_LOT <= (int)BATCH_MAX, "a lot of the stream is a batch");

/* Between two lots of the stream no client's batch is under way: the batch's places serve both. */
static void announce(void *context, int place, int db, int argc, const struct span *argv)
{
    batch_prepare(context, place, db, argc, argv, SPAN(""));
}

static void announced(void *context, int count)
{
    batch_gather(context, count);
}

static bool run_stream_command(void *context, int place, int db, int argc, const struct span *argv,
                               char reason[static 192])
{
    struct server *server = context;
    struct session *applier = server->applier;
    struct parsed request = {.argv = argv, .argc = argc};

    if (place >= 0) request = *batch_prepared(server, place);
    else request.command = dispatch_find(server, argv, argc);
    const struct command *command = request.command;

    if (command == NULL || command->run == NULL || !command_takes(command, argc)) {
        int len = argc > 0 && argv[0].len < 64 ? (int)argv[0].len : 0;
        snprintf(reason, 192, "the primary sent '%.*s', which cannot be executed here", len,
                 len > 0 ? argv[0].ptr : "");
        return false;
    }
    if (command->run == cmd_multi || command->run == cmd_exec)
        return true; /* the unit is atomic here anyway */
    uint64_t errors = applier->reply.errors;

    applier->db = db;
    dispatch_call(applier, &request, CALL_FROM_PRIMARY);
    if (applier->reply.errors == errors) return true;
    server->stats.unexpected_error_replies++;
    snprintf(reason, 192, "the primary's command '%s' failed here: %s", command->name,
             applier->reply.last_error);
    return false;
}

/* ---- life ------------------------------------------------------------------------------------- */

static void on_timer(void *context);

struct replication *replication_new(struct server *server)
{
    struct replication *replication = mem_zalloc(sizeof *replication);
    struct apply_executor executor = {.announce = announce,
                                      .announced = announced,
                                      .run = run_stream_command,
                                      .context = server,
                                      .databases = store_databases(server->store)};

    replication->server = server;
    repl_config_defaults(&replication->config);
    repl_events_init(&replication->events);
    replication->primary = primary_new(&replication->config, server->journal, &replication->events);
    replication->replica = replica_new(&replication->config, server->journal, &replication->events,
                                       replication->primary);
    replication->role = role_new(&replication->config, server->journal, &replication->events,
                                 replication->primary, replication->replica);
    replication->apply = apply_new(server->journal, &executor, APPLY_BYTES_MAX);
    replication->link = link_new(replication);
    timer_init(&replication->timer, on_timer, replication);
    timer_init(&replication->push_timer, peers_push, replication);
    return replication;
}

#define SYNC_DELAY_DEFAULT_S 5 /* repl-diskless-sync-delay */

void replication_configure(struct server *server)
{
    struct repl_config *to = &server->replication->config;
    const struct config *from = server->config;

    to->timeout_ms = (int64_t)from->repl_timeout * 1000;
    to->ping_period_ms = (int64_t)from->repl_ping_replica_period * 1000;
    to->diskless = from->repl_diskless_sync;
    /* Redis' default lets replicas arrive that share a fork. Here a later one shares the running snapshot, so the default
     * waits for nobody; another number of seconds is waited for, as told. */
    int64_t delay_s = from->repl_diskless_sync_delay;
    to->diskless_delay_ms = delay_s == SYNC_DELAY_DEFAULT_S ? 0 : delay_s * 1000;
    to->diskless_max_replicas = (int)from->repl_diskless_sync_max_replicas;
    to->backlog_ttl_ms = (int64_t)from->repl_backlog_ttl * 1000;
    to->min_replicas_max_lag_ms = (int64_t)from->min_replicas_max_lag * 1000;
    to->user = from->masteruser;
    to->password = from->masterauth;
    to->listening_port =
        from->replica_announce_port != 0 ? (int)from->replica_announce_port : (int)from->port;
    to->announce_ip = from->replica_announce_ip;
    to->snapshots_max = SNAPSHOTS_MAX;
    journal_set_backlog(server->journal, (uint64_t)from->repl_backlog_size);
    /* What replicas pin in memory: the log's ceiling, or their output limit where that is lower. */
    uint64_t memory = (uint64_t)from->repl_log_memory_max;
    uint64_t limit = from->client_output_buffer_limit.of[OUTPUT_REPLICA].hard_bytes;
    if (limit != 0 && limit < memory) memory = limit;
    journal_set_memory_max(server->journal, (size_t)memory);
    spool_room_set_max(server->spool_room, from->repl_log_disk_max);
}

/* How far back the log is kept for replicas that are away: on disk, so no further than there is room, and no
 * longer. */
static void keep_backlog(struct server *server)
{
    const struct config *config = server->config;
    int64_t seconds = config->repl_backlog_seconds;
    uint64_t bytes_max = config->repl_log_disk_max;

    if (seconds < 0) seconds = aof_is_on(server) ? BACKLOG_SECONDS : 0;
    if (seconds > 0 && bytes_max == 0) {
        uint64_t kept = journal_end(server->journal) - journal_first(server->journal);
        uint64_t room = file_system_allowance(folder_path(server));
        if (room == 0) journal_shed(server->journal); /* before any write can fail */
        bytes_max = room < UINT64_MAX - kept ? room + kept : UINT64_MAX;
    }
    journal_set_retention(server->journal, seconds, bytes_max);
}

void replication_start(struct server *server)
{
    struct replication *replication = server->replication;
    const struct config *config = server->config;

    replication->events.unix_minus_now = server->now_ms - replication_mono_ms(server);
    replication->started = true;
    if (config->replicaof.host[0] != '\0') {
        role_follow(replication->role, config->replicaof.host, (int)config->replicaof.port,
                    replication_mono_ms(server), &replication->actions);
        replication_run(replication, SPAN(""));
    }
    loop_arm(server->loop, &replication->timer, TIMER_US);
}

/* ---- actions ---------------------------------------------------------------------------------- */

static struct replication_image *free_image_slot(struct replication *replication)
{
    for (int i = 0; i < REPLICATION_IMAGES_MAX; i++)
        if (replication->images[i].snapshot == 0) return &replication->images[i];
    return NULL;
}

static void on_image_ready(void *context)
{
    struct replication *replication = context;

    peers_tell_images(replication);
    replication_run(replication, SPAN(""));
}

static void start_snapshot(struct replication *replication, uint32_t snapshot)
{
    struct server *server = replication->server;
    struct replication_image *slot = free_image_slot(replication);

    if (slot != NULL) {
        journal_set_db(server->journal, -1); /* what follows the snapshot begins with a SELECT */
        slot->image = persistence_start_image(server, true, on_image_ready, replication);
    }
    if (slot == NULL || slot->image == NULL) {
        replication->refused[replication->refused_count++] = snapshot;
        return;
    }
    slot->snapshot = snapshot;
    slot->reported = false;
    replication->begun[replication->begun_count++] = snapshot;
}

static void end_snapshot(struct replication *replication, uint32_t snapshot)
{
    for (int i = 0; i < REPLICATION_IMAGES_MAX; i++) {
        struct replication_image *slot = &replication->images[i];
        if (slot->snapshot != snapshot) continue;
        persistence_drop_image(replication->server, slot->image);
        *slot = (struct replication_image){0};
    }
}

static void change_role(struct replication *replication, bool to_replica)
{
    struct server *server = replication->server;

    log_set_role(to_replica ? 'S' : 'M');
    if (to_replica) blocking_role_changed(server);
    unit_commit(&server->unit);
    server_update_policy(server);
    /* FAILOVER changes it, too, at both ends. */
    struct replica_figures figures;
    replica_figures(replication->replica, replication_mono_ms(server), &figures);
    config_set_primary(server->config, to_replica ? span_of_cstr(figures.host) : SPAN(""),
                       to_replica ? figures.port : 0);
}

static void act(struct replication *replication, const struct repl_action *action,
                struct span bytes)
{
    struct server *server = replication->server;
    struct journal *journal = server->journal;
    char id[REPLICATION_ID_LEN + 1];

    switch (action->kind) {
    case REPL_SEND:
    case REPL_CLOSE:
        if (action->peer == REPL_LINK_ID) link_act(replication, action, bytes);
        else peers_act(replication, action, bytes);
        return;
    case REPL_PIN:
    case REPL_ATTACH:
    case REPL_FEED: peers_act(replication, action, bytes); return;
    case REPL_CONNECT:
    case REPL_IMAGE_BEGIN:
    case REPL_IMAGE_BYTES:
    case REPL_IMAGE_END:
    case REPL_IMAGE_ABORT:
    case REPL_APPLY:
    case REPL_ADOPT: link_act(replication, action, bytes); return;
    case REPL_ACTIVATE:
        journal_activate(journal, false);
        server_update_policy(server);
        return;
    case REPL_DEACTIVATE:
        journal_deactivate(journal);
        server_update_policy(server);
        return;
    case REPL_APPEND:
        journal_append(journal, bytes.ptr, bytes.len);
        replication->push_upto = journal_end(journal);
        return;
    case REPL_START_SNAPSHOT: start_snapshot(replication, action->snapshot); return;
    case REPL_END_SNAPSHOT: end_snapshot(replication, action->snapshot); return;
    case REPL_ACKED: blocking_acks_arrived(server); return;
    case REPL_PAUSE_WRITES:
        server->pause.failover = true;
        server_update_policy(server);
        return;
    case REPL_RESUME_WRITES:
        server->pause.failover = false;
        server_update_policy(server);
        blocking_pause_ended(server);
        return;
    case REPL_RENAME_ID:
        check(bytes.len == REPLICATION_ID_LEN);
        memcpy(id, bytes.ptr, REPLICATION_ID_LEN);
        id[REPLICATION_ID_LEN] = '\0';
        if (strcasecmp(id, journal_id(journal)) == 0) return;
        journal_rename_id(journal, id);
        aof_id_changed(server);
        return;
    case REPL_SHIFT_ID:
        journal_shift_id(journal);
        aof_id_changed(server);
        return;
    case REPL_ROLE: change_role(replication, action->value == 1); return;
    }
}

/* What the actions brought about. */
static void tell_deferred(struct replication *replication)
{
    struct server *server = replication->server;
    int64_t now_ms = replication_mono_ms(server);

    for (int i = 0; i < replication->begun_count; i++)
        primary_snapshot_begun(replication->primary, replication->begun[i],
                               journal_end(server->journal), now_ms, &replication->actions);
    for (int i = 0; i < replication->refused_count; i++)
        primary_snapshot_failed(replication->primary, replication->refused[i],
                                "too many snapshots are running", now_ms, &replication->actions);
    replication->begun_count = replication->refused_count = 0;
}

void replication_run(struct replication *replication, struct span input)
{
    if (replication->in_run) return; /* the outer run sees what was added */
    replication->in_run = true;
    while (replication->actions.count > 0) {
        struct repl_actions list = replication->actions;
        replication->actions = replication->running;
        replication->running = list;
        repl_actions_clear(&replication->actions);
        for (size_t i = 0; i < list.count; i++)
            act(replication, &list.items[i], repl_action_bytes(&list, &list.items[i], input));
        repl_actions_clear(&replication->running);
        input = SPAN("");
        tell_deferred(replication);
    }
    replication->in_run = false;
}

/* ---- time ------------------------------------------------------------------------------------- */

static void arm(struct replication *replication)
{
    int64_t now_ms = replication_mono_ms(replication->server),
            next_ms = replica_next_timer(replication->replica);
    int64_t delay_us = TIMER_US;

    if (next_ms != INT64_MAX) {
        int64_t until_us = (next_ms - now_ms) * 1000;
        if (until_us < 1000) until_us = 1000;
        if (until_us < delay_us) delay_us = until_us;
    }
    loop_arm(replication->server->loop, &replication->timer, delay_us);
}

static void on_timer(void *context)
{
    struct replication *replication = context;
    struct server *server = replication->server;
    int64_t now_ms = replication_mono_ms(server);

    replication->events.unix_minus_now = server->now_ms - now_ms;
    link_tell_progress(replication->link);
    replica_timer(replication->replica, now_ms, &replication->actions);
    replication_run(replication, SPAN(""));
    if (now_ms - replication->last_timer_ms >= TIMER_US / 1000) {
        replication->last_timer_ms = now_ms;
        replication->config.log_needed = aof_is_on(server);
        primary_timer(replication->primary, now_ms, &replication->actions);
        replication_run(replication, SPAN(""));
        role_timer(replication->role, now_ms, &replication->actions);
        replication_run(replication, SPAN(""));
        peers_tell_images(replication);
        replication_run(replication, SPAN(""));
        keep_backlog(server);
        room_timer(replication, now_ms);
    }
    arm(replication);
}

void replication_before_wait(struct server *server)
{
    struct replication *replication = server->replication;

    link_resume(replication->link);
    if (!journal_active(server->journal)) {
        room_watch(server); /* whoever waits for it waits no more */
        return;
    }
    primary_flush(replication->primary, &replication->actions);
    replication_run(replication, SPAN(""));
    journal_publish(server->journal);
    uint64_t reach = aof_reach(server), end = journal_end(server->journal);
    primary_log_advanced(replication->primary, reach < end ? reach : end, &replication->actions);
    replication_run(replication, SPAN(""));
    room_watch(server);
    if (role_failover_state(replication->role) != FAILOVER_NONE) {
        role_timer(replication->role, replication_mono_ms(server), &replication->actions);
        replication_run(replication, SPAN(""));
    }
}

/* ---- questions -------------------------------------------------------------------------------- */

bool replication_is_replica(const struct server *server)
{
    if (!server->replication->started) return server->config->replicaof.host[0] != '\0';
    return role_is_replica(server->replication->role);
}

bool replication_enough_good_replicas(struct server *server)
{
    int wanted = (int)server->config->min_replicas_to_write;

    if (wanted == 0 || server->config->min_replicas_max_lag == 0 || replication_is_replica(server))
        return true;
    return primary_good_replicas(server->replication->primary, replication_mono_ms(server)) >=
           wanted;
}

enum err replication_stale(const struct server *server, const struct command *command)
{
    if (!replication_is_replica(server) || command->flags & CMD_STALE) return OK;
    enum replica_state state = replica_state(server->replication->replica);
    if (state == REPLICA_CONNECTED) return OK;
    if (!server->config->replica_serve_stale_data) return ERR_MASTER_DOWN;
    if (!(command->flags & (CMD_READONLY | CMD_WRITE))) return OK;
    struct replica_figures figures;
    replica_figures(server->replication->replica, replication_mono_ms(server), &figures);
    if (figures.ever_synced || !store_is_empty(server->store)) return OK;
    return state >= REPLICA_RECEIVING ? ERR_LOADING : ERR_MASTER_DOWN_EMPTY;
}

void replication_drop_behind_memory(struct server *server)
{
    uint64_t first = journal_backlog_first_byte(server->journal);

    for (struct peer *peer = server->replication->peers, *next; peer != NULL; peer = next) {
        next = peer->next;
        if (peer->log != NULL && spool_position(peer->log) + 1 < first)
            session_close(peer->session);
    }
}

int replication_count_acked(struct server *server, uint64_t offset)
{
    return primary_acked(server->replication->primary, offset);
}

void replication_request_acks(struct server *server)
{
    primary_want_acks(server->replication->primary);
}

void replication_restored(struct server *server, const char *id, int64_t offset, int stream_db)
{
    if (offset < 0 || strlen(id) != REPLICATION_ID_LEN) return;
    journal_restore(server->journal, id, (uint64_t)offset, false);
    journal_set_db(server->journal, stream_db);
    /* The name is new, the database that the bytes stand in is not: see journal_stream_db. */
    if (server->config->replicaof.host[0] == '\0') journal_shift_id(server->journal);
    else if (!store_is_empty(server->store)) replica_restored(server->replication->replica);
}
