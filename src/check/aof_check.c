#include "check/aof_check.h"

#include "base/buf.h"
#include "base/num.h"
#include "check/rdb_check.h"
#include "io/file.h"
#include "journal/segment_reader.h"
#include "persist/loader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES_MAX 128 /* Redis reads lines into so many */

struct walk {
    const struct aof_check *check;
    FILE *file;
    uint64_t size, at; /* position of the next byte */
    uint64_t ok_up_to; /* behind the last whole command or transaction */
    uint64_t *lines;
    uint64_t word_at; /* of the last argument */
    bool in_multi, failed, cut;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct walk *walk, const char *format, ...)
{
    va_list arguments;

    printf("0x%16" PRIx64 ": ", walk->at);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    walk->failed = true;
    return false;
}

/* ---- one command -------------------------------------------------------------------------------- */

static bool read_bytes(struct walk *walk, void *out, size_t len)
{
    size_t got = fread(out, 1, len, walk->file);

    if (got != len) return fail(walk, "Expected to read %zu bytes, got %zu bytes", len, got);
    walk->at += len;
    return true;
}

static bool skip_bytes(struct walk *walk, uint64_t len)
{
    uint64_t left = walk->size - walk->at;

    if (len > left)
        return fail(walk, "Expected to read %" PRIu64 " bytes, got %" PRIu64 " bytes", len, left);
    walk->at += len;
    return fseeko(walk->file, (off_t)walk->at, SEEK_SET) == 0;
}

/* "*3\r\n": the number behind the mark. */
static bool read_number(struct walk *walk, char mark, int64_t *out)
{
    char line[LINE_BYTES_MAX];
    uint64_t from = walk->at;
    char *end;

    if (fgets(line, sizeof line, walk->file) == NULL)
        return fail(walk, "Expected a line that begins with '%c', got the end of the file", mark);
    if (line[0] != mark) return fail(walk, "Expected prefix '%c', got: '%c'", mark, line[0]);
    long long number = strtoll(line + 1, &end, 10);
    if (end[0] != '\r' || end[1] != '\n')
        return fail(walk, "Expected \\r\\n, got: %02x%02x", (unsigned char)end[0],
                    end[0] == '\0' ? 0u : (unsigned char)end[1]);
    walk->at = from + strlen(line);
    ++*walk->lines;
    *out = number;
    return true;
}

static bool expect_line_end(struct walk *walk)
{
    unsigned char two[2];
    uint64_t at = walk->at;

    if (!read_bytes(walk, two, 2)) return false;
    if (two[0] == '\r' && two[1] == '\n') {
        ++*walk->lines;
        return true;
    }
    walk->at = at;
    return fail(walk, "Expected \\r\\n, got: %02x%02x", two[0], two[1]);
}

/* An argument; the first bytes of it go to `word`. */
static bool read_argument(struct walk *walk, char *word, size_t room)
{
    int64_t len;

    if (!read_number(walk, '$', &len)) return false;
    walk->word_at = walk->at;
    if (len < 0) return fail(walk, "Expected a length, got: %" PRId64, len);
    size_t keep = (uint64_t)len < room ? (size_t)len : room;
    /* With its line end, as one piece: that is what a short file lacks. */
    if ((uint64_t)len + 2 > walk->size - walk->at)
        return fail(walk, "Expected to read %" PRId64 " bytes, got %" PRIu64 " bytes", len + 2,
                    walk->size - walk->at);
    return read_bytes(walk, word, keep) && skip_bytes(walk, (uint64_t)len - keep) &&
           expect_line_end(walk);
}

static bool note_word(struct walk *walk, const char *word)
{
    const uint64_t behind = walk->at;

    walk->at = walk->word_at; /* what a complaint points at */
    if (strncasecmp(word, "MULTI", 6) == 0) {
        if (walk->in_multi) return fail(walk, "Unexpected MULTI in AOF %s", walk->check->name);
        walk->in_multi = true;
    } else if (strncasecmp(word, "EXEC", 5) == 0) {
        if (!walk->in_multi) return fail(walk, "Unexpected EXEC in AOF %s", walk->check->name);
        walk->in_multi = false;
    }
    walk->at = behind;
    return true;
}

static bool read_command(struct walk *walk)
{
    int64_t argc;

    if (!read_number(walk, '*', &argc)) return false;
    for (int64_t i = 0; i < argc; i++) {
        char word[16] = "";
        if (!read_argument(walk, word, i == 0 ? sizeof word - 1 : 0)) return false;
        if (i == 0 && !note_word(walk, word)) return false;
    }
    return true;
}

/* A line that begins with '#'. False: the walk ends there, at a time that is too late, or at a line without end. */
static bool read_comment(struct walk *walk)
{
    char line[LINE_BYTES_MAX * 8];
    int64_t unix_s;

    if (fgets(line, sizeof line, walk->file) == NULL || strchr(line, '\n') == NULL)
        return fail(walk, "A comment line does not end");
    size_t len = strlen(line);
    struct span number = span_of(line + 4, len > 6 ? len - 6 : 0);
    if (walk->check->until_s != AOF_CHECK_WHOLE && strncmp(line, "#TS:", 4) == 0 &&
        num_parse_int64(number, &unix_s) && unix_s > walk->check->until_s) {
        walk->cut = true;
        return false;
    }
    walk->at += len;
    return true;
}

static bool step(struct walk *walk)
{
    int next = fgetc(walk->file);

    ungetc(next, walk->file);
    if (next == '#') return read_comment(walk);
    if (next == '*') return read_command(walk);
    printf("AOF %s format error\n", walk->check->name);
    walk->failed = true;
    return false;
}

/* ---- marks of pando ------------------------------------------------------------------------------- */

/* Whether the marks hold what they say. The walk by commands has found the commands sound. */
static bool marks_are_sound(const struct aof_check *check)
{
    struct segment_reader reader;
    struct segment_stretch stretch;
    enum segment_part part;
    uint64_t size;
    int fd = file_open_read(check->path, &size), right = 1;

    if (fd < 0) return false;
    segment_reader_init(&reader, fd, size);
    do {
        part = segment_read(&reader, &stretch);
        if (part == SEGMENT_STRETCH) right = segment_check(&reader, &stretch);
    } while (right == 1 && (part == SEGMENT_STRETCH || part == SEGMENT_HEAD));
    bool fine = right == 1 && part != SEGMENT_DAMAGED && part != SEGMENT_IO;
    if (!fine)
        printf("0x%16" PRIx64 ": the stretch of the log at offset %" PRIu64 " (%" PRIu64
               " bytes) does not have the checksum of its mark\n",
               stretch.mark_at, stretch.mark.offset, stretch.mark.bytes);
    segment_reader_release(&reader);
    file_close(fd);
    return fine;
}

/* ---- results -------------------------------------------------------------------------------------- */

static bool cut_at(const struct aof_check *check, uint64_t size)
{
    uint64_t old;
    int fd = file_open_write(check->path, false, &old);
    bool fine = fd >= 0 && file_truncate(fd, size) == 0;

    file_close(fd);
    if (!fine) printf("Failed to truncate AOF %s\n", check->name);
    return fine;
}

static bool confirmed(void)
{
    char answer[8];

    printf("Continue? [y/N]: ");
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) != NULL && strncasecmp(answer, "y", 1) == 0)
        return true;
    printf("Aborting...\n");
    return false;
}

static enum aof_check_result mend(const struct walk *walk)
{
    const struct aof_check *check = walk->check;

    if (!check->fix) {
        printf("AOF %s is not valid. Use the --fix option to try fixing it.\n", check->name);
        return AOF_CHECK_BROKEN;
    }
    if (!check->is_last) {
        printf("Failed to truncate AOF %s because it is not the last file\n", check->name);
        return AOF_CHECK_BROKEN;
    }
    printf("This will shrink the AOF %s from %" PRIu64 " bytes, with %" PRIu64 " bytes, to %" PRIu64
           " bytes\n",
           check->name, walk->size, walk->size - walk->ok_up_to, walk->ok_up_to);
    if (!confirmed() || !cut_at(check, walk->ok_up_to)) return AOF_CHECK_BROKEN;
    printf("Successfully truncated AOF %s\n", check->name);
    return AOF_CHECK_TRUNCATED;
}

static enum aof_check_result cut_in_time(const struct walk *walk)
{
    const struct aof_check *check = walk->check;

    if (!walk->cut) {
        printf("Truncate nothing in AOF %s to timestamp %" PRId64 "\n", check->name,
               check->until_s);
        return AOF_CHECK_OK;
    }
    if (walk->ok_up_to == 0) {
        printf("AOF %s has nothing before timestamp %" PRId64 ", aborting...\n", check->path,
               check->until_s);
        return AOF_CHECK_BROKEN;
    }
    if (!check->is_last) {
        printf("Failed to truncate AOF %s to timestamp %" PRId64 " to offset %" PRIu64
               " because it is not the last file\n",
               check->name, check->until_s, walk->ok_up_to);
        return AOF_CHECK_BROKEN;
    }
    if (!cut_at(check, walk->ok_up_to)) return AOF_CHECK_BROKEN;
    printf("Successfully truncated AOF %s to timestamp %" PRId64 "\n", check->name, check->until_s);
    return AOF_CHECK_TRUNCATED;
}

static enum aof_check_result judge(struct walk *walk)
{
    const struct aof_check *check = walk->check;

    if (check->until_s != AOF_CHECK_WHOLE && !walk->failed) return cut_in_time(walk);
    if (!walk->failed && walk->in_multi) {
        walk->at = walk->word_at;
        fail(walk, "Reached EOF before reading EXEC for MULTI");
    }
    printf("AOF analyzed: filename=%s, size=%" PRIu64 ", ok_up_to=%" PRIu64
           ", ok_up_to_line=%" PRIu64 ", diff=%" PRIu64 "\n",
           check->name, walk->size, walk->ok_up_to, *walk->lines, walk->size - walk->ok_up_to);
    if (walk->ok_up_to < walk->size) return mend(walk);
    if (marks_are_sound(check)) return AOF_CHECK_OK;
    printf(
        "AOF %s is not valid, and its end is not what is wrong: it cannot be mended by cutting.\n",
        check->name);
    return AOF_CHECK_BROKEN;
}

enum aof_check_result aof_check(const struct aof_check *check, uint64_t *lines)
{
    struct walk walk = {.check = check, .lines = lines};
    uint64_t rdb_bytes = 0;

    walk.file = fopen(check->path, "re");
    if (walk.file == NULL) {
        printf("Cannot open file %s: %s, aborting...\n", check->path, strerror(errno));
        return AOF_CHECK_BROKEN;
    }
    fseeko(walk.file, 0, SEEK_END);
    walk.size = (uint64_t)ftello(walk.file);
    rewind(walk.file);
    enum aof_check_result result = AOF_CHECK_EMPTY;
    if (walk.size > 0) {
        if (loader_is_rdb(check->path)) {
            if (!rdb_check(check->path, check->name, true, &rdb_bytes)) {
                printf("RDB preamble of AOF file is not sane, aborting.\n");
                fclose(walk.file);
                return AOF_CHECK_BROKEN;
            }
            printf("RDB preamble is OK, proceeding with AOF tail...\n");
        }
        walk.at = walk.ok_up_to = rdb_bytes;
        fseeko(walk.file, (off_t)walk.at, SEEK_SET);
        while (walk.at < walk.size && step(&walk))
            if (!walk.in_multi) walk.ok_up_to = walk.at;
        result = judge(&walk);
    }
    fclose(walk.file);
    return result;
}
