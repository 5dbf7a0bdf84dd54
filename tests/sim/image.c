#include "node_state.h"

/* ---- images ------------------------------------------------------------------------------------- */

struct image_slot *images_find(struct node *node, uint32_t number)
{
    for (int i = 0; i < IMAGES_MAX; i++)
        if (node->images[i].number == number) return &node->images[i];
    return NULL;
}

struct image_options images_settings(const struct node *node)
{
    return (struct image_options){
        .dir = "/nonexistent",
        .inline_encoder = true,
        .checksum = true,
        .keep_head = true,
        .now_ms = node_unix_now(node),
        .repl_id = journal_active(node->journal) ? journal_id(node->journal) : NULL,
        .repl_offset = (int64_t)journal_end(node->journal),
        .repl_stream_db = journal_stream_db(node->journal),
    };
}

void images_start(struct node *node, uint32_t number)
{
    struct image_slot *slot = images_find(node, 0);
    check(node->later_count < LATER_MAX);
    /* A primary's next command says its database again: a late reader of the log starts here. */
    if (!role_is_replica(node->role)) journal_set_db(node->journal, -1);
    const struct image_options options = images_settings(node);
    struct image *image = slot != NULL ? image_start(node->store, &options) : NULL;
    if (image != NULL) *slot = (struct image_slot){.number = number, .image = image};
    node->later[node->later_count].snapshot = number;
    node->later[node->later_count].offset = journal_end(node->journal);
    node->later[node->later_count++].failed = image == NULL;
}

void images_end(struct node *node, uint32_t number)
{
    struct image_slot *slot = images_find(node, number);
    if (slot == NULL || number == 0) return;
    image_release(slot->image);
    *slot = (struct image_slot){0};
}

void images_walk(struct node *node)
{
    for (int i = 0; i < IMAGES_MAX; i++) {
        struct image_slot *slot = &node->images[i];
        if (slot->number == 0 || slot->done_told) continue;
        image_walk(slot->image,
                   (struct image_budget){.bytes = 512, .buckets = 1, .keys = SIZE_MAX});
        struct image_progress progress;
        image_progress(slot->image, &progress);
        if (image_state(slot->image) == IMAGE_COMPLETE) {
            slot->done_told = true;
            primary_snapshot_done(node->primary, slot->number, progress.rdb_bytes, node_now(node),
                                  &node->actions);
        } else {
            primary_snapshot_progress(node->primary, slot->number, progress.rdb_bytes, 500);
        }
    }
    node_perform(node, span_of("", 0));
}

bool image_whole(struct node *node, struct buf *rdb)
{
    const struct image_options options = images_settings(node);
    struct image *image = image_start(node->store, &options);
    if (image == NULL) return false;
    while (image_walk(image, (struct image_budget){SIZE_MAX, SIZE_MAX, SIZE_MAX}) == IMAGE_MORE) {}
    check(image_state(image) == IMAGE_COMPLETE);
    struct spool_cursor *cursor = image_open(image, 0);
    struct iovec iov;
    int count;
    buf_clear(rdb);
    while (spool_peek(cursor, &iov, &count, 1, SIZE_MAX, NULL, NULL) == SPOOL_BYTES) {
        buf_append(rdb, iov.iov_base, iov.iov_len);
        spool_advance(cursor, iov.iov_len);
    }
    image_close(image, cursor);
    image_release(image);
    return true;
}

/* ---- loading ------------------------------------------------------------------------------------ */

void load_rdb(struct node *node, struct span rdb, struct loader_outcome *outcome)
{
    struct loader_options options = {
        .databases = DATABASES,
        .settings =
            value_settings_default((struct hash_secret){node->sim->seed, (uint64_t)node->index}),
        .now_ms = node_unix_now(node),
        .checksum = true,
        .silent = true,
        .inline_loading = true,
    };
    struct loader *loader = loader_open_feed(UINT64_MAX, &options);
    loader_feed(loader, rdb.ptr, rdb.len);
    loader_feed_end(loader);
    loader_take(&loader, outcome);
}

void load_drop(struct node *node)
{
    if (node->has_outcome) loader_outcome_release(&node->outcome);
    node->has_outcome = false;
}

void load_finish(struct node *node)
{
    if (!node->loading || node_now(node) < node->load_at_ms) return;
    node->loading = false;
    load_rdb(node, buf_span(&node->image_in), &node->outcome);
    node->has_outcome = true;
    if (node->outcome.err == OK) {
        replica_loaded(node->replica, node_now(node), &node->actions);
    } else {
        sim_violation(node->sim, "node %d got a snapshot that does not load: %s", node->index,
                      node->outcome.error);
        replica_load_failed(node->replica, node->outcome.error, node_now(node), &node->actions);
    }
    node_perform(node, span_of("", 0));
}

void load_take(struct node *node)
{
    store_replace_all(node->store, node->outcome.keyspaces);
    mem_free(node->outcome.keyspaces); /* the array; what it held is the store's now */
    node->outcome.keyspaces = NULL;
}

void load_adopt(struct node *node, const char *id, uint64_t offset)
{
    if (!node->has_outcome) {
        sim_violation(node->sim, "node %d adopts a history without its data", node->index);
        return;
    }
    if (node->watch_failover && node->own_touched == node->touched &&
        node->failover_touched == node->sim->nodes[node->failover_target]->touched &&
        !history_continues(node->sim, id, node->journal))
        sim_violation(node->sim, "node %d lost writes in a planned failover", node->index);
    for (int i = 0; i < SESSIONS_MAX;
         i++) { /* cursors on the old log: its readers were to be dropped */
        if (node->sessions[i].cursor == NULL) continue;
        sim_violation(node->sim, "node %d keeps replicas of the history that it leaves",
                      node->index);
        journal_close(node->journal, node->sessions[i].cursor);
        node->sessions[i].cursor = NULL;
    }
    load_take(node);
    disk_let_go(node);
    journal_adopt(node->journal, id, offset);
    journal_set_db(node->journal, node->outcome.repl_stream_db);
    load_drop(node);
    apply_reset(node->apply);
    node_id_changed(node);
    disk_began_anew(node);
    node->full_syncs++;
    node->sim->seen.full++;
    history_check_data(node->sim, node);
    primary_log_advanced(node->primary, offset, &node->actions);
}
