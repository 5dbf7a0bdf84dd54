/* The link to our primary. The machine (repl/replica.h) decides; here are the socket, the applier and the loading of a
 * received image beside the old data.
 *
 *   repl-diskless-load disabled      IMAGE_BYTES -> temporary file -> IMAGE_END: synced -> loader reads it -> renamed
 *   swapdb, on-empty-db              IMAGE_BYTES -> loader's queue -> loader thread
 *
 * Room is checked first: where old and new data do not fit side by side, the snapshot is stored, verified as a whole,
 * and only then the old data goes (and LOADING is answered).
 *
 * Either way the loader builds keyspaces that nobody sees; ADOPT puts them in place of the old ones. While file or loader
 * cannot take more, the socket is not read. */
#include "server/aof.h"
#include "server/diverged.h"
#include "server/replication.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/file.h"
#include "io/sync_file.h"
#include "persist/room.h"
#include "server/config.h"
#include "server/persistence.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

enum { LINK_READ_BYTES = 256 * 1024, READS_PER_TURN = 4 };
enum { HEAD_BYTES = 1024 }; /* of a snapshot: the fields that stand before functions and keys */

struct link {
    struct replication *replication;
    struct watch watch; /* fd -1: no connection */
    bool connecting;
    struct socket_lookup *lookup;
    struct worker *resolver; /* made when first a name has to be looked up */
    struct socket_addresses addresses;
    int next_address, port;
    char *read_buffer;
    struct buf out;
    size_t out_sent;
    struct buf rest; /* read behind an image that is being loaded: the stream's beginning */

    /* an image on its way */
    bool to_file, loading, whole; /* whole: IMAGE_END came */
    bool chosen;                  /* the way was chosen, by the first bytes */
    bool no_room;                 /* for old and new side by side: the old data goes first */
    bool full;                    /* file or loader take no more for now */
    struct sync_file *file;
    struct loader *loader;
    struct buf held; /* image bytes: the first ones, then what the loader's queue had no room for */
    uint64_t image_size; /* UINT64_MAX: unknown */
    struct loader_outcome outcome;
    bool has_outcome;
};

static void tell_failed(struct link *link, const char *reason);
static void connect_next(struct link *link);

struct link *link_new(struct replication *replication)
{
    struct link *link = mem_zalloc(sizeof *link);

    link->replication = replication;
    link->watch.fd = -1;
    link->read_buffer = mem_alloc(LINK_READ_BYTES);
    return link;
}

static void drop_image(struct link *link)
{
    if (link->loader != NULL) loader_free(&link->loader);
    if (link->has_outcome) loader_outcome_release(&link->outcome);
    if (link->file != NULL) sync_file_close(link->file, false);
    link->file = NULL;
    link->has_outcome = link->loading = link->whole = link->full = link->to_file = false;
    buf_release(&link->held);
    if (link->no_room) link->replication->server->loading = false;
    link->replication->server->async_loading = false;
    link->chosen = link->no_room = false;
}

static void disconnect(struct link *link)
{
    struct loop *loop = link->replication->server->loop;

    if (link->lookup != NULL) socket_lookup_cancel(link->lookup);
    link->lookup = NULL;
    if (link->watch.fd >= 0) {
        loop_remove(loop, &link->watch);
        socket_close(link->watch.fd);
        link->watch.fd = -1;
    }
    link->connecting = false;
    buf_release(&link->out);
    link->out_sent = 0;
    buf_release(&link->rest);
    apply_reset(link->replication->apply);
}

static int64_t now(const struct link *link)
{
    return replication_mono_ms(link->replication->server);
}

/* ---- socket ----------------------------------------------------------------------------------- */

static void lost(struct link *link, const char *reason)
{
    struct replication *replication = link->replication;

    disconnect(link);
    replica_gone(replication->replica, reason, now(link), &replication->actions);
    replication_run(replication, SPAN(""));
}

/* While a whole image is being loaded nothing is read: what a primary sends behind it waits in its log. */
static bool may_read(const struct link *link)
{
    return !link->full && link->rest.len == 0 && replica_wants_bytes(link->replication->replica);
}

static void watch_what_is_needed(struct link *link)
{
    if (link->watch.fd < 0 || link->connecting) return;
    unsigned wants =
        (may_read(link) ? LOOP_READ : 0u) | (link->out_sent < link->out.len ? LOOP_WRITE : 0u);
    loop_want(link->replication->server->loop, &link->watch, wants);
}

/* The link is dead. It is lost where its end is read: behind what the primary still sent, and not amid a list of actions.
 * That may take until a snapshot is loaded, and a dead socket is always ready to be written: nothing waits for that. */
static void end_writing(struct link *link, int error)
{
    log_verbose("Writing to the primary: %s", socket_error_text(error));
    socket_shutdown(link->watch.fd);
    link->out_sent = link->out.len;
}

static void flush(struct link *link)
{
    while (link->watch.fd >= 0 && !link->connecting && link->out_sent < link->out.len) {
        ssize_t sent = socket_write(link->watch.fd, link->out.ptr + link->out_sent,
                                    link->out.len - link->out_sent);
        if (sent == -EAGAIN) break;
        if (sent < 0) {
            end_writing(link, (int)sent);
            break;
        }
        link->out_sent += (size_t)sent;
        link->replication->server->stats.repl_output_bytes += (uint64_t)sent;
    }
    if (link->out_sent == link->out.len) {
        buf_clear(&link->out);
        link->out_sent = 0;
    }
    watch_what_is_needed(link);
}

static void take(struct link *link, struct span bytes)
{
    struct replication *replication = link->replication;
    size_t taken = replica_received(replication->replica, bytes, now(link), &replication->actions);

    replication_run(replication, span_of(bytes.ptr, taken));
    if (link->watch.fd >= 0) buf_append(&link->rest, bytes.ptr + taken, bytes.len - taken);
    watch_what_is_needed(link);
}

static void read_link(struct link *link)
{
    struct replication *replication = link->replication;
    struct server *server = replication->server;

    for (int i = 0; i < READS_PER_TURN && link->watch.fd >= 0 && may_read(link); i++) {
        ssize_t got = socket_read(link->watch.fd, link->read_buffer, LINK_READ_BYTES);
        if (got == -EAGAIN || got == -EINTR) return;
        if (got <= 0) {
            lost(link,
                 got == 0 ? "the primary closed the connection" : socket_error_text((int)got));
            return;
        }
        struct span bytes = span_of(link->read_buffer, (size_t)got);
        server->stats.net_input_bytes += (uint64_t)got;
        server->stats.repl_input_bytes += (uint64_t)got;
        server->applier->active_ms = server->now_ms;
        take(link, bytes);
        if (got < LINK_READ_BYTES) return;
    }
}

void link_resume(struct link *link)
{
    struct buf rest = link->rest;

    if (rest.len > 0 && replica_wants_bytes(link->replication->replica)) {
        link->rest = (struct buf){0};
        take(link, buf_span(&rest));
        buf_release(&rest);
    }
    watch_what_is_needed(link);
}

/* The applier's session stands for the connection where clients are listed. */
static void dress_session(struct link *link)
{
    struct server *server = link->replication->server;
    struct session *session = server->applier;
    struct socket_name name;

    session->id = ++server->next_session_id;
    session->created_ms = session->active_ms = server->now_ms;
    session->watch.fd = link->watch.fd;
    session->watch.wants = LOOP_READ;
    if (socket_peer_name(link->watch.fd, &name))
        socket_format_name(name.host, name.port, session->peer_name);
    if (socket_local_name(link->watch.fd, &name))
        socket_format_name(name.host, name.port, session->local_name);
}

struct session *link_session(struct server *server)
{
    struct replica_figures figures;

    if (!replication_is_replica(server)) return NULL;
    replica_figures(server->replication->replica, replication_mono_ms(server), &figures);
    return figures.link_up ? server->applier : NULL;
}

void link_kill(struct server *server)
{
    lost(server->replication->link, "killed by CLIENT KILL");
}

static void connected(struct link *link)
{
    struct replication *replication = link->replication;
    int error = socket_connect_result(link->watch.fd);

    if (error != 0) {
        loop_remove(replication->server->loop, &link->watch);
        socket_close(link->watch.fd);
        link->watch.fd = -1;
        connect_next(link);
        return;
    }
    link->connecting = false;
    socket_set_nodelay(link->watch.fd, true);
    socket_set_keepalive(link->watch.fd, (int)replication->server->config->repl_timeout);
    loop_want(replication->server->loop, &link->watch, LOOP_READ);
    dress_session(link);
    replica_connected(replication->replica, now(link), &replication->actions);
    replication_run(replication, SPAN(""));
}

static void on_ready(void *context, unsigned events)
{
    struct link *link = context;

    if (link->connecting) {
        connected(link);
        return;
    }
    if (events & LOOP_WRITE) flush(link);
    if (events & LOOP_READ && link->watch.fd >= 0) read_link(link);
}

static void connect_failed(struct link *link, const char *reason)
{
    struct replication *replication = link->replication;

    link->connecting = false;
    replica_connect_failed(replication->replica, reason, now(link), &replication->actions);
    replication_run(replication, SPAN(""));
}

static void connect_next(struct link *link)
{
    struct server *server = link->replication->server;
    int error = -EHOSTUNREACH;

    while (link->next_address < link->addresses.count) {
        const struct socket_address *to = &link->addresses.at[link->next_address++];
        const char *source =
            server->config->bind_source_addr[0] != '\0' ? server->config->bind_source_addr : NULL;
        int fd = socket_connect_start(to, source, (uint32_t)server->config->socket_mark_id);
        if (fd < 0) {
            error = fd;
            continue;
        }
        link->connecting = true;
        link->watch =
            (struct watch){.fd = fd, .wants = LOOP_WRITE, .ready = on_ready, .context = link};
        loop_add(server->loop, &link->watch);
        return;
    }
    connect_failed(link, link->addresses.count == 0 ? socket_error_text(error)
                                                    : "the connection was refused");
}

static void looked_up(void *context, int error, const struct socket_addresses *addresses)
{
    struct link *link = context;

    link->lookup = NULL;
    if (error != 0) {
        connect_failed(link, socket_error_text(error));
        return;
    }
    link->addresses = *addresses;
    link->next_address = 0;
    connect_next(link);
}

static void start_connect(struct link *link, struct span host, int port)
{
    char name[REPLICA_HOST_CHARS];

    disconnect(link);
    snprintf(name, sizeof name, "%.*s", (int)host.len, host.ptr);
    link->port = port;
    if (socket_parse_address(name, port, &link->addresses.at[0])) {
        link->addresses.count = 1;
        link->next_address = 0;
        /* Told from inside a run of actions: an immediate failure is an event of its own, later. */
        connect_next(link);
        return;
    }
    if (link->resolver == NULL)
        link->resolver = worker_new("pando-resolve", link->replication->server->loop);
    link->lookup = socket_lookup_start(link->resolver, name, port, looked_up, link);
}

/* ---- the image -------------------------------------------------------------------------------- */

static void tell_failed(struct link *link, const char *reason)
{
    struct replication *replication = link->replication;

    replica_load_failed(replication->replica, reason, now(link), &replication->actions);
    replication_run(replication, SPAN(""));
}

static void tell_loaded(struct link *link)
{
    struct replication *replication = link->replication;
    struct server *server = replication->server;

    if (server->config->replica_refuse_emptied_primary && link->outcome.keys_loaded == 0 &&
        !store_is_empty(server->store))
        replica_loaded_nothing(replication->replica, now(link), &replication->actions);
    else replica_loaded(replication->replica, now(link), &replication->actions);
}

static void on_loaded(void *context)
{
    struct link *link = context;
    struct replication *replication = link->replication;

    loader_take(&link->loader, &link->outcome);
    link->has_outcome = true;
    link->full = false;
    watch_what_is_needed(link);
    if (link->outcome.err != OK) {
        char reason[256];
        snprintf(reason, sizeof reason, "%.240s", link->outcome.error);
        tell_failed(link, reason);
        return;
    }
    if (!link->whole) return; /* IMAGE_END tells */
    tell_loaded(link);
    replication_run(replication, SPAN(""));
}

static void feed_held(struct link *link)
{
    if (link->held.len > 0 && link->loader != NULL) {
        size_t took = loader_feed(link->loader, link->held.ptr, link->held.len);
        buf_drop_front(&link->held, took);
    }
    link->full = link->held.len > 0 && link->loader != NULL;
    if (!link->full && link->whole && link->loader != NULL) loader_feed_end(link->loader);
    watch_what_is_needed(link);
}

static void on_room(void *context)
{
    feed_held(context);
}

static void on_file_room(void *context)
{
    struct link *link = context;

    link->full = false;
    watch_what_is_needed(link);
}

void link_tell_progress(struct link *link)
{
    struct loader_progress progress;

    if (link->loader == NULL) return;
    loader_progress(link->loader, &progress);
    replica_load_progress(link->replication->replica, progress.bytes);
}

static void loader_settings(struct link *link, struct loader_options *options)
{
    struct server *server = link->replication->server;

    *options = persistence_loader_options(server);
    options->key_load_delay_us = server->config->key_load_delay;
    options->loop = server->loop;
    options->done = on_loaded;
    options->room = on_room;
    options->context = link;
}

static void load_file(struct link *link)
{
    struct loader_options options;

    loader_settings(link, &options);
    link->replication->server->async_loading = !link->no_room;
    link->loader = loader_open_file(sync_file_path(link->file), &options);
}

/* A check of the whole file on the file worker; the link may have dropped the image meanwhile. */
struct verifying {
    struct link *link;
    struct sync_file *file;
    char path[PATH_MAX], error[128];
    bool whole;
};

static void verify_work(void *context)
{
    struct verifying *verifying = context;

    verifying->whole = room_verify_file(verifying->path, verifying->error);
}

static void verified(void *context)
{
    struct verifying *verifying = context;
    struct link *link = verifying->link;
    struct server *server = link->replication->server;
    bool current = link->file == verifying->file && link->no_room;

    if (current && verifying->whole) {
        log_warning("The snapshot is whole: the old data goes now");
        store_flush(server->store, -1, false);
        server->loading = true;
        load_file(link);
    } else if (current) {
        char reason[192];
        snprintf(reason, sizeof reason, "the stored snapshot is not whole: %s", verifying->error);
        tell_failed(link, reason);
    }
    mem_free(verifying);
}

static void on_file_done(void *context, const char *error)
{
    struct link *link = context;

    if (error[0] != '\0') {
        char reason[128];
        snprintf(reason, sizeof reason, "writing the received snapshot to disk: %s", error);
        tell_failed(link, reason);
        return;
    }
    if (!link->no_room) {
        load_file(link);
        return;
    }
    struct verifying *verifying = mem_zalloc(sizeof *verifying);
    *verifying = (struct verifying){.link = link, .file = link->file};
    snprintf(verifying->path, sizeof verifying->path, "%s", sync_file_path(link->file));
    worker_submit(link->replication->server->file_worker, verify_work, verified, verifying);
}

static void image_begin(struct link *link, int64_t size)
{
    drop_image(link);
    link->loading = true;
    link->image_size = size < 0 ? UINT64_MAX : (uint64_t)size;
}

/* Whether the snapshot fits beside the data, by what its first bytes say of the sender's memory. */
static bool has_room(struct link *link, struct span head)
{
    const struct server *server = link->replication->server;
    uint64_t needed = room_image_memory(head), available = file_memory_available();

    if (server->config->repl_load_memory_max != 0) available = server->config->repl_load_memory_max;
    if (store_is_empty(server->store) || needed <= available) return true;
    log_warning("The snapshot needs %llu bytes and %llu are available: it is stored and verified "
                "first, then "
                "the old data goes",
                (unsigned long long)needed, (unsigned long long)available);
    return false;
}

/* Chooses between file and socket, by the first bytes. */
static void choose_way(struct link *link, struct span head)
{
    struct server *server = link->replication->server;
    int mode = server->config->repl_diskless_load;
    struct loader_options options;

    link->chosen = true;
    link->no_room = !has_room(link, head);
    link->to_file = link->no_room || mode == DISKLESS_LOAD_DISABLED ||
                    (mode == DISKLESS_LOAD_ON_EMPTY_DB && !store_is_empty(server->store));
    if (link->to_file) {
        link->file = sync_file_open(server->file_worker, on_file_room, on_file_done, link);
        if (link->file == NULL)
            log_warning("No temporary file for the snapshot (%s): loading it from the socket",
                        strerror(errno));
        link->to_file = link->file != NULL;
    }
    if (link->to_file) return;
    link->no_room = false;
    loader_settings(link, &options);
    link->loader = loader_open_feed(link->image_size, &options);
    server->async_loading = true;
}

static void deliver(struct link *link, struct span bytes)
{
    if (bytes.len == 0) return;
    if (link->to_file) {
        if (!sync_file_write(link->file, bytes)) link->full = true;
    } else if (link->loader != NULL) {
        size_t took = link->held.len > 0 ? 0 : loader_feed(link->loader, bytes.ptr, bytes.len);
        if (took < bytes.len) {
            buf_append(&link->held, bytes.ptr + took, bytes.len - took);
            link->full = true;
        }
    }
}

/* The first bytes say how much memory the data takes; they come in pieces of any length. */
static void begin_with_head(struct link *link)
{
    struct buf head = link->held;

    link->held = (struct buf){0};
    choose_way(link, buf_span(&head));
    deliver(link, buf_span(&head));
    buf_release(&head);
}

static void image_bytes(struct link *link, struct span bytes)
{
    if (link->chosen) {
        deliver(link, bytes);
    } else {
        buf_append_span(&link->held, bytes);
        if (link->held.len >= HEAD_BYTES) begin_with_head(link);
    }
    watch_what_is_needed(link);
}

static void image_end(struct link *link)
{
    link->whole = true;
    if (!link->chosen) begin_with_head(link); /* of an image without a byte the loader says so */
    if (link->to_file) sync_file_finish(link->file);
    else if (link->loader != NULL) feed_held(link);
    else if (link->has_outcome && link->outcome.err == OK)
        tell_loaded(link); /* carried out behind this list */
}

/* The one step that makes the received data ours. */
static void adopt(struct link *link, struct span id, uint64_t offset)
{
    struct server *server = link->replication->server;
    struct loader_outcome *outcome = &link->outcome;
    char text[REPLICATION_ID_LEN + 1];

    check(link->has_outcome && outcome->err == OK && id.len == REPLICATION_ID_LEN);
    memcpy(text, id.ptr, REPLICATION_ID_LEN);
    text[REPLICATION_ID_LEN] = '\0';
    store_replace_all(server->store, outcome->keyspaces);
    mem_free(outcome->keyspaces);
    outcome->keyspaces = NULL;
    functions_replace_all(&server->functions, outcome->functions, outcome->function_count);
    outcome->functions = NULL;
    outcome->function_count = 0;
    diverged_save(server, text, replica_fork(link->replication->replica), aof_let_go(server));
    journal_adopt(server->journal, text, offset);
    journal_set_db(server->journal, outcome->repl_stream_db);
    if (!journal_active(server->journal)) journal_activate(server->journal, true);
    store_set_dirty(server->store, 0);
    /* What it saves is another history, and would take the place of the file that was received. */
    persistence_abort_background_save(server);
    if (link->file != NULL) {
        if (server->config->rdb_del_sync_files && !persistence_has_save_points(server)) {
            sync_file_close(link->file, false);
        } else {
            int error = file_rename(sync_file_path(link->file), server->config->dbfilename);
            if (error != 0)
                log_warning("The received snapshot keeps its temporary name %s: %s",
                            sync_file_path(link->file), strerror(-error));
            sync_file_close(link->file, true);
        }
        link->file = NULL;
    }
    drop_image(link);
    aof_began_anew(server);
}

/* ---- actions ---------------------------------------------------------------------------------- */

static void apply_bytes(struct link *link, struct span bytes)
{
    struct replication *replication = link->replication;
    struct server *server = replication->server;
    struct store_policy *policy = store_policy(server->store);
    struct apply_result result;

    policy->keep_expired = true;
    apply_feed(replication->apply, bytes, &result);
    server->lap_us = 0;
    policy->keep_expired = false;
    journal_publish(server->journal);
    replica_applied(replication->replica, journal_end(server->journal), result.getack, now(link),
                    &replication->actions);
    if (result.failed)
        replica_apply_failed(replication->replica, result.reason, now(link), &replication->actions);
}

void link_act(struct replication *replication, const struct repl_action *action, struct span bytes)
{
    struct link *link = replication->link;

    switch (action->kind) {
    case REPL_SEND:
        if (link->watch.fd < 0) return;
        buf_append_span(&link->out, bytes);
        flush(link);
        return;
    case REPL_CLOSE: disconnect(link); return;
    case REPL_CONNECT: start_connect(link, bytes, action->port); return;
    case REPL_IMAGE_BEGIN: image_begin(link, action->value); return;
    case REPL_IMAGE_BYTES: image_bytes(link, bytes); return;
    case REPL_IMAGE_END: image_end(link); return;
    case REPL_IMAGE_ABORT:
        drop_image(link);
        watch_what_is_needed(link);
        return;
    case REPL_APPLY: apply_bytes(link, bytes); return;
    case REPL_ADOPT: adopt(link, bytes, action->offset); return;
    default: check(false);
    }
}
