#include "disk.h"
#include "node_state.h"

#include "base/num.h"
#include "io/file.h"
#include "io/folder_list.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

/* ---- files -------------------------------------------------------------------------------------- */

static void remove_path(void *context, const char *path)
{
    (void)context;
    file_remove(path);
}

static void remove_files(struct disk *disk)
{
    folder_each(disk->folder, "incr-", ".aof", remove_path, NULL);
    folder_each(disk->folder, "log-", ".aof", remove_path, NULL);
}

struct disk *disk_new(struct node *node)
{
    struct disk *disk = mem_zalloc(sizeof(*disk));
    const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    disk->sync = (enum log_sync)sim_between(node->sim, LOG_SYNC_NO, LOG_SYNC_ALWAYS);
    disk->pace =
        sim_chance(node->sim, 50) ? sim_between(node->sim, 1, 5) : sim_between(node->sim, 5, 60);
    snprintf(disk->folder, sizeof(disk->folder), "%s/pando-sim-%d-%d", root, (int)getpid(),
             node->index);
    check(file_make_folder(disk->folder) == 0);
    remove_files(disk);
    return disk;
}

static void forget_paths(struct disk *disk)
{
    for (int i = 0; i < disk->count; i++) mem_free(disk->paths[i]);
    disk->count = 0;
}

static void drop_rewrite(struct disk *disk)
{
    buf_release(&disk->new_base);
    mem_free(disk->new_path);
    disk->new_path = NULL;
    disk->switch_at_ms = 0;
}

void disk_free(struct disk *disk)
{
    if (disk == NULL) return;
    remove_files(disk);
    rmdir(disk->folder);
    forget_paths(disk);
    buf_release(&disk->base);
    mem_free(disk);
}

void disk_lose(struct node *node)
{
    struct disk *disk = node->disk;
    remove_files(disk);
    forget_paths(disk);
    buf_release(&disk->base);
    disk->has_base = disk->promised = false;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void make_writer(struct node *node)
{
    struct disk *disk = node->disk;
    disk->writer = log_writer_new(
        &(struct log_writer_options){.journal = node->journal, .segments = disk->segments});
    log_writer_set_sync(disk->writer, disk->sync, false);
}

/* A file or a head is durable when it stands, and so is everything before it. */
static void note_durable(void *context, int error)
{
    struct disk *disk = ((struct node *)context)->disk;
    if (error == 0) disk->synced_at = segments_current_bytes(disk->segments);
}

static void fill_change(struct node *node, struct log_writer_change *change)
{
    const int db = journal_stream_db(node->journal);
    *change =
        (struct log_writer_change){.db = db >= 0 ? db : 0, .done = note_durable, .context = node};
    memcpy(change->id, journal_id(node->journal), sizeof(change->id));
}

static void run_writer(struct node *node)
{
    struct disk *disk = node->disk;
    log_writer_run(disk->writer, node_now(node));
    const struct log_writer_figures *figures = log_writer_figures(disk->writer);
    if (figures->error != 0 || figures->broken)
        sim_violation(node->sim, "node %d cannot write its file", node->index);
    if (figures->synced == figures->written)
        disk->synced_at = segments_current_bytes(disk->segments);
}

static int name_file(void *context)
{
    struct node *node = context;
    struct disk *disk = node->disk;
    if (disk->waits || !disk->has_base) return 0;
    check(disk->count < DISK_FILES_MAX);
    const size_t size = strlen(disk->new_path) + 1;
    disk->paths[disk->count] = mem_alloc(size);
    memcpy(disk->paths[disk->count++], disk->new_path, size);
    return 0;
}

/* The manifest names the new base and nothing older. */
static void switch_base(struct node *node)
{
    struct disk *disk = node->disk;
    for (int i = 0; i < disk->count; i++) {
        if (strcmp(disk->paths[i], disk->new_path) == 0) continue;
        if (!segments_retire(disk->segments, disk->paths[i], journal_first(node->journal)))
            file_remove(disk->paths[i]);
    }
    forget_paths(disk);
    disk->paths[disk->count++] = disk->new_path;
    disk->new_path = NULL;
    buf_release(&disk->base);
    disk->base = disk->new_base;
    disk->new_base = (struct buf){0};
    disk->has_base = true;
    disk->waits = false;
    drop_rewrite(disk);
}

static void rewrite(struct node *node, int while_ms)
{
    struct disk *disk = node->disk;
    struct log_writer_change change;
    if (!image_whole(node, &disk->new_base)) return;
    fill_change(node, &change);
    snprintf(change.path, sizeof(change.path), "%s/incr-%d.aof", disk->folder, ++disk->named);
    const size_t size = strlen(change.path) + 1;
    disk->new_path = mem_alloc(size);
    memcpy(disk->new_path, change.path, size);
    change.commit = name_file;
    log_writer_begin(disk->writer, &change);
    run_writer(node);
    journal_set_segments(node->journal, disk->segments);
    disk->switch_at_ms = node_now(node) + while_ms;
    if (while_ms == 0) switch_base(node);
}

uint64_t disk_reach(const struct node *node)
{
    const struct disk *disk = node->disk;
    const uint64_t end = journal_end(node->journal);
    if (disk == NULL || disk->writer == NULL || disk->waits) return end;
    if (node->sim->disk_mutations.feed_before_written) return end;
    const struct log_writer_figures *figures = log_writer_figures(disk->writer);
    return disk->sync == LOG_SYNC_ALWAYS ? figures->synced : figures->written;
}

void disk_tick(struct node *node)
{
    struct disk *disk = node->disk;
    if (disk == NULL || disk->writer == NULL) return;
    if (disk->switch_at_ms > 0 && node_now(node) >= disk->switch_at_ms) switch_base(node);
    if (!sim_chance(node->sim, disk->pace)) return;
    if (disk->switch_at_ms == 0 && disk->count < DISK_FILES_MAX - 1 && sim_chance(node->sim, 1))
        rewrite(node, sim_between(node->sim, 1, 400));
    run_writer(node);
    primary_log_advanced(node->primary, disk_reach(node), &node->actions);
    node_perform(node, span_of("", 0));
}

void disk_id_changed(struct node *node)
{
    struct log_writer_change change;
    if (node->disk == NULL || node->disk->writer == NULL) return;
    fill_change(node, &change);
    log_writer_change_id(node->disk->writer, &change);
}

void disk_let_go(struct node *node)
{
    struct disk *disk = node->disk;
    if (disk == NULL) return;
    if (disk->new_path != NULL && disk->waits) file_remove(disk->new_path);
    drop_rewrite(disk);
    log_writer_free(disk->writer, false);
    disk->writer = NULL;
    journal_set_segments(node->journal, NULL);
    segments_free(disk->segments);
    disk->segments = segments_new(disk->folder);
    disk->waits = true;
    disk->sent = 0;
    disk->loaded_id[0] = disk->own_id[0] = '\0';
}

void disk_began_anew(struct node *node)
{
    if (node->disk == NULL) return;
    make_writer(node);
    rewrite(node, sim_between(node->sim, 1, 400));
}

void disk_sent(struct node *node, uint64_t offset)
{
    struct disk *disk = node->disk;
    if (disk != NULL && !disk->waits && offset > disk->sent) disk->sent = offset;
}

/* ---- crashes ------------------------------------------------------------------------------------ */

/* The newest file as a power cut leaves it. */
static void cut_power(struct node *node)
{
    struct disk *disk = node->disk;
    const uint64_t end_at = segments_current_bytes(disk->segments);
    const char *path = disk->paths[disk->count - 1];
    uint64_t size;
    if (end_at <= disk->synced_at) return;
    const uint64_t left = random_below(&node->sim->random, end_at - disk->synced_at + 1);
    const uint64_t at = disk->synced_at + left;
    const int fd = file_open_write(path, false, &size);
    check(fd >= 0 && file_truncate(fd, at) == 0);
    node->sim->seen.torn += at < end_at;
    if (at < end_at && sim_chance(node->sim, 30)) /* zeros where the bytes should be */
        check(file_truncate(fd, at + 1 + random_below(&node->sim->random, end_at - at)) == 0);
    file_close(fd);
}

void disk_stop(struct node *node, enum disk_stop how)
{
    struct disk *disk = node->disk;
    if (disk == NULL) return;
    if (how == DISK_CLEAN) check(log_writer_flush(disk->writer) == 0);
    const struct log_writer_figures figures = *log_writer_figures(disk->writer);
    disk->promised = !disk->waits;
    disk->most = figures.written;
    disk->least = how == DISK_POWER_CUT ? figures.synced : figures.written;
    const bool sent_stays = how != DISK_POWER_CUT || disk->sync == LOG_SYNC_ALWAYS;
    if (disk->promised && sent_stays && disk->sent > disk->least) disk->least = disk->sent;
    disk->was_primary = !role_is_replica(node->role);
    memcpy(disk->stopped_id, journal_id(node->journal), sizeof(disk->stopped_id));
    if (disk->promised && how == DISK_POWER_CUT) cut_power(node);
    log_writer_free(disk->writer, true);
    disk->writer = NULL;
    if (disk->waits && disk->new_path != NULL) file_remove(disk->new_path);
    drop_rewrite(disk);
    journal_set_segments(node->journal, NULL);
    segments_free(disk->segments);
    disk->segments = NULL;
}

/* ---- starting ----------------------------------------------------------------------------------- */

struct loading {
    struct node *node;
    int db;
    bool in_transaction, is_tail;
};

static bool run_loaded(void *context, int argc, const struct span *argv, char reason[static 256])
{
    struct loading *loading = context;
    struct node *node = loading->node;
    int64_t db;
    if (span_is(argv[0], "select")) {
        if (argc != 2 || !num_parse_int64(argv[1], &db)) return false;
        loading->db = (int)db;
        return true;
    }
    if (span_is(argv[0], "ping") || span_is(argv[0], "replconf")) return true;
    if (span_is(argv[0], "multi") || span_is(argv[0], "exec")) {
        loading->in_transaction = span_is(argv[0], "multi");
    } else {
        const uint64_t dirty = store_dirty(node->store);
        if (!execute(node->store, loading->db, argc, argv, reason)) return false;
        if (loading->is_tail && store_dirty(node->store) != dirty)
            unit_add(&node->unit, loading->db, argc, argv);
    }
    if (loading->is_tail && !loading->in_transaction) {
        unit_commit(&node->unit);
        journal_publish(node->journal);
        history_appended(node->sim, node, true);
    }
    return true;
}

static void replay(struct loading *loading, const char *path, uint64_t from, uint64_t upto)
{
    const struct aof_replay_options options = {
        .run = run_loaded, .context = loading, .from = from, .upto = upto};
    struct node *node = loading->node;
    enum aof_replay_state state;
    int error;
    struct aof_replay *replay = aof_replay_open(path, &options, &error);
    check(replay != NULL);
    loading->in_transaction = false;
    do state = aof_replay_run(replay, SIZE_MAX);
    while (state == AOF_REPLAY_MORE);
    /* Of a torn stretch whatever is no command is torn as well. */
    if (state != AOF_REPLAY_DONE && !loading->is_tail)
        sim_violation(node->sim, "node %d cannot replay its file: %s", node->index,
                      aof_replay_figures(replay)->reason);
    aof_replay_free(replay);
}

static void execute_tail(struct loading *loading, const char *path,
                         const struct segments_found *found)
{
    struct node *node = loading->node;
    node->unit.open = loading->is_tail = true;
    replay(loading, path, found->tail_at, found->tail_end);
    node->unit.open = loading->is_tail = false;
    node->sim->seen.tails++;
    if (!history_passed(node->sim, found->head.id, found->end, store_fingerprint(node->store)))
        sim_violation(node->sim, "node %d made something of its torn end that never was",
                      node->index);
}

static bool judge_file(struct node *node, const struct segments_found *found, bool last)
{
    const bool torn = found->size > found->end_at;
    if (found->has_history && found->tail != SEGMENT_DAMAGED && found->tail != SEGMENT_IO &&
        found->tail != SEGMENT_FOREIGN && (last || !torn))
        return true;
    sim_violation(node->sim, "node %d refuses its files: damaged at byte %" PRIu64, node->index,
                  found->end_at);
    return false;
}

static void judge_end(struct node *node, uint64_t end)
{
    const struct disk *disk = node->disk;
    if (disk->promised && (end < disk->least || end > disk->most))
        sim_violation(node->sim,
                      "node %d comes back at %" PRIu64 ", not within %" PRIu64 " and %" PRIu64,
                      node->index, end, disk->least, disk->most);
}

static void restore(struct loading *loading, const struct segments_found *found)
{
    struct node *node = loading->node;
    struct disk *disk = node->disk;
    const char *path = disk->paths[disk->count - 1];
    const struct disk_mutations *mutations = &node->sim->disk_mutations;
    struct log_writer_change change;
    const uint64_t offset = mutations->restore_wrong_offset ? found->first : found->end;
    journal_set_segments(node->journal, disk->segments);
    journal_restore(node->journal, found->head.id, offset, false);
    journal_set_db(node->journal, loading->db);
    judge_end(node, found->end);
    history_check_data(node->sim, node);
    memcpy(disk->loaded_id, found->head.id, sizeof(disk->loaded_id));
    disk->loaded_end = found->end;
    disk->sent = 0;
    if (node->followed < 0 && !mutations->keep_loaded_id) journal_shift_id(node->journal);
    memcpy(disk->own_id, journal_id(node->journal), sizeof(disk->own_id));
    node_id_changed(node);
    make_writer(node);
    log_writer_continue(disk->writer);
    if (strcmp(journal_id(node->journal), found->head.id) != 0) {
        fill_change(node, &change);
        log_writer_change_id(disk->writer, &change);
    }
    if (node->followed < 0 && found->tail == SEGMENT_SHORT && !found->bad_crc)
        execute_tail(loading, path, found);
    const uint64_t at = mutations->keep_torn_tail ? found->size : found->end_at;
    check(segments_continue(disk->segments, at) == 0);
    disk->synced_at = segments_current_bytes(disk->segments);
}

static void begin_first(struct node *node)
{
    struct disk *disk = node->disk;
    if (!journal_active(node->journal)) journal_activate(node->journal, true);
    node_id_changed(node);
    disk->sent = 0;
    disk->loaded_id[0] = disk->own_id[0] = '\0';
    make_writer(node);
    rewrite(node, 0);
}

void disk_start(struct node *node)
{
    struct disk *disk = node->disk;
    struct loading loading = {.node = node};
    struct segments_found found = {0};
    disk->segments = segments_new(disk->folder);
    disk->waits = false;
    if (!disk->has_base) {
        begin_first(node);
        return;
    }
    segments_take_retired(disk->segments);
    load_rdb(node, buf_span(&disk->base), &node->outcome);
    check(node->outcome.err == OK);
    load_take(node);
    loader_outcome_release(&node->outcome);
    store_policy(node->store)->keep_expired = true;
    bool fine = true;
    for (int i = 0; fine && i < disk->count; i++) {
        segments_examine(disk->segments, disk->paths[i], false, &found);
        fine = judge_file(node, &found, i == disk->count - 1);
        loading.db = 0;
        if (fine) replay(&loading, disk->paths[i], 0, found.end_at);
    }
    if (fine) {
        restore(&loading, &found);
    } else { /* the run is over; it only has to end */
        disk_lose(node);
        begin_first(node);
    }
    store_policy(node->store)->keep_expired = false;
}

/* ---- full syncs --------------------------------------------------------------------------------- */

void disk_judge_full_sync(struct node *node, struct span id, uint64_t offset)
{
    const struct disk *disk = node->disk;
    char text[REPLICATION_ID_LEN + 1];
    if (disk == NULL || id.len != REPLICATION_ID_LEN || disk->loaded_id[0] == '\0') return;
    memcpy(text, id.ptr, REPLICATION_ID_LEN);
    text[REPLICATION_ID_LEN] = '\0';
    if (strcmp(journal_id(node->journal), disk->own_id) != 0 || role_is_replica(node->role)) return;
    if (strcasecmp(text, disk->loaded_id) == 0 && offset > disk->loaded_end && disk->was_primary &&
        strcmp(disk->stopped_id, disk->loaded_id) == 0 && disk->promised &&
        disk->sync == LOG_SYNC_ALWAYS)
        sim_violation(node->sim,
                      "node %d syncs always, and a replica is at %" PRIu64 ", ahead of %" PRIu64,
                      node->index, offset, disk->loaded_end);
    if (strcasecmp(text, disk->loaded_id) == 0 && offset <= disk->loaded_end &&
        offset >= journal_first(node->journal))
        sim_violation(node->sim,
                      "node %d makes a replica at %" PRIu64 " of its files' history do a full sync",
                      node->index, offset);
}
