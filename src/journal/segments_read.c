/* Walking the files of the log at start, and reading them by offset. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/file.h"
#include "io/folder_list.h"
#include "journal/segments_inside.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

/* ---- examining --------------------------------------------------------------------------------- */

/* Whether nothing but zeros stands behind what was read: 1, 0, or -errno. */
static int only_zeros_follow(struct segment_reader *reader)
{
    char bytes[4096];

    for (uint64_t at = reader->at; at < reader->size;) {
        uint64_t left = reader->size - at;
        size_t len = left < sizeof bytes ? (size_t)left : sizeof bytes;
        int error = segment_read_bytes(reader, at, bytes, len);
        if (error != 0) return error;
        for (size_t i = 0; i < len; i++)
            if (bytes[i] != '\0') return 0;
        at += len;
    }
    return 1;
}

/* Takes one complete stretch into account. False where its CRC is wrong or it cannot be read. */
static bool take_stretch(struct segment_reader *reader, const struct segment_stretch *stretch,
                         struct segment_file *file, struct segments_found *out)
{
    int right = segment_check(reader, stretch);

    if (right < 0) {
        out->tail = SEGMENT_IO;
        out->error = right;
        return false;
    }
    if (right == 0) {
        /* Damage where more stands behind it; else it was the last write, or the file had grown for
         * several before the bytes were there. */
        int zeros = only_zeros_follow(reader);
        out->tail = zeros == 1 ? SEGMENT_SHORT : zeros == 0 ? SEGMENT_DAMAGED : SEGMENT_IO;
        out->error = zeros < 0 ? zeros : 0;
        out->bad_crc = true;
        return false;
    }
    segment_file_note(file, stretch->mark.offset, stretch->mark_at);
    out->end = stretch->mark.offset + stretch->mark.bytes;
    out->end_at = stretch->data_at + stretch->mark.bytes;
    out->unix_s = stretch->unix_s;
    return true;
}

static void walk(struct segment_reader *reader, struct segment_file *file,
                 struct segments_found *out)
{
    struct segment_stretch stretch;

    for (;;) {
        enum segment_part part = segment_read(reader, &stretch);
        switch (part) {
        case SEGMENT_HEAD:
            if (!out->has_history) out->first = out->end = reader->head.offset;
            out->has_history = true;
            out->head = reader->head;
            out->end_at = reader->at;
            break;
        case SEGMENT_STRETCH:
            if (!take_stretch(reader, &stretch, file, out)) return;
            break;
        default:
            out->tail = part;
            out->tail_at = part == SEGMENT_SHORT ? stretch.data_at : out->end_at;
            out->error = stretch.error;
            return;
        }
    }
}

/* Where a short tail's bytes end: a command never ends with a zero, so zeros at the file's end are what
 * the file system had let it grow by. */
static void find_tail_end(struct segment_reader *reader, struct segments_found *out)
{
    char bytes[4096];

    out->tail_end = out->size;
    if (out->tail != SEGMENT_SHORT || out->bad_crc) return;
    while (out->tail_end > out->tail_at) {
        uint64_t left = out->tail_end - out->tail_at;
        size_t len = left < sizeof bytes ? (size_t)left : sizeof bytes, at = len;
        int error = segment_read_bytes(reader, out->tail_end - len, bytes, len);
        if (error != 0) {
            out->tail = SEGMENT_IO;
            out->error = error;
            return;
        }
        while (at > 0 && bytes[at - 1] == '\0') at--;
        out->tail_end -= len - at;
        if (at > 0) return;
    }
}

void segments_examine(struct segments *segments, const char *path, bool retired,
                      struct segments_found *out)
{
    struct segment_reader reader;
    uint64_t size;
    int fd = file_open_write(path, false, &size);

    *out = (struct segments_found){.tail = SEGMENT_IO, .error = fd};
    if (fd < 0) return;
    struct segment_file *file = segment_file_new(path, fd, 0);
    *out = (struct segments_found){.size = size};
    segment_reader_init(&reader, fd, size);
    walk(&reader, file, out);
    find_tail_end(&reader, out);
    segment_reader_release(&reader);
    file->first = out->first;
    file->end = out->end;
    file->end_at = out->end_at;
    file->retired = retired;
    bool usable = out->has_history && out->tail != SEGMENT_DAMAGED && out->tail != SEGMENT_IO;
    segments_lock(segments);
    if (usable) segments_attach(segments, file);
    else segment_file_unref(file);
    segments_unlock(segments);
}

static void take_retired(void *context, const char *path)
{
    struct segments *segments = context;
    struct segments_found found;

    segments_examine(segments, path, true, &found);
    if (segments->newest == NULL || strcmp(segments->newest->path, path) != 0) {
        log_notice("Removing %s, which no log continues", path);
        file_remove(path);
    }
}

void segments_take_retired(struct segments *segments)
{
    folder_each(segments->folder, "log-", ".aof", take_retired, segments);
}

/* ---- reading by offset ------------------------------------------------------------------------- */

/* The last waypoint at or before the offset. */
static struct waypoint find_waypoint(const struct segment_file *file, uint64_t offset)
{
    size_t low = 0, high = file->waypoint_count;

    check(high > 0 && file->waypoints[0].offset <= offset);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (file->waypoints[middle].offset <= offset) low = middle;
        else high = middle;
    }
    return file->waypoints[low];
}

/* Copies log bytes out of the file from a waypoint on. */
static ssize_t copy_out(int fd, uint64_t end_at, struct waypoint from, uint64_t offset, char *out,
                        size_t len)
{
    struct segment_reader reader;
    struct segment_stretch stretch;
    size_t done = 0;
    int error = 0;

    segment_reader_init(&reader, fd, end_at);
    segment_reader_seek(&reader, from.at, from.offset);
    while (done < len && error == 0) {
        enum segment_part part = segment_read(&reader, &stretch);
        if (part == SEGMENT_END) break;
        if (part == SEGMENT_HEAD) continue;
        if (part != SEGMENT_STRETCH) {
            error = part == SEGMENT_IO ? stretch.error : -EIO;
            break;
        }
        uint64_t stretch_end = stretch.mark.offset + stretch.mark.bytes;
        if (stretch_end <= offset) continue;
        uint64_t into = offset - stretch.mark.offset;
        size_t take = stretch.mark.bytes - into < len - done ? (size_t)(stretch.mark.bytes - into)
                                                             : len - done;
        error = segment_read_bytes(&reader, stretch.data_at + into, out + done, take);
        if (error == 0) {
            done += take;
            offset += take;
        }
    }
    segment_reader_release(&reader);
    return done > 0 ? (ssize_t)done : error != 0 ? error : -ENOENT;
}

ssize_t segments_read(struct segments *segments, uint64_t offset, void *out, size_t len)
{
    struct segment_file *file;
    struct waypoint from = {0};
    uint64_t end_at = 0;

    segments_lock(segments);
    for (file = segments->oldest; file != NULL; file = file->next)
        if (offset >= file->first && offset < file->end) break;
    if (file != NULL) {
        file->refs++;
        from = find_waypoint(file, offset);
        end_at = file->end_at;
    }
    segments_unlock(segments);
    if (file == NULL) return -ENOENT;

    ssize_t got = copy_out(file->fd, end_at, from, offset, out, len);

    segments_lock(segments);
    segment_file_unref(file);
    segments_unlock(segments);
    return got;
}
