#include "server/diverged.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "journal/segments.h"
#include "server/folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>

#define ROOM_BYTES (256 * 1024)

struct tail {
    struct spool *spool;       /* of the old log */
    struct segments *segments; /* what the spool reads its cold bytes from; NULL */
    struct spool_cursor *sum, *data;
    struct segment_head head;
    uint64_t bytes;
    char folder[PATH_MAX], path[PATH_MAX];
    char *room;
};

static size_t step_of(uint64_t left)
{
    return left < ROOM_BYTES ? (size_t)left : ROOM_BYTES;
}

/* One stretch: where commands begin is not known here. 0 or -errno. */
static int copy(struct tail *tail, struct segments *to)
{
    struct segment_mark mark = {tail->head.offset, tail->bytes, 0};
    int error = segments_begin(to, tail->path, &tail->head, NULL, NULL);

    for (uint64_t left = tail->bytes; left > 0 && error == 0; left -= step_of(left)) {
        if (!spool_read_exactly(tail->sum, tail->room, step_of(left))) return -EIO;
        mark.crc = crc32c(mark.crc, tail->room, step_of(left));
    }
    for (uint64_t left = tail->bytes; left > 0 && error == 0; left -= step_of(left)) {
        if (!spool_read_exactly(tail->data, tail->room, step_of(left))) return -EIO;
        if (left == tail->bytes) error = segments_write(to, &mark, 0, tail->room, step_of(left));
        else error = segments_write_more(to, tail->room, step_of(left));
    }
    return error != 0 ? error : segments_sync(to);
}

static void save(void *context)
{
    struct tail *tail = context;
    struct segments *to = segments_new(tail->folder);

    tail->room = mem_alloc(ROOM_BYTES);
    int error = copy(tail, to);
    if (error != 0)
        log_warning("The log's last %llu bytes could not be saved in %s: %s",
                    (unsigned long long)tail->bytes, tail->path, strerror(-error));
    segments_free(to);
    mem_free(tail->room);
    spool_close(tail->sum);
    spool_close(tail->data);
}

static void saved(void *context)
{
    struct tail *tail = context;

    spool_free(tail->spool);
    segments_free(tail->segments);
    mem_free(tail);
}

void diverged_save(struct server *server, const char *next_id, uint64_t fork,
                   struct segments *segments)
{
    struct journal *journal = server->journal;
    uint64_t first = journal_first(journal), end = journal_end(journal);
    bool same = strcasecmp(next_id, journal_id(journal)) == 0 && fork == UINT64_MAX;
    struct segment_head head = {.offset = fork != UINT64_MAX && fork > first ? fork : first};
    int db = journal_stream_db(journal);

    head.db = db > 0 ? db : 0;
    memcpy(head.id, journal_id(journal), sizeof head.id);
    struct spool *spool = journal_detach(journal);
    if (spool == NULL || same || head.offset >= end) {
        spool_free(spool);
        segments_free(segments);
        return;
    }
    struct tail *tail = mem_zalloc(sizeof *tail);
    tail->spool = spool;
    tail->segments = segments;
    tail->head = head;
    tail->bytes = end - head.offset;
    tail->sum = spool_open(spool, head.offset);
    tail->data = spool_open(spool, head.offset);
    snprintf(tail->folder, sizeof tail->folder, "%s", folder_path(server));
    snprintf(tail->path, sizeof tail->path, "%.*s/diverged-%lld-%.8s.aof", PATH_MAX - 64,
             tail->folder, (long long)clock_wall_ms(), head.id);
    log_warning(
        "The new primary does not have the last %llu bytes of our log: they are saved in %s",
        (unsigned long long)tail->bytes, tail->path);
    server->stats.diverged_bytes += tail->bytes;
    server->stats.diverged_tails++;
    worker_submit(server->file_worker, save, saved, tail);
}
