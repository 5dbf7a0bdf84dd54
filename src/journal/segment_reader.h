/* Walks a file of the log (segment.h) from line to line, and reads what stands between.
 *
 * The walk stops at the first byte that is none of ours: what that means is for the caller to say,
 * who knows whether the file is the last one. Foreign bytes are trusted in nothing: a mark that
 * announces more than the file holds is a short stretch, one that does not continue where the one
 * before ended is damage.
 *
 * One thread at a time. Reads go through a window, so small stretches cost no call each. */
#ifndef PANDO_JOURNAL_SEGMENT_READER_H
#define PANDO_JOURNAL_SEGMENT_READER_H

#include "journal/segment.h"

struct segment_reader {
    int fd;        /* borrowed */
    uint64_t size; /* of the file; what is appended later is not seen */
    uint64_t at;   /* position of the next line */
    struct buf window;
    uint64_t window_at; /* position of its first byte */
    bool has_head;
    struct segment_head head; /* the last one read */
    uint64_t next;            /* offset that the next mark must have */
    int64_t unix_s;           /* of the last time line, 0 */
};

enum segment_part {
    SEGMENT_STRETCH, /* a complete stretch, its bytes not looked at yet: *out says where */
    SEGMENT_HEAD,    /* a #PANDO line: reader->head */
    SEGMENT_END,     /* the file ends here */
    SEGMENT_SHORT,   /* a line or a stretch of ours that the file does not hold whole */
    SEGMENT_FOREIGN, /* something else */
    SEGMENT_DAMAGED, /* a mark whose offset does not continue the one before */
    SEGMENT_IO,      /* the file cannot be read: errno in out->error */
};
struct segment_stretch {
    struct segment_mark mark;
    int64_t unix_s;      /* of the latest time line up to this stretch, 0 where there is none */
    uint64_t mark_at;    /* position of the mark */
    uint64_t data_at;    /* position of the bytes */
    uint64_t data_bytes; /* of them the file holds: all, or fewer with SEGMENT_SHORT */
    int error;
};

void segment_reader_init(struct segment_reader *reader, int fd, uint64_t size);
void segment_reader_release(struct segment_reader *reader);
/* Goes to a position where a mark stands that begins at `next`; the head is not known then. */
void segment_reader_seek(struct segment_reader *reader, uint64_t at, uint64_t next);
/* The next part. After a stretch the reader stands behind its bytes. After SHORT, FOREIGN and
 * DAMAGED it stands in front of them (reader->at) and does not move on. */
enum segment_part segment_read(struct segment_reader *reader, struct segment_stretch *out);
/* Bytes of the file, through the window. 0 or -errno; -EIO where the file ends before. */
int segment_read_bytes(struct segment_reader *reader, uint64_t at, void *out, size_t len);
/* Whether the stretch's bytes have its CRC. 1, 0, or -errno. */
int segment_check(struct segment_reader *reader, const struct segment_stretch *stretch);

#endif
