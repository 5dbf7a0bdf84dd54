/* Where the log or a snapshot's spool cannot grow: who gives way.
 *
 * The bound is what memory may hold (repl-log-memory-max, IMAGE_*_MEMORY) and what all spool files may
 * take of the disk together (repl-log-disk-max, or the free space less a reserve). When it is reached
 * everything stays in memory and nothing is lost; here it is decided what that must not go on with:
 *
 *   - the log: first what is kept for replicas that are away (repl-backlog-seconds) and that no cursor needs, the
 *     oldest first. Then the replica that pins the oldest offset is dropped; with repl-slow-writers yes the
 *     writers wait instead (room_watch), as they do for CLIENT PAUSE WRITE. A replica's own replicas
 *     are dropped in any case: whoever writes there cannot be made to wait.
 *   - a snapshot's RDB bytes: it goes on at the pace of its readers; see
 *     primary_snapshot_short_of_room.
 *   - a snapshot's pre-images: with repl-slow-writers yes the writers wait; else persist/image.c ends
 *     the snapshot when it is hopeless.
 *
 * Writers that wait never wait for a replica that is gone: one that neither acknowledges nor reads for
 * repl-timeout is dropped (primary_timer). */
#include "server/replication.h"

#include "base/log.h"
#include "server/aof.h"
#include "server/blocking.h"
#include "server/config.h"
#include "server/latency.h"

enum {
    TRY_AGAIN_MS = 1000,
    TELL_AGAIN_MS = 10 * 1000, /* slowing comes and goes many times a second: told as one */
};

/* ---- slow writers ----------------------------------------------------------------------------- */

/* Whether writers have to wait. Once they do, it takes more than another try: everything that has to
 * be held fits into memory again. */
static bool must_slow(struct server *server)
{
    const struct replication *replication = server->replication;

    if (!server->config->repl_slow_writers || replication_is_replica(server)) return false;
    if (journal_failed(server->journal) != OK) return true;
    if (server->pause.log_full && journal_over_memory(server->journal)) return true;
    for (int i = 0; i < REPLICATION_IMAGES_MAX; i++)
        if (replication->images[i].snapshot != 0 &&
            image_door_is_full(replication->images[i].image))
            return true;
    return false;
}

static void begin(struct server *server)
{
    struct slowdown *slowdown = &server->replication->slowdown;

    server->pause.log_full = true;
    slowdown->since_us = server->now_mono_us;
    slowdown->times++;
    server_update_policy(server);
    if (!slowdown->told)
        log_warning("The replication log is full: writing commands wait until replicas have read "
                    "(repl-slow-writers)");
    slowdown->told = true;
}

static void end(struct server *server)
{
    struct slowdown *slowdown = &server->replication->slowdown;
    int64_t took_us = server->now_mono_us - slowdown->since_us;

    server->pause.log_full = false;
    slowdown->total_us += (uint64_t)took_us;
    slowdown->ended_ms = server->now_mono_us / 1000;
    server_update_policy(server);
    latency_add_event(server, LATENCY_SLOW_WRITERS, took_us / 1000);
    blocking_pause_ended(server);
}

void room_watch(struct server *server)
{
    bool slow = must_slow(server);

    if (slow && !server->pause.log_full) begin(server);
    else if (!slow && server->pause.log_full) end(server);
}

static void tell_that_it_is_over(struct server *server, int64_t now_ms)
{
    struct slowdown *slowdown = &server->replication->slowdown;

    if (!slowdown->told || server->pause.log_full || now_ms - slowdown->ended_ms < TELL_AGAIN_MS)
        return;
    slowdown->told = false;
    log_notice("The replication log has room: writing commands do not wait any more");
}

uint64_t room_slowed_ms(const struct server *server)
{
    const struct slowdown *slowdown = &server->replication->slowdown;
    uint64_t total_us = slowdown->total_us;

    if (server->pause.log_full) total_us += (uint64_t)(server->now_mono_us - slowdown->since_us);
    return total_us / 1000;
}

/* ---- ten times a second ----------------------------------------------------------------------- */

static void look_at_images(struct replication *replication, int64_t now_ms)
{
    for (int i = 0; i < REPLICATION_IMAGES_MAX; i++) {
        struct replication_image *slot = &replication->images[i];
        if (slot->snapshot == 0 || !image_short_of_room(slot->image)) continue;
        uint32_t snapshot = slot->snapshot;
        primary_snapshot_short_of_room(replication->primary, snapshot, now_ms,
                                       &replication->actions);
        replication_run(replication, SPAN(""));
        if (slot->snapshot == snapshot) image_release_head(slot->image);
    }
}

static void try_again(struct replication *replication, int64_t now_ms)
{
    if (now_ms - replication->tried_again_ms < TRY_AGAIN_MS) return;
    replication->tried_again_ms = now_ms;
    journal_try_again(replication->server->journal);
    for (int i = 0; i < REPLICATION_IMAGES_MAX; i++)
        if (replication->images[i].snapshot != 0) image_try_again(replication->images[i].image);
}

/* What is kept for replicas that are away goes before any that is here. While the append only file cannot be
 * written, that is what holds the log, and nobody may write. */
static void watch_log(struct replication *replication, int64_t now_ms)
{
    struct server *server = replication->server;
    bool slows = server->config->repl_slow_writers && !replication_is_replica(server);

    if (journal_failed(server->journal) == OK || aof_short_of_room(server)) return;
    if (journal_shed(server->journal) || slows) return;
    primary_byte_ceiling(replication->primary, now_ms, &replication->actions);
    replication_run(replication, SPAN(""));
}

void room_timer(struct replication *replication, int64_t now_ms)
{
    struct server *server = replication->server;

    try_again(replication, now_ms);
    look_at_images(replication, now_ms);
    journal_trim(server->journal);
    watch_log(replication, now_ms);
    tell_that_it_is_over(server, now_ms);
}
