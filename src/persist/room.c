#include "persist/room.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "io/file.h"
#include "rdb/rdb.h"
#include "rdb/reader.h"

#include <stdio.h>
#include <string.h>

enum { VERIFY_BYTES = 1 << 20, FOOTER_BYTES = 9 }; /* end opcode and checksum */

uint64_t room_image_memory(struct span head)
{
    struct rdb_reader reader;
    uint64_t memory = 0;
    uint8_t opcode;
    int version;

    rdb_reader_init_span(&reader, head);
    if (rdb_read_header(&reader, &version) == OK) {
        while (rdb_read_byte(&reader, &opcode) == OK && opcode == RDB_OP_AUX) {
            struct span name, value;
            int64_t number;
            if (rdb_read_string(&reader, &name) != OK) break;
            bool wanted = span_equal(name, SPAN("used-mem"));
            if (rdb_read_string(&reader, &value) != OK) break;
            if (wanted && num_parse_int64(value, &number) && number > 0) memory = (uint64_t)number;
        }
    }
    rdb_reader_release(&reader);
    return memory;
}

static bool verify(int fd, char *block, char error[static 128])
{
    uint64_t crc = 0, at = 0;
    unsigned char last[FOOTER_BYTES]; /* the newest bytes; only what left it is summed */
    size_t held = 0;

    for (;;) {
        ssize_t got = file_pread_some(fd, block, VERIFY_BYTES, at);
        if (got < 0) {
            snprintf(error, 128, "reading it: %s", strerror((int)-got));
            return false;
        }
        if (got == 0) break;
        at += (uint64_t)got;
        /* The checksum covers the end opcode too: 8 bytes stay out. */
        size_t total = held + (size_t)got, out = total > 8 ? total - 8 : 0;
        size_t from_held = out < held ? out : held;
        crc = crc64(crc, last, from_held);
        memmove(last, last + from_held, held - from_held);
        held -= from_held;
        size_t from_block = out - from_held;
        crc = crc64(crc, block, from_block);
        memcpy(last + held, block + from_block, (size_t)got - from_block);
        held += (size_t)got - from_block;
    }
    uint64_t written;
    if (held < sizeof written) {
        snprintf(error, 128, "it is shorter than a checksum");
        return false;
    }
    memcpy(&written, last, sizeof written);
    if (written == 0 || written == crc) return true;
    snprintf(error, 128, "its checksum is wrong");
    return false;
}

bool room_verify_file(const char *path, char error[static 128])
{
    uint64_t size;
    int fd = file_open_read(path, &size);

    if (fd < 0) {
        snprintf(error, 128, "opening it: %s", strerror(-fd));
        return false;
    }
    char *block = mem_alloc(VERIFY_BYTES);
    bool whole = verify(fd, block, error);
    mem_free(block);
    file_close(fd);
    return whole;
}
