/* The end of loading the append only file: the journal takes up the log where the files end, and they are written on
 * from there, in the last one or in a new one. */
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/file.h"
#include "server/aof_load_inside.h"
#include "server/config.h"
#include "server/persistence.h"
#include "server/replication.h"

#include <stdio.h>
#include <stdlib.h>

void aof_load_give_up(void)
{
    exit(1);
}

static void on_new_file(void *context, int error)
{
    struct aof *aof = context;
    aof->load->new_file_error = error;
}

/* Where the last file's own end cannot be written on: behind what somebody else appended, or without our
 * lines, a new file begins. It takes in what the tail brings (the log goes on with it), and the manifest
 * names it only then; last the tail is cut. A crash before the manifest leaves the old file with its
 * tail; after one behind it the new file begins where the old one's last stretch ends, so the tail is
 * known to be replaced (cut_replaced). */
static void begin_new_file(struct aof_load *load)
{
    struct aof *aof = load->aof;
    struct log_writer_change change;
    const char *name = manifest_add_incr(&aof->manifest, aof->server->config->appendfilename);

    aof_fill_change(aof, &change);
    aof_path(aof->server, name, change.path);
    change.done = on_new_file;
    log_notice("Creating AOF incr file %s on server start", name);
    log_writer_begin(aof->writer, &change);
    load->new_file = true;
}

void aof_load_cut(const char *path, uint64_t at)
{
    uint64_t size;
    int fd = file_open_write(path, false, &size);

    if (fd < 0 || file_truncate(fd, at) != 0 || file_sync_data(fd) != 0) {
        log_warning("Can't cut %s at %llu", path, (unsigned long long)at);
        aof_load_give_up();
    }
    file_close(fd);
}

void aof_load_cut_replaced(const struct incr *incr)
{
    if (incr->found.has_history && incr->found.tail == SEGMENT_FOREIGN)
        aof_load_cut(incr->path, incr->found.end_at);
}

static void finish_new_file(struct aof_load *load)
{
    struct aof *aof = load->aof;
    char path[PATH_MAX];
    int error = log_writer_flush(aof->writer);

    aof_manifest_path(aof->server, path);
    if (error == 0) error = load->new_file_error;
    if (error == 0) error = segments_sync(aof->segments);
    if (error == 0) error = aof_write_manifest(path, &aof->manifest);
    if (error != 0) {
        log_warning("Can't begin a new incr file: %s", strerror(-error));
        aof_load_give_up();
    }
    journal_set_segments(aof->server->journal, aof->segments);
    if (load->count > 0) aof_load_cut_replaced(&load->incrs[load->count - 1]);
}

static bool goes_on(const struct incr *last)
{
    return last != NULL && last->found.has_history && last->found.tail != SEGMENT_FOREIGN;
}

/* The last file goes on, or a new one begins where that cannot be. */
static void go_on(struct aof_load *load)
{
    struct aof *aof = load->aof;
    const struct incr *last = load->count > 0 ? &load->incrs[load->count - 1] : NULL;
    struct log_writer_change change;

    aof_make_writer(aof);
    if (!goes_on(last)) {
        begin_new_file(load);
        return;
    }
    log_notice("Opening AOF incr file %s on server start", last->name);
    log_writer_continue(aof->writer);
    if (strcmp(journal_id(aof->server->journal), last->found.head.id) == 0) return;
    aof_fill_change(aof, &change);
    log_writer_change_id(aof->writer, &change);
}

/* Behind its last whole stretch the last file is cut: what stood there was torn, and nobody was told. */
static void cut_last(struct aof_load *load)
{
    const struct incr *last = &load->incrs[load->count - 1];
    int error = segments_continue(load->aof->segments, last->found.end_at);

    if (error == 0) return;
    log_warning("Can't cut %s behind its last whole stretch: %s", last->path, strerror(-error));
    aof_load_give_up();
}

void aof_load_finish(struct aof_load *load)
{
    struct aof *aof = load->aof;
    struct server *server = aof->server;
    void (*done)(struct server *) = load->done;

    if (load->new_file) finish_new_file(load);
    else cut_last(load);
    log_notice("DB loaded from append only file: %.3f seconds",
               (double)(clock_wall_ms() - load->started_ms) / 1000);
    store_policy(server->store)->keep_expired = false;
    store_set_dirty(server->store, 0);
    mem_free(load->incrs);
    mem_free(load);
    aof->load = NULL;
    aof->state = AOF_ON;
    aof->base_size = aof_current_size(aof);
    server->loading = false;
    server_update_policy(server);
    aof_collect_history(aof);
    done(server);
}

void aof_load_restore(struct aof_load *load)
{
    struct aof *aof = load->aof;
    struct server *server = aof->server;
    const struct incr *last = load->count > 0 ? &load->incrs[load->count - 1] : NULL;

    if (last != NULL && last->found.has_history) {
        journal_set_segments(server->journal, aof->segments);
        replication_restored(server, last->found.head.id, (int64_t)last->found.end,
                             server->applier->db);
    } else if (!journal_active(server->journal)) {
        journal_activate(server->journal, true);
    }
    server_update_policy(server);
    aof->closed_size = 0;
    for (size_t i = 0; i < aof->manifest.count; i++)
        if (last == NULL || strcmp(aof->manifest.files[i].name, last->name) != 0)
            aof->closed_size += aof_size_of(server, aof->manifest.files[i].name);
    go_on(load);
}

void aof_load_begin_anew(struct aof_load *load)
{
    struct aof *aof = load->aof;
    struct server *server = aof->server;
    char error[256];
    const char *name = manifest_add_base(&aof->manifest, server->config->appendfilename, true);

    /* The manifest is written with the first incr file. */
    if (!persistence_save_base(server, aof->folder, name, error)) {
        log_warning("Can't create the base file %s: %s", name, error);
        aof_load_give_up();
    }
    log_notice("Creating AOF base file %s on server start", name);
    aof_load_restore(load);
}

static void say_recovered(const struct recovery *recovery, const char *kept)
{
    log_warning("Recovered: %llu commands and transactions of the incr files lie before the moment",
                (unsigned long long)recovery->taken);
    if (recovery->reached)
        log_warning("The first that was left out: %s, of Unix second %lld", recovery->left_out,
                    (long long)recovery->time_s);
    else log_warning("Nothing was left out: the files end before the moment");
    log_warning("The files from before are left as they are; to go back to them put %s in place of "
                "the manifest",
                kept);
}

void aof_load_recovered(struct aof_load *load)
{
    struct aof *aof = load->aof;
    const struct config *config = aof->server->config;
    struct manifest anew = {.base_seq = aof->manifest.base_seq, .incr_seq = aof->manifest.incr_seq};
    char why[256], kept[PATH_MAX];

    if (!recovery_is_sound(&load->recovery, why)) {
        log_warning("Can't recover to that moment: %s", why);
        aof_load_give_up();
    }
    snprintf(kept, sizeof kept, "%s/%s.manifest.before-%lld", aof->folder, config->appendfilename,
             (long long)(clock_wall_ms() / 1000));
    int error = aof_write_manifest(kept, &aof->manifest);
    if (error != 0) {
        log_warning("Can't keep the manifest as %s: %s", kept, strerror(-error));
        aof_load_give_up();
    }
    say_recovered(&load->recovery, kept);
    segments_forget(aof->segments);
    manifest_release(&aof->manifest);
    aof->manifest = anew;
    load->count = 0;
    aof_load_begin_anew(load);
}
