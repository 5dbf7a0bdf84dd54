/* pando-check-rdb FILE: whether an RDB file is sound, and if not, where it is not. Exit code 0 or 1. */
#include "base/mem.h"
#include "check/rdb_check.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    uint64_t bytes;

    mem_thread_register();
    if (argc != 2) {
        fprintf(stderr, "Usage: %s <rdb-file-name>\n", argv[0]);
        return 1;
    }
    if (strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "--version") == 0) {
        printf("pando-check-rdb %s (RDB of Redis 7.0.15)\n", PANDO_VERSION);
        return 0;
    }
    return rdb_check(argv[1], argv[1], false, &bytes) ? 0 : 1;
}
